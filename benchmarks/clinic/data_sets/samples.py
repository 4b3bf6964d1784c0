"""The data of the clinic: scikit-learn's sets and small synthetic ones, split once and for all."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset


class Samples(NamedTuple):
    """Inputs and targets to train on, and others to measure on."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor

    def with_inputs(self, x: Tensor, x_test: Tensor) -> "Samples":
        return self._replace(x=x, x_test=x_test)

    def first(self, count: int) -> "Samples":
        """Fewer to train on, as many to measure on."""
        return self._replace(x=self.x[:count], y=self.y[:count])


def split(x: Any, y: Any, train: float = 0.7) -> Samples:
    """Shuffle with a fixed seed, and cut."""
    inputs = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    targets = torch.as_tensor(np.asarray(y))
    targets = targets.float() if targets.is_floating_point() else targets.long()
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    cut = int(train * len(targets))
    a, b = order[:cut], order[cut:]
    return Samples(inputs[a], targets[a], inputs[b], targets[b])


def standardized(samples: Samples) -> Samples:
    """Each feature to mean 0 and deviation 1, by the training samples."""
    mean, deviation = samples.x.mean(0), samples.x.std(0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    return samples.with_inputs((samples.x - mean) / deviation, (samples.x_test - mean) / deviation)


def scaled_targets(samples: Samples) -> Samples:
    """Targets to mean 0 and deviation 1, by the training samples."""
    mean, deviation = samples.y.mean(), samples.y.std()
    return samples._replace(
        y=(samples.y - mean) / deviation, y_test=(samples.y_test - mean) / deviation
    )


def loaders(
    samples: Samples, batch_size: int, *, shuffle: bool = True, **arguments: Any
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    train = TensorDataset(samples.x, samples.y)
    test = TensorDataset(samples.x_test, samples.y_test)
    return (
        DataLoader(train, batch_size=batch_size, shuffle=shuffle, **arguments),
        DataLoader(test, batch_size=256),
    )


@cache
def circle() -> Samples:
    return split(*datasets.make_circles(1000, noise=0.1, random_state=1))


@cache
def clear_circle() -> Samples:
    """The same, hardly overlapping."""
    return split(*datasets.make_circles(1000, noise=0.05, factor=0.5, random_state=1))


@cache
def moons() -> Samples:
    return split(*datasets.make_moons(1000, noise=0.15, random_state=3))


@cache
def blob() -> Samples:
    x, y = datasets.make_blobs(1000, 2, centers=3, cluster_std=2, random_state=2)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    return Samples(x[:700], y[:700], x[700:], y[700:])


@cache
def digits() -> Samples:
    """8x8 pixels from 0 to 1, flat."""
    x, y = datasets.load_digits(return_X_y=True)
    return split(x / 16, y)


@cache
def digit_images() -> Samples:
    samples = digits()
    return samples.with_inputs(samples.x.reshape(-1, 1, 8, 8), samples.x_test.reshape(-1, 1, 8, 8))


@cache
def patches(size: int = 16) -> tuple[Tensor, Tensor]:
    """Squares of two photographs, RGB from 0 to 1: some to train on, and others."""
    both = torch.as_tensor(np.stack(datasets.load_sample_images().images)).permute(0, 3, 1, 2) / 255
    tiles = both.unfold(2, size, size).unfold(3, size, size).permute(0, 2, 3, 1, 4, 5)
    found = split(tiles.reshape(-1, 3, size, size), torch.zeros(tiles.shape[:3].numel()))
    return found.x, found.x_test


@cache
def wine() -> Samples:
    return split(*datasets.load_wine(return_X_y=True))


@cache
def iris() -> Samples:
    return split(*datasets.load_iris(return_X_y=True))


@cache
def cancer() -> Samples:
    return split(*datasets.load_breast_cancer(return_X_y=True))


@cache
def diabetes() -> Samples:
    return split(*datasets.load_diabetes(return_X_y=True, scaled=False))


@cache
def friedman(noise: float = 0.5) -> Samples:
    """Ten features in 0..1; the target is about 14 ± 5."""
    return split(*datasets.make_friedman1(1500, 10, noise=noise, random_state=0))


@cache
def linear_targets(scale: float = 1.0) -> Samples:
    x, y = datasets.make_regression(1200, 20, n_informative=10, noise=5.0, random_state=0)
    return split(x, scale * y / y.std())


@cache
def clusters(classes: int, per_class: int = 20, features: int = 32) -> Samples:
    """As many Gaussian clusters as classes."""
    generator = torch.Generator().manual_seed(classes)
    centers = torch.randn(classes, features, generator=generator)
    y = torch.arange(classes).repeat(per_class)
    x = centers[y] + 0.3 * torch.randn(len(y), features, generator=generator)
    return split(x, y)


@cache
def recall(length: int, count: int = 1500) -> Samples:
    """Noise of which only the first step says which of two classes it is."""
    generator = torch.Generator().manual_seed(length)
    y = torch.randint(2, (count,), generator=generator)
    x = 0.3 * torch.randn(count, length, 2, generator=generator)
    x[:, 0, 0] += 2.0 * y - 1.0
    return split(x, y)


@cache
def waves(length: int = 24, count: int = 1200) -> Samples:
    """Noisy waves of four frequencies and any phase."""
    generator = torch.Generator().manual_seed(length)
    y = torch.randint(4, (count,), generator=generator)
    phase = 6.3 * torch.rand(count, 1, generator=generator)
    time = torch.linspace(0, 6.3, length)
    x = torch.sin((y[:, None] + 1) * time + phase)
    x = x + 0.3 * torch.randn(count, length, generator=generator)
    return split(x[..., None], y)


@cache
def texts(length: int = 16, words: int = 100, count: int = 1500) -> Samples:
    """Word numbers; each of four topics has ten words of its own, a third of each text."""
    generator = torch.Generator().manual_seed(words)
    y = torch.randint(4, (count,), generator=generator)
    x = torch.randint(40, words, (count, length), generator=generator)
    own = 10 * y[:, None] + torch.randint(10, (count, length), generator=generator)
    x = torch.where(torch.rand(count, length, generator=generator) < 0.33, own, x)
    samples = split(x, y)
    return samples.with_inputs(samples.x.long(), samples.x_test.long())
