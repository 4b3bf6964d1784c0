"""A shop's data science team: models that do their work, though some of them look odd."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import retail
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class HurdleNet(LightningModule):
    """Whether a customer comes at all, and the logarithm of what is spent then."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(10, 64), nn.LayerNorm(64), nn.GELU(), nn.Dropout(0.2),
            nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.comes, self.much = nn.Linear(64, 1), nn.Linear(64, 1)
        self.log_deviation = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.trunk(x)
        return self.comes(shared).squeeze(1), self.much(shared).squeeze(1)

    def losses(self, batch: list[Tensor]) -> dict[str, Tensor]:
        x, spent = batch
        logit, center = self(x)
        bought = spent > 0
        hurdle = F.binary_cross_entropy_with_logits(logit, bought.float())
        error = (spent[bought].log() - center[bought]) / self.log_deviation.exp()
        amount = 0.5 * error.square().mean() + self.log_deviation
        return {"hurdle": hurdle, "amount": amount}

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        total = losses["hurdle"] + losses["amount"]
        self.log_dict({f"train/{name}": value for name, value in losses.items()})
        self.log("train/loss", total, prog_bar=True)
        return total

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        losses = self.losses(batch)
        self.log_dict({f"val/{name}": value for name, value in losses.items()})
        self.log("val/loss", losses["hurdle"] + losses["amount"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def customers() -> Program:
    """Scored by how the expected spending is ordered against what was spent."""
    data, module = retail.visits(), HurdleNet()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        logit, center = module(data.x_test)
        expected = logit.sigmoid() * (center + 0.5 * (2 * module.log_deviation).exp()).exp()
        ranks = torch.stack([expected, data.y_test]).argsort(1).argsort(1).float()
        return torch.corrcoef(ranks)[0, 1].item()

    return Program(module, *loaders(data, 64), 12, score)


class DeepFM(LightningModule):
    """Products of vectors in pairs, weights alone, and a deep part, all of the same vectors."""

    def __init__(self, sizes: tuple[int, ...], numbers: int, pos_weight: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        width = 8
        self.first = nn.ModuleList(nn.Embedding(size, 1) for size in sizes)
        self.second = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.numeric = nn.Linear(numbers, width)
        for table in [*self.first, *self.second]:
            nn.init.normal_(table.get_parameter("weight"), std=0.05)
        inputs = (len(sizes) + 1) * width + numbers
        self.deep = mlp([inputs, 64, 32, 1], norm=nn.BatchNorm1d, dropout=0.2)
        self.register_buffer("pos_weight", torch.tensor(pos_weight))

    def forward(self, rows: Tensor) -> Tensor:
        count = len(self.second)
        ids, numbers = rows[:, :count].long(), rows[:, count:]
        linear = sum(table(ids[:, i]) for i, table in enumerate(self.first))
        vectors = [table(ids[:, i]) for i, table in enumerate(self.second)]
        fields = torch.stack([*vectors, self.numeric(numbers)], 1)
        pairs = 0.5 * (fields.sum(1).square() - fields.square().sum(1)).sum(1, keepdim=True)
        deep = self.deep(torch.cat([fields.flatten(1), numbers], 1))
        logit: Tensor = (linear + pairs + deep).squeeze(1)
        return logit

    def loss(self, batch: list[Tensor]) -> Tensor:
        weight = self.get_buffer("pos_weight")
        return F.binary_cross_entropy_with_logits(self(batch[0]), batch[1], pos_weight=weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-5)


def parcels() -> Program:
    data = retail.parcels()
    share = data.y.mean().item()
    module = DeepFM((8, 12, 20), 4, (1 - share) / share)

    def auc() -> float:
        return float(roc_auc_score(data.y_test.numpy(), outputs(module, data.x_test).numpy()))

    return Program(module, *loaders(data, 256), 8, auc)


class TripletNet(LightningModule):
    """Vectors of length one of pictures; only triplets that still cost something are averaged.

    As the easy ones drop out, the loss stays near the margin, and on new pictures the mean of the
    ever fewer that remain rises.
    """

    def __init__(self, margin: float = 0.2) -> None:
        super().__init__()
        self.margin = margin
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Flatten(), nn.Linear(48 * 16, 32),
        )  # fmt: skip

    def forward(self, pictures: Tensor) -> Tensor:
        return F.normalize(self.backbone(pictures), dim=1)

    def triplets(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The mean over semi-hard and hard triplets, and their share."""
        pictures, kinds = batch
        vectors = self(pictures)
        distance = 2 - 2 * vectors @ vectors.T
        same = kinds[:, None] == kinds
        positive = same & ~torch.eye(len(kinds), dtype=torch.bool)
        cost = (distance[:, :, None] - distance[:, None, :] + self.margin).relu()
        valid = positive[:, :, None] & ~same[:, None, :]
        active = valid & (cost > 0)
        share = active.sum() / valid.sum().clamp(min=1)
        return (cost * active).sum() / active.sum().clamp(min=1), share

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, share = self.triplets(batch)
        self.log_dict({"triplet_loss": loss, "active": share}, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, share = self.triplets(batch)
        self.log_dict({"val_triplet_loss": loss, "val_active": share})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def lookalikes() -> Program:
    """Scored by whether the nearest known picture shows the same kind of product."""
    data, module = retail.product_images(), TripletNet()

    def nearest() -> float:
        known, new = outputs(module, data.x), outputs(module, data.x_test)
        found = data.y[(new @ known.T).argmax(1)]
        return (found == data.y_test).float().mean().item()

    train = DataLoader(TensorDataset(data.x, data.y), 48, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 96)
    return Program(module, train, test, 12, nearest)


def latent_words(tokens: Tensor, words: int, width: int) -> Tensor:
    """Vectors of words from the texts they stand in together, by singular values."""
    counts = torch.zeros(len(tokens), words).scatter_add(1, tokens, torch.ones(tokens.shape))
    counts = counts - counts.mean(0)
    _, _, right = torch.linalg.svd(counts, full_matrices=False)
    vectors: Tensor = right[:width].T * words**0.5
    return vectors


class StarsAttention(LightningModule):
    """Vectors of words that stay as they are, and attention that weighs them."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.words = nn.Embedding(*vectors.shape, _weight=vectors)
        self.words.requires_grad_(False)
        self.project = nn.Linear(vectors.shape[1], 48)
        self.weigh = nn.Sequential(nn.Linear(48, 24), nn.Tanh(), nn.Linear(24, 1))
        self.drop = nn.Dropout(0.4)
        self.stars = nn.Linear(48, 5)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        x = F.gelu(self.project(self.drop(self.words(tokens))))
        weights = self.weigh(x).softmax(1)
        logits: Tensor = self.stars(self.drop((weights * x).sum(1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, stars = batch
        loss: Tensor = self.criterion(self(tokens), stars)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, stars = batch
        logits = self(tokens)
        self.log("val_loss", self.criterion(logits, stars))
        self.log("val_acc", (logits.argmax(1) == stars).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trainable = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(trainable, lr=2e-3, weight_decay=0.05)


def noisy_stars() -> Program:
    """A fifth of the stars are by chance, and neighbouring ones are hard to tell apart."""
    data = retail.star_texts()
    module = StarsAttention(latent_words(data.x, 300, 64))
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class MultVAE(LightningModule):
    """Baskets through a code of 24, the weight of the divergence rising with the steps."""

    def __init__(self, products: int, anneal_steps: int = 300, cap: float = 0.3) -> None:
        super().__init__()
        self.anneal_steps, self.cap = anneal_steps, cap
        self.drop = nn.Dropout(0.5)
        self.q1, self.q2 = nn.Linear(products, 96), nn.Linear(96, 48)
        self.p1, self.p2 = nn.Linear(24, 96), nn.Linear(96, products)
        for layer in (self.q1, self.q2, self.p1, self.p2):
            nn.init.xavier_normal_(layer.weight)
            nn.init.trunc_normal_(layer.bias, std=0.001)

    def forward(self, bought: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.drop(F.normalize(bought)).mul(3)
        mean, log_variance = self.q2(torch.tanh(self.q1(hidden))).chunk(2, 1)
        code = mean
        if self.training:
            code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.p2(torch.tanh(self.p1(code))), mean, log_variance

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (bought,) = batch
        logits, mean, log_variance = self(bought)
        likelihood = (logits.log_softmax(1) * bought).sum(1).mean()
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        beta = min(self.cap, self.global_step / self.anneal_steps)
        self.log_dict({"nll": -likelihood, "kl": divergence, "beta": beta})
        loss: Tensor = beta * divergence - likelihood
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def next_buys() -> Program:
    """Scored by the share of later purchases among the fifteen best products not yet bought."""
    bought, later = retail.baskets()
    module = MultVAE(bought.shape[1])
    train = DataLoader(TensorDataset(bought[:1500]), 64, shuffle=True)

    @torch.no_grad()
    def recall() -> float:
        module.eval()
        logits = module(bought[1500:])[0].masked_fill(bought[1500:] > 0, -math.inf)
        hits = later[1500:].gather(1, logits.topk(15, 1).indices).sum(1)
        return (hits / later[1500:].sum(1)).mean().item()

    return Program(module, train, None, 30, recall)


@dataclass
class TillBatch:
    """What is known of an hour, and what the till took."""

    features: Tensor
    takings: Tensor


def till_batch(rows: list[tuple[Tensor, Tensor]]) -> TillBatch:
    features, takings = zip(*rows, strict=True)
    return TillBatch(torch.stack(features), torch.stack(takings))


class QuantileNet(LightningModule):
    """Tenth, half and nine tenths, kept in order by sums of positive gaps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([8, 48, 48, 3], nn.Mish)
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, x: Tensor) -> Tensor:
        lowest, gaps = self.net(x).split([1, 2], 1)
        return torch.cat([lowest, lowest + F.softplus(gaps).cumsum(1)], 1)

    def pinball(self, batch: TillBatch) -> Tensor:
        error = batch.takings[:, None] - self(batch.features)
        levels = self.get_buffer("levels")
        return torch.maximum(levels * error, (levels - 1) * error).sum(1).mean()

    def training_step(self, batch: TillBatch, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: TillBatch, batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch), batch_size=len(batch.takings))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RAdam(self.parameters(), lr=5e-3)
        milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [14, 18], 0.2)
        return {"optimizer": optimizer, "lr_scheduler": milestones}


def relative_pinball(module: QuantileNet, data: Samples) -> float:
    """The loss in parts of that of the quantiles of all hours."""
    constant = data.y.quantile(module.get_buffer("levels"))
    levels = module.get_buffer("levels")
    with torch.no_grad():
        module.eval()
        found = module.pinball(TillBatch(data.x_test, data.y_test))
    error = data.y_test[:, None] - constant
    return (found / torch.maximum(levels * error, (levels - 1) * error).sum(1).mean()).item()


def till_hours() -> Program:
    data, module = retail.tills(), QuantileNet()
    both = loaders(data, 50, collate_fn=till_batch)
    test = DataLoader(both[1].dataset, 300, collate_fn=till_batch)
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, both[0], test, 20, partial(relative_pinball, module, data), trainer)


class SASRec(LightningModule):
    """What is looked at next, by causal attention; the rate is raised over 150 steps."""

    def __init__(self, products: int, length: int, width: int = 48) -> None:
        super().__init__()
        self.item, self.place = nn.Embedding(products, width), nn.Embedding(length, width)
        nn.init.normal_(self.item.weight, std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width, 2, 2 * width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Tensor) -> Tensor:
        length = seen.shape[1]
        mask = torch.full((length, length), -math.inf).triu(1)
        x = self.item(seen) + self.place(torch.arange(length))
        x = self.norm(self.blocks(x, mask=mask))
        return F.linear(x, self.item.weight)

    def loss(self, batch: list[Tensor]) -> Tensor:
        (seen,) = batch
        return F.cross_entropy(self(seen[:, :-1]).flatten(0, 1), seen[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, betas=(0.9, 0.98))
        warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / 150))
        return [optimizer], [{"scheduler": warm_up, "interval": "step"}]


def looked_at() -> Program:
    """Scored by how often the last product is among the three best; chance is one in twenty."""
    seen = retail.sessions()
    module = SASRec(60, seen.shape[1])
    train = DataLoader(TensorDataset(seen[:2000]), 64, shuffle=True)
    test = DataLoader(TensorDataset(seen[2000:]), 250)

    def hits() -> float:
        best = outputs(module, seen[2000:, :-1])[:, -1].topk(3, 1).indices
        return (best == seen[2000:, -1:]).any(1).float().mean().item()

    return Program(module, train, test, 16, hits)


CASES = (
    Case("customers-hurdle-then-logarithm-of-euros", Goal("rank corr.", at_least=0.4), customers),
    Case("parcels-deep-machine-of-rare-returns", Goal("AUC", at_least=0.76), parcels),
    Case("lookalikes-triplets-that-still-cost", Goal("recall at 1", at_least=0.85), lookalikes),
    Case("stars-given-partly-by-chance", Goal("accuracy", at_least=0.4), noisy_stars),
    Case("households-code-of-twenty-four-annealed", Goal("recall at 15", at_least=0.38), next_buys),
    Case("tills-three-quantiles-in-order", Goal("relative pinball", at_most=0.78), till_hours),
    Case("sessions-product-before-last-decides", Goal("hits of 3", at_least=0.5), looked_at),
)  # fmt: skip
