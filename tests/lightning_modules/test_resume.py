import sys
from pathlib import Path

import pytest
import torch
from helpers.epoch_means import Saves
from helpers.training import quiet_trainer, run
from lightning.pytorch.callbacks import Callback
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import EarlyStopping
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier, MLPRegressor

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("ranks", "epochs"), [(1, 5), (2, 3)])
def test_a_run_interrupted_after_any_epoch_ends_as_an_uninterrupted_one(ranks, epochs, tmp_path):
    worker = TESTS / "lightning_modules" / "resume_on_ranks.py"
    run([sys.executable, worker, ranks, epochs, tmp_path], tmp_path, PYTHONPATH=str(TESTS))
    runs = torch.load(tmp_path / "runs.pt", weights_only=True)
    assert list(runs["resumed"]) == list(range(1, epochs))
    for resumed in runs["resumed"].values():
        assert resumed["norms"] == runs["whole"]["norms"]
        assert resumed["dead"] == runs["whole"]["dead"]
        for name, value in runs["whole"]["weights"].items():
            assert torch.equal(value, resumed["weights"][name]), name


class Interrupt(Callback):
    """Saves after a step and raises."""

    def __init__(self, path, step):
        self.path, self.step = path, step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            raise InterruptedError


def train(*callbacks, ckpt=None):
    """Three epochs of dropout, in batches of 128."""
    torch.manual_seed(5 if ckpt is None else 6)
    model = MLPClassifier(64, 10, hidden=(32,), dropout=0.5)
    data = ImageDataModule("digits", batch_size=128)
    quiet_trainer(max_epochs=3, callbacks=list(callbacks)).fit(model, data, ckpt_path=ckpt)
    return model.state_dict()


def watch(*callbacks, ckpt=None):
    """Values of the training metrics, by epoch."""
    names = ["train_loss", "train_accuracy"]
    stopping = EarlyStopping(names, patience=99, mode=["min", "max"])
    torch.manual_seed(5)
    model, data = MLPClassifier(64, 10, hidden=(32,)), ImageDataModule("digits", batch_size=128)
    trainer = quiet_trainer(max_epochs=3, callbacks=[stopping, *callbacks])
    if callbacks:
        with pytest.raises(InterruptedError):
            trainer.fit(model, data, ckpt_path=ckpt)
    else:
        trainer.fit(model, data, ckpt_path=ckpt)
    return {name: stopping.judge.curves[name].values for name in names}


@pytest.mark.parametrize("entries", [2**18, 3000])
@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_after_backward", "on_validation_end"])
def test_the_training_metrics_of_an_interrupted_epoch(hook, entries, tmp_path, monkeypatch):
    """Whether or not some of its outputs were taken in; not those of a batch trained again."""
    block = "torchvitals.lightning_modules.building_blocks.epoch_metrics"
    monkeypatch.setattr(f"{block}._MAX_ENTRIES", entries)
    whole = watch()
    # The tenth is an epoch's last.
    for step in (10, 20) if hook == "on_validation_end" else (1, 10, 14):
        watch(Saves(tmp_path / "it.ckpt", hook, step))
        assert watch(ckpt=tmp_path / "it.ckpt") == whole, step


def test_a_checkpoint_holds_few_steps_of_a_long_epoch(tmp_path):
    data, path = DataLoader(TensorDataset(torch.randn(600, 3), torch.randn(600))), tmp_path / "it"
    trainer = quiet_trainer(max_epochs=1, callbacks=[Saves(path, "on_train_batch_end", 599)])
    with pytest.raises(InterruptedError):
        trainer.fit(MLPRegressor(3, hidden=(2,)), data)
    so_far = torch.load(path, weights_only=True)["torchvitals_epoch"]["ranks"][0]
    assert len(so_far["steps"]) == 599 - 2 * 256


@pytest.mark.parametrize("step", [14, 10])
def test_training_metrics_of_another_number_of_ranks_are_missed_with_a_warning(step, tmp_path):
    path = tmp_path / "it.ckpt"
    watch(Saves(path, "on_train_batch_end", step))
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["torchvitals_epoch"]["ranks"] *= 2
    torch.save(checkpoint, path)
    with pytest.warns(UserWarning, match=r"holds the metrics of 2 rank\(s\), but this run has 1"):
        resumed = watch(ckpt=path)
    # The tenth is an epoch's last: of that one nothing is left, which is no error.
    whole, missed = watch(), step == 10
    for name, values in resumed.items():
        assert len(values) == 3 - missed
        assert values[-1] == whole[name][-1]


@pytest.mark.parametrize("step", [1, 4, 13])
def test_a_run_interrupted_within_an_epoch_draws_the_same_dropout(step, tmp_path):
    whole = train()
    with pytest.raises(InterruptedError):
        train(Interrupt(tmp_path / "it.ckpt", step))
    resumed = train(ckpt=tmp_path / "it.ckpt")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize("how", ["load_from_checkpoint", "test"])
def test_weights_of_a_checkpoint_that_are_trained_anew_draw_by_the_seed(how, tmp_path):
    data = ImageDataModule("digits", batch_size=512)
    model, trainer = MLPClassifier(64, 10, hidden=(32,), dropout=0.5), quiet_trainer(max_epochs=1)
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    ends = []
    for seed in (1, 1, 2):
        loaded = MLPClassifier.load_from_checkpoint(tmp_path / "run.ckpt")
        if how == "test":
            quiet_trainer().test(loaded, data, ckpt_path=tmp_path / "run.ckpt", verbose=False)
        torch.manual_seed(seed)
        quiet_trainer(max_epochs=1).fit(loaded, data)
        ends.append(loaded.network[1].weight.detach())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])
