"""Cross-entropies that are written out, against torch's own."""

import pytest
import torch
import torch.nn.functional as F
from helpers.losses import settle
from torch import nn

from torchvitals.callbacks.diagnosing.losses.entropies_by_hand import are_labels, find_entropies
from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord

SAMPLES, CLASSES = 30, 4
ONE_HOT = F.one_hot(torch.arange(SAMPLES) % 7 % CLASSES, CLASSES).float()
SHARES = torch.rand(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(0)).softmax(1)
SEVERAL = (SHARES > 0.25).float()
OF_CLASSES = {
    "torch's, of shares": lambda z, t: F.cross_entropy(z, t),
    "their sum": lambda z, t: F.cross_entropy(z, t, reduction="sum"),
    "rows": lambda z, t: -(t * z.log_softmax(1)).sum(1).mean(),
    "in the other order": lambda z, t: (-(z.log_softmax(dim=-1) * t).sum(-1)).mean(),
    "over the samples": lambda z, t: (-t * z.log_softmax(1)).sum() / len(t),
    "doubled": lambda z, t: 2 * -(t * z.log_softmax(1)).sum(1).mean(),
}


def logits(columns=CLASSES):
    torch.manual_seed(0)
    return nn.Linear(3, columns)(torch.randn(SAMPLES, 3))


def entropy(p, t):
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


def entropy_of_logits(z, t):
    return -(t * F.logsigmoid(z) + (1 - t) * F.logsigmoid(-z)).mean()


OF_LABELS = {
    "probabilities": lambda z, t: entropy(z.sigmoid(), t),
    "a small number": lambda z, t: (
        lambda p: -(t * torch.log(p + 1e-9) + (1 - t) * torch.log(1 - p + 1e-9)).mean()
    )(z.sigmoid()),
    "bounds": lambda z, t: entropy(z.sigmoid().clamp(1e-7, 1 - 1e-7), t),
    "a difference": lambda z, t: (
        lambda p: (-t * p.log() - (1 - t) * (1 - p).log()).mean()
    )(z.sigmoid()),
    "logits": entropy_of_logits,
    "torch's, of several labels": F.multilabel_soft_margin_loss,
}  # fmt: skip


@pytest.mark.parametrize("target", [ONE_HOT, SHARES], ids=["one class", "shares"])
@pytest.mark.parametrize("name", OF_CLASSES)
def test_of_classes(name, target):
    z = logits()
    (call,) = find_entropies(OF_CLASSES[name](z, target))
    assert (call.kind, call.output, call.is_alone) == ("cross_entropy", None, True)
    assert call.reduction == (2 if name == "their sum" else 1)
    record = LossRecord()
    record.look(OF_CLASSES[name](z, target), 1.0, batch=(torch.rand(SAMPLES, 3), target))
    settle(record)
    expected = F.cross_entropy(z, target).item()
    assert record.curves["data_losses"] == [pytest.approx(expected, rel=1e-5)]
    right = (z.argmax(1) == target.argmax(1)).float().mean().item()
    assert record.curves["accuracies"] == [pytest.approx(right)]
    # The best constant prediction says the mean shares.
    constant = F.cross_entropy(target.mean(0).log().expand_as(target), target)
    assert record.objective.constant_loss == pytest.approx(float(constant), rel=1e-5)
    assert (record.objective.classes, record.objective.labels) == (CLASSES, SAMPLES)


LABELS = ONE_HOT.argmax(1)
OF_PICKED = {
    "rows and columns": lambda z: -z.log_softmax(1)[range(SAMPLES), LABELS].mean(),
    "in another order": lambda z: (
        lambda order: -z.log_softmax(-1)[order, LABELS[order]].mean()
    )(torch.arange(SAMPLES).flip(0)),
    "gathered": lambda z: -z.log_softmax(-1).gather(1, LABELS[:, None]).squeeze(1).mean(),
    "along a dimension": lambda z: (
        -torch.take_along_dim(z.log_softmax(1), LABELS[:, None], dim=1).sum() / SAMPLES
    ),
    "of probabilities": lambda z: -z.softmax(1)[torch.arange(SAMPLES), LABELS].log().mean(),
    "with a small number": lambda z: (
        -(z.softmax(1).gather(1, LABELS[:, None]).squeeze() + 1e-9).log().mean()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_PICKED)
def test_of_picked_classes(name):
    z = logits()
    record = LossRecord()
    record.look(OF_PICKED[name](z), 1.0, batch=(torch.rand(SAMPLES, 3), LABELS.int()))
    settle(record)
    assert (record.objective.kind, record.objective.output) == ("cross_entropy", None)
    assert record.curves["data_losses"] == [
        pytest.approx(F.cross_entropy(z, LABELS).item(), rel=1e-5)
    ]
    right = (z.argmax(1) == LABELS).float().mean().item()
    assert record.curves["accuracies"] == [pytest.approx(right)]
    shares = ONE_HOT.mean(0)
    assert record.objective.constant_loss == pytest.approx(-float(shares @ shares.log()), rel=1e-5)
    assert record.curves["penalty_shares"] == [pytest.approx(0.0, abs=1e-5)]


def test_smoothing_of_picked_classes_is_a_term_of_its_own():
    logarithms = logits().log_softmax(1)
    picked = -logarithms.gather(1, LABELS[:, None]).squeeze(1)
    (call,) = find_entropies((0.9 * picked - 0.1 * logarithms.mean(1)).mean())
    assert not call.is_alone
    assert torch.equal(call.target, LABELS)


@pytest.mark.parametrize("name", OF_LABELS)
def test_of_labels(name):
    z = logits()
    (call,) = find_entropies(OF_LABELS[name](z, SEVERAL))
    logits_given = name in ("logits", "torch's, of several labels")
    assert call.kind == ("bce_logits" if logits_given else "bce")
    assert call.output == (None if logits_given else "sigmoid")
    record = LossRecord()
    record.look(OF_LABELS[name](z, SEVERAL), 1.0)
    settle(record)
    expected = F.binary_cross_entropy_with_logits(z, SEVERAL).item()
    assert record.curves["data_losses"] == [pytest.approx(expected, rel=1e-5)]
    assert record.objective.positives == pytest.approx(float(SEVERAL.sum(1).mean()))


@pytest.mark.parametrize("logit", [float("nan"), float("inf")])
def test_chances_that_are_none_and_sure_ones_are_no_error(logit):
    chances = (logits() * torch.tensor(logit)).sigmoid()
    record = LossRecord()
    record.look(entropy(chances, SEVERAL), 1.0)
    settle(record)
    assert record.objective.kind == "bce"
    # Sure of the wrong label, torch's own loss is 100.
    sure = [] if logit != logit else [F.binary_cross_entropy(chances, SEVERAL).item()]
    assert record.curves["data_losses"] == pytest.approx(sure)


def test_a_function_in_front_is_named_and_other_terms_are_told_apart():
    z = logits()
    of_probabilities = -(ONE_HOT * z.softmax(1).log_softmax(1)).sum(1).mean()
    assert find_entropies(of_probabilities)[0].output == "softmax"
    assert find_entropies(entropy_of_logits(z.tanh(), SEVERAL))[0].output == "tanh"
    beside = OF_CLASSES["rows"](z, ONE_HOT) + z.square().mean()
    assert not find_entropies(beside)[0].is_alone


OTHERS = {
    "weighted samples": lambda z: (
        torch.rand(SAMPLES) * -(ONE_HOT * z.log_softmax(1)).sum(1)
    ).mean(),
    "over the samples' dimension": lambda z: -(ONE_HOT * z.log_softmax(0)).sum(1).mean(),
    "an entropy": lambda z: -(z.softmax(1) * z.log_softmax(1)).sum(1).mean(),
    "a game": lambda z: -(z.sigmoid().log() + (1 - logits().sigmoid()).log()).mean(),
    "one side": lambda z: -(SEVERAL * z.sigmoid().log()).mean(),
    "of two networks": lambda z: (
        -(SEVERAL * z.sigmoid().log() + (1 - SEVERAL) * (1 - logits().sigmoid()).log()).mean()
    ),
    "squares": lambda z: (z - SEVERAL).square().mean(),
    "a few rows": lambda z: -z.log_softmax(1)[[1, 2], [0, 0]].mean(),
    "rewarded actions": lambda z: (
        -(z.log_softmax(1).gather(1, LABELS[:, None])[:, 0] * torch.rand(SAMPLES)).mean()
    ),
    "several of a row": lambda z: -z.log_softmax(1).gather(1, LABELS[:, None].expand(-1, 2)).mean(),
    "of a column": lambda z: -z.log_softmax(0)[range(SAMPLES), LABELS].mean(),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_losses_are_none(name):
    assert find_entropies(OTHERS[name](logits())) == []


def test_rows_that_are_picked_twice_are_not_read():
    (call,) = find_entropies(-logits().log_softmax(1)[[0] * SAMPLES, LABELS].mean())
    assert not are_labels(call, (LABELS,))


def test_actions_that_a_policy_has_drawn_are_no_labels():
    """Their loss times an episode's return would be told to be mostly penalty."""
    logarithms, record = logits().log_softmax(1), LossRecord()
    drawn = torch.multinomial(logarithms.exp().detach(), 1)
    record.look(-7.0 * logarithms.gather(1, drawn).mean(), 1.0, batch=(torch.rand(SAMPLES, 3),))
    settle(record)
    assert record.objective.kind is None
    assert record.curves["data_losses"] == record.curves["penalty_shares"] == []


@pytest.mark.parametrize(
    ("target", "batch", "read"),
    [
        (SHARES, (SHARES.clone(),), True),
        (SHARES, (torch.rand(SAMPLES, 3),), False),  # a teacher's, say
        (ONE_HOT, (), True),
        (0.9 * ONE_HOT + 0.025, (), True),
        (SEVERAL, (SEVERAL,), False),
        (3 * ONE_HOT, (3 * ONE_HOT,), False),
    ],
    ids=["given shares", "others", "one class", "smoothed", "several", "counts"],
)
def test_shares_of_classes_are_labels_only_where_they_are_given(target, batch, read):
    (call,) = find_entropies(F.cross_entropy(logits(), target))
    assert are_labels(call, batch) is read
    record = LossRecord()
    for seed in range(2):
        torch.manual_seed(seed)
        record.look(F.cross_entropy(logits(), target), 1.0, batch=batch)
    settle(record)
    assert len(record.curves["data_losses"]) == (2 if read else 0)


@pytest.mark.parametrize(("yes", "no"), [(3.0, 1.0), (0.25, 0.75), (SHARES, 1.0)])
def test_weighted_labels_are_no_labels(yes, no):
    """They would be told to lie beyond 0 and 1, or the loss to be no better than a constant."""
    p, record = logits().sigmoid(), LossRecord()
    loss = -(yes * SEVERAL * p.log() + no * (1 - SEVERAL) * (1 - p).log()).mean()
    record.look(loss, 1.0, batch=(SEVERAL,))
    settle(record)
    assert record.curves["data_losses"] == []
    assert record.objective.kind is None


def test_soft_labels_are_labels():
    record = LossRecord()
    record.look(entropy(logits().sigmoid(), SHARES), 1.0)
    settle(record)
    assert len(record.curves["data_losses"]) == 1
