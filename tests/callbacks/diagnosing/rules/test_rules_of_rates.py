"""Steps that were too large, or came to nothing, and what they have left behind."""

import math

import pytest
from helpers.vital_signs import FALLING, FLAT, LN10, SMALL, found, record, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.causes import join_causes
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer, Objective

HURT = {
    "total_updates": [0.2] * 5 + [4e-3] * 10, "planned_steps": 400,
    "validation_losses": [2.6, 2.5, 2.4, 2.35], "training_epoch_losses": [2.4, 2.2, 2.1, 2.0],
}  # fmt: skip
A_BIT = [2.0 + 0.05 * (-1) ** i for i in range(300)]


def test_first_steps_that_were_huge_for_long_explain_what_carries_over_to_nothing():
    symptoms = join_causes(examine(vitals(A_BIT, **HURT)))
    assert [s.problem for s in symptoms] == [P.LEARNING_RATE_TOO_HIGH]
    for more in (
        {"total_updates": [0.2, 0.2, 0.01, 0.01] + [4e-3] * 10},
        {"validation_losses": [2.3, 2.2, 2.1, 2.05]},
        {"fewest_norm_values": 64.0, "planned_steps": 700},
    ):
        assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(A_BIT, **{**HURT, **more}))


DIED = {
    "total_updates": [1e-2, 5e-3, 1e-3, 1e-6, 1e-7, 1e-8, 1e-9, 0.0, 0.0, 0.0],
    "learning_rate": 1e-20, "planned_steps": 320,
}  # fmt: skip
HALF_WAY = [0.65 * LN10 + 0.01 * (-1) ** i for i in range(300)]


def test_a_rate_that_died_in_the_first_third():
    (symptom,) = join_causes(examine(vitals(HALF_WAY, **DIED)))
    assert symptom.problem == P.LEARNING_RATE_TOO_LOW
    assert "from 0.01 to 1e-20" in symptom.evidence
    for more in (
        {"total_updates": [1e-2] * 5 + [1e-9] * 5},
        {"learning_rate": 5e-3},
        {"planned_steps": math.inf},
        {"waits_for_plateau": True},
    ):
        assert P.LEARNING_RATE_TOO_LOW not in found(vitals(HALF_WAY, **{**DIED, **more}))
    most = [0.3 * LN10 + 0.01 * (-1) ** i for i in range(300)]
    assert P.LEARNING_RATE_TOO_LOW in found(vitals(most, **DIED))
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(SMALL, **DIED))


@pytest.mark.parametrize(
    ("update", "planned", "sick"),
    [(4e-4, 2000, False), (4e-4, 550, True), (1e-4, 2000, True), (8e-4, 550, False)],
)
def test_steps_of_modest_length_have_until_half_of_a_training(update, planned, sick):
    falls = [LN10 * (1 - 1e-4 * i) + 0.001 * (-1) ** i for i in range(300)]
    signs = vitals(falls, total_updates=[update] * 10, planned_steps=planned)
    assert (P.LEARNING_RATE_TOO_LOW in found(signs)) is sick


FLUNG = {
    "total_updates": [1.6, 0.6, 0.3] + [1e-4] * 9,
    "first_gradient_profile": [1e-6, 1e-5, 1e-4, 1.0],
    "gradient_profile": {"a": 0.0, "b": 0.0, "c": 0.0, "d": 1e-3},
    "layers": [Layer("a", 9, has_gradient=True)], "dead": record(act=[0.0, 0.95]),
}  # fmt: skip
FLOWN = [2.4, 8e4, 30.0, *[2.6 + 0.01 * (-1) ** i for i in range(297)]]


def test_a_step_that_flung_a_network_comes_before_gradients_that_were_faint():
    (symptom,) = join_causes(examine(vitals(FLOWN, **FLUNG)))
    assert symptom.problem == P.LEARNING_RATE_TOO_HIGH
    softer = [2.4, 200.0, *FLOWN[2:]]
    (symptom,) = join_causes(examine(vitals(softer, **FLUNG)))
    assert symptom.problem == P.VANISHING_GRADIENT


TURNED = {
    "total_updates": [0.3, 0.2, 0.17, 0.14, 0.12] + [0.02] * 20,
    "validation_losses": [2.2, 1.8, 1.5, 1.6, 1.7, 1.75, 1.72],
    "training_epoch_losses": [2.2, 1.9, 1.6, 1.7, 1.75, 1.8, 1.8],
}  # fmt: skip
UP_AGAIN = [1.9 - 0.6 * min(i, 100) / 100 + 0.5 * max(0, i - 100) / 200 for i in range(300)]


def test_large_steps_that_take_both_losses_up_again():
    assert found(vitals(UP_AGAIN, **TURNED))[P.LEARNING_RATE_TOO_HIGH] == "warning"
    for more in (
        {"total_updates": [0.3, 0.2, 0.17, 0.14, 0.12] + [2e-3] * 20},
        {"total_updates": [0.02] * 25},
        {"validation_losses": [2.2, 1.8, 1.5, 1.51, 1.52, 1.53, 1.52]},
        {"data_losses": [0.5] * 30},
    ):
        assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(UP_AGAIN, **{**TURNED, **more}))


UP_AT_FIRST = [2.3, 9.0, 30.0, 50.0, 12.0, 9.0, 8.0]
LARGE_AT_FIRST = {"total_updates": [0.45, 0.33, 0.27, 0.17, 0.1, 0.036]}


@pytest.mark.parametrize(
    ("since", "planned", "reports"),
    [
        ([2.1, 2.4, 2.0, 2.2, 2.1] * 5, 1000, 10),  # back where it began
        ([9 * 0.955**i for i in range(24)], 1000, 10),  # on its way
        ([4.0] * 30, 1000, 2),  # stays above
        ([2.1, 2.4, 2.0, 2.2, 2.1] * 5, 100, 2),  # a third of the training went by for it
    ],
)
def test_a_loss_on_its_way_back_from_the_first_steps_is_waited_for(since, planned, reports):
    losses = [*UP_AT_FIRST, *since]
    signs = vitals(losses, data_losses=losses, planned_steps=planned, **LARGE_AT_FIRST)
    (symptom,) = [s for s in examine(signs) if s.problem is P.LEARNING_RATE_TOO_HIGH]
    assert symptom.reports == reports


PLATEAU = [2.31] * 220 + [2.31 - 0.004 * i for i in range(80)]
HASTY = {"total_updates": [0.37, 0.25, 0.18, 0.15, 0.12, 0.02, 0.01, 0.01], "planned_steps": 320}


def test_half_of_a_training_lost_to_huge_steps_is_not_forgotten_once_it_falls():
    signs = vitals(PLATEAU, data_losses=PLATEAU[::10], **HASTY)
    assert found(signs)[P.LEARNING_RATE_TOO_HIGH] == "warning"
    gentle = {**HASTY, "total_updates": [1e-3] * 8}
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(PLATEAU, **gentle))
    learned = [*PLATEAU[:150], *[1.0] * 150]
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(learned, **HASTY))


def test_weights_that_grew_for_nothing_were_led_away():
    forgetful = {"time_profile": [0.0, 1e-9, 1e-6, 1e-3, 1.0] * 2, "recurrent": True}
    signs = {"total_updates": [0.012, *[0.008] * 7, 0.03, 0.02], "planned_steps": 400, **forgetful}
    (symptom, *_) = join_causes(examine(vitals(FLAT, growth=3.6, **signs)))
    assert symptom.problem is P.LEARNING_RATE_TOO_HIGH
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(FLAT, growth=1.6, **signs))
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(FALLING, growth=3.6, **signs))


WORSE_AGAIN = [
    *[0.6 + 0.01 * (-1) ** i for i in range(100)],
    *[1.9 + 0.05 * (-1) ** i for i in range(200)],
]


@pytest.mark.parametrize(("growth", "sick"), [(12.0, True), (1.2, False), (math.nan, False)])
def test_steps_are_short_beside_weights_that_they_have_made_long(growth, sick):
    signs = vitals(WORSE_AGAIN, total_updates=[0.05] * 3 + [6e-3] * 12, growth=growth)
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


WARMING = {
    "total_updates": [1e-6, 4e-6, 1e-5, 2e-5, 4e-5], "planned_steps": 400,
    "learning_rate": 2e-5, "learning_rate_peak": 2e-5, "learning_rate_given": 3e-3,
}  # fmt: skip


FALLS = [LN10 - 0.0055 * i for i in range(300)]


def test_a_warm_up_that_will_not_end():
    """The loss falls well all the same."""
    signs = vitals(FALLS, **WARMING)
    assert signs.step == 300
    (symptom,) = join_causes(examine(signs))
    assert (symptom.problem, symptom.severity) == (P.LEARNING_RATE_TOO_LOW, "warning")
    assert "reached a learning rate of 2e-05 (of 0.003)" in symptom.evidence
    assert '"interval": "step"' in symptom.remedies[0].code


@pytest.mark.parametrize(
    "otherwise",
    [
        {"planned_steps": 3000},  # it may end yet
        {"learning_rate": 1.9e-5},  # it has ended
        {"learning_rate_given": 1e-4},
        {"total_updates": [1e-4, 5e-4, 1e-3]},  # of a rate of 1, that Noam's schedule is given
        {"learning_rate_given": math.nan},
    ],
)
def test_a_warm_up_that_is_none_of_it(otherwise):
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(FALLS, **{**WARMING, **otherwise}))


def test_a_warm_up_that_has_done():
    assert not found(vitals([LN10 * 0.95**i for i in range(300)], **WARMING))


CRAWLS = [LN10 - 0.06 * i / 300 + 0.003 * (-1) ** i for i in range(300)]
EBBS = {
    "total_updates": [4.6e-3, 3.4e-3, 2.7e-3, 2.3e-3] + [4e-4] * 20, "planned_steps": 400,
    "validation_losses": [2.29, 2.28, 2.27, 2.26, 2.25],
    "training_epoch_losses": [2.29, 2.28, 2.27, 2.26, 2.25],
}  # fmt: skip


def test_steps_that_an_optimiser_makes_shorter_and_shorter():
    (symptom,) = join_causes(examine(vitals(CRAWLS, **EBBS)))
    assert symptom.problem == P.LEARNING_RATE_TOO_LOW
    for more in (
        {"planned_steps": 900},  # it has the longer part before it
        {"total_updates": [4.6e-3] * 4 + [8e-4] * 20, "planned_steps": 500},
        {"total_updates": [4.6e-3] * 4 + [1.2e-3] * 20},
        {"validation_losses": [2.29, 2.25, 2.26, 2.26, 2.26]},
    ):
        assert P.LEARNING_RATE_TOO_LOW not in found(vitals(CRAWLS, **{**EBBS, **more}))
    assert P.LEARNING_RATE_TOO_LOW not in found(vitals(FALLING, **EBBS))


def test_steps_that_are_short_until_the_end_with_hardly_anything_learned():
    signs = vitals(CRAWLS, **{**EBBS, "total_updates": [4.6e-3] * 4 + [8e-4] * 20})
    (symptom,) = join_causes(examine(signs))
    assert symptom.problem == P.LEARNING_RATE_TOO_LOW


PERSISTENT = [0.6 - 0.008 * i / 300 + 0.03 * (-1) ** i for i in range(300)]
MOTIONLESS = {
    "objective": Objective("regression", "squared", constant_loss=1.0, target_variance=1.0),
    "total_updates": [2e-5] * 10, "planned_steps": 700,
    "training_epoch_losses": [0.6 - 0.001 * i for i in range(8)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "more", "sick"),
    [
        (PERSISTENT, {}, True),
        (PERSISTENT, {"training_epoch_losses": [0.6, 0.599, 0.6, 0.599] * 2}, False),  # done
        (PERSISTENT, {"training_epoch_losses": [0.6, 0.599, 0.598]}, False),  # too few to tell
        (PERSISTENT, {"total_updates": [2e-4] * 10}, False),
        ([loss + 0.3 * 0.98**i for i, loss in enumerate(PERSISTENT)], {}, False),  # has learned
    ],
)
def test_what_began_below_the_baseline_has_learned_nothing_yet(losses, more, sick):
    signs = vitals(losses, **{**MOTIONLESS, **more})
    assert (P.LEARNING_RATE_TOO_LOW in found(signs)) is sick


@pytest.mark.parametrize(
    ("update", "loss", "sick"),
    [(5e-5, 0.88, True), (2e-4, 0.88, False), (5e-5, 0.7, False)],
)
def test_all_steps_together_that_are_a_twentieth_of_the_weights(update, loss, sick):
    losses = [loss + 0.03 * (-1) ** i for i in range(300)]
    signs = vitals(losses, **{**MOTIONLESS, "total_updates": [update] * 10})
    assert (P.LEARNING_RATE_TOO_LOW in found(signs)) is sick


def _first_steps(size):
    """Weight layers, and how long the first steps were beside each of them."""
    return {
        "layers": [Layer("a", 9, has_gradient=True), Layer("b", 9, has_gradient=True)],
        "updates": record(a=[size] * 5, b=[size] * 5),
    }


LOST = {
    "validation_losses": [1.6, 0.9, 1.3, 1.5, 1.4, 1.6],
    "training_epoch_losses": [1.8, 1.1, 1.3, 1.4, 1.4, 1.4],
    "planned_steps": 400, "total_updates": [0.07] * 3 + [9e-3] * 12, **_first_steps(0.25),
}  # fmt: skip
WORSE_SINCE = [
    *[2.3 - 0.012 * i for i in range(100)],
    *[1.1 + 0.002 * i for i in range(150)],
    *[1.4 + 0.01 * (-1) ** i for i in range(50)],
]


def test_what_validation_knew_once_and_training_did_too():
    assert found(vitals(WORSE_SINCE, **LOST))[P.LEARNING_RATE_TOO_HIGH] == "warning"
    for more in (
        _first_steps(0.02),
        {"planned_steps": 1000},  # not half of it
        {"validation_losses": [1.6, 0.9, 1.0, 0.95, 0.93, 0.94]},  # a bit of noise
        {"validation_losses": [1.6, 0.9, 1.3, 1.5, 1.4, 0.92]},  # it came back
        {"validation_losses": [1.6, 1.5, 1.4, 1.3, 0.9, 1.5]},  # just now
    ):
        assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(WORSE_SINCE, **{**LOST, **more}))


def test_validation_that_alone_gets_worse_is_over_fitting():
    by_heart = [2.3 * 0.99**i for i in range(300)]
    assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(by_heart, **LOST))


LITTLE = [2.1 + 0.05 * (-1) ** i for i in range(300)]
REPLACED = {
    "planned_steps": 400, "growth": 2.6, "total_updates": [0.08] * 5 + [6e-3] * 12,
    **_first_steps(0.12),
}  # fmt: skip


def test_weights_that_the_first_steps_replaced_and_that_learn_little():
    assert found(vitals(LITTLE, **REPLACED))[P.LEARNING_RATE_TOO_HIGH] == "warning"
    for more in (
        {"growth": 1.3},
        {"planned_steps": 1000},
        {"data_losses": [1.0] * 30},
        _first_steps(0.03),
        {"total_updates": [0.02] * 5 + [6e-3] * 12},
    ):
        assert P.LEARNING_RATE_TOO_HIGH not in found(vitals(LITTLE, **{**REPLACED, **more}))


@pytest.mark.parametrize(("growth", "sick"), [(3.3, False), (5.0, True)])
def test_a_loss_that_falls_is_given_time_unless_the_weights_are_four_times_as_long(growth, sick):
    falls = [2.25 - 0.001 * i + 0.01 * (-1) ** i for i in range(300)]
    signs = vitals(falls, **{**REPLACED, "growth": growth})
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


@pytest.mark.parametrize(("drawn", "vanished"), [(0.0, False), (0.58, True)])
def test_a_last_layer_of_zeros_lets_no_gradient_through_at_first(drawn, vanished):
    head = Layer("head", 9, has_gradient=True, is_last=True, weight_gain=drawn)
    profile = [0.0, 0.0, 0.0, 1.0]
    signs = vitals(FLAT, first_gradient_profile=profile, layers=[Layer("a", 9), head])
    assert signs.vanished_from_the_start is vanished


@pytest.mark.parametrize(("share", "vanished"), [(0.58, True), (0.8, False)])
def test_some_units_are_dead_at_first_where_a_signal_has_shrunk_to_nothing(share, vanished):
    more = {"first_gradient_profile": [1e-9, 1e-6, 1e-3, 1.0], "layers": [Layer("a", 9)]}
    signs = vitals(FLAT, dead=record(relu=[share, share, share]), **more)
    assert signs.vanished_from_the_start is vanished


# Every twentieth batch is far below zero, and three are in the eleventh of twenty windows.
LUCKY = [
    -1.5 if i % 20 == 7 or i in (154, 158, 162) else 0.6 + 0.05 * (-1) ** i for i in range(300)
]
WORSE = [0.9 if i > 240 else 0.4 - 0.02 * (150 <= i < 165) for i in range(300)]


@pytest.mark.parametrize(
    ("losses", "batch", "sick"),
    [
        (LUCKY, {"batch_size": 64}, False), (LUCKY, {"batch_size": 1}, True),
        (LUCKY, {"batch_size": 8, "ranks": 8}, False),
        (LUCKY, {"batch_size": 0}, False),  # of an unknown size, as from a batch sampler
        (WORSE, {"batch_size": 64}, True), (WORSE, {"batch_size": 1}, True),
    ],
)  # fmt: skip
def test_a_best_window_of_a_few_lucky_batches_is_nothing_to_lose(losses, batch, sick):
    nothing = Objective()
    signs = vitals(losses, objective=nothing, data_losses=[], total_updates=[0.02] * 12, **batch)
    assert (P.LEARNING_RATE_TOO_HIGH in found(signs)) is sick


STALLED = [1.9 + 0.1 * (-1) ** i for i in range(300)]
SWINGING = {
    "validation_losses": [1.9, 1.7, 2.0, 1.8, 2.1, 1.75, 1.95], "total_updates": [8e-3] * 12,
    "training_epoch_losses": [1.9] * 7, "planned_steps": 400,
}  # fmt: skip


RARE = Objective(
    "classification", "cross_entropy", classes=10, constant_loss=LN10,
    target_counts=[300.0] + [10.0] * 9,
)  # fmt: skip


@pytest.mark.parametrize(
    ("losses", "more", "sick"),
    [
        (STALLED, {}, True),
        (STALLED, {"total_updates": [4e-3] * 12}, False),
        (STALLED, {"validation_losses": [1.9, 1.85, 1.9, 1.84, 1.9, 1.86, 1.9]}, False),
        (STALLED, {"validation_losses": [1.9, 1.7, 2.0, 1.8, 2.1]}, False),
        (STALLED, {"planned_steps": 1000}, False),
        (STALLED, {"objective": RARE}, False),  # which makes it go up and down
        ([2.3 - 0.002 * i for i in range(300)], {}, False),
        ([1.5 + 0.1 * (-1) ** i for i in range(300)], {}, False),  # a third is learned
    ],
)
def test_large_steps_that_make_the_validation_loss_jump(losses, more, sick):
    signs = found(vitals(losses, **{**SWINGING, **more}))
    assert (P.LEARNING_RATE_TOO_HIGH in signs) is sick
