"""A regression whose steps are of several batches, and interruptions at a batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping

from .training import quiet_trainer

# Steps are of three batches, the last of an epoch of one.
BATCHES, IN_A_STEP = 7, 3
_generator = torch.Generator().manual_seed(0)
X = torch.randn(2 * BATCHES, 4, generator=_generator)
Y = X @ torch.tensor([1.0, -2.0, 0.5, 3.0]) + torch.randn(2 * BATCHES, generator=_generator)


class Regresses(LightningModule):
    """Overshoots, so that the validation loss rises before it falls."""

    def __init__(self, sharded: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.sharded = sharded
        self.linear, self.out = nn.Linear(4, 3), nn.Linear(3, 1)
        if not sharded:  # Nor does torch load an optimiser that has no state of it there.
            self.unused = nn.Linear(4, 1)

    def configure_model(self) -> None:
        if self.sharded and not isinstance(self.out.weight, DTensor):
            fully_shard(self.linear, mesh=self.device_mesh["data_parallel"])
            fully_shard(self.out, mesh=self.device_mesh["data_parallel"])

    def loss(self, rows: slice) -> Tensor:
        found = self.out(self.linear(X[rows])).squeeze(1)
        return nn.functional.mse_loss(found, Y[rows])

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        # By its number: a plain loader begins again where an epoch is resumed in its midst.
        ranks, start = self.trainer.world_size, 2 * batch_idx
        return self.loss(slice(start + self.global_rank, start + 2, ranks))

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_loss", self.loss(slice(None)), sync_dist=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9)


class Sparse(Regresses):
    """Looks two words up for each batch, or one on each of two ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(2 * BATCHES, 1, sparse=True)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        ranks, start = self.trainer.world_size, 2 * batch_idx
        words = self.words(torch.arange(start + self.global_rank, start + 2, ranks))
        return super().training_step(batch, batch_idx) + words.square().mean()


class ByHand(Regresses):
    """Sums up gradients under manual optimisation; its steps end at no epoch."""

    def __init__(self, broken: int | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.broken = broken

    @property
    def done(self) -> int:
        total: int = self.trainer.fit_loop.epoch_loop.batch_progress.total.processed
        return total

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        self.learn(super().training_step(batch, batch_idx) / IN_A_STEP)

    def learn(self, loss: Tensor) -> None:
        optimizer: Any = self.optimizers()
        if self.done == self.broken:
            raise InterruptedError
        self.manual_backward(loss)
        if self.done % IN_A_STEP == IN_A_STEP - 1:
            optimizer.step()
            optimizer.zero_grad()


class SavesAt(Callback):
    """Saves a checkpoint in a hook of a batch, counted from the start, and interrupts the run."""

    def __init__(self, path: Path, hook: str, batch: int) -> None:
        self.path, self.batch = path, batch
        setattr(self, hook, self.save)

    def save(self, trainer: Trainer, *_: Any) -> None:
        done = trainer.fit_loop.epoch_loop.batch_progress.total.processed
        if done == self.batch and not trainer.sanity_checking:
            trainer.save_checkpoint(self.path)
            raise InterruptedError


def fit(
    saves: SavesAt | None = None,
    ckpt: Path | None = None,
    model: Regresses | None = None,
    stopping: Callback | None = None,
    more: Sequence[Callback] = (),
    **settings: Any,
) -> dict[str, Any]:
    """Where training stopped, and the curve and weights of it."""
    stops = EarlyStopping("val_loss", patience=3, restore_best_weights=False)
    stopping = stopping or stops
    model = model or Regresses()
    in_a_step = IN_A_STEP if model.automatic_optimization else 1
    given = {"max_epochs": 6, "accumulate_grad_batches": in_a_step, "val_check_interval": 2}
    trainer = quiet_trainer(
        callbacks=[stopping, *more, *([saves] if saves else [])], num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **{**given, **settings},
    )  # fmt: skip
    loaders = DataLoader(torch.zeros(BATCHES)), DataLoader(torch.zeros(1))
    try:
        trainer.fit(model, *loaders, ckpt_path=ckpt)
    except InterruptedError:
        if saves is None:
            raise
    curve = stopping.judge.first.values if isinstance(stopping, EarlyStopping) else []
    return {"step": trainer.global_step, "curve": curve, "weights": whole(model)}


def whole(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: (p.full_tensor() if isinstance(p, DTensor) else p).detach().clone()
        for name, p in model.named_parameters()
    }
