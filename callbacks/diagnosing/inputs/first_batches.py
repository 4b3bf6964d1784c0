"""Inputs of a network's layers in the forward passes of a few batches."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ....functional.precision import widest
from ...monitoring.activations.compilation import eager_parts
from ..vital_signs.signs import NAN, InputScale
from ..weights.anatomy import is_composite, is_torchs, is_whole, matrices_of
from .batch_norms import NormNews, NormProbe, is_batch_norm
from .custom_units import CustomUnits, is_custom_unit
from .feature_moments import FeatureMoments, Moments
from .first_calls import FirstCalls
from .hooks import Hooks
from .recurrence import RepeatedCalls, SequenceProbe
from .side_inputs import SideInputs
from .time_axes import TimeAxes

_MAX_ROWS = 512
_MAX_FEATURES = 4_096
_MIN_BATCHES_OF_A_QUARTER = 5
_GOLDEN_SECTION = 0.6180339887
# The farthest of 512 normally distributed numbers is at three to four standard deviations.
_MAX_DEVIATIONS_OF_FARTHEST = 10.0


@dataclass(frozen=True)
class BatchNews:
    """What one rank has observed of its batches, on the host.

    Attributes:
        ran: Names of the layers that were called so far.
        follow: Those of them whose input depended on trained weights.
        first: Name of the layer that was called first.
        norms: News of its BatchNorm layers.
        moments: Moments of the first layer's input features, for each new batch.
        batches: Number, and mean and standard deviation of all entries, of each new batch.
        first_calls: What was measured once of later layers, by kind.
    """

    ran: list[str]
    follow: list[str]
    first: str
    norms: NormNews
    moments: list[Moments]
    batches: list[list[float]]
    first_calls: dict[str, dict[str, list[float]]]


class FirstBatches:
    """Observe the input of each layer in the forward passes of a few batches.

    The inside of compiled regions is not observed.

    Attributes:
        ran: Names of the layers that were called, on any rank.
        follow: Those of them whose input depended on trained weights.
        first: Name of the layer that was called first.
        norms: Batches of BatchNorm layers.
        side_inputs: Inputs of layers after the first.
        custom_units: Outputs of custom modules that a layer takes as its input.
        time_axes: Input sizes of layers that take the first dimension as time.
        has_news: Whether inputs were merged since the last `input_scale`.
        probe: Input sequences of a recurrent layer.
        repeated: Gradients of a layer that is called repeatedly.
        outputs: Outputs of the layers in the last batch, by their node of the autograd graph.
        inputs: Input of the first layer; None before its call and once the loss was inspected.
        number: Number of the next batch, from 0.
    """

    def __init__(self) -> None:
        self.outputs: dict[Any, Tensor] = {}
        self.inputs: Tensor | None = None
        self.number = 0
        self.norms, self.side_inputs = NormProbe(), SideInputs()
        self.custom_units, self.time_axes = CustomUnits(), TimeAxes()
        self._first_calls: dict[str, FirstCalls] = {
            "side_inputs": self.side_inputs,
            "custom_units": self.custom_units,
            "time_axes": self.time_axes,
        }
        self.probe, self.repeated = SequenceProbe(), RepeatedCalls()
        self.ran: set[str] = set()
        self.follow: set[str] = set()
        self.has_news = False
        self.first, self._rows = "", 0
        self._sizes: tuple[int, ...] = ()
        self._is_data = True
        self._is_table = False
        self._features = FeatureMoments()
        self._first_gap = -1
        self._new_moments: list[Moments] = []
        # Mean and standard deviation of all entries of each batch.
        self._batches: list[list[float]] = []
        self._new_batches: list[Tensor] = []
        self._hooks = Hooks()
        self._fresh = False

    def attach(self, module: nn.Module) -> None:
        """Hook every layer for one batch, except in compiled parts, which would recompile."""
        self.detach()
        self.forget()
        self.repeated.begin()
        self.norms.begin()
        self.custom_units.begin()
        self._fresh = True
        for name, part in eager_parts(module):
            before, after = part.register_forward_pre_hook, part.register_forward_hook
            if is_batch_norm(part):
                self._hooks.add(before, partial(self.norms.look, name))
            if is_custom_unit(part):
                self._hooks.add(after, partial(self.custom_units.keep, name))
            if matrices_of(part):
                self._hooks.add(before, self._at_layer(name, part))
                self._hooks.add(after, partial(self._look_at_output, name))

    def detach(self) -> None:
        """Remove all hooks."""
        self._hooks.remove()

    def forget(self) -> None:
        """Release the batch."""
        self.outputs.clear()
        self.inputs = None

    def _at_layer(self, name: str, part: nn.Module) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        is_trained = any(p.requires_grad for p in part.parameters(recurse=False))
        is_layer = not is_composite(part)

        def look(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            self.ran.add(name)
            x = arguments[0] if arguments else None
            self.probe.keep(name, layer, x)
            self.time_axes.look(name, layer, x)
            # Packed sequences hold the existing time steps only, ordered by time.
            sizes = x.batch_sizes[:1].tolist() if isinstance(x, PackedSequence) else []
            x = x.data if isinstance(x, PackedSequence) else x
            if isinstance(x, Tensor) and x.grad_fn is not None:
                self.follow.add(name)
            if not (is_layer and is_whole(x) and x.is_floating_point() and x.ndim > 1):
                return
            self.custom_units.look(x)
            if self._fresh:
                self._fresh = False
                self.first = self.first or name
                if name == self.first and (is_torchs(part) or _may_be_multiplied(name, part, x)):
                    self._keep(x.detach(), sizes or x.shape[:2], is_data=x.grad_fn is None)
            elif name != self.first and is_trained:
                self.side_inputs.look(name, x)

        return look

    def _look_at_output(
        self, name: str, layer: nn.Module, arguments: tuple[Any, ...], output: Any
    ) -> None:
        first = output[0] if isinstance(output, tuple) and output else output
        if is_whole(first) and first.grad_fn is not None:
            self.outputs[first.grad_fn] = first.detach()
            self.repeated.saw(name, first)

    def _keep(self, x: Tensor, sizes: Sequence[int], *, is_data: bool) -> None:
        if not is_data and (self._batches or self._new_batches):
            return  # What an embedding has learned to output says nothing about the data.
        if not x.numel():
            return  # A batch without samples has no moments, and no NaN either.
        x = x.as_subclass(Tensor)  # Image tensors, say, are a subclass with its own arithmetic.
        self._is_data = is_data
        # Neither an image nor a sequence, padded or packed.
        self._is_table = x.ndim == 2 and tuple(sizes) == tuple(x.shape)
        self.inputs = x
        self._sizes = self._sizes or tuple(sizes)
        with torch.no_grad():
            mean = x.float().mean()
            deviation = x.float().std() if x.numel() > 1 else mean.new_full((), NAN)
            number = mean.new_full((), self.number)
            self._new_batches.append(torch.stack([number, mean, deviation]))
        features = x.movedim(1, -1) if x.ndim > 3 else x
        rows = features.reshape(-1, features.shape[-1])[:, :_MAX_FEATURES]
        if self._rows < 10 * _MAX_ROWS and len(rows):
            rows = _sample(rows).to(widest(rows.device))
            self._rows += len(rows)
            mean = rows.mean(0)
            apart = (rows - mean).abs()
            moments = (len(rows), mean, apart.square().sum(0), apart.amax(0))
            self._new_moments.append(moments)

    def news(self) -> BatchNews:
        """Return what was observed since the last call, on the host; raise any error of a hook."""
        self._hooks.raise_error()
        moments, self._new_moments = self._new_moments, []
        batches, self._new_batches = self._new_batches, []
        return BatchNews(
            sorted(self.ran),
            sorted(self.follow),
            self.first,
            self.norms.news(),
            [(n, mean.cpu(), squares.cpu(), far.cpu()) for n, mean, squares, far in moments],
            torch.stack(batches).tolist() if batches else [],
            {kind: calls.news() for kind, calls in self._first_calls.items()},
        )

    def take(self, ranks: Sequence[BatchNews]) -> None:
        """Merge the news of all ranks."""
        self.ran.update(name for rank in ranks for name in rank.ran)
        self.follow.update(name for rank in ranks for name in rank.follow)
        self.first = next((rank.first for rank in ranks if rank.first), "")
        self.norms.take([rank.norms for rank in ranks])
        for kind, calls in self._first_calls.items():
            calls.take([rank.first_calls[kind] for rank in ranks])
        # Batch by batch over the ranks, so that the order is the same whenever they are merged.
        for batch in zip_longest(*(rank.moments for rank in ranks)):
            for moments in filter(None, batch):
                self._features.add(moments)
        for parts in zip_longest(*(rank.batches for rank in ranks)):
            self.has_news = True
            known = [part for part in parts if part is not None]
            moments = mean_and_deviation([row[1:] for row in known])
            if self._first_gap < 0 and not math.isfinite(moments[0]):
                self._first_gap = int(known[0][0])
            self._batches.append(moments)

    def input_scale(self) -> InputScale:
        """Return the scale of the first layer's input features."""
        self.has_news = False
        if self._features.joined is None:
            return InputScale()
        rows, mean, squares, farthest = self._features.joined
        means, deviations = torch.tensor(self._batches, dtype=torch.float64).T
        within = deviations.square().mean().sqrt()
        spread = means.std() / within if len(means) > 1 else means.new_tensor(NAN)
        drift, growth = _change(means, deviations)
        std = (squares / max(1, rows - 1)).sqrt()
        # A feature that is almost always 0, say, has a small deviation but not a small scale.
        scale = torch.maximum(std, farthest / _MAX_DEVIATIONS_OF_FARTHEST)
        varied = scale[std > 1e-12 * (1 + mean.abs())]
        return InputScale(
            layer=self.first,
            largest_mean=float(mean.abs().max()),
            largest_std=float(std.max()),
            smallest_std=float(varied.min()) if len(varied) else 0.0,
            rms=float((squares / rows + mean.square()).mean().sqrt()),
            features=len(mean),
            sizes=self._sizes,
            batch_spread=float(spread),
            feature_spread=self._features.spread if self._is_table else NAN,
            is_table=self._is_table,
            batches=len(means),
            first_gap=self._first_gap,
            is_data=self._is_data,
            usual_std=float(varied.median()) if len(varied) else 0.0,
            drift=drift,
            growth=growth,
            upper_rms=_upper_quartile((means.square() + deviations.square()).sqrt()),
            mean=float(means.mean()),
            std=math.hypot(within, means.std(correction=0)),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what was merged so far."""
        return {
            "ran": sorted(self.ran),
            "follow": sorted(self.follow),
            "first": self.first,
            "rows": self._rows,
            "sizes": self._sizes,
            "first_gap": self._first_gap,
            "is_data": self._is_data,
            "is_table": self._is_table,
            "norms": self.norms.state_dict(),
            **{kind: dict(calls.rows) for kind, calls in self._first_calls.items()},
            "features": self._features.state_dict(),
            "batches": torch.tensor(self._batches, dtype=torch.float64),
            "recurrent": self.probe.layer,
            "calls": self.repeated.calls,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.ran, self.follow = set(state_dict["ran"]), set(state_dict["follow"])
        self.first = state_dict["first"]
        self._rows, self._first_gap = state_dict["rows"], state_dict["first_gap"]
        self.norms.load_state_dict(state_dict["norms"])
        for kind, calls in self._first_calls.items():
            calls.rows = dict(state_dict[kind])
        self._sizes = tuple(state_dict["sizes"])
        self._is_data, self._is_table = state_dict["is_data"], state_dict["is_table"]
        self._features.load_state_dict(state_dict["features"])
        self._batches = state_dict["batches"].tolist()
        self.has_news = self._features.joined is not None
        self.probe.layer = state_dict["recurrent"]
        self.repeated.calls = dict(state_dict["calls"])


def _may_be_multiplied(name: str, own: nn.Module, x: Tensor) -> bool:
    """Whether a custom module may multiply its input by its own matrix without further processing.

    A whole model, whose name is empty here, may process its inputs in any way first.
    """
    features = {x.shape[-1], x.shape[1]}
    return name != "" and not features.isdisjoint(matrices_of(own)[0].shape)


def _sample(rows: Tensor) -> Tensor:
    """Sample rows, spread evenly but out of step with the rows and columns of images."""
    if len(rows) <= _MAX_ROWS:
        return rows
    turns = torch.arange(_MAX_ROWS, dtype=widest(rows.device), device=rows.device) * _GOLDEN_SECTION
    return rows[(turns % 1 * len(rows)).long()]


def mean_and_deviation(parts: Sequence[list[float]]) -> list[float]:
    """Combine the means and deviations of a batch's equal parts into those of all its entries."""
    if len(parts) == 1:
        return parts[0]
    means, deviations = torch.tensor(parts, dtype=torch.float64).T
    variance = deviations.square().mean() + means.var(correction=0)
    return [float(means.mean()), float(variance.sqrt())]


def _upper_quartile(values: Tensor) -> float:
    return float(values.quantile(0.75, interpolation="lower"))


def _change(means: Tensor, deviations: Tensor) -> tuple[float, float]:
    """Return the shift of the mean and the growth of the deviation from first to last quarter.

    The shift is in standard deviations of the first quarter. NaN for fewer than twenty batches.
    """
    quarter = len(means) // 4
    if quarter < _MIN_BATCHES_OF_A_QUARTER:
        return NAN, NAN
    first, last = deviations[:quarter].mean(), deviations[-quarter:].mean()
    moved = (means[-quarter:].mean() - means[:quarter].mean()).abs() / first
    return float(moved), float(last / first)
