"""Faults that the published taxonomies count, in the data and in what is done to it."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import classification, regression, two_classes
from scores import balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler


class Drive(Dataset[dict[str, Tensor]]):
    """Frames, one in two of them mirrored, in another light each time."""

    def __init__(self, frames: Tensor, angles: Tensor, negate: bool) -> None:
        self.frames, self.angles, self.negate = frames, angles, negate

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        frame, angle = self.frames[index], self.angles[index]
        if torch.rand(()) < 0.5:
            frame = frame.flip(-1)
            angle = -angle if self.negate else angle
        return {"image": frame * (0.8 + 0.4 * torch.rand(())), "angle": angle}


class Pilot(LightningModule):
    """Steers by the picture of one camera."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 12, 3, 2, 1), nn.ELU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ELU()
        )
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(360, 50), nn.ELU(), nn.Linear(50, 1))

    def forward(self, image: Tensor) -> Tensor:
        angle: Tensor = self.fc(self.conv(image - 0.5))
        return angle[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["image"]), batch["angle"])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pilot(negate: bool = False) -> Program:
    """A mirrored curve bends the other way."""
    data = records.drives()
    module = Pilot()
    train = DataLoader(Drive(data.x, data.y, negate), batch_size=32, shuffle=True)
    return Program(module, train, loaders(data, 32)[1], 12, partial(r2, module, data))


class Tagger(LightningModule):
    """A tag for each word, read both ways; cross-entropy wants the tags before the words."""

    def __init__(self, permuted: bool) -> None:
        super().__init__()
        self.permuted = permuted
        self.embed = nn.Embedding(60, 24)
        self.lstm = nn.LSTM(24, 24, batch_first=True, bidirectional=True)
        self.out = nn.Linear(48, 5)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.out(self.lstm(self.embed(words))[0])
        return logits

    def shared(self, batch: list[Tensor]) -> Tensor:
        words, tags = batch
        logits = self(words)
        n, length, kinds = logits.shape
        logits = logits.permute(0, 2, 1) if self.permuted else logits.view(n, kinds, length)
        return F.cross_entropy(logits, tags)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.shared(batch)
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", self.shared(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tagger(permuted: bool = False) -> Program:
    data = records.tagged()
    module = Tagger(permuted)

    def score() -> float:
        return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 32), 10, score)


def taxi(scaled: bool = False) -> Program:
    """Degrees that differ in the second place after the point."""
    data = scaled_targets(records.trips())
    data = standardized(data) if scaled else data
    return regression(data, mlp([6, 64, 64, 1]), adam(1e-3), epochs=15)


def log_loss(module: LightningModule, data: Samples) -> float:
    return F.binary_cross_entropy_with_logits(outputs(module, data.x_test), data.y_test).item()


def mean_by(group: Tensor, y: Tensor, of: Tensor, number: int) -> Tensor:
    """Mean of ``y`` in the groups of ``of``, or over all for a group that is not there."""
    total, count = torch.zeros(2, number)
    total.index_add_(0, group, y)
    count.index_add_(0, group, torch.ones(len(y)))
    return torch.where(count > 0, total / count.clamp(min=1), y.mean())[of]


def encoded(folds: int = 1) -> Program:
    """A category's mean of the target, taken over the row itself unless it is in another fold."""
    merchant, x, y = records.merchants()
    number, cut = int(merchant.max()) + 1, 1400
    known, answer = merchant[:cut], y[:cut]
    fold = torch.arange(cut) % folds
    habit = torch.zeros(cut)
    for k in range(folds):
        inside = fold == k
        others = ~inside if folds > 1 else inside
        habit[inside] = mean_by(known[others], answer[others], known[inside], number)
    habit_test = mean_by(known, answer, merchant[cut:], number)
    x = torch.cat([x, torch.cat([habit, habit_test])[:, None]], 1)
    data = standardized(Samples(x[:cut], answer, x[cut:], y[cut:]))
    network = mlp([6, 64, 64, 1])
    return two_classes(data, network, adam(1e-3), epochs=16, score=log_loss)


def log_sales(lowest: float | None = None) -> Program:
    """The logarithm of what was sold less what came back, which may be more."""
    data = records.demand()

    def level(y: Tensor, at_least: float | None) -> Tensor:
        return (y if at_least is None else y.clamp(min=at_least)).log1p()

    truth = data._replace(y=level(data.y, 0), y_test=level(data.y_test, 0))
    given = data._replace(y=level(data.y, lowest), y_test=level(data.y_test, lowest))

    def score(module: LightningModule, _: Samples) -> float:
        return r2(module, truth)

    return regression(given, mlp([6, 64, 32, 1]), adam(2e-3), batch_size=50, score=score)


def inspector(drawn: bool = False) -> Program:
    """Pictures of which four in a hundred show what is sought."""
    data = records.welds()
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(24, 2),
    )  # fmt: skip
    program = classification(
        data.with_inputs((data.x - 0.5) / 0.12, (data.x_test - 0.5) / 0.12), network, adam(1e-3),
        batch_size=48, epochs=12, score=balanced_accuracy,
    )  # fmt: skip
    if not drawn:
        return program
    weight = 1 / torch.bincount(data.y)[data.y]
    sampler = WeightedRandomSampler(weight.tolist(), len(data.y))
    train = DataLoader(program.train.dataset, 48, sampler=sampler)
    return Program(program.module, train, program.validation, program.epochs, program.score)


class Net(nn.Module):
    """Layers as in many a question: what is made in __init__ is not all called in forward."""

    def __init__(self, called: bool) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        self.bn, self.relu = nn.BatchNorm1d(64), nn.ReLU()
        self.called = called

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.fc1(x))
        if self.called:
            x = self.relu(x)
        x = self.fc2(x)
        if self.called:
            x = self.relu(x)
        out: Tensor = self.fc3(x)
        return out


def uncalled(called: bool = False) -> Program:
    data = scaled_targets(standardized(records.trips()))
    return regression(data, Net(called), adam(2e-3), epochs=12)


CASES = (
    Case(
        "drives-mirrored-angles-kept", Goal("R2", at_least=0.85), pilot,
        ("inconsistent_labels", "not_learning"), partial(pilot, True),
    ),
    Case(
        "tags-viewed-for-permuted", Goal("accuracy", at_least=0.9), tagger,
        ("inconsistent_labels", "not_learning", "output_loss_mismatch"), partial(tagger, True),
    ),
    Case(
        "trips-in-degrees", Goal("R2", at_least=0.8), taxi,
        ("unnormalized_input", "not_learning"), partial(taxi, True),
    ),
    Case(
        "merchants-encoded-by-their-own-rows", Goal("log loss", at_most=0.45), encoded,
        ("overfitting", "train_eval_mismatch"), partial(encoded, 5),
    ),
    Case(
        "demand-logarithms-of-returns", Goal("R2", at_least=0.6), log_sales, ("non_finite",),
        partial(log_sales, 0.0),
    ),
    Case(
        "welds-few-are-cracked", Goal("balanced accuracy", at_least=0.75), inspector,
        ("class_imbalance",), partial(inspector, True),
    ),
    Case(
        "trips-activation-never-called", Goal("R2", at_least=0.8), uncalled, ("linear_network",),
        partial(uncalled, True),
    ),
)  # fmt: skip
