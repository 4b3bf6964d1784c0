import os
import sys
from pathlib import Path

import pytest
import torch
from helpers.images_module import BatchRecorder
from helpers.streaming import numbered_image, write_stream
from helpers.training import quiet_trainer, run
from lightning.pytorch.callbacks import ModelCheckpoint

from torchvitals.datamodules import ImageDataModule
from torchvitals.datamodules.streaming import indexed_stream
from torchvitals.datamodules.streaming.streamed_set import spread_runs
from torchvitals.lightning_modules import MLPClassifier

needs_litdata = pytest.mark.skipif(
    indexed_stream.StreamingDataset is object, reason="needs litdata: pip install litdata"
)
NAMES = [f"class {i}" for i in range(53)]
COUNTS = {"train": 53, "val": 21, "test": 11}


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    return {name: write_stream(folder / name, count) for name, count in COUNTS.items()}


def pixels(count):
    images = [torch.from_numpy(numbered_image(i)["image"]) for i in range(count)]
    return torch.stack(images).permute(0, 3, 1, 2)


@needs_litdata
def test_streams_are_trained_on_and_evaluated(urls):
    data = ImageDataModule.from_stream(
        urls, NAMES, batch_size=4, augment={"brightness": [0.5, 0.5]}, num_workers=0
    )
    assert (data.num_classes, data.image_shape) == (53, (3, 4, 5))
    assert {name: len(index) for name, index in data.splits.items()} == COUNTS
    model = BatchRecorder()
    trainer = quiet_trainer(num_sanity_val_steps=0)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    predicted = torch.cat(trainer.predict(model, datamodule=data))
    training = pixels(53).double() / 255
    torch.testing.assert_close(data.mean.flatten(), training.mean((0, 2, 3)).float())
    for stage, split in (("val", "val"), ("test", "test"), ("predict", "test")):
        x, y = model.together(stage)
        order = y.argsort()
        assert torch.equal(y[order], torch.arange(COUNTS[split]))
        expected = pixels(COUNTS[split]).float() / 255
        torch.testing.assert_close(x[order] * data.std + data.mean, expected)
    assert torch.equal(predicted, torch.arange(11))
    x, y = model.together("train")
    assert len(y.unique()) == 52
    torch.testing.assert_close(x * data.std + data.mean, pixels(53)[y].float() / 255 * 0.5)


@needs_litdata
def test_two_ranks_train_on_streams_augmented_in_the_same_hook(tmp_path):
    for name, count in COUNTS.items():
        write_stream(tmp_path / name, count)
    script = Path(__file__).with_name("stream_images_on_ranks.py")
    search = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    run([sys.executable, script, tmp_path], tmp_path, PYTHONPATH=search)
    ranks = [torch.load(tmp_path / f"streamed.{rank}", weights_only=True) for rank in (0, 1)]
    training = (pixels(53).double() / 255).mean((0, 2, 3)).float()
    for rank in ranks:
        torch.testing.assert_close(rank["mean"].flatten(), training)
    # Twice as many validation passes as of the others, one after each epoch.
    for stage, brightness in (("train", 0.5), ("val", 1.0), ("test", 1.0), ("predict", 1.0)):
        batches = [rank["batches"][stage] for rank in ranks]
        assert len(batches[0]) == len(batches[1])
        y = torch.cat([y for own in batches for _, y in own])
        if stage == "train":
            epochs = [torch.cat([y for own in batches for _, y in own[i : i + 6]]) for i in (0, 6)]
            assert [len(epoch.unique()) for epoch in epochs] == [48, 48] == [*map(len, epochs)]
        else:
            expected = torch.arange(COUNTS[stage if stage == "val" else "test"])
            passes = [*expected] * (2 if stage == "val" else 1)
            assert sorted(y.tolist()) == sorted(map(int, passes))
        x = torch.cat([x for own in batches for x, _ in own]) * ranks[0]["std"] + ranks[0]["mean"]
        torch.testing.assert_close(x, pixels(53)[y].float() / 255 * brightness)


@needs_litdata
def test_a_run_on_streams_resumed_in_mid_epoch_ends_in_the_same_weights(urls, tmp_path):
    def fit(steps, checkpoint=None):
        torch.manual_seed(0)
        model = MLPClassifier(60, 53, hidden=(8,), optimizer="sgd", lr=0.1)
        data = ImageDataModule.from_stream(
            urls, NAMES, batch_size=4, augment={"brightness": 0.5, "mixup": 0.4}, num_workers=0
        )
        saving = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
        trainer = quiet_trainer(
            max_epochs=2, max_steps=steps, callbacks=[saving], enable_checkpointing=True
        )
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint)
        return model

    whole = fit(-1)
    fit(17)
    resumed = fit(-1, tmp_path / "step=17.ckpt")
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@needs_litdata
def test_what_needs_labels_in_advance_is_refused(urls):
    data = ImageDataModule.from_stream(urls, NAMES, num_workers=0)
    for ask in (lambda: data.class_counts, lambda: data.class_weights, data.find_duplicates):
        with pytest.raises(ValueError, match=r"known in advance for `.*`, but got streams"):
            ask()
    figure = data.plot_batch(3)
    assert figure.axes[1].get_title() == "class 1"
    with pytest.raises(ValueError, match="Expected the checkpoint's classes a, b, but got"):
        data.load_state_dict({"class_names": ["a", "b"]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"urls": {"val": "x"}}, r"streams of 'train' and optionally .* got \['val'\]"),
        ({"urls": {"train": "x", "dev": "x"}}, r"got \['dev', 'train'\]"),
        ({"class_names": []}, "a name for each class, but got none"),
        ({"balanced": True}, "no `balanced` for streams, but got True"),
        ({"num_folds": 3}, "no `num_folds` for streams, but got 3"),
        ({"resident": True}, "no `resident` for streams, but got True"),
        ({"check_duplicates": True}, "no `check_duplicates` for streams, but got True"),
        ({"download": True}, "no `download` for streams, but got True"),
        ({"dataset_options": {"a": 1}}, "no `dataset_options` for streams, but got {'a': 1}"),
        ({"val_fraction": 0.2}, "no `val_fraction` for streams, but got 0.2"),
        ({"test_fraction": 0.2}, "no `test_fraction` for streams, but got 0.2"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDataModule.from_stream(**{"urls": {"train": "x"}, "class_names": NAMES, **arguments})


@pytest.mark.parametrize("count", [10, 64, 5_000, 5_001, 5_063, 70_000])
def test_runs_are_spread_over_a_stream_and_do_not_overlap(count):
    index = spread_runs(count, 5_000)
    assert len(index.unique()) == len(index)
    assert min(count, 5_000) - 64 < len(index) <= 5_000
    assert (index[0], index[-1]) == (0, count - 1)


def test_litdata_is_not_imported_before_it_is_needed(tmp_path):
    code = "import sys, torchvitals.datamodules; sys.exit('litdata' in sys.modules)"
    run([sys.executable, "-c", code], tmp_path)
