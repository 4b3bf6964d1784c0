import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor


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
    settings = dict(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer = Trainer(callbacks=callbacks, **{**settings, **arguments})
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
