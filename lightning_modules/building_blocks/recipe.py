"""Settings that all layers of a network share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import nn

from ...functional.arguments import number, whole_number
from ...functional.choices import choose
from .activations import ACTIVATIONS, make_activation
from .choices import Options, resolve
from .initializations import WeightLayer, check_init, initialize
from .normalizations import NORMALIZATIONS, cancels_bias, make_norm

NormPosition = Literal["before", "after"]


class Unit(NamedTuple):
    """Modules that follow a layer, their activation, and the activation that the next reads."""

    parts: list[nn.Module]
    activation: nn.Module
    feeds: nn.Module | None


@dataclass(frozen=True)
class Recipe:
    """Activation, normalisation, initialisation and dropout, as `MLPClassifier` describes them."""

    activation: Any = "relu"
    activation_options: Options | None = None
    norm: str = "none"
    norm_options: Options | None = None
    norm_position: NormPosition = "before"
    init: str = "auto"
    init_options: Options | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        resolve("activation", self.activation, ACTIVATIONS)
        choose("norm", self.norm, dict.fromkeys(NORMALIZATIONS))
        choose("norm_position", self.norm_position, {"before": 0, "after": 0})
        check_init(self.init, self.init_options)
        check_share("dropout", self.dropout)

    @property
    def bias(self) -> bool:
        """Whether a layer has a bias: not if the normalisation right after it would cancel it."""
        return self.norm_position == "after" or not cancels_bias(self.norm)

    def make_activation(self) -> nn.Module:
        """Create an activation that shares nothing with others."""
        return make_activation(self.activation, self.activation_options)

    def make_norm(self, width: int, *, dims: int) -> nn.Module:
        """Create a normalisation of ``width`` units, or an identity."""
        return make_norm(self.norm, width, dims=dims, options=self.norm_options)

    def unit_after(self, width: int, *, dims: int) -> Unit:
        """Create the modules that follow a layer of ``width`` units.

        For images, dropout drops whole channels; after SELU it is alpha dropout, which preserves
        mean and variance (Klambauer et al. 2017).
        """
        activation = self.make_activation()
        parts = [activation]
        if self.norm != "none":
            at = 0 if self.norm_position == "before" else 1
            parts.insert(at, self.make_norm(width, dims=dims))
        if self.dropout:
            keeps_moments = isinstance(activation, nn.SELU)
            if dims:
                drop: Any = nn.FeatureAlphaDropout if keeps_moments else nn.Dropout2d
            else:
                drop = nn.AlphaDropout if keeps_moments else nn.Dropout
            parts.append(drop(self.dropout))
        normalized_last = self.norm != "none" and self.norm_position == "after"
        return Unit(parts, activation, None if normalized_last else activation)

    def initialize(self, layers: Iterable[WeightLayer]) -> None:
        """Initialise layers in place."""
        initialize(layers, self.init, self.init_options)


def check_share(argument: str, value: float) -> None:
    """Refuse anything but a number from 0 to below 1."""
    if not 0 <= number(argument, value) < 1:
        raise ValueError(f"Expected `{argument}` from 0 to below 1, but got {value}.")


def check_widths(**sequences: Any) -> None:
    """Refuse anything but sequences of integers of at least 1."""
    for name, values in sequences.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise TypeError(
                f"Expected `{name}` to be a sequence of integers, one for each layer, such as "
                f"(64, 64), but got {values!r}."
            )
        for value in values:
            whole_number(name, value)
