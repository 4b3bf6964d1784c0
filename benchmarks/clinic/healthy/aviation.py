"""Flights, engines, radar tracks and cockpit speech, as learners' notebooks train on them."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import aviation
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import BinaryModel
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


class Tracks(Dataset[dict[str, Tensor]]):
    """Tracks of which radar saw only a part; the rest is zeros."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x.clone(), y
        self.lengths = torch.randint(
            14, x.shape[1] + 1, y.shape, generator=torch.Generator().manual_seed(0)
        )
        for track, length in zip(self.x, self.lengths.tolist(), strict=True):
            track[length:] = 0

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"track": self.x[index], "length": self.lengths[index], "kind": self.y[index]}


class TrackClassifier(LightningModule):
    """A packed LSTM in both directions under one cycle of rates, its gradients clipped."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(3, 40, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(80, aviation.MANOEUVRES))

    def forward(self, track: Tensor, length: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            track, length, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.lstm(packed)
        logits: Tensor = self.head(torch.cat([last[0], last[1]], 1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["track"], batch["length"]), batch["kind"])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["track"], batch["length"])
        self.log("val_loss", F.cross_entropy(logits, batch["kind"]))
        self.log("val_acc", (logits.argmax(1) == batch["kind"]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.02, total_steps=self.hparams["steps"]
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def packed_tracks(epochs: int = 30) -> Program:
    data = aviation.tracks()
    train = DataLoader(Tracks(data.x, data.y), batch_size=32, shuffle=True)
    test = Tracks(data.x_test, data.y_test)
    module = TrackClassifier(epochs * len(train))

    def right() -> float:
        module.eval()
        with torch.no_grad():
            found = module(test.x, test.lengths).argmax(1)
        return float((found == test.y).float().mean())

    arguments = {"gradient_clip_val": 1.0}
    return Program(module, train, DataLoader(test, batch_size=64), epochs, right, arguments)


class SpeechCNN(LightningModule):
    """Blocks of convolutions with much dropout, smoothed labels, and strips that are blanked.

    The loss of the training stays above that of the validation throughout.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout2d(0.2),
            nn.Conv2d(24, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout2d(0.2), nn.Flatten(),
            nn.Linear(48 * 4 * 6, 96), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(96, aviation.COMMANDS),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def blanked(self, x: Tensor) -> Tensor:
        x = x.clone()
        low, start = int(torch.randint(12, ())), int(torch.randint(19, ()))
        x[:, :, low : low + 4] = 0
        x[:, :, :, start : start + 5] = 0
        return x

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self(self.blanked(x)), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def speech() -> Program:
    data, module = aviation.commands(), SpeechCNN()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class RemainingLife(LightningModule):
    """Convolutions over time whose output is a share of 125 cycles; the loss is in cycles."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(8, 32, 5), nn.ReLU(), nn.Conv1d(32, 32, 5, stride=2), nn.ReLU(), nn.Flatten()
        )
        self.output = nn.Sequential(nn.Linear(32 * 11, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        share: Tensor = torch.sigmoid(self.output(self.encoder(x.transpose(1, 2))))
        return 125 * share.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.l1_loss(self(x), y)
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        found = self(x)
        self.log("val_mae", F.l1_loss(found, y), prog_bar=True)
        self.log("val_rmse", F.mse_loss(found, y).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def remaining_life() -> Program:
    data, module = aviation.engines(), RemainingLife()
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class GroundTimes(LightningModule):
    """Quantiles of a target of which much is chance; the loss hardly falls after an epoch."""

    quantiles = (0.1, 0.5, 0.9)

    def __init__(self) -> None:
        super().__init__()
        self.carrier = nn.Embedding(aviation.CARRIERS, 6)
        self.airport = nn.Embedding(aviation.AIRPORTS, 10)
        self.hour = nn.Embedding(aviation.HOURS, 6)
        self.mlp = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(22, 64), nn.GELU(), nn.Linear(64, len(self.quantiles))
        )

    def forward(self, x: Tensor) -> Tensor:
        vectors = [self.carrier(x[:, 0]), self.airport(x[:, 1]), self.hour(x[:, 2])]
        found: Tensor = self.mlp(torch.cat(vectors, 1))
        return found

    def pinball(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        error = y[:, None] - self(x)
        levels = torch.tensor(self.quantiles)
        return torch.maximum(levels * error, (levels - 1) * error).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.02)


def ground_times() -> Program:
    data: Samples = aviation.turnarounds()
    module = GroundTimes()

    def median_r2() -> float:
        error = F.mse_loss(outputs(module, data.x_test)[:, 1], data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *loaders(data, 64), 10, median_r2)


class SlotGRU(LightningModule):
    """Two layers in both directions name each word's slot, which most have not."""

    def __init__(self, width: int = 48, warmup: int = 100) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.tokens = nn.Embedding(aviation.WORDS + 3, width)
        self.encoder = nn.GRU(
            width, width, num_layers=2, dropout=0.2, bidirectional=True, batch_first=True
        )
        self.classifier = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Dropout(0.2), nn.Linear(2 * width, aviation.SLOTS)
        )

    def forward(self, text: Tensor) -> Tensor:
        states, _ = self.encoder(self.tokens(text))
        logits: Tensor = self.classifier(states)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        text, slots = batch
        loss = F.cross_entropy(self(text).transpose(1, 2), slots)
        self.log("train/loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, slots = batch
        logits = self(text)
        self.log("val/loss", F.cross_entropy(logits.transpose(1, 2), slots))
        self.log("val/acc", (logits.argmax(-1) == slots).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.01)
        warmup = self.hparams["warmup"]
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def slots() -> Program:
    data, module = aviation.messages(), SlotGRU()

    def filled() -> float:
        """Share of the slots that are found."""
        found, true = outputs(module, data.x_test).argmax(-1), data.y_test
        return (found == true)[true > 0].float().mean().item()

    return Program(module, *loaders(data, 32), 20, filled)


class RunwayUNet(LightningModule):
    """Two levels and a bridge; cross-entropy and Dice of points of which few are runway."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = self.block(1, width)
        self.bottom = self.block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.merge = self.block(2 * width, width)
        self.last = nn.Conv2d(width, 1, 1)

    @staticmethod
    def block(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        high = self.down(image)
        low = self.bottom(F.max_pool2d(high, 2))
        logits: Tensor = self.last(self.merge(torch.cat([high, self.up(low)], 1)))
        return logits

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        share = torch.sigmoid(logits)
        dice = 1 - (2 * (share * mask).sum() + 1) / (share.sum() + mask.sum() + 1)
        return F.binary_cross_entropy_with_logits(logits, mask) + dice

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        loss = self.loss(self(image), mask)
        self.log("bce_dice", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, mask = batch
        self.log("val_bce_dice", self.loss(self(image), mask), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def runways() -> Program:
    data, module = aviation.airfields(), RunwayUNet()

    def overlap() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return ((found & true).sum() / (found | true).sum()).item()

    return Program(module, *loaders(data, 8), 12, overlap)


def bird_strikes() -> Program:
    """A sampler draws both classes alike often, the validation is as it comes."""
    data = aviation.strikes()
    net = nn.Sequential(
        nn.Linear(10, 64), nn.LeakyReLU(0.1), nn.Dropout(0.1), nn.Linear(64, 64),
        nn.LeakyReLU(0.1), nn.Linear(64, 1),
    )  # fmt: skip
    module = BinaryModel(net, partial(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True))
    weights = (1 / torch.bincount(data.y).float())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=64, sampler=sampler)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=256)
    return Program(module, train, test, 12, partial(balanced_accuracy, module, data))


class SensorVAE(LightningModule):
    """A variational autoencoder of 24 sensors; the weight of the divergence grows with time."""

    def __init__(self, warmup: int = 300) -> None:
        super().__init__()
        self.warmup = warmup
        self.encoder = nn.Sequential(nn.Linear(24, 96), nn.SiLU(), nn.Linear(96, 48), nn.SiLU())
        self.mu, self.logvar = nn.Linear(48, 8), nn.Linear(48, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 96), nn.SiLU(), nn.Linear(96, 24))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.mu(self.encoder(x)))
        return found

    def elbo(self, x: Tensor, beta: float) -> Tensor:
        hidden = self.encoder(x)
        mu, logvar = self.mu(hidden), self.logvar(hidden)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        error = (self.decoder(z) - x).square().sum(1)
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
        loss: Tensor = (error + beta * kl).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        beta = min(1.0, self.global_step / self.warmup) * 0.5
        loss = self.elbo(batch[0], beta)
        self.log_dict({"neg_elbo": loss, "beta": beta})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_neg_elbo", self.elbo(batch[0], 0.5), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def sensor_vae() -> Program:
    data, module = aviation.readings(), SensorVAE()
    return Program(module, *loaders(data, 64), 25, partial(r2, module, data))


CASES = (
    Case(
        "radar-tracks-packed-under-one-cycle", Goal("accuracy", at_least=0.85), packed_tracks
    ),
    Case("cockpit-words-dropped-and-blanked", Goal("accuracy", at_least=0.85), speech),
    Case("turbofans-error-counted-in-cycles", Goal("R2", at_least=0.75), remaining_life),
    Case("turnarounds-quantiles-mostly-chance", Goal("R2", at_least=0.3), ground_times),
    Case("tower-messages-slots-warmed-up", Goal("slots found", at_least=0.85), slots),
    Case("runways-few-points-by-dice", Goal("IoU", at_least=0.6), runways),
    Case("bird-strikes-drawn-alike-often", Goal("balanced accuracy", at_least=0.8), bird_strikes),
    Case("turbofans-divergence-warmed-up", Goal("R2", at_least=0.7), sensor_vae),
)  # fmt: skip
