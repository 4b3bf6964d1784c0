"""Classification with any network."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchmetrics import Accuracy, MetricCollection
from torchmetrics.classification import (
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)

from ..functional.arguments import whole_number
from .building_blocks.auroc import AUROC
from .building_blocks.class_weights import checked_class_weights, cross_entropy
from .building_blocks.figures import draw_confusion_matrix, log_figure
from .building_blocks.recipe import check_share
from .supervised_module import Stage, SupervisedModule

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP = 5
# 32 MB of counts, to which each batch adds. With 12,000 classes it would be 1.2 GB.
_MOST_IN_CONFUSION_MATRIX = 2_000
# Probabilities in half precision miss a sum of 1 by less.
_TOLERANCE = 0.01


class Classifier(SupervisedModule):
    """Train any network that maps a batch to logits, with cross-entropy.

    Each batch is ``(x, y)``: ``y`` holds class indices, int64, shape ``(N,)``, or, after MixUp or
    CutMix, probabilities of shape ``(N, num_classes)``, each row of which must sum to 1 (checked
    in the first batch of an epoch). Logged once per epoch: loss and accuracy of each stage
    and, for validation and test, top-5 accuracy (with more than 5 classes), macro F1, AUROC and
    calibration error. AUROC is averaged over the classes that have both positive and
    negative samples, and NaN if there are none; it is computed from narrow bins of the log-odds,
    which is within 0.002 of the exact value for the usual distributions of scores. For optimisation
    and regularisation, see :class:`SupervisedModule`.

    Args:
        network: Maps ``x`` to logits of shape ``(N, num_classes)``; None if a subclass creates it
            in `configure_network`.
        num_classes: Number of classes, at least 2.
        label_smoothing: Fraction of each target that is spread over all classes, 0 to below 1.
        class_weights: Weight of each class in the loss, as in ``nn.CrossEntropyLoss``: for class
            indices the loss is divided by the sum of their weights, for probabilities (MixUp) by
            the number of samples. None weights all classes equally.
        **training: Further arguments of :class:`SupervisedModule`.

    Attributes:
        confusion_matrix: Counts of the last validation and test, by stage: int64, shape
            ``(num_classes, num_classes)``, where rows are the true classes. Empty with more than
            2,000 classes.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If ``network`` is not an ``nn.Module``.

    Example:
        >>> classifier = Classifier(nn.Linear(4, 3), num_classes=3, optimizer="sgd", lr=0.1)
        >>> classifier(torch.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        network: nn.Module | None,
        num_classes: int,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        **training: Any,
    ) -> None:
        check_share("label_smoothing", label_smoothing)
        # First, because the base class calls configure_loss and configure_metrics, which read them.
        self.num_classes = whole_number("num_classes", num_classes, least=2)
        self.label_smoothing = label_smoothing
        self.class_weights = checked_class_weights(class_weights, self.num_classes)
        super().__init__(network, **training)
        self.confusion_matrix: dict[str, Tensor] = {}

    def configure_loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the cross-entropy loss."""
        return cross_entropy(self.class_weights, self.label_smoothing)

    def configure_metrics(self, stage: Stage) -> MetricCollection:
        """Return accuracy and, for validation and test, the more expensive metrics."""
        # The loss has checked the labels; the metrics' own checks would synchronise the device.
        settings: dict[str, Any] = {"num_classes": self.num_classes, "validate_args": False}
        metrics: dict[str, Any] = {"accuracy": Accuracy("multiclass", **settings)}
        if stage != "train":
            if self.num_classes > _TOP:
                metrics["top5_accuracy"] = Accuracy("multiclass", top_k=_TOP, **settings)
            metrics["f1"] = MulticlassF1Score(average="macro", **settings)
            metrics["auroc"] = AUROC(self.num_classes)
            metrics["calibration_error"] = MulticlassCalibrationError(**settings)
            if self.num_classes <= _MOST_IN_CONFUSION_MATRIX:
                metrics["confusion_matrix"] = MulticlassConfusionMatrix(**settings)
        return MetricCollection(metrics)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return class probabilities of shape ``(N, num_classes)``."""
        return torch.softmax(outputs, -1)

    def metric_outputs(self, outputs: Tensor) -> Tensor:
        """Return log-probabilities, which torchmetrics takes for logits whatever their range."""
        return torch.log_softmax(outputs, -1)

    def metric_targets(self, targets: Tensor) -> Tensor:
        """Return class indices; for probabilities, those of the most probable class."""
        return targets.argmax(-1) if targets.ndim > 1 else targets

    def checked_targets(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the targets unchanged; raise if logits or targets do not fit in shape or dtype."""
        if not isinstance(outputs, Tensor):
            raise TypeError(
                f"Expected `network` to return one tensor of logits, but got {type(outputs)}."
            )
        expected = (len(outputs), self.num_classes)
        if tuple(outputs.shape) != expected:
            raise ValueError(
                f"Expected `network` to return logits of shape {expected} (batch, num_classes), "
                f"but got {tuple(outputs.shape)}."
            )
        soft = targets.is_floating_point() and targets.shape == expected
        if not soft and (targets.shape != expected[:1] or targets.dtype != torch.int64):
            raise ValueError(
                f"Expected `y` to hold one class index for each sample, int64 of shape "
                f"{expected[:1]}, but got {targets.dtype} of shape {tuple(targets.shape)}."
            )
        return targets

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _keep(self, stage: Stage, loss: Tensor, outputs: Tensor, targets: Tensor) -> None:
        # Once per epoch, because it synchronises the device.
        if targets.is_floating_point() and self._metrics_of(stage).is_empty:
            self._check_sums(targets)
        super()._keep(stage, loss, outputs, targets)

    def _check_sums(self, probabilities: Tensor) -> None:
        """Refuse several labels for one sample, which torch's loss takes for probabilities."""
        if not isinstance(self.compute_loss, nn.CrossEntropyLoss):
            return
        sums = probabilities.float().sum(1)
        wrong = ~((sums - 1).abs() <= _TOLERANCE)
        if wrong.any():
            sample = int(wrong.nonzero()[0])
            raise ValueError(
                f"Expected the probabilities in `y` to sum to 1 for each sample, but those of "
                f"sample {sample} sum to {sums[sample]:.3g}. Cross-entropy is for one class per "
                f"sample; for several, override `configure_loss` with `nn.BCEWithLogitsLoss()` and "
                f"`configure_metrics`."
            )

    def _step(self, batch: tuple[Tensor, Tensor], stage: Stage) -> Tensor:
        try:
            return super()._step(batch, stage)
        except IndexError as error:
            y = batch[1]
            if "out of bounds" not in str(error) or y.is_floating_point():
                raise
            raise ValueError(
                f"Expected labels from 0 to {self.num_classes - 1}, but got {int(y.min())} to "
                f"{int(y.max())}. Set `num_classes` to the number of classes or correct the labels."
            ) from error

    def _log_epoch(self, stage: Stage) -> dict[str, Tensor]:
        values = super()._log_epoch(stage)
        counts = values.get(f"{stage}_confusion_matrix")
        if counts is not None:
            self.confusion_matrix[stage] = counts.cpu()
            if stage == "test":
                log_figure(self.trainer, "test_confusion_matrix", self.plot_confusion_matrix)
        return values

    def plot_confusion_matrix(
        self, stage: Stage = "test", ax: "Axes | None" = None, *, labels: Sequence[str] = ()
    ) -> "Axes":
        """Draw the confusion matrix of the last validation or test.

        Args:
            stage: ``"val"`` or ``"test"``.
            ax: Axes to draw on; None creates a figure.
            labels: Names of the classes; class indices by default.

        Returns:
            The axes.

        Raises:
            ValueError: If that stage has not run, or there are more than 2,000 classes.
        """
        if stage not in self.confusion_matrix:
            if self.num_classes > _MOST_IN_CONFUSION_MATRIX:
                raise ValueError(
                    f"Expected at most {_MOST_IN_CONFUSION_MATRIX:,} classes in a confusion "
                    f"matrix, but got {self.num_classes:,}: add one by overriding "
                    "`configure_metrics`, or count the pairs of interest."
                )
            raise ValueError(
                f"Expected {stage!r} to have run, but got results of "
                f"{sorted(self.confusion_matrix)} only."
            )
        return draw_confusion_matrix(self.confusion_matrix[stage], ax, labels)
