import pytest
import torch
from jsonargparse import ArgumentParser

from torchvitals.datamodules import BatchAugment, ImageDataModule


def test_splits_never_move_and_do_not_overlap():
    first, second = ImageDataModule(), ImageDataModule(batch_size=7, augment="none")
    first.setup("fit")
    torch.rand(3)
    second.setup("test")
    first.setup("fit")
    members = [first._splits[name] for name in ("train", "val", "test")]
    assert all(torch.equal(first._splits[n], second._splits[n]) for n in first._splits)
    assert torch.equal(torch.cat(members).sort().values, torch.arange(1797))


def test_statistics_come_from_the_training_split_alone():
    data = ImageDataModule()
    data.setup("fit")
    training = data._images[data._splits["train"]].double()
    assert data.mean.item() == pytest.approx(training.mean().item(), rel=1e-5)
    assert data.std.item() == pytest.approx(training.std().item(), rel=1e-5)


def test_only_training_batches_are_augmented():
    data = ImageDataModule(batch_size=16)
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    x, y = data.on_after_batch_transfer(batch, 0)
    torch.testing.assert_close(x * data.std + data.mean, batch[0])
    assert torch.equal(y, batch[1])


def test_each_image_has_its_own_draw_and_the_global_generator_is_untouched():
    augment = BatchAugment("standard")
    images = torch.rand(1, 1, 8, 8).expand(4, 1, 8, 8)
    before = torch.get_rng_state()
    augmented = augment(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert len({tuple(image.flatten().tolist()) for image in augmented}) == 4
    by_index = [augment(images, index=torch.arange(4), epoch=e) for e in (0, 0, 1)]
    assert torch.equal(by_index[0], by_index[1])
    assert not torch.equal(by_index[0], by_index[2])
    assert torch.equal(BatchAugment("none")(images), images)


def test_operations_by_name_are_parsed_from_yaml_and_augment():
    parser = ArgumentParser()
    parser.add_subclass_arguments(ImageDataModule, "data")
    operations = {"rotation": 15, "zoom": [0.9, 1.1], "blur": {"range": 1.0, "p": 0.5}}
    data = {"class_path": f"{ImageDataModule.__module__}.ImageDataModule"}
    data["init_args"] = {"augment": operations}
    parsed = parser.instantiate_classes(parser.parse_object({"data": data})).data
    assert parsed.augment.operations == BatchAugment(operations).operations
    assert list(parsed.augment.operations) == ["rotation", "zoom", "blur"]


def test_a_last_batch_of_one_is_left_out():
    data = ImageDataModule(batch_size=1)
    data.setup("fit")
    size = len(data._splits["train"]) - 1
    data.batch_size = size
    assert [len(y) for _, y, _ in data.train_dataloader()] == [size]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "digit"}, "Did you mean 'digits'"),
        ({"augment": "standart"}, "Did you mean 'standard'"),
        ({"augment": {"cutmix": 1.0}}, "without 'mixup' and 'cutmix'"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"val_fraction": 1.5}, "`val_fraction`"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave images for training"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDataModule(**arguments)


def test_images_of_ones_own_are_split_and_measured():
    images, labels = torch.rand(60, 3, 5, 4), torch.arange(60) % 3
    data = ImageDataModule((images, labels), batch_size=8)
    data.setup("fit")
    assert data.num_classes == 3
    assert data.mean.shape == (1, 3, 1, 1)
    x, y, index = next(iter(data.val_dataloader()))
    assert torch.equal(x, images[index])
    assert torch.equal(y, labels[index])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.rand(6, 4, 4), torch.zeros(6).long(), r"shape \(N, C, H, W\), but got"),
        (torch.zeros(6, 1, 4, 4).byte(), torch.zeros(6).long(), "torch.uint8"),
        (torch.rand(6, 1, 4, 4), torch.zeros(5).long(), "each of 6 images"),
        (torch.rand(6, 1, 4, 4), torch.zeros(6), "torch.float32"),
    ],
)
def test_wrong_images_of_ones_own_say_what_is_expected(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageDataModule((images, labels))
