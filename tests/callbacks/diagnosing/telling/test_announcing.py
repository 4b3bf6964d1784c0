"""What the doctor says in the log."""

import logging
import re
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from helpers.training import quiet_trainer
from torch import manual_seed
from tqdm import tqdm

from torchvitals.callbacks import Diagnosis, Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.causes import explanations, join_causes
from torchvitals.callbacks.diagnosing.symptom import Symptom
from torchvitals.callbacks.diagnosing.telling.announcing import announce
from torchvitals.callbacks.monitoring.guard import SideWork
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

TRAINER = SimpleNamespace(is_global_zero=True, barebones=False, loggers=[])
P = Problem


def found(severity="warning"):
    return Diagnosis(Problem.DEAD_RELU, severity, "fc1", 50, 0, "60% are dead.")


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", logging.WARNING), ("warning", logging.WARNING), ("info", logging.INFO)],
)
def test_what_is_withdrawn_is_told_as_loudly_as_it_was_said(severity, level, caplog):
    diagnosis = found(severity)
    with caplog.at_level(logging.INFO):
        announce(TRAINER, [diagnosis], [], [diagnosis], {}, SideWork("doctor"))
        announce(TRAINER, [], [diagnosis], [], {}, SideWork("doctor"))
    said, withdrawn = caplog.records
    assert (said.levelno, withdrawn.levelno) == (level, level)
    assert withdrawn.message == "Doctor: dead_relu no longer stands out."


def test_a_line_begins_where_no_bar_is(capsys):
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("torchvitals.callbacks")
    logger.addHandler(handler)
    try:
        with tqdm(total=10, file=sys.stderr, ncols=60) as bar:
            bar.update(3)
            announce(TRAINER, [found()], [], [found()], {}, SideWork("doctor"))
            announce(TRAINER, [], [found()], [], {}, SideWork("doctor"))
    finally:
        logger.removeHandler(handler)
    lines = [line for line in re.split(r"[\r\n]", capsys.readouterr().err) if "Doctor" in line]
    assert len(lines) == 2
    assert all(line.startswith("Doctor: ") for line in lines)


def test_a_bar_that_cannot_be_drawn_ends_no_doctor(monkeypatch):
    @contextmanager
    def broken(*_):
        raise OSError("gone")
        yield

    monkeypatch.setattr(tqdm, "external_write_mode", broken)
    with pytest.warns(UserWarning, match="doctor gave up on its log and continues: OSError: gone"):
        announce(TRAINER, [found()], [], [found()], {}, SideWork("doctor"))


@pytest.mark.parametrize(
    ("standing", "explained", "said"),
    [
        ([], {}, "no longer stands out"),
        ([], {P.NOT_LEARNING: P.OVERFITTING}, "no longer stands out"),
        ([], {P.DEAD_RELU: P.LEARNING_RATE_TOO_HIGH}, "is explained by learning_rate_too_high"),
        ([found("info")], {}, "is now only informational"),
    ],
    ids=["gone", "another is explained", "explained", "eased"],
)
def test_what_became_of_a_finding_is_told(standing, explained, said, caplog):
    announce(TRAINER, [], [found()], standing, explained, SideWork("doctor"))
    assert caplog.messages == [f"Doctor: dead_relu {said}."]


@pytest.mark.parametrize(
    ("symptoms", "expected"),
    [
        ([], {}),
        ([(P.NON_FINITE,)], {}),
        ([(P.NON_FINITE,), (P.LEARNING_RATE_TOO_HIGH,)],
         {P.NON_FINITE: P.LEARNING_RATE_TOO_HIGH}),
        # Of two that would explain it the first takes it, and what explains both takes all.
        ([(P.NOT_LEARNING,), (P.CLASS_IMBALANCE,), (P.UNSTABLE_LOSS,)],
         {P.NOT_LEARNING: P.CLASS_IMBALANCE}),
        ([(P.NOT_LEARNING,), (P.DEAD_RELU,), (P.EXPLODING_GRADIENT,)],
         {P.NOT_LEARNING: P.EXPLODING_GRADIENT, P.DEAD_RELU: P.EXPLODING_GRADIENT}),
        ([(P.OVER_REGULARIZED,), (P.FROZEN_PARAMETER, {"is_root": True})],
         {P.OVER_REGULARIZED: P.FROZEN_PARAMETER}),
        ([(P.NON_FINITE,), (P.LEARNING_RATE_TOO_HIGH, {"stands_alone": True})], {}),
    ],
)  # fmt: skip
def test_what_explains_a_symptom_is_found(symptoms, expected):
    seen = [
        Symptom("warning", "It is.", **dict(*settings), problem=problem)
        for problem, *settings in symptoms
    ]
    assert explanations(seen, join_causes(seen)) == expected


def test_a_loss_that_stays_nan_is_never_said_to_have_healed(caplog):
    manual_seed(0)
    network = MLPClassifier(64, 10, hidden=(128,) * 6, optimizer="momentum", lr=3.0)
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=2, callbacks=[doctor])
    trainer.fit(network, datamodule=ImageDataModule("digits"))
    assert [d.problem for d in doctor.diagnoses] == [P.LEARNING_RATE_TOO_HIGH]
    assert doctor.announced[0].problem is P.NON_FINITE
    assert "Doctor: non_finite is explained by learning_rate_too_high." in caplog.messages
