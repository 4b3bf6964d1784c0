"""Small sets of the kind that questions in forums come with."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def quadrants(count: int = 1200) -> Samples:
    """Points of the plane; whether both coordinates have the same sign."""
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(81))
    return split(x, (x[:, 0] * x[:, 1] > 0).long())


@cache
def curve(count: int = 1500) -> Samples:
    """A wave that grows, and noise."""
    generator = torch.Generator().manual_seed(82)
    x = 2 * torch.rand(count, 1, generator=generator) - 1
    y = torch.sin(6 * x[:, 0]) * (1 + 0.5 * x[:, 0]) + 0.1 * torch.randn(count, generator=generator)
    return split(x, y)


@cache
def areas(count: int = 1000) -> Samples:
    """Area in square feet, rooms, year of building; rent in hundreds."""
    generator = torch.Generator().manual_seed(83)
    normal = torch.randn(4, count, generator=generator)
    area = 1400 + 500 * normal[0]
    rooms = (area / 450 + 0.6 * normal[1]).round().clamp(1, 8)
    year = 1975 + 20 * normal[2]
    y = 0.008 * area + 0.9 * rooms + 0.05 * (year - 1975) + 1.2 * normal[3]
    return split(torch.stack([area, rooms, year], 1), y)


@cache
def messages(count: int = 2400, share: float = 0.5, length: int = 20) -> Samples:
    """Numbers of words, 0 after the end; unwanted ones have up to four words of twelve."""
    generator = torch.Generator().manual_seed(84)
    y = (torch.rand(count, generator=generator) < share).long()
    x = torch.randint(13, 200, (count, length), generator=generator)
    own = torch.randint(1, 13, (count, length), generator=generator)
    chance = torch.where(y == 1, 0.16, 0.03)[:, None]
    x = torch.where(torch.rand(count, length, generator=generator) < chance, own, x)
    end = torch.randint(8, length + 1, (count, 1), generator=generator)
    samples = split(torch.where(torch.arange(length) < end, x, 0), y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def defaults(count: int = 4000) -> Samples:
    """Ten standardised columns; about one customer in thirty does not pay."""
    generator = torch.Generator().manual_seed(85)
    x = torch.randn(count, 10, generator=generator)
    logit = -5.6 + 1.5 * x[:, 0] + 1.3 * x[:, 1] * x[:, 2].sign() + x[:, 3]
    return split(x, (torch.rand(count, generator=generator) < logit.sigmoid()).long())


def triplets(samples: Samples, count: int, seed: int, *, test: bool = False) -> list[Tensor]:
    """Anchors, others of their class, and others of another."""
    x, y = (samples.x_test, samples.y_test) if test else (samples.x, samples.y)
    generator = torch.Generator().manual_seed(seed)
    anchor = torch.randint(len(y), (count,), generator=generator)
    order = torch.rand(count, len(y), generator=generator)
    same = y[anchor][:, None] == y
    positive = torch.where(same, order, -1).argmax(1)
    negative = torch.where(same, -1, order).argmax(1)
    return [x[anchor], x[positive], x[negative]]


@cache
def two_waves(window: int = 24, count: int = 1600) -> Samples:
    """Windows of the sum of two waves, and what comes next; the end is to be foretold."""
    generator = torch.Generator().manual_seed(86)
    time = torch.arange(count + window, dtype=torch.float32)
    series = torch.sin(0.31 * time) + 0.6 * torch.sin(0.113 * time + 1)
    series = series + 0.1 * torch.randn(len(time), generator=generator)
    x, y = series.unfold(0, window, 1)[:count, :, None], series[window : window + count]
    return Samples(x[:1200], y[:1200], x[1200:], y[1200:])


LAKE = "SFFFFHFHFFFHHFFG"
"""A frozen lake of four by four: start, ice, holes and goal."""


def lake_moves() -> list[list[tuple[int, float, bool]]]:
    """For each place and each direction: the next place, the reward, and whether it ends."""
    moves = []
    for place in range(16):
        row, column = divmod(place, 4)
        steps = ((row, column - 1), (row + 1, column), (row, column + 1), (row - 1, column))
        found = [4 * min(max(r, 0), 3) + min(max(c, 0), 3) for r, c in steps]
        moves.append([(p, float(LAKE[p] == "G"), LAKE[p] in "HG") for p in found])
    return moves
