"""How the programs of the clinic are measured: on unseen data, in evaluation mode."""

import torch
import torch.nn.functional as F
from data_sets.samples import Samples
from lightning.pytorch import LightningModule
from torch import Tensor


@torch.no_grad()
def outputs(module: LightningModule, x: Tensor) -> Tensor:
    module.eval()
    found: Tensor = module(x)
    return found


def accuracy(module: LightningModule, samples: Samples) -> float:
    """Of the largest of the outputs."""
    found = outputs(module, samples.x_test)
    return (found.argmax(-1) == samples.y_test).float().mean().item() if found_finite(found) else 0


def found_finite(found: Tensor) -> bool:
    """Whether a network has outputs at all: the largest of NaNs is no answer."""
    return bool(found.isfinite().all())


def binary_accuracy(module: LightningModule, samples: Samples, threshold: float = 0.0) -> float:
    """Of outputs above a threshold: 0 for logits, 0.5 for probabilities."""
    found = outputs(module, samples.x_test).flatten()
    if not found_finite(found):
        return 0.0
    return ((found > threshold) == (samples.y_test > 0.5)).float().mean().item()


def balanced_accuracy(module: LightningModule, samples: Samples) -> float:
    """Mean of the classes' recalls."""
    found = outputs(module, samples.x_test)
    found = found.argmax(-1) if found.ndim == 2 and found.shape[1] > 1 else found.flatten() > 0
    right = (found == samples.y_test).float()
    recalls = [right[samples.y_test == label].mean() for label in samples.y_test.unique()]
    return torch.stack(recalls).mean().item()


def r2(module: LightningModule, samples: Samples) -> float:
    """Share of the targets' variance that is explained."""
    found = outputs(module, samples.x_test).reshape(samples.y_test.shape)
    error = F.mse_loss(found, samples.y_test)
    return (1 - error / samples.y_test.var(correction=0)).item()


def cross_entropy(module: LightningModule, samples: Samples) -> float:
    return F.cross_entropy(outputs(module, samples.x_test), samples.y_test).item()
