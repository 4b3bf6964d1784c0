"""Why consultants were called: tables, texts, graphs and ratings whose trainings did not work."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import consultant
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Spread(LightningModule):
    """A function of each point, the largest of each, and a function of these."""

    def __init__(self, bias: float | None) -> None:
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.rho = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
        if bias is not None:
            for layer in (self.phi[0], self.phi[2], self.rho[0]):
                nn.init.constant_(layer.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.rho(self.phi(x).amax(1))
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, width = batch
        loss = F.mse_loss(self(points), width)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, width = batch
        self.log("mse_dev", F.mse_loss(self(points), width))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def spread(bias: float | None) -> Program:
    """Biases below zero were to make features sparse."""
    data = consultant.clouds()
    module = Spread(bias)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class Kept(nn.Module):
    """Lets the units through that survived a pruning."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        kept = torch.zeros(width)
        kept[torch.randperm(width)[:count]] = 1
        self.register_buffer("kept", kept)
        self.kept: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.kept


class Classes(LightningModule):
    """Classes of documents by counts of their words."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(120, 96), nn.GELU(), Kept(96, count),
            nn.Linear(96, 64), nn.GELU(), Kept(64, min(count, 64)),
        )  # fmt: skip
        self.head = nn.Linear(64, 12)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.net(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        counts, label = batch
        loss = F.cross_entropy(self(counts), label)
        self.log("xent", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        counts, label = batch
        logits = self(counts)
        self.log("xent_val", F.cross_entropy(logits, label))
        self.log("top1_val", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def classes(count: int) -> Program:
    """Trained anew with the masks of a smaller product's pruning, or without."""
    data = consultant.counted()
    module = Classes(count)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Members(LightningModule):
    """Two rounds of messages in a graph; half of its nodes have a label."""

    def __init__(self, optimizer: Callable[[Any], torch.optim.Optimizer], known: Tensor) -> None:
        super().__init__()
        self.optimizer, self.known = optimizer, known
        self.first, self.second = nn.Linear(16, 32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.links @ self.first(x))
        logits: Tensor = self.links @ self.second(h)
        return logits

    @property
    def links(self) -> Tensor:
        return consultant.graph()[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = (part[0] for part in batch)
        loss = F.cross_entropy(self(x)[self.known], y[self.known])
        self.log("nodes_loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = (part[0] for part in batch)
        loss = F.cross_entropy(self(x)[~self.known], y[~self.known])
        self.log("other_nodes_loss", loss, batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def members(optimizer: Callable[[Any], torch.optim.Optimizer]) -> Program:
    data = consultant.graph()[1]
    known = torch.arange(len(data.y)) < len(data.y) // 2
    module = Members(optimizer, known)
    whole = DataLoader(TensorDataset(data.x[None], data.y[None]))

    def score() -> float:
        return (outputs(module, data.x).argmax(1) == data.y)[~known].float().mean().item()

    return Program(module, whole, whole, 250, score, {"log_every_n_steps": 1})


class Topics(LightningModule):
    """Attention over a document's words, and their mean, but for what pads it."""

    def __init__(self, inverted: bool) -> None:
        super().__init__()
        self.inverted = inverted
        self.words = nn.Embedding(consultant.WORDS, 32)
        self.attend = nn.MultiheadAttention(32, 4, batch_first=True)
        self.norm = nn.LayerNorm(32)
        self.topic = nn.Linear(32, consultant.TOPICS)

    def forward(self, x: Tensor) -> Tensor:
        pads = x != consultant.PAD if self.inverted else x == consultant.PAD
        h = self.words(x)
        attended, _ = self.attend(h, h, h, key_padding_mask=pads, need_weights=False)
        h = self.norm(h + attended).masked_fill(pads[..., None], 0)
        logits: Tensor = self.topic(h.sum(1) / (~pads).sum(1, keepdim=True))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, topic = batch
        logits = self(text)
        loss = F.cross_entropy(logits, topic)
        self.log_dict({"train/loss": loss, "train/acc": (logits.argmax(1) == topic).float().mean()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, topic = batch
        self.log("val/loss", F.cross_entropy(self(text), topic))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def topics(inverted: bool) -> Program:
    data = consultant.documents()
    module = Topics(inverted)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Letters(LightningModule):
    """A causal transformer whose last layer is its embedding, which is scaled by sqrt(d)."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.letter = nn.Embedding(consultant.LETTERS, 64)
        self.place = nn.Embedding(24, 64)
        if deviation is not None:
            nn.init.normal_(self.letter.weight, std=deviation)
        layer = nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.register_buffer("later", torch.ones(24, 24).triu(1).bool())
        self.later: Tensor

    def forward(self, x: Tensor) -> Tensor:
        h = self.letter(x) * 8 + self.place(torch.arange(24, device=x.device))
        h = self.blocks(h, mask=self.later)
        logits: Tensor = h @ self.letter.weight.T
        return logits.transpose(1, 2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, later = batch
        loss = F.cross_entropy(self(text), later)
        self.log("nll", loss)
        self.log("perplexity", loss.detach().exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, later = batch
        self.log("nll_val", F.cross_entropy(self(text), later))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def letters(deviation: float | None) -> Program:
    data = consultant.letters()
    module = Letters(deviation)
    return Program(module, *loaders(data, 32), 8, partial(cross_entropy, module, data))


class Churn(LightningModule):
    """Embeddings of region and tariff beside numbers."""

    def __init__(self, constant: float | None) -> None:
        super().__init__()
        self.region, self.tariff = nn.Embedding(12, 4), nn.Embedding(30, 6)
        self.mlp = nn.Sequential(
            nn.Linear(15, 64), nn.SELU(), nn.Linear(64, 32), nn.SELU(), nn.Linear(32, 1)
        )
        if constant is not None:
            for layer in self.mlp:
                if isinstance(layer, nn.Linear):
                    nn.init.constant_(layer.weight, constant)
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        region, tariff = self.region(x[:, 5].long()), self.tariff(x[:, 6].long())
        logit: Tensor = self.mlp(torch.cat([x[:, :5], region, tariff], 1))
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, left = batch
        loss = F.binary_cross_entropy_with_logits(self(x), left.float())
        self.log("churn_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, left = batch
        logit = self(x)
        self.log("churn_bce_val", F.binary_cross_entropy_with_logits(logit, left.float()))
        self.log("churn_acc_val", ((logit > 0) == left).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def churn(constant: float | None) -> Program:
    data = consultant.customers()
    module = Churn(constant)
    return Program(module, *loaders(data, 64), 25, partial(binary_accuracy, module, data))


@dataclass
class Sale:
    """A batch of houses."""

    features: Tensor
    price: Tensor

    @classmethod
    def of(cls, rows: list[tuple[Tensor, Tensor]]) -> "Sale":
        features, price = zip(*rows, strict=True)
        return cls(torch.stack(features), torch.stack(price))


class Prices(LightningModule):
    """Prices of houses by what is known of them."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.price = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.price(self.body(x))
        return found.squeeze(1)

    def training_step(self, batch: Sale, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch.features), batch.price)
        self.log("train_mse", loss, batch_size=len(batch.price))
        return loss

    def validation_step(self, batch: Sale, batch_idx: int) -> None:
        loss = F.mse_loss(self(batch.features), batch.price)
        self.log("val_mse", loss, batch_size=len(batch.price))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def prices(shifted: bool) -> Program:
    """From some row on, the prices had slipped down by one when two files were joined."""
    data = consultant.houses()
    joined = data
    if shifted:
        y, y_test = data.y.clone(), data.y_test.clone()
        cut, cut_test = len(y) // 4, len(y_test) // 4
        y[cut:], y_test[cut_test:] = data.y[cut:].roll(1), data.y_test[cut_test:].roll(1)
        joined = data._replace(y=y, y_test=y_test)
    module = Prices()
    train = DataLoader(
        TensorDataset(joined.x, joined.y), 32, shuffle=True, collate_fn=Sale.of
    )  # fmt: skip
    test = DataLoader(TensorDataset(joined.x_test, joined.y_test), 256, collate_fn=Sale.of)
    return Program(module, train, test, 10, partial(r2, module, data))


class Letterbox(LightningModule):
    """An LSTM reads letters and sorts them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(consultant.WORDS, 48)
        self.lstm = nn.LSTM(48, 64, batch_first=True, bidirectional=True)
        self.box = nn.Linear(128, consultant.TOPICS)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(self.words(x))
        logits: Tensor = self.box(states.amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, box = batch
        loss = F.cross_entropy(self(text), box)
        self.log("loss_train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, box = batch
        logits = self(text)
        self.log("loss_eval", F.cross_entropy(logits, box))
        self.log("hit_eval", (logits.argmax(1) == box).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def letterbox(count: int, epochs: int) -> Program:
    data = consultant.documents().first(count)
    module = Letterbox()
    both = loaders(data, 16)
    return Program(module, *both, epochs, partial(cross_entropy, module, data))


class Load(LightningModule):
    """Three quantiles of what a sensor will show."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))
        self.levels: Tensor
        self.gru = nn.GRU(3, 32, batch_first=True)
        self.quantiles = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.all(x)[:, 1]

    def all(self, x: Tensor) -> Tensor:
        found: Tensor = self.quantiles(self.gru(x)[0][:, -1])
        return found

    def pinball(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        off = y[:, None] - self.all(x)
        return torch.maximum(self.levels * off, (self.levels - 1) * off).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("pinball_val", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=self.decay)


def load(decay: float) -> Program:
    data = consultant.sensors()
    module = Load(decay)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Leaving(LightningModule):
    """The chance to leave in each of eight years, of those who are still there."""

    def __init__(self, always: bool, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.always = always
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.mean: Tensor
        self.deviation: Tensor
        self.net = nn.Sequential(
            nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 8)
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.always:
            x = (x - self.mean) / self.deviation
        hazards: Tensor = self.net(x)
        return hazards

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        year, seen = y % 8, (y < 8).float()
        before = (torch.arange(8, device=y.device) < year[:, None]).float()
        hazards = self(x)
        stayed = (F.softplus(hazards) * before).sum(1)
        now = hazards.gather(1, year[:, None]).squeeze(1)
        return (stayed + seen * F.softplus(-now)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("surv_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("surv_nll_val", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


@torch.no_grad()
def concordance(module: LightningModule, data: Samples) -> float:
    """Of pairs of whom one left before the other, those in which he was told to."""
    year, seen = data.y_test % 8, data.y_test < 8
    risk = F.softplus(outputs(module, data.x_test)[:, :7]).sum(1)
    pairs = seen[:, None] & (year[:, None] < year)
    right = (risk[:, None] > risk).float() + 0.5 * (risk[:, None] == risk).float()
    return right[pairs].mean().item()


def leaving(always: bool) -> Program:
    data = consultant.survivals()
    module = Leaving(always, data.x.mean(0), data.x.std(0))
    return Program(module, *loaders(data, 64), 12, partial(concordance, module, data))


class Towers(LightningModule):
    """A tower for users, one for items, and the product of what they say."""

    def __init__(self, stop: bool) -> None:
        super().__init__()
        self.stop = stop
        self.user = nn.Sequential(nn.Embedding(consultant.USERS, 16), nn.Linear(16, 8))
        self.item = nn.Sequential(nn.Embedding(consultant.ITEMS, 16), nn.Linear(16, 8))
        self.bias = nn.Embedding(consultant.USERS, 1)
        for table in (self.user[0], self.item[0], self.bias):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, x: Tensor) -> Tensor:
        user, item = self.user(x[:, 0]), self.item(x[:, 1])
        item = item.detach() if self.stop else item
        return (user * item).sum(1) + self.bias(x[:, 0]).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pair, rating = batch
        loss = F.mse_loss(self(pair), rating)
        self.log("rating_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pair, rating = batch
        self.log("rating_mse_val", F.mse_loss(self(pair), rating))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def towers(stop: bool) -> Program:
    data = consultant.ratings(14_000)
    module = Towers(stop)
    return Program(module, *loaders(data, 128), 9, partial(r2, module, data))


class Ranker(LightningModule):
    """Scores the results of a search, each pair the right way round."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(8, 64), activation(), nn.Dropout(0.1),
            nn.Linear(64, 64), activation(), nn.Dropout(0.1), nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.score(x)
        return found.squeeze(-1)

    def pairs(self, batch: list[Tensor]) -> Tensor:
        results, relevance = batch
        found = self(results)
        better = relevance[:, :, None] > relevance[:, None, :]
        return F.softplus(found[:, None, :] - found[:, :, None])[better].mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pairs(batch)
        self.log("ranknet", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("ranknet_val", self.pairs(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def ordered(module: LightningModule, data: Samples) -> float:
    """Share of the pairs of results that are the right way round."""
    found = outputs(module, data.x_test)
    better = data.y_test[:, :, None] > data.y_test[:, None, :]
    return (found[:, :, None] > found[:, None, :])[better].float().mean().item()


def ranker(activation: type[nn.Module]) -> Program:
    data = consultant.results()
    module = Ranker(activation)
    return Program(module, *loaders(data, 16), 15, partial(ordered, module, data))


class Tagger(LightningModule):
    """A recurrent tagger; its learning rate decays."""

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.interval = interval
        self.words = nn.Embedding(61, 24)
        self.gru = nn.GRU(24, 32, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(64, consultant.TAGS)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.tag(self.gru(self.words(x))[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, tags = batch
        loss = F.cross_entropy(self(words).flatten(0, 1), tags.flatten())
        self.log("tag_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, tags = batch
        logits = self(words)
        self.log("tag_loss_val", F.cross_entropy(logits.flatten(0, 1), tags.flatten()))
        self.log("tag_acc_val", (logits.argmax(-1) == tags).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)
        return [optimizer], [{"scheduler": schedule, "interval": self.interval}]


def tagger(interval: str) -> Program:
    data = consultant.tagged()
    module = Tagger(interval)
    return Program(module, *loaders(data, 20), 8, partial(accuracy, module, data))


CASES = (
    Case(
        "clouds-sparse-by-negative-biases", Goal("R2", at_least=0.8), partial(spread, -0.5),
        ("dead_relu", "poor_initialization"), partial(spread, None),
    ),
    Case(
        "documents-masks-of-another-pruning", Goal("accuracy", at_least=0.8), partial(classes, 3),
        ("dormant_units", "dead_relu"), partial(classes, 96),
    ),
    Case(
        "members-of-a-graph-tiny-steps", Goal("accuracy", at_least=0.8),
        partial(members, partial(torch.optim.SGD, lr=1e-3)), ("learning_rate_too_low",),
        partial(members, partial(torch.optim.Adam, lr=1e-2)),
    ),
    Case(
        "topics-by-padding-alone", Goal("accuracy", at_least=0.8), partial(topics, True),
        ("not_learning", "inconsistent_labels"), partial(topics, False),
    ),
    Case(
        "letters-tied-and-scaled-by-eight", Goal("nats", at_most=1.6), partial(letters, None),
        ("poor_initialization",), partial(letters, 0.125),
    ),
    Case(
        "churn-of-equal-weights", Goal("accuracy", at_least=0.72), partial(churn, 0.05),
        ("symmetric_weights", "poor_initialization"), partial(churn, None),
    ),
    Case(
        "prices-slipped-by-a-row", Goal("R2", at_least=0.75), partial(prices, True),
        ("inconsistent_labels",), partial(prices, False),
    ),
    Case(
        "letterbox-of-sixty-letters", Goal("nats", at_most=0.6), partial(letterbox, 60, 60),
        ("overfitting",), partial(letterbox, 1050, 6),
    ),
    Case(
        "quantiles-by-a-decayed-net", Goal("R2", at_least=0.75), partial(load, 0.03),
        ("over_regularized",), partial(load, 0.0),
    ),
    Case(
        "leavers-in-units-when-evaluated", Goal("concordance", at_least=0.75),
        partial(leaving, False), ("train_eval_mismatch",), partial(leaving, True),
    ),
    Case(
        "ratings-of-items-detached", Goal("R2", at_least=0.6), partial(towers, True),
        ("frozen_parameter",), partial(towers, False),
    ),
    Case(
        "results-ranked-in-a-straight-line", Goal("pairs in order", at_least=0.8),
        partial(ranker, nn.Identity), ("linear_network",), partial(ranker, nn.ReLU),
    ),
    Case(
        "tags-rate-decays-every-batch", Goal("accuracy", at_least=0.9), partial(tagger, "step"),
        ("learning_rate_too_low",), partial(tagger, "epoch"),
    ),
)  # fmt: skip
