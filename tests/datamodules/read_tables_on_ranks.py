"""Train, validate and test on two ranks; each writes the rows that it was given."""

import sys
from pathlib import Path

import torch
from helpers.training import quiet_trainer
from sklearn.datasets import load_wine

from torchvitals.datamodules import TabularDataModule
from torchvitals.lightning_modules import MLPClassifier


def rows(loader):
    return [index.tolist() for *_, index in loader]


def main(folder: Path) -> None:
    torch.manual_seed(0)
    data = TabularDataModule(
        load_wine(return_X_y=True), batch_size=9, augment={"noise": 0.1, "mixup": 0.2}
    )
    model = MLPClassifier(13, 3, norm="batch")
    trainer = quiet_trainer(devices=2, strategy="ddp", max_epochs=2)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    found = {
        "train": rows(data.train_dataloader()),
        "val": rows(data.val_dataloader()),
        "test": rows(data.test_dataloader()),
        "splits": {name: members.tolist() for name, members in data._splits.items()},
        "state": data.state_dict()["prepared"],
    }
    torch.save(found, folder / f"{trainer.global_rank}.pt")
    trainer.strategy.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
