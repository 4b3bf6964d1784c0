"""Units that no gradient reaches, although it reaches others of their layer.

They are never selected: never among the largest that are kept, or no input is routed to them.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .anatomy import gradient_of, is_whole

_LOOKS_TO_BE_SURE = 5


class IdleUnits:
    """Sample the gradients of weights, until each unit of a layer has had one.

    Args:
        state: A saved `state_dict`; None starts afresh.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._looks: int = state["looks"] if state else 0
        self._reached: dict[str, Tensor] = dict(state["reached"]) if state else {}
        self._done: set[str] = set(state["done"]) if state else set()

    def look(self, weights: Mapping[str, Tensor]) -> None:
        """Inspect the gradients before a step.

        Args:
            weights: Weights with one row per unit, by layer name.
        """
        for name in weights.keys() - self._done:
            gradient = gradient_of(weights[name])
            if is_whole(gradient) and len(gradient) > 1:
                reached, before = (
                    gradient.reshape(len(gradient), -1).any(1),
                    self._reached.get(name),
                )
                known = reached if before is None else before.to(reached.device) | reached
                self._reached[name] = known
        self._looks += 1

    def shares(self) -> dict[str, Tensor]:
        """Return the share of each layer's units without any gradient so far, on the devices."""
        return {name: 1 - reached.float().mean() for name, reached in self._reached.items()}

    def settle(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Drop layers without idle units; return the others' shares once there are five samples."""
        self._done |= {name for name, share in shares.items() if share == 0}
        self._reached = {n: reached for n, reached in self._reached.items() if n not in self._done}
        if self._looks < _LOOKS_TO_BE_SURE:
            return {}
        return {name: shares[name] for name in self._reached if name in shares}

    def state_dict(self) -> dict[str, Any]:
        """Return which layers are done, and which units of the others have had a gradient."""
        reached = {name: reached.cpu() for name, reached in self._reached.items()}
        return {"looks": self._looks, "reached": reached, "done": sorted(self._done)}
