"""Which optimisers of a module under manual optimisation have gradients that wait for a step."""

from collections.abc import Sequence

from lightning.pytorch import Trainer
from torch.optim import Optimizer


class WaitingOptimizers:
    """Those that sum up gradients over batches, told by the order of backward passes and steps.

    Gradients wait behind a batch if a backward pass came after their optimiser's last step, and
    the optimiser made none in the whole batch, or none was made at all after that pass. So those
    that a generator's loss leaves in the discriminator wait for nothing, which has stepped before.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Wait for nothing."""
        self.batches = 0
        self.found: list[Optimizer] = []
        self._behind_backward: set[Optimizer] = set()
        self._stepped: set[Optimizer] = set()
        self._ends_in_step = False

    def put_back(self, optimizers: Sequence[Optimizer], batches: int) -> None:
        """Wait as an interrupted run did."""
        self.found, self.batches = list(optimizers), batches
        self._behind_backward = set(optimizers)

    def end_backward(self, trainer: Trainer) -> None:
        """Any optimiser's gradients may have changed."""
        self._behind_backward = set(trainer.optimizers)
        self._ends_in_step = False

    def step(self, optimizer: Optimizer) -> None:
        """This one's were taken."""
        self._behind_backward.discard(optimizer)
        self._stepped.add(optimizer)
        self._ends_in_step = True

    def end_batch(self, trainer: Trainer) -> None:
        """Find those that wait now."""
        done = self._stepped if self._ends_in_step else set()
        waiting = self._behind_backward - done
        self.found = [optimizer for optimizer in trainer.optimizers if optimizer in waiting]
        self.batches = self.batches + 1 if self.found else 0
        self._stepped = set()
