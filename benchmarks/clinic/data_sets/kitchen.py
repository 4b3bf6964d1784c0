"""What kitchens and restaurants write down, made up: recipes, photos, orders, stars and takings."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split

TAGS, PHRASE_WORDS = 5, 140
GUESTS, DISHES = 200, 120
INGREDIENTS = 80
NUTRIENTS = 30
REVIEW_WORDS = 200


class Stars(NamedTuple):
    """Numbers of a guest and of a dish, and the stars from 1 to 5 that he gave it."""

    guest: Tensor
    dish: Tensor
    stars: Tensor


@cache
def phrases(count: int = 2400, length: int = 12) -> Samples:
    """Words of lists of ingredients; the target is each word's tag, one of five.

    The tags follow each other in a circle, now and then one is left out. Each tag has twenty words
    of its own; a third of the words come from forty that all tags share.
    """
    draw = torch.Generator().manual_seed(811)
    skip = torch.rand(count, length, generator=draw) < 0.1
    start = torch.randint(TAGS, (count, 1), generator=draw)
    tags = (start + (1 + skip.long()).cumsum(1)) % TAGS
    own = 20 * tags + torch.randint(20, tags.shape, generator=draw)
    shared = 100 + torch.randint(40, tags.shape, generator=draw)
    words = torch.where(torch.rand(tags.shape, generator=draw) < 0.4, shared, own)
    samples = split(words, tags)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def photos(count: int = 1800, size: int = 24) -> Samples:
    """Soups, noodles, pizzas and salads in any colour, from above, in RGB from 0 to 1."""
    draw = torch.Generator().manual_seed(812)
    kind = torch.randint(4, (count,), generator=draw)
    u = torch.rand(6, count, 1, 1, generator=draw)
    line = torch.linspace(-1, 1, size)
    row, column = torch.meshgrid(line, line, indexing="ij")
    distance = ((row - 0.3 * (u[0] - 0.5)) ** 2 + (column - 0.3 * (u[1] - 0.5)) ** 2).sqrt()
    plate = (distance < 0.65 + 0.3 * u[2]).float()
    along = row * (3.14 * u[3]).sin() + column * (3.14 * u[3]).cos()
    strands = (14 * along + 6.3 * u[4]).sin()
    dots = (9 * row + 6.3 * u[4]).sin() * (9 * column + 6.3 * u[5]).sin()
    leaves = torch.randn(count, size // 3, size // 3, generator=draw)
    leaves = leaves.repeat_interleave(3, 1).repeat_interleave(3, 2)
    still = torch.zeros_like(strands)
    texture = torch.stack([still, strands, 1.5 * dots, 0.8 * leaves], 1)[torch.arange(count), kind]
    colour = 0.3 + 0.5 * torch.rand(count, 3, 1, 1, generator=draw)
    found = (colour + 0.15 * texture[:, None]) * plate[:, None] + 0.1 * (1 - plate[:, None])
    found = found + 0.1 * torch.randn(count, 3, size, size, generator=draw)
    return split(found.clamp(0, 1), kind)


@cache
def plates(count: int = 1800) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Photos, eight ingredients and one of eight dishes: to train on, and others.

    The photo tells the four kinds, the ingredients only whether there is meat in it.
    """
    draw = torch.Generator().manual_seed(813)
    pictures = photos(count)

    def more(kind: Tensor) -> tuple[Tensor, Tensor]:
        meat = torch.randint(2, kind.shape, generator=draw)
        words = torch.randint(20, INGREDIENTS, (len(kind), 8), generator=draw)
        own = 10 * meat[:, None] + torch.randint(10, words.shape, generator=draw)
        words = torch.where(torch.rand(words.shape, generator=draw) < 0.35, own, words)
        return words, 2 * kind + meat

    return (pictures.x, *more(pictures.y)), (pictures.x_test, *more(pictures.y_test))


@cache
def stars(count: int = 9000) -> tuple[Stars, Stars]:
    """Stars by the generosity of guests, the fame of dishes and three tastes; and others."""
    draw = torch.Generator().manual_seed(814)
    guest = torch.randint(GUESTS, (count,), generator=draw)
    dish = torch.randint(DISHES, (count,), generator=draw)
    taste = torch.randn(GUESTS, 3, generator=draw)[guest]
    trait = torch.randn(DISHES, 3, generator=draw)[dish]
    generous = torch.randn(GUESTS, generator=draw)[guest]
    fame = torch.randn(DISHES, generator=draw)[dish]
    value = 3.4 + 0.5 * generous + 0.7 * fame + 0.4 * (taste * trait).sum(1)
    value = value + 0.3 * torch.randn(count, generator=draw)
    given = value.round().clamp(1, 5)
    cut = int(0.8 * count)
    return (
        Stars(guest[:cut], dish[:cut], given[:cut]),
        Stars(guest[cut:], dish[cut:], given[cut:]),
    )


@cache
def restaurants(count: int = 600, known: int = 137) -> Samples:
    """37 unnamed numbers of a restaurant, and its revenue in deviations; few to train on."""
    draw = torch.Generator().manual_seed(815)
    x = torch.randn(count, 37, generator=draw)
    weight = torch.zeros(37)
    weight[:5] = torch.tensor([0.6, -0.5, 0.5, 0.4, -0.4])
    revenue = x @ weight + 0.9 * torch.randn(count, generator=draw)
    return scaled_targets(split(x, revenue, known / count))


@cache
def deliveries(count: int = 2000) -> Samples:
    """Eight measures of a delivery in deviations, and the minutes that it took."""
    draw = torch.Generator().manual_seed(816)
    x = torch.randn(count, 8, generator=draw)
    minutes = 42 + 8 * x[:, 0] + 5 * x[:, 1] * x[:, 2] + 6 * x[:, 3].abs() - 4 * x[:, 4]
    return split(x, minutes + 2 * torch.randn(count, generator=draw))


@cache
def days(count: int = 2000, length: int = 14) -> Samples:
    """Takings in yen, guests, degrees and whether it was a holiday, of 14 days as they are.

    The target is the number of guests of the next day, in deviations.
    """
    draw = torch.Generator().manual_seed(817)
    warm = 15 + 8 * torch.randn(count, 1, generator=draw)
    degrees = warm + 2 * torch.randn(count, length, generator=draw)
    holiday = (torch.rand(count, length, generator=draw) < 0.25).float()
    level = 150 + 25 * torch.randn(count, 1, generator=draw)
    guests = level + 40 * holiday + 15 * torch.randn(count, length, generator=draw)
    takings = 1800 * guests + 60000 * torch.randn(count, length, generator=draw)
    ahead = 0.3 * level[:, 0] + 3 * degrees[:, -1] - 30 * holiday[:, -1] - 20 * holiday[:, -2]
    ahead = ahead + 6 * torch.randn(count, generator=draw)
    return scaled_targets(split(torch.stack([takings, guests, degrees, holiday], 2), ahead))


@cache
def baskets(count: int = 3000) -> Samples:
    """Twelve measures of an order, and its sum; one in 300 was typed without its point."""
    draw = torch.Generator().manual_seed(818)
    x = torch.randn(count, 12, generator=draw)
    euros = 24 + 6 * x[:, 0] + 4 * x[:, 1] * x[:, 2] + 5 * x[:, 3].relu() - 3 * x[:, 4]
    euros = euros + torch.randn(count, generator=draw)
    samples = split(x, euros)
    typed = torch.rand(samples.y.shape, generator=draw) < 1 / 300
    return samples._replace(y=torch.where(typed, 100 * samples.y, samples.y))


@cache
def reviews(count: int = 2400, longest: int = 24) -> Samples:
    """Words of reviews, 0 behind the last; bad, fair or good, a quarter of them at random."""
    draw = torch.Generator().manual_seed(819)
    y = torch.randint(3, (count,), generator=draw)
    words = torch.randint(61, REVIEW_WORDS, (count, longest), generator=draw)
    own = 1 + 20 * y[:, None] + torch.randint(20, words.shape, generator=draw)
    words = torch.where(torch.rand(words.shape, generator=draw) < 0.25, own, words)
    length = torch.randint(10, longest + 1, (count, 1), generator=draw)
    words = words.masked_fill(torch.arange(longest) >= length, 0)
    guess = torch.randint(3, (count,), generator=draw)
    y = torch.where(torch.rand(count, generator=draw) < 0.25, guess, y)
    samples = split(words, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def evenings(count: int = 2000, length: int = 28) -> Samples:
    """Orders of four weeks, and of the day after, in hundreds; the noise grows with them."""
    draw = torch.Generator().manual_seed(820)
    day = torch.arange(length + 1)
    shift = torch.randint(7, (count, 1), generator=draw)
    week = torch.tensor([0.6, 0.6, 0.7, 0.8, 1.2, 1.6, 1.1])[(day + shift) % 7]
    level = 0.6 + torch.rand(count, 1, generator=draw)
    trend = 1 + 0.01 * day * torch.randn(count, 1, generator=draw)
    orders = level * week * trend
    orders = orders * (1 + 0.15 * torch.randn(count, length + 1, generator=draw))
    return split(orders[:, :-1], orders[:, -1])


@cache
def foods(count: int = 2000) -> tuple[Tensor, Tensor]:
    """Thirty nutrients in deviations, which five unseen traits explain but for a sixth."""
    draw = torch.Generator().manual_seed(821)
    trait = torch.randn(count, 5, generator=draw)
    mixed = trait @ torch.randn(5, NUTRIENTS, generator=draw) / 5**0.5
    x = torch.tanh(1.2 * mixed) + 0.25 * torch.randn(count, NUTRIENTS, generator=draw)
    x = (x - x.mean(0)) / x.std(0)
    cut = int(0.8 * count)
    return x[:cut], x[cut:]


@cache
def cancellations(count: int = 6000) -> Samples:
    """Fifteen measures of an order; one in 25 is cancelled."""
    draw = torch.Generator().manual_seed(822)
    x = torch.randn(count, 15, generator=draw)
    score = 1.5 * x[:, 0] + x[:, 1] * x[:, 2] + 1.2 * x[:, 3] - x[:, 4]
    score = score + 0.6 * torch.randn(count, generator=draw)
    return split(x, (score > torch.quantile(score, 0.96)).long())
