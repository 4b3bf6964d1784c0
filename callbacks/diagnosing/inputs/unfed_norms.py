"""BatchNorm layers that are evaluated before they have seen any training batch."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from torch import nn

from ...monitoring.activations.compilation import eager_parts
from .batch_norms import is_batch_norm, moments_as_made
from .hooks import Hooks


class UnfedNorms:
    """Find such layers in validation, as in a weight average that leaves out running statistics.

    Attributes:
        found: Names of those in the last validation, on any rank.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._called: set[str] = set()
        self._fed: set[str] = set()
        self._hooks = Hooks()

    def attach(self, module: nn.Module) -> None:
        """Hook the layers with initial running statistics; in a trained network there are none."""
        self.detach()
        self._called.clear()
        unknown = {
            name: part
            for name, part in eager_parts(module)
            if is_batch_norm(part) and name not in self._fed
        }
        as_made = moments_as_made(unknown)
        self._fed |= unknown.keys() - as_made
        for name in as_made:
            self._hooks.add(unknown[name].register_forward_pre_hook, partial(self._look, name))

    def _look(self, name: str, norm: nn.Module, arguments: Any) -> None:
        if not norm.training:
            self._called.add(name)

    def detach(self) -> None:
        """Remove all hooks."""
        self._hooks.remove()

    def resume(self, found: Iterable[str]) -> None:
        """Continue with earlier findings, until the next validation."""
        self.found = list(found)
        self._called = set(self.found)

    def news(self) -> list[str]:
        """Return what this rank has found in the last validation."""
        return sorted(self._called)

    def take(self, ranks: Sequence[Iterable[str]], steady: Collection[str] = ()) -> None:
        """Merge what all ranks have found.

        Args:
            ranks: News of each rank.
            steady: Layers that are in evaluation mode during training, too.
        """
        self.found = sorted({name for rank in ranks for name in rank if name not in steady})
