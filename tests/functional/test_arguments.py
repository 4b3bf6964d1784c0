"""What is a number, a whole number, a name."""

import math
from decimal import Decimal

import numpy as np
import pytest
import torch

from torchvitals.functional.arguments import (
    number,
    optional_text,
    optional_whole_number,
    text,
    whole_number,
)

NAN = float("nan")


@pytest.mark.parametrize("value", [5, np.int32(5), np.uint8(5), torch.tensor(5)])
def test_any_whole_number_is_taken_as_an_int(value):
    for found in (whole_number("steps", value), number("steps", value)):
        assert (found, type(found)) == (5, int)
    assert optional_whole_number("steps", value) == 5


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), Decimal("2.5"), torch.tensor(2.5)])
def test_any_number_is_taken_as_a_float(value):
    found = number("rate", value)
    assert (found, type(found)) == (2.5, float)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_a_number_may_be_infinite(value):
    assert number("rate", value) == value


@pytest.mark.parametrize("value", [True, False, 2.5, 2.0, NAN, "2", b"2", None, [2], 2j])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(TypeError, match="`steps` to be a whole number, but got"):
        whole_number("steps", value)


@pytest.mark.parametrize("value", [True, "2", "inf", b"2", None, [2], 2j, torch.zeros(2)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="`rate` to be a number, but got"):
        number("rate", value)


@pytest.mark.parametrize(
    ("check", "match"),
    [
        (lambda: whole_number("steps", 0), "`steps` to be at least 1, but got 0"),
        (lambda: optional_whole_number("steps", -1, least=0), "`steps` to be at least 0, but got"),
        (lambda: number("rate", -0.5, least=0), "`rate` to be at least 0, but got -0.5"),
        (lambda: number("rate", 0, above=0), "`rate` to be above 0, but got 0"),
        (lambda: number("rate", NAN, least=0), "`rate` to be at least 0, but got nan"),
        (lambda: number("rate", NAN), "`rate` to be a number, but got nan"),
        (lambda: text("monitor", ""), "`monitor` to be a name, but got ''"),
        (lambda: optional_text("monitor", " "), "`monitor` to be a name, but got ' '"),
    ],
)
def test_what_is_too_small_or_empty_is_refused(check, match):
    with pytest.raises(ValueError, match=match):
        check()


@pytest.mark.parametrize("value", [3, ["val_loss"], b"val_loss"])
def test_what_is_no_name_is_refused(value):
    with pytest.raises(TypeError, match="`monitor` to be a name, but got"):
        text("monitor", value)


def test_what_may_be_left_out():
    assert optional_whole_number("steps", None) is None
    assert optional_text("monitor", None) is None
