"""What teaching material is rebuilt on: made-up names, news, pictures, ratings, sets and waves."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, split

LETTERS = 16
TONGUES = 5
NAME = 10
NEWS_WORDS = 240
USERS, FILMS = 300, 120


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def whole(samples: Samples) -> Samples:
    """The inputs as whole numbers."""
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


def sharp(rows: tuple[int, ...], sharpness: float, generator: torch.Generator) -> Tensor:
    return (sharpness * torch.randn(*rows, generator=generator)).softmax(-1)


@cache
def town_names(context: int, count: int = 3000) -> Samples:
    """Names as ``context`` letters and the next; a letter hangs on the two before it.

    Letter 0 stands before and behind each name.
    """
    generator = seeded(41)
    table = sharp((LETTERS, LETTERS, LETTERS), 1.8, generator)
    table[:, 0, 0] = 0
    table[..., 0] = table[..., 0].clamp(max=0.3)
    x, y = [], []
    for _ in range(count):
        before = [0] * context
        for place in range(12):
            chances = table[before[-2], before[-1]].clone()
            if place < 3:
                chances[0] = 0
            letter = int(torch.multinomial(chances, 1, generator=generator))
            x.append(before)
            y.append(letter)
            before = [*before[1:], letter]
            if letter == 0:
                break
    cut = int(0.8 * len(x))
    words, ahead = torch.tensor(x), torch.tensor(y)
    return Samples(words[:cut], ahead[:cut], words[cut:], ahead[cut:])


@cache
def surnames(count: int = 3000) -> Samples:
    """Surnames of five tongues of 5 to 10 letters, filled up with zeros."""
    generator = seeded(42)
    tables = sharp((TONGUES, LETTERS - 1, LETTERS - 1), 1.6, generator)
    y = torch.randint(TONGUES, (count,), generator=generator)
    letters = [torch.randint(LETTERS - 1, (count,), generator=generator)]
    for _ in range(NAME - 1):
        chances = tables[y, letters[-1]]
        letters.append(torch.multinomial(chances, 1, generator=generator)[:, 0])
    x = torch.stack(letters, 1) + 1
    length = torch.randint(5, NAME + 1, (count, 1), generator=generator)
    return whole(split(torch.where(torch.arange(NAME) < length, x, 0), y))


@cache
def news(count: int = 2400, length: int = 24) -> Samples:
    """Articles of four sections: each has words that it likes, and most are anybody's."""
    generator = seeded(43)
    common = sharp((NEWS_WORDS,), 1.0, generator)
    own = sharp((4, NEWS_WORDS), 2.2, generator)
    y = torch.randint(4, (count,), generator=generator)
    chances = 0.65 * common + 0.35 * own[y]
    return whole(split(torch.multinomial(chances, length, True, generator=generator), y))


@cache
def tokens_of_recipes(count: int = 400, length: int = 48) -> tuple[Tensor, Tensor]:
    """Rows of 24 tokens' grammar: a quantity's token returns at the row's next question.

    The other tokens follow a table; token 1 asks for what stood behind the last token 0.
    """
    generator = seeded(44)
    table = sharp((24, 24), 1.5, generator)
    table[:, :2] = 0.06
    table[0, :2] = table[1, :2] = 0
    rows = torch.zeros(count, length + 1, dtype=torch.long)
    held = torch.zeros(count, dtype=torch.long)
    for place in range(1, length + 1):
        last = rows[:, place - 1]
        drawn = torch.multinomial(table[last], 1, generator=generator)[:, 0]
        fresh = torch.randint(2, 24, (count,), generator=generator)
        drawn = torch.where(last == 0, fresh, drawn)
        drawn = torch.where((last == 1) & (held > 0), held, drawn)
        held = torch.where(last == 0, drawn, held)
        rows[:, place] = drawn
    cut = int(0.85 * count)
    return rows[:cut], rows[cut:]


@cache
def clocks(count: int = 2600) -> Samples:
    """Times as seven spoken tokens, three of them fillers, and as four written digits."""
    generator = seeded(45)
    hour = torch.randint(24, (count,), generator=generator)
    minute = torch.randint(60, (count,), generator=generator)
    past = torch.randint(2, (count,), generator=generator)
    filler = torch.randint(26, 32, (count, 3), generator=generator)
    h, m = [hour // 10, hour % 10], [minute // 10 + 10, minute % 10 + 16]
    first = torch.stack([filler[:, 0], *h, filler[:, 1], *m, filler[:, 2]], 1)
    other = torch.stack([*m, filler[:, 0], filler[:, 1], filler[:, 2], *h], 1)
    x = torch.where(past[:, None] > 0, first, other)
    y = torch.stack([hour // 10, hour % 10, minute // 10, minute % 10], 1)
    return whole(split(x, y, 0.85))


@cache
def buttons(count: int = 1600, size: int = 16) -> Samples:
    """Grey pictures of buttons, from 0 to 1: 5 kinds of any place, size and light, with noise."""
    generator = seeded(46)
    kind = torch.randint(5, (count,), generator=generator)

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=generator)

    axis = torch.linspace(-1, 1, size)
    across, down = axis - drawn(-0.25, 0.25), axis[:, None] - drawn(-0.25, 0.25)
    turn = drawn(-0.3, 0.3)
    a, b = turn.cos() * across + turn.sin() * down, turn.cos() * down - turn.sin() * across
    radius, far = drawn(0.45, 0.7), (a.square() + b.square()).sqrt()
    disc = torch.sigmoid((radius - far) * 12)
    ring = disc - torch.sigmoid((0.55 * radius - far) * 12)
    square = torch.sigmoid((0.8 * radius - torch.maximum(a.abs(), b.abs())) * 12)
    bar = torch.sigmoid((radius - a.abs()) * 12) * torch.sigmoid((0.2 - b.abs()) * 12)
    cross = torch.maximum(bar, torch.sigmoid((radius - b.abs()) * 12)
                          * torch.sigmoid((0.2 - a.abs()) * 12))  # fmt: skip
    all_of_them = torch.stack([disc, ring, square, bar, cross], 1)
    picture = all_of_them[torch.arange(count), kind] * drawn(0.6, 1.0)
    noise = 0.08 * torch.randn(count, size, size, generator=generator)
    return split((picture + noise).clamp(0, 1)[:, None], kind)


@cache
def weaves(count: int = 1500, size: int = 16) -> Samples:
    """Colour pictures of cloth of six weaves: stripes of three directions, checks, dots, plain."""
    generator = seeded(47)
    kind = torch.randint(6, (count,), generator=generator)
    speed = 1.2 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    phase = 6.283 * torch.rand(count, 2, 1, 1, generator=generator)
    i, j = torch.arange(size)[:, None].float(), torch.arange(size).float()
    p, q = phase[:, 0], phase[:, 1]
    waves = torch.stack(
        [
            (speed * i + p).sin() + 0 * j, (speed * j + p).sin() + 0 * i,
            (0.7 * speed * (i + j) + p).sin(), (speed * i + p).sin() * (speed * j + q).sin(),
            2 * ((speed * i + p).sin() + (speed * j + q).sin() > 1.0).float() - 0.6,
            0.2 * torch.randn(count, size, size, generator=generator),
        ],
        1,
    )[torch.arange(count), kind]  # fmt: skip
    dye = 0.3 + 0.4 * torch.rand(count, 3, 1, 1, generator=generator)
    contrast = 0.1 + 0.12 * torch.rand(count, 3, 1, 1, generator=generator)
    noise = 0.09 * torch.randn(count, 3, size, size, generator=generator)
    return split((dye + contrast * waves[:, None] + noise).clamp(0, 1), kind)


@cache
def sines(count: int = 260, length: int = 60) -> tuple[Tensor, Tensor]:
    """Sines of any phase and of periods about 18, with a little noise."""
    generator = seeded(48)
    period = 14 + 8 * torch.rand(count, 1, generator=generator)
    phase = 6.283 * torch.rand(count, 1, generator=generator)
    found = (6.283 * torch.arange(length + 1.0) / period + phase).sin()
    found = found + 0.05 * torch.randn(count, length + 1, generator=generator)
    return found[:200], found[200:]


class Pairs(NamedTuple):
    """Two strokes of a pen each, whether one hand wrote both, and the same to measure on."""

    train: tuple[Tensor, Tensor, Tensor]
    test: tuple[Tensor, Tensor, Tensor]


@cache
def signatures(hands: int = 40, each: int = 24, length: int = 40, pairs: int = 2400) -> Pairs:
    """Hands that sign each time a little differently; those to measure on are other strokes."""
    generator = seeded(49)
    coefficients = torch.randn(hands, 2, 5, generator=generator) / torch.arange(1.0, 6)
    shift = torch.rand(hands, 2, 5, generator=generator)
    time = torch.linspace(0, 1, length)
    own = coefficients[:, None] + 0.12 * torch.randn(hands, each, 2, 5, generator=generator)
    basis = (6.283 * (torch.arange(1.0, 6)[:, None] * time + shift[..., None])).sin()
    strokes = torch.einsum("hecf,hcft->hect", own, basis)
    strokes = strokes + 0.05 * torch.randn(strokes.shape, generator=generator)

    def drawn(low: int, high: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        a = torch.randint(hands, (count,), generator=generator)
        other = (a + torch.randint(1, hands, (count,), generator=generator)) % hands
        same = torch.rand(count, generator=generator) < 0.5
        b = torch.where(same, a, other)
        i, j = torch.randint(low, high, (2, count), generator=generator)
        return strokes[a, i], strokes[b, j], same.float()

    return Pairs(drawn(0, each - 6, pairs), drawn(each - 6, each, 800))


class Graph(NamedTuple):
    """Features, a normalized matrix of who knows whom, labels, and two choices of nodes."""

    x: Tensor
    near: Tensor
    y: Tensor
    known: Tensor
    asked: Tensor


@cache
def club(members: int = 600, groups: int = 5) -> Graph:
    """A club whose members know mostly those of their own group."""
    generator = seeded(50)
    y = torch.randint(groups, (members,), generator=generator)
    same = y[:, None] == y
    chance = torch.where(same, 0.035, 0.007)
    upper = (torch.rand(members, members, generator=generator) < chance).triu(1)
    edges = (upper | upper.T).float() + torch.eye(members)
    root = edges.sum(1).rsqrt()
    centres = torch.randn(groups, 32, generator=generator)
    x = 0.35 * centres[y] + torch.randn(members, 32, generator=generator)
    order = torch.randperm(members, generator=generator)
    return Graph(x, root[:, None] * edges * root, y, order[:240], order[300:])


@cache
def film_ratings(count: int = 16000) -> Samples:
    """Stars from 1 to 5 by users and films of four hidden tastes; each row a user and a film."""
    generator = seeded(51)
    users = torch.randn(USERS, 4, generator=generator)
    films = torch.randn(FILMS, 4, generator=generator)
    mild = 0.4 * torch.randn(USERS, generator=generator)
    good = 0.5 * torch.randn(FILMS, generator=generator)
    u = torch.randint(USERS, (count,), generator=generator)
    f = torch.randint(FILMS, (count,), generator=generator)
    stars = 3.4 + mild[u] + good[f] + 0.45 * (users[u] * films[f]).sum(1)
    stars = stars + 0.5 * torch.randn(count, generator=generator)
    return whole(split(torch.stack([u, f], 1), stars.clamp(1, 5), 0.8))


@cache
def pinwheel(count: int = 9000) -> tuple[Tensor, Tensor]:
    """Points of four bent clusters, scaled."""
    generator = seeded(52)
    arm = torch.randint(4, (count,), generator=generator)
    far = 0.3 * torch.randn(count, 2, generator=generator) * torch.tensor([1.0, 0.35])
    far[:, 0] += 1.0
    angle = 1.5708 * arm + 1.1 * far[:, 0]
    x = torch.stack(
        [far[:, 0] * angle.cos() - far[:, 1] * angle.sin(),
         far[:, 0] * angle.sin() + far[:, 1] * angle.cos()], 1,
    )  # fmt: skip
    x = x / x.std(0)
    return x[:7500], x[7500:]


@cache
def shop_days(count: int = 4000) -> Samples:
    """Shop, weekday, promotion, and four columns in their units; the target is log of sales."""
    generator = seeded(53)
    shop = torch.randint(40, (count,), generator=generator)
    day = torch.randint(7, (count,), generator=generator)
    promo = torch.randint(2, (count,), generator=generator)
    celsius = 12 + 8 * torch.randn(count, generator=generator)
    distance = (7 + torch.randn(count, generator=generator)).exp()
    area = 800 + 250 * torch.randn(count, generator=generator)
    since = 3000 * torch.rand(count, generator=generator)
    level = 0.5 * torch.randn(40, generator=generator)
    weekly = 0.4 * torch.randn(7, generator=generator)
    liking = 0.15 * torch.randn(40, generator=generator)
    y = 8.5 + level[shop] + weekly[day] + promo * (0.35 + liking[shop])
    y = y - 0.12 * (distance.log() - 7) + 0.0004 * (area - 800)
    y = y + 0.12 * torch.tanh((celsius - 12) / 8) * (day > 4) + 0.00005 * since
    y = y + 0.15 * torch.randn(count, generator=generator)
    x = torch.stack([shop, day, promo, celsius, distance, area, since], 1)
    return split(x, y, 0.8)


@cache
def station(hours: int = 9000, window: int = 36) -> Samples:
    """Six columns of a weather station, hour by hour, in units; the temperature in six hours."""
    generator = seeded(54)
    noise = torch.randn(hours, 6, generator=generator)
    slow = torch.zeros(hours, 3)
    for hour in range(1, hours):
        slow[hour] = 0.97 * slow[hour - 1] + 0.25 * noise[hour, :3]
    time = torch.arange(hours)
    sun = (-(6.283 * time / 24).cos()).clamp(min=0) * (0.6 + 0.4 * torch.tanh(slow[:, 1]))
    warm = 10 + 3 * slow[:, 0] + 6 * torch.roll(sun, 3) + 0.4 * noise[:, 3]
    pressure = 1013 + 8 * slow[:, 1] + 0.5 * noise[:, 4]
    wind = (2 + 2 * slow[:, 2] + noise[:, 5]).abs()
    damp = 70 - 2 * (warm - 10) + 6 * slow[:, 2]
    clock = 6.283 * time / 24
    rows = torch.stack([warm, pressure, wind, damp, clock.sin(), clock.cos()], 1)
    x = rows.unfold(0, window, 3)[:-4].transpose(1, 2)
    y = warm[window + 5 :: 3][: len(x)]
    cut = int(0.75 * len(x))
    return Samples(x[:cut], y[:cut], x[cut + 14 :], y[cut + 14 :])


@cache
def stained_glass(size: int = 40) -> Samples:
    """Places in a picture from -1 to 1 and their grey; those to measure on lie between them."""
    generator = seeded(55)
    axis = torch.linspace(-1, 1, size)
    places = torch.cartesian_prod(axis, axis)
    centres = 2 * torch.rand(9, 2, generator=generator) - 1
    tone = 2 * torch.rand(9, generator=generator) - 1
    near = (places[:, None] - centres).square().sum(-1).argmin(1)
    grey = 0.6 * tone[near] + 0.4 * (9 * places[:, 0] + 5 * places[:, 1]).sin()
    return split(places, grey)


@cache
def handfuls(count: int = 2400, items: int = 14) -> Samples:
    """Sets of 14 points of the plane; the target is the area of the ellipse that they fill."""
    generator = seeded(56)
    spread = 0.4 + 1.2 * torch.rand(count, 2, generator=generator)
    centre = torch.randn(count, 1, 2, generator=generator)
    points = centre + spread[:, None] * torch.randn(count, items, 2, generator=generator)
    deviation = points.std(1)
    return split(points, 3.1416 * deviation.prod(1))


@cache
def heartbeats(count: int = 1400, length: int = 64) -> Samples:
    """Beats from 0 to 1, and whether each is odd; those to train on are all but sound."""
    generator = seeded(57)
    odd = torch.arange(count) >= 1100
    time = torch.linspace(0, 1, length)

    def bump(place: float, wide: float, high: float, *, loose: float = 0.015) -> Tensor:
        at = place + loose * torch.randn(count, 1, generator=generator)
        tall = high * (1 + 0.12 * torch.randn(count, 1, generator=generator))
        return tall * (-((time - at) / wide).square()).exp()

    beat = bump(0.2, 0.04, 0.15) + bump(0.4, 0.02, 0.9) - bump(0.45, 0.02, 0.25)
    late = bump(0.68, 0.06, 0.3)
    wrong = -0.8 * bump(0.62, 0.08, 0.3) + bump(0.5, 0.03, 0.25)
    beat = beat + torch.where(odd[:, None], wrong, late)
    x = (beat + 0.3 + 0.03 * torch.randn(count, length, generator=generator)) / 1.3
    order = torch.randperm(1100, generator=generator)
    test = torch.cat([order[900:], torch.arange(1100, count)])
    return Samples(x[order[:900]], odd[order[:900]], x[test], odd[test])


@cache
def adverts(count: int = 6000) -> Samples:
    """Six fields of adverts as numbers from 0 to 79, and whether somebody clicked."""
    generator = seeded(58)
    sizes = torch.tensor([30, 20, 12, 8, 6, 4])
    start = torch.tensor([0, 30, 50, 62, 70, 76])
    fields = (torch.rand(count, 6, generator=generator) * sizes).long() + start
    bias = 0.5 * torch.randn(80, generator=generator)
    hidden = 0.6 * torch.randn(80, 3, generator=generator)
    own = hidden[fields]
    pairs = (own.sum(1).square() - own.square().sum(1)).sum(1) / 2
    logit = bias[fields].sum(1) + pairs - 0.8
    clicked = torch.rand(count, generator=generator) < logit.sigmoid()
    return whole(split(fields, clicked.long(), 0.8))


@cache
def corridor(count: int = 4000) -> tuple[Tensor, ...]:
    """Steps of a cart on a windy track: place, what was done, reward, next place, and the end.

    The cart stands between 0 and 1; reaching the right end pays 1, each step costs 0.02.
    """
    generator = seeded(59)
    place = torch.rand(count, generator=generator)
    action = torch.randint(3, (count,), generator=generator)
    wind = 0.03 * torch.randn(count, generator=generator)
    there = (place + 0.1 * (action - 1) + wind).clamp(0, 1)
    end = there >= 0.95
    return place[:, None], action, end.float() - 0.02, there[:, None], end.float()


@cache
def heart_clinic(count: int = 3000, share: float = 0.04) -> Samples:
    """Ten columns of patients, of whom few are ill; six columns say something about it."""
    generator = seeded(60)
    ill = torch.rand(count, generator=generator) < share
    shift = torch.tensor([0.9, -0.8, 0.7, 0.7, -0.6, 0.5, 0, 0, 0, 0])
    x = torch.randn(count, 10, generator=generator) + shift * ill[:, None]
    x[:, 6] += 0.5 * x[:, 0]
    return split(x, ill.long())


@cache
def targets_on_a_board(count: int = 1500) -> Samples:
    """Throws at a board: whether one lies in the inner circle or the outer ring, or between."""
    generator = seeded(61)
    x = torch.randn(count, 2, generator=generator)
    far = x.square().sum(1).sqrt() + 0.06 * torch.randn(count, generator=generator)
    return split(x, ((far > 0.8) & (far < 1.6)).long())


@cache
def gadgets(count: int = 1800, features: int = 30, classes: int = 8) -> Samples:
    """Rows of measured columns that hang together, of eight kinds of gadget."""
    generator = seeded(62)
    y = torch.randint(classes, (count,), generator=generator)
    centres = torch.randn(classes, 8, generator=generator)
    lift = torch.randn(8, features, generator=generator) / 8**0.5
    low = centres[y] + 0.55 * torch.randn(count, 8, generator=generator)
    x = torch.tanh(low @ lift) + 0.25 * torch.randn(count, features, generator=generator)
    return split(x / x.std(0), y)


@cache
def smooth_times(count: int = 600) -> tuple[Tensor, Tensor]:
    """Times between 0 and 1 to hold an equation at, and an even row of them to measure on."""
    return torch.rand(count, 1, generator=seeded(63)), torch.linspace(0, 1, 101)[:, None]


@cache
def degraded(count: int = 700, size: int = 12) -> Samples:
    """Small pictures of soft blobs, and the same with twice as many pixels on each side."""
    generator = seeded(64)
    coarse = torch.randn(count, 1, 6, 6, generator=generator)
    large = F.interpolate(coarse, size=2 * size, mode="bicubic", align_corners=False)
    large = torch.sigmoid(3 * large)
    small = F.avg_pool2d(large, 2)
    small = small + 0.02 * torch.randn(count, 1, size, size, generator=generator)
    return split(small, large)
