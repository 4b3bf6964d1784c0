import pytest

from torchvitals.datamodules.loading import EpochPosition


def take(position, batches):
    """Epochs and batches of a pass that is left after so many of its batches."""
    start = position.begin()
    taken = [(position.current_epoch, batch) for batch in range(start, position.length)][:batches]
    position.done += len(taken)
    return taken


@pytest.mark.parametrize("set_epochs", [False, True])
@pytest.mark.parametrize("batches", range(9))
def test_a_restored_position_goes_on_as_the_one_it_was_taken_of(batches, set_epochs):
    passes = [[(epoch, batch) for batch in range(4)] for epoch in range(3)]
    position, left = EpochPosition(4, 8), batches
    for epoch in range(2):
        if set_epochs:
            position.set_epoch(epoch)
        assert take(position, left) == passes[epoch][:left]
        left -= len(passes[epoch][:left])
        if not left:
            break
    resumed = EpochPosition(4, 8)
    resumed.load_state_dict(position.state_dict())
    assert resumed.state_dict() == position.state_dict()
    epoch, done = divmod(batches, 4)
    if set_epochs:
        resumed.set_epoch(epoch)
    assert take(resumed, 4) == [(epoch, batch) for batch in range(done, 4)]
    assert take(resumed, 4) == [(epoch + 1, batch) for batch in range(4)]


def test_an_epoch_that_was_set_and_not_begun_is_the_next():
    position = EpochPosition(4, 8)
    position.set_epoch(5)
    resumed = EpochPosition(4, 8)
    resumed.load_state_dict(position.state_dict())
    assert take(resumed, 4) == [(5, batch) for batch in range(4)]
    assert take(resumed, 1) == [(6, 0)]


def test_another_epoch_than_that_of_the_state_begins_at_its_start():
    position = EpochPosition(4, 8)
    position.load_state_dict({"epoch": 1, "passes": 1, "done": 3, "step": 8})
    position.set_epoch(2)
    assert position.state_dict()["done"] == 0
    assert take(position, 1) == [(2, 0)]


@pytest.mark.parametrize(("step", "done"), [(8, 3), (4, 6), (16, 1)])
def test_another_step_goes_on_at_the_first_batch_that_was_not_all_done(step, done):
    position = EpochPosition(10, step)
    position.load_state_dict({"epoch": 0, "passes": 1, "done": 3, "step": 8})
    assert take(position, 1) == [(0, done)]


# The Trainer's own count may go on from batches of another size.
@pytest.mark.parametrize("before", [2, 4])
def test_batches_that_are_not_used_up_are_not_done(before):
    used = before
    position = EpochPosition(9, 8, finished=lambda: used)
    with pytest.warns(UserWarning, match="begun with 4 samples .* which are 8 now"):
        position.load_state_dict({"epoch": 0, "passes": 1, "done": 4, "step": 4})
    take(position, 3)
    used = before + 2
    assert position.state_dict()["done"] == 4
    used = before + 3
    assert position.state_dict()["done"] == 5


@pytest.mark.parametrize(
    ("done", "step"), [(4, 8), (0, 4), (18, 4)], ids=["as before", "not begun", "at its end"]
)
def test_batches_of_another_size_matter_within_an_epoch_alone(done, step):
    position = EpochPosition(9, 8, finished=lambda: 0)
    position.load_state_dict({"epoch": 0, "passes": 1, "done": done, "step": step})
    assert position.done == done * step // 8
