"""Watch the units that a window has yet to decide, by the cheapest means that sees them."""

from collections.abc import Callable, Collection, Mapping
from itertools import chain
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.parameter import is_lazy

from ....functional.dead_units import ActivityRule, active_units
from .activation_kinds import kind_of_module, plain_name
from .activation_observer import ActivationObserver
from .compilation import has_compiled_parts
from .site_watch import SiteForm, SiteWatch
from .unit_window import UnitWindow

_SEARCH_EVERY_N_BATCHES = 16


class UnitWatch:
    """Collect in a window which units of each call site were active.

    The means depends on what is left to see: an `ActivationObserver` sees every call; if only
    activation modules have units left, a hook on each of these is enough; and once every unit was
    active, nothing runs until the next window. Every 16th batch still gets the observer, because a
    functional call may appear late; after the first window, only while units are left. With
    compiled parts, the observer sees every batch, even one that does not count: without it, each
    part, with or without an activation, would need another graph.

    Args:
        rules: When a unit is active, by kind of activation.
        on_error: Called with any error raised while observing; the observed call continues.

    Attributes:
        rules: As given.
        window: The open window.
    """

    def __init__(
        self, rules: Mapping[str, ActivityRule], on_error: Callable[[Exception], None]
    ) -> None:
        self.rules = rules
        self._observer = ActivationObserver(list(rules), self._measure, on_error)
        self._hooks = SiteWatch(self._measure, on_error)
        # Sites of a width that changes although the network does not: positions, pairs, no units.
        self._varying: set[str] = set()
        # Number of the network's parameters when the window began.
        self._size = 0
        # Width of each site when it was last seen, and the network's size when that window began.
        self._widths: dict[str, tuple[int, int]] = {}
        self.open()
        # Sites of finished windows; None before the first has closed.
        self._known: set[str] | None = None
        self._modules: set[str] = set()
        self._unseen: set[str] = set()
        self._searches = self._is_compiled = False

    def open(self, active: Mapping[str, Tensor] | None = None) -> None:
        """Open a window, or continue one."""
        self.window, self._begins = UnitWindow(active), active is None
        for site in self._varying:
            self.window.leave_out(site)

    def sites_with_units(
        self, active: Mapping[str, Tensor], module: LightningModule
    ) -> dict[str, Tensor]:
        """Masks of a finished window without the sites that have no units, or were left out.

        A site of another width than in the window before has units if the network was resized, too,
        at the latest in this window: its first batch may begin with that.
        """
        kept = {}
        for site, mask in active.items():
            width, size = self._widths.pop(site, (len(mask), self._size))
            if len(mask) and (width == len(mask) or size != _number_of_parameters(module)):
                kept[site], self._widths[site] = mask, (len(mask), self._size)
            elif len(mask):
                self._varying.add(site)
                self.window.leave_out(site)
        return kept

    def clear(self) -> None:
        """Forget the widths of all sites, and open a window."""
        self._varying, self._widths = set(), {}
        self.open()

    def state_dict(self) -> dict[str, Any]:
        """Return which sites have no units, and the widths of the others."""
        varying, widths = sorted(self._varying), dict(self._widths)
        return {"varying": varying, "widths": widths, "size": self._size}

    def load_state_dict(self, state_dict: Mapping[str, Any], window: Mapping[str, Tensor]) -> None:
        """Restore a saved state, and continue its window."""
        self._varying = set(state_dict["varying"])
        self._widths, self._size = dict(state_dict["widths"]), state_dict["size"]
        self.open(window)

    def start(self, module: LightningModule) -> None:
        """Begin a fit."""
        self._observer.traced = self._hooks.lost = False
        self._is_compiled = has_compiled_parts(module)
        self._observer.forms.clear()
        self._observer.called.clear()
        self._observer.called_in_vain.clear()
        parts = module.named_modules()
        watched = {plain_name(name) for name, part in parts if kind_of_module(part) in self.rules}
        self._modules, self._known, self._unseen = watched, None, set(watched)

    def begin(self, module: LightningModule, batch: int) -> None:
        """Observe the forward pass that follows, if there is anything left to see.

        Args:
            module: The module that is trained.
            batch: Number of batches observed earlier in this epoch.
        """
        if self._begins:
            self._begins, self._size = False, _number_of_parameters(module)
        self._searches = batch % _SEARCH_EVERY_N_BATCHES == 0
        done = self._is_done()
        forms = {} if done else self._forms_to_watch(module)
        if done or forms:
            self._observer.detach()
        else:
            self._observer.attach_to_step(module)
            self._observer.start()
        if forms:
            self._hooks.attach(module, forms)
            self._hooks.watching = True
        else:
            self._hooks.detach()

    @property
    def always(self) -> bool:
        """Whether every batch must be observed, because something is compiled."""
        return self._is_compiled or self._observer.traced

    @property
    def watching(self) -> bool:
        """Whether a forward pass is being observed, possibly paused."""
        return self._observer.entered or self._hooks.watching

    def pause(self) -> None:
        """Ignore what runs from here on."""
        self._observer.pause()
        self._hooks.watching = False

    def resume(self) -> None:
        """Resume after a pause, if a forward pass was observed before it."""
        if self._observer.entered:
            self._observer.start()

    def stop(self) -> None:
        """End the forward pass."""
        self._observer.stop()
        self._hooks.watching = False

    def take(self, module: LightningModule, *, closes: bool) -> None:
        """Add what was seen of a batch to the window.

        Args:
            module: The module that is trained.
            closes: Whether the window ends with this batch.
        """
        if self._is_done():
            return
        for site, _, active in chain(self._observer.drain(), self._hooks.drain()):
            if not self.window.add(site, active):
                if _number_of_parameters(module) == self._size:
                    self._varying.add(site)
                self.window.leave_out(site)
            self._unseen.discard(_module_of(site))
        self._unseen -= self._observer.called
        self.window.end_batch(narrow=not (closes or self._observer.traced))

    def know(self, sites: Collection[str]) -> list[str]:
        """Expect the sites of a finished window in the next ones.

        Returns:
            After the first window: names of the activation modules that it did not see, sorted.
        """
        seen = self._observer.called.union(map(_module_of, sites))
        seen |= self._observer.called_in_vain
        unseen = set() if self._known is not None else self._modules - seen
        self._known = (self._known or set()) | set(sites)
        return sorted(unseen)

    def leave(self) -> None:
        """Remove every hook after an epoch's last step, unless the network is compiled."""
        if not self.always:
            self.detach()

    def detach(self) -> None:
        """Remove every hook."""
        self._observer.detach()
        self._hooks.detach()

    def drop(self) -> None:
        """End a batch, and discard what was seen of it."""
        self.stop()
        self._observer.drain()
        self._hooks.drain()

    def release(self) -> None:
        """Discard the current batch, and remove every hook."""
        self.drop()
        self.detach()

    def _measure(self, site: str, kind: str, outputs: Tensor, unit_dim: int) -> Tensor | None:
        """Mask of the active units, among those that are still watched."""
        threshold, magnitude = self.rules[kind]
        units = outputs.shape[unit_dim]
        # Traced calls have no site yet, and cover all units: the graph must stay the same.
        watched = self.window.watched(site, units) if site else None
        if watched is None:
            return active_units(outputs, unit_dim, threshold=threshold, magnitude=magnitude)
        if len(watched) == 0:
            return None
        few = outputs.index_select(unit_dim, watched)
        active = active_units(few, unit_dim, threshold=threshold, magnitude=magnitude)
        return active.new_zeros(units).index_copy_(0, watched, active)

    def _forms_to_watch(self, module: LightningModule) -> dict[str, SiteForm]:
        """Forms of the sites that are left, if each is the only call of a module seen before.

        Also empty at first, in every 16th batch and where hooks do not suffice, so that everything
        is watched.
        """
        if self.always or self._hooks.lost or not module.automatic_optimization:
            return {}
        if self._searches or self.window.batches == 0 or (self._known is None and self._unseen):
            return {}
        forms: dict[str, SiteForm] = {}
        sites = self._sites()
        for site in self.window.undecided(sites):
            form = self._observer.forms.get(site)
            if form is None or site not in self._modules or f"{site}#2" in sites:
                return {}
            forms[site] = form
        return forms

    def _is_done(self) -> bool:
        """Whether every unit of the sites was active, and no others are expected."""
        if self.always or self.window.batches == 0:
            return False
        more_may_come = self._known is None and (self._searches or self._unseen)
        return not more_may_come and self.window.is_decided(self._sites())

    def _sites(self) -> set[str]:
        """Sites of earlier windows and of this one."""
        return (self._known or set()).union(self.window.active)


def _number_of_parameters(module: LightningModule) -> int:
    return sum(p.numel() for p in module.parameters() if not is_lazy(p))


def _module_of(site: str) -> str:
    return site.partition("#")[0]
