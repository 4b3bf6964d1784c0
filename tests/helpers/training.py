"""A Trainer that neither draws nor writes, what saves when it fails, commands, the end of ranks."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch.distributed
from lightning.pytorch import Callback, Trainer

#: How worker processes start beside the threads of a process group. A fork can hang there before
#: Python 3.12: the child waits for a lock that a thread held (python/cpython#112275).
WORKERS_START = None if sys.version_info >= (3, 12) else "forkserver"
multiprocessing.set_forkserver_preload(["helpers.loading", "torchvitals.datamodules"])


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


class SavesOnException(Callback):
    """Saves a checkpoint when an exception comes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_exception(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.path)


def environment(**changes: str) -> dict[str, str]:
    """Variables for a process of its own, W&B offline.

    Not for one that shares this process's W&B service, which would end its run only with ours.
    """
    kept = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    return {**kept, "WANDB_MODE": "offline", **changes}


def run(command: list[Any], folder: Path, **variables: str) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=280,
    )
    if done.returncode:
        raise AssertionError(
            f"{command} exited with {done.returncode}: {done.stdout + done.stderr}"
        )
    return done.stdout


def leave_group() -> None:
    """End a script of several ranks: threads of an open group can abort a process that exits."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
