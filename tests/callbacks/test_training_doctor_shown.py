"""A doctor in a notebook or a debugger."""

import copy
import pickle
from dataclasses import replace

import pytest
import torch
from helpers.case_notes import HOSTILE, diagnosis
from helpers.research import Research, fit, loader
from torch import nn

from torchvitals.callbacks import Remedy, TrainingDoctor
from torchvitals.callbacks.reporting.notebook import notebook_view


def train(scale, lr, epochs=2):
    torch.manual_seed(0)
    x = scale * torch.randn(80, 5) + 3 * nn.functional.one_hot(torch.arange(80) % 3, 5)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    doctor = TrainingDoctor(5)
    fit(Research(network, lr=lr), loader(x), [doctor], max_epochs=epochs)
    return doctor


def test_before_a_fit_there_is_no_verdict():
    doctor = TrainingDoctor()
    assert repr(doctor) == "TrainingDoctor(No verdict: no step is recorded)"
    assert doctor._repr_html_() == "<p>No verdict: no step is recorded.</p>"


def test_a_healthy_one_is_short():
    doctor = train(0.1, 0.1, epochs=10)
    assert repr(doctor) == "TrainingDoctor(healthy)"
    assert doctor._repr_html_() == f"<p>{doctor.verdict}</p>"
    assert repr(copy.deepcopy(doctor)) == repr(pickle.loads(pickle.dumps(doctor))) == repr(doctor)


def test_a_sick_one_says_what_it_is():
    doctor = train(1e6, 30.0)
    assert repr(doctor) == f"TrainingDoctor({doctor.verdict[:-1]})"
    view, found = doctor._repr_html_(), doctor.diagnoses[0]
    assert view.startswith("<p>1 problem: ")
    for text in (found.problem.value, found.severity, found.layer, found.remedies[0].advice):
        assert text in view


def test_one_that_failed_says_so():
    doctor = TrainingDoctor()
    doctor.failed = True
    assert "switched itself off" in repr(doctor)


def test_one_that_is_not_made_yet_can_be_shown():
    assert "TrainingDoctor object" in repr(TrainingDoctor.__new__(TrainingDoctor))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_markup(text):
    found = replace(diagnosis(layer=text), remedies=(Remedy(text, text),), evidence=text)
    tame = replace(diagnosis(layer="x"), remedies=(Remedy("x", "x"),), evidence="x")
    view, plain = (notebook_view(words, [d]) for words, d in ((text, found), ("x", tame)))
    assert [view.count(sign) for sign in '<>"'] == [plain.count(sign) for sign in '<>"']
