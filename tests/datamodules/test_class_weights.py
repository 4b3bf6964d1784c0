import pytest
import torch

from torchvitals.datamodules import ImageDataModule, TabularDataModule, TextDataModule

# Of the classes by these numbers all but one come often; one fold of it alone has that one.
LABELS = ["a"] * 24 + ["b"] * 12 + ["c"]
SPLITS = {"num_folds": 4, "test_fraction": 0}


def image_module(fold):
    return ImageDataModule((torch.rand(len(LABELS), 1, 4, 4), LABELS), fold=fold, **SPLITS)


def text_module(fold):
    return TextDataModule(([f"word {i}" for i in range(len(LABELS))], LABELS), fold=fold, **SPLITS)


def table_module(fold):
    return TabularDataModule((torch.rand(len(LABELS), 2), LABELS), fold=fold, **SPLITS)


@pytest.mark.parametrize("make", [image_module, text_module, table_module])
def test_an_absent_class_weighs_the_same_in_every_data_module(make):
    (absent,) = (data for fold in range(4) if (data := make(fold)).class_counts[2] == 0)
    counts = absent.class_counts
    expected = torch.tensor([1 / counts[0], 1 / counts[1], 1 / counts[1]]) * counts.sum() / 2
    torch.testing.assert_close(torch.as_tensor(absent.class_weights), expected)
