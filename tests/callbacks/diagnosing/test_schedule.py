import itertools
import math

import pytest

from torchvitals.callbacks.diagnosing.schedule import Schedule


@pytest.mark.parametrize(
    ("given", "planned", "interval"),
    [
        (None, 40, 5),  # the shortest
        (None, 200, 5),
        (None, 239, 5),  # whole steps
        (None, 1_000, 25),
        (None, 1_000_000, 200),  # the longest
        (None, math.inf, 5),
        (1, 1_000, 1),
        (70, 1_000, 70),
    ],
)
def test_the_interval(given, planned, interval):
    schedule = Schedule(given)
    schedule.plan(0, planned)
    assert schedule.interval == interval


def planned(every_n_steps, step=0, steps=math.inf):
    schedule = Schedule(every_n_steps)
    schedule.plan(step, steps)
    return schedule


@pytest.mark.parametrize(
    ("interval", "batches", "window", "stride"),
    [
        (5, math.inf, 20, 1),
        (5, 20, None, 1),
        (25, 1_000, 100, 2),
        (50, math.inf, 200, 4),
        (50, 200, None, 4),
        (50, 99, None, 1),  # all of a short epoch
        (50, 1, None, 1),
    ],
)
def test_units_are_looked_for_in_fifty_batches(interval, batches, window, stride):
    assert planned(interval).unit_window(batches) == (window, stride)


def test_what_is_looked_at_when():
    schedule = planned(10)
    assert [s for s in range(24) if schedule.is_first(s)] == [0, 1, 2, 3, 4]
    assert [s for s in range(24) if schedule.is_watched(s)] == [0, 1, 2, 3, 4, 9, 19]
    read = [0, 2, 4, 6, 8, 9, 10, 12, 14, 16, 18, 19, 20, 22]
    assert [s for s in range(24) if schedule.is_read(s)] == read
    assert [schedule.pace(s) for s in (0, 4, 5, 9)] == [1, 1, 10, 10]


@pytest.mark.parametrize(
    ("interval", "spacing"), [(5, 1), (24, 4), (25, 12), (50, 25), (100, 25), (1_000, 250)]
)
def test_the_loss_is_looked_at_between_reports(interval, spacing):
    schedule = planned(interval)
    read = [step for step in range(2 * interval) if schedule.is_read(step)]
    ends = {interval - 1, 2 * interval - 1}
    assert set(read) == {*range(0, 2 * interval, spacing), *ends}


@pytest.mark.parametrize(
    ("start", "steps", "reported"),
    [
        (0, range(1, 13), [5, 10]),
        (7, range(8, 17), [10, 15]),  # goes on in mid-interval
        (0, range(2, 17, 2), [6, 10, 16]),  # two optimisers
        (0, [1, 1, 5, 5, 5, 6], [5]),  # accumulation
        (0, [12, 13], [12]),
    ],
)
def test_each_report_is_made_once(start, steps, reported):
    schedule = planned(5, start)
    assert [step for step in steps if schedule.reports(step)] == reported


def test_reports_of_a_long_training_come_seldom_unless_asked_for():
    schedule, asked = planned(None, steps=200_000), planned(50)
    reported = [step for step in range(1, 200_001) if schedule.reports(step)]
    assert reported[:200] == list(range(200, 40_001, 200))
    gaps = [after - before for before, after in itertools.pairwise(reported)]
    assert all(gap < 200 + step / 200 for gap, step in zip(gaps, reported[1:], strict=True))
    assert len(reported) < 600
    assert sum(asked.reports(step) for step in range(1, 20_001)) == 400


def test_the_first_step_is_reported_once():
    schedule = planned(5)
    assert [schedule.begins(0), schedule.begins(0)] == [True, False]
    assert not planned(5).begins(3)


def test_it_goes_on_from_its_state():
    schedule = planned(None, steps=10_000)
    assert schedule.begins(0)
    assert schedule.reports(200)
    resumed = Schedule(None)
    resumed.load_state_dict(schedule.state_dict())
    assert not resumed.begins(0)
    assert [step for step in (200, 399, 400) if resumed.reports(step)] == [400]


@pytest.mark.parametrize(("given", "interval"), [(None, 50), (10, 10)])
def test_a_resumed_fit_has_the_interval_of_its_own_plan(given, interval):
    saved = planned(None, steps=200)
    assert saved.reports(100)
    resumed = Schedule(given)
    resumed.load_state_dict(saved.state_dict())
    resumed.plan(104, 2_000, resumed=True)
    assert resumed.interval == interval
    assert [step for step in range(105, 151) if resumed.reports(step)][-1] == 150


def test_the_interval_of_a_training_of_unknown_length_grows_with_it():
    schedule = planned(None)
    begins, reports = {}, []
    for step in range(1, 5_001):
        if schedule.grow(step):
            begins[step] = schedule.interval
        if schedule.reports(step):
            reports.append(step)
    assert begins == {200: 10, 400: 20, 1_000: 50, 2_000: 100, 4_000: 200}
    assert reports[:3] == [5, 10, 15]
    assert len(reports) == 40 + 20 + 30 + 20 + 20 + 5 == len(set(reports))
    assert all(step % 5 == 0 for step in reports)


def test_a_resumed_training_of_unknown_length_goes_on_growing():
    schedule = planned(None)
    schedule.grow(450)
    again = Schedule(None)
    again.load_state_dict(schedule.state_dict())
    assert again.interval == 20
    assert again.grow(1_000)
    assert not planned(7).grow(1_000)
