"""Metrics go on from their states as if they had never been interrupted."""

import pytest
import torch
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryPrecision, BinaryRecall

from torchvitals.functional.metric_states import metric_states, restore_metric_states_


class Total(Metric):
    """An update replaces its state instead of adding to it in place."""

    def __init__(self):
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, scores, targets):
        self.total = self.total + (scores * targets).sum()

    def compute(self):
        return self.total


class TwiceTheTotal(Total):
    def compute(self):
        return 2 * self.total


METRICS = {
    "sums": BinaryPrecision,
    "lists": BinaryAUROC,
    # Both of one group, which is updated once.
    "collection": lambda: MetricCollection([BinaryPrecision(), BinaryRecall()]),
    "collection of replaced states": lambda: MetricCollection([Total(), TwiceTheTotal()]),
    "collection in a module": lambda: torch.nn.ModuleDict({"it": METRICS["collection"]()}),
}


def parts():
    generator = torch.Generator().manual_seed(0)
    scores, targets = torch.rand(3, 20, generator=generator), torch.rand(3, 20, generator=generator)
    return list(zip(scores, (targets < scores).int(), strict=True))


def update(metrics, some):
    metric = metrics["it"] if "it" in dict(metrics.named_children()) else metrics
    for scores, targets in some:
        metric.update(scores, targets)
    return metric


@pytest.mark.parametrize("name", METRICS)
def test_other_metrics_go_on_from_a_state(name):
    first, second = METRICS[name](), METRICS[name]()
    update(first, parts()[:2])
    states = metric_states(first)
    # What comes later is no part of the state.
    whole = update(first, parts()[2:]).compute()
    update(second, parts()[:1])
    restore_metric_states_(second, states)
    assert update(second, parts()[2:]).compute() == whole
    # Nor do the states change with the metrics that took them up.
    restore_metric_states_(second, states)
    assert update(second, parts()[2:]).compute() == whole


@pytest.mark.parametrize("name", METRICS)
def test_new_metrics_have_the_figures_of_a_state_at_once(name):
    first, second = METRICS[name](), METRICS[name]()
    update(first, parts()[:2])
    states = metric_states(first)
    expected = update(first, []).compute()
    restore_metric_states_(second, states)
    assert update(second, []).compute() == expected
    # Also where another figure has been computed already.
    assert update(second, parts()[2:]).compute() != expected
    restore_metric_states_(second, states)
    assert update(second, []).compute() == expected


def test_states_do_not_change_with_the_sums_that_took_them_up():
    first, second = MeanMetric(), MeanMetric()
    first.update(1.0)
    states = metric_states(first)
    for _ in range(2):
        restore_metric_states_(second, states)
        second.update(2.0)
        assert second.compute() == 1.5


def test_states_of_other_metrics_are_an_error():
    with pytest.raises(ValueError, match="Expected `states` to be those of the same metrics"):
        restore_metric_states_(BinaryAUROC(), metric_states(MeanMetric()))
