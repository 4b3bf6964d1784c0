"""What a group for signals records or simulates: radio, sounds, vibrations and heart beats."""

import math
from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

KEYWORDS = 8


class Drawn:
    """Random numbers of one generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator)

    def integers(self, end: int, *shape: int) -> Tensor:
        return torch.randint(end, shape, generator=self.generator)

    def complex_normal(self, *shape: int) -> Tensor:
        """Of power 1."""
        return torch.complex(self.normal(*shape), self.normal(*shape)) / math.sqrt(2)


@cache
def modulations(count: int = 3000, symbols: int = 12, rate: int = 8) -> Samples:
    """BPSK, QPSK, 8-PSK, 16-QAM, 4-FSK and AM: I and Q of power 1, from -6 to 14 dB over noise."""
    draw = Drawn(1)
    y = draw.integers(6, count)
    length = symbols * rate
    shape = (count, symbols)
    phases = [2 * math.pi * draw.integers(2**k, *shape) / 2**k for k in (1, 2, 3)]
    sent = [torch.polar(torch.ones(shape), phase) for phase in phases]
    grid = (2 * draw.integers(4, 2, *shape) - 3) / math.sqrt(10)
    sent.append(torch.complex(grid[0], grid[1]))
    waves = [part.repeat_interleave(rate, 1) for part in sent]
    steps = (2 * draw.integers(4, *shape) - 3).repeat_interleave(rate, 1)
    waves.append(torch.polar(torch.ones(count, length), (0.12 * steps).cumsum(1)))
    speech = (0.15 * draw.normal(count, length)).cumsum(1).tanh()
    waves.append(torch.complex(1 + 0.8 * speech, torch.zeros(count, length)))
    wave = torch.stack(waves, 1)[torch.arange(count), y]
    turn = draw.uniform(0, 2 * math.pi, count, 1)
    wave = wave * torch.polar(torch.ones(count, 1), turn)
    noise = 10 ** (-draw.uniform(-6, 14, count, 1) / 20)
    received = wave + noise * draw.complex_normal(count, length)
    received = received / received.abs().square().mean(1, keepdim=True).sqrt()
    return split(torch.stack([received.real, received.imag], 1), y)


@cache
def keywords(count: int = 1600, noise: float = 0.7) -> Samples:
    """Eight words of two gliding tones, as the logarithms of 24 bands in 32 frames."""
    draw = Drawn(2)
    tones = draw.uniform(2, 21, KEYWORDS, 2, 3)
    y = draw.integers(KEYWORDS, count)
    start, lasting = draw.uniform(0, 10, count, 1), draw.uniform(16, 24, count, 1)
    time = (torch.arange(32) - start) / lasting
    inside = ((time > 0) & (time < 1)).float()
    first, middle, last = tones[y][..., None].unbind(2)
    time = time.clamp(0, 1)[:, None]
    height = first * (1 - time) ** 2 + 2 * middle * time * (1 - time) + last * time**2
    height = height + draw.normal(count, 1, 1)
    bands = torch.arange(24)[:, None]
    loud = torch.exp(-((bands - height[:, :, None]) ** 2) / 2).sum(1) * inside[:, None]
    power = (3 * loud + noise * draw.normal(count, 24, 32).abs()) ** 2
    x = (power + 1e-3).log()
    x = (x - x.mean()) / x.std()
    return split(x[:, None], y)


@cache
def ringings(count: int = 2000, length: int = 64) -> tuple[Tensor, Tensor]:
    """Two damped sines each, some to train on, and others."""
    draw = Drawn(3)
    time = torch.arange(length)
    pitch, decay = draw.uniform(0.15, 1.0, count, 2, 1), draw.uniform(10, 60, count, 2, 1)
    phase = draw.uniform(0, 2 * math.pi, count, 2, 1)
    strength = draw.uniform(0.5, 1.5, count, 2, 1)
    wave = (strength * torch.sin(pitch * time + phase) * torch.exp(-time / decay)).sum(1)
    found = split(wave[:, None], torch.zeros(count))
    return found.x, found.x_test


def noisy_ringings(noise: float = 0.5) -> Samples:
    """With noise, and what they are without."""
    clean, clean_test = ringings()
    draw = Drawn(4)
    x = clean + noise * draw.normal(*clean.shape)
    return Samples(x, clean, clean_test + noise * draw.normal(*clean_test.shape), clean_test)


@cache
def impulse_responses(count: int = 1800, taps: int = 48) -> Samples:
    """Amplitudes that arrive in an office, a hall and behind a wall, in volts: some millionths."""
    draw = Drawn(5)
    y = draw.integers(3, count)
    spread = torch.tensor([4.0, 9.0, 7.0])[y][:, None]
    direct = torch.tensor([1.0, 1.5, 0.0])[y]
    delay = torch.arange(taps)
    h = draw.complex_normal(count, taps) * torch.exp(-delay / (2 * spread))
    h[:, 0] += direct * torch.polar(torch.ones(count), draw.uniform(0, 6.28, count))
    loss = 10 ** draw.uniform(-0.3, 0.3, count, 1)
    volts = 3e-6 * loss * (h + 0.1 * draw.complex_normal(count, taps)).abs()
    return split(volts[:, None], y)


@cache
def pilots(count: int = 2400, carriers: int = 64, noise: float = 0.2) -> Samples:
    """A channel at every fourth carrier with noise, and at every carrier without."""
    draw = Drawn(6)
    taps = draw.complex_normal(count, 8) * torch.exp(-torch.arange(8) / 5.0)
    taps = taps / taps.abs().square().sum(1).mean().sqrt()
    channel = torch.fft.fft(taps, carriers)
    seen = channel[:, ::4] + noise * draw.complex_normal(count, carriers // 4)
    x, y = (torch.cat([part.real, part.imag], 1) for part in (seen, channel))
    return split(x, y)


@cache
def received_bits(count: int = 6000, antennas: int = 6, noise: float = 0.15) -> Samples:
    """What six antennas receive of twelve bits through one channel and a bent amplifier."""
    draw = Drawn(7)
    bits = draw.integers(2, count, 2 * antennas).float()
    signs = (2 * bits - 1) / math.sqrt(2)
    sent = torch.complex(signs[:, :antennas], signs[:, antennas:])
    channel = torch.eye(antennas) + 0.25 * draw.complex_normal(antennas, antennas)
    got = sent @ channel.T
    got = got / (1 + 0.3 * got.abs()) + noise * draw.complex_normal(count, antennas)
    return split(torch.cat([got.real, got.imag], 1), bits)


@cache
def echoes(count: int = 3000, window: int = 12, noise: float = 0.15) -> Samples:
    """Windows of a line with echoes that is not linear; which bit was sent in the middle?"""
    draw = Drawn(8)
    signs = 2.0 * draw.integers(2, 4 * count + window + 2) - 1
    line = 0.35 * signs[2:] + 0.87 * signs[1:-1] + 0.35 * signs[:-2]
    line = line + 0.25 * line**2 + noise * draw.normal(len(line))
    x = line.unfold(0, window, 4)[:count]
    return split(x, (signs[window // 2 + 1 :: 4][:count] > 0).float())


def _bump(time: Tensor, at: Tensor, width: Tensor | float) -> Tensor:
    return torch.exp(-0.5 * ((time - at) / width) ** 2)


@cache
def beats(count: int = 1400, noise: float = 0.35) -> Samples:
    """Single beats: ordinary, early, of a blocked branch, with a raised segment."""
    draw = Drawn(9)
    y = draw.integers(4, count)
    kind = y[:, None]
    time = torch.arange(96)
    at = 40 + draw.uniform(-6, 6, count, 1)
    width = torch.tensor([2.0, 3.2, 2.6, 2.0])[kind] * draw.uniform(0.8, 1.25, count, 1)
    p = 0.25 * (kind != 1) * draw.uniform(0.4, 1.6, count, 1)
    wave = p * _bump(time, at - 18 + draw.uniform(-3, 3, count, 1), 4.0)
    wave = wave + draw.uniform(0.8, 1.4, count, 1) * _bump(time, at, width)
    wave = wave - 0.3 * draw.uniform(0.5, 1.5, count, 1) * _bump(time, at + 2.2 * width, width)
    wave = wave + 0.6 * (kind == 2) * _bump(time, at + 7, 2.4)
    wave = wave + 0.3 * (kind == 3) * _bump(time, at + 15, 9.0)
    wave = wave + draw.uniform(0.2, 0.5, count, 1) * _bump(time, at + 32, 7.0)
    drift = draw.normal(count, 1) * 0.2 + 0.3 * draw.normal(count, 1) * torch.linspace(-1, 1, 96)
    x = wave + drift + noise * draw.normal(count, 96)
    return split(x[:, None], y)


@cache
def traces(count: int = 900, length: int = 192, noise: float = 0.12) -> Samples:
    """Beats one after another; each moment is of a P, a QRS, a T or of none of them."""
    draw = Drawn(10)
    time = torch.arange(length)
    x = noise * draw.normal(count, length)
    x = x + 0.3 * torch.sin(time * draw.uniform(0.01, 0.05, count, 1) + draw.normal(count, 1))
    y = torch.zeros(count, length, dtype=torch.long)
    at, gap = draw.uniform(0, 40, count, 1), draw.uniform(60, 80, count, 1)
    for i in range(4):
        middle = at + i * gap + draw.uniform(-3, 3, count, 1)
        waves = ((1, -16, 3.0, 0.25), (3, 26, 5.0, 0.4), (2, 0, 1.6, 1.0))
        for label, offset, width, height in waves:
            place = middle + offset + draw.uniform(-2, 2, count, 1)
            x = x + height * draw.uniform(0.6, 1.4, count, 1) * _bump(time, place, width)
            y = torch.where((time - place).abs() < 2 * width, label, y)
    return split(x[:, None], y)


@cache
def spectrum(count: int = 1000, bins: int = 64, strength: float = 0.75) -> Samples:
    """Measured power of 64 radio channels in dB; in one of thirty somebody sends, weakly."""
    draw = Drawn(11)
    y = (draw.uniform(0, 1, count, bins) < 0.033).float()
    near = torch.nn.functional.pad(y, (1, 1))
    leaked = y + 0.3 * (near[:, 2:] + near[:, :-2])
    power = (draw.complex_normal(8, count, bins).abs() ** 2).mean(0) * (1 + strength * leaked)
    x = 10 * power.log10()
    x = (x - x.mean()) / x.std()
    return split(x[:, None], y)


@cache
def mixtures(count: int = 1200, length: int = 320) -> Samples:
    """Two sounds of some harmonics at once, and each of them alone."""
    draw = Drawn(12)
    time = torch.arange(length)
    low, high = draw.uniform(0.06, 0.16, count, 1), draw.uniform(0.35, 0.7, count, 1)
    sounds = []
    for pitch in (low, high):
        moving = pitch * time + 0.8 * torch.sin(0.03 * time + draw.normal(count, 1))
        phases = draw.uniform(0, 6.28, 3, count, 1)
        sound = sum(torch.sin((k + 1) * moving + phases[k]) / (k + 1) for k in range(3))
        loud = 0.6 + 0.4 * torch.sin(0.05 * time + draw.uniform(0, 6.28, count, 1))
        sounds.append(torch.as_tensor(sound) * loud * draw.uniform(0.6, 1.4, count, 1))
    swapped = draw.integers(2, count).bool()[:, None, None]
    both = torch.stack(sounds, 1)
    both = torch.where(swapped, both.flip(1), both)
    return split(both.sum(1) + 0.02 * draw.normal(count, length), both)


@cache
def fans(count: int = 1800, length: int = 256) -> Samples:
    """Spectra of fans: sound ones to train on, and others, half of which have a worn bearing."""
    draw = Drawn(13)
    time = torch.arange(length)
    worn = (draw.uniform(0, 1, count) < 0.5).float()
    worn[: count * 2 // 3] = 0
    speed = draw.uniform(0.15, 0.3, count, 1)
    wave = sum(
        draw.uniform(0.3, 1, count, 1) * torch.sin(k * speed * time + draw.normal(count, 1))
        for k in (1, 2, 3)
    )
    knocks = (torch.sin(0.37 * speed * time + draw.normal(count, 1)) > 0.9).float()
    knocks = knocks * draw.normal(count, length) * draw.uniform(0.4, 1.2, count, 1)
    wave = torch.as_tensor(wave) + worn[:, None] * knocks + 0.2 * draw.normal(count, length)
    power = torch.fft.rfft(wave * torch.hann_window(length)).abs()[:, 1:] ** 2
    x = (power.reshape(count, 32, 4).mean(2) + 1e-2).log()
    cut = count * 2 // 3
    x = (x - x[:cut].mean(0)) / x[:cut].std(0)
    return Samples(x[:cut], worn[:cut], x[cut:], worn[cut:])
