"""What test benches write down: faults, strains, dials, hums, cells, alarms, notes and lamps."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split, standardized

WORDS = 180
STOCK, MACHINES = 260, 140


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def correlated(count: int, features: int, factors: int, generator: torch.Generator) -> Tensor:
    """Readings that hang on fewer factors, with noise of their own."""
    mixing = torch.randn(factors, features, generator=generator) / math.sqrt(factors)
    hidden = torch.randn(count, factors, generator=generator)
    return hidden @ mixing + 0.4 * torch.randn(count, features, generator=generator)


def bent(x: Tensor, outputs: int, generator: torch.Generator, width: int = 10) -> Tensor:
    """Answers of a drawn law with bends, each of deviation 1."""
    features = x.shape[1]
    first = 1.3 * torch.randn(features, width, generator=generator) / math.sqrt(features)
    second = torch.randn(width, outputs, generator=generator)
    units = torch.sin(1.1 * (x @ first) + torch.randn(width, generator=generator))
    found = units @ second + 0.5 * x @ torch.randn(features, outputs, generator=generator)
    return (found - found.mean(0)) / found.std(0)


@cache
def gearboxes(count: int = 3200, features: int = 18, kinds: int = 5, seed: int = 901) -> Samples:
    """Readings of gearboxes and which fault they have; some were written down wrongly."""
    generator = seeded(seed)
    x = correlated(count, features, 7, generator)
    answers = bent(x, kinds, generator)
    answers = answers + 0.15 * torch.randn(answers.shape, generator=generator)
    y = answers.argmax(1)
    other = torch.randint(kinds, (count,), generator=generator)
    y = torch.where(torch.rand(count, generator=generator) < 0.04, other, y)
    return standardized(split(x, y))


@cache
def drills(count: int = 2800, features: int = 12, seed: int = 902) -> Samples:
    """Whether a drill is worn, of what it draws, weighs and shakes."""
    generator = seeded(seed)
    x = correlated(count, features, 6, generator)
    answer = bent(x, 1, generator)[:, 0] + 0.25 * torch.randn(count, generator=generator)
    return standardized(split(x, (answer > 0.2).long()))


@cache
def strains(count: int = 2600, features: int = 14, noise: float = 0.25, seed: int = 903) -> Samples:
    """Strain of a beam in parts of its deviation, of what its gauges say."""
    generator = seeded(seed)
    x = correlated(count, features, 6, generator)
    y = bent(x, 1, generator, 7)[:, 0] + noise * torch.randn(count, generator=generator)
    return standardized(split(x, y))


@cache
def strains_in_units(seed: int = 904) -> Samples:
    """The same in pascals, kelvins, volts and metres, as the logger writes them."""
    data = strains(2200, 10, 0.2, seed)
    scale = torch.tensor([2e4, 8.0, 0.02, 1.5e3, 1.0, 40.0, 6e3, 0.3, 12.0, 250.0])
    middle = torch.tensor([1e5, 293.0, 0.1, 9e3, 5.0, 800.0, 5e4, 1.2, 60.0, 2e3])
    return data.with_inputs(data.x * scale + middle, data.x_test * scale + middle)


@cache
def dials(count: int = 1600, size: int = 14, kinds: int = 8, seed: int = 905) -> Samples:
    """Grey pictures of dials: in which of ``kinds`` sectors the pointer stands."""
    generator = seeded(seed)
    y = torch.randint(kinds, (count,), generator=generator)
    wobble = 0.66 * (torch.rand(count, generator=generator) - 0.5)
    turn = (2 * math.pi / kinds) * (y + wobble)
    middle = 0.15 * torch.randn(count, 2, 1, 1, generator=generator)
    axis = torch.linspace(-1, 1, size)
    a, b = axis - middle[:, 0], axis[:, None] - middle[:, 1]
    c, s = turn.cos()[:, None, None], turn.sin()[:, None, None]
    along, aside = c * a + s * b, c * b - s * a
    pointer = torch.sigmoid(9 * along) * torch.sigmoid(12 * (0.75 - along))
    pointer = pointer * torch.exp(-aside.square() / 0.02)
    rim = 0.5 * torch.exp(-((a.square() + b.square()).sqrt() - 0.9).square() / 0.006)
    light = 0.5 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    noise = 0.14 * torch.randn(count, size, size, generator=generator)
    picture = (light * torch.maximum(pointer, rim) + noise)[:, None]
    return split((picture - 0.25) / 0.3, y)


@cache
def hums(count: int = 1500, length: int = 72, seed: int = 906) -> Samples:
    """Two microphones at a fan of four kinds of hum, which differ in overtones and beats."""
    generator = seeded(seed)
    y = torch.randint(4, (count,), generator=generator)
    time = torch.arange(length) / length
    base = (6 + 2 * torch.rand(count, 1, generator=generator)) * 2 * math.pi
    phase = 2 * math.pi * torch.rand(count, 3, 1, generator=generator)
    second = torch.tensor([0.0, 0.8, 0.2, 0.8])[y][:, None]
    beat = torch.tensor([0.1, 0.1, 0.8, 0.8])[y][:, None]
    wave = (base * time + phase[:, 0]).sin() + second * (2 * base * time + phase[:, 1]).sin()
    wave = wave * (1 + beat * (2 * math.pi * 2.5 * time + phase[:, 2]).sin())
    both = torch.stack([wave, wave.roll(3, 1) * 0.8], 1)
    return split(both + 0.75 * torch.randn(both.shape, generator=generator), y)


class Curves(NamedTuple):
    """Discharges of any length and what is asked of each."""

    curves: list[Tensor]
    asked: Tensor


@cache
def discharges(count: int = 1200, seed: int = 907) -> tuple[Curves, Curves]:
    """Voltage, current and warmth of cells over 8 to 28 minutes; asked is how worn they are."""
    generator = seeded(seed)
    worn = torch.rand(count, generator=generator)
    length = torch.randint(8, 29, (count,), generator=generator)
    curves = []
    for wear, steps in zip(worn, length.tolist(), strict=True):
        time = torch.arange(steps) / 28
        current = 1 + 0.4 * torch.randn(steps, generator=generator).cumsum(0) / math.sqrt(steps)
        drained = (current / 28).cumsum(0) * (0.7 + 0.8 * wear)
        volts = (
            1.2 - drained - 0.5 * wear * current + 0.05 * torch.randn(steps, generator=generator)
        )
        warmth = (time * (0.3 + wear) * current.square()).cumsum(0) / 6
        noise = 0.06 * torch.randn(steps, generator=generator)
        curves.append(torch.stack([2 * (volts - 0.6), current - 1, 2 * (warmth + noise) - 0.5], 1))
    asked = (worn - 0.5) / 0.29
    cut = int(0.75 * count)
    return Curves(curves[:cut], asked[:cut]), Curves(curves[cut:], asked[cut:])


@cache
def alarms(count: int = 2400, seed: int = 908) -> Samples:
    """Which of six alarms go on, any number of them, of twenty readings."""
    generator = seeded(seed)
    x = correlated(count, 20, 8, generator)
    answers = bent(x, 6, generator, 8)
    answers = answers + 0.2 * torch.randn(answers.shape, generator=generator)
    y = (answers > torch.linspace(-0.2, 0.7, 6)).float()
    return standardized(split(x, y))


@cache
def worksheets(
    count: int = 1800, kinds: int = 5, seed: int = 909, share: float = 0.4
) -> tuple[Curves, Curves]:
    """Notes of 6 to 24 words, of which a share are drawn from the words of the note's kind."""
    generator = seeded(seed)
    common = (1.1 * torch.randn(WORDS, generator=generator)).softmax(0)
    own = (2.4 * torch.randn(kinds, WORDS, generator=generator)).softmax(1)
    y = torch.randint(kinds, (count,), generator=generator)
    length = torch.randint(6, 25, (count,), generator=generator).tolist()
    rows = []
    for kind, words in zip(y.tolist(), length, strict=True):
        chances = (1 - share) * common + share * own[kind]
        rows.append(torch.multinomial(chances, words, True, generator=generator) + 1)
    cut = int(0.75 * count)
    return Curves(rows[:cut], y[:cut]), Curves(rows[cut:], y[cut:])


@cache
def procedures(count: int = 1500, steps: int = 20, seed: int = 910) -> list[Tensor]:
    """Steps of procedures, 5 to 18 each; a step hangs on the two before it, 0 ends them."""
    generator = seeded(seed)
    table = (2.0 * torch.randn(steps, steps, steps, generator=generator)).softmax(2)
    table[..., 0] = 0
    rows = []
    for length in torch.randint(5, 19, (count,), generator=generator).tolist():
        row = torch.randint(1, steps, (2,), generator=generator).tolist()
        while len(row) < length:
            row.append(int(torch.multinomial(table[row[-2], row[-1]], 1, generator=generator)))
        rows.append(torch.tensor([*row, 0]))
    return rows


class Views(NamedTuple):
    """Spectra of lamps, each measured twice, and the lamps' kinds."""

    first: Tensor
    second: Tensor
    kind: Tensor


@cache
def lamps(count: int = 2000, bands: int = 40, kinds: int = 12, seed: int = 911) -> Views:
    """Lines of a lamp's kind and its own, with a background that moves between measurements."""
    generator = seeded(seed)
    axis = torch.linspace(0, 1, bands)

    def lines(rows: int) -> Tensor:
        where = torch.rand(rows, 4, 1, generator=generator)
        height = torch.rand(rows, 4, 1, generator=generator)
        return (height * torch.exp(-(axis - where).square() / 0.002)).sum(1)

    kind = torch.randint(kinds, (count,), generator=generator)
    true = lines(kinds)[kind] + 0.5 * lines(count)

    def measured() -> Tensor:
        tilt = torch.randn(count, 2, 1, generator=generator)
        background = 0.5 * tilt[:, 0] * (axis - 0.5) + 0.2 * tilt[:, 1]
        return 2 * (true + background + 0.08 * torch.randn(count, bands, generator=generator))

    return Views(measured(), measured(), kind)


@cache
def seldom(count: int = 3000, seed: int = 912) -> Samples:
    """Four states of a press, of which three are met in 4% of the rows each, or less."""
    generator = seeded(seed)
    y = torch.multinomial(torch.tensor([0.90, 0.04, 0.035, 0.025]), count, True,
                          generator=generator)  # fmt: skip
    middle = 0.75 * torch.randn(4, 16, generator=generator)
    x = middle[y] + torch.randn(count, 16, generator=generator)
    x[:, 0] = x[:, 0] + 0.3 * x[:, 1] * x[:, 2]
    return standardized(split(x, y, 0.6))


@cache
def power(hours: int = 2600, window: int = 30, ahead: int = 4, seed: int = 913) -> Samples:
    """The draw of a bench over thirty hours, and of the four that follow."""
    generator = seeded(seed)
    time = torch.arange(hours, dtype=torch.float32)
    walk = torch.zeros(hours)
    noise = 0.25 * torch.randn(hours, generator=generator)
    for hour in range(1, hours):
        walk[hour] = 0.9 * walk[hour - 1] + noise[hour]
    day = (2 * math.pi * time / 24).sin() + 0.5 * (4 * math.pi * time / 24 + 1).sin()
    series = day * (1 + 0.4 * (2 * math.pi * time / 168).sin()) + walk
    series = (series - series.mean()) / series.std()
    rows = series.unfold(0, window + ahead, 1)
    cut = int(0.75 * len(rows))
    a, b = rows[:cut], rows[cut + window :]
    return Samples(a[:, :window], a[:, window:], b[:, :window], b[:, window:])


class Fits(NamedTuple):
    """Numbers of spare parts and machines, and how well they fit."""

    part: Tensor
    machine: Tensor
    fit: Tensor


@cache
def fits(count: int = 12000, seed: int = 914) -> tuple[Fits, Fits]:
    """How well parts fit machines: three traits of both, ways of their own, and noise."""
    generator = seeded(seed)
    of_part = torch.randn(STOCK, 3, generator=generator)
    of_machine = torch.randn(MACHINES, 3, generator=generator)
    part = torch.randint(STOCK, (count,), generator=generator)
    machine = torch.randint(MACHINES, (count,), generator=generator)
    fit = 0.5 * (of_part[part] * of_machine[machine]).sum(1)
    fit = fit + 0.6 * of_part[part, 0].abs() + 0.3 * torch.randn(count, generator=generator)
    fit = (fit - fit.mean()) / fit.std()
    cut = int(0.85 * count)
    return (
        Fits(part[:cut], machine[:cut], fit[:cut]),
        Fits(part[cut:], machine[cut:], fit[cut:]),
    )
