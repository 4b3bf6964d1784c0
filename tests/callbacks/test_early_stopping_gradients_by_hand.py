"""Gradients that a module under manual optimisation sums up itself are there again on resume."""

import warnings
from itertools import chain

import pytest
import torch
from helpers.accumulating import BATCHES, IN_A_STEP, ByHand, Regresses, SavesAt, fit
from helpers.training import SavesOnException
from torch import nn

from torchvitals.callbacks import EarlyStopping

pytestmark = pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended")
EVERY_BATCH = range(1, 2 * BATCHES)
HOOKS = ("on_train_batch_start", "on_train_batch_end", "on_train_epoch_end")


class StepsFirst(ByHand):
    """Takes the step in front of the next batch's gradients."""

    def training_step(self, batch, batch_idx):
        if self.done and self.done % IN_A_STEP == 0:
            self.optimizers().step()
            self.optimizers().zero_grad()
        self.manual_backward(Regresses.training_step(self, batch, batch_idx))


class TwoOptimizers(ByHand):
    """One steps at each batch, behind the other's backward pass, which sums up three."""

    def learn(self, loss):
        sums, steps = self.optimizers()
        self.manual_backward(loss)
        steps.step()
        steps.zero_grad()
        if self.done % IN_A_STEP == IN_A_STEP - 1:
            sums.step()
            sums.zero_grad()

    def configure_optimizers(self):
        layers = self.linear, self.out
        return [torch.optim.SGD(layer.parameters(), lr=0.01) for layer in layers]


class Adversaries(ByHand):
    """The second one's loss leaves gradients in the first, which clears them for its own."""

    def learn(self, loss):
        for optimizer, sign in zip(self.optimizers(), (-1, 1), strict=True):
            optimizer.zero_grad()
            self.manual_backward(sign * loss, retain_graph=True)
        for optimizer in self.optimizers():
            optimizer.step()

    configure_optimizers = TwoOptimizers.configure_optimizers


class InTurns(Adversaries):
    """Each has its step behind its own backward pass."""

    def training_step(self, batch, batch_idx):
        for optimizer, sign in zip(self.optimizers(), (0.1, 1), strict=True):
            optimizer.zero_grad()
            self.manual_backward(sign * Regresses.training_step(self, batch, batch_idx))
            optimizer.step()


def waits(path):
    callbacks = torch.load(path, weights_only=True)["callbacks"]
    return next(v for k, v in callbacks.items() if "EarlyStopping" in k)["gradients"]


def assert_same(found, expected):
    assert found["step"] == expected["step"]
    assert found["curve"] == expected["curve"]
    for name, weight in expected["weights"].items():
        assert torch.equal(found["weights"][name], weight), name


@pytest.fixture(scope="module")
def uninterrupted():
    makers = ByHand, StepsFirst, TwoOptimizers
    return {maker: fit(model=maker()) for maker in makers}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("batch", EVERY_BATCH)
def test_from_every_batch(uninterrupted, hook, batch, tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(SavesAt(path, hook, batch), model=ByHand())
    if not path.exists():
        assert hook == "on_train_epoch_end"
        assert batch % BATCHES
        return
    assert bool(waits(path)) == bool(batch % IN_A_STEP)
    assert_same(fit(None, path, ByHand()), uninterrupted[ByHand])


@pytest.mark.parametrize("maker", [StepsFirst, TwoOptimizers])
@pytest.mark.parametrize("batch", [1, 2, 3, 8])
def test_in_another_order(uninterrupted, maker, batch, tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(SavesAt(path, "on_train_batch_end", batch), model=maker())
    if maker is TwoOptimizers and waits(path):
        names = list(waits(path)["gradients"])
        assert names == ["linear.weight", "linear.bias"], "of the one that waits"
    assert_same(fit(None, path, maker()), uninterrupted[maker])


@pytest.mark.parametrize("maker", [Adversaries, InTurns])
@pytest.mark.parametrize("batch", [1, 2])
def test_what_is_left_behind_a_step_is_not_kept(maker, batch, tmp_path):
    path, model = tmp_path / "saved.ckpt", maker()
    fit(SavesAt(path, "on_train_batch_end", batch), model=model)
    parameters = chain(model.linear.parameters(), model.out.parameters())
    assert all(p.grad is not None for p in parameters)
    assert waits(path) is None


def test_a_batch_that_broke_before_it_was_differentiated(uninterrupted, tmp_path):
    path = tmp_path / "saved.ckpt"
    fit(SavesOnException(path), model=ByHand(broken=5))
    assert waits(path)["batches"] == 2
    assert_same(fit(None, path, ByHand()), uninterrupted[ByHand])


@pytest.mark.parametrize("maker", [ByHand, TwoOptimizers])
@pytest.mark.parametrize("batch", [4, 5, 8])
def test_a_batch_that_broke_behind_its_backward_pass(uninterrupted, maker, batch, tmp_path):
    path, model = tmp_path / "saved.ckpt", maker()
    model.on_after_backward = lambda: model.done == batch and broken()
    fit(SavesOnException(path), model=model)
    assert_same(fit(None, path, maker()), uninterrupted[maker])


def test_one_that_broke_at_the_step_says_so(tmp_path):
    path, model = tmp_path / "saved.ckpt", ByHand()
    model.on_before_optimizer_step = lambda optimizer: model.done == 5 and broken()
    fit(SavesOnException(path), model=model)
    assert not waits(path)["gradients"]
    with pytest.warns(UserWarning, match=r"2 batches that awaited .* a step was being taken"):
        fit(None, path, ByHand())


def broken():
    raise InterruptedError


def test_no_word_where_nothing_waited(tmp_path):
    path, model = tmp_path / "saved.ckpt", InTurns()
    model.on_after_backward = lambda: model.done == 4 and broken()
    fit(SavesOnException(path), model=model)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The gradients of")
        fit(None, path, InTurns())


def test_a_checkpoint_saved_where_training_goes_on_has_them_still(uninterrupted, tmp_path):
    path, again = tmp_path / "saved.ckpt", tmp_path / "again.ckpt"
    fit(SavesAt(path, "on_train_batch_end", 5), model=ByHand())
    fit(SavesAt(again, "on_train_batch_start", 5), path, ByHand())
    first, second = waits(path), waits(again)
    assert first["batches"] == second["batches"] == 2
    assert_same(fit(None, again, ByHand()), uninterrupted[ByHand])


def test_with_another_callback_after_which_a_late_validation_clears_them(tmp_path):
    def train(saves=None, ckpt=None):
        other = EarlyStopping("val_loss", criterion="GL", alpha=1e9, restore_best_weights=False)
        return fit(saves, ckpt, ByHand(), more=[other])

    path = tmp_path / "saved.ckpt"
    train(SavesAt(path, "on_train_batch_end", 4))
    assert waits(path)["gradients"]
    assert_same(train(None, path), train())


class Frozen(ByHand):
    """Has a layer that needs no gradient in its optimiser."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(4, 1).requires_grad_(False)


def test_frozen_layers(tmp_path):
    path = tmp_path / "saved.ckpt"
    whole = fit(model=Frozen())
    fit(SavesAt(path, "on_train_batch_end", 4), model=Frozen())
    assert_same(fit(None, path, Frozen()), whole)
