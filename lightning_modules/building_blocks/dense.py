"""Dense networks: linear, normalisation, activation, dropout."""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from ...functional.choices import choose
from .activations import make_activation
from .choices import Options
from .initializations import WeightLayer, check_init, initialize
from .normalizations import cancels_bias, make_norm

NormPosition = Literal["before", "after"]


def check_shape(*, dropout: float, norm_position: str, **widths: Sequence[int]) -> None:
    """Refuse widths below 1, a dropout outside [0, 1) and an unknown position.

    Raises:
        ValueError: If there is one.
    """
    for name, values in widths.items():
        if any(value < 1 for value in values):
            raise ValueError(f"Expected `{name}` to be at least 1, but got {list(values)}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"Expected `dropout` from 0 to below 1, but got {dropout}.")
    choose("norm_position", norm_position, {"before": 0, "after": 0})


def unit(
    layer: nn.Module,
    norm: nn.Module | None,
    activation: nn.Module,
    dropout: nn.Module | None,
    norm_position: NormPosition,
) -> list[nn.Module]:
    """A layer with what follows it, in order."""
    around = [norm, activation] if norm_position == "before" else [activation, norm]
    return [part for part in (layer, *around, dropout) if part is not None]


def dense_network(
    widths: Sequence[int],
    outputs: int,
    *,
    activation: Any,
    activation_options: Options | None,
    norm: str,
    norm_options: Options | None,
    norm_position: NormPosition,
    init: str,
    init_options: Options | None,
    dropout: float,
    before: nn.Module | None = None,
) -> nn.Sequential:
    """Flatten, then one unit for each pair of neighbouring widths, then a linear layer.

    ``before`` is the activation that the input comes from, which the initialisation goes by.
    Dropout is alpha dropout after SELU, so that mean and variance stay (Klambauer et al. 2017).
    """
    check_init(init, init_options)
    parts: list[nn.Module] = [nn.Flatten()]
    weighted = []
    bias = norm_position == "after" or not cancels_bias(norm)
    for inputs, width in itertools.pairwise(widths):
        layer = nn.Linear(inputs, width, bias=bias)
        after = make_activation(activation, activation_options)
        drop = nn.AlphaDropout if isinstance(after, nn.SELU) else nn.Dropout
        normalization = None
        if norm != "none":
            normalization = make_norm(norm, width, dims=0, options=norm_options)
        parts += unit(
            layer, normalization, after, drop(dropout) if dropout else None, norm_position
        )
        weighted.append(WeightLayer(layer, before, after))
        before = None if norm_position == "after" and norm != "none" else after
    parts.append(nn.Linear(widths[-1], outputs))
    initialize([*weighted, WeightLayer(parts[-1], before, None)], init, init_options)
    return nn.Sequential(*parts)


def check_features(x: Tensor, in_features: int) -> None:
    """Refuse samples of another number of numbers.

    Raises:
        ValueError: If ``x`` has other samples.
    """
    numbers = x.shape[1:].numel()
    if numbers != in_features:
        raise ValueError(
            f"Expected samples of `in_features={in_features}` numbers, but got {numbers} "
            f"(batch of shape {tuple(x.shape)})."
        )
