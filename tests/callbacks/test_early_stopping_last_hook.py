"""A module's own hook behind a batch runs once, and before a checkpoint that needs it."""

import copy
import pickle

import pytest
import torch
from helpers.epoch_means import BATCHES, LOSSES, SIZES, Logs, Saves, fit
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from torchvitals.callbacks import EarlyStopping

pytestmark = pytest.mark.filterwarnings(
    "ignore:You're resuming from a checkpoint that ended before the epoch"
)
WAY = "at the batch's end"


class Counts(Logs):
    """Notes each call of its hook, with what was there to read."""

    def __init__(self, **arguments):
        super().__init__(hook="on_train_batch_end", **arguments)
        self.calls = []

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.calls.append((self.global_step, batch_idx, self.weight.grad.item()))
        assert outputs["loss"].item() == 0
        super().on_train_batch_end(outputs, batch, batch_idx)


def every_step(folder, number=1):
    return ModelCheckpoint(folder, "{step}", every_n_train_steps=number, save_top_k=-1)


def train(model, *callbacks, epochs=2, ckpt=None):
    trainer = quiet_trainer(callbacks=[EarlyStopping("x", patience=9), *callbacks],
                            max_epochs=epochs, num_sanity_val_steps=0,
                            enable_checkpointing=any(isinstance(c, ModelCheckpoint)
                                                     for c in callbacks))  # fmt: skip
    trainer.fit(model, batches(BATCHES), batches(2), ckpt_path=ckpt)
    return trainer


def weighted(numbers):
    return sum(LOSSES[n] * SIZES[n] for n in numbers) / sum(SIZES[n] for n in numbers)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create")
def test_every_checkpoint_of_lightnings_own_is_whole(tmp_path):
    whole = fit(WAY)
    assert fit(WAY, every_step(tmp_path)) == whole
    for step in range(1, whole["step"]):
        assert fit(WAY, ckpt=tmp_path / f"step={step}.ckpt") == whole, step


@pytest.mark.parametrize("watching", [1, 2])
def test_it_runs_once_for_each_batch(watching, tmp_path):
    more = [EarlyStopping("x", criterion="GL") for _ in range(watching - 1)]
    saved, plain = Counts(), Counts()
    trainer = train(saved, *more, every_step(tmp_path), every_step(tmp_path / "again", 2))
    train(plain, *more)
    assert saved.calls == plain.calls
    assert [index for _, index, _ in saved.calls] == [*range(BATCHES)] * 2
    assert "on_train_batch_end" not in vars(saved)
    assert [type(c) for c in trainer.callbacks] == [
        *[EarlyStopping] * watching, ModelCheckpoint, ModelCheckpoint
    ]  # fmt: skip


def test_what_is_logged_is_what_would_be(tmp_path):
    found = []
    for savers in ([], [every_step(tmp_path)]):
        model = Counts(on_step=True)
        trainer = train(model, *savers, epochs=1)
        found.append({n: float(v) for n, v in trainer.callback_metrics.items()})
    assert found[0] == found[1]
    assert found[0]["x_epoch"] == pytest.approx(weighted(range(BATCHES)), rel=1e-6)


class Breaks(Counts):
    """Fails in its hook."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.global_step == 3:
            raise ArithmeticError("in the hook")


def test_an_error_in_it_comes_after_the_checkpoint(tmp_path):
    """As it does without early stopping: nothing is lost for it."""
    model = Breaks()
    with pytest.raises(ArithmeticError, match="in the hook"):
        train(model, every_step(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"step={n}.ckpt" for n in (1, 2, 3)]
    assert [step for step, _, _ in model.calls] == [1, 2, 3]
    assert "on_train_batch_end" not in vars(model)


class SavesItself(Counts):
    """Saves in that very hook."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_train_batch_end(self, outputs, batch, batch_idx):
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.global_step == 3:
            self.trainer.save_checkpoint(self.path)


def test_a_module_that_saves_in_it(tmp_path):
    path = tmp_path / "x.ckpt"
    model = SavesItself(path)
    train(model)
    assert [index for _, index, _ in model.calls] == [*range(BATCHES)] * 2
    resumed = Counts()
    trainer = train(resumed, epochs=1, ckpt=path)
    assert float(trainer.callback_metrics["x"]) == pytest.approx(weighted(range(BATCHES)), rel=1e-6)


class Meddles(Callback):
    """Is called between early stopping's hook and the module's."""

    def __init__(self, what):
        self.what, self.copies = what, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.copies.append(self.what(pl_module))


@pytest.mark.parametrize(
    "what", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copied", "pickled"]
)
def test_a_copy_of_the_module_made_meanwhile_has_its_hook(what):
    model, meddles = Counts(), Meddles(what)
    train(model, meddles, epochs=1)
    loss = {"loss": torch.zeros(())}
    (made, *_) = meddles.copies
    made.weight.grad, made.hook = torch.ones(1), "none"
    held = pickle.dumps(made)
    assert len(held) < len(pickle.dumps(model)) + 1000
    for index in (5, 6):
        made.on_train_batch_end(loss, None, index)
    assert [index for _, index, _ in made.calls] == [5, 6]
    assert [index for _, index, _ in model.calls] == [*range(BATCHES)]


def test_one_that_was_put_in_place_of_the_class_own(tmp_path):
    model, seen = Counts(), []
    instead = lambda outputs, batch, batch_idx: seen.append(batch_idx)  # noqa: E731
    model.on_train_batch_end = instead
    model.hook = "training_step"
    train(model, every_step(tmp_path))
    assert seen == [*range(BATCHES)] * 2
    assert vars(model)["on_train_batch_end"] is instead


class Fails(Callback):
    """Breaks the batch between early stopping's hook and the module's."""

    def __init__(self, trainers):
        self.trainers = trainers

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.trainers.append(trainer)
        raise ArithmeticError("in a callback")


def test_a_batch_that_breaks_off_leaves_the_hook_as_it_was():
    model, trainers = Counts(), []
    with pytest.raises(ArithmeticError):
        train(model, Fails(trainers))
    callbacks = trainers[0].callbacks
    assert model.calls == []
    assert "on_train_batch_end" not in vars(model)
    assert [type(c) for c in callbacks] == [EarlyStopping, Fails]
    train(model, epochs=1)
    assert [index for _, index, _ in model.calls] == [*range(BATCHES)]


def test_a_module_whose_hook_logs_something_else_is_left_alone(tmp_path):
    """Once it is known where the watched metric is logged."""

    class Sees(Callback):
        def __init__(self):
            self.replaced = []

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            self.replaced.append("on_train_batch_end" in vars(pl_module))

    model, sees = Counts(), Sees()
    model.hook = "training_step"
    train(model, sees)
    assert not any(sees.replaced)


class LogsBehind(Callback):
    """Logs what is watched, behind another callback that saves."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        pl_module.say("on_train_batch_end", batch_idx)


def test_what_callbacks_behind_another_ones_checkpoint_log_is_said_to_be_lost(tmp_path):
    path = tmp_path / "x.ckpt"
    with pytest.raises(InterruptedError):
        train(Quiet("on_train_batch_end"), Saves(path, "on_train_batch_end", 3), LogsBehind())
    with pytest.warns(UserWarning, match="x will be without the batch after which"):
        trainer = train(Quiet("on_train_batch_end"), LogsBehind(), epochs=1, ckpt=path)
    found = float(trainer.callback_metrics["x"])
    assert found == pytest.approx(weighted([0, 1, 3, 4]), rel=1e-6)


class Quiet(Logs):
    """Has a hook of its own, in which it does not log."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        """Do nothing."""
