"""Which optimisers have gradients that await a step, under manual optimisation."""

from collections.abc import Sequence

from lightning.pytorch import Trainer
from torch.optim import Optimizer


class WaitingOptimizers:
    """Find optimisers that accumulate gradients, from the order of backward passes and steps.

    Gradients await a step after a batch if a backward pass came after their optimiser's last step,
    and either that optimiser took no step in the whole batch, or none took any after that pass. So
    those that a generator's loss leaves in a discriminator that has already stepped do not.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.batches = 0
        self.found: list[Optimizer] = []
        self._behind_backward: set[Optimizer] = set()
        self._stepped: set[Optimizer] = set()
        self._ends_in_step = False

    def put_back(self, optimizers: Sequence[Optimizer], batches: int) -> None:
        """Restore the waiting optimisers of an interrupted run."""
        self.found, self.batches = list(optimizers), batches
        self._behind_backward = set(optimizers)

    def end_backward(self, trainer: Trainer) -> None:
        """Note that any optimiser's gradients may have changed."""
        self._behind_backward = set(trainer.optimizers)
        self._ends_in_step = False

    def step(self, optimizer: Optimizer) -> None:
        """Note that an optimiser uses its gradients."""
        self._behind_backward.discard(optimizer)
        self._stepped.add(optimizer)
        self._ends_in_step = True

    def end_batch(self, trainer: Trainer) -> None:
        """Find the optimisers that are waiting now."""
        done = self._stepped if self._ends_in_step else set()
        waiting = self._behind_backward - done
        self.found = [optimizer for optimizer in trainer.optimizers if optimizer in waiting]
        self.batches = self.batches + 1 if self.found else 0
        self._stepped = set()
