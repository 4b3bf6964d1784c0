import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# Scripts of the clinic import each other by their folder, as those of benchmarks/ do.
sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks" / "clinic"))
from all_cases import HEALTHY
from case import CODES, Program
from judge_mutants import Mutant, is_right, main, report, train
from modules import LitClassifier, adam, mlp
from mutations import OPERATORS, in_turn

X = torch.rand(600, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(600) % 3
BY_NAME = {operator.name: operator for operator in OPERATORS}


def program(**model):
    torch.manual_seed(0)
    network = mlp([6, 8, 8, 3], norm=nn.BatchNorm1d)
    module = LitClassifier(network, adam(0.01), **model)
    module.log = lambda *_, **__: None  # There is no Trainer.
    return Program(module, DataLoader(TensorDataset(X, Y), 50, shuffle=True), None, 4, lambda: 0.0)


def changed(name, **model):
    return BY_NAME[name].mutate(program(**model))


def layers(found):
    return [m for m in found.module.modules() if isinstance(m, nn.Linear)]


def tensors(found):
    pairs = [found.train.dataset[i] for i in range(len(found.train.dataset))]
    return torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs])


def rates(found, steps=20):
    made = found.module.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.01, total_steps=30),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 20),
    ],
    ids=["one cycle", "lambda", "cosine"],
)
def test_a_rate_is_changed_along_the_whole_schedule(schedule):
    usual = rates(program(scheduler=schedule))
    assert rates(changed("rate x 100", scheduler=schedule)) == pytest.approx(
        [100 * rate for rate in usual]
    )


def test_a_decay_is_given_to_every_group():
    optimizer = changed("heavy weight decay").module.configure_optimizers()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3]


@pytest.mark.parametrize(
    ("name", "missing"), [("head not in the optimiser", [2]), ("body not in the optimiser", [0, 1])]
)
def test_layers_are_left_out_of_the_optimizer(name, missing):
    found = changed(name)
    optimizer = found.module.configure_optimizers()
    known = {p for group in optimizer.param_groups for p in group["params"]}
    assert [i for i, layer in enumerate(layers(found)) if layer.weight not in known] == missing


def test_weights_are_made_larger_and_equal():
    usual = [layer.weight for layer in layers(program())]
    large = [layer.weight for layer in layers(changed("weights x 10"))]
    torch.testing.assert_close(large, [10 * weight for weight in usual])
    assert all(layer.weight.unique().numel() == 1 for layer in layers(changed("weights all equal")))


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [("no activations", nn.Identity, 2), ("sigmoids for ReLUs", nn.Sigmoid, 2),
     ("dropout of 0.95", nn.Dropout, 2)],
)  # fmt: skip
def test_activations_are_changed(name, kind, number):
    found = [m for m in changed(name).module.modules() if isinstance(m, kind)]
    assert len(found) == number
    assert all(m.p == 0.95 for m in found if isinstance(m, nn.Dropout))


def test_low_biases_kill_what_no_norm_revives():
    torch.manual_seed(0)
    module = LitClassifier(mlp([6, 8, 3]))
    found = BY_NAME["biases of -10"].mutate(Program(module, None, None, 1, lambda: 0.0))
    assert not found.module.network[:2](X).any()


def test_norms_are_slow():
    norms = [m for m in changed("slow averages").module.modules() if isinstance(m, nn.BatchNorm1d)]
    assert [norm.momentum for norm in norms] == [0.001] * 2


def test_outputs_are_squashed_and_rectified():
    sums = changed("squashed outputs").module.eval()(X).sum(1)
    torch.testing.assert_close(sums, torch.ones(600))
    outputs = changed("rectified outputs").module.eval()(X).detach()
    assert float(outputs.min()) == 0.0
    assert float(outputs.max()) > 0


def test_columns_get_units_of_their_own():
    layer = layers(changed("unscaled inputs"))[0].double()
    weight, bias, x = layer.weight.detach(), layer.bias.detach(), X.double()
    seen = layer(x).detach() - bias
    units = torch.linalg.lstsq(weight, seen.T).solution.T / (x + 1)
    torch.testing.assert_close(units, units[:1].expand_as(units))
    assert float(units.max() / units.min()) > 10


def test_labels_are_shuffled_and_the_inputs_are_not():
    x, y = tensors(changed("labels shuffled"))
    torch.testing.assert_close(x, X)
    assert sorted(y.tolist()) == sorted(Y.tolist())
    assert 0.5 < (y != Y).float().mean() < 0.8
    assert 0.3 < (tensors(changed("six labels in ten shuffled"))[1] != Y).float().mean() < 0.5


def test_few_samples_are_seen_for_as_many_steps():
    found = changed("few samples")
    assert len(found.train.dataset) == 40
    assert found.epochs * len(found.train) == 4 * 12


def test_one_class_is_most_of_the_data():
    _, y = tensors(changed("rare classes"))
    counts = torch.bincount(y)
    assert int(counts[0]) == 200
    assert int(counts[1:].sum()) == 6


def test_values_are_missing_from_a_copy():
    x, _ = tensors(changed("missing values"))
    assert int(x.isnan().any(1).sum()) == 7
    assert not X.isnan().any()


def test_gradients_are_clipped_to_nothing():
    assert changed("clipped to nothing").trainer == {"gradient_clip_val": 1e-4}


def gradients(found):
    found.module.training_step((X, Y), 0).backward()
    return [layer.weight.grad for layer in layers(found)]


def test_gradients_add_up():
    found = changed("never zeroed")
    (once, *_) = (gradient.clone() for gradient in gradients(found))
    found.module.optimizer_zero_grad(0, 0, torch.optim.SGD(found.module.parameters(), 0.0))
    torch.testing.assert_close(gradients(found)[0], 2 * once)


@pytest.mark.parametrize(("name", "factor"), [("loss x 300", 300), ("loss negated", -1)])
def test_the_loss_is_multiplied(name, factor):
    usual = program().module.training_step((X, Y), 0)
    found = changed(name).module.training_step((X, Y), 0)
    torch.testing.assert_close(found, factor * usual)


def test_batches_are_of_two_samples():
    found = changed("batches of two")
    assert {len(x) for x, _ in found.train} == {2}
    assert found.module.configure_optimizers().param_groups[0]["lr"] == pytest.approx(0.03)


def test_nothing_in_front_of_the_cut_learns():
    first, second, third = gradients(changed("cut in the middle"))
    assert first is None
    assert second is None
    assert third.any()


def test_a_tower_of_sigmoids_is_in_front_of_the_head():
    network = changed("sigmoid tower").module.network
    assert sum(isinstance(m, nn.Sigmoid) for m in network) == 6
    assert network[-1].out_features == 3
    assert network(X).shape == (600, 3)


def test_steep_activations_saturate():
    found = changed("steep tanh").module
    hidden = found.network[:3](X)
    assert float((hidden.abs() > 0.99).float().mean()) > 0.5


@pytest.mark.parametrize(
    ("name", "training", "validation"),
    [("raw in validation", X, 4 * X + 3), ("scaled every epoch", 3 * X, X)],
)
def test_inputs_differ_between_training_and_validation(name, training, validation, monkeypatch):
    monkeypatch.setattr(LitClassifier, "current_epoch", 2)
    found, seen = changed(name), []
    layers(found)[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found.module.train()(X)
    found.module.eval()(X)
    torch.testing.assert_close(seen[0], training)
    torch.testing.assert_close(seen[1], validation)


def test_noise_is_four_times_as_large_as_the_inputs_in_training_alone():
    found, seen = changed("drowned in noise"), []
    layers(found)[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found.module.train()(X)
    found.module.eval()(X)
    assert 3.5 < float((seen[0] - X).std() / X.std()) < 4.5
    torch.testing.assert_close(seen[1], X)


def test_inputs_are_blank_in_a_copy():
    x, y = tensors(changed("blank inputs"))
    assert not x.any()
    assert X.any()
    torch.testing.assert_close(y, Y)


def test_samples_come_in_the_order_of_their_labels():
    x, y = (torch.cat(parts) for parts in zip(*changed("sorted by label").train, strict=True))
    assert y.tolist() == sorted(Y.tolist())
    assert sorted(map(tuple, x.tolist())) == sorted(map(tuple, X.tolist()))


@pytest.mark.parametrize(
    "name",
    [
        "biases of -10",
        "no activations",
        "slow averages",
        "few samples",
        "rare classes",
        "cut in the middle",
        "steep tanh",
        "sorted by label",
    ],
)
def test_what_cannot_be_changed_is_no_mutant(name):
    module = LitClassifier(nn.Sequential(nn.Linear(6, 3)))
    loader = DataLoader(TensorDataset(X[:90], X[:90]), 30)
    assert BY_NAME[name].mutate(Program(module, loader, None, 1, lambda: 0.0)) is None


def test_all_that_is_accepted_is_a_problem():
    assert {code for operator in OPERATORS for code in operator.accepted} <= set(CODES)
    assert len(BY_NAME) == len(OPERATORS)


def test_a_mutant_is_trained_and_counted():
    found = train("weights all equal", "digits-plain")
    assert found.harmed
    assert is_right(found)
    table = report([found, Mutant("rate x 10", "digits-plain", False, 0.98, ())])
    assert "2 programs changed, 1 of which missed their goal" in table
    assert "flagged 100.0%, right 100.0%" in table


def test_each_operator_goes_through_the_programs_in_an_order_of_its_own():
    names = [case.name for case in HEALTHY]
    orders = [in_turn(names, operator) for operator in OPERATORS[:2]]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(names)


def test_a_wrong_name_of_an_operator_is_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["judge_mutants.py", "--operators", "rate x 11"])
    with pytest.raises(SystemExit):
        main()
    assert "invalid choice: 'rate x 11'" in capsys.readouterr().err
