"""Squared and absolute errors that are written by hand, with predictions of many forms."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.losses.autograd_graph import own_shape
from torchvitals.callbacks.diagnosing.losses.errors_by_hand import find_errors

ROWS = 6


def trained(loss, columns=1, activation=None):
    """The loss of a small network, the layer's outputs, its prediction and target."""
    torch.manual_seed(0)
    layer = nn.Linear(4, columns)
    out = layer(torch.randn(ROWS, 4))
    outputs = {out.grad_fn: out.detach()}
    prediction = activation(out) if activation else out
    target = torch.randn(ROWS)
    return loss(prediction, target), outputs, prediction.detach(), target


def huber(error, delta=0.7):
    size = error.abs()
    return torch.where(size < delta, 0.5 * error**2, delta * (size - 0.5 * delta)).mean()


def huber_of_sizes(size):
    return torch.where(size < 1, 0.5 * size**2, size - 0.5).mean()


LOSSES = {
    "mean of squares": lambda p, t: ((p[:, None].squeeze() - t) ** 2).mean(),
    "view, the other way round": lambda p, t: (t - p.view(-1)).pow(2).sum() / ROWS,
    "product with itself": lambda p, t: (lambda e: (e * e).mean())(p.squeeze(1) - t),
    "half of it": lambda p, t: 0.5 * (p.squeeze(1) - t).square().mean(),
    "its root": lambda p, t: ((p.squeeze(1) - t) ** 2).mean().sqrt(),
    "absolute": lambda p, t: (p.squeeze(1) - t).abs().mean(),
    "torch's own absolute": lambda p, t: F.l1_loss(p.squeeze(1), t),
    "huber": lambda p, t: huber(p.squeeze(1) - t),
    "huber of sizes": lambda p, t: huber_of_sizes((p.squeeze(1) - t).abs()),
    "of a column": lambda p, t: ((p[:, 0] - t) ** 2).mean(),
    "of a last column": lambda p, t: ((p[..., -1] - t) ** 2).mean(),
    "of a row": lambda p, t: ((p.view(1, -1)[0] - t) ** 2).mean(),
    "with a penalty": lambda p, t: ((p.squeeze(1) - t) ** 2).mean() + 0.1 * (p.sum() * 0),
}


def kind_of(name):
    return next((kind for kind in ("absolute", "huber") if kind in name), "squared")


@pytest.mark.parametrize(
    ("loss", "kind"), [(loss, kind_of(name)) for name, loss in LOSSES.items()], ids=LOSSES.keys()
)
@pytest.mark.parametrize("activation", [None, torch.relu, torch.tanh, torch.sigmoid])
def test_prediction_and_target_are_found(loss, kind, activation):
    value, outputs, prediction, target = trained(loss, activation=activation)
    (call,) = find_errors(value, outputs)
    torch.testing.assert_close(call.prediction, prediction.squeeze(1))
    torch.testing.assert_close(call.target, target)
    assert call.output == (activation and activation.__name__)
    assert (call.kind, call.by_hand) == (kind, True)


def test_a_column_that_meets_a_row():
    value, outputs, prediction, target = trained(lambda p, t: ((p - t) ** 2).mean())
    (call,) = find_errors(value, outputs)
    assert (own_shape(call.prediction), own_shape(call.target)) == ((ROWS, 1), (1, ROWS))
    torch.testing.assert_close(call.prediction[:, 0], prediction[:, 0])
    torch.testing.assert_close(call.target[0], target)


def test_one_target_for_all_columns_is_no_crossing():
    value, outputs, _, target = trained(lambda p, t: ((p - t[:, None]) ** 2).mean(), columns=3)
    (call,) = find_errors(value, outputs)
    assert own_shape(call.prediction) == (ROWS, 3)
    torch.testing.assert_close(call.target, target[:, None].expand(ROWS, 3))


def test_a_number_is_a_target_of_all():
    value, outputs, _, _ = trained(lambda p, t: ((p - 1) ** 2).mean())
    (call,) = find_errors(value, outputs)
    torch.testing.assert_close(call.target, torch.ones(ROWS, 1))


UNKNOWN = {
    "of weights": lambda p, t: (p**2).mean(),
    "of two predictions": lambda p, t: ((p - p.flip(0)) ** 2).mean(),
    "to another power": lambda p, t: ((p.squeeze(1) - t) ** 4).mean(),
    "of two errors": lambda p, t: (
        ((p.squeeze(1) - t) ** 2).mean() + (p.squeeze(1) - t).abs().mean()
    ),
    "of an error in two ways": lambda p, t: (lambda e: (e**2).mean() + e.abs().mean())(
        p.squeeze(1) - t
    ),
    "scaled": lambda p, t: ((p.squeeze(1) - 2 * p.detach().squeeze(1) * t).exp()).mean(),
    "of a gathered prediction": lambda p, t: ((p[torch.arange(ROWS), 0] - t) ** 2).mean(),
    "of a transposed one": lambda p, t: ((p.t() - t) ** 2).mean(),
}


@pytest.mark.parametrize("loss", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_cannot_be_known_is_left_alone(loss):
    value, outputs, _, _ = trained(loss)
    assert find_errors(value, outputs) == []


def test_a_layer_that_was_not_watched():
    value, _, _, _ = trained(LOSSES["half of it"])
    assert find_errors(value, {}) == []
