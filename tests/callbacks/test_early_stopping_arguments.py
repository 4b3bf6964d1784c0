"""Which arguments may be, what Lightning's own mean, and where they come from."""

import io
import math
import pickle
from datetime import timedelta

import numpy as np
import pytest
import torch
from helpers.scripted import fit
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from torchvitals.callbacks import EarlyStopping

NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"patience": -1}, "`patience` to be at least 0, but got -1"),
        ({"patience": NAN}, "`patience` to be at least 0, but got nan"),
        ({"min_delta": NAN}, "`min_delta` to be a number, but got nan"),
        ({"start_from_epoch": -1}, "`start_from_epoch` to be at least 0"),
        ({"start_from_step": -1}, "`start_from_step` to be at least 0"),
        ({"smoothing_window": 0}, "`smoothing_window` to be at least 1"),
        ({"strip_length": 0}, "`strip_length` to be at least 1"),
        ({"max_minutes": 0}, "`max_minutes` to be above 0"),
        ({"max_loss_ratio": 1.0}, "`max_loss_ratio` to be above 1"),
        ({"criterion": "GL", "alpha": 0.0}, "`alpha` to be above 0"),
        ({"alpha": 1.0}, "`alpha` with `criterion` 'GL' or 'PQ'"),
        ({"mode": "mim"}, "`mode` to be one of 'min', 'max', but got 'mim'. Did you mean 'min'"),
        ({"mode": ["min", "max"]}, "`mode` to be one mode, or one for each of 1 monitors"),
        ({"monitor": []}, "`monitor` to be one or more names"),
        ({"monitor": ["a", "a"]}, "`monitor` to name each metric once"),
        ({"patience_unit": "epoch"}, "`patience_unit` to be one of .*Did you mean 'epochs'"),
        ({"smoothing": "mean"}, "`smoothing` to be one of"),
        ({"min_delta_mode": "rel"}, "`min_delta_mode` to be one of"),
        ({"require": "one"}, "`require` to be one of"),
        ({"criterion": "gl"}, "`criterion` to be one of"),
        ({"best_weights": "disk"}, "`best_weights` to be one of"),
        ({"criterion": "PQ", "mode": "max"}, "`mode` to be 'min' with `criterion='PQ'`"),
        ({"max_loss_ratio": 3.0, "mode": "max"}, "`mode` to be 'min' with `max_loss_ratio`"),
        ({"baseline_by_epoch": 3}, "`baseline` with `baseline_by_epoch`"),
        (
            {"baseline": 1.0, "baseline_by_epoch": 3, "start_from_epoch": 3},
            "`baseline_by_epoch` to be after the warm-up, `start_from_epoch=3`",
        ),
        ({"baseline": NAN}, "`baseline` to be a number, but got nan"),
        ({"stopping_threshold": NAN}, "`stopping_threshold` to be a number, but got nan"),
        ({"divergence_threshold": NAN}, "`divergence_threshold` to be a number, but got nan"),
        ({"max_minutes": NAN}, "`max_minutes` to be above 0, but got nan"),
        ({"monitor": ""}, "`monitor` to be a name, but got ''"),
        ({"monitor": ["val_loss", ""]}, "`monitor` to be a name, but got ''"),
        ({"patience_unit": ["epochs"]}, "`patience_unit` to be one of"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(arguments, match):
    with pytest.raises(ValueError, match=match):
        EarlyStopping(**{"monitor": "val_loss", **arguments})


@pytest.mark.parametrize(
    ("argument", "value", "wanted"),
    [
        ("monitor", None, "one or more names"),
        ("monitor", 3, "one or more names"),
        ("monitor", ["val_loss", 3], "a name"),
        ("mode", None, "one or more names"),
        ("patience", "x", "a number"),
        ("patience", None, "a number"),
        ("patience", True, "a number"),
        ("min_delta", "x", "a number"),
        ("restore_best_weights", "no", "True or False"),
        ("stopping_threshold", "x", "a number"),
        ("divergence_threshold", [1.0], "a number"),
        ("baseline", "x", "a number"),
        ("baseline_by_epoch", "x", "a number"),
        ("start_from_epoch", 2.5, "a whole number"),
        ("start_from_epoch", "x", "a whole number"),
        ("start_from_step", NAN, "a whole number"),
        ("smoothing_window", 2.5, "a whole number"),
        ("strip_length", "x", "a whole number"),
        ("alpha", "x", "a number"),
        ("max_loss_ratio", "x", "a number"),
        ("max_minutes", timedelta(minutes=5), "a number"),
    ],
)
def test_arguments_of_another_type_are_refused_at_once(argument, value, wanted):
    with pytest.raises(TypeError, match=f"`{argument}` to be {wanted}, but got"):
        EarlyStopping(**{"monitor": "val_loss", argument: value})


def test_numbers_may_be_of_any_kind():
    limits = {
        "patience": np.int64(2), "min_delta": np.float32(0.5), "start_from_epoch": np.int64(1),
        "stopping_threshold": torch.tensor(0.25), "baseline": math.inf,
    }  # fmt: skip
    stopping = EarlyStopping("val_loss", **limits)
    _, trainer = fit(stopping, [3, 3, 2, 2, 2, 1])
    assert trainer.current_epoch == 5
    buffer = io.BytesIO()
    torch.save(stopping.state_dict(), buffer)
    assert torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)["patience"] == 2
    for patience in (2.0, math.inf):
        assert EarlyStopping("val_loss", patience=patience).patience == patience


def test_the_callback_can_be_sent_to_another_process():
    stopping = pickle.loads(pickle.dumps(EarlyStopping("val_loss", patience=2)))
    stopping.patience = 1
    _, trainer = fit(stopping, [3, 2, 2, 2])
    assert trainer.current_epoch == 3


def test_arguments_come_from_yaml(tmp_path):
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_class_arguments(EarlyStopping, "stopping")
    config = tmp_path / "config.yaml"
    config.write_text(
        "stopping:\n  monitor: [val_loss, accuracy]\n  mode: [min, max]\n  patience: 2.5\n"
        "  patience_unit: minutes\n  min_delta_mode: relative\n  smoothing: ema\n  require: any\n"
        "  baseline: 0.5\n  baseline_by_epoch: 3\n  max_minutes: 5\n  best_weights: file\n"
    )
    parser.add_argument("--config", action="config")
    stopping = parser.instantiate_classes(parser.parse_args([f"--config={config}"])).stopping
    assert stopping.monitors == ["val_loss", "accuracy"]
    assert (stopping.patience, stopping.patience_unit) == (2.5, "minutes")


def test_criteria_beside_each_other_have_state_keys_of_their_own():
    keys = {
        EarlyStopping("val_loss", criterion=name).state_key for name in ("patience", "GL", "PQ")
    }
    assert len(keys) == 3
    lightning = lightning_callbacks.EarlyStopping("val_loss")
    assert EarlyStopping("val_loss", smoothing="ema").state_key == lightning.state_key


def random_curve(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 30, (20,), generator=generator).div(4).tolist()


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("seed", range(4))
def test_lightnings_arguments_mean_what_they_do_there(seed, mode):
    arguments = {
        "patience": 1 + seed,
        "mode": mode,
        "min_delta": 0.25 * (seed % 2),
        "stopping_threshold": 0.25 if mode == "min" else 7.0,
    }
    losses, found = random_curve(seed), []
    for kind in (EarlyStopping, lightning_callbacks.EarlyStopping):
        stopping = kind("val_loss", **arguments)
        _, trainer = fit(stopping, losses)
        found.append((trainer.current_epoch, stopping.stopped_epoch, stopping.stopping_reason.name))
        if stopping.stopping_reason != EarlyStoppingReason.STOPPING_THRESHOLD:
            found[-1] += (stopping.wait_count, float(stopping.best_score))
    assert found[0] == found[1]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("seed", range(4))
def test_min_delta_below_zero_stops_where_lightning_does_and_keeps_the_best(seed, mode):
    losses, found = random_curve(seed), []
    for kind in (EarlyStopping, lightning_callbacks.EarlyStopping):
        stopping = kind("val_loss", min_delta=-2.0, patience=2, mode=mode)
        _, trainer = fit(stopping, losses)
        found.append((trainer.current_epoch, stopping.stopped_epoch, stopping.wait_count))
        if kind is EarlyStopping:
            seen = losses[: trainer.current_epoch]
            assert float(stopping.best_score) == (min(seen) if mode == "min" else max(seen))
    assert found[0] == found[1]
    assert found[0][0] < len(losses)
