"""What a comparison of fault detectors injects, one change to each network."""

from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import trials
from data_sets.samples import Samples, diabetes, loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp, reset
from scores import accuracy, balanced_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset


class Subject(LightningModule):
    """A network under test: any classifier with any optimizer."""

    def __init__(self, model: nn.Module, optimizer: Any, loss_fn: Any = F.cross_entropy) -> None:
        super().__init__()
        self.model, self.optimizer_fn, self.loss_fn = model, optimizer, loss_fn

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_hat = self(x)
        loss: Tensor = self.loss_fn(y_hat, y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/acc", (y_hat.argmax(1) == y).float().mean(), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_hat = self(x)
        self.log("val/loss", self.loss_fn(y_hat, y))
        self.log("val/acc", (y_hat.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return self.optimizer_fn(self.parameters())


def subject(
    data: Samples, model: nn.Module, optimizer: Any, batch_size: int, epochs: int,
    loss_fn: Any = F.cross_entropy, score: Any = accuracy, validated: bool = True,
) -> Program:  # fmt: skip
    module = Subject(model, optimizer, loss_fn)
    train, val = loaders(data, batch_size)
    return Program(module, train, val if validated else None, epochs, partial(score, module, data))


def sgd(lr: float, **options: Any) -> Any:
    return partial(torch.optim.SGD, lr=lr, **{"momentum": 0.9, **options})


def adam(lr: float, **options: Any) -> Any:
    return partial(torch.optim.Adam, lr=lr, **options)


def flat(sizes: list[int], *arguments: Any, **options: Any) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), mlp(sizes, *arguments, **options))


def log_cosh(error: Tensor) -> Tensor:
    return torch.log(torch.cosh(error)).mean()


def stable_log_cosh(error: Tensor) -> Tensor:
    return (error.abs() + F.softplus(-2 * error.abs()) - 0.6931).mean()


class Progression(LightningModule):
    """How far diabetes is after a year, in points from the mean on, by log-cosh."""

    def __init__(self, loss: Any, mean: float) -> None:
        super().__init__()
        self.loss = loss
        self.net = mlp([10, 48, 24, 1])
        nn.init.constant_(cast("nn.Linear", self.net[-1]).bias, mean)

    def forward(self, x: Tensor) -> Tensor:
        points: Tensor = self.net(x)
        return points.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self(batch[0]) - batch[1])
        self.log("log_cosh", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", (self(batch[0]) - batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=1e-3)


def progression(loss: Any) -> Program:
    data = standardized(diabetes())
    module = Progression(loss, data.y.mean().item())
    return Program(module, *loaders(data, 24), 15, partial(r2, module, data))


def deep_drawn(gain: float) -> Program:
    """Fourteen rectified layers; He's deviation times a gain."""
    network = flat([196, *[96] * 14, 10])

    def draw(weight: Tensor) -> Tensor:
        return nn.init.normal_(weight, std=gain * (2 / weight.shape[1]) ** 0.5)

    reset(network, draw)
    return subject(trials.clothes(3000), network, sgd(5e-3), 60, 8)


def eight_deep(activation: Any) -> Program:
    network = flat([196, *[80] * 8, 10], activation)
    return subject(trials.clothes(5000), network, adam(1e-3), 50, 8, validated=False)


def first_steps(lr: float) -> Program:
    network = flat([196, 128, 128, 64, 10])
    return subject(trials.clothes(4000), network, sgd(lr), 64, 8)


def widened(live: bool, kept: int = 3, width: int = 64) -> Program:
    """A small net of shells made wider: the new units' weights, in and out, filled with zeros."""
    data = trials.shells(3, 5)
    small = mlp([5, kept, 3])
    optimizer = torch.optim.Adam(small.parameters(), lr=5e-3)
    for x, y in loaders(data, 50)[0]:
        optimizer.zero_grad()
        F.cross_entropy(small(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    large = mlp([5, width, 3])
    with torch.no_grad():
        old, new = ([net[0], net[2]] for net in (small, large))
        first, last = cast("list[nn.Linear]", new)
        if not live:
            first.weight.zero_()
            first.bias.zero_()
        last.weight.zero_()
        first.weight[:kept] = cast("nn.Linear", old[0]).weight
        first.bias[:kept] = cast("nn.Linear", old[0]).bias
        last.weight[:, :kept] = cast("nn.Linear", old[1]).weight
        last.bias.copy_(cast("nn.Linear", old[1]).bias)
    return subject(data, large, adam(5e-3), 50, 20)


def squashed(deviation: float | None) -> Program:
    """Sigmoids; the hidden layers' weights are normal numbers of some deviation."""
    hidden = [nn.Linear(24, 96), nn.Sigmoid(), nn.Linear(96, 48), nn.Sigmoid()]
    network = nn.Sequential(*hidden, nn.Linear(48, 4))
    for layer in hidden[::2] if deviation is not None else ():
        nn.init.normal_(cast("nn.Linear", layer).weight, std=deviation or 0.0)
    return subject(trials.columns(apart=1.5), network, adam(5e-3), 64, 15)


class ProcessGRU(LightningModule):
    """The mean of a GRU's states."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru, self.cls = nn.GRU(1, 56, 2, batch_first=True), nn.Linear(56, 5)

    def forward(self, seq: Tensor) -> Tensor:
        logits: Tensor = self.cls(self.gru(seq)[0].mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_ce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log_dict({
            "val_ce": F.cross_entropy(out, batch[1]),
            "val_acc": (out.argmax(1) == batch[1]).float().mean(),
        })  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def process_states(lr: float) -> Program:
    data, module = trials.processes(), ProcessGRU(lr)
    return Program(module, *loaders(data, 40), 8, partial(accuracy, module, data))


class OpinionCNN(LightningModule):
    """Filters over pairs of words, and the mean of what they find."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.embed = nn.Embedding(trials.WORDS, 32)
        self.conv, self.out = nn.Conv1d(32, 64, 2), nn.Linear(64, 2)

    def forward(self, ids: Tensor) -> Tensor:
        h = F.relu(self.conv(self.embed(ids).transpose(1, 2)))
        logits: Tensor = self.out(h.mean(2))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch["ids"]), batch["label"])
        self.log("loss", loss, batch_size=len(batch["label"]))
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        right = self(batch["ids"]).argmax(1) == batch["label"]
        self.log("val_accuracy", right.float().mean(), batch_size=len(right))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        return [optimizer], [lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=8)]


def rows(x: Tensor, y: Tensor) -> Any:
    return cast("Dataset[Any]", [{"ids": a, "label": b} for a, b in zip(x, y, strict=True)])


def opinions(lr: float = 4e-3, shift: int = 0) -> Program:
    """With ``shift``, the labels' file has its heading cut off twice."""
    data, module = trials.opinions(), OpinionCNN(lr)
    train: Any = DataLoader(rows(data.x, data.y.roll(-shift)), 64, shuffle=True)
    val: Any = DataLoader(rows(data.x_test, data.y_test), 256)
    return Program(module, train, val, 6, partial(accuracy, module, data))


class SquaresNet(LightningModule):
    """Ten numbers, one answer; the loss of each step is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([10, 64, 64, 1])

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("step_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("dev_loss", F.binary_cross_entropy_with_logits(logit, batch[1].float()))
        self.log("dev_acc", ((logit > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def squares(batch_size: int) -> Program:
    data, module = trials.hastie(5000), SquaresNet()

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, batch_size), 6 if batch_size < 8 else 20, score)


def convolutional(width: int = 20) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * width, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def drawn_filters(draw: Any) -> Program:
    network = convolutional()
    if draw is not None:
        reset(network, draw)
    return subject(trials.clothes(4000), network, adam(1e-3), 64, 6)


def equal_weights(value: float | None) -> Program:
    network = mlp([20, 72, 36, 12], nn.Tanh)
    if value is not None:
        reset(network, partial(nn.init.constant_, val=value), value)
    return subject(trials.islands(12, 150, spread=5.0), network, adam(3e-3), 32, 10)


class Impedance(LightningModule):
    """Two layers of tanh, and a line."""

    def __init__(self, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2, self.fc3 = nn.Linear(4, 50), nn.Linear(50, 50), nn.Linear(50, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.fc2(torch.tanh(self.fc1(x))))
        return cast("Tensor", self.fc3(hidden)).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def circuits(prepared: bool) -> Program:
    data, module = trials.circuits(), Impedance()
    data = standardized(data) if prepared else data
    return Program(module, *loaders(data, 50), 25, partial(r2, module, data))


def thirty_islands(*last: nn.Module) -> Program:
    """Thirty kinds, and perhaps one more activation behind the last layer."""
    network = nn.Sequential(mlp([20, 128, 30]), *last)
    return subject(trials.islands(30, 80, spread=4.0), network, adam(2e-3), 48, 12)


def rare(weight: bool) -> Program:
    """Of a hundred rows, ninety-six are of one kind."""
    data = trials.columns(3, weights=(0.96, 0.025, 0.015), apart=0.9, count=8000)
    loss: Any = F.cross_entropy
    if weight:
        shares = torch.bincount(data.y) / len(data.y)
        loss = partial(F.cross_entropy, weight=1 / (3 * shares))
    network = mlp([24, 32, 3])
    return subject(data, network, adam(2e-3), 128, 12, loss, score=balanced_accuracy)


def few_columns(careful: bool) -> Program:
    data = trials.columns(4, wrong=0.1).first(160)
    if not careful:
        return subject(data, mlp([24, 256, 256, 4]), adam(1e-3), 20, 60, score=cross_entropy)
    network = mlp([24, 64, 4], dropout=0.5)
    decayed = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.1)
    return subject(data, network, decayed, 20, 25, score=cross_entropy)


class Regularized(Subject):
    """Keras's ``kernel_regularizer=l2(...)``, written out."""

    def __init__(self, model: nn.Module, optimizer: Any, l2: float) -> None:
        super().__init__(model, optimizer)
        self.l2 = l2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        squares = [p.square().sum() for p in self.parameters() if p.ndim > 1]
        return loss + self.l2 * torch.stack(squares).sum()


def kernels(l2: float) -> Program:
    data, module = trials.clothes(4000), Regularized(convolutional(), adam(2e-3), l2)
    return Program(module, *loaders(data, 50), 6, partial(accuracy, module, data))


class NormedNet(LightningModule):
    """Convolutions and BatchNorm of a chosen momentum; the score after each epoch."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 32)):
            norm = nn.BatchNorm2d(after, momentum=momentum)
            layers += [nn.Conv2d(before, after, 3, bias=False), norm, nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten())
        self.classifier = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        out = self(batch[0])
        loss = F.cross_entropy(out, batch[1])
        accuracy = (out.argmax(1) == batch[1]).float().mean()
        self.log_dict({"loss": loss, "acc": accuracy}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        accuracy = (out.argmax(1) == batch[1]).float().mean()
        self.log_dict({"val_loss": F.cross_entropy(out, batch[1]), "val_acc": accuracy})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def normed(momentum: float) -> Program:
    data, module = trials.clothes(3000), NormedNet(momentum)
    return Program(module, *loaders(data, 100), 6, partial(accuracy, module, data))


class ListedLayers(LightningModule):
    """Hidden layers in a list, of Python or of PyTorch."""

    def __init__(self, registered: bool) -> None:
        super().__init__()
        hidden = [nn.Linear(5, 40), nn.Linear(40, 40), nn.Linear(40, 40), nn.Linear(40, 40)]
        self.hidden: Any = nn.ModuleList(hidden) if registered else hidden
        self.readout = nn.Linear(40, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = F.relu(layer(x))
        logits: Tensor = self.readout(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("val_nll", F.cross_entropy(out, batch[1]))
        self.log("val_accuracy", (out.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def listed(registered: bool) -> Program:
    data, module = trials.shells(4, 5), ListedLayers(registered)
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


class RingModel(LightningModule):
    """Is a point on the inner ring? Three layers."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.net = mlp([2, 24, 24, 1], activation)

    def forward(self, point: Tensor) -> Tensor:
        logit: Tensor = self.net(point)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.8)


def rings(activation: Any) -> Program:
    data, module = trials.rings(), RingModel(activation)

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, 28), 20, score)


_CASES = (
    Case(
        "diabetes-points-by-log-cosh", Goal("R2", at_least=0.3),
        partial(progression, log_cosh), ("non_finite", "output_loss_mismatch"),
        partial(progression, stable_log_cosh),
    ),
    Case(
        "clothes-fourteen-drawn-layers", Goal("accuracy", at_least=0.7),
        partial(deep_drawn, 1.4), ("exploding_gradient", "poor_initialization", "non_finite"),
        partial(deep_drawn, 1.0),
    ),
    Case(
        "clothes-eight-of-eighty-units", Goal("accuracy", at_least=0.7),
        partial(eight_deep, nn.Sigmoid), ("vanishing_gradient",), partial(eight_deep, nn.ReLU),
    ),
    Case(
        "clothes-three-dense-layers-momentum", Goal("accuracy", at_least=0.75),
        partial(first_steps, 0.5), ("dead_relu", "learning_rate_too_high"),
        partial(first_steps, 0.01),
    ),
    Case(
        "shells-three-units-made-sixty-four", Goal("accuracy", at_least=0.85),
        partial(widened, False),
        ("dormant_units", "dead_relu", "symmetric_weights", "poor_initialization"),
        partial(widened, True),
    ),
    Case(
        "columns-three-layers-of-logistic-units", Goal("accuracy", at_least=0.85),
        partial(squashed, 4.0), ("saturated_activation", "poor_initialization"),
        partial(squashed, None),
    ),
    Case(
        "autoregressions-two-gru-layers", Goal("accuracy", at_least=0.85),
        partial(process_states, 0.2), ("learning_rate_too_high",), partial(process_states, 5e-3),
    ),
    Case(
        "opinions-pairs-of-words-filtered", Goal("accuracy", at_least=0.75),
        partial(opinions, 4e-6), ("learning_rate_too_low",), opinions,
    ),
    Case(
        "squares-of-ten-a-logit", Goal("accuracy", at_least=0.88),
        partial(squares, 2), ("unstable_loss", "learning_rate_too_high"), partial(squares, 50),
    ),
    Case(
        "clothes-two-convolutions-drawn", Goal("accuracy", at_least=0.75),
        partial(drawn_filters, nn.init.normal_), ("poor_initialization", "exploding_gradient"),
        partial(drawn_filters, nn.init.kaiming_normal_),
    ),
    Case(
        "islands-twelve-tanh", Goal("accuracy", at_least=0.8),
        partial(equal_weights, 0.05), ("symmetric_weights", "poor_initialization"),
        partial(equal_weights, None),
    ),
    Case(
        "circuits-impedance-of-four-parts", Goal("R2", at_least=0.85),
        partial(circuits, False), ("unnormalized_input", "saturated_activation"),
        partial(circuits, True),
    ),
    Case(
        "islands-thirty-log-loss", Goal("accuracy", at_least=0.9),
        partial(thirty_islands, nn.ReLU(), nn.Softmax(1)), ("output_loss_mismatch",),
        thirty_islands,
    ),
    Case(
        "opinions-labels-in-a-file-of-their-own", Goal("accuracy", at_least=0.75),
        partial(opinions, 4e-3, 1), ("inconsistent_labels",), opinions,
    ),
    Case(
        "columns-three-kinds-of-rows", Goal("recall", at_least=0.7),
        partial(rare, False), ("class_imbalance",), partial(rare, True),
    ),
    Case(
        "columns-a-hundred-and-sixty", Goal("log loss", at_most=1.1),
        partial(few_columns, False), ("overfitting",), partial(few_columns, True),
    ),
    Case(
        "clothes-kernels-regularized", Goal("accuracy", at_least=0.75),
        partial(kernels, 0.2), ("over_regularized",), partial(kernels, 1e-4),
    ),
    Case(
        "clothes-three-normed-convolutions", Goal("accuracy", at_least=0.75),
        partial(normed, 0.001), ("train_eval_mismatch",), partial(normed, 0.1),
    ),
    Case(
        "shells-layers-kept-in-a-list", Goal("accuracy", at_least=0.8),
        partial(listed, False), ("frozen_parameter",), partial(listed, True),
    ),
    Case(
        "rings-three-layers-momentum", Goal("accuracy", at_least=0.93),
        partial(rings, None), ("linear_network",), partial(rings, nn.ReLU),
    ),
)  # fmt: skip
CASES = tuple(case for case in _CASES if trials.CLOTHES.exists() or "clothes" not in case.name)
