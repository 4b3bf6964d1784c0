"""What an examiner of such tools trains, with one mistake each: files, clicks, genes and words."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, balanced_accuracy, cross_entropy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


class VibrationFiles(Dataset[tuple[Tensor, Tensor]]):
    """A folder of recordings, and a table of their kinds, joined by their order."""

    def __init__(self, x: Tensor, y: Tensor, by_number: bool) -> None:
        self.files = {f"run_{i}.npy": trace for i, trace in enumerate(x)}
        self.table = {f"run_{i}.npy": int(kind) for i, kind in enumerate(y)}
        self.names = list(self.files) if by_number else sorted(self.files)
        self.kinds = list(self.table.values())

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.files[self.names[i]], torch.tensor(self.kinds[i])


class VibrationNet(LightningModule):
    """Three convolutions and a hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 24, 9, padding=4)
        self.conv2 = nn.Conv1d(24, 32, 5, padding=2)
        self.conv3 = nn.Conv1d(32, 32, 5, padding=2)
        self.fc1, self.fc2 = nn.Linear(32, 64), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.relu(self.conv1(x)), 2)
        x = F.max_pool1d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.conv3(x)).amax(2)
        logits: Tensor = self.fc2(F.relu(self.fc1(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("loss", loss)
        self.log("acc", (logits.argmax(1) == y).float().mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def vibration_files(by_number: bool) -> Program:
    data, module = examiner.vibrations(), VibrationNet()
    train = DataLoader(VibrationFiles(data.x, data.y, by_number), 32, shuffle=True)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class VisitorKinds(LightningModule):
    """Human, buyer or robot, by a GRU over the clicks."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 32, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, clicks: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(clicks)[0].mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        clicks, kind = batch
        loss = F.cross_entropy(self(clicks), kind)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def visitor_kinds(balanced: bool) -> Program:
    data, module = examiner.visits(), VisitorKinds()
    train, test = loaders(data, 32)
    if balanced:
        weights = (1 / data.y.bincount().float())[data.y].tolist()
        sampler = WeightedRandomSampler(weights, len(weights))
        train = DataLoader(TensorDataset(data.x, data.y), 32, sampler=sampler)
    return Program(module, train, test, 10, partial(balanced_accuracy, module, data))


class GeneReader(LightningModule):
    """Ill or well, by hundreds of genes."""

    def __init__(self, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.net = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(200, 128), nn.ELU(), nn.Dropout(dropout),
            nn.Linear(128, 64), nn.ELU(), nn.Linear(64, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def gene_reader(careful: bool) -> Program:
    data = examiner.genes()
    module = GeneReader(0.5, 0.1) if careful else GeneReader(0.0, 0.0)
    score = partial(cross_entropy, module, data)
    return Program(module, *loaders(data, 20), 8 if careful else 80, score)


class PenalizedSteel(LightningModule):
    """Strength of the steel; the squares of all weights are added to the loss."""

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty
        self.net = mlp([8, 64, 64, 1], nn.SiLU)

    def forward(self, settings: Tensor) -> Tensor:
        strength: Tensor = self.net(settings)
        return strength.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        settings, strength = batch
        error = F.mse_loss(self(settings), strength)
        squares = torch.stack([p.square().sum() for p in self.parameters()]).sum()
        self.log_dict({"error": error, "squares": squares})
        return error + self.penalty * squares

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_error", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def penalized(penalty: float) -> Program:
    data, module = examiner.furnace(), PenalizedSteel(penalty)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class ReviewReader(LightningModule):
    """Praise or blame; only the head is given to the optimiser unless all is to learn."""

    def __init__(self, everything: bool, size: int = 24) -> None:
        super().__init__()
        self.everything = everything
        self.words = nn.Embedding(200, size)
        self.conv = nn.Conv1d(size, 32, 2)
        self.head = nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.conv(self.words(x).transpose(1, 2)))
        logits: Tensor = self.head(h.amax(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learned = self.parameters() if self.everything else self.head.parameters()
        return torch.optim.Adam(learned, lr=3e-3)


def reviews(everything: bool) -> Program:
    data, module = examiner.reviews(), ReviewReader(everything)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class PlainStack(LightningModule):
    """Convolutions, a mean, and two layers; the activation is chosen by its name."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        act = {"identity": nn.Identity, "gelu": nn.GELU}[activation]
        self.net = nn.Sequential(
            nn.Conv1d(1, 24, 9, padding=4), act(), nn.Conv1d(24, 24, 9, padding=4), act(),
            nn.Conv1d(24, 24, 9, padding=4), act(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(24, 32), act(), nn.Linear(32, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def plain_stack(activation: str) -> Program:
    data: Samples = examiner.vibrations()
    module = PlainStack(activation)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


CASES = (
    Case(
        "vibrations-in-files-sorted-by-name", Goal("accuracy", at_least=0.75),
        partial(vibration_files, False), ("inconsistent_labels", "not_learning"),
        partial(vibration_files, True),
    ),
    Case(
        "visitors-who-are-nearly-all-human", Goal("mean recall", at_least=0.65),
        partial(visitor_kinds, False), ("class_imbalance",), partial(visitor_kinds, True),
    ),
    Case(
        "patients-learned-by-heart", Goal("cross-entropy", at_most=0.55),
        partial(gene_reader, False), ("overfitting",), partial(gene_reader, True),
    ),
    Case(
        "steel-by-weights-kept-small", Goal("R2", at_least=0.85), partial(penalized, 0.05),
        ("over_regularized",), partial(penalized, 1e-5),
    ),
    Case(
        "reviews-read-by-fixed-words", Goal("accuracy", at_least=0.8), partial(reviews, False),
        ("frozen_parameter",), partial(reviews, True),
    ),
    Case(
        "bursts-with-an-activation-by-name", Goal("accuracy", at_least=0.75),
        partial(plain_stack, "identity"), ("linear_network", "not_learning"),
        partial(plain_stack, "gelu"),
    ),
)  # fmt: skip
