"""Programs over graphs, sets, alignments and grids, with layers and batches of their own."""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class GraphConvolution(LightningModule):
    """One graph is the only batch; a mask says whose label is known."""

    def __init__(self, adjacency: Tensor) -> None:
        super().__init__()
        degree = adjacency.sum(1)
        self.register_buffer("spread", adjacency / (degree[:, None] * degree).sqrt())
        shapes = ((24, 16), (16, 4))
        self.weights = nn.ParameterList(nn.init.xavier_uniform_(torch.empty(s)) for s in shapes)

    def forward(self, nodes: Tensor) -> Tensor:
        hidden = torch.relu(self.spread @ nodes @ self.weights[0])
        hidden = F.dropout(hidden, 0.5, self.training)
        return self.spread @ hidden @ self.weights[1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nodes, labels, known = batch
        logits = self(nodes)
        self.log("unknown_acc", (logits.argmax(1) == labels)[~known].float().mean(), batch_size=1)
        return F.cross_entropy(logits[known], labels[known])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=5e-4)


def communities() -> Program:
    """Four groups of people who mostly know each other; 20 of each say what they belong to."""
    generator = torch.Generator().manual_seed(50)
    y = torch.randperm(400, generator=generator) % 4
    chance = torch.where(y[:, None] == y, 0.06, 0.01)
    upper = torch.bernoulli(chance, generator=generator).triu(1)
    adjacency = upper + upper.T + torch.eye(400)
    x = torch.randn(400, 24, generator=generator)
    x = x + 0.6 * torch.randn(4, 24, generator=generator)[y]
    known = torch.zeros(400, dtype=torch.bool)
    for label in range(4):
        known[(y == label).nonzero()[:20, 0]] = True
    module = GraphConvolution(adjacency)
    train = DataLoader([(x, y, known)], batch_size=None)  # type: ignore[arg-type]

    def score() -> float:
        return (outputs(module, x).argmax(1) == y)[~known].float().mean().item()

    return Program(module, train, None, 200, score)


@dataclass
class Baskets:
    """Items of baskets of unequal sizes, a mask of those that there are, and the bill."""

    items: Tensor
    mask: Tensor
    bill: Tensor


class SetAttention(LightningModule):
    """Items attend to each other, then a learned query to the items; written with einsum."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.query = nn.Parameter(torch.randn(width) / width**0.5)
        self.maps = nn.ParameterDict({
            name: nn.Parameter(torch.randn(2, heads, width, width // heads) / width**0.5)
            for name in ("q", "k", "v")
        })  # fmt: skip
        self.join = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.head = mlp([width, 32, 1], nn.GELU)

    def attend(self, layer: int, asking: Tensor, items: Tensor, mask: Tensor) -> Tensor:
        q = torch.einsum("bnw,hwd->bhnd", asking, self.maps["q"][layer])
        k, v = (torch.einsum("bmw,hwd->bhmd", items, self.maps[n][layer]) for n in ("k", "v"))
        share = torch.einsum("bhnd,bhmd->bhnm", q, k) / q.shape[-1] ** 0.5
        share = share.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)
        found: Tensor = self.join[layer](torch.einsum("bhnm,bhmd->bnhd", share, v).flatten(2))
        return found

    def forward(self, batch: Baskets) -> Tensor:
        items = self.embed(batch.items)
        items = self.norm(items + self.attend(0, items, items, batch.mask))
        asking = self.query.expand(len(items), 1, -1)
        return self.head(self.attend(1, asking, items, batch.mask)[:, 0])[:, 0]

    def training_step(self, batch: Baskets, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch), batch.bill)
        self.log("bill_mse", loss, batch_size=len(batch.bill))
        return loss

    def validation_step(self, batch: Baskets, batch_idx: int) -> None:
        self.log("dev_mse", F.mse_loss(self(batch), batch.bill), batch_size=len(batch.bill))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def collate(rows: list[tuple[Tensor, Tensor]]) -> Baskets:
    items = nn.utils.rnn.pad_sequence([row[0] for row in rows], batch_first=True)
    sizes = torch.tensor([len(row[0]) for row in rows])
    return Baskets(
        items, torch.arange(items.shape[1]) < sizes[:, None], torch.stack([row[1] for row in rows])
    )


def baskets() -> Program:
    """The mean of prices times amounts, where members have an item in three at half its price."""
    generator = torch.Generator().manual_seed(51)
    rows = []
    for _ in range(1600):
        size = int(torch.randint(3, 9, (1,), generator=generator))
        items = torch.randn(size, 3, generator=generator)
        paid = items[:, 0] * torch.where(items[:, 2] > 0.43, 0.5, 1.0) + 0.5 * items[:, 1]
        rows.append((items, 1.8 * paid.mean()))
    module = SetAttention()
    train = DataLoader(rows[:1200], 32, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    unseen = DataLoader(rows[1200:], 400, collate_fn=collate)  # type: ignore[arg-type]

    def score() -> float:
        batch = next(iter(unseen))
        with torch.no_grad():
            error = F.mse_loss(module.eval()(batch), batch.bill)
        return (1 - error / batch.bill.var()).item()

    return Program(module, train, unseen, 12, score)


@dataclass
class Answer:
    """What borrowed models return."""

    logits: Tensor
    loss: Tensor | None = None


class Experts(nn.Module):
    """Each image goes to two of six experts; a second loss keeps all of them busy."""

    def __init__(self, width: int = 48, count: int = 6) -> None:
        super().__init__()
        self.gate = nn.Linear(64, count, bias=False)
        self.first = nn.Parameter(torch.randn(count, 64, width) * (2 / 64) ** 0.5)
        self.second = nn.Parameter(torch.randn(count, width, 10) / width**0.5)

    def forward(self, pixels: Tensor, labels: Tensor | None = None) -> Answer:
        share = self.gate(pixels).softmax(1)
        top, which = share.topk(2)
        chosen = torch.zeros_like(share).scatter(1, which, top / top.sum(1, keepdim=True))
        hidden = torch.einsum("bi,eih->beh", pixels, self.first).relu()
        logits = torch.einsum("beh,eho,be->bo", hidden, self.second, chosen)
        if labels is None:
            return Answer(logits)
        busy = (chosen > 0).float().mean(0)
        balance = len(busy) / 2 * (busy * share.mean(0)).sum()
        return Answer(logits, F.cross_entropy(logits, labels) + 0.01 * balance)


class Borrowed(LightningModule):
    """Wraps a model that computes its own loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels).logits
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("eval_loss", self.model(**batch).loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def experts() -> Program:
    data = samples.digits()
    parts = ((data.x, data.y), (data.x_test, data.y_test))
    train, unseen = (
        [{"pixels": a, "labels": b} for a, b in zip(*part, strict=True)] for part in parts
    )
    module = Borrowed(Experts())
    return Program(
        module, DataLoader(train, 32, shuffle=True),  # type: ignore[arg-type]
        DataLoader(unseen, 128), 10, partial(accuracy, module, data),  # type: ignore[arg-type]
    )  # fmt: skip


class Strokes(LightningModule):
    """Which symbols follow each other in a signal, by CTC: nobody says when."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(6, 32, 5, padding=2)
        self.rnn = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 6)

    def forward(self, signal: Tensor) -> Tensor:
        hidden = F.relu(self.front(signal.mT)).mT
        return self.head(self.rnn(hidden)[0]).log_softmax(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, symbols = batch
        log_p = self(signal).transpose(0, 1)
        steps = torch.full((len(signal),), len(log_p))
        counts = torch.full((len(signal),), symbols.shape[1])
        loss = F.ctc_loss(log_p, symbols, steps, counts)
        self.log("ctc", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def strokes() -> Program:
    generator = torch.Generator().manual_seed(52)
    symbols = torch.randint(1, 6, (1000, 4), generator=generator)
    length = torch.randint(3, 8, (1000, 4), generator=generator)
    time = torch.arange(28)
    where = (time[None, :, None] >= length.cumsum(1)[:, None]).sum(-1)
    shown = torch.cat([symbols, torch.zeros(1000, 1, dtype=torch.long)], 1).gather(1, where)
    shape = torch.randn(6, 6, generator=generator)
    signal = shape[shown] + 0.4 * torch.randn(1000, 28, 6, generator=generator)
    module = Strokes()
    train = DataLoader(TensorDataset(signal[:800], symbols[:800]), 25, shuffle=True)

    def score() -> float:
        """Whole sequences that are right."""
        best = outputs(module, signal[800:]).argmax(-1)
        texts = [row.unique_consecutive() for row in best]
        right = [torch.equal(t[t > 0], s) for t, s in zip(texts, symbols[800:], strict=True)]
        return sum(right) / len(right)

    return Program(module, train, None, 15, score, {"gradient_clip_val": 5.0})


CASES = (
    Case("communities-graph-convolution", Goal("accuracy", at_least=0.85), communities),
    Case("baskets-set-attention", Goal("R2", at_least=0.85), baskets),
    Case("digits-mixture-of-experts", Goal("accuracy", at_least=0.92), experts),
    Case("strokes-without-alignment", Goal("accuracy", at_least=0.6), strokes),
)
