"""Programs that need no more than a network and data."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from case import Program
from data_sets.samples import Samples, loaders
from modules import ADAM, BinaryModel, LitClassifier, Optimizer, RegressionTask
from scores import accuracy, binary_accuracy, r2
from torch import Tensor, nn


def classification(
    data: Samples, network: nn.Module, optimizer: Optimizer = ADAM, *, batch_size: int = 32,
    epochs: int = 8, shuffle: bool = True, score: Callable[..., float] = accuracy,
    trainer: dict[str, Any] | None = None, **model: Any,
) -> Program:  # fmt: skip
    module = LitClassifier(network, optimizer, **model)
    both = loaders(data, batch_size, shuffle=shuffle)
    return Program(module, *both, epochs, partial(score, module, data), trainer or {})


def two_classes(
    data: Samples, network: nn.Module, optimizer: Optimizer = ADAM, *, batch_size: int = 32,
    epochs: int = 12, loss_fn: nn.Module | None = None,
    score: Callable[..., float] = binary_accuracy, trainer: dict[str, Any] | None = None,
) -> Program:  # fmt: skip
    module = BinaryModel(network, optimizer, loss_fn)
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(score, module, data), trainer or {})


def regression(
    data: Samples, network: nn.Module, optimizer: Optimizer = ADAM, *, batch_size: int = 32,
    epochs: int = 15, loss: Callable[[Tensor, Tensor], Tensor] = F.mse_loss,
    score: Callable[..., float] = r2, trainer: dict[str, Any] | None = None,
) -> Program:  # fmt: skip
    module = RegressionTask(network, optimizer, loss)
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(score, module, data), trainer or {})
