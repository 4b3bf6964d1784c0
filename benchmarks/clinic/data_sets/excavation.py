"""What an excavation keeps of its finds, made up: coins, clays, inscriptions, tree rings, kilns."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

MARKS, CLAYS, WORDS, SUBJECTS, KEYS = 6, 5, 120, 8, 16


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def coins(count: int = 1800, noise: float = 0.4, wrong: float = 0.0) -> Samples:
    """Grey pictures of 16 by 16 pixels: one of six marks, a little moved, on worn metal.

    Args:
        count: Pictures, three tenths of which are only measured on.
        noise: Deviation of each pixel.
        wrong: Share of the labels to train on that are drawn by chance.
    """
    generator = _random(501)
    marks = (torch.rand(MARKS, 6, 6, generator=generator) < 0.5).float()
    marks = marks.repeat_interleave(2, 1).repeat_interleave(2, 2)
    y = torch.randint(MARKS, (count,), generator=generator)
    x = noise * torch.randn(count, 1, 16, 16, generator=generator)
    for i, (down, right) in enumerate(torch.randint(5, (count, 2), generator=generator).tolist()):
        x[i, 0, down : down + 12, right : right + 12] += marks[y[i]]
    found = split(x, y)
    chance = torch.randint(MARKS, found.y.shape, generator=generator)
    given = torch.rand(len(found.y), generator=generator) < wrong
    return found._replace(y=torch.where(given, chance, found.y))


@cache
def clays(count: int = 2000) -> Samples:
    """Counts of ten elements in a sherd, from a few dozens to tens of thousands; its clay bed."""
    generator = _random(502)
    usual = torch.linspace(3.5, 10.5, 10)[torch.randperm(10, generator=generator)]
    beds = 0.35 * torch.randn(CLAYS, 10, generator=generator)
    y = torch.randint(CLAYS, (count,), generator=generator)
    logs = usual + beds[y] + 0.2 * torch.randn(count, 10, generator=generator)
    return split(logs.exp().round(), y)


@cache
def inscriptions(count: int = 2000, length: int = 14) -> Samples:
    """Numbers of words; each of eight subjects has six of its own, a third of each text."""
    generator = _random(503)
    y = torch.randint(SUBJECTS, (count,), generator=generator)
    x = torch.randint(6 * SUBJECTS, WORDS, (count, length), generator=generator)
    own = 6 * y[:, None] + torch.randint(6, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.35, own, x)
    found = split(x, y)
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def rings(share: float = 0.05, depth: float = 1.1, count: int = 3000) -> Samples:
    """Widths of 36 tree rings from their trend; a few trees have a scar of six narrow rings."""
    generator = _random(504)
    y = (torch.rand(count, generator=generator) < share).long()
    x = torch.randn(count, 36, generator=generator)
    start = torch.randint(4, 26, (count, 1), generator=generator)
    scar = (torch.arange(36) >= start) & (torch.arange(36) < start + 6)
    return split((x - depth * scar * y[:, None])[..., None], y)


@cache
def kilns(count: int = 1600, noise: float = 0.2) -> Samples:
    """Eight standardised readings of a kiln, and the standardised hardness of what it fired."""
    generator = _random(505)
    x = torch.randn(count, 8, generator=generator)
    y = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + x[:, 3].abs() + 0.7 * x[:, 4]
    y = y + noise * torch.randn(count, generator=generator)
    return split(x, (y - y.mean()) / y.std())


@cache
def votes(count: int = 1800) -> Samples:
    """Twelve measures of a vessel, and the shares of forty experts for five periods."""
    generator = _random(506)
    x = torch.randn(count, 12, generator=generator)
    first, second = (
        torch.randn(12, 16, generator=generator),
        torch.randn(16, 5, generator=generator),
    )
    chance = (0.8 * torch.tanh(x @ first / 3) @ second / 2).softmax(1)
    given = torch.multinomial(chance, 40, replacement=True, generator=generator)
    return split(x, torch.stack([(given == k).float().mean(1) for k in range(5)], 1))


@cache
def moisture(count: int = 1500, length: int = 30) -> Samples:
    """Rain and warmth of thirty days, standardised, and how wet the ground of a trench is."""
    generator = _random(507)
    x = torch.randn(count, length, 2, generator=generator)
    kept = 0.8 ** torch.arange(length - 1, -1, -1.0)
    y = torch.tanh(((x[..., 0].relu() - 0.5 * x[..., 1]) * kept).sum(1))
    y = y + 0.1 * torch.randn(count, generator=generator)
    return split(x, (y - y.mean()) / y.std())


@cache
def seals(count: int = 2400) -> Samples:
    """Sixteen measures of seals, originals or forgeries, which differ in their means."""
    generator = _random(508)
    mix = torch.randn(2, 16, 16, generator=generator) / 4
    means = 0.5 * torch.randn(2, 16, generator=generator)
    y = torch.arange(count) % 2
    x = torch.randn(count, 16, generator=generator)
    x = means[y] + (x[:, None] @ (torch.eye(16) + 0.5 * mix[y])).squeeze(1)
    return split(x, y)


@cache
def catalogue(count: int = 3000, entries: int = 6) -> Samples:
    """Keys of six entries and what each of them is (0 to 3); what is the one that is asked for?

    Rows of an entry are its key, of sixteen, and what it is; the last row is the asked key alone.
    """
    generator = _random(509)
    keys = torch.rand(count, KEYS, generator=generator).argsort(1)[:, :entries]
    kinds = torch.randint(4, (count, entries), generator=generator)
    asked = torch.randint(entries, (count, 1), generator=generator)
    last = torch.stack([keys.gather(1, asked), torch.full_like(asked, 4)], 2)
    x = torch.cat([torch.stack([keys, kinds], 2), last], 1)
    found = split(x, kinds.gather(1, asked).squeeze(1))
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def shells(count: int = 2000) -> Samples:
    """Places of finds about a hearth in standardised measures; which of three layers they are of.

    Of the six measures only the distance from their middle tells the layers apart.
    """
    generator = _random(510)
    y = torch.randint(3, (count,), generator=generator)
    x = torch.nn.functional.normalize(torch.randn(count, 6, generator=generator), dim=1)
    radius = 1.0 + y + 0.2 * torch.randn(count, generator=generator)
    return split(radius[:, None] * x, y)


def mean_log_odds(x: Tensor) -> Tensor:
    """Logarithms of counts, from their mean in the same sherd."""
    logs = x.clamp(min=1).log()
    return logs - logs.mean(1, keepdim=True)
