"""Diagnoses are established once, grow worse once, and are withdrawn when they heal."""

import pytest

from torchvitals.callbacks import Problem
from torchvitals.callbacks.diagnosing.causes import CAUSES, join_causes
from torchvitals.callbacks.diagnosing.history import History
from torchvitals.callbacks.diagnosing.symptom import Symptom


def symptom(problem=Problem.DEAD_RELU, severity="warning", reports=2, evidence="Seen."):
    return Symptom(severity, evidence, {"share": 0.5}, reports=reports, problem=problem)


def reports(history, *seen, start=0):
    """Newly said and withdrawn at each report, at steps 10, 20, ... from the start."""
    found = []
    for i, symptoms in enumerate(seen):
        new, gone = history.report(symptoms, start + 10 * (i + 1), i, interval=10)
        found.append(([d.severity for d in new], [d.severity for d in gone]))
    return found


def test_what_lasts_is_said_once():
    history = History()
    assert reports(history, *[[symptom()]] * 4) == [
        ([], []), (["warning"], []), ([], []), ([], []),
    ]  # fmt: skip
    (diagnosis,) = history.diagnoses
    assert (diagnosis.problem, diagnosis.step, diagnosis.epoch) == (Problem.DEAD_RELU, 20, 1)


def test_what_comes_and_goes_is_not_said():
    history = History()
    assert reports(history, *[[symptom()], []] * 4) == [([], [])] * 8


def test_what_was_seen_before_a_checkpoint_counts():
    history, resumed = History(), History()
    assert reports(history, *[[symptom(reports=3)]] * 2) == [([], [])] * 2
    resumed.load_state_dict(history.state_dict())
    assert reports(resumed, [symptom(reports=3)], start=20) == [(["warning"], [])]


def test_what_is_certain_is_said_at_once():
    assert reports(History(), [symptom(reports=1)])[0] == (["warning"], [])


def test_what_is_no_longer_only_worth_knowing_is_said_again():
    history = History()
    mild, bad = symptom(severity="info"), symptom(severity="warning")
    found = reports(history, [mild], [mild], [bad], [bad], [bad], [mild])
    assert [new for new, _ in found] == [[], ["info"], [], ["warning"], [], []]
    assert history.diagnoses[0].step == 40
    assert len(history.announced) == 2


def test_a_warning_that_eases_now_and_then_stays_one():
    history = History()
    mild, bad = symptom(severity="info", reports=1), symptom(reports=1)
    found = reports(history, [bad], [mild], [mild], [bad], [mild], [mild], [bad])
    assert [new for new, _ in found] == [["warning"], *[[]] * 6]
    assert history.diagnoses[0].severity == "warning"


def test_a_warning_that_eases_for_good_is_worth_knowing():
    history = History()
    mild, bad = symptom(severity="info", reports=1), symptom(reports=1)
    found = reports(history, [bad], [mild], [mild], [mild])
    assert found == [(["warning"], []), ([], []), ([], []), ([], ["warning"])]
    (diagnosis,) = history.diagnoses
    assert (diagnosis.severity, diagnosis.step) == ("info", 10)
    found = reports(history, *[[bad]] * 3, *[[mild]] * 3, [bad], start=40)
    assert [new for new, _ in found] == [["warning"], *[[]] * 6]


def test_a_warning_that_becomes_critical_is_said_once_more():
    history = History()
    mild, bad = symptom(reports=1), symptom(severity="critical")
    found = reports(history, [mild], [bad], [bad], [bad], [mild], [mild])
    assert [new for new, _ in found] == [["warning"], [], ["critical"], [], [], []]
    assert [(d.severity, d.step) for d in history.announced] == [("warning", 10), ("critical", 10)]
    assert history.diagnoses[0].severity == "warning"
    # What goes to and fro is not said each time, nor after a checkpoint.
    resumed = History()
    resumed.load_state_dict(history.state_dict())
    for goes_on in (history, resumed):
        assert reports(goes_on, [bad], [bad], start=60) == [([], [])] * 2
        (diagnosis,) = goes_on.diagnoses
        assert (diagnosis.severity, diagnosis.step, diagnosis.epoch) == ("critical", 10, 0)


def test_what_heals_is_withdrawn_and_may_come_again():
    history = History()
    seen = symptom(reports=1)
    found = reports(history, [seen], [], [], [], [], [seen])
    assert found == [
        (["warning"], []), ([], []), ([], []), ([], ["warning"]), ([], []), (["warning"], []),
    ]  # fmt: skip


def report(history, symptoms, number, *, is_poor):
    new, gone = history.report(symptoms, 10 * number, number, interval=10, is_poor=is_poor)
    return [d.problem for d in new], [d.problem for d in gone]


def test_what_stands_alone_stays_while_hardly_anything_is_learned():
    history, rate = History(), Problem.LEARNING_RATE_TOO_HIGH
    report(history, [symptom(rate, reports=1)], 1, is_poor=True)
    for number in range(2, 9):
        assert report(history, [], number, is_poor=True) == ([], [])
    assert report(history, [], 9, is_poor=False) == ([], [rate])


def test_what_stands_makes_way_for_another_that_explains_it():
    history, rate, dead = History(), Problem.LEARNING_RATE_TOO_HIGH, Problem.DEAD_RELU
    report(history, [symptom(dead, reports=1)], 1, is_poor=True)
    report(history, [symptom(rate, reports=1)], 2, is_poor=True)
    assert report(history, [symptom(rate)], 3, is_poor=True) == ([], [])
    assert report(history, [symptom(rate)], 4, is_poor=True) == ([], [dead])


@pytest.mark.parametrize("other", [[], [symptom(Problem.CLASS_IMBALANCE, "info", reports=1)]])
def test_what_is_only_worth_knowing_neither_stays_nor_explains(other):
    history, rate = History(), Problem.LEARNING_RATE_TOO_HIGH
    both = [symptom(reports=1, severity="info"), symptom(rate, reports=1)]
    report(history, both, 1, is_poor=True)
    gone = [report(history, other, number, is_poor=True)[1] for number in range(2, 9)]
    assert gone == [[], [], [Problem.DEAD_RELU], [], [], [], []]
    assert rate in [diagnosis.problem for diagnosis in history.diagnoses]


@pytest.mark.parametrize(("shown", "missed"), [(1, 3), (3, 3), (8, 8), (20, 20), (50, 20)])
def test_what_stood_for_long_takes_as_long_to_be_withdrawn(shown, missed):
    history = History()
    first, *rest = reports(history, *[[symptom(reports=1)]] * shown, *[[]] * (missed - 1))
    assert (first, rest) == ((["warning"], []), [([], [])] * (shown + missed - 2))
    resumed, start = History(), 10 * (shown + missed - 1)
    resumed.load_state_dict(history.state_dict())
    for goes_on in (history, resumed):
        assert reports(goes_on, [], start=start) == [([], ["warning"])]


def test_what_comes_back_counts_from_the_first_time():
    history, seen = History(), [symptom(reports=1)]
    found = reports(history, *[seen] * 3, [], [], [], *[seen] * 2, *[[]] * 5)
    assert [i for i, (new, _) in enumerate(found) if new] == [0, 6]
    assert [i for i, (_, gone) in enumerate(found) if gone] == [5, 12]


def test_figures_are_of_now_and_the_step_of_then():
    history = History()
    reports(history, [symptom(reports=1)], [symptom(reports=1, evidence="Worse.")])
    assert (history.diagnoses[0].evidence, history.diagnoses[0].step) == ("Worse.", 10)


def test_the_worst_come_first():
    history = History()
    reports(
        history,
        [
            symptom(Problem.DEAD_RELU, "info", 1),
            symptom(Problem.OVERFITTING, "warning", 1),
            symptom(Problem.NON_FINITE, "critical", 1),
        ],
    )
    assert [d.severity for d in history.diagnoses] == ["critical", "warning", "info"]


def test_a_cause_takes_the_evidence_of_what_it_explains():
    high = symptom(Problem.LEARNING_RATE_TOO_HIGH, evidence="Large steps.")
    (joined,) = join_causes([symptom(evidence="Half are dead."), high])
    assert joined.problem is Problem.LEARNING_RATE_TOO_HIGH
    assert joined.evidence == "Large steps. Half are dead."
    assert joined.measurements == {"share": 0.5, "dead_relu/share": 0.5}


def test_what_a_cause_tells_itself_and_what_is_only_worth_knowing_is_not_told_again():
    high = symptom(Problem.LEARNING_RATE_TOO_HIGH, evidence="Large steps.")
    plain = symptom(Problem.NOT_LEARNING, evidence="Nothing is learned.")
    mild = symptom(Problem.DORMANT_UNITS, "info", evidence="Some hardly react.")
    (joined,) = join_causes([plain, mild, high])
    assert joined.evidence == "Large steps."


def test_what_is_only_worth_knowing_explains_nothing():
    high = symptom(Problem.LEARNING_RATE_TOO_HIGH, severity="info")
    assert len(join_causes([symptom(), high])) == 2


@pytest.mark.parametrize("cause", list(CAUSES))
def test_no_two_problems_explain_each_other(cause):
    order = list(CAUSES)
    assert cause not in CAUSES[cause]
    for effect in CAUSES[cause]:
        assert effect not in order or order.index(cause) < order.index(effect)


def test_reports_close_together_count_once():
    history = History()
    said = [bool(history.report([symptom()], step, 0, interval=10)[0]) for step in (10, 12, 14, 15)]
    assert said == [False, False, False, True]


def test_reports_close_together_neither_heal_nor_forget():
    history = History()
    history.report([symptom(reports=1), symptom(Problem.OVERFITTING)], 10, 0, interval=10)
    for step in (11, 12, 13, 14):
        assert history.report([], step, 0, interval=10) == ([], [])
    new, gone = history.report([symptom(Problem.OVERFITTING)], 20, 1, interval=10)
    assert ([d.problem for d in new], gone) == ([Problem.OVERFITTING], [])


def test_what_explains_that_nothing_is_learned_stays_while_it_is_so():
    history, plain = History(), symptom(Problem.NOT_LEARNING, "critical", reports=1)
    vanishes = symptom(Problem.VANISHING_GRADIENT, "critical", reports=1)
    history.report([vanishes], 10, 0, interval=10, is_poor=True)
    for step in range(20, 100, 10):
        assert history.report([plain], step, 0, interval=10, is_poor=True) == ([], [])
    (diagnosis,) = history.diagnoses
    assert diagnosis.problem is Problem.VANISHING_GRADIENT
    for step in range(100, 150, 10):
        history.report([], step, 0, interval=10, is_poor=False)
    assert not history.diagnoses


@pytest.mark.parametrize("is_root", [True, False])
def test_a_plain_reason_why_nothing_is_learned_is_said_beside_others(is_root):
    history = History()
    history.report([symptom(Problem.DEAD_RELU, reports=1)], 10, 0, interval=10, is_poor=True)
    blind = Symptom("critical", "Alike.", reports=1, is_root=is_root, problem=Problem.NOT_LEARNING)
    new, _ = history.report([blind], 20, 0, interval=10, is_poor=True)
    assert bool(new) is is_root


@pytest.mark.parametrize("loads", [True, False])
def test_what_was_withdrawn_comes_back_where_nothing_is_learned_after_all(loads):
    history = History()
    history.report([symptom(Problem.INCONSISTENT_LABELS, reports=1)], 10, 0, interval=10)
    said = []
    # It looks as if something was learned for a while.
    poor = [False] * 4 + [True] * 2 + [False] + [True] * 4
    for step, is_poor in enumerate(poor, 2):
        if loads:
            state = history.state_dict()
            history = History()
            history.load_state_dict(state)
        new, gone = history.report([], 10 * step, 0, interval=10, is_poor=is_poor)
        said += [(step, bool(new), bool(gone))] if new or gone else []
    assert said == [(4, False, True), (11, True, False)]
    (diagnosis,) = history.diagnoses
    assert (diagnosis.problem, diagnosis.step) == (Problem.INCONSISTENT_LABELS, 10)
    assert len(history.announced) == 2


def test_what_was_withdrawn_does_not_come_back_beside_others():
    history, known = History(), symptom(Problem.DEAD_RELU, reports=1)
    history.report([symptom(Problem.VANISHING_GRADIENT, reports=1)], 10, 0, interval=10)
    for step in range(20, 100, 10):
        history.report([known], step, 0, interval=10, is_poor=step > 40)
    assert [d.problem for d in history.diagnoses] == [Problem.DEAD_RELU]
