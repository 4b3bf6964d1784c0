"""The table at the end of a training, in terminals of all kinds."""

import io
from dataclasses import replace

import pytest
import torch
from helpers.case_notes import diagnosis
from helpers.research import Research, fit, loader
from torch import nn

from torchvitals.callbacks import Remedy, TrainingDoctor
from torchvitals.callbacks.checkup import Checkup
from torchvitals.callbacks.diagnosing.terminal import Terminal, table_of

CODE = "self.encoder_layers_with_a_rather_long_name.weight.requires_grad_(True).to('cuda')"


class Broken(io.StringIO):
    """A standard output that cannot be written to."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


def sick_fit():
    """A training of which there is something to say, with a layer of another alphabet."""
    torch.manual_seed(0)
    network = nn.Sequential()
    network.add_module("größe", nn.Linear(5, 8))
    network.add_module("层", nn.Linear(8, 3))
    doctor = TrainingDoctor(every_n_steps=5)
    fit(Research(network, lr=30.0), loader(1e6 * torch.randn(80, 5)), [doctor], max_epochs=2)
    assert doctor.diagnoses != []
    return doctor


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), ValueError("closed"), BrokenPipeError("gone")],
    ids=lambda error: type(error).__name__,
)
def test_a_terminal_that_cannot_print_ends_neither_the_doctor_nor_the_training(error, monkeypatch):
    monkeypatch.setattr("sys.stdout", Broken(error))
    with pytest.warns(UserWarning, match="TrainingDoctor gave up its terminal, and goes on"):
        doctor = sick_fit()
    assert not doctor.failed


def test_what_an_encoding_lacks_is_escaped(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "ascii"))
    doctor = sick_fit()
    assert not doctor.failed
    text = written.getvalue().decode("ascii")
    assert any(name in text for name in (r"gr\xf6\xdfe", r"\u5c42"))


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("kind", ["training", "checkup"])
def test_nothing_is_cut_off(kind, width):
    layer = "encoder_layers_with_a_rather_long_name_" * 3
    terminal = Terminal(width=width, file=io.StringIO())
    if kind == "training":
        terminal.print(table_of(("what", "why"), [(layer, f"-> {CODE}")], "utf-8"))
    else:
        found = replace(diagnosis(layer=layer), remedies=(Remedy("Let it train.", CODE),))
        terminal.print(Checkup((found,), 300))
    rows = [line.split("│")[1:3] for line in terminal.file.getvalue().splitlines() if "│" in line]
    what, why = ("".join(column).replace(" ", "") for column in zip(*rows, strict=True))
    assert layer in what
    assert CODE.replace(" ", "") in why


def test_a_layers_long_name_leaves_room_for_what_to_do():
    terminal = Terminal(width=80, file=io.StringIO())
    terminal.print(table_of(("what", "why"), [("x" * 200, "word " * 100)], "utf-8"))
    assert max(line.count("word") for line in terminal.file.getvalue().splitlines()) >= 9
