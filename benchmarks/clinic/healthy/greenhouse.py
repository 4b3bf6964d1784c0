"""Greenhouse programs as they should be: masks, strains, contours, fruits and afternoons."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import greenhouse
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def stage(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(4, after),
        nn.LeakyReLU(0.1, inplace=True),
    )  # fmt: skip


class SpotUNet(LightningModule):
    """Two steps down and up with skips; cross-entropy plus Dice, few pixels being sick."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = stage(3, 8), stage(8, 16), stage(16, 32)
        self.up2, self.up1 = stage(48, 16), stage(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down1(image)
        second = self.down2(F.max_pool2d(first, 2))
        deep = F.interpolate(self.bottom(F.max_pool2d(second, 2)), scale_factor=2)
        deep = F.interpolate(self.up2(torch.cat([deep, second], 1)), scale_factor=2)
        logits: Tensor = self.out(self.up1(torch.cat([deep, first], 1)))
        return logits[:, 0]

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits, mask = self(batch["image"]), batch["mask"]
        entropy = F.binary_cross_entropy_with_logits(logits, mask)
        found = logits.sigmoid()
        dice = 1 - (2 * (found * mask).sum() + 1) / (found.sum() + mask.sum() + 1)
        self.log_dict({f"{stage}_bce": entropy, f"{stage}_dice_loss": dice})
        loss: Tensor = entropy + dice
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.shared_step(batch, "val"), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def spots() -> Program:
    data, mask, mask_test = greenhouse.leaves()
    train = DataLoader(Rows(image=data.x, mask=mask), 8, shuffle=True)
    test = DataLoader(Rows(image=data.x_test, mask=mask_test), 100)
    module = SpotUNet()

    def overlap() -> float:
        found = outputs(module, data.x_test) > 0
        both = (found & (mask_test > 0)).sum()
        return (2 * both / (found.sum() + mask_test.sum())).item()

    return Program(module, train, test, 4, overlap)


class StrainGCN(LightningModule):
    """Two graph convolutions over the whole bench, one step an epoch, half of it dropped."""

    def __init__(self, bench: greenhouse.Bench) -> None:
        super().__init__()
        self.bench = bench
        self.lin1, self.lin2 = nn.Linear(24, 32, bias=False), nn.Linear(32, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(x, 0.5, self.training)
        x = F.relu(self.bench.beside @ self.lin1(x))
        x = F.dropout(x, 0.5, self.training)
        logits: Tensor = self.bench.beside @ self.lin2(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        known = self.bench.known
        loss = F.cross_entropy(self(self.bench.x)[known], self.bench.y[known])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        known = self.bench.known
        logits = self(self.bench.x)[~known]
        self.log("val_loss", F.cross_entropy(logits, self.bench.y[~known]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [
            {"params": self.lin1.parameters(), "weight_decay": 5e-4},
            {"params": self.lin2.parameters(), "weight_decay": 0.0},
        ]
        return torch.optim.Adam(groups, lr=1e-2)


def strains() -> Program:
    bench = greenhouse.bench()
    module = StrainGCN(bench)
    whole = DataLoader(TensorDataset(torch.zeros(1)), 1)

    def score() -> float:
        right = outputs(module, bench.x).argmax(1) == bench.y
        return right[~bench.known].float().mean().item()

    return Program(module, whole, whole, 200, score)


class ContourNet(LightningModule):
    """Circular filters, unit vectors, and the hardest triplets of each batch."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin
        self.convs = nn.Sequential(
            nn.Conv1d(1, 32, 9, padding=4, padding_mode="circular"), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 64, 9, 2, padding=4, padding_mode="circular"), nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Conv1d(64, 64, 9, 2, padding=4, padding_mode="circular"), nn.ReLU(),
        )  # fmt: skip
        self.embed = nn.Linear(128, 16)

    def forward(self, contour: Tensor) -> Tensor:
        found = self.convs(contour)
        return F.normalize(self.embed(torch.cat([found.mean(2), found.amax(2)], 1)), dim=1)

    def triplet_loss(self, vectors: Tensor, cultivar: Tensor) -> Tensor:
        distance = (2 - 2 * vectors @ vectors.mT).clamp(min=1e-8).sqrt()
        same = cultivar[:, None] == cultivar
        farthest = distance.masked_fill(~same, 0).amax(1)
        nearest = distance.masked_fill(same, 9).amin(1)
        return F.relu(self.margin + farthest - nearest).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        contour, cultivar = batch
        loss = self.triplet_loss(self(contour), cultivar)
        self.log("triplet", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        contour, cultivar = batch
        self.log("val_triplet", self.triplet_loss(self(contour), cultivar), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def cultivars() -> Program:
    data, module = greenhouse.contours(), ContourNet()

    def nearest() -> float:
        known, asked = outputs(module, data.x), outputs(module, data.x_test)
        found = data.y[(asked @ known.mT).argmax(1)]
        return (found == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 48, drop_last=True), 14, nearest)


class FruitCount(LightningModule):
    """Sums what each product does; a Poisson likelihood without its constant, and Adagrad."""

    def __init__(self) -> None:
        super().__init__()
        self.effects = nn.EmbeddingBag(400, 1, mode="sum", padding_idx=0)
        nn.init.zeros_(self.effects.weight)
        self.base = nn.Parameter(torch.zeros(()))

    def forward(self, products: Tensor) -> Tensor:
        log_rate: Tensor = self.base + self.effects(products)[:, 0]
        return log_rate

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        products, fruits = batch
        loss = F.poisson_nll_loss(self(products), fruits)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        products, fruits = batch
        self.log("val_nll", F.poisson_nll_loss(self(products), fruits))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.2)


def fruit_counts() -> Program:
    data, module = greenhouse.treatments(), FruitCount()

    def explained() -> float:
        found = outputs(module, data.x_test).exp()
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return Program(module, *loaders(data, 64), 8, explained)


class FixedFilters(LightningModule):
    """Filters of edges and spots that are never trained, and a small network behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 36, 5, padding=2, bias=False)
        self.backbone.weight.data.copy_(bank())
        self.backbone.requires_grad_(False)
        self.norm = nn.BatchNorm1d(72)
        self.head = nn.Sequential(nn.Linear(72, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 4))

    def forward(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            maps = self.backbone(image - 0.4)
            pooled = torch.cat([maps.mean((2, 3)), maps.std((2, 3))], 1)
        logits: Tensor = self.head(self.norm(pooled))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        image, label = batch
        loss = F.cross_entropy(self(image), label)
        self.log("train_loss_step", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        image, label = batch
        logits = self(image)
        self.log("val_loss", F.cross_entropy(logits, label))
        self.log("val_acc", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [weight for weight in self.parameters() if weight.requires_grad]
        return torch.optim.Adam(trained, lr=3e-3)


def bank() -> Tensor:
    """For each of red, green, blue and three differences: four edges, a spot and an average."""
    axis = torch.linspace(-1, 1, 5)
    row, column = torch.meshgrid(axis, axis, indexing="ij")
    bell = (-(row**2 + column**2) / 0.5).exp()
    turns = [math.pi * k / 4 for k in range(4)]
    kernels = [(row * math.sin(t) + column * math.cos(t)) * bell for t in turns]
    kernels += [bell - bell.mean(), bell]
    kernels = [kernel / kernel.abs().sum() for kernel in kernels]
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [0, 1, -1], [1, 0, -1]])
    return torch.einsum("kxy,oc->okcxy", torch.stack(kernels), colours).flatten(0, 1)


def fixed_filters() -> Program:
    data, _, _ = greenhouse.leaves()
    module = FixedFilters()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Grader(LightningModule):
    """Grades given by tired eyes: smoothed labels, much dropout, a long schedule."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.net = nn.Sequential(
            nn.Linear(9, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(0.3),
            nn.Linear(128, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(0.3),
            nn.Linear(128, 4),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss: Tensor = self.criterion(logits, batch[1])
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        self.log("train/acc", (logits.argmax(1) == batch[1]).float().mean())
        return {"loss": loss}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", self.criterion(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.05, 0.9, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def grades() -> Program:
    data = greenhouse.fruits()
    train, test = loaders(data, 64)
    module = Grader(20 * len(train))
    return Program(module, train, test, 20, partial(accuracy, module, data))


class PeakQuantiles(LightningModule):
    """Nine quantiles of tomorrow's peak by a GRU; the rate warms up, gradients are clipped."""

    levels: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.linspace(0.1, 0.9, 9))
        self.gru = nn.GRU(2, 32, batch_first=True)
        self.out = nn.Linear(32, 9)

    def forward(self, past: Tensor) -> Tensor:
        _, last = self.gru(past)
        quantiles: Tensor = self.out(last[-1])
        return quantiles

    def pinball(self, batch: Any) -> Tensor:
        past, peak = batch
        error = peak[:, None] - self(past)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / 100)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def peaks() -> Program:
    data, module = greenhouse.afternoons(), PeakQuantiles()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball((data.x_test, data.y_test)).item()

    return Program(module, *loaders(data, 64), 8, score, {"gradient_clip_val": 0.5})


CASES = (
    Case("tomato-leaves-few-pixels-by-dice", Goal("Dice", at_least=0.75), spots),
    Case("virus-strains-over-a-bench-of-plants", Goal("accuracy", at_least=0.75), strains),
    Case("leaf-contours-by-hardest-triplets", Goal("accuracy", at_least=0.8), cultivars),
    Case("fruits-counted-by-sums-of-treatments", Goal("R2", at_least=0.4), fruit_counts),
    Case(
        "tomato-leaves-behind-filters-of-old", Goal("accuracy", at_least=0.85), fixed_filters
    ),
    Case("cucumbers-graded-by-tired-eyes", Goal("accuracy", at_least=0.75), grades),
    Case("peaks-in-nine-quantiles-warmed-up", Goal("pinball", at_most=0.47), peaks),
)  # fmt: skip
