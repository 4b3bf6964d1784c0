"""What software companies' products log: clicks, sales, payments, pictures, sounds and texts."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

USERS, ARTICLES, WORDS = 120, 80, 150


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def impressions(count: int = 9000) -> Samples:
    """User, article, place on the page, hour's sine and cosine, and whether it was clicked."""
    g = seeded(8101)
    taste = torch.randn(USERS, 3, generator=g)
    topic = torch.randn(ARTICLES, 3, generator=g)
    user = torch.randint(USERS, (count,), generator=g)
    article = torch.randint(ARTICLES, (count,), generator=g)
    place = torch.randint(6, (count,), generator=g)
    hour = 6.28 * torch.rand(count, generator=g)
    wish = 0.9 * (taste[user] * topic[article]).sum(1) + 0.9 * topic[article, 0]
    logit = 1.6 * wish - 0.35 * place + 0.5 * hour.sin() - 0.4
    clicked = (torch.rand(count, generator=g) < logit.sigmoid()).float()
    return split(torch.stack([user, article, place, hour.sin(), hour.cos()], 1), clicked, 0.8)


@cache
def orders(length: int = 42, ahead: int = 7, count: int = 1500) -> Samples:
    """Six weeks of daily orders of an article, scaled by their own mean, and the next week."""
    g = seeded(8102)
    time = torch.arange(length + ahead)
    level = (3 + 0.5 * torch.randn(count, 1, generator=g)).exp()
    week = 0.35 * torch.randn(count, 7, generator=g)
    trend = 0.012 * torch.randn(count, 1, generator=g)
    mean = level * (week[:, time % 7] + trend * (time - length)).exp()
    sold = torch.poisson(mean, generator=g)
    scale = sold[:, :length].mean(1, keepdim=True) + 1
    sold = 2 * (sold / scale - 1)
    return split(sold[:, :length], sold[:, length:], 0.75)


@cache
def slow_movers(count: int = 3000) -> Samples:
    """Eight numbers of a spare part, and how many are sold in a week, often none."""
    g = seeded(8103)
    x = torch.randn(count, 8, generator=g)
    rate = 0.8 * x[:, 0] + 0.6 * (x[:, 1] * x[:, 2]) - 0.5 * x[:, 3].abs() + 0.7
    return split(x, torch.poisson(rate.clamp(max=3).exp(), generator=g))


@cache
def payments(count: int = 6000) -> Samples:
    """Twelve numbers of a payment, and fine, two kinds of fraud or a dispute."""
    g = seeded(8104)
    share = torch.tensor([0.93, 0.025, 0.025, 0.02])
    label = torch.multinomial(share, count, replacement=True, generator=g)
    center = 0.45 * torch.randn(4, 12, generator=g)
    mix = torch.eye(12) + 0.25 * torch.randn(12, 12, generator=g)
    x = center[label] + torch.randn(count, 12, generator=g) @ mix
    return split(x, label)


@cache
def flats(count: int = 3000) -> Samples:
    """Area, rooms, age, distance, floor, rent of the street and income there; the price in euros.

    In square metres, years, kilometres and euros.
    """
    g = seeded(8105)
    area = 35 + 100 * torch.rand(count, generator=g)
    rooms = (area / 28 + 0.6 * torch.randn(count, generator=g)).round().clamp(1, 6)
    age = 90 * torch.rand(count, generator=g)
    distance = 18 * torch.rand(count, generator=g)
    floor = torch.randint(8, (count,), generator=g).float()
    income = (10.6 + 0.3 * torch.randn(count, generator=g)).exp()
    rent = 6 + income / 8000 + torch.randn(count, generator=g)
    old = ((age - 45) / 25).square()
    value = 7.6 + 0.16 * old - 0.05 * distance + 0.05 * (rent - 10) + 0.03 * floor
    value = value + 0.3 * ((distance - 9).abs() < 3) * (1 - 0.2 * old)
    price = area * (value + 0.12 * torch.randn(count, generator=g)).exp()
    return split(torch.stack([area, rooms, age, distance, floor, rent, income], 1), price)


@cache
def parts(count: int = 1600, size: int = 16) -> Samples:
    """Grey pictures of milled surfaces: fine, scratched, pitted or with a dent."""
    g = seeded(8106)
    label = torch.randint(4, (count,), generator=g)
    line = torch.arange(size).float()
    grain = 0.5 * (line * 1.3 + 6.28 * torch.rand(count, 1, generator=g)).sin()
    x = grain[:, None, :] + 0.45 * torch.randn(count, size, size, generator=g)
    y0 = 3 + 10 * torch.rand(count, 1, 1, generator=g)
    x0 = 3 + 10 * torch.rand(count, 1, 1, generator=g)
    slope = torch.randn(count, 1, 1, generator=g)
    rows, columns = line[None, :, None], line[None, None, :]
    scratch = 1.7 * ((rows - y0 - slope * (columns - x0)).abs() < 0.8)
    pits = -2.2 * (torch.rand(count, size, size, generator=g) < 0.06)
    dent = -1.6 * (-((rows - y0).square() + (columns - x0).square()) / 8).exp()
    flaw = torch.stack([torch.zeros_like(x), scratch.float(), pits, dent.expand_as(x)], 1)
    x = x + flaw[torch.arange(count), label]
    return split((x * 40 + 120).clamp(0, 255)[:, None], label, 0.75)


@cache
def sounds(count: int = 1500, bands: int = 16, frames: int = 24) -> Samples:
    """Standardized log spectrograms of five events: hum, rising, falling, knocks and hiss."""
    g = seeded(8107)
    label = torch.randint(5, (count,), generator=g)
    band = torch.arange(bands)[None, :, None].float()
    frame = torch.arange(frames)[None, None].float()
    start = 3 + 9 * torch.rand(count, 1, 1, generator=g)
    pace = 0.25 + 0.25 * torch.rand(count, 1, 1, generator=g)
    tracks = [start + 0 * frame, start - 3 + pace * frame, start + 5 - pace * frame]
    shapes = [(-(band - track).square() / 2).exp() for track in tracks]
    period = 4 + 4 * torch.rand(count, 1, 1, generator=g)
    knocks = ((frame + start) % period < 1.2).float().expand(count, bands, frames) * 0.7
    hiss = (band > start).float().expand(count, bands, frames) * 0.5
    clean = torch.stack([*shapes, knocks, hiss], 1)[torch.arange(count), label]
    x = 2 * clean + 0.9 * torch.randn(count, bands, frames, generator=g)
    x = (x - x.mean()) / x.std()
    return split(x, label, 0.75)


@cache
def requests(count: int = 2400, length: int = 18) -> Samples:
    """Numbers of the words of a request, 0 behind its end, and which of eight intents it has."""
    g = seeded(8108)
    label = torch.randint(8, (count,), generator=g)
    common = torch.rand(WORDS, generator=g).square() + 0.05
    common[0] = 0
    own = torch.zeros(8, WORDS)
    for intent in range(8):
        own[intent, 1 + torch.randperm(WORDS - 1, generator=g)[:12]] = 1
    chances = common / common.sum() + 0.45 * own[label] / 12
    words = torch.multinomial(chances, length, replacement=True, generator=g)
    lengths = torch.randint(5, length + 1, (count, 1), generator=g)
    return split(torch.where(torch.arange(length) < lengths, words, 0), label, 0.75)


@cache
def addresses(count: int = 1200, length: int = 14) -> Samples:
    """Words of delivery notes, and of each whether it is nothing, a street, a name or a town.

    Half of the words are vague, and belong to the word before, or some of them to the one after.
    """
    g = seeded(8109)
    tag = torch.randint(4, (count, length), generator=g)
    clear = torch.rand(count, length, generator=g) < 0.5
    clear[:, [0, -1]] = True
    forward = torch.rand(count, length, generator=g) < 0.5
    forward = forward & clear.roll(-1, 1) & ~clear
    for i in range(1, length - 1):
        vague = torch.where(forward[:, i], tag[:, i + 1], tag[:, i - 1])
        tag[:, i] = torch.where(clear[:, i], tag[:, i], vague)
    plain = 40 + 15 * tag + torch.randint(20, (count, length), generator=g)
    empty = torch.randint(20, (count, length), generator=g) + 20 * forward
    return split(torch.where(clear, plain, empty), tag, 0.75)


@cache
def subscribers(count: int = 1400) -> Samples:
    """Twenty standardized numbers of use, few of which tell whether a subscriber leaves."""
    g = seeded(8110)
    x = torch.randn(count, 20, generator=g)
    x[:, 10:] = 0.6 * x[:, :10] + 0.8 * x[:, 10:]
    logit = 1.1 * x[:, 0] - 0.9 * x[:, 1] + 0.8 * x[:, 2] * (x[:, 3] > 0) - 0.7 * x[:, 4]
    return split(x, (torch.rand(count, generator=g) < (1.3 * logit).sigmoid()).float())


@cache
def pumps(count: int = 2400) -> Samples:
    """Fifteen standardized readings of a pump, and five states of wear that curve through them."""
    g = seeded(8111)
    state = torch.rand(count, 3, generator=g) * 2 - 1
    wear = (3 * state[:, 0]).sin() + state[:, 1].square() + 0.8 * state[:, 0] * state[:, 2]
    edges = wear.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    x = state @ torch.randn(3, 15, generator=g) + 0.12 * torch.randn(count, 15, generator=g)
    return split((x - x.mean(0)) / x.std(0), torch.bucketize(wear, edges))


@cache
def servers(count: int = 2400) -> Samples:
    """Twenty-four readings of a server on a curved surface of four dimensions; no target."""
    g = seeded(8112)
    hidden = torch.randn(count, 4, generator=g)
    bent = torch.cat([hidden, 1.2 * (2 * hidden).sin(), hidden[:, :2] * hidden[:, 2:]], 1)
    x = bent @ torch.randn(10, 24, generator=g) + 0.2 * torch.randn(count, 24, generator=g)
    x = (x - x.mean(0)) / x.std(0)
    return split(x, torch.zeros(count))


def standard(data: Samples) -> Samples:
    """The pictures of parts by the mean and deviation of all pixels."""
    mean, deviation = data.x.mean(), data.x.std()
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def logarithms(data: Samples) -> tuple[Samples, Tensor, Tensor]:
    """Prices as standardized logarithms, with the mean and deviation to undo it."""
    log = data.y.log()
    mean, deviation = log.mean(), log.std()
    y, y_test = (log - mean) / deviation, (data.y_test.log() - mean) / deviation
    return data._replace(y=y, y_test=y_test), mean, deviation
