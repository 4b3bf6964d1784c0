"""What a railway records: delays, pictures of its track, announcements, axles that are heard."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def stops(count: int = 1500, length: int = 10) -> Samples:
    """Delay, load and rain at each stop of a journey; the delay at the stop that follows."""
    generator = torch.Generator().manual_seed(901)
    load, rain, chance = torch.randn(3, count, length + 1, generator=generator)
    delay = torch.randn(count, generator=generator)
    delays = []
    for i in range(length + 1):
        caused = (load[:, i] * rain[:, i].relu()).relu()
        delay = 0.7 * delay + 0.8 * caused + 0.3 * chance[:, i]
        delays.append(delay)
    found = torch.stack(delays, 1)
    seen = torch.stack([found[:, :-1] - 1, load[:, 1:], rain[:, 1:]], -1)
    return split(seen, (found[:, -1] - found[:, -1].mean()) / found[:, -1].std())


def picture(label: int, generator: torch.Generator) -> Tensor:
    """Two rails on sleepers, with one of four kinds of damage or none."""
    image = torch.zeros(16, 16)
    start, row, column, side = (
        int(torch.randint(high, (1,), generator=generator)) for high in (4, 11, 8, 2)
    )
    image[start::4, 2:14] = 0.5
    image[:, [4, 11]] = 1.0
    rail = (4, 11)[side]
    if label == 1:
        steps = torch.arange(5)
        image[row + steps, column + steps] = 1.2
    elif label == 2:
        image[row : row + 3, 6:9] = 1.2
    elif label == 3:
        image[row : row + 4, rail] = 0.0
    elif label == 4:
        image[start + 4] = 0.0
        image[start + 4, [4, 11]] = 1.0
    return image


@cache
def sleepers(count: int = 1300, noise: float = 0.2) -> Samples:
    """Pictures of 16x16 pixels around 0, five classes."""
    generator = torch.Generator().manual_seed(902)
    y = torch.randint(5, (count,), generator=generator)
    x = torch.stack([picture(int(label), generator) for label in y])[:, None]
    x = x + noise * torch.randn(x.shape, generator=generator)
    return split((x - x.mean()) / x.std(), y)


@cache
def announcements(count: int, wrong: float, train: float = 0.5, length: int = 12) -> Samples:
    """Word numbers of three kinds of announcements; some were put down as any of the kinds."""
    generator = torch.Generator().manual_seed(903)
    kind = torch.randint(3, (count,), generator=generator)
    x = torch.randint(24, 120, (count, length), generator=generator)
    own = 8 * kind[:, None] + torch.randint(8, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.3, own, x)
    other = torch.randint(3, (count,), generator=generator)
    y = torch.where(torch.rand(count, generator=generator) < wrong, other, kind)
    samples = split(x, y, train)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def axles(count: int = 360, windows: int = 4, length: int = 48) -> tuple[Tensor, Tensor]:
    """Recordings, each cut into windows, and which of four states each axle was in."""
    generator = torch.Generator().manual_seed(904)
    y = torch.randint(4, (count,), generator=generator)
    phase, beat = 6.28 * torch.rand(2, count, windows, 1, generator=generator)
    time = torch.linspace(0, 12.6, length)
    turning = torch.sin(2 * time + phase)
    states = torch.stack([
        turning,
        turning + 2.5 * (torch.sin(3 * time + beat) > 0.9),
        0.6 * turning + torch.sin(5 * time + beat),
        turning * (1 + torch.sin(0.7 * time + beat)),
    ])  # fmt: skip
    x = states[y, torch.arange(count)]
    return x + 0.4 * torch.randn(x.shape, generator=generator), y


def axle_windows(tiled: bool) -> Samples:
    """Each window with the state of its recording, or the list of all states one after another."""
    x, y = axles()
    count, windows, length = x.shape
    cut = count * 2 // 3
    before, after = (part.reshape(-1, 1, length) for part in (x[:cut], x[cut:]))
    known = y[:cut].repeat(windows) if tiled else y[:cut].repeat_interleave(windows)
    return Samples(before, known, after, y[cut:].repeat_interleave(windows))


def weak_windows(silent: float = 0.4) -> Samples:
    """Some windows of damaged axles sound like those of good ones, in the training alone."""
    samples, generator = axle_windows(False), torch.Generator().manual_seed(905)
    good = samples.x[samples.y == 0]
    any_good = good[torch.randint(len(good), (len(samples.x),), generator=generator)]
    quiet = torch.rand(len(samples.x), generator=generator) < silent
    heard = torch.where(quiet[:, None, None], any_good, samples.x)
    return samples._replace(x=heard + 0.2 * torch.randn(heard.shape, generator=generator))
