"""What buses and trains leave behind, made up: loads, delays, tickets, lines and breakdowns."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split

ZONES, STOPS = 6, 40


@cache
def journeys(length: int = 12, count: int = 2500) -> Samples:
    """Taps of a card: the zone of the first is known, the others only have noisy readings.

    The target is the zone to which the card returns, that of the first tap.
    """
    draw = torch.Generator().manual_seed(701)
    zone = torch.randint(ZONES, (count,), generator=draw)
    x = torch.zeros(count, length, ZONES + 2)
    x[torch.arange(count), 0, zone] = 1.0
    x[..., ZONES:] = torch.randn(count, length, 2, generator=draw)
    return split(x, zone)


@cache
def profiles(count: int = 2500) -> Samples:
    """Load of a bus at 48 stops in two channels, and the delay at the terminus in deviations."""
    draw = torch.Generator().manual_seed(702)
    place = torch.linspace(0, 1, 48)
    u = torch.rand(4, count, 1, generator=draw)
    width = 0.06 + 0.12 * u[0]
    peak = torch.exp(-(((place - 0.2 - 0.6 * u[1]) / width) ** 2)) * (0.5 + u[2])
    rain = u[3] + 0.2 * torch.randn(count, 48, generator=draw)
    load = peak + 0.15 * torch.randn(count, 48, generator=draw)
    delay = 8 * width * (0.5 + u[2]) * (0.6 + u[3]) + 0.8 * torch.sin(4 * u[1])
    delay = delay + 0.1 * torch.randn(count, 1, generator=draw)
    x = torch.stack([(load - 0.25) / 0.4, (rain - 0.5) / 0.35], 1)
    return scaled_targets(split(x, delay[:, 0]))


@cache
def punctuality(count: int = 5000) -> Samples:
    """Ten measures of a departure: 88 % on time, 8 % late, 4 % very late."""
    draw = torch.Generator().manual_seed(703)
    x = torch.randn(count, 10, generator=draw)
    delay = 1.2 * x[:, 0] + x[:, 1] * x[:, 2] + x[:, 3].abs() + 0.6 * x[:, 4]
    delay = delay + 0.15 * torch.randn(count, generator=draw)
    limits = torch.quantile(delay, torch.tensor([0.88, 0.96]))
    return split(x, torch.bucketize(delay, limits))


@cache
def trips(count: int = 8000) -> Samples:
    """Numbers of an origin, a destination, a line and an hour; the target is the trip's time.

    It hangs on where both stops are and on how slow the line is at the hour.
    """
    draw = torch.Generator().manual_seed(704)
    place = 1.6 * torch.rand(STOPS, generator=draw)
    pace = 0.6 + torch.rand(8, generator=draw)
    x = torch.stack([torch.randint(n, (count,), generator=draw) for n in (STOPS, STOPS, 8, 24)], 1)
    way = 0.5 + (place[x[:, 0]] - place[x[:, 1]]).square()
    y = way * pace[x[:, 2]] + 0.3 * torch.sin(6.3 * x[:, 3] / 24)
    samples = scaled_targets(split(x, y + 0.05 * torch.randn(count, generator=draw)))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def fares(count: int = 3000) -> Samples:
    """Sixteen standardised measures of a trip; the fare bends in several of them."""
    draw = torch.Generator().manual_seed(705)
    x = torch.randn(count, 16, generator=draw)
    y = x[:, 0] + torch.tanh(2 * x[:, 1]) * x[:, 2].abs() + 0.8 * (x[:, 3] > 0) + 0.5 * x[:, 4]
    return scaled_targets(split(x, y + 0.1 * torch.randn(count, generator=draw)))


@cache
def trains(length: int = 60, count: int = 1500) -> Samples:
    """Disturbances along a run, of which a part is made up for; the delay at its end."""
    draw = torch.Generator().manual_seed(706)
    x = torch.randn(count, length, 4, generator=draw)
    x[:, :, 0] += torch.randn(count, 1, generator=draw)
    delay = torch.zeros(count)
    for t in range(length):
        delay = 0.95 * delay + 0.1 * x[:, t, 0] + 0.05 * x[:, t, 1] * x[:, t, 2].sign()
    return scaled_targets(split(x, delay))


@cache
def vehicles(count: int = 2500) -> Samples:
    """Measures of a vehicle and its state, one of five, told by differences of them."""
    draw = torch.Generator().manual_seed(707)
    x = torch.randn(count, 20, generator=draw)
    scores = torch.stack([x[:, 2 * i] - x[:, 2 * i + 1] * x[:, 12].sign() for i in range(5)], 1)
    return split(x, scores.argmax(1))


class Boardings(NamedTuple):
    """Measures of a stop in an hour, how many vehicles called, and how many people boarded."""

    x: Tensor
    vehicles: Tensor
    boarded: Tensor
    rate: Tensor


@cache
def boardings(count: int = 7000) -> Boardings:
    draw = torch.Generator().manual_seed(708)
    x = torch.randn(count, 9, generator=draw)
    log_rate = 2.0 + 0.5 * x[:, 0] + 0.4 * torch.sin(2 * x[:, 1]) + 0.3 * x[:, 2] * x[:, 3].sign()
    vehicles = torch.randint(1, 13, (count,), generator=draw).float()
    people = torch.poisson(vehicles * log_rate.exp(), generator=draw)
    return Boardings(x, vehicles, people, log_rate)


class Breakdowns(NamedTuple):
    """Measures of buses, kilometres until they broke down or left the fleet, and which of both."""

    x: Tensor
    kilometres: Tensor
    broke: Tensor


@cache
def breakdowns(count: int = 3000) -> Breakdowns:
    draw = torch.Generator().manual_seed(709)
    x = torch.randn(count, 8, generator=draw)
    risk = 0.9 * x[:, 0] + 0.7 * x[:, 1].abs() + 0.6 * x[:, 2] * (x[:, 3] > 0)
    u = torch.rand(2, count, generator=draw)
    life, left = -u[0].log() * torch.exp(-risk), -1.2 * u[1].log()
    return Breakdowns(x, 1e5 * torch.minimum(life, left), (life <= left).float())


@cache
def lines(length: int = 14, count: int = 2600) -> tuple[Tensor, Tensor]:
    """Stops of trips on eight lines through shared stops, either way: to train on, and others."""
    draw = torch.Generator().manual_seed(710)
    routes = torch.stack([torch.randperm(STOPS, generator=draw)[:20] for _ in range(8)])
    start = torch.randint(20 - length + 1, (count, 1), generator=draw)
    line = torch.randint(8, (count,), generator=draw)
    trips = routes[line].gather(1, start + torch.arange(length))
    back = torch.rand(count, 1, generator=draw) < 0.5
    trips = torch.where(back, trips.flip(1), trips) + 1
    return trips[:2000], trips[2000:]


@cache
def two_cities(count: int = 2000) -> tuple[Samples, Tensor]:
    """Crowded or not, told in one city; and measures of another, all of them moved.

    The samples to measure on are of the other city, of which the labels are not used in training.
    """
    draw = torch.Generator().manual_seed(711)
    x = torch.randn(2, count, 12, generator=draw)
    y = (x[..., 0] + x[..., 1] * x[..., 2].sign() > 0).long()
    shift = 0.5 * torch.randn(12, generator=draw)
    shift[:3] = 0.15
    other = x[1] + shift
    half = count // 2
    return Samples(x[0], y[0], other[half:], y[1, half:]), other[:half]


@cache
def headways(hours: int = 24, count: int = 3000) -> Samples:
    """Walks of a delay over a day, and what it is an hour later: hard to know better than now."""
    draw = torch.Generator().manual_seed(712)
    noise = torch.randn(count, hours + 1, generator=draw)
    walk = torch.zeros(count, hours + 1)
    pull = 0.3 + 0.6 * torch.rand(count, generator=draw)
    for t in range(1, hours + 1):
        walk[:, t] = walk[:, t - 1] + noise[:, t] - pull * walk[:, t - 1].clamp(-3, 3)
    return split(walk[:, :-1], walk[:, -1])


@cache
def inspections(count: int = 10_000) -> Samples:
    """Passengers who are asked for a ticket; one of forty has none."""
    draw = torch.Generator().manual_seed(713)
    x = torch.randn(count, 14, generator=draw)
    risk = 1.4 * x[:, 0] + x[:, 1] * x[:, 2].sign() + 0.8 * x[:, 3].abs()
    risk = risk + 0.3 * torch.randn(count, generator=draw)
    return split(x, (risk > torch.quantile(risk, 0.975)).float())


@cache
def surveyed_purposes(wrong: float = 0.45) -> Samples:
    """Purposes of trips in a survey, five of them; many answers to train on are random."""
    draw = torch.Generator().manual_seed(714)
    centers = 1.1 * torch.randn(5, 16, generator=draw)
    y = torch.randint(5, (4000,), generator=draw)
    x = centers[y] + torch.randn(4000, 16, generator=draw)
    samples = split(x, y)
    guess = torch.randint(5, samples.y.shape, generator=draw)
    doubtful = torch.rand(samples.y.shape, generator=draw) < wrong
    return samples._replace(y=torch.where(doubtful, guess, samples.y))
