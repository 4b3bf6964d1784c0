"""Trainings of a chemical laboratory: what its instruments measure, and what molecules do."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import chemistry
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Residual(nn.Module):
    """Two convolutions along a spectrum, added to what came in."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, width, 5, stride, 2, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, width, 5, 1, 2, bias=False), nn.BatchNorm1d(width),
        )  # fmt: skip
        self.skip = nn.Conv1d(channels, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.skip(x))


class RamanNet(LightningModule):
    """Spectra are shifted, scaled and made noisier in training; one cycle of the rate."""

    def __init__(self, steps: int, rate: float = 5e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Conv1d(1, 12, 7, 2, 3), nn.ReLU(), Residual(12, 16, 2), Residual(16, 24, 2),
            nn.AdaptiveAvgPool1d(5), nn.Flatten(), nn.Dropout(0.3), nn.Linear(120, 12),
        )  # fmt: skip

    def forward(self, spectrum: Tensor) -> Tensor:
        centred = spectrum - spectrum.mean(1, keepdim=True)
        logits: Tensor = self.net(centred[:, None])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = x.roll(int(torch.randint(-2, 3, ())), 1) * (1 + 0.1 * torch.randn(len(x), 1))
        loss = F.cross_entropy(self(x + 0.05 * torch.randn_like(x)), y)
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        rate, steps = self.hparams["rate"], self.hparams["steps"]
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def powders() -> Program:
    """A third of the training's labels were copied from the wrong jars."""
    data = chemistry.raman(wrong=0.33)
    train, test = loaders(data, 64)
    module = RamanNet(12 * len(train))
    return Program(module, train, test, 12, partial(accuracy, module, data))


class BondNetwork(LightningModule):
    """Sums over bonded atoms, each sum through a small network, and a sum over all atoms.

    Heats are learnt in deviations from their mean and told in kJ/mol.
    """

    def __init__(
        self, mean: float, deviation: float, activation: Callable[[], nn.Module] = nn.ReLU,
        rounds: int = 4, width: int = 48, lr: float = 2e-3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.save_hyperparameters(ignore=["activation"])
        self.embed = nn.Linear(chemistry.KINDS, width)
        self.updates = nn.ModuleList(
            mlp([width, width, width], activation).append(activation()) for _ in range(rounds)
        )
        self.readout = mlp([width, width, 1], activation)

    def standard(self, molecule: Tensor) -> Tensor:
        atoms, bonds = molecule[..., : chemistry.KINDS], molecule[..., chemistry.KINDS :]
        there = atoms.sum(-1, keepdim=True)
        h = self.embed(atoms)
        for update in self.updates:
            h = update(h + bonds @ h) * there
        heat: Tensor = (self.readout(h) * there).sum((1, 2)) / 4
        return heat

    def forward(self, molecule: Tensor) -> Tensor:
        mean, deviation = self.hparams["mean"], self.hparams["deviation"]
        heat: Tensor = mean + deviation * self.standard(molecule)
        return heat

    def error(self, batch: list[Tensor]) -> Tensor:
        target = (batch[1] - self.hparams["mean"]) / self.hparams["deviation"]
        return F.smooth_l1_loss(self.standard(batch[0]), target)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.error(batch))
        self.log("val_mae_kj", (self(batch[0]) - batch[1]).abs().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_loss"},
        }


def bonds(activation: Callable[[], nn.Module] = nn.ReLU, **options: Any) -> Program:
    data = chemistry.molecules()
    module = BondNetwork(data.y.mean().item(), data.y.std().item(), activation, **options)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 24, partial(r2, module, data), trainer)


class PeptideEncoder(LightningModule):
    """A small transformer, norms behind its additions, and a warm-up of the rate."""

    def __init__(self, lr: float, warm_up: int = 80, width: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.letters = nn.Embedding(21, width, padding_idx=0)
        self.places = nn.Parameter(0.1 * torch.randn(20, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.05, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 1)

    def forward(self, letters: Tensor) -> Tensor:
        empty = letters == 0
        h = self.encoder(self.letters(letters) + self.places, src_key_padding_mask=empty)
        h = h.masked_fill(empty[..., None], 0.0).sum(1) / (~empty).sum(1, keepdim=True).sqrt()
        time: Tensor = self.head(h).squeeze(1)
        return time

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("mae", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])
        warm_up = self.hparams["warm_up"]
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / warm_up, (warm_up / (step + 1)) ** 0.5)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def retention() -> Program:
    data, module = chemistry.peptides(), PeptideEncoder(3e-3)
    return Program(module, *loaders(data, 32), 16, partial(r2, module, data))


class FoldTagger(LightningModule):
    """Helix, strand or coil by an LSTM of both directions; letters are left out at random."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(22, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 3))

    def forward(self, residues: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.lstm(self.embedding(residues))[0])
        return logits

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        residues, labels = batch
        if self.training:
            left_out = (torch.rand(residues.shape) < 0.15) & (residues > 0)
            residues = residues.masked_fill(left_out, 21)
        logits = self(residues)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        right = (logits.argmax(-1) == labels)[labels >= 0]
        self.log_dict({f"{stage}_loss": loss, f"{stage}_q3": right.float().mean()})
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=3e-3)


def residues() -> Program:
    data, module = chemistry.folds(), FoldTagger()

    def score() -> float:
        right = outputs(module, data.x_test).argmax(-1) == data.y_test
        return right[data.y_test >= 0].float().mean().item()

    return Program(module, *loaders(data, 16), 14, score, {"gradient_clip_val": 1.0})


class HitFinder(LightningModule):
    """Focal loss for the few that inhibit; batches as dictionaries."""

    def __init__(self, gamma: float = 2.0, alpha: float = 0.75) -> None:
        super().__init__()
        self.net = mlp([40, 96, 48, 1], nn.SiLU, norm=nn.LayerNorm, dropout=0.2)
        self.gamma, self.alpha = gamma, alpha

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x).squeeze(-1)
        return logit

    def focal(self, batch: dict[str, Tensor]) -> Tensor:
        logit, hit = self(batch["features"]), batch["hit"].float()
        loss = F.binary_cross_entropy_with_logits(logit, hit, reduction="none")
        weight = self.alpha * hit + (1 - self.alpha) * (1 - hit)
        return (weight * (1 - torch.exp(-loss)) ** self.gamma * loss).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.focal(batch)
        self.log("focal", loss)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_focal", self.focal(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def named(x: Tensor, y: Tensor) -> list[dict[str, Tensor]]:
    return [{"features": a, "hit": b} for a, b in zip(x, y, strict=True)]


def hits() -> Program:
    """Scored by the share of the hits among as many best compounds as there are hits."""
    data, module = chemistry.screen(), HitFinder()
    train: Any = named(data.x, data.y)
    test: Any = named(data.x_test, data.y_test)

    def score() -> float:
        best = outputs(module, data.x_test).topk(int(data.y_test.sum())).indices
        return data.y_test[best].float().mean().item()

    train_loader = DataLoader(train, 64, shuffle=True)
    return Program(module, train_loader, DataLoader(test, 400), 16, score)


class SpectrumEmbedding(LightningModule):
    """Two measurements of one compound are to be nearer than those of the others in the batch."""

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Dropout(0.2), *mlp([256, 128, 64], nn.GELU))
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())

    def forward(self, spectrum: Tensor) -> Tensor:
        return F.normalize(self.encoder(16 * spectrum), dim=-1)

    def contrast(self, times: Tensor) -> Tensor:
        a, b = torch.randperm(times.shape[1])[:2].tolist()
        logits = self.log_scale.exp() * self(times[:, a]) @ self(times[:, b]).T
        same = torch.arange(len(times))
        return (F.cross_entropy(logits, same) + F.cross_entropy(logits.T, same)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.contrast(batch[0])
        self.log("info_nce", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def library() -> Program:
    """Compounds that were not trained on are looked up among each other."""
    data, module = chemistry.fragments(), SpectrumEmbedding()

    def score() -> float:
        near = outputs(module, data.query) @ outputs(module, data.library).T
        return (near.argmax(-1) == torch.arange(len(near))[:, None]).float().mean().item()

    train = DataLoader(TensorDataset(data.known), 80, shuffle=True)
    return Program(module, train, None, 100, score)


class TabletHead(LightningModule):
    """Principal components of spectra without assays as a frozen layer, and a small head."""

    def __init__(self, spectra: Tensor, components: int = 10) -> None:
        super().__init__()
        centre = spectra.mean(0)
        _, values, rows = torch.linalg.svd(spectra - centre, full_matrices=False)
        whitening = rows[:components] / values[:components, None] * len(spectra) ** 0.5
        self.components = nn.Linear(spectra.shape[1], components)
        self.components.load_state_dict({"weight": whitening, "bias": -whitening @ centre})
        self.components.requires_grad_(False)
        self.head = mlp([components, 32, 1], nn.Tanh, dropout=0.1)

    def forward(self, spectrum: Tensor) -> Tensor:
        found: Tensor = self.head(self.components(spectrum)).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trained, lr=5e-3, weight_decay=1e-3)


def assayed() -> Program:
    data, others = chemistry.tablets()
    module = TabletHead(others)
    return Program(module, *loaders(data, 20), 60, partial(r2, module, data))


CASES: tuple[Case, ...] = (
    Case("powders-third-out-of-wrong-jars", Goal("accuracy", at_least=0.85), powders),
    Case("heats-of-formation-in-deviations", Goal("R2", at_least=0.8), bonds),
    Case("peptides-retained-attention-warmed-up", Goal("R2", at_least=0.85), retention),
    Case("folds-of-residues-letters-left-out", Goal("Q3", at_least=0.72), residues),
    Case("inhibitors-one-in-twenty-five-focal", Goal("hits found", at_least=0.45), hits),
    Case("fragments-looked-up-in-a-library", Goal("recall at 1", at_least=0.75), library),
    Case("tablets-frozen-principal-components", Goal("R2", at_least=0.85), assayed),
)
