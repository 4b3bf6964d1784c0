import multiprocessing
import pickle

import pytest
import torch
from helpers.loading import Items
from torch.utils.data import DataLoader, SequentialSampler

from torchvitals.datamodules.loading import EpochLoader, EpochSampler, IndexedTensors


def loader_of(count=50, batch_size=8, shuffle=True, seed=0, **arguments):
    batches = EpochSampler(torch.arange(count), batch_size, shuffle=shuffle, seed=seed)
    return EpochLoader(Items(), batches, **arguments)


def lists(batches):
    return [batch.tolist() for batch in batches]


def test_it_is_a_dataloader_of_whole_batches():
    images, labels = torch.rand(10, 3, 4, 4), torch.arange(10)
    data = IndexedTensors(images, labels)
    loader = EpochLoader(data, EpochSampler(torch.tensor([7, 1, 5]), 2, shuffle=False))
    assert isinstance(loader, DataLoader)
    assert len(loader) == 2
    x, y, index = next(iter(loader))
    assert index.tolist() == y.tolist() == [7, 1]
    assert torch.equal(x, images[index])
    state = torch.get_rng_state()
    list(loader)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_load_the_same_batches_in_every_epoch(context):
    alone = loader_of()
    helped = loader_of(num_workers=2, multiprocessing_context=context)
    passes = [lists(alone) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2]
    assert [lists(helped) for _ in range(3)] == passes
    for epoch in (2, 0):
        helped.batches.set_epoch(epoch)
        assert helped.epoch == epoch
        assert lists(helped) == passes[epoch]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("taken", [0, 1, 4, 6, 7])
def test_a_restored_state_gives_exactly_the_rest(workers, taken):
    whole = loader_of()
    expected = [lists(whole) for _ in range(2)]
    assert len(expected[0]) == 7
    interrupted = loader_of(num_workers=workers)
    list(interrupted)
    batches = iter(interrupted)
    assert lists(next(batches) for _ in range(taken)) == expected[1][:taken]
    state = pickle.loads(pickle.dumps(interrupted.state_dict()))
    resumed = loader_of(num_workers=workers)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    third = lists(whole)
    # Where nothing or all of a pass was taken, the next whole one comes.
    passes = {0: [expected[1], third], 7: [third]}.get(taken, [expected[1][taken:], third])
    assert [lists(resumed) for _ in passes] == passes


def test_a_state_counts_for_its_own_epoch_alone():
    loader = loader_of()
    expected = [lists(loader) for _ in range(2)]
    loader.load_state_dict({"epoch": 0, "passes": 1, "done": 3, "step": 8})
    loader.batches.set_epoch(0)
    assert lists(loader) == expected[0][3:]
    loader.load_state_dict({"epoch": 0, "passes": 1, "done": 3, "step": 8})
    loader.batches.set_epoch(1)
    assert loader.state_dict()["done"] == 0
    assert lists(loader) == expected[1]
    loader.batches.set_epoch(1)
    assert lists(loader) == expected[1]


def test_a_pass_that_was_left_early_does_not_move_the_next(recwarn):
    for workers in (0, 2):
        loader, whole = loader_of(num_workers=workers), loader_of()
        expected = [lists(whole) for _ in range(2)]
        next(iter(loader))
        assert lists(loader) == expected[1]
        loader.batches.set_epoch(0)
        next(iter(loader))
        loader.batches.set_epoch(0)
        assert lists(loader) == expected[0]


def test_a_batch_that_is_not_used_up_is_loaded_again():
    used = 0
    batches = EpochSampler(torch.arange(50), 8, shuffle=True, finished=lambda: used)
    loader, whole = EpochLoader(Items(), batches), lists(loader_of())
    batches = iter(loader)
    next(batches)
    used = 1
    next(batches)
    resumed = loader_of()
    resumed.load_state_dict(loader.state_dict())
    assert lists(resumed) == whole[1:]


def test_half_the_batch_size_resumes_at_the_same_item():
    state = loader_of(64, 8).state_dict() | {"passes": 1, "done": 3}
    resumed = loader_of(64, 4)
    resumed.load_state_dict(state)
    rest = [item for batch in lists(loader_of(64, 8))[3:] for item in batch]
    assert [item for batch in lists(resumed) for item in batch] == rest


def test_workers_draw_alike_in_the_same_epoch_and_leave_no_process():
    loader = loader_of(num_workers=2)
    before = set(multiprocessing.active_children())
    list(loader)
    assert len(set(multiprocessing.active_children()) - before) == 2
    seeds = [loader.generator.initial_seed()]
    list(loader)
    seeds.append(loader.generator.initial_seed())
    assert seeds[0] != seeds[1]
    other = loader_of()
    list(other)
    assert other.generator.initial_seed() == seeds[0]
    del loader
    assert set(multiprocessing.active_children()) <= before


def test_a_sequential_sampler_puts_the_same_items_in_order():
    batches = EpochSampler(torch.tensor([4, 2, 9]), 2, shuffle=True)
    loader = EpochLoader(Items(), batches, sampler=SequentialSampler(range(100)))
    assert lists(loader) == [[4, 2], [9]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_keep_values_type_and_memory_format(dtype, channels):
    images = torch.randint(0, 256, (6, channels, 5, 4)).to(dtype)
    last = images.contiguous(memory_format=torch.channels_last)
    for stored in (images, last, images.flip(0).transpose(2, 3)):
        x, index = IndexedTensors(stored).__getitems__([5, 0])
        assert x.dtype == dtype
        assert torch.equal(x, stored[[5, 0]])
        assert index.tolist() == [5, 0]
    assert x.is_contiguous()
    x, _ = IndexedTensors(last).__getitems__([5, 0])
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_one_item_is_a_row_of_each_tensor():
    x, y, index = IndexedTensors(torch.arange(6).view(3, 2), torch.arange(3))[2]
    assert (x.tolist(), y.item(), index.item()) == ([4, 5], 2, 2)
