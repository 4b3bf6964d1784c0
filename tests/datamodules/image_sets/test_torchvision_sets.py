import functools
import hashlib
import http.server
import json
import tarfile
import threading

import numpy
import pytest
import torch
import torchvision
from helpers.images import write_cifar, write_images, write_mnist
from helpers.images_module import BatchRecorder
from helpers.training import quiet_trainer
from PIL import Image
from scipy.io import savemat
from torchvision.transforms import PILToTensor

from torchvitals.datamodules import ImageDataModule
from torchvitals.datamodules.image_sets.reading import checked_dataset, download_images, read_images
from torchvitals.datamodules.image_sets.torchvision_images import TorchvisionImages
from torchvitals.datamodules.image_sets.torchvision_sets import find_torchvision_class


def _md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def _sizes(data):
    return {name: len(index) for name, index in data.parts.items()}


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A small CIFAR-10 that torchvision takes for the real one."""
    folder = tmp_path / "source" / "cifar-10-batches-py"
    written = write_cifar(folder)
    archive = tmp_path / "source" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, folder.name)
    kind = torchvision.datasets.CIFAR10
    trained = [[f"data_batch_{i}", _md5(folder / f"data_batch_{i}")] for i in range(1, 6)]
    monkeypatch.setattr(kind, "train_list", trained)
    monkeypatch.setattr(kind, "test_list", [["test_batch", _md5(folder / "test_batch")]])
    meta = {**kind.meta, "md5": _md5(folder / "batches.meta")}
    monkeypatch.setattr(kind, "meta", meta)
    monkeypatch.setattr(kind, "tgz_md5", _md5(archive))
    return folder.parent, written


@pytest.fixture
def server():
    """Serve folders at addresses of this machine."""
    running = []

    def serve(folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

        handler = functools.partial(Handler, directory=folder)
        running.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}/"

    yield serve
    for one in running:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("FashionMNIST", "FashionMNIST"),
        ("fashion_mnist", "FashionMNIST"),
        ("fashion-mnist", "FashionMNIST"),
        ("cifar10", "CIFAR10"),
        ("CIFAR-100", "CIFAR100"),
        ("stl10", "STL10"),
        ("oxford iiit pet", "OxfordIIITPet"),
    ],
)
def test_names_are_found_in_their_usual_spellings(spelling, name):
    assert find_torchvision_class(spelling) is getattr(torchvision.datasets, name)


@pytest.mark.parametrize(
    ("name", "nearest"), [("fashion", "FashionMNIST"), ("cifar", "CIFAR10"), ("digit", "digits")]
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
        checked_dataset(name)


def test_cifar_is_read_into_memory(cifar):
    root, written = cifar
    data = read_images("cifar10", root)
    assert _sizes(data) == {"train": 100, "test": 20}
    assert data.class_names[:2] == ("airplane", "automobile")
    first = written["data_batch_2"][3].reshape(3, 32, 32)
    assert numpy.array_equal(data.images.take(torch.tensor([23]))[0], first)
    assert data.images.take(torch.tensor([0])).dtype == torch.uint8


def test_torchvision_downloads_and_unpacks_where_it_is_asked_to(
    cifar, server, tmp_path, monkeypatch
):
    root, written = cifar
    address = server(root) + "cifar-10-python.tar.gz"
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", address)
    target = tmp_path / "data"
    with pytest.raises(FileNotFoundError, match="`download=True`, or do it manually: download h"):
        read_images("cifar10", target)
    download_images("cifar10", target, {})
    data = read_images("cifar10", target)
    assert numpy.array_equal(data.images.take(data.parts["test"]).flatten(1), written["test_batch"])


def test_fit_downloads_before_it_reads(cifar, server, tmp_path, monkeypatch):
    address = server(cifar[0]) + "cifar-10-python.tar.gz"
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", address)
    with pytest.raises(FileNotFoundError, match="Set `download=True`"):
        quiet_trainer().fit(BatchRecorder(), datamodule=ImageDataModule("cifar10", tmp_path))
    data = ImageDataModule("cifar10", tmp_path, download=True, batch_size=20)
    model = BatchRecorder()
    quiet_trainer().fit(model, datamodule=data)
    assert model.together("train")[0].shape == (85, 3, 32, 32)
    assert data.class_names[9] == "truck"


def test_mnist_is_downloaded_only_where_its_files_are_not_found(server, tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "data"
    write_mnist(source, compress=True)
    kind = torchvision.datasets.MNIST
    resources = [(name, _md5(source / name)) for name, _ in kind.resources]
    monkeypatch.setattr(kind, "resources", resources)
    monkeypatch.setattr(kind, "mirrors", ["http://127.0.0.1:1/"])
    download_images("mnist", source, {})
    with pytest.raises(
        FileNotFoundError, match=r"Expected to download MNIST.*manually: put train-"
    ):
        download_images("mnist", target, {})
    monkeypatch.setattr(kind, "mirrors", [server(source)])
    download_images("mnist", target, {})
    ours, theirs = read_images("mnist", source), read_images("mnist", target)
    assert torch.equal(ours.images.pixels, theirs.images.pixels)


def test_svhn_and_stl_are_read_by_their_splits(tmp_path, monkeypatch):
    draw = numpy.random.default_rng(0)
    splits = {}
    for name in ("train", "test"):
        pixels = draw.integers(0, 256, (32, 32, 3, 12)).astype(numpy.uint8)
        path = tmp_path / f"{name}_32x32.mat"
        savemat(path, {"X": pixels, "y": numpy.arange(1, 13)[:, None] % 10 + 1})
        splits[name] = [f"http://x/{path.name}", path.name, _md5(path)]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", splits)
    data = read_images("svhn", tmp_path)
    assert data.images.shape == (3, 32, 32)
    assert _sizes(data) == {"train": 12, "test": 12}
    # The files number the digit 0 as 10.
    assert data.labels[:10].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert numpy.array_equal(
        data.images.take(torch.tensor([23]))[0].permute(1, 2, 0), pixels[..., 11]
    )

    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    lists = {}
    for name in ("train", "test"):
        draw.integers(0, 256, (10, 3, 96, 96)).astype(numpy.uint8).tofile(folder / f"{name}_X.bin")
        numpy.arange(1, 11, dtype=numpy.uint8).tofile(folder / f"{name}_y.bin")
        files = [[f"{name}_{end}.bin", _md5(folder / f"{name}_{end}.bin")] for end in "Xy"]
        lists[f"{name}_list"] = files
    (folder / "unlabeled_X.bin").write_bytes(b"")
    lists["train_list"].append(["unlabeled_X.bin", _md5(folder / "unlabeled_X.bin")])
    for name, files in lists.items():
        monkeypatch.setattr(torchvision.datasets.STL10, name, files)
    data = read_images("stl10", tmp_path)
    assert data.images.shape == (3, 96, 96)
    assert data.class_names == tuple("abcdefghij")
    theirs = torchvision.datasets.STL10(tmp_path, split="test")
    assert torch.equal(data.images.take(torch.tensor([10]))[0], PILToTensor()(theirs[0][0]))


def _food(root):
    for name in ("apple_pie", "waffles"):
        write_images(root / "food-101" / "images", {name: 5})
        for path in (root / "food-101" / "images" / name).glob("*.png"):
            path.rename(path.with_suffix(".jpg"))
    (root / "food-101" / "meta").mkdir()
    for split, members in (("train", (0, 1, 2)), ("test", (3, 4))):
        listed = {c: [f"{c}/{i:03}" for i in members] for c in ("apple_pie", "waffles")}
        (root / "food-101" / "meta" / f"{split}.json").write_text(json.dumps(listed))


def _country(root):
    for split, count in (("train", 3), ("valid", 1), ("test", 2)):
        write_images(root / "country211" / split, {"AD": count, "ZW": count}, seed=count)


def _eurosat(root):
    write_images(root / "eurosat" / "2750", {"Forest": 4, "River": 2})


def _imagenette(root):
    folder = root / "imagenette2-160"
    for split, count in (("train", 3), ("val", 2)):
        write_images(
            folder / split, dict.fromkeys(torchvision.datasets.Imagenette._WNID_TO_CLASS, count)
        )
        for path in (folder / split).glob("*/*.png"):
            path.rename(path.with_suffix(".JPEG"))


def test_turned_photographs_of_a_torchvision_set_have_the_size_that_they_are_read_with(tmp_path):
    _eurosat(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in tmp_path.rglob("*.png"):
        Image.open(path).save(path, exif=exif)
    data = read_images("eurosat", tmp_path)
    assert data.images.shape == (3, 9, 7)
    assert data.images.take(torch.arange(2)).shape == (2, 3, 9, 7)


@pytest.mark.parametrize(
    ("name", "write", "options", "sizes", "first_class"),
    [
        ("food101", _food, {}, {"train": 6, "test": 4}, "apple_pie"),
        ("country211", _country, {}, {"train": 6, "val": 2, "test": 4}, "AD"),
        ("country211", _country, {"split": "valid"}, {}, "AD"),
        ("eurosat", _eurosat, {}, {}, "Forest"),
        ("imagenette", _imagenette, {"size": "160px"}, {"train": 30, "test": 20}, "tench"),
    ],
)
def test_sets_of_files_are_decoded_when_they_are_read(
    tmp_path, name, write, options, sizes, first_class
):
    write(tmp_path)
    data = read_images(name, tmp_path, options=options, image_size=(6, 6))
    assert isinstance(data.images, TorchvisionImages)
    assert _sizes(data) == sizes
    assert data.class_names[0].startswith(first_class)
    assert data.images.shape == (3, 6, 6)
    everything = torch.arange(len(data.images))
    own = read_images(name, tmp_path, options=options)
    assert own.images.take(everything).shape == (len(everything), 3, 7, 9)
    expected = [PILToTensor()(image) for image, _ in own.images.dataset]
    assert torch.equal(own.images.take(everything), torch.stack(expected))


def test_a_damaged_image_is_named(tmp_path):
    _eurosat(tmp_path)
    data = read_images("eurosat", tmp_path)
    (tmp_path / "eurosat/2750/River/000.png").write_bytes(b"")
    with pytest.raises(ValueError, match="Expected image 4 of torchvision's EuroSAT to be"):
        data.images.take(torch.tensor([4]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emnist", "`dataset_options` to have 'split' for EMNIST"),
        ("fakedata", "but got 'fakedata'"),
        ("voc_detection", "Expected VOCDetection in"),
    ],
)
def test_what_cannot_be_read_says_what_is_missing(name, message, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_images(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist", "put train-images-idx3-ubyte.gz, .*MNIST/raw or .*, compressed or not"),
        ("cifar10", r"download https://.*/cifar-10-python.tar.gz and unpack it in "),
        ("cifar100", r"download https://[^,]*/cifar-100-python.tar.gz and unpack it in "),
        ("svhn", r"download http.*/test_32x32.mat, http.*/train_32x32.mat and put it into "),
        ("stl10", r"download http.*/stl10_binary.tar.gz and unpack it in "),
        ("semeion", "Set `download=True`, or do it manually: download http.*semeion.data"),
        ("dtd", r"download https.*/dtd-r1.0.1.tar.gz and place it as documented"),
        ("flowers102", r"download its files and place it as documented"),
        ("imagenet", r"Do it manually: download its files"),
    ],
)
def test_offline_the_error_says_which_file_to_put_where(name, message, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*{message}"):
        read_images(name, tmp_path)


def test_what_torchvision_cannot_fetch_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected `download=False` for ImageNet"):
        download_images("imagenet", tmp_path, {})


def test_targets_that_are_no_classes_are_refused(tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    for name, suffix in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (folder / name).mkdir(parents=True)
        (folder / name / f"1.{suffix}").touch()
    listed = folder / "ImageSets" / "Main"
    listed.mkdir(parents=True)
    (listed / "train.txt").write_text("1\n")
    with pytest.raises(ValueError, match="one class for each image, but torchvision's VOCDet"):
        read_images("voc_detection", tmp_path)
