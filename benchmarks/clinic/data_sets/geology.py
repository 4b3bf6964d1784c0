"""What an earth science lab measures: traces, picks, well logs, cores, gravity and spectra."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

FACIES = 5
MINERALS = 6
STATIONS = 10


def _cut(x: Tensor, y: Tensor, train: float = 0.7) -> Samples:
    """The first rows to train on; rows were drawn independently."""
    at = int(train * len(x))
    return Samples(x[:at], y[:at], x[at:], y[at:])


@cache
def layered(count: int = 2000, depth: int = 80) -> Samples:
    """Thickness and slowness of layers, standardized, and the time through all of them."""
    generator = torch.Generator().manual_seed(701)
    thickness = 0.5 + torch.rand(count, depth, generator=generator)
    slowness = 0.2 + 0.4 * torch.rand(count, depth, generator=generator)
    time = (thickness * slowness).sum(1)
    x = torch.stack([(thickness - 1) / 0.29, (slowness - 0.4) / 0.115], -1)
    return _cut(x, (time - time.mean()) / time.std())


@cache
def wells(upwards: bool = False, count: int = 140, length: int = 160, window: int = 32) -> Samples:
    """Five logs by depth, standardized, and the facies at each depth, in windows of a well.

    Args:
        upwards: Whether the facies to train on are listed from the bottom of the well, as the
            tool was pulled, and not from its top.
        count: Wells.
        length: Depths of a well.
        window: Depths of a window.
    """
    generator = torch.Generator().manual_seed(702)
    new = torch.rand(count, length, generator=generator) < 0.15
    drawn = torch.randint(FACIES, (count, length), generator=generator)
    facies = drawn.clone()
    for i in range(1, length):
        facies[:, i] = torch.where(new[:, i], drawn[:, i], facies[:, i - 1])
    means = 1.2 * torch.randn(FACIES, 5, generator=generator)
    logs = means[facies] + 0.9 * torch.randn(count, length, 5, generator=generator)
    logs = (logs + 0.5 * logs.roll(1, 1) + 0.5 * logs.roll(-1, 1)) / 1.5
    logs = (logs - logs.mean((0, 1))) / logs.std((0, 1))
    wells = _cut(logs, facies)
    y = wells.y.flip(1) if upwards else wells.y
    return Samples(
        wells.x.reshape(-1, window, 5), y.reshape(-1, window),
        wells.x_test.reshape(-1, window, 5), wells.y_test.reshape(-1, window),
    )  # fmt: skip


def _wavelet(time: Tensor, at: Tensor, period: Tensor, lasting: Tensor) -> Tensor:
    """What begins at a time, swings, and dies away."""
    since = time - at
    return (since > 0) * (-since.clamp(min=0) / lasting).exp() * (6.28 * since / period).sin()


@cache
def blasts(count: int = 1800, length: int = 160) -> Samples:
    """Traces of deviation 1; of a quake (0) the S wave is the larger one, of a blast (1) the P."""
    generator = torch.Generator().manual_seed(703)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator)

    y = torch.randint(2, (count,), generator=generator)
    time = torch.arange(length).float()
    p = uniform(15, 40)
    ratio = torch.where(y[:, None] == 1, uniform(0.35, 0.75), uniform(1.1, 2.2))
    trace = _wavelet(time, p, uniform(6, 10), uniform(12, 20))
    trace = trace + ratio * _wavelet(time, p + uniform(35, 60), uniform(6, 10), uniform(12, 20))
    trace = trace + 0.06 * torch.randn(count, length, generator=generator)
    trace = (trace - trace.mean(1, keepdim=True)) / trace.std(1, keepdim=True)
    return _cut(trace[:, None], y)


@cache
def arrivals(count: int = 1400, length: int = 192) -> Samples:
    """Three components, and when P and S arrive; each component has a level of its own."""
    generator = torch.Generator().manual_seed(704)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    time = torch.arange(length).float()
    p = uniform(20, 80, 1, 1)
    s = p + uniform(25, 90, 1, 1)
    x = uniform(0.6, 1.4, 3, 1) * _wavelet(time, p, uniform(5, 9, 1, 1), uniform(10, 20, 1, 1))
    later = _wavelet(time, s, uniform(9, 15, 1, 1), uniform(12, 25, 1, 1))
    x = x + uniform(0.8, 2.2, 3, 1) * later
    x = x + uniform(0.08, 0.25, 1, 1) * torch.randn(count, 3, length, generator=generator)
    x = (x - x.mean(2, keepdim=True)) / x.std(2, keepdim=True)
    return _cut(x, torch.cat([p, s], 1).squeeze(2))


@cache
def epicentres(count: int = 2500) -> Samples:
    """Easting and northing of ten stations in metres and the delay of P in seconds.

    The target is where the quake was, in parts of 20 km from the middle of the region.
    """
    generator = torch.Generator().manual_seed(705)
    middle = torch.tensor([512_000.0, 5_230_000.0])
    quake = 40_000 * torch.rand(count, 1, 2, generator=generator) - 20_000
    station = 60_000 * torch.rand(count, STATIONS, 2, generator=generator) - 30_000
    depth = 12_000 * torch.rand(count, 1, generator=generator) + 3000
    time = ((quake - station).square().sum(2) + depth**2).sqrt() / 5800
    time = time + 0.1 * torch.randn(count, STATIONS, generator=generator)
    delay = time - time.amin(1, keepdim=True)
    return _cut(torch.cat([station + middle, delay[..., None]], 2), quake.squeeze(1) / 20_000)


@cache
def gravity(count: int = 3600) -> Samples:
    """Places from -1 to 1, and the anomaly there by forty buried bodies, standardized."""
    generator = torch.Generator().manual_seed(706)
    place = 2 * torch.rand(count, 2, generator=generator) - 1
    body = 2.4 * torch.rand(40, 2, generator=generator) - 1.2
    depth = 0.12 + 0.15 * torch.rand(40, generator=generator)
    mass = torch.randn(40, generator=generator) * depth**2
    far = (place[:, None] - body).square().sum(2) + depth**2
    anomaly = (mass * depth / far**1.5).sum(1)
    anomaly = (anomaly - anomaly.mean()) / anomaly.std()
    return split(place, anomaly + 0.03 * torch.randn(count, generator=generator))


@cache
def plugs(count: int = 1500) -> Samples:
    """Sixteen readings of core plugs, standardized, and the porosity, less sure in shale."""
    generator = torch.Generator().manual_seed(707)
    x = torch.randn(count, 16, generator=generator)
    mean = 0.6 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * x[:, 2] * x[:, 3]
    deviation = 0.3 + 0.4 * torch.sigmoid(2 * x[:, 4])
    return _cut(x, mean + deviation * torch.randn(count, generator=generator), 0.1)


@cache
def spectra(count: int = 1500, bands: int = 96) -> Samples:
    """What minerals reflect, by band; the slope and depth are those of the grain and the light."""
    generator = torch.Generator().manual_seed(708)
    band = torch.linspace(0, 1, bands)
    centre = torch.rand(MINERALS, 3, 1, generator=generator)
    width = 0.02 + 0.05 * torch.rand(MINERALS, 3, 1, generator=generator)
    strength = 0.3 + 0.7 * torch.rand(MINERALS, 3, 1, generator=generator)
    shapes = (strength * (-(((band - centre) / width) ** 2)).exp()).sum(1)
    y = torch.randint(MINERALS, (count,), generator=generator)
    uniform = torch.rand(3, count, 1, generator=generator)
    x = 0.5 + 0.4 * uniform[0] + 0.4 * (uniform[1] - 0.5) * band
    x = x - (0.15 + 0.25 * uniform[2]) * shapes[y]
    return _cut(x + 0.02 * torch.randn(count, bands, generator=generator), y)


@cache
def aftershocks(count: int = 900, length: int = 49) -> Samples:
    """Hours between shocks, and magnitudes above 2; the larger, the sooner the next one."""
    generator = torch.Generator().manual_seed(709)
    magnitude = -torch.rand(count, length, generator=generator).clamp(min=1e-4).log() / 2.3
    log_gap = torch.zeros(count, length)
    last = torch.randn(count, generator=generator)
    for i in range(length):
        before = magnitude[:, i - 1] if i else torch.zeros(count)
        noise = 0.6 * torch.randn(count, generator=generator)
        last = -0.6 + 0.7 * last - 1.2 * (before - 0.43) + noise
        log_gap[:, i] = last
    x = torch.stack([log_gap, magnitude], -1)
    return _cut(x[:, :-1], log_gap[:, 1:].exp())


@cache
def reflections(count: int = 1200, length: int = 128) -> Samples:
    """Sparse reflections behind a Ricker wavelet: what is recorded, and what is without noise."""
    generator = torch.Generator().manual_seed(710)
    series = torch.randn(count, 1, length, generator=generator)
    series = series * (torch.rand(count, 1, length, generator=generator) < 0.08)
    time = (torch.arange(21) - 10) / 3.5
    ricker = (1 - time**2) * (-(time**2) / 2).exp()
    clean = torch.nn.functional.conv1d(series, ricker[None, None], padding=10)
    clean = clean / clean.std()
    noisy = clean + 0.9 * torch.randn(count, 1, length, generator=generator)
    return _cut(noisy, clean)


@cache
def weathering(count: int = 1000) -> Samples:
    """Twenty readings of cores, and grades from fresh (0) to soil (4), which is rare."""
    generator = torch.Generator().manual_seed(711)
    x = torch.randn(count, 20, generator=generator)
    decay = x[:, :4].sum(1) / 2 + 0.5 * x[:, 4] * x[:, 5].sign()
    decay = decay + 0.35 * torch.randn(count, generator=generator)
    shares = torch.tensor([0.45, 0.73, 0.88, 0.96])
    grade = torch.bucketize(decay, decay.quantile(shares))
    return _cut(x, grade, 0.5)


@cache
def textures(count: int = 1200, size: int = 24) -> Samples:
    """Grey pictures of cores: massive, bedded, cross-bedded and broken."""
    generator = torch.Generator().manual_seed(712)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=generator)

    y = torch.randint(4, (count,), generator=generator)
    axis = torch.arange(size).float()
    row, column = axis[None, :, None], axis[None, None, :]
    phase, period = uniform(0, 6.3), uniform(4, 7)
    tilt = torch.where(y[:, None, None] == 2, uniform(0.5, 1.0), uniform(-0.1, 0.1))
    beds = (6.28 * (row + tilt * column) / period + phase).sin()
    coarse = torch.randn(count, 1, size // 4, size // 4, generator=generator)
    broken = torch.nn.functional.interpolate(coarse, scale_factor=4.0)[:, 0]
    kinds = torch.stack([torch.zeros_like(beds), beds, beds, broken], 1)
    x = uniform(0.3, 0.8) * kinds[torch.arange(count), y]
    x = x + 0.5 * torch.randn(count, size, size, generator=generator) + uniform(-0.5, 0.5)
    return _cut(x[:, None], y)
