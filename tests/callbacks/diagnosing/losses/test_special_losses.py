"""Losses that get something else than they want, as their graph shows."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchvitals.callbacks.diagnosing.losses.special_losses import (
    crossed_shapes,
    describe_special,
    divergence_of,
    find_ctc,
    hinge_targets,
    rates_for_logarithms,
    targets_of_softmax,
)


def outputs(columns=3):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, columns))
    return net(torch.randn(4, 5))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("output", ["softmax", "log_softmax", None])
def test_what_a_ctc_is_given(output, reduction):
    logits = torch.randn(6, 2, 4, requires_grad=True) * 1.0
    given = getattr(logits, output)(-1) if output else logits
    lengths = torch.full((2,), 6)
    loss = F.ctc_loss(
        given,
        torch.ones(2, 3, dtype=torch.long),
        lengths,
        lengths // 2,
        reduction=reduction,
        zero_infinity=True,
    )
    found, name = find_ctc(0.5 * loss)
    torch.testing.assert_close(found, given.detach()[0])
    assert name == output
    assert find_ctc(F.mse_loss(outputs(), torch.zeros(4, 3))) is None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("output", "name"), [(F.softplus, "softplus"), (torch.exp, "exp"), (torch.tanh, None)]
)
def test_rates_for_logarithms(output, name, reduction):
    counts = torch.tensor([[0.0, 2.0, 5.0]] * 4)
    given = output(outputs())
    loss = F.poisson_nll_loss(given, counts, reduction=reduction)
    assert rates_for_logarithms(loss) == name
    assert rates_for_logarithms(F.poisson_nll_loss(outputs(), counts)) is None
    assert rates_for_logarithms(F.poisson_nll_loss(given, counts, log_input=False)) is None
    weight = nn.Parameter(torch.ones(4, 3))
    assert rates_for_logarithms(F.poisson_nll_loss(weight, counts, log_input=False)) is None
    assert rates_for_logarithms(F.mse_loss(given, counts)) is None


DIVERGENCES = {
    "of probabilities": (lambda z, t: F.kl_div(z.softmax(1), t, reduction="batchmean"), "softmax"),
    "their mean": (lambda z, t: F.kl_div(z.softmax(1), t), "softmax"),
    "scaled": (lambda z, t: 4 * F.kl_div(z.sigmoid(), t, reduction="sum"), "sigmoid"),
    "of a module": (lambda z, t: nn.KLDivLoss(reduction="batchmean")(z.softmax(1), t), "softmax"),
    "of logarithms": (
        lambda z, t: F.kl_div(z.log_softmax(1), t, reduction="batchmean"), None),
    "of logarithms by hand": (
        lambda z, t: F.kl_div(z.softmax(1).log(), t, reduction="batchmean"), None),
    "log targets": (
        lambda z, t: F.kl_div(z.log_softmax(1), t.log(), log_target=True), None),
    "squares": (lambda z, t: ((z.softmax(1) - t) ** 2).mean(), None),
    "an expected reward": (lambda z, t: -(z.softmax(1) * t).sum(1).mean(), None),
    "overlap": (lambda z, t: 1 - (z.softmax(1) * t).sum(), None),
    "an expected cost": (lambda z, t: (t + z.softmax(1) * t).mean(), None),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize(("loss", "output"), DIVERGENCES.values(), ids=DIVERGENCES.keys())
def test_a_divergence_of_what_are_no_logarithms(loss, output):
    logits = nn.Linear(5, 3)(torch.randn(8, 5))
    target = torch.rand(8, 3).softmax(1)
    assert divergence_of(loss(logits, target)) == output


ZEROS_AND_ONES = torch.tensor([0.0, 1.0, 1.0, 0.0])
HINGES = {
    "clamped": lambda x, t: (1 - t * x).clamp(min=0).mean(),
    "the other way round": lambda x, t: torch.clamp(1 - x * t, min=0).sum() / 4,
    "by a ReLU": lambda x, t: F.relu(1.0 - t[:, None] * x[:, None]).mean(),
    "squared": lambda x, t: 3 * (1 - t * x).clamp(min=0).square().mean(),
}
OTHERS = {
    "a cross-entropy": lambda x, t: F.binary_cross_entropy_with_logits(x, t),
    "an absolute error": lambda x, t: (1 - t * x).abs().mean(),
    "of a margin alone": lambda x, t: (1 - x).clamp(min=0).mean(),
    "of a number": lambda x, t: (1 - 2 * x).clamp(min=0).mean(),
    "a masked margin": lambda x, t: F.relu(1 - (1 - t) * (x - x.mean()).square()).mean(),
    "errors beyond a slack": lambda x, t: F.relu(x * t - 0.1).mean(),
    "a product of two outputs": lambda x, t: F.relu(1 - x * x.flip(0)).mean(),
}


@pytest.mark.parametrize("loss", HINGES.values(), ids=HINGES.keys())
def test_the_labels_of_a_hinge_loss(loss):
    found = hinge_targets(loss(outputs(1)[:, 0], ZEROS_AND_ONES))
    assert found.flatten().tolist() == ZEROS_AND_ONES.tolist()


@pytest.mark.parametrize("loss", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_no_hinge_loss(loss):
    assert hinge_targets(loss(outputs(1)[:, 0], ZEROS_AND_ONES)) is None


SEVERAL = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("divided_by", [None, 1, 4])
def test_several_labels_of_a_sample_in_a_cross_entropy(divided_by, smoothing):
    loss = F.cross_entropy(outputs(), SEVERAL, label_smoothing=smoothing)
    loss = loss if divided_by is None else loss / divided_by
    found = targets_of_softmax(loss)
    assert found is not None
    if not smoothing:
        torch.testing.assert_close(found, SEVERAL)
        objective = describe_special(loss)
        assert (objective.kind, objective.positives) == ("multi_hot", 2.0)
        assert describe_special(loss, (torch.rand(4, 5), SEVERAL)) == objective
        for batch in (["some", SEVERAL], SEVERAL, {"labels": SEVERAL}):
            assert describe_special(loss, batch) == objective
        assert describe_special(loss, SEVERAL, inputs=SEVERAL) is None


OF_SHARES = {
    "one label each": lambda z: F.cross_entropy(z, torch.eye(3)[[0, 1, 2, 0]]),
    "some without a label": lambda z: F.cross_entropy(z, torch.eye(4)[:, :3] * 1.0),
    "as many kinds as samples": lambda z: F.cross_entropy(z @ z.T, (torch.eye(4) + 1).clamp(max=1)),
    "shares": lambda z: F.cross_entropy(z, SEVERAL / SEVERAL.sum(1, keepdim=True)),
    "words counted": lambda z: F.cross_entropy(z, 3 * SEVERAL),
    "a multinomial by hand": lambda z: -(z.log_softmax(1) * SEVERAL).sum(1).mean(),
    "one with the labels in front": lambda z: -(SEVERAL * z.log_softmax(1)).sum(1).mean(),
    "numbers of classes": lambda z: F.cross_entropy(z, torch.tensor([0, 1, 2, 0])),
}


@pytest.mark.parametrize("loss", OF_SHARES.values(), ids=OF_SHARES.keys())
def test_targets_that_a_softmax_can_reach(loss):
    assert describe_special(loss(outputs())) is None


def test_as_many_labels_as_samples():
    labels = torch.tensor([[0.0, 1.0, 1.0, 0.0]] * 3 + [[1.0, 0.0, 0.0, 1.0]])
    assert describe_special(F.cross_entropy(outputs(4), labels)).kind == "multi_hot"


def pinball(error):
    return torch.maximum(0.9 * error, -0.1 * error)


def counts(rate, seen):
    return (rate - seen * rate.log()).mean()


LOSSES_BY_HAND = {
    "pinball": lambda x, t: pinball(t - x).mean(),
    "log-cosh": lambda x, t: (x - t).cosh().log().sum() / 4,
    "with a deviation": lambda x, t: (
        0.5 * (x - t).square() * torch.exp(-x) + 0.5 * x
    ).mean(),
    "roots": lambda x, t: ((x - t) ** 2 + 1e-3).sqrt().mean() / 2,
    "no lower than a level": lambda x, t: ((x - t).square().mean() - torch.tensor(0.1)).abs(),
    "counts": F.poisson_nll_loss,
    "counts with Stirling's term": lambda x, t: F.poisson_nll_loss(x, t, full=True),
    "counts, by rates": lambda x, t: F.poisson_nll_loss(F.softplus(x), t, log_input=False),
    "counts, by exponentials": lambda x, t: F.poisson_nll_loss(x.exp(), t, log_input=False),
    "counts, by positive rates": lambda x, t: F.poisson_nll_loss(
        F.softplus(x) + 1e-3, t, log_input=False
    ),
    "counts, by bounded rates": lambda x, t: F.poisson_nll_loss(
        x.exp().clamp(1e-3, 1e3), t, log_input=False
    ),
    "counts by hand": lambda x, t: counts(F.softplus(x), t),
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES_BY_HAND.values(), ids=LOSSES_BY_HAND.keys())
def test_every_prediction_against_every_target(loss):
    column, row = outputs(1), torch.tensor([0.3, 0.5, 0.1, 0.9])
    assert crossed_shapes(loss(column, row)) == ((4, 1), (4,))
    for flat in (column[:, 0], column.squeeze(1), column.flatten(), column.view(-1)):
        assert crossed_shapes(loss(flat, row[:, None])) == ((4,), (4, 1))
    assert describe_special(loss(column, row)).shapes == ((4, 1), (4,))
    assert describe_special(loss(column, row), {"x": torch.rand(4, 5), "y": row}) is not None
    # Samples of something else, as a maximum mean discrepancy takes them.
    assert describe_special(loss(column, row), {"x": torch.rand(4, 5)}) is None
    assert crossed_shapes(loss(column, row[:, None])) is None
    assert crossed_shapes(loss(column[:, 0], row)) is None


def test_differences_that_are_meant():
    column, row = outputs(1), torch.tensor([0.3, 0.5, 0.1, 0.9])
    scores = column[:, 0]
    assert crossed_shapes(pinball(scores[:, None] - scores).mean()) is None
    assert crossed_shapes(pinball(scores[:, None] - scores.detach()).mean()) is None
    assert crossed_shapes(pinball(row[:, None] - outputs(3)).mean()) is None
    assert crossed_shapes(pinball(column - torch.tensor([0.1, 0.9])).mean()) is None
    # Inside of a network, as the distance from fixed centres.
    inside = nn.Linear(4, 1)((column - row).exp())
    assert crossed_shapes(pinball(inside).mean()) is None
