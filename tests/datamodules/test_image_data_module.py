from inspect import signature
from types import SimpleNamespace

import numpy
import pytest
import torch
from helpers.images import FASHION_MNIST, write_images
from helpers.images_module import BatchRecorder
from helpers.training import quiet_trainer
from jsonargparse import ArgumentParser
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.utils.class_weight import compute_class_weight

from torchvitals import lightning_modules
from torchvitals.datamodules import (
    BatchAugment,
    ImageDataModule,
    TabularDataModule,
    TextDataModule,
)
from torchvitals.lightning_modules import ConvNetClassifier, MLPClassifier


def _pixels(count=60, channels=1, height=5, width=4, dtype=torch.uint8):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, channels, height, width), generator=draw)
    return pixels.to(dtype) if dtype == torch.uint8 else (pixels / 255).to(dtype)


def _data(count=60, classes=3, dtype=torch.uint8, channels=1, **arguments):
    """As many images as are asked for, the classes in turn."""
    pixels = _pixels(count, channels, dtype=dtype)
    return ImageDataModule((pixels, torch.arange(count) % classes), **arguments)


def _unnormalized(data, x):
    return x.float() * data.std + data.mean


# Splits


def test_splits_never_move_and_do_not_overlap():
    first, second = ImageDataModule(), ImageDataModule(batch_size=7, augment="none")
    first.setup("fit")
    torch.rand(3)
    second.setup("test")
    first.setup("fit")
    assert all(torch.equal(first.splits[n], second.splits[n]) for n in first.splits)
    assert torch.equal(torch.cat([*first.splits.values()]).sort().values, torch.arange(1797))
    other = ImageDataModule(seed=1)
    other.setup("fit")
    assert not torch.equal(first.splits["train"], other.splits["train"])


def test_fit_test_fit_on_one_module_sees_the_same_images():
    data, seen = _data(augment="none", batch_size=8), []
    for _ in range(2):
        model = BatchRecorder()
        trainer = quiet_trainer()
        trainer.fit(model, datamodule=data)
        numpy.random.rand(), torch.rand(2)
        trainer.test(model, datamodule=data, verbose=False)
        seen.append([model.together(stage)[0].sum() for stage in ("train", "val", "test")])
    torch.testing.assert_close(seen[0], seen[1])


def test_folds_validate_on_every_image_outside_the_test_split_once():
    folds = [_data(num_folds=4, fold=fold, test_fraction=0.2) for fold in range(4)]
    for data in folds:
        data.setup("fit")
    validated = torch.cat([data.splits["val"] for data in folds]).sort().values
    assert all(torch.equal(data.splits["test"], folds[0].splits["test"]) for data in folds)
    everything = torch.cat([validated, folds[0].splits["test"]]).sort().values
    assert torch.equal(everything, torch.arange(60))


def test_parts_of_a_data_set_stay_what_they_are():
    pixels, labels = _pixels(60), torch.arange(60) % 3
    parts = {"train": slice(0, 30), "val": slice(30, 45), "test": slice(45, 60)}
    given = {name: (pixels[part], labels[part]) for name, part in parts.items()}
    places = {name: torch.arange(60)[part] for name, part in parts.items()}

    data = ImageDataModule(given)
    data.setup("fit")
    assert all(torch.equal(data.splits[name], places[name]) for name in parts)

    without = ImageDataModule({n: given[n] for n in ("train", "test")}, val_fraction=0.2)
    without.setup("fit")
    assert torch.equal(without.splits["test"], torch.arange(30, 45))
    assert len(without.splits["val"]) == 6
    assert torch.cat([without.splits[n] for n in ("train", "val")]).max() == 29

    folded = ImageDataModule(given, num_folds=3)
    folded.setup("fit")
    assert [len(folded.splits[n]) for n in parts] == [30, 15, 15]
    assert torch.equal(folded.splits["test"], places["test"])

    untested = ImageDataModule({n: given[n] for n in ("train", "val")})
    with pytest.raises(ValueError, match="Expected a test split, but got none"):
        quiet_trainer().test(BatchRecorder(), datamodule=untested)


# Statistics and classes


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_statistics_come_from_the_training_split_alone(dtype):
    data = _data(dtype=dtype, channels=3)
    data.setup("fit")
    outside = torch.cat([data.splits["val"], data.splits["test"]])
    pixels = _pixels(channels=3, dtype=dtype)
    pixels[outside] = 0
    corrupted = ImageDataModule((pixels, torch.arange(60) % 3))
    corrupted.setup("fit")
    assert torch.equal(data.mean, corrupted.mean)
    assert torch.equal(data.std, corrupted.std)
    training = pixels[data.splits["train"]].double() / (255 if dtype == torch.uint8 else 1)
    torch.testing.assert_close(data.mean.flatten(), training.mean((0, 2, 3)).float())


@pytest.mark.parametrize("name", ["mean", "std", "class_counts", "class_names", "image_shape"])
def test_what_the_data_are_is_found_out_when_it_is_asked_for(name):
    data = _data()
    data.setup("fit")
    assert str(getattr(_data(), name)) == str(getattr(data, name))


def test_given_statistics_are_taken_and_grey_images_repeated():
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    with pytest.raises(ValueError, match="one number for each of 1 channels, but got 3"):
        _data(mean=mean, std=std).setup("fit")
    data = ImageDataModule((_pixels(), torch.arange(60) % 3), mean=mean, std=std, image_channels=3)
    data.setup("fit")
    images, _, _ = batch = next(iter(data.val_dataloader()))
    x, _ = data.on_after_batch_transfer(batch, 0)
    expected = images.expand(-1, 3, -1, -1) / 255
    expected = (expected - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(x, expected)
    assert data.image_shape == x.shape[1:] == (3, 5, 4)
    same = _data(mean=0.5, std=0.25, channels=3)
    x, _ = same.on_after_batch_transfer(next(iter(same.val_dataloader())), 0)
    torch.testing.assert_close(x * 0.25 + 0.5, _pixels(channels=3)[same.splits["val"]] / 255)


def test_classes_are_counted_in_the_training_split_and_weighed_as_scikit_learn_does():
    labels = numpy.array(["dog"] * 40 + ["cat"] * 10 + ["ant"] * 10)
    data = ImageDataModule((_pixels(), labels))
    assert data.class_names == ("ant", "cat", "dog")
    training = labels[data.splits["train"]]
    assert data.class_counts.tolist() == [(training == n).sum() for n in data.class_names]
    expected = compute_class_weight("balanced", classes=numpy.unique(labels), y=training)
    numpy.testing.assert_allclose(data.class_weights, expected, rtol=1e-6)
    MLPClassifier(20, data.num_classes, class_weights=data.class_weights.tolist())


def test_a_class_absent_from_training_has_a_finite_weight_and_a_stable_place():
    pixels = _pixels(30)
    data = ImageDataModule(
        {"train": (pixels[:20], ["a", "c", "c", "c"] * 5), "test": (pixels[20:], ["b"] * 10)}
    )
    assert data.class_names == ("a", "b", "c")
    assert data.class_counts[1] == 0
    assert torch.isfinite(data.class_weights).all()
    assert data.class_weights[1] == data.class_weights[0]


def test_balanced_batches_hold_every_class_as_often():
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    data = ImageDataModule((_pixels(1000), labels), balanced=True, batch_size=50, augment="none")
    drawn = torch.cat([y for _ in range(5) for _, y, _ in data.train_dataloader()])
    shares = drawn.bincount(minlength=3) / len(drawn)
    # Five standard deviations of a share of 1/3 in that many draws.
    assert (shares - 1 / 3).abs().max() < 5 * (2 / 9 / len(drawn)) ** 0.5
    plain = torch.cat([y for _, y, _ in _data(900).train_dataloader()])
    assert len(plain.unique()) == 3


# What the network gets


def test_training_batches_alone_are_augmented():
    data = _data(augment={"brightness": [0.5, 0.5]}, batch_size=8)
    model = BatchRecorder()
    trainer = quiet_trainer(num_sanity_val_steps=-1)
    trainer.fit(model, datamodule=data)
    trainer.validate(model, datamodule=data, verbose=False)
    trainer.test(model, datamodule=data, verbose=False)
    predicted = torch.cat(trainer.predict(model, datamodule=data))
    pixels = _pixels().float() / 255
    for stage, split in (("sanity", "val"), ("val", "val"), ("test", "test"), ("predict", "test")):
        count = len(data.splits[split])
        x, y = (values[:count] for values in model.together(stage))
        torch.testing.assert_close(_unnormalized(data, x), pixels[data.splits[split]])
        assert torch.equal(y, data.splits[split] % 3)
    assert torch.equal(predicted, data.splits["test"] % 3)
    x, _ = model.together("train")
    torch.testing.assert_close(
        _unnormalized(data, x).flatten(1).sum(1).sort().values,
        (pixels[data.splits["train"]] * 0.5).flatten(1).sum(1).sort().values,
    )


# Lightning's own word on `val_fraction=0`.
no_validation = pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero")


@no_validation
def test_an_image_that_is_drawn_again_looks_different():
    images, labels = _pixels(20), [0] * 19 + [1]
    data = ImageDataModule((images, labels), balanced=True, val_fraction=0, test_fraction=0)
    model = BatchRecorder()
    quiet_trainer().fit(model, datamodule=data)
    x, y = model.together("train")
    rare = x[y == 1].flatten(1)
    assert len(rare) > 4
    assert len(rare.unique(dim=0)) == len(rare)


def _trained_by_image(**arguments):
    """What each image looked like in each of two epochs; every image is a class of its own."""
    data = ImageDataModule(
        (_pixels(24), torch.arange(24)), val_fraction=0, test_fraction=0, **arguments
    )
    model = BatchRecorder()
    quiet_trainer(max_epochs=2).fit(model, datamodule=data)
    half = len(model.batches["train"]) // 2
    epochs = []
    for batches in (model.batches["train"][:half], model.batches["train"][half:]):
        looks = {}
        for x, y in batches:
            looks |= dict(zip(y.tolist(), x, strict=True))
        epochs.append(looks)
    return epochs


@no_validation
@pytest.mark.parametrize(
    "arguments", [{"batch_size": 4}, {"batch_size": 7, "num_workers": 2}, {"batch_size": 1}]
)
def test_an_image_of_an_epoch_looks_alike_in_any_batch(arguments):
    expected = _trained_by_image(batch_size=24)
    state = torch.get_rng_state()
    looks = _trained_by_image(**arguments)
    assert torch.equal(torch.get_rng_state(), state)
    for ours, theirs in zip(looks, expected, strict=True):
        assert len(ours) > 10
        for image, x in ours.items():
            torch.testing.assert_close(x, theirs[image])
    same = set(looks[0]) & set(looks[1])
    assert not any(torch.equal(looks[0][image], looks[1][image]) for image in same)


@pytest.mark.parametrize("augment", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1, "cutmix": 1}])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_mixed_targets_are_shares_in_training_alone(augment, dtype):
    data = _data(augment=augment, dtype=dtype, batch_size=8)
    model = BatchRecorder()
    quiet_trainer().fit(model, datamodule=data)
    _, shares = model.together("train")
    assert shares.shape[1] == 3
    torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))
    assert ((shares > 0.01).sum(1) > 1).any()
    assert model.together("val")[1].dtype == torch.int64


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true", "64-true"])
def test_a_classifier_learns_from_mixed_targets_in_any_precision(precision):
    data = _data(augment={"rotation": 10, "mixup": 0.4, "cutmix": 1.0})
    model = MLPClassifier(20, 3, label_smoothing=0.1, class_weights=[1.0, 2.0, 1.0])
    before = [p.detach().clone() for p in model.parameters()]
    trainer = quiet_trainer(precision=precision, max_epochs=2)
    trainer.fit(model, datamodule=data)
    assert trainer.callback_metrics["train_loss"].isfinite()
    assert not any(torch.equal(a, b.to(a)) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("32-true", torch.float32),
        ("bf16-mixed", torch.float32),
        ("bf16-true", torch.bfloat16),
        ("64-true", torch.float64),
    ],
)
def test_pixels_of_any_type_come_in_the_type_of_the_network(dtype, precision, expected):
    data = _data(dtype=dtype)
    model = BatchRecorder()
    trainer = quiet_trainer(precision=precision)
    trainer.fit(model, datamodule=data)
    x, _ = model.together("val")
    assert x.dtype == model.together("train")[0].dtype == expected
    pixels = _pixels()[data.splits["val"]].float() / 255
    exact = expected != torch.bfloat16 and dtype in (torch.uint8, torch.float32)
    tolerance = 1e-6 if exact else 2e-2
    torch.testing.assert_close(
        _unnormalized(data, x[: len(pixels)]), pixels, atol=tolerance, rtol=0
    )


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [None, 9, (8, 12)])
def test_images_of_any_channels_and_sizes_train(channels, size):
    data = _data(channels=channels, image_size=size, augment="strong")
    height, width = (5, 4) if size is None else (9, 9) if size == 9 else size
    assert data.image_shape == (channels, height, width)
    model = BatchRecorder()
    quiet_trainer().fit(model, datamodule=data)
    assert model.together("train")[0].shape[1:] == (channels, height, width)
    assert model.together("val")[0].isfinite().all()


def test_images_in_memory_become_grey_where_that_is_asked_for():
    data = ImageDataModule((_pixels(channels=3), torch.arange(60) % 3), image_channels=1)
    assert data.image_shape == (1, 5, 4)
    grey = (_pixels(channels=3).double() * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(
        1
    )
    (images, _, index) = next(iter(data.val_dataloader()))
    assert (images[:, 0] - grey[index]).abs().max() <= 0.6
    with pytest.raises(ValueError, match="can be converted to 4 channels, but they have 1"):
        ImageDataModule((_pixels(), torch.arange(60) % 3), image_channels=4).setup()


@pytest.mark.gpu
def test_a_batch_is_finished_on_the_gpu_without_waiting_for_it():
    data = _data(channels=3, augment="strong", image_size=8)
    batch = next(iter(data.train_dataloader()))
    module = SimpleNamespace(dtype=torch.float32)
    data.trainer = SimpleNamespace(
        training=True, sanity_checking=False, current_epoch=1, lightning_module=module
    )
    expected, _ = data.on_after_batch_transfer(batch, 0)
    on_gpu = tuple(tensor.cuda() for tensor in batch)
    data.on_after_batch_transfer(on_gpu, 0)  # the first batch brings the statistics along
    torch.cuda.set_sync_debug_mode("error")
    try:
        x, _ = data.on_after_batch_transfer(on_gpu, 0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(x.cpu(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("balanced", [False, True])
def test_resident_images_give_the_same_batches(balanced):
    seen = []
    for resident in (False, True):
        data = _data(resident=resident, balanced=balanced, batch_size=7, augment={"mixup": 0.4})
        model = BatchRecorder()
        quiet_trainer(max_epochs=2).fit(model, datamodule=data)
        quiet_trainer().test(model, datamodule=data, verbose=False)
        seen.append([model.together(stage) for stage in ("train", "val", "test")])
    for ours, theirs in zip(*seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_files_cannot_be_resident(tmp_path):
    write_images(tmp_path, {"cat": 10, "dog": 10})
    data = ImageDataModule("folder", tmp_path, resident=True)
    with pytest.raises(ValueError, match="Expected `resident` to be False for images"):
        quiet_trainer().fit(BatchRecorder(), datamodule=data)


# Sizes at the edge


def test_a_last_batch_of_one_is_left_out_in_training():
    data = _data(val_fraction=0.2, test_fraction=0)
    data.setup("fit")
    assert len(data.splits["train"]) == 48
    data.batch_size = 47
    assert [len(y) for _, y, _ in data.train_dataloader()] == [47]
    data.batch_size = 100
    assert [len(y) for _, y, _ in data.train_dataloader()] == [48]
    data.batch_size = 1
    assert len(data.train_dataloader()) == 48


@no_validation
def test_empty_splits():
    data = _data(val_fraction=0, test_fraction=0)
    model = BatchRecorder()
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=data)
    assert set(model.batches) == {"train"}
    for run in (trainer.test, trainer.predict):
        with pytest.raises(ValueError, match="Expected a test split, but got none"):
            run(model, datamodule=data)


# Files


@pytest.mark.parametrize("workers", [0, 2, None])
def test_a_folder_trains_with_worker_processes(tmp_path, workers):
    write_images(tmp_path, {"cat": 10, "dog": 10, "emu": 10}, size=(20, 16))
    data = ImageDataModule("folder", tmp_path, image_size=8, batch_size=6, num_workers=workers)
    model = ConvNetClassifier(3, data.num_classes, channels=(4, 8))
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=data)
    assert data.class_names == ("cat", "dog", "emu")
    assert data.image_shape == (3, 8, 8)
    assert trainer.callback_metrics["val_loss"].isfinite()


def test_spawned_workers_read_the_same_batches(tmp_path):
    write_images(tmp_path, {"cat": 10, "dog": 10})
    arguments = {"batch_size": 6, "test_fraction": 0}
    alone = ImageDataModule("folder", tmp_path, num_workers=0, **arguments)
    helped = ImageDataModule(
        "folder", tmp_path, num_workers=1, multiprocessing_context="spawn", **arguments
    )
    for ours, theirs in zip(helped.train_dataloader(), alone.train_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@no_validation
@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_file_is_named_in_training(tmp_path, workers):
    write_images(tmp_path, {"cat": 4, "dog": 4}, size=(32, 32))
    data = ImageDataModule(
        "folder",
        tmp_path,
        num_workers=workers,
        val_fraction=0,
        test_fraction=0,
        mean=[0.5] * 3,
        std=[0.5] * 3,
    )
    path = tmp_path / "dog" / "003.png"
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(ValueError, match=rf"Expected {path} to be an image .* Replace the file"):
        quiet_trainer().fit(BatchRecorder(), datamodule=data)


def test_memory_stays_flat_over_a_thousand_batches(tmp_path):
    write_images(tmp_path, {"cat": 60, "dog": 60}, size=(32, 32))
    data = ImageDataModule("folder", tmp_path, batch_size=8, num_workers=0, test_fraction=0)

    def passes(count):
        for _ in range(count):
            for batch in data.train_dataloader():
                data.on_after_batch_transfer(batch, 0)

    def held():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    passes(16)
    before = held()
    passes(80)
    assert held() - before < 4 * 2**20


def test_duplicates_across_splits_are_told():
    pixels = _pixels(dtype=torch.uint8)
    pixels[3:6] = pixels[0:3]
    pixels[30:] = pixels[:30]
    data = ImageDataModule((pixels, torch.arange(60) % 3), check_duplicates=True)
    with pytest.warns(UserWarning, match=r"Expected splits without duplicates, but \d+ images of"):
        data.setup("fit")
    found = data.find_duplicates()
    for (first, second), pairs in found.pairs.items():
        for ours, theirs in pairs.tolist():
            assert ours in data.splits[first]
            assert theirs in data.splits[second]
            assert torch.equal(pixels[ours], pixels[theirs])
    assert len(found) > 10
    assert len(_data().find_duplicates()) == 0


@pytest.mark.parametrize("augment", ["standard", {"mixup": 1.0}])
def test_the_picture_shows_the_images_that_are_trained_on(augment):
    data = _data(augment=augment, channels=3)
    figure = data.plot_batch(5, epoch=2)
    pictures = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    assert len(pictures) == 10
    index = data.splits["train"][:5]
    before = _pixels(channels=3)[index].float() / 255
    numpy.testing.assert_allclose(pictures[0], before[0].permute(1, 2, 0), rtol=1e-6)
    expected = BatchAugment(augment, num_classes=3)
    after, _ = expected(before, index % 3, index=index, epoch=2)
    numpy.testing.assert_allclose(pictures[5], after[0].permute(1, 2, 0), rtol=1e-6)


# State


def test_a_run_resumed_in_mid_epoch_ends_in_the_same_weights(tmp_path):
    def fit(steps, checkpoint=None):
        torch.manual_seed(0)
        model = MLPClassifier(20, 3, hidden=(8,), optimizer="sgd", lr=0.1)
        data = _data(augment={"brightness": 0.5, "mixup": 0.4}, batch_size=8, balanced=True)
        saving = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        trainer = quiet_trainer(
            max_epochs=3, max_steps=steps, callbacks=[saving], enable_checkpointing=True
        )
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint)
        return model

    whole = fit(-1)
    fit(7)
    resumed = fit(-1, tmp_path / "step=7.ckpt")
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_checkpoint_restores_statistics_and_classes(tmp_path):
    names = ["ant", "bee", "cat"]
    labels = [names[i % 3] for i in range(60)]
    data, model = ImageDataModule((_pixels(), labels), augment="none"), BatchRecorder()
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=data)
    path = tmp_path / "it.ckpt"
    trainer.save_checkpoint(path)
    torch.load(path, weights_only=True)

    # Other images, none of them a bee: the classes keep their indices.
    fewer = ImageDataModule((_pixels() // 2, ["ant", "cat"] * 30))
    tested = BatchRecorder()
    quiet_trainer().test(tested, datamodule=fewer, ckpt_path=path, verbose=False)
    assert fewer.class_names == ("ant", "bee", "cat")
    assert torch.equal(fewer.mean, data.mean)
    x, y = tested.together("test")
    index = fewer.splits["test"]
    assert torch.equal(y, index % 2 * 2)
    torch.testing.assert_close(_unnormalized(data, x), (_pixels() // 2)[index].float() / 255)

    other = ImageDataModule((_pixels(), ["ant", "dog"] * 30))
    with pytest.raises(ValueError, match=r"classes ant, bee, cat, but .* has images of dog"):
        quiet_trainer().test(BatchRecorder(), datamodule=other, ckpt_path=path)


def test_a_state_loaded_before_the_data_are_read_counts_too():
    first, second = _data(), _data(dtype=torch.float32)
    first.setup("fit")
    second.load_state_dict({**first.state_dict(), "mean": torch.full((1, 1, 1, 1), 0.25)})
    second.setup("fit")
    assert second.mean.item() == 0.25


def test_hyperparameters_are_saved_without_the_images():
    data = _data(batch_size=8, image_size=(3, 4))
    assert "dataset" not in data.hparams
    assert data.hparams.batch_size == 8
    assert ImageDataModule("fashion_mnist").hparams.dataset == "fashion_mnist"


# Arguments


def test_operations_by_name_are_parsed_from_yaml_and_augment():
    parser = ArgumentParser()
    parser.add_subclass_arguments(ImageDataModule, "data")
    operations = {"rotation": 15, "zoom": [0.9, 1.1], "blur": {"range": 1.0, "p": 0.5}}
    data = {"class_path": f"{ImageDataModule.__module__}.ImageDataModule"}
    data["init_args"] = {"augment": operations, "image_size": [8, 9], "mean": [0.5], "std": [1]}
    data["init_args"] |= {
        "dataset_options": {"split": "letters"},
        "image_channels": 1,
        "num_folds": 3,
    }
    parsed = parser.instantiate_classes(parser.parse_object({"data": data})).data
    assert parsed.augment.operations == BatchAugment(operations).operations
    assert list(parsed.augment.operations) == ["rotation", "zoom", "blur"]
    assert parsed.image_size == (8, 9)
    assert parsed.dataset_options == {"split": "letters"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "digit"}, "Did you mean 'digits'"),
        ({"augment": "standart"}, "Did you mean 'standard'"),
        ({"batch_size": 0}, "`batch_size` to be at least 1"),
        ({"num_workers": -1}, "`num_workers` to be at least 0"),
        ({"val_fraction": 1.5}, "`val_fraction`"),
        ({"test_fraction": -0.1}, "`test_fraction`"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave items for training"),
        ({"num_folds": 1}, "`num_folds` to be at least 2"),
        ({"fold": 1}, "`num_folds` with `fold`, but got fold 1"),
        ({"num_folds": 3, "fold": 3}, r"`fold` in 0..2, but got 3"),
        ({"image_channels": 2}, "`image_channels` to be 1, 3 or 4"),
        ({"image_size": 0}, "`image_size` to be a positive number"),
        ({"image_size": (3, 4, 5)}, "`image_size` to be a positive number"),
        ({"mean": [0.5]}, "`std` together with `mean`, but got None"),
        ({"mean": [0.5], "std": [0.0]}, "`std` to be above 0"),
        ({"dataset": (torch.zeros(2, 3), [0, 1])}, r"\(N, H, W\), but got \(2, 3\)"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDataModule(**arguments)


def test_a_folder_in_place_of_the_data_set_is_told_where_it_goes(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    with pytest.raises(ValueError, match=f"use `ImageDataModule.'folder', data_dir='{folder}'.`"):
        ImageDataModule(str(folder))


def test_images_of_one_class_are_told_before_training():
    images = torch.rand(20, 1, 8, 8)
    with pytest.warns(UserWarning, match=r"all 20 images are of one.* `data_dir`"):
        ImageDataModule((images, [0] * 20)).setup("fit")
    ImageDataModule((images, [0] * 20)).setup("test")


@pytest.mark.parametrize(
    "make",
    [
        ImageDataModule,
        lambda: TextDataModule((["a", "b"] * 20, [0, 1] * 20)),
        lambda: TabularDataModule((torch.rand(40, 2), torch.arange(40) % 2)),
    ],
)
def test_a_trainer_of_the_other_package_is_refused_with_what_to_import(make):
    from pytorch_lightning import LightningModule, Trainer

    class Other(LightningModule):
        def training_step(self, batch, batch_idx):
            return torch.zeros((), requires_grad=True)

        def configure_optimizers(self):
            return None

    trainer = Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(TypeError, match=r"Use `from lightning.pytorch import Trainer`"):
        trainer.fit(Other(), datamodule=make())


@pytest.mark.skipif(
    not FASHION_MNIST.is_dir(), reason="needs the Debian package dataset-fashion-mnist"
)
def test_fashion_mnist_is_learnt_in_a_hundred_steps():
    torch.manual_seed(0)
    data = ImageDataModule("fashion_mnist", FASHION_MNIST, batch_size=128, augment="light")
    assert data.image_shape == (1, 28, 28)
    assert [len(data.splits[name]) for name in ("train", "val", "test")] == [51_000, 9_000, 10_000]
    assert data.class_counts.tolist() == [5_100] * 10
    model = MLPClassifier(784, data.num_classes, norm="batch")
    trainer = quiet_trainer(max_steps=100, limit_val_batches=0)
    trainer.fit(model, datamodule=data)
    (metrics,) = trainer.test(model, datamodule=data, verbose=False)
    assert metrics["test_accuracy"] > 0.75


def test_no_argument_has_the_name_of_one_of_a_module():
    """Lightning's loggers refuse a module and a data module that give one name two values."""
    modules = [getattr(lightning_modules, name) for name in lightning_modules.__all__]
    named = {n for m in modules if isinstance(m, type) for n in signature(m).parameters}
    for kind in (ImageDataModule, TabularDataModule, TextDataModule):
        assert not named & set(signature(kind).parameters)
