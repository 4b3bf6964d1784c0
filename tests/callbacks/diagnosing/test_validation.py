"""Which of the logged figures are the validation's loss and score."""

import math
from types import SimpleNamespace

import pytest
import torch
from helpers.scripted import batches
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from torch import nn

from torchvitals.callbacks.diagnosing.validation import ValidationCurve


def checked(metrics, loss=None, training=(1.0, 0.9), curve=None, kind=None):
    """A curve after one check."""
    curve = curve or ValidationCurve(loss, None)
    logged = {name: torch.tensor(value) for name, value in metrics.items()}
    trainer = SimpleNamespace(callback_metrics=logged, callbacks=[], lightning_module=None)
    curve.add([curve.read(trainer)], training, 0, kind)
    return curve


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"train_loss": 3.0, "val_loss": 1.0}, [1.0]),
        ({"val_nll": 2.0, "val/loss": 1.0}, [1.0]),
        ({"valid_mse": 1.0}, [1.0]),
        ({"dev_cost": 1.0, "cost": 0.5}, [1.0]),
        ({"loss/dev": 1.0}, [1.0]),
        ({"deviation_loss": 1.0}, []),
        ({"train_retrieval_loss": 0.1, "val_retrieval_loss": 1.0}, [1.0]),
        ({"survival_loss": 0.1, "loss/evalSurvival": 1.0}, [1.0]),
        ({"value_loss": 0.1, "valueLoss": 0.1, "interval_loss": 0.1, "loss_valence": 0.1}, []),
        ({"lossVal": 1.0}, [1.0]),
        ({"loss_std_dev": 1.0, "train/dev_loss": 1.0}, []),
        ({"val_cost": 250.0, "val_loss": 1.0}, [1.0]),
        ({"val_cost": 250.0}, []),
        ({"val/cross_entropy": 1.0, "val/acc": 0.5}, [1.0]),
        ({"val_mse": 250.0}, []),  # of targets in units of their own
        ({"val_nll": 0.01}, []),
        ({"val_distance": 1.0}, []),
        ({"mse": 1.0}, []),
        ({"loss/of what I validate": 1.0}, [1.0]),
    ],
)
def test_the_loss_is_found(metrics, found):
    assert checked(metrics).losses == pytest.approx(found)


def test_the_name_of_the_loss_is_kept_in_a_checkpoint():
    curve = checked({"valid/loss": 1.0})
    resumed = ValidationCurve(None, None)
    assert resumed.name == ""
    resumed.load_state_dict(curve.state_dict())
    assert curve.name == resumed.name == "valid/loss"


def test_a_name_that_was_given_is_taken_as_it_is():
    assert checked({"val_loss": 1.0, "mse": 250.0}, loss="mse").losses == [250.0]


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"val_kl_loss": 0.1, "val_loss": 1.0}, 1.0),
        ({"val_kl_loss": 0.1, "val/total_loss_epoch": 1.0}, 1.0),
        ({"val_kl_loss": 0.1, "val_loss/dataloader_idx_0": 1.0, "val_loss/dataloader_idx_1": 2.0},
         1.0),
        ({"val_kl_loss": 0.1, "val_elbo_loss": 2.0, "train_kl_loss": 0.2, "train_elbo_loss": 0.95},
         2.0),
        ({"val_kl_loss": 0.1, "val_elbo_loss": 2.0, "train_elbo_loss": 9.5}, 0.1),
        ({"val_kl_loss": 0.1, "val_elbo_loss": 2.0}, 0.1),
        # What names no part is the loss, whatever is logged of training.
        ({"val_loss": 0.1, "val_elbo_loss": 2.0, "train_elbo_loss": 0.95}, 0.1),
    ],
)  # fmt: skip
def test_of_several_losses_that_is_taken_which_is_no_part(metrics, found):
    assert checked(metrics).losses == pytest.approx([found])


def test_a_part_gives_way_once_the_whole_is_known_by_its_counterpart():
    curve = checked({"val_kl_loss": 0.1, "val_elbo_loss": 2.0})
    told = {"val_kl_loss": 0.2, "val_elbo_loss": 1.9, "train_elbo_loss": 0.81}
    checked(told, training=(1.0, 0.9, 0.8, 0.8), curve=curve)
    resumed = ValidationCurve(None, None)
    resumed.load_state_dict(curve.state_dict())
    for goes_on in (curve, resumed):
        # By then the part may be what most of the loss is.
        told = {"val_kl_loss": 0.3, "val_elbo_loss": 1.8, "train_kl_loss": 0.8}
        checked(told, training=[0.8] * 6, curve=goes_on)
        assert goes_on.losses == pytest.approx([1.9, 1.8])
        assert len(goes_on.training_losses) == len(goes_on.epochs) == 2


def test_another_unit_stays_another_unit():
    curve = checked({"val_mse": 250.0})
    assert checked({"val_mse": 1.0}, training=[1.0] * 4, curve=curve).losses == []
    other = ValidationCurve(None, None)
    other.load_state_dict(curve.state_dict())
    assert checked({"val_mse": 1.0}, training=[1.0] * 4, curve=other).losses == []


def test_a_loss_of_the_same_kind_may_be_farther_off():
    def checked_as(kind, value):
        curve = ValidationCurve(None, None)
        logged = {"val_bce": torch.tensor(value)}
        trainer = SimpleNamespace(callback_metrics=logged, callbacks=[], lightning_module=None)
        curve.add([curve.read(trainer)], [0.7, 0.6], 0, kind)
        return curve.losses

    assert checked_as("bce_logits", 3.0) == [3.0]
    assert checked_as("squared", 3.0) == []
    assert checked_as("bce_logits", 60.0) == []  # a sum over a batch


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        ({"train": 0.95, "val": 250.0}, [250.0]),
        ({"training": 0.95, "validation": 2.0}, [2.0]),
        ({"train": 0.7, "dev": 0.5}, [0.5]),
        ({"train": 0.1, "val": 0.9}, []),  # a score
        ({"val": 0.9}, []),
        ({"train": 0.95, "val_distance": 0.9}, []),
    ],
)
def test_a_name_that_says_nothing_else_is_the_loss_if_its_counterpart_is(metrics, found):
    assert checked(metrics).losses == pytest.approx(found)


def test_a_name_that_says_nothing_else_waits_for_its_counterpart():
    curve = checked({"val": 250.0})
    assert curve.losses == []
    checked({"val": 240.0, "train": 0.8}, training=(1.0, 0.9, 0.8, 0.8), curve=curve)
    assert curve.losses == [240.0]
    assert curve.training_losses == [pytest.approx(0.8)]


def course(name, values, twins, losses, curve=None, kind="squared"):
    """A curve after checks of a metric, with what is logged of training under its name."""
    seen = []
    for value, twin, loss in zip(values, twins, losses, strict=True):
        seen += [loss] * 10
        logged = {f"val_{name}": value} | ({} if twin is None else {name: twin})
        curve = checked(logged, training=list(seen), curve=curve, kind=kind)
    return curve


@pytest.mark.parametrize(
    ("name", "twins", "found"),
    [
        ("level", [3.1, 1.1, 0.6], [2.0, 2.5, 3.0]),  # a part that is most of the loss
        ("level", [None, 1.1, 0.6], []),  # two are known so far
        ("level", [3.1, 1.1, 0.2], []),
        ("iou", [3.1, 3.3, 3.5], []),  # goes another way
        ("mae", [3.1, 1.1, 0.6], []),  # an error in units of its own
        ("r2", [0.1, 0.2, 0.3], []),
    ],
)
def test_a_name_that_says_nothing_is_the_loss_if_it_goes_with_it(name, twins, found):
    curve = course(name, [2.0, 2.5, 3.0], twins, [3.0, 1.0, 0.5])
    assert curve.losses == pytest.approx(found)
    assert curve.training_losses == pytest.approx([3.0, 1.0, 0.5][: len(found)])


def test_an_error_that_is_no_loss_gives_way_to_what_goes_with_it():
    """For example, the mean error of a network that learns quantiles by a loss of its own."""
    curve, seen = ValidationCurve(None, None), []
    for value, loss in ((2.0, 3.0), (2.5, 1.0), (3.0, 0.5), (3.5, 0.4)):
        seen += [loss] * 10
        logged = {"val_mae": 9.0, "val_pinball": value, "pinball": loss}
        checked(logged, training=list(seen), curve=curve)
    assert curve.name == "val_pinball"
    assert curve.losses == pytest.approx([2.5, 3.0, 3.5])


def test_what_goes_with_the_loss_is_known_from_there_on_and_after_a_resume():
    half = course("level", [2.0, 2.5], [3.1, 1.1], [3.0, 1.0])
    curve = ValidationCurve(None, None)
    curve.load_state_dict(half.state_dict())
    seen = [3.0] * 10 + [1.0] * 10
    for value, loss in ((3.0, 0.5), (3.5, 0.4)):
        seen += [loss] * 10
        logged = {"val_level": value, "level": loss}
        checked(logged, training=list(seen), curve=curve, kind="squared")
    assert curve.losses == pytest.approx([2.0, 2.5, 3.0, 3.5])
    assert curve.name == "val_level"


def test_of_a_loss_that_nobody_reads_its_name_is_to_tell():
    assert (
        course("triplet", [2.0, 2.5, 3.0], [3.1, 1.1, 0.6], [3.0, 1.0, 0.5], kind=None).losses == []
    )


def test_of_a_loss_that_nobody_reads_its_value_tells():
    """The mean of an epoch is logged after its validation, and so known at the next one."""
    curve = course("cox", [2.0, 2.5, 3.0], [None, 3.0, 1.01], [3.0, 1.0, 0.5], kind=None)
    assert curve.losses == []
    seen = [loss for loss in (3.0, 1.0, 0.5, 0.4) for _ in range(10)]
    saved, curve = curve.state_dict(), ValidationCurve(None, None)
    curve.load_state_dict(saved)
    checked({"val_cox": 3.5, "cox": 0.5}, training=seen, curve=curve, kind=None)
    assert curve.losses == pytest.approx([2.5, 3.0, 3.5])
    assert curve.training_losses == pytest.approx([1.0, 0.5, 0.4])


def test_a_stranger_does_not_stand_in_the_way_of_the_loss():
    curve = course("gap", [2.0, 2.5], [9.0, 9.0], [3.0, 1.0])
    checked({"val_gap": 1.0, "gap": 9.0, "val_loss": 0.7}, training=[0.5] * 30, curve=curve)
    assert curve.losses == pytest.approx([0.7])


def test_what_one_rank_alone_has_logged_counts_for_all():
    trainer = SimpleNamespace(callback_metrics={}, callbacks=[], lightning_module=None)
    curve = ValidationCurve(None, None)
    nothing = curve.read(trainer)
    trainer.callback_metrics = {"val_nll": torch.tensor(5.0), "val_auroc": torch.tensor(0.7)}
    ranks = [nothing, curve.read(trainer)]
    for told in (ranks, ranks[::-1]):
        curve = ValidationCurve(None, None)
        curve.add(told, [1.0, 0.9], 0, "cross_entropy")
        assert curve.losses == [5.0]
        other = ValidationCurve(None, None)
        other.load_state_dict(curve.state_dict())
        assert curve.ranks
        assert other.ranks


@pytest.mark.parametrize(
    ("metrics", "ranks"),
    [
        ({"val_loss": 1.0, "val_auroc": 0.8}, True),
        ({"val/average_precision": 0.3}, True),
        ({"val_BinaryAUROC": 0.8}, True),
        ({"val_MultilabelAveragePrecision": 0.8}, True),
        ({"val_recall@10": 0.8, "val_ndcg": 0.3}, True),
        ({"val_vaccination_auc": 0.8}, True),
        ({"val_BinaryAccuracy": 0.8, "val_BinaryAUROC": 0.8}, False),
        ({"valid/acc": 0.8, "valid/auc": 0.8}, False),
        ({"val_auroc": 0.8, "val_f1": 0.3}, False),
        ({"train_auroc": 0.8}, False),
        ({"val_loss": 1.0, "val_mape": 1.0}, False),
    ],
)
def test_whether_the_order_of_samples_is_all_that_is_asked_for(metrics, ranks):
    assert checked(metrics).ranks == ranks


@pytest.mark.parametrize(
    ("metrics", "decides"),
    [
        ({"val_loss": 1.0, "val_auroc": 0.8}, False),
        ({"val_loss": 1.0}, False),
        ({"train_acc": 0.9}, False),
        ({"val_BinaryAccuracy": 0.8, "val_BinaryAUROC": 0.8}, True),
        ({"valid/f1": 0.8}, True),
        ({"val_loss": 1.0, "val_acc_loss": 0.8, "val_recall_loss": 0.8}, False),
    ],
)
def test_whether_decisions_are_asked_for(metrics, decides):
    assert checked(metrics).decides == decides


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("val_mse", "train_mse"), ("mse/val", "mse/train_epoch"), ("valid_mse", "train_mse_step"),
        ("val_mse", "mse"), ("mse/val", "mse_epoch"), ("valid/mse", "mse_step"),
    ],
)  # fmt: skip
def test_what_is_logged_of_training_tells_the_unit(name, twin):
    assert checked({name: 9.0, twin: 0.95}).losses == [9.0]
    assert checked({name: 9.0, twin: 250.0}).losses == []
    assert checked({name: 9.0, f"other_{twin}": 0.95}).losses == []


@pytest.mark.parametrize(
    "name",
    [
        "val_acc", "val/acc1", "acc@5/val", "val_top1", "valAcc", "val_MulticlassAccuracy",
        "val_accuracies", "val_balanced_accuracy_epoch", "val_bacc", "val_f1", "valf1",
        "val_f1score", "val_macro_f1", "val_BinaryF1Score", "val_BinaryAUROC", "val_roc_auc",
        "val_auprc", "val_acc/dataloader_idx_0",
    ],
)  # fmt: skip
def test_a_score_is_found(name):
    assert checked({name: 0.5, "val_loss": 1.0}).scores == [0.5]


@pytest.mark.parametrize(
    "name",
    [
        "val_acc_loss", "val_accuracyLoss", "val_accident_loss", "val_accidents", "val_accel",
        "val_acceleration_rmse", "val_acc_mae", "val_top1_error", "val_acc_err", "val_acc_MSE",
        "val_acc_nll", "val_vaccination", "val_auction", "val_auc_loss", "val_f1_loss",
        "val_conf1", "val_perplexity_acc",
    ],
)  # fmt: skip
def test_what_only_sounds_like_a_score_is_none(name):
    curve = checked({name: 0.5, "val_loss": 1.0})
    assert curve.scores == []
    assert not curve.are_accuracies


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("val_acc", True), ("val_f1", False), ("val_acc5", True), ("val_BinaryAUROC", False)],
)
def test_whether_a_score_is_an_accuracy(name, is_one):
    curve = checked({name: 0.5, "val_loss": 1.0})
    resumed = ValidationCurve(None, None)
    resumed.load_state_dict(curve.state_dict())
    assert curve.are_accuracies is resumed.are_accuracies is is_one


@pytest.mark.parametrize(
    ("logged", "found"),
    [({"train_acc": 0.7}, 0.7), ({"train_acc_epoch": 0.6}, 0.6), ({"train_f1": 0.7}, math.nan),
     ({"acc": 0.7}, 0.7), ({"f1": 0.7}, math.nan)],
)  # fmt: skip
def test_the_score_of_training_under_the_same_name(logged, found):
    curve = checked({"val_acc": 0.5, "val_loss": 1.0, **logged})
    resumed = ValidationCurve(None, None)
    resumed.load_state_dict(curve.state_dict())
    assert curve.training_score == pytest.approx(found, nan_ok=True)
    assert resumed.training_score == pytest.approx(found, nan_ok=True)


class Logs(LightningModule):
    """Logs in both loops under the names that are given."""

    def __init__(self, trained, validated):
        super().__init__()
        self.weight, self.trained, self.validated = nn.Parameter(torch.ones(1)), trained, validated

    def training_step(self, batch, batch_idx):
        self.log_dict(self.trained)
        return self.weight.sum()

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.log_dict(self.validated, prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Reads(Callback):
    """Reads where the doctor does."""

    def __init__(self):
        self.curve = ValidationCurve(None, None)

    def on_validation_end(self, trainer, pl_module):
        self.curve.add([self.curve.read(trainer)], [1.0, 0.9], trainer.current_epoch)


@pytest.mark.parametrize(
    ("trained", "validated", "losses", "scores"),
    [
        ({"fit/objective": 3.0}, {"test/objective": 1.0, "test/acc": 0.6}, [1.0], [0.6]),
        ({"train/loss": 3.0, "train/acc": 0.9}, {"heldout_loss": 1.0, "heldout_f1": 0.5}, [1.0],
         [0.5]),
        ({"loss": 3.0}, {"loss": 1.0}, [1.0], []),
        # A part of the loss, in units of its own.
        ({"loss": 3.0}, {"kl_loss": 0.01}, [], []),
        # One that says so goes first, whatever its size.
        ({}, {"test_loss": 1.0, "val_loss": 9.0}, [9.0], []),
        ({"test_loss": 1.0, "acc": 0.5}, {"right": 0.5}, [], []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("loaders", [1, 2])
def test_what_is_logged_in_validation_is_of_it_by_any_name(
    trained, validated, losses, scores, loaders
):
    reads, data = Reads(), [batches(1) for _ in range(loaders)]
    trainer = quiet_trainer(max_epochs=1, callbacks=[reads], num_sanity_val_steps=0)
    trainer.fit(Logs(trained, validated), batches(1), data)
    assert reads.curve.losses == pytest.approx(losses)
    assert reads.curve.scores == pytest.approx(scores)
    assert reads.curve.decides is ("acc" in str(validated) or "f1" in str(validated))
