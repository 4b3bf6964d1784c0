"""More odd trainings of an umpire's: pairs, mixtures, masks, letters and two tasks at once."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, umpire
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class DigitViews(LightningModule):
    """Two noisy, shifted views of a digit find each other in a batch; no labels."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64),
        )  # fmt: skip
        self.projector = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)  # type: ignore[no-any-return]

    def view(self, x: Tensor) -> Tensor:
        shift = torch.randint(-1, 2, (2,)).tolist()
        x = torch.roll(x, shift, (2, 3)) + 0.2 * torch.randn_like(x)
        return x * (torch.rand_like(x) > 0.1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        z = torch.cat([self.view(x), self.view(x)])
        z = F.normalize(self.projector(self(z)), dim=1)
        likeness = (z @ z.T / self.temperature).fill_diagonal_(-torch.inf)
        loss = F.cross_entropy(likeness, torch.arange(len(z)).roll(len(x)))
        self.log("nt_xent", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-6)


def by_neighbours(module: LightningModule, data: Samples) -> float:
    """How many are of the kind of most of the five nearest codes."""
    module.eval()
    with torch.no_grad():
        known, asked = (F.normalize(module(x), dim=1) for x in (data.x, data.x_test))
    votes = data.y[(asked @ known.T).topk(5).indices]
    return (votes.mode(1).values == data.y_test).float().mean().item()


def digit_views() -> Program:
    data = samples.digit_images()
    module = DigitViews()
    train, _ = loaders(data, 96, drop_last=True)
    return Program(module, train, None, 20, partial(by_neighbours, module, data))


class DroppedGenes(LightningModule):
    """Few patients, many genes: most of the inputs and hidden units are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(200, 96), nn.ReLU(), nn.Dropout(0.7), nn.Linear(96, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def dropped_genes() -> Program:
    data = umpire.genes()
    module = DroppedGenes()
    return Program(module, *loaders(data, 16), 20, partial(accuracy, module, data))


class InverseDensity(LightningModule):
    """Several answers to each question: a mixture of six normal densities."""

    def __init__(self, parts: int = 6) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.head = nn.Linear(64, 3 * parts)
        with torch.no_grad():
            self.head.bias[parts : 2 * parts] = torch.linspace(0, 1, parts)
            self.head.bias[2 * parts :] = -1.0

    def forward(self, question: Tensor) -> torch.distributions.Distribution:
        weight, mean, log_scale = self.head(self.body(question)).chunk(3, -1)
        scale = log_scale.clamp(-3.5, 2).exp()
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=weight), torch.distributions.Normal(mean, scale)
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        question, answer = batch
        loss = -self(question).log_prob(answer[:, 0]).mean()
        self.log("nll", loss)
        return loss  # type: ignore[no-any-return]

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        question, answer = batch
        self.log("val_nll", -self(question).log_prob(answer[:, 0]).mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def inverse_density() -> Program:
    data = standardized(umpire.arm())
    module = InverseDensity()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found: Tensor = module(data.x_test).log_prob(data.y_test[:, 0])
        return found.mean().item()

    return Program(module, *loaders(data, 64), 20, score, {"gradient_clip_val": 5.0})


class DiceNet(LightningModule):
    """A disk of few pixels, by the overlap alone: no pixel has a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        )  # fmt: skip
        self.middle = nn.Sequential(
            nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.ConvTranspose2d(24, 12, 2, 2),
        )  # fmt: skip
        self.out = nn.Sequential(nn.Conv2d(24, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities."""
        fine = self.down(x)
        return torch.sigmoid(self.out(torch.cat([fine, self.middle(fine)], 1)))

    def dice(self, batch: list[Tensor]) -> Tensor:
        found, mask = self(batch[0]).flatten(1), batch[1].flatten(1)
        both = 2 * (found * mask).sum(1) + 1
        return 1 - (both / (found.sum(1) + mask.sum(1) + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.dice(batch)
        self.log("dice_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_dice_loss", self.dice(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def dice_net() -> Program:
    data = umpire.scenes()
    module = DiceNet()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found, mask = module(data.x_test) > 0.5, data.y_test > 0.5
        return (2 * (found & mask).sum() / (found.sum() + mask.sum())).item()

    return Program(module, *loaders(data, 16), 16, score)


class LetterGRU(LightningModule):
    """The next letter by a GRU, gradients clipped; chance alone sets a floor to the loss."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.table = nn.Embedding(umpire.LETTERS, width)
        self.gru = nn.GRU(width, 64, batch_first=True)
        self.back = nn.Linear(64, width)
        self.bias = nn.Parameter(torch.zeros(umpire.LETTERS))
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.back(self.gru(self.table(tokens))[0]) @ self.table.weight.T + self.bias  # type: ignore[no-any-return]

    def loss(self, tokens: Tensor) -> Tensor:
        return F.cross_entropy(self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("perplexity", loss.detach().exp(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_perplexity", self.loss(batch[0]).exp())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def letter_gru() -> Program:
    tokens = umpire.letters()
    module = LetterGRU()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(tokens[1200:]).item()

    train = DataLoader(TensorDataset(tokens[:1200]), 32, shuffle=True)
    validation = DataLoader(TensorDataset(tokens[1200:]), 100)
    return Program(module, train, validation, 8, score, {"gradient_clip_val": 0.5})


@dataclass
class Points:
    """Points in no order, and of how many swarms they are."""

    where: Tensor
    swarms: Tensor


def points(rows: list[tuple[Tensor, Tensor]]) -> Points:
    return Points(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class SwarmRegression(LightningModule):
    """The number of swarms, as a number, by attention to learnt seeds."""

    def __init__(self, width: int = 32, seeds: int = 8) -> None:
        super().__init__()
        self.lift = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width))
        self.seeds = nn.Parameter(torch.randn(1, seeds, width))
        self.gather = nn.MultiheadAttention(width, 4, batch_first=True)
        self.spread = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.count = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, where: Tensor) -> Tensor:
        x = self.lift(where)
        hubs, _ = self.gather(self.seeds.expand(len(x), -1, -1), x, x, need_weights=False)
        x = self.norm(x + self.spread(x, hubs, hubs, need_weights=False)[0])
        return self.count(x.mean(1))[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: Points, batch_idx: int) -> Tensor:
        angle = 6.28 * torch.rand(())
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).reshape(2, 2)
        loss = F.smooth_l1_loss(self(batch.where @ turn), batch.swarms)
        self.log("train/smooth_l1", loss, batch_size=len(batch.swarms))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=5e-3)


def swarm_regression() -> Program:
    data = umpire.swarms()
    data = data._replace(y=data.y + 1.0, y_test=data.y_test + 1.0)
    module = SwarmRegression()
    rows = TensorDataset(data.x, data.y)
    train = DataLoader(rows, 32, shuffle=True, collate_fn=points)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return (module(data.x_test).round() == data.y_test).float().mean().item()

    return Program(module, train, None, 10, score)


class DigitTriplets(LightningModule):
    """Nearer to a digit of its kind than to another by a margin; soon most triplets are."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 24))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        codes = self(x)
        far = torch.cdist(codes, codes)
        same = (y[:, None] == y).float()
        positive = torch.multinomial(same, 1)[:, 0]
        negative = torch.multinomial(1 - same, 1)[:, 0]
        index = torch.arange(len(x))
        loss = F.relu(far[index, positive] - far[index, negative] + 0.4).mean()
        self.log("triplet", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def digit_triplets() -> Program:
    data = standardized(samples.digits())
    module = DigitTriplets()
    train, _ = loaders(data, 48)
    return Program(module, train, None, 16, partial(by_neighbours, module, data))


class TwoTasks(LightningModule):
    """A machine's state and the readings to come, weighed by what cannot be known of them."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, width, 3, padding=1)
        self.dilated = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2**k, dilation=2**k) for k in (1, 2, 3)
        )
        self.state, self.later = nn.Linear(2 * width, 4), nn.Linear(2 * width, 8)
        self.log_variances = nn.Parameter(torch.zeros(2))

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.first(x[..., :40]))
        for conv in self.dilated:
            x = x + F.relu(conv(x))
        hidden = torch.cat([x.mean(-1), x[..., -1]], 1)
        return self.state(hidden), self.later(hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, state = batch
        logits, later = self.heads(windows)
        losses = torch.stack(
            [F.cross_entropy(logits, state), F.mse_loss(later, windows[:, 0, 40:]) / 2]
        )
        loss = (losses * torch.exp(-self.log_variances) + self.log_variances / 2).sum()
        self.log_dict({"loss/sum": loss, "loss/state": losses[0], "loss/later": losses[1]})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/state", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)

        def rate(step: int) -> float:
            return min(1.0, (step + 1) / 60) * (0.55 + 0.45 * math.cos(math.pi * step / 570))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def two_tasks() -> Program:
    data = umpire.machines()
    module = TwoTasks()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case("digit-views-that-find-each-other", Goal("accuracy", at_least=0.9), digit_views),
    Case("gene-expressions-mostly-dropped", Goal("accuracy", at_least=0.7), dropped_genes),
    Case("questions-of-several-answers", Goal("log-likelihood", at_least=1.0), inverse_density),
    Case("disk-masks-by-overlap-alone", Goal("Dice", at_least=0.7), dice_net),
    Case("letter-chains-by-a-clipped-gru", Goal("cross-entropy", at_most=2.1), letter_gru),
    Case("swarms-as-a-number-by-seeds", Goal("accuracy", at_least=0.85), swarm_regression),
    Case("digit-triplets-soon-apart", Goal("accuracy", at_least=0.93), digit_triplets),
    Case("machine-windows-state-and-readings", Goal("accuracy", at_least=0.8), two_tasks),
)
