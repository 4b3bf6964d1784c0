import pytest
import torch
from helpers.images import write_images

from torchvitals.datamodules.image_sets.folders import read_folder
from torchvitals.datamodules.image_sets.stored_images import StoredImages
from torchvitals.datamodules.images import duplicates
from torchvitals.datamodules.images.duplicates import find_equal_images

SPLITS = {"train": torch.arange(0, 60), "val": torch.arange(60, 80), "test": torch.arange(80, 100)}


def _images(dtype=torch.uint8):
    pixels = torch.randint(0, 256, (100, 1, 5, 3), generator=torch.Generator().manual_seed(0))
    return pixels.to(dtype) if dtype == torch.uint8 else (pixels / 255).to(dtype)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32])
def test_every_pair_across_splits_is_found_and_no_other(dtype):
    pixels = _images(dtype)
    pixels[7] = pixels[3]  # within one split
    pixels[61] = pixels[7]
    pixels[85] = pixels[50]
    pixels[86] = pixels[50]
    pixels[99] = pixels[79]
    found = find_equal_images(StoredImages(pixels), SPLITS)
    assert {splits: pairs.tolist() for splits, pairs in found.pairs.items()} == {
        ("train", "val"): [[3, 61]],
        ("train", "test"): [[50, 85], [50, 86]],
        ("val", "test"): [[79, 99]],
    }
    assert len(found) == 4
    assert found.counts["train", "test"] == 2
    assert str(found) == (
        "1 image of val is also in train; 2 images of test are also in train; "
        "1 image of test is also in val"
    )


def test_a_pixel_apart_is_no_duplicate():
    pixels = _images()
    pixels[80] = pixels[0]
    pixels[80, 0, 4, 2] ^= 1
    found = find_equal_images(StoredImages(pixels), SPLITS)
    assert len(found) == 0
    assert str(found) == "no image is in two splits"


def test_a_hash_that_two_images_share_by_chance_is_no_duplicate(monkeypatch):
    monkeypatch.setattr(duplicates, "content_hashes", lambda rows: torch.zeros(len(rows)).long())
    pixels = _images()
    pixels[61] = pixels[0]
    found = find_equal_images(StoredImages(pixels), {**SPLITS, "test": torch.arange(0)})
    assert found.pairs["train", "val"].tolist() == [[0, 61]]
    assert len(found) == 1


def test_many_equal_images_give_one_pair_each():
    found = find_equal_images(StoredImages(torch.zeros(100, 3, 4, 4)), SPLITS)
    assert found.counts == {("train", "val"): 20, ("train", "test"): 20, ("val", "test"): 20}


def test_files_are_compared_by_their_pixels(tmp_path):
    write_images(tmp_path, {"a": 3, "b": 3})
    copied = (tmp_path / "a" / "001.png").read_bytes()
    (tmp_path / "b" / "002.png").write_bytes(copied)
    data = read_folder(tmp_path)
    first, second = torch.arange(3), torch.arange(3, 6)
    found = find_equal_images(data.images, {"train": first, "test": second})
    assert found.pairs["train", "test"].tolist() == [[1, 5]]
