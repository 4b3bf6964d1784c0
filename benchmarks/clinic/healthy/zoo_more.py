"""What the zoo's school trains on sets that everybody has, and on appetites."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import zoo
from data_sets.samples import (
    Samples,
    diabetes,
    digit_images,
    digits,
    loaders,
    scaled_targets,
    standardized,
    wine,
)  # fmt: skip
from lightning.pytorch import LightningModule
from modules import adam, mlp, sgd
from programs import classification, regression
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Branches(nn.Module):
    """Kernels of one, three and five pixels, and a maximum, side by side."""

    def __init__(self, channels: int, each: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([
            nn.Conv2d(channels, each, 1),
            nn.Sequential(nn.Conv2d(channels, each, 3, padding=1)),
            nn.Sequential(nn.Conv2d(channels, each, 5, padding=2)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(channels, each, 1)),
        ])  # fmt: skip
        self.norm = nn.BatchNorm2d(4 * each)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(torch.cat([branch(x) for branch in self.branches], 1)))


def inception() -> Program:
    """A rate that falls to a tenth at two milestones, and Nesterov's momentum."""
    network = nn.Sequential(
        Branches(1, 6), Branches(24, 8), nn.MaxPool2d(2), nn.Dropout2d(0.2), Branches(32, 12),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip
    steps = partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[240, 330], gamma=0.1)
    optimizer = sgd(0.1, 0.9, nesterov=True, weight_decay=5e-4)
    return classification(
        digit_images(), network, optimizer, batch_size=32, epochs=10, scheduler=steps
    )


def insensitive(found: Tensor, target: Tensor, margin: float = 0.3) -> Tensor:
    """Errors within a margin cost nothing."""
    return ((found - target).abs() - margin).relu().mean()


def diabetes_machine() -> Program:
    """What ten columns foretell of the illness is less than half of it."""
    data = scaled_targets(standardized(diabetes()))
    network = mlp([10, 24, 1], nn.SiLU, dropout=0.3)
    optimizer = adam(2e-3, weight_decay=1e-2)
    return regression(data, network, optimizer, batch_size=16, epochs=20, loss=insensitive)


class RowReader(LightningModule):
    """Attention, rows of pixels as words, one learnt token to answer; Adam from tiny steps on."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.lift, self.place = nn.Linear(8, width), nn.Parameter(0.02 * torch.randn(9, width))
        self.token = nn.Parameter(torch.zeros(width))
        block = nn.TransformerEncoderLayer(width, 2, 96, 0.1, "gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 2)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.lift(x.reshape(-1, 8, 8))
        rows = torch.cat([self.token.expand(len(x), 1, -1), rows], 1) + self.place
        logits: Tensor = self.head(self.blocks(rows)[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, 1.0, 100)
        cool = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 700)
        both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cool], [100])
        return [optimizer], [{"scheduler": both, "interval": "step"}]


def row_reader() -> Program:
    data, module = digits(), RowReader()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class Siamese(LightningModule):
    """Pairs drawn within each batch: the same digit near, others at least one apart."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin, self.net = margin, mlp([64, 128, 64, 16], norm=nn.BatchNorm1d)

    def forward(self, x: Tensor) -> Tensor:
        place: Tensor = self.net(x)
        return place

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        place, other = self(x), torch.randperm(len(x))
        apart = ((place - place[other]).square().sum(1) + 1e-6).sqrt()
        same = (y == y[other]).float()
        far = (self.margin - apart).relu().square()
        loss: Tensor = (same * apart.square() * 4 + (1 - same) * far).mean()
        self.log("pairs", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def siamese() -> Program:
    """Scored by the digit of the nearest known picture."""
    data, module = digits(), Siamese()
    train, _ = loaders(data, 128, drop_last=True)

    def score() -> float:
        near = torch.cdist(outputs(module, data.x_test), outputs(module, data.x)).argmin(1)
        return (data.y[near] == data.y_test).float().mean().item()

    return Program(module, train, None, 40, score)


def generalized(logits: Tensor, y: Tensor, q: float = 0.7) -> Tensor:
    """Between cross-entropy and absolute error; bounded, so that wrong labels weigh little."""
    chance = logits.softmax(1).gather(1, y[:, None])
    return ((1 - chance.pow(q)) / q).mean()


def wrong_digits() -> Program:
    """Four labels in ten are drawn anew."""
    data = digits()
    draw = torch.Generator().manual_seed(310)
    wrong = torch.rand(len(data.y), generator=draw) < 0.4
    anew = torch.randint(10, data.y.shape, generator=draw)
    data = data._replace(y=torch.where(wrong, anew, data.y))
    network = mlp([64, 64, 10], dropout=0.2)
    return classification(
        data, network, adam(3e-3), batch_size=64, epochs=25, criterion=generalized
    )


def wine_signs() -> Program:
    """Rprop: all wines in one batch, steps by the signs of gradients alone."""
    data = standardized(wine())
    network = mlp([13, 16, 3], nn.Tanh)
    optimizer = partial(torch.optim.Rprop, lr=1e-3, step_sizes=(1e-6, 0.1))
    return classification(data, network, optimizer, batch_size=len(data.y), epochs=120)


class Screening(LightningModule):
    """One answer, malignant cases weighed by their rarity, and exponential averages of weights."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.net = mlp([30, 32, 1], nn.GELU, dropout=0.3)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
        )
        self.average.requires_grad_(False)
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        net = self.net if self.training else self.average
        logit: Tensor = net(x).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(
            self(x), y.float(), pos_weight=self.get_buffer("weight")
        )
        self.log("weighted_bce", loss)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.net)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        found = self(x) > 0
        self.log("recall", (found & (y > 0)).sum() / (y > 0).sum().clamp(min=1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, lr=3e-3, weight_decay=0.1)


def screening() -> Program:
    data = zoo.few_malignant()
    module = Screening(((data.y == 0).sum() / data.y.sum()).item())
    return Program(module, *loaders(data, 32), 30, partial(balanced_accuracy, module, data))


class Residual(nn.Module):
    """Norm first, a gate learnt from zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.gate * self.inner(x)
        return found


class Appetite(LightningModule):
    """Ten gated blocks, a rate of 0.3 for plain descent, and norms clipped at 0.2."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 48), *(Residual(48) for _ in range(10)), nn.LayerNorm(48), nn.Linear(48, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("loss", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.3, momentum=0.8)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)]


def appetite() -> Program:
    data, module = zoo.appetites(), Appetite()
    train = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True)
    clipped = {"gradient_clip_val": 0.2}
    return Program(module, train, None, 30, partial(r2, module, data), clipped)


def few_coats() -> Program:
    """Eighty pictures, turned and mirrored at random, and a thin net with much dropout."""
    data: Samples = zoo.coats().first(80)
    x = torch.cat([data.x.rot90(turn, (2, 3)) for turn in range(4)])
    data = data._replace(x=torch.cat([x, x.flip(3)]), y=data.y.repeat(8))
    network = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(128, 5),
    )  # fmt: skip
    return classification(data, network, adam(2e-3, weight_decay=1e-4), batch_size=20, epochs=16)


CASES = (
    Case("digit-images-four-branches-milestones", Goal("accuracy", at_least=0.96), inception),
    Case("diabetes-errors-within-a-margin-free", Goal("R2", at_least=0.35), diabetes_machine),
    Case("digit-rows-asked-by-a-token-warmed-up", Goal("accuracy", at_least=0.93), row_reader),
    Case("digits-pairs-of-the-batch-margin", Goal("accuracy", at_least=0.94), siamese),
    Case("digits-wrong-ones-bounded-loss", Goal("accuracy", at_least=0.9), wrong_digits),
    Case("wine-steps-by-signs-of-all", Goal("accuracy", at_least=0.92), wine_signs),
    Case(
        "cancer-few-malignant-averaged-weights", Goal("balanced accuracy", at_least=0.9), screening
    ),
    Case("appetites-ten-gated-blocks-clipped", Goal("R2", at_least=0.75), appetite),
    Case("coats-eighty-turned-and-mirrored", Goal("accuracy", at_least=0.75), few_coats),
)  # fmt: skip
