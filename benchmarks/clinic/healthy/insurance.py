"""An insurer's models: noisy, imbalanced or partly frozen, and sound."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import insurance
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def correlation(module: LightningModule, data: Samples) -> float:
    """Between the outputs and what is to be measured on."""
    found = outputs(module, data.x_test).reshape(data.y_test.shape)
    return torch.corrcoef(torch.stack([found, data.y_test]))[0, 1].item()


class Frequency(LightningModule):
    """Claims by Poisson, the logarithm of the insured share of the year as an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.region = nn.Embedding(insurance.REGIONS, 4)
        self.make = nn.Embedding(insurance.MAKES, 4)
        self.mlp = nn.Sequential(
            nn.Linear(13, 48), nn.GELU(), nn.Dropout(0.1), nn.Linear(48, 24), nn.GELU(),
            nn.Linear(24, 1),
        )  # fmt: skip
        self.loss = nn.PoissonNLLLoss(log_input=True)

    def forward(self, x: Tensor) -> Tensor:
        """Logarithm of the rate for a full year."""
        codes = x[:, :2].long()
        parts = [self.region(codes[:, 0]), self.make(codes[:, 1]), x[:, 2:7]]
        out: Tensor = self.mlp(torch.cat(parts, 1))
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, claims = batch
        loss: Tensor = self.loss(self(x) + x[:, 7].log(), claims)
        self.log("train_poisson", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, rate = batch
        self.log("val_rate_mae", (self(x).exp() - rate).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=5e-2)


def frequency() -> Program:
    """Scored by the logarithms of the true rates."""
    data, module = insurance.policies(), Frequency()
    known = data._replace(y_test=data.y_test.log())
    return Program(module, *loaders(data, 64), 10, partial(correlation, module, known))


class FraudGru(LightningModule):
    """One logit; each of the few frauds weighs as much as thirty honest claims."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(6, 24, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(48, 1))
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        logit: Tensor = self.head(states.amax(1))
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1].float())
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_loss", self.criterion(logit, batch[1].float()))
        self.log("val_recall", (logit[batch[1] == 1] > 0).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)]


def area(module: LightningModule, data: Samples) -> float:
    return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))


def fraud() -> Program:
    data = insurance.histories()
    module = FraudGru(30.0)
    return Program(module, *loaders(data, 64), 6, partial(area, module, data))


class LetterTransformer(LightningModule):
    """Attention behind norms, a mask for the padding, warm-up, and smoothed labels."""

    def __init__(self, steps: int, width: int = 48) -> None:
        super().__init__()
        self.steps = steps
        self.embedding = nn.Embedding(300, width, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(30, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, dropout=0.2, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, 6)

    def forward(self, tokens: Tensor) -> Tensor:
        blank = tokens == 0
        hidden = self.encoder(self.embedding(tokens) + self.position, src_key_padding_mask=blank)
        words = (~blank)[..., None].float()
        logits: Tensor = self.fc(self.norm((hidden * words).sum(1) / words.sum(1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(-1) == batch[1]).float().mean())

    def factor(self, step: int) -> float:
        """Linear warm-up for a tenth of the steps, then half a cosine."""
        warm = self.steps // 10
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / (self.steps - warm)))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def requests() -> Program:
    data = insurance.letters()
    train, test = loaders(data, 32)
    module = LetterTransformer(12 * len(train))
    return Program(
        module, train, test, 12, partial(accuracy, module, data), {"gradient_clip_val": 1.0}
    )


def coded_photos(photos: Tensor) -> nn.Sequential:
    """The encoder of a convolutional autoencoder, trained before on photographs alone."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.ConvTranspose2d(32, 16, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(16, 1, 2, stride=2)
    )
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for _ in range(5):
        for (part,) in DataLoader(TensorDataset(photos), 50, shuffle=True):
            optimizer.zero_grad()
            loss: Any = F.mse_loss(decoder(encoder(part)), part)
            loss.backward()
            optimizer.step()
    return encoder


class DamageHead(LightningModule):
    """A frozen body, kept in evaluation mode, and a head for the kind of damage."""

    def __init__(self, backbone: nn.Sequential) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.head = nn.Sequential(
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
            nn.Dropout(0.3), nn.Linear(64, 4),
        )  # fmt: skip

    def train(self, mode: bool = True) -> "DamageHead":
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_ce", F.cross_entropy(logits, batch[1]))
        self.log("val_top1", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        wanted = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(wanted, lr=0.02, momentum=0.9, weight_decay=1e-4)


def kinds() -> Program:
    damages = insurance.damages().normalized()
    data = damages.samples(damages.kinds)
    module = DamageHead(coded_photos(data.x))
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Amount(LightningModule):
    """Mean and log-variance of the logarithm of an amount; its loss goes below no floor known."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(10, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU()
        )
        self.mean, self.log_var = nn.Linear(32, 1), nn.Linear(32, 1)

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x)
        return self.mean(hidden).squeeze(1), self.log_var(hidden).squeeze(1).clamp(-6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mean, log_var = self.both(batch[0])
        loss = F.gaussian_nll_loss(mean, batch[1], log_var.exp())
        self.log("train_nll", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=1e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.3)]


def severity() -> Program:
    data, module = insurance.amounts(), Amount()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


@dataclass
class Drives:
    """A batch of recorded drives."""

    signals: Tensor
    style: Tensor


def collate(rows: list[tuple[Tensor, Tensor]]) -> Drives:
    signals, style = zip(*rows, strict=True)
    return Drives(torch.stack(signals), torch.stack(style))


class StyleNet(LightningModule):
    """Convolutions over time, an LSTM behind them, and clipped gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(3, 24, 5, padding=2, bias=False), nn.BatchNorm1d(24), nn.ReLU(),
            nn.MaxPool1d(2), nn.Conv1d(24, 32, 5, padding=2, bias=False), nn.BatchNorm1d(32),
            nn.ReLU(),
        )  # fmt: skip
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.fc = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.conv(x.transpose(1, 2)).transpose(1, 2))
        logits: Tensor = self.fc(states.mean(1))
        return logits

    def training_step(self, batch: Drives, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.signals), batch.style)
        self.log("loss/train", loss, batch_size=len(batch.style))
        return loss

    def validation_step(self, batch: Drives, batch_idx: int) -> None:
        logits = self(batch.signals)
        size = len(batch.style)
        self.log("loss/val", F.cross_entropy(logits, batch.style), batch_size=size)
        self.log("acc/val", (logits.argmax(1) == batch.style).float().mean(), batch_size=size)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def styles() -> Program:
    data, module = insurance.drives(), StyleNet()
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    return Program(
        module, DataLoader(train, 32, shuffle=True, collate_fn=collate),
        DataLoader(test, 128, collate_fn=collate), 10, partial(accuracy, module, data),
        {"gradient_clip_val": 0.5},
    )  # fmt: skip


class PhotoVae(LightningModule):
    """A variational autoencoder; its loss is a sum over pixels, hence large."""

    def __init__(self, code: int = 12, warm: int = 150) -> None:
        super().__init__()
        self.warm = warm
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Flatten(),
        )  # fmt: skip
        self.to_code = nn.Linear(800, 2 * code)
        self.decoder = nn.Sequential(
            nn.Linear(code, 128), nn.LeakyReLU(0.1), nn.Linear(128, 800), nn.LeakyReLU(0.1),
            nn.Unflatten(1, (32, 5, 5)), nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1), nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Rebuilt from the means of the codes."""
        found: Tensor = self.decoder(self.to_code(self.encoder(x)).chunk(2, 1)[0])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        mean, log_var = self.to_code(self.encoder(x)).chunk(2, 1)
        code = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        rebuilt = F.mse_loss(self.decoder(code), x, reduction="sum") / (0.02 * len(x))
        divergence = 0.5 * (log_var.exp() + mean.square() - 1 - log_var).sum(1).mean()
        loss: Tensor = rebuilt + min(1.0, self.global_step / self.warm) * divergence
        self.log_dict({"elbo": loss, "rec": rebuilt, "kl": divergence})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rec", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def variational() -> Program:
    """Scored by the share of the pixels' variance that is rebuilt; some of it is noise."""
    damages = insurance.damages()
    data = damages.samples(damages.photos)
    module = PhotoVae()
    train = DataLoader(TensorDataset(data.x), 50, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test), 250)
    return Program(module, train, test, 25, partial(r2, module, data))


class Attrition(LightningModule):
    """The classifier of who leaves: each of seven columns is a token."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.region = nn.Embedding(insurance.REGIONS, width)
        self.make = nn.Embedding(insurance.MAKES, width)
        self.scale = nn.Parameter(torch.randn(5, width))
        self.shift = nn.Parameter(torch.zeros(5, width))
        self.start = nn.Parameter(0.1 * torch.randn(1, 1, width))
        layer = nn.TransformerEncoderLayer(width, 3, 48, dropout=0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        codes, numbers = x[:, :2].long(), x[:, 2:, None]
        named = torch.stack([self.region(codes[:, 0]), self.make(codes[:, 1])], 1)
        start = self.start.expand(len(x), -1, -1)
        tokens = torch.cat([start, named, numbers * self.scale + self.shift], 1)
        logits: Tensor = self.fc(self.blocks(tokens)[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def attrition() -> Program:
    data, module = insurance.lapses(), Attrition()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case("claims-a-year-with-an-offset", Goal("correlation", at_least=0.75), frequency),
    Case("histories-each-fraud-weighs-thirty", Goal("AUC", at_least=0.78), fraud),
    Case("letters-sorted-by-request-after-warm-up", Goal("accuracy", at_least=0.85), requests),
    Case("damages-told-by-a-frozen-encoder", Goal("accuracy", at_least=0.8), kinds),
    Case("amounts-with-their-own-variance", Goal("R2 of means", at_least=0.6), severity),
    Case("drives-filtered-before-an-lstm", Goal("accuracy", at_least=0.8), styles),
    Case("damages-coded-as-normal", Goal("R2", at_least=0.5), variational),
    Case("leavers-by-columns-as-tokens", Goal("accuracy", at_least=0.78), attrition),
)
