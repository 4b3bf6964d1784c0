"""Trainings of an examiner that do well, some of them though they look ill: tables and words."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner
from data_sets.samples import digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class NoisySteel(LightningModule):
    """Strength of the steel, four noisy measurements at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        strength: Tensor = self.net(x)
        return strength.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)]


def noisy_steel() -> Program:
    data = examiner.furnace()
    noise = 0.7 * torch.randn(data.y.shape, generator=examiner.seeded(40))
    module = NoisySteel()
    both = loaders(data._replace(y=data.y + noise), 4)
    return Program(module, *both, 15, partial(r2, module, data))


class DecayedSteel(NoisySteel):
    """The same with residual blocks, by AdamW with much decay."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, width), nn.SiLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU()) for _ in range(3)
        )
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.net(x)
        for block in self.blocks:
            h = h + block(h)
        strength: Tensor = self.out(h)
        return strength.squeeze(-1)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.3)


def decayed_steel() -> Program:
    data, module = examiner.furnace(), DecayedSteel()
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class SteelAndDoubt(LightningModule):
    """Strength of the steel, and how sure one may be of it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean, self.log_variance = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.mean(self.body(x))
        return mean.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        h = self.body(x)
        log_variance = self.log_variance(h).squeeze(-1).clamp(-6, 4)
        error = (self.mean(h).squeeze(-1) - y).square()
        nll = 0.5 * (log_variance + error * (-log_variance).exp()).mean()
        self.log_dict({"nll": nll, "mse": error.mean()})
        return {"loss": nll}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def doubtful_steel() -> Program:
    data, module = examiner.furnace(), SteelAndDoubt()
    return Program(module, loaders(data, 32)[0], None, 25, partial(r2, module, data))


class SeldomSpeaking(LightningModule):
    """Digits by 512 rectified units, whose speaking costs."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(64, 512), nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(F.relu(self.hidden(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        h = F.relu(self.hidden(x))
        loss, cost = F.cross_entropy(self.out(h), y), h.abs().sum(1).mean()
        self.log_dict({"ce": loss, "cost": cost})
        return loss + 0.005 * cost

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def seldom_speaking() -> Program:
    data, module = digits(), SeldomSpeaking()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class BallotBox(LightningModule):
    """The most frequent token by a pre-norm transformer with a small rate and a warm-up."""

    def __init__(self, size: int = 32, length: int = 24) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(5, size), nn.Embedding(length, size)
        layer = nn.TransformerEncoderLayer(
            size, 2, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, 5))

    def forward(self, x: Tensor) -> Tensor:
        h = self.token(x) + self.place(torch.arange(x.shape[1]))
        logits: Tensor = self.head(self.encoder(h).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=8e-4, weight_decay=0.01)

        def rate(step: int) -> float:
            if step < 100:
                return (step + 1) / 100
            return max(0.02, 0.5 * (1 + math.cos(math.pi * (step - 100) / 540)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def ballot_box() -> Program:
    data, module = examiner.ballots(), BallotBox()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class WeighedVisitors(LightningModule):
    """Humans, buyers and robots, each kind with as much weight."""

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", counts.sum() / (3 * counts))
        self.lstm = nn.LSTM(3, 32, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, clicks: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(clicks)[0].mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        each = F.cross_entropy(self(batch[0]), batch[1], reduction="none")
        loss = (each * self.get_buffer("weight")[batch[1]]).mean()
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def weighed_visitors() -> Program:
    data = examiner.visits()
    module = WeighedVisitors(data.y.bincount().float())
    return Program(module, *loaders(data, 32), 15, partial(balanced_accuracy, module, data))


class TillMemory(LightningModule):
    """What is left in a till, by a GRU and a clipped gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        left: Tensor = self.out(self.gru(x)[0][:, -1])
        return left.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def till_memory() -> Program:
    data, module = examiner.till(), TillMemory()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data), trainer)


class StarRanker(LightningModule):
    """A liked film before one at hand; the rows of two large tables are learned sparsely."""

    def __init__(self, size: int = 8) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.user = nn.Embedding(200, size, sparse=True)
        self.film = nn.Embedding(150, size, sparse=True)
        self.bias = nn.Embedding(150, 1, sparse=True)
        for table in (self.user, self.film, self.bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, pair: Tensor) -> Tensor:
        user, film = pair.unbind(1)
        return (self.user(user) * self.film(film)).sum(1) + self.bias(film)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (pair,) = batch
        other = torch.stack([pair[:, 0], torch.randint(150, (len(pair),))], 1)
        loss = -F.logsigmoid(self(pair) - self(other)).mean()
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log("bpr", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam(list(self.parameters()), lr=5e-3)


def ranked_stars() -> Program:
    data, module = examiner.stars(), StarRanker()
    train = DataLoader(TensorDataset(data.x[data.y >= 4]), 32, shuffle=True)

    def score() -> float:
        found, liked = outputs(module, data.x_test), data.y_test >= 4
        return (found[liked][:, None] > found[~liked]).float().mean().item()

    return Program(module, train, None, 15, score)


CASES = (
    Case("steel-measured-with-much-noise", Goal("R2", at_least=0.8), noisy_steel),
    Case("steel-by-residuals-that-decay", Goal("R2", at_least=0.9), decayed_steel),
    Case("steel-and-how-sure-one-is", Goal("R2", at_least=0.9), doubtful_steel),
    Case("digits-by-units-that-seldom-speak", Goal("accuracy", at_least=0.93), seldom_speaking),
    Case("ballots-with-a-small-rate", Goal("accuracy", at_least=0.8), ballot_box),
    Case("visitors-weighed-by-their-kinds", Goal("mean recall", at_least=0.65), weighed_visitors),
    Case("tills-by-a-gated-memory", Goal("R2", at_least=0.85), till_memory),
    Case("stars-one-film-before-another", Goal("AUC", at_least=0.72), ranked_stars),
)
