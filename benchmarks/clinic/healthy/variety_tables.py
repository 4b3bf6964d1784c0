"""Customers, patients, films and offers: rows of tables, and losses that are not cross-entropy."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Followed(NamedTuple):
    """Covariates, months, and whether the months end with an event."""

    x: Tensor
    months: Tensor
    event: Tensor


def followed(count: int, seed: int) -> Followed:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=g)
    risk = 1.2 * x[:, 0] - 0.8 * x[:, 1] + x[:, 2] * x[:, 3] + 0.5 * (x[:, 4].square() - 1)
    months = -torch.log(torch.rand(count, generator=g)) * 24 * (-risk).exp()
    left = 60 * torch.rand(count, generator=g)
    return Followed(x, torch.minimum(months, left), (months <= left).float())


class Survival(LightningModule):
    """Cox's partial likelihood within each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = mlp([8, 48, 24, 1], nn.SELU)

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.risk(x)
        return risk[:, 0]

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, months, event = batch
        order = months.argsort(descending=True)
        risk, event = self(x)[order], event[order]
        return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum().clamp(min=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_npll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_npll", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)


def survival() -> Program:
    train, test = followed(2500, 0), followed(800, 1)
    module = Survival()

    def score() -> float:
        """Harrell's concordance."""
        risk = outputs(module, test.x)
        sooner = (test.months[:, None] < test.months) & (test.event[:, None] > 0)
        return (risk[:, None] > risk)[sooner].float().mean().item()

    return Program(
        module, DataLoader(TensorDataset(*train), 128, shuffle=True),
        DataLoader(TensorDataset(*test), 800), 25, score,
    )  # fmt: skip


LEVELS = torch.tensor([0.05, 0.5, 0.95])


def tides_of_demand(count: int = 4000) -> Samples:
    """A demand whose doubt grows with the day's heat."""
    g = torch.Generator().manual_seed(3)
    x = torch.randn(count, 5, generator=g)
    noise = torch.randn(count, generator=g) * (0.2 + 0.4 * x[:, 1].sigmoid())
    y = x[:, 0].sin() + 0.5 * x[:, 1] + 0.3 * x[:, 2].abs() + noise
    cut = int(0.7 * count)
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


class Quantiles(LightningModule):
    """The median and steps from it, so that no quantile crosses another."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([5, 64, 32, 3], nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        middle, below, above = self.net(x).unbind(1)
        return torch.stack([middle - F.softplus(below), middle, middle + F.softplus(above)], 1)

    def pinball(self, batch: list[Tensor]) -> Tensor:
        miss = batch[1][:, None] - self(batch[0])
        return torch.maximum(LEVELS * miss, (LEVELS - 1) * miss).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.pinball(batch)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3, factor=0.3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_pinball"},
        }


def quantiles() -> Program:
    data = tides_of_demand()
    module = Quantiles()

    def score() -> float:
        with torch.no_grad():
            return module.eval().pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 64), 22, score)


def satisfaction(count: int, seed: int = 4) -> Samples:
    """Five grades with an order; twelve answers, of which some only together say something."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count + 800, 12, generator=g)
    latent = x[:, 0] + 0.7 * x[:, 1] - 0.7 * x[:, 2] * (x[:, 3] > 0) + 0.5 * x[:, 4].abs()
    latent = latent + 0.3 * torch.randn(len(x), generator=g)
    y = torch.bucketize(latent, torch.tensor([-1.0, 0.0, 0.8, 1.8]))
    return Samples(x[:-800], y[:-800], x[-800:], y[-800:])


class Grades(LightningModule):
    """CORAL: one score and four limits that it may have passed."""

    def __init__(self, sizes: tuple[int, ...] = (12, 48, 24, 1), lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.trunk = mlp(sizes)
        self.limits = nn.Parameter(torch.linspace(1, -1, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x) + self.limits

    def loss(self, batch: list[Tensor]) -> Tensor:
        passed = (batch[1][:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(batch[0]), passed)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))
        grade = (self(batch[0]) > 0).sum(1)
        self.log("val_mae", (grade - batch[1]).abs().float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def grades(rows: int = 2500, epochs: int = 12, module: Grades | None = None) -> Program:
    data = satisfaction(rows)
    module = module or Grades()

    def score() -> float:
        """Mean distance from the right grade."""
        grade = (outputs(module, data.x_test) > 0).sum(1)
        return (grade - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), epochs, score)


def viewings(count: int = 14_000) -> tuple[Tensor, Tensor]:
    """Who rated which film, and how: tastes of four dimensions, and kind or stern people."""
    g = torch.Generator().manual_seed(8)
    users, films = torch.randn(200, 4, generator=g), torch.randn(120, 4, generator=g)
    kind, good = 0.4 * torch.randn(200, generator=g), 0.5 * torch.randn(120, generator=g)
    pair = torch.stack(
        [torch.randint(200, (count,), generator=g), torch.randint(120, (count,), generator=g)], 1
    )
    taste = (users[pair[:, 0]] * films[pair[:, 1]]).sum(1) / 2
    stars = 3.4 + kind[pair[:, 0]] + good[pair[:, 1]] + taste
    return pair, stars + 0.3 * torch.randn(count, generator=g)


class Factors(LightningModule):
    """Koren et al.: tastes, and how kind a person and how good a film is."""

    def __init__(self, mean: float, rank: int = 8) -> None:
        super().__init__()
        self.mean = mean
        self.P, self.Q = nn.Embedding(200, rank), nn.Embedding(120, rank)
        self.bu, self.bi = nn.Embedding(200, 1), nn.Embedding(120, 1)
        for table in (self.P, self.Q):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.bu, self.bi):
            nn.init.zeros_(table.weight)

    def forward(self, pair: Tensor) -> Tensor:
        u, i = pair.unbind(1)
        bias = self.mean + self.bu(u)[:, 0] + self.bi(i)[:, 0]
        return bias + (self.P(u) * self.Q(i)).sum(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        u, i = batch[0].unbind(1)
        mse = F.mse_loss(self(batch[0]), batch[1])
        ridge = self.P(u).square().sum(1).mean() + self.Q(i).square().sum(1).mean()
        self.log("train_rmse", mse.sqrt())
        return mse + 0.02 * ridge

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def factors() -> Program:
    pair, stars = viewings()
    module = Factors(stars[:11_000].mean().item())
    train, test = (
        TensorDataset(pair[:11_000], stars[:11_000]),
        TensorDataset(pair[11_000:], stars[11_000:]),
    )

    def score() -> float:
        return F.mse_loss(outputs(module, pair[11_000:]), stars[11_000:]).sqrt().item()

    return Program(module, DataLoader(train, 128, shuffle=True), DataLoader(test, 1000), 25, score)


def flats(count: int = 3000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is said of flats; the rent, whether it goes within a week, and one of three quarters."""
    g = torch.Generator().manual_seed(9)
    x = torch.randn(count, 10, generator=g)
    rent = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + 0.3 * torch.randn(count, generator=g)
    quick = (x[:, 3] - rent + 0.4 * torch.randn(count, generator=g) > 0).float()
    quarter = torch.stack([x[:, 4], x[:, 5], 0.7 * (x[:, 6] + x[:, 0])], 1)
    quarter = (quarter + 0.3 * torch.randn(count, 3, generator=g)).argmax(1)
    return x, rent, quick, quarter


class ThreeTasks(LightningModule):
    """Kendall et al.: each task's weight is learnt beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(10, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 48), nn.ReLU()
        )
        self.heads = nn.ModuleDict(
            {"rent": nn.Linear(48, 1), "quick": nn.Linear(48, 1), "quarter": nn.Linear(48, 3)}
        )
        self.log_variances = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.trunk(x)
        return {name: head(h) for name, head in self.heads.items()}

    def losses(self, batch: list[Tensor]) -> Tensor:
        x, rent, quick, quarter = batch
        said = self(x)
        return torch.stack(
            [
                0.5 * F.mse_loss(said["rent"][:, 0], rent),
                F.binary_cross_entropy_with_logits(said["quick"][:, 0], quick),
                F.cross_entropy(said["quarter"], quarter),
            ]
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        each = self.losses(batch)
        self.log_dict(dict(zip(("rent", "quick", "quarter"), each, strict=True)))
        return ((-self.log_variances).exp() * each + 0.5 * self.log_variances).sum()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_sum", self.losses(batch).sum())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [
            {"params": [*self.trunk.parameters(), *self.heads.parameters()], "lr": 1e-3},
            {"params": [self.log_variances], "lr": 1e-2, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, weight_decay=1e-2)


def three_tasks() -> Program:
    columns = flats()
    module = ThreeTasks()
    train = TensorDataset(*(column[:2200] for column in columns))
    test = TensorDataset(*(column[2200:] for column in columns))

    @torch.no_grad()
    def score() -> float:
        """The worst of explained rent and of both shares of right classes."""
        x, rent, quick, quarter = test.tensors
        said = module.eval()(x)
        return min(
            (1 - F.mse_loss(said["rent"][:, 0], rent) / rent.var()).item(),
            ((said["quick"][:, 0] > 0) == (quick > 0)).float().mean().item(),
            (said["quarter"].argmax(1) == quarter).float().mean().item(),
        )

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 400), 16, score)


class Experts(LightningModule):
    """The two best of six experts answer; their use is kept even."""

    def __init__(self, experts: int = 6) -> None:
        super().__init__()
        self.gate = nn.Linear(2, experts)
        self.experts = nn.ModuleList(mlp([2, 24, 1], nn.Tanh) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x)[0]

    def answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(x)
        best, index = logits.topk(2)
        weight = torch.zeros_like(logits).scatter(1, index, best.softmax(1))
        each = torch.cat([expert(x) for expert in self.experts], 1)
        chosen = (weight > 0).float().mean(0)
        uneven = len(self.experts) * (chosen * logits.softmax(1).mean(0)).sum() / 2
        return (weight * each).sum(1), uneven

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        said, uneven = self.answer(batch[0])
        loss = F.mse_loss(said, batch[1])
        self.log_dict({"mse": loss, "uneven": uneven})
        return loss + 0.01 * uneven

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def regions(count: int = 3000) -> Samples:
    """Another law in each of four regions."""
    g = torch.Generator().manual_seed(10)
    x = 2 * torch.rand(count, 2, generator=g) - 1
    laws = torch.stack(
        [(4 * x[:, 0]).sin(), x[:, 1] ** 2 - 1, -2 * x.prod(1), (3 * x.sum(1)).cos()], 1
    )
    where = (2 * (x[:, :1] > 0) + (x[:, 1:] > 0)).long()
    y = laws.gather(1, where)[:, 0] + 0.05 * torch.randn(count, generator=g)
    return Samples(x[:2200], y[:2200], x[2200:], y[2200:])


def experts() -> Program:
    data = regions()
    module = Experts()

    def score() -> float:
        return (
            1 - F.mse_loss(outputs(module, data.x_test), data.y_test) / data.y_test.var()
        ).item()

    return Program(module, *loaders(data, 64), 40, score)


def offers(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """What is looked for, and what is taken: the same wish through two rotations."""
    laws = torch.Generator().manual_seed(12)
    first, second = torch.randn(6, 20, generator=laws), torch.randn(6, 16, generator=laws)
    g = torch.Generator().manual_seed(seed)
    wish = torch.randn(count, 6, generator=g)
    asked = (wish @ first / 2).tanh() + 0.15 * torch.randn(count, 20, generator=g)
    taken = (wish.abs().sqrt() * wish.sign()) @ second / 2
    return asked, taken + 0.15 * torch.randn(count, 16, generator=g)


class Towers(LightningModule):
    """Each question against all offers of its batch, and each offer against all questions."""

    def __init__(self) -> None:
        super().__init__()
        self.question, self.offer = mlp([20, 64, 24]), mlp([16, 64, 24])
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, asked: Tensor, taken: Tensor) -> Tensor:
        a = F.normalize(self.question(asked), dim=1)
        b = F.normalize(self.offer(taken), dim=1)
        return self.log_scale.exp().clamp(max=100) * a @ b.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(*batch)
        mine = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, mine) + F.cross_entropy(logits.T, mine)) / 2
        self.log("in_batch", loss)
        self.log("top1", (logits.argmax(1) == mine).float().mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def towers() -> Program:
    module = Towers()
    asked, taken = offers(300, 1)

    @torch.no_grad()
    def score() -> float:
        first = module.eval()(asked, taken).topk(5).indices
        return (first == torch.arange(300)[:, None]).any(1).float().mean().item()

    train = TensorDataset(*offers(4000, 0))
    return Program(module, DataLoader(train, 128, shuffle=True, drop_last=True), None, 30, score)


CASES = (
    Case("months-until-an-event-partly-unseen", Goal("concordance", at_least=0.8), survival),
    Case("demand-median-and-steps-from-it", Goal("pinball", at_most=0.27), quantiles),
    Case("answers-to-five-ordered-grades", Goal("distance", at_most=0.35), grades),
    Case("films-tastes-beside-kindness", Goal("RMSE", at_most=0.4), factors),
    Case("flats-three-tasks-weigh-themselves", Goal("worst score", at_least=0.8), three_tasks),
    Case("regions-two-best-of-six-experts", Goal("R2", at_least=0.85), experts),
    Case("wishes-and-offers-against-the-batch", Goal("recall at 5", at_least=0.9), towers),
)
