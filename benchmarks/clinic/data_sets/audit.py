"""Data of an acceptance test: shapes, cells, letters, texts, series, a graph, arms and counts."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

LETTERS, CLASSES, TAGS, SYMBOLS, WORDS = 27, 5, 6, 12, 200
BLANK, FIRST = 0, 1


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grid(size: int) -> tuple[Tensor, Tensor]:
    axis = torch.arange(size).float()
    return axis[None, :, None], axis[None, None, :]


@cache
def shapes(count: int = 1500, size: int = 16, noise: float = 0.25) -> Samples:
    """A disc, a ring, a frame, a plus or a cross in noise, anywhere in a grey picture."""
    g = generator(61101)
    y = torch.randint(CLASSES, (count,), generator=g)
    rows, columns = grid(size)
    r, c = (4.5 + (size - 10) * torch.rand(2, count, 1, 1, generator=g)).unbind()
    radius = 2.5 + 1.7 * torch.rand(count, 1, 1, generator=g)
    u, v = (rows - r).abs(), (columns - c).abs()
    far, square = (u.square() + v.square()).sqrt(), torch.maximum(u, v)
    inside = square <= radius
    kinds = torch.stack(
        [
            far <= radius, (far - radius).abs() < 0.8, (square - radius).abs() < 0.6,
            inside & (torch.minimum(u, v) < 0.7), inside & ((u - v).abs() < 0.7),
        ],
        1,
    )  # fmt: skip
    picture = 0.8 * kinds[torch.arange(count), y].float()
    picture = picture + noise * torch.randn(count, size, size, generator=g)
    return split(picture[:, None], y, 0.7)


@cache
def cells(count: int = 500, size: int = 24, many: int = 3, noise: float = 0.35) -> Samples:
    """Pictures of a few bright ellipses, and which pixels are theirs."""
    g = generator(61102)
    rows, columns = grid(size)
    mask = torch.zeros(count, size, size, dtype=torch.bool)
    for k in range(many):
        r, c = (size * torch.rand(2, count, 1, 1, generator=g)).unbind()
        a, b = (2 + 2.5 * torch.rand(2, count, 1, 1, generator=g)).unbind()
        here = ((rows - r) / a).square() + ((columns - c) / b).square() <= 1
        shown = torch.rand(count, 1, 1, generator=g) < (1.0 if k == 0 else 0.7)
        mask |= here & shown
    light = 0.5 * torch.rand(count, 1, 1, generator=g) + 0.6
    picture = light * mask.float() + noise * torch.randn(count, size, size, generator=g)
    return split(picture[:, None], mask[:, None].float(), 0.7)


@cache
def letters(count: int = 24_000) -> Tensor:
    """A text of sixty made-up words; 0 is the blank between them."""
    g = generator(61103)
    words = [
        torch.randint(1, LETTERS, (int(n),), generator=g).tolist()
        for n in torch.randint(3, 7, (60,), generator=g)
    ]
    often = 1 / (torch.arange(60) + 3.0)
    chosen = torch.multinomial(often, count // 4, True, generator=g).tolist()
    found = [letter for word in chosen for letter in [*words[word], 0]]
    return torch.tensor(found[:count])


@cache
def excerpts(length: int = 32, step: int = 9) -> Samples:
    """Excerpts of the text, and the same one letter later; those to measure on lie behind."""
    parts = letters().unfold(0, length + 1, step)
    cut = 4 * len(parts) // 5
    x, y = parts[:, :-1], parts[:, 1:]
    return Samples(x[:cut], y[:cut], x[cut + 4 :], y[cut + 4 :])


def split_words(x: Tensor, y: Tensor) -> Samples:
    data = split(x, y, 0.8)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def complaints(count: int = 1800, longest: int = 20) -> Samples:
    """Word numbers after a first one that is always the same, blanks behind; four topics."""
    g = generator(61104)
    y = torch.randint(4, (count,), generator=g)
    common = torch.randint(42, 120, (count, longest), generator=g)
    own = 2 + 10 * y[:, None] + torch.randint(10, (count, longest), generator=g)
    x = torch.where(torch.rand(count, longest, generator=g) < 0.35, own, common)
    lengths = torch.randint(8, longest - 2, (count, 1), generator=g)
    x = x.masked_fill(torch.arange(longest) >= lengths, BLANK)
    x[:, 0] = FIRST
    return split_words(x, y)


@cache
def tagged(count: int = 1200, length: int = 16) -> Samples:
    """Words of eight kinds; the tag of each hangs on its kind and that of the word before."""
    g = generator(61105)
    kind = torch.randint(8, (WORDS,), generator=g)
    rule = torch.randint(TAGS, (8, 8), generator=g)
    x = torch.randint(WORDS, (count, length), generator=g)
    y = rule[kind[x], kind[x.roll(1, 1)]]
    y[:, 0] = rule[kind[x[:, 0]], 0]
    return split_words(x, y)


@cache
def reversals(count: int = 3000, length: int = 6) -> Samples:
    """Symbols, and the same backwards."""
    x = torch.randint(1, SYMBOLS, (count, length), generator=generator(61106))
    return split_words(x, x.flip(1))


@cache
def sums(count: int = 1600, length: int = 40) -> Samples:
    """Steps of a walk, and where it leads."""
    steps = torch.randn(count, length, generator=generator(61107))
    return split(steps[..., None], steps.sum(1) / length**0.5, 0.75)


@cache
def station(count: int = 1600, length: int = 24) -> Samples:
    """Hours of pressure in hPa, temperature in kelvin and humidity; the pressure's next move."""
    g = generator(61108)
    time = torch.arange(length + 6).float()
    phase = 6.28 * torch.rand(count, 3, 1, generator=g)
    wave = (0.22 * time + phase).sin()
    pace = 0.6 + 0.8 * torch.rand(count, 1, generator=g)
    pressure = 1013 + 9 * torch.randn(count, 1, generator=g) + 6 * pace * wave[:, 0]
    heat = 285 + 7 * torch.randn(count, 1, generator=g) + 4 * wave[:, 1]
    damp = 65 + 10 * torch.randn(count, 1, generator=g) - 9 * wave[:, 2]
    x = torch.stack([pressure, heat, damp], 2) + 0.4 * torch.randn(*heat.shape, 3, generator=g)
    move = pressure[:, -1] - pressure[:, length - 1]
    return split(x[:, :length], move / move.std(), 0.75)


@cache
def sales(count: int = 1500, length: int = 28) -> Samples:
    """Four weeks of standardized sales, and those of the next day."""
    g = generator(61109)
    day = torch.arange(length + 1)
    week = torch.randn(count, 7, generator=g)
    level = 0.5 * torch.randn(count, 1, generator=g)
    trend = 0.04 * torch.randn(count, 1, generator=g) * (day - length / 2)
    x = level + trend + week[:, day % 7] + 0.3 * torch.randn(count, length + 1, generator=g)
    return split(x[:, None, :-1], x[:, -1], 0.75)


class Sessions(NamedTuple):
    """Windows of a sensor and the gestures, in the order of their recording."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


@cache
def sessions(count: int = 2400, length: int = 32, drift: float = 12.0) -> Sessions:
    """The sensor's zero moves from the first day to the last; the test days lie anywhere."""
    g = generator(61110)
    y = torch.randint(4, (count,), generator=g)
    time = torch.arange(length).float()
    phase = 6.28 * torch.rand(count, 1, generator=g)
    speed = torch.tensor([0.25, 0.5, 0.5, 0.9])[y][:, None]
    shift = torch.tensor([0.0, 0.0, 1.6, 0.0])[y][:, None]
    first, second = (speed * time + phase).sin(), (speed * time + phase + shift).sin()
    x = torch.stack([first, second, first * second], 1)
    day = torch.linspace(0, 1, count)
    zero = drift * torch.stack([day - 0.5, 0.5 - day, (2 * day - 1).square() - 0.3], 1)
    x = x + zero[..., None] + 0.35 * torch.randn(x.shape, generator=g)
    test = torch.arange(count) % 4 == 3
    return Sessions(x[~test], y[~test], x[test], y[test])


@cache
def beats(count: int = 4000, length: int = 48, share: float = 0.03) -> Samples:
    """Heart beats, a few of which have a second, low wave; 1 for those."""
    g = generator(61111)
    y = (torch.rand(count, generator=g) < share).long()
    time = torch.arange(length).float()
    at = 14 + 4 * torch.rand(count, 1, generator=g)
    high = 1.5 + 0.5 * torch.rand(count, 1, generator=g)
    x = high * torch.exp(-((time - at) / 1.8).square())
    late = at + 12 + 8 * torch.rand(count, 1, generator=g)
    x = x + (0.8 * y[:, None]) * torch.exp(-((time - late) / 3).square())
    return split((x + 0.45 * torch.randn(x.shape, generator=g))[:, None], y, 0.6)


class Citations(NamedTuple):
    """Papers, who cites whom, their fields, and which are known."""

    x: Tensor
    edges: Tensor
    y: Tensor
    known: Tensor
    asked: Tensor


@cache
def citations(count: int = 420, fields: int = 4) -> Citations:
    """Papers cite those of their own field more often; their words say little."""
    g = generator(61112)
    y = torch.randint(fields, (count,), generator=g)
    chance = torch.where(y[:, None] == y, 0.05, 0.008)
    upper = (torch.rand(count, count, generator=g) < chance).triu(1).float()
    edges = upper + upper.T + torch.eye(count)
    degree = edges.sum(1).rsqrt()
    x = torch.randn(fields, 16, generator=g)[y] * 0.6 + torch.randn(count, 16, generator=g)
    order = torch.randperm(count, generator=g)
    return Citations(x, degree[:, None] * edges * degree, y, order[:240], order[240:])


@cache
def arms(count: int = 2000) -> Samples:
    """Four angles of a robot's arm, standardized, and how far its hand is from the base."""
    g = generator(61113)
    angles = torch.randn(count, 4, generator=g)
    turned = (0.7 * angles).cumsum(1)
    lengths = torch.tensor([1.0, 0.9, 0.7, 0.5])
    x, y = (lengths * turned.cos()).sum(1), (lengths * turned.sin()).sum(1)
    reach = (x.square() + y.square()).sqrt()
    reach = (reach - reach.mean()) / reach.std()
    return split(angles, reach + 0.05 * torch.randn(count, generator=g), 0.75)


@cache
def rentals(count: int = 2400) -> Samples:
    """Hour, warmth, wind, rain and working day; how many bicycles were lent, often none."""
    g = generator(61114)
    hour = 24 * torch.rand(count, generator=g)
    warm, wind = torch.randn(2, count, generator=g)
    rain = (torch.rand(count, generator=g) < 0.2).float()
    work = (torch.rand(count, generator=g) < 0.7).float()
    rush = torch.exp(-((hour - 8) / 2).square()) + torch.exp(-((hour - 17.5) / 2.5).square())
    rate = 1.2 + 1.5 * work * rush + (1 - work) * torch.exp(-((hour - 14) / 4).square())
    rate = rate + 0.5 * warm - 0.2 * wind - 0.9 * rain
    y = torch.poisson(rate.exp(), generator=g)
    angle = hour * 6.2832 / 24
    x = torch.stack([angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], 1)
    return split(torch.cat([x, torch.stack([warm, wind, rain, work], 1)], 1), y, 0.75)


@cache
def values(count: int = 3000, actions: int = 4) -> Samples:
    """States of a game, and what each move is worth: about 0, bad ones less."""
    g = generator(61115)
    x = torch.randn(count, 8, generator=g)
    first, second = torch.randn(2, 8, actions, generator=g)
    y = (0.5 * x @ first).tanh() + 0.4 * (x @ second * 0.5).sin()
    return split(x, 1.5 * y + 0.1 * torch.randn(count, actions, generator=g), 0.7)


@cache
def reviews(count: int = 2000, length: int = 14) -> Samples:
    """Word numbers; each word adds to the stars or takes from them, a 'not' turns the next."""
    g = generator(61116)
    worth = torch.randn(120, generator=g) * (torch.rand(120, generator=g) < 0.4)
    x = torch.randint(2, 120, (count, length), generator=g)
    turn = torch.rand(count, length, generator=g) < 0.12
    x = torch.where(turn, 1, x)
    sign = torch.where(x.roll(1, 1) == 1, -1.0, 1.0)
    level = (worth[x] * sign).sum(1)
    return split_words(x, (level - level.mean()) / level.std())
