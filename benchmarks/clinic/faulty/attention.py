"""Transformers on short texts, and a small language model."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer
from scores import accuracy, outputs
from torch import Tensor, nn

WORDS, LENGTH = 100, 16


def adamw(lr: float) -> Optimizer:
    return partial(torch.optim.AdamW, lr=lr)


class TextTransformer(LightningModule):
    """Torch's encoder with learned positions, and the mean of its outputs."""

    def __init__(
        self, optimizer: Optimizer, dropout: float = 0.1, width: int = 32, detach: bool = False
    ) -> None:
        super().__init__()
        self.optimizer, self.detach = optimizer, detach
        self.tokens = nn.Embedding(WORDS, width)
        self.positions = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.encoder(self.tokens(x) + self.positions).mean(1)
        logits: Tensor = self.classifier(hidden.detach() if self.detach else hidden)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train/loss_step", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val/ce", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def transformer(lr: float, epochs: int = 6, **model: Any) -> Program:
    data = samples.texts()
    module = TextTransformer(adamw(lr), **model)
    return Program(module, *loaders(data, 32), epochs, partial(accuracy, module, data))


class PaddedAttention(LightningModule):
    """Attention of its own, for texts that are padded with word 0; some are empty."""

    def __init__(self, hidden_value: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS + 1, 32, padding_idx=0)
        self.query, self.key, self.value = (nn.Linear(32, 32) for _ in range(3))
        self.head, self.hidden_value = nn.Linear(32, 4), hidden_value

    def forward(self, x: Tensor) -> Tensor:
        e = self.embedding(x)
        scores = self.query(e) @ self.key(e).transpose(1, 2) / 32**0.5
        scores = scores.masked_fill((x == 0)[:, None], self.hidden_value)
        logits: Tensor = self.head((scores.softmax(-1) @ self.value(e)).mean(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self(batch[0])
        return F.cross_entropy(logits, batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def padded(hidden_value: float = -torch.inf) -> Program:
    data = samples.texts()
    x, x_test = data.x + 1, data.x_test + 1
    x[::100] = 0
    module = PaddedAttention(hidden_value)
    train, _ = loaders(data.with_inputs(x, x_test), 32)
    score = partial(accuracy, module, data.with_inputs(x, x_test))
    return Program(module, train, None, 8, score)


class LanguageModel(LightningModule):
    """The next word, by a causal encoder whose output weights are its embedding."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 64)
        self.block = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(64)
        nn.init.normal_(self.embed.weight, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        hidden = self.norm(self.block(self.embed(x), src_mask=mask, is_causal=True))
        return hidden @ self.embed.weight.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        logits = self(x[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())
        self.log("perplexity", loss.exp())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def sentences(count: int) -> Tensor:
    """Walks in which the next word is one of two that the last one allows."""
    generator = torch.Generator().manual_seed(count)
    words = [torch.randint(WORDS, (count,), generator=generator)]
    for _ in range(LENGTH - 1):
        step = torch.randint(2, (count,), generator=generator)
        words.append((7 * words[-1] + 13 + 31 * step) % WORDS)
    return torch.stack(words, 1)


def next_word_loss(module: LightningModule, x: Tensor) -> float:
    logits = outputs(module, x[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()).item()


def language_model(deviation: float) -> Program:
    train = torch.utils.data.TensorDataset(sentences(1200))
    batches = torch.utils.data.DataLoader(train, batch_size=32, shuffle=True)
    module = LanguageModel(deviation)
    return Program(module, batches, None, 8, partial(next_word_loss, module, sentences(300)))


class SetTransformer(LightningModule):
    """A regression over sets that takes its queries from the wrong variable."""

    def __init__(self, wrong: bool) -> None:
        super().__init__()
        self.wrong, self.seed = wrong, nn.Parameter(torch.randn(1, 8, 32))
        self.project = nn.Linear(2, 32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        seeds = self.seed.expand(len(x), -1, -1)
        keys = seeds if self.wrong else self.project(windows(x))
        pooled, _ = self.attention(seeds, keys, keys, need_weights=False)
        logits: Tensor = self.mlp(pooled.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def windows(x: Tensor) -> Tensor:
    """Neighbours of a series, as pairs."""
    return torch.cat([x[:, :-1], x[:, 1:]], -1)


def sets(wrong: bool = True) -> Program:
    data: Samples = samples.waves()
    module = SetTransformer(wrong)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(accuracy, module, data))


TOPICS = Goal("accuracy", at_least=0.85)
HEALTHY = partial(transformer, 1e-3)
CASES = (
    Case(
        "transformer-large-steps", TOPICS, partial(transformer, 0.1),
        ("learning_rate_too_high", "not_learning", "dead_relu"), HEALTHY,
    ),
    Case(
        "transformer-small-steps", TOPICS, partial(transformer, 3e-6), ("learning_rate_too_low",),
        HEALTHY,
    ),
    Case(
        "transformer-heavy-dropout", TOPICS, partial(transformer, 1e-3, dropout=0.9),
        ("over_regularized",), HEALTHY,
    ),
    Case(
        "transformer-detached-encoder", TOPICS, partial(transformer, 1e-3, detach=True),
        ("frozen_parameter",), HEALTHY,
    ),
    Case(
        "attention-over-empty-texts", TOPICS, padded, ("non_finite",), partial(padded, -1e9),
    ),
    Case(
        "language-model-wide-embedding", Goal("cross-entropy", at_most=1.6),
        partial(language_model, 3.0), ("poor_initialization",), partial(language_model, 0.1),
    ),
    Case(
        "set-attention-without-the-set", Goal("accuracy", at_least=0.6), sets,
        ("not_learning", "frozen_parameter"),
        partial(sets, False),
    ),
)  # fmt: skip
