"""What all modules do alike: metrics, precision, memory format, compilation, checkpoints."""

import functools
import warnings

import numpy as np
import pytest
import torch
import torchmetrics.functional as reference
from helpers.training import quiet_trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import resnet18

from torchvitals.lightning_modules import (
    Classifier,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    Regressor,
)

torch.manual_seed(0)
IMAGES, LABELS = torch.randn(48, 1, 8, 8), torch.arange(48) % 7
NUMBERS = torch.randn(48, 5)
TARGETS = NUMBERS @ torch.randn(5, 2)


def loader(x, y, batch_size=16):
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


def test_classification_metrics_of_an_epoch_are_those_of_all_its_outputs():
    model = MLPClassifier(64, 7, hidden=(16,))
    trainer = quiet_trainer(max_epochs=2)
    data = loader(IMAGES, LABELS, batch_size=10)
    trainer.fit(model, data, data)
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    with torch.no_grad(), warnings.catch_warnings():
        logits = model.eval()(IMAGES)
        task = {"task": "multiclass", "num_classes": 7}
        expected = {
            "val_loss": nn.functional.cross_entropy(logits, LABELS),
            "val_accuracy": reference.accuracy(logits, LABELS, **task),
            "val_top5_accuracy": reference.accuracy(logits, LABELS, **task, top_k=5),
            "val_f1": reference.f1_score(logits, LABELS, **task, average="macro"),
            "val_calibration_error": reference.calibration_error(logits, LABELS, **task),
        }
    assert {name: logged[name] for name in expected} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )
    area = reference.auroc(logits, LABELS, **task).item()
    assert logged["val_auroc"] == pytest.approx(area, abs=2e-3)
    assert {"train_loss", "train_accuracy"} <= logged.keys()
    predicted = logits.argmax(1)
    counts = torch.zeros(7, 7, dtype=torch.long)
    counts.index_put_((LABELS, predicted), torch.ones(48, dtype=torch.long), accumulate=True)
    assert torch.equal(model.confusion_matrix["val"], counts)


@pytest.mark.parametrize("shape", ["column", "flat", "wide"])
def test_regression_metrics_of_an_epoch_are_those_of_all_its_outputs(shape):
    targets = {"column": TARGETS[:, :1], "flat": TARGETS[:, 0], "wide": TARGETS}[shape]
    model = MLPRegressor(5, 2 if shape == "wide" else 1, hidden=(8,), activation="tanh")
    trainer = quiet_trainer(max_epochs=2)
    data = loader(NUMBERS, targets, batch_size=10)
    trainer.fit(model, data, data)
    with torch.no_grad():
        outputs = model.eval()(NUMBERS)
    targets = targets.reshape(outputs.shape)
    errors = outputs - targets
    r2 = 1 - errors.square().sum(0) / (targets - targets.mean(0)).square().sum(0)
    expected = {
        "val_loss": errors.square().mean(),
        "val_mae": errors.abs().mean(),
        "val_rmse": errors.square().mean().sqrt(),
        "val_r2": r2.mean(),
    }
    logged = {name: trainer.callback_metrics[name].item() for name in expected}
    assert logged == pytest.approx({k: v.item() for k, v in expected.items()}, rel=1e-4)


def test_a_loss_that_is_not_a_number_is_shown_and_not_left_out():
    x = NUMBERS.clone()
    x[3] = float("nan")
    trainer = quiet_trainer(detect_anomaly=False)
    trainer.fit(MLPRegressor(5), loader(x, TARGETS[:, 0]))
    assert trainer.callback_metrics["train_loss"].isnan()


def test_an_epoch_of_one_sample_has_no_r2_and_no_error():
    trainer = quiet_trainer()
    data = loader(NUMBERS[:1], TARGETS[:1, 0])
    trainer.fit(MLPRegressor(5), data, data)
    assert trainer.callback_metrics["val_r2"].isnan()


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_each_regression_loss_is_torchs_own(loss):
    torchs = {"mse": nn.MSELoss(), "mae": nn.L1Loss(), "huber": nn.HuberLoss()}[loss]
    model = Regressor(nn.Linear(5, 1), loss=loss)
    found = model.training_step((NUMBERS, TARGETS[:, 0]), 0)
    torch.testing.assert_close(found, torchs(model(NUMBERS)[:, 0], TARGETS[:, 0]))


@pytest.mark.parametrize(
    "y", [TARGETS[:, 0].long(), TARGETS, TARGETS[:1, 0], TARGETS[:, 0, None, None]]
)
def test_targets_that_would_be_broadcast_are_refused(y):
    with pytest.raises(ValueError, match=r"outputs' shape \(48, 1\), but got"):
        Regressor(nn.Linear(5, 1)).training_step((NUMBERS, y), 0)


def test_smoothing_class_weights_and_soft_labels_are_torchs_own():
    model = Classifier(nn.Linear(5, 3), 3, label_smoothing=0.2, class_weights=[1.0, 2.0, 0.5])
    y = torch.arange(48) % 3
    weights = torch.tensor([1.0, 2.0, 0.5])
    for target in (y, torch.rand(48, 3).softmax(1)):
        expected = nn.functional.cross_entropy(model(NUMBERS), target, weights, label_smoothing=0.2)
        torch.testing.assert_close(model.training_step((NUMBERS, target), 0), expected)


SOFT = torch.rand(48, 3).softmax(1)


@pytest.mark.parametrize("stage", ["fit", "validate", "test"])
@pytest.mark.parametrize(
    ("y", "shown"),
    [
        (torch.tensor([[1.0, 0, 0], [1, 1, 0]]).repeat(24, 1), r"sample 1 sum to 2\."),
        (torch.zeros(48, 3), r"sample 0 sum to 0\."),
        (SOFT * 1.02, r"sum to 1\.02\."),
        (torch.full((48, 3), torch.nan), r"sum to nan\."),
    ],
)
def test_several_labels_for_a_sample_are_no_probabilities(y, shown, stage):
    model = Classifier(nn.Linear(5, 3), 3)
    with pytest.raises(ValueError, match=rf"to 1 for each sample.*{shown}.* one class per sample"):
        getattr(quiet_trainer(), stage)(model, loader(NUMBERS, y))


@pytest.mark.parametrize("precision", ["32-true", "bf16-true", "16-true"])
def test_probabilities_in_half_precision_sum_to_1(precision):
    dtype = {"32-true": torch.float32, "bf16-true": torch.bfloat16, "16-true": torch.float16}
    y = torch.rand(48, 1000).softmax(1).to(dtype[precision])
    model = Classifier(nn.Linear(5, 1000), 1000, optimizer="sgd")
    trainer = quiet_trainer(precision=precision)
    trainer.fit(model, loader(NUMBERS, y), loader(NUMBERS, y))
    assert trainer.callback_metrics["train_loss"].isfinite()


def test_the_sums_of_probabilities_are_looked_at_once_in_an_epoch(monkeypatch):
    seen = []
    monkeypatch.setattr(Classifier, "_check_sums", lambda self, y: seen.append(self.training))
    trainer = quiet_trainer(max_epochs=2, num_sanity_val_steps=0)
    trainer.fit(Classifier(nn.Linear(5, 3), 3), loader(NUMBERS, SOFT), loader(NUMBERS, SOFT))
    assert seen == [True, False] * 2
    trainer.fit_loop.max_epochs = 3
    trainer.fit(trainer.model, loader(NUMBERS, LABELS % 3), loader(NUMBERS, LABELS % 3))
    assert seen == [True, False] * 2


def test_several_labels_are_for_a_loss_that_takes_them():
    class MultiLabel(Classifier):
        def configure_loss(self):
            return nn.BCEWithLogitsLoss()

    y = (torch.rand(48, 3) > 0.5).float()
    trainer = quiet_trainer()
    trainer.fit(MultiLabel(nn.Linear(5, 3), 3), loader(NUMBERS, y), loader(NUMBERS, y))
    assert trainer.callback_metrics["train_loss"].isfinite()


def test_the_confusion_matrix_is_drawn_and_given_to_loggers_that_take_pictures(tmp_path):
    class Pictures(CSVLogger):
        def log_image(self, key, images):
            self.images = {key: images}

    model, logger = MLPClassifier(64, 7, hidden=(16,)), Pictures(tmp_path)
    trainer = quiet_trainer(logger=[logger, CSVLogger(tmp_path)])
    with pytest.raises(ValueError, match="'test' to have run"):
        model.plot_confusion_matrix()
    trainer.test(model, loader(IMAGES, LABELS), verbose=False)
    (figure,) = logger.images["test_confusion_matrix"]
    figure.savefig(tmp_path / "counts.png")
    counts = model.confusion_matrix["test"]
    written = sum(int(text.get_text()) for text in model.plot_confusion_matrix().texts)
    assert written == counts.sum() == 48


def test_very_many_classes_have_no_confusion_matrix():
    """Each batch would add to all of it: 20 GB for 50,000 classes."""
    model = MLPClassifier(64, 2_001, hidden=(4,))
    trainer = quiet_trainer()
    trainer.test(model, loader(IMAGES, LABELS), verbose=False)
    assert trainer.callback_metrics["test_top5_accuracy"] <= 1
    assert model.confusion_matrix == {}
    with pytest.raises(ValueError, match="at most 2,000 classes"):
        model.plot_confusion_matrix()


MODULES = {
    "mlp": (lambda **a: MLPClassifier(64, 7, hidden=(16,), norm="batch", **a), IMAGES, LABELS),
    "conv": (lambda **a: ConvNetClassifier(1, 7, norm="batch", **a), IMAGES, LABELS),
    "regressor": (lambda **a: MLPRegressor(5, 2, hidden=(8,), norm="layer", **a), NUMBERS, TARGETS),
    "torchvision": (
        lambda **a: Classifier(resnet18(num_classes=7), 7, **a),
        IMAGES.expand(48, 3, 8, 8).repeat(1, 1, 4, 4)[:16],
        LABELS[:16],
    ),
}  # fmt: skip


@pytest.fixture(params=MODULES)
def case(request):
    return MODULES[request.param]


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true", "bf16-true"])
def test_each_precision_trains(case, precision):
    make, x, y = case
    if precision.endswith("true") and y.is_floating_point():
        y = y.to(torch.float64 if precision == "64-true" else torch.bfloat16)
    trainer = quiet_trainer(precision=precision)
    trainer.fit(make(), loader(x, y), loader(x, y))
    assert trainer.callback_metrics["train_loss"].isfinite()
    assert trainer.callback_metrics["val_loss"].isfinite()


def test_forward_and_loss_compile_into_one_graph(case):
    make, x, y = case
    model = make()

    def loss(x, y):
        return model.compute_loss(model(x), y)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, y), loss(x, y))


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_module_trains_as_an_eager_one(tmp_path):
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = MLPClassifier(64, 7, hidden=(16,), norm="batch")
        trainer = quiet_trainer(max_epochs=2)
        data = loader(IMAGES, LABELS)
        used = torch.compile(model, backend="aot_eager") if compiled else model
        trainer.fit(used, data, data)
        losses.append(trainer.callback_metrics["val_loss"].item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    torch._dynamo.reset()


def test_channels_last_gives_the_same_outputs_from_images_in_that_format():
    torch.manual_seed(0)
    plain = ConvNetClassifier(3, 7, channels=(8, 8))
    torch.manual_seed(0)
    model = ConvNetClassifier(3, 7, channels=(8, 8), channels_last=True)
    images = torch.randn(4, 3, 8, 8)
    seen = []
    model.network[0].register_forward_hook(lambda m, args, out: seen.append((args[0], out)))
    torch.testing.assert_close(model(images), plain(images), rtol=1e-4, atol=1e-5)
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in seen[0])
    assert model.network[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_checkpoints_load_with_weights_only(case, tmp_path):
    make, x, y = case
    model = make(optimizer=torch.optim.AdamW, scheduler="one_cycle", l1=1e-4)
    trainer = quiet_trainer()
    trainer.fit(model, loader(x, y))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    state = torch.load(tmp_path / "run.ckpt", weights_only=True)
    assert state["hyper_parameters"]["optimizer"] == "adamw"


class Mine(Classifier):
    """A subclass as a user writes it: its own arguments, the rest passed on."""

    def __init__(self, width: int = 4, **arguments):
        super().__init__(None, num_classes=7, **arguments)

    def configure_network(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, self.hparams.width), nn.ReLU(),
                             nn.Linear(self.hparams.width, 7))  # fmt: skip


def test_a_subclass_loads_back_with_no_argument(tmp_path):
    model = Mine(width=5, lr=0.01, optimizer=torch.optim.SGD)
    trainer = quiet_trainer()
    trainer.fit(model, loader(IMAGES, LABELS))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert dict(model.hparams) == {"width": 5, "lr": 0.01, "optimizer": "sgd"}
    loaded = Mine.load_from_checkpoint(tmp_path / "run.ckpt")
    torch.testing.assert_close(loaded(IMAGES), model(IMAGES))
    assert loaded.lr == 0.01


class PassedOn(MLPClassifier):
    """A subclass that leaves all arguments but its own to the base class."""

    def __init__(self, extra, *args, **kwargs):
        super().__init__(*args, **kwargs)


class PassedOnAgain(PassedOn):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, lr=0.01, **kwargs)


@pytest.mark.parametrize("kind", [PassedOn, PassedOnAgain])
def test_a_subclass_that_passes_arguments_on_loads_back_with_none(kind, tmp_path):
    model = kind(3, 64, 7, hidden=(5,))
    trainer = quiet_trainer()
    trainer.fit(model, loader(IMAGES, LABELS))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert dict(model.hparams) == {"extra": 3, "in_features": 64, "num_classes": 7, "hidden": (5,)}
    loaded = kind.load_from_checkpoint(tmp_path / "run.ckpt")
    torch.testing.assert_close(loaded(IMAGES), model(IMAGES))
    assert loaded.lr == model.lr


class PassedBehindItsOwn(MLPClassifier):
    def __init__(self, side, *args, **kwargs):
        super().__init__(side * side, *args, **kwargs)


class PassedBehindItsNetwork(Classifier):
    def __init__(self, wide, *args, **kwargs):
        super().__init__(nn.Sequential(nn.Flatten(), nn.Linear(64, 7, bias=wide)), *args, **kwargs)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (PassedBehindItsOwn, 8, {"side": 8, "num_classes": 7}),
        (PassedBehindItsNetwork, True, {"wide": True, "num_classes": 7}),
    ],
)
def test_a_subclass_may_put_an_argument_before_those_it_passes_on(kind, given, kept, tmp_path):
    model = kind(given, 7)
    trainer = quiet_trainer()
    trainer.fit(model, loader(IMAGES, LABELS))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert dict(model.hparams) == kept
    loaded = kind.load_from_checkpoint(tmp_path / "run.ckpt")
    torch.testing.assert_close(loaded(IMAGES), model(IMAGES))


def sgd_of_numpy(parameters, lr):
    return torch.optim.SGD(parameters, lr=np.float64(lr), momentum=np.float32(0.5))


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": np.logspace(-3, -1, 3)[0]},
        {"optimizer": "nadam", "optimizer_options": {"betas": (np.float64(0.8), 0.99)}},
        {"optimizer": functools.partial(torch.optim.SGD, momentum=np.float64(0.9))},
        {"optimizer": functools.partial(torch.optim.Adam, betas=np.array([0.8, 0.99]))},
        {"optimizer": sgd_of_numpy},
        {"scheduler": "cosine", "scheduler_options": {"eta_min": np.float64(1e-4)}},
        {"hidden": np.array([8, 8]), "norm": "batch", "norm_options": {"eps": np.float64(1e-4)}},
        {"hidden": [np.int64(8), np.int64(8)], "class_weights": tuple(np.ones(7))},
    ],
)
def test_numbers_of_numpy_leave_checkpoints_that_resume(arguments, tmp_path):
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(MLPClassifier(64, 7, **arguments), loader(IMAGES, LABELS))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    loaded = MLPClassifier.load_from_checkpoint(tmp_path / "run.ckpt", weights_only=True)
    resumed = quiet_trainer(max_epochs=2)
    resumed.fit(loaded, loader(IMAGES, LABELS), ckpt_path=tmp_path / "run.ckpt", weights_only=True)
    assert resumed.global_step == 2 * trainer.global_step


def test_a_wrapped_network_is_given_again_when_loading(tmp_path):
    model = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 7)), 7)
    trainer = quiet_trainer()
    trainer.fit(model, loader(IMAGES, LABELS))
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    again = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
    loaded = Classifier.load_from_checkpoint(tmp_path / "run.ckpt", network=again)
    torch.testing.assert_close(loaded(IMAGES), model(IMAGES))


def test_neither_network_nor_configure_network_says_what_to_do():
    with pytest.raises(NotImplementedError, match="`network` or to override `configure_network`"):
        Classifier(None, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smoothing": 1.0}, "`label_smoothing` from 0 to below 1"),
        ({"class_weights": [1.0]}, "`class_weights` to hold 7 numbers, but got 1"),
        ({"norm": "instance"}, "'instance' for dense layers"),
        ({"norm": "group", "norm_options": {"groups": 3}}, "divide the width 128, but got 3"),
        ({"norm": "batch", "norm_options": {"groups": 3}}, r"but got \['groups'\]"),
        ({"norm_position": "behind"}, "Expected `norm_position`"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(64, 7, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": "0.1"}, "`lr` to be a number, but got '0.1'"),
        ({"l2": None}, "`l2` to be a number, but got None"),
        ({"dropout": "0.1"}, "`dropout` to be a number, but got '0.1'"),
        ({"hidden": 64}, r"`hidden` to be a sequence of integers, one for .* but got 64"),
        ({"hidden": (64.5,)}, "`hidden` to be a whole number, but got 64.5"),
        ({"activation": "threshold"}, "`activation_options` that 'threshold' .*missing 2"),
    ],
)
def test_arguments_of_another_kind_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        MLPClassifier(64, 7, **arguments)
