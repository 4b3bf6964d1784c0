"""Made-up sports: matches, athletes, what their watches record, where they shoot from."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized

TEAMS, ATHLETES, ZONES = 24, 30, 18


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cut(x: Tensor, y: Tensor, train: float = 0.7) -> Samples:
    """In the order given, integers staying integers."""
    count = int(train * len(x))
    return Samples(x[:count], y[:count], x[count:], y[count:])


@cache
def sessions(count: int = 1000, length: int = 48) -> Samples:
    """Heart rates of interval sessions, each minute to mean 0 and deviation 1; also the targets."""
    draw = generator(1)
    rest, top, pace, phase, height = torch.rand(5, count, 1, generator=draw)
    time = torch.linspace(0, 1, length)
    rise = (1 - torch.exp(-time * (4 + 12 * pace))) * (60 + 50 * top)
    intervals = torch.sin(6.3 * (3 * time + phase)) * (5 + 25 * height)
    rates = 45 + 30 * rest + rise + intervals * time.clamp(max=0.3) / 0.3
    rates = rates + 2 * torch.randn(count, length, generator=draw)
    samples = standardized(split(rates, torch.zeros(count)))
    return samples._replace(y=samples.x, y_test=samples.x_test)


@cache
def games(count: int = 4000, draws: bool = False) -> Samples:
    """Numbers of the home and the visiting team, and whether the first wins (2, draws being 1)."""
    draw = generator(2)
    strength = torch.randn(TEAMS, generator=draw)
    home = torch.randint(TEAMS, (count,), generator=draw)
    away = (home + torch.randint(1, TEAMS, (count,), generator=draw)) % TEAMS
    margin = 1.6 * (strength[home] - strength[away]) + 0.5
    chance = torch.rand(count, generator=draw)
    margin = margin + torch.log(chance / (1 - chance))
    pair = torch.stack([home, away], 1)
    if draws:
        return cut(pair, (margin > -0.8).long() + (margin > 0.8).long())
    return cut(pair, (margin > 0).float())


@cache
def roles(count: int = 2000, features: int = 60) -> Samples:
    """Statistics of a season, standardized, and which of five roles the player has."""
    draw = generator(3)
    habit = torch.randn(count, 5, generator=draw)
    centers = 1.3 * torch.randn(5, 2, 5, generator=draw)
    distance = (habit[:, None, None] - centers).square().sum(-1).amin(2)
    x = habit @ torch.randn(5, features, generator=draw)
    x = x + 0.3 * torch.randn(count, features, generator=draw)
    return standardized(split(x, distance.argmin(1)))


@cache
def efforts(count: int = 1200, length: int = 64) -> Samples:
    """Three axes of a wrist while somebody walks, runs, rows, cycles or skips."""
    draw = generator(4)
    y = torch.randint(5, (count,), generator=draw)
    pace = torch.tensor([3.0, 6.0, 2.0, 9.0, 4.5])[y] * (
        1 + 0.12 * torch.randn(count, generator=draw)
    )
    phase = 6.3 * torch.rand(count, 3, 1, generator=draw)
    angle = 6.3 * pace[:, None, None] * torch.linspace(0, 1, length) + phase
    shape = torch.tensor([0.2, 0.8, 0.0, 0.1, 0.5])[y][:, None, None]
    x = torch.sin(angle) + shape * torch.sin(2 * angle)
    return split(x + 0.7 * torch.randn(count, 3, length, generator=draw), y)


@cache
def minutes(count: int = 700, length: int = 60) -> Samples:
    """Tracking data by seconds, and whether there is nothing, a shot or a tackle in each."""
    draw = generator(5)
    x = torch.randn(count, 4, length, generator=draw)
    chance = torch.rand(count, length, generator=draw)
    y = (chance < 0.025).long() + (chance < 0.01).long()
    for label, channel in ((1, 0), (2, 1)):
        there = (y == label).float()
        x[:, channel] += 1.7 * there
        x[:, channel, 1:] += 1.0 * there[:, :-1]
        x[:, channel + 2, :-1] += 1.0 * there[:, 1:]
    return split(x, y)


@cache
def shot_charts(count: int = 1200, shots: int = 30) -> Samples:
    """Roots of counts of shots on a grid of 16 x 16, and which of five positions is played."""
    draw = generator(6)
    spots = torch.tensor(
        [[[2, 8], [3, 7], [4, 9]], [[4, 4], [4, 12], [2, 8]], [[7, 2], [7, 14], [9, 8]],
         [[10, 5], [10, 11], [3, 8]], [[6, 6], [6, 10], [11, 8]]],
        dtype=torch.float32,
    )  # fmt: skip
    y = torch.randint(5, (count,), generator=draw)
    which = torch.randint(3, (count, shots), generator=draw)
    place = spots[y[:, None], which] + 2.2 * torch.randn(count, shots, 2, generator=draw)
    cell = place.round().long().clamp(0, 15)
    x = torch.zeros(count, 256)
    x.scatter_add_(1, cell[..., 0] * 16 + cell[..., 1], torch.ones(count, shots))
    return split(x.sqrt().reshape(-1, 1, 16, 16), y)


@cache
def rides(count: int = 1000, length: int = 40) -> Samples:
    """Power and cadence by the minute, and the heart rate in the end, all scaled."""
    draw = generator(7)
    level = torch.rand(count, 1, generator=draw)
    power = level + 0.5 * torch.randn(count, length, generator=draw).cumsum(1) / 4
    power = power.clamp(0, 2)
    cadence = 0.5 * power + 0.3 * torch.randn(count, length, generator=draw)
    rate = torch.full((count,), 0.4)
    for step in range(length):
        rate = rate + 0.15 * (torch.tanh(1.5 * power[:, step]) - rate)
    rate = rate + 0.02 * torch.randn(count, generator=draw)
    return scaled_targets(split(torch.stack([power, cadence], 2) - 0.5, rate))


@cache
def goals(count: int = 2500) -> tuple[Samples, Tensor]:
    """Form and ratings of two teams, the goals of the first, and those to be expected in tests."""
    draw = generator(8)
    x = torch.randn(count, 12, generator=draw)
    expected = torch.exp(0.2 + 0.4 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 2] * (x[:, 3] > 0))
    return cut(x, torch.poisson(expected, generator=draw)), expected[int(0.7 * count) :]


@cache
def injuries(count: int = 4000) -> Samples:
    """Loads of four weeks, age and sleep, and whether an injury follows: one of twenty does."""
    draw = generator(9)
    x = torch.randn(count, 10, generator=draw)
    score = x[:, 0] - x[:, 1] + 0.8 * x[:, 2] * x[:, 3] + 0.5 * torch.randn(count, generator=draw)
    return cut(x, (score > score.quantile(0.95)).float())


@cache
def strides(each: int = 40, length: int = 32) -> Samples:
    """Accelerations of a stride by the numbers of the runners; the tests are other runners."""
    draw = generator(10)
    y = torch.arange(ATHLETES).repeat_interleave(each)
    size = torch.randn(ATHLETES, 5, 1, generator=draw)[y]
    shift = 6.3 * torch.rand(ATHLETES, 5, 1, generator=draw)[y]
    order = torch.arange(1, 6)[:, None]
    turn = 0.8 * torch.rand(len(y), 1, 1, generator=draw)
    x = (size * torch.sin(order * (torch.linspace(0, 6.3, length) + turn) + shift)).sum(1)
    return cut(x + 0.5 * torch.randn(len(y), length, generator=draw), y, 20 / ATHLETES)


@cache
def possessions(count: int = 1200, length: int = 20) -> tuple[Samples, float]:
    """Zones through which a ball goes, 0 after its loss, and the entropy of the next zone."""
    draw = generator(11)
    chances = torch.softmax(2.0 * torch.randn(ZONES, ZONES, generator=draw), 1)
    walk = torch.randint(ZONES, (count, 1), generator=draw)
    surprise = []
    for _ in range(length - 1):
        step = torch.multinomial(chances[walk[:, -1]], 1, generator=draw)
        surprise.append(-chances[walk[:, -1:], step].log())
        walk = torch.cat([walk, step], 1)
    passes = torch.randint(6, length + 1, (count, 1), generator=draw)
    kept = torch.arange(length) < passes
    x = torch.where(kept, walk + 1, 0)
    entropy = torch.cat(surprise, 1)[kept[:, 1:]].mean().item()
    return cut(x, torch.zeros(count)), entropy


@cache
def blurred_charts() -> Samples:
    """Smoothed charts of shots from 0 to 1; they are the targets, too."""
    charts = shot_charts()

    def blurred(x: Tensor) -> Tensor:
        x = F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 1, 1)
        return x / x.amax((1, 2, 3), keepdim=True)

    x, x_test = blurred(charts.x), blurred(charts.x_test)
    return Samples(x, x, x_test, x_test)
