import sys
from pathlib import Path

import pytest
import torch
from helpers.training import quiet_trainer, run
from lightning.pytorch.callbacks import Callback

from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

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


@pytest.mark.parametrize("step", [1, 4, 13])
def test_a_run_interrupted_within_an_epoch_draws_the_same_dropout(step, tmp_path):
    whole = train()
    with pytest.raises(InterruptedError):
        train(Interrupt(tmp_path / "it.ckpt", step))
    resumed = train(ckpt=tmp_path / "it.ckpt")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
