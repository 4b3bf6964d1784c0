"""A company's trial of a tool: recordings, readings, tickets and phrases, each with a fault."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import adoption
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class TicketSorter(LightningModule):
    """Attention pools the words of a ticket; padding is masked before the softmax."""

    def __init__(self, masked: float, width: int = 32) -> None:
        super().__init__()
        self.masked = masked
        self.words = nn.Embedding(90, width, padding_idx=0)
        self.weigh = nn.Linear(width, 1)
        self.topic = nn.Linear(width, 5)

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words)
        weight = self.weigh(x.tanh()).squeeze(-1).masked_fill(words == 0, self.masked)
        pooled = (weight.softmax(1).unsqueeze(-1) * x).sum(1)
        found: Tensor = self.topic(pooled)
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        words, topic = batch
        loss = F.cross_entropy(self(words), topic)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        words, topic = batch
        self.log("valid_ce", F.cross_entropy(self(words), topic))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def ticket_sorter(masked: float) -> Program:
    data = adoption.tickets(empty=0.01)
    module = TicketSorter(masked)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Echo(LightningModule):
    """A linear state that remembers the readings, and a sum of it at the end."""

    def __init__(self, gain: float, size: int = 24) -> None:
        super().__init__()
        self.enter = nn.Linear(3, size)
        self.recur = nn.Linear(size, size, bias=False)
        nn.init.orthogonal_(self.recur.weight, gain)
        self.leave = nn.Linear(size, 1)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.recur.in_features)
        for t in range(x.shape[1]):
            state = self.recur(state) + self.enter(x[:, t])
        found: Tensor = self.leave(state)
        return found[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("mse_val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def echo(gain: float) -> Program:
    data = adoption.readings()
    module = Echo(gain)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class FadingLevel(LightningModule):
    """Averages readings over the last hours with a plain recurrent network."""

    def __init__(self, spread: float | None, size: int = 48) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, size, batch_first=True)
        if spread is None:
            nn.init.orthogonal_(self.rnn.weight_hh_l0)
        else:
            nn.init.normal_(self.rnn.weight_hh_l0, std=spread / size**0.5)
        self.level = nn.Linear(size, 1)

    def forward(self, series: Tensor) -> Tensor:
        _, last = self.rnn(series)
        found: Tensor = self.level(last[0])
        return found.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        series, level = batch
        loss = F.mse_loss(self(series), level)
        self.log("squared", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        series, level = batch
        self.log("squared_val", F.mse_loss(self(series), level))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def fading_level(spread: float | None, clip: float | None = None) -> Program:
    data = adoption.readings()
    module = FadingLevel(spread)
    options = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data), options)


class TicketEncoder(LightningModule):
    """Two encoder layers that look at all words of a ticket, and the mean of what they found."""

    def __init__(self, lr: float, width: int = 32) -> None:
        super().__init__()
        self.lr = lr
        self.embed = nn.Embedding(90, width)
        self.place = nn.Parameter(0.02 * torch.randn(20, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 5)

    def forward(self, words: Tensor) -> Tensor:
        x = self.encoder(self.embed(words) + self.place, src_key_padding_mask=words == 0)
        keep = (words != 0).unsqueeze(-1)
        found: Tensor = self.head((x * keep).sum(1) / keep.sum(1))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        words, topic = batch
        loss = F.cross_entropy(self(words), topic)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        words, topic = batch
        logits = self(words)
        self.log("val/loss", F.cross_entropy(logits, topic))
        self.log("val/acc", (logits.argmax(1) == topic).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def ticket_encoder(lr: float) -> Program:
    data = adoption.tickets()
    module = TicketEncoder(lr)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class BearingNet(LightningModule):
    """Three convolutions over the vibrations of a bearing."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.front = nn.Conv1d(2, 24, 9, padding=4)
        self.middle = nn.Conv1d(24, 32, 5, padding=2)
        self.back = nn.Conv1d(32, 48, 5, padding=2)
        self.state = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool1d(F.gelu(self.front(x)), 2)
        x = F.max_pool1d(F.gelu(self.middle(x)), 2)
        found: Tensor = self.state(F.gelu(self.back(x)).amax(-1))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        vibration, state = batch
        loss = F.cross_entropy(self(vibration), state)
        self.log("bearing_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        vibration, state = batch
        self.log("bearing_val_loss", F.cross_entropy(self(vibration), state))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def bearing_net(lr: float) -> Program:
    data = adoption.bearings()
    module = BearingNet(lr)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class PumpKind(LightningModule):
    """A GRU over normalized pressure: over the time, or over the only channel."""

    def __init__(self, over_time: bool, length: int = 32) -> None:
        super().__init__()
        self.over_time = over_time
        self.norm = nn.LayerNorm(length if over_time else 1)
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.kind = nn.Linear(24, 3)

    def forward(self, pressure: Tensor) -> Tensor:
        if self.over_time:
            pressure = pressure.squeeze(-1)
        states, _ = self.gru(self.norm(pressure).reshape(len(pressure), -1, 1))
        found: Tensor = self.kind(states[:, -1])
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def pump_kind(over_time: bool) -> Program:
    data = adoption.pumps()
    module = PumpKind(over_time)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class TiedPhrases(LightningModule):
    """The next word; the embeddings are also the weights of the output."""

    def __init__(self, deviation: float, words: int = 40, width: int = 96) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        nn.init.normal_(self.embed.weight, std=deviation)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, words, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words)
        states, _ = self.mix(x)
        found: Tensor = self.out(self.norm(x + states))
        return found

    def loss(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("nats", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_nats", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def tied_phrases(deviation: float) -> Program:
    text, other = adoption.phrases()
    module = TiedPhrases(deviation)
    train = DataLoader(TensorDataset(text), 32, shuffle=True)
    check = DataLoader(TensorDataset(other), 100)

    def score() -> float:
        logits = outputs(module, other[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), other[:, 1:].flatten()).item()

    return Program(module, train, check, 10, score)


CASES = (
    Case(
        "acceptance-tickets-without-words", Goal("accuracy", at_least=0.8),
        partial(ticket_sorter, float("-inf")), ("non_finite",), partial(ticket_sorter, -1e4),
    ),
    Case(
        "acceptance-readings-growing-echo", Goal("R2", at_least=0.85), partial(echo, 1.3),
        ("exploding_gradient", "poor_initialization", "non_finite"), partial(echo, 0.9),
    ),
    Case(
        "acceptance-readings-chaotic-level", Goal("R2", at_least=0.8), partial(fading_level, 2.0),
        ("exploding_gradient", "poor_initialization", "unstable_loss", "saturated_activation"),
        partial(fading_level, None, 1.0),
    ),
    Case(
        "acceptance-tickets-hasty-encoder", Goal("accuracy", at_least=0.8),
        partial(ticket_encoder, 0.2), ("learning_rate_too_high",), partial(ticket_encoder, 1e-3),
    ),
    Case(
        "acceptance-bearings-timid-steps", Goal("accuracy", at_least=0.8),
        partial(bearing_net, 1e-4), ("learning_rate_too_low",), partial(bearing_net, 2e-3),
    ),
    Case(
        "acceptance-pumps-normed-channel", Goal("accuracy", at_least=0.9),
        partial(pump_kind, False), ("not_learning", "inconsistent_labels"),
        partial(pump_kind, True),
    ),
    Case(
        "acceptance-phrases-tied-unit-words", Goal("nats", at_most=1.6),
        partial(tied_phrases, 1.0), ("poor_initialization",), partial(tied_phrases, 0.02),
    ),
)  # fmt: skip
