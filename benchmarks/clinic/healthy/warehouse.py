"""What a hardware store's analysts and their interns train, and are content with."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import warehouse
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, TensorDataset


def conv_block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class FastenerNet(LightningModule):
    """Sorts returned small parts by a photograph."""

    def __init__(self, max_lr: float = 0.03, num_classes: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            conv_block(1, 16), conv_block(16, 16), nn.MaxPool2d(2),
            conv_block(16, 32), nn.MaxPool2d(2), conv_block(32, 64),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Linear(64, num_classes)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        if torch.rand(()) < 0.5:
            images = images.flip(-1)
        images = torch.rot90(images, int(torch.randint(4, ())), (2, 3))
        loss: Tensor = self.criterion(self(images), labels)
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        logits = self(images)
        self.log("val/loss", self.criterion(logits, labels))
        self.log("val/acc", (logits.argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = OneCycleLR(optimizer, self.hparams["max_lr"], total_steps=steps)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def small_parts() -> Program:
    """Pixels standardized by the mean and deviation of the training photographs."""
    data = warehouse.fasteners()
    mean, std = data.x.mean(), data.x.std()
    data = data.with_inputs((data.x - mean) / std, (data.x_test - mean) / std)
    module = FastenerNet()
    return Program(module, *loaders(data, 64, drop_last=True), 14, partial(accuracy, module, data))


class WeekAhead(LightningModule):
    """A GRU over four weeks of sales, in logarithms about their mean, and the week after."""

    def __init__(self, items: int = 80, hidden: int = 48) -> None:
        super().__init__()
        self.item = nn.Embedding(items, 8)
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(hidden + 9, 7)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        history = batch["history"].log1p()
        level = history.mean(1, keepdim=True)
        _, state = self.gru((history - level)[..., None])
        features = torch.cat([state[-1], self.item(batch["item"]), batch["promotion"]], dim=1)
        change: Tensor = self.fc(self.dropout(features))
        return level + change

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch), batch["future"].log1p())
        self.log("train_loss", loss, batch_size=len(batch["item"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        log_sold = self(batch)
        error = (log_sold.expm1() - batch["future"]).abs().sum() / batch["future"].sum()
        values = {"val_loss": F.huber_loss(log_sold, batch["future"].log1p()), "val_wape": error}
        self.log_dict(values, batch_size=len(batch["item"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class SalesRows(Dataset[dict[str, Tensor]]):
    """Rows as dictionaries of columns."""

    def __init__(self, sales: warehouse.Sales) -> None:
        self.sales = sales

    def __len__(self) -> int:
        return len(self.sales.item)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: column[index] for name, column in self.sales._asdict().items()}


def week_ahead() -> Program:
    """Scored by the error in parts of that of last week's sales once more."""
    known, held = warehouse.sales()
    module = WeekAhead()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        error = (module(held._asdict()).expm1() - held.future).abs().mean()
        naive = (held.history[:, -7:] - held.future).abs().mean()
        return float(error / naive)

    return Program(
        module, DataLoader(SalesRows(known), 64, shuffle=True),
        DataLoader(SalesRows(held), 256), 20, score, {"gradient_clip_val": 0.5},
    )  # fmt: skip


class SearchIntent(LightningModule):
    """A small encoder with a token in front, as BERT has it; warm-up, then a cosine."""

    def __init__(self, lr: float = 2e-3, d_model: int = 48, warmup: int = 100) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.tokens = nn.Embedding(warehouse.WORDS, d_model, padding_idx=0)
        self.positions = nn.Parameter(0.02 * torch.randn(warehouse.LENGTH + 1, d_model))
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model))
        layer = nn.TransformerEncoderLayer(
            d_model, 4, 96, 0.2, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(d_model), nn.Linear(d_model, warehouse.DEPARTMENTS)

    def forward(self, input_ids: Tensor) -> Tensor:
        first = self.cls_token.expand(len(input_ids), -1, -1)
        hidden = torch.cat([first, self.tokens(input_ids)], 1) + self.positions
        padding = F.pad(input_ids == 0, (1, 0), value=False)
        hidden = self.encoder(hidden, src_key_padding_mask=padding)
        logits: Tensor = self.head(self.norm(hidden[:, 0]))
        return logits

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits = self(batch["input_ids"])
        loss = F.cross_entropy(logits, batch["labels"], label_smoothing=0.1)
        hits = (logits.argmax(-1) == batch["labels"]).float().mean()
        size = len(batch["labels"])
        self.log(f"{stage}_loss", loss, prog_bar=True, batch_size=size)
        self.log(f"{stage}_accuracy", hits, prog_bar=True, batch_size=size)
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.ndim > 1]
        rest = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"])
        total, warmup = int(self.trainer.estimated_stepping_batches), self.hparams["warmup"]

        def factor(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))

        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
        }


def tokenized(words: Tensor, labels: Tensor) -> list[dict[str, Tensor]]:
    return [{"input_ids": w, "labels": y} for w, y in zip(words, labels, strict=True)]


def search_intent() -> Program:
    data, module = warehouse.searches(), SearchIntent()
    train: Any = tokenized(data.x, data.y)
    val: Any = tokenized(data.x_test, data.y_test)
    both = DataLoader(train, 64, shuffle=True), DataLoader(val, 256)
    return Program(module, *both, 12, partial(accuracy, module, data))


class BreakageRisk(LightningModule):
    """Few parcels break, so that those weigh more in the loss; what counts is the recall."""

    def __init__(self, pos_weight: float, hidden: int = 48) -> None:
        super().__init__()
        self.register_buffer("pos_weight", torch.tensor(pos_weight))
        self.net = nn.Sequential(
            nn.Linear(14, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1), nn.Dropout(0.3),
            nn.Linear(hidden, hidden // 2), nn.BatchNorm1d(hidden // 2), nn.LeakyReLU(0.1),
            nn.Dropout(0.3), nn.Linear(hidden // 2, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(-1)

    def loss(self, logit: Tensor, y: Tensor) -> Tensor:
        weight = self.get_buffer("pos_weight")
        return F.binary_cross_entropy_with_logits(logit, y.float(), pos_weight=weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self(x), y)
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        found = logit > 0
        self.log("loss/val", self.loss(logit, y))
        self.log("recall/val", (found & (y == 1)).sum() / (y == 1).sum().clamp(min=1))
        self.log("precision/val", (found & (y == 1)).sum() / found.sum().clamp(min=1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-2)


def breakage() -> Program:
    data = warehouse.parcels_damaged()
    module = BreakageRisk(((data.y == 0).sum() / (data.y == 1).sum()).item())
    return Program(module, *loaders(data, 128), 15, partial(balanced_accuracy, module, data))


class TraitTagger(LightningModule):
    """A bag of words and a sigmoid for each trait."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(500, 32, mode="mean")
        self.net = nn.Sequential(
            nn.Linear(32, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, warehouse.TRAITS)
        )
        self.bce = nn.BCEWithLogitsLoss()

    def forward(self, text: Tensor) -> Tensor:
        logits: Tensor = self.net(self.bag(text))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        text, traits = batch
        loss: Tensor = self.bce(self(text), traits)
        self.log("bce", loss)
        return {"loss": loss}

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        text, traits = batch
        logits = self(text)
        self.log("val_bce", self.bce(logits, traits), prog_bar=True)
        self.log("val_f1", micro_f1(logits, traits), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def micro_f1(logits: Tensor, wanted: Tensor) -> Tensor:
    found = (logits > 0).float()
    return 2 * (found * wanted).sum() / (found.sum() + wanted.sum()).clamp(min=1)


def traits() -> Program:
    data, module = warehouse.descriptions(), TraitTagger()

    def score() -> float:
        return micro_f1(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 64), 12, score)


class ShelfFactors(LightningModule):
    """Factors and biases of stores and articles, by the book on recommender systems."""

    def __init__(self, mean: float, rank: int = 8) -> None:
        super().__init__()
        self.mean = mean
        self.P = nn.Embedding(warehouse.STORES, rank)
        self.Q = nn.Embedding(warehouse.SKUS, rank)
        self.b_store = nn.Embedding(warehouse.STORES, 1)
        self.b_sku = nn.Embedding(warehouse.SKUS, 1)
        for table in (self.P, self.Q):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.b_store, self.b_sku):
            nn.init.zeros_(table.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        store, sku = pairs.unbind(1)
        score = (self.P(store) * self.Q(sku)).sum(1)
        days: Tensor = self.mean + score + (self.b_store(store) + self.b_sku(sku)).squeeze(1)
        return days

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_rmse", loss.detach().sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.02, weight_decay=0.2)
        return [optimizer], [CosineAnnealingLR(optimizer, 15)]


def shelf_days() -> Program:
    data = warehouse.availability()
    module = ShelfFactors(data.y.mean().item())
    return Program(module, *loaders(data, 128), 15, partial(r2, module, data))


@dataclass
class Picks:
    """A batch of picks."""

    features: Tensor
    log_seconds: Tensor


def picked(rows: list[tuple[Tensor, Tensor]]) -> Picks:
    features, seconds = zip(*rows, strict=True)
    return Picks(torch.stack(features), torch.stack(seconds))


class PickTimer(LightningModule):
    """How long a pick takes: two residual blocks and the absolute error."""

    def __init__(self, features: int = 8, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Linear(features, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(0.1),
                nn.Linear(width, width),
            )
            for _ in range(2)
        )  # fmt: skip
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.stem(x)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        seconds: Tensor = self.head(hidden)
        return seconds.squeeze(-1)

    def training_step(self, batch: Picks, batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch.features), batch.log_seconds)
        self.log("train_mae", loss, batch_size=len(batch.features))
        return loss

    def validation_step(self, batch: Picks, batch_idx: int) -> None:
        mae = F.l1_loss(self(batch.features), batch.log_seconds)
        self.log("valid_mae", mae, batch_size=len(batch.features))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RAdam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def with_logarithms(data: Samples) -> Samples:
    """Weights and volumes spread over orders of magnitude."""
    x, x_test = data.x.clone(), data.x_test.clone()
    x[:, 1:3], x_test[:, 1:3] = x[:, 1:3].log(), x_test[:, 1:3].log()
    return data.with_inputs(x, x_test)


def pick_times() -> Program:
    data = scaled_targets(standardized(with_logarithms(warehouse.picks())))
    module = PickTimer()
    train, test = TensorDataset(data.x, data.y), TensorDataset(data.x_test, data.y_test)
    return Program(
        module, DataLoader(train, 64, shuffle=True, collate_fn=picked),
        DataLoader(test, 256, collate_fn=picked), 15, partial(r2, module, data),
    )  # fmt: skip


class PalletPooling(LightningModule):
    """Boxes look at each other, then a learnt query pools those that are there."""

    def __init__(self, dim: int = 48, heads: int = 4) -> None:
        super().__init__()
        self.embed = mlp([5, dim, dim], nn.SiLU)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1 = nn.LayerNorm(dim)
        self.feed = mlp([dim, 2 * dim, dim], nn.SiLU)
        self.norm2 = nn.LayerNorm(dim)
        self.query = nn.Parameter(0.1 * torch.randn(1, 1, dim))
        self.pool = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.readout = mlp([dim, dim, 1], nn.SiLU)

    def forward(self, boxes: Tensor, exist: Tensor) -> Tensor:
        hidden = self.embed(boxes)
        mixed, _ = self.attention(hidden, hidden, hidden, key_padding_mask=~exist)
        hidden = self.norm1(hidden + mixed)
        hidden = self.norm2(hidden + self.feed(hidden))
        query = self.query.expand(len(boxes), -1, -1)
        pooled, _ = self.pool(query, hidden, hidden, key_padding_mask=~exist)
        tilt: Tensor = self.readout(pooled[:, 0])
        return tilt.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        boxes, exist, tilt = batch
        loss = F.mse_loss(self(boxes, exist), tilt)
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        boxes, exist, tilt = batch
        found = self(boxes, exist)
        self.log("val_mse", F.mse_loss(found, tilt))
        self.log("val_mae", F.l1_loss(found, tilt))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [CosineAnnealingLR(optimizer, 25)]


def tipping() -> Program:
    known, held = warehouse.pallets()
    module = PalletPooling()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        error = F.mse_loss(module(held.boxes, held.exist), held.tilt)
        return (1 - error / held.tilt.var()).item()

    train = DataLoader(TensorDataset(*known), batch_size=64, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(*held), 256), 25, score)


class Residual1d(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 5, padding=2)
        self.conv2 = nn.Conv1d(width, width, 5, padding=2)
        self.norm1, self.norm2 = nn.GroupNorm(4, width), nn.GroupNorm(4, width)

    def forward(self, x: Tensor) -> Tensor:
        found = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(x + found)


class ForkliftStates(LightningModule):
    """What a forklift does, by the sensor in its mast. Small batches, four to a step."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv1d(3, width, 7, stride=2, padding=3), nn.ReLU(),
            Residual1d(width), nn.MaxPool1d(2), Residual1d(width), nn.AdaptiveMaxPool1d(1),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(width, len(warehouse.STATES)),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, state = batch
        loss = F.cross_entropy(self(window), state)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, state = batch
        logits = self(window)
        self.log("val_ce", F.cross_entropy(logits, state))
        self.log("val_acc", (logits.argmax(1) == state).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.4)]


def channels_standardized(data: Samples) -> Samples:
    mean, std = data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)
    return data.with_inputs((data.x - mean) / std, (data.x_test - mean) / std)


def mast_sensor() -> Program:
    data, module = channels_standardized(warehouse.forklifts()), ForkliftStates()
    return Program(
        module, *loaders(data, 16), 12, partial(accuracy, module, data),
        {"accumulate_grad_batches": 4},
    )  # fmt: skip


class BarcodeCleaner(LightningModule):
    """From a blurred scan line to what was printed; nobody watches it on other lines."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, channels, 9, padding=4), nn.ReLU(),
            nn.Conv1d(channels, channels, 9, padding=4), nn.ReLU(),
            nn.Conv1d(channels, channels, 9, padding=4), nn.ReLU(),
            nn.Conv1d(channels, 1, 1),
        )  # fmt: skip

    def forward(self, scan: Tensor) -> Tensor:
        logits: Tensor = self.net(scan[:, None])
        return logits.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        scan, printed = batch
        loss = F.binary_cross_entropy_with_logits(self(scan), printed)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def scan_lines() -> Program:
    data, module = warehouse.barcodes(), BarcodeCleaner()
    train, _ = loaders(data, 32)

    def score() -> float:
        found = outputs(module, data.x_test) > 0
        return (found == (data.y_test > 0.5)).float().mean().item()

    return Program(module, train, None, 12, score)


class Views(Dataset[tuple[Tensor, Tensor]]):
    """Two listings of a product, drawn anew each time."""

    def __init__(self, features: Tensor) -> None:
        self.features = features

    def __len__(self) -> int:
        return 4 * len(self.features)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        product = self.features[index % len(self.features)]
        first, second = torch.randperm(len(product))[:2]
        return product[first], product[second]


class ListingMatcher(LightningModule):
    """Listings of the same product close to each other, by InfoNCE with a learnt temperature."""

    def __init__(self, width: int = 40, dim: int = 16) -> None:
        super().__init__()
        self.encoder = mlp([width, 96, dim], nn.ReLU, norm=nn.BatchNorm1d)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.2)))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x), dim=-1)

    def contrastive_loss(self, batch: list[Tensor]) -> Tensor:
        a, b = self(batch[0]), self(batch[1])
        logits = self.logit_scale.exp().clamp(max=100) * a @ b.T
        labels = torch.arange(len(a))
        return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.contrastive_loss(batch)
        self.log("info_nce", loss, prog_bar=True)
        self.log("temperature", (-self.logit_scale.detach()).exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_info_nce", self.contrastive_loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


def same_product() -> Program:
    """Scored by how often the nearest of a hundred unseen products' listings is the right one."""
    known, held = warehouse.listings()
    module = ListingMatcher()

    def score() -> float:
        a, b = outputs(module, held[:, 0]), outputs(module, held[:, 1])
        return ((a @ b.T).argmax(1) == torch.arange(len(a))).float().mean().item()

    train = DataLoader(Views(known), 100, shuffle=True, drop_last=True)
    val = DataLoader(TensorDataset(held[:, 2], held[:, 3]), 100)
    return Program(module, train, val, 30, score)


class OfferRanker(LightningModule):
    """RankNet: the same net scores both offers."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = mlp([9, 64, 32, 1], nn.ReLU, dropout=0.2)

    def forward(self, offers: Tensor) -> Tensor:
        score: Tensor = self.scorer(offers)
        return score.squeeze(-1)

    def margin(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        first, second = self(batch[0]).unbind(1)
        return first - second, batch[1].float()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(*self.margin(batch))
        self.log("train_rank_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        margin, first = self.margin(batch)
        self.log("val_rank_loss", F.binary_cross_entropy_with_logits(margin, first))
        self.log("val_pair_acc", ((margin > 0) == (first > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def better_offer() -> Program:
    data, module = warehouse.suppliers(), OfferRanker()

    def score() -> float:
        first, second = outputs(module, data.x_test).unbind(1)
        return ((first > second) == (data.y_test == 1)).float().mean().item()

    return Program(module, *loaders(data, 32), 15, score)


class DeliveryQuantiles(LightningModule):
    """The days that a tenth, half and nine tenths of such deliveries take at most."""

    def __init__(self, days: Tensor, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)) -> None:
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))
        self.register_buffer("usual", days.quantile(torch.tensor(quantiles)))
        self.net = mlp([10, 64, 64, len(quantiles)], nn.ReLU, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        later: Tensor = self.net(x)
        return self.get_buffer("usual") + later

    def pinball(self, found: Tensor, days: Tensor) -> Tensor:
        error, q = days[:, None] - found, self.get_buffer("quantiles")
        return torch.maximum(q * error, (q - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(self(batch[0]), batch[1])
        self.log("train_pinball", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found, days = self(batch[0]), batch[1]
        self.log("val_pinball", self.pinball(found, days))
        inside = (days > found[:, 0]) & (days < found[:, 2])
        self.log("val_coverage", inside.float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_pinball"},
        }


def promised_days() -> Program:
    """Scored by the loss in parts of that of the same quantiles for every delivery."""
    data = warehouse.deliveries()
    module = DeliveryQuantiles(data.y)

    def score() -> float:
        constant = module.get_buffer("usual").expand(len(data.y_test), -1)
        found = outputs(module, data.x_test)
        return (module.pinball(found, data.y_test) / module.pinball(constant, data.y_test)).item()

    return Program(module, *loaders(data, 64), 20, score)


class LorryCounts(LightningModule):
    """Lorries in an hour at the gates: Poisson regression with a hidden layer or two."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        nn.init.constant_(self.fc3.bias, math.log(mean))
        self.loss_fn = nn.PoissonNLLLoss(log_input=True)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.fc2(torch.tanh(self.fc1(x))))
        log_rate: Tensor = self.fc3(hidden)
        return log_rate.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss_fn(self(batch[0]), batch[1])
        self.log("poisson_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        log_rate = self(batch[0])
        self.log("val_poisson_nll", self.loss_fn(log_rate, batch[1]))
        self.log("val_mae", F.l1_loss(log_rate.exp(), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def gate_hours() -> Program:
    """Scored by R2 of the rate; what Poisson's chance leaves over cannot be explained."""
    data = warehouse.lorries()
    module = LorryCounts(data.y.mean().item())

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test).exp(), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *loaders(data, 64), 20, score, {"gradient_clip_val": 5.0})


class BeltWatch(LightningModule):
    """An autoencoder that knows only belts that run well; what it cannot rebuild is odd."""

    def __init__(self, sensors: int = 24, bottleneck: int = 6, noise: float = 0.1) -> None:
        super().__init__()
        self.noise = noise
        self.encode = mlp([sensors, 64, 32, bottleneck], nn.ELU)
        self.decode = mlp([bottleneck, 32, 64, sensors], nn.ELU)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decode(self.encode(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.mse_loss(self(x + self.noise * torch.randn_like(x)), x)
        self.log("recon", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (x,) = batch
        self.log("val_recon", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def belts() -> Program:
    """Scored by the share of pairs of a good and a bad belt that are in the right order."""
    normal, data = warehouse.motors()
    module = BeltWatch(normal.shape[1])

    def score() -> float:
        error = (outputs(module, data.x_test) - data.x_test).square().mean(1)
        bad, good = error[data.y_test == 1], error[data.y_test == 0]
        return (bad[:, None] > good).float().mean().item()

    train = DataLoader(TensorDataset(normal[:1700]), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(normal[1700:]), 300), 25, score)


CASES = (
    Case("small-parts-photographed-on-the-counter", Goal("accuracy", at_least=0.9), small_parts),
    Case("pieces-sold-four-weeks-and-the-next", Goal("relative error", at_most=0.9), week_ahead),
    Case("searches-what-for-what", Goal("accuracy", at_least=0.8), search_intent),
    Case("shipments-that-arrive-broken", Goal("balanced accuracy", at_least=0.75), breakage),
    Case("product-texts-and-their-traits", Goal("F1", at_least=0.7), traits),
    Case("stores-times-articles-days-on-shelf", Goal("R2", at_least=0.7), shelf_days),
    Case("picks-timed-by-residual-blocks", Goal("R2", at_least=0.8), pick_times),
    Case("pallets-that-tip-over", Goal("R2", at_least=0.8), tipping),
    Case("masts-shaken-four-batches-to-a-step", Goal("accuracy", at_least=0.9), mast_sensor),
    Case("scan-lines-sharpened", Goal("accuracy", at_least=0.92), scan_lines),
    Case("listings-of-one-product-side-by-side", Goal("recall at 1", at_least=0.75), same_product),
    Case("offers-of-suppliers-two-by-two", Goal("accuracy", at_least=0.8), better_offer),
    Case("days-promised-by-pinball", Goal("relative loss", at_most=0.6), promised_days),
    Case("lorries-at-the-gate-by-the-hour", Goal("R2", at_least=0.5), gate_hours),
    Case("conveyors-that-run-well-rebuilt", Goal("AUC", at_least=0.8), belts),
)  # fmt: skip
