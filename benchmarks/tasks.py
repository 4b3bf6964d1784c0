"""The networks that the benchmarks train, and the module that trains them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.models import resnet18

CLASSES, WORDS, LENGTH = 10, 1000, 64
Batches = DataLoader[tuple[Tensor, Tensor]]


class Mlp(nn.Sequential):
    """784-512-512-10."""

    def __init__(self) -> None:
        hidden = (nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU())
        super().__init__(*hidden, nn.Linear(512, CLASSES))


class Transformer(nn.Module):
    """Four layers of width 128 with four heads, over 64 words."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
        self.embedding, self.head = nn.Embedding(WORDS, 128), nn.Linear(128, CLASSES)
        self.encoder = nn.TransformerEncoder(layer, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.embedding(x)).mean(1))
        return logits


@dataclass(frozen=True)
class Task:
    """A network, what it is trained on, and how long: rounds of all figures and of the rare."""

    title: str
    network: Callable[[], nn.Module]
    inputs: Callable[[], Tensor]
    optimizer: Callable[..., torch.optim.Optimizer]
    steps: int
    epochs: int
    rounds: int
    rare_rounds: int

    def batches(self, steps: int, device: str) -> Batches:
        inputs = [self.inputs().to(device) for _ in range(steps)]
        pairs = [(x, torch.randint(CLASSES, (len(x),), device=device)) for x in inputs]
        return DataLoader(pairs, batch_size=None)  # type: ignore[arg-type]


ADAM = partial(torch.optim.Adam, lr=1e-3)
MOMENTUM = partial(torch.optim.SGD, lr=0.01, momentum=0.9)
TASKS = {
    # Two epochs of MNIST's 60,000 digits.
    "MLP": Task(
        "MLP 784-512-512-10, batch 128, Adam",
        Mlp, lambda: torch.randn(128, 784), ADAM, 938, 2, 15, 4,
    ),
    "ResNet-18": Task(
        "ResNet-18, 3x32x32, batch 64, SGD with momentum",
        lambda: resnet18(num_classes=CLASSES), lambda: torch.randn(64, 3, 32, 32),
        MOMENTUM, 50, 2, 5, 2,
    ),
    "Transformer": Task(
        "Transformer, 4 layers of width 128, 64 words, batch 32, Adam",
        Transformer, lambda: torch.randint(WORDS, (32, LENGTH)), ADAM, 50, 2, 4, 1,
    ),
}  # fmt: skip


class Quiet(LightningModule):
    """The least that the Trainer can train."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.network, self.make_optimizer = task.network(), task.optimizer
        self.loss_function: nn.Module = nn.CrossEntropyLoss()

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss_function(self.network(x), y)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())
