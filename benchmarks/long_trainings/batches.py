"""What the long trainings are fed: real samples, and batches drawn anew."""

import gzip
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

CLOTHES = Path("/usr/share/datasets/fashion-mnist")


class Drawn(IterableDataset[Any]):
    """Batches drawn anew, without end, or so many that are always the same."""

    def __init__(self, draw: Callable[[torch.Generator], Any], batches: int | None = None) -> None:
        self.draw, self.batches, self.passes = draw, batches, 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        generator = torch.Generator().manual_seed(self.passes if self.batches is None else 0)
        made = 0
        while self.batches is None or made < self.batches:
            yield self.draw(generator)
            made += 1


def drawn(draw: Callable[[torch.Generator], Any]) -> Callable[[], tuple[Any, Any]]:
    """Loaders of batches that are drawn anew in training and the same in each validation."""
    return lambda: (
        DataLoader(Drawn(draw), batch_size=None),
        DataLoader(Drawn(draw, 8), batch_size=None),
    )


def held(
    samples: Callable[[], tuple[Tensor, ...]], batch_size: int, share: float = 0.75
) -> Callable[[], tuple[Any, Any]]:
    """Loaders of samples that are there, a part of them for validation."""

    def make() -> tuple[Any, Any]:
        parts = samples()
        order = torch.randperm(len(parts[0]), generator=torch.Generator().manual_seed(0))
        cut = int(share * len(order))
        train, rest = (
            TensorDataset(*(part[rows] for part in parts)) for rows in (order[:cut], order[cut:])
        )
        return DataLoader(train, batch_size, shuffle=True), DataLoader(rest, 256)

    return make


@cache
def digits() -> tuple[Tensor, Tensor]:
    x, y = datasets.load_digits(return_X_y=True)
    return torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)


@cache
def clothes() -> tuple[Tensor, Tensor]:
    with gzip.open(CLOTHES / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:8000]
    with gzip.open(CLOTHES / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8)[:8000]
    return torch.tensor(x / 255 - 0.29, dtype=torch.float32) / 0.35, torch.tensor(y).long()


@cache
def letters() -> Tensor:
    """Python's own documentation, as numbers of its letters."""
    text = "\n".join(topics.values())
    known = {letter: number for number, letter in enumerate(sorted(set(text)))}
    return torch.tensor([known[letter] for letter in text])


def ring_centers() -> Tensor:
    angles = torch.arange(8) * math.pi / 4
    return 2 * torch.stack([angles.cos(), angles.sin()], 1)


def ring(generator: torch.Generator) -> Tensor:
    chosen = ring_centers()[torch.randint(8, (128,), generator=generator)]
    return chosen + 0.1 * torch.randn(128, 2, generator=generator)


def friedman(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.rand(64, 10, generator=generator)
    y = 10 * (math.pi * x[:, 0] * x[:, 1]).sin() + 20 * (x[:, 2] - 0.5) ** 2
    y = y + 10 * x[:, 3] + 5 * x[:, 4] + torch.randn(64, generator=generator)
    return 2 * x - 1, (y - 14.4) / 5


def waves(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    start = 6.28 * torch.rand(32, 1, generator=generator)
    speed = 0.2 + 0.4 * torch.rand(32, 1, generator=generator)
    wave = (start + speed * torch.arange(25)).sin()
    wave = wave + 0.1 * torch.randn(32, 25, generator=generator)
    return wave[:, :24, None], wave[:, 24]


def lines(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    text = letters()
    starts = torch.randint(len(text) - 65, (12, 1), generator=generator)
    windows = text[starts + torch.arange(65)]
    return windows[:, :-1], windows[:, 1:]


def reversals(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ten digits, and the same backwards; only those are to be predicted."""
    first = torch.randint(10, (32, 10), generator=generator)
    whole = torch.cat([first, torch.full((32, 1), 10), first.flip(1)], 1)
    target = whole[:, 1:].clone()
    target[:, :10] = -1
    return whole[:, :-1], target


def moons(generator: torch.Generator) -> Tensor:
    angle = math.pi * torch.rand(128, generator=generator)
    upper = torch.rand(128, generator=generator) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos()) - 0.5
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin()) - 0.25
    return torch.stack([x, y], 1) + 0.05 * torch.randn(128, 2, generator=generator)


@cache
def tastes() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    users, things = (torch.randn(n, 4, generator=generator) for n in (300, 200))
    return users @ things.T


def choices(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    users = torch.randint(300, (128,), generator=generator)
    pair = torch.randint(200, (128, 2), generator=generator)
    noisy = tastes()[users[:, None], pair] + 0.5 * torch.randn(128, 2, generator=generator)
    order = noisy.argsort(1, descending=True)
    ranked = pair.gather(1, order)
    return users, ranked[:, 0], ranked[:, 1]


def moves(generator: torch.Generator) -> tuple[Tensor, ...]:
    cell = torch.randint(9, (64,), generator=generator)
    action = torch.randint(2, (64,), generator=generator)
    after = (cell + 2 * action - 1).clamp(0, 9)
    done = after == 9
    return cell, action, done.float(), after, done


def rare(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(512, 8, generator=generator)
    return x, (x[:, :4].sum(1) > 4.1).float()


def seen(generator: torch.Generator) -> Tensor:
    return torch.randn(32, 6, generator=generator)


def times(generator: torch.Generator) -> Tensor:
    return 6 * torch.rand(64, 1, generator=generator)
