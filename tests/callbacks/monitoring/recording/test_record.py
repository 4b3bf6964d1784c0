import math

import pytest
import torch

from torchvitals.callbacks.monitoring.recording.record import Record
from torchvitals.callbacks.monitoring.recording.record_file import RecordFile, read_record_file

NAN = float("nan")


def test_a_layer_that_comes_or_goes_leaves_gaps():
    record = Record()
    record.add(3, 0, {"a": 1.0})
    record.add(7, 1, {"a": 2.0, "b": 3.0})
    record.add(11, 1, {"b": 4.0})
    assert record.steps == [3, 7, 11]
    assert record.epochs == [0, 1, 1]
    assert record.last == {"a": 2.0, "b": 4.0}
    assert str(record.history) == str({"a": [1.0, 2.0, NAN], "b": [NAN, 3.0, 4.0]})


def test_two_reports_of_one_step_make_one_row():
    record = Record()
    record.add(5, 0, {"generator": 1.0})
    record.add(5, 0, {"critic": 2.0})
    assert record.steps == [5]
    assert record.history == {"generator": [1.0], "critic": [2.0]}


@pytest.mark.parametrize(("reports", "layers"), [(2_001, 1), (10_001, 3), (40, 150_000)])
def test_a_long_record_keeps_its_last_row_and_stays_small(reports, layers):
    record = Record()
    for step in range(reports):
        record.add(step, 0, dict.fromkeys(map(str, range(layers)), float(step)))
    assert record.steps[-1] == reports - 1
    assert len(record.steps) <= 2_000
    assert record.table.numel() <= 2_000_000 + layers
    assert record.table[0].tolist() == list(map(float, record.steps))


def test_state_is_of_plain_types_and_brings_everything_back(tmp_path):
    record, other = Record(), Record()
    record.add(3, 0, {"a": 1.0})
    record.add(7, 1, {"b": math.inf})
    torch.save(record.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    other.add(9, 1, {"a": 0.5})
    record.add(9, 1, {"a": 0.5})
    assert str(other.history) == str(record.history)
    assert (other.steps, other.epochs, other.last) == (record.steps, record.epochs, record.last)


def test_reports_of_one_step_that_a_file_has_make_one_row(tmp_path):
    file = RecordFile(tmp_path / "record.jsonl")
    file.start("Monitor", resumed=False)
    for layer, value in (("generator", 1.0), ("critic", 2.0)):
        file.report(5, 0, {"norm": {layer: value}}, {f"norm/{layer}": value})
    file.start("Monitor", resumed=True)
    file.report(7, 0, {"norm": {"generator": 3.0}}, {})
    file.report(5, 0, {"norm": {"critic": 4.0}}, {})
    file.close()
    found = read_record_file(file.path)
    # What was done again counts as it was then.
    assert found.records["norm"].steps == [5, 7]
    assert str(found.records["norm"].history) == str(
        {"critic": [4.0, NAN], "generator": [NAN, 3.0]}
    )


def test_two_optimisers_of_a_step_are_both_in_the_file(tmp_path):
    file = RecordFile(tmp_path / "record.jsonl")
    file.start("Monitor", resumed=False)
    for step in (5, 7):
        for layer, value in (("generator", 1.0), ("critic", 2.0)):
            file.report(step, 0, {"norm": {layer: value}}, {f"norm/{layer}": value})
    file.close()
    found = read_record_file(file.path)
    assert found.records["norm"].history == {"generator": [1.0, 1.0], "critic": [2.0, 2.0]}
    assert found.summary.history == {"norm/generator": [1.0, 1.0], "norm/critic": [2.0, 2.0]}


def written(path, resumed=False, steps=(3, 7)):
    file = RecordFile(path)
    file.start("Monitor", resumed)
    for step in steps:
        values = {"norm": {"a": step / 3, 'b"<': NAN}, "share": {"a": -math.inf}}
        file.report(step, step // 5, values, {"norm/total": math.inf})
    return file


def test_a_file_brings_back_what_was_reported(tmp_path):
    file = written(tmp_path / "deep" / "record.jsonl")
    file.finding("dead", "a is dead")
    file.report(9, 1, {"norm": {"c": 1e-30}}, {})
    file.close()
    found = read_record_file(file.path)
    assert found.monitor == "Monitor"
    assert found.findings == {"dead": "a is dead"}
    assert found.records["norm"].steps == [3, 7, 9]
    assert found.records["norm"].epochs == [0, 1, 1]
    assert found.records["norm"].history["a"][:2] == pytest.approx([1.0, 7 / 3], rel=1e-8)
    assert found.records["norm"].last["c"] == 1e-30
    assert math.isnan(found.records["norm"].history['b"<'][0])
    assert found.records["share"].history == {"a": [-math.inf, -math.inf]}
    assert found.summary.history["norm/total"][:2] == [math.inf, math.inf]


@pytest.mark.parametrize("lost", range(2, 60, 7))
def test_a_file_cut_off_by_a_crash_is_read_as_far_as_it_goes_and_can_go_on(lost, tmp_path):
    path = tmp_path / "record.jsonl"
    written(path).close()
    path.write_bytes(path.read_bytes()[:-lost])
    assert read_record_file(path).records["norm"].steps == [3]
    written(path, resumed=True, steps=(7, 11)).close()
    assert read_record_file(path).records["norm"].steps == [3, 7, 11]


@pytest.mark.parametrize(
    "damaged",
    [
        '{"step": 5, "epoch": 0}',
        '{"step": 5, "epoch": 0, "norm": [1.0], "share": [1.0], "summary": {}}',
        '{"step": 5, "epoch": 0, "norm": [1.0, null], "share": [1.0], "summary": {}}',
        '{"step": 5, "epoch": 0, "norm": [1.0, 2.0], "share": [1.0], "summary": {"x": []}}',
        '{"step": 5, "epoch": 0, "norm": [1.0, 1%s], "share": [1.0], "summary": {}}' % ("0" * 400),
        '{"step": [5], "epoch": 0, "norm": [1.0, 2.0], "share": [1.0], "summary": {}}',
        '{"step": 5, "epoch": "x", "norm": [1.0, 2.0], "share": [1.0], "summary": {}}',
        '{"columns": {"norm": 3}}',
        '{"columns": 3}',
        '{"finding": [], "text": "dead"}',
        '{"start": {"monitor": null, "resumed": false}}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:40],
)
def test_a_damaged_entry_is_left_out_alone(damaged, tmp_path):
    path = tmp_path / "record.jsonl"
    written(path).close()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], damaged, lines[-1]]))
    found = read_record_file(path)
    assert found.records["norm"].steps == [3, 7]
    assert found.summary.steps == [3, 7]
    assert found.findings == {}


def test_a_later_fit_is_added_and_is_the_one_that_is_read(tmp_path):
    path = tmp_path / "record.jsonl"
    written(path).close()
    written(path, steps=(1, 2)).close()
    assert read_record_file(path).records["norm"].steps == [1, 2]
    assert path.read_text().count('"start"') == 2
