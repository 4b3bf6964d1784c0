"""Classification with any network."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Accuracy, MeanMetric, MetricCollection

from ._generator_state import GeneratorState, generator_states, restore_generator_state
from .building_blocks import ACTIVATIONS, OPTIMIZERS, optimizer_factory, plain_name


class Classifier(LightningModule):
    """Train any network that maps a batch to logits, with cross-entropy.

    Each batch is ``(x, y)``: ``y`` holds class indices, int64, shape ``(N,)``. Loss and accuracy
    are logged once an epoch as ``train_loss``, ``train_accuracy``, ``val_loss``, ...

    Args:
        network: Maps ``x`` to logits of shape ``(N, num_classes)``.
        num_classes: Number of classes, at least 2.
        optimizer: Name or class of ``torch.optim``.
        lr: Learning rate, positive.

    Raises:
        ValueError: If ``num_classes`` is below 2, ``lr`` not positive or ``optimizer`` unknown.
        TypeError: If ``network`` is not an ``nn.Module``.

    Example:
        >>> classifier = Classifier(nn.Linear(4, 3), num_classes=3, optimizer="sgd", lr=0.1)
        >>> classifier(torch.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        *,
        optimizer: str | type[Optimizer] = "adam",
        lr: float = 1e-3,
    ) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise TypeError(f"Expected `network` to be an nn.Module, but got {network!r}.")
        if num_classes < 2:
            raise ValueError(f"Expected `num_classes` to be at least 2, but got {num_classes}.")
        if not lr > 0:
            raise ValueError(f"Expected `lr` to be positive, but got {lr}.")
        self._optimizer_factory = optimizer_factory(optimizer)
        self.save_hyperparameters(ignore=["network"])
        for name, table in (("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
            if name in self.hparams:
                self.hparams[name] = plain_name(self.hparams[name], table)
        self.network = network
        self.num_classes = num_classes
        self.lr = lr
        self.metrics = nn.ModuleDict(
            {stage + "_metrics": self._metrics(stage) for stage in _STAGES}
        )
        self._generator_states: list[GeneratorState] | None = None

    def _metrics(self, stage: str) -> MetricCollection:
        accuracy = Accuracy(task="multiclass", num_classes=self.num_classes)
        return MetricCollection({"loss": MeanMetric(), "accuracy": accuracy}, prefix=f"{stage}_")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape ``(N, num_classes)``."""
        try:
            logits: Tensor = self.network(x)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                "Expected a training batch of at least 2 samples, because BatchNorm needs several "
                f"values, but got {x.shape[0]}. Use a larger `batch_size`, more training data, "
                'or `norm="layer"`.'
            ) from error
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of the batch."""
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the validation metrics."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the test metrics."""
        self._step(batch, "test")

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Class probabilities of shape ``(N, num_classes)``."""
        x = batch[0] if isinstance(batch, (tuple, list)) else batch
        return torch.softmax(self(x), -1)

    def _step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        x, y = batch
        logits = self(x)
        self._check(logits, y)
        loss = nn.functional.cross_entropy(logits, y)
        metrics = self.metrics[stage + "_metrics"]
        metrics["loss"].update(loss.detach(), weight=len(y))  # type: ignore[index]
        metrics["accuracy"].update(logits.detach(), y)  # type: ignore[index]
        return loss

    def _check(self, logits: Tensor, y: Tensor) -> None:
        expected = (len(logits), self.num_classes)
        if tuple(logits.shape) != expected:
            raise ValueError(
                f"Expected `network` to give logits of shape {expected} (batch, num_classes), "
                f"but got {tuple(logits.shape)}."
            )
        if y.shape != expected[:1] or y.dtype != torch.int64:
            raise ValueError(
                f"Expected `y` to hold one class index for each sample, int64 of shape "
                f"{expected[:1]}, but got {y.dtype} of shape {tuple(y.shape)}."
            )
        # Only on the host: reading the labels back from a device would stall every step.
        if y.device.type == "cpu" and len(y):
            lowest, highest = int(y.min()), int(y.max())
            if lowest < 0 or highest >= self.num_classes:
                raise ValueError(
                    f"Expected labels from 0 to {self.num_classes - 1}, but got {lowest} to "
                    f"{highest}. Set `num_classes` to the number of classes or mend the labels."
                )

    def on_train_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._log_epoch("test")

    def _log_epoch(self, stage: str) -> None:
        metrics = self.metrics[stage + "_metrics"]
        self.log_dict(metrics.compute(), prog_bar=stage != "test")  # type: ignore[operator]
        metrics.reset()  # type: ignore[operator]

    def configure_optimizers(self) -> Optimizer:
        """The optimiser over all trainable parameters."""
        trainable = [p for p in self.parameters() if p.requires_grad]
        return self._optimizer_factory(trainable, lr=self.lr)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of the generators that dropout draws from, for an exact resume."""
        checkpoint["torchvitals_generators"] = generator_states(self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember the generators' state until training goes on."""
        self._generator_states = checkpoint.get("torchvitals_generators")

    def on_train_epoch_start(self) -> None:
        """Go on with the generators where the checkpoint left them."""
        if self._generator_states is not None:
            restore_generator_state(self.trainer, self._generator_states)
        self._generator_states = None


_STAGES = ("train", "val", "test")
