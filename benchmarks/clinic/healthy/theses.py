"""Theses and homework that came out well."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import theses
from data_sets.samples import (
    Samples,
    cancer,
    clear_circle,
    diabetes,
    digit_images,
    digits,
    loaders,
    scaled_targets,
    standardized,
    wine,
)  # fmt: skip
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, binary_accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MeanAndDeviation(LightningModule):
    """Tells how sure it is, as the logarithm of a variance; small data, much of them noise."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Dropout(0.3))
        self.mean, self.log_variance = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.body(x)
        return torch.cat([self.mean(hidden), self.log_variance(hidden)], 1)

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        mean, log_variance = self(x).unbind(1)
        return F.gaussian_nll_loss(mean, y, log_variance.exp())

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_nll", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def sure_diabetes() -> Program:
    data, module = scaled_targets(standardized(diabetes())), MeanAndDeviation()

    def score() -> float:
        mean, log_variance = outputs(module, data.x_test).unbind(1)
        return F.gaussian_nll_loss(mean, data.y_test, log_variance.exp()).item()

    return Program(module, *loaders(data, 16), 25, score)


class EulerCircle(LightningModule):
    """A neural differential equation: points with a third, empty coordinate flow for a while."""

    def __init__(self, steps: int = 10) -> None:
        super().__init__()
        self.steps = steps
        self.field = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
        self.head = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        state = F.pad(x, (0, 1))
        for step in range(self.steps):
            time = state.new_full((len(state), 1), step / self.steps)
            state = state + self.field(torch.cat([state, time], 1)) / self.steps
        out: Tensor = self.head(state)
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(x), y.float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def flowing() -> Program:
    data, module = clear_circle(), EulerCircle()
    return Program(module, *loaders(data, 50), 25, partial(binary_accuracy, module, data))


class Denoiser(LightningModule):
    """Learns what noise was added to a digit, at any of a hundred strengths."""

    def __init__(self, levels: int = 100) -> None:
        super().__init__()
        self.levels = levels
        beta = torch.linspace(1e-3, 0.1, levels)
        self.register_buffer("kept", (1 - beta).cumprod(0))
        self.time = nn.Embedding(levels, 128)
        self.first, self.second = nn.Linear(64, 128), nn.Linear(128, 128)
        self.last = nn.Linear(128, 64)

    kept: Tensor

    def forward(self, noisy: Tensor, level: Tensor) -> Tensor:
        hidden = F.silu(self.first(noisy) + self.time(level))
        hidden = hidden + F.silu(self.second(hidden))
        out: Tensor = self.last(hidden)
        return out

    def loss(self, x: Tensor) -> Tensor:
        level = torch.randint(self.levels, (len(x),), device=x.device)
        noise, kept = torch.randn_like(x), self.kept[level, None]
        noisy = kept.sqrt() * (2 * x - 1) + (1 - kept).sqrt() * noise
        return F.mse_loss(self(noisy, level), noise)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("simple_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_simple_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def denoised() -> Program:
    data, module = digits(), Denoiser()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return torch.stack([module.loss(data.x_test) for _ in range(10)]).mean().item()

    return Program(module, *loaders(data, 64), 40, score, {"gradient_clip_val": 1.0})


class Reverser(LightningModule):
    """An encoder that says a string from its end, warmed up as in the first transformer."""

    def __init__(self, length: int = 8, width: int = 48, warm: int = 100) -> None:
        super().__init__()
        self.warm, self.width = warm, width
        self.letters = nn.Embedding(theses.LETTERS + 1, width)
        self.places = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(width, 4, 96, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, theses.LETTERS + 1)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(x.shape[1], device=x.device)
        logits: Tensor = self.out(self.encoder(self.letters(x) + self.places(places)))
        return logits

    def loss(self, x: Tensor) -> Tensor:
        return F.cross_entropy(self(x).mT, x.flip(1))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log_dict({"loss": loss, "lr": rate}, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch[0]))

    def rate(self, step: int) -> float:
        step += 1
        return float(self.width**-0.5 * min(step**-0.5, step * self.warm**-1.5))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), 0.4, (0.9, 0.98), eps=1e-9)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def reversed_strings() -> Program:
    strings, others = theses.strings()
    module = Reverser()
    train = DataLoader(TensorDataset(strings), 50, shuffle=True)
    test = DataLoader(TensorDataset(others), 250)

    def score() -> float:
        return (outputs(module, others).argmax(-1) == others.flip(1)).float().mean().item()

    return Program(module, train, test, 14, score)


class GatedFeatures(LightningModule):
    """Chooses among the measurements of a wine: a gate for each, pushed towards zero."""

    def __init__(self, weight: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gates = nn.Parameter(torch.ones(13))
        self.net = mlp([13, 24, 3])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(self.gates * x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        data_loss = F.cross_entropy(self(x), y)
        sparsity = self.gates.abs().sum()
        self.log("data_loss", data_loss)
        self.log("open_gates", (self.gates.abs() > 0.1).float().sum())
        loss: Tensor = data_loss + self.hparams["weight"] * sparsity
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def chosen() -> Program:
    data, module = standardized(wine()), GatedFeatures()
    return Program(module, *loaders(data, 16), 40, partial(accuracy, module, data))


class Twins(LightningModule):
    """Two changed views of a digit must agree, while the features are not alike."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, width),
        )  # fmt: skip
        self.projector = nn.Sequential(
            nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 96), nn.BatchNorm1d(96, affine=False)
        )

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.encoder(image)
        return features

    def view(self, image: Tensor) -> Tensor:
        """Each shifted by up to a pixel or so, turned and stretched a little, and noisy."""
        still = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        moves = still + torch.randn(len(image), 2, 3) * torch.tensor([0.1, 0.1, 0.15])
        grid = F.affine_grid(moves, list(image.shape), align_corners=False)
        moved = F.grid_sample(image, grid, align_corners=False)
        return moved + 0.1 * torch.randn_like(image)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        image = batch[0]
        a, b = (self.projector(self(self.view(image))) for _ in range(2))
        alike: Tensor = a.T @ b / len(image)
        on = (alike.diagonal() - 1).square().sum()
        off = alike.square().sum() - alike.diagonal().square().sum()
        self.log_dict({"on_diagonal": on, "off_diagonal": off})
        loss: Tensor = on + 0.01 * off
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-6)


def neighbours(module: LightningModule, data: Samples) -> float:
    """Accuracy of the five nearest training digits by the cosine of their features."""
    known = F.normalize(outputs(module, data.x))
    found = F.normalize(outputs(module, data.x_test))
    nearest = (found @ known.T).topk(5).indices
    return (data.y[nearest].mode(1).values == data.y_test).float().mean().item()


def twins() -> Program:
    data, module = digit_images(), Twins()
    train, _ = loaders(data, 64, drop_last=True)
    return Program(module, train, None, 40, partial(neighbours, module, data))


class TwoTasks(LightningModule):
    """Malignant or not, and the mean radius of the cells, of all other measurements.

    Each loss is weighed by a variance that is learned, so that their sum falls below zero.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(29, 48), nn.ELU(), nn.Linear(48, 24), nn.ELU())
        self.tumour, self.radius = nn.Linear(24, 1), nn.Linear(24, 1)
        self.log_variances = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.tumour(self.trunk(x[:, 1:]))
        return logit.squeeze(1)

    def losses(self, batch: Any) -> Tensor:
        x, y = batch
        hidden = self.trunk(x[:, 1:])
        tumour = F.binary_cross_entropy_with_logits(self.tumour(hidden).squeeze(1), y.float())
        return torch.stack([tumour, F.mse_loss(self.radius(hidden).squeeze(1), x[:, 0])])

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        self.log_dict({"bce": losses[0], "mse": losses[1]})
        total = (losses * (-self.log_variances).exp() + 0.5 * self.log_variances).sum()
        self.log("total", total)
        return total

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        losses = self.losses(batch)
        self.log_dict({"val_bce": losses[0], "val_mse": losses[1]})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def two_tasks() -> Program:
    data, module = standardized(cancer()), TwoTasks()
    return Program(module, *loaders(data, 32), 20, partial(binary_accuracy, module, data))


CASES = (
    Case(
        "diabetes-mean-and-its-deviation",
        Goal("likelihood", at_most=0.25), sure_diabetes,
    ),
    Case("circle-flows-in-euler-steps", Goal("accuracy", at_least=0.97), flowing),
    Case("digits-noise-of-any-strength-told", Goal("MSE", at_most=0.35), denoised),
    Case("strings-from-their-end-warmed-up", Goal("accuracy", at_least=0.95), reversed_strings),
    Case("wine-gates-pushed-to-zero", Goal("accuracy", at_least=0.92), chosen),
    Case("digits-twins-of-two-views", Goal("accuracy", at_least=0.95), twins),
    Case("cancer-two-tasks-weighed-by-variance", Goal("accuracy", at_least=0.93), two_tasks),
)  # fmt: skip
