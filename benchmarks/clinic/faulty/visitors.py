"""What researchers of eight fields, or the last of their students, once got wrong."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import visitors
from data_sets.samples import Samples, loaders, standardized
from healthy.visitors import (
    Scene,
    decibels,
    deviance_share,
    frame_accuracy,
    hit_rate,
    label_accuracy,
    pinball_share,
    stack_scenes,
    tag_accuracy,
)
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class MobileKeywords(LightningModule):
    """Separable convolutions as a net for telephones has them, its constants with them."""

    def __init__(self, bn_momentum: float) -> None:
        super().__init__()

        def norm(width: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(width, momentum=bn_momentum, eps=1e-3)

        layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, 2, 1, bias=False), norm(16), nn.ReLU6()]
        for before, after, stride in ((16, 24, 1), (24, 32, 2), (32, 48, 2)):
            layers += [
                nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False), norm(before),
                nn.ReLU6(), nn.Conv2d(before, after, 1, bias=False), norm(after), nn.ReLU6(),
            ]  # fmt: skip
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(48 * 4, 8))

    def forward(self, mel: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(mel).mean(3).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mel, word = batch
        logits = self(mel)
        loss = F.cross_entropy(logits, word)
        self.log("train_loss", loss)
        self.log("train_accuracy", (logits.argmax(1) == word).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        mel, word = batch
        logits = self(mel)
        self.log("val_loss", F.cross_entropy(logits, word))
        self.log("val_accuracy", (logits.argmax(1) == word).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-5)


def mobile_keywords(bn_momentum: float) -> Program:
    data, module = decibels(visitors.commands(), -55.0, 12.0), MobileKeywords(bn_momentum)
    return Program(module, *loaders(data, 64), 9, partial(accuracy, module, data))


class FrameLSTM(LightningModule):
    """An LSTM on the bands as they come from the front end."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(20, 40, batch_first=True)
        self.fc = nn.Linear(40, 1)

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.fc(self.lstm(frames)[0])
        return out[..., 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        frames, speech = batch
        loss = F.binary_cross_entropy_with_logits(self(frames), speech)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        frames, speech = batch
        logit = self(frames)
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, speech))
        self.log("val_acc", ((logit > 0) == speech.bool()).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def frame_lstm(scaled: bool) -> Program:
    data, module = visitors.utterances(), FrameLSTM()
    if scaled:
        data = decibels(data, -57.0, 8.0)
    return Program(module, *loaders(data, 16), 9, partial(frame_accuracy, module, data))


class CandidateNet(LightningModule):
    """Is a candidate in a scan a nodule? Few are."""

    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv3d(1, 8, 5, stride=2, padding=2), nn.BatchNorm3d(8), nn.ReLU(),
            nn.Conv3d(8, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(),
            nn.AdaptiveAvgPool3d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(128, 2),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weights)

    def forward(self, cube: Tensor) -> Tensor:
        logits: Tensor = self.net(cube)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cube, nodule = batch
        logits = self(cube)
        loss: Tensor = self.criterion(logits, nodule)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == nodule).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        cube, nodule = batch
        logits = self(cube)
        self.log("val_loss", self.criterion(logits, nodule))
        self.log("val_acc", (logits.argmax(1) == nodule).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def candidates(weighted: bool) -> Program:
    data = visitors.nodules(2600, rare=True)
    module = CandidateNet(torch.tensor([1.0, 15.0]) if weighted else None)
    return Program(module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data))


class StreamedModel(LightningModule):
    """The change of a state, learned from a robot's stream of transitions."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(5, 72), nn.Tanh(), nn.Linear(72, 72), nn.Tanh(), nn.Linear(72, 4)
        )

    def forward(self, state: Tensor) -> Tensor:
        change: Tensor = self.net(state)
        return change

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, change = batch
        loss = F.smooth_l1_loss(self(state), change)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        state, change = batch
        self.log("val_loss", F.smooth_l1_loss(self(state), change))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            self.parameters(), lr=self.hparams["lr"], momentum=0.9, nesterov=True
        )  # fmt: skip


def streamed(batch_size: int, lr: float, epochs: int) -> Program:
    data, module = visitors.transitions(), StreamedModel(lr)
    return Program(module, *loaders(data, batch_size), epochs, partial(r2, module, data))


class GripperActor(LightningModule):
    """An actor by behaviour cloning, the end of its net taken from another robot's."""

    def __init__(self, squash: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(13, 160), nn.LayerNorm(160), nn.ELU(), nn.Linear(160, 80), nn.ELU()
        )
        self.mu, self.squash = nn.Linear(80, 4), squash

    def forward(self, obs: Tensor) -> Tensor:
        action: Tensor = self.squash(self.mu(self.trunk(obs)))
        return action

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        obs, action = batch
        loss = F.mse_loss(self(obs), action)
        self.log("bc/mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        obs, action = batch
        self.log("bc/val_mse", F.mse_loss(self(obs), action))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-3)


def gripper(squash: type[nn.Module]) -> Program:
    data, module = visitors.demonstrations(), GripperActor(squash())
    return Program(module, *loaders(data, 32), 16, partial(r2, module, data))


class ShapeEncoder(LightningModule):
    """A small PointNet; whoever wrote the optimizer thought of the head."""

    def __init__(self, all_of_it: bool) -> None:
        super().__init__()
        self.all_of_it = all_of_it
        self.points = nn.Sequential(
            nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 12)
        )
        self.head = nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 5))

    def forward(self, points: Tensor) -> Tensor:
        logits: Tensor = self.head(self.points(points).amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, shape = batch
        loss = F.cross_entropy(self(points), shape)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, shape = batch
        logits = self(points)
        self.log("val/loss", F.cross_entropy(logits, shape))
        self.log("val/acc", (logits.argmax(1) == shape).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = self if self.all_of_it else self.head
        return torch.optim.Adam(trained.parameters(), lr=3e-3)


def grasped_shapes(all_of_it: bool) -> Program:
    data, module = visitors.clouds(), ShapeEncoder(all_of_it)
    return Program(module, *loaders(data, 24), 12, partial(accuracy, module, data))


class StepModel(LightningModule):
    """The change of a state by three layers of tanh, their weights drawn by hand."""

    def __init__(self, std: float | None, hidden: int = 144) -> None:
        super().__init__()
        sizes = (5, hidden, hidden, hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(hidden, 4)
        for layer in self.layers:
            if std is None:
                nn.init.xavier_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, std=std)

    def forward(self, state: Tensor) -> Tensor:
        for layer in self.layers:
            state = torch.tanh(layer(state))
        change: Tensor = self.out(state)
        return change

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, change = batch
        loss = F.mse_loss(self(state), change)
        self.log("one_step_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        state, change = batch
        self.log("val_one_step_mse", F.mse_loss(self(state), change))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def step_model(std: float | None) -> Program:
    data, module = visitors.transitions(), StepModel(std)
    return Program(module, *loaders(data, 100), 30, partial(r2, module, data))


class WageBands(LightningModule):
    """Quantiles of wages by a net whose activation comes from a file of settings."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        kinds: dict[str, type[nn.Module]] = {"none": nn.Identity, "mish": nn.Mish}
        act = kinds[activation]
        self.model = nn.Sequential(
            nn.Linear(14, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 32), act(),
            nn.Linear(32, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        quantiles: Tensor = self.model(x)
        return quantiles

    def check_loss(self, batch: list[Tensor]) -> Tensor:
        x, wage = batch
        total = torch.zeros(())
        for tau, quantile in zip(visitors.QUANTILES, self(x).unbind(1), strict=True):
            error = wage - quantile
            total = total + torch.where(error > 0, tau * error, (tau - 1) * error).mean()
        return total

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.check_loss(batch)
        self.log("check_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_check_loss", self.check_loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def wage_bands(activation: str) -> Program:
    data, module = standardized(visitors.wages()), WageBands(activation)
    return Program(module, *loaders(data, 48), 18, partial(pinball_share, module, data))


class HandmadePoisson(LightningModule):
    """Poisson's likelihood as it stands in the textbook."""

    def __init__(self, link: nn.Module, floor: float) -> None:
        super().__init__()
        self.rate = nn.Sequential(nn.Linear(11, 50), nn.Tanh(), nn.Linear(50, 1), link)
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = (self.rate(x[:, :-1])[:, 0] + self.floor) * x[:, -1]
        return mean

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, count = batch
        mean = self(x)
        return (mean - count * mean.log() + torch.lgamma(count + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def handmade_poisson(link: type[nn.Module], floor: float) -> Program:
    data, module = visitors.visits(), HandmadePoisson(link(), floor)

    def score() -> float:
        return deviance_share(outputs(module, data.x_test).log(), data.y_test, data.x_test[:, -1])

    return Program(module, *loaders(data, 40), 14, score)


class Peaks(Dataset[tuple[Tensor, Tensor]]):
    """Sequences from one file, peaks from another, which may have been sorted by its scores."""

    def __init__(self, dna: Tensor, bound: Tensor, in_order: bool) -> None:
        if not in_order:
            signal = torch.rand(len(bound), generator=torch.Generator().manual_seed(11))
            bound = bound[signal.argsort(descending=True)]
        self.dna, self.bound = dna, bound

    def __len__(self) -> int:
        return len(self.dna)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.dna[index], self.bound[index]


class PeakNet(LightningModule):
    """Two convolutions over DNA, max-pooling, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(4, 40, 9), nn.BatchNorm1d(40), nn.GELU(), nn.MaxPool1d(4),
            nn.Conv1d(40, 40, 3), nn.BatchNorm1d(40), nn.GELU(), nn.AdaptiveMaxPool1d(1),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Flatten(), nn.Dropout(0.25), nn.Linear(40, 4))
        self.bce = nn.BCEWithLogitsLoss()

    def forward(self, dna: Tensor) -> Tensor:
        logits: Tensor = self.dense(self.conv(dna))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        dna, bound = batch
        loss: Tensor = self.bce(self(dna), bound)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        dna, bound = batch
        logits = self(dna)
        self.log("val_loss", self.bce(logits, bound))
        self.log("val_acc", ((logits > 0) == bound.bool()).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def peak_files(in_order: bool) -> Program:
    data, module = visitors.sequences(), PeakNet()
    train = DataLoader(Peaks(data.x, data.y, in_order), batch_size=32, shuffle=True)
    val = DataLoader(Peaks(data.x_test, data.y_test, in_order), batch_size=200)
    return Program(module, train, val, 12, partial(label_accuracy, module, data))


class SubtypeNet(LightningModule):
    """Subtypes of tumours from hundreds of genes of few patients."""

    def __init__(self, hidden: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.net = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(300, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 4),
        )  # fmt: skip

    def forward(self, genes: Tensor) -> Tensor:
        logits: Tensor = self.net(genes)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        genes, subtype = batch
        loss = F.cross_entropy(self(genes), subtype)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        genes, subtype = batch
        logits = self(genes)
        self.log("val_loss", F.cross_entropy(logits, subtype))
        self.log("val_acc", (logits.argmax(1) == subtype).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def subtypes(hidden: int, dropout: float, decay: float, epochs: int) -> Program:
    data, module = visitors.expressions(), SubtypeNet(hidden, dropout, decay)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


class TasteModel(LightningModule):
    """Tastes of users and films and no biases; the mean of all ratings is taken away before."""

    def __init__(self, constant: float | None, mean: float, rank: int = 10) -> None:
        super().__init__()
        self.P, self.Q = nn.Embedding(visitors.USERS, rank), nn.Embedding(visitors.FILMS, rank)
        self.mean = mean
        for table in (self.P, self.Q):
            if constant is None:
                nn.init.normal_(table.weight, std=0.2)
            else:
                nn.init.constant_(table.weight, constant)

    def forward(self, pairs: Tensor) -> Tensor:
        return self.mean + (self.P(pairs[:, 0]) * self.Q(pairs[:, 1])).sum(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pairs, rating = batch
        loss = (self(pairs) - rating).square().mean()
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pairs, rating = batch
        self.log("valid_mse", (self(pairs) - rating).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.01, weight_decay=0.8)


def tastes(constant: float | None) -> Program:
    data = visitors.ratings()
    module = TasteModel(constant, data.y.mean().item())
    return Program(module, *loaders(data, 200), 14, partial(r2, module, data))


class SessionAttention(LightningModule):
    """What is heard next, by one block of causal attention over the session."""

    def __init__(self, lr: float, dim: int = 40) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.item, self.position = nn.Embedding(visitors.SONGS, dim), nn.Embedding(12, dim)
        self.block = nn.TransformerEncoderLayer(dim, 2, 80, 0.1, batch_first=True)
        self.decode = nn.Linear(dim, visitors.SONGS)

    def forward(self, heard: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(heard.shape[1])
        h = self.block(self.item(heard) + self.position.weight, src_mask=mask, is_causal=True)
        scores: Tensor = self.decode(h)
        return scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        heard, following = batch
        loss = F.cross_entropy(self(heard).transpose(1, 2), following)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        heard, following = batch
        scores = self(heard)
        self.log("val_loss", F.cross_entropy(scores.transpose(1, 2), following))
        self.log("val_hit@5", hit_rate(scores, following))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def session_attention(lr: float) -> Program:
    data, module = visitors.sessions(), SessionAttention(lr)
    return Program(
        module, *loaders(data, 32), 8,
        lambda: hit_rate(outputs(module, data.x_test), data.y_test).item(),
    )  # fmt: skip


class ConvTagger(LightningModule):
    """Tags by convolutions over three words at a time."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(visitors.VOCABULARY, 48, padding_idx=0)
        self.first, self.second = nn.Conv1d(48, 64, 3, padding=1), nn.Conv1d(64, 64, 3, padding=1)
        self.drop = nn.Dropout(keep)
        self.project = nn.Linear(64, visitors.TAGS)

    def forward(self, words: Tensor) -> Tensor:
        h = self.drop(self.embed(words)).transpose(1, 2)
        h = self.drop(F.relu(self.first(h)))
        h = self.drop(F.relu(self.second(h)))
        logits: Tensor = self.project(h.transpose(1, 2))
        return logits

    def tag_loss(self, batch: list[Tensor]) -> Tensor:
        words, tags = batch
        return F.cross_entropy(self(words).flatten(0, 1), tags.flatten(), ignore_index=-100)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.tag_loss(batch)
        self.log("train/tag_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("dev/tag_loss", self.tag_loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def conv_tagger(keep: float) -> Program:
    data, module = visitors.sentences(), ConvTagger(keep)
    return Program(module, *loaders(data, 20), 10, partial(tag_accuracy, module, data))


class CropNet(LightningModule):
    """Dense layers over a year of one field, as many as a paper of old had."""

    def __init__(self, activation: type[nn.Module], depth: int = 8) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten(), nn.Linear(56, 64), activation()]
        for _ in range(depth - 1):
            layers += [nn.Linear(64, 64), activation()]
        self.mlp = nn.Sequential(*layers, nn.Linear(64, 6))

    def forward(self, year: Tensor) -> Tensor:
        logits: Tensor = self.mlp(year)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        year, crop = batch
        loss = F.cross_entropy(self(year), crop)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        year, crop = batch
        logits = self(year)
        self.log("val_loss", F.cross_entropy(logits, crop))
        self.log("val_oa", (logits.argmax(1) == crop).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def crops(activation: type[nn.Module]) -> Program:
    data, module = visitors.seasons(), CropNet(activation)
    return Program(module, *loaders(data, 30), 14, partial(accuracy, module, data))


class ShipNet(LightningModule):
    """Ships on radar; biases begin with what a detector's paper says of rare things."""

    def __init__(self, every_layer: bool, prior: float = 0.01) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(800, 48), nn.ReLU(),
        )  # fmt: skip
        self.score = nn.Linear(48, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear) and (every_layer or layer is self.score):
                nn.init.constant_(layer.bias, -torch.tensor((1 - prior) / prior).log().item())

    def forward(self, radar: Tensor) -> Tensor:
        logit: Tensor = self.score(self.body(radar))
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        radar, ship = batch
        loss = F.binary_cross_entropy_with_logits(self(radar)[:, 0], ship)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        radar, ship = batch
        logit = self(radar)[:, 0]
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, ship))
        self.log("val_acc", ((logit > 0) == ship.bool()).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def ships(every_layer: bool) -> Program:
    data, module = visitors.harbours(), ShipNet(every_layer)
    return Program(module, *loaders(data, 25), 13, partial(binary_accuracy, module, data))


class PixelNet(LightningModule):
    """Covers by convolutions with group norm, its rate that of somebody's fine-tuning."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(6, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.SiLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.SiLU(),
            nn.Conv2d(32, visitors.COVERS, 1),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(ignore_index=visitors.CLOUD)

    def forward(self, bands: Tensor) -> Tensor:
        logits: Tensor = self.net(bands)
        return logits

    def training_step(self, batch: Scene, batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch.bands), batch.cover)
        self.log("loss/train", loss, batch_size=len(batch.bands))
        return loss

    def validation_step(self, batch: Scene, batch_idx: int) -> None:
        loss = self.criterion(self(batch.bands), batch.cover)
        self.log("loss/valid", loss, batch_size=len(batch.bands))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def pixel_accuracy(module: LightningModule, data: Samples) -> float:
    seen = data.y_test != visitors.CLOUD
    return (outputs(module, data.x_test).argmax(1) == data.y_test)[seen].float().mean().item()


def pixels(lr: float) -> Program:
    data = visitors.scenes()
    mean, std = data.x.mean((0, 2, 3), keepdim=True), data.x.std((0, 2, 3), keepdim=True)
    data, module = data.with_inputs((data.x - mean) / std, (data.x_test - mean) / std), PixelNet(lr)
    train, val = TensorDataset(data.x, data.y), TensorDataset(data.x_test, data.y_test)
    return Program(
        module, DataLoader(train, batch_size=6, shuffle=True, collate_fn=stack_scenes),
        DataLoader(val, batch_size=26, collate_fn=stack_scenes), 8,
        partial(pixel_accuracy, module, data),
    )  # fmt: skip


CASES = (
    Case(
        "spoken-commands-net-for-telephones", Goal("accuracy", at_least=0.9),
        partial(mobile_keywords, 1 - 0.9997), ("train_eval_mismatch",),
        partial(mobile_keywords, 0.1),
    ),
    Case(
        "telephone-frames-lstm-from-front-end", Goal("frame accuracy", at_least=0.84),
        partial(frame_lstm, False), ("unnormalized_input", "saturated_activation"),
        partial(frame_lstm, True),
    ),
    Case(
        "scan-candidates-few-nodules", Goal("balanced accuracy", at_least=0.8),
        partial(candidates, False), ("class_imbalance",), partial(candidates, True),
    ),
    Case(
        "cart-and-pendulum-from-the-stream", Goal("R2", at_least=0.8),
        partial(streamed, 1, 0.15, 3), ("unstable_loss", "learning_rate_too_high"),
        partial(streamed, 30, 0.15, 25),
    ),
    Case(
        "five-joints-end-of-a-gripper", Goal("R2", at_least=0.85), partial(gripper, nn.Sigmoid),
        ("output_loss_mismatch",), partial(gripper, nn.Tanh),
    ),
    Case(
        "depth-camera-shapes-to-grasp", Goal("accuracy", at_least=0.9),
        partial(grasped_shapes, False), ("frozen_parameter",), partial(grasped_shapes, True),
    ),
    Case(
        "cart-and-pendulum-tanh-drawn-by-hand", Goal("R2", at_least=0.9),
        partial(step_model, 1.0), ("saturated_activation", "poor_initialization"),
        partial(step_model, None),
    ),
    Case(
        "wages-bands-by-settings-file", Goal("pinball saved", at_least=0.6),
        partial(wage_bands, "none"), ("linear_network",), partial(wage_bands, "mish"),
    ),
    Case(
        "doctor-visits-textbook-likelihood", Goal("deviance", at_least=0.35),
        partial(handmade_poisson, nn.ReLU, 0.0), ("non_finite",),
        partial(handmade_poisson, nn.Softplus, 1e-4),
    ),
    Case(
        "dna-peaks-from-two-files", Goal("label accuracy", at_least=0.8),
        partial(peak_files, False), ("inconsistent_labels",), partial(peak_files, True),
    ),
    Case(
        "tumours-three-hundred-genes", Goal("cross-entropy", at_most=1.15),
        partial(subtypes, 256, 0.0, 0.0, 60), ("overfitting",), partial(subtypes, 48, 0.5, 0.3, 20),
    ),
    Case(
        "evening-films-tastes-alone", Goal("R2", at_least=0.55), partial(tastes, 0.1),
        ("symmetric_weights", "poor_initialization"), partial(tastes, None),
    ),
    Case(
        "songs-of-a-session-one-block", Goal("HR@5", at_least=0.6), partial(session_attention, 0.2),
        ("learning_rate_too_high",), partial(session_attention, 4e-3),
    ),
    Case(
        "tagged-sentences-three-words-at-a-time", Goal("accuracy", at_least=0.8),
        partial(conv_tagger, 0.9), ("over_regularized",), partial(conv_tagger, 0.1),
    ),
    Case(
        "crops-of-a-year-eight-layers", Goal("accuracy", at_least=0.8), partial(crops, nn.Sigmoid),
        ("vanishing_gradient",), partial(crops, nn.ReLU),
    ),
    Case(
        "ships-on-radar-rare-things", Goal("accuracy", at_least=0.82), partial(ships, True),
        ("dead_relu", "poor_initialization"), partial(ships, False),
    ),
    Case(
        "covers-from-above-somebody-elses-rate", Goal("accuracy", at_least=0.85),
        partial(pixels, 1e-5), ("learning_rate_too_low",), partial(pixels, 2e-3),
    ),
)  # fmt: skip
