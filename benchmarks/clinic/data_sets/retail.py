"""What a shop's data science team has: sales, baskets, sessions, reviews, pictures and returns."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

ITEMS, STORES = 60, 12


@cache
def shelf_weeks(count: int = 8000) -> Samples:
    """Item, store, price index, promotion and season, and the weight sold, often nothing.

    Sales are sums of a random number of purchases, each of a random weight.
    """
    generator = torch.Generator().manual_seed(1501)
    fame = 1.2 * torch.randn(ITEMS, generator=generator) - 0.4
    size = 0.5 * torch.randn(STORES, generator=generator)
    item = torch.randint(ITEMS, (count,), generator=generator)
    store = torch.randint(STORES, (count,), generator=generator)
    price = 0.25 * torch.randn(count, generator=generator)
    promotion = (torch.rand(count, generator=generator) < 0.2).float()
    season = 6.28 * torch.rand(count, generator=generator)
    rate = fame[item] + size[store] - 1.5 * price + 0.8 * promotion + 0.3 * season.sin()
    purchases = torch.poisson(rate.exp(), generator=generator)
    noise = torch.randn(count, generator=generator)
    sold = (purchases + 0.5 * purchases.sqrt() * noise).clamp(min=0)
    sold = torch.where(purchases > 0, sold.clamp(min=0.1), 0.0)
    columns = [item, store, 4 * price, promotion, season.sin(), season.cos()]
    return split(torch.stack(columns, 1), sold, 0.8)


@cache
def offers(count: int = 4000) -> Samples:
    """Five columns of which more is better, and how many in a hundred visitors buy.

    They are minus the price in tens of euros, minus the days of delivery, minus the shipping in
    euros, minus the weeks since the last campaign, minus the number of complaints.
    """
    generator = torch.Generator().manual_seed(1502)
    price = 1 + 3 * torch.rand(count, generator=generator)
    days = torch.randint(1, 6, (count,), generator=generator).float()
    shipping = 1 + 4 * torch.rand(count, generator=generator)
    weeks = 1 + 5 * torch.rand(count, generator=generator)
    complaints = torch.poisson(torch.full((count,), 2.0), generator=generator)
    wish = 2.5 - 0.9 * price + 1.2 * (3 - days).relu() - 0.3 * (shipping - 3).relu()
    wish = wish - 0.2 * weeks - 0.3 * complaints
    bought = 10 * wish.sigmoid() + 0.4 * torch.randn(count, generator=generator)
    columns = torch.stack([price, days, shipping, weeks, complaints], 1)
    return split(-columns, bought)


@cache
def weeks(length: int = 40, ahead: int = 4, count: int = 1600) -> Samples:
    """Standardized logarithms of an item's weekly sales, and those of the next weeks."""
    generator = torch.Generator().manual_seed(1503)
    time = torch.arange(length + ahead)
    period = torch.tensor([6.0, 8.0, 13.0])[torch.randint(3, (count, 1), generator=generator)]
    phase = 6.28 * torch.rand(count, 1, generator=generator)
    wave = (6.28 * time / period + phase).sin()
    drift = torch.randn(count, 1, generator=generator) * (time - length / 2) / length
    x = wave + drift + 0.35 * torch.randn(count, length + ahead, generator=generator)
    return split(x[:, :length], x[:, length:], 0.75)


@cache
def days(length: int = 28, count: int = 1500) -> Samples:
    """Standardized daily sales of four weeks and what the next one differs by."""
    generator = torch.Generator().manual_seed(1504)
    time = torch.arange(length + 7)
    shape = torch.randn(count, 7, generator=generator)
    slope = 0.06 * torch.randn(count, 1, generator=generator)
    x = shape[:, time % 7] + slope * (time - length / 2)
    x = x + 0.4 * torch.randn(count, length + 7, generator=generator)
    target = x[:, length:].mean(1) - 0.3 * x[:, length - 7 : length].amax(1)
    return split(x[:, :length], target / target.std())


@cache
def stars(customers: int = 250, products: int = 150, count: int = 14000) -> Samples:
    """Pairs of numbers, and one to five stars by two tastes, by the product and by chance."""
    generator = torch.Generator().manual_seed(1505)
    taste = torch.randn(customers, 2, generator=generator)
    kind = torch.randn(products, 2, generator=generator)
    quality = 0.7 * torch.randn(products, generator=generator)
    who = torch.randint(customers, (count,), generator=generator)
    what = torch.randint(products, (count,), generator=generator)
    given = 3.5 + quality[what] + 0.6 * (taste[who] * kind[what]).sum(1)
    given = (given + 0.4 * torch.randn(count, generator=generator)).round().clamp(1, 5)
    samples = split(torch.stack([who, what], 1), given, 0.8)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def returners(count: int = 5000) -> Samples:
    """Four series of a customer's year; most return now and then, few by one of two habits."""
    generator = torch.Generator().manual_seed(1506)
    chance = torch.rand(count, generator=generator)
    kind = torch.where(chance < 0.93, 0, torch.where(chance < 0.965, 1, 2))
    x = torch.randn(count, 4, 12, generator=generator)
    start = torch.randint(8, (count,), generator=generator)
    time = torch.arange(12)
    bump = ((time >= start[:, None]) & (time < start[:, None] + 4)).float()
    x[:, 0] += 1.1 * bump * (kind == 1)[:, None]
    x[:, 1] -= 1.1 * bump * (kind == 1)[:, None]
    x[:, 2] += 1.1 * bump * (kind == 2)[:, None]
    x[:, 3] += 1.1 * bump * (kind == 2)[:, None]
    return split(x, kind)


@cache
def department_texts(length: int = 20, words: int = 600, count: int = 3000) -> Samples:
    """Word numbers of reviews; each of eight departments has forty words, a fifth of a text."""
    generator = torch.Generator().manual_seed(1507)
    y = torch.randint(8, (count,), generator=generator)
    x = torch.randint(320, words, (count, length), generator=generator)
    own = 40 * y[:, None] + torch.randint(40, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.2, own, x)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def star_texts(length: int = 24, words: int = 300, count: int = 4000) -> Samples:
    """Words of reviews, one to five stars as classes, a fifth of them given by chance.

    Each word has a mood, and the stars follow the mean mood.
    """
    generator = torch.Generator().manual_seed(1508)
    mood = torch.randn(words, generator=generator) * (torch.arange(words) < 120)
    tone = torch.randn(count, 1, generator=generator)
    first, second = torch.randint(words, (2, count, length), generator=generator)
    fits = (mood[first] * tone) > (mood[second] * tone)
    x = torch.where(fits, first, second)
    score = mood[x].mean(1) + 0.03 * torch.randn(count, generator=generator)
    limits = score.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    y = torch.bucketize(score, limits)
    chance = torch.randint(5, (count,), generator=generator)
    y = torch.where(torch.rand(count, generator=generator) < 0.2, chance, y)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


def silhouettes(side: int = 16) -> Tensor:
    """Masks of eight kinds of product."""
    line = torch.linspace(-1, 1, side)
    v, u = torch.meshgrid(line, line, indexing="ij")
    far, tall = u**2 + v**2, v.abs() < 0.8
    box = torch.maximum(u.abs(), v.abs()) < 0.6
    ball = far < 0.4
    ring = (far > 0.2) & (far < 0.6)
    shirt = tall & ((u.abs() < 0.3) | ((v < -0.3) & (u.abs() < 0.8)))
    trousers = tall & (u.abs() < 0.6) & ~((u.abs() < 0.15) & (v > -0.3))
    dress = tall & (u.abs() < 0.2 + 0.3 * (v + 0.8))
    boot = tall & (u > -0.5) & ((u < 0) | ((v > 0.4) & (u < 0.7)))
    bottle = tall & (u.abs() < torch.where(v > -0.1, 0.4, 0.12))
    return torch.stack([box, ball, ring, shirt, trousers, dress, boot, bottle]).float()


@cache
def product_images(count: int = 1600) -> Samples:
    """RGB pictures of 16x16 in 0..1: a product of any colour, moved, on any bright ground."""
    generator = torch.Generator().manual_seed(1509)
    y = torch.randint(8, (count,), generator=generator)
    masks = silhouettes()[y]
    moves = torch.randint(-2, 3, (count, 2), generator=generator).tolist()
    rolled = [mask.roll(tuple(move), (0, 1)) for mask, move in zip(masks, moves, strict=True)]
    mask = torch.stack(rolled)[:, None]
    front = 0.7 * torch.rand(count, 3, 1, 1, generator=generator)
    ground = 0.5 + 0.5 * torch.rand(count, 3, 1, 1, generator=generator)
    x = mask * front + (1 - mask) * ground
    x = x + 0.12 * torch.randn(count, 3, 16, 16, generator=generator)
    return split(x.clamp(0, 1), y)


class Baskets(NamedTuple):
    """What households bought, rows of zeros and ones, and what they bought later."""

    bought: Tensor
    later: Tensor


@cache
def baskets(households: int = 2000, products: int = 120, kinds: int = 8) -> Baskets:
    """Each household has a few kinds of need, and each product serves one of them."""
    generator = torch.Generator().manual_seed(1510)
    need = (1.6 * torch.randn(households, kinds, generator=generator)).softmax(1)
    fame = (0.7 * torch.randn(products, generator=generator)).exp()
    kind = torch.arange(products) % kinds
    wish = (need[:, kind] + 0.01) * fame
    drawn = torch.multinomial(wish, 18, generator=generator)
    bought = torch.zeros(households, products).scatter(1, drawn[:, :12], 1.0)
    later = torch.zeros(households, products).scatter(1, drawn[:, 12:], 1.0)
    return Baskets(bought, later)


@cache
def sessions(count: int = 2500, length: int = 12, products: int = 60) -> Tensor:
    """Numbers of the products looked at: each is one of three that follow the one before last."""
    generator = torch.Generator().manual_seed(1511)
    following = torch.randint(products, (products, 3), generator=generator)
    seen = [torch.randint(products, (count,), generator=generator) for _ in range(2)]
    for _ in range(length - 2):
        choice = torch.randint(3, (count,), generator=generator)
        chance = torch.randint(products, (count,), generator=generator)
        lost = torch.rand(count, generator=generator) < 0.15
        seen.append(torch.where(lost, chance, following[seen[-2], choice]))
    return torch.stack(seen, 1)


@cache
def parcels(count: int = 14000) -> Samples:
    """Three numbered columns and four standardized ones; four parcels in a hundred come back.

    Which carrier takes which material decides more than either alone.
    """
    generator = torch.Generator().manual_seed(1512)
    carrier = torch.randint(8, (count,), generator=generator)
    material = torch.randint(12, (count,), generator=generator)
    region = torch.randint(20, (count,), generator=generator)
    numbers = torch.randn(count, 4, generator=generator)
    care = torch.randn(8, 2, generator=generator)
    pairs = care @ torch.randn(2, 12, generator=generator)
    places = 0.5 * torch.randn(20, generator=generator)
    logit = pairs[carrier, material] + places[region] + 1.2 * numbers[:, 0]
    logit = logit - 0.6 * numbers[:, 1] * (numbers[:, 2] > 0) - 4.6
    y = (torch.rand(count, generator=generator) < logit.sigmoid()).float()
    columns = torch.stack([carrier, material, region], 1).float()
    return split(torch.cat([columns, numbers], 1), y)


@cache
def visits(count: int = 5000) -> Samples:
    """Standardized traits of a customer, and the euros spent in a month, often none."""
    generator = torch.Generator().manual_seed(1513)
    x = torch.randn(count, 10, generator=generator)
    comes = torch.rand(count, generator=generator) < (
        (1.2 * x[:, 0] - x[:, 1] * x[:, 2] - 0.5).sigmoid()
    )
    much = 3.5 + 0.6 * x[:, 3] + 0.5 * x[:, 4].abs() + 0.4 * x[:, 0]
    much = (much + 0.5 * torch.randn(count, generator=generator)).exp()
    return split(x, torch.where(comes, much, 0.0))


@cache
def tills(count: int = 3000) -> Samples:
    """Hour and waves of it, weekday, rain, and the till's takings, noisier when it is busy."""
    generator = torch.Generator().manual_seed(1514)
    hour = 8 + 12 * torch.rand(count, generator=generator)
    day = torch.randint(7, (count,), generator=generator).float()
    rain = (torch.rand(count, generator=generator) < 0.3).float()
    busy = 1 + (-((hour - 12) ** 2) / 4).exp() + 1.5 * (-((hour - 18) ** 2) / 3).exp()
    busy = busy * torch.where(day == 5, 1.5, 1.0) * (1 - 0.3 * rain)
    takings = busy + 0.35 * busy * torch.randn(count, generator=generator)
    waves = torch.outer(hour, torch.tensor([0.524, 1.047]))
    known = torch.stack([(hour - 14) / 3.5, (day - 3) / 2, rain, (day == 5).float()], 1)
    return split(torch.cat([known, waves.sin(), waves.cos()], 1), takings)
