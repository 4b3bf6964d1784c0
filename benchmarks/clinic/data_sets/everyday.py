"""Data that is made up: players, rare parts and hourly orders."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def players(count: int = 1600) -> Samples:
    """Market value in euros, minutes, height in cm, year and two indicators; who is sold?"""
    draw = torch.Generator().manual_seed(41)
    z = torch.randn(count, 4, generator=draw)
    flags = (torch.rand(count, 2, generator=draw) < 0.3).float()
    logit = 2 * z[:, 0] * z[:, 1] + 1.5 * z[:, 2] - z[:, 3] + 1.5 * flags[:, 0]
    y = (logit + 0.5 * torch.randn(count, generator=draw) > 0.4).float()
    value, minutes = 4_000_000 + 1_500_000 * z[:, 0], 1800 + 450 * z[:, 1]
    height, year = 183 + 7 * z[:, 2], 1998 + 4 * z[:, 3]
    x = torch.stack([value, minutes, height, year], 1)
    return split(torch.cat([x, flags], 1), y)


@cache
def rare_parts(distance: float, share: float = 0.04, count: int = 5000) -> Samples:
    """Twelve measurements; few parts are worn, and lie that far from the others."""
    draw = torch.Generator().manual_seed(42)
    y = (torch.rand(count, generator=draw) < share).float()
    x = torch.randn(count, 12, generator=draw)
    return split(x + distance * y[:, None] * torch.linspace(-1, 1, 12), y)


@cache
def orders(scale: float = 1.0, level: float = 0.0) -> Samples:
    """A day of hourly orders and the hour that follows, of a wave of any phase and some noise."""
    draw = torch.Generator().manual_seed(43)
    phase = 6.28 * torch.rand(1200, 1, generator=draw)
    hours = torch.arange(25) * 0.26
    wave: Tensor = 0.7 * torch.sin(hours + phase) + 0.2 * torch.sin(2 * (hours + phase))
    wave = level + scale * (wave + 0.05 * torch.randn(1200, 25, generator=draw))
    return split(wave[:, :24, None], wave[:, 24:])
