import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from torchvitals.callbacks import DeadReLUMonitor, GradientNormMonitor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier


def read_back(path: Path) -> list[dict[str, float]]:
    """History rows of an offline run's file, checksums and fragments handled by hand."""
    from wandb.proto import wandb_internal_pb2 as proto

    data, position, rows, fragment = path.read_bytes(), 7, [], b""
    while position + 7 <= len(data):
        room = 32768 - position % 32768
        if room < 7:
            position += room
            continue
        length, kind = (
            int.from_bytes(data[position + 4 : position + 6], "little"),
            data[position + 6],
        )
        fragment += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):
            record = proto.Record.FromString(fragment)
            fragment = b""
            if record.HasField("history"):
                items = record.history.item
                rows.append(
                    {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
                )
    return rows


@pytest.mark.filterwarnings("ignore")
def test_the_offline_file_holds_the_logged_series(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    torch.manual_seed(0)
    monitor = GradientNormMonitor()
    logger = WandbLogger(save_dir=tmp_path, offline=True)
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=logger,
        log_every_n_steps=4,
        callbacks=[monitor, DeadReLUMonitor()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(MLPClassifier(64, 10, hidden=(8,)), datamodule=ImageDataModule())
    logger.experiment.finish()
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    rows = read_back(path)
    logged = {
        row["trainer/global_step"]: row["grad_norm/network.1"]
        for row in rows
        if "grad_norm/network.1" in row
    }
    assert list(logged) == monitor.steps
    assert list(logged.values()) == pytest.approx(monitor.history["network.1"], rel=1e-6)
    assert sum("dead_relu/total" in row for row in rows) == 2
