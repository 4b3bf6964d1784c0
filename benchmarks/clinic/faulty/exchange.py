"""Faults of those who train on bars, payments, holdings, complaints and prices."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import exchange
from data_sets.bureau import auc
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


def wildness(relative: bool) -> Samples:
    """Twenty days of returns, ranges and changes of volume; the range of the next five days.

    A relative change divides by yesterday's volume, which is 0 where nobody traded.
    """
    returns, ranges, volume = exchange.bars()
    before, after = volume[:, :-1], volume[:, 1:]
    change = after / before - 1 if relative else after.log1p() - before.log1p()
    logs = ranges[:, 1:].log() + 4
    features = torch.stack([returns[:, 1:] / 0.015, logs, change], -1)
    x = features.unfold(1, 20, 3)[:, :-2].transpose(2, 3)
    y = logs[:, 20:].unfold(1, 5, 3).mean(-1)
    y = y[:, : x.shape[1]]
    x = x[:, : y.shape[1]]
    cut = 2 * x.shape[1] // 3
    x_train, x_test = x[:, :cut].flatten(0, 1), x[:, cut:].flatten(0, 1)
    return Samples(x_train, y[:, :cut].flatten(), x_test, y[:, cut:].flatten())


class RangeGRU(LightningModule):
    """A GRU over days, and a head on its last state."""

    def __init__(self, hidden: int = 32, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.gru(x)
        out: Tensor = self.head(last[-1])
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def ranges(relative: bool) -> Program:
    data, module = wildness(relative), RangeGRU()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data), trainer)


class FraudNet(LightningModule):
    """Two hidden layers as in many notebooks; the share of frauds weighs the positive class."""

    def __init__(self, features: int = 16) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(features, 64), nn.Linear(64, 32)
        self.drop, self.out = nn.Dropout(0.2), nn.Linear(32, 1)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(F.relu(self.fc1(x)))
        x = self.drop(F.relu(self.fc2(x)))
        out: Tensor = self.out(x)
        return out.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch["features"]), batch["is_fraud"].float())
        self.log("train/bce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logit = self(batch["features"])
        self.log("val/bce", self.criterion(logit, batch["is_fraud"].float()))
        self.log("val/recall", (logit[batch["is_fraud"] > 0] > 0).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def frauds(raw: bool) -> Program:
    """The components are small already, the seconds and the amounts are as the table has them."""
    data = exchange.payments() if raw else standardized(exchange.payments())
    module = FraudNet()
    train = DataLoader(Rows(features=data.x, is_fraud=data.y), 64, shuffle=True)
    test = DataLoader(Rows(features=data.x_test, is_fraud=data.y_test), 500)
    return Program(
        module, train, test, 8, lambda: auc(outputs(module, data.x_test), data.y_test > 0)
    )


class RegimeNet(LightningModule):
    """Convolutions over returns, a norm before each, and an average over time."""

    def __init__(self, batch_norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 32)):
            norm = nn.BatchNorm1d(before) if batch_norm else nn.GroupNorm(1, before)
            layers += [norm, nn.Conv1d(before, after, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.fc = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.body(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log_dict({"train_loss": loss, "train_acc": (logits.argmax(1) == y).float().mean()})
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def tickers(batch_norm: bool) -> Program:
    """Not shuffled since it is time series: each batch is of one ticker, which moves as it does."""
    data, module = exchange.regimes(), RegimeNet(batch_norm)
    both = loaders(data, 25, shuffle=False)
    return Program(module, *both, 15, partial(accuracy, module, data))


class FactorizationMachine(LightningModule):
    """Rendle's second order over investor, fund and quarter."""

    def __init__(self, factors: int = 8, constant: float | None = None) -> None:
        super().__init__()
        sizes = (exchange.INVESTORS, exchange.FUNDS, exchange.QUARTERS)
        self.register_buffer("offsets", torch.tensor([0, sizes[0], sizes[0] + sizes[1]]))
        self.bias = nn.Parameter(torch.zeros(()))
        self.linear = nn.Embedding(sum(sizes), 1)
        self.factors = nn.Embedding(sum(sizes), factors)
        nn.init.zeros_(self.linear.weight)
        if constant is None:
            nn.init.normal_(self.factors.weight, std=0.1)
        else:
            nn.init.constant_(self.factors.weight, constant)

    def forward(self, x: Tensor) -> Tensor:
        numbers = x + self.get_buffer("offsets")
        v = self.factors(numbers)
        pairs = 0.5 * (v.sum(1) ** 2 - (v**2).sum(1)).sum(1)
        found: Tensor = self.bias + self.linear(numbers).sum((1, 2)) + pairs
        return found

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_rmse", F.mse_loss(self(x), y).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=1e-5)


def factors(constant: float | None) -> Program:
    data = exchange.holdings()
    module = FactorizationMachine(constant=constant)
    return Program(module, *loaders(data, 128), 10, partial(r2, module, data))


class NeuralCF(LightningModule):
    """Embeddings of both sides side by side, and a tower over them."""

    def __init__(self, activation: type[nn.Module] | None, width: int = 24) -> None:
        super().__init__()
        self.user = nn.Embedding(exchange.INVESTORS, width)
        self.item = nn.Embedding(exchange.FUNDS, width)
        nn.init.normal_(self.user.weight, std=0.3)
        nn.init.normal_(self.item.weight, std=0.3)
        self.tower = mlp([2 * width, 128, 64, 32, 1], activation)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.user(x[:, 0]), self.item(x[:, 1])], -1)
        found: Tensor = self.tower(both)
        return found.flatten()

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("loss/val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-5)


def tower(activation: type[nn.Module] | None) -> Program:
    data = exchange.holdings(20_000, 2)
    module = NeuralCF(activation)
    return Program(module, *loaders(data, 128), 14, partial(r2, module, data))


class OwnAttention(nn.Module):
    """Self-attention written by hand; its matrices are drawn as the argument says."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.w_q = nn.Parameter(scale * torch.randn(width, width))
        self.w_k = nn.Parameter(scale * torch.randn(width, width))
        self.w_v = nn.Parameter(scale * torch.randn(width, width))
        self.w_o = nn.Parameter(scale * torch.randn(width, width))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = x @ self.w_q, x @ self.w_k, x @ self.w_v
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        weights = scores.masked_fill(~mask[:, None], -1e9).softmax(-1)
        return weights @ v @ self.w_o


class ComplaintClassifier(LightningModule):
    """Words, their places, two rounds of attention, and the mean of the words that are there."""

    def __init__(self, words: int, scale: float, width: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.places = nn.Parameter(0.1 * torch.randn(16, width))
        self.attention = nn.ModuleList(OwnAttention(width, scale) for _ in range(2))
        self.classifier = nn.Linear(width, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = tokens > 0
        x = self.embedding(tokens) + self.places
        for attention in self.attention:
            x = x + attention(x, mask)
        mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        logits: Tensor = self.classifier(mean)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["tokens"]), batch["label"])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["tokens"])
        self.log("val_loss", F.cross_entropy(logits, batch["label"]))
        self.log("val_acc", (logits.argmax(1) == batch["label"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def complaints(scale: float) -> Program:
    texts = exchange.complaints(False)
    words = exchange.vocabulary(texts.texts)
    x, x_test = (exchange.encoded(part, words) for part in (texts.texts, texts.texts_test))
    data = Samples(x, texts.y, x_test, texts.y_test)
    module = ComplaintClassifier(len(words) + 2, scale)
    train = DataLoader(Rows(tokens=x, label=texts.y), 32, shuffle=True)
    test = DataLoader(Rows(tokens=x_test, label=texts.y_test), 250)
    return Program(module, train, test, 10, partial(accuracy, module, data))


class TurnoverTransformer(LightningModule):
    """An encoder over two days of hours, whose last state gives the next day."""

    def __init__(self, lr: float, width: int = 32) -> None:
        super().__init__()
        self.lr = lr
        self.embed = nn.Linear(1, width)
        self.position = nn.Parameter(0.02 * torch.randn(48, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.decoder = nn.Linear(width, 24)

    def forward(self, past: Tensor) -> Tensor:
        states = self.encoder(self.embed(past[..., None]) + self.position)
        found: Tensor = self.decoder(states[:, -1])
        return found

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        past, future = batch
        loss = F.mse_loss(self(past), future)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        past, future = batch
        self.log("val_mse", F.mse_loss(self(past), future), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def turnover(lr: float) -> Program:
    data, module = exchange.turnover(), TurnoverTransformer(lr)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


CASES = (
    Case(
        "bars-volume-over-days-without-trade", Goal("R2", at_least=0.4), partial(ranges, True),
        ("non_finite",), partial(ranges, False),
    ),
    Case(
        "payments-seconds-beside-components", Goal("AUC", at_least=0.9),
        partial(frauds, True), ("unnormalized_input",), partial(frauds, False),
    ),
    Case(
        "tickers-one-after-another-through-norms", Goal("accuracy", at_least=0.75),
        partial(tickers, True), ("train_eval_mismatch",), partial(tickers, False),
    ),
    Case(
        "holdings-factors-filled-with-a-tenth", Goal("R2", at_least=0.75),
        partial(factors, 0.1), ("symmetric_weights", "poor_initialization"),
        partial(factors, None),
    ),
    Case(
        "holdings-tower-without-activations", Goal("R2", at_least=0.6), partial(tower, None),
        ("linear_network",), partial(tower, nn.ReLU),
    ),
    Case(
        "complaints-attention-of-own-randn", Goal("accuracy", at_least=0.8),
        partial(complaints, 1.0), ("poor_initialization",),
        partial(complaints, 1 / math.sqrt(48)),
    ),
    Case(
        "turnover-transformer-draws-a-flat-line", Goal("R2", at_least=0.5),
        partial(turnover, 0.02), ("learning_rate_too_high", "not_learning"),
        partial(turnover, 1e-3),
    ),
)  # fmt: skip
