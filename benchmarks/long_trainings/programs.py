"""Healthy trainings of thousands of steps, as people leave them running."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from batches import (
    choices,
    clothes,
    digits,
    drawn,
    friedman,
    held,
    letters,
    lines,
    moons,
    moves,
    rare,
    reversals,
    ring,
    seen,
    times,
    waves,
)  # fmt: skip
from goal import Goal
from lightning.pytorch import LightningModule
from modules import (
    Classes,
    Diffusion,
    Gan,
    MixedClasses,
    Oscillator,
    Policy,
    RareClass,
    Recommender,
    Sequences,
    ShiftedClasses,
    Vae,
    Values,
    Views,
    Walker,
)  # fmt: skip
from networks import Deep, Gpt, Gru, Lstm, frozen_below, lenet, rectified, resnet, smooth
from optimizers import adam, adamw, cosine, cycles, halvings, one_cycle, restarts, sgd
from torch import nn


@dataclass(frozen=True)
class Training:
    """A module, its data and how long it trains; the goal is of a metric that validation logs."""

    name: str
    module: Callable[[], LightningModule]
    data: Callable[[], tuple[Any, Any]]
    goal: Goal
    trainer: dict[str, Any] = field(default_factory=dict)


def by_steps(steps: int, validations: int = 20) -> dict[str, Any]:
    return {"max_steps": steps, "max_epochs": -1, "val_check_interval": steps // validations}


TRAININGS = [
    Training(
        "LeNet, clothes, SGD with momentum, cosine",
        lambda: ShiftedClasses(lenet(), sgd(0.02, decay=5e-4), cosine(5640)),
        held(clothes, 64), Goal("val_acc", at_least=0.86), {"max_epochs": 60},
    ),
    Training(
        "ResNet, clothes, one cycle",
        lambda: ShiftedClasses(resnet(), sgd(0.1, decay=5e-4), one_cycle(0.1, 4700)),
        held(clothes, 64), Goal("val_acc", at_least=0.88), {"max_epochs": 50},
    ),
    Training(
        "MLP with dropout, digits, AdamW",
        lambda: Classes(rectified(64, 10, 128, 0.3), adamw(1e-3, 0.05)),
        held(digits, 32), Goal("val_acc", at_least=0.97), {"max_epochs": 400},
    ),
    Training(
        "softmax regression, digits, SGD",
        lambda: Classes(nn.Linear(64, 10), sgd(0.05, 0.0)),
        held(digits, 64), Goal("val_acc", at_least=0.95), {"max_epochs": 600},
    ),
    Training(
        "head on random features, digits",
        lambda: Classes(frozen_below(), adam(5e-4)),
        held(digits, 32), Goal("val_acc", at_least=0.96), {"max_epochs": 200},
    ),
    Training(
        "GPT, letters of documentation",
        lambda: Sequences(Gpt(len(letters().unique()), 64), adamw(2e-3, 0.1), cosine(6000, 200)),
        drawn(lines), Goal("val_loss", at_most=1.7), by_steps(6000),
    ),
    Training(
        "GPT, sequences backwards",
        lambda: Sequences(Gpt(11, 20), adam(1e-3)),
        drawn(reversals), Goal("val_loss", at_most=0.05), by_steps(6000),
    ),
    Training(
        "GRU, waves",
        lambda: Values(Gru(), adam(1e-3)),
        drawn(waves), Goal("val_mse", at_most=0.03), by_steps(8000),
    ),
    Training(
        "MLP, Friedman's function, Adam at one rate",
        lambda: Values(rectified(10, 1), adam(1e-3)),
        drawn(friedman), Goal("val_mse", at_most=0.06), by_steps(30000),
    ),
    Training(
        "MLP, Friedman's function, rate halved to a millionth",
        lambda: Values(rectified(10, 1), adam(1e-2), halvings(1000)),
        drawn(friedman), Goal("val_mse", at_most=0.06), by_steps(20000),
    ),
    Training(
        "MLP, Friedman's function, plain SGD",
        lambda: Values(rectified(10, 1), sgd(0.05, 0.0)),
        drawn(friedman), Goal("val_mse", at_most=0.06), by_steps(20000),
    ),
    Training(
        "variational autoencoder, digits", Vae,
        held(digits, 64), Goal("val_loss", at_most=26.0), {"max_epochs": 400},
    ),
    Training(
        "diffusion, moons",
        lambda: Diffusion(rectified(3, 2, 128), adam(1e-3)),
        drawn(moons), Goal("val_loss", at_most=0.6), by_steps(15000),
    ),
    Training(
        "SimCLR, digits",
        lambda: Views(rectified(64, 32, 128), adam(1e-3)),
        held(digits, 64), Goal("val_loss", at_most=4.5), {"max_epochs": 300},
    ),
    Training(
        "recommender, pairs of choices", Recommender,
        drawn(choices), Goal("val_auc", at_least=0.85), by_steps(10000),
    ),
    Training(
        "adversarial, points on a ring", Gan,
        drawn(ring), Goal("val_distance", at_most=0.4), by_steps(16000),
    ),
    Training(
        "Q-learning, corridor", Walker,
        drawn(moves), Goal("val_right", at_least=1.0), by_steps(10000),
    ),
    Training(
        "CNN, clothes, warm restarts",
        lambda: ShiftedClasses(lenet(), sgd(0.05, decay=5e-4), restarts(375)),
        held(clothes, 64), Goal("val_acc", at_least=0.85), {"max_epochs": 60},
    ),
    Training(
        "MLP, Friedman's function, cyclic rate",
        lambda: Values(rectified(10, 1), adam(1e-3), cycles(1e-4, 5e-3, 1000)),
        drawn(friedman), Goal("val_mse", at_most=0.06), by_steps(16000),
    ),
    Training(
        "MLP, digits, mixed pairs",
        lambda: MixedClasses(rectified(64, 10, 128), adamw(1e-3, 0.01)),
        held(digits, 32), Goal("val_acc", at_least=0.97), {"max_epochs": 250},
    ),
    Training(
        "24 residual layers, digits",
        lambda: Classes(Deep(), adamw(3e-4, 0.1), cosine(6000, 300)),
        held(digits, 32), Goal("val_acc", at_least=0.96), {"max_epochs": 150},
    ),
    Training(
        "MLP, digits, one sample at a time",
        lambda: Classes(rectified(64, 10, 64, 0.2), sgd(0.005, 0.0)),
        held(digits, 1), Goal("val_acc", at_least=0.96), {"max_epochs": 15},
    ),
    Training(
        "LSTM, letters of documentation",
        lambda: Sequences(Lstm(len(letters().unique())), adam(2e-3)),
        drawn(lines), Goal("val_loss", at_most=1.9),
        {**by_steps(6000), "gradient_clip_val": 1.0},
    ),
    Training(
        "MLP, one in fifty, weighted",
        lambda: RareClass(rectified(8, 1), adam(1e-3)),
        drawn(rare), Goal("val_balanced", at_least=0.95), by_steps(12000),
    ),
    Training(
        "policy gradient, four actions",
        lambda: Policy(rectified(6, 4), adam(1e-3)),
        drawn(seen), Goal("val_reward", at_least=0.95), by_steps(12000),
    ),
    Training(
        "oscillator by its equation",
        lambda: Oscillator(smooth(1, 1), adam(1e-3), halvings(4000)),
        drawn(times), Goal("val_error", at_most=0.02), by_steps(12000),
    ),
]  # fmt: skip
