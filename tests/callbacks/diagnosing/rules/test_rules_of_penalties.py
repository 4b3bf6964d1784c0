"""What is beside the data's loss, or taken from what comes through, and outweighs it."""

import math
from dataclasses import replace

import pytest
from helpers.vital_signs import FLAT, LN10, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import Objective

PENALIZED = {"penalty_shares": [0.25, 0.2, 0.2] + [0.02] * 27, "growth": 0.3}


def test_a_penalty_that_has_taken_the_weights_is_to_blame_though_it_is_small_by_now():
    symptoms = join_causes(examine(vitals(FLAT, total_updates=[0.05] * 10, **PENALIZED)))
    assert [s.problem for s in symptoms] == [P.OVER_REGULARIZED]
    assert "has shrunk the weights to 30% of their initial norm" in symptoms[0].evidence


@pytest.mark.parametrize(
    "more",
    [{"growth": 0.9}, {"growth": float("nan")}, {"penalty_shares": [0.01] * 30}],
)
def test_weights_that_are_there_or_shrank_of_themselves_are_no_matter_of_a_penalty(more):
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, **{**PENALIZED, **more}))
    assert P.OVER_REGULARIZED not in found(vitals(SMALL, **PENALIZED))


HALF_LEARNED = [0.3 * LN10 + 0.01 * (-1) ** i for i in range(300)]
HOLDING = {"penalty_shares": [0.7] * 30, "growth": 0.3, "planned_steps": 500}


@pytest.mark.parametrize(
    ("losses", "more", "sick"),
    [
        (HALF_LEARNED, {}, True),
        (HALF_LEARNED, {"growth": 0.8}, False),
        (HALF_LEARNED, {"penalty_shares": [0.9] * 20 + [0.3] * 10}, False),
        (HALF_LEARNED, {"planned_steps": 1000}, False),  # has time
        ([loss + 0.5 * 0.99**i for i, loss in enumerate(HALF_LEARNED)], {}, False),  # falls
        (SMALL, {}, False),  # has learned
    ],
)
def test_a_penalty_that_keeps_half_learned_what_training_has_stalled_at(losses, more, sick):
    signs = vitals(losses, **{**HOLDING, **more})
    assert (P.OVER_REGULARIZED in found(signs)) is sick


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([0.8] * 10 + [0.02] * 20, "80% of the first losses was penalty, and the data loss is 2."),
        ([0.02] * 10 + [0.8] * 20, "80% of the loss is penalty, and the data loss is 2."),
    ],
)
def test_a_penalty_that_was_most_of_the_loss_is_not_said_to_be_still(shares, words):
    signs = vitals(FLAT, penalty_shares=shares)
    (evidence,) = [s.evidence for s in examine(signs) if s.problem is P.OVER_REGULARIZED]
    assert evidence.startswith(words)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dropouts": [0.9]}, "the training loss is 2.3, hardly better than what it was at first."),
        ({"weight_decay": 1.0, "growth": 0.2}, "and the loss has stalled at 2.3."),
        ({"weight_decay": 0.5, "learning_rate_peak": 0.1}, "and the loss has stalled at 2.3."),
    ],
    ids=["dropout", "a decay that has taken", "a decay that takes"],
)
def test_of_a_loss_that_cannot_be_read_the_curve_is_told(more, words):
    signs = vitals(FLAT, objective=Objective(), data_losses=[], **more)
    (evidence,) = [s.evidence for s in examine(signs) if s.problem is P.OVER_REGULARIZED]
    assert evidence.endswith(words)


def test_of_a_loss_below_zero_nobody_says_that_next_to_nothing_is_learned():
    decay = {"weight_decay": 0.1, "objective": Objective(), "data_losses": []}
    below = [-3.0 - 2.0 * (1 - 0.97**i) + 0.1 * (-1) ** i for i in range(300)]
    assert P.OVER_REGULARIZED not in found(vitals(below, **decay))
    assert P.OVER_REGULARIZED not in found(vitals([], **{**decay, "step": 300}))  # never seen
    assert P.OVER_REGULARIZED in found(vitals(FLAT, **decay))


def test_a_loss_that_has_become_infinite_is_not_told_as_penalty():
    signs = vitals([*FLAT[:200], *[math.inf] * 100], penalty_shares=[0.9] * 20)
    (symptom,) = join_causes(examine(signs))
    assert (symptom.problem, symptom.severity) == (P.NON_FINITE, "critical")


@pytest.mark.parametrize(("beside", "gain"), [(0.0, 0.0), (1e-7, 0.0), (0.5, 0.1), (math.nan, 0.1)])
def test_all_recent_batches_tell_what_was_learned_if_the_loss_is_plain(beside, gain):
    # The few that were inspected happened to be easy.
    few = {"data_losses": [0.9 * LN10] * 30, "other_terms": [beside] * 30}
    assert vitals([LN10] * 300, **few).gain == pytest.approx(gain, abs=1e-6)
    assert vitals([], **few).gain == pytest.approx(0.1)  # none of them is over yet


def scaled(factor, *, rest=0.0):
    """Batches of a loss that is multiplied by a number, and to which a penalty is added."""
    part = [2.3 + 0.1 * (-1) ** i for i in range(30)]
    beside = [(factor - 1) * p + rest * 0.99**i for i, p in enumerate(part)]
    return {
        "data_losses": part, "other_terms": beside,
        "penalty_shares": [b / (b + p) for b, p in zip(beside, part, strict=True)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "sick"),
    [
        (scaled(100), False),
        (scaled(100, rest=300.0), True),
        (scaled(1, rest=300.0), True),
        ({**scaled(100), "other_terms": [math.nan] * 30}, True),  # not known to be a multiple
    ],
    ids=["scaled", "scaled and penalised", "penalised", "unknown"],
)
def test_a_loss_that_is_multiplied_by_a_number_is_no_penalty(terms, sick):
    signs = vitals([100 * loss for loss in FLAT], **terms)
    assert (P.OVER_REGULARIZED in found(signs)) is sick


def test_a_constant_beside_the_loss_is_no_penalty():
    part = [2.3 + 0.1 * (-1) ** i for i in range(30)]
    terms = {"data_losses": part, "penalty_shares": [0.8] * 30}
    for beside, sick in ((lambda i: 10.0, False), (lambda i: 10.0 - 0.01 * i, True)):
        signs = vitals(FLAT, **terms, other_terms=[beside(i) for i in range(30)])
        assert (P.OVER_REGULARIZED in found(signs)) is sick


@pytest.mark.parametrize(
    ("factor", "checks", "same"),
    [(100, [2.3, 2.0], False), (100, [230.0, 200.0], True), (0.01, [2.3, 2.0], False),
     (0.01, [0.023, 0.02], True), (1, [2.3, 2.0], True)],
)  # fmt: skip
def test_validation_may_log_what_training_multiplies(factor, checks, same):
    terms = scaled(factor)
    losses = [factor * loss for loss in FLAT]
    seen = {"training_epoch_losses": [2.3 * factor, 2.0 * factor], "validation_losses": checks}
    assert vitals(losses, **terms, **seen).validates_the_same_loss is same


@pytest.mark.parametrize(("checks", "same"), [([2.3, 2.0], False), ([-7.7, -8.0], True)])
def test_validation_may_log_what_training_moves(checks, same):
    part = [2.3 + 0.1 * (-1) ** i for i in range(30)]
    terms = {"data_losses": part, "other_terms": [-10.0] * 30}
    seen = {"training_epoch_losses": [-7.7, -8.0], "validation_losses": checks}
    signs = vitals([loss - 10 for loss in part for _ in range(10)], **terms, **seen)
    assert signs.validates_the_data_loss is not same
    assert signs.validates_the_same_loss is same


def test_a_last_batch_that_is_smaller_makes_a_sum_no_penalty():
    terms = scaled(32)
    terms["other_terms"][9::10] = [3 * part for part in terms["data_losses"][9::10]]
    assert vitals(FLAT, **terms).has_data_loss_alone
    terms["other_terms"][:10] = [part / 2 for part in terms["data_losses"][:10]]
    assert not vitals(FLAT, **terms).has_data_loss_alone  # such as a penalty that shrinks


def test_batches_that_are_all_alike_do_not_tell_a_multiple_from_a_penalty():
    same = {"data_losses": [2.3] * 30, "other_terms": [4.6] * 30}
    assert not vitals(FLAT, **same).has_data_loss_alone


HALF_WAY = [max(1.0, 2.3 - 0.03 * i) + 0.005 * (-1) ** i for i in range(300)]


@pytest.mark.parametrize(
    ("decay", "losses", "sick"),
    [
        (10.0, HALF_WAY, True),
        (1.0, HALF_WAY, False),  # makes it good in passing
        (10.0, [2.3 - 0.005 * i for i in range(300)], False),  # goes on to learn all the same
    ],
)
def test_a_decay_that_takes_as_much_as_steps_give_keeps_a_loss_half_way(decay, losses, sick):
    signs = vitals(losses, weight_decay=decay, learning_rate_peak=3e-3, total_updates=[5e-3] * 10)
    told = [s.evidence for s in examine(signs) if s.problem is P.OVER_REGULARIZED]
    assert bool(told) is sick
    assert not sick or "takes 3.0% off the weights in each step" in told[0]


@pytest.mark.parametrize(
    ("decay", "rate", "by_gradients", "first"),
    [
        (10.0, 3e-3, False, "weight decay"),
        (0.3, 0.1, False, "learning rate"),  # far over what Adam usually takes
        (0.3, 0.1, True, "weight decay"),
    ],
)
def test_the_rate_goes_first_where_it_is_the_rate_that_is_unusual(decay, rate, by_gradients, first):
    signs = vitals(
        HALF_WAY, weight_decay=decay, learning_rate_peak=rate, learning_rate=rate,
        total_updates=[5e-3] * 10, steps_by_gradients=by_gradients,
    )  # fmt: skip
    (told,) = [s for s in examine(signs) if s.problem is P.OVER_REGULARIZED]
    assert first in told.remedies[0].advice
    assert len(told.remedies) == 2


REBUILDS = {
    "objective": Objective(
        "regression", "squared", constant_loss=2.3, target_variance=2.3, of_inputs=True
    ),
    "planned_steps": 500,
}  # fmt: skip
GONE = {"other_terms": [0.9, 0.5, 0.2, 0.1, 0.05] + [0.001] * 25}


def test_an_autoencoder_whose_code_was_given_up_for_another_term():
    symptoms = join_causes(examine(vitals(FLAT, **REBUILDS, **GONE, dead=record(act=[0.1, 1.0]))))
    assert [(s.problem, s.severity) for s in symptoms] == [(P.OVER_REGULARIZED, "critical")]
    assert "there was a term of 0.35 at first. It has fallen to 0.001" in symptoms[0].evidence


def test_data_of_which_nothing_was_learned_for_a_term_that_outweighed_them():
    features = {"objective": replace(REBUILDS["objective"], of_inputs=False), "planned_steps": 500}
    outweighs = {"other_terms": [90.0, 50.0, 20.0, 1.0, 0.5] + [0.001] * 25}
    (symptom,) = join_causes(examine(vitals(FLAT, **features, **outweighs)))
    assert (symptom.problem, symptom.severity) == (P.OVER_REGULARIZED, "critical")
    assert "has fallen to 0.001, and the data loss (2.35) is hardly better" in symptom.evidence
    assert "code" not in symptom.evidence
    stays = {"other_terms": [90.0, 50.0, 20.0, 1.0, 0.5] + [0.2] * 25}
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, **features, **stays))


def test_a_term_that_has_drawn_in_what_the_layers_say():
    features = {"objective": replace(REBUILDS["objective"], of_inputs=False), "planned_steps": 500}
    drawn_in = record(first=[0.08, 0.06, 0.05], second=[0.02, 0.01, 0.006])
    assert P.OVER_REGULARIZED in found(vitals(FLAT, **features, **GONE, variances=drawn_in))
    # What another task has made of them varies more, not less.
    grown = record(first=[0.08, 0.06, 0.05], second=[0.02, 0.04, 0.09])
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, **features, **GONE, variances=grown))


def test_the_same_of_sums_over_a_sample():
    data = FLAT[::10]
    summed = [63 * d + 64 * o for d, o in zip(data, GONE["other_terms"], strict=True)]
    signs = {**REBUILDS, "other_terms": summed}
    (symptom,) = join_causes(examine(vitals(FLAT, **signs)))
    assert symptom.problem == P.OVER_REGULARIZED
    assert "there was a term of 22.34 at first" in symptom.evidence
    # A sum and nothing beside it.
    signs["other_terms"] = [63 * d for d in data]
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, **signs))


@pytest.mark.parametrize(
    "more",
    [
        {"other_terms": [0.01] * 3 + [0.001] * 27},  # that was never much
        {"other_terms": [0.9] * 5 + [0.2] * 25},  # that holds something back
        {"other_terms": []},
        {"objective": replace(REBUILDS["objective"], of_inputs=False)},
        {"objective": replace(REBUILDS["objective"], constant_loss=9.0)},  # learned
        {"planned_steps": 10_000},  # it may come yet
        {"planned_steps": 1_300, "prediction_ranges": [0.0] * 9},
        {"other_terms": [0.9, 0.5, math.inf, 0.1, 0.05] + [0.001] * 25},
    ],
)
def test_what_is_beside_a_reconstruction_is_no_fault(more):
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, **{**REBUILDS, **GONE, **more}))


def test_dropout_that_lets_next_to_nothing_through_costs_most_of_what_could_be_known():
    half = {"data_losses": [1.4] * 30, "planned_steps": 400}
    signs = vitals(FLAT, dropouts=[0.7] * 4, **half)
    (evidence,) = [s.evidence for s in examine(signs) if s.problem is P.OVER_REGULARIZED]
    assert evidence == (
        "With dropout of 0.7 in 4 places the training loss is 1.4, only 39% below that of the best "
        "constant prediction."
    )
    assert P.OVER_REGULARIZED not in found(vitals(FLAT, dropouts=[0.7] * 2, **half))


def drawn(losses, **more):
    """An autoencoder whose code is pulled to nothing by a term beside that was never much."""
    objective = Objective(
        "binary", "bce_logits", constant_loss=0.43, placed_loss=0.35, target_shape=(32, 1, 16, 16),
        of_inputs=True, has_beside=True,
    )  # fmt: skip
    signs = {"objective": objective, "planned_steps": 400, "data_losses": losses[::10], **more}
    return vitals(losses, **{"other_terms": [1e-4] * len(losses[::10]), **signs})


def test_a_code_that_says_nothing_though_the_term_beside_was_small_from_the_start():
    plateau = [0.6] * 20 + [0.351 + 1e-3 * (-1) ** i for i in range(280)]
    (symptom,) = join_causes(examine(drawn(plateau)))
    assert symptom.problem == P.OVER_REGULARIZED
    assert symptom.evidence.startswith("The reconstruction loss is 0.35")
    assert symptom.remedies[0].code == "beta = 1e-3"


@pytest.mark.parametrize(
    "more",
    [
        {"has_beside": False},
        {"of_inputs": False},
        {"placed_loss": 0.45},  # it draws more than the mean
    ],
)
def test_what_is_no_code_or_says_something_is_not_collapsed(more):
    plateau = [0.6] * 20 + [0.351 + 1e-3 * (-1) ** i for i in range(280)]
    objective = replace(drawn(plateau).objective, **more)
    assert P.OVER_REGULARIZED not in found(drawn(plateau, objective=objective))


def test_a_term_beside_that_is_still_there_or_steps_of_no_size_are_no_collapse():
    plateau = [0.6] * 20 + [0.351 + 1e-3 * (-1) ** i for i in range(280)]
    assert P.OVER_REGULARIZED not in found(drawn(plateau, other_terms=[0.02] * 30))
    assert P.OVER_REGULARIZED not in found(drawn(plateau, total_updates=[1e-6] * 10))
    assert P.OVER_REGULARIZED not in found(drawn(plateau, dead=record(code=[1.0] * 5)))
    assert P.OVER_REGULARIZED not in found(drawn(plateau, planned_steps=1000))
    assert P.OVER_REGULARIZED not in found(drawn(plateau, rate_rose=250))


@pytest.mark.parametrize(
    ("rate", "problem"), [(0.95, P.OVER_REGULARIZED), (0.5, P.POOR_INITIALIZATION)]
)
def test_a_first_loss_that_dropout_has_multiplied_is_no_matter_of_the_weights(rate, problem):
    far = [14.0, *[4.0 + 0.1 * (-1) ** i for i in range(299)]]
    (first, *_) = join_causes(examine(vitals(far, dropouts=[rate] * 2)))
    assert first.problem == problem


HELD = {
    "decay_pulls": [1.2, 0.8, 0.8], "weight_decay": 0.05, "growth": 0.7, "planned_steps": 400,
    "total_updates": [4e-3] * 10,
}  # fmt: skip
HIGH = [0.7 + 0.02 * (-1) ** i for i in range(300)]


def test_a_decay_and_gradients_that_hold_each_other():
    (symptom,) = join_causes(examine(vitals(HIGH, **HELD)))
    assert symptom.problem == P.OVER_REGULARIZED
    assert "0.8 times as large as they were in the first steps" in symptom.evidence
    for more in ({"decay_pulls": [0.2, 0.2]}, {"growth": 1.1}, {"planned_steps": 900}):
        assert P.OVER_REGULARIZED not in found(vitals(HIGH, **{**HELD, **more}))
    assert P.OVER_REGULARIZED not in found(vitals(SMALL, **HELD))


@pytest.mark.parametrize("loss", [0.7, 1.0, 1.3])
def test_a_decay_that_holds_more_of_the_loss_is_no_smaller_problem(loss):
    held = [loss + 0.02 * (-1) ** i for i in range(300)]
    signs = {**HELD, "decay_pulls": [0.6] * 5}
    assert found(vitals(held, **signs))[P.OVER_REGULARIZED] == "warning"


def test_steps_that_clipping_cuts_short_are_not_held_by_the_decay():
    signs = {**HELD, "weight_decay": 1e-4, "decay_pulls": [9.0] * 5, "total_updates": [1e-5] * 10}
    short = {"clip_norm": 1e-4, "total_gradients": [2.0, 3.0, 4.0], "steps_by_gradients": True}
    (symptom,) = join_causes(examine(vitals(FLAT, **signs, **short)))
    assert symptom.problem == P.LEARNING_RATE_TOO_LOW
    assert "Clipping scales gradients down" in symptom.evidence
