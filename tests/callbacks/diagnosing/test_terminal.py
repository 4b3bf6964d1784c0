"""The table at the end of a training, in terminals of all kinds."""

import io

import pytest
import torch
from helpers.research import Research, fit, loader
from torch import nn

from torchvitals.callbacks import TrainingDoctor


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
