"""Pull requests to a zoo of small models, each with an oversight: pictures, series and graphs."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import model_zoo
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class Siamese(LightningModule):
    """Are these two the same digit? Contrastive loss on the distance of two embeddings."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor
        self.tower = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 16, 32),
        )  # fmt: skip

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        apart = (self.tower(left) - self.tower(right)).pow(2).sum(1)
        return (apart + self.floor).sqrt()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        left, right, same = batch
        distance = self(left, right)
        near = same * distance.pow(2)
        far = (1 - same) * F.relu(2.0 - distance).pow(2)
        loss = (near + far).mean()
        self.log("train/contrastive", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pairs(x: Tensor, y: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Half of the same digit, which may be the very same picture."""
    chance = torch.Generator().manual_seed(seed)
    left = torch.randint(len(x), (count,), generator=chance)
    right = torch.randint(len(x), (count,), generator=chance)
    for i in range(0, count, 2):
        alike = (y == y[left[i]]).nonzero()[:, 0]
        right[i] = alike[torch.randint(len(alike), (1,), generator=chance)]
    return x[left], x[right], (y[left] == y[right]).float()


def siamese(floor: float) -> Program:
    data = digit_images()
    train = TensorDataset(*pairs(data.x, data.y, 3000, 1))
    left, right, same = pairs(data.x_test, data.y_test, 600, 2)
    module = Siamese(floor)

    @torch.no_grad()
    def score() -> float:
        distance = module.eval()(left, right)
        found = (distance < 1.0).float()
        return (found == same).float().mean().item() if distance.isfinite().all() else 0.0

    return Program(module, DataLoader(train, 32, shuffle=True), None, 4, score)


class ReluForecaster(LightningModule):
    """A plain recurrent network of ReLUs, started from a little more than the identity."""

    def __init__(self, gain: float = 1.1, hidden: int = 48) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, hidden, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(hidden, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        with torch.no_grad():
            self.rnn.weight_hh_l0.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        ahead: Tensor = self.head(states[:, -1])
        return ahead.squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.005, momentum=0.9)


def relu_forecaster(clip: float | None) -> Program:
    data = model_zoo.sensors()
    module = ReluForecaster()
    options = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data), options)


class TemporalBlock(nn.Module):
    """Two dilated convolutions, and the input again."""

    def __init__(self, width: int, dilation: int, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.conv2(F.relu(self.conv1(x))))
        return x + out if self.skip else out


class KeywordTcn(LightningModule):
    """Eighteen dilated convolutions over the bands, and the mean over time."""

    def __init__(self, skip: bool, width: int = 24, classes: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv1d(12, width, 3, padding=1)
        self.blocks = nn.Sequential(*[TemporalBlock(width, 2 ** (i % 3), skip) for i in range(9)])
        self.classify = nn.Linear(width, classes)

    def forward(self, spectrum: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.blocks(self.stem(spectrum)).mean(-1))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        spectrum, word = batch
        logits = self(spectrum)
        loss = F.cross_entropy(logits, word)
        self.log_dict({"loss": loss, "accuracy": (logits.argmax(1) == word).float().mean()})
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        spectrum, word = batch
        self.log("val_loss", F.cross_entropy(self(spectrum), word))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)


def keyword_tcn(skip: bool) -> Program:
    data = model_zoo.keywords()
    module = KeywordTcn(skip)
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class SmallUNet(LightningModule):
    """One step down and up; few pixels are a thing, so that the bias starts at the prior's."""

    def __init__(self, everywhere: bool, width: int = 16) -> None:
        super().__init__()
        self.enter = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.deep = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.Conv2d(3 * width, width, 3, padding=1)
        self.mask = nn.Conv2d(width, 1, 1)
        prior = -math.log((1 - 0.1) / 0.1)
        for layer in self.modules() if everywhere else (self.mask,):
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.bias, prior)

    def forward(self, image: Tensor) -> Tensor:
        first = self.enter(image).relu()
        low = self.deep(self.down(F.max_pool2d(first, 2)).relu()).relu()
        both = torch.cat([first, F.interpolate(low, scale_factor=2.0)], 1)
        logits: Tensor = self.mask(self.up(both).relu())
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, mask = batch
        loss = F.binary_cross_entropy_with_logits(self(image), mask)
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, mask = batch
        self.log("bce_val", F.binary_cross_entropy_with_logits(self(image), mask))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def overlap(module: LightningModule, image: Tensor, mask: Tensor) -> float:
    found = outputs(module, image) > 0
    union = (found | (mask > 0)).sum()
    return ((found & (mask > 0)).sum() / union.clamp(min=1)).item()


def unet(everywhere: bool) -> Program:
    data = model_zoo.scenes()
    train, test = data.part(slice(1000)), data.part(slice(1000, None))
    samples = Samples(train.image, train.mask, test.image, test.mask)
    module = SmallUNet(everywhere)
    score = partial(overlap, module, test.image, test.mask)
    return Program(module, *loaders(samples, 20), 6, score)


class PrunedWords(LightningModule):
    """Counts of words, two layers of which the least important units are pruned at the start."""

    def __init__(self, amount: float, words: int = 300, topics: int = 8) -> None:
        super().__init__()
        self.words = words
        self.fc1 = nn.Linear(words, 64, bias=False)
        self.fc2 = nn.Linear(64, 64, bias=False)
        self.topic = nn.Linear(64, topics)
        for layer in (self.fc1, self.fc2):
            nn.utils.prune.ln_structured(layer, "weight", amount, n=2, dim=0)

    def forward(self, tokens: Tensor) -> Tensor:
        counts = F.one_hot(tokens, self.words).sum(1).float()
        counts[:, 0] = 0.0
        logits: Tensor = self.topic(F.gelu(self.fc2(F.gelu(self.fc1(counts)))))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("ce_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def pruned(amount: float) -> Program:
    data = model_zoo.documents()
    module = PrunedWords(amount)
    return Program(module, *loaders(data, 32), 7, partial(accuracy, module, data))


class Steep(nn.Module):
    """tanh on its way to a sign."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.tanh = nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.tanh(self.sharpness * x)
        return found


class Hashing(LightningModule):
    """Layers of almost bits, sharper as the training goes on; a head tells the digit."""

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), Steep(sharpness), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(16 * 16, 48), Steep(sharpness), nn.Linear(48, 48), Steep(sharpness),
            nn.Linear(48, 24), Steep(sharpness),
        )  # fmt: skip
        self.head = nn.Linear(24, 10)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(image))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log("hash/train", loss)
        return loss

    def on_train_epoch_end(self) -> None:
        for layer in self.features:
            if isinstance(layer, Steep):
                layer.sharpness *= 1.1

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        self.log("hash/val", F.cross_entropy(self(image), digit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def hashing(sharpness: float) -> Program:
    data = digit_images()
    module = Hashing(sharpness)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Gauge(LightningModule):
    """Corrects a gauge by temperature, load and four more."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        error: Tensor = self.net(x)
        return error[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def gauge(shuffle: bool) -> Program:
    """The rows come as they were measured: from the coldest day to the hottest."""
    data = model_zoo.gauges()
    order = data.x[:, 0].argsort()
    data = data._replace(x=data.x[order], y=data.y[order])
    module = Gauge()
    both = loaders(data, 20, shuffle=shuffle)
    return Program(module, *both, 8, partial(r2, module, data))


class TinyViT(LightningModule):
    """Sixteen patches of two by two, two layers."""

    def __init__(self, lr: float, width: int = 32) -> None:
        super().__init__()
        self.lr = lr
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.place = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        patches = self.patch(image).flatten(2).mT
        tokens = torch.cat([self.cls.expand(len(image), -1, -1), patches], 1) + self.place
        logits: Tensor = self.head(self.norm(self.encoder(tokens)[:, 0]))
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        logits = self(image)
        self.log("val_loss", F.cross_entropy(logits, digit))
        self.log("val_acc", (logits.argmax(1) == digit).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)


def tiny_vit(lr: float) -> Program:
    data = digit_images()
    module = TinyViT(lr)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class GraphRegressor(LightningModule):
    """Messages along dense bonds; the rate decays to a tenth over the training."""

    def __init__(self, interval: str, width: int = 48) -> None:
        super().__init__()
        self.interval = interval
        self.enter = nn.Linear(5, width)
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.near = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(2))
        self.read = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, graph: Tensor) -> Tensor:
        x, bonds = graph[..., :5], graph[..., 5:]
        bonds = bonds / bonds.sum(-1, keepdim=True).clamp(min=1)
        h = self.enter(x)
        for own, near in zip(self.own, self.near, strict=True):
            h = h + F.silu(own(h) + bonds @ near(h))
        found: Tensor = self.read(h).mean(1)
        return found.squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        graph, y = batch
        loss = F.smooth_l1_loss(self(graph), y)
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        graph, y = batch
        self.log("val/huber", F.smooth_l1_loss(self(graph), y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": decay, "interval": self.interval},
        }


def graph_regressor(interval: str) -> Program:
    data = model_zoo.molecules()
    module = GraphRegressor(interval)
    return Program(module, *loaders(data, 25), 16, partial(r2, module, data))


CASES = (
    Case(
        "model-zoo-siamese-digits", Goal("accuracy", at_least=0.9), partial(siamese, 0.0),
        ("non_finite",), partial(siamese, 1e-6),
    ),
    Case(
        "model-zoo-relu-rnn-forecaster", Goal("R2", at_least=0.85), partial(relu_forecaster, None),
        ("exploding_gradient", "poor_initialization"), partial(relu_forecaster, 1.0),
    ),
    Case(
        "model-zoo-keyword-tcn", Goal("accuracy", at_least=0.85), partial(keyword_tcn, False),
        ("vanishing_gradient", "poor_initialization"), partial(keyword_tcn, True),
    ),
    Case(
        "model-zoo-unet-of-things", Goal("IoU", at_least=0.65), partial(unet, True),
        ("dead_relu", "poor_initialization"), partial(unet, False),
    ),
    Case(
        "model-zoo-pruned-documents", Goal("accuracy", at_least=0.85), partial(pruned, 0.95),
        ("dormant_units", "dead_relu"), partial(pruned, 0.05),
    ),
    Case(
        "model-zoo-hashing-digits", Goal("accuracy", at_least=0.93), partial(hashing, 10.0),
        ("saturated_activation", "vanishing_gradient"), partial(hashing, 1.0),
    ),
    Case(
        "model-zoo-gauge-table", Goal("R2", at_least=0.85), partial(gauge, False),
        ("covariate_shift", "unstable_loss"), partial(gauge, True),
    ),
    Case(
        "model-zoo-vit-digits", Goal("accuracy", at_least=0.9), partial(tiny_vit, 0.02),
        ("learning_rate_too_high",), partial(tiny_vit, 1e-3),
    ),
    Case(
        "model-zoo-graph-property", Goal("R2", at_least=0.75), partial(graph_regressor, "step"),
        ("learning_rate_too_low",), partial(graph_regressor, "epoch"),
    ),
)  # fmt: skip
