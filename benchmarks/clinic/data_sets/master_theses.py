"""What students of many departments gathered, or made up, for their master's theses."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, split, standardized

SPECIES, SITES = 50, 36


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cut(x: Tensor, y: Tensor, train: float = 0.75) -> Samples:
    """The first rows to train on, whatever their types are."""
    count = int(train * len(x))
    return Samples(x[:count], y[:count], x[count:], y[count:])


@cache
def leaves(count: int = 640, size: int = 24, seed: int = 2101) -> Samples:
    """Pictures of leaves with veins, and where their dark spots are."""
    generator = seeded(seed)
    axis = torch.arange(size, dtype=torch.float32)
    rows, columns = axis[:, None], axis[None, :]
    tilt = torch.randn(count, 2, 1, 1, generator=generator) / size
    picture = tilt[:, 0] * (rows - size / 2) + tilt[:, 1] * (columns - size / 2)
    for _ in range(3):
        slope = torch.randn(count, 1, 1, generator=generator)
        start = size * torch.rand(count, 1, 1, generator=generator)
        near = (rows - slope * (columns - size / 2) - start).abs() / (1 + slope.square()).sqrt()
        sign = 1 - 2 * torch.randint(2, (count, 1, 1), generator=generator)
        picture = picture + 0.9 * sign * (near < 0.8)
    mask = torch.zeros(count, size, size)
    for _ in range(3):
        place = size * torch.rand(count, 2, 1, 1, generator=generator)
        radius = 1.5 + 2.5 * torch.rand(count, 1, 1, generator=generator)
        there = torch.rand(count, 1, 1, generator=generator) < 0.75
        apart = (rows - place[:, 0]).square() + (columns - place[:, 1]).square()
        mask = torch.maximum(mask, ((apart < radius.square()) & there).float())
    picture = picture - 1.1 * mask + 0.35 * torch.randn(count, size, size, generator=generator)
    return split(picture[:, None], mask[:, None])


@cache
def light_curves(
    count: int = 1500, length: int = 80, seed: int = 2102, noise: float = 0.5
) -> Samples:
    """Stars of four kinds: even waves, eclipses, saw-teeth, and beats of two periods."""
    generator = seeded(seed)
    y = torch.randint(4, (count,), generator=generator)
    time = torch.linspace(0, 1, length)
    cycles = 3 + 3 * torch.rand(count, 1, generator=generator)
    phase = torch.rand(count, 1, generator=generator)
    turn = (cycles * time + phase) % 1
    wave = (2 * math.pi * turn).sin()
    eclipse = 1 - 2.6 * torch.exp(-(turn - 0.5).square() / 0.006) * 1.0 - 0.4
    saw = 1.7 * (turn - 0.5)
    beat = 0.7 * wave + 0.7 * (2 * math.pi * (1.45 * cycles * time + 2 * phase)).sin()
    curve = torch.stack([wave, eclipse, saw, beat], 1)[torch.arange(count), y]
    bright = 0.7 + 0.6 * torch.rand(count, 1, generator=generator)
    curve = bright * curve + noise * torch.randn(count, length, generator=generator)
    return split(curve[:, None], y)


@cache
def tagged(count: int = 1100, words: int = 120, tags: int = 6, seed: int = 2103) -> Samples:
    """Sentences of 5 to 16 words and their tags; half of the words are of two tags.

    Words are filled up with 0, tags with -100.
    """
    generator = seeded(seed)
    follow = (1.8 * torch.randn(tags, tags, generator=generator)).softmax(1)
    first = torch.randint(tags, (words,), generator=generator)
    other = torch.where(torch.rand(words, generator=generator) < 0.5, first, (first + 2) % tags)
    belongs = torch.zeros(tags, words)
    belongs[first, torch.arange(words)] = 1
    belongs[other, torch.arange(words)] = 1
    emit = belongs * torch.rand(words, generator=generator)
    length = torch.randint(5, 17, (count,), generator=generator)
    y = torch.full((count, 16), -100)
    x = torch.zeros(count, 16, dtype=torch.long)
    tag = torch.randint(tags, (count,), generator=generator)
    for place in range(16):
        tag = torch.multinomial(follow[tag], 1, generator=generator)[:, 0]
        word = torch.multinomial(emit[tag], 1, generator=generator)[:, 0] + 1
        inside = place < length
        y[inside, place], x[inside, place] = tag[inside], word[inside]
    return cut(x, y)


@cache
def cohort(count: int = 2000, features: int = 14, seed: int = 2104) -> Samples:
    """Findings of patients; time until an event or until they were lost, and which of both."""
    generator = seeded(seed)
    x = torch.randn(count, features, generator=generator)
    risk = 0.9 * x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + 1.1 * x[:, 3].abs() - 0.6 * x[:, 4]
    event = torch.empty(count).exponential_(1.0, generator=generator) * torch.exp(-risk)
    lost = torch.empty(count).exponential_(0.4, generator=generator)
    y = torch.stack([torch.minimum(event, lost), (event <= lost).float()], 1)
    return cut(x, y, 0.7)


@cache
def reaches(count: int = 3000, seed: int = 2105) -> Samples:
    """Where an arm's hand is, its load, and the two angles it took: the elbow is left or right."""
    generator = seeded(seed)
    shoulder = math.pi * (0.1 + 0.8 * torch.rand(count, generator=generator))
    elbow = 0.4 + 1.8 * torch.rand(count, generator=generator)
    side = 1.0 - 2 * torch.randint(2, (count,), generator=generator)
    elbow = side * elbow
    hand = torch.stack([
        shoulder.cos() + 0.8 * (shoulder + elbow).cos(),
        shoulder.sin() + 0.8 * (shoulder + elbow).sin(),
    ], 1)  # fmt: skip
    x = torch.cat([hand, 0.5 * torch.randn(count, 1, generator=generator)], 1)
    y = torch.stack([shoulder - math.pi / 2, elbow], 1)
    return cut(x, y + 0.05 * torch.randn(count, 2, generator=generator))


@cache
def torques(count: int = 2600, seed: int = 2106) -> Samples:
    """Angles, speeds and accelerations of two joints, and the torque of the first of them."""
    generator = seeded(seed)
    x = 2 * torch.rand(count, 6, generator=generator) - 1
    a, b, da, db, dda, ddb = (2 * x).unbind(1)
    y = (1.5 + (1.5 * b).cos()) * dda + (0.5 + 0.8 * (1.5 * b).cos()) * ddb
    y = y - (1.5 * b).sin() * (2 * da * db + db.square()) + 2.5 * (2 * a).cos()
    y = y + 0.2 * torch.randn(count, generator=generator)
    return cut(1.7 * x, (y - y.mean()) / y.std())


@cache
def returns(count: int = 4000, features: int = 12, seed: int = 2107) -> Samples:
    """Signals of days, and a return whose middle and spread hang on them."""
    generator = seeded(seed)
    x = torch.randn(count, features, generator=generator)
    middle = 0.5 * x[:, 0] + 0.5 * (2 * x[:, 1]).sin() + 0.4 * x[:, 2] * x[:, 3]
    spread = torch.exp(0.7 * x[:, 4] - 0.9 + 0.5 * x[:, 5].abs())
    y = middle + spread * torch.randn(count, generator=generator).clamp(-3, 3)
    return cut(x, y)


@cache
def melodies(count: int = 1200, length: int = 24, notes: int = 12, seed: int = 2108) -> Samples:
    """Tunes; a note hangs on the two before it. The targets are the notes that follow."""
    generator = seeded(seed)
    table = (3.0 * torch.randn(notes, notes, notes, generator=generator)).softmax(2)
    tune = torch.randint(notes, (count, length + 1), generator=generator)
    for place in range(2, length + 1):
        chances = table[tune[:, place - 2], tune[:, place - 1]]
        tune[:, place] = torch.multinomial(chances, 1, generator=generator)[:, 0]
    return cut(tune[:, :-1], tune[:, 1:])


class Voices(NamedTuple):
    """Utterances and who spoke them."""

    x: Tensor
    speaker: Tensor


@cache
def voices(
    speakers: int = 60, each: int = 24, bands: int = 32, seed: int = 2109
) -> tuple[Voices, Voices]:
    """Spectra of three quarters of the speakers to train on, and of the others."""
    generator = seeded(seed)
    axis = torch.linspace(0, 1, bands)
    formants = torch.rand(speakers, 3, 1, generator=generator)
    pitch = 4 + 6 * torch.rand(speakers, 1, generator=generator)
    speaker = torch.arange(speakers).repeat_interleave(each)
    count = len(speaker)
    moved = formants[speaker] + 0.02 * torch.randn(count, 3, 1, generator=generator)
    loud = 0.6 + 0.8 * torch.rand(count, 3, 1, generator=generator)
    spectrum = (loud * torch.exp(-(axis - moved).square() / 0.005)).sum(1)
    spectrum = spectrum + 0.3 * (2 * math.pi * pitch[speaker] * axis).sin()
    slope = torch.randn(count, 2, 1, generator=generator)
    spectrum = spectrum + 0.8 * slope[:, 0] * (axis - 0.5) + 0.4 * slope[:, 1]
    spectrum = 1.5 * (spectrum + 0.12 * torch.randn(count, bands, generator=generator) - 0.5)
    old = speaker < int(0.75 * speakers)
    return Voices(spectrum[old], speaker[old]), Voices(spectrum[~old], speaker[~old])


@cache
def sightings(count: int = 7000, seed: int = 2110) -> Samples:
    """Numbers of a species and of a site in front, four habits of the day; birds are counted."""
    generator = seeded(seed)
    likes = torch.randn(SPECIES, 2, generator=generator)
    offers = torch.randn(SITES, 2, generator=generator)
    common = 0.6 * torch.randn(SPECIES, generator=generator)
    species = torch.randint(SPECIES, (count,), generator=generator)
    site = torch.randint(SITES, (count,), generator=generator)
    day = torch.randn(count, 4, generator=generator)
    log_rate = 0.3 + common[species] + 0.6 * (likes[species] * offers[site]).sum(1)
    log_rate = log_rate + 0.4 * day[:, 0] - 0.3 * day[:, 1].square()
    birds = torch.poisson(log_rate.clamp(max=4).exp(), generator=generator)
    return cut(torch.cat([species[:, None], site[:, None], day], 1), birds)


@cache
def questionnaires(count: int = 2400, items: int = 18, seed: int = 2111) -> Samples:
    """Answers from 1 to 5, centred, and which of five stages of a burn-out was found."""
    generator = seeded(seed)
    traits = torch.randn(count, 4, generator=generator)
    answers = 1.1 * traits @ torch.randn(4, items, generator=generator)
    answers = answers + 0.7 * torch.randn(count, items, generator=generator)
    answers = (answers.round() + 3).clamp(1, 5)
    strain = traits[:, 0] + 0.8 * traits[:, 1] * traits[:, 2] + 0.5 * traits[:, 3].abs()
    strain = strain + 0.25 * torch.randn(count, generator=generator)
    limits = strain.quantile(torch.tensor([0.3, 0.55, 0.75, 0.9]))
    stage = (strain[:, None] > limits).sum(1)
    return cut((answers - 3) / 1.4, stage)


class Village(NamedTuple):
    """Who knows whom (normed, with oneself), what is known of each, and the clan of each."""

    known: Tensor
    x: Tensor
    clan: Tensor


@cache
def village(people: int = 600, clans: int = 4, features: int = 40, seed: int = 2112) -> Village:
    generator = seeded(seed)
    clan = torch.randint(clans, (people,), generator=generator)
    same = clan[:, None] == clan[None, :]
    chance = torch.where(same, 0.035, 0.006)
    draw = (torch.rand(people, people, generator=generator) < chance).triu(1).float()
    links = draw + draw.T + torch.eye(people)
    degree = links.sum(1).rsqrt()
    middle = 0.35 * torch.randn(clans, features, generator=generator)
    x = middle[clan] + torch.randn(people, features, generator=generator)
    return Village(degree[:, None] * links * degree[None, :], x, clan)


@cache
def epidemics(count: int = 1800, days: int = 60, seed: int = 2113) -> Samples:
    """Logarithms of reported cases a day; asked is the reproduction number and the duration."""
    generator = seeded(seed)
    number = 1.3 + 2.7 * torch.rand(count, generator=generator)
    duration = 3 + 7 * torch.rand(count, generator=generator)
    ill = 10 ** (-4 + 1.5 * torch.rand(count, generator=generator))
    well = 1 - ill
    share = 0.2 + 0.6 * torch.rand(count, generator=generator)
    cases = []
    for _ in range(days):
        new = (number / duration * well * ill).minimum(well)
        well, ill = well - new, ill + new - ill / duration
        cases.append(new)
    reported = torch.poisson(2e4 * share[:, None] * torch.stack(cases, 1), generator=generator)
    x = (reported.log1p() - 4) / 2
    y = torch.stack([(number - 2.65) / 0.78, (duration - 6.5) / 2.0], 1)
    return cut(x[:, None], y)


@cache
def screened(
    count: int = 5000, features: int = 16, share: float = 0.04, seed: int = 2114
) -> Samples:
    """Findings of people, of whom few have the disease."""
    generator = seeded(seed)
    y = (torch.rand(count, generator=generator) < share).long()
    shift = 0.5 * torch.randn(features, generator=generator)
    x = torch.randn(count, features, generator=generator) + y[:, None] * shift
    x[:, 0] = x[:, 0] * (1 + 1.2 * y)
    x[:, 1] = torch.where(y > 0, 0.8 * x[:, 2] + 0.6 * x[:, 1], x[:, 1])
    return cut(x, y, 0.6)


@cache
def parcels(count: int = 1500, size: int = 12, seed: int = 2115, noise: float = 0.5) -> Samples:
    """Three bands over parcels of five uses: meadow, vineyard, orchard, houses, water."""
    generator = seeded(seed)
    y = torch.randint(5, (count,), generator=generator)
    axis = torch.arange(size, dtype=torch.float32)
    rows, columns = axis[None, :, None], axis[None, None, :]
    turn = math.pi * torch.rand(count, 1, 1, generator=generator)
    shift = 6.3 * torch.rand(count, 2, 1, 1, generator=generator)
    along = turn.cos() * rows + turn.sin() * columns
    across = turn.cos() * columns - turn.sin() * rows
    stripes = (1.9 * along + shift[:, 0]).sin()
    dots = (1.9 * along + shift[:, 0]).sin() * (1.9 * across + shift[:, 1]).sin() * 1.6
    blocks = (0.8 * along + shift[:, 0]).sin().sign() * (0.8 * across + shift[:, 1]).sin().sign()
    flat = torch.zeros(count, size, size)
    slow = (0.35 * along + shift[:, 0]).sin()
    texture = torch.stack([flat, stripes, dots, blocks, slow], 1)[torch.arange(count), y]
    mix = 0.6 + 0.25 * torch.randn(count, 3, 1, 1, generator=generator)
    light = 0.5 * torch.randn(count, 3, 1, 1, generator=generator)
    x = mix * texture[:, None] + light
    return split(x + noise * torch.randn(count, 3, size, size, generator=generator), y, 0.6)


@cache
def mentions(
    count: int = 4000, pairs: int = 6, names: int = 12, values: int = 8, seed: int = 2116
) -> Samples:
    """Names with what was said of each, and a name that is asked for: rows of two numbers.

    The last row of each has value 0, the others 1 and more; up to two rows are empty (0, 0).
    """
    generator = seeded(seed)
    name = torch.rand(count, names, generator=generator).argsort(1)[:, :pairs] + 1
    value = torch.randint(1, values + 1, (count, pairs), generator=generator)
    blank = torch.randint(1, 3, (count,), generator=generator)
    held = torch.arange(pairs) < (pairs - blank)[:, None]
    name, value = name * held, value * held
    pick = (torch.rand(count, generator=generator) * (pairs - blank)).long()
    row = torch.arange(count)
    asked = torch.stack([name[row, pick], torch.zeros(count, dtype=torch.long)], 1)
    x = torch.cat([torch.stack([name, value], 2), asked[:, None]], 1)
    return cut(x, value[row, pick] - 1)


@cache
def galaxies(count: int = 2200, seed: int = 2117) -> Samples:
    """Rows of a catalogue in its own units; asked is the mass, standardized."""
    generator = seeded(seed)
    z = torch.randn(count, 6, generator=generator)
    mass = 0.8 * z[:, 0] + 0.5 * z[:, 1] * z[:, 2] + 0.5 * (1.5 * z[:, 3]).sin()
    mass = mass + 0.1 * torch.randn(count, generator=generator)
    x = torch.stack([
        3e4 + 9e3 * z[:, 0], 180 + 50 * z[:, 1], 0.05 + 0.01 * z[:, 2], 0.5 + 0.1 * z[:, 3],
        5.2e3 + 300 * z[:, 4], 21 + z[:, 5],
    ], 1)  # fmt: skip
    return cut(x, (mass - mass.mean()) / mass.std())


@cache
def galaxies_standardized() -> Samples:
    return standardized(galaxies())
