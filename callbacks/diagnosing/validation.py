"""The validation's loss and score, check by check."""

from collections.abc import Iterable, Sequence

from lightning.pytorch import Trainer

from ..stopping.best_weights import validates_averages

_SCORES = ("acc", "f1", "auc")


class ValidationCurve:
    """Take the validation's loss and score, and the mean training loss between two checks.

    Args:
        loss: Name of the logged loss; None finds it.
        score: Name of the logged score; None finds it.

    Attributes:
        losses: Loss of each check.
        scores: Score of each check.
        training_losses: Mean training loss since the check before.
        epochs: Epoch of each, from 0.
    """

    def __init__(self, loss: str | None, score: str | None) -> None:
        self._loss, self._score = loss, score
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.training_losses: list[float] = []
        self.epochs: list[int] = []
        self._batches = 0

    def add(self, trainer: Trainer, losses: Sequence[float]) -> None:
        """Take a check up, unless it was of averaged weights: they are behind those of training."""
        if validates_averages(trainer):
            return
        metrics = trainer.callback_metrics
        loss = self._loss or _find(metrics, ("loss",))
        score = self._score or _find(metrics, _SCORES)
        recent, self._batches = losses[self._batches :], len(losses)
        if loss in metrics and recent:
            self.losses.append(float(metrics[loss]))
            self.training_losses.append(sum(recent) / len(recent))
            self.epochs.append(trainer.current_epoch)
        if score in metrics:
            self.scores.append(float(metrics[score]))


def _find(names: Iterable[str], words: Sequence[str]) -> str:
    for name in names:
        lower = name.lower()
        if "val" in lower and any(word in lower for word in words):
            return name
    return ""
