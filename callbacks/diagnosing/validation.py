"""The validation's loss and score, check by check."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer

from ..stopping.other_hooks import validates_averages
from ..stopping.resuming.logged_sums import logged_in_validation
from .named_metrics import NamedMetrics
from .vital_signs.signs import NAN

_SCORES = ("acc", "f1", "auc")
# Losses by other names; in units of their own they are none of the training's.
_OTHER_LOSSES = {
    "nll": ("nll", "cross_entropy"), "bce": ("bce", "bce_logits"), "ce": ("cross_entropy",),
    "xent": ("cross_entropy",), "crossentropy": ("cross_entropy",), "mse": (), "cost": (),
    "objective": (), "criterion": (),
}  # fmt: skip
_RANKINGS = r"auc|auroc|auprc|averageprecision|average_precision|ndcg|mrr|hit_?rate|recall@|\bap\b"
_DECISIONS = r"acc(uracy)?(?![a-z])|f1|recall(?!@)|sensitivity|mcc|kappa"
_PARTS = "validation|valid|eval|val|(?<![a-z])(dev|test|heldout|holdout)(?![a-z])"
_BARE = {"val", "valid", "validation", "eval", "dev", "test", "heldout", "holdout", "epoch"}
_SAME_UNITS, _SAME_KIND, _ITSELF = 2.5, 8.0, 1.5


@dataclass(frozen=True)
class Check:
    """What one rank has read of one validation.

    Attributes:
        loss: The loss; None where none was logged.
        score: The score, likewise.
        name: Name of the loss.
        is_accuracy: Whether the score is one.
        is_guessed: Whether that is no name of a loss that is called so, or was given.
        counterpart: What is logged of training under that name; None where nothing is.
        ranks: See `ValidationCurve`.
        decides: Likewise.
        logged: Names of all metrics; None where the user has named none.
        training_score: What is logged of training under the score's name; None where nothing is.
    """

    loss: float | None = None
    score: float | None = None
    name: str = ""
    is_accuracy: bool = False
    is_guessed: bool = False
    counterpart: float | None = None
    ranks: bool = False
    decides: bool = False
    logged: tuple[str, ...] | None = None
    training_score: float | None = None


class ValidationCurve:
    """Take the validation's loss and score, and the mean training loss between two checks.

    What is logged in validation is of it, whatever its name; elsewhere the name must say so. A loss
    that is not called so is taken where it is of the size of the training's at first: of
    about that size, if the name is that of the training's own kind, and of any, if what is logged
    of training under the same name is the training's loss. A name that says nothing but that it is
    of validation is taken if it has such a counterpart.

    Args:
        loss: Name of the logged loss; None finds it.
        score: Name of the logged score; None finds it.

    Attributes:
        named: The two that were named, and whether they are logged.
        losses: Loss of each check.
        name: What they are logged as; empty where there is none yet.
        scores: Score of each check.
        training_losses: Mean training loss since the check before.
        epochs: Epoch of each, from 0.
        ranks: Whether what is logged is about the order of samples, and nothing about decisions.
        decides: Whether something is about decisions, as accuracy is.
        are_accuracies: Whether the scores are.
        training_score: Latest of training under the name of the scores; NaN where none is logged.
    """

    def __init__(self, loss: str | None, score: str | None) -> None:
        self.named = NamedMetrics(validation_loss=loss, validation_score=score)
        self.losses: list[float] = []
        self.name = ""
        self.scores: list[float] = []
        self.training_losses: list[float] = []
        self.epochs: list[int] = []
        self.ranks = self.decides = self.are_accuracies = False
        self.training_score = NAN
        self._batches = 0
        self._is_refused = False

    def read(self, trainer: Trainer) -> Check:
        """This rank's loss and score, as they were logged; None for what was not.

        Averaged weights are behind those of training, and their validation says nothing of it.
        """
        if validates_averages(trainer):
            return Check(logged=self.named.read(trainer))
        metrics = trainer.callback_metrics
        own = _of_validation(trainer)
        name, is_guessed = self._find_loss(metrics, own)
        score_name = self.named.find("validation_score", metrics)
        names = (name, _find(own, _SCORES) if score_name is None else score_name)
        loss, score = (float(metrics[name]) if name in metrics else None for name in names)
        counterpart = _in_training(name, metrics) if is_guessed else None
        decides = any(map(_is_decision, own))
        ranks = any(map(_is_ranking, own)) and not decides
        logged = self.named.read(trainer)
        is_accuracy = "acc" in (names[1] or "").lower()
        return Check(
            loss, score, name, is_accuracy, is_guessed, counterpart, ranks, decides, logged,
            _in_training(names[1], metrics),
        )  # fmt: skip

    def _find_loss(self, logged: Iterable[str], own: Sequence[str]) -> tuple[str, bool]:
        """Name of the loss, and whether it is guessed."""
        given = self.named.find("validation_loss", logged)
        if given is not None:
            return given, False
        said = _find(filter(_says_so, own), ("loss",))
        if said:
            return said, False
        return _find(own, ("loss",)) or _find_other_loss(own) or _find_bare(own), True

    def add(
        self, ranks: Sequence[Check], losses: Sequence[float], epoch: int, kind: str | None = None
    ) -> None:
        """Take a check up, as all ranks have read it, and the training losses of that kind."""
        self.named.warn([rank.logged for rank in ranks])
        loss, score = _mean([rank.loss for rank in ranks]), _mean([rank.score for rank in ranks])
        # What is logged on one rank alone is there for all.
        told = next((rank for rank in ranks if rank.loss is not None), Check())
        self.ranks = any(rank.ranks for rank in ranks)
        self.decides = any(rank.decides for rank in ranks)
        self.are_accuracies = any(rank.is_accuracy for rank in ranks)
        trained = _mean([rank.training_score for rank in ranks])
        self.training_score = NAN if trained is None else trained
        recent, self._batches = losses[self._batches :], len(losses)
        waits = False
        if loss is not None and recent and told.is_guessed and not self.losses:
            kinds = [_OTHER_LOSSES[word] for word in _words(told.name) if word in _OTHER_LOSSES]
            times = _SAME_KIND if any(kind in known for known in kinds) else _SAME_UNITS
            own = told.counterpart is not None and _are_alike(told.counterpart, recent, _ITSELF)
            bare = _is_bare(told.name)
            # The mean of a first epoch is there with the second validation.
            waits = bare and told.counterpart is None
            alike = not bare and _are_alike(loss, recent, times)
            self._is_refused |= not (own or alike or waits)
        if loss is not None and recent and not (waits or self._is_refused):
            self.losses.append(loss)
            self.name = told.name
            self.training_losses.append(sum(recent) / len(recent))
            self.epochs.append(epoch)
        if score is not None:
            self.scores.append(score)

    @property
    def latest(self) -> dict[str, float]:
        """Latest loss and score by name, as far as there are any."""
        last = {"validation loss": self.losses[-1:], "validation score": self.scores[-1:]}
        return {name: values[0] for name, values in last.items() if values}

    def state_dict(self) -> dict[str, Any]:
        """The curves."""
        return {
            "losses": list(self.losses),
            "name": self.name,
            "scores": list(self.scores),
            "training_losses": list(self.training_losses),
            "epochs": list(self.epochs),
            "batches": self._batches,
            "refused": self._is_refused,
            "ranks": self.ranks,
            "decides": self.decides,
            "are_accuracies": self.are_accuracies,
            "training_score": self.training_score,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.losses, self.scores = list(state_dict["losses"]), list(state_dict["scores"])
        self.name = state_dict.get("name", "")
        self.training_losses = list(state_dict["training_losses"])
        self.epochs, self._batches = list(state_dict["epochs"]), state_dict["batches"]
        self._is_refused, self.ranks = state_dict["refused"], state_dict["ranks"]
        self.decides = state_dict["decides"]
        self.are_accuracies = state_dict.get("are_accuracies", False)
        self.training_score = state_dict.get("training_score", NAN)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _are_alike(loss: float, recent: Sequence[float], times: float) -> bool:
    sizes = sum(recent) / len(recent), recent[-1]
    return min(sizes) / times < loss < max(sizes) * times


def _of_validation(trainer: Trainer) -> list[str]:
    """Names that say so, and those of what was logged in validation."""
    logged = logged_in_validation(trainer)
    return [name for name in trainer.callback_metrics if name in logged or _says_so(name)]


def _says_so(name: str) -> bool:
    """``val``, ``valid``, ``eval``, or ``dev`` as a word of its own."""
    words = _words(name)
    return "val" in name.lower() or ("dev" in words and not words & {"std", "train"})


def _find(names: Iterable[str], words: Sequence[str]) -> str:
    return next((n for n in names if any(word in n.lower() for word in words)), "")


def _find_other_loss(names: Iterable[str]) -> str:
    return next((n for n in names if _words(n) & set(_OTHER_LOSSES)), "")


def _find_bare(names: Iterable[str]) -> str:
    return next((name for name in names if _is_bare(name)), "")


def _is_bare(name: str) -> bool:
    """Whether it says no more than that it is of validation, as ``val`` beside ``train``."""
    return _words(name) - {""} <= _BARE


def _counterparts(name: str) -> list[str]:
    """What a metric of validation would be called in training."""
    found = [re.sub(_PARTS, word, name, flags=re.IGNORECASE) for word in ("train", "training")]
    return [n + ending for n in found for ending in ("", "_epoch", "_step")]


def _in_training(name: str, logged: Mapping[str, Any]) -> float | None:
    """What is logged of training under the name of a metric of validation."""
    twin = next((n for n in _counterparts(name) if n in logged and n != name), None)
    return None if twin is None else float(logged[twin])


def _words(name: str) -> set[str]:
    return set(re.split("[^a-z]+", name.lower().replace("cross_entropy", "crossentropy")))


def _is_ranking(name: str) -> bool:
    return bool(re.search(_RANKINGS, name.lower().replace("/", " ")))


def _is_decision(name: str) -> bool:
    return bool(re.search(_DECISIONS, name.lower()))
