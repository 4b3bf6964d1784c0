"""Gradients of batches that wait for a step are there again where a run is resumed."""

import os
import sys
import warnings
from pathlib import Path

import pytest
import torch
from helpers.accumulating import BATCHES, IN_A_STEP, ByHand, Regresses, SavesAt, Sparse, fit
from helpers.training import SavesOnException, run
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from lightning.pytorch.callbacks import GradientAccumulationScheduler

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended")
HERE = Path(__file__).parent
HOOKS = ("on_train_batch_start", "on_train_batch_end", "on_validation_end")


def resumed(hook, batch, path, **arguments):
    fit(SavesAt(path, hook, batch), **arguments)
    return fit(ckpt=path, **arguments)


def waits(path):
    callbacks = torch.load(path, weights_only=True)["callbacks"]
    return next(v for k, v in callbacks.items() if "EarlyStopping" in k)["gradients"]


@pytest.fixture(scope="module")
def uninterrupted():
    found = fit()
    assert 2 * BATCHES / IN_A_STEP < found["step"] < 18, "it stops, and not in the first epochs"
    return found


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("batch", range(1, 2 * BATCHES))
def test_from_every_batch(uninterrupted, hook, batch, tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(SavesAt(path, hook, batch))
    if not path.exists():
        assert hook == "on_validation_end"
        assert batch % BATCHES % 2 or batch % BATCHES == 0
        return
    number = batch % BATCHES % IN_A_STEP
    assert bool(waits(path)) == bool(number)
    found = fit(ckpt=path)
    assert found["step"] == uninterrupted["step"]
    assert found["curve"] == uninterrupted["curve"]
    for name, weight in uninterrupted["weights"].items():
        assert torch.equal(found["weights"][name], weight), name


@pytest.mark.parametrize("batch", range(BATCHES + 1, 2 * BATCHES))
def test_in_steps_of_a_number_that_a_callback_sets(batch, tmp_path):
    def train(saves=None, ckpt=None):
        scheduler = GradientAccumulationScheduler({0: IN_A_STEP, 1: 2})
        return fit(saves, ckpt, more=[scheduler], accumulate_grad_batches=1)

    path, whole = tmp_path / "saved.ckpt", train()
    train(SavesAt(path, "on_train_batch_end", batch))
    found = train(None, path)
    assert (found["step"], found["curve"]) == (whole["step"], whole["curve"])
    for name, weight in whole["weights"].items():
        assert torch.equal(found["weights"][name], weight), name


def test_lightning_alone_does_not(tmp_path):
    """Without it the case is none: this is what the others would find."""
    stopping = LightningEarlyStopping("val_loss", patience=3)
    whole = fit(stopping=stopping)
    stopping = LightningEarlyStopping("val_loss", patience=3)
    fit(SavesAt(tmp_path / "saved.ckpt", "on_train_batch_end", 5), stopping=stopping)
    stopping = LightningEarlyStopping("val_loss", patience=3)
    found = fit(ckpt=tmp_path / "saved.ckpt", stopping=stopping)
    weights = found["weights"]
    assert any(not torch.equal(weights[name], w) for name, w in whole["weights"].items())


class Breaks(Regresses):
    """Raises in a batch: before it is differentiated, within that, behind it, or at the step."""

    def __init__(self, batch, where):
        super().__init__()
        self.batch, self.where = batch, where
        # The gradients of the layer behind are there already.
        self.linear.weight.register_hook(lambda gradient: self.breaks("in backward"))

    def breaks(self, where):
        done = self.trainer.fit_loop.epoch_loop.batch_progress.total.processed
        if done == self.batch and where == self.where:
            raise InterruptedError

    def training_step(self, batch, batch_idx):
        self.breaks("before")
        return super().training_step(batch, batch_idx)

    def on_after_backward(self):
        self.breaks("behind backward")

    def on_before_optimizer_step(self, optimizer):
        self.breaks("at the step")


PARTS = ("before", "in backward", "behind backward")


def broken(path, batch, where):
    fit(SavesOnException(path), model=Breaks(batch, where))


@pytest.mark.parametrize("where", PARTS)
@pytest.mark.parametrize("batch", [4, 5, 6, 8])
def test_a_batch_that_broke(uninterrupted, batch, where, tmp_path):
    path = tmp_path / "saved.ckpt"
    broken(path, batch, where)
    number = batch % BATCHES % IN_A_STEP
    assert (waits(path)["batches"] if number else waits(path)) == (number or None)
    found = fit(ckpt=path)
    assert found["step"] == uninterrupted["step"]
    assert found["curve"] == uninterrupted["curve"]
    for name, weight in uninterrupted["weights"].items():
        assert torch.equal(found["weights"][name], weight), name


def test_one_that_broke_at_the_step_says_so(tmp_path):
    path = tmp_path / "saved.ckpt"
    broken(path, 5, "at the step")
    assert not waits(path)["gradients"]
    with pytest.warns(UserWarning, match=r"2 batches that awaited .* a step was being taken"):
        fit(ckpt=path)


def test_they_are_copied_only_where_an_exception_may_leave_a_checkpoint(tmp_path):
    """A copy is as large as the weights: there is none for who saves within a batch unasked."""
    path = tmp_path / "saved.ckpt"
    fit(SavesAt(path, "on_after_backward", 5))
    assert not waits(path)["gradients"]
    with pytest.warns(UserWarning, match=r"2 batches that awaited .* part of which had been added"):
        fit(ckpt=path)


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_sparse_ones(tmp_path):
    path = tmp_path / "saved.ckpt"
    whole = fit(model=Sparse())
    fit(SavesAt(path, "on_train_batch_end", 5), model=Sparse())
    assert waits(path)["gradients"]["words.weight"].is_sparse
    found = fit(ckpt=path, model=Sparse())
    assert found["curve"] == whole["curve"]
    for name, weight in whole["weights"].items():
        assert torch.equal(found["weights"][name], weight), name


def test_the_first_batch_of_a_step_has_nothing_to_lose(uninterrupted, tmp_path):
    path = tmp_path / "saved.ckpt"
    broken(path, 3, "behind backward")
    assert waits(path) is None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The gradients of")
        assert fit(ckpt=path)["curve"] == uninterrupted["curve"]


def test_another_number_of_batches_in_a_step_begins_one_of_its_own(tmp_path):
    """Of five batches there are none before the third that a step of two would wait for."""
    path = tmp_path / "saved.ckpt"
    fit(SavesAt(path, "on_train_batch_end", 4))
    model = Regresses()
    seen = []
    model.on_train_start = lambda: seen.append(model.out.weight.grad)
    fit(ckpt=path, model=model, accumulate_grad_batches=2)
    assert seen == [None]


def test_a_checkpoint_saved_where_training_goes_on_has_them_still(tmp_path):
    path, again = tmp_path / "saved.ckpt", tmp_path / "again.ckpt"
    fit(SavesAt(path, "on_train_batch_end", 5))
    saves = SavesAt(again, "on_train_start", 5)
    fit(saves, ckpt=path)
    first, second = waits(path), waits(again)
    assert first["batches"] == second["batches"] == 2
    for name, gradient in first["gradients"].items():
        assert torch.equal(gradient, second["gradients"][name])


def test_on_two_ranks(tmp_path):
    """The mean of the ranks' under DDP, and the shards put together under FSDP2."""
    search = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    script = HERE / "resume_gradients_on_ranks.py"
    run([sys.executable, script, tmp_path / "found"], tmp_path, PYTHONPATH=search)
    alone_by_name = {"DDP by hand": fit(model=ByHand()), "DDP sparse": fit(model=Sparse())}
    summed = fit()
    for rank in (0, 1):
        found = torch.load(tmp_path / f"found.{rank}", weights_only=True)
        assert list(found) == ["DDP", "DDP by hand", "DDP sparse", "FSDP2"]
        for name, (whole, *resumed) in found.items():
            assert len(resumed) == 4, name
            alone = alone_by_name.get(name, summed)
            for other in (whole, *resumed):
                assert other["step"] == alone["step"], name
                assert other["curve"] == pytest.approx(alone["curve"], rel=1e-4), name
                assert set(other["weights"]) >= {"linear.weight", "out.weight", "out.bias"}
                for key, weight in other["weights"].items():
                    assert torch.allclose(weight, alone["weights"][key], atol=1e-5), (name, key)
