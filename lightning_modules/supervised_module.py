"""One training loop for classification and regression."""

import copy
import inspect
from collections.abc import Callable
from types import FrameType
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection

from ..functional.arguments import number, plain_value
from ..functional.choices import choose
from ..functional.penalties import zero_fraction
from .building_blocks.choices import Options
from .building_blocks.epoch_metrics import EpochMetrics
from .building_blocks.generator_state import (
    GeneratorState,
    generator_states,
    of_every_rank,
    restore_generator_state,
)
from .building_blocks.hyperparameters import outermost_arguments, plain_hyperparameters
from .building_blocks.lsuv import lsuv_
from .building_blocks.optimizers import check_optimizer, make_optimizer
from .building_blocks.regularization import (
    L1Mode,
    L2Mode,
    Regularization,
    regularized_weights,
    weights_of,
)
from .building_blocks.schedules import SCHEDULES, make_schedules, needs_total_steps
from .building_blocks.sharding import shard_by_layer

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")


class SupervisedModule(LightningModule):
    r"""Train a network on batches ``(x, y)``; `Classifier` and `Regressor` define the loss.

    A subclass may override `configure_network`, `configure_loss`, `configure_metrics`,
    `configure_optimizers` and `predictions`; training, validation and test share one step. Loss
    and metrics are logged once per epoch as ``train_loss``, ``val_loss``, ...; the logged loss is
    the data loss, without penalties.

    Args:
        network: The network; None if a subclass creates it in `configure_network`.
        optimizer: Name, class or import path of an optimiser.
        lr: Learning rate, positive.
        optimizer_options: Further arguments of the optimiser.
        scheduler: ``"constant"``, ``"step"``, ``"exponential"``, ``"cosine"``, ``"one_cycle"``
            or ``"plateau"``.
        scheduler_options: Arguments of the torch scheduler.
        warmup: Steps of linear warm-up or, below 1, their fraction of all steps.
        l1: Factor of L1 regularisation of the weights, without biases and normalisations.
        l1_mode: ``"proximal"`` shrinks the weights by ``lr * l1`` after each step, which sets
            small ones exactly to zero; ``"penalty"`` adds ``l1 * sum(|w|)`` to the loss. With
            either, the fraction of zeros is logged as ``zero_weights``.
        l2: Factor of L2 regularisation of the same weights; replaces the optimiser's default decay.
        l2_mode: ``"decoupled"`` multiplies the weights by ``1 - lr * l2`` before each step;
            ``"penalty"`` adds ``l2 / 2 * sum(w**2)`` to the loss.
        channels_last: Whether to keep network and images in the channels-last memory format, which
            makes convolutions in mixed precision faster.

    Raises:
        ValueError: If a name is unknown, a number is out of range, or ``optimizer_options`` repeat
            the learning rate or L2.
        TypeError: If an argument should be a number but is not.
        TypeError: If ``network`` is not an ``nn.Module``.
    """

    _init_scheme = "default"  # set by a subclass that has initialised the network by another

    def __init__(
        self,
        network: nn.Module | None,
        *,
        optimizer: Any = "adam",
        lr: float = 1e-3,
        optimizer_options: Options | None = None,
        scheduler: str = "constant",
        scheduler_options: Options | None = None,
        warmup: int | float = 0,
        l1: float = 0.0,
        l1_mode: L1Mode = "proximal",
        l2: float = 0.0,
        l2_mode: L2Mode = "decoupled",
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        number("lr", lr, above=0)
        number("warmup", warmup, least=0)
        choose("scheduler", scheduler, dict.fromkeys(SCHEDULES))
        self.regularization = Regularization(l1, l1_mode, l2, l2_mode)
        check_optimizer(optimizer, optimizer_options or {}, l2)
        self._save_plain_hyperparameters(inspect.currentframe())
        self.optimizer, self.scheduler = optimizer, scheduler
        # Checkpoints have these in the states of optimisers and schedulers.
        self.lr = plain_value(lr)
        self.optimizer_options = plain_value(dict(optimizer_options or {}))
        self.scheduler_options = plain_value(dict(scheduler_options or {}))
        self.warmup = warmup
        self.channels_last = channels_last
        self.network = self._checked_network(network)
        self.compute_loss = self.configure_loss()
        self.epoch_metrics = nn.ModuleDict(
            {
                f"{stage}_metrics": EpochMetrics(self.configure_metrics(stage), self.metric_outputs)
                for stage in STAGES
            }
        )
        self._regularized: Optimizer | None = None
        self._is_scaled = False
        self._generator_states: list[GeneratorState] | None = None
        self._epoch_so_far: dict[str, Any] | None = None

    def _save_plain_hyperparameters(self, frame: FrameType | None) -> None:
        arguments = outermost_arguments(self, frame)
        modules = [name for name, value in arguments.items() if isinstance(value, nn.Module)]
        self.save_hyperparameters(ignore=["network", *modules], frame=frame)
        if "_instantiator" in self.hparams:  # set by LightningCLI, with a network's class path
            self.save_hyperparameters(frame=frame)
            return
        for name in set(self.hparams) - set(arguments):  # a base class's own arguments
            del self.hparams[name]
        changed = plain_hyperparameters({k: v for k, v in arguments.items() if k != "network"})
        self.hparams.update(changed)
        # Saving them again would compare values, which is ambiguous for arrays.
        self._hparams_initial = copy.deepcopy(self.hparams)

    def _checked_network(self, network: nn.Module | None) -> nn.Module:
        network = self.configure_network() if network is None else network
        if not isinstance(network, nn.Module):
            raise TypeError(f"Expected `network` to be an nn.Module, but got {network!r}.")
        if self.channels_last:
            network = network.to(memory_format=torch.channels_last)
        return network

    def configure_model(self) -> None:
        """Shard the network under Lightning's ``ModelParallelStrategy`` (FSDP2), layer by layer."""
        if self.device_mesh is not None:
            shard_by_layer(self.network, self.device_mesh["data_parallel"])

    # Methods that a subclass may override

    def configure_network(self) -> nn.Module:
        """Create the network if none was given; ``self.hparams`` holds the arguments."""
        raise NotImplementedError(
            f"Expected {type(self).__name__} to get a `network` or to override "
            "`configure_network`, but it does neither."
        )

    def configure_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return a function that computes the mean loss of outputs and targets."""
        raise NotImplementedError

    def configure_metrics(self, stage: Stage) -> MetricCollection:
        """Return the metrics of one stage, apart from the loss."""
        raise NotImplementedError

    def predictions(self, outputs: Tensor) -> Tensor:
        """Convert the network's outputs into what ``predict`` returns."""
        return outputs

    def checked_targets(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return targets in the form that the loss expects; raise if they do not fit outputs."""
        return targets

    def metric_outputs(self, outputs: Tensor) -> Tensor:
        """Convert outputs, given in single precision, into the form that the metrics expect."""
        return outputs

    def metric_targets(self, targets: Tensor) -> Tensor:
        """Convert targets into the form that the metrics expect."""
        return targets

    # One step for all stages

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of the network."""
        if self.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        outputs: Tensor = self.network(x)
        return outputs

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of the batch, including penalties."""
        loss = self._step(batch, "train")
        penalty = self.regularization.penalty(self.network)
        return loss if penalty is None else loss + penalty

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the validation metrics."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the test metrics."""
        self._step(batch, "test")

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return predictions for ``x`` or ``(x, y)``."""
        if isinstance(batch, (tuple, list)):
            # The third part of a data module's batch says that it was not converted.
            batch = batch[0] if len(batch) == 1 else _pair(batch)[0]
        return self.predictions(self(batch))

    def _step(self, batch: tuple[Tensor, Tensor], stage: Stage) -> Tensor:
        x, targets = _pair(batch)
        outputs = self._outputs(x)
        targets = self.checked_targets(outputs, targets)
        loss = self.compute_loss(outputs, targets)
        self._keep(stage, loss, outputs, targets)
        return loss

    def _outputs(self, x: Tensor) -> Tensor:
        try:
            outputs: Tensor = self(x)
        except ValueError as error:
            if "more than 1 value per channel" in str(error):
                raise ValueError(
                    "Expected a training batch of at least 2 samples, because BatchNorm needs "
                    f"several values, but got {len(x)}. Use a larger `batch_size`, more training "
                    'data, `drop_last=True` in the data loader, or `norm="layer"`.'
                ) from error
            if "more than 1 spatial element" in str(error):
                raise ValueError(
                    "Expected larger images, because instance normalisation needs several "
                    f'positions, but got the shape {tuple(x.shape)}. `norm="group"` needs none.'
                ) from error
            raise
        return outputs

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _keep(self, stage: Stage, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        self._metrics_of(stage).add(loss, outputs, self.metric_targets(targets))

    def _metrics_of(self, stage: Stage) -> EpochMetrics:
        metrics = self.epoch_metrics[f"{stage}_metrics"]
        return metrics  # type: ignore[return-value]

    # Once per epoch

    def on_train_epoch_start(self) -> None:
        """Reset the training metrics; restore the random state of a resumed checkpoint."""
        self._metrics_of("train").reset()
        self._restore_generators()

    def _restore_generators(self) -> None:
        if self._generator_states is not None:
            restore_generator_state(self.trainer, self._generator_states)
        self._generator_states = None

    def on_validation_epoch_start(self) -> None:
        """Reset the validation metrics, which an interrupted validation leaves behind."""
        self._metrics_of("val").reset()

    def on_test_epoch_start(self) -> None:
        """Reset the test metrics, which an interrupted test leaves behind."""
        self._metrics_of("test").reset()

    def on_train_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._restore_epoch()
        self._log_epoch("train")
        if self.regularization.l1 and (weights := regularized_weights(self.network)):
            self.log("zero_weights", zero_fraction(weights))

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._log_epoch("test")

    def _log_epoch(self, stage: Stage) -> dict[str, Tensor]:
        values = {f"{stage}_{k}": v for k, v in self._metrics_of(stage).compute().items()}
        scalars = {name: value for name, value in values.items() if value.ndim == 0}
        shown = {f"{stage}_loss", f"{stage}_accuracy"}
        # The values are already reduced over all ranks: averaging them again changes nothing.
        for name, value in scalars.items():
            self.log(name, value, prog_bar=stage != "test" and name in shown, sync_dist=True)
        return values

    # Optimisation

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimiser of all trainable parameters, with regularisation, and its schedule.

        If a subclass overrides this, its optimisers are regularised when training starts.
        """
        trainable = [p for p in self.parameters() if p.requires_grad]
        made = make_optimizer(
            self.optimizer,
            trainable,
            self.lr,
            self.optimizer_options,
            l2=self.regularization.l2,
        )
        self._regularize(made)
        self._regularized = made
        schedules = make_schedules(
            made,
            self.scheduler,
            total_steps=self._total_steps(),
            warmup=self.warmup,
            monitor="val_loss" if self.trainer.enable_validation else "train_loss",
            every_n_epochs=self.trainer.check_val_every_n_epoch or 1,
            options=self.scheduler_options,
        )
        return [made], schedules  # type: ignore[return-value]

    def _watch_what_is_logged(self) -> None:
        """Let a schedule monitor the training loss if validation turns out to have no batches."""
        if self.trainer.val_dataloaders is not None and not sum(self.trainer.num_val_batches):
            for config in self.trainer.lr_scheduler_configs:
                if config.monitor == "val_loss":
                    config.monitor, config.frequency = "train_loss", 1

    def _regularize(self, optimizer: Optimizer) -> None:
        self.regularization.regularize_steps(optimizer, weights_of(self.network))

    def _total_steps(self) -> int:
        if not needs_total_steps(self.scheduler, self.warmup):
            return 0
        steps = self.trainer.estimated_stepping_batches
        # Lightning returns -1 if it cannot count the batches of an epoch.
        if steps == float("inf") or steps < 0:
            raise ValueError(
                f"Expected a training run of known length for `scheduler={self.scheduler!r}` and "
                f"`warmup={self.warmup}`, but its length is unknown: set `max_steps` of the "
                "Trainer, or `max_epochs` with a loader that has a length or `limit_train_batches`."
            )
        # A fit that continues an earlier one of the same Trainer takes only the remaining steps.
        done = 0 if self.trainer.ckpt_path else self.trainer.global_step
        return max(1, int(steps) - done)

    def on_train_start(self) -> None:
        """Regularise the steps of optimisers that a subclass has created itself."""
        self._watch_what_is_logged()
        done, self._regularized = self._regularized, None
        for optimizer in self.trainer.optimizers:
            if optimizer is not done:
                self._regularize(optimizer)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Resume in mid-epoch; rescale the weights of ``init="lsuv"`` once."""
        self._restore_generators()
        if batch_idx == 0:
            # When a run is resumed a second time, Lightning may restart the epoch.
            self._epoch_so_far = None
        self._restore_epoch()
        self._metrics_of("train").begin_batch()
        if self._init_scheme == "lsuv" and not self._is_scaled and batch_idx == 0:
            self._is_scaled = True
            lsuv_(self.network, batch[0], reduce=self.trainer.strategy.reduce)

    # Exact resume

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the random state that dropout draws from, and the metrics of the epoch so far."""
        checkpoint["torchvitals_generators"] = generator_states(self.trainer)
        batches: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        so_far = self._metrics_of("train").state(batches.ready == batches.processed)
        checkpoint["torchvitals_epoch"] = {
            "epoch": self.trainer.current_epoch,
            "ranks": of_every_rank(self.trainer, so_far),
        }

    def setup(self, stage: str) -> None:
        """Forget both if they are not of the checkpoint that is resumed, which is loaded later."""
        self._generator_states = self._epoch_so_far = None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep both until training resumes; trained weights are not rescaled."""
        self._is_scaled = checkpoint.get("global_step", 0) > 0
        self._generator_states = checkpoint.get("torchvitals_generators")
        self._epoch_so_far = checkpoint.get("torchvitals_epoch")

    def _restore_epoch(self) -> None:
        """Restore the metrics of the epoch if it and the number of ranks are the same."""
        loaded, self._epoch_so_far = self._epoch_so_far, None
        if loaded is None or loaded["epoch"] != self.trainer.current_epoch:
            return
        if len(loaded["ranks"]) == self.trainer.world_size:
            state = loaded["ranks"][self.trainer.global_rank]
            if state is not None:
                self._metrics_of("train").load_state(state)
        elif any(loaded["ranks"]):
            rank_zero_warn(
                "The training metrics of the resumed epoch will cover its remaining batches only: "
                f"the checkpoint holds the metrics of {len(loaded['ranks'])} rank(s), but this run "
                f"has {self.trainer.world_size}. To keep them, resume on as many ranks, from a "
                "checkpoint that was not saved after an exception."
            )


def _pair(batch: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        what = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise ValueError(
            f"Expected batches `(x, y)`, but got {what}: the loader must yield pairs. A data "
            "module converts its batches into pairs if it is passed itself, as in "
            "`fit(model, datamodule=data)`."
        )
    x, y = batch
    return x, y
