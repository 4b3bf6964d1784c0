"""Published optimisers, each with the rate that its documentation advises."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import (
    Goal,
    Published,
    classified,
    classify,
    cosine,
    tensor_case,
)
from data_sets import Split, as_tensor, digits
from images import small_digits
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchvision.models import resnet18


def medium_digits() -> Any:
    return digits(16)


def convolutions(channels: int = 1) -> nn.Module:
    """Two convolutions and a linear layer, as in the examples of many of these packages."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(), nn.Linear(1024, 128),
        nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


class ScheduleFree(Published):
    """Its optimiser holds two points, and must be told which of them is wanted."""

    def __init__(self) -> None:
        from schedulefree import AdamWScheduleFree

        super().__init__(
            convolutions(), classify, lambda p: AdamWScheduleFree(p, lr=2.5e-3, warmup_steps=50)
        )

    def on_train_start(self) -> None:
        self.optimizers().optimizer.train()  # type: ignore[union-attr]

    def on_validation_model_eval(self) -> None:
        super().on_validation_model_eval()
        self.optimizers().optimizer.eval()  # type: ignore[union-attr]

    def on_validation_model_train(self) -> None:
        super().on_validation_model_train()
        self.optimizers().optimizer.train()  # type: ignore[union-attr]


def lion() -> LightningModule:
    """A third of AdamW's rate, and ten times its decay."""
    from lion_pytorch import Lion

    return Published(convolutions(), classify, lambda p: Lion(p, lr=3e-4, weight_decay=0.1), cosine)


def prodigy() -> LightningModule:
    """It finds the rate by itself, and multiplies it by this one, which is to be 1."""
    from prodigyopt import Prodigy

    return Published(
        resnet18(num_classes=10), classify, lambda p: Prodigy(p, lr=1.0, weight_decay=0.01), cosine
    )


class SharpnessAware(Published):
    """Two steps a batch: one up, to where the gradient is taken, and one down."""

    def __init__(self) -> None:
        from pytorch_optimizer import SAM

        super().__init__(
            convolutions(), classify,
            lambda p: SAM(list(p), torch.optim.SGD, rho=0.05, lr=0.05, momentum=0.9),
        )  # fmt: skip
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        optimizer: Any = self.optimizers()

        def backward() -> Tensor:
            optimizer.zero_grad()
            loss = self.step(self.network, batch)["loss"]
            self.manual_backward(loss)
            return loss

        self.log("train_loss", backward())
        optimizer.step(closure=backward)


class Curvature(Published):
    """Its optimiser needs the gradient's own graph, for how it changes in a random direction."""

    def __init__(self) -> None:
        from torch_optimizer import Adahessian

        super().__init__(convolutions(), classify, lambda p: Adahessian(p, lr=0.15))
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:  # type: ignore[override]
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        loss = self.step(self.network, batch)["loss"]
        self.manual_backward(loss, create_graph=True)
        optimizer.step()
        self.log("train_loss", loss)


class Private(Published):
    """Each image's gradient is clipped, and noise added, as the package's Lightning example."""

    def __init__(self) -> None:
        super().__init__(
            nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(),
                nn.Linear(256, 32), nn.Tanh(), nn.Linear(32, 10),
            ),
            classify, lambda p: torch.optim.SGD(p, 0.5),
        )  # fmt: skip

    def configure_optimizers(self) -> Any:
        from opacus import PrivacyEngine

        self.trainer.fit_loop.setup_data()
        loader: Any = self.trainer.train_dataloader
        self.private, optimizer, _ = PrivacyEngine().make_private(
            module=self.network, optimizer=self.optimizer(self.network.parameters()),
            data_loader=loader, noise_multiplier=0.8, max_grad_norm=1.0, poisson_sampling=False,
        )  # fmt: skip
        return optimizer


DEPTH = 7


def tree() -> Split:
    """Pairs of a node of a binary tree and one above it, which are to be seen in the embedding."""
    pairs = []
    for node in range(2, 2**DEPTH):
        above = node // 2
        while above:
            pairs.append((node - 1, above - 1))
            above //= 2
    return Split((as_tensor(np.array(pairs)),), (as_tensor(np.array(pairs)),))


class Hyperbolic(nn.Module):
    """Points of a Poincaré ball."""

    def __init__(self) -> None:
        import geoopt

        super().__init__()
        self.ball = geoopt.PoincareBall()
        start = torch.empty(2**DEPTH - 1, 5).uniform_(-1e-3, 1e-3)
        self.points = geoopt.ManifoldParameter(start, manifold=self.ball)

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Minus the distances to the right node and to ten others, and which is none of them."""
        below, above = self.points[pairs[:, 0]], pairs[:, 1:]
        others = torch.randint(2**DEPTH - 1, (len(pairs), 10))
        related = self.ancestors(pairs[:, :1], others)
        distances = self.ball.dist(below[:, None], self.points[torch.cat([above, others], 1)])
        found = (-distances).masked_fill(F.pad(related, (1, 0)), -torch.inf)
        return found, torch.zeros(len(pairs), dtype=torch.long)

    @staticmethod
    def ancestors(node: Tensor, others: Tensor) -> Tensor:
        node, found = node + 1, torch.zeros_like(others, dtype=torch.bool)
        for _ in range(DEPTH):
            found |= others + 1 == node
            node = node // 2
        return found


def hyperbolic() -> LightningModule:
    from geoopt.optim import RiemannianAdam

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        return classified(*network(batch[0]))

    return Published(Hyperbolic(), step, lambda p: RiemannianAdam(p, lr=0.05))


RIGHT = Goal("val_acc", at_least=0.95)
CASES = (
    tensor_case("schedulefree/AdamW", "digits", ScheduleFree, small_digits, 10, RIGHT),
    tensor_case(
        "lion_pytorch/Lion", "digits", lion, small_digits, 10, RIGHT,
    ),
    tensor_case(
        "prodigyopt/Prodigy", "digits", prodigy, medium_digits, 4, RIGHT, batch_size=64,
        drop_last=True,
    ),
    tensor_case("pytorch_optimizer/SAM", "digits", SharpnessAware, small_digits, 10, RIGHT),
    tensor_case("torch_optimizer/Adahessian", "digits", Curvature, small_digits, 10, RIGHT),
    tensor_case(
        "opacus/DP-SGD", "digits", Private, small_digits, 20, Goal("val_acc", at_least=0.85),
        batch_size=64,
    ),
    tensor_case(
        "geoopt/Poincare ball", "above in a tree", hyperbolic, tree, 60,
        Goal("val_acc", at_least=0.85),
    ),
)  # fmt: skip
