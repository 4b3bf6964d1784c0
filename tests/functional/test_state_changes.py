"""Who takes up every change has the states, bit by bit, whatever happens to the metric."""

import math
import pickle

import pytest
import torch
from torchmetrics import CatMetric, MeanMetric, Metric
from torchmetrics.classification import BinaryAUROC, MulticlassConfusionMatrix

from torchvitals.functional.metric_states import metric_states
from torchvitals.functional.state_changes import (
    Appended,
    Packed,
    Replaced,
    changed_state,
    same_bits,
    says_all,
    state_change,
)

CLASSES = 40  # 1600 counts: more than are always told whole


class Table(Metric):
    """Many numbers of any type, of which an update changes one; and a list that starts as none."""

    def __init__(self, dtype=torch.float32, shape=(50, 30)):
        super().__init__()
        self.add_state("table", torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")
        self.add_state("seen", [], dist_reduce_fx=None)

    def update(self, scores, targets):
        self.table.view(-1)[int(targets.sum()) * 7 % 1500] += scores.sum().to(self.table.dtype)
        self.seen.append(targets)

    def compute(self):
        return self.table.sum()


METRICS = {
    "sums": (MeanMetric, lambda metric, scores, targets: metric.update(scores)),
    "a list": (CatMetric, lambda metric, scores, targets: metric.update(scores)),
    "lists": (BinaryAUROC, lambda metric, *batch: metric.update(*batch)),
    "lists whose tensors are copied": (BinaryAUROC, lambda metric, *batch: metric(*batch)),
    "a table": (
        lambda: MulticlassConfusionMatrix(CLASSES),
        lambda metric, scores, targets: metric.update((scores * CLASSES).long(), targets + 5),
    ),
    **{
        f"a table of {dtype}": (
            lambda dtype=dtype: Table(dtype),
            lambda metric, *batch: metric.update(*batch),
        )
        for dtype in (torch.float64, torch.bfloat16, torch.complex128, torch.int16, torch.bool)
    },
}


def batches(number):
    generator = torch.Generator().manual_seed(4)
    for size in torch.randint(2, 9, (number,), generator=generator).tolist():
        yield torch.rand(size, generator=generator), torch.arange(size) % 2


def told(change):
    """As another process gets it."""
    return pickle.loads(pickle.dumps(change))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("resets", [(), (4,), (1, 2, 5)])
def test_the_states_come_out_bit_by_bit(name, resets):
    make, update = METRICS[name]
    metric, before, copy = make(), None, None
    for number, batch in enumerate(batches(8)):
        if number in resets:
            metric.reset()
        for _ in range(1 + number % 2):
            update(metric, *batch)
        (after,) = metric_states(metric)
        change = state_change(before, after)
        copy = changed_state(copy, told(change))
        before = after
        if says_all(change):
            fresh = changed_state(None, told(change))
            assert all(
                same_bits(fresh["values"][name], value) for name, value in after["values"].items()
            )
        assert copy["updates"] == after["updates"]
        assert copy["values"].keys() == after["values"].keys()
        for state, value in after["values"].items():
            assert same_bits(copy["values"][state], value), (number, state)


def test_only_what_is_new_is_told():
    lists, table = BinaryAUROC(), MulticlassConfusionMatrix(CLASSES)
    for metric in (lists, table):
        metric.update(torch.zeros(3, dtype=torch.int64), torch.tensor([0, 1, 0]))
    before = [*metric_states(lists), *metric_states(table)]
    for metric in (lists, table):
        metric.update(torch.ones(2, dtype=torch.int64), torch.tensor([0, 1]))
    after = [*metric_states(lists), *metric_states(table)]
    grown, counted = map(state_change, before, after)
    assert not says_all(grown)
    assert not says_all(counted)
    assert says_all(state_change(None, after[0]))
    assert all(isinstance(change, Appended) for change in grown["values"].values())
    assert [len(change.new) for change in grown["values"].values()] == [1, 1]
    (replaced,) = counted["values"].values()
    assert isinstance(replaced, Replaced)
    assert replaced.places.shape == (2,)
    whole = state_change(None, after[1])["values"]["confmat"]
    assert isinstance(whole, Packed)
    assert len(pickle.dumps(counted)) < len(pickle.dumps(whole)) / 20


def test_where_most_has_changed_all_is_told():
    before = {"updates": 1, "values": {"sum": torch.zeros(3000)}}
    after = {"updates": 2, "values": {"sum": torch.ones(3000)}}
    assert isinstance(state_change(before, after)["values"]["sum"], Packed)


@pytest.mark.parametrize(
    "other", [[torch.zeros(2)], torch.zeros(50, 60), torch.zeros(3000, dtype=torch.int32)]
)
def test_other_kinds_shapes_and_types_are_told_whole(other):
    before = {"updates": 1, "values": {"x": torch.zeros(3000)}}
    for one, two in ((before, {"updates": 2, "values": {"x": other}}),
                     ({"updates": 1, "values": {"x": other}}, before)):  # fmt: skip
        copy = changed_state(None, told(state_change(None, one)))
        copy = changed_state(copy, told(state_change({**one, "updates": 0}, two)))
        assert same_bits(copy["values"]["x"], two["values"]["x"])


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_list_that_began_anew_is_told_whole(length):
    before = {"updates": 2, "values": {"x": [torch.tensor(0.0), torch.tensor(1.0)]}}
    after = {"updates": 3, "values": {"x": list(torch.arange(2.0, 2.0 + length))}}
    change = told(state_change(before, after))
    assert same_bits(changed_state(before, change)["values"]["x"], after["values"]["x"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (torch.tensor(math.nan), torch.tensor(math.nan), True),
        (torch.tensor(0.0), torch.tensor(-0.0), False),
        (torch.ones(2), torch.ones(1, 2), False),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32), False),
        ([torch.ones(2)], [torch.ones(2)], True),
        ([torch.ones(2)], [torch.ones(2), torch.ones(2)], False),
        ([torch.ones(2), torch.ones(2)], [torch.ones(2), torch.zeros(2)], False),
        ([torch.ones(2)], torch.ones(2), False),
        (torch.empty(0), torch.empty(0), True),
    ],
)
def test_same_bits(one, other, same):
    assert same_bits(one, other) is same
    assert same_bits(other, one) is same


@pytest.mark.gpu
def test_from_a_device():
    metric = BinaryAUROC().cuda()
    before, copy = None, None
    for scores, targets in batches(3):
        metric.update(scores.cuda(), targets.cuda())
        (after,) = metric_states(metric)
        copy, before = changed_state(copy, told(state_change(before, after))), after
        assert all(value.device.type == "cpu" for value in copy["values"]["preds"])
    assert same_bits(copy["values"]["preds"], before["values"]["preds"])
