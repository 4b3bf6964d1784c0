"""Data that students make up for a thesis: pendulums, beams, strings of letters."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

LETTERS = 12


@cache
def pendulums(count: int = 700, length: int = 21, step: float = 0.15) -> Samples:
    """Angle and speed of a pendulum that was let go, at equal times; there are no targets."""
    generator = torch.Generator().manual_seed(4)
    angle = 2.4 * torch.rand(count, generator=generator) - 1.2
    speed = 2.0 * torch.rand(count, generator=generator) - 1.0
    found = [torch.stack([angle, speed], 1)]
    for _ in range(length - 1):
        for _ in range(10):
            speed = speed - step / 10 * (angle.sin() + 0.1 * speed)
            angle = angle + step / 10 * speed
        found.append(torch.stack([angle, speed], 1))
    return split(torch.stack(found, 1), torch.zeros(count))


@cache
def beams(count: int = 1500) -> Samples:
    """How far the end of a beam bends, by load, length, width, height and two that do nothing.

    Everything is standardized.
    """
    generator = torch.Generator().manual_seed(9)
    x = torch.rand(count, 6, generator=generator)
    load, length, width, height = (0.5 + x[:, :4]).unbind(1)
    bend = (load * length**3 / (width * height**2)).log()
    bend = bend + 0.3 * torch.sin(6 * x[:, 0] * x[:, 1])
    bend = bend + 0.05 * bend.std() * torch.randn(count, generator=generator)
    return split((x - 0.5) * 12**0.5, (bend - bend.mean()) / bend.std())


@cache
def strings(length: int = 8, count: int = 3000) -> tuple[Tensor, Tensor]:
    """Letters from 1 on: strings to train on, and others."""
    generator = torch.Generator().manual_seed(length)
    x = torch.randint(1, LETTERS + 1, (count, length), generator=generator)
    return x[:2500], x[2500:]
