"""What products, shops and machines record: drives, trips, claims, sensors, clicks and sales."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def drives(count: int = 1000, height: int = 12, width: int = 20) -> Samples:
    """Pictures of the road ahead from 0 to 1, and the angle at which its driver steered."""
    generator = torch.Generator().manual_seed(71)
    bend, place = (2 * torch.rand(2, count, 1, 1, generator=generator) - 1).unbind()
    far = torch.linspace(1, 0, height)[:, None]
    middle = width / 2 * (1 + 0.3 * place * (1 - far) + 0.6 * bend * far**2) - 0.5
    column = torch.arange(width).float()
    half = 1 + 4 * (1 - far)
    road = torch.sigmoid(2 * (half - (column - middle).abs()))
    picture = 0.25 + 0.5 * road + 0.08 * torch.randn(road.shape, generator=generator)
    angle = 0.8 * bend + 0.3 * place
    return split(picture.clamp(0, 1)[:, None], angle.flatten())


@cache
def tagged(length: int = 12, count: int = 900) -> Samples:
    """Sentences, and one of five tags for each word; it depends on the word before, too."""
    generator = torch.Generator().manual_seed(72)
    words = torch.randint(60, (count, length), generator=generator)
    before = words.roll(1, 1)
    before[:, 0] = 0
    data = split(words, (words // 12 + (before >= 30)) % 5)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def trips(count: int = 3000) -> Samples:
    """Degrees of where a taxi was taken and left, the hour, how many rode; and the fare."""
    generator = torch.Generator().manual_seed(73)
    center = torch.tensor([-73.98, 40.75, -73.98, 40.75])
    spot = center + 0.02 * torch.randn(count, 4, generator=generator)
    hour = torch.randint(24, (count,), generator=generator)
    riders = torch.randint(1, 5, (count,), generator=generator)
    east, north = 84 * (spot[:, 2] - spot[:, 0]), 111 * (spot[:, 3] - spot[:, 1])
    way = east.abs() + north.abs()
    busy = 1 + 0.3 * ((hour >= 7) & (hour < 19))
    fare = 2.5 + 1.8 * way * busy + 0.6 * torch.randn(count, generator=generator)
    return split(torch.cat([spot, torch.stack([hour, riders], 1)], 1), fare)


@cache
def repairs(count: int = 3000) -> Samples:
    """Six standardised features of machines, and how often each was repaired: mostly never."""
    generator = torch.Generator().manual_seed(74)
    x = torch.randn(count, 6, generator=generator)
    rate = (-1.1 + 0.8 * x[:, 0] - 0.5 * x[:, 1] * x[:, 2].sign() + 0.3 * x[:, 3]).exp()
    return split(x, torch.poisson(rate, generator=generator))


@cache
def sensors(count: int = 2500) -> tuple[Tensor, Tensor, Tensor]:
    """Sound machines' 16 sensors in units of their own; others', and which of those are ill.

    Four hidden causes move all the sensors; of ill machines, three sensors go their own way.
    """
    generator = torch.Generator().manual_seed(75)
    cause = torch.randn(count, 4, generator=generator)
    first = torch.randn(4, 16, generator=generator) / 2
    second = torch.randn(4, 16, generator=generator) / 2
    x = cause @ first + (cause @ second).tanh() + 0.1 * torch.randn(count, 16, generator=generator)
    ill = torch.arange(count) >= count - 150
    own = torch.rand(count, 16, generator=generator).argsort(1) < 3
    noise = x.std() * torch.randn(count, 16, generator=generator)
    x = torch.where(own & ill[:, None], noise, x)
    unit = 10 ** (4 * torch.rand(16, generator=generator) - 1)
    x, cut = unit * (x + 3), count - 600
    return x[:cut], x[cut:], ill[cut:]


@cache
def merchants(count: int = 2000, number: int = 900) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of merchants, each met a few times, five features of a payment, and its return."""
    generator = torch.Generator().manual_seed(76)
    merchant = torch.randint(number, (count,), generator=generator)
    x = torch.randn(count, 5, generator=generator)
    habit = 0.5 * torch.randn(number, generator=generator)
    logit = 2.5 * x[:, 0] - 1.5 * x[:, 1] + 2 * x[:, 2] * x[:, 3] + habit[merchant]
    return merchant, x, torch.bernoulli(logit.sigmoid(), generator=generator)


@cache
def regimes(count: int = 2500) -> Samples:
    """Eight features, and a target that follows another rule in each of four quadrants."""
    generator = torch.Generator().manual_seed(77)
    x = torch.randn(count, 8, generator=generator)
    quadrant = 2 * (x[:, 0] > 0) + (x[:, 1] > 0)
    rule = torch.randn(4, 8, generator=generator)
    y = (rule[quadrant] * x).sum(1) / 2 + 0.2 * torch.randn(count, generator=generator)
    return split(x, y)


class Clicks(NamedTuple):
    """Numbers of a user, an advertisement and a page, whether it was clicked and then bought."""

    ids: Tensor
    click: Tensor
    bought: Tensor


SIZES = (300, 80, 20)


@cache
def clicks(count: int = 16_000) -> Clicks:
    """One showing in ten is clicked; what pleases which users is known to two factors."""
    generator = torch.Generator().manual_seed(78)
    ids = torch.stack([torch.randint(n, (count,), generator=generator) for n in SIZES], 1)
    user, ad, page = (torch.randn(n, 3, generator=generator) for n in SIZES)
    u, a, p = user[ids[:, 0]], ad[ids[:, 1]], page[ids[:, 2]]
    logit = -3.2 + 1.1 * (u[:, :2] * a[:, :2]).sum(1) + 0.8 * a[:, 2] + 1.0 * p[:, 2]
    click = torch.bernoulli(logit.sigmoid(), generator=generator)
    chance = (-1.0 + 1.2 * u[:, 2] + 0.5 * a[:, 0]).sigmoid()
    bought = click * torch.bernoulli(chance, generator=generator)
    return Clicks(ids, click, bought)


@cache
def welds(rate: float = 0.04, count: int = 2400, size: int = 10) -> Samples:
    """Grey pictures of welds, of which few have a crack."""
    generator = torch.Generator().manual_seed(79)
    y = torch.rand(count, generator=generator) < rate
    picture = 0.5 + 0.12 * torch.randn(count, size, size, generator=generator)
    grid = torch.arange(size).float()
    slope = 2 * torch.rand(count, 1, 1, generator=generator) - 1
    start = 2 + 6 * torch.rand(count, 1, 1, generator=generator)
    apart = (grid[:, None] - start - slope * (grid - size / 2)).abs()
    picture = picture - 0.16 * torch.exp(-(apart**2)) * y[:, None, None]
    return split(picture.clamp(0, 1)[:, None], y.long())


@cache
def demand(count: int = 2500) -> Samples:
    """Season, price, promotion and so on of a shop's days, and what was sold less returns."""
    generator = torch.Generator().manual_seed(80)
    x = torch.randn(count, 6, generator=generator)
    level = 1.6 + 0.7 * x[:, 0] - 0.6 * x[:, 1] + 0.4 * x[:, 2] * x[:, 3]
    sold = torch.poisson(level.exp(), generator=generator)
    returned = torch.bernoulli(torch.full((count,), 0.02), generator=generator)
    return split(x, sold - returned * torch.poisson(sold + 3, generator=generator))


@cache
def stars(users: int = 150, items: int = 120, count: int = 6000) -> Samples:
    """Pairs of a user and an item, and one to five stars."""
    generator = torch.Generator().manual_seed(81)
    user = torch.randint(users, (count,), generator=generator)
    item = torch.randint(items, (count,), generator=generator)
    taste, kind = (torch.randn(n, 3, generator=generator) for n in (users, items))
    value = 3.5 + 0.8 * kind[item, 2] + 0.4 * taste[user, 2]
    value = value + 0.7 * (taste[user, :2] * kind[item, :2]).sum(1)
    value = value + 0.4 * torch.randn(count, generator=generator)
    data = split(torch.stack([user, item], 1), value.round().clamp(1, 5))
    return data.with_inputs(data.x.long(), data.x_test.long())
