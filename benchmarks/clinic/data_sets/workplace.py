"""What small companies keep: tickets, contracts, valves, machines, ratings and campaigns."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

VOCABULARY, TEAMS, USERS, FILMS, OFFERS = 260, 6, 150, 120, 5


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def tickets(count: int = 2800, longest: int = 20, own: float = 0.35) -> Samples:
    """Word numbers of tickets, 0 behind the last, and the team that answers them."""
    g = generator(60411)
    y = torch.randint(TEAMS, (count,), generator=g)
    common = 1 / (torch.arange(VOCABULARY) + 4.0)
    common[0] = 0
    theirs = torch.zeros(TEAMS, VOCABULARY)
    for team in range(TEAMS):
        theirs[team, 1 + torch.randperm(VOCABULARY - 1, generator=g)[:18]] = 1 / 18
    chances = (1 - own) * common / common.sum() + own * theirs[y]
    words = torch.multinomial(chances, longest, True, generator=g)
    lengths = torch.randint(6, longest - 1, (count, 1), generator=g)
    data = split(words.masked_fill(torch.arange(longest) >= lengths, 0), y, 0.75)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def contracts(count: int = 3200) -> Samples:
    """Months, charge, sum of charges, megabytes, calls, days since a visit, age; who leaves?"""
    g = generator(60412)
    z = torch.randn(count, 7, generator=g)
    months = (30 + 18 * z[:, 0]).clamp(1, 72)
    charge = 65 + 25 * z[:, 1]
    total = months * charge * (1 + 0.05 * torch.randn(count, generator=g))
    megabytes = 24_000 + 9_000 * z[:, 2]
    calls = torch.poisson((0.6 + 0.5 * z[:, 3]).exp(), generator=g)
    idle = 20 + 9 * z[:, 4]
    age = 44 + 13 * z[:, 5]
    logit = 1.8 * z[:, 0] * z[:, 1] + 1.2 * z[:, 2] - 1.3 * (z[:, 4].abs() - 0.8)
    logit = logit + 0.9 * z[:, 3] * (z[:, 5] > 0)
    y = (logit + 0.5 * torch.randn(count, generator=g) > 0).float()
    return split(torch.stack([months, charge, total, megabytes, calls, idle, age], 1), y, 0.75)


@cache
def valves(count: int = 2000, length: int = 40, common: float = 0.25) -> Samples:
    """Pressure, flow and current over time: well, leaking, stuck or chattering."""
    g = generator(60413)
    rest = (1 - common) / 3
    y = torch.multinomial(torch.tensor([common, rest, rest, rest]), count, True, generator=g)
    time = torch.arange(length).float()
    phase = 6.28 * torch.rand(count, 1, generator=g)
    base = 0.8 * (0.25 * time + phase).sin()
    x = torch.stack([base, base.roll(3, 1), 0.5 * base.abs()], 1)
    begin = torch.randint(5, 25, (count, 1), generator=g)
    since = (time - begin).clamp(min=0)
    leak = torch.stack([-0.06 * since, 0.04 * since, 0 * since], 1)
    chatter = 0.9 * (since > 0) * (2.1 * time + phase).sin()
    chatter = torch.stack([0 * chatter, chatter, 0.5 * chatter], 1)
    stuck = torch.where(since[:, None] > 0, x[torch.arange(count), :, begin[:, 0]][..., None], x)
    kinds = torch.stack([x, x + leak, stuck, x + chatter], 1)
    x = kinds[torch.arange(count), y]
    return split(x + 0.3 * torch.randn(count, 3, length, generator=g), y, 0.75)


@cache
def rare_leaks(count: int = 4000, share: float = 0.025) -> Samples:
    """The same, most of them well and the few others leaking a little; 1 is a leak."""
    g = generator(60414)
    y = (torch.rand(count, generator=g) < share).float()
    time = torch.arange(40).float()
    phase = 6.28 * torch.rand(count, 1, generator=g)
    base = 0.8 * (0.25 * time + phase).sin()
    fall = 0.02 * y[:, None] * (time - 10).clamp(min=0)
    x = torch.stack([base - fall, base.roll(3, 1) + 0.5 * fall, 0.5 * base.abs()], 1)
    return split(x + 0.8 * torch.randn(count, 3, 40, generator=g), y, 0.5)


@cache
def loads(length: int = 72, count: int = 1600) -> Samples:
    """Three days of hourly loads of a district about 0, and the load six hours later."""
    g = generator(60415)
    time = torch.arange(length + 6).float()
    phase = 6.28 * torch.rand(count, 1, generator=g)
    high = 0.6 + 0.5 * torch.rand(count, 1, generator=g)
    wave = high * ((0.2618 * time + phase).sin() + 0.5 * (0.5236 * time + 2 * phase).sin())
    drift = (0.12 * torch.randn(count, length + 6, generator=g)).cumsum(1)
    x = wave + drift - drift[:, length - 1 :][:, :1] + 0.1 * torch.randn(wave.shape, generator=g)
    return split(x[:, :length, None] / 0.8, x[:, -1] / 0.8, 0.75)


class Machines(NamedTuple):
    """Readings, the state, and the machine they are of; the same machines twice."""

    x: Tensor
    y: Tensor
    machine: Tensor
    x_test: Tensor
    y_test: Tensor
    machine_test: Tensor


@cache
def machines(count: int = 4000, units: int = 16) -> Machines:
    """Eight readings each; every machine has its own zero points."""
    g = generator(60416)
    zero = 2.5 * torch.randn(units, 8, generator=g)
    machine = torch.randint(units, (count,), generator=g)
    y = torch.randint(4, (count,), generator=g)
    center = 1.1 * torch.randn(4, 2, 8, generator=g)
    half = torch.randint(2, (count,), generator=g)
    x = zero[machine] + center[y, half] + 0.6 * torch.randn(count, 8, generator=g)
    cut = 3 * count // 4
    return Machines(x[:cut], y[:cut], machine[:cut], x[cut:], y[cut:], machine[cut:])


@cache
def ratings(count: int = 9000) -> Samples:
    """User and film, and one to five stars."""
    g = generator(60417)
    taste, style = torch.randn(USERS, 2, generator=g), torch.randn(FILMS, 2, generator=g)
    user = torch.randint(USERS, (count,), generator=g)
    film = torch.randint(FILMS, (count,), generator=g)
    level = 3.4 + 0.5 * torch.randn(USERS, generator=g)[user]
    level = level + 0.5 * torch.randn(FILMS, generator=g)[film]
    level = level + 0.6 * (taste[user] * style[film]).sum(1)
    stars = (level + 0.4 * torch.randn(count, generator=g)).round().clamp(1, 5)
    data = split(torch.stack([user, film], 1), stars, 0.8)
    return data.with_inputs(data.x.long(), data.x_test.long())


class Campaigns(NamedTuple):
    """Customers, and how probably each answers each offer."""

    x: Tensor
    chance: Tensor


@cache
def campaigns(count: int = 3000) -> Campaigns:
    g = generator(60418)
    x = torch.randn(count, 6, generator=g)
    liking = torch.randn(6, OFFERS, generator=g)
    bent = torch.randn(6, OFFERS, generator=g)
    return Campaigns(x, (1.1 * x @ liking + 0.6 * x.abs() @ bent - 1).sigmoid())


@cache
def boilers(count: int = 2000) -> Samples:
    """Six standardized readings of a boiler, and how well it burns: a bent surface."""
    g = generator(60419)
    x = torch.randn(count, 6, generator=g)
    y = (1.2 * x[:, 0]).sin() + 0.6 * x[:, 1] * x[:, 2].tanh() - 0.5 * x[:, 3].abs() + 0.3 * x[:, 4]
    y = (y - y.mean()) / y.std() + 0.15 * torch.randn(count, generator=g)
    return split(x, y, 0.75)
