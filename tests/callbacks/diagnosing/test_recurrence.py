"""How far gradients reach back through time, against torch's own autograd and known matrices."""

import pytest
import torch
from torch import nn

from torchvitals.callbacks.diagnosing.recurrence import SequenceProbe


def probed(rnn, x):
    probe = SequenceProbe()
    probe.keep("rnn", rnn, x)
    return probe


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("batch_first", [True, False])
def test_an_orthogonal_matrix_scales_each_step_of_time_alike(scale, batch_first):
    torch.manual_seed(0)
    rnn = nn.RNN(3, 8, nonlinearity="relu", batch_first=batch_first)
    nn.init.orthogonal_(rnn.weight_hh_l0)
    with torch.no_grad():
        # All states stay positive, so that the ReLU is the identity.
        rnn.weight_hh_l0.copy_(scale * torch.eye(8))
        rnn.bias_ih_l0.fill_(100.0)
    profile = probed(rnn, 0.1 * torch.randn(4, 4, 3)).profile()
    assert [b / a for a, b in zip(profile, profile[1:], strict=False)] == pytest.approx(
        [1 / scale] * 3, rel=1e-4
    )


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_it_leaves_no_trace(cell, bidirectional):
    torch.manual_seed(0)
    rnn = cell(3, 8, num_layers=2, dropout=0.5, batch_first=True, bidirectional=bidirectional)
    before = [p.clone() for p in rnn.parameters()]
    probe = probed(rnn, torch.randn(20, 7, 3))
    state = torch.get_rng_state()
    first = probe.profile()
    assert len(first) == 7
    assert all(size > 0 for size in first)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in rnn.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, rnn.parameters(), strict=True))
    assert probe.profile() == first


def test_other_layers_and_inputs_are_not_looked_at():
    for layer, x in (
        (nn.Linear(3, 3), torch.randn(2, 4, 3)),
        (nn.RNN(3, 3), torch.randn(4, 3)),
        (nn.RNN(3, 3), nn.utils.rnn.pack_sequence([torch.randn(4, 3)])),
    ):
        probe = probed(layer, x)
        assert (probe.layer, probe.profile()) == ("", [])
