"""Operators, equations and processes: what physicists and statisticians train."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Goal, Published, adam, adamw, tensor_case
from data_sets import Split, as_tensor, split, table
from lightning.pytorch import LightningModule
from torch import Tensor, nn


@cache
def heat() -> Split:
    """Waves on a ring, and what a diffusion with a source leaves of them."""
    draw, modes = np.random.default_rng(0), np.arange(1, 5)[:, None]
    sines = np.sin(2 * np.pi * modes * np.linspace(0, 1, 64, endpoint=False))
    start = (draw.normal(size=(600, 4)) / modes[:, 0]) @ sines
    faded = np.exp(-0.01 * (2 * np.pi * modes) ** 2) * sines
    end = (start @ np.linalg.pinv(sines)) @ faded + 0.3 * start**2
    return split(start[:, None], end[:, None])


def fourier_operator() -> LightningModule:
    from neuralop.models import FNO

    network = FNO(n_modes=(12,), in_channels=1, out_channels=1, hidden_channels=24, n_layers=3)
    return Published(network, relative_error, adamw(5e-3, weight_decay=1e-4))


def relative_error(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    start, end = batch
    missing = (network(start) - end).flatten(1).norm(dim=1)
    return {"loss": (missing / end.flatten(1).norm(dim=1)).mean()}


@cache
def spiral() -> Split:
    """Ten steps each of one path of a cubic equation, as in the package's example."""
    from torchdiffeq import odeint

    matrix = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    path = odeint(
        lambda _, y: (y**3) @ matrix, torch.tensor([[2.0, 0.0]]), torch.linspace(0, 10, 500)
    )
    return split(path[:, 0].unfold(0, 10, 1).transpose(1, 2))


class Motion(nn.Module):
    """What moves a point, its weights drawn as in the package's example."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 50), nn.Tanh(), nn.Linear(50, 2))
        for layer in (self.layers[0], self.layers[2]):
            nn.init.normal_(layer.weight, std=0.1)
            nn.init.zeros_(layer.bias)

    def forward(self, time: Tensor, y: Tensor) -> Tensor:
        moved: Tensor = self.layers(y**3)
        return moved


def neural_equation() -> LightningModule:
    return Published(Motion(), follow, lambda parameters: torch.optim.RMSprop(parameters, lr=1e-3))


def follow(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    from torchdiffeq import odeint_adjoint

    (path,) = batch
    times = torch.linspace(0, 10, 500)[:10]
    found = odeint_adjoint(network, path[:, 0], times, method="rk4").transpose(0, 1)
    return {"loss": (found - path).abs().mean()}


def sparse_process() -> LightningModule:
    """A Gaussian process with 60 inducing points, the variational bound its loss."""
    import gpytorch
    from gpytorch.variational import CholeskyVariationalDistribution, VariationalStrategy

    class Process(gpytorch.models.ApproximateGP):
        def __init__(self, points: Tensor) -> None:
            posterior = CholeskyVariationalDistribution(len(points))
            super().__init__(VariationalStrategy(self, points, posterior))
            kernel = gpytorch.kernels.RBFKernel(ard_num_dims=8)
            self.mean, self.kernel = (
                gpytorch.means.ConstantMean(),
                gpytorch.kernels.ScaleKernel(kernel),
            )

        def forward(self, x: Tensor) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    x, y = table().train
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    process = Process(x[:60].clone())
    bound = gpytorch.mlls.VariationalELBO(likelihood, process, num_data=len(y))

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        found = network["process"](batch[0])
        return {"loss": -bound(found, batch[1]), "mse": F.mse_loss(found.mean, batch[1])}

    network = nn.ModuleDict({"process": process, "likelihood": likelihood})
    return Published(network, step, adam(0.01))


@cache
def simulations() -> Split:
    """Two parameters, and what a simulator makes of them."""
    draw = np.random.default_rng(0)
    a, b = draw.uniform(-1, 1, (2, 4000))
    seen = np.stack([a + b**2, a * b, b - a], 1) + 0.05 * draw.normal(size=(4000, 3))
    return split(as_tensor(np.stack([a, b], 1)), seen, share=0.8)


def posterior() -> LightningModule:
    from lampe.inference import NPE, NPELoss

    estimator = NPE(2, 3, transforms=3, hidden_features=[48, 48])
    return Published(NPELoss(estimator), lambda loss, batch: {"loss": loss(*batch)}, adamw(1e-3))


CASES = (
    tensor_case(
        "neuraloperator/FNO", "heat on a ring", fourier_operator, heat, 15,
        Goal("val_loss", at_most=0.05), batch_size=20,
    ),
    tensor_case(
        "torchdiffeq/adjoint", "follow a spiral", neural_equation, spiral, 15,
        Goal("val_loss", at_most=0.02), batch_size=20,
    ),
    # The targets' variance is 1.
    tensor_case(
        "gpytorch/variational process", "regression", sparse_process, table, 15,
        Goal("val_mse", at_most=0.15), batch_size=100,
    ),
    # The prior has log(4) = 1.39 nats.
    tensor_case(
        "lampe/NPE", "posterior of a simulator", posterior, simulations, 10,
        Goal("val_loss", at_most=-1), batch_size=64,
    ),
)  # fmt: skip
