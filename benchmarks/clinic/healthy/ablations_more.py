"""More controls of a benchmark of detectors: other losses, other answers, other habits."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import ablations
from data_sets.samples import digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def perceptron(inputs: int, width: int, out: int, dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, out),
    )  # fmt: skip


class Views(LightningModule):
    """Two views of each signal, shifted, scaled and noisy, are told from those of others."""

    def __init__(self, heat: float = 0.2) -> None:
        super().__init__()
        self.heat = heat
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 48, 5, padding=2), nn.BatchNorm1d(48), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(48, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.projector = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.encoder(x.transpose(1, 2))
        return found

    def view(self, x: Tensor) -> Tensor:
        x = x.roll(int(torch.randint(-10, 11, ())), 1)
        x = x * (0.7 + 0.6 * torch.rand(len(x), 1, 1))
        return x + 0.1 * torch.randn_like(x)

    def contrast(self, x: Tensor) -> Tensor:
        both = torch.cat([self.view(x), self.view(x)])
        z = F.normalize(self.projector(self(both)), dim=1)
        alike = (z @ z.T / self.heat).fill_diagonal_(-1e9)
        return F.cross_entropy(alike, torch.arange(len(z)).roll(len(x)))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.contrast(batch[0])
        self.log("pretrain/nt_xent", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)]


def views() -> Program:
    """Scored by a linear reading of the codes, solved by least squares."""
    data, module = ablations.beats(), Views()
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=90, shuffle=True, drop_last=True)

    def score() -> float:
        known, other = outputs(module, data.x), outputs(module, data.x_test)
        mean, deviation = known.mean(0), known.std(0) + 1e-3
        one = torch.ones(len(known), 1)
        a = torch.cat([(known - mean) / deviation, one], 1)
        b = torch.cat([(other - mean) / deviation, one[: len(other)]], 1)
        target = a.T @ F.one_hot(data.y).float()
        weight = torch.linalg.solve(a.T @ a + 0.1 * torch.eye(65), target)
        return ((b @ weight).argmax(1) == data.y_test).float().mean().item()

    return Program(module, train, None, 14, score)


class Walker(LightningModule):
    """Values of four steps, by what a slow copy of the network says of the next place."""

    def __init__(self, discount: float = 0.8) -> None:
        super().__init__()
        self.discount = discount
        self.q, self.slow = perceptron(2, 64, 4), perceptron(2, 64, 4)
        self.slow.load_state_dict(self.q.state_dict())
        self.slow.requires_grad_(False)

    def forward(self, place: Tensor) -> Tensor:
        values: Tensor = self.q(place)
        return values

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        place, action, reward, after, done = batch
        with torch.no_grad():
            best = self.slow(after).amax(1)
        target = reward + self.discount * (1 - done) * best
        loss = F.smooth_l1_loss(self(place).gather(1, action[:, None])[:, 0], target)
        self.log_dict({"td_loss": loss, "mean_q": target.mean()})
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.q.parameters(), strict=True):
                slow.lerp_(fast, 0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.q.parameters(), lr=1e-3)


def walker() -> Program:
    """Scored by how many of 400 walks reach the corner in fifteen steps."""
    data, module = ablations.moves(), Walker()
    train = DataLoader(TensorDataset(*data), batch_size=64, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        axis = torch.linspace(-0.95, 0.95, 20)
        place, there = torch.cartesian_prod(axis, axis), torch.zeros(400, dtype=torch.bool)
        for _ in range(15):
            step = torch.tensor(ablations.STEPS)[module.eval()(place).argmax(1)]
            place = (place + step).clamp(-1, 1)
            there |= (place > 0.6).all(1)
        return there.float().mean().item()

    return Program(module, train, None, 30, score)


class Bands(LightningModule):
    """Three quantiles of a curve with widening noise, by the pinball loss."""

    LEVELS = (0.1, 0.5, 0.9)

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        quantiles: Tensor = self.mlp(x)
        return quantiles

    def pinball(self, batch: list[Tensor]) -> Tensor:
        miss = batch[1][:, None] - self(batch[0])
        level = torch.tensor(self.LEVELS)
        return torch.maximum(level * miss, (level - 1) * miss).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        inside = (batch[1] > found[:, 0]) & (batch[1] < found[:, 2])
        self.log_dict({"val_pinball": self.pinball(batch), "val_coverage": inside.float().mean()})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.88)]


def bands() -> Program:
    """Scored by how far the share below a quantile is from its level at most."""
    data, module = ablations.uneven(), Bands()

    def score() -> float:
        below = (data.y_test[:, None] < outputs(module, data.x_test)).float().mean(0)
        return (below - torch.tensor(module.LEVELS)).abs().max().item()

    return Program(module, *loaders(data, 48), 25, score)


class Counter(LightningModule):
    """Counts by the logarithm of their rate, the deviance logged."""

    def __init__(self) -> None:
        super().__init__()
        self.eta = nn.Sequential(nn.Linear(7, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU())
        self.out = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        eta: Tensor = self.out(self.eta(x))[:, 0]
        return eta

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        eta = self(batch[0])
        loss = (eta.exp() - batch[1] * eta).mean()
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_deviance", deviance(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def deviance(eta: Tensor, y: Tensor) -> Tensor:
    return 2 * (torch.xlogy(y, y) - y * eta - y + eta.exp()).mean()


def counter() -> Program:
    """Scored by the share of the deviance that is explained."""
    data, module = ablations.visits(), Counter()

    def score() -> float:
        base = data.y.mean().log().expand(len(data.y_test))
        found = outputs(module, data.x_test)
        return (1 - deviance(found, data.y_test) / deviance(base, data.y_test)).item()

    return Program(module, *loaders(data, 32), 14, score)


class Hazards(LightningModule):
    """Cox's partial likelihood over the rows of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = perceptron(6, 32, 1, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.risk(x)[:, 0]
        return risk

    def partial_likelihood(self, batch: list[Tensor]) -> Tensor:
        x, time, failed = batch
        order = time.argsort(descending=True)
        risk, failed = self(x)[order], failed[order]
        return -((risk - risk.logcumsumexp(0)) * failed).sum() / failed.sum().clamp(min=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.partial_likelihood(batch)
        self.log("cox_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, time, failed = batch
        self.log("c_index", concordance(self(x), time, failed))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=2e-3, weight_decay=1e-3)


def concordance(risk: Tensor, time: Tensor, failed: Tensor) -> float:
    pair = (time[:, None] < time) & (failed[:, None] > 0)
    return (risk[:, None] > risk)[pair].float().mean().item()


def hazards() -> Program:
    data, module, cut = ablations.lives(), Hazards(), 1600
    train, test = TensorDataset(*(t[:cut] for t in data)), TensorDataset(*(t[cut:] for t in data))

    def score() -> float:
        risk = outputs(module, data.x[cut:])
        return concordance(risk, data.time[cut:], data.failed[cut:])

    return Program(module, DataLoader(train, 100, shuffle=True), DataLoader(test, 600), 18, score)


class Stairs(LightningModule):
    """One amount and four bounds: is a row above the first, the second, and so on?"""

    def __init__(self, levels: int = 5) -> None:
        super().__init__()
        self.amount = perceptron(9, 48, 1, 0.1)
        self.bounds = nn.Parameter(torch.linspace(1.5, -1.5, levels - 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.amount(x) + self.bounds
        return logits

    def coral(self, batch: list[Tensor]) -> Tensor:
        logits = self(batch[0])
        above = (batch[1][:, None] > torch.arange(logits.shape[1])).float()
        return F.binary_cross_entropy_with_logits(logits, above)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.coral(batch)
        self.log("coral", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rank = (self(batch[0]) > 0).sum(1)
        self.log("val_coral", self.coral(batch))
        self.log("val_mae", (rank - batch[1]).abs().float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-5)


def stairs() -> Program:
    data, module = ablations.ranks(), Stairs()

    def score() -> float:
        rank = (outputs(module, data.x_test) > 0).sum(1)
        return (rank - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 64), 16, score)


class Rare(LightningModule):
    """Eight labels, the rare ones weighed by the root of how much rarer they are."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.net = perceptron(12, 80, 8, 0.1)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=weight)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("bce_weighted", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_bce_weighted", self.criterion(logits, batch[1]))
        self.log("val_f1", macro_f1(logits, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=4e-3)


def macro_f1(logits: Tensor, y: Tensor) -> float:
    said, true = logits > 0, y > 0
    found = 2 * (said & true).sum(0) / (said.sum(0) + true.sum(0)).clamp(min=1)
    return found.mean().item()


def rare() -> Program:
    data = ablations.marks()
    share = data.y.mean(0)
    module = Rare(((1 - share) / share).sqrt())
    return Program(
        module, *loaders(data, 64), 20, lambda: macro_f1(outputs(module, data.x_test), data.y_test)
    )


class Outliner(LightningModule):
    """A mask of the glyph: down and up again, with what was seen before beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
        self.low = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Upsample(scale_factor=2),
        )  # fmt: skip
        self.last = nn.Conv2d(36, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.first(x)
        logits: Tensor = self.last(torch.cat([fine, self.low(fine)], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        bce = F.binary_cross_entropy_with_logits(logits, batch[1])
        p = logits.sigmoid()
        dice = 1 - (2 * (p * batch[1]).sum() + 1) / (p.sum() + batch[1].sum() + 1)
        self.log_dict({"seg_bce": bce, "seg_dice": dice})
        return bce + dice

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("seg_val_bce", F.binary_cross_entropy_with_logits(logits, batch[1]))
        self.log("seg_val_iou", overlap(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75)]


def overlap(logits: Tensor, mask: Tensor) -> float:
    said, true = logits > 0, mask > 0.5
    return ((said & true).sum() / (said | true).sum()).item()


def outliner() -> Program:
    data, module, cut = ablations.drawn(1000, 20, 0.35), Outliner(), 750
    train = TensorDataset(data.x[:cut], data.mask[:cut])
    test = TensorDataset(data.x[cut:], data.mask[cut:])
    return Program(
        module, DataLoader(train, 20, shuffle=True), DataLoader(test, 125), 8,
        lambda: overlap(outputs(module, data.x[cut:]), data.mask[cut:]),
    )  # fmt: skip


class Boxer(LightningModule):
    """The box about a glyph: its corners' distance, and how much it overlaps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.1),
            nn.Conv2d(32, 48, 3, 1, 1), nn.BatchNorm2d(48), nn.LeakyReLU(0.1),
            nn.Flatten(), nn.Linear(1200, 48), nn.LeakyReLU(0.1), nn.Linear(48, 4),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        middle, half = self.net(x).chunk(2, 1)
        half = F.softplus(half - 1)
        return torch.cat([0.5 + middle - half, 0.5 + middle + half], 1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        found = self(batch["image"])
        l1 = F.l1_loss(found, batch["box"])
        iou = 1 - box_overlap(found, batch["box"]).mean()
        self.log("box/l1", l1)
        self.log("box/iou_loss", iou)
        return 5 * l1 + iou

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        found = self(batch["image"])
        self.log("box/val_l1", F.l1_loss(found, batch["box"]))
        self.log("box/val_iou", box_overlap(found, batch["box"]).mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [8, 11], 0.2)]


def box_overlap(a: Tensor, b: Tensor) -> Tensor:
    both = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    common = both.prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return common / (areas - common)


def boxer() -> Program:
    data, module = ablations.drawn(2000, 20), Boxer()
    middle, radius = data.place[:, :2], data.place[:, 2:]
    boxes = torch.cat([middle - radius, middle + radius], 1)
    rows = [{"image": x, "box": box} for x, box in zip(data.x, boxes, strict=True)]
    train: DataLoader[Any] = DataLoader(rows[:1500], 30, shuffle=True)  # type: ignore[arg-type]
    test: DataLoader[Any] = DataLoader(rows[1500:], 125)  # type: ignore[arg-type]
    return Program(
        module, train, test, 13,
        lambda: box_overlap(outputs(module, data.x[1500:]), boxes[1500:]).mean().item(),
    )  # fmt: skip


class Sisters(LightningModule):
    """Codes of two digits, near if they are the same and a margin apart if not."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.code = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
            nn.Linear(192, 16),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.code(x)
        return found

    def contrast(self, batch: list[Tensor]) -> Tensor:
        a, b, same = batch
        square = (self(a) - self(b)).square().sum(1)
        apart = (self.margin - (square + 1e-6).sqrt()).clamp(min=0).square()
        return (same * square + (1 - same) * apart).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.contrast(batch)
        self.log("pair_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("pair_loss_val", self.contrast(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3)


def sisters() -> Program:
    """Scored by the nearest known code's digit."""
    data, module = digit_images(), Sisters()

    def pairs(x: Tensor, y: Tensor, count: int) -> TensorDataset:
        draw = torch.Generator().manual_seed(930)
        a = torch.randint(len(x), (count,), generator=draw)
        b = torch.randint(len(x), (count,), generator=draw)
        rank = torch.argsort(y, stable=True)
        near = rank[(torch.argsort(rank)[a] + 1 + b % 40) % len(x)]
        b = torch.where(torch.rand(count, generator=draw) < 0.5, near, b)
        return TensorDataset(x[a], x[b], (y[a] == y[b]).float())

    train = DataLoader(pairs(data.x, data.y, 4000), batch_size=64, shuffle=True)
    test = DataLoader(pairs(data.x_test, data.y_test, 800), batch_size=400)

    def score() -> float:
        known, other = outputs(module, data.x), outputs(module, data.x_test)
        nearest = torch.cdist(other, known).argmin(1)
        return (data.y[nearest] == data.y_test).float().mean().item()

    return Program(module, train, test, 10, score)


class Experts(LightningModule):
    """Four experts weighed by a gate, which is asked to use them alike."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.gate = nn.Linear(20, count)
        self.experts = nn.ModuleList(perceptron(20, 32, 6, 0.2) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x).softmax(1)
        said = torch.stack([expert(x) for expert in self.experts], 1)
        return (gate[..., None] * said).sum(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        use = self.gate(batch[0]).softmax(1).mean(0)
        balance = len(use) * use.square().sum() - 1
        ce = F.cross_entropy(self(batch[0]), batch[1])
        self.log_dict({"moe/ce": ce, "moe/balance": balance})
        return ce + 0.1 * balance

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("moe/val_ce", F.cross_entropy(logits, batch[1]))
        self.log("moe/val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)


def experts() -> Program:
    data, module = ablations.mixtures(), Experts()
    return Program(module, *loaders(data, 60), 12, partial(accuracy, module, data))


class Sloppy(LightningModule):
    """A tenth of the arms' labels is drawn by chance; many units, half of them dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = perceptron(2, 200, 5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("training_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("validation_loss", F.cross_entropy(logits, batch[1]))
        self.log("validation_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25)]


def sloppy() -> Program:
    data, module = ablations.pinwheel(), Sloppy()
    draw = torch.Generator().manual_seed(931)
    guess = torch.randint(5, data.y.shape, generator=draw)
    slip = torch.rand(len(data.y), generator=draw) < 0.1
    noisy = data._replace(y=torch.where(slip, guess, data.y))
    return Program(module, *loaders(noisy, 50), 25, partial(accuracy, module, data))


class Few(LightningModule):
    """Ninety rows, few units and much decay."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.top = nn.Linear(12, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.top(F.gelu(self.hidden(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("ce_val", F.cross_entropy(logits, batch[1]))
        self.log("hits_val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=0.03)


def few() -> Program:
    data, module = ablations.few(), Few()
    return Program(module, *loaders(data, 30), 60, partial(accuracy, module, data))


class Shaken(LightningModule):
    """Digits moved, dimmed, hidden in part and noisy each time that they are seen."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(192, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def shake(self, x: Tensor) -> Tensor:
        n = len(x)
        matrix = torch.eye(2, 3).repeat(n, 1, 1) + 0.15 * torch.randn(n, 2, 3)
        grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False) * (0.6 + 0.6 * torch.rand(n, 1, 1, 1))
        seen = (torch.rand(n, 1, 4, 4) > 0.12).float()
        x = x * seen.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return x + 0.1 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(self.shake(batch[0])), batch[1])
        self.log("aug_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("clean_loss", F.cross_entropy(logits, batch[1]))
        self.log("clean_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def shaken() -> Program:
    data, module = digit_images(), Shaken()
    return Program(module, *loaders(data, 36), 14, partial(accuracy, module, data))


CASES = (
    Case("beats-two-views-against-all", Goal("accuracy", at_least=0.65), views),
    Case("corner-walks-replayed", Goal("reached", at_least=0.9), walker),
    Case("uneven-curve-three-levels", Goal("share off", at_most=0.08), bands),
    Case("visits-rates-as-products", Goal("deviance", at_least=0.35), counter),
    Case("lives-in-order-of-failure", Goal("concordance", at_least=0.68), hazards),
    Case("ranks-one-amount-four-bounds", Goal("levels off", at_most=0.6), stairs),
    Case("marks-eight-labels-rare-ones-weighed", Goal("F1", at_least=0.65), rare),
    Case("glyphs-outlined-in-noise", Goal("overlap", at_least=0.7), outliner),
    Case("glyphs-boxed", Goal("overlap", at_least=0.65), boxer),
    Case("digit-images-same-or-not", Goal("accuracy", at_least=0.93), sisters),
    Case("mixtures-four-balanced-experts", Goal("accuracy", at_least=0.8), experts),
    Case("pinwheel-a-tenth-by-chance", Goal("accuracy", at_least=0.9), sloppy),
    Case("three-mixtures-ninety-rows-small-net", Goal("accuracy", at_least=0.75), few),
    Case("digit-images-shaken-hard", Goal("accuracy", at_least=0.93), shaken),
)  # fmt: skip
