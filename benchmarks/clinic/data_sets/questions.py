"""Sets that come with questions about code: small, and made up by those who ask."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split


class Moves(NamedTuple):
    """What a walker by chance has seen of a board, and how far each cell is from the goal."""

    state: Tensor
    action: Tensor
    reward: Tensor
    following: Tensor
    done: Tensor


SIDE, GOAL = 6, 35
STEPS = torch.tensor([[-1, 0], [0, 1], [1, 0], [0, -1]])


def walked(state: Tensor, action: Tensor) -> Tensor:
    """The cell that a step leads to; walls stop it."""
    place = torch.stack([state // SIDE, state % SIDE], -1) + STEPS[action]
    place = place.clamp(0, SIDE - 1)
    return SIDE * place[..., 0] + place[..., 1]


@cache
def moves(count: int = 4000) -> Moves:
    """Each step costs one, and the walk ends in the last corner."""
    generator = torch.Generator().manual_seed(701)
    state = torch.randint(GOAL, (count,), generator=generator)
    action = torch.randint(4, (count,), generator=generator)
    following = walked(state, action)
    return Moves(state, action, -torch.ones(count), following, (following == GOAL).float())


@cache
def films(users: int = 300, items: int = 200, count: int = 15000) -> Samples:
    """Pairs of numbers, and stars by two tastes, by the film and by chance."""
    generator = torch.Generator().manual_seed(702)
    tastes = torch.randn(users, 2, generator=generator)
    kinds = torch.randn(items, 2, generator=generator)
    fame = 0.6 * torch.randn(items, generator=generator)
    user = torch.randint(users, (count,), generator=generator)
    item = torch.randint(items, (count,), generator=generator)
    stars = 3.4 + fame[item] + 0.6 * (tastes[user] * kinds[item]).sum(1)
    stars = (stars + 0.4 * torch.randn(count, generator=generator)).clamp(1, 5)
    samples = split(torch.stack([user, item], 1), stars, 0.8)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def tagged(count: int = 5000, tags: int = 12) -> Samples:
    """Forty numbers for a picture, and tags each of which is on one in twenty-five."""
    generator = torch.Generator().manual_seed(703)
    x = torch.randn(count, 40, generator=generator)
    weights = torch.randn(40, tags, generator=generator) / 40**0.5
    logit = 1.5 * x @ weights - 4.0
    y = (torch.rand(count, tags, generator=generator) < logit.sigmoid()).float()
    return split(x, y)


@cache
def chain(words: int = 40, length: int = 24, count: int = 1500) -> tuple[Tensor, Tensor, float]:
    """Sentences in which the next word hangs on the last one; the entropy of a word."""
    generator = torch.Generator().manual_seed(704)
    chances = (2.2 * torch.randn(words, words, generator=generator)).softmax(1)
    text = torch.randint(words, (count, 1), generator=generator)
    for _ in range(length):
        following = torch.multinomial(chances[text[:, -1]], 1, generator=generator)
        text = torch.cat([text, following], 1)
    likely = chances[text[:, :-1], text[:, 1:]].log()
    cut = int(0.8 * count)
    return text[:cut], text[cut:], -likely[cut:].mean().item()


@cache
def chirps(count: int = 1200, length: int = 96) -> Samples:
    """Sounds on one channel, of a pitch that rises, falls, stays or sways."""
    generator = torch.Generator().manual_seed(705)
    y = torch.randint(4, (count,), generator=generator)
    time = torch.linspace(0, 1, length)
    pitch = torch.stack(
        [4 + 12 * time, 16 - 12 * time, 10 + 0 * time, 10 + 7 * torch.sin(19 * time)]
    )
    pitch = pitch[y] * (0.9 + 0.2 * torch.rand(count, 1, generator=generator))
    start = 6.3 * torch.rand(count, 1, generator=generator)
    x = torch.sin(6.3 * pitch.cumsum(1) / length + start)
    x = x + 0.2 * torch.randn(count, length, generator=generator)
    return split(x[:, None], y)


BIRDS = (
    "blackbird", "bullfinch", "chaffinch", "cuckoo", "dunnock", "goldfinch",
    "greenfinch", "jackdaw", "nightingale", "robin", "siskin", "wren",
)  # fmt: skip


@cache
def birds(count: int = 2000) -> Samples:
    """Spectrograms of twelve birds, which sing theirs a little early or late."""
    generator = torch.Generator().manual_seed(706)
    y = torch.randint(len(BIRDS), (count,), generator=generator)
    songs = torch.randn(len(BIRDS), 1, 5, 6, generator=generator)
    songs = torch.nn.functional.interpolate(songs, (12, 16), mode="bilinear")
    late = torch.randint(-1, 2, (count,), generator=generator)
    x = torch.stack([songs[i].roll(int(shift), 2) for i, shift in zip(y, late, strict=True)])
    x = x + 0.7 * torch.randn(x.shape, generator=generator)
    return split(x, y)


@cache
def movements(noise: float, count: int = 3000) -> Samples:
    """Three axes of a watch for 48 moments: six things that people do, much alike."""
    generator = torch.Generator().manual_seed(707)
    y = torch.randint(6, (count,), generator=generator)
    time = torch.linspace(0, 6.3, 48)
    pace = torch.tensor([1.0, 1.6, 2.2, 2.8, 3.4, 4.0])[y]
    pace = (pace + 0.15 * torch.randn(count, generator=generator))[:, None, None]
    phase = 6.3 * torch.rand(count, 3, 1, generator=generator)
    size = 0.5 + torch.rand(count, 3, 1, generator=generator)
    x = size * torch.sin(pace * time + phase)
    return split(x + noise * torch.randn(x.shape, generator=generator), y)


@cache
def limits(count: int = 2500) -> Samples:
    """Eight standardised columns; each counts when it is above a limit of its own."""
    generator = torch.Generator().manual_seed(708)
    x = torch.randn(count, 8, generator=generator)
    cuts = torch.tensor([-1.2, 1.0, -0.9, 1.3, -1.0, 0.9, -1.3, 1.1])
    gains = torch.tensor([2.0, -2.5, 1.5, 2.0, -2.0, 1.5, 2.5, -2.0])
    y = ((x > cuts).float() * gains).sum(1)
    return split(x, y + 0.2 * torch.randn(count, generator=generator))


@cache
def sums_of_two(count: int = 4000, length: int = 20) -> Samples:
    """Numbers from 0 to 1 of which two are marked; the target is their sum."""
    generator = torch.Generator().manual_seed(709)
    numbers = torch.rand(count, length, generator=generator)
    half = length // 2
    first = torch.randint(half, (count, 1), generator=generator)
    second = torch.randint(half, length, (count, 1), generator=generator)
    marks = torch.zeros(count, length).scatter_(1, torch.cat([first, second], 1), 1.0)
    return split(torch.stack([numbers, marks], 2), (numbers * marks).sum(1))


@cache
def doubtful_curve(count: int = 2500) -> Samples:
    """Targets of a small size, whose deviation grows with the first column."""
    generator = torch.Generator().manual_seed(710)
    x = 2 * torch.rand(count, 3, generator=generator) - 1
    deviation = 0.02 + 0.08 * (x[:, 0] + 1)
    y = 0.5 * torch.sin(3 * x[:, 1]) + 0.3 * x[:, 2] ** 2
    return split(x, y + deviation * torch.randn(count, generator=generator))


@cache
def lesions(count: int = 500, size: int = 24) -> tuple[Tensor, Tensor]:
    """Noisy pictures with a faint disc, and its mask, one pixel in thirty."""
    generator = torch.Generator().manual_seed(711)
    line = torch.arange(size).float()
    centre = 5 + (size - 10) * torch.rand(count, 2, 1, 1, generator=generator)
    radius = 1.8 + 1.2 * torch.rand(count, 1, 1, generator=generator)
    far = (line[None, :, None] - centre[:, 0]) ** 2 + (line[None, None] - centre[:, 1]) ** 2
    masks = (far < radius**2).float()[:, None]
    pictures = 1.4 * masks + 0.5 * torch.randn(count, 1, size, size, generator=generator)
    return pictures, masks


@cache
def arms(count: int = 3000) -> tuple[Tensor, Tensor]:
    """Twelve columns of a visitor, and the chance that each of five banners is clicked."""
    generator = torch.Generator().manual_seed(712)
    x = torch.randn(count, 12, generator=generator)
    weights = torch.randn(12, 5, generator=generator)
    return x, (0.6 * x @ weights).sigmoid()


@cache
def leavers(count: int = 5000) -> Samples:
    """Ten standardised columns; one customer in sixteen leaves."""
    generator = torch.Generator().manual_seed(713)
    x = torch.randn(count, 10, generator=generator)
    logit = 1.6 * x[:, 0] + 1.6 * x[:, 1] * x[:, 2] + 1.6 * x[:, 3].abs() - 6.3
    return split(x, (torch.rand(count, generator=generator) < logit.sigmoid()).long())
