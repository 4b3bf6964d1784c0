"""Batches that hold NaN or infinity, of any form and on any device."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from torchvitals.callbacks.diagnosing.inputs import data_gaps
from torchvitals.callbacks.diagnosing.inputs.data_gaps import DataGaps

NAN, INF = math.nan, math.inf


def batches(*bad):
    """Number of the first batch of ten that is found not to be finite."""
    gaps = DataGaps()
    for number in range(10):
        x = torch.ones(4, 3)
        if number in bad:
            x[2, 1] = NAN
        gaps.open({"x": [x, torch.arange(4)], "name": "b"}, number)
        gaps.look(x.mean())
        gaps.close()
    gaps.take([gaps.news(), -1])
    return gaps.first


@pytest.mark.parametrize(("bad", "first"), [((), -1), ((0,), 0), ((4, 7), 4)])
def test_the_first_batch_with_a_gap_is_found(bad, first):
    assert batches(*bad) == first


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_of_any_kind_are_no_problem():
    gaps = DataGaps()
    odd = [
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        torch.empty(0, 3),
        "name",
        None,
    ]
    gaps.open(odd, 0)
    gaps.look(torch.tensor(NAN))
    assert gaps.news() == -1


class Rows(dict):
    """A batch that is made in a way of its own, and cannot be made anew as a dict."""

    def __init__(self, x, y):
        super().__init__(x=x, y=y)


@dataclass
class Samples:
    x: torch.Tensor


@pytest.mark.parametrize(
    "form", [lambda x: Rows(x, 1), Samples, lambda x: pack_sequence([x]), lambda x: ({"a": [x]},)]
)
def test_batches_of_any_form_are_looked_at_and_left_as_they_are(form):
    gaps = DataGaps()
    gaps.open(form(torch.tensor([1.0, NAN])), 3)
    gaps.look(torch.tensor(NAN))
    assert gaps.news() == 3


def test_a_batch_that_cannot_be_looked_at_ends_the_looking_alone():
    class Odd(dict):
        def values(self):
            raise RuntimeError("no")

    gaps = DataGaps()
    gaps.open(Odd(), 0)
    gaps.look(torch.tensor(NAN))
    assert gaps.news() == -1


def test_a_loss_lost_of_good_data_clears_the_data_for_good():
    gaps, bad = DataGaps(), torch.tensor([1.0, NAN])
    for number, (x, loss) in enumerate([(torch.ones(2), NAN), (bad, NAN)]):
        gaps.open(x, number)
        gaps.look(torch.tensor(loss))
    assert gaps.news() == -1


def test_data_on_a_device_are_told_by_their_sums(monkeypatch):
    # The host's tensors, taken for those of a device: no other device is at hand.
    real = data_gaps._floating
    monkeypatch.setattr(
        data_gaps, "_floating", lambda batch, *, on_host: real(batch, on_host=not on_host)
    )
    gaps = DataGaps()
    for number in range(6):
        x = torch.ones(3, dtype=torch.float16) * 6e4
        x[0] = INF if number in (2, 4) else 1.0
        gaps.open((x, torch.arange(3)), number)
    assert gaps.news() == 2


def test_where_losses_are_on_the_host_batches_are_not_walked_through(monkeypatch):
    def walk(batch, *, on_host):
        walked.append(on_host)
        return []

    walked = []
    monkeypatch.setattr(data_gaps, "_floating", walk)
    gaps = DataGaps()
    for number in range(5):
        gaps.open(torch.ones(2), number)
        gaps.look(torch.tensor(1.0))
    # Before the first loss nobody knows where losses are.
    assert walked == [False]
    gaps.open(torch.ones(2), 5)
    gaps.look(torch.tensor([1.0, INF]))
    assert walked == [False, True, False]
