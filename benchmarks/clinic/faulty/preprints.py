"""Code published with papers, in which a refactoring or a line of the config went wrong."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import preprints
from data_sets.preprints import feeds
from data_sets.samples import loaders
from healthy.preprints import (
    BumpNet,
    JetTagger,
    LatentWorld,
    LightCurveFormer,
    SpectraVAE,
    SpikingNet,
    by_step,
    covers,
    dense,
    field,
    graphs,
    hazards,
    jets,
    morphology,
    redshifts,
    reward_explained,
    spectra,
    spoken,
    springs,
    towers,
    variable_stars,
)  # fmt: skip
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn


class SpreadTagger(JetTagger):
    """Particles are pooled to their mean and their spread, of which a lone one has none."""

    floor = 0.0

    def pool(self, h: Tensor, mask: Tensor) -> Tensor:
        number = mask.sum(1, keepdim=True)
        mean = (h * mask[..., None]).sum(1) / number
        square = ((h - mean[:, None]) ** 2 * mask[..., None]).sum(1) / number
        return torch.cat([mean, (square + self.floor).sqrt()], 1)


class FlooredTagger(SpreadTagger):
    """The same, with the small number that the first version of the code had."""

    floor = 1e-6


class SeesPadding(LightCurveFormer):
    """Another library's masks say what to keep; the argument was renamed, and not turned over."""

    def padding(self, mask: Tensor) -> Tensor:
        return mask


def stars(kind: type[LightCurveFormer], dim: int, lr: float, batch: int, epochs: int) -> Program:
    return variable_stars(dim, 2, lr, 30, batch, epochs, kind)


class MeanVAE(SpectraVAE):
    """Errors are averaged over wavelengths where the divergence is a sum."""

    def reconstruction(self, rebuilt: Tensor, flux: Tensor) -> Tensor:
        return F.mse_loss(rebuilt, flux)


class Torques(LightningModule):
    """Torques of a demonstrator by squared errors."""

    def __init__(
        self, sizes: list[int], lr: float, bounded: bool = False, gain: float | None = None
    ) -> None:
        super().__init__()
        self.lr = lr
        self.actor = dense(sizes, nn.Tanh)
        if gain is not None:
            for layer in self.actor[:-1:2]:
                nn.init.orthogonal_(layer.weight, gain)
        if bounded:
            self.actor.append(nn.Tanh())

    def forward(self, state: Tensor) -> Tensor:
        torque: Tensor = self.actor(state)
        return torque

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        state, torque = batch
        loss = F.mse_loss(self(state), torque)
        self.log("actor_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        state, torque = batch
        self.log("eval_actor_loss", F.mse_loss(self(state), torque))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def torques(
    sizes: list[int], lr: float, batch: int, epochs: int, bounded: bool = False,
    gain: float | None = None,
) -> Program:  # fmt: skip
    data = preprints.demonstrations()
    module = Torques(sizes, lr, bounded, gain)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class OuterNet(LatentWorld):
    """Before a rewrite the optimizer had the encoder, too; the reward is linear in the latent."""

    def __init__(self, whole: bool) -> None:
        super().__init__(8, 48, 2e-3)
        self.whole = whole
        self.reward = nn.Sequential(nn.Linear(10, 1))

    def configure_optimizers(self) -> Any:
        groups = [{"params": self.dynamics.parameters()}, {"params": self.reward.parameters()}]
        if self.whole:
            groups.append({"params": self.encoder.parameters()})
        return torch.optim.Adam(groups, lr=self.lr)


def linear_reward(whole: bool) -> Program:
    data = preprints.pushes()
    module = OuterNet(whole)
    return Program(module, *feeds(data, 40), 14, partial(reward_explained, module, data))


def galaxies_of_another_order(mixed: bool) -> Program:
    """Types come from a catalogue by right ascension, cut-outs from one by their names."""
    data = catalogue = preprints.galaxies()
    if mixed:
        g = torch.Generator().manual_seed(2)
        order = torch.randperm(len(data.y), generator=g)
        other = torch.randperm(len(data.y_test), generator=g)
        catalogue = data._replace(y=data.y[order], y_test=data.y_test[other])
    program = morphology(10, 0.03, 40, 8, data=catalogue)
    return replace(program, score=partial(accuracy, program.module, data))


class ExpertMixture(LightningModule):
    """Six experts in one einsum, and a gate that weighs them."""

    def __init__(self, width: int, lr: float, scaled: bool) -> None:
        super().__init__()
        self.lr = lr
        shrink = (lambda rows: 1 / math.sqrt(rows)) if scaled else (lambda rows: 1.0)
        self.up = nn.Parameter(torch.randn(6, 6, width) * shrink(6))
        self.mid = nn.Parameter(torch.randn(6, width, width) * shrink(width))
        self.down = nn.Parameter(torch.randn(6, width) * shrink(width))
        self.gate = nn.Linear(6, 6)

    def forward(self, mag: Tensor) -> Tensor:
        h = torch.einsum("bi,eih->beh", mag, self.up).relu()
        h = torch.einsum("beh,ehk->bek", h, self.mid).relu()
        said = torch.einsum("bek,ek->be", h, self.down)
        return (said * self.gate(mag).softmax(1)).sum(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        mag, z = batch
        loss = F.mse_loss(self(mag), z)
        self.log("photoz/train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        mag, z = batch
        bias = self(mag) - z
        self.log("photoz/val", (bias**2).mean())
        self.log("photoz/outliers", (bias.abs() > 0.5).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def experts(scaled: bool) -> Program:
    data = preprints.colours()
    module = ExpertMixture(32, 1e-3, scaled)
    return Program(module, *loaders(data, 64), 12, partial(r2, module, data))


class PointRedshifts(LightningModule):
    """Redshifts by a plain network and momentum."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = dense([6, 40, 40, 1], nn.ReLU)

    def forward(self, mag: Tensor) -> Tensor:
        out: Tensor = self.net(mag)
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        mag, z = batch
        loss = F.mse_loss(self(mag), z)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        mag, z = batch
        self.log("valid_mse", F.mse_loss(self(mag), z))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.hparams["lr"], self.hparams["momentum"])


def points(lr: float, momentum: float, batch: int, epochs: int) -> Program:
    data = preprints.colours()
    module = PointRedshifts(lr, momentum)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class AlikeCurves(BumpNet):
    """All curves of the edges begin as the same one, and the plain weights as one value."""

    def __init__(self, hidden: int, bumps: int, lr: float) -> None:
        super().__init__(hidden, bumps, lr)
        for layer in self.kan:
            nn.init.constant_(layer.curves, 0.05)
            nn.init.constant_(layer.base.weight, 0.1)
            nn.init.zeros_(layer.base.bias)


def curves(kind: type[BumpNet]) -> Program:
    data = preprints.formula()
    module = kind(16, 6, 6e-3)
    return Program(module, *loaders(data, 64), 16, partial(r2, module, data))


class HardSpikes(SpikingNet):
    """The step without the soft slope behind it, since an export did not know that one."""

    def fire(self, potential: Tensor) -> Tensor:
        return (potential > 0).float()


def retina(kind: type[SpikingNet]) -> Program:
    data = preprints.events()
    module = kind(48, 6e-3, 14)
    return Program(module, *loaders(data, 40), 14, partial(accuracy, module, data))


class AsteroidNet(LightningModule):
    """Spots that are asteroids, one in thirty."""

    def __init__(self, width: int, lr: float, weight: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = dense([12, width, width, 1], nn.SiLU)
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, spot: Tensor) -> Tensor:
        out: Tensor = self.net(spot)
        return out.squeeze(1)

    def loss(self, batch: Any) -> Tensor:
        spot, real = batch
        return F.binary_cross_entropy_with_logits(self(spot), real.float(), pos_weight=self.weight)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("rb/loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0]) > 0
        self.log("rb/val_loss", self.loss(batch))
        self.log("rb/val_accuracy", (found == batch[1].bool()).float().mean())

    def configure_optimizers(self) -> Any:
        adam = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.05)
        return by_step(adam, lambda t: 0.5 + 0.5 * math.cos(math.pi * min(t / 400, 1)))


def asteroids(weight: float) -> Program:
    data = preprints.candidates()
    module = AsteroidNet(24, 2e-3, weight)
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, 64), 10, score)


def heights(activation: type[nn.Module]) -> Program:
    """A network of coordinates, and the activation that a registry gave for its name."""
    return field(dense([2, 96, 96, 96, 1], activation), 3e-3, 70)


CASES = (
    Case(
        "jets-pooled-to-their-spread", Goal("accuracy", at_least=0.8),
        partial(jets, 40, 1.5e-3, 64, 16, 0.0, SpreadTagger), ("non_finite",),
        partial(jets, 40, 1.5e-3, 64, 16, 0.0, FlooredTagger),
    ),
    Case(
        "resonances-by-states-that-swell", Goal("accuracy", at_least=0.8),
        partial(spoken, 24, 32, 3e-3, 60, 10, 1.4, 1.1),
        ("exploding_gradient", "poor_initialization"),
        partial(spoken, 24, 32, 3e-3, 60, 10, 0.97, 0.5),
    ),
    Case(
        "springs-nine-sigmoids-in-each-half", Goal("R2", at_least=0.75),
        partial(springs, 40, 9, 2e-3, 100, 16, nn.Sigmoid), ("vanishing_gradient",),
        partial(springs, 40, 3, 2e-3, 100, 16, nn.SiLU),
    ),
    Case(
        "jets-biases-of-minus-four", Goal("accuracy", at_least=0.8),
        partial(jets, 64, 2e-3, 80, 16, -4.0), ("dead_relu", "poor_initialization"),
        partial(jets, 64, 2e-3, 80, 16, -0.04),
    ),
    Case(
        "torques-orthogonal-gain-of-thirty", Goal("R2", at_least=0.85),
        partial(torques, [8, 64, 64, 3], 1e-3, 50, 14, False, 30.0),
        ("saturated_activation", "poor_initialization"),
        partial(torques, [8, 64, 64, 3], 1e-3, 50, 14, False, 1.4),
    ),
    Case(
        "rings-and-chains-at-four-tenths", Goal("R2", at_least=0.6),
        partial(graphs, 32, 3, 0.4, 40, 12), ("learning_rate_too_high", "unstable_loss"),
        partial(graphs, 32, 3, 4e-3, 40, 12),
    ),
    Case(
        "captions-warmed-up-for-epochs-not-run", Goal("top 1 of 40", at_least=0.5),
        partial(towers, 48, 16, 1e-3, 100000, 80, 12), ("learning_rate_too_low",),
        partial(towers, 48, 16, 1e-3, 30, 80, 12),
    ),
    Case(
        "redshifts-two-to-a-step-long-momentum", Goal("R2", at_least=0.9),
        partial(points, 0.02, 0.95, 2, 4), ("unstable_loss", "learning_rate_too_high"),
        partial(points, 0.02, 0.9, 64, 12),
    ),
    Case(
        "variable-stars-mask-of-another-library", Goal("accuracy", at_least=0.75),
        partial(stars, SeesPadding, 32, 2e-3, 40, 8), ("not_learning",),
        partial(stars, LightCurveFormer, 32, 2e-3, 40, 8),
    ),
    Case(
        "a-law-by-curves-that-begin-alike", Goal("R2", at_least=0.9),
        partial(curves, AlikeCurves), ("symmetric_weights", "poor_initialization"),
        partial(curves, BumpNet),
    ),
    Case(
        "redshift-experts-drawn-in-one-einsum", Goal("R2", at_least=0.85),
        partial(experts, False), ("poor_initialization", "exploding_gradient"),
        partial(experts, True),
    ),
    Case(
        "satellite-bands-as-delivered", Goal("balanced accuracy", at_least=0.65),
        partial(covers, 48, 0.05, 80, 12, True, False), ("unnormalized_input",),
        partial(covers, 48, 0.05, 80, 12),
    ),
    Case(
        "torques-within-a-tanh", Goal("R2", at_least=0.85),
        partial(torques, [8, 72, 72, 3], 2e-3, 60, 12, True),
        ("output_loss_mismatch", "saturated_activation"),
        partial(torques, [8, 72, 72, 3], 2e-3, 60, 12),
    ),
    Case(
        "galaxies-types-from-another-catalogue", Goal("accuracy", at_least=0.75),
        partial(galaxies_of_another_order, True), ("inconsistent_labels",),
        partial(galaxies_of_another_order, False),
    ),
    Case(
        "asteroids-one-spot-in-thirty", Goal("balanced accuracy", at_least=0.75),
        partial(asteroids, 1.0), ("class_imbalance",), partial(asteroids, 15.0),
    ),
    Case(
        "hazards-of-a-hundred-debugged-patients", Goal("concordance", at_least=0.68),
        partial(hazards, 128, 0.0, 2e-3, 1e-4, 20, 60, 100), ("overfitting",),
        partial(hazards, 64, 0.3, 2e-3, 0.02, 80, 14),
    ),
    Case(
        "emission-lines-errors-averaged", Goal("R2 of the spectrum", at_least=0.6),
        partial(spectra, 80, 5, 3e-3, 1.0, 60, 24, MeanVAE), ("over_regularized",),
        partial(spectra, 80, 5, 3e-3, 1.0, 60, 24),
    ),
    Case(
        "redshifts-divergence-of-each-batch", Goal("R2", at_least=0.85),
        partial(redshifts, 40, 2e-3, 50, 14, 1), ("over_regularized",),
        partial(redshifts, 40, 2e-3, 50, 14),
    ),
    Case(
        "galaxies-averages-of-another-framework", Goal("accuracy", at_least=0.75),
        partial(morphology, 8, 0.03, 60, 8, 0.001), ("train_eval_mismatch",),
        partial(morphology, 8, 0.03, 60, 8, 0.1),
    ),
    Case(
        "pucks-encoder-left-out-of-the-rewrite", Goal("R2", at_least=0.7),
        partial(linear_reward, False), ("frozen_parameter",), partial(linear_reward, True),
    ),
    Case(
        "edges-over-a-retina-without-slopes", Goal("accuracy", at_least=0.7),
        partial(retina, HardSpikes), ("frozen_parameter",), partial(retina, SpikingNet),
    ),
    Case(
        "heights-activation-of-a-registry", Goal("R2", at_least=0.85),
        partial(heights, nn.Identity), ("linear_network",), partial(heights, nn.SiLU),
    ),
)  # fmt: skip
