"""The doctor where losses, data, labels or parameters are not what they should be."""

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem as P
from torchvitals.callbacks import TrainingDoctor

PIXELS, LABELS = load_digits(return_X_y=True)
PIXELS, LABELS = torch.from_numpy(PIXELS).float() / 16, torch.from_numpy(LABELS)
NAN = float("nan")


class Research(LightningModule):
    """Somebody's module: a network, and what is said of it."""

    def __init__(self, network, loss=F.cross_entropy, spoil=None):
        super().__init__()
        self.network, self.loss_function, self.spoil = network, loss, spoil

    def training_step(self, batch, batch_idx):
        loss = self.loss_function(self.network(batch[0]), batch[1])
        return loss if self.spoil is None else self.spoil(loss, batch_idx)

    def validation_step(self, batch, batch_idx):
        logits = self.network(batch[0])
        self.log("val_loss", self.loss_function(logits, batch[1]))
        if logits.ndim > 1 and logits.shape[1] > 1:
            self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dense(inputs=64, outputs=10):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs)
    )


def diagnosed(module, x, y, *, check=None, epochs=4):
    torch.manual_seed(0)
    doctor = TrainingDoctor()
    loaders = [DataLoader(TensorDataset(x, y), 32)]
    if check is not None:
        loaders.append(DataLoader(TensorDataset(*check), 200))
    quiet_trainer(callbacks=[doctor], max_epochs=epochs).fit(module, *loaders)
    assert not doctor.failed
    return {d.problem: d for d in doctor.diagnoses if d.severity != "info"}


def test_losses_that_are_nan_now_and_then_are_said():
    module = Research(dense(), spoil=lambda loss, i: loss + NAN if i % 7 == 3 else loss)
    found = diagnosed(module, PIXELS[:1400], LABELS[:1400])
    assert list(found) == [P.NON_FINITE]
    assert "first in batch 3." in found[P.NON_FINITE].evidence


@pytest.mark.parametrize("of", ["inputs", "targets"])
@pytest.mark.parametrize("row", [100, 900, 1800])
def test_a_row_with_nan_is_found_in_whatever_batch_it_is(of, row):
    torch.manual_seed(1)
    x = torch.randn(2048, 8)
    y = x[:, :1].clone()
    (x if of == "inputs" else y)[row, 0] = NAN
    found = diagnosed(Research(dense(8, 1), F.mse_loss), x, y, epochs=2)
    assert list(found) == [P.NON_FINITE]
    assert f"from batch {row // 32} on" in found[P.NON_FINITE].evidence
    assert "itself" in found[P.NON_FINITE].evidence
    assert found[P.NON_FINITE].remedies[0].code == "assert torch.isfinite(x).all()"


def test_a_loss_lost_once_of_good_data_blames_no_layer():
    module = Research(dense())
    module.spoil = lambda loss, i: loss * NAN if module.global_step == 60 else loss
    found = diagnosed(module, PIXELS[:1400], LABELS[:1400])
    assert list(found) == [P.NON_FINITE]
    assert found[P.NON_FINITE].layer is None
    assert "itself" not in found[P.NON_FINITE].evidence


@pytest.mark.parametrize("seed", [11, 13])
def test_labels_shuffled_apart_from_their_images_do_not_heal(seed):
    order = torch.randperm(1400, generator=torch.Generator().manual_seed(seed))
    check = PIXELS[1400:], LABELS[1400:]
    found = diagnosed(
        Research(dense()), PIXELS[:1400], LABELS[:1400][order], check=check, epochs=10
    )
    assert list(found) == [P.INCONSISTENT_LABELS]


class CutPoints(nn.Module):
    """Columns above limits that are to be learned, and are not: a comparison has no gradient."""

    def __init__(self):
        super().__init__()
        self.cuts = nn.Parameter(torch.full((64,), 0.5))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return self.linear((x > self.cuts).float())


def test_a_parameter_that_no_gradient_reaches_is_named():
    found = diagnosed(Research(CutPoints()), PIXELS[:300], LABELS[:300], epochs=8)
    assert found[P.FROZEN_PARAMETER].layer == "network.cuts"


class Factors(nn.Module):
    """Ratings as products of two tables."""

    def __init__(self, constant=None):
        super().__init__()
        self.users, self.items = nn.Embedding(30, 8), nn.Embedding(20, 8)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.3)
            if constant is not None:
                nn.init.constant_(table.weight, constant)

    def forward(self, pairs):
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1)


def test_tables_filled_with_one_number_are_one_column_wide():
    generator = torch.Generator().manual_seed(0)
    pairs = torch.stack([torch.randint(n, (900,), generator=generator) for n in (30, 20)], 1)
    left, right = torch.randn(30, 3, generator=generator), torch.randn(20, 3, generator=generator)
    ratings = (left[pairs[:, 0]] * right[pairs[:, 1]]).sum(1)
    same = diagnosed(Research(Factors(0.1), F.mse_loss), pairs, ratings)
    assert next(iter(same)) == P.SYMMETRIC_WEIGHTS
    assert P.SYMMETRIC_WEIGHTS not in diagnosed(Research(Factors(), F.mse_loss), pairs, ratings)


class Chosen(nn.Module):
    """The value of one of several actions, behind a softmax that has no place there."""

    def __init__(self):
        super().__init__()
        self.values = dense(8, 4)

    def forward(self, x):
        action = x[:, :1].sign().long().clamp(min=0)
        return self.values(x).softmax(-1).gather(1, action)


def test_an_output_that_is_chosen_among_others_is_still_that_of_its_function():
    x = torch.randn(600, 8, generator=torch.Generator().manual_seed(0))
    found = diagnosed(Research(Chosen(), F.smooth_l1_loss), x, -5 * x[:, 1:2].abs())
    assert next(iter(found)) == P.OUTPUT_LOSS_MISMATCH
    assert "softmax" in found[P.OUTPUT_LOSS_MISMATCH].evidence


def tagged(rare):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1500, 20, generator=generator)
    scores = x @ torch.randn(20, 12, generator=generator) / 20**0.5
    noise = 2 * torch.randn(1500, 12, generator=generator)
    return x, (scores + noise > (4.2 if rare else 0.0)).float()


class Tagger(Research):
    """Several labels for each sample, and an accuracy over all of them."""

    def validation_step(self, batch, batch_idx):
        logits = self.network(batch[0])
        self.log("val_loss", self.loss_function(logits, batch[1]))
        self.log("val_acc", ((logits > 0) == (batch[1] > 0.5)).float().mean())


@pytest.mark.parametrize("rare", [True, False])
def test_tags_that_are_never_predicted_are_missed_where_they_are_rare(rare):
    x, y = tagged(rare)
    module = Tagger(nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 12)))
    module.loss_function = F.binary_cross_entropy_with_logits
    found = diagnosed(module, x[:1200], y[:1200], check=(x[1200:], y[1200:]), epochs=8)
    assert (P.CLASS_IMBALANCE in found) is rare
