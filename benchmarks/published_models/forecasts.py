"""Forecasts with their distributions, and other trainings that packages bring along themselves."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Published, adam, tensor_case
from data_sets import Split, as_tensor, windows
from lightning.pytorch import LightningModule
from torch import Tensor, nn


@cache
def series() -> list[Any]:
    """Thirty series of 400 hours each, with a day's rhythm, a level and noise of a tenth of it."""
    draw, hour = np.random.default_rng(0), np.arange(400)
    levels = np.exp(draw.normal(2, 0.5, (30, 1)))
    rhythm = 1 + 0.5 * np.sin(2 * np.pi * (hour + draw.integers(0, 24, (30, 1))) / 24)
    noise = 1 + 0.1 * draw.normal(size=rhythm.shape)
    return list((levels * rhythm * noise).astype(np.float32))


class Windows:
    """The package's loader of a part of the series, made anew each time that it is gone through."""

    def __init__(self, estimator: Any, module: Any, *, train: bool) -> None:
        self.estimator, self.module, self.train = estimator, module, train

    def __iter__(self) -> Any:
        import pandas as pd
        from gluonts.dataset.common import ListDataset

        start, until = pd.Period("2024-01-01", freq="h"), -48 if self.train else None
        rows = [{"start": start, "target": values[:until]} for values in series()]
        rows = self.estimator.create_transformation().apply(ListDataset(rows, freq="h"), True)
        if self.train:
            loader = self.estimator.create_training_data_loader(rows, self.module)
        else:
            loader = self.estimator.create_validation_data_loader(rows, self.module)
        return iter(loader)


def gluonts_case(model: str, make: Any, epochs: int, goal: Goal) -> Case:
    """With the package's own module, loaders and limit of the gradient."""
    return Case(
        f"gluonts/{model}", "next 12 hours", lambda: make().create_lightning_module(),
        lambda: Windows(make(), make().create_lightning_module(), train=True),
        lambda: Windows(make(), make().create_lightning_module(), train=False), epochs, goal,
        {"gradient_clip_val": 10.0},
    )  # fmt: skip


def deep_ar() -> Any:
    from gluonts.torch import DeepAREstimator

    return DeepAREstimator(
        freq="h", prediction_length=12, context_length=24, hidden_size=24, lags_seq=[1, 2, 24],
        lr=5e-3, num_batches_per_epoch=40,
    )  # fmt: skip


def temporal_fusion() -> Any:
    from gluonts.torch import TemporalFusionTransformerEstimator

    return TemporalFusionTransformerEstimator(
        freq="h", prediction_length=12, context_length=48, hidden_dim=16, variable_dim=16,
        lr=3e-3, num_batches_per_epoch=40,
    )  # fmt: skip


def basis_expansion() -> LightningModule:
    """The package's network, its mean absolute error, and the way it lowers the rate."""
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import NBEATS

    network = NBEATS(h=8, input_size=64, mlp_units=3 * [[64, 64]], loss=MAE())
    error = network.loss

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        waves = batch[0].transpose(1, 2).flatten(0, 1)
        known, later = waves[:, :64], waves[:, 64:]
        found = network({"insample_y": known[..., None], "insample_mask": torch.ones_like(known)})
        return {"loss": error(y=later, y_hat=found.squeeze(-1))}

    def three_times_less(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, max(1, steps // 3), gamma=0.5)

    return Published(network, step, adam(1e-3), three_times_less)


class LatentEquation(nn.Module):
    """A stochastic equation whose drift is learnt, and the one it is compared with.

    As in the package's example of a latent one: the prior returns to a mean, and both share their
    noise.
    """

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self) -> None:
        super().__init__()
        self.drift = nn.Sequential(
            nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        nn.init.zeros_(self.drift[-1].weight)
        nn.init.zeros_(self.drift[-1].bias)
        self.start, self.start_spread = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

    def f(self, time: Tensor, y: Tensor) -> Tensor:
        now = torch.full_like(y, float(time))
        return self.drift(torch.cat([torch.sin(now), torch.cos(now), y], -1))

    def g(self, time: Tensor, y: Tensor) -> Tensor:
        return torch.full_like(y, 0.5)

    def h(self, time: Tensor, y: Tensor) -> Tensor:
        return -y

    def forward(self, times: Tensor, count: int) -> tuple[Tensor, Tensor]:
        import torchsde

        spread = self.start_spread.exp()
        first = self.start + spread * torch.randn(count, 1)
        paths, ratio = torchsde.sdeint(
            self, first, times, logqp=True, method="euler", dt=0.1,
            names={"drift": "f", "diffusion": "g", "prior_drift": "h"},
        )  # fmt: skip
        start = 0.5 * (self.start**2 + spread**2 - 1) - self.start_spread
        return paths.squeeze(-1), ratio.sum(0).mean() + start.sum()


@cache
def observations() -> Any:
    """Six noisy values of a path each; the same times for all."""
    draw, times = np.random.default_rng(0), np.linspace(0, 3, 6)
    values = np.cos(2 * times) + 0.1 * draw.normal(size=(640, 6))
    return as_tensor(values)


def stochastic_equation() -> LightningModule:
    times = torch.linspace(0, 3, 6)

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        (values,) = batch
        paths, divergence = network(times, len(values))
        likelihood = torch.distributions.Laplace(paths, 0.05).log_prob(values.T).sum(0).mean()
        error = F.mse_loss(paths.mean(1), values.mean(0))
        return {"loss": divergence - likelihood, "mse": error}

    def slowly_down(optimizer: torch.optim.Optimizer, steps: int) -> Any:
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.997)

    return Published(LatentEquation(), step, adam(1e-2), slowly_down)


def paths() -> Split:
    return Split((observations()[:512],), (observations()[512:],))


CASES = (
    # The noise alone has 1.05 nats; who does not foresee a day's rhythm, 2.3.
    gluonts_case("DeepAR", deep_ar, 10, Goal("val_loss", at_most=1.6)),
    # Who does not foresee a day's rhythm has about 1.6.
    gluonts_case("TFT", temporal_fusion, 8, Goal("val_loss", at_most=0.8)),
    # The noise has a mean absolute error of 0.12, the last value as a forecast 0.3.
    tensor_case(
        "neuralforecast/NBEATS", "next 8 steps", basis_expansion, windows, 10,
        Goal("val_loss", at_most=0.2),
    ),
    # The values have a variance of 0.5.
    tensor_case(
        "torchsde/latent equation", "a path and its noise", stochastic_equation, paths, 40,
        Goal("val_mse", at_most=0.05),
    ),
)  # fmt: skip
