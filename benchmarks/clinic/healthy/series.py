"""Forecasts, hearts, patients and events: programs that look odd and are right."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import corpora, surveys
from data_sets.samples import Samples, loaders, split
from lightning.pytorch import LightningModule
from modules import adam
from programs import regression
from scores import balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Decomposed(nn.Module):
    """A linear forecast of the moving average, and one of what is left (DLinear)."""

    def __init__(self, window: int, ahead: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.trend, self.rest = nn.Linear(window, ahead), nn.Linear(window, ahead)

    def forward(self, series: Tensor) -> Tensor:
        padded = F.pad(series[:, None], (self.kernel // 2, self.kernel // 2), "replicate")
        trend = F.avg_pool1d(padded, self.kernel, 1)[:, 0]
        forecast: Tensor = self.trend(trend) + self.rest(series - trend)
        return forecast


def decomposed(window: int = 48, ahead: int = 24) -> Program:
    generator = torch.Generator().manual_seed(91)
    time = torch.arange(1600.0)
    series = torch.sin(0.2618 * time) + 0.5 * torch.sin(0.0374 * time)
    series = series + 0.2 * torch.randn(len(time), generator=generator)
    rows = series.unfold(0, window + ahead, 1)
    data = Samples(
        rows[:1200, :window], rows[:1200, window:], rows[1270:, :window], rows[1270:, window:]
    )
    return regression(data, Decomposed(window, ahead, 25), adam(2e-3), epochs=10)


class PatchForecaster(LightningModule):
    """Takes megawatts as they are: each window is scaled by itself, and the answer scaled back."""

    def __init__(self, patch: int = 6, width: int = 48) -> None:
        super().__init__()
        self.patch = patch
        self.enter, self.place = nn.Linear(patch, width), nn.Parameter(torch.zeros(8, width))
        layer = nn.TransformerEncoderLayer(width, 4, 96, 0.0, "gelu", True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width), False)
        self.head = nn.Linear(8 * width, 1)
        nn.init.trunc_normal_(self.place, std=0.02)

    def forward(self, megawatts: Tensor) -> Tensor:
        mean, deviation = megawatts.mean(1), megawatts.std(1) + 1e-3
        scaled = (megawatts - mean[:, None]) / deviation[:, None]
        patches = scaled.squeeze(2).unfold(1, self.patch, self.patch)
        hidden = self.encoder(self.enter(patches) + self.place)
        return self.head(hidden.flatten(1))[:, 0] * deviation[:, 0] + mean[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, following = batch
        loss = F.l1_loss(self(window), following)
        self.log("mae_in_megawatts", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae_in_megawatts", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def patches() -> Program:
    data = surveys.loads(48)
    module = PatchForecaster()
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


class BeatBlock(nn.Module):
    """Two convolutions around which the beat may pass."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(before, after, 5, 2, 2, bias=False), nn.BatchNorm1d(after), nn.ReLU(),
            nn.Conv1d(after, after, 5, 1, 2, bias=False), nn.BatchNorm1d(after),
        )  # fmt: skip
        self.past = nn.Conv1d(before, after, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.past(x))


class Hearts(LightningModule):
    """Premature beats are rare, so that they are drawn more often; and shifted in each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            BeatBlock(1, 12), BeatBlock(12, 24), nn.AdaptiveAvgPool1d(3), nn.Flatten(),
            nn.Dropout(0.3), nn.Linear(72, 1),
        )  # fmt: skip

    def forward(self, beat: Tensor) -> Tensor:
        logits: Tensor = self.net(beat)
        return logits[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        beat, ill = batch
        beat = beat.roll(int(torch.randint(-3, 4, ())), -1) * (
            0.8 + 0.4 * torch.rand(len(beat), 1, 1)
        )
        loss = F.binary_cross_entropy_with_logits(self(beat), ill.float())
        self.log("bce", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)]


def hearts() -> Program:
    data = corpora.beats(0.06, 3000)
    weights = (1 / data.y.bincount())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(data.y))
    module = Hearts()
    train = DataLoader(TensorDataset(data.x, data.y), 32, sampler=sampler)
    return Program(module, train, None, 6, partial(balanced_accuracy, module, data))


class Decaying(LightningModule):
    """A GRU for patients whose values are mostly missing: they fade to the mean, and so does it."""

    def __init__(self, features: int, width: int = 24) -> None:
        super().__init__()
        self.fade = nn.Parameter(torch.full((features,), -2.0))
        self.forget = nn.Linear(features, width)
        self.cell, self.out = nn.GRUCell(2 * features, width), nn.Linear(width, 1)

    def forward(self, values: Tensor) -> Tensor:
        there = values.isfinite()
        known = torch.where(there, values, 0.0)
        last, since = torch.zeros_like(known[:, 0]), torch.zeros_like(known[:, 0])
        h = values.new_zeros(len(values), self.cell.hidden_size)
        for x, seen in zip(known.unbind(1), there.unbind(1), strict=True):
            since = torch.where(seen, 0.0, since + 1)
            last = torch.where(seen, x, last)
            faded = last * torch.exp(-F.softplus(self.fade) * since)
            h = h * torch.exp(-F.relu(self.forget(since / 10)))
            h = self.cell(torch.cat([faded, seen.float()], 1), h)
        risk: Tensor = self.out(h)
        return risk[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("val_bce", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def patients(hours: int = 24, count: int = 1600) -> Program:
    """Four values in z-scores, measured at an hour in four; two of them rise in those at risk."""
    generator = torch.Generator().manual_seed(92)
    y = torch.randint(2, (count,), generator=generator)
    x = torch.randn(count, hours, 4, generator=generator)
    x[..., :2] += (2 * y[:, None, None] - 1) * torch.linspace(0, 1.5, hours)[:, None]
    missing = torch.rand(x.shape, generator=generator) > 0.25
    data = split(x.masked_fill(missing, torch.nan), y)
    module = Decaying(4)
    return Program(module, *loaders(data, 32), 6, partial(balanced_accuracy, module, data))


class EchoState(LightningModule):
    """A reservoir that stays as it was drawn, near chaos; a linear layer learns to read it."""

    def __init__(self, width: int = 150) -> None:
        super().__init__()
        inner = torch.randn(width, width) * (torch.rand(width, width) < 0.1)
        self.register_buffer("inner", 0.9 * inner / torch.linalg.eigvals(inner).abs().max())
        self.enter = nn.Linear(1, width).requires_grad_(False)
        self.readout = nn.Linear(width, 1)

    def forward(self, series: Tensor) -> Tensor:
        state, states = series.new_zeros(len(series), len(self.inner)), []
        for x in series.unbind(1):
            state = torch.tanh(self.enter(x[:, None]) + state @ self.inner)
            states.append(state)
        found: Tensor = self.readout(torch.stack(states, 1))
        return found[..., 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0])[:, 20:], batch[1][:, 20:])
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.readout.parameters(), lr=2e-2)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)]


def reservoir(length: int = 100, rows: int = 200) -> Program:
    """Mackey and Glass' equation of blood cells; four steps ahead."""
    x = [1.2] * 18
    for _ in range(200 + rows * length):
        x.append(x[-1] + 0.2 * x[-18] / (1 + x[-18] ** 10) - 0.1 * x[-1])
    series = torch.tensor(x[200:])
    series = (series - series.mean()) / series.std()
    now = series[: rows * length].view(rows, length)
    later = series[4 : 4 + rows * length].view(rows, length)
    module = EchoState()
    train = DataLoader(TensorDataset(now[:160], later[:160]), 4, shuffle=True)

    def score() -> float:
        found, true = outputs(module, now[160:])[:, 20:], later[160:, 20:]
        return (1 - F.mse_loss(found, true) / true.var()).item()

    return Program(module, train, None, 30, score)


class Events(LightningModule):
    """When does it happen next? A GRU over gaps gives a log-normal mixture for the one to come."""

    def __init__(self, parts: int = 3) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 3 * parts)

    def forward(self, gaps: Tensor) -> Tensor:
        """Negative log-likelihood of each gap but the first."""
        logs = gaps.log()
        weight, mean, deviation = self.out(self.gru(logs[:, :-1, None])[0]).chunk(3, -1)
        z = (logs[:, 1:, None] - mean) / deviation.exp()
        each = weight.log_softmax(-1) - deviation - 0.5 * z.square() - 0.5 * math.log(2 * math.pi)
        return logs[:, 1:] - each.logsumexp(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self(batch[0]).mean()
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self(batch[0]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def events(length: int = 30, count: int = 1000) -> Program:
    """Bursts of short gaps between long ones; what is likeliest has a negative loss."""
    generator = torch.Generator().manual_seed(93)
    busy, rows = torch.zeros(count, dtype=torch.bool), []
    for _ in range(length):
        busy = busy ^ (torch.rand(count, generator=generator) < 0.15)
        level = torch.where(busy, -3.5, 0.5)
        rows.append((level + 0.4 * torch.randn(count, generator=generator)).exp())
    gaps = torch.stack(rows, 1)
    module = Events()
    train = DataLoader(TensorDataset(gaps[:800]), 32, shuffle=True)
    unseen = DataLoader(TensorDataset(gaps[800:]), 200)
    return Program(module, train, unseen, 8, lambda: outputs(module, gaps[800:]).mean().item())


CASES = (
    Case("seasons-linear-forecast", Goal("R2", at_least=0.85), decomposed),
    Case("loads-patches-in-megawatts", Goal("R2", at_least=0.9), patches),
    Case("beats-drawn-evenly", Goal("balanced accuracy", at_least=0.9), hearts),
    Case("patients-mostly-missing-values", Goal("balanced accuracy", at_least=0.8), patients),
    Case("blood-cells-echo-state", Goal("R2", at_least=0.9), reservoir),
    Case("events-gaps-log-normal", Goal("negative log-likelihood", at_most=-0.25), events),
)
