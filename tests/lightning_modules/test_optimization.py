"""Each optimiser, schedule and penalty against torch's own, step by step."""

import functools
import math

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch.tuner import Tuner
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import Classifier, MLPClassifier, Regressor

X, Y = torch.randn(24, 5), torch.arange(24) % 3
LOADER = DataLoader(TensorDataset(X, Y), batch_size=8)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))


def bare_loop(make_optimizer, epochs=2, after_step=lambda net, lr: None, before_step=None):
    """What a plain loop of torch makes of the same network and batches."""
    net = network()
    optimizer = make_optimizer(net.parameters())
    for _ in range(epochs):
        for x, y in LOADER:

            def closure(x=x, y=y):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(x), y)
                loss.backward()
                return loss

            if isinstance(optimizer, torch.optim.LBFGS):
                optimizer.step(closure)
                continue
            closure()
            if before_step:
                before_step(net)
            optimizer.step()
            after_step(net, optimizer.param_groups[0]["lr"])
    return net.state_dict()


def trained(epochs=2, **arguments):
    model = Classifier(network(), 3, **arguments)
    quiet_trainer(max_epochs=epochs).fit(model, LOADER)
    return model.network.state_dict()


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    ("name", "torchs_own"),
    [
        ("sgd", torch.optim.SGD),
        ("momentum", functools.partial(torch.optim.SGD, momentum=0.9)),
        ("nesterov", functools.partial(torch.optim.SGD, momentum=0.9, nesterov=True)),
        ("adagrad", torch.optim.Adagrad),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("nadam", torch.optim.NAdam),
        ("radam", torch.optim.RAdam),
        ("adamax", torch.optim.Adamax),
        ("adadelta", torch.optim.Adadelta),
        ("adafactor", torch.optim.Adafactor),
        ("asgd", torch.optim.ASGD),
        ("rprop", torch.optim.Rprop),
        ("lbfgs", torch.optim.LBFGS),
        (torch.optim.Adam, torch.optim.Adam),
        ("torch.optim.Adam", torch.optim.Adam),
    ],
)
def test_each_optimiser_steps_as_torchs_own(name, torchs_own):
    expected = bare_loop(lambda parameters: torchs_own(parameters, lr=0.02))
    assert_equal(trained(optimizer=name, lr=0.02), expected)


def test_every_optimiser_of_torch_has_a_name():
    from torchvitals.lightning_modules.building_blocks.optimizers import OPTIMIZERS

    known = {choice for choice in OPTIMIZERS.values() if isinstance(choice, type)}
    theirs = {
        value
        for value in vars(torch.optim).values()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
    }
    assert theirs - known == {torch.optim.Optimizer}


def test_muon_trains_a_network_of_matrices_alone():
    net = nn.Sequential(nn.Linear(5, 6, bias=False), nn.Tanh(), nn.Linear(6, 3, bias=False))
    before = net[0].weight.detach().clone()
    quiet_trainer().fit(Classifier(net, 3, optimizer="muon"), LOADER)
    assert not torch.equal(before, net[0].weight)


def test_options_reach_the_optimiser():
    options = {"betas": (0.5, 0.6), "eps": 1e-3}
    expected = bare_loop(lambda parameters: torch.optim.Adam(parameters, lr=0.02, **options))
    assert_equal(trained(optimizer="adam", lr=0.02, optimizer_options=options), expected)


def matrices(net):
    return [p for p in net.parameters() if p.ndim > 1]


def groups(parameters, weight_decay):
    parameters = list(parameters)
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def test_l2_as_a_penalty_is_the_weight_decay_of_sgd_on_weights_alone():
    expected = bare_loop(lambda p: torch.optim.SGD(groups(p, 0.3), lr=0.1))
    assert_equal(trained(optimizer="sgd", lr=0.1, l2=0.3, l2_mode="penalty"), expected)


@pytest.mark.parametrize(
    "optimizer", ["adam", "adamw", torch.optim.AdamW, functools.partial(optim.AdamW)]
)
def test_l2_decoupled_is_the_weight_decay_of_adamw_on_weights_alone(optimizer):
    """It takes the place of AdamW's own, which would be added to it."""
    expected = bare_loop(lambda p: torch.optim.AdamW(groups(p, 0.3), lr=0.1))
    assert_equal(trained(optimizer=optimizer, lr=0.1, l2=0.3), expected)


def test_adamw_alone_has_its_own_decay():
    expected = bare_loop(lambda p: torch.optim.AdamW(p, lr=0.1))
    assert_equal(trained(optimizer="adamw", lr=0.1), expected)
    options = {"weight_decay": 0.2}
    expected = bare_loop(lambda p: torch.optim.AdamW(p, lr=0.1, **options))
    assert_equal(trained(optimizer="adamw", lr=0.1, optimizer_options=options), expected)


def test_l1_as_a_penalty_adds_its_sign_to_the_gradient():
    def add_sign(net):
        for weight in matrices(net):
            weight.grad.add_(0.05 * weight.detach().sign())

    expected = bare_loop(lambda p: torch.optim.SGD(p, lr=0.1), before_step=add_sign)
    assert_equal(trained(optimizer="sgd", lr=0.1, l1=0.05, l1_mode="penalty"), expected)


@torch.no_grad()
def shrink(net, lr, l1=0.05):
    for weight in matrices(net):
        weight.copy_(weight.sign() * (weight.abs() - lr * l1).clamp(min=0))


def test_l1_proximal_is_the_closed_form_after_each_step():
    expected = bare_loop(lambda p: torch.optim.SGD(p, lr=0.1), after_step=shrink)
    assert_equal(trained(optimizer="sgd", lr=0.1, l1=0.05), expected)


@pytest.mark.parametrize(("mode", "some"), [("proximal", True), ("penalty", False)])
def test_only_the_proximal_step_makes_weights_zero_and_the_share_is_logged(mode, some):
    model = Classifier(network(), 3, optimizer="sgd", lr=0.1, l1=0.3, l1_mode=mode)
    trainer = quiet_trainer(max_epochs=5)
    trainer.fit(model, LOADER)
    zeros = torch.cat([(w == 0).flatten() for w in matrices(model.network)]).float().mean()
    assert trainer.callback_metrics["zero_weights"] == zeros
    assert (zeros > 0.1) == some


def rates(epochs=4, **arguments):
    model = Classifier(network(), 3, optimizer="sgd", lr=0.1, **arguments)
    seen = []
    trainer = quiet_trainer(max_epochs=epochs)
    model.on_train_batch_end = lambda *_: seen.append(None)
    step = model.on_train_batch_start

    def record(batch, batch_idx):
        step(batch, batch_idx)
        seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    model.on_train_batch_start = record
    trainer.fit(model, LOADER)
    return [rate for rate in seen if rate is not None]


def torchs(make, by_epoch=False, steps=12, steps_per_epoch=3):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule, seen = make(optimizer), []
    for step in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not by_epoch or (step + 1) % steps_per_epoch == 0:
            schedule.step()
    return seen


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [0.1] * 12),
        (
            {"scheduler": "step", "scheduler_options": {"step_size": 2}},
            torchs(lambda o: lr_scheduler.StepLR(o, 2), by_epoch=True),
        ),
        (
            {"scheduler": "exponential", "scheduler_options": {"gamma": 0.5}},
            torchs(lambda o: lr_scheduler.ExponentialLR(o, 0.5), by_epoch=True),
        ),
        ({"scheduler": "cosine"}, torchs(lambda o: lr_scheduler.CosineAnnealingLR(o, 12))),
        ({"scheduler": "one_cycle"}, torchs(lambda o: lr_scheduler.OneCycleLR(o, 0.1, 12))),
        (
            {"scheduler": "one_cycle", "warmup": 0.25},
            torchs(lambda o: lr_scheduler.OneCycleLR(o, 0.1, 12, pct_start=0.25)),
        ),
        (
            {"scheduler": "one_cycle", "warmup": 1},
            torchs(lambda o: lr_scheduler.OneCycleLR(o, 0.1, 12, pct_start=2 / 12)),
        ),
        ({"warmup": 4}, [0.025, 0.05, 0.075] + [0.1] * 9),
        ({"warmup": 0.25}, [0.1 / 3, 0.2 / 3] + [0.1] * 10),
        (
            {"warmup": 4, "scheduler": "cosine"},
            [0.025, 0.05, 0.075, 0.1] + [0.05 * (1 + math.cos(math.pi * k / 8)) for k in range(8)],
        ),
        (
            {"warmup": 4, "scheduler": "exponential", "scheduler_options": {"gamma": 0.5}},
            [min(1, (k + 1) / 4) * 0.1 * 0.5 ** (k // 3) for k in range(12)],
        ),
    ],
)
def test_each_schedule_gives_torchs_rates(arguments, expected):
    assert rates(**arguments) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [1, 2, 3, 8])
@pytest.mark.parametrize("warmup", [0, 1, 0.1, 0.9])
def test_one_cycle_goes_with_a_short_training(steps, warmup):
    model = MLPClassifier(5, 3, hidden=(), scheduler="one_cycle", warmup=warmup)
    trainer = quiet_trainer(max_steps=steps, max_epochs=-1)
    trainer.fit(model, LOADER)
    assert trainer.global_step == steps


def test_a_cycle_whose_warmup_is_longer_than_training_is_refused():
    model = MLPClassifier(5, 3, hidden=(), scheduler="one_cycle", warmup=9)
    with pytest.raises(ValueError, match=r"`warmup` to be .* 8 optimiser steps, but got 9"):
        quiet_trainer(max_steps=8, max_epochs=-1).fit(model, LOADER)


def test_plateau_lowers_the_rate_when_the_loss_stays():
    data = DataLoader(TensorDataset(X, torch.zeros(24, 1)), batch_size=8)
    model = Regressor(
        nn.Linear(5, 1), lr=1e-12, scheduler="plateau",
        scheduler_options={"patience": 1, "factor": 0.5, "threshold": 0.1},
    )  # fmt: skip
    trainer = quiet_trainer(max_epochs=6)
    trainer.fit(model, data, data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-12 / 4)


def test_a_schedule_of_all_steps_needs_an_end():
    with pytest.raises(ValueError, match=r"training run of known length .* `max_steps`"):
        quiet_trainer(max_epochs=-1).fit(Classifier(network(), 3, scheduler="cosine"), LOADER)


@pytest.mark.filterwarnings("ignore:.*tuner.*")
def test_lightnings_finders_work(tmp_path):
    model = MLPClassifier(64, 10, hidden=(16,), lr=1e-3, l1=1e-4, l2=1e-3, scheduler="one_cycle")
    data = ImageDataModule(batch_size=8)
    trainer = quiet_trainer(max_epochs=3, default_root_dir=tmp_path)
    finder = Tuner(trainer).lr_find(model, datamodule=data, num_training=30, update_attr=True)
    assert model.lr == finder.suggestion() != 1e-3
    Tuner(trainer).scale_batch_size(model, datamodule=data, max_trials=5, steps_per_trial=1)
    assert data.batch_size > 8


@pytest.mark.parametrize("batch_size", [1, 7, 24])
def test_single_sample_mini_batch_and_full_batch_descent_take_that_many_steps(batch_size):
    loader = DataLoader(TensorDataset(X, Y), batch_size=batch_size)
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(Classifier(net, 3), loader)
    assert trainer.global_step == 2 * math.ceil(24 / batch_size)


def test_clipping_is_the_trainers():
    expected = bare_loop(
        lambda p: torch.optim.SGD(p, lr=0.1),
        before_step=lambda net: nn.utils.clip_grad_norm_(net.parameters(), 0.01),
    )
    model = Classifier(network(), 3, optimizer="sgd", lr=0.1)
    quiet_trainer(max_epochs=2, gradient_clip_val=0.01).fit(model, LOADER)
    assert_equal(model.network.state_dict(), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": "cosin"}, "Did you mean 'cosine'"),
        ({"l1_mode": "prox"}, "Did you mean 'proximal'"),
        ({"l2_mode": "coupled"}, "Did you mean 'decoupled'"),
        ({"l1": -1.0}, "`l1` to be at least 0"),
        ({"l2": float("nan")}, "`l2` to be at least 0"),
        ({"warmup": -1}, "`warmup`"),
        ({"optimizer": "torch.optim.Adan"}, "cannot be imported"),
        ({"optimizer_options": {"lr": 1}}, "without the learning rate, but got lr=1: set `lr=1`"),
        (
            {"optimizer": functools.partial(optim.SGD, lr=0.5), "lr": 0.1},
            "`optimizer` without the learning rate, but got lr=0.5: set `lr=0.5`",
        ),
        ({"l2": 0.1, "optimizer_options": {"weight_decay": 0.2}}, "one of `l2` and .* 0.1 and 0.2"),
        (
            {"l2": 0.1, "optimizer": functools.partial(optim.AdamW, weight_decay=0.2)},
            "one of `l2` and .* 0.1 and 0.2",
        ),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        Classifier(network(), 3, **arguments)
