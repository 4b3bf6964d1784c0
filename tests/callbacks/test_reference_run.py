"""A short run in single precision, against the same run as a plain loop in double precision."""

import pytest
import torch
import torch.nn.functional as F
from helpers.research import Research, fit, loader
from torch import nn

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    UpdateRatioMonitor,
)

STEPS, EPOCHS = 6, 2
SGD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}


class Network(nn.Module):
    """Convolution, normalisation, functional and shared ReLUs, a tanh that saturates."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.act, self.tanh = nn.ReLU(inplace=True), nn.Tanh()
        self.hidden, self.last = nn.Linear(6 * 16, 20), nn.Linear(20, 3)
        with torch.no_grad():
            self.norm.bias[2] = -6.0
            self.hidden.weight.mul_(8.0)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x))).flatten(1)
        return self.last(F.relu(self.tanh(self.hidden(x)) - 0.1))


def network():
    torch.manual_seed(0)
    return Network()


def batches():
    generator = torch.Generator().manual_seed(1)
    return loader(torch.randn(STEPS * 8, 2, 6, 6, generator=generator), batch_size=8)


class Plain:
    """Everything that the monitors record, the slow way."""

    def __init__(self):
        model = network().double()
        optimizer = torch.optim.SGD(model.parameters(), **SGD)
        self.norms, self.ratios, self.alive, self.outputs = [], [], {}, []
        for _ in range(EPOCHS):
            self.alive = {}
            for x, y in batches():
                self.forward(model, x.double())
                loss = F.cross_entropy(model(x.double()), y)
                optimizer.zero_grad()
                loss.backward()
                layers = ("conv", "norm", "hidden", "last")
                self.norms.append({n: joined(p.grad for p in of(model, n)).norm() for n in layers})
                before = {n: joined(of(model, n)) for n in layers}
                optimizer.step()
                moved = {n: joined(of(model, n)) - before[n] for n in layers}
                self.ratios.append({n: moved[n].norm() / before[n].norm() for n in layers})

    def forward(self, model, x):
        with torch.no_grad():
            statistics = F.batch_norm(
                model.conv(x), None, None, model.norm.weight, model.norm.bias, training=True
            )
            first = statistics.relu()
            tanh = model.hidden(first.flatten(1)).tanh()
            second = (tanh - 0.1).relu()
        self.outputs.append({"act": first, "tanh": tanh, "relu": second})
        for site, outputs in (("act", first.amax((0, 2, 3))), ("relu", second.amax(0))):
            self.alive[site] = self.alive.get(site, False) | (outputs > 0)


def of(model, layer):
    return list(getattr(model, layer).parameters())


def joined(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@pytest.fixture(scope="module")
def runs():
    monitors = [
        GradientNormMonitor(1),
        UpdateRatioMonitor(1),
        DeadReLUMonitor(),
        ActivationMonitor(1),
    ]
    model = Research(network(), **SGD)
    fit(model, batches(), monitors, max_epochs=EPOCHS)
    assert not any(monitor.failed for monitor in monitors)
    return [*monitors, Plain()]


def test_gradient_norms_and_update_ratios(runs):
    gradients, updates, _, _, plain = runs
    for monitor, expected in ((gradients, plain.norms), (updates, plain.ratios)):
        assert len(monitor.steps) == STEPS * EPOCHS
        for layer in expected[0]:
            values = [step[layer].item() for step in expected]
            assert monitor.history[f"network.{layer}"] == pytest.approx(values, rel=1e-5)


def test_dead_units(runs):
    _, _, dead, _, plain = runs
    for site, alive in plain.alive.items():
        assert torch.equal(dead.dead_units[f"network.{site}"], ~alive)
    assert dead.dead_units["network.act"].tolist() == [False, False, True, False, False, False]


def test_activations(runs):
    activations, plain = runs[3:]
    last = {site: outputs for site, outputs in plain.outputs[-1].items()}
    for site, outputs in last.items():
        name = f"network.{site}"
        assert activations.mean[name] == pytest.approx(outputs.mean().item(), rel=1e-5)
        variance = outputs.var(unbiased=False).item()
        assert activations.variance[name] == pytest.approx(variance, rel=1e-5)
        magnitude = outputs.abs().mean([d for d in range(outputs.ndim) if d != 1])
        dormant = (magnitude <= 0.025 * magnitude.mean()).double().mean().item()
        assert activations.dormant_fraction[name] == pytest.approx(dormant)
    flat = (last["tanh"].abs() >= torch.tensor(2.5).double().tanh()).double().mean().item()
    assert 0.1 < flat < 0.9
    assert activations.saturated_fraction["network.tanh"] == pytest.approx(flat, rel=1e-5)


@pytest.mark.parametrize("every", [None, 1])
def test_the_monitors_change_nothing_of_what_is_trained(every):
    def weights(monitors):
        torch.manual_seed(0)
        model = Research(nn.Sequential(Network(), nn.Dropout(0.3)), torch.optim.Adam, lr=1e-2)
        fit(model, batches(), monitors, max_epochs=EPOCHS)
        return model.state_dict()

    kinds = (GradientNormMonitor, UpdateRatioMonitor, DeadReLUMonitor, ActivationMonitor)
    plain, watched = weights([]), weights([kind(every) for kind in kinds])
    assert all(torch.equal(watched[name], value) for name, value in plain.items())
