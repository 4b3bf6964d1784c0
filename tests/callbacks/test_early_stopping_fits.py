"""Which fits are checked and where, and fits after one another; case n is of EDGE_CASES."""

import pytest
import torch
from helpers.scripted import Scripted, batches, fit
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping, StoppingReason


def test_case_2_a_second_fit_starts_afresh():
    stopping = EarlyStopping("val_loss", patience=2)
    for losses, epochs, best in (([1, 2, 3, 4], 3, 0), ([9, 8, 7, 8, 9, 10], 5, 2)):
        model, trainer = fit(stopping, losses)
        assert (trainer.current_epoch, stopping.best_epoch) == (epochs, best)
        assert model.restored == 2 * (best + 1)
    # Without a stop, the first fit's reason is gone.
    fit(stopping, [3, 2])
    assert stopping.stopping_reason is StoppingReason.NOT_STOPPED
    assert stopping.stopping_reason_message is None
    assert stopping.stopped_epoch == 0


@pytest.mark.parametrize("is_same_trainer", [True, False])
@pytest.mark.parametrize("hook", ["prepare_data", "setup", "train_dataloader"])
def test_a_fit_that_fails_before_it_begins_restores_nothing_of_an_earlier_one(
    hook, is_same_trainer
):
    class Data(LightningDataModule):
        def train_dataloader(self):
            return batches(2)

        def val_dataloader(self):
            return batches(2)

    def fail(*_, **__):
        raise OSError("disk")

    def trainer():
        return quiet_trainer(max_epochs=3, callbacks=stopping, num_sanity_val_steps=0)

    stopping = EarlyStopping("val_loss")
    first = trainer()
    model, other = Scripted({"val_loss": [2, 1, 3]}), Scripted({"val_loss": [2, 1, 3]})
    first.fit(model, datamodule=Data())
    data = Data()
    setattr(data, hook, fail)
    for module, expected in ((other, 0), (model, 4), (other, 0)):
        with pytest.raises(OSError, match="disk"):
            (first if is_same_trainer else trainer()).fit(module, datamodule=data)
        assert module.restored == expected


class FailsTwice(Callback):
    def on_train_batch_end(self, *_):
        raise ValueError("of a batch")

    def on_exception(self, *_):
        raise OSError("disk")


@pytest.mark.parametrize("is_first", [True, False])
def test_a_fit_starts_afresh_after_a_resumed_one_that_another_callback_kept_from_ending(
    is_first, tmp_path
):
    stopping = EarlyStopping("val_loss", patience=2)
    _, trainer = fit(stopping, [1, 2])
    trainer.save_checkpoint(tmp_path / "file")
    callbacks = [FailsTwice(), stopping] if is_first else [stopping, FailsTwice()]
    trainer = quiet_trainer(max_epochs=3, callbacks=callbacks)
    with pytest.raises(OSError, match="disk"):
        trainer.fit(
            Scripted({"val_loss": [1, 2, 1]}), batches(), batches(), ckpt_path=tmp_path / "file"
        )
    _, trainer = fit(stopping, [4, 3, 2])
    assert (trainer.current_epoch, stopping.best_epoch) == (3, 2)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_case_3_where_checks_belong_is_found_again(order):
    stopping = EarlyStopping("val_loss", patience=2)
    for every in order:
        losses = [3, 3, 3, 3, 3, 3, 3, 3]
        _, trainer = fit(stopping, losses, check_val_every_n_epoch=every)
        assert trainer.current_epoch == 3 * every


def test_checks_belong_to_the_training_epoch_without_validation():
    class Training(LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch, batch_idx):
            self.log("train_loss", 1.0, on_step=False, on_epoch=True)
            return self.layer(batch).sum() * 0

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    trainer = quiet_trainer(
        max_epochs=9,
        callbacks=EarlyStopping("train_loss", patience=2),
        check_val_every_n_epoch=2,
    )
    trainer.fit(Training(), batches(2))
    assert trainer.current_epoch == 3


def test_case_4_a_training_metric_is_counted_once_an_epoch():
    stopping = EarlyStopping("train_loss", patience=2, strict=False)
    losses = [1.0] * 40
    _, trainer = fit(
        stopping, losses, steps=1, train_batches=4, max_epochs=9, val_check_interval=0.25
    )
    # The mean of an epoch is there in the next one's first check: epochs 1, 2 and 3.
    assert trainer.global_step == 13


def test_a_missing_metric():
    with pytest.raises(RuntimeError, match=r"got 'val_los'.*use one of .*'val_loss'"):
        fit(EarlyStopping("val_los"), [3, 2])
    _, trainer = fit(EarlyStopping("val_los", strict=False), [3, 2])
    assert trainer.current_epoch == 2
    with pytest.warns(RuntimeWarning, match="val_los"):
        fit(EarlyStopping("val_los", strict=False, verbose=True), [3, 2])


@pytest.mark.filterwarnings("ignore:Total length of .* across ranks is zero")
@pytest.mark.parametrize("num_sanity_val_steps", [0, 2])
@pytest.mark.parametrize("check_val_every_n_epoch", [1, 2])
@pytest.mark.parametrize("empty", [[], DataLoader(torch.zeros(0, 1))])
def test_validation_without_batches_is_no_validation(
    num_sanity_val_steps, check_val_every_n_epoch, empty
):
    class Data(LightningDataModule):
        def train_dataloader(self):
            return batches()

        def val_dataloader(self):
            return empty

    def fit(stopping):
        trainer = quiet_trainer(
            max_epochs=6,
            callbacks=stopping,
            num_sanity_val_steps=num_sanity_val_steps,
            check_val_every_n_epoch=check_val_every_n_epoch,
        )
        trainer.fit(Scripted({}, training=[1.0] * 6), datamodule=Data())
        return trainer.current_epoch

    assert fit(EarlyStopping("train_loss", patience=2)) in (3, 4)
    with pytest.raises(RuntimeError, match=r"got 'val_loss'.*use one of 'train_loss'"):
        fit(EarlyStopping("val_loss"))
    assert fit(EarlyStopping("val_loss", strict=False)) == 6


def test_a_trial_run_and_other_loops_are_not_checked():
    stopping = EarlyStopping("val_loss", patience=0)
    fit(stopping, [3, 3, 3], fast_dev_run=True)
    assert stopping.best_epoch == -1
    model, trainer = fit(stopping, [3, 2, 1], num_sanity_val_steps=1)
    assert stopping.judge.first.values == [3, 2, 1]
    trainer.validate(model, batches(2), verbose=False)
    assert stopping.judge.first.values == [3, 2, 1]


@pytest.mark.filterwarnings("ignore")
def test_a_trainer_that_logs_nothing_is_told_so():
    trainer = Trainer(barebones=True, accelerator="cpu", callbacks=[EarlyStopping("val_loss")])
    with pytest.raises(RuntimeError, match=r"but Trainer\(barebones=True\) turns all logging off"):
        trainer.fit(Scripted({"val_loss": [3, 2]}), batches(), batches(1))
