"""Train through, and resume from stops in mid-epoch, on a number of ranks.

Saves for each rank what it trained on in each run, the final weights, and what it validated.
"""

import sys
from pathlib import Path

import torch
from helpers.loading import ItemsDataModule, Recorder
from helpers.training import WORKERS_START, quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint


def fit(ranks, folder, ckpt_path=None, *, estimate, max_steps=-1, **settings):
    checkpoints = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    trainer = quiet_trainer(
        max_epochs=3,
        max_steps=max_steps,
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        callbacks=[checkpoints],
        enable_checkpointing=True,
        num_sanity_val_steps=0,
    )
    model = Recorder(estimate=estimate)
    trainer.fit(model, datamodule=ItemsDataModule(45, 4, **settings), ckpt_path=ckpt_path)
    run = {"trained": model.trained, "weight": model.weight.item()}
    return run, model.validated[:6], trainer.global_rank


def main(ranks: int, folder: Path, estimate: bool, workers: str, steps: list[int]) -> None:
    if workers == "resident":
        data = {"resident": True}
    else:
        data = {"num_workers": int(workers), "multiprocessing_context": WORKERS_START}
    arguments = {"estimate": estimate, **data}
    runs = {}
    runs["whole"], runs["validated"], rank = fit(ranks, folder / "whole", **arguments)
    for step in steps:
        part = folder / f"part{step}"
        runs[f"part{step}"], *_ = fit(ranks, part, max_steps=step, **arguments)
        runs[f"resumed{step}"], *_ = fit(ranks, part, part / f"step={step}.ckpt", **arguments)
    torch.save(runs, folder / f"runs.{rank}")


if __name__ == "__main__":
    ranks, folder, estimate, workers, steps = sys.argv[1:]
    main(
        int(ranks),
        Path(folder),
        estimate == "estimate",
        workers,
        [int(step) for step in steps.split(",")],
    )
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
