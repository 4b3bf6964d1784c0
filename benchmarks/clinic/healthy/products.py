"""Software companies' product teams: clicks, orders, fraud, inspection and texts that do well."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import products
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


@dataclass
class CrossConfig:
    """What is set for the crossed network."""

    dim: int = 8
    hidden: int = 48
    crosses: int = 2
    dropout: float = 0.2
    lr: float = 3e-3
    weight_decay: float = 0.02


class CrossNet(LightningModule):
    """Vectors and numbers crossed with themselves twice, beside a deep part."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (products.USERS, products.ARTICLES, 6)
        self.tables = nn.ModuleList(nn.Embedding(size, config.dim) for size in sizes)
        for table in self.tables:
            nn.init.normal_(table.get_parameter("weight"), std=0.1)
        width = 3 * config.dim + 2
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(config.crosses))
        self.deep = nn.Sequential(
            nn.Linear(width, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)
        )
        self.out = nn.Linear(width + config.hidden, 1)

    def forward(self, rows: Tensor) -> Tensor:
        vectors = [table(rows[:, i].long()) for i, table in enumerate(self.tables)]
        start = torch.cat([*vectors, rows[:, 3:]], 1)
        x = start
        for cross in self.crosses:
            x = start * cross(x) + x
        logit: Tensor = self.out(torch.cat([x, self.deep(start)], 1)).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train/logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("valid/logloss", loss, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay, rate = self.config.weight_decay, self.config.lr
        return torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=decay)


def auc(module: LightningModule, data: Samples) -> float:
    return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))


def clicks() -> Program:
    data, module = products.impressions(), CrossNet(CrossConfig())
    return Program(module, *loaders(data, 200), 4, partial(auc, module, data))


class Nbeats(LightningModule):
    """Blocks that take from the past what they explain, and add up what they foresee."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(42, 72), nn.ReLU(), nn.Linear(72, 72), nn.ReLU(),
                          nn.Dropout(0.1), nn.Linear(72, 49))
            for _ in range(3)
        )  # fmt: skip

    def forward(self, past: Tensor) -> Tensor:
        foreseen = past.new_zeros(len(past), 7)
        for block in self.blocks:
            back, ahead = block(past).split([42, 7], 1)
            past, foreseen = past - back, foreseen + ahead
        return foreseen

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1.5e-3, weight_decay=0.05)

        def rate(step: int, warm: int = 30) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + math.cos(math.pi * (step - warm) / (self.steps - warm)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }  # fmt: skip


def residual_weeks() -> Program:
    data, epochs = products.orders(), 9
    both = loaders(data, 36)
    module = Nbeats(epochs * len(both[0]))
    return Program(module, *both, epochs, partial(r2, module, data))


class Forecaster(LightningModule):
    """An LSTM whose last state foresees the next week."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(7, 28, batch_first=True), nn.Linear(28, 7)

    def forward(self, past: Tensor) -> Tensor:
        found: Tensor = self.head(self.rnn(past.unflatten(1, (6, 7)))[1][0][0])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss/train_epoch", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/valid_epoch", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=8e-3)


def weeks_in_turn() -> Program:
    data, module = products.orders(), Forecaster()
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 60), 10, partial(r2, module, data), trainer)


class Screening(LightningModule):
    """Kinds of fraud from batches in which each kind is as frequent."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 24), nn.LayerNorm(24), nn.GELU(), nn.Dropout(0.3), nn.Linear(24, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("metrics/train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        recall = torch.stack([(logits[batch[1] == k].argmax(1) == k).float().mean()
                              for k in batch[1].unique().tolist()]).mean()  # fmt: skip
        self.log("metrics/valid_uar", recall)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)


def screenings() -> Program:
    data, module = products.payments(), Screening()
    chances = data.y.bincount().float().reciprocal()[data.y]
    sampler = WeightedRandomSampler(chances.tolist(), 3000)
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=100, sampler=sampler)
    valid = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=2000)
    return Program(module, train, valid, 5, partial(balanced_accuracy, module, data))


class Residual(nn.Module):
    """Two convolutions beside one that takes the short way."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.down = nn.Sequential(
            nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.down(x))


class SmallResNet(LightningModule):
    """Three residual blocks and the mean over all places."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.blocks = nn.Sequential(Residual(1, 10, 1), Residual(10, 20, 2), Residual(20, 40, 2))
        self.fc = nn.Linear(40, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(x).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, label = batch
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        loss = F.cross_entropy(self(image), label, label_smoothing=0.1)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid/loss", F.cross_entropy(logits, batch[1]))
        self.log("valid/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-3
        )
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=self.steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def flaws() -> Program:
    data, epochs = products.standard(products.parts()), 6
    both = loaders(data, 48)
    module = SmallResNet(epochs * len(both[0]))
    return Program(module, *both, epochs, partial(accuracy, module, data))


class TextCnn(LightningModule):
    """Convolutions of three widths over the words, and the largest of each."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(products.WORDS, 32, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(32, 24, width) for width in (1, 2, 3))
        self.drop, self.linear = nn.Dropout(0.5), nn.Linear(72, 8)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embedding(words.long()).transpose(1, 2)
        found = torch.cat([F.relu(conv(x)).amax(2) for conv in self.convs], 1)
        logits: Tensor = self.linear(self.drop(found))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-5)


def intents() -> Program:
    data, module = products.requests(), TextCnn()
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class Separable(LightningModule):
    """Depthwise and pointwise convolutions over spectrograms, trained on blends of two sounds."""

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        self.alpha = alpha
        layers: list[nn.Module] = [nn.Conv2d(1, 12, 3, 1, 1), nn.BatchNorm2d(12), nn.SiLU()]
        for before, after in ((12, 24), (24, 48)):
            layers += [
                nn.Conv2d(before, before, 3, 2, 1, groups=before, bias=False),
                nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU(),
            ]  # fmt: skip
        self.features = nn.Sequential(*layers, nn.Conv2d(48, 48, (4, 1)), nn.SiLU())
        self.dense = nn.Linear(48, 5)

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.features(spectrogram[:, None]).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share = torch.distributions.Beta(self.alpha, self.alpha).sample().item()
        other = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        first, second = F.cross_entropy(logits, y), F.cross_entropy(logits, y[other])
        loss = share * first + (1 - share) * second
        self.log("train/mixup_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid/ce", F.cross_entropy(logits, batch[1]))
        self.log("valid/top1", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=4e-3)


def events() -> Program:
    data, module = products.sounds(), Separable()
    return Program(module, *loaders(data, 45), 8, partial(accuracy, module, data))


class TinyViT(LightningModule):
    """Patches of four by four of a spectrogram, a token for the class, two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 32, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Parameter(0.02 * torch.randn(1, 25, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x[:, None]).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.position
        logits: Tensor = self.head(self.norm(self.encoder(x))[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("eval_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.ndim == 2]
        rest = [p for p in self.parameters() if p.ndim != 2]
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=2e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=40)
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def patches() -> Program:
    data, module = products.sounds(), TinyViT()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 40), 6, partial(accuracy, module, data), trainer)


class BiLstmTagger(LightningModule):
    """Words read from both ends, and what each of them is."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.drop = nn.Embedding(120, 20), nn.Dropout(0.2)
        self.lstm = nn.LSTM(20, 20, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(40, 4)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.hidden2tag(self.drop(self.lstm(self.drop(self.emb(words.long())))[0]))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).transpose(1, 2), batch[1])
        self.log("tagger/train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("tagger/val_loss", F.cross_entropy(self(batch[0]).transpose(1, 2), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def tags() -> Program:
    data, module = products.addresses(), BiLstmTagger()

    def score() -> float:
        return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 60), 14, score)


class PriceNet(LightningModule):
    """Prices in euros, foreseen as logarithms; errors are logged in thousands of euros."""

    def __init__(self, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.net = nn.Sequential(
            nn.Linear(7, 80), nn.SiLU(), nn.Linear(80, 80), nn.SiLU(), nn.Linear(80, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(1)
        return found

    def euros(self, found: Tensor) -> Tensor:
        return (found * self.get_buffer("deviation") + self.get_buffer("mean")).exp()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch[0]), batch[1])
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_huber", F.huber_loss(found, batch[1]))
        error = (self.euros(found) - self.euros(batch[1])).abs().mean()
        self.log("val_mae_keur", error / 1000)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def flat_prices() -> Program:
    data, mean, deviation = products.logarithms(products.flats())
    data = standardized(data)
    module = PriceNet(mean, deviation)
    return Program(module, *loaders(data, 50), 14, partial(r2, module, data))


class Denoiser(LightningModule):
    """Readings of a server from readings of which some are missing."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(24, 48), nn.LeakyReLU(), nn.Linear(48, 10))
        self.decoder = nn.Sequential(nn.Linear(10, 48), nn.LeakyReLU(), nn.Linear(48, 24))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x, _) = batch
        loss = F.mse_loss(self(F.dropout(x, 0.05)), x)
        self.log("recon/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("recon/valid", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def readings() -> Program:
    data, module = products.servers(), Denoiser()

    def score() -> float:
        return F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, *loaders(data, 40), 16, score)


class OrdinalWear(LightningModule):
    """How far worn a pump is: one score, and four edges that it may be above."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(15, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1)
        )
        self.edges = nn.Parameter(torch.tensor([-1.5, -0.5, 0.5, 1.5]))

    def forward(self, x: Tensor) -> Tensor:
        above: Tensor = self.body(x) - self.edges
        return above

    def loss(self, batch: list[Tensor]) -> Tensor:
        above = (batch[1][:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(batch[0]), above)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.loss(batch)
        self.log("coral/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = ((self(batch[0]) > 0).sum(1) - batch[1]).abs().float().mean()
        self.log_dict({"coral/valid": self.loss(batch), "coral/valid_mae": error})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def wear() -> Program:
    data, module = products.pumps(), OrdinalWear()

    def score() -> float:
        found = (outputs(module, data.x_test) > 0).sum(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), 14, score)


class PoissonParts(LightningModule):
    """Spare parts sold in a week, counted; there is no validation."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("train/poisson_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def counts() -> Program:
    data, module = products.slow_movers(), PoissonParts()

    def score() -> float:
        """By how much the loss is below that of the mean."""
        loss = partial(F.poisson_nll_loss, target=data.y_test)
        constant = loss(data.y.mean().log().expand_as(data.y_test))
        return (constant - loss(outputs(module, data.x_test))).item()

    return Program(module, loaders(data, 70)[0], None, 16, score)


class Leavers(LightningModule):
    """Whether a subscriber leaves, by a narrow network that is decayed."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(20, 16), nn.Linear(16, 8), nn.Linear(8, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(F.gelu(self.fc1(x)))
        logit: Tensor = self.out(F.gelu(self.fc2(x))).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("bce/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("bce/valid", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def leavers() -> Program:
    data, module = products.subscribers(), Leavers()
    return Program(module, *loaders(data, 24), 9, partial(auc, module, data))


class Mixer(LightningModule):
    """Patches of parts mixed across places, then across channels."""

    def __init__(self, width: int = 24, places: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.tokens = nn.ModuleList(
            nn.Sequential(nn.Linear(places, 32), nn.GELU(), nn.Linear(32, places)) for _ in range(2)
        )
        self.channels = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.last, self.head = nn.LayerNorm(width), nn.Linear(width, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        for i, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            x = x + tokens(self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * i + 1](x))
        logits: Tensor = self.head(self.last(x).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, label = batch
        if torch.rand(()) < 0.5:
            image = image.flip(2)
        loss = F.cross_entropy(self(image), label)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def mixed_parts() -> Program:
    data, module = products.standard(products.parts()), Mixer()
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class RequestEncoder(LightningModule):
    """One layer of attention over the words, and their mean without those behind the end."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(products.WORDS, 36, padding_idx=0)
        self.layer = nn.TransformerEncoderLayer(36, 3, 72, 0.3, batch_first=True)
        self.classifier = nn.Linear(36, 8)

    def forward(self, words: Tensor) -> Tensor:
        kept = words > 0
        x = self.layer(self.words(words.long()), src_key_padding_mask=~kept)
        mean = (x * kept[..., None]).sum(1) / kept.sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.classifier(mean)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train/smooth_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid/ce", F.cross_entropy(logits, batch[1]))
        self.log("valid/accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1.5e-3, weight_decay=0.01)


def attended() -> Program:
    data, module = products.requests(), RequestEncoder()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 30), 5, partial(accuracy, module, data), trainer)


class PriceRange(LightningModule):
    """Two heads: the logarithm of a price and of the deviation around it."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(7, 64), nn.Mish(), nn.BatchNorm1d(64), nn.Linear(64, 64), nn.Mish()
        )
        self.center, self.spread = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.trunk(x)
        return self.center(shared)[:, 0], F.softplus(self.spread(shared)[:, 0]).square() + 1e-3

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        center, variance = self(batch[0])
        loss = F.gaussian_nll_loss(center, batch[1], variance)
        self.log("train/nll", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        center, variance = self(batch[0])
        nll = F.gaussian_nll_loss(center, batch[1], variance)
        self.log_dict({"valid/nll": nll, "valid/mse": F.mse_loss(center, batch[1])})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=4e-3)


def price_ranges() -> Program:
    data, _, _ = products.logarithms(products.flats())
    data = standardized(data)
    module = PriceRange()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        center, variance = module(data.x_test)
        return F.gaussian_nll_loss(center, data.y_test, variance).item()

    return Program(module, *loaders(data, 75), 10, score)


class Quantiles(LightningModule):
    """Three quantiles of tomorrow's orders from two convolutions with a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 7, 7), nn.GELU(), nn.Conv1d(16, 24, 2, 2), nn.GELU(), nn.Flatten(),
            nn.Linear(72, 3),
        )  # fmt: skip
        self.register_buffer("levels", torch.tensor([0.1, 0.5, 0.9]))

    def forward(self, past: Tensor) -> Tensor:
        found: Tensor = self.net(past[:, None])
        return found

    def pinball(self, batch: list[Tensor]) -> Tensor:
        error = batch[1][:, :1] - self(batch[0])
        levels = self.get_buffer("levels")
        return torch.maximum(levels * error, (levels - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("train/pinball", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid/pinball", self.pinball(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=4e-3)


def tomorrow() -> Program:
    """Scored against the quantiles of all tomorrows."""
    data, module = products.orders(), Quantiles()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        levels = module.get_buffer("levels")
        error = data.y_test[:, :1] - data.y[:, 0].quantile(levels)
        constant = torch.maximum(levels * error, (levels - 1) * error).mean()
        return (module.pinball([data.x_test, data.y_test]) / constant).item()

    return Program(module, *loaders(data, 32), 8, score)


class BagClassifier(LightningModule):
    """The mean of word vectors, stepped by hand every second batch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.bag = nn.EmbeddingBag(products.WORDS, 28, mode="mean", padding_idx=0)
        self.norm, self.fc = nn.LayerNorm(28), nn.Linear(28, 8)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.bag(words.long())))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss / 2)
        if batch_idx % 2 == 1:
            optimizer.step()
            optimizer.zero_grad()
        self.log("intent_loss", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("intent_loss_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=8e-3)


def bags() -> Program:
    data, module = products.requests(), BagClassifier()
    return Program(module, *loaders(data, 18), 5, partial(accuracy, module, data))


class WeekOfOrders(LightningModule):
    """A GRU over the days, and a head for each of two tasks: next week's level and its shape."""

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(7, 32, batch_first=True)
        self.level, self.shape = nn.Linear(32, 1), nn.Linear(32, 7)

    def forward(self, past: Tensor) -> Tensor:
        state = self.gru(past.unflatten(1, (6, 7)))[0][:, -1]
        shape = self.shape(state)
        week: Tensor = self.level(state) + shape - shape.mean(1, keepdim=True)
        return week

    def losses(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        error = self(batch[0]) - batch[1]
        level = error.mean(1)
        return level.square().mean(), (error - level[:, None]).square().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        level, shape = self.losses(batch)
        loss = level + self.hparams["share"] * shape
        self.log_dict({"train/level": level, "train/shape": shape, "train/total": loss})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        level, shape = self.losses(batch)
        total = level + self.hparams["share"] * shape
        self.log_dict({"valid/level": level, "valid/shape": shape, "valid/total": total})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def level_and_shape() -> Program:
    data, module = products.orders(), WeekOfOrders()
    return Program(module, *loaders(data, 90), 10, partial(r2, module, data))


CASES = (
    Case("impressions-crossed-twice-beside-depth", Goal("AUC", at_least=0.69), clicks),
    Case("orders-blocks-of-what-is-left", Goal("R2", at_least=0.5), residual_weeks),
    Case("orders-six-weeks-read-in-turn", Goal("R2", at_least=0.5), weeks_in_turn),
    Case("payments-drawn-evenly", Goal("balanced accuracy", at_least=0.65), screenings),
    Case("milled-parts-one-cycle-of-shortcuts", Goal("accuracy", at_least=0.85), flaws),
    Case("requests-largest-of-three-widths", Goal("accuracy", at_least=0.7), intents),
    Case("sound-events-blended-in-pairs", Goal("accuracy", at_least=0.85), events),
    Case("sound-events-in-patches-with-a-token", Goal("accuracy", at_least=0.8), patches),
    Case("delivery-notes-read-from-both-ends", Goal("accuracy", at_least=0.75), tags),
    Case("flats-logarithms-checked-in-euros", Goal("R2", at_least=0.85), flat_prices),
    Case("server-readings-with-some-left-out", Goal("MSE", at_most=0.1), readings),
    Case("pumps-wear-above-four-edges", Goal("mean error", at_most=0.5), wear),
    Case("spares-counted-by-the-week", Goal("nats below constant", at_least=0.7), counts),
    Case("subscribers-narrow-and-decayed", Goal("AUC", at_least=0.78), leavers),
    Case("milled-parts-mixed-by-patches", Goal("accuracy", at_least=0.85), mixed_parts),
    Case("requests-attended-and-meant", Goal("accuracy", at_least=0.7), attended),
    Case("flats-prices-with-their-ranges", Goal("nats", at_most=-0.5), price_ranges),
    Case("orders-tomorrow-in-three-quantiles", Goal("relative pinball", at_most=0.7), tomorrow),
    Case("requests-bags-stepped-every-second-time", Goal("accuracy", at_least=0.7), bags),
    Case("orders-level-and-shape-of-a-week", Goal("R2", at_least=0.5), level_and_shape),
)  # fmt: skip
