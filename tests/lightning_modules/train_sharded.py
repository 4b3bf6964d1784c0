"""Train on a number of ranks, sharded where there are several, and save the whole weights."""

import sys

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch import LightningDataModule
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from torchvitals.lightning_modules import MLPClassifier


class InOrder(LightningDataModule):
    """Batches of 16 over all ranks, the same ones for any number of them."""

    def train_dataloader(self):
        """This rank's share of each batch."""
        generator = torch.Generator().manual_seed(1)
        data = TensorDataset(torch.randn(32, 12, generator=generator), torch.arange(32) % 3)
        ranks, rank = self.trainer.world_size, self.trainer.global_rank
        sampler = DistributedSampler(data, ranks, rank, shuffle=False)
        return DataLoader(data, 16 // ranks, sampler=sampler)


def main(ranks: int, path: str) -> None:
    """Fit with L1 and L2 of each mode, and save weights, share of zeros and metrics."""
    runs = []
    for l1_mode, l2_mode in (("proximal", "decoupled"), ("penalty", "penalty")):
        torch.manual_seed(0)
        model = MLPClassifier(
            12, 3, hidden=(8, 8), norm="layer", optimizer="adam", lr=0.01,
            l1=0.02, l1_mode=l1_mode, l2=0.1, l2_mode=l2_mode,
        )  # fmt: skip
        strategy = ModelParallelStrategy(ranks, 1) if ranks > 1 else "auto"
        trainer = quiet_trainer(max_epochs=3, devices=ranks, strategy=strategy)
        trainer.fit(model, InOrder())
        sharded = [isinstance(p, DTensor) for p in model.network.parameters()]
        if set(sharded) != {ranks > 1}:
            raise ValueError(f"Expected {ranks} ranks to shard all parameters, but got {sharded}.")
        weights = {
            name: (p.full_tensor() if isinstance(p, DTensor) else p).detach()
            for name, p in model.network.named_parameters()
        }
        zeros, loss = (float(trainer.callback_metrics[k]) for k in ("zero_weights", "train_loss"))
        runs.append({"weights": weights, "zeros": zeros, "loss": loss})
    torch.save(runs, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
    leave_group()
