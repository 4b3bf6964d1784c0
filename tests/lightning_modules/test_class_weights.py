"""Weights of classes in the loss: of any kind, for any targets, those that were given last."""

import numpy as np
import pytest
import torch
from helpers.training import quiet_trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.datamodules import ImageDataModule, TabularDataModule, TextDataModule
from torchvitals.lightning_modules import Classifier, MLPClassifier

X, Y = torch.randn(32, 4), torch.arange(32) % 3
LOADER = DataLoader(TensorDataset(X, Y), batch_size=8)


@pytest.mark.parametrize(
    "weights",
    [[1, 2, 5], np.array([1.0, 2.0, 5.0]), np.array([1, 2, 5]), torch.tensor([1.0, 2.0, 5.0])],
)
def test_weights_of_any_kind_train_and_load_back(weights, tmp_path):
    model = MLPClassifier(4, np.int64(3), hidden=(8,), class_weights=weights)
    trainer = quiet_trainer()
    trainer.fit(model, LOADER)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = MLPClassifier.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert loaded.class_weights == [1.0, 2.0, 5.0]
    assert loaded.compute_loss.weight.tolist() == [1.0, 2.0, 5.0]


@pytest.mark.parametrize(
    ("saved", "given"), [([1, 1, 1], [1, 5, 9]), (None, [1, 5, 9]), ([1, 5, 9], None)]
)
def test_weights_that_are_given_win_over_those_of_a_checkpoint(saved, given, tmp_path):
    trainer = quiet_trainer()
    trainer.fit(MLPClassifier(4, 3, hidden=(), class_weights=saved), LOADER)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = MLPClassifier.load_from_checkpoint(tmp_path / "model.ckpt", class_weights=given)
    used = loaded.compute_loss.weight
    assert (None if used is None else used.tolist()) == given


@pytest.mark.parametrize(
    "weights", [[1.0, -1.0, 1.0], [1.0, float("nan"), 1.0], [1.0, float("inf"), 1.0], [0, 0, 0]]
)
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ValueError, match="Expected `class_weights"):
        Classifier(nn.Linear(4, 3), 3, class_weights=weights)


@pytest.mark.parametrize("weights", [{0: 1.0, 1: 2.0, 2: 5.0}, {1.0, 2.0, 5.0}, "balanced"])
def test_weights_without_an_order_are_refused(weights):
    with pytest.raises(TypeError, match=r"`class_weights` to be a sequence .* order of the cl"):
        Classifier(nn.Linear(4, 3), 3, class_weights=weights)


def test_a_subclass_may_have_arrays_for_arguments(tmp_path):
    class OfTable(Classifier):
        def __init__(self, table, **arguments):
            super().__init__(nn.Linear(4, 3), 3, **arguments)

    model = OfTable(np.arange(6).reshape(2, 3), lr=0.5)
    assert model.hparams["lr"] == 0.5
    assert model.hparams["table"].shape == (2, 3)
    assert model.hparams_initial["table"].shape == (2, 3)


def test_the_weights_of_each_data_module_can_be_given():
    kinds = ["a"] * 6 + ["b"] * 2
    data = [
        TabularDataModule((X[:8].numpy(), kinds), val_fraction=0.0, test_fraction=0.0),
        ImageDataModule((torch.rand(8, 1, 2, 2), kinds), val_fraction=0.0, test_fraction=0.0),
        TextDataModule((["word"] * 8, kinds), val_fraction=0.0, test_fraction=0.0),
    ]
    for each in data:
        each.setup("fit")
        model = MLPClassifier(4, 2, hidden=(), class_weights=each.class_weights)
        assert model.class_weights == pytest.approx([8 / 12, 2.0])


def test_batches_that_are_no_pairs_are_told():
    data = ImageDataModule((torch.rand(32, 1, 2, 2), Y.numpy()), batch_size=8)
    with pytest.raises(ValueError, match=r"batches `\(x, y\)`, but got 3 parts: .*datamodule=data"):
        quiet_trainer().fit(MLPClassifier(4, 3), data.train_dataloader())
    named = DataLoader([{"x": X[0], "y": Y[0]}])
    with pytest.raises(ValueError, match=r"batches `\(x, y\)`, but got dict"):
        quiet_trainer().fit(MLPClassifier(4, 3), named)


def test_images_that_are_not_normalised_yet_are_not_predicted():
    data = ImageDataModule((torch.rand(32, 1, 2, 2), Y.numpy()), batch_size=8)
    model, trainer = MLPClassifier(4, 3), quiet_trainer()
    with pytest.raises(ValueError, match=r"batches `\(x, y\)`, but got 3 parts: .*datamodule=data"):
        trainer.predict(model, data.predict_dataloader())
    for batches in (DataLoader(X), DataLoader(TensorDataset(X)), DataLoader(TensorDataset(X, Y))):
        assert torch.cat(trainer.predict(model, batches)).shape == (32, 3)
