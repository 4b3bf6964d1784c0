"""Networks that programs of the bureau share, healthy and faulty."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from data_sets import bureau
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset[dict[str, Tensor]]):
    """Rows of tensors under their names, as tokenizers give them."""

    def __init__(self, **columns: Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.columns.items()}


def texts(x: Tensor, y: Tensor, batch_size: int, shuffle: bool = True) -> DataLoader[Any]:
    rows = Rows(input_ids=x, attention_mask=(x > 0).long(), labels=y)
    return DataLoader(rows, batch_size, shuffle=shuffle)


class IntentEncoder(nn.Module):
    """An encoder with a pooler, as those of published checkpoints."""

    def __init__(self, width: int = 48, layers: int = 2, labels: int = 12) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(bureau.WORDS, width, padding_idx=0)
        self.position_embeddings = nn.Embedding(32, width)
        self.norm = nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, labels)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> dict[str, Tensor]:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.norm(self.word_embeddings(input_ids) + self.position_embeddings(places))
        hidden = self.encoder(hidden, src_key_padding_mask=attention_mask == 0)
        mask = attention_mask[..., None].float()
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        found = {"logits": self.classifier(torch.tanh(self.pooler(pooled)))}
        if labels is not None:
            found["loss"] = F.cross_entropy(found["logits"], labels)
        return found


class ClickTower(nn.Module):
    """Embeddings of categories beside counts, and a tower over all."""

    def __init__(
        self, users: int = bureau.USERS, ads: int = bureau.ADS, width: int = 8,
        hidden: tuple[int, ...] = (64, 32), activation: Callable[[], nn.Module] = nn.ReLU,
        logarithms: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = (users, ads, bureau.SLOTS, 24)
        self.tables = nn.ModuleList(nn.Embedding(n, width) for n in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.1)
        self.logarithms = logarithms
        layers: list[nn.Module] = []
        before = 4 * width + 4
        for after in hidden:
            layers += [nn.Linear(before, after), activation()]
            before = after
        self.tower = nn.Sequential(*layers, nn.Linear(before, 1))

    def forward(self, ids: Tensor, counts: Tensor) -> Tensor:
        found = [table(ids[:, i]) for i, table in enumerate(self.tables)]
        if self.logarithms:
            counts = (counts.log1p() - counts.new_tensor([3.0, 9.0, 5.0, 1.3])) / 1.5
        logit: Tensor = self.tower(torch.cat([*found, counts], 1))
        return logit[:, 0]


class DateTranslator(nn.Module):
    """A GRU reads the letters, another writes the signs; during training it is told the last."""

    def __init__(self, width: int = 96, detached: bool = False) -> None:
        super().__init__()
        self.detached = detached
        self.letters = nn.Embedding(len(bureau.LETTERS) + 1, 24)
        self.signs = nn.Embedding(len(bureau.SIGNS) + 1, 24)
        self.encoder = nn.GRU(24, width // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(width, width)
        self.decoder = nn.GRU(24, width, batch_first=True)
        self.attend = nn.Linear(width, width, bias=False)
        self.project = nn.Linear(2 * width, len(bureau.SIGNS))

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        outputs, last = self.encoder(self.letters(source))
        state = torch.tanh(self.bridge(last.transpose(0, 1).flatten(1)))[None]
        if self.detached:
            outputs, state = repackage(outputs), repackage(state)
        return outputs, state

    def decode(self, memory: Tensor, state: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        states, state = self.decoder(self.signs(before), state)
        weights = (self.attend(states) @ memory.mT).softmax(-1)
        return self.project(torch.cat([states, weights @ memory], -1)), state

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        start = torch.full_like(target[:, :1], len(bureau.SIGNS))
        memory, state = self.encode(source)
        return self.decode(memory, state, torch.cat([start, target[:, :-1]], 1))[0]

    @torch.no_grad()
    def translate(self, source: Tensor, length: int = 10) -> Tensor:
        memory, state = self.encode(source)
        last, found = source.new_full((len(source), 1), len(bureau.SIGNS)), []
        for _ in range(length):
            logits, state = self.decode(memory, state, last)
            last = logits.argmax(-1)
            found.append(last)
        return torch.cat(found, 1)


def repackage(state: Tensor) -> Tensor:
    """Wraps a state in a new tensor, to part it from its history."""
    return state.detach()


class Reader(LightningModule):
    """Factors of readers and articles, with the articles' own appeal."""

    def __init__(self, width: int = 16, lr: float = 5e-3) -> None:
        super().__init__()
        self.lr = lr
        self.readers = nn.Embedding(bureau.READERS, width)
        self.articles = nn.Embedding(bureau.ARTICLES, width)
        self.appeal = nn.Embedding(bureau.ARTICLES, 1)
        for table in (self.readers, self.articles):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.appeal.weight)

    def forward(self, readers: Tensor, articles: Tensor) -> Tensor:
        product = (self.readers(readers) * self.articles(articles)).sum(-1)
        return product + self.appeal(articles)[..., 0]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


@torch.no_grad()
def chosen(module: Reader) -> float:
    """How often an article that was read later scores above one that was not chosen."""
    _, kept = bureau.read_articles()
    others = bureau.unread_beside()
    module.eval()
    right = module(kept[:, :1], kept[:, 1:]) > module(kept[:, :1], others)
    return right.float().mean().item()
