"""Patients, pupils, meters, markets, headlines and graphs: small synthetic sets of our own."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor


class Stays(NamedTuple):
    """Hours of six vital signs, in the units of the ward; how many hours, and what came of it."""

    signs: Tensor
    hours: Tensor
    died: Tensor
    days: Tensor
    ward: Tensor

    def __getitem__(self, index: object) -> "Stays":  # type: ignore[override]
        return Stays(*(part[index] for part in tuple(self)))  # type: ignore[index]


MEANS = torch.tensor([84.0, 122.0, 37.0, 18.0, 240_000.0, 1.5])
DEVIATIONS = torch.tensor([15.0, 20.0, 0.6, 4.0, 70_000.0, 0.7])


@cache
def stays(count: int = 1600, rarity: float = 1.6, seed: int = 3) -> Stays:
    """Some grow worse from hour to hour; pulse, breath and lactate rise, pressure falls."""
    draw = torch.Generator().manual_seed(seed)
    level, slope = torch.randn(2, count, generator=draw)
    time = torch.linspace(0, 1, 24)
    state = 0.4 * level[:, None] + 1.2 * slope[:, None] * time
    loads = torch.tensor([1.0, -0.9, 0.5, 1.0, -0.5, 1.2])
    noise = torch.randn(count, 24, 6, generator=draw)
    noise[:, 1:] = 0.6 * noise[:, :-1] + 0.8 * noise[:, 1:]
    signs = MEANS + DEVIATIONS * 0.7 * (state[..., None] * loads + noise)
    hours = torch.randint(10, 25, (count,), generator=draw)
    risk = 3 * slope + level - 2.2 * rarity
    died = (torch.rand(count, generator=draw) < risk.sigmoid()).float()
    days = 3 + slope + 0.5 * level + 0.5 * torch.randn(count, generator=draw)
    ward = torch.bucketize(
        level + 0.3 * torch.randn(count, generator=draw), torch.tensor([-0.5, 0.5])
    )
    return Stays(signs, hours, died, days, ward)


@cache
def lessons(pupils: int = 900, exercises: int = 20, length: int = 30) -> tuple[Tensor, Tensor]:
    """Which exercise came when, and whether it was done rightly: who practises learns."""
    draw = torch.Generator().manual_seed(9)
    skill = 1.5 * torch.randn(pupils, 1, generator=draw).expand(-1, 5).clone()
    skill += 0.5 * torch.randn(pupils, 5, generator=draw)
    hardness = torch.randn(exercises, generator=draw)
    asked = torch.randint(exercises, (pupils, length), generator=draw)
    right = torch.zeros(pupils, length)
    for step in range(length):
        topic = asked[:, step] % 5
        ability = skill[torch.arange(pupils), topic] - hardness[asked[:, step]]
        right[:, step] = (torch.rand(pupils, generator=draw) < ability.sigmoid()).float()
        skill[torch.arange(pupils), topic] += 0.25
    return asked, right


@cache
def meters(count: int = 24, hours: int = 24 * 35) -> Tensor:
    """Standardized loads of households by the hour: days, weekends, weather and accidents."""
    draw = torch.Generator().manual_seed(5)
    time = torch.arange(hours)
    phase = torch.rand(count, 2, 1, generator=draw)
    day = torch.sin(6.2832 * (time / 24 + 0.3 * phase[:, 0]))
    peak = torch.exp(3 * torch.cos(6.2832 * (time / 24 - 0.75 + 0.1 * phase[:, 1])) - 3)
    weekend = ((time // 24) % 7 >= 5).float()
    weather = torch.randn(count, hours, generator=draw)
    for hour in range(1, hours):
        weather[:, hour] = 0.95 * weather[:, hour - 1] + 0.3 * weather[:, hour]
    load = day + (1.5 - weekend) * peak + 0.5 * weather
    load = load + 0.2 * torch.randn(count, hours, generator=draw)
    return (load - load.mean(1, keepdim=True)) / load.std(1, keepdim=True)


def windows(series: Tensor, past: int, ahead: int, stride: int = 6) -> tuple[Tensor, Tensor]:
    """What was, and what comes."""
    cut = series.unfold(1, past + ahead, stride).reshape(-1, past + ahead)
    return cut[:, :past], cut[:, past:]


@cache
def returns(count: int = 400, days: int = 120) -> Tensor:
    """Daily returns in per cent, calm and wild by turns."""
    draw = torch.Generator().manual_seed(11)
    shocks = torch.randn(count, days, generator=draw)
    found, variance = torch.zeros(count, days), torch.ones(count)
    for day in range(days):
        found[:, day] = variance.sqrt() * shocks[:, day]
        variance = 0.05 + 0.25 * found[:, day].square() + 0.72 * variance
        variance = variance.clamp(max=25)
    return found


class Papers(NamedTuple):
    """A graph: words of each paper, its field, who cites whom."""

    words: Tensor
    field: Tensor
    links: Tensor


@cache
def papers(count: int = 600, fields: int = 5, clear: float = 1.0) -> Papers:
    """Papers cite those of their own field, mostly."""
    draw = torch.Generator().manual_seed(17)
    field = torch.randint(fields, (count,), generator=draw)
    chance = torch.where(field[:, None] == field, 0.04, 0.002)
    upper = torch.rand(count, count, generator=draw).triu(1)
    links = ((upper > 0) & (upper < chance)).nonzero().T
    topics = clear * torch.randn(fields, 40, generator=draw)
    words = topics[field] + 2.5 * torch.randn(count, 40, generator=draw)
    return Papers(words / words.std(), field, links)


def spread(links: Tensor, count: int) -> Tensor:
    """The normalized adjacency of Kipf and Welling, itself included."""
    near = torch.eye(count)
    near[links[0], links[1]] = near[links[1], links[0]] = 1
    root = near.sum(1).rsqrt()
    return root[:, None] * near * root


@cache
def headlines(
    count: int = 4600, words: int = 250, length: int = 14
) -> tuple[Tensor, Tensor, Tensor]:
    """Words, lengths and one of five sections; half the words are its own, one in ten is wrong."""
    draw = torch.Generator().manual_seed(23)
    section = torch.randint(5, (count,), generator=draw)
    text = 2 + torch.randint(words - 2, (count, length), generator=draw)
    own = 2 + 30 * section[:, None] + torch.randint(30, (count, length), generator=draw)
    text = torch.where(torch.rand(count, length, generator=draw) < 0.5, own, text)
    lengths = torch.randint(6, length + 1, (count,), generator=draw)
    text[torch.arange(length) >= lengths[:, None]] = 0
    wrong = torch.rand(count, generator=draw) < 0.1
    section = torch.where(wrong, torch.randint(5, (count,), generator=draw), section)
    return text, lengths, section
