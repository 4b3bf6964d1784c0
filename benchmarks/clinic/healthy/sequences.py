"""Recurrent and attention networks that learn."""

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
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset

WORDS = 100


class Recurrent(LightningModule):
    """Any recurrent layer over a series."""

    def __init__(self, rnn: nn.Module, width: int, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters("lr", logger=False)
        self.rnn, self.fc = rnn, nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        logits: Tensor = self.fc(states.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def waves(kind: type[nn.RNNBase], width: int = 32, epochs: int = 10, **options: Any) -> Program:
    data = samples.waves()
    rnn = kind(1, width, batch_first=True, **options)
    module = Recurrent(rnn, 2 * width if rnn.bidirectional else width, 5e-3)
    train, _ = loaders(data, 32)
    arguments = {"gradient_clip_val": 1.0}
    return Program(module, train, None, epochs, partial(accuracy, module, data), arguments)


class Packed(LightningModule):
    """Texts of unequal lengths, packed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS + 1, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.out = nn.Linear(32, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens > 0).sum(1).cpu()
        packed = pack_padded_sequence(
            self.embed(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.lstm(packed)
        logits: Tensor = self.out(last[-1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def packed() -> Program:
    data = samples.texts()
    generator = torch.Generator().manual_seed(0)

    def cut(x: Tensor) -> Tensor:
        lengths = torch.randint(10, 17, (len(x), 1), generator=generator)
        return torch.where(torch.arange(x.shape[1]) < lengths, x + 1, 0)

    data = data.with_inputs(cut(data.x), cut(data.x_test))
    module = Packed()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(accuracy, module, data))


class TextEncoder(LightningModule):
    """A transformer with a warm-up, if asked."""

    def __init__(self, optimizer: Optimizer, norm_first: bool, warm_up: int) -> None:
        super().__init__()
        self.optimizer, self.warm_up = optimizer, warm_up
        self.embed, self.position = nn.Embedding(WORDS, 32), nn.Embedding(16, 32)
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.1, "gelu", batch_first=True, norm_first=norm_first
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.embed(x) + self.position(torch.arange(x.shape[1], device=x.device))
        logits: Tensor = self.head(self.layers(hidden).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / self.warm_up)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def encoder(norm_first: bool, warm_up: int = 1) -> Program:
    data = samples.texts()
    module = TextEncoder(partial(torch.optim.AdamW, lr=2e-3), norm_first, warm_up)
    train, _ = loaders(data, 32)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, None, 7, partial(accuracy, module, data), trainer)


class Patches(nn.Module):
    """A vision transformer over sixteen patches of four pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 32, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(
            32, 2, 64, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32), enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], 1) + self.position
        return self.head(self.encoder(tokens)[:, 0])


class NextWord(LightningModule):
    """A language model of one GRU, its output tied to its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, 48)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.gru = nn.GRU(48, 48, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(self.embed(x))[0] @ self.embed.weight.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.cross_entropy(self(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        self.log("ppl", loss.exp())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def walks(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    words = [torch.randint(WORDS, (count,), generator=generator)]
    for _ in range(15):
        step = torch.randint(2, (count,), generator=generator)
        words.append((7 * words[-1] + 13 + 31 * step) % WORDS)
    return torch.stack(words, 1)


def next_word() -> Program:
    """Two words may follow each, so that no loss lies under ln 2."""
    batches = DataLoader(TensorDataset(walks(1200)), batch_size=32, shuffle=True)
    module, unseen = NextWord(), walks(300)

    def score() -> float:
        logits = outputs(module, unseen[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), unseen[:, 1:].flatten()).item()

    return Program(module, batches, None, 8, score)


class Bag(LightningModule):
    """Sparse gradients of an embedding, by an optimiser that takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 32, sparse=True)
        self.out = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.bag(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def bag_of_words() -> Program:
    data: Samples = samples.texts()
    module = Bag()
    train, _ = loaders(data, 16)
    return Program(module, train, None, 12, partial(accuracy, module, data))


WAVES = Goal("accuracy", at_least=0.9)
TOPICS = Goal("accuracy", at_least=0.85)
CASES = (
    Case("waves-lstm", WAVES, partial(waves, nn.LSTM), fast=True),
    Case("waves-gru", WAVES, partial(waves, nn.GRU)),
    Case("waves-rnn", WAVES, partial(waves, nn.RNN)),
    Case("waves-both-ways", WAVES, partial(waves, nn.GRU, 16, bidirectional=True)),
    Case("waves-two-layers", WAVES, partial(waves, nn.LSTM, 24, num_layers=2, dropout=0.2)),
    Case("topics-packed", TOPICS, packed),
    Case("topics-transformer-norm-first", TOPICS, partial(encoder, True)),
    Case("topics-transformer-norm-last", TOPICS, partial(encoder, False, 80)),
    Case("language-model-tied", Goal("cross-entropy", at_most=1.3), next_word),
    Case("topics-bag-of-words", TOPICS, bag_of_words),
)  # fmt: skip
