"""Which layer a parameter belongs to: its module, or its matrix where a module has several."""

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.utils.data import DataLoader

from torchvitals.callbacks import GradientNormMonitor, Problem, TrainingDoctor, UpdateRatioMonitor
from torchvitals.callbacks.monitoring.layers import layer_names, layers_by_parameter, weight_layers


class Tree(nn.Module):
    """Has a parameter of its own, and a submodule called root."""

    def __init__(self):
        super().__init__()
        self.scale, self.root = nn.Parameter(torch.ones(1)), nn.Linear(2, 3)


class FromScratch(nn.Module):
    """Matrices and vectors of its own, one layer behind the other."""

    def __init__(self, layers=2, width=8):
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(width))
        for i in range(layers):
            setattr(self, f"W{i}", nn.Parameter(torch.randn(width, width) / width**0.5))
            setattr(self, f"b{i}", nn.Parameter(torch.zeros(width)))
        self.layers = layers

    def forward(self, x):
        x = x + self.offset
        for i in range(self.layers):
            x = torch.sigmoid(x @ getattr(self, f"W{i}") + getattr(self, f"b{i}"))
        return x


def compiled(module):
    return torch.compile(module, backend="eager")


def listed():
    return nn.ParameterList([torch.zeros(2, 2), torch.zeros(2)])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Linear(2, 3), {"weight": "root", "bias": "root"}),
        (Tree(), {"scale": "root (itself)", "root.weight": "root", "root.bias": "root"}),
        (nn.Sequential(nn.Linear(2, 3)), {"0.weight": "0", "0.bias": "0"}),
        (nn.Sequential(nn.LSTM(2, 3)), dict.fromkeys(
            ("0.weight_ih_l0", "0.weight_hh_l0", "0.bias_ih_l0", "0.bias_hh_l0"), "0")),
        (nn.Sequential(listed()), {"0.0": "0", "0.1": "0"}),
        (FromScratch(1), {"offset": "root", "W0": "root", "b0": "root"}),
        (FromScratch(), {"offset": "W0", "W0": "W0", "b0": "W0", "W1": "W1", "b1": "W1"}),
        (nn.Sequential(FromScratch()), {
            "0.offset": "0.W0", "0.W0": "0.W0", "0.b0": "0.W0", "0.W1": "0.W1", "0.b1": "0.W1"}),
        (nn.Sequential(weight_norm(nn.Linear(2, 3))), dict.fromkeys(
            ("0.bias", "0.parametrizations.weight.original0",
             "0.parametrizations.weight.original1"), "0")),
        (spectral_norm(nn.Linear(2, 3)), dict.fromkeys(
            ("bias", "parametrizations.weight.original"), "root")),
        (nn.Sequential(compiled(nn.Sequential(nn.Linear(2, 3)))),
         {"0._orig_mod.0.weight": "0.0", "0._orig_mod.0.bias": "0.0"}),
        (compiled(nn.Linear(2, 3)), {"_orig_mod.weight": "root", "_orig_mod.bias": "root"}),
        (nn.ParameterDict({"in": torch.zeros(2, 2), "out": torch.zeros(2, 1)}),
         {"in": "in", "out": "out"}),
    ],
)  # fmt: skip
def test_the_layer_of_each_parameter(module, expected):
    assert layer_names(module) == expected
    assert list(layers_by_parameter(module).values()) == list(expected.values())


def test_a_shared_matrix_belongs_to_the_first():
    first, second = FromScratch(), FromScratch()
    second.W1 = first.W0
    both = nn.ModuleDict({"a": first, "b": second})
    assert weight_layers(both) == ["a.W0", "a.W1", "b.W0"]
    assert layers_by_parameter(both)[second.b1] == "b.W1"


class Deep(LightningModule):
    """Sigmoids one behind the other in one module: what comes back vanishes on the way."""

    def __init__(self):
        super().__init__()
        self.net, self.head = FromScratch(8, 32), nn.Linear(32, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.cross_entropy(self.head(self.net(x)), y)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_gradients_that_vanish_within_one_module_of_ones_own_are_found():
    torch.manual_seed(0)
    data = [(torch.randn(32), i % 4) for i in range(256)]
    monitor, updates, doctor = GradientNormMonitor(1), UpdateRatioMonitor(1), TrainingDoctor()
    trainer = quiet_trainer(max_epochs=20, callbacks=[monitor, updates, doctor])
    model = Deep()
    trainer.fit(model, DataLoader(data, batch_size=32, shuffle=True))
    names = [f"net.W{i}" for i in range(8)]
    assert [name for name in monitor.history if name != "head"] == names
    assert list(updates.history) == [*names, "head"]
    last = {name: [p.grad for n, p in model.net.named_parameters() if n[-1] == name[-1]]
            for name in names[1:]}  # fmt: skip
    for name, gradients in last.items():
        expected = torch.cat([g.flatten().double() for g in gradients]).norm()
        assert monitor.norms[name] == pytest.approx(float(expected), rel=1e-5)
    assert doctor.diagnoses[0].problem is Problem.VANISHING_GRADIENT
    assert doctor.diagnoses[0].layer.startswith("net.W")
