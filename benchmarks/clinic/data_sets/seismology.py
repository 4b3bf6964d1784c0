"""Made-up earthquakes and the instruments that record them: waveforms, catalogues and logs."""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized

KINDS = 4
FAULTS = ("spikes", "gap", "drift", "clipped", "hum")
WORDS = 90
STATIONS = 12


def _uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=generator)


@cache
def volcano(count: int = 2000, bands: int = 24, steps: int = 32) -> Samples:
    """Spectrograms in logarithms, standardised, of four kinds of signals under a volcano.

    Volcano-tectonic (0), long-period (1), tremor (2) and rockfall (3); some are near the noise.
    """
    generator = torch.Generator().manual_seed(4101)
    kind = torch.randint(KINDS, (count,), generator=generator)
    time, band = torch.linspace(0, 1, steps), torch.linspace(0, 1, bands)

    def drawn(*limits: tuple[float, float]) -> Tensor:
        every = torch.stack([_uniform(generator, *pair, count) for pair in limits], 1)
        return every.gather(1, kind[:, None])

    onset = _uniform(generator, 0.1, 0.5, count, 1)
    lasting = drawn((0.08, 0.22), (0.12, 0.3), (1.0, 2.0), (0.12, 0.25))
    decaying = (time > onset) * (-(time - onset).clamp(min=0) / lasting).exp()
    spindle = (-(((time - onset - 0.2) / lasting) ** 2)).exp()
    wave = 1 + 0.4 * torch.sin(12 * time + 6.3 * onset)
    envelope = torch.stack([decaying, decaying, wave.expand(count, -1), spindle], 1)
    envelope = envelope[torch.arange(count), kind]
    centre = drawn((0.3, 0.65), (0.08, 0.3), (0.08, 0.3), (0.4, 0.75))
    width = drawn((0.15, 0.3), (0.06, 0.16), (0.05, 0.12), (0.15, 0.25))
    spectrum = (-(((band - centre) / width) ** 2)).exp()
    strength = 10 ** _uniform(generator, 0.0, 1.3, count, 1, 1)
    power = strength * spectrum[:, :, None] * envelope[:, None]
    speckle = -torch.rand(count, bands, steps, generator=generator).clamp(min=1e-4).log()
    x = ((power + 0.6) * speckle + 0.05).log()
    return split(((x - x.mean()) / x.std())[:, None], kind)


def _burst(time: Tensor, at: Tensor, period: Tensor, lasting: Tensor, phase: Tensor) -> Tensor:
    since = time - at
    return (
        (since > 0) * (-since.clamp(min=0) / lasting).exp() * (6.28 * since / period + phase).sin()
    )


@cache
def events(count: int = 1200, length: int = 256) -> tuple[Samples, Tensor]:
    """Three components scaled by their deviation, and chances of noise, P and S at each sample.

    Also when P and S arrive in the events to measure on.
    """
    generator = torch.Generator().manual_seed(4102)
    time = torch.arange(length).float()
    p = _uniform(generator, 30, 110, count, 1, 1)
    s = p + _uniform(generator, 30, 110, count, 1, 1)
    waves = []
    for at, periods, low, high in ((p, (5.0, 9.0), 0.5, 1.0), (s, (9.0, 15.0), 0.8, 2.0)):
        period, lasting = (
            _uniform(generator, *periods, count, 1, 1), _uniform(generator, 12, 28, count, 1, 1),
        )  # fmt: skip
        size = _uniform(generator, low, high, count, 3, 1)
        waves.append(size * _burst(time, at, period, lasting, torch.zeros(1)))
    noise = torch.randn(count, 3, length, generator=generator)
    noise = noise + 0.7 * noise.roll(1, 2) + 0.5 * noise.roll(2, 2)
    x = waves[0] + waves[1] + _uniform(generator, 0.05, 0.3, count, 1, 1) * noise
    x = (x - x.mean(2, keepdim=True)) / x.std((1, 2), keepdim=True)
    arrival = torch.cat([p, s], 1)
    chance = (-(((time - arrival) / 4) ** 2) / 2).exp()
    y = torch.cat([(1 - chance.sum(1, keepdim=True)).clamp(min=0), chance], 1)
    return split(x, y), split(x, arrival.squeeze(2)).y_test


@cache
def shaking(count: int = 3000) -> Samples:
    """Eight columns of records, and the logarithm of the peak acceleration.

    Magnitude, distance, depth, speed of the upper 30 m, three mechanisms, and the back-arc.
    """
    generator = torch.Generator().manual_seed(4103)
    magnitude = 4 - torch.rand(count, generator=generator).clamp(min=0.002).log() / 1.6
    distance = 5 * 60 ** torch.rand(count, generator=generator)
    depth = _uniform(generator, 3, 60, count)
    vs30 = 180 * 5 ** torch.rand(count, generator=generator)
    mechanism = F.one_hot(torch.randint(3, (count,), generator=generator), 3).float()
    back = (torch.rand(count, generator=generator) < 0.3).float()
    away = (distance**2 + depth**2 / 4 + (0.5 * magnitude).exp()).sqrt()
    y = 1.3 * magnitude - 0.06 * magnitude**2 - (2.1 - 0.14 * magnitude) * away.log()
    y = (
        y
        - 0.5 * (vs30 / 760).log()
        - 0.006 * back * away
        + mechanism @ torch.tensor([0, 0.25, -0.1])
    )
    y = y + 0.45 * torch.randn(count, generator=generator)
    columns = [magnitude, distance.log(), depth, vs30.log(), back]
    x = torch.cat([torch.stack(columns, 1), mechanism], 1)
    return scaled_targets(standardized(split(x, y)))


@cache
def first_motions(count: int = 2600, length: int = 64, sampled: float = 1.0) -> Samples:
    """Windows around P, and whether the ground first moved up; the later swings say nothing.

    Args:
        count: Windows.
        length: Samples in a window.
        sampled: What the number of the sample of P was multiplied by when the window was cut.
    """
    generator = torch.Generator().manual_seed(4104)
    up = torch.randint(2, (count,), generator=generator)
    whole, at = 400, 120 + torch.randint(-3, 4, (count,), generator=generator)
    time = torch.arange(whole).float()
    lasting, period = (
        _uniform(generator, 8, 20, count, 1), _uniform(generator, 9, 15, count, 1),
    )  # fmt: skip
    first = _burst(time, at[:, None].float(), period, lasting, torch.zeros(1))
    phase = 6.3 * torch.rand(count, 3, 1, generator=generator)
    later = at[:, None].float() + _uniform(generator, 8, 90, count, 3)
    coda = _burst(
        time, later[..., None], _uniform(generator, 7, 16, count, 3, 1),
        _uniform(generator, 30, 80, count, 3, 1), phase,
    ).sum(1)  # fmt: skip
    noise = torch.randn(count, whole, generator=generator)
    noise = noise + 0.6 * noise.roll(1, 1)
    level = _uniform(generator, 0.04, 0.5, count, 1)
    trace = (2.0 * up[:, None] - 1) * first + 0.7 * coda + level * noise
    start = (sampled * 120) - length // 2
    x = trace[:, int(start) : int(start) + length]
    return split((x / x.abs().amax(1, keepdim=True))[:, None], up)


@cache
def recorders(count: int = 2400, length: int = 128) -> Samples:
    """Hours of a sensor, scaled by what is usual, and which of five faults it has, if any."""
    generator = torch.Generator().manual_seed(4105)
    has = torch.rand(count, len(FAULTS), generator=generator) < torch.tensor(
        [0.25, 0.15, 0.2, 0.15, 0.25]
    )
    time = torch.arange(length).float()
    x = torch.randn(count, length, generator=generator)
    x = (x + x.roll(1, 1) + x.roll(2, 1)) / 1.73
    x = x * _uniform(generator, 0.6, 1.5, count, 1)
    hum = _uniform(generator, 0.35, 1.0, count, 1)
    hum = hum * (2.1 * time + 6.3 * torch.rand(count, 1, generator=generator)).sin()
    spikes = torch.randn(count, length, generator=generator).sign()
    spikes = 5 * spikes * (torch.rand(count, length, generator=generator) < 0.025)
    slope = _uniform(generator, 1.0, 4.0, count, 1)
    slope = slope * torch.randn(count, 1, generator=generator).sign() * (time / length - 0.5)
    x = x + has[:, 4:] * hum + has[:, :1] * spikes + has[:, 2:3] * slope
    limit = x.abs().quantile(0.8, dim=1, keepdim=True)
    x = torch.where(has[:, 3:4], x.clamp(-limit, limit), x)
    begin = _uniform(generator, 0, 90, count, 1)
    inside = (time > begin) & (time < begin + _uniform(generator, 10, 30, count, 1))
    x = torch.where(inside & has[:, 1:2], torch.zeros(1), x)
    x = x + 0.05 * torch.randn(count, length, generator=generator)
    return split(x[:, None], has.float())


@cache
def repeaters(families: int = 60, each: int = 30, length: int = 96) -> Samples:
    """Waveforms of repeating quakes and their family; the last 20 families are to measure on."""
    generator = torch.Generator().manual_seed(4106)
    time = torch.arange(length).float()
    count = 4
    at = _uniform(generator, 4, 56, families, count, 1)
    template = _uniform(generator, 0.5, 1.2, families, count, 1) * _burst(
        time, at, _uniform(generator, 5, 15, families, count, 1),
        _uniform(generator, 8, 20, families, count, 1),
        6.3 * torch.rand(families, count, 1, generator=generator),
    )  # fmt: skip
    y = torch.arange(families).repeat_interleave(each)
    x = (template[y] * _uniform(generator, 0.75, 1.25, len(y), count, 1)).sum(1)
    shift = torch.randint(0, 7, (len(y), 1), generator=generator)
    x = x.gather(1, (torch.arange(length) - shift) % length)
    noise = torch.randn(len(y), length, generator=generator)
    x = x + 0.14 * (noise + 0.8 * noise.roll(1, 1))
    x = (x / x.std(1, keepdim=True))[:, None]
    cut = (families - 20) * each
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


@cache
def arrays(count: int = 3200) -> Samples:
    """Places of an array's stations, their delays and whether they ran; where the wave is from.

    Places in kilometres over 3, delays in seconds; the target is the cosine and sine of the
    azimuth.
    """
    generator = torch.Generator().manual_seed(4107)
    place = _uniform(generator, -3, 3, count, STATIONS, 2)
    angle = 6.2832 * torch.rand(count, 1, generator=generator)
    direction = torch.cat([angle.cos(), angle.sin()], 1)
    slowness = _uniform(generator, 0.12, 0.35, count, 1)
    delay = -(place * direction[:, None]).sum(2) * slowness
    delay = delay + 0.05 * torch.randn(count, STATIONS, generator=generator)
    runs = torch.rand(count, STATIONS, generator=generator) < 0.8
    runs[:, :4] = True
    delay = (delay - delay[:, :1]) * runs
    x = torch.cat([place * runs[..., None] / 3, delay[..., None], runs[..., None]], 2)
    return split(x, direction)


@cache
def dispersion(count: int = 3000, layers: int = 6, periods: int = 20) -> Samples:
    """Phase speeds of surface waves at twenty periods, and the shear speeds of six layers."""
    generator = torch.Generator().manual_seed(4108)
    step = 0.45 * torch.randn(count, layers, generator=generator) + 0.25
    speed = 1.6 + 0.5 * torch.randn(count, 1, generator=generator).abs() + step.cumsum(1)
    depth = torch.linspace(0.3, 4.0, layers)
    period = torch.logspace(-0.4, 0.9, periods)
    reach = 0.55 * period
    weight = (depth / reach[:, None]) * (-depth / reach[:, None]).exp()
    weight = weight / weight.sum(1, keepdim=True)
    curve = 0.92 / (1 / speed.clamp(min=0.5) @ weight.T)
    curve = curve + 0.01 * torch.randn(count, periods, generator=generator)
    samples = standardized(split(curve, speed))
    mean, deviation = samples.y.mean(0), samples.y.std(0)
    return samples._replace(
        y=(samples.y - mean) / deviation, y_test=(samples.y_test - mean) / deviation
    )


@cache
def swarms(count: int = 4000) -> Samples:
    """What is known of a day and a cell, standardised, and how many quakes it had."""
    generator = torch.Generator().manual_seed(4109)
    days, magnitude = (
        100 ** torch.rand(count, generator=generator),
        5 + 2 * torch.rand(count, generator=generator),
    )
    distance = 60 * torch.rand(count, generator=generator)
    background = 0.05 * 30 ** torch.rand(count, generator=generator)
    strain, depth = (
        torch.randn(count, generator=generator), _uniform(generator, 2, 30, count),
    )  # fmt: skip
    productivity = 10 ** (0.8 * (magnitude - 5.6)) * (-distance / 18).exp()
    rate = background * (0.3 * strain).exp() + 14 * productivity / (days + 0.5) ** 0.9
    y = torch.poisson(rate.clamp(max=60), generator=generator)
    columns = [days.log(), magnitude, distance, background.log(), strain, depth]
    return standardized(split(torch.stack(columns, 1), y))


@cache
def noise_levels(count: int = 2600, bands: int = 48) -> Samples:
    """Spectra of the noise of hours in units of their deviations, twice: they are to be rebuilt."""
    generator = torch.Generator().manual_seed(4110)
    band = torch.linspace(0, 1, bands)

    def peak(low: float, high: float, width: float, least: float, most: float) -> Tensor:
        centre = _uniform(generator, low, high, count, 1)
        return (
            _uniform(generator, least, most, count, 1) * (-(((band - centre) / width) ** 2)).exp()
        )

    level = -140 + 4 * torch.randn(count, 1, generator=generator)
    slope = 8 * torch.randn(count, 1, generator=generator) * (band - 0.5)
    x = level + slope + peak(0.2, 0.35, 0.1, 4, 25) + peak(0.7, 0.8, 0.15, 0, 20)
    x = x + peak(0.45, 0.6, 0.06, 0, 10) + 1.5 * torch.randn(count, bands, generator=generator)
    return standardized(split(x, torch.zeros(count)))


@cache
def tilt(window: int = 72, ahead: int = 6, hours: int = 5200) -> Samples:
    """Hours of tilt and temperature in a borehole, and how the tilt changes in the next hours."""
    generator = torch.Generator().manual_seed(4111)
    time = torch.arange(hours).float()
    tide = (6.2832 * time / 12.42).sin() + 0.6 * (6.2832 * time / 25.82 + 1).sin()
    shock = 0.35 * torch.randn(hours, generator=generator)
    weather = torch.zeros(hours)
    for i in range(1, hours):
        weather[i] = 0.97 * weather[i - 1] + shock[i]
    temperature = (6.2832 * time / 24).sin() + weather
    late = F.pad(temperature, (5, 0))[:-5]
    x = tide + 0.5 * late + 0.15 * torch.randn(hours, generator=generator)
    both = torch.stack([x, temperature], 1)
    both = (both - both[:3600].mean(0)) / both[:3600].std(0)
    starts = torch.arange(0, hours - window - ahead, 2)
    pieces = torch.stack([both[i : i + window] for i in starts])
    change = torch.stack([both[i + window : i + window + ahead, 0] for i in starts])
    change = change - pieces[:, -1, :1]
    early, late_ones = starts < 3500, starts >= 3600
    return Samples(pieces[early], change[early], pieces[late_ones], change[late_ones])


@cache
def reports(count: int = 2600, length: int = 20) -> Samples:
    """Words of those who felt a quake, 0 where there are none, and the intensity from 0 to 4."""
    generator = torch.Generator().manual_seed(4112)
    felt = 5 * torch.rand(count, 1, generator=generator)
    typical = 5 * torch.rand(WORDS, generator=generator)
    near = -0.7 * (felt - typical[1:]).square()
    near[:, 45:] = -1.6
    drawn = torch.multinomial(near.exp(), length, replacement=True, generator=generator) + 1
    words = torch.randint(5, length + 1, (count, 1), generator=generator)
    x = drawn * (torch.arange(length) < words)
    y = (felt.squeeze(1) + 0.3 * torch.randn(count, generator=generator)).floor().clamp(0, 4)
    samples = split(x, y.long())
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def buildings(count: int = 1500) -> Samples:
    """Ten columns of buildings that were inspected, and how badly they were damaged."""
    generator = torch.Generator().manual_seed(4113)
    x = torch.randn(count, 10, generator=generator)
    y = 0.9 * x[:, 0] + 0.6 * x[:, 1] - 0.7 * x[:, 2] * (x[:, 3] > 0) + 0.5 * x[:, 4].tanh()
    y = y + 0.4 * x[:, 5] * x[:, 0] + 0.4 * torch.randn(count, generator=generator)
    return split(x, y)


@cache
def towers(count: int = 400, length: int = 160) -> Samples:
    """Acceleration of the ground, and how the roof of a tower moves: two lightly damped modes."""
    generator = torch.Generator().manual_seed(4114)
    ground = torch.randn(count, length, generator=generator)
    ground = (ground + ground.roll(1, 1)) / 1.41
    time = torch.arange(length) / length
    ground = ground * (time * 6).clamp(max=1) * (-2.5 * time).exp()
    roof = torch.zeros(count, length)
    for radius, angle, gain in ((0.985, 0.22, 0.6), (0.96, 0.8, 0.7)):
        before, last = torch.zeros(count), torch.zeros(count)
        for i in range(length):
            new = 2 * radius * math.cos(angle) * last - radius**2 * before + ground[:, i]
            roof[:, i] += gain * math.sin(angle) * new
            before, last = last, new
    roof = roof / roof.std()
    return split(ground, roof + 0.05 * torch.randn(count, length, generator=generator))


@cache
def cabinets(corrected: bool, count: int = 4000, columns: int = 20) -> Samples:
    """Levels of a record in twenty bands and its source: traffic, blast, quake, wind or sea.

    Rows to train on are in the order of their recording. The gain of an ageing sensor wanders in
    each band; ``corrected`` says that calibrations took that out.
    """
    generator = torch.Generator().manual_seed(4115)
    y = torch.randint(5, (count,), generator=generator)
    means = torch.randn(5, columns, generator=generator)
    x = means[y] + 1.5 * torch.randn(count, columns, generator=generator)
    wandering = torch.randn(count, columns, generator=generator).cumsum(0) * 25 / count**0.5
    x = x if corrected else x + wandering
    test = torch.zeros(count, dtype=torch.bool)
    test[torch.randperm(count, generator=generator)[: count // 4]] = True
    x = (x - x[~test].mean(0)) / x[~test].std(0)
    return Samples(x[~test], y[~test], x[test], y[test])


@cache
def velocities(count: int = 2200, length: int = 96) -> Samples:
    """Two seconds of P, and the ground's later displacement with its sign, often near zero."""
    generator = torch.Generator().manual_seed(4116)
    time = torch.arange(length).float()
    at = _uniform(generator, 8, 24, count, 1)
    size = torch.randn(count, 1, generator=generator)
    trace = size * _burst(
        time, at, _uniform(generator, 14, 22, count, 1), _uniform(generator, 12, 30, count, 1),
        torch.zeros(1),
    )  # fmt: skip
    trace = trace + 0.12 * torch.randn(count, length, generator=generator)
    y = 1.2 * size.squeeze(1) + 0.15 * torch.randn(count, generator=generator)
    return split((trace / trace.std())[:, None], y)
