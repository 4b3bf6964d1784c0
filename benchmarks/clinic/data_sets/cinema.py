"""Data that is made up: synopses, scenes' sounds, frames, tickets, awards and watched films."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split

WORDS, NEGATOR, FILMS, SYMBOLS = 200, 41, 60, 8


@cache
def synopses(guessed: float = 0.0, count: int = 2000, length: int = 24) -> Samples:
    """Words among which three praise or blame, each the other way behind a negator.

    0 is padding. A share of the labels to train on is drawn by chance, those of the test never.
    """
    draw = torch.Generator().manual_seed(71)
    x = torch.randint(NEGATOR + 1, WORDS, (count, length), generator=draw)
    rows = torch.arange(count)
    praise = torch.zeros(count)
    for part in range(3):
        place = 4 * part + 1 + torch.randint(3, (count,), generator=draw)
        kind = torch.randint(2, (count,), generator=draw)
        negated = torch.rand(count, generator=draw) < 0.3
        x[rows, place] = 1 + 20 * kind + torch.randint(20, (count,), generator=draw)
        before = torch.where(negated, NEGATOR, x[rows, place - 1])
        kept = x[rows, place - 1] <= NEGATOR
        x[rows, place - 1] = torch.where(kept, x[rows, place - 1], before)
        praise += (1.0 - 2 * kind) * torch.where(negated & ~kept, -1.0, 1.0)
    lengths = torch.randint(13, length + 1, (count, 1), generator=draw)
    x = x.masked_fill(torch.arange(length) >= lengths, 0)
    samples = split(x, (praise > 0).long())
    chance = torch.rand(len(samples.y), generator=draw) < guessed
    y = torch.where(chance, torch.randint(2, samples.y.shape, generator=draw), samples.y)
    return Samples(samples.x.long(), y, samples.x_test.long(), samples.y_test)


@cache
def scene_sounds(count: int = 1600, length: int = 128) -> Samples:
    """Four kinds of scene: a slow tone, a fast one, a rising one, and bursts."""
    draw = torch.Generator().manual_seed(72)
    y = torch.randint(4, (count,), generator=draw)
    time = torch.linspace(0, 1, length)
    phase = 6.28 * torch.rand(count, 1, generator=draw)
    speed = 0.85 + 0.3 * torch.rand(count, 1, generator=draw)
    tones = (
        torch.sin(30 * speed * time + phase),
        torch.sin(75 * speed * time + phase),
        torch.sin(20 * speed * time + 60 * time**2 + phase),
        torch.sin(110 * speed * time + phase) * (torch.sin(25 * time + 2 * phase) > 0.3),
    )
    x = torch.stack(tones)[y, torch.arange(count)]
    return split((x + 0.3 * torch.randn(x.shape, generator=draw))[:, None], y)


@cache
def graded_frames(films: int = 60, frames: int = 40) -> Samples:
    """Frames of many films, close-up, medium or wide, brightened and stretched film by film.

    The frames to train on stay in the order of the films; a fourth of each film is for the test.
    """
    draw = torch.Generator().manual_seed(73)
    centres = torch.randn(3, 24, generator=draw)
    y = torch.randint(3, (films, frames), generator=draw)
    x = centres[y] + 0.8 * torch.randn(films, frames, 24, generator=draw)
    gain = (0.6 * torch.randn(films, 1, 1, generator=draw)).exp()
    x = gain * x + 5 * torch.randn(films, 1, 1, generator=draw)
    cut = frames * 3 // 4
    known, unknown = x[:, :cut].flatten(0, 1), x[:, cut:].flatten(0, 1)
    return Samples(known, y[:, :cut].flatten(), unknown, y[:, cut:].flatten())


@cache
def tickets(count: int = 2400) -> Samples:
    """Ten columns of a screening and the number of tickets that were sold."""
    draw = torch.Generator().manual_seed(74)
    x = torch.randn(count, 10, generator=draw)
    rate = (
        3 + 0.6 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * torch.sin(2 * x[:, 2]) + 0.3 * x[:, 3] * x[:, 4]
    )
    return split(x, torch.poisson(rate.exp(), generator=draw).float())


@cache
def nominations(count: int = 8000) -> Samples:
    """Sixteen columns of a film; about one in forty is nominated, for reasons that are told."""
    draw = torch.Generator().manual_seed(75)
    x = torch.randn(count, 16, generator=draw)
    merit = x[:, 0] + x[:, 1] * x[:, 2] + 0.8 * x[:, 3].abs() + 0.5 * x[:, 4]
    merit = merit + 0.15 * torch.randn(count, generator=draw)
    return split(x, (merit > merit.quantile(0.975)).float())


@cache
def histories(count: int = 1200, length: int = 24) -> tuple[Tensor, Tensor, float]:
    """Films as they were watched, to train on and to measure on, and their entropy in nats."""
    draw = torch.Generator().manual_seed(76)
    liked = torch.randn(FILMS, FILMS, generator=draw) * 2.2
    chances = liked.softmax(1)
    rows = [torch.randint(FILMS, (count,), generator=draw)]
    for _ in range(length - 1):
        rows.append(torch.multinomial(chances[rows[-1]], 1, generator=draw).squeeze(1))
    x = torch.stack(rows, 1)
    cut = count * 3 // 4
    test = x[cut:]
    return x[:cut], test, -chances[test[:, :-1], test[:, 1:]].log().mean().item()


@cache
def spoken(count: int = 1200, length: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    """Frames of a dialogue, the symbols that are spoken (numbers from 1, 0 behind them), counts."""
    draw = torch.Generator().manual_seed(77)
    sounds = torch.randn(SYMBOLS, 12, generator=draw)
    x = torch.zeros(count, length, 12)
    y = torch.zeros(count, 6, dtype=torch.long)
    counts = torch.randint(3, 7, (count,), generator=draw)
    for row, many in enumerate(counts.tolist()):
        at = int(torch.randint(4, (1,), generator=draw))
        for k in range(many):
            symbol = int(torch.randint(SYMBOLS, (1,), generator=draw))
            lasts, gap = torch.randint(2, 5, (2,), generator=draw).tolist()
            x[row, at : at + lasts] = sounds[symbol]
            y[row, k] = symbol + 1
            at += lasts + gap - 1
    return x + 0.4 * torch.randn(x.shape, generator=draw), y, counts
