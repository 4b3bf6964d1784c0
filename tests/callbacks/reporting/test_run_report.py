"""From a training to its page: in the same process, from its folder, and after a crash."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.game import Game
from helpers.research import Research, fit, loader
from helpers.training import environment
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import nn

from torchvitals.__main__ import main
from torchvitals.callbacks import GradientNormMonitor, TrainingDoctor
from torchvitals.callbacks.reporting.case import read_case
from torchvitals.callbacks.reporting.run_folder import read_run_folder

TESTS = Path(__file__).parents[2]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def data(batches=10):
    torch.manual_seed(1)
    return loader(torch.randn(4 * batches, 5))


def report(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["torchvitals", "report", *map(str, arguments)])
    main()


def heading(path):
    return re.search("<h1>(.*?)</h1>", path.read_text(encoding="utf-8")).group(1)


def outcome(path):
    return re.search('<p class="outcome">(.*?)</p>', path.read_text(encoding="utf-8")).group(1)


class Break(Callback):
    def __init__(self, at):
        self.at = at

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.at:
            raise RuntimeError("CUDA error: <out of memory>")


def test_the_folder_gives_the_page_of_the_doctor(tmp_path, monkeypatch, capsys):
    doctor, logger = TrainingDoctor(every_n_steps=5), CSVLogger(tmp_path)
    fit(Research(network(), lr=30.0), data(20), [doctor], logger=logger, max_epochs=2)
    assert not doctor.failed
    live = doctor.report(tmp_path / "live.html")
    report(monkeypatch, logger.log_dir)
    page = Path(logger.log_dir, "report.html")
    assert page.read_text(encoding="utf-8") == live.read_text(encoding="utf-8")
    assert capsys.readouterr().out.endswith(f"\n{heading(page)}\n{page}\n")
    assert outcome(page) == "Finished after 40 steps."
    case = read_run_folder(Path(logger.log_dir)).case
    assert [round(step) for step, _ in case.losses] == list(range(40))
    standing = [finding.diagnosis.problem for finding in case.findings if finding.stands]
    assert standing == [found.problem for found in doctor.diagnoses] != []


def test_a_game_of_two_optimisers_is_counted_in_batches(tmp_path, monkeypatch, capsys):
    judge, logger = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1)), CSVLogger(tmp_path)
    nn.init.constant_(judge[0].bias, -100.0)
    doctor, batches = TrainingDoctor(every_n_steps=4), loader(torch.rand(48, 64))
    trainer = fit(Game(judge), batches, [doctor], logger=logger, max_epochs=3)
    assert trainer.global_step == 72
    live = doctor.report(tmp_path / "live.html")
    report(monkeypatch, logger.log_dir)
    page = Path(logger.log_dir, "report.html")
    assert page.read_text(encoding="utf-8") == live.read_text(encoding="utf-8")
    assert outcome(page).startswith("Finished after 36 steps")
    case = read_run_folder(Path(logger.log_dir)).case
    assert any(finding.since > 0 for finding in case.findings)
    assert [f.since for f in case.findings] == [f.diagnosis.step for f in case.findings]


def test_a_run_without_a_folder_still_has_its_page(tmp_path):
    doctor = TrainingDoctor(every_n_steps=5)
    fit(Research(network()), data(), [doctor], default_root_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    page = doctor.report(tmp_path / "deep" / "page.html")
    assert "Finished after 10 steps." in page.read_text(encoding="utf-8")


def test_a_doctor_that_saw_nothing_says_so(tmp_path):
    assert heading(TrainingDoctor().report(tmp_path / "page.html")) == (
        "No verdict: no step is recorded."
    )


def test_a_run_that_broke_off_says_by_what(tmp_path, monkeypatch):
    doctor, logger = TrainingDoctor(every_n_steps=2), CSVLogger(tmp_path)
    with pytest.raises(RuntimeError):
        fit(Research(network()), data(), [doctor, Break(6)], logger=logger)
    report(monkeypatch, tmp_path)
    page = Path(logger.log_dir, "report.html")
    assert (
        outcome(page) == "Aborted after 6 steps: RuntimeError: CUDA error: &lt;out of memory&gt;."
    )
    assert heading(page) == "Nothing stood out before the run was aborted."


def test_a_doctor_that_failed_gives_no_verdict(tmp_path, monkeypatch):
    doctor, logger = TrainingDoctor(every_n_steps=5), CSVLogger(tmp_path)
    monkeypatch.setattr(
        "torchvitals.callbacks.training_doctor.examine", lambda vitals: 1 / 0 if vitals.step else []
    )
    with pytest.warns(UserWarning, match="TrainingDoctor switched itself off"):
        fit(Research(network()), data(20), [doctor], logger=logger, max_epochs=2)
    report(monkeypatch, tmp_path)
    page = Path(logger.log_dir, "report.html")
    assert heading(page) == "No verdict: the doctor failed and switched itself off."


CRASH = """
import os, sys, torch
from helpers.game import Game
from helpers.research import Research, fit, loader
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from torchvitals.callbacks import TrainingDoctor

class Stop(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 7:
            os._exit(9)

fit(Research(torch.nn.Linear(5, 3)), loader(torch.randn(40, 5)),
    [TrainingDoctor(every_n_steps=3), Stop()], logger=CSVLogger(sys.argv[1]))
"""


def test_a_killed_process_loses_no_more_than_a_report(tmp_path, monkeypatch):
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)],
        env=environment(PYTHONPATH=os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])),
        capture_output=True,
        timeout=200,
    )
    assert done.returncode == 9, done.stderr
    report(monkeypatch, tmp_path, "--output", tmp_path / "page.html")
    assert outcome(tmp_path / "page.html") == "No end is recorded; the last report is of step 6."
    assert len(read_run_folder(tmp_path).case.losses) == 6


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch")
def test_a_resumed_run_is_one_story(tmp_path):
    logger = CSVLogger(tmp_path, version="run")
    saving = ModelCheckpoint(every_n_train_steps=6, save_top_k=-1)
    arguments = {"logger": logger, "enable_checkpointing": True}
    with pytest.raises(RuntimeError):
        fit(
            Research(network()),
            data(),
            [TrainingDoctor(every_n_steps=2), saving, Break(9)],
            **arguments,
        )
    doctor = TrainingDoctor(every_n_steps=2)
    fit(
        Research(network()),
        data(),
        [doctor, ModelCheckpoint(every_n_train_steps=6, save_top_k=-1)],
        ckpt_path=saving.best_model_path,
        **arguments,
    )
    case = read_run_folder(tmp_path).case
    assert [step for step, _ in case.losses] == list(range(10))
    assert (case.resumed, case.ended, case.error) == ([6], True, None)


class Decaying(Research):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1)]


def test_a_resumed_run_keeps_its_first_learning_rate(tmp_path):
    trainer = fit(Decaying(network()), data(), [TrainingDoctor(every_n_steps=2)], max_epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    doctor = TrainingDoctor(every_n_steps=2)
    start = tmp_path / "last.ckpt"
    fit(Decaying(network()), data(), [doctor], max_epochs=2, ckpt_path=start)
    case = read_case(doctor._journal.entries)
    assert case.facts["learning rate at first"] == "0.01"
    assert dict(case.figures["learning rate"])[12] == pytest.approx(0.001)


def test_monitors_alone_are_shown_without_a_verdict(tmp_path, monkeypatch):
    logger = CSVLogger(tmp_path)
    fit(Research(network()), data(), [GradientNormMonitor(1)], logger=logger)
    report(monkeypatch, Path(logger.log_dir, "vitals"))
    page = Path(logger.log_dir, "report.html")
    assert heading(page) == "No verdict: this run had no TrainingDoctor."
    assert "Gradient norms" in page.read_text(encoding="utf-8")


def test_damaged_records_still_give_a_page(tmp_path, monkeypatch, capsys):
    vitals = tmp_path / "l\udce4ufe" / "vitals"  # as Python reads a name that is not UTF-8
    vitals.mkdir(parents=True)
    (vitals / "TrainingDoctor.jsonl").write_text(
        '{"start": 0, "resumed": false}\n{"facts": {"planned steps": "Infinit?"}}\n'
        '{"report": 3, "since": 0, "epoch": 0, "losses": [1.0], "figures": {}}\n'
        '{"diagnosis": {"problem": "non_finite"}, "at": 3}\n'
    )
    (vitals / "GradientNormMonitor.jsonl").write_text(
        '{"columns": {"grad_norm": ["a"]}}\n'
        '{"step": 1, "epoch": 0, "grad_norm": [1.0, 2.0], "summary": {}}\n'
    )
    report(monkeypatch, vitals.parent)
    page = vitals.with_name("report.html")
    assert heading(page) == "Nothing stands out so far: it is too early for a verdict."
    assert capsys.readouterr().out.startswith(f"{heading(page)}\n")


@pytest.mark.parametrize("place", [".", "run"])
def test_what_is_called_like_a_record_and_is_no_file_is_passed_over(place, tmp_path, monkeypatch):
    vitals = tmp_path / place / "vitals"
    vitals.mkdir(parents=True)
    (vitals / "GradientNormMonitor.jsonl").symlink_to(tmp_path / "moved away")
    (vitals / "kept.jsonl").mkdir()
    with pytest.raises(FileNotFoundError, match="Expected records of a run below"):
        read_run_folder(tmp_path)
    (vitals / "TrainingDoctor.jsonl").write_text('{"start": 0, "resumed": false}\n')
    report(monkeypatch, tmp_path)
    assert heading(vitals.with_name("report.html")) == "No verdict: no step is recorded."


def test_of_several_runs_the_newest_is_shown(tmp_path, monkeypatch):
    for name, age in (("old", 500), ("new", 0), ("older", 900)):
        logger = CSVLogger(tmp_path, version=name)
        fit(Research(network()), data(2), [GradientNormMonitor(1)], logger=logger)
        for file in Path(logger.log_dir).rglob("*.jsonl"):
            os.utime(file, (time.time() - age,) * 2)
    report(monkeypatch, tmp_path)
    assert [page.parent.name for page in tmp_path.rglob("report.html")] == ["new"]


def test_the_folder_of_the_records_is_known_from_within(tmp_path, monkeypatch):
    logger = CSVLogger(tmp_path, version="run")
    fit(Research(network()), data(2), [GradientNormMonitor(1)], logger=logger)
    monkeypatch.chdir(Path(logger.log_dir) / "vitals")
    report(monkeypatch, ".")
    assert (Path(logger.log_dir) / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "Expected the folder of a run, but there is no folder nowhere."),
        (["."], "Expected records of a run below ."),
        ([], "RUN_DIR"),
        (["full", "--output", "full/run/vitals"], "`--output` to be the path of a file"),
        (
            ["full", "--output", "full/file/page.html"],
            "Name a file that can be written",
        ),
    ],
)
def test_an_error_is_one_line_and_status_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "full" in arguments:
        (tmp_path / "full" / "run" / "vitals").mkdir(parents=True)
        (tmp_path / "full" / "run" / "vitals" / "TrainingDoctor.jsonl").write_text("")
        (tmp_path / "full" / "file").touch()
    with pytest.raises(SystemExit) as stop:
        report(monkeypatch, *arguments)
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert "Traceback" not in errors


def test_the_command_loads_no_command_line_of_lightning(tmp_path):
    (tmp_path / "vitals").mkdir()
    (tmp_path / "vitals" / "TrainingDoctor.jsonl").write_text('{"start": 0, "resumed": false}\n')
    code = (
        "import sys; sys.argv[1:] = ['report', '.']\n"
        "from torchvitals.__main__ import main; main()\n"
        "print([n for n in ('jsonargparse', 'wandb', 'sklearn', 'torchvitals.datamodules')"
        " if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    page = tmp_path / "report.html"
    assert done.stdout == f"No verdict: no step is recorded.\n{page}\n[]\n", done.stderr
