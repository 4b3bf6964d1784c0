"""What test benches train with much of what a Trainer offers, as it should be."""

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import benches
from data_sets.benches import Curves
from data_sets.samples import Samples, digits, loaders, standardized, wine
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    EMAWeightAveraging,
    StochasticWeightAveraging,
)
from scores import accuracy, balanced_accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelAccuracy,
    MultilabelF1Score,
)


def dicts(
    samples: Samples, batch_size: int, x: str = "readings", y: str = "target"
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of dictionaries of these two names."""
    train = [{x: a, y: b} for a, b in zip(samples.x, samples.y, strict=True)]
    test = [{x: a, y: b} for a, b in zip(samples.x_test, samples.y_test, strict=True)]
    return (
        DataLoader(train, batch_size, shuffle=True),  # type: ignore[arg-type]
        DataLoader(test, 240),  # type: ignore[arg-type]
    )


class GearboxNet(LightningModule):
    """Dense layers with norms, one cycle of the rate."""

    def __init__(self, width: int = 72, max_lr: float = 4e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.trunk = nn.Sequential(
            nn.Linear(18, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.15),
            nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.15),
        )  # fmt: skip
        self.classifier = nn.Linear(width, 5)

    def forward(self, readings: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.trunk(readings))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch["readings"]), batch["target"])
        self.log("train/loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["readings"])
        self.log("val/loss", F.cross_entropy(logits, batch["target"]))
        self.log("val/acc", (logits.argmax(1) == batch["target"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.03)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["max_lr"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )  # fmt: skip
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def gearbox() -> Program:
    data, module = benches.gearboxes(), GearboxNet()
    return Program(
        module, *dicts(data, 80), 14, partial(accuracy, module, data),
        {"precision": "bf16-mixed"},
    )  # fmt: skip


class WornDrill(LightningModule):
    """One logit, steps of Nesterov's over three batches."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(12, 56), nn.Linear(56, 28)
        self.out = nn.Linear(28, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.hidden1(x))
        x = F.silu(self.hidden2(x))
        logit: Tensor = self.out(x)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, worn = batch
        loss = F.binary_cross_entropy_with_logits(self(x).squeeze(1), worn.float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, worn = batch
        logit = self(x).squeeze(1)
        self.log("bce_val", F.binary_cross_entropy_with_logits(logit, worn.float()))
        self.log("hit_rate_val", ((logit > 0) == (worn > 0)).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(
            self.parameters(), lr=0.06, momentum=0.9, nesterov=True, weight_decay=5e-4
        )


def drill() -> Program:
    data, module = benches.drills(), WornDrill()
    return Program(
        module, *loaders(data, 24), 26, partial(binary_accuracy, module, data),
        {"accumulate_grad_batches": 3, "gradient_clip_val": 1.0, "val_check_interval": 0.5},
    )  # fmt: skip


class StrainGauge(LightningModule):
    """Weights averaged over the last third."""

    def __init__(self, swa_lr: float = 0.02) -> None:
        super().__init__()
        self.swa_lr = swa_lr
        self.mlp = nn.Sequential(
            nn.Linear(14, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )

    def forward(self, gauges: Tensor) -> Tensor:
        strain: Tensor = self.mlp(gauges)
        return strain.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        strain = self(batch[0])
        self.log("loss/valid", F.smooth_l1_loss(strain, batch[1]))
        self.log("rmse/valid", F.mse_loss(strain, batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.04, momentum=0.9, weight_decay=3e-4)

    def configure_callbacks(self) -> list[Callback]:
        return [StochasticWeightAveraging(self.swa_lr, swa_epoch_start=0.66, annealing_epochs=3)]


def gauge() -> Program:
    data, module = benches.strains(3600), StrainGauge()
    return Program(module, *loaders(data, 48), 24, partial(r2, module, data))


class DialReader(LightningModule):
    """Convolutions over pictures of dials, looked at on two benches."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 20, 3, padding=1, bias=False), nn.BatchNorm2d(20), nn.ReLU(),
            nn.Conv2d(20, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Linear(32 * 9, 8)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features(image))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        logits = self(batch[0])
        bench = ("clean", "dim")[dataloader_idx]
        self.log(f"{bench}/ce", F.cross_entropy(logits, batch[1]), add_dataloader_idx=False)
        right = (logits.argmax(1) == batch[1]).float().mean()
        self.log(f"{bench}/accuracy", right, add_dataloader_idx=False)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)]


def dial() -> Program:
    data, module = benches.dials(2200), DialReader()
    train, clean = loaders(data, 40)
    dim = DataLoader(TensorDataset(0.8 * data.x_test - 0.1, data.y_test), 120)
    return Program(
        module, train, [clean, dim], 9, partial(accuracy, module, data),
        {"limit_train_batches": 0.9},
    )  # fmt: skip


class Microphones(IterableDataset[dict[str, Tensor]]):
    """Excerpts of hums in any order and loudness, without an end."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        while True:
            row = int(torch.randint(len(self.samples.x), ()))
            x = self.samples.x[row].roll(int(torch.randint(72, ())), 1)
            yield {"wave": x * (0.9 + 0.2 * torch.rand(())), "kind": self.samples.y[row]}


class HumNet(LightningModule):
    """Dilated convolutions, their weights parted into length and direction."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, dilation in ((2, 24, 1), (24, 24, 2), (24, 32, 4)):
            conv = nn.Conv1d(before, after, 5, dilation=dilation, padding=2 * dilation)
            layers += [parametrizations.weight_norm(conv), nn.LeakyReLU(0.1)]
        self.convs, self.head = nn.Sequential(*layers), nn.Linear(64, 4)

    def forward(self, wave: Tensor) -> Tensor:
        found = self.convs(wave)
        logits: Tensor = self.head(torch.cat([found.mean(2), found.amax(2)], 1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["wave"]), batch["kind"])
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["wave"])
        self.log("val_ce", F.cross_entropy(logits, batch["kind"]))
        self.log("val_top1", (logits.argmax(1) == batch["kind"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3, betas=(0.9, 0.98))


def hum() -> Program:
    data, module = benches.hums(), HumNet()
    train = DataLoader(Microphones(data), 36)
    _, test = dicts(data, 36, "wave", "kind")
    return Program(
        module, train, test, -1, partial(accuracy, module, data),
        {"max_steps": 480, "val_check_interval": 80, "check_val_every_n_epoch": None},
    )  # fmt: skip


class SpringLaw(LightningModule):
    """A small net of doubles, all rows at once, second order."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 14), nn.Tanh(), nn.Linear(14, 14), nn.Tanh(), nn.Linear(14, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        decay = sum(weight.square().sum() for weight in self.net.parameters())
        mse = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", mse)
        return mse + 1e-3 * decay

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("mse_held_out", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.parameters(), lr=1.0, max_iter=8, history_size=12, line_search_fn="strong_wolfe"
        )


def spring() -> Program:
    data = benches.strains(2400, 10, 0.2, 920)
    data = Samples(*(part.double() for part in data))
    module = SpringLaw()
    return Program(
        module, *loaders(data, len(data.x), shuffle=False), 40, partial(r2, module, data),
        {"precision": "64-true"},
    )  # fmt: skip


class SpareParts(LightningModule):
    """Tables of parts and machines: two optimizers by hand, one for tables and one for the rest."""

    def __init__(self, traits: int = 8) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.parts = nn.Embedding(benches.STOCK, traits)
        self.machines = nn.Embedding(benches.MACHINES, traits)
        for table in (self.parts, self.machines):
            nn.init.normal_(table.weight, std=0.3)
        self.mix = nn.Sequential(nn.Linear(3 * traits, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, part: Tensor, machine: Tensor) -> Tensor:
        a, b = self.parts(part), self.machines(machine)
        fit: Tensor = self.mix(torch.cat([a, b, a * b], 1))
        found: Tensor = fit.squeeze(1) + (a * b).sum(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        both: Any = self.optimizers()
        part, machine, fit = batch
        loss = F.mse_loss(self(part, machine), fit)
        for optimizer in both:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in both:
            optimizer.step()
        self.log("train_mse", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid_mse", F.mse_loss(self(batch[0], batch[1]), batch[2]))

    def configure_optimizers(self) -> Any:
        tables = [*self.parts.parameters(), *self.machines.parameters()]
        return (
            torch.optim.Adagrad(tables, lr=0.05),
            torch.optim.AdamW(self.mix.parameters(), lr=1e-3, weight_decay=0.01),
        )


def spares() -> Program:
    (train, test), module = benches.fits(24000), SpareParts()

    def score() -> float:
        with torch.no_grad():
            error = F.mse_loss(module(test.part, test.machine), test.fit)
        return (1 - error / test.fit.var()).item()

    both = (
        DataLoader(TensorDataset(*train), 200, shuffle=True),
        DataLoader(TensorDataset(*test), 1000),
    )
    return Program(module, *both, 14, score)


class Padded(NamedTuple):
    """Curves filled up with zeros, how long each is, and what is asked."""

    curves: Tensor
    lengths: Tensor
    wear: Tensor


def padded(rows: list[tuple[Tensor, Tensor]]) -> Padded:
    curves, wear = zip(*rows, strict=True)
    lengths = torch.tensor([len(curve) for curve in curves])
    return Padded(pad_sequence(list(curves), batch_first=True), lengths, torch.stack(wear))


def curve_loaders(
    train: Curves, test: Curves, batch_size: int, collate: Any = padded
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    rows: Any = list(zip(train.curves, train.asked, strict=True))
    held: Any = list(zip(test.curves, test.asked, strict=True))
    return (
        DataLoader(rows, batch_size, shuffle=True, collate_fn=collate),
        DataLoader(held, 150, collate_fn=collate),
    )


class CellWear(LightningModule):
    """A packed GRU; gradients of four batches are gathered and clipped by hand."""

    def __init__(self, gather: int = 4) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.gather = gather
        self.gru = nn.GRU(3, 40, batch_first=True)
        self.readout = nn.Sequential(nn.Linear(40, 24), nn.GELU(), nn.Linear(24, 1))

    def forward(self, curves: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(curves, lengths, batch_first=True, enforce_sorted=False)
        wear: Tensor = self.readout(self.gru(packed)[1][-1])
        return wear.squeeze(1)

    def training_step(self, batch: Padded, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.mse_loss(self(batch.curves, batch.lengths), batch.wear)
        self.manual_backward(loss / self.gather)
        if (batch_idx + 1) % self.gather == 0:
            self.clip_gradients(optimizer, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
            optimizer.step()
            optimizer.zero_grad()
        self.log("wear_mse", loss)

    def validation_step(self, batch: Padded, batch_idx: int) -> None:
        found = self(batch.curves, batch.lengths)
        self.log("wear_mse_val", F.mse_loss(found, batch.wear), batch_size=len(found))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def cell() -> Program:
    (train, test), module = benches.discharges(1600), CellWear()

    def score() -> float:
        rows = padded(list(zip(test.curves, test.asked, strict=True)))
        module.eval()
        with torch.no_grad():
            error = F.mse_loss(module(rows.curves, rows.lengths), rows.wear)
        return (1 - error / rows.wear.var()).item()

    return Program(module, *curve_loaders(train, test, 12), 16, score)


class CompiledBeam(LightningModule):
    """A compiled net of residuals, steps by root mean squares."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(16, 48)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(48), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 48))
            for _ in range(3)
        )
        self.leave = nn.Linear(48, 1)
        self.run = torch.compile(self.residuals, backend="eager")

    def residuals(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.leave(self.run(self.enter(x)))
        return y[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch["gauges"]), batch["strain"])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val/huber", F.huber_loss(self(batch["gauges"]), batch["strain"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=6e-4, alpha=0.95)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.88)]


def beam() -> Program:
    data, module = benches.strains(4200, 16, 0.2, 921), CompiledBeam()
    return Program(module, *dicts(data, 56, "gauges", "strain"), 14, partial(r2, module, data))


class Thaw(BaseFinetuning):
    """The body is trained from the fourth epoch on, at a tenth of the rate."""

    def freeze_before_training(self, pl_module: LightningModule) -> None:
        self.freeze(pl_module.get_submodule("body"))

    def finetune_function(
        self, pl_module: LightningModule, epoch: int, optimizer: torch.optim.Optimizer
    ) -> None:
        if epoch == 3:
            body = pl_module.get_submodule("body")
            self.unfreeze_and_add_param_group(body, optimizer, initial_denom_lr=10)


class FineDial(LightningModule):
    """Dials of ten sectors on a body that has read dials of four."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(24 * 9, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("ft_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("ft_val_loss", F.cross_entropy(logits, batch[1]))
        self.log("ft_val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=4e-3, weight_decay=1e-3)

    def configure_callbacks(self) -> list[Callback]:
        return [Thaw()]


def dial_body(steps: int = 160) -> nn.Module:
    """Convolutions taught on pictures of dials of four sectors."""
    data = benches.dials(1600, 14, 4, 922)
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    )  # fmt: skip
    head = nn.Linear(24 * 9, 4)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(steps):
        rows = torch.randint(len(data.x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(head(body(data.x[rows])), data.y[rows]).backward()
        optimizer.step()
    return body


def fine_dial() -> Program:
    data, module = benches.dials(2400, 14, 10, 923), FineDial(dial_body())
    return Program(module, *loaders(data, 60), 10, partial(accuracy, module, data))


@dataclass
class Reading:
    """A batch of a panel's readings and which alarms went on."""

    values: Tensor
    alarms: Tensor


def as_reading(rows: list[tuple[Tensor, Tensor]]) -> Reading:
    values, on = zip(*rows, strict=True)
    return Reading(torch.stack(values), torch.stack(on))


class AlarmPanel(LightningModule):
    """Six logits of layers that stretch by no more than one; metrics at the end of an epoch."""

    def __init__(self) -> None:
        super().__init__()
        bound = parametrizations.spectral_norm
        self.net = nn.Sequential(
            bound(nn.Linear(20, 96)), nn.LeakyReLU(0.05), bound(nn.Linear(96, 96)),
            nn.LeakyReLU(0.05), nn.Linear(96, 6),
        )  # fmt: skip
        self.metrics = MetricCollection(
            {"acc": MultilabelAccuracy(6), "f1": MultilabelF1Score(6)}, prefix="val/"
        )

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.net(values)
        return logits

    def training_step(self, batch: Reading, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch.values), batch.alarms)
        self.log("train/bce", loss, batch_size=len(batch.values))
        return loss

    def validation_step(self, batch: Reading, batch_idx: int) -> None:
        logits = self(batch.values)
        loss = F.binary_cross_entropy_with_logits(logits, batch.alarms)
        self.log("val/bce", loss, batch_size=len(logits))
        self.metrics.update(logits.sigmoid(), batch.alarms.long())

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.metrics.compute())
        self.metrics.reset()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 18)]


def panel() -> Program:
    data, module = benches.alarms(3600), AlarmPanel()
    train, test = TensorDataset(data.x, data.y), TensorDataset(data.x_test, data.y_test)

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    both = (
        DataLoader(train, 64, shuffle=True, collate_fn=as_reading),
        DataLoader(test, 300, collate_fn=as_reading),
    )
    return Program(module, *both, 18, score)


class LampCode(LightningModule):
    """Spectra through six numbers; nothing is logged, nothing validated."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(40, 80), nn.Mish(), nn.Linear(80, 10))
        self.decode = nn.Sequential(nn.Linear(10, 80), nn.Mish(), nn.Linear(80, 40))

    def forward(self, spectra: Tensor) -> Tensor:
        rebuilt: Tensor = self.decode(self.encode(spectra))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        code = self.encode(batch[0])
        rebuilding = F.mse_loss(self.decode(code), batch[0])
        size = code.square().mean()
        return {"loss": rebuilding + 1e-4 * size, "parts": (rebuilding.detach(), size.detach())}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def lamp_code() -> Program:
    views, module = benches.lamps(2400), LampCode()
    train, test = views.first[:1900], views.first[1900:]

    def score() -> float:
        return (1 - F.mse_loss(outputs(module, test), test) / test.var(0).mean()).item()

    return Program(module, DataLoader(TensorDataset(train), 50, shuffle=True), None, 24, score)


class PackedSteps(NamedTuple):
    """Steps of several procedures in a row, and to which each step belongs."""

    steps: Tensor
    owner: Tensor


def in_rows(procedures: list[Tensor], length: int = 48) -> PackedSteps:
    """As many as fit into a row; what is left of it is filled up with an owner of -1."""
    steps: list[list[int]] = [[]]
    owners: list[list[int]] = [[]]
    for number, procedure in enumerate(procedures):
        if len(steps[-1]) + len(procedure) > length:
            steps.append([])
            owners.append([])
        steps[-1] += procedure.tolist()
        owners[-1] += [number] * len(procedure)
    filled = [row + [0] * (length - len(row)) for row in steps]
    owned = [row + [-1] * (length - len(row)) for row in owners]
    return PackedSteps(torch.tensor(filled), torch.tensor(owned))


class ProcedureModel(LightningModule):
    """Two blocks kept in check-points, tied words, several procedures in a row apart by a mask."""

    def __init__(self, steps: int = 12, width: int = 40) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(steps, width), nn.Embedding(48, width)
        nn.init.normal_(self.embed.weight, std=0.1)
        nn.init.normal_(self.place.weight, std=0.1)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 96, dropout=0.05, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.unembed = nn.Linear(width, steps, bias=False)
        self.unembed.weight = self.embed.weight

    def forward(self, steps: Tensor, owner: Tensor) -> Tensor:
        length = steps.shape[1]
        apart = owner[:, :, None] != owner[:, None, :]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        mask = (apart | later).repeat_interleave(4, 0)
        x = self.embed(steps) + self.place.weight[:length]
        for block in self.blocks:
            x = checkpoint(block, x, mask, use_reentrant=False)
        logits: Tensor = self.unembed(self.norm(x))
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        steps, owner = batch
        logits = self(steps[:, :-1], owner[:, :-1])
        told = (owner[:, 1:] == owner[:, :-1]) & (owner[:, 1:] >= 0)
        return F.cross_entropy(logits[told], steps[:, 1:][told])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("lm/train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = self.loss(batch)
        self.log_dict({"lm/val_loss": loss, "lm/val_ppl": loss.exp()})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=6e-3, betas=(0.9, 0.98))
        total = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            return min((step + 1) / 40, max(0.05, 1 - step / total))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def procedure() -> Program:
    """Scored by the loss; a step at random costs 2.4."""
    rows, module = benches.procedures(3600, 12), ProcedureModel()
    train, test = in_rows(rows[:3000]), in_rows(rows[3000:])

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss([*test]).item()

    both = (
        DataLoader(TensorDataset(*train), 16, shuffle=True),
        DataLoader(TensorDataset(*test), 60),
    )
    return Program(module, *both, 9, score, {"gradient_clip_val": 1.0})


class TwinLamps(LightningModule):
    """One net for both measurements of a lamp; the right partner is to be found in the batch."""

    def __init__(self, heat: float = 0.1) -> None:
        super().__init__()
        self.heat = heat
        self.tower = nn.Sequential(nn.Linear(40, 96), nn.ReLU(), nn.Linear(96, 24))

    def forward(self, spectra: Tensor) -> Tensor:
        return F.normalize(self.tower(spectra), dim=1)

    def contrast(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        alike = self(batch[0]) @ self(batch[1]).T / self.heat
        right = torch.arange(len(alike))
        loss = 0.5 * (F.cross_entropy(alike, right) + F.cross_entropy(alike.T, right))
        return loss, (alike.argmax(1) == right).float().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, found = self.contrast(batch)
        self.log_dict({"info_nce": loss, "found_in_batch": found})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, found = self.contrast(batch)
        self.log_dict({"val_info_nce": loss, "val_found_in_batch": found})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1.5e-3)
        restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 5)
        return [optimizer], [restarts]


def twins() -> Program:
    """Scored by how often the nearest of 500 second measurements is of the same lamp."""
    views, module = benches.lamps(3000, 40, 12, 924), TwinLamps()
    train = TensorDataset(views.first[:2500], views.second[:2500])
    test = TensorDataset(views.first[2500:], views.second[2500:])

    def score() -> float:
        alike = outputs(module, views.first[2500:]) @ outputs(module, views.second[2500:]).T
        return (alike.argmax(1) == torch.arange(500)).float().mean().item()

    both = DataLoader(train, 100, shuffle=True, drop_last=True), DataLoader(test, 100)
    return Program(module, *both, 15, score)


class MixedDigits(LightningModule):
    """Rows are mixed in a hook of the transfer while it trains, with their labels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 112), nn.BatchNorm1d(112), nn.ReLU(),
            nn.Linear(112, 56), nn.BatchNorm1d(56), nn.ReLU(), nn.Linear(56, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(2 * x - 0.6)
        return logits

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> list[Tensor]:
        x, y = batch
        shares = F.one_hot(y, 10).float()
        if self.trainer.training:
            order = torch.randperm(len(x))
            share = torch.distributions.Beta(0.3, 0.3).sample((len(x), 1))
            x = share * x + (1 - share) * x[order]
            shares = share * shares + (1 - share) * shares[order]
        return [x, shares]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("soft_ce", loss, on_step=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_ce", F.cross_entropy(logits, batch[1]))
        self.log("val_hits", (logits.argmax(1) == batch[1].argmax(1)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1.5e-3)


def mixed() -> Program:
    data, module = digits(), MixedDigits()
    return Program(module, *loaders(data, 42), 14, partial(accuracy, module, data))


class PressStates(LightningModule):
    """A focal loss with weights of classes, and moving averages of the weights."""

    def __init__(self, weight: Tensor, gamma: float = 1.5) -> None:
        super().__init__()
        self.gamma = gamma
        self.register_buffer("weight", weight)
        self.body = nn.Sequential(nn.Linear(16, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU())
        self.head = nn.Linear(40, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def focal(self, logits: Tensor, y: Tensor) -> Tensor:
        logp = F.log_softmax(logits, 1).gather(1, y[:, None]).squeeze(1)
        weight = self.get_buffer("weight")[y]
        return -(weight * (1 - logp.exp()) ** self.gamma * logp).sum() / weight.sum()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.focal(self(batch[0]), batch[1])
        self.log("train/focal", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/focal", self.focal(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=2e-3, weight_decay=1e-3)

    def configure_callbacks(self) -> list[Callback]:
        return [EMAWeightAveraging(decay=0.97)]


def press() -> Program:
    data = benches.seldom(5200)
    module = PressStates(data.y.bincount().float().rsqrt())
    return Program(module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data))


class Torque(LightningModule):
    """Rates of Adagrad, halved where the error stands still, looked at every second epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(14, 90), nn.Linear(90, 45), nn.Linear(45, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.c(F.elu(self.b(F.elu(self.a(x)))))
        return y.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = (self(batch[0]) - batch[1]).pow(2).mean()
        self.log("mse", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = self(batch[0]) - batch[1]
        self.log_dict({"val_mse": error.pow(2).mean(), "val_mae": error.abs().mean()})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adagrad(self.parameters(), lr=0.03)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_mse", "frequency": 2},
        }


def torque() -> Program:
    data, module = benches.strains(3800, 14, 0.2, 925), Torque()
    return Program(
        module, *loaders(data, 38), 20, partial(r2, module, data), {"check_val_every_n_epoch": 2}
    )


class Words(NamedTuple):
    """Notes filled up with zeros, and their kinds."""

    ids: Tensor
    kind: Tensor


def as_words(rows: list[tuple[Tensor, Tensor]]) -> Words:
    notes, kinds = zip(*rows, strict=True)
    return Words(pad_sequence(list(notes), batch_first=True), torch.stack(kinds))


class SheetReader(LightningModule):
    """A block of attention over notes of any length, factored second moments."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(benches.WORDS + 1, width, padding_idx=0)
        self.block = nn.TransformerEncoderLayer(
            width, 2, 64, dropout=0.3, batch_first=True, norm_first=True
        )
        self.classify = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 5))
        self.scores = MetricCollection([MulticlassAccuracy(5), MulticlassF1Score(5)])

    def forward(self, ids: Tensor) -> Tensor:
        there = ids > 0
        x = self.block(self.embed(ids), src_key_padding_mask=~there)
        mean = (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        logits: Tensor = self.classify(mean)
        return logits

    def training_step(self, batch: Words, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.ids), batch.kind)
        self.log("sheet/loss", loss, batch_size=len(batch.kind))
        return loss

    def validation_step(self, batch: Words, batch_idx: int) -> None:
        logits = self(batch.ids)
        loss = F.cross_entropy(logits, batch.kind)
        self.log("sheet/val_loss", loss, batch_size=len(batch.kind))
        self.scores.update(logits, batch.kind)

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"sheet/{name}": value for name, value in self.scores.compute().items()})
        self.scores.reset()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adafactor(self.parameters(), lr=0.005, weight_decay=0.05)


def sheet() -> Program:
    (train, test), module = benches.worksheets(3000), SheetReader()

    def score() -> float:
        notes = pad_sequence(test.curves, batch_first=True)
        return (outputs(module, notes).argmax(1) == test.asked).float().mean().item()

    return Program(module, *curve_loaders(train, test, 48, as_words), 6, score)


class FanNet(LightningModule):
    """Normed convolutions by Adadelta at its own rate of one."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(2, 16, 7, padding=3)
        self.norm1, self.conv2 = nn.BatchNorm1d(16), nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.norm2, self.drop, self.fc = nn.BatchNorm1d(32), nn.Dropout(0.3), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.norm1(self.stem(x))), 2)
        x = F.relu(self.norm2(self.conv2(x)))
        logits: Tensor = self.fc(self.drop(x.mean(2)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.nll_loss(F.log_softmax(self(batch[0]), 1), batch[1])
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_nll", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adadelta(self.parameters(), lr=1.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)]


def fan() -> Program:
    data, module = benches.hums(2400, 72, 926), FanNet()
    return Program(module, *loaders(data, 30), 14, partial(accuracy, module, data))


class Cleaner(LightningModule):
    """First stage: a lamp's spectrum out of half of its bands."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 64), nn.GELU(), nn.Linear(64, 32), nn.GELU())
        self.decoder = nn.Linear(32, 40)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        kept = (torch.rand_like(batch[0]) < 0.7).float()
        loss = F.mse_loss(self.decoder(self.encoder(batch[0] * kept)), batch[0])
        self.log("pretrain/mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class LampKind(LightningModule):
    """Second stage: the kind, on the encoder of the first, all of it trained on."""

    def __init__(self, learnt: dict[str, Tensor]) -> None:
        super().__init__()
        self.encoder, self.head = Cleaner().encoder, nn.Linear(32, 12)
        self.encoder.load_state_dict(learnt)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("finetune/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("finetune/val_ce", F.cross_entropy(logits, batch[1]))
        self.log("finetune/val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            [
                {"params": self.encoder.parameters(), "lr": 5e-4},
                {"params": self.head.parameters(), "lr": 5e-3},
            ],
            weight_decay=0.01,
        )


def lamp_kind() -> Program:
    views = benches.lamps(2600, 40, 12, 927)
    first = Cleaner()
    train: Any = DataLoader(TensorDataset(views.second[:2000]), 64, shuffle=True)
    Program(first, train, None, 6, lambda: 0.0).fit()
    module = LampKind(deepcopy(first.encoder.state_dict()))
    data = Samples(views.first[:2000], views.kind[:2000], views.first[2000:], views.kind[2000:])
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class DrawAhead(LightningModule):
    """Four hours ahead by an encoder and a cell that is called once for each hour."""

    def __init__(self, width: int = 36) -> None:
        super().__init__()
        self.encoder = nn.LSTM(1, width, batch_first=True)
        self.cell, self.out = nn.GRUCell(1, width), nn.Linear(width, 1)

    def forward(self, past: Tensor) -> Tensor:
        state = self.encoder(past[..., None])[1][0][-1]
        last, hours = past[:, -1:], []
        for _ in range(4):
            state = self.cell(last, state)
            last = last + self.out(state)
            hours.append(last)
        return torch.cat(hours, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train/mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        total = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            warm = min(1.0, (step + 1) / 30)
            return warm * 0.5 * (1 + math.cos(math.pi * step / total))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def ahead() -> Program:
    data, module = benches.power(3400), DrawAhead()
    return Program(
        module, *loaders(data, 52), 9, partial(r2, module, data),
        {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"},
    )  # fmt: skip


class TinyWine(LightningModule):
    """Three rows to a batch, ten batches to a step."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Linear(20, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.01, weight_decay=0.1)


def tiny_wine() -> Program:
    data, module = standardized(wine()), TinyWine()
    train, _ = loaders(data, 3)
    return Program(
        module, train, None, 14, partial(accuracy, module, data), {"accumulate_grad_batches": 10}
    )


CASES = (
    Case("gearboxes-half-precision-in-one-cycle", Goal("accuracy", at_least=0.7), gearbox),
    Case("drills-twenty-four-thrice-nesterov", Goal("accuracy", at_least=0.82), drill),
    Case("strain-gauges-averaged-at-the-end", Goal("R2", at_least=0.8), gauge),
    Case("dials-looked-at-on-two-benches", Goal("accuracy", at_least=0.9), dial),
    Case("fan-hums-without-an-end", Goal("accuracy", at_least=0.85), hum),
    Case("springs-in-doubles-all-at-once", Goal("R2", at_least=0.85), spring),
    Case("spare-parts-tables-and-rest-apart", Goal("R2", at_least=0.7), spares),
    Case("cells-packed-four-gathered-by-hand", Goal("R2", at_least=0.9), cell),
    Case("beams-compiled-residuals-rmsprop", Goal("R2", at_least=0.75), beam),
    Case("dials-of-ten-body-thawed-at-a-tenth", Goal("accuracy", at_least=0.85), fine_dial),
    Case("alarms-of-bounded-layers", Goal("accuracy", at_least=0.82), panel),
    Case("lamp-spectra-ten-numbers-unlogged", Goal("R2", at_least=0.8), lamp_code),
    Case("procedures-packed-in-rows-and-tied", Goal("cross-entropy", at_most=2.0), procedure),
    Case("lamps-measured-twice-one-tower", Goal("recall at 1", at_least=0.7), twins),
    Case("digits-mixed-on-their-way-nadam", Goal("accuracy", at_least=0.94), mixed),
    Case("press-states-focal-ema-radam", Goal("balanced accuracy", at_least=0.7), press),
    Case("torques-adagrad-every-second-epoch", Goal("R2", at_least=0.85), torque),
    Case("worksheets-any-length-adafactor", Goal("accuracy", at_least=0.85), sheet),
    Case("fans-adadelta-at-one-halved", Goal("accuracy", at_least=0.85), fan),
    Case("lamp-kinds-after-filling-gaps", Goal("accuracy", at_least=0.85), lamp_kind),
    Case("bench-power-cell-called-four-times", Goal("R2", at_least=0.6), ahead),
    Case("wine-three-rows-ten-times-to-a-step", Goal("accuracy", at_least=0.93), tiny_wine),
)  # fmt: skip
