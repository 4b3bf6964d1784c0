"""A shop's data science team: sales, offers, reviews and returns, each program with one fault."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import retail
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset


def tweedie(mean: Tensor, sold: Tensor, power: float = 1.5) -> Tensor:
    """Negative log likelihood of sums of a Poisson number of gamma weights, but for constants."""
    first = sold * torch.pow(mean, 1 - power) / (1 - power)
    second = torch.pow(mean, 2 - power) / (2 - power)
    return (second - first).mean()


class SalesNet(LightningModule):
    """Vectors of items and stores beside numbers; the last bias begins at the mean sale."""

    def __init__(self, mean: float, log_link: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.item, self.store = nn.Embedding(retail.ITEMS, 8), nn.Embedding(retail.STORES, 4)
        self.body = mlp([16, 64, 32, 1], nn.SiLU)
        start = torch.tensor(mean).log() if log_link else torch.tensor(mean)
        nn.init.constant_(self.get_parameter("body.4.bias"), start.item())

    def forward(self, rows: Tensor) -> Tensor:
        item, store = rows[:, 0].long(), rows[:, 1].long()
        x = torch.cat([self.item(item), self.store(store), rows[:, 2:]], 1)
        found: Tensor = self.body(x).squeeze(1)
        return found.exp() if self.hparams["log_link"] else found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        rows, sold = batch
        loss = tweedie(self(rows), sold)
        self.log("train_tweedie", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rows, sold = batch
        mean = self(rows)
        self.log_dict(
            {"val_tweedie": tweedie(mean, sold), "val_rmse": F.mse_loss(mean, sold) ** 0.5}
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)


def below_constant(module: LightningModule, data: Samples) -> float:
    """By how much the Tweedie loss is below that of the mean sale."""
    found = outputs(module, data.x_test)
    mean = data.y.mean().expand_as(data.y_test)
    return (tweedie(mean, data.y_test) - tweedie(found, data.y_test)).item()


def shelf_sales(log_link: bool) -> Program:
    """The identity as a link lets slow movers fall below zero, whose root is no number."""
    data = retail.shelf_weeks()
    module = SalesNet(data.y.mean().item(), log_link)
    return Program(module, *loaders(data, 128), 10, partial(below_constant, module, data))


class PositiveLinear(nn.Linear):
    """A layer whose output grows with each of its inputs."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, F.softplus(self.weight) / self.in_features, self.bias)


class MonotoneNet(LightningModule):
    """Conversion that can only grow with each column."""

    def __init__(self, mean: Tensor, deviation: Tensor, hidden: int = 48) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.input, self.hidden = PositiveLinear(len(mean), hidden), PositiveLinear(hidden, hidden)
        self.output = PositiveLinear(hidden, 1)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, offer: Tensor) -> Tensor:
        x = (offer - self.get_buffer("mean")) / self.get_buffer("deviation")
        x = self.act2(self.hidden(self.act1(self.input(x))))
        found: Tensor = self.output(x)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        offer, bought = batch
        loss = F.mse_loss(self(offer), bought)
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        offer, bought = batch
        self.log("loss/val", F.mse_loss(self(offer), bought), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def conversions(centred: bool) -> Program:
    """Every column is negative and every weight positive, so no unit is ever above zero."""
    data = retail.offers()
    mean = data.x.mean(0) if centred else torch.zeros(5)
    module = MonotoneNet(mean, data.x.std(0))
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


class CausalBlock(nn.Module):
    """Two dilated convolutions that see no later week, and what was there before."""

    def __init__(self, inputs: int, channels: int, dilation: int) -> None:
        super().__init__()
        self.left = 2 * dilation
        self.conv1 = nn.Conv1d(inputs, channels, 3, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, 3, dilation=dilation)
        self.skip = nn.Conv1d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = F.gelu(self.conv1(F.pad(x, (self.left, 0))))
        out = F.gelu(self.conv2(F.pad(out, (self.left, 0))))
        summed: Tensor = out + self.skip(x)
        return summed


class TemporalConvNet(LightningModule):
    """Four weeks from forty."""

    def __init__(self, learning_rate: float, channels: int = 24) -> None:
        super().__init__()
        self.save_hyperparameters()
        widths = [1, channels, channels, channels, channels]
        self.tcn = nn.Sequential(
            *(CausalBlock(a, b, 2**i) for i, (a, b) in enumerate(pairwise(widths)))
        )
        self.head = nn.Linear(channels, 4)

    def forward(self, past: Tensor) -> Tensor:
        forecast: Tensor = self.head(self.tcn(past[:, None])[..., -1])
        return forecast

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, future = batch
        loss = F.l1_loss(self(past), future)
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        past, future = batch
        self.log("val_mae", F.l1_loss(self(past), future), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


def weekly(learning_rate: float) -> Program:
    """The rate is where the curve of the finder is lowest, not where it falls."""
    data = retail.weeks()
    module = TemporalConvNet(learning_rate)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class LSTMForecaster(LightningModule):
    """A norm, an LSTM over four weeks of days, and a small head on its last state."""

    def __init__(self, norm: bool, hidden: int = 48) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(1) if norm else nn.Identity()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, history: Tensor) -> Tensor:
        out, _ = self.lstm(self.input_norm(history.unsqueeze(-1)))
        forecast: Tensor = self.head(out[:, -1]).squeeze(-1)
        return forecast

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        history, target = batch
        loss = F.mse_loss(self(history), target)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        history, target = batch
        self.log("val_loss", F.mse_loss(self(history), target))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def daily(norm: bool) -> Program:
    """A norm over the last axis, which has one entry, leaves nothing of the series."""
    data, module = retail.days(), LSTMForecaster(norm)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data), trainer)


class TwoTowers(LightningModule):
    """Customer and product, each through a tower; how alike they are is the number of stars."""

    def __init__(self, scaled: bool, width: int = 16) -> None:
        super().__init__()
        self.scaled = scaled
        self.customers, self.products = nn.Embedding(250, width), nn.Embedding(150, width)
        self.customer_tower = mlp([width, 32, width])
        self.product_tower = mlp([width, 32, width])

    def forward(self, pair: Tensor) -> Tensor:
        customer = self.customer_tower(self.customers(pair[:, 0]))
        product = self.product_tower(self.products(pair[:, 1]))
        likeness = F.cosine_similarity(customer, product)
        return 3 + 2 * likeness if self.scaled else likeness

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pair, given = batch
        loss = F.mse_loss(self(pair), given)
        self.log("train/rmse", loss.sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pair, given = batch
        self.log("val/rmse", F.mse_loss(self(pair), given).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def ratings(scaled: bool) -> Program:
    """A cosine is at most one, and stars are up to five."""
    data, module = retail.stars(), TwoTowers(scaled)
    return Program(module, *loaders(data, 128), 8, partial(r2, module, data))


class Histories(Dataset[dict[str, Tensor]]):
    """The year of a customer as a dictionary."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"history": self.x[index], "habit": self.y[index]}


class HabitNet(LightningModule):
    """Two convolutions over months and the largest of each channel."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(4, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(),
            nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Dropout(0.3),
        )  # fmt: skip
        self.classifier = nn.Linear(32, 3)
        self.loss = nn.CrossEntropyLoss(weight=weight)

    def forward(self, history: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder(history))
        return logits

    def _shared_step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits = self(batch["history"])
        loss: Tensor = self.loss(logits, batch["habit"])
        right = (logits.argmax(1) == batch["habit"]).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": right}, on_epoch=True)
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self._shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self._shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


def habits(weighted: bool) -> Program:
    data = retail.returners()
    share = data.y.bincount() / len(data.y)
    module = HabitNet(1 / (3 * share) if weighted else None)
    train = DataLoader(Histories(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Histories(data.x_test, data.y_test), 256)
    return Program(module, train, test, 8, partial(balanced_accuracy, module, data))


class ReviewEncoder(nn.Module):
    """Vectors of words, a recurrent layer, and its mean over the text."""

    def __init__(self, words: int, width: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.gru = nn.GRU(width, hidden, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        out, _ = self.gru(self.embedding(tokens))
        pooled: Tensor = out.mean(1)
        return pooled


class DepartmentClassifier(LightningModule):
    """Which department a review is for; the encoder is computed twice to save memory."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant = reentrant
        self.encoder = ReviewEncoder(600, 24, 32)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, tokens: Tensor) -> Tensor:
        features = checkpoint(self.encoder, tokens, use_reentrant=self.reentrant)
        logits: Tensor = self.head(features)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, department = batch
        loss = F.cross_entropy(self(tokens), department)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, department = batch
        logits = self(tokens)
        self.log("val_loss", F.cross_entropy(logits, department))
        self.log("val_acc", (logits.argmax(1) == department).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def departments(reentrant: bool) -> Program:
    """A checkpoint of the old kind gives no gradients where no input of it needs one."""
    data, module = retail.department_texts(), DepartmentClassifier(reentrant)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case(
        "shelves-tweedie-of-means-below-zero", Goal("nats below constant", at_least=0.15),
        partial(shelf_sales, False), ("non_finite", "output_loss_mismatch"),
        partial(shelf_sales, True),
    ),
    Case(
        "offers-positive-weights-on-negative-columns", Goal("R2", at_least=0.7),
        partial(conversions, False), ("dead_relu", "unnormalized_input"),
        partial(conversions, True),
    ),
    Case(
        "weeks-rate-at-the-lowest-of-the-finder", Goal("R2", at_least=0.5),
        partial(weekly, 0.1), ("learning_rate_too_high",), partial(weekly, 2e-3),
    ),
    Case(
        "days-norm-over-an-axis-of-one", Goal("R2", at_least=0.5), partial(daily, True),
        ("not_learning",), partial(daily, False),
    ),
    Case(
        "stars-told-by-a-cosine", Goal("R2", at_least=0.2), partial(ratings, False),
        ("output_loss_mismatch",), partial(ratings, True),
    ),
    Case(
        "returners-two-habits-are-rare", Goal("balanced accuracy", at_least=0.65),
        partial(habits, False), ("class_imbalance",), partial(habits, True),
    ),
    Case(
        "departments-encoder-behind-a-checkpoint", Goal("accuracy", at_least=0.75),
        partial(departments, True), ("frozen_parameter",), partial(departments, False),
    ),
)  # fmt: skip
