"""What reaches the layers of a network in the forward passes of a few batches."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.hooks import RemovableHandle

from ....functional.precision import widest
from ...monitoring.activations.compilation import eager_parts, is_transformed
from ...monitoring.activations.module_scopes import Hook
from ..vital_signs.signs import NAN, InputScale, SideInput
from ..weights.anatomy import is_composite, is_whole, matrix_of
from .batch_norms import NormNews, NormProbe, is_batch_norm
from .recurrence import RepeatedCalls, SequenceProbe
from .side_inputs import SideInputs
from .time_axes import Sizes, TimeAxes

_MAX_ROWS = 512
_MAX_FEATURES = 4_096
_MIN_BATCHES_OF_A_QUARTER = 5
_GOLDEN_SECTION = 0.6180339887
# The farthest of 512 normal numbers is at three to four deviations.
_MAX_DEVIATIONS_OF_FARTHEST = 10.0
# Number of rows; of each column the mean, the sum of squared distances from it, and the farthest.
Moments = tuple[int, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class BatchNews:
    """What one rank has seen of its batches, on the host.

    Attributes:
        ran: Names of the layers that were called so far.
        first: Name of the one that was called first.
        norms: Of its BatchNorm layers.
        moments: Of the features of each new batch that reached the first layer.
        batches: Number, and mean and deviation of all entries, of each of them.
        side_inputs: Of layers behind the first that were called for the first time.
        time_axes: Times and sequences of layers that take them in this order, likewise.
    """

    ran: list[str]
    first: str
    norms: NormNews
    moments: list[Moments]
    batches: list[list[float]]
    side_inputs: dict[str, SideInput]
    time_axes: dict[str, Sizes]


class FirstBatches:
    """See what reaches each layer in the forward passes of a few batches.

    What is inside of a compiled region is not seen.

    Attributes:
        ran: Names of the layers that were called, on any rank.
        norms: Batches that reached BatchNorm layers.
        side_inputs: What reached layers behind the first.
        time_axes: What layers took for time.
        has_news: Whether inputs were taken up since `input_scale`.
        probe: Sequences that reached a recurrent layer.
        repeated: Gradients of a layer that is called again and again.
        outputs: What the layers gave in the last batch, by the node of its graph.
        inputs: What reached the first layer; None before it did, and once the loss was looked at.
        number: Number of the batch that is next, from 0.
    """

    def __init__(self) -> None:
        self.outputs: dict[Any, Tensor] = {}
        self.inputs: Tensor | None = None
        self.number = 0
        self.norms, self.side_inputs = NormProbe(), SideInputs()
        self.time_axes = TimeAxes()
        self.probe, self.repeated = SequenceProbe(), RepeatedCalls()
        self.ran: set[str] = set()
        self.has_news = False
        self._first, self._rows = "", 0
        self._sizes: tuple[int, ...] = ()
        self._is_data = True
        self._moments: Moments | None = None
        self._first_gap = -1
        self._new_moments: list[Moments] = []
        # Mean and deviation of all entries of each batch.
        self._batches: list[list[float]] = []
        self._new_batches: list[Tensor] = []
        self._handles: list[RemovableHandle] = []
        self._fresh = False
        self._error: Exception | None = None

    def attach(self, module: nn.Module) -> None:
        """Hook every layer for one batch; those in compiled parts would be compiled anew."""
        self.detach()
        self.forget()
        self.repeated.begin()
        self.norms.begin()
        self._fresh = True
        for name, part in eager_parts(module):
            before, after = part.register_forward_pre_hook, part.register_forward_hook
            if is_batch_norm(part):
                self._handles.append(before(self._guarded(self.norms.at(name))))
            if matrix_of(part) is not None:
                self._handles.append(before(self._guarded(self._at_layer(name, part))))
                self._handles.append(after(self._guarded(self._after_layer(name))))

    def _guarded(self, look: Callable[..., None]) -> Callable[..., None]:
        """A hook that no forward pass is stopped by: `news` raises what goes wrong in it."""
        return _Guarded(self._attempt, look)

    def _attempt(self, look: Callable[..., None], *arguments: Any) -> None:
        if self._error is not None or is_transformed():
            return
        try:
            look(*arguments)
        except Exception as error:
            self._error = error

    def detach(self) -> None:
        """Leave no hook behind."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def forget(self) -> None:
        """Let go of the batch."""
        self.outputs.clear()
        self.inputs = None

    def _at_layer(self, name: str, part: nn.Module) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        is_trained = any(p.requires_grad for p in part.parameters(recurse=False))
        is_layer = not is_composite(part)
        is_torchs = type(part).__module__.startswith("torch.nn.")

        def look(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            self.ran.add(name)
            x = arguments[0] if arguments else None
            self.probe.keep(name, layer, x)
            self.time_axes.look(name, layer, x)
            # Of packed sequences the steps that are there, in the order of the batch's time.
            sizes = x.batch_sizes[:1].tolist() if isinstance(x, PackedSequence) else []
            x = x.data if isinstance(x, PackedSequence) else x
            if not (is_layer and is_whole(x) and x.is_floating_point() and x.ndim > 1):
                return
            if self._fresh:
                self._fresh = False
                self._first = self._first or name
                if name == self._first and (is_torchs or _may_be_multiplied(name, part, x)):
                    self._keep(x.detach(), sizes or x.shape[:2], is_data=x.grad_fn is None)
            elif name != self._first and is_trained:
                self.side_inputs.look(name, x)

        return look

    def _after_layer(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def look(layer: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
            first = output[0] if isinstance(output, tuple) and output else output
            if not is_whole(first) or first.grad_fn is None:
                return
            self.outputs[first.grad_fn] = first.detach()
            self.repeated.saw(name, first)

        return look

    def _keep(self, x: Tensor, sizes: Sequence[int], *, is_data: bool) -> None:
        if not is_data and (self._batches or self._new_batches):
            return  # What an embedding has learned to give is no matter of the data.
        if not x.numel():
            return  # A batch without samples has no moments; it lacks no number either.
        x = x.as_subclass(Tensor)  # as one of an image is, whose arithmetic is its own
        self._is_data = is_data
        self.inputs = x
        self._sizes = self._sizes or tuple(sizes)
        with torch.no_grad():
            mean = x.float().mean()
            deviation = x.float().std() if x.numel() > 1 else mean.new_tensor(NAN)
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
        """What was seen since the last time, on the host; or what went wrong in seeing it."""
        if self._error is not None:
            raise self._error
        moments, self._new_moments = self._new_moments, []
        batches, self._new_batches = self._new_batches, []
        return BatchNews(
            sorted(self.ran),
            self._first,
            self.norms.news(),
            [(n, mean.cpu(), squares.cpu(), far.cpu()) for n, mean, squares, far in moments],
            torch.stack(batches).tolist() if batches else [],
            self.side_inputs.news(),
            self.time_axes.news(),
        )

    def take(self, ranks: Sequence[BatchNews]) -> None:
        """Take up the news of all ranks."""
        self.ran.update(name for rank in ranks for name in rank.ran)
        self._first = next((rank.first for rank in ranks if rank.first), "")
        self.norms.take([rank.norms for rank in ranks])
        self.side_inputs.take([rank.side_inputs for rank in ranks])
        self.time_axes.take([rank.time_axes for rank in ranks])
        # One batch of all ranks after the other, whenever they are taken up.
        for batch in zip_longest(*(rank.moments for rank in ranks)):
            for moments in filter(None, batch):
                self._moments = _join_moments(self._moments, moments)
        for parts in zip_longest(*(rank.batches for rank in ranks)):
            self.has_news = True
            known = [part for part in parts if part is not None]
            moments = _mean_and_deviation([row[1:] for row in known])
            if self._first_gap < 0 and not math.isfinite(moments[0]):
                self._first_gap = int(known[0][0])
            self._batches.append(moments)

    def input_scale(self) -> InputScale:
        """Moments of the features that reached the first layer."""
        self.has_news = False
        if self._moments is None:
            return InputScale()
        rows, mean, squares, farthest = self._moments
        means, deviations = torch.tensor(self._batches, dtype=torch.float64).T
        within = deviations.square().mean().sqrt()
        spread = means.std() / within if len(means) > 1 else means.new_tensor(NAN)
        drift, growth = _change(means, deviations)
        std = (squares / max(1, rows - 1)).sqrt()
        # A feature that is rarely another number than 0, say, is none on a small scale.
        scale = torch.maximum(std, farthest / _MAX_DEVIATIONS_OF_FARTHEST)
        varied = scale[std > 1e-12 * (1 + mean.abs())]
        return InputScale(
            layer=self._first,
            largest_mean=float(mean.abs().max()),
            largest_std=float(std.max()),
            smallest_std=float(varied.min()) if len(varied) else 0.0,
            rms=float((squares / rows + mean.square()).mean().sqrt()),
            features=len(mean),
            sizes=self._sizes,
            batch_spread=float(spread),
            batches=len(means),
            first_gap=self._first_gap,
            is_data=self._is_data,
            usual_std=float(varied.median()) if len(varied) else 0.0,
            drift=drift,
            growth=growth,
        )

    def state_dict(self) -> dict[str, Any]:
        """What was taken up so far."""
        return {
            "ran": sorted(self.ran),
            "first": self._first,
            "rows": self._rows,
            "sizes": self._sizes,
            "first_gap": self._first_gap,
            "is_data": self._is_data,
            "norms": self.norms.state_dict(),
            "side_inputs": self.side_inputs.state_dict(),
            "time_axes": self.time_axes.state_dict(),
            "moments": self._moments,
            "batches": torch.tensor(self._batches, dtype=torch.float64),
            "recurrent": self.probe.layer,
            "calls": self.repeated.calls,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.ran, self._first = set(state_dict["ran"]), state_dict["first"]
        self._rows, self._first_gap = state_dict["rows"], state_dict["first_gap"]
        self.norms.load_state_dict(state_dict["norms"])
        self.side_inputs.load_state_dict(state_dict["side_inputs"])
        self.time_axes.load_state_dict(state_dict["time_axes"])
        self._sizes = tuple(state_dict["sizes"])
        self._is_data = state_dict.get("is_data", True)
        self._moments = state_dict["moments"]
        self._batches = state_dict["batches"].tolist()
        self.has_news = self._moments is not None
        self.probe.layer = state_dict["recurrent"]
        self.repeated.calls = dict(state_dict["calls"])


class _Guarded(Hook):
    """A hook on a layer, which a copy of the network does not have."""

    def __init__(self, attempt: Callable[..., None], look: Callable[..., None]) -> None:
        self._attempt, self._look = attempt, look

    def __call__(self, *arguments: Any) -> None:
        """Look."""
        self._attempt(self._look, *arguments)


def _may_be_multiplied(name: str, own: nn.Module, x: Tensor) -> bool:
    """Whether a matrix of a module of one's own may be multiplied with what comes in, as it is.

    A whole model, which has no name here, may do anything with its inputs before that.
    """
    matrix = matrix_of(own)
    features = {x.shape[-1], x.shape[1]}
    return name != "" and matrix is not None and bool(features & set(matrix.shape))


def _sample(rows: Tensor) -> Tensor:
    """Some of many rows, spread evenly and in step with no row or column of an image."""
    if len(rows) <= _MAX_ROWS:
        return rows
    turns = torch.arange(_MAX_ROWS, dtype=widest(rows.device), device=rows.device) * _GOLDEN_SECTION
    return rows[(turns % 1 * len(rows)).long()]


def _mean_and_deviation(parts: Sequence[list[float]]) -> list[float]:
    """Of all entries of a batch, from those of its equal parts."""
    if len(parts) == 1:
        return parts[0]
    means, deviations = torch.tensor(parts, dtype=torch.float64).T
    variance = deviations.square().mean() + means.var(correction=0)
    return [float(means.mean()), float(variance.sqrt())]


def _join_moments(one: Moments | None, other: Moments) -> Moments:
    """Moments of the rows of both; of the first alone where the others are of another width."""
    if one is None:
        return other
    (n, mean, squares, farthest), (m, other_mean, other_squares, other_farthest) = one, other
    if len(mean) != len(other_mean):
        return one
    distance = other_mean - mean
    joined = squares + other_squares + distance.square() * (n * m / (n + m))
    farthest = torch.maximum(farthest, other_farthest)
    return n + m, mean + distance * (m / (n + m)), joined, farthest


def _change(means: Tensor, deviations: Tensor) -> tuple[float, float]:
    """From the first quarter of the batches to the last: of the mean, in deviations, and of those.

    NaN for fewer than twenty batches.
    """
    quarter = len(means) // 4
    if quarter < _MIN_BATCHES_OF_A_QUARTER:
        return NAN, NAN
    first, last = deviations[:quarter].mean(), deviations[-quarter:].mean()
    moved = (means[-quarter:].mean() - means[:quarter].mean()).abs() / first
    return float(moved), float(last / first)
