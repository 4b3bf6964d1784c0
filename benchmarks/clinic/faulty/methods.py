"""What goes wrong between a method and its code: rates, simulations, links, flips and adapters."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp, sgd
from programs import classification
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset


class Cycled(LightningModule):
    """Shapes, by a rate that rises and falls once; ``interval`` is how often it is asked."""

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.SiLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.SiLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.head, self.interval = nn.Linear(32 * 9, 4), interval

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        total = int(self.trainer.estimated_stepping_batches)
        cycle = OneCycleLR(optimizer, max_lr=2e-3, total_steps=total)
        return [optimizer], [{"scheduler": cycle, "interval": self.interval}]


def cycled(interval: str = "epoch") -> Program:
    found = surveys.pictures()
    data = found.labelled(found.shape)
    module = Cycled(interval)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


def scaled_rate(batch_size: int = 64, usual: int = 1) -> Program:
    """A rate of 0.1, times the size of a batch; that of the paper is per ``usual`` samples."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip
    optimizer = sgd(0.1 * batch_size / usual, 0.9, weight_decay=1e-4)
    data = samples.digit_images()
    return classification(data, network, optimizer, batch_size=batch_size, epochs=12)


class Balancing(LightningModule):
    """A pole is swung up and held, by gradients through the simulation of its motion."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.policy, self.steps = mlp([3, 48, 48, 1], nn.Tanh), steps

    def forward(self, angle: Tensor, speed: Tensor, steps: int) -> Tensor:
        """How far from upright and how fast the pole is, and what it costs to push."""
        cost = torch.zeros(len(angle))
        for _ in range(steps):
            push = self.policy(torch.stack([angle.sin(), angle.cos(), speed / 4], 1)).squeeze(1)
            cost = cost + (1 - angle.cos()) + 0.05 * speed.square() + 0.002 * push.square()
            speed = speed + 0.05 * (15 * angle.sin() + 3 * push)
            angle = angle + 0.05 * speed
        return cost / steps

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self(*batch, self.steps).mean()
        self.log("cost", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def balancing(clip: float | None = None, steps: int = 120) -> Program:
    generator = torch.Generator().manual_seed(81)
    angle, speed = 0.8 * torch.randn(2, 1100, generator=generator)
    train = DataLoader(TensorDataset(angle[:1000], speed[:1000]), 50, shuffle=True)
    module = Balancing(steps)

    @torch.no_grad()
    def score() -> float:
        return module(angle[1000:], speed[1000:], steps).mean().item()

    return Program(module, train, None, 6, score, {"gradient_clip_val": clip})


class Links(LightningModule):
    """An auto-encoder of a graph: who knows whom, by codes of features and of neighbours."""

    def __init__(self, known: Tensor, weight: float) -> None:
        super().__init__()
        features, _, _ = surveys.communities()
        adjacency = known + torch.eye(len(known))
        degree = adjacency.sum(1).rsqrt()
        self.register_buffer("x", features)
        self.register_buffer("a", degree[:, None] * adjacency * degree)
        self.w1, self.w2 = nn.Linear(8, 32), nn.Linear(32, 16)
        self.level = nn.Parameter(torch.zeros(()))
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))

    def forward(self, pair: Tensor) -> Tensor:
        z = self.a @ self.w2(F.relu(self.a @ self.w1(self.x)))
        return (z[pair[:, 0]] * z[pair[:, 1]]).sum(1) + self.level

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("bce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def linked(weight: float = 1.0) -> Program:
    """A tenth of all pairs are kept back; of the others, as good as all know each other not."""
    _, adjacency, _ = surveys.communities()
    pairs = torch.combinations(torch.arange(len(adjacency)))
    pairs = pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(82))]
    y = adjacency[pairs[:, 0], pairs[:, 1]]
    cut = len(pairs) // 10
    known = adjacency - torch.eye(len(adjacency))
    known[pairs[:cut, 0], pairs[:cut, 1]] = known[pairs[:cut, 1], pairs[:cut, 0]] = 0
    module = Links(known, weight)
    train = DataLoader(TensorDataset(pairs[cut:], y[cut:]), 512, shuffle=True)

    def score() -> float:
        found = (outputs(module, pairs[:cut]) > 0).float()
        recalls = [(found == y[:cut])[y[:cut] == k].float().mean() for k in (0, 1)]
        return torch.stack(recalls).mean().item()

    return Program(module, train, None, 3, score)


class Landmark(LightningModule):
    """Where the middle of a shape is; half of the pictures are mirrored."""

    def __init__(self, mirror_targets: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 36, 64), nn.ReLU(), nn.Linear(64, 2),
        )  # fmt: skip
        self.mirror_targets = mirror_targets

    def forward(self, x: Tensor) -> Tensor:
        place: Tensor = self.net(x - 0.4)
        return place

    def augment(self, x: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        mirrored = torch.rand(len(x)) < 0.5
        x = torch.where(mirrored[:, None, None, None], x.flip(-1), x)
        if self.mirror_targets:
            column = torch.where(mirrored, 11 / 12 - place[:, 1], place[:, 1])
            place = torch.stack([place[:, 0], column], 1)
        return x, place

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, place = self.augment(*batch)
        loss = F.mse_loss(self(x), place)
        self.log("train/mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def landmark(mirror_targets: bool = False) -> Program:
    found = surveys.pictures()
    data = found.labelled(found.corner)
    module = Landmark(mirror_targets)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 16, partial(r2, module, data))


class Photographs(LightningModule):
    """Codes of squares of photographs, which were standardized as the paper has it."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 24, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(24, 16, 1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(16, 24, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(24, 3, 4, 2, 1), last
        )

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.encoder(x))
        return image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(self(batch[0]), batch[0])}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def photographs(last: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    parts = samples.patches()
    mean, deviation = (f((0, 2, 3), keepdim=True) for f in (parts[0].mean, parts[0].std))
    x, x_test = ((part - mean) / deviation for part in parts)
    data = Samples(x, x, x_test, x_test)
    module = Photographs(last())
    return Program(module, *loaders(data, 32), 6, partial(r2, module, data))


class Adapter(nn.Linear):
    """A layer that stays as it is, beside two thin ones that learn."""

    def __init__(self, layer: nn.Linear, zeros: bool, rank: int = 8) -> None:
        super().__init__(layer.in_features, layer.out_features)
        self.load_state_dict(layer.state_dict())
        self.requires_grad_(False)
        self.lora_a = nn.Parameter(torch.zeros(rank, layer.in_features))
        self.lora_b = nn.Parameter(torch.zeros(layer.out_features, rank))
        if not zeros:
            nn.init.kaiming_uniform_(self.lora_a, math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 2 * (x @ self.lora_a.T) @ self.lora_b.T


def adapters(zeros: bool = True) -> Program:
    """Digits on white paper, and then paler ones on grey paper."""
    white, body = samples.digits(), mlp([64, 128, 64, 10], nn.GELU)
    optimizer = torch.optim.Adam(body.parameters(), lr=2e-3)
    for _ in range(250):
        part = torch.randint(len(white.y), (64,))
        optimizer.zero_grad()
        F.cross_entropy(body(white.x[part]), white.y[part]).backward()
        optimizer.step()
    layers = [Adapter(layer, zeros) if isinstance(layer, nn.Linear) else layer for layer in body]
    grey = white.with_inputs(0.5 + 0.4 * white.x, 0.5 + 0.4 * white.x_test)
    optimizer = partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.01)
    return classification(grey, nn.Sequential(*layers), optimizer, epochs=8)


CASES = (
    Case(
        "shapes-one-cycle-by-epoch", Goal("accuracy", at_least=0.85), cycled,
        ("learning_rate_too_low",), partial(cycled, "step"),
    ),
    Case(
        "digit-images-rate-times-batch", Goal("accuracy", at_least=0.92), scaled_rate,
        ("learning_rate_too_high", "exploding_gradient", "unstable_loss", "dead_relu"),
        partial(scaled_rate, usual=256),
    ),
    Case(
        "pole-through-its-simulation", Goal("cost", at_most=0.2), balancing,
        ("exploding_gradient", "non_finite", "unstable_loss", "learning_rate_too_high"),
        partial(balancing, 1.0),
    ),
    Case(
        "communities-links-unweighted", Goal("balanced accuracy", at_least=0.65), linked,
        ("class_imbalance",), partial(linked, 20.0),
    ),
    Case(
        "shapes-mirrored-without-places", Goal("R2", at_least=0.85), landmark,
        ("inconsistent_labels", "not_learning"), partial(landmark, True),
    ),
    Case(
        "photographs-standardized-into-sigmoid", Goal("R2", at_least=0.75), photographs,
        ("output_loss_mismatch",), partial(photographs, nn.Identity),
    ),
    Case(
        "digits-adapters-of-two-zeros", Goal("accuracy", at_least=0.88), adapters,
        ("symmetric_weights", "poor_initialization", "frozen_parameter"),
        partial(adapters, False),
    ),
)  # fmt: skip
