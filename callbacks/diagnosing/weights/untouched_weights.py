"""Whether the weights change at all."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_MAX_PARAMETERS = 64
_ENTRIES_OF_EACH = 256
_BATCHES_TO_BE_SURE = 100


class UntouchedWeights:
    """Compare some entries of trained weights with their values when training began.

    It does not matter who makes the steps: those that a module makes without its Trainer's
    knowledge leave no other sign.

    Args:
        parameters: Parameters of the network.
        batches_per_step: Batches over which gradients are accumulated.
    """

    def __init__(self, parameters: Iterable[Tensor] = (), batches_per_step: int = 1) -> None:
        self._enough = _BATCHES_TO_BE_SURE * batches_per_step
        sized = (p for p in parameters if not isinstance(p, nn.UninitializedParameter))
        # Sparse weights have no entries at fixed positions.
        trained = [p for p in sized if p.requires_grad and p.layout == torch.strided]
        self._before = [(p, _some(p).clone()) for p in trained[:_MAX_PARAMETERS]]
        self._batches = 0
        self._have_moved = False

    def count(self) -> None:
        """Count a training batch."""
        self._batches += 1

    def batches(self) -> int:
        """Return the number of batches that left all weights unchanged; 0 if any weight has moved.

        Also 0 in the first hundred steps.
        """
        if not self._before or self._have_moved or self._batches < self._enough:
            return 0
        same = all(torch.equal(_some(p), before) for p, before in self._before)
        self._have_moved = not same
        return self._batches if same else 0


def _some(parameter: Tensor) -> Tensor:
    own = parameter.to_local() if isinstance(parameter, DTensor) else parameter
    # Only some rows of an embedding table are ever used.
    return own.detach().flatten()[:: max(1, own.numel() // _ENTRIES_OF_EACH)]
