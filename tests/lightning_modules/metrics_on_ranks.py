"""Validate outputs as they are on a number of ranks, and save what is logged."""

import sys

import torch
from helpers.as_it_is import AsItIs
from helpers.training import leave_group, quiet_trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import Classifier, Regressor


def data():
    """Logits that fit labels of 3 of 4 classes, and outputs that fit targets far from 0."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (400,), generator=generator)
    noise = torch.randn(400, 4, generator=generator)
    # Sorted, so that a rank has targets that the other has not.
    targets = noise[:, :2].sort(0).values + 1e5
    return {
        "classifier": (5 * (noise + nn.functional.one_hot(labels, 4)) + 1, labels),
        "regressor": (targets + 0.5 * noise[:, 2:], targets),
    }


def main(ranks: int, path: str) -> None:
    """Validate both on all ranks together."""
    modules = {"classifier": Classifier(AsItIs(), 4), "regressor": Regressor(AsItIs())}
    logged = {}
    for name, (x, y) in data().items():
        strategy = "ddp" if ranks > 1 else "auto"
        trainer = quiet_trainer(devices=ranks, strategy=strategy)
        (values,) = trainer.validate(
            modules[name], DataLoader(TensorDataset(x, y), 25), verbose=False
        )
        logged |= {f"{name}_{metric}": value for metric, value in values.items()}
    torch.save(logged, f"{path}.{trainer.global_rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
    leave_group()
