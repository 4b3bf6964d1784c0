"""What somebody saw who tried the doctor on trainings of his own."""

import pytest
from helpers.vital_signs import FLAT, found, vitals

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import Objective

UNKNOWN = Objective("classification", "cross_entropy", classes=3)


@pytest.mark.parametrize(
    ("first", "sick"), [([1.0, 1.02, 0.98, 1.0, 1.0], True), ([0.3, 1.9, 0.4, 2.1, 0.3], False)]
)
def test_nobody_knows_where_batches_began_that_differ_as_much(first, sick):
    """As with rare classes of large weights, where a constant's loss is not known either."""
    signs = vitals([*first, *[1.0] * 595], objective=UNKNOWN, planned_steps=600)
    assert (P.NOT_LEARNING in found(signs)) is sick


@pytest.mark.parametrize(
    ("checks", "leaves"),
    [([28.01, 27.90, 27.84, 27.76], False), ([28.0, 27.5, 26.8, 26.0], True)],
)
def test_a_validation_that_creeps_leaves_no_plateau(checks, leaves):
    copies = Objective("regression", "squared", of_inputs=True)
    signs = vitals([28.0] * 600, objective=copies, planned_steps=1000, validation_losses=checks)
    assert signs.would_have_started is not leaves


@pytest.mark.parametrize(("by_gradients", "offered"), [(True, True), (False, False)])
def test_who_has_adam_is_not_told_to_take_it(by_gradients, offered):
    slow = vitals(
        [2.3 - 1e-4 * i for i in range(300)], total_updates=[1e-6] * 30,
        steps_by_gradients=by_gradients,
    )  # fmt: skip
    (symptom,) = [s for s in examine(slow) if s.problem is P.LEARNING_RATE_TOO_LOW]
    assert any("adaptive" in remedy.advice for remedy in symptom.remedies) is offered


def test_time_is_given_only_where_there_is_some():
    early, late = vitals(FLAT), vitals(FLAT, planned_steps=600)
    told = [
        (symptom.severity, any("time" in remedy.advice for remedy in symptom.remedies))
        for signs in (early, late)
        for symptom in examine(signs)
        if symptom.problem is P.INCONSISTENT_LABELS
    ]
    assert told == [("warning", True), ("critical", False)]
