"""What a magazine gave to tools that watch trainings to see whether they cry wolf: odd losses."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import bakeoff, samples
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class TideQuantiles(LightningModule):
    """Five quantiles of the level of the sea, each above the last."""

    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]))
        self.net = nn.Sequential(
            nn.Linear(5, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        lowest, steps = self.net(x).split([1, 4], 1)
        return torch.cat([lowest, lowest + F.softplus(steps).cumsum(1)], 1)

    def pinball(self, x: Tensor, y: Tensor) -> Tensor:
        error = y[:, None] - self(x)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(*batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_pinball", self.pinball(x, y))
        found = self(x)
        self.log("val_inside", ((found[:, 0] < y) & (y < found[:, -1])).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def tide_quantiles() -> Program:
    data = bakeoff.tides()
    module = TideQuantiles()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball(data.x_test, data.y_test).item()

    return Program(module, *loaders(data, 32), 14, score)


class BicycleSeason(LightningModule):
    """Thousands of bicycles hired; the bias begins at the logarithm of their mean."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 96), nn.Tanh(), nn.Linear(96, 48), nn.Tanh())
        self.log_rate = nn.Linear(48, 1)
        nn.init.zeros_(self.log_rate.weight)
        nn.init.constant_(self.log_rate.bias, math.log(mean))

    def forward(self, x: Tensor) -> Tensor:
        return self.log_rate(self.body(x)).squeeze(-1)  # type: ignore[no-any-return]

    def deviance(self, x: Tensor, y: Tensor) -> Tensor:
        log_rate = self(x)
        return 2 * (torch.xlogy(y, y) - y * log_rate - y + log_rate.exp()).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.deviance(*batch)
        self.log("deviance", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_deviance", self.deviance(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def bicycle_season() -> Program:
    data = standardized(bakeoff.hires(scale=150.0))
    module = BicycleSeason(data.y.mean().item())

    def score() -> float:
        module.eval()
        y = data.y_test
        with torch.no_grad():
            found = module.deviance(data.x_test, y)
        null = 2 * (torch.xlogy(y, y) - y * y.mean().log()).mean()
        return (1 - found / null).item()

    return Program(module, *loaders(data, 40), 16, score, {"gradient_clip_val": 500.0})


def group(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.GroupNorm(4, outputs), nn.LeakyReLU(0.1))


class ColonyDice(LightningModule):
    """Colonies of bacteria, two pictures at a time; nothing but Dice's overlap as loss."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.down = group(1, 12), group(12, 24, stride=2)
        self.bottom, self.up = group(24, 24), nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.leave, self.mask = group(24, 12), nn.Conv2d(12, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.enter(x)
        x = self.up(self.bottom(self.down(first)))
        return self.mask(self.leave(torch.cat([x, first], 1)))  # type: ignore[no-any-return]

    def dice(self, picture: Tensor, mask: Tensor) -> Tensor:
        found = self(picture).sigmoid()
        both, sizes = (found * mask).sum((1, 2, 3)), (found + mask).sum((1, 2, 3))
        return (1 - (2 * both + 1) / (sizes + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.dice(*batch)
        self.log("dice", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_dice", self.dice(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)


def colony_dice() -> Program:
    data = bakeoff.colonies()
    module = ColonyDice()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(data.x_test) > 0
        truth = data.y_test > 0.5
        return ((found & truth).sum() / (found | truth).sum()).item()

    return Program(module, *loaders(data, 2), 2, score)


class TwoViews(LightningModule):
    """Two noisy views of each digit are to be nearer to each other than to all others."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 64),
        )  # fmt: skip
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x), dim=1)

    @staticmethod
    def view(x: Tensor) -> Tensor:
        across, down = torch.randint(-1, 2, (2,)).tolist()
        x = torch.roll(x, (across, down), (2, 3))
        x = x * (torch.rand(len(x), 1, 8, 8) > 0.15) * (0.7 + 0.6 * torch.rand(len(x), 1, 1, 1))
        return x + 0.1 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        views = torch.cat([self.view(x), self.view(x)])
        z = F.normalize(self.project(self.encoder(views)), dim=1)
        likeness = z @ z.T / self.temperature
        likeness = likeness.masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)
        partner = torch.arange(len(z)).roll(len(x))
        loss = F.cross_entropy(likeness, partner)
        self.log("nt_xent", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 2e-3, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def nearest(module: LightningModule, data: Samples) -> float:
    """How many are of the class of the one that is nearest to them."""
    module.eval()
    with torch.no_grad():
        found = torch.cdist(module(data.x_test), module(data.x)).argmin(1)
    return (data.y[found] == data.y_test).float().mean().item()


def two_views() -> Program:
    data = samples.digit_images()
    module = TwoViews()
    train = DataLoader(TensorDataset(data.x), 96, shuffle=True, drop_last=True)
    return Program(module, train, None, 25, partial(nearest, module, data))


class HardestTriplets(LightningModule):
    """Of each batch the farthest of a shape and the nearest of the others; a soft margin."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, 24),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        z = self(x)
        squares = (z[:, None] - z).square().sum(2)
        distance = (squares + 1e-8).sqrt()
        same = y[:, None] == y
        farthest = distance.masked_fill(~same, 0).amax(1)
        nearest = distance.masked_fill(same, torch.inf).amin(1)
        loss = F.softplus(farthest - nearest).mean()
        self.log_dict({"triplet": loss, "nearest": nearest.mean()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def hardest_triplets() -> Program:
    data = bakeoff.stickers()
    module = HardestTriplets()
    train = DataLoader(TensorDataset(data.x, data.y), 48, shuffle=True, drop_last=True)
    return Program(module, train, None, 10, partial(nearest, module, data))


class CloudCoder(LightningModule):
    """Sets of points to a code and back; each point wants one of the other set near it."""

    def __init__(self, points: int = 24, code: int = 16) -> None:
        super().__init__()
        self.points = points
        self.each = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 96), nn.ReLU())
        self.code = nn.Linear(96, code)
        self.decode = nn.Sequential(
            nn.Linear(code, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
            nn.Linear(128, 2 * points),
        )  # fmt: skip

    def forward(self, points: Tensor) -> Tensor:
        code = self.code(self.each(points).amax(1))
        return self.decode(code).unflatten(1, (self.points, 2))  # type: ignore[no-any-return]

    def chamfer(self, points: Tensor) -> Tensor:
        squares = (self(points)[:, :, None] - points[:, None]).square().sum(-1)
        return squares.amin(1).mean() + squares.amin(2).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.chamfer(batch[0])
        self.log("chamfer", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_chamfer", self.chamfer(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def cloud_coder() -> Program:
    data = bakeoff.clouds()
    module = CloudCoder()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.chamfer(data.x_test).item()

    return Program(module, *loaders(data, 32), 14, score)


class EnergyWithDoubt(LightningModule):
    """The energy of a molecule and how sure it is: a likelihood, which falls below 0."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.embed = nn.Linear(bakeoff.ATOMS + 1, hidden)
        self.messages = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(3))
        self.update = nn.GRUCell(hidden, hidden)
        self.out = nn.Sequential(nn.Linear(hidden, 64), nn.GELU(), nn.Linear(64, 2))

    def forward(self, atoms: Tensor, bonds: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.embed(torch.cat([atoms, bonds.sum(-1, keepdim=True) / 3], -1)))
        for message in self.messages:
            incoming = bonds @ F.relu(message(h))
            h = self.update(incoming.flatten(0, 1), h.flatten(0, 1)).view_as(h)
        mean, doubt = self.out(h.sum(1) / 3).unbind(1)
        return mean, F.softplus(doubt).square() + 1e-4

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        atoms, bonds, energy = batch
        mean, variance = self(atoms, bonds)
        loss = F.gaussian_nll_loss(mean, energy, variance)
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [9, 12], 0.3)]


def energy_with_doubt() -> Program:
    data = bakeoff.graphs()
    module = EnergyWithDoubt()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found, _ = module(data.atoms_test, data.bonds_test)
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var(correction=0)).item()

    rows = TensorDataset(data.atoms, data.bonds, data.y)
    train = DataLoader(rows, 32, shuffle=True)
    return Program(module, train, None, 14, score, {"gradient_clip_val": 5.0})


class TagField(LightningModule):
    """A conditional random field: scores of tags and of what may follow which, summed up."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(bakeoff.VOCABULARY, width)
        self.conv = nn.Conv1d(width, 48, 3, padding=1)
        self.tag = nn.Linear(48, bakeoff.TAGS)
        self.follow = nn.Parameter(torch.zeros(bakeoff.TAGS, bakeoff.TAGS))

    def forward(self, words: Tensor) -> Tensor:
        return self.tag(F.relu(self.conv(self.embed(words).mT)).mT)  # type: ignore[no-any-return]

    def negative_log_likelihood(self, words: Tensor, tags: Tensor) -> Tensor:
        scores = self(words)
        own = scores.gather(2, tags[..., None]).sum((1, 2))
        own = own + self.follow[tags[:, :-1], tags[:, 1:]].sum(1)
        total = scores[:, 0]
        for k in range(1, words.shape[1]):
            total = (total[:, :, None] + self.follow).logsumexp(1) + scores[:, k]
        return (total.logsumexp(1) - own).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.negative_log_likelihood(*batch)
        self.log("sentence_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_sentence_nll", self.negative_log_likelihood(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tag_field() -> Program:
    data = bakeoff.tagged()
    module = TagField()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


CASES = (
    Case("tides-five-quantiles", Goal("pinball", at_most=0.15), tide_quantiles),
    Case(
        "bicycles-thousands-in-a-season", Goal("deviance explained", at_least=0.9),
        bicycle_season,
    ),
    Case("colonies-two-pictures-at-a-time", Goal("IoU", at_least=0.7), colony_dice),
    Case("digits-two-views-of-each", Goal("accuracy", at_least=0.9), two_views),
    Case("stickers-hardest-triplets", Goal("accuracy", at_least=0.9), hardest_triplets),
    Case("point-clouds-there-and-back", Goal("Chamfer", at_most=0.13), cloud_coder),
    Case("molecules-energy-with-doubt", Goal("R2", at_least=0.9), energy_with_doubt),
    Case("word-tags-random-field", Goal("accuracy", at_least=0.9), tag_field),
)  # fmt: skip
