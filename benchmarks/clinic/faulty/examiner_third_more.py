"""A third examiner's faults: in rates, in data, in penalties and in what is trained at all."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.examiner_third import cohort, names_of_files, rare, stations
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class TopicTransformer(LightningModule):
    """Two layers of attention over sixteen words."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.words = nn.Embedding(100, 32)
        self.places = nn.Parameter(0.02 * torch.randn(16, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 4)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = self.encoder(self.words(ids) + self.places)
        logits: Tensor = self.head(hidden.mean(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        ids, topic = batch
        loss = F.cross_entropy(self(ids), topic)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        ids, topic = batch
        logits = self(ids)
        self.log("val/loss", F.cross_entropy(logits, topic))
        self.log("val/acc", (logits.argmax(-1) == topic).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


def topics(lr: float = 0.05) -> Program:
    module, data = TopicTransformer(lr), samples.texts()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class ConvAdagrad(LightningModule):
    """Two convolutions, whose optimizer divides its rate by all it has seen."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=self.lr)


def conv_adagrad(lr: float = 3e-4) -> Program:
    module, data = ConvAdagrad(lr), samples.digit_images()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class BlobNet(LightningModule):
    """A small network, after whose every batch its rate stays what it was."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.hidden, self.out = nn.Linear(2, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(F.leaky_relu(self.hidden(x)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def blobs(lr: float = 0.15) -> Program:
    module, data = BlobNet(lr), standardized(samples.blob())
    return Program(module, *loaders(data, 2), 6, partial(cross_entropy, module, data))


class StationNet(LightningModule):
    """Growth from what a station reads."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["readings"]), batch["growth"])
        self.log("train_loss", loss, batch_size=len(batch["growth"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.mse_loss(self(batch["readings"]), batch["growth"])
        self.log("val_loss", loss, batch_size=len(batch["growth"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class Records(Dataset[dict[str, Tensor]]):
    """Rows of a table by their names."""

    def __init__(self, readings: Tensor, growth: Tensor) -> None:
        self.readings, self.growth = readings, growth

    def __len__(self) -> int:
        return len(self.growth)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"readings": self.readings[i], "growth": self.growth[i]}


def growth(prepare: Callable[[Samples], Samples] = lambda data: data) -> Program:
    module, data = StationNet(), prepare(stations())
    train = DataLoader(Records(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Records(data.x_test, data.y_test), 256)
    return Program(module, train, test, 25, partial(r2, module, data))


class FileFolder(Dataset[tuple[Tensor, Tensor]]):
    """Pictures as their folder lists them, beside a file of labels from number 0 on."""

    def __init__(self, x: Tensor, y: Tensor, by_number: bool) -> None:
        order = names_of_files(len(x))
        self.x, self.y = x[order], y[order] if by_number else y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


class FolderNet(LightningModule):
    """Convolutions with norms, a mean over places, a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU())
        self.conv = nn.Sequential(nn.Conv2d(24, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.conv(self.stem(x)).mean((2, 3)))
        return logits

    def shared_step(self, batch: Any, stage: str) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_acc", (logits.argmax(1) == y).float().mean())
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def folder(by_number: bool = False) -> Program:
    module, data = FolderNet(), samples.digit_images()
    train = DataLoader(FileFolder(data.x, data.y, by_number), 32, shuffle=True)
    test = DataLoader(FileFolder(data.x_test, data.y_test, by_number), 256)
    return Program(module, train, test, 12, partial(accuracy, module, data))


class Breakdown(LightningModule):
    """Whether a machine breaks, by two logits."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
        self.criterion = nn.CrossEntropyLoss(weight)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss: Tensor = self.criterion(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)]


def breakdowns(weight: tuple[float, float] | None = None) -> Program:
    data = rare(1.7)
    module = Breakdown(None if weight is None else torch.tensor(weight))
    return Program(module, *loaders(data, 64), 12, partial(balanced_accuracy, module, data))


class Relapse(LightningModule):
    """Two wide layers for the thirty readings of a patient."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def relapse(epochs: int = 60) -> Program:
    module, data = Relapse(), cohort()
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


class Decayed(LightningModule):
    """A network for digits under Adam, which adds a penalty to the gradient."""

    def __init__(self, weight_decay: float) -> None:
        super().__init__()
        self.weight_decay = weight_decay
        self.fc1, self.fc2 = nn.Linear(64, 128), nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.elu(self.fc1(x))
        x = F.elu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=self.weight_decay)


def decayed(weight_decay: float = 0.05) -> Program:
    module, data = Decayed(weight_decay), samples.digits()
    return Program(module, *loaders(data, 32), 15, partial(cross_entropy, module, data))


class OwnDropout(nn.Module):
    """Sets some to zero, as in the paper; what is left may be scaled or not."""

    def __init__(self, p: float, scaled: bool) -> None:
        super().__init__()
        self.p, self.scaled = p, scaled

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = (torch.rand_like(x) > self.p).float()
        return x * kept / (1 - self.p) if self.scaled else x * kept


class DropoutFit(LightningModule):
    """A regression with a dropout of its own before every layer but the first."""

    def __init__(self, scaled: bool, p: float = 0.3) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 128), nn.ReLU(), OwnDropout(p, scaled),
            nn.Linear(128, 128), nn.ReLU(), OwnDropout(p, scaled), nn.Linear(128, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dropout_fit(scaled: bool = False) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = DropoutFit(scaled)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class TwoGroups(LightningModule):
    """Picks what decays and what does not by the names of the parameters."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.lstm = nn.LSTM(1, 48, batch_first=True)
        self.norm, self.head = nn.LayerNorm(48), nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        logits: Tensor = self.head(self.norm(states.mean(1)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def chosen(self, ends: tuple[str, ...]) -> Iterator[nn.Parameter]:
        return (p for name, p in self.named_parameters() if name.endswith(ends))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [
            {"params": list(self.chosen(self.names)), "weight_decay": 0.01},
            {"params": list(self.chosen(("bias", "bias_ih_l0", "bias_hh_l0"))),
             "weight_decay": 0.0},
        ]  # fmt: skip
        return torch.optim.AdamW(groups, lr=3e-3)


def two_groups(names: tuple[str, ...] = (".weight",)) -> Program:
    module, data = TwoGroups(names), samples.waves()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class SquashedFit(LightningModule):
    """Its last layer ends in a bounded function; the targets have mean 0 and deviation 1."""

    def __init__(self, last: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.head = nn.Sequential(nn.Linear(64, 1), last())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out.view(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def squashed_fit(last: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = SquashedFit(last)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


CASES: tuple[Case, ...] = (
    Case(
        "topics-two-layers-of-attention", Goal("accuracy", at_least=0.95), topics,
        ("learning_rate_too_high", "unstable_loss"), partial(topics, 2e-3),
    ),
    Case(
        "digit-images-adagrad-to-the-end", Goal("accuracy", at_least=0.9), conv_adagrad,
        ("learning_rate_too_low",), partial(conv_adagrad, 1e-2),
    ),
    Case(
        "blobs-two-at-a-time", Goal("cross-entropy", at_most=0.4), blobs,
        ("unstable_loss", "learning_rate_too_high"), partial(blobs, 2e-3),
    ),
    Case(
        "stations-growth-by-readings", Goal("R2", at_least=0.7), growth, ("unnormalized_input",),
        partial(growth, standardized),
    ),
    Case(
        "digit-images-as-the-folder-lists", Goal("accuracy", at_least=0.9), folder,
        ("inconsistent_labels", "not_learning"), partial(folder, True),
    ),
    Case(
        "machines-that-break", Goal("balanced accuracy", at_least=0.72), breakdowns,
        ("class_imbalance",), partial(breakdowns, (1.0, 24.0)),
    ),
    Case(
        "relapse-after-thirty-readings", Goal("cross-entropy", at_most=0.6), relapse,
        ("overfitting",), partial(relapse, 6),
    ),
    Case(
        "digits-adam-with-decay", Goal("cross-entropy", at_most=0.3), decayed,
        ("over_regularized",), partial(decayed, 1e-4),
    ),
    Case(
        "friedman-dropout-by-hand", Goal("R2", at_least=0.7), dropout_fit,
        ("train_eval_mismatch",), partial(dropout_fit, True),
    ),
    Case(
        "waves-decay-by-name", Goal("accuracy", at_least=0.9), two_groups,
        ("frozen_parameter",), partial(two_groups, (".weight", "weight_ih_l0", "weight_hh_l0")),
    ),
    Case(
        "friedman-between-bounds", Goal("R2", at_least=0.85), squashed_fit,
        ("output_loss_mismatch",), partial(squashed_fit, nn.Identity),
    ),
)  # fmt: skip
