"""Pure tensor functions: no Lightning, no state, no logging, no I/O."""

from .activations import (
    dormant_units,
    layer_index,
    layer_mean_and_variance,
    layer_means,
    mean_drift,
    moment_sums,
    saturated_entries,
    unit_mean_and_variance,
    unit_moments,
    unit_statistics,
)
from .augmentation import affine_warp, keyed_uniform, move_pixels
from .choices import choose
from .dead_units import ACTIVITY_RULES, ActivityRule, active_units
from .early_stopping import (
    exponential_average,
    generalization_loss,
    progress_quotient,
    successive_increases,
    training_progress,
    windowed_median,
)
from .gradient_flow import exploding_from, not_finite_from, vanishing_from
from .gradients import layer_gradient_norms, single_precision_range, total_norm
from .hashing import shift_right, splitmix64
from .initialization import depth_preserving_gain
from .ngrams import hash_ngrams
from .noise_scale import gradient_noise
from .penalties import decay_, l1_penalty, l2_penalty, soft_threshold_, zero_fraction
from .running_moments import RunningMoments
from .sharded_norms import layer_norms
from .updates import update_norms

__all__ = [
    "ACTIVITY_RULES",
    "ActivityRule",
    "RunningMoments",
    "active_units",
    "affine_warp",
    "choose",
    "decay_",
    "depth_preserving_gain",
    "dormant_units",
    "exploding_from",
    "exponential_average",
    "generalization_loss",
    "gradient_noise",
    "hash_ngrams",
    "keyed_uniform",
    "l1_penalty",
    "l2_penalty",
    "layer_gradient_norms",
    "layer_index",
    "layer_mean_and_variance",
    "layer_means",
    "layer_norms",
    "mean_drift",
    "moment_sums",
    "move_pixels",
    "not_finite_from",
    "progress_quotient",
    "saturated_entries",
    "shift_right",
    "single_precision_range",
    "soft_threshold_",
    "splitmix64",
    "successive_increases",
    "total_norm",
    "training_progress",
    "unit_mean_and_variance",
    "unit_moments",
    "unit_statistics",
    "update_norms",
    "vanishing_from",
    "windowed_median",
    "zero_fraction",
]
