import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

# Scripts of the clinic import each other by their folder, as those of benchmarks/ do.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "clinic"))
import judge
from all_cases import CASES, FAULTY, HEALTHY, named
from case import CODES, Case, Goal
from judge import Visit, visit
from modules import LitClassifier, mlp
from peers import PeerRules
from verify import RESULTS, holds, known_rows, scores

FAST = [case for case in CASES if case.fast]
REACHED, MISSED = 0.95, 0.5


def names(cases):
    return [case.name for case in cases]


def test_there_are_enough_cases_of_each_kind():
    assert len(FAULTY) >= 60
    assert len(HEALTHY) >= 60
    assert all(case.problems and case.remedy for case in FAULTY)
    assert not any(case.problems or case.remedy or case.sometimes for case in HEALTHY)
    assert len({case.name for case in CASES}) == len(CASES)


def test_each_problem_is_the_first_of_two_cases():
    first = Counter(case.problems[0] for case in FAULTY)
    assert {code: first[code] for code in CODES if first[code] < 2} == {}
    assert {code for case in FAULTY for code in case.problems} <= set(CODES)


def test_each_side_of_the_split_has_every_problem_and_about_half_of_the_cases():
    for side in ("setting", "judging"):
        problems = {case.problems[0] for case in FAULTY if case.split == side}
        assert set(CODES) - problems == set()
        for kind in (FAULTY, HEALTHY):
            assert 0.4 < sum(case.split == side for case in kind) / len(kind) < 0.6


def test_the_committed_labels_hold_and_are_of_these_goals():
    rows = known_rows()
    assert "DOES NOT HOLD" not in RESULTS.read_text()
    for case in CASES:
        for row in rows.get(case.name, ()):
            assert f" {case.goal} " in row


def weights(program):
    return program.module.state_dict()


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_a_seed_gives_a_program(case):
    for build in (case.train, case.cure) if case.problems else (case.train,):
        torch.testing.assert_close(weights(build(1)), weights(build(1)), rtol=0, atol=0)


def test_another_seed_gives_other_weights():
    (case,) = named(["digits-plain"])
    first, second = (weights(case.train(seed))["network.0.weight"] for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("case", FAST, ids=names(FAST))
def test_label_holds_and_the_doctor_is_right(case):
    cured = scores(case, 1, cured=True) if case.problems else []
    found = visit(case.name, 0)
    assert holds(case, [found.score], cured)
    assert found.right if case.problems else not found.flagged


@pytest.mark.parametrize(
    ("score", "reached"),
    [(0.9, True), (0.8, True), (0.79, False), (float("nan"), False), (float("inf"), False)],
)
def test_goal_at_least(score, reached):
    assert Goal("accuracy", at_least=0.8).reached(score) is reached


@pytest.mark.parametrize(
    ("score", "reached"), [(0.8, True), (0.81, False), (-5.0, True), (float("-inf"), False)]
)
def test_goal_at_most(score, reached):
    assert Goal("loss", at_most=0.8).reached(score) is reached


@pytest.mark.parametrize(
    ("sometimes", "found", "cured", "verdict"),
    [
        (False, [MISSED, MISSED, MISSED], [REACHED] * 3, True),
        (False, [MISSED, MISSED, REACHED], [REACHED] * 3, True),
        (False, [MISSED, REACHED, REACHED], [REACHED] * 3, False),
        (True, [MISSED, REACHED, REACHED], [REACHED] * 3, True),
        (True, [REACHED, REACHED, REACHED], [REACHED] * 3, False),
        (False, [MISSED, MISSED, MISSED], [REACHED, REACHED, MISSED], False),
    ],
)
def test_when_a_faulty_label_holds(sometimes, found, cured, verdict):
    goal = Goal("accuracy", at_least=0.9)
    case = Case("faulty", goal, lambda: None, ("dead_relu",), lambda: None, sometimes)
    assert holds(case, found, cured) is verdict


@pytest.mark.parametrize(("found", "verdict"), [([REACHED] * 2, True), ([REACHED, MISSED], False)])
def test_when_a_healthy_label_holds(found, verdict):
    case = Case("healthy", Goal("accuracy", at_least=0.9), lambda: None)
    assert holds(case, found, []) is verdict


def test_a_healthy_case_has_no_cure():
    with pytest.raises(ValueError, match="'digits-plain' is healthy"):
        named(["digits-plain"])[0].cure(0)


def test_names_are_looked_up():
    with pytest.raises(ValueError, match="nobody"):
        named(["digits-plain", "nobody"])
    assert named([]) == list(CASES)


def test_runs_of_new_cases_are_kept_one_after_another(tmp_path, monkeypatch):
    def well(name, seed, record):
        return Visit(name, "judging", seed, (), (), (), 0.0, 0.0, 1.0, {})

    monkeypatch.setattr(judge, "visit", well)
    monkeypatch.setattr(judge, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(judge, "RESULTS", tmp_path / "clinic.txt")
    monkeypatch.setattr(sys, "argv", ["judge.py", "--unseen", "--cases", "digits-plain"])
    for runs in (1, 2):
        judge.main()
        kept = (tmp_path / "clinic_unseen.txt").read_text()
        assert kept.count("New cases, before any rule was changed for them\n") == runs
    assert not (tmp_path / "clinic.txt").exists()


@pytest.mark.parametrize("layer", [0, -1])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_each_peer_says_that_a_gradient_is_not_finite(layer, value):
    module, rules = LitClassifier(mlp([2, 3, 3, 2])), PeerRules()
    matrices = [p for p in module.parameters() if p.ndim > 1]
    for matrix in matrices:
        matrix.grad = torch.ones_like(matrix)
    matrices[layer].grad[0, 0] = value
    rules.on_before_optimizer_step(SimpleNamespace(global_step=0), module, None)
    assert rules.said == {
        "SageMaker": {"non_finite"},
        "AUTOTRAINER": {"exploding_gradient"},
        "DeepDiagnosis": {"non_finite"},
    }
