"""What goes wrong in a chemical laboratory: rates, units, constants and layers of its models."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import chemistry
from data_sets.samples import loaders, standardized
from healthy.chemistry import bonds
from lightning.pytorch import LightningModule
from modules import mlp
from programs import regression
from scores import binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class RetentionGRU(LightningModule):
    """Letters, convolved and read in both directions, and the states summed."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(21, 24, padding_idx=0)
        self.conv = nn.Conv1d(24, 32, 3, padding=1)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.head = mlp([64, 32, 1])

    def forward(self, letters: Tensor) -> Tensor:
        h = F.relu(self.conv(self.embed(letters).transpose(1, 2))).transpose(1, 2)
        states = self.gru(h)[0] * (letters > 0)[..., None]
        time: Tensor = self.head(states.sum(1) / 4).squeeze(1)
        return time

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


def retention(learning_rate: float) -> Program:
    """The rate is the one that plain descent needed in the group's earlier model."""
    data, module = chemistry.peptides(), RetentionGRU(learning_rate)
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


def solubility(prepared: bool) -> Program:
    """Descriptors as the toolkit gives them, one of them in the hundreds of thousands."""
    data = chemistry.descriptors()
    if prepared:
        logs = chemistry.logged(data.x), chemistry.logged(data.x_test)
        data = standardized(data.with_inputs(*logs))
    return regression(data, mlp([17, 64, 32, 1], dropout=0.1), batch_size=32, epochs=20)


class Kinetics(LightningModule):
    """Rates by Arrhenius, integrated in small steps, and the detector's gain and offset."""

    def __init__(self, copied: bool) -> None:
        super().__init__()
        self.copied = copied
        self.log_rates = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(2))
        self.activation_energy = nn.Parameter(torch.ones(2))
        self.gain, self.offset = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, start: Tensor) -> Tensor:
        warm, state = start[:, :1], start[:, 1:]
        if self.copied:
            log_rates = torch.tensor([float(rate) for rate in self.log_rates])
        else:
            log_rates = torch.stack(list(self.log_rates))
        rate = torch.exp(log_rates + self.activation_energy * warm)
        moves = torch.tensor([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
        seen = []
        for step in range(64):
            state = state + (rate * state[:, :2] / 32) @ moves
            if step % 4 == 3:
                seen.append(self.gain * state + self.offset)
        return torch.stack(seen, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("residual", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_residual", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02)


def kinetics(copied: bool) -> Program:
    """The two rates are gathered by ``torch.tensor``, which leaves their gradients behind."""
    data, module = chemistry.reactors(), Kinetics(copied)

    def score() -> float:
        error = outputs(module, data.x_test) - data.y_test
        return (1 - error.square().mean() / data.y_test.var()).item()

    return Program(module, *loaders(data, 20), 25, score)


class FunctionNet(LightningModule):
    """Functions of proteins; those that touch are to be given similar answers."""

    def __init__(self, data: chemistry.Network, summed: bool, weight: float = 0.05) -> None:
        super().__init__()
        self.proteins, self.pairs = data.x, data.pairs
        self.summed, self.weight = summed, weight
        self.net = mlp([24, 48, 5], nn.ReLU, dropout=0.2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        numbers, function = batch
        logits = self(self.proteins)
        entropy = F.cross_entropy(logits[numbers], function)
        apart = (logits[self.pairs[0]] - logits[self.pairs[1]]).square().sum(1)
        smooth: Tensor = self.weight * (apart.sum() if self.summed else apart.mean())
        self.log_dict({"ce": entropy, "laplacian": smooth})
        return entropy + smooth

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_ce", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def functions(summed: bool) -> Program:
    """Differences of the pairs are summed, while the loss of the labels is a mean."""
    data, labelled = chemistry.interactions(), 300
    module = FunctionNet(data, summed)
    numbers = TensorDataset(torch.arange(labelled), data.y[:labelled])
    unknown = TensorDataset(data.x[labelled:], data.y[labelled:])

    def score() -> float:
        found = outputs(module, data.x[labelled:]).argmax(1)
        return (found == data.y[labelled:]).float().mean().item()

    train = DataLoader(numbers, 32, shuffle=True)
    return Program(module, train, DataLoader(unknown, 300), 25, score)


class Dye(LightningModule):
    """How much dye there is, from its absorption."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 7, 2, 3), nn.ReLU(), nn.Conv1d(8, 16, 5, 2, 2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Dropout(0.2),
        )  # fmt: skip
        self.regressor = nn.Linear(128, 1)

    def forward(self, spectrum: Tensor) -> Tensor:
        amount: Tensor = self.regressor(self.features(spectrum[:, None])).squeeze(1)
        return amount

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/huber", F.huber_loss(found, batch[1]))
        self.log("val/r2", 1 - F.mse_loss(found, batch[1]) / batch[1].var(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def each_alone(x: Tensor) -> Tensor:
    """Each spectrum less its mean and in parts of its deviation, which is common for powders."""
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)


def dye(alone: bool) -> Program:
    """Scaled one by one, the spectra of much and of little dye are the same."""
    data, module = chemistry.solutions(), Dye()
    if alone:
        data = data.with_inputs(each_alone(data.x), each_alone(data.x_test))
    else:
        mean, deviation = data.x.mean(), data.x.std()
        data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class BindingNet(LightningModule):
    """A tower for the ligand and one for the pocket, put side by side and joined."""

    def __init__(self, activation: Callable[[], nn.Module] | None) -> None:
        super().__init__()
        norm = nn.BatchNorm1d
        self.ligand = mlp([64, 64, 32], activation, norm=norm, dropout=0.1)
        self.pocket = mlp([32, 64, 32], activation, norm=norm, dropout=0.1)
        self.joint = mlp([64, 64, 32, 1], activation, norm=norm, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        towers = torch.cat([self.ligand(x[:, :64]), self.pocket(x[:, 64:])], 1)
        logit: Tensor = self.joint(towers).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, batch[1].float()))
        self.log("val_acc", ((logit > 0) == (batch[1] > 0)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def binding(activation: Callable[[], nn.Module] | None) -> Program:
    data, module = chemistry.bindings(), BindingNet(activation)
    return Program(module, *loaders(data, 64), 20, partial(binary_accuracy, module, data))


CASES = (
    Case(
        "peptides-retained-adam-at-a-rate-for-descent", Goal("R2", at_least=0.9),
        partial(retention, 0.1), ("learning_rate_too_high",), partial(retention, 2e-3),
    ),
    Case(
        "solubility-descriptors-as-calculated", Goal("R2", at_least=0.6),
        partial(solubility, False), ("unnormalized_input",), partial(solubility, True),
    ),
    Case(
        "reactors-rates-gathered-by-a-new-tensor", Goal("R2", at_least=0.95),
        partial(kinetics, True), ("frozen_parameter",), partial(kinetics, False),
    ),
    Case(
        "proteins-neighbours-pulled-together-by-a-sum", Goal("accuracy", at_least=0.7),
        partial(functions, True), ("over_regularized", "not_learning"), partial(functions, False),
    ),
    Case(
        "heats-of-formation-sigmoids-at-each-bond", Goal("R2", at_least=0.7),
        partial(bonds, nn.Sigmoid, rounds=6, lr=1e-3), ("vanishing_gradient",),
        partial(bonds, nn.ReLU, rounds=6, lr=1e-3),
    ),
    Case(
        "dye-spectra-scaled-each-by-itself", Goal("R2", at_least=0.85), partial(dye, True),
        ("not_learning", "inconsistent_labels"), partial(dye, False),
    ),
    Case(
        "ligands-beside-pockets-without-activations", Goal("accuracy", at_least=0.75),
        partial(binding, None), ("linear_network",), partial(binding, nn.ReLU),
    ),
)  # fmt: skip
