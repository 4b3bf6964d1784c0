"""Songs, melodies, playlists and clips, made up: each is drawn from a fixed seed."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

PITCHES = 24
SONGS, LISTENERS = 60, 200


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def songs() -> Samples:
    """Twelve columns as a streaming service gives them, and six genres.

    Six shares from 0 to 1, decibels, beats per minute, milliseconds, the year, the key,
    and followers.
    """
    g = generator(1)
    y = torch.randint(6, (2400,), generator=g)
    z = 0.75 * torch.randn(6, 12, generator=g)[y] + torch.randn(2400, 12, generator=g)
    columns = [z[:, :6].sigmoid(), -11 + 4 * z[:, 6:7], 118 + 22 * z[:, 7:8]]
    columns += [220_000 + 45_000 * z[:, 8:9], 1996 + 9 * z[:, 9:10]]
    columns += [(5.5 + 2 * z[:, 10:11]).round().clamp(0, 11), 50_000 * (0.8 * z[:, 11:]).exp()]
    return split(torch.cat(columns, 1), y)


@cache
def mislabelled() -> Samples:
    """The same with standardised columns; a third of the genres were typed in by chance."""
    data, g = songs(), generator(2)
    x, y = torch.cat([data.x, data.x_test]), torch.cat([data.y, data.y_test])
    x = (x - x.mean(0)) / x.std(0)
    chance = torch.randint(6, y.shape, generator=g)
    return split(x, torch.where(torch.rand(y.shape, generator=g) < 0.33, chance, y))


INTERVALS = torch.tensor([2, -1, 5, -4])
CHANCES = torch.tensor([0.65, 0.2, 0.1, 0.05])
ENTROPY = -(CHANCES * CHANCES.log()).sum().item()


@cache
def melodies(count: int = 2000, length: int = 17) -> tuple[Tensor, Tensor]:
    """Pitches from 0 to 23, each an interval away from the last; some to train on, and others.

    The order of the intervals' chances hangs on the last pitch.
    """
    g = generator(3)
    notes = torch.randint(PITCHES, (count, length), generator=g)
    for i in range(1, length):
        drawn = torch.multinomial(CHANCES, count, True, generator=g)
        turned = (drawn + notes[:, i - 1] % 4) % 4
        notes[:, i] = (notes[:, i - 1] + INTERVALS[turned]) % PITCHES
    return notes[: count * 3 // 4], notes[count * 3 // 4 :]


@cache
def sessions(count: int = 4000, length: int = 11) -> Samples:
    """Ten songs in a row, and the next; each song has two usual followers."""
    g = generator(4)
    followers = torch.stack([torch.randperm(SONGS, generator=g) for _ in range(2)], 1)
    heard = torch.randint(SONGS, (count, length), generator=g)
    for i in range(1, length):
        dice = torch.rand(count, generator=g)
        usual = followers[heard[:, i - 1], (dice > 0.6).long()]
        heard[:, i] = torch.where(dice < 0.85, usual, heard[:, i])
    cut = count * 3 // 4
    return Samples(heard[:cut, :-1], heard[:cut, -1], heard[cut:, :-1], heard[cut:, -1])


@cache
def lyrics() -> Samples:
    """Twenty word numbers of each song, and one of four moods, a tenth of them wrong."""
    g = generator(5)
    y = torch.randint(4, (1400,), generator=g)
    own = 25 * y[:, None] + torch.randint(25, (1400, 20), generator=g)
    words = torch.randint(100, 400, (1400, 20), generator=g)
    words = torch.where(torch.rand(1400, 20, generator=g) < 0.3, own, words)
    other = torch.randint(4, y.shape, generator=g)
    y = torch.where(torch.rand(y.shape, generator=g) < 0.1, other, y)
    return Samples(words[:400], y[:400], words[400:], y[400:])


@cache
def explicit() -> Samples:
    """Forty words of each song; one in twenty-five has some of the words that a label warns of."""
    g = generator(6)
    y = (torch.rand(4000, generator=g) < 0.04).long()
    words = torch.randint(20, 500, (4000, 40), generator=g)
    strong = torch.randint(20, words.shape, generator=g)
    often = torch.where(y[:, None] == 1, 0.2, 0.004)
    words = torch.where(torch.rand(words.shape, generator=g) < often, strong, words)
    return Samples(words[:3000], y[:3000], words[3000:], y[3000:])


TRIADS = torch.tensor([[0, 4, 7], [0, 3, 7]])


@cache
def chords(count: int = 900, length: int = 24) -> Samples:
    """Twelve loudnesses of each frame, and its chord: twelve major ones, twelve minor ones."""
    g = generator(7)
    chord = torch.randint(24, (count, length // 4), generator=g).repeat_interleave(4, 1)
    tones = (TRIADS[chord // 12] + (chord % 12)[..., None]) % 12
    chroma = torch.zeros(count, length, 12).scatter_(2, tones, 1.0)
    chroma = chroma + 0.5 * torch.randn(chroma.shape, generator=g)
    return split(chroma, chord)


@cache
def tastes(count: int = 6000) -> Samples:
    """Eight numbers of a listener and eight of a song, and whether the song was liked."""
    g = generator(8)
    x = torch.randn(count, 16, generator=g)
    a, b = torch.randn(2, 8, 2, generator=g)
    score = ((x[:, :8] @ a) * (x[:, 8:] @ b)).sum(1) / 8
    return split(x, (score + 0.1 * torch.randn(count, generator=g) > 0).long())


@cache
def sung(count: int = 600) -> tuple[Samples, Samples]:
    """Spectrograms in decibels of tones that stay, waver, rise or fall: of a studio, and of phones.

    Those of the phones are quieter, and flatter.
    """
    g = generator(9)
    y = torch.randint(4, (2 * count,), generator=g)
    time, bins = torch.arange(16), torch.arange(16)[:, None]
    pitch = 5 + 6 * torch.rand(2 * count, 1, 1, generator=g)
    ways = torch.stack([0 * time, 2.5 * torch.sin(0.8 * time), 0.5 * (time - 8), 0.5 * (8 - time)])
    height = pitch + ways[y][:, None]
    x = 3 * (-0.5 * (bins - height) ** 2).exp()
    x = x + 0.6 * torch.randn(x.shape, generator=g)
    phones = 0.4 * x[count:] - 6
    return split(x[:count, None], y[:count]), split(phones[:, None], y[count:])


@cache
def instruments(count: int = 1000) -> tuple[Tensor, Tensor]:
    """Noisy spectrograms of one note, and the same without noise; both from 0 to 1."""
    g = generator(10)
    pitch = 2 + 4 * torch.rand(count, 1, 1, generator=g)
    bins, time = torch.arange(24)[:, None], torch.arange(16)
    decay = torch.exp(-time * (0.03 + 0.12 * torch.rand(count, 1, 1, generator=g)))
    clean = torch.zeros(count, 24, 16)
    for overtone in range(1, 5):
        share = torch.rand(count, 1, 1, generator=g) * decay
        clean = clean + share * (-0.5 * (bins - overtone * pitch) ** 2).exp()
    clean = clean.clamp(0, 1)[:, None]
    noisy = (clean + 0.25 * torch.randn(clean.shape, generator=g)).clamp(0, 1)
    return noisy, clean


@cache
def streams() -> Samples:
    """Ten standardised columns of a song, and how often it was played in a week: 2 to 65,000."""
    g = generator(11)
    x = torch.randn(2400, 10, generator=g)
    log_rate = 6 + x[:, :4] @ torch.tensor([0.8, -0.6, 0.5, 0.4]) + 0.4 * x[:, 4] * x[:, 5]
    rate = (log_rate + 0.3 * torch.randn(2400, generator=g)).exp()
    return split(x, torch.poisson(rate, generator=g))


@cache
def beats() -> Samples:
    """How much louder each of 64 frames is than the last, and whether a beat falls on it."""
    g = generator(12)
    period = torch.randint(6, 11, (800, 1), generator=g)
    phase = (period * torch.rand(800, 1, generator=g)).long()
    y = ((torch.arange(64) - phase) % period == 0).float()
    heard = y * (torch.rand(y.shape, generator=g) < 0.8)
    between = (torch.rand(y.shape, generator=g) < 0.04).float()
    x = torch.maximum(heard, 0.8 * between) + 0.25 * torch.randn(y.shape, generator=g)
    return split(x[:, None], y)


class Liked(NamedTuple):
    """Listeners, a song that each has played, and one that they have not."""

    train: Tensor
    test: Tensor


@cache
def liked(count: int = 14_000) -> Liked:
    g = generator(13)
    users = torch.randn(LISTENERS, 3, generator=g)
    items = torch.randn(SONGS, 3, generator=g)
    likes = (users @ items.T + 0.5 * torch.randn(LISTENERS, SONGS, generator=g)) > 1.0
    user = torch.randint(LISTENERS, (count,), generator=g)
    one, other = torch.randint(SONGS, (2, count), generator=g)
    kept = likes[user, one] & ~likes[user, other]
    triples = torch.stack([user, one, other], 1)[kept]
    cut = len(triples) * 3 // 4
    return Liked(triples[:cut], triples[cut:])


@cache
def covers(songs: int = 400) -> tuple[Tensor, Tensor]:
    """Two recordings of each song, whose rooms and microphones differ more than songs do."""
    g = generator(14)
    song = torch.randn(songs, 1, 8, generator=g)
    room = 3.0 * torch.randn(songs, 2, 8, generator=g)
    mixing = torch.linalg.qr(torch.randn(24, 24, generator=g)).Q[:16]
    x = torch.cat([song.expand(-1, 2, -1), room], 2) @ mixing
    x = x + 0.15 * torch.randn(x.shape, generator=g)
    return x[: songs * 3 // 4], x[songs * 3 // 4 :]
