"""Letters and words, spoken and written, of languages that the file makes up."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WHO = [
    "the old baker",
    "a young sailor",
    "my sister",
    "the tall clerk",
    "our teacher",
    "a quiet guest",
]
DOES = ["sells", "paints", "finds", "carries", "mends", "buys"]
WHAT = [
    "bread",
    "a red boat",
    "two chairs",
    "the letter",
    "some apples",
    "a green lamp",
    "the clock",
]
WHERE = ["at the market", "near the river", "on monday", "before noon", "in the garden"]
ALPHABET = " abcdefghijklmnopqrstuvwxyz."


def letters(count: int, seed: int) -> Tensor:
    """Sentences in a row, a number to each letter."""
    generator = torch.Generator().manual_seed(seed)

    def any_of(options: list[str]) -> str:
        return options[int(torch.randint(len(options), (), generator=generator))]

    text = "".join(
        f"{any_of(WHO)} {any_of(DOES)} {any_of(WHAT)} {any_of(WHERE)}. " for _ in range(count)
    )
    return torch.tensor([ALPHABET.index(letter) for letter in text])


def windows(row: Tensor, length: int, stride: int) -> Tensor:
    return row.unfold(0, length + 1, stride).contiguous()


class LetterModel(LightningModule):
    """Which letter comes next? Input and output share their table."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(len(ALPHABET), width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.bias = nn.Parameter(torch.zeros(len(ALPHABET)))

    def forward(self, row: Tensor) -> Tensor:
        states, _ = self.gru(self.table(row))
        return F.linear(self.drop(states), self.table.weight, self.bias)

    def nats(self, row: Tensor) -> Tensor:
        return F.cross_entropy(self(row[:, :-1]).flatten(0, 1), row[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nats(batch[0])
        self.log("train_perplexity", loss.exp(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_perplexity", self.nats(batch[0]).exp())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def letter_model(module: LetterModel | None = None) -> Program:
    module = module or LetterModel()
    train, test = windows(letters(700, 0), 48, 24), windows(letters(100, 1), 48, 48)

    @torch.no_grad()
    def score() -> float:
        rows = test
        logits = module.eval()(rows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()

    batches = DataLoader(TensorDataset(train), 32, shuffle=True, drop_last=True)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, batches, DataLoader(TensorDataset(test), 64), 9, score, trainer)


def agreements(count: int, seed: int, length: int = 12) -> Tensor:
    """Rows of words 2..37, three kinds in turn, all of one of four topics."""
    g = torch.Generator().manual_seed(seed)
    topic = torch.randint(4, (count, 1), generator=g)
    slot = torch.arange(length) % 3
    choice = torch.randint(3, (count, length), generator=g)
    choice[:, 2::3] = (choice[:, 0::3] + topic) % 3
    return 2 + 9 * topic + 3 * slot + choice


class Block(nn.Module):
    """Attention and two layers, norms first."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.ln2(x))


class Cloze(LightningModule):
    """Words are hidden (1 stands there) and guessed from those before and behind."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.words, self.places = nn.Embedding(38, width), nn.Embedding(12, width)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 38)

    def forward(self, words: Tensor) -> Tensor:
        x = self.words(words) + self.places.weight
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words = batch[0]
        hidden = torch.rand(words.shape) < 0.2
        logits = self(words.masked_fill(hidden, 1))
        loss = F.cross_entropy(logits[hidden], words[hidden])
        self.log("mlm_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, betas=(0.9, 0.98))
        warm = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / 100, (100 / (step + 1)) ** 0.5)
        )
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def cloze() -> Program:
    module = Cloze()
    train, test = agreements(3200, 0), agreements(400, 1)

    @torch.no_grad()
    def score() -> float:
        """Each third word follows from the topic and the one before the last."""
        hidden = torch.zeros(test.shape, dtype=torch.bool)
        hidden[:, 5] = True
        logits = module.eval()(test.masked_fill(hidden, 1))
        return (logits[:, 5].argmax(1) == test[:, 5]).float().mean().item()

    return Program(module, DataLoader(TensorDataset(train), 64, shuffle=True), None, 16, score)


def plurals(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Words of six letters 3..14; backwards, doubled vowels, closed by 2. 1 opens, 0 is nothing."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randint(3, 15, (count, 6), generator=g)
    rows = []
    for word in x.flip(1).tolist():
        out = [letter for each in word for letter in ([each, each] if each < 6 else [each])]
        rows.append([1, *out, 2] + [0] * (12 - len(out)))
    return x, torch.tensor(rows)


class Translator(LightningModule):
    """Encoder, decoder and additive attention; the decoder is shown the right letter before."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(15, width), nn.Embedding(15, width, padding_idx=0)
        self.encoder = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRUCell(2 * width, width)
        self.query, self.energy = nn.Linear(width, width), nn.Linear(width, 1)
        self.head = nn.Linear(2 * width, 15)

    def encode(self, x: Tensor) -> Tensor:
        states: Tensor = self.encoder(self.source(x))[0]
        return states

    def step(self, last: Tensor, h: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        energy = self.energy(torch.tanh(memory + self.query(h)[:, None]))
        seen = (energy.softmax(1) * memory).sum(1)
        h = self.decoder(torch.cat([self.target(last), seen], 1), h)
        return self.head(torch.cat([h, seen], 1)), h

    def taught(self, x: Tensor, y: Tensor) -> Tensor:
        memory = self.encode(x)
        h, logits = memory[:, -1], []
        for place in range(y.shape[1] - 1):
            out, h = self.step(y[:, place], h, memory)
            logits.append(out)
        return F.cross_entropy(torch.stack(logits, 2), y[:, 1:], ignore_index=0)

    @torch.no_grad()
    def forward(self, x: Tensor, length: int = 13) -> Tensor:
        memory = self.encode(x)
        h, last, said = memory[:, -1], torch.ones(len(x), dtype=torch.long), []
        for _ in range(length):
            out, h = self.step(last, h, memory)
            last = out.argmax(1)
            said.append(last)
        return torch.stack(said, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.taught(*batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.taught(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def translator(module: Translator | None = None) -> Program:
    module = module or Translator()
    train, test = TensorDataset(*plurals(2400, 0)), TensorDataset(*plurals(400, 1))

    def score() -> float:
        x, y = test.tensors
        said = module.eval()(x)
        return ((said == y[:, 1:]) | (y[:, 1:] == 0)).all(1).float().mean().item()

    trainer = {"gradient_clip_val": 1.0}
    batches = DataLoader(train, 48, shuffle=True)
    return Program(module, batches, DataLoader(test, 200), 10, score, trainer)


def whistles(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Three to five tones of six heights, of any length, with silence between; no marks of time."""
    g = torch.Generator().manual_seed(seed)
    x = torch.zeros(count, 40, 6)
    y, lengths = torch.zeros(count, 5, dtype=torch.long), torch.randint(3, 6, (count,), generator=g)
    for row in range(count):
        at = int(torch.randint(3, (), generator=g))
        for place in range(int(lengths[row])):
            tone = int(torch.randint(6, (), generator=g))
            long = int(torch.randint(2, 6, (), generator=g))
            x[row, at : at + long, tone] = 1
            y[row, place] = tone + 1
            at += long + 1 + int(torch.randint(2, (), generator=g))
    return x + 0.2 * torch.randn(x.shape, generator=g), y, lengths


class Whistles(LightningModule):
    """CTC over convolved frames."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv1d(6, 48, 3, padding=1), nn.BatchNorm1d(48), nn.ReLU(),
            nn.Conv1d(48, 48, 3, padding=1), nn.BatchNorm1d(48), nn.ReLU(),
        )  # fmt: skip
        self.rnn = nn.GRU(48, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 7)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.front(x.mT).mT)
        return self.head(states).log_softmax(-1)

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, y, lengths = batch
        frames = torch.full((len(x),), x.shape[1])
        return F.ctc_loss(self(x).transpose(0, 1), y, frames, lengths)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("ctc", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ctc", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def whistled(module: Whistles | None = None) -> Program:
    module = module or Whistles()
    train, test = TensorDataset(*whistles(1600, 0)), TensorDataset(*whistles(250, 1))

    @torch.no_grad()
    def score() -> float:
        x, y, lengths = test.tensors
        right = 0
        for path, truth, length in zip(module.eval()(x).argmax(2), y, lengths, strict=True):
            heard = torch.unique_consecutive(path)
            right += heard[heard > 0].tolist() == truth[:length].tolist()
        return right / len(x)

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 125), 12, score)


class Neighbours(LightningModule):
    """Mikolov et al.: which words stand side by side, of many that might? Sparse gradients."""

    def __init__(self, words: int = 38, width: int = 16, others: int = 5) -> None:
        super().__init__()
        self.inner = nn.Embedding(words, width, sparse=True)
        self.outer = nn.Embedding(words, width, sparse=True)
        nn.init.uniform_(self.inner.weight, -0.5 / math.sqrt(width), 0.5 / math.sqrt(width))
        nn.init.zeros_(self.outer.weight)
        self.others = others

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        center, beside = batch[0].unbind(1)
        drawn = torch.randint(2, 38, (len(center), self.others))
        h = self.inner(center)
        near = (h * self.outer(beside)).sum(1)
        far = (self.outer(drawn) @ h[:, :, None])[..., 0]
        loss = -F.logsigmoid(near).mean() - F.logsigmoid(-far).sum(1).mean()
        self.log("sgns", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam(self.parameters(), lr=1e-2)


def neighbours() -> Program:
    rows = agreements(700, 3)
    pairs = torch.cat(
        [rows.unfold(1, 2, 1).flatten(0, 1), rows[:, 1:].unfold(1, 2, 1).flip(2).flatten(0, 1)]
    )
    module = Neighbours()

    def score() -> float:
        """Share of words whose nearest are mostly of their topic."""
        vectors = F.normalize(module.inner.weight.detach()[2:], dim=1)
        near = (vectors @ vectors.T - 2 * torch.eye(36)).topk(5).indices
        return (near // 9 == torch.arange(36)[:, None] // 9).float().mean().item()

    return Program(module, DataLoader(TensorDataset(pairs), 128, shuffle=True), None, 14, score)


CASES = (
    Case("sentences-letter-after-letter-tied", Goal("nats", at_most=0.3), letter_model),
    Case("third-words-hidden-among-four-topics", Goal("accuracy", at_least=0.95), cloze),
    Case("words-backwards-with-doubled-vowels", Goal("words right", at_least=0.9), translator),
    Case("whistled-tones-without-marks-of-time", Goal("rows right", at_least=0.88), whistled),
    Case("words-side-by-side-sparse-tables", Goal("same topic", at_least=0.95), neighbours),
)
