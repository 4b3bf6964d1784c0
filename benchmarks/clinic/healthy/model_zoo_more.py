"""More pull requests to the zoo that are in order, if unusual: tables, words, series, graphs."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import model_zoo
from data_sets.model_zoo import Patients
from data_sets.samples import cancer, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class WideOnFew(LightningModule):
    """A hundred rows, 256 units a layer, six of ten dropped: it helps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(30, 256), nn.ReLU(), nn.Dropout(0.6),
            nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.6), nn.Linear(256, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("val_bce", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.1)


def wide_on_few() -> Program:
    data = standardized(cancer().first(120))
    module = WideOnFew()
    return Program(module, *loaders(data, 16), 25, partial(binary_accuracy, module, data))


class Prices(LightningModule):
    """Prices in full: the head begins at the mean price and speaks in tens of thousands."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 64), nn.Mish(), nn.Linear(64, 64), nn.Mish())
        self.head = nn.Linear(64, 1)
        self.mean = mean

    def forward(self, x: Tensor) -> Tensor:
        price: Tensor = self.mean + 1e5 * self.head(self.body(x))
        return price[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch["columns"]), batch["price"], delta=50_000.0)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("euros_off", F.l1_loss(self(batch["columns"]), batch["price"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def prices() -> Program:
    data = model_zoo.houses()
    module = Prices(data.y.mean().item())
    train, test = (
        [{"columns": row, "price": price} for row, price in zip(x, y, strict=True)]
        for x, y in (data[:2], data[2:])
    )
    both = DataLoader(train, 32, shuffle=True), DataLoader(test, 32)
    return Program(module, *both, 14, partial(r2, module, data))


class SparseWords(LightningModule):
    """A bag of embeddings with sparse gradients, and a rate of 1 that suits it."""

    def __init__(self, words: int = 301, topics: int = 8) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(words, 32, mode="mean", padding_idx=0, sparse=True)
        self.topic = nn.Linear(32, topics)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.topic(self.bag(tokens))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("bag_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("bag_val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def sparse_words() -> Program:
    data = model_zoo.documents()
    module = SparseWords()
    return Program(module, *loaders(data, 16), 12, partial(accuracy, module, data))


class Experts(LightningModule):
    """Six small experts, two of them asked for each row; a term keeps all of them busy."""

    def __init__(self, experts: int = 6) -> None:
        super().__init__()
        self.gate = nn.Linear(6, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(experts)
        )

    def asked(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(x)
        top, which = logits.topk(2)
        share = torch.zeros_like(logits).scatter(1, which, top.softmax(-1))
        told = torch.cat([expert(x) for expert in self.experts], 1)
        return (share * told).sum(1), (share > 0).float().mean(0) @ logits.softmax(-1).mean(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.asked(x)[0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        told, load = self.asked(batch[0])
        mse = F.mse_loss(told, batch[1])
        self.log_dict({"moe/mse": mse, "moe/load": load})
        return mse + 0.05 * load

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("moe/val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def experts() -> Program:
    data = model_zoo.gauges()
    module = Experts()
    return Program(module, *loaders(data, 50), 20, partial(r2, module, data))


class Grades(LightningModule):
    """CORAL: one score, and four ordered thresholds which it is above or below."""

    def __init__(self, levels: int = 5) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(9, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1, bias=False)
        )
        self.cuts = nn.Parameter(torch.linspace(1, -1, levels - 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.score(x) + self.cuts
        return logits

    def coral(self, batch: Batch) -> Tensor:
        x, grade = batch
        above = (grade[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(x), above, reduction="none").sum(1).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.coral(batch)
        self.log("coral", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("coral_dev", self.coral(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def grades() -> Program:
    data = model_zoo.grades()
    module = Grades()

    def score() -> float:
        found = (outputs(module, data.x_test) > 0).sum(1)
        return ((found - data.y_test).abs() <= 1).float().mean().item()

    return Program(module, *loaders(data, 32), 15, score)


class Quantiles(LightningModule):
    """The tenth, the half and nine tenths of where the machine will be, by pinball losses."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.lstm = nn.LSTM(3, 24, 2, batch_first=True, dropout=0.1)
        self.heads = nn.ModuleList(nn.Linear(24, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        return torch.cat([head(states[:, -1]) for head in self.heads], 1)

    def pinball(self, batch: Batch) -> Tensor:
        miss = batch[1][:, None] - self(batch[0])
        return torch.maximum(self.levels * miss, (self.levels - 1) * miss).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("pinball_val", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.3)
        return [optimizer], [schedule]


def quantiles() -> Program:
    data = model_zoo.sensors()
    module = Quantiles()

    def score() -> float:
        """Share of the pinball loss of constant quantiles that is saved."""
        levels = torch.tensor([0.1, 0.5, 0.9])

        def pinball(found: Tensor) -> Tensor:
            miss = data.y_test[:, None] - found
            return torch.maximum(levels * miss, (levels - 1) * miss).mean()

        return (1 - pinball(outputs(module, data.x_test)) / pinball(data.y.quantile(levels))).item()

    return Program(module, *loaders(data, 32), 16, score)


class CausalLetters(LightningModule):
    """A causal convolutional language model with gates, tied to its embeddings."""

    def __init__(self, letters: int = 24, width: int = 48) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, width)
        nn.init.normal_(self.embed.weight, std=width**-0.5)
        self.convs = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=d) for d in (1, 2, 4))
        self.bias = nn.Parameter(torch.zeros(letters))

    def forward(self, text: Tensor) -> Tensor:
        x = self.embed(text).mT * 4
        for conv in self.convs:
            x = x + F.glu(conv(F.pad(x, (conv.dilation[0], 0))), 1)
        return F.linear(x.mT, self.embed.weight, self.bias)

    def bits(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).mT, text[:, 1:])

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = self.bits(batch[0])
        self.log("nll", loss)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("nll_val", self.bits(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=4e-3, betas=(0.9, 0.95))


def causal_letters() -> Program:
    train, test = model_zoo.corpus()
    module = CausalLetters()
    both = [DataLoader(TensorDataset(x), 32, shuffle=x is train) for x in (train, test)]

    @torch.no_grad()
    def score() -> float:
        return module.eval().bits(test).item()

    return Program(module, *both, 12, score)


class WholeCohort(LightningModule):
    """Cox's partial likelihood of all the patients at once: a step is an epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = nn.Sequential(
            nn.Linear(12, 32), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(32, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.risk(x)
        return risk.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, months, seen = batch
        order = months.argsort(descending=True)
        risk = self(x)[order]
        loss = -((risk - risk.logcumsumexp(0)) * seen[order]).sum() / seen.sum()
        self.log("partial_likelihood", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02, weight_decay=1e-3)


def concordance(module: LightningModule, patients: Patients) -> float:
    risk = outputs(module, patients.x)
    earlier = (patients.months[:, None] < patients.months) & (patients.seen[:, None] > 0)
    return (risk[:, None] > risk)[earlier].float().mean().item()


def whole_cohort() -> Program:
    data = model_zoo.patients()
    train, test = data.part(slice(1200)), data.part(slice(1200, None))
    module = WholeCohort()
    loader = DataLoader(TensorDataset(*train), 1200)
    return Program(module, loader, None, 200, partial(concordance, module, test))


class LikedBefore(LightningModule):
    """BPR: what somebody liked before a thing that is drawn at random, with Adagrad."""

    def __init__(self, users: int = 150, items: int = 100) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, 12), nn.Embedding(items, 12)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)
        self.items = items

    def forward(self, who_what: Tensor) -> Tensor:
        who, what = who_what.unbind(-1)
        return (self.user(who) * self.item(what)).sum(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        (liked,) = batch
        other = torch.randint(self.items, (len(liked),))
        gap = self(liked) - self(torch.stack([liked[:, 0], other], 1))
        loss = -F.logsigmoid(gap).mean()
        self.log("bpr", loss)
        self.log("bpr_right", (gap > 0).float().mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def liked_before() -> Program:
    data = model_zoo.ratings()
    module = LikedBefore()
    train = DataLoader(TensorDataset(data.x[data.y > 0.4]), 64, shuffle=True)

    def score() -> float:
        return float(roc_auc_score(data.y_test > 0.4, outputs(module, data.x_test)))

    return Program(module, train, None, 25, score)


class SharpnessAware(LightningModule):
    """Sharpness-aware minimisation by hand: a step uphill, the gradient there, and back."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.enter = nn.Linear(5, width)
        self.mix = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(2))
        self.read = nn.Sequential(nn.Linear(width, width), nn.ELU(), nn.Linear(width, 1))

    def forward(self, graph: Tensor) -> Tensor:
        x, bonds = graph[..., :5], graph[..., 5:]
        bonds = bonds / bonds.sum(-1, keepdim=True).clamp(min=1)
        h = self.enter(x)
        for mix in self.mix:
            h = h + F.elu(mix(torch.cat([h, bonds @ h], -1)))
        return self.read(h).mean(1).squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimizer = self.optimizers()
        graph, y = batch
        optimizer.zero_grad()
        loss = F.mse_loss(self(graph), y)
        self.manual_backward(loss)
        weights = list(self.parameters())
        with torch.no_grad():
            gradients = [p.grad.clone() for p in weights]
            norm = torch.stack([g.norm() for g in gradients]).norm() + 1e-12
            uphill = [0.05 * g / norm for g in gradients]
            torch._foreach_add_(weights, uphill)
        optimizer.zero_grad()
        self.manual_backward(F.mse_loss(self(graph), y))
        with torch.no_grad():
            torch._foreach_sub_(weights, uphill)
        optimizer.step()
        self.log("sam_mse", loss)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("sam_val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def sharpness_aware() -> Program:
    data = model_zoo.molecules()
    module = SharpnessAware()
    return Program(module, *loaders(data, 25), 14, partial(r2, module, data))


class Conditional(LightningModule):
    """Tags by way of a conditional random field over what a GRU says, by its own recursion."""

    def __init__(self, words: int = 60, tags: int = 6) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 24)
        self.gru = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.emit = nn.Linear(48, tags)
        self.follow = nn.Parameter(torch.zeros(tags, tags))

    def forward(self, words: Tensor) -> Tensor:
        emitted: Tensor = self.emit(self.gru(self.embed(words))[0])
        return emitted

    def nll(self, batch: Batch) -> Tensor:
        words, tags = batch
        emitted = self(words)
        path = emitted.gather(2, tags[..., None]).sum((1, 2))
        path = path + self.follow[tags[:, :-1], tags[:, 1:]].sum(1)
        total = emitted[:, 0]
        for i in range(1, words.shape[1]):
            total = (total[:, :, None] + self.follow).logsumexp(1) + emitted[:, i]
        return (total.logsumexp(1) - path).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("crf", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("crf_val", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def conditional() -> Program:
    data = model_zoo.sentences()
    module = Conditional()

    def score() -> float:
        """By Viterbi."""
        emitted = outputs(module, data.x_test)
        follow, best, back = module.follow.detach(), emitted[:, 0], []
        for i in range(1, emitted.shape[1]):
            best, which = (best[:, :, None] + follow).max(1)
            best = best + emitted[:, i]
            back.append(which)
        tags = [best.argmax(1)]
        for which in reversed(back):
            tags.append(which.gather(1, tags[-1][:, None])[:, 0])
        return (torch.stack(tags[::-1], 1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 32), 8, score)


CASES = (
    Case("model-zoo-wide-on-few-rows", Goal("accuracy", at_least=0.93), wide_on_few),
    Case("model-zoo-prices-in-full", Goal("R2", at_least=0.85), prices),
    Case("model-zoo-sparse-bag-of-words", Goal("accuracy", at_least=0.9), sparse_words),
    Case("model-zoo-two-of-six-experts", Goal("R2", at_least=0.8), experts),
    Case("model-zoo-grades-in-order", Goal("within a grade", at_least=0.9), grades),
    Case("model-zoo-pinball-forecasts", Goal("loss saved", at_least=0.7), quantiles),
    Case("model-zoo-causal-letters", Goal("nats", at_most=1.5), causal_letters),
    Case("model-zoo-whole-cohort", Goal("concordance", at_least=0.75), whole_cohort),
    Case("model-zoo-liked-before", Goal("AUROC", at_least=0.74), liked_before),
    Case("model-zoo-sharpness-aware-graphs", Goal("R2", at_least=0.8), sharpness_aware),
    Case("model-zoo-tags-by-a-field", Goal("tags", at_least=0.95), conditional),
)
