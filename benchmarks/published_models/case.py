"""What a training is made of: somebody's model, data, and the score that it ought to reach."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from data_sets import Split
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.append(str(Path(__file__).resolve().parents[1]))
from goal import Goal

Step = Callable[[Any, Any], dict[str, Tensor]]
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Schedule = Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler]


@dataclass(frozen=True)
class Case:
    """A published model's training.

    Attributes:
        name: Its package, as ``pip`` knows it, and the model.
        task: What it learns, in a few words.
        make: Builds the module; imports the package only then.
        train: Builds the loader of the training data.
        validate: Builds the loader of the validation data.
        epochs: How long it trains.
        goal: What is expected of the last validation.
        trainer: Further arguments of the Trainer.
    """

    name: str
    task: str
    make: Callable[[], LightningModule]
    train: Callable[[], Any]
    validate: Callable[[], Any]
    epochs: int
    goal: Goal
    trainer: dict[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        return self.name.split("/")[0]

    def fit(self, seed: int, callbacks: Sequence[Callback] = (), steps: int = -1) -> Trainer:
        seed_everything(seed, verbose=False)
        trainer = Trainer(
            max_epochs=self.epochs, max_steps=steps, accelerator="cpu", devices=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            # An epoch that is cut short ends in a validation, too.
            limit_train_batches=steps if steps > 0 else None, callbacks=list(callbacks),
            **self.trainer,
        )  # fmt: skip
        trainer.fit(self.make(), self.train(), self.validate())
        return trainer


class Published(LightningModule):
    """Somebody's network, with the training loop that its documentation shows.

    ``step`` is given the network and a batch, and returns the ``loss`` and any scores by name.
    """

    def __init__(
        self, network: nn.Module, step: Step, optimizer: Optimizer, schedule: Schedule | None = None
    ) -> None:
        super().__init__()
        self.network, self.step = network, step
        self.optimizer, self.schedule = optimizer, schedule

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.step(self.network, batch)["loss"]
        self.log("train_loss", loss, batch_size=batch_size(batch))
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        for name, value in self.step(self.network, batch).items():
            self.log(f"val_{name}", value, batch_size=batch_size(batch))

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.parameters())
        if self.schedule is None:
            return optimizer
        schedule = self.schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def batch_size(batch: Any) -> int | None:
    """Of a batch of graphs; Lightning finds that of any other."""
    return getattr(batch, "num_graphs", None)


def tensor_case(
    name: str, task: str, make: Callable[[], LightningModule], data: Callable[[], Split],
    epochs: int, goal: Goal, *, batch_size: int = 32, drop_last: bool = False,
    trainer: dict[str, Any] | None = None,
) -> Case:  # fmt: skip
    """A case of tensors in shuffled batches."""

    def train() -> Any:
        rows = TensorDataset(*data().train)
        return DataLoader(rows, batch_size, shuffle=True, drop_last=drop_last)

    def validate() -> Any:
        return DataLoader(TensorDataset(*data().validation), 2 * batch_size, drop_last=drop_last)

    return Case(name, task, make, train, validate, epochs, goal, trainer or {})


def adam(lr: float, **options: Any) -> Optimizer:
    return lambda parameters: torch.optim.Adam(parameters, lr, **options)


def adamw(lr: float, **options: Any) -> Optimizer:
    return lambda parameters: torch.optim.AdamW(parameters, lr, **options)


def sgd(lr: float, **options: Any) -> Optimizer:
    return lambda parameters: torch.optim.SGD(parameters, lr, **options)


def warm_up_then_linear(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """As most fine-tuning scripts have it: a tenth of the steps up, the others down to 0."""
    warm = max(1, steps // 10)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (steps - step) / (steps - warm))
    )


def cosine(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def one_cycle(lr: float) -> Schedule:
    return lambda optimizer, steps: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=steps
    )


def classify(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    x, y = batch
    return classified(network(x), y)


def classified(logits: Tensor, y: Tensor) -> dict[str, Tensor]:
    return {"loss": F.cross_entropy(logits, y), "acc": accuracy(logits, y)}


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(-1) == y).float().mean()


def regress(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    x, y = batch
    return {"loss": F.mse_loss(network(x).reshape(y.shape), y)}
