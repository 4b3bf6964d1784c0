import csv
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest
import torch
from helpers.research import Research, fit, loader
from helpers.training import environment, quiet_trainer
from helpers.wandb_file import alerts, axes, finished_file, history
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from torch import nn

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    UpdateRatioMonitor,
)
from torchvitals.callbacks.monitoring.recording.json_lines import read_json_lines
from torchvitals.callbacks.monitoring.recording.loggers import run_folder
from torchvitals.callbacks.monitoring.recording.record_file import read_record_file

matplotlib.use("agg")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def data(batches=6):
    return loader(torch.randn(4 * batches, 5))


def read(folder, monitor):
    (path,) = Path(folder).rglob(f"vitals/{type(monitor).__name__}.jsonl")
    return read_record_file(path)


def test_the_run_folder_holds_the_whole_record_and_a_picture(tmp_path):
    gradients, updates, logger = GradientNormMonitor(1), UpdateRatioMonitor(2), CSVLogger(tmp_path)
    fit(Research(network()), data(), [gradients, updates], logger=logger)
    for monitor, quantity in ((gradients, "grad_norm"), (updates, "update_ratio")):
        record = read(logger.log_dir, monitor).records[quantity]
        assert record.steps == monitor.steps
        for layer, values in monitor.history.items():
            assert record.history[layer] == pytest.approx(values, rel=1e-8)
        assert Path(logger.log_dir, "vitals", f"{quantity}.png").stat().st_size > 0


def test_a_trainer_that_writes_nothing_gets_no_file(tmp_path):
    monitor = GradientNormMonitor(1)
    fit(Research(network()), data(), [monitor], default_root_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    fit(Research(network()), data(), [monitor], default_root_dir=tmp_path, fast_dev_run=2)
    assert list(tmp_path.iterdir()) == []


def test_without_a_logger_the_record_lies_beside_the_checkpoints(tmp_path):
    monitor = GradientNormMonitor(1)
    arguments = {"default_root_dir": tmp_path, "enable_checkpointing": True}
    fit(Research(network()), data(), [monitor], **arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints", "vitals"}
    assert read(tmp_path, monitor).records["grad_norm"].steps == monitor.steps


CRASH = """
import os, sys, torch
from helpers.research import Research, fit, loader
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torchvitals.callbacks import GradientNormMonitor

class Stop(Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 3:
            os._exit(9)

fit(Research(torch.nn.Linear(5, 3)), loader(torch.randn(40, 5)),
    [GradientNormMonitor(1), Stop()], logger=CSVLogger(sys.argv[1]))
"""


def test_a_killed_process_leaves_its_record(tmp_path):
    tests = Path(__file__).parents[3]
    command = [sys.executable, "-c", CRASH, str(tmp_path)]
    done = subprocess.run(
        command, env=environment(PYTHONPATH=str(tests)), capture_output=True, timeout=200
    )
    assert done.returncode == 9, done.stderr
    assert read(tmp_path, GradientNormMonitor()).records["grad_norm"].steps == [0, 1, 2, 3]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_fit_leaves_its_record_and_picture(error, tmp_path):
    class Interrupted(Research):
        def on_train_batch_start(self, batch, batch_idx):
            if batch_idx == 4:
                raise error

    monitor, logger = GradientNormMonitor(1), CSVLogger(tmp_path)
    with pytest.raises((error, SystemExit)):
        fit(Interrupted(network()), data(), [monitor], logger=logger)
    assert read(tmp_path, monitor).records["grad_norm"].steps == [0, 1, 2, 3]
    assert Path(logger.log_dir, "vitals", "grad_norm.png").exists()
    assert monitor._layer_of == {}


class Broken(Logger):
    """A logger whose service cannot be reached."""

    name, version, save_dir = "broken", "0", None

    def log_hyperparams(self, *arguments, **options):
        pass

    def log_metrics(self, metrics, step=None):
        raise ConnectionError("no route to host")


def test_a_logger_that_fails_is_given_up_with_one_warning_and_the_record_goes_on(tmp_path):
    monitor, csv_logger = GradientNormMonitor(1), CSVLogger(tmp_path)
    loggers = [csv_logger, Broken()]
    with pytest.warns(UserWarning, match="no route to host") as caught:
        fit(Research(network()), data(), [monitor], logger=loggers, log_every_n_steps=50)
    assert sum("gave up on its logger" in str(warning.message) for warning in caught) == 1
    assert monitor.steps == [0, 1, 2, 3, 4, 5]
    assert read(tmp_path, monitor).records["grad_norm"].steps == monitor.steps


def test_a_logger_that_fails_does_not_take_the_others_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a logger without a folder of its own writes
    rows = Rows(tmp_path)
    with pytest.warns(UserWarning, match=r"gave up on its logger 1 \(Broken\)"):
        fit(Research(network()), data(), [GradientNormMonitor(1)], logger=[Broken(), rows])
    assert rows.steps == [0, 1, 2, 3, 4, 5]


class Nameless(Broken):
    """A logger that cannot say where it writes."""

    @property
    def name(self):
        raise RuntimeError("no run yet")

    def log_metrics(self, metrics, step=None):
        pass


def test_a_logger_without_a_name_costs_the_file_and_not_the_record():
    monitor = GradientNormMonitor(1)
    with pytest.warns(UserWarning, match="gave up on its file.*no run yet"):
        fit(Research(network()), data(), [monitor], logger=Nameless())
    assert not monitor.failed
    assert monitor.steps == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("name", "version", "folder"),
    [(None, None, "."), ("runs", None, "runs"), (None, 3, "version_3"), ("a", "b", "a/b")],
)
def test_the_folder_of_a_logger_without_name_or_version(name, version, folder, tmp_path):
    logger = type("Own", (Broken,), {"name": name, "version": version, "save_dir": str(tmp_path)})
    assert run_folder(quiet_trainer(logger=logger())) == tmp_path / folder


def test_the_current_folder_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = quiet_trainer(logger=CSVLogger(".", name=None, version=""))
    assert run_folder(trainer) == Path(".")
    monitor = GradientNormMonitor(1)
    fit(Research(network()), data(), [monitor], logger=CSVLogger(".", name=None, version=""))
    assert read(".", monitor).records["grad_norm"].steps == monitor.steps != []


class Named(Research):
    """A layer that is called as a summary is."""

    def __init__(self):
        super().__init__(None)
        self.total = nn.Linear(5, 3)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.total(batch[0]), batch[1])


def test_a_layer_that_is_called_total_has_a_chart_of_its_own(tmp_path):
    logger, monitor = CSVLogger(tmp_path), GradientNormMonitor(1)
    fit(Named(), data(), [monitor], logger=logger)
    table = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    found = [float(row["grad_norm/total (layer)"]) for row in table]
    assert found == pytest.approx(monitor.history["total"])


@pytest.mark.filterwarnings("ignore:Experiment logs directory")
def test_a_file_that_cannot_be_written_is_given_up_with_one_warning(tmp_path):
    monitor, logger = GradientNormMonitor(1), CSVLogger(tmp_path)
    Path(logger.log_dir).mkdir(parents=True)
    Path(logger.log_dir, "vitals").write_text("in the way")
    with pytest.warns(UserWarning, match="gave up on its file"):
        fit(Research(network()), data(), [monitor], logger=logger)
    assert monitor.steps == [0, 1, 2, 3, 4, 5]
    assert not monitor.failed


class Rows(Logger):
    """A logger that keeps its rows."""

    name, version, save_dir = "rows", "0", None

    def __init__(self, folder):
        self.save_dir, self.steps, self.rows = folder, [], []

    def log_hyperparams(self, *arguments, **options):
        pass

    def log_metrics(self, metrics, step=None):
        self.steps.append(step)
        self.rows.append({name.partition("/")[0] for name in metrics})


QUANTITIES = {
    GradientNormMonitor: {"grad_norm"},
    DeadReLUMonitor: {"dead_relu"},
    ActivationMonitor: {"dormant", "saturated", "drift", "activation_mean", "activation_variance"},
    UpdateRatioMonitor: {"update_ratio"},
}


@pytest.mark.parametrize("kinds", [list(QUANTITIES), list(QUANTITIES)[::-1]])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_all_that_is_reported_of_a_step_is_one_row(kinds, accumulate, tmp_path):
    logger, monitors = Rows(tmp_path), [kind(1) for kind in kinds]
    fit(Research(network()), data(), monitors, logger=logger, accumulate_grad_batches=accumulate)
    assert logger.steps == list(range(6 // accumulate))
    every = set().union(*QUANTITIES.values()) - {"saturated", "drift"}
    assert all(row >= every for row in logger.rows)


@pytest.mark.parametrize("broken", list(QUANTITIES))
@pytest.mark.filterwarnings("ignore:.*switched itself off")
def test_a_monitor_that_fails_takes_no_row_of_the_others_along(broken, monkeypatch, tmp_path):
    logger, monitors = Rows(tmp_path), [kind(1) for kind in QUANTITIES]
    for monitor in monitors:
        if type(monitor) is broken:
            monkeypatch.setattr(monitor._reporter, "report", None)
    fit(Research(network()), data(), monitors, logger=logger)
    assert logger.steps == list(range(6))
    others = [names for kind, names in QUANTITIES.items() if kind is not broken]
    every = set().union(*others) - {"saturated", "drift"}
    assert all(every <= row and not row & QUANTITIES[broken] for row in logger.rows)
    assert [monitor.failed for monitor in monitors] == [kind is broken for kind in QUANTITIES]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_rows_of_an_interrupted_step_are_not_lost(error, tmp_path):
    class Interrupted(Research):
        def on_before_optimizer_step(self, optimizer):
            if self.global_step == 2:
                raise error

    logger, monitors = Rows(tmp_path), [GradientNormMonitor(1), UpdateRatioMonitor(1)]
    with pytest.raises((error, SystemExit)):
        fit(Interrupted(network()), data(), monitors, logger=logger)
    assert logger.steps == [0, 1, 2]
    assert logger.rows[-1] == {"grad_norm"}


def test_several_loggers_get_the_same_series(tmp_path):
    loggers = [CSVLogger(tmp_path / "a"), CSVLogger(tmp_path / "b")]
    monitor = GradientNormMonitor(2)
    fit(Research(network()), data(), [monitor], logger=loggers)
    for logger in loggers:
        rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
        found = {int(row["step"]): float(row["grad_norm/network.0"]) for row in rows}
        expected = dict(zip(monitor.steps, monitor.history["network.0"], strict=True))
        assert found == pytest.approx(expected)


def test_tensorboard_gets_scalars_a_picture_and_a_table(tmp_path):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )
    monitor, logger = GradientNormMonitor(2), TensorBoardLogger(tmp_path)
    fit(Research(network()), data(), [monitor], logger=logger)
    events = event_accumulator.EventAccumulator(logger.log_dir)
    events.Reload()
    scalars = {event.step: event.value for event in events.Scalars("grad_norm/network.0")}
    expected = dict(zip(monitor.steps, monitor.history["network.0"], strict=True))
    assert scalars == pytest.approx(expected)
    (picture,) = events.Images("grad_norm/heat_map")
    assert (picture.width, picture.step) == (900, 6)
    (text,) = events.Tensors("grad_norm/table/text_summary")
    assert b"network.2" in text.tensor_proto.string_val[0]


def vanishing():
    torch.manual_seed(0)
    body = [part for _ in range(15) for part in (nn.Linear(5, 5), nn.Sigmoid())]
    return nn.Sequential(*body, nn.Linear(5, 3))


# W&B's own dependencies warn in their oldest releases.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("began_before", [False, True])
def test_wandb_gets_axis_alert_picture_and_table_also_in_a_run_that_existed(
    began_before, tmp_path, monkeypatch, caplog
):
    import wandb

    monkeypatch.setenv("WANDB_SILENT", "true")
    if began_before:
        wandb.init(mode="offline", dir=tmp_path, project="before")
        wandb.log({"mine": 1.0})
    logger = WandbLogger(save_dir=tmp_path, offline=not began_before)
    monitor = GradientNormMonitor(2)
    with caplog.at_level(logging.WARNING):
        fit(Research(vanishing()), data(24), [monitor], logger=logger)
    wandb.finish()
    path = finished_file(tmp_path, "wandb/offline-run-*/*.wandb")
    rows = history(path)
    logged = [row["trainer/global_step"] for row in rows if "grad_norm/total" in row]
    assert logged == monitor.steps == list(range(1, 24, 2))
    assert any(row.get("grad_norm/heat_map/format") == "png" for row in rows)
    assert any(row.get("grad_norm/table/nrows") == 16 for row in rows)
    assert axes(path)["grad_norm/*"] == "trainer/global_step"
    (text,) = monitor.findings.values()
    assert alerts(path) == [("GradientNormMonitor", text)]


def test_a_run_that_is_resumed_in_a_new_folder_has_the_whole_record_there(tmp_path):
    monitor = GradientNormMonitor(1)
    first = CSVLogger(tmp_path / "first")
    trainer = fit(Research(network()), data(), [monitor], logger=first)
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    resumed, second = GradientNormMonitor(1), CSVLogger(tmp_path / "second")
    fit(
        Research(network()),
        data(),
        [resumed],
        logger=second,
        max_epochs=2,
        ckpt_path=tmp_path / "end.ckpt",
    )
    found = read(tmp_path / "second", resumed)
    assert found.records["grad_norm"].steps == resumed.steps == list(range(12))
    assert found.records["grad_norm"].history["network.0"] == pytest.approx(
        resumed.history["network.0"], rel=1e-8
    )


def test_what_a_new_folder_gets_of_a_thinned_record_is_of_the_same_steps(tmp_path, monkeypatch):
    # The rows of two layers and those of four totals are thinned at different times.
    monkeypatch.setattr("torchvitals.callbacks.monitoring.recording.record._MAX_CELLS", 16)
    monitor = GradientNormMonitor(1)
    trainer = fit(Research(network()), data(12), [monitor], logger=CSVLogger(tmp_path / "first"))
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    again = {"max_epochs": 2, "ckpt_path": tmp_path / "end.ckpt"}
    fit(Research(network()), data(12), [monitor], logger=CSVLogger(tmp_path / "second"), **again)
    before, after = reports(tmp_path / "first"), reports(tmp_path / "second")
    kept = [step for step in after if step < 12]
    assert len(kept) >= 4
    assert list(after)[-12:] == list(range(12, 24))
    for step in kept:
        assert after[step]["grad_norm"] == before[step]["grad_norm"]
        assert after[step]["summary"] in (before[step]["summary"], {})
    assert any(after[step]["summary"] for step in kept)


def reports(folder):
    """The reports of a gradient monitor's file by step."""
    (path,) = folder.rglob("vitals/GradientNormMonitor.jsonl")
    return {line["step"]: line for line in read_json_lines(path) if "step" in line}


def test_a_run_that_is_resumed_in_a_new_folder_has_what_was_found(tmp_path):
    monitor, model = GradientNormMonitor(1), Research(vanishing())
    trainer = fit(model, data(24), [monitor], logger=CSVLogger(tmp_path / "first"))
    assert monitor.findings
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    again = {"max_epochs": 2, "ckpt_path": tmp_path / "end.ckpt"}
    fit(Research(vanishing()), data(24), [monitor], logger=CSVLogger(tmp_path / "second"), **again)
    assert read(tmp_path / "second", monitor).findings == monitor.findings


@pytest.mark.parametrize(
    ("dirpath", "folder"), [(None, "study/trial_7"), ("mine", "mine"), ("x/checkpoints", "x")]
)
def test_the_file_goes_where_the_checkpoints_go_whatever_the_logger(dirpath, folder, tmp_path):
    monitor, logger = GradientNormMonitor(1), CSVLogger(tmp_path, "study", "trial_7")
    saving = ModelCheckpoint(dirpath and tmp_path / dirpath)
    arguments = {"logger": logger, "enable_checkpointing": True}
    fit(Research(network()), data(), [monitor, saving], **arguments)
    assert (tmp_path / folder / "vitals" / "GradientNormMonitor.jsonl").exists()


@pytest.mark.parametrize("folder", ["s3://bucket/run", "gs://bucket/checkpoints"])
def test_no_file_is_written_where_a_run_is_not_on_this_machine(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = SimpleNamespace(
        fast_dev_run=False, checkpoint_callback=SimpleNamespace(dirpath=folder), loggers=[]
    )
    assert run_folder(trainer) is None


def test_two_monitors_of_a_class_have_files_charts_and_state_of_their_own(tmp_path):
    monitors = [GradientNormMonitor(1), GradientNormMonitor(2, norm_type=float("inf"))]
    logger = CSVLogger(tmp_path)
    trainer = fit(Research(network()), data(), monitors, logger=logger)
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    folder = Path(logger.log_dir, "vitals")
    for monitor, suffix in zip(monitors, ("", "_2"), strict=True):
        found = read_record_file(folder / f"GradientNormMonitor{suffix}.jsonl")
        assert found.records["grad_norm"].steps == monitor.steps
        assert found.records["grad_norm"].last == pytest.approx(monitor.norms, rel=1e-8)
        assert (folder / f"grad_norm{suffix}.png").exists()
        total = trainer.callback_metrics[f"grad_norm{suffix}/total"].item()
        assert total == pytest.approx(monitor.total_norm)
    states = torch.load(tmp_path / "end.ckpt", weights_only=True)["callbacks"]
    assert {monitor.state_key for monitor in monitors} <= states.keys()
