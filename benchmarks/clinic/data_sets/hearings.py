"""Made up for a hearing clinic and a court's registry: audiograms, curves, sounds and minutes."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples

TOPICS, WORDS, LENGTH = 5, 160, 20


def _cut(x: Tensor, y: Tensor, test: int = 500) -> Samples:
    return Samples(x[:-test], y[:-test], x[-test:], y[-test:])


@cache
def audiograms(count: int = 2500) -> Samples:
    """Losses of sixteen readings, air and bone, in units of 20 dB about 30; six kinds of ears."""
    g = torch.Generator().manual_seed(311)
    pitch = torch.linspace(0, 1, 8)
    notch = torch.exp(-(((pitch - 0.7) / 0.12) ** 2))
    air = torch.stack([0 * pitch, pitch**2, notch, 0.6 + 0 * pitch, 0.7 * (1 - pitch), 0.5 + pitch])
    bone = torch.stack([air[0], air[1], air[2], 0 * pitch, air[4], air[5] - 0.4])
    y = torch.randint(6, (count,), generator=g)
    size = 1.2 + 1.2 * torch.rand(count, 1, generator=g)
    x = torch.cat([size * air[y], size * bone[y]], 1) - 0.6
    x = x + 0.3 * torch.randn(count, 1, generator=g) + 0.33 * torch.randn(count, 16, generator=g)
    return _cut(x, y)


@cache
def audiograms_as_exported() -> Samples:
    """Sixteen readings in dB, and behind them hertz, microseconds and a year of birth."""
    plain = audiograms()
    g = torch.Generator().manual_seed(312)

    def exported(x: Tensor) -> Tensor:
        others = torch.rand(len(x), 3, generator=g)
        others = others * torch.tensor([7750.0, 9000.0, 80.0]) + torch.tensor([250.0, 500.0, 1930])
        return torch.cat([20 * x + 30, others], 1)

    return plain.with_inputs(exported(plain.x), exported(plain.x_test))


@cache
def tones(count: int = 2400, length: int = 64, kinds: int = 5) -> Samples:
    """Tones of five pitches at any phase and loudness in noise, one channel."""
    g = torch.Generator().manual_seed(313)
    y = torch.randint(kinds, (count,), generator=g)
    phase = 6.2832 * torch.rand(count, 1, generator=g)
    loud = 0.8 + 0.6 * torch.rand(count, 1, generator=g)
    pitch = (3.0 + 2.5 * y)[:, None] + 0.4 * torch.randn(count, 1, generator=g)
    time = torch.linspace(0, 6.2832, length)
    x = loud * torch.sin(pitch * time + phase) + 0.7 * torch.randn(count, length, generator=g)
    return _cut(x[:, None], y)


@cache
def brainstem(count: int = 2400, length: int = 72) -> Samples:
    """Evoked responses of five waves; the latency of the fifth, scaled, is asked."""
    g = torch.Generator().manual_seed(314)
    time = torch.linspace(0, 9, length)
    late = torch.randn(count, 1, generator=g)
    at = (
        torch.tensor([1.5, 2.6, 3.6, 4.7, 5.6])
        + 0.45 * late
        + 0.08 * torch.randn(count, 5, generator=g)
    )
    high = torch.tensor([0.7, 0.4, 0.8, 0.5, 1.2]) * (0.7 + 0.6 * torch.rand(count, 5, generator=g))
    bumps = high[..., None] * torch.exp(-(((time - at[..., None]) / 0.28) ** 2))
    x = bumps.sum(1) - 0.35 + 0.25 * torch.randn(count, length, generator=g)
    return _cut(2 * x[:, None], (at[:, 4] - 5.6) / 0.46)


@cache
def spoken(count: int = 2600, kinds: int = 8) -> Samples:
    """Spectrograms 16 x 20 of eight words, shifted, louder or softer, in babble."""
    g = torch.Generator().manual_seed(315)
    masks = torch.randn(kinds, 4, 5, generator=g)
    masks = torch.nn.functional.interpolate(masks[:, None], (16, 20), mode="bicubic")[:, 0]
    y = torch.randint(kinds, (count,), generator=g)
    shift = torch.randint(-3, 4, (count,), generator=g)
    x = torch.stack([masks[k].roll(int(s), -1) for k, s in zip(y, shift, strict=True)])
    x = x * (0.7 + 0.6 * torch.rand(count, 1, 1, generator=g))
    x = x + 0.9 * torch.randn(count, 16, 20, generator=g)
    return _cut(x[:, None], y)


@cache
def minutes(count: int = 3000) -> Samples:
    """Word numbers of hearings, zeros behind their ends; five kinds of disputes."""
    g = torch.Generator().manual_seed(316)
    y = torch.randint(TOPICS, (count,), generator=g)
    length = torch.randint(6, LENGTH + 1, (count, 1), generator=g)
    x = torch.randint(81, WORDS, (count, LENGTH), generator=g)
    own = 1 + 16 * y[:, None] + torch.randint(16, (count, LENGTH), generator=g)
    other = torch.randint(1, 81, (count, LENGTH), generator=g)
    chance = torch.rand(count, LENGTH, generator=g)
    x = torch.where(chance < 0.3, own, torch.where(chance < 0.45, other, x))
    return _cut(x * (torch.arange(LENGTH) < length), y)


@cache
def adjourned() -> Samples:
    """The same, but three in a hundred of the hearings have no words at all."""
    plain = minutes()
    g = torch.Generator().manual_seed(317)
    held = torch.rand(len(plain.x), 1, generator=g) > 0.03
    return plain.with_inputs(plain.x * held, plain.x_test)


@cache
def motions(count: int = 3000) -> Samples:
    """Word numbers; six motions, each with words of its own, two and a half granted at once."""
    g = torch.Generator().manual_seed(318)
    y = (torch.rand(count, 6, generator=g) < 0.4).float()
    weight = torch.cat([torch.ones(count, 1), 1.5 * y], 1)
    topic = torch.multinomial(weight, 24, replacement=True, generator=g)
    word = torch.randint(12, (count, 24), generator=g)
    return _cut(1 + 12 * topic + word, y)


@cache
def objections(count: int = 2600, length: int = 22) -> Samples:
    """Was word 1 said before word 2? Both stand once among others."""
    g = torch.Generator().manual_seed(319)
    x = torch.randint(3, 24, (count, length), generator=g)
    places = torch.rand(count, length, generator=g).topk(2, 1).indices
    x.scatter_(1, places[:, :1], 1).scatter_(1, places[:, 1:], 2)
    return _cut(x, (places[:, 0] < places[:, 1]).long())


@cache
def gains(count: int = 2600, noise: float = 0.3) -> Samples:
    """Twelve measures of an ear and its aid, correlated; the gain preferred, scaled."""
    g = torch.Generator().manual_seed(320)
    mixing = torch.randn(12, 12, generator=g) / 12**0.5
    hidden = torch.randn(count, 12, generator=g)
    x = 0.8 * hidden + 0.6 * hidden @ mixing
    y = x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + x[:, 3].abs() + 0.7 * x[:, 4] - 0.5 * x[:, 5]
    y = (y - y.mean()) / y.std()
    return _cut(x, y + noise * torch.randn(count, generator=g))


@cache
def growths(count: int = 4000) -> Samples:
    """Fourteen measures; three in a hundred have a growth on the nerve, which show it well."""
    g = torch.Generator().manual_seed(321)
    y = (torch.rand(count, generator=g) < 0.03).long()
    x = torch.randn(count, 14, generator=g)
    x[:, :4] += 1.1 * y[:, None]
    x[:, 4] = x[:, 4] + 0.7 * x[:, 5]
    return Samples(x[:2600], y[:2600], x[2600:], y[2600:])


@cache
def clear_growths(count: int = 4000) -> Samples:
    """Three kinds, of which two are rare but clear."""
    g = torch.Generator().manual_seed(322)
    chance = torch.rand(count, generator=g)
    y = (chance < 0.12).long() + (chance < 0.05).long()
    x = torch.randn(count, 14, generator=g)
    x[:, :3] += 2.4 * (y == 1)[:, None]
    x[:, 3:6] -= 2.4 * (y == 2)[:, None]
    return Samples(x[:2600], y[:2600], x[2600:], y[2600:])


@cache
def noise_levels(count: int = 2200, length: int = 48) -> Samples:
    """Windows of a ward's loudness: a day, a half day, and a drift; the next six hours."""
    g = torch.Generator().manual_seed(323)
    start = 24 * torch.rand(count, 1, generator=g)
    hour = (start + torch.arange(length + 6)) * 6.2832 / 24
    day, half = 0.5 + torch.rand(count, 1, generator=g), 0.6 * torch.rand(count, 1, generator=g)
    walk = 0.08 * torch.randn(count, length + 6, generator=g).cumsum(1)
    x = day * torch.sin(hour) + half * torch.cos(2 * hour) + walk
    x = x + 0.15 * torch.randn(count, length + 6, generator=g)
    return _cut(x[:, :length, None], x[:, length:])


@cache
def voices(count: int = 2400, speakers: int = 12) -> Samples:
    """Twenty-four features of voices of twelve speakers, bent by what they say."""
    g = torch.Generator().manual_seed(324)
    centre = torch.randn(speakers, 8, generator=g)
    mixing = torch.randn(16, 24, generator=g) / 3
    y = torch.randint(speakers, (count,), generator=g)
    inside = centre[y] + 0.35 * torch.randn(count, 8, generator=g)
    said = torch.randn(count, 8, generator=g)
    x = torch.tanh(torch.cat([inside, said], 1) @ mixing)
    return _cut(1.6 * x + 0.1 * torch.randn(count, 24, generator=g), y)


@cache
def docket(count: int = 3000, words: int = 1500) -> Samples:
    """Bags of sixteen words, few of which are common; four courts."""
    g = torch.Generator().manual_seed(325)
    lean = 2.0 * torch.randn(4, words, generator=g)
    common = -torch.log(torch.arange(1.0, words + 1))
    y = torch.randint(4, (count,), generator=g)
    chance = (common + lean).softmax(1)
    return _cut(torch.multinomial(chance[y], 16, replacement=True, generator=g), y)
