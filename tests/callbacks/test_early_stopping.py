import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader

from torchvitals.callbacks import EarlyStopping


class Scripted(LightningModule):
    """Logs a given series; its weight is the epoch in which it was validated."""

    def __init__(self, losses):
        super().__init__()
        self.losses = losses
        self.weight = nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        return (self.weight * 0).sum()

    def on_train_batch_start(self, batch, batch_idx):
        self.weight.data.fill_(self.current_epoch)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", float(self.losses[self.current_epoch]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


NAN = float("nan")


@pytest.mark.parametrize(
    ("losses", "arguments", "epochs", "best"),
    [
        ([3.0, 2, 1, 2, 3, 4], {"patience": 2}, 5, 2),
        ([3.0, 2, 1, 2, 3, 4], {"patience": 9}, 6, 2),
        ([3.0, 2, 1, 0.5, 0.2], {"patience": 2}, 5, 4),
        ([0.1, 0.2, 3, 2, 1, 2, 3], {"patience": 2, "start_from_epoch": 2}, 7, 4),
        ([3.0, NAN, NAN, 2, 1, 1], {"patience": 3, "check_finite": False}, 6, 4),
        ([3.0, NAN, 1], {"patience": 3}, 2, 0),
        ([3.0, 2.9, 2.8, 2.7], {"patience": 2, "baseline": 1.0}, 2, 1),
        ([3.0, 2.0, 0.4, 0.1], {"stopping_threshold": 0.5}, 3, 2),
        ([NAN, NAN, NAN], {"patience": 2, "check_finite": False}, 2, -1),
    ],
)
def test_stops_and_restores(losses, arguments, epochs, best):
    stopping = EarlyStopping("val_loss", **arguments)
    model = Scripted(losses)
    data = DataLoader(torch.zeros(2, 1))
    trainer = quiet_trainer(max_epochs=len(losses), callbacks=[stopping], num_sanity_val_steps=0)
    trainer.fit(model, data, data)
    assert (trainer.current_epoch, stopping.best_epoch) == (epochs, best)
    assert trainer.early_stopping_callback is stopping
    assert model.weight.item() == (best if best >= 0 else epochs - 1)
    if best >= 0:
        assert float(stopping.best_score) == pytest.approx(losses[best])
    stopped_early = epochs < len(losses) or stopping.stopped_epoch > 0
    assert (stopping.stopping_reason_message is not None) == stopped_early


def test_negative_patience_is_refused():
    with pytest.raises(ValueError, match="patience"):
        EarlyStopping("val_loss", patience=-1)


@pytest.mark.parametrize("interrupted", [1, 3, 4])
def test_a_resumed_run_stops_and_restores_as_an_uninterrupted_one(interrupted, tmp_path):
    losses, data = [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0], DataLoader(torch.zeros(2, 1))

    def run(epochs, ckpt=None, patience=3):
        stopping, model = EarlyStopping("val_loss", patience=patience), Scripted(losses)
        trainer = quiet_trainer(
            max_epochs=epochs,
            enable_checkpointing=True,
            callbacks=[
                stopping,
                ModelCheckpoint(tmp_path, save_top_k=-1, filename=f"{patience}-{{epoch}}"),
            ],
            num_sanity_val_steps=0,
        )
        trainer.fit(model, data, data, ckpt_path=ckpt)
        return trainer.current_epoch, stopping.best_epoch, model.weight.item()

    whole = run(7)
    assert whole == (6, 2, 2.0)
    run(interrupted, patience=2)
    ckpt = tmp_path / f"2-epoch={interrupted - 1}.ckpt"
    assert run(7, ckpt) == whole
