"""Labels of which a share is wrong: told by what is right of validation."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.vital_signs import FLAT, found, record, vitals
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.examination import examine
from torchvitals.callbacks.diagnosing.vital_signs.signs import InputScale
from torchvitals.callbacks.problem import Problem as P

# A label is kept in 45 of 100 samples, and drawn from the other nine in the rest.
KEPT = 0.45
NOISE = -KEPT * math.log(KEPT) - (1 - KEPT) * math.log((1 - KEPT) / 9)
SIGNS = {
    "accuracies": [KEPT] * 40,
    "data_losses": [NOISE] * 40,
    "validation_scores": [0.6, 0.85, 0.9, 0.9, 0.9],
    "scores_are_accuracies": True,
    "planned_steps": 400,
}


def noisy(**other):
    return vitals([NOISE + 0.02 * (-1) ** i for i in range(300)], **{**SIGNS, **other})


def test_half_of_the_labels_wrong_is_told_with_their_share():
    (symptom,) = [s for s in examine(noisy()) if s.problem is P.INCONSISTENT_LABELS]
    assert symptom.severity == "warning"
    assert "about 50% of the training labels are wrong" in symptom.evidence


def test_a_quarter_of_them_is_only_worth_knowing():
    kept = 0.7
    losses = [-kept * math.log(kept) - 0.3 * math.log(0.3 / 9)] * 40
    assert found(noisy(accuracies=[kept] * 40, data_losses=losses))[P.INCONSISTENT_LABELS] == "info"


def test_a_validation_loss_says_as_much_as_an_accuracy():
    # Nine in ten are held for what they are, with the chances that they have in training.
    loss = -0.9 * math.log(KEPT) - 0.1 * math.log((1 - KEPT) / 9)
    checks = {"validation_losses": [loss] * 5, "training_epoch_losses": [NOISE] * 5,
              "validation_epochs": list(range(5)), "scores_are_accuracies": False,
              "validation_scores": []}  # fmt: skip
    (symptom,) = [s for s in examine(noisy(**checks)) if s.problem is P.INCONSISTENT_LABELS]
    assert "about 50% of the training labels are wrong" in symptom.evidence
    level = noisy(**{**checks, "validation_losses": [NOISE] * 5})
    assert P.INCONSISTENT_LABELS not in found(level)


LEARNT = {
    "accuracies": [*[KEPT] * 20, *[0.6] * 20],
    "data_losses": [*[NOISE] * 20, *[1.2] * 20],
    "validation_scores": [0.5, 0.85, 0.92, 0.92, 0.92, 0.86, 0.83, 0.8, 0.78, 0.76, 0.75, 0.74],
}


@pytest.mark.parametrize("scores", [LEARNT["validation_scores"], [0.5, 0.85, *[0.92] * 10]])
def test_wrong_labels_that_are_learned_by_heart_are_told_by_what_was_before(scores):
    """Sure of what it has by heart, it errs no more as chance does; others are told no better."""
    vitals = noisy(**{**LEARNT, "validation_scores": scores})
    (symptom,) = [s for s in examine(vitals) if s.problem is P.INCONSISTENT_LABELS]
    assert symptom.severity == "warning"
    assert "about 47% of the training labels are wrong" in symptom.evidence


@pytest.mark.parametrize(
    "other",
    [
        # Forgets nothing, and has nothing by heart.
        {"validation_scores": [0.5, 0.85, *[0.92] * 10], "accuracies": [KEPT] * 40},
        {"validation_scores": LEARNT["validation_scores"][::-1]},  # gets better
        {"validation_scores": [0.5, 0.92, 0.4, 0.92, 0.5, 0.92, *[0.8] * 6]},  # is unsteady
        {"data_losses": [0.75 * NOISE] * 40},
        {"dropouts": [0.5]},
        {"scores_are_accuracies": False},
        {"validation_scores": [math.nan, *LEARNT["validation_scores"][1:]]},  # is unknown at first
    ],
)
def test_what_else_gets_worse_in_validation_is_none_of_labels(other):
    assert P.INCONSISTENT_LABELS not in found(noisy(**{**LEARNT, **other}))


@pytest.mark.parametrize(
    "other",
    [
        {"data_losses": [0.75 * NOISE] * 40},  # augmented: mistaken for few others
        {"validation_scores": [0.5, 0.48, 0.5]},  # a hard task
        {"validation_scores": [0.3, 0.6, 0.9]},  # still getting better
        {"validation_scores": [90.0] * 5},  # in per cent, or no accuracy at all
        {"scores_are_accuracies": False},  # and no loss of validation
        {"dropouts": [0.5]},
        {"accuracies": [0.22] * 40, "data_losses": [2.15] * 40},  # buried in noise
        {"planned_steps": 1000},
    ],
)
def test_what_else_makes_training_harder_than_validation_is_none_of_labels(other):
    assert P.INCONSISTENT_LABELS not in found(noisy(**other))


def test_several_labels_of_a_sample_are_none_of_it():
    labels = replace(noisy().objective, task="binary", kind="bce_logits", classes=10)
    assert P.INCONSISTENT_LABELS not in found(noisy(objective=labels))


@pytest.mark.parametrize(
    ("other", "sick"),
    [
        ({}, True),
        ({"total_updates": [5e-4] * 10}, False),  # has hardly moved
        ({"dropouts": [0.5]}, False),
        ({"validation_scores": [0.2, 0.21, 0.2]}, False),  # where a constant is right of a tenth
    ],
)
def test_labels_are_to_blame_where_all_else_had_every_chance(other, sick):
    symptoms = found(vitals(FLAT, **other))
    assert (P.INCONSISTENT_LABELS in symptoms) is sick
    assert P.NOT_LEARNING in symptoms


def test_sigmoids_that_hardly_move_have_a_plateau_of_their_own():
    hidden, output = {"act": [0.02] * 9}, {"out": [0.01] * 9}
    shut = {"act": [0.0] * 9, "out": [0.0] * 9}
    sigmoids = {"saturated": record(**shut), "variances": record(**hidden, **output)}
    signs = vitals(FLAT, **sigmoids, saturating_outputs=1)
    assert P.INCONSISTENT_LABELS not in found(signs)
    (symptom,) = [s for s in examine(signs) if s.problem is P.NOT_LEARNING]
    assert "other activations than sigmoids" in symptom.remedies[0].advice
    moving = {**sigmoids, "variances": record(act=[0.1] * 9, **output)}
    assert P.INCONSISTENT_LABELS in found(vitals(FLAT, **moving, saturating_outputs=1))
    # Only an output is one: what is behind it is of other units.
    assert P.INCONSISTENT_LABELS in found(vitals(FLAT, **sigmoids, saturating_outputs=2))


@pytest.mark.parametrize(("check", "sick"), [(2.32, True), (2.7, False)])
def test_validation_far_above_a_constant_is_of_steps_and_not_of_labels(check, sick):
    checks = {"validation_losses": [check] * 5, "training_epoch_losses": [2.3] * 5,
              "validation_epochs": list(range(5))}  # fmt: skip
    assert (P.INCONSISTENT_LABELS in found(vitals(FLAT, **checks))) is sick


class Plain(LightningModule):
    def __init__(self, scores):
        super().__init__()
        self.scores = scores
        self.net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        right = self.net(batch[0]).argmax(1) == batch[1]
        if self.scores:
            self.log("val_acc", right.float().mean())
        else:
            self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.2)


@pytest.mark.parametrize(("share", "severity"), [(0.0, None), (0.3, "info"), (0.6, "warning")])
@pytest.mark.parametrize("scores", [True, False])
def test_digits_of_which_a_share_is_labelled_by_chance(share, severity, scores):
    torch.manual_seed(0)
    images, labels = (torch.tensor(part) for part in load_digits(return_X_y=True))
    images = images.float() / 16
    order = torch.randperm(len(images))
    train, test = order[:1400], order[1400:]
    given = torch.where(
        torch.rand(len(train)) < share, torch.randint(10, (len(train),)), labels[train]
    )
    loaders = (
        DataLoader(TensorDataset(images[train], given), batch_size=32, shuffle=True),
        DataLoader(TensorDataset(images[test], labels[test]), batch_size=200),
    )
    doctor = TrainingDoctor()
    Trainer(
        max_epochs=15, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(Plain(scores), *loaders)  # fmt: skip
    said = {d.problem: d.severity for d in doctor.diagnoses}
    assert said.get(P.INCONSISTENT_LABELS) == severity


MASKS = replace(
    vitals().objective, task="binary", kind="bce_logits", constant_loss=0.363, labels=4096.0,
    target_counts=[880.0, 120.0], predicted_counts=[990.0, 10.0], target_shape=(16, 1, 16, 16),
)  # fmt: skip
TURNED = {
    "objective": MASKS, "planned_steps": 310,
    "inputs": InputScale("down", 0.1, 0.4, 0.4, 0.4, 1, sizes=(16, 1)),
    "validation_losses": [0.6, 0.48, 0.39, 0.23, 0.22, 0.21, 0.21],
    "training_epoch_losses": [0.72, 0.6, 0.5, 0.345, 0.34, 0.335, 0.335],
    "validation_epochs": list(range(7)),
}  # fmt: skip
HARDLY = [0.335 + 0.01 * (-1) ** i for i in range(300)]


def test_masks_that_do_not_turn_with_their_images():
    (symptom,) = [
        s for s in examine(vitals(HARDLY, **TURNED)) if s.problem is P.INCONSISTENT_LABELS
    ]
    assert symptom.severity == "warning"
    assert "masks turn with their images" in symptom.remedies[0].advice


@pytest.mark.parametrize(
    "other",
    [
        {"dropouts": [0.2]},  # is in training alone
        {"planned_steps": 1000},
        {"objective": replace(MASKS, labels=16.0)},  # of whole samples, which MixUp mixes
        {"objective": replace(MASKS, task="regression", kind="squared")},
        {"objective": replace(MASKS, target_shape=(16, 256))},  # words, of which some are left out
        {"validation_losses": [0.6, 0.48, 0.39, 0.32, 0.31, 0.3, 0.3]},
        {"validation_losses": [0.6, 0.48, 0.39, 0.3, 0.22, 0.21, 0.21]},  # at three of four
        {"training_epoch_losses": [0.72, 0.6, 0.5, 0.4, 0.38, 0.36, 0.335]},  # still falls
        {"training_epoch_losses": [0.335] * 6},  # of another number of checks
        {"losses": [0.2 + 0.01 * (-1) ** i for i in range(300)]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_else_makes_masks_harder_in_training(other):
    signs = {"losses": HARDLY, **TURNED, **other}
    assert P.INCONSISTENT_LABELS not in found(vitals(signs.pop("losses"), **signs))
