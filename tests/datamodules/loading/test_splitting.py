import pytest
import torch

from torchvitals.datamodules.loading import Splitting
from torchvitals.functional.splitting import apportion, balancing_weights


def make_splits(items, test=None, **arguments):
    return Splitting(**arguments).split(items, test)


def classes_of(*sizes):
    """Mixed classes of the given sizes."""
    classes = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(7))]


@pytest.mark.parametrize("items", [97, classes_of(60, 30, 7)])
@pytest.mark.parametrize("seed", [0, 1])
def test_splits_divide_the_items_and_depend_on_the_arguments_alone(items, seed):
    count = items if isinstance(items, int) else len(items)
    state = torch.get_rng_state()
    splits = make_splits(items, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    make_splits(13, seed=5)
    torch.rand(3)
    again = make_splits(items, seed=seed)
    assert all(torch.equal(splits[name], again[name]) for name in ("train", "val", "test"))
    assert torch.equal(torch.cat(list(splits.values())).sort().values, torch.arange(count))
    assert len(splits["val"]) == round(count * 0.15)
    assert len(splits["test"]) == round(count * 0.2)
    assert all(torch.equal(m, m.sort().values) and m.dtype == torch.int64 for m in splits.values())
    assert not torch.equal(splits["val"], make_splits(items, seed=seed + 9)["val"])


def test_each_class_has_its_share_of_each_split():
    classes = classes_of(500, 200, 53, 20)
    splits = make_splits(classes, val_fraction=0.1, test_fraction=0.3)
    counts = classes.bincount()
    for name, share in (("val", 0.1), ("test", 0.3), ("train", 0.6)):
        found = classes[splits[name]].bincount(minlength=4)
        assert ((found - counts * share).abs() <= 1).all()


@pytest.mark.parametrize("sizes", [(40, 1), (40, 2), (40, 1, 1, 2, 2, 3), (3,) * 30])
def test_classes_of_one_or_two_are_always_trained_on(sizes):
    classes = classes_of(*sizes)
    for seed in range(20):
        splits = make_splits(classes, seed=seed)
        assert set(classes[splits["train"]].tolist()) == set(range(len(sizes)))
        assert torch.equal(torch.cat(list(splits.values())).sort().values, torch.arange(sum(sizes)))


def test_class_numbers_may_have_gaps():
    classes = torch.tensor([3, 900]).repeat(20)
    splits = make_splits(classes, val_fraction=0.25, test_fraction=0.25)
    assert {len(splits[name]) for name in ("val", "test")} == {10}
    assert classes[splits["val"]].tolist().count(900) == 5


@pytest.mark.parametrize("items", [23, classes_of(11, 9, 2, 1)])
def test_over_the_folds_each_item_outside_the_test_set_is_validated_exactly_once(items):
    folds = [make_splits(items, num_folds=5, fold=fold, seed=3) for fold in range(5)]
    assert all(torch.equal(fold["test"], folds[0]["test"]) for fold in folds)
    validated = torch.cat([fold["val"] for fold in folds])
    everything = torch.cat([validated, folds[0]["test"]])
    assert torch.equal(everything.sort().values, torch.arange(23))
    for fold in folds:
        assert torch.equal(torch.cat(list(fold.values())).sort().values, torch.arange(23))
    sizes = {len(fold["val"]) for fold in folds}
    assert max(sizes) - min(sizes) <= 1


def test_a_fixed_test_set_stays_and_the_rest_is_divided():
    test = torch.tensor([2, 5, 9])
    splits = make_splits(13, test=test, val_fraction=0.3)
    assert splits["test"].tolist() == [2, 5, 9]
    assert len(splits["val"]) == 3
    folds = [make_splits(13, test=test, num_folds=2, fold=fold)["val"] for fold in (0, 1)]
    assert sorted(torch.cat(folds).tolist()) == [0, 1, 3, 4, 6, 7, 8, 10, 11, 12]


def test_a_fraction_of_nothing_is_an_empty_split():
    splits = make_splits(10, val_fraction=0, test_fraction=0)
    assert [len(members) for members in splits.values()] == [10, 0, 0]


@pytest.mark.parametrize(
    ("items", "arguments", "message"),
    [
        (2, {}, "'test' split, but got none"),
        (0, {"val_fraction": 0, "test_fraction": 0}, "'train' split, but got none"),
        (torch.arange(10), {}, "too few to spare in every class"),
        (2, {"num_folds": 5, "fold": 4, "test_fraction": 0}, "'val' split, but got none"),
    ],
)
def test_what_cannot_be_says_what_to_do(items, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_splits(items, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 0.2, None, 0), "`val_fraction` to be at least 0 and below 1, but got 1.0"),
        ((0.2, -0.1, None, 0), "`test_fraction`"),
        ((0.5, 0.5, None, 0), "leave items for training"),
        ((0.2, 0.2, 1, 0), "`num_folds` to be at least 2"),
        ((0.2, 0.2, 3, 3), r"`fold` in 0..2, but got 3"),
        ((0.2, 0.2, None, 1), "`num_folds` with `fold`"),
    ],
)
def test_wrong_numbers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Splitting(*arguments)


def test_shares_add_up_to_what_there_is_room_for():
    generator = torch.Generator().manual_seed(0)
    counts = torch.tensor([1, 1, 50])
    shares = apportion(counts, 40, counts - 1, generator)
    assert shares.tolist() == [0, 0, 40]
    assert apportion(counts, 60, counts - 1, generator).tolist() == [0, 0, 49]


def test_weights_balance_the_classes_that_are_there():
    classes = torch.tensor([0] * 90 + [2] * 10)
    weights = balancing_weights(classes)
    assert weights[classes == 0].sum().item() == pytest.approx(0.5)
    assert weights[classes == 2].sum().item() == pytest.approx(0.5)
