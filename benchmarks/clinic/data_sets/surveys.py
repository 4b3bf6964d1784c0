"""More data, synthetic: pictures, tables, series, texts, graphs, sounds, boards and scans."""

from functools import cache
from itertools import permutations
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

COLOURS = torch.tensor([[0.9, 0.2, 0.2], [0.2, 0.8, 0.3], [0.2, 0.4, 0.9]])


class Pictures(NamedTuple):
    """RGB pictures from 0 to 1 of one shape each, and what is on them."""

    x: Tensor
    shape: Tensor
    colour: Tensor
    corner: Tensor
    mask: Tensor

    def labelled(self, y: Tensor, count: int = 800) -> Samples:
        """The first so many to train on, the last 300 to measure on."""
        return Samples(self.x[:count], y[:count], self.x[-300:], y[-300:])


def _draw(kind: Tensor, row: Tensor, column: Tensor, radius: Tensor, size: int) -> Tensor:
    """Masks of discs, squares, crosses and rings around a centre."""
    grid = torch.arange(size).float()
    dy = grid[None, :, None] - row[:, None, None]
    dx = grid[None, None, :] - column[:, None, None]
    r = radius[:, None, None]
    distance = (dx**2 + dy**2).sqrt()
    box = torch.maximum(dx.abs(), dy.abs()) <= r
    cross = box & (torch.minimum(dx.abs(), dy.abs()) <= 0.7)
    ring = (distance - r).abs() <= 0.8
    every = torch.stack([distance <= r, box, cross, ring], 1)
    return every[torch.arange(len(kind)), kind]


@cache
def pictures(count: int = 1100, size: int = 12) -> Pictures:
    generator = torch.Generator().manual_seed(21)
    uniform = torch.rand(4, count, generator=generator)
    shape = torch.randint(4, (count,), generator=generator)
    colour = torch.randint(3, (count,), generator=generator)
    radius = 2.2 + 1.6 * uniform[0]
    row, column = 4 + (size - 9) * uniform[1], 4 + (size - 9) * uniform[2]
    mask = _draw(shape, row, column, radius, size)
    ground = 0.4 * uniform[3, :, None, None, None].expand(-1, 3, size, size)
    x = torch.where(mask[:, None], COLOURS[colour][:, :, None, None], ground)
    x = (x + 0.05 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    corner = torch.stack([row, column], 1) / size
    return Pictures(x, shape, colour, corner, mask.float())


@cache
def houses(noise: float = 0.15, count: int = 2000) -> Samples:
    """Area, rooms, age, distance, income and three scores against the price in thousands."""
    generator = torch.Generator().manual_seed(22)
    area = 60 + 50 * torch.rand(count, generator=generator).square() * 4
    rooms = (area / 30 + torch.rand(count, generator=generator) * 2).floor()
    age = 80 * torch.rand(count, generator=generator)
    distance = torch.empty(count).exponential_(0.2, generator=generator)
    income = 30_000 * torch.exp(0.5 * torch.randn(count, generator=generator))
    scores = torch.rand(count, 3, generator=generator)
    value = torch.log(area / 100) - 0.15 * distance.sqrt() + 0.4 * torch.log(income / 30_000)
    value = value + 0.3 * (age / 40 - 1).square() + 0.5 * scores[:, 0] * scores[:, 1]
    value = value + noise * torch.randn(count, generator=generator)
    x = torch.cat([torch.stack([area, rooms, age, distance, income], 1), scores], 1)
    return split(x, 250 * value.exp())


@cache
def payments(rate: float = 0.02, count: int = 6000) -> Samples:
    """Twelve standardised features of card payments, of which few are fraud."""
    generator = torch.Generator().manual_seed(23)
    y = (torch.rand(count, generator=generator) < rate).long()
    x = torch.randn(count, 12, generator=generator)
    x[:, 0] += 1.2 * y
    x[:, 1] *= 1 + 1.0 * y
    x[:, 2] -= 1.0 * y
    return split(x, y)


@cache
def loads(window: int = 24, count: int = 1600) -> Samples:
    """Windows of an hourly load in megawatts, and the hour that follows each."""
    generator = torch.Generator().manual_seed(24)
    hours = torch.arange(count + window + 1).float()
    noise = torch.randn(len(hours), generator=generator)
    series = 3000 + 900 * torch.sin(6.283 * hours / 24) + 400 * torch.sin(6.283 * hours / 168)
    series = series + 250 * torch.sin(12.566 * hours / 24 + 1) + 120 * noise
    x = series.unfold(0, window, 1)[:count, :, None]
    return split(x, series[window : window + count])


@cache
def scaled_loads(window: int = 24) -> Samples:
    """The same in units of a thousand around their mean."""
    data = loads(window)
    x, y, x_test, y_test = ((part - 3000) / 1000 for part in data)
    return Samples(x, y, x_test, y_test)


WORDS = ("tensor", "gradient", "of", "the", "a", "loss", "falls", "learns", "model", "deep")
ALPHABET = " abcdefghijklmnopqrstuvwxyz"


@cache
def letters(length: int = 32, count: int = 1000) -> Samples:
    """Numbers of letters in a text of ten words, and the letters that follow each."""
    generator = torch.Generator().manual_seed(25)
    drawn = torch.randint(len(WORDS), (count * length // 4,), generator=generator)
    text = " ".join(WORDS[k] for k in drawn.tolist())
    numbers = torch.tensor([ALPHABET.index(letter) for letter in text])
    rows = numbers[: count * (length + 1)].reshape(count, length + 1)
    cut = count * 7 // 10
    return Samples(rows[:cut, :-1], rows[:cut, 1:], rows[cut:, :-1], rows[cut:, 1:])


@cache
def entities(length: int = 16, count: int = 900) -> tuple[Tensor, Tensor]:
    """Sentences in which nine words hint at a name of three kinds, which follows one time in four.

    Padding is word 0, labelled -100.
    """
    generator = torch.Generator().manual_seed(41)
    words = torch.randint(1, 90, (count, length), generator=generator)
    hints = torch.randint(90, 99, (count, length), generator=generator)
    hinted = torch.rand(count, length, generator=generator) < 0.08
    words = torch.where(hinted, hints, words)
    follows = torch.rand(count, length, generator=generator) < 0.25
    labels = torch.where(hinted & follows, 1 + words % 3, 0).roll(1, 1)
    labels[:, 0] = 0
    ends = torch.randint(length // 2, length + 1, (count, 1), generator=generator)
    beyond = torch.arange(length) >= ends
    return words.masked_fill(beyond, 0), labels.masked_fill(beyond, -100)


@cache
def communities(nodes: int = 400) -> tuple[Tensor, Tensor, Tensor]:
    """Features of nodes, who is next to whom and to itself, and to which of four each belongs."""
    generator = torch.Generator().manual_seed(42)
    label = torch.randint(4, (nodes,), generator=generator)
    centers = torch.randn(4, 8, generator=generator)
    features = 0.5 * centers[label] + torch.randn(nodes, 8, generator=generator)
    chance = torch.where(label[:, None] == label, 0.12, 0.02)
    edges = (torch.rand(nodes, nodes, generator=generator) < chance).triu(1).float()
    return features, edges + edges.T + torch.eye(nodes), label


@cache
def clouds(points: int = 200, count: int = 900) -> Samples:
    """Points around the origin, spread along one of four directions."""
    generator = torch.Generator().manual_seed(43)
    y = torch.randint(4, (count,), generator=generator)
    angle = 0.785 * y + 0.1 * torch.randn(count, generator=generator)
    along = torch.stack([angle.cos(), angle.sin()], 1)
    x = 0.5 * torch.randn(count, points, 2, generator=generator)
    x = x + torch.randn(count, points, 1, generator=generator) * along[:, None]
    return split(x, y)


@cache
def ratings(users: int = 150, items: int = 120, count: int = 5000) -> Samples:
    """Pairs of a user and an item, and ratings around 0 that two factors explain."""
    generator = torch.Generator().manual_seed(45)
    user = torch.randint(users, (count,), generator=generator)
    item = torch.randint(items, (count,), generator=generator)
    taste = torch.randn(users, 2, generator=generator)
    kind = torch.randn(items, 2, generator=generator)
    noise = torch.randn(count, generator=generator)
    rating = 0.7 * (taste[user] * kind[item]).sum(1) + 0.6 * noise
    data = split(torch.stack([user, item], 1), rating)
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def orders(length: int = 10, count: int = 1500) -> Samples:
    """Events of 30 kinds, and whether kind 0 comes before kind 1."""
    generator = torch.Generator().manual_seed(46)
    x = torch.randint(2, 30, (count, length), generator=generator)
    places = torch.rand(count, length, generator=generator).argsort(1)[:, :2]
    x.scatter_(1, places, torch.tensor([0, 1]).expand(count, 2))
    data = split(x, (places[:, 0] < places[:, 1]).long())
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def spoken(count: int = 900, length: int = 2048) -> Samples:
    """Waveforms of six words between silences that are exactly 0.

    A word is three tones, in an order of its own and as high as its speaker has it.
    """
    generator = torch.Generator().manual_seed(51)
    y = torch.randint(6, (count,), generator=generator)
    orders = torch.tensor(list(permutations((0, 1, 2))))
    uniform = torch.rand(3, count, 1, generator=generator)
    place = (torch.arange(length) - uniform[0] * (length - 1440)).div(480).floor().long()
    tones = torch.tensor([250.0, 600.0, 1400.0])[orders[y].gather(1, place.clamp(0, 2))]
    phase = (6.283 / 4000 * tones * (0.8 + 0.4 * uniform[1])).cumsum(1)
    noise = torch.randn(count, length, generator=generator)
    voice = (0.1 + 0.4 * uniform[2]) * phase.sin() + 0.15 * noise
    return split(torch.where((place >= 0) & (place < 3), voice, 0.0), y)


LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


@cache
def outlook(board: str) -> int:
    """What the player to move ("o") gets in noughts and crosses: 0 loses, 1 draws, 2 wins."""
    if any(all(board[k] == "x" for k in line) for line in LINES):
        return 0
    swapped = board.translate(str.maketrans("ox", "xo"))
    free = [k for k in range(9) if board[k] == "."]
    return max((2 - outlook(f"{swapped[:k]}x{swapped[k + 1 :]}") for k in free), default=1)


@cache
def boards() -> Samples:
    """All positions that are not decided yet, as the places of either, and how they end."""
    outlook("." * 9)
    found, seen = ["." * 9], {"." * 9}
    for board in found:
        swapped = board.translate(str.maketrans("ox", "xo"))
        after = [f"{swapped[:k]}x{swapped[k + 1 :]}" for k in range(9) if board[k] == "."]
        won = [any(all(a[k] == "x" for k in line) for line in LINES) for a in after]
        new = [a for a, end in zip(after, won, strict=True) if not end and "." in a]
        found += [a for a in dict.fromkeys(new) if a not in seen]
        seen.update(new)
    places = [[[k == side for k in board] for side in "ox"] for board in found]
    return split(torch.tensor(places).float(), [outlook(board) for board in found], 0.8)


@cache
def lesions(count: int = 160) -> tuple[Tensor, Tensor]:
    """Scans of 8x16x16 voxels in Hounsfield units, and a mask of the lesion in each."""
    generator = torch.Generator().manual_seed(52)
    axes = torch.arange(8.0), torch.arange(16.0), torch.arange(16.0)
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    body = ((grid[1:] - 7.5) / 7).square().sum(0) < 1
    center = torch.tensor([3.5, 7.5, 7.5]) + torch.tensor([4.0, 6.0, 6.0]) * (
        torch.rand(count, 3, generator=generator) - 0.5
    )
    radius = 1.2 + 1.0 * torch.rand(count, 1, 1, 1, generator=generator)
    mask = (grid - center[:, :, None, None, None]).square().sum(1).sqrt() < radius
    tissue = 40 + 25 * torch.randn(count, 8, 16, 16, generator=generator)
    bone = torch.rand(count, 8, 16, 16, generator=generator) < 0.03
    scan = tissue + 90 * mask + 900 * (bone & ~mask)
    return torch.where(body, scan, -1000.0)[:, None], mask.float()[:, None]


@cache
def genes(effect: float = 0.7, wrong: float = 0.0, count: int = 240) -> Samples:
    """Activities of 400 genes, ten of which say a little about a disease; some are misdiagnosed."""
    generator = torch.Generator().manual_seed(53)
    y = torch.arange(count) % 2
    x = torch.randn(count, 400, generator=generator)
    x[:, :10] += effect * (2.0 * y[:, None] - 1)
    y = torch.where(torch.rand(count, generator=generator) < wrong, 1 - y, y)
    return split(x, y, 0.4)


@cache
def likes(users: int = 200, items: int = 150) -> tuple[Tensor, Tensor, Tensor]:
    """Which items each user liked, which two of them are kept back, and pairs to train on."""
    generator = torch.Generator().manual_seed(54)
    taste = torch.randn(users, 3, generator=generator)
    kind = torch.randn(items, 3, generator=generator)
    chance = (1.5 * taste @ kind.T).softmax(1)
    liked = torch.multinomial(chance, 16, generator=generator)
    pairs = torch.cartesian_prod(torch.arange(users), torch.arange(14))
    known = torch.stack([pairs[:, 0], liked[pairs[:, 0], pairs[:, 1]]], 1)
    return liked, liked[:, 14:], known


@cache
def sums(length: int, count: int = 1000) -> Samples:
    """Two binary numbers, lowest digit first, and the digits of their sum."""
    generator = torch.Generator().manual_seed(length)
    both = torch.randint(2, (count, length, 2), generator=generator)
    weight = 2 ** torch.arange(length)
    total = (both.sum(2) * weight).sum(1, keepdim=True)
    return split(both, total // weight % 2)
