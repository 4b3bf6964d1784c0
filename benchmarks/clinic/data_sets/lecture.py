"""Exercises of a course: spirals, waves, strings of letters, and digits in pairs."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, digit_images, moons, split

LETTERS = 12
WORD = 10
ALPHABET = 20


@cache
def spirals(arms: int = 3, count: int = 1200, turns: float = 1.0) -> Samples:
    """Points on arms that wind around each other, from -1 to 1."""
    generator = torch.Generator().manual_seed(arms)
    y = torch.randint(arms, (count,), generator=generator)
    radius = 0.1 + 0.9 * torch.rand(count, generator=generator)
    angle = 6.283 * (turns * radius + y / arms)
    angle = angle + 0.15 * torch.randn(count, generator=generator)
    x = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
    return split(x, y)


@cache
def noisy_sine(count: int = 700) -> Samples:
    """One input, and a sine of it with noise of deviation 0.2."""
    generator = torch.Generator().manual_seed(9)
    x = 6 * torch.rand(count, 1, generator=generator) - 3
    y = (2 * x[:, 0]).sin() + 0.2 * torch.randn(count, generator=generator)
    return split(x, y)


def letters(samples: Samples) -> Samples:
    """The inputs as whole numbers."""
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def languages(count: int = 2000, length: int = 20) -> Samples:
    """Strings of four languages, in each of which a letter likes certain ones behind it."""
    generator = torch.Generator().manual_seed(4)
    tables = (1.3 * torch.randn(4, LETTERS, LETTERS, generator=generator)).softmax(-1)
    y = torch.randint(4, (count,), generator=generator)
    found = [torch.randint(LETTERS, (count,), generator=generator)]
    for _ in range(length - 1):
        chances = tables[y, found[-1]]
        found.append(torch.multinomial(chances, 1, generator=generator)[:, 0])
    return letters(split(torch.stack(found, 1), y))


@cache
def bracketed(count: int = 3000, length: int = 6, kinds: int = 8) -> Samples:
    """Strings of which half end with the letter that they begin with."""
    generator = torch.Generator().manual_seed(length)
    x = torch.randint(kinds, (count, length), generator=generator)
    same = torch.rand(count, generator=generator) < 0.45
    x[:, -1] = torch.where(same, x[:, 0], x[:, -1])
    return letters(split(x, (x[:, 0] == x[:, -1]).long()))


@cache
def sweeps(count: int = 2100, length: int = 32) -> Samples:
    """Waves of any phase that become faster, become slower, or stay as they are."""
    generator = torch.Generator().manual_seed(length)
    y = torch.randint(3, (count,), generator=generator)
    time = torch.linspace(0, 1, length)
    begin = 2.5 + 0.5 * torch.rand(count, 1, generator=generator)
    bend = torch.tensor([1.8, -1.8, 0.0])[y][:, None]
    phase = begin * time + 0.5 * bend * time**2 + torch.rand(count, 1, generator=generator)
    x = (6.283 * phase).sin() + 0.1 * torch.randn(count, length, generator=generator)
    return split(x[..., None], y)


def slips(words: Tensor, generator: torch.Generator) -> Tensor:
    """Each word with one letter replaced, and then with two neighbours exchanged."""
    rows = torch.arange(len(words))
    found = words.clone()
    place = torch.randint(WORD, (len(words),), generator=generator)
    found[rows, place] = torch.randint(ALPHABET, (len(words),), generator=generator)
    place = torch.randint(WORD - 1, (len(words),), generator=generator)
    left, right = found[rows, place].clone(), found[rows, place + 1].clone()
    found[rows, place], found[rows, place + 1] = right, left
    return found


@cache
def misspelt(known: int = 1500, other: int = 400) -> Samples:
    """Words as targets, misspelt ones as inputs; those to measure on are words never seen."""
    generator = torch.Generator().manual_seed(21)
    stems = torch.randint(ALPHABET, (60, WORD // 2), generator=generator)
    pick = torch.randint(60, (known + other, 2), generator=generator)
    words = stems[pick].flatten(1).unique(dim=0)
    words = words[torch.randperm(len(words), generator=generator)]
    wrong = slips(words, generator)
    return Samples(wrong[:-other], words[:-other], wrong[-other:], words[-other:])


@cache
def torn_waves(count: int = 1500, length: int = 64) -> Samples:
    """Noisy sums of two sines with two gaps, and where those are; the targets are whole."""
    generator = torch.Generator().manual_seed(64)
    time = torch.linspace(0, 1, length)
    whole = torch.zeros(count, length)
    for _ in range(2):
        speed = 1 + 3 * torch.rand(count, 1, generator=generator)
        phase = torch.rand(count, 1, generator=generator)
        whole += (6.283 * (speed * time + phase)).sin()
    gap = torch.zeros(count, length)
    for _ in range(2):
        start = torch.randint(length - 8, (count, 1), generator=generator)
        gap.scatter_(1, start + torch.arange(8), 1.0)
    noisy = whole + 0.3 * torch.randn(count, length, generator=generator)
    return split(torch.stack([noisy * (1 - gap), gap], 1), whole)


@cache
def flipped_moons(share: float = 0.3) -> Samples:
    """Moons with labels to train on of which some are wrong."""
    data = moons()
    generator = torch.Generator().manual_seed(30)
    wrong = torch.rand(len(data.y), generator=generator) < share
    return data._replace(y=torch.where(wrong, 1 - data.y, data.y))


@cache
def sums_of_digits(count: int = 3000) -> tuple[Tensor, Tensor, Tensor]:
    """Two images each of those to train on, and no more than the sum of what they show."""
    data = digit_images()
    generator = torch.Generator().manual_seed(19)
    pick = torch.randint(len(data.x), (count, 2), generator=generator)
    return data.x[pick[:, 0]], data.x[pick[:, 1]], data.y[pick].sum(1)
