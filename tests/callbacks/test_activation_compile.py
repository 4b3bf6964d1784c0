import copy

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch._dynamo.utils import counters
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)


class Affine(nn.Linear):
    """A layer that torch 2.11 compiles by itself, too: of its own it leaves some alone."""

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Sites(nn.Module):
    """An activation used twice, one in place, and functions."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 4), Affine(4, 4), nn.Linear(4, 6)
        self.act, self.inplace, self.out = nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x):
        x = self.act(self.b(self.act(self.a(x))))
        return self.out(F.silu(torch.sigmoid(self.inplace(self.c(x)))))


class Research(LightningModule):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        return F.cross_entropy(self.network(batch[0] * 100), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def compile_module(model):
    return torch.compile(model, backend="aot_eager")


def compile_network(model):
    model.network = torch.compile(model.network, backend="aot_eager")
    return model


def compile_in_place(model):
    model.network.compile(backend="aot_eager")
    return model


def compile_forward(model):
    model.network.forward = torch.compile(model.network.forward, backend="aot_eager")
    return model


def fit(model, callbacks, samples=36, **arguments):
    x = torch.randn(samples, 5, generator=torch.Generator().manual_seed(1))
    data = DataLoader(TensorDataset(x, torch.arange(samples) % 3), batch_size=4)
    quiet_trainer(callbacks=callbacks, max_epochs=2, **arguments).fit(model, data, data)


@pytest.fixture
def graphs():
    """Number of graphs that were compiled since the start, broken ones refused."""
    torch._dynamo.reset()
    counters.clear()

    def count():
        assert not counters["graph_break"]
        found = counters["stats"]["unique_graphs"]
        torch._dynamo.reset()
        counters.clear()
        return found

    yield count
    torch._dynamo.reset()
    counters.clear()


@pytest.mark.parametrize(
    ("compiled", "every", "samples", "accumulate"),
    [
        (compile_module, 3, 36, 1),
        (compile_network, 1, 34, 1),
        (compile_network, 2, 32, 2),
        (compile_in_place, 3, 36, 1),
        (compile_forward, 3, 36, 1),
    ],
)
def test_compiled_is_seen_as_eager_is_in_as_many_graphs_as_without_a_monitor(
    compiled, every, samples, accumulate, graphs
):
    torch.manual_seed(0)
    eager = Research(Sites())
    bare, watched = copy.deepcopy(eager), copy.deepcopy(eager)
    arguments = dict(samples=samples, accumulate_grad_batches=accumulate)
    expected, monitor = ActivationMonitor(every), ActivationMonitor(every)
    fit(eager, [expected], **arguments)
    fit(compiled(bare), [], **arguments)
    alone = graphs()
    fit(compiled(watched), [monitor], **arguments)
    assert graphs() == alone > 0
    assert len(monitor.mean) == 5
    for name in ("mean", "variance", "saturated_fraction", "dormant_fraction"):
        values = getattr(expected, name)
        assert getattr(monitor, name) == pytest.approx(values, rel=1e-5, abs=1e-7, nan_ok=True)
    assert monitor.drift == pytest.approx(expected.drift, abs=1e-4)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())


@pytest.mark.parametrize("monitor", [ActivationMonitor, DeadReLUMonitor, TrainingDoctor])
def test_the_sanity_check_finds_the_hooks_that_the_later_validations_do(monitor, graphs):
    torch.manual_seed(0)
    bare = Research(Sites())
    watched = copy.deepcopy(bare)
    fit(compile_in_place(bare), [])
    alone = graphs()
    fit(compile_in_place(watched), [monitor()])
    assert graphs() == alone > 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())


@pytest.mark.parametrize("backend", ["eager", "eager_noexcept", lambda graph, inputs: graph])
def test_a_backend_that_calls_the_functions_again_reports_each_site_once(backend, graphs):
    torch.manual_seed(0)
    eager = Research(Sites())
    watched = copy.deepcopy(eager)
    watched.network = torch.compile(watched.network, backend=backend)
    expected, monitor = ActivationMonitor(3), ActivationMonitor(3)
    dead_there, dead = DeadReLUMonitor(), DeadReLUMonitor()
    fit(eager, [expected, dead_there])
    fit(watched, [monitor, dead])
    assert graphs() > 0
    assert monitor.mean == pytest.approx(expected.mean, rel=1e-5)
    assert dead.dead_fraction == dead_there.dead_fraction


class Checkpointed(Sites):
    def forward(self, x):
        return checkpoint(super().forward, x, use_reentrant=False)


class CalledOutside(Research):
    """Functions beside a compiled region, whose names are counted on their own."""

    def __init__(self, network):
        super().__init__(network)
        self.head = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        logits = F.relu(self.network(F.relu(batch[0])))
        return F.cross_entropy(self.head(F.relu(logits)), batch[1])


@pytest.mark.parametrize("network", [Sites, Checkpointed])
def test_functions_beside_a_region_of_the_eager_backend_are_seen(network, graphs):
    torch.manual_seed(0)
    eager = CalledOutside(network())
    watched = copy.deepcopy(eager)
    watched.network = torch.compile(watched.network, backend="eager")
    expected, monitor = ActivationMonitor(3), ActivationMonitor(3)
    fit(eager, [expected])
    fit(watched, [monitor])
    assert graphs() > 0
    assert monitor.mean == pytest.approx(expected.mean, rel=1e-5)
    assert {"relu", "relu#2", "relu#3"} <= set(monitor.mean)


def test_a_graph_that_was_not_compiled_is_seen_as_any_module(graphs):
    eager = Research(Sites())
    traced = Research(torch.fx.symbolic_trace(copy.deepcopy(eager.network)))
    expected, monitor = ActivationMonitor(3), ActivationMonitor(3)
    fit(eager, [expected])
    fit(traced, [monitor])
    assert list(monitor.mean.values()) == pytest.approx(list(expected.mean.values()), rel=1e-5)
    assert graphs() == 0


class Hinged(Research):
    """Calls functions itself: one between two layers, and one behind the last."""

    def training_step(self, batch, batch_idx):
        first, last = self.network
        outputs = last(F.relu(first(batch[0])))
        return F.cross_entropy(outputs, batch[1]) + F.relu6(outputs - 100).mean()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("compiled", [(0,), (1,), (0, 1)])
def test_what_a_step_calls_behind_compiled_layers_is_of_the_loss(compiled, graphs):
    torch.manual_seed(0)
    watched = Hinged(nn.Sequential(Affine(5, 4), Affine(4, 3)))
    for i in compiled:
        watched.network[i].compile(backend="aot_eager")
    monitor, dead = ActivationMonitor(1), DeadReLUMonitor()
    fit(watched, [monitor, dead])
    assert monitor.mean.keys() == dead.dead_units.keys() == {"relu"}
    assert monitor.findings == dead.findings == {}


class FunctionInside(Sites):
    """Nothing on the module shows that this is compiled."""

    def __init__(self):
        super().__init__()
        functions = [torch.compile(super().forward, backend="aot_eager")]
        self.functions = functions

    def forward(self, x):
        return self.functions[0](x)


def test_a_compiled_function_is_found_at_the_first_report_and_costs_one_more_graph(graphs):
    torch.manual_seed(0)
    network = FunctionInside()
    eager = Sites()
    eager.load_state_dict(network.state_dict())
    expected, monitor = ActivationMonitor(2), ActivationMonitor(2)
    fit(Research(eager), [expected], limit_val_batches=0)
    fit(Research(network), [monitor], limit_val_batches=0)
    assert graphs() == 2
    assert monitor.mean == pytest.approx(expected.mean, rel=1e-5)


def compile_a_layer(model):
    model.network.b.compile(backend="aot_eager")
    return model


# Dynamo's own, as it looks at what comes into the layer.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("compiled", [compile_network, compile_a_layer])
@pytest.mark.parametrize("stride", [1, 3])
def test_batches_that_do_not_count_need_no_graph_of_their_own(compiled, stride, graphs):
    torch.manual_seed(0)
    eager = Research(Sites())
    bare, watched = copy.deepcopy(eager), copy.deepcopy(eager)
    expected = DeadReLUMonitor(4, observe_every_n_batches=stride)
    monitor = DeadReLUMonitor(4, observe_every_n_batches=stride)
    fit(eager, [expected])
    fit(compiled(bare), [])
    alone = graphs()
    fit(compiled(watched), [monitor])
    assert graphs() == alone > 0
    assert monitor.history == expected.history
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in watched.modules())


class ByHand(Research):
    """All of a step is compiled, with the hooks of callbacks that are called inside of it."""

    def __init__(self, network):
        super().__init__(network)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


MONITORS = [
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
]


# Dynamo's own, as it follows Lightning's backward pass.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("kind", MONITORS)
def test_a_compiled_step_by_hand_calls_hooks_that_are_not_compiled(kind):
    torch._dynamo.reset()
    torch.manual_seed(0)
    bare = ByHand(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)))
    watched = copy.deepcopy(bare)
    fit(bare, [], samples=12)
    monitor = kind()
    fit(compile_module(watched), [monitor], samples=12)
    assert not monitor.failed
    for own, other in zip(bare.parameters(), watched.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    torch._dynamo.reset()
