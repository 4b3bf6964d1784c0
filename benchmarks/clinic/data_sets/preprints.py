"""What published code is run on: skies, jets, arms of robots, phones and fields, all made up."""

import math
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_sets.samples import Samples


def cut(x: Tensor, y: Tensor, train: int) -> Samples:
    return Samples(x[:train], y[:train], x[train:], y[train:])


def levelled(x: Tensor, train: int) -> Tensor:
    """Columns to mean 0 and deviation 1, by the first rows."""
    return (x - x[:train].mean(0)) / x[:train].std(0)


class Records(NamedTuple):
    """Columns by their names: some to train on, and others."""

    train: dict[str, Tensor]
    test: dict[str, Tensor]


def records(train: int, **columns: Tensor) -> Records:
    return Records(
        {name: column[:train] for name, column in columns.items()},
        {name: column[train:] for name, column in columns.items()},
    )


class Rows(Dataset[dict[str, Tensor]]):
    """A dictionary for each row."""

    def __init__(self, columns: dict[str, Tensor]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


def feeds(data: Records, batch: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    train = DataLoader(Rows(data.train), batch_size=batch, shuffle=True)
    return train, DataLoader(Rows(data.test), batch_size=200)


@cache
def galaxies(count: int = 2200, size: int = 16) -> Samples:
    """Stretched cut-outs: smooth, edge-on, with arms, and two that merge."""
    g = torch.Generator().manual_seed(7301)
    y = torch.randint(4, (count,), generator=g)
    line = torch.linspace(-1, 1, size)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"))
    middle = 0.2 * torch.randn(count, 2, 1, 1, generator=g)
    angle = math.pi * torch.rand(count, 1, 1, generator=g)
    flat = torch.where(y == 1, 0.18, 0.6)[:, None, None]
    flat = flat * (0.8 + 0.5 * torch.rand(count, 1, 1, generator=g))
    extent = 0.2 + 0.2 * torch.rand(count, 1, 1, generator=g)

    def profile(centre: Tensor) -> tuple[Tensor, Tensor]:
        across, along = (grid - centre).unbind(1)
        u = across * angle.cos() + along * angle.sin()
        v = (along * angle.cos() - across * angle.sin()) / flat
        r = (u**2 + v**2 + 1e-4).sqrt()
        return (-r / extent).exp(), 2 * torch.atan2(v, u) - 5 * r.log()

    light, phase = profile(middle)
    arms = 0.9 * (y == 2)[:, None, None] * phase.cos()
    away = torch.randn(count, 2, 1, 1, generator=g)
    other, _ = profile(middle + 0.7 * away / away.norm(dim=1, keepdim=True))
    sky = light * (1 + arms) + 0.8 * (y == 3)[:, None, None] * other
    sky = sky * (0.6 + 0.8 * torch.rand(count, 1, 1, generator=g))
    sky = (sky + 0.08 * torch.randn(count, size, size, generator=g)).mul(4).asinh()
    sky = (sky - sky.mean()) / sky.std()
    return cut(sky[:, None], y, 1700)


@cache
def light_curves(count: int = 2200, most: int = 36) -> Records:
    """Phases and magnitudes of variable stars of five kinds, padded to one more than most have."""
    g = torch.Generator().manual_seed(7302)
    y = torch.randint(5, (count,), generator=g)
    phase = torch.rand(count, most, generator=g).sort(1).values

    def dip(at: float, width: float) -> Tensor:
        return -(-(((phase - at) / width) ** 2)).exp()

    kinds = torch.stack([
        (2 * math.pi * phase).sin(), 2 * phase - 1, 1.6 * dip(0.5, 0.08) + 0.5,
        1.4 * dip(0.25, 0.07) + 0.9 * dip(0.75, 0.07) + 0.4, (4 * math.pi * phase).sin() * 0.8,
    ])  # fmt: skip
    height = 0.7 + 0.6 * torch.rand(count, 1, generator=g)
    mag = height * kinds[y, torch.arange(count)]
    mag = mag + 0.5 * torch.randn(count, most, generator=g)
    seen = torch.randint(10, most, (count, 1), generator=g)
    mask = torch.arange(most) < seen
    order = torch.rand(count, most, generator=g).argsort(1)
    phase, mag = phase.gather(1, order), mag.gather(1, order)
    return records(1700, phase=phase * mask, mag=mag * mask, mask=mask, label=y)


@cache
def arms(count: int = 3600) -> Tensor:
    """Points of three arms that turn about a middle."""
    g = torch.Generator().manual_seed(7303)
    along = torch.rand(count, generator=g).sqrt()
    turn = 2.1 * along + 2 * math.pi / 3 * torch.randint(3, (count,), generator=g)
    points = 2.2 * along[:, None] * torch.stack([turn.cos(), turn.sin()], 1)
    return points + 0.12 * torch.randn(count, 2, generator=g)


@cache
def responses(functions: int = 600, sensors: int = 24, asked: int = 8) -> Samples:
    """Forcing at sensors and a time; what a stiffening spring answers at that time."""
    g = torch.Generator().manual_seed(7304)
    time = torch.linspace(0, 1, 121)
    waves = torch.arange(1, 5)[:, None] * math.pi * time
    size = torch.randn(functions, 4, generator=g) / torch.arange(1, 5) ** 0.5
    shift = 2 * math.pi * torch.rand(functions, 4, 1, generator=g)
    force = 2.5 * (size[..., None] * (waves + shift).sin()).sum(1)
    state, states = torch.zeros(functions), []
    for step in range(121):
        states.append(state)
        state = state + (force[:, step] * 2 - 6 * state**3) / 120
    solution = torch.stack(states, 1)
    places = torch.linspace(0, 120, sensors).round().long()
    when = torch.randint(4, 121, (functions, asked), generator=g)
    x = torch.cat([
        force[:, None, places].expand(-1, asked, -1) / 2.5, time[when][..., None] * 2 - 1,
    ], -1)  # fmt: skip
    y = solution.gather(1, when)
    y = (y - y.mean()) / y.std() + 0.03 * torch.randn(functions, asked, generator=g)
    return cut(x.flatten(0, 1), y.flatten(), 500 * asked)


@cache
def land_cover(count: int = 4200) -> Samples:
    """Ten bands as a satellite delivers them, ten thousand for white; six covers, two rare."""
    g = torch.Generator().manual_seed(7305)
    shares = torch.tensor([0.4, 0.25, 0.17, 0.1, 0.05, 0.03])
    y = torch.multinomial(shares, count, replacement=True, generator=g)
    season = torch.randn(count, 1, generator=g)
    typical = 0.25 + 0.03 * torch.randn(6, 10, generator=g)
    drift = 0.03 * torch.randn(6, 10, generator=g)
    bright = 1 + 0.15 * torch.randn(count, 1, generator=g)
    noise = 0.035 * torch.randn(count, 10, generator=g)
    bands = bright * (typical[y] + drift[y] * season.abs()) + noise
    return cut((bands.clamp(0.001) * 10000).round(), y, 3200)


@cache
def demonstrations(count: int = 3000) -> Samples:
    """Joints, their speeds and a target of a plane arm; the torques of who showed it."""
    g = torch.Generator().manual_seed(7306)
    q = 1.8 * torch.rand(count, 3, generator=g) - 0.6
    speed = torch.randn(count, 3, generator=g)
    target = 1.6 * torch.rand(count, 2, generator=g)
    total = q.cumsum(1)
    lengths = torch.tensor([1.0, 0.8, 0.5])
    place = torch.stack([(lengths * total.cos()).sum(1), (lengths * total.sin()).sum(1)], 1)
    miss = target - place
    down = (lengths * total.sin()).flip(1).cumsum(1).flip(1)
    side = (lengths * total.cos()).flip(1).cumsum(1).flip(1)
    torque = 2 * (side * miss[:, 1:] - down * miss[:, :1]) - 0.5 * speed
    torque = torque + 0.25 * torch.randn(count, 3, generator=g)
    x = torch.cat([(q - 0.3) / 0.52, speed, (target - 0.8) / 0.46], 1)
    return cut(x, torque, 2400)


@cache
def pushes(count: int = 3400) -> Records:
    """A state, a push, the reward, and the state that follows, of a puck on uneven ground."""
    g = torch.Generator().manual_seed(7307)
    state = torch.randn(count, 5, generator=g)
    push = 2 * torch.rand(count, 2, generator=g) - 1
    place, motion, ground = state[:, :2], state[:, 2:4], state[:, 4:]
    grip = torch.sigmoid(2 * ground)
    faster = (1 - 0.4 * grip) * motion + 0.8 * push - 0.3 * place.sin()
    after = torch.cat([place + 0.4 * faster, faster, ground], 1)
    after = after + 0.03 * torch.randn(count, 5, generator=g)
    far = (after[:, :2] - torch.tensor([0.6, -0.4])).norm(dim=1)
    reward = (-far).exp() * 3 - 0.4 * grip.squeeze(1) * push.norm(dim=1)
    reward = (reward - reward.mean()) / reward.std()
    reward = reward + 0.15 * torch.randn(count, generator=g)
    return records(2600, state=state, push=push, reward=reward, after=after)


@cache
def phones(count: int = 2000, most: int = 32, bands: int = 12) -> Records:
    """Energies in bands while a resonance moves from one of three places to another."""
    g = torch.Generator().manual_seed(7308)
    y = torch.randint(6, (count,), generator=g)
    pairs = torch.tensor([[0, 1], [1, 0], [0, 2], [2, 0], [1, 2], [2, 1]])
    places = torch.tensor([2.0, 5.5, 9.0])[pairs[y]]
    places = places + 0.8 * torch.randn(count, 2, generator=g)
    length = torch.randint(16, most + 1, (count,), generator=g)
    moment = torch.arange(most) / length[:, None]
    bend = (12 * (moment - 0.3 - 0.4 * torch.rand(count, 1, generator=g))).sigmoid()
    centre = places[:, :1] * (1 - bend) + places[:, 1:] * bend
    energy = (-((torch.arange(bands) - centre[..., None]) ** 2) / 3).exp() * 2
    energy = energy + 0.7 * torch.randn(count, most, bands, generator=g) - 0.5
    mask = torch.arange(most) < length[:, None]
    return records(1500, frames=energy * mask[..., None], length=length, phone=y)


@cache
def survivals(count: int = 2600) -> Records:
    """Twelve covariates, the month of the last visit, and whether it was the event."""
    g = torch.Generator().manual_seed(7309)
    x = torch.randn(count, 12, generator=g)
    risk = 0.8 * x[:, 0] + 0.7 * x[:, 1] * x[:, 2] + 0.8 * (x[:, 3].abs() - 0.8) - 0.5 * x[:, 4]
    months = 12
    grow = torch.linspace(-3.4, -1.6, months)
    fate = torch.rand(count, months, generator=g) < (grow + risk[:, None]).sigmoid()
    happens = torch.where(fate.any(1), fate.float().argmax(1), months)
    leaves = torch.randint(3, months + 8, (count,), generator=g).clamp(max=months - 1)
    event = happens <= leaves
    return records(2000, x=x, month=torch.minimum(happens, leaves), event=event.float())


@cache
def molecules(count: int = 2000, size: int = 9) -> Records:
    """Atoms of four kinds in chains, some closed to rings; a property of all of them."""
    g = torch.Generator().manual_seed(7310)
    kind = torch.randint(4, (count, size), generator=g)
    atoms = torch.randint(5, size + 1, (count,), generator=g)
    mask = torch.arange(size) < atoms[:, None]
    bonds = torch.zeros(count, size, size)
    for atom in range(1, size):
        to = (torch.rand(count, generator=g) * atom).long()
        bonds[torch.arange(count), atom, to] = 1.0
    ring = torch.rand(count, generator=g) < 0.4
    bonds[ring, 4, 0] = 1.0
    bonds = (bonds + bonds.mT).clamp(max=1) * mask[:, :, None] * mask[:, None]
    own = torch.tensor([0.5, -0.7, 0.2, -0.1])[kind]
    pull = torch.tensor([0.0, 1.0, -1.0, 0.4])[kind]
    met = torch.einsum("ni,nij,nj->n", pull, bonds, pull)
    degree = bonds.sum(2)
    value = (own * mask).sum(1) + 0.6 * met + 0.5 * ((degree - 2).clamp(min=0) * pull).sum(1)
    value = value + 0.8 * ring + 0.15 * torch.randn(count, generator=g)
    value = (value - value.mean()) / value.std()
    nodes = torch.nn.functional.one_hot(kind, 4) * mask[..., None]
    return records(1500, nodes=nodes.float(), bonds=bonds, mask=mask.float(), value=value)


@cache
def jets(count: int = 2600, most: int = 14) -> Records:
    """Momenta and directions of particles; whether they come from one decay or from two."""
    g = torch.Generator().manual_seed(7311)
    y = torch.randint(2, (count,), generator=g)
    number = 1 + torch.poisson(torch.full((count,), 5.5), generator=g).long().clamp(max=most - 1)
    mask = torch.arange(most) < number[:, None]
    turn = 2 * math.pi * torch.rand(count, 1, generator=g)
    side = (torch.rand(count, most, generator=g) < 0.5) * 2.0 - 1.0
    far = y[:, None] * (0.3 + 0.15 * torch.rand(count, 1, generator=g)) * side
    spread = 0.14 + 0.1 * (1 - y[:, None]) * torch.rand(count, 1, generator=g)
    eta = far * turn.cos() + spread * torch.randn(count, most, generator=g)
    phi = far * turn.sin() + spread * torch.randn(count, most, generator=g)
    log_pt = torch.randn(count, most, generator=g) - 4 * (eta**2 + phi**2)
    parts = torch.stack([log_pt, eta / 0.25, phi / 0.25], 2) * mask[..., None]
    return records(2000, particles=parts, mask=mask.float(), label=y)


@cache
def events(count: int = 1800, steps: int = 20, pixels: int = 16) -> Samples:
    """Events on a line of pixels of a silent retina, over which an edge moves: five motions."""
    g = torch.Generator().manual_seed(7312)
    y = torch.randint(5, (count,), generator=g)
    speed = torch.tensor([0.0, 0.5, -0.5, 1.1, -1.1])[y]
    start = pixels * torch.rand(count, generator=g)
    at = start[:, None] + speed[:, None] * torch.arange(steps)
    gap = (torch.arange(pixels) - at[..., None]).remainder(pixels)
    chance = 0.06 + 0.75 * (-(torch.minimum(gap, pixels - gap) ** 2)).exp()
    return cut((torch.rand(chance.shape, generator=g) < chance).float(), y, 1400)


@cache
def letters(kinds: int = 200, each: int = 15) -> Samples:
    """Strokes of letters of many scripts; the last forty letters are for the test."""
    g = torch.Generator().manual_seed(7313)
    y = torch.arange(kinds).repeat_interleave(each)
    hidden = torch.randn(kinds, 4, generator=g)[y] + 0.3 * torch.randn(len(y), 4, generator=g)
    mix = torch.randn(4, 28, generator=g) / 2
    bend = torch.randn(28, generator=g)
    x = (2 * hidden @ mix + bend).sin() + 0.2 * torch.randn(len(y), 28, generator=g)
    return cut(x / 0.7, y, each * (kinds - 40))


@cache
def terrain(count: int = 3600) -> Samples:
    """Places on a map, from -1 to 1, and heights, standardized, measured with an error."""
    g = torch.Generator().manual_seed(7314)
    x = 2 * torch.rand(count, 2, generator=g) - 1
    wave = 5 * torch.randn(10, 2, generator=g)
    phase = 2 * math.pi * torch.rand(10, generator=g)
    height = ((x @ wave.T + phase).sin() / wave.norm(dim=1)).sum(1)
    height = height / height.std() + 0.08 * torch.randn(count, generator=g)
    return cut(x, height - height.mean(), 2800)


@cache
def captions(count: int = 2600) -> Samples:
    """Features of sounds, and which of twenty words their captions use."""
    g = torch.Generator().manual_seed(7315)
    hidden = torch.randn(count, 7, generator=g)
    sound = (hidden @ torch.randn(7, 32, generator=g) * 0.7).tanh()
    sound = sound + 0.3 * torch.randn(count, 32, generator=g)
    words = hidden @ torch.randn(7, 20, generator=g) > torch.randn(20, generator=g)
    words = words ^ (torch.rand(count, 20, generator=g) < 0.04)
    return cut(sound / 0.8, words.float() - 0.4, 2200)


@cache
def spectra(count: int = 2400, bins: int = 40) -> Samples:
    """Lines of emission over a continuum, standardized by bin; how far the lines are moved."""
    g = torch.Generator().manual_seed(7316)
    wave = torch.linspace(0, 1, bins)
    moved = 0.12 * torch.randn(count, 1, generator=g)
    high = (0.5 * torch.randn(count, 3, generator=g)).exp()
    slope = torch.randn(count, 1, generator=g)
    flux = 0.8 * slope * (wave - 0.5)
    for line, at in enumerate((0.25, 0.5, 0.72)):
        flux = flux + high[:, line : line + 1] * (-(((wave - at - moved) / 0.05) ** 2)).exp()
    flux = flux + 0.15 * torch.randn(count, bins, generator=g)
    return cut(levelled(flux, 1800), moved.squeeze(1) / 0.12, 1800)


@cache
def formula(count: int = 2600) -> Samples:
    """Five quantities from -1 to 1, and what a law of physics makes of them, standardized."""
    g = torch.Generator().manual_seed(7317)
    x = 2 * torch.rand(count, 5, generator=g) - 1
    y = (0.8 * (math.pi * x[:, 0]).sin() + x[:, 1] ** 2).exp() + 1.5 * x[:, 2] * x[:, 3]
    y = y + (3 * x[:, 4]).cos() + 0.12 * torch.randn(count, generator=g)
    return cut(x, (y - y[:2000].mean()) / y[:2000].std(), 2000)


@cache
def logged(count: int = 3200) -> Records:
    """States, one of three actions that somebody took, and the return that came of it."""
    g = torch.Generator().manual_seed(7318)
    state = torch.randn(count, 6, generator=g)
    gain = torch.stack([state[:, 0], state[:, 1] * state[:, 2], 0.8 * state[:, 3].sin()], 1)
    action = torch.multinomial((0.8 * gain).softmax(1), 1, generator=g).squeeze(1)
    value = state[:, 4].tanh() + 0.5 * state[:, 5] + gain.gather(1, action[:, None]).squeeze(1)
    returns = value + (0.3 + 0.4 * state[:, 4].sigmoid()) * torch.randn(count, generator=g)
    return records(2500, state=state, action=action, returns=returns, gain=gain)


@cache
def colours(count: int = 3000) -> Samples:
    """Brightness of galaxies in six filters, standardized, and their redshift, standardized."""
    g = torch.Generator().manual_seed(7319)
    redshift = 1.2 * torch.rand(count, generator=g) + 0.1 * torch.randn(count, generator=g)
    age = torch.randn(count, 1, generator=g)
    edge = 0.4 + 0.45 * redshift[:, None]
    filters = torch.linspace(0.35, 1.0, 6)
    mag = 22 + torch.randn(count, 1, generator=g) + 1.2 * redshift[:, None]
    mag = mag - 2.2 * ((filters - edge) / 0.07).sigmoid() + 0.4 * age * (filters - 0.7)
    mag = mag + 0.12 * torch.randn(count, 6, generator=g)
    y = (redshift - redshift.mean()) / redshift.std()
    return cut(levelled(mag, 2300), y, 2300)


@cache
def simulations(count: int = 3200) -> Samples:
    """What a simulator gives, six numbers, standardized, and the two parameters it was given."""
    g = torch.Generator().manual_seed(7320)
    theta = torch.randn(count, 2, generator=g)
    noise = torch.randn(count, 6, generator=g)
    a, b = theta[:, :1], theta[:, 1:]
    clock = torch.linspace(0.2, 2.4, 6)
    x = (0.8 * a).exp() * (clock * (1.5 + 0.4 * b)).sin() + 0.35 * noise
    return cut(levelled(x, 2500), theta, 2500)


@cache
def candidates(count: int = 4000, share: float = 0.035) -> Samples:
    """Twelve measures of bright spots in a survey, and the few that are asteroids."""
    g = torch.Generator().manual_seed(7321)
    y = (torch.rand(count, generator=g) < share).long()
    x = torch.randn(count, 12, generator=g)
    x[:, :5] += y[:, None] * torch.tensor([1.0, -1.0, 0.8, 0.7, -0.6])
    x[:, 5] = x[:, 5] + 0.5 * x[:, 0] * x[:, 1]
    return cut(x, y, 2600)
