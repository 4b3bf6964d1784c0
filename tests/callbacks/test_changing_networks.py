"""Layers that come later, take another one's place, find their size, or never train."""

import pytest
import torch
from helpers.research import Research, loader
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from torch import nn
from torch.nn import functional as F

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
    checkup,
)


def samples(number, batch_size):
    x = torch.randn(number, 5, generator=torch.Generator().manual_seed(0))
    return loader(x, batch_size=batch_size)


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


class NewHead(Callback):
    """Puts another head in, and tells the optimiser or makes a new one."""

    def __init__(self, *, added):
        self.added = added

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            head = pl_module.network[2] = nn.Linear(8, 3)
            if self.added:
                trainer.optimizers[0].add_param_group({"params": list(head.parameters())})
            else:
                trainer.optimizers = [torch.optim.Adam(pl_module.parameters(), 1e-2)]


@pytest.mark.parametrize("added", [True, False])
def test_a_head_that_was_put_in_another_ones_place_is_known(added):
    doctor, gradients, updates = TrainingDoctor(), GradientNormMonitor(4), UpdateRatioMonitor(4)
    model = Research(mlp())
    trainer = quiet_trainer(
        max_epochs=25, callbacks=[NewHead(added=added), doctor, gradients, updates]
    )
    trainer.fit(model, samples(64, 8))
    assert not doctor.failed
    assert [d for d in doctor.announced if d.problem.value == "frozen_parameter"] == []
    assert gradients.norms["network.2"] > 0
    assert "other" not in gradients.norms
    assert updates.ratios["network.2"] > 0
    assert updates.unmoved == []


class MoreClasses(Callback):
    """Gives the head more outputs, as a new layer or in the old parameters."""

    def __init__(self, *, replaced):
        self.replaced = replaced

    def on_train_epoch_start(self, trainer, pl_module):
        head = pl_module.network[2]
        if trainer.current_epoch == 2 and self.replaced:
            pl_module.network[2] = nn.Linear(8, 5, bias=False)
            trainer.optimizers = [torch.optim.SGD(pl_module.parameters(), 1e-2)]
        elif trainer.current_epoch == 2:
            for parameter in head.parameters():
                parameter.grad = None
                parameter.data = torch.cat([parameter.data, parameter.data[:2]])


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("every", [1, 5])
def test_a_head_with_other_sizes_is_followed_and_costs_no_record(replaced, every):
    gradients = GradientNormMonitor(every, noise_scale=True)
    updates, moved = UpdateRatioMonitor(every), []
    model = Research(mlp(), lr=1e-2)

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.before = pl_module.network[2].weight.detach().clone()

        def on_train_batch_end(self, trainer, pl_module, *_):
            weight = pl_module.network[2].weight.detach()
            moved.append(float((weight - self.before).norm() / self.before.norm()))

    model.network[2].bias = None
    trainer = quiet_trainer(
        max_epochs=5, callbacks=[MoreClasses(replaced=replaced), Watch(), gradients, updates]
    )
    trainer.fit(model, samples(64, 8))
    assert not gradients.failed
    assert not updates.failed
    assert gradients.steps == updates.steps == list(range(every - 1, 40, every))
    assert gradients.noise_scale_value == gradients.noise_scale_value
    if not replaced:
        assert updates.history["network.2"] == pytest.approx(moved[every - 1 :: every], rel=1e-4)


def test_a_layer_that_comes_later_has_a_name():
    class Add(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                pl_module.network.append(nn.Linear(3, 3))
                added = list(pl_module.network[3].parameters())
                trainer.optimizers[0].add_param_group({"params": added})

    gradients, updates = GradientNormMonitor(1), UpdateRatioMonitor(1)
    trainer = quiet_trainer(max_epochs=2, callbacks=[Add(), gradients, updates])
    trainer.fit(Research(mlp()), samples(16, 8))
    assert list(gradients.norms) == ["network.0", "network.2", "network.3"]
    assert list(updates.ratios) == ["network.0", "network.2", "network.3"]


class LateNorm(Research):
    def on_train_start(self):
        nn.utils.parametrizations.spectral_norm(self.network[0])


def test_a_layer_may_be_parametrised_once_training_has_started():
    doctor = TrainingDoctor()
    quiet_trainer(max_epochs=2, callbacks=[doctor]).fit(LateNorm(mlp()), samples(64, 8))
    assert not doctor.failed


def test_layers_that_find_their_size_with_the_first_batch_are_looked_at():
    doctor = TrainingDoctor()
    network = nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 8), nn.Linear(8, 3))
    trainer = quiet_trainer(max_epochs=12, callbacks=[doctor])
    trainer.fit(Research(network), samples(64, 8))
    assert not doctor.failed
    vitals = doctor._observation.vitals
    assert [layer.name for layer in vitals.layers] == ["network.0", "network.1", "network.2"]
    assert vitals.entries["network.0.weight"] == 40
    assert [d.problem.value for d in doctor.diagnoses] == ["linear_network"]


def test_parameters_without_entries_need_not_move():
    class Empty(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.none = mlp(), nn.Parameter(torch.zeros(0, 5))

        def forward(self, x):
            return self.layers(x) + self.none.sum()

    updates = UpdateRatioMonitor(1)
    trainer = quiet_trainer(max_epochs=30, callbacks=[updates])
    trainer.fit(Research(Empty()), samples(64, 8))
    assert updates.unmoved == []
    assert list(updates.ratios) == ["network.layers.0", "network.layers.2"]


class ByHand(LightningModule):
    """Optimises by itself, or forgets to."""

    def __init__(self, *, steps, returns=True, automatic=False):
        super().__init__()
        self.network, self.steps, self.returns = mlp(), steps, returns
        self.automatic_optimization = automatic

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.network(x), y)
        if not self.automatic_optimization:
            optimizer = self.optimizers(use_pl_optimizer=self.steps != "raw")
            optimizer.zero_grad()
            self.manual_backward(loss)
            if self.steps == "of nothing":
                optimizer.zero_grad(set_to_none=False)
            if self.steps != "none":
                optimizer.step()
        return loss if self.returns else None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


@pytest.mark.filterwarnings("ignore:.*`training_step` returned `None`")
@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"steps": "none"}, "no optimiser has made a step"),
        (
            {"steps": "all", "automatic": True, "returns": False},
            "the optimiser makes its steps, but no loss was differentiated",
        ),
        ({"steps": "of nothing"}, "all gradients are 0 whenever the optimiser makes a step"),
    ],
)
def test_a_training_in_which_no_weight_moves_is_no_healthy_one(model, why):
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=16, callbacks=[doctor])
    trainer.fit(ByHand(**model), samples(64, 8))
    found = doctor.diagnoses[0]
    assert (found.problem.value, found.severity) == ("frozen_parameter", "critical")
    first, _, rest = found.evidence.partition(" After")
    assert first == f"No weight has changed in 128 batches: {why}."
    assert not rest or "no better than" in rest
    sick = checkup(ByHand(**model), samples(64, 8), accelerator="cpu", max_epochs=40)
    assert not sick.healthy


@pytest.mark.parametrize("steps", ["raw", "all"])
def test_steps_that_the_trainer_does_not_see_are_steps(steps):
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=16, callbacks=[doctor])
    trainer.fit(ByHand(steps=steps), samples(64, 8))
    assert "frozen_parameter" not in [d.problem.value for d in doctor.announced]


class Validated(Research):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.training_step(batch, batch_idx))


def test_steps_that_are_long_in_coming_are_waited_for():
    doctor = TrainingDoctor()
    trainer = quiet_trainer(
        max_epochs=2, accumulate_grad_batches=256, val_check_interval=128, callbacks=[doctor]
    )
    trainer.fit(Validated(mlp()), samples(2048, 8), samples(16, 8))
    assert "frozen_parameter" not in [d.problem.value for d in doctor.announced]


@pytest.mark.parametrize("own", [TrainingDoctor, DeadReLUMonitor, lambda: ActivationMonitor(1)])
def test_a_network_is_free_of_hooks_at_the_end_of_an_epoch(own):
    hooks = []

    class Look(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            found = [m._forward_hooks or m._forward_pre_hooks for m in pl_module.modules()]
            hooks.append(any(found))

    trainer = quiet_trainer(max_epochs=3, callbacks=[Look(), own()])
    trainer.fit(Research(mlp()), samples(64, 8))
    assert hooks == [False] * 3


class Wider(Callback):
    """Widens a hidden layer, half of whose units are dead, by four before each of these steps."""

    def __init__(self, *steps, bias=-1e3):
        self.steps, self.bias = steps, bias

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step in self.steps:
            width = 12 + 4 * self.steps.index(trainer.global_step)
            first, then = half_dead(width, self.bias), nn.Linear(width, 6)
            pl_module.network[0], pl_module.network[2] = first, then
            trainer.optimizers = [torch.optim.SGD(pl_module.parameters(), 1e-3)]


def half_dead(width, bias=-1e3):
    layer = nn.Linear(5, width)
    nn.init.constant_(layer.bias, 1e3)
    nn.init.constant_(layer.bias[::2], bias)
    return layer


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("every", "steps", "shares"),
    [
        # Eight steps an epoch. Widened within a window: left out of it. Between two: none is lost.
        (None, (12,), [0.5, None, 0.5, 0.5]),
        (None, (16,), [0.5, 0.5, 0.5, 0.5]),
        (None, (2, 12, 16, 25), [None, None, 0.5, None]),
        (8, (12, 13), [0.5, None, 0.5, 0.5]),
        (16, (16,), [0.5, 0.5]),
        (16, (12,), [None, 0.5]),
    ],
)
def test_dead_units_of_a_layer_that_is_widened_are_those_of_its_new_width(
    every, steps, shares, compiled
):
    torch.manual_seed(0)
    network = nn.Sequential(half_dead(8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    if compiled:
        network.compile(backend="eager")
    monitor = DeadReLUMonitor(every)
    trainer = quiet_trainer(max_epochs=4, callbacks=[Wider(*steps), monitor])
    trainer.fit(Research(network), samples(64, 8))
    assert not monitor.failed
    found = monitor.history["network.1"]
    assert [None if share != share else share for share in found] == shares
    width = 8 + 4 * len(steps)
    dead = {site: mask.tolist() for site, mask in monitor.dead_units.items()}
    assert dead.get("network.1") == (None if shares[-1] is None else [True, False] * (width // 2))
    assert len(dead["network.3"]) == 6


@pytest.mark.parametrize("every", [None, 8])
def test_a_layer_may_be_widened_once_the_first_batch_of_a_window_has_begun(every):
    torch.manual_seed(0)
    network = nn.Sequential(half_dead(8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    monitor = DeadReLUMonitor(every)
    trainer = quiet_trainer(max_epochs=4, callbacks=[monitor, Wider(8, 16)])
    trainer.fit(Research(network), samples(64, 8))
    assert monitor.history["network.1"] == [0.5] * 4
    assert monitor.dead_units["network.1"].tolist() == [True, False] * 8


@pytest.mark.parametrize("steps", [(12, 21, 37), (12, 20, 28, 36), (14, 15, 16, 17, 31)])
def test_a_layer_may_be_widened_after_all_its_units_were_active(steps):
    torch.manual_seed(0)
    network = nn.Sequential(half_dead(8, 1e3), nn.ReLU(), nn.Linear(8, 6), nn.ReLU())
    monitor, model = DeadReLUMonitor(), Research(network.append(nn.Linear(6, 3)))
    trainer = quiet_trainer(max_epochs=6, callbacks=[Wider(*steps, bias=1e3), monitor])
    trainer.fit(model, samples(64, 8))
    assert monitor.history["network.1"] == [0.0] * 6
    assert len(monitor.dead_units["network.1"]) == network[0].out_features == 8 + 4 * len(steps)


@pytest.mark.filterwarnings("ignore:You.re resuming from a checkpoint")
@pytest.mark.parametrize(
    ("bias", "shares", "resumed_shares"),
    [
        # Seen in the window, which leaves it out.
        (-1e3, [0.5, None, 0.5], [0.5, None, 0.5]),
        # Not seen before the next window, as all units were active; a resumed run looks again.
        (1e3, [0.0, 0.0, 0.0], [0.0, None, 0.0]),
    ],
)
def test_a_layer_that_is_widened_is_followed_by_a_resumed_run(
    bias, shares, resumed_shares, tmp_path
):
    class Save(Callback):
        def on_train_batch_end(self, trainer, *_):
            if trainer.global_step == 14:
                trainer.save_checkpoint(tmp_path / "run.ckpt")

    def fit(width, callbacks, **options):
        torch.manual_seed(0)
        network = nn.Sequential(half_dead(width, bias), nn.ReLU(), nn.Linear(width, 6), nn.ReLU())
        monitor = DeadReLUMonitor()
        trainer = quiet_trainer(callbacks=[monitor, *callbacks], max_epochs=3)
        model = Research(network.append(nn.Linear(6, 3)))
        trainer.fit(model, samples(64, 8), **options)
        return monitor

    through = fit(8, [Wider(12, bias=bias), Save()])
    resumed = fit(12, [], ckpt_path=tmp_path / "run.ckpt")
    for monitor, expected in ((through, shares), (resumed, resumed_shares)):
        found = monitor.history["network.1"]
        assert [None if share != share else share for share in found] == expected
        assert [len(mask) for mask in monitor.dead_units.values()] == [12, 6]
