"""A module's last hook of a batch, that a checkpoint was saved before, is called on resume."""

from functools import cache

import pytest
import torch
from helpers.epoch_means import BATCHES, EPOCHS, Saves, logged_on
from helpers.late_logging import EPOCH, SAYS, Late, fit_late
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers.logger import Logger

from torchvitals.callbacks import EarlyStopping

pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to"),
    pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization"),
]
HOOK = "on_train_batch_end"
SETTINGS = {
    "epochs": {},
    "no validation": {"limit_val_batches": 0},
    "max_steps": {"max_steps": 40, "max_epochs": None},
    "steps of 2 batches": {"accumulate_grad_batches": 2},
    "validation every 2 batches": {
        "val_check_interval": 2,
        "arguments": {"check_on_train_epoch_end": False, "strict": False, "patience": 5},
    },
    "own optimiser": {"module": {"manual": True}},
    "safe loading": {"fit": {"weights_only": True}},
}


class SavesBehind(Saves, Checkpoint):
    """Its hooks are behind those of all other callbacks, as `ModelCheckpoint`'s are."""


@cache
def uninterrupted(name, settings="epochs"):
    return fit_late(name, **SETTINGS[settings])


def call_in(path):
    """What a checkpoint has of a call, by early stopping."""
    states = torch.load(path, weights_only=True)["callbacks"]
    (sums,) = [s["epoch_sums"] for name, s in states.items() if name.startswith("EarlyStopping")]
    return sums and sums["calls"]


def by_hand(*lost):
    """`sum of the batch`, without some batches."""
    sums = []
    for start in range(0, EPOCHS * BATCHES, BATCHES):
        numbers = [n for n in range(start, start + BATCHES) if n not in lost]
        pairs = [(n % BATCHES, *logged_on(n, 0)) for n in numbers]
        sums.append(sum(size * (value + (size - 1) / 2) + i for i, value, size in pairs))
    return sums


def test_the_watched_values_are_those_computed_by_hand():
    values = uninterrupted("sum of the batch")["curves"][0]["x"]
    assert values == pytest.approx(by_hand()[: len(values)])
    assert 3 <= len(values) < EPOCHS


@pytest.mark.parametrize("name", SAYS)
# Early and late in an epoch, the first batch of one and the last.
@pytest.mark.parametrize("step", [1, 5, 8, 10, 11])
def test_resume_is_exact(name, step, tmp_path):
    path = tmp_path / "x.ckpt"
    before = fit_late(name, SavesBehind(path, HOOK, step))
    whole = uninterrupted(name)
    assert before["heard"] == whole["heard"][: step - 1]
    assert fit_late(name, ckpt=path) == whole


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["mean of outputs", "each step too", "metric of both"])
def test_resume_from_every_batch_is_exact(name, settings, tmp_path):
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    whole = uninterrupted(name, settings)
    saved = fit_late(name, saver, **SETTINGS[settings])
    assert saved == whole
    steps = [int(path.stem[5:]) for path in tmp_path.glob("*.ckpt")]
    assert len(steps) >= 10
    for step in sorted(steps)[1::3]:
        path = tmp_path / f"step={step}.ckpt"
        assert len(call_in(path)) == 1
        assert fit_late(name, ckpt=path, **SETTINGS[settings]) == whole, step


@pytest.mark.parametrize("name", ["mean of outputs", "metric of both", "attributes"])
@pytest.mark.parametrize(("first", "second"), [(7, 8), (5, 6), (5, 10), (4, 5)])
def test_interrupted_twice(name, first, second, tmp_path):
    paths = [tmp_path / "1.ckpt", tmp_path / "2.ckpt"]
    fit_late(name, SavesBehind(paths[0], HOOK, first))
    fit_late(name, SavesBehind(paths[1], HOOK, second), ckpt=paths[0])
    assert fit_late(name, ckpt=paths[1]) == uninterrupted(name)


@pytest.mark.parametrize("hook", ["on_train_start", "on_train_batch_start", "on_validation_start"])
def test_interrupted_again_before_the_next_batch(hook, tmp_path):
    """The call was made by then, and what it logged is in the second checkpoint."""
    name, paths = "mean of outputs", [tmp_path / "1.ckpt", tmp_path / "2.ckpt"]
    fit_late(name, SavesBehind(paths[0], HOOK, 5))
    fit_late(name, SavesBehind(paths[1], hook, 5), ckpt=paths[0])
    assert not call_in(paths[1])
    found, whole = fit_late(name, ckpt=paths[1]), uninterrupted(name)
    # What it left in the module is not, where no checkpoint has it.
    assert {**found, "heard": whole["heard"]} == whole


class Shrinks(Late):
    """Its step takes from the batch, whose size Lightning knows by then."""

    def training_step(self, batch, batch_idx):
        self.log("size", float(len(batch["y"])), **EPOCH)
        found = super().training_step(batch, batch_idx)
        batch.update(y=batch["y"][:1], more=[])
        return found


def test_a_batch_that_the_step_changes(tmp_path):
    path, name = tmp_path / "x.ckpt", "mean of outputs"
    fit_late(name, Saves(path, HOOK, 8), kind=Shrinks)
    assert fit_late(name, ckpt=path, kind=Shrinks) == fit_late(name, kind=Shrinks)


def test_the_hook_is_called_once_for_several_callbacks(tmp_path):
    path = tmp_path / "x.ckpt"
    fit_late("mean of outputs", SavesBehind(path, HOOK, 8), stoppings=2)
    whole = fit_late("mean of outputs", stoppings=2)
    assert fit_late("mean of outputs", ckpt=path, stoppings=2) == whole


def test_a_checkpoint_on_an_exception_in_a_callback(tmp_path):
    path, name = tmp_path / "x.ckpt", "mean of outputs"
    fit_late(name, Saves(path, HOOK, 8, on_exception=True))
    assert fit_late(name, ckpt=path) == uninterrupted(name)


class Records(Logger):
    """Keeps what is logged of the watched metric at which step."""

    name, version = "records", "0"

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_hyperparams(self, *_):
        """There are none."""

    def log_metrics(self, metrics, step):
        self.rows += [(step, name, value) for name, value in metrics.items() if name[0] == "x"]


def test_the_loggers_get_nothing_twice(tmp_path):
    """What belongs to the step of the checkpoint is the interrupted run's."""
    whole, resumed, path = Records(), Records(), tmp_path / "x.ckpt"
    fit_late("each step too", logger=whole)
    fit_late("each step too", Saves(path, HOOK, 8))
    fit_late("each step too", ckpt=path, logger=resumed)
    assert resumed.rows == [row for row in whole.rows if row[0] > 7]
    assert len(whole.rows) == 25 + 5


@pytest.mark.parametrize("sanity", [0, 1])
def test_nothing_is_kept_without_need(sanity, tmp_path):
    """Once it is known where the metric is logged: with a trial of validation, from the start."""
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    arguments = {"monitor": "val_loss", "patience": 9}
    fit_late("mean of outputs", saver, arguments=arguments, num_sanity_val_steps=sanity)
    found = {path.stem: call_in(path) for path in tmp_path.glob("*.ckpt")}
    kept = {f"step={n}" for n in range(1, 6)} if sanity == 0 else set()
    assert {name for name, calls in found.items() if calls} == kept


def test_no_copy_of_the_data_set_is_kept(tmp_path):
    """A batch may be a view of it."""

    class Views(Late):
        def on_before_batch_transfer(self, batch, dataloader_idx):
            if self.trainer.training:
                return {"y": torch.rand(10**6)[:3]}
            return batch

    path = tmp_path / "x.ckpt"
    fit_late("sum of the batch", Saves(path, HOOK, 8), kind=Views)
    assert len(call_in(path)) == 1
    assert path.stat().st_size < 10**5


# Where it cannot be called


class SavesItself(Late):
    """In the hook, before it logs."""

    path = None

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.path is not None and self.global_step == 8:
            self.trainer.save_checkpoint(self.path)
            raise InterruptedError
        super().on_train_batch_end(outputs, batch, batch_idx)


class FailsItself(Late):
    """Before it logs."""

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.global_step == 8:
            raise InterruptedError
        super().on_train_batch_end(outputs, batch, batch_idx)


def lost(path, why, *callbacks, **arguments):
    """Resume with the warning, and without the batch, but with all of the others."""
    with pytest.warns(UserWarning, match=f"x will be without the batch after which.*: {why}"):
        found = fit_late("sum of the batch", *callbacks, ckpt=path, **arguments)
    values = found["curves"][0]["x"]
    assert values == pytest.approx(by_hand(7)[: len(values)])
    assert len(values) >= 3


@pytest.mark.parametrize(
    ("why", "arguments"),
    [
        ("a checkpoint should hold no Made", {"module": {"object_batch": True}}),
        ("a callback logs it, or saved before EarlyStopping's own hook", {"first": True}),
    ],
)
def test_where_it_cannot_be_called_a_warning_says_why(why, arguments, tmp_path):
    path = tmp_path / "x.ckpt"
    fit_late("sum of the batch", Saves(path, HOOK, 8), **arguments)
    assert call_in(path) is None
    lost(path, why, **{**arguments, "first": False})


def test_a_large_batch(tmp_path, monkeypatch):
    path = tmp_path / "x.ckpt"
    monkeypatch.setattr("torchvitals.callbacks.stopping.missed_batch_end.MOST_BYTES", 10)
    fit_late("sum of the batch", Saves(path, HOOK, 8))
    lost(path, "its batch has over 0 MiB")


@pytest.mark.parametrize("kind", [SavesItself, FailsItself])
def test_a_hook_that_had_begun(kind, tmp_path, monkeypatch):
    path = tmp_path / "x.ckpt"
    monkeypatch.setattr(SavesItself, "path", path)
    saver = [Saves(path, "on_fit_end", -1, on_exception=True)] if kind is FailsItself else []
    fit_late("sum of the batch", *saver, kind=kind)
    lost(path, "the hook had begun")


def test_a_hook_that_saves_when_it_is_called_late(tmp_path, monkeypatch):
    """It is no more due in that checkpoint: a part of it is in there."""
    first, second = tmp_path / "1.ckpt", tmp_path / "2.ckpt"
    fit_late("sum of the batch", Saves(first, HOOK, 8))
    monkeypatch.setattr(SavesItself, "path", second)
    with pytest.warns(UserWarning, match="x will be without the batch after which"):
        fit_late("sum of the batch", ckpt=first, kind=SavesItself)
    lost(second, "it did not come to its end")


def test_a_hook_that_fails_when_it_is_called_late(tmp_path):
    class Fails(Late):
        def on_train_batch_end(self, outputs, batch, batch_idx):
            if not hasattr(self, "started"):
                raise KeyError("started")
            super().on_train_batch_end(outputs, batch, batch_idx)

        def training_step(self, batch, batch_idx):
            self.started = None
            return super().training_step(batch, batch_idx)

    class LogsNext(Callback):
        """In its own hook, as Lightning sees it."""

        keys = None

        def on_train_start(self, trainer, pl_module):
            pl_module.log("begun", 1.0, on_step=False, on_epoch=True)
            LogsNext.keys = [*trainer.fit_loop.epoch_loop._results]

    path = tmp_path / "x.ckpt"
    fit_late("sum of the batch", Saves(path, HOOK, 8))
    lost(path, "KeyError: 'started'", LogsNext(), kind=Fails)
    assert LogsNext.keys == ["on_train_start.begun"]


def test_another_number_of_ranks(tmp_path):
    path = tmp_path / "x.ckpt"
    fit_late("sum of the batch", Saves(path, HOOK, 8))
    checkpoint = torch.load(path, weights_only=True)
    (key,) = [key for key in checkpoint["callbacks"] if key.startswith("EarlyStopping")]
    sums = checkpoint["callbacks"][key]["epoch_sums"]
    sums["rows"], sums["calls"] = sums["rows"] * 2, sums["calls"] * 2
    torch.save(checkpoint, path)
    with (
        pytest.warns(UserWarning, match="x summed up on 2 of the ranks, of which there are 1 now"),
        pytest.warns(UserWarning, match="x will be without the batch after which"),
    ):
        values = fit_late("sum of the batch", ckpt=path)["curves"][0]["x"]
    assert values == pytest.approx(by_hand(5, 6, 7)[: len(values)])


def test_a_state_that_is_loaded_by_hand_calls_nothing(tmp_path):
    """The run does not go on from that batch."""
    path = tmp_path / "x.ckpt"
    fit_late("sum of the batch", Saves(path, HOOK, 3))
    states = torch.load(path, weights_only=True)["callbacks"]
    stopping = EarlyStopping("x", patience=2)
    stopping.load_state_dict(states[stopping.state_key])
    model = Late(SAYS["sum of the batch"][0])
    trainer = quiet_trainer(max_epochs=1, callbacks=stopping, num_sanity_val_steps=0)
    trainer.fit(model, batches(BATCHES), batches(2))
    assert model.heard == [*range(BATCHES)]
