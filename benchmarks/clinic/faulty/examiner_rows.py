"""What an examiner of such tools trains, with one mistake each: tables, graphs and texts."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner
from data_sets.samples import Samples, digit_images, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Ballots(LightningModule):
    """Which token is the most frequent? A small transformer."""

    def __init__(self, lr: float, size: int = 32, length: int = 24) -> None:
        super().__init__()
        self.save_hyperparameters("lr")
        self.token = nn.Embedding(5, size)
        self.place = nn.Parameter(0.1 * torch.randn(length, size))
        layer = nn.TransformerEncoderLayer(size, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(size, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.token(x) + self.place).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def ballots(lr: float) -> Program:
    data, module = examiner.ballots(), Ballots(lr)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class NoteTagger(LightningModule):
    """Eight tags of a note; the steps are made by hand."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.lr = lr
        self.net = nn.Sequential(nn.Linear(400, 64), nn.Tanh(), nn.Linear(64, 8))

    def forward(self, counts: Tensor) -> Tensor:
        logits: Tensor = self.net(counts)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.binary_cross_entropy_with_logits(self(batch["counts"]), batch["tags"])
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log("loss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=self.lr)


class Notes(Dataset[dict[str, Tensor]]):
    """Notes as dictionaries."""

    def __init__(self, counts: Tensor, tags: Tensor) -> None:
        self.counts, self.tags = counts, tags

    def __len__(self) -> int:
        return len(self.tags)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"counts": self.counts[i], "tags": self.tags[i]}


def micro_f1(module: LightningModule, data: Samples) -> float:
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return (2 * (found & true).sum() / (found.sum() + true.sum())).item()


def tagger(lr: float) -> Program:
    data, module = examiner.tagged_notes(), NoteTagger(lr)
    train = DataLoader(Notes(data.x, data.y), 32, shuffle=True)
    return Program(module, train, None, 12, partial(micro_f1, module, data))


class DigitReader(LightningModule):
    """A small convolutional network as in any lecture."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(512, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=self.momentum)


def read_digits(batch_size: int, epochs: int) -> Program:
    data, module = digit_images(), DigitReader(0.015, 0.9)
    return Program(module, *loaders(data, batch_size), epochs, partial(accuracy, module, data))


class Affinity(LightningModule):
    """How strongly like nodes of a graph are linked: messages along the edges."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.own, self.others = nn.Linear(2, hidden), nn.Linear(2, hidden)
        self.own2, self.others2 = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.read = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    @staticmethod
    def gather(h: Tensor, edges: Tensor) -> Tensor:
        start, end = edges
        total = torch.zeros_like(h).index_add(0, end, h[start])
        degree = torch.zeros(len(h)).index_add(0, end, torch.ones(len(end)))
        return total / degree.clamp(min=1)[:, None]

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        count, size = nodes.shape[:2]
        x = nodes.reshape(count * size, -1)
        h = F.relu(self.own(x) + self.others(self.gather(x, edges)))
        h = F.relu(self.own2(h) + self.others2(self.gather(h, edges)))
        value: Tensor = self.read(h.reshape(count, size, -1).mean(1))
        return value.squeeze(-1)

    def training_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> Tensor:
        nodes, edges, target = batch
        loss = F.mse_loss(self(nodes, edges), target)
        self.log("train_mse", loss, batch_size=len(target))
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        nodes, edges, target = batch
        self.log("val_mse", F.mse_loss(self(nodes, edges), target), batch_size=len(target))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def joined(step: int, items: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, ...]:
    """One large graph of many small ones; each one's nodes begin where those before end."""
    edges, nodes, targets = zip(*items, strict=True)
    shifted = [edge + step * i for i, edge in enumerate(edges)]
    return torch.stack(nodes), torch.cat(shifted, 1), torch.stack(targets)


def affinities(step: int) -> Program:
    edges, nodes, target = examiner.graphs()
    items = list(zip(edges, nodes, target, strict=True))
    module = Affinity()
    collate = partial(joined, step)

    @torch.no_grad()
    def score() -> float:
        nodes, edges, target = collate(items[1100:])
        module.eval()
        return (1 - F.mse_loss(module(nodes, edges), target) / target.var()).item()

    train: Any = DataLoader(items[:1100], 32, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    test: Any = DataLoader(items[1100:], 100, collate_fn=collate)  # type: ignore[arg-type]
    return Program(module, train, test, 15, score)


class TiedTongue(LightningModule):
    """The next word by a GRU, whose table of words is that of the output, too."""

    def __init__(self, std: float, words: int = 150, size: int = 128) -> None:
        super().__init__()
        self.words = nn.Embedding(words, size)
        nn.init.normal_(self.words.weight, std=std)
        self.gru = nn.GRU(size, size, batch_first=True)
        self.mix = nn.Sequential(nn.Linear(size, size), nn.LayerNorm(size))

    def forward(self, text: Tensor) -> Tensor:
        return F.linear(self.mix(self.gru(self.words(text))[0]), self.words.weight)

    def nll(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch[0])
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def tongue(std: float) -> Program:
    text, other = examiner.tongue()
    module = TiedTongue(std)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.nll(other).item()

    train = DataLoader(TensorDataset(text), 16, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(other), 64), 4, score)


class SteelStrength(LightningModule):
    """Strength of the steel by a plain network; all weights begin at one value, or do not."""

    def __init__(self, value: float | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        if value is not None:
            for parameter in self.net.parameters():
                nn.init.constant_(parameter, value)

    def forward(self, x: Tensor) -> Tensor:
        strength: Tensor = self.net(x)
        return strength.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.03)


def steel(value: float | None) -> Program:
    data, module = examiner.furnace(), SteelStrength(value)
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class Lender(LightningModule):
    """Will the loan be paid back? A plain network on the rows of the table."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.out = nn.Linear(64, 2)

    def forward(self, row: Tensor) -> Tensor:
        logits: Tensor = self.out(self.trunk(row))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def lending(prepare: Callable[[Samples], Samples]) -> Program:
    data, module = prepare(examiner.credit()), Lender()
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


def as_it_is(data: Samples) -> Samples:
    return data


CASES = (
    Case(
        "ballots-counted-by-a-transformer", Goal("accuracy", at_least=0.8), partial(ballots, 0.05),
        ("learning_rate_too_high", "unstable_loss", "not_learning"), partial(ballots, 2e-3),
    ),
    Case(
        "notes-tagged-step-by-step", Goal("micro F1", at_least=0.7), partial(tagger, 1e-4),
        ("learning_rate_too_low",), partial(tagger, 0.02),
    ),
    Case(
        "digits-two-in-a-batch", Goal("accuracy", at_least=0.95), partial(read_digits, 2, 5),
        ("unstable_loss", "learning_rate_too_high"), partial(read_digits, 64, 25),
    ),
    Case(
        "affinities-of-graphs-in-one", Goal("R2", at_least=0.7), partial(affinities, 0),
        ("not_learning", "inconsistent_labels"), partial(affinities, 14),
    ),
    Case(
        "next-words-by-a-tied-table", Goal("nats", at_most=1.35), partial(tongue, 1.0),
        ("poor_initialization",), partial(tongue, 0.05),
    ),
    Case(
        "steel-all-weights-at-a-tenth", Goal("R2", at_least=0.75), partial(steel, 0.1),
        ("symmetric_weights", "poor_initialization"), partial(steel, None),
    ),
    Case(
        "loans-as-the-bank-keeps-them", Goal("accuracy", at_least=0.85), partial(lending, as_it_is),
        ("unnormalized_input",), partial(lending, standardized),
    ),
)  # fmt: skip
