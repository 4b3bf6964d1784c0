"""What a course's assistant finds in what students hand in: nets for small pictures."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import studio
from data_sets.samples import loaders
from modules import LitClassifier, Optimizer, adam, reset, sgd
from programs import classification
from scores import accuracy
from torch import Tensor, nn


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 6),
    )  # fmt: skip


def clothes(optimizer: Optimizer, network: nn.Module | None = None, epochs: int = 8) -> Program:
    data = studio.zero_centred(studio.garments())
    return classification(data, network or net(), optimizer, batch_size=32, epochs=epochs)


def drawn_from_normal(ours: bool = True) -> Program:
    """``nn.init.normal_`` for every weight, whose deviation is one unless told."""
    network = reset(net(), nn.init.normal_ if ours else nn.init.kaiming_normal_)
    return clothes(adam(1e-3), network, 10)


class MixedUp(LitClassifier):
    """MixUp, in which the partner's label may get the share of the picture itself."""

    def __init__(self, exchanged: bool) -> None:
        super().__init__(net(), adam(2e-3))
        self.exchanged = exchanged
        self.beta = torch.distributions.Beta(0.2, 0.2)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share = self.beta.sample().item()
        partner = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[partner])
        own, other = F.cross_entropy(logits, y), F.cross_entropy(logits, y[partner])
        if self.exchanged:
            own, other = other, own
        loss = share * own + (1 - share) * other
        self.log("train_loss", loss)
        return loss


def mixed_up(exchanged: bool = True) -> Program:
    data = studio.zero_centred(studio.garments())
    module = MixedUp(exchanged)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


GARMENTS = Goal("accuracy", at_least=0.9)
CASES = (
    Case(
        "garments-normal-of-no-given-width", GARMENTS, drawn_from_normal,
        ("poor_initialization", "exploding_gradient", "non_finite"),
        partial(drawn_from_normal, False),
    ),
    Case(
        "garments-mixed-up-shares-exchanged", GARMENTS, mixed_up,
        ("inconsistent_labels", "not_learning"), partial(mixed_up, False),
    ),
    Case(
        "garments-adam-at-a-tenth", GARMENTS, partial(clothes, adam(0.1)),
        ("learning_rate_too_high", "dead_relu"), partial(clothes, adam(1e-3)),
    ),
    Case(
        "garments-rate-of-adam-for-plain-sgd", GARMENTS, partial(clothes, sgd(1e-3)),
        ("learning_rate_too_low",), partial(clothes, sgd(0.05, 0.9)),
    ),
    Case(
        "garments-decay-of-adamw-given-to-sgd", GARMENTS,
        partial(clothes, sgd(0.05, 0.9, weight_decay=0.1)),
        ("over_regularized",), partial(clothes, sgd(0.05, 0.9, weight_decay=5e-4)),
    ),
)  # fmt: skip
