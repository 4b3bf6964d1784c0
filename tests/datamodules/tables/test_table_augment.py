import pytest
import torch
from scipy.stats import kstest

from torchvitals.datamodules.tables.table_augment import TableAugment

COLUMNS = torch.tensor([0, 1, 2, 0, 3, 3, 3])
EVERYTHING = {"noise": 0.1, "swap": 0.3, "mixup": 0.4}


def rows(count):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, 7, generator=generator)
    x[:, 4:] = torch.eye(3)[torch.arange(count) % 3]
    return x, torch.arange(count) % 3


def augmented(operations, count=64, *, x=None, y=None, index=None, epoch=0, seed=0, **given):
    own_x, own_y = rows(count)
    return TableAugment(operations, seed=seed)(
        own_x if x is None else x,
        own_y if y is None else y,
        columns=COLUMNS,
        numbers=3,
        index=torch.arange(count) if index is None else index,
        epoch=epoch,
        num_classes=3,
        **given,
    )


def test_noise_is_normal_and_on_numbers_alone():
    x, y = rows(2000)
    noisy, same = augmented({"noise": 0.5}, 2000)
    assert torch.equal(noisy[:, 3:], x[:, 3:])
    assert torch.equal(same, y)
    noise = ((noisy - x)[:, :3] / 0.5).double().flatten().numpy()
    assert kstest(noise, "norm").pvalue > 0.01


def test_a_column_is_swapped_as_a_whole_with_the_given_probability():
    x, y = rows(3000)
    swapped, same = augmented({"swap": 0.3}, 3000)
    assert torch.equal(same, y)
    assert (swapped[:, 4:].sum(1) == 1).all()
    changed = swapped != x
    assert torch.equal(changed[:, 0], changed[:, 3])
    assert changed[:, :3].float().mean(0).tolist() == pytest.approx([0.3] * 3, abs=0.03)
    both = (changed[:, 1] & changed[:, 2]).float().mean()
    assert both.item() == pytest.approx(0.09, abs=0.02)
    for column in range(7):
        assert torch.isin(swapped[:, column], x[:, column]).all()


def test_mixup_mixes_rows_and_classes_by_one_share():
    count = 50
    y = torch.arange(count)
    mixed, shares = TableAugment({"mixup": 1.0})(
        torch.eye(count), y, columns=y, numbers=count, index=y, num_classes=count
    )
    torch.testing.assert_close(mixed, shares)
    torch.testing.assert_close(shares.sum(1), torch.ones(count))
    assert ((shares > 0).sum(1) <= 2).all()


@pytest.mark.parametrize("targets", [1, 2])
def test_mixup_mixes_numbers_to_predict(targets):
    y = torch.stack([torch.arange(20.0), -torch.arange(20.0)], 1)[:, :targets]
    x = y[:, :1].repeat(1, 7)
    given = y[:, 0] if targets == 1 else y
    mixed, mixed_y = augmented({"mixup": 0.5}, 20, x=x, y=given)
    assert mixed_y.shape == given.shape
    torch.testing.assert_close(mixed_y.reshape(20, -1)[:, 0], mixed[:, 0])
    assert not torch.equal(mixed, x)


def test_draws_depend_on_seed_epoch_and_index_alone():
    x, y = rows(30)
    index = torch.arange(30) * 5
    whole, _ = augmented({"noise": 0.1}, 30, index=index, epoch=3)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    parts = [
        augmented({"noise": 0.1}, x=x[o], y=y[o], index=index[o], epoch=3)[0]
        for o in order.split([3, 1, 26])
    ]
    torch.testing.assert_close(torch.cat(parts), whole[order], rtol=0, atol=0)
    for changed in ({"epoch": 4}, {"seed": 1}):
        other, _ = augmented({"noise": 0.1}, 30, index=index, **{"epoch": 3, **changed})
        assert (other[:, :3] != whole[:, :3]).any(1).all()
    swapped = [augmented({"swap": 0.5}, 30, index=index, epoch=epoch)[0] for epoch in (0, 0, 1)]
    assert torch.equal(swapped[0], swapped[1])
    assert not torch.equal(swapped[0], swapped[2])


def test_the_global_generator_is_untouched_and_nothing_changes_nothing():
    before = torch.get_rng_state()
    augmented(EVERYTHING)
    assert torch.equal(torch.get_rng_state(), before)
    x, y = rows(4)
    for nothing in (None, {}, {"noise": 0, "swap": 0, "mixup": 0}):
        same_x, same_y = augmented(nothing, x=x, y=y, index=torch.arange(4))
        assert same_x is x
        assert same_y is y


@pytest.mark.parametrize("count", [0, 1, 2])
def test_batches_of_any_size(count):
    x, y = augmented(EVERYTHING, count)
    assert x.shape == (count, 7)
    assert y.shape == (count, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_stays(dtype):
    x, _ = rows(5)
    assert augmented(EVERYTHING, 5, x=x.to(dtype))[0].dtype == dtype


@pytest.mark.gpu
@pytest.mark.parametrize("operations", [{"noise": 0.1}, {"swap": 0.3}, {"mixup": 0.4}, EVERYTHING])
def test_a_gpu_gives_what_the_cpu_gives(operations):
    x, y = rows(64)
    index = torch.arange(64)
    on_gpu = TableAugment(operations)(
        x.cuda(), y.cuda(), columns=COLUMNS.cuda(), numbers=3, index=index.cuda(), num_classes=3
    )
    for got, expected in zip(on_gpu, augmented(operations), strict=True):
        assert got.is_cuda
        torch.testing.assert_close(got.cpu(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
def test_noise_and_swaps_never_wait_for_the_gpu():
    x, y = (part.cuda() for part in rows(64))
    columns, index = COLUMNS.cuda(), torch.arange(64).cuda()
    augment = TableAugment({"noise": 0.1, "swap": 0.3})
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment(x, y, columns=columns, numbers=3, index=index)
    finally:
        torch.cuda.set_sync_debug_mode(mode)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ({"nois": 0.1}, "`augment`.*Did you mean 'noise'"),
        ({"swap": 1.5}, "'swap' from 0 to 1.0, but got 1.5"),
        ({"noise": -1}, "'noise' from 0"),
        ({"mixup": float("inf")}, "'mixup' from 0"),
        ({"mixup": float("nan")}, "'mixup' from 0"),
    ],
)
def test_wrong_operations_are_refused(operations, message):
    with pytest.raises(ValueError, match=message):
        TableAugment(operations)
