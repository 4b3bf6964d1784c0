"""What an epoch's metrics of classification are, held against those of all outputs."""

import copy

import pytest
import torch
from helpers.as_it_is import AsItIs
from helpers.training import quiet_trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningsEarlyStopping
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.functional.classification import multiclass_calibration_error

from torchvitals.callbacks import EarlyStopping
from torchvitals.lightning_modules import Classifier, MLPClassifier


def loader(x, y, batch_size=64):
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


def logged(module, x, y):
    (values,) = quiet_trainer().test(module, loader(x, y), verbose=False)
    return values


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("share", "scale", "shift"),
    [(0.5, 1, 0), (0.5, 1e-3, 0), (0.01, 1, -8), (0.01, 0.05, -4.6), (0.5, 6, 12), (0.5, 100, 300)],
)
def test_auroc_of_two_classes_is_scikit_learns(share, scale, shift):
    """Rare classes, networks that are too sure, and ones that know hardly anything."""
    y = (torch.arange(4000) < share * 4000).long()
    odds = scale * (normal(4000) + y) + shift
    logits = torch.stack([torch.zeros(4000), odds], 1)
    found = logged(Classifier(AsItIs(), 2), logits, y)["test_auroc"]
    assert found == pytest.approx(roc_auc_score(y, odds), abs=2e-3)


@pytest.mark.parametrize("scale", [0.01, 1, 10])
@pytest.mark.parametrize("classes", [3, 40, 1000])
def test_auroc_of_many_classes_is_scikit_learns(classes, scale):
    y = torch.arange(3 * classes) % classes
    logits = scale * (normal(len(y), classes) + 2 * nn.functional.one_hot(y, classes))
    found = logged(Classifier(AsItIs(), classes), logits, y)["test_auroc"]
    probabilities = logits.double().softmax(1)
    each = [roc_auc_score(y == k, probabilities[:, k].log()) for k in range(classes)]
    assert found == pytest.approx(sum(each) / classes, abs=2e-3)


def test_auroc_is_the_mean_over_classes_that_are_there():
    y = torch.arange(300) % 3
    logits = nn.functional.one_hot(y, 5) * 6.0 - 3
    assert logged(Classifier(AsItIs(), 5), logits, y)["test_auroc"] == pytest.approx(1.0)


@pytest.mark.parametrize("stops", [EarlyStopping, LightningsEarlyStopping])
def test_auroc_of_a_single_class_is_not_a_number_and_stops_nothing(stops, tmp_path):
    x, y = normal(64, 4), torch.zeros(64, dtype=torch.int64)
    best = ModelCheckpoint(tmp_path, monitor="val_loss")
    callbacks = [best, stops("val_loss", patience=9)]
    trainer = quiet_trainer(max_epochs=3, callbacks=callbacks, enable_checkpointing=True)
    trainer.fit(MLPClassifier(4, 3), loader(x, y), loader(x, y))
    assert trainer.callback_metrics["val_auroc"].isnan()
    assert trainer.current_epoch == 3
    assert best.best_model_score == trainer.callback_metrics["val_loss"]


@pytest.mark.parametrize("shift", [0, 5])
def test_logits_from_0_to_1_are_not_taken_for_probabilities(shift):
    generator = torch.Generator().manual_seed(0)
    logits, y = torch.rand(1000, 3, generator=generator), torch.arange(1000) % 3
    # What a chunk holds makes no difference, either.
    logits[500:] *= 4
    expected = multiclass_calibration_error(logits.softmax(1), y, 3).item()
    module = Classifier(AsItIs(), 3)
    parts = module.epoch_metrics["test_metrics"]
    parts.add(torch.zeros(()), logits[:500] + shift, y[:500])
    parts._take_in()
    parts.add(torch.zeros(()), logits[500:] + shift, y[500:])
    assert parts.compute()["calibration_error"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_what_an_interrupted_evaluation_took_in_counts_no_more(stage):
    def interrupted(batch, dataloader_idx):
        if batch[0].max() > 100:
            raise RuntimeError("interrupted")
        return batch

    x, y = normal(64, 4), torch.arange(64) % 3
    module, run = MLPClassifier(4, 3), getattr(quiet_trainer(), stage)
    expected = run(module, loader(x, y), verbose=False)
    module.on_after_batch_transfer = interrupted
    other = torch.cat([10 * x[:32], 1000 * x[:32]])
    with pytest.raises(RuntimeError, match="interrupted"):
        run(module, loader(other, y, batch_size=32), verbose=False)
    assert run(module, loader(x, y), verbose=False) == expected


def test_a_copy_takes_its_own_outputs():
    class Mine(Classifier):
        sign = 1

        def metric_outputs(self, outputs):
            return self.sign * super().metric_outputs(outputs)

    module = Mine(AsItIs(), 3)
    other = copy.deepcopy(module)
    other.sign = -1
    y = torch.arange(60) % 3
    logits = nn.functional.one_hot(y, 3) * 6.0
    found = [logged(one, logits, y)["test_accuracy"] for one in (module, other)]
    assert found == [1.0, 0.0]
