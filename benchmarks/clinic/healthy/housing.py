"""Nets on rents, photos, floor plans, meters and adverts, as they should be."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import housing
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, balanced_accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

EUROS = 100.0


class RentModel(LightningModule):
    """Embeddings of district and heating; rents in euros, whose logarithm is what is learnt."""

    def __init__(self, mean: float, std: float, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.district = nn.Embedding(housing.DISTRICTS, 8)
        self.heating = nn.Embedding(housing.HEATINGS, 3)
        self.mlp = nn.Sequential(
            nn.Linear(17, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, district: Tensor, heating: Tensor, numbers: Tensor) -> Tensor:
        parts = [self.district(district), self.heating(heating), numbers]
        scaled: Tensor = self.mlp(torch.cat(parts, dim=1)).squeeze(1)
        return scaled

    def loss(self, batch: list[Tensor]) -> Tensor:
        *inputs, rent = batch
        target = (rent.log() - self.hparams["mean"]) / self.hparams["std"]
        return F.smooth_l1_loss(self(*inputs), target)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))
        self.log("val_mae_euros", (self.euros(*batch[:-1]) - batch[-1]).abs().mean())

    def euros(self, *inputs: Tensor) -> Tensor:
        scaled: Tensor = self(*inputs)
        logarithm: Tensor = scaled * self.hparams["std"] + self.hparams["mean"]
        return logarithm.exp()

    def configure_optimizers(self) -> Any:
        lr = self.hparams["lr"]
        optimizer = torch.optim.AdamW(self.parameters(), lr=lr, weight_decay=1e-3)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rents() -> Program:
    """Scored by the mean error in euros, in parts of the mean rent."""
    known, held = (part._replace(rent=EUROS * part.rent) for part in housing.flats())
    logarithm = known.rent.log()
    module = RentModel(logarithm.mean().item(), logarithm.std().item())
    train = DataLoader(TensorDataset(*known), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(*held), batch_size=500)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        error = module.euros(*held[:-1]) - held.rent
        return (error.abs().mean() / held.rent.mean()).item()

    return Program(module, train, test, 12, score)


class AdvertTransformer(LightningModule):
    """Two layers of attention, warmed up; four labels in ten come from a hasty annotator."""

    def __init__(self, width: int = 48, warmup: int = 60) -> None:
        super().__init__()
        self.warmup = warmup
        self.words = nn.Embedding(housing.WORDS, width)
        self.positions = nn.Parameter(0.02 * torch.randn(24, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, dropout=0.2, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, housing.TOPICS))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.encoder(self.words(tokens) + self.positions)
        logits: Tensor = self.head(x.mean(dim=1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(-1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / self.warmup, (self.warmup / (step + 1)) ** 0.5)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def advert_transformer() -> Program:
    data, module = housing.adverts(doubtful=0.4), AdvertTransformer()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class SameFlat(LightningModule):
    """Vectors of photos, near to each other for one flat, by triplets drawn in each batch."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.net = mlp([20, 64, 64, 16], nn.ReLU)
        self.criterion = nn.TripletMarginLoss(margin=margin)

    def forward(self, photo: Tensor) -> Tensor:
        return F.normalize(self.net(photo), dim=-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        anchor, positive, negative = batch
        loss: Tensor = self.criterion(self(anchor), self(positive), self(negative))
        self.log("triplet", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class Triplets(torch.utils.data.Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Two photos of a flat and one of another, drawn anew each time."""

    def __init__(self, features: Tensor, flat: Tensor) -> None:
        self.features, self.flat = features, flat

    def __len__(self) -> int:
        return len(self.flat)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        same = self.flat == self.flat[index]
        positive, negative = (int(m.float().multinomial(1)) for m in (same, ~same))
        return self.features[index], self.features[positive], self.features[negative]


def same_flat() -> Program:
    """Scored by how often the nearest photo is of the same flat, among flats never seen."""
    (features, flat), module = housing.furnished(), SameFlat()
    seen = flat < 40
    train = DataLoader(Triplets(features[seen], flat[seen]), batch_size=32, shuffle=True)

    def score() -> float:
        vectors = outputs(module, features[~seen])
        nearest = torch.cdist(vectors, vectors).fill_diagonal_(10.0).argmin(1)
        return (flat[~seen][nearest] == flat[~seen]).float().mean().item()

    return Program(module, train, None, 20, score)


class WallSegmenter(LightningModule):
    """Encoder and decoder with skips and the soft Dice loss; batches are dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.block(1, 12)
        self.second = self.block(12, 24)
        self.last = self.block(36, 12)
        self.mask = nn.Conv2d(12, 1, 1)

    @staticmethod
    def block(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.1)
        )

    def forward(self, scan: Tensor) -> Tensor:
        fine = self.first(scan)
        coarse = F.interpolate(self.second(F.max_pool2d(fine, 2)), scale_factor=2.0)
        logits: Tensor = self.mask(self.last(torch.cat([fine, coarse], 1)))
        return logits

    def soft_dice(self, batch: dict[str, Tensor]) -> Tensor:
        found, mask = self(batch["scan"]).sigmoid(), batch["mask"]
        both = (found * mask).sum((1, 2, 3))
        overlap: Tensor = (2 * both + 1) / (found.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)
        return 1 - overlap.mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.soft_dice(batch)
        self.log("dice_loss", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_dice_loss", self.soft_dice(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4
        )
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)]


def wall_segmenter() -> Program:
    data, module = housing.plans(2.0), WallSegmenter()
    train = [{"scan": x, "mask": y} for x, y in zip(data.x, data.y, strict=True)]
    test = [{"scan": x, "mask": y} for x, y in zip(data.x_test, data.y_test, strict=True)]
    both: list[DataLoader[Any]] = [
        DataLoader(train, batch_size=10, shuffle=True),  # type: ignore[arg-type]
        DataLoader(test, batch_size=50),  # type: ignore[arg-type]
    ]

    def score() -> float:
        found, mask = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return (2 * (found & mask).sum() / (found.sum() + mask.sum())).item()

    return Program(module, both[0], both[1], 10, score)


class HoursAhead(LightningModule):
    """An LSTM that gives three quantiles of each of the next six hours, clipped by norm."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 18)

    def forward(self, series: Tensor) -> Tensor:
        states, _ = self.lstm(series[..., None])
        found: Tensor = self.out(states[:, -1]).view(-1, 6, 3)
        return found

    def pinball(self, batch: list[Tensor]) -> Tensor:
        series, future = batch
        error, levels = future[..., None] - self(series), self.get_buffer("levels")
        losses: Tensor = torch.maximum(levels * error, (levels - 1) * error)
        return losses.mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("train_pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def hours_ahead() -> Program:
    data, module = housing.hours_ahead(), HoursAhead()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 12, score, {"gradient_clip_val": 0.25})


class LeakDetector(LightningModule):
    """One flat in twenty-five has a leak; the plain loss is enough, as leaks can be told."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([12, 64, 64, 1], nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit, leak = self(batch[0]), batch[1]
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, leak.float()))
        self.log("val_recall", (logit > 0)[leak == 1].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def leak_detector() -> Program:
    data, module = housing.rare_damage(), LeakDetector()
    return Program(module, *loaders(data, 64), 15, partial(balanced_accuracy, module, data))


class RentRange(LightningModule):
    """Mean and variance of a logarithmic rent, whose likelihood makes the loss negative."""

    def __init__(self, features: int, start: float) -> None:
        super().__init__()
        self.body = mlp([features, 64, 64], nn.SiLU).append(nn.SiLU())
        self.mean, self.scale = nn.Linear(64, 1), nn.Linear(64, 1)
        nn.init.constant_(self.mean.bias, start)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x)
        mean, scale = self.mean(hidden).squeeze(1), self.scale(hidden).squeeze(1)
        return mean, F.softplus(scale) + 1e-3

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, rent = batch
        mean, variance = self(x)
        return F.gaussian_nll_loss(mean, rent.log(), variance)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "monitor": "val_nll"},
        }


def rent_range() -> Program:
    data = housing.rents()
    module = RentRange(data.x.shape[1], data.y.log().mean().item())

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.nll([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 64), 14, score)


CASES = (
    Case("rents-in-euros-by-their-logarithm", Goal("relative error", at_most=0.12), rents),
    Case("adverts-transformer-hasty-labels", Goal("accuracy", at_least=0.8), advert_transformer),
    Case("furnished-photos-triplets-of-flats", Goal("nearest right", at_least=0.6), same_flat),
    Case("floor-plans-walls-by-soft-dice", Goal("dice", at_least=0.93), wall_segmenter),
    Case("house-meter-quantiles-six-hours-ahead", Goal("pinball", at_most=0.12), hours_ahead),
    Case("leaks-seldom-but-told", Goal("balanced accuracy", at_least=0.75), leak_detector),
    Case("rents-likely-range-negative-loss", Goal("nll", at_most=-0.6), rent_range),
)  # fmt: skip
