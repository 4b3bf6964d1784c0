"""What ported code is tried on: moths, alloys, orchids, strokes, tides, phrases and pulses."""

import math
from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized

VOCABULARY = 160


def numbered(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def law(x: Tensor, outputs: int, generator: torch.Generator, units: int = 6) -> Tensor:
    """Answers of deviation 1: bumps and steps along drawn directions, and a product or two."""
    features = x.shape[1]
    along = 0.9 * torch.randn(features, units, generator=generator) / math.sqrt(features)
    shift = torch.randn(units, generator=generator)
    half = units // 2
    raw = x @ along + shift
    bumps = torch.cat([torch.tanh(1.5 * raw[:, :half]), torch.cos(raw[:, half:])], 1)
    found = bumps @ torch.randn(units, outputs, generator=generator)
    found = found + 0.4 * x[:, :1] * x[:, 1:2] - 0.4 * x[:, 2:3].abs()
    return (found - found.mean(0)) / found.std(0)


def related(count: int, features: int, generator: torch.Generator) -> Tensor:
    """Features that share some of what moves them."""
    common = torch.randn(count, 3, generator=generator)
    share = 0.5 * torch.randn(3, features, generator=generator)
    return common @ share + torch.randn(count, features, generator=generator)


@cache
def moths(count: int = 1500, size: int = 16, kinds: int = 6, seed: int = 1301) -> Samples:
    """Photographs of wings as bytes, channels last: bands of three bearings in two tints."""
    generator = numbered(seed)
    y = torch.randint(kinds, (count,), generator=generator)
    axis = torch.linspace(-1, 1, size)
    bearing = math.pi / 3 * (y % 3) + 0.13 * torch.randn(count, generator=generator)
    c, s = bearing.cos()[:, None, None], bearing.sin()[:, None, None]
    pitch = 5 + 3 * torch.rand(count, 1, 1, generator=generator)
    phase = 2 * math.pi * torch.rand(count, 1, 1, generator=generator)
    bands = (pitch * (c * axis + s * axis[:, None]) + phase).sin()
    wing = torch.exp(-(axis.square() + axis[:, None].square()) / 0.9)
    tints = torch.tensor([[1.0, 0.6, 0.3], [0.5, 0.7, 0.9]])[y // 3 % 2]
    light = 0.6 + 0.4 * torch.rand(count, 1, 1, 1, generator=generator)
    picture = light * wing[..., None] * (0.55 + 0.3 * bands[..., None]) * tints[:, None, None]
    picture = picture + 0.07 * torch.randn(picture.shape, generator=generator)
    found = split(255 * picture.clamp(0, 1), y)
    return found.with_inputs(found.x.byte(), found.x_test.byte())


@cache
def alloys(count: int = 3000, features: int = 12, noise: float = 0.25, seed: int = 1302) -> Samples:
    """Hardness of alloys, in parts of its deviation, of how they were made."""
    generator = numbered(seed)
    x = related(count, features, generator)
    y = law(x, 1, generator)[:, 0] + noise * torch.randn(count, generator=generator)
    return scaled_targets(standardized(split(x, y)))


@cache
def orchids(
    count: int = 3600, features: int = 14, kinds: int = 5, seed: int = 1303, mistaken: float = 0.03
) -> Samples:
    """Measures of flowers and their kind, a few of them mistaken."""
    generator = numbered(seed)
    x = related(count, features, generator)
    y = (law(x, kinds, generator) + 0.15 * torch.randn(count, kinds, generator=generator)).argmax(1)
    other = torch.randint(kinds, (count,), generator=generator)
    y = torch.where(torch.rand(count, generator=generator) < mistaken, other, y)
    return standardized(split(x, y))


@cache
def herbarium(count: int = 4000, features: int = 30, kinds: int = 60, seed: int = 1304) -> Samples:
    """Sheets of a herbarium: many kinds, each about two middles."""
    generator = numbered(seed)
    middles = torch.randn(kinds, 2, features, generator=generator)
    y = torch.randint(kinds, (count,), generator=generator)
    form = torch.randint(2, (count,), generator=generator)
    x = middles[y, form] + torch.randn(count, features, generator=generator)
    return standardized(split(x, y, 0.8))


@cache
def strokes(count: int = 1400, steps: int = 26, seed: int = 1305) -> Samples:
    """Where a pen goes from moment to moment: five figures of any speed and beginning."""
    generator = numbered(seed)
    pairs = torch.tensor([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [2.0, 3.0], [3.0, 2.0]])
    y = torch.randint(5, (count,), generator=generator)
    speed = 0.75 + 0.25 * torch.rand(count, 1, 1, generator=generator)
    start = 2 * math.pi * torch.rand(count, 1, 1, generator=generator)
    time = torch.linspace(0, 2 * math.pi, steps + 1)[:, None]
    place = ((speed * time + start) * pairs[y][:, None]).sin()
    moved = place.diff(dim=1) * 4 + 0.3 * torch.randn(count, steps, 2, generator=generator)
    return split(moved, y)


@cache
def tides(hours: int = 2400, window: int = 24, ahead: int = 3, seed: int = 1306) -> Samples:
    """A gauge's level and the wind over a day, and the level some hours later."""
    generator = numbered(seed)
    time = torch.arange(hours, dtype=torch.float32)
    wind = torch.zeros(hours)
    gusts = torch.randn(hours, generator=generator)
    for hour in range(1, hours):
        wind[hour] = 0.9 * wind[hour - 1] + 0.4 * gusts[hour]
    moon = (2 * math.pi * time / 12.42).sin() * (1 + 0.4 * (2 * math.pi * time / 354).sin())
    level = moon + 0.4 * (2 * math.pi * time / 24).cos() + 0.35 * wind.roll(2) * (1 + 0.3 * moon)
    level = level + 0.08 * torch.randn(hours, generator=generator)
    both = torch.stack([(level - level.mean()) / level.std(), wind / wind.std()], 1)
    rows = both.unfold(0, window + ahead, 1).transpose(1, 2)
    cut = int(0.75 * len(rows))
    a, b = rows[:cut], rows[cut + window :]
    return Samples(a[:, :window], a[:, -1, 0], b[:, :window], b[:, -1, 0])


@cache
def phrases(
    count: int = 2000, length: int = 14, kinds: int = 4, seed: int = 1307, share: float = 0.3
) -> Samples:
    """Numbers of words; a share of each phrase is drawn from the words of its kind."""
    generator = numbered(seed)
    own = (2.2 * torch.randn(kinds, VOCABULARY - 2, generator=generator)).softmax(1)
    common = torch.randn(VOCABULARY - 2, generator=generator).softmax(0)
    y = torch.randint(kinds, (count,), generator=generator)
    chances = share * own[y] + (1 - share) * common
    words = torch.multinomial(chances, length, True, generator=generator) + 2
    found = split(words, y)
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def pulses(count: int = 1400, length: int = 80, seed: int = 1308) -> Samples:
    """A sensor on a wrist, in its counts about 2000: four shapes of pulse."""
    generator = numbered(seed)
    y = torch.randint(4, (count,), generator=generator)
    time = torch.linspace(0, 1, length)
    beat = 0.28 + 0.08 * torch.rand(count, 1, generator=generator)
    late = beat * torch.rand(count, 1, generator=generator)
    where = (time + late) % beat / beat
    gap = torch.tensor([0.30, 0.42, 0.30, 0.42])[y][:, None]
    height = torch.tensor([0.3, 0.3, 0.65, 0.65])[y][:, None]
    wave = torch.exp(-(where - 0.2).square() / 0.006)
    wave = wave + height * torch.exp(-(where - 0.2 - gap).square() / 0.006)
    drift = 0.5 * torch.randn(count, 1, generator=generator) * time
    wave = wave + drift + 0.14 * torch.randn(count, length, generator=generator)
    return split(2000 + 180 * wave[:, None], y)


@cache
def valves(count: int = 3000, features: int = 16, seed: int = 1309) -> Samples:
    """Four states of a valve, three of them seldom."""
    generator = numbered(seed)
    y = torch.multinomial(
        torch.tensor([0.91, 0.035, 0.03, 0.025]), count, True, generator=generator
    )
    x = 0.8 * torch.randn(4, features, generator=generator)[y]
    x = x + torch.randn(count, features, generator=generator)
    return standardized(split(x, y, 0.6))


@cache
def ledgers(count: int = 1600, steps: int = 50, seed: int = 1310) -> Samples:
    """Rows of an amount and a mark; asked is the sum of what is marked, scaled."""
    generator = numbered(seed)
    amount = torch.rand(count, steps, generator=generator)
    mark = (torch.rand(count, steps, generator=generator) < 0.15).float()
    y = (amount * mark).sum(1)
    return scaled_targets(split(torch.stack([amount, mark], 2), y))


@cache
def arcs(count: int = 3000, seed: int = 1316) -> Samples:
    """A curve that goes back over itself: for many inputs, more than one answer is right."""
    generator = numbered(seed)
    y = 2 * torch.rand(count, 1, generator=generator) - 1
    x = (7.9 * y).sin() * 1.2 + y + 0.12 * torch.randn(count, 1, generator=generator)
    return split(x, y)


@cache
def tunes(count: int = 1400, length: int = 25, notes: int = 20, seed: int = 1317) -> Samples:
    """Notes, each drawn by the two before it; asked is the next note at every place."""
    generator = numbered(seed)
    table = 1.8 * torch.randn(notes, 1, notes, generator=generator)
    table = (table + 1.8 * torch.randn(1, notes, notes, generator=generator)).softmax(2)
    rows = torch.randint(notes, (count, length), generator=generator)
    for place in range(2, length):
        chances = table[rows[:, place - 2], rows[:, place - 1]]
        rows[:, place] = torch.multinomial(chances, 1, generator=generator)[:, 0]
    cut = int(0.8 * count)
    a, b = rows[:cut], rows[cut:]
    return Samples(a[:, :-1], a[:, 1:], b[:, :-1], b[:, 1:])
