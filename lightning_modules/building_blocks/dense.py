"""Dense networks: linear, normalisation, activation, dropout."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from .initializations import WeightLayer
from .recipe import Recipe


def dense_network(
    widths: Sequence[int], outputs: int, recipe: Recipe, *, before: nn.Module | None = None
) -> nn.Sequential:
    """Build a network: flatten, one unit for each pair of adjacent widths, a linear layer.

    ``before`` is the activation that produces the input, for the initialisation.
    """
    parts: list[nn.Module] = [nn.Flatten()]
    weighted = []
    for inputs, width in itertools.pairwise(widths):
        layer = nn.Linear(inputs, width, bias=recipe.bias)
        unit = recipe.unit_after(width, dims=0)
        parts += [layer, *unit.parts]
        weighted.append(WeightLayer(layer, before, unit.activation))
        before = unit.feeds
    parts.append(nn.Linear(widths[-1], outputs))
    recipe.initialize([*weighted, WeightLayer(parts[-1], before, None)])
    return nn.Sequential(*parts)


def check_features(x: Tensor, in_features: int) -> None:
    """Refuse samples with a different number of values."""
    numbers = x.shape[1:].numel()
    if numbers != in_features:
        raise ValueError(
            f"Expected samples of `in_features={in_features}` values, but got {numbers} "
            f"(batch of shape {tuple(x.shape)})."
        )
