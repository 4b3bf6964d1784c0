"""What consultants called sound, though it looked odd: tables, counts, baskets, sets, graphs."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import consultant
from data_sets.samples import Samples, clusters, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Members(LightningModule):
    """A graph net that sees the whole graph each step, half of its units dropped."""

    def __init__(self, links: Tensor, known: Tensor) -> None:
        super().__init__()
        self.register_buffer("links", links)
        self.register_buffer("known", known)
        self.links: Tensor
        self.known: Tensor
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.links @ self.first(F.dropout(x, 0.5, self.training)))
        logits: Tensor = self.links @ self.second(F.dropout(h, 0.5, self.training))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = (part[0] for part in batch)
        loss = F.cross_entropy(self(x)[self.known], y[self.known])
        self.log("known_loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = (part[0] for part in batch)
        loss = F.cross_entropy(self(x)[~self.known], y[~self.known])
        self.log("unknown_loss", loss, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=5e-4)


def members() -> Program:
    links, data = consultant.graph()
    known = torch.arange(len(data.y)) < len(data.y) // 2
    module = Members(links, known)
    whole = DataLoader(TensorDataset(data.x[None], data.y[None]))

    def score() -> float:
        return (outputs(module, data.x).argmax(1) == data.y)[~known].float().mean().item()

    return Program(module, whole, whole, 200, score, {"log_every_n_steps": 1})


class Faces(LightningModule):
    """Two hundred identities by the cosine to each, with a margin in training."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(32, 128), nn.PReLU(), nn.Linear(128, 48))
        self.identities = nn.Parameter(torch.randn(200, 48))

    def forward(self, x: Tensor) -> Tensor:
        code = F.normalize(self.encode(x), dim=1)
        return code @ F.normalize(self.identities, dim=1).T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, who = batch
        cosines = self(x) - 0.2 * F.one_hot(who, 200)
        loss = F.cross_entropy(20 * cosines, who)
        self.log("cosface", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, who = batch
        cosines = self(x)
        self.log("cosface_val", F.cross_entropy(20 * cosines, who))
        self.log("rank1_val", (cosines.argmax(1) == who).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def faces() -> Program:
    data = clusters(200)
    module = Faces()
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class Experts(LightningModule):
    """Four experts; a gate weighs the two that fit best, and is asked to use them all."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1)) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        gate: Tensor = self.gate(x)
        best = gate.topk(2, dim=1)
        weight = torch.zeros_like(gate).scatter(1, best.indices, best.values.softmax(1))
        found = torch.cat([expert(x) for expert in self.experts], 1)
        return (weight * found).sum(1), (weight.mean(0) * gate.softmax(1).mean(0)).sum()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        found, crowd = self.both(x)
        mse = F.mse_loss(found, y)
        self.log_dict({"moe/mse": mse, "moe/crowd": crowd})
        return mse + 0.05 * 4 * crowd

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("moe/val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def experts() -> Program:
    data = consultant.houses()
    module = Experts()
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


class Euros(LightningModule):
    """Quantiles of prices in euros: what is learnt is scaled, what is logged is not."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.levels: Tensor
        self.net = nn.Sequential(
            nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
            nn.Linear(64, 3),
        )  # fmt: skip

    def quantiles(self, x: Tensor) -> Tensor:
        return 320_000 + 90_000 * self.net(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.quantiles(x)[:, 1]

    def pinball(self, batch: dict[str, Tensor]) -> Tensor:
        off = batch["price"][:, None] - self.quantiles(batch["facts"])
        return torch.maximum(self.levels * off, (self.levels - 1) * off).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("euros_off", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("euros_off_val", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def euros() -> Program:
    data = consultant.houses()
    data = data._replace(y=320_000 + 90_000 * data.y, y_test=320_000 + 90_000 * data.y_test)
    module = Euros()
    train = [{"facts": x, "price": y} for x, y in zip(data.x, data.y, strict=True)]
    test = [{"facts": x, "price": y} for x, y in zip(data.x_test, data.y_test, strict=True)]
    both = DataLoader(train, 32, shuffle=True), DataLoader(test, 256)  # type: ignore[arg-type]
    return Program(module, *both, 12, partial(r2, module, data))


class Readings(LightningModule):
    """Knows machines that run well; others it cannot tell from their readings with some hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(24, 64), nn.ELU(), nn.Linear(64, 5), nn.Linear(5, 64), nn.ELU(),
            nn.Linear(64, 24),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.mse_loss(self(F.dropout(x, 0.1)), x)
        self.log("reconstruction", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def readings() -> Program:
    data = standardized(consultant.machines())
    module = Readings()
    train = DataLoader(TensorDataset(data.x), 32, shuffle=True)

    def score() -> float:
        off = (outputs(module, data.x_test) - data.x_test).square().mean(1)
        return float(roc_auc_score(data.y_test, off))

    return Program(module, train, None, 20, score)


class Claims(LightningModule):
    """Counts of claims, by a rate and the years insured."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU())
        self.log_rate = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        rate: Tensor = self.log_rate(self.net(x[:, :6]))
        return rate.squeeze(1) + x[:, 6].log()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, count = batch
        loss = F.poisson_nll_loss(self(x), count)
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, count = batch
        self.log("poisson_val", F.poisson_nll_loss(self(x), count))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.03)


@torch.no_grad()
def explained(module: LightningModule, data: Samples) -> float:
    """Share of the deviance of a rate that is the same for all."""

    def deviance(mean: Tensor) -> Tensor:
        return 2 * (torch.xlogy(data.y_test, data.y_test / mean) - data.y_test + mean).mean()

    same = data.y.sum() / data.x[:, 6].sum() * data.x_test[:, 6]
    return (1 - deviance(outputs(module, data.x_test).exp()) / deviance(same)).item()


def claims() -> Program:
    data = consultant.claims()
    module = Claims()
    return Program(module, *loaders(data, 64), 14, partial(explained, module, data))


class Grades(LightningModule):
    """Five questions, each whether a loan is worse than a grade, share all but their biases."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1, bias=False)
        )
        self.cuts = nn.Parameter(torch.linspace(1, -1, 5))

    def forward(self, x: Tensor) -> Tensor:
        return ((self.score(x) + self.cuts) > 0).sum(1).float()

    def coral(self, batch: list[Tensor]) -> Tensor:
        x, grade = batch
        above = (grade[:, None] > torch.arange(5, device=x.device)).float()
        return F.binary_cross_entropy_with_logits(self.score(x) + self.cuts, above)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.coral(batch)
        self.log("coral", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("coral_val", self.coral(batch))
        self.log("grades_off", (self(batch[0]) - batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def grades() -> Program:
    data = consultant.grades(3000)
    module = Grades()

    def score() -> float:
        return (outputs(module, data.x_test) - data.y_test).abs().mean().item()

    return Program(module, *loaders(data, 32), 12, score)


class Campaigns(LightningModule):
    """Which campaigns a buyer answers to; the products' vectors have sparse gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.products = nn.EmbeddingBag(300, 32, mode="mean", sparse=True)
        self.answers = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.answers(self.products(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        basket, answered = batch
        loss = F.binary_cross_entropy_with_logits(self(basket), answered)
        both = self.optimizers()
        for optimizer in both:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in both:
            optimizer.step()
        self.log("answers_bce", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        basket, answered = batch
        self.log("answers_bce_val", F.binary_cross_entropy_with_logits(self(basket), answered))

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [
            torch.optim.SparseAdam(list(self.products.parameters()), lr=1e-2),
            torch.optim.Adam(self.answers.parameters(), lr=3e-3),
        ]


def campaigns() -> Program:
    data = consultant.orders(4000)
    module = Campaigns()

    def score() -> float:
        return float(roc_auc_score(data.y_test, outputs(module, data.x_test), average="macro"))

    return Program(module, *loaders(data, 64), 8, score)


class Clouds(LightningModule):
    """Points attend to four learnt ones, and those to the points; no order is known."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(2, 32)
        self.induced = nn.Parameter(torch.randn(1, 4, 32))
        self.gather = nn.MultiheadAttention(32, 4, batch_first=True)
        self.spread = nn.MultiheadAttention(32, 4, batch_first=True)
        self.rest = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.width = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        few, _ = self.gather(self.induced.expand(len(x), -1, -1), h, h, need_weights=False)
        h = h + self.spread(h, few, few, need_weights=False)[0]
        h = h + self.rest(h)
        found: Tensor = self.width(h.amax(1))
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        points, width = batch
        found = self(points)
        loss = F.huber_loss(found, width, delta=0.5)
        self.log("width_huber", loss)
        return {"loss": loss, "found": found.detach()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, width = batch
        self.log("width_huber_val", F.huber_loss(self(points), width, delta=0.5))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=100)
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def clouds() -> Program:
    data = consultant.clouds()
    module = Clouds()
    return Program(module, *loaders(data, 25), 9, partial(r2, module, data))


class Dropped(LightningModule):
    """A wide net for two hundred and fifty documents, of whose words and units most are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Dropout(0.4), nn.Linear(120, 512), nn.ReLU(), nn.Dropout(0.7), nn.Linear(512, 12)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        counts, label = batch
        logits = self(counts)
        loss = F.cross_entropy(logits, label)
        self.log("ce_dropped", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        counts, label = batch
        logits = self(counts)
        self.log("ce_whole", F.cross_entropy(logits, label))
        self.log("acc_whole", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dropped() -> Program:
    data = consultant.counted(1.0).first(250)
    module = Dropped()
    return Program(module, *loaders(data, 25), 25, partial(accuracy, module, data))


class Cox(LightningModule):
    """Who leaves first of those who are still there; the loss can hardly fall."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = nn.Sequential(
            nn.BatchNorm1d(6), nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 24), nn.Tanh(),
            nn.Linear(24, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.risk(x)
        return found.squeeze(1)

    def partial_likelihood(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        year, seen, risk = y % 8, y < 8, self(x)
        there = year >= year[:, None]
        among = risk.expand(len(x), -1).masked_fill(~there, -torch.inf).logsumexp(1)
        return (among - risk)[seen].mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.partial_likelihood(batch)
        self.log("cox", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("cox_val", self.partial_likelihood(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-4)


def concordance(module: LightningModule, data: Samples) -> float:
    year, seen = data.y_test % 8, data.y_test < 8
    risk = outputs(module, data.x_test)
    pairs = seen[:, None] & (year[:, None] < year)
    return (risk[:, None] > risk)[pairs].float().mean().item()


def cox() -> Program:
    data = consultant.survivals()
    module = Cox()
    return Program(module, *loaders(data, 128), 20, partial(concordance, module, data))


CASES = (
    Case("members-half-of-the-units-dropped", Goal("accuracy", at_least=0.85), members),
    Case("faces-two-hundred-by-cosines", Goal("accuracy", at_least=0.95), faces),
    Case("houses-by-two-of-four-experts", Goal("R2", at_least=0.8), experts),
    Case("houses-quantiles-in-euros", Goal("R2", at_least=0.85), euros),
    Case("readings-of-sound-machines", Goal("AUROC", at_least=0.9), readings),
    Case("claims-of-years-insured", Goal("deviance explained", at_least=0.35), claims),
    Case("grades-by-five-questions", Goal("grades off", at_most=0.65), grades),
    Case("campaigns-of-sparse-baskets", Goal("AUROC", at_least=0.85), campaigns),
    Case("clouds-attended-from-few-points", Goal("R2", at_least=0.9), clouds),
    Case("documents-most-units-dropped", Goal("accuracy", at_least=0.82), dropped),
    Case("leavers-by-partial-likelihood", Goal("concordance", at_least=0.75), cox),
)
