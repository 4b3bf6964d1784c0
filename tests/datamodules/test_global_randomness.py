import random

import numpy
import pytest
import torch
from helpers.reviews import reviews
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import Callback
from sklearn.datasets import load_wine

from torchvitals.datamodules import ImageDataModule, TabularDataModule, TextDataModule
from torchvitals.lightning_modules import MLPClassifier, TextClassifier


def images():
    pixels = torch.arange(60 * 36).reshape(60, 1, 6, 6).remainder(251).byte()
    data = ImageDataModule(
        (pixels, torch.arange(60) % 3),
        augment={"rotation": 10, "erasing": 0.5, "mixup": 1.0, "noise": 0.1},
        balanced=True,
        check_duplicates=True,
    )
    return data, MLPClassifier(36, 3)


def texts():
    data = TextDataModule(reviews(60), encoding="vocabulary", augment="eda", balanced=True)
    return data, TextClassifier(2, buckets=500, embedding_dim=4)


def tables():
    augment = {"noise": 0.1, "swap": 0.2, "mixup": 0.4}
    data = TabularDataModule(load_wine(return_X_y=True), augment=augment, balanced=True)
    return data, MLPClassifier(13, 3)


def global_states():
    name, keys, *rest = numpy.random.get_state()
    return torch.get_rng_state().tolist(), random.getstate(), (name, keys.tolist(), *rest)


@pytest.mark.parametrize("make", [images, texts, tables])
def test_data_4_no_global_generator_is_touched(make):
    data, model = make()
    before = global_states()
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model, datamodule=data)
    trainer.validate(model, datamodule=data, verbose=False)
    trainer.test(model, datamodule=data, verbose=False)
    trainer.predict(model, datamodule=data)
    assert global_states() == before


class Recorder(Callback):
    def __init__(self):
        self.batches = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.batches.append(batch)


@pytest.mark.parametrize("make", [images, texts, tables])
def test_data_4_and_6_global_seeds_change_no_batch(make):
    def seen(seed):
        torch.manual_seed(seed), random.seed(seed), numpy.random.seed(seed)
        data, model = make()
        quiet_trainer(max_epochs=2, callbacks=[recorder := Recorder()]).fit(model, datamodule=data)
        return recorder.batches

    first, second = seen(1), seen(2)
    assert len(first) > 1
    for ours, theirs in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
