"""Tables, small pictures and recordings, made up to accept a product by."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split, standardized


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def bookings(count: int = 4000, threshold: float = 0.0) -> Samples:
    """Days ahead, price, nights, distance in metres, balance, six habits; who will cancel?"""
    g = draw(901)
    z = torch.randn(count, 11, generator=g)
    ahead = (4.2 + 0.9 * z[:, 0]).exp()
    price = 120 + 45 * z[:, 1] + 10 * z[:, 0]
    nights = (2.5 + 1.5 * z[:, 2]).round().clamp(1, 14)
    distance = (12 + 1.1 * z[:, 3]).exp()
    balance = 300 + 160 * z[:, 4] - 2 * nights
    logit = 1.6 * z[:, 0] + 1.5 * z[:, 1] * z[:, 3] - 1.2 * (z[:, 4].abs() - 0.8)
    logit = logit + z[:, 5] - 0.8 * z[:, 6] * z[:, 7].sign()
    y = (logit + 0.6 * torch.randn(count, generator=g) > threshold).long()
    return split(
        torch.cat([torch.stack([ahead, price, nights, distance, balance], 1), z[:, 5:]], 1), y
    )


@cache
def scaled_bookings(count: int = 4000, threshold: float = 0.0) -> Samples:
    """The same, long tails as logarithms, all columns to deviation 1."""
    data = bookings(count, threshold)

    def scaled(x: Tensor) -> Tensor:
        return torch.stack([x[:, i].log() if i in (0, 3) else x[:, i] for i in range(11)], 1)

    return standardized(data.with_inputs(scaled(data.x), scaled(data.x_test)))


@cache
def grains(count: int = 3000, noise: float = 0.35, classes: int = 7) -> Samples:
    """Sixteen correlated measurements of seven sorts of beans, to deviation 1."""
    g = draw(902)
    centers = 1.5 * torch.randn(classes, 5, generator=g)
    mixed = torch.randn(5, 16, generator=g)
    y = torch.randint(classes, (count,), generator=g)
    latent = centers[y] + 0.55 * torch.randn(count, 5, generator=g)
    x = torch.tanh(0.5 * latent @ mixed) + 0.1 * (latent @ mixed)
    return standardized(split(x + noise * torch.randn(count, 16, generator=g), y))


@cache
def torque(count: int = 3000, noise: float = 0.1) -> Samples:
    """Angles, speeds, load and heat of a robot's arm; the torque of its shoulder, deviation 1."""
    g = draw(903)
    x = 2 * torch.rand(count, 6, generator=g) - 1
    a, b, speed, other, load, heat = (1.6 * x).unbind(1)
    y = (2 * a).cos() + (1 + load) * (2 * (a + b)).cos() - (2 * b).sin() * speed * other
    y = y + 0.6 * torch.tanh(5 * speed) * (1 - 0.3 * heat)
    y = (y - y.mean()) / y.std()
    return split(1.75 * x, y + noise * torch.randn(count, generator=g))


@cache
def signs(count: int = 2400, size: int = 16, noise: float = 0.25) -> Samples:
    """Squares, crosses, discs, rings, triangles and bars of any size and place, on noise."""
    g = draw(904)
    y = torch.randint(6, (count,), generator=g)
    radius = 3 + 2.5 * torch.rand(count, 1, 1, generator=g)
    place = radius + (size - 1 - 2 * radius) * torch.rand(count, 1, 1, generator=g)
    other = radius + (size - 1 - 2 * radius) * torch.rand(count, 1, 1, generator=g)
    axis = torch.arange(size, dtype=torch.float32)
    v, u = axis[:, None] - place, axis[None, :] - other
    far = (u**2 + v**2).sqrt()
    box = torch.maximum(u.abs(), v.abs())
    forms = torch.stack(
        [
            box <= radius * 0.85,
            (torch.minimum(u.abs(), v.abs()) <= 1) & (box <= radius),
            far <= radius,
            (far <= radius) & (far >= radius - 1.6),
            (v.abs() <= radius) & (2 * u.abs() <= v + radius),
            (u.abs() <= radius) & (v.abs() <= 1.2),
        ],
        1,
    )
    x = forms[torch.arange(count), y].float() * (0.5 + torch.rand(count, 1, 1, generator=g))
    x = x + noise * torch.randn(count, size, size, generator=g)
    return split(x[:, None], y)


@cache
def fabrics(count: int = 2000, size: int = 20, kinds: int = 8, noise: float = 0.5) -> Samples:
    """Weaves of eight directions in any colour, width and light."""
    g = draw(905)
    y = torch.randint(kinds, (count,), generator=g)
    angle = (y + 0.25 * torch.randn(count, generator=g)) * torch.pi / kinds
    wave = 0.8 + 0.8 * torch.rand(count, generator=g)
    phase = 6.28 * torch.rand(count, 1, 1, generator=g)
    axis = torch.arange(size, dtype=torch.float32)
    u = (wave * angle.cos())[:, None, None] * axis[:, None]
    v = (wave * angle.sin())[:, None, None] * axis[None, :]
    light = torch.rand(count, 3, 1, 1, generator=g) + 0.3
    x = light * torch.sin(u + v + phase)[:, None]
    x = x + 0.3 * torch.randn(count, 3, 1, 1, generator=g)
    return split(x + noise * torch.randn(count, 3, size, size, generator=g), y)


@cache
def gestures(count: int = 2000, length: int = 40, noise: float = 0.4) -> Samples:
    """Accelerations of a wrist: six motions, each a burst at any time."""
    g = draw(906)
    y = torch.randint(6, (count,), generator=g)
    time = torch.arange(length, dtype=torch.float32)
    start = 0.3 * length + 0.4 * length * torch.rand(count, 1, generator=g)
    window = torch.exp(-(((time - start) / 7) ** 2))
    pace = torch.tensor([0.4, 0.4, 0.8, 0.8, 1.2, 1.2])[y][:, None]
    shift = torch.tensor([1.5, -1.5, 1.5, -1.5, 1.5, -1.5])[y][:, None]
    angle = pace * (time - start) + 0.3 * torch.randn(count, 1, generator=g)
    power = 1 + 0.3 * torch.randn(count, 1, generator=g)
    parts = [angle.sin(), (angle + shift).sin(), 0.5 * (2 * angle).cos()]
    x = torch.stack([power * window * part for part in parts], 2)
    return split(1.4 * x + noise * torch.randn(count, length, 3, generator=g), y)


@cache
def beats(count: int = 3000, share: float = 0.03, length: int = 64, noise: float = 0.12) -> Samples:
    """Heart beats in one lead; in some the first wave is missing and the main one is wide."""
    g = draw(907)
    y = (torch.rand(count, generator=g) < share).long()
    time = torch.arange(length, dtype=torch.float32)
    middle = 28 + 4 * torch.randn(count, 1, generator=g)
    ill = y[:, None].float()

    def wave(at: Tensor, width: Tensor | float) -> Tensor:
        return torch.exp(-0.5 * ((time - at) / width) ** 2)

    some = 1 + 0.25 * torch.randn(count, 3, 1, generator=g)
    x = 0.25 * some[:, 0] * (1 - 0.7 * ill) * wave(middle - 12, 2.5)
    x = x + 1.2 * some[:, 1] * wave(
        middle, 1.4 + 0.8 * ill + 0.3 * torch.rand(count, 1, generator=g)
    )
    x = x + 0.35 * some[:, 2] * wave(middle + 16, 4.0)
    x = x + noise * torch.randn(count, length, generator=g)
    return split((x - 0.2)[:, None] / 0.35, y)


@cache
def errands(count: int = 2500, length: int = 18, words: int = 60) -> Samples:
    """Numbers of words; of the four that give orders, the one that comes last counts."""
    g = draw(908)
    x = torch.randint(4, words, (count, length), generator=g)
    orders = torch.randint(4, (count, 3), generator=g)
    places = torch.rand(count, length, generator=g).argsort(1)[:, :3]
    x.scatter_(1, places, orders)
    y = orders[torch.arange(count), places.argmax(1)]
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def tides(window: int = 36, train: int = 1600, noise: float = 0.08) -> Samples:
    """Windows of a tide's level, and the level six steps later."""
    g = draw(909)
    count = train + 600
    time = torch.arange(count + window + 6, dtype=torch.float32)
    level = torch.sin(0.507 * time) + 0.4 * torch.sin(0.483 * time + 0.5)
    level = level + 0.3 * torch.sin(1.01 * time) + noise * torch.randn(len(time), generator=g)
    x = level.unfold(0, window, 1)[:count, :, None]
    y = level[window + 5 : window + 5 + count]
    return Samples(x[:train], y[:train], x[train:], y[train:])


@cache
def switches(count: int = 6000, width: int = 16, bits: int = 3) -> Samples:
    """Sixteen switches; whether an odd number of three of them is on."""
    x = torch.randint(2, (count, width), generator=draw(910)).float() * 2 - 1
    return split(x, (x[:, :bits].prod(1) > 0).long())


@cache
def tags(count: int = 2500, width: int = 40, kinds: int = 12) -> Samples:
    """Counts of words, as logarithms; each article has some of twelve tags."""
    g = draw(911)
    topics = torch.randn(kinds, width, generator=g).exp()
    y = (torch.rand(count, kinds, generator=g) < 0.25).float()
    rates = 0.3 + y @ topics / 1.5
    return standardized(split(torch.poisson(rates, generator=g).log1p(), y))
