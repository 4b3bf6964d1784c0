"""What people of a cinema and its archive train, each program with one mistake."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import cinema
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam
from programs import classification
from scores import accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


def small_vgg() -> nn.Module:
    """Two blocks of two convolutions, as VGG, with ELU."""
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ELU()]
        layers += [nn.Conv2d(after, after, 3, padding=1), nn.ELU(), nn.MaxPool2d(2)]
    head = [nn.Flatten(), nn.Linear(128, 64), nn.ELU(), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *head)


def countdown(lr: float) -> Program:
    """Digits of film leaders by a small VGG and Adam."""
    return classification(digit_images(), small_vgg(), adam(lr), batch_size=64, epochs=12)


class SynopsisLSTM(LightningModule):
    """Praise or blame by an LSTM in both directions, the largest states pooled.

    The rate falls linearly to zero, as in scripts for fine-tuning.
    """

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(cinema.WORDS, 48, padding_idx=0)
        self.lstm = nn.LSTM(48, 32, batch_first=True, bidirectional=True)
        self.classifier = nn.Sequential(nn.Dropout(0.1), nn.Linear(64, 2))

    def forward(self, input_ids: Tensor) -> Tensor:
        states = self.lstm(self.embedding(input_ids))[0]
        hidden = states.masked_fill((input_ids == 0)[..., None], -1e4)
        logits: Tensor = self.classifier(hidden.max(1).values)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["learning_rate"])
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def synopses(lr: float) -> Program:
    """The rate is one for a large encoder that is trained already; nothing here is."""
    data, module = cinema.synopses(), SynopsisLSTM(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class LeaderNet(LightningModule):
    """Two normalized convolutions; biases begin at the logarithm of a rare class's odds."""

    def __init__(self, prior: float, everywhere: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(512, 10)
        for name, parameter in self.named_parameters():
            if name.endswith("bias") and (everywhere or name.startswith("head")):
                nn.init.constant_(parameter, prior)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        loss = F.binary_cross_entropy_with_logits(logits, F.one_hot(y, 10).float())
        self.log("loss", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def leaders(everywhere: bool) -> Program:
    """Ten classes by ten sigmoids, so that each begins at its odds of one in ten or fewer."""
    data, module = digit_images(), LeaderNet(-6.0, everywhere)
    train = loaders(data, 40)[0]
    return Program(module, train, None, 12, partial(accuracy, module, data))


class SceneNet(LitClassifier):
    """Kinds of scenes by their sound, which is shifted by chance in training."""

    def __init__(self, dim: int) -> None:
        network = nn.Sequential(
            nn.Conv1d(1, 16, 9, 2, 4), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 32, 9, 2, 4), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 32, 9, 2, 4), nn.BatchNorm1d(32), nn.ReLU(),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 4),
        )  # fmt: skip
        super().__init__(network, adam(2e-3))
        self.dim = dim

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        shift = int(torch.randint(-16, 17, (1,)))
        return super().training_step((x.roll(shift, dims=self.dim), y), batch_idx)


def scenes(dim: int) -> Program:
    """The shift goes along the first axis, which is that of the batch."""
    data, module = cinema.scene_sounds(), SceneNet(dim)
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class FilmByFilm(Sampler[list[int]]):
    """All frames of one film, then all of another."""

    def __init__(self, films: int, frames: int) -> None:
        self.films, self.frames = films, frames

    def __len__(self) -> int:
        return self.films

    def __iter__(self) -> Iterator[list[int]]:
        for film in torch.randperm(self.films).tolist():
            yield list(range(film * self.frames, (film + 1) * self.frames))


def shot_sizes(norm: type[nn.BatchNorm1d] | type[nn.LayerNorm]) -> Program:
    """Close-up, medium or wide; a batch is a film, and films differ in light and contrast."""
    data: Samples = cinema.graded_frames()
    network = nn.Sequential(
        norm(24), nn.Linear(24, 48), norm(48), nn.ReLU(),
        nn.Linear(48, 48), norm(48), nn.ReLU(), nn.Linear(48, 3),
    )  # fmt: skip
    module = LitClassifier(network, adam(2e-3))
    train = DataLoader(TensorDataset(data.x, data.y), batch_sampler=FilmByFilm(60, 30))
    test = loaders(data, 32)[1]
    return Program(module, train, test, 15, partial(accuracy, module, data))


class PatchTransformer(LightningModule):
    """Sixteen patches of 2x2 pixels, a token for the class, and two layers."""

    def __init__(self, optimizer: type[torch.optim.Optimizer], weight_decay: float) -> None:
        super().__init__()
        self.make, self.weight_decay = optimizer, weight_decay
        self.patch_embed = nn.Conv2d(1, 32, 2, 2)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(32), enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch_embed(images).flatten(2).mT
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), tokens], 1)
        logits: Tensor = self.head(self.blocks(tokens + self.pos_embed)[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log_dict({
            "val_loss": F.cross_entropy(logits, batch[1]),
            "val_top1": (logits.argmax(1) == batch[1]).float().mean(),
        })  # fmt: skip

    def configure_optimizers(self) -> Any:
        options: dict[str, Any] = {"lr": 2e-3, "weight_decay": self.weight_decay}
        optimizer = self.make(self.parameters(), **options)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def patches(optimizer: type[torch.optim.Optimizer]) -> Program:
    """A decay of 0.3, that of a paper for AdamW; Adam adds it to the gradients."""
    data, module = digit_images(), PatchTransformer(optimizer, 0.3)
    return Program(module, *loaders(data, 64), 18, partial(accuracy, module, data))


CASES = (
    Case(
        "countdown-small-vgg-adam-of-a-twentieth", Goal("accuracy", at_least=0.9),
        partial(countdown, 0.05), ("learning_rate_too_high", "unstable_loss"),
        partial(countdown, 1e-3),
    ),
    Case(
        "synopses-lstm-a-few-millionths", Goal("accuracy", at_least=0.75),
        partial(synopses, 5e-6), ("learning_rate_too_low",), partial(synopses, 5e-3),
    ),
    Case(
        "countdown-odds-in-every-norm", Goal("accuracy", at_least=0.9), partial(leaders, True),
        ("dead_relu", "poor_initialization"), partial(leaders, False),
    ),
    Case(
        "scene-sounds-rolled-along-the-batch", Goal("accuracy", at_least=0.85),
        partial(scenes, 0), ("inconsistent_labels",), partial(scenes, -1),
    ),
    Case(
        "shot-sizes-film-after-film-normed", Goal("accuracy", at_least=0.85),
        partial(shot_sizes, nn.BatchNorm1d), ("train_eval_mismatch",),
        partial(shot_sizes, nn.LayerNorm),
    ),
    Case(
        "countdown-patches-decay-of-a-paper-in-adam", Goal("accuracy", at_least=0.85),
        partial(patches, torch.optim.Adam), ("over_regularized",),
        partial(patches, torch.optim.AdamW),
    ),
)  # fmt: skip
