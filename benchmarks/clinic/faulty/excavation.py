"""Well-known mistakes in well-known networks, mostly on finds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import excavation as finds
from data_sets.samples import Samples, diabetes, digit_images, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, RegressionTask, adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


def hardness(weight: Callable[[Tensor], Any]) -> Program:
    """Seven hidden layers and momentum, with the weights' deviation of AlexNet or another."""
    network = reset(mlp([8, *[64] * 7, 1]), weight)
    return regression(finds.kilns(), network, sgd(0.02, momentum=0.9), epochs=30)


class OwnLSTM(nn.Module):
    """Gates of one linear layer each, over embedded words; the last state is read."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(finds.WORDS, 24)
        self.gates = nn.ModuleList(nn.Linear(24 + hidden, hidden) for _ in range(4))
        self.head = nn.Linear(hidden, finds.SUBJECTS)

    def forward(self, words: Tensor) -> Tensor:
        state = cell = torch.zeros(len(words), self.hidden)
        for word in self.embedding(words).unbind(1):
            both = torch.cat([word, state], 1)
            enter, forget, leave, new = (gate(both) for gate in self.gates)
            cell = cell * torch.sigmoid(forget) + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(leave) * torch.tanh(cell)
        logits: Tensor = self.head(state)
        return logits


def reader(weight: Callable[[Tensor], Any]) -> Program:
    network = reset(OwnLSTM(), weight)
    return classification(
        finds.inscriptions(), network, adam(5e-3), batch_size=50, epochs=12,
        trainer={"gradient_clip_val": 1.0},
    )  # fmt: skip


def sherds(logarithms: bool) -> Program:
    """Counts of elements as the instrument wrote them, or their logarithms."""
    data = finds.clays()
    if logarithms:
        inputs = (finds.mean_log_odds(part) for part in (data.x, data.x_test))
        data = standardized(data.with_inputs(*inputs))
    network = mlp([10, 48, 24, finds.CLAYS], nn.Tanh)
    return classification(data, network, sgd(0.05, momentum=0.9), batch_size=64, epochs=25)


class ConvAutoencoder(LightningModule):
    """Pictures from -1 to 1 through sixteen numbers; batches are read without their labels."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(128, 16),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(16, 128), nn.ReLU(), nn.Unflatten(1, (32, 2, 2)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), last,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[0]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def autoencoder(last: type[nn.Module]) -> Program:
    """The sigmoid is of pictures from 0 to 1; these are normalised by a mean and a deviation."""
    data = digit_images()
    data = data.with_inputs(2 * data.x - 1, 2 * data.x_test - 1)
    module = ConvAutoencoder(last())
    shown = data._replace(y_test=data.x_test)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, shown))


class Pairs(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Each coin with another, in half of the cases of the same mark; whether it is the same."""

    def __init__(self, data: Samples, twice: bool) -> None:
        self.x, self.y, self.twice = data.x, data.y, twice

    def __len__(self) -> int:
        return len(self.x)

    def partner(self, index: int) -> int:
        if torch.rand(()) < 0.5:
            same = (self.y == self.y[index]).nonzero().flatten()
            return int(same[torch.randint(len(same), ())])
        return int(torch.randint(len(self.y), ()))

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        other = self.partner(index)
        image = self.x[other]
        if self.twice:
            other = self.partner(index)
        return self.x[index], image, (self.y[index] == self.y[other]).float()


class Siamese(LightningModule):
    """Vectors of two coins by one LeNet, and a logit of their differences."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 32),
        )  # fmt: skip
        self.head = nn.Linear(32, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        distance = (self.branch(left) - self.branch(right)).abs()
        logit: Tensor = self.head(distance)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        left, right, same = batch
        logit = self(left, right)
        self.log("train_acc", ((logit > 0) == (same > 0)).float().mean())
        return F.binary_cross_entropy_with_logits(logit, same)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pairs(twice: bool) -> Program:
    """The partner is drawn a second time for the label."""
    data, module = finds.coins(), Siamese()
    train = DataLoader(Pairs(data, twice), 32, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        left, right = data.x_test, data.x_test.roll(1, 0)
        same = data.y_test == data.y_test.roll(1, 0)
        right_answers = (module(left, right) > 0) == same
        recalls = [right_answers[kind].float().mean().item() for kind in (same, ~same)]
        return float(sum(recalls)) / 2

    return Program(module, train, None, 20, score)


@dataclass
class Cores:
    """A batch of cores and whether they have a scar."""

    widths: Tensor
    scarred: Tensor


def cores(rows: list[tuple[Tensor, Tensor]]) -> Cores:
    return Cores(*(torch.stack(column) for column in zip(*rows, strict=True)))


class ScarGRU(LightningModule):
    """Largest values of the states of a GRU, and two logits."""

    def __init__(self, weights: list[float] | None) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 2)
        self.register_buffer("weights", torch.tensor(weights) if weights else None)

    def forward(self, widths: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(widths)[0].amax(1))
        return logits

    def training_step(self, batch: Cores, batch_idx: int) -> Tensor:
        weights = self._buffers["weights"]
        loss = F.cross_entropy(self(batch.widths), batch.scarred, weights)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Cores, batch_idx: int) -> None:
        right = self(batch.widths).argmax(1) == batch.scarred
        self.log("val_acc", right.float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def scars(weights: list[float] | None) -> Program:
    data, module = finds.rings(), ScarGRU(weights)
    train, validation = loaders(data, 64, collate_fn=cores)
    validation = DataLoader(validation.dataset, 256, collate_fn=cores)
    return Program(module, train, validation, 12, partial(balanced_accuracy, module, data))


def progression(epochs: int, dropout: float, decay: float) -> Program:
    """Disease of diabetics by their ten measures, with two wide layers."""
    data = scaled_targets(standardized(diabetes()))
    network = mlp([10, 256, 256, 1], dropout=dropout)
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=decay)
    return regression(data, network, optimizer, batch_size=16, epochs=epochs)


class PenalisedGRU(RegressionTask):
    """A regression whose loss has the squares of all parameters in it."""

    def __init__(self, backbone: nn.Module, l2_lambda: float) -> None:
        super().__init__(backbone, adam(3e-3))
        self.l2_lambda = l2_lambda

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        prediction = self(batch[0])
        l2_norm = sum((p.square().sum() for p in self.parameters()), torch.zeros(()))
        loss: Tensor = F.smooth_l1_loss(prediction, batch[1]) + self.l2_lambda * l2_norm
        self.log("train/loss", loss)
        return loss


class LastState(nn.Module):
    """A GRU, of which the last state is read."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(inputs, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.gru(x)[1][0])
        return found


def trenches(l2_lambda: float) -> Program:
    data, module = finds.moisture(), PenalisedGRU(LastState(2, 32), l2_lambda)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class SealJudge(LightningModule):
    """Originals and forgeries, through the norms together or apart, as a GAN's judge sees them."""

    def __init__(self, apart: bool) -> None:
        super().__init__()
        self.net = mlp([16, 64, 32, 1], nn.LeakyReLU, norm=nn.BatchNorm1d)
        self.apart = apart

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        forged, real = batch
        if self.apart:
            on_real, on_forged = self(real), self(forged)
        else:
            on_real, on_forged = self(torch.cat([real, forged])).chunk(2)
        loss_real = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
        loss_forged = F.binary_cross_entropy_with_logits(on_forged, torch.zeros_like(on_forged))
        self.log_dict({"loss_real": loss_real, "loss_forged": loss_forged})
        return (loss_real + loss_forged) / 2

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit, real = self(batch[0]), batch[1].float()
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, real))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, betas=(0.5, 0.999))


def judge(apart: bool) -> Program:
    data, module = finds.seals(), SealJudge(apart)
    forged, real = (data.x[data.y == kind][:800] for kind in (0, 1))
    train = DataLoader(TensorDataset(forged, real), 64, shuffle=True, drop_last=True)
    test = loaders(data, 64)[1]

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, train, test, 30, score)


class Lookup(nn.Module):
    """Attention from the key that is asked for to the entries of a catalogue."""

    def __init__(self, kept: bool, width: int = 32) -> None:
        super().__init__()
        self.keys, self.kinds = nn.Embedding(finds.KEYS, width), nn.Embedding(5, width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.head = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 4))
        self.kept, self.maps = kept, torch.zeros(0)

    def weights(self, x: Tensor) -> Tensor:
        keys = self.keys(x[..., 0])
        scores = self.key(keys[:, :-1]) @ self.query(keys[:, -1])[..., None]
        found: Tensor = (scores.squeeze(2) / keys.shape[2] ** 0.5).softmax(1)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The weights are kept for pictures, without gradients or beside those that have some."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.kept):
            weights = self.weights(x)
        self.maps = weights.detach()
        read = (weights[..., None] * self.value(self.kinds(x[:, :-1, 1]))).sum(1)
        logits: Tensor = self.head(read)
        return logits


def lookup(kept: bool) -> Program:
    data, module = finds.catalogue(), LitClassifier(Lookup(kept), adam(3e-3))
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


def layers(activation: Callable[[], nn.Module] | None) -> Program:
    """Four linear layers with norms and dropout; the distance from the middle is not linear."""
    network = mlp([6, 64, 64, 32, 3], activation, norm=nn.BatchNorm1d, dropout=0.1)
    optimizer = partial(torch.optim.NAdam, lr=2e-3)
    return classification(finds.shells(), network, optimizer, batch_size=128, epochs=40)


CASES = (
    Case(
        "kilns-deviation-of-alex-net-eight-layers", Goal("R2", at_least=0.6),
        partial(hardness, partial(nn.init.normal_, std=0.01)),
        ("poor_initialization", "vanishing_gradient"),
        partial(hardness, partial(nn.init.kaiming_normal_, nonlinearity="relu")),
    ),
    Case(
        "inscriptions-own-lstm-of-one-constant", Goal("accuracy", at_least=0.8),
        partial(reader, partial(nn.init.constant_, val=0.1)),
        ("symmetric_weights", "poor_initialization"), partial(reader, nn.init.xavier_uniform_),
    ),
    Case(
        "sherds-counts-of-elements-into-tanh", Goal("accuracy", at_least=0.9),
        partial(sherds, False), ("unnormalized_input", "saturated_activation"),
        partial(sherds, True),
    ),
    Case(
        "digit-images-below-zero-rebuilt-by-sigmoid", Goal("R2", at_least=0.75),
        partial(autoencoder, nn.Sigmoid), ("output_loss_mismatch",),
        partial(autoencoder, nn.Tanh),
    ),
    Case(
        "coins-partners-drawn-a-second-time", Goal("balanced accuracy", at_least=0.75),
        partial(pairs, True), ("inconsistent_labels", "not_learning"), partial(pairs, False),
    ),
    Case(
        "tree-rings-one-scar-in-twenty", Goal("balanced accuracy", at_least=0.7),
        partial(scars, None), ("class_imbalance",), partial(scars, [1.0, 15.0]),
    ),
    Case(
        "diabetes-two-wide-layers-by-heart", Goal("R2", at_least=0.44),
        partial(progression, 80, 0.0, 0.0), ("overfitting",), partial(progression, 15, 0.5, 0.1),
    ),
    Case(
        "trenches-squares-of-a-gru-in-the-loss", Goal("R2", at_least=0.75),
        partial(trenches, 0.03), ("over_regularized",), partial(trenches, 1e-5),
    ),
    Case(
        "seals-and-forgeries-normed-apart", Goal("accuracy", at_least=0.85),
        partial(judge, True), ("train_eval_mismatch",), partial(judge, False),
    ),
    Case(
        "catalogue-weights-kept-for-pictures", Goal("accuracy", at_least=0.85),
        partial(lookup, True), ("frozen_parameter",), partial(lookup, False),
    ),
    Case(
        "hearth-layers-normed-and-dropped-not-bent", Goal("accuracy", at_least=0.85),
        partial(layers, None), ("linear_network",), partial(layers, nn.ReLU),
    ),
)  # fmt: skip
