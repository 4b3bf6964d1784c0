"""Modules and data on an accelerator: no step waits for it, and it learns what a CPU does."""

import pytest
import torch
from device import DEVICE, NAME, listening, on_device
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import MixedPrecision
from sklearn.datasets import load_wine
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.datamodules import BatchAugment, ImageDataModule, TabularDataModule
from torchvitals.lightning_modules import (
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    ResNetClassifier,
)

CLASSES = 3
EVERYTHING = {
    "rotation": 15, "resized_crop": 0.5, "horizontal_flip": 0.5, "brightness": 0.2,
    "contrast": 0.2, "saturation": 0.2, "hue": 0.1, "grayscale": 0.1, "sharpness": 0.2,
    "posterize": 4, "solarize": 0.5, "autocontrast": 0.5, "equalize": 0.5, "blur": 1.0,
    "noise": 0.05, "erasing": 0.5, "mixup": 0.4, "cutmix": 1.0,
}  # fmt: skip


def batch(size=16):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, 3, 8, 8, generator=generator), torch.arange(size) % CLASSES


def batches():
    return DataLoader(TensorDataset(*batch(48)), batch_size=16)


MODELS = {
    "convolutional": lambda: ConvNetClassifier(
        3, CLASSES, channels=(4, 8), norm="batch", l1=1e-5, l2=1e-3, lr=0.01
    ),
    "residual": lambda: ResNetClassifier(
        3, CLASSES, stem="cifar", width=4, label_smoothing=0.1, lr=0.01
    ),
    "scaled by the first batch": lambda: MLPClassifier(192, CLASSES, init="lsuv", lr=0.01),
    "robust regression": lambda: MLPRegressor(192, 1, loss="huber", lr=0.01),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_never_waits_for_the_device(name):
    model = MODELS[name]().to(DEVICE)
    x, y = (part.to(DEVICE) for part in batch())
    y = y.float() if "regression" in name else y
    model.training_step((x, y), 0).backward()
    with listening("wait") as waits:
        for step in range(5):
            model.training_step((x, y), step).backward()
    assert set(waits) == set()


@pytest.mark.parametrize("name", MODELS)
def test_the_device_learns_what_a_cpu_does(name):
    learned = []
    for where in ({}, on_device()):
        torch.manual_seed(0)
        model = MODELS[name]()
        x, y = batch(48)
        y = y.float() if "regression" in name else y
        data = DataLoader(TensorDataset(x, y), batch_size=16)
        quiet_trainer(max_epochs=2, **where).fit(model, data, data)
        learned.append({k: v.cpu() for k, v in model.state_dict().items()})
    for key, value in learned[0].items():
        torch.testing.assert_close(learned[1][key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_mixed_precision_learns(precision):
    torch.manual_seed(0)
    scaler = torch.amp.GradScaler(NAME) if precision == "16-mixed" else None
    plugin = MixedPrecision(precision, NAME, scaler)
    model = ConvNetClassifier(3, CLASSES, channels=(8, 16), norm="batch", lr=0.01, l1=1e-5, l2=1e-3)
    trainer = quiet_trainer(max_epochs=20, plugins=[plugin], **on_device())
    trainer.fit(model, batches())
    assert trainer.callback_metrics["train_accuracy"] > 0.9


def test_a_resumed_run_goes_on_as_an_uninterrupted_one(tmp_path):
    def fit(ckpt_path=None):
        torch.manual_seed(0)
        model = MLPClassifier(64, 10, dropout=0.5)
        data = ImageDataModule("digits", augment="light", batch_size=256)
        saving = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
        trainer = quiet_trainer(
            max_epochs=2, callbacks=[saving], enable_checkpointing=True, **on_device()
        )
        trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
        return trainer, model

    trainer, whole = fit()
    middle = trainer.num_training_batches + 2
    _, resumed = fit(tmp_path / f"step={middle}.ckpt")
    for expected, value in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(value.cpu(), expected.cpu())


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("operations", [EVERYTHING, "randaugment", {"random_crop": 4}])
def test_augmentation_never_waits_for_the_device(operations, dtype, keyed):
    augment = BatchAugment(operations, clamp=True, num_classes=10, mean=0.5, std=0.25)
    images = (torch.rand(8, 3, 16, 16) * (255 if dtype == torch.uint8 else 1)).to(DEVICE, dtype)
    targets = (torch.arange(8) % 10).to(DEVICE)
    index = torch.arange(8).to(DEVICE) if keyed else None
    augment(images, targets, index=index)
    with listening("wait") as waits:
        augment(images, targets, index=index, epoch=1)
    assert set(waits) == set()


@pytest.mark.parametrize("operations", ["strong", "trivialaugment", {"random_crop": 4}])
def test_augmented_images_are_those_of_a_cpu(operations):
    images, index = torch.rand(8, 3, 16, 16), torch.arange(8)
    expected = BatchAugment(operations, clamp=True)(images, index=index)
    found = BatchAugment(operations, clamp=True)(images.to(DEVICE), index=index.to(DEVICE))
    assert ((found.cpu() - expected).abs() > 1e-3).float().mean() < 0.002


@pytest.mark.parametrize("resident", [False, True])
def test_images_reach_the_device_as_they_reach_a_cpu(resident):
    weights = []
    for where in ({}, on_device()):
        torch.manual_seed(0)
        model = MLPClassifier(64, 10, lr=0.01)
        data = ImageDataModule("digits", augment="light", batch_size=256, resident=resident)
        quiet_trainer(max_epochs=2, **where).fit(model, datamodule=data)
        weights.append([p.detach().cpu() for p in model.parameters()])
    for expected, value in zip(*weights, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4)


def test_tables_reach_the_device_as_they_reach_a_cpu():
    wine = load_wine(as_frame=True).frame
    weights = []
    for where in ({}, on_device()):
        torch.manual_seed(0)
        data = TabularDataModule(wine, "target", batch_size=32, augment={"swap": 0.1})
        model = MLPClassifier(13, 3, lr=0.01)
        quiet_trainer(max_epochs=2, **where).fit(model, datamodule=data)
        weights.append([p.detach().cpu() for p in model.parameters()])
    for expected, value in zip(*weights, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4)
