import pytest
import torch

from torchvitals.datamodules.loading import EpochSampler

# Items, batch size, ranks.
CASES = [
    (count, batch_size, replicas)
    for count in (1, 2, 5, 16, 17, 33, 100)
    for batch_size in (1, 2, 4, 16, 200)
    for replicas in (1, 2, 3, 4)
    if count >= replicas
]


def batches_of(count, batch_size, replicas=1, *, shuffle=True, epoch=0, **arguments):
    """Batches of every rank, as lists."""
    samplers = [
        EpochSampler(
            torch.arange(100, 100 + count), batch_size, shuffle=shuffle,
            rank=rank, num_replicas=replicas, **arguments,
        )
        for rank in range(replicas)
    ]  # fmt: skip
    for sampler in samplers:
        sampler.set_epoch(epoch)
    ranks = [[batch.tolist() for batch in sampler] for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(rank) for rank in ranks]
    return ranks


def flat(batches):
    return [item for batch in batches for item in batch]


@pytest.mark.parametrize(("count", "batch_size", "replicas"), CASES)
def test_training_shards_are_disjoint_and_even_and_no_last_batch_is_of_one(
    count, batch_size, replicas
):
    ranks = batches_of(count, batch_size, replicas)
    assert len({tuple(map(len, rank)) for rank in ranks}) == 1
    items = [item for rank in ranks for item in flat(rank)]
    assert len(set(items)) == len(items)
    assert set(items) <= set(range(100, 100 + count))
    left_out = count - len(items)
    # The rest of a division, and one more item on each rank that would be alone.
    assert left_out < replicas * (2 if batch_size > 1 else 1)
    sizes = list(map(len, ranks[0]))
    assert sizes[:-1] == [batch_size] * (len(sizes) - 1)
    assert batch_size == 1 or len(sizes) == 1 or sizes[-1] > 1


@pytest.mark.parametrize(("count", "batch_size", "replicas"), CASES)
def test_evaluation_sees_every_item_once_in_as_many_batches_on_every_rank(
    count, batch_size, replicas
):
    ranks = batches_of(count, batch_size, replicas, shuffle=False)
    assert len({len(rank) for rank in ranks}) == 1
    assert sorted(flat(map(flat, ranks))) == list(range(100, 100 + count))
    sizes = [len(batch) for rank in ranks for batch in rank]
    assert min(sizes) >= 1
    assert max(sizes) <= max(batch_size, 2 if replicas > 1 else 1)
    assert all(flat(rank) == sorted(flat(rank)) for rank in ranks)
    if replicas == 1:
        assert len(ranks[0]) == -(-count // batch_size)


def test_the_order_depends_on_seed_and_epoch_alone():
    state = torch.get_rng_state()
    first = batches_of(50, 8, seed=3, epoch=2)
    torch.rand(1)
    assert batches_of(50, 8, seed=3, epoch=2) == first
    assert flat(first[0]) == flat(batches_of(50, 50, seed=3, epoch=2)[0])
    others = [
        batches_of(50, 8, seed=s, epoch=e) for s, e in [(2, 3), (3, 3), (4, 2), (4, 1), (5, 0)]
    ]
    assert all(other != first for other in others)
    torch.set_rng_state(state)
    batches_of(50, 8)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("arguments", [{}, {"lengths": torch.arange(64) % 13}])
def test_a_step_of_two_ranks_is_one_of_one_rank_with_twice_the_batch(arguments):
    (one,) = batches_of(64, 8, epoch=1, **arguments)
    two = batches_of(64, 4, 2, epoch=1, **arguments)
    for step, batch in enumerate(one):
        assert sorted(batch) == sorted(two[0][step] + two[1][step])


def test_what_is_left_out_changes_with_the_epoch():
    seen = {item for epoch in range(20) for item in flat(batches_of(9, 4, epoch=epoch)[0])}
    assert seen == set(range(100, 109))


def test_weights_draw_with_replacement_in_proportion():
    weights = torch.tensor([3.0, 1.0, 0.0, 0.0] * 500)
    drawn = torch.tensor(flat(batches_of(2000, 64, seed=1, weights=weights)[0])) - 100
    assert len(drawn) == 2000
    assert len(drawn.unique()) < 1000
    shares = (drawn % 4).bincount(minlength=4) / len(drawn)
    # Four standard deviations of a share of 3/4 in 2,000 draws.
    assert shares.tolist() == pytest.approx([0.75, 0.25, 0, 0], abs=0.04)
    assert shares[2:].sum() == 0


def test_batches_of_similar_lengths_are_shuffled_and_lose_nothing():
    lengths = torch.randint(1, 500, (1000,), generator=torch.Generator().manual_seed(0))
    (batches,) = batches_of(1000, 16, lengths=lengths)
    (plain,) = batches_of(1000, 16)
    assert sorted(flat(batches)) == list(range(100, 1100))

    def padding(batches):
        sizes = [lengths[torch.tensor(batch) - 100] for batch in batches]
        return sum(int((size.max() - size).sum()) for size in sizes)

    assert padding(batches) < padding(plain) / 10
    longest = [int(lengths[torch.tensor(batch) - 100].max()) for batch in batches[:-1]]
    assert longest != sorted(longest)
    assert batches_of(1000, 16, lengths=lengths, epoch=1)[0] != batches


def test_passes_without_set_epoch_are_of_successive_epochs():
    sampler = EpochSampler(torch.arange(20), 4, shuffle=True)
    passes = []
    for _ in range(3):
        assert sampler.position.begin() == 0
        passes.append([batch.tolist() for batch in sampler])
    for epoch, found in enumerate(passes):
        sampler.set_epoch(epoch)
        assert [batch.tolist() for batch in sampler] == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0, "shuffle": True}, "`batch_size` to be at least 1, but got 0"),
        ({"num_replicas": 4, "shuffle": True}, "each of 4 ranks, but got 3. Use fewer devices"),
        ({"num_replicas": 4, "shuffle": False}, "each of 4 ranks, but got 3"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        EpochSampler(torch.arange(3), **{"batch_size": 2, **arguments})


def test_an_item_that_is_drawn_again_is_told_apart():
    settings = {"shuffle": True, "weights": torch.tensor([1.0, 20.0] + [1.0] * 18)}
    plain, spread = (EpochSampler(torch.arange(20), 5, span=n, **settings) for n in (0, 100))
    items = spread.order(2)
    assert torch.equal(items % 100, plain.order(2))
    ones = items[items % 100 == 1]
    assert len(ones) > 3
    assert ones.tolist() == [1 + 100 * time for time in range(len(ones))]
