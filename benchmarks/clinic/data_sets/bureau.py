"""Data made up for a bureau of texts, clicks and sales."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples

VERBS, OBJECTS, FILLERS, WORDS = 2, 26, 66, 260
USERS, ADS, SLOTS = 400, 150, 8
READERS, ARTICLES = 300, 200
LETTERS = " /,-.0123456789abcdefghijklmnopqrstuvwxyz"
SIGNS = "-0123456789"
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip


@cache
def intents(count: int = 2400, width: int = 14) -> Samples:
    """What customers ask for: one of three verbs with one of four objects; 0 fills the end."""
    g = torch.Generator().manual_seed(401)
    y = torch.randint(12, (count,), generator=g)
    length = torch.randint(4, width + 1, (count,), generator=g)
    x = torch.randint(FILLERS, WORDS, (count, width), generator=g)
    places = torch.rand(count, width, generator=g)
    places = places.masked_fill(torch.arange(width) >= length[:, None], 2.0).argsort(1)
    verb = VERBS + 8 * (y // 4) + torch.randint(8, (count,), generator=g)
    thing = OBJECTS + 10 * (y % 4) + torch.randint(10, (count,), generator=g)
    x.scatter_(1, places[:, :1], verb[:, None]).scatter_(1, places[:, 1:2], thing[:, None])
    x = x.masked_fill(torch.arange(width) >= length[:, None], 0)
    cut = 3 * count // 4
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


@cache
def tickets(urgent: float = 0.03, count: int = 4500, width: int = 18) -> Samples:
    """Texts of which a few are urgent: three of their words are alarming, of others one or two."""
    g = torch.Generator().manual_seed(402)
    y = (torch.rand(count, generator=g) < urgent).long()
    alarming = torch.where(y > 0, 3, torch.randint(3, (count,), generator=g))
    x = torch.randint(20, WORDS, (count, width), generator=g)
    words = 1 + torch.randint(19, (count, width), generator=g)
    rank = torch.rand(count, width, generator=g).argsort(1).argsort(1)
    x = torch.where(rank < alarming[:, None], words, x)
    cut = 2 * count // 3
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


class Clicks(NamedTuple):
    """Numbers of categories, counts as they were logged, and whether an ad was clicked at."""

    ids: Tensor
    counts: Tensor
    y: Tensor


@cache
def clicks(count: int = 12000, users: int = USERS, ads: int = ADS) -> tuple[Clicks, Clicks]:
    """Users, ads, slots and hours, which matter together; three rows in ten are clicks."""
    g = torch.Generator().manual_seed(403)
    taste = torch.randn(users, 3, generator=g)
    kind = torch.randn(ads, 3, generator=g)
    place = torch.randn(SLOTS, 24, generator=g)
    ids = torch.stack([torch.randint(n, (count,), generator=g) for n in (users, ads, SLOTS, 24)], 1)
    logs = torch.randn(count, 4, generator=g)
    logit = 1.2 * (taste[ids[:, 0]] * kind[ids[:, 1]]).sum(1) / math.sqrt(3)
    logit = logit + 1.0 * place[ids[:, 2], ids[:, 3]] + 0.8 * logs[:, 0] - 0.7 * logs[:, 1].abs()
    y = (torch.rand(count, generator=g) < torch.sigmoid(logit - 0.8)).float()
    counts = (torch.tensor([3.0, 9.0, 5.0, 1.0]) + 1.5 * logs).exp().floor()
    cut = 5 * count // 6
    return Clicks(ids[:cut], counts[:cut], y[:cut]), Clicks(ids[cut:], counts[cut:], y[cut:])


@cache
def read_articles(each: int = 34) -> tuple[Tensor, Tensor]:
    """Readers and the articles they read, drawn by their tastes; four of each are kept back."""
    g = torch.Generator().manual_seed(404)
    taste = torch.randn(READERS, 5, generator=g)
    topic = torch.randn(ARTICLES, 5, generator=g)
    chance = (1.3 * taste @ topic.T).softmax(1)
    read = torch.multinomial(chance, each, generator=g)
    read = read[:, torch.randperm(each, generator=g)]
    pairs = torch.stack([torch.arange(READERS)[:, None].expand_as(read), read], 2)
    return pairs[:, :-4].flatten(0, 1), pairs[:, -4:].flatten(0, 1)


@cache
def unread_beside(pairs: int = 4 * READERS, others: int = 30) -> Tensor:
    """Other articles by which a kept one is measured."""
    g = torch.Generator().manual_seed(405)
    return torch.randint(ARTICLES, (pairs, others), generator=g)


def written(day: int, month: int, year: int, style: int) -> str:
    name = MONTHS[month - 1]
    return (
        f"{day} {name} {year}", f"{name} {day}, {year}", f"{day}/{month}/{year}",
        f"{name[:3]}. {day} {year}", f"{day}.{month}.{year}",
    )[style]  # fmt: skip


@cache
def dates(count: int = 3000, width: int = 18) -> Samples:
    """Dates as people write them, and as machines do."""
    g = torch.Generator().manual_seed(406)
    drawn = [torch.randint(n, (count,), generator=g).tolist() for n in (28, 12, 80, 5)]
    x, y = [], []
    for day, month, year, style in zip(*drawn, strict=True):
        text = written(day + 1, month + 1, year + 1950, style)
        x.append([LETTERS.index(c) + 1 for c in text.ljust(width)])
        y.append([SIGNS.index(c) for c in f"{year + 1950}-{month + 1:02}-{day + 1:02}"])
    a, b, cut = torch.tensor(x), torch.tensor(y), 5 * count // 6
    return Samples(a[:cut], b[:cut], a[cut:], b[cut:])


@cache
def sold(stores: int = 50, days: int = 240) -> Tensor:
    """What stores, small and large, sold a day: weeks, seasons, and chance."""
    g = torch.Generator().manual_seed(407)
    level = torch.exp(3.5 + 1.5 * torch.randn(stores, 1, generator=g))
    week = (0.35 * torch.randn(stores, 7, generator=g)).exp().repeat(1, days // 7 + 1)[:, :days]
    time = torch.arange(float(days))
    season = 1 + 0.4 * torch.sin(0.06 * time + 6.3 * torch.rand(stores, 1, generator=g))
    return level * week * season * (0.12 * torch.randn(stores, days, generator=g)).exp()


@cache
def roads(window: int = 72, ahead: int = 12, count: int = 1500) -> Samples:
    """How full roads are of an hour: those to work have two rushes, those to the lakes one."""
    g = torch.Generator().manual_seed(408)
    hours = torch.arange(window + ahead)[None] + torch.randint(24, (count, 1), generator=g)
    work, hour = torch.rand(count, 1, generator=g) < 0.7, hours % 24
    size = 0.7 + 0.6 * torch.rand(count, 1, generator=g)
    morning = torch.exp(-0.5 * ((hour - 8.0) / 1.2).square()) * work
    noon = 0.6 * torch.exp(-0.5 * ((hour - 14.0) / 3.5).square()) * ~work
    evening = 0.8 * torch.exp(-0.5 * ((hour - 17.5) / 2.5).square()) * work
    x = size * (0.1 + morning + noon + evening)
    x = x + 0.06 * torch.randn(x.shape, generator=g)
    x, cut = 3 * (x - 0.35), 3 * count // 4
    return Samples(x[:cut, :window], x[:cut, window:], x[cut:, :window], x[cut:, window:])


@cache
def searches(queries: int = 300, each: int = 16, apart: float = 1.0) -> Samples:
    """Found documents by query, eight features each, whose levels and units differ by query."""
    g = torch.Generator().manual_seed(409)
    z = torch.randn(queries, each, 8, generator=g)
    worth = torch.sin(1.5 * z[..., 0]) + z[..., 1] * z[..., 2] + 0.8 * z[..., 3]
    worth = worth + 0.4 * torch.randn(worth.shape, generator=g)
    grade = (worth > 0.4).long() + (worth > 1.6).long()
    level = 3 * apart * torch.randn(queries, 1, 8, generator=g)
    x = level + (0.7 * apart * torch.randn(queries, 1, 8, generator=g)).exp() * z
    cut = 3 * queries // 4
    return Samples(x[:cut], grade[:cut], x[cut:], grade[cut:])


@cache
def paraphrases(count: int = 4200, width: int = 9) -> Samples:
    """Pairs of sentences of four matters in common, each said by one of three words."""
    g = torch.Generator().manual_seed(410)
    matter = torch.rand(count, 60, generator=g).argsort(1)[:, :4]

    def said() -> Tensor:
        words = 80 + 3 * matter + torch.randint(3, (count, 4), generator=g)
        filled = torch.randint(1, 80, (count, width - 4), generator=g)
        x = torch.cat([words, filled], 1)
        return x.gather(1, torch.rand(count, width, generator=g).argsort(1))

    a, b, cut = said(), said(), 5 * count // 6
    return Samples(a[:cut], b[:cut], a[cut:], b[cut:])


def auc(scores: Tensor, labels: Tensor) -> float:
    """How often one of the class scores above another."""
    if not scores.isfinite().all():
        return 0.0
    order = scores.double().argsort().argsort().double() + 1
    ones = labels.sum().double()
    return (
        (order[labels > 0].sum() - ones * (ones + 1) / 2) / (ones * (len(labels) - ones))
    ).item()
