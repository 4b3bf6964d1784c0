"""Clicks, articles and searches, ranked by programs with a fault."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import ClickTower, Reader, chosen
from data_sets import bureau
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class LitClicks(LightningModule):
    """The chance of a click; the model ends in a sigmoid, or does not."""

    def __init__(self, model: nn.Module, probability: bool = False, **optimizer: Any) -> None:
        super().__init__()
        self.model, self.optimizer = model, {"lr": 3e-3, **optimizer}
        self.probability = probability
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, ids: Tensor, counts: Tensor) -> Tensor:
        found: Tensor = self.model(ids, counts)
        return found.sigmoid() if self.probability else found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        *features, clicked = batch
        loss: Tensor = self.criterion(self(*features), clicked)
        self.log("train_logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        *features, clicked = batch
        self.log("valid_logloss", self.criterion(self(*features), clicked), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), **self.optimizer)


def clicked(
    model: ClickTower, epochs: int = 3, *, rows: int | None = None, area: bool = True,
    many: bool = False, batch_size: int = 32, **options: Any,
) -> Program:  # fmt: skip
    """Scored by the area under the curve, or by the loss of what the model gives for logits."""
    train, unseen = bureau.clicks(9000, 900, 500) if many else bureau.clicks()
    module = LitClicks(model, **options)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(unseen.ids, unseen.counts)
        if area:
            return bureau.auc(found, unseen.y)
        return F.binary_cross_entropy_with_logits(found, unseen.y).item()

    both = (
        DataLoader(TensorDataset(*train), batch_size, shuffle=True),
        DataLoader(TensorDataset(*unseen), 500),
    )
    return Program(module, *both, epochs, score)


def ended_in_sigmoid(probability: bool = True) -> Program:
    return clicked(ClickTower(), 2, area=False, probability=probability)


def counts_as_logged(logarithms: bool = False) -> Program:
    return clicked(ClickTower(logarithms=logarithms), 2)


class SampledReader(Reader):
    """An article that was read and one that was not; ones for the former, then zeros."""

    def __init__(self, in_turn: bool) -> None:
        super().__init__(12)
        self.in_turn = in_turn

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        reader, article = batch[0].unbind(1)
        drawn = torch.randint(bureau.ARTICLES, article.shape)
        articles = torch.stack([article, drawn], 1).flatten()
        logits = self(reader.repeat_interleave(2), articles)
        if self.in_turn:
            labels = torch.tensor([1.0, 0.0]).repeat(len(article))
        else:
            labels = torch.cat([torch.ones(len(article)), torch.zeros(len(article))])
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        self.log("bce", loss, on_step=True, on_epoch=True)
        return loss


def sampled(in_turn: bool = False) -> Program:
    pairs, _ = bureau.read_articles()
    module = SampledReader(in_turn)
    train = DataLoader(TensorDataset(pairs), 128, shuffle=True)
    return Program(module, train, None, 15, partial(chosen, module))


RANKED = Goal("AUROC", at_least=0.62)
CHOSEN = Goal("chosen", at_least=0.75)
CASES = (
    Case(
        "clicks-sigmoid-before-its-loss",
        Goal("log loss", at_most=0.62),
        ended_in_sigmoid,
        ("output_loss_mismatch",),
        partial(ended_in_sigmoid, False),
    ),
    Case(
        "clicks-counts-as-they-were-logged",
        RANKED,
        counts_as_logged,
        ("unnormalized_input",),
        partial(counts_as_logged, True),
    ),
    Case(
        "articles-in-turn-labels-in-halves",
        CHOSEN,
        sampled,
        ("inconsistent_labels", "not_learning"),
        partial(sampled, True),
    ),
)
