"""The graph behind a loss says which loss it is, of what output, of what network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.losses.autograd_graph import (
    find_loss_calls,
    has_graph,
)
from torchvitals.callbacks.diagnosing.losses.layers_in_graph import count_layers

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
    "times a negative tensor in front": (
        lambda o: torch.tensor(-1.0) * F.cross_entropy(o, CLASSES), "cross_entropy", None, True),
    "times a tensor in front": (
        lambda o: torch.tensor(0.5) * F.cross_entropy(o, CLASSES), "cross_entropy", None, False),
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


WEIGHTS = torch.tensor([0.2, 3.0, 0.2, 1.0])
SUMS = {
    "weights behind": (lambda each: (each * WEIGHTS).mean(), True),
    "weights in front": (lambda each: (WEIGHTS * each).mean(), True),
    "weights that are divided by": (lambda each: (each / WEIGHTS).sum(), True),
    "some left out": (lambda each: each[1:3].mean(), True),
    "a number in front": (lambda each: (2.0 * each).mean(), False),
    "a tensor of one number in front": (lambda each: (torch.tensor(2.0) * each).mean(), False),
    "a mean": (lambda each: each.mean(), False),
    "a sum over the samples": (lambda each: each.sum() / len(each), False),
}


@pytest.mark.parametrize(("add_up", "weighed"), SUMS.values(), ids=SUMS.keys())
def test_losses_of_samples_that_are_weighed_before_they_are_added_up(add_up, weighed):
    each = F.cross_entropy(outputs(), CLASSES, reduction="none")
    assert find_loss_calls(add_up(each))[0].weighed is weighed


@pytest.mark.parametrize("samples", [1, 2])
def test_of_volumes_the_softmax_is_found_too(samples):
    out = torch.randn(samples, 3, 2, 4, 5, requires_grad=True) * 1.0
    target = torch.randint(3, (samples, 2, 4, 5))
    for given, output in ((out, None), (out.softmax(1), "softmax")):
        (call,) = find_loss_calls(F.cross_entropy(given, target))
        assert (call.kind, call.output) == ("cross_entropy", output)
    (call,) = find_loss_calls(F.nll_loss(out.log_softmax(2), target))
    assert (call.kind, call.output) == ("nll", "log_softmax")


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


def test_backward_hooks_on_modules_hide_nothing():
    net = nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3), nn.Softmax(1))
    for module in net.modules():
        module.register_full_backward_hook(lambda *_: None)
    loss = F.cross_entropy(net(torch.randn(4, 5)), CLASSES)
    (call,) = find_loss_calls(loss)
    assert call.output == "softmax"
    assert count_layers(loss) == (2, True)
