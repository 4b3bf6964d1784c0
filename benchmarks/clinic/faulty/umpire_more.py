"""More of what an umpire would try a tool with: tables, series, pictures and sets."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, umpire
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ArticleLabels(LightningModule):
    """Eight labels, each with a logit of its own."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(20, 96), nn.Linear(96, 64)
        self.out = nn.Linear(64, umpire.LABELS)
        for layer in (self.fc1, self.fc2, self.out):
            draw(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.fc2(F.relu(self.fc1(x)))))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits, labels = self(batch[0]), batch[1]
        self.log("val_bce", F.binary_cross_entropy_with_logits(logits, labels))
        self.log("val_right", ((logits > 0) == (labels > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.03)


def labels_right(module: LightningModule, data: Samples) -> float:
    module.eval()
    with torch.no_grad():
        return ((module(data.x_test) > 0) == (data.y_test > 0)).float().mean().item()


def small(weight: Tensor) -> Tensor:
    return nn.init.constant_(weight, 0.05)


def article_labels(draw: Callable[[Tensor], Any] = small) -> Program:
    data = umpire.articles()
    module = ArticleLabels(draw)
    return Program(module, *loaders(data, 32), 12, partial(labels_right, module, data))


class WineTable(LightningModule):
    """Which of three wines? Two hidden layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3)
        )
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.criterion(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def wine_table(scale: bool = False) -> Program:
    """Acids of some units beside proline of a thousand."""
    data = standardized(samples.wine()) if scale else samples.wine()
    module = WineTable()
    return Program(module, *loaders(data, 16), 30, partial(accuracy, module, data))


class DemandLSTM(LightningModule):
    """The next value of a standardised demand."""

    def __init__(self, rectified: bool) -> None:
        super().__init__()
        self.rectified = rectified
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, window: Tensor) -> Tensor:
        out = self.fc(self.lstm(window[..., None])[0][:, -1])[:, 0]
        return F.relu(out) if self.rectified else out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, target = batch
        loss = F.mse_loss(self(window), target)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, target = batch
        self.log("val_mse", F.mse_loss(self(window), target))
        self.log("val_mae", F.l1_loss(self(window), target))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def demand_lstm(rectified: bool = True) -> Program:
    """Demand is never negative, so its output is rectified; but the targets are standardised."""
    data = scaled_targets(umpire.demand())
    module = DemandLSTM(rectified)
    return Program(module, *loaders(data, 32), 7, partial(r2, module, data))


class BasicBlock(nn.Module):
    """Two convolutions with BatchNorm beside a shortcut."""

    def __init__(self, inner: int, outer: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer, momentum=momentum)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer, momentum=momentum)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class SmallResNet(LightningModule):
    """Three blocks and an average."""

    def __init__(self, classes: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            BasicBlock(1, 8, 1, momentum), BasicBlock(8, 16, 2, momentum),
            BasicBlock(16, 32, 2, momentum),
        )  # fmt: skip
        self.fc = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).mean((2, 3)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)]


class Shuffled(Dataset[tuple[Tensor, Tensor]]):
    """Pictures and labels, each in an order of their own."""

    def __init__(self, x: Tensor, y: Tensor, both: bool) -> None:
        order = torch.randperm(len(x))
        self.x, self.y = x[order], y[order if both else torch.randperm(len(y))]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


def shuffled_shapes(both: bool = False) -> Program:
    data = umpire.shapes()
    module = SmallResNet(6)
    train = DataLoader(Shuffled(data.x, data.y, both), 32)
    _, validation = loaders(data, 32)
    return Program(module, train, validation, 6, partial(accuracy, module, data))


def slow_averages(momentum: float = 0.001) -> Program:
    """The momentum of another framework, where it is one minus ours."""
    data = umpire.shapes()
    module = SmallResNet(6, momentum)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class MachineGRU(LightningModule):
    """A state from the last of a GRU's."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 16, 5, 2, 2)
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.fc = nn.Linear(32, 4)
        self.criterion = nn.CrossEntropyLoss(weight)

    def forward(self, windows: Tensor) -> Tensor:
        states, _ = self.gru(F.relu(self.conv(windows)).mT)
        return self.fc(states.mean(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, state = batch
        loss: Tensor = self.criterion(self(windows), state)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def machine_gru(weighed: bool = False) -> Program:
    """Nine of ten windows are of machines that run well."""
    data = umpire.rare_machines()
    counts = data.y.bincount(minlength=4).float()
    module = MachineGRU(counts.sum() / (4 * counts) if weighed else None)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 10, partial(balanced_accuracy, module, data))


class GeneMLP(LightningModule):
    """Two hundred expressions of a hundred and fifty patients."""

    def __init__(self, careful: bool) -> None:
        super().__init__()
        self.careful = careful
        drop = 0.6 if careful else 0.0
        self.net = nn.Sequential(
            nn.Linear(200, 128), nn.ReLU(), nn.Dropout(drop), nn.Linear(128, 64), nn.ReLU(),
            nn.Dropout(drop), nn.Linear(64, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_callbacks(self) -> list[Any]:
        return [EarlyStopping("val_loss", patience=3)] if self.careful else []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = 0.1 if self.careful else 0.0
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=decay)


def gene_mlp(careful: bool = False) -> Program:
    data = umpire.genes()
    module = GeneMLP(careful)
    return Program(module, *loaders(data, 16), 60, partial(cross_entropy, module, data))


class TripQuantiles(LightningModule):
    """Three quantiles of a trip's minutes."""

    levels: Tensor

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def pinball(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        error = y[:, None] - self(x)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=self.decay)


def trip_quantiles(decay: float = 0.03) -> Program:
    """The decay that people give AdamW, in Adam."""
    data = scaled_targets(umpire.trips())
    module = TripQuantiles(decay)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 48), 12, score)


class SetBlock(nn.Module):
    """Attention among the points of a set, and a layer for each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.attend(x, x, x, need_weights=False)[0])
        return self.norm2(x + self.mlp(x))  # type: ignore[no-any-return]


class SwarmCounter(LightningModule):
    """How many swarms are the points of? A set transformer, with an average for the pooling."""

    def __init__(self, all_parts: bool, width: int = 32) -> None:
        super().__init__()
        self.all_parts = all_parts
        self.backbone = nn.Sequential(nn.Linear(2, width), SetBlock(width), SetBlock(width))
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, points: Tensor) -> Tensor:
        return self.classifier(self.backbone(points).mean(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        points, count = batch
        loss = F.cross_entropy(self(points), count)
        self.log("ce_train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, count = batch
        self.log("ce_val", F.cross_entropy(self(points), count))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learnt = self if self.all_parts else self.classifier
        return torch.optim.Adam(learnt.parameters(), lr=2e-3)


def swarm_counter(all_parts: bool = False) -> Program:
    """The optimiser of the fine-tuning script, though nothing was learnt before."""
    data = umpire.swarms()
    module = SwarmCounter(all_parts)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class VisitCounts(LightningModule):
    """How often a patient sees a doctor in the years observed: a log rate, and Poisson's loss."""

    def __init__(self, act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms of what is expected."""
        return self.net(x[:, :8])[:, 0] + x[:, 8].log()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("poisson_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_poisson_nll", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the deviance that a rate common to all leaves."""
    module.eval()
    with torch.no_grad():
        expected = module(data.x_test).exp()
    common = data.x_test[:, 8] * data.y.sum() / data.x[:, 8].sum()

    def deviance(mean: Tensor) -> Tensor:
        y = data.y_test
        return (torch.xlogy(y, y / mean) - y + mean).sum()

    return (1 - deviance(expected) / deviance(common)).item()


def visit_counts(act: Callable[[], nn.Module] = nn.Identity) -> Program:
    data = umpire.visits()
    module = VisitCounts(act)
    return Program(module, *loaders(data, 32), 10, partial(explained, module, data))


def convolutions(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1), nn.GroupNorm(4, outer), nn.ReLU(),
        nn.Conv2d(outer, outer, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


class DiskUNet(LightningModule):
    """Which pixels are the disk's? Two levels down and up."""

    def __init__(self, everywhere: bool) -> None:
        super().__init__()
        self.everywhere = everywhere
        self.down1, self.down2 = convolutions(1, 8), convolutions(8, 16)
        self.middle = convolutions(16, 32)
        self.up2, self.up1 = convolutions(48, 16), convolutions(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def net(self, x: Tensor) -> Tensor:
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.middle(F.max_pool2d(b, 2))
        b = self.up2(torch.cat([b, F.interpolate(c, scale_factor=2.0)], 1))
        return self.out(self.up1(torch.cat([a, F.interpolate(b, scale_factor=2.0)], 1)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.prepared(x) if self.everywhere else x)

    def prepared(self, x: Tensor) -> Tensor:
        return (x - 90) / 60

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        image = self.prepared(image)
        if torch.rand(()) < 0.5:
            image, mask = image.flip(3), mask.flip(3)
        loss = F.binary_cross_entropy_with_logits(self.net(image), mask)
        self.log("seg_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, mask = batch
        self.log("val_seg_loss", F.binary_cross_entropy_with_logits(self(image), mask))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union of all masks."""
    module.eval()
    with torch.no_grad():
        found = module(data.x_test) > 0
    mask = data.y_test > 0.5
    return ((found & mask).sum() / (found | mask).sum()).item()


def disk_unet(everywhere: bool = False) -> Program:
    """Only the training step prepares the pictures, whose pixels are bytes."""
    data = umpire.scenes()
    data = data.with_inputs(*(((x + 0.6) * 110).clamp(0, 255) for x in (data.x, data.x_test)))
    module = DiskUNet(everywhere)
    return Program(module, *loaders(data, 16), 12, partial(overlap, module, data))


class RegimeMixture(LightningModule):
    """Four linear experts, and a gate."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.gate = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
        self.experts = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return (self.gate(x).softmax(-1) * self.experts(x)).sum(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, self.decay)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def regime_mixture(decay: float = 0.95) -> Program:
    """A twentieth less after each epoch, as was meant; it is after each step."""
    data = scaled_targets(umpire.experts())
    module = RegimeMixture(decay)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


CASES = (
    Case(
        "article-labels-with-like-units", Goal("labels right", at_least=0.75), article_labels,
        ("symmetric_weights", "poor_initialization"),
        partial(article_labels, nn.init.kaiming_normal_),
    ),
    Case(
        "wines-in-their-own-units", Goal("accuracy", at_least=0.92), wine_table,
        ("unnormalized_input",), partial(wine_table, True),
    ),
    Case(
        "demand-forecast-never-negative", Goal("R2", at_least=0.8), demand_lstm,
        ("output_loss_mismatch",), partial(demand_lstm, False),
    ),
    Case(
        "drawn-shapes-shuffled-without-labels", Goal("accuracy", at_least=0.85),
        shuffled_shapes, ("inconsistent_labels", "not_learning"), partial(shuffled_shapes, True),
    ),
    Case(
        "machine-windows-mostly-normal", Goal("balanced accuracy", at_least=0.7), machine_gru,
        ("class_imbalance",), partial(machine_gru, True),
    ),
    Case(
        "gene-expressions-learnt-by-heart", Goal("cross-entropy", at_most=0.68), gene_mlp,
        ("overfitting",), partial(gene_mlp, True),
    ),
    Case(
        "trip-quantiles-decayed-by-adam", Goal("pinball loss", at_most=0.11), trip_quantiles,
        ("over_regularized",), partial(trip_quantiles, 1e-4),
    ),
    Case(
        "drawn-shapes-with-slow-averages", Goal("accuracy", at_least=0.85), slow_averages,
        ("train_eval_mismatch",), partial(slow_averages, 0.1),
    ),
    Case(
        "swarms-counted-by-a-head-alone", Goal("accuracy", at_least=0.9), swarm_counter,
        ("frozen_parameter",), partial(swarm_counter, True),
    ),
    Case(
        "doctor-visits-by-layers-in-a-row", Goal("explained deviance", at_least=0.45),
        visit_counts, ("linear_network",), partial(visit_counts, nn.ReLU),
    ),
    Case(
        "disk-masks-prepared-in-training-alone", Goal("intersection over union", at_least=0.6),
        disk_unet, ("train_eval_mismatch", "unnormalized_input"), partial(disk_unet, True),
    ),
    Case(
        "regimes-with-a-rate-that-falls-each-step", Goal("R2", at_least=0.65), regime_mixture,
        ("learning_rate_too_low",), partial(regime_mixture, 0.998),
    ),
)  # fmt: skip
