"""What shops and search engines train: recommenders, clicks, towers and rankings."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records, services
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def next_items() -> tuple[Tensor, Tensor]:
    seen = services.sessions()
    return seen[:1400], seen[1400:]


def recall_of_last(module: LightningModule, seen: Tensor, first: int = 3) -> float:
    """How often a session's last item is among the first that were expected there."""
    last = (seen > 0).sum(1) - 1
    scores = outputs(module, seen)[torch.arange(len(seen)), last - 1]
    item = seen[torch.arange(len(seen)), last]
    return (scores.topk(first).indices == item[:, None]).any(1).float().mean().item()


class Session(LightningModule):
    """GRU4Rec: all items are scored, gradients are clipped, the rate falls by epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.item = nn.Embedding(services.ITEMS, 32, padding_idx=0)
        self.drop = nn.Dropout(0.1)
        self.gru = nn.GRU(32, 64, batch_first=True)
        self.head = nn.Linear(64, services.ITEMS)

    def forward(self, seen: Tensor) -> Tensor:
        states, _ = self.gru(self.drop(self.item(seen)))
        scores: Tensor = self.head(states)
        return scores

    def step(self, batch: list[Tensor]) -> Tensor:
        (seen,) = batch
        scores = self(seen[:, :-1])
        return F.cross_entropy(scores.flatten(0, 1), seen[:, 1:].flatten(), ignore_index=0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.step(batch)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", self.step(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)]


def session() -> Program:
    train, test = next_items()
    module = Session()
    both = (DataLoader(TensorDataset(part), 32, shuffle=part is train) for part in (train, test))
    return Program(
        module, *both, 8, lambda: recall_of_last(module, test), {"gradient_clip_val": 0.5}
    )


class Attentive(LightningModule):
    """SASRec: an item that was not looked at for each that was; a few epochs, half a warm-up."""

    def __init__(self, warm_up: int = 150) -> None:
        super().__init__()
        self.warm_up = warm_up
        self.item = nn.Embedding(services.ITEMS, 32, padding_idx=0)
        self.place = nn.Embedding(16, 32)
        for table in (self.item, self.place):
            nn.init.normal_(table.weight, std=0.1)
        layer = nn.TransformerEncoderLayer(32, 2, 64, 0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32), enable_nested_tensor=False)

    def states(self, seen: Tensor) -> Tensor:
        length = seen.shape[1]
        x = math.sqrt(32) * self.item(seen) + self.place(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        found: Tensor = self.blocks(x, mask, is_causal=True)
        return found

    def forward(self, seen: Tensor) -> Tensor:
        return self.states(seen) @ self.item.weight.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (seen,) = batch
        states, after = self.states(seen[:, :-1]), seen[:, 1:]
        others = torch.randint(1, services.ITEMS, (4, *after.shape))
        here = (states * self.item(after)).sum(-1)
        there = (states * self.item(others)).sum(-1).logsumexp(0)
        loss = F.softplus(there - here)[after > 0].mean()
        self.log("sampled_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=0.01)

        def rate(step: int) -> float:
            return min((step + 1) / self.warm_up, (self.warm_up / (step + 1)) ** 0.5)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def attentive() -> Program:
    train, test = next_items()
    module = Attentive()
    loader = DataLoader(TensorDataset(train), 32, shuffle=True)
    return Program(module, loader, None, 8, lambda: recall_of_last(module, test))


class Machine(LightningModule):
    """DeepFM: sparse tables with an optimizer of their own, one look at each showing."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.register_buffer("offset", torch.tensor([0, 300, 380]))
        self.weight = nn.Embedding(400, 1, sparse=True)
        self.factor = nn.Embedding(400, 8, sparse=True)
        nn.init.zeros_(self.weight.weight)
        nn.init.normal_(self.factor.weight, std=0.05)
        self.deep, self.bias = mlp([24, 32, 16, 1]), nn.Parameter(torch.tensor(-2.2))

    def forward(self, ids: Tensor) -> Tensor:
        ids = ids + self.offset
        factors = self.factor(ids)
        pairs = 0.5 * (factors.sum(1).square() - factors.square().sum(1)).sum(1)
        deep: Tensor = self.deep(factors.flatten(1))[:, 0]
        return self.bias + self.weight(ids).sum((1, 2)) + pairs + deep

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        both: Any = self.optimizers()
        for optimizer in both:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in both:
            optimizer.step()
        self.log("logloss", loss)

    def configure_optimizers(self) -> Any:
        tables = [self.weight.weight, self.factor.weight]
        sparse = torch.optim.SparseAdam(tables, lr=5e-3)
        return sparse, torch.optim.Adam([*self.deep.parameters(), self.bias], lr=2e-3)


def machine() -> Program:
    ids, click, _ = records.clicks()
    data = Samples(ids[:13_000], click[:13_000], ids[13_000:], click[13_000:])
    module = Machine()

    def score() -> float:
        return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))

    return Program(module, loaders(data, 32)[0], None, 2, score)


class TwoGates(LightningModule):
    """Experts shared by two gates: who clicks, and who buys of those that click."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, 6) for n in records.SIZES)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.1)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(18, 16), nn.LeakyReLU()) for _ in range(3)
        )
        self.gates = nn.ModuleList(nn.Linear(18, 3) for _ in range(2))
        self.towers = nn.ModuleList(mlp([16, 16, 1], nn.LeakyReLU) for _ in range(2))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Chances of a click, and of a click and a purchase."""
        x = torch.cat([table(ids[:, k]) for k, table in enumerate(self.tables)], 1)
        found = torch.stack([expert(x) for expert in self.experts], 1)
        chances = []
        for gate, tower in zip(self.gates, self.towers, strict=True):
            mixed = (gate(x).softmax(1)[..., None] * found).sum(1)
            chances.append(tower(mixed)[:, 0].sigmoid())
        click, buy = chances
        return click, click * buy

    def loss(self, batch: list[Tensor]) -> Tensor:
        ids, click, bought = batch
        p_click, p_bought = self(ids)
        return F.binary_cross_entropy(p_click, click) + F.binary_cross_entropy(p_bought, bought)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": self.loss(batch)}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def two_gates() -> Program:
    found = records.clicks()
    train = TensorDataset(*(part[:13_000] for part in found))
    test = TensorDataset(*(part[13_000:] for part in found))
    module = TwoGates()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return float(roc_auc_score(test.tensors[2], module(test.tensors[0])[1]))

    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(test, 500), 4, score)


CASES = (
    Case("sessions-recurrent-clipped", Goal("recall at 3", at_least=0.7), session),
    Case("sessions-attention-half-warm", Goal("recall at 3", at_least=0.7), attentive),
    Case("clicks-sparse-machine-in-one-look", Goal("area under ROC", at_least=0.7), machine),
    Case("purchases-experts-of-two-gates", Goal("area under ROC", at_least=0.7), two_gates),
)
