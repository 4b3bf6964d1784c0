"""Losses beside the one whose curve is judged: of a second head, of a second optimiser."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from .autograd_graph import find_loss_calls, has_graph

# Those that have a function of their own for what comes out of a layer.
_WANT_LOGITS = ("cross_entropy", "bce_logits")


class SideLosses:
    """Take down what such losses are of; each rank its own, and then all together.

    Attributes:
        found: Kind and output of each that wants logits and gets a function's output, sorted.
    """

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._seen: set[tuple[str, str]] = set()

    def look(self, loss: Tensor, *, first_is_read: bool) -> None:
        """Look at a loss that is about to be differentiated.

        Args:
            loss: The loss.
            first_is_read: Whether the nearest one is looked at elsewhere.
        """
        calls = find_loss_calls(loss, signs=False) if has_graph(loss) else []
        for call in calls[int(first_is_read) :]:
            if call.kind in _WANT_LOGITS and call.output is not None:
                self._seen.add((call.kind, call.output))

    def news(self) -> list[tuple[str, str]]:
        """What this rank has seen."""
        return sorted(self._seen)

    def take(self, ranks: Sequence[Iterable[tuple[str, str]]]) -> None:
        """Take up what all ranks have seen."""
        self.found = sorted({*self.found, *(pair for rank in ranks for pair in rank)})
