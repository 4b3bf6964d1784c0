"""What a dental practice measures, made up: pairs of records, molars, crowding, findings."""

from functools import cache

import torch
from sklearn import datasets

from data_sets.samples import Samples, scaled_targets, split, standardized


@cache
def pairs_of_records(count: int = 4000) -> Samples:
    """Two records of 32 measures of teeth: half of the pairs are of one person."""
    draw = torch.Generator().manual_seed(901)
    mixing = torch.randn(8, 32, generator=draw) / 8**0.5
    first, other = torch.randn(2, count, 8, generator=draw)
    y = torch.randint(2, (count,), generator=draw)
    second = torch.where(y[:, None] == 1, first, other)
    both = torch.stack([first, second], 1) @ mixing
    return split(both + 0.3 * torch.randn(both.shape, generator=draw), y)


@cache
def molars(count: int = 900, size: int = 24) -> Samples:
    """Noisy radiographs of a crown with two roots, and the tooth's pixels."""
    draw = torch.Generator().manual_seed(902)
    line = torch.arange(float(size))
    row, column = line[:, None].expand(size, size), line.expand(size, size)
    u = torch.rand(5, count, 1, 1, generator=draw)
    top, middle, width = 3 + 4 * u[0], 9 + 6 * u[1], 4 + 2 * u[2]
    crown = ((row - top - 4) / 4).square() + ((column - middle) / width).square() < 1
    apart = width * 0.55
    roots = ((column - middle).abs() - apart).abs() < 1.6
    roots = roots & (row > top + 3) & (row < top + 11 + 3 * u[3])
    tooth = (crown | roots).float()
    bone = 0.3 * torch.sin(0.5 * row + 6.3 * u[4]) * torch.cos(0.4 * column)
    x = tooth + bone + 0.4 * torch.randn(tooth.shape, generator=draw)
    return split(x[:, None] - 0.3, tooth[:, None])


@cache
def crowding(noise: float = 0.1, count: int = 2500) -> Samples:
    """Twelve measures of a jaw, and three standardized ones of how its teeth will stand."""
    draw = torch.Generator().manual_seed(903)
    x = torch.randn(count, 12, generator=draw)
    y = torch.stack(
        [
            x[:, 0] * x[:, 1] + x[:, 2],
            (1.5 * x[:, 3]).sin() + x[:, 4].abs() - x[:, 5],
            x[:, 6].relu() - x[:, 7].relu() + 0.7 * x[:, 8] * x[:, 9],
        ],
        1,
    )
    y = (y - y.mean(0)) / y.std(0)
    return split(x, y + noise * torch.randn(y.shape, generator=draw))


@cache
def findings(contrast: float, count: int = 6000, rare: float = 0.02) -> Samples:
    """Patches of radiographs: sound ones, and a few with caries, a filling or a fracture."""
    draw = torch.Generator().manual_seed(904)
    share = torch.tensor([1 - 3 * rare, rare, rare, rare])
    y = torch.multinomial(share, count, replacement=True, generator=draw)
    line = torch.linspace(-2, 2, 16)
    at = 0.5 * torch.rand(2, count, 1, 1, generator=draw) - 0.25
    down, right = line[:, None] - at[0], line - at[1]
    blob = torch.exp(-2 * (down.square() + right.square()))
    crack = torch.exp(-8 * (down - right).square()) * (down.abs() < 1.2)
    kinds = torch.stack([0 * blob, -blob, blob, -crack], 1)
    x = contrast * kinds[torch.arange(count), y] + torch.randn(count, 16, 16, generator=draw)
    return split(x[:, None], y)


@cache
def impedance() -> Samples:
    """Friedman's second function, an impedance, its inputs and target standardized."""
    x, y = datasets.make_friedman2(1500, noise=20.0, random_state=0)
    return scaled_targets(standardized(split(x, y)))


@cache
def quantiles() -> Samples:
    """Four shells about the origin, in six features."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=2000, n_features=6, n_classes=4, random_state=0
    )
    return split(x, y)
