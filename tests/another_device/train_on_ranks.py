"""Train in two processes, interrupted and resumed in mid-epoch, and save what was recorded."""

import sys
import warnings
from pathlib import Path

import torch
from helpers.training import leave_group, quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    EarlyStopping,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def arguments(device):
    if device == "cpu":
        return {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}
    from ranks import on_two_devices

    return on_two_devices()


def fit(folder, where, ckpt_path=None, **plan):
    torch.manual_seed(0)
    monitors = [
        GradientNormMonitor(1), UpdateRatioMonitor(1), ActivationMonitor(4), DeadReLUMonitor(4),
        TrainingDoctor(),
    ]  # fmt: skip
    stopping = EarlyStopping("val_loss", patience=1)
    saving = ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    callbacks = [*monitors, stopping, saving, OnExceptionCheckpoint(folder)]
    trainer = quiet_trainer(callbacks=callbacks, enable_checkpointing=True, **where, **plan)
    model = MLPClassifier(64, 10, hidden=(16, 16), norm="batch", dropout=0.1, init="lsuv", lr=0.05)
    data = ImageDataModule("digits", batch_size=128)
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    gradients, updates, activations, dead, doctor = monitors
    record = {
        "steps": trainer.global_step,
        "gradients": gradients.history,
        "updates": updates.history,
        "activations": activations.history,
        "dead": {site: mask.tolist() for site, mask in dead.dead_units.items()},
        "diagnoses": [str(diagnosis.problem) for diagnosis in doctor.diagnoses],
        "reason": str(stopping.stopping_reason),
        "failed": [monitor.failed for monitor in monitors],
        "weights": [p.detach().cpu() for p in model.network.parameters()],
    }
    return record, trainer.global_rank


def main(device: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    where = arguments(device)
    whole, rank = fit(folder, where, max_epochs=4, accumulate_grad_batches=2)
    where = {**where, "strategy": arguments(device)["strategy"]}
    plan = {"max_epochs": 4, "accumulate_grad_batches": 2}
    resumed, _ = fit(folder, where, folder / "step=4.ckpt", **plan)
    torch.save([whole, resumed], folder / f"record.{rank}")
    leave_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
