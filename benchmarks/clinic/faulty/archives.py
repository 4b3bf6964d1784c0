"""Faults of nets that libraries and archives train."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import archives
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Correspondents(LightningModule):
    """Each layer adds up what all those say to whom a person wrote, and some wrote to hundreds."""

    def __init__(self, links: Tensor, averaged: bool, layers: int = 4, width: int = 48) -> None:
        super().__init__()
        with_self = links + torch.eye(len(links))
        if averaged:
            root = with_self.sum(1).rsqrt()
            with_self = root[:, None] * with_self * root
        self.register_buffer("adjacency", with_self)
        sizes = [24, *[width] * (layers - 1), 5]
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        adjacency = self.get_buffer("adjacency")
        for layer in self.layers[:-1]:
            x = F.elu(adjacency @ layer(x))
        logits: Tensor = adjacency @ self.layers[-1](x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, circle, known = (t[0] for t in batch)
        loss = F.cross_entropy(self(x)[known], circle[known])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def correspondents(averaged: bool) -> Program:
    found = archives.correspondence()
    known = torch.arange(len(found.x)) % 3 == 0
    graph = TensorDataset(found.x[None], found.circle[None], known[None])
    module = Correspondents(found.links, averaged)

    def score() -> float:
        logits = outputs(module, found.x)[~known]
        if not logits.isfinite().all():
            return 0.0
        return (logits.argmax(1) == found.circle[~known]).float().mean().item()

    return Program(module, DataLoader(graph), None, 200, score)


class WordsOfDialect(LightningModule):
    """Embeddings of all words of a text in one, and two layers of tanh behind."""

    def __init__(self, mode: str, width: int = 128) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.bag = nn.EmbeddingBag(archives.WORDS, width, mode=mode)
        self.hidden = nn.Sequential(
            nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
        )  # fmt: skip
        for layer in self.hidden:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain("tanh"))
        self.fc = nn.Linear(64, archives.DIALECTS)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.hidden(self.bag(words)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, dialect = batch
        loss = F.cross_entropy(self(words), dialect)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, dialect = batch
        logits = self(words)
        self.log("val_loss", F.cross_entropy(logits, dialect))
        self.log("val_acc", (logits.argmax(1) == dialect).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-4)


def dialect(mode: str) -> Program:
    data, module = archives.dialects(300, 1200), WordsOfDialect(mode)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Titles(LightningModule):
    """A GRU that foretells the next word; its output weights are those of its embedding."""

    def __init__(self, deviation: float, width: int = 192) -> None:
        super().__init__()
        self.embed = nn.Embedding(archives.SUBJECTS, width)
        nn.init.normal_(self.embed.weight, std=deviation)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.to_embedding = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width))
        self.decoder = nn.Linear(width, archives.SUBJECTS, bias=False)
        self.decoder.weight = self.embed.weight

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(words))
        logits: Tensor = self.decoder(self.to_embedding(states))
        return logits

    def nll(self, words: Tensor) -> Tensor:
        return F.cross_entropy(self(words[:, :-1]).flatten(0, 1), words[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.nll(batch[0])
        self.log("train/nll", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/nll", self.nll(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def titles(deviation: float) -> Program:
    train, test = archives.titles()
    module = Titles(deviation)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.nll(test).item()

    both = (
        DataLoader(TensorDataset(train), 32, shuffle=True),
        DataLoader(TensorDataset(test), 200),
    )
    return Program(module, *both, 6, score)


class Taste(LightningModule):
    """Products of what is learnt of readers and of books, with a bias for each."""

    def __init__(self, filled: bool, factors: int = 8) -> None:
        super().__init__()
        self.readers = nn.Embedding(archives.READERS, factors)
        self.books = nn.Embedding(archives.BOOKS, factors)
        self.reader_bias = nn.Embedding(archives.READERS, 1)
        self.book_bias = nn.Embedding(archives.BOOKS, 1)
        for table in (self.readers, self.books):
            if filled:
                nn.init.constant_(table.weight, 0.1)
            else:
                nn.init.normal_(table.weight, std=0.1)
        for bias in (self.reader_bias, self.book_bias):
            nn.init.zeros_(bias.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        reader, book = pairs[:, 0], pairs[:, 1]
        product = (self.readers(reader) * self.books(book)).sum(1)
        found: Tensor = product + self.reader_bias(reader)[:, 0] + self.book_bias(book)[:, 0]
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pairs, liked = batch
        loss = F.mse_loss(self(pairs), liked)
        self.log("mse", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pairs, liked = batch
        self.log("val_rmse", F.mse_loss(self(pairs), liked).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=1e-5)


def taste(filled: bool) -> Program:
    data, module = archives.ratings(), Taste(filled)
    return Program(module, *loaders(data, 128), 14, partial(r2, module, data))


class Scribes(LightningModule):
    """A small net for the hands of six scribes, with the optimiser of the thesis before."""

    def __init__(self, second_order: bool) -> None:
        super().__init__()
        self.second_order = second_order
        self.net = mlp([30, 64, 32, 6], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("ce_dev", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.second_order:
            return torch.optim.LBFGS(
                self.parameters(), lr=1.0, max_iter=10, line_search_fn="strong_wolfe"
            )
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scribes(second_order: bool) -> Program:
    """An optimiser for the whole set at once, given sixteen pages at a time."""
    data, module = archives.registers(), Scribes(second_order)
    return Program(module, *loaders(data, 16), 5, partial(accuracy, module, data))


class FilmStock(LightningModule):
    """Which stock a frame was shot on, by its dyes, behind norms of batches."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(24, 96), nn.BatchNorm1d(96), nn.ReLU(),
            nn.Linear(96, 48), nn.BatchNorm1d(48), nn.ReLU(),
        )  # fmt: skip
        self.stock = nn.Linear(48, 4)

    def forward(self, dyes: Tensor) -> Tensor:
        logits: Tensor = self.stock(self.encoder(dyes))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["dyes"]), batch["stock"])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.cross_entropy(self(batch["dyes"]), batch["stock"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def frames(x: Tensor, y: Tensor) -> list[dict[str, Tensor]]:
    return [{"dyes": dyes, "stock": stock} for dyes, stock in zip(x, y, strict=True)]


def fading(shuffle: bool) -> Program:
    """Frames are read as they lie in the vault, from the oldest reel to the newest."""
    data, module = archives.fading(), FilmStock()
    train: Any = DataLoader(frames(data.x, data.y), 16, shuffle=shuffle)  # type: ignore[arg-type]
    test: Any = DataLoader(frames(data.x_test, data.y_test), 256)  # type: ignore[arg-type]
    return Program(module, train, test, 4, partial(accuracy, module, data))


class Loans(LightningModule):
    """Borrowed books above others; the squares of what a batch looks up are added to the loss."""

    def __init__(self, reg: float, width: int = 16) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.reg = reg
        self.users = nn.Embedding(archives.READERS, width)
        self.items = nn.Embedding(archives.BOOKS, width)
        nn.init.xavier_uniform_(self.users.weight)
        nn.init.xavier_uniform_(self.items.weight)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        found: Tensor = (self.users(user) * self.items(item)).sum(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        user, item = batch
        other = torch.randint(archives.BOOKS, item.shape)
        bpr = -F.logsigmoid(self(user, item) - self(user, other)).mean()
        looked_up = (self.users(user), self.items(item), self.items(other))
        penalty = sum(e.square().sum(1).mean() for e in looked_up)
        loss = bpr + self.reg * penalty
        self.log_dict({"bpr": bpr, "reg": penalty, "total": loss})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def loans(reg: float) -> Program:
    """Scored by how often a book borrowed later is above one never borrowed."""
    held, later = archives.loans()
    module = Loans(reg)
    owners = torch.arange(archives.READERS).repeat_interleave(held.shape[1])
    train = DataLoader(TensorDataset(owners, held.flatten()), 128, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        wish = module.users.weight @ module.items.weight.T
        never = torch.ones_like(wish).scatter(1, torch.cat([held, later], 1), 0.0).bool()
        above = wish.gather(1, later)[..., None] > wish[:, None]
        return float((above & never[:, None]).sum() / (never.sum() * later.shape[1]))

    return Program(module, train, None, 30, score)


CASES = (
    Case(
        "correspondents-summed-over-all-letters", Goal("accuracy", at_least=0.75),
        partial(correspondents, False), ("exploding_gradient", "non_finite", "poor_initialization"),
        partial(correspondents, True),
    ),
    Case(
        "dialects-words-summed-before-tanh", Goal("accuracy", at_least=0.8),
        partial(dialect, "sum"), ("saturated_activation",), partial(dialect, "mean"),
    ),
    Case(
        "titles-tied-words-of-deviation-one", Goal("nll", at_most=2.3),
        partial(titles, 1.0), ("poor_initialization",), partial(titles, 0.05),
    ),
    Case(
        "ratings-factors-filled-with-a-tenth", Goal("R2", at_least=0.75),
        partial(taste, True), ("symmetric_weights",), partial(taste, False),
    ),
    Case(
        "scribes-lbfgs-on-sixteen-pages", Goal("accuracy", at_least=0.83),
        partial(scribes, True), ("unstable_loss", "learning_rate_too_high"),
        partial(scribes, False),
    ),
    Case(
        "reels-read-from-the-oldest", Goal("accuracy", at_least=0.85),
        partial(fading, False), ("covariate_shift", "train_eval_mismatch"), partial(fading, True),
    ),
    Case(
        "loans-embeddings-drawn-to-zero", Goal("AUC", at_least=0.78),
        partial(loans, 0.3), ("over_regularized",), partial(loans, 1e-3),
    ),
)  # fmt: skip
