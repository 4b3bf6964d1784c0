import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

CONFIG = Path(__file__).resolve().parents[2] / "examples" / "digits.yaml"


def test_ctrl_c_leaves_a_whole_checkpoint_and_log_to_resume_from(tmp_path):
    train = [sys.executable, "-m", "torchvitals", "fit", "--config", CONFIG]
    logger = "--trainer.logger=lightning.pytorch.loggers.CSVLogger"
    train += [logger, f"--trainer.logger.save_dir={tmp_path}/log"]
    process = subprocess.Popen(
        [*train, "--trainer.max_epochs=500"],
        cwd=tmp_path,
        env={**os.environ, "WANDB_MODE": "offline"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (found := list(tmp_path.glob("log/**/*.ckpt"))) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1
    (checkpoint,) = tmp_path.glob("log/**/*.ckpt")
    epoch = torch.load(checkpoint, weights_only=True)["epoch"]
    (log,) = tmp_path.glob("log/**/metrics.csv")
    rows = list(csv.DictReader(log.open()))
    assert any(row["val_loss"] for row in rows)
    more = [*train, f"--trainer.max_epochs={epoch + 2}", "--ckpt_path", checkpoint]
    done = subprocess.run(more, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert found
