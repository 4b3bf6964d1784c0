"""Train on a number of ranks, sharded where there are several, and save what was recorded."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from torchvitals.callbacks import GradientNormMonitor, TrainingDoctor, UpdateRatioMonitor


class InOrder(LightningDataModule):
    """Batches of 16 over all ranks, the same ones for any number of them."""

    def train_dataloader(self):
        """This rank's share of each batch."""
        generator = torch.Generator().manual_seed(1)
        data = TensorDataset(torch.randn(64, 12, generator=generator), torch.arange(64) % 3)
        ranks, rank = self.trainer.world_size, self.trainer.global_rank
        sampler = DistributedSampler(data, ranks, rank, shuffle=False)
        return DataLoader(data, 16 // ranks, sampler=sampler)


class PartlySharded(LightningModule):
    """Two layers are sharded, one of them unevenly; the last is whole on every rank."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(12, 7), nn.Linear(7, 1), nn.Linear(8, 3)

    def configure_model(self):
        """Shard, where there are ranks to shard over."""
        mesh = self.device_mesh
        if mesh is not None and not isinstance(self.first.weight, DTensor):
            for layer in (self.first, self.second):
                layer.to(self.trainer.strategy.root_device)
                fully_shard(layer, mesh=mesh["data_parallel"])

    def training_step(self, batch, batch_idx):
        """Loss of one batch."""
        x, y = batch
        x = torch.tanh(self.first(x))
        return nn.functional.cross_entropy(self.last(torch.cat([x, self.second(x)], 1)), y)

    def on_after_backward(self):
        """Average the gradients that nobody else does."""
        for parameter in self.last.parameters():
            if self.trainer.world_size > 1:
                parameter.grad = self.trainer.strategy.reduce(parameter.grad)

    def configure_optimizers(self):
        """Momentum, so that updates are not gradients."""
        # Not one operation for all, which refuses sharded parameters beside whole ones.
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, foreach=False)


def on_cpus(ranks: int) -> dict[str, Any]:
    """Arguments of a Trainer."""
    return {"devices": ranks, "strategy": ModelParallelStrategy(ranks, 1) if ranks > 1 else "auto"}


def examine(where: dict[str, Any]) -> dict[str, list[float]]:
    """What the doctor saw."""
    torch.manual_seed(0)
    doctor = TrainingDoctor(2)
    trainer = quiet_trainer(max_epochs=2, callbacks=[doctor], **where)
    trainer.fit(PartlySharded(), InOrder())
    if doctor.failed or any(monitor.failed for monitor in doctor._monitors):
        raise ValueError("Expected the doctor to go on, but it switched itself off.")
    vitals = doctor._observation.vitals
    return {
        "losses": vitals.losses,
        "data losses": vitals.data_losses,
        "targets": list(vitals.objective.target_counts),
        "gradients": doctor.gradients.history["first"],
        "entries": [float(layer.entries) for layer in vitals.layers],
        "ran": [float(layer.ran and layer.has_gradient) for layer in vitals.layers],
    }


def main(ranks: int, path: str, where: Callable[[int], dict[str, Any]] = on_cpus) -> None:
    """Fit with norms of three orders, and with a doctor."""
    torch.manual_seed(0)
    gradients = [GradientNormMonitor(1, norm_type=p) for p in (2.0, 1.0, float("inf"))]
    updates = UpdateRatioMonitor(1)
    found = []
    for monitor in [*gradients, updates]:
        torch.manual_seed(0)
        trainer = quiet_trainer(max_epochs=2, callbacks=[monitor], **where(ranks))
        model = PartlySharded()
        trainer.fit(model, InOrder())
        sharded = [isinstance(p, DTensor) for p in model.parameters()]
        if sum(sharded) != (4 if ranks > 1 else 0):
            raise ValueError(f"Expected {ranks} ranks to shard two layers, but got {sharded}.")
        if monitor.failed or len(monitor.steps) != 8:
            raise ValueError(f"Expected 8 reports, but got {monitor.steps}.")
        found.append(monitor.history)
    found.append(examine(where(ranks)))
    torch.save(found, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
    leave_group()
