"""Layers that take and give other forms than torch's do, and networks of them for (N, 6, 4)."""

import copy
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    """A function of the layers and the inputs."""

    def __init__(self, run, *layers, **parts):
        super().__init__()
        self.run, self.layers = run, nn.ModuleList(layers)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


class NormLast(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ConvLast(nn.Conv1d):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class NormByName(nn.LayerNorm):
    def forward(self, *, hidden):
        return super().forward(hidden)


class OfADict(nn.Linear):
    def forward(self, batch):
        return super().forward(batch["x"])


class WithItsInput(nn.Linear):
    def forward(self, x):
        return super().forward(x), x


class OfTheSecond(nn.Linear):
    def forward(self, x, other):
        return super().forward(other)


class NoInput(nn.Linear):
    def forward(self):
        return self.weight


class LastState(nn.LSTM):
    def forward(self, x):
        return super().forward(x)[0][:, -1]


class StateByName(nn.GRU):
    def forward(self, *, sequence):
        return super().forward(sequence)[1][-1]


class SelfAttention(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


class OfNumbers(nn.Embedding):
    def forward(self, x):
        return super().forward((3 * x.abs()).long().clamp(0, 9))


class SumReLU(nn.ReLU):
    def forward(self, x, other):
        return super().forward(x + other)


class SigmoidOfADict(nn.Sigmoid):
    def forward(self, batch):
        return {"x": super().forward(batch["x"])}


class ReLUOfAList(nn.ReLU):
    def forward(self, parts):
        return [super(ReLUOfAList, self).forward(part) for part in parts]


class TanhOfTheSum(nn.Tanh):
    def forward(self, x):
        return super().forward(x.sum())


class Labelled(Tensor):
    """A tensor of a class of its own, as one of an image is; what is computed of it has no name."""

    def to(self, *args, **kwargs):
        moved = super().to(*args, **kwargs)
        moved.label = self.label
        return moved


class Recipe:
    """Something to call that knows its own names alone, as a quantiser's settings do."""

    def __call__(self, x):
        return x

    def __getattr__(self, name):
        raise LookupError(f"{name} cannot be resolved")


class Quantised(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.recipe = Recipe()

    def forward(self, x):
        return super().forward(self.recipe(x))


class Scaling:
    """A multiple of the identity, which torch's functions accept; a product with it is lazy."""

    def __init__(self, of):
        self.of = of

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return cls(2.0 * args[0])


def head(inputs=8):
    return nn.Linear(inputs, 3)


def body():
    return nn.Linear(24, 8)


def hidden(net, x):
    return net.layers[0](x.flatten(1))


def through_time(net, x):
    steps = (x[:, t] for t in range(6))
    return reduce(lambda state, step: net.layers[0](step, state), steps, torch.zeros(len(x), 8))


def packed(x):
    lengths = 1 + torch.arange(len(x)) % 6
    return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


def in_turn(net, x):
    net.calls += 1
    return net.layers[net.calls % 2](x.flatten(1))


def flat(*layers):
    return nn.Sequential(nn.Flatten(), *layers)


def shared():
    layer = nn.Linear(8, 8)
    return flat(body(), nn.ReLU(), layer, nn.ReLU(), layer, nn.ReLU(), head())


NETWORKS = {
    "norm of the last dimension": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x).flatten(1)), NormLast(4), head(24)),
    "kernel of the last dimension": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x).relu().flatten(1)), ConvLast(4, 5, 3), head(20)),
    "batch norm by name": lambda: Net(
        lambda n, x: n.layers[2](n.layers[1](input=hidden(n, x))), body(), nn.BatchNorm1d(8),
        head()),
    "layer norm by name": lambda: Net(
        lambda n, x: n.layers[2](n.layers[1](hidden=hidden(n, x)).relu()), body(), NormByName(8),
        head()),
    "layer by name": lambda: Net(
        lambda n, x: n.layers[1](input=n.layers[0](input=x.flatten(1)).relu()), body(), head()),
    "layer of a dict": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0]({"x": x.flatten(1)}).relu()), OfADict(24, 8), head()),
    "layer that gives a pair": lambda: Net(
        lambda n, x: n.layers[1](hidden(n, x)[0].relu()), WithItsInput(24, 8), head()),
    "layer of what comes second": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](None, x.flatten(1)).relu()), OfTheSecond(24, 8),
        head()),
    "layer without an input": lambda: Net(
        lambda n, x: n.layers[1](F.linear(x.flatten(1), n.layers[0]()).relu()), NoInput(24, 8),
        head()),
    "recurrent layer that gives a tensor": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x)), LastState(4, 8, batch_first=True), head()),
    "recurrent layer by name": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](sequence=x)), StateByName(4, 8, batch_first=True),
        head()),
    "recurrent layer of packed sequences": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](packed(x))[1][-1]), nn.GRU(4, 8, batch_first=True),
        head()),
    "two ways and a projection": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x)[0][:, -1]),
        nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True, proj_size=5), head(10)),
    "cell": lambda: Net(
        lambda n, x: n.layers[1](through_time(n, x)), nn.GRUCell(4, 8), head()),
    "attention of one's own": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x).flatten(1)),
        SelfAttention(4, 2, batch_first=True), head(24)),
    "encoder and decoder": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x, x[:, :3]).mean(1)),
        nn.Transformer(4, 2, 1, 1, 16, batch_first=True), head(4)),
    "embedding of real numbers": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x).flatten(1)), OfNumbers(10, 2), head(48)),
    "bag of numbers": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0]((3 * x.flatten(1).abs()).long().clamp(0, 9))),
        nn.EmbeddingBag(10, 8), head()),
    "rectifier of two": lambda: Net(
        lambda n, x: n.layers[2](n.layers[1](hidden(n, x), x.flatten(1)[:, :8])), body(),
        SumReLU(), head()),
    "sigmoid of a dict": lambda: Net(
        lambda n, x: n.layers[2](n.layers[1]({"x": hidden(n, x)})["x"]), body(), SigmoidOfADict(),
        head()),
    "rectifier of a list": lambda: Net(
        lambda n, x: n.layers[2](torch.cat(n.layers[1]([hidden(n, x), x.flatten(1)]), 1)), body(),
        ReLUOfAList(), head(32)),
    "tanh of a number": lambda: Net(
        lambda n, x: n.layers[2](hidden(n, x)) * n.layers[1](x), body(), TanhOfTheSum(), head()),
    "rectifier of whole numbers": lambda: Net(
        lambda n, x: n.layers[0](F.relu((3 * x).int()).float().flatten(1)), head(24)),
    "rectifier of nothing": lambda: Net(
        lambda n, x: hidden(n, x) + F.relu(x[:0]).sum(), head(24)),
    "rectifier of a parameter": lambda: Net(
        lambda n, x: hidden(n, x) * F.relu(n.scale), head(24), scale=nn.Parameter(torch.ones(3))),
    "sigmoid of a number": lambda: Net(
        lambda n, x: hidden(n, x) * torch.sigmoid(n.gate), head(24),
        gate=nn.Parameter(torch.zeros(()))),
    "complex numbers": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x.flatten(1).cfloat()).abs()),
        nn.Linear(24, 8, dtype=torch.cfloat), head()),
    "complex tanh": lambda: Net(
        lambda n, x: n.layers[1](torch.tanh(torch.complex(*hidden(n, x).chunk(2, 1))).abs()),
        body(), head(4)),
    "kernel of frequencies": lambda: Net(
        lambda n, x: n.layers[0]((torch.fft.rfft(x, dim=1) * n.kernel).abs().relu().flatten(1)),
        head(16), kernel=nn.Parameter(torch.randn(4, 4, dtype=torch.cfloat))),
    "double precision": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x.flatten(1).double()).relu()), body().double(),
        head().double()),
    "half precision and a norm": lambda: Net(
        lambda n, x: n.layers[1](n.layers[0](x.flatten(1).bfloat16())).float(),
        body().bfloat16(), nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), head()).bfloat16()),
    "lazy layers": lambda: flat(
        nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3)),
    "weights of length one": lambda: flat(
        parametrizations.weight_norm(body()), nn.ReLU(), parametrizations.spectral_norm(head())),
    "orthogonal weights": lambda: flat(parametrizations.orthogonal(body()), nn.ReLU(), head()),
    "one layer twice": shared,
    "rectified in place": lambda: flat(body(), nn.ReLU(inplace=True), head()),
    "parameters in a list": lambda: Net(
        lambda n, x: (x.flatten(1) @ n.own[0]).relu() @ n.own[1],
        own=nn.ParameterList([torch.randn(24, 8) / 5, torch.randn(8, 3) / 3])),
    "a tensor of three dimensions": lambda: Net(
        lambda n, x: torch.einsum("btd,tdk->bk", x, n.own),
        own=nn.Parameter(torch.randn(6, 4, 3) / 9)),
    "a parameter without entries": lambda: Net(
        lambda n, x: hidden(n, x), head(24), own=nn.Parameter(torch.zeros(0, 4))),
    "norm of one channel": lambda: flat(
        nn.Linear(24, 1), nn.BatchNorm1d(1), nn.ReLU(), nn.Linear(1, 3)),
    "norm without running moments": lambda: flat(
        body(), nn.BatchNorm1d(8, track_running_stats=False), nn.ReLU(), head()),
    "norm of all batches": lambda: flat(
        body(), nn.BatchNorm1d(8, affine=False, momentum=None), nn.ReLU(), head()),
    "gated": lambda: flat(nn.Linear(24, 16), nn.GLU(), head(), nn.PReLU()),
    "scripted": lambda: Net(
        lambda n, x: n.layers[0](n.script(x.flatten(1))), head(),
        script=torch.jit.script(nn.Sequential(body(), nn.ReLU()))),
    "checkpointed": lambda: Net(
        lambda n, x: n.layers[1](checkpoint(n.layers[0], x.flatten(1), use_reentrant=False)),
        nn.Sequential(body(), nn.ReLU()), head()),
    "mapped over samples": lambda: Net(
        lambda n, x: n.layers[1](torch.vmap(n.layers[0])(x.flatten(1)).relu()), body(), head()),
    "called with other parameters": lambda: Net(
        lambda n, x: torch.func.functional_call(
            n.layers[0], {k: 1.0 * p for k, p in n.layers[0].named_parameters()}, (x.flatten(1),)),
        nn.Sequential(body(), nn.ReLU(), head())),
    "bilinear": lambda: Net(
        lambda n, x: n.layers[0](x.flatten(1), x.flatten(1)), nn.Bilinear(24, 24, 3)),
    "dropout of all": lambda: flat(body(), nn.Dropout(1.0), head()),
    "layers that nobody calls": lambda: Net(
        lambda n, x: hidden(n, x), head(24), nn.Linear(5, 5), nn.BatchNorm1d(3)),
    "a tensor of another class": lambda: Net(
        lambda n, x: hidden(n, x.as_subclass(Labelled)).as_subclass(Tensor), head(24)),
    "an attribute with errors of its own": lambda: flat(Quantised(24, 8), nn.ReLU(), head()),
    "one activation or another": lambda: Net(
        lambda n, x: n.layers[1]((torch.relu if x[0, 0, 0] > 0 else torch.tanh)(hidden(n, x))),
        body(), head()),
    "another width each time": lambda: Net(
        lambda n, x: F.linear(
            F.linear(x.flatten(1), n.layers[0].weight[: 2 + (w := int(x[0, 0, 0] > 0))]).relu(),
            n.layers[1].weight[:, : 2 + w]), body(), head()),
    "another part each time": lambda: Net(
        in_turn, head(24), nn.Sequential(body(), nn.ReLU(), head()), calls=0),
    "nested tensors": lambda: Net(
        lambda n, x: torch.stack([
            part.mean(0) for part in
            F.relu(n.layers[0](torch.nested.nested_tensor(list(x)))).unbind()]), nn.Linear(4, 3)),
    "a product with a sparse matrix": lambda: Net(
        lambda n, x: n.layers[0](torch.sparse.mm(torch.eye(len(x)).to_sparse(), x.flatten(1))),
        head(24)),
    "a sparse activation": lambda: Net(
        lambda n, x: n.layers[0](
            torch.sparse.mm(F.relu(torch.eye(len(x)).to_sparse() * n.own), x.flatten(1))),
        head(24), own=nn.Parameter(torch.ones(()))),
    "a product that is an operator": lambda: Net(
        lambda n, x: n.layers[1](F.relu((n.layers[0](x.flatten(1)) @ Scaling(None)).of)),
        body(), head()),
    "a penalty that is one number": lambda: Net(
        lambda n, x: hidden(n, x) + 0.01 * (n.layers[0].weight[0] @ n.layers[0].weight[0]),
        head(24)),
    "rounded straight through": lambda: Net(
        lambda n, x: n.layers[1]((h := hidden(n, x)) + (h.round() - h).detach()), body(), head()),
    "a copy each time": lambda: Net(
        lambda n, x: hidden(n, x) + 0 * copy.deepcopy(n.layers[0])(x.flatten(1)), head(24)),
}  # fmt: skip
