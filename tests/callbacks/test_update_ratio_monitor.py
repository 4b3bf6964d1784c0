import csv
from pathlib import Path

import matplotlib
import pytest
import torch
from helpers.game import InnerSteps, Seldom
from helpers.research import Research, fit, loader
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.nn import functional as F

from torchvitals.callbacks import GradientNormMonitor, UpdateRatioMonitor

matplotlib.use("agg")


class Moved(Callback):
    """Ratio of each layer and of all by copies of all weights, in double precision."""

    def __init__(self):
        self.by_layer, self.totals, self.lengths = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before = {n: p.detach().double().clone() for n, p in pl_module.named_parameters()}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        old, moved = {}, {}
        for name, parameter in pl_module.named_parameters():
            layer = name.rpartition(".")[0]
            change = parameter.detach().double() - self.before[name]
            old.setdefault(layer, []).append(self.before[name].flatten())
            moved.setdefault(layer, []).append(change.flatten())
        ratios = {n: torch.cat(moved[n]).norm() / torch.cat(old[n]).norm() for n in old}
        self.by_layer.append({name: ratio.item() for name, ratio in ratios.items()})
        whole = [torch.cat([torch.cat(p) for p in parts.values()]).norm() for parts in (moved, old)]
        self.totals.append((whole[0] / whole[1]).item())
        self.lengths.append(whole[1].item())


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
        (torch.optim.AdamW, {"lr": 1e-3}),
        (torch.optim.Adagrad, {"lr": 1e-2}),
        (torch.optim.LBFGS, {"lr": 0.1}),
        (torch.optim.Adam, {"lr": 1e-3, "fused": True}),
    ],
)
@pytest.mark.parametrize("every", [1, 3])
def test_ratios_are_those_of_copies_of_all_weights(optimizer, options, every):
    monitor, moved = UpdateRatioMonitor(every), Moved()
    model = Research(mlp(), optimizer, **options)
    fit(model, loader(torch.randn(80, 5)), [monitor, moved], gradient_clip_val=None)
    assert monitor.steps == list(range(every - 1, 20, every))
    for i, step in enumerate(monitor.steps):
        found = {layer: ratios[i] for layer, ratios in monitor.history.items()}
        assert found == pytest.approx(moved.by_layer[step], rel=1e-5)
    assert monitor.total_ratio == pytest.approx(moved.totals[monitor.steps[-1]], rel=1e-5)
    first, last = moved.lengths[monitor.steps[0]], moved.lengths[monitor.steps[-1]]
    assert monitor.growth == pytest.approx(last / first, rel=1e-5)
    assert monitor.unmoved == monitor.frozen == []


@pytest.mark.parametrize("fused", [False, True])
def test_what_is_written_between_two_steps_is_not_part_of_either(fused):
    class Shrink(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            with torch.no_grad():
                pl_module.network[0].weight.mul_(0.9)

    monitor, moved = UpdateRatioMonitor(1), Moved()
    model = Research(mlp(), torch.optim.Adam, lr=1e-3, fused=fused)
    fit(model, loader(torch.randn(80, 5)), [Shrink(), monitor, moved])
    for step, expected in enumerate(moved.by_layer):
        found = {layer: ratios[step] for layer, ratios in monitor.history.items()}
        assert found == pytest.approx(expected, rel=1e-5)


def test_weights_are_copied_on_no_step_but_those_that_report():
    class Copies(Callback):
        seen = ()

        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            self.seen += (len(monitor._before),)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            self.seen += (len(monitor._before),)

    class After(Copies):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.seen += (len(monitor._before),)

    monitor, after = UpdateRatioMonitor(4), After()
    fit(Research(mlp()), loader(torch.randn(32, 5)), [monitor, after])
    assert sorted(after.seen) == [0] * 22 + [4] * 2


def test_copies_stay_only_where_step_after_step_is_compared():
    class Held(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            kept.append(len(monitor._before._kept))

    monitor, kept = UpdateRatioMonitor(1), []
    fit(Research(mlp()), loader(torch.randn(80, 5)), [monitor, Held()])
    assert kept == [0] * 11 + [4] * 9
    assert not monitor._before._kept


@pytest.mark.parametrize("accumulate", [1, 2])
def test_each_report_reaches_the_logger_on_its_axis(accumulate, tmp_path):
    monitor, logger = UpdateRatioMonitor(2), CSVLogger(tmp_path)
    data = loader(torch.randn(32, 5))
    model = Research(mlp())
    trainer = fit(model, data, [monitor], logger=logger, accumulate_grad_batches=accumulate)
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    logged = {int(row["step"]): float(row["update_ratio/network.0"]) for row in rows}
    assert list(logged) == monitor.steps == list(range(1, 8 // accumulate, 2))
    assert list(logged.values()) == pytest.approx(monitor.history["network.0"])
    assert "update_ratio/total" in trainer.callback_metrics


def test_frozen_parameters_are_named_and_those_that_do_not_move_are_said_once():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen = nn.Linear(5, 5).requires_grad_(False)
            self.used, self.unused = nn.Linear(5, 3), nn.Linear(5, 3)

        def forward(self, x):
            return self.used(self.frozen(x))

    monitor, moved = UpdateRatioMonitor(1), Moved()
    model = Research(Partly())
    nn.init.constant_(model.network.frozen.weight, 100.0)
    fit(model, loader(torch.randn(100, 5)), [monitor, moved])
    trained = {name: ratio for name, ratio in moved.by_layer[-1].items() if "frozen" not in name}
    assert monitor.ratios == pytest.approx(trained, rel=1e-5)
    # What is frozen does not dilute the ratio of all.
    assert monitor.total_ratio > max(trained.values()) / 2
    assert monitor.frozen == ["network.frozen.weight", "network.frozen.bias"]
    assert monitor.unmoved == ["network.unused.weight", "network.unused.bias"]
    assert monitor.ratios["network.unused"] == 0.0
    (text,) = monitor.findings.values()
    assert "network.unused.weight, network.unused.bias" in text


@pytest.mark.parametrize("every", [1, 5])
def test_what_is_changed_in_place_between_the_optimisers_steps_moves(every):
    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.codes = nn.Linear(5, 3), nn.Parameter(torch.ones(4, 5))

        def forward(self, x):
            with torch.no_grad():
                self.codes.mul_(0.99).add_(x.mean(0), alpha=0.01)
            return self.linear(x)

    monitor = UpdateRatioMonitor(every)
    fit(Research(Codes()), loader(torch.randn(400, 5)), [monitor])
    assert monitor.unmoved == []
    assert monitor.findings == {}


class LateHead(Research):
    """Replaces its head once the optimiser has the old one's parameters."""

    def on_train_start(self):
        self.network[-1] = nn.Linear(4, 3)


def test_a_layer_replaced_behind_the_optimisers_back_is_frozen_and_the_old_one_forgotten():
    monitor = UpdateRatioMonitor(1)
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    fit(LateHead(network), loader(torch.randn(100, 5)), [monitor])
    assert monitor.ratios.keys() == {"network.0"}
    assert monitor.frozen == ["network.2.weight", "network.2.bias"]
    assert monitor.unmoved == []
    assert monitor.findings == {}


def test_a_learning_rate_of_zero_is_no_finding_and_weights_of_zero_have_no_ratio():
    network = mlp()
    nn.init.zeros_(network[2].weight)
    nn.init.zeros_(network[2].bias)
    monitor = UpdateRatioMonitor(1)
    fit(Research(network, lr=0.0), loader(torch.randn(32, 5)), [monitor])
    assert monitor.findings == {}
    assert monitor.ratios["network.0"] == 0.0
    assert monitor.ratios["network.2"] != monitor.ratios["network.2"]


def test_updates_lost_in_the_rounding_of_bfloat16_are_found():
    monitor = UpdateRatioMonitor(1)
    model = Research(mlp().bfloat16(), lr=1e-7)
    data = loader(torch.randn(100, 5).bfloat16())
    fit(model, data, [monitor])
    assert "network.0.weight" in monitor.unmoved
    (text,) = monitor.findings.values()
    assert "network.0.weight" in text


def test_steps_that_mixed_precision_skips_are_not_reported():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-15)
    monitor, moved = UpdateRatioMonitor(1), Moved()
    precision = MixedPrecision("16-mixed", "cpu", scaler)
    fit(Research(mlp()), loader(torch.randn(40, 5)), [monitor, moved], plugins=[precision])
    assert monitor.steps == [step for step, ratio in enumerate(moved.totals) if ratio > 0]
    assert 0 < len(monitor.steps) < 10
    assert monitor.findings == {}


def test_several_optimisers_make_one_report_of_a_batch():
    class Adversaries(LightningModule):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.critic = nn.Linear(4, 5), nn.Linear(5, 1)

        def training_step(self, batch, batch_idx):
            for optimizer, sign in zip(self.optimizers(), (1, -1), strict=True):
                optimizer.zero_grad()
                self.manual_backward(sign * self.critic(self.generator(batch[0])).mean())
                optimizer.step()

        def configure_optimizers(self):
            parts = (self.generator, self.critic)
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in parts]

    monitor, moved = UpdateRatioMonitor(1), Moved()
    fit(Adversaries(), loader(torch.randn(80, 4)), [monitor, moved])
    assert monitor.steps == list(range(20))
    assert monitor.ratios == pytest.approx(moved.by_layer[-1], rel=1e-5)


def test_by_hand_an_optimiser_reports_in_its_first_step_that_is_due_or_late():
    monitor, moved = UpdateRatioMonitor(4), Moved()
    model = Seldom()
    fit(model, loader(torch.randn(96, 4)), [monitor, moved])
    steps = {"generator": [5, 10, 15, 20], "critic": [3, 7, 11, 15, 19, 23]}
    assert set(monitor.history) == set(steps)
    for layer, ratios in monitor.history.items():
        reported = dict(zip(monitor.steps, ratios, strict=True))
        expected = {step: moved.by_layer[step][layer] for step in steps[layer]}
        found = {step: ratio for step, ratio in reported.items() if ratio == ratio}
        assert found == pytest.approx(expected, rel=1e-5)
    assert monitor.growth == pytest.approx(1, rel=0.05)


def test_steps_that_lightning_does_not_know_of_are_said():
    with pytest.warns(UserWarning, match=r"UpdateRatioMonitor has nothing to report"):
        fit(InnerSteps(), loader(torch.randn(16, 4)), [UpdateRatioMonitor(4)])


def test_a_resumed_run_records_as_an_uninterrupted_one_and_a_second_fit_starts_afresh(tmp_path):
    data = loader(torch.randn(32, 5))
    whole = UpdateRatioMonitor(3)
    fit(Research(mlp()), data, [whole], max_epochs=3)
    saving = ModelCheckpoint(tmp_path, save_top_k=-1)
    first = UpdateRatioMonitor(3)
    fit(Research(mlp()), data, [first, saving], enable_checkpointing=True)
    torch.load(saving.best_model_path, weights_only=True)
    resumed, model = UpdateRatioMonitor(3), Research(mlp())
    callbacks = [resumed, saving]
    trainer = quiet_trainer(max_epochs=3, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(model, data, ckpt_path=saving.best_model_path)
    assert resumed.steps == whole.steps
    for layer, ratios in whole.history.items():
        assert resumed.history[layer] == pytest.approx(ratios, rel=1e-6)
    assert resumed.growth == pytest.approx(whole.growth, rel=1e-6)
    fit(model, data, [resumed])
    assert resumed.steps == [2, 5]


def test_the_picture_shows_each_layer():
    monitor = UpdateRatioMonitor(1)
    with pytest.raises(ValueError, match="run fit first"):
        monitor.plot()
    fit(Research(mlp()), loader(torch.randn(16, 5)), [monitor])
    labels = [label.get_text() for label in monitor.plot().get_yticklabels()]
    assert labels == ["network.0", "network.2"]


def test_wrong_interval_is_refused_at_once():
    with pytest.raises(ValueError, match="every_n_steps"):
        UpdateRatioMonitor(0)


def test_a_bias_that_a_norm_takes_out_again_is_no_finding():
    class Shielded(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.out = nn.Linear(5, 8), nn.Linear(8, 3)

        def forward(self, x):
            weighed = F.linear(x, self.first.weight, self.first.bias.detach())
            return self.out(weighed - 0 * self.first.bias)

    monitor = UpdateRatioMonitor(1)
    fit(Research(Shielded()), loader(torch.randn(100, 5)), [monitor])
    assert monitor.unmoved == ["network.first.bias"]
    assert monitor.findings == {}


@pytest.mark.filterwarnings("ignore:.*returned `None`")
@pytest.mark.parametrize(("every", "steps"), [(1, [1, 3, 5, 7]), (3, [3, 5])])
def test_a_training_step_that_returns_nothing_is_no_step(every, steps):
    class Sometimes(Research):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) if batch_idx % 2 else None

    monitor, gradients, moved = UpdateRatioMonitor(every), GradientNormMonitor(every), Moved()
    fit(Sometimes(mlp()), loader(torch.randn(32, 5)), [monitor, gradients, moved])
    assert monitor.steps == gradients.steps == steps
    assert monitor.ratios == pytest.approx(moved.by_layer[steps[-1]], rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*returned `None`")
def test_of_several_batches_one_that_returns_nothing_does_not_hide_the_step():
    class Sometimes(Research):
        def training_step(self, batch, batch_idx):
            return None if batch_idx % 2 else super().training_step(batch, batch_idx)

    monitor, moved = UpdateRatioMonitor(1), Moved()
    data = loader(torch.randn(32, 5))
    fit(Sometimes(mlp()), data, [monitor, moved], accumulate_grad_batches=2)
    assert monitor.steps == [0, 1, 2, 3]
    assert monitor.ratios == pytest.approx(moved.by_layer[-1], rel=1e-5)


def test_a_step_without_gradients_moves_nothing_and_is_said():
    class Detached(Research):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            return loss.detach().requires_grad_()

    monitor = UpdateRatioMonitor(1)
    fit(Detached(mlp()), loader(torch.randn(100, 5)), [monitor])
    assert len(monitor.steps) == 25
    assert "4 parameters do not move" in monitor.findings["unmoved"]


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_a_lazy_layer_that_is_never_used_has_no_ratio():
    class Lazy(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.LazyLinear(3), nn.LazyLinear(3)

        def forward(self, x):
            return self.used(x)

    monitor = UpdateRatioMonitor(1)
    fit(Research(Lazy()), loader(torch.randn(16, 5)), [monitor])
    assert not monitor.failed
    assert list(monitor.ratios) == ["network.used"]


def test_a_rate_that_the_optimiser_finds_itself_is_no_error():
    class OwnRate(torch.optim.SGD):
        def step(self, closure=None):
            loss = closure()
            for group in self.param_groups:
                group["lr"] = 0.1
            super().step()
            for group in self.param_groups:
                group["lr"] = None
            return loss

    class Research2(Research):
        def configure_optimizers(self):
            optimizer = OwnRate(self.parameters(), lr=0.1)
            optimizer.param_groups[0]["lr"] = None
            return optimizer

    monitor = UpdateRatioMonitor(1)
    fit(Research2(mlp()), loader(torch.randn(16, 5)), [monitor])
    assert not monitor.failed
    assert len(monitor.steps) == 4


def test_steps_that_a_schedule_has_let_down_are_no_finding():
    class LetDown(Research):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.parameters(), lr=0.01)
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: 1e-8 ** min(step, 1)
            )
            return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    monitor = UpdateRatioMonitor(1)
    fit(LetDown(mlp()), loader(torch.randn(160, 5)), [monitor])
    assert monitor.total_ratio < 1e-8
    assert monitor.unmoved == []
