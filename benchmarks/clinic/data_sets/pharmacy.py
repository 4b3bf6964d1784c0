"""What a pharmacy and its laboratory measure, made up: reactions, tablets, doses, spectra."""

from functools import cache

import torch
from torch import Tensor

from data_sets.samples import Samples, split


@cache
def reactions(rare: float = 0.02, count: int = 6000) -> Samples:
    """Reports of side effects in twelve numbers, few of them serious; the kinds overlap."""
    draw = torch.Generator().manual_seed(4101)
    y = (torch.rand(count, generator=draw) < rare).long()
    shift = torch.zeros(12)
    shift[:6] = 2.0 / 6**0.5
    return split(torch.randn(count, 12, generator=draw) + y[:, None] * shift, y)


@cache
def trial_batches(count: int = 900) -> Samples:
    """Eight settings of a press and how fast its tablets dissolve, mostly noise.

    150 to train on.
    """
    draw = torch.Generator().manual_seed(4102)
    x = torch.randn(count, 8, generator=draw)
    y = x[:, :5] @ torch.tensor([0.9, -0.8, 0.7, 0.5, -0.5]) + 0.3 * x[:, 6] * x[:, 7]
    y = y + 1.5 * torch.randn(count, generator=draw)
    return split(x, (y - y.mean()) / y.std(), 150 / count)


@cache
def chromatograms(count: int = 1200, length: int = 64) -> Samples:
    """Three peaks for each of five substances, at times that drift, over noise."""
    draw = torch.Generator().manual_seed(4103)
    places = 8 + 48 * torch.rand(5, 3, generator=draw)
    heights = 0.5 + torch.rand(5, 3, generator=draw)
    y = torch.randint(5, (count,), generator=draw)
    at = places[y] + 2.5 * torch.randn(count, 1, generator=draw)
    at = at + 0.7 * torch.randn(count, 3, generator=draw)
    time = torch.arange(float(length))
    peaks = torch.exp(-0.5 * ((time - at[..., None]) / 1.8).square())
    x = (heights[y][..., None] * peaks).sum(1) + 0.45 * torch.randn(count, length, generator=draw)
    return split(x[:, None], y)


@cache
def grains(count: int = 2048) -> Tensor:
    """Length and width of grains of powder, a bent cloud, about standardized."""
    draw = torch.Generator().manual_seed(4104)
    a, b = torch.randn(2, count, generator=draw)
    points = torch.stack([a, 0.7 * (a.square() - 1) + 0.3 * b], 1)
    return (points - points.mean(0)) / points.std(0)


@cache
def fingerprints(count: int = 2400, bits: int = 256) -> tuple[Tensor, Tensor]:
    """Two faulty readings of each molecule's sparse bits: of those to train on, and of 400 more."""
    draw = torch.Generator().manual_seed(4105)
    bases = torch.rand(40, bits, generator=draw) < 0.08
    own = torch.rand(count, bits, generator=draw) < 0.06
    true = bases[torch.randint(40, (count,), generator=draw)] | own
    kept = torch.rand(2, count, bits, generator=draw) < 0.8
    added = torch.rand(2, count, bits, generator=draw) < 0.02
    views = ((true & kept) | added).float().transpose(0, 1).contiguous()
    return views[:-400], views[-400:]


@cache
def patients(count: int = 3000) -> Samples:
    """Six measures of patients, and which of five doses is the best for each."""
    draw = torch.Generator().manual_seed(4106)
    x = torch.randn(count, 6, generator=draw)
    need = x[:, 0] + 0.8 * x[:, 1] * (x[:, 2] > 0) - 0.6 * x[:, 3].abs()
    edges = need.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8]))
    return split(x, torch.bucketize(need, edges))


@cache
def concentrations(count: int = 1000, hours: int = 48) -> Samples:
    """Doses by the hour beside clearance and volume; target is the level in blood each hour."""
    draw = torch.Generator().manual_seed(4107)
    given = (torch.rand(count, hours, generator=draw) < 0.12).float()
    given = given * (0.5 + torch.rand(count, hours, generator=draw))
    clearance, volume = torch.randn(2, count, generator=draw)
    lost, spread = (-0.15 * (0.4 * clearance).exp()).exp(), (0.2 * volume).exp()
    level, levels = torch.zeros(count), []
    for hour in range(hours):
        level = level * lost + given[:, hour] / spread
        levels.append(level)
    y = torch.stack(levels, 1)
    y = (y - y.mean()) / y.std() + 0.1 * torch.randn(count, hours, generator=draw)
    fixed = torch.stack([clearance, volume], 1)[:, None].expand(count, hours, 2)
    return split(torch.cat([given[..., None], fixed], 2), y)


@cache
def prescriptions(count: int = 5000, most: int = 7) -> Samples:
    """Two to seven of sixty drugs, 0 where there is none, and whether any two interact.

    The drugs are of ten groups; two pairs of groups interact.
    """
    draw = torch.Generator().manual_seed(4108)
    x = torch.randint(1, 61, (count, most), generator=draw)
    sizes = torch.randint(2, most + 1, (count, 1), generator=draw)
    x = torch.where(torch.arange(most) < sizes, x, 0)
    group = torch.where(x > 0, (x - 1) % 10, -1)
    has = torch.stack([(group == number).any(1) for number in range(10)], 1)
    y = (has[:, 0] & has[:, 1]) | (has[:, 2] & has[:, 3]) | (has[:, 4] & has[:, 5])
    samples = split(x, y.long())
    return samples.with_inputs(samples.x.long(), samples.x_test.long())


@cache
def tablet_spectra(count: int = 1200, length: int = 96) -> Samples:
    """Near-infrared spectra with scatter and a slope, and the milligrams of what is active.

    Each spectrum is standardized, which takes most of the scatter away.
    """
    draw = torch.Generator().manual_seed(4109)
    line = torch.linspace(0, 1, length)

    def bands(*places: float) -> Tensor:
        return torch.stack([torch.exp(-0.5 * ((line - p) / 0.04).square()) for p in places]).sum(0)

    milligrams = 200 + 12 * torch.randn(count, generator=draw)
    share = (milligrams - 150) / 50
    filler, scatter, slope = torch.randn(3, count, 1, generator=draw)
    pure = share[:, None] * bands(0.25, 0.6) + (1 + 0.02 * filler) * bands(0.4, 0.7, 0.9)
    x = (1 + 0.1 * scatter) * pure + 0.2 * slope * line
    x = x + 0.01 * torch.randn(count, length, generator=draw)
    return split((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), milligrams)


@cache
def dispensings(count: int = 9000) -> Samples:
    """Shop, medicine and week, and how many packs were sold, mostly none; beside it the rate."""
    draw = torch.Generator().manual_seed(4110)
    shop = torch.randint(30, (count,), generator=draw)
    medicine = torch.randint(40, (count,), generator=draw)
    week = torch.randint(52, (count,), generator=draw)
    size = 0.6 * torch.randn(30, generator=draw)
    wanted = 0.8 * torch.randn(40, generator=draw) - 0.9
    phase = 6.3 * torch.rand(40, generator=draw)
    season = 0.7 * torch.sin(6.2832 * week / 52 + phase[medicine])
    rate = (size[shop] + wanted[medicine] + season).exp()
    sold = torch.poisson(rate, generator=draw)
    samples = split(torch.stack([shop, medicine, week], 1), torch.stack([sold, rate], 1))
    return samples.with_inputs(samples.x.long(), samples.x_test.long())
