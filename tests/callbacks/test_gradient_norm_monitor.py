import copy
import csv
import logging
import math
import pickle
import statistics
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from helpers.game import Game, InnerSteps, Seldom
from helpers.research import Research, fit, loader
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import GradientAccumulationScheduler, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import GradientNormMonitor

matplotlib.use("agg")


class Seen(Callback):
    """Norms of all gradients in double precision, as the optimiser is about to use them."""

    def __init__(self):
        self.totals, self.by_layer = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        layers = {}
        for name, parameter in pl_module.named_parameters():
            if parameter.grad is not None:
                gradient = parameter.grad.to_dense().detach()
                layers.setdefault(name.rpartition(".")[0], []).append(gradient.abs().double())
        norms = {n: torch.cat([g.flatten() for g in gs]).norm() for n, gs in layers.items()}
        self.by_layer.append({name: norm.item() for name, norm in norms.items()})
        self.totals.append(torch.stack(list(norms.values())).norm().item())


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def totals(monitor):
    return monitor._reporter.summary.history["grad_norm/total"]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_norms_are_those_before_clipping_once_a_step(accumulate):
    monitor, seen = GradientNormMonitor(every_n_steps=1), Seen()
    data = loader(torch.randn(16, 5))
    trainer = fit(
        Research(mlp()),
        data,
        [monitor, seen],
        gradient_clip_val=1e-3,
        accumulate_grad_batches=accumulate,
    )
    assert monitor.steps == list(range(4 // accumulate))
    assert totals(monitor) == pytest.approx(seen.totals, rel=1e-5)
    for layer, norms in monitor.history.items():
        assert norms == pytest.approx([step[layer] for step in seen.by_layer], rel=1e-5)
    assert list(monitor.norms) == ["network.0", "network.2"]
    assert trainer.callback_metrics["grad_norm/total"].item() == pytest.approx(monitor.total_norm)
    assert monitor.clipped_share == 1.0


@pytest.mark.parametrize(
    ("algorithm", "norm_type"), [("norm", 2.0), ("norm", float("inf")), ("value", 2.0)]
)
def test_the_share_of_clipped_steps_is_that_of_a_plain_count(algorithm, norm_type):
    monitor = GradientNormMonitor(every_n_steps=1, norm_type=norm_type)

    class Count(Callback):
        found = ()

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            gradient = torch.cat([p.grad.flatten() for p in pl_module.parameters()])
            self.found += (gradient.norm(float("inf") if algorithm == "value" else 2).item(),)

    count, data = Count(), loader(torch.randn(40, 5))
    fit(Research(mlp()), data, [count])
    limit = sorted(count.found)[5] * 0.999
    count.found = ()
    fit(
        Research(mlp()),
        data,
        [monitor, count],
        gradient_clip_val=limit,
        gradient_clip_algorithm=algorithm,
    )
    share = sum(norm > limit for norm in count.found) / 10
    assert 0 < share < 1
    assert monitor.clipped_share == pytest.approx(share)


@pytest.mark.parametrize(("every", "steps"), [(3, [2, 5, 8]), (1, list(range(10)))])
def test_each_report_reaches_the_logger_whatever_the_trainer_logs(every, steps, tmp_path):
    monitor, logger, seen = GradientNormMonitor(every_n_steps=every), CSVLogger(tmp_path), Seen()
    data = loader(torch.randn(40, 5))
    fit(Research(mlp()), data, [monitor, seen], logger=logger, log_every_n_steps=4)
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    logged = {int(row["step"]): float(row["grad_norm/total"]) for row in rows}
    assert list(logged) == monitor.steps == steps
    assert list(logged.values()) == pytest.approx([seen.totals[step] for step in steps])


@pytest.mark.parametrize("fused", [False, True])
def test_mixed_precision_norms_are_unscaled_and_skipped_steps_alarm_nobody(fused):
    model = Research(mlp(), torch.optim.Adam, lr=1e-3, fused=fused)
    twin = Research(mlp(), torch.optim.Adam, lr=1e-3)
    # The scale overflows half precision at first, as it does with its default on a GPU.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-15)
    monitor, reference, seen = GradientNormMonitor(1), GradientNormMonitor(1), Seen()
    data = loader(torch.randn(40, 5))
    precision = MixedPrecision("16-mixed", "cpu", scaler)
    fit(model, data, [monitor], plugins=[precision])
    fit(twin, data, [reference, seen])
    assert 0 < monitor.skipped_steps < 5
    assert monitor.findings == {}
    assert len(monitor.steps) == 10 - monitor.skipped_steps
    # After the skipped steps the weights are still those of the reference's first step.
    first = monitor.steps[0]
    batch = list(data)[first]
    network = mlp().double()
    F.cross_entropy(network(batch[0].double()), batch[1]).backward()
    expected = torch.cat([p.grad.flatten() for p in network.parameters()]).norm().item()
    assert totals(monitor)[0] == pytest.approx(expected, rel=2e-3)


def test_first_and_last_are_layers_of_one_optimiser():
    monitor = GradientNormMonitor(1)
    fit(
        Game(nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 1))),
        loader(torch.randn(8, 64)),
        [monitor],
    )
    assert list(monitor.profile) == ["maker", "judge.0", "judge.1"]
    # Of the maker alone, which has one layer.
    assert math.isnan(monitor.first_to_last_ratio)


@pytest.mark.parametrize("batches", [1, 3, 4])
def test_the_ratio_of_first_to_last_is_the_median_over_the_reports(batches):
    monitor, seen = GradientNormMonitor(1), Seen()
    network = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 3))
    fit(Research(network), loader(torch.randn(4 * batches, 5)), [monitor, seen])
    sizes = {"network.0": 18, "network.2": 12}
    profiles = [{n: x / sizes[n] ** 0.5 for n, x in norms.items()} for norms in seen.by_layer]
    expected = statistics.median(p["network.0"] / p["network.2"] for p in profiles)
    assert monitor.first_to_last_ratio == pytest.approx(expected, rel=1e-5)


class Adversaries(LightningModule):
    """Two optimisers that share nothing, each of whose losses reaches the other's weights."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = nn.Linear(4, 5), nn.Linear(5, 1)
        self.expected = []

    def training_step(self, batch, batch_idx):
        generator, critic = self.optimizers()
        for optimizer, part, sign in ((generator, self.generator, 1), (critic, self.critic, -1)):
            optimizer.zero_grad()
            self.manual_backward(sign * self.critic(torch.tanh(self.generator(batch[0]))).mean())
            gradient = torch.cat([p.grad.flatten() for p in part.parameters()])
            self.expected.append(gradient.norm().item())
            optimizer.step()

    def configure_optimizers(self):
        parts = (self.generator, self.critic)
        return [torch.optim.SGD(part.parameters(), lr=0.1) for part in parts]


def test_each_optimiser_has_its_own_gradients_and_the_axis_does_not_double(tmp_path):
    model, monitor, logger = Adversaries(), GradientNormMonitor(1), CSVLogger(tmp_path)
    fit(model, loader(torch.randn(12, 4)), [monitor], logger=logger)
    assert monitor.steps == [0, 1, 2]
    assert monitor.history["generator"] == pytest.approx(model.expected[::2], rel=1e-5)
    assert monitor.history["critic"] == pytest.approx(model.expected[1::2], rel=1e-5)
    assert monitor.total_norm == pytest.approx(math.hypot(*model.expected[-2:]), rel=1e-5)
    rows = list(csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines()))
    assert {int(row["step"]) for row in rows} == {0, 1, 2}
    assert float(rows[2]["grad_norm/total_0"]) == pytest.approx(model.expected[-2], rel=1e-5)
    assert "grad_norm/total_1" in rows[0]


def test_by_hand_an_optimiser_reports_in_its_first_step_that_is_due_or_late():
    monitor, seen = GradientNormMonitor(4), Seen()
    fit(Seldom(), loader(torch.randn(96, 4)), [monitor, seen])
    steps = {"generator": [5, 10, 15, 20], "critic": [3, 7, 11, 15, 19, 23]}
    for layer, norms in monitor.history.items():
        reported = zip(monitor.steps, norms, strict=True)
        assert [step for step, norm in reported if norm == norm] == steps[layer]
    # Both step in each fifth batch, the critic first.
    last = seen.by_layer[20 + 20 // 5 + 1]
    assert monitor.norms["generator"] == pytest.approx(last["generator"], rel=1e-5)


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before")
def test_a_late_report_is_made_by_a_resumed_run_too(tmp_path):
    class Saves(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 3:  # The generator, which made its step in the first, is behind.
                trainer.save_checkpoint(tmp_path / "behind.ckpt")

    whole, resumed, data = (
        GradientNormMonitor(4),
        GradientNormMonitor(4),
        loader(torch.randn(40, 4)),
    )
    fit(Seldom(), data, [whole, Saves()])
    fit(Seldom(), data, [resumed], ckpt_path=tmp_path / "behind.ckpt")
    assert resumed.steps == whole.steps == [3, 5, 7]


def test_steps_that_lightning_does_not_know_of_are_said_once():
    monitor = GradientNormMonitor(4)
    with pytest.warns(UserWarning, match=r"GradientNormMonitor has nothing to report") as said:
        fit(InnerSteps(), loader(torch.randn(16, 4)), [monitor])
    assert len([w for w in said if "nothing to report" in str(w.message)]) == 1
    assert monitor.steps == []


def test_a_fit_that_is_too_short_for_a_report_says_nothing(recwarn):
    fit(Research(mlp()), loader(torch.randn(16, 5)), [GradientNormMonitor(5)])
    assert not [w for w in recwarn if "nothing to report" in str(w.message)]


@pytest.mark.filterwarnings("ignore:.*returned `None`")
def test_a_training_step_that_returns_nothing_is_not_recorded():
    class Sometimes(Research):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) if batch_idx % 2 else None

    monitor = GradientNormMonitor(1)
    fit(Sometimes(mlp()), loader(torch.randn(16, 5)), [monitor])
    assert monitor.steps == [1, 3]
    assert not monitor.failed


def test_an_optimiser_that_calls_its_closure_often_takes_one_step():
    monitor = GradientNormMonitor(1)
    fit(Research(mlp(), torch.optim.LBFGS, lr=0.1), loader(torch.randn(16, 5)), [monitor])
    assert monitor.steps == [0, 1, 2, 3]


class Odd(nn.Module):
    """Tied, sparse, complex, frozen, unused and empty parameters."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4, sparse=True)
        self.first = nn.Linear(4, 4, bias=False)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.phase = nn.Parameter(torch.randn(4, dtype=torch.complex64))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.unused = nn.Linear(2, 2)
        self.empty = nn.Parameter(torch.zeros(0, 3))

    def forward(self, x):
        x = self.second(self.first(self.embedding(x).mean(1))) * self.phase
        return self.frozen(x.abs())[:, :3] + self.empty.sum()


def test_odd_parameters_are_counted_once_each():
    torch.manual_seed(0)
    monitor, seen = GradientNormMonitor(1), Seen()
    fit(Research(Odd()), loader(torch.randint(7, (16, 3))), [monitor, seen])
    assert not monitor.failed
    expected = seen.by_layer[-1]
    assert (
        set(monitor.norms)
        == set(expected)
        == {
            "network",
            "network.embedding",
            "network.first",
            "network.second",
        }
    )
    assert monitor.norms == pytest.approx(expected, rel=1e-5)
    assert monitor.total_norm == pytest.approx(seen.totals[-1], rel=1e-5)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_layer_without_entries_has_no_norm():
    class Widened(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.extra, self.last = nn.Linear(5, 6), nn.Linear(5, 0), nn.Linear(6, 3)

        def forward(self, x):
            return self.last(torch.cat([self.first(x), self.extra(x)], 1))

    monitor = GradientNormMonitor(1)
    fit(Research(Widened()), loader(torch.randn(8, 5)), [monitor])
    assert not monitor.failed
    assert list(monitor.norms) == list(monitor.profile) == ["network.first", "network.last"]


@pytest.mark.parametrize("strategy", [FSDPStrategy()])
def test_a_strategy_that_flattens_parameters_is_refused(strategy):
    monitor = GradientNormMonitor()
    with pytest.raises(TypeError, match="ModelParallelStrategy"):
        monitor.setup(SimpleNamespace(strategy=strategy), None, "fit")


def test_many_layers_make_a_few_charts_and_a_record_of_all(tmp_path):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(1, 1) for _ in range(10_000))

        def forward(self, x):
            for layer in self.layers:
                x = x * 0.999 + layer(x) * 1e-3
            return x.expand(-1, 3)

    monitor, logger = GradientNormMonitor(1), CSVLogger(tmp_path)
    fit(Research(Wide()), loader(torch.randn(8, 1)), [monitor], logger=logger)
    assert not monitor.failed
    assert len(monitor.norms) == 10_000
    header = Path(logger.log_dir, "metrics.csv").read_text().splitlines()[0].split(",")
    assert len([name for name in header if name.startswith("grad_norm/")]) < 10
    assert Path(logger.log_dir, "vitals", "grad_norm.png").stat().st_size > 0


def deep(activation, layers=30):
    torch.manual_seed(0)
    body = [part for _ in range(layers) for part in (nn.Linear(8, 8), activation())]
    return nn.Sequential(*body, nn.Linear(8, 3))


def test_vanishing_gradients_are_said_once_with_the_layer_where_it_begins(caplog):
    monitor = GradientNormMonitor(1)
    with caplog.at_level(logging.WARNING):
        fit(Research(deep(nn.Sigmoid)), loader(torch.randn(100, 8)), [monitor])
    (text,) = monitor.findings.values()
    assert [record.getMessage() for record in caplog.records].count(
        f"GradientNormMonitor: {text}"
    ) == 1
    profile = monitor.profile
    last = list(profile.values())[-1]
    begins = [layer for layer, norm in profile.items() if norm < 1e-3 * last][-1]
    assert f"vanish from {begins} towards" in text
    assert monitor.first_to_last_ratio < 1e-10


class Backwards(nn.Module):
    """Its output layer is registered first, and the others from behind."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.out, self.unused = nn.Linear(8, 3), nn.Linear(2, 2)
        self.body = nn.ModuleList(nn.Linear(8, 8) for _ in range(6))

    def forward(self, x):
        for layer in reversed(self.body):
            x = torch.sigmoid(layer(x))
        return self.out(x)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_layers_go_by_their_computation_and_not_by_registration(every, accumulate):
    monitor, model, bare = GradientNormMonitor(every), Research(Backwards()), Research(Backwards())
    data = loader(torch.randn(300, 8))
    fit(model, data, [monitor], accumulate_grad_batches=accumulate)
    names = [*(f"network.body.{i}" for i in range(5, -1, -1)), "network.out"]
    assert list(monitor.norms) == list(monitor.profile) == names
    assert "Gradients vanish" in monitor.findings["vanish_0"]
    assert len(monitor.findings) == 1
    assert monitor.first_to_last_ratio < 1e-3
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())
    fit(bare, data, [], accumulate_grad_batches=accumulate)
    assert all(map(torch.equal, model.parameters(), bare.parameters()))


def test_two_networks_with_backward_passes_of_their_own_stay_in_order():
    class Apart(Adversaries):
        def training_step(self, batch, batch_idx):
            for optimizer, part in zip(
                self.optimizers(), (self.generator, self.critic), strict=True
            ):
                optimizer.zero_grad()
                self.manual_backward(part(batch[0]).square().mean())
                optimizer.step()

    model, monitor = Apart(), GradientNormMonitor(1)
    model.generator = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 5))
    fit(model, loader(torch.randn(12, 5)), [monitor])
    assert list(monitor.profile) == ["generator.0", "generator.1", "critic"]


def test_a_fit_that_is_broken_off_in_its_first_batch_leaves_no_hook():
    class Breaks(Research):
        def training_step(self, batch, batch_idx):
            raise RuntimeError("broken")

    model = Breaks(mlp())
    with pytest.raises(RuntimeError, match="broken"):
        fit(model, loader(torch.randn(8, 5)), [GradientNormMonitor(1)])
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())


def test_a_compiled_network_goes_by_registration():
    network = mlp()
    model = Research(torch.compile(network, backend="aot_eager"))
    monitor = GradientNormMonitor(1)
    fit(model, loader(torch.randn(16, 5)), [monitor])
    assert list(monitor.norms) == ["network.0", "network.2"]


def test_a_monitor_can_be_copied_in_the_first_batch():
    class Copies(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            pickle.dumps(monitor)
            self.copy = copy.deepcopy(monitor)

    monitor, copies = GradientNormMonitor(1), Copies()
    fit(Research(mlp()), loader(torch.randn(4, 5)), [monitor, copies])
    assert copies.copy.steps == [0]


def test_exploding_gradients_are_said_once_with_the_layer_where_it_begins():
    network = deep(nn.LeakyReLU)
    for layer in network[1:-1:2]:
        layer.register_full_backward_hook(lambda module, grads, outputs: (grads[0] * 5.0,))
    monitor = GradientNormMonitor(1)
    same_batches = loader(torch.randn(3, 8).repeat(5, 1), 3)
    fit(Research(network, lr=1e-20), same_batches, [monitor])
    profile = monitor.profile
    last = list(profile.values())[-1]
    begins = [layer for layer, norm in profile.items() if norm > 1e3 * last][-1]
    assert list(monitor.findings) == ["explode_0"]
    assert f"explode from {begins} towards" in monitor.findings["explode_0"]


def test_a_norm_that_jumps_and_stays_is_an_explosion_and_a_single_jump_is_none():
    def findings(jumps):
        class Jumping(Research):
            def training_step(self, batch, batch_idx):
                loss = super().training_step(batch, batch_idx)
                return loss * 1e4 if batch_idx in jumps else loss

        monitor = GradientNormMonitor(1)
        fit(Jumping(mlp(), lr=1e-6), loader(torch.randn(80, 5)), [monitor])
        return monitor.findings

    assert findings({15}) == {}
    assert list(findings({15, 16, 17})) == ["growth_0"]


def test_a_gradient_that_is_not_finite_is_said_with_the_layer_where_it_arises():
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 3))
    network[2].register_full_backward_hook(lambda module, grads, outputs: (grads[0] * torch.inf,))
    monitor = GradientNormMonitor(1)
    fit(Research(network), loader(torch.randn(4, 5)), [monitor])
    assert "network.0 is not finite" in monitor.findings["non_finite_0"]


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.GELU])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 255.0])
def test_a_healthy_network_is_left_alone_whatever_its_input_scale(activation, scale):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(20, 64), activation(), nn.Linear(64, 32), activation(), nn.Linear(32, 3)
    )
    monitor = GradientNormMonitor(1)
    x = torch.randn(300, 20)
    fit(
        Research(network, torch.optim.Adam, lr=1e-3), loader(x * scale, 10), [monitor], max_epochs=3
    )
    assert monitor.findings == {}


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_the_size_of_a_layer_does_not_decide_its_place_in_the_profile(norm_type):
    class Sum(Research):
        """Each entry of each parameter has the gradient 3."""

        def training_step(self, batch, batch_idx):
            return 3 * sum(p.sum() for p in self.parameters())

    monitor = GradientNormMonitor(1, norm_type=norm_type)
    network = nn.Sequential(nn.Linear(2, 500), nn.Linear(500, 3), nn.Linear(3, 1))
    fit(Sum(network), loader(torch.randn(8, 2)), [monitor])
    assert list(monitor.profile.values()) == pytest.approx([3.0, 3.0, 3.0])
    assert monitor.first_to_last_ratio == pytest.approx(1.0)


class Linear(LightningModule):
    """Loss x.w with x ~ N(m, s): the gradient's signal is |m|^2, its noise is s^2 per weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(50))

    def training_step(self, batch, batch_idx):
        return (batch[0] @ self.weight).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def noisy(samples):
    return 0.2 + torch.randn(samples, 50, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("every", [1, 2])
def test_the_noise_scale_is_that_of_gradients_with_a_known_noise(every):
    monitor = GradientNormMonitor(every, noise_scale=True)
    fit(Linear(), loader(noisy(4000), 10), [monitor])
    assert monitor.noise_scale_value == pytest.approx(1 / 0.2**2, rel=0.3)


def test_the_noise_scale_knows_batches_of_different_sizes():
    class Sizes:
        def __iter__(self):
            start = 0
            for batch in range(400):
                size = 4 if batch % 2 else 40
                yield range(start, start + size)
                start += size

        def __len__(self):
            return 400

    x = noisy(8800)
    data = DataLoader(TensorDataset(x, x[:, 0]), batch_sampler=Sizes())
    monitor = GradientNormMonitor(2, noise_scale=True)
    fit(Linear(), data, [monitor])
    assert monitor.noise_scale_value == pytest.approx(1 / 0.2**2, rel=0.3)


def test_accumulation_that_begins_later_is_counted_by_the_noise_scale():
    monitor = GradientNormMonitor(1, noise_scale=True)
    schedule = GradientAccumulationScheduler({0: 1, 1: 8})
    fit(Linear(), loader(noisy(4000), 10), [schedule, monitor], max_epochs=9)
    assert monitor.noise_scale_value == pytest.approx(1 / 0.2**2, rel=0.3)


def test_steps_of_fewer_batches_than_they_are_divided_by_are_no_part_of_the_noise_scale():
    # Nine batches: the third step of each epoch has one, and its gradient is a quarter.
    monitor = GradientNormMonitor(1, noise_scale=True)
    fit(Linear(), loader(noisy(144), 16), [monitor], max_epochs=60, accumulate_grad_batches=4)
    same = GradientNormMonitor(1, noise_scale=True)
    fit(Linear(), loader(noisy(144)[:128], 16), [same], max_epochs=60, accumulate_grad_batches=4)
    assert len(monitor.steps) == 180
    assert len(same.steps) == 120
    assert monitor.noise_scale_value == pytest.approx(same.noise_scale_value, rel=0.3)


class LinearByHand(Linear):
    """Makes a step in every so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.automatic_optimization, self.batches = False, batches

    def training_step(self, batch, batch_idx):
        self.manual_backward(super().training_step(batch, batch_idx) / self.batches)
        if (batch_idx + 1) % self.batches == 0:
            self.optimizers().step()
            self.optimizers().zero_grad()


def test_the_noise_scale_of_manual_optimisation_needs_a_step_in_each_batch():
    monitor = GradientNormMonitor(2, noise_scale=True)
    fit(LinearByHand(1), loader(noisy(4000), 10), [monitor])
    assert monitor.noise_scale_value == pytest.approx(1 / 0.2**2, rel=0.3)
    fit(LinearByHand(4), loader(noisy(400), 10), [monitor])
    assert math.isnan(monitor.noise_scale_value)
    assert monitor.steps


class Connected(LightningModule):
    """Has weights and gradients in a compressed layout, which torch cannot average."""

    def __init__(self):
        super().__init__()
        self.links = nn.Parameter(torch.arange(12.0).view(3, 4).to_sparse_csr())

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(torch.sparse.mm(self.links, batch[0].T).T, batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_without_a_noise_scale_of_compressed_gradients_there_is_still_their_record():
    monitor = GradientNormMonitor(2, noise_scale=True)
    with pytest.warns(UserWarning, match="gave up on its noise scale"):
        fit(Connected(), loader(torch.randn(40, 4)), [monitor])
    assert not monitor.failed
    assert len(monitor.steps) == len(monitor.history["root"]) > 1
    assert math.isnan(monitor.noise_scale_value)
    assert monitor._noise._kept == {}


class BesideItself(LightningModule):
    """Its optimiser has parameters from outside, and it has a layer called other."""

    def __init__(self, outside):
        super().__init__()
        self.other, self.outside = nn.Linear(4, 3), [outside]

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.outside[0](self.other(batch[0])), batch[1])

    def on_before_optimizer_step(self, optimizer):
        layers = {"other": self.other, "other (outside)": self.outside[0]}
        self.norms = {
            name: math.hypot(*(float(p.grad.norm()) for p in layer.parameters()))
            for name, layer in layers.items()
        }

    def configure_optimizers(self):
        return torch.optim.SGD([*self.parameters(), *self.outside[0].parameters()], lr=0.1)


def test_parameters_from_outside_are_not_taken_for_a_layer_called_other():
    model, monitor = BesideItself(nn.Linear(3, 3)), GradientNormMonitor(1)
    fit(model, loader(torch.randn(4, 4)), [monitor])
    assert monitor.norms == pytest.approx(model.norms, rel=1e-5)


def test_the_noise_scale_of_a_second_fit_owes_nothing_to_the_first():
    again, fresh = (GradientNormMonitor(2, noise_scale=True) for _ in range(2))
    fit(Linear(), loader(noisy(400) + 1.0, 8), [again])
    for monitor in (again, fresh):
        fit(Linear(), loader(noisy(400), 16), [monitor])
    assert again.noise_scale_value == fresh.noise_scale_value


def test_batches_that_cannot_be_counted_cost_the_noise_scale_and_nothing_else():
    class Graph:
        def __init__(self, rows):
            self.x, self.y = torch.ones(len(rows), 5), torch.tensor(rows) % 3

    class OfGraphs(Research):
        def training_step(self, batch, batch_idx):
            return super().training_step((batch.x, batch.y), batch_idx)

    monitor = GradientNormMonitor(1, noise_scale=True)
    data = DataLoader(range(16), batch_size=4, collate_fn=Graph)
    with pytest.warns(UserWarning, match="gave up on its noise scale") as said:
        fit(OfGraphs(mlp()), data, [monitor])
    assert len([warning for warning in said if "noise scale" in str(warning.message)]) == 1
    assert monitor.steps == [0, 1, 2, 3]
    assert not monitor.failed
    assert math.isnan(monitor.noise_scale_value)


def test_a_resumed_run_records_as_an_uninterrupted_one_and_a_second_fit_starts_afresh(tmp_path):
    data = loader(torch.randn(32, 5))
    whole = GradientNormMonitor(3)
    fit(Research(mlp()), data, [whole], max_epochs=3, gradient_clip_val=0.5)
    saving = ModelCheckpoint(tmp_path, save_top_k=-1)
    arguments = {"enable_checkpointing": True, "gradient_clip_val": 0.5}
    first = GradientNormMonitor(3)
    fit(Research(mlp()), data, [first, saving], max_epochs=1, **arguments)
    torch.load(saving.best_model_path, weights_only=True)
    resumed, model = GradientNormMonitor(3), Research(mlp())
    trainer = quiet_trainer(max_epochs=3, callbacks=[resumed, saving], **arguments)
    trainer.fit(model, data, ckpt_path=saving.best_model_path)
    assert resumed.steps == whole.steps == [2, 5, 8, 11, 14, 17, 20, 23]
    for layer, norms in whole.history.items():
        assert resumed.history[layer] == pytest.approx(norms, rel=1e-6)
    assert resumed.running_deviation == pytest.approx(whole.running_deviation)
    assert resumed.clipped_share == whole.clipped_share
    fit(copy.deepcopy(model), data, [resumed])
    assert resumed.steps == [2, 5]


def test_a_gradient_too_small_for_squares_in_single_precision_is_not_called_zero():
    network, monitor = deep(nn.Sigmoid, 45), GradientNormMonitor(1)
    fit(Research(network), loader(torch.randn(4, 8)), [monitor])
    expected = torch.cat([p.grad.double().flatten() for p in network[0].parameters()]).norm()
    assert 0 < expected < 1e-22
    assert monitor.norms["network.0"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_picture_shows_weight_layers_from_input_to_output(tmp_path):
    network = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
    monitor = GradientNormMonitor(1)
    with pytest.raises(ValueError, match="run fit first"):
        monitor.plot()
    fit(Research(network), loader(torch.randn(2000, 5)), [monitor])
    ax = monitor.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["network.0", "network.3"]
    assert [float(note.get_text()) for note in ax.texts] == pytest.approx(
        [sorted(monitor.history[f"network.{i}"])[250] for i in (0, 3)], rel=0.05
    )
    ax.figure.savefig(tmp_path / "norms.png")


def test_the_picture_of_a_training_of_norms_alone_shows_these():
    network = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    network[0].requires_grad_(False)
    network[3].requires_grad_(False)
    monitor = GradientNormMonitor(1)
    fit(Research(network), loader(torch.randn(8, 5)), [monitor])
    assert [label.get_text() for label in monitor.plot().get_yticklabels()] == ["network.1"]


def test_a_fit_without_a_report_says_how_to_get_one():
    monitor = GradientNormMonitor(100)
    fit(Research(mlp()), loader(torch.randn(8, 5)), [monitor])
    with pytest.raises(ValueError, match="lower `every_n_steps`"):
        monitor.plot()


def test_a_record_that_was_loaded_can_be_looked_at_without_a_fit():
    monitor, loaded = GradientNormMonitor(1), GradientNormMonitor(1)
    fit(Research(mlp()), loader(torch.randn(8, 5)), [monitor])
    loaded.load_state_dict(monitor.state_dict())
    assert loaded.profile == monitor.profile != {}
    assert loaded.first_to_last_ratio == monitor.first_to_last_ratio
    assert len(loaded.plot().get_yticklabels()) == 2


@pytest.mark.parametrize(
    ("norms", "error", "match"),
    [
        ({"low": "a"}, TypeError, "`low` to be a number, but got 'a'"),
        ({"low": 0}, ValueError, "`low` to be above 0, but got 0"),
        ({"high": 1e-9}, ValueError, "`high` to be above 1e-08, but got 1e-09"),
        ({"high": float("inf")}, ValueError, "`high` to be finite, but got inf"),
    ],
)
def test_colours_of_no_range_are_refused(norms, error, match):
    with pytest.raises(error, match=match):
        GradientNormMonitor().plot(**norms)


@pytest.mark.parametrize(
    "arguments", [{"every_n_steps": 0}, {"every_n_steps": -1}, {"norm_type": 0.0}]
)
def test_wrong_arguments_are_refused_at_once(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        GradientNormMonitor(**arguments)


def test_the_first_steps_from_a_head_of_zeros_are_no_vanishing():
    network = mlp()
    nn.init.zeros_(network[-1].weight)
    monitor = GradientNormMonitor(1)
    fit(Research(network, lr=1e-6), loader(torch.randn(20, 5)), [monitor])
    assert monitor.first_to_last_ratio < 1e-3
    assert monitor.findings == {}
