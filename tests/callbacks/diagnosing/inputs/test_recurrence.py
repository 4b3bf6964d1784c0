"""How far gradients reach back through time, against torch's own autograd and known matrices."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from torchvitals.callbacks.diagnosing.inputs.recurrence import RepeatedCalls, SequenceProbe


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
    assert [b / a for a, b in pairwise(profile)] == pytest.approx([1 / scale] * 3, rel=1e-4)


def test_a_layer_in_evaluation_mode_is_none_of_cudnns():
    # cuDNN refuses the backward pass of such a layer.
    enabled, rnn = [], nn.GRU(3, 8, batch_first=True).eval()

    def forward(x):
        enabled.append(torch.backends.cudnn.enabled)
        return nn.GRU.forward(rnn, x)

    rnn.forward = forward
    assert len(probed(rnn, torch.randn(4, 5, 3)).profile()) == 5
    assert enabled == [False]
    assert torch.backends.cudnn.enabled


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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sequences_of_mixed_precision_fit_the_weights(dtype):
    torch.manual_seed(0)
    rnn, x = nn.GRU(3, 8, batch_first=True), torch.randn(4, 7, 3).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = probed(rnn, x).profile()
    assert mixed == probed(rnn, x.float()).profile() != []


def test_other_layers_and_inputs_are_not_looked_at():
    for layer, x in (
        (nn.Linear(3, 3), torch.randn(2, 4, 3)),
        (nn.RNN(3, 3), torch.randn(4, 3)),
        (nn.RNN(3, 3), nn.utils.rnn.pack_sequence([torch.randn(4, 3)])),
    ):
        probe = probed(layer, x)
        assert (probe.layer, probe.profile()) == ("", [])


def test_a_network_that_calls_its_layer_again_and_again():
    layer = nn.Linear(4, 4, bias=False)
    nn.init.eye_(layer.weight)
    calls = RepeatedCalls()
    for _ in range(2):
        calls.begin()
        h = torch.ones(2, 4)
        for _ in range(5):
            h = layer(0.5 * h)
            calls.saw("layer", h)
        (h * torch.tensor([3.0, 4.0, 0.0, 0.0])).sum().backward()
    assert calls.layer == "layer"
    last = (2 * 25) ** 0.5
    assert calls.profile() == pytest.approx([last * 0.5**n for n in (4, 3, 2, 1, 0)])


def test_a_layer_that_is_called_twice_is_none():
    calls = RepeatedCalls()
    for _ in range(2):
        calls.begin()
        for _ in range(2):
            calls.saw("layer", torch.ones(2, requires_grad=True) * 2)
    assert (calls.layer, calls.profile()) == ("", [])


def one_by_one(outputs, x):
    return torch.vmap(lambda v: torch.autograd.grad(outputs, x, v, retain_graph=True)[0])


def at_once(outputs, x):
    return lambda v: torch.autograd.grad(outputs, x, v, is_grads_batched=True)[0]


@pytest.mark.parametrize("backward", [one_by_one, at_once])
def test_a_jacobian_is_left_alone(backward):
    calls, layer, x = RepeatedCalls(), nn.Linear(3, 3), torch.randn(2, 3, requires_grad=True)
    for _ in range(2):
        calls.begin()
        h = x
        for _ in range(4):
            h = layer(h)
            calls.saw("layer", h)
        jacobian = backward(h[0], x)(torch.eye(3))
    expected = torch.linalg.matrix_power(layer.weight, 4)
    torch.testing.assert_close(jacobian[:, 0], expected)
    assert calls.profile() == []
