"""Metrics go on from their states as if they had never been interrupted."""

import pytest
import torch
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryPrecision, BinaryRecall

from torchvitals.functional.metric_states import metric_states, restore_metric_states_

METRICS = {
    "sums": BinaryPrecision,
    "lists": BinaryAUROC,
    # Both of one group, which is updated once.
    "collection": lambda: MetricCollection([BinaryPrecision(), BinaryRecall()]),
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


def test_states_of_other_metrics_are_an_error():
    with pytest.raises(ValueError, match="Expected `states` to be those of the same metrics"):
        restore_metric_states_(BinaryAUROC(), metric_states(MeanMetric()))
