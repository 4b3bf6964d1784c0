"""Inputs of BatchNorm layers: how many values they normalise over, how stale statistics are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....functional.activations import unit_mean_and_variance
from ..transfer import to_host
from ..weights.anatomy import is_whole

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def is_batch_norm(module: nn.Module) -> bool:
    """Whether a module normalises by the statistics of its batch."""
    return isinstance(module, _BATCH_NORMS)


def moments_as_made(norms: Mapping[str, Any]) -> set[str]:
    """Return the layers whose running mean and variance are still 0 and 1; one sync per device."""
    flags = {n: _as_made(norm) for n, norm in norms.items() if norm.running_mean is not None}
    return {name for name, as_made in to_host(flags).items() if as_made}


def _as_made(norm: Any) -> Tensor:
    made: Tensor = (norm.running_mean == 0).all() & (norm.running_var == 1).all()
    return made


@dataclass(frozen=True)
class NormNews:
    """What one rank has observed, on the host.

    Attributes:
        fewest: Values per channel in the smallest batch of any layer so far.
        most: The same for the largest batch, by layer.
        gaps: New ones, see `NormProbe`.
        asleep: Whether a layer is asleep, see `NormProbe`, for those called since the last news.
        momenta: See `NormProbe`.
        evaluated_in_training: See `NormProbe`.
    """

    fewest: float
    most: dict[str, float]
    gaps: dict[str, float]
    asleep: dict[str, bool]
    momenta: dict[str, float]
    evaluated_in_training: list[str]


class NormProbe:
    """Observe the batches that BatchNorm layers normalise by batch statistics.

    Attributes:
        fewest: Values per channel in the smallest batch of any layer, on any rank.
        gaps: How far a layer's running statistics are from those of the last batch: the larger of
            the distance of the means in standard deviations and the absolute log ratio of the
            standard deviations, each a median over the channels.
        asleep: Layers in evaluation mode whose running statistics still have their initial values,
            mean 0 and variance 1, although their weights are trained.
        momenta: Weight of each batch in a layer's running statistics.
        evaluated_in_training: Layers that were called in evaluation mode during training.
    """

    def __init__(self) -> None:
        self.fewest = float("inf")
        self.gaps: dict[str, float] = {}
        self.asleep: list[str] = []
        self.momenta: dict[str, float] = {}
        self.evaluated_in_training: set[str] = set()
        self._fresh: dict[str, Tensor] = {}
        self._most: dict[str, float] = {}
        self._new_gaps: dict[str, Tensor] = {}
        self._called: set[str] = set()

    @property
    def most(self) -> float:
        """Values per channel in the largest batch of the layer with the fewest; inf without any."""
        return min(self._most.values(), default=float("inf"))

    def look(self, name: str, norm: Any, arguments: tuple[Any, ...]) -> None:
        """Inspect a call of the layer of that name."""
        self._look_for_sleep(name, norm)
        if not norm.training:
            self.evaluated_in_training.add(name)
            return
        x = arguments[0] if arguments else None
        channels = _channel_dim(norm, x)
        if not isinstance(x, Tensor) or channels is None:
            return
        x = x.detach()
        values = x.numel() / x.shape[channels] * _ranks_of(norm)
        self.fewest = min(self.fewest, values)
        self._most[name] = max(self._most.get(name, 0.0), values)
        if norm.running_mean is None:
            return
        # Without a momentum the statistics are the mean over all batches.
        self.momenta[name] = 1.0 if norm.momentum is None else norm.momentum
        with torch.no_grad():
            mean, variance = unit_mean_and_variance(x, channels)
            usual = norm.running_var + norm.eps
            gap = torch.maximum(
                ((mean - norm.running_mean).abs() / usual.sqrt()).median(),
                ((variance + norm.eps) / usual).log().abs().median() / 2,
            )
            known = self._new_gaps.get(name, gap) if name in self._called else gap
            self._called.add(name)
            self._new_gaps[name] = torch.maximum(known, gap)

    def _look_for_sleep(self, name: str, norm: Any) -> None:
        trained = torch.is_grad_enabled() and any(p.requires_grad for p in norm.parameters())
        if norm.running_mean is not None and trained:
            self._fresh[name] = _as_made(norm) & (not norm.training)

    def begin(self) -> None:
        """Begin a batch: of several calls of a layer in it, the one with the largest gap counts."""
        self._called.clear()

    def news(self) -> NormNews:
        """Return what was observed since the last call, on the host."""
        gaps, self._new_gaps = self._new_gaps, {}
        fresh, self._fresh = self._fresh, {}
        return NormNews(
            self.fewest, dict(self._most), to_host(gaps), to_host(fresh), dict(self.momenta),
            sorted(self.evaluated_in_training),
        )  # fmt: skip

    def take(self, ranks: Sequence[NormNews]) -> None:
        """Merge the news of all ranks."""
        self.fewest = min(rank.fewest for rank in ranks)
        for name, sleeps in ranks[0].asleep.items():
            others = [other for other in self.asleep if other != name]
            self.asleep = [*others, name] if sleeps else others
        self.momenta = dict(ranks[0].momenta)
        self.evaluated_in_training.update(*(rank.evaluated_in_training for rank in ranks))
        for rank in ranks:
            for name, most in rank.most.items():
                self._most[name] = max(self._most.get(name, 0.0), most)
        for name in dict.fromkeys(name for rank in ranks for name in rank.gaps):
            seen = [rank.gaps[name] for rank in ranks if name in rank.gaps]
            self.gaps[name] = sum(seen) / len(seen)

    def state_dict(self) -> dict[str, Any]:
        """Return what was merged so far."""
        return {
            "fewest": self.fewest, "most": dict(self._most), "gaps": dict(self.gaps),
            "asleep": list(self.asleep), "momenta": dict(self.momenta),
            "evaluated_in_training": sorted(self.evaluated_in_training),
        }  # fmt: skip

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        self.fewest, self._most = state_dict["fewest"], dict(state_dict["most"])
        self.gaps, self.asleep = dict(state_dict["gaps"]), list(state_dict["asleep"])
        self.momenta = dict(state_dict["momenta"])
        self.evaluated_in_training = set(state_dict["evaluated_in_training"])


def _channel_dim(norm: Any, x: object) -> int | None:
    """Return the channel dimension; None if unknown: a subclass may expect another layout."""
    if not is_whole(x) or not x.numel():
        return None
    dims = (dim for dim in (1, x.ndim - 1) if 1 <= dim < x.ndim)
    return next((dim for dim in dims if x.shape[dim] == norm.num_features), None)


def _ranks_of(norm: nn.Module) -> int:
    """Return the number of ranks whose batches a layer computes its statistics over."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if isinstance(norm, nn.SyncBatchNorm) and distributed:
        return torch.distributed.get_world_size()
    return 1
