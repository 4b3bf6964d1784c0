"""Changes of a program that its verdict must not hang on."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# Scripts of the clinic import each other by their folder, as those of benchmarks/ do.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "clinic"))
from case import Program
from judge_harmless import BY_NAME, Variant, main, report, train
from modules import LitClassifier, adam, mlp, sgd

X = torch.rand(600, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(600) % 3


def program(optimizer=None, **more):
    torch.manual_seed(0)
    module = LitClassifier(mlp([6, 8, 3]), optimizer or adam(0.01))
    module.log = lambda *_, **__: None  # There is no Trainer.
    loader = DataLoader(TensorDataset(X, Y), 50, shuffle=True)
    return Program(module, loader, loader, 4, lambda: 0.0, **more)


def changed(name, *arguments, **more):
    return BY_NAME[name].mutate(program(*arguments, **more))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss x 100", lambda loss: 100 * loss), ("loss / 100", lambda loss: loss / 100),
        ("loss + 10", lambda loss: loss + 10), ("loss - 10", lambda loss: loss - 10),
        ("loss in halves", lambda loss: loss),
    ],
)  # fmt: skip
def test_the_loss_is_changed(name, expected):
    usual = program().module.training_step((X, Y), 0)
    found = changed(name).module.training_step((X, Y), 0)
    torch.testing.assert_close(found, expected(usual))


@pytest.mark.parametrize("name", ["loss x 100", "loss / 100"])
def test_a_loss_is_scaled_only_where_no_step_hangs_on_its_size(name):
    assert changed(name, sgd(0.1)) is None
    assert changed(name, trainer={"gradient_clip_val": 1.0}) is None


def test_two_half_batches_make_a_step():
    found = changed("half batches, twice")
    assert found.trainer == {"accumulate_grad_batches": 2}
    assert {len(x) for x, _ in found.train} == {25}
    found = BY_NAME["half batches, twice"].mutate(
        Program(LitClassifier(mlp([6, 8, 3], norm=nn.BatchNorm1d)), *[program().train] * 2, 4, None)
    )
    assert found is None  # BatchNorm would see other batches.


@pytest.mark.parametrize(
    "name", ["in bfloat16", "clipped far above", "validated every third epoch"]
)
def test_what_the_program_says_itself_stays(name):
    (argument,) = changed(name).trainer
    assert changed(name, trainer={argument: None}) is None


def test_no_validation():
    assert changed("without validation").validation is None
    assert BY_NAME["without validation"].mutate(changed("without validation")) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("validation loss x 100", 25.0), ("validation loss as a root", 0.5),
     ("validation loss + 5", 5.25)],
)  # fmt: skip
def test_validation_logs_another_measure(name, expected):
    found, logged = program(), {}
    found.module.log = lambda name, value, **_: logged.update({name: value})
    module = BY_NAME[name].mutate(found).module
    for known in ("val_loss", "val_acc", "train_loss"):
        module.log(known, 0.25, prog_bar=True)
    assert logged == {"val_loss": expected, "val_acc": 0.25, "train_loss": 0.25}


def test_what_is_kept_aside_is_not_trained():
    found = changed("an idle copy").module
    assert len(list(found.kept_copy.parameters())) == 4
    assert not any(p.requires_grad for p in found.kept_copy.parameters())
    torch.testing.assert_close(found(X), program().module(X))


def test_each_parameter_has_a_group_of_its_own():
    usual = program().module.configure_optimizers().param_groups[0]
    groups = changed("a group for each parameter").module.configure_optimizers().param_groups
    assert [len(group["params"]) for group in groups] == [1] * 4
    assert all(group["lr"] == usual["lr"] for group in groups)


def test_an_average_leaves_the_weights_alone():
    weights = []
    for made in (program(), changed("averaged aside")):
        optimizer = made.module.configure_optimizers()
        for _ in range(3):
            optimizer.zero_grad()
            made.module.training_step((X, Y), 0).backward()
            optimizer.step()
        weights.append(list(made.module.parameters()))
    torch.testing.assert_close(*weights)


def test_a_variant_is_trained_and_counted():
    found = train("loss x 100", "digits-plain")
    assert found == Variant("loss x 100", "digits-plain", reached=True)
    assert train("loss x 100", "digits-momentum") is None
    sick = Variant("loss x 100", "digits-tanh", True, ("over_regularized",))
    table = report([found, sick, Variant("loss x 100", "digits-elu", False, ("dead_relu",))])
    assert "3 healthy programs changed, 2 of which reached their goal" in table
    assert "of these 1 were flagged" in table
    assert "loss x 100, digits-tanh: over_regularized" in table


def test_a_wrong_name_of_an_operator_is_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["judge_harmless.py", "--operators", "loss x 3"])
    with pytest.raises(SystemExit):
        main()
    assert "invalid choice: 'loss x 3'" in capsys.readouterr().err
