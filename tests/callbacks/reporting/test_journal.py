import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.case_notes import diagnosis

from torchvitals.callbacks import Problem
from torchvitals.callbacks.monitoring.recording.json_lines import read_json_lines
from torchvitals.callbacks.reporting.case import read_case
from torchvitals.callbacks.reporting.finding import Finding
from torchvitals.callbacks.reporting.journal import Journal

DEAD = diagnosis()
DEAD = replace(DEAD, measurements={"dead_share": 0.99})
PLAIN = {
    "problem": "dead_relu", "severity": "info", "layer": None, "step": 3, "epoch": 0,
    "evidence": "", "measurements": {}, "remedies": [],
}  # fmt: skip
UNSTABLE = replace(DEAD, problem=Problem.UNSTABLE_LOSS, severity="warning", layer=None)


def started(path=None, **settings):
    journal = Journal()
    journal.start(0, resumed=False, path=path, **settings)
    return journal


def test_the_file_tells_what_the_journal_holds(tmp_path):
    path = tmp_path / "vitals" / "TrainingDoctor.jsonl"
    journal = started(path)
    journal.note({"model": "MLP", "planned steps": math.inf})
    journal.note({"model": "MLP"})
    journal.report(4, 0, [2.0, 1.5, math.nan, -math.inf], {"learning rate": 0.1})
    journal.validate(4, 0, {"validation loss": 1.25})
    journal.diagnose(4, [DEAD])
    journal.report(6, 1, [2.0, 1.5, math.nan, -math.inf, 1.0, 0.5], {"learning rate": 0.2})
    journal.diagnose(6, [])
    journal.end(6)
    case = read_case(read_json_lines(path))
    assert repr(case) == repr(read_case(journal.entries))
    steps, losses = zip(*case.losses, strict=True)
    assert steps == (0, 1, 2, 3, 4, 5)
    assert losses == pytest.approx((2.0, 1.5, math.nan, -math.inf, 1.0, 0.5), nan_ok=True)
    assert case.figures == {"learning rate": [(4, 0.1), (6, 0.2)]}
    assert case.validations == {"validation loss": [(4, 1.25)]}
    assert [(f.diagnosis, f.since, f.withdrawn) for f in case.findings] == [(DEAD, 4, 6)]
    assert case.facts["model"] == "MLP"
    assert float(case.facts["planned steps"]) == math.inf
    assert (case.last_step, case.last_epoch, case.ended, case.error) == (6, 1, True, None)


def test_each_line_is_on_the_disk_at_once_and_is_strict_json(tmp_path):
    journal = started(tmp_path / "file")
    journal.report(1, 0, [math.nan], {"accuracy": math.inf})

    def refuse(constant):
        raise AssertionError(constant)

    lines = [
        json.loads(line, parse_constant=refuse)
        for line in (tmp_path / "file").read_text().splitlines()
    ]
    assert lines == journal.entries


def test_a_torn_line_costs_only_itself(tmp_path):
    path = tmp_path / "file"
    journal = started(path)
    journal.report(1, 0, [2.0], {})
    journal.report(2, 0, [2.0, 1.0], {})
    path.write_bytes(path.read_bytes()[:-9] + b"\xc3")
    assert read_case(read_json_lines(path)).losses == [(0, 2.0)]
    other = Journal()
    other.start(1, resumed=True, path=path)
    other.report(2, 0, [0.5], {})
    assert read_case(read_json_lines(path)).losses == [(0, 2.0), (1, 0.5)]


def test_losses_of_accumulated_batches_share_their_step():
    journal = started()
    journal.report(2, 0, [1.0, 2.0, 3.0, 4.0], {})
    assert [step for step, _ in read_case(journal.entries).losses] == [0, 0.5, 1, 1.5]


def test_a_report_of_nothing_new_is_not_written():
    journal = started()
    journal.report(0, 0, [], {})
    journal.report(2, 0, [1.0, 1.0], {})
    journal.report(2, 0, [1.0, 1.0], {})
    assert [entry.get("report") for entry in journal.entries] == [None, 2]


@pytest.mark.parametrize(
    ("severities", "since", "changed"),
    [
        (["critical", "critical"], 0, None),
        (["warning", "critical", "critical"], 0, 1),
        (["critical", "critical", "warning", "warning"], 0, 2),
        (["info", "warning", "warning"], 1, None),
        (["info", "warning", "critical"], 1, 2),
        (["warning", "critical", "warning", "warning"], 0, 2),
    ],
)
def test_a_diagnosis_that_changes_is_one_finding(severities, since, changed):
    journal = started()
    for step, severity in enumerate(severities):
        journal.diagnose(step, [replace(DEAD, severity=severity)])
    (finding,) = read_case(journal.entries).findings
    assert finding.diagnosis.severity == severities[-1]
    assert (finding.since, finding.changed, finding.stands) == (since, changed, True)


def test_a_diagnosis_is_written_when_it_changes():
    journal, worse = started(), replace(DEAD, evidence="All are dead.")
    strange = replace(UNSTABLE, measurements={"swing": math.nan})
    for step, standing in enumerate(
        [[DEAD], [DEAD, strange], [worse, strange], [worse, strange], [strange], [DEAD, strange]]
    ):
        journal.diagnose(step, standing)
    kinds = [next(iter(entry)) for entry in journal.entries]
    assert kinds == ["start", "diagnosis", "diagnosis", "diagnosis", "withdrawn", "diagnosis"]
    found = [
        (f.diagnosis.evidence, f.since, f.withdrawn) for f in read_case(journal.entries).findings
    ]
    assert found == [
        ("All are dead.", 0, 4),
        (strange.evidence, 1, None),
        (DEAD.evidence, 5, None),
    ]


@pytest.mark.parametrize("same_folder", [True, False])
@pytest.mark.parametrize("with_state", [True, False])
def test_a_resumed_run_goes_on_from_its_checkpoint(tmp_path, same_folder, with_state):
    first = started(tmp_path / "first")
    first.report(2, 0, [4.0, 3.0], {"accuracy": 0.1})
    first.validate(2, 0, {"validation loss": 3.5})
    first.diagnose(2, [DEAD])
    state = (first if with_state else Journal()).state_dict()
    torch.save(state, tmp_path / "state")
    # These steps are done again.
    first.report(4, 0, [4.0, 3.0, 2.0, 1.0], {"accuracy": 0.2})
    first.validate(4, 0, {"validation loss": 9.0})
    first.diagnose(4, [UNSTABLE])

    path = tmp_path / ("first" if same_folder else "second")
    second = Journal()
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    second.start(2, resumed=True, path=path)
    second.report(4, 1, [2.5, 1.5], {"accuracy": 0.3})
    second.diagnose(4, [UNSTABLE])
    second.end(4)
    knows = same_folder or with_state
    for entries in (second.entries, read_json_lines(path)):
        case = read_case(entries)
        earlier = [(0, 4.0), (1, 3.0)] if knows else []
        assert case.losses == [*earlier, (2, 2.5), (3, 1.5)]
        assert case.figures["accuracy"] == [(2, 0.1)] * knows + [(4, 0.3)]
        assert case.validations == ({"validation loss": [(2, 3.5)]} if knows else {})
        found = [(f.diagnosis.problem, f.since, f.withdrawn) for f in case.findings]
        dead = [(Problem.DEAD_RELU, 2, 4)] if knows else []
        assert found == [*dead, (Problem.UNSTABLE_LOSS, 4, None)]
        assert case.resumed == [2]


@pytest.mark.parametrize(
    ("before", "after"), [("warning", "critical"), ("warning", "info"), ("info", "warning")]
)
def test_a_resumed_run_does_not_know_what_became_of_a_finding(before, after, tmp_path):
    known = replace(DEAD, severity=before)
    first = started(tmp_path / "file")
    first.diagnose(2, [known])
    state = first.state_dict()
    first.diagnose(4, [replace(known, severity=after, evidence="All are dead.")])
    second = Journal()
    second.load_state_dict(state)
    second.start(3, resumed=True, path=tmp_path / "file")
    second.diagnose(5, [known])
    for entries in (second.entries, read_json_lines(tmp_path / "file")):
        assert read_case(entries).findings == [Finding(known, 2)]


def test_a_fresh_fit_in_the_same_file_starts_anew(tmp_path):
    first = started(tmp_path / "file")
    first.report(2, 0, [4.0, 3.0], {})
    first.diagnose(2, [DEAD])
    first.start(0, resumed=False, path=tmp_path / "file")
    first.report(1, 0, [1.0], {})
    for entries in (first.entries, read_json_lines(tmp_path / "file")):
        case = read_case(entries)
        assert (case.losses, case.findings) == ([(0, 1.0)], [])


def test_a_full_disk_is_one_warning():
    journal = Journal()
    with pytest.warns(UserWarning, match="gave up on its file.*No space left"):
        journal.start(0, resumed=False, path=Path("/dev/full"))
    journal.report(1, 0, [1.0], {})  # a second warning would be an error
    journal.end(1)
    assert read_case(journal.entries).losses == [(0, 1.0)]


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path):
    (tmp_path / "vitals").write_text("not a folder")
    with pytest.warns(UserWarning, match="gave up on its file"):
        journal = started(tmp_path / "vitals" / "file")
    journal.report(1, 0, [1.0], {})
    assert read_case(journal.entries).losses == [(0, 1.0)]


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"report": 3},
        {"report": "3", "since": 0, "epoch": 0, "losses": [], "figures": {}},
        {"diagnosis": {"problem": "of a later release"}, "at": 3},
        {"withdrawn": "dead_relu", "at": 3},
        {"a later kind": 1},
        {"facts": {"model": None}},
        {"report": 3, "since": 0, "epoch": 0, "losses": [1.0, None], "figures": {}},
        {"report": 3, "since": 0, "epoch": 0, "losses": [1.0], "figures": {"accuracy": []}},
        {"report": 10**400, "since": 0, "epoch": 0, "losses": [1.0], "figures": {}},
        {"validation": 3, "epoch": 0, "figures": {"validation loss": 0.5, "other": "high"}},
        {"diagnosis": {"problem": "dead_relu"}, "at": 3},
        {"diagnosis": {"problem": []}, "at": 3},
        {"diagnosis": {**PLAIN, "severity": "grave"}, "at": 3},
        {"diagnosis": {**PLAIN, "remedies": [{"advice": "Rest."}]}, "at": 3},
        {"diagnosis": {**PLAIN, "measurements": {"share": None}}, "at": 3},
        {"end": 3, "error": 7, "failed": False},
    ],
)
def test_entries_of_another_form_are_left_out(entry):
    assert read_case([{"start": 0, "resumed": False}, entry]) == read_case([])


def test_a_damaged_entry_costs_no_other(tmp_path):
    path = tmp_path / "TrainingDoctor.jsonl"
    journal = started(path)
    for step in (1, 2, 3):
        journal.report(step, 0, [1.0] * step, {"accuracy": 0.5})
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("0.5", '"0.5?"')
    path.write_text("\n".join(["[" * 100_000, *lines]))
    case = read_case(read_json_lines(path))
    assert [step for step, _ in case.losses] == [0, 2]
    assert case.figures == {"accuracy": [(1, 0.5), (3, 0.5)]}


class SpeechlessError(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (None, None),
        (SpeechlessError(), "SpeechlessError"),
        (ValueError("no 3"), "ValueError: no 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_the_end_says_what_broke_the_run_off(error, text):
    journal = started()
    journal.end(3, error)
    case = read_case(journal.entries)
    assert (case.ended, case.error, case.last_step) == (True, text, 3)
