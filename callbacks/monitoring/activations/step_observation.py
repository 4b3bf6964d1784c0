"""Observe the activations of some steps only, and leave the others alone."""

from collections.abc import Callable

from lightning.pytorch import LightningModule
from torch import Tensor

from .activation_observer import ACTIVATION_MODULES, ActivationObserver, Measure
from .compilation import has_compiled_parts


class StepObservation:
    """Observe every activation in the forward passes of the training steps that are wanted.

    Between them there is no hook on the network and nothing watches it; between two in a row the
    hooks stay. A compiled network would need one graph for each kind of step, so there every step
    is observed, and what was not wanted is dropped. A compiled function comes to light only once
    it was observed: from there on every step is observed.

    Args:
        measure: What to keep of each call, see `ActivationObserver`.
        on_error: Gets what goes wrong while observing.

    Attributes:
        running: Whether the batch that runs is observed.
    """

    def __init__(self, measure: Measure, on_error: Callable[[Exception], None]) -> None:
        self._observer = ActivationObserver(list(ACTIVATION_MODULES), measure, on_error)
        self._always = self.running = False

    def start(self, pl_module: LightningModule) -> None:
        """Find out before training, and before its sanity check, if every step is to be observed.

        A compiled network has a graph for each set of hooks that it runs with: what validates it
        before training has to find those that validate it later.
        """
        self.running = self._observer.traced = False
        self._always = has_compiled_parts(pl_module)
        if self._always and not self._observer.attached:
            self._observer.attach(pl_module)

    def begin(self, pl_module: LightningModule, *, wanted: bool) -> None:
        """Observe the forward pass of this batch if its step is wanted."""
        if not (wanted or self._always):
            if self._observer.attached:  # for a step in a row that does not come
                self._observer.detach()
            return
        self.running = True
        if not self._observer.attached:
            self._observer.attach(pl_module)
        self._observer.start()

    def pause(self) -> None:
        """Keep nothing of what the backward pass computes again."""
        if self.running:
            self._observer.pause()

    def resume(self, *, wanted: bool) -> None:
        """After a backward pass, go on only if more may come in this batch."""
        if not self.running:
            return
        if wanted:
            self._observer.start()
        else:
            self._observer.stop()

    @property
    def ends_in_layer(self) -> bool:
        """Whether a layer came after the last activation."""
        return self._observer.ends_in_layer

    def end(self, *, stay: bool = False) -> list[tuple[str, Tensor]]:
        """Site and measurement of each call in this batch.

        Args:
            stay: Whether to leave the hooks where they are, since the next step is wanted too.
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
        """Leave no hook on the network outside training, unless it is compiled."""
        if not self._always:
            self._observer.detach()

    def release(self) -> None:
        """Leave nothing behind."""
        self.running = self._always = False
        self._observer.stop()
        self._observer.detach()
        self._observer.drain()
