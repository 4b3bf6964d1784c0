"""Modules in the styles of research code, which several cases share."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn

Optimizer = Callable[..., torch.optim.Optimizer]
ADAM: Optimizer = partial(torch.optim.Adam, lr=1e-3)


def sgd(lr: float, momentum: float = 0.0, **options: Any) -> Optimizer:
    return partial(torch.optim.SGD, lr=lr, momentum=momentum, **options)


def adam(lr: float, **options: Any) -> Optimizer:
    return partial(torch.optim.Adam, lr=lr, **options)


def mlp(
    sizes: Sequence[int],
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    *,
    norm: Callable[[int], nn.Module] | None = None,
    dropout: float = 0.0,
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes[:-1]):
        layers.append(nn.Linear(before, after))
        if norm is not None:
            layers.append(norm(after))
        if activation is not None:
            layers.append(activation())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:]))


def reset(network: nn.Module, weight: Callable[[Tensor], Any], bias: float = 0.0) -> nn.Module:
    """Draw all weights of linear and convolutional layers anew."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            weight(layer.weight)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)
    return network


class LitClassifier(LightningModule):
    """The module of most tutorials."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: Optimizer = ADAM,
        criterion: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
        scheduler: Callable[[torch.optim.Optimizer], Any] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.criterion = network, criterion
        self.optimizer, self.scheduler = optimizer, scheduler

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(-1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.scheduler is None:
            return optimizer
        schedule = {"scheduler": self.scheduler(optimizer), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


class BinaryModel(LightningModule):
    """One output for two classes, and a step that returns a dictionary."""

    def __init__(
        self, net: nn.Module, opt: Optimizer = ADAM, loss_fn: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.net, self.opt, self.loss_fn = net, opt, loss_fn or nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(-1)

    def step(self, batch: Any, stage: str) -> Tensor:
        inputs, labels = batch
        loss: Tensor = self.loss_fn(self(inputs), labels.float())
        self.log(f"{stage}/loss", loss, on_epoch=True)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        return {"loss": self.step(batch, "train")}

    def validation_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        return {"val_loss": self.step(batch, "val")}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.opt(self.parameters())


class RegressionTask(LightningModule):
    """A regression, its hyper-parameters saved, whose network's one output is squeezed."""

    def __init__(
        self,
        backbone: nn.Module,
        optim: Optimizer = ADAM,
        loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["backbone", "optim", "loss"])
        self.backbone, self.optim, self.loss = backbone, optim, loss

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.backbone(features)
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        features, target = batch
        loss = self.loss(self(features), target)
        self.log("loss", loss, on_step=True, on_epoch=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        features, target = batch
        prediction = self(features)
        self.log("valid_loss", self.loss(prediction, target))
        self.log("valid_mae", (prediction - target).abs().mean())

    def configure_optimizers(self) -> Any:
        return [self.optim(self.parameters())]
