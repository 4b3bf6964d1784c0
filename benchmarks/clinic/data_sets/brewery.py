"""Made-up measurements of a brewery: curves, pictures of caps, notes, recipes and waters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_sets.samples import Samples, scaled_targets, split

WORDS = 121
STYLES = 4
TAGS = 8


class Rows(Dataset[dict[str, Tensor]]):
    """Samples as dictionaries."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"inputs": self.x[index], "labels": self.y[index]}


def rows(data: Samples, batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of dictionaries."""
    train = DataLoader(Rows(data.x, data.y), batch_size, shuffle=True)
    return train, DataLoader(Rows(data.x_test, data.y_test), 256)


@dataclass
class Analyses:
    """A batch of waters, and what the yeast made of them."""

    water: Tensor
    attenuation: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        yield from (self.water, self.attenuation)


def analysed(rows: list[tuple[Tensor, Tensor]]) -> Analyses:
    waters, targets = zip(*rows, strict=True)
    return Analyses(torch.stack(waters), torch.stack(targets))


@cache
def strains(length: int = 24, count: int = 1500) -> Samples:
    """Two sensors for a day, of which only the first six hours tell the three strains apart."""
    generator = torch.Generator().manual_seed(61)
    y = torch.randint(3, (count,), generator=generator)
    x = 0.4 * torch.randn(count, length, 2, generator=generator)
    x[:, :6, 0] += 1.2 * (y[:, None] - 1)
    x[:, :6, 1] += 1.2 * (y[:, None] == 1)
    return split(x, y)


@cache
def caps(count: int = 1500, size: int = 16) -> Samples:
    """Grey pictures of six kinds of caps, off their centre, faded and noisy."""
    generator = torch.Generator().manual_seed(62)
    y = torch.randint(6, (count,), generator=generator)
    line = torch.linspace(-1, 1, size)
    shift = 0.2 * torch.randn(2, count, 1, 1, generator=generator)
    down = (line[:, None] + shift[0]).expand(count, size, size)
    across = (line + shift[1]).expand(count, size, size)
    radius = (down.square() + across.square()).sqrt()
    rows, columns = (8 * down).sin(), (8 * across).sin()
    kinds = [
        radius < 0.6, (radius - 0.6).abs() < 0.2, torch.minimum(down.abs(), across.abs()) < 0.15,
        rows > 0, columns > 0, rows * columns > 0,
    ]  # fmt: skip
    x = torch.stack(kinds, 1)[torch.arange(count), y].float()
    x = x * (0.6 + 0.4 * torch.rand(count, 1, 1, generator=generator))
    return split((x + 0.25 * torch.randn(x.shape, generator=generator))[:, None], y)


@cache
def notes(length: int = 20, count: int = 2000) -> Samples:
    """Word numbers of tasting notes; a third of the words are those of one of four styles.

    Zero is no word, but kept for a token of the whole note.
    """
    generator = torch.Generator().manual_seed(63)
    y = torch.randint(STYLES, (count,), generator=generator)
    x = torch.randint(41, WORDS, (count, length), generator=generator)
    own = 1 + 10 * y[:, None] + torch.randint(10, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.33, own, x)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def flavours(count: int = 2500, words: int = 64) -> Samples:
    """Counts of words in long notes, and which of eight flavours they tell of: one or two."""
    generator = torch.Generator().manual_seed(64)
    y = (torch.rand(count, TAGS, generator=generator) < 0.15).float()
    rates = torch.full((count, words), 0.1)
    rates[:, :48] += 0.8 * y.repeat_interleave(6, 1)
    return split(torch.poisson(rates, generator), y)


@cache
def infections(distance: float, share: float = 0.04, count: int = 6000) -> Samples:
    """Curves of density, one every hour of a day; the few infected ones go on falling.

    Healthy brews go on falling or rise, too, by as much as the deviation that ``distance`` is
    measured in.
    """
    generator = torch.Generator().manual_seed(65)
    y = (torch.rand(count, generator=generator) < share).long()
    time = torch.linspace(0, 1, 24)
    speed = 3 + torch.rand(count, 1, generator=generator)
    drift = distance * y[:, None] + torch.randn(count, 1, generator=generator)
    x = 1 - 2 * (speed * time).tanh() - 0.5 * drift * (time - 0.6).relu() / 0.4
    return split((x + 0.1 * torch.randn(count, 24, generator=generator))[:, None], y)


@cache
def bitterness(count: int = 4000) -> Samples:
    """Three hops, each with its amount, its acid and its minutes, and how bitter the beer gets."""
    generator = torch.Generator().manual_seed(66)
    x = torch.rand(count, 3, 3, generator=generator)
    gained = x[..., 0] * (0.3 + x[..., 1]) * (1 - (-4 * x[..., 2]).exp())
    y = gained.sum(1) + 0.05 * torch.randn(count, generator=generator)
    return scaled_targets(split(3.46 * (x.flatten(1) - 0.5), y))


@cache
def sugars(length: int = 30, count: int = 2500) -> Samples:
    """What is added in thirty hours, whether the yeast was awake, and the sum of what it ate."""
    generator = torch.Generator().manual_seed(67)
    amounts = torch.rand(count, length, generator=generator)
    awake = (torch.rand(count, length, generator=generator) < 0.3).float()
    return scaled_targets(split(torch.stack([amounts, awake], 2), (amounts * awake).sum(1)))


@cache
def tastings(count: int = 3000) -> Samples:
    """Pairs of beers, ten features each, and which one a guest took: little more than chance.

    One who knows the guests' taste is right in two of three pairs.
    """
    generator = torch.Generator().manual_seed(68)
    x = torch.randn(count, 2, 10, generator=generator)
    liking = 0.5 * x[..., 0] - 0.5 * x[..., 1] + 0.4 * x[..., 2] * x[..., 3]
    chance = (liking[:, 0] - liking[:, 1]).sigmoid()
    return split(x, (torch.rand(count, generator=generator) < chance).long())


@cache
def worts(count: int = 1800, channels: int = 40) -> Samples:
    """Spectra of five malts, two peaks each, at any height and with noise."""
    generator = torch.Generator().manual_seed(69)
    y = torch.randint(5, (count,), generator=generator)
    place = torch.arange(channels).float()
    first, second = 5 + 5 * y[:, None], 35 - 6 * y[:, None]
    height = 0.7 + 0.6 * torch.rand(2, count, 1, generator=generator)
    x = height[0] * (-(((place - first) / 2) ** 2)).exp()
    x = x + height[1] * (-(((place - second) / 2) ** 2)).exp()
    return split(2 * x + 0.4 * torch.randn(count, channels, generator=generator), y)


@cache
def waters(count: int = 2000) -> Samples:
    """Waters as the laboratory writes them down, and how far the yeast ferments in them.

    Acidity, degrees, milligrams of calcium, sulphate and oxygen, conductivity, cells in a
    millilitre, litres.
    """
    generator = torch.Generator().manual_seed(70)
    z = torch.randn(count, 8, generator=generator)
    mean = torch.tensor([6.5, 19.0, 80.0, 120.0, 8.0, 500.0, 1.2e7, 3000.0])
    deviation = torch.tensor([0.4, 2.0, 25.0, 40.0, 1.5, 120.0, 3e6, 600.0])
    y = (1.5 * z[:, 0]).tanh() + 0.6 * z[:, 1] * z[:, 4] - 0.5 * z[:, 2].abs() + 0.4 * z[:, 6]
    y = y + 0.2 * torch.randn(count, generator=generator)
    return scaled_targets(split(mean + deviation * z, y))
