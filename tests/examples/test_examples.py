import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(command, folder):
    environment = {**os.environ, "WANDB_MODE": "offline"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["add_a_callback", "subclass_a_module", "log_to_wandb"])
def test_example_runs(name, tmp_path):
    run([sys.executable, EXAMPLES / f"{name}.py"], tmp_path)
    if name == "log_to_wandb":
        assert list(tmp_path.glob("runs/wandb/offline-run-*/*.wandb"))


def test_the_command_line_trains_and_resumes(tmp_path):
    train = [sys.executable, "-m", "torchvitals", "fit", "--config", EXAMPLES / "digits.yaml"]
    run([*train, "--trainer.max_epochs=1"], tmp_path)
    (checkpoint,) = tmp_path.glob("runs/digits/lightning_logs/*/checkpoints/*.ckpt")
    run([*train, "--trainer.max_epochs=2", "--ckpt_path", checkpoint], tmp_path)
    assert len(list(tmp_path.glob("runs/digits/lightning_logs/*/checkpoints/*.ckpt"))) == 2
