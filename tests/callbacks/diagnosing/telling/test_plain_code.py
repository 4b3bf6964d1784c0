"""Remedies for modules and data of others: torch's own code, which runs as it stands."""

import ast
from types import SimpleNamespace

import pytest
import torch
from helpers.rule_source import source_of
from helpers.vital_signs import FLAT, vitals
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from torch.utils.data import WeightedRandomSampler
from torchvision.transforms import v2

from torchvitals.callbacks import Problem, Remedy
from torchvitals.callbacks.diagnosing.examination import RULES, examine
from torchvitals.callbacks.diagnosing.symptom import Symptom
from torchvitals.callbacks.diagnosing.telling.plain_code import (
    _FOR_DATA,
    _FOR_MODULES,
    in_plain_code,
    is_of_this_package,
)
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import Classifier, MLPClassifier


def put(code, *, own_module=False, own_data=False):
    found = Symptom("warning", "", remedies=(Remedy("Do.", code),), problem=Problem.DEAD_RELU)
    (symptom,) = in_plain_code([found], own_module=own_module, own_data=own_data)
    return symptom.remedies[0].code


def names():
    layer = nn.Linear(3, 3)
    return {
        "torch": torch, "nn": nn, "v2": v2, "CosineAnnealingLR": CosineAnnealingLR,
        "OneCycleLR": OneCycleLR, "WeightedRandomSampler": WeightedRandomSampler, "self": layer,
        "layer": layer, "optimizer": torch.optim.SGD(layer.parameters(), lr=0.1), "lr": 0.1,
        "trainer": SimpleNamespace(max_epochs=3, estimated_stepping_batches=30), "size": 28,
        "width": 8, "channels": 8, "counts": torch.tensor([3.0, 1.0]),
        "labels": torch.tensor([0, 0, 0, 1]), "x": torch.randn(4, 2), "x_train": torch.randn(9, 2),
        "y": torch.randn(4), "y_train": torch.randn(9),
    }  # fmt: skip


CODE = [put(code) for code in (*_FOR_MODULES, *_FOR_DATA, "dropout=0.3", "dropout=0.25")]


@pytest.mark.parametrize("code", sorted(set(CODE)))
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_it_runs(code):
    exec(f"dict({code})" if code == "weight_decay=0.0" else code, names())


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_schedule_planned_in_steps_is_stepped_so():
    config = eval(put('warmup=0.1, scheduler="cosine"'), names())
    assert config["scheduler"].total_steps == 30
    assert config["interval"] == "step"


def test_arguments_of_this_package_stay_where_they_can_be_given():
    assert put('norm="batch"', own_module=True) == 'norm="batch"'
    assert put("dropout=0.3", own_module=True) == "dropout=0.3"
    data = 'TabularDataModule(scaling="standard")'
    assert put(data, own_module=True) != data == put(data, own_data=True)
    assert put("lr=0.01") == "lr=0.01"


def test_a_penalty_in_a_loss_of_ones_own_is_no_matter_of_the_optimizer():
    signs = vitals(FLAT, penalty_shares=[0.8] * 30)
    (symptom,) = [s for s in examine(signs) if s.problem is Problem.OVER_REGULARIZED]
    for own_module, code in ((True, "l2=0.0, l1=0.0"), (False, "")):
        (told,) = in_plain_code([symptom], own_module=own_module, own_data=False)
        assert told.remedies[-1].code == code


def test_whose_a_module_is():
    class Mine(MLPClassifier):
        pass

    assert is_of_this_package(Mine(4, 2), "lightning_modules")
    assert is_of_this_package(Classifier(nn.Linear(4, 2), 2), "lightning_modules")
    assert not is_of_this_package(nn.Linear(4, 2), "lightning_modules")
    assert not is_of_this_package(None, "datamodules")
    assert is_of_this_package(ImageDataModule("digits"), "datamodules")
    assert not is_of_this_package(ImageDataModule("digits"), "lightning_modules")


# Arguments of torch's own layers, loaders, optimisers and losses, which anybody can give.
TORCHS = {"lr", "momentum", "weight_decay", "batch_size", "batch_first", "overfit_batches", "beta"}


def test_every_argument_of_this_package_has_its_like():
    """No rule names one that others cannot paste."""
    missing = []
    for rule in RULES:
        for call in ast.walk(ast.parse(source_of(rule))):
            is_remedy = isinstance(call, ast.Call) and ast.unparse(call.func) == "Remedy"
            if not is_remedy or len(call.args) < 2 or not isinstance(call.args[1], ast.Constant):
                continue
            code = call.args[1].value
            argument = code.split("=")[0]
            is_own = argument.isidentifier() and "(" not in code and argument not in TORCHS
            if ("DataModule(" in code or is_own) and " = " not in code and put(code) == code:
                missing.append(code)
    assert missing == []
