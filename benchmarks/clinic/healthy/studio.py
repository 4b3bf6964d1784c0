"""What a course's assistant shows its students: small nets on small pictures of clothes."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import studio
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, reset, sgd
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn


def le_net() -> Program:
    """As it was in 1998, on 14 pixels."""
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 84), nn.Tanh(), nn.Linear(84, 6),
    )  # fmt: skip
    reset(network, nn.init.xavier_uniform_)
    data = studio.zero_centred(studio.garments())
    steps = partial(torch.optim.lr_scheduler.StepLR, step_size=250, gamma=0.3)
    return classification(data, network, sgd(0.05, 0.9), batch_size=32, epochs=15, scheduler=steps)


def body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )  # fmt: skip


def turned_first() -> Program:
    """A body that has told how pictures were turned is tuned at a tenth of its head's rate."""
    data = studio.zero_centred(studio.garments())
    trunk = body()
    before = nn.Sequential(trunk, nn.Linear(128, 4))
    optimizer = torch.optim.Adam(before.parameters(), 2e-3)
    for _ in range(250):
        picked = data.x[torch.randint(len(data.x), (48,))]
        views = [torch.rot90(part, k, (2, 3)) for k, part in enumerate(picked.chunk(4))]
        loss = F.cross_entropy(before(torch.cat(views)), torch.arange(4).repeat_interleave(12))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network = nn.Sequential(trunk, nn.Linear(128, 6))

    def rates(_: Any) -> torch.optim.Optimizer:
        slow, fast = network[0].parameters(), network[1].parameters()
        return torch.optim.AdamW([{"params": slow, "lr": 2e-4}, {"params": fast, "lr": 2e-3}])

    return classification(data, network, rates, batch_size=32, epochs=8)


class Augmented(LitClassifier):
    """Moves, mirrors and erases what it trains on, on its way to the network."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        across, down = torch.randint(-2, 3, (2,)).tolist()
        x = x.roll((down, across), (2, 3))
        mirrored = (torch.rand(len(x)) < 0.5)[:, None, None, None]
        x = torch.where(mirrored, x.flip(3), x)
        top, left = torch.randint(0, 10, (2,)).tolist()
        x = x.clone()
        x[:, :, top : top + 5, left : left + 5] = 0
        loss = F.cross_entropy(self(x), y, label_smoothing=0.1)
        self.log("train/loss", loss)
        return loss


def erased() -> Program:
    data = studio.zero_centred(studio.garments())
    network = nn.Sequential(body(), nn.Dropout(0.2), nn.Linear(128, 6))
    optimizer = partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.05)
    cosine = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=12 * 40)
    module = Augmented(network, optimizer, scheduler=cosine)
    return Program(module, *loaders(data, 32, drop_last=True), 12, partial(accuracy, module, data))


class ByHand(LightningModule):
    """Two halves of each batch one after the other, clipped, stepped by hand."""

    automatic_optimization = False

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(body(), nn.Linear(128, 6))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        for x, y in zip(batch[0].chunk(2), batch[1].chunk(2), strict=True):
            loss = F.cross_entropy(self(x), y) / 2
            self.manual_backward(loss)
        self.clip_gradients(optimizer, gradient_clip_val=2.0, gradient_clip_algorithm="norm")
        optimizer.step()
        self.log("train_loss", 2 * loss.detach(), prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, nesterov=True)


def by_hand() -> Program:
    data: Samples = studio.zero_centred(studio.garments())
    module = ByHand()
    return Program(module, *loaders(data, 32, drop_last=True), 8, partial(accuracy, module, data))


class Coded(LightningModule):
    """Pictures through sixteen numbers, pixel by pixel as chances."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 16),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(16, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[0])
        self.log("bce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def coded() -> Program:
    data = studio.garments(0.05)
    module = Coded()

    def score() -> float:
        wrong = (outputs(module, data.x_test).sigmoid() - data.x_test).square().mean()
        return (1 - wrong / (data.x_test - data.x.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 32), 18, score)


GARMENTS = Goal("accuracy", at_least=0.93)
CASES = (
    Case("garments-le-net-of-tanh-and-averages", GARMENTS, le_net),
    Case("garments-turned-first-then-tuned", GARMENTS, turned_first),
    Case("garments-erased-and-smoothed", GARMENTS, erased),
    Case("garments-halves-by-hand", GARMENTS, by_hand),
    Case("garments-through-sixteen-numbers", Goal("explained", at_least=0.72), coded),
)  # fmt: skip
