import copy
import io
import pickle
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._dynamo.utils import counters
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint
from torchvision.models import googlenet, resnet18

from torchvitals.callbacks.monitoring.activations.activation_kinds import (
    ACTIVATION_MODULES,
    kind_of_module,
)
from torchvitals.callbacks.monitoring.activations.activation_observer import ActivationObserver

SLOPE = torch.tensor(0.2)


def refuse(error):
    raise error


def largest(site, kind, outputs, unit_dim):
    """What an observer may measure: traceable, and of one entry for each unit."""
    return outputs.amax([d for d in range(outputs.ndim) if d != unit_dim % outputs.ndim])


def observe(run, root, *, kinds=ACTIVATION_MODULES, measure=largest, on_error=refuse):
    """What is drained after ``run()``, from the observer of ``root``."""
    observer = ActivationObserver(kinds, measure, on_error)
    observer.attach(root)
    observer.start()
    try:
        run()
    finally:
        observer.stop()
        observer.detach()
    return observer.drain()


def sites(records):
    return [site for site, _, _ in records]


def compiled(function, **arguments):
    torch._dynamo.reset()
    counters.clear()
    return torch.compile(function, backend="aot_eager", **arguments)


def graphs():
    """Graphs that were made since `compiled`, none of them for a break."""
    assert not counters["graph_break"]
    assert not counters["unimplemented"]
    return counters["stats"]["unique_graphs"]


CALLS = [
    (kind, space, name)
    for kind in ACTIVATION_MODULES
    for space in (F, torch, torch.Tensor, torch._C._nn)
    for name in (kind, f"{kind}_", kind.replace("logs", "log_s"))
    if hasattr(space, name) and (name != kind or kind != "logsigmoid" or space is F)
]


# Dynamo shows a mode only the functions that `torch.overrides` lists.
UNSEEN_IN_COMPILED = {
    *((torch, name) for name in ("relu_", "rrelu_", "celu_", "selu_", "sigmoid_", "tanh_")),
    *((F, name) for name in ("sigmoid", "tanh", "hardsigmoid", "hardswish")),
    *((F, f"{name}_") for name in ("relu", "leaky_relu", "rrelu", "elu", "celu", "selu")),
    (F, "hardtanh_"),
    *((torch._C._nn, name) for _, space, name in CALLS if space is torch._C._nn),
} - {(torch._C._nn, name) for name in ("gelu", "softplus", "log_sigmoid", "softshrink")}


@pytest.mark.parametrize("compile", [False, True])
def test_every_spelling_of_every_activation_is_seen_exactly_once(compile):
    def call(space, name, x):
        function = getattr(space, name)
        return function(x * 2, SLOPE) if "prelu" in name else function(x * 2)

    assert len(CALLS) > 60
    for kind, space, name in dict.fromkeys(CALLS):
        run = compiled(call, fullgraph=True) if compile else call
        records = observe(
            lambda run=run, at=(space, name): run(*at, torch.randn(4, 3)), nn.Module()
        )
        unseen = compile and (space, name) in UNSEEN_IN_COMPILED
        assert [record[:2] for record in records] == [(kind, kind)] * (not unseen), (space, name)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("kind", ACTIVATION_MODULES)
def test_an_activation_module_is_a_site_under_its_own_name(kind, compile):
    layers = {"layer": nn.Linear(3, 5), "act": ACTIVATION_MODULES[kind]()}
    network = nn.Module()
    network.body = nn.Sequential()
    for name, layer in layers.items():
        network.body.add_module(name, layer)
    network.eval()  # in training, RReLU draws
    run = compiled(network.body, fullgraph=True) if compile else network.body
    x = torch.randn(4, 3)
    ((site, seen, measured),) = observe(lambda: run(x), network, kinds=[kind])
    assert (site, seen) == ("body.act", kind)
    assert torch.allclose(measured, network.body(x).amax(0), atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "seen"), [(["relu6"], 3), (["hardtanh"], 1), (["relu6", "hardtanh"], 4), (["elu"], 0)]
)
def test_hardtanh_from_0_to_6_is_relu6_and_only_what_is_asked_for_is_seen(asked, seen):
    x = torch.randn(4, 3)

    def run():
        nn.ReLU6()(x)
        F.hardtanh(x, min_val=0.0, max_val=6.0)
        nn.Hardtanh(0.0, 6.0)(x)
        F.hardtanh(x)

    assert len(observe(run, nn.Module(), kinds=asked)) == seen


class Twice(nn.Module):
    """One module used twice, functional calls, and one in place."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 4), nn.Linear(4, 4), nn.Linear(4, 6)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.act(self.b(self.act(self.a(x))))
        return F.relu(self.c(x).relu() - 0.1, inplace=True)


TWICE = ["net.act", "net.act#2", "net.relu", "net.relu#2"]


class Holder(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize("compile", ["no", "network", "in place", "step"])
@pytest.mark.parametrize("passes", [1, 2])
def test_the_same_sites_again_in_each_forward_pass_eager_or_compiled(compile, passes):
    root = Holder(Twice())
    root.step = None

    def step(x):
        return sum(root(x).sum() for _ in range(passes))

    run = step
    if compile == "network":
        root.net = compiled(root.net)
    elif compile == "in place":
        compiled(root.net)
        root.net.compile(backend="aot_eager")
    elif compile == "step":
        run = compiled(step)
    observer = ActivationObserver(["relu"], largest, refuse)
    for epoch in range(3):
        observer.attach(root)
        for _ in range(2):
            observer.start()
            run(torch.randn(7, 5, requires_grad=True)).backward()
            observer.stop()
            assert sites(observer.drain()) == TWICE * passes
        observer.detach()
        with torch.no_grad():
            root(torch.randn(7, 5))
        assert observer.traced == (compile != "no")
        if epoch == 0:
            made = graphs()
            assert made <= 2  # with and without gradients
        assert graphs() == made


class Using(nn.Module):
    """A layer and an activation that it may share with others."""

    def __init__(self, act, *, held=True):
        super().__init__()
        self.layer = nn.Linear(5, 5)
        self.acts = nn.ModuleList([act]) if held else [act]

    def forward(self, x):
        return self.acts[0](self.layer(x))


def held_by_each():
    act = nn.ReLU()
    return nn.Sequential(Using(act), Using(act), act), ["0.acts.0", "1.acts.0", "2"]


def held_by_none_that_calls_it():
    act = nn.ReLU()
    network = nn.Sequential(Using(act, held=False), Using(act, held=False))
    network.spare = nn.ModuleList([act])
    return network, ["0.relu", "1.relu"]


def held_twice_by_one():
    act = nn.ReLU()
    return nn.Sequential(nn.Linear(5, 5), act, nn.Linear(5, 5), act), ["1", "1#2"]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("make", [held_by_each, held_by_none_that_calls_it, held_twice_by_one])
def test_a_module_that_several_others_call_is_a_site_in_each(make, compile):
    network, expected = make()
    if make is not held_twice_by_one:
        network.forward = partial(run_through, list(network)[: len(expected)])
    run = compiled(network) if compile else network
    assert sites(observe(lambda: run(torch.randn(7, 5)), network)) == expected


def run_through(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def test_a_network_compiled_and_run_before_is_traced_once_more_and_then_seen():
    root = Holder(Twice())
    root.net = compiled(root.net)
    x = torch.randn(7, 5)
    root(x).sum().backward()
    assert graphs() == 1
    for _ in range(3):
        assert sites(observe(lambda: root(x).sum().backward(), root)) == TWICE
    assert graphs() == 2


@pytest.mark.parametrize("dynamic", [None, True])
def test_batches_of_many_sizes_need_no_graph_more_than_without_an_observer(dynamic):
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(54, 8),
        nn.ReLU(),
    )

    def train(run):
        for size in (8, 5, 7, 3):
            run(torch.randn(size, 3, 8, 8)).sum().backward()
        return graphs()

    needed = train(compiled(network, dynamic=dynamic))
    run = compiled(network, dynamic=dynamic)
    made = []
    records = observe(lambda: made.append(train(run)), network)
    assert made == [needed]
    assert [(site, len(measured)) for site, _, measured in records] == [("2", 6), ("6", 8)] * 4


class Scaled(nn.Module):
    """Is given a number that changes, as the strength of a term that is warmed up."""

    def __init__(self):
        super().__init__()
        self.layer, self.act = nn.Linear(4, 3), nn.ReLU()

    def forward(self, x, scale):
        return self.act(self.layer(x)) * scale


@pytest.mark.parametrize("dynamic", [None, True])
def test_a_number_that_changes_needs_no_graph_more_than_without_an_observer(dynamic):
    network, x = Scaled(), torch.randn(5, 4)

    def train(run):
        for scale in (0.1, 0.2, 0.4, 0.8):
            run(x, scale).sum().backward()
        return graphs()

    needed = train(compiled(network, dynamic=dynamic))
    run = compiled(network, dynamic=dynamic)
    made = []
    records = observe(lambda: made.append(train(run)), network)
    assert made == [needed]
    assert sites(records) == ["act"] * 4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.act, self.two = nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)

    def forward(self, x):
        return x + F.gelu(self.two(self.act(self.one(x))))


class Blocks(nn.Module):
    """More blocks of one form than Dynamo makes graphs of one function."""

    def __init__(self, reentrant=None):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(12))
        self.reentrant = reentrant

    def forward(self, x):
        for block in self.blocks:
            if self.reentrant is None:
                x = block(x)
            else:
                x = checkpoint(block, x, use_reentrant=self.reentrant)
        return x


BLOCK_SITES = [f"blocks.{i}.{name}" for i in range(12) for name in ("act", "gelu")]


@pytest.mark.parametrize("in_place", [False, True])
def test_blocks_compiled_one_by_one_share_their_graph(in_place):
    network = Blocks()
    compiled(network)
    for i, block in enumerate(network.blocks):
        if in_place:
            block.compile(backend="aot_eager")
        else:
            network.blocks[i] = torch.compile(block, backend="aot_eager")
    x = torch.randn(4, 8, requires_grad=True)
    for _ in range(3):
        assert sites(observe(lambda: network(x).sum().backward(), network)) == BLOCK_SITES
    assert graphs() == 1


# Dynamo does not trace reentrant checkpointing, so no network as a whole is compiled with it.
@pytest.mark.parametrize(
    ("reentrant", "compile"),
    [(False, "no"), (False, "whole"), (False, "blocks"), (True, "no"), (True, "blocks")],
)
def test_checkpointing_is_seen_once_and_trains_as_without_an_observer(reentrant, compile):
    torch.manual_seed(0)
    network, plain = Blocks(reentrant), Blocks()
    plain.load_state_dict(network.state_dict())
    run = compiled(network) if compile == "whole" else network
    counters.clear()
    if compile == "blocks":
        compiled(network)
        for block in network.blocks:
            block.compile(backend="aot_eager")
    x = torch.randn(4, 8, requires_grad=True)
    records = observe(lambda: run(x).sum().backward(), network)
    expected = observe(lambda: plain(x).sum().backward(), plain)
    if compile == "blocks" and reentrant:
        # Gradients are off in the first pass, and what runs again is not told from a teacher.
        assert records == []
    else:
        assert sites(records) == sites(expected) == BLOCK_SITES
        for (_, _, one), (_, _, other) in zip(records, expected, strict=True):
            torch.testing.assert_close(one, other)
    for one, other in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    limits = {"no": 0, "whole": 1, "blocks": 2 if reentrant else 1}
    assert counters["stats"]["unique_graphs"] == limits[compile]


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.yes, self.no = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(torch.cond(x.sum() > 0, self.yes, self.no, (x,)))


class Mapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.part, self.act = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.ReLU()

    def forward(self, x):
        return self.act(torch.vmap(self.part)(x))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("make", [Branching, Mapped])
def test_branches_and_mapped_functions_go_on_unseen_and_what_follows_is_seen(make, compile):
    torch.manual_seed(0)
    network, x = make(), torch.randn(3, 4)
    run = compiled(network) if compile else network
    records = observe(lambda: run(x).sum().backward(), network)
    if records or not (compile and make is Branching):
        # (Dynamo of torch 2.14 drops what a mode notes after a branch.)
        ((site, _, measured),) = records
        assert site == "act"
        assert torch.allclose(measured, network(x).amax(0))
    assert all(p.grad is not None for p in network.parameters()) or make is Branching


def test_two_observers_each_see_a_checkpointed_network_once():
    network = Blocks(reentrant=False)
    one, other = (ActivationObserver([kind], largest, refuse) for kind in ("relu", "gelu"))
    for observer in (one, other):
        observer.attach(network)
        observer.start()
    loss = network(torch.randn(4, 8)).sum()
    for observer in (one, other):
        observer.pause()
    loss.backward()
    for observer in (other, one):
        observer.stop()
        observer.detach()
    assert sites(one.drain()) == BLOCK_SITES[::2]
    assert sites(other.drain()) == BLOCK_SITES[1::2]


def test_what_a_gradient_in_the_step_computes_again_is_not_counted():
    network = nn.ModuleDict({"part": nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))})
    network["last"] = nn.Linear(8, 2)

    def run():
        x = torch.randn(4, 8, requires_grad=True)
        energy = checkpoint(network["part"], x, use_reentrant=False).square().sum()
        (force,) = torch.autograd.grad(energy, x, create_graph=True)
        network["last"](F.silu(force)).sum().backward()

    assert sites(observe(run, network)) == ["part.1", "silu"]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [None, True])
def test_a_network_without_gradients_is_not_observed(reentrant):
    network, x = Blocks(reentrant), torch.randn(4, 8)

    def run():
        with torch.no_grad():
            network(x)

    assert observe(run, network) == []


def test_two_backward_passes_and_a_forward_pass_between_them():
    network, x = Blocks(reentrant=False), torch.randn(4, 8)

    def run():
        for _ in range(2):
            network(x).sum().backward()

    assert sites(observe(run, network)) == BLOCK_SITES * 2


def test_the_backward_pass_is_torchs_own():
    x = torch.randn(3, requires_grad=True)

    def run():
        (x * 2).backward(torch.arange(3.0))
        (x * 2).sum().backward(retain_graph=True)
        (x * 2).sum().backward(inputs=[x])
        with pytest.raises(RuntimeError, match="scalar outputs"):
            (x * 2).backward()
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.ones(1).backward()
        torch.autograd.backward((x * 2).sum())

    assert observe(run, nn.Module()) == []
    assert x.grad.tolist() == [6.0, 8.0, 10.0]


def run_unit_dims(module, shape):
    dims = []

    def measure(site, kind, outputs, unit_dim):
        dims.append((tuple(outputs.shape), unit_dim % outputs.ndim))

    observe(lambda: module(torch.randn(shape)), module, measure=measure)
    return dims


class Then(nn.Module):
    """A layer, what is done to its outputs, and a ReLU."""

    def __init__(self, layer, between=lambda x: x):
        super().__init__()
        self.layer, self.between = layer, between

    def forward(self, x):
        return F.relu(self.between(self.layer(x)))


def einsum(equation, *weights):
    return lambda x: torch.einsum(equation, x, torch.ones(weights))


conv1, conv2, conv3 = nn.Conv1d(2, 6, 3), nn.Conv2d(2, 6, 3), nn.Conv3d(2, 6, 3)


@pytest.mark.parametrize(
    ("module", "shape", "dim"),
    [
        (Then(nn.Linear(5, 6)), (4, 5), 1),
        (Then(nn.Linear(5, 6)), (5,), 0),
        (Then(nn.Linear(5, 6)), (4, 7, 5), 2),
        (Then(nn.Linear(5, 6)), (4, 3, 7, 5), 3),
        (Then(conv1), (4, 2, 9), 1),
        (Then(conv1), (2, 9), 0),
        (Then(conv2), (4, 2, 9, 9), 1),
        (Then(conv2), (2, 9, 9), 0),
        (Then(conv3), (4, 2, 9, 9, 9), 1),
        (Then(nn.ConvTranspose1d(2, 6, 3)), (4, 2, 9), 1),
        (Then(nn.ConvTranspose2d(2, 6, 3)), (4, 2, 9, 9), 1),
        (Then(nn.ConvTranspose3d(2, 6, 3)), (4, 2, 9, 9, 9), 1),
        (Then(nn.Sequential(conv1, nn.BatchNorm1d(6))), (4, 2, 9), 1),
        (Then(nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6))), (4, 5), 1),
        (Then(nn.Sequential(conv2, nn.GroupNorm(2, 6))), (4, 2, 9, 9), 1),
        (Then(nn.Sequential(conv2, nn.InstanceNorm2d(6))), (4, 2, 9, 9), 1),
        (Then(nn.Sequential(conv2, nn.LayerNorm([6, 7, 7]))), (4, 2, 9, 9), 1),
        (Then(nn.Sequential(conv2, nn.RMSNorm([6, 7, 7]))), (4, 2, 9, 9), 1),
        (Then(nn.Sequential(nn.Linear(5, 6), nn.LayerNorm([7, 6]))), (4, 7, 5), 2),
        (Then(nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6))), (4, 7, 5), 2),
        (Then(conv1, lambda x: F.layer_norm(x, normalized_shape=(6, 7))), (4, 2, 9), 1),
        (Then(nn.Sequential(conv2, nn.MaxPool2d(2))), (4, 2, 9, 9), 1),
        (Then(conv2, lambda x: x.flatten(1)), (4, 2, 9, 9), 1),
        (Then(conv2, lambda x: x.mean((2, 3))), (4, 2, 9, 9), 1),
        (Then(conv2, lambda x: x.flatten(2)), (4, 2, 9, 9), 1),
        (Then(conv2, lambda x: x.flatten(2).transpose(1, 2)), (4, 2, 9, 9), 2),
        (Then(conv2, lambda x: x.permute(0, 2, 3, 1)), (4, 2, 9, 9), 3),
        (Then(conv2, lambda x: x.chunk(2, 1)[0]), (4, 2, 9, 9), 1),
        (Then(conv1, lambda x: x.amax(-1)), (6, 2, 9), 1),
        (Then(conv1, lambda x: x.chunk(2, 1)[0]), (4, 2, 9), 1),
        (Then(conv1, lambda x: torch.cat([x, x], 1)), (4, 2, 9), 1),
        (Then(conv1, lambda x: torch.cat([x, -x], 1)), (4, 2, 8), 1),
        (Then(conv2, lambda x: x.chunk(2, 1)[0]), (4, 2, 8, 9), 1),
        (Then(conv1, lambda x: F.layer_norm(x.transpose(1, 2), (6,))), (4, 2, 8), 2),
        (Then(nn.Linear(5, 12), lambda x: x.view(4, 3, 2, 2)), (4, 5), 1),
        (Then(nn.Linear(5, 12), lambda x: x.view(4, 7, 3, 4).transpose(1, 2)), (4, 7, 5), 3),
        (Then(nn.Embedding(9, 6), lambda x: x), None, 2),
        (Then(nn.Identity(), lambda x: x @ torch.ones(5, 6)), (4, 3, 7, 5), 3),
        (Then(conv2, einsum("bchw,dc->bdhw", 8, 6)), (4, 2, 5, 5), 1),
        (Then(conv2, einsum("bchw,dc->bhwd", 8, 6)), (4, 2, 5, 5), 3),
        (
            Then(conv2, lambda x: torch.einsum("dc,bchw->bdhw", torch.ones(8, 6), x)),
            (4, 2, 5, 5),
            1,
        ),
        (Then(conv2, einsum("...hw, wv -> ...hv", 3, 3)), (4, 2, 5, 5), 3),
        (Then(conv1, einsum("bct,dc...->bd...t", 8, 6)), (4, 2, 9), 1),
        (Then(nn.Linear(5, 6), einsum("btc,cd->btd", 6, 8)), (4, 7, 5), 2),
        (Then(nn.Linear(5, 6), einsum("bc,cd", 6, 8)), (4, 5), 1),
        (Then(conv1, lambda x: torch.mm(x[:, 0], torch.ones(7, 6))), (4, 2, 9), 1),
        (Then(conv1, lambda x: torch.bmm(x, torch.ones(4, 7, 9))), (4, 2, 9), 2),
        (Then(nn.Identity()), (4, 5), 1),
        (Then(nn.Identity()), (4, 5, 3, 3), 1),
        (nn.TransformerEncoderLayer(8, 2, 16), (5, 4, 8), 2),
        (nn.TransformerEncoderLayer(8, 2, 16, activation=nn.ReLU()), (5, 4, 8), 2),
        (nn.TransformerEncoderLayer(8, 2, 16, norm_first=True), (5, 8), 1),
    ],
)
def test_the_units_are_channels_or_features(module, shape, dim):
    if shape is None:
        module.layer.register_forward_pre_hook(lambda *_: (torch.ones(4, 7, dtype=torch.long),))
    ((_, found),) = run_unit_dims(module, shape or (1,))
    assert found == dim


@pytest.mark.parametrize("activation", [F.relu, nn.ReLU()])
def test_an_encoder_is_seen_in_training_and_keeps_its_fast_path_after(activation, monkeypatch):
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation, batch_first=True)
    network, x = nn.TransformerEncoder(layer, 2), torch.randn(3, 5, 8)
    names = "activation" if isinstance(activation, nn.Module) else "relu"
    assert sites(observe(lambda: network(x), network)) == [f"layers.{i}.{names}" for i in (0, 1)]
    network.eval()
    fast, calls = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(
        torch, "_transformer_encoder_layer_fwd", lambda *a, **k: calls.append(0) or fast(*a, **k)
    )
    with torch.no_grad():
        network(x)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("make", "count", "widths"),
    [
        (resnet18, 17, {64: 5, 128: 4, 256: 4, 512: 4}),
        (lambda: googlenet(aux_logits=False, init_weights=False), 57, None),
    ],
)
def test_torchvisions_networks_are_seen_whole(make, count, widths):
    network = make()
    records = observe(lambda: network(torch.randn(2, 3, 32, 32)), network)
    assert len(set(sites(records))) == len(records) == count
    channels = {m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)}
    assert {len(measured) for _, _, measured in records} <= channels
    for width, times in (widths or {}).items():
        assert sum(len(measured) == width for _, _, measured in records) == times


def through_torch_save(network):
    buffer = io.BytesIO()
    torch.save(network, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net)), through_torch_save]
)
def test_a_copy_is_inert_and_does_not_hold_the_observer(duplicate):
    network = Twice()
    observer = ActivationObserver(["relu"], largest, refuse)
    observer.attach(network)
    observer.start()
    twin = duplicate(network)
    with torch.no_grad():
        twin(torch.randn(3, 5))
    assert observer.scope is observer._root
    network(torch.randn(3, 5))
    observer.stop()
    assert sites(observer.drain()) == [site.removeprefix("net.") for site in TWICE]
    hooks = [h for m in twin.modules() for h in (*m._forward_hooks.values(),)]
    assert not any(hasattr(hook, "observer") for hook in hooks)
    assert b"torchvitals" not in pickle.dumps(network)
    observer.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


class Fragile(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = nn.ModuleDict({"a": Breaking(), "b": nn.ReLU()})

    def forward(self, x):
        try:
            self.part["a"](x)
        except ValueError:
            x = F.relu(x)
        return F.relu(self.part["b"](x))


class Breaking(nn.Module):
    def forward(self, x):
        raise ValueError


def test_a_module_that_raises_does_not_shift_the_names_that_follow():
    root = nn.Module()
    root.first, root.second = Fragile(), Twice()

    def run():
        root.first(torch.randn(3, 5))
        root.second(torch.randn(3, 5))

    assert sites(observe(run, root))[-4:] == [site.replace("net", "second") for site in TWICE]


def test_an_error_in_the_step_leaves_neither_mode_nor_hook():
    network = nn.Sequential(nn.ReLU(), Breaking())
    observer = ActivationObserver(["relu"], largest, refuse)
    observer.attach(network)
    observer.start()
    with pytest.raises(ValueError):  # noqa: PT011
        network(torch.randn(2, 3))
    observer.stop()
    observer.detach()
    observer.drain()
    F.relu(torch.randn(2))
    assert observer.drain() == []
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_what_goes_wrong_while_observing_is_handed_over_and_the_call_goes_on():
    errors, x = [], torch.randn(4, 3)
    results = []
    records = observe(
        lambda: results.append(F.relu(x)),
        nn.Module(),
        measure=lambda *_: 1 / 0,
        on_error=errors.append,
    )
    assert records == []
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert torch.equal(results[0], x.clamp(min=0))


def test_nothing_is_kept_of_what_measures_to_none_and_outputs_are_detached():
    grads = []

    def measure(site, kind, outputs, unit_dim):
        grads.append(outputs.requires_grad)

    x = torch.ones(1, 2, requires_grad=True)
    assert observe(lambda: nn.ReLU()(x), nn.Module(), measure=measure) == []
    assert grads == [False]


def test_a_number_for_each_sample_or_for_all_has_no_units():
    layer, x = nn.Linear(3, 4), torch.randn(5, 3)

    def run():
        outputs = F.relu(layer(x))
        F.relu(outputs.mean(1))
        F.relu6(outputs.mean())
        layer(outputs[:, :3])

    assert [(s, len(v)) for s, _, v in observe(run, layer)] == [("relu", 4)]


class Monotone(nn.Module):
    """Layers whose weights are positive, or between 0 and 1, whatever their parameters are."""

    def __init__(self):
        super().__init__()
        self.positive, self.raw = nn.Linear(3, 4), nn.Parameter(torch.randn(2, 4))
        parametrize.register_parametrization(self.positive, "weight", nn.Softplus())

    def forward(self, x):
        return F.linear(F.relu(self.positive(x)), torch.sigmoid(input=self.raw))


@pytest.mark.parametrize("compile", [False, True])
def test_what_makes_weights_of_parameters_has_no_units(compile):
    network, x = Monotone(), torch.randn(5, 3)
    run = compiled(network) if compile else network
    assert sites(observe(lambda: run(x), network)) == ["relu"]


class Penalised(nn.Module):
    """A layer, and a penalty on its weights that is one number."""

    def __init__(self, product):
        super().__init__()
        self.layer, self.product = nn.Linear(3, 4), product

    def forward(self, x):
        hidden, weights = self.layer(x), self.layer.weight.flatten()
        penalty = self.product(weights, weights)
        return F.relu(hidden), penalty


@pytest.mark.parametrize(
    ("product", "compile"),
    [
        (torch.matmul, False),
        (torch.matmul, True),
        (lambda v, w: v @ w, False),
        (lambda v, w: torch.einsum("i,i->", v, w), False),
        (F.linear, False),
    ],
)
def test_a_product_that_is_one_number_is_no_layer(product, compile):
    network = Penalised(product)
    run = compiled(network) if compile else network
    records = observe(lambda: run(torch.randn(5, 3)), network)
    assert [(site, len(kept)) for site, _, kept in records] == [("relu", 4)]


def test_a_sample_alone_has_the_units_of_its_layer():
    layer, x = nn.Linear(3, 4), torch.randn(3)

    def run():
        layer(F.relu(layer(x))[:3])

    assert sites(observe(run, layer)) == ["relu"]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_rows_of_several_lengths_are_passed_over():
    layer = nn.Linear(3, 4)
    rows = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(5, 3)], requires_grad=True)

    def run():
        layer(F.relu(layer(torch.randn(2, 3)))[:, :3])
        F.relu(layer(rows))

    assert sites(observe(run, layer)) == ["relu"]


class Hinge(nn.Module):
    """A network, and a step that calls ReLUs of its own."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 4), nn.Linear(4, 2)

    def run(self, observer):
        hidden = F.relu(self.inner(torch.randn(5, 3)))
        outputs = self.outer(hidden)
        loss = F.relu(outputs - 50).mean() + outputs.square().mean()
        observer.pause()
        loss.backward()


def test_what_a_step_calls_behind_its_last_layer_is_of_the_loss():
    network = Hinge()
    observer = ActivationObserver(ACTIVATION_MODULES, largest, refuse)
    observer.attach(network)
    for _ in range(2):
        observer.start()
        network.run(observer)
        observer.stop()
        assert [(s, len(v)) for s, _, v in observer.drain()] == [("relu", 4)]
        assert observer.ends_in_layer
    observer.detach()


def two_hinges(network, x):
    """The loss of a critic, or of a network that is called once more for a penalty."""
    first = network.outer(F.relu(network.inner(x)))
    losses = [F.relu(1 - first).mean(), F.softplus(first).mean()]
    return [*losses, F.relu(1 + network.outer(F.relu(network.inner(x)))).mean()]


def through_operations(network, x):
    hidden = F.relu(network.inner(x))
    hidden = F.dropout(torch.cat([hidden[:, :2], 0.5 * hidden[:, 2:].exp()], 1) + hidden, 0.1)
    return [network.outer(hidden).mean(), F.relu(network.inner(x)).mean()]


def multiplied(network, x):
    weights = network.outer.weight.t()
    products = [torch.mm, lambda x, y: torch.einsum("bi,ij->bj", [x, y])]
    return [product(F.relu(network.inner(x)), weights).mean() for product in products]


def detached(network, x):
    hidden = F.relu(network.inner(x))
    return [network.outer(hidden.detach()).mean(), hidden.mean()]


def without_gradients(network, x):
    network.inner.requires_grad_(False)
    return [network.outer(F.relu(network.inner(x)) / 2).mean()]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (two_hinges, ["relu", "relu#3"]),
        (through_operations, ["relu"]),
        (detached, ["relu"]),
        (multiplied, ["relu", "relu#2"]),
        (without_gradients, ["relu"]),
    ],
)
@pytest.mark.parametrize("backward", [True, False])
def test_what_a_step_calls_and_gives_to_no_layer_is_of_the_loss(losses, expected, backward):
    network = Hinge()

    def run():
        loss = sum(losses(network, torch.randn(5, 3)))
        if backward:
            loss.backward()

    assert sites(observe(run, network)) == expected


class NewGELUActivation(nn.Module):
    """As other libraries write it."""

    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))


class Swish(nn.Module):
    def __init__(self, *, learned=False):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(())) if learned else 1.0

    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)


class SwishMe(nn.Module):
    def __init__(self):
        super().__init__()
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return x * self.sigmoid(x)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (NewGELUActivation(), "gelu"),
        (Swish(), "silu"),
        (Swish(learned=True), None),
        (nn.GELU(), "gelu"),
        (nn.ReLU6(), "relu6"),
        (nn.Hardtanh(0.0, 6.0), "relu6"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Linear(2, 2), None),
    ],
)
def test_formulas_are_told_by_the_name_of_their_class_and_relu6_by_its_limits(module, kind):
    assert kind_of_module(module) == kind


def test_the_tanh_inside_of_a_formula_is_none_of_the_networks():
    network = nn.Sequential(
        nn.Linear(4, 8), NewGELUActivation(), nn.Linear(8, 3), Swish(), nn.Linear(3, 3), SwishMe()
    )  # fmt: skip
    x = torch.randn(8, 4)
    records = observe(lambda: network(x), network)
    found = [(site, kind) for site, kind, _ in records]
    assert found == [("1", "gelu"), ("3", "silu"), ("5", "silu")]
    hidden = F.gelu(network[0](x), approximate="tanh")
    torch.testing.assert_close(records[0][2], hidden.amax(0))
    # Where the kind is not asked for, its inside is none of another kind.
    assert observe(lambda: network(x), network, kinds=["tanh", "sigmoid"]) == []
