"""Programs that translate, fill gaps and recommend."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Translator(LightningModule):
    """Reads with one GRU, writes with another that looks back; fed with the truth in training."""

    def __init__(self, letters: int, width: int = 48) -> None:
        super().__init__()
        self.start = letters
        self.embed = nn.Embedding(letters + 1, width)
        self.reader = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.writer = nn.GRU(width, width, batch_first=True)
        self.look = nn.Linear(width, width, bias=False)
        self.join, self.head = nn.Linear(2 * width, width), nn.Linear(width, letters)

    def read(self, text: Tensor) -> tuple[Tensor, Tensor]:
        memory, last = self.reader(self.embed(text))
        return memory, torch.cat([*last], 1)[None]

    def write(self, said: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, state = self.writer(self.embed(said), state)
        share = torch.einsum("btw,bsw->bts", self.look(hidden), memory).softmax(-1)
        both = torch.cat([hidden, torch.einsum("bts,bsw->btw", share, memory)], -1)
        return self.head(self.join(both).tanh()), state

    @torch.no_grad()
    def forward(self, text: Tensor) -> Tensor:
        """Writes letter by letter what it finds most likely."""
        memory, state = self.read(text)
        said = torch.full((len(text), 1), self.start)
        found = []
        for _ in range(text.shape[1]):
            logits, state = self.write(said, memory, state)
            said = logits.argmax(-1)
            found.append(said)
        return torch.cat(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, wanted = batch
        said = F.pad(wanted[:, :-1], (1, 0), value=self.start)
        logits, _ = self.write(said, *self.read(text))
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        self.log("teacher_forced", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("exact", (self(batch[0]) == batch[1]).all(1).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def ciphers() -> Program:
    """Backwards, each letter by another."""
    generator = torch.Generator().manual_seed(100)
    text = torch.randint(12, (4000, 6), generator=generator)
    wanted = torch.randperm(12, generator=generator)[text.flip(1)]
    module = Translator(12)
    train = DataLoader(TensorDataset(text[:3600], wanted[:3600]), 32, shuffle=True)
    unseen = DataLoader(TensorDataset(text[3600:], wanted[3600:]), 400)

    def score() -> float:
        return (module.eval()(text[3600:]) == wanted[3600:]).float().mean().item()

    return Program(module, train, unseen, 8, score, {"gradient_clip_val": 1.0})


@dataclass
class Masked:
    """What a borrowed model returns."""

    loss: Tensor | None
    logits: Tensor


class SmallBert(nn.Module):
    """Two layers that look both ways, and the embedding again as output."""

    def __init__(self, words: int, length: int, width: int = 48) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=0.02)
        self.norm = nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, 0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, 2, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.bias = nn.Parameter(torch.zeros(words))

    def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> Masked:
        place = torch.arange(input_ids.shape[1])
        hidden = self.layers(self.norm(self.words(input_ids) + self.places(place)))
        logits = hidden @ self.words.weight.T + self.bias
        if labels is None:
            return Masked(None, logits)
        return Masked(F.cross_entropy(logits.mT, labels, ignore_index=-100), logits)


class FillsGaps(LightningModule):
    """Hides three words in twenty, and one of ten of these is another word instead."""

    def __init__(self, words: int, length: int) -> None:
        super().__init__()
        self.mask = words
        self.bert = SmallBert(words + 1, length)

    def hide(self, text: Tensor) -> dict[str, Tensor]:
        chosen = torch.rand(text.shape) < 0.15
        stray = torch.randint_like(text, self.mask)
        other = torch.where(torch.rand(text.shape) < 0.9, self.mask, stray)
        labels = text.masked_fill(~chosen, -100)
        return {"input_ids": torch.where(chosen, other, text), "labels": labels}

    def training_step(self, text: Tensor, batch_idx: int) -> Tensor:
        output = self.bert(**self.hide(text))
        self.log("mlm_loss", output.loss, batch_size=len(text))
        loss: Tensor = output.loss
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        plain = [p for p in self.parameters() if p.ndim < 2]
        decayed = [p for p in self.parameters() if p.ndim >= 2]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
            lr=3e-3, betas=(0.9, 0.98),
        )  # fmt: skip
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / 60, max(0.0, (800 - step) / 740))
        )
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }  # fmt: skip


def gaps() -> Program:
    """Three words over and over, so that those three places off tell each."""
    generator = torch.Generator().manual_seed(101)
    text = torch.randint(20, (2000, 3), generator=generator).repeat(1, 4)
    module = FillsGaps(20, 12)
    train = DataLoader(text[:1600], 32, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        """Of one hidden word in the middle."""
        hidden = text[1600:].clone()
        hidden[:, 5] = 20
        with torch.no_grad():
            logits = module.eval().bert(hidden).logits
        return (logits[:, 5].argmax(-1) == text[1600:, 5]).float().mean().item()

    return Program(module, train, None, 16, score, {"gradient_clip_val": 1.0})


class Ranked(LightningModule):
    """A listener's song before one drawn at random (BPR); the batches are listeners and songs."""

    def __init__(self, listeners: int, songs: int) -> None:
        super().__init__()
        self.listener = nn.Parameter(0.1 * torch.randn(listeners, 6))
        self.song = nn.Parameter(0.1 * torch.randn(songs, 6))
        self.fame = nn.Parameter(torch.zeros(songs))

    def forward(self, who: Tensor, what: Tensor) -> Tensor:
        return (self.listener[who] * self.song[what]).sum(-1) + self.fame[what]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        who, heard = batch
        other = torch.randint(len(self.song), who.shape)
        ahead = self(who, heard) - self(who, other)
        ridge = self.listener[who].square().sum(1) + self.song[heard].square().sum(1)
        return {"loss": F.softplus(-ahead).mean() + 0.02 * ridge.mean()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def songs() -> Program:
    """What was truly liked reaches 0.92."""
    generator = torch.Generator().manual_seed(102)
    taste, kind = (torch.randn(n, 3, generator=generator) for n in (150, 120))
    liking = taste @ kind.T + 0.5 * torch.randn(120, generator=generator)
    heard = torch.multinomial((2.5 * liking).softmax(1), 40, generator=generator)
    who = torch.arange(150)[:, None].expand(-1, 40)
    known, later = slice(0, 30), slice(30, 40)
    train = TensorDataset(who[:, known].flatten(), heard[:, known].flatten())
    module = Ranked(150, 120)

    def score() -> float:
        """How often a song heard later comes before one that is never heard (AUC)."""
        with torch.no_grad():
            found = module(torch.arange(150)[:, None], torch.arange(120))
        never = torch.ones(150, 120, dtype=torch.bool).scatter(1, heard, value=False)
        ahead = found.gather(1, heard[:, later])[..., None] > found[:, None]
        return ahead[never[:, None].expand_as(ahead)].float().mean().item()

    return Program(module, DataLoader(train, 64, shuffle=True), None, 10, score)


CASES = (
    Case("ciphers-read-backwards", Goal("accuracy", at_least=0.95), ciphers),
    Case("refrains-with-gaps", Goal("accuracy", at_least=0.95), gaps),
    Case("songs-ranked", Goal("area under ROC", at_least=0.82), songs),
)
