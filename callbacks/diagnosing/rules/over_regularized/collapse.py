"""A term beside the data loss that leaves representations without information.

That is an autoencoder's code (the posterior collapse of Bowman et al., 2016), or features that were
pulled together. The term itself vanishes.
"""

import math
import statistics

from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import UpdateRatio
from ...vital_signs.vitals import Vitals

_LOOKS_AT_EITHER_END = 5
_RECENT_LOOKS = 10

# Of the other terms to the data loss.
_MIN_RATIO_BESIDE_INPUTS = 0.02
_MIN_RATIO_BESIDE_IF_DRAWN_IN = 0.05
_MAX_RATIO_LEFT_BESIDE = 0.05
_MAX_RATIO_OF_NOTHING_BESIDE = 0.01

_MAX_GAIN_OVER_THE_MEAN = 0.05
_MIN_SHARE_DEAD_IF_SHUT = 0.9
_MAX_RATIO_OF_VARIANCES = 0.8
_MIN_RATIO_OF_A_SUM = 1.5
_MAX_SPREAD_OF_STEADY_SUM = 0.02


def find_collapse(vitals: Vitals) -> Finding | None:
    """Find terms beside the data loss that vanished, with nothing learned of the data."""
    return _find_vanished_terms(vitals) or _find_empty_code(vitals)


def _find_vanished_terms(vitals: Vitals) -> Finding | None:
    """Find a network that made all terms but the data loss 0, and learned nothing of the data.

    An example is an autoencoder whose code carries no information. In other networks the terms must
    have outweighed the data loss, or been some part of it while activations contracted.
    """
    if not _may_have_collapsed(vitals):
        return None
    data, others = _parts(vitals)
    if not data:
        return None
    (first_data, late_data), (first, late) = _ends(data), _ends(others)
    weighed = first > _enough_beside(vitals) * first_data > 0
    if not (weighed and abs(late) < _MAX_RATIO_LEFT_BESIDE * min(first, first_data)):
        return None
    of_inputs = vitals.objective.of_inputs
    what = "reconstruction" if of_inputs else "data"
    evidence = (
        f"Beside the {what} loss ({first_data:.4g}) there was a term of {first:.4g} at first. It "
        f"has fallen to {max(0.0, late):.2g}, and the {what} loss ({late_data:.4g}) is hardly "
        "better than that of the best constant "
        f"prediction{': the code carries no information' if of_inputs else ''}."
    )
    figures = {"first_beside": first, "beside": late}
    return Finding("warning", evidence, figures, _less_beside(what), reports=3, is_root=True)


def _may_have_collapsed(vitals: Vitals) -> bool:
    """Whether almost nothing was learned in sufficient time."""
    knows_little = vitals.is_poor and (vitals.would_have_started or vitals.ignores_inputs)
    # A term that has vanished may come back.
    early = math.isfinite(vitals.planned_steps) and vitals.step < vitals.planned_steps / 4
    return knows_little and vitals.had_a_long_chance and not early


def _enough_beside(vitals: Vitals) -> float:
    """Return the ratio to the data loss above which a term that vanished may be the cause."""
    if vitals.objective.of_inputs:
        return _MIN_RATIO_BESIDE_INPUTS
    return _MIN_RATIO_BESIDE_IF_DRAWN_IN if _is_drawn_in(vitals) else 1.0


def _is_drawn_in(vitals: Vitals) -> bool:
    """Whether all activations vary clearly less than at first."""
    known = [shares for shares in vitals.variances.history.values() if len(shares) > 1]
    return bool(known) and all(shares[-1] < _MAX_RATIO_OF_VARIANCES * shares[0] for shares in known)


def _ends(losses: list[float]) -> tuple[float, float]:
    """Return the mean of the first losses, and of the last."""
    first, last = losses[:_LOOKS_AT_EITHER_END], losses[-_LOOKS_AT_EITHER_END:]
    return statistics.fmean(first), statistics.fmean(last)


def _find_empty_code(vitals: Vitals) -> Finding | None:
    """Find an autoencoder that outputs the mean of all samples, and whose other term vanished.

    The term may have been negligible from the first batch on, although its gradient was not.
    """
    objective, steps = vitals.objective, vitals.update_ratios
    if not (objective.of_inputs and objective.has_beside and steps):
        return None
    if not (vitals.would_have_started and vitals.had_a_long_chance_at_full_rate):
        return None
    data, beside = _parts(vitals)
    # Behind dead units, any code is empty.
    shut = max(vitals.dead.last.values(), default=0.0) > _MIN_SHARE_DEAD_IF_SHUT
    if shut or not data or not statistics.median(steps) > UpdateRatio.TINY:
        return None
    late, late_data = (statistics.fmean(part[-_RECENT_LOOKS:]) for part in (beside, data))
    mean = objective.placed_loss
    drawn = (
        late_data > (1 - _MAX_GAIN_OVER_THE_MEAN) * mean
        if mean > 0
        else vitals.gain < _MAX_GAIN_OVER_THE_MEAN
    )
    if not drawn or not abs(late) < _MAX_RATIO_OF_NOTHING_BESIDE * late_data:
        return None
    evidence = (
        f"The reconstruction loss is {late_data:.4g}, hardly better than that of the mean of the "
        f"data, and the term beside it has fallen to {max(0.0, late):.2g}: the code carries no "
        "information."
    )
    figures = {"beside": late, "reconstruction": late_data}
    # No root: a term that was always negligible need not be the cause, where another is at hand.
    return Finding("warning", evidence, figures, _less_beside("reconstruction"), reports=3)


def _less_beside(what: str) -> tuple[Remedy, ...]:
    return (
        Remedy(f"Lower the weight of the term beside the {what} loss.", "beta = 1e-3"),
        Remedy(
            "Increase its weight gradually from 0.", "beta *= min(1.0, self.global_step / 1000)"
        ),
    )


def _parts(vitals: Vitals) -> tuple[list[float], list[float]]:
    """Return the data part of each total loss that was observed, and what is beside it.

    The data part may be a sum: its factor is that of the last losses, when nothing else is left.
    """
    data, beside = vitals.data_losses, vitals.other_terms
    late = slice(-_RECENT_LOOKS, None)
    known = len(data) == len(beside) and all(map(math.isfinite, beside))
    if not known or len(data) < 2 * _RECENT_LOOKS or not min(data[late]) > 0:
        return [], []
    times = [1 + o / d for d, o in zip(data[late], beside[late], strict=True)]
    usual = statistics.median(times)
    if not usual > _MIN_RATIO_OF_A_SUM:
        return data, beside
    if max(times) - min(times) > _MAX_SPREAD_OF_STEADY_SUM * usual:
        return [], []
    whole = [d + o for d, o in zip(data, beside, strict=True)]
    own = [usual * d for d in data]
    return own, [w - d for w, d in zip(whole, own, strict=True)]
