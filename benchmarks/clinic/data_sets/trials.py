"""What a comparison of fault detectors is tried on: clothes, toy clouds, tables, series, texts."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn import datasets
from torch import Tensor

from data_sets.samples import Samples, split, standardized

# As Debian's dataset-fashion-mnist ships it; without it the cases of clothes are left out.
CLOTHES = Path("/usr/share/datasets/fashion-mnist")
WORDS, LENGTH = 160, 18


def read(name: str, header: int) -> Tensor:
    """The bytes of an IDX file behind its header."""
    with gzip.open(CLOTHES / name) as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=header).copy())


@cache
def all_clothes() -> Samples:
    """Fashion-MNIST, bytes: the 60,000 to train on, and the 10,000."""
    parts = []
    for part in ("train", "t10k"):
        images = read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
        parts += [images, read(f"{part}-labels-idx1-ubyte.gz", 8).long()]
    return Samples(*parts)


@cache
def clothes(count: int = 4000, size: int = 14, kinds: tuple[int, ...] = ()) -> Samples:
    """The first of some kinds (all if none are named), halved in size, standardized by one mean."""
    data = all_clothes()

    def part(x: Tensor, y: Tensor, first: int) -> tuple[Tensor, Tensor]:
        if kinds:
            x, y = x[torch.isin(y, torch.tensor(kinds))], y[torch.isin(y, torch.tensor(kinds))]
            y = torch.searchsorted(torch.tensor(sorted(kinds)), y)
        x = F.adaptive_avg_pool2d(x[:first].float() / 255, size)
        return (x - 0.286) / 0.32, y[:first]

    x, y = part(data.x, data.y, count)
    return Samples(x, y, *part(data.x_test, data.y_test, 1500))


@cache
def rings() -> Samples:
    """One ring in another."""
    return split(*datasets.make_circles(1600, noise=0.08, factor=0.55, random_state=41))


@cache
def crescents() -> Samples:
    return split(*datasets.make_moons(1500, noise=0.18, random_state=42))


@cache
def shells(classes: int = 4, features: int = 6, count: int = 4000) -> Samples:
    """Classes around each other, as many in each: a normal cloud cut at its quantiles."""
    x, y = datasets.make_gaussian_quantiles(
        n_samples=count, n_features=features, n_classes=classes, random_state=43
    )
    return split(x, y)


@cache
def hastie(count: int = 6000) -> Samples:
    """Are ten squares together above their median? 1 or 0."""
    x, y = datasets.make_hastie_10_2(count, random_state=44)
    return split(x, (y > 0).astype(int))


@cache
def islands(classes: int, per_class: int = 40, features: int = 20, spread: float = 2.5) -> Samples:
    """Blobs, standardized."""
    found: tuple[np.ndarray, np.ndarray] = datasets.make_blobs(  # ty: ignore
        classes * per_class, features, centers=classes, cluster_std=spread, random_state=45
    )[:2]
    return standardized(split(*found))


@cache
def columns(
    classes: int = 4, wrong: float = 0.0, weights: tuple[float, ...] = (), count: int = 4000,
    apart: float = 1.2,
) -> Samples:  # fmt: skip
    """scikit-learn's clusters on corners, standardized, some labels to train on drawn anew."""
    x, y = datasets.make_classification(
        count, 24, n_informative=10, n_redundant=6, n_classes=classes, n_clusters_per_class=2,
        weights=list(weights) or None, flip_y=0.0, class_sep=apart, random_state=46,
    )  # fmt: skip
    data = standardized(split(x, y))
    generator = torch.Generator().manual_seed(46)
    drawn = torch.randint(classes, data.y.shape, generator=generator)
    anew = torch.rand(len(data.y), generator=generator) < wrong
    return data._replace(y=torch.where(anew, drawn, data.y))


@cache
def circuits(count: int = 2500) -> Samples:
    """Friedman's second: resistance, frequency, inductance, capacity; impedance, standardized."""
    x, y = datasets.make_friedman2(count, noise=60.0, random_state=47)
    return split(x, (y - y.mean()) / y.std())


@cache
def scroll(count: int = 3000) -> Samples:
    """An S in three dimensions, standardized, and the place along it."""
    x, t = datasets.make_s_curve(count, noise=0.05, random_state=49)
    return standardized(split(x, t / 4.712))


@cache
def houses(count: int = 3600) -> Samples:
    """Area, rooms, age, distance and district, standardized; prices in dollars."""
    draw = torch.Generator().manual_seed(50)
    area = 120 * (0.35 * torch.randn(count, generator=draw)).exp()
    rooms = (area / 28 + 0.8 * torch.randn(count, generator=draw)).round().clamp(1, 9)
    age = 80 * torch.rand(count, generator=draw)
    distance = 25 * torch.rand(count, generator=draw).sqrt()
    district = torch.randint(6, (count,), generator=draw)
    worth = torch.tensor([0.75, 0.9, 1.0, 1.05, 1.2, 1.5])[district]
    price = 2300 * area * worth * (1 - 0.018 * distance) * (1 - 0.25 * (age / 45).sin())
    price = (price + 9000 * rooms) * (0.1 * torch.randn(count, generator=draw)).exp()
    x = torch.stack([area, rooms, age, distance], 1)
    return standardized(split(torch.cat([x, F.one_hot(district, 6)], 1), price))


@cache
def sensors(count: int = 3000, factors: int = 6) -> Samples:
    """Sixty sensors moved by six hidden causes, not all linearly; their causes' first."""
    draw = torch.Generator().manual_seed(51)
    z = torch.randn(count, factors, generator=draw)
    straight = z @ torch.randn(factors, 60, generator=draw)
    bent = (z @ torch.randn(factors, 60, generator=draw)).tanh()
    x = straight + 2 * bent + 0.6 * torch.randn(count, 60, generator=draw)
    return standardized(split(x, z[:, 0]))


@cache
def processes(count: int = 2400, length: int = 48) -> Samples:
    """Series of five autoregressions of order two, each standardized by itself."""
    draw = torch.Generator().manual_seed(52)
    kinds = torch.tensor([[0.9, 0.0], [-0.7, 0.0], [1.4, -0.8], [0.3, -0.8], [0.1, 0.75]])
    y = torch.randint(5, (count,), generator=draw)
    first, second = kinds[y].unbind(1)
    states = [torch.zeros(count), torch.zeros(count)]
    for _ in range(length + 30):
        noise = torch.randn(count, generator=draw)
        states.append(first * states[-1] + second * states[-2] + noise)
    x = torch.stack(states[-length:], 1)
    x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    return split(x[..., None], y)


@cache
def opinions(count: int = 9000) -> Samples:
    """Word numbers: praise (20-49) and blame (50-79) turned round by a word before (10-14)."""
    draw = torch.Generator().manual_seed(53)
    x = torch.randint(80, WORDS, (count, LENGTH), generator=draw)
    felt = torch.rand(count, LENGTH, generator=draw) < 0.3
    lean = (0.35 + 0.3 * (torch.rand(count, 1, generator=draw) > 0.5)).expand(-1, LENGTH)
    good = torch.rand(count, LENGTH, generator=draw) < lean
    word = 20 + torch.randint(30, (count, LENGTH), generator=draw) + 30 * ~good
    x = torch.where(felt, word, x)
    sign = torch.where(felt, 2.0 * good - 1, 0.0)
    turned = (torch.rand(count, LENGTH - 1, generator=draw) < 0.15) & ~felt[:, :-1]
    x[:, :-1] = torch.where(turned, torch.randint(10, 15, turned.shape, generator=draw), x[:, :-1])
    sign[:, 1:] = torch.where(turned, -sign[:, 1:], sign[:, 1:])
    total = sign.sum(1) + 0.1 * torch.randn(count, generator=draw)
    chosen = total.abs() > 0.9
    data = split(x[chosen], (total[chosen] > 0).long())
    return data.with_inputs(data.x.long(), data.x_test.long())


@cache
def tags(count: int = 4000) -> Samples:
    """Counts of thirty words, their roots standardized; eight subjects, some of them at a time."""
    found = datasets.make_multilabel_classification(
        count, 30, n_classes=8, n_labels=2, length=60, random_state=54
    )
    data = split(np.sqrt(found[0]), found[1].astype(np.float32))
    return standardized(data)
