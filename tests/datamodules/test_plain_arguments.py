"""Arguments that are numbers and lists of NumPy and pandas leave checkpoints that load."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training import quiet_trainer

from torchvitals.datamodules import ImageDataModule, TabularDataModule, TextDataModule
from torchvitals.lightning_modules import MLPClassifier, TextClassifier

pandas = pytest.importorskip("pandas")
FRAME = pandas.DataFrame({"a": range(0, 60, 2), "b": [1.0, 2.0] * 15, "y": [0, 1, 1] * 10})
TEXTS = [f"a text of {i}" for i in range(30)], [0, 1, 1] * 10
NUMBERS = {"batch_size": np.int64(8), "val_fraction": np.float64(0.2), "seed": np.int64(3)}

CASES = {
    "table": (
        lambda: TabularDataModule(
            FRAME,
            np.int64(2),
            features=FRAME.columns[:2],
            missing=np.float64(0.5),
            augment={"noise": np.float64(0.1)},
            **NUMBERS,
        ),
        lambda: MLPClassifier(2, 2),
    ),
    "texts": (
        lambda: TextDataModule(
            TEXTS, max_length=np.int64(9), augment={"random_swap": np.float32(0.1)}, **NUMBERS
        ),
        lambda: TextClassifier(2),
    ),
    "images": (
        lambda: ImageDataModule(
            image_size=np.int64(8),
            mean=np.array([0.3]),
            std=np.array([0.4]),
            augment={
                "zoom": (np.float64(0.9), 1.1),
                "random_crop": np.int64(1),
                "brightness": np.array([0.5, 1.5]),
            },
            **NUMBERS,
        ),
        lambda: MLPClassifier(64, 10),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_holds_plain_values(name, tmp_path):
    make_data, make_model = CASES[name]
    trainer = quiet_trainer(max_epochs=1, limit_train_batches=2)
    trainer.fit(make_model(), datamodule=make_data())
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    torch.load(tmp_path / "run.ckpt", weights_only=True)
    resumed = quiet_trainer(max_epochs=2, limit_train_batches=2)
    resumed.fit(make_model(), datamodule=make_data(), ckpt_path=tmp_path / "run.ckpt")
    assert resumed.current_epoch == 2


class FromAFolder(TabularDataModule):
    def __init__(self, folder: Path, rows, size):
        rows.to_csv(folder / "rows.csv", index=False)
        super().__init__(folder / "rows.csv", "y", batch_size=size)


class FromArrays(ImageDataModule):
    def __init__(self, images, labels):
        super().__init__((images, labels))


def test_what_a_subclass_got_is_plain_or_left_out(tmp_path):
    data = FromAFolder(tmp_path, FRAME, np.int64(16))
    assert data.hparams["folder"] == str(tmp_path)
    assert data.hparams["size"] == 16
    assert data.hparams["data"] == str(tmp_path / "rows.csv")
    assert "rows" not in data.hparams
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(MLPClassifier(2, 2), datamodule=data)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    MLPClassifier.load_from_checkpoint(tmp_path / "run.ckpt", weights_only=True)
    images = FromArrays(torch.rand(20, 1, 4, 4), torch.arange(20) % 2)
    for kept in (images.hparams, images.hparams_initial):
        assert not {"dataset", "images", "labels"} & kept.keys()
