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

from ..functional.arguments import number
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
    has_penalty,
    penalty,
    regularize_steps,
    regularized_weights,
    weights_of,
)
from .building_blocks.schedules import SCHEDULES, make_schedules, needs_total_steps
from .building_blocks.sharding import shard_by_layer

Stage = Literal["train", "val", "test"]
STAGES: tuple[Stage, ...] = ("train", "val", "test")


class SupervisedModule(LightningModule):
    r"""Train a network on batches ``(x, y)``; `Classifier` and `Regressor` say with which loss.

    A subclass may override `configure_network`, `configure_loss`, `configure_metrics`,
    `configure_optimizers` and `predictions`; training, validation and test share one step. The
    loss and the metrics are logged once an epoch as ``train_loss``, ``val_loss``, ...; the loss
    that is logged is that of the data, without penalties.

    Args:
        network: The network; None where a subclass makes it in `configure_network`.
        optimizer: Name, class or import path of an optimiser.
        lr: Learning rate, positive.
        optimizer_options: Further arguments of the optimiser.
        scheduler: ``"constant"``, ``"step"``, ``"exponential"``, ``"cosine"``, ``"one_cycle"``
            or ``"plateau"``.
        scheduler_options: Arguments of torch's schedule of that name.
        warmup: Steps of linear warm-up, or, below 1, its share of all steps.
        l1: Factor of L1 on the weights, biases and normalisations spared.
        l1_mode: ``"proximal"`` shrinks the weights by ``lr * l1`` after each step, which makes
            them exactly zero; ``"penalty"`` adds ``l1 * sum(|w|)`` to the loss. With either, the
            share of zeros is logged as ``zero_weights``.
        l2: Factor of L2 on the weights, in place of a decay that the optimiser has by default.
        l2_mode: ``"decoupled"`` multiplies the weights by ``1 - lr * l2`` before each step;
            ``"penalty"`` adds ``l2 / 2 * sum(w**2)`` to the loss.
        channels_last: Whether network and images are kept in that memory format, which
            convolutions in mixed precision are faster in.

    Raises:
        ValueError: If a name is unknown, a number out of range, or the learning rate or L2 is
            given in ``optimizer_options``, too.
        TypeError: If what is to be a number is none.
        TypeError: If ``network`` is not an ``nn.Module``.
    """

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
        _check_numbers(lr=lr, warmup=warmup, l1=l1, l2=l2)
        choose("scheduler", scheduler, dict.fromkeys(SCHEDULES))
        choose("l1_mode", l1_mode, {"proximal": 0, "penalty": 0})
        choose("l2_mode", l2_mode, {"decoupled": 0, "penalty": 0})
        check_optimizer(optimizer, optimizer_options or {}, l2)
        self._save_plain_hyperparameters(inspect.currentframe())
        self.lr = lr
        self.optimizer, self.optimizer_options = optimizer, dict(optimizer_options or {})
        self.scheduler, self.scheduler_options = scheduler, dict(scheduler_options or {})
        self.warmup = warmup
        self.regularization: dict[str, Any] = {
            "l1": l1, "l1_mode": l1_mode, "l2": l2, "l2_mode": l2_mode
        }  # fmt: skip
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
        if "_instantiator" in self.hparams:  # LightningCLI's own, a network's class path included
            self.save_hyperparameters(frame=frame)
            return
        for name in set(self.hparams) - set(arguments):  # a base class's own arguments
            del self.hparams[name]
        changed = plain_hyperparameters({k: v for k, v in arguments.items() if k != "network"})
        self.hparams.update(changed)
        # To save them once more would compare each with all, which arrays have no answer to.
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

    # What a subclass may override

    def configure_network(self) -> nn.Module:
        """The network, where none was given; ``self.hparams`` holds the arguments."""
        raise NotImplementedError(
            f"Expected {type(self).__name__} to get a `network` or to override "
            "`configure_network`, but it does neither."
        )

    def configure_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Mean loss of outputs and targets."""
        raise NotImplementedError

    def configure_metrics(self, stage: Stage) -> MetricCollection:
        """Metrics of outputs and targets, apart from the loss, for one stage."""
        raise NotImplementedError

    def predictions(self, outputs: Tensor) -> Tensor:
        """What ``predict`` gives for the network's outputs."""
        return outputs

    def checked_targets(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Targets as the loss takes them, or an error where they do not fit the outputs."""
        return targets

    def metric_outputs(self, outputs: Tensor) -> Tensor:
        """Outputs, in single precision, in the form in which the metrics take them."""
        return outputs

    def metric_targets(self, targets: Tensor) -> Tensor:
        """Targets in the form in which the metrics take them."""
        return targets

    # One step for all

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the network."""
        if self.channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        outputs: Tensor = self.network(x)
        return outputs

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of the batch with penalties."""
        loss = self._step(batch, "train")
        if has_penalty(**self.regularization):
            loss = loss + penalty(regularized_weights(self.network), **self.regularization)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the validation metrics."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update the test metrics."""
        self._step(batch, "test")

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Predictions for ``x`` or ``(x, y)``."""
        return self.predictions(self(batch[0] if isinstance(batch, (tuple, list)) else batch))

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
            if "more than 1 value per channel" not in str(error):
                raise
            raise ValueError(
                "Expected a training batch of at least 2 samples, because BatchNorm needs several "
                f"values, but got {len(x)}. Use a larger `batch_size`, more training data, "
                '`drop_last=True` in the data loader, or `norm="layer"`.'
            ) from error
        return outputs

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _keep(self, stage: Stage, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        self._metrics_of(stage).add(loss, outputs, self.metric_targets(targets))

    def _metrics_of(self, stage: Stage) -> EpochMetrics:
        metrics = self.epoch_metrics[f"{stage}_metrics"]
        return metrics  # type: ignore[return-value]

    # Once an epoch

    def on_train_epoch_start(self) -> None:
        """Go on with the generators where a checkpoint left them."""
        self._metrics_of("train").reset()
        self._restore_generators()

    def _restore_generators(self) -> None:
        if self._generator_states is not None:
            restore_generator_state(self.trainer, self._generator_states)
        self._generator_states = None

    def on_train_epoch_end(self) -> None:
        """Log the epoch's metrics."""
        self._restore_epoch()
        self._log_epoch("train")
        if self.regularization["l1"]:
            self.log("zero_weights", zero_fraction(regularized_weights(self.network)))

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
        # The values are those over all ranks already: the mean over ranks leaves them as they are.
        for name, value in scalars.items():
            self.log(name, value, prog_bar=stage != "test" and name in shown, sync_dist=True)
        return values

    # Optimisation

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser over all trainable parameters, with regularisation and schedule.

        Optimisers of a subclass that overrides it are regularised when training starts.
        """
        trainable = [p for p in self.parameters() if p.requires_grad]
        made = make_optimizer(
            self.optimizer,
            trainable,
            self.lr,
            self.optimizer_options,
            l2=self.regularization["l2"],
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
        """Let a schedule go by the training loss where validation turns out to have no batch."""
        if self.trainer.val_dataloaders is not None and not sum(self.trainer.num_val_batches):
            for config in self.trainer.lr_scheduler_configs:
                if config.monitor == "val_loss":
                    config.monitor, config.frequency = "train_loss", 1

    def _regularize(self, optimizer: Optimizer) -> None:
        regularize_steps(optimizer, weights_of(self.network), **self.regularization)

    def _total_steps(self) -> int:
        if not needs_total_steps(self.scheduler, self.warmup):
            return 0
        steps = self.trainer.estimated_stepping_batches
        # Lightning says -1 where it cannot count the batches of an epoch.
        if steps == float("inf") or steps < 0:
            raise ValueError(
                f"Expected a training of known length for `scheduler={self.scheduler!r}` and "
                f"`warmup={self.warmup}`, but it has none: give the Trainer `max_steps`, or "
                "`max_epochs` with a loader that has a length or `limit_train_batches`."
            )
        # Of a fit that goes on with one of the same Trainer, the steps that are left.
        done = 0 if self.trainer.ckpt_path else self.trainer.global_step
        return max(1, int(steps) - done)

    def on_train_start(self) -> None:
        """Regularise the steps of optimisers that a subclass has made itself."""
        self._watch_what_is_logged()
        done, self._regularized = self._regularized, None
        for optimizer in self.trainer.optimizers:
            if optimizer is not done:
                self._regularize(optimizer)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Go on in mid-epoch; scale the weights of ``init="lsuv"`` once."""
        self._restore_generators()
        if batch_idx == 0:
            # Resumed a second time, Lightning may train the epoch again from its start.
            self._epoch_so_far = None
        self._restore_epoch()
        self._metrics_of("train").begin_batch()
        if self.hparams.get("init") == "lsuv" and not self._is_scaled and batch_idx == 0:
            self._is_scaled = True
            lsuv_(self.network, batch[0], reduce=self.trainer.strategy.reduce)

    # Exact resume

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the generators that dropout draws from, and the metrics of the epoch so far."""
        checkpoint["torchvitals_generators"] = generator_states(self.trainer)
        batches: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        so_far = self._metrics_of("train").state(batches.ready == batches.processed)
        checkpoint["torchvitals_epoch"] = {
            "epoch": self.trainer.current_epoch,
            "ranks": of_every_rank(self.trainer, so_far),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember both until training goes on; weights that were trained are not scaled again."""
        self._is_scaled = checkpoint.get("global_step", 0) > 0
        self._generator_states = checkpoint.get("torchvitals_generators")
        self._epoch_so_far = checkpoint.get("torchvitals_epoch")

    def _restore_epoch(self) -> None:
        """Go on with the metrics of the same epoch, on as many ranks."""
        loaded, self._epoch_so_far = self._epoch_so_far, None
        if loaded is None or loaded["epoch"] != self.trainer.current_epoch:
            return
        if len(loaded["ranks"]) == self.trainer.world_size:
            state = loaded["ranks"][self.trainer.global_rank]
            if state is not None:
                self._metrics_of("train").load_state(state)
        elif any(loaded["ranks"]):
            rank_zero_warn(
                "Over the epoch that is resumed, the training metrics will be those of its rest: "
                f"the checkpoint has them of {len(loaded['ranks'])} of the ranks, of which there "
                f"are {self.trainer.world_size} now. Resume on as many ranks, from a checkpoint "
                "that was not saved after an exception."
            )


def _pair(batch: Any) -> tuple[Tensor, Tensor]:
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        what = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise ValueError(
            f"Expected batches `(x, y)`, but got {what}: let the loader give pairs. A data module "
            "makes them of its own batches where it is given itself, as in "
            "`fit(model, datamodule=data)`."
        )
    x, y = batch
    return x, y


def _check_numbers(*, lr: float, warmup: float, l1: float, l2: float) -> None:
    number("lr", lr, above=0)
    for name, value in (("warmup", warmup), ("l1", l1), ("l2", l2)):
        number(name, value, least=0)
