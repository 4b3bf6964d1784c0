"""What the doctor says in the log."""

import logging
from types import SimpleNamespace

import pytest

from torchvitals.callbacks import Diagnosis, Problem
from torchvitals.callbacks.diagnosing.announcing import announce
from torchvitals.callbacks.monitoring.guard import SideWork

TRAINER = SimpleNamespace(is_global_zero=True, barebones=False, loggers=[])


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", logging.WARNING), ("warning", logging.WARNING), ("info", logging.INFO)],
)
def test_what_is_withdrawn_is_told_as_loudly_as_it_was_said(severity, level, caplog):
    found = Diagnosis(Problem.DEAD_RELU, severity, "fc1", 50, 0, "60% are dead.")
    with caplog.at_level(logging.INFO):
        announce(TRAINER, [found], [], SideWork("doctor"))
        announce(TRAINER, [], [found], SideWork("doctor"))
    said, withdrawn = caplog.records
    assert (said.levelno, withdrawn.levelno) == (level, level)
    assert withdrawn.message == "Doctor: dead_relu is over."
