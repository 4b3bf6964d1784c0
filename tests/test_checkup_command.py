"""`torchvitals checkup`: exit status, what it prints, and that it leaves nothing behind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.training import environment

from torchvitals.__main__ import main

CONFIG = str(Path(__file__).parents[1] / "examples" / "digits.yaml")
SHORT = ["--config", CONFIG, "--steps", "100"]
SICK = ["--model.optimizer=momentum", "--model.lr=30"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert [path.name for path in tmp_path.iterdir() if path.name != "kept"] == []


def status(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["torchvitals", "checkup", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        ([], 0, "Healthy: no warning in 100 steps.", ""),
        (["--steps=1"], 2, "Nothing stands out in 1 step: it is too early for a verdict.", ""),
        (SICK, 1, "learning_rate_too_high", ""),
        (["--model.num_classes=5"], 2, "", "could not run: ValueError: Expected labels from 0"),
    ],
    ids=["healthy", "early", "sick", "broken"],
)
def test_as_a_process(arguments, code, out, err, tmp_path):
    command = [sys.executable, "-m", "torchvitals", "checkup", *SHORT, *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(COLUMNS="100"), capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert out in done.stdout
    assert "log_every_n_steps" not in done.stderr
    assert err in done.stderr
    assert (done.stdout == "") is (out == "")


# As jsonargparse of now and of a year ago say it.
REQUIRED = 'required: model|"model" is required'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], REQUIRED),
        (["--config", "nope.yaml"], "nope.yaml"),
        ([*SHORT, "--steps", "0"], "steps"),
        ([*SHORT, "--stps", "10"], "run: torchvitals checkup --help"),
        ([*SHORT, "--report", "."], "error: Expected `--report` to be the path of a file, but got"),
        ([*SHORT, "--model.norm=batchnorm"], "error: Expected `norm` to be one of"),
        ([*SHORT, "--ckpt_path=nope.ckpt"], "could not run: FileNotFoundError"),
        ([*SHORT, "--trainer.precision=bf16-true", "--trainer.plugins=NoSuch"], "NoSuch"),
    ],
)
def test_what_cannot_run_says_why(arguments, message, monkeypatch, capsys):
    assert status(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(message, captured.err)
    assert "Traceback" not in captured.err or "could not run" in message


def test_what_the_package_says_is_said_once(monkeypatch, capsys):
    assert status(monkeypatch, *SHORT, "--data.dataset=mnist") == 2
    said = capsys.readouterr().err
    assert said.count("Expected MNIST in ") == 1
    assert "could not run: FileNotFoundError: Expected MNIST in " in said
    assert "Traceback" not in said


def test_an_error_of_other_code_has_its_traceback(monkeypatch, capsys):
    def fail(*_, **__):
        raise ValueError("Expected another number")

    monkeypatch.setattr("torchvitals.checkup_command.checkup", fail)
    assert status(monkeypatch, *SHORT) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "could not run: ValueError: Expected another number" in said


def test_an_interruption_is_no_verdict(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("torchvitals.checkup_command.checkup", interrupt)
    assert status(monkeypatch, *SHORT) == 2
    assert "interrupted" in capsys.readouterr().err


@pytest.fixture
def arguments(monkeypatch):
    """What the checkup is asked for, without having it."""
    asked = {}

    def note(model, data, **options):
        asked.update(options, model=type(model).__name__, data=type(data).__name__)
        raise RuntimeError("enough")

    monkeypatch.setattr("torchvitals.checkup_command.checkup", note)
    return asked


def test_the_trainer_is_the_configured_one(arguments, monkeypatch):
    more = ["--trainer.precision=bf16-mixed", "--trainer.gradient_clip_val=0.5"]
    more += ["--trainer.accumulate_grad_batches=2", "--trainer.logger=CSVLogger"]
    assert status(monkeypatch, *SHORT, *more, "--trainer.logger.save_dir=logs") == 2
    assert arguments["steps"] == 100
    assert (arguments["model"], arguments["data"]) == ("MLPClassifier", "ImageDataModule")
    assert arguments["precision"] == "bf16-mixed"
    assert arguments["gradient_clip_val"] == 0.5
    assert arguments["accumulate_grad_batches"] == 2
    assert arguments["max_epochs"] == 20
    assert arguments["logger"] is False
    assert arguments["enable_progress_bar"] is False
    assert len(arguments["callbacks"]) == 3


def test_without_a_plan_it_is_that_of_fit(arguments, monkeypatch):
    assert status(monkeypatch, *SHORT, "--trainer.max_epochs=null") == 2
    assert arguments["max_epochs"] == 1000


def test_the_file_that_fit_saves_is_taken(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "kept"
    fit = ["fit", "--config", CONFIG, "--trainer.default_root_dir", str(folder)]
    fit += ["--trainer.max_steps=1", "--trainer.callbacks=null", "--optimizer=SGD"]
    monkeypatch.setattr(sys, "argv", ["torchvitals", *fit, "--optimizer.lr=300"])
    with pytest.warns(UserWarning, match="configure_optimizers` will be overridden"):
        main()
    (saved,) = folder.glob("lightning_logs/*/config.yaml")
    capsys.readouterr()
    report = folder / "page.html"
    take = ["--config", saved, "--trainer.max_steps=300", "--trainer.max_epochs=-1"]
    with pytest.warns(UserWarning, match="configure_optimizers` will be overridden"):
        assert status(monkeypatch, *take, "--steps=80", "--report", report) == 1
    # The module's own optimiser would do well: it is that of the file that was used.
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert printed.startswith("Sick: ")
    assert "learning_rate_too_high" in printed
    assert "<h1>" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["--help"], ["checkup", "--help"]])
def test_the_help_tells_of_it(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["torchvitals", *command])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "torchvitals checkup" in printed
    assert "0 healthy, 1 sick" in printed
