"""A doctor that keeps out of the log, the terminal, or the loggers."""

import csv
import logging

import pytest
import torch
from helpers.research import Research, fit, loader
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from torchvitals.callbacks import GradientNormMonitor, TrainingDoctor
from torchvitals.callbacks.reporting.run_folder import read_run_folder


def train(doctor, *callbacks, folder=None):
    """A training that is sick from its first steps on."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    logger = CSVLogger(folder, name="", version="") if folder else False
    data = loader(1e6 * torch.randn(80, 5))
    module = Research(network, lr=30.0)
    return fit(module, data, [*callbacks, doctor], max_epochs=2, logger=logger)


def columns(folder):
    path = folder / "metrics.csv"
    if not path.exists():
        return set()
    with path.open() as file:
        return set(next(csv.reader(file)))


@pytest.mark.parametrize("verbose", [True, False])
def test_the_log_and_the_terminal_can_be_spared(verbose, caplog, capsys):
    doctor = TrainingDoctor(5, verbose=verbose)
    with caplog.at_level(logging.INFO, "torchvitals"):
        train(doctor)
    assert not doctor.healthy
    assert doctor.verdict.startswith("1 problem")
    lines = [line for line in caplog.messages if line.startswith("Doctor: ")]
    assert bool(lines) is verbose
    problem = doctor.diagnoses[0].problem.value
    assert (problem in capsys.readouterr().out) is verbose


def test_the_loggers_have_the_diagnoses_of_a_doctor_that_says_nothing(tmp_path, monkeypatch):
    path = "torchvitals.callbacks.monitoring.recording.loggers"
    alerts, tables = [], []
    monkeypatch.setattr(f"{path}.alert", lambda logger, title, text: alerts.append(title))
    monkeypatch.setattr(f"{path}.log_table", lambda logger, name, *_: tables.append(name))
    doctor = TrainingDoctor(5, verbose=False)
    train(doctor, folder=tmp_path)
    assert f"Doctor: {doctor.diagnoses[0].problem.value}" in alerts
    assert "doctor/diagnoses" in tables


def test_a_fit_without_problems_takes_those_of_the_last_one_back(tmp_path, monkeypatch):
    path = "torchvitals.callbacks.monitoring.recording.loggers"
    told = []
    monkeypatch.setattr(f"{path}.summarize", lambda logger, values: told.append(dict(values)))
    doctor = TrainingDoctor(5, verbose=False)
    trainer = train(doctor, folder=tmp_path)
    problems = [diagnosis.problem.value for diagnosis in doctor.diagnoses]
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    trainer.fit_loop.max_epochs = 4
    trainer.fit(Research(network), loader(torch.randn(80, 5)))
    assert doctor.diagnoses == []
    assert told == [{"doctor/problems": problems}, {"doctor/problems": []}]


@pytest.mark.parametrize("log", [True, False])
def test_the_loggers_can_be_spared(log, tmp_path, monkeypatch):
    path = "torchvitals.callbacks.monitoring.recording.loggers"
    tables = []
    monkeypatch.setattr(f"{path}.log_table", lambda logger, name, *_: tables.append(name))
    doctor = TrainingDoctor(5, log_figures=log)
    trainer = train(doctor, folder=tmp_path)
    prefixes = ("grad_norm/", "update_ratio/", "dormant/", "activation_", "drift/", "dead_relu/")
    for names in (columns(tmp_path), trainer.callback_metrics):
        assert any(name.startswith(prefixes) for name in names) is log
    assert ("grad_norm/table" in tables) is log
    assert "doctor/diagnoses" in tables
    assert (tmp_path / "vitals" / "grad_norm.png").exists()


def test_the_record_is_the_same_whether_the_loggers_have_it_or_not(tmp_path):
    records = []
    for log in (True, False):
        folder = tmp_path / str(log)
        train(TrainingDoctor(5, log_figures=log), folder=folder)
        vitals = folder / "vitals"
        records.append(
            {file.name: file.read_text().replace(str(folder), "run") for file in vitals.glob("*l")}
        )
        assert len(read_run_folder(folder).monitors) == 4
    assert records[0] == records[1]


def test_a_monitor_of_ones_own_is_logged_all_the_same(tmp_path):
    train(TrainingDoctor(5, log_figures=False), GradientNormMonitor(5), folder=tmp_path)
    names = {name.split("/")[0] for name in columns(tmp_path)}
    assert "grad_norm" in names
    assert not names & {"update_ratio", "dormant", "drift"}
