from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from torchvitals.callbacks.diagnosing.meeting import Meeting


@pytest.fixture
def said(monkeypatch):
    """What this rank says to another, which answers "theirs" unless its doctor is off."""
    said = SimpleNamespace(values=[], answer="theirs")

    def exchange(ranks, own):
        said.values.append(own)
        if said.answer == "lost":
            raise RuntimeError("connection lost")
        ranks[:] = [own, said.answer]

    monkeypatch.setattr(torch.distributed, "all_gather_object", exchange)
    return said


def hold(meeting, doctor, ranks, own):
    return meeting.hold(doctor, SimpleNamespace(world_size=ranks), own)


def test_one_rank_meets_itself(said):
    doctor = SimpleNamespace(failed=False)
    assert hold(Meeting(), doctor, 1, "mine") == ["mine"]
    assert said.values == []


def test_one_rank_whose_doctor_is_off_has_nobody_to_tell(said):
    assert hold(Meeting(), SimpleNamespace(failed=True), 1, "mine") is None
    assert said.values == []


def test_two_ranks_go_on_meeting(said):
    meeting, doctor = Meeting(), SimpleNamespace(failed=False)
    for own in ("mine", "mine, later"):
        assert hold(meeting, doctor, 2, own) == [own, "theirs"]
    assert not doctor.failed


@pytest.mark.parametrize(
    ("failed", "answer", "values", "warning"),
    [
        (True, "theirs", [None], None),  # this one says so, once
        (False, None, ["mine"], "SimpleNamespace switched itself off.*another rank did"),
        (True, None, [None], None),
        (False, "lost", ["mine"], "switched itself off.*connection lost"),
    ],
)
def test_where_one_doctor_is_off_none_waits_for_another(said, failed, answer, values, warning):
    meeting, doctor = Meeting(), SimpleNamespace(failed=failed)
    said.answer = answer
    with pytest.warns(UserWarning, match=warning) if warning else nullcontext():
        assert hold(meeting, doctor, 2, "mine") is None
    assert doctor.failed
    said.answer = "theirs"
    assert hold(meeting, doctor, 2, "mine") is None
    assert said.values == values
