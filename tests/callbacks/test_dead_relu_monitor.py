import csv
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer, run
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch._dynamo.utils import counters
from torch.optim.swa_utils import get_ema_avg_fn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.callbacks import DeadReLUMonitor

WORKER = Path(__file__).with_name("train_dead_units_on_ranks.py")


class Research(LightningModule):
    """A plain module, as research code has it."""

    def __init__(self, network, lr=0.01):
        super().__init__()
        self.network = network
        self.lr = lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def validation_step(self, batch, batch_idx):
        self.network(batch[0])

    def predict_step(self, batch, batch_idx):
        return self.network(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def loader(x, batch_size=4, shuffle=False):
    y = torch.arange(len(x)) % 3
    return DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=shuffle)


def fit(model, data, callbacks, val=None, ckpt_path=None, **arguments):
    trainer = quiet_trainer(callbacks=callbacks, **arguments)
    trainer.fit(model, data, val, ckpt_path=ckpt_path)
    return trainer


class Plain(nn.Module):
    """Two hidden layers whose every activation is noted, unit by unit, in a plain loop."""

    def __init__(self, width=20):
        super().__init__()
        self.first, self.second = nn.Linear(6, width), nn.Linear(width, width)
        self.act, self.out = nn.ReLU(), nn.Linear(width, 3)
        self.batches = []

    def forward(self, x):
        one = self.act(self.first(x))
        two = F.relu(self.second(one))
        if self.training:
            noted = {"network.act": one, "network.relu": two}
            self.batches.append(
                {
                    site: [any(v > 0 for v in unit) for unit in outputs.t().tolist()]
                    for site, outputs in noted.items()
                }
            )
        return self.out(two)

    def dead(self, batches):
        """Units that none of these batches made active."""
        return {
            site: [not any(b[site][unit] for b in batches) for unit in range(len(batches[0][site]))]
            for site in ("network.act", "network.relu")
        }


class Keep(Callback):
    """Keep what a monitor says after each batch, last of all callbacks."""

    def __init__(self, monitor):
        self.monitor = monitor
        self.said = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.said.append({s: mask.tolist() for s, mask in self.monitor.dead_units.items()})


def partly_dead(seed, width=20):
    """A network with units of every chance to be active, a few of none."""
    torch.manual_seed(seed)
    network = Plain(width)
    with torch.no_grad():
        network.first.bias.uniform_(-4, 1)
        network.second.bias.uniform_(-3, 1)
    return network


@pytest.mark.parametrize("seed", range(4))
def test_each_epochs_masks_are_those_of_a_loop_over_all_its_batches(seed):
    network, monitor = partly_dead(seed), DeadReLUMonitor()
    keep = Keep(monitor)
    fit(
        Research(network, lr=0.5),
        loader(torch.randn(70, 6), batch_size=4, shuffle=True),  # the last batch has 2
        [monitor, keep],
        max_epochs=4,
    )
    per_epoch = [network.batches[i : i + 18] for i in range(0, 72, 18)]
    assert keep.said == [network.dead(batches) for batches in per_epoch]
    counts = [sum(map(sum, said.values())) for said in keep.said]
    assert min(counts) > 0
    assert max(counts) < 40
    total = sum(map(sum, keep.said[-1].values())) / 40
    assert monitor.total_dead_fraction == pytest.approx(total)
    assert monitor.dead_fraction["network.act"] == sum(keep.said[-1]["network.act"]) / 20


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_window_of_steps_is_one_on_the_loggers_axis(accumulate, tmp_path):
    network, monitor = partly_dead(1), DeadReLUMonitor(every_n_steps=5)
    logger = CSVLogger(tmp_path)
    fit(
        Research(network),
        loader(torch.randn(48, 6), batch_size=4),
        [monitor],
        logger=logger,
        max_epochs=2,
        accumulate_grad_batches=accumulate,
    )
    size = 5 * accumulate
    windows = [network.batches[i : i + size] for i in range(0, 24, size)]
    windows = [network.dead(batches) for batches in windows if len(batches) == size]
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == windows[-1]
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    logged = {int(r["step"]): float(r["dead_relu/total"]) for r in rows if r["dead_relu/total"]}
    shares = [sum(map(sum, window.values())) / 40 for window in windows]
    assert logged == pytest.approx(dict(zip(range(4, 99, 5), shares, strict=False)))


def test_units_that_die_and_revive_are_counted():
    class Switched(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out, self.steps = nn.Linear(4, 4), nn.Linear(4, 3), 0

        def forward(self, x):
            on = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]][self.steps // 3])
            self.steps += 1
            return self.out(F.relu(torch.ones(len(x), 4) * on + 0 * self.layer(x)))

    monitor = DeadReLUMonitor()

    class Count(Callback):
        counts = ()

        def on_train_epoch_end(self, trainer, pl_module):
            self.counts += ((dict(monitor.births), dict(monitor.revivals)),)

    count, site = Count(), "network.relu"
    trainer = fit(Research(Switched()), loader(torch.randn(12, 4)), [monitor, count], max_epochs=3)
    assert count.counts == (({}, {}), ({site: 1}, {site: 1}), ({site: 1}, {site: 1}))
    assert monitor.dead_units[site].tolist() == [True, False, False, True]
    assert trainer.callback_metrics["dead_relu/births"] == 1
    assert trainer.callback_metrics["dead_relu/total"] == 0.5


class Watched(Plain):
    """Counts the steps in which anything watched it."""

    def __init__(self, width=20):
        super().__init__(width)
        self.hooked = []

    def forward(self, x):
        if self.training:
            self.hooked.append(bool(self._forward_hooks))
        return super().forward(x)


def test_once_every_unit_was_active_nothing_is_watched_until_the_next_window():
    torch.manual_seed(0)
    network = Watched()
    fit(
        Research(network),
        loader(torch.randn(160, 6), batch_size=16),
        [DeadReLUMonitor()],
        max_epochs=3,
    )
    for window in (network.hooked[i : i + 10] for i in (0, 10, 20)):
        watched = sum(window)
        assert 1 <= watched <= 4
        assert window == [True] * watched + [False] * (10 - watched)


class Late(Watched):
    """An activation, a module or a function, that runs from one batch on."""

    def __init__(self, since, *, module):
        super().__init__()
        self.since, self.late = since, nn.ReLU() if module else F.relu

    def forward(self, x):
        outputs = super().forward(x)
        return self.late(outputs) if len(self.hooked) > self.since else outputs


@pytest.mark.parametrize("module", [False, True], ids=["function", "module"])
def test_an_activation_that_comes_late_in_the_first_window_is_found(module):
    torch.manual_seed(0)
    network, monitor = Late(20, module=module), DeadReLUMonitor()
    with torch.no_grad():
        network.second.bias.fill_(1.0)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    site = "network.late" if module else "network.relu#2"
    assert site in monitor.dead_units
    # Modules that have not run are waited for; functions are searched for now and then.
    assert all(network.hooked[:21]) == module
    assert network.hooked[16]
    assert network.hooked[32]
    assert not any(network.hooked[36:])


def test_while_a_unit_is_dead_the_others_are_looked_at_no_more(monkeypatch):
    torch.manual_seed(0)
    network, monitor, sizes = Plain(), DeadReLUMonitor(), []
    with torch.no_grad():
        network.second.bias.fill_(1.0)
        network.first.bias[3] = network.second.bias[5] = -1e3
    from torchvitals.callbacks.monitoring import unit_watch

    def spy(outputs, unit_dim, **rule):
        sizes.append(outputs.shape[1])
        return active(outputs, unit_dim, **rule)

    active = unit_watch.active_units
    monkeypatch.setattr(unit_watch, "active_units", spy)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=16), [monitor])
    assert sizes[:2] == [20, 20]
    assert sizes[-2:] == [1, 1]
    assert [mask.nonzero().tolist() for mask in monitor.dead_units.values()] == [[[3]], [[5]]]


class Modules(nn.Module):
    """Activation modules alone; notes which units were active, and where there are hooks."""

    def __init__(self, *, repeated=False):
        super().__init__()
        self.first, self.second = nn.Linear(6, 20), nn.Linear(20, 20)
        self.one, self.two = nn.ReLU(), nn.ReLU(inplace=True)
        self.out, self.repeated = nn.Linear(20, 3), repeated
        self.batches, self.hooked = [], []

    def forward(self, x):
        one = self.one(self.first(x))
        two = self.two(self.second(one))
        if self.training:
            self.batches.append([(hidden > 0).any(0) for hidden in (one, two)])
            hooked = [module._forward_hooks for module in (self, self.one, self.two)]
            self.hooked.append(tuple(map(bool, hooked)))
        out = self.out(two).view(len(x), -1)
        return self.one(out) if self.repeated else out


def modules_with_dead_units(seed=0, **options):
    torch.manual_seed(seed)
    network = Modules(**options)
    with torch.no_grad():
        network.first.bias.uniform_(-4, 1)
        network.second.bias.fill_(2.0)
        network.first.bias[3] = -1e3
    return network


@pytest.mark.parametrize("seed", range(3))
def test_where_only_modules_are_left_each_has_a_hook_of_its_own(seed):
    network, monitor = modules_with_dead_units(seed), DeadReLUMonitor()
    keep = Keep(monitor)
    data = loader(torch.randn(160, 6), batch_size=4, shuffle=True)
    fit(Research(network, lr=0.1), data, [monitor, keep], max_epochs=3)
    for epoch in range(3):
        batches = network.batches[40 * epoch : 40 * epoch + 40]
        dead = [(~torch.stack(active).any(0)).tolist() for active in zip(*batches, strict=True)]
        assert keep.said[epoch] == {"network.one": dead[0], "network.two": dead[1]}
        hooked = network.hooked[40 * epoch : 40 * epoch + 40]
        # Everything is followed at first, and at each 16th batch; else what is undecided.
        assert [batch for batch in range(40) if hooked[batch][0]] == [0, 16, 32]
        assert all(one for _, one, _ in hooked)
        assert not any(two for everything, _, two in hooked[20:] if not everything)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_module_that_is_called_twice_is_followed_as_a_whole():
    network, monitor = modules_with_dead_units(repeated=True), DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    assert set(monitor.dead_units) == {"network.one", "network.two", "network.one#2"}
    assert all(everything for everything, _, _ in network.hooked)


def test_an_activation_that_is_taken_out_does_not_end_the_watch():
    network, monitor = modules_with_dead_units(), DeadReLUMonitor()

    class TakeOut(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 15:
                network.one = nn.Identity()

    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor, TakeOut()])
    assert not monitor.failed
    assert set(monitor.dead_units) == {"network.one", "network.two"}
    assert all(everything for everything, _, _ in network.hooked[18:])


def test_outputs_of_another_form_are_found_out_anew():
    network, monitor = modules_with_dead_units(), DeadReLUMonitor()

    def unsqueeze(module, args):
        return (args[0][None],) if len(network.batches) > 20 else None

    network.one.register_forward_pre_hook(unsqueeze)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    followed = [everything for everything, _, _ in network.hooked]
    assert not any(followed[18:21])
    assert all(followed[22:])
    assert not monitor.failed


def test_only_training_counts():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 3))
    network[0].weight.data = torch.eye(2)
    network[2].weight.data.zero_()
    dying, lively = torch.tensor([[1.0, -1.0]] * 8), torch.ones(8, 2)
    monitor, model = DeadReLUMonitor(), Research(network)
    trainer = fit(
        model, loader(dying), [monitor], loader(lively), max_epochs=2, val_check_interval=0.5
    )
    trainer.validate(model, loader(lively), verbose=False)
    trainer.predict(model, loader(lively))
    assert monitor.dead_units["network.1"].tolist() == [False, True]
    assert monitor.total_dead_fraction == 0.5


class Gan(LightningModule):
    """Manual optimisation, the critic on real and fake images in one step."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.make = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 5))
        self.judge = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
        with torch.no_grad():
            self.judge[0].weight.zero_()
            # Unit 0 is active on real images only, unit 1 on fakes only, unit 2 on none.
            self.judge[0].weight[0, 0], self.judge[0].weight[1, 0] = 1.0, -1.0
            self.judge[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0, 1.0]))
            self.make[2].weight.zero_()
            self.make[2].bias.fill_(-1.0)

    def training_step(self, batch, batch_idx):
        judge, make = self.optimizers()
        real = batch[0].abs() + 0.1
        fake = self.make(torch.randn(len(real), 2))
        loss = self.judge(fake.detach()).mean() - self.judge(real).mean()
        judge.zero_grad()
        self.manual_backward(loss)
        judge.step()
        make.zero_grad()
        self.manual_backward(-self.judge(fake).mean())
        make.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=1e-9) for part in (self.judge, self.make)]


@pytest.mark.parametrize("every", [None, 2])
def test_manual_optimisation_with_several_optimisers_and_passes(every, tmp_path):
    monitor, logger = DeadReLUMonitor(every_n_steps=every), CSVLogger(tmp_path)
    fit(Gan(), loader(torch.randn(24, 5)), [monitor], logger=logger)
    assert set(monitor.dead_units) == {"make.1", "judge.1"}
    assert monitor.dead_units["judge.1"].tolist() == [False, False, True, False]
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    assert [int(row["step"]) for row in rows] == ([5] if every is None else [1, 3, 5])


def compile_before(model):
    model.network.compile(backend="aot_eager")
    return model


def compile_and_run_before(model):
    model.network.compile(backend="aot_eager")
    model.network(torch.randn(4, 6)).sum().backward()
    return model


def wrap(model):
    model.network = torch.compile(model.network, backend="aot_eager")
    return model


def compile_on_fit_start(model):
    model.on_fit_start = lambda: model.network.compile(backend="aot_eager")
    return model


def compile_module(model):
    return torch.compile(model, backend="aot_eager")


def compile_function(model):
    step = torch.compile(model.loss, backend="aot_eager")
    model.training_step = lambda batch, batch_idx: step(*batch)
    return model


class Simple(Research):
    def loss(self, x, y):
        return F.cross_entropy(self.network(x), y)

    def training_step(self, batch, batch_idx):
        return self.loss(*batch)


class Quiet(nn.Module):
    """`Plain` without its notes, which no graph can hold."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 20), nn.Linear(20, 20)
        self.act, self.out = nn.ReLU(), nn.Linear(20, 3)

    def forward(self, x):
        return self.out(F.relu(self.second(self.act(self.first(x)))))


@pytest.mark.parametrize(
    ("prepare", "graphs"),
    [
        (compile_before, 2),
        (compile_and_run_before, 3),
        (wrap, 2),
        (compile_on_fit_start, 2),
        (compile_module, 2),
        (compile_function, 1),
    ],
)
def test_compiled_training_counts_as_eager_training_does_in_one_graph(prepare, graphs):
    data = loader(torch.randn(40, 6), batch_size=5)
    masks = []
    for how in (lambda model: model, prepare):
        torch._dynamo.reset()
        counters.clear()
        monitor, network = DeadReLUMonitor(), Quiet()
        network.load_state_dict(partly_dead(2).state_dict())
        fit(how(Simple(network)), data, [monitor], data, max_epochs=3)
        masks.append({site: mask.tolist() for site, mask in monitor.dead_units.items()})
    assert masks[0] == masks[1]
    assert set(masks[0]) == {"network.act", "network.relu"}
    assert any(masks[0]["network.act"])
    assert not counters["graph_break"]
    # One for training, and where validation is compiled too, one for that.
    assert counters["stats"]["unique_graphs"] == graphs


class Checkpointed(Plain):
    """What is computed again is not what was: every unit is active in it."""

    calls = 0

    def forward(self, x):
        return self.out(checkpoint(self.part, x.requires_grad_(), use_reentrant=self.reentrant))

    def part(self, x):
        self.calls += 1
        shift = 0.0 if self.calls % 2 else 1e6
        return F.relu(self.second(self.act(self.first(x) + shift)) + shift)


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_checkpointing_computes_again_is_not_counted(reentrant):
    torch.manual_seed(3)
    network, monitor = Checkpointed(), DeadReLUMonitor()
    network.reentrant = reentrant
    with torch.no_grad():
        network.second.bias.fill_(1.0)
        network.first.bias[2] = network.second.bias[4] = -1e3
    fit(Research(network, lr=0.0), loader(torch.randn(16, 6)), [monitor])
    assert network.calls == 8
    assert [mask.nonzero().flatten().tolist() for mask in monitor.dead_units.values()] == [[2], [4]]
    assert set(monitor.dead_units) == {"network.act", "network.relu"}


@pytest.mark.parametrize("activation", [F.relu, nn.ReLU()])
def test_an_encoder_is_seen_and_keeps_its_fast_path_in_validation(activation, monkeypatch):
    fast, calls = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(
        torch, "_transformer_encoder_layer_fwd", lambda *a, **k: calls.append(0) or fast(*a, **k)
    )
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation, batch_first=True)

    class Encoder(Research):
        def training_step(self, batch, batch_idx):
            return self.network(batch[0]).square().mean()

    monitor, data = DeadReLUMonitor(), loader(torch.randn(8, 5, 8))
    fit(Encoder(nn.TransformerEncoder(layer, 2)), data, [monitor], data, max_epochs=2)
    name = "relu" if activation is F.relu else "activation"
    assert set(monitor.dead_units) == {f"network.layers.{i}.{name}" for i in (0, 1)}
    assert {len(mask) for mask in monitor.dead_units.values()} == {16}
    assert len(calls) == 2 * 2 * 3  # layers, batches, validations


def test_weight_averaging_and_saved_models_neither_count_nor_break(tmp_path):
    class Save(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            torch.save(pl_module.network, tmp_path / "network.pt")

    averaging = WeightAveraging(avg_fn=get_ema_avg_fn(0.9))
    network, monitor = partly_dead(1), DeadReLUMonitor()
    data = loader(torch.randn(24, 6))
    trainer = fit(Research(network), data, [averaging, monitor, Save()], data, max_epochs=2)
    assert {s: m.tolist() for s, m in monitor.dead_units.items()} == network.dead(
        network.batches[-6:]
    )
    saved = torch.load(tmp_path / "network.pt", weights_only=False)
    saved(torch.randn(2, 6))
    assert trainer.global_step == 12
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_a_module_used_more_than_once_has_a_record_for_each_call():
    monitor = DeadReLUMonitor()
    fit(Research(resnet18(num_classes=3)), loader(torch.randn(4, 3, 32, 32)), [monitor])
    assert len(monitor.dead_units) == 17
    widths = sorted(len(mask) for mask in monitor.dead_units.values())
    assert widths == sorted([64] * 5 + [128] * 4 + [256] * 4 + [512] * 4)


def test_no_relu_is_nothing_and_not_a_healthy_zero():
    monitor = DeadReLUMonitor()
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    trainer = fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=2)
    assert monitor.dead_units == monitor.dead_fraction == {}
    assert monitor.total_dead_fraction != monitor.total_dead_fraction
    assert "dead_relu/total" not in trainer.callback_metrics


def test_a_relu_that_is_never_used_is_said_to_be_unseen():
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    network.spare = nn.ModuleList([nn.ReLU()])
    network.forward = lambda x: network[2](network[1](network[0](x)))
    monitor = DeadReLUMonitor()
    with pytest.warns(UserWarning, match="did not see 1 activation modules.*network.spare.0"):
        fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=2)
    assert set(monitor.dead_units) == {"network.1"}


def test_over_half_dead_is_said_once_with_the_figures(caplog):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        network[2].bias[:5] = -100.0
        network[0].bias[:4] = -100.0
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(80, 5)), [monitor], max_epochs=3)
    assert list(monitor.findings) == ["dead:network.3"]
    assert "5 of 8 units of network.3 (62%) are dead" in monitor.findings["dead:network.3"]
    assert caplog.text.count("5 of 8 units") == 1


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        (["elu", "gelu"], {"network.1": 1, "network.5": 1}),
        ({"elu": -0.5}, {"network.1": 2}),
        (["leaky_relu"], {"network.3": 3}),
        ({"sigmoid": 0.5}, {"network.7": 1}),
        ({"gelu": 0.0}, {"network.5": 0}),
    ],
)
def test_other_activations_have_their_own_thresholds(activations, expected):
    biases = [-5.0, -1.0, 1.0], [-5.0, -1.0, -0.1], [-5.0, 0.5, 1.0], [-3.0, 1.0, 2.0]
    acts = nn.ELU(), nn.LeakyReLU(), nn.GELU(), nn.Sigmoid()
    layers = []
    for bias, act in zip(biases, acts, strict=True):
        layer = nn.Linear(3, 3)
        layer.weight.data.zero_()
        layer.bias.data = torch.tensor(bias)
        layers += [layer, act]
    monitor = DeadReLUMonitor(activations=activations)
    fit(Research(nn.Sequential(*layers), lr=0.0), loader(torch.randn(8, 3)), [monitor])
    assert {site: int(mask.sum()) for site, mask in monitor.dead_units.items()} == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every_n_steps": 0}, ValueError, "`every_n_steps` to be at least 1, but got 0"),
        ({"observe_every_n_batches": -1}, ValueError, "`observe_every_n_batches` to be at least 1"),
        ({"activations": "relu"}, TypeError, r"write \['relu'\]"),
        ({"activations": ["ReLU"]}, ValueError, "but got 'ReLU'"),
        ({"activations": ["tanh"]}, ValueError, "give its threshold, as in {'tanh': 0.0}"),
        ({"activations": {"swish": 0.0}}, ValueError, "but got 'swish'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        DeadReLUMonitor(**arguments)


@pytest.mark.parametrize(
    ("yaml", "sites"),
    [("[relu, gelu]", ["relu", "gelu"]), ("{relu: 0.0, tanh: 0.1}", ["relu", "tanh"])],
)
def test_the_command_line_can_give_the_activations(yaml, sites):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(DeadReLUMonitor, "monitor")
    parsed = parser.parse_args([f"--monitor.activations={yaml}", "--monitor.every_n_steps=7"])
    monitor = parser.instantiate_classes(parsed).monitor
    assert monitor.every_n_steps == 7
    assert list(monitor._watch._rules) == sites


def test_only_some_batches_are_seen_where_that_is_asked_for():
    network, monitor = partly_dead(0), DeadReLUMonitor(observe_every_n_batches=3)
    fit(Research(network), loader(torch.randn(40, 6)), [monitor])
    expected = network.dead(network.batches[::3])
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == expected
    assert expected != network.dead(network.batches)


def test_a_monitor_that_fails_says_so_once_and_lets_training_go_on(monkeypatch):
    monkeypatch.setattr(
        "torchvitals.callbacks.monitoring.unit_watch.active_units", lambda *_, **__: 1 / 0
    )
    monitor = DeadReLUMonitor()
    with pytest.warns(UserWarning, match="DeadReLUMonitor switched itself off") as caught:
        trainer = fit(Research(Plain()), loader(torch.randn(16, 6)), [monitor], max_epochs=2)
    assert sum("switched itself off" in str(warning.message) for warning in caught) == 1
    assert monitor.failed
    assert trainer.global_step == 8
    assert monitor.dead_units == {}


class Interrupted(RuntimeError):
    pass


def test_an_error_in_a_step_leaves_nothing_behind():
    class Breaking(Plain):
        def forward(self, x):
            if len(self.batches) == 2:
                self.act(x)
                raise Interrupted
            return super().forward(x)

    network, monitor = Breaking(), DeadReLUMonitor()
    with pytest.raises(Interrupted):
        fit(Research(network), loader(torch.randn(16, 6)), [monitor])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    F.relu(torch.ones(2))
    assert monitor._watch._observer.drain() == []


class ResumableLoader(DataLoader):
    """Goes on, once, behind the batches that were done when it was saved."""

    done = skip = 0

    def __iter__(self):
        self.done, skip, self.skip = self.skip, self.skip, 0
        for batch in list(super().__iter__())[skip:]:
            self.done += 1
            yield batch

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state_dict):
        self.skip = state_dict["done"] % len(self)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("every", [None, 4])
@pytest.mark.parametrize("when", ["in an epoch", "after validation", "after an epoch"])
def test_a_resumed_run_says_what_an_uninterrupted_one_does(every, when, tmp_path):
    saving = {
        "in an epoch": {"every_n_train_steps": 7},
        "after validation": {"every_n_epochs": 1, "save_on_train_epoch_end": False},
        "after an epoch": {"every_n_epochs": 1, "save_on_train_epoch_end": True},
    }[when]
    samples = TensorDataset(torch.randn(60, 6), torch.arange(60) % 3)

    def run_one(ckpt_path=None):
        data = ResumableLoader(samples, batch_size=6)
        network, monitor = partly_dead(5), DeadReLUMonitor(every_n_steps=every)
        samples.tensors[0].copy_(torch.randn(60, 6))
        keep = Keep(monitor)
        saver = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, **saving)
        callbacks = [monitor, keep] if ckpt_path else [monitor, keep, saver]
        fit(
            Research(network, lr=3.0),
            data,
            callbacks,
            data,
            max_epochs=3,
            ckpt_path=ckpt_path,
            enable_checkpointing=ckpt_path is None,
        )
        state = {**monitor.state_dict(), "report": monitor._reporter.records["dead_relu"].history}
        return keep.said, state

    said, state = run_one()
    assert len({str(masks) for masks in said}) == 3
    path = tmp_path / ("step=7.ckpt" if when == "in an epoch" else "step=10.ckpt")
    torch.load(path, weights_only=True)
    said_again, state_again = run_one(path)
    assert said_again[-2:] == said[-2:]
    assert str(state_again) == str(state)


def test_a_second_fit_starts_afresh():
    monitor = DeadReLUMonitor()
    fit(Research(nn.Sequential(nn.Linear(5, 3), nn.ReLU())), loader(torch.randn(8, 5)), [monitor])
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU6(), nn.Linear(4, 3))
    fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=1)
    assert {site: len(mask) for site, mask in monitor.dead_units.items()} == {"network.1": 4}
    assert monitor.births == {}


def test_a_second_fit_of_the_same_trainer_opens_its_window_where_it_begins():
    network, monitor = partly_dead(0), DeadReLUMonitor(every_n_steps=3)
    model, data = Research(network), loader(torch.randn(20, 6))
    trainer = fit(model, data, [monitor])
    trainer.fit_loop.max_epochs = 2
    network.batches.clear()
    trainer.fit(model, data)
    expected = network.dead(network.batches[:3])
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == expected


def test_barebones_says_that_nothing_is_logged_and_counts_all_the_same():
    monitor, network = DeadReLUMonitor(), Plain()
    trainer = quiet_trainer(
        barebones=True,
        callbacks=[monitor],
        max_epochs=1,
        logger=None,
        enable_checkpointing=None,
        enable_progress_bar=None,
        enable_model_summary=None,
        log_every_n_steps=None,
    )
    with pytest.warns(UserWarning, match="logs nothing under"):
        trainer.fit(Research(network), loader(torch.randn(16, 6)))
    assert {s: m.tolist() for s, m in monitor.dead_units.items()} == network.dead(network.batches)


def test_ranks_join_their_windows_and_switch_off_together(tmp_path):
    run([sys.executable, WORKER, tmp_path], tmp_path)
    for rank in (0, 1):
        result = torch.load(tmp_path / f"{rank}", weights_only=True)
        # Unit 0 is active on rank 0, unit 1 on rank 1, unit 2 on both, unit 3 on none.
        assert result["dead"] == [False, False, False, True]
        assert result["window"] == [True, True, True, False]
        assert result["failed"]
        assert result["steps"] == 9


@pytest.mark.parametrize(
    ("batches", "bias", "found"), [(99, 0.0, 0), (120, 0.0, 0), (120, -9.0, 1)]
)
def test_units_that_are_active_for_few_inputs_are_dead_in_a_short_window_and_no_finding(
    batches, bias, found
):
    """Windows of one batch of one input: each holds a different unit, and 15 that seem dead."""
    network = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    nn.init.eye_(network[0].weight)
    nn.init.constant_(network[0].bias, bias)
    monitor = DeadReLUMonitor(1)
    inputs = torch.eye(16).repeat(8, 1)[:batches]
    fit(Research(network, lr=0.0), loader(inputs, batch_size=1), [monitor])
    assert monitor.total_dead_fraction == (15 / 16 if bias == 0 else 1.0)
    assert len(monitor.findings) == found
