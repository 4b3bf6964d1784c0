"""A batch that an exception broke off counts once in running statistics, when it comes again."""

import pytest
import torch
from helpers.scripted import batches
from helpers.training import SavesOnException, quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn

from torchvitals.callbacks import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended")
BATCHES = 3
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(2 * BATCHES, 4, 5, generator=GENERATOR)
PLACES = ("before", "forward", "backward", "step")


class Normed(LightningModule):
    """BatchNorm, one of it shared, and a buffer that is put in another's place each time."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.norm, self.out = nn.BatchNorm1d(5), nn.Linear(5, 1)
        self.again = self.norm
        self.register_buffer("replaced", torch.zeros(()))
        self.register_buffer("large", torch.zeros(70_000))
        self.register_buffer("passing", torch.zeros(3), persistent=False)
        self.place = None

    def breaks(self, place, batch_idx):
        if self.place == (place, self.current_epoch, batch_idx):
            raise InterruptedError

    def training_step(self, batch, batch_idx):
        self.breaks("before", batch_idx)
        x = X[self.current_epoch * BATCHES + batch_idx]
        self.passing += 1
        self.replaced = self.replaced + 0.0
        loss = self.out(self.again(self.norm(x))).square().mean()
        self.breaks("forward", batch_idx)
        return loss

    def on_after_backward(self):
        self.breaks("backward", self.trainer.fit_loop.batch_idx)

    def on_before_optimizer_step(self, optimizer):
        self.breaks("step", self.trainer.fit_loop.batch_idx)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.out(self.norm(X[0])).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(saves_to=None, place=None, ckpt=None):
    model = Normed()
    model.place = place
    more = [SavesOnException(saves_to)] if saves_to else []
    stopping = EarlyStopping("val_loss", restore_best_weights=False)
    trainer = quiet_trainer(
        max_epochs=2, callbacks=[stopping, *more], num_sanity_val_steps=0,
    )  # fmt: skip
    try:
        trainer.fit(model, batches(BATCHES), batches(1), ckpt_path=ckpt)
    except InterruptedError:
        if place is None:
            raise
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_batch_counts_once(place, epoch, batch, tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(path, (place, epoch, batch))
    whole, found = fit(), fit(ckpt=path)
    assert whole["norm.num_batches_tracked"] == 4 * BATCHES
    for name, value in whole.items():
        assert torch.equal(found[name], value), name


def test_the_module_itself_keeps_what_it_has(tmp_path):
    path = tmp_path / "saved.ckpt"
    broken = fit(path, ("forward", 0, 1))
    saved = torch.load(path, weights_only=True)["state_dict"]
    assert broken["norm.num_batches_tracked"] == 4
    assert saved["norm.num_batches_tracked"] == saved["again.num_batches_tracked"] == 2


class Lazy(Normed):
    """Finds its size with the first batch, behind one whose buffer is sparse."""

    def __init__(self):
        super().__init__()
        self.again = nn.LazyBatchNorm1d()
        self.register_buffer("sparse", torch.eye(3).to_sparse(), persistent=False)


def test_norms_that_have_no_size_yet(tmp_path):
    path = tmp_path / "saved.ckpt"
    for place in (("forward", 0, 0), ("forward", 0, 1)):
        model = Lazy()
        model.place = place
        stopping = EarlyStopping("val_loss", restore_best_weights=False)
        trainer = quiet_trainer(callbacks=[stopping, SavesOnException(path)],
                                num_sanity_val_steps=0)  # fmt: skip
        with pytest.raises(InterruptedError):
            trainer.fit(model, batches(BATCHES), batches(1))
    saved = torch.load(path, weights_only=True)["state_dict"]
    assert saved["again.num_batches_tracked"] == 1
    assert model.again.num_batches_tracked == 2


class Copies(Callback):
    """What is kept of each batch."""

    def on_train_batch_end(self, trainer, *_):
        self.kept = trainer.early_stopping_callback._checks.buffers._copies


@pytest.mark.parametrize("saves", [True, False])
def test_nothing_is_copied_where_nothing_is_saved_on_exceptions(saves, tmp_path):
    copies = Copies()
    saver = ModelCheckpoint(tmp_path, save_on_exception=saves)
    trainer = quiet_trainer(
        max_epochs=1, callbacks=[EarlyStopping("val_loss"), copies, saver],
        enable_checkpointing=True, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(Normed(), batches(BATCHES), batches(1))
    # Twice the shared one's three, and the small ones.
    assert len(copies.kept) == (8 if saves else 0)
    assert trainer.early_stopping_callback._checks.buffers._copies == []
