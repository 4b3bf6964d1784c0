"""A benchmark of detectors: plain networks on plain data, one thing changed in each."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import ablations
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn


def dense(
    sizes: list[int], activation: Callable[[], nn.Module] | None, dropout: float = 0.0
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers.append(nn.Linear(before, after))
        if activation is not None:
            layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class Subject(LightningModule):
    """A network under test: its loss, how it is optimised, and what is logged."""

    def __init__(
        self,
        net: nn.Module,
        objective: Callable[[Tensor, Tensor], Tensor],
        optim: Callable[..., torch.optim.Optimizer],
        metric: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.net, self.objective, self.optim, self.metric = net, objective, optim, metric

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.objective(self(x), y)
        self.log("train/objective", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("test/objective", self.objective(out, y))
        if self.metric is not None:
            self.log("test/metric", self.metric(out, y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optim(self.net.parameters())


def right(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(-1) == y).float().mean()


def classify(
    data: Samples,
    net: nn.Module,
    optim: Callable[..., torch.optim.Optimizer],
    *,
    batch: int,
    epochs: int,
    objective: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    score: Callable[..., float] = accuracy,
    **trainer: Any,
) -> Program:
    module = Subject(net, objective, optim, right)
    return Program(module, *loaders(data, batch), epochs, partial(score, module, data), trainer)


def sgd(lr: float, momentum: float = 0.9, **options: Any) -> Callable[..., torch.optim.Optimizer]:
    return partial(torch.optim.SGD, lr=lr, momentum=momentum, **options)


def adam(lr: float) -> Callable[..., torch.optim.Optimizer]:
    return partial(torch.optim.Adam, lr=lr)


class Halves(LightningModule):
    """Says black or white of a point, and writes its cross-entropy down as in the book."""

    def __init__(self, stable: bool) -> None:
        super().__init__()
        self.stable = stable
        self.body = dense([2, 128, 128, 64], nn.ReLU)
        self.last = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.last(self.body(x))[:, 0]
        return logit

    def bce(self, logit: Tensor, y: Tensor) -> Tensor:
        if self.stable:
            return F.binary_cross_entropy_with_logits(logit, y)
        p = torch.sigmoid(logit)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.bce(self(batch[0]), batch[1].float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", self.bce(logit, batch[1].float()))
        self.log("val_hit", ((logit > 0) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=6e-3)


def halves(stable: bool) -> Program:
    data, module = ablations.checkerboard(), Halves(stable)
    return Program(module, *loaders(data, 48), 45, partial(binary_accuracy, module, data))


def drawn(gain: float) -> Program:
    """Thirteen layers of ReLUs; the root of two keeps a signal as large as it was."""
    net = nn.Sequential(dense([20] + 13 * [56], nn.ReLU), nn.Linear(56, 6))
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=gain / layer.in_features**0.5)
            nn.init.zeros_(layer.bias)
    return classify(ablations.mixtures(), net, adam(1e-3), batch=40, epochs=12)


def deep(activation: type[nn.Module]) -> Program:
    """Nine hidden layers, once of sigmoids."""
    net = nn.Sequential(dense([2] + 9 * [30], activation), nn.Linear(30, 4))
    return classify(ablations.rings(), net, adam(2e-3), batch=60, epochs=20)


def lines(lr: float) -> Program:
    """Three layers of ReLUs, and a target far from zero that was left as it is."""
    data = ablations.roll()
    data = data._replace(y=7 * data.y + 60, y_test=7 * data.y_test + 60)
    net = nn.Sequential(dense([3, 50, 50, 50], nn.ReLU), nn.Linear(50, 1), nn.Flatten(0))
    module = Subject(net, F.smooth_l1_loss, sgd(lr))
    return Program(module, *loaders(data, 40), 40, partial(r2, module, data))


class Layer(nn.Module):
    """Written by hand: weights of deviation one, or one over the root of the inputs."""

    def __init__(self, inputs: int, units: int, scaled: bool) -> None:
        super().__init__()
        weight = torch.randn(inputs, units)
        self.w = nn.Parameter(weight / inputs**0.5 if scaled else weight)
        self.b = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.w + self.b)


def squashed(scaled: bool) -> Program:
    net = nn.Sequential(
        Layer(20, 200, scaled), Layer(200, 200, scaled), Layer(200, 200, scaled),
        Layer(200, 200, scaled), nn.Linear(200, 6),
    )  # fmt: skip
    return classify(ablations.mixtures(), net, sgd(0.02), batch=32, epochs=10)


class Attender(nn.Module):
    """Embedded words, two layers of attention with the norms last, and the mean of all."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.words = nn.Embedding(ablations.WORDS, width)
        layer = nn.TransformerEncoderLayer(width, 4, 80, 0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2)
        self.out = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.layers(self.words(x)).mean(1))
        return logits


def attender(lr: float) -> Program:
    return classify(ablations.topics(), Attender(), adam(lr), batch=50, epochs=8)


class Listener(nn.Module):
    """A GRU over a signal, and what it says at the end."""

    def __init__(self, batch_first: bool = True, hidden: int = 40) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=batch_first)
        self.out = nn.Linear(hidden, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.gru(x)[0][:, -1])
        return logits


def listener(lr: float) -> Program:
    optim = partial(torch.optim.AdamW, lr=lr, weight_decay=0.01)
    data = ablations.strips()
    cut = 1500
    x = data.x.flip(1)
    samples = Samples(x[:cut], data.y[:cut], x[cut:], data.y[cut:])
    return classify(samples, Listener(), optim, batch=30, epochs=16)


def beats(batch_first: bool) -> Program:
    """The recurrent layer takes time to come first, as it does unless it is told."""
    data = ablations.beats()
    return classify(
        data, Listener(batch_first, 56), adam(5e-3), batch=36, epochs=30, gradient_clip_val=1.0
    )


def pairs_and_singles(batch: int, momentum: float = 0.95) -> Program:
    """Steps on one row each, and much momentum."""
    data = ablations.mixtures()
    net = nn.Sequential(dense([20, 70, 70], nn.ReLU), nn.Linear(70, 6))
    return classify(data, net, sgd(0.004, momentum), batch=batch, epochs=8)


def columns(std: float | None) -> nn.Module:
    """Eight convolutions in a row, as of before norms."""
    widths = [1, 16, 16, 24, 24, 32, 32, 32, 32]
    layers: list[nn.Module] = []
    for k, (before, after) in enumerate(pairwise(widths)):
        conv = nn.Conv2d(before, after, 3, padding=1)
        if std is None:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        else:
            nn.init.normal_(conv.weight, std=std)
        nn.init.zeros_(conv.bias)
        layers += [conv, nn.ReLU()]
        if k in (1, 3):
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 6))


def stacked(std: float | None) -> Program:
    return classify(ablations.glyphs(), columns(std), sgd(0.02), batch=32, epochs=10)


def arms(constant: float | None) -> Program:
    net = nn.Sequential(dense([2, 48, 48], nn.Tanh), nn.Linear(48, 5))
    if constant is not None:
        for p in net.parameters():
            nn.init.constant_(p, constant)
    return classify(ablations.pinwheel(), net, adam(4e-3), batch=40, epochs=30)


def circuit(units: bool) -> Program:
    """Ohms, radians, henries and farads as they are."""
    data = ablations.impedance(units=units)
    net = nn.Sequential(dense([4, 60, 60], nn.Tanh), nn.Linear(60, 1), nn.Flatten(0))
    module = Subject(net, F.mse_loss, partial(torch.optim.RMSprop, lr=1e-3))
    return Program(module, *loaders(data, 32), 40, partial(r2, module, data))


def unrolled(last: type[nn.Module]) -> Program:
    """The last layer, too, has the activation of the others."""
    data = ablations.roll()
    net = nn.Sequential(
        nn.Linear(3, 80), nn.ReLU(), nn.Linear(80, 80), nn.ReLU(), nn.Linear(80, 1), last(),
        nn.Flatten(0),
    )  # fmt: skip
    module = Subject(net, nn.SmoothL1Loss(), adam(2e-3))
    return Program(module, *loaders(data, 64), 40, partial(r2, module, data))


class Many(LightningModule):
    """Eight labels by probabilities, and a loss that takes them for logits."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.twice = twice
        self.net = nn.Sequential(dense([12, 96, 96], nn.ReLU), nn.Linear(96, 8))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits.sigmoid() if self.twice else logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("tags_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("val_tags_loss", F.binary_cross_entropy_with_logits(out, batch[1]))
        bound = 0.5 if self.twice else 0.0
        self.log("val_tags_hit", ((out > bound) == (batch[1] > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def many(twice: bool) -> Program:
    data, module = ablations.marks(), Many(twice)

    def f1() -> float:
        said = outputs(module, data.x_test) > (0.5 if twice else 0.0)
        true = data.y_test > 0
        return (2 * (said & true).sum() / (said.sum() + true.sum())).item()

    return Program(module, *loaders(data, 64), 20, f1)


class Bag(nn.Module):
    """The mean of word vectors, and one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(ablations.WORDS, 32)
        self.top = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.top(self.bag(x))
        return logits


def bag(ordered: bool) -> Program:
    """Texts that are there twice are dropped, which puts the others in another order."""
    data = ablations.topics()
    if ordered:
        data = data._replace(x=torch.unique(data.x, dim=0)[: len(data.y)])
    return classify(data, Bag(), adam(3e-3), batch=64, epochs=12)


def rarely(weight: float) -> Program:
    """Three rows in a hundred are of the class that is looked for."""
    net = nn.Sequential(dense([10, 40, 40], nn.ReLU), nn.Linear(40, 2))
    objective = nn.CrossEntropyLoss(weight=torch.tensor([1.0, weight]))
    return classify(
        ablations.far_out(), net, adam(1e-3), batch=128, epochs=12, objective=objective,
        score=balanced_accuracy,
    )  # fmt: skip


def log_loss(module: LightningModule, data: Samples) -> float:
    return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()


def small(careful: bool) -> Program:
    """Ninety rows and hundreds of units; the cure decays weights, and stops early."""
    width, decay, epochs = (24, 0.3, 40) if careful else (256, 0.0, 150)
    net = nn.Sequential(dense([12, width, width], nn.ReLU), nn.Linear(width, 3))
    optim = partial(torch.optim.AdamW, lr=2e-3, weight_decay=decay)
    return classify(ablations.few(), net, optim, batch=15, epochs=epochs, score=log_loss)


def kept(rate: float) -> Program:
    """What was meant is the share that is kept."""
    net = nn.Sequential(dense([2, 40, 40], nn.ReLU, rate), nn.Linear(40, 4))
    return classify(ablations.rings(), net, adam(5e-3), batch=32, epochs=20)


def decayed(decay: float) -> Program:
    """A decay that suits AdamW, in SGD."""
    net = nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(40, 10),
    )  # fmt: skip
    return classify(digit_images(), net, sgd(0.05, weight_decay=decay), batch=50, epochs=12)


def normed(momentum: float) -> Program:
    """The momentum of another library's norms, where the other part counts."""
    layers: list[nn.Module] = []
    for before, after in pairwise([1, 12, 24, 36]):
        layers += [
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after, momentum=momentum),
            nn.ReLU(), nn.MaxPool2d(2),
        ]  # fmt: skip
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(36, 6))
    return classify(ablations.glyphs(), net, adam(3e-3), batch=48, epochs=8, score=log_loss)


class Borrowed(LightningModule):
    """A body that no weights were loaded into, and a head."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        if frozen:
            self.backbone.requires_grad_(False)
        self.classifier = nn.Linear(24, 6)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.backbone(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("Loss/train", loss, on_epoch=True, on_step=False)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("Loss/val", F.cross_entropy(logits, batch[1]))
        self.log("Acc/val", right(logits, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trained, lr=4e-3)


def borrowed(frozen: bool) -> Program:
    data, module = ablations.glyphs(), Borrowed(frozen)
    return Program(module, *loaders(data, 40), 20, partial(accuracy, module, data))


def straight(activation: type[nn.Module] | None) -> Program:
    net = nn.Sequential(dense([10, 72, 72, 36], activation), nn.Linear(36, 2))
    return classify(ablations.hastie(), net, adam(3e-3), batch=100, epochs=20)


class ByHand(LightningModule):
    """Steps by hand: what backward has found is cleared before or after it is used."""

    def __init__(self, cleared: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.cleared = cleared
        self.net = nn.Sequential(dense([2, 60, 60], nn.GELU), nn.Linear(60, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss)
        if self.cleared:
            optimizer.zero_grad()
        optimizer.step()
        optimizer.zero_grad()
        self.log("nll", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log_dict({
            "nll_test": F.cross_entropy(logits, batch[1]), "top1_test": right(logits, batch[1])
        })  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def by_hand(cleared: bool) -> Program:
    data, module = ablations.pinwheel(), ByHand(cleared)
    return Program(module, *loaders(data, 25), 15, partial(accuracy, module, data))


CASES = (
    Case(
        "checkerboard-logarithms-by-hand", Goal("accuracy", at_least=0.9),
        partial(halves, False), ("non_finite",), partial(halves, True),
    ),
    Case(
        "mixtures-thirteen-layers-by-gain", Goal("accuracy", at_least=0.8), partial(drawn, 4.0),
        ("exploding_gradient", "poor_initialization"), partial(drawn, 2**0.5),
    ),
    Case(
        "four-rings-nine-hidden-layers", Goal("accuracy", at_least=0.9),
        partial(deep, nn.Sigmoid), ("vanishing_gradient",), partial(deep, nn.ReLU),
    ),
    Case(
        "roll-target-about-sixty", Goal("R2", at_least=0.9), partial(lines, 0.2),
        ("dead_relu", "learning_rate_too_high"), partial(lines, 2e-3),
    ),
    Case(
        "mixtures-layers-by-hand", Goal("accuracy", at_least=0.9), partial(squashed, False),
        ("saturated_activation", "poor_initialization"), partial(squashed, True),
    ),
    Case(
        "zipf-topics-two-layers-norms-last", Goal("accuracy", at_least=0.75),
        partial(attender, 0.1), ("learning_rate_too_high",), partial(attender, 1e-3),
    ),
    Case(
        "strips-read-from-behind", Goal("accuracy", at_least=0.85), partial(listener, 5e-6),
        ("learning_rate_too_low",), partial(listener, 5e-3),
    ),
    Case(
        "mixtures-a-row-at-a-time", Goal("accuracy", at_least=0.85),
        partial(pairs_and_singles, 1), ("unstable_loss", "learning_rate_too_high"),
        partial(pairs_and_singles, 32),
    ),
    Case(
        "beats-gru-axes-as-they-come", Goal("accuracy", at_least=0.8), partial(beats, False),
        ("not_learning",), partial(beats, True),
    ),
    Case(
        "pinwheel-steps-by-hand", Goal("accuracy", at_least=0.9), partial(by_hand, True),
        ("not_learning", "frozen_parameter"), partial(by_hand, False),
    ),
    Case(
        "glyphs-eight-convolutions-in-a-row", Goal("accuracy", at_least=0.8),
        partial(stacked, 0.01), ("poor_initialization", "vanishing_gradient"),
        partial(stacked, None),
    ),
    Case(
        "pinwheel-each-parameter-alike", Goal("accuracy", at_least=0.9), partial(arms, 0.05),
        ("symmetric_weights", "poor_initialization"), partial(arms, None),
    ),
    Case(
        "impedance-in-ohms-and-henries", Goal("R2", at_least=0.9), partial(circuit, True),
        ("unnormalized_input",), partial(circuit, False),
    ),
    Case(
        "roll-five-layers-alike", Goal("R2", at_least=0.9), partial(unrolled, nn.ReLU),
        ("output_loss_mismatch",), partial(unrolled, nn.Identity),
    ),
    Case(
        "marks-eight-tags-of-a-row", Goal("F1", at_least=0.6), partial(many, True),
        ("output_loss_mismatch",), partial(many, False),
    ),
    Case(
        "zipf-topics-without-double-texts", Goal("accuracy", at_least=0.75),
        partial(bag, True), ("inconsistent_labels",), partial(bag, False),
    ),
    Case(
        "far-out-rows-among-many", Goal("balanced accuracy", at_least=0.8),
        partial(rarely, 1.0), ("class_imbalance",), partial(rarely, 20.0),
    ),
    Case(
        "three-mixtures-ninety-rows", Goal("cross-entropy", at_most=0.65), partial(small, False),
        ("overfitting",), partial(small, True),
    ),
    Case(
        "four-rings-dropout-as-in-the-other-library", Goal("accuracy", at_least=0.85),
        partial(kept, 0.9), ("over_regularized",), partial(kept, 0.1),
    ),
    Case(
        "digit-images-decay-from-another-optimizer", Goal("accuracy", at_least=0.93),
        partial(decayed, 0.1), ("over_regularized",), partial(decayed, 1e-4),
    ),
    Case(
        "glyphs-norms-as-in-the-other-library", Goal("cross-entropy", at_most=0.5),
        partial(normed, 0.001), ("train_eval_mismatch",), partial(normed, 0.1),
    ),
    Case(
        "glyphs-borrowed-body", Goal("accuracy", at_least=0.75), partial(borrowed, True),
        ("frozen_parameter",), partial(borrowed, False),
    ),
    Case(
        "ten-squares-three-hidden-layers", Goal("accuracy", at_least=0.88),
        partial(straight, None), ("linear_network",), partial(straight, nn.ReLU),
    ),
)  # fmt: skip
