"""Modules with an ``example_input_array``, which Lightning passes to the data modules' hooks."""

import pytest
import torch
from helpers.training import quiet_trainer

from torchvitals.datamodules import ImageDataModule, TabularDataModule, TextDataModule
from torchvitals.lightning_modules import MLPClassifier, TextClassifier

LABELS = [0, 1, 1] * 10
CASES = {
    "images": (
        lambda: ImageDataModule((torch.rand(30, 1, 4, 4), LABELS)),
        lambda: MLPClassifier(16, 2),
        torch.rand(3, 1, 4, 4),
    ),
    "table": (
        lambda: TabularDataModule((torch.rand(30, 5), LABELS)),
        lambda: MLPClassifier(5, 2),
        torch.rand(3, 5),
    ),
    "texts": (
        lambda: TextDataModule(([f"a text of {i}" for i in range(30)], LABELS)),
        lambda: TextClassifier(2),
        torch.randint(1, 9, (3, 6)),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_a_model_with_an_example_input_is_summarised_and_exported(name):
    make_data, make_model, example = CASES[name]
    model = make_model()
    model.example_input_array = example
    quiet_trainer(enable_model_summary=True).fit(model, datamodule=make_data())
    traced = model.to_torchscript(method="trace")
    torch.testing.assert_close(traced(example), model.eval()(example))
