"""What operations train: demand, deliveries, values of customers and coupons."""

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import services
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.distributions import LogNormal, NegativeBinomial
from torch.utils.data import DataLoader, TensorDataset

DAYS = 28


class Demand(LightningModule):
    """DeepAR: scales of shops, sales a day, a week and two weeks ago; the day's distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(11, 32, batch_first=True)
        self.project = nn.Linear(32, 2)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and dispersion of each day of the last two weeks."""
        sold, weekday = window[..., 0], window[..., 1].long()
        scale = 1 + sold[:, :14].mean(1, keepdim=True)
        lags = torch.stack([sold[:, 14 - k : DAYS - k] for k in (1, 7, 14)], 2)
        level = scale.log().expand(-1, DAYS - 14)[..., None] - 2
        x = torch.cat([lags / scale[..., None], level, F.one_hot(weekday[:, 14:], 7)], 2)
        mean, alpha = F.softplus(self.project(self.lstm(x)[0])).unbind(2)
        return mean * scale + 1e-3, alpha + 1e-3

    def nll(self, batch: list[Tensor]) -> Tensor:
        (window,) = batch
        mean, alpha = self(window)
        ahead = NegativeBinomial(1 / alpha, logits=(mean * alpha).log())
        return -ahead.log_prob(window[:, 14:, 0]).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def demand() -> Program:
    sold = services.sales()
    weekday = (torch.arange(sold.shape[1]) % 7.0).expand_as(sold)
    both = torch.stack([sold, weekday], 2)
    train = both[:, :112].unfold(1, DAYS, 3).transpose(2, 3).flatten(0, 1)
    test = both[:, 112:]
    module = Demand()

    def score() -> float:
        """Absolute error as a share of what was sold, in days that no window has seen."""
        module.eval()
        with torch.no_grad():
            mean, _ = module(test)
        return ((mean - test[:, 14:, 0]).abs().sum() / test[:, 14:, 0].sum()).item()

    parts = DataLoader(TensorDataset(train), 32, shuffle=True), DataLoader(TensorDataset(test), 60)
    return Program(module, *parts, 8, score, {"gradient_clip_val": 10.0})


class Minutes(LightningModule):
    """Three quantiles that cannot cross: the lowest, and two steps up from it."""

    quantiles = (0.1, 0.5, 0.9)

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([5, 48, 48, 3], nn.SiLU)
        nn.init.constant_(self.net[-1].bias, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        raw = self.net(x)
        return 10 * torch.cat([raw[:, :1], F.softplus(raw[:, 1:])], 1).cumsum(1)

    def pinball(self, x: Tensor, minutes: Tensor) -> Tensor:
        under = minutes[:, None] - self(x)
        q = torch.tensor(self.quantiles)
        return torch.maximum(q * under, (q - 1) * under).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(*batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)


def minutes() -> Program:
    data = services.parcels()
    module = Minutes()

    def score() -> float:
        """What is saved of the loss of the same three quantiles for every parcel."""
        q = torch.tensor(module.quantiles)
        under = data.y_test[:, None] - data.y.quantile(q)
        constant = torch.maximum(q * under, (q - 1) * under).mean()
        with torch.no_grad():
            return (1 - module.eval().pinball(data.x_test, data.y_test) / constant).item()

    return Program(module, *loaders(data, 32), 12, score)


class Value(LightningModule):
    """Whether a customer spends at all, and the logarithm of how much: most targets are 0."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([8, 64, 32, 3])

    def forward(self, x: Tensor) -> Tensor:
        """Expected value."""
        logit, middle, width = self.net(x).unbind(1)
        spread = F.softplus(width) + 0.05
        return logit.sigmoid() * (middle + spread.square() / 2).exp()

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, spent = batch
        logit, middle, width = self.net(x).unbind(1)
        some = (spent > 0).float()
        told = LogNormal(middle, F.softplus(width) + 0.05).log_prob(spent.clamp(min=1e-6))
        whether = F.binary_cross_entropy_with_logits(logit, some)
        return whether - torch.where(spent > 0, told, 0.0).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("ziln", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ziln", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def value() -> Program:
    data = services.values()
    module = Value()

    def score() -> float:
        """How far what was spent and what was expected are in the same order."""
        ranks = [v.argsort().argsort().float() for v in (outputs(module, data.x_test), data.y_test)]
        return torch.corrcoef(torch.stack(ranks))[0, 1].item()

    return Program(module, *loaders(data, 64), 10, score)


class Uplift(LightningModule):
    """One trunk and two heads, each of which only sees who got a coupon, or who got none."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 32), nn.ELU(), nn.Linear(32, 16), nn.ELU())
        self.without, self.with_one = nn.Linear(16, 1), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.trunk(x)
        return torch.cat([self.without(found), self.with_one(found)], 1)

    def factual(self, batch: dict[str, Tensor]) -> Tensor:
        logit = self(batch["x"]).gather(1, batch["coupon"][:, None])[:, 0]
        return F.binary_cross_entropy_with_logits(logit, batch["back"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.factual(batch)
        self.log("factual", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_factual", self.factual(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


def uplift() -> Program:
    """Chance decides most of who comes back, so the loss stays close to where it began."""
    found = services.campaign()
    rows = [{"x": x, "coupon": c, "back": b} for x, c, b, _ in zip(*found, strict=True)]
    train = DataLoader(rows[:6000], 64, shuffle=True)  # type: ignore[arg-type]
    test = DataLoader(rows[6000:], 500)  # type: ignore[arg-type]
    module = Uplift()

    def score() -> float:
        """Correlation of the forecast difference with the true one."""
        chances = outputs(module, found.x[6000:]).sigmoid()
        difference = chances[:, 1] - chances[:, 0]
        return torch.corrcoef(torch.stack([difference, found.effect[6000:]]))[0, 1].item()

    return Program(module, train, test, 5, score)


CASES = (
    Case("sales-negative-binomial-recurrent", Goal("share of error", at_most=0.27), demand),
    Case("parcels-quantiles-in-order", Goal("saved of the loss", at_least=0.35), minutes),
    Case("values-mostly-nothing-spent", Goal("rank correlation", at_least=0.45), value),
    Case("coupons-two-heads", Goal("correlation", at_least=0.8), uplift),
)
