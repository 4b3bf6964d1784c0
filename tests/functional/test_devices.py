"""Random states of devices, with a device of its own kind that torch calls `torch.toy`."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from torchvitals.functional.devices import random_state, same_random_state, set_random_state


class Device(NamedTuple):
    type: str
    index: int


@pytest.fixture
def toy(monkeypatch):
    """A device with a generator, of which it has several."""
    states = {0: torch.tensor([7]), 1: torch.tensor([8])}
    module = SimpleNamespace(
        get_rng_state=lambda device: states[device.index],
        set_rng_state=lambda state, device: states.update({device.index: state}),
    )
    monkeypatch.setattr(torch, "toy", module, raising=False)
    return Device("toy", 1), states


def test_the_state_is_that_of_the_device(toy):
    device, states = toy
    assert random_state(device) is states[1]
    set_random_state(device, torch.tensor([9]))
    assert [int(state) for state in states.values()] == [7, 9]


def test_what_is_drawn_within_changes_nothing_outside(toy):
    device, states = toy
    before = torch.get_rng_state()

    def draw():
        with same_random_state(device):
            torch.rand(3)
            states[1] = torch.tensor([1])
            raise KeyError

    with pytest.raises(KeyError):
        draw()
    assert torch.equal(torch.get_rng_state(), before)
    assert int(states[1]) == 8


def test_a_device_without_a_generator_has_no_state():
    xla = Device("xla", 0)
    assert random_state(xla) is None
    with same_random_state(xla):
        torch.rand(3)
