"""What a doctoral student, a field institute and a course train on quakes, and it works."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import seismology
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class VolcanoNet(LightningModule):
    """Four kinds of signals from spectrograms; one cycle of AdamW, and noise added by the step."""

    def __init__(self, max_lr: float = 4e-3, weight_decay: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(self.block(1, 12), self.block(12, 24), self.block(24, 32))
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(32, seismology.KINDS))

    @staticmethod
    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True), nn.MaxPool2d(2),
        )  # fmt: skip

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(spectrogram).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x + 0.1 * torch.randn_like(x)), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.hparams["max_lr"],
            weight_decay=self.hparams["weight_decay"],
        )  # fmt: skip
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["max_lr"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )  # fmt: skip
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def volcano() -> Program:
    data, module = seismology.volcano(), VolcanoNet()
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class Windows(Dataset[dict[str, Tensor]]):
    """Three components and the chances of noise, P and S, as a dictionary."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"X": self.x[index], "y": self.y[index]}


class Picker(LightningModule):
    """A small U of convolutions over three components; cross-entropy with soft labels."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.inc = self.conv(3, width, 1)
        self.down1, self.down2 = self.conv(width, 2 * width, 4), self.conv(2 * width, 4 * width, 4)
        self.up2 = nn.ConvTranspose1d(4 * width, 2 * width, 4, stride=4)
        self.conv2 = self.conv(4 * width, 2 * width, 1)
        self.up1 = nn.ConvTranspose1d(2 * width, width, 4, stride=4)
        self.conv1 = self.conv(2 * width, width, 1)
        self.out = nn.Conv1d(width, 3, 1)

    @staticmethod
    def conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv1d(inputs, outputs, 7, stride=stride, padding=3, bias=False),
            nn.BatchNorm1d(outputs), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        first = self.inc(x)
        second = self.down1(first)
        deep = self.up2(self.down2(second))
        deep = self.up1(self.conv2(torch.cat([second, deep], 1)))
        logits: Tensor = self.out(self.conv1(torch.cat([first, deep], 1)))
        return logits

    def shared_step(self, batch: dict[str, Tensor]) -> Tensor:
        log_chance: Tensor = self(batch["X"]).log_softmax(1)
        return -(batch["y"] * log_chance).sum(1).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.shared_step(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.shared_step(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def near_picks(module: LightningModule, x: Tensor, arrival: Tensor, within: int = 5) -> float:
    """Share of the P picks that are near an analyst's."""
    pick = outputs(module, x)[:, 1].argmax(1)
    return ((pick - arrival[:, 0]).abs() <= within).float().mean().item()


def picker() -> Program:
    data, arrival = seismology.events(2000)
    module = Picker()
    train = DataLoader(Windows(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Windows(data.x_test, data.y_test), 128)
    return Program(module, train, test, 10, partial(near_picks, module, data.x_test, arrival))


class GroundMotionModel(LightningModule):
    """The logarithm of the peak acceleration by two layers of tanh, as engineers publish them."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(8, 24), nn.Linear(24, 12)
        self.output = nn.Linear(12, 1)

    def forward(self, scenario: Tensor) -> Tensor:
        ln_pga: Tensor = self.output(self.hidden2(self.hidden1(scenario).tanh()).tanh())
        return ln_pga.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        scenario, ln_pga = batch
        residual = ln_pga - self(scenario)
        self.log("sigma_train", residual.std())
        loss: Tensor = residual.square().mean()
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        residual = batch[1] - self(batch[0])
        self.log("val_mse", residual.square().mean())
        self.log("val_bias", residual.mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=1e-5)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3, factor=0.3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_mse"},
        }


def shaking() -> Program:
    data, module = seismology.shaking(6000), GroundMotionModel()
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class PolarityNet(LightningModule):
    """Up or down, by SGD with momentum on a cosine; half of the traces are turned over."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 9, padding=4), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Dropout(0.4), nn.Linear(24 * 16, 2),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    def forward(self, trace: Tensor) -> Tensor:
        logits: Tensor = self.net(trace)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        trace, up = batch
        turned = torch.rand(len(up), device=up.device) < 0.5
        trace = torch.where(turned[:, None, None], -trace, trace)
        loss: Tensor = self.criterion(self(trace), torch.where(turned, 1 - up, up))
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/valid", self.criterion(logits, batch[1]))
        self.log("acc/valid", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(
            self.parameters(), 0.02, momentum=0.9, weight_decay=1e-3, nesterov=True
        )
        return [sgd], [torch.optim.lr_scheduler.CosineAnnealingLR(sgd, self.epochs)]


def polarity() -> Program:
    data, module = seismology.first_motions(5200), PolarityNet(10)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class SensorHealth(LightningModule):
    """Five faults that may come together; rare ones weigh more."""

    def __init__(self, pos_weight: Tensor) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3), nn.GroupNorm(4, 16), nn.SiLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2), nn.GroupNorm(4, 32), nn.SiLU(),
            nn.Conv1d(32, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, len(seismology.FAULTS))
        self.loss = nn.BCEWithLogitsLoss(pos_weight=pos_weight)

    def forward(self, hour: Tensor) -> Tensor:
        maps = self.encoder(hour)
        logits: Tensor = self.head(torch.cat([maps.mean(2), maps.amax(2)], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss: Tensor = self.loss(self(batch[0]), batch[1])
        self.log("train_bce", loss, on_epoch=True, on_step=False)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_bce", self.loss(logits, batch[1]))
        for i, fault in enumerate(seismology.FAULTS):
            right = (logits[:, i] > 0) == (batch[1][:, i] > 0.5)
            self.log(f"val_acc_{fault}", right.float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def macro_f1(module: LightningModule, data: Samples) -> float:
    found, real = outputs(module, data.x_test) > 0, data.y_test > 0.5
    both = (found & real).sum(0)
    return (2 * both / (found.sum(0) + real.sum(0)).clamp(min=1)).mean().item()


def sensor_health() -> Program:
    data = seismology.recorders(4200)
    share = data.y.mean(0)
    module = SensorHealth(((1 - share) / share).sqrt())
    return Program(module, *loaders(data, 64), 14, partial(macro_f1, module, data))


class RepeaterNet(LightningModule):
    """Vectors of unit length, by triplets of the hardest in each batch."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin
        self.trunk = nn.Sequential(
            nn.Conv1d(1, 24, 9, stride=2, padding=4), nn.BatchNorm1d(24), nn.ReLU(),
            nn.Conv1d(24, 32, 7, stride=2, padding=3), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 24, 32),
        )  # fmt: skip

    def forward(self, waveform: Tensor) -> Tensor:
        return F.normalize(self.trunk(waveform), dim=1)

    def triplet(self, batch: list[Tensor]) -> Tensor:
        waveform, family = batch
        z = self(waveform)
        alike = z @ z.T
        same = family[:, None] == family
        farthest = alike.masked_fill(~same, 2.0).amin(1)
        others = alike.masked_fill(same, 0.0).exp().mul(~same).sum(1) / (~same).sum(1).clamp(min=1)
        return F.softplus((others.log() - farthest + self.margin) / 0.2).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.triplet(batch)
        self.log("triplet_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


@torch.no_grad()
def nearest_family(module: LightningModule, data: Samples) -> float:
    """How often the most alike of the others is of the same family, among unseen families."""
    z = outputs(module, data.x_test)
    nearest = (z @ z.T).fill_diagonal_(-2).argmax(1)
    return (data.y_test[nearest] == data.y_test).float().mean().item()


def repeaters() -> Program:
    data, module = seismology.repeaters(120), RepeaterNet()
    train = DataLoader(TensorDataset(data.x, data.y), 128, shuffle=True, drop_last=True)
    return Program(module, train, None, 18, partial(nearest_family, module, data))


class ArrayTransformer(LightningModule):
    """Where a wave comes from: attention among the stations that ran, and an angle's vector."""

    def __init__(self, d_model: int = 32, warmup_steps: int = 60) -> None:
        super().__init__()
        self.warmup_steps = warmup_steps
        self.embed = nn.Linear(3, d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, 4, 64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, 2))

    def forward(self, stations: Tensor) -> Tensor:
        runs = stations[..., 3:]
        tokens = self.encoder(self.embed(stations[..., :3]), src_key_padding_mask=runs[..., 0] == 0)
        pooled = (tokens * runs).sum(1) / runs.sum(1)
        direction: Tensor = self.head(pooled)
        return direction

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/loss", F.mse_loss(found, batch[1]), prog_bar=True)
        cosine = F.cosine_similarity(found, batch[1]).clamp(-1, 1)
        self.log("val/degrees", cosine.acos().rad2deg().mean())

    def rate(self, step: int) -> float:
        total = int(self.trainer.estimated_stepping_batches)
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return 0.5 * (1 + math.cos(math.pi * step / total)) + 0.01

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def degrees(module: LightningModule, data: Samples) -> float:
    cosine = F.cosine_similarity(outputs(module, data.x_test), data.y_test).clamp(-1, 1)
    return cosine.acos().rad2deg().mean().item()


def back_azimuth() -> Program:
    data, module = seismology.arrays(), ArrayTransformer()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 12, partial(degrees, module, data), trainer)


@dataclass
class Curves:
    """Phase speeds and, below the same sites, shear speeds."""

    phase: Tensor
    shear: Tensor


def gathered(rows: list[tuple[Tensor, Tensor]]) -> Curves:
    return Curves(*map(torch.stack, zip(*rows, strict=True)))


class Inversion(LightningModule):
    """Six shear speeds from a curve, by layers with norms and GELU; Huber's loss."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(20, width), nn.LayerNorm(width), nn.GELU(),
            nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(),
            nn.Linear(width, 6),
        )  # fmt: skip

    def forward(self, phase: Tensor) -> Tensor:
        shear: Tensor = self.net(phase)
        return shear

    def training_step(self, batch: Curves, batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch.phase), batch.shear)
        self.log("huber", loss, batch_size=len(batch.phase))
        return loss

    def validation_step(self, batch: Curves, batch_idx: int) -> None:
        found = self(batch.phase)
        count = len(batch.phase)
        self.log("val_huber", F.smooth_l1_loss(found, batch.shear), batch_size=count)
        self.log("val_rmse", F.mse_loss(found, batch.shear).sqrt(), batch_size=count)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def inversion() -> Program:
    data, module = seismology.dispersion(), Inversion()
    train, test = (
        DataLoader(TensorDataset(data.x, data.y), 32, shuffle=True, collate_fn=gathered),
        DataLoader(TensorDataset(data.x_test, data.y_test), 256, collate_fn=gathered),
    )
    return Program(module, train, test, 16, partial(r2, module, data))


class AftershockRate(LightningModule):
    """The logarithm of the rate of a Poisson count; nobody set days aside."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1)
        )
        self.nll = nn.PoissonNLLLoss()

    def forward(self, x: Tensor) -> Tensor:
        log_rate: Tensor = self.layers(x)
        return log_rate.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, quakes = batch
        loss: Tensor = self.nll(self(x), quakes)
        self.log("poisson_nll", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def deviance_explained(module: LightningModule, data: Samples) -> float:
    """Of counts: what is left of the deviance of their mean, and how much of it is gone."""
    rate, y = outputs(module, data.x_test).exp(), data.y_test

    def deviance(rate: Tensor) -> Tensor:
        return (torch.xlogy(y, y / rate) - (y - rate)).sum()

    return (1 - deviance(rate) / deviance(data.y.mean().expand_as(y))).item()


def aftershock_rate() -> Program:
    data, module = seismology.swarms(6000), AftershockRate()
    score = partial(deviance_explained, module, data)
    return Program(module, loaders(data, 50)[0], None, 15, score)


class NoiseCoder(LightningModule):
    """Spectra of noise through six numbers and back."""

    def __init__(self, code: int = 6) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(48, 64), nn.ELU(), nn.Linear(64, code))
        self.decode = nn.Sequential(nn.Linear(code, 64), nn.ELU(), nn.Linear(64, 48))

    def forward(self, spectrum: Tensor) -> Tensor:
        rebuilt: Tensor = self.decode(self.encode(spectrum))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        spectrum = batch[0]
        loss = F.mse_loss(self(spectrum), spectrum)
        self.log("recon", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_recon", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters())


def noise_levels() -> Program:
    data, module = seismology.noise_levels(4500), NoiseCoder()

    def score() -> float:
        return 1 - F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, *loaders(data, 32), 15, score)


class TiltForecaster(LightningModule):
    """The tilt's change in the next six hours by a GRU over three days."""

    def __init__(self, hidden_size: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.rnn = nn.GRU(2, hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, 6)

    def forward(self, past: Tensor) -> Tensor:
        states, _ = self.rnn(past)
        change: Tensor = self.linear(states[:, -1])
        return change

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.4)]


def tilt() -> Program:
    data, module = seismology.tilt(), TiltForecaster()
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data), trainer)


class FeltReports(LightningModule):
    """Intensity from words, as four questions whether it was above: one slope, four thresholds."""

    def __init__(self, dim: int = 24) -> None:
        super().__init__()
        self.words = nn.Embedding(seismology.WORDS, dim, padding_idx=0)
        self.attend = nn.Linear(dim, 1)
        self.mlp = nn.Sequential(nn.Dropout(0.3), nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 1))
        self.thresholds = nn.Parameter(torch.tensor([-1.5, -0.5, 0.5, 1.5]))

    def forward(self, words: Tensor) -> Tensor:
        vectors = self.words(words)
        weights = self.attend(vectors).masked_fill(words[..., None] == 0, -1e9).softmax(1)
        slope = self.mlp((weights * vectors).sum(1))
        above: Tensor = 3 * slope - self.thresholds
        return above

    def ordinal(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        words, intensity = batch
        above = self(words)
        target = (intensity[:, None] > torch.arange(4, device=words.device)).float()
        error = ((above > 0).sum(1) - intensity).abs().float().mean()
        return F.binary_cross_entropy_with_logits(above, target), error

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, error = self.ordinal(batch)
        self.log_dict({"train_loss": loss, "train_error": error})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, error = self.ordinal(batch)
        self.log_dict({"val_loss": loss, "val_error": error}, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)


def felt_reports() -> Program:
    data, module = seismology.reports(4200), FeltReports()

    def score() -> float:
        found = (outputs(module, data.x_test) > 0).sum(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), 10, score)


class Assignment4(LightningModule):
    """The course's fourth assignment: digits by two convolutions, plain SGD, four small batches."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(32 * 4, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.nll_loss(self(images), labels)
        self.log("Loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        log_chance = self(images)
        self.log("Loss/test", F.nll_loss(log_chance, labels))
        self.log("Accuracy/test", (log_chance.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.8)


def assignment() -> Program:
    data = digit_images()
    module = Assignment4()
    trainer = {"accumulate_grad_batches": 4}
    return Program(module, *loaders(data, 16), 14, partial(accuracy, module, data), trainer)


class InspectionOrder(LightningModule):
    """Which building to inspect first: the one of a pair with more damage shall score higher."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = nn.Sequential(
            nn.Linear(10, 32), nn.LeakyReLU(0.1), nn.Linear(32, 16), nn.LeakyReLU(0.1),
            nn.Linear(16, 1, bias=False),
        )  # fmt: skip

    def forward(self, building: Tensor) -> Tensor:
        score: Tensor = self.scorer(building)
        return score.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        one, other, worse = batch
        logit = self(one) - self(other)
        loss = F.binary_cross_entropy_with_logits(logit, worse)
        self.log("pair_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0]) - self(batch[1])
        self.log("val_pair_loss", F.binary_cross_entropy_with_logits(logit, batch[2]))
        self.log("val_pair_accuracy", ((logit > 0) == (batch[2] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def pairs(x: Tensor, y: Tensor, count: int, seed: int) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(len(y), (2, count), generator=generator)
    return TensorDataset(x[a], x[b], (y[a] > y[b]).float())


def inspection() -> Program:
    data, module = seismology.buildings(2500), InspectionOrder()
    train = DataLoader(pairs(data.x, data.y, 9000, 1), 64, shuffle=True)
    test = DataLoader(pairs(data.x_test, data.y_test, 2000, 2), 500)

    def score() -> float:
        """Share of all pairs in the right order."""
        found, y = outputs(module, data.x_test), data.y_test
        above = y[:, None] > y
        return (found[:, None] > found)[above].float().mean().item()

    return Program(module, train, test, 10, score)


CASES = (
    Case("volcano-signals-from-spectrograms", Goal("accuracy", at_least=0.85), volcano),
    Case("arrivals-of-p-and-s-by-soft-labels", Goal("near picks", at_least=0.85), picker),
    Case("ground-shaking-two-layers-of-tanh", Goal("R2", at_least=0.8), shaking),
    Case("first-motions-turned-with-their-labels", Goal("accuracy", at_least=0.85), polarity),
    Case("seismometers-five-faults-at-once", Goal("macro F1", at_least=0.8), sensor_health),
    Case("repeating-quakes-told-by-triplets", Goal("recall at 1", at_least=0.8), repeaters),
    Case("azimuths-by-attention-among-stations", Goal("degrees", at_most=12), back_azimuth),
    Case("shear-speeds-from-surface-waves", Goal("R2", at_least=0.8), inversion),
    Case("aftershocks-counted-by-day-and-cell", Goal("deviance", at_least=0.7), aftershock_rate),
    Case("station-noise-through-six-numbers", Goal("R2", at_least=0.75), noise_levels),
    Case("borehole-tilt-six-hours-ahead", Goal("R2", at_least=0.7), tilt),
    Case("felt-reports-four-thresholds", Goal("error", at_most=0.6), felt_reports),
    Case("assignment-four-batches-to-a-step", Goal("accuracy", at_least=0.95), assignment),
    Case("buildings-to-inspect-in-pairs", Goal("right pairs", at_least=0.8), inspection),
)
