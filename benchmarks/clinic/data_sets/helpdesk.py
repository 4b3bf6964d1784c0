"""What people who ask for help train on: signs, gestures, flats, reviews, air, clips, cells."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

WORDS, PAD, NOT = 150, 0, 1


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def signs(count: int = 1800, size: int = 20) -> Samples:
    """Coloured signs from 0 to 255, channels last: discs, triangles, squares, red or blue."""
    generator = _random(2101)
    y = torch.randint(6, (count,), generator=generator)
    middle = size / 2 + 4 * (torch.rand(count, 2, 1, 1, generator=generator) - 0.5)
    radius = 5 + 3 * torch.rand(count, 1, 1, generator=generator)
    grid = torch.arange(size, dtype=torch.float32)
    rows, columns = grid[None, :, None] - middle[:, 0], grid[None, None, :] - middle[:, 1]
    disc = rows.square() + columns.square() < radius.square()
    triangle = (rows < 0.8 * radius) & (columns.abs() < 0.6 * (rows + radius))
    square = torch.maximum(rows.abs(), columns.abs()) < 0.85 * radius
    shape = torch.stack([disc, triangle, square], 1)[torch.arange(count), y % 3]
    hue = torch.tensor([[200.0, 50.0, 60.0], [50.0, 70.0, 200.0]])[y // 3]
    ground = 70 + 80 * torch.rand(count, 1, 1, 1, generator=generator)
    paint = hue + 25 * torch.randn(count, 3, generator=generator)
    image = torch.where(shape[..., None], paint[:, None, None], ground)
    light = 0.5 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator)
    image = light * image + 24 * torch.randn(count, size, size, 3, generator=generator)
    return split(image.clamp(0, 255).round(), y)


@cache
def gestures(count: int = 1500, length: int = 48) -> Samples:
    """Six channels of a watch, about standardized; five gestures that begin at any time."""
    generator = _random(2102)
    y = torch.randint(5, (count,), generator=generator)
    rates = torch.tensor([1.0, 1.4, 1.8, 1.4, 1.0])[y] * (
        1 + 0.15 * torch.randn(count, generator=generator)
    )
    weights = torch.randn(1, 2, 6, generator=generator)
    weights = (weights + 0.6 * torch.randn(5, 2, 6, generator=generator))[y]
    start = 6.3 * torch.rand(count, 1, generator=generator)
    time = torch.linspace(0, 9, length)
    angle = rates[:, None] * time + start
    waves = torch.stack([angle.sin(), (2 * angle).cos()], 2)
    strength = (0.3 * torch.randn(count, 1, 1, generator=generator)).exp()
    x = strength * torch.einsum("ntk,nkc->ntc", waves, weights)
    drift = 0.4 * torch.randn(count, 1, 6, generator=generator)
    x = x + drift + 1.6 * torch.randn(count, length, 6, generator=generator)
    return split(x / x.std(), y)


@cache
def flats(count: int = 2400) -> Samples:
    """Square metres, rooms, year, metres to the station, income around; price in thousands."""
    generator = _random(2103)
    normal = torch.randn(6, count, generator=generator)
    area = (4.3 + 0.35 * normal[0]).exp()
    rooms = (area / 26 + 0.5 * normal[1]).round().clamp(1, 9)
    year = 1972 + 24 * normal[2]
    station = (6.6 + 0.8 * normal[3]).exp()
    income = 38000 + 9000 * normal[4]
    near = torch.sigmoid((900 - station) / 250)
    price = area * (2.2 + 1.3 * near + 0.8 * (income / 38000 - 1) * near * 3)
    price = price + 1.1 * (year - 1972).clamp(min=-20) + 18 * (rooms - area / 26)
    price = price * (1 + 0.06 * normal[5])
    return split(torch.stack([area, rooms, year, station, income], 1), price)


@cache
def reviews(count: int = 3000, length: int = 24) -> Samples:
    """Numbers of words, 0 behind the end; 20 kind words, 20 unkind, and one that says not."""
    generator = _random(2104)
    y = torch.randint(2, (count,), generator=generator)
    x = torch.randint(42, WORDS, (count, length), generator=generator)
    opinion = torch.rand(count, length, generator=generator) < 0.25
    turned = opinion & (torch.rand(count, length, generator=generator) < 0.3)
    turned[:, 0] = False
    right = torch.rand(count, length, generator=generator) < 0.85
    kind = (y[:, None] == right.long()) ^ turned
    word = torch.randint(20, (count, length), generator=generator)
    x = torch.where(opinion, 2 + 20 * (~kind).long() + word, x)
    before = torch.cat([turned[:, 1:], torch.zeros(count, 1, dtype=torch.bool)], 1)
    x = torch.where(before, NOT, x)
    end = torch.randint(10, length + 1, (count, 1), generator=generator)
    samples = split(torch.where(torch.arange(length) < end, x, PAD), y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def air(count: int = 2600, window: int = 24, ahead: int = 4) -> Samples:
    """Windows of dust, wind, rain and hour, standardized; the dust of four hours to come.

    The last third is to be foretold.
    """
    generator = _random(2105)
    steps = count + window + ahead
    hour = torch.arange(steps) % 24
    noise = torch.randn(steps, 3, generator=generator)
    dust, wind = torch.zeros(steps), torch.zeros(steps)
    rain = (noise[:, 2] > 1.3).float()
    for t in range(1, steps):
        wind[t] = 0.92 * wind[t - 1] + 0.4 * noise[t, 1]
        traffic = 0.6 * torch.exp(-((hour[t] - 8.0) ** 2) / 6) + 0.5 * torch.exp(
            -((hour[t] - 18.0) ** 2) / 8
        )
        decay = 0.86 - 0.12 * torch.sigmoid(2 * wind[t]) - 0.2 * rain[t]
        dust[t] = decay * dust[t - 1] + traffic + 0.1 * noise[t, 0]
    angle = hour * 2 * torch.pi / 24
    columns = torch.stack([(dust - dust.mean()) / dust.std(), wind, rain, angle.sin()], 1)
    columns = torch.cat([columns, angle.cos()[:, None]], 1)
    x = columns.unfold(0, window, 1)[:count].transpose(1, 2)
    y = columns[window:, 0].unfold(0, ahead, 1)[:count]
    return Samples(x[:1800], y[:1800], x[1830:], y[1830:])


@cache
def transfers(count: int = 7000) -> Samples:
    """Twelve standardized columns of bank transfers, of which one in 22 is a fraud."""
    generator = _random(2106)
    x = torch.randn(count, 12, generator=generator)
    logit = -8.5 + 2.4 * x[:, 0] + 2.0 * x[:, 1].abs() + 1.5 * x[:, 2] * x[:, 3] - 1.6 * x[:, 4]
    y = (torch.rand(count, generator=generator) < logit.sigmoid()).long()
    return split(x, y)


@cache
def clips(count: int = 1500) -> Samples:
    """Spectrograms of commands, 16 bands by 12 frames, in decibels from -80 to 0."""
    generator = _random(2107)
    y = torch.randint(5, (count,), generator=generator)
    bands, frames = torch.arange(16.0)[None, :, None], torch.arange(12.0)[None, None, :]
    start = torch.tensor([3.0, 12.0, 7.0, 4.0, 11.0])[y] + torch.randn(count, generator=generator)
    slope = torch.tensor([0.7, -0.7, 0.0, 0.0, 0.0])[y]
    slope = slope + 0.1 * torch.randn(count, generator=generator)
    track = start[:, None, None] + slope[:, None, None] * frames
    voice = 38 * torch.exp(-((bands - track) ** 2) / 4)
    level = -64 + 8 * torch.randn(count, 1, 1, generator=generator)
    x = level + voice + 9 * torch.randn(count, 16, 12, generator=generator)
    return split(x.clamp(-80, 0), y)


@cache
def cells(count: int = 520, size: int = 24) -> Samples:
    """Grey pictures from 0 to 1 with up to four cells, and the pixels that are cells."""
    generator = _random(2108)
    place = size * torch.rand(count, 4, 2, 1, 1, generator=generator)
    radius = 1.8 + 1.6 * torch.rand(count, 4, 1, 1, generator=generator)
    there = torch.rand(count, 4, 1, 1, generator=generator) < 0.7
    grid = torch.arange(size, dtype=torch.float32)
    far = (grid[:, None] - place[:, :, 0]) ** 2 + (grid[None, :] - place[:, :, 1]) ** 2
    mask = ((far < radius.square()) & there).any(1)
    slope = (grid / size - 0.5) * 0.3 * torch.randn(count, 1, 1, generator=generator)
    x = 0.4 + slope + 0.22 * mask
    x = x + 0.11 * torch.randn(count, size, size, generator=generator)
    return split(x.clamp(0, 1)[:, None], mask.float()[:, None])


class Poses(NamedTuple):
    """Pictures, places of two joints within -1 and 1, and whether each is to be seen."""

    picture: Tensor
    joints: Tensor
    seen: Tensor


@cache
def poses(count: int = 1600, size: int = 16) -> tuple[Poses, Poses]:
    """A wide spot is the hip and a narrow ring the hand; some are hidden."""
    generator = _random(2109)
    place = 2 + (size - 4) * torch.rand(count, 2, 2, generator=generator)
    seen = torch.rand(count, 2, generator=generator) < 0.55
    grid = torch.arange(size, dtype=torch.float32)
    far = (grid[:, None] - place[..., 0, None, None]) ** 2
    far = far + (grid[None, :] - place[..., 1, None, None]) ** 2
    hip = torch.exp(-far[:, 0] / 8) * seen[:, 0, None, None]
    hand = torch.exp(-((far[:, 1].sqrt() - 2) ** 2)) * seen[:, 1, None, None]
    picture = hip + hand + 0.15 * torch.randn(count, size, size, generator=generator)
    joints = 2 * place / (size - 1) - 1
    cut = int(0.75 * count)
    found = (picture[:, None], joints, seen.float())
    return Poses(*(t[:cut] for t in found)), Poses(*(t[cut:] for t in found))


@cache
def phrases(count: int = 1800, length: int = 14) -> Samples:
    """Words, and a tag for each of four; what a third of the words are hangs on neighbours."""
    generator = _random(2110)
    chain = torch.tensor(
        [0.05, 0.75, 0.05, 0.15, 0.1, 0.15, 0.6, 0.15, 0.55, 0.1, 0.1, 0.25, 0.3, 0.55, 0.1, 0.05]
    ).view(4, 4)
    tag = torch.randint(4, (count, 1), generator=generator)
    for _ in range(length - 1):
        following = torch.multinomial(chain[tag[:, -1]], 1, generator=generator)
        tag = torch.cat([tag, following], 1)
    own = 1 + 15 * tag + torch.randint(15, (count, length), generator=generator)
    shared = 61 + 10 * (tag % 2) + torch.randint(10, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.35, shared, own)
    end = torch.randint(6, length + 1, (count, 1), generator=generator)
    inside = torch.arange(length) < end
    samples = split(torch.where(inside, x, 0), torch.where(inside, tag, -100))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def recipes(count: int = 2400) -> Samples:
    """Two descriptions of a dish: 30 numbers of its picture, and 20 of its text as targets."""
    generator = _random(2111)
    dish = torch.randn(count, 10, generator=generator)
    first, second = (torch.randn(10, n, generator=generator) for n in (30, 20))
    picture = torch.tanh(0.4 * dish @ first) + 0.3 * torch.randn(count, 30, generator=generator)
    text = torch.tanh(0.4 * dish @ second) + 0.3 * torch.randn(count, 20, generator=generator)
    return split(picture / 0.75, text / 0.75)


@cache
def pumps(count: int = 2600) -> Samples:
    """Eighteen standardized sensors that follow four causes; the last 300 or so are broken."""
    generator = _random(2112)
    cause = torch.randn(count, 4, generator=generator)
    mixing = torch.randn(4, 18, generator=generator)
    x = cause @ mixing + 0.5 * (cause.square() - 1) @ mixing.roll(3, 1)
    x = x / x.std(0) + 0.25 * torch.randn(count, 18, generator=generator)
    broken = torch.zeros(count, dtype=torch.long)
    broken[2300:] = 1
    some = torch.rand(count, 18, generator=generator) < 0.25
    strange = x + 1.6 * torch.randn(count, 18, generator=generator)
    x = torch.where(some & (broken == 1)[:, None], strange, x)
    return Samples(x[:1800], broken[:1800], x[1800:], broken[1800:])


@cache
def jobs(count: int = 2200) -> Samples:
    """Fourteen numbers of an advert, standardized, and which of six skills it asks for."""
    generator = _random(2113)
    x = torch.randn(count, 14, generator=generator)
    weights = torch.randn(14, 6, generator=generator)
    bent = torch.randn(14, 6, generator=generator)
    score = 1.3 * x @ weights + 2 * torch.sin(0.6 * x @ bent) - 1.5
    y = score + torch.randn(count, 6, generator=generator) > 0
    return split(x, y.float())


@cache
def hills(count: int = 2500) -> Samples:
    """Places on a map within -1 and 1, and heights above the sea, standardized."""
    generator = _random(2114)
    x = 2 * torch.rand(count, 2, generator=generator) - 1
    tops = 2 * torch.rand(7, 2, generator=generator) - 1
    height = torch.exp(-(x[:, None] - tops).square().sum(2) / 0.2) @ torch.linspace(0.6, 1.6, 7)
    height = height + 0.2 * x[:, 0] + 0.05 * torch.randn(count, generator=generator)
    return split(x, (height - height.mean()) / height.std())
