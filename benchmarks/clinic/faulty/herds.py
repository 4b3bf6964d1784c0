"""What went wrong with herds: collars of cows and a vet's notes."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farm
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import classification
from scores import accuracy, balanced_accuracy, cross_entropy
from torch import Tensor, nn


class Activity(LightningModule):
    """Convolutions over a collar's window, then a head that may end in chances."""

    def __init__(self, chances: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(3, 24, 7, 2, 3), nn.ReLU(), nn.Conv1d(24, 32, 5, 2, 2), nn.ReLU(),
            nn.Conv1d(32, 48, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(48, 5)
        self.chances = chances

    def forward(self, window: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(window))
        return out.sigmoid() if self.chances else out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def activity(chances: bool = True) -> Program:
    data, module = farm.cows(), Activity(chances)
    return Program(module, *loaders(data, 32), 12, partial(cross_entropy, module, data))


def lame(weight: float | None = None) -> Program:
    weights = None if weight is None else torch.tensor([1.0, weight])
    criterion = partial(F.cross_entropy, weight=weights)
    return classification(
        farm.lame(), mlp((10, 32, 2)), adam(1e-3), batch_size=64, epochs=8, criterion=criterion,
        score=balanced_accuracy,
    )  # fmt: skip


class Notes(LightningModule):
    """A recurrent reader, with a penalty of all its weights written by hand."""

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(240, 24, padding_idx=0)
        self.gru = nn.GRU(24, 32, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(64, 6)
        self.penalty = penalty

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.gru(self.embed(ids))
        logits: Tensor = self.fc(states.amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        ce = F.cross_entropy(self(batch[0]), batch[1])
        l2 = torch.stack([p.square().sum() for p in self.parameters()]).sum()
        self.log_dict({"ce": ce, "l2": l2})
        return ce + self.penalty * l2

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def penalized(penalty: float = 0.05) -> Program:
    data, module = farm.notes(), Notes(penalty)
    train, _ = loaders(data, 48)
    return Program(module, train, None, 7, partial(accuracy, module, data))


class Triage(LightningModule):
    """A small transformer, whose encoder kept the decorator of a function that was copied."""

    def __init__(self, copied: bool) -> None:
        super().__init__()
        self.copied = copied
        self.words = nn.Embedding(240, 16, padding_idx=0)
        self.places = nn.Parameter(0.1 * torch.randn(14, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 48, 0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classify = nn.Linear(16, 6)

    @torch.no_grad()
    def encode_still(self, ids: Tensor) -> Tensor:
        return self.encode(ids)

    def encode(self, ids: Tensor) -> Tensor:
        seen = (ids > 0).unsqueeze(-1)
        states = self.encoder(self.words(ids) + self.places, src_key_padding_mask=ids == 0)
        mean: Tensor = (states * seen).sum(1) / seen.sum(1)
        return mean

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.encode_still(ids) if self.copied else self.encode(ids))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        return {"loss": F.cross_entropy(logits, batch[1]), "logits": logits.detach()}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def triage(copied: bool = True) -> Program:
    data, module = farm.notes(), Triage(copied)
    return Program(module, *loaders(data, 48), 8, partial(accuracy, module, data))


class Register:
    """Makes numbers of words, of each batch anew or of all notes once."""

    def __init__(self, each_batch: bool) -> None:
        self.each_batch = each_batch

    def __call__(self, rows: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        ids = torch.stack([row[0] for row in rows])
        labels = torch.stack([row[1] for row in rows])
        if self.each_batch:
            vocabulary = {0: 0}
            for word in ids.flatten().tolist():
                vocabulary.setdefault(word, len(vocabulary))
            ids.apply_(vocabulary.__getitem__)
        return ids, labels


class Bag(LightningModule):
    """Means of vectors of words, and two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(240, 32, mode="mean", padding_idx=0)
        self.top = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 6))

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.top(self.bag(ids))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        accuracy = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": accuracy}, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def registered(each_batch: bool = True) -> Program:
    data, module = farm.notes(), Bag()
    train, _ = loaders(data, 32, collate_fn=Register(each_batch))
    return Program(module, train, None, 10, partial(accuracy, module, data))


NOTES = Goal("accuracy", at_least=0.88)
CASES = (
    Case(
        "cows-sigmoids-before-cross-entropy", Goal("cross-entropy", at_most=0.3), activity,
        ("output_loss_mismatch",), partial(activity, False),
    ),
    Case(
        "cows-three-in-a-hundred-are-lame", Goal("balanced accuracy", at_least=0.72), lame,
        ("class_imbalance",), partial(lame, 32.0),
    ),
    Case(
        "notes-sum-of-all-squares-in-the-loss", NOTES, penalized,
        ("over_regularized",), partial(penalized, 0.0),
    ),
    Case(
        "notes-decorator-copied-with-encoder", NOTES, triage,
        ("frozen_parameter",), partial(triage, False),
    ),
    Case(
        "notes-vocabulary-of-each-batch", NOTES, registered,
        ("not_learning", "inconsistent_labels"), partial(registered, False),
    ),
)  # fmt: skip
