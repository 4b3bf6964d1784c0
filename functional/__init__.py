"""Pure tensor functions: no Lightning, no state, no logging, no I/O."""

from .augmentation import affine_warp, keyed_uniform
from .choices import choose
from .dead_units import active_units
from .gradients import layer_gradient_norms, single_precision_range, total_norm

__all__ = [
    "active_units",
    "affine_warp",
    "choose",
    "keyed_uniform",
    "layer_gradient_norms",
    "single_precision_range",
    "total_norm",
]
