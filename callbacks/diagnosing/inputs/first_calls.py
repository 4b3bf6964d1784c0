"""What is measured once of each layer."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..transfer import to_host


class FirstCalls:
    """Measure the first call of each layer, on each rank and then over all ranks.

    Attributes:
        rows: Figures of each layer, on any rank.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}
        self._new: dict[str, Tensor] = {}

    def has(self, name: str) -> bool:
        """Whether a layer was measured."""
        return name in self.rows or name in self._new

    def news(self) -> dict[str, list[float]]:
        """Return what was measured since the last call, on the host."""
        new, self._new = self._new, {}
        return to_host(new)

    def take(self, ranks: Sequence[Mapping[str, list[float]]]) -> None:
        """Merge the news of all ranks; for each layer, the first one counts."""
        for rank in ranks:
            self.rows = {**rank, **self.rows}
