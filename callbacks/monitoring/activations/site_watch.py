"""Watch only the few activation modules that have units left to see."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from .activation_kinds import kind_of_module, plain_name
from .checkpointing import in_reentrant_checkpoint
from .compilation import is_transformed
from .fused_attention import inside_fused
from .module_scopes import Hook


class SiteForm(NamedTuple):
    """Form of a site's outputs: kind, number of dimensions, and the unit dimension."""

    kind: str
    dims: int
    unit_dim: int


class SiteWatch:
    """Watch some activation modules with one forward hook each.

    An `ActivationObserver` sees every function that runs, which slows a step of a small network by
    a few percent. If only modules whose sites it has seen before are left to watch, a hook on each
    of them is enough.

    Args:
        measure: See `ActivationObserver`.
        on_error: Called with any error raised while observing; the observed call continues.

    Attributes:
        watching: Whether calls are counted now.
        lost: Whether a module or the form of its outputs changed, so that sites must be determined
            again.
    """

    def __init__(
        self,
        measure: Callable[[str, str, Tensor, int], Tensor | None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._measure = measure
        self._on_error = on_error
        self._handles: list[RemovableHandle] = []
        self._forms: dict[str, SiteForm] = {}
        self._found: list[tuple[str, str, Tensor]] = []
        self.watching = self.lost = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave out transient state: a copy has no hooks."""
        return {**vars(self), "_handles": [], "_forms": {}, "_found": [], "watching": False}

    def attach(self, root: nn.Module, forms: Mapping[str, SiteForm]) -> None:
        """Watch these sites, which are module names, and no others."""
        if self._forms == forms:
            return
        self.detach()
        modules = {plain_name(name): module for name, module in root.named_modules()}
        unhooked = inside_fused(root)
        for site, form in forms.items():
            module = modules.get(site)
            if module is None or kind_of_module(module) != form.kind:  # replaced by another
                self.lost = True
            elif id(module) not in unhooked:
                self._handles.append(module.register_forward_hook(_Look(self, site)))
        self._forms = dict(forms)

    def detach(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._forms = {}
        self.watching = False

    def drain(self) -> list[tuple[str, str, Tensor]]:
        """Return the site, kind and measurement of each call since the last time, in order."""
        found, self._found = self._found, []
        return found

    def look(self, site: str, output: Any) -> None:
        """Measure the output of a site's module."""
        counts = torch.is_grad_enabled() or in_reentrant_checkpoint()
        if not (self.watching and counts) or is_transformed():
            return
        try:
            kind, dims, unit_dim = self._forms[site]
            if not isinstance(output, Tensor) or output.is_nested or output.ndim != dims:
                self.lost = True
                return
            measured = self._measure(site, kind, output.detach(), unit_dim)
            if measured is not None:
                self._found.append((site, kind, measured))
        except Exception as error:
            self._on_error(error)


class _Look(Hook):
    """Have the watch look at what a module returns."""

    def __init__(self, watch: SiteWatch, site: str) -> None:
        self.watch = watch
        self.site = site

    def __call__(self, module: nn.Module, args: Any, output: Any) -> None:
        """Look at the module's output."""
        self.watch.look(self.site, output)
