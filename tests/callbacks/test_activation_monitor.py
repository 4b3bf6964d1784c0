import copy
import csv
import math
from pathlib import Path

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import ActivationMonitor, DeadReLUMonitor, GradientNormMonitor

matplotlib.use("agg")
ATTRIBUTES = ("mean", "variance", "saturated_fraction", "dormant_fraction", "drift")
LIMITS = {
    nn.Sigmoid: (torch.tensor(-5.0).double().sigmoid(), torch.tensor(5.0).double().sigmoid()),
    nn.Tanh: (-math.tanh(2.5), math.tanh(2.5)),
    nn.Hardtanh: (-1, 1),
    nn.ReLU6: (-math.inf, 6),
}


class Research(LightningModule):
    """A plain module, as research code has it."""

    def __init__(self, network, lr=0.5):
        super().__init__()
        self.network = network
        self.lr = lr

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Oracle(Callback):
    """Run each batch through a copy of the network in double precision, layer by layer."""

    def __init__(self):
        self.outputs = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        x, outputs = batch[0].double(), {}
        for name, layer in copy.deepcopy(pl_module.network).double().named_children():
            x = layer(x)
            if type(layer).__module__ == "torch.nn.modules.activation":
                outputs[f"network.{name}"] = (type(layer), x.detach())
        self.outputs.append(outputs)

    def statistics(self, batches):
        """Of each site its kind, and each unit's mean, variance, magnitude, share and noise."""
        found = {}
        for site, (kind, _) in self.outputs[batches[0]].items():
            outputs = torch.cat([self.outputs[i][site][1] for i in batches])
            low, high = LIMITS.get(kind, (math.nan, math.nan))
            rows = []
            for unit in outputs.movedim(1 if outputs.ndim == 4 else -1, 0):
                means = unit.flatten(1).mean(1) if unit.ndim > 1 else unit
                flat = ((unit <= low) | (unit >= high)).double().mean()
                share = flat if kind in LIMITS else math.nan
                noise = means.var() / len(means)
                rows.append([unit.mean(), unit.var(correction=0), unit.abs().mean(), share, noise])
            found[site] = (outputs, torch.tensor(rows, dtype=torch.float64).T)
        return found


def fit(model, data, callbacks, **arguments):
    trainer = quiet_trainer(callbacks=callbacks, **arguments)
    trainer.fit(model, data)
    return trainer


def loader(x, batch_size=4, classes=3):
    return DataLoader(TensorDataset(x, torch.arange(len(x)) % classes), batch_size=batch_size)


def random(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def hooks(module):
    return [h for m in module.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]


class Last(nn.Module):
    def forward(self, x):
        return x.mean(1)


def dense():
    return nn.Sequential(
        nn.Linear(5, 8), nn.Sigmoid(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
    ), random(36, 5)


def convolutions():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.ReLU6(),
        nn.Conv2d(4, 5, 3),
        nn.Hardtanh(),
        nn.Flatten(),
        nn.Linear(45, 6),
        nn.GELU(),
        nn.Linear(6, 3),
    ), random(36, 2, 7, 7)


def sequences():
    return nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.SiLU(), Last(), nn.Linear(6, 3)
    ), random(36, 7, 5)


@pytest.mark.parametrize("build", [dense, convolutions, sequences])
@pytest.mark.parametrize(("every", "accumulate"), [(1, 1), (2, 1), (2, 2)])
def test_a_report_equals_a_loop_in_double_precision(build, every, accumulate):
    torch.manual_seed(0)
    network, x = build()
    for layer in network:
        if hasattr(layer, "weight"):
            layer.weight.data *= 4
    with torch.no_grad():
        network[0].weight[1] = 0
        network[0].bias[1] = -1e-6
    monitor, oracle = ActivationMonitor(every, dormant_threshold=0.5), Oracle()
    model = Research(network, lr=0.05)
    fit(model, loader(x), [oracle, monitor], accumulate_grad_batches=accumulate)
    ends = [s for s in range(9 // accumulate) if (s + 1) % every == 0]
    before, now = (
        oracle.statistics(range(s * accumulate, (s + 1) * accumulate)) for s in ends[-2:]
    )
    assert list(monitor.mean) == list(now)
    for site, (outputs, units) in now.items():
        mean, _, magnitude, share, noise = units
        approx = lambda value: pytest.approx(float(value), rel=1e-5, abs=1e-7, nan_ok=True)  # noqa: E731
        assert monitor.mean[site] == approx(outputs.mean())
        assert monitor.variance[site] == approx(outputs.var(correction=0))
        assert monitor.saturated_fraction[site] == approx(share.mean())
        if not share.isnan().any():
            assert monitor.saturated_units[site].tolist() == (share > 0.5).tolist()
        dormant = magnitude <= 0.5 * magnitude.mean()
        assert monitor.dormant_units[site].tolist() == dormant.tolist()
        assert monitor.dormant_fraction[site] == approx(dormant.double().mean())
        old = before[site][1]
        moved = ((mean - old[0]) ** 2 - noise - old[4]).sum() / (old[1] + old[4]).sum()
        # A difference of means and noise: as exact as those are.
        assert monitor.drift[site] ** 2 == pytest.approx(max(0, float(moved)), abs=1e-5)
    shares = torch.cat([units[3] for _, units in now.values()])
    total = monitor._reporter.summary.last["saturated/total"]
    assert total == pytest.approx(shares.nanmean().item(), rel=1e-5)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_half_precision_is_measured_in_single_precision(precision):
    torch.manual_seed(0)
    network, x = dense()
    exact, half = ActivationMonitor(1), ActivationMonitor(1)
    fit(Research(copy.deepcopy(network), lr=0.0), loader(x, 36), [exact])
    fit(Research(network, lr=0.0), loader(x, 36), [half], precision=precision)
    for site, mean in exact.mean.items():
        assert half.mean[site] == pytest.approx(mean, abs=5e-3)
        assert half.variance[site] == pytest.approx(exact.variance[site], rel=0.05)


class Watch(Callback):
    """Hooks on the network and modes entered while each batch's forward pass runs."""

    def __init__(self):
        self.hooks, self.modes = [], []

    def look(self, *_):
        hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in self.network.modules()]
        self.hooks.append(sum(hooks))
        self.modes.append(torch._C._len_torch_function_stack())

    def on_fit_start(self, trainer, pl_module):
        self.network = pl_module.network
        self.network[0].forward = self.spy(self.network[0].forward)

    def spy(self, forward):
        def seen(x):
            self.look()
            return forward(x)

        return seen


def test_a_step_that_does_not_report_is_not_observed():
    watch = Watch()
    fit(Research(dense()[0]), loader(random(24, 5)), [watch, ActivationMonitor(3)])
    assert [hooks > 0 for hooks in watch.hooks] == [False, False, True] * 2
    assert watch.modes == [0, 0, 1] * 2


class Sites(nn.Module):
    """One activation used twice, one in place, one function, one that cannot be seen."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 6)
        self.act, self.inplace, self.out = nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x):
        x = self.act(self.b(self.act(self.a(x))))
        return self.out(F.silu(torch.sigmoid(self.inplace(self.c(x)))))


def test_every_call_is_a_site_with_the_units_of_its_layer():
    monitor = ActivationMonitor(1)
    fit(Research(Sites()), loader(random(16, 5)), [monitor])
    widths = {site: len(mask) for site, mask in monitor.dormant_units.items()}
    assert widths == {
        "network.act": 4,
        "network.act#2": 4,
        "network.inplace": 6,
        "network.sigmoid": 6,
        "network.silu": 6,
    }
    assert set(monitor.saturated_units) == {"network.act", "network.act#2", "network.sigmoid"}
    saturated = monitor.saturated_fraction
    assert {site for site in saturated if math.isnan(saturated[site])} == {
        "network.inplace",
        "network.silu",
    }


@pytest.mark.parametrize("batch_size", [2, 8, 64])
def test_a_network_that_does_not_change_has_no_drift_whatever_the_batch_size(batch_size):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(30, 200), nn.Tanh(), nn.Linear(200, 3))
    monitor = ActivationMonitor(1)
    data = loader(random(40 * batch_size, 30), batch_size)
    fit(Research(network, lr=0.0), data, [monitor])
    squares = [drift**2 for drift in monitor.history["drift"]["network.1"][1:]]
    # Without the noise of the two means it would be 2 / batch_size.
    assert sum(squares) / len(squares) < 0.2 * 2 / batch_size


class Shift(Callback):
    def on_train_batch_end(self, trainer, pl_module, *_):
        pl_module.network[0].bias.data += 1.0


def test_a_shift_of_all_units_by_one_standard_deviation_is_a_drift_of_one():
    network = nn.Sequential(nn.Linear(16, 16), nn.LeakyReLU(1.0), nn.Linear(16, 3))
    network[0].weight.data = torch.eye(16)
    monitor = ActivationMonitor(1)
    fit(Research(network, lr=0.0), loader(random(1600, 16), 200), [monitor, Shift()])
    assert monitor.drift["network.1"] == pytest.approx(1, abs=0.05)


def digits_network(activation, norm, seed):
    torch.manual_seed(seed)
    layers, width = [], 64
    for _ in range(4):
        layer = nn.Linear(width, 64)
        nn.init.normal_(layer.weight, std=0.5)
        layers += [layer, nn.BatchNorm1d(64) if norm else nn.Identity(), activation()]
        width = 64
    return Research(nn.Sequential(*layers, nn.Linear(64, 10)), lr=0.5)


class Moves(Callback):
    """Root mean square move of the units' means between reports, sampling noise and all."""

    def __init__(self, monitor):
        self.monitor, self.before, self.moves = monitor, None, []

    def on_train_batch_end(self, trainer, pl_module, *_):
        now = self.monitor._statistics
        if now and now is not self.before:
            if self.before:
                pairs = [(self.before[site], units) for site, units in now.items()]
                squares = [(b.mean - a.mean).square().sum() / a.variance.sum() for a, b in pairs]
                self.moves.append(torch.stack(squares).mean().sqrt().item())
            self.before = now


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batch_normalisation_reduces_drift_and_saturation_on_real_data(activation, seed):
    x, y = (torch.from_numpy(a) for a in load_digits(return_X_y=True))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    data = TensorDataset(x[order].float() / 16, y[order])
    found = []
    for norm in (False, True):
        monitor = ActivationMonitor(5)
        moves, loaded = Moves(monitor), DataLoader(data, batch_size=64)
        fit(digits_network(activation, norm, seed), loaded, [monitor, moves], max_epochs=3)
        records = monitor._reporter.summary.history
        found.append([sum(records[name][1:]) for name in ("drift/mean", "saturated/total")])
        found[-1].append(sum(moves.moves))
    (drift, saturated, moved), (normed_drift, normed_saturated, normed_moved) = found
    assert normed_drift < 0.5 * drift
    assert normed_saturated < 0.5 * saturated
    # Of which none is owed to what is subtracted as noise.
    assert normed_moved < 0.5 * moved


class Validated(Research):
    def validation_step(self, batch, batch_idx):
        return self.training_step((batch[0] * 100, batch[1]), batch_idx)

    test_step = validation_step

    def predict_step(self, batch, batch_idx):
        return self.network(batch[0] * 100)


def values(monitor):
    """Everything of the last report, comparable."""
    return {name: getattr(monitor, name) for name in ATTRIBUTES}


def assert_same(monitor, other, **tolerance):
    for name in ATTRIBUTES:
        expected = getattr(other, name)
        assert getattr(monitor, name) == pytest.approx(expected, nan_ok=True, **tolerance)
        assert list(getattr(monitor, name)) == list(expected)


def test_only_training_is_counted():
    torch.manual_seed(0)
    network, x = dense()
    plain, monitor = ActivationMonitor(1), ActivationMonitor(1)
    fit(Research(copy.deepcopy(network)), loader(x), [plain])
    trainer = quiet_trainer(callbacks=[monitor], val_check_interval=1, num_sanity_val_steps=2)
    model = Validated(network)
    trainer.fit(model, loader(x), loader(x))
    trainer.test(model, loader(x), verbose=False)
    trainer.predict(model, loader(x))
    assert_same(monitor, plain)
    assert monitor.steps == list(range(9))


class Checkpointed(Research):
    def training_step(self, batch, batch_idx):
        x = checkpoint(self.network[:-1], batch[0], use_reentrant=False)
        return F.cross_entropy(self.network[-1](x), batch[1])


def test_what_activation_checkpointing_computes_again_is_not_counted():
    torch.manual_seed(0)
    network, x = dense()
    plain, monitor = ActivationMonitor(1), ActivationMonitor(1)
    fit(Research(copy.deepcopy(network)), loader(x), [plain])
    fit(Checkpointed(network), loader(x), [monitor])
    assert_same(monitor, plain)


class Adversarial(LightningModule):
    """Two optimisers, stepped by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(5, 5), nn.Tanh())
        self.critic = nn.Sequential(nn.Linear(5, 5), nn.Sigmoid(), nn.Linear(5, 1))

    def training_step(self, batch, batch_idx):
        first, second = self.optimizers()
        self.manual_backward(self.critic(batch[0]).mean())
        first.step()
        self.manual_backward(-self.critic(self.generator(batch[0])).mean())
        second.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(m.parameters(), lr=0.1) for m in (self.critic, self.generator)]


def test_manual_optimisation_with_two_optimisers_reports_once_a_step():
    monitor, model = ActivationMonitor(2), Adversarial()
    fit(model, loader(random(24, 5)), [monitor])
    assert monitor.steps == [1, 3, 5]
    assert set(monitor.mean) == {"critic.1", "generator.1"}
    assert not hooks(model)


class Skipping(Research):
    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx % 2 else loss


@pytest.mark.filterwarnings("ignore:.*returned .None.:UserWarning")
@pytest.mark.parametrize(("accumulate", "steps"), [(1, [0, 2]), (2, [0, 1])])
def test_a_skipped_batch_does_not_count(accumulate, steps):
    torch.manual_seed(0)
    network, x = dense()[0], random(16, 5)
    monitors, oracle = [ActivationMonitor(1), GradientNormMonitor(1)], Oracle()
    model = Skipping(network, lr=0.0)
    arguments = {"accumulate_grad_batches": accumulate}
    trainer = fit(model, loader(x), [oracle, *monitors], **arguments)
    assert not monitors[0].failed
    assert trainer.fit_loop.epoch_loop.total_batch_idx == 3
    assert [monitor.steps for monitor in monitors] == [steps] * 2
    for site, (outputs, _) in oracle.statistics([2]).items():
        assert monitors[0].mean[site] == pytest.approx(float(outputs.mean()), rel=1e-5)


class BreakingOff(Research):
    """Ends each epoch before its last batch, and runs the network on other inputs then."""

    def on_train_batch_start(self, batch, batch_idx):
        return -1 if batch_idx == 2 else None

    def on_train_epoch_end(self):
        self.network(torch.full((4, 5), 1e3))

    def validation_step(self, batch, batch_idx):
        with torch.enable_grad():
            self.network(torch.full((4, 5), 1e3))


@pytest.mark.parametrize("validated", [False, True])
def test_what_runs_after_an_epoch_was_broken_off_is_not_counted(validated):
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.constant_(network[0].bias, -1e2)  # active on such inputs alone
    monitors, model = [ActivationMonitor(1), DeadReLUMonitor()], BreakingOff(network)
    trainer = quiet_trainer(callbacks=monitors, max_epochs=3, num_sanity_val_steps=0)
    trainer.fit(model, loader(random(16, 5)), loader(random(4, 5)) if validated else None)
    assert monitors[0].history["activation_mean"] == {"network.1": [0.0] * 6}
    assert monitors[1].history == {"network.1": [1.0] * 3}
    assert not hooks(model)


class Failing(Research):
    def training_step(self, batch, batch_idx):
        self.network(batch[0])
        raise KeyError("broken")


def test_nothing_is_left_after_training_an_exception_or_on_copies():
    monitor, model, average = ActivationMonitor(1), Research(dense()[0]), WeightAveraging()
    fit(model, loader(random(8, 5)), [average, monitor])
    assert not hooks(model)
    assert not hooks(average._average_model)
    failing = Failing(dense()[0])
    with pytest.raises(KeyError, match="broken"):
        fit(failing, loader(random(8, 5)), [ActivationMonitor(1)])
    assert not hooks(failing)
    assert torch._C._len_torch_function_stack() == 0


def test_a_second_fit_begins_afresh():
    monitor, once = ActivationMonitor(1), ActivationMonitor(1)
    torch.manual_seed(0)
    network, x = dense()
    fit(Research(dense()[0]), loader(x), [monitor])
    fit(Research(copy.deepcopy(network)), loader(x), [monitor])
    fit(Research(network), loader(x), [once])
    assert_same(monitor, once)
    for site, history in once.history["drift"].items():
        again = monitor.history["drift"][site]
        assert again == pytest.approx(history, nan_ok=True)


def test_a_resumed_run_reports_what_an_uninterrupted_one_does(tmp_path):
    torch.manual_seed(0)
    network, x = dense()
    model, whole = Research(network), ActivationMonitor(2)
    save = ModelCheckpoint(tmp_path, every_n_train_steps=9, save_top_k=-1, filename="{step}")
    settings = dict(enable_checkpointing=True, default_root_dir=tmp_path, max_epochs=2)
    fit(model, loader(x), [whole, save], **settings)
    path = tmp_path / "step=9.ckpt"
    assert torch.load(path, weights_only=True)["callbacks"][whole.state_key]
    resumed = ActivationMonitor(2)
    trainer = quiet_trainer(callbacks=[resumed, save], **settings)
    trainer.fit(Research(dense()[0]), loader(x), ckpt_path=path)
    assert_same(resumed, whole)
    for quantity, record in whole._reporter.records.items():
        again = resumed._reporter.records[quantity]
        assert again.steps == record.steps
        for site, history in record.history.items():
            assert again.history[site] == pytest.approx(history, nan_ok=True)
    assert resumed.saturated_units.keys() == whole.saturated_units.keys()


@pytest.mark.filterwarnings("ignore:.*barebones.*")
def test_barebones_keeps_the_figures():
    monitor = ActivationMonitor(1)
    settings = dict(logger=None, enable_checkpointing=None, enable_progress_bar=None)
    fit(
        Research(dense()[0]),
        loader(random(16, 5)),
        [monitor],
        **settings,
        enable_model_summary=None,
        log_every_n_steps=None,
        barebones=True,
    )
    assert set(monitor.mean) == {"network.1", "network.3"}


def test_a_model_without_an_activation_has_nothing_to_show():
    monitor = ActivationMonitor(1)
    fit(Research(nn.Linear(5, 3)), loader(random(16, 5)), [monitor])
    assert not monitor.failed
    assert all(value == {} for value in values(monitor).values())
    with pytest.raises(ValueError, match="A model without such layers"):
        monitor.plot()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
def test_it_is_said_that_torchscript_cannot_be_looked_into():
    network = nn.Sequential(torch.jit.script(nn.Tanh()), nn.Linear(6, 3))
    monitor = ActivationMonitor(1)
    with pytest.warns(UserWarning, match="ActivationMonitor sees no activation inside 'network.0'"):
        fit(Research(network), loader(random(8, 6)), [monitor])
    assert monitor.steps == []


def test_one_sample_a_step_has_no_drift_to_show_and_all_else(tmp_path):
    monitor, logger = ActivationMonitor(2), CSVLogger(tmp_path)
    fit(Research(dense()[0]), loader(random(8, 5), 1), [monitor], logger=logger)
    assert all(map(math.isnan, monitor.drift.values()))
    assert all(map(math.isfinite, monitor.variance.values()))
    assert monitor.steps == [1, 3, 5, 7]
    assert not monitor.failed


def test_two_monitors_watch_the_same_step_as_each_does_alone():
    torch.manual_seed(0)
    network, x = convolutions()
    alone, dead_alone = ActivationMonitor(2), DeadReLUMonitor()
    monitor, dead = ActivationMonitor(2), DeadReLUMonitor()
    fit(Research(copy.deepcopy(network)), loader(x), [alone])
    fit(Research(copy.deepcopy(network)), loader(x), [dead_alone])
    fit(Research(network), loader(x), [dead, monitor])
    assert_same(monitor, alone)
    assert dead.dead_units.keys() == dead_alone.dead_units.keys() == {"network.1"}
    assert torch.equal(dead.dead_units["network.1"], dead_alone.dead_units["network.1"])


def test_values_reach_the_loggers_on_their_own_axis(tmp_path):
    logger, monitor = CSVLogger(tmp_path), ActivationMonitor()
    model = Research(dense()[0])
    trainer = fit(model, loader(random(40, 5)), [monitor], logger=logger, log_every_n_steps=4)
    rows = list(csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == monitor.steps == [3, 7]
    for name, value in monitor.drift.items():
        assert not rows[0][f"drift/{name}"]
        assert float(rows[1][f"drift/{name}"]) == pytest.approx(value)
    for name, values in {
        "saturated": monitor.saturated_fraction,
        "dormant": monitor.dormant_fraction,
        "activation_mean": monitor.mean,
        "activation_variance": monitor.variance,
    }.items():
        for site, value in values.items():
            assert float(rows[1][f"{name}/{site}"]) == pytest.approx(value)
            logged = trainer.callback_metrics[f"{name}/{site}"].item()
            assert logged == pytest.approx(value, rel=1e-6)
    assert {"saturated/total", "dormant/total", "drift/mean"} <= rows[1].keys()


@pytest.mark.parametrize(
    ("activation", "scale", "reports", "expected"),
    [
        (nn.Sigmoid, 1e4, 1, []),
        (nn.Sigmoid, 1e4, 4, ["saturated/network.1"]),
        (nn.Sigmoid, 1.0, 4, []),
        (nn.Tanh, 1e4, 2, ["saturated/network.1"]),
        (nn.ReLU, 1e4, 4, []),
    ],
)
def test_saturation_at_two_reports_is_said_once(activation, scale, reports, expected, caplog):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), activation(), nn.Linear(8, 3))
    network[0].weight.data *= scale
    monitor = ActivationMonitor(1)
    fit(Research(network, lr=0.0), loader(random(4 * reports, 5)), [monitor])
    assert list(monitor.findings) == expected
    said = [r for r in caplog.records if "saturated" in r.getMessage()]
    assert len(said) == len(expected)


def test_exactly_half_is_not_more_than_half():
    network = nn.Sequential(nn.Hardtanh(), nn.Linear(1, 3))
    x = torch.zeros(10, 1)
    x[[0, 1, 5, 6, 7]] = 5.0  # two of the first five and three of the others
    monitor = ActivationMonitor(1)
    fit(Research(network), loader(x, batch_size=5), [monitor], accumulate_grad_batches=2)
    assert monitor.saturated_fraction == {"network.0": 0.5}
    assert monitor.saturated_units["network.0"].tolist() == [False]


def test_an_output_that_is_sure_of_itself_is_no_finding():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 3), nn.Sigmoid())
    network[0].weight.data *= 1e4
    monitor = ActivationMonitor(1)
    fit(Research(network, lr=0.0), loader(random(16, 5)), [monitor])
    assert monitor.saturated_fraction["network.1"] > 0.9
    assert monitor.findings == {}


class Remains(Callback):
    """What is left on the network after each batch."""

    def __init__(self):
        self.found = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.found.append(len(hooks(pl_module)) + torch._C._len_torch_function_stack())


@pytest.mark.parametrize("manual", [False, True])
@pytest.mark.parametrize("broken", ["unit_moments", "sums_by_site", "join_ranks", "mean_drift"])
def test_a_monitor_that_fails_says_so_once_and_lets_training_go_on(broken, manual, monkeypatch):
    monkeypatch.setattr(
        f"torchvitals.callbacks.activation_monitor.{broken}", lambda *_, **__: 1 / 0
    )
    monitor, remains = ActivationMonitor(1), Remains()
    model = Adversarial() if manual else Research(dense()[0])
    with pytest.warns(UserWarning, match="switched itself off") as caught:
        trainer = fit(model, loader(random(16, 5)), [monitor, remains])
    assert sum("switched itself off" in str(w.message) for w in caught) == 1
    assert monitor.failed
    assert remains.found == [0] * 4
    assert trainer.global_step == (8 if manual else 4)


@pytest.mark.parametrize(
    "quantity", ["drift", "saturated", "dormant", "activation_mean", "activation_variance"]
)
def test_the_picture_shows_sites_from_input_to_output(quantity, tmp_path):
    monitor = ActivationMonitor(1)
    fit(Research(dense()[0]), loader(random(36, 5)), [monitor])
    ax = monitor.plot(quantity)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["network.1", "network.3"]
    ax.figure.savefig(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_n_steps": 0}, "every_n_steps"),
        ({"dormant_threshold": -0.1}, "dormant_threshold"),
        ({"dormant_threshold": math.nan}, "dormant_threshold"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        ActivationMonitor(**arguments)


def test_an_unknown_quantity_is_refused():
    with pytest.raises(ValueError, match="quantity"):
        ActivationMonitor().plot("gradients")
