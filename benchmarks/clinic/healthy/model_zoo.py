"""Pull requests to a zoo of small models that are in order, if unusual: pictures and pairs."""

import math
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import model_zoo
from data_sets.model_zoo import Scenes
from data_sets.samples import Samples, clusters, digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

Batch = list[Tensor]


def kinds(noise: float = 0.3) -> Samples:
    data = model_zoo.scenes(noise=noise)
    train, test = data.part(slice(1000)), data.part(slice(1000, None))
    return Samples(train.image, train.kind, test.image, test.kind)


class WarmedViT(LightningModule):
    """Warm-up over a third of the steps, a cosine after that; layers that begin at almost none."""

    def __init__(self, steps: int, width: int = 32) -> None:
        super().__init__()
        self.steps = steps
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.place = nn.Parameter(0.02 * torch.randn(1, 16, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.attention = nn.ModuleList(
            nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2)
        )
        self.dense = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.scale = nn.Parameter(torch.full((4, width), 0.1))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image).flatten(2).mT + self.place
        for i, (attention, dense) in enumerate(zip(self.attention, self.dense, strict=True)):
            y = self.norms[2 * i](x)
            x = x + self.scale[2 * i] * attention(y, y, y, need_weights=False)[0]
            x = x + self.scale[2 * i + 1] * dense(self.norms[2 * i + 1](x))
        logits: Tensor = self.head(x.mean(1))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        warm = self.steps // 3

        def share(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (self.steps - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warmed_vit() -> Program:
    data = digit_images()
    module = WarmedViT(13 * 40)
    options = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 13, partial(accuracy, module, data), options)


class Transferred(LightningModule):
    """A network that knows the digits up to four, frozen; a head learns all ten."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(32 * 4, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, image: Tensor) -> Tensor:
        self.backbone.eval()
        logits: Tensor = self.head(self.backbone(image))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("probe", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("probe_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=2e-3)


def transferred() -> Program:
    data = digit_images()
    backbone = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
    )  # fmt: skip
    first = nn.Sequential(backbone, nn.Linear(32 * 4, 5))
    optimizer = torch.optim.Adam(first.parameters(), lr=2e-3)
    x, y = data.x[data.y < 5], data.y[data.y < 5]
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(first(x[rows]), y[rows]).backward()
            optimizer.step()
    module = Transferred(backbone)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class MixedUp(LightningModule):
    """Mixed by two, shifted, and with a square cut out: the training's loss stays high."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3, padding=1, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 48, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(48 * 4, 10),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.net(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        right, down = torch.randint(-1, 2, (2,)).tolist()
        image = image.roll((down, right), (2, 3))
        top, left = torch.randint(0, 7, (2,)).tolist()
        image[..., top : top + 2, left : left + 2] = 0.0
        share = torch.distributions.Beta(0.4, 0.4).sample().item()
        other = torch.randperm(len(image))
        logits = self(share * image + (1 - share) * image[other])
        loss = share * F.cross_entropy(logits, digit)
        loss = loss + (1 - share) * F.cross_entropy(logits, digit[other])
        self.log("mixed_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("ce", F.cross_entropy(logits, batch[1]))
        self.log("top1", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def mixed_up() -> Program:
    data = digit_images()
    module = MixedUp()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class GroupNormed(LightningModule):
    """Two pictures a step, which is no matter for norms of groups."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1),
                nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1),
            )
            for _ in range(2)
        )  # fmt: skip
        self.head = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for block in self.blocks:
            x = F.max_pool2d(x + block(x), 2)
        logits: Tensor = self.head(x.amax((2, 3)))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("two_at_a_time", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=5e-3, momentum=0.9)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 900)
        return [optimizer], [{"scheduler": cosine, "interval": "step"}]


def group_normed() -> Program:
    data = kinds(noise=0.15)
    module = GroupNormed()
    options = {"limit_train_batches": 450}
    return Program(module, loaders(data, 2)[0], None, 2, partial(accuracy, module, data), options)


class CosineFaces(LightningModule):
    """Two hundred identities; the cosine to each one's weight, times sixteen, less a margin."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(32, 128), nn.PReLU(), nn.Linear(128, 48))
        self.weight = nn.Parameter(torch.randn(200, 48))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.normalize(self.embed(x)), F.normalize(self.weight))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, who = batch
        cosine = self(x) - 0.1 * F.one_hot(who, 200)
        loss = F.cross_entropy(16 * cosine, who)
        self.log("cosface", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        cosine = self(batch[0])
        self.log("cosface_val", F.cross_entropy(16 * cosine, batch[1]))
        self.log("rank1", (cosine.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def cosine_faces() -> Program:
    data = clusters(200)
    module = CosineFaces()
    return Program(module, *loaders(data, 64), 14, partial(accuracy, module, data))


class Contrasted(LightningModule):
    """Two views of each digit belong together, among 128 others; no label is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(48 * 4, 64),
        )  # fmt: skip
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(64, 32))

    def forward(self, image: Tensor) -> Tensor:
        embedding: Tensor = self.encoder(image)
        return embedding

    def view(self, image: Tensor) -> Tensor:
        shifts = torch.randint(-1, 2, (2,)).tolist()
        noisy = image.roll(tuple(shifts), (2, 3)) + 0.15 * torch.randn_like(image)
        return noisy * (torch.rand_like(image) < 0.8)

    def nt_xent(self, image: Tensor) -> Tensor:
        both = torch.cat([self.view(image), self.view(image)])
        z = F.normalize(self.project(self(both)))
        alike = (z @ z.T / 0.2).fill_diagonal_(-1e9)
        partner = torch.arange(len(z)).roll(len(image))
        return F.cross_entropy(alike, partner)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.nt_xent(batch[0])
        self.log("nt_xent", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def contrasted() -> Program:
    data = digit_images()
    module = Contrasted()
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True, drop_last=True)

    def score() -> float:
        near = KNeighborsClassifier(5).fit(outputs(module, data.x), data.y)
        return float(near.score(outputs(module, data.x_test), data.y_test))

    return Program(module, train, None, 16, score)


class Averaged(LightningModule):
    """A wild rate; what counts is a slow average of the weights, in a copy of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 24, 5, padding=2), nn.GELU(), nn.Conv1d(24, 24, 5, stride=2), nn.GELU(),
            nn.Conv1d(24, 24, 5, stride=2), nn.GELU(), nn.Flatten(), nn.LazyLinear(1),
        )  # fmt: skip
        self.net(torch.zeros(1, 3, 24))
        self.slow = deepcopy(self.net).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        ahead: Tensor = (self.net if self.training else self.slow)(x.mT)
        return ahead.squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        keep = min(0.98, (1 + self.global_step) / (10 + self.global_step))
        for slow, fast in zip(self.slow.parameters(), self.net.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("ema_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.net.parameters(), lr=3e-3)


def averaged() -> Program:
    data = model_zoo.sensors()
    module = Averaged()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Focused(LightningModule):
    """Focal loss, and scratched pieces drawn a little more often than they are met."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.LeakyReLU(0.1), nn.AdaptiveMaxPool2d(2),
            nn.Flatten(), nn.Linear(96, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        logit: Tensor = self.net(image)
        return logit[:, 0]

    def focal(self, batch: Batch) -> Tensor:
        image, y = batch
        loss = F.binary_cross_entropy_with_logits(self(image), y.float(), reduction="none")
        return ((1 - (-loss).exp()) ** 2 * loss).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.focal(batch)
        self.log("focal", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("focal_val", self.focal(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def focused() -> Program:
    data = model_zoo.surfaces()
    weights = torch.where(data.y > 0, 0.3 / data.y.sum(), 0.7 / (1 - data.y).sum())
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), 40, sampler=sampler)
    module = Focused()
    score = partial(balanced_accuracy, module, data)
    return Program(module, train, loaders(data, 40)[1], 14, score)


@dataclass
class Seen:
    """A batch of scenes."""

    image: Tensor
    kind: Tensor
    place: Tensor
    radius: Tensor


class ThreeTasks(LightningModule):
    """What, where and how big, weighed by uncertainties that are learned: losses below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.kind, self.place = nn.Linear(32, 4), nn.Linear(32 * 64, 2)
        self.radius = nn.Linear(64, 1)
        self.log_variance = nn.Parameter(torch.zeros(3))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.trunk(image)
        most, mean = x.amax((2, 3)), x.mean((2, 3))
        radius = self.radius(torch.cat([most, mean], 1)).squeeze(1)
        return self.kind(most), self.place(x.flatten(1)), radius

    def losses(self, batch: Seen) -> Tensor:
        kind, place, radius = self(batch.image)
        return torch.stack(
            [
                F.cross_entropy(kind, batch.kind), F.mse_loss(place, batch.place),
                F.mse_loss(radius, batch.radius),
            ]
        )  # fmt: skip

    def weighed(self, batch: Seen) -> Tensor:
        return (self.losses(batch) * (-self.log_variance).exp() + self.log_variance / 2).sum()

    def training_step(self, batch: Seen, batch_idx: int) -> Tensor:
        loss = self.weighed(batch)
        self.log("weighed", loss, batch_size=len(batch.kind))
        return loss

    def validation_step(self, batch: Seen, batch_idx: int) -> None:
        self.log("weighed_val", self.weighed(batch), batch_size=len(batch.kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def together(rows: list[Batch]) -> Seen:
    return Seen(*(torch.stack(column) for column in zip(*rows, strict=True)))


def three_tasks() -> Program:
    data: Scenes = model_zoo.scenes(noise=0.15)
    both = []
    for rows in (slice(1000), slice(1000, None)):
        part = data.part(rows)
        table = TensorDataset(part.image, part.kind, part.place, part.radius)
        both.append(DataLoader(table, 40, shuffle=not both, collate_fn=together))
    module = ThreeTasks()
    test = data.part(slice(1000, None))

    @torch.no_grad()
    def score() -> float:
        kind, place, _ = module.eval()(test.image)
        right = (kind.argmax(1) == test.kind) & ((place - test.place).abs().amax(1) < 0.3)
        return right.float().mean().item()

    return Program(module, *both, 20, score)


CASES = (
    Case("model-zoo-vit-long-warm-up", Goal("accuracy", at_least=0.9), warmed_vit),
    Case("model-zoo-frozen-digits", Goal("accuracy", at_least=0.93), transferred),
    Case("model-zoo-mixed-and-cut-digits", Goal("accuracy", at_least=0.94), mixed_up),
    Case("model-zoo-group-norms-of-two", Goal("accuracy", at_least=0.87), group_normed),
    Case("model-zoo-two-hundred-cosines", Goal("rank 1", at_least=0.95), cosine_faces),
    Case("model-zoo-contrasted-digits", Goal("5-NN accuracy", at_least=0.9), contrasted),
    Case("model-zoo-average-that-forecasts", Goal("R2", at_least=0.9), averaged),
    Case("model-zoo-focal-scratches", Goal("balanced accuracy", at_least=0.85), focused),
    Case("model-zoo-three-uncertain-tasks", Goal("right", at_least=0.7), three_tasks),
)
