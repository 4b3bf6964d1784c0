"""Where a loader is in its epoch."""

from collections.abc import Callable


class EpochPosition:
    """Which epoch a loader's pass is of, and how many of its batches are done.

    Passes without a ``set_epoch`` in between are of successive epochs. Iterating is to start with
    ``begin``, and to count ``done`` up for each batch given out.

    Args:
        length: Batches in a pass.
        step: Items in the batches of all ranks.
        finished: How many batches of this epoch are used up. A batch that an interruption
            wasted is then loaded again by the resumed run. None counts batches as given out.

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
        """Epoch of the pass that is under way, or else of the next."""
        return self.epoch + max(0, self.passes - 1)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of ``epoch``, or of its rest if that was just restored."""
        if not (self._restored and epoch == self.epoch):
            self.epoch, self.passes, self.done = epoch, 0, 0
            self._restored = False

    def begin(self) -> int:
        """Begin a pass, the rest of the restored one or the next; how many batches to leave out."""
        if self._restored and self.done < self.length:
            self.passes = max(1, self.passes)
        else:
            self.passes, self.done = self.passes + 1, 0
        self._restored = False
        self._lead = self.done - self._finished() if self._finished else 0
        return self.done

    def state_dict(self) -> dict[str, int]:
        """Numbers that are the same on every rank."""
        done = self.done
        if self._finished and not self._restored:
            done = min(done, self._finished() + self._lead)
        return {"epoch": self.epoch, "passes": self.passes, "done": done, "step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where the state was taken, once the epoch is its own.

        With another batch size or number of ranks, from the first batch that was not all done.
        """
        self.epoch, self.passes = state["epoch"], state["passes"]
        self.done = state["done"] * state["step"] // self.step
        self._restored = True
