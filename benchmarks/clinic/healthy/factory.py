"""What runs in a factory: eyes on parts and plates, ears on motors, and tables of castings."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import factory
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryJaccardIndex, MulticlassAccuracy


class Residual(nn.Module):
    """Two convolutions and what went into them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class PartsResNet(LightningModule):
    """Turned and mirrored at random; its accuracies are kept by torchmetrics."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.model = nn.Sequential(
            nn.Conv2d(1, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
            Residual(12, 12, 1), Residual(12, 24, 2), Residual(24, 48, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 5),
        )  # fmt: skip
        self.train_acc, self.val_acc = MulticlassAccuracy(5), MulticlassAccuracy(5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
        if torch.rand(()) < 0.5:
            x = x.flip(3)
        logits = self(x)
        loss = F.cross_entropy(logits, y, label_smoothing=0.05)
        self.train_acc(logits, y)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True)
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.val_acc.update(logits, batch[1])
        self.log("val/acc", self.val_acc, prog_bar=True)
        self.log("val/loss", F.cross_entropy(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(self.parameters(), 0.02, 0.9, weight_decay=5e-4, nesterov=True)
        cycle = torch.optim.lr_scheduler.OneCycleLR(sgd, 0.1, total_steps=self.steps)
        return [sgd], [{"scheduler": cycle, "interval": "step"}]


def parts_res_net() -> Program:
    data = factory.centred(factory.parts())
    train, test = loaders(data, 48, drop_last=True)
    module = PartsResNet(9 * len(train))
    return Program(module, train, test, 9, partial(accuracy, module, data))


class Ears(LightningModule):
    """Spectrograms of which stripes of time and bands are hidden, as in SpecAugment."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 24), (24, 32)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.GELU()]
            layers += [nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(32 * 4, 5))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x).mean(3).flatten(1))
        return logits

    @staticmethod
    def masked(x: Tensor) -> Tensor:
        x = x.clone()
        for axis in (2, 3):
            start, width = int(torch.randint(26, ())), int(torch.randint(7, ()))
            x.narrow(axis, start, width).zero_()
        return x

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(self.masked(batch[0])), batch[1])
        self.log_dict({"loss": loss.detach()}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def ears() -> Program:
    data = factory.centred(factory.spectrograms(factory.motors()))
    module = Ears()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(accuracy, module, data))


def samples_as_heard() -> Program:
    """The M5 network on waves as they come, -1 to 1; plain log-softmax and its likelihood."""
    network = nn.Sequential(
        nn.Conv1d(1, 24, 32, 4), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(24, 24, 3), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(24, 48, 3), nn.BatchNorm1d(48), nn.ReLU(), nn.AdaptiveAvgPool1d(1),
        nn.Flatten(), nn.Linear(48, 5), nn.LogSoftmax(-1),
    )  # fmt: skip
    optimizer = partial(torch.optim.Adam, lr=5e-3, weight_decay=1e-4)
    steps = partial(torch.optim.lr_scheduler.StepLR, step_size=200, gamma=0.2)
    return classification(
        factory.motors(), network, optimizer, batch_size=32, epochs=14,
        criterion=F.nll_loss, scheduler=steps,
    )  # fmt: skip


class Scratches(LightningModule):
    """Dilated convolutions at full size; steps by hand; the rare pixels weigh more."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        body: list[nn.Module] = []
        for before, dilation in ((1, 1), (16, 2), (16, 4), (16, 1)):
            body += [nn.Conv2d(before, 16, 3, padding=dilation, dilation=dilation)]
            body += [nn.GroupNorm(4, 16), nn.ReLU()]
        self.body, self.mask = nn.Sequential(*body), nn.Conv2d(16, 1, 1)
        self.iou, self.mean_loss = BinaryJaccardIndex(), MeanMetric()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.mask(self.body(x))
        return logits.squeeze(1)

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(3.0))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = self.loss(self(batch[0]), batch[1])
        optimizer.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        optimizer.step()
        self.mean_loss.update(loss.detach())

    def on_train_epoch_end(self) -> None:
        self.log("train_loss_epoch", self.mean_loss.compute())
        self.mean_loss.reset()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.iou.update(logits.sigmoid(), batch[1].long())
        self.log_dict({"val_iou": self.iou, "val_loss": self.loss(logits, batch[1])})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def scratches() -> Program:
    data = factory.plates()
    module = Scratches()

    def overlap() -> float:
        found, wanted = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return ((found & wanted).sum() / (found | wanted).sum()).item()

    return Program(module, *loaders(data, 24), 8, overlap)


CASES = (
    Case("parts-res-net-super-converged", Goal("accuracy", at_least=0.9), parts_res_net),
    Case("motors-heard-through-masks", Goal("accuracy", at_least=0.9), ears),
    Case("motors-samples-as-they-come", Goal("accuracy", at_least=0.9), samples_as_heard),
    Case("plates-scratches-by-hand", Goal("intersection over union", at_least=0.6), scratches),
)
