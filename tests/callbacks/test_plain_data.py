"""Data that checkpoints hold: copies, which load without pickled classes, and nothing else."""

import io
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from torchvitals.callbacks.stopping.plain_data import from_host, to_host

Pair = namedtuple("Pair", "x y")
DATA = {
    "tensors": [torch.arange(3.0), (torch.tensor(True), torch.zeros(0, 2, dtype=torch.int8))],
    "text": ("a", b"b"),
    1: OrderedDict([("x", None), ("y", 1.5), ("z", 10**20)]),
    "trained": torch.ones(2, requires_grad=True) * 2,
}


def test_a_copy_that_loads_safely():
    data, was_on_host, size = to_host(DATA)
    file = io.BytesIO()
    torch.save(data, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    found = from_host(loaded, was_on_host, torch.device("meta"))
    assert repr(found) == repr({**DATA, "trained": torch.tensor([2.0, 2.0])})
    assert type(found[1]) is OrderedDict
    assert (was_on_host, size) == ([True] * 4, 12 + 1 + 0 + 8)
    assert data["tensors"][0].data_ptr() != DATA["tensors"][0].data_ptr()


def test_tensors_go_where_they_were():
    found = from_host([torch.ones(1), torch.ones(1)], [True, False], torch.device("meta"))
    assert [one.device.type for one in found] == ["cpu", "meta"]


def test_of_a_view_only_what_it_shows():
    copy, _, size = to_host(torch.zeros(1000)[::100])
    assert (copy.untyped_storage().nbytes(), size) == (40, 40)


@pytest.mark.parametrize(
    "data",
    [Pair(1, 2), np.ones(2), np.float64(1.0), nn.Parameter(torch.ones(1)), {Pair(1, 2): 1},
     [{"x": object()}], {1, 2}, torch.eye(2).to_sparse(), len],
)  # fmt: skip
def test_what_would_not_load_or_come_back_the_same_is_refused(data):
    with pytest.raises(TypeError, match="a checkpoint should hold no"):
        to_host(data)
