"""Slips from the code reviews of a hearing clinic and a court's registry."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import hearings
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import BinaryModel, LitClassifier, RegressionTask, adam, mlp, sgd
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset


class PooledMinutes(nn.Module):
    """Words weighed by a learnt query; padding is masked."""

    def __init__(self, filler: float, width: int = 40) -> None:
        super().__init__()
        self.filler = filler
        self.embed = nn.Embedding(hearings.WORDS, width, padding_idx=0)
        self.key, self.query = nn.Linear(width, width), nn.Parameter(torch.randn(width) / 6)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hearings.TOPICS))

    def forward(self, words: Tensor) -> Tensor:
        found = self.embed(words)
        weights = torch.tanh(self.key(found)) @ self.query
        weights = weights.masked_fill(words == 0, self.filler).softmax(1)
        logits: Tensor = self.out((weights[..., None] * found).sum(1))
        return logits


class MinutesModule(LightningModule):
    """Disputes by their minutes; per-word networks come from elsewhere."""

    def __init__(self, encoder: nn.Module, lr: float, decay: float = 0.01) -> None:
        super().__init__()
        self.encoder, self.lr, self.decay = encoder, lr, decay

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.encoder(tokens)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log_dict(
            {"train/ce": loss, "train/acc": (logits.argmax(1) == batch[1]).float().mean()}
        )
        return {"loss": loss}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay)


def disputes(data: Samples, encoder: nn.Module, lr: float, epochs: int, batch: int) -> Program:
    module = MinutesModule(encoder, lr)
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


def adjourned_hearings(filler: float) -> Program:
    return disputes(hearings.adjourned(), PooledMinutes(filler), 3e-3, 8, 50)


class Residual1d(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, width) if norm else nn.Identity()
        self.first = nn.Conv1d(width, 2 * width, 3, padding=1)
        self.second = nn.Conv1d(2 * width, width, 3, padding=1)
        for layer in (self.first, self.second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.relu(self.first(self.norm(x))))
        return out


class LatencyNet(LightningModule):
    """The fifth wave's latency; mean squares, momentum, a cosine."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        blocks = [Residual1d(16, norm) for _ in range(8)]
        self.body = nn.Sequential(nn.Conv1d(1, 16, 7, 2, 3), *blocks)
        last: nn.Module = nn.GroupNorm(4, 16) if norm else nn.Identity()
        self.head = nn.Sequential(last, nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 1))

    def forward(self, sweep: Tensor) -> Tensor:
        latency: Tensor = self.head(self.body(sweep))
        return latency.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=5e-3, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)]


def latencies(norm: bool) -> Program:
    data, module = hearings.brainstem(), LatencyNet(norm)
    return Program(module, *loaders(data, 40), 4, partial(r2, module, data))


def tone_net(depth: int, width: int, activation: type[nn.Module], norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(depth):
        stride = 2 if i < 2 else 1
        layers.append(nn.Conv1d(width if i else 1, width, 5, stride, padding=2))
        layers += [nn.BatchNorm1d(width)] if norm else []
        layers.append(activation())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(width, 5))


def tones(network: nn.Module, lr: float, epochs: int = 5, batch: int = 48) -> Program:
    data, module = hearings.tones(), LitClassifier(network, adam(lr))
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


def tones_deep(activation: type[nn.Module], norm: bool) -> Program:
    return tones(tone_net(9, 20, activation, norm), 1e-3)


def tones_at(lr: float) -> Program:
    return tones(tone_net(6, 24, nn.ReLU, False), lr, 16, 128)


def tones_in_sequence(activation: type[nn.Module]) -> Program:
    return tones(tone_net(4, 28, activation, False), 2e-3, 8, 64)


class WordSpotter(LightningModule):
    """Which of eight words was said; focal loss, its prior in the biases."""

    def __init__(self, everywhere: bool, prior: float = 0.01) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.cls = nn.Linear(32 * 20, 8)
        for layer in self.modules() if everywhere else [self.cls]:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.cls(self.features(image).flatten(1))
        return logits

    def focal(self, image: Tensor, label: Tensor) -> Tensor:
        logits, target = self(image), F.one_hot(label, 8).float()
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return ((1 - torch.exp(-loss)) ** 2 * loss).sum(1).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.focal(batch["image"], batch["label"])
        self.log("focal", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_focal", self.focal(batch["image"], batch["label"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-4)


def by_name(x: Tensor, y: Tensor, batch: int, shuffle: bool) -> DataLoader[Any]:
    rows = [{"image": a, "label": b} for a, b in zip(x, y, strict=True)]
    return DataLoader(rows, batch, shuffle=shuffle)  # type: ignore[arg-type]


def spotted(everywhere: bool) -> Program:
    data, module = hearings.spoken(), WordSpotter(everywhere)
    train, test = by_name(data.x, data.y, 60, True), by_name(data.x_test, data.y_test, 250, False)
    return Program(module, train, test, 6, partial(accuracy, module, data))


def pruned_gains(amount: float) -> Program:
    data, network = hearings.gains(), mlp([12, 96, 96, 1])
    for layer in (network[0], network[2]):
        prune.ln_structured(layer, "weight", amount=amount, n=2, dim=0)
    module = RegressionTask(network, adam(3e-3))
    return Program(module, *loaders(data, 64), 12, partial(r2, module, data))


class Hasher(LightningModule):
    """Speakers by codes of tanh, which a growing factor drives to plus and minus one."""

    def __init__(self, counted_by: str, bits: int = 16) -> None:
        super().__init__()
        self.counted_by = counted_by
        self.body = nn.Sequential(
            nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, bits), nn.LayerNorm(bits)
        )
        self.code, self.classes = nn.Tanh(), nn.Linear(bits, 12)
        self.beta = 1.0

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classes(self.code(self.beta * self.body(x)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        done = self.current_epoch if self.counted_by == "epoch" else self.global_step
        self.beta = (1.0 + done) ** 0.5 if self.counted_by == "epoch" else 1.0 + done
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("hash_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_hash_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def hashed(counted_by: str) -> Program:
    data, module = hearings.voices(), Hasher(counted_by)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class Encoder(nn.Module):
    """Two layers of attention, norms first, the mean of what is no padding."""

    def __init__(self, width: int = 32, layers: int = 2, dropout: float = 0.1) -> None:
        super().__init__()
        self.embed = nn.Embedding(hearings.WORDS, width, padding_idx=0)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, hearings.TOPICS)

    def forward(self, words: Tensor) -> Tensor:
        pad = words == 0
        found = self.norm(self.encoder(self.embed(words), src_key_padding_mask=pad))
        kept = (~pad)[..., None].float()
        logits: Tensor = self.head((found * kept).sum(1) / kept.sum(1))
        return logits


class WarmedMinutes(MinutesModule):
    """Warmed up by a scheduler."""

    def __init__(self, interval: str) -> None:
        super().__init__(Encoder(), 2e-3)
        self.interval = interval

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, total_iters=100)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": warm, "interval": self.interval}
        }  # fmt: skip


def warmed(interval: str) -> Program:
    data, module = hearings.minutes(), WarmedMinutes(interval)
    return Program(module, *loaders(data, 50), 6, partial(accuracy, module, data))


def few_minutes(count: int) -> Program:
    data = hearings.minutes().first(count)
    module = MinutesModule(Encoder(48, 2, 0.0), 1e-3)
    epochs = 4 if count > 1000 else 60
    return Program(module, *loaders(data, 25), epochs, partial(accuracy, module, data))


def gains_in_batches(batch: int) -> Program:
    data = hearings.gains()
    network = mlp([12, 64, 64, 1], nn.GELU)
    module = RegressionTask(network, sgd(0.03, 0.9), F.smooth_l1_loss)
    epochs = 4 if batch < 8 else 20
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class ByHand(LightningModule):
    """Manual optimization of two nets: one for the ear, one for the aid."""

    def __init__(self, forgetful: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.forgetful = forgetful
        self.ear, self.aid = mlp([6, 48, 24]), mlp([6, 48, 24])
        self.join = nn.Sequential(nn.LayerNorm(48), nn.Linear(48, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.ear(x[:, :6]), self.aid(x[:, 6:])], 1)
        out: Tensor = self.join(both)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        if self.forgetful:
            self.manual_backward(loss)
            optimizer.zero_grad()
        else:
            optimizer.zero_grad()
            self.manual_backward(loss)
        optimizer.step()
        self.log("train/huber", loss)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def by_hand(forgetful: bool) -> Program:
    data, module = hearings.gains(), ByHand(forgetful)
    return Program(module, *loaders(data, 40), 14, partial(r2, module, data))


class Mixer(nn.Module):
    """Patches of a spectrogram mixed along places and along channels by turns."""

    def __init__(self, deviation: float, width: int = 40, depth: int = 3) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, width, 4, 4)
        self.places = nn.ModuleList(mlp([20, 40, 20], nn.GELU) for _ in range(depth))
        self.channels = nn.ModuleList(mlp([width, 80, width], nn.GELU) for _ in range(depth))
        self.head = nn.Linear(width, 8)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.normal_(layer.weight, std=deviation)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image).flatten(2)
        for place, channel in zip(self.places, self.channels, strict=True):
            x = x + place(x)
            x = x + channel(x.transpose(1, 2)).transpose(1, 2)
        logits: Tensor = self.head(x.mean(2))
        return logits


def mixed(deviation: float) -> Program:
    data, module = hearings.spoken(), LitClassifier(Mixer(deviation), adam(1e-3))
    return Program(module, *loaders(data, 50), 8, partial(accuracy, module, data))


class Preference(LightningModule):
    """Which of two fittings is preferred: a scorer of both, and the softplus of their distance."""

    def __init__(self, filled: bool) -> None:
        super().__init__()
        self.scorer = nn.Sequential(
            nn.Linear(12, 64), nn.GELU(), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 1)
        )
        if filled:
            for weight in self.scorer.parameters():
                nn.init.constant_(weight, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.scorer(x)
        return score.flatten()

    def ranking_loss(self, batch: Any) -> Tensor:
        better, worse = batch
        return F.softplus(self(worse) - self(better)).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.ranking_loss(batch)
        self.log("rank_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_rank_loss", self.ranking_loss(batch))
        self.log("val_pairs", (self(batch[0]) > self(batch[1])).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def pairs(x: Tensor, y: Tensor) -> TensorDataset:
    first = (y[0::2] > y[1::2])[:, None]
    return TensorDataset(torch.where(first, x[0::2], x[1::2]), torch.where(first, x[1::2], x[0::2]))


def preferred(filled: bool) -> Program:
    data, module = hearings.gains(5000, 0.1), Preference(filled)
    train, test = pairs(data.x, data.y), pairs(data.x_test, data.y_test)

    def score() -> float:
        better, worse = test.tensors
        return (outputs(module, better) > outputs(module, worse)).float().mean().item()

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 250), 16, score)


def ears(data: Samples) -> Program:
    module = LitClassifier(mlp([data.x.shape[1], 40, 40, 6], nn.SiLU), sgd(0.05, 0.9))
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


def scaled_export() -> Samples:
    data = hearings.audiograms_as_exported()
    mean, deviation = data.x.mean(0), data.x.std(0)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


class Granted(LightningModule):
    """Motions granted, several at once, by a bag of embeddings."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(85, 32, mode="mean")
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 6))
        self.last: nn.Module = nn.Softmax(dim=1) if softmax else nn.Sigmoid()
        self.bce = nn.BCELoss()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.mlp(self.bag(x)))
        return found

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.bce(self(batch[0]), batch[1])
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_bce", self.bce(found, batch[1]))
        self.log("val_hamming", ((found > 0.5) == (batch[1] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def granted(softmax: bool) -> Program:
    data, module = hearings.motions(), Granted(softmax)

    def hamming() -> float:
        found = outputs(module, data.x_test) > 0.5
        return (found == (data.y_test > 0.5)).float().mean().item()

    return Program(module, *loaders(data, 50), 12, hamming)


def sorted_file(shift: int) -> Program:
    """The labels' file begins with the row of another recording."""
    plain = hearings.spoken()
    data = plain._replace(y=plain.y.roll(shift))
    network = nn.Sequential(
        nn.Conv2d(1, 24, 5, 2, 2), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 32, 3, 2, 1),
        nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 20, 8),
    )  # fmt: skip
    module = LitClassifier(network, sgd(0.02, 0.9, weight_decay=1e-4))
    return Program(module, *loaders(data, 64), 6, partial(accuracy, module, plain))


def growths(weighed: bool) -> Program:
    data = hearings.growths()
    weight = torch.tensor([(data.y == 0).sum() / (data.y == 1).sum()]) if weighed else None
    network = nn.Sequential(nn.Linear(14, 24), nn.Tanh(), nn.Dropout(0.2), nn.Linear(24, 1))
    module = BinaryModel(network, adam(1e-3), nn.BCEWithLogitsLoss(pos_weight=weight))
    return Program(module, *loaders(data, 64), 14, partial(balanced_accuracy, module, data))


class Forecaster(LightningModule):
    """The next six hours by a GRU; L1."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.proj = nn.Linear(32, 6)

    def forward(self, window: Tensor) -> Tensor:
        found: Tensor = self.proj(self.gru(window)[0][:, -1])
        return found

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["decay"]
        return torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=decay)


def loudness(decay: float) -> Program:
    data, module = hearings.noise_levels(), Forecaster(decay)
    return Program(module, *loaders(data, 64), 6, partial(r2, module, data))


def momentum_of_norms(momentum: float) -> Program:
    data = hearings.brainstem()

    def block(before: int, after: int) -> list[nn.Module]:
        norm = nn.BatchNorm1d(after, momentum=momentum)
        return [nn.Conv1d(before, after, 5, 2, 2), norm, nn.LeakyReLU(0.1)]

    network = nn.Sequential(
        *block(1, 16), *block(16, 24), *block(24, 32), nn.Flatten(), nn.Linear(32 * 9, 1)
    )
    module = RegressionTask(network, adam(2e-3))
    return Program(module, *loaders(data, 64), 6, partial(r2, module, data))


class SaidBefore(LightningModule):
    """Which was said first, by a GRU; decay for weights, none for biases."""

    def __init__(self, by_ending: bool) -> None:
        super().__init__()
        self.by_ending = by_ending
        self.embed = nn.Embedding(24, 12)
        self.rnn = nn.GRU(12, 16, batch_first=True)
        self.out = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.rnn(self.embed(x))[1][-1])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_nll", F.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decayed, free = [], []
        for name, weight in self.named_parameters():
            if name.endswith("weight") or (not self.by_ending and "weight" in name):
                decayed.append(weight)
            elif name.endswith("bias") or not self.by_ending:
                free.append(weight)
        groups = [{"params": decayed, "weight_decay": 1e-3}, {"params": free, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=5e-3)


def said_before(by_ending: bool) -> Program:
    data, module = hearings.objections(), SaidBefore(by_ending)
    return Program(module, *loaders(data, 40), 9, partial(accuracy, module, data))


RIGHT, EXPLAINED = Goal("accuracy", at_least=0.85), Goal("R2", at_least=0.75)
CASES = (
    Case(
        "hearings-some-adjourned-without-a-word", Goal("accuracy", at_least=0.8),
        partial(adjourned_hearings, -math.inf),
        ("non_finite",), partial(adjourned_hearings, -1e4),
    ),
    Case(
        "evoked-waves-blocks-doubled-without-groups", EXPLAINED, partial(latencies, False),
        ("exploding_gradient", "poor_initialization", "non_finite", "learning_rate_too_high"),
        partial(latencies, True),
    ),
    Case(
        "tones-nine-filters-of-sigmoids", RIGHT, partial(tones_deep, nn.Sigmoid, False),
        ("vanishing_gradient",), partial(tones_deep, nn.ReLU, True),
    ),
    Case(
        "spoken-words-focal-prior-in-each-bias", RIGHT, partial(spotted, True),
        ("dead_relu", "poor_initialization"), partial(spotted, False),
    ),
    Case(
        "gains-pruned-by-nineteen-twentieths", EXPLAINED, partial(pruned_gains, 0.95),
        ("dormant_units", "dead_relu"), partial(pruned_gains, 0.05),
    ),
    Case(
        "voices-hashed-by-a-factor-of-steps", Goal("accuracy", at_least=0.95),
        partial(hashed, "step"),
        ("saturated_activation", "vanishing_gradient"), partial(hashed, "epoch"),
    ),
    Case(
        "tones-rate-times-batch", RIGHT, partial(tones_at, 1e-3 * 128),
        ("learning_rate_too_high", "dead_relu"), partial(tones_at, 1e-3),
    ),
    Case(
        "minutes-warmed-for-a-hundred-epochs", Goal("accuracy", at_least=0.8),
        partial(warmed, "epoch"),
        ("learning_rate_too_low",), partial(warmed, "step"),
    ),
    Case(
        "gains-two-ears-at-each-step", EXPLAINED, partial(gains_in_batches, 2),
        ("unstable_loss", "learning_rate_too_high"), partial(gains_in_batches, 64),
    ),
    Case(
        "gains-gradients-swept-before-the-step", EXPLAINED, partial(by_hand, True),
        ("not_learning", "frozen_parameter"), partial(by_hand, False),
    ),
    Case(
        "spectrograms-mixed-from-unit-weights", RIGHT, partial(mixed, 1.0),
        ("poor_initialization", "exploding_gradient"), partial(mixed, 0.1),
    ),
    Case(
        "fittings-preferred-by-equal-weights", Goal("pairs in order", at_least=0.8),
        partial(preferred, True), ("symmetric_weights", "poor_initialization"),
        partial(preferred, False),
    ),
    Case(
        "audiograms-with-hertz-and-birthdays", RIGHT,
        lambda: ears(hearings.audiograms_as_exported()),
        ("unnormalized_input",), lambda: ears(scaled_export()),
    ),
    Case(
        "motions-granted-one-at-the-cost-of-others", Goal("Hamming accuracy", at_least=0.85),
        partial(granted, True), ("output_loss_mismatch",), partial(granted, False),
    ),
    Case(
        "spoken-words-file-begins-a-row-late", RIGHT, partial(sorted_file, 1),
        ("inconsistent_labels", "not_learning"), partial(sorted_file, 0),
    ),
    Case(
        "growths-on-the-nerve-unweighed", Goal("balanced accuracy", at_least=0.75),
        partial(growths, False), ("class_imbalance",), partial(growths, True),
    ),
    Case(
        "minutes-of-the-smoke-test", Goal("accuracy", at_least=0.8), partial(few_minutes, 100),
        ("overfitting",), partial(few_minutes, 2500),
    ),
    Case(
        "ward-loudness-decay-of-three-tenths", EXPLAINED, partial(loudness, 0.3),
        ("over_regularized",), partial(loudness, 3e-5),
    ),
    Case(
        "evoked-waves-norms-of-another-framework", EXPLAINED, partial(momentum_of_norms, 0.001),
        ("train_eval_mismatch",), partial(momentum_of_norms, 0.1),
    ),
    Case(
        "objections-groups-by-weight-and-bias", Goal("accuracy", at_least=0.95),
        partial(said_before, True), ("frozen_parameter",), partial(said_before, False),
    ),
    Case(
        "tones-filters-in-a-bare-sequence", RIGHT, partial(tones_in_sequence, nn.Identity),
        ("linear_network",), partial(tones_in_sequence, nn.ReLU),
    ),
)  # fmt: skip
