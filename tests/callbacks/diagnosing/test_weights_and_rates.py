"""Signs of weights, their decay and their rates' schedules before a step."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from torchvitals.callbacks.diagnosing.anatomy import are_waiting, is_composite
from torchvitals.callbacks.diagnosing.batch_norms import NormProbe
from torchvitals.callbacks.diagnosing.decay import decay_pull
from torchvitals.callbacks.diagnosing.rate_schedules import schedule_share
from torchvitals.callbacks.diagnosing.vitals import Vitals


def with_gradients(decay, kind, **more):
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    layer(torch.randn(8, 5)).square().mean().backward()
    return layer, kind(layer.parameters(), lr=0.1, weight_decay=decay, **more)


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_a_decay_that_is_added_to_the_gradients_is_measured_by_them(kind, scale):
    layer, optimizer = with_gradients(0.3, kind)
    weights = torch.cat([p.detach().double().flatten() for p in layer.parameters()])
    gradients = torch.cat([p.grad.double().flatten() for p in layer.parameters()])
    for parameter in layer.parameters():
        parameter.grad *= scale
    expected = 0.3 * float(weights.norm() / gradients.norm())
    assert float(decay_pull(optimizer, scale)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "decay", "more"),
    [(AdamW, 0.3, {}), (SGD, 0.0, {}), (Adam, 0.3, {"decoupled_weight_decay": True})],
)
def test_a_decay_apart_from_the_gradients_pulls_at_none(kind, decay, more):
    assert decay_pull(with_gradients(decay, kind, **more)[1], 1.0) is None


def test_without_gradients_there_is_no_pull():
    optimizer = SGD(nn.Linear(5, 3).parameters(), lr=0.1, weight_decay=0.1)
    assert decay_pull(optimizer, 1.0) is None


def test_zeros_wait_only_while_their_gradients_are_zero():
    factors = [nn.Parameter(torch.zeros(4, 2)) for _ in range(2)]
    (factors[0] @ factors[1].T - 1).square().sum().backward()
    assert all(map(are_waiting, factors))
    with torch.no_grad():
        factors[0].add_(1)
    (factors[0] @ factors[1].T - 1).square().sum().backward()
    assert not any(map(are_waiting, factors))
    assert not are_waiting(nn.Parameter(torch.zeros(4)))
    assert not are_waiting(nn.Parameter(torch.zeros(4, 2)))


def test_only_modules_of_ones_own_are_composites():
    class Own(nn.Module):
        def __init__(self, *inside):
            super().__init__()
            self.places = nn.Parameter(torch.zeros(4, 4))
            self.inside = nn.ModuleList(inside)

    assert is_composite(Own(nn.Linear(2, 2)))
    assert not is_composite(Own(nn.ReLU()))
    assert not is_composite(nn.MultiheadAttention(4, 2))


def share(scheduler, interval, *, automatic=True, batches=10.0, epochs=5, accumulate=1):
    config = SimpleNamespace(scheduler=scheduler, interval=interval, frequency=1)
    trainer = SimpleNamespace(lr_scheduler_configs=[config], accumulate_grad_batches=accumulate)
    vitals = Vitals(batches_per_epoch=batches, planned_steps=10.0 * epochs / accumulate)
    return schedule_share(trainer, SimpleNamespace(automatic_optimization=automatic), vitals)


def test_a_cycle_by_epochs_is_cut_short():
    optimizer = SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    cycle = OneCycleLR(optimizer, 0.1, total_steps=50)
    assert share(cycle, "epoch") == pytest.approx(5 / 50)
    assert share(cycle, "epoch", accumulate=2) == pytest.approx(5 / 50)
    nothing = [
        share(cycle, "step"),
        share(cycle, "epoch", automatic=False),
        share(cycle, "epoch", batches=float("inf")),
        share(CosineAnnealingLR(optimizer, 50), "epoch"),
    ]
    assert torch.tensor(nothing).isnan().all()


def test_of_a_norms_calls_in_a_batch_the_farthest_off_counts():
    torch.manual_seed(0)
    norm, probe = nn.BatchNorm1d(3), NormProbe()
    look, x = probe.at("norm"), torch.randn(400, 3)
    probe.begin()
    for scale in (1.0, 20.0, 1.0):
        look(norm, (scale * x,))
    gap = probe.news().gaps["norm"]
    assert gap == pytest.approx(float((20 * x).std(0, correction=0).log().median()), rel=1e-3)
    # A call after the news, still in the same batch.
    look(norm, (x,))
    assert probe.news().gaps["norm"] < 0.2
