"""Looking at a batch's loss, against scikit-learn and torch's own losses."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.losses import settle
from sklearn.metrics import accuracy_score, log_loss

from torchvitals.callbacks.diagnosing.losses.loss_record import LossRecord
from torchvitals.callbacks.diagnosing.vital_signs.vitals import Vitals


def record(loss, factor=1.0):
    found = LossRecord()
    found.look(loss, factor)
    found.add(loss, factor)
    settle(found)
    return found


def logits(rows=40, columns=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator).requires_grad_() * 1.0


def classes(rows=40, number=4):
    return torch.arange(rows) ** 2 % 7 % number


def constant_of(target):
    counts = np.bincount(target, minlength=4)
    return log_loss(target, np.tile(counts / counts.sum(), (len(target), 1)), labels=range(4))


def test_a_cross_entropy():
    out, target = logits(), classes()
    found = record(F.cross_entropy(out, target))
    probabilities = out.detach().double().softmax(1).numpy()
    assert found.curves["data_losses"] == [
        pytest.approx(log_loss(target, probabilities, labels=range(4)))
    ]
    assert found.curves["accuracies"] == [
        pytest.approx(accuracy_score(target, probabilities.argmax(1)))
    ]
    counts = np.bincount(target, minlength=4)
    assert list(found.objective.target_counts) == counts.tolist()
    assert found.objective.constant_loss == pytest.approx(constant_of(target))
    assert sum(found.objective.predicted_counts) == 40
    assert (found.objective.task, found.objective.classes) == ("classification", 4)
    assert found.losses == pytest.approx(found.curves["data_losses"])


def test_pixels_and_ignored_targets():
    out = torch.randn(2, 3, 5, 5, requires_grad=True) * 1.0
    target = torch.randint(3, (2, 5, 5))
    target[0] = -100
    loss = F.cross_entropy(out, target)
    assert record(loss).curves["data_losses"] == [pytest.approx(loss.item(), rel=1e-5)]


@pytest.mark.parametrize("loss", [F.l1_loss, lambda out, y: (out - y).abs().square().mean()])
def test_complex_numbers_are_not_read_as_their_real_parts(loss):
    out = torch.randn(8, 3, dtype=torch.cfloat, requires_grad=True) * 1.0
    found = LossRecord()
    value = loss(out, torch.randn(8, 3, dtype=torch.cfloat))
    found.look(value, 1.0, {out.grad_fn: out.detach()})
    found.add(value, 1.0)
    settle(found)
    assert not found.curves["data_losses"]
    assert found.losses == pytest.approx([value.item()])


@pytest.mark.parametrize("ignored", [0, 2, -100])
def test_what_a_loss_ignores_does_not_count(ignored):
    out, target = logits(), classes()
    loss = F.cross_entropy(out, target, ignore_index=ignored)
    counts = [float((target == k).sum()) * (k != ignored) for k in range(4)]
    found = record(loss)
    assert found.curves["data_losses"] == [pytest.approx(loss.item(), rel=1e-5)]
    assert found.objective.target_counts == counts


def test_accumulation_divides_and_the_record_does_not():
    loss = F.cross_entropy(logits(), classes())
    assert record(loss / 4, 4.0).losses == [pytest.approx(loss.item(), rel=1e-6)]


@pytest.mark.parametrize("is_logits", [True, False])
def test_a_binary_cross_entropy(is_logits):
    out, target = logits(60, 1)[:, 0], (torch.arange(60) % 5 == 0).float()
    loss = (
        F.binary_cross_entropy_with_logits(out, target)
        if is_logits
        else F.binary_cross_entropy(out.sigmoid(), target)
    )
    found = record(loss)
    assert found.curves["data_losses"] == [pytest.approx(loss.item(), rel=1e-5)]
    said = out.detach().sigmoid() > 0.5
    assert found.curves["accuracies"] == [pytest.approx(accuracy_score(target, said))]
    assert found.objective.constant_loss == pytest.approx(log_loss(target, np.full(60, 0.2)))
    assert list(found.objective.target_counts) == [48, 12]


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 2.0, 3.0, 4.0])])
def test_classes_as_bytes(weight):
    found = record(F.cross_entropy(logits(), classes().to(torch.uint8), weight)).objective
    assert found == record(F.cross_entropy(logits(), classes(), weight)).objective


TASKS = (
    lambda: F.cross_entropy(logits(), classes(), weight=torch.tensor([1.0, 2.0, 3.0, 4.0])),
    lambda: F.binary_cross_entropy_with_logits(logits(columns=5), (logits(columns=5) > 1).float()),
    lambda: F.mse_loss(logits(seed=1), logits().detach()),
)


@pytest.mark.parametrize("first", TASKS)
@pytest.mark.parametrize("other", TASKS)
def test_of_tasks_that_alternate_the_first_is_read(first, other):
    found = LossRecord()
    for task in (first, other, first, other):
        found.look(task(), 1.0)
        found.add(task(), 1.0)
        settle(found)
    alone = record(first())
    assert set(found.curves["data_losses"]) == set(alone.curves["data_losses"])
    assert found.objective.constant_loss == pytest.approx(alone.objective.constant_loss)
    assert len(found.losses) == 4
    signs = Vitals(
        objective=found.objective,
        losses=found.losses,
        data_losses=found.curves["data_losses"],
        other_terms=found.curves["other_terms"],
    )  # fmt: skip
    assert signs.recent_data_loss == pytest.approx(alone.curves["data_losses"][0])


def test_weights_of_other_classes_tell_nothing():
    found = LossRecord()
    for number in (4, 3):
        loss = F.cross_entropy(logits(columns=number), classes(number=3), torch.ones(number))
        found.look(loss, 1.0)
        settle(found)
    assert math.isnan(found.objective.constant_loss)


def test_how_many_of_several_labels_are_right():
    target = (torch.arange(240).view(60, 4) % 5 < 2).float()
    objective = record(F.binary_cross_entropy(logits(60).softmax(1), target)).objective
    assert objective.positives == pytest.approx(float(target.sum(1).mean()))
    pixels = torch.rand(6, 4, 5, 5).round()
    images = torch.rand(6, 4, 5, 5, requires_grad=True).sigmoid()
    objective = record(F.binary_cross_entropy(images, pixels)).objective
    assert objective.positives == pytest.approx(float(pixels.sum(1).mean()))
    tags, said = torch.rand(6, 4, 5).round(), torch.rand(6, 4, 5, requires_grad=True).sigmoid()
    assert np.isnan(record(F.binary_cross_entropy(said, tags)).objective.positives)


@pytest.mark.parametrize(
    ("size", "dims", "weight"),
    [
        ((40, 3), 0, torch.tensor(4.0)),
        ((40, 3), 0, torch.tensor([1.0, 2.0, 9.0])),
        ((40, 5, 3), 0, torch.tensor([1.0, 2.0, 9.0])),
        ((40, 3, 5, 5), (0, 2, 3), torch.tensor([1.0, 2.0, 9.0]).view(3, 1, 1)),
    ],
)
def test_positives_that_count_more(size, dims, weight):
    share = torch.linspace(0.1, 0.9, 3).view(weight.shape or 3)
    target = (torch.rand(size, generator=torch.Generator().manual_seed(0)) < share).float()
    out = torch.zeros(size, requires_grad=True) * 1.0
    found = record(F.binary_cross_entropy_with_logits(out, target, pos_weight=weight))
    mean = target.mean(dims, keepdim=True)
    best = (mean * weight / (1 - mean)).log().expand(size)
    expected = F.binary_cross_entropy_with_logits(best, target, pos_weight=weight)
    assert found.objective.constant_loss == pytest.approx(float(expected), rel=1e-5)


def test_positives_of_more_labels_than_are_added_up():
    target = (torch.arange(60 * 1_201).view(60, -1) % 5 == 0).float()
    out = torch.zeros(60, 1_201, requires_grad=True) * 1.0
    loss = F.binary_cross_entropy_with_logits(out, target, pos_weight=torch.full((1_201,), 4.0))
    assert record(loss).objective.constant_loss == pytest.approx(1.6 * math.log(2))


def test_pixels_of_one_mask_are_two_classes():
    mask = (torch.arange(6 * 5 * 7) % 9 == 0).float().view(6, 1, 5, 7)
    logits = torch.randn(6, 1, 5, 7, requires_grad=True) * 1
    objective = record(F.binary_cross_entropy_with_logits(logits, mask)).objective
    ones = float(mask.sum())
    assert list(objective.target_counts) == [mask.numel() - ones, ones]
    assert sum(objective.predicted_counts) == mask.numel()
    expected = log_loss(mask.flatten(), np.full(mask.numel(), float(mask.mean())))
    assert objective.constant_loss == pytest.approx(expected)


def test_a_regression():
    out, target = logits(50, 2), torch.randn(50, 2) * torch.tensor([3.0, 1.0]) + 100
    found = record(F.mse_loss(out, target))
    assert found.curves["data_losses"] == [pytest.approx(F.mse_loss(out, target).item(), rel=1e-5)]
    assert found.objective.constant_loss == pytest.approx(target.numpy().var(0).mean(), rel=1e-3)
    assert found.objective.target_range == pytest.approx((float(target.min()), float(target.max())))
    errors = (out.detach().double() - target.double()).numpy()
    assert found.curves["absolute_errors"] == [pytest.approx(np.abs(errors).mean(), rel=1e-5)]
    assert found.curves["squared_errors"] == [pytest.approx(np.square(errors).mean(), rel=1e-5)]


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (F.cross_entropy, classes),
        (F.mse_loss, lambda: torch.zeros(20, 3)),
        (F.binary_cross_entropy_with_logits, lambda: torch.zeros(20, 3)),
    ],
)
def test_how_far_predictions_are_apart(loss, target):
    out = logits(20, 3)
    said = out.detach().log_softmax(1) if loss is F.cross_entropy else out.detach()
    spans = said.numpy().max(0) - said.numpy().min(0)
    assert record(loss(out, target()[:20])).curves["prediction_ranges"] == [
        pytest.approx(spans.max(), 1e-5)
    ]
    same = out[:1].expand(20, 3)
    assert record(loss(same, target()[:20])).curves["prediction_ranges"] == [0]


X = torch.rand(8, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("target", "inputs", "same"),
    [
        (X, X, True),
        (X.clone(), X.view(8, 1, 3), True),
        (X - 1e-6, X, True),  # as a difference by hand leaves it
        (X + 0.1 * X.flip(0), X, False),  # with noise, say
        (torch.cat([X, X])[1:9], torch.cat([X, X])[:8], False),
        (X, X[:, :2], False),
        (X, None, False),
    ],
)
def test_targets_that_are_the_inputs(target, inputs, same):
    found = LossRecord()
    found.look(F.mse_loss(logits(8, 3), target), 1.0, inputs=inputs)
    settle(found)
    assert found.objective.of_inputs is same


def test_targets_of_a_loss_by_hand_that_are_the_inputs():
    found, out = LossRecord(), logits(8, 3)
    found.look((out - X).square().mean(), 1.0, {out.grad_fn: out.detach()}, X)
    settle(found)
    assert found.objective.of_inputs


def test_constant_over_several_batches():
    found = LossRecord()
    targets = [torch.randn(8, 1) + i for i in range(5)]
    for i, target in enumerate(targets):
        found.look(F.mse_loss(logits(8, 1, i), target), 1.0)
    settle(found)
    assert found.objective.constant_loss == pytest.approx(torch.cat(targets).numpy().var(), 1e-5)
    assert len(found.curves["data_losses"]) == 5


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_shapes_that_only_broadcast():
    found = record(F.mse_loss(logits(6, 1), torch.randn(6)))
    assert found.objective.shapes == ((6, 1), (1, 6))


def test_the_share_of_a_penalty():
    weight = torch.ones(3, requires_grad=True)
    data = F.cross_entropy(logits(), classes())
    found = record(data + weight.sum())
    assert found.curves["penalty_shares"] == [pytest.approx(3 / (3 + data.item()), rel=1e-5)]
    assert record(data + logits().square().mean()).curves["penalty_shares"] == [
        pytest.approx(0.4, abs=0.3)
    ]


@pytest.mark.parametrize("term", [math.inf, math.nan])
def test_of_a_whole_that_is_not_finite_no_share_is_penalty(term):
    weight = torch.ones(3, requires_grad=True)
    found = record(F.cross_entropy(logits(), classes()) + term * weight.sum())
    assert found.curves["data_losses"]
    assert found.curves["penalty_shares"] == []


def test_a_loss_of_ones_own_leaves_the_curve():
    found = record((logits() ** 4).mean())
    assert len(found.losses) == 1
    assert found.objective.task is None


def test_the_spread_of_targets_is_that_of_each_batch_on_one_rank_and_on_two():
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(12, generator=generator) for _ in range(2)]
    ranks = []
    for target in values:
        rank = LossRecord()
        rank.look(F.mse_loss(torch.zeros(12, requires_grad=True) * 1.0, target), 1.0)
        ranks.append(rank.news())
    spreads = [np.var(target.numpy(), ddof=1) for target in values]
    for news, expected in ((ranks[:1], spreads[0]), (ranks, np.mean(spreads))):
        found = LossRecord()
        found.take(news)
        assert found.curves["target_spreads"] == [pytest.approx(expected, rel=1e-5)]
        assert found.curves["same_class_pairs"] == []


ROBUST = {
    "smooth": lambda p, t: F.smooth_l1_loss(p, t, beta=0.5),
    "huber": lambda p, t: F.huber_loss(p, t, delta=2.0),
    "sum": lambda p, t: F.huber_loss(p, t, reduction="sum"),
}


@pytest.mark.parametrize("kind", ROBUST)
def test_what_a_constant_reaches_by_a_loss_that_is_easy_on_outliers(kind):
    generator = torch.Generator().manual_seed(1)
    found, loss_of, target = LossRecord(), ROBUST[kind], []
    for _ in range(40):
        y = torch.randn(32, 1, generator=generator) + 3
        y[0] += 30
        out = torch.randn(32, 1, generator=generator, requires_grad=True) * 1.0
        loss = loss_of(out, y)
        found.look(loss, 1.0)
        found.add(loss, 1.0)
        target.append(y)
    settle(found)
    sizes = 32 if kind == "sum" else 1
    assert found.curves["data_losses"] == pytest.approx(
        [loss / sizes for loss in found.losses], rel=1e-5
    )
    # The best of a fine grid of constants, over all samples.
    y = torch.cat(target)
    best = min(float(loss_of(torch.full_like(y, c), y)) for c in np.linspace(2, 5, 301))
    best /= len(y) if kind == "sum" else 1
    assert found.objective.constant_loss == pytest.approx(best, rel=0.05)


def test_absolute_errors_are_held_against_the_median():
    found, x = LossRecord(), torch.linspace(-1, 1, 500)[:, None]
    y = x.exp()
    layer = torch.nn.Linear(1, 1)
    out = layer(x)
    loss = F.l1_loss(out, y)
    found.look(loss, 1.0, {out.grad_fn: out.detach()})
    found.add(loss, 1.0)
    settle(found)
    assert found.curves["data_losses"] == pytest.approx(found.losses, rel=1e-5)
    assert found.objective.own_units
    expected = float((y - y.median()).abs().mean())
    assert found.objective.constant_loss == pytest.approx(expected, rel=0.01)


def test_of_two_samples_no_constant_is_known():
    out = torch.randn(2, 1, requires_grad=True) * 1.0
    found = record(F.huber_loss(out, torch.randn(2, 1)))
    assert np.isnan(found.objective.constant_loss)


@pytest.mark.parametrize(("part", "own"), [(0.0, True), (1.0, False)])
def test_targets_that_a_network_comes_to_have_a_part_in(part, own):
    weight, record, reward = torch.tensor(0.1, requires_grad=True), LossRecord(), torch.rand(16)
    for look in range(4):
        x = torch.rand(16)
        target = reward + part * look * torch.rand(16)
        record.look(F.mse_loss(weight * x, target), 1.0, batch={"x": x, "reward": reward})
        settle(record)
        assert record.objective.of_batch is (own or look == 0)
    again = LossRecord()
    again.load_state_dict(record.state_dict())
    assert again.objective.of_batch is own


def test_by_how_much_targets_lie_beyond_the_outermost_predictions():
    weight, record = torch.tensor(1.0, requires_grad=True), LossRecord()
    x = torch.tensor([0.0, 0.01, 0.5, 0.99, 1.0])
    target = torch.tensor([-2.0, 0.0, 9.0, 3.0, 5.0])
    record.look(F.mse_loss(weight * x, target), 1.0)
    settle(record)
    assert (record.curves["predicted_min"], record.curves["predicted_max"]) == ([0.0], [1.0])
    assert record.curves["missed_below"] == [pytest.approx((2.0 + 0.01) / 2)]
    assert record.curves["missed_above"] == [pytest.approx((2.01 + 4.0) / 2)]
    again = LossRecord()
    again.load_state_dict(record.state_dict())
    assert again.curves["missed_above"] == record.curves["missed_above"]


def test_what_a_loss_has_beside_the_data():
    weight, record = torch.tensor(1.0, requires_grad=True), LossRecord()
    for _ in range(3):
        record.look(F.mse_loss(weight * torch.ones(2), torch.zeros(2)) + 4 * weight**2, 1.0)
    settle(record)
    assert record.curves["other_terms"] == [4.0] * 3


@pytest.mark.parametrize("kind", ["cross_entropy", "bce_logits", "huber"])
def test_it_goes_on_from_a_checkpoint_as_if_it_had_seen_all(kind):
    target, loss = {
        "cross_entropy": (classes(), F.cross_entropy),
        "bce_logits": ((logits(seed=9) > 0).float(), F.binary_cross_entropy_with_logits),
        "huber": (logits(seed=9).detach(), F.huber_loss),
    }[kind]
    whole, resumed = LossRecord(), LossRecord()
    for seed in range(4):
        if seed == 2:
            saved, resumed = resumed, LossRecord()
            resumed.load_state_dict(saved.state_dict())
        for record in (whole, resumed):
            value = loss(logits(seed=seed), target)
            record.look(value, 1.0)
            record.add(value, 1.0)
            settle(record)
    assert len(whole.curves["data_losses"]) == 4
    assert repr(resumed.state_dict()) == repr(whole.state_dict())


@pytest.mark.parametrize("offset", [0.0, 5.0])
def test_what_one_number_for_all_places_has(offset):
    weight, record = torch.tensor(1.0, requires_grad=True), LossRecord()
    target = offset + torch.rand(6, 4)
    record.look(F.mse_loss(weight * torch.zeros(6, 4), target), 1.0)
    settle(record)
    # Of what is from 0 to 1 a network may say 0 at first, and else the mean.
    expected = target.var(correction=0) if offset else target.square().mean()
    assert record.objective.flat_loss == pytest.approx(float(expected), rel=1e-4)


EMPTY = {
    "cross_entropy": lambda z: F.cross_entropy(z, torch.zeros(0).long(), reduction="sum"),
    "bce_logits": lambda z: F.binary_cross_entropy_with_logits(z, z.detach(), reduction="sum"),
    "squared": lambda z: F.mse_loss(z, z.detach(), reduction="sum"),
    "huber": lambda z: F.smooth_l1_loss(z, z.detach(), reduction="sum"),
}


@pytest.mark.parametrize("loss", EMPTY.values(), ids=EMPTY.keys())
def test_a_picture_with_nothing_in_it_to_find(loss):
    record = LossRecord()
    for _ in range(2):
        record.look(loss(torch.zeros(0, 4, requires_grad=True) * 2), 1.0)
        settle(record)
    assert record.curves["data_losses"] == []
    record.look(F.mse_loss(torch.ones(3, requires_grad=True) * 2, torch.zeros(3)), 1.0)
    settle(record)
    assert record.curves["data_losses"] == [4.0]


def test_the_rank_with_the_outermost_prediction_says_by_how_much_it_is_off():
    ranks = []
    # The second rank is farther off, but its predictions are nearer to 0.
    for scale, target in ((1.0, 3.0), (0.5, 9.0)):
        weight, record = torch.tensor(scale, requires_grad=True), LossRecord()
        ends = torch.tensor([-1.0, 1.0])
        record.look(F.mse_loss(weight * ends, target * ends), 1.0)
        ranks.append(record.news())
    joined = LossRecord()
    joined.take(ranks)
    assert (joined.curves["predicted_min"], joined.curves["missed_below"]) == ([-1.0], [2.0])
    assert (joined.curves["predicted_max"], joined.curves["missed_above"]) == ([1.0], [2.0])


JOINED_CURVES = (
    "data_losses", "accuracies", "penalty_shares", "same_class_pairs", "absolute_errors",
    "squared_errors", "predicted_min", "predicted_max",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["cross_entropy", "bce_logits", "huber"])
def test_ranks_with_unequal_parts_of_a_batch_read_what_one_reads_of_the_whole(kind):
    outputs, weight = logits(), torch.ones((), requires_grad=True)
    target, loss = {
        "cross_entropy": (classes(), F.cross_entropy),
        "bce_logits": ((logits(seed=1) > 0).float(), F.binary_cross_entropy_with_logits),
        "huber": (3 * logits(seed=1).detach(), F.huber_loss),
    }[kind]

    def news(rows, target=target):
        record = LossRecord()
        record.look(loss(outputs[rows], target[rows]) + 0.5 * weight**2, 1.0)
        return record.news()

    ranks = [news(slice(10)), news(slice(10, 40))]
    if kind == "cross_entropy":
        # All that the first rank has is ignored, and the second has one sample.
        ignored = news(slice(3), target=torch.full((3,), -100))
        ranks = [ignored, news(slice(1)), news(slice(1, 10)), ranks[1]]
    found = []
    for part in ([news(slice(40))], ranks):
        record = LossRecord()
        record.take(part)
        record.judge()
        objective = record.objective
        found.append([
            *(record.curves[name] for name in JOINED_CURVES),
            objective.target_counts, objective.predicted_counts, objective.target_range,
            [objective.target_variance, objective.positives],
        ])  # fmt: skip
    for whole, joined in zip(*found, strict=True):
        assert list(joined) == pytest.approx(list(whole), rel=1e-5, nan_ok=True)
    assert len(found[0][0]) == 1


@pytest.mark.parametrize(
    "take",
    [
        lambda outputs: outputs.view(6, 40, 4).unbind(),
        lambda outputs: list(outputs.view(6, 40, 4)),
        lambda outputs: outputs.split(40),
        lambda outputs: [outputs.view(6, 40, 4)[step] for step in range(6)],
    ],
)
def test_of_a_sum_over_steps_of_time_one_step_counts(take):
    target = classes()
    losses = [F.cross_entropy(part, target) for part in take(logits(6 * 40))]
    found = record(sum(losses))
    assert found.curves["data_losses"] == [pytest.approx(losses[-1].item(), rel=1e-5)]
    assert found.objective.constant_loss == pytest.approx(constant_of(target), rel=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        lambda out: out,
        lambda out: out.view(8, 5, 4).flatten(0, 1),
        lambda out: out.bfloat16().float(),
    ],
    ids=["as it is", "flattened for each", "converted for each"],
)
def test_of_a_mix_of_targets_for_one_prediction_the_whole_counts(given):
    out, target = logits(), classes()
    one, other = F.cross_entropy(given(out), target), F.cross_entropy(given(out), target.flip(0))
    loss = 0.3 * one + 0.7 * other
    assert record(loss).curves["data_losses"] == [pytest.approx(loss.item(), rel=1e-5)]


def test_binary_pictures_are_held_against_the_picture_of_their_means():
    generator = torch.Generator().manual_seed(0)
    chances = torch.rand(1, 1, 6, 5, generator=generator)
    out = torch.zeros(64, 1, 6, 5).requires_grad_()
    found = LossRecord()
    for _ in range(40):
        pictures = torch.bernoulli(chances.expand(64, 1, 6, 5), generator=generator)
        found.look(F.binary_cross_entropy_with_logits(out * 1.0, pictures), 1.0)
        settle(found)
    p = chances.numpy().astype(float)
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    assert found.objective.placed_loss == pytest.approx(expected, rel=0.01)
    assert found.objective.constant_loss > 1.1 * expected
    resumed = LossRecord()
    resumed.load_state_dict(found.state_dict())
    resumed.look(F.binary_cross_entropy_with_logits(out * 1.0, pictures), 1.0)
    settle(resumed)
    assert resumed.objective.placed_loss == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("target", [torch.ones(32, 30), torch.ones(32), torch.ones(2, 1, 6, 5)])
def test_labels_and_too_few_pictures_have_none(target):
    found = record(
        F.binary_cross_entropy_with_logits(
            torch.zeros_like(target, requires_grad=True) * 1.0, target
        )
    )
    assert math.isnan(found.objective.placed_loss)


def test_a_term_beside_that_depends_on_the_data():
    weight = torch.zeros(3, 3, requires_grad=True)
    code = torch.randn(8, 3) @ weight
    loss = F.mse_loss(code, torch.randn(8, 3))
    assert not record(loss + 0.1 * weight.square().sum()).objective.has_beside
    assert record(loss + 0.1 * code.square().mean()).objective.has_beside
