"""Programs that read and write sequences, by recurrence and by attention."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier
from scores import accuracy, outputs
from torch import Tensor, nn


class Symbols(LightningModule):
    """A GRU's next symbols; the clipping is the module's own."""

    def __init__(self, symbols: int, width: int = 96) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, 48)
        self.rnn = nn.GRU(48, width, batch_first=True)
        self.head = nn.Linear(width, symbols)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.rnn(self.embedding(x))[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).mT, batch[1])
        self.log("train_ppl", loss.exp(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ppl", F.cross_entropy(self(batch[0]).mT, batch[1]).exp())

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **options: Any) -> None:
        self.clip_gradients(optimizer, gradient_clip_val=1.0, gradient_clip_algorithm="norm")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def left_open(module: LightningModule, data: Samples, least: float) -> float:
    """Nats per symbol above those that nobody can save."""
    return F.cross_entropy(outputs(module, data.x_test).mT, data.y_test).item() - least


def symbols() -> Program:
    """Whoever knows all of it still guesses wrongly four times of ten."""
    data, least = fabricated.second_order(12, count=1600)
    module = Symbols(12)
    return Program(module, *loaders(data, 32), 8, partial(left_open, module, data, least))


class BothWays(nn.Module):
    """Two layers of LSTM, pooled where there are words."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(fabricated.WORDS, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, 32, 2, batch_first=True, bidirectional=True, dropout=0.2)
        self.norm, self.fc = nn.LayerNorm(64), nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        mask = (x > 0)[..., None]
        states = self.lstm(self.emb(x))[0] * mask
        logits: Tensor = self.fc(self.norm(states.sum(1) / mask.sum(1)))
        return logits


def reviews() -> Program:
    data = fabricated.reviews(4000)
    data = data.with_inputs(data.x[:, -20:], data.x_test[:, -20:])
    module = LitClassifier(BothWays(), partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.05))
    return Program(
        module, *loaders(data, 64), 5, partial(accuracy, module, data),
        {"gradient_clip_val": 0.5, "precision": "bf16-mixed"},
    )  # fmt: skip


class Block(nn.Module):
    """Attention and a feed-forward layer, each normalised before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(self.ln1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        return x + self.out(F.gelu(self.fc(self.ln2(x))))


class TinyGPT(LightningModule):
    """The embedding is the output, too; weights are drawn as GPT-2's."""

    def __init__(self, vocabulary: int, length: int, width: int = 48, depth: int = 2) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, 4) for _ in range(depth))
        self.ln = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                thin = name.endswith(("proj.weight", "out.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth) if thin else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wte(x) + self.wpe.weight[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.lm_head(self.ln(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).mT, batch[1], ignore_index=-1)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim < 2]
        groups: Any = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
        total = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total, pct_start=0.1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def additions(count: int = 4500) -> Samples:
    """Signs of ab+cd= and the digits of the sum, lowest first; only those are asked for."""
    generator = torch.Generator().manual_seed(81)
    a, b = torch.randint(100, (2, count), generator=generator)
    total = a + b
    plus, equals = torch.full_like(a, 10), torch.full_like(a, 11)
    lowest = total % 10, total // 10 % 10, total // 100
    row = torch.stack([a // 10, a % 10, plus, b // 10, b % 10, equals, *lowest], 1)
    y = row[:, 1:].clone()
    y[:, :5] = -1
    cut = count * 4 // 5
    return Samples(row[:cut, :-1], y[:cut], row[cut:, :-1], y[cut:])


def sums_right(module: LightningModule, data: Samples) -> float:
    right = outputs(module, data.x_test).argmax(-1) == data.y_test
    return right[:, 5:].all(1).float().mean().item()


def gpt() -> Program:
    data = additions()
    module = TinyGPT(12, 8)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 18, partial(sums_right, module, data))


class Translator(LightningModule):
    """A GRU encodes, another with additive attention writes; the truth is fed while training."""

    def __init__(self, source: int, target: int, width: int = 64) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(source, 32), nn.Embedding(target + 1, 32)
        self.encoder = nn.GRU(32, width // 2, batch_first=True, bidirectional=True)
        self.cell, self.write = nn.GRUCell(32 + width, width), nn.Linear(2 * width, target)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.energy, self.start = nn.Linear(width, 1, bias=False), target

    def decode(self, x: Tensor, y: Tensor | None, steps: int = 6) -> Tensor:
        memory, last = self.encoder(self.source(x))
        keys, state = self.key(memory), last.mT.reshape(len(x), -1)
        word, found = x.new_full((len(x),), self.start), []
        for step in range(steps):
            energy = self.energy(torch.tanh(keys + self.query(state)[:, None]))
            context = (energy.softmax(1) * memory).sum(1)
            state = self.cell(torch.cat([self.target(word), context], 1), state)
            found.append(self.write(torch.cat([state, context], 1)))
            word = found[-1].argmax(1) if y is None else y[:, step]
        return torch.stack(found, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(x, None)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self.decode(*batch).mT, batch[1])
        self.log("teacher_forced", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("free", F.cross_entropy(self(batch[0]).mT, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def translated(count: int = 4000) -> Program:
    """Six words, each with a translation of its own; pairs of them change places."""
    generator = torch.Generator().manual_seed(82)
    x = torch.randint(24, (count, 6), generator=generator)
    y = torch.randperm(24, generator=generator)[x].unflatten(1, (3, 2)).flip(2).flatten(1)
    cut = count * 3 // 4
    data = Samples(x[:cut], y[:cut], x[cut:], y[cut:])
    module = Translator(24, 24)

    def right() -> float:
        return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 32), 9, right, {"gradient_clip_val": 1.0})


CASES = (
    Case("symbols-much-left-to-chance", Goal("nats above the least", at_most=0.15), symbols),
    Case("reviews-lstm-both-ways-half", Goal("accuracy", at_least=0.85), reviews),
    Case("additions-tiny-gpt", Goal("sums right", at_least=0.9), gpt),
    Case("words-translated-with-attention", Goal("accuracy", at_least=0.95), translated),
)
