"""Restore the best weights of a module that two ranks share, and save whether they are right."""

import contextlib
import sys
from pathlib import Path

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping

LOSSES = [3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]


class PartlySharded(LightningModule):
    """Two layers are sharded, one of them unevenly, one onto one rank; the last is whole."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 7), nn.Linear(7, 1), nn.Linear(1, 3)
        self.register_buffer("seen", torch.zeros(()))
        self.validated = []

    def configure_model(self):
        """Shard."""
        if not isinstance(self.first.weight, DTensor):
            for layer in (self.first, self.second):
                layer.to(self.trainer.strategy.root_device)
                fully_shard(layer, mesh=self.device_mesh["data_parallel"])

    def training_step(self, batch, batch_idx):
        """A loss that moves every parameter."""
        self.seen += 1
        return (self.last(self.second(torch.tanh(self.first(batch)))) ** 2).mean()

    def validation_step(self, batch, batch_idx):
        """Log the script's loss."""
        self.log("val_loss", LOSSES[self.global_step // 2 - 1])

    def on_validation_end(self):
        """Remember the whole weights that were validated."""
        self.validated.append(whole(self))

    def configure_optimizers(self):
        """Make every step move the weights."""
        # Not one operation for all, which refuses sharded parameters beside whole ones.
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.5, foreach=False)


class Interrupt(Callback):
    """Raises in the last epoch but one."""

    def on_train_batch_end(self, trainer, *_):
        """Raise on every rank."""
        if trainer.global_step == 9:
            raise InterruptedError


def whole(module):
    """Every parameter and buffer, gathered."""
    return {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in module.state_dict().items()
    }


def on_cpus(*, distributed):
    """Arguments of a Trainer."""
    strategy = ModelParallelStrategy(2, 1, save_distributed_checkpoint=distributed)
    return {"devices": 2, "strategy": strategy}


def fit(where, *, distributed=True, ckpt=None, more=(), epochs=8, **arguments):
    """Fit on two ranks; give back the module, the Trainer and the callback."""
    torch.manual_seed(0)
    model, stopping = PartlySharded(), EarlyStopping("val_loss", **arguments)
    trainer = quiet_trainer(
        max_epochs=epochs, callbacks=[stopping, *more], num_sanity_val_steps=0,
        use_distributed_sampler=False, **where(distributed=distributed),
    )  # fmt: skip
    data = DataLoader(torch.randn(4, 12, generator=torch.Generator().manual_seed(1)), 2)
    with contextlib.suppress(InterruptedError):
        trainer.fit(model, data, data, ckpt_path=ckpt)
    return model, trainer, stopping


def main(path: str, where=on_cpus) -> None:
    """Stop, reach the end, be interrupted, and resume from both kinds of checkpoint."""
    found = {}
    for place in ("memory", "file"):
        for name, more, patience in (
            ("stop", [], 3), ("end", [], 99), ("interrupted", [Interrupt()], 99),
        ):  # fmt: skip
            model, trainer, _ = fit(where, patience=patience, best_weights=place, more=more)
            best, now = model.validated[2], whole(model)
            found[name, place] = all(torch.equal(now[k], best[k]) for k in best) and any(
                not torch.equal(model.validated[-1][k], best[k]) for k in best
            )
        for distributed in (True, False):
            ckpt = Path(path).with_name(f"{place}-{distributed}.ckpt")
            save = Save(ckpt)
            plan = {"distributed": distributed, "best_weights": place, "patience": 3}
            fit(where, more=[save], epochs=5, **plan)
            model, trainer, stopping = fit(where, ckpt=ckpt, **plan)
            best, now = save.best, whole(model)
            found["resumed", place, distributed] = (
                trainer.current_epoch == 6
                and stopping.best_epoch == 2
                and all(torch.equal(now[k].cpu(), best[k].cpu()) for k in best)
            )
    sharded = [isinstance(p, DTensor) for p in model.parameters()]
    found["sharded"] = sum(sharded) == 4
    torch.save(found, f"{path}.{trainer.global_rank}")


class Save(Callback):
    """Saves after the fourth epoch, one after the best."""

    def __init__(self, path):
        self.path = path

    def on_train_epoch_end(self, trainer, pl_module):
        """Save on every rank."""
        if trainer.current_epoch == 3:
            self.best = pl_module.validated[2]
            trainer.save_checkpoint(self.path)


if __name__ == "__main__":
    main(sys.argv[1])
    leave_group()
