"""What institutes measure: spike counts, decays of light, vowels, clusters of atoms, and trade."""

import math
from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples


def cut(x: Tensor, y: Tensor, train: int) -> Samples:
    return Samples(x[:train], y[:train], x[train:], y[train:])


@cache
def spikes(count: int = 2400, neurons: int = 14) -> Samples:
    """Heading (radians) and speed (mm/s) of an animal, and the counts of its neurons."""
    g = torch.Generator().manual_seed(411)
    heading = 2 * math.pi * torch.rand(count, generator=g)
    speed = 40 + 300 * torch.rand(count, generator=g) ** 2
    preferred = 2 * math.pi * torch.rand(neurons, generator=g)
    gain = torch.randn(neurons, generator=g) * 0.5
    drive = 1.6 * torch.cos(heading[:, None] - preferred) + gain * (speed[:, None] - 140) / 100
    counts = torch.poisson((0.4 + drive).clamp(max=3).exp(), generator=g)
    return cut(torch.stack([heading, speed], 1), counts, 1800)


@cache
def decays(count: int = 2600, bins: int = 36) -> Samples:
    """Photons in bins after a flash, as roots; the lifetime's logarithm, standardized."""
    g = torch.Generator().manual_seed(412)
    log_life = 0.5 * torch.randn(count, generator=g)
    time = torch.linspace(0, 5, bins)
    share = 0.5 + 0.4 * torch.rand(count, 1, generator=g)
    curve = share * (-time / log_life.exp()[:, None]).exp() + (1 - share) * (-time / 0.3).exp()
    bright = 60 + 120 * torch.rand(count, 1, generator=g)
    photons = torch.poisson(bright * curve + 3, generator=g)
    x = photons.sqrt() / 4 - 1
    return cut(x, log_life / log_life[:2000].std(), 2000)


@cache
def vowels(count: int = 3000) -> Samples:
    """Formants of seven vowels over a speaker's own shift and stretch; standardized."""
    g = torch.Generator().manual_seed(413)
    y = torch.randint(7, (count,), generator=g)
    middle = 1.5 * torch.randn(7, 5, generator=g)
    tract = torch.randn(count, 1, generator=g)
    x = middle[y] * (1 + 0.12 * tract) + 0.5 * tract + 0.8 * torch.randn(count, 5, generator=g)
    x = torch.cat([x, tract + 0.3 * torch.randn(count, 1, generator=g)], 1)
    return cut((x - x[:2200].mean(0)) / x[:2200].std(0), y, 2200)


@cache
def atoms(count: int = 2400, size: int = 7) -> Samples:
    """Places of atoms in a box, and the energy of all pairs, standardized."""
    g = torch.Generator().manual_seed(414)
    x = 3 * torch.rand(count, size, 3, generator=g)
    far = (x[:, :, None] - x[:, None]).norm(dim=-1)
    pair = 2 * (-3 * far).exp() * 4 - (-((far - 1.6) ** 2) / 0.3).exp()
    energy = (pair.sum((1, 2)) - size * 8 + size * math.exp(-(1.6**2) / 0.3)) / 2
    energy = energy + 0.05 * torch.randn(count, generator=g)
    return cut(x, (energy - energy[:1800].mean()) / energy[:1800].std(), 1800)


@cache
def trade(countries: int = 60) -> Samples:
    """Pairs of countries, and the logarithm of what one sends the other."""
    g = torch.Generator().manual_seed(415)
    place, size = torch.randn(2, countries, 2, generator=g).unbind(0)
    pairs = torch.cartesian_prod(torch.arange(countries), torch.arange(countries))
    pairs = pairs[torch.randperm(len(pairs), generator=g)]
    a, b = pairs.unbind(1)
    flow = size[a, 0] + size[b, 1] + 0.8 * (place[a] * place[b]).sum(1)
    flow = flow + 0.3 * torch.randn(len(pairs), generator=g)
    return cut(pairs, (flow - flow.mean()) / flow.std(), 2800)
