"""Signs of weights, their decay and their rates' schedules before a step."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from torch.utils.data import DataLoader

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.clipping import clips_itself
from torchvitals.callbacks.diagnosing.inputs.batch_norms import NormProbe
from torchvitals.callbacks.diagnosing.training_plan import read_plan, schedule_share
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals
from torchvitals.callbacks.diagnosing.weights.anatomy import (
    are_waiting,
    have_identical_columns,
    is_composite,
    weight_gain,
)
from torchvitals.callbacks.diagnosing.weights.clearing import Clearing
from torchvitals.callbacks.diagnosing.weights.decay import decay_pull


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


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize(("longest", "scale"), [(1e-3, 1.0), (1e-3, 1024.0), (1e3, 1024.0)])
def test_a_decay_is_measured_by_what_clipping_leaves_of_the_gradients(kind, longest, scale):
    layer, optimizer = with_gradients(0.3, kind)
    expected = float(decay_pull(optimizer, 1.0))
    norm = float(nn.utils.get_total_norm([p.grad for p in layer.parameters()]))
    expected *= max(1.0, norm / longest)
    for parameter in layer.parameters():
        parameter.grad *= scale
    assert float(decay_pull(optimizer, scale, longest)) == pytest.approx(expected, rel=1e-5)


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
    trainer = SimpleNamespace(
        lr_scheduler_configs=[config], accumulate_grad_batches=accumulate, callbacks=[],
        num_training_batches=batches, max_epochs=epochs,
    )  # fmt: skip
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


def test_the_plan_says_how_many_ranks_have_batches_of_their_own():
    plain = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer, vitals = Trainer(accelerator="cpu", devices=2, strategy="ddp", **plain), Vitals()
    read_plan(trainer, LightningModule(), vitals)
    assert vitals.ranks == 2


def test_of_a_norms_calls_in_a_batch_the_farthest_off_counts():
    torch.manual_seed(0)
    norm, probe = nn.BatchNorm1d(3), NormProbe()
    look, x = partial(probe.look, "norm"), torch.randn(400, 3)
    probe.begin()
    for scale in (1.0, 20.0, 1.0):
        look(norm, (scale * x,))
    gap = probe.news().gaps["norm"]
    assert gap == pytest.approx(float((20 * x).std(0, correction=0).log().median()), rel=1e-3)
    # A call after the news, still in the same batch.
    look(norm, (x,))
    assert probe.news().gaps["norm"] < 0.2


@pytest.mark.parametrize(
    ("draw", "gain"),
    [
        (nn.init.zeros_, 0.0),
        (lambda weight: nn.init.constant_(weight, 0.05), 0.0),
        (nn.init.orthogonal_, 1.0),
        (lambda weight: nn.init.kaiming_uniform_(weight, 5**0.5), 3**-0.5),
        (nn.init.kaiming_normal_, 2**0.5),
    ],
)
def test_the_gain_of_weights_as_drawn(draw, gain):
    torch.manual_seed(0)
    assert float(weight_gain(draw(torch.empty(400, 400)))) == pytest.approx(gain, rel=0.02)


@pytest.mark.parametrize(
    "weight",
    [
        torch.zeros(1, 1),
        torch.zeros(0, 3),
        torch.randn(16, 1, 1),
        torch.empty(4, 4, device="meta"),
        torch.randn(4, 4, dtype=torch.cfloat),
        torch.randn(4, 4).as_subclass(type("Quantized", (torch.Tensor,), {})),
    ],
    ids=["one", "none", "lengths of rows", "meta", "complex", "subclass"],
)
def test_the_gain_of_what_is_no_plain_matrix_is_not_known(weight):
    assert weight_gain(weight).isnan()


class ByHand(LightningModule):
    def __init__(self, deviation):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(deviation * torch.randn(100, 100))

    def training_step(self, batch, batch_idx):
        return (batch @ self.weight).square().mean()

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=1e-6)


@pytest.mark.parametrize(("deviation", "known"), [(1.0, True), (0.02, False), (0.0, False)])
def test_of_a_matrix_of_ones_own_only_a_large_gain_is_known(deviation, known):
    doctor = TrainingDoctor()
    loader = DataLoader(torch.rand(16, 100), 8)
    quiet_trainer(max_steps=2, callbacks=[doctor]).fit(ByHand(deviation), loader)
    (layer,) = doctor._observation.vitals.layers
    gain = layer.weight_gain
    assert (gain == pytest.approx(10.0, rel=0.05)) if known else math.isnan(gain)


def train_by_hand(clear, steps=8):
    """Train with two optimisers; ``clear`` is called before each backward pass, with the step."""
    torch.manual_seed(0)
    clearing, layers = Clearing(), [nn.Linear(3, 3), nn.Linear(3, 1)]
    optimizers = [SGD(layer.parameters(), lr=0.01) for layer in layers]
    for step in range(steps):
        for position, optimizer in enumerate(optimizers):
            clear(optimizers, optimizer, step)
            loss = layers[1](layers[0](torch.randn(4, 3))).square().mean()
            clearing.look()
            loss.backward()
            clearing.step(position, optimizer)
            optimizer.step()
    return clearing.uncleared


def clear_own(optimizers, optimizer, step):
    optimizer.zero_grad()


def clear_own_in_place(optimizers, optimizer, step):
    optimizer.zero_grad(set_to_none=False)


def clear_every_third_step(optimizers, optimizer, step):
    if step % 3 == 0:
        optimizer.zero_grad()


def clear_the_other(optimizers, optimizer, step):
    optimizers[0].zero_grad()


def never_clear(optimizers, optimizer, step):
    pass


@pytest.mark.parametrize(
    ("clear", "uncleared"),
    [
        (clear_own, 0),
        (clear_own_in_place, 0),
        (clear_every_third_step, 2),
        (clear_the_other, 5),
        (never_clear, 5),
    ],
)
def test_gradients_that_are_never_cleared_are_counted(clear, uncleared):
    assert train_by_hand(clear) == uncleared


def test_one_backward_pass_for_several_steps_is_no_fault():
    layer, clearing = nn.Linear(3, 1), Clearing()
    optimizer = SGD(layer.parameters(), lr=0.01)
    layer(torch.randn(4, 3)).mean().backward()
    for _ in range(8):
        clearing.step(0, optimizer)
        optimizer.step()
    assert clearing.uncleared == 0


def test_gradients_cleared_in_place_where_nobody_looks_are_not_counted():
    layer, clearing = nn.Linear(3, 1), Clearing()
    optimizer = SGD(layer.parameters(), lr=0.01)
    for _ in range(8):
        clearing.look()
        optimizer.zero_grad(set_to_none=False)
        layer(torch.randn(4, 3)).mean().backward()
        clearing.step(0, optimizer)
        optimizer.step()
    assert clearing.uncleared == 0


def test_norms_that_never_saw_a_batch_sleep():
    norms = {name: nn.BatchNorm1d(3) for name in ("eval", "pretrained", "on")}
    norms["eval"].eval()
    norms["pretrained"](torch.randn(8, 3))
    norms["pretrained"].eval()
    probe = NormProbe()
    for name, norm in norms.items():
        probe.look(name, norm, (torch.randn(8, 3),))
    probe.take([probe.news()])
    assert probe.asleep == ["eval"]
    norms["eval"].train()
    probe.look("eval", norms["eval"], (torch.randn(8, 3),))
    probe.take([probe.news()])
    assert probe.asleep == []


@pytest.mark.parametrize(("momentum", "share"), [(0.1, 0.1), (1e-3, 1e-3), (None, 1.0)])
def test_what_share_of_its_moments_a_norm_takes_from_a_batch(momentum, share):
    norm, probe, resumed = nn.BatchNorm1d(3, momentum=momentum), NormProbe(), NormProbe()
    probe.look("norm", norm, (torch.randn(8, 3),))
    probe.take([probe.news()])
    resumed.load_state_dict(probe.state_dict())
    assert probe.momenta == resumed.momenta == {"norm": share}


@pytest.mark.parametrize("kind", ["other moments", "frozen", "without gradients"])
def test_norms_that_are_meant_to_be_fixed_are_awake(kind):
    norm, probe = nn.BatchNorm1d(3).eval(), NormProbe()
    norm.running_mean.fill_(2.0 if kind == "other moments" else 0.0)
    norm.requires_grad_(kind != "frozen")
    with torch.set_grad_enabled(kind != "without gradients"):
        probe.look("norm", norm, (torch.randn(8, 3),))
    probe.take([probe.news()])
    assert probe.asleep == []


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 4), (4, 3, 0)])
def test_an_empty_batch_says_nothing_of_a_norm(shape):
    norm, probe = nn.BatchNorm1d(3), NormProbe()
    probe.look("norm", norm, (torch.empty(shape),))
    probe.take([probe.news()])
    assert (probe.gaps, probe.fewest) == ({}, math.inf)


class NormOverPlaces(nn.BatchNorm1d):
    """Takes ``(samples, places, channels)`` and makes of it what BatchNorm is used to."""

    def forward(self, input):
        return super().forward(input.flatten(0, 1)).view_as(input)


def test_a_norm_of_ones_own_may_take_another_form():
    torch.manual_seed(0)
    own, plain = NormOverPlaces(3), nn.BatchNorm1d(3)
    x = torch.randn(8, 5, 3) * 4 + 2
    probes = [NormProbe(), NormProbe()]
    for probe, norm, given in zip(probes, (own, plain), (x, x.flatten(0, 1)), strict=True):
        probe.look("norm", norm, (given,))
        probe.take([probe.news()])
    assert probes[0].fewest == probes[1].fewest == 40
    assert probes[0].gaps == pytest.approx(probes[1].gaps)
    assert probes[0].gaps["norm"] > 1


def test_a_norm_of_whose_batch_nothing_is_seen_is_passed_over():
    norm, probe = nn.BatchNorm1d(3), NormProbe()
    for arguments in ((), ([torch.randn(8, 3)],), (torch.randn(8, 4, 5),), (torch.randn(8),)):
        probe.look("norm", norm, arguments)
    probe.take([probe.news()])
    assert (probe.gaps, probe.fewest) == ({}, math.inf)


@pytest.mark.parametrize(("constant", "same"), [(0.1, True), (None, False)])
def test_columns_of_a_table_are_alike_if_they_and_their_gradients_are(constant, same):
    torch.manual_seed(0)
    users, items = nn.Embedding(6, 4), nn.Embedding(5, 4)
    for table in (users, items):
        if constant is not None:
            nn.init.constant_(table.weight, constant)
    rows = torch.randint(5, (2, 16))
    ((users(rows[0]) * items(rows[1])).sum(1) - torch.randn(16)).square().mean().backward()
    assert bool(have_identical_columns(users.weight)) is same
    assert not have_identical_columns(nn.Embedding(3, 2).weight)


def test_zeros_before_a_layer_of_random_weights_are_told_apart_by_their_gradients():
    torch.manual_seed(0)
    table, layer = nn.Embedding(6, 4), nn.Linear(4, 3)
    nn.init.zeros_(table.weight)
    layer(table(torch.arange(6))).square().sum().backward()
    assert not have_identical_columns(table.weight)


@pytest.mark.parametrize("automatic", [True, False])
def test_whether_a_module_clips_in_its_own_way(automatic):
    class Clips(LightningModule):
        def configure_gradient_clipping(self, optimizer, **settings):
            self.clip_gradients(optimizer, 1e-3, "norm")

    for module, own in ((Clips(), automatic), (LightningModule(), False)):
        module.automatic_optimization = automatic
        assert clips_itself(module) is own
