"""Best weights of modules whose ``state_dict`` is not all that they train."""

import pytest
import torch
from helpers.scripted import Scripted, batches
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from torchvitals.callbacks import EarlyStopping

LOSSES = [3.0, 1.0, 2.0, 2.0, 2.0]


class Filtered(Scripted):
    """Saves an adapter alone, as if the body were frozen; the body is trained as well."""

    strict_loading = False

    def __init__(self):
        super().__init__({"val_loss": LOSSES})
        self.body = nn.Parameter(torch.zeros(2))

    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        self.body.data.fill_(self.global_step + 1)

    def state_dict(self, *arguments, **settings):
        saved = super().state_dict(*arguments, **settings)
        return {name: value for name, value in saved.items() if name != "body"}


class Renamed(Scripted):
    """Saves its weights under other names."""

    def __init__(self):
        super().__init__({"val_loss": LOSSES})

    def state_dict(self, *arguments, **settings):
        saved = super().state_dict(*arguments, **settings)
        return {f"model.{name}": value for name, value in saved.items()}

    def load_state_dict(self, state_dict, *arguments, **settings):
        own = {name.removeprefix("model."): value for name, value in state_dict.items()}
        return super().load_state_dict(own, *arguments, **settings)


def fit(model, callbacks, ckpt_path=None, **settings):
    quiet_trainer(num_sanity_val_steps=0, callbacks=callbacks, **{"max_epochs": 5, **settings}).fit(
        model, batches(2), batches(2), ckpt_path=ckpt_path
    )
    return model


@pytest.mark.parametrize("place", ["memory", "file"])
def test_what_a_state_leaves_out_comes_back_with_it(place):
    model = fit(Filtered(), [EarlyStopping("val_loss", patience=9, best_weights=place)])
    assert model.restored == 4
    assert model.body.tolist() == [4.0, 4.0]


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_checkpoints_hold_what_they_cannot_find_in_the_module(tmp_path):
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    stopping = EarlyStopping("val_loss", patience=9)
    fit(Filtered(), [stopping, saver], enable_checkpointing=True)
    for epoch in (1, 2):
        saved = str(tmp_path / f"epoch={epoch}.ckpt")
        resumed = fit(Filtered(), [EarlyStopping("val_loss", patience=9)], ckpt_path=saved)
        assert resumed.body.tolist() == [4.0, 4.0]
        assert resumed.restored == 4


def test_other_names_are_not_taken_for_other_weights():
    stopping = EarlyStopping("val_loss", patience=9)
    model = fit(Renamed(), [stopping])
    assert model.restored == 4
    assert not stopping._best._leaves_out
