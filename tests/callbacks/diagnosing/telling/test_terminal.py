"""The list at the end of a training, in terminals of all kinds."""

import io
import re
import shlex
from dataclasses import replace

import pytest
import torch
from helpers.case_notes import diagnosis
from helpers.research import Research, fit, loader
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from torch import nn

from torchvitals.callbacks import Remedy, TrainingDoctor
from torchvitals.callbacks.checkup import Checkup
from torchvitals.callbacks.diagnosing.telling.terminal import Terminal, account_of, way_to_page
from torchvitals.callbacks.monitoring.recording.json_lines import JsonLines

CODE = "self.encoder_layers_with_a_rather_long_name.weight.requires_grad_(True).to('cuda')"


class Broken(io.StringIO):
    """A standard output that cannot be written to."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


def sick_fit(logger=False, names=("größe", "层")):
    """A training of which there is something to say, with a layer of another alphabet."""
    torch.manual_seed(0)
    network = nn.Sequential()
    network.add_module(names[0], nn.Linear(5, 8))
    network.add_module(names[1], nn.Linear(8, 3))
    doctor = TrainingDoctor(every_n_steps=5)
    fit(
        Research(network, lr=30.0),
        loader(1e6 * torch.randn(80, 5)),
        [doctor],
        max_epochs=2,
        logger=logger,
    )
    assert doctor.diagnoses != []
    return doctor


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), ValueError("closed"), BrokenPipeError("gone")],
    ids=lambda error: type(error).__name__,
)
def test_a_terminal_that_cannot_print_ends_neither_the_doctor_nor_the_training(error, monkeypatch):
    monkeypatch.setattr("sys.stdout", Broken(error))
    with pytest.warns(UserWarning, match="TrainingDoctor gave up on its terminal and continues"):
        doctor = sick_fit()
    assert not doctor.failed


def test_what_an_encoding_lacks_is_escaped(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii"))
    doctor = sick_fit()
    assert not doctor.failed
    text = written.getvalue().decode("ascii")
    assert any(name in text for name in (r"gr\xf6\xdfe", r"\u5c42"))


def lines_of(found, width, **options):
    return account_of(found, width, "utf-8", **options).plain.splitlines()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_sentences_keep_to_the_width_and_code_to_its_lines(width):
    code = "for name, parameter in self.named_parameters():\n    parameter.requires_grad_(True)"
    remedies = (Remedy("Let it train, " * 20, CODE), Remedy("Or all of them.", code))
    found = replace(diagnosis(), evidence="word " * 100, remedies=remedies)
    lines = lines_of([found], width)
    assert lines[0] == "critical: dead_relu in fc2, since step 40"
    indented = [f"       {line}" for line in (CODE, *code.splitlines())]
    assert [line for line in lines if line in indented] == indented
    sentences = [line for line in lines[1:] if line not in indented]
    assert max(map(len, sentences)) <= min(width, 100)
    assert sum(len(line) > min(width, 100) - 10 for line in sentences) > 4
    assert " ".join(lines).count("word") == 100
    assert "  -> Or all of them." in lines


def test_a_long_name_is_in_one_piece():
    layer = "encoder_layers_with_a_rather_long_name_" * 3
    evidence = f"99% of {layer} are dead."
    lines = lines_of([replace(diagnosis(layer=layer), evidence=evidence)], 40)
    assert sum(layer in line for line in lines) == 2


@pytest.mark.parametrize(("most", "count"), [(None, 3), (2, 2)])
def test_so_many_remedies_are_told(most, count):
    found = replace(diagnosis(), remedies=(Remedy("Let it train."),) * 3)
    lines = lines_of([found], 80, most_remedies=most)
    assert lines.count("  -> Let it train.") == count


def test_several_diagnoses_stand_apart():
    first = replace(diagnosis(layer=None, step=0), remedies=())
    lines = lines_of([first, replace(first, step=1200)], 80)
    assert lines == [
        "critical: dead_relu, from the start", "  99% of None are dead.", "",
        "critical: dead_relu, since step 1,200", "  99% of None are dead.",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 80])
def test_code_can_be_copied_off_a_narrow_terminal(width):
    terminal = Terminal(width=width, file=io.StringIO())
    found = replace(diagnosis(), remedies=(Remedy("Let it train.", CODE),))
    terminal.tell(Checkup((found,), 300))
    assert f"       {CODE}\n" in terminal.file.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_nothing_is_cut_off_on_anybodys_console(width):
    console = Console(width=width, file=io.StringIO())
    console.print(Checkup((replace(diagnosis(), remedies=(Remedy("Train.", CODE),)),), 300))
    assert CODE.replace(" ", "") in re.sub(r"\s", "", console.file.getvalue())


def test_the_way_to_the_page_is_told_where_there_is_a_record(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    doctor = sick_fit(CSVLogger("my runs", name="", version="1"), names=("first", "last"))
    printed = capsys.readouterr().out
    assert printed.endswith("\nReport page of this run: torchvitals report 'my runs/1'\n")
    assert doctor.diagnoses[0].evidence in " ".join(printed.split())


def test_without_a_record_no_way_to_a_page_is_told(capsys):
    sick_fit()
    assert "torchvitals report" not in capsys.readouterr().out


def test_a_record_that_could_not_be_written_has_no_page(tmp_path, monkeypatch, capsys):
    class Full(JsonLines):
        def write(self, line):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("torchvitals.callbacks.reporting.journal.JsonLines", Full)
    with pytest.warns(UserWarning, match="TrainingDoctor gave up on its file"):
        sick_fit(CSVLogger(tmp_path), names=("first", "last"))
    assert "torchvitals report" not in capsys.readouterr().out


def test_a_folder_elsewhere_is_named_in_full(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert way_to_page(tmp_path / "run").endswith(f" {shlex.quote(str(tmp_path / 'run'))}")
