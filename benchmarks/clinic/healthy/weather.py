"""A weather service and its beginners' exercises in good order, some of it odd at first sight."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import weather
from data_sets.samples import (
    Samples,
    cancer,
    diabetes,
    digit_images,
    loaders,
    scaled_targets,
    standardized,
)
from faulty.weather import Rows, SparseCoder, barograph, small_resnet, vgg
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import regression, two_classes
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def wide_code() -> Program:
    """Many more units than patterns: some are never among the largest five."""
    data, module = weather.days(), SparseCoder(32, 256, 5, 0.0, 2e-3)
    return Program(module, *loaders(data, 80), 20, partial(r2, module, data))


def one_cycle(optimizer: torch.optim.Optimizer, peak: float, steps: int) -> Any:
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=0.3)


def clipped_resnet() -> Program:
    """Descent up to a rate of 0.8, which a warm-up and clipping allow."""
    data = digit_images()
    schedule = partial(one_cycle, peak=0.8, steps=20 * 12)
    module = LitClassifier(small_resnet(), sgd(0.05, 0.9), scheduler=schedule)
    train, test = loaders(data, 128, drop_last=True)
    score = partial(accuracy, module, data)
    return Program(module, train, test, 20, score, {"gradient_clip_val": 0.25})


class Skip(nn.Module):
    """A block that begins as the identity: its last layer is of zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = mlp([width, width, width], nn.GELU)
        last = self.inner[-1]
        nn.init.zeros_(last.get_parameter("weight"))
        nn.init.zeros_(last.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


def zero_blocks() -> Program:
    """Little can be foretold from ten columns of 309 patients; the output begins at zero, too."""
    data = scaled_targets(standardized(diabetes()))
    head = nn.Linear(32, 1)
    nn.init.zeros_(head.weight)
    network = nn.Sequential(nn.Linear(10, 32), Skip(32), Skip(32), nn.Dropout(0.4), head)
    return regression(data, network, adam(2e-4), batch_size=16, epochs=30, loss=F.smooth_l1_loss)


class CoverModel(LightningModule):
    """Cross-entropy with eighths as soft labels, which cannot fall to zero."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([10, 64, 64, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        eighths: Tensor = 8 * torch.sigmoid(self.net(x).squeeze(-1))
        return eighths

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, eighths = batch
        loss = F.binary_cross_entropy_with_logits(self.net(x).squeeze(-1), eighths / 8)
        self.log("bce", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)]


def soft_okta() -> Program:
    data, module = weather.cover(), CoverModel()
    train, _ = loaders(data, 50)
    return Program(module, train, None, 30, partial(r2, module, data))


def second_opinions() -> Program:
    """A fifth of the labels of training is turned over; those of the test are right."""
    data = standardized(cancer())
    turned = torch.rand(len(data.y), generator=torch.Generator().manual_seed(5)) < 0.2
    data = data._replace(y=torch.where(turned, 1 - data.y, data.y))
    network = mlp([30, 16, 1], nn.ReLU, norm=nn.BatchNorm1d, dropout=0.3)
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.1)
    return two_classes(data, network, optimizer, batch_size=32, epochs=15)


class Reservoir(LightningModule):
    """An echo state network: only the last layer is trained, the GRU stays as it was drawn."""

    def __init__(self, width: int = 200) -> None:
        super().__init__()
        self.reservoir = nn.GRU(8, width, batch_first=True).requires_grad_(False)
        self.readout = nn.Linear(8 * width, 10)

    def forward(self, rows: Tensor) -> Tensor:
        states, _ = self.reservoir(rows.squeeze(1))
        logits: Tensor = self.readout(states.flatten(1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["rows"]), batch["label"])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        right = self(batch["rows"]).argmax(1) == batch["label"]
        self.log("val_acc", right.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.Adam(trained, lr=3e-3)


def echoed_rows() -> Program:
    data, module = digit_images(), Reservoir()
    train = DataLoader(Rows(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Rows(data.x_test, data.y_test), 256)
    return Program(module, train, test, 40, partial(accuracy, module, data))


def deep_passages() -> Program:
    """Fronts and squalls are as rare, and no weights are given, but they are plain to see."""
    data, module = weather.fronts(3.0), LitClassifier(barograph(), adam(2e-3))
    return Program(module, *loaders(data, 64), 20, partial(balanced_accuracy, module, data))


@dataclass
class Sky:
    """A batch of pictures."""

    image: Tensor
    kind: Tensor


def sky(pairs: list[tuple[Tensor, Tensor]]) -> Sky:
    images, kinds = zip(*pairs, strict=True)
    return Sky(torch.stack(images), torch.stack(kinds))


class MixedSkies(LightningModule):
    """A VGG whose few pictures are shifted, mirrored, mixed and dropped from.

    The loss of training stays above that of validation. Averaged weights are what is tested.
    """

    def __init__(self, decay: float = 0.98) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = vgg(0.4)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.average(x)
        return logits

    def training_step(self, batch: Sky, batch_idx: int) -> Tensor:
        shift = torch.randint(-8, 9, (2,)).tolist()
        x = batch.image.roll(shift, (2, 3))
        x = x.flip(3) if torch.rand(()) < 0.5 else x
        order, share = torch.randperm(len(x)), float(torch.distributions.Beta(0.4, 0.4).sample())
        logits = self.model(share * x + (1 - share) * x[order])
        own, other = F.cross_entropy(logits, batch.kind), F.cross_entropy(logits, batch.kind[order])
        loss = share * own + (1 - share) * other
        self.log("train_loss", loss)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        for mean, now in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(now, 1 - self.hparams["decay"])

    def validation_step(self, batch: Sky, batch_idx: int) -> None:
        logits = self(batch.image)
        self.log("val_loss", F.cross_entropy(logits, batch.kind))
        self.log("val_acc", (logits.argmax(1) == batch.kind).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.model.parameters(), lr=1e-3)


def mixed_skies() -> Program:
    data: Samples = weather.skies(noise=1.5)
    data = data.first(300)
    module = MixedSkies()
    shown, held_out = TensorDataset(data.x, data.y), TensorDataset(data.x_test, data.y_test)
    train = DataLoader(shown, 20, shuffle=True, collate_fn=sky)
    test = DataLoader(held_out, 150, collate_fn=sky)

    def entropy() -> float:
        return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()

    return Program(module, train, test, 30, entropy)


CASES = (
    Case("weather-days-five-of-many-more-units", Goal("R2", at_least=0.9), wide_code),
    Case(
        "digit-images-grouped-res-net-large-steps-clipped", Goal("accuracy", at_least=0.95),
        clipped_resnet,
    ),
    Case("diabetes-skips-and-output-begin-at-zero", Goal("R2", at_least=0.4), zero_blocks),
    Case("cloud-cover-in-eighths-as-soft-labels", Goal("R2", at_least=0.85), soft_okta),
    Case("cancer-a-fifth-of-labels-turned-over", Goal("accuracy", at_least=0.92), second_opinions),
    Case("digit-rows-through-a-drawn-reservoir", Goal("accuracy", at_least=0.91), echoed_rows),
    Case("fronts-seldom-but-deep", Goal("balanced accuracy", at_least=0.85), deep_passages),
    Case("skies-few-shifted-and-mixed", Goal("cross-entropy", at_most=0.7), mixed_skies),
)  # fmt: skip
