"""Flights, engines, radar tracks and cockpit speech: made up, as small as those of a notebook."""

from functools import cache

import torch

from data_sets.samples import Samples, split

CARRIERS, AIRPORTS, HOURS, TAILS = 10, 30, 24, 1200
COMMANDS, MANOEUVRES = 8, 4
WORDS, SLOTS = 60, 5


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def engines(count: int = 1200, length: int = 30) -> Samples:
    """Windows of eight sensors before the failure; cycles that remain, at most 125."""
    generator = seeded(1101)
    left = 160 * torch.rand(count, generator=generator)
    cycles = left[:, None] + torch.arange(length - 1, -1, -1)
    wear = torch.exp(-cycles / 45)
    gains = torch.randn(8, generator=generator)
    gains = gains.sign() * (1 + gains.abs())
    x = wear[..., None] * gains + 0.3 * torch.randn(count, length, 8, generator=generator)
    x = (x - x.mean((0, 1))) / x.std((0, 1))
    return split(x, left.clamp(max=125))


@cache
def readings(count: int = 2400) -> Samples:
    """Twenty-four standardized sensors that hang on five quantities; the target is the input."""
    generator = seeded(1102)
    hidden = torch.randn(count, 5, generator=generator)
    first, second = (torch.randn(*s, generator=generator) for s in ((5, 12), (12, 24)))
    x = torch.tanh(hidden @ first / 2) @ second
    x = (x - x.mean(0)) / x.std(0) + 0.1 * torch.randn(count, 24, generator=generator)
    return split(x, x)


@cache
def connections(count: int = 3000) -> Samples:
    """Carrier, origin, destination and hour as numbers; passengers who miss their next flight."""
    generator = seeded(1103)
    sizes = (CARRIERS, AIRPORTS, AIRPORTS, HOURS)
    x = torch.stack([torch.randint(n, (count,), generator=generator) for n in sizes], 1)
    effects = [0.7 * torch.randn(n, generator=generator) for n in sizes[:3]]
    late = torch.stack([effects[i][x[:, i]] for i in range(3)]).sum(0) + 0.6 * (x[:, 3] / 8 - 1)
    samples = split(x, torch.poisson((late - 0.5).exp(), generator=generator))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def turnarounds(count: int = 2000) -> Samples:
    """The same fields and the aircraft's number; minutes over the plan, mostly by chance."""
    generator = seeded(1104)
    sizes = (CARRIERS, AIRPORTS, HOURS, TAILS)
    x = torch.stack([torch.randint(n, (count,), generator=generator) for n in sizes], 1)
    effects = [torch.randn(n, generator=generator) for n in sizes[:2]]
    over = effects[0][x[:, 0]] + effects[1][x[:, 1]] + torch.sin(x[:, 2] / 24 * 6.3)
    over = over + 1.5 * torch.randn(count, generator=generator)
    samples = split(x, (over - over.mean()) / over.std())
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def tracks(count: int = 900, length: int = 24) -> Samples:
    """Steps of aircraft seen by radar: straight, holding, S-turns, and going around."""
    generator = seeded(1105)
    y = torch.randint(MANOEUVRES, (count,), generator=generator)
    time = torch.arange(length) / length
    start = 6.3 * torch.rand(count, 1, generator=generator)
    side = torch.randint(2, (count, 1), generator=generator) * 2.0 - 1
    phase = torch.rand(count, 1, generator=generator)
    turns = torch.stack(
        [
            0 * (time + phase),
            6.3 * time + 0 * phase,
            1.2 * torch.sin(6.3 * (time + phase)),
            0 * (time + phase),
        ],
        1,
    )[torch.arange(count), y]
    heading = start + side * turns
    climb = torch.where((y == 3)[:, None], (time - 0.5).abs() * 2 - 0.5, 0.5 - time)
    x = torch.stack([heading.cos(), heading.sin(), 2 * climb], -1)
    return split(x + 0.2 * torch.randn(x.shape, generator=generator), y)


@cache
def commands(count: int = 900, noise: float = 1.4) -> Samples:
    """Spectrograms of eight words, spoken a little sooner or later, over the engines' noise."""
    generator = seeded(1106)
    y = torch.randint(COMMANDS, (count,), generator=generator)
    coarse = torch.randn(COMMANDS, 1, 5, 6, generator=generator)
    spoken = torch.nn.functional.interpolate(coarse, (16, 24), mode="bilinear")
    shifts = torch.randint(-3, 4, (count,), generator=generator).tolist()
    x = torch.stack([spoken[c].roll(s, -1) for c, s in zip(y.tolist(), shifts, strict=True)])
    x = x * (0.7 + 0.6 * torch.rand(count, 1, 1, 1, generator=generator))
    return split(x + noise * torch.randn(x.shape, generator=generator), y)


@cache
def messages(count: int = 1200) -> Samples:
    """Words to pilots and a slot for each: a number's is that of the last keyword before it."""
    generator = seeded(1107)
    text = torch.randint(20, WORDS, (count, 16), generator=generator)
    slots = torch.zeros_like(text)
    text[:, :2] = torch.randint(10, 20, (count, 2), generator=generator)
    slots[:, :2] = 1
    for place in (3, 8, 12):
        kind = torch.randint(3, (count,), generator=generator)
        first = place + torch.randint(1, 3, (count,), generator=generator)
        text[:, place] = 20 + kind
        for row in range(count):
            at = int(first[row])
            text[row, at] = torch.randint(10, (1,), generator=generator)
            slots[row, at] = kind[row] + 2
    keywords = (text >= 20) & (text < 23)
    keywords[:, [3, 8, 12]] = False
    samples = split(text + 3 * keywords, slots)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def fuel(count: int = 1200) -> Samples:
    """Mass, height, speed, wind and temperature, standardized; fuel flow, standardized."""
    generator = seeded(1108)
    x = torch.randn(count, 5, generator=generator)
    mass, height, speed, wind, heat = x.unbind(1)
    y = mass - 0.7 * height + 0.5 * speed.square() + 0.5 * torch.sin(wind) * mass + 0.3 * heat
    y = y + 0.3 * torch.randn(count, generator=generator)
    return split(x, (y - y.mean()) / y.std())


@cache
def airfields(count: int = 400, size: int = 24) -> Samples:
    """A bright runway at any angle on fields of any brightness; a twentieth of the points."""
    generator = seeded(1109)
    grid = torch.linspace(-1, 1, size)
    row, column = torch.meshgrid(grid, grid, indexing="ij")
    angle = 3.15 * torch.rand(count, 1, 1, generator=generator)
    move = 0.8 * torch.rand(count, 1, 1, generator=generator) - 0.4
    across = row * angle.cos() + column * angle.sin() - move
    along = column * angle.cos() - row * angle.sin()
    mask = ((across.abs() < 0.08) & (along.abs() < 0.7)).float()[:, None]
    fields = torch.randn(count, 1, 4, 4, generator=generator)
    fields = torch.nn.functional.interpolate(fields, (size, size), mode="nearest")
    x = 0.5 * fields + mask + 0.3 * torch.randn(count, 1, size, size, generator=generator)
    return split(x, mask)


@cache
def strikes(count: int = 3000) -> Samples:
    """Ten figures of a flight; with four in a hundred a bird was struck."""
    generator = seeded(1110)
    x = torch.randn(count, 10, generator=generator)
    risk = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] - x[:, 3].abs()
    risk = risk + 0.3 * torch.randn(count, generator=generator)
    return split(x, (risk > risk.quantile(0.96)).long())
