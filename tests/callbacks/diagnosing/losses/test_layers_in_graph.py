"""The graph behind a loss says which layers there are, and whether nothing bends between them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.losses.layers_in_graph import (
    count_layers,
    count_saturating_outputs,
    parameters_multiplied,
    parameters_normed,
)

CLASSES = torch.tensor([0, 2, 1, 1])


NETWORKS = {
    "one layer": ((nn.Linear(8, 3),), 1, True),
    "layers only": ((nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)), 3, True),
    "with what bends nothing": (
        (nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Identity(), nn.Linear(8, 3)), 2,
        True),
    "relu": ((nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)), 2, False),
    "tanh": ((nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)), 2, False),
    "layer norm": ((nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3)), 2, True),
}  # fmt: skip


@pytest.mark.parametrize(("layers", "number", "affine"), NETWORKS.values(), ids=NETWORKS.keys())
def test_layers_and_what_is_between_them(layers, number, affine):
    out = nn.Sequential(*layers)(torch.randn(4, 8))
    assert count_layers(F.cross_entropy(out, CLASSES)) == (number, affine)


def test_a_gate_bends():
    first, second, last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 3)
    x = torch.randn(4, 8)
    assert count_layers(F.cross_entropy(last(first(x) * second(x)), CLASSES)) == (3, False)


def test_convolutions_and_pooling():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(18, 3))
    assert count_layers(F.cross_entropy(net(torch.randn(4, 1, 8, 8)), CLASSES)) == (2, True)
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3))
    assert count_layers(F.cross_entropy(pooled(torch.randn(4, 1, 8, 8)), CLASSES)) == (2, False)


def test_layers_beside_each_other_are_one():
    x, one, other, last = torch.randn(4, 8), nn.Linear(8, 3), nn.Linear(8, 3), nn.Linear(3, 3)
    assert count_layers(F.cross_entropy(one(x) + other(x - 1), CLASSES)) == (1, True)
    assert count_layers(F.cross_entropy(last(one(x) + other(x - 1)), CLASSES)) == (3, True)


def test_sigmoids_that_are_outputs_and_such_that_are_units():
    body, head, other = nn.Linear(5, 4), nn.Linear(4, 3), nn.Linear(4, 2)
    hidden = body(torch.randn(8, 5)).tanh()
    fine, coarse = head(hidden).sigmoid(), other(hidden).tanh()
    loss = (1 - fine.mean()) + 0.3 * (coarse**2).mean()
    assert count_saturating_outputs(loss) == 2
    assert count_saturating_outputs(F.cross_entropy(head(hidden), torch.arange(8) % 3)) == 0
    assert count_saturating_outputs(F.binary_cross_entropy(fine, torch.rand(8, 3))) == 1


W = nn.Parameter(torch.randn(5, 5))
PRODUCTS = {
    "behind": lambda x: x @ W,
    "transposed": lambda x: x @ W.T,
    "before": lambda x: W @ x.T,
    "with a bias": lambda x: torch.addmm(torch.ones(5), x, W),
    "functional": lambda x: F.linear(x, W),
    "of positions": lambda x: x[None] @ W,
    "in a batch": lambda x: torch.bmm(x[None], W[None]),
    "summed over letters": lambda x: torch.einsum("bi,ji->bj", x, W),
    "in half precision": lambda x: (x.bfloat16() @ W.bfloat16()).float(),
}
OTHERS = {
    "looked up": lambda x: F.embedding(torch.arange(4), W),
    "added": lambda x: x + W[:4],
    "scaled": lambda x: x * W[0],
    "a part of it": lambda x: x @ (W * 0.1),
    "kernel": lambda x: F.conv1d(x[None], W[:, :4, None]),
    "added to a product": lambda x: torch.addmm(W[0], x, torch.ones(5, 5)),
}


@pytest.mark.parametrize(
    ("use", "found"),
    [*((use, True) for use in PRODUCTS.values()), *((use, False) for use in OTHERS.values())],
    ids=[*PRODUCTS, *OTHERS],
)
def test_matrices_of_products(use, found):
    loss = use(torch.randn(4, 5)).tanh().square().mean()
    assert parameters_multiplied(loss) == ({W} if found else set())


MEAN = torch.ones(4, 4) / 4  # over the neighbours in a graph
FIRST, SECOND, THIRD = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)
LONE = nn.Linear(5, 3)
FORMS = {
    "one layer and means over neighbours": (lambda x: MEAN @ (MEAN @ LONE(x)), 1, True),
    "means over neighbours at first": (lambda x: LONE(MEAN @ x), 1, True),
    "two layers and a mean": (lambda x: THIRD(MEAN @ FIRST(x)), 2, True),
    "what bends": (lambda x: THIRD(MEAN @ FIRST(x).relu()), 2, False),
    "a fixed kernel": (lambda x: F.conv1d(LONE(x)[:, None], torch.ones(1, 1, 1))[:, 0], 1, True),
    "a product with itself": (lambda x: THIRD(FIRST(x) @ FIRST(x).T @ FIRST(x)), 4, False),
    "three layers": (lambda x: THIRD(SECOND(FIRST(x))), 3, True),
}
LOSSES = {
    "known": lambda out: F.cross_entropy(out, torch.tensor([0, 1, 2, 0])),
    "a hinge": lambda out: F.relu(1 - out[:, 0]).mean() + 1e-3 * FIRST.weight.square().sum(),
    "squares by hand": lambda out: (out - torch.ones(4, 3)).square().mean(),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(("net", "layers", "affine"), FORMS.values(), ids=FORMS)
def test_a_product_with_a_constant_is_no_layer(net, layers, affine, loss):
    assert count_layers(loss(net(torch.randn(4, 5)))) == (layers, affine)


@pytest.mark.parametrize(
    ("norm", "found"),
    [
        (lambda h: F.batch_norm(h, None, None, training=True), True),
        (lambda h: F.layer_norm(h, (6,)), True),
        (lambda h: F.group_norm(h[..., None], 2)[..., 0], True),
        (lambda h: F.batch_norm(h.relu(), None, None, training=True), False),
        (torch.tanh, False),
    ],
)
def test_weights_whose_size_a_norm_undoes(norm, found):
    layer, last = nn.Linear(5, 6), nn.Linear(6, 3)
    loss = last(norm(layer(torch.randn(4, 5)))).square().mean()
    assert (layer.weight in parameters_normed(loss)) is found
    assert last.weight not in parameters_normed(loss)
