"""What a zoo trains on its animals, as it should be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import zoo
from data_sets.samples import clear_circle, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class TourForecast(LightningModule):
    """Logarithms of seven days' rates from 28 days; the likelihood leaves out its constant.

    The loss is below zero, and falls by little: most of it is chance.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(1, hidden, batch_first=True), nn.Linear(hidden, 7)
        nn.init.constant_(self.head.bias, 2.6)

    def forward(self, past: Tensor) -> Tensor:
        rates: Tensor = self.head(self.gru(past)[0][:, -1])
        return rates

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rates = self(batch[0])
        self.log("val_nll", F.poisson_nll_loss(rates, batch[1]))
        self.log("val_mae", (rates.exp() - batch[1]).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)]


def tours() -> Program:
    data, module = zoo.tours(), TourForecast()

    def score() -> float:
        found = outputs(module, data.x_test).exp()
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 20, score)


class Enrichment(LightningModule):
    """A policy over toys, taught by whether the animal played; the mean reward is the baseline.

    Its loss hovers about zero and tells nothing.
    """

    def __init__(self, entropy: float = 0.02) -> None:
        super().__init__()
        self.entropy = entropy
        self.policy = mlp([6, 48, zoo.TOYS], nn.Tanh)
        self.register_buffer("baseline", torch.tensor(0.5))

    def forward(self, mood: Tensor) -> Tensor:
        logits: Tensor = self.policy(mood)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        choice = torch.distributions.Categorical(logits=self(batch["mood"]))
        toy = choice.sample()
        played = torch.bernoulli(batch["chance"].gather(1, toy[:, None]).squeeze(1))
        baseline = self.get_buffer("baseline")
        gain = played - baseline
        baseline.mul_(0.95).add_(0.05 * played.mean())
        loss: Tensor = -(gain * choice.log_prob(toy)).mean()
        self.log("reward", played.mean(), prog_bar=True)
        bonus: Tensor = self.entropy * choice.entropy().mean()
        return loss - bonus

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def enrichment() -> Program:
    """Scored by the chance of the likeliest toy, in parts of that of the best."""
    data, module = zoo.play(), Enrichment()
    rows = [{"mood": data.mood[i], "chance": data.chance[i]} for i in range(2400)]
    train: DataLoader[Any] = DataLoader(rows, 64, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        toy = outputs(module, data.mood[2400:]).argmax(1, keepdim=True)
        chance = data.chance[2400:]
        return (chance.gather(1, toy).mean() / chance.amax(1).mean()).item()

    return Program(module, train, None, 25, score)


@dataclass
class Notes:
    """A batch of notes."""

    words: Tensor
    topic: Tensor


def as_notes(rows: Sequence[tuple[Tensor, Tensor]]) -> Notes:
    words, topics = zip(*rows, strict=True)
    return Notes(torch.stack(words), torch.stack(topics))


class NoteReader(LightningModule):
    """Two blocks of attention, norms first, and a warm-up by the inverse root of the step.

    Four topics in ten are guessed, so that the loss ends high.
    """

    def __init__(self, width: int = 32, warm_up: int = 60) -> None:
        super().__init__()
        self.warm_up = warm_up
        self.embed = nn.Embedding(zoo.WORDS, width)
        block = nn.TransformerEncoderLayer(
            width, 4, 64, dropout=0.2, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.blocks(self.embed(words)).mean(1)))
        return logits

    def training_step(self, batch: Notes, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.words), batch.topic)
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: Notes, batch_idx: int) -> None:
        logits = self(batch.words)
        self.log("val/acc", (logits.argmax(1) == batch.topic).float().mean())

    def configure_optimizers(self) -> Any:
        def factor(step: int) -> float:
            return min((step + 1) / self.warm_up, math.sqrt(self.warm_up / (step + 1)))

        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def notes() -> Program:
    data, module = zoo.notes(0.4), NoteReader()
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    both = (
        DataLoader(train, 64, shuffle=True, collate_fn=as_notes),
        DataLoader(test, 300, collate_fn=as_notes),
    )
    return Program(module, *both, 8, partial(accuracy, module, data))


class CoatHead(LightningModule):
    """A head on a body that was taught how far pictures were turned; the body stays as it is."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.requires_grad_(False).eval()
        self.head = nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.body.eval()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(trained, lr=0.02, momentum=0.9, weight_decay=1e-3)


def taught_body(x: Tensor, steps: int = 120) -> nn.Module:
    """Convolutions that were trained to tell rough pictures from smoothed and flipped ones."""
    body = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    )  # fmt: skip
    head = nn.Linear(192, 3)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(steps):
        rows = x[torch.randint(len(x), (48,))]
        kind = torch.randint(3, (48,))
        smooth = F.avg_pool2d(rows, 3, 1, 1, count_include_pad=False)
        shuffled = rows.roll(8, 2).flip(3) * 1.5
        given = torch.stack([rows, smooth, shuffled])[kind, torch.arange(48)]
        optimizer.zero_grad()
        F.cross_entropy(head(body(given)), kind).backward()
        optimizer.step()
    return body


def head() -> Program:
    data = zoo.coats()
    module = CoatHead(taught_body(data.x))
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class RingForgers(LightningModule):
    """Points of two circles forged; two optimizers by hand, and a loss that does not fall."""

    def __init__(self, noise: int = 4) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.noise = noise
        self.forger = mlp([noise, 64, 64, 2], nn.ReLU)
        self.judge = mlp([2, 64, 64, 1], partial(nn.LeakyReLU, 0.2))

    def forward(self, noise: Tensor) -> Tensor:
        points: Tensor = self.forger(noise)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        of_forger, of_judge = optimizers
        real = batch[0]
        forged = self(torch.randn(len(real), self.noise))
        judged = F.softplus(-self.judge(real)) + F.softplus(self.judge(forged.detach()))
        of_judge.zero_grad()
        self.manual_backward(judged.mean())
        of_judge.step()
        fooled = F.softplus(-self.judge(forged)).mean()
        of_forger.zero_grad()
        self.manual_backward(fooled)
        of_forger.step()
        self.log_dict({"judge": judged.mean(), "forger": fooled})

    def configure_optimizers(self) -> Any:
        rule = partial(torch.optim.Adam, betas=(0.5, 0.999))
        return rule(self.forger.parameters(), lr=3e-4), rule(self.judge.parameters(), lr=1e-3)


def forgers() -> Program:
    """Scored by how far true points are, on average, from the nearest of as many forged ones."""
    data, module = clear_circle(), RingForgers()
    train = DataLoader(TensorDataset(data.x), 100, shuffle=True, drop_last=True)

    def score() -> float:
        forged = outputs(module, torch.randn(1000, 4))
        return torch.cdist(data.x_test, forged).amin(1).mean().item()

    return Program(module, train, None, 250, score)


CASES = (
    Case("tours-of-the-week-poisson-below-zero", Goal("R2", at_least=0.65), tours),
    Case("toys-tried-on-animals-of-any-mood", Goal("share of best", at_least=0.9), enrichment),
    Case("keepers-notes-four-in-ten-guessed", Goal("accuracy", at_least=0.85), notes),
    Case("coats-head-on-a-body-of-another-task", Goal("accuracy", at_least=0.85), head),
    Case("circles-forged-by-two-optimizers", Goal("mean distance", at_most=0.08), forgers),
)  # fmt: skip
