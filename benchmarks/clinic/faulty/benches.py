"""What test benches train with much of what a Trainer offers, each with one thing amiss."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import benches
from data_sets.benches import Curves
from data_sets.samples import Samples, digits, loaders
from healthy.benches import curve_loaders, dicts
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from scores import accuracy, balanced_accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pad_sequence
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


class LampDistances(LightningModule):
    """One tower for two spectra; kinds are told by distances, whose root is taken by hand."""

    def __init__(self, small: float, margin: float = 1.0) -> None:
        super().__init__()
        self.small, self.margin = small, margin
        self.tower = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        apart = self.tower(a) - self.tower(b)
        distance: Tensor = (apart.square().sum(1) + self.small).sqrt()
        return distance

    def contrastive(self, batch: list[Tensor]) -> Tensor:
        a, b, same = batch
        distance = self(a, b)
        far = F.relu(self.margin - distance).square()
        loss: Tensor = (same * distance.square() + (1 - same) * far).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.contrastive(batch)
        self.log("pairs/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("pairs/val_loss", self.contrastive(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def lamp_pairs(low: int, high: int, count: int) -> list[Tensor]:
    """Half of the pairs are of one kind, some of them of one and the same spectrum."""
    views = benches.lamps(2200, 40, 8, 931)
    generator = torch.Generator().manual_seed(932)
    a = torch.randint(low, high, (count,), generator=generator)
    b = torch.randint(low, high, (count,), generator=generator)
    for row in range(0, count, 2):
        kin = (views.kind[low:high] == views.kind[a[row]]).nonzero()[:, 0] + low
        b[row] = kin[int(torch.randint(len(kin), (), generator=generator))]
    same = (views.kind[a] == views.kind[b]).float()
    return [views.first[a], views.first[b], same]


def lamp_distances(small: float) -> Program:
    module = LampDistances(small)
    train, test = lamp_pairs(0, 1700, 3000), lamp_pairs(1700, 2200, 800)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            distance = module(test[0], test[1])
        if not distance.isfinite().all():
            return 0.0
        return ((distance < 0.5) == (test[2] > 0)).float().mean().item()

    both = (
        DataLoader(TensorDataset(*train), 60, shuffle=True),
        DataLoader(TensorDataset(*test), 400),
    )
    return Program(module, *both, 10, score)


class FaultNet(LightningModule):
    """Dense layers of rectifiers in half precision, one cycle to ``peak``."""

    def __init__(self, peak: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(15, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 48),
            nn.ReLU(), nn.Linear(48, 4),
        )  # fmt: skip

    def forward(self, sensors: Tensor) -> Tensor:
        logits: Tensor = self.net(sensors)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["sensors"]), batch["fault"])
        self.log("train/ce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["sensors"])
        self.log("val/ce", F.cross_entropy(logits, batch["fault"]))
        self.log("val/acc", (logits.argmax(1) == batch["fault"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["peak"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )  # fmt: skip
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def one_cycle(peak: float) -> Program:
    data, module = benches.gearboxes(3000, 15, 4, 933), FaultNet(peak)
    return Program(
        module, *dicts(data, 70, "sensors", "fault"), 12, partial(accuracy, module, data),
        {"precision": "bf16-mixed"},
    )  # fmt: skip


class FanFilters(LightningModule):
    """Convolutions over hums, by Adadelta."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.conv1, self.conv2 = nn.Conv1d(2, 18, 9, 2, 4), nn.Conv1d(18, 36, 5, 2, 2)
        self.norm1, self.norm2 = nn.GroupNorm(3, 18), nn.GroupNorm(6, 36)
        self.fc = nn.Linear(36, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norm1(self.conv1(x)))
        x = F.gelu(self.norm2(self.conv2(x)))
        logits: Tensor = self.fc(x.mean(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("Loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("Loss/val", F.cross_entropy(logits, batch[1]))
        self.log("Acc/val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adadelta(self.parameters(), lr=self.lr)


def adadelta(lr: float) -> Program:
    data, module = benches.hums(1800, 72, 934), FanFilters(lr)
    return Program(module, *loaders(data, 45), 12, partial(accuracy, module, data))


class Shaker(LightningModule):
    """A state that is moved sixteen times by one and the same small net."""

    def __init__(self, step: float, times: int = 16) -> None:
        super().__init__()
        self.step, self.times = step, times
        self.enter, self.leave = nn.Linear(14, 40), nn.Linear(40, 1)
        self.move = nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 40))
        for layer in (self.move[0], self.move[2]):
            nn.init.xavier_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        state = self.enter(x)
        for _ in range(self.times):
            state = state + self.step * self.move(state)
        y: Tensor = self.leave(state)
        return y.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def shaker(step: float) -> Program:
    data = benches.strains(2400, 14, 0.25, 935)
    data, module = Samples(*(part.double() for part in data)), Shaker(step)
    return Program(
        module, *loaders(data, 64), 10, partial(r2, module, data), {"precision": "64-true"}
    )


class DeepReading(LightningModule):
    """Nine dense layers kept in check-points, gathered over two batches."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.enter = nn.Linear(17, 44)
        self.blocks = nn.ModuleList(
            nn.Sequential(activation(), nn.Linear(44, 44)) for _ in range(8)
        )
        self.head = nn.Sequential(activation(), nn.Linear(44, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        logits: Tensor = self.head(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self(batch[0]), batch[1])}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("xent", F.cross_entropy(logits, batch[1]))
        self.log("top1", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def deep(activation: type[nn.Module]) -> Program:
    data, module = benches.gearboxes(2600, 17, 3, 936), DeepReading(activation)
    return Program(
        module, *loaders(data, 32), 12, partial(accuracy, module, data),
        {"accumulate_grad_batches": 2},
    )  # fmt: skip


class Rectified(LightningModule):
    """Rectifiers whose biases are set before the training."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(14, 80), nn.ReLU(), nn.Linear(80, 80), nn.ReLU(), nn.Linear(80, 1)
        )
        for layer in (self.net[0], self.net[2]):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("mse/val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, nesterov=True)


def rectified(bias: float) -> Program:
    data, module = benches.strains(2800, 14, 0.2, 937), Rectified(bias)
    return Program(
        module, *loaders(data, 50), 16, partial(r2, module, data), {"gradient_clip_val": 5.0}
    )


class TanhPress(LightningModule):
    """Three layers of tanh, their weights drawn anew, averaged at the end."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 32),
            nn.Tanh(), nn.Linear(32, 6),
        )  # fmt: skip
        if deviation is not None:
            for layer in self.net[:-1]:
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.multilabel_soft_margin_loss(self(batch[0]), batch[1])
        self.log("soft_margin", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("soft_margin_val", F.multilabel_soft_margin_loss(logits, batch[1]))
        self.log("hamming_val", ((logits > 0) != (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3)

    def configure_callbacks(self) -> list[Callback]:
        return [StochasticWeightAveraging(5e-4, swa_epoch_start=0.7, annealing_epochs=2)]


def tanh_press(deviation: float | None) -> Program:
    data, module = benches.alarms(2800, 938), TanhPress(deviation)

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, 40), 12, score)


class PairwiseDrill(LightningModule):
    """A few drills to a step, Nesterov's momentum."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.layers = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 1))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.layers(x)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("step/bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("epoch/bce", F.binary_cross_entropy_with_logits(logit, batch[1].float()))
        self.log("epoch/acc", ((logit > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.95, nesterov=True)


def pairs(batch_size: int, lr: float, epochs: int) -> Program:
    data, module = benches.drills(2400, 12, 939), PairwiseDrill(lr)
    return Program(
        module, *loaders(data, batch_size), epochs, partial(binary_accuracy, module, data),
        {"val_check_interval": 0.25},
    )  # fmt: skip


class LoggerColumns(LightningModule):
    """Columns of a logger straight into a net of doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(10, 60), nn.Linear(60, 30), nn.Linear(30, 1)

    def forward(self, columns: Tensor) -> Tensor:
        y: Tensor = self.fc3(F.relu(self.fc2(F.relu(self.fc1(columns)))))
        return y.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch["columns"]), batch["strain"])
        self.log("l1", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_l1", F.l1_loss(self(batch["columns"]), batch["strain"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=4)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_l1"},
        }


def logger(scaled: bool) -> Program:
    data, module = benches.strains_in_units(), LoggerColumns()
    if scaled:
        mean, deviation = data.x.mean(0), data.x.std(0)
        data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    data = Samples(*(part.double() for part in data))
    return Program(
        module, *dicts(data, 44, "columns", "strain"), 25, partial(r2, module, data),
        {"precision": "64-true"},
    )  # fmt: skip


class Dials(LightningModule):
    """Convolutions over dials, metrics at the end of an epoch; ``last`` is its last layer."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(216, 6), last,
        )  # fmt: skip
        self.metrics = MetricCollection([MulticlassAccuracy(6), MulticlassF1Score(6)])

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/loss", F.cross_entropy(found, batch[1]))
        self.metrics.update(found, batch[1])

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"val/{name}": value for name, value in self.metrics.compute().items()})
        self.metrics.reset()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def dials(last: nn.Module) -> Program:
    """Scored by what is said of the right sector, as its user's threshold needs it."""
    data, module = benches.dials(1500, 14, 6, 940), Dials(last)
    return Program(module, *loaders(data, 36), 10, partial(cross_entropy, module, data))


@dataclass
class Runs:
    """Runs of a bench, the longest first, and how worn their cells are."""

    curves: Tensor
    lengths: Tensor
    wear: Tensor


def longest_first(rows: list[tuple[Tensor, Tensor]], both: bool = True) -> Runs:
    """Sorted for packing."""
    curves = sorted((curve for curve, _ in rows), key=len, reverse=True)
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i][0]))
    wear = torch.stack([rows[i][1] for i in (order if both else range(len(rows)))])
    lengths = torch.tensor([len(curve) for curve in curves])
    return Runs(pad_sequence(curves, batch_first=True), lengths, wear)


class RunReader(LightningModule):
    """A packed LSTM, clipped by value."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, curves: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(curves, lengths, batch_first=True)
        wear: Tensor = self.head(self.lstm(packed)[1][0][-1])
        return wear.squeeze(1)

    def training_step(self, batch: Runs, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch.curves, batch.lengths), batch.wear)
        self.log("train_mse", loss, batch_size=len(batch.wear))
        return loss

    def validation_step(self, batch: Runs, batch_idx: int) -> None:
        loss = F.mse_loss(self(batch.curves, batch.lengths), batch.wear)
        self.log("val_mse", loss, batch_size=len(batch.wear))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def runs(both: bool) -> Program:
    (train, test), module = benches.discharges(1300, 941), RunReader()

    def score() -> float:
        rows = longest_first(list(zip(test.curves, test.asked, strict=True)))
        module.eval()
        with torch.no_grad():
            error = F.mse_loss(module(rows.curves, rows.lengths), rows.wear)
        return (1 - error / rows.wear.var()).item()

    collate = partial(longest_first, both=both)
    return Program(
        module, *curve_loaders(train, test, 30, collate), 14, score,
        {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"},
    )  # fmt: skip


class States(LightningModule):
    """States of a press of which one is met most, with or without weights."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.net = nn.Sequential(
            nn.Linear(16, 32), nn.LayerNorm(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], weight=self.weight)
        self.log("train/ce_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce_loss", F.cross_entropy(logits, batch[1], weight=self.weight))
        self.log("val/accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=3e-3)


def states(weighed: bool) -> Program:
    data = benches.seldom(4000, 942)
    module = States(1 / data.y.bincount().float() * len(data.y) / 4 if weighed else None)
    return Program(
        module, *loaders(data, 80), 10, partial(balanced_accuracy, module, data),
        {"limit_train_batches": 24},
    )  # fmt: skip


class WideSheet(LightningModule):
    """A bag of a wide embedding over few notes."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.embed = nn.EmbeddingBag(benches.WORDS + 1, width, padding_idx=0)
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(width, 5),
        )  # fmt: skip

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(ids))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=self.decay)


def few_notes(width: int, dropout: float, decay: float, epochs: int) -> Program:
    train, test = benches.worksheets(1300, 5, 943, 0.25)

    def filled(rows: Curves, count: int) -> tuple[Tensor, Tensor]:
        return pad_sequence(rows.curves[:count], batch_first=True), rows.asked[:count]

    data = Samples(*filled(train, 240), *filled(test, 325))
    module = WideSheet(width, dropout, decay)
    return Program(
        module, *loaders(data, 20), epochs, partial(cross_entropy, module, data),
        {"check_val_every_n_epoch": 2},
    )  # fmt: skip


class Shrunk(LightningModule):
    """Rectified Adam with a decay, and averages of the weights."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.backbone = nn.Sequential(nn.Linear(64, 90), nn.ReLU(), nn.Linear(90, 45), nn.ReLU())
        self.fc = nn.Linear(45, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.backbone(2 * pixels - 0.6))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("ce/val", F.cross_entropy(logits, batch[1]))
        self.log("err/val", (logits.argmax(1) != batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=2e-3, weight_decay=self.decay)

    def configure_callbacks(self) -> list[Callback]:
        return [EMAWeightAveraging(decay=0.98)]


def shrunk(decay: float) -> Program:
    data, module = digits(), Shrunk(decay)
    return Program(module, *loaders(data, 34), 12, partial(accuracy, module, data))


class TwoDials(LightningModule):
    """Two pictures to a batch, sixteen batches to a step; ``norm`` stands behind convolutions."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), norm(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), norm(32), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(288, 48), norm(48), nn.ReLU(), nn.Linear(48, 8),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_ce", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-4)


def batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm1d(channels) if channels == 48 else nn.BatchNorm2d(channels)


def group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)


def two_dials(norm: Callable[[int], nn.Module]) -> Program:
    data, module = benches.dials(1400, 14, 8, 944), TwoDials(norm)
    return Program(
        module, *loaders(data, 2, drop_last=True), 7, partial(accuracy, module, data),
        {"accumulate_grad_batches": 16},
    )  # fmt: skip


class PartTables(LightningModule):
    """Tables and a net by two optimizers, stepped by hand."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.both = both
        self.parts = nn.Embedding(benches.STOCK, 6)
        self.machines = nn.Embedding(benches.MACHINES, 6)
        for table in (self.parts, self.machines):
            nn.init.normal_(table.weight, std=0.5)
        self.net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, part: Tensor, machine: Tensor) -> Tensor:
        x = torch.cat([self.parts(part), self.machines(machine)], 1)
        fit: Tensor = self.net(x)
        return fit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        of_net, of_tables = optimizers
        loss = F.mse_loss(self(batch[0], batch[1]), batch[2])
        of_net.zero_grad()
        of_tables.zero_grad()
        self.manual_backward(loss)
        of_net.step()
        if self.both:
            of_tables.step()
        self.log("fit/mse", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("fit/val_mse", F.mse_loss(self(batch[0], batch[1]), batch[2]))

    def configure_optimizers(self) -> Any:
        tables = [*self.parts.parameters(), *self.machines.parameters()]
        return (
            torch.optim.AdamW(self.net.parameters(), lr=3e-3, weight_decay=1e-3),
            torch.optim.AdamW(tables, lr=1e-2, weight_decay=0.05),
        )


def tables(both: bool) -> Program:
    (train, test), module = benches.fits(20000, 945), PartTables(both)

    def score() -> float:
        with torch.no_grad():
            error = F.mse_loss(module(test.part, test.machine), test.fit)
        return (1 - error / test.fit.var()).item()

    data = (
        DataLoader(TensorDataset(*train), 160, shuffle=True),
        DataLoader(TensorDataset(*test), 800),
    )
    return Program(module, *data, 12, score)


class CompiledStack(LightningModule):
    """A compiled stack of dense layers, norms and dropout."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((12, 64), (64, 64), (64, 32)):
            layers += [nn.Linear(before, after), activation(), nn.Dropout(0.05)]
        self.stack = nn.Sequential(*layers, nn.Linear(32, 1))
        self.compiled = torch.compile(self.run_through, backend="aot_eager")

    def run_through(self, x: Tensor) -> Tensor:
        found: Tensor = self.stack(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        return self.compiled(x).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/mse", F.mse_loss(found, batch[1]))
        self.log("val/mae", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 7)]


def stack(activation: type[nn.Module]) -> Program:
    data = benches.strains(3000, 12, 0.2, 946)
    module = CompiledStack(activation)
    return Program(module, *loaders(data, 60), 14, partial(r2, module, data))


class AlikeUnits(LightningModule):
    """Dense layers that begin as they are told."""

    def __init__(self, begin: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.one, self.two, self.out = nn.Linear(18, 50), nn.Linear(50, 50), nn.Linear(50, 5)
        for layer in (self.one, self.two, self.out):
            begin(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(F.elu(self.two(F.elu(self.one(x)))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("loss/train", loss)
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/val", F.cross_entropy(logits, batch[1]))
        self.log("acc/val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.02)


def alike(begin: Callable[[Tensor], Any]) -> Program:
    data, module = benches.gearboxes(2800, 18, 5, 947), AlikeUnits(begin)
    return Program(module, *loaders(data, 28), 12, partial(accuracy, module, data))


class SmallWeights(LightningModule):
    """Seven layers, weights drawn with a deviation; a warm-up by steps."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(64, 54), nn.SiLU()]
        for _ in range(5):
            layers += [nn.Linear(54, 54), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(54, 10))
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
                if deviation is None:
                    nn.init.kaiming_normal_(layer.weight)
                else:
                    nn.init.normal_(layer.weight, std=deviation)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net(3 * pixels - 1)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_nll", F.cross_entropy(logits, batch[1]))
        self.log("valid_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9)
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 50))
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def small_weights(deviation: float | None) -> Program:
    data, module = digits(), SmallWeights(deviation)
    return Program(module, *loaders(data, 52), 16, partial(accuracy, module, data))


class GatheredByHand(LightningModule):
    """Gradients of three batches gathered by hand; where they are cleared is told."""

    def __init__(self, before_step: bool, gather: int = 3) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.before_step, self.gather = before_step, gather
        bound = parametrizations.weight_norm
        self.net = nn.Sequential(
            bound(nn.Linear(20, 72)), nn.SiLU(), bound(nn.Linear(72, 36)), nn.SiLU(),
            nn.Linear(36, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.manual_backward(loss / self.gather)
        if (batch_idx + 1) % self.gather == 0:
            if self.before_step:
                optimizer.zero_grad()
            optimizer.step()
            optimizer.zero_grad()
        self.log("alarm/bce", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("alarm/val_bce", F.binary_cross_entropy_with_logits(logits, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def gathered(before_step: bool) -> Program:
    data, module = benches.alarms(2600, 948), GatheredByHand(before_step)

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, 22), 12, score)


CASES = (
    Case(
        "lamps-of-a-kind-by-roots-of-squares", Goal("accuracy", at_least=0.8),
        partial(lamp_distances, 0.0), ("non_finite",), partial(lamp_distances, 1e-6),
    ),
    Case(
        "gearboxes-half-precision-to-a-half", Goal("accuracy", at_least=0.6),
        partial(one_cycle, 0.5), ("learning_rate_too_high",), partial(one_cycle, 4e-3),
    ),
    Case(
        "fans-adadelta-at-adams-rate", Goal("accuracy", at_least=0.85),
        partial(adadelta, 1e-3), ("learning_rate_too_low",), partial(adadelta, 1.0),
    ),
    Case(
        "shaken-states-sixteen-whole-steps", Goal("R2", at_least=0.6), partial(shaker, 1.0),
        ("exploding_gradient", "non_finite"), partial(shaker, 1 / 16),
    ),
    Case(
        "gearboxes-nine-layers-kept-in-check-points", Goal("accuracy", at_least=0.6),
        partial(deep, nn.Sigmoid), ("vanishing_gradient",), partial(deep, nn.ReLU),
    ),
    Case(
        "strains-rectified-from-below-nesterov", Goal("R2", at_least=0.6),
        partial(rectified, -3.0), ("dead_relu", "poor_initialization"), partial(rectified, 0.0),
    ),
    Case(
        "alarms-tanh-averaged-at-the-end", Goal("accuracy", at_least=0.8),
        partial(tanh_press, 1.0), ("saturated_activation", "poor_initialization"),
        partial(tanh_press, None),
    ),
    Case(
        "drills-two-to-a-nesterov-step", Goal("accuracy", at_least=0.78),
        partial(pairs, 2, 0.03, 5), ("unstable_loss", "learning_rate_too_high"),
        partial(pairs, 32, 0.01, 12),
    ),
    Case(
        "strains-in-pascals-and-volts-of-doubles", Goal("R2", at_least=0.7),
        partial(logger, False), ("unnormalized_input",), partial(logger, True),
    ),
    Case(
        "dials-of-six-shares-asked-again", Goal("cross-entropy", at_most=0.5),
        partial(dials, nn.Softmax(1)), ("output_loss_mismatch",), partial(dials, nn.Identity()),
    ),
    Case(
        "cells-longest-first-for-packing", Goal("R2", at_least=0.8), partial(runs, False),
        ("inconsistent_labels",), partial(runs, True),
    ),
    Case(
        "press-states-most-of-them-sound", Goal("balanced accuracy", at_least=0.7),
        partial(states, False), ("class_imbalance",), partial(states, True),
    ),
    Case(
        "worksheets-few-notes-wide-bags", Goal("cross-entropy", at_most=1.2),
        partial(few_notes, 256, 0.0, 0.0, 40), ("overfitting",),
        partial(few_notes, 64, 0.5, 0.1, 16),
    ),
    Case(
        "digits-radam-with-decay-and-averages", Goal("accuracy", at_least=0.93),
        partial(shrunk, 0.1), ("over_regularized",), partial(shrunk, 1e-4),
    ),
    Case(
        "dials-two-by-two-gathered-to-thirty-two", Goal("accuracy", at_least=0.85),
        partial(two_dials, batch_norm), ("train_eval_mismatch",), partial(two_dials, group_norm),
    ),
    Case(
        "spare-parts-one-of-two-optimizers-waits", Goal("R2", at_least=0.6),
        partial(tables, False), ("frozen_parameter",), partial(tables, True),
    ),
    Case(
        "beams-compiled-stack-with-dropout", Goal("R2", at_least=0.85),
        partial(stack, nn.Identity), ("linear_network",), partial(stack, nn.ReLU),
    ),
    Case(
        "gearboxes-fiftieths-by-adagrad", Goal("accuracy", at_least=0.6),
        partial(alike, partial(nn.init.constant_, val=0.02)),
        ("symmetric_weights", "poor_initialization"), partial(alike, nn.init.xavier_uniform_),
    ),
    Case(
        "digits-seven-layers-hundredths-warmed-up", Goal("accuracy", at_least=0.9),
        partial(small_weights, 0.01), ("poor_initialization", "vanishing_gradient"),
        partial(small_weights, None),
    ),
    Case(
        "alarms-gathered-and-cleared-by-hand", Goal("accuracy", at_least=0.82),
        partial(gathered, True), ("not_learning", "frozen_parameter"), partial(gathered, False),
    ),
)  # fmt: skip
