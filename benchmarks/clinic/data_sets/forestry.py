"""What foresters measure: stands, laser scans, bark, sounds, spectra of wood and reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.utils.data import Dataset

from data_sets.samples import Samples, scaled_targets, split, standardized


class Scans(Dataset[dict[str, Tensor]]):
    """Laser metrics of a stem and its volume, as a dictionary."""

    def __init__(self, lidar: Tensor, volume: Tensor) -> None:
        self.lidar, self.volume = lidar, volume

    def __len__(self) -> int:
        return len(self.volume)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"lidar": self.lidar[index], "volume": self.volume[index]}


@dataclass
class Recordings:
    """A batch of sounds."""

    sound: Tensor
    label: Tensor


def collated(samples: Sequence[tuple[Tensor, Tensor]]) -> Recordings:
    sounds, labels = zip(*samples, strict=True)
    return Recordings(torch.stack(sounds), torch.stack(labels))


@cache
def stands(count: int = 3200) -> Samples:
    """Eight properties of a site, z-scored; each of five species grows in three kinds of site."""
    draw = torch.Generator().manual_seed(301)
    centres = 1.3 * torch.randn(5, 3, 4, generator=draw)
    y = torch.randint(5, (count,), generator=draw)
    kind = torch.randint(3, (count,), generator=draw)
    site = centres[y, kind] + 0.45 * torch.randn(count, 4, generator=draw)
    return standardized(split(torch.cat([site, torch.randn(count, 4, generator=draw)], 1), y))


@cache
def volumes(noise: float = 0.25, count: int = 2200) -> Samples:
    """Ten laser metrics of a stem and its volume, all z-scored."""
    draw = torch.Generator().manual_seed(302)
    x = torch.randn(count, 10, generator=draw)
    height, crown = x[:, 0] + 0.3 * x[:, 1], x[:, 2] - 0.3 * x[:, 3]
    y = height * crown.tanh() + (1.5 * x[:, 4]).sin() + 0.7 * height + 0.4 * x[:, 5]
    return scaled_targets(split(x, y + noise * torch.randn(count, generator=draw)))


@cache
def barks(count: int = 2000, size: int = 16) -> Samples:
    """Photographs of bark: furrows, rings, plates, scales, spots or smooth; z-scored."""
    draw = torch.Generator().manual_seed(303)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw)

    y = torch.randint(6, (count,), generator=draw)
    axis = torch.arange(size, dtype=torch.float32)
    row, column = axis[None, :, None], axis[None, None, :]
    pace, phase = 1.2 + 0.6 * drawn(count, 1, 1), 6.3 * drawn(count, 1, 1)
    bend = 1.5 * (0.4 * axis + 6.3 * drawn(count, 1)).sin()
    furrows = (pace * (column + bend[:, :, None]) + phase).sin() > 0.3
    rings = (pace * (row + bend[:, None, :]) + phase).sin() > 0.3
    plates = furrows & rings
    scales = (pace * (row + column + bend[:, None, :]) * 0.7 + phase).sin() > 0.3
    spots = torch.zeros(count, size, size, dtype=torch.bool)
    for _ in range(6):
        spots |= (row - size * drawn(count, 1, 1)) ** 2 + (
            column - size * drawn(count, 1, 1)
        ) ** 2 < 3
    kinds = torch.stack([furrows, rings, plates, scales, spots, torch.zeros_like(spots)], 1)
    dark = kinds[torch.arange(count), y].float()
    brown = torch.tensor([0.55, 0.45, 0.36])[None, :, None, None]
    brown = brown * (0.7 + 0.6 * drawn(count, 3, 1, 1))
    picture = brown * (1 - 0.4 * dark[:, None])
    picture = picture + 0.1 * torch.randn(picture.shape, generator=draw)
    return split((picture - 0.45) / 0.15, y)


@cache
def sounds(count: int = 1600, length: int = 40) -> Samples:
    """Loudness of six bands over time, z-scored: a saw, an axe, a bird, rain or wind."""
    draw = torch.Generator().manual_seed(304)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw)

    y = torch.randint(5, (count,), generator=draw)
    time = torch.arange(length, dtype=torch.float32)[None, :, None]
    band = torch.arange(6, dtype=torch.float32)[None, None, :]
    phase = 6.3 * drawn(count, 1, 1)
    rev = (0.5 + 0.3 * drawn(count, 1, 1)) * time + phase
    saw = (1 + 0.6 * rev.sin()) * (0.5 + 0.5 * (3.1 * band + phase).cos())
    beat = ((time + 9 * drawn(count, 1, 1)) % (7 + 4 * drawn(count, 1, 1))) < 1.2
    axe = 3 * beat.float() * (1.1 - 0.12 * band)
    tone = 3 + 2.5 * ((0.6 + 0.4 * drawn(count, 1, 1)) * time + phase).sin()
    bird = 2.2 * (-((band - tone) ** 2)).exp()
    rain = 0.6 + 0.5 * torch.randn(count, length, 6, generator=draw).abs()
    wind = (1.2 + (0.15 * time + phase).sin()) * (1 - 0.18 * band).clamp(min=0)
    kinds = torch.stack([saw, axe, bird, rain.expand_as(saw), wind.expand_as(saw)], 1)
    x = kinds[torch.arange(count), y] * (0.4 + 0.6 * drawn(count, 1, 1))
    x = x + 0.45 * torch.randn(x.shape, generator=draw)
    return split((x - x.mean()) / x.std(), y)


def completed(samples: Samples) -> Samples:
    """The sounds as eight workers are done with them: the longer one takes, the later it comes."""
    draw = torch.Generator().manual_seed(305)
    began = torch.arange(len(samples.x), dtype=torch.float32) / 8
    order = (began + 6 * torch.rand(len(samples.x), generator=draw)).argsort()
    return samples._replace(x=samples.x[order])


def guessed(samples: Samples, share: float) -> Samples:
    """That share of the labels to train on drawn by chance."""
    draw = torch.Generator().manual_seed(306)
    chance = torch.randint(int(samples.y.max()) + 1, samples.y.shape, generator=draw)
    drawn = torch.rand(samples.y.shape, generator=draw) < share
    return samples._replace(y=torch.where(drawn, chance, samples.y))


@cache
def spectra(count: int = 2000, bands: int = 40) -> Samples:
    """Reflections of wood, z-scored; each of six sorts is of two ages, which look different."""
    draw = torch.Generator().manual_seed(307)
    basis = torch.randn(10, bands, generator=draw)
    centres = torch.randn(6, 2, 10, generator=draw)
    y = torch.randint(6, (count,), generator=draw)
    age = torch.randint(2, (count,), generator=draw)
    hidden = centres[y, age] + 0.35 * torch.randn(count, 10, generator=draw)
    x = hidden @ basis / 10**0.5 + 0.2 * torch.randn(count, bands, generator=draw)
    return standardized(split(x, y))


@cache
def traits(count: int = 1500) -> Samples:
    """Spectra, and eight traits of the wood that hang on three things in them, z-scored."""
    draw = torch.Generator().manual_seed(308)
    hidden = torch.randn(count, 3, generator=draw)
    x = hidden @ torch.randn(3, 40, generator=draw) + 0.8 * torch.randn(count, 40, generator=draw)
    y = hidden @ torch.randn(3, 8, generator=draw) / 3**0.5
    y = y + 0.3 * torch.randn(count, 8, generator=draw)
    return standardized(split(x, (y - y.mean(0)) / y.std(0)))


@cache
def mixtures(count: int = 2400) -> Samples:
    """Eight properties of a site and the shares of five species there, of which some are 0."""
    draw = torch.Generator().manual_seed(309)
    x = torch.randn(count, 8, generator=draw)
    wishes = (x @ torch.randn(8, 24, generator=draw) / 8**0.5).tanh()
    wishes = 0.35 + wishes @ torch.randn(24, 5, generator=draw) / 24**0.5
    wishes = (wishes + 0.08 * torch.randn(count, 5, generator=draw)).clamp(min=0)
    wishes[wishes.sum(1) == 0] = 1.0
    return split(x, wishes / wishes.sum(1, keepdim=True))


@cache
def reports(count: int = 2200, length: int = 24, words: int = 400) -> Samples:
    """Word numbers, 0 behind the end; five topics with 30 words of their own each."""
    draw = torch.Generator().manual_seed(310)
    y = torch.randint(5, (count,), generator=draw)
    x = torch.randint(151, words, (count, length), generator=draw)
    own = 1 + 30 * y[:, None] + torch.randint(30, (count, length), generator=draw)
    other = torch.randint(1, 151, (count, length), generator=draw)
    part = torch.rand(count, length, generator=draw)
    x = torch.where(part < 0.3, own, torch.where(part < 0.45, other, x))
    ends = torch.randint(8, length + 1, (count, 1), generator=draw)
    samples = split(x.masked_fill(torch.arange(length) >= ends, 0), y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())
