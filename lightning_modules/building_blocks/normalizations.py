"""Normalisations by name, for dense layers, sequences, images and volumes."""

from typing import Any

from torch import Tensor, nn

from ...functional.choices import choose
from .choices import Options

NORMALIZATIONS = ("none", "batch", "layer", "group", "instance", "rms")
# These subtract the mean of each unit separately, and with it any preceding bias.
_CANCELS_BIAS = frozenset({"batch", "instance"})
_OPTIONS = {
    "batch": {"momentum", "eps", "affine", "track_running_stats"},
    "layer": {"eps", "affine"},
    "group": {"groups", "eps", "affine"},
    "instance": {"momentum", "eps", "affine", "track_running_stats"},
    "rms": {"eps", "affine"},
}
_MAX_GROUPS = 32
# By number of spatial dimensions.
_BATCH = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_INSTANCE = (None, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


class ChannelRMSNorm(nn.RMSNorm):
    r"""Divide each position's channels by their root mean square, :math:`\sqrt{E[x^2]+\epsilon}`.

    Example:
        >>> import torch
        >>> norm = ChannelRMSNorm(2, elementwise_affine=False)
        >>> norm(torch.tensor([[[[3.0]], [[4.0]]]])).flatten()
        tensor([0.8485, 1.1314])

    Reference:
        Zhang and Sennrich 2019, "Root mean square layer normalization", equation 4.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` of shape ``(N, C, ...)``."""
        if self.weight is not None:
            # Mixed precision casts the images only, which torch handles slowly, with a warning.
            x = x.to(self.weight.dtype)
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def cancels_bias(norm: str) -> bool:
    """Whether a bias right before this normalisation has no effect."""
    return norm in _CANCELS_BIAS


def make_norm(norm: str, width: int, *, dims: int, options: Options | None = None) -> nn.Module:
    """Create a normalisation of ``width`` units, or an identity for ``"none"``.

    Args:
        norm: ``"none"``, ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        width: Features of a dense layer or channels of a convolution.
        dims: Number of spatial dimensions: 0 for dense layers, 1 for sequences ``(N, C, L)``, 2
            for images, 3 for volumes. With spatial dimensions, layer normalisation is over channels
            and positions, as ``GroupNorm(1, width)``, and RMS over the channels of each position.
        options: ``momentum``, ``eps``, ``affine``, ``groups`` (default: the largest divisor of
            ``width`` up to 32, in dense layers with at least 4 features per group) and
            ``track_running_stats``, where the normalisation has them.

    Raises:
        ValueError: If the name or an option is unknown or does not fit.

    Example:
        >>> make_norm("batch", 8, dims=2, options={"momentum": 0.01}).momentum
        0.01
    """
    choose("norm", norm, dict.fromkeys(NORMALIZATIONS))
    if norm == "none":
        return nn.Identity()
    given = dict(options or {})
    unknown = sorted(given.keys() - _OPTIONS[norm])
    if unknown:
        raise ValueError(
            f"Expected `norm_options` of {norm!r} to be among {sorted(_OPTIONS[norm])}, "
            f"but got {unknown}."
        )
    match norm:
        case "batch":
            return _BATCH[dims](width, **given)
        case "layer" if dims:
            return nn.GroupNorm(1, width, **given)
        case "layer":
            return nn.LayerNorm(width, **_elementwise(given))
        case "group":
            groups = _groups(width, given.pop("groups", None), dense=not dims)
            return nn.GroupNorm(groups, width, **given)
        case "instance" if (instance_norm := _INSTANCE[dims]) is not None:
            return instance_norm(width, **{"affine": True, **given})
        case "instance":
            raise ValueError(
                "Expected `norm` other than 'instance' for dense layers, because one sample has "
                'one value of each feature: use "layer" or "batch".'
            )
        case "rms":
            return (ChannelRMSNorm if dims else nn.RMSNorm)(width, **_elementwise(given))
        case _:
            raise ValueError(f"Expected `norm` to be one of {NORMALIZATIONS}, but got {norm!r}.")


def _elementwise(options: dict[str, Any]) -> dict[str, Any]:
    return {"elementwise_affine" if k == "affine" else k: v for k, v in options.items()}


def _groups(width: int, groups: int | None, *, dense: bool) -> int:
    if groups is None:
        # In a dense layer, a group of one feature has a single value and would become zero.
        most = min(_MAX_GROUPS, max(1, width // 4) if dense else width)
        return max(g for g in range(1, most + 1) if width % g == 0)
    if groups < 1 or width % groups:
        raise ValueError(
            f"Expected `groups` in `norm_options` to divide the width {width}, but got {groups}."
        )
    if dense and groups == width:
        raise ValueError(
            f"Expected `groups` in `norm_options` to be below the width {width} of a dense layer, "
            f"but got {groups}: one value normalised by itself is always zero."
        )
    return groups
