"""Made-up measurements of many sciences: spectra, strings, catchments, patients, plots, cells."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from data_sets.samples import Samples, split


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lines(grid: Tensor, centre: Tensor, width: Tensor) -> Tensor:
    return 1 / (1 + ((grid - centre[..., None]) / width[..., None]) ** 2)


@cache
def raman(count: int = 1500, channels: int = 180) -> Samples:
    """Counts per channel of six minerals, impure and fluorescent."""
    g = seeded(701)
    grid = torch.linspace(0, 1, channels)
    centres, heights, widths = torch.rand(3, 6, 5, generator=g)
    pure = ((heights + 0.3)[..., None] * lines(grid, centres, 0.008 + 0.015 * widths)).sum(1)
    mineral, other = torch.randint(6, (2, count), generator=g)
    share, gain, glow, slope = torch.rand(4, count, 1, generator=g)
    clean = (1 - 0.45 * share) * pure[mineral] + 0.45 * share * pure[other]
    light = clean + (0.5 + 2 * glow) * torch.exp(-3 * slope * grid)
    return split(torch.poisson(8 * (0.4 + gain) * light, generator=g), mineral)


@cache
def beats(count: int = 2400, length: int = 120) -> Samples:
    """Heart beats in millivolts: sinus, ventricular (8%) and atrial (6%) ones."""
    g = seeded(702)
    kind = torch.multinomial(torch.tensor([0.86, 0.08, 0.06]), count, True, generator=g)
    t = torch.linspace(0, 1, length)
    jitter = torch.randn(6, count, 1, generator=g)
    wide, early = (kind == 1).float()[:, None], (kind == 2).float()[:, None]
    r_width = 0.022 + 0.022 * wide + 0.004 * jitter[0].abs()
    p_at = 0.22 - 0.07 * early + 0.015 * jitter[1]
    p_high = 0.16 * (1 - 0.8 * wide) + 0.04 * jitter[2]
    wave = torch.exp(-(((t - 0.42 - 0.01 * jitter[3]) / r_width) ** 2)) * (1 + 0.15 * jitter[4])
    wave = wave + p_high * torch.exp(-(((t - p_at) / 0.035) ** 2))
    wave = wave + (0.3 - 0.4 * wide) * torch.exp(-(((t - 0.7) / 0.07) ** 2))
    wander = 0.2 * jitter[5] * torch.sin(3 * t + jitter[1])
    return split(wave + wander + 0.09 * torch.randn(count, length, generator=g), kind)


def planted(sequences: Tensor, motif: str, start: Tensor, rate: float, g: torch.Generator) -> None:
    """Write a motif into sequences of letters, some of its own letters mutated."""
    letters = torch.tensor(["ACGT".index(c) for c in motif]).expand(len(start), -1)
    drawn = torch.randint(4, letters.shape, generator=g)
    keep = torch.rand(letters.shape, generator=g) > rate
    places = start[:, None] + torch.arange(len(motif))
    sequences.scatter_(1, places, torch.where(keep, letters, drawn))


@cache
def promoters(count: int = 2400, length: int = 80) -> Samples:
    """Stretches of DNA; promoters have both boxes at the right distance, others one at most."""
    g = seeded(703)
    dna = torch.randint(4, (count, length), generator=g)
    label = torch.randint(2, (count,), generator=g)
    which = torch.randint(3, (count,), generator=g)
    box = torch.randint(8, 34, (count,), generator=g)
    gap = torch.randint(15, 19, (count,), generator=g)
    for motif, start, lone in (("TTGACA", box, 1), ("TATAAT", box + 6 + gap, 2)):
        rows = ((label == 1) | (which == lone)).nonzero().flatten()
        part = dna[rows]
        planted(part, motif, start[rows], 0.1, g)
        dna[rows] = part
    return whole(split(dna, label))


@cache
def splices(count: int = 2700, length: int = 40) -> Samples:
    """Windows around donor sites, acceptor sites, and what looks like either."""
    g = seeded(704)
    dna = torch.randint(4, (count, length), generator=g)
    kind = torch.randint(3, (count,), generator=g)
    middle = torch.full((count,), length // 2)
    coin = torch.rand(count, generator=g) < 0.5
    donor, acceptor = (kind == 0).nonzero().flatten(), (kind == 1).nonzero().flatten()
    part = dna[donor]
    planted(part, "AAGGTAAGT", middle[donor] - 3, 0.3, g)
    dna[donor] = part
    tract = torch.randint(2, (len(acceptor), 14), generator=g) * 2 + 1
    drawn = torch.randint(4, tract.shape, generator=g)
    keep = torch.rand(tract.shape, generator=g) > 0.35
    dna[acceptor, length // 2 - 16 : length // 2 - 2] = torch.where(keep, tract, drawn)
    ends_gt = (kind == 0) | ((kind == 2) & coin)
    dna[ends_gt, length // 2], dna[ends_gt, length // 2 + 1] = 2, 3
    dna[~ends_gt, length // 2 - 2], dna[~ends_gt, length // 2 - 1] = 0, 2
    return whole(split(dna, kind))


def whole(data: Samples) -> Samples:
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def solubilities(count: int = 1600, bits: int = 256) -> Samples:
    """Fingerprints of eight families of compounds, and the logarithm of their solubility."""
    g = seeded(705)
    common = torch.rand(8, bits, generator=g) ** 3
    family = torch.randint(8, (count,), generator=g)
    x = (torch.rand(count, bits, generator=g) < 0.05 + 0.6 * common[family]).float()
    weights = torch.randn(bits, generator=g) * (torch.rand(bits, generator=g) < 0.2)
    pairs = torch.randint(bits, (2, 15), generator=g)
    y = x @ weights * 0.45 + 0.8 * (x[:, pairs[0]] * x[:, pairs[1]]).sum(1)
    return split(x, -3.1 + y - y.mean() + 0.5 * torch.randn(count, generator=g))


@cache
def couplings(count: int = 2200) -> Samples:
    """Halide, ligand, base, solvent, kelvins and hours of a reaction, and its yield in percent."""
    g = seeded(706)
    sizes = (9, 7, 4, 4)
    parts = torch.stack([torch.randint(n, (count,), generator=g) for n in sizes], 1)
    kelvin = 300 + 100 * torch.rand(count, generator=g)
    hours = 1 + 23 * torch.rand(count, generator=g)
    score = 0.9 * torch.randn(9, 7, generator=g)[parts[:, 0], parts[:, 1]]
    score = score + 0.8 * torch.randn(7, 4, generator=g)[parts[:, 1], parts[:, 2]]
    score = score + 0.6 * torch.randn(4, generator=g)[parts[:, 3]]
    best = 340 + 15 * torch.randn(9, generator=g)[parts[:, 0]]
    score = score - ((kelvin - best) / 35) ** 2 + 0.5 * torch.log(hours / 6)
    percent = 100 * torch.sigmoid(score + 0.5) + 4 * torch.randn(count, generator=g)
    return split(torch.cat([parts, kelvin[:, None], hours[:, None]], 1), percent.clamp(0, 100))


@cache
def catchments(days: int = 1500, window: int = 40, each: int = 5) -> Samples:
    """Rain (mm), temperature (C) and pressure (hPa) of forty days at six rivers; run-off (mm)."""
    g = seeded(707)
    rivers = 6
    wet = torch.rand(days, rivers, generator=g) < 0.35
    rain = wet * -8 * torch.log(torch.rand(days, rivers, generator=g).clamp_min(1e-6))
    season = torch.sin(6.2832 * torch.arange(days) / 365)[:, None]
    celsius = 7 - 11 * season + 3 * torch.randn(days, rivers, generator=g)
    hectopascal = 1013 - 5 * wet.float() + 4 * torch.randn(days, rivers, generator=g)
    snow, quick, slow = torch.zeros(3, rivers)
    flow = torch.zeros(days, rivers)
    for day in range(days):
        cold = (celsius[day] < 0.5).float()
        melt = torch.minimum(snow, 2.5 * celsius[day].clamp_min(0))
        snow = snow + cold * rain[day] - melt
        water = (1 - cold) * rain[day] + melt
        loss = torch.minimum(water, 0.15 * celsius[day].clamp_min(0))
        quick, slow = 0.7 * quick + 0.6 * (water - loss), 0.96 * slow + 0.4 * (water - loss)
        flow[day] = 0.3 * quick + 0.04 * slow
    flow = flow * (1 + 0.08 * torch.randn(days, rivers, generator=g))
    series = torch.stack([rain, celsius, hectopascal], -1)
    ends = range(window, days, each)
    x = torch.stack([series[end - window : end] for end in ends]).transpose(1, 2)
    y = torch.stack([flow[end - 1] for end in ends])
    return split(x.flatten(0, 1), y.flatten())


@cache
def boreholes(count: int = 260, depth: int = 96) -> Samples:
    """Gamma ray, density, neutrons, slowness and resistivity down a hole, and four lithologies."""
    g = seeded(708)
    rock = torch.zeros(count, depth, dtype=torch.long)
    rock[:, 0] = torch.randint(4, (count,), generator=g)
    for step in range(1, depth):
        turn = torch.rand(count, generator=g) < 0.12
        rock[:, step] = torch.where(
            turn, torch.randint(4, (count,), generator=g), rock[:, step - 1]
        )
    mean = torch.tensor([
        [110.0, 2.45, 0.32, 95.0, 0.6], [35.0, 2.30, 0.20, 80.0, 1.1],
        [28.0, 2.60, 0.09, 60.0, 1.6], [55.0, 2.42, 0.25, 86.0, 0.9],
    ])  # fmt: skip
    spread = torch.tensor([22.0, 0.12, 0.06, 11.0, 0.4])
    logs = mean[rock] + spread * torch.randn(count, depth, 5, generator=g)
    blurred = F.avg_pool1d(logs.transpose(1, 2), 3, 1, 1, count_include_pad=False)
    tool = 0.35 * spread[:, None] * torch.randn(count, 5, 1, generator=g)
    return split(blurred + tool + 0.4 * spread[:, None] * torch.randn(logs.shape, generator=g)
                 .transpose(1, 2), rock)  # fmt: skip


@cache
def jets(count: int = 2600, most: int = 24) -> Samples:
    """Momentum share, two angles and presence of a jet's particles; of one prong, or of two."""
    g = seeded(709)
    label = torch.randint(2, (count,), generator=g)
    number = torch.randint(8, most + 1, (count, 1), generator=g)
    there = (torch.arange(most) < number).float()
    axis = 6.2832 * torch.rand(count, 1, generator=g)
    apart = (0.34 + 0.14 * torch.rand(count, 1, generator=g)) * label[:, None]
    side = torch.where(torch.rand(count, most, generator=g) < 0.4, 1.0, -0.6)
    wide = 0.13 + 0.12 * torch.rand(count, 1, generator=g)
    angles = wide[..., None] * torch.randn(count, most, 2, generator=g)
    angles = angles + (apart * side)[..., None] * torch.stack([axis.cos(), axis.sin()], -1)
    momentum = torch.rand(count, most, generator=g) ** 3 * there + 1e-9
    share = momentum / momentum.sum(1, keepdim=True)
    x = torch.cat([share[..., None], angles, there[..., None]], -1) * there[..., None]
    return split(x, label)


@cache
def cohort(count: int = 900) -> tuple[Samples, Tensor, Tensor]:
    """Twelve standardized lab values, years until death or the end, and who died."""
    g = seeded(710)
    x = torch.randn(count, 12, generator=g)
    x[:, 1] = 0.7 * x[:, 0] + 0.7 * x[:, 1]
    risk = 0.9 * x[:, 0] - 0.6 * x[:, 2] + 0.5 * (x[:, 3] ** 2 - 1) + 0.5 * x[:, 4] * x[:, 5]
    death = -torch.log(torch.rand(count, generator=g).clamp_min(1e-6)) * 5 * torch.exp(-risk)
    end = 1 + 9 * torch.rand(count, generator=g)
    died = (death < end).long()
    data = split(x, torch.minimum(death, end))
    both = split(x, died)
    return data, both.y, both.y_test


@cache
def birds(count: int = 4000) -> Samples:
    """Ten habitat columns of a plot, metres to degrees, and how many warblers were heard."""
    g = seeded(711)
    z = torch.randn(count, 10, generator=g)
    rate = 0.7 * z[:, 0] - 0.6 * (z[:, 1] - 0.3) ** 2 + 0.5 * z[:, 2] * z[:, 3] + 0.3 * z[:, 4]
    heard = torch.poisson(torch.exp(rate - 0.9).clamp_max(25), generator=g)
    level = torch.tensor([640.0, 12.0, 3.0, 55.0, 0.6, 8.0, 150.0, 2.0, 30.0, 45.0])
    return split(level + 0.25 * level * z, heard)


@cache
def imagined(count: int = 900, length: int = 128) -> Samples:
    """Ten electrodes, in microvolts, while the left or the right hand is thought of."""
    g = seeded(712)
    t = torch.arange(length) / 128
    hand = torch.randint(2, (count,), generator=g)
    phase, beat = torch.rand(2, count, 2, 1, generator=g)
    side = torch.stack([hand, 1 - hand], 1)[..., None]
    power = 0.35 + 0.75 * side + 0.25 * torch.randn(count, 2, 1, generator=g).abs()
    rhythm = power * torch.sin(6.2832 * ((10 + 2 * beat) * t + phase))
    mixing = torch.rand(10, 2, generator=g)
    slow = torch.randn(count, 10, length, generator=g).cumsum(-1)
    slow = slow - F.avg_pool1d(slow, 33, 1, 16, count_include_pad=False)
    noise = 0.4 * slow + 0.7 * torch.randn(count, 10, length, generator=g)
    return split(9 * (mixing @ rhythm + 1.7 * noise), hand)


@cache
def downscaled(count: int = 500, size: int = 24) -> Samples:
    """Coarse temperature, spread to the fine grid, and height; the fine temperature."""
    g = seeded(713)
    spot = torch.randn(1, 1, 8, 8, generator=g)
    height = F.interpolate(spot, size=(size, size), mode="bicubic").expand(count, -1, -1, -1)
    broad = F.interpolate(
        torch.randn(count, 1, 4, 4, generator=g), size=(size, size), mode="bicubic"
    )
    lapse = -0.8 + 0.5 * broad.mean((2, 3), keepdim=True)
    fine = 284 + 4 * broad + 3 * lapse * height + 0.4 * torch.randn(broad.shape, generator=g)
    coarse = F.interpolate(F.avg_pool2d(fine, 4), size=(size, size), mode="bilinear")
    return split(torch.cat([coarse, 600 + 300 * height], 1), fine)


@cache
def metabolites(count: int = 1500, channels: int = 160) -> tuple[Samples, Tensor, Tensor]:
    """NMR traces, millimoles of five metabolites, and the error given with each of them."""
    g = seeded(714)
    grid = torch.linspace(0, 1, channels)
    centres, heights, _ = torch.rand(3, 5, 4, generator=g)
    amount = 0.5 + 4 * torch.rand(count, 5, generator=g)
    shift = 0.012 * torch.randn(count, 5, 1, generator=g)
    width = torch.full((count, 5, 4), 0.012)
    shape = (heights[..., None] * lines(grid, centres + shift, width)).sum(2)
    trace = (amount[..., None] * shape).sum(1)
    trace = trace + 0.15 * torch.randn(count, channels, generator=g)
    error = 0.1 + 0.6 * torch.rand(count, 5, generator=g) ** 2
    data = split(trace, amount + error * torch.randn(count, 5, generator=g))
    both = split(trace, error)
    return data, both.y, both.y_test


FRAGMENTS = ("C", "CC", "O", "N", "F", "Cl", "C(=O)", "c1ccccc1", "S", "C(O)", "OC", "C#N")
ALPHABET = " " + "".join(sorted(set("".join(FRAGMENTS))))


@cache
def strings(count: int = 1800, longest: int = 48) -> tuple[Samples, int]:
    """Strings of molecules as numbers, filled up with noughts, and their lipophilicity."""
    g = seeded(715)
    worth = (0.35, 0.7, -0.9, -0.8, 0.2, 0.7, -0.6, 1.6, 0.4, -0.7, -0.4, -0.5)
    rows, logp = torch.zeros(count, longest, dtype=torch.long), torch.zeros(count)
    for row in range(count):
        text = ""
        picks = torch.randint(len(FRAGMENTS), (12,), generator=g)[: 3 + row % 8].tolist()
        for before, pick in zip([0, *picks], picks, strict=False):
            if len(text + FRAGMENTS[pick]) <= longest:
                text += FRAGMENTS[pick]
                logp[row] += worth[pick] - 0.6 * (pick in (2, 3, 9) and before in (2, 3, 9))
        rows[row, : len(text)] = torch.tensor([ALPHABET.index(c) for c in text])
    return whole(split(rows, logp + 0.25 * torch.randn(count, generator=g))), len(ALPHABET)


@cache
def reactions(count: int = 2600) -> Samples:
    """Eight columns of a trial, and the seconds until the key was pressed."""
    g = seeded(716)
    x = torch.randn(count, 8, generator=g)
    x[:, 5:] = (x[:, 5:] > 0).float()
    centre = -0.9 + 0.3 * x[:, 0] + 0.25 * x[:, 5] * x[:, 1] + 0.2 * torch.tanh(2 * x[:, 2])
    spread = 0.2 * torch.exp(0.4 * x[:, 3])
    return split(x, 0.15 + torch.exp(centre + spread * torch.randn(count, generator=g)))


@cache
def frogs(count: int = 1300, bands: int = 24, frames: int = 32) -> Samples:
    """Spectrograms in decibels of seven species that sweep, pulse and trill, in rain."""
    g = seeded(717)
    species = torch.randint(7, (count,), generator=g)
    band = torch.tensor([5.0, 9.0, 9.0, 13.0, 13.0, 17.0, 18.0])[species][:, None]
    sweep = torch.tensor([0.0, 3.0, -3.0, 0.0, 0.0, 2.0, -4.0])[species][:, None]
    rate = torch.tensor([0.8, 0.0, 0.0, 1.2, 2.1, 1.2, 0.8])[species][:, None]
    own, when, loud = torch.randn(3, count, 1, generator=g)
    t = torch.arange(frames) / frames
    pitch = band + 0.9 * own + sweep * (t - 0.5)
    gate = torch.exp(-(((t - 0.5 - 0.1 * when) / 0.28) ** 2)) * (
        0.6 + 0.5 * torch.sin(rate * torch.arange(frames) + 2 * own)
    )
    call = torch.exp(-(((torch.arange(bands)[:, None] - pitch[:, None]) / 1.3) ** 2))
    picture = (22 + 4 * loud[..., None]) * call * gate[:, None]
    rain = 6 * torch.randn(count, bands, frames, generator=g)
    return split((picture + rain - 70)[:, None], species)


@cache
def cells(count: int = 1800) -> Samples:
    """Thirty millivolt readings, kelvins, milliamperes, milliohms; share of capacity left."""
    g = seeded(718)
    health = 0.7 + 0.3 * torch.rand(count, 1, generator=g)
    warm, load, ohm = torch.randn(3, count, 1, generator=g)
    used = torch.linspace(0, 0.95, 30) / (health * (1 + 0.03 * warm))
    volt = 4.1 - 0.5 * used - 0.8 * torch.relu(used - 0.8) ** 0.5 - 0.06 * load - 0.03 * ohm
    milli = 1000 * (volt + 0.02 * torch.randn(count, 30, generator=g))
    resistance = 40 + 30 * (1 - health) + 4 * ohm
    x = torch.cat([milli, 298 + 8 * warm, 1500 + 300 * load, resistance], 1)
    return split(x, health[:, 0])


@cache
def bloods(count: int = 2000) -> Samples:
    """Fourteen standardized values of blood, and one of five diagnoses that overlap."""
    g = seeded(719)
    x = torch.randn(count, 14, generator=g) @ (
        torch.eye(14) + 0.25 * torch.randn(14, 14, generator=g)
    )
    hidden = torch.tanh(x @ torch.randn(14, 10, generator=g) / 2.5)
    score = hidden @ torch.randn(10, 5, generator=g)
    score = score + 0.3 * torch.randn(count, 5, generator=g)
    return split(x, (score - score.mean(0)).argmax(1))


@cache
def compounds(count: int = 2000, elements: int = 30) -> Samples:
    """Shares of thirty elements in a compound, and its band gap in electronvolts."""
    g = seeded(720)
    pick = torch.rand(count, elements, generator=g).argsort(1)[:, :3]
    part = torch.rand(count, 3, generator=g) + 0.2
    x = torch.zeros(count, elements).scatter_(1, pick, part / part.sum(1, keepdim=True))
    pull, weight = torch.rand(2, elements, generator=g)
    mean = x @ pull
    spread = (x @ pull**2 - mean**2).clamp_min(0).sqrt()
    gap = 6 * spread + 2 * torch.sin(4 * mean) - 1.5 * (x @ weight)
    return split(x, (gap + 1).clamp_min(0) + 0.1 * torch.randn(count, generator=g))


@cache
def fragments(count: int = 1800, bins: int = 150) -> Samples:
    """Mass spectra in bins, and which of six functional groups the molecule has."""
    g = seeded(721)
    groups = (torch.rand(count, 6, generator=g) < 0.35).float()
    marks = (torch.rand(6, bins, generator=g) < 0.05) * torch.rand(6, bins, generator=g)
    common = (torch.rand(20, bins, generator=g) < 0.08) * torch.rand(20, bins, generator=g)
    frame = common[torch.randint(20, (count,), generator=g)]
    seen = (groups * torch.rand(count, 6, generator=g)) @ marks
    noise = torch.rand(count, bins, generator=g) ** 6
    found = seen + 0.7 * frame + 0.6 * noise
    return split(found / found.amax(1, keepdim=True), groups)


@cache
def discharges(count: int = 1500, points: int = 20) -> Samples:
    """Seven settings of a plasma code, within their ranges, and the profile it computes."""
    g = seeded(722)
    x = 2 * torch.rand(count, 7, generator=g) - 1
    r = torch.linspace(0, 1, points)
    top, edge = (1.5 + x[:, 0] + 0.5 * x[:, 1] * x[:, 2])[:, None], 0.7 + 0.15 * x[:, 3:4]
    step = torch.sigmoid((edge - r) * (14 + 6 * x[:, 4:5]))
    profile = top * (1 - r**2) ** (1.5 + x[:, 5:6]) + (0.8 + 0.4 * x[:, 6:7]) * step
    return split(x, profile - profile.mean() + 0.03 * torch.randn(count, points, generator=g))


@cache
def residues(count: int = 460, length: int = 60) -> Samples:
    """Proteins of twenty letters, and helix, strand or coil at each of their places."""
    g = seeded(723)
    state = torch.zeros(count, length, dtype=torch.long)
    stay = torch.tensor([0.88, 0.8, 0.75])
    for place in range(1, length):
        turn = torch.rand(count, generator=g) > stay[state[:, place - 1]]
        drawn = torch.randint(3, (count,), generator=g)
        state[:, place] = torch.where(turn, drawn, state[:, place - 1])
    liking = torch.softmax(1.1 * torch.randn(3, 20, generator=g), 1)
    letters = torch.multinomial(liking[state.flatten()], 1, generator=g).view(count, length)
    return whole(split(letters, state))


@cache
def fields(count: int = 1500, weeks: int = 20) -> tuple[Samples, Tensor, Tensor]:
    """Rain, warmth, sun and wind of twenty weeks; soil, apart; tonnes per hectare."""
    g = seeded(724)
    weather = torch.randn(count, weeks, 4, generator=g)
    weather = 0.7 * weather + 0.7 * weather.roll(1, 1)
    soil = torch.randn(count, 5, generator=g)
    bloom = weather[:, 7:12].mean(1)
    yields = 7 + 1.1 * torch.tanh(bloom[:, 0] + 0.7 * soil[:, 0]) - 0.6 * bloom[:, 1] ** 2
    yields = yields + 0.6 * weather[:, 12:].mean(1)[:, 2] + 0.5 * soil[:, 1]
    data = split(weather, yields + 0.25 * torch.randn(count, generator=g))
    apart = split(soil, yields)
    return data, apart.x, apart.x_test


@cache
def volatilities(count: int = 2600, lags: int = 22) -> Samples:
    """Logarithms of a month of realized variances, and the one of tomorrow."""
    g = seeded(725)
    shocks = torch.randn(count + 400, generator=g)
    series = torch.zeros(count + 400)
    for day in range(22, len(series)):
        month, week = series[day - 22 : day].mean(), series[day - 5 : day].mean()
        series[day] = 0.3 * series[day - 1] + 0.35 * week + 0.3 * month + 0.5 * shocks[day]
    series = series[400 - lags - 1 :]
    x = series.unfold(0, lags + 1, 1)
    return split(x[:, :-1] - 9, x[:, -1] - 9)


@cache
def shocks(count: int = 3600) -> Samples:
    """Sixteen standardized values of a ward's patients; one in twenty-five goes into shock."""
    g = seeded(726)
    x = torch.randn(count, 16, generator=g)
    risk = x[:, 0] - 0.8 * x[:, 1] + 0.6 * x[:, 2] * x[:, 3] + 0.5 * x[:, 4].abs() + 0.5 * x[:, 5]
    risk = risk + 1.1 * torch.randn(count, generator=g)
    return split(x, (risk > risk.quantile(0.96)).long())
