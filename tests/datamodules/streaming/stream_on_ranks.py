"""Train on streams, through and resumed in mid-epoch, on a number of ranks; save what was read."""

import sys
from pathlib import Path

import torch
from helpers.loading import Recorder
from helpers.streaming import StreamsDataModule
from helpers.training import WORKERS_START, quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint


def fit(ranks, folder, ckpt_path=None, *, max_steps=-1, estimate=False, workers=0):
    checkpoints = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer = quiet_trainer(
        max_epochs=2,
        max_steps=max_steps,
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        callbacks=[checkpoints],
        enable_checkpointing=True,
        num_sanity_val_steps=0,
    )
    model = Recorder(estimate=estimate)
    streams = folder.parent
    data = StreamsDataModule(
        str(streams / "train"),
        str(streams / "val"),
        4,
        num_workers=workers,
        multiprocessing_context=WORKERS_START,
    )
    trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return {"trained": model.trained, "validated": model.validated}, trainer.global_rank


def main(ranks: int, folder: Path, workers: int) -> None:
    runs = {}
    runs["whole"], rank = fit(ranks, folder / "whole", workers=workers)
    part = folder / "part"
    runs["part"], _ = fit(ranks, part, max_steps=7, workers=workers)
    checkpoint = part / "step=7.ckpt"
    runs["resumed"], _ = fit(ranks, part, checkpoint, estimate=True, workers=workers)
    torch.save(runs, folder / f"runs.{rank}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
