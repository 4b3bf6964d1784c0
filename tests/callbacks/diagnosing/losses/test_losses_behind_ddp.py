"""Losses that DDP hands on through a node of its own, as where it looks for unused parameters."""

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from torchvitals.callbacks.diagnosing.losses.autograd_graph import (
    find_loss_calls,
    has_graph,
    terms_are_alone,
)
from torchvitals.callbacks.diagnosing.losses.errors_by_hand import find_errors
from torchvitals.callbacks.diagnosing.losses.layers_in_graph import (
    count_layers,
    count_saturating_outputs,
)
from torchvitals.callbacks.diagnosing.losses.paired_losses import find_pairs
from torchvitals.callbacks.diagnosing.losses.special_losses import describe_special


@pytest.fixture
def one_process():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


LOSSES = {
    "cross-entropy": lambda out, t: F.cross_entropy(out, t[:, 0].long().clamp(0, 1)),
    "absolute": F.l1_loss,
    "squares by hand": lambda out, t: ((out - t) ** 2).mean(),
    "two of them": lambda out, t: F.mse_loss(out, t) + (out - t).abs().mean(),
    "hinge of 0 and 1": lambda out, t: (1 - (t > 0).float() * out).clamp(min=0).mean(),
    "order of pairs": lambda out, t: -F.logsigmoid(out[:, 0] - out[:, 1]).mean(),
    "behind a sigmoid": lambda out, t: (out.sigmoid() - t).pow(2).mean(),
}


class Step(nn.Module):
    def __init__(self, loss):
        super().__init__()
        self.layers, self.loss = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), loss

    def forward(self, x, target):
        out = self.layers(x)
        self.outputs = {out.grad_fn: out.detach()}
        return {"seen": out.detach(), "out": out, "loss": self.loss(out, target)}


def told(loss, step):
    """All that is read off the graph of a loss."""
    assert has_graph(loss)
    calls = find_loss_calls(loss) or find_errors(loss, step.outputs) or find_pairs(loss)
    special = describe_special(loss, None, None)
    return (
        [(c.kind, c.output, c.ascends, c.is_alone, c.prediction.tolist()) for c in calls],
        special and special.kind, count_layers(loss), count_saturating_outputs(loss),
        terms_are_alone(loss),
    )  # fmt: skip


@pytest.mark.parametrize("factor", [None, 0.5, torch.tensor(1024.0)])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_what_is_told_of_a_loss_is_the_same_behind_ddp(one_process, loss, factor):
    torch.manual_seed(0)
    x, target = torch.randn(6, 3), torch.randn(6, 2)
    step = Step(loss)
    parallel = DistributedDataParallel(step, find_unused_parameters=True)
    behind = parallel(x, target)["loss"]
    assert behind.grad_fn.name() == "_DDPSinkBackward"
    if factor is not None:  # of the Trainer's, for accumulation or mixed precision
        behind = behind * factor if isinstance(factor, torch.Tensor) else behind / 2
    seen = told(behind, step)
    assert seen == told(step(x, target)["loss"], step)
    assert seen[0] or seen[1]
