"""`torchvitals fit` knows this package's classes by their bare names."""

import sys

import pytest

from torchvitals.__main__ import main


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
        "torchvitals.lightning_modules.MLPClassifier",
        "torchvitals.datamodules.ImageDataModule",
        "torchvitals.callbacks.TrainingDoctor",
        "lightning.pytorch.callbacks.RichProgressBar",
    ):
        assert f"class_path: {path}\n" in printed


def test_a_name_that_two_classes_have_is_refused_with_both(monkeypatch, capsys):
    assert run(monkeypatch, "--trainer.callbacks+=EarlyStopping") == 2
    said = capsys.readouterr().err
    assert "torchvitals.callbacks.EarlyStopping" in said
    assert "lightning.pytorch.callbacks.EarlyStopping" in said
