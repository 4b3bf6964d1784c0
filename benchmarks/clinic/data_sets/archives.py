"""What libraries and archives hold, made up: letters, dialects, catalogues, film reels, loans."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

DIALECTS, WORDS = 8, 400
SUBJECTS = 300
READERS, BOOKS = 200, 150


class Correspondence(NamedTuple):
    """Who wrote to whom, with a few noisy features and the circle of each person."""

    links: Tensor
    x: Tensor
    circle: Tensor


@cache
def correspondence(people: int = 900, circles: int = 5) -> Correspondence:
    """Two of three letters stay within a circle; some persons write to very many."""
    generator = torch.Generator().manual_seed(41)
    circle = torch.randint(circles, (people,), generator=generator)
    activity = torch.exp(0.7 * torch.randn(people, generator=generator))
    same = circle[:, None] == circle[None]
    rate = 0.012 * activity[:, None] * activity[None] * torch.where(same, 2.5, 0.35)
    links = (torch.rand(people, people, generator=generator) < rate).float().triu(1)
    centers = torch.randn(circles, 24, generator=generator)
    x = 0.35 * centers[circle] + torch.randn(people, 24, generator=generator)
    return Correspondence(links + links.T, x, circle)


@cache
def dialects(length: int = 160, count: int = 4000, noise: float = 0.0) -> Samples:
    """Texts of word numbers; a twelfth of the words belong to the dialect.

    Args:
        length: Words of each text.
        count: Texts.
        noise: Share of the labels of the texts to train on that are drawn by chance.
    """
    generator = torch.Generator().manual_seed(43)
    y = torch.randint(DIALECTS, (count,), generator=generator)
    x = torch.randint(DIALECTS * 12, WORDS, (count, length), generator=generator)
    own = 12 * y[:, None] + torch.randint(12, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 1 / 12, own, x)
    found = split(x, y)
    given = torch.where(
        torch.rand(len(found.y), generator=generator) < noise,
        torch.randint(DIALECTS, found.y.shape, generator=generator),
        found.y,
    )
    return Samples(found.x.long(), given, found.x_test.long(), found.y_test)


@cache
def titles(count: int = 3000, length: int = 12) -> tuple[Tensor, Tensor]:
    """Titles to train on and others: each word is followed by one of eight, mostly by the first."""
    generator = torch.Generator().manual_seed(44)
    after = torch.randint(SUBJECTS, (SUBJECTS, 8), generator=generator)
    chance = torch.tensor([0.4, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05])
    words = [torch.randint(SUBJECTS, (count,), generator=generator)]
    for _ in range(length):
        draw = torch.multinomial(chance, count, replacement=True, generator=generator)
        words.append(after[words[-1], draw])
    x = torch.stack(words, 1)
    return x[: count * 4 // 5], x[count * 4 // 5 :]


@cache
def ratings() -> Samples:
    """Reader and book, and how much it was liked: products of four traits, and noise."""
    generator = torch.Generator().manual_seed(45)
    readers = torch.randn(READERS, 4, generator=generator)
    books = torch.randn(BOOKS, 4, generator=generator)
    pairs = torch.randperm(READERS * BOOKS, generator=generator)[:12_000]
    reader, book = pairs // BOOKS, pairs % BOOKS
    liked = (readers[reader] * books[book]).sum(1) / 2
    liked = liked + 0.3 * torch.randn(len(pairs), generator=generator)
    found = split(torch.stack([reader, book], 1), liked, 0.8)
    return found.with_inputs(found.x.long(), found.x_test.long())


@cache
def loans() -> tuple[Tensor, Tensor]:
    """Books that each reader has borrowed, and four that were borrowed later."""
    generator = torch.Generator().manual_seed(46)
    readers = torch.randn(READERS, 5, generator=generator)
    books = torch.randn(BOOKS, 5, generator=generator)
    wish = readers @ books.T + 0.8 * torch.randn(READERS, BOOKS, generator=generator)
    found = torch.multinomial((1.2 * wish).softmax(1), 24, generator=generator)
    order = torch.rand(found.shape, generator=generator).argsort(1)
    found = found.gather(1, order)
    return found[:, :20], found[:, 20:]


@cache
def registers(count: int = 2400) -> Samples:
    """Thirty numbers of a hand-written page, and which of six scribes wrote it."""
    generator = torch.Generator().manual_seed(47)
    y = torch.randint(6, (count,), generator=generator)
    centers = torch.randn(6, 2, 30, generator=generator)
    mode = torch.randint(2, (count,), generator=generator)
    x = 0.9 * centers[y, mode] + 1.1 * torch.randn(count, 30, generator=generator)
    return split(x, y)


@cache
def fading(count: int = 6000) -> Samples:
    """Frames in the order of their years: 24 densities of dyes, and one of four film stocks.

    The dyes fade with the years, and what tells the stocks apart moves with it.
    """
    generator = torch.Generator().manual_seed(48)
    year = torch.linspace(-1, 1, count)
    y = torch.randint(4, (count,), generator=generator)
    early = torch.randn(4, 24, generator=generator)
    turn = torch.randperm(4, generator=generator).roll(1)
    faded = early[turn] + 0.3 * torch.randn(4, 24, generator=generator)
    share = ((year + 1) / 2)[:, None]
    signal = (1 - share) * early[y] + share * faded[y]
    x = 0.8 * signal + 0.5 * torch.randn(count, 24, generator=generator)
    x = x - 2.0 * year[:, None] * torch.linspace(0.5, 1.5, 24)
    held = torch.arange(count) % 4 == 0
    return Samples(x[~held], y[~held], x[held], y[held])


@cache
def cuts(reels: int = 500, frames: int = 96) -> Samples:
    """Reels of frames with ten features each, and where one shot ends: three frames of a hundred.

    Flashes change a single frame and are no cuts.
    """
    generator = torch.Generator().manual_seed(49)
    cut = torch.rand(reels, frames, generator=generator) < 0.03
    cut[:, :2] = False
    shot = cut.long().cumsum(1)
    looks = torch.randn(reels, frames, 10, generator=generator)
    x = looks.gather(1, shot[..., None].expand(-1, -1, 10))
    x = x + 0.25 * torch.randn(x.shape, generator=generator)
    flash = torch.rand(reels, frames, 1, generator=generator) < 0.04
    x = x + flash * 2.0 * torch.randn(x.shape, generator=generator)
    return split(x, cut.long())


@cache
def dated(count: int = 3000) -> Samples:
    """Forty shares of spellings and of hands in a letter, and its year from 1550 to 1850."""
    generator = torch.Generator().manual_seed(50)
    year = 1550 + 300 * torch.rand(count, generator=generator)
    middle = 1550 + 300 * torch.rand(40, generator=generator)
    width = 25 + 50 * torch.rand(40, generator=generator)
    x = torch.sigmoid((year[:, None] - middle) / width)
    x = x + 0.25 * torch.randn(x.shape, generator=generator)
    copied = torch.rand(count, generator=generator) < 0.05
    noted = torch.where(copied, year + 90 * torch.randn(count, generator=generator), year)
    cut = count * 7 // 10
    return Samples(x[:cut], noted[:cut], x[cut:], year[cut:])


@cache
def twice_catalogued(count: int = 2500) -> tuple[Tensor, Tensor]:
    """The same books in two catalogues, which measure other things of twelve hidden traits."""
    generator = torch.Generator().manual_seed(51)
    book = torch.randn(count, 12, generator=generator)
    found = []
    for width in (40, 30):
        mixed = torch.tanh(book @ torch.randn(12, width, generator=generator) / 3)
        found.append(mixed + 0.2 * torch.randn(mixed.shape, generator=generator))
    return found[0], found[1]
