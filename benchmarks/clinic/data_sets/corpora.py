"""Texts that Python itself brings along, and series: names, a manual, the sun, weather, hearts."""

import unicodedata
from collections import Counter
from functools import cache
from pydoc_data.topics import topics
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split

ALPHABET = " abcdefghijklmnopqrstuvwxyz"
KINDS = ("Lo", "So", "Ll", "Lu", "Mn", "Sm")


class Names(NamedTuple):
    """Numbers of letters, padded with 0 behind them; how many there are; and kinds."""

    letters: Tensor
    lengths: Tensor
    kinds: Tensor


@cache
def names(per_kind: int = 500, width: int = 76) -> tuple[Names, Names]:
    """Names of characters and what they are (small letter, sign, ...), to train and to measure on.

    The words that say so most outright are left out.
    """
    told = {"LETTER", "SIGN", "COMBINING", "SYLLABLE", "SYLLABICS"}
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for code in range(0x20, 0x3000):
        name, kind = unicodedata.name(chr(code), ""), unicodedata.category(chr(code))
        if name and kind in found:
            found[kind].append(" ".join(w for w in name.split() if w not in told))
    generator = torch.Generator().manual_seed(61)
    rows, kinds = [], []
    for number, kind in enumerate(KINDS):
        drawn = torch.randperm(len(found[kind]), generator=generator)[:per_kind]
        rows += [found[kind][k] for k in drawn.tolist()]
        kinds += [number] * len(drawn)
    order = torch.randperm(len(rows), generator=generator)
    letters = torch.zeros(len(rows), width, dtype=torch.long)
    for row, name in enumerate(rows):
        numbers = [1 + max(0, ALPHABET.find(letter)) for letter in name.lower()[:width]]
        letters[row, : len(numbers)] = torch.tensor(numbers)
    lengths = (letters > 0).sum(1).clamp(min=1)
    every = (letters[order], lengths[order], torch.tensor(kinds)[order])
    cut = len(rows) * 3 // 4
    return Names(*(part[:cut] for part in every)), Names(*(part[cut:] for part in every))


@cache
def manual() -> str:
    """Python's manual in small letters and single blanks."""
    text = " ".join(topics[name] for name in sorted(topics)).lower()
    return " ".join("".join(c if c in ALPHABET else " " for c in text).split())


@cache
def manual_letters(first: int, count: int) -> Tensor:
    return torch.tensor([ALPHABET.index(c) for c in manual()[first : first + count]])


@cache
def manual_words(vocabulary: int, count: int = 60_000) -> Tensor:
    """Numbers of words, the most frequent one being 1; 0 is for those that are too rare."""
    words = manual().split()[:count]
    common = [word for word, _ in Counter(words).most_common(vocabulary - 1)]
    number = {word: k + 1 for k, word in enumerate(common)}
    return torch.tensor([number.get(word, 0) for word in words])


@cache
def sunshine(window: int = 24, ahead: int = 12, count: int = 1600) -> Samples:
    """Hours of a solar plant's output in its peak's units, exactly 0 at night, and those ahead.

    Each hour comes with the sine and cosine of its time of day.
    """
    generator = torch.Generator().manual_seed(62)
    hours = torch.arange(count + window + ahead).float()
    noise = torch.randn(len(hours), generator=generator).tolist()
    cloud, clouds = 0.0, []
    for shock in noise:
        cloud = 0.9 * cloud + 0.4 * shock
        clouds.append(cloud)
    height = torch.sin(6.2832 * (hours - 6) / 24).clamp(min=0)
    output = height * (0.3 + 0.7 * torch.sigmoid(torch.tensor(clouds)))
    clock = torch.stack([torch.sin(6.2832 * hours / 24), torch.cos(6.2832 * hours / 24)], 1)
    series = torch.cat([output[:, None], clock], 1)
    x = series[: count + window - 1].unfold(0, window, 1).mT[:count]
    y = output[window:].unfold(0, ahead, 1)[:count]
    cut = count * 3 // 4
    return Samples(x[:cut], y[:cut], x[cut + window :], y[cut + window :])


@cache
def weather(hours: int = 48, count: int = 1400) -> Samples:
    """Kelvins, pascals and metres per second; a front passes, or the pressure falls or rises."""
    generator = torch.Generator().manual_seed(63)
    y = torch.randint(3, (count,), generator=generator)
    time = torch.linspace(-1, 1, hours)
    when = 0.6 * torch.rand(count, 1, generator=generator) - 0.3
    course = torch.stack([time.expand(count, -1), -time.expand(count, -1), (time - when).abs()], 1)
    noise = torch.randn(3, count, hours, generator=generator)
    level = torch.randn(3, count, 1, generator=generator)
    pressure = 101_325 + 300 * level[0] + 400 * course[torch.arange(count), y] + 200 * noise[0]
    kelvin = 285 + 6 * level[1] + 2 * torch.sin(6.2832 * 2 * time) + noise[1]
    wind = (5 + 2 * level[2] + 2 * noise[2]).abs()
    return split(torch.stack([kelvin, pressure, wind], 1), y)


@cache
def beats(premature: float = 0.5, count: int = 1500, length: int = 96) -> Samples:
    """Heart beats of one channel around 0; a premature one is wider, early and has no P wave."""
    generator = torch.Generator().manual_seed(64)
    y = (torch.rand(count, generator=generator) < premature).long()
    uniform = torch.rand(5, count, 1, generator=generator)
    time = torch.arange(length).float()
    ill = y[:, None].float()

    def wave(center: Tensor, width: Tensor | float, height: Tensor | float) -> Tensor:
        return height * torch.exp(-0.5 * ((time - center) / width).square())

    middle = 44 + 10 * uniform[0] - 4 * ill
    x = wave(middle, 2.0 + uniform[1] + 0.8 * ill, 1.5 + uniform[2])
    x = x + wave(middle - 18, 4.0, 0.45 * (1 - ill) + 0.15 * uniform[3])
    x = x + wave(middle + 24, 6.0, 0.4 - 0.3 * ill + 0.3 * uniform[4])
    drift = 0.3 * torch.sin(0.06 * time + 6.3 * uniform[3])
    x = x + drift + 0.3 * torch.randn(count, length, generator=generator)
    return split(((x - x.mean()) / x.std())[:, None], y)


@cache
def bursts(length: int = 64, count: int = 1200) -> tuple[Tensor, Tensor, Tensor]:
    """Signals of two to five bursts of four kinds, the kinds from 1 on, and how many there are."""
    generator = torch.Generator().manual_seed(65)
    number = torch.randint(2, 6, (count,), generator=generator)
    kinds = torch.randint(1, 5, (count, 5), generator=generator)
    x = 0.2 * torch.randn(count, length, 2, generator=generator)
    place = torch.randint(0, 4, (count, 5), generator=generator) + 12 * torch.arange(5)
    shape = torch.hann_window(9, periodic=False)
    sign = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    for row in range(count):
        for k in range(int(number[row])):
            start = int(place[row, k])
            x[row, start : start + 9] += shape[:, None] * sign[kinds[row, k] - 1]
    return x, kinds, number
