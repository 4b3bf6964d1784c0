"""Units that no gradient reaches, although it reaches others of their layer.

Nothing chooses them: they are never among the largest that are kept, or no input is sent to them.
"""

from collections.abc import Collection, Mapping

from torch import Tensor

from .anatomy import gradient_of, is_whole

_ENOUGH = 5


class IdleUnits:
    """Look at gradients of weights from time to time, until each unit of a layer has had one.

    Attributes:
        watched: Names of the weights to look at; None before the first look.
    """

    def __init__(self) -> None:
        self.watched: Collection[str] | None = None
        self._reached: dict[str, Tensor] = {}
        self._looks = 0

    def look(self, weights: Mapping[str, Tensor]) -> None:
        """Look at gradients before a step.

        Args:
            weights: Of which each row is a unit's, by the layer's name.
        """
        for name in weights if self.watched is None else self.watched:
            gradient = gradient_of(weights[name])
            if is_whole(gradient) and len(gradient) > 1:
                reached = gradient.detach().reshape(len(gradient), -1).any(1)
                before = self._reached.get(name)
                self._reached[name] = reached if before is None else before | reached
        self._looks += 1

    def shares(self) -> dict[str, Tensor]:
        """Share of each layer's units that no look has seen a gradient of; on their devices."""
        return {name: 1 - reached.float().mean() for name, reached in self._reached.items()}

    def settle(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Leave what no unit of is idle; the shares of the others, once there were five looks."""
        self._reached = {n: reached for n, reached in self._reached.items() if shares.get(n, 1.0)}
        self.watched = set(self._reached)
        if self._looks < _ENOUGH:
            return {}
        return {name: shares[name] for name in self._reached if name in shares}
