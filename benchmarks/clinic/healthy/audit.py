"""An acceptance test, written from the list of problems: pictures and codes, all well."""

import copy
import math
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import audit, samples
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def nearest(module: LightningModule, data: Samples) -> float:
    """Whether the nearest picture known is of the same class."""
    known, asked = outputs(module, data.x), outputs(module, data.x_test)
    return (data.y[torch.cdist(asked, known).argmin(1)] == data.y_test).float().mean().item()


class DigitVAE(LightningModule):
    """Sums over pixels and codes; what a code costs begins at nothing."""

    def __init__(self, code: int = 16) -> None:
        super().__init__()
        self.inward = nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 2 * code))
        self.outward = nn.Sequential(nn.Linear(code, 128), nn.Tanh(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> Tensor:
        return self.outward(self.inward(x).chunk(2, 1)[0]).sigmoid()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        mean, log_variance = self.inward(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        pixels = F.binary_cross_entropy_with_logits(self.outward(code), x, reduction="sum")
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        beta = 0.5 * min(1.0, self.global_step / 300)
        self.log_dict({"nelbo": (pixels + kl) / len(x), "kl": kl / len(x), "beta": beta})
        return (pixels + beta * kl) / len(x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def vae() -> Program:
    data = samples.digits()
    module = DigitVAE()
    train, _ = loaders(data, 32)
    pixels = data._replace(y=data.x, y_test=data.x_test)
    return Program(module, train, None, 20, partial(r2, module, pixels))


class Contrast(LightningModule):
    """Two spoilt views of a digit are to be alike, those of different ones not; no labels."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.project = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 24))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.trunk(x), dim=1)

    @staticmethod
    def spoilt(x: Tensor) -> Tensor:
        """Moved by a pixel, paler, noisy, and a corner missing."""
        moved = [x.roll((i, j), (2, 3)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        x = torch.stack(moved)[torch.randint(9, (len(x),)), torch.arange(len(x))]
        x = x * (0.6 + 0.8 * torch.rand(len(x), 1, 1, 1)) + 0.15 * torch.randn_like(x)
        i, j = torch.randint(6, (2, len(x), 1, 1))
        rows, columns = torch.arange(8)[:, None], torch.arange(8)
        hole = (rows >= i) & (rows < i + 3) & (columns >= j) & (columns < j + 3)
        return x.masked_fill(hole[:, None], 0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        views = torch.cat([self.spoilt(x), self.spoilt(x)])
        z = F.normalize(self.project(self.trunk(views)), dim=1)
        likeness = (z @ z.T / self.temperature).fill_diagonal_(-math.inf)
        other = torch.arange(len(z)).roll(len(x))
        loss = F.cross_entropy(likeness, other)
        self.log("nt_xent", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def contrast() -> Program:
    data = samples.digit_images()
    module = Contrast()
    train = DataLoader(TensorDataset(data.x), 128, shuffle=True, drop_last=True)
    return Program(module, train, None, 14, partial(nearest, module, data))


class HardTriplets(LightningModule):
    """The farthest of its class against the nearest of another, as far as log(1 + exp) goes."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(), nn.Linear(128, 16))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        z = self(x)
        squares = (z[:, None] - z).square().sum(-1)
        distance = squares.clamp(min=1e-9).sqrt()
        same = y[:, None] == y
        far = distance.masked_fill(~same, 0).amax(1)
        near = distance.masked_fill(same, math.inf).amin(1)
        loss = F.softplus(far - near).mean()
        self.log("triplet", loss)
        self.log("gap", (near - far).mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def triplets() -> Program:
    data = samples.digits()
    module = HardTriplets()
    train, _ = loaders(data, 48)
    return Program(module, train, None, 14, partial(nearest, module, data))


class ArcFaces(LightningModule):
    """Two hundred people, few pictures of each; their own angle is made half a radian wider."""

    def __init__(self, people: int = 200, scale: float = 16.0, margin: float = 0.3) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.embed = nn.Sequential(
            nn.Linear(48, 160), nn.BatchNorm1d(160), nn.PReLU(), nn.Linear(160, 64)
        )
        self.people = nn.Parameter(0.1 * torch.randn(people, 64))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.embed(x), dim=1) @ F.normalize(self.people, dim=1).T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, person = batch
        cosine = self(x).clamp(-0.999, 0.999)
        own = F.one_hot(person, cosine.shape[1]).bool()
        wider = torch.where(own, (cosine.acos() + self.margin).cos(), cosine)
        loss = F.cross_entropy(self.scale * wider, person)
        self.log("arc", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("rank1", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


def faces() -> Program:
    data = samples.clusters(200, 16, 48)
    module = ArcFaces()
    return Program(module, *loaders(data, 64), 16, partial(accuracy, module, data))


class MeanTeacher(LightningModule):
    """A hundred digits have labels; the mean of past weights teaches about the others."""

    def __init__(self) -> None:
        super().__init__()
        self.student = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 64), nn.ReLU(),
            nn.Linear(64, 10),
        )  # fmt: skip
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.teacher(x)  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, list[Tensor]], batch_idx: int) -> Tensor:
        x, y = batch["labelled"]
        (free,) = batch["free"]
        supervised = F.cross_entropy(self.student(x + 0.1 * torch.randn_like(x)), y)
        told = self.teacher(free + 0.1 * torch.randn_like(free)).softmax(1)
        guess = self.student(free + 0.1 * torch.randn_like(free)).softmax(1)
        agreement = F.mse_loss(guess, told)
        weight = 20 * min(1.0, self.global_step / 200)
        self.log_dict({"supervised": supervised, "agreement": agreement})
        return supervised + weight * agreement

    def on_train_batch_end(self, *_: Any) -> None:
        with torch.no_grad():
            for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                old.lerp_(new, 0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=2e-3)


def mean_teacher() -> Program:
    data = samples.digits()
    module = MeanTeacher()
    labelled = TensorDataset(data.x[:100], data.y[:100])
    train = {
        "labelled": DataLoader(labelled, 20, shuffle=True),
        "free": DataLoader(TensorDataset(data.x), 64, shuffle=True),
    }
    return Program(module, train, None, 25, partial(accuracy, module, data))


class LowRank(nn.Module):
    """A layer that stays as it is, and a correction of rank four that begins at zero."""

    def __init__(self, layer: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(layer.in_features, rank) / layer.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(rank, layer.out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + 4 * x @ self.a @ self.b  # type: ignore[no-any-return]


class Adapted(LightningModule):
    """A network for digits learns digits that lie on their side; few weights may move."""

    def __init__(self, known: nn.Sequential) -> None:
        super().__init__()
        layers = [LowRank(part) if isinstance(part, nn.Linear) else part for part in known]
        self.net = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("adapt_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=3e-3)


def adapted() -> Program:
    data = samples.digits()
    known = nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10)
    )
    optimizer = torch.optim.Adam(known.parameters(), lr=3e-3)
    for _ in range(8):
        for rows in torch.randperm(len(data.x)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(known(data.x[rows]), data.y[rows]).backward()
            optimizer.step()
    turned, turned_test = (
        x.reshape(-1, 8, 8).rot90(1, (1, 2)).flatten(1) for x in (data.x, data.x_test)
    )
    module = Adapted(known)
    data = data.with_inputs(turned, turned_test)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class TinyUNet(LightningModule):
    """One cell per picture, a twentieth of its pixels: by the overlap alone."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.SiLU())
        self.low = nn.Sequential(nn.Conv2d(12, 24, 3, 2, 1), nn.GroupNorm(3, 24), nn.SiLU())
        self.lower = nn.Sequential(nn.Conv2d(24, 24, 3, padding=1), nn.GroupNorm(3, 24), nn.SiLU())
        self.out = nn.Conv2d(36, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(x)
        coarse = F.interpolate(self.lower(self.low(fine)), scale_factor=2.0)
        return self.out(torch.cat([fine, coarse], 1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        found = self(image).sigmoid().flatten(1)
        mask = mask.flatten(1)
        overlap = (2 * (found * mask).sum(1) + 1) / (found.sum(1) + mask.sum(1) + 1)
        loss = 1 - overlap.mean()
        self.log("dice_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def dice(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test) > 0
    both = (found & (data.y_test > 0)).sum()
    return (2 * both / (found.sum() + data.y_test.sum())).item()


def one_cell() -> Program:
    data = audit.cells(500, 24, 1)
    module = TinyUNet()
    train, _ = loaders(data, 8)
    return Program(module, train, None, 8, partial(dice, module, data))


class MixedShapes(LightningModule):
    """Pictures are mixed with others and have holes, so the training loss stays high."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Flatten(), nn.Linear(768, audit.CLASSES),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.cnn(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share = torch.distributions.Beta(0.8, 0.8).sample().item()
        order = torch.randperm(len(x))
        row, column = torch.randint(12, (2,)).tolist()
        mixed = share * x + (1 - share) * x[order]
        mixed[:, :, row : row + 4, column : column + 4] = 0
        logits = self(mixed)
        first = F.cross_entropy(logits, y, label_smoothing=0.1)
        second = F.cross_entropy(logits, y[order], label_smoothing=0.1)
        loss = share * first + (1 - share) * second
        self.log("mixed_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.03, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 6)]


def mixed_shapes() -> Program:
    data = audit.shapes()
    module = MixedShapes()
    return Program(module, *loaders(data, 64), 18, partial(accuracy, module, data))


class FewPatients(LightningModule):
    """Eighty patients, a wide network: six of ten units are left out at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(30, 200), nn.ReLU(), nn.Dropout(0.6),
            nn.Linear(200, 100), nn.ReLU(), nn.Dropout(0.6), nn.Linear(100, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, batch[1].float()))
        self.log("val_acc", ((logit > 0) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def benign(module: LightningModule, data: Samples) -> float:
    return ((outputs(module, data.x_test) > 0) == data.y_test).float().mean().item()


def few_patients() -> Program:
    data = standardized(samples.cancer()).first(80)
    module = FewPatients()
    return Program(module, *loaders(data, 16), 60, partial(benign, module, data))


class Experience(NamedTuple):
    """What came of a step in a field of five by five."""

    state: Tensor
    action: Tensor
    reward: Tensor
    after: Tensor
    over: Tensor


class Field(LightningModule):
    """What a step is worth, from the worth of the next: the target moves, so the loss grows."""

    def __init__(self, side: int = 5, discount: float = 0.9) -> None:
        super().__init__()
        self.side, self.discount = side, discount
        self.q = nn.Sequential(nn.Linear(side * side, 64), nn.ReLU(), nn.Linear(64, 4))
        self.old = copy.deepcopy(self.q).requires_grad_(False)

    def moved(self, cell: Tensor, action: Tensor) -> Tensor:
        row, column = cell // self.side, cell % self.side
        row = (row + (action == 0).long() - (action == 1).long()).clamp(0, self.side - 1)
        column = (column + (action == 2).long() - (action == 3).long()).clamp(0, self.side - 1)
        return row * self.side + column

    def forward(self, cell: Tensor) -> Tensor:
        return self.q(F.one_hot(cell, self.side**2).float())  # type: ignore[no-any-return]

    def training_step(self, batch: Experience, batch_idx: int) -> Tensor:
        if batch_idx % 40 == 0:
            self.old.load_state_dict(self.q.state_dict())
        best = self.old(F.one_hot(batch.after, self.side**2).float()).amax(1)
        target = batch.reward + self.discount * (1 - batch.over) * best
        worth = self(batch.state).gather(1, batch.action[:, None])[:, 0]
        loss = F.mse_loss(worth, target)
        self.log("td_error", loss)
        self.log("mean_q", worth.mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.q.parameters(), lr=2e-3)


def arrivals(module: Field) -> float:
    """Of the cells, from how many the best steps lead to the far corner, with none in vain."""
    module.eval()
    last = module.side**2 - 1
    cell = torch.arange(last)
    needed = 2 * (module.side - 1) - cell // module.side - cell % module.side
    arrived = torch.zeros(last, dtype=torch.bool)
    with torch.no_grad():
        for step in range(1, 2 * module.side):
            cell = torch.where(arrived, cell, module.moved(cell, module(cell).argmax(1)))
            arrived |= (cell == last) & (step <= needed)
    return arrived.float().mean().item()


def field() -> Program:
    module = Field()
    g = torch.Generator().manual_seed(3)
    last = module.side**2 - 1
    state, action = (
        torch.randint(last, (6400,), generator=g),
        torch.randint(4, (6400,), generator=g),
    )
    after = module.moved(state, action)
    over = (after == last).float()
    rows = [
        Experience(*parts)
        for parts in zip(state, action, 10 * over - 0.1, after, over, strict=True)
    ]
    train = DataLoader(rows, 64, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, None, 7, partial(arrivals, module))


CASES = (
    Case("audit-fine-vae-warm-up", Goal("R2", 0.75), vae),
    Case("audit-fine-contrast-spoilt-views", Goal("1-nn accuracy", 0.93), contrast),
    Case("audit-fine-hard-triplets", Goal("1-nn accuracy", 0.94), triplets),
    Case("audit-fine-two-hundred-faces", Goal("accuracy", 0.9), faces),
    Case("audit-fine-mean-teacher", Goal("accuracy", 0.82), mean_teacher),
    Case("audit-fine-low-rank-corrections", Goal("accuracy", 0.9), adapted),
    Case("audit-fine-one-cell-by-overlap", Goal("dice", 0.8), one_cell),
    Case("audit-fine-mixed-shapes", Goal("accuracy", 0.9), mixed_shapes),
    Case("audit-fine-few-patients", Goal("accuracy", 0.93), few_patients),
    Case("audit-fine-field-old-network", Goal("arrivals", 0.95), field),
)
