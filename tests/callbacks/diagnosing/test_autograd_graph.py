"""The graph behind a loss says which loss it is, of what output, of what network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.autograd_graph import (
    count_layers,
    count_saturating_outputs,
    find_loss_calls,
    has_graph,
    parameters_multiplied,
)

CLASSES = torch.tensor([0, 2, 1, 1])
VALUES = torch.tensor([0.0, 1.0, 1.0, 0.0])


def outputs(columns=3):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, columns))
    return net(torch.randn(4, 5))


LOSSES = {
    "logits": (lambda o: F.cross_entropy(o, CLASSES), "cross_entropy", None, False),
    "log-probabilities": (
        lambda o: F.nll_loss(o.log_softmax(1), CLASSES), "cross_entropy", None, False),
    "softmax twice": (lambda o: F.cross_entropy(o.softmax(1), CLASSES), "cross_entropy", "softmax",
                      False),
    "relu, moved about": (
        lambda o: F.cross_entropy(o.relu().view(2, 2, 3).reshape(4, 3), CLASSES),
        "cross_entropy", "relu", False),
    "log-probabilities by the last dimension": (
        lambda o: F.nll_loss(o.log_softmax(-1), CLASSES), "cross_entropy", None, False),
    "of pixels": (
        lambda o: F.cross_entropy(o.T[None], CLASSES[None]), "cross_entropy", None, False),
    "of one sample": (lambda o: F.cross_entropy(o[0], CLASSES[0]), "cross_entropy", None, False),
    "over the words, reshaped": (
        lambda o: F.nll_loss(o.view(2, 2, 3).log_softmax(1).reshape(4, 3), CLASSES), "nll",
        "log_softmax", False),
    "over the samples": (
        lambda o: F.nll_loss(o.log_softmax(0), CLASSES), "nll", "log_softmax", False),
    "probabilities": (lambda o: F.nll_loss(o.softmax(1), CLASSES), "nll", "softmax", False),
    "smoothed": (lambda o: F.cross_entropy(o, CLASSES, label_smoothing=0.1), "cross_entropy", None,
                 False),
    "maximised": (lambda o: -F.cross_entropy(o, CLASSES), "cross_entropy", None, True),
    "divided by a negative": (lambda o: F.cross_entropy(o, CLASSES) / -2, "cross_entropy", None,
                              True),
    "taken from one": (lambda o: 1 - F.cross_entropy(o, CLASSES), "cross_entropy", None, True),
    "taken from a tensor": (
        lambda o: o.sum() * 0 - F.cross_entropy(o, CLASSES), "cross_entropy", None, True),
    "turned four times": (
        lambda o: 1 - (2 - F.cross_entropy(o, CLASSES) * -1) * -1, "cross_entropy", None, False),
    "sigmoid": (lambda o: F.binary_cross_entropy(o[:, 0].sigmoid(), VALUES), "bce", "sigmoid",
                False),
    "sigmoid twice": (
        lambda o: F.binary_cross_entropy_with_logits(o[:, 0].sigmoid(), VALUES), "bce_logits",
        "sigmoid", False),
    "squared": (lambda o: F.mse_loss(o[:, 0], VALUES), "squared", None, False),
    "huber": (lambda o: F.smooth_l1_loss(o[:, 0].tanh(), VALUES), "huber", "tanh", False),
}  # fmt: skip


@pytest.mark.parametrize(("loss", "kind", "output", "ascends"), LOSSES.values(), ids=LOSSES.keys())
def test_which_loss_of_which_output(loss, kind, output, ascends):
    (call,) = find_loss_calls(loss(outputs()))
    assert (call.kind, call.output, call.ascends) == (kind, output, ascends)


def test_predictions_and_targets_are_those_of_the_loss():
    logits = outputs()
    (call,) = find_loss_calls(F.cross_entropy(logits, CLASSES, weight=torch.ones(3)))
    torch.testing.assert_close(call.prediction, logits.log_softmax(1).detach())
    assert torch.equal(call.target, CLASSES)
    assert torch.equal(call.weight, torch.ones(3))


def test_what_cannot_be_seen_is_not_guessed():
    assert find_loss_calls((outputs() ** 2).mean()) == []
    assert not has_graph(torch.tensor(1.0))
    assert not has_graph(outputs())
    assert not has_graph({"loss": 1.0})


@pytest.mark.parametrize(
    ("more", "alone"),
    [
        (lambda o, w: 0.0, True),
        (lambda o, w: 0.1 * w.square().sum() + w.abs().sum(), True),
        (lambda o, w: o.square().mean(), False),
        (lambda o, w: 0.1 * F.mse_loss(o[:, 0], VALUES), False),
    ],
)
def test_penalties_of_the_weights_are_told_from_other_losses(more, alone):
    weight = nn.Parameter(torch.ones(3))
    logits = outputs()
    loss = F.cross_entropy(logits, CLASSES) + more(logits, weight)
    assert find_loss_calls(loss)[0].is_alone is alone


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
