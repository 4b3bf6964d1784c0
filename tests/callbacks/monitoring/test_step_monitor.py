"""Monitors of the optimisers' steps go on with their record, at another interval too."""

import pytest
import torch
from helpers.research import Research, loader
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from torchvitals.callbacks import GradientNormMonitor, UpdateRatioMonitor

MAKE = {
    "norms": lambda every: GradientNormMonitor(every),
    "largest": lambda every: GradientNormMonitor(every, norm_type="inf"),
    "updates": lambda every: UpdateRatioMonitor(every),
}


def fit(callbacks, **settings):
    torch.manual_seed(0)
    model = Research(nn.Linear(5, 3))
    trainer = quiet_trainer(callbacks=callbacks, enable_checkpointing=True)
    trainer.fit_loop.max_epochs = settings.pop("max_epochs", 1)
    trainer.fit(model, loader(torch.randn(32, 5)), **settings)


@pytest.fixture
def saved(tmp_path):
    def save(*monitors):
        saver = ModelCheckpoint(tmp_path, save_last=True)
        fit([*monitors, saver])
        return saver, {"ckpt_path": str(tmp_path / "last.ckpt"), "max_epochs": 2}

    return save


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("after", [4, None])
def test_a_run_that_is_resumed_at_another_interval_goes_on_with_the_record(make, after, saved):
    saver, resume = saved(make(2))
    again = make(after)
    fit([again, saver], **resume)
    late = [11, 15] if after else list(range(8, 16))
    assert again.steps == [1, 3, 5, 7, *late]
    assert all(len(values) == len(again.steps) for values in again.history.values())


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_of_several_only_what_is_nobodys_own_is_taken(saved):
    saver, resume = saved(*(GradientNormMonitor(every) for every in (1, 2)))
    known, other, infinite = (
        GradientNormMonitor(2), GradientNormMonitor(4), GradientNormMonitor(4, norm_type="inf")
    )  # fmt: skip
    fit([known, other, infinite, saver], **resume)
    assert known.steps == list(range(1, 16, 2))
    assert other.steps == [*range(8), 11, 15]
    assert infinite.steps == [11, 15]
