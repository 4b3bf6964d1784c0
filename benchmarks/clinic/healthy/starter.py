"""Starter notebooks that are in order, if unusual."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import starter
from data_sets.samples import Samples, digit_images, digits, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

Batch = list[Tensor]


class Augmented(LightningModule):
    """Digits moved about, with a stripe taken out, noise, dropout and soft labels."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(48 * 16, 10),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.net(image)

    def augmented(self, image: Tensor) -> Tensor:
        dy, dx = (int(i) - 1 for i in torch.randint(3, (2,)))
        image = image.roll((dy, dx), (2, 3)).clone()
        row = int(torch.randint(8, ()))
        image[:, :, row : row + 1] = 0.0
        return image * (0.6 + 0.8 * torch.rand(len(image), 1, 1, 1)) + 0.1 * torch.randn_like(image)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(self.augmented(image)), digit, label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        logits = self(image)
        self.log("val_loss", F.cross_entropy(logits, digit))
        self.log("val_acc", (logits.argmax(1) == digit).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def augmented() -> Program:
    data = digit_images()
    module = Augmented()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Components(LightningModule):
    """Principal components as a frozen layer, a head above them."""

    def __init__(self, mean: Tensor, components: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.project = nn.Linear(64, components.shape[1])
        with torch.no_grad():
            self.project.weight.copy_((components / spread).mT)
            self.project.bias.copy_(-(mean @ components) / spread)
        self.project.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(components.shape[1], 64), nn.Tanh(), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.project(x))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.multi_margin_loss(self(batch[0]), batch[1])
        self.log("margin", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("valid_margin", F.multi_margin_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learned = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.SGD(learned, lr=0.1, momentum=0.9)


def components() -> Program:
    data = digits()
    mean = data.x.mean(0)
    _, values, found = torch.linalg.svd(data.x - mean, full_matrices=False)
    module = Components(mean, found[:20].mT, values[:20] / math.sqrt(len(data.x)))
    return Program(module, *loaders(data, 25), 10, partial(accuracy, module, data))


class Frauds(LightningModule):
    """Rare rows are drawn as often as the others."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 24), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(24, 1)
        )

    def forward(self, row: Tensor) -> Tensor:
        return self.net(row)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        row, fraud = batch
        loss = F.binary_cross_entropy_with_logits(self(row)[:, 0], fraud.float())
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        row, fraud = batch
        found = self(row)[:, 0] > 0
        self.log("found", (found & (fraud > 0)).sum() / (fraud > 0).sum().clamp(min=1))
        self.log("false_alarms", (found & (fraud == 0)).sum() / (fraud == 0).sum())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-3)


def frauds() -> Program:
    data = starter.fraud()
    weights = 1 / data.y.bincount().float()
    chance = torch.Generator().manual_seed(4)
    sampler = WeightedRandomSampler(weights[data.y].tolist(), len(data.y), generator=chance)
    train, test = loaders(data, 64, shuffle=False, sampler=sampler)
    module = Frauds()
    return Program(module, train, test, 5, partial(balanced_accuracy, module, data))


class NoisyLeaves(LightningModule):
    """Three of ten labels are drawn by lot; a robust loss and a mild network."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.conv = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.GELU(), nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3), nn.GroupNorm(4, 32), nn.GELU(),
        )  # fmt: skip
        self.fc = nn.Linear(32, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.conv(image).mean((2, 3)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, kind = batch
        right = F.softmax(self(image), 1).gather(1, kind[:, None])
        loss = ((1 - right.pow(0.5)) / 0.5).mean()
        self.log("generalized_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, kind = batch
        self.log("val_ce", F.cross_entropy(self(image), kind))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-5)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def noisy_leaves() -> Program:
    data = starter.leaves()
    noisy = data._replace(y=starter.drawn_anew(data.y, 0.3, 5))
    train, test = loaders(noisy, 32)
    module = NoisyLeaves(15 * len(train))
    return Program(module, train, test, 15, partial(accuracy, module, data))


class TiedAutoencoder(LightningModule):
    """The decoder is the encoder, turned round; the loss is a sum over pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(64, 40)))
        self.w2 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(40, 16)))
        self.b1, self.b2 = nn.Parameter(torch.zeros(40)), nn.Parameter(torch.zeros(16))
        self.b3, self.b4 = nn.Parameter(torch.zeros(40)), nn.Parameter(torch.zeros(64))

    def forward(self, x: Tensor) -> Tensor:
        code = F.elu(x @ self.w1 + self.b1) @ self.w2 + self.b2
        return F.elu(code @ self.w2.mT + self.b3) @ self.w1.mT + self.b4

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        (x,) = batch
        loss = (self(x) - x).pow(2).sum(1).mean()
        self.log("sum_of_squares", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tied() -> Program:
    data = digits()
    module = TiedAutoencoder()
    spread = (data.x_test - data.x.mean(0)).pow(2).mean()

    def score() -> float:
        return (1 - F.mse_loss(outputs(module, data.x_test), data.x_test) / spread).item()

    train = DataLoader(TensorDataset(data.x), 32, shuffle=True, drop_last=True)
    return Program(module, train, None, 15, score)


class CharModel(LightningModule):
    """What sign comes next? The embedding is the output layer too; gradients are clipped."""

    def __init__(self, signs: int = 24, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(signs, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.gru = nn.GRU(width, width, num_layers=2, dropout=0.1, batch_first=True)
        self.decoder = nn.Linear(width, signs)
        self.decoder.weight = self.embedding.weight

    def forward(self, text: Tensor) -> Tensor:
        return self.decoder(self.gru(self.embedding(text))[0])

    def surprise(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.surprise(batch[0])
        self.log("bits", loss.detach() / math.log(2))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("perplexity", self.surprise(batch[0]).exp())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=3e-3)


def char_model() -> Program:
    train, test = starter.chains()
    module = CharModel()

    @torch.no_grad()
    def score() -> float:
        return module.eval().surprise(test).exp().item()

    both = DataLoader(TensorDataset(train), 16, shuffle=True), DataLoader(TensorDataset(test), 50)
    return Program(module, *both, 7, score, {"gradient_clip_val": 0.5})


class PoissonRentals(LightningModule):
    """Counts by the logarithm of their rate: the loss is far below zero."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(), nn.Linear(64, 1)
        )
        nn.init.constant_(self.net[-1].bias, start)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        rate = self(batch[0])
        self.log("valid_poisson", F.poisson_nll_loss(rate, batch[1]))
        self.log("valid_mae", (rate.exp() - batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def poisson_rentals() -> Program:
    data = starter.rentals()
    module = PoissonRentals(data.y.mean().log().item())

    def score() -> float:
        error = (outputs(module, data.x_test).exp() - data.y_test).pow(2).mean()
        return (1 - error / data.y_test.var()).item()

    options = {"gradient_clip_val": 5.0}
    return Program(module, *loaders(data, 32), 15, score, options)


class Ordinal(LightningModule):
    """One merit, four thresholds: is the grade above each?"""

    def __init__(self) -> None:
        super().__init__()
        self.merit = nn.Sequential(nn.Linear(8, 32), nn.Mish(), nn.Linear(32, 32), nn.Mish())
        self.last = nn.Linear(32, 1, bias=False)
        self.thresholds = nn.Parameter(torch.tensor([1.5, 0.5, -0.5, -1.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.merit(x)) + self.thresholds

    def loss(self, batch: Batch) -> Tensor:
        x, grade = batch
        above = (grade[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(x), above)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("coral", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_coral", self.loss(batch))
        found = (self(batch[0]) > 0).sum(1)
        self.log("val_off_by", (found - batch[1]).abs().float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def ordinal() -> Program:
    data = starter.grades()
    module = Ordinal()

    def score() -> float:
        found = (outputs(module, data.x_test) > 0).sum(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), 12, score)


class TinyBatches(LightningModule):
    """Four clips at a time, layer norm, a small rate without momentum."""

    def __init__(self, kinds: int = 6) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(1, 24, 9, stride=2), nn.Conv1d(24, 32, 9, stride=2)
        self.norm = nn.LayerNorm(32)
        self.out = nn.Linear(32, kinds)

    def forward(self, sound: Tensor) -> Tensor:
        h = F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(sound), 0.1)), 0.1)
        return self.out(self.norm(h.amax(-1)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("ce_valid", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def tiny_batches() -> Program:
    data = starter.clips()
    module = TinyBatches()
    return Program(module, *loaders(data, 4), 5, partial(accuracy, module, data))


class GraphNet(LightningModule):
    """Means over neighbours beside the node itself; batches are dictionaries, nothing validates."""

    def __init__(self, features: int = 5, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Linear(2 * features, width)
        self.second = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(2 * width, 3)

    def forward(self, graph: Tensor) -> Tensor:
        h, adjacency = graph[..., :5], graph[..., 5:]
        adjacency = adjacency / adjacency.sum(-1, keepdim=True).clamp(min=1)
        h = F.relu(self.first(torch.cat([h, adjacency @ h], -1)))
        h = self.norm(F.relu(self.second(torch.cat([h, adjacency @ h], -1))))
        return self.out(torch.cat([h.mean(1), h.amax(1)], -1))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch["graph"]), batch["kind"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def graph_net() -> Program:
    data = starter.graphs()
    module = GraphNet()
    rows = [{"graph": graph, "kind": kind} for graph, kind in zip(data.x, data.y, strict=True)]
    train = DataLoader(rows, 24, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, None, 16, partial(accuracy, module, data))


class DiceNet(LightningModule):
    """Cells by a soft Dice alone, dilated convolutions; validation logs metrics only."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(a, 16, 3, padding=d, dilation=d) for a, d in ((1, 1), (16, 2), (16, 4))
        )
        self.mask = nn.Conv2d(48, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        found, x = [], image
        for layer in self.layers:
            x = F.silu(layer(x))
            found.append(x)
        return self.mask(torch.cat(found, 1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, mask = batch
        chance = self(image).sigmoid()
        both = (chance * mask).sum((1, 2, 3))
        loss = 1 - ((2 * both + 1) / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()
        self.log("soft_dice", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, mask = batch
        self.log("iou", overlap(self(image), mask))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def overlap(logits: Tensor, mask: Tensor) -> Tensor:
    found, true = logits > 0, mask > 0.5
    return (found & true).sum() / (found | true).sum().clamp(min=1)


def dice_net() -> Program:
    data = starter.cells()
    module = DiceNet()

    def score() -> float:
        return overlap(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 16), 10, score)


class Ranker(LightningModule):
    """A liked film shall be before one drawn by lot; only the order counts."""

    def __init__(self, users: int = 150, items: int = 80, rank: int = 16) -> None:
        super().__init__()
        self.user = nn.Embedding(users, rank)
        self.item = nn.Embedding(items, rank)
        self.popular = nn.Embedding(items, 1)
        for table in (self.user, self.item, self.popular):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        return (self.user(user) * self.item(item)).sum(1) + self.popular(item)[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        user, better, worse = batch
        margin = self(user, better) - self(user, worse)
        loss = -F.logsigmoid(margin).mean()
        self.log("bpr", loss)
        self.log("order", (margin > 0).float().mean())
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        user, better, worse = batch
        self.log("val_order", (self(user, better) > self(user, worse)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=1e-4)


def preferences(rows: slice, seed: int) -> TensorDataset:
    """Pairs of films of which a user likes one clearly better."""
    part = starter.ratings().part(rows)
    chance = torch.Generator().manual_seed(seed)
    by_user = part.user.argsort(stable=True)
    a = by_user[:-1]
    b = by_user[1:]
    more = torch.randperm(len(part.user), generator=chance)
    more = more[part.user[more].argsort(stable=True)]
    a, b = torch.cat([a, more[:-1]]), torch.cat([b, more[1:]])
    clear = (part.user[a] == part.user[b]) & ((part.stars[a] - part.stars[b]).abs() > 0.5)
    a, b = a[clear], b[clear]
    swap = part.stars[a] < part.stars[b]
    better, worse = torch.where(swap, b, a), torch.where(swap, a, b)
    return TensorDataset(part.user[a], part.item[better], part.item[worse])


def ranker() -> Program:
    train, test = preferences(slice(5000), 1), preferences(slice(5000, None), 2)
    module = Ranker()

    @torch.no_grad()
    def score() -> float:
        user, better, worse = test.tensors
        module.eval()
        return (module(user, better) > module(user, worse)).float().mean().item()

    both = DataLoader(train, 64, shuffle=True), DataLoader(test, 500)
    return Program(module, *both, 10, score)


class Quantiles(LightningModule):
    """Three quantiles of a house's price in thousands: the pinball loss is in thousands, too."""

    levels: Tensor

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread
        self.body = nn.Sequential(
            nn.Linear(6, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.GELU()
        )
        self.heads = nn.Linear(64, 3)
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, x: Tensor) -> Tensor:
        return self.mean + self.spread * self.heads(self.body(x))

    def pinball(self, batch: Batch) -> Tensor:
        x, price = batch
        error = price[:, None] - self(x)
        return torch.maximum(self.levels * error, (self.levels - 1) * error).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def quantiles() -> Program:
    data = standardized(starter.houses())
    module = Quantiles(data.y.mean().item(), data.y.std().item())

    def score() -> float:
        median = outputs(module, data.x_test)[:, 1]
        return ((median - data.y_test).abs() / data.y_test).mean().item()

    return Program(module, *loaders(data, 40), 18, score)


class DroppedBag(LightningModule):
    """Means of word vectors, of which seven of ten numbers are dropped in training."""

    def __init__(self, words: int = 120) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(words, 64, mode="mean", padding_idx=0)
        self.drop = nn.Dropout(0.7)
        self.fc = nn.Linear(64, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc(self.drop(self.bag(tokens)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("loss/val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def dropped_bag() -> Program:
    data: Samples = starter.reviews()
    module = DroppedBag()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class WarmedForecaster(LightningModule):
    """A little transformer over four weeks: a warm-up, then a cosine, large batches."""

    def __init__(self, steps: int, width: int = 24) -> None:
        super().__init__()
        self.steps = steps
        self.enter = nn.Linear(1, width)
        self.place = nn.Parameter(0.1 * torch.randn(28, width))
        layer = nn.TransformerEncoderLayer(width, 2, 48, 0.0, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.out = nn.Linear(width, 1)

    def forward(self, sales: Tensor) -> Tensor:
        return self.out(self.encoder(self.enter(sales) + self.place)[:, -1])[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=self.steps // 5)
        rest = self.steps - self.steps // 5
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rest)
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer, [warm, cosine], [self.steps // 5]
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warmed_forecaster() -> Program:
    data = starter.demand()
    train, test = loaders(data, 128)
    module = WarmedForecaster(25 * len(train))
    return Program(module, train, test, 25, partial(r2, module, data))


CASES = (
    Case("starter-digits-well-shaken", Goal("accuracy", at_least=0.88), augmented),
    Case("starter-digits-frozen-components", Goal("accuracy", at_least=0.93), components),
    Case("starter-frauds-drawn-more-often", Goal("balanced accuracy", at_least=0.75), frauds),
    Case("starter-leaves-labelled-carelessly", Goal("accuracy", at_least=0.8), noisy_leaves),
    Case("starter-digits-tied-autoencoder", Goal("R2", at_least=0.8), tied),
    Case("starter-signs-tied-embedding", Goal("perplexity", at_most=2.8), char_model),
    Case("starter-rentals-poisson", Goal("R2", at_least=0.75), poisson_rentals),
    Case("starter-wine-grades", Goal("mean grades off", at_most=0.5), ordinal),
    Case("starter-clips-four-at-a-time", Goal("accuracy", at_least=0.85), tiny_batches),
    Case("starter-graphs-mean-of-neighbours", Goal("accuracy", at_least=0.72), graph_net),
    Case("starter-cells-soft-dice", Goal("IoU", at_least=0.65), dice_net),
    Case("starter-films-ranked", Goal("pairs in order", at_least=0.75), ranker),
    Case("starter-house-price-quantiles", Goal("relative error", at_most=0.14), quantiles),
    Case("starter-reviews-strong-dropout", Goal("accuracy", at_least=0.9), dropped_bag),
    Case("starter-demand-warmed-transformer", Goal("R2", at_least=0.85), warmed_forecaster),
)
