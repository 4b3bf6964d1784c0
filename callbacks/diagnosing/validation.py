"""The validation's loss and score, check by check."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer

from ..stopping.other_hooks import validates_averages
from ..stopping.resuming.logged_sums import logged_in_validation
from .metric_names import (
    OTHER_LOSSES,
    counterparts,
    find_bare,
    find_losses,
    find_other_loss,
    find_score,
    is_accuracy,
    is_bare,
    is_decision,
    is_plain,
    is_ranking,
    is_unknown,
    says_validation,
    words_of,
)
from .named_metrics import NamedMetrics
from .vital_signs.signs import NAN

# Of a loss that is logged to those of training.
_MAX_RATIO_IN_SAME_UNITS = 2.5
_MAX_RATIO_OF_SAME_KIND = 8.0
_MAX_RATIO_OF_ITSELF = 1.5
_MAX_RATIO_OF_ITSELF_UNNAMED = 1.25
_CHECKS_TO_KNOW_IT = 3
# A validation's loss, the mean of training's since the one before, and the epoch.
_Figures = tuple[float, float, int]


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
        rivals: Where that name may be of a part of the loss, the name of each that may be the
            loss itself, its value, and what is logged of training under that name.
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
    rivals: tuple[tuple[str, float, float], ...] = ()


class ValidationCurve:
    """Take the validation's loss and score, and the mean training loss between two checks.

    What is logged in validation is of it, whatever its name; elsewhere the name must say so. A loss
    that is not called so is taken where it is of the size of the training's at first: of
    about that size, if the name is that of the training's own kind, and of any, if what is logged
    of training under the same name is the training's loss. A name that says nothing but that it is
    of validation is taken if it has such a counterpart, and one that says nothing at all if it has
    one at three checks and the training's loss is one that is read. Of several losses that is taken
    which names no part of one, or else that whose counterpart is the training's loss, or else the
    first; a loss that was taken is taken from there on.

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
        self._is_refused = self._is_settled = False
        # What may be the loss under a name that says nothing, and names that are none of it.
        self._held: dict[str, list[_Figures]] = {}
        self._strangers: set[str] = set()

    @property
    def _curves(self) -> tuple[list[Any], ...]:
        return self.losses, self.training_losses, self.epochs

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
        names = (name, find_score(own) if score_name is None else score_name)
        loss, score = (float(metrics[name]) if name in metrics else None for name in names)
        counterpart = _in_training(name, metrics, own) if is_guessed else None
        decides = any(map(is_decision, own))
        ranks = any(map(is_ranking, own)) and not decides
        logged = self.named.read(trainer)
        return Check(
            loss, score, name, is_accuracy(names[1]), is_guessed, counterpart, ranks, decides,
            logged, _in_training(names[1], metrics, own), self._rivals(name, metrics, own),
        )  # fmt: skip

    def _find_loss(self, logged: Mapping[str, Any], own: Sequence[str]) -> tuple[str, bool]:
        """Name of the loss, and whether it is guessed."""
        given = self.named.find("validation_loss", logged)
        if given is not None:
            return given, False
        if self.name in own:
            return self.name, False
        said = find_losses(filter(says_validation, own))
        if said:
            return said[0], False
        called = find_losses(own)
        found = called[0] if called else find_other_loss(own) or find_bare(own)
        unknown = (n for n in own if is_unknown(n) and n not in self._strangers)
        twins = (n for n in unknown if _in_training(n, logged, own) is not None)
        return found or next(twins, ""), True

    def _rivals(
        self, name: str, logged: Mapping[str, Any], own: Sequence[str]
    ) -> tuple[tuple[str, float, float], ...]:
        """Where the name of the loss may be that of a part: all it may be, and their counterparts.

        The mean of a first training epoch is there with the second validation only.
        """
        is_given = self.named.find("validation_loss", logged) is not None
        if is_given or self._is_settled or is_plain(name) or len(self.losses) > 1:
            return ()
        twins = {n: _in_training(n, logged, own) for n in find_losses(own)}
        return tuple((n, float(logged[n]), t) for n, t in twins.items() if t is not None)

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
        chosen = _closest([rank.rivals for rank in ranks], recent)
        if chosen is not None:
            loss = self._settle_on(*chosen)
        if loss is not None and recent:
            check = (loss, sum(recent) / len(recent), epoch)
            for known in self._made_sure_of(told, check, recent, kind, chosen is not None):
                self.name = self.name or told.name
                for curve, value in zip(self._curves, known, strict=True):
                    curve.append(value)
        if score is not None:
            self.scores.append(score)

    def _made_sure_of(
        self, told: Check, check: _Figures, recent: Sequence[float], kind: str | None, chosen: bool
    ) -> list[_Figures]:
        """The checks that are known by now to be of the loss, this one and any that waited."""
        if told.is_guessed and is_unknown(told.name):
            # Of a loss that nobody can read, as of the hardest pairs, its name is to tell.
            return [] if kind is None else self._learn_name(told, check, recent)
        waits = False
        if told.is_guessed and not (self.losses or chosen):
            waits = is_bare(told.name) and told.counterpart is None
            self._is_refused |= not (waits or _may_be_loss(told, check[0], recent, kind))
        return [] if waits or self._is_refused else [check]

    def _learn_name(self, told: Check, check: _Figures, recent: Sequence[float]) -> list[_Figures]:
        """Hold checks back until a name that says nothing has gone with the loss for long enough.

        A score is of the loss' size but by chance.
        """
        if told.counterpart is None:
            return []  # The mean of a first epoch is there with the second validation.
        if not _are_alike(told.counterpart, recent, _MAX_RATIO_OF_ITSELF_UNNAMED):
            self._strangers.add(told.name)
            return []
        held = [*self._held.pop(told.name, []), check]
        if len(held) < _CHECKS_TO_KNOW_IT:
            self._held[told.name], held = held, []
        return held

    def _settle_on(self, name: str, loss: float) -> float:
        """Go on with that one; what another one has told before was a part of it."""
        self._is_settled = True
        if name != self.name:
            self.name, self._is_refused = name, False
            self.losses, self.training_losses, self.epochs = [], [], []
        return loss

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
            "settled": self._is_settled,
            "held": {name: list(checks) for name, checks in self._held.items()},
            "strangers": sorted(self._strangers),
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
        self._is_settled = state_dict.get("settled", False)
        self.training_score = state_dict.get("training_score", NAN)
        held = state_dict.get("held", {}).items()
        self._held = {name: [tuple(check) for check in checks] for name, checks in held}
        self._strangers = set(state_dict.get("strangers", ()))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _may_be_loss(told: Check, loss: float, recent: Sequence[float], kind: str | None) -> bool:
    """Whether a loss by another name is of the training's size, or its counterpart is that."""
    if told.counterpart is not None and _are_alike(told.counterpart, recent, _MAX_RATIO_OF_ITSELF):
        return True
    kinds = [OTHER_LOSSES[word] for word in words_of(told.name) if word in OTHER_LOSSES]
    is_same = any(kind in known for known in kinds)
    times = _MAX_RATIO_OF_SAME_KIND if is_same else _MAX_RATIO_IN_SAME_UNITS
    return not is_bare(told.name) and _are_alike(loss, recent, times)


def _are_alike(loss: float, recent: Sequence[float], times: float) -> bool:
    sizes = sum(recent) / len(recent), recent[-1]
    return min(sizes) / times < loss < max(sizes) * times


def _of_validation(trainer: Trainer) -> list[str]:
    """Names that say so, and those of what was logged in validation."""
    logged = logged_in_validation(trainer)
    return [name for name in trainer.callback_metrics if name in logged or says_validation(name)]


def _in_training(name: str, logged: Mapping[str, Any], own: Sequence[str]) -> float | None:
    """What is logged of training under the name of a metric of validation, which has its own."""
    twin = next((n for n in counterparts(name) if n in logged and n not in {name, *own}), None)
    return None if twin is None else float(logged[twin])


def _closest(
    ranks: Sequence[Sequence[tuple[str, float, float]]], recent: Sequence[float]
) -> tuple[str, float] | None:
    """Name and loss, of all ranks, of the rival whose counterpart is the training's loss."""
    rivals = [rival for rank in ranks for rival in rank]
    best, least = None, _MAX_RATIO_OF_ITSELF - 1
    for name in dict.fromkeys(name for name, _, _ in rivals) if recent else ():
        losses, twins = zip(*(figures for own, *figures in rivals if own == name), strict=True)
        distance = _distance(sum(twins) / len(twins), recent)
        if distance < least:
            best, least = (name, sum(losses) / len(losses)), distance
    return best


def _distance(value: float, recent: Sequence[float]) -> float:
    """How far it is from the mean of the recent losses, or from the last, for its size."""
    sizes = sum(recent) / len(recent), recent[-1]
    return min(abs(value - size) / abs(size) if size else math.inf for size in sizes)
