"""What an insurer has: policies, claims, photographs of damages, letters, and drives."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_sets.samples import Samples, split

REGIONS, MAKES = 20, 30
KINDS = ("scratch", "dent", "hail", "burst")


def coded(generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of the region and of the make, and five standardized columns."""
    codes = np.stack([generator.integers(n, size=count) for n in (REGIONS, MAKES)], 1)
    return codes, generator.standard_normal((count, 5))


@cache
def policies(count: int = 5000) -> Samples:
    """Region, make, five numbers and the share of the year insured; how many claims there were.

    The targets to measure on are the true rates.
    """
    generator = np.random.default_rng(21)
    codes, numbers = coded(generator, count)
    years = generator.uniform(0.1, 1.0, count)
    region, make = 0.4 * generator.standard_normal(REGIONS), 0.4 * generator.standard_normal(MAKES)
    young = 0.7 * np.maximum(-numbers[:, 0] - 0.5, 0)
    rate = np.exp(-1.0 + region[codes[:, 0]] + make[codes[:, 1]] + young + 0.3 * numbers[:, 1])
    claims = generator.poisson(rate * years).astype(float)
    x = np.column_stack([codes, numbers, years])
    both = split(x, np.stack([claims, rate], 1))
    return both._replace(y=both.y[:, 0], y_test=both.y_test[:, 1])


@cache
def lapses(count: int = 3000) -> Samples:
    """Region, make and five numbers; whether the customer left. Not all can be known."""
    generator = np.random.default_rng(22)
    codes, numbers = coded(generator, count)
    region, make = generator.standard_normal(REGIONS), generator.standard_normal(MAKES)
    logit = 1.5 * (region[codes[:, 0]] + make[codes[:, 1]])
    logit += 1.5 * numbers[:, 0] * np.sign(numbers[:, 1]) + numbers[:, 2]
    left = generator.uniform(size=count) < 1 / (1 + np.exp(-1.5 * logit))
    return split(np.column_stack([codes, numbers]), left.astype(int))


@cache
def amounts(count: int = 3000) -> Samples:
    """Ten standardized columns of a claim; the logarithm of what was paid, with much noise.

    The targets to measure on are the true means.
    """
    generator = np.random.default_rng(23)
    x = generator.standard_normal((count, 10))
    mean = 0.6 * x[:, 0] + 0.5 * np.abs(x[:, 1]) + 0.5 * x[:, 2] * x[:, 3] - 0.4
    noise = np.exp(0.5 * x[:, 4]) * generator.standard_normal(count)
    both = split(x, np.stack([mean + noise, mean], 1))
    return both._replace(y=both.y[:, 0], y_test=both.y_test[:, 1])


@cache
def risks(count: int = 2500) -> Samples:
    """Twenty standardized answers of a form; one of four classes of risk."""
    generator = np.random.default_rng(24)
    x = generator.standard_normal((count, 20))
    first = x[:, 0] + 0.7 * x[:, 1] - 0.7 * x[:, 2] + 0.15 * generator.standard_normal(count)
    second = x[:, 3] + 0.7 * x[:, 4] + 0.7 * x[:, 5] + 0.15 * generator.standard_normal(count)
    return split(x, 2 * (first > 0) + (second > 0))


class Damages(NamedTuple):
    """Grey photographs of 20x20 pixels; what is damaged, how, and the cost in hundreds of euros."""

    photos: Tensor
    kinds: Tensor
    masks: Tensor
    costs: Tensor

    def normalized(self) -> "Damages":
        """Pixels to mean 0 and deviation 1, as a whole."""
        mean, deviation = self.photos.mean(), self.photos.std()
        return self._replace(photos=(self.photos - mean) / deviation)

    def samples(self, targets: Tensor, cut: int = 1000) -> Samples:
        return Samples(self.photos[:cut], targets[:cut], self.photos[cut:], targets[cut:])


def strokes(ends: np.ndarray, width: float, size: int) -> np.ndarray:
    """Pixels that are near to one of some lines."""
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
    found = np.zeros((size, size), bool)
    for start, end in ends:
        along = end - start
        share = ((grid - start) @ along / max(along @ along, 1e-6)).clip(0, 1)
        found |= np.linalg.norm(grid - start - share[..., None] * along, axis=-1) <= width
    return found


@cache
def damages(count: int = 1500, size: int = 20) -> Damages:
    generator = np.random.default_rng(25)
    kinds = generator.integers(len(KINDS), size=count)
    photos, masks = np.empty((count, size, size)), np.empty((count, size, size), bool)
    for i, kind in enumerate(kinds):
        center = generator.uniform(5, size - 5, 2)
        if kind == 0:
            angle, half = generator.uniform(0, np.pi), generator.uniform(5, 9)
            arm = half * np.array([np.cos(angle), np.sin(angle)])
            ends, width = np.array([[center - arm, center + arm]]), 1.0
        elif kind == 1:
            ends, width = np.array([[center, center]]), generator.uniform(3, 6)
        elif kind == 2:
            spots = generator.uniform(1, size - 1, (generator.integers(6, 12), 2))
            ends, width = np.stack([spots, spots], 1), 1.3
        else:
            turns = generator.uniform(0, 2 * np.pi) + np.arange(5) * 2 * np.pi / 5
            arms = generator.uniform(5, 8) * np.stack([np.cos(turns), np.sin(turns)], 1)
            ends, width = np.stack([np.tile(center, (5, 1)), center + arms], 1), 0.7
        masks[i] = strokes(ends, width, size)
        slope = np.add.outer(*generator.uniform(-0.01, 0.01, (2, 1)) * np.arange(size))
        photos[i] = generator.uniform(0.4, 0.7) + slope - 0.25 * masks[i]
    photos += 0.05 * generator.standard_normal(photos.shape)
    extent = masks.reshape(count, -1).sum(1)
    costs = 4 + 0.12 * extent + 3 * (kinds == 3) + 0.5 * generator.standard_normal(count)
    x = torch.as_tensor(photos.clip(0, 1), dtype=torch.float32)[:, None]
    mask = torch.as_tensor(masks, dtype=torch.float32)[:, None]
    return Damages(x, torch.as_tensor(kinds), mask, torch.as_tensor(costs, dtype=torch.float32))


@cache
def letters(length: int = 30, words: int = 300, count: int = 2000) -> Samples:
    """Word numbers, padded by zeros; six requests with twelve words of their own."""
    generator = torch.Generator().manual_seed(26)
    y = torch.randint(6, (count,), generator=generator)
    x = torch.randint(80, words, (count, length), generator=generator)
    own = 1 + 12 * y[:, None] + torch.randint(12, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.2, own, x)
    ends = torch.randint(12, length + 1, (count, 1), generator=generator)
    x = x.masked_fill(torch.arange(length) >= ends, 0)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def drives(length: int = 60, count: int = 1500) -> Samples:
    """Speed, its change, and turning; drivers who brake hard, who start hard, and calm ones."""
    generator = np.random.default_rng(27)
    y = generator.integers(3, size=count)
    speed = 0.2 * generator.standard_normal((count, length)).cumsum(1)
    for i in range(count):
        rise = {0: 9, 1: 2, 2: 6}[int(y[i])]
        bump = np.concatenate([np.linspace(0, 1, rise), np.linspace(1, 0, 13 - rise)[1:]])
        for start in generator.integers(0, length - len(bump), 3):
            speed[i, start : start + len(bump)] += generator.uniform(1.5, 2.5) * bump
    change = np.diff(speed, axis=1, prepend=speed[:, :1])
    change += 0.2 * generator.standard_normal(change.shape)
    turning = generator.standard_normal((count, length))
    x = np.stack([speed, change, turning], -1)
    return split((x - x.mean((0, 1))) / x.std((0, 1)), y)


@cache
def histories(count: int = 8000, share: float = 0.03) -> Samples:
    """Ten events of a claim, six standardized numbers for each; few claims are fraud."""
    generator = np.random.default_rng(28)
    fraud = generator.uniform(size=count) < share
    x = generator.standard_normal((count, 10, 6))
    sign = generator.permuted(np.tile(np.arange(10) < 4, (count, 1)), axis=1)
    shift = np.array([0.75, -0.75, 0.75, 0.0, 0.0, 0.0])
    x += (fraud[:, None] & sign)[..., None] * shift
    return split(x, fraud.astype(int))


@cache
def weeks(count: int = 700, window: int = 26) -> Samples:
    """Standardized claims of half a year of weeks; those of the next."""
    generator = np.random.default_rng(29)
    time = np.arange(count + window)
    level = np.sin(2 * np.pi * time / 52) + 0.7 * np.sin(2 * np.pi * time / 13)
    series = level + 0.35 * generator.standard_normal(len(time))
    series = (series - series.mean()) / series.std()
    x = np.lib.stride_tricks.sliding_window_view(series, window)[:count]
    return split(x[..., None].copy(), series[window:])
