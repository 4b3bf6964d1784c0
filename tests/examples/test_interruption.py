import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.training import environment, run
from helpers.wandb_file import finished_file, series

CONFIG = Path(__file__).resolve().parents[2] / "examples" / "digits.yaml"
LOGGERS = """
trainer:
  log_every_n_steps: 5
  logger:
    - class_path: lightning.pytorch.loggers.CSVLogger
      init_args: {save_dir: log}
    - class_path: lightning.pytorch.loggers.WandbLogger
      init_args: {save_dir: log, offline: true}
"""


def has_every_column(folder):
    """Whether the second report's names, the last that are new, are in the CSV file.

    Lightning's logger writes the whole file anew for a new name, and one Ctrl-C within these
    milliseconds leaves rows below a header that is not theirs.
    """
    return any("dead_relu/births" in log.read_text() for log in folder.glob("log/**/metrics.csv"))


def interrupt_once_it_has_saved(command, folder):
    # A test run in the background ignores Ctrl-C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (list(folder.glob("log/**/*.ckpt")) and has_every_column(folder)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=60)
    finally:
        process.kill()


# W&B's own dependencies warn in their oldest releases.
@pytest.mark.filterwarnings("ignore")
def test_ctrl_c_leaves_a_whole_checkpoint_and_whole_logs_to_resume_from(tmp_path):
    (tmp_path / "loggers.yaml").write_text(LOGGERS)
    train = [sys.executable, "-m", "torchvitals", "fit", "--config", CONFIG]
    train += ["--config", "loggers.yaml"]
    status = interrupt_once_it_has_saved([*train, "--trainer.max_epochs=500"], tmp_path)
    assert status == 1
    (checkpoint,) = tmp_path.glob("log/**/*.ckpt")
    state = torch.load(checkpoint, weights_only=True)
    (log,) = tmp_path.glob("log/**/metrics.csv")
    wandb_file = finished_file(tmp_path, "log/wandb/offline-run-*/*.wandb")
    rows = list(csv.DictReader(log.open()))
    for name in ("val_loss", "grad_norm/total"):
        logged = {int(row["step"]): float(row[name]) for row in rows if row[name]}
        sent = series(wandb_file, name)
        both = sent.keys() & logged.keys()
        # The signal may come when one logger has the last row and the other has not.
        assert sent.keys() ^ logged.keys() <= {max(sent.keys() | logged.keys())}
        assert {step: sent[step] for step in both} == pytest.approx(
            {step: logged[step] for step in both}
        )
        assert max(logged) + 5 >= state["global_step"]
    epochs = state["epoch"] + 2
    run([*train, f"--trainer.max_epochs={epochs}", "--ckpt_path", checkpoint], tmp_path)
    last = max(tmp_path.glob("log/**/*.ckpt"), key=lambda path: path.stat().st_mtime)
    assert torch.load(last, weights_only=True)["epoch"] == epochs - 1
