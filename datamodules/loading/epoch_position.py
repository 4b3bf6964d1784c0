"""The position of a loader in its epoch."""

from collections.abc import Callable

from lightning.pytorch.utilities import rank_zero_warn


class EpochPosition:
    """Track the epoch of a loader's pass, and how many of its batches are done.

    Passes without a ``set_epoch`` in between belong to successive epochs. An iterator must call
    ``begin`` first, and increment ``done`` for each batch that it yields.

    Args:
        length: Batches in a pass.
        step: Items in one batch of all ranks together.
        finished: Returns how many batches of this epoch were used. A batch that was lost to an
            interruption is then loaded again by the resumed run. None counts yielded batches.

    Example:
        >>> position = EpochPosition(length=9, step=16)
        >>> position.load_state_dict({"epoch": 2, "passes": 1, "done": 4, "step": 8})
        >>> position.begin(), position.current_epoch
        (2, 2)
    """

    def __init__(
        self, length: int, step: int, *, finished: Callable[[], int] | None = None
    ) -> None:
        self.length, self.step = length, step
        self.epoch = self.passes = self.done = 0
        self._restored, self._finished, self._lead = False, finished, 0

    @property
    def current_epoch(self) -> int:
        """Epoch of the current pass, or else of the next."""
        return self.epoch + max(0, self.passes - 1)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass; if it was just restored, the pass covers its rest."""
        if not (self._restored and epoch == self.epoch):
            self.epoch, self.passes, self.done = epoch, 0, 0
            self._restored = False

    def begin(self) -> int:
        """Begin the rest of a restored pass, or the next; return how many batches to skip."""
        if self._restored and self.done < self.length:
            self.passes = max(1, self.passes)
        else:
            self.passes, self.done = self.passes + 1, 0
        self._restored = False
        self._lead = self.done - self._finished() if self._finished else 0
        return self.done

    def state_dict(self) -> dict[str, int]:
        """Return the position, which is the same on every rank."""
        done = self.done
        if self._finished and not self._restored:
            done = min(done, self._finished() + self._lead)
        return {"epoch": self.epoch, "passes": self.passes, "done": done, "step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from the state's position, once its epoch is set.

        If the batch size or number of ranks has changed, continue from the first batch that was not
        completely done. Lightning goes by the number of batches, so a warning says that it ends the
        epoch too early, or without validation.
        """
        self.epoch, self.passes = state["epoch"], state["passes"]
        self.done = state["done"] * state["step"] // self.step
        self._restored = True
        if self._finished and state["step"] != self.step and 0 < self.done < self.length:
            rank_zero_warn(
                f"The resumed epoch was begun with {state['step']} samples per batch of all "
                f"devices together, which are {self.step} now. Lightning counts batches and will "
                "end this epoch too early, or without validation: keep that number, or resume "
                "from the end of an epoch."
            )
