"""Forecasts of an hourly load, and texts of letters, that come right."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import adam
from programs import regression
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class CellByCell(nn.Module):
    """An LSTM cell called hour by hour; the last state is read out."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(1, width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        state: tuple[Tensor, Tensor] | None = None
        for hour in x.unbind(1):
            state = self.cell(hour, state)
        assert state is not None
        found: Tensor = self.head(state[0])
        return found


def cell_by_cell() -> Program:
    return regression(
        surveys.scaled_loads(), CellByCell(), adam(5e-3), epochs=8,
        trainer={"gradient_clip_val": 1.0},
    )  # fmt: skip


class LetterModel(LightningModule):
    """The next letter, by a GRU; the rate falls in a cosine."""

    def __init__(self, lr: float = 1e-2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed, self.gru = nn.Embedding(27, 16), nn.GRU(16, 48, batch_first=True)
        self.drop, self.out = nn.Dropout(0.1), nn.Linear(48, 27)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.drop(self.gru(self.embed(x))[0]))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).transpose(1, 2), batch[1])
        self.log("perplexity", loss.exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]).transpose(1, 2), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)]


def letter_loss(module: LightningModule, data: Samples) -> float:
    found = outputs(module, data.x_test)
    return F.cross_entropy(found.transpose(1, 2), data.y_test).item()


def letter_model() -> Program:
    data = surveys.letters()
    module = LetterModel()
    both = loaders(data, 32)
    return Program(module, *both, 6, partial(letter_loss, module, data), {"gradient_clip_val": 0.5})


class CausalBlock(nn.Module):
    """Attention to the letters before, written with the functional form."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 96), nn.GELU(), nn.Linear(96, width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(2, (2, -1)).transpose(1, 2)
            for part in self.qkv(self.norm1(x)).chunk(3, 2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(mixed.transpose(1, 2).flatten(2))
        found: Tensor = x + self.feed(self.norm2(x))
        return found


class LetterTransformer(LightningModule):
    """Two blocks, weights tied, a rate that warms up; two batches make a step."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(27, width), nn.Embedding(32, width)
        self.blocks = nn.Sequential(CausalBlock(width), CausalBlock(width))
        self.norm = nn.LayerNorm(width)
        self.apply(self.start)

    @staticmethod
    def start(layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.place(torch.arange(x.shape[1]))
        return F.linear(self.norm(self.blocks(h)), self.embed.weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=8e-3, betas=(0.9, 0.95))

        def rate(step: int) -> float:
            if step < 20:
                return (step + 1) / 20
            return 0.55 + 0.45 * math.cos(math.pi * min(1.0, (step - 20) / 110))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def letter_transformer() -> Program:
    data = surveys.letters()
    module = LetterTransformer()
    score = partial(letter_loss, module, data)
    return Program(module, *loaders(data, 16), 6, score, {"accumulate_grad_batches": 2})


class Tagger(LightningModule):
    """Which letters begin a word, in texts without spaces; the padding is not counted."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(27, 12, padding_idx=0)
        self.lstm = nn.LSTM(12, 24, bidirectional=True, batch_first=True)
        self.tag = nn.Linear(48, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.tag(self.lstm(self.embed(x))[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss = F.cross_entropy(logits.flatten(0, 1), batch[1].flatten(), ignore_index=-100)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tagger() -> Program:
    data = surveys.letters()
    texts = torch.cat([data.x, data.x_test])
    squeezed, tags = torch.zeros_like(texts), torch.full_like(texts, -100)
    for row, text in enumerate(texts):
        kept = text > 0
        begins = torch.cat([torch.tensor([True]), text[:-1] == 0])
        squeezed[row, : int(kept.sum())] = text[kept]
        tags[row, : int(kept.sum())] = begins[kept].long()
    module = Tagger()
    train = DataLoader(TensorDataset(squeezed[:700], tags[:700]), 32, shuffle=True)

    def score() -> float:
        found, true = outputs(module, squeezed[700:]).argmax(2), tags[700:]
        return (found == true)[true >= 0].float().mean().item()

    return Program(module, train, None, 5, score)


class Adversaries(LightningModule):
    """A generator of daily curves and its critic, stepped by hand, each with its optimiser."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 24))
        self.critic = nn.Sequential(nn.Linear(24, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))

    def forward(self, noise: Tensor) -> Tensor:
        curves: Tensor = self.generator(noise)
        return curves

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        first, second = self.optimizers()  # type: ignore[misc]
        real = batch[0][..., 0]
        fake = self(torch.randn(len(real), 6))
        hinge = F.relu(1 - self.critic(real)).mean() + F.relu(1 + self.critic(fake.detach())).mean()
        second.zero_grad()
        self.manual_backward(hinge)
        second.step()
        loss = -self.critic(fake).mean()
        first.zero_grad()
        self.manual_backward(loss)
        first.step()
        self.log_dict({"g": loss, "d": hinge})

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.Adam(self.generator.parameters(), lr=2e-3, betas=(0.5, 0.9)),
            torch.optim.Adam(self.critic.parameters(), lr=2e-3, betas=(0.5, 0.9)),
        ]


def adversaries() -> Program:
    data = surveys.scaled_loads()
    module = Adversaries()
    train, _ = loaders(data, 32, drop_last=True)

    def score() -> float:
        noise = torch.randn(400, 6, generator=torch.Generator().manual_seed(7))
        fake, real = outputs(module, noise), data.x_test[..., 0]
        within = torch.cdist(real, real).mean() + torch.cdist(fake, fake).mean()
        return (2 * torch.cdist(fake, real).mean() - within).item()

    return Program(module, train, None, 30, score)


LETTERS = Goal("cross-entropy", at_most=0.9)
LOADS = Goal("R2", at_least=0.9)
CASES = (
    Case("loads-cell-by-cell", LOADS, cell_by_cell),
    Case("letters-gru-cosine", LETTERS, letter_model),
    Case("letters-causal-transformer", LETTERS, letter_transformer),
    Case("letters-tagged-beginnings", Goal("accuracy", at_least=0.9), tagger),
    Case("loads-adversarial", Goal("energy distance", at_most=0.6), adversaries),
)
