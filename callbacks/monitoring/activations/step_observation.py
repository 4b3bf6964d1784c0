"""Observe the activations of selected steps only."""

from collections.abc import Callable

from lightning.pytorch import LightningModule
from torch import Tensor

from .activation_observer import ACTIVATION_MODULES, ActivationObserver, Measure
from .compilation import has_compiled_parts
from .module_scopes import runs_step_in_forward


class StepObservation:
    """Observe every activation in the forward passes of the training steps that are wanted.

    Between wanted steps, nothing watches the network and it has no hooks; between two consecutive
    ones, the hooks stay. A compiled network would need one graph for each of the two kinds of step,
    so there every step is observed, and what is not wanted is dropped. A compiled function is
    discovered only when it is observed: from then on, every step is observed.

    Args:
        measure: What to keep of each call, see `ActivationObserver`.
        on_error: Called with any error raised while observing.

    Attributes:
        running: Whether the current batch is observed.
    """

    def __init__(self, measure: Measure, on_error: Callable[[Exception], None]) -> None:
        self._observer = ActivationObserver(list(ACTIVATION_MODULES), measure, on_error)
        self._always = self.running = False

    def start(self, pl_module: LightningModule) -> None:
        """Determine before training and its sanity check whether every step must be observed.

        A compiled network has one graph per set of hooks: the sanity check must run with the same
        hooks as later validations.
        """
        self.running = self._observer.traced = False
        self._always = has_compiled_parts(pl_module)
        if self._always:
            self._attach(pl_module)

    def begin(self, pl_module: LightningModule, *, wanted: bool) -> None:
        """Observe the forward pass of this batch if its step is wanted."""
        if not (wanted or self._always):
            if self._observer.attached:  # for a consecutive wanted step that does not come
                self._observer.detach()
            return
        self.running = True
        self._attach(pl_module)
        self._observer.start()

    def _attach(self, pl_module: LightningModule) -> None:
        if not self._observer.attached:
            in_forward = runs_step_in_forward(pl_module)
            self._observer.attach(pl_module, step_is_forward=in_forward)

    def pause(self) -> None:
        """Ignore what the backward pass recomputes."""
        if self.running:
            self._observer.pause()

    def resume(self, *, wanted: bool) -> None:
        """Resume after a backward pass if more of this batch is wanted; otherwise stop."""
        if not self.running:
            return
        if wanted:
            self._observer.start()
        else:
            self._observer.stop()

    @property
    def ends_in_layer(self) -> bool:
        """Whether a layer followed the last activation."""
        return self._observer.ends_in_layer

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
