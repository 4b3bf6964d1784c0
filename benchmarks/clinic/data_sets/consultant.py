"""Small versions of clients' data: sensors, pictures of parts, tables, texts, graphs, ratings."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

WORDS, TOPICS, TAGS, PAD = 200, 6, 5, 0
LETTERS = 20
USERS, ITEMS = 120, 150


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(77_000 + number)


@cache
def sensors(length: int = 48, count: int = 1600, ahead: int = 6) -> Samples:
    """Windows of three sensors of a machine, and the first of them some steps later."""
    g = seeded(1)
    time = torch.arange(length + ahead).float()
    speed = 0.15 + 0.35 * torch.rand(count, 1, generator=g)
    phase = 6.3 * torch.rand(count, 1, generator=g)
    size = 0.5 + torch.rand(count, 1, generator=g)
    main = size * torch.sin(speed * time + phase)
    side = size * torch.cos(0.5 * speed * time + phase)
    slow = (time / (length + ahead) - 0.5) * torch.randn(count, 1, generator=g)
    x = torch.stack([main + slow, side, slow], 2)
    y = x[:, -1, 0].clone()
    x = x[:, :length] + 0.1 * torch.randn(count, length, 3, generator=g)
    return split(x, y)


@cache
def totals(length: int = 60, count: int = 1600) -> Samples:
    """A flow and a valve that is open at some times; what flowed while it was."""
    g = seeded(2)
    flow = torch.rand(count, length, generator=g)
    valve = (torch.rand(count, length, generator=g) < 0.15).float()
    y = (flow * valve).sum(1) / 2
    return split(torch.stack([flow, valve], 2), y)


@cache
def states(length: int = 32, count: int = 1600, states: int = 4) -> Samples:
    """Vibrations of a pump in four states: their frequencies differ, and how they swell."""
    g = seeded(3)
    y = torch.randint(states, (count,), generator=g)
    time = torch.arange(length).float()
    speed = 0.5 + 0.3 * y[:, None] + 0.06 * torch.randn(count, 1, generator=g)
    phase = 6.3 * torch.rand(count, 1, generator=g)
    wave = torch.sin(speed * time + phase) + 0.3 * torch.sin(2 * speed * time)
    other = torch.cos(speed * time + phase) * (1 + 0.2 * y[:, None])
    x = torch.stack([wave, other], 1)
    return split(x + 0.45 * torch.randn(x.shape, generator=g), y)


@cache
def defects(
    count: int = 1600, size: int = 16, noise: float = 0.3, share: float | None = None
) -> Samples:
    """Grey pictures of parts: fine, scratched, spotted, or chipped at the edge.

    Args:
        count: How many.
        size: Pixels of a side.
        noise: Its deviation.
        share: How many of the parts have a defect; three quarters if None.
    """
    g = seeded(4)
    y = torch.randint(4, (count,), generator=g)
    if share is not None:
        y = torch.where(torch.rand(count, generator=g) < share, 1 + y % 3, 0)
    axis = torch.arange(size).float()
    rows, columns = axis[None, :, None], axis[None, None, :]
    r, c = (3 + (size - 6) * torch.rand(2, count, 1, 1, generator=g)).unbind()
    angle = 3.14 * torch.rand(count, 1, 1, generator=g)
    across = (rows - r) * angle.cos() + (columns - c) * angle.sin()
    along = (columns - c) * angle.cos() - (rows - r) * angle.sin()
    scratch = (across.abs() < 0.7) & (along.abs() < 5)
    spot = across.square() + along.square() < 5
    chip = (rows < 2.0) & ((columns - c).abs() < 3)
    none = torch.zeros_like(spot)
    kinds = torch.stack([none, scratch, spot, chip], 1)[torch.arange(count), y]
    shade = 0.2 * torch.randn(count, 1, 1, generator=g)
    picture = shade + kinds.float() + noise * torch.randn(count, size, size, generator=g)
    return split(picture[:, None], y)


@cache
def depths(count: int = 1500, size: int = 16) -> Samples:
    """A ball somewhere in a picture; the nearer, the larger. Its distance, standardised."""
    g = seeded(5)
    far = torch.rand(count, 1, 1, generator=g)
    axis = torch.arange(size).float()
    r, c = (4 + (size - 8) * torch.rand(2, count, 1, 1, generator=g)).unbind()
    away = (axis[None, :, None] - r).square() + (axis[None, None, :] - c).square()
    light = 0.6 + 0.4 * torch.rand(count, 1, 1, generator=g)
    picture = light * torch.sigmoid(2 * (5.5 - 4 * far - away.sqrt()))
    picture = picture + 0.1 * torch.randn(count, size, size, generator=g)
    y = (far.flatten() - 0.5) * 12**0.5
    return split(picture[:, None], y)


@cache
def poses(count: int = 1600, size: int = 12) -> Samples:
    """A bar in a picture: its middle and the cosine and sine of twice its angle, all in -1..1."""
    g = seeded(6)
    axis = torch.linspace(-1, 1, size)
    r, c = (1.2 * torch.rand(2, count, generator=g) - 0.6).unbind()
    angle = 3.14 * torch.rand(count, generator=g)
    u, v = axis[None, :, None] - r[:, None, None], axis[None, None, :] - c[:, None, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    bar = torch.exp(-((u * cos + v * sin) / 0.15).square() - ((v * cos - u * sin) / 0.5).square())
    picture = bar + 0.1 * torch.randn(count, size, size, generator=g)
    y = torch.stack([r, c, (2 * angle).cos(), (2 * angle).sin()], 1)
    return split(picture[:, None], y)


@cache
def cells(count: int = 420, size: int = 24) -> Samples:
    """Pictures of small bright blobs on an uneven ground, and which pixels belong to one."""
    g = seeded(7)
    axis = torch.arange(size).float()
    rows, columns = axis[None, :, None], axis[None, None, :]
    mask = torch.zeros(count, size, size, dtype=torch.bool)
    for _ in range(4):
        r, c = (size * torch.rand(2, count, 1, 1, generator=g)).unbind()
        radius = 1.6 + 1.6 * torch.rand(count, 1, 1, generator=g)
        mask |= (rows - r).square() + (columns - c).square() < radius.square()
    slope = 0.04 * torch.randn(2, count, 1, 1, generator=g)
    picture = 0.9 * mask.float() + slope[0] * (rows - size / 2) + slope[1] * (columns - size / 2)
    picture = picture + 0.3 * torch.randn(count, size, size, generator=g)
    return split(picture[:, None], mask[:, None].float())


@cache
def customers(count: int = 2400) -> Samples:
    """Five numbers, a region of 12 and a tariff of 30; who leaves depends on pairs of them."""
    g = seeded(8)
    x = torch.randn(count, 5, generator=g)
    region = torch.randint(12, (count,), generator=g)
    tariff = torch.randint(30, (count,), generator=g)
    by_region, by_tariff = torch.randn(12, generator=g), torch.randn(30, generator=g)
    logit = 2.5 * x[:, 0] * x[:, 1] + 1.5 * (x[:, 2].abs() - 0.8) + 1.5 * by_region[region]
    logit = logit + 1.2 * by_tariff[tariff] * x[:, 3]
    y = torch.rand(count, generator=g) < torch.sigmoid(1.5 * logit)
    return split(torch.cat([x, region[:, None], tariff[:, None]], 1), y.long())


@cache
def survivals(count: int = 1800) -> Samples:
    """Six measurements in their own units; in which of eight years one left, and whether seen.

    The target is the year, plus 8 if nothing is known of what came after it.
    """
    g = seeded(9)
    z = torch.randn(count, 6, generator=g)
    risk = 1.2 * z[:, 0] - z[:, 1] + 0.8 * z[:, 2] * z[:, 3] + 0.5 * z[:, 4].square()
    time = -8 * torch.rand(count, generator=g).log() * torch.exp(-risk)
    end = 3 + 6 * torch.rand(count, generator=g)
    seen = time <= end
    year = torch.minimum(time, end).long().clamp(max=7)
    units = torch.tensor([12.0, 40.0, 1.5, 250.0, 6.0, 0.8])
    shift = torch.tensor([55.0, 130.0, 4.0, 900.0, 27.0, 2.0])
    return split(z * units + shift, year + 8 * (~seen).long())


@cache
def houses(count: int = 2000) -> Samples:
    """Eight properties of houses, standardised, and the logarithm of the price, too."""
    g = seeded(10)
    x = torch.randn(count, 8, generator=g)
    y = x[:, 0] + 0.8 * torch.tanh(2 * x[:, 1]) + 0.7 * x[:, 2] * x[:, 3] + 0.5 * x[:, 4].abs()
    y = y + 0.3 * torch.randn(count, generator=g)
    return split(x, (y - y.mean()) / y.std())


@cache
def claims(count: int = 2500) -> Samples:
    """Seven properties, the last the years insured; counts of claims."""
    g = seeded(11)
    x = torch.randn(count, 6, generator=g)
    years = 0.2 + 3 * torch.rand(count, generator=g)
    rate = torch.exp(-0.6 + 0.7 * x[:, 0] - 0.6 * x[:, 1].abs() + 0.5 * x[:, 2] * x[:, 3])
    y = torch.poisson((rate * years).clamp(max=40), generator=g)
    return split(torch.cat([x, years[:, None]], 1), y)


@cache
def grades(count: int = 2000, features: int = 10, levels: int = 6) -> Samples:
    """Grades of loans from 0 to 5, by a score that is not linear in what is known."""
    g = seeded(12)
    x = torch.randn(count, features, generator=g)
    score = x[:, 0] + torch.sin(2 * x[:, 1]) + 0.8 * x[:, 2] * x[:, 3]
    score = score + 0.25 * torch.randn(count, generator=g)
    cuts = torch.quantile(score, torch.linspace(0, 1, levels + 1)[1:-1])
    return split(x, torch.bucketize(score, cuts))


@cache
def documents(length: int = 24, count: int = 1500, own: float = 0.3) -> Samples:
    """Word numbers, padded with 0 behind; each of six topics has fifteen words of its own."""
    g = seeded(13)
    y = torch.randint(TOPICS, (count,), generator=g)
    x = torch.randint(100, WORDS, (count, length), generator=g)
    theirs = 1 + 15 * y[:, None] + torch.randint(15, (count, length), generator=g)
    x = torch.where(torch.rand(count, length, generator=g) < own, theirs, x)
    lengths = torch.randint(length // 2, length, (count, 1), generator=g)
    x = torch.where(torch.arange(length) < lengths, x, PAD)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def counted(strength: float = 2.2, classes: int = 12, count: int = 1800) -> Samples:
    """Counts of words, as log(1 + n); a class is told by which are frequent."""
    g = seeded(14)
    y = torch.randint(classes, (count,), generator=g)
    themes = strength * torch.rand(classes, 120, generator=g).pow(6)
    rate = 0.12 + themes[y] * (0.6 + 0.6 * torch.rand(count, 1, generator=g))
    x = torch.poisson(rate, generator=g)
    return split(torch.log1p(x), y)


@cache
def tagged(length: int = 20, count: int = 1000) -> Samples:
    """Sentences of 60 words; a word's tag hangs on its kind and on the kind before it."""
    g = seeded(15)
    x = torch.randint(1, 61, (count, length), generator=g)
    kinds = torch.randint(4, (61,), generator=g)[x]
    before = torch.cat([torch.zeros(count, 1, dtype=torch.long), kinds[:, :-1]], 1)
    table = torch.randint(TAGS, (4, 4), generator=g)
    samples = split(x, table[kinds, before])
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def letters(length: int = 24, count: int = 1200) -> Samples:
    """Pieces of a text of 40 made-up words, and the same one letter later."""
    g = seeded(16)
    words = [
        torch.randint(1, LETTERS, (int(n),), generator=g).tolist()
        for n in torch.randint(3, 7, (40,), generator=g)
    ]
    chosen = torch.randint(40, (count * length // 3,), generator=g).tolist()
    text = torch.tensor([letter for word in chosen for letter in [*words[word], 0]])
    pieces = text.unfold(0, length + 1, length)[:count]
    samples = split(pieces[:, :-1], pieces[:, 1:])
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def ratings(count: int = 7000) -> Samples:
    """A user, an item, and how the one rates the other, standardised."""
    g = seeded(17)
    user = torch.randint(USERS, (count,), generator=g)
    item = torch.randint(ITEMS, (count,), generator=g)
    p, q = torch.randn(USERS, 4, generator=g), torch.randn(ITEMS, 4, generator=g)
    liked = (p[user] * q[item]).sum(1) + torch.randn(ITEMS, generator=g)[item]
    y = liked / liked.std() + 0.2 * torch.randn(count, generator=g)
    samples = split(torch.stack([user, item], 1), y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def keywords(count: int = 1400, bands: int = 12, frames: int = 30, words: int = 6) -> Samples:
    """Spectra of six words, each at any time of the recording, and silence around them.

    In one of two hundred recordings the microphone was off.
    """
    g = seeded(18)
    shapes = torch.randn(words, bands, 12, generator=g).relu()
    y = torch.randint(words, (count,), generator=g)
    start = torch.randint(frames - 12, (count,), generator=g)
    x = torch.zeros(count, bands, frames)
    loud = 0.7 + 0.6 * torch.rand(count, 1, 1, generator=g)
    spoken = loud * shapes[y] + 0.7 * torch.randn(count, bands, 12, generator=g)
    where = start[:, None, None] + torch.arange(12)
    x.scatter_(2, where.expand(-1, bands, -1), spoken)
    x[torch.rand(count, generator=g) < 0.005] = 0
    return split(x, y)


@cache
def signatures(people: int = 60, each: int = 12, size: int = 40) -> Samples:
    """Curves that people drew again and again: whose each is. The last third measures."""
    g = seeded(19)
    who = torch.arange(people).repeat_interleave(each)
    time = torch.linspace(0, 6.3, size)
    waves = torch.stack([torch.sin(k * time + s) for k in range(1, 6) for s in (0, 1.57)])
    styles = torch.randn(people, 10, generator=g)
    x = (styles[who] + 0.35 * torch.randn(len(who), 10, generator=g)) @ waves
    x = x / 2 + 0.3 * torch.randn(x.shape, generator=g)
    known = who < people * 2 // 3
    return Samples(x[known], who[known], x[~known], who[~known])


@cache
def graph(nodes: int = 400, classes: int = 5) -> tuple[Tensor, Samples]:
    """Who knows whom, with loops and normalised, and noisy properties of each."""
    g = seeded(20)
    y = torch.randint(classes, (nodes,), generator=g)
    same = y[:, None] == y
    chance = torch.where(same, 0.05, 0.006)
    edges = torch.rand(nodes, nodes, generator=g).triu(1) < chance.triu(1)
    full = edges.float() + edges.float().T + torch.eye(nodes)
    scale = full.sum(1).rsqrt()
    centers = torch.randn(classes, 16, generator=g)
    x = centers[y] + 2.0 * torch.randn(nodes, 16, generator=g)
    return scale[:, None] * full * scale, Samples(x, y, x, y)


@cache
def clouds(count: int = 1500, points: int = 20) -> Samples:
    """Sets of points of the plane: how far apart the two farthest are, standardised."""
    g = seeded(21)
    spread = 0.5 + torch.rand(count, 1, 2, generator=g)
    x = spread * torch.randn(count, points, 2, generator=g)
    y = torch.cdist(x, x).flatten(1).amax(1)
    return split(x, (y - y.mean()) / y.std())


@cache
def results(count: int = 600, each: int = 10) -> Samples:
    """Lists of ten documents with eight properties each, and how relevant each is."""
    g = seeded(22)
    x = torch.randn(count, each, 8, generator=g)
    y = 2 * x[..., 0] * x[..., 1] + (x[..., 2].abs() - 0.8) + 0.3 * x[..., 3]
    y = y + 0.3 * torch.randn(count, each, generator=g)
    return split(x, y)


@cache
def machines(count: int = 1600, features: int = 24) -> Samples:
    """Readings of machines that run well; of those to measure on a fifth (label 1) do not."""
    g = seeded(23)
    inner = torch.randn(count, 4, generator=g)
    first, second = torch.randn(4, 16, generator=g), torch.randn(16, features, generator=g)
    x = torch.tanh(inner @ first) @ second / 4 + 0.1 * torch.randn(count, features, generator=g)
    y = (torch.rand(count, generator=g) < 0.2).long()
    odd = x.clone()
    moved = torch.rand(x.shape, generator=g) < 0.25
    odd[moved] = odd.roll(1, 0)[moved]
    cut = 2 * count // 3
    x_test = torch.where(y[cut:, None] == 1, odd[cut:], x[cut:])
    return Samples(x[:cut], y[:cut], x_test, y[cut:])


@cache
def orders(count: int = 2000, products: int = 300) -> Samples:
    """Baskets of twelve products, and which of eight campaigns the buyer answered to."""
    g = seeded(24)
    x = torch.randint(products, (count, 12), generator=g)
    tastes = (torch.randn(products, 8, generator=g) * 1.5)[x].mean(1)
    y = tastes * 3 + 0.5 * torch.randn(count, 8, generator=g) > 1
    samples = split(x, y.float())
    return samples.with_inputs(samples.x.long(), samples.x_test.long())
