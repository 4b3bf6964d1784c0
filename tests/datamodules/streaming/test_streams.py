import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.streaming import write_stream
from helpers.training import run
from PIL import Image

from torchvitals.datamodules.loading import EpochLoader, EpochSampler, Loaders
from torchvitals.datamodules.streaming import indexed_stream
from torchvitals.datamodules.streaming.stream_loader import StreamLoader
from torchvitals.datamodules.streaming.streamed_images import StreamedImages
from torchvitals.datamodules.streaming.streamed_item import as_pixels, image_and_label, stacked

TESTS = Path(__file__).parents[2]
needs_litdata = pytest.mark.skipif(
    indexed_stream.StreamingDataset is object, reason="needs litdata: pip install litdata"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Streams of 53 images to train on and 21 for validation."""
    folder = tmp_path_factory.mktemp("streams")
    write_stream(folder / "train", 53)
    write_stream(folder / "val", 21)
    return folder


def items(batches):
    return [index.tolist() for _, _, index in batches]


@needs_litdata
@pytest.mark.parametrize("workers", [0, 2])
def test_training_batches_are_full_shuffled_and_of_successive_epochs(workers, folder):
    loader = StreamLoader(str(folder / "train"), 4, seed=1, num_workers=workers)
    state = torch.get_rng_state()
    epochs = []
    for _ in range(2):
        batches = list(loader)
        epochs.append(items(batches))
        for x, y, index in batches:
            assert x.dtype == torch.uint8
            assert x.shape == (4, 3, 4, 5)
            assert torch.equal(y, index)
            assert (x == index[:, None, None, None]).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert len(loader) == len(epochs[0]) == 13
    assert epochs[0] != epochs[1]
    for epoch in epochs:
        flat = [item for batch in epoch for item in batch]
        assert len(set(flat)) == len(flat) == 52
        assert flat != sorted(flat)
    loader.position.set_epoch(0)
    assert items(loader) == epochs[0]
    other = StreamLoader(str(folder / "train"), 4, seed=2, num_workers=workers)
    assert items(other) != epochs[0]


@needs_litdata
def test_spawned_processes_read_streams(folder):
    settings = {"num_workers": 1, "multiprocessing_context": "spawn"}
    spawned = StreamLoader(str(folder / "train"), 4, seed=1, **settings)
    assert items(spawned) == items(StreamLoader(str(folder / "train"), 4, seed=1, num_workers=1))
    images = StreamedImages(str(folder / "val"))
    read = items(Loaders(**settings).in_order(images, images.order(1), 6, trainer=None))
    assert [item for batch in read for item in batch] == list(range(21))


@needs_litdata
@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("taken", [0, 1, 5, 12, 13])
def test_a_restored_stream_gives_exactly_the_rest(workers, taken, folder):
    whole = StreamLoader(str(folder / "train"), 4, seed=1, num_workers=workers)
    expected = [items(whole) for _ in range(3)]
    interrupted = StreamLoader(str(folder / "train"), 4, seed=1, num_workers=workers)
    interrupted.position.set_epoch(1)
    batches = iter(interrupted)
    assert items(next(batches) for _ in range(taken)) == expected[1][:taken]
    del batches
    resumed = StreamLoader(str(folder / "train"), 4, seed=1, num_workers=workers)
    resumed.load_state_dict(interrupted.state_dict())
    passes = {13: [expected[2]]}.get(taken, [expected[1][taken:], expected[2]])
    assert [items(resumed) for _ in passes] == passes


@needs_litdata
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("prefix", ["", "local:"])
def test_images_are_read_by_their_index(workers, prefix, folder):
    images = StreamedImages(prefix + str(folder / "val"))
    assert len(images) == 21
    batches = EpochSampler(images.order(1), 6, shuffle=False)
    loader = EpochLoader(images, batches, num_workers=workers)
    assert items(loader) == [list(range(start, min(start + 6, 21))) for start in range(0, 21, 6)]
    x, y, index = next(iter(loader))
    assert torch.equal(y, index)
    assert (x == index[:, None, None, None]).all()
    # Read here, then by processes that are forked from this one.
    assert torch.equal(images.__getitems__(index)[0], x)
    again = EpochLoader(images, EpochSampler(index, 6, shuffle=False), num_workers=workers)
    assert items(again) == [index.tolist()]


@needs_litdata
@pytest.mark.parametrize("replicas", [1, 2, 3, 4])
def test_each_rank_reads_its_own_run_in_order(replicas, folder):
    images = StreamedImages(str(folder / "val"))
    order = images.order(replicas)
    assert sorted(order.tolist()) == list(range(21))
    for rank in range(replicas):
        own = order[rank::replicas]
        assert torch.equal(own, torch.arange(int(own[0]), int(own[0]) + len(own)))


@needs_litdata
@pytest.mark.parametrize(("ranks", "workers"), [(1, 2), (2, 0), (2, 2)])
def test_a_trainer_resumes_streams_in_mid_epoch_on_ranks(ranks, workers, folder, tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).symlink_to(folder / split)
    worker = Path(__file__).with_name("stream_on_ranks.py")
    path = f"{TESTS}:{os.environ.get('PYTHONPATH', '')}"
    run([sys.executable, worker, ranks, tmp_path, workers], tmp_path, PYTHONPATH=path)
    runs = [torch.load(tmp_path / f"runs.{rank}", weights_only=True) for rank in range(ranks)]
    steps = 13 // ranks
    for rank in runs:
        assert len(rank["whole"]["trained"]) == 2 * steps
        assert rank["part"]["trained"] == rank["whole"]["trained"][:7]
        assert rank["resumed"]["trained"] == rank["whole"]["trained"][7:]
    for epoch in (0, 1):
        own = [
            [item for e, batch in rank["whole"]["trained"] if e == epoch for item in batch]
            for rank in runs
        ]
        flat = [item for rank in own for item in rank]
        assert len(flat) == len(set(flat)) == 4 * steps * ranks
    validated = [rank["whole"]["validated"] for rank in runs]
    assert len({len(batches) for batches in validated}) == 1
    flat = [item for batches in validated for batch in batches for item in batch]
    assert sorted(flat) == sorted([*range(21)] * 2)


@needs_litdata
def test_too_few_images_for_a_batch_say_so(folder):
    with pytest.raises(ValueError, match=r"at least 54 images in .*, a batch of 54 for each of 1"):
        StreamLoader(str(folder / "train"), 54)


def test_importing_the_package_does_not_import_litdata():
    command = "import sys, torchvitals.datamodules; sys.exit('litdata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command]).returncode == 0


def test_without_litdata_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(indexed_stream, "StreamingDataset", object)
    with pytest.raises(ModuleNotFoundError, match=r"torchvitals\[stream\]"):
        indexed_stream.IndexedStream("here")


@pytest.mark.parametrize(
    "item",
    [("x", 3), ["x", torch.tensor(3)], {"image": "x", "label": 3}, {"image": "x", "target": 3}],
)
def test_items_of_the_usual_forms_are_read(item):
    assert image_and_label(item) == ("x", 3)


@pytest.mark.parametrize(
    ("item", "found"), [({"img": 1, "label": 2}, "img"), ((1, 2, 3), "tuple"), (7, "int")]
)
def test_other_items_say_what_to_give(item, found):
    with pytest.raises(TypeError, match=f"{found}.*Pass `read`"):
        image_and_label(item)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_of_arrays_tensors_and_pictures_are_the_same(channels):
    pixels = torch.randint(0, 256, (channels, 5, 6), dtype=torch.uint8)
    last = pixels.permute(1, 2, 0)
    forms = [pixels, pixels.numpy(), last, last.contiguous().numpy()]
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    forms.append(Image.fromarray(np.ascontiguousarray(last.squeeze(2).numpy()), mode))
    assert all(torch.equal(as_pixels(form), pixels) for form in forms)


@pytest.mark.parametrize("image", [torch.rand(3, 4, 4), torch.zeros(2, 5, 6).byte()])
def test_other_pixels_are_refused(image):
    with pytest.raises(ValueError, match="images of uint8 and shape"):
        as_pixels(image)


def test_numbers_of_colours_in_a_palette_are_not_taken_for_greys():
    with pytest.raises(ValueError, match=r"`image.convert\('RGB'\)` before the stream is written"):
        as_pixels(Image.new("RGB", (4, 4), "red").quantize(2))


def test_images_of_several_shapes_are_refused():
    rows = [(torch.zeros(3, 4, side).byte(), 0, 0) for side in (5, 6)]
    with pytest.raises(ValueError, match=r"one shape, but got \[\(3, 4, 5\), \(3, 4, 6\)\]"):
        stacked(rows)
