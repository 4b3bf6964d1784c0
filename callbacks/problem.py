"""What can be wrong with a training."""

from enum import Enum


class Problem(str, Enum):
    """What can be wrong with a training; the values are codes for logs and scripts.

    ``problems.md``, next to this file, describes each problem and when it is
    reported.
    """

    NON_FINITE = "non_finite"
    EXPLODING_GRADIENT = "exploding_gradient"
    VANISHING_GRADIENT = "vanishing_gradient"
    DEAD_RELU = "dead_relu"
    DORMANT_UNITS = "dormant_units"
    SATURATED_ACTIVATION = "saturated_activation"
    COVARIATE_SHIFT = "covariate_shift"
    LEARNING_RATE_TOO_HIGH = "learning_rate_too_high"
    LEARNING_RATE_TOO_LOW = "learning_rate_too_low"
    UNSTABLE_LOSS = "unstable_loss"
    NOT_LEARNING = "not_learning"
    POOR_INITIALIZATION = "poor_initialization"
    SYMMETRIC_WEIGHTS = "symmetric_weights"
    UNNORMALIZED_INPUT = "unnormalized_input"
    OUTPUT_LOSS_MISMATCH = "output_loss_mismatch"
    INCONSISTENT_LABELS = "inconsistent_labels"
    CLASS_IMBALANCE = "class_imbalance"
    OVERFITTING = "overfitting"
    OVER_REGULARIZED = "over_regularized"
    TRAIN_EVAL_MISMATCH = "train_eval_mismatch"
    FROZEN_PARAMETER = "frozen_parameter"
    LINEAR_NETWORK = "linear_network"

    def __str__(self) -> str:
        """Return the code, as `enum.StrEnum` (Python 3.11) does."""
        return self.value

    @property
    def in_words(self) -> str:
        """The problem's name in a sentence.

        Example:
            >>> Problem.DEAD_RELU.in_words, Problem.NOT_LEARNING.in_words
            ('dead ReLUs', 'not learning')
        """
        return _IN_WORDS.get(self) or self.value.replace("_", " ")


_IN_WORDS = {
    Problem.NON_FINITE: "values that are not finite",
    Problem.EXPLODING_GRADIENT: "exploding gradients",
    Problem.VANISHING_GRADIENT: "vanishing gradients",
    Problem.DEAD_RELU: "dead ReLUs",
    Problem.SATURATED_ACTIVATION: "saturated activations",
    Problem.POOR_INITIALIZATION: "poor initialisation",
    Problem.UNNORMALIZED_INPUT: "unnormalised input",
    Problem.OUTPUT_LOSS_MISMATCH: "output that does not fit the loss",
    Problem.OVERFITTING: "over-fitting",
    Problem.OVER_REGULARIZED: "too much regularisation",
    Problem.TRAIN_EVAL_MISMATCH: "training and evaluation that disagree",
    Problem.FROZEN_PARAMETER: "parameters that do not train",
}
