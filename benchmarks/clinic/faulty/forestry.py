"""What goes wrong for foresters: rates, lookups, numpy, first weights, order and noughts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forestry
from data_sets.samples import Samples, loaders
from healthy.forestry import SoundGru, listening, stems
from lightning.pytorch import LightningModule
from modules import adam, reset
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The file of settings of one experiment."""

    activation: str
    hidden: tuple[int, ...] = (128, 64, 32)
    dropout: float = 0.1


class SpeciesNet(LightningModule):
    """A classifier of sites as its settings say; an activation that is not known is none."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        activation = ACTIVATIONS.get(settings.activation, nn.Identity)
        layers: list[nn.Module] = []
        width = 8
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden), nn.BatchNorm1d(hidden), activation()]
            layers.append(nn.Dropout(settings.dropout))
            width = hidden
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, 5)

    def forward(self, site: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(site))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.5)]


def species(activation: str) -> Program:
    data, module = forestry.stands(), SpeciesNet(Settings(activation))
    return Program(module, *loaders(data, 64), 14, partial(accuracy, module, data))


class KMaxText(LightningModule):
    """Convolutions over the words, and the three largest answers of each in their order."""

    def __init__(self, by_numpy: bool, k: int = 3) -> None:
        super().__init__()
        self.by_numpy, self.k = by_numpy, k
        self.embedding = nn.Embedding(400, 16, padding_idx=0)
        self.conv = nn.Conv1d(16, 24, 3, padding=1)
        self.classifier = nn.Linear(24 * k, 5)

    def k_max(self, answers: Tensor) -> Tensor:
        if not self.by_numpy:
            return answers.topk(self.k, dim=-1).values
        largest = np.sort(answers.detach().numpy(), axis=-1)[..., ::-1][..., : self.k]
        return torch.from_numpy(largest.copy())

    def forward(self, tokens: Tensor) -> Tensor:
        answers = self.conv(self.embedding(tokens).transpose(1, 2))
        logits: Tensor = self.classifier(self.k_max(answers).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/val", F.cross_entropy(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def k_max(by_numpy: bool) -> Program:
    """The tensor that needs a gradient could not be given to numpy, until it was detached."""
    data, module = forestry.reports(), KMaxText(by_numpy)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def averaged(weight: Tensor) -> None:
    """Each kernel begins as a mean over what it sees."""
    nn.init.constant_(weight, 1.0 / weight[0].numel())


def sound_kernels(weight: Callable[[Tensor], Any]) -> Program:
    data = forestry.sounds()
    data = data.with_inputs(data.x.transpose(1, 2), data.x_test.transpose(1, 2))
    network = nn.Sequential(
        nn.Conv1d(6, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5),
    )  # fmt: skip
    return classification(data, reset(network, weight), adam(2e-3), batch_size=16, epochs=8)


class MixtureNet(LightningModule):
    """Shares of species, by the divergence from what was counted."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.layers = nn.Sequential(
            nn.Linear(8, 96), nn.SiLU(), nn.Linear(96, 48), nn.SiLU(), nn.Linear(48, 5)
        )

    def forward(self, site: Tensor) -> Tensor:
        shares: Tensor = self.layers(site).softmax(1)
        return shares

    def divergence(self, found: Tensor, true: Tensor) -> Tensor:
        if self.by_hand:
            return (true * (true / found).log()).sum(1).mean()
        return (torch.xlogy(true, true) - true * found.log()).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.divergence(self(batch[0]), batch[1])
        self.log("divergence", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def mixtures(by_hand: bool) -> Program:
    """Scored by the mean error of a share."""
    data, module = forestry.mixtures(), MixtureNet(by_hand)
    train, _ = loaders(data, 128)

    def score() -> float:
        return (outputs(module, data.x_test) - data.y_test).abs().mean().item()

    return Program(module, train, None, 25, score)


def shrunk(threshold: float) -> Program:
    """Units that are silent up to a threshold, as in sparse coding."""
    network = nn.Sequential(
        nn.Linear(40, 96), nn.Softshrink(threshold), nn.Linear(96, 48), nn.SiLU(), nn.Linear(48, 6)
    )
    return classification(forestry.spectra(), network, adam(1e-3), batch_size=64, epochs=15)


class BarkTransformer(LightningModule):
    """Sixteen patches of a picture of bark and a token of the class."""

    def __init__(self, lr: float, steps: int) -> None:
        super().__init__()
        self.lr, self.steps = lr, steps
        self.patches = nn.Conv2d(3, 32, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(
            32, 4, 64, 0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 6)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.patches(picture).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        logits: Tensor = self.head(self.norm(self.encoder(x)[:, 0]))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, self.steps, eta_min=self.lr / 5
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def patches(lr: float, epochs: int = 9) -> Program:
    data = forestry.barks()
    train, test = loaders(data, 32)
    module = BarkTransformer(lr, epochs * len(train))
    return Program(module, train, test, epochs, partial(accuracy, module, data))


def recordings(arrange: Callable[[Samples], Samples]) -> Program:
    """Features came from a pool of workers as each was done, names from the list of files."""
    return listening(arrange(forestry.sounds()), SoundGru(), 32, 10)


def as_listed(samples: Samples) -> Samples:
    return samples


CASES = (
    Case(
        "stems-four-to-each-hasty-step", Goal("R2", at_least=0.75),
        partial(stems, 0.06, 4, 4, False), ("unstable_loss", "learning_rate_too_high"),
        partial(stems, 0.01, 4, 4, False),
    ),
    Case(
        "stands-activation-not-in-the-table", Goal("accuracy", at_least=0.8),
        partial(species, "ReLU"), ("linear_network",), partial(species, "relu"),
    ),
    Case(
        "reports-largest-answers-by-numpy", Goal("accuracy", at_least=0.7), partial(k_max, True),
        ("frozen_parameter",), partial(k_max, False),
    ),
    Case(
        "forest-sounds-kernels-begin-as-means", Goal("accuracy", at_least=0.85),
        partial(sound_kernels, averaged), ("symmetric_weights", "poor_initialization"),
        partial(sound_kernels, nn.init.kaiming_normal_),
    ),
    Case(
        "mixtures-divergence-of-absent-species", Goal("error", at_most=0.06),
        partial(mixtures, True), ("non_finite",), partial(mixtures, False),
    ),
    Case(
        "wood-spectra-threshold-of-units-too-high", Goal("accuracy", at_least=0.85),
        partial(shrunk, 2.5), ("dormant_units", "dead_relu"), partial(shrunk, 0.05),
    ),
    Case(
        "barks-in-patches-at-a-twentieth", Goal("accuracy", at_least=0.85),
        partial(patches, 0.05), ("learning_rate_too_high",), partial(patches, 1e-3),
    ),
    Case(
        "recordings-in-order-of-completion", Goal("accuracy", at_least=0.85),
        partial(recordings, forestry.completed), ("inconsistent_labels", "not_learning"),
        partial(recordings, as_listed),
    ),
)  # fmt: skip
