"""Fit, validate, test and predict through the command line, in one process."""

import functools
import sys
from pathlib import Path
from unittest import mock

import torch
from lightning.pytorch import Trainer

from torchvitals.__main__ import main


def call(*arguments: str) -> None:
    with mock.patch.object(sys, "argv", ["torchvitals", *arguments]):
        main()


def report(predict):
    """Wrap `Trainer.predict` so that what the command line computes is told."""

    @functools.wraps(predict)  # the command line reads the signature
    def wrapped(self, *arguments, **settings):
        predictions = predict(self, *arguments, **settings)
        print("predicted", len(torch.cat(predictions)), "rows")
        return predictions

    return wrapped


if __name__ == "__main__":
    config = f"--config={sys.argv[1]}"
    call("fit", config)
    (checkpoint,) = Path("checkpoints").glob("*.ckpt")
    call("validate", config, f"--ckpt_path={checkpoint}")
    call("test", config, f"--ckpt_path={checkpoint}")
    with mock.patch.object(Trainer, "predict", report(Trainer.predict)):
        call("predict", config, f"--ckpt_path={checkpoint}")
