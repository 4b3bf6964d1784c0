"""A value over a training epoch that was interrupted is that of an uninterrupted one."""

import math
import statistics
from functools import cache

import pytest
import torch
from helpers.epoch_means import BATCHES, EPOCHS, LOSSES, SIZES, WAYS, Logs, Saves, fit
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from torchvitals.callbacks import EarlyStopping

pytestmark = pytest.mark.filterwarnings(
    "ignore:You're resuming from a checkpoint that ended before the epoch"
)


def by_epoch(values, of):
    return [of(values[i : i + BATCHES]) for i in range(0, EPOCHS * BATCHES, BATCHES)]


# Each way to log, by hand.
def weighted(start, number=BATCHES):
    pairs = list(zip(LOSSES, SIZES, strict=True))[start : start + number]
    return sum(v * n for v, n in pairs) / sum(n for _, n in pairs)


EXPECTED = {
    "mean": [weighted(i) for i in range(0, EPOCHS * BATCHES, BATCHES)],
    "sum": by_epoch(LOSSES, sum),
    "max": by_epoch(LOSSES, max),
    "min": by_epoch(LOSSES, min),
    "first batch only": by_epoch(LOSSES, lambda values: values[0]),
    "from the third batch on": [
        weighted(i + 2, BATCHES - 2) for i in range(0, EPOCHS * BATCHES, BATCHES)
    ],
    "metric": by_epoch(LOSSES, statistics.mean),
    "at the epoch's end": by_epoch(LOSSES, statistics.mean),
}
CURVES = ("metric with lists", "metric with lists, later", "large metric")
EXPECTED |= {name: EXPECTED["mean"] for name in WAYS if name not in (*EXPECTED, *CURVES)}


@pytest.mark.parametrize("way", EXPECTED)
def test_the_watched_values_are_those_computed_by_hand(way):
    found = uninterrupted(way)
    assert found["values"] == pytest.approx(EXPECTED[way][: len(found["values"])], rel=1e-5)
    assert 3 <= len(found["values"]) < EPOCHS


@cache
def uninterrupted(way):
    return fit(way)


def saved_by(way, saver, tmp_path, ckpt=None, **arguments):
    """The path of a checkpoint that an interruption leaves."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.ckpt"
    fit(way, saver(path), ckpt, **arguments)
    return path


BEFORE, WITHIN, AFTER = "on_train_batch_start", "on_after_backward", "on_train_batch_end"


@pytest.mark.parametrize(
    ("way", "hook", "steps"),
    [
        # What is logged at a batch's end comes after the checkpoint there; see below.
        *((way, WITHIN if way == "at the batch's end" else AFTER, (8,)) for way in WAYS),
        # The fifth is an epoch's last.
        *((way, AFTER, (1, 5, 13)) for way in ("mean", "metric", "first batch only")),
        *((way, hook, (4, 5)) for way in ("max", "metric with lists") for hook in (BEFORE, WITHIN)),
    ],
)
def test_resume_within_an_epoch_is_exact(way, hook, steps, tmp_path):
    for step in steps:
        path = saved_by(way, lambda path, step=step: Saves(path, hook, step), tmp_path)
        assert fit(way, ckpt=path) == uninterrupted(way), step


@pytest.mark.parametrize(("step", "lost"), [(3, 2), (5, 4), (6, 5), (8, 7)])
@pytest.mark.parametrize("broken", [True, False], ids=["exception", "saved before"])
def test_what_was_not_logged_yet_is_said_to_be_lost(step, lost, broken, tmp_path):
    """Neither its batch nor what the step gave is there any more to call its hook with."""
    way = "at the batch's end"
    path = saved_by(way, lambda path: Saves(path, AFTER, step, on_exception=broken), tmp_path)
    with pytest.warns(UserWarning, match="x will lack the batch after which"):
        resumed = fit(way, ckpt=path)
    epoch = lost // BATCHES
    pairs = [pair for i, pair in enumerate(zip(LOSSES, SIZES, strict=True)) if i != lost]
    pairs = pairs[epoch * BATCHES : (epoch + 1) * BATCHES - 1]
    mean = sum(v * n for v, n in pairs) / sum(n for _, n in pairs)
    assert resumed["values"][epoch] == pytest.approx(mean, rel=1e-6)


def test_several_callbacks_watch_one_value(tmp_path):
    """Each has its sums from the checkpoint; Lightning gets them once."""

    def values(saves=None, ckpt=None):
        watching = [EarlyStopping("x", patience=2), EarlyStopping("x", criterion="GL", alpha=1e9)]
        trainer = quiet_trainer(callbacks=[*watching, *([saves] if saves else [])],
                                max_epochs=EPOCHS, num_sanity_val_steps=0)  # fmt: skip
        trainer.fit(Logs(), batches(BATCHES), batches(2), ckpt_path=ckpt)
        return [one.judge.first.values for one in watching]

    path = tmp_path / "x.ckpt"
    with pytest.raises(InterruptedError):
        values(Saves(path, AFTER, 8))
    assert values(ckpt=path) == [uninterrupted("mean")["values"]] * 2


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks used to create")
def test_saving_every_step_changes_nothing(tmp_path):
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    assert fit("mean", saver, enable_checkpointing=True) == uninterrupted("mean")
    for step in (3, 10, uninterrupted("mean")["step"] - 1):
        assert fit("mean", ckpt=tmp_path / f"step={step}.ckpt") == uninterrupted("mean"), step


@pytest.mark.parametrize(
    ("hook", "settings"),
    [
        (BEFORE, {"accumulate_grad_batches": 2}),
        (AFTER, {"accumulate_grad_batches": 2}),
        (AFTER, {"limit_val_batches": 0}),
        (AFTER, {"max_steps": 40, "max_epochs": None}),
        ("on_train_epoch_end", {}),
        ("on_validation_start", {}),
        ("on_validation_batch_end", {}),
        ("on_validation_end", {}),
        ("on_validation_batch_end",
         {"val_check_interval": 2, "arguments": {"check_on_train_epoch_end": True}}),
        # Where checks belong to validation, the mean over an epoch waits for the next one.
        (AFTER,
         {"val_check_interval": 2,
          "arguments": {"check_on_train_epoch_end": False, "strict": False}}),
    ],
)  # fmt: skip
def test_resume_from_other_places_is_exact(hook, settings, tmp_path):
    """Saved behind the callback's own hook, and before it."""
    whole = fit("mean", **settings)
    early = "val_check_interval" in settings
    for step, first in ((4 if early else 5, False), (9 if early else 10, True)):
        path = saved_by("mean", lambda path, step=step: Saves(path, hook, step), tmp_path,
                        first=first, **settings)  # fmt: skip
        assert fit("mean", ckpt=path, **settings) == whole, step


def test_a_value_of_the_last_step_before_a_validation_that_was_not_run(tmp_path):
    way = "mean, each step too, short name"
    settings = {"val_check_interval": 2,
                "arguments": {"check_on_train_epoch_end": False, "patience": 6}}  # fmt: skip
    whole = fit(way, **settings)
    for step in (4, 7):
        path = saved_by(
            way,
            lambda path, step=step: Saves(path, AFTER, step),
            tmp_path,
            **settings,
        )
        assert fit(way, ckpt=path, **settings) == whole, step


@pytest.mark.parametrize("way", ["mean", "metric with lists", "first batch only"])
@pytest.mark.parametrize("hook", [WITHIN, AFTER])
def test_a_checkpoint_on_an_exception(hook, way, tmp_path):
    """The batch in which it comes has logged, and is trained again if it was not processed."""
    path = saved_by(way, lambda path: Saves(path, hook, 6, on_exception=True), tmp_path)
    assert fit(way, ckpt=path) == uninterrupted(way)


@pytest.mark.parametrize("way", ["mean", "metric", "first batch only"])
@pytest.mark.parametrize("hook", [WITHIN, AFTER])
def test_an_epoch_interrupted_twice(hook, way, tmp_path):
    first = saved_by(way, lambda path: Saves(path, AFTER, 7), tmp_path)
    # In the resumed batch or just after it.
    again = 8 if hook == AFTER else 7
    second = saved_by(way, lambda path: Saves(path, hook, again), tmp_path, ckpt=first)
    assert fit(way, ckpt=second) == uninterrupted(way)


@pytest.mark.parametrize("way", ["mean", "metric"])
def test_the_same_trainer_and_module_go_on(way, tmp_path):
    logs, name = WAYS[way]
    stopping, model = EarlyStopping(name, patience=2), Logs(**logs)
    saves = Saves(tmp_path / "x.ckpt", WITHIN, 7, on_exception=True)
    trainer = quiet_trainer(callbacks=[stopping, saves], max_epochs=EPOCHS, num_sanity_val_steps=0)
    with pytest.raises(InterruptedError):
        trainer.fit(model, batches(BATCHES), batches(2))
    saves.step = saves.late = None
    trainer.fit(model, batches(BATCHES), batches(2), ckpt_path=tmp_path / "x.ckpt")
    assert stopping.judge.first.values == fit(way)["values"]


def test_nan_stays_nan(tmp_path):
    losses = [*LOSSES[:6], math.nan, *LOSSES[7:]]
    whole = fit("mean", losses=losses)
    assert (whole["step"], math.isnan(whole["values"][-1])) == (10, True)
    path = saved_by("mean", lambda path: Saves(path, AFTER, 8), tmp_path,
                    losses=losses)  # fmt: skip
    assert repr(fit("mean", ckpt=path, losses=losses)) == repr(whole)


def test_what_checkpoints_hold(tmp_path):
    """Sums within an epoch, nothing at its end, all of it loadable without pickled classes."""
    saver = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
    ends = ModelCheckpoint(tmp_path, "end={step}", save_top_k=-1, save_on_train_epoch_end=True)
    stopping = EarlyStopping("x", patience=2)
    trainer = quiet_trainer(callbacks=[stopping, saver, ends], max_epochs=1,
                            enable_checkpointing=True, num_sanity_val_steps=0)  # fmt: skip
    trainer.fit(Logs(), batches(BATCHES), batches(2))
    held = {}
    for path in tmp_path.glob("*.ckpt"):
        states = torch.load(path, weights_only=True)["callbacks"]
        held[path.stem] = states[stopping.state_key]["epoch_sums"]
    (row,) = held["step=3"].pop("rows")
    values = row["training_step.x"]["states"][0]["values"]
    total = sum(a * b for a, b in zip(LOSSES[:3], SIZES[:3], strict=True))
    assert values["value"].item() == pytest.approx(total, rel=1e-6)
    assert values["cumulated_batch_size"].item() == sum(SIZES[:3])
    assert [held[name] for name in held if name.startswith("end")] == [None]


def test_a_lightning_that_keeps_its_sums_otherwise_takes_no_run_down(tmp_path, monkeypatch):
    whole = fit("mean")
    logged = "torchvitals.callbacks.stopping.resuming.epoch_sums.logged"
    monkeypatch.setattr(logged, lambda *_: {}["gone"])
    with pytest.warns(UserWarning, match="only the rest of the epoch: KeyError: 'gone'") as w:
        assert fit("mean") == whole
    assert len([x for x in w if "rest of the epoch" in str(x.message)]) == 1
    with pytest.warns(UserWarning, match="will cover only the rest of the epoch"):
        path = saved_by("mean", lambda path: Saves(path, AFTER, 3), tmp_path)
    monkeypatch.undo()
    resumed = fit("mean", ckpt=path)
    assert resumed["values"][0] == pytest.approx(rest(3), rel=1e-6)
    assert resumed["values"][1:] == whole["values"][1:]


def rest(start):
    pairs = list(zip(LOSSES, SIZES, strict=True))[start:BATCHES]
    return sum(v * n for v, n in pairs) / sum(n for _, n in pairs)


def test_another_number_of_ranks_is_a_warning(tmp_path):
    path = saved_by("mean", lambda path: Saves(path, AFTER, 3), tmp_path)
    checkpoint = torch.load(path, weights_only=True)
    (key,) = [key for key in checkpoint["callbacks"] if key.startswith("EarlyStopping")]
    checkpoint["callbacks"][key]["epoch_sums"]["rows"] *= 2
    torch.save(checkpoint, path)
    with pytest.warns(UserWarning, match="the sums of x on 2 ranks, but there are 1 now"):
        resumed = fit("mean", ckpt=path)
    assert resumed["values"][0] == pytest.approx(rest(3), rel=1e-6)
