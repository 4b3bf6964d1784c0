"""Copies of the weights before a step, for comparison with the weights after it."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from ....functional.updates import update_norms
from .measuring import measure_norms

_MIN_COMPARISONS = 10


class WeightCopies:
    """Copies of parameters, held for one step or from step to step.

    Attributes:
        keep: Whether every step is compared. If so, copies on the host are kept after the first
            ten comparisons: each comparison updates them to the weights, and a weight is copied
            again only if it was written to in between, according to autograd's version counter.
            Copies on a device are never kept: allocation is cheap there, and memory is scarce
            during the backward pass.
    """

    def __init__(self) -> None:
        self.keep = False
        self._comparisons = 0
        self._taken: dict[Tensor, Tensor] = {}
        self._kept: dict[Tensor, tuple[Tensor, int]] = {}

    def __len__(self) -> int:
        """Number of parameters that await comparison."""
        return len(self._taken)

    def __contains__(self, parameter: Tensor) -> bool:
        """Whether a parameter awaits comparison."""
        return parameter in self._taken

    def take(self, parameter: Tensor) -> None:
        """Copy a parameter, unless its kept copy is up to date."""
        self._taken[parameter] = self._copy_of(parameter)

    def _copy_of(self, parameter: Tensor) -> Tensor:
        # Allocating host memory takes several times as long as filling it.
        copy, version = self._kept.get(parameter, (None, -1))
        # A copy of a lazy conjugate would be lazy, too, and has no pairs of numbers to update.
        weight = parameter.detach().resolve_conj()
        if copy is None or (copy.shape, copy.dtype) != (weight.shape, weight.dtype):
            on_host = _is_on_host(weight)
            dtype = weight.dtype if on_host else torch.promote_types(weight.dtype, torch.float32)
            return weight.to(dtype, copy=True)
        return copy if version == parameter._version else copy.copy_(weight)

    def norms(self, names: Mapping[Tensor, str]) -> dict[str, tuple[float, float]]:
        """Norm of each parameter before the step, and of its update; every rank must call this.

        Args:
            names: Names of the parameters, in an order that is the same on every rank.

        Returns:
            Both norms by name, in that order.
        """
        taken, self._taken = self._taken, {}
        taken = {p: taken[p] for p in names if p in taken}
        host = {p: copy for p, copy in taken.items() if _is_on_host(p)}
        rest = {p: copy for p, copy in taken.items() if p not in host}
        stay = self.keep and self._comparisons >= _MIN_COMPARISONS
        self._comparisons += 1
        found = update_norms(list(host.values()), list(host), refresh=stay)
        norms = dict(zip([names[p] for p in host], zip(*found, strict=True), strict=True))
        if rest:
            norms |= _norms_elsewhere({names[p]: (copy, p.detach()) for p, copy in rest.items()})
        kept = {p: (copy, p._version) for p, copy in host.items()}
        self._kept = self._kept | kept if stay else {}
        return {names[p]: norms[names[p]] for p in taken}

    def drop(self) -> None:
        """Release the copies that await comparison: no step was made."""
        self._taken = {}

    def forget(self) -> None:
        """Release all copies."""
        self._taken, self._kept, self._comparisons = {}, {}, 0


def _is_on_host(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and not isinstance(weight, DTensor)


def _norms_elsewhere(
    pairs: Mapping[str, tuple[Tensor, Tensor]],
) -> dict[str, tuple[float, float]]:
    """Norms for tensors on a device or sharded over ranks, in a few passes over all of them."""
    lengths = measure_norms({name: [copy] for name, (copy, _) in pairs.items()})
    for copy, weight in pairs.values():
        copy.sub_(weight)
    moves = measure_norms({name: [copy] for name, (copy, _) in pairs.items()})
    return {name: (lengths[name], moves[name]) for name in pairs}
