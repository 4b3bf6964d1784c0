"""An acceptance test, written from the list of problems: rows, series and texts, all well."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import audit, workplace
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Stars:
    """Who has seen what, and how it was liked."""

    user: Tensor
    film: Tensor
    stars: Tensor


class Factors(LightningModule):
    """Users times films: few rows of the tables have gradients in each step."""

    def __init__(self, mean: float, rank: int = 8) -> None:
        super().__init__()
        self.mean = mean
        self.users = nn.Embedding(workplace.USERS, rank + 1, sparse=True)
        self.films = nn.Embedding(workplace.FILMS, rank + 1, sparse=True)
        nn.init.normal_(self.users.weight, std=0.1)
        nn.init.normal_(self.films.weight, std=0.1)

    def forward(self, both: Tensor) -> Tensor:
        user, film = self.users(both[:, 0]), self.films(both[:, 1])
        product = (user[:, 1:] * film[:, 1:]).sum(1)
        return self.mean + user[:, 0] + film[:, 0] + product  # type: ignore[no-any-return]

    def training_step(self, batch: Stars, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(torch.stack([batch.user, batch.film], 1)), batch.stars)
        self.log("train_rmse", loss.sqrt())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam(list(self.parameters()), lr=5e-3)


def gathered(rows: list[tuple[Tensor, Tensor]]) -> Stars:
    both = torch.stack([row[0] for row in rows])
    return Stars(both[:, 0], both[:, 1], torch.stack([row[1] for row in rows]))


def factors() -> Program:
    data = workplace.ratings()
    module = Factors(data.y.mean().item())
    rows = TensorDataset(data.x, data.y)
    train = DataLoader(rows, 128, shuffle=True, collate_fn=gathered)
    return Program(module, train, None, 12, partial(r2, module, data))


class Rentals(LightningModule):
    """Counts by the likelihood of Poisson, whose constants are left out: it may be negative."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(8, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.02)


def explained(module: LightningModule, data: Samples) -> float:
    """Of the deviance of Poisson."""
    rate, y = outputs(module, data.x_test).exp(), data.y_test
    found = torch.special.xlogy(y, y / rate) - y + rate
    constant = torch.special.xlogy(y, y / y.mean()) - y + y.mean()
    return (1 - found.sum() / constant.sum()).item()


def rentals() -> Program:
    data = audit.rentals()
    module = Rentals()
    return Program(module, *loaders(data, 64), 25, partial(explained, module, data))


class Quantiles(LightningModule):
    """A tenth, a half and nine tenths of what the sales of the next day may be."""

    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.head = nn.Linear(32 + 7, 3)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.gru(x.transpose(1, 2))
        return self.head(torch.cat([last[0], x[:, 0, -7:]], 1))  # type: ignore[no-any-return]

    def pinball(self, batch: list[Tensor]) -> Tensor:
        error = batch[1][:, None] - self(batch[0])
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def pinball_gained(module: Quantiles, data: Samples) -> float:
    """Against the quantiles of all sales."""
    module.eval()
    with torch.no_grad():
        found = module.pinball([data.x_test, data.y_test])
    error = data.y_test[:, None] - data.y_test.quantile(module.levels)
    constant = torch.maximum(module.levels * error, (module.levels - 1) * error).mean()
    return (1 - found / constant).item()


def quantiles() -> Program:
    data = audit.sales()
    module = Quantiles()
    return Program(module, *loaders(data, 32), 15, partial(pinball_gained, module, data))


class Levels(LightningModule):
    """Five levels in their order: one direction, four thresholds, four yes-or-no questions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 64), nn.Mish(), nn.Linear(64, 64), nn.Mish())
        self.direction = nn.Linear(64, 1, bias=False)
        self.thresholds = nn.Parameter(torch.linspace(1, -1, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.direction(self.body(x)) + self.thresholds  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, level = batch
        above = (level[:, None] > torch.arange(4)).float()
        loss = F.binary_cross_entropy_with_logits(self(x), above, reduction="none").sum(1).mean()
        self.log("coral", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = (self(batch[0]) > 0).sum(1)
        self.log("val_levels_off", (found - batch[1]).abs().float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def levels_off(module: LightningModule, data: Samples) -> float:
    found = (outputs(module, data.x_test) > 0).sum(1)
    return (found - data.y_test).abs().float().mean().item()


def levels() -> Program:
    data = audit.arms()
    edges = data.y.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    data = data._replace(
        y=torch.bucketize(data.y, edges), y_test=torch.bucketize(data.y_test, edges)
    )
    module = Levels()
    return Program(module, *loaders(data, 32), 14, partial(levels_off, module, data))


class Experts(LightningModule):
    """Six small networks and a gate; that all are used alike is part of the loss."""

    def __init__(self, experts: int = 6) -> None:
        super().__init__()
        self.gate = nn.Linear(96, experts)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(96, 24), nn.ReLU(), nn.Linear(24, 4)) for _ in range(experts)]
        )

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.flatten(1)
        weights = self.gate(x).softmax(1)
        two, chosen = weights.topk(2, 1)
        kept = torch.zeros_like(weights).scatter(1, chosen, two)
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        return ((kept / kept.sum(1, keepdim=True))[..., None] * answers).sum(1), weights

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits, weights = self.both(batch[0])
        used = weights.mean(0)
        balance = len(used) * used.square().sum()
        loss = F.cross_entropy(logits, batch[1])
        self.log_dict({"task": loss, "balance": balance})
        return loss + 0.05 * balance

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def experts() -> Program:
    data = Samples(*audit.sessions(2400, 32, 1.0))
    module = Experts()
    train, _ = loaders(data, 48)
    return Program(module, train, None, 16, partial(accuracy, module, data))


class Prices(LightningModule):
    """Prices in full, three hundred thousand and more; the loss has ten digits."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.head = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mean + self.deviation * self.head(self.net(x)).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse_in_euros", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("mae_in_euros", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def prices() -> Program:
    data = audit.arms()
    data = data._replace(y=300_000 + 80_000 * data.y, y_test=300_000 + 80_000 * data.y_test)
    module = Prices(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class PairsOfWeeks(LightningModule):
    """Two series at a time, norms of groups of channels, and a step for every sixteen."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 7), nn.GroupNorm(4, 16), nn.ReLU(),
            nn.Conv1d(16, 16, 5), nn.GroupNorm(4, 16), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.out = nn.Linear(16 * 18, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.conv(x)).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def pairs_of_weeks() -> Program:
    data = audit.sales()
    module = PairsOfWeeks()
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 2), 4, score, {"accumulate_grad_batches": 8})


class BagOfWords(LightningModule):
    """How often each word stands in a text, mostly never; one layer is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(120, 4)

    def forward(self, words: Tensor) -> Tensor:
        counts = F.one_hot(words, 120).sum(1).float()
        counts[:, :2] = 0
        return self.linear(counts)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("softmax_loss", loss)
        return loss + 1e-4 * self.linear.weight.abs().sum()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.2)


def bag_of_words() -> Program:
    data = audit.complaints()
    module = BagOfWords()
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class Mixture(LightningModule):
    """From where the hand is back to an angle, which may be either of two: five normal curves."""

    def __init__(self, parts: int = 5) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 3 * parts))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def nll(self, batch: list[Tensor]) -> Tensor:
        share, mean, log_deviation = self(batch[0]).chunk(3, 1)
        z = (batch[1][:, None] - mean) / log_deviation.exp()
        density = -0.5 * z.square() - log_deviation - 0.5 * math.log(2 * math.pi)
        return -torch.logsumexp(share.log_softmax(1) + density, 1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def unseen_nll(module: Mixture, data: Samples) -> float:
    module.eval()
    with torch.no_grad():
        return module.nll([data.x_test, data.y_test]).item()


def mixture() -> Program:
    g = torch.Generator().manual_seed(17)
    angle = 2 * torch.rand(2000, generator=g) - 1
    hand = angle.square() + 0.02 * torch.randn(2000, generator=g)
    hand = (2 * hand - 0.7)[:, None]
    data = Samples(hand[:1500], angle[:1500], hand[1500:], angle[1500:])
    module = Mixture()
    return Program(module, *loaders(data, 64), 25, partial(unseen_nll, module, data))


class TiedLetters(LightningModule):
    """The next letter by a transformer whose first table is its last; warm-up, then a cosine."""

    causal: Tensor

    def __init__(self, width: int = 48, length: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(audit.LETTERS, width)
        nn.init.normal_(self.table.weight, std=0.05)
        self.place = nn.Parameter(0.05 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, 0.05, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.register_buffer("causal", torch.ones(length, length).triu(1).bool())

    def forward(self, letters: Tensor) -> Tensor:
        hidden = self.layers(self.table(letters) + self.place, mask=self.causal)
        return F.linear(self.norm(hidden), self.table.weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        scores = self(batch[0]).transpose(1, 2)
        loss = F.cross_entropy(scores, batch[1], label_smoothing=0.1)
        self.log("smoothed", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=0.1)
        steps = int(self.trainer.estimated_stepping_batches)

        def share(step: int) -> float:
            return min((step + 1) / 40, 0.5 + 0.5 * math.cos(math.pi * step / steps))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def per_letter(module: LightningModule, data: Samples) -> float:
    return F.cross_entropy(outputs(module, data.x_test).transpose(1, 2), data.y_test).item()


def tied_letters() -> Program:
    data = audit.excerpts()
    module = TiedLetters()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 4, partial(per_letter, module, data))


R2 = "R2"
CASES = (
    Case("audit-fine-sparse-factors", Goal(R2, 0.5), factors),
    Case("audit-fine-rentals-poisson", Goal("deviance explained", 0.6), rentals),
    Case("audit-fine-sales-quantiles", Goal("pinball gained", 0.55), quantiles),
    Case("audit-fine-levels-in-order", Goal("levels off", at_most=0.3), levels),
    Case("audit-fine-six-experts", Goal("accuracy", 0.8), experts),
    Case("audit-fine-prices-in-full", Goal(R2, 0.9), prices),
    Case("audit-fine-two-series-at-a-time", Goal(R2, 0.8), pairs_of_weeks),
    Case("audit-fine-bag-of-words", Goal("accuracy", 0.9), bag_of_words),
    Case("audit-fine-mixture-of-angles", Goal("nll", at_most=0.0), mixture),
    Case("audit-fine-tied-letters", Goal("nats per letter", at_most=1.1), tied_letters),
)
