"""What a hardware store and its warehouse write down: picks, pallets, searches and sales."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

FASTENERS = ("washer", "nut", "nail", "screw", "hook", "bracket")
STATES = ("standing", "driving", "loaded", "lifting", "kerb")
DEPARTMENTS, WORDS, FOR, LENGTH = 12, 420, 1, 10
STORES, SKUS = 60, 150
ARTICLES = 40
TRAITS = 8


@cache
def picks(count: int = 4000) -> Samples:
    """A pick as the scanner writes it, and the logarithm of the seconds that it took.

    Metres, grams, cubic centimetres, level, pieces, degrees, days employed, hour of the day.
    """
    draw = torch.Generator().manual_seed(9101)
    metres = 20 + 380 * torch.rand(count, generator=draw)
    grams = (7.0 + 1.3 * torch.randn(count, generator=draw)).exp()
    volume = grams * (0.6 + 0.6 * torch.randn(count, generator=draw)).exp()
    level = torch.randint(7, (count,), generator=draw).float()
    pieces = 1 + torch.poisson(torch.full((count,), 4.0), generator=draw)
    degrees = 16 + 6 * torch.randn(count, generator=draw)
    employed = 900 * torch.empty(count).exponential_(generator=draw)
    hour = 6 + 16 * torch.rand(count, generator=draw)
    ladder = (level > 3).float()
    heavy = torch.sigmoid((grams.log() - 8) * 2)
    effort = 0.0035 * metres + 0.5 * ladder * (1 + heavy) + 0.08 * pieces * (0.5 + heavy)
    effort = effort - 0.4 * torch.tanh(employed / 400) + 0.15 * (degrees < 8)
    effort = effort + 0.2 * torch.sin(6.283 * (hour - 6) / 16) * (pieces > 4)
    seconds = 2.5 + effort + 0.15 * torch.randn(count, generator=draw)
    columns = [metres, grams, volume, level, pieces, degrees, employed, hour]
    return split(torch.stack(columns, 1), seconds)


@cache
def fasteners(count: int = 3600, size: int = 20) -> Samples:
    """Grey photographs of six kinds of small parts, turned any way, from 0 to 1."""
    draw = torch.Generator().manual_seed(9102)
    kind = torch.randint(len(FASTENERS), (count,), generator=draw)
    angle = 6.283 * torch.rand(count, 1, 1, generator=draw)
    scale = 0.8 + 0.3 * torch.rand(count, 1, 1, generator=draw)
    shift = size / 2 - 0.5 + 1.2 * torch.randn(2, count, 1, 1, generator=draw)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    y, x = (row - shift[0]) / scale, (column - shift[1]) / scale
    u, v = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    r, across = torch.hypot(u, v), v.abs()
    washer = (r < 6) & (r > 3)
    nut = (torch.maximum(across, across / 2 + 0.866 * u.abs()) < 5.6) & (r > 2.6)
    nail = (across < 0.9) & (u.abs() < 7) | (across < 2) & ((u + 7).abs() < 0.9)
    screw = (across < 1.3 + 0.7 * (2.2 * u).sin()) & (u.abs() < 7)
    screw = screw | (across < 2.8) & ((u + 6).abs() < 1.4)
    hook = (r < 5) & (r > 3) & (u > 0) | ((v - 4).abs() < 1) & (u <= 0) & (u > -6)
    bracket = (across < 1.1) & (u >= -1) & (u < 7) | (u.abs() < 1.1) & (v >= -1) & (v < 7)
    shapes = torch.stack([washer, nut, nail, screw, hook, bracket], 1).float()
    shape = shapes[torch.arange(count), kind]
    light = 0.15 + 0.3 * torch.rand(count, 1, 1, generator=draw)
    contrast = 0.25 + 0.3 * torch.rand(count, 1, 1, generator=draw)
    shade = 0.01 * (column - size / 2) * torch.randn(count, 1, 1, generator=draw)
    photo = light + contrast * shape + shade
    photo = photo + 0.08 * torch.randn(count, size, size, generator=draw)
    return split(photo.clamp(0, 1)[:, None], kind)


@cache
def forklifts(count: int = 2400, steps: int = 64) -> Samples:
    """Acceleration along three axes in m/s², and what the forklift does; (count, 3, steps)."""
    draw = torch.Generator().manual_seed(9103)
    state = torch.randint(len(STATES), (count,), generator=draw)
    time = torch.arange(steps) / steps
    phase = 6.283 * torch.rand(count, 3, 1, generator=draw)
    gain = 0.7 + 0.6 * torch.rand(count, 1, 1, generator=draw)
    speed = (torch.tensor([12.0, 6.0, 3.5, 9.0, 6.0])[state])[:, None, None]
    speed = speed * (0.9 + 0.2 * torch.rand(count, 1, 1, generator=draw))
    size = torch.tensor([0.35, 0.9, 0.9, 0.5, 0.9])[state][:, None, None]
    wave = gain * size * (6.283 * speed * time + phase).sin()
    lift = 0.6 * torch.sigmoid(20 * (time - torch.rand(count, 1, generator=draw)))
    wave[:, 2] += lift * (state == 3).float()[:, None]
    hit = 0.1 + 0.7 * torch.rand(count, 1, generator=draw)
    after = (time - hit).clamp(min=0)
    shock = 2.2 * (-12 * after).exp() * (50 * after).cos() * (time >= hit)
    wave[:, 1:] += (shock * (state == 4).float()[:, None])[:, None]
    noise = torch.randn(count, 3, steps, generator=draw)
    wave = wave + 0.35 * noise + 0.25 * torch.randn(count, 3, 1, generator=draw)
    wave[:, 2] += 9.81
    return split(wave, state)


@cache
def searches(count: int = 4000, astray: float = 0.05) -> Samples:
    """Numbers of words typed into the shop's search, 0 behind the last, and the department.

    What comes before "for" is wanted, what comes after is what it is wanted for; a share of the
    customers went to another department.
    """
    draw = torch.Generator().manual_seed(9104)
    wanted, use = torch.randint(DEPARTMENTS, (2, count), generator=draw)
    own = (WORDS - 60) // DEPARTMENTS
    first, second = (
        60 + own * of[:, None] + torch.randint(own, (count, LENGTH), generator=draw)
        for of in (wanted, use)
    )
    common = torch.randint(2, 60, (count, LENGTH), generator=draw)
    before = 2 + torch.randint(3, (count, 1), generator=draw)
    after = 1 + torch.randint(4, (count, 1), generator=draw)
    at = torch.arange(LENGTH)
    plain = torch.rand(count, LENGTH, generator=draw) < 0.3
    words = torch.where(at < before, first, second)
    words = torch.where(plain, common, words)
    words = torch.where(at == before, FOR, words)
    words = torch.where(at > before + after, 0, words)
    other = torch.randint(DEPARTMENTS, (count,), generator=draw)
    wanted = torch.where(torch.rand(count, generator=draw) < astray, other, wanted)
    samples = split(words, wanted, 0.8)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def parcels_damaged(count: int = 6000) -> Samples:
    """Standardized numbers of a shipment; three in a hundred arrive broken."""
    draw = torch.Generator().manual_seed(9105)
    x = torch.randn(count, 14, generator=draw)
    x = x + 0.5 * torch.randn(count, 1, generator=draw)
    risk = 0.9 * x[:, 0] + 0.8 * x[:, 1].relu() * x[:, 2].relu() - 0.7 * x[:, 3]
    risk = risk + 0.6 * (x[:, 4] > 1) + 0.8 * torch.randn(count, generator=draw)
    return split(x / x.std(0), (risk > risk.quantile(0.97)).long())


class Sales(NamedTuple):
    """Item, promotion of the coming week, four weeks of pieces sold and the week after."""

    item: Tensor
    promotion: Tensor
    history: Tensor
    future: Tensor


@cache
def sales(slow: float = 0.0, count: int = 2400) -> tuple[Sales, Sales]:
    """Pieces sold on each day; a share of the items is hardly asked for."""
    draw = torch.Generator().manual_seed(9106)
    items = 80
    level = 2.2 + 0.6 * torch.randn(items, generator=draw)
    profile = 0.5 * torch.randn(items, 7, generator=draw)
    response = 0.3 + 0.5 * torch.rand(items, generator=draw)
    item = torch.randint(items, (count,), generator=draw)
    start = torch.randint(7, (count, 1), generator=draw)
    days = torch.arange(35)
    weekly = profile[item[:, None], (days + start) % 7]
    drift = 0.02 * torch.randn(count, 1, generator=draw) * days
    promotion = (torch.rand(count, 5, generator=draw) < 0.25).float()
    daily = promotion.repeat_interleave(7, 1) * response[item, None]
    rare = torch.rand(count, 1, generator=draw) < slow
    rate = level[item, None] + weekly + drift + daily - 6.0 * rare
    sold = torch.poisson(rate.exp(), generator=draw)
    everything = (item, promotion[:, -1:], sold[:, :28], sold[:, 28:])
    cut = int(0.75 * count)
    known, held = (Sales(*(t[part] for t in everything)) for part in (slice(cut), slice(cut, None)))
    return known, held


class Pallets(NamedTuple):
    """Boxes with place, size and weight, which of them exist, and how far the pallet tips."""

    boxes: Tensor
    exist: Tensor
    tilt: Tensor


@cache
def pallets(count: int = 3000, most: int = 10) -> tuple[Pallets, Pallets]:
    """Pallets tip by the centre of all weights and its height."""
    draw = torch.Generator().manual_seed(9107)
    place = 2 * torch.rand(count, most, 3, generator=draw) - 1
    place[..., :2] += 0.4 * torch.randn(count, 1, 2, generator=draw)
    size = torch.rand(count, most, 1, generator=draw)
    weight = (0.7 * torch.randn(count, most, 1, generator=draw)).exp() * (0.4 + size)
    number = 2 + torch.randint(most - 1, (count, 1), generator=draw)
    exist = torch.arange(most) < number
    mass = weight[..., 0] * exist
    centre = (place * mass[..., None]).sum(1) / mass.sum(1, keepdim=True)
    tilt = centre[:, :2].norm(dim=1) * (1.5 + centre[:, 2])
    tilt = tilt + 0.05 * torch.randn(count, generator=draw)
    boxes = torch.cat([place, 2 * size - 1, weight - 1], 2) * exist[..., None]
    everything = (boxes, exist, (tilt - tilt.mean()) / tilt.std())
    cut = int(0.8 * count)
    known, held = (
        Pallets(*(t[part] for t in everything)) for part in (slice(cut), slice(cut, None))
    )
    return known, held


@cache
def listings(products: int = 500, per_product: int = 4, width: int = 40) -> tuple[Tensor, Tensor]:
    """Features of suppliers' listings, (products, per_product, width), and those held back."""
    draw = torch.Generator().manual_seed(9108)
    hidden = torch.randn(products, 1, 10, generator=draw)
    style = 1.2 * torch.randn(products, per_product, 10, generator=draw)
    mixing = torch.randn(20, width, generator=draw) / 20**0.5
    features = torch.tanh(torch.cat([hidden.expand_as(style), style], 2) @ mixing)
    features = features + 0.1 * torch.randn(features.shape, generator=draw)
    features = features / features.std()
    return features[:400], features[400:]


@cache
def suppliers(count: int = 3000) -> Samples:
    """Two offers of nine numbers each, (count, 2, 9), and which of them the buyer took."""
    draw = torch.Generator().manual_seed(9109)
    x = torch.randn(count, 2, 9, generator=draw)
    worth = 1.2 * x[..., 0] - x[..., 1].square() + x[..., 2] * x[..., 3] + 0.8 * x[..., 4].tanh()
    worth = worth + 0.4 * torch.randn(count, 2, generator=draw)
    return split(x, (worth[:, 0] > worth[:, 1]).long())


@cache
def lorries(count: int = 4000) -> Samples:
    """Weekday and hour as circles, weather, strike, season; the lorries that come in that hour."""
    draw = torch.Generator().manual_seed(9110)
    day = torch.randint(6, (count,), generator=draw)
    hour = torch.rand(count, generator=draw) * 24
    weather, orders, season = torch.randn(3, count, generator=draw)
    strike = (torch.rand(count, generator=draw) < 0.05).float()
    rate = 1.2 + 1.0 * (-((hour - 9) ** 2) / 12).exp() + 0.6 * (-((hour - 16) ** 2) / 8).exp()
    rate = rate + 0.3 * (day == 0) - 0.7 * (day == 5) * (hour > 12) - 0.2 * weather.relu()
    rate = rate + 0.35 * orders + 0.1 * season - 1.5 * strike
    came = torch.poisson(rate.exp(), generator=draw)
    angles = torch.stack([6.283 * day / 7, 6.283 * hour / 24, 6.283 * hour / 12], 1)
    x = torch.cat([angles.sin(), angles.cos(), torch.stack([weather, orders, season], 1)], 1)
    return split(torch.cat([x, strike[:, None]], 1), came)


@cache
def deliveries(count: int = 4000) -> Samples:
    """Ten numbers of a delivery, and its days on the way, later by chance on some roads."""
    draw = torch.Generator().manual_seed(9111)
    x = torch.randn(count, 10, generator=draw)
    usual = 3 + 0.8 * x[:, 0] + 0.5 * x[:, 1].abs() + 0.4 * x[:, 2] * x[:, 3]
    late = torch.empty(count).exponential_(generator=draw) * (0.6 * x[:, 4]).exp()
    return split(x, usual + 0.5 * late)


@cache
def availability(count: int = 6000) -> Samples:
    """Numbers of a store and of an article, and how many days of thirty it was on the shelf."""
    draw = torch.Generator().manual_seed(9112)
    left, right = (torch.randn(n, 3, generator=draw) for n in (STORES, SKUS))
    store_bias, sku_bias = (torch.randn(n, generator=draw) for n in (STORES, SKUS))
    pairs = torch.randperm(STORES * SKUS, generator=draw)[:count]
    store, sku = pairs // SKUS, pairs % SKUS
    score = (left[store] * right[sku]).sum(1) + store_bias[store] + sku_bias[sku]
    score = 22 + 2.2 * score + 1.5 * torch.randn(count, generator=draw)
    samples = split(torch.stack([store, sku], 1), score.clamp(0, 30), 0.8)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def barcodes(count: int = 1600, digits: int = 7) -> Samples:
    """Scanned lines of modules, two pixels each, blurred and noisy; the target is the print."""
    draw = torch.Generator().manual_seed(9113)
    left = "0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011"
    table = torch.tensor([[float(c) for c in p] for p in left.split()])
    number = torch.randint(10, (count, digits), generator=draw)
    print_ = table[number].flatten(1).repeat_interleave(2, 1)
    kernel = torch.tensor([0.1, 0.2, 0.4, 0.2, 0.1])
    padded = torch.nn.functional.pad(print_[:, None], (2, 2))
    blurred = torch.nn.functional.conv1d(padded, kernel[None, None])[:, 0]
    ramp = torch.linspace(-1, 1, print_.shape[1]) * torch.randn(count, 1, generator=draw)
    scan = blurred + 0.15 * ramp + 0.17 * torch.randn(print_.shape, generator=draw)
    return split(scan, print_)


@cache
def descriptions(count: int = 4000, length: int = 16, words: int = 500) -> Samples:
    """Numbers of words of a product's text, and which of eight traits the product has."""
    draw = torch.Generator().manual_seed(9114)
    chance = torch.tensor([0.4, 0.3, 0.3, 0.25, 0.5, 0.2, 0.35, 0.15])
    base = torch.randn(count, TRAITS, generator=draw)
    base[:, 1] = 0.8 * base[:, 0] + 0.6 * base[:, 1]
    border = torch.distributions.Normal(0.0, 1.0).icdf(1 - chance)
    traits = base > border
    text = torch.randint(TRAITS * 15, words, (count, length), generator=draw)
    which = torch.randint(TRAITS, (count, length), generator=draw)
    has = traits.gather(1, which) | (torch.rand(count, length, generator=draw) < 0.06)
    own = 15 * which + torch.randint(15, (count, length), generator=draw)
    text = torch.where(has, own, text)
    samples = split(text, traits.float(), 0.8)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def motors(count: int = 2000, sensors: int = 24) -> tuple[Tensor, Samples]:
    """Readings of a belt's motor that ran well, and some of which a tenth did not."""
    draw = torch.Generator().manual_seed(9115)
    total = count + 1000
    hidden = torch.randn(total, 5, generator=draw)
    first = torch.randn(5, 16, generator=draw) / 5**0.5
    second = torch.randn(16, sensors, generator=draw) / 4
    clean = torch.tanh(1.5 * hidden @ first) @ second
    clean = clean / clean.std(0)
    bad = torch.zeros(total, dtype=torch.bool)
    bad[count:] = torch.rand(1000, generator=draw) < 0.1
    swap = clean[torch.randperm(total, generator=draw)]
    some = torch.rand(total, sensors, generator=draw) < 0.3
    x = torch.where(some & bad[:, None], swap, clean)
    x = x + 0.2 * torch.randn(x.shape, generator=draw)
    return x[:count], Samples(x[:count], bad[:count].long(), x[count:], bad[count:].long())


@cache
def articles(count: int = 5000) -> Samples:
    """Scales, cameras and light gates measure an article sixteen ways; which of forty is it?"""
    draw = torch.Generator().manual_seed(9116)
    centre = torch.randn(ARTICLES, 16, generator=draw)
    y = torch.randint(ARTICLES, (count,), generator=draw)
    lying = torch.randint(2, (count, 1), generator=draw)
    x = centre[y]
    x = torch.where(lying == 1, x.roll(4, 1), x)
    return split(x + 0.4 * torch.randn(count, 16, generator=draw), y)


@cache
def claims(count: int = 500) -> Samples:
    """Thirty numbers of a complaint, few of which matter, and which of three ways it ended."""
    draw = torch.Generator().manual_seed(9117)
    x = torch.randn(count, 30, generator=draw)
    scores = torch.stack([x[:, 0] + x[:, 1], x[:, 2] - x[:, 0], 0.8 * x[:, 3] * x[:, 4]], 1)
    scores = scores - torch.rand(count, 3, generator=draw).log().neg().log()
    return split(x, scores.argmax(1), 0.4)
