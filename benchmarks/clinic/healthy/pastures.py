"""More of what farms train: leaves cut to patches, beans squeezed, weeks in quantiles."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farms
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp, sgd
from programs import classification, regression
from scores import accuracy, outputs
from torch import Tensor, nn

from healthy.farms import coloured


class PatchTransformer(LightningModule):
    """Sixteen patches of four by four pixels and two layers, the rate warmed up and let down."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.patches = nn.Conv2d(3, 64, 4, stride=4)
        self.places = nn.Parameter(0.02 * torch.randn(16, 64))
        layer = nn.TransformerEncoderLayer(
            64, 4, 128, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(64), enable_nested_tensor=False)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.places
        logits: Tensor = self.head(self.encoder(tokens).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        loss = F.cross_entropy(self(x), y)
        self.log_dict({"train_loss": loss}, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        warm = self.steps // 10

        def share(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / (self.steps - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def patch_transformer() -> Program:
    data = coloured(farms.leaves(4500)[0])
    train, test = loaders(data, 32)
    module = PatchTransformer(6 * len(train))
    return Program(module, train, test, 6, partial(accuracy, module, data))


class Turned(LightningModule):
    """Group norms, RMSprop, and every picture mirrored by chance on its way to the network."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 16), (16, 32), (32, 48)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU()]
            layers += [nn.AvgPool2d(2)]
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(192, 5))
        self.loss = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        mirrored = torch.rand(len(x), 1, 1, 1) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
        loss: Tensor = self.loss(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def turned() -> Program:
    data, module = coloured(farms.leaves()[0]), Turned()
    score = partial(accuracy, module, data)
    return Program(module, *loaders(data, 32), 8, score, {"precision": "bf16-mixed"})


class Squeezed(LightningModule):
    """Eleven columns through three numbers and back; no labels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([11, 32, 3], nn.LeakyReLU), mlp([3, 32, 11], nn.LeakyReLU)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self(batch[0]), batch[0])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("rebuilt", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def squeezed() -> Program:
    data, module = standardized(farms.beans()), Squeezed()

    def score() -> float:
        return 1 - F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, *loaders(data, 32), 10, score)


def pinball(found: Tensor, target: Tensor) -> Tensor:
    """Three quantiles of each of seven days."""
    levels = torch.tensor([0.1, 0.5, 0.9])
    over = target[..., None] - found.unflatten(1, (7, 3))
    return torch.maximum(levels * over, (levels - 1) * over).mean()


class Quantiles(LitClassifier):
    """The shared module less its accuracy."""

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val_pinball", pinball(self(batch[0]), batch[1]))


def quantiles() -> Program:
    data = farms.milk()
    optimizer = partial(torch.optim.Adamax, lr=4e-3)
    module = Quantiles(mlp([28, 64, 64, 21], nn.GELU), optimizer, pinball)

    def score() -> float:
        """Of the medians."""
        found = outputs(module, data.x_test).unflatten(1, (7, 3))[..., 1]
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 10, score)


class Step(nn.Module):
    """A block that adds to what it gets."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.inner(x)
        return added


def stairs() -> Program:
    network = nn.Sequential(
        nn.Linear(8, 32), *[Step(32) for _ in range(10)], nn.LayerNorm(32), nn.Linear(32, 1)
    )
    optimizer = partial(torch.optim.AdamW, lr=5e-4, weight_decay=0.1)
    return regression(scaled_targets(farms.harvests(3.0)), network, optimizer, epochs=6)


def gathered() -> Program:
    """Eight beans at a time, four times to a step."""
    network = mlp([11, 64, 64, 7], nn.ReLU, norm=nn.LayerNorm)
    return classification(
        standardized(farms.beans()), network, sgd(0.005, 0.9), batch_size=8, epochs=5,
        trainer={"accumulate_grad_batches": 4, "gradient_clip_val": 5.0},
    )  # fmt: skip


CASES = (
    Case("leaves-sixteen-patches-warmed-up", Goal("accuracy", at_least=0.85), patch_transformer),
    Case("leaves-mirrored-in-groups-half-precision", Goal("accuracy", at_least=0.9), turned),
    Case("beans-squeezed-to-three-numbers", Goal("r2", at_least=0.85), squeezed),
    Case("milk-quantiles-of-a-week", Goal("r2", at_least=0.85), quantiles),
    Case("harvests-ten-added-steps", Goal("r2", at_least=0.75), stairs),
    Case("beans-eights-gathered-to-thirty-two", Goal("accuracy", at_least=0.9), gathered),
)  # fmt: skip
