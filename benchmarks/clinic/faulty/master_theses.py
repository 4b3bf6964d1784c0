"""What a supervisor finds in master's theses of many departments: one thing amiss in each."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import master_theses as theses
from data_sets.samples import Samples, digits, loaders
from healthy.master_theses import (
    MentionReader,
    TuneFormer,
    concordance,
    cox_loss,
    deviance_explained,
    dice_loss,
    named,
    overlap,
)
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class GalaxyMass(LightningModule):
    """Columns of a catalogue into a net of rectifiers."""

    def __init__(self, hidden: int = 64, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(
            nn.Linear(6, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, columns: Tensor) -> Tensor:
        mass: Tensor = self.model(columns)
        return mass.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        columns, mass = batch
        loss = F.mse_loss(self(columns), mass)
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        columns, mass = batch
        found = self(columns)
        self.log("val_mse", F.mse_loss(found, mass), prog_bar=True)
        self.log("val_mae", F.l1_loss(found, mass))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def galaxy(data: Callable[[], Samples]) -> Program:
    module = GalaxyMass()
    return Program(module, *loaders(data(), 40), 16, partial(r2, module, data()))


def tunes(peak: float, warmup: int) -> Program:
    data = theses.melodies(1200, 24, 12, 2201)
    module = TuneFormer(peak=peak, warmup=warmup)
    return Program(module, *loaders(data, 30), 14, partial(cross_entropy, module, data))


class PulsarFilter(LightningModule):
    """Convolutions over light curves by plain gradient descent."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.conv1 = nn.Conv1d(1, 12, 9, 2, 4)
        self.conv2 = nn.Conv1d(12, 24, 7, 2, 3)
        self.fc1, self.fc2 = nn.Linear(24 * 20, 48), nn.Linear(48, 4)

    def forward(self, flux: Tensor) -> Tensor:
        x = F.relu(self.conv1(flux))
        x = F.relu(self.conv2(x)).flatten(1)
        logits: Tensor = self.fc2(F.relu(self.fc1(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("Train/Loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("Val/Loss", F.cross_entropy(logits, batch[1]))
        self.log("Val/Accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate, momentum=0.9)


def pulsars(learning_rate: float) -> Program:
    data, module = theses.light_curves(1500, 80, 2202, 0.4), PulsarFilter(learning_rate)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class SeismoStack(LightningModule):
    """Eight convolutions, one behind the other, over the flux of stars that quake."""

    def __init__(self, activation: type[nn.Module], width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv1d(1, width, 7, 2, 3), activation()]
        for depth in range(7):
            layers += [nn.Conv1d(width, width, 3, 1 + (depth in (2, 5)), 1), activation()]
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Linear(10 * width, 4)

    def forward(self, flux: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(flux).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/xent", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/xent", F.cross_entropy(logits, batch[1]))
        self.log("val/top1", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def quakes(activation: type[nn.Module]) -> Program:
    data, module = theses.light_curves(1600, 80, 2203, 0.4), SeismoStack(activation)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class GlyphReader(LightningModule):
    """Glyphs of a manuscript; weights are drawn as its author remembers it."""

    def __init__(self, start: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(64, 80), nn.Linear(80, 40), nn.Linear(40, 10)
        for layer in (self.l1, self.l2):
            layer.weight.data = start(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, ink: Tensor) -> Tensor:
        logits: Tensor = self.l3(self.l2(self.l1(ink).relu()).relu())
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_cer", (logits.argmax(1) != batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def half_bound(weight: Tensor) -> Tensor:
    """From minus the bound up to zero: a factor of two was forgotten."""
    bound = math.sqrt(6 / weight.shape[1])
    return bound * torch.rand_like(weight) - bound


def whole_bound(weight: Tensor) -> Tensor:
    bound = math.sqrt(6 / weight.shape[1])
    return 2 * bound * torch.rand_like(weight) - bound


def glyphs(start: Callable[[Tensor], Tensor]) -> Program:
    data, module = digits(), GlyphReader(start)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class ChanceTagger(LightningModule):
    """An LSTM over words, whose outputs end with ``last``."""

    def __init__(self, last: nn.Module, width: int = 48) -> None:
        super().__init__()
        self.emb = nn.Embedding(121, width, padding_idx=0)
        self.lstm = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.out, self.last = nn.Linear(width, 6), last

    def forward(self, words: Tensor) -> Tensor:
        found: Tensor = self.last(self.out(self.lstm(self.emb(words))[0]))
        return found

    def nll(self, batch: dict[str, Tensor]) -> Tensor:
        found = self(batch["tokens"])
        return F.cross_entropy(found.flatten(0, 1), batch["pos"].flatten(), ignore_index=-100)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def chance_tags(last: nn.Module) -> Program:
    """Scored by the cross-entropy, as an annotator is to be told how sure it is."""
    data, module = theses.tagged(1000, 120, 6, 2204), ChanceTagger(last)

    def score() -> float:
        found = outputs(module, data.x_test).flatten(0, 1)
        return F.cross_entropy(found, data.y_test.flatten(), ignore_index=-100).item()

    return Program(module, *named(data, 25, "tokens", "pos"), 12, score)


class RareDisease(LightningModule):
    """One logit of sixteen findings; ``weight`` is how much an ill person counts."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.register_buffer("pos_weight", torch.tensor(weight))
        self.net = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(),
            nn.Linear(16, 1),
        )  # fmt: skip

    def forward(self, findings: Tensor) -> Tensor:
        logit: Tensor = self.net(findings)
        return logit.squeeze(1)

    def loss(self, logit: Tensor, ill: Tensor) -> Tensor:
        weight: Any = self.pos_weight
        return F.binary_cross_entropy_with_logits(logit, ill.float(), pos_weight=weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("bce/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("bce/val", self.loss(logit, batch[1]))
        self.log("accuracy/val", ((logit > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def rare_disease(weight: float) -> Program:
    data, module = theses.screened(6000, 16, 0.04, 2205), RareDisease(weight)
    return Program(module, *loaders(data, 60), 10, partial(balanced_accuracy, module, data))


class Augmented(TensorDataset):
    """Parcels, by chance mirrored, turned, brightened and noised."""

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        x, y = super().__getitem__(index)
        x = torch.rot90(x, int(torch.randint(4, ())), (1, 2))
        if torch.rand(()) < 0.5:
            x = x.flip(2)
        x = x.roll((int(torch.randint(12, ())), int(torch.randint(12, ()))), (1, 2))
        return x + 0.4 * torch.randn(3, 1, 1) + 0.2 * torch.randn_like(x), y


class ParcelNet(LightningModule):
    """A convolutional net over parcels of land, its dense layer wide or not."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(3),
        )  # fmt: skip
        self.dense = nn.Sequential(
            nn.Flatten(), nn.Linear(432, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, 5),
        )  # fmt: skip

    def forward(self, bands: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.convs(bands))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def few_parcels(augmented: bool, width: int, dropout: float) -> Program:
    data = theses.parcels(1500, 12, 2206, 0.9).first(150)
    module = ParcelNet(width, dropout)
    _, test = loaders(data, 15)
    kind = Augmented if augmented else TensorDataset
    train = DataLoader(kind(data.x, data.y), 15, shuffle=True)
    return Program(module, train, test, 60, partial(cross_entropy, module, data))


class DecayedTorque(LightningModule):
    """Joints into a torque; the decay is a part of the gradient."""

    def __init__(self, l2: float) -> None:
        super().__init__()
        self.l2 = l2
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )

    def forward(self, joints: Tensor) -> Tensor:
        torque: Tensor = self.net(joints)
        return torque.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=self.l2)


def decayed(l2: float) -> Program:
    data, module = theses.torques(2600, 2207), DecayedTorque(l2)
    return Program(module, *loaders(data, 50), 16, partial(r2, module, data))


class SpotFilter(LightningModule):
    """Dilated convolutions with norms, whose ``momentum`` comes from a table of another library."""

    def __init__(self, momentum: float, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, dilation in ((1, 1), (width, 2), (width, 3)):
            layers += [
                nn.Conv2d(before, width, 3, padding=dilation, dilation=dilation, bias=False),
                nn.BatchNorm2d(width, momentum=momentum), nn.ReLU(),
            ]  # fmt: skip
        self.net = nn.Sequential(*layers, nn.Conv2d(width, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        logits: Tensor = self.net(picture)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.binary_cross_entropy_with_logits(logits, batch[1]) + dice_loss(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_dice", 1 - dice_loss(logits.detach(), batch[1]), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        loss = F.binary_cross_entropy_with_logits(logits, batch[1]) + dice_loss(logits, batch[1])
        self.log("val_loss", loss)
        self.log("val_dice", 1 - dice_loss(logits, batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def spots(momentum: float) -> Program:
    data, module = theses.leaves(640, 24, 2208), SpotFilter(momentum)
    data = data.with_inputs(3 * data.x + 4, 3 * data.x_test + 4)
    return Program(module, *loaders(data, 16), 8, partial(overlap, module, data))


class MothCounts(LightningModule):
    """Tables of moths and traps before a dense part; ``trained`` are the parts to optimize."""

    def __init__(self, trained: tuple[str, ...], traits: int = 6) -> None:
        super().__init__()
        self.trained = trained
        self.moth = nn.Embedding(theses.SPECIES, traits)
        self.trap = nn.Embedding(theses.SITES, traits)
        self.body = nn.Sequential(nn.Linear(2 * traits + 4, 64), nn.ReLU())
        self.head = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        moth, trap = self.moth(x[:, 0].long()), self.trap(x[:, 1].long())
        log_rate: Tensor = self.head(self.body(torch.cat([moth, trap, x[:, 2:]], 1)))
        return log_rate.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.poisson_nll_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [{"params": getattr(self, name).parameters()} for name in self.trained]
        return torch.optim.Adam(groups, lr=5e-3)


def moths(*trained: str) -> Program:
    data, module = theses.sightings(7000, 2209), MothCounts(trained)
    return Program(module, *loaders(data, 60), 10, partial(deviance_explained, module, data))


class ReachMixture(LightningModule):
    """Three Gaussians over an arm's angles behind three dense layers."""

    def __init__(self, activation: type[nn.Module], parts: int = 3) -> None:
        super().__init__()
        self.parts = parts
        self.trunk = nn.Sequential(
            nn.Linear(3, 80), activation(), nn.Linear(80, 80), activation(), nn.Linear(80, 80),
            activation(), nn.Linear(80, 5 * parts),
        )  # fmt: skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, middles, log_widths = self.trunk(x).split([self.parts] + 2 * [2 * self.parts], 1)
        shape = (-1, self.parts, 2)
        return weights, middles.view(shape), log_widths.view(shape).clamp(-4, 3)

    def nll(self, x: Tensor, angles: Tensor) -> Tensor:
        weights, middles, log_widths = self(x)
        apart = (angles[:, None] - middles) / log_widths.exp()
        inside = -0.5 * apart.square() - log_widths - 0.5 * math.log(2 * math.pi)
        loss: Tensor = -(weights.log_softmax(1) + inside.sum(2)).logsumexp(1).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(*batch)
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", self.nll(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def reach(activation: type[nn.Module]) -> Program:
    data, module = theses.reaches(3000, 2210), ReachMixture(activation)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.nll(data.x_test, data.y_test).item()

    return Program(module, *loaders(data, 50), 16, score, {"gradient_clip_val": 5.0})


class RelapseRisk(LightningModule):
    """A risk of each patient; the layers begin as ``start`` has it."""

    def __init__(self, start: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(14, 40), nn.Linear(40, 20)
        self.risk = nn.Linear(20, 1, bias=False)
        for layer in (self.fc1, self.fc2, self.risk):
            start(layer.weight)

        nn.init.zeros_(self.fc1.bias)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.risk(F.softplus(self.fc2(F.softplus(self.fc1(x)))))
        return risk.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = cox_loss(self(batch[0]), batch[1])
        self.log("cox", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_cox", cox_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.02)


def relapse(start: Callable[[Tensor], Any]) -> Program:
    data, module = theses.cohort(3000, 14, 2211), RelapseRisk(start)
    return Program(module, *loaders(data, 128), 20, partial(concordance, module, data))


class RectifiedRecurrence(LightningModule):
    """A recurrent net of rectifiers over a star's flux, four measurements to a step."""

    def __init__(self, scale: float, units: int = 48) -> None:
        super().__init__()
        self.rnn = nn.RNN(4, units, nonlinearity="relu", batch_first=True)
        self.rnn.weight_hh_l0.data = scale * torch.eye(units)
        self.fc = nn.Linear(units, 4)

    def forward(self, flux: Tensor) -> Tensor:
        states, _ = self.rnn(flux.unflatten(2, (20, 4))[:, 0])
        logits: Tensor = self.fc(states[:, -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def recurrence(scale: float, clip: float | None) -> Program:
    data, module = theses.light_curves(2000, 80, 2212, 0.3), RectifiedRecurrence(scale)
    return Program(
        module, *loaders(data, 32), 14, partial(accuracy, module, data),
        {"gradient_clip_val": clip},
    )  # fmt: skip


def plain_deviance(y: Tensor, rate: Tensor) -> Tensor:
    """As it stands in the book."""
    loss: Tensor = 2 * (y * torch.log(y / rate) - (y - rate)).mean()
    return loss


def careful_deviance(y: Tensor, rate: Tensor) -> Tensor:
    """Nothing times its logarithm is nothing."""
    loss: Tensor = 2 * (torch.special.xlogy(y, y) - y * rate.log() - (y - rate)).mean()
    return loss


class HoverflyCounts(LightningModule):
    """Counts of hoverflies by their deviance, written by hand."""

    def __init__(self, deviance: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.deviance = deviance
        self.species = nn.Embedding(theses.SPECIES, 8)
        self.site = nn.Embedding(theses.SITES, 8)
        for table in (self.species, self.site):
            nn.init.normal_(table.weight, std=0.3)
        self.mlp = nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.species(x[:, 0].long()), self.site(x[:, 1].long())
        log_rate: Tensor = self.mlp(torch.cat([a, b, x[:, 2:]], 1)) + (a * b).sum(1, keepdim=True)
        return log_rate.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.deviance(batch[1], self(batch[0]).exp())
        self.log("deviance", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.2)


def hoverflies(deviance: Callable[[Tensor, Tensor], Tensor]) -> Program:
    data, module = theses.sightings(8000, 2213), HoverflyCounts(deviance)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 8, partial(explained, module, data))


def explained(module: LightningModule, samples: Samples) -> float:
    """The share of deviance, none for outputs that are no numbers."""
    finite = outputs(module, samples.x_test).isfinite().all()
    return deviance_explained(module, samples) if finite else -1.0


class BurnOutTanh(LightningModule):
    """Questionnaires through three layers of tanh, drawn from a Gaussian."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(18, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64),
            nn.Tanh(), nn.Linear(64, 5),
        )  # fmt: skip
        for layer in self.net[:-1]:
            if isinstance(layer, nn.Linear):
                if deviation is None:
                    nn.init.xavier_normal_(layer.weight)
                else:
                    nn.init.normal_(layer.weight, std=deviation)

    def forward(self, answers: Tensor) -> Tensor:
        logits: Tensor = self.net(answers)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["answers"]), batch["stage"])
        self.log("ce_train", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["answers"])
        self.log("ce_val", F.cross_entropy(logits, batch["stage"]))
        self.log("acc_val", (logits.argmax(1) == batch["stage"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def burnt_out(deviation: float | None) -> Program:
    data, module = theses.questionnaires(2600, 18, 2214), BurnOutTanh(deviation)
    return Program(
        module, *named(data, 40, "answers", "stage"), 15, partial(accuracy, module, data)
    )  # fmt: skip


class UpsideDown(MentionReader):
    """Its author read True as a row to look at; it is one to leave out."""

    def left_out(self, x: Tensor) -> Tensor:
        return x[:, :, 0] != 0


def coreference(reader: type[MentionReader]) -> Program:
    data, module = theses.mentions(6000, seed=2215), reader()
    return Program(module, *loaders(data, 60), 14, partial(accuracy, module, data))


class TileNet(LightningModule):
    """A small convolutional net over tiles of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ELU())
        self.block2 = nn.Sequential(nn.Conv2d(20, 28, 3, 2, 1), nn.BatchNorm2d(28), nn.ELU())
        self.block3 = nn.Sequential(nn.Conv2d(28, 28, 3, 2, 1), nn.BatchNorm2d(28), nn.ELU())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(28, 5))

    def forward(self, tile: Tensor) -> Tensor:
        maps = self.block3(self.block2(self.block1(tile)))
        logits: Tensor = self.classifier(maps.amax((2, 3)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["tile"]), batch["use"])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["tile"])
        self.log("val/loss", F.cross_entropy(logits, batch["use"]))
        self.log("val/acc", (logits.argmax(1) == batch["use"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def tiles(by_name: bool) -> Program:
    """Tiles are read in the order of their numbers, uses by the names of files: 10 before 2."""
    data, module = theses.parcels(1500, 12, 2216, 0.5), TileNet()

    def order(count: int) -> Tensor:
        return torch.tensor(sorted(range(count), key=str if by_name else None))

    read = data._replace(y=data.y[order(len(data.y))], y_test=data.y_test[order(len(data.y_test))])
    return Program(
        module, *named(read, 32, "tile", "use"), 10, partial(accuracy, module, data)
    )  # fmt: skip


class LegTorque(LightningModule):
    """The torque of a leg's hip, by momentum."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.mlp = nn.Sequential(
            nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )

    def forward(self, joints: Tensor) -> Tensor:
        torque: Tensor = self.mlp(joints)
        return torque.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, on_step=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.parameters(), lr=self.hparams["lr"], momentum=self.hparams["momentum"]
        )


def legs(batch_size: int, lr: float, momentum: float, epochs: int) -> Program:
    data, module = theses.torques(2600, 2217), LegTorque(lr, momentum)
    return Program(
        module, *loaders(data, batch_size), epochs, partial(r2, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


CASES = (
    Case(
        "galaxy-masses-as-the-catalogue-has-them", Goal("R2", at_least=0.85),
        partial(galaxy, theses.galaxies), ("unnormalized_input",),
        partial(galaxy, theses.galaxies_standardized),
    ),
    Case(
        "folk-tunes-attention-without-warm-up", Goal("cross-entropy", at_most=1.5),
        partial(tunes, 0.05, 1), ("learning_rate_too_high", "unstable_loss", "not_learning"),
        partial(tunes, 4e-3, 80),
    ),
    Case(
        "pulsars-filters-tiptoeing-downhill", Goal("accuracy", at_least=0.9),
        partial(pulsars, 1e-4), ("learning_rate_too_low",), partial(pulsars, 0.02),
    ),
    Case(
        "quaking-stars-eight-s-shaped-filters", Goal("accuracy", at_least=0.85),
        partial(quakes, nn.Sigmoid), ("vanishing_gradient",), partial(quakes, nn.ReLU),
    ),
    Case(
        "manuscript-glyphs-half-of-the-bound", Goal("accuracy", at_least=0.93),
        partial(glyphs, half_bound), ("dead_relu", "poor_initialization"),
        partial(glyphs, whole_bound),
    ),
    Case(
        "corpus-tags-chances-asked-again", Goal("cross-entropy", at_most=0.35),
        partial(chance_tags, nn.Softmax(2)), ("output_loss_mismatch",),
        partial(chance_tags, nn.Identity()),
    ),
    Case(
        "rare-disease-found-in-nobody", Goal("balanced accuracy", at_least=0.75),
        partial(rare_disease, 1.0), ("class_imbalance",), partial(rare_disease, 24.0),
    ),
    Case(
        "land-parcels-learnt-by-heart", Goal("cross-entropy", at_most=0.6),
        partial(few_parcels, False, 256, 0.0), ("overfitting",),
        partial(few_parcels, True, 64, 0.4),
    ),
    Case(
        "arm-torques-decayed-by-a-fifth", Goal("R2", at_least=0.85),
        partial(decayed, 0.2), ("over_regularized",), partial(decayed, 1e-5),
    ),
    Case(
        "spots-on-leaves-momentum-of-another-library", Goal("IoU", at_least=0.55),
        partial(spots, 0.001), ("train_eval_mismatch",), partial(spots, 0.1),
    ),
    Case(
        "moths-in-traps-only-a-head-is-given", Goal("deviance", at_least=0.5),
        partial(moths, "head"), ("frozen_parameter",),
        partial(moths, "moth", "trap", "body", "head"),
    ),
    Case(
        "arm-reaches-mixture-without-a-bend", Goal("NLL", at_most=-1.2),
        partial(reach, nn.Identity), ("linear_network",), partial(reach, nn.Tanh),
    ),
    Case(
        "relapses-cox-begun-at-twentieths", Goal("concordance", at_least=0.75),
        partial(relapse, partial(nn.init.constant_, val=0.05)),
        ("symmetric_weights", "poor_initialization"), partial(relapse, nn.init.xavier_normal_),
    ),
    Case(
        "stars-rectified-recurrence-grows", Goal("accuracy", at_least=0.8),
        partial(recurrence, 1.6, None), ("exploding_gradient", "poor_initialization"),
        partial(recurrence, 0.9, 1.0),
    ),
    Case(
        "hoverflies-deviance-from-the-book", Goal("deviance", at_least=0.5),
        partial(hoverflies, plain_deviance), ("non_finite",),
        partial(hoverflies, careful_deviance),
    ),
    Case(
        "burnt-out-tanh-from-a-plain-gaussian", Goal("accuracy", at_least=0.55),
        partial(burnt_out, 1.0), ("saturated_activation", "poor_initialization"),
        partial(burnt_out, None),
    ),
    Case(
        "coreference-mask-upside-down", Goal("accuracy", at_least=0.9),
        partial(coreference, UpsideDown), ("not_learning",), partial(coreference, MentionReader),
    ),
    Case(
        "map-tiles-ten-before-two", Goal("accuracy", at_least=0.85), partial(tiles, True),
        ("inconsistent_labels", "overfitting"), partial(tiles, False),
    ),
    Case(
        "leg-torques-two-by-two-with-momentum", Goal("R2", at_least=0.9),
        partial(legs, 2, 0.01, 0.98, 2), ("unstable_loss", "learning_rate_too_high"),
        partial(legs, 32, 0.02, 0.9, 20),
    ),
)  # fmt: skip
