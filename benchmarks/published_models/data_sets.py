"""What the models are trained on: scikit-learn's sets and small ones made up here.

All are drawn from generators of their own, so that a training's seed changes none of them.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, make_moons
from torch import Tensor

TOKENS, LENGTH = 40, 32


class Split(NamedTuple):
    """Columns to train on, and the same of other rows to validate on."""

    train: tuple[Tensor, ...]
    validation: tuple[Tensor, ...]


def split(*columns: Any, share: float = 0.75) -> Split:
    """Shuffle with a fixed seed, and cut."""
    tensors = [as_tensor(column) for column in columns]
    order = torch.randperm(len(tensors[0]), generator=torch.Generator().manual_seed(0))
    cut = int(share * len(order))
    train, validation = order[:cut], order[cut:]
    return Split(tuple(t[train] for t in tensors), tuple(t[validation] for t in tensors))


def as_tensor(column: Any) -> Tensor:
    tensor = torch.as_tensor(column)
    return tensor.float() if tensor.is_floating_point() else tensor.long()


def standardized(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(0)) / values.std(0)


@cache
def digits(size: int = 8, channels: int = 3, normalized: bool = True) -> Split:
    """1,797 handwritten digits, enlarged; from 0 to 1 if not normalised."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels / 16).float().reshape(-1, 1, 8, 8)
    if size != 8:
        images = F.interpolate(images, size=(size, size), mode="bilinear")
    if normalized:
        images = (images - images.mean()) / images.std()
    return split(images.repeat(1, channels, 1, 1), labels)


def images_alone(images: Split) -> Split:
    return Split(images.train[:1], images.validation[:1])


@cache
def shapes(size: int = 32, count: int = 520) -> Split:
    """A noisy disc or square each: image, mask (0 outside), box, class (1 or 2)."""
    draw = np.random.default_rng(0)
    images = 0.3 * draw.normal(size=(count, 3, size, size))
    masks, boxes, labels = np.zeros((count, size, size), int), [], draw.integers(1, 3, count)
    rows, columns = np.mgrid[:size, :size]
    for image, mask, label in zip(images, masks, labels, strict=True):
        x, y = draw.uniform(size / 4, 3 * size / 4, 2)
        radius = draw.uniform(size / 8, size / 4)
        across, down = abs(columns - x), abs(rows - y)
        inside = np.hypot(across, down) if label == 1 else np.maximum(across, down)
        mask[inside < radius] = label
        image[label] += (mask > 0) * draw.uniform(0.7, 1.2)
        boxes.append([x - radius, y - radius, x + radius, y + radius])
    return split(images, masks, np.array(boxes), labels, share=0.8)


def discs_and_squares() -> Split:
    """Images, and masks of one channel that do not tell the two apart."""
    parts = shapes()
    train, validation = ((p[0], (p[1] > 0).float()[:, None]) for p in parts)
    return Split(train, validation)


@cache
def chains() -> Split:
    """Sequences of 40 tokens, the next of which hangs on the last only."""
    draw = np.random.default_rng(0)
    sums = transitions().cumsum(1)
    tokens = np.zeros((2000, LENGTH + 1), int)
    tokens[:, 0] = draw.integers(0, TOKENS, len(tokens))
    for place in range(1, LENGTH + 1):
        chance = draw.random((len(tokens), 1))
        tokens[:, place] = np.minimum((chance > sums[tokens[:, place - 1]]).sum(1), TOKENS - 1)
    return split(tokens)


def transitions() -> np.ndarray:
    return np.random.default_rng(1).dirichlet(np.full(TOKENS, 0.08), TOKENS)


def chain_entropy() -> float:
    """What no model of the chains can do better than, about, in nats a token."""
    chances = transitions()
    return float(-(chances * np.log(chances + 1e-12)).sum(1).mean())


@cache
def messages() -> Split:
    """Token numbers with padding, its mask, and which of four subjects a message is about."""
    draw = np.random.default_rng(0)
    count, longest = 2600, 24
    subjects = draw.integers(0, 4, count)
    words = draw.integers(50, 300, (count, longest))
    telling = 10 + 8 * subjects[:, None] + draw.integers(0, 8, words.shape)
    words = np.where(draw.random(words.shape) < 0.3, telling, words)
    words[:, 0] = 2
    here = np.arange(longest) < draw.integers(10, longest + 1, (count, 1))
    return split(words * here, here.astype(int), subjects)


@cache
def progressions() -> Split:
    """Numbers in steps of one or two, so that one is known from its neighbours; from 1 on."""
    draw = np.random.default_rng(0)
    starts, steps = draw.integers(0, TOKENS, (3000, 1)), draw.integers(1, 3, (3000, 1))
    return split((starts + steps * np.arange(16)) % TOKENS + 1, share=0.85)


@cache
def noisy_copies() -> Split:
    """Sequences of 26 tokens with 15% of them masked (3), and as they were."""
    draw = np.random.default_rng(0)
    tokens = draw.integers(4, 30, (2000, 10))
    return split(np.where(draw.random(tokens.shape) < 0.15, 3, tokens), tokens)


@cache
def table() -> Split:
    """Eight columns of numbers, and a target that is no linear function of them."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(4000, 8))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * np.abs(x[:, 3]) + x[:, 4]
    return split(x, standardized(y + 0.3 * draw.normal(size=len(y))))


@cache
def purchases() -> Split:
    """Three columns of categories, four of numbers, and yes or no; 90% can be known."""
    draw = np.random.default_rng(0)
    sizes, count = (6, 4, 8), 6000
    categories, numbers = draw.integers(0, sizes, (count, 3)), draw.normal(size=(count, 4))
    logits = 1.5 * numbers[:, 0] + numbers[:, 1] * numbers[:, 2]
    for column, size in enumerate(sizes):
        logits = logits + draw.normal(size=size)[categories[:, column]]
    bought = draw.random(count) < 1 / (1 + np.exp(-2 * logits))
    return split(categories, numbers, bought.astype(float))


@cache
def moons() -> Split:
    """Points on two half circles; a normal distribution of them has 2.84 nats a point."""
    points, _ = make_moons(4000, noise=0.07, random_state=0)
    return split(standardized(points), share=0.8)


@cache
def tones() -> Split:
    """Noisy sines and cosines, the sine half a step later, and which of four speeds it is."""
    draw = np.random.default_rng(0)
    count, times = 800, np.linspace(0, 6, 48)
    speed, phase = draw.uniform(0.5, 2, (count, 1)), draw.uniform(0, 2 * np.pi, (count, 1))
    angle = speed * times + phase
    waves = np.stack([np.sin(angle), np.cos(angle)], -1)
    later = np.sin(angle + 0.5 * speed)[..., None]
    noise = 0.1 * draw.normal(size=waves.shape)
    return split(waves + noise, later, np.digitize(speed[:, 0], [0.8, 1.2, 1.6]))


def tones_ahead() -> Split:
    return Split(tones().train[:2], tones().validation[:2])


def tones_named() -> Split:
    return Split(tones().train[::2], tones().validation[::2])


@cache
def windows() -> Split:
    """72 values of three noisy waves each; those of the last quarter validate."""
    draw, time = np.random.default_rng(0), np.arange(3000)
    waves = [np.sin(time / 9) + 0.5 * np.sin(time / 23), np.cos(time / 13), np.sin(time / 17)]
    series = np.stack(waves, 1) + 0.15 * draw.normal(size=(3000, 3))
    found = as_tensor(np.stack([series[i : i + 72] for i in range(0, 2900, 2)]))
    return Split((found[:1100],), (found[1150:],))
