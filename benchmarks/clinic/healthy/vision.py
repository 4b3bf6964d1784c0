"""Networks that see, in the ways of papers: pictures of shapes, and what is on them."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def shapes() -> Samples:
    found = surveys.pictures()
    return found.labelled(found.shape)


def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)
    )


def convolutional(pool: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(
        block(3, 12), nn.MaxPool2d(2), block(12, 24), nn.MaxPool2d(2), block(24, 24),
        pool or nn.AdaptiveMaxPool2d(1), nn.Flatten(),
    )  # fmt: skip


def batch_norm() -> Program:
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.05)
    network = nn.Sequential(convolutional(), nn.Dropout(0.5), nn.Linear(24, 4))
    return classification(shapes(), network, optimizer, epochs=10)


def smoothed() -> Program:
    network = nn.Sequential(convolutional(), nn.Linear(24, 4))
    return classification(
        shapes(), network, adam(3e-3), epochs=10, trainer={"precision": "bf16-mixed"},
        criterion=nn.CrossEntropyLoss(label_smoothing=0.1),
    )  # fmt: skip


class Bottleneck(nn.Module):
    """A residual block that is normalized first, and starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return x + out


def warmed_cosine(optimizer: torch.optim.Optimizer, steps: int = 250) -> Any:
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=steps // 10)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - steps // 10)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [steps // 10])


def residual() -> Program:
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), Bottleneck(16), Bottleneck(16),
        nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip
    optimizer = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    return classification(shapes(), network, optimizer, epochs=10, scheduler=warmed_cosine)


class TinyUNet(LightningModule):
    """Down, up, and across; trained by cross-entropy and overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = block(3, 8), block(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.merge, self.head = block(16, 8), nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        top = self.down1(x)
        found: Tensor = self.merge(torch.cat([top, self.up(self.down2(F.max_pool2d(top, 2)))], 1))
        return self.head(found).squeeze(1)

    def objective(self, batch: list[Tensor]) -> Tensor:
        logits, mask = self(batch[0]), batch[1]
        p = logits.sigmoid()
        dice = 1 - (2 * (p * mask).sum((1, 2)) + 1) / ((p + mask).sum((1, 2)) + 1)
        return F.binary_cross_entropy_with_logits(logits, mask) + dice.mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.objective(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.objective(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def u_net() -> Program:
    found = surveys.pictures()
    data = found.labelled(found.mask)
    module = TinyUNet()
    return Program(module, *loaders(data, 32), 6, partial(overlap, module, data))


class ShapeAndPlace(LightningModule):
    """One body, two heads, two losses: what it is, and where."""

    def __init__(self) -> None:
        super().__init__()
        self.body = convolutional(nn.AdaptiveMaxPool2d(3))
        self.what, self.where = nn.Linear(216, 4), nn.Linear(216, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.what(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, shape, corner = batch
        found = self.body(x)
        named = F.cross_entropy(self.what(found), shape)
        placed = F.smooth_l1_loss(self.where(found), corner)
        self.log_dict({"train/what": named, "train/where": placed})
        return named + 10 * placed

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def two_tasks() -> Program:
    found = surveys.pictures()
    data = found.labelled(found.shape)
    module = ShapeAndPlace()
    table = TensorDataset(data.x, data.y, found.corner[: len(data.y)])
    train = DataLoader(table, 32, shuffle=True, drop_last=True)
    return Program(module, train, None, 10, partial(accuracy, module, data))


class Attributes(LightningModule):
    """Seven questions of yes and no about each picture."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(convolutional(), nn.Linear(24, 7))
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": self.loss(self(batch["pixels"]), batch["labels"])}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(self(batch["pixels"]), batch["labels"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.3)]


def attributes() -> Program:
    found = surveys.pictures()
    y = torch.cat([F.one_hot(found.shape, 4), F.one_hot(found.colour, 3)], 1).float()
    data = found.labelled(y)
    rows = [{"pixels": a, "labels": b} for a, b in zip(data.x, data.y, strict=True)]
    tests = [{"pixels": a, "labels": b} for a, b in zip(data.x_test, data.y_test, strict=True)]
    module = Attributes()

    def score() -> float:
        right = (outputs(module, data.x_test) > 0) == (data.y_test > 0.5)
        return right.float().mean().item()

    train = DataLoader(rows, 32, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, DataLoader(tests, 100), 10, score)  # type: ignore[arg-type]


class Paired(LightningModule):
    """Pictures and their captions, each in a tower of its own, brought together by contrast."""

    def __init__(self) -> None:
        super().__init__()
        self.eye = nn.Sequential(convolutional(), nn.Linear(24, 16))
        self.words = nn.EmbeddingBag(7, 16)
        self.project = nn.Linear(16, 16)
        self.temperature = nn.Parameter(torch.tensor(2.3))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.eye(x), dim=1)

    def caption(self, words: Tensor) -> Tensor:
        return F.normalize(self.project(self.words(words)), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        picture, words = batch
        logits = self.temperature.exp() * self(picture) @ self.caption(words).T
        # Equal captions in a batch are all right answers.
        same = (words[:, None] == words[None]).all(2).float()
        target = same / same.sum(1, keepdim=True)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        self.log("contrast", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def paired() -> Program:
    found = surveys.pictures()
    captions = torch.stack([found.shape, 4 + found.colour], 1)
    data = found.labelled(captions)
    module = Paired()
    train = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True, drop_last=True)
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4, 7))

    @torch.no_grad()
    def score() -> float:
        nearest = (outputs(module, data.x_test) @ module.caption(every).T).argmax(1)
        return (every[nearest] == data.y_test).all(1).float().mean().item()

    return Program(module, train, None, 16, score)


class Variational(LightningModule):
    """A convolutional auto-encoder with a prior."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 12, 4, 2, 1), nn.SiLU(), nn.Conv2d(12, 16, 4, 2, 1), nn.SiLU(),
            nn.Flatten(), nn.Linear(144, 24),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(12, 144), nn.SiLU(), nn.Unflatten(1, (16, 3, 3)),
            nn.ConvTranspose2d(16, 12, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(12, 3, 4, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(x).chunk(2, 1)[0])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        # Of pixels with a deviation of 0.15.
        fit = F.mse_loss(self.decoder(z), x, reduction="sum") / (2 * 0.15**2 * len(x))
        prior = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum() / len(x)
        self.log("elbo", -fit - prior)
        return fit + prior

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def variational() -> Program:
    data = shapes()
    module = Variational()
    train, _ = loaders(data, 32)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / data.x_test.var()).item()

    return Program(module, train, None, 20, score)


SHAPES = Goal("accuracy", at_least=0.8)
CASES = (
    Case("shapes-batch-norm", SHAPES, batch_norm),
    Case("shapes-smoothed-half-precision", SHAPES, smoothed),
    Case("shapes-residual-warm-cosine", SHAPES, residual),
    Case("masks-u-net", Goal("intersection over union", at_least=0.75), u_net),
    Case("shapes-what-and-where", SHAPES, two_tasks),
    Case("shapes-many-attributes", Goal("accuracy", at_least=0.9), attributes),
    Case("shapes-and-captions", Goal("accuracy", at_least=0.75), paired),
    Case("shapes-variational", Goal("R2", at_least=0.5), variational),
)
