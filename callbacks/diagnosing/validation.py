"""The loss and score of each validation check."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer

from ..stopping.other_hooks import validates_averages
from ..stopping.resuming.logged_sums import logged_in_validation
from .error_units import ErrorUnits
from .metric_names import (
    OTHER_LOSSES,
    counterparts,
    error_in,
    find_losses,
    is_accuracy,
    is_bare,
    is_decision,
    is_other_loss,
    is_plain,
    is_ranking,
    is_score,
    is_unknown,
    says_validation,
    words_of,
)
from .named_metrics import NamedMetrics
from .vital_signs.signs import NAN

# Of a logged loss to those of training.
_MAX_RATIO_IN_SAME_UNITS = 2.5
_MAX_RATIO_OF_SAME_KIND = 8.0
_MAX_RATIO_OF_ITSELF = 1.5
_MAX_RATIO_OF_ITSELF_UNNAMED = 1.25
_MAX_RATIO_OF_THE_SAME = 1.02
_CHECKS_TO_KNOW_IT = 3
# What a checkpoint holds.
_LASTING = (
    "losses", "name", "scores", "training_losses", "epochs", "ranks", "decides", "are_accuracies",
    "training_score", "_batches", "_mean_before", "_is_refused", "_is_settled", "_held",
    "_strangers",
)  # fmt: skip
# Loss of a validation check, mean training loss since the previous one, and epoch.
_Figures = tuple[float, float, int]


@dataclass(frozen=True)
class Check:
    """What one rank has read at one validation check.

    Attributes:
        loss: The validation loss; None if none was logged.
        score: The score, likewise.
        name: Name of the loss.
        is_accuracy: Whether the score is an accuracy.
        is_guessed: Whether the name was neither given nor taken before, and does not say both loss
            and validation.
        counterpart: Value logged in training under that name; None if there is none.
        ranks: See `ValidationCurve`.
        decides: Likewise.
        logged: Names of all metrics; none if the user has named none.
        training_score: Value logged in training under the score's name; None if there is none.
        rivals: If the name may refer to a part of the loss, each candidate for the loss itself:
            name, value, and value logged in training under that name.
    """

    loss: float | None = None
    score: float | None = None
    name: str = ""
    is_accuracy: bool = False
    is_guessed: bool = False
    counterpart: float | None = None
    ranks: bool = False
    decides: bool = False
    logged: tuple[str, ...] = ()
    training_score: float | None = None
    rivals: tuple[tuple[str, float, float], ...] = ()


class ValidationCurve:
    """Record the loss and score of each validation check, and the mean training loss between them.

    Metrics logged in validation belong to it whatever their names; others must say so in their
    names. A loss whose name does not say both loss and validation must at first be of the training
    loss's size: roughly so if its name is that of the training loss's kind, and of any size if the
    metric logged in training under the same name is the training loss. A name that says no more
    than validation needs such a counterpart; one that says nothing at all needs it at three checks,
    within 2% if the training loss cannot be read. In place of a loss, a regression's mean absolute
    or root mean squared error, or its coefficient of determination, is converted to one if the
    training loss is of a kind that allows it. Of several losses, the one whose name does not refer
    to a part of it is taken, or else the one whose counterpart is the training loss, or else the
    first. Once taken, a loss is kept.

    Args:
        loss: Name of the logged loss; None searches for one.
        score: Name of the logged score; None searches for one.

    Attributes:
        named: The metrics that the user named, and whether they are logged.
        losses: Loss of each check.
        name: Name under which the losses are logged; empty if there is none yet.
        scores: Score of each check.
        training_losses: Mean training loss since the previous check.
        epochs: Epoch of each check, from 0.
        ranks: Whether a logged metric scores the ranking of samples, and none scores decisions.
        decides: Whether a logged metric scores decisions, as accuracy does.
        are_accuracies: Whether the scores are accuracies.
        training_score: Latest value logged in training under the scores' name; NaN if none.
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
        self._mean_before = NAN
        self._is_refused = self._is_settled = False
        # Until an error could not be: other names are tried first then.
        self._converts = True
        # Candidates for the loss under names that say nothing, and names that were ruled out.
        self._held: dict[str, list[_Figures]] = {}
        self._strangers: list[str] = []

    def read(self, trainer: Trainer) -> Check:
        """Return this rank's loss and score as they were logged; None for what was not.

        Averaged weights lag behind the trained ones, about which their validation says nothing.
        """
        if validates_averages(trainer):
            return Check(logged=self.named.read(trainer))
        metrics = trainer.callback_metrics
        own = _of_validation(trainer)
        name, is_guessed = self._find_loss(metrics, own)
        score_name = self.named.find("validation_score", metrics)
        names = (name, _first(is_score, own) if score_name is None else score_name)
        loss, score = (float(metrics[name]) if name in metrics else None for name in names)
        compares = is_guessed and not self._is_error(name)
        counterpart = _in_training(name, metrics, own) if compares else None
        decides = any(map(is_decision, own))
        ranks = any(map(is_ranking, own)) and not decides
        logged = self.named.read(trainer)
        return Check(
            loss, score, name, is_accuracy(names[1]), is_guessed, counterpart, ranks, decides,
            logged, _in_training(names[1], metrics, own), self._rivals(name, metrics, own),
        )  # fmt: skip

    def _find_loss(self, logged: Mapping[str, Any], own: Sequence[str]) -> tuple[str, bool]:
        """Return the name of the loss, and whether it is guessed."""
        given = self.named.find("validation_loss", logged)
        if given is not None:
            return given, False
        if self.name in own:
            return self.name, False
        said = find_losses(filter(says_validation, own))
        if said:
            return said[0], False
        found = next(iter(find_losses(own)), "") or _first(is_other_loss, own)
        error = _first(error_in, own)
        if found or (error and self._converts):
            return found or error, True
        unknown = (n for n in own if is_unknown(n) and n not in self._strangers)
        twins = (n for n in unknown if _in_training(n, logged, own) is not None)
        return _first(is_bare, own) or next(twins, error), True

    def _rivals(
        self, name: str, logged: Mapping[str, Any], own: Sequence[str]
    ) -> tuple[tuple[str, float, float], ...]:
        """Return all candidates for a loss whose name may refer to a part, with counterparts.

        The mean of a first training epoch is only available at the second check.
        """
        is_given = self.named.find("validation_loss", logged) is not None
        if is_given or self._is_settled or is_plain(name) or len(self.losses) > 1:
            return ()
        twins = {n: _in_training(n, logged, own) for n in find_losses(own)}
        return tuple((n, float(logged[n]), t) for n, t in twins.items() if t is not None)

    def add(
        self,
        ranks: Sequence[Check],
        losses: Sequence[float],
        epoch: int,
        kind: str | None = None,
        units: ErrorUnits | None = None,
    ) -> None:
        """Add a check as all ranks have read it.

        Args:
            ranks: What each rank has read.
            losses: All training losses so far.
            epoch: Epoch of the check, from 0.
            kind: Kind of the training loss.
            units: What to convert errors by, in a regression.
        """
        self.named.warn([rank.logged for rank in ranks])
        loss, score = _mean([rank.loss for rank in ranks]), _mean([rank.score for rank in ranks])
        # A metric that is logged on one rank alone counts for all.
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
        elif loss is not None and self._is_error(told.name):
            loss = None if units is None else units.loss_at(told.name, loss)
            self._converts = loss is not None
        if loss is not None and recent:
            check = (loss, sum(recent) / len(recent), epoch)
            for known in self._made_sure_of(told, check, recent, kind, chosen is not None):
                self.name = self.name or told.name
                self.losses.append(known[0])
                self.training_losses.append(known[1])
                self.epochs.append(known[2])
        if score is not None:
            self.scores.append(score)
        if recent:
            self._mean_before = sum(recent) / len(recent)

    def _made_sure_of(
        self, told: Check, check: _Figures, recent: Sequence[float], kind: str | None, chosen: bool
    ) -> list[_Figures]:
        """Return the checks now known to be of the loss: this one and any that were held back."""
        if told.is_guessed and is_unknown(told.name):
            # If the training loss cannot be read (of hardest pairs, say), its value must.
            times = _MAX_RATIO_OF_THE_SAME if kind is None else _MAX_RATIO_OF_ITSELF_UNNAMED
            return self._learn_name(told, check, recent, times)
        waits = False
        if told.is_guessed and not (self.losses or chosen):
            waits = is_bare(told.name) and told.counterpart is None
            self._is_refused |= not (waits or _may_be_loss(told, check[0], recent, kind))
        return [] if waits or self._is_refused else [check]

    def _learn_name(
        self, told: Check, check: _Figures, recent: Sequence[float], times: float
    ) -> list[_Figures]:
        """Hold checks back until an unclear name's counterpart has followed the loss long enough.

        A score is of the loss's size only by chance.
        """
        if told.counterpart is None:
            return []  # The mean of a first epoch is only available at the second check.
        if not _are_alike(told.counterpart, recent, times, self._mean_before):
            self._strangers.append(told.name)
            return []
        held = [*self._held.pop(told.name, []), check]
        if len(held) < _CHECKS_TO_KNOW_IT:
            self._held[told.name], held = held, []
        return held

    def _settle_on(self, name: str, loss: float) -> float:
        """Continue with this loss; one that was taken before under another name was only a part."""
        self._is_settled = True
        if name != self.name:
            self.name, self._is_refused = name, False
            self.losses, self.training_losses, self.epochs = [], [], []
        return loss

    def _is_error(self, name: str) -> bool:
        """Whether a name is that of an error to convert; one that the user gave is not."""
        return bool(error_in(name)) and self.named.find("validation_loss", ()) is None

    @property
    def estimated_from(self) -> str:
        """Name of the error that the losses are estimated from; empty if they are logged."""
        return self.name if self._is_error(self.name) else ""

    @property
    def latest(self) -> dict[str, float]:
        """Latest loss and score by name, as far as there are any."""
        last = {"validation loss": self.losses[-1:], "validation score": self.scores[-1:]}
        return {name: values[0] for name, values in last.items() if values}

    def state_dict(self) -> dict[str, Any]:
        """Return the curves."""
        return {name: deepcopy(getattr(self, name)) for name in _LASTING}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue from a saved state."""
        for name in _LASTING:
            setattr(self, name, deepcopy(state_dict[name]))


def _first(matches: Callable[[str], object], names: Iterable[str]) -> str:
    """Return the first name that matches; empty if there is none."""
    return next(filter(matches, names), "")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _may_be_loss(told: Check, loss: float, recent: Sequence[float], kind: str | None) -> bool:
    """Whether a loss by another name is of the training loss's size, or its counterpart is."""
    if told.counterpart is not None and _are_alike(told.counterpart, recent, _MAX_RATIO_OF_ITSELF):
        return True
    kinds = [OTHER_LOSSES[word] for word in words_of(told.name) if word in OTHER_LOSSES]
    is_same = any(kind in known for known in kinds)
    times = _MAX_RATIO_OF_SAME_KIND if is_same else _MAX_RATIO_IN_SAME_UNITS
    return not is_bare(told.name) and _are_alike(loss, recent, times)


def _are_alike(loss: float, recent: Sequence[float], times: float, before: float = NAN) -> bool:
    sizes = [sum(recent) / len(recent), recent[-1]]
    if times < _MAX_RATIO_OF_ITSELF_UNNAMED:
        # The mean that is logged may be that of the epoch before.
        return any(size / times < loss < size * times for size in (*sizes, before))
    return min(sizes) / times < loss < max(sizes) * times


def _of_validation(trainer: Trainer) -> list[str]:
    """Return the names of metrics that were logged in validation or whose names say so."""
    logged = logged_in_validation(trainer)
    return [name for name in trainer.callback_metrics if name in logged or says_validation(name)]


def _in_training(name: str, logged: Mapping[str, Any], own: Sequence[str]) -> float | None:
    """Return the value logged in training under a validation metric's name; None if none is."""
    twin = next((n for n in counterparts(name) if n in logged and n not in {name, *own}), None)
    return None if twin is None else float(logged[twin])


def _closest(
    ranks: Sequence[Sequence[tuple[str, float, float]]], recent: Sequence[float]
) -> tuple[str, float] | None:
    """Return name and loss, over all ranks, of the rival whose counterpart is the training loss."""
    rivals = [rival for rank in ranks for rival in rank]
    best, least = None, _MAX_RATIO_OF_ITSELF - 1
    for name in dict.fromkeys(name for name, _, _ in rivals) if recent else ():
        losses, twins = zip(*(figures for own, *figures in rivals if own == name), strict=True)
        distance = _distance(sum(twins) / len(twins), recent)
        if distance < least:
            best, least = (name, sum(losses) / len(losses)), distance
    return best


def _distance(value: float, recent: Sequence[float]) -> float:
    """Return the relative distance from the recent losses' mean or last, whichever is closer."""
    sizes = sum(recent) / len(recent), recent[-1]
    return min(abs(value - size) / abs(size) if size else math.inf for size in sizes)
