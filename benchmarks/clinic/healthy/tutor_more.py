"""Sound trainings of a course that look odd at first: rows, counts, ratings and rewards."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, tutor
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class NoisyMLP(LightningModule):
    """A third of the labels is wrong; most units are dropped, so that it does not learn these."""

    def __init__(self, dropout: float = 0.6) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(256, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def noisy_mlp() -> Program:
    clean = samples.digits()
    draw = torch.Generator().manual_seed(9)
    wrong = torch.rand(len(clean.y), generator=draw) < 0.33
    y = torch.where(wrong, torch.randint(10, clean.y.shape, generator=draw), clean.y)
    module = NoisyMLP()
    both = loaders(clean._replace(y=y), 32)
    return Program(module, *both, 18, partial(accuracy, module, clean))


class ManyKinds(LightningModule):
    """Two hundred kinds, twenty rows each, by SGD with a large rate that falls as a cosine."""

    def __init__(self, kinds: int = 200) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(32, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, kinds)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y, label_smoothing=0.1)
        self.log_dict({"loss": loss, "top5": self.top(logits, y)})
        return loss

    @staticmethod
    def top(logits: Tensor, y: Tensor) -> Tensor:
        return (logits.topk(5).indices == y[:, None]).any(1).float().mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_top5", self.top(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.3, momentum=0.9, nesterov=True)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)]


def many_kinds() -> Program:
    data = samples.clusters(200, 20, 32)
    module = ManyKinds()
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class Experts(LightningModule):
    """Four experts, mixed by a gate that is kept from having a favourite."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(10, 4)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(4)
        )

    def mixed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        share = self.gate(x).softmax(1)
        said = torch.cat([expert(x) for expert in self.experts], 1)
        return (share * said).sum(1), share

    def forward(self, x: Tensor) -> Tensor:
        return self.mixed(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        said, share = self.mixed(x)
        balance = 4 * share.mean(0).square().sum()
        mse = F.mse_loss(said, y)
        self.log_dict({"mse": mse, "balance": balance})
        return mse + 0.05 * balance

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def experts() -> Program:
    data = samples.scaled_targets(standardized(samples.friedman()))
    module = Experts()
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class CallCounts(LightningModule):
    """The logarithm of a rate; the loss may be negative."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1)
        )
        nn.init.constant_(self.net[-1].bias, mean)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, calls = batch
        loss = F.poisson_nll_loss(self(x), calls)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def call_counts() -> Program:
    data = tutor.calls()
    module = CallCounts(data.y.mean().log().item())

    def score() -> float:
        rate = outputs(module, data.x_test).exp()
        return (1 - F.mse_loss(rate, data.y_test) / data.y_test.var(correction=0)).item()

    return Program(module, *loaders(data, 32), 10, score)


class Quantiles(LightningModule):
    """The tenth, the middle and the ninetieth of a hundred."""

    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.body = nn.Sequential(nn.Linear(3, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU())
        self.heads = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(self.body(x))  # type: ignore[no-any-return]

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
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def quantiles() -> Program:
    data = tutor.gardens()
    module = Quantiles()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 15, score)


class Grades(LightningModule):
    """One number and five thresholds: is the grade above each?"""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 1, bias=False))
        self.cuts = nn.Parameter(torch.linspace(-1, 1, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) - self.cuts  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, grade = batch
        above = (grade[:, None] > torch.arange(5)).float()
        loss = F.binary_cross_entropy_with_logits(self(x), above)
        self.log("ordinal", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def ordered_grades() -> Program:
    data = tutor.grades()
    module = Grades()
    train, _ = loaders(data, 32)

    def score() -> float:
        said = (outputs(module, data.x_test) > 0).sum(1)
        return (said - data.y_test).abs().float().mean().item()

    return Program(module, train, None, 20, score)


@dataclass
class Walk:
    """Moves of a batch."""

    place: Tensor
    move: Tensor
    reward: Tensor
    next_place: Tensor


def walks(rows: list[tuple[Tensor, ...]]) -> Walk:
    return Walk(*(torch.stack(column) for column in zip(*rows, strict=True)))


class DQN(LightningModule):
    """What a move is worth, by what the next one is worth to a network of some steps ago."""

    def __init__(self, discount: float = 0.8, every: int = 40) -> None:
        super().__init__()
        self.discount, self.every = discount, every
        self.q = nn.Sequential(
            nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
        )
        self.target = copy.deepcopy(self.q).requires_grad_(False)

    def forward(self, place: Tensor) -> Tensor:
        return self.q(place)  # type: ignore[no-any-return]

    def training_step(self, batch: Walk, batch_idx: int) -> Tensor:
        if self.global_step % self.every == 0:
            self.target.load_state_dict(self.q.state_dict())
        with torch.no_grad():
            goal = batch.reward + self.discount * self.target(batch.next_place).amax(1)
        value = self(batch.place).gather(1, batch.move[:, None])[:, 0]
        loss = F.smooth_l1_loss(value, goal)
        self.log_dict({"td": loss, "mean_q": value.mean()}, batch_size=len(value))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.q.parameters(), lr=1e-3)


def dqn() -> Program:
    data = tutor.moves()
    module = DQN()
    rows = TensorDataset(*(column[:3200] for column in data))
    train = DataLoader(rows, 64, shuffle=True, collate_fn=walks)

    def score() -> float:
        place = data.place[3200:]
        move = outputs(module, place).argmax(1)
        step = 0.2 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        goal = torch.tensor([0.5, -0.3])
        nearer = ((place + step[move]).clamp(-1, 1) - goal).abs().sum(1)
        far = (place - goal).abs().sum(1)
        return (nearer < far)[far > 0.3].float().mean().item()

    return Program(module, train, None, 12, score)


class Stars(LightningModule):
    """Factors of users and films; most rows of either table have no gradient in a step."""

    def __init__(self, mean: float, width: int = 8) -> None:
        super().__init__()
        self.mean = mean
        self.users, self.films = nn.Embedding(tutor.USERS, width), nn.Embedding(tutor.FILMS, width)
        self.kind, self.good = nn.Embedding(tutor.USERS, 1), nn.Embedding(tutor.FILMS, 1)
        for table in (self.users, self.films, self.kind, self.good):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, pair: Tensor) -> Tensor:
        user, film = pair.unbind(1)
        match = (self.users(user) * self.films(film)).sum(1)
        return self.mean + match + self.kind(user)[:, 0] + self.good(film)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pair, stars = batch
        mse = F.mse_loss(self(pair), stars)
        user, film = pair.unbind(1)
        penalty = self.users(user).square().sum(1) + self.films(film).square().sum(1)
        self.log("train_rmse", mse.detach().sqrt())
        return mse + 0.02 * penalty.mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def stars() -> Program:
    data = tutor.ratings()
    module = Stars(data.y.mean().item())
    return Program(module, *loaders(data, 64), 10, partial(r2, module, data))


class OneByOne(LightningModule):
    """One row a step, as in the lecture on stochastic descent; a small rate, and LayerNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(30, 32), nn.LayerNorm(32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.norm(self.fc1(x)))).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.float())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=5e-3)


def one_by_one() -> Program:
    data = standardized(samples.cancer())
    module = OneByOne()

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, 1), 2, score)


class TideTCN(LightningModule):
    """Dilated convolutions beside a way around; targets are in millimetres, scaled inside."""

    scale: Tensor

    def __init__(self, scale: float, width: int = 24) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale))
        self.enter = nn.Conv1d(1, width, 1)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=2**k) for k in range(4))
        self.leave = nn.Linear(width, 1)

    def forward(self, window: Tensor) -> Tensor:
        x = self.enter(window.transpose(1, 2) / self.scale)
        for k, conv in enumerate(self.convs):
            x = x + F.relu(conv(F.pad(x, (2 * 2**k, 0))))
        return self.leave(x[..., -1]).squeeze(1) * self.scale  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, level = batch
        loss = F.l1_loss(self(window), level)
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def tide_tcn() -> Program:
    data = tutor.tides()
    data = data._replace(
        x=1200 * data.x, y=1200 * data.y, x_test=1200 * data.x_test, y_test=1200 * data.y_test
    )
    module = TideTCN(data.x.std().item())
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


CASES = (
    Case("tutor-digits-a-third-mislabelled", Goal("accuracy", at_least=0.9), noisy_mlp),
    Case("tutor-two-hundred-kinds", Goal("accuracy", at_least=0.9), many_kinds),
    Case("tutor-friedman-four-experts", Goal("R2", at_least=0.9), experts),
    Case("tutor-calls-poisson", Goal("R2", at_least=0.5), call_counts),
    Case("tutor-gardens-three-quantiles", Goal("pinball", at_most=0.12), quantiles),
    Case("tutor-grades-five-thresholds", Goal("mean error in grades", at_most=0.5), ordered_grades),
    Case("tutor-moves-by-a-target-network", Goal("share of nearer", at_least=0.9), dqn),
    Case("tutor-stars-by-factors", Goal("R2", at_least=0.5), stars),
    Case("tutor-cancer-one-row-a-step", Goal("accuracy", at_least=0.94), one_by_one),
    Case("tutor-tides-in-millimetres", Goal("R2", at_least=0.85), tide_tcn),
)
