"""What is seen, measured and written on a farm, made up."""

from functools import cache

import torch
from torch import Tensor

from .samples import Samples, split


@cache
def leaves(count: int = 1400, size: int = 16, haze: float = 0.08) -> Samples:
    """Leaves on soil, RGB from 0 to 1: sound, spotted, with a yellow rim, of mildew, striped."""
    generator = torch.Generator().manual_seed(size)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    y = torch.randint(5, (count,), generator=generator)
    axis = torch.linspace(-1, 1, size)
    down, across = (
        place.expand(count, -1, -1) for place in torch.meshgrid(axis, axis, indexing="ij")
    )
    turn = 3.14 * rand(count, 1, 1)
    along = (across - 0.2 * (rand(count, 1, 1) - 0.5)) * turn.cos() + down * turn.sin()
    aside = down * turn.cos() - across * turn.sin()
    reach = (along / 0.95).square() + (aside / (0.5 + 0.2 * rand(count, 1, 1))).square()
    leaf = reach < 1
    colour = torch.tensor([0.2, 0.55, 0.15]) + 0.2 * (rand(count, 3) - 0.5)
    soil = torch.tensor([0.4, 0.3, 0.2]) + 0.2 * (rand(count, 3) - 0.5)
    x = torch.where(leaf[:, None], colour[..., None, None], soil[..., None, None])
    marks = {
        1: (rand(count, size, size) < 0.09, torch.tensor([0.35, 0.2, 0.1])),
        2: (reach > 0.6, torch.tensor([0.75, 0.7, 0.15])),
        3: (rand(count, size, size) < 0.25, torch.tensor([0.8, 0.85, 0.8])),
        4: ((12 * along).sin() > 0.5, torch.tensor([0.6, 0.6, 0.25])),
    }
    for kind, (where, hue) in marks.items():
        marked = where & leaf & (y == kind)[:, None, None]
        x = torch.where(marked[:, None], hue[:, None, None], x)
    x = x * (0.7 + 0.6 * rand(count, 1, 1, 1))
    x = x + haze * torch.randn(x.shape, generator=generator)
    return split(x.clamp(0, 1), y)


@cache
def cows(count: int = 1800, length: int = 64) -> Samples:
    """Three axes of a collar, standardized: lies the cow, stands, grazes, walks, or chews?"""
    generator = torch.Generator().manual_seed(count)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    recordings = count // 12
    acts = torch.multinomial(torch.ones(5), recordings, True, generator=generator)
    gain = 0.8 + 0.4 * rand(recordings, 1, 1)
    tilt = 0.25 * torch.randn(recordings, 3, 1, generator=generator)
    recording = torch.arange(recordings).repeat_interleave(12)
    y = acts[recording]
    rest = torch.tensor([
        [0.9, 0.3, 0.1], [0.1, 0.2, 0.95], [0.6, 0.1, 0.7], [0.15, 0.2, 0.95], [0.5, 0.3, 0.6]
    ])  # fmt: skip
    hertz = torch.tensor([0.0, 0.0, 1.6, 2.4, 1.1])[y][:, None, None]
    size = torch.tensor([0.0, 0.0, 0.35, 0.45, 0.2])[y][:, None, None]
    time = torch.linspace(0, 5, length)
    hertz = hertz * (0.9 + 0.2 * rand(len(y), 1, 1))
    phase = 6.3 * rand(len(y), 1, 1) + torch.tensor([0.0, 1.0, 2.0])[:, None]
    x = rest[y][..., None] + tilt[recording] + size * (6.28 * hertz * time + phase).sin()
    x = gain[recording] * x + 0.2 * torch.randn(len(y), 3, length, generator=generator)
    data = split(x, y)
    mean, deviation = data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


@cache
def yields(count: int = 2600, noise: float = 0.35) -> Samples:
    """Nine standardized measures of a field, and its harvest, of mean 0 and deviation 1."""
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(count, 9, generator=generator)
    rain, heat, nitrogen, acid, age = x[:, :5].unbind(1)
    y = -0.6 * (rain - 0.5 * heat).square() + nitrogen.tanh() * (1 + 0.6 * rain.sign())
    y = y + 0.8 * (2 * acid).cos() + 0.3 * age
    y = (y - y.mean()) / y.std()
    return split(x, y + noise * torch.randn(count, generator=generator))


@cache
def soils(count: int = 2400, kinds: int = 6, spread: float = 0.75) -> Samples:
    """Eight standardized measures of the ground, and which crop does best; each likes three."""
    generator = torch.Generator().manual_seed(kinds)
    grounds = torch.randn(kinds, 3, 8, generator=generator)
    y = torch.randint(kinds, (count,), generator=generator)
    which = torch.randint(3, (count,), generator=generator)
    x = grounds[y, which] + spread * 0.7 * torch.randn(count, 8, generator=generator)
    return split((x - x.mean(0)) / x.std(0), y)


@cache
def notes(count: int = 2200, length: int = 14, words: int = 240) -> Samples:
    """A vet's notes as numbers of words: one of six complaints has 20 words of its own.

    Two in five words are of the complaint; 0 fills the end.
    """
    generator = torch.Generator().manual_seed(words)
    y = torch.randint(6, (count,), generator=generator)
    x = torch.randint(121, words, (count, length), generator=generator)
    own = 1 + 20 * y[:, None] + torch.randint(20, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.4, own, x)
    lengths = torch.randint(6, length + 1, (count, 1), generator=generator)
    x = x.masked_fill(torch.arange(length) >= lengths, 0)
    data = split(x, y)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def lame(count: int = 4500) -> Samples:
    """Ten standardized measures of a cow's walk, four of which are changed in the few lame ones."""
    generator = torch.Generator().manual_seed(3)
    y = (torch.rand(count, generator=generator) < 0.03).long()
    x = torch.randn(count, 10, generator=generator)
    x[:, :4] += y[:, None] * torch.tensor([1.1, -1.0, 0.9, 0.8])
    return split(x, y)
