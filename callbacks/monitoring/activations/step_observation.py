"""Observe the activations of selected steps only."""

from lightning.pytorch import LightningModule
from torch import Tensor

from .activation_observer import ActivationObserver
from .compilation import has_compiled_parts


class StepObservation:
    """Observe every activation in the forward passes of the training steps that are wanted.

    Between wanted steps, nothing watches the network and it has no hooks; between two consecutive
    ones, the hooks stay. A compiled network would need one graph for each of the two kinds of step,
    so there every step is observed, and what is not wanted is dropped. A compiled function is
    discovered only when it is observed: from then on, every step is observed.

    Args:
        observer: What observes the network.

    Attributes:
        running: Whether the current batch is observed.
    """

    def __init__(self, observer: ActivationObserver) -> None:
        self._observer = observer
        self._always = self.running = False

    def start(self, pl_module: LightningModule) -> None:
        """Determine before training and its sanity check whether every step must be observed.

        A compiled network has one graph per set of hooks: the sanity check must run with the same
        hooks as later validations.
        """
        self.running = self._observer.traced = False
        self._always = has_compiled_parts(pl_module)
        if self._always:
            self._observer.attach_to_step(pl_module)

    def begin(self, pl_module: LightningModule, *, wanted: bool) -> None:
        """Observe the forward pass of this batch if its step is wanted."""
        if not (wanted or self._always):
            self._observer.detach()  # was kept for a consecutive wanted step
            return
        self.running = True
        self._observer.attach_to_step(pl_module)
        self._observer.start()

    def end(self, *, stay: bool = False) -> list[tuple[str, Tensor]]:
        """Stop observing; return the site and measurement of each call in this batch.

        Args:
            stay: Whether to keep the hooks in place, because the next step is wanted, too.
        """
        if not self.running:
            return []
        self.running = False
        self._observer.stop()
        measured = [(site, kept) for site, _, kept in self._observer.drain()]
        self._always = self._always or self._observer.traced
        if not (self._always or stay):
            self._observer.detach()
        return measured

    def leave(self) -> None:
        """Remove every hook outside training, unless the network is compiled."""
        if not self._always:
            self._observer.detach()

    def release(self) -> None:
        """Stop observing, and remove every hook and record."""
        self.running = self._always = False
        self._observer.stop()
        self._observer.detach()
        self._observer.drain()
