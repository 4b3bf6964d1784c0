"""A monitor that fails says so on the rank where it does; rank 0 speaks for those that follow."""

import warnings
from types import SimpleNamespace

import pytest
from lightning.pytorch.utilities import rank_zero_only

from torchvitals.callbacks.monitoring.guard import (
    SideWork,
    switch_off,
    switch_off_with_others,
)


@pytest.mark.parametrize(("rank", "where"), [(0, "off; training"), (1, "off on rank 1; training")])
def test_the_rank_that_fails_says_why(rank, where, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    monitor = SimpleNamespace(failed=False)
    with pytest.warns(UserWarning, match=f"{where} continues: KeyError: 'x'"):
        switch_off(monitor, KeyError("x"))
    assert monitor.failed
    switch_off(monitor, KeyError("said once"))


@pytest.mark.parametrize(("rank", "said"), [(0, 1), (1, 0)])
def test_rank_0_says_that_another_did(rank, said, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    monitor = SimpleNamespace(failed=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        switch_off_with_others(monitor)
        switch_off_with_others(monitor)
    assert monitor.failed
    assert ["the one on another rank did" in str(w.message) for w in caught] == [True] * said


class SpeechlessError(Exception):
    def __str__(self):
        raise ValueError("no words")


def fails():
    raise SpeechlessError


def test_an_error_that_cannot_say_itself_is_told_by_its_class():
    monitor = SimpleNamespace(failed=False)
    with pytest.warns(UserWarning, match="continues: SpeechlessError: $"):
        switch_off(monitor, SpeechlessError())
    with pytest.warns(UserWarning, match="gave up on its file and continues: SpeechlessError"):
        SideWork("Monitor").attempt("file", fails)


def test_where_warnings_are_errors_the_log_has_it_and_training_goes_on(told_in_the_log):
    monitor = SimpleNamespace(failed=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        switch_off(monitor, ValueError("broken"))
        SideWork("Monitor").attempt("file", fails)
    assert monitor.failed
    assert told_in_the_log == [
        "SimpleNamespace switched itself off; training continues: ValueError: broken",
        "Monitor gave up on its file and continues: SpeechlessError: ",
    ]
    told_in_the_log.clear()
