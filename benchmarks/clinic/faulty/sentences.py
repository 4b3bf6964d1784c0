"""Programs that read words one after another."""

import string
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, cross_entropy
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Sentiment(nn.Module):
    """A GRU, and a linear layer on its last state."""

    def __init__(self, width: int = 48, dropout: float = 0.0) -> None:
        super().__init__()
        self.emb = nn.Embedding(fabricated.WORDS, 24, padding_idx=0)
        self.rnn = nn.GRU(24, width, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.rnn(self.emb(tokens))
        logits: Tensor = self.out(self.drop(states[:, -1]))
        return logits


class LitReviews(LightningModule):
    """Its batches are dictionaries."""

    def __init__(self, model: nn.Module, **hparams: Any) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.model(tokens)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("train/loss", loss, batch_size=len(batch["labels"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("val/loss", loss, batch_size=len(batch["labels"]))

    def configure_optimizers(self) -> Any:
        decay = self.hparams.get("weight_decay", 0.0)
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], weight_decay=decay)


def dictionaries(data: Samples, max_length: int, batch_size: int) -> Any:
    """Loaders of texts cut to their first or, for a negative length, their last words."""
    cut = slice(max_length) if max_length > 0 else slice(max_length, None)

    def rows(x: Tensor, y: Tensor) -> list[dict[str, Tensor]]:
        return [{"input_ids": a[cut], "labels": b} for a, b in zip(x, y, strict=True)]

    return (
        DataLoader(rows(data.x, data.y), batch_size, shuffle=True),  # type: ignore[arg-type]
        DataLoader(rows(data.x_test, data.y_test), 256),  # type: ignore[arg-type]
    )


def reviews(
    max_length: int = -20, lr: float = 3e-3, weight_decay: float = 0.0, *, epochs: int = 9
) -> Program:
    data = fabricated.reviews()
    module = LitReviews(Sentiment(), lr=lr, weight_decay=weight_decay)
    cut = data.x_test[:, :max_length] if max_length > 0 else data.x_test[:, max_length:]
    measured = data._replace(x_test=cut)
    both = dictionaries(data, max_length, 32)
    return Program(module, *both, epochs, partial(accuracy, module, measured))


class GroupedReviews(LitReviews):
    """Decays weights and not biases, as it tells them by the ends of their names."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        named = list(self.named_parameters())
        every = self.hparams["every"]
        weights = [p for n, p in named if n.endswith("weight") or (every and ".weight_" in n)]
        biases = [p for n, p in named if n.endswith("bias") or (every and ".bias_" in n)]
        groups = [{"params": weights, "weight_decay": 1e-4}, {"params": biases}]
        return torch.optim.AdamW(groups, lr=3e-3, weight_decay=0.0)


def grouped(every: bool = False) -> Program:
    data = fabricated.reviews()
    data = data.with_inputs(data.x[:, -20:], data.x_test[:, -20:])
    module = GroupedReviews(Sentiment(16), every=every)
    both = dictionaries(data, 20, 32)
    return Program(module, *both, 9, partial(accuracy, module, data))


def by_heart(epochs: int = 15, width: int = 128, dropout: float = 0.0) -> Program:
    """Eight hundred reviews, of which one in ten is labelled wrongly."""
    data = fabricated.reviews(wrong=0.1).first(800)
    data = data.with_inputs(data.x[:, -20:], data.x_test[:, -20:])
    module = LitReviews(Sentiment(width, dropout), lr=3e-3)
    both = dictionaries(data, 20, 16)
    return Program(module, *both, epochs, partial(cross_entropy, module, data))


class NextSymbol(LightningModule):
    """The softmax is in the network, since "the output ought to be probabilities"."""

    def __init__(self, softmax: bool, symbols: int = 50) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.decoder = nn.Sequential(nn.Linear(64, symbols))
        if softmax:
            self.decoder.append(nn.Softmax(dim=-1))
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.lstm(self.embedding(x))[0])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self(x).flatten(0, 1), y.flatten())
        self.log("ce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def symbols(softmax: bool = True) -> Program:
    data, _ = fabricated.second_order()
    module = NextSymbol(softmax)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class Kinds(LightningModule):
    """Is it a word, a number, a code? By convolutions over letters, and the likelihood."""

    def __init__(self, output: nn.Module, kinds: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Embedding(36, 16), Turned(), nn.Conv1d(16, 96, 3), nn.ReLU(),
            nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(96, kinds),
        )  # fmt: skip
        self.output, self.loss = output, nn.NLLLoss()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.output(self.body(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self(batch[0]), batch[1])
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class Turned(nn.Module):
    """Channels before places."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mT


def codes(kinds: int = 30, count: int = 3000) -> Samples:
    """Codes of 14 signs; each kind has a syllable of three of its own somewhere."""
    generator = torch.Generator().manual_seed(78)
    signs = len(string.ascii_lowercase + string.digits)
    own = torch.randint(signs, (kinds, 3), generator=generator)
    y = torch.randint(kinds, (count,), generator=generator)
    x = torch.randint(signs, (count, 14), generator=generator)
    start = torch.randint(12, (count, 1), generator=generator)
    x.scatter_(1, start + torch.arange(3), own[y])
    cut = count * 2 // 3
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


def coded(output: nn.Module) -> Program:
    data = codes()
    module = Kinds(output, 30)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


READ = Goal("accuracy", at_least=0.85)
CASES = (
    Case(
        "reviews-cut-to-their-padding", READ, partial(reviews, 16),
        ("not_learning", "inconsistent_labels"), partial(reviews, -20),
    ),
    Case(
        "reviews-decay-for-adam-of-a-twentieth", READ, partial(reviews, weight_decay=0.05),
        ("over_regularized", "not_learning"), reviews,
    ),
    Case(
        "reviews-groups-by-ends-of-names", READ, grouped, ("frozen_parameter",),
        partial(grouped, True),
    ),
    Case(
        "reviews-few-by-heart", Goal("cross-entropy", at_most=0.68), by_heart,
        ("overfitting", "inconsistent_labels"), partial(by_heart, 7, 24, 0.3),
    ),
    Case(
        "symbols-softmax-of-the-decoder", Goal("accuracy", at_least=0.4), symbols,
        ("output_loss_mismatch",), partial(symbols, False),
    ),
    Case(
        "codes-likelihood-of-softmax", Goal("accuracy", at_least=0.85),
        partial(coded, nn.Softmax(-1)), ("output_loss_mismatch",),
        partial(coded, nn.LogSoftmax(-1)),
    ),
)  # fmt: skip
