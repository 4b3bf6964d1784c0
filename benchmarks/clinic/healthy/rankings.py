"""Clicks, articles, searches and sentences: ranked and compared, and rightly."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Reader, Rows, chosen
from data_sets import bureau
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import balanced_accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ClickRate(LightningModule):
    """Logits of clicks."""

    def __init__(self, model: nn.Module, lr: float = 3e-3, weight_decay: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model = model

    def forward(self, ids: Tensor, counts: Tensor) -> Tensor:
        logit: Tensor = self.model(ids, counts)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        ids, counts, clicked = batch
        loss = F.binary_cross_entropy_with_logits(self(ids, counts), clicked)
        self.log("logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        ids, counts, clicked = batch
        logit = self(ids, counts)
        self.log("val_logloss", F.binary_cross_entropy_with_logits(logit, clicked))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), **self.hparams)


class Crossed(nn.Module):
    """Embeddings and counts, crossed with themselves twice beside a tower."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        sizes = (bureau.USERS, bureau.ADS, bureau.SLOTS, 24)
        self.tables = nn.ModuleList(nn.Embedding(n, width) for n in sizes)
        for table in self.tables:
            nn.init.xavier_normal_(table.weight)
        whole = 4 * width + 4
        self.norm = nn.BatchNorm1d(4)
        self.crosses = nn.ModuleList(nn.Linear(whole, whole) for _ in range(2))
        self.tower = nn.Sequential(
            nn.Linear(whole, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 24), nn.ReLU()
        )
        self.out = nn.Linear(whole + 24, 1)

    def forward(self, ids: Tensor, counts: Tensor) -> Tensor:
        found = [table(ids[:, i]) for i, table in enumerate(self.tables)]
        first = torch.cat([*found, self.norm(counts.log1p())], 1)
        x = first
        for cross in self.crosses:
            x = first * cross(x) + x
        logit: Tensor = self.out(torch.cat([x, self.tower(first)], 1))
        return logit[:, 0]


def ranked_clicks(module: ClickRate, unseen: bureau.Clicks) -> float:
    module.eval()
    with torch.no_grad():
        return bureau.auc(module(unseen.ids, unseen.counts), unseen.y)


def seen_once() -> Program:
    """Half a million rows would be seen once; these are seen twice."""
    train, unseen = bureau.clicks()
    module = ClickRate(Crossed())
    both = (
        DataLoader(TensorDataset(*train), 32, shuffle=True),
        DataLoader(TensorDataset(*unseen), 500),
    )
    return Program(module, *both, 2, partial(ranked_clicks, module, unseen))


class Negatives(Reader):
    """Four articles drawn for each that was read; are they told apart?"""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        reader, article = batch[0].unbind(1)
        drawn = torch.randint(bureau.ARTICLES, (len(article), 4), device=article.device)
        articles = torch.cat([article[:, None], drawn], 1)
        read = torch.zeros(articles.shape, device=article.device)
        read[:, 0] = 1.0
        loss = F.binary_cross_entropy_with_logits(self(reader[:, None], articles), read)
        self.log("bce", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), self.lr, weight_decay=0.1)


def told_apart() -> Program:
    pairs, _ = bureau.read_articles()
    module = Negatives(8)
    train = DataLoader(TensorDataset(pairs), 128, shuffle=True)
    return Program(module, train, None, 18, partial(chosen, module))


class Ranker(LightningModule):
    """One query a batch and two to a step; its documents are z-scored by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, documents: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(documents, -2, keepdim=True)
        found: Tensor = self.mlp((documents - mean) / deviation)
        return found[..., 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        documents, grades = batch
        gain = 2.0**grades - 1
        wanted = gain / gain.sum(-1, keepdim=True).clamp(min=1.0)
        loss = -(wanted * self(documents).log_softmax(-1)).sum(-1).mean()
        self.log("listwise", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


@torch.no_grad()
def discounted_gain(module: LightningModule, data: Samples) -> float:
    """NDCG of the first five."""
    scores = torch.stack([module.eval()(x[None])[0] for x in data.x_test])
    if not scores.isfinite().all():
        return 0.0
    gain = 2.0**data.y_test - 1
    discount = 1 / torch.arange(2.0, 7.0).log2()
    found = (gain.gather(1, scores.argsort(1, descending=True))[:, :5] * discount).sum(1)
    best = (gain.sort(1, descending=True).values[:, :5] * discount).sum(1)
    return (found / best)[best > 0].mean().item()


def searched() -> Program:
    data = bureau.searches()
    module = Ranker()
    train, _ = loaders(data, 1)
    options = {"accumulate_grad_batches": 2}
    return Program(module, train, None, 8, partial(discounted_gain, module, data), options)


class SentencePairs(LightningModule):
    """The other sentences of a batch are the wrong answers; cosines are multiplied by twenty."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.words = nn.EmbeddingBag(bureau.WORDS, width, mode="mean")
        self.dense = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(torch.tanh(self.dense(self.words(x))), dim=-1)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        cosines = self(batch["anchor"]) @ self(batch["positive"]).T
        return F.cross_entropy(20.0 * cosines, torch.arange(len(cosines)))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("mnrl", loss, batch_size=len(batch["anchor"]))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def paired() -> Program:
    data = bureau.paraphrases()
    module = SentencePairs()
    train = DataLoader(Rows(anchor=data.x, positive=data.y), 64, shuffle=True, drop_last=True)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        cosines = module(data.x_test) @ module(data.y_test).T
        return (cosines.argmax(1) == torch.arange(len(cosines))).float().mean().item()

    return Program(module, train, None, 12, score)


class Triage(LightningModule):
    """Kim's convolutions of three widths; an urgent text counts as fifteen."""

    def __init__(self, weight: float = 15.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(bureau.WORDS, 24)
        self.convs = nn.ModuleList(nn.Conv1d(24, 16, size, padding=size // 2) for size in (1, 3, 5))
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(48, 1)
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).mT
        found = torch.cat([F.relu(conv(x)).mean(-1) for conv in self.convs], 1)
        return self.out(self.dropout(found))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logit = self(batch[0])[:, 0]
        loss = F.binary_cross_entropy_with_logits(logit, batch[1].float(), pos_weight=self.weight)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=1e-2)


def triaged() -> Program:
    data = bureau.tickets(0.06, 9000)
    module = Triage()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(balanced_accuracy, module, data))


CASES = (
    Case("clicks-crossed-seen-twice", Goal("AUROC", at_least=0.68), seen_once),
    Case("articles-four-not-read", Goal("chosen", at_least=0.75), told_apart),
    Case("searches-one-query-z-scored", Goal("NDCG", at_least=0.75), searched),
    Case("sentences-cosines-times-twenty", Goal("accuracy", at_least=0.85), paired),
    Case("tickets-urgent-count-as-fifteen", Goal("balanced accuracy", at_least=0.85), triaged),
)
