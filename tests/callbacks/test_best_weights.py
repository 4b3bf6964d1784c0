"""The best weights come back, however training ended and whatever was validated."""

import copy
import gc
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from helpers import scripted
from helpers.scripted import Scripted, batches
from helpers.training import environment, quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import (
    EMAWeightAveraging,
    LambdaCallback,
    ModelCheckpoint,
    ModelPruning,
    OnExceptionCheckpoint,
    StochasticWeightAveraging,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import EarlyStopping
from torchvitals.callbacks.stopping.best_weights import BestWeights
from torchvitals.callbacks.stopping.fitting import without_masks

LOSSES = [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0]


class Interrupt(Callback):
    """Raises in a given step."""

    def __init__(self, error, step):
        self.error, self.step = error, step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise self.error


def fit(callbacks, model=None, **arguments):
    model = model or Scripted({"val_loss": LOSSES})
    settings = {"max_epochs": 7, "num_sanity_val_steps": 0, "callbacks": callbacks}
    trainer = quiet_trainer(**{**settings, **arguments})
    trainer.fit(model, batches(2), batches(2))
    return model, trainer


@pytest.fixture(autouse=True)
def _interrupts_are_heard_again():
    """Lightning ignores Ctrl-C from the first one on."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.filterwarnings("ignore:.*was called without a model", "ignore:.*no last checkpoint")
@pytest.mark.parametrize("place", ["memory", "file"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, None), (KeyboardInterrupt(), SystemExit), (ValueError("of a batch"), ValueError)],
)
@pytest.mark.parametrize("saver", ["none", "on_exception", "checkpoint"])
def test_however_training_ends(place, error, expected, saver, tmp_path):
    """The savers get the interrupted training's own weights, the module the best ones."""
    saved = []

    class Savers:
        def on_exception(self, trainer, *arguments):
            super().on_exception(trainer, *arguments)
            saved.extend(str(path) for path in tmp_path.glob("*.ckpt"))

    class Last(Savers, OnExceptionCheckpoint):
        pass

    class Checkpoint(Savers, ModelCheckpoint):
        pass

    stopping = EarlyStopping("val_loss", patience=9, best_weights=place)
    callbacks = [stopping]
    if saver == "on_exception":
        callbacks.append(Last(tmp_path))
    elif saver == "checkpoint":
        callbacks.append(Checkpoint(tmp_path, save_on_exception=True, save_top_k=0, save_last=True))
    if error is not None:
        callbacks.append(Interrupt(error, 11))
    model = Scripted({"val_loss": LOSSES})
    settings = {"enable_checkpointing": saver != "none"}
    if error is None:
        fit(callbacks, model, **settings)
    else:
        with pytest.raises(expected):
            fit(callbacks, model, **settings)
    assert model.restored == 6
    if error is not None and saver != "none":
        assert saved
        for path in saved:
            assert torch.load(path, weights_only=True)["state_dict"]["weight"].item() == 11


def test_the_helper_of_an_exception_leaves_the_trainers_callbacks():
    stoppings = [EarlyStopping(name, patience=9) for name in ("val_loss", "other")]
    model = Scripted({"val_loss": LOSSES, "other": LOSSES})
    trainer = quiet_trainer(
        max_epochs=7, callbacks=[*stoppings, Interrupt(ValueError(), 9)], num_sanity_val_steps=0
    )
    before = list(trainer.callbacks)
    with pytest.raises(ValueError):  # noqa: PT011
        trainer.fit(model, batches(2), batches(2))
    assert trainer.callbacks == before
    assert model.restored == 6


def test_an_exception_before_the_first_check_changes_nothing():
    model = Scripted({"val_loss": LOSSES})
    with pytest.raises(ValueError, match="early"):
        fit([EarlyStopping("val_loss"), Interrupt(ValueError("early"), 1)], model)
    assert model.restored == 1


@pytest.mark.parametrize("validated", [True, False])
def test_case_12_checkpoints_are_as_without_early_stopping(validated, tmp_path):
    files = {}
    for name, restore in (("with", True), ("without", False)):
        folder = tmp_path / name
        checkpoints = [
            ModelCheckpoint(folder, "{epoch}-{step}", save_top_k=-1, save_last=True,
                            save_on_train_epoch_end=not validated),
            ModelCheckpoint(folder, "best", monitor="val_loss", every_n_epochs=1),
        ]  # fmt: skip
        stopping = EarlyStopping("val_loss", patience=2, restore_best_weights=restore)
        model, trainer = fit([stopping, *checkpoints], enable_checkpointing=True)
        assert model.restored == (6 if restore else 10)
        assert Path(checkpoints[1].best_model_path).name == "best.ckpt"
        files[name] = {
            path.name: torch.load(path, weights_only=True)["state_dict"]
            for path in sorted(folder.glob("*.ckpt"))
        }
    assert files["with"] == files["without"]
    assert files["with"]["last.ckpt"]["weight"].item() == 10
    assert files["with"]["best.ckpt"]["weight"].item() == 6
    trainer.save_checkpoint(tmp_path / "after.ckpt")


def test_a_file_leaves_no_copy_in_memory(tmp_path):
    stopping = EarlyStopping("val_loss", patience=2, best_weights="file")
    logger = CSVLogger(tmp_path)
    model, _ = fit([stopping], logger=logger)
    path = Path(stopping.best_weights_path)
    assert path.parent == Path(logger.log_dir)
    assert [p.name for p in path.parent.glob("*.p*t")] == [path.name]
    assert torch.load(path, weights_only=True)["weight"].item() == 6 == model.restored
    tensors = [v for v in vars(stopping._best).values() if isinstance(v, dict)]
    assert not any(tensors)


@pytest.mark.parametrize(
    "other", [{"monitor": "val/loss"}, {"mode": "max"}, {"monitor": ["val_loss", "other"]}]
)
def test_each_callback_has_a_file_of_its_own(other, tmp_path):
    curves = {"val_loss": LOSSES, "val/loss": LOSSES[::-1], "other": LOSSES}
    arguments = {"monitor": "val_loss", "patience": 9, "best_weights": "file"}
    stoppings = [EarlyStopping(**arguments), EarlyStopping(**{**arguments, **other})]
    model, _ = fit(stoppings, Scripted(curves), logger=CSVLogger(tmp_path))
    assert model.restored == 6
    first, second = (Path(stopping.best_weights_path) for stopping in stoppings)
    assert first.parent == second.parent
    assert first != second


def test_each_of_two_runs_at_once_in_one_folder_has_a_file_of_its_own(tmp_path):
    class Another(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 4:
                models.append(train(None, LOSSES[2:]))

    def train(more, losses):
        stopping = EarlyStopping("val_loss", patience=9, best_weights="file")
        callbacks = [stopping, ModelCheckpoint(tmp_path, save_top_k=0), *([more] if more else [])]
        model, settings = Scripted({"val_loss": losses}), {"enable_checkpointing": True}
        fit(callbacks, model, max_epochs=len(losses), **settings)
        assert Path(stopping.best_weights_path).parent == tmp_path
        return model

    models = []
    models.append(train(Another(), LOSSES))
    assert [model.restored for model in models] == [2, 6]


def test_each_fit_of_a_callback_has_a_file_of_its_own(tmp_path):
    stopping = EarlyStopping("val_loss", patience=9, best_weights="file")
    callbacks, files = [stopping, ModelCheckpoint(tmp_path, save_top_k=0)], []
    for losses in (LOSSES, LOSSES[2:]):
        model = Scripted({"val_loss": losses})
        fit(callbacks, model, max_epochs=len(losses), enable_checkpointing=True)
        files.append((stopping.best_weights_path, model.restored))
    assert [torch.load(path)["weight"].item() for path, _ in files] == [6, 2]
    assert [restored for _, restored in files] == [6, 2]


@pytest.mark.parametrize("fails", [False, True])
def test_a_temporary_folder_goes_with_the_callback(fails, tmp_path, monkeypatch):
    """That of a Trainer which writes nothing, after fit as after an exception."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stopping = EarlyStopping("val_loss", patience=2, best_weights="file")
    callbacks = [stopping, *([Interrupt(ValueError("of a batch"), 9)] if fails else [])]
    with pytest.raises(ValueError, match="of a batch") if fails else nullcontext():
        fit(callbacks)
    assert Path(stopping.best_weights_path).parent.parent == tmp_path
    del stopping, callbacks[:]
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_goes_with_an_interrupted_process(tmp_path):
    script = (
        "from test_best_weights import *\n"
        "stopping = EarlyStopping('val_loss', patience=2, best_weights='file')\n"
        "try:\n    fit([stopping, Interrupt(KeyboardInterrupt(), 9)])\n"
        "finally:\n    print(Path(stopping.best_weights_path).exists())"
    )
    tests = Path(__file__).parents[1]
    search = os.pathsep.join(map(str, [tests, tests / "callbacks", *sys.path]))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(PYTHONPATH=search, TMPDIR=str(tmp_path)),
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()[-1]) == (1, "True"), done.stderr
    assert not list(tmp_path.glob("best_weights_*"))


class Averaged(LightningModule):
    """A regression whose validation loss rises again, so that some check is the best."""

    def __init__(self, lr=0.3, has_norm=True):
        super().__init__()
        torch.manual_seed(0)
        norm = nn.BatchNorm1d(8) if has_norm else nn.Identity()
        self.network = nn.Sequential(nn.Linear(3, 8), norm, nn.ReLU(), nn.Linear(8, 1))
        self.lr, self.validated = lr, []

    def training_step(self, batch, batch_idx):
        x, y = batch
        return ((self.network(x) - y) ** 2).mean()

    def on_validation_model_eval(self):
        super().on_validation_model_eval()
        self.scores = []

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = ((self.network(x) - y) ** 2).mean()
        self.log("val_loss", loss)
        if batch_idx == 0:
            weights = {k: v.clone() for k, v in self.state_dict().items()}
            self.validated.append((weights, float(loss)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def regression():
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(24, 3, generator=generator), torch.randn(24, 1, generator=generator)
    train = DataLoader(TensorDataset(x[:16], y[:16]), batch_size=4)
    return train, DataLoader(TensorDataset(x[16:], y[16:]), batch_size=8)


# Decay of the average, where checks belong, share of an epoch between validations. At 0.75 the
# weights of the last validation are gone when its check comes; at 0.5 those of the first are.
AVERAGING = {
    "none": (None, None, 1.0),
    "EMA": (0.9, None, 1.0),
    "EMA, checks in validation": (0.9, False, 0.5),
    "EMA, at 3/4 of the epoch": (0.9, True, 0.75),
    "EMA, twice an epoch": (0.9, True, 0.5),
    "at 3/4 of the epoch": (None, True, 0.75),
    "twice an epoch": (None, True, 0.5),
}


@pytest.mark.parametrize("end", ["max_epochs", "exception"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("decay", "at_end", "interval"), AVERAGING.values(), ids=AVERAGING.keys())
def test_case_9_the_restored_weights_are_those_that_were_validated(
    decay, at_end, interval, first, end
):
    stopping = EarlyStopping("val_loss", patience=99, check_on_train_epoch_end=at_end)
    callbacks = [stopping]
    if decay is not None:
        callbacks.insert(0 if first else 1, EMAWeightAveraging(decay=decay))
    model = Averaged()
    if end == "exception":
        callbacks.append(Interrupt(ValueError("late"), 39))
    trainer = quiet_trainer(
        max_epochs=10, callbacks=callbacks, num_sanity_val_steps=1, val_check_interval=interval
    )
    if end == "exception":
        with pytest.raises(ValueError, match="late"):
            trainer.fit(model, *regression())
    else:
        trainer.fit(model, *regression())
    checked = model.validated[1:]  # without the sanity check
    checked = checked[1::2] if at_end and interval == 0.5 else checked
    weights, best = min(checked, key=lambda pair: pair[1])
    assert float(stopping.best_score) == pytest.approx(best)
    last = model.validated[-1][0]
    assert any(not torch.equal(last[name], weights[name]) for name in weights)
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name


class ByIterator(Averaged):
    """Takes its validation batches itself: Lightning counts them later."""

    def validation_step(self, dataloader_iter):
        batch, batch_idx, _ = next(dataloader_iter)
        super().validation_step(batch, batch_idx)


class OfTheSecond(Averaged):
    """The first of its two validation loaders is empty."""

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        super().validation_step(batch, batch_idx)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [ByIterator, OfTheSecond])
def test_case_9_whichever_batch_is_the_first_of_a_validation(kind):
    train, validation = regression()
    x, y = validation.dataset.tensors
    loaders = DataLoader(TensorDataset(x, y), batch_size=4)
    if kind is OfTheSecond:
        loaders = [DataLoader(TensorDataset(x[:0], y[:0])), loaders]
    stopping, model = EarlyStopping("val_loss", patience=99, strict=False), kind()
    if kind is OfTheSecond:
        stopping = EarlyStopping("val_loss/dataloader_idx_1", patience=99)
    average = EMAWeightAveraging(decay=0.9)
    trainer = quiet_trainer(max_epochs=10, callbacks=[stopping, average], num_sanity_val_steps=0)
    trainer.fit(model, train, loaders)
    weights = model.validated[stopping.best_epoch][0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_a_lazy_layer_that_is_never_used_is_left_alone():
    model = Scripted({"val_loss": [3, 1, 2, 2]})
    model.lazy = nn.LazyLinear(1)
    model.configure_optimizers = lambda: torch.optim.SGD([model.weight], lr=0.0)
    scripted.fit(EarlyStopping("val_loss", patience=2), [3, 1, 2, 2], model)
    assert model.restored == 4
    assert is_lazy(model.lazy.weight)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("writer")])
@pytest.mark.parametrize(
    ("failing", "values", "restored"),
    [
        ([3], [4, 3, 2, 1], 8),  # the next one is written again
        ([3, 4], [4, 3, 2, 1], 8),
        ([3], [4, 3, 2, 5], 6),
        ([1, 2, 3, 4], [4, 3, 2, 5], 6),
    ],
)
def test_a_training_goes_on_where_the_file_of_the_best_weights_cannot_be_written(
    tmp_path, monkeypatch, error, failing, values, restored
):
    save, calls = torch.save, []

    def full(weights, path, **more):
        calls.append(path)
        if len(calls) in failing:
            Path(path).write_bytes(b"a part")
            raise error
        save(weights, path, **more)

    monkeypatch.setattr("torchvitals.callbacks.stopping.best_weights.torch.save", full)
    stopping = EarlyStopping("val_loss", patience=9, best_weights="file")
    model = Scripted({"val_loss": values})
    with pytest.warns(
        UserWarning, match=f"in memory, because .* be written: {type(error).__name__}"
    ):
        scripted.fit(stopping, values, model, default_root_dir=tmp_path)
    assert model.restored == restored
    assert not any(Path(path).exists() for path in calls)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"a part")])
def test_a_training_goes_on_where_the_file_of_the_best_weights_is_lost(damage, tmp_path):
    class Loses(Callback):
        def on_train_epoch_start(self, trainer, *_):
            if trainer.current_epoch == 4:
                damage(Path(stopping.best_weights_path))

    stopping = EarlyStopping("val_loss", patience=9, best_weights="file")
    checkpoint = ModelCheckpoint(tmp_path, save_last=True)
    model = Scripted({"val_loss": LOSSES})
    with pytest.warns(UserWarning, match="has lost the best weights, because their file"):
        fit([stopping, Loses(), checkpoint], model, enable_checkpointing=True)
    assert model.restored == 14
    assert torch.load(checkpoint.last_model_path, weights_only=True)["epoch"] == 6


@pytest.mark.parametrize("place", ["memory", "file"])
def test_an_interrupted_copy_of_the_best_weights_leaves_them_in_the_module(place, monkeypatch):
    copied, copies = BestWeights._copy, []

    def copy_of(best, module):
        copies.append(module)
        if len(copies) == 3:
            raise KeyboardInterrupt
        return copied(best, module)

    monkeypatch.setattr(BestWeights, "_copy", copy_of)
    model = Scripted({"val_loss": LOSSES})
    stopping = EarlyStopping("val_loss", patience=9, best_weights=place)
    with pytest.raises(SystemExit):
        fit([stopping], model)
    assert model.restored == stopping.best_step == 6


class Average:
    """Weights averaged by hand, which hooks can swap in and out."""

    def __init__(self, into=None, out=None):
        super().__init__()
        self.average = None
        for name, hook in ((into, self.swap_in), (out, self.swap_out)):
            if name is not None:
                setattr(self, name, hook)

    def on_train_batch_end(self, trainer, pl_module, *_):
        now = copy.deepcopy(pl_module.state_dict())
        before = now if self.average is None else self.average
        self.average = {
            k: torch.lerp(before[k], v, 0.3) if v.is_floating_point() else v for k, v in now.items()
        }

    def swap_in(self, trainer, pl_module):
        if self.average is not None:  # as it is in the sanity check
            self.own = copy.deepcopy(pl_module.state_dict())
            pl_module.load_state_dict(self.average)

    def swap_out(self, trainer, pl_module):
        if self.average is not None:
            # As some do it: no tensor's version tells of it.
            for name, value in pl_module.state_dict().items():
                value.data.copy_(self.own[name])


class AverageCallback(Average, Callback):
    pass


class AveragesItself(Averaged):
    """Swaps in the module's own hooks, as it is done for optimisers without a schedule."""

    def __init__(self, into, out):
        super().__init__()
        self.helper = [Average()]
        for name, hook in ((into, "swap_in"), (out, "swap_out")):
            self.__dict__[name] = self.follow(getattr(self, name), getattr(self.helper[0], hook))

    def follow(self, first, then):
        def hook():
            first()
            then(None, self)

        return hook

    def on_train_batch_end(self, *_):
        self.helper[0].on_train_batch_end(None, self)


class Halve(Callback):
    """Changes the weights at the end of the epoch."""

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            pl_module.network[0].weight.mul_(0.5)


class HalvesItself(Averaged):
    def on_train_epoch_end(self):
        Halve().on_train_epoch_end(None, self)


SWAPS = {
    "start and end": ("on_validation_start", "on_validation_end"),
    "epoch's start and end": ("on_validation_epoch_start", "on_validation_epoch_end"),
    "start and epoch's end": ("on_validation_start", "on_validation_epoch_end"),
}
CHANGES = {
    **{f"callback, {name}": (Averaged, lambda at=at: AverageCallback(*at))
       for name, at in SWAPS.items()},
    **{f"module, {name}": (lambda at=at: AveragesItself(*at), None) for name, at in SWAPS.items()},
    "module, eval and train": (
        lambda: AveragesItself("on_validation_model_eval", "on_validation_model_train"), None,
    ),
    "callback, epoch's end": (Averaged, Halve),
    "module, epoch's end": (HalvesItself, None),
    "pruning in validation": (
        Averaged, lambda: ModelPruning("l1_unstructured", prune_on_train_epoch_end=False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("at_end", "interval"), [(None, 1.0), (False, 0.5), (True, 0.75)])
@pytest.mark.parametrize(("module", "callback"), CHANGES.values(), ids=CHANGES.keys())
def test_weights_that_a_hook_swaps_are_those_that_were_validated(
    module, callback, at_end, interval, first
):
    stopping = EarlyStopping("val_loss", patience=99, check_on_train_epoch_end=at_end)
    callbacks, model = [stopping], module()
    if callback is not None:
        callbacks.insert(0 if first else 1, callback())
    trainer = quiet_trainer(max_epochs=6, callbacks=callbacks, val_check_interval=interval)
    trainer.fit(model, *regression())
    weights, best = min(model.validated[1:], key=lambda pair: pair[1])
    assert float(stopping.best_score) == pytest.approx(best)
    now = without_masks(weights, model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(value, now[name]), name


class Reports(Scripted):
    """Has a hook that may change weights, but does not."""

    def on_validation_epoch_end(self):
        pass


def test_weights_are_copied_at_each_check_only_where_a_hook_may_change_them(monkeypatch, tmp_path):
    copies, copy_of = [], BestWeights._copy
    monkeypatch.setattr(BestWeights, "_copy", lambda *a: copies.append(1) or copy_of(*a))
    known = [ModelCheckpoint(tmp_path, save_top_k=0), TQDMProgressBar()]
    settings = {
        "enable_checkpointing": True, "enable_progress_bar": True, "default_root_dir": tmp_path,
    }  # fmt: skip
    for kind, more, expected in (
        (Scripted, known, 3), (Reports, [], 7), (Scripted, [LambdaCallback()], 3),
        (Scripted, [LambdaCallback(on_validation_end=lambda *_: None)], 7),
    ):  # fmt: skip
        copies.clear()
        callbacks = [EarlyStopping("val_loss", patience=9), *more]
        model, _ = fit(callbacks, kind({"val_loss": LOSSES}), **settings)
        assert (len(copies), model.restored) == (expected, 6), (kind, more)


def test_a_metric_of_training_keeps_the_weights_of_its_check():
    """Those of an earlier validation in the epoch are kept for metrics of validation only."""
    model = Reports({"val_loss": LOSSES}, training=[3.0, 3.0, 2.0, 2.0, 3.0, 3.0])
    stopping = EarlyStopping("train_loss", patience=9, check_on_train_epoch_end=True)
    trainer = quiet_trainer(
        max_epochs=3, callbacks=stopping, val_check_interval=0.75, num_sanity_val_steps=0
    )
    trainer.fit(model, batches(4), batches(2))
    assert model.restored == 8


@pytest.mark.parametrize("changes", [False, True])
def test_a_checkpoint_behind_validation_holds_weights_once(changes, tmp_path):
    """Unless they are changed before the check; a resumed run has them either way."""

    class Changes(Reports):
        def on_validation_end(self):
            if changes:
                self.weight.data.add_(0.5)
                self.statistic.add_(0.5)

    def train(ckpt=None):
        stopping = EarlyStopping("val_loss", patience=9, check_on_train_epoch_end=True)
        model = Changes({"val_loss": [5.0, 4.0, 3.0, 6.0]})
        trainer = quiet_trainer(max_epochs=4, callbacks=[stopping, Saves()], num_sanity_val_steps=0)
        trainer.fit(model, batches(2), batches(2), ckpt_path=ckpt)
        return model.restored

    class Saves(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.global_step == 6:
                trainer.save_checkpoint(tmp_path / "x.ckpt")

    assert train() == 6
    saved = torch.load(tmp_path / "x.ckpt", weights_only=True)["callbacks"]
    (found,) = [value for name, value in saved.items() if name.startswith("EarlyStopping")]
    assert (found["staged_weights"] is not None) == changes
    assert found["best_weights"]["weight"].item() == 4
    assert train(tmp_path / "x.ckpt") == 6


def test_the_module_validates_as_at_its_best_check_afterwards():
    stopping = EarlyStopping("val_loss", patience=2)
    model = Averaged()
    trainer = quiet_trainer(max_epochs=30, callbacks=[stopping])
    train, val = regression()
    trainer.fit(model, train, val)
    (found,) = trainer.validate(model, val, verbose=False)
    assert found["val_loss"] == pytest.approx(float(stopping.best_score))


@pytest.mark.parametrize("error", [None, "on_train_batch_end", "on_validation_batch_end"])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_what_follows_fit_has_the_best_average_too(device, error, tmp_path):
    """Lightning's callback swaps its own average in to validate, and saves that."""

    def fail(trainer, *_):
        if trainer.current_epoch == 7 and trainer.state.fn == "fit":
            raise ValueError("late")

    stopping = EarlyStopping("val_loss", patience=99)
    callbacks = [stopping, EMAWeightAveraging(device, decay=0.9)]
    callbacks += [LambdaCallback(**{error: fail})] if error else []
    model = Averaged()
    trainer = quiet_trainer(max_epochs=10, callbacks=callbacks)
    train, val = regression()
    with pytest.raises(ValueError, match="late") if error else nullcontext():
        trainer.fit(model, train, val)
    weights, best = min(model.validated[1:], key=lambda pair: pair[1])
    assert best < model.validated[-1][1]
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    (found,) = trainer.validate(model, val, verbose=False)
    assert found["val_loss"] == pytest.approx(best) == pytest.approx(float(stopping.best_score))
    saved = torch.load(tmp_path / "after.ckpt", weights_only=True)
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name
        assert torch.equal(saved["state_dict"][name], value), name
        assert torch.equal(saved["current_model_state"][name], value), name


def learnable(noise=0.0):
    """A sum, and how well it is learned of targets with noise."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(48, 3, generator=generator)
    y = x.sum(1, keepdim=True)
    noisy = y + noise * torch.randn(48, 1, generator=generator)
    train = DataLoader(TensorDataset(x, noisy), batch_size=4)
    return train, DataLoader(TensorDataset(x, y), batch_size=48)


def swa(lr):
    return StochasticWeightAveraging(lr, swa_epoch_start=2, annealing_epochs=1)


@pytest.mark.parametrize("own_first", [True, False])
@pytest.mark.parametrize("has_norm", [True, False])
@pytest.mark.parametrize(("lrs", "best_is_last"), [((0.01, 0.05), True), ((0.3, 0.3), False)])
def test_the_best_weights_replace_the_average_of_swa(lrs, best_is_last, has_norm, own_first):
    stopping = EarlyStopping("val_loss", patience=99)
    callbacks = [stopping, EarlyStopping("val_loss", mode="max", patience=99), swa(lrs[1])]
    model = Averaged(lr=lrs[0], has_norm=has_norm)
    trainer = quiet_trainer(
        max_epochs=6, callbacks=callbacks if own_first else callbacks[::2][::-1]
    )
    train, val = learnable()
    with pytest.warns(UserWarning, match="in place of the average") as warned:
        trainer.fit(model, train, val)
    assert sum("in place of the average" in str(one.message) for one in warned) == 1
    checked = model.validated[1:]
    assert len(checked) == 6 + has_norm  # the average, in an epoch of its own
    weights, score = min(checked, key=lambda pair: pair[1])
    assert (weights is checked[5][0]) == best_is_last
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    (found,) = trainer.validate(model, val, verbose=False)
    assert found["val_loss"] == pytest.approx(score) == pytest.approx(float(stopping.best_score))


def test_what_is_not_a_tensor_of_the_state_stays_as_it_is():
    class Remembers(Scripted):
        def __init__(self):
            super().__init__({"val_loss": LOSSES})
            self.register_buffer("cache", torch.zeros(1), persistent=False)
            self.epochs = 0

        def on_train_epoch_start(self):
            self.epochs += 1
            self.cache.add_(1)

        def get_extra_state(self):
            return {"epochs": self.epochs}

        def set_extra_state(self, state):
            self.epochs = state["epochs"]

    model, _ = fit([EarlyStopping("val_loss", patience=9)], Remembers())
    assert (model.restored, model.epochs, model.cache.item()) == (6, 7, 7)


def test_what_was_made_in_inference_mode_stays_as_it_is():
    model = Scripted({"val_loss": LOSSES})
    with torch.inference_mode():  # Outside of it, torch refuses to write to these again.
        model.body = nn.Linear(2, 2).requires_grad_(False)
        model.register_buffer("table", torch.arange(3))
    body = model.body.weight.tolist()
    fit([EarlyStopping("val_loss", patience=9)], model)
    assert model.restored == 6
    assert model.body.weight.tolist() == body


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("layout", ["coo", "csr"])
@pytest.mark.parametrize("best_is_last", [False, True])
def test_buffers_that_are_sparse_are_no_problem(layout, best_is_last):
    model = Scripted({"val_loss": [3.0, 2.0, 1.0 if best_is_last else 4.0]})
    edges = torch.eye(3)
    model.register_buffer("edges", edges.to_sparse() if layout == "coo" else edges.to_sparse_csr())
    stopper = EarlyStopping("val_loss", patience=9)
    fit([stopper], model, max_epochs=3)
    assert stopper.best_score == (1.0 if best_is_last else 2.0)
    assert torch.equal(model.edges.to_dense(), edges)


@pytest.mark.filterwarnings("ignore:.*in place of the average")
def test_an_average_of_swa_that_was_the_best_check_comes_back():
    """With BatchNorm Lightning has it validated in an epoch of its own."""
    stopping = EarlyStopping("val_loss", patience=99)
    model = Averaged(lr=0.02)
    quiet_trainer(max_epochs=6, callbacks=[stopping, swa(0.02)]).fit(model, *learnable(noise=2))
    assert stopping.best_epoch == 6
    weights, score = model.validated[-1]
    assert score == pytest.approx(float(stopping.best_score))
    assert all(torch.equal(v, weights[name]) for name, v in model.state_dict().items())


def test_the_average_of_swa_stays_where_nothing_is_restored(recwarn):
    stopping = EarlyStopping("val_loss", patience=99, restore_best_weights=False)
    model = Averaged(lr=0.01, has_norm=False)
    quiet_trainer(max_epochs=6, callbacks=[stopping, swa(0.05)]).fit(model, *learnable())
    last, _ = model.validated[-1]
    assert not any(torch.equal(v, last[name]) for name, v in model.state_dict().items())
    assert not any("in place of the average" in str(one.message) for one in recwarn)


@pytest.mark.filterwarnings("ignore:.*in place of the average")
def test_a_checkpoint_behind_swa_holds_the_best_weights_besides_the_average(tmp_path):
    class SaveAtEnd(ModelCheckpoint):
        def on_train_end(self, trainer, pl_module):
            trainer.save_checkpoint(tmp_path / "end.ckpt")

    stopping = EarlyStopping("val_loss", patience=99)
    model = Averaged(lr=0.01, has_norm=False)
    callbacks = [stopping, swa(0.05), SaveAtEnd(tmp_path, save_top_k=0)]
    trainer = quiet_trainer(max_epochs=6, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(model, *learnable())
    saved = torch.load(tmp_path / "end.ckpt", weights_only=True)
    best = saved["callbacks"][stopping.state_key]["best_weights"]
    for name, value in model.state_dict().items():
        assert torch.equal(best[name], value)
    assert any(not torch.equal(saved["state_dict"][name], best[name]) for name in best)


def test_what_any_callback_puts_in_at_the_end_is_replaced():
    class Spoil(Callback):
        def on_train_end(self, trainer, pl_module):
            pl_module.weight.data.fill_(99)

    stopping = EarlyStopping("val_loss", patience=9)
    model, _ = fit([stopping, Spoil()], Scripted({"val_loss": [3.0, 2.0]}), max_epochs=2)
    assert model.restored == 4


def test_flattening_strategies_are_refused():
    class FSDPStrategy:
        pass

    class Trainer:
        strategy = FSDPStrategy()

    with pytest.raises(TypeError, match=r"\(FSDP2\).*restore_best_weights=False"):
        EarlyStopping("val_loss").setup(Trainer(), LightningModule(), "fit")


class Growing(Scripted):
    """Has a head, and what else a test wants to change."""

    def __init__(self, change):
        super().__init__({"val_loss": LOSSES})
        self.head, self.change = nn.Linear(4, 2), change
        self.register_buffer("bank", torch.zeros(1))
        self.best = None

    def on_train_epoch_start(self):
        with torch.no_grad():
            getattr(self.head, "weight_orig", self.head.weight).add_(1)
        self.change(self, self.current_epoch)

    def on_validation_end(self):
        if self.current_epoch == 2:
            self.best = self.outputs

    @property
    def outputs(self):
        return self.head(torch.eye(4)).detach()


def growing(change, *callbacks):
    model, _ = fit([EarlyStopping("val_loss", patience=3), *callbacks], Growing(change))
    return model


@pytest.mark.parametrize(
    "amount", [lambda epoch: 0.5 * (epoch == 0), 0.3, lambda epoch: epoch // 4]
)
def test_a_network_that_was_pruned_gets_the_weights_of_its_best_check(amount):
    pruning = ModelPruning("l1_unstructured", amount=amount)
    model = growing(lambda *_: None, pruning)
    assert torch.equal(model.outputs, model.best)
    assert set(model.head._parameters) == {"weight", "bias"}


def test_a_buffer_that_has_grown_is_left_as_it_is():
    def grow(model, epoch):
        model.bank = torch.zeros(epoch + 1)

    with pytest.warns(UserWarning, match="buffers whose size has changed since then: bank"):
        model = growing(grow)
    assert torch.equal(model.outputs, model.best)
    assert len(model.bank) == 6


def test_a_buffer_that_is_none_by_now_is_left_as_it_is():
    def drop(model, epoch):
        if epoch == 4:
            model.bank = None

    with pytest.warns(UserWarning, match="buffers whose size has changed since then: bank"):
        model = growing(drop)
    assert torch.equal(model.outputs, model.best)
    assert model.bank is None


def test_nothing_comes_back_where_parameters_were_added():
    def add(model, epoch):
        if epoch == 4:
            model.more = nn.Linear(2, 2)

    with pytest.warns(UserWarning, match=r"have changed since then \(more.weight, more.bias\)"):
        model = growing(add)
    torch.testing.assert_close(model.outputs, model.best + 3)


def test_nothing_comes_back_where_a_layer_has_another_size():
    def resize(model, epoch):
        if epoch == 4:
            model.head = nn.Linear(4, 3)

    with pytest.warns(UserWarning, match=r"have changed since then \(head.weight, head.bias\)"):
        model = growing(resize)
    assert model.head.weight.shape == (3, 4)
