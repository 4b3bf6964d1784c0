import pickle
import shutil

import numpy
import pytest
import torch
from helpers.images import write_images
from PIL import Image, ImageOps, PngImagePlugin, TiffImagePlugin, TiffTags
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

from torchvitals.datamodules.image_sets.folders import read_folder
from torchvitals.datamodules.image_sets.image_decoder import ImageDecoder


def test_classes_and_pixels_are_those_of_torchvisions_folder(tmp_path):
    write_images(tmp_path, {"10": 3, "2": 2, "cat": 4})
    data = read_folder(tmp_path)
    theirs = ImageFolder(tmp_path)
    assert data.class_names == tuple(theirs.classes)
    assert data.labels.tolist() == theirs.targets
    assert data.images.shape == (3, 7, 9)
    assert data.parts == {}
    expected = torch.stack([PILToTensor()(image) for image, _ in theirs])
    assert torch.equal(data.images.take(torch.arange(9)), expected)


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Training", "validation", "testing"), ("train", "test")]
)
def test_parts_share_their_classes(tmp_path, names):
    members = {"a": 3, "c": 2}
    for name in names:
        write_images(tmp_path / name, members)
    write_images(tmp_path / names[-1], {"b": 1})
    data = read_folder(tmp_path)
    assert data.class_names == ("a", "b", "c")
    keys = ("train", "val", "test") if len(names) == 3 else ("train", "test")
    assert {name: len(i) for name, i in data.parts.items()} == {
        name: 6 if name == "test" else 5 for name in keys
    }
    assert data.labels[data.parts["train"]].tolist() == [0, 0, 0, 2, 2]
    assert data.labels[data.parts["test"]].tolist() == [0, 0, 0, 1, 2, 2]


def test_what_is_no_image_is_passed_over_and_folders_are_searched_deep(tmp_path):
    write_images(tmp_path, {"a": 1, "a/deep": 1, "b": 1, ".git": 1, "a/.cache": 1})
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"no image")
    (tmp_path / "a" / "._000.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "labels.csv").write_text("no class")
    shutil.copy(tmp_path / "b" / "000.png", tmp_path / "b" / "SHOUTED.PNG")
    data = read_folder(tmp_path)
    assert data.class_names == ("a", "b")
    assert data.labels.tolist() == [0, 0, 1, 1]


def test_a_class_without_images_keeps_its_index_with_a_warning(tmp_path):
    write_images(tmp_path, {"a": 1, "c": 1})
    (tmp_path / "b").mkdir()
    with pytest.warns(UserWarning, match="No images in the class folders 'b'"):
        data = read_folder(tmp_path)
    assert data.class_names == ("a", "b", "c")
    assert data.labels.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda f: f.rmdir(), FileNotFoundError, "there is no folder .*data.*Put the images there"),
        (lambda f: None, ValueError, "to contain a folder of images for each class"),
        (lambda f: write_images(f, {".": 3}), ValueError, "got 3 images and no folder"),
        (lambda f: (f / "a").mkdir(), ValueError, "found none that end in .bmp, .gif, .jpeg"),
        (
            lambda f: [write_images(f, {n: 1}) for n in ("train/a", "cats")],
            ValueError,
            "besides 'train' there is 'cats'",
        ),
        (
            lambda f: (
                [write_images(f / "a", {"x": 1}, size=s, seed=s[0]) for s in ((4, 4), (5, 4))]
                and write_images(f, {"b": 1})
            ),
            ValueError,
            "2 sizes, from 5x4 to 9x7 pixels. Set `image_size`",
        ),
    ],
)
def test_a_folder_of_another_kind_says_what_is_expected(tmp_path, make, error, message):
    folder = tmp_path / "data"
    folder.mkdir()
    make(folder)
    with pytest.raises(error, match=message):
        read_folder(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "truncated"),
        (lambda content: b"", "cannot identify image file"),
        (lambda content: b"GIF89a" + content, ""),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_damaged_image_is_named_with_what_to_do(tmp_path, suffix, damage, message):
    write_images(tmp_path, {"a": 2}, size=(64, 64))
    path = tmp_path / "a" / f"b.{suffix}"
    Image.open(tmp_path / "a" / "000.png").save(path)
    path.write_bytes(damage(path.read_bytes()))
    expected = rf"Expected .*b.{suffix} to be an image that can be decoded, but got: .*{message}"
    with pytest.raises(ValueError, match=expected) as failure:
        read_folder(tmp_path, image_size=(64, 64), channels=3).images.take(torch.tensor([2]))
    assert str(failure.value).endswith("Replace the file or remove it.")


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (64, 64), (32, 40), (300, 200)])
@pytest.mark.parametrize("target", [(32, 32), (24, 48)])
def test_images_are_scaled_to_cover_and_cut_in_the_middle(tmp_path, size, target):
    # A smooth picture, so that half a pixel of difference in the cut does not matter.
    x, y = numpy.meshgrid(numpy.linspace(0, 1, size[0]), numpy.linspace(0, 1, size[1]))
    pixels = numpy.stack([x, y, (x + y) / 2], -1)
    image = Image.fromarray((pixels * 255).astype(numpy.uint8))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "1.png")
    image.save(tmp_path / "a" / "2.jpg", quality=95, subsampling=0)
    images = read_folder(tmp_path, image_size=target).images.take(torch.tensor([0, 1]))
    scale = max(target[0] / size[1], target[1] / size[0])
    cover = [round(size[1] * scale), round(size[0] * scale)]
    expected = Compose([Resize(cover), CenterCrop(list(target)), PILToTensor()])(image)
    for ours in images:
        assert ours.shape == (3, *target)
        assert (ours.int() - expected.int()).abs().max() <= 6


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'
)


def save_turned(image, path, exif=None, xmp=None):
    """Save a photograph with the orientations that its EXIF and its XMP are to name."""
    packet = XMP.format(xmp)
    match path.suffix:
        case ".tiff":
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            if exif:
                tags[0x0112] = exif
            if xmp:
                tags[700], tags.tagtype[700] = packet.encode(), TiffTags.BYTE
            image.save(path, tiffinfo=tags)
            return
        case ".png":
            info = PngImagePlugin.PngInfo()
            if xmp:
                info.add_itxt("XML:com.adobe.xmp", packet)
            options = {"pnginfo": info}
        case _:
            options = {"quality": 100} if path.suffix == ".jpg" else {"lossless": True}
            options |= {"xmp": packet.encode()} if xmp else {}
    if exif:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = exif
    image.save(path, **options)


@pytest.mark.parametrize(("exif", "xmp"), [(6, None), (None, 6), (6, 6), (6, 1), (1, 6), (3, None)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
def test_a_photograph_lies_as_its_camera_says(suffix, exif, xmp, tmp_path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / f"1{suffix}"
    pixels = numpy.arange(12, dtype=numpy.uint8).reshape(3, 4).repeat(16, 0).repeat(16, 1) * 20
    # In colour: Pillow 13 scrambles the lines of a grey TIFF that is turned and not compressed.
    taken = Image.fromarray(pixels).convert("RGB")
    save_turned(taken, path, exif, xmp)
    with Image.open(path) as image:
        if exif is None and ImageOps.exif_transpose(image).size == taken.size:
            pytest.skip("this release of Pillow does not read the XMP of such a file")
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270}.get(exif or xmp)
    upright = PILToTensor()(taken.transpose(turn) if turn is not None else taken)
    data = read_folder(tmp_path)
    assert data.images.shape == upright.shape
    (found,) = data.images.take(torch.tensor([0]))
    assert (found.int() - upright.int()).abs().max() <= (6 if suffix == ".jpg" else 0)


TEXT_FOR_ORIENTATION = b"II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0a" + bytes(7)
ORIENTATION_OF_NINE = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09" + bytes(7)


@pytest.mark.parametrize(
    "exif", [b"no TIFF at all", b"II*\0", TEXT_FOR_ORIENTATION, ORIENTATION_OF_NINE]
)
def test_a_photograph_with_damaged_exif_is_read_as_it_lies(exif, tmp_path):
    (tmp_path / "a").mkdir()
    pixels = numpy.full((2, 3), 70, dtype=numpy.uint8)
    Image.fromarray(pixels).save(tmp_path / "a" / "1.jpg", exif=b"Exif\0\0" + exif)
    data = read_folder(tmp_path)
    assert data.images.take(torch.tensor([0])).tolist() == [[pixels.tolist()]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_mode_gives_the_channels_that_are_wanted(mode, channels):
    grey = Image.fromarray(numpy.full((2, 2), 255, dtype=numpy.uint8))
    if mode == "I;16":
        image = Image.fromarray(numpy.full((2, 2), 65535, dtype=numpy.uint16))
        assert image.mode == mode
    else:
        image = grey.convert(mode)
    pixels = ImageDecoder(channels, 2, 2)(image, "it")
    assert torch.equal(pixels, torch.full((channels, 2, 2), 255, dtype=torch.uint8))


def test_sixteen_bits_are_scaled_and_not_cut_off():
    image = Image.fromarray(numpy.array([[0, 257, 32896, 65535]], dtype=numpy.uint16))
    assert ImageDecoder(1, 1, 4)(image, "it").flatten().tolist() == [0, 1, 128, 255]
    with pytest.raises(ValueError, match="but it holds floating-point numbers"):
        ImageDecoder(1, 1, 1)(Image.fromarray(numpy.zeros((1, 1), dtype=numpy.float32)), "it")


@pytest.mark.parametrize(("channels", "expected"), [(None, 1), (1, 1), (3, 3), (4, 4)])
def test_grey_images_have_one_channel_unless_more_are_wanted(tmp_path, channels, expected):
    write_images(tmp_path, {"a": 2}, color=False)
    assert read_folder(tmp_path, channels=channels).images.shape == (expected, 7, 9)


def test_a_colour_among_grey_images_is_not_lost(tmp_path):
    write_images(tmp_path, {"a": 2}, color=False)
    data = read_folder(tmp_path)
    write_images(tmp_path, {"a": 1}, color=True)
    with pytest.raises(ValueError, match=r"000.png is in colour. Set `image_channels=3`"):
        data.images.take(torch.tensor([0]))
    assert read_folder(tmp_path).images.shape[0] == 3


def test_files_travel_to_worker_processes_as_one_buffer(tmp_path):
    write_images(tmp_path, {"ä": 2})
    images = pickle.loads(pickle.dumps(read_folder(tmp_path).images))
    assert images.path(1) == tmp_path / "ä" / "001.png"
    assert images.take(torch.zeros(0).long()).shape == (0, 3, 7, 9)
