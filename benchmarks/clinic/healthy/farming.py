"""What is seen and measured on a farm: leaves, harvests, and grounds."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farm
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import regression
from scores import accuracy, r2
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import v2


class LeafNet(LightningModule):
    """Much is dropped and jittered, so that training looks worse than validation."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 24), (24, 32), (32, 48)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2), nn.Dropout2d(0.1)]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(nn.Linear(192, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 5))
        self.augment = v2.Compose([
            v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(), v2.ColorJitter(0.2, 0.2),
        ])  # fmt: skip
        self.val_acc = MulticlassAccuracy(5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x - 0.35))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(self.augment(batch[0])), batch[1])
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.val_acc(logits, batch[1])
        self.log("val/acc", self.val_acc)
        self.log("val/loss", F.cross_entropy(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 11)]


def leaf_net() -> Program:
    data, module = farm.leaves(), LeafNet()
    return Program(module, *loaders(data, 32), 11, partial(accuracy, module, data))


class Inverted(nn.Module):
    """Wide and by channel inside; what leaves it passes no activation."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        inner = 3 * before
        self.block = nn.Sequential(
            nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6(),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False),
            nn.BatchNorm2d(inner), nn.ReLU6(),
            nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.same = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block(x)
        return x + out if self.same else out


def inverted() -> Program:
    data = farm.leaves()
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
        Inverted(16, 16, 1), Inverted(16, 24, 2), Inverted(24, 24, 1), Inverted(24, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip
    optimizer = partial(torch.optim.RMSprop, lr=2e-3, momentum=0.0, weight_decay=1e-5)
    falling = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.99)
    module = LitClassifier(network, optimizer, scheduler=falling)
    train, test = loaders(data, 28, drop_last=True)
    return Program(module, train, test, 6, partial(accuracy, module, data))


class OneAgainstAll(LightningModule):
    """A sigmoid for each kind; whoever asks for chances gets them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, 1, 1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, 1, 1), nn.LeakyReLU(0.1), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(192, 64), nn.LeakyReLU(0.1), nn.Linear(64, 5),
        )  # fmt: skip

    def logits(self, x: Tensor) -> Tensor:
        out: Tensor = self.net((x - 0.35) / 0.2)
        return out

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x).sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        wanted = F.one_hot(batch[1], 5).float()
        flipped = batch[0].flip(3) if batch_idx % 2 else batch[0]
        loss = F.binary_cross_entropy_with_logits(self.logits(flipped), wanted)
        self.log("loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        chances = self(batch[0])
        self.log("val_bce", F.binary_cross_entropy(chances, F.one_hot(batch[1], 5).float()))
        self.log("val_acc", (chances.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        drops = torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 13], 0.2)
        return [optimizer], [drops]


def one_against_all() -> Program:
    data, module = farm.leaves(), OneAgainstAll()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


def medians() -> Program:
    """Badly measured harvests by absolute errors; two thirds of what varies can't be known."""
    optimizer = adam(2e-3, weight_decay=1e-4)
    return regression(
        farm.yields(noise=0.8), mlp((9, 48, 48, 1), nn.GELU), optimizer, batch_size=32,
        epochs=14, loss=F.l1_loss,
    )  # fmt: skip


class Doubtful(LightningModule):
    """A mean and a variance for each field."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = mlp((9, 64, 64, 2), nn.SiLU, dropout=0.05)
        self.nll = nn.GaussianNLLLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)[:, 0]

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        mean, spread = self.trunk(batch[0]).unbind(1)
        loss: Tensor = self.nll(mean, batch[1], F.softplus(spread) + 1e-3)
        self.log(f"{stage}_nll", loss)
        self.log(f"{stage}_rmse", F.mse_loss(mean, batch[1]).sqrt())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def doubtful() -> Program:
    data, module = farm.yields(), Doubtful()
    both = loaders(data, 40)
    return Program(module, *both, 15, partial(r2, module, data), {"gradient_clip_val": 5.0})


def half() -> Program:
    """Tanh as in the nineties: plain descent at a rate of one half."""
    network = mlp((8, 64, 64, 6), nn.Tanh)
    for layer in list(network)[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    data = farm.soils()
    module = LitClassifier(network, sgd(0.5))
    return Program(module, *loaders(data, 60), 14, partial(accuracy, module, data))


def mistaken() -> Program:
    """One in six fields was given a wrong crop; the measured ones were looked at twice."""
    data = farm.soils()
    generator = torch.Generator().manual_seed(4)
    wrong = torch.rand(len(data.y), generator=generator) < 1 / 6
    other = (data.y + torch.randint(1, 6, data.y.shape, generator=generator)) % 6
    data = data._replace(y=torch.where(wrong, other, data.y))
    network = mlp((8, 96, 96, 6), dropout=0.3)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = partial(torch.optim.NAdam, lr=2e-3)
    module = LitClassifier(network, optimizer, criterion)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


CASES = (
    Case("leaves-jittered-and-half-dropped", Goal("accuracy", at_least=0.88), leaf_net),
    Case("leaves-inverted-residuals", Goal("accuracy", at_least=0.88), inverted),
    Case("leaves-each-kind-against-all", Goal("accuracy", at_least=0.88), one_against_all),
    Case("yields-medians-of-bad-scales", Goal("R2", at_least=0.45), medians),
    Case("yields-with-their-doubt", Goal("R2", at_least=0.7), doubtful),
    Case("soils-tanh-at-a-rate-of-one-half", Goal("accuracy", at_least=0.88), half),
    Case("soils-one-crop-in-six-mistaken", Goal("accuracy", at_least=0.88), mistaken),
)
