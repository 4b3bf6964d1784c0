"""Networks for molecules, clusters of atoms, and cells."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Published, adamw, tensor_case
from data_sets import Split, as_tensor, split
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


@cache
def formulas() -> list[tuple[str, float]]:
    """SMILES of made-up chains of groups, and the logarithm of how much better oil solves them."""
    from rdkit.Chem import Crippen, MolFromSmiles

    groups = (
        "C", "CC", "C(C)", "O", "N", "C(=O)", "C(F)", "C(Cl)", "C(O)", "C=C", "S", "C(=O)N",
        "C(C#N)", "c1ccc(cc1)", "c1ccnc(c1)", "C1CCC(CC1)",
    )  # fmt: skip
    draw = np.random.default_rng(0)
    chains = ["C" + "".join(draw.choice(groups, draw.integers(2, 7))) for _ in range(900)]
    return [(chain, Crippen.MolLogP(MolFromSmiles(chain))) for chain in dict.fromkeys(chains)]


@cache
def molecule_sets() -> tuple[Any, Any, Any]:
    """Graphs of molecules to train and to validate on, and how the first's targets were scaled."""
    from chemprop.data import MoleculeDatapoint, MoleculeDataset

    points = [MoleculeDatapoint.from_smi(chain, [value]) for chain, value in formulas()]
    cut = 3 * len(points) // 4
    train, validation = MoleculeDataset(points[:cut]), MoleculeDataset(points[cut:])
    scaler = train.normalize_targets()
    validation.normalize_targets(scaler)
    train.cache = validation.cache = True
    return train, validation, scaler


def message_passing(predictor: str) -> LightningModule:
    """The package's model, a third as wide; it holds its optimiser and its warm-up itself."""
    from chemprop import models
    from chemprop import nn as layers

    scale = layers.UnscaleTransform.from_standard_scaler(molecule_sets()[2])
    return models.MPNN(
        layers.BondMessagePassing(d_h=96), layers.MeanAggregation(),
        getattr(layers, predictor)(input_dim=96, hidden_dim=96, output_transform=scale),
        batch_norm=True, metrics=[layers.metrics.R2Score()],
    )  # fmt: skip


def molecules(*, train: bool) -> Any:
    from chemprop.data import build_dataloader

    return build_dataloader(molecule_sets()[0 if train else 1], batch_size=32, shuffle=train)


def molecule_case(model: str, predictor: str, epochs: int, goal: Goal) -> Case:
    return Case(
        f"chemprop/{model}", "solubility of molecules", lambda: message_passing(predictor),
        lambda: molecules(train=True), lambda: molecules(train=False), epochs, goal,
    )  # fmt: skip


ATOMS = 6


@cache
def clusters() -> Split:
    """Six atoms of two kinds near each other: kinds, places, and energy, of a variance of 1."""
    draw = np.random.default_rng(0)
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    places = as_tensor(1.2 * corners + 0.15 * draw.normal(size=(1200, ATOMS, 3)))
    kinds = as_tensor(np.where(draw.random((1200, ATOMS)) < 0.5, 6, 8))
    energy = bonds(kinds, places)
    return split(kinds, places, (energy - energy.mean()) / energy.std())


def bonds(kinds: Tensor, places: Tensor) -> Tensor:
    """Morse's potential of each two atoms, deeper for two of the same kind."""
    first, second = torch.triu_indices(ATOMS, ATOMS, 1)
    distance = (places[:, first] - places[:, second]).norm(dim=-1)
    depth = torch.where(kinds[:, first] == kinds[:, second], 1.5, 1.0)
    return (depth * ((1 - torch.exp(1.8 - distance)) ** 2 - 1)).sum(1)


def symmetry_functions() -> LightningModule:
    """The package's networks, one for each kind of atom, of functions of what surrounds an atom."""
    from torchani.arch import simple_ani

    network = simple_ani(("C", "O"), "wb97x-631gd", repulsion=False, self_energies="zero")

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        kinds, places, energy = batch
        error = F.mse_loss(network((kinds, places)).energies, energy)
        return {"loss": error / ATOMS**0.5, "mse": error}

    return Published(network, step, adamw(5e-4))


class Counts(Dataset[Any]):
    """Cells of four kinds: how often each of 120 genes was read, and in which of two batches."""

    def __init__(self, *, train: bool) -> None:
        draw = np.random.default_rng(0)
        kinds, batches = draw.integers(0, 4, 1600), draw.integers(0, 2, 1600)
        usual = np.exp(draw.normal(size=(4, 120)) + 0.3 * draw.normal(size=(2, 1, 120)))
        depth = 600 * np.exp(0.3 * draw.normal(size=(1600, 1)))
        means = usual[batches, kinds]
        means = depth * means / means.sum(1, keepdims=True)
        counts = draw.poisson(draw.gamma(3, means / 3))
        part = slice(0, 1200) if train else slice(1200, None)
        self.counts, self.batches = as_tensor(counts[part]).float(), as_tensor(batches[part])

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """A row by the names that the package has for its columns."""
        batch = self.batches[index, None]
        return {"X": self.counts[index], "batch": batch, "labels": torch.zeros_like(batch)}


def single_cells() -> LightningModule:
    """The package's autoencoder and its training plan, which lets the divergence in slowly."""
    from scvi.module import VAE
    from scvi.train import TrainingPlan

    plan = TrainingPlan(VAE(120, n_batch=2, gene_likelihood="nb"), n_epochs_kl_warmup=20)
    plan.n_obs_training, plan.n_obs_validation = 1200, 400
    return plan


CASES = (
    # The sum of the groups' own shares is nearly all of it.
    molecule_case("MPNN", "RegressionFFN", 15, Goal("val/r2", at_least=0.9)),
    molecule_case("MPNN, evidential", "EvidentialFFN", 20, Goal("val/r2", at_least=0.85)),
    tensor_case(
        "torchani/ANI", "energy of atoms", symmetry_functions, clusters, 12,
        Goal("val_mse", at_most=0.1),
    ),
    # Who knows the mean of each gene only has 307 nats.
    Case(
        "scvi_tools/SCVI", "counts of genes", single_cells,
        lambda: DataLoader(Counts(train=True), 128, shuffle=True),
        lambda: DataLoader(Counts(train=False), 128), 40, Goal("elbo_validation", at_most=292),
    ),
)  # fmt: skip
