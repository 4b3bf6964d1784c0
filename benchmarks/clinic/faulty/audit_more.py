"""An acceptance test, written from the list of problems: series, texts and a graph."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import audit
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class WalkSum(LightningModule):
    """Rectified units whose states are handed on as they are, as Le and others begin."""

    def __init__(self, lr: float = 0.005) -> None:
        super().__init__()
        self.lr = lr
        self.rnn = nn.RNN(1, 64, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        self.out = nn.Linear(64, 1)

    def forward(self, walk: Tensor) -> Tensor:
        states, _ = self.rnn(walk)
        return self.out(states[:, -1]).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        walk, end = batch
        loss = F.mse_loss(self(walk), end)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def walk(clip: float | None = None) -> Program:
    data = audit.sums()
    module = WalkSum()
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 32), 12, score, {"gradient_clip_val": clip})


class GestureNet(LightningModule):
    """Convolutions over the three channels of a sensor."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(32, 4)

    def forward(self, windows: Tensor) -> Tensor:
        return self.head(self.net(windows).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, gesture = batch
        loss = F.cross_entropy(self(windows), gesture)
        self.log("gesture_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def gestures(shuffle: bool = False) -> Program:
    """The windows come as they were recorded."""
    data = audit.sessions()
    module = GestureNet()
    train = DataLoader(TensorDataset(data.x, data.y), 32, shuffle=shuffle)
    return Program(module, train, None, 8, partial(accuracy, module, Samples(*data)))


class Block(nn.Module):
    """Attention to what came before, and two dense layers."""

    mask: Tensor

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.dense = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.register_buffer("mask", torch.ones(length, length).triu(1).bool())

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        x = x + self.attention(h, h, h, attn_mask=self.mask, need_weights=False)[0]
        return x + self.dense(self.norm2(x))  # type: ignore[no-any-return]


class TinyGPT(LightningModule):
    """The next letter, by two blocks."""

    def __init__(self, lr: float, width: int = 48, length: int = 32) -> None:
        super().__init__()
        self.lr = lr
        self.token = nn.Embedding(audit.LETTERS, width)
        self.place = nn.Embedding(length, width)
        self.blocks = nn.Sequential(Block(width, length), Block(width, length))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, audit.LETTERS)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))  # type: ignore[no-any-return]

    def loss(self, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(self(batch[0]).transpose(1, 2), batch[1])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss)
        self.log("train/perplexity", loss.exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, betas=(0.9, 0.95))


def per_letter(module: LightningModule, data: Samples) -> float:
    return F.cross_entropy(outputs(module, data.x_test).transpose(1, 2), data.y_test).item()


def gpt(lr: float = 0.1) -> Program:
    data = audit.excerpts()
    module = TinyGPT(lr)
    return Program(module, *loaders(data, 32), 4, partial(per_letter, module, data))


class Causal(nn.Conv1d):
    """Looks back only."""

    def forward(self, input: Tensor) -> Tensor:
        back = self.dilation[0] * (self.kernel_size[0] - 1)
        return super().forward(F.pad(input, (back, 0)))


class SalesTCN(LightningModule):
    """Dilated convolutions; the rate is to fall to a tenth every ten epochs."""

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.interval = interval
        self.layers = nn.ModuleList(
            [Causal(1, 24, 3), Causal(24, 24, 3, dilation=2), Causal(24, 24, 3, dilation=4)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(24) for _ in range(3)])
        self.out = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        return self.out(x[..., -1]).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.1)
        schedule = {"scheduler": scheduler, "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def tcn(interval: str = "step") -> Program:
    data = audit.sales()
    module = SalesTCN(interval)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class StarsLSTM(LightningModule):
    """The stars of a review, standardized."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.words = nn.Embedding(120, 24)
        self.lstm = nn.LSTM(24, 48, batch_first=True)
        self.head = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.words(x))
        return self.head(states.mean(1)).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=self.lr)


def stars(lr: float = 0.08, batch_size: int = 8) -> Program:
    data = audit.reviews()
    module = StarsLSTM(lr)
    return Program(module, *loaders(data, batch_size), 4, partial(r2, module, data))


class TopicEncoder(LightningModule):
    """Reads the topic off the first token; blanks are to be left out."""

    def __init__(self, leave_out: Callable[[Tensor], Tensor], width: int = 32) -> None:
        super().__init__()
        self.leave_out = leave_out
        self.embed = nn.Embedding(120, width)
        self.place = nn.Parameter(0.1 * torch.randn(20, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(width, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.place
        hidden = self.encoder(x, src_key_padding_mask=self.leave_out(tokens))
        return self.classifier(hidden[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, topic = batch
        loss = F.cross_entropy(self(tokens), topic)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, topic = batch
        logits = self(tokens)
        self.log("val_loss", F.cross_entropy(logits, topic))
        self.log("val_acc", (logits.argmax(1) == topic).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def words_are(tokens: Tensor) -> Tensor:
    """A one for each word, as other frameworks want their masks."""
    return tokens != audit.BLANK


def blanks_are(tokens: Tensor) -> Tensor:
    return tokens == audit.BLANK


def topics(leave_out: Callable[[Tensor], Tensor] = words_are) -> Program:
    data = audit.complaints()
    module = TopicEncoder(leave_out)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class GraphNet(LightningModule):
    """Two layers over the normalized adjacency; their weights are made by hand."""

    x: Tensor
    edges: Tensor

    def __init__(self, draw: Callable[[Tensor], Tensor], width: int = 32) -> None:
        super().__init__()
        graph = audit.citations()
        self.register_buffer("x", graph.x)
        self.register_buffer("edges", graph.edges)
        self.w1 = nn.Parameter(draw(torch.empty(16, width)))
        self.w2 = nn.Parameter(draw(torch.empty(width, width)))
        self.w3 = nn.Parameter(draw(torch.empty(width, 4)))
        self.b = nn.Parameter(torch.zeros(4))

    def forward(self, papers: Tensor) -> Tensor:
        hidden = F.elu(self.edges @ self.x @ self.w1)
        hidden = F.elu(self.edges @ hidden @ self.w2)
        return (hidden @ self.w3 + self.b)[papers]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        papers, field = batch
        loss = F.cross_entropy(self(papers), field)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def equal(weight: Tensor) -> Tensor:
    return nn.init.constant_(weight, 0.1)


def fields(draw: Callable[[Tensor], Tensor] = equal) -> Program:
    graph = audit.citations()
    module = GraphNet(draw)
    known = TensorDataset(graph.known, graph.y[graph.known])
    data = Samples(graph.known, graph.y[graph.known], graph.asked, graph.y[graph.asked])
    train = DataLoader(known, 48, shuffle=True)
    return Program(module, train, None, 40, partial(accuracy, module, data))


class PressureGRU(LightningModule):
    """Where the pressure goes in the next six hours."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 40, batch_first=True)
        self.fc = nn.Linear(40, 1)

    def forward(self, hours: Tensor) -> Tensor:
        _, last = self.gru(hours)
        return self.fc(last[0]).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        hours, move = batch
        loss = F.huber_loss(self(hours), move)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        hours, move = batch
        self.log("val_huber", F.huber_loss(self(hours), move))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pressure(scale: bool = False) -> Program:
    data = audit.station()
    if scale:
        mean, deviation = data.x.mean((0, 1)), data.x.std((0, 1))
        data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    module = PressureGRU()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class BeatNet(LightningModule):
    """Which beats have a second wave; three in a hundred have one."""

    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3), nn.ReLU(),
            nn.Conv1d(16, 24, 5, stride=2, padding=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weight=weights)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss: Tensor = self.criterion(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.criterion(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-4)


def beats(weight: float | None = None) -> Program:
    data = standardized(audit.beats())
    module = BeatNet(None if weight is None else torch.tensor([1.0, weight]))
    return Program(module, *loaders(data, 32), 6, partial(balanced_accuracy, module, data))


class Tagger(LightningModule):
    """A tag for each word, by what stands before and behind."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(audit.WORDS, 32)
        self.drop = nn.Dropout(keep)
        self.lstm = nn.LSTM(32, 48, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(96, audit.TAGS)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.lstm(self.drop(self.embed(words)))
        return self.tags(self.drop(states))  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        words, tags = batch
        scores = self(words).flatten(0, 1)
        loss = F.cross_entropy(scores, tags.flatten())
        self.log(f"{stage}_loss", loss)
        self.log(f"{stage}_acc", (scores.argmax(1) == tags.flatten()).float().mean())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tag_accuracy(module: LightningModule, data: Samples) -> float:
    return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()


def tags(keep: float = 0.9) -> Program:
    """What was the share to keep is here the share to drop."""
    data = audit.tagged()
    module = Tagger(keep)
    return Program(module, *loaders(data, 24), 10, partial(tag_accuracy, module, data))


class Reverser(LightningModule):
    """Reads symbols and writes them backwards: attention between two recurrent networks."""

    def __init__(self, everything: bool, width: int = 40) -> None:
        super().__init__()
        self.everything = everything
        self.encoder = nn.ModuleDict(
            {
                "embed": nn.Embedding(audit.SYMBOLS, 16),
                "gru": nn.GRU(16, width, batch_first=True),
            }
        )
        self.decoder = nn.ModuleDict(
            {
                "embed": nn.Embedding(audit.SYMBOLS, 16),
                "gru": nn.GRU(16, width, batch_first=True),
                "query": nn.Linear(width, width),
                "out": nn.Linear(2 * width, audit.SYMBOLS),
            }
        )

    def decode(self, source: Tensor, before: Tensor) -> Tensor:
        memory, last = self.encoder["gru"](self.encoder["embed"](source))
        states, _ = self.decoder["gru"](self.decoder["embed"](before), last)
        weights = (self.decoder["query"](states) @ memory.transpose(1, 2)).softmax(-1)
        return self.decoder["out"](torch.cat([states, weights @ memory], -1))  # type: ignore[no-any-return]

    def forward(self, source: Tensor) -> Tensor:
        """Symbol by symbol, each the likeliest."""
        written = torch.zeros(len(source), 1, dtype=torch.long)
        for _ in range(source.shape[1]):
            best = self.decode(source, written)[:, -1:].argmax(-1)
            written = torch.cat([written, best], 1)
        return F.one_hot(written[:, 1:], audit.SYMBOLS)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        source, target = batch
        before = F.pad(target[:, :-1], (1, 0))
        loss = F.cross_entropy(self.decode(source, before).transpose(1, 2), target)
        self.log("teacher_forced", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parts = self if self.everything else self.decoder
        return torch.optim.Adam(parts.parameters(), lr=4e-3)


def reverse(everything: bool = False) -> Program:
    data = audit.reversals()
    module = Reverser(everything)
    train, _ = loaders(data, 48)
    return Program(module, train, None, 12, partial(tag_accuracy, module, data))


ACCURACY, R2 = "accuracy", "R2"
CASES = (
    Case("audit-walk-without-clipping", Goal(R2, 0.8), walk,
         ("exploding_gradient", "learning_rate_too_high", "non_finite"), partial(walk, 1.0)),
    Case("audit-gestures-as-recorded", Goal(ACCURACY, 0.9), gestures,
         ("covariate_shift", "unstable_loss"), partial(gestures, True)),
    Case("audit-gpt-large-steps", Goal("nats per letter", at_most=1.0), gpt,
         ("learning_rate_too_high",), partial(gpt, 3e-3)),
    Case("audit-tcn-rate-falls-by-the-step", Goal(R2, 0.8), tcn, ("learning_rate_too_low",),
         partial(tcn, "epoch")),
    Case("audit-stars-few-at-a-time", Goal(R2, 0.82), stars,
         ("unstable_loss", "learning_rate_too_high"), partial(stars, 3e-3)),
    Case("audit-topics-mask-inverted", Goal(ACCURACY, 0.85), topics, ("not_learning",),
         partial(topics, blanks_are)),
    Case("audit-fields-equal-weights", Goal(ACCURACY, 0.8), fields,
         ("symmetric_weights", "poor_initialization"), partial(fields, nn.init.xavier_uniform_)),
    Case("audit-pressure-in-hectopascal", Goal(R2, 0.8), pressure,
         ("unnormalized_input", "saturated_activation"), partial(pressure, True)),
    Case("audit-beats-rare-second-wave", Goal("balanced accuracy", 0.75), beats,
         ("class_imbalance",), partial(beats, 20.0)),
    Case("audit-tags-share-to-keep", Goal(ACCURACY, 0.9), tags, ("over_regularized",),
         partial(tags, 0.1)),
    Case("audit-reverse-decoder-only", Goal(ACCURACY, 0.92), reverse, ("frozen_parameter",),
         partial(reverse, True)),
)  # fmt: skip
