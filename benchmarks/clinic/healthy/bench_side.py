"""What scientists train beside their instruments: light curves, atoms, nuclei, cells, neurons."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.bench import (
    Patients,
    clusters_of_atoms,
    concordance,
    light_curves,
    nuclei,
    patients,
    spectra,
)
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import RegressionTask, mlp
from scores import r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class TransitFitter(LightningModule):
    """Depth and duration, two heads of one trunk."""

    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.trunk = nn.Sequential(
            nn.Conv1d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv1d(16, 32, 5, 2, 2), nn.ReLU(),
            nn.Conv1d(32, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 48), nn.ReLU(),
        )  # fmt: skip
        self.depth, self.duration = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        z = self.trunk(x)
        return torch.cat([self.depth(z), self.duration(z)], 1)

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        found, truth = self(batch[0]), batch[1][:, 1:]
        depth, duration = F.mse_loss(found[:, 0], truth[:, 0]), F.mse_loss(found[:, 1], truth[:, 1])
        self.log_dict({f"{stage}_depth": depth, f"{stage}_duration": duration})
        return depth + 0.5 * duration

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.shared_step(batch, "val"))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.4)]


def transits(lr: float = 1e-3) -> Program:
    data, module = light_curves(), TransitFitter(lr)
    wanted = data._replace(y=data.y[:, 1:], y_test=data.y_test[:, 1:])
    return Program(module, *loaders(data, 32), 8, partial(r2, module, wanted))


class HazardNet(LightningModule):
    """Chance to die in each interval, of those who reached it (nnet-survival)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp([8, 32, 32, 10], nn.SELU)

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, interval, died = batch
        logits, steps = self.body(x), torch.arange(10)
        reached = (steps <= interval[:, None]).float()
        event = (steps == interval[:, None]) * died[:, None]
        each = F.binary_cross_entropy_with_logits(logits, event, reduction="none")
        return (each * reached).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": self.nll(batch)}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("nll/val", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def hazards() -> Program:
    known, module = patients(), HazardNet()
    train, test = Patients(*(p[900:] for p in known)), Patients(*(p[:900] for p in known))

    @torch.no_grad()
    def score() -> float:
        return concordance(module.eval().body(test.x).sigmoid().sum(1), test)

    rows = TensorDataset(*train), TensorDataset(*test)
    return Program(module, DataLoader(rows[0], 64, True), DataLoader(rows[1], 900), 12, score)


class SpectraMLP(RegressionTask):
    """Density and temperature of a gas, one cycle of the rate."""

    def forward(self, features: Tensor) -> Tensor:
        return self.backbone(features)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def temperatures() -> Program:
    module = SpectraMLP(mlp([120, 96, 96, 2], nn.GELU, norm=nn.LayerNorm))
    trainer = {"precision": "bf16-mixed", "gradient_clip_val": 1.0}
    score = partial(r2, module, spectra())
    return Program(module, *loaders(spectra(), 32), 10, score, trainer)


class AtomPotential(LightningModule):
    """Energies as sums over pairs of atoms; the forces are its derivative, and are fitted too."""

    def __init__(self, activation: Any = nn.SiLU) -> None:
        super().__init__()
        self.pair = mlp([2, 32, 32, 1], activation)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, places: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            places = places.detach().requires_grad_()
            i, j = torch.triu_indices(5, 5, 1)
            r = (places[:, i] - places[:, j]).norm(dim=2, keepdim=True)
            energy = self.pair(torch.cat([r - 1.6, 1 / r - 0.7], 2)).sum((1, 2)) + self.shift
            (slope,) = torch.autograd.grad(energy.sum(), places, create_graph=self.training)
        return energy, -slope

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        energy, force = self(batch[0])
        parts = {"mse_E": F.mse_loss(energy, batch[1]), "mse_F": F.mse_loss(force, batch[2])}
        self.log_dict(parts, prog_bar=True)
        return parts["mse_E"] + parts["mse_F"]

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        energy, force = self(batch[0])
        self.log("rmse_E", F.mse_loss(energy, batch[1]).sqrt())
        self.log("rmse_F", F.mse_loss(force, batch[2]).sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def atoms(activation: Any = nn.SiLU) -> Program:
    known, module = clusters_of_atoms(), AtomPotential(activation)
    test = [part[:300] for part in known]

    def score() -> float:
        error = F.mse_loss(module.eval()(test[0])[1], test[2])
        return 1 - (error / test[2].var()).item()

    train = DataLoader(TensorDataset(*(part[300:] for part in known)), 20, shuffle=True)
    validation = DataLoader(TensorDataset(*test), 100)
    return Program(module, train, validation, 15, score, {"inference_mode": False})


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    p = logits.sigmoid()
    return (2 * (p * mask).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)


class NucleiNet(LightningModule):
    """Down, across and up again; cross-entropy and Dice together."""

    def __init__(self, lr: float = 0.05, steps: int = 400) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fine = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU())
        self.coarse = nn.Sequential(
            nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(24, 12, 2, 2),
        )  # fmt: skip
        self.head = nn.Conv2d(24, 1, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.fine((picture - 0.35) / 0.2)
        return self.head(torch.cat([fine, self.coarse(fine)], 1))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["image"])
        bce = F.binary_cross_entropy_with_logits(logits, batch["mask"])
        overlap = dice(logits, batch["mask"]).mean()
        self.log_dict({"train/bce": bce, "train/dice": overlap})
        return bce + 1 - overlap

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val/dice", dice(self(batch["image"]), batch["mask"]).mean())

    def configure_optimizers(self) -> Any:
        lr, steps = self.hparams["lr"], self.hparams["steps"]
        optimizer = torch.optim.SGD(self.parameters(), lr=lr, momentum=0.9, nesterov=True)
        poly = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, 0.9)
        return [optimizer], [{"scheduler": poly, "interval": "step"}]


class Micrographs(Dataset[dict[str, Tensor]]):
    """Pictures and masks, by name."""

    def __init__(self, pictures: Tensor, masks: Tensor) -> None:
        self.pictures, self.masks = pictures, masks

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"image": self.pictures[index], "mask": self.masks[index]}


def segmentation(lr: float = 0.05, order: Tensor | None = None) -> Program:
    pictures, masks = nuclei()
    module = NucleiNet(lr)
    trained = masks[100:] if order is None else masks[100:][order]
    train = DataLoader(Micrographs(pictures[100:], trained), 8, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        hard = (module.eval()(pictures[:100]) > 0).float()
        return (2 * (hard * masks[:100]).sum() / (hard.sum() + masks[:100].sum())).item()

    test = DataLoader(Micrographs(pictures[:100], masks[:100]), 50)
    return Program(module, train, test, 8, score)


CASES = (
    Case("patients-hazards-of-ten-intervals", Goal("concordance", at_least=0.7), hazards),
    Case("spectra-of-a-gas-in-bfloat16", Goal("R2", at_least=0.9), temperatures),
    Case("atoms-energies-and-forces", Goal("R2", at_least=0.95), atoms),
    Case("nuclei-dice-and-entropy-poly", Goal("Dice", at_least=0.85), segmentation),
)
