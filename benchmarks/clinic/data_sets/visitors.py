"""What researchers of eight fields brought along, small and made up."""

from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .samples import Samples, split

QUANTILES = (0.1, 0.5, 0.9)
USERS, FILMS = 160, 110
SONGS = 90
LETTERS = " abcdefghijklmnopqrstuvwxyz."
TAGS, VOCABULARY = 5, 140
COVERS, CLOUD = 5, 255


@cache
def commands(count: int = 1500, mels: int = 32, frames: int = 40) -> Samples:
    """Spectrograms of eight spoken words in decibels, two formants that move, by many voices."""
    draw = torch.Generator().manual_seed(901)
    y = torch.randint(8, (count,), generator=draw)
    course = torch.randn(8, 2, 3, generator=draw)[y]
    speed = 0.85 + 0.3 * torch.rand(count, 1, generator=draw)
    time = (torch.linspace(0, 1, frames) - 0.5) * speed
    time = time + 0.1 * torch.randn(count, 1, generator=draw)
    voice = 1.2 * torch.randn(count, 1, generator=draw)
    x = torch.zeros(count, mels, frames)
    for formant, middle in enumerate((9.0, 21.0)):
        a, b, c = course[:, formant].unbind(1)
        centre = middle + voice + 2 * a[:, None] + 7 * b[:, None] * time
        centre = centre + 3 * c[:, None] * (6.28 * time).sin()
        away = (torch.arange(mels)[:, None] - centre[:, None]) / 1.6
        x = x + (-0.5 * away.square()).exp()
    loud = (-0.5 * (time / 0.32).square()).exp()[:, None]
    x = -62 + 34 * x.clamp(max=1) * loud + 4 * torch.randn(count, 1, 1, generator=draw)
    return split((x + 7 * torch.randn(x.shape, generator=draw))[:, None], y)


@cache
def utterances(count: int = 700, bands: int = 20, frames: int = 50) -> Samples:
    """Frames of a telephone line in decibels; is somebody speaking, or does a door slam?"""
    draw = torch.Generator().manual_seed(902)

    def stretches(level: float) -> Tensor:
        smooth = F.avg_pool1d(torch.randn(count, 1, frames + 10, generator=draw), 11, 1)
        return (smooth[:, 0] * 3.3 > level).float()

    speaking, slam = stretches(0.1), stretches(1.0)
    pitch = 2 + 3 * torch.rand(count, 1, 1, generator=draw)
    comb = (6.28 * torch.arange(bands) / pitch).cos()
    x = -58 + speaking[..., None] * (7 * comb + 3) + 6 * slam[..., None]
    x = x + 3 * torch.randn(count, 1, bands, generator=draw)
    return split(x + 6 * torch.randn(count, frames, bands, generator=draw), speaking)


class Triplets(NamedTuple):
    """Two recordings of one speaker and one of another."""

    anchor: Tensor
    positive: Tensor
    negative: Tensor


@cache
def voices(speakers: int = 120, each: int = 12) -> tuple[Triplets, Triplets]:
    """Statistics of voices over different telephones; the speakers to test are others."""
    draw = torch.Generator().manual_seed(903)
    who = torch.arange(speakers).repeat_interleave(each)
    voice = torch.randn(speakers, 8, generator=draw)[who]
    voice = voice + 0.35 * torch.randn(len(who), 8, generator=draw)
    telephone = 1.5 * torch.randn(len(who), 6, generator=draw)
    mixing = torch.randn(14, 40, generator=draw) / 14**0.5
    x = (1.3 * torch.cat([voice, telephone], 1) @ mixing).tanh()
    x = x + 0.1 * torch.randn(x.shape, generator=draw)
    x = (x - x.mean(0)) / x.std(0)

    def triplets(first: int, last: int, count: int) -> Triplets:
        a = torch.randint(first, last, (count,), generator=draw)
        b = first + (a - first + torch.randint(1, last - first, (count,), generator=draw)) % (
            last - first
        )
        i = torch.randint(each, (count,), generator=draw)
        j = (i + torch.randint(1, each, (count,), generator=draw)) % each
        k = torch.randint(each, (count,), generator=draw)
        return Triplets(x[a * each + i], x[a * each + j], x[b * each + k])

    return triplets(0, 90, 3000), triplets(90, speakers, 1000)


@cache
def slices(count: int = 420, size: int = 32) -> Samples:
    """Slices through an organ with one to three lesions, and where the lesions are."""
    draw = torch.Generator().manual_seed(904)

    def rand(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, 1, 1, generator=draw)

    axis = torch.linspace(-1, 1, size)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    organ = (((down - rand(-0.1, 0.1)) / rand(0.6, 0.85)).square()
             + ((across - rand(-0.1, 0.1)) / rand(0.6, 0.85)).square()) < 1  # fmt: skip
    away = (down - rand(-0.5, 0.5, 3)).square() + (across - rand(-0.5, 0.5, 3)).square()
    present = (
        torch.rand(count, 3, 1, 1, generator=draw) < torch.tensor([1.0, 0.6, 0.4])[:, None, None]
    )
    lesion = ((away < rand(0.1, 0.28, 3).square()) & present).any(1) & organ
    texture = F.avg_pool2d(torch.randn(count, 1, size + 4, size + 4, generator=draw), 5, 1)[:, 0]
    x = 0.25 + 0.35 * organ + rand(0.14, 0.25) * lesion + 0.2 * texture * organ
    x = x + 0.06 * torch.randn(x.shape, generator=draw)
    return split(((x - 0.45) / 0.2)[:, None], lesion[:, None].float())


class Followed(NamedTuple):
    """Patients, how long they were followed, and whether it ended with the event."""

    x: Tensor
    time: Tensor
    event: Tensor


@cache
def patients(count: int = 2400) -> tuple[Followed, Followed]:
    draw = torch.Generator().manual_seed(905)
    x = torch.randn(count, 18, generator=draw)
    risk = 0.9 * x[:, 0] - 0.7 * x[:, 1] + 0.6 * x[:, 2] * (x[:, 3] > 0) + 0.4 * x[:, 4]
    time = -torch.rand(count, generator=draw).clamp(min=1e-6).log() * (-risk).exp() * 20
    end = 60 * torch.rand(count, generator=draw)
    event, time = time < end, torch.minimum(time, end)
    cut = 1700
    return (Followed(x[:cut], time[:cut], event[:cut]), Followed(x[cut:], time[cut:], event[cut:]))


@cache
def nodules(count: int = 1000, size: int = 12, rare: bool = False) -> Samples:
    """Cubes of a scan: vessel, fissure or nodule; or only tubes and, one in 16, nodules."""
    draw = torch.Generator().manual_seed(906)
    if rare:
        y = (torch.rand(count, generator=draw) < 1 / 16).long()
        kind = 2 * y
    else:
        kind = y = torch.randint(3, (count,), generator=draw)
    axis = torch.linspace(-1, 1, size)
    place = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    centre = 0.5 * (torch.rand(count, 1, 1, 1, 3, generator=draw) - 0.5)
    side = F.normalize(torch.randn(count, 1, 1, 1, 3, generator=draw), dim=-1)
    away = place - centre
    along = (away * side).sum(-1)
    square = away.square().sum(-1)
    distance = torch.stack([(square - along.square()).clamp(min=0), along.square(), square], 1)
    distance = distance[torch.arange(count), kind].sqrt()
    thick = torch.tensor([0.3, 0.18, 0.45])[kind][:, None, None, None]
    thick = thick * (0.8 + 0.4 * torch.rand(count, 1, 1, 1, generator=draw))
    x = 1.6 * ((thick - distance) / 0.08).sigmoid() - 0.3
    return split((x + (0.6 if rare else 0.45) * torch.randn(x.shape, generator=draw))[:, None], y)


@cache
def demonstrations(count: int = 2600) -> Samples:
    """Angles and speeds of five joints, where to go, and what an operator did with four motors."""
    draw = torch.Generator().manual_seed(907)
    angle = 1.2 * torch.randn(count, 5, generator=draw)
    speed = torch.randn(count, 5, generator=draw)
    goal = torch.randn(count, 3, generator=draw)
    reach = torch.cat([angle.sin(), angle.cos()], 1) @ torch.randn(10, 3, generator=draw) / 2
    gain = torch.randn(3, 4, generator=draw)
    damping = 0.3 * torch.randn(5, 4, generator=draw)
    action = (0.8 * (goal - reach) @ gain - speed @ damping).tanh()
    action = action + 0.08 * torch.randn(count, 4, generator=draw)
    return split(torch.cat([angle, speed, goal], 1), action.clamp(-1, 1))


@cache
def transitions(count: int = 3000) -> Samples:
    """A pendulum on a cart: state and force, and what they have changed a little later."""
    draw = torch.Generator().manual_seed(908)
    speed, turn = torch.randn(2, count, generator=draw)
    turn = 2 * turn
    angle = 6.28 * torch.rand(count, generator=draw)
    force = 2 * torch.rand(count, generator=draw) - 1
    push = 4 * force + 0.3 * turn.square() * angle.sin() - 0.5 * speed
    linear = (push - 2 * angle.sin() * angle.cos()) / (1.2 - 0.5 * angle.cos().square())
    twist = 5 * angle.sin() - linear * angle.cos() - 0.2 * turn
    change = torch.stack([linear, twist, turn * angle.cos(), -turn * angle.sin()], 1)
    change = (change - change.mean(0)) / change.std(0)
    change = change + 0.1 * torch.randn(change.shape, generator=draw)
    return split(torch.stack([speed, turn / 2, angle.sin(), angle.cos(), force], 1), change)


@cache
def clouds(count: int = 1300, points: int = 80) -> Samples:
    """Points of a depth camera on balls, boxes, tubes, cones and rings, turned about upright."""
    draw = torch.Generator().manual_seed(909)

    def rand(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=draw)

    y = torch.randint(5, (count,), generator=draw)
    angle, height, third = 6.28 * rand(points), 2 * rand(points) - 1, 6.28 * rand(points)
    flat = (1 - height.square()).sqrt()
    ball = torch.stack([flat * angle.cos(), flat * angle.sin(), height], -1)
    box = 2 * rand(points, 3) - 1
    box = 0.8 * box / box.abs().amax(-1, keepdim=True)
    tube = torch.stack([0.7 * angle.cos(), 0.7 * angle.sin(), height], -1)
    wide = 0.9 * (1 - height) / 2
    cone = torch.stack([wide * angle.cos(), wide * angle.sin(), height], -1)
    round_ = 0.75 + 0.3 * third.cos()
    ring = torch.stack([round_ * angle.cos(), round_ * angle.sin(), 0.3 * third.sin()], -1)
    x = torch.stack([ball, box, tube, cone, ring], 1)[torch.arange(count), y]
    turn = 6.28 * rand(1)
    x = torch.stack([x[..., 0] * turn.cos() - x[..., 1] * turn.sin(),
                     x[..., 0] * turn.sin() + x[..., 1] * turn.cos(), x[..., 2]], -1)  # fmt: skip
    x = x * (0.8 + 0.4 * rand(1, 3)) + 0.08 * torch.randn(x.shape, generator=draw)
    return split(x, y)


@cache
def visits(count: int = 3000) -> Samples:
    """Twelve covariates, the last one the years observed, and how often the doctor was seen."""
    draw = torch.Generator().manual_seed(910)
    x = torch.randn(count, 12, generator=draw)
    years = 0.5 + 2.5 * torch.rand(count, generator=draw)
    log_rate = 0.1 + 0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.5 * (x[:, 2].abs() - 0.8)
    log_rate = log_rate + 0.3 * x[:, 3] * (x[:, 4] > 0)
    x[:, -1] = years
    return split(x, torch.poisson(years * log_rate.exp(), generator=draw))


@cache
def wages(count: int = 2800) -> Samples:
    """Standardized columns of a survey, and the logarithm of a wage that varies more for some."""
    draw = torch.Generator().manual_seed(911)
    x = torch.randn(count, 14, generator=draw)
    x[:, 5:8] = (x[:, 5:8] > 0.4).float()
    middle = (
        0.8 * x[:, 0] - 0.5 * (x[:, 1] - 0.3).square() + 0.6 * x[:, 0] * x[:, 5] + 0.4 * x[:, 6]
    )
    spread = 0.25 * (0.5 * x[:, 2]).exp() + 0.2 * x[:, 7]
    return split(x, middle + spread * torch.randn(count, generator=draw))


@cache
def sequences(count: int = 2000, length: int = 90) -> Samples:
    """Stretches of DNA, and which of four factors bind: one or two motifs each, imperfect."""
    draw = torch.Generator().manual_seed(912)
    motifs = torch.randint(4, (4, 8), generator=draw)
    bases = torch.randint(4, (count, length), generator=draw)
    bound = torch.rand(count, 4, generator=draw) < 0.4
    for factor in range(4):
        start = 22 * factor + torch.randint(14, (count, 1), generator=draw)
        where = (start + torch.arange(8)) % length
        kept = torch.rand(count, 8, generator=draw) < 0.93
        placed = torch.where(kept & bound[:, [factor]], motifs[factor], bases.gather(1, where))
        bases = bases.scatter(1, where, placed)
    turned = torch.randint(length, (count, 1), generator=draw)
    bases = bases.gather(1, (torch.arange(length) + turned) % length)
    return split(F.one_hot(bases, 4).transpose(1, 2), bound.float())


@cache
def cells(count: int = 1800, genes: int = 100) -> Samples:
    """Counts of genes in single cells of six types; the true logarithms of their means."""
    draw = torch.Generator().manual_seed(913)
    kind = torch.randint(6, (count,), generator=draw)
    place = 1.1 * torch.randn(6, 5, generator=draw)[kind] + 0.4 * torch.randn(
        count, 5, generator=draw
    )
    loading = 0.6 * torch.randn(5, genes, generator=draw)
    log_mean = 0.8 + 0.7 * torch.randn(genes, generator=draw) + (place @ loading).tanh() * 1.5
    depth = 0.3 * torch.randn(count, 1, generator=draw)
    shape = torch.full((count, genes), 3.0)
    noise = torch._standard_gamma(shape, generator=draw) / 3
    return split(torch.poisson((log_mean + depth).exp() * noise, generator=draw), log_mean + depth)


@cache
def expressions(patients: int = 460, genes: int = 300) -> Samples:
    """Standardized genes of some tumours of four subtypes, most genes without a say."""
    draw = torch.Generator().manual_seed(914)
    y = torch.randint(4, (patients,), generator=draw)
    x = torch.randn(patients, genes, generator=draw)
    x[:, :24] += 0.6 * torch.randn(4, 24, generator=draw)[y]
    flipped = torch.rand(patients, generator=draw) < 0.15
    y = torch.where(flipped, torch.randint(4, (patients,), generator=draw), y)
    return split(x, y, 0.45)


@cache
def ratings(count: int = 15000) -> Samples:
    """Users and films by number, and ratings about 3.5 by four tastes, bias and mood."""
    draw = torch.Generator().manual_seed(915)
    user = torch.randint(USERS, (count,), generator=draw)
    film = (FILMS * torch.rand(count, generator=draw).pow(1.4)).long()
    taste, kind = torch.randn(USERS, 4, generator=draw), torch.randn(FILMS, 4, generator=draw)
    y = 3.5 + 0.35 * torch.randn(USERS, generator=draw)[user]
    y = y + 0.4 * torch.randn(FILMS, generator=draw)[film]
    y = y + 0.45 * (taste[user] * kind[film]).sum(1) + 0.4 * torch.randn(count, generator=draw)
    samples = split(torch.stack([user, film], 1), y.clamp(0.5, 6.5))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def sessions(count: int = 1600, length: int = 13) -> Samples:
    """Songs heard one after the other, of one of nine kinds for a while; the next of each."""
    draw = torch.Generator().manual_seed(916)
    follow = torch.rand(SONGS, 10, generator=draw).pow(3)
    song = torch.randint(SONGS, (count,), generator=draw)
    heard = [song]
    for _ in range(length - 1):
        place = torch.multinomial(follow[song], 1, generator=draw)[:, 0]
        other = torch.randint(SONGS, (count,), generator=draw)
        away = torch.rand(count, generator=draw) < 0.12
        song = torch.where(away, other, (song // 10 * 10 + place + 10 * (place == 3)) % SONGS)
        heard.append(song)
    x = torch.stack(heard, 1)
    samples = split(x[:, :-1], x[:, 1:])
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def prose(count: int = 1100, length: int = 40) -> Samples:
    """Windows of a text of made-up words, each word with its liking for the next; next letters."""
    draw = torch.Generator().manual_seed(917)
    words = 45
    hard, soft = "bdfgklmnprst", "aeiou"
    lexicon = []
    for size in torch.randint(1, 4, (words,), generator=draw).tolist():
        picked = torch.randint(60, (size,), generator=draw).tolist()
        lexicon.append("".join(hard[p // 5] + soft[p % 5] for p in picked))
    likes = torch.rand(words, words, generator=draw).pow(6)
    word, text = 0, ""
    while len(text) < count * length // 2:
        word = int(torch.multinomial(likes[word], 1, generator=draw))
        text += lexicon[word] + (". " if word % 11 == 0 else " ")
    letters = torch.tensor([LETTERS.index(letter) for letter in text])
    windows = letters.unfold(0, length + 1, length // 2)
    cut = int(0.75 * len(windows))
    a, b = windows[:cut], windows[cut + 2 :]
    return Samples(a[:, :-1], a[:, 1:], b[:, :-1], b[:, 1:])


@cache
def sentences(count: int = 1500, length: int = 18) -> Samples:
    """Word numbers with 0 behind the end, and tags, which hang on the word before, too."""
    draw = torch.Generator().manual_seed(918)
    x = (1 + (VOCABULARY - 1) * torch.rand(count, length, generator=draw).pow(1.5)).long()
    own = torch.randint(TAGS, (VOCABULARY,), generator=draw)
    changes = torch.rand(VOCABULARY, generator=draw) < 0.4
    before = F.pad(x[:, :-1], (1, 0))
    tag = (own[x] + changes[x] * own[before]) % TAGS
    wrong = torch.rand(count, length, generator=draw) < 0.05
    tag = torch.where(wrong, torch.randint(TAGS, (count, length), generator=draw), tag)
    end = torch.randint(6, length + 1, (count, 1), generator=draw)
    padded = torch.arange(length) >= end
    samples = split(x.masked_fill(padded, 0), tag.masked_fill(padded, -100))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def scenes(count: int = 260, size: int = 24, bands: int = 6) -> Samples:
    """Reflectances of fields, water, wood, town and soil, and the covers, unknown under clouds."""
    draw = torch.Generator().manual_seed(919)
    axis = torch.linspace(0, 1, size)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    seeds = torch.rand(count, 7, 1, 1, 2, generator=draw)
    cover = torch.randint(COVERS, (count, 7), generator=draw)
    nearest = (place - seeds).square().sum(-1).argmin(1).flatten(1)
    y = cover.gather(1, nearest).reshape(count, size, size)
    spectra = 0.25 + 0.1 * torch.randn(COVERS, bands, generator=draw)
    x = spectra[y] * (0.85 + 0.3 * torch.rand(count, 1, 1, 1, generator=draw))
    x = x + 0.1 * torch.randn(x.shape, generator=draw)
    middle = torch.rand(count, 1, 1, 2, generator=draw)
    cloud = (place - middle).square().sum(-1) < 0.05
    x = torch.where(cloud[..., None], 0.8 + 0.05 * torch.randn(x.shape, generator=draw), x)
    return split(x.permute(0, 3, 1, 2), y.masked_fill(cloud, CLOUD))


@cache
def seasons(count: int = 1800, dates: int = 14) -> Samples:
    """Four indices of a field through a year, standardized, and which of six crops grew there."""
    draw = torch.Generator().manual_seed(920)
    y = torch.randint(6, (count,), generator=draw)
    time = torch.linspace(0, 1, dates)
    start = 0.15 + 0.08 * y[:, None] + 0.05 * torch.randn(count, 1, generator=draw)
    span = torch.tensor([0.4, 0.25, 0.4, 0.3, 0.2, 0.3])[y, None]
    green = ((time - start) / 0.04).sigmoid() * ((start + span - time) / 0.05).sigmoid()
    mix = torch.randn(6, 4, generator=draw)[y, None]
    x = green[..., None] * (1 + 0.4 * mix) + 0.25 * torch.randn(count, dates, 4, generator=draw)
    return split((x - x.mean((0, 1))) / x.std((0, 1)), y)


@cache
def harbours(count: int = 1300, size: int = 20) -> Samples:
    """Radar of the sea in decibels, standardized: a ship, or only speckle and a wave's crest?"""
    draw = torch.Generator().manual_seed(921)
    ship = torch.rand(count, generator=draw) < 0.4
    axis = torch.linspace(-1, 1, size)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    turn = 3.14 * torch.rand(count, 1, 1, generator=draw)
    down = down - 1.2 * (torch.rand(count, 1, 1, generator=draw) - 0.5)
    across = across - 1.2 * (torch.rand(count, 1, 1, generator=draw) - 0.5)
    along, aside = down * turn.cos() + across * turn.sin(), across * turn.cos() - down * turn.sin()
    hull = ((along / 0.3).square() + (aside / 0.11).square() < 1) & ship[:, None, None]
    crest = (aside.abs() < 0.1) & ~ship[:, None, None]
    x = 2.6 * hull + 1.3 * crest * torch.rand(count, 1, 1, generator=draw)
    return split((x + torch.randn(x.shape, generator=draw))[:, None], ship.float())
