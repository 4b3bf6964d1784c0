"""Early stopping on an accelerator: the best weights come back, and resumed runs stop alike."""

import pytest
import torch
from device import on_device
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import EarlyStopping
from torchvitals.lightning_modules import MLPClassifier


def batches():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 8, generator=generator), torch.randint(3, (64,), generator=generator)
    return DataLoader(TensorDataset(x, y), batch_size=16)


def model():
    torch.manual_seed(0)
    return MLPClassifier(8, 3, hidden=(16,), norm="batch", lr=0.05)


class Noted(EarlyStopping):
    """Keeps the loss of each validation, and the weights in it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, *loader):
        super().on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, *loader)
        weights = pl_module.network.state_dict()
        self.weights = {name: value.cpu().clone() for name, value in weights.items()}

    def on_validation_end(self, trainer, pl_module):
        super().on_validation_end(trainer, pl_module)
        if not trainer.sanity_checking:
            self.seen.append((float(trainer.callback_metrics["val_loss"]), self.weights))


@pytest.mark.filterwarnings("ignore:.*overrides the configure_model callback")
@pytest.mark.parametrize("store", ["memory", "file"])
@pytest.mark.parametrize("averaged", [False, True])
def test_the_best_weights_come_back_to_the_device(store, averaged, tmp_path):
    stopping, trained = Noted("val_loss", patience=2, best_weights=store), model()
    averaging = [EMAWeightAveraging(decay=0.5)] if averaged else []
    trainer = quiet_trainer(
        max_epochs=20, callbacks=[stopping, *averaging], default_root_dir=tmp_path, **on_device()
    )
    trainer.fit(trained, batches(), batches())
    weights = trained.network.state_dict()
    _, best = min(stopping.seen, key=lambda check: check[0])
    assert all(torch.equal(value.cpu(), best[name]) for name, value in weights.items())


def test_a_resumed_run_stops_where_an_uninterrupted_one_does(tmp_path):
    def fit(ckpt_path=None, **arguments):
        stopping, trained = EarlyStopping("val_loss", patience=2), model()
        saving = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
        trainer = quiet_trainer(
            callbacks=[stopping, saving], enable_checkpointing=True, **on_device(), **arguments
        )
        trainer.fit(trained, batches(), batches(), ckpt_path=ckpt_path)
        return trainer.global_step, stopping.stopping_reason, trained

    whole = fit(max_epochs=20)
    resumed = fit(tmp_path / "step=8.ckpt", max_epochs=20)
    assert resumed[:2] == whole[:2]
    for expected, value in zip(whole[2].parameters(), resumed[2].parameters(), strict=True):
        assert torch.equal(value.cpu(), expected.cpu())
