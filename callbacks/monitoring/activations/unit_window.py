"""Which units were active since a window opened, and which are still to be watched."""

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from ....functional.devices import works_alongside

# Above this share of undecided units, it is cheaper to check all units.
_MAX_SHARE_UNDECIDED = 0.25


class UnitWindow:
    """Collect the units of each site that were active at any time since the window opened.

    A unit that was active once is active for the whole window, so it need be watched only until
    then. After batches 1, 2, 4, 8, ... the masks are copied to the host without waiting for the
    device; once a copy has arrived, each site is watched only where it was not active yet.

    Args:
        active: Masks of a window to continue; empty for sites without units.

    Attributes:
        active: Mask of the units that were active by site, shape ``(units,)``; empty for a site
            that is left out.
        batches: Number of batches that were observed.

    Example:
        >>> window = UnitWindow()
        >>> window.add("act", torch.tensor([True, False]))
        True
        >>> window.end_batch(narrow=True)
        >>> window.active["act"], window.is_decided(["act"])
        (tensor([ True, False]), False)
    """

    def __init__(self, active: Mapping[str, Tensor] | None = None) -> None:
        self.active: dict[str, Tensor] = dict(active or {})
        self.batches = 0
        self._watched: dict[str, Tensor] = {}
        self._decided = {site for site, mask in self.active.items() if len(mask) == 0}
        self._copy: _HostCopy | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out a copy that is under way: a duplicate begins one of its own."""
        return {**self.__dict__, "_copy": None}

    def watched(self, site: str, units: int) -> Tensor | None:
        """Which units to check.

        Args:
            site: The site.
            units: Number of units in this call.

        Returns:
            Their indices, empty if the site is decided or left out; None stands for all units.
        """
        known = self.active.get(site)
        if known is not None and len(known) == 0:
            return known
        return None if known is None or len(known) != units else self._watched.get(site)

    def add(self, site: str, active: Tensor) -> bool:
        """Add the units of a site that were active in one call.

        Returns:
            Whether there are as many as in the calls before; if not, they are not added.
        """
        known = self.active.get(site)
        if known is None:
            self.active[site] = active
        elif len(known) == len(active):
            self.active[site] = known.to(active.device) | active
        else:
            return len(known) == 0
        return True

    def leave_out(self, site: str) -> None:
        """Watch a site no more in this window."""
        self.active[site] = torch.zeros(0, dtype=torch.bool)
        self._decided.add(site)

    def end_batch(self, *, narrow: bool) -> None:
        """Close a batch.

        Args:
            narrow: Whether to stop watching units that were active.
        """
        self.batches += 1
        if not narrow:
            return
        if self._copy is None and self.batches & (self.batches - 1) == 0:
            self._copy = _HostCopy({s: m for s, m in self.active.items() if s not in self._decided})
        if self._copy is not None and self._copy.arrived():
            for site, mask in self._copy.masks.items():
                self._narrow(site, mask)
            self._copy = None

    def _narrow(self, site: str, mask: Tensor) -> None:
        if len(self.active[site]) != len(mask):  # left out since
            return
        undecided = (~mask).nonzero().flatten()
        if len(undecided) == 0:
            self._decided.add(site)
        if len(undecided) <= _MAX_SHARE_UNDECIDED * len(mask):
            self._watched[site] = undecided.to(self.active[site].device, non_blocking=True)

    def undecided(self, sites: Collection[str]) -> set[str]:
        """Those of these sites with units that were not active yet."""
        return set(sites) - self._decided

    def is_decided(self, sites: Collection[str]) -> bool:
        """Whether every unit of these sites was active."""
        return self._decided.issuperset(sites)


class _HostCopy:
    """Masks on their way to the host."""

    def __init__(self, masks: Mapping[str, Tensor]) -> None:
        self.masks = {site: _to_host(mask) for site, mask in masks.items()}
        devices = {mask.device for mask in masks.values() if works_alongside(mask.device)}
        streams = map(torch.accelerator.current_stream, devices)
        self._events = [stream.record_event() for stream in streams]

    def arrived(self) -> bool:
        return all(event.query() for event in self._events)


def _to_host(mask: Tensor) -> Tensor:
    if not works_alongside(mask.device):
        return mask.cpu()
    host = torch.empty(mask.shape, dtype=mask.dtype, pin_memory=True)
    return host.copy_(mask, non_blocking=True)
