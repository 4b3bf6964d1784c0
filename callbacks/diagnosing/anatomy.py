"""What a network consists of: its weight layers, and what reaches them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from .recurrence import RepeatedCalls, SequenceProbe
from .vitals import NAN, InputScale, Layer

_MAX_ROWS, _MAX_FEATURES = 512, 4_096
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def matrix_of(module: nn.Module) -> Tensor | None:
    """The weight matrix or kernel that a module itself owns; None for an embedding's table."""
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return None
    own = module.parameters(recurse=False)
    return next(
        (p for p in own if not isinstance(p, nn.UninitializedParameter) and p.ndim > 1), None
    )


def find_layers(module: nn.Module, optimizers: Iterable[Optimizer]) -> list[Layer]:
    """Weight layers in the order of registration; what was not called yet is not known to run."""
    optimized = {p for o in optimizers for group in o.param_groups for p in group["params"]}
    layers = []
    for name, part in module.named_modules():
        weight = matrix_of(part)
        if weight is not None:
            trained = weight.requires_grad
            layers.append(Layer(name, weight.numel(), trained, weight in optimized, ran=False))
    return layers


def highest_dropout(module: nn.Module) -> float:
    """Highest probability of a dropout layer."""
    dropouts = (m for m in module.modules() if isinstance(m, nn.modules.dropout._DropoutNd))
    return max((float(m.p) for m in dropouts), default=0.0)


def have_identical_units(weight: Tensor, *, sure: bool) -> Tensor:
    """Whether all units have the same weights and the same gradients; a flag on the device.

    Gradients of 0 are the same only if one is ``sure`` that they are no matter of the first steps,
    as behind a gate that starts closed.
    """
    gradient = weight.grad
    if gradient is None or len(weight) < 2 or gradient.layout != torch.strided:
        return torch.zeros((), dtype=torch.bool, device=weight.device)
    with torch.no_grad():
        same = (weight == weight[:1]).all() & (gradient == gradient[:1]).all()
        return same if sure else same & gradient.any()


class FirstBatches:
    """See what reaches each layer in the forward passes of a few batches.

    Attributes:
        ran: Names of the layers that were called.
        first: Name of the one that was called first.
        smallest_batch: Samples of the smallest batch to a BatchNorm layer.
        has_news: Whether inputs were seen since `input_scale`.
        probe: Sequences that reached a recurrent layer.
        repeated: Gradients of a layer that is called again and again.
        outputs: What the layers gave in the last batch, by the node of its graph.
    """

    def __init__(self) -> None:
        self.outputs: dict[Any, Tensor] = {}
        self.probe, self.repeated = SequenceProbe(), RepeatedCalls()
        self.ran: set[str] = set()
        self.first = ""
        self.smallest_batch = float("inf")
        self._rows: list[Tensor] = []
        self._moments: list[Tensor] = []
        self._sizes: tuple[int, ...] = ()
        self._gaps: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []
        self._fresh = self.has_news = False

    def attach(self, module: nn.Module) -> None:
        """Hook every layer for one batch."""
        self.detach()
        self.outputs.clear()
        self.repeated.begin()
        self._fresh = True
        for name, part in module.named_modules():
            if isinstance(part, _BATCH_NORMS):
                self._handles.append(part.register_forward_pre_hook(self._at_norm(name)))
            if matrix_of(part) is not None:
                self._handles.append(part.register_forward_pre_hook(self._at_layer(name)))
                self._handles.append(part.register_forward_hook(self._after_layer(name)))

    def detach(self) -> None:
        """Leave no hook behind."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _at_layer(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def look(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            self.ran.add(name)
            x = arguments[0] if arguments else None
            self.probe.keep(name, layer, x)
            if self._fresh and isinstance(x, Tensor) and x.is_floating_point() and x.ndim > 1:
                self._fresh = False
                self.first = self.first or name
                if name == self.first:
                    self._keep(x.detach())

        return look

    def _after_layer(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def look(layer: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            first = output[0] if isinstance(output, tuple) and output else output
            if isinstance(first, Tensor) and first.grad_fn is not None:
                self.outputs[first.grad_fn] = first.detach()
                self.repeated.saw(name, first)

        return look

    def _keep(self, x: Tensor) -> None:
        self._sizes = self._sizes or tuple(x.shape[:2])
        with torch.no_grad():
            self._moments.append(torch.stack([x.float().mean(), x.float().std()]))
        features = x.movedim(1, -1) if x.ndim > 3 else x
        rows = features.reshape(-1, features.shape[-1])[:, :_MAX_FEATURES]
        if sum(map(len, self._rows)) < 10 * _MAX_ROWS:
            stride = max(1, len(rows) // _MAX_ROWS)
            self._rows.append(rows[::stride].clone())
        self.has_news = True

    def _at_norm(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def look(norm: Any, arguments: tuple[Any, ...]) -> None:
            x = arguments[0]
            self.smallest_batch = min(self.smallest_batch, len(x))
            if norm.running_mean is None or not norm.training:
                return
            with torch.no_grad():
                mean = x.detach().float().mean([d for d in range(x.ndim) if d != 1])
                gap = (mean - norm.running_mean).abs() / (norm.running_var + norm.eps).sqrt()
                self._gaps[name] = gap.median()

        return look

    def statistics_gap(self) -> dict[str, float]:
        """Distance of BatchNorm's running means from the last batch's, in deviations, by layer."""
        if not self._gaps:
            return {}
        gaps = torch.stack(list(self._gaps.values())).tolist()
        return dict(zip(self._gaps, gaps, strict=True))

    def input_scale(self) -> InputScale:
        """Moments of the features that reached the first layer."""
        self.has_news = False
        if not self._rows:
            return InputScale()
        rows = torch.cat([r for r in self._rows if r.shape[1] == self._rows[0].shape[1]]).double()
        mean, std = rows.mean(0), rows.std(0) if len(rows) > 1 else rows.new_zeros(rows.shape[1])
        means, deviations = torch.stack(self._moments).double().cpu().T
        spread = means.std() / deviations.mean() if len(means) > 1 else means.new_tensor(NAN)
        varied = std[std > 1e-12 * (1 + mean.abs())]
        return InputScale(
            layer=self.first,
            largest_mean=float(mean.abs().max()),
            largest_std=float(std.max()),
            smallest_std=float(varied.min()) if len(varied) else 0.0,
            rms=float(rows.square().mean().sqrt()),
            features=rows.shape[1],
            sizes=self._sizes,
            batch_spread=float(spread),
            batches=len(means),
        )
