import math
from dataclasses import replace

import pytest
from helpers.case_notes import diagnosis

from torchvitals.callbacks import Problem
from torchvitals.callbacks.monitoring.recording.record_file import Recorded
from torchvitals.callbacks.reporting.case import Case
from torchvitals.callbacks.reporting.finding import Finding
from torchvitals.callbacks.reporting.note_taking import take_notes
from torchvitals.callbacks.reporting.wording import outcome_of, verdict_of

DEAD = Finding(diagnosis(), 40)
START = Finding(diagnosis(Problem.NOT_LEARNING, "warning", None, 0), 0)
INFO = Finding(diagnosis(Problem.DORMANT_UNITS, "info"), 10)
HEALED = replace(DEAD, withdrawn=90)


@pytest.mark.parametrize(
    ("case", "health", "verdict"),
    [
        (Case(last_step=400, ended=True), "healthy", "Healthy: nothing stands out."),
        (
            Case(last_step=400, ended=True, findings=[INFO, HEALED]),
            "healthy",
            "Healthy: nothing stands out.",
        ),
        (
            Case(last_step=400),
            "unknown",
            "Nothing stands out so far: the end of the run is not recorded.",
        ),
        (
            Case(last_step=400, findings=[DEAD]),
            "critical",
            "1 problem: dead ReLUs in fc2 since step 40.",
        ),
        (
            Case(last_step=400, findings=[START, INFO]),
            "warning",
            "1 problem: not learning from the start.",
        ),
        (
            Case(last_step=9, error="X", findings=[DEAD, START]),
            "critical",
            "2 problems: dead ReLUs in fc2 since step 40; not learning from the start.",
        ),
        (Case(), "unknown", "No verdict: no step is recorded."),
        (
            Case(last_step=29, facts={"planned steps": 100.0}),
            "unknown",
            "Nothing stands out so far: it is too early for a verdict.",
        ),
        (
            Case(last_step=199, facts={"planned steps": "Infinity"}),
            "unknown",
            "Nothing stands out so far: it is too early for a verdict.",
        ),
        (
            Case(first_step=400, last_step=429, facts={"planned steps": 100.0}),
            "unknown",
            "Nothing stands out so far: it is too early for a verdict.",
        ),
        (
            Case(last_step=30, ended=True, facts={"planned steps": 100.0}),
            "healthy",
            "Healthy: nothing stands out.",
        ),
        (
            Case(last_step=400, ended=True, failed=True),
            "unknown",
            "No verdict: the doctor failed and switched itself off.",
        ),
        (
            Case(last_step=400, error="X"),
            "unknown",
            "Nothing stood out before the run was aborted.",
        ),
    ],
)
def test_the_verdict_claims_what_is_known(case, health, verdict):
    assert verdict_of(case) == (health, verdict)
    notes = take_notes(case, [])
    assert (notes.health, notes.verdict) == (health, verdict)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (Case(last_step=1234, ended=True), "Finished after 1,234 steps."),
        (Case(last_step=1, ended=True), "Finished after 1 step."),
        (
            Case(last_step=90, ended=True, facts={"optimiser": "Adam, SGD"}),
            "Finished after 90 steps (steps of 2 optimisers count as one).",
        ),
        (Case(last_step=90, ended=True, facts={"optimiser": "Adam"}), "Finished after 90 steps."),
        (Case(last_step=7), "No end is recorded; the last report is of step 7."),
        (
            Case(last_step=7, ended=True, error="ValueError: why?"),
            "Aborted after 7 steps: ValueError: why?",
        ),
        (
            Case(last_step=7, ended=True, failed=True, findings=[START]),
            "Finished after 7 steps; the doctor failed and switched itself off before that.",
        ),
        (
            Case(last_step=7, ended=True, resumed=[2, 5]),
            "Finished after 7 steps; resumed at step 2, 5.",
        ),
    ],
)
def test_the_end_is_told(case, text):
    assert outcome_of(case) == text


def test_facts_are_in_words():
    facts = {"model": "MLP", "parameters": 1234567.0, "planned steps": "Infinity", "every": 50}
    assert take_notes(Case(facts=facts), []).facts == {
        "model": "MLP",
        "parameters": "1,234,567",
        "planned steps": "unknown",
        "every": "50",
    }


def test_a_score_may_be_no_accuracy():
    case = Case(figures={"accuracy": [(5, 0.5)]}, validations={"validation score": [(5, 0.7)]})
    (chart,) = take_notes(case, []).charts
    assert chart.title == "Score"
    assert [curve.name for curve in chart.curves] == ["accuracy", "validation score"]


def test_every_problem_has_a_name_in_words():
    names = {problem.in_words for problem in Problem}
    assert len(names) == len(Problem)
    assert not any("_" in name for name in names)


def test_what_stands_comes_first_and_the_worst_of_it():
    case = Case(last_step=400, findings=[HEALED, INFO, START, DEAD])
    assert take_notes(case, []).findings == (DEAD, START, INFO, HEALED)


def test_few_losses_are_one_curve_and_many_are_two():
    few = take_notes(Case(losses=[(i, 1.0) for i in range(240)]), []).charts[0]
    assert [curve.style for curve in few.curves] == ["line"]
    many = take_notes(Case(losses=[(i, float(i)) for i in range(1200)]), []).charts[0]
    assert [curve.style for curve in many.curves] == ["faint", "line"]
    assert many.curves[1].name == "training loss, mean of 10 batches"
    assert many.curves[1].values[0] == 4.5


def test_the_best_constant_prediction_is_a_line():
    case = Case(losses=[(0, 1.0)], figures={"constant loss": [(1, 2.2), (9, 2.3)]})
    assert take_notes(case, []).charts[0].reference == (2.3, "best constant prediction")


def recorded():
    monitor = Recorded("GradientNormMonitor", findings={"vanishing": "fc1 gets no gradient."})
    for step, (first, second) in enumerate([(1.0, 2.0), (math.nan, 3.0), (math.nan, math.nan)]):
        record = monitor.records.setdefault("grad_norm", type(monitor.summary)())
        record.add(step, 0, {"fc1": first, "fc2": second})
        total = 3.0 if step < 2 else math.nan
        monitor.summary.add(step, 0, {"grad_norm/total": total})
    return monitor


def test_what_a_total_shows_to_be_not_finite_is_no_gap():
    (shown,) = take_notes(None, [recorded()]).maps
    rows = shown.values.tolist()
    assert shown.layers == ["fc1", "fc2"]
    assert rows[0][0] == 1.0
    assert math.isnan(rows[0][1])
    assert rows[1] == [2.0, 3.0, math.inf]
    assert rows[0][2] == math.inf


def test_monitors_alone_have_no_verdict_but_their_remarks():
    notes = take_notes(None, [recorded()])
    assert (notes.health, notes.remarks) == ("unknown", ("fc1 gets no gradient.",))
    assert notes.outcome == "The monitors recorded the run up to step 2."
    assert [chart.title for chart in notes.charts] == ["Gradient norm"]


def of_layers(quantity, layers):
    monitor = Recorded("Monitor")
    record = monitor.records.setdefault(quantity, type(monitor.summary)())
    record.add(0, 0, {layer: float(place) for place, layer in enumerate(layers)})
    return monitor


def test_all_maps_have_one_order():
    gradients = of_layers("grad_norm", ["embed", "norm", "query", "head"])
    updates = of_layers("update_ratio", ["head", "bias", "query", "embed"])
    first, second = take_notes(None, [updates, gradients]).maps
    assert (first.title, first.layers) == ("Gradient norms", ["embed", "norm", "query", "head"])
    # What the first does not have keeps its place.
    assert second.layers == ["embed", "bias", "query", "head"]
    assert second.values.flatten().tolist() == [3, 1, 2, 0]


def test_several_optimisers_have_a_curve_each():
    monitor = Recorded("GradientNormMonitor")
    monitor.summary.add(0, 0, {"grad_norm/total_1": 2.0, "grad_norm/total_0": 1.0})
    (chart,) = take_notes(None, [monitor]).charts
    assert [(curve.name, curve.values) for curve in chart.curves] == [
        ("layers of optimiser 1", [1.0]), ("layers of optimiser 2", [2.0]),
    ]  # fmt: skip


def test_two_monitors_of_a_kind_have_a_map_each():
    notes = take_notes(None, [recorded(), recorded()])
    assert [shown.title for shown in notes.maps] == ["Gradient norms (1)", "Gradient norms (2)"]


def test_the_run_is_named_after_its_model_and_its_folder(tmp_path):
    case = Case(facts={"model": "MLP", "folder": "logs/version_3"})
    assert take_notes(case, []).title == "MLP in version_3"
    assert take_notes(case, [], folder=tmp_path / "moved").title == "MLP in moved"
    assert take_notes(Case(facts={"model": "MLP"}), []).title == "MLP"
    assert take_notes(None, [], folder=tmp_path / "run").title == "A training run in run"
