"""Loads foretold, links foretold, and facts as translations."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import meters, papers, spread, windows
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping, StochasticWeightAveraging
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    """Four layers, and two heads: what of the past is explained, and what that says."""

    def __init__(self, past: int, ahead: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(4):
            layers += [nn.Linear(past if index == 0 else width, width), nn.ReLU(inplace=True)]
        self.stack = nn.Sequential(*layers)
        self.backcast, self.forecast = nn.Linear(width, past), nn.Linear(width, ahead)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.stack(x)
        return x - self.backcast(hidden), self.forecast(hidden)


class NBeats(LightningModule):
    """Oreshkin et al., generic blocks; absolute errors; validated every 50 batches."""

    def __init__(self, blocks: int = 4, width: int = 64) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(72, 24, width) for _ in range(blocks))

    def forward(self, x: Tensor) -> Tensor:
        total = x[:, -24:]
        for block in self.blocks:
            x, more = block(x)
            total = total + more
        return total

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("MAE/train", loss, on_step=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("MAE/valid", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class LoadLSTM(NBeats):
    """The day to come from the last state; stopped in time, its last weights averaged."""

    def __init__(self) -> None:
        super().__init__(blocks=0)
        self.lstm = nn.LSTM(1, 32, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 24))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.lstm(x[..., None])[0][:, -1])
        return found

    def configure_callbacks(self) -> Any:
        stop = EarlyStopping("MAE/valid", patience=4)
        return [stop, StochasticWeightAveraging(2e-3, swa_epoch_start=0.7, annealing_epochs=2)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def forecast(module: NBeats, epochs: int, batch_size: int, **trainer: Any) -> Program:
    series = meters()
    train = TensorDataset(*windows(series[:, :-240], 72, 24, 4))
    x, y = windows(series[:, -312:], 72, 24, 12)

    @torch.no_grad()
    def score() -> float:
        """Error by that of saying yesterday again."""
        found = module.eval()(x)
        return (F.l1_loss(found, y) / F.l1_loss(x[:, -24:], y)).item()

    loader = DataLoader(train, batch_size, shuffle=True)
    return Program(module, loader, DataLoader(TensorDataset(x, y), 300), epochs, score, trainer)


class LinkSage(LightningModule):
    """GraphSAGE with means; a step is the whole graph, and as many pairs that are no links."""

    def __init__(self, words: Tensor, known: Tensor) -> None:
        super().__init__()
        self.register_buffer("words", words)
        near = spread(known, len(words))
        self.register_buffer("near", near / near.sum(1, keepdim=True))
        self.own1, self.near1 = nn.Linear(40, 64), nn.Linear(40, 64, bias=False)
        self.own2, self.near2 = nn.Linear(64, 32), nn.Linear(64, 32, bias=False)

    def embed(self) -> Tensor:
        h = F.relu(self.own1(self.words) + self.near1(self.near @ self.words))
        h = F.dropout(h, 0.5, self.training)
        return self.own2(h) + self.near2(self.near @ h)

    def forward(self, pairs: Tensor) -> Tensor:
        z = self.embed()
        return (z[pairs[0]] * z[pairs[1]]).sum(1) / 32**0.5

    def training_step(self, pairs: Tensor, batch_idx: int) -> Tensor:
        unlinked = torch.randint(len(self.words), pairs.shape)  # type: ignore[arg-type]
        logits = self(torch.cat([pairs, unlinked], 1))
        truth = torch.arange(len(logits)) < pairs.shape[1]
        loss = F.binary_cross_entropy_with_logits(logits, truth.float())
        self.log("link_loss", loss, batch_size=1)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=5e-4)


def link_prediction() -> Program:
    graph = papers()
    links = graph.links[:, torch.randperm(graph.links.shape[1])]
    known, hidden = links[:, :-300], links[:, -300:]
    module = LinkSage(graph.words, known)
    unlinked = torch.randint(600, (2, 300))

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(torch.cat([hidden, unlinked], 1))
        return float(roc_auc_score([1] * 300 + [0] * 300, found.numpy()))

    return Program(module, DataLoader([known], batch_size=None), None, 200, score)


class TransE(LightningModule):
    """Bordes et al.: head and relation lead to the tail; entities stay on the unit ball."""

    def __init__(self, entities: int, relations: int, size: int = 48, margin: float = 4.0) -> None:
        super().__init__()
        self.margin = margin
        self.entity, self.relation = nn.Embedding(entities, size), nn.Embedding(relations, size)
        for table in (self.entity, self.relation):
            nn.init.uniform_(table.weight, -6 / size**0.5, 6 / size**0.5)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            self.entity.weight.div_(self.entity.weight.norm(dim=1, keepdim=True).clamp(min=1))

    def distance(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        return (self.entity(head) + self.relation(relation) - self.entity(tail)).norm(p=1, dim=-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        head, relation, tail = batch
        other = torch.randint(self.entity.num_embeddings, head.shape)
        first = torch.rand(len(head)) < 0.5
        good = self.distance(head, relation, tail)
        bad = self.distance(
            torch.where(first, other, head), relation, torch.where(first, tail, other)
        )
        loss = F.relu(self.margin + good - bad).mean()
        self.log("margin_ranking", loss, prog_bar=True)
        return {"loss": loss, "good": good.detach().mean()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def translations() -> Program:
    """Places in a city of 15 x 15 streets, and who lies how far to the north or east of whom."""
    place = torch.cartesian_prod(torch.arange(15), torch.arange(15))
    steps = torch.tensor([[0, 1], [1, 0], [0, 2], [2, 0], [1, 1], [3, 0], [0, 3], [2, -1]])
    there = place[:, None] + steps
    inside = ((there >= 0) & (there < 15)).all(-1)
    head, relation = inside.nonzero().T
    tail = there[inside] @ torch.tensor([15, 1])
    order = torch.randperm(len(head))
    train, test = order[:-250], order[-250:]
    module = TransE(225, len(steps))

    @torch.no_grad()
    def score() -> float:
        """Right ones among the first ten."""
        every = torch.arange(225).expand(250, -1)
        found = module.distance(head[test][:, None], relation[test][:, None], every)
        ranks = (found < found.gather(1, tail[test][:, None])).sum(1)
        return (ranks < 10).float().mean().item()

    facts = TensorDataset(head[train], relation[train], tail[train])
    return Program(module, DataLoader(facts, 64, shuffle=True), None, 50, score)


CASES = (
    Case(
        "meters-blocks-of-backcasts", Goal("relative MAE", at_most=0.87),
        lambda: forecast(NBeats(), 6, 64, val_check_interval=25),
    ),
    Case(
        "meters-lstm-stopped-and-averaged", Goal("relative MAE", at_most=0.87),
        lambda: forecast(LoadLSTM(), 12, 128, gradient_clip_val=1.0),
    ),
    Case("papers-links-foretold", Goal("AUROC", at_least=0.72), link_prediction),
    Case("streets-facts-as-translations", Goal("hits at 10", at_least=0.6), translations),
)  # fmt: skip
