"""Copy the accumulated states of torchmetrics, and restore them."""

from typing import Any, TypedDict

from torch import nn
from torchmetrics import Metric, MetricCollection


class MetricState(TypedDict):
    """The accumulated state of one metric.

    Attributes:
        updates: Number of updates accumulated.
        values: Tensors, or lists of tensors, by the names of the metric's states.
    """

    updates: int
    values: dict[str, Any]


def metric_states(metrics: nn.Module) -> list[MetricState]:
    """Copy the states of a metric and of those within it, in the order of ``modules()``.

    By default, accumulated states are not part of a module's ``state_dict``.

    Args:
        metrics: A metric, a collection, or a module that has some.

    Returns:
        Their states, on the metrics' devices; later updates do not change them.

    Example:
        >>> import torch
        >>> from torchmetrics import SumMetric
        >>> metric = SumMetric()
        >>> metric.update(torch.tensor(2.0))
        >>> metric_states(metric)
        [{'updates': 1, 'values': {'sum_value': tensor(2.)}}]
    """
    return [
        {
            "updates": metric.update_count,
            # Updates change tensors in place, but only append to lists, which may be long.
            "values": {
                name: list(value) if isinstance(value, list) else value.detach().clone()
                for name, value in metric.metric_state.items()
            },
        }
        for metric in _metrics(metrics)
    ]


def restore_metric_states_(metrics: nn.Module, states: list[MetricState]) -> None:
    """Restore the states from `metric_states` in a metric and those within it, in place.

    Args:
        metrics: A metric, a collection, or a module that has some.
        states: One state per metric; their tensors are copied to the metrics' devices.

    Raises:
        ValueError: If the states are of other metrics.

    Example:
        >>> import torch
        >>> from torchmetrics import SumMetric
        >>> metric = SumMetric()
        >>> state = {"updates": 1, "values": {"sum_value": torch.tensor(1.0)}}
        >>> restore_metric_states_(metric, [state])
        >>> metric.update(torch.tensor(2.0))
        >>> metric.compute()
        tensor(3.)
    """
    found = _metrics(metrics)
    if [sorted(m.metric_state) for m in found] != [sorted(state["values"]) for state in states]:
        raise ValueError(
            "Expected `states` to be those of the same metrics, but got "
            f"{[sorted(state['values']) for state in states]} for {found}."
        )
    for metric, state in zip(found, states, strict=True):
        for name, value in state["values"].items():
            setattr(metric, name, _copy(value, metric))
        metric._update_count = state["updates"]
        metric._computed = None


def _metrics(module: nn.Module) -> list[Metric]:
    for collection in module.modules():
        if isinstance(collection, MetricCollection):
            # Of metrics with equal states only one is updated; access shares it with the others.
            collection.values(copy_state=False)
    return [metric for metric in module.modules() if isinstance(metric, Metric)]


def _copy(value: Any, metric: Metric) -> Any:
    if isinstance(value, list):
        return [_copy(tensor, metric) for tensor in value]
    return value.to(metric.device, copy=True)
