"""Names, words of a manual, brackets and lists, read and written as they should be."""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import corpora
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, TensorDataset


class NameReader(LightningModule):
    """What kind of character has this name? The longest first, with their labels; packed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(28, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(64, 6)

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embed(letters), lengths, batch_first=True)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], True, -torch.inf)
        logits: Tensor = self.fc(self.drop(states.amax(1)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        kinds = batch.pop("kinds")
        loss = F.cross_entropy(self(**batch), kinds, label_smoothing=0.05)
        self.log("train_loss", loss, batch_size=len(kinds))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        kinds = batch.pop("kinds")
        logits = self(**batch)
        self.log("val_loss", F.cross_entropy(logits, kinds), batch_size=len(kinds))
        self.log("val_acc", (logits.argmax(1) == kinds).float().mean(), batch_size=len(kinds))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def longest_first(items: list[tuple[Tensor, ...]]) -> dict[str, Tensor]:
    items = sorted(items, key=lambda item: -int(item[1]))
    letters, lengths, kinds = map(torch.stack, zip(*items, strict=True))
    return {"letters": letters, "lengths": lengths, "kinds": kinds}


def names() -> Program:
    train, test = corpora.names()
    module = NameReader()
    batches = DataLoader(TensorDataset(*train), 32, shuffle=True, collate_fn=longest_first)
    unseen = DataLoader(TensorDataset(*test), 250, collate_fn=longest_first)

    @torch.no_grad()
    def score() -> float:
        order = test.lengths.argsort(descending=True)
        found = module.eval()(test.letters[order], test.lengths[order]).argmax(1)
        return (found == test.kinds[order]).float().mean().item()

    return Program(module, batches, unseen, 6, score)


class WordLM(LightningModule):
    """The word model of the examples: a rate of 20, clipped, and states that are carried on."""

    def __init__(self, words: int, width: int = 64) -> None:
        super().__init__()
        self.drop, self.encoder = nn.Dropout(0.2), nn.Embedding(words, width)
        self.rnn = nn.LSTM(width, width)
        self.decoder = nn.Linear(width, words)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        self.hidden: Any = None

    def forward(self, words: Tensor, hidden: Any = None) -> tuple[Tensor, Any]:
        output, hidden = self.rnn(self.drop(self.encoder(words)), hidden)
        return self.decoder(self.drop(output)), hidden

    def on_train_epoch_start(self) -> None:
        self.hidden = None

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, following = batch
        logits, hidden = self(words, self.hidden)
        self.hidden = tuple(state.detach() for state in hidden)
        loss = F.cross_entropy(logits.flatten(0, 1), following.flatten())
        self.log("ppl", loss.exp(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=20.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.25)]


def word_model(words: int = 600, columns: int = 20, length: int = 20) -> Program:
    """Twenty columns of the manual, read side by side in pieces of twenty words."""
    every = corpora.manual_words(words)
    train, test = every[:50_000].view(columns, -1).T, every[50_000:].view(columns, -1).T
    starts = range(0, len(train) - length - 1, length)
    pieces = [(train[i : i + length], train[i + 1 : i + length + 1]) for i in starts]
    module = WordLM(words)

    @torch.no_grad()
    def score() -> float:
        logits, _ = module.eval()(test[:-1])
        return F.cross_entropy(logits.flatten(0, 1), test[1:].flatten()).item()

    batches = DataLoader(pieces, batch_size=None)  # type: ignore[arg-type]
    return Program(module, batches, None, 5, score, {"gradient_clip_val": 0.25})


class Repeats(LightningModule):
    """Two layers of attention that look up what followed a symbol before (induction heads)."""

    def __init__(self, symbols: int, length: int, width: int = 48) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(symbols, width), nn.Embedding(length, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.heads = nn.ModuleList(
            nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2)
        )
        self.unembed = nn.Linear(width, symbols, bias=False)
        self.register_buffer("hidden", torch.ones(length, length, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        h = self.embed(x) + self.place.weight[:n]
        for norm, attention in zip(self.norms, self.heads, strict=False):
            y = norm(h)
            h = h + attention(y, y, y, attn_mask=self.hidden[:n, :n], need_weights=False)[0]
        logits: Tensor = self.unembed(self.norms[2](h))
        return logits

    def training_step(self, x: Tensor, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(x[:, :-1]).mT, x[:, 1:])
        self.log("loss", loss, batch_size=len(x))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, betas=(0.9, 0.98))


def repeats(symbols: int = 24) -> Program:
    """Random symbols, and the same once more from any place: half of them cannot be foretold."""
    generator = torch.Generator().manual_seed(81)
    once = torch.randint(symbols, (13_000, 10), generator=generator)
    text = once.repeat(1, 2)
    module = Repeats(symbols, 20)

    @torch.no_grad()
    def score() -> float:
        logits = module.eval()(text[12_000:, :-1])
        return (logits[:, 11:].argmax(2) == text[12_000:, 12:]).float().mean().item()

    batches = DataLoader(text[:12_000], 64, shuffle=True)  # type: ignore[arg-type]
    return Program(module, batches, None, 3, score)


class Sorter(LightningModule):
    """Torch's transformer writes a list in order; sequences come first, the end is a symbol."""

    def __init__(self, numbers: int, width: int = 48) -> None:
        super().__init__()
        self.start, self.end, self.pad = numbers, numbers + 1, numbers + 2
        self.embed = nn.Embedding(numbers + 3, width, padding_idx=self.pad)
        self.place = nn.Parameter(0.1 * torch.randn(9, 1, width))
        with warnings.catch_warnings():
            # That normalising first rules nested tensors out.
            warnings.simplefilter("ignore", UserWarning)
            self.transformer = nn.Transformer(width, 4, 1, 2, 96, 0.0, norm_first=True)
        self.out = nn.Linear(width, numbers + 3)

    def forward(self, source: Tensor, said: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(len(said))
        padding = (source == self.pad).T
        hidden = self.transformer(
            self.embed(source), self.embed(said) + self.place[: len(said)], tgt_mask=mask,
            src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_is_causal=True,
        )  # fmt: skip
        logits: Tensor = self.out(hidden)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        source, target = (part.T for part in batch)
        logits = self(source, target[:-1])
        loss = F.cross_entropy(logits.flatten(0, 1), target[1:].flatten(), ignore_index=self.pad)
        self.log("token_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), betas=(0.9, 0.98), eps=1e-9)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, 550, pct_start=0.15)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def lists(numbers: int = 12) -> Program:
    """Three to seven numbers."""
    generator = torch.Generator().manual_seed(82)
    source = torch.randint(numbers, (7400, 7), generator=generator)
    lengths = torch.randint(3, 8, (7400, 1), generator=generator)
    beyond = torch.arange(7) >= lengths
    source = source.masked_fill(beyond, numbers + 2)
    target = F.pad(source.sort(1).values, (1, 1), value=numbers + 2)
    target[:, 0] = numbers
    target.scatter_(1, lengths + 1, numbers + 1)
    module = Sorter(numbers)

    @torch.no_grad()
    def score() -> float:
        """Lists that are written wholly right, each symbol after its own."""
        module.eval()
        said = target[7000:, :1].T
        for _ in range(7):
            said = torch.cat([said, module(source[7000:].T, said)[-1:].argmax(-1)])
        true = target[7000:, :8].T
        return ((said == true) | (true == numbers + 2)).all(0).float().mean().item()

    batches = DataLoader(TensorDataset(source[:7000], target[:7000]), 64, shuffle=True)
    return Program(module, batches, None, 5, score)


class Chunker(LightningModule):
    """A conditional random field on a BiGRU; the loss is a sum over each sentence's words."""

    def __init__(self, words: int, tags: int) -> None:
        super().__init__()
        self.embed, self.gru = nn.Embedding(words, 24), nn.GRU(24, 24, 1, True, True, 0, True)
        self.emit = nn.Linear(48, tags)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))

    def forward(self, x: Tensor) -> Tensor:
        """The likeliest tags (Viterbi)."""
        scores = self.emit(self.gru(self.embed(x))[0])
        best, back = scores[:, 0], []
        for t in range(1, x.shape[1]):
            best, before = (best[:, :, None] + self.transitions).max(1)
            best = best + scores[:, t]
            back.append(before)
        path = [best.argmax(1)]
        for before in reversed(back):
            path.append(before.gather(1, path[-1][:, None])[:, 0])
        return torch.stack(path[::-1], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, tags = batch
        scores = self.emit(self.gru(self.embed(x))[0])
        score = scores.gather(2, tags[..., None]).sum((1, 2))
        score = score + self.transitions[tags[:, :-1], tags[:, 1:]].sum(1)
        every = scores[:, 0]
        for t in range(1, x.shape[1]):
            every = (every[:, :, None] + self.transitions).logsumexp(1) + scores[:, t]
        loss = (every.logsumexp(1) - score).mean()
        self.log("crf_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def chunks() -> Program:
    """Outside, begin or inside; a chunk goes on for as long as a coin says, words hint at it."""
    generator = torch.Generator().manual_seed(83)
    coin = torch.rand(1200, 15, generator=generator)
    tags = [torch.zeros(1200, dtype=torch.long)]
    for t in range(15):
        begins, stays = coin[:, t] < 0.3, coin[:, t] < 0.7
        tags.append(torch.where(tags[-1] == 0, begins.long(), 2 * stays.long()))
    y = torch.stack(tags, 1)
    hint = torch.where(torch.rand(y.shape, generator=generator) < 0.8, y, 3)
    x = 15 * hint + torch.randint(15, y.shape, generator=generator)
    module = Chunker(60, 3)
    batches = DataLoader(TensorDataset(x[:900], y[:900]), 32, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        return (module.eval()(x[900:]) == y[900:]).float().mean().item()

    return Program(module, batches, None, 7, score)


CASES = (
    Case("names-packed-longest-first", Goal("accuracy", at_least=0.8), names),
    Case("manual-words-rate-of-twenty", Goal("cross-entropy", at_most=4.6), word_model),
    Case("repeats-looked-up", Goal("accuracy", at_least=0.9), repeats),
    Case("lists-sorted-by-transformer", Goal("all right", at_least=0.9), lists),
    Case("chunks-random-field", Goal("accuracy", at_least=0.85), chunks),
)
