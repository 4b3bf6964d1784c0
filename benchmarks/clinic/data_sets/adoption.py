"""What a company tries a tool with: customers, machines, tickets, readings and phrases, made up."""

from functools import cache

import torch
from sklearn import datasets
from torch import Tensor

from .samples import Samples, split, standardized


def dice(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def leads(count: int = 1800, apart: float = 2.0) -> Samples:
    """Who buys? Two groups of customers that hardly overlap."""
    x, y = datasets.make_classification(
        count, 16, n_informative=8, n_redundant=2, flip_y=0.0, class_sep=apart, random_state=11
    )
    return standardized(split(x, y))


@cache
def segments(count: int = 900, flipped: float = 0.1) -> Samples:
    """Four kinds of customers, some of whom were entered wrongly."""
    x, y = datasets.make_classification(
        count, 12, n_informative=8, n_classes=4, n_clusters_per_class=1, flip_y=flipped,
        class_sep=1.5, random_state=5,
    )  # fmt: skip
    return standardized(split(x, y))


@cache
def leavers(count: int = 3600, share: float = 0.05) -> Samples:
    """One of twenty contracts is given notice."""
    x, y = datasets.make_classification(
        count, 14, n_informative=7, weights=[1 - share], flip_y=0.005, class_sep=1.4,
        n_clusters_per_class=2, random_state=21,
    )  # fmt: skip
    return standardized(split(x, y))


@cache
def bearings(count: int = 1500, length: int = 64, noise: float = 0.7) -> Samples:
    """Two sensors of a machine in one of five states: how often, how regularly it knocks."""
    chance = dice(length)
    state = torch.randint(5, (count,), generator=chance)
    period = torch.tensor([6.0, 9.0, 13.0, 9.0, 6.0])[state][:, None]
    offset = period * torch.rand(count, 1, generator=chance)
    time = torch.arange(length)[None]
    knock = torch.exp(-((time - offset) % period) / 1.5)
    hum = torch.sin(0.7 * time + 6.3 * torch.rand(count, 1, generator=chance))
    swell = torch.where((state > 2)[:, None], 1 + torch.sin(time / 5 + offset), 1.0)
    x = torch.stack([2 * knock * swell, hum + knock], 1)
    return split(x + noise * torch.randn(count, 2, length, generator=chance), state)


@cache
def pumps(count: int = 1500, length: int = 32) -> Samples:
    """One pressure over time; three kinds of pumps pulse at different rates."""
    chance = dice(length + 1)
    kind = torch.randint(3, (count,), generator=chance)
    phase = 6.3 * torch.rand(count, 1, generator=chance)
    time = torch.arange(length)[None]
    x = torch.sin(torch.tensor([0.4, 0.7, 1.1])[kind][:, None] * time + phase)
    x = x + 0.3 * torch.randn(count, length, generator=chance)
    return split(x[..., None], kind)


@cache
def readings(count: int = 1500, length: int = 40) -> Samples:
    """Three readings per hour; the target is a fading average of the first, bent a little."""
    chance = dice(length + 3)
    x = torch.randn(count, length, 3, generator=chance)
    fading = 0.9 ** torch.arange(length - 1, -1, -1)
    level = (x[..., 0] * fading).sum(1) / fading.pow(2).sum().sqrt()
    return split(x, torch.tanh(level) + 0.3 * level)


@cache
def tickets(count: int = 1600, length: int = 20, empty: float = 0.0, own: float = 0.3) -> Samples:
    """Words of 5 topics among words of none, padded with 0; some tickets may have no words."""
    chance = dice(length + 4)
    topic = torch.randint(5, (count,), generator=chance)
    words = torch.randint(41, 90, (count, length), generator=chance)
    telling = 1 + 8 * topic[:, None] + torch.randint(8, (count, length), generator=chance)
    words = torch.where(torch.rand(count, length, generator=chance) < own, telling, words)
    lengths = torch.randint(8, length + 1, (count, 1), generator=chance)
    lengths[torch.rand(count, 1, generator=chance) < empty] = 0
    words = words * (torch.arange(length) < lengths)
    samples = split(words, topic)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def phrases(count: int = 1400, length: int = 17, words: int = 40) -> tuple[Tensor, Tensor]:
    """After each word come four others, one of them in half of the cases: to train, and others."""
    chance = dice(words)
    after = torch.stack([torch.randperm(words, generator=chance)[:4] for _ in range(words)])
    word = torch.randint(words, (count,), generator=chance)
    found = [word]
    for _ in range(length - 1):
        which = torch.multinomial(
            torch.tensor([0.5, 0.2, 0.2, 0.1]), count, replacement=True, generator=chance
        )
        word = after[word, which]
        found.append(word)
    text = torch.stack(found, 1)
    return text[:1000], text[1000:]


@cache
def late(length: int = 30, count: int = 1500) -> Samples:
    """The first reading alone says which of two orders follows; the rest is noise."""
    chance = dice(length + 5)
    y = torch.randint(2, (count,), generator=chance)
    x = 0.3 * torch.randn(count, length, 3, generator=chance)
    x[:, 0, 0] += 2.0 * y - 1.0
    return split(x, y)
