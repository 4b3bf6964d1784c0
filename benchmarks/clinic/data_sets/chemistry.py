"""What a chemical laboratory measures, made up: spectra, molecules, reactions, screens."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from data_sets.samples import Samples, scaled_targets, split

ATOMS, KINDS = 12, 5


def peaks(centre: Tensor, width: Tensor, height: Tensor, channels: int) -> Tensor:
    """Sums of Lorentz's curves, whose parameters are in the last dimension."""
    channel = torch.arange(float(channels))
    distance = (channel - centre[..., None]) / width[..., None]
    return (height[..., None] / (1 + distance**2)).sum(-2)


@cache
def raman(count: int = 1800, noise: float = 0.12, wrong: float = 0.0) -> Samples:
    """Twelve powders of seven lines each over a bent ground; some are labelled wrongly."""
    draw = torch.Generator().manual_seed(811)
    centre = 10 + 180 * torch.rand(12, 7, generator=draw)
    height = 0.2 + torch.rand(12, 7, generator=draw)
    y = torch.randint(12, (count,), generator=draw)
    u = torch.rand(3, count, 1, generator=draw)
    moved = centre[y] + 4 * (u[0] - 0.5)
    varied = height[y] * (0.3 * torch.randn(count, 7, generator=draw)).exp()
    x = peaks(moved, torch.full_like(moved, 2.5), varied, 200)
    channel = torch.linspace(-1, 1, 200)
    x = x + 1.5 * u[1] * channel**2 + (2 * u[2] - 1) * channel
    data = split(x + noise * torch.randn(x.shape, generator=draw), y)
    other = torch.randint(12, data.y.shape, generator=draw)
    return data._replace(
        y=torch.where(torch.rand(data.y.shape, generator=draw) < wrong, other, data.y)
    )


@cache
def solutions(count: int = 2000) -> Samples:
    """Absorption of one dye: how much of it is there?"""
    draw = torch.Generator().manual_seed(812)
    amount = 0.2 + 1.8 * torch.rand(count, generator=draw)
    shift = 6 * torch.rand(count, 1, generator=draw)
    centre = torch.tensor([25.0, 48.0, 70.0]) + shift
    width = torch.tensor([6.0, 9.0, 5.0]) * (0.8 + 0.4 * torch.rand(count, 1, generator=draw))
    height = torch.tensor([0.5, 1.0, 0.4]).expand(count, 3)
    x = amount[:, None] * peaks(centre, width, height, 100)
    x = x * (1 + 0.05 * torch.randn(x.shape, generator=draw))
    return scaled_targets(split(x, amount))


@cache
def molecules(count: int = 3000) -> Samples:
    """Heats of formation in kJ/mol; an atom is its kind and its bonds to the others.

    Molecules have 6 to 12 atoms; those that are missing are rows of zeros.
    """
    draw = torch.Generator().manual_seed(813)
    size = torch.randint(6, ATOMS + 1, (count, 1), generator=draw)
    there = torch.arange(ATOMS) < size
    kind = torch.randint(KINDS, (count, ATOMS), generator=draw)
    bonds = torch.zeros(count, ATOMS, ATOMS)
    every = torch.arange(count)
    for atom in range(1, ATOMS):
        earlier = (torch.rand(count, generator=draw) * atom).long()
        bonds[every, atom, earlier] = bonds[every, earlier, atom] = 1.0
    bonds = bonds * there[:, :, None] * there[:, None]
    x = torch.eye(KINDS)[kind] * there[..., None]
    of_atom = torch.randn(KINDS, generator=draw)
    of_bond = torch.randn(KINDS, KINDS, generator=draw)
    pair = torch.einsum("nia,nij,njb,ab->n", x, bonds, x, of_bond + of_bond.T)
    branched = ((bonds.sum(-1) >= 3).float() * (x @ of_atom.flip(0))).sum(1)
    heat = (x @ of_atom).sum(1) + 0.5 * pair + 1.5 * branched
    heat = heat + 0.1 * torch.randn(count, generator=draw)
    return split(torch.cat([x, bonds], -1), -84_000.0 + 1900.0 * heat)


@cache
def peptides(count: int = 2000) -> Samples:
    """Letters from 1 to 20, 0 behind the end; how long a column keeps them, standardized."""
    draw = torch.Generator().manual_seed(814)
    length = torch.randint(6, 21, (count, 1), generator=draw)
    x = torch.randint(1, 21, (count, 20), generator=draw)
    x = x * (torch.arange(20) < length)
    water = torch.cat([torch.zeros(1), torch.randn(20, generator=draw)])
    kept = water[x].sum(1) / length[:, 0].sqrt()
    beside = (water[x[:, 1:]] * water[x[:, :-1]]).clamp(min=0).sum(1) / length[:, 0].sqrt()
    time = kept + 0.5 * beside + 0.8 * water[x[:, 0]]
    data = split(x, time + 0.15 * torch.randn(count, generator=draw))
    return scaled_targets(data.with_inputs(data.x.long(), data.x_test.long()))


@cache
def folds(count: int = 700, length: int = 40) -> Samples:
    """Helix, strand or coil of each residue; -100 behind the end of a chain.

    Residues are only a hint: neighbours have to be asked, and even so a fifth stays unknown.
    """
    draw = torch.Generator().manual_seed(815)
    stay = torch.tensor([0.88, 0.82, 0.78])
    prefers = torch.softmax(0.9 * torch.randn(3, 20, generator=draw), -1)
    state = torch.randint(3, (count,), generator=draw)
    states = []
    for _ in range(length):
        moved = torch.rand(count, generator=draw) > stay[state]
        state = torch.where(moved, torch.randint(3, (count,), generator=draw), state)
        states.append(state)
    y = torch.stack(states, 1)
    x = torch.multinomial(prefers[y.flatten()], 1, generator=draw).reshape(y.shape) + 1
    beyond = torch.arange(length) >= torch.randint(20, length + 1, (count, 1), generator=draw)
    data = split(x.masked_fill(beyond, 0), y.masked_fill(beyond, -100))
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def bindings(count: int = 5000) -> Samples:
    """A fingerprint of 64 bits and 32 numbers of a pocket: does the one fit into the other?"""
    draw = torch.Generator().manual_seed(816)
    bits = (torch.rand(count, 64, generator=draw) < 0.3).float()
    pocket = torch.randn(count, 32, generator=draw)
    of_bits = (bits - 0.3) @ torch.randn(64, generator=draw)
    of_pocket = pocket @ torch.randn(32, generator=draw)
    fit = of_bits / of_bits.std() * of_pocket / of_pocket.std()
    return split(torch.cat([bits, pocket], 1), fit + 0.1 * torch.randn(count, generator=draw) > 0)


@cache
def descriptors(count: int = 1500) -> Samples:
    """Solubility from what a toolkit calculates: weights, areas, counts, and one up to millions."""
    draw = torch.Generator().manual_seed(817)
    size = torch.randn(count, 1, generator=draw)
    z = 0.4 * size + torch.randn(count, 16, generator=draw)
    scale = torch.tensor([80.0, 30, 1.2, 1.5, 250, 2, 20, 3, 0.2, 0.05, 12, 1, 40, 0.1, 5, 6])
    mean = torch.tensor([350.0, 75, 2.5, 4, 700, 6, 120, 2, 0.4, 0.1, 25, 3, 90, 0.2, 10, 12])
    information = (11 + 1.5 * (0.7 * size + 0.7 * torch.randn(count, 1, generator=draw))).exp()
    target = (
        -1.0 * z[:, 2] + 0.8 * z[:, 8].tanh() * z[:, 9] - 0.5 * size[:, 0]
        + 0.6 * (z[:, 13] > 0) * z[:, 3] + 0.2 * torch.randn(count, generator=draw)
    )  # fmt: skip
    return scaled_targets(split(torch.cat([mean + scale * z, information], 1), target))


def logged(x: Tensor) -> Tensor:
    """The last of the descriptors by its logarithm."""
    return torch.cat([x[:, :-1], x[:, -1:].log()], 1)


class Network(NamedTuple):
    """Proteins, what is known of each, its function, and the pairs that touch."""

    x: Tensor
    y: Tensor
    pairs: Tensor


@cache
def interactions(count: int = 600) -> Network:
    """Of five functions; four of five pairs are of the same one."""
    draw = torch.Generator().manual_seed(818)
    y = torch.randint(5, (count,), generator=draw)
    centres = torch.randn(5, 24, generator=draw)
    x = 0.6 * centres[y] + torch.randn(count, 24, generator=draw)
    a, b = torch.randint(count, (2, 12_000), generator=draw)
    kept = (y[a] == y[b]) | (torch.rand(12_000, generator=draw) < 0.06)
    return Network(x, y, torch.stack([a, b])[:, kept & (a != b)])


@cache
def reactors(count: int = 400) -> Samples:
    """A becomes B, and B becomes C; temperature and first amounts, and the amounts at 16 times."""
    draw = torch.Generator().manual_seed(819)
    warm = 2 * torch.rand(count, 1, generator=draw) - 1
    first = torch.cat([0.5 + torch.rand(count, 1, generator=draw), torch.zeros(count, 2)], 1)
    rate = (torch.tensor([1.8, -1.6]) + torch.tensor([0.8, 1.2]) * warm).exp()
    state, seen = first, []
    for step in range(64):
        flow = rate * state[:, :2] / 32
        loss, gain = torch.zeros(count, 3), torch.zeros(count, 3)
        loss[:, :2], gain[:, 1:] = flow, flow
        state = state - loss + gain
        if step % 4 == 3:
            seen.append(state)
    curves = torch.stack(seen, 1)
    curves = curves + 0.02 * torch.randn(curves.shape, generator=draw)
    return split(torch.cat([warm, first], 1), curves)


@cache
def screen(count: int = 7000) -> Samples:
    """Seldom does a compound inhibit: one in about 25, by several of its 40 numbers together."""
    draw = torch.Generator().manual_seed(820)
    x = torch.randn(count, 40, generator=draw)
    odds = 1.5 * x[:, 0] + 1.2 * x[:, 1].abs() + 1.5 * x[:, 2] * (x[:, 3] > 0) - x[:, 4]
    odds = odds + 0.3 * torch.randn(count, generator=draw)
    return split(x, odds > odds.quantile(0.96))


class Replicates(NamedTuple):
    """Spectra of compounds, measured several times each; others once, and again for queries."""

    known: Tensor
    library: Tensor
    query: Tensor


@cache
def fragments(compounds: int = 900, times: int = 5) -> Replicates:
    """Mass spectra of 256 bins; half of the ions come from the solvent and say nothing."""
    draw = torch.Generator().manual_seed(821)
    own = torch.rand(compounds, 256, generator=draw)
    own = torch.where(own > 0.94, torch.rand(own.shape, generator=draw), 0.0)
    solvent = (torch.rand(256, generator=draw) < 0.15).float()
    shape = (compounds, times, 256)
    lost = torch.rand(shape, generator=draw) < 0.3
    x = own[:, None] * (0.4 * torch.randn(shape, generator=draw)).exp() * ~lost
    x = x + 1.5 * solvent * torch.rand(shape, generator=draw)
    x = (x + 0.03 * torch.rand(shape, generator=draw)).sqrt()
    x = x / x.norm(dim=-1, keepdim=True)
    return Replicates(x[:800], x[800:, 0], x[800:, 1:])


@cache
def tablets(count: int = 900) -> tuple[Samples, Tensor]:
    """Near infrared of tablets: broad bands of four substances; 120 have been assayed.

    Returns the assayed ones and the rest, and the spectra of all that have not been assayed.
    """
    draw = torch.Generator().manual_seed(822)
    share = torch.rand(count, 4, generator=draw)
    share = share / share.sum(1, keepdim=True)
    centre = 150 * torch.rand(4, 5, generator=draw)
    width, height = 8 + 14 * torch.rand(4, 5, generator=draw), torch.rand(4, 5, generator=draw)
    x = share @ peaks(centre, width, height, 150)
    scatter = 1 + 0.15 * torch.randn(count, 1, generator=draw)
    x = x * scatter + 0.01 * torch.randn(count, 150, generator=draw)
    dissolved = torch.sigmoid(8 * (share[:, 0] - 0.3)) + 0.5 * share[:, 1]
    data = split(x, dissolved + 0.02 * torch.randn(count, generator=draw))
    return scaled_targets(data.first(120)), data.x[120:]
