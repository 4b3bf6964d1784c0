"""Names of characters and sentences of made-up words, in programs with mistakes that many made."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import corpora
from data_sets.corpora import Names
from data_sets.samples import loaders, split, texts
from lightning.pytorch import LightningModule
from scores import accuracy
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset


class NameLSTM(LightningModule):
    """What kind of character has this name? By the last state, or by the last but for padding."""

    def __init__(self, packed: bool = True) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(28, 32, padding_idx=0)
        self.lstm, self.fc = nn.LSTM(32, 48, batch_first=True), nn.Linear(48, 6)

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        x: Any = self.embedding(letters)
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(x)
        logits: Tensor = self.fc(last[-1])
        return logits

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(self(batch["letters"], batch["lengths"]), batch["kinds"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, batch_size=len(batch["kinds"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch["kinds"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class NameBiGRU(NameLSTM):
    """Both ways; the two last states are viewed as one row each, or put side by side."""

    def __init__(self, viewed: bool) -> None:
        super().__init__()
        self.viewed = viewed
        self.lstm = nn.GRU(32, 24, batch_first=True, bidirectional=True)

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        x = pack_padded_sequence(
            self.embedding(letters), lengths, batch_first=True, enforce_sorted=False
        )
        _, hidden = self.lstm(x)
        rows = hidden.view(len(letters), -1) if self.viewed else torch.cat([*hidden], 1)
        logits: Tensor = self.fc(rows)
        return logits


def collate(items: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    letters, lengths, kinds = map(torch.stack, zip(*items, strict=True))
    return {"letters": letters, "lengths": lengths, "kinds": kinds}


def collate_sorted(items: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    """The longest first, as packing once wanted it; the labels stay where they were."""
    batch = collate(items)
    lengths, order = batch["lengths"].sort(descending=True)
    return {"letters": batch["letters"][order], "lengths": lengths, "kinds": batch["kinds"]}


def read_names(
    module: LightningModule, epochs: int = 5, batch_size: int = 32, collate_fn: Any = collate
) -> Program:
    train, test = corpora.names()
    batches = DataLoader(TensorDataset(*train), batch_size, shuffle=True, collate_fn=collate_fn)
    unseen = DataLoader(TensorDataset(*test), 250, collate_fn=collate)
    return Program(module, batches, unseen, epochs, partial(right, module, test))


@torch.no_grad()
def right(module: LightningModule, test: Names) -> float:
    found = module.eval()(test.letters, test.lengths).argmax(1)
    return (found == test.kinds).float().mean().item()


class CharacterCNN(NameLSTM):
    """Windows of letters, and a rate in one cycle, whose scheduler is called when Lightning does.

    Lightning does so once in an epoch unless it is told otherwise.
    """

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.interval = interval
        self.lstm = nn.Sequential(
            nn.Conv1d(32, 64, 5, padding=2), nn.ReLU(), nn.Conv1d(64, 48, 5, padding=2), nn.ReLU()
        )

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.lstm(self.embedding(letters).mT).amax(2))
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters())
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=1e-3, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return [optimizer], [{"scheduler": cycle, "interval": self.interval}]


class AveragedWords(LightningModule):
    """Do subject and verb agree? By the mean of the words and a network on it."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.embed = nn.Embedding(60, 32)
        self.net = nn.Sequential(
            nn.Linear(32, 64), activation(), nn.Dropout(0.1),
            nn.Linear(64, 64), activation(), nn.Dropout(0.1), nn.Linear(64, 2),
        )  # fmt: skip

    def forward(self, words: Tensor) -> Tensor:
        return F.log_softmax(self.net(self.embed(words).mean(1)), -1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.nll_loss(self(batch[0]), batch[1])
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def agreement(activation: type[nn.Module] = nn.Identity) -> Program:
    """A noun and a verb, each with a number, among six other words."""
    generator = torch.Generator().manual_seed(71)
    number = torch.randint(2, (2, 3000), generator=generator)
    kind = torch.randint(5, (2, 3000), generator=generator)
    noun, verb = 5 * number[0] + kind[0], 10 + 5 * number[1] + kind[1]
    others = torch.randint(20, 60, (3000, 6), generator=generator)
    x = torch.cat([others[:, :2], noun[:, None], others[:, 2:], verb[:, None]], 1)
    data = split(x, (number[0] == number[1]).long())
    data = data.with_inputs(data.x.long(), data.x_test.long())
    module = AveragedWords(activation)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Groups(LightningModule):
    """A reader of old and new words, with a rate for the encoder and one for the head.

    A new word starts as the mean of the old ones. The embeddings are in neither group, or in one.
    """

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self.prefixes = prefixes
        self.embeddings = nn.Embedding(100, 32)
        with torch.no_grad():
            self.embeddings.weight[:40] = self.embeddings.weight[40:].mean(0)
        self.encoder = nn.GRU(32, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))

    def forward(self, input_ids: Tensor) -> Tensor:
        states, _ = self.encoder(self.embeddings(input_ids))
        logits: Tensor = self.head(states.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        named = list(self.named_parameters())
        body = [p for name, p in named if name.startswith(self.prefixes)]
        head = [p for name, p in named if name.startswith("head")]
        return torch.optim.AdamW([{"params": body, "lr": 3e-3}, {"params": head, "lr": 5e-3}])


def new_words(*prefixes: str) -> Program:
    """What a text is about is told by words that the vocabulary was extended by."""
    data = texts()
    module = Groups(prefixes)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


NAMES = Goal("accuracy", at_least=0.7)
CASES = (
    Case(
        "names-read-to-the-end-of-padding", NAMES, lambda: read_names(NameLSTM(packed=False)),
        ("vanishing_gradient", "not_learning"), lambda: read_names(NameLSTM()),
    ),
    Case(
        "names-states-viewed-as-rows", NAMES, lambda: read_names(NameBiGRU(viewed=True)),
        ("not_learning", "inconsistent_labels"), lambda: read_names(NameBiGRU(viewed=False)),
    ),
    Case(
        "names-sorted-without-their-labels", NAMES,
        lambda: read_names(NameLSTM(), collate_fn=collate_sorted),
        ("inconsistent_labels", "not_learning"), lambda: read_names(NameLSTM()),
    ),
    Case(
        "names-one-cycle-by-epochs", Goal("accuracy", at_least=0.75),
        lambda: read_names(CharacterCNN("epoch"), 5, 64),
        ("learning_rate_too_low",), lambda: read_names(CharacterCNN("step"), 5, 64),
    ),
    Case(
        "agreement-averaged-and-linear", Goal("accuracy", at_least=0.9), agreement,
        ("linear_network", "not_learning"), partial(agreement, nn.ReLU),
    ),
    Case(
        "topics-new-words-in-no-group", Goal("accuracy", at_least=0.85),
        partial(new_words, "encoder"), ("frozen_parameter", "not_learning"),
        partial(new_words, "encoder", "embeddings"),
    ),
)  # fmt: skip
