"""Networks that tell how sure they are, and networks of risks."""

from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Published, accuracy, adam, tensor_case
from data_sets import Split, split, table
from lightning.pytorch import LightningModule
from sklearn.datasets import load_iris
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


@cache
def waves() -> Split:
    """A bent line whose noise grows from left to right."""
    draw = np.random.default_rng(0)
    x = draw.uniform(-2, 2, (1600, 1))
    noise = 0.05 + 0.15 * (x + 2)
    return split(x, np.sin(2.5 * x) + 0.3 * x + noise * draw.normal(size=x.shape))


class Named(Dataset[Any]):
    """Rows by the names that the package has for them."""

    def __init__(self, columns: tuple[Tensor, ...]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        x, y = self.columns
        return {"input": x[index], "target": y[index]}


def mean_and_variance() -> LightningModule:
    """The variance is learnt only after some epochs, as in the package's tutorial."""
    from lightning_uq_box.models import MLP
    from lightning_uq_box.uq_methods import MVERegression

    network = MLP(n_inputs=1, n_hidden=[50, 50, 50], n_outputs=2, activation_fn=nn.Tanh())
    return MVERegression(network, optimizer=partial(torch.optim.Adam, lr=4e-3), burnin_epochs=10)


def quantiles() -> LightningModule:
    from lightning_uq_box.models import MLP
    from lightning_uq_box.uq_methods import QuantileRegression

    network = MLP(n_inputs=1, n_hidden=[50, 50, 50], n_outputs=3, activation_fn=nn.Tanh())
    return QuantileRegression(
        network, quantiles=[0.1, 0.5, 0.9], optimizer=partial(torch.optim.Adam, lr=4e-3)
    )


def named_case(model: str, make: Any) -> Case:
    return Case(
        f"lightning_uq_box/{model}", "a line and its noise", make,
        lambda: DataLoader(Named(waves().train), 64, shuffle=True),
        lambda: DataLoader(Named(waves().validation), 128), 50, Goal("valRMSE", at_most=0.47),
    )  # fmt: skip


def evidential() -> LightningModule:
    from torch_uncertainty.losses import DERLoss
    from torch_uncertainty.models.mlp import mlp
    from torch_uncertainty.routines import RegressionRoutine

    network = mlp(in_features=8, num_outputs=1, hidden_dims=[64, 64], dist_family="nig")
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=0)
    return RegressionRoutine(
        network, output_dim=1, loss=DERLoss(reg_weight=1e-2), dist_family="nig",
        optim_recipe=optimizer,
    )  # fmt: skip


def table_of_columns() -> Split:
    (x, y), (later_x, later_y) = table()
    return Split((x, y[:, None]), (later_x, later_y[:, None]))


def bayes_by_backprop() -> LightningModule:
    """The mean of three draws of all weights, and a share of the divergence, as in the README."""
    from blitz.modules import BayesianLinear
    from blitz.utils import variational_estimator

    class Network(nn.Sequential):
        pass

    network = variational_estimator(Network)(
        BayesianLinear(8, 96), nn.ReLU(), BayesianLinear(96, 96), nn.ReLU(), BayesianLinear(96, 1)
    )

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        x, y = batch
        loss = network.sample_elbo(x, y, F.mse_loss, sample_nbr=3, complexity_cost_weight=1 / 3000)
        return {"loss": loss, "mse": F.mse_loss(network(x), y)}

    return Published(network, step, adam(5e-3))


@cache
def flowers() -> Split:
    x, y = load_iris(return_X_y=True)
    return split((x - x.mean(0)) / x.std(0), y, share=0.7)


def bayesian_layers() -> LightningModule:
    import torchbnn as bnn

    network = nn.Sequential(
        bnn.BayesLinear(0, 0.1, 4, 100), nn.ReLU(), bnn.BayesLinear(0, 0.1, 100, 3)
    )
    divergence = bnn.BKLLoss(reduction="mean", last_layer_only=False)

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        x, y = batch
        logits = network(x)
        loss = F.cross_entropy(logits, y) + 0.01 * divergence(network).squeeze()
        return {"loss": loss, "acc": accuracy(logits, y)}

    return Published(network, step, adam(0.01))


@cache
def patients() -> Split:
    """Nine columns, how long each was followed, and whether that ended with an event."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(3000, 9))
    risk = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] - 0.5 * np.abs(x[:, 3])
    death, end = draw.exponential(np.exp(-1.5 * risk)), draw.exponential(2.0, 3000)
    return split(x, np.minimum(death, end), (death < end).astype(float))


def survival(outputs: int, loss: Any) -> LightningModule:
    """The network and the optimiser of the package's examples."""
    import torchtuples as tt

    network = tt.practical.MLPVanilla(9, [32, 32], outputs, batch_norm=True, dropout=0.1)

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        x, duration, event = batch
        found = network(x)
        return {"loss": loss(found, duration, event), "order": concordance(found, duration, event)}

    return Published(network, step, adam(0.01))


def cox() -> LightningModule:
    from pycox.models.loss import CoxPHLoss

    return survival(1, CoxPHLoss())


def discrete_hazards() -> LightningModule:
    """Ten times, between which as many patients had their events."""
    from pycox.models.loss import NLLLogistiHazardLoss

    _, durations, events = patients().train
    cuts = durations[events > 0].quantile(torch.linspace(0, 1, 11)[1:-1])

    def loss(hazards: Tensor, duration: Tensor, event: Tensor) -> Tensor:
        found: Tensor = NLLLogistiHazardLoss()(hazards, torch.bucketize(duration, cuts), event)
        return found

    return survival(10, loss)


def concordance(found: Tensor, duration: Tensor, event: Tensor) -> Tensor:
    """Of the pairs of which one is known to end first, how many have the greater risk first."""
    risk = found.mean(1)
    known = (duration[:, None] < duration) & (event[:, None] > 0)
    return (risk[:, None] > risk)[known].float().mean()


@cache
def simulations() -> Split:
    """Two parameters, and two measurements of a bent function of them, with little noise."""
    draw = np.random.default_rng(0)
    angle, radius = draw.uniform(-np.pi / 2, np.pi / 2, 4000), 0.1 + 0.01 * draw.normal(size=4000)
    moon = np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], 1)
    parameters = draw.uniform(-1, 1, (4000, 2))
    first, second = parameters.T
    shift = np.stack([-np.abs(first + second), second - first], 1) / np.sqrt(2)
    return split(parameters, moon + shift, share=0.9)


def posterior() -> LightningModule:
    """The package's density estimator; it clips the gradient itself, and so does the Trainer."""
    from sbi.neural_nets import posterior_nn

    parameters, measurements = simulations().train
    network = posterior_nn("nsf", num_transforms=3)(parameters, measurements)

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        return {"loss": network.loss(*batch).mean()}

    return Published(network, step, adam(5e-4))


IN_ORDER = Goal("val_order", at_least=0.74)
CASES = (
    # The noise alone has 0.39.
    named_case("MVERegression", mean_and_variance),
    named_case("QuantileRegression", quantiles),
    # The noise of the tables has 0.17; trees leave 0.35.
    tensor_case(
        "torch_uncertainty/evidential", "regression", evidential, table, 25,
        Goal("val/reg/RMSE", at_most=0.4), batch_size=64,
    ),
    tensor_case(
        "blitz_bayesian_pytorch/BayesianLinear", "regression", bayes_by_backprop,
        table_of_columns, 15, Goal("val_mse", at_most=0.15), batch_size=64,
    ),
    tensor_case(
        "torchbnn/BayesLinear", "kinds of irises", bayesian_layers, flowers, 150,
        Goal("val_acc", at_least=0.9), batch_size=32,
    ),
    # The risks that the events were drawn with order 0.80 of the pairs.
    tensor_case("pycox/CoxPH", "who dies first", cox, patients, 12, IN_ORDER, batch_size=256),
    tensor_case(
        "pycox/LogisticHazard", "who dies first", discrete_hazards, patients, 12, IN_ORDER,
        batch_size=256,
    ),
    # Not knowing anything is worth 1.39.
    tensor_case(
        "sbi/NSF", "simulations' parameters", posterior, simulations, 12,
        Goal("val_loss", at_most=-1.0), batch_size=100, trainer={"gradient_clip_val": 5.0},
    ),
)  # fmt: skip
