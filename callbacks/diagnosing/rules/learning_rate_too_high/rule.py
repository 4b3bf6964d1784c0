"""Large steps that do harm in any of the known ways, unless something was wrong before them."""

import math
import statistics
from collections.abc import Callable

from ....diagnosis import Severity
from ....problem import Problem
from ....remedy import Remedy
from ...rounding import as_length, as_share
from ...symptom import Finding
from ...vital_signs.levels import UpdateRatio
from ...vital_signs.vitals import Vitals
from .steps import Steps
from .training_harm import (
    blew_up,
    has_cost_half,
    is_far_off,
    is_forgotten,
    is_thrown,
    is_undone,
    keeps_from_learning,
    ran_away,
)
from .validation_harm import (
    has_lost_its_best,
    has_turned,
    is_hurt,
    validation_jumps,
    validation_loss_jumps,
)
from .weight_harm import have_led_away, have_replaced_weights, what_died

_FEWEST_BATCHES = 10

# A loss that recovers after the first steps drove it up.
_EARLY_SHARE_OF_STEPS = 0.25
_RECENT_BATCHES = 60
_LAST_BATCHES = 5
_MIN_BATCHES_OF_A_THIRD = 2
_MAX_RATIO_OF_FALLING_THIRDS = 0.7
_REPORTS_WHEN_COMING_BACK = 10

# Tests for the known kinds of harm to a run with enough steps to make progress; any is enough.
_HARMS: tuple[Callable[[Vitals, Steps], bool], ...] = (
    keeps_from_learning, ran_away, is_undone, is_far_off, is_hurt, has_turned, validation_jumps,
    validation_loss_jumps, has_lost_its_best, has_cost_half, have_led_away,
    have_replaced_weights, is_forgotten,
)  # fmt: skip


def examine(vitals: Vitals) -> Finding | None:
    """Find a loss that large steps keep from falling, or drive up."""
    steps = Steps.of(vitals.update_ratios)
    if not vitals.one_loss or steps is None or len(vitals.losses) < _FEWEST_BATCHES:
        return None
    if _was_wrong_before(vitals) and not vitals.had_loss_spike:
        return None
    killed = what_died(vitals, steps)
    harmed = vitals.had_a_chance and any(harm(vitals, steps) for harm in _HARMS)
    if not (harmed or killed or blew_up(vitals, steps) or is_thrown(vitals, steps)):
        return None
    return _finding(vitals, steps, killed)


def _was_wrong_before(vitals: Vitals) -> bool:
    """Whether something was wrong before the first step."""
    return vitals.starts_far or vitals.vanished_from_the_start or _lost_at_once(vitals)


def _lost_at_once(vitals: Vitals) -> bool:
    """Whether the loss is no longer finite although it had not grown before."""
    if math.isfinite(vitals.losses[-1]):
        return False
    finite = [loss for loss in vitals.losses if math.isfinite(loss)]
    return not finite or max(finite) <= 10 * abs(finite[0])


def _finding(vitals: Vitals, steps: Steps, killed: str) -> Finding:
    # The first loss may be below the mean of every later window.
    seen = [*vitals.finite_curve, *filter(math.isfinite, vitals.losses[:1])]
    least = min(seen, default=math.nan)
    # Weights that were driven far away are long, which makes later steps relatively short.
    moves = (
        f"A step moves the weights by {as_length(steps.recent)} (at most {as_share(steps.peak)}; "
    )
    if steps.recent < UpdateRatio.USUAL:
        moves = f"A step moved the weights by up to {as_length(steps.peak)} ("
    evidence = (
        f"{moves}about 0.1% is usual), and the loss is {_said(vitals.recent_loss)} "
        f"({_said(vitals.losses[0])} at first, {least:.4g} at its best)."
    )
    if killed:
        evidence += f" By now {killed}, which they were not at first."
    figures = {
        "update_ratio": steps.recent, "largest_update_ratio": steps.peak,
        "loss": vitals.recent_loss, "best_loss": least, "learning_rate": vitals.learning_rate,
    }  # fmt: skip
    severity: Severity = "warning" if vitals.has_learned else "critical"
    reports = _REPORTS_WHEN_COMING_BACK if _comes_back(vitals) else 2
    units = Problem.DEAD_RELU if "dead" in killed else Problem.SATURATED_ACTIVATION
    tells = (units,) if killed else ()
    remedies = _remedies(vitals)
    return Finding(severity, evidence, figures, remedies, reports=reports, tells=tells)


def _said(loss: float) -> str:
    return f"{loss:.4g}" if math.isfinite(loss) else "not finite"


def _remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    return (
        Remedy("Divide the learning rate by ten.", vitals.rate_as_code(0.1)),
        Remedy("Warm up the learning rate.", 'warmup=0.1, scheduler="cosine"'),
        Remedy("Clip the gradients.", "Trainer(gradient_clip_val=1.0)"),
    )


def _comes_back(vitals: Vitals) -> bool:
    """Whether the loss has recovered, or is recovering, after the first steps drove it up.

    Per-parameter adaptive rates start high and come down by themselves.
    """
    losses, constant = vitals.losses[-_RECENT_BATCHES:], vitals.whole_constant
    early = vitals.step < _EARLY_SHARE_OF_STEPS * vitals.planned_steps
    if not early or not all(map(math.isfinite, losses)):
        return False
    start = vitals.losses[0]
    is_back = statistics.median(losses[-_LAST_BATCHES:]) < (
        max(start, constant) if constant > 0 else start
    )
    third = (len(losses) - losses.index(max(losses))) // 3
    falls = third >= _MIN_BATCHES_OF_A_THIRD and (
        statistics.fmean(losses[-third:])
        < _MAX_RATIO_OF_FALLING_THIRDS * statistics.fmean(losses[-2 * third : -third])
    )
    return is_back or falls
