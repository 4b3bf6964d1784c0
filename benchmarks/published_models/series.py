"""Networks for time series: to forecast, to follow, and to name what they show."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import (
    Case,
    Goal,
    Published,
    adam,
    adamw,
    classify,
    regress,
    tensor_case,
    warm_up_then_linear,
)
from data_sets import Split, as_tensor, split, tones_ahead, tones_named, windows
from lightning.pytorch import LightningModule
from torch import Tensor, nn


class FirstOutput(nn.Module):
    """A recurrent network without the state that it returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)[0]
        return found


def closed_form_continuous() -> LightningModule:
    from ncps.torch import CfC
    from ncps.wirings import AutoNCP

    return Published(FirstOutput(CfC(2, AutoNCP(20, 1))), regress, adam(0.01))


class TemporalConvolutions(nn.Module):
    """The package's network, and a linear layer at each step."""

    def __init__(self) -> None:
        from pytorch_tcn import TCN

        super().__init__()
        self.body = TCN(2, [24, 24, 24], kernel_size=3, dropout=0.1, causal=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.body(x.transpose(1, 2)).transpose(1, 2))
        return found


def temporal_convolutions() -> LightningModule:
    return Published(TemporalConvolutions(), regress, adam(2e-3))


class Conformer(nn.Module):
    """Two of the package's blocks, and the mean of the steps."""

    def __init__(self) -> None:
        from conformer import ConformerBlock

        super().__init__()
        blocks = [
            ConformerBlock(
                dim=48, dim_head=16, heads=3, ff_mult=2, conv_expansion_factor=2,
                conv_kernel_size=9, attn_dropout=0.1, ff_dropout=0.1, conv_dropout=0.1,
            )
            for _ in range(2)
        ]  # fmt: skip
        self.body = nn.Sequential(nn.Linear(2, 48), *blocks)
        self.head = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).mean(1))
        return logits


def conformer() -> LightningModule:
    return Published(Conformer(), classify, adamw(1e-3), warm_up_then_linear)


def patch_transformer() -> LightningModule:
    from transformers import PatchTSTConfig, PatchTSTForPrediction

    configuration = PatchTSTConfig(
        num_input_channels=3, context_length=64, prediction_length=8, patch_length=8,
        patch_stride=8, d_model=48, num_attention_heads=4, num_hidden_layers=2, ffn_dim=96,
        loss="mse",
    )  # fmt: skip
    return Published(PatchTSTForPrediction(configuration), forecast, adamw(1e-3))


def forecast(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    (window,) = batch
    found = network(past_values=window[:, :64], future_values=window[:, 64:])
    return {"loss": found.loss}


def spirals() -> Split:
    """Splines through points of spirals, as the package wants them, and the way they turn."""
    import torchcde

    draw = np.random.default_rng(0)
    time, phase = np.linspace(0, 6, 20), draw.uniform(0, 2 * np.pi, (500, 1))
    turn = draw.integers(0, 2, 500)
    sine = np.where(turn, 1, -1)[:, None] * np.sin(1.5 * time + phase)
    points = np.stack([np.tile(time / 6, (500, 1)), np.cos(1.5 * time + phase), sine], -1)
    coefficients = torchcde.hermite_cubic_coefficients_with_backward_differences(as_tensor(points))
    return split(coefficients, turn, share=0.8)


class Field(nn.Module):
    """The vector field of the controlled equation."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 24), nn.Tanh())

    def forward(self, time: Tensor, state: Tensor) -> Tensor:
        return self.layers(state).unflatten(-1, (8, 3))


class ControlledEquation(nn.Module):
    """A linear layer for the start, the equation, and a linear layer for its end."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.field, self.head = nn.Linear(3, 8), Field(), nn.Linear(8, 2)

    def forward(self, coefficients: Tensor) -> Tensor:
        import torchcde

        path = torchcde.CubicSpline(coefficients)
        states = torchcde.cdeint(
            path, self.field, self.start(path.evaluate(path.interval[0])), path.interval,
            adjoint=False, method="rk4", options={"step_size": 0.5},
        )  # fmt: skip
        logits: Tensor = self.head(states[:, -1])
        return logits


def controlled_equation() -> LightningModule:
    return Published(ControlledEquation(), classify, adam(1e-2))


@cache
def sales() -> Any:
    """Twenty series of ten years of months, with seasons, a trend and noise of 0.5."""
    import pandas as pd

    draw, month = np.random.default_rng(0), np.arange(120)
    frames = []
    for series in range(20):
        season = 5 * np.sin(2 * np.pi * (month + 5 * series) / 12)
        value = 20 + 5 * draw.normal() + season + 0.05 * month + 0.5 * draw.normal(size=120)
        columns = {"series": str(series), "time_idx": month, "value": value}
        frames.append(pd.DataFrame({**columns, "month": (month % 12).astype(str)}))
    return pd.concat(frames, ignore_index=True)


@cache
def sales_sets(covariates: bool) -> tuple[Any, Any]:
    """The months before the 100th, and those after."""
    from pytorch_forecasting import TimeSeriesDataSet
    from pytorch_forecasting.data import GroupNormalizer, NaNLabelEncoder

    frame = sales()
    if covariates:
        normalizer = GroupNormalizer(groups=["series"], transformation="softplus")
        known: dict[str, Any] = {
            "time_varying_known_categoricals": ["month"], "static_categoricals": ["series"],
            "time_varying_known_reals": ["time_idx"], "target_normalizer": normalizer,
        }  # fmt: skip
    else:
        known = {"categorical_encoders": {"series": NaNLabelEncoder().fit(frame.series)}}
    train = TimeSeriesDataSet(
        frame[frame.time_idx < 100], time_idx="time_idx", target="value", group_ids=["series"],
        max_encoder_length=24, max_prediction_length=6, time_varying_unknown_reals=["value"],
        **known,
    )  # fmt: skip
    return train, TimeSeriesDataSet.from_dataset(train, frame, min_prediction_idx=100)


def temporal_fusion() -> LightningModule:
    from pytorch_forecasting import TemporalFusionTransformer
    from pytorch_forecasting.metrics import QuantileLoss

    return TemporalFusionTransformer.from_dataset(
        sales_sets(True)[0], learning_rate=0.03, hidden_size=16, attention_head_size=2,
        dropout=0.1, hidden_continuous_size=8, loss=QuantileLoss(), optimizer="adam",
        log_interval=-1,
    )  # fmt: skip


def deep_ar() -> LightningModule:
    from pytorch_forecasting import DeepAR
    from pytorch_forecasting.metrics import NormalDistributionLoss

    return DeepAR.from_dataset(
        sales_sets(True)[0], learning_rate=1e-2, hidden_size=24, rnn_layers=2, optimizer="adam",
        loss=NormalDistributionLoss(), log_interval=-1,
    )  # fmt: skip


def n_hits() -> LightningModule:
    from pytorch_forecasting import NHiTS
    from pytorch_forecasting.metrics import MAE

    return NHiTS.from_dataset(
        sales_sets(False)[0], learning_rate=5e-3, weight_decay=1e-2, hidden_size=32, loss=MAE(),
        optimizer="adamw", log_interval=-1,
    )  # fmt: skip


def sales_case(model: str, make: Any, epochs: int, goal: Goal, *, covariates: bool) -> Case:
    """As the package's tutorials train: batches of 64, gradients clipped at 0.1."""

    def train() -> Any:
        return sales_sets(covariates)[0].to_dataloader(train=True, batch_size=64)

    def validate() -> Any:
        return sales_sets(covariates)[1].to_dataloader(train=False, batch_size=128)

    trainer = {"gradient_clip_val": 0.1}
    name = f"pytorch_forecasting/{model}"
    return Case(name, "monthly sales", make, train, validate, epochs, goal, trainer)


def episodes() -> Split:
    """A mass on a line, pushed back to the middle: states, pushes, rewards still to come, times.

    How hard it is pushed differs from one episode to the next, and so does what it earns.
    """
    draw, length = np.random.default_rng(0), 16
    state = draw.normal(size=(1200, 2))
    force = draw.uniform(0.3, 1.5, 1200)
    states, actions, rewards = [], [], []
    for _ in range(length):
        action = np.tanh(-force * state[:, 0] - state[:, 1])
        states.append(state)
        actions.append(action[:, None])
        rewards.append(-(state**2).sum(1) - 0.1 * action**2)
        speed = state[:, 1] + 0.3 * action
        state = np.stack([state[:, 0] + 0.3 * speed, speed], 1)
    to_come = np.cumsum(np.stack(rewards, 1)[:, ::-1], 1)[:, ::-1].copy() / 10
    times = np.tile(np.arange(length), (1200, 1))
    return split(np.stack(states, 1), np.stack(actions, 1), to_come[..., None], times)


def decision_transformer() -> LightningModule:
    from transformers import DecisionTransformerConfig, DecisionTransformerModel

    configuration = DecisionTransformerConfig(
        state_dim=2, act_dim=1, hidden_size=64, n_layer=2, n_head=1, n_positions=64,
        max_ep_len=16,
    )  # fmt: skip
    network = DecisionTransformerModel(configuration)
    return Published(network, imitate, adamw(1e-3, weight_decay=1e-4), warm_up_then_linear)


def imitate(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    states, actions, to_come, times = batch
    found = network(
        states=states, actions=actions, returns_to_go=to_come, timesteps=times,
        attention_mask=torch.ones_like(times),
    )  # fmt: skip
    return {"loss": F.mse_loss(found.action_preds, actions)}


# The noise has 0.02, the last value as a forecast 0.14, and the mean of the series 0.57.
FORESEEN = Goal("val_loss", at_most=0.1)
CASES = (
    tensor_case(
        "ncps/CfC", "a wave half a step on", closed_form_continuous, tones_ahead, 10,
        Goal("val_loss", at_most=0.05),
    ),
    tensor_case(
        "pytorch_tcn/TCN", "a wave half a step on", temporal_convolutions, tones_ahead, 20,
        Goal("val_loss", at_most=0.05),
    ),
    tensor_case(
        "conformer/ConformerBlock", "speeds of waves", conformer, tones_named, 15,
        Goal("val_acc", at_least=0.9),
    ),
    tensor_case("transformers/PatchTST", "next 8 steps", patch_transformer, windows, 12, FORESEEN),
    tensor_case(
        "torchcde/controlled equation", "which way spirals turn", controlled_equation, spirals, 10,
        Goal("val_acc", at_least=0.95),
    ),
    # The noise alone has a MAE of 0.4 and a MASE, which is in mean steps of a month, of 0.24.
    sales_case("TFT", temporal_fusion, 6, Goal("val_MAE", at_most=1.2), covariates=True),
    sales_case("DeepAR", deep_ar, 8, Goal("val_MASE", at_most=0.6), covariates=True),
    sales_case("NHiTS", n_hits, 8, Goal("val_MASE", at_most=0.6), covariates=False),
    tensor_case(
        "transformers/DecisionTransformer", "imitate from returns", decision_transformer, episodes,
        12, Goal("val_loss", at_most=0.02), trainer={"gradient_clip_val": 0.25},
    ),
)  # fmt: skip
