"""What services see of those who use them: sessions, searches, orders, parcels and letters."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

ITEMS = 61


@cache
def sessions(count: int = 1800, length: int = 14) -> Tensor:
    """Numbers of the items that were looked at one after another; 0 stands behind the last.

    After most items, three others are likely: the first six times in ten, the second three.
    """
    generator = torch.Generator().manual_seed(91)
    likely = torch.randint(1, ITEMS, (ITEMS, 3), generator=generator)
    seen = [torch.randint(1, ITEMS, (count,), generator=generator)]
    for _ in range(length - 1):
        which = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), count, True, generator=generator)
        other = torch.randint(1, ITEMS, (count,), generator=generator)
        strays = torch.rand(count, generator=generator) < 0.15
        seen.append(torch.where(strays, other, likely[seen[-1], which]))
    ends = torch.randint(5, length + 1, (count, 1), generator=generator)
    return torch.stack(seen, 1).masked_fill(torch.arange(length) >= ends, 0)


class Searches(NamedTuple):
    """Words of each product's title, words that were typed, and the product that was bought."""

    titles: Tensor
    queries: Tensor
    bought: Tensor


@cache
def searches(count: int = 5000, products: int = 150, words: int = 90) -> Searches:
    """Who searches has words of his own for those of titles; some products sell far more."""
    generator = torch.Generator().manual_seed(92)
    titles = torch.rand(products, words, generator=generator).argsort(1)[:, :5]
    sold = torch.empty(products).exponential_(1, generator=generator) + 0.1
    bought = torch.multinomial(sold, count, True, generator=generator)
    typed = torch.randperm(words, generator=generator)
    places = torch.rand(count, 5, generator=generator).argsort(1)[:, :3]
    queries = typed[titles[bought].gather(1, places)]
    stray = torch.rand(count, 3, generator=generator) < 0.1
    queries = torch.where(stray, torch.randint(words, queries.shape, generator=generator), queries)
    return Searches(titles, queries, bought)


@cache
def answers(count: int = 700, documents: int = 12) -> tuple[Tensor, Tensor]:
    """Ten features of each of a query's documents, and their relevance from 0 to 4."""
    generator = torch.Generator().manual_seed(93)
    x = torch.randn(count, documents, 10, generator=generator)
    x = x + 0.7 * torch.randn(count, 1, 10, generator=generator)
    value = x[..., 0] + x[..., 1] * x[..., 2].tanh() - 0.6 * x[..., 3].abs()
    value = value - value.mean(1, keepdim=True)
    value = value + 0.5 * torch.randn(value.shape, generator=generator)
    return x, (1 + 1.2 * value).round().clamp(0, 4)


@cache
def sales(shops: int = 60, days: int = 140) -> Tensor:
    """How many each shop sold, a row for each; some sell fifty a day, some hardly two."""
    generator = torch.Generator().manual_seed(94)
    size = (0.7 + 3.2 * torch.rand(shops, 1, generator=generator)).exp()
    week = (0.4 * torch.randn(shops, 7, generator=generator)).exp()
    day = torch.arange(days)
    trend = (0.3 * torch.randn(shops, days, generator=generator).cumsum(1) / 10).exp()
    return torch.poisson(size * week[:, day % 7] * trend, generator=generator)


@cache
def parcels(count: int = 3000) -> Samples:
    """Distance, weight, hour, traffic and rain of deliveries, standardised, and their minutes."""
    generator = torch.Generator().manual_seed(95)
    x = torch.randn(count, 5, generator=generator)
    spread = 0.15 + 0.25 * (x[:, 4] > 0.5)
    middle = 3.0 + 0.5 * x[:, 0] + 0.25 * x[:, 3] * (x[:, 2] > 0)
    return split(x, (middle + spread * torch.randn(count, generator=generator)).exp())


@cache
def values(count: int = 4000) -> Samples:
    """Eight features of new customers, and what they spent in a year: mostly nothing."""
    generator = torch.Generator().manual_seed(96)
    x = torch.randn(count, 8, generator=generator)
    chance = (-1.2 + 2.5 * x[:, 0] - 2.0 * x[:, 1]).sigmoid()
    spent = (3.5 + 0.8 * x[:, 2] + 0.6 * x[:, 0]).add(0.8 * torch.randn(count, generator=generator))
    return split(x, torch.bernoulli(chance, generator=generator) * spent.exp())


class Campaign(NamedTuple):
    """Features of customers, who got a coupon, who came back, and what a coupon would change."""

    x: Tensor
    coupon: Tensor
    back: Tensor
    effect: Tensor


@cache
def campaign(count: int = 8000) -> Campaign:
    generator = torch.Generator().manual_seed(97)
    x = torch.randn(count, 8, generator=generator)
    coupon = torch.randint(2, (count,), generator=generator)
    without = -0.5 + 0.7 * x[:, 0] - 0.5 * x[:, 1]
    with_one = without + 0.6 + 0.9 * x[:, 2] - 0.6 * x[:, 0]
    effect = with_one.sigmoid() - without.sigmoid()
    chance = torch.where(coupon > 0, with_one, without).sigmoid()
    return Campaign(x, coupon, torch.bernoulli(chance, generator=generator), effect)


class Letter(NamedTuple):
    """Numbers of a letter's words, as many as it has, and zeros and ones for twelve matters."""

    words: Tensor
    matters: Tensor


@cache
def letters(count: int = 2400) -> list[Letter]:
    """Each matter has eight words of its own; the rarest is in two letters of a hundred."""
    generator = torch.Generator().manual_seed(98)
    share = torch.logspace(-0.5, -1.7, 12)
    found = []
    for _ in range(count):
        matters = torch.rand(12, generator=generator) < share
        own = [
            8 * k + torch.randint(8, (4,), generator=generator)
            for k in matters.nonzero().flatten().tolist()
        ]
        length = int(torch.randint(6, 20, (), generator=generator))
        others = torch.randint(96, 300, (length,), generator=generator)
        found.append(Letter(torch.cat([*own, others]), matters.float()))
    return found
