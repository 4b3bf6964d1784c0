"""What a zoo sees, hears, measures and counts, made up."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, cancer, split, standardized

WORDS = 300
TOYS = 5


@cache
def coats(count: int = 1800, size: int = 16) -> Samples:
    """Grey pictures of fur, standardized: striped, spotted, in patches, ringed, plain."""
    draw = torch.Generator().manual_seed(301)

    def rand(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=draw)

    y = torch.randint(5, (count,), generator=draw)
    axis = torch.arange(size).float()
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    angle, pitch = rand(0, 3.1416), rand(0.9, 1.5)
    along = (pitch * (angle.cos() * across + angle.sin() * down) + rand(0, 6.28)).sin()
    aside = (pitch * (angle.cos() * down - angle.sin() * across) + rand(0, 6.28)).sin()
    slow = (0.35 * pitch * across + rand(0, 6.28)).sin()
    slow = slow + (0.35 * pitch * down + rand(0, 6.28)).sin()
    product = along * aside
    marks = torch.stack([
        along > 0.1, product > 0.35, slow > 0.2, (product.abs() - 0.4).abs() < 0.2,
        torch.zeros_like(along) > 0,
    ])  # fmt: skip
    mark = marks[y, torch.arange(count)].float()
    x = rand(0.3, 0.6) + rand(0.25, 0.4) * (2 * mark - 1) * (y < 4)[:, None, None]
    x = x + 0.12 * torch.randn(count, size, size, generator=draw)
    return split((x[:, None] - 0.45) / 0.3, y)


@cache
def calls(length: int = 40, count: int = 1600) -> Samples:
    """Sound and loudness of a call: rising, falling, trilled or called twice."""
    draw = torch.Generator().manual_seed(302)
    y = torch.randint(4, (count,), generator=draw)
    time = torch.linspace(0, 1, length)
    slope = torch.tensor([1.0, -1.0, 0.0, 0.0])[y, None] * (8 + 4 * rand_column(count, draw))
    trill = (y == 2)[:, None] * (12.6 * time + 6.28 * rand_column(count, draw)).sin() * 2
    phase = 6.28 * rand_column(count, draw) + 22 * time + slope * (time - 0.5).square() + trill
    loud = (-((time - 0.5) / 0.3).square()).exp().expand(count, -1)
    twice = (-((time - 0.25) / 0.12).square()).exp() + (-((time - 0.75) / 0.12).square()).exp()
    loud = torch.where((y == 3)[:, None], twice, loud)
    sound = loud * phase.sin() + 0.15 * torch.randn(count, length, generator=draw)
    heard = loud + 0.15 * torch.randn(count, length, generator=draw)
    return split(torch.stack([sound, heard], -1), y)


def rand_column(count: int, draw: torch.Generator) -> Tensor:
    return torch.rand(count, 1, generator=draw)


@cache
def ill_or_well(length: int = 30, count: int = 1500) -> Samples:
    """Hourly activity and temperature, standardized; the ill rest by day and grow warm."""
    draw = torch.Generator().manual_seed(303)
    ill = (torch.rand(count, generator=draw) < 0.45).long()
    hour = torch.arange(length).float()
    day = (0.26 * hour + 0.5 * torch.randn(count, 1, generator=draw)).sin()
    active = day * (1 - 0.6 * ill[:, None]) + 0.6 * torch.randn(count, length, generator=draw)
    rise = (hour / length) * ill[:, None] * (0.6 + rand_column(count, draw))
    warm = 0.5 * day + rise + 0.6 * torch.randn(count, length, generator=draw)
    return split(torch.stack([active, warm], -1), ill)


@cache
def appetites(count: int = 2500) -> Samples:
    """How much more is eaten than the body's mass foretells, in deviations.

    Logarithm of the mass, warmth of the house, age, meat, hours of activity, visitors; z-scored.
    """
    draw = torch.Generator().manual_seed(304)
    x = torch.randn(count, 6, generator=draw)
    meat = (torch.rand(count, generator=draw) < 0.4).float()
    x[:, 3] = (meat - 0.4) / 0.49
    target = 0.7 * x[:, 1].square() + (1.5 * x[:, 2]).cos() + 0.8 * (2 * meat - 1) * x[:, 4]
    target = target + 0.3 * x[:, 0] + 0.3 * torch.randn(count, generator=draw)
    return split(x, (target - target.mean()) / target.std())


BLOOD_MEAN = (300_000.0, 8000.0, 140.0, 5.5, 90.0, 140.0, 1.2, 8.0)
BLOOD_DEVIATION = (80_000.0, 2200.0, 15.0, 0.9, 20.0, 3.0, 0.3, 2.5)


@cache
def bloods(count: int = 2200) -> Samples:
    """Blood as the laboratory reports it: well, infected, with ill kidneys, with an ill liver.

    Platelets and leucocytes per microlitre, haemoglobin, glucose, creatinine, sodium, phosphate,
    bilirubin.
    """
    draw = torch.Generator().manual_seed(305)
    y = torch.randint(4, (count,), generator=draw)
    shift = torch.zeros(4, 8)
    shift[1, 1], shift[1, 3], shift[2, 4], shift[2, 6] = 1.4, 1.6, 2.0, 1.8
    shift[3, 7], shift[3, 3], shift[3, 5] = 2.2, -1.5, -1.0
    z = torch.randn(count, 8, generator=draw) + 1.4 * shift[y]
    return split(z * torch.tensor(BLOOD_DEVIATION) + torch.tensor(BLOOD_MEAN), y)


@cache
def shares(count: int = 2200) -> Samples:
    """Part of the feed that was eaten; some animals left all of it, and some nothing."""
    draw = torch.Generator().manual_seed(306)
    x = torch.randn(count, 6, generator=draw)
    wish = 0.9 * x[:, 0] - 0.7 * x[:, 1] * x[:, 2] + 0.6 * x[:, 3].tanh() + 0.5
    eaten = wish.sigmoid() * 1.12 - 0.05 + 0.06 * torch.randn(count, generator=draw)
    return split(x, eaten.clamp(0, 1))


@cache
def tours(past: int = 28, ahead: int = 7, days: int = 1600) -> Samples:
    """Guided tours of each of 28 days (as logarithms), and of the seven that follow."""
    draw = torch.Generator().manual_seed(307)
    day = torch.arange(days).float()
    week = torch.tensor([-0.5, -0.4, -0.2, -0.3, 0.1, 0.8, 0.7])[torch.arange(days) % 7]
    season = 0.6 * (6.2832 * day / 365).sin()
    weather = torch.zeros(days)
    for i in range(1, days):
        weather[i] = 0.8 * weather[i - 1] + 0.15 * torch.randn((), generator=draw)
    counts = torch.poisson((2.6 + week + season + weather).exp(), generator=draw)
    windows = counts.unfold(0, past + ahead, 1)
    x, y = windows[:, :past].log1p()[..., None] - 2.5, windows[:, past:]
    cut = 1200
    return Samples(x[:cut], y[:cut], x[cut + 35 :], y[cut + 35 :])


@cache
def notes(wrong: float = 0.0, count: int = 3000, length: int = 20) -> Samples:
    """Keepers' notes in word numbers on five topics; to train on, some topics by chance."""
    draw = torch.Generator().manual_seed(308)
    y = torch.randint(5, (count,), generator=draw)
    x = torch.randint(100, WORDS, (count, length), generator=draw)
    own = 20 * y[:, None] + torch.randint(20, (count, length), generator=draw)
    x = torch.where(torch.rand(count, length, generator=draw) < 0.3, own, x)
    data = split(x, y)
    data = data.with_inputs(data.x.long(), data.x_test.long())
    guess = torch.randint(5, data.y.shape, generator=draw)
    slip = torch.rand(len(data.y), generator=draw) < wrong
    return data._replace(y=torch.where(slip, guess, data.y))


class Play(NamedTuple):
    """Moods of animals, and how probably each toy is played with."""

    mood: Tensor
    chance: Tensor


@cache
def play(count: int = 3000) -> Play:
    draw = torch.Generator().manual_seed(309)
    mood = torch.randn(count, 6, generator=draw)
    liking = torch.randn(6, TOYS, generator=draw)
    return Play(mood, (1.2 * mood @ liking).sigmoid())


def few_malignant(keep: int = 20) -> Samples:
    """Of the cancers to train on only some malignant ones, a tenth; all to measure on."""
    data = standardized(cancer())
    malignant = (data.y == 0).nonzero().flatten()[keep:]
    kept = torch.ones(len(data.y), dtype=torch.bool)
    kept[malignant] = False
    return data._replace(x=data.x[kept], y=1 - data.y[kept], y_test=1 - data.y_test)
