"""Codes, mixtures, deviations and rewards: models of what is not simply right or wrong."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn


class Quantized(LightningModule):
    """Digits as four entries of a code book each; ``through`` lets gradients pass the choice."""

    def __init__(self, through: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([64, 96, 16]), mlp([16, 96, 64])
        self.book, self.through = nn.Embedding(24, 4), through
        nn.init.uniform_(self.book.weight, -0.5, 0.5)

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest entries, and the loss that draws them and the codes together."""
        parts = z.reshape(-1, 4)
        chosen = self.book(torch.cdist(parts, self.book.weight).argmin(1)).reshape(z.shape)
        loss = F.mse_loss(chosen, z.detach())
        if not self.through:
            return chosen, loss
        return z + (chosen - z).detach(), loss + 0.25 * F.mse_loss(z, chosen.detach())

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.quantize(self.encoder(x))[0])
        return image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        codes, loss = self.quantize(self.encoder(x))
        error = F.mse_loss(self.decoder(codes), x)
        self.log_dict({"reconstruction": error, "vq": loss})
        return error + loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def explained(module: LightningModule, data: Samples) -> float:
    error = F.mse_loss(outputs(module, data.x_test), data.x_test)
    return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()


def autoencoder(module: LightningModule, epochs: int = 15) -> Program:
    data = samples.digits()
    train, _ = loaders(data, 32)
    return Program(module, train, None, epochs, partial(explained, module, data))


class SparseCodes(LightningModule):
    """A wide layer of which each digit keeps the few largest units."""

    def __init__(self, deviation: float = 0.0, kept: int = 6, penalty: float = 0.0) -> None:
        super().__init__()
        self.w_enc = nn.Parameter(torch.randn(64, 192) / 8)
        self.b_enc = nn.Parameter(deviation * torch.randn(192))
        self.w_dec = nn.Parameter(self.w_enc.detach().T.clone())
        self.b_dec = nn.Parameter(torch.zeros(64))
        self.kept, self.penalty = kept, penalty

    def encode(self, x: Tensor) -> Tensor:
        codes = F.relu((x - self.b_dec) @ self.w_enc + self.b_enc)
        values, units = codes.topk(self.kept, dim=-1)
        return torch.zeros_like(codes).scatter(-1, units, values)

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x) @ self.w_dec + self.b_dec

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        codes = self.encode(batch[0])
        error = (codes @ self.w_dec + self.b_dec - batch[0]).square().sum(-1).mean()
        sparsity = codes.abs().sum(-1).mean()
        return {"loss": error + self.penalty * sparsity, "sparsity": sparsity.detach()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class Mixture(LightningModule):
    """A mixture of five normal densities whose parameters a network gives."""

    def __init__(self, zeros: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.share, self.mean, self.log_deviation = (nn.Linear(48, 5) for _ in range(3))
        if zeros:
            for head in (self.share, self.mean, self.log_deviation):
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)

    def forward(self, x: Tensor) -> torch.distributions.MixtureSameFamily:
        hidden = self.body(x)
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=self.share(hidden)),
            torch.distributions.Normal(self.mean(hidden), self.log_deviation(hidden).exp()),
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = -self(x).log_prob(y).mean()
        self.log("train_nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", -self(batch[0]).log_prob(batch[1]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


@torch.no_grad()
def mixture_loss(module: LightningModule, data: Samples) -> float:
    return -module.eval()(data.x_test).log_prob(data.y_test).mean().item()


def mixture(zeros: bool = True) -> Program:
    """One of three curves, which cross."""
    generator = torch.Generator().manual_seed(48)
    x = 4 * torch.rand(1500, 1, generator=generator) - 2
    branch = torch.randint(3, (1500,), generator=generator) - 1.0
    noise = torch.randn(1500, generator=generator)
    data = split(x, 1.5 * branch + torch.sin(2 * x[:, 0] + branch) + 0.1 * noise)
    module = Mixture(zeros)
    return Program(module, *loaders(data, 32), 20, partial(mixture_loss, module, data))


class WithDeviation(LightningModule):
    """A regression that says how sure it is; a deviation is positive, so it takes a ReLU."""

    def __init__(self, relu: bool) -> None:
        super().__init__()
        self.net, self.relu = mlp([10, 96, 2], nn.Tanh), relu

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.net(x).unbind(1)
        return mean, F.relu(raw) if self.relu else F.softplus(raw) + 1e-3

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mean, deviation = self(batch[0])
        loss = (deviation.log() + 0.5 * ((batch[1] - mean) / deviation) ** 2).mean()
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


@torch.no_grad()
def mean_error(module: LightningModule, data: Samples) -> float:
    return (module.eval()(data.x_test)[0] - data.y_test).abs().mean().item()


def with_deviation(relu: bool = True) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = WithDeviation(relu)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(mean_error, module, data))


class Bandit(LightningModule):
    """Guesses, is told whether it was right, and learns from how much better than usual it was."""

    def __init__(self, entropy: float) -> None:
        super().__init__()
        self.policy, self.entropy = mlp([64, 128, 10], nn.Tanh), entropy

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.policy(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, best = batch
        log_p = self(state).log_softmax(-1)
        action = (log_p + torch.empty_like(log_p).exponential_().log().neg()).argmax(-1)
        reward = (action == best).float()
        advantage = (reward - reward.mean()) / (reward.std() + 1e-8)
        loss = -(advantage * log_p[torch.arange(len(action)), action]).mean()
        self.log("reward", reward.mean(), prog_bar=True)
        return loss + self.entropy * (log_p.exp() * log_p).sum(-1).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def expected_reward(module: LightningModule, data: Samples) -> float:
    """The chance of the right guess."""
    chances = outputs(module, data.x_test).softmax(-1)
    return chances[torch.arange(len(chances)), data.y_test].mean().item()


def bandit(entropy: float = 0.01, drop_last: bool = True) -> Program:
    """The last batch has one sample, of which there is no deviation."""
    data = samples.digits().first(39 * 32 + 1)
    module = Bandit(entropy)
    train, _ = loaders(data, 32, drop_last=drop_last)
    return Program(module, train, None, 30, partial(expected_reward, module, data))


CODES = Goal("R2", at_least=0.6)
GUESSES = Goal("reward", at_least=0.7)
CASES = (
    Case(
        "quantized-without-gradients", CODES, lambda: autoencoder(Quantized(False)),
        ("frozen_parameter",), lambda: autoencoder(Quantized(True)),
    ),
    Case(
        "sparse-codes-of-the-same-units", CODES, lambda: autoencoder(SparseCodes(3.0)),
        ("dormant_units", "dead_relu", "poor_initialization"),
        lambda: autoencoder(SparseCodes()),
    ),
    Case(
        "sparse-codes-penalized-away", CODES,
        lambda: autoencoder(SparseCodes(kept=64, penalty=3.0)),
        ("over_regularized", "dead_relu", "dormant_units"),
        lambda: autoencoder(SparseCodes(kept=64, penalty=0.03)),
    ),
    Case(
        "mixture-of-equal-densities", Goal("negative log-likelihood", at_most=0.7), mixture,
        ("symmetric_weights", "poor_initialization"), partial(mixture, False),
    ),
    Case(
        "friedman-deviation-by-relu", Goal("absolute error", at_most=0.35), with_deviation,
        ("non_finite", "output_loss_mismatch"), partial(with_deviation, False),
    ),
    Case(
        "bandit-batch-of-one", GUESSES, partial(bandit, drop_last=False), ("non_finite",), bandit,
    ),
    Case(
        "bandit-entropy-above-reward", GUESSES, partial(bandit, 5.0),
        ("over_regularized", "not_learning"), bandit,
    ),
)  # fmt: skip
