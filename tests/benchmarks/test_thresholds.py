import pickle
import sys
from pathlib import Path

import pytest

# Scripts of the clinic import each other by their folder, as those of benchmarks/ do.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "clinic"))
from judge import visit
from recordings import kept_in
from thresholds import REPORTS, Judged, Move, Outcome, both_ways, moves, table

from torchvitals.callbacks.diagnosing.rules import class_imbalance

RARER = Move("class_imbalance", "_MIN_RATIO_TO_BE_RARE", class_imbalance._MIN_RATIO_TO_BE_RARE, 1e9)


def judged(folder, name):
    """What its doctor said in a training, and the training judged again."""
    found = visit(name, 0, folder)
    (path,) = kept_in(folder)
    recording = pickle.loads(path.read_bytes())
    assert (recording.name, recording.accepted) == (name, found.accepted)
    return found, Judged(recording, [report.vitals() for report in recording.reports])


def test_a_recording_gets_the_verdict_of_its_training(tmp_path):
    found, again = judged(tmp_path, "clouds-rare-class")
    assert found.right
    assert again.verdict == "right"


def test_a_healthy_recording_is_well(tmp_path):
    found, again = judged(tmp_path, "wine-z-scored")
    assert not found.flagged
    assert again.verdict == "well"
    assert again.with_moved(RARER) == "well"


def test_a_moved_threshold_changes_the_verdict_and_is_put_back(tmp_path):
    _, again = judged(tmp_path, "clouds-rare-class")
    before = class_imbalance._MIN_RATIO_TO_BE_RARE
    assert again.with_moved(RARER) != "right"
    assert before == class_imbalance._MIN_RATIO_TO_BE_RARE
    assert again.with_moved(Move("class_imbalance", REPORTS, 0, 10_000)) != "right"
    assert (
        again.with_moved(Move("class_imbalance", "_MIN_RATIO_TO_BE_RARE", before, before))
        == "right"
    )


def test_a_threshold_in_a_file_of_a_rules_folder_is_moved(tmp_path):
    _, again = judged(tmp_path, "trip-quantiles-decayed-by-adam")
    moved = {(move.module, move.name): move for move in moves()}
    pull = moved["over_regularized.weight_decay", "_MIN_PULL_TO_HOLD"]
    assert again.verdict == again.with_moved(pull._replace(moved=pull.value)) == "right"
    assert again.with_moved(pull._replace(moved=1e9)) != "right"
    assert again.with_moved(Move("over_regularized", REPORTS, 0, 10_000)) != "right"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.2, [0.2 / 1.3, 0.26]),
        (0.9, [0.87, 1 - 0.1 / 1.3]),
        (4.0, [4 / 1.3, 5.2]),
        (3, [2, 4]),
        (1, [1, 2]),
        (1000, [769, 1300]),
    ],
)
def test_both_ways(value, expected):
    assert both_ways(value) == pytest.approx(expected)
    assert [type(moved) for moved in both_ways(value)] == [type(value)] * 2


def test_every_rule_has_moves():
    # Beside the rules: the vital signs in four files, shared levels in two classes, the history.
    assert len({move.module.split(".")[0] for move in moves()}) == 22 + 7
    assert len(moves()) == len(set(moves()))


def test_table_counts_what_changes():
    first, second = moves()[:2]
    outcomes = [
        Outcome("a", "right", {first: "missed"}),
        Outcome("b", "right", {}),
        Outcome("c", "flagged", {second: "right"}),
        Outcome("d", "well", {first: "false alarm"}),
        Outcome("e", "well", {}),
    ]
    lines = table(outcomes)
    assert lines[0].endswith(f"{len(moves())} moves; 2 of them change a verdict")
    assert lines[1].split()[-1] == "2"
    # With the first: one of three missed, one of two flagged.
    assert lines[2].split()[2:] == ["1.000,", "after", "a", "move", "0.583", "to", "1.000"]
    assert lines[3].split()[3:] == ["0.000,", "after", "a", "move", "0.000", "to", "0.500"]
    assert lines[4].split()[1:] == ["0.667,", "after", "a", "move", "0.333", "to", "1.000"]
    assert lines[5].startswith(f"  {first}")
    assert lines[5].endswith("right -> missed 1, well -> false alarm 1")


def test_a_folder_without_recordings(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"judge\.py --record"):
        kept_in(tmp_path)
