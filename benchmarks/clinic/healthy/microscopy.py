"""Pictures of cells and tiles: counted, averaged, accumulated, cleaned, turned and coloured."""

from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import wards
from data_sets.samples import Samples, loaders, patches
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Counter(LightningModule):
    """A map of densities whose sum is the number of cells (CSRNet in small)."""

    def __init__(self, scale: float = 50.0) -> None:
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=2, dilation=2),
            nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        density: Tensor = self.layers(x) / self.scale
        return density

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, density, _ = batch
        loss = self.scale**2 * F.mse_loss(self(x), density)
        self.log("map", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, _, number = batch
        self.log("val_cells_off", (self(x).sum((1, 2, 3)) - number).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)]


def counter() -> Program:
    everything = wards.fields()
    train, test = (TensorDataset(*(t[a:b] for t in everything)) for a, b in ((0, 500), (500, 700)))
    module = Counter()
    both = DataLoader(train, 16, shuffle=True), DataLoader(test, 100)

    def score() -> float:
        x, _, number = test.tensors
        return (outputs(module, x).sum((1, 2, 3)) - number).abs().mean().item()

    return Program(module, *both, 14, score)


def turned(x: Tensor) -> Tensor:
    """Quarter turns and mirrorings, drawn for the batch."""
    x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
    return x.flip(3) if torch.rand(()) < 0.5 else x


class Smear(LightningModule):
    """What smears are told by: small, GroupNorm, turned as a microscope's slide may be."""

    def __init__(self, width: int = 16, lr: float = 3e-3) -> None:
        super().__init__()
        self.lr = lr
        blocks: list[nn.Module] = []
        for before, after in ((3, width), (width, width), (width, 2 * width)):
            blocks += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(4, after)]
            blocks += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(8 * width, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features((x - 0.7) / 0.25).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(turned(x)), y)
        self.log("train/xent", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val/xent", F.cross_entropy(logits, y))
        self.log("val/top1", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        return [optimizer], [schedule]


def accumulated() -> Program:
    data = wards.smears()
    module = Smear()
    return Program(
        module, *loaders(data, 4), 10, partial(accuracy, module, data),
        {"accumulate_grad_batches": 8},
    )  # fmt: skip


class Averaged(Smear):
    """Validated by the moving average of its weights, which is what is kept."""

    def __init__(self, decay: float = 0.98) -> None:
        super().__init__(12)
        self.decay = decay
        self.averages = nn.ModuleList([deepcopy(self.features), deepcopy(self.classifier)])
        self.averages.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        features, classifier = self.averages
        logits: Tensor = classifier(features((x - 0.7) / 0.25).flatten(1))
        return logits

    def on_train_batch_end(self, *_: Any) -> None:
        own = [*self.features.parameters(), *self.classifier.parameters()]
        for mean, value in zip(self.averages.parameters(), own, strict=True):
            mean.data.lerp_(value.data, 1 - self.decay)

    def configure_optimizers(self) -> Any:
        trained = (p for p in self.parameters() if p.requires_grad)
        return torch.optim.AdamW(trained, lr=3e-3, weight_decay=0.05)


def averaged() -> Program:
    data = wards.smears()
    module = Averaged()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Cleaner(LightningModule):
    """Tells the noise, not the picture (DnCNN); each picture has as much as is drawn for it."""

    def __init__(self, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)]
            layers += [nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, noisy: Tensor) -> Tensor:
        noise: Tensor = self.net(noisy)
        return noise

    def residual(self, clean: Tensor) -> Tensor:
        level = 0.05 + 0.15 * torch.rand(len(clean), 1, 1, 1)
        noise = level * torch.randn_like(clean)
        return F.mse_loss(self(clean + noise), noise)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.residual(batch[0])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("psnr", -10 * self.residual(batch[0]).log10(), batch_size=len(batch[0]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 6], 0.3)]


def tiles(batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    train, test = patches()
    return (
        DataLoader(TensorDataset(train), batch_size, shuffle=True),
        DataLoader(TensorDataset(test[:300]), 150),
    )


def cleaner() -> Program:
    module = Cleaner()

    def score() -> float:
        clean = patches()[1][300:]
        noise = 0.12 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        return (F.mse_loss(outputs(module, clean + noise), noise) / noise.square().mean()).item()

    return Program(module, *tiles(24), 7, score)


class Colourist(LightningModule):
    """Blue and red less the light, of the light alone: much of it nobody can know."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.Mish(), nn.Conv2d(16, 32, 3, 2, 1))
        self.up = nn.Sequential(
            nn.Mish(), nn.ConvTranspose2d(32, 16, 2, 2), nn.Mish(), nn.ConvTranspose2d(16, 2, 2, 2)
        )

    def forward(self, light: Tensor) -> Tensor:
        chroma: Tensor = 0.2 * self.up(self.down(4 * (light - 0.5)))
        return chroma

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("l1", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_l1", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def light_and_colour() -> Samples:
    parts: list[Tensor] = []
    for x in patches():
        light = x.mean(1, keepdim=True)
        parts += [light, x[:, ::2] - light]
    return Samples(*parts)


def colourist() -> Program:
    data = light_and_colour()
    module = Colourist()

    def score() -> float:
        off = F.l1_loss(outputs(module, data.x_test), data.y_test)
        return (off / (data.y_test - data.y.mean((0, 2, 3), keepdim=True)).abs().mean()).item()

    return Program(module, *loaders(data, 32), 8, score)


CASES = (
    Case("fields-of-cells-counted-by-density", Goal("cells off", at_most=0.6), counter),
    Case("smears-fours-accumulated-to-thirty-two", Goal("accuracy", at_least=0.9), accumulated),
    Case("smears-kept-as-moving-average", Goal("accuracy", at_least=0.9), averaged),
    Case("tiles-noise-told-for-picture", Goal("share of noise left", at_most=0.35), cleaner),
    Case("tiles-coloured-one-cycle", Goal("share of colour missed", at_most=0.6), colourist),
)
