import csv
from pathlib import Path

import matplotlib
import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor

matplotlib.use("agg")


class Research(LightningModule):
    """A plain module, as research code has it."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.expected = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def on_before_optimizer_step(self, optimizer):
        grads = [p.grad.double().flatten() for p in self.parameters()]
        self.expected.append(torch.cat(grads).norm().item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(model, data, callbacks, **arguments):
    trainer = quiet_trainer(callbacks=callbacks, **arguments)
    trainer.fit(model, data)
    return trainer


def loader(x, batch_size=4):
    y = torch.arange(len(x)) % 3
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradient_norms_are_those_before_clipping_once_a_step(accumulate):
    torch.manual_seed(0)
    model = Research(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)))
    monitor = GradientNormMonitor(every_n_steps=1)
    trainer = fit(
        model,
        loader(torch.randn(16, 5)),
        [monitor],
        gradient_clip_val=1e-3,
        accumulate_grad_batches=accumulate,
    )
    assert monitor.steps == list(range(4 // accumulate))
    totals = [
        sum(layer[i] ** 2 for layer in monitor.history.values()) ** 0.5
        for i in range(len(monitor.steps))
    ]
    assert totals == pytest.approx(model.expected, rel=1e-5)
    assert list(monitor.norms) == ["network.0", "network.2"]
    assert trainer.callback_metrics["grad_norm/total"].item() == pytest.approx(monitor.total_norm)


@pytest.mark.parametrize(("every", "steps"), [(3, [2, 5, 8]), (1, list(range(10)))])
def test_each_report_reaches_the_logger_whatever_the_trainer_logs(every, steps, tmp_path):
    monitor, logger = GradientNormMonitor(every_n_steps=every), CSVLogger(tmp_path)
    model = Research(nn.Linear(5, 3))
    fit(model, loader(torch.randn(40, 5)), [monitor], logger=logger, log_every_n_steps=4)
    lines = Path(logger.log_dir, "metrics.csv").read_text().splitlines()
    rows = csv.DictReader(lines)
    logged = {int(row["step"]): float(row["grad_norm/total"]) for row in rows}
    assert list(logged) == monitor.steps == steps
    assert list(logged.values()) == pytest.approx([model.expected[step] for step in steps])


def test_a_gradient_too_small_for_squares_in_single_precision_is_not_called_zero():
    torch.manual_seed(0)
    layers = [layer for _ in range(45) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    network = nn.Sequential(*layers, nn.Linear(8, 3))
    monitor = GradientNormMonitor(every_n_steps=1)
    fit(Research(network), loader(torch.randn(4, 8)), [monitor])
    expected = torch.cat([p.grad.double().flatten() for p in network[0].parameters()]).norm()
    assert 0 < expected < 1e-22
    assert monitor.norms["network.0"] == pytest.approx(expected.item(), rel=1e-5)


def test_a_monitor_that_fails_says_so_once_and_lets_training_go_on(monkeypatch):
    monkeypatch.setattr(GradientNormMonitor, "_measure", lambda *_: 1 / 0)
    monkeypatch.setattr("torchvitals.callbacks.dead_relu_monitor.active_units", lambda *_: 1 / 0)
    gradients, dead = GradientNormMonitor(every_n_steps=1), DeadReLUMonitor()
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.warns(UserWarning, match="switched itself off") as caught:
        trainer = fit(Research(network), loader(torch.randn(16, 5)), [gradients, dead])
    messages = [str(warning.message) for warning in caught]
    assert [sum(name in m for m in messages) for name in ("GradientNorm", "DeadReLU")] == [1, 1]
    assert gradients.failed
    assert dead.failed
    assert trainer.global_step == 4


def test_the_picture_shows_weight_layers_from_input_to_output(tmp_path):
    network = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3))
    monitor = GradientNormMonitor(every_n_steps=1)
    with pytest.raises(ValueError, match="run fit first"):
        monitor.plot()
    fit(Research(network), loader(torch.randn(2000, 5)), [monitor])
    ax = monitor.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["1 (input)", "2 (output)"]
    assert [float(note.get_text()) for note in ax.texts] == pytest.approx(
        [sorted(monitor.history[f"network.{i}"])[250] for i in (0, 3)], rel=0.05
    )
    ax.figure.savefig(tmp_path / "norms.png")


class Twice(nn.Module):
    """One ReLU module used twice, and a functional one."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 6)
        self.act, self.out = nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x):
        x = self.act(self.a(x))
        x = self.act(self.b(x))
        return self.out(F.relu(self.c(x)))


def test_each_call_site_is_recorded_and_equals_a_loop_over_all_batches():
    torch.manual_seed(0)
    network = Twice()
    with torch.no_grad():
        network.a.bias[1] = -100.0
        network.c.bias[4] = -100.0
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(16, 5)), [monitor])
    assert set(monitor.dead_units) == {"network.act", "network.act#2", "network.relu"}
    assert monitor.dead_units["network.act"].tolist() == [False, True, False, False]
    assert monitor.dead_units["network.relu"][4]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_a_unit_alive_in_any_batch_of_the_epoch_is_not_dead():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 3))
    network[0].weight.data = torch.eye(2)
    network[2].weight.data.zero_()
    x = torch.tensor([[-1.0, -1.0]] * 4 + [[1.0, -1.0]] * 4)
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(x), [monitor])
    assert monitor.dead_units["network.1"].tolist() == [False, True]
    assert monitor.total_dead_fraction == 0.5


def test_resnet18_has_seventeen_sites_of_the_right_width():
    monitor = DeadReLUMonitor()
    fit(Research(resnet18(num_classes=3)), loader(torch.randn(4, 3, 32, 32)), [monitor])
    assert len(monitor.dead_units) == 17
    widths = sorted(len(mask) for mask in monitor.dead_units.values())
    assert widths == sorted([64] * 5 + [128] * 4 + [256] * 4 + [512] * 4)


@pytest.mark.parametrize("batch", [6, 4])
def test_units_after_a_pooled_convolution_are_its_channels_whatever_the_batch(batch):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.out = nn.Conv1d(2, 6, 3), nn.Linear(6, 3)

        def forward(self, x):
            return self.out(F.relu(self.conv(x).amax(-1)))

    monitor, network = DeadReLUMonitor(), Pooled()
    with torch.no_grad():
        network.conv.bias[2] = -100.0
    fit(Research(network), loader(torch.randn(batch, 2, 9), batch_size=batch), [monitor])
    assert len(monitor.dead_units["network.relu"]) == 6
    assert monitor.dead_units["network.relu"][2]


def test_a_compiled_relu_is_said_to_be_unseen():
    network = torch.compile(
        nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), backend="aot_eager"
    )
    monitor = DeadReLUMonitor()
    with pytest.warns(UserWarning, match="did not see 1 ReLU"):
        fit(Research(network), loader(torch.randn(8, 5)), [monitor])
    assert monitor.dead_units == {}


@pytest.mark.parametrize("value", [0, -1])
def test_wrong_interval_is_refused_at_once(value):
    with pytest.raises(ValueError, match="every_n_steps"):
        GradientNormMonitor(every_n_steps=value)
