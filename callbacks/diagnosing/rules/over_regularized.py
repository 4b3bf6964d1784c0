"""Regularisation that outweighs the data.

A penalty that is most of the loss, weight decay that outweighs the gradients, or dropout so high
that the training loss stays far above that of validation, where dropout is off. Or a term beside
the data loss that leaves representations without information: an autoencoder's code (the posterior
collapse of Bowman et al., 2016), or features that were pulled together.
"""

import math
import statistics

from ...problem import Problem
from ...remedy import Remedy
from ..clipping import clip_less
from ..symptom import Symptom
from ..vital_signs.vitals import Vitals

_MAX_GAIN_IF_OUTWEIGHED = 0.65
_GOOD_GAIN = 0.5
_LITTLE_GAIN = 0.3
_SOME_GAIN = 0.2
_SOME_GAIN_IF_UNKNOWN = 0.05  # Where the loss of the best constant prediction is unknown.
_MIN_UPDATE_RATIO = 1e-4
_HUGE_UPDATE_RATIO = 0.1
_FIRST_UPDATES = 5
_RECENT_CHECKS = 3
_RECENT_LOOKS = 10
_LOOKS_AT_EITHER_END = 5
_MIN_FALL_SHARE = 0.02

# A penalty, and other terms beside the data loss.
_MIN_PENALTY_SHARE = 0.5
_MIN_PENALTY_SHARE_IF_STUCK = 0.1
_MIN_PENALTY_SHARE_AT_FIRST = 0.05
_MIN_RATIO_BESIDE_INPUTS = 0.02
_MIN_RATIO_BESIDE_IF_DRAWN_IN = 0.05
_MAX_RATIO_LEFT_BESIDE = 0.05
_MAX_RATIO_OF_NOTHING_BESIDE = 0.01
_MAX_GAIN_OVER_THE_MEAN = 0.05
_MIN_SHARE_DEAD_IF_SHUT = 0.9
_MAX_RATIO_OF_VARIANCES = 0.8
_MIN_RATIO_OF_A_SUM = 1.5
_MAX_SPREAD_OF_STEADY_SUM = 0.02

_HIGH_DROPOUT = 0.5
_EXTREME_DROPOUT = 0.8
_LITTLE_SHARE_LET_THROUGH = 0.1
_TINY_SHARE_LET_THROUGH = 0.02
_MIN_RATIO_TO_VALIDATION = 1.5
_MIN_SHARE_OF_SCALE = 0.5

_MAX_GAIN_IF_HELD = 0.8
_MIN_PULL_TO_HOLD = 0.5
_MIN_WEIGHT_DECAY = 0.05
_HUGE_WEIGHT_DECAY = 0.5
_MIN_SHARE_SHRUNK = 0.3
_MAX_RATIO_OF_TAKEN_WEIGHTS = 0.5
_MAX_RATIO_OF_LOST_GRADIENT = 1e-8
# The usual 0.01 at a rate of 1e-3 takes 1e-5, which halves weights in 70,000 steps, not 70.
_MAX_DECAY_IN_A_STEP = 0.01
_HIGH_LEARNING_RATE = 0.03


def examine(vitals: Vitals) -> list[Symptom]:
    """Find a penalty, weight decay or dropout that keeps the network from fitting."""
    if not vitals.had_a_chance:
        return []
    if vitals.gain > _MAX_GAIN_IF_OUTWEIGHED:
        return _held(vitals)
    if not all(map(math.isfinite, vitals.losses[:1])):
        return []  # The run failed before anything could outweigh the data.
    if collapsed := _collapsed(vitals) or _says_nothing(vitals):
        return collapsed
    if vitals.gain > _GOOD_GAIN:
        return _weight_decay(vitals) or _held(vitals)
    found = [*_penalty(vitals), *_dropout(vitals), *_weight_decay(vitals)]
    return found or _shrunk(vitals) or _held(vitals)


def _penalty(vitals: Vitals) -> list[Symptom]:
    # A strong penalty drives the weights to 0 and is itself small in the end.
    shares = vitals.penalty_shares
    if not shares or not math.isfinite(vitals.recent_loss):
        return []  # The weight of a penalty is not what made the loss infinite.
    share = max(statistics.median(shares[:10]), statistics.median(shares[-10:]))
    # Where steps do not lower the loss, the penalty's gradient is as long as that of the data.
    steps = [u for u in vitals.total_updates[-5:] if math.isfinite(u)]
    moves = bool(steps) and statistics.median(steps) > _MIN_UPDATE_RATIO
    stuck = moves and vitals.had_a_long_chance and vitals.gain < 0 and not vitals.is_falling
    if not share > (_MIN_PENALTY_SHARE_IF_STUCK if stuck else _MIN_PENALTY_SHARE):
        return []
    evidence = (
        f"{share:.0%} of the loss is penalty, and the data loss is {vitals.recent_data_loss:.4g}."
    )
    figures = {"share": share}
    return [Symptom(Problem.OVER_REGULARIZED, "warning", evidence, figures, _penalty_remedies())]


def _shrunk(vitals: Vitals) -> list[Symptom]:
    """Find a penalty that has taken most of the weights away, and is itself small since then."""
    first = statistics.median(vitals.penalty_shares[:_LOOKS_AT_EITHER_END] or [0.0])
    if not (
        first > _MIN_PENALTY_SHARE_AT_FIRST
        and vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS
        and vitals.had_a_long_chance
    ):
        return []
    if not vitals.is_poor:
        return []
    evidence = (
        f"{first:.0%} of the first losses was penalty. It has shrunk the weights to "
        f"{vitals.growth:.0%} of their initial norm, and the data loss is "
        f"{vitals.recent_data_loss:.4g}."
    )
    figures = {"first_share": first, "growth": vitals.growth}
    return [Symptom(Problem.OVER_REGULARIZED, "warning", evidence, figures, _penalty_remedies())]


def _collapsed(vitals: Vitals) -> list[Symptom]:
    """Find a network that made all terms but the data loss 0, and learned nothing of the data.

    An example is an autoencoder whose code carries no information. In other networks the terms must
    have outweighed the data loss, or been some part of it while activations contracted.
    """
    if not _may_have_collapsed(vitals):
        return []
    data, others = _parts(vitals)
    if not data:
        return []
    (first_data, late_data), (first, late) = _ends(data), _ends(others)
    weighed = first > _enough_beside(vitals) * first_data > 0
    if not (weighed and abs(late) < _MAX_RATIO_LEFT_BESIDE * min(first, first_data)):
        return []
    of_inputs = vitals.objective.of_inputs
    what = "reconstruction" if of_inputs else "data"
    evidence = (
        f"Beside the {what} loss ({first_data:.4g}) there was a term of {first:.4g} at first. It "
        f"has fallen to {max(0.0, late):.2g}, and the {what} loss ({late_data:.4g}) is hardly "
        "better than that of the best constant "
        f"prediction{': the code carries no information' if of_inputs else ''}."
    )
    figures = {"first_beside": first, "beside": late}
    return [
        Symptom(
            Problem.OVER_REGULARIZED, "warning", evidence, figures, _less_beside(what), reports=3,
            is_root=True,
        )
    ]  # fmt: skip


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


def _ends(losses: list[float]) -> tuple[float, float]:
    """Return the mean of the first losses, and of the last."""
    first, last = losses[:_LOOKS_AT_EITHER_END], losses[-_LOOKS_AT_EITHER_END:]
    return statistics.fmean(first), statistics.fmean(last)


def _says_nothing(vitals: Vitals) -> list[Symptom]:
    """Find an autoencoder that outputs the mean of all samples, and whose other term vanished.

    The term may have been negligible from the first batch on, although its gradient was not.
    """
    objective, steps = vitals.objective, [u for u in vitals.total_updates if math.isfinite(u)]
    if not (objective.of_inputs and objective.has_beside and steps):
        return []
    if not (vitals.would_have_started and vitals.had_a_long_chance_at_full_rate):
        return []
    data, beside = _parts(vitals)
    # Behind dead units, any code is empty.
    shut = max(vitals.dead.last.values(), default=0.0) > _MIN_SHARE_DEAD_IF_SHUT
    if shut or not data or not statistics.median(steps) > _MIN_UPDATE_RATIO:
        return []
    late, late_data = (statistics.fmean(part[-_RECENT_LOOKS:]) for part in (beside, data))
    mean = objective.placed_loss
    drawn = (
        late_data > (1 - _MAX_GAIN_OVER_THE_MEAN) * mean
        if mean > 0
        else vitals.gain < _MAX_GAIN_OVER_THE_MEAN
    )
    if not drawn or not abs(late) < _MAX_RATIO_OF_NOTHING_BESIDE * late_data:
        return []
    evidence = (
        f"The reconstruction loss is {late_data:.4g}, hardly better than that of the mean of the "
        f"data, and the term beside it has fallen to {max(0.0, late):.2g}: the code carries no "
        "information."
    )
    figures = {"beside": late, "reconstruction": late_data}
    problem = Problem.OVER_REGULARIZED
    return [
        # A term that was always negligible need not be the cause, where another is at hand.
        Symptom(problem, "warning", evidence, figures, _less_beside("reconstruction"), reports=3)
    ]


def _less_beside(what: str) -> tuple[Remedy, ...]:
    return (
        Remedy(f"Lower the weight of the term beside the {what} loss.", "beta = 1e-3"),
        Remedy(
            "Increase its weight gradually from 0.", "beta *= min(1.0, self.global_step / 1000)"
        ),
    )


def _is_drawn_in(vitals: Vitals) -> bool:
    """Whether all activations vary clearly less than at first."""
    known = [shares for shares in vitals.variances.history.values() if len(shares) > 1]
    return bool(known) and all(shares[-1] < _MAX_RATIO_OF_VARIANCES * shares[0] for shares in known)


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


def _penalty_remedies() -> tuple[Remedy, ...]:
    return (
        Remedy("Divide the penalty by a hundred."),
        Remedy("Remove it until the network fits the training data.", "l1=0.0, l2=0.0"),
    )


def _dropout(vitals: Vitals) -> list[Symptom]:
    return _lets_nothing_through(vitals) or _far_above_validation(vitals)


def _lets_nothing_through(vitals: Vitals) -> list[Symptom]:
    """Find dropout that is extreme, or applied too often, with little learned."""
    high = [rate for rate in vitals.dropouts if rate >= _HIGH_DROPOUT]
    # The share that passes all of them; two layers of a half each are usual.
    let_through = math.prod(1 - rate for rate in high)
    extreme = vitals.dropout >= _EXTREME_DROPOUT
    # Dropout rescales what it lets through; an enormous loss has other causes.
    extreme |= let_through <= _LITTLE_SHARE_LET_THROUGH and not vitals.gain < -1
    most = _GOOD_GAIN if let_through <= _TINY_SHARE_LET_THROUGH else _LITTLE_GAIN
    if not (extreme and vitals.had_a_long_chance and vitals.gain < most):
        return []
    places = f" in {len(high)} places" if len(high) > 1 else ""
    evidence = (
        f"With dropout of {vitals.dropout:g}{places} the training loss is "
        f"{vitals.recent_data_loss:.4g}, {_beside_a_constant(vitals.gain)}."
    )
    figures, problem = {"dropout": vitals.dropout}, Problem.OVER_REGULARIZED
    return [Symptom(problem, "warning", evidence, figures, (_less_dropout(vitals),))]


def _far_above_validation(vitals: Vitals) -> list[Symptom]:
    """Find a training loss far above that of validation, where dropout is off."""
    checks = vitals.validation_losses[-_RECENT_CHECKS:]
    training = vitals.training_epoch_losses[-_RECENT_CHECKS:]
    if vitals.dropout < _HIGH_DROPOUT or not _RECENT_CHECKS == len(checks) == len(training):
        return []
    above = min(t / v for t, v in zip(training, checks, strict=True)) if min(checks) > 0 else 0.0
    # Label smoothing raises the training loss, and seldom that of validation.
    if checks[-1] > 0 and vitals.sum_of <= _MIN_RATIO_OF_A_SUM:
        above = min(above, vitals.recent_data_loss / checks[-1])
    # Where the validation loss is good, its distance from the training loss does not matter.
    if above < _MIN_RATIO_TO_VALIDATION or checks[-1] < _MIN_SHARE_OF_SCALE * vitals.scale:
        return []
    evidence = (
        f"With dropout of {vitals.dropout:g} the training loss is {training[-1]:.4g}, and the "
        f"validation loss {checks[-1]:.4g}."
    )
    figures, problem = {"dropout": vitals.dropout, "ratio": above}, Problem.OVER_REGULARIZED
    return [Symptom(problem, "warning", evidence, figures, (_less_dropout(vitals),))]


def _less_dropout(vitals: Vitals) -> Remedy:
    return Remedy("Use less dropout.", f"dropout={vitals.dropout / 2:.2g}")


def _beside_a_constant(gain: float) -> str:
    few = f"only {gain:.0%} below that of the best constant prediction"
    return few if gain > _LITTLE_GAIN else "hardly better than that of the best constant prediction"


def _weight_decay(vitals: Vitals) -> list[Symptom]:
    pulls = [pull for pull in vitals.decay_pulls if math.isfinite(pull)]
    if vitals.decay_outweighs and vitals.gain <= _MAX_GAIN_IF_OUTWEIGHED:
        return _beside_gradients(vitals, statistics.median(pulls), 1.0)
    if pulls and (lost := _lost_tables(vitals)):
        return lost
    # Harm done by huge first steps is not due to a usual decay. (Later steps are relatively large
    # where decay has shrunk the weights.)
    peak = max((u for u in vitals.total_updates[:_FIRST_UPDATES] if math.isfinite(u)), default=0.0)
    if vitals.weight_decay < _HUGE_WEIGHT_DECAY and peak > _HUGE_UPDATE_RATIO:
        return []
    taken = vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS
    if vitals.weight_decay >= _MIN_WEIGHT_DECAY and taken and _stands(vitals):
        return _taken(vitals)
    if vitals.weight_decay * vitals.learning_rate_peak > _MAX_DECAY_IN_A_STEP and _stands(vitals):
        return _takes(vitals)
    return _learns_nothing(vitals, adds=bool(pulls))


def _learns_nothing(vitals: Vitals, *, adds: bool) -> list[Symptom]:
    """Find a large decay, with almost nothing learned.

    Args:
        vitals: The vital signs.
        adds: Whether the decay is added to the gradients.
    """
    huge = vitals.weight_decay >= _HUGE_WEIGHT_DECAY
    # With no constant prediction to compare with, part of a loss may be all there is to learn.
    some = _SOME_GAIN if vitals.objective.constant_loss > 0 else _SOME_GAIN_IF_UNKNOWN
    learned = vitals.gain > some if huge else vitals.has_learned
    falls = vitals.is_falling and not (huge and vitals.growth < _MAX_RATIO_OF_TAKEN_WEIGHTS)
    if vitals.weight_decay < _MIN_WEIGHT_DECAY or learned or falls:
        return []
    # A decay that has shrunk the weights by less than a quarter so far has held nothing back.
    shrunk = vitals.weight_decay * vitals.learning_rate_peak * vitals.step
    if not adds and shrunk < _MIN_SHARE_SHRUNK:
        return []
    evidence = f"The weight decay is {vitals.weight_decay:g}, and next to nothing is learned."
    figures = {"weight_decay": vitals.weight_decay}
    return [Symptom(Problem.OVER_REGULARIZED, "warning", evidence, figures, (_less_decay(vitals),))]


def _stands(vitals: Vitals) -> bool:
    """Whether the loss, of validation where that is known, no longer falls."""
    checks = vitals.validation_losses
    if len(checks) <= _RECENT_CHECKS:
        return vitals.had_a_long_chance and not vitals.is_falling
    before, recent = min(checks[:-_RECENT_CHECKS]), min(checks[-_RECENT_CHECKS:])
    return vitals.had_a_long_chance and recent > (1 - _MIN_FALL_SHARE) * before


def _taken(vitals: Vitals) -> list[Symptom]:
    """Report a decay that left less than half of the weights, with a loss that has stalled."""
    evidence = (
        f"The weight decay of {vitals.weight_decay:g} has shrunk the weights to "
        f"{vitals.growth:.0%} of their initial norm, and the loss has stalled at "
        f"{vitals.recent_data_loss:.4g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "growth": vitals.growth}
    problem = Problem.OVER_REGULARIZED
    return [Symptom(problem, "warning", evidence, figures, (_less_decay(vitals),), reports=3)]


def _takes(vitals: Vitals) -> list[Symptom]:
    """Report a decay that each step must first make up for, with a loss that has stalled."""
    taken = vitals.weight_decay * vitals.learning_rate_peak
    evidence = (
        f"At a learning rate of {vitals.learning_rate_peak:.2g} the weight decay of "
        f"{vitals.weight_decay:g} takes {taken:.1%} off the weights in each step, and the loss "
        f"has stalled at {vitals.recent_data_loss:.4g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "taken": taken}
    problem = Problem.OVER_REGULARIZED
    rate = Remedy(
        "Divide the learning rate by ten: the decay is multiplied by it.", vitals.rate_as_code(0.1)
    )
    remedies = (_less_decay(vitals), rate)
    # The decay is usual, but the rate is not.
    if vitals.learning_rate_peak >= _HIGH_LEARNING_RATE and not vitals.steps_by_gradients:
        remedies = (rate, _less_decay(vitals))
    return [Symptom(problem, "warning", evidence, figures, remedies, reports=3)]


def _lost_tables(vitals: Vitals) -> list[Symptom]:
    """Find factors that a decay has driven to 0, where each scales the other's gradient."""
    sizes = vitals.gradient_profile
    if (
        vitals.layers
        or len(sizes) < 2
        or not 0 < min(sizes.values()) < _MAX_RATIO_OF_LOST_GRADIENT * max(sizes.values())
    ):
        return []
    name = min(sizes, key=sizes.__getitem__)
    evidence = (
        f"The weight decay of {vitals.weight_decay:g} is added to the gradients, and has driven "
        f"{name} to 0: per parameter its gradient is {sizes[name]:.1g}."
    )
    figures = {"weight_decay": vitals.weight_decay, "gradient": sizes[name]}
    problem, remedies = Problem.OVER_REGULARIZED, _decay_remedies(vitals)
    return [Symptom(problem, "warning", evidence, figures, remedies)]


def _less_decay(vitals: Vitals) -> Remedy:
    code = f"weight_decay={vitals.weight_decay / 100:.2g}"
    return Remedy("Divide the optimiser's weight decay by a hundred.", code)


def _decay_remedies(vitals: Vitals) -> tuple[Remedy, ...]:
    return (
        Remedy("Decouple the weight decay from the gradients.", 'optimizer="adamw"'),
        _less_decay(vitals),
    )


def _held(vitals: Vitals) -> list[Symptom]:
    """Find a decay that balances the gradients while much is left to learn.

    If it is half as large as they are in the first steps, when they are largest, it equals them at
    some lower loss, and that is where training stalls.
    """
    pulls = [pull for pull in vitals.decay_pulls if math.isfinite(pull)]
    late = vitals.had_a_long_chance and not vitals.step < vitals.planned_steps / 2
    if not (pulls and late and vitals.gain < _MAX_GAIN_IF_HELD and vitals.growth < 1):
        return []
    pull = statistics.median(pulls)
    if not pull > _MIN_PULL_TO_HOLD:
        return []
    return _beside_gradients(vitals, pull, _MIN_PULL_TO_HOLD)


def _beside_gradients(vitals: Vitals, pull: float, least: float) -> list[Symptom]:
    """Report a decay that is so large beside the gradients, or the clipping that makes it so."""
    if pull * vitals.left_by_clipping > least:
        return _coupled(vitals, pull)
    # Steps that are short because of it are reported by `learning_rate_too_low`.
    return [] if vitals.steps_by_gradients else _clipped(vitals, pull)


def _clipped(vitals: Vitals, pull: float) -> list[Symptom]:
    """Report a decay that outweighs the gradients, since clipping leaves so little of them."""
    evidence = (
        f"Clipping scales gradients down to {vitals.left_by_clipping:.1g} of their norm, and the "
        f"weight decay of {vitals.weight_decay:g} that is added to that was {pull:.2g} times as "
        "large in the first steps."
    )
    figures = {"weight_decay": vitals.weight_decay, "pull": pull, "left": vitals.left_by_clipping}
    remedies = (clip_less(vitals.usual_gradient), *_decay_remedies(vitals))
    problem = Problem.OVER_REGULARIZED
    return [Symptom(problem, "warning", evidence, figures, remedies)]


def _coupled(vitals: Vitals, pull: float) -> list[Symptom]:
    """Report a decay that is added to the gradients and is large beside them."""
    evidence = (
        f"The weight decay of {vitals.weight_decay:g} is added to the gradients, and was "
        f"{pull:.2g} times as large as they were in the first steps."
    )
    figures = {"weight_decay": vitals.weight_decay, "pull": pull}
    problem, remedies = Problem.OVER_REGULARIZED, _decay_remedies(vitals)
    return [Symptom(problem, "warning", evidence, figures, remedies)]
