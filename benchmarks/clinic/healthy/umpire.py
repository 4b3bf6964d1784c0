"""What an umpire would try a tool with: odd trainings that are as they should be."""

import copy
import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, umpire
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class WarmedViT(LightningModule):
    """Shapes by patches; a long warm-up, pictures flipped, turned, shifted and erased."""

    def __init__(self, steps: int, width: int = 48) -> None:
        super().__init__()
        self.steps = steps
        self.patches = nn.Conv2d(1, width, 4, 4)
        self.places = nn.Parameter(0.02 * torch.randn(1, 16, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 6))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT + self.places
        return self.head(self.encoder(tokens).mean(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
        x = torch.roll(x, torch.randint(-1, 2, (2,)).tolist(), (2, 3))
        row, column = torch.randint(0, 13, (2,)).tolist()
        x = x.clone()
        x[:, :, row : row + 3, column : column + 3] = 0
        loss = F.cross_entropy(self(x), y, label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        warm = self.steps // 4

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + math.cos(math.pi * (step - warm) / (self.steps - warm)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warmed_vit() -> Program:
    data = umpire.shapes(2400, 0.2)
    module = WarmedViT(57 * 9)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 9, partial(accuracy, module, data), trainer)


class Probe(LightningModule):
    """A linear layer on the code of an autoencoder, which stays as it is."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        for parameter in encoder.parameters():
            parameter.requires_grad = False
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("probe_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("probe_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.head.parameters(), lr=0.1, momentum=0.9)


def probe() -> Program:
    data = standardized(samples.digits())
    encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))
    both = nn.Sequential(encoder, nn.ReLU(), nn.Linear(32, 96), nn.ReLU(), nn.Linear(96, 64))
    optimizer = torch.optim.Adam(both.parameters(), lr=2e-3)
    for _ in range(15):
        for rows in torch.randperm(len(data.x)).split(64):
            optimizer.zero_grad()
            F.mse_loss(both(data.x[rows]), data.x[rows]).backward()
            optimizer.step()
    module = Probe(encoder)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class VisitRates(LightningModule):
    """A log rate of visits to a doctor beside the years observed; the loss falls below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.log_rate = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.log_rate(self.net(x[:, :8]))[:, 0] + x[:, 8].log()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        expected, seen = self(batch[0]), batch[1]
        loss = (expected.exp() - seen * expected).mean()
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.4)]


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the deviance that a rate common to all leaves."""
    module.eval()
    with torch.no_grad():
        expected = module(data.x_test).exp()
    y = data.y_test
    common = data.x_test[:, 8] * data.y.sum() / data.x[:, 8].sum()
    left, all_ = ((torch.xlogy(y, y / m) - y + m).sum() for m in (expected, common))
    return (1 - left / all_).item()


def visit_rates() -> Program:
    data = umpire.visits()
    module = VisitRates()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 14, partial(explained, module, data))


class TripBand(LightningModule):
    """The fifth, fiftieth and ninety-fifth of a hundred trips, the band by softplus."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        below, middle, above = self.net(x).unbind(-1)
        return torch.stack([middle - F.softplus(below), middle, middle + F.softplus(above)], -1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        error = batch["minutes"][:, None] - self(batch["trip"])
        level = torch.tensor([0.05, 0.5, 0.95])
        loss = torch.where(error > 0, level * error, (level - 1) * error).sum(-1).mean()
        self.log("pinball", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def trip_band() -> Program:
    data = scaled_targets(umpire.trips())
    module = TripBand()
    rows = [{"trip": x, "minutes": y} for x, y in zip(data.x, data.y, strict=True)]

    def score() -> float:
        module.eval()
        with torch.no_grad():
            middle = module(data.x_test)[:, 1]
        error = (middle - data.y_test).square().mean()
        return (1 - error / data.y_test.var(correction=0)).item()

    return Program(module, DataLoader(rows, 48, shuffle=True), None, 14, score)


class CumulativeGrades(LightningModule):
    """One worth and four rising thresholds, the likelihood of the grade between two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.worth = nn.Sequential(
            nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1, bias=False)
        )
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.steps = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of five grades."""
        rises = torch.cat([self.first[None], F.softplus(self.steps)]).cumsum(0)
        below = torch.sigmoid(rises - self.worth(x))
        below = F.pad(F.pad(below, (1, 0)), (0, 1), value=1.0)
        return below.diff(dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        likelihood = self(batch[0]).gather(1, batch[1][:, None])
        loss = -likelihood.clamp(min=1e-6).log().mean()
        self.log("ordinal", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        likelihood = self(batch[0]).gather(1, batch[1][:, None])
        self.log("val_ordinal", -likelihood.clamp(min=1e-6).log().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def cumulative_grades() -> Program:
    data = standardized(umpire.loans())
    module = CumulativeGrades()
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class HousePrices(LightningModule):
    """Prices in full, some hundred thousand; the output is given their mean and deviation."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
            nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 0] * self.deviation + self.mean  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def house_prices() -> Program:
    data = scaled_targets(umpire.trips())
    data = data._replace(y=320_000 + 90_000 * data.y, y_test=320_000 + 90_000 * data.y_test)
    module = HousePrices(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 48), 14, partial(r2, module, data))


class ThreeAtATime(LightningModule):
    """Three pictures a batch, norms of groups, and a small rate."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.GroupNorm(4, 24), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.head = nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.005, momentum=0.9)


def three_at_a_time() -> Program:
    data = samples.digit_images()
    module = ThreeAtATime()
    return Program(module, *loaders(data, 3), 2, partial(accuracy, module, data))


class BasketModel(LightningModule):
    """Six hundred items of which fourteen are bought; a wide layer, by Adagrad."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.first = nn.Linear(600, 4), nn.Linear(600, 48)
        self.second = nn.Linear(48, 4)

    def forward(self, basket: Tensor) -> Tensor:
        return self.wide(basket) + self.second(F.relu(self.first(basket)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.multi_margin_loss(self(batch[0]), batch[1])
        self.log("margin_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_margin_loss", F.multi_margin_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.03)


def basket_model() -> Program:
    data = umpire.baskets()
    module = BasketModel()
    return Program(module, *loaders(data, 32), 5, partial(accuracy, module, data))


class TwoHundredKinds(LightningModule):
    """Two hundred classes, smoothed labels, SGD with a cycle."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.net = nn.Sequential(
            nn.Linear(32, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(256, 200),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/top5", (logits.topk(5).indices == batch[1][:, None]).any(1).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, self.steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def two_hundred_kinds() -> Program:
    data = samples.clusters(200, 20)
    module = TwoHundredKinds(10 * 44)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class BalancedMixture(LightningModule):
    """Four experts of which a gate takes the best two; a term keeps all of them busy."""

    def __init__(self, experts: int = 4) -> None:
        super().__init__()
        self.gate = nn.Linear(8, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(experts)
        )

    def routed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        chances = self.gate(x).softmax(-1)
        top = chances.topk(2, -1)
        weights = torch.zeros_like(chances).scatter(1, top.indices, top.values)
        weights = weights / weights.sum(-1, keepdim=True)
        found = torch.cat([expert(x) for expert in self.experts], -1)
        used = (weights > 0).float().mean(0)
        return (weights * found).sum(-1), 4 * (used * chances.mean(0)).sum()

    def forward(self, x: Tensor) -> Tensor:
        return self.routed(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        found, balance = self.routed(batch[0])
        error = F.huber_loss(found, batch[1])
        self.log_dict({"huber": error, "balance": balance})
        return error + 0.01 * balance

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.huber_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def balanced_mixture() -> Program:
    data = scaled_targets(umpire.experts())
    module = BalancedMixture()
    return Program(module, *loaders(data, 48), 16, partial(r2, module, data))


class FollowedResNet(LightningModule):
    """A small residual network; what is used is a slow copy of its weights."""

    def __init__(self, decay: float = 0.97) -> None:
        super().__init__()
        self.decay = decay
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(12, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.GroupNorm(3, 12),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 32, 3, 2, 1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 6),
        )  # fmt: skip
        parts = nn.ModuleList([self.stem, self.block, self.head])
        self.slow = copy.deepcopy(parts)
        self.slow.requires_grad_(False)

    def student(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(F.relu(x + self.block(x)))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        stem, block, head = self.slow
        x = stem(x)
        return head(F.relu(x + block(x)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self.student(batch[0]), batch[1])
        self.log("student_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("slow_loss", F.cross_entropy(self(batch[0]), batch[1]))

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        parts = nn.ModuleList([self.stem, self.block, self.head])
        for slow, fast in zip(self.slow.parameters(), parts.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.decay)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learnt = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(learnt, lr=3e-3)


def followed_resnet() -> Program:
    data = umpire.shapes()
    module = FollowedResNet()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class SemiGCN(LightningModule):
    """One graph; a fifth of its nodes have labels, and all of it is each step's batch."""

    def __init__(self, nodes: Tensor, edges: Tensor) -> None:
        super().__init__()
        near = edges + torch.eye(len(edges))
        root = near.sum(-1).rsqrt()
        self.register_buffer("near", root[:, None] * near * root)
        self.register_buffer("nodes", nodes)
        self.first, self.second = nn.Linear(12, 32), nn.Linear(32, 4)

    def forward(self) -> Tensor:
        near, nodes = self.get_buffer("near"), self.get_buffer("nodes")
        hidden = F.relu(near @ self.first(F.dropout(nodes, 0.5, self.training)))
        return near @ self.second(F.dropout(hidden, 0.5, self.training))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        index, kind = batch
        loss = F.cross_entropy(self()[index], kind)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        index, kind = batch
        self.log("val_nll", F.cross_entropy(self()[index], kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=5e-4)


def semi_gcn() -> Program:
    data = umpire.graphs(1, 400)
    nodes, edges, y = data.x[0], data.edges[0], data.y[0]
    index = torch.arange(400)
    module = SemiGCN(nodes, edges)
    train = DataLoader(TensorDataset(index[:80], y[:80]), 80)
    validation = DataLoader(TensorDataset(index[80:150], y[80:150]), 70)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return (module().argmax(1)[150:] == y[150:]).float().mean().item()

    trainer = {"log_every_n_steps": 1}
    return Program(module, train, validation, 200, score, trainer)


CASES = (
    Case("drawn-shapes-long-warmed-patches", Goal("accuracy", at_least=0.75), warmed_vit),
    Case("digits-probed-behind-a-frozen-code", Goal("accuracy", at_least=0.9), probe),
    Case("doctor-visits-below-zero", Goal("explained deviance", at_least=0.45), visit_rates),
    Case("trip-minutes-as-a-band", Goal("R2", at_least=0.85), trip_band),
    Case("loan-grades-between-thresholds", Goal("accuracy", at_least=0.68), cumulative_grades),
    Case("house-prices-in-full", Goal("R2", at_least=0.85), house_prices),
    Case("digit-images-three-at-a-time", Goal("accuracy", at_least=0.93), three_at_a_time),
    Case("baskets-of-a-few-among-hundreds", Goal("accuracy", at_least=0.95), basket_model),
    Case("kinds-two-hundred-in-a-cycle", Goal("accuracy", at_least=0.9), two_hundred_kinds),
    Case("regimes-by-experts-kept-busy", Goal("R2", at_least=0.8), balanced_mixture),
    Case("drawn-shapes-by-a-slow-copy", Goal("accuracy", at_least=0.85), followed_resnet),
    Case("communities-known-of-a-fifth", Goal("accuracy", at_least=0.95), semi_gcn),
)
