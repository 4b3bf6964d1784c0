"""A Trainer that neither draws nor writes, and commands that must succeed."""

import os
import subprocess
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer


def quiet_trainer(**arguments: Any) -> Trainer:
    settings: dict[str, Any] = dict(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    return Trainer(**{**settings, **arguments})


def run(command: list[Any], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "WANDB_MODE": "offline", **environment},
        capture_output=True,
        text=True,
        timeout=280,
    )
    if done.returncode:
        raise AssertionError(
            f"{command} exited with {done.returncode}: {done.stdout + done.stderr}"
        )
    return done.stdout
