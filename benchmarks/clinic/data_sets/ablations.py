"""Plain data of a benchmark of training faults: points, pictures, signals, texts and tables."""

from functools import cache
from typing import NamedTuple

import torch
from sklearn import datasets
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split, standardized


@cache
def rings(kinds: int = 4, count: int = 2400, noise: float = 0.09) -> Samples:
    """Points on rings about one centre, as many rings as classes; radii from 0.5 on."""
    draw = torch.Generator().manual_seed(901)
    y = torch.randint(kinds, (count,), generator=draw)
    angle = 6.2832 * torch.rand(count, generator=draw)
    radius = 0.5 + 0.45 * y + noise * torch.randn(count, generator=draw)
    return split(radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1), y)


@cache
def checkerboard(squares: int = 4, count: int = 3000) -> Samples:
    """Points from -2 to 2, on the black or on the white squares of a board."""
    draw = torch.Generator().manual_seed(902)
    x = 4 * torch.rand(count, 2, generator=draw) - 2
    cell = ((x + 2) * squares / 4).floor().long()
    return split(x, cell.sum(1) % 2)


@cache
def pinwheel(arms: int = 5, count: int = 2000) -> Samples:
    """Arms of points that bend away from the centre."""
    draw = torch.Generator().manual_seed(903)
    y = torch.randint(arms, (count,), generator=draw)
    far = 1.0 + 0.35 * torch.randn(count, generator=draw)
    aside = 0.08 * torch.randn(count, generator=draw)
    angle = 6.2832 * y / arms + 0.7 * far.exp()
    place = torch.stack([
        far * angle.cos() - aside * angle.sin(), far * angle.sin() + aside * angle.cos()
    ], 1)  # fmt: skip
    return split(place, y)


@cache
def mixtures(kinds: int = 6, count: int = 2400, features: int = 20, near: float = 0.75) -> Samples:
    """Gaussian classes that overlap, each of two clusters with correlated features."""
    draw = torch.Generator().manual_seed(904)
    centre = near * torch.randn(kinds, 2, features, generator=draw)
    mix = torch.randn(kinds, features, features, generator=draw) / features**0.5
    y = torch.randint(kinds, (count,), generator=draw)
    half = torch.randint(2, (count,), generator=draw)
    noise = torch.randn(count, features, generator=draw)
    x = centre[y, half] + 0.6 * noise + 0.6 * torch.einsum("nij,nj->ni", mix[y], noise)
    return standardized(split(x, y))


@cache
def hastie(count: int = 3000) -> Samples:
    """Ten normal features, and whether their squares add up to more than the median."""
    x, y = datasets.make_hastie_10_2(count, random_state=905)
    return split(x, (y > 0).astype(int))


@cache
def far_out(share: float = 0.03, count: int = 6000) -> Samples:
    """Ten normal features; the few whose first five squares are largest are to be found."""
    draw = torch.Generator().manual_seed(906)
    x = torch.randn(count, 10, generator=draw)
    level = (
        x[:, :5].square().sum(1).sqrt() + 0.9 * x[:, 5] + 0.25 * torch.randn(count, generator=draw)
    )
    return split(x, (level > level.quantile(1 - share)).long())


@cache
def impedance(count: int = 1600, units: bool = True) -> Samples:
    """Friedman's second: resistance, frequency, inductance, capacity; target scaled."""
    x, y = datasets.make_friedman2(count, noise=20.0, random_state=907)
    data = scaled_targets(split(x, y))
    return data if units else standardized(data)


@cache
def roll(count: int = 2000) -> Samples:
    """Places on a rolled sheet, and how far along the sheet; both scaled."""
    x, t = datasets.make_swiss_roll(count, noise=0.3, random_state=908)
    return scaled_targets(standardized(split(x, t)))


class Glyphs(NamedTuple):
    """Pictures, what they show, where and how large it is, and which pixels are of it."""

    x: Tensor
    kind: Tensor
    place: Tensor
    mask: Tensor


KINDS = 6


@cache
def drawn(count: int = 2400, size: int = 14, noise: float = 0.25) -> Glyphs:
    """One glyph a picture: disc, ring, cross, saltire, square or bar, grey and noisy."""
    draw = torch.Generator().manual_seed(909)
    y = torch.randint(KINDS, (count,), generator=draw)
    u = torch.rand(4, count, 1, 1, generator=draw)
    radius = size * (0.2 + 0.12 * u[0])
    left, top = (radius + (size - 1 - 2 * radius) * u[k] for k in (1, 2))
    axis = torch.arange(size).float()
    across, down = (axis - left) / radius, (axis[:, None] - top) / radius
    far, wide = across.square() + down.square(), torch.maximum(across.abs(), down.abs())
    forms = torch.stack([
        far < 1, (far > 0.4) & (far < 1.15),
        (torch.minimum(across.abs(), down.abs()) < 0.3) & (wide < 1),
        (((across - down).abs() < 0.42) | ((across + down).abs() < 0.42)) & (wide < 1),
        (wide > 0.6) & (wide < 1.05), (down.abs() < 0.35) & (wide < 1.05).expand_as(far),
    ])  # fmt: skip
    mask = forms[y, torch.arange(count)].float()
    x = (0.6 + 0.6 * u[3]) * mask + noise * torch.randn(count, size, size, generator=draw)
    place = torch.cat([left, top, radius], 1)[..., 0] / size
    return Glyphs((x[:, None] - 0.2) / 0.4, y, place, mask[:, None])


@cache
def glyphs() -> Samples:
    found = drawn()
    return split(found.x, found.kind)


@cache
def beats(length: int = 48, count: int = 1800) -> Samples:
    """Pulses in a row: narrow, wide, out of step, or with every second one upside down."""
    draw = torch.Generator().manual_seed(910)
    y = torch.randint(4, (count,), generator=draw)
    time = torch.arange(length).float()
    pause = 9 + 3 * torch.rand(count, 1, generator=draw)
    stray = torch.where(y[:, None] == 2, 2.6, 0.3) * torch.randn(count, 7, generator=draw)
    begin = pause * torch.rand(count, 1, generator=draw)
    when = begin + pause * torch.arange(7) + stray
    sign = torch.where((y[:, None] == 3) & (torch.arange(7) % 2 == 1), -1.0, 1.0)
    width = torch.where(y == 1, 2.2, 1.0)[:, None, None]
    bump = (-((time - when[..., None]) / width).square()).exp()
    x = (sign[..., None] * bump).sum(1)
    x = x * (0.8 + 0.4 * torch.rand(count, 1, generator=draw))
    x = x + 0.2 * torch.randn(count, length, generator=draw)
    return split(x[..., None], y)


class Strips(NamedTuple):
    """Signals of different lengths, padded by zeros behind."""

    x: Tensor
    length: Tensor
    y: Tensor


@cache
def strips(count: int = 2000, longest: int = 36) -> Strips:
    """Slow or fast waves that swell or fade, in all four pairs; 14 to 36 steps."""
    draw = torch.Generator().manual_seed(911)
    y = torch.randint(4, (count,), generator=draw)
    length = torch.randint(14, longest + 1, (count,), generator=draw)
    time = torch.arange(longest).float()
    speed = 0.55 + 0.5 * (y % 2)[:, None] + 0.15 * torch.rand(count, 1, generator=draw)
    part = time / length[:, None]
    loud = torch.where((y >= 2)[:, None], 0.4 + part, 1.4 - part)
    x = loud * (speed * time + 6.2832 * torch.rand(count, 1, generator=draw)).sin()
    x = x + 0.25 * torch.randn(count, longest, generator=draw)
    return Strips((x * (time < length[:, None]))[..., None], length, y)


WORDS = 400


@cache
def topics(kinds: int = 5, count: int = 3000, length: int = 24, own: float = 0.25) -> Samples:
    """Word numbers after Zipf's law; a quarter of a text is of its topic."""
    draw = torch.Generator().manual_seed(913)
    common = 1 / (torch.arange(WORDS).float() + 3)
    special = torch.zeros(kinds, WORDS)
    for kind in range(kinds):
        pick = torch.randperm(WORDS, generator=draw)[:40]
        special[kind, pick] = 1 / (torch.arange(40).float() + 3)
    y = torch.randint(kinds, (count,), generator=draw)
    x = torch.multinomial(common.expand(count, -1), length, True, generator=draw)
    theirs = torch.multinomial(special[y], length, True, generator=draw)
    x = torch.where(torch.rand(count, length, generator=draw) < own, theirs, x)
    found = split(x, y)
    return found.with_inputs(found.x.long(), found.x_test.long())


LETTERS = "abcdefghijklmnopqrstuvwxyz ."


@cache
def tale(sentences: int = 1500, block: int = 40) -> tuple[Tensor, Tensor]:
    """Letters of made-up sentences in blocks: some to train on, and others."""
    draw = torch.Generator().manual_seed(914)
    nouns = [
        "dog",
        "bird",
        "fisher",
        "river",
        "baker",
        "queen",
        "thief",
        "garden",
        "horse",
        "lantern",
    ]
    verbs = ["sees", "follows", "paints", "fears", "greets", "forgets", "hears", "lifts"]
    kinds = ["small", "red", "quiet", "old", "clever", "broken"]

    def one(words: list[str]) -> str:
        return words[int(torch.randint(len(words), (), generator=draw))]

    def noun() -> str:
        kind = f"{one(kinds)} " if torch.rand((), generator=draw) < 0.5 else ""
        return f"{one(['the', 'a'])} {kind}{one(nouns)}"

    text = "".join(f"{noun()} {one(verbs)} {noun()}. " for _ in range(sentences))
    codes = torch.tensor([LETTERS.index(letter) for letter in text])
    blocks = codes[: len(codes) // (block + 1) * (block + 1)].view(-1, block + 1)
    cut = int(0.85 * len(blocks))
    return blocks[:cut], blocks[cut:]


@cache
def visits(count: int = 2400) -> Samples:
    """How often something is counted; its rate is a product of effects of seven features."""
    draw = torch.Generator().manual_seed(915)
    x = torch.randn(count, 7, generator=draw)
    eta = 0.8 + 0.5 * x[:, 0] - 0.4 * x[:, 1] * x[:, 2] + 0.4 * (1.5 * x[:, 3]).sin()
    return split(x, torch.poisson(eta.clamp(max=3.5).exp(), generator=draw))


class Lives(NamedTuple):
    """Measures, the time at which each was last seen, and whether it failed then."""

    x: Tensor
    time: Tensor
    failed: Tensor


@cache
def lives(count: int = 2200) -> Lives:
    draw = torch.Generator().manual_seed(916)
    x = torch.randn(count, 6, generator=draw)
    risk = 1.0 * x[:, 0] + 0.7 * x[:, 1].abs() - 0.9 * x[:, 2] * x[:, 3].sigmoid()
    life = (-torch.rand(count, generator=draw).log() * (-risk).exp()) ** 0.7
    left = 2.2 * torch.rand(count, generator=draw)
    return Lives(x, torch.minimum(life, left), (life <= left).float())


@cache
def ranks(levels: int = 5, count: int = 2400) -> Samples:
    """Levels in an order, cut from a hidden amount with noise."""
    draw = torch.Generator().manual_seed(917)
    x = torch.randn(count, 9, generator=draw)
    amount = x[:, 0] + (1.3 * x[:, 1]).sin() + 0.7 * x[:, 2] * x[:, 3] - 0.6 * x[:, 4]
    amount = amount + 0.4 * torch.randn(count, generator=draw)
    bounds = amount.quantile(torch.linspace(0, 1, levels + 1)[1:-1])
    return split(x, torch.bucketize(amount, bounds))


@cache
def marks(kinds: int = 8, count: int = 4000) -> Samples:
    """Twelve features and eight labels; from 30 % down to 4 % of the rows have one."""
    draw = torch.Generator().manual_seed(918)
    x = torch.randn(count, 12, generator=draw)
    way = torch.randn(12, kinds, generator=draw)
    bend = torch.randn(12, kinds, generator=draw)
    level = x @ way / 3 + 0.6 * (x @ bend / 3).square()
    level = level + 0.15 * torch.randn(count, kinds, generator=draw)
    share = torch.logspace(-0.52, -1.4, kinds)
    bound = torch.stack([level[:, k].quantile(1 - share[k]) for k in range(kinds)])
    return split(x, (level > bound).float())


@cache
def uneven(count: int = 2400) -> Samples:
    """One input from -1 to 1, and a curve about which the noise widens."""
    draw = torch.Generator().manual_seed(919)
    x = 2 * torch.rand(count, 1, generator=draw) - 1
    noise = (0.1 + 0.35 * (x[:, 0] + 1)) * torch.randn(count, generator=draw)
    return split(x, (3.5 * x[:, 0]).sin() + 0.6 * x[:, 0] + noise)


class Moves(NamedTuple):
    """What was kept of a walk: place, step, reward, next place, and whether it ended."""

    place: Tensor
    action: Tensor
    reward: Tensor
    after: Tensor
    done: Tensor


STEPS = ((0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2))


@cache
def moves(count: int = 4000) -> Moves:
    """Random steps in a square from -1 to 1; its upper right corner ends the walk, and pays."""
    draw = torch.Generator().manual_seed(920)
    place = 2 * torch.rand(count, 2, generator=draw) - 1
    action = torch.randint(4, (count,), generator=draw)
    after = place + torch.tensor(STEPS)[action] + 0.02 * torch.randn(count, 2, generator=draw)
    after = after.clamp(-1, 1)
    done = (after > 0.6).all(1).float()
    return Moves(place, action, done, after, done)


@cache
def few(count: int = 90, wrong: float = 0.12) -> Samples:
    """Mixtures of three kinds: few rows to train on, some of them with a wrong label."""
    data = mixtures(3, 1500, 12, 0.6)
    draw = torch.Generator().manual_seed(921)
    guess = torch.randint(3, (count,), generator=draw)
    slip = torch.rand(count, generator=draw) < wrong
    y = torch.where(slip, guess, data.y[:count])
    return data.first(count)._replace(y=y)


@cache
def modes(count: int = 3000) -> Tensor:
    """Points about the corners of a hexagon, of radius 1.5."""
    draw = torch.Generator().manual_seed(922)
    corner = torch.randint(6, (count,), generator=draw)
    angle = 1.0472 * corner
    centre = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
    return centre + 0.15 * torch.randn(count, 2, generator=draw)
