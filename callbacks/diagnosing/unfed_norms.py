"""BatchNorm layers that are evaluated before any batch has reached them in training."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from ..monitoring.compilation import eager_parts
from .batch_norms import has_moments_as_made, is_batch_norm


class UnfedNorms:
    """Find them in a validation, as in an average of the weights that leaves the moments out.

    Attributes:
        found: Their names, those of the last validation, on any rank.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._called: set[str] = set()
        self._handles: list[RemovableHandle] = []

    def attach(self, module: nn.Module) -> None:
        """Hook those that have moments as they were made with; of a trained network, none."""
        self.detach()
        self._called.clear()
        for name, part in eager_parts(module):
            if is_batch_norm(part) and has_moments_as_made(part):
                self._handles.append(part.register_forward_pre_hook(self._at(name)))

    def _at(self, name: str) -> Callable[[nn.Module, Any], None]:
        def look(norm: nn.Module, _: Any) -> None:
            if not norm.training:
                self._called.add(name)

        return look

    def detach(self) -> None:
        """Leave no hook behind."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def news(self) -> list[str]:
        """What this rank has found in the last validation."""
        return sorted(self._called)

    def take(self, ranks: Sequence[Iterable[str]]) -> None:
        """Take up what all ranks have found."""
        self.found = sorted({name for rank in ranks for name in rank})
