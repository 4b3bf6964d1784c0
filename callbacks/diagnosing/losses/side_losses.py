"""Losses other than the one whose curve is judged: of a second head or a second optimiser."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from .autograd_graph import find_loss_calls, has_graph

# Losses that apply a softmax or a sigmoid of their own.
_WANT_LOGITS = ("cross_entropy", "bce_logits")


class SideLosses:
    """Record which outputs such losses get, on each rank and then over all ranks."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    @property
    def found(self) -> list[tuple[str, str]]:
        """Kind and output function of each one that wants logits and gets a function's output."""
        return sorted(self._seen)

    def look(self, loss: Tensor, *, first_is_read: bool) -> None:
        """Inspect a loss that is about to be differentiated.

        Args:
            loss: The loss.
            first_is_read: Whether the nearest known loss in it is read elsewhere.
        """
        calls = find_loss_calls(loss, signs=False) if has_graph(loss) else []
        for call in calls[int(first_is_read) :]:
            if call.kind in _WANT_LOGITS and call.output is not None:
                self._seen.add((call.kind, call.output))

    def news(self) -> list[tuple[str, str]]:
        """Return what this rank has found."""
        return self.found

    def take(self, ranks: Sequence[Iterable[tuple[str, str]]]) -> None:
        """Merge what all ranks have found."""
        self._seen.update(*ranks)
