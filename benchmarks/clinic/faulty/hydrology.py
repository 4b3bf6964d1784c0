"""Models of rivers and catchments, each with one mistake."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import hydrology
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import regression
from scores import r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


def described_windows() -> Samples:
    """What the basins are like stands beside the weather of each day."""
    data, owner, owner_test = hydrology.windows()
    like = 2 * hydrology.records().attributes - 1
    x, x_test = (
        torch.cat([part, like[whose][:, None].expand(-1, part.shape[1], -1)], -1)
        for part, whose in ((data.x, owner), (data.x_test, owner_test))
    )
    return data.with_inputs(x, x_test)


class RunoffTransformer(LightningModule):
    """The schedule of the paper: a rate that rises for some steps and falls with their root."""

    def __init__(self, warmup: int, factor: float = 1.0, d_model: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Linear(5, d_model)
        self.places = nn.Parameter(0.1 * torch.randn(30, d_model))
        layer = nn.TransformerEncoderLayer(d_model, 4, 64, 0.05, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(d_model, 1)

    def forward(self, weather: Tensor) -> Tensor:
        flow: Tensor = self.head(self.encoder(self.embed(weather) + self.places)[:, -1])
        return flow.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def rate(self, step: int) -> float:
        step, warmup = step + 1, self.hparams["warmup"]
        smaller: float = min(step**-0.5, step * warmup**-1.5)
        rate: float = self.hparams["factor"] * self.hparams["d_model"] ** -0.5 * smaller
        return rate

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def attended(warmup: int) -> Program:
    """The warm-up was meant in epochs; the schedule counts steps."""
    data, module = described_windows(), RunoffTransformer(warmup)
    return Program(module, *loaders(data, 64), 7, partial(r2, module, data))


def ungauged(axis: int | None) -> Program:
    """Standardised by one mean and one deviation if no axis is given, as numpy's are by default."""
    data = hydrology.ungauged()
    x, x_test = data.x.numpy(), data.x_test.numpy()
    mean, deviation = x.mean(axis), x.std(axis)
    data = data.with_inputs(
        torch.as_tensor((x - mean) / deviation), torch.as_tensor((x_test - mean) / deviation)
    )
    return regression(data, mlp([6, 48, 24, 1], nn.GELU), adam(3e-3), epochs=25)


class RunoffLSTM(LightningModule):
    """The flow on the last day: what the last LSTM puts out, or a linear head behind it."""

    def __init__(self, head: bool, hidden: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, hidden, batch_first=True)
        self.top = nn.LSTM(hidden, 8 if head else 1, batch_first=True)
        self.head = nn.Linear(8, 1) if head else nn.Identity()

    def forward(self, weather: Tensor) -> Tensor:
        sequence, _ = self.lstm(weather)
        sequence, _ = self.top(sequence)
        flow: Tensor = self.head(sequence[:, -1])
        return flow.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = F.mse_loss(self(batch[0]), batch[1])
        self.log("val_mse", error)
        self.log("val_nse", 1 - error / batch[1].var(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def runoff(head: bool) -> Program:
    data, module = described_windows(), RunoffLSTM(head)
    return Program(
        module, *loaders(data, 64), 14, partial(r2, module, data), {"gradient_clip_val": 1.0}
    )


class BasinDays(Dataset[dict[str, Tensor]]):
    """A row of features and the flow of one basin on one day."""

    def __init__(self, features: Tensor, flow: Tensor) -> None:
        self.features, self.flow = features, flow

    def __len__(self) -> int:
        return len(self.flow)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"features": self.features[index], "flow": self.flow[index]}


class BasinModel(LightningModule):
    """Batches are dictionaries; the step is shared."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.net = mlp([features, 64, 64, 1], nn.SiLU, norm=nn.LayerNorm, dropout=0.05)

    def forward(self, features: Tensor) -> Tensor:
        flow: Tensor = self.net(features)
        return flow.squeeze(-1)

    def step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        loss = F.huber_loss(self(batch["features"]), batch["flow"])
        self.log(f"{stage}_huber", loss)
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)]


def stacked(right: bool) -> Program:
    """Features have their days first and flows their basins; both are flattened as they are."""
    x, y = hydrology.panel()
    rows = x.flatten(0, 1)
    flow = (y.T if right else y).flatten()
    seen = scaled_targets(standardized(split(rows, flow)))
    data, module = hydrology.basin_days(), BasinModel(rows.shape[1])
    train = DataLoader(BasinDays(seen.x, seen.y), 64, shuffle=True)
    test = DataLoader(BasinDays(seen.x_test, seen.y_test), 256)
    return Program(module, train, test, 6, partial(r2, module, data))


class Hydrograph(LightningModule):
    """The flow on each day by causal dilated convolutions, and a penalty of its steps."""

    def __init__(self, smoothness: float, width: int = 24) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.ModuleList(
            nn.Conv1d(width if i else 2, width, 3, dilation=2**i) for i in range(4)
        )
        self.out = nn.Conv1d(width, 1, 1)

    def forward(self, weather: Tensor) -> Tensor:
        x = weather
        for i, layer in enumerate(self.layers):
            new = F.relu(layer(F.pad(x, (2 * 2**i, 0))))
            x = x + new if i else new
        flow: Tensor = self.out(x)
        return flow.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        weather, flow = batch
        found = self(weather)
        mse, rough = F.mse_loss(found, flow), found.diff(dim=1).square().mean()
        loss: Tensor = mse + self.hparams["smoothness"] * rough
        self.log_dict({"loss": loss, "mse": mse, "roughness": rough})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def hydrograph(smoothness: float) -> Program:
    data, module = hydrology.hydrographs(), Hydrograph(smoothness)
    return Program(module, *loaders(data, 16), 15, partial(r2, module, data))


class SpringFlood(LightningModule):
    """The last state of an LSTM, whose forget gates begin as PyTorch has them or open."""

    def __init__(self, initial_forget_bias: float | None, hidden: int = 20) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)
        if initial_forget_bias is not None:
            bias = self.lstm.get_parameter("bias_hh_l0")
            bias.data[hidden : 2 * hidden] = initial_forget_bias

    def forward(self, season: Tensor) -> Tensor:
        _, (state, _) = self.lstm(season)
        peak: Tensor = self.head(state[-1])
        return peak.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def spring_floods(bias: float | None) -> Program:
    data, module = hydrology.thaws(), SpringFlood(bias)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 14, partial(r2, module, data), trainer)


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Running statistics do not take part in what is done meanwhile."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


class MonotoneRunoff(LightningModule):
    """Flow that shall not fall if it rained more: a second pass, with more rain on all days."""

    def __init__(self, keep: bool, features: int) -> None:
        super().__init__()
        self.keep = keep
        self.net = mlp([features, 64, 32, 1], norm=nn.BatchNorm1d)

    def forward(self, x: Tensor) -> Tensor:
        flow: Tensor = self.net(x)
        return flow.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, flow = batch
        wetter = torch.cat([x[:, :5] + 8.0 * torch.rand(len(x), 1), x[:, 5:]], 1)
        found = self(x)
        if self.keep:
            with statistics_kept(self.net):
                more = self(wetter)
        else:
            more = self(wetter)
        fit, broken = F.mse_loss(found, flow), (found - more).relu().mean()
        self.log("train_mse", fit, prog_bar=True)
        self.log("monotonicity", broken)
        loss: Tensor = fit + 0.02 * broken
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def monotone(keep: bool) -> Program:
    data = hydrology.basin_days()
    module = MonotoneRunoff(keep, data.x.shape[1])
    return Program(module, *loaders(data, 64, drop_last=True), 8, partial(r2, module, data))


CASES = (
    Case(
        "runoff-warm-up-in-epochs-counted-in-steps", Goal("R2", at_least=0.65),
        partial(attended, 4), problems=("learning_rate_too_high",),
        remedy=partial(attended, 300),
    ),
    Case(
        "peaks-all-columns-by-one-deviation", Goal("R2", at_least=0.85),
        partial(ungauged, None), problems=("unnormalized_input",), remedy=partial(ungauged, 0),
    ),
    Case(
        "runoff-is-the-state-of-one-unit", Goal("R2", at_least=0.75),
        partial(runoff, False), problems=("output_loss_mismatch", "saturated_activation"),
        remedy=partial(runoff, True),
    ),
    Case(
        "basins-days-first-flows-basins-first", Goal("R2", at_least=0.6),
        partial(stacked, False), problems=("inconsistent_labels",), remedy=partial(stacked, True),
    ),
    Case(
        "hydrographs-smoothed-by-their-loss", Goal("R2", at_least=0.7),
        partial(hydrograph, 10.0), problems=("over_regularized",),
        remedy=partial(hydrograph, 0.01),
    ),
    Case(
        "thaws-forget-gates-half-closed", Goal("R2", at_least=0.7),
        partial(spring_floods, None), problems=("vanishing_gradient", "not_learning"),
        remedy=partial(spring_floods, 5.0),
    ),
    Case(
        "runoff-wetter-days-through-the-same-norms", Goal("R2", at_least=0.6),
        partial(monotone, False), problems=("train_eval_mismatch",),
        remedy=partial(monotone, True),
    ),
)  # fmt: skip
