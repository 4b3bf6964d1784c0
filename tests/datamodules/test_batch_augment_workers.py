import copy
import gc
import resource

import pytest
import torch
from helpers.augmenting import augmented_epochs

from torchvitals.datamodules import BatchAugment


@pytest.mark.parametrize(
    ("workers", "start"), [(1, "fork"), (2, "fork"), pytest.param(2, "spawn", id="spawn")]
)
def test_draws_by_index_are_the_same_in_workers(workers, start):
    here = augmented_epochs(0)
    there = augmented_epochs(workers, start=start)
    for expected, found in zip(here, there, strict=True):
        # The warp of a batch of another size may differ by a rounding.
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert not torch.equal(there[0], there[1])


@pytest.mark.parametrize("persistent", [False, True])
def test_each_worker_has_a_generator_of_its_own(persistent):
    first, second = augmented_epochs(2, start="fork", keyed=False, persistent=persistent)
    # Equal generators would repeat the draws, in the other worker or in the next epoch.
    differences = (first - second).abs().amax((1, 2, 3))
    assert (differences > 1e-3).float().mean() > 0.9
    again = augmented_epochs(2, start="fork", keyed=False, persistent=persistent)
    torch.testing.assert_close(again[0], first, atol=1e-6, rtol=0)


def test_memory_is_flat_over_a_thousand_calls():
    augment = BatchAugment("strong", mean=0.5, std=0.25)
    images, index = torch.rand(16, 3, 64, 64), torch.arange(16)

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    for epoch in range(20):
        augment(images, index=index, epoch=epoch)
    count, peak = tensors(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for epoch in range(1000):
        augment(images, index=index, epoch=epoch)
    assert tensors() <= count  # other tests' may go in between
    # In kB on Linux; one batch kept by each call would be 768 MB.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 30_000


@pytest.mark.parametrize(
    "operations", ["standard", "strong", {"random_crop": 2, "horizontal_flip": 0.5}]
)
def test_draws_by_index_are_compiled_into_one_graph(operations):
    images, index = torch.rand(4, 3, 9, 8), torch.arange(4)
    augment = BatchAugment(operations, clamp=True, mean=0.5, std=0.25)
    # A copy: what the first batch of all is asked cannot be in the graph.
    compiled = torch.compile(copy.deepcopy(augment), fullgraph=True, backend="eager")
    for epoch in range(3):
        expected = augment(images, index=index, epoch=epoch)
        torch.testing.assert_close(compiled(images, index=index, epoch=epoch), expected)


@pytest.mark.gpu
@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("clamp", [False, True])
def test_nothing_waits_for_the_gpu(keyed, dtype, clamp):
    everything = {
        "rotation": 15,
        "resized_crop": 0.5,
        "horizontal_flip": 0.5,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
        "hue": 0.1,
        "grayscale": 0.1,
        "sharpness": 0.2,
        "posterize": 4,
        "solarize": 0.5,
        "autocontrast": 0.5,
        "equalize": 0.5,
        "blur": 1.0,
        "noise": 0.05,
        "erasing": 0.5,
        "mixup": 0.4,
        "cutmix": 1.0,
    }
    augments = [
        BatchAugment(operations, clamp=clamp, num_classes=10, mean=0.5, std=0.25)
        for operations in (everything, "randaugment", {"random_crop": 4, "vertical_flip": 0.5})
    ]
    images = (torch.rand(16, 3, 32, 32) * (255 if dtype == torch.uint8 else 1)).to("cuda", dtype)
    targets = torch.arange(16, device="cuda") % 10
    index = torch.arange(16, device="cuda") if keyed else None
    for augment in augments:
        augment(images, targets, index=index)
        torch.cuda.set_sync_debug_mode("error")
        try:
            augment(images, targets, index=index, epoch=1)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
def test_a_gpu_gives_what_a_cpu_gives():
    images, index = torch.rand(16, 3, 32, 32), torch.arange(16)
    for operations in ("strong", "trivialaugment", {"random_crop": 4, "horizontal_flip": 0.5}):
        expected = BatchAugment(operations, clamp=True)(images, index=index)
        found = BatchAugment(operations, clamp=True)(images.cuda(), index=index.cuda()).cpu()
        # Where a step of posterize or equalize falls on the other side, one pixel differs much.
        assert ((found - expected).abs() > 1e-3).float().mean() < 0.002
