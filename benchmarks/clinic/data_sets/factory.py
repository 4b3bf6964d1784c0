"""What a factory records: pictures of parts, sounds of motors, plates, and castings."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


def _coordinates(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Moved and turned, one pair of maps for each picture."""
    grid = torch.linspace(-1.1, 1.1, size)
    angle, right, down = 6.3, 0.4, 0.4
    angle, right, down = (
        scale * torch.rand(count, 1, 1, generator=generator) for scale in (angle, right, down)
    )
    x, y = grid[None, None] + right - 0.2, grid[None, :, None] + down - 0.2
    return x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()


@cache
def parts(count: int = 1800, size: int = 16, noise: float = 0.2) -> Samples:
    """Bolts, nuts, washers, brackets and gears, turned as they lie; grey from 0 to 1."""
    generator = torch.Generator().manual_seed(201)
    kind = torch.randint(5, (count,), generator=generator)
    x, y = _coordinates(count, size, generator)
    radius, turn = (x.square() + y.square()).sqrt(), torch.atan2(y, x)
    sides = torch.stack([x, x / 2 + 0.866 * y, x / 2 - 0.866 * y])
    hexagon = sides.abs().amax(0)
    bolt = ((x.abs() < 0.2) & (y.abs() < 0.8)) | ((x.abs() < 0.45) & (y > 0.45) & (y < 0.8))
    nut = (hexagon < 0.62) & (radius > 0.3)
    washer = (radius < 0.75) & (radius > 0.45)
    bracket = ((x.abs() < 0.7) & (y > 0.3) & (y < 0.7)) | ((x > 0.3) & (x < 0.7) & (y.abs() < 0.7))
    gear = radius < 0.55 + 0.2 * (6 * turn).cos().sign()
    shown = torch.stack([bolt, nut, washer, bracket, gear])[kind, torch.arange(count)]
    light = 0.35 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    picture = 0.1 + light * shown + noise * torch.randn(count, size, size, generator=generator)
    return split(picture.clamp(0, 1)[:, None], kind)


@cache
def motors(count: int = 1400, length: int = 1024) -> Samples:
    """A quarter of a second of motors: sound, unbalanced, worn bearing, worn gear, cavitation."""
    generator = torch.Generator().manual_seed(202)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator)

    kind = torch.randint(5, (count,), generator=generator)
    time = torch.arange(length) / 4096
    base = 6.283 * uniform(45, 60)
    hum = (base * time + uniform(0, 6.3)).sin() + 0.4 * (2 * base * time + uniform(0, 6.3)).sin()
    unbalanced = uniform(0.5, 1) * (3 * base * time + uniform(0, 6.3)).sin()
    phase = (uniform(70, 110) * time + uniform(0, 1)).frac() / 90
    bearing = uniform(0.5, 1.2) * (-350 * phase).exp() * (6.283 * 1300 * phase).sin()
    gear = (6.283 * uniform(500, 700) * time).sin() * (1 + (base * time + uniform(0, 6.3)).sin())
    hiss = torch.randn(count, length + 1, generator=generator).diff(dim=1)
    gusts = (6.283 * uniform(10, 20) * time + uniform(0, 6.3)).sin().clamp(min=0)
    hiss, gear = 0.35 * hiss * gusts, uniform(0.15, 0.4) * gear
    fault = torch.stack([0 * hum, unbalanced, bearing, gear, hiss])
    wave = hum + fault[kind, torch.arange(count)]
    wave = wave + 0.2 * torch.randn(count, length, generator=generator)
    return split((uniform(0.15, 0.4) * wave)[:, None], kind)


def spectrograms(sounds: Samples) -> Samples:
    """Logarithms of the power in 32 bands and 32 frames, as they are."""

    def shown(wave: Tensor) -> Tensor:
        found = torch.stft(wave[:, 0], 64, 32, window=torch.hann_window(64), return_complex=True)
        return (found.abs().square() + 1e-6).log()[:, None, :32, :32]

    return sounds.with_inputs(shown(sounds.x), shown(sounds.x_test))


def centred(data: Samples) -> Samples:
    """By one mean and one deviation for everything."""
    mean, deviation = data.x.mean(), data.x.std()
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


@cache
def plates(count: int = 900, size: int = 24) -> Samples:
    """Brushed metal, uneven light; the masks say where it is scratched."""
    generator = torch.Generator().manual_seed(203)
    x, y = _coordinates(count, size, generator)
    half = 0.4 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    scratched = (y.abs() < 0.1) & (x.abs() < half)
    brushed = 0.12 * torch.randn(count, size, 1, generator=generator)
    grain = 0.12 * torch.randn(count, size, size, generator=generator)
    light = torch.linspace(-0.2, 0.2, size) * torch.randn(count, 1, 1, generator=generator)
    picture = brushed + grain + light + 0.5 * scratched
    return split(picture[:, None], scratched.float())


@cache
def belts(count: int = 1600, size: int = 24) -> Samples:
    """One box on a belt: its middle, width and height as shares of the picture."""
    generator = torch.Generator().manual_seed(204)
    extent = 0.15 + 0.35 * torch.rand(count, 2, generator=generator)
    middle = extent / 2 + (1 - extent) * torch.rand(count, 2, generator=generator)
    grid = (torch.arange(size) + 0.5) / size
    across = (grid - middle[:, :1]).abs() < extent[:, :1] / 2
    down = (grid - middle[:, 1:]).abs() < extent[:, 1:] / 2
    light = 0.5 + torch.rand(count, 1, 1, generator=generator)
    picture = light * (down[:, :, None] & across[:, None])
    picture = picture + 0.25 * torch.randn(count, size, size, generator=generator)
    return split((picture - 0.1)[:, None] / 0.4, torch.cat([middle, extent], 1))


@cache
def castings(count: int = 3000) -> Samples:
    """Pascals, kelvins, seconds, shares and counts of a casting cell, and the strength in MPa."""
    generator = torch.Generator().manual_seed(205)
    n = torch.randn(8, count, generator=generator)
    strength = 2 * (n[0] - 0.5 * n[1]).tanh() + 0.8 * n[2] * n[3] - 0.7 * n[4].square()
    strength = strength + (n[5] > 0.3) * n[6] + 0.3 * torch.randn(count, generator=generator)
    scale = torch.tensor([2.4e6, 35.0, 4.0, 0.02, 900.0, 1.0, 0.3, 12.0])[:, None]
    middle = torch.tensor([6.5e7, 950.0, 21.0, 0.11, 4200.0, 0.0, 1.2, 300.0])[:, None]
    strength = (strength - strength.mean()) / strength.std()
    return split((middle + scale * n).T, strength)
