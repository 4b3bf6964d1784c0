"""What a buyer tries a product with: each known fault once, in a plain program."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import acceptance as sets
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Classifier(LightningModule):
    """Some network, cross-entropy and accuracy."""

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        super().__init__()
        self.model, self.make_optimizer = model, optimizer

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())


class Regressor(LightningModule):
    """Some network and mean squared error."""

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        super().__init__()
        self.model, self.make_optimizer = model, optimizer
        self.criterion = nn.MSELoss()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        prediction = self(batch[0])
        self.log("val_loss", self.criterion(prediction, batch[1]))
        self.log("val_mae", F.l1_loss(prediction, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())


def classified(
    data: Samples, model: nn.Module, optimizer: Optimizer, batch_size: int, epochs: int,
    score: Any = accuracy, **trainer: Any,
) -> Program:  # fmt: skip
    module = Classifier(model, optimizer)
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(score, module, data), trainer)


def regressed(
    data: Samples, model: nn.Module, optimizer: Optimizer, batch_size: int, epochs: int,
    **trainer: Any,
) -> Program:  # fmt: skip
    module = Regressor(model, optimizer)
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(r2, module, data), trainer)


def sgd(lr: float, momentum: float = 0.9, **options: Any) -> Optimizer:
    return partial(torch.optim.SGD, lr=lr, momentum=momentum, **options)


def adam(lr: float, **options: Any) -> Optimizer:
    return partial(torch.optim.Adam, lr=lr, **options)


def dense(inputs: int, width: int, depth: int, outputs: int, act: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(inputs, width), act()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), act()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class Balances(nn.Module):
    """Money and days as logarithms, then three layers; some balances are below nothing."""

    def __init__(self, signed: bool) -> None:
        super().__init__()
        self.signed = signed
        self.norm = nn.BatchNorm1d(11)
        self.layers = dense(11, 128, 2, 2, nn.ReLU)

    def forward(self, x: Tensor) -> Tensor:
        money, rest = x[:, :5], x[:, 5:]
        money = money.sign() * money.abs().log1p() if self.signed else torch.log(money)
        found: Tensor = self.layers(self.norm(torch.cat([money, rest], 1)))
        return found


def balances(signed: bool) -> Program:
    return classified(sets.bookings(), Balances(signed), adam(2e-3), 64, 12)


class IRNN(nn.Module):
    """A recurrent net of rectified units that begins with the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 96, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.get_parameter("weight_hh_l0"))
        nn.init.zeros_(self.rnn.get_parameter("bias_hh_l0"))
        nn.init.zeros_(self.rnn.get_parameter("bias_ih_l0"))
        self.head = nn.Linear(96, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.rnn(x)[0][:, -1])
        return found


def identity_rnn(clip: float | None) -> Program:
    data = sets.tides(window=72)
    return regressed(data, IRNN(), sgd(0.01), 50, 12, gradient_clip_val=clip)


def sort_of_bean(activation: type[nn.Module]) -> Program:
    return classified(sets.grains(), dense(16, 128, 10, 7, activation), adam(1e-3), 64, 15)


def arm(lr: float) -> Program:
    """Five layers, their batches of 32, and Adam."""
    return regressed(sets.torque(), dense(6, 256, 4, 1, nn.ReLU), adam(lr), 32, 15)


class Patterns(nn.Module):
    """Three convolutions and GELU, and a hidden layer whose biases begin at one value."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 24), (24, 32), (32, 48)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GELU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Linear(48 * 4, 128)
        self.out = nn.Linear(128, 6)
        nn.init.constant_(self.hidden.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.hidden(self.features(x).flatten(1)))
        found: Tensor = self.out(x)
        return found


def hidden_bias(bias: float) -> Program:
    return classified(sets.signs(), Patterns(bias), sgd(0.03), 48, 12)


def tanh_table(deviation: float | None) -> Program:
    """All weights from a normal distribution."""
    model = dense(11, 200, 4, 2, nn.Tanh)
    if deviation is not None:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, deviation)
    return classified(sets.scaled_bookings(), model, sgd(0.02), 40, 15)


class Wrist(nn.Module):
    """A GRU over accelerations, and its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 80, batch_first=True)
        self.fc = nn.Linear(80, 6)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.gru(x)
        found: Tensor = self.fc(out[:, -1, :])
        return found


def wrist(lr: float) -> Program:
    return classified(sets.gestures(), Wrist(), adam(lr), 50, 12)


class LongWrist(nn.Module):
    """Two layers of LSTM and a readout of one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step
        self.lstm = nn.LSTM(3, 64, num_layers=2, batch_first=True)
        self.classifier = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 6))

    def forward(self, x: Tensor) -> Tensor:
        output, (_, _) = self.lstm(x)
        found: Tensor = self.classifier(output[:, self.step, :])
        return found


def one_step(step: int) -> Program:
    return classified(sets.gestures(2400, 32), LongWrist(step), adam(3e-3), 64, 20)


def weaves(width: int = 24, momentum: float = 0.1, twice: bool = False) -> nn.Sequential:
    """Three blocks of convolution, normalisation and pooling."""
    layers: list[nn.Module] = []
    for before, after in ((3, width), (width, 2 * width), (2 * width, 2 * width)):
        if twice:
            layers += [nn.Conv2d(before, before, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(before, momentum=momentum), nn.ReLU()]
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(after, momentum=momentum), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * width, 8))


def slow_weaves(lr: float) -> Program:
    return classified(sets.fabrics(), weaves(), sgd(lr), 32, 8)


def two_by_two(batch_size: int, lr: float, epochs: int) -> Program:
    """Updates from two rows each, with momentum."""
    model = dense(16, 128, 2, 7, nn.Tanh)
    return classified(sets.grains(2200, 0.5), model, sgd(lr), batch_size, epochs)


def vgg(initialization: str) -> Program:
    """Seven convolutions after VGG, their weights drawn as AlexNet's were."""
    layers: list[nn.Module] = []
    before = 1
    for after in (16, 16, 0, 32, 32, 0, 64, 64, 64, 0):
        if after:
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
            before = after
        else:
            layers.append(nn.MaxPool2d(2, 2))
    model = nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(256, 128), nn.ReLU(inplace=True), nn.Linear(128, 6)
    )
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            if initialization == "normal":
                nn.init.normal_(layer.weight, 0, 0.01)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.get_parameter("bias"))
    return classified(sets.signs(1800), model, sgd(0.02), 64, 12)


def one_value(value: float | None) -> Program:
    """All weights of a classifier of tables filled with one small number."""
    model = dense(16, 160, 3, 7, nn.ReLU)
    if value is not None:
        for parameter in model.parameters():
            nn.init.constant_(parameter, value)
    return classified(sets.grains(2600), model, adam(1e-3), 100, 20)


def raw_bookings(scaled: bool) -> Program:
    data = sets.scaled_bookings() if scaled else sets.bookings()
    return classified(data, dense(11, 100, 3, 2, nn.Tanh), adam(5e-4), 32, 12)


def level_to_come(last: nn.Module) -> Program:
    """Convolutions over a tide's level, which is above and below zero."""
    model = nn.Sequential(
        nn.Flatten(), nn.Unflatten(1, (1, 36)), nn.Conv1d(1, 32, 5), nn.ReLU(),
        nn.Conv1d(32, 32, 5), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 28, 64), nn.ReLU(),
        nn.Linear(64, 1), last,
    )  # fmt: skip
    return regressed(sets.tides(), model, adam(1e-3), 64, 12)


class SignDataset(Dataset[tuple[Tensor, Tensor]]):
    """Pictures and labels from two lists."""

    def __init__(self, images: Tensor, labels: Tensor, together: bool) -> None:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
        other = torch.randperm(len(images), generator=torch.Generator().manual_seed(2))
        self.images = images[order]
        self.labels = labels[order if together else other]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def two_lists(together: bool) -> Program:
    data = sets.signs(2000)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 48, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(48 * 16, 6),
    )  # fmt: skip
    module = Classifier(model, adam(1e-3))
    train = SignDataset(data.x, data.y, together)
    test = loaders(data, 64)[1]
    loader = DataLoader(train, batch_size=40, shuffle=True)
    return Program(module, loader, test, 15, partial(accuracy, module, data))


class Beats(LightningModule):
    """One-dimensional convolutions, and an output for "ill"."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3), nn.ReLU(), nn.Conv1d(16, 32, 5, stride=2),
            nn.ReLU(), nn.Conv1d(32, 32, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(128, 1)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([pos_weight]))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.encoder(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, ill = batch
        loss: Tensor = self.criterion(self(signal), ill.float().unsqueeze(1))
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        signal, ill = batch
        logit = self(signal)
        self.log("val_loss", self.criterion(logit, ill.float().unsqueeze(1)))
        self.log("val_acc", ((logit[:, 0] > 0) == ill.bool()).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def ill_beats(pos_weight: float) -> Program:
    data, module = sets.beats(5000, noise=0.28), Beats(pos_weight)
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, 64), 15, score)


def few_rows(rows: int, epochs: int, decay: float) -> Program:
    """Wide layers and a table of few rows."""
    data = sets.grains(noise=0.9).first(rows)
    model = dense(16, 384, 3, 7, nn.ReLU)
    optimizer: Optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=decay)
    return classified(data, model, optimizer, 20, epochs, cross_entropy)


class Errands(nn.Module):
    """Words, a bidirectional GRU, and dropout."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(60, 32)
        self.gru = nn.GRU(32, 64, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(128, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        out, _ = self.gru(self.dropout(self.embedding(tokens)))
        found: Tensor = self.fc(self.dropout(out.mean(1)))
        return found


def decayed(decay: float) -> Program:
    return classified(sets.errands(), Errands(), adam(2e-3, weight_decay=decay), 50, 10)


def running_mean(momentum: float) -> Program:
    """Normalisation that hardly follows the batches, as from a framework that counts the rest."""
    return classified(
        sets.fabrics(1800, noise=0.4), weaves(20, momentum, twice=True), adam(1e-3), 32, 7
    )


class HeadOnly(Classifier):
    """The optimiser's parameters are listed by hand."""

    def __init__(self, everything: bool) -> None:
        super().__init__(Errands(0.0), adam(3e-3))
        self.everything = everything

    def configure_optimizers(self) -> torch.optim.Optimizer:
        model = self.model if self.everything else self.model.fc
        assert isinstance(model, nn.Module)
        return torch.optim.Adam(model.parameters(), lr=3e-3)


def listed_by_hand(everything: bool) -> Program:
    data, module = sets.errands(2200, 16), HeadOnly(everything)
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


def bare_layers(activation: type[nn.Module]) -> Program:
    model = dense(6, 128, 4, 1, activation)
    return regressed(sets.torque(2400), model, adam(1e-3), 50, 20)


CASES = (
    Case(
        "booking-cancelled-from-logs",
        Goal("accuracy", at_least=0.7),
        partial(balances, False),
        ("non_finite",),
        partial(balances, True),
    ),
    Case(
        "tide-six-steps-ahead",
        Goal("R²", at_least=0.7),
        partial(identity_rnn, None),
        ("exploding_gradient", "non_finite"),
        partial(identity_rnn, 1.0),
    ),
    Case(
        "sorts-of-beans-ten-layers",
        Goal("accuracy", at_least=0.75),
        partial(sort_of_bean, nn.Sigmoid),
        ("vanishing_gradient",),
        partial(sort_of_bean, nn.ReLU),
    ),
    Case(
        "shoulder-torque-quick",
        Goal("R²", at_least=0.9),
        partial(arm, 0.1),
        ("dead_relu", "learning_rate_too_high"),
        partial(arm, 1e-3),
    ),
    Case(
        "signs-on-noise-gelu",
        Goal("accuracy", at_least=0.8),
        partial(hidden_bias, -6.0),
        ("dormant_units", "poor_initialization", "dead_relu"),
        partial(hidden_bias, 0.0),
    ),
    Case(
        "booking-cancelled-tanh",
        Goal("accuracy", at_least=0.77),
        partial(tanh_table, 1.0),
        ("saturated_activation", "poor_initialization"),
        partial(tanh_table, None),
    ),
    Case(
        "wrist-motions-gru",
        Goal("accuracy", at_least=0.85),
        partial(wrist, 0.3),
        ("learning_rate_too_high",),
        partial(wrist, 3e-3),
    ),
    Case(
        "weaves-three-blocks",
        Goal("accuracy", at_least=0.8),
        partial(slow_weaves, 1e-5),
        ("learning_rate_too_low",),
        partial(slow_weaves, 0.02),
    ),
    Case(
        "sorts-of-beans-two-by-two",
        Goal("accuracy", at_least=0.87),
        partial(two_by_two, 2, 0.06, 4),
        ("unstable_loss", "learning_rate_too_high"),
        partial(two_by_two, 32, 0.02, 12),
    ),
    Case(
        "wrist-motions-two-layers",
        Goal("accuracy", at_least=0.8),
        partial(one_step, 0),
        ("not_learning",),
        partial(one_step, -1),
    ),
    Case(
        "signs-on-noise-vgg",
        Goal("accuracy", at_least=0.8),
        partial(vgg, "normal"),
        ("poor_initialization", "vanishing_gradient"),
        partial(vgg, "kaiming"),
    ),
    Case(
        "sorts-of-beans-constant",
        Goal("accuracy", at_least=0.8),
        partial(one_value, 0.05),
        ("symmetric_weights", "poor_initialization"),
        partial(one_value, None),
    ),
    Case(
        "booking-cancelled-columns",
        Goal("accuracy", at_least=0.78),
        partial(raw_bookings, False),
        ("unnormalized_input",),
        partial(raw_bookings, True),
    ),
    Case(
        "tide-by-convolutions",
        Goal("R²", at_least=0.85),
        partial(level_to_come, nn.Sigmoid()),
        ("output_loss_mismatch",),
        partial(level_to_come, nn.Identity()),
    ),
    Case(
        "signs-from-two-lists",
        Goal("accuracy", at_least=0.8),
        partial(two_lists, False),
        ("inconsistent_labels",),
        partial(two_lists, True),
    ),
    Case(
        "beats-of-the-ill",
        Goal("balanced accuracy", at_least=0.72),
        partial(ill_beats, 1.0),
        ("class_imbalance",),
        partial(ill_beats, 28.0),
    ),
    Case(
        "sorts-of-beans-few-rows",
        Goal("cross-entropy", at_most=0.6),
        partial(few_rows, 200, 60, 0.01),
        ("overfitting",),
        partial(few_rows, 2100, 3, 0.1),
    ),
    Case(
        "last-errand-decayed",
        Goal("accuracy", at_least=0.85),
        partial(decayed, 0.05),
        ("over_regularized",),
        partial(decayed, 1e-6),
    ),
    Case(
        "weaves-ported",
        Goal("accuracy", at_least=0.75),
        partial(running_mean, 0.001),
        ("train_eval_mismatch",),
        partial(running_mean, 0.1),
    ),
    Case(
        "last-errand-by-head",
        Goal("accuracy", at_least=0.85),
        partial(listed_by_hand, False),
        ("frozen_parameter",),
        partial(listed_by_hand, True),
    ),
    Case(
        "shoulder-torque-bare",
        Goal("R²", at_least=0.85),
        partial(bare_layers, nn.Identity),
        ("linear_network",),
        partial(bare_layers, nn.ReLU),
    ),
)
