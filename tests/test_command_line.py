"""`torchvitals fit` knows this package's classes by their bare names, and says what is wrong."""

import re
import sys

import pytest
import torch
from helpers.training import quiet_trainer

from torchvitals import __version__
from torchvitals.__main__ import main
from torchvitals.argument_errors import explain
from torchvitals.command_line import _write_predictions
from torchvitals.datamodules import TabularDataModule

COMMANDS = ["fit", "validate", "test", "predict", "checkup", "report"]


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["torchvitals", "fit", *arguments, "--print_config"])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_a_class_needs_only_its_name(monkeypatch, capsys):
    names = [
        "--model=MLPClassifier", "--model.in_features=64", "--model.num_classes=10",
        "--data=ImageDataModule", "--trainer.callbacks+=TrainingDoctor",
        "--trainer.callbacks+=RichProgressBar",
    ]  # fmt: skip
    assert run(monkeypatch, *names) == 0
    printed = capsys.readouterr().out
    for path in (
        "torchvitals.MLPClassifier",
        "torchvitals.ImageDataModule",
        "torchvitals.TrainingDoctor",
        "lightning.pytorch.callbacks.RichProgressBar",
    ):
        assert f"class_path: {path}\n" in printed


def test_a_name_that_two_classes_have_is_refused_with_both(monkeypatch, capsys):
    assert run(monkeypatch, "--trainer.callbacks+=EarlyStopping") == 2
    said = capsys.readouterr().err
    assert "torchvitals.EarlyStopping" in said
    assert "lightning.pytorch.callbacks.EarlyStopping" in said


def ended(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["torchvitals", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_the_help_has_a_line_for_each_command(monkeypatch, capsys):
    assert ended(monkeypatch, "--help") == 0
    printed = capsys.readouterr().out
    assert f"{{{','.join(COMMANDS)}}}" in printed
    assert re.findall(r"^  (\w+) +[a-z]{4}", printed, re.MULTILINE) == COMMANDS


def test_the_version_is_printed(monkeypatch, capsys):
    assert ended(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"torchvitals {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "got none"),
        (["chekup"], "got 'chekup'. Did you mean 'checkup'?"),
        (["trian"], "got 'trian'."),
    ],
)
def test_what_is_no_command_is_told_all(arguments, message, monkeypatch, capsys):
    assert ended(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert all(command in captured.err for command in COMMANDS)


MLP = "model: {class_path: MLPClassifier, init_args: {in_features: 64, num_classes: 10}}"


@pytest.mark.parametrize("command", ["fit", "checkup"])
@pytest.mark.parametrize(
    ("config", "arguments", "messages"),
    [
        (None, [], ["fit.yaml"]),
        ("trainer: {max_epochs: [\n", [], ['"fit.yaml", line 2, column 1']),
        ("only text, " * 100, [], ["Expected `fit.yaml` to hold arguments by name"]),
        ("model: {class_path: MLPClassifer}", [], ["`model`", "Did you mean 'MLPClassifier'?"]),
        (
            "model: {class_path: torchvitals.lightning_modules.MLPClassifer}",
            [],
            ["has no attribute 'MLPClassifer'", "Did you mean 'MLPClassifier'?"],
        ),
        (MLP, ["--trainer.callbacks+=TrainingDoctr"], ["Did you mean 'TrainingDoctor'?"]),
        (MLP, ["--trainer.callbacks+=RichProgresBar"], ["Did you mean 'RichProgressBar'?"]),
        (f"{MLP}\ndata: ImageDatModule", [], ["`data`", "Did you mean 'ImageDataModule'?"]),
        (MLP, ["--optimizer=Adm"], ["Did you mean 'Adam'?"]),
        (MLP, ["--data=Qwertyuiop"], ["but got 'Qwertyuiop'.\n"]),
        (MLP, ["--trainer.max_epochs=ten"], ["trainer.max_epochs", "'int'", "'ten'"]),
        (MLP, ["--model.hiden=[4]"], ["model: ", "Option 'hiden' is not accepted"]),
    ],
)
def test_a_wrong_argument_is_told_in_a_few_lines(
    command, config, arguments, messages, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if config is not None:
        (tmp_path / "fit.yaml").write_text(config)
    assert ended(monkeypatch, command, "--config=fit.yaml", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"torchvitals {command} --help" in captured.err
    assert all(message in captured.err for message in messages), captured.err
    assert len(captured.err.splitlines()) <= 4


def test_a_message_of_a_form_that_is_not_known_stays():
    assert explain("Expected more") == "Expected more"
    assert explain("Expected more", "fit.yaml") == "Expected more"


@pytest.mark.parametrize("outputs", [1, 2])
def test_predictions_are_in_the_units_of_the_data(outputs, tmp_path, capsys):
    x, y = torch.rand(50, 3), 1000 + 50 * torch.rand(50)
    data = TabularDataModule((x, y), task="regression", standardize_target=True)
    scaled = [batch[1][:, None].expand(-1, outputs) for batch in data.test_dataloader()]
    expected = torch.cat([y[batch[2]][:, None] for batch in data.test_dataloader()])
    _write_predictions(quiet_trainer(default_root_dir=tmp_path), scaled, data)
    found = torch.load(tmp_path / "predictions.pt", weights_only=True)
    if outputs == 1:
        torch.testing.assert_close(found, expected)
    else:  # a network of one's own, which predicts a deviation, too
        torch.testing.assert_close(found, torch.cat(scaled))
        assert "remain standardised" in capsys.readouterr().out


def test_predictions_of_different_lengths_stay_batches(tmp_path, capsys):
    batches = [torch.rand(2, 5), torch.rand(2, 7)]
    _write_predictions(quiet_trainer(default_root_dir=tmp_path), batches)
    found = torch.load(tmp_path / "predictions.pt", weights_only=True)
    assert [batch.shape for batch in found] == [(2, 5), (2, 7)]
    assert "2 batches" in capsys.readouterr().out
