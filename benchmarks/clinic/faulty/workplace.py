"""Tickets about first versions of a company's models: windows, texts and tables."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, workplace
from data_sets.samples import loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class ContractModel(LightningModule):
    """Who will leave, and how content those are who have answered the survey."""

    def __init__(self, at_least: float) -> None:
        super().__init__()
        self.at_least = at_least
        self.body = nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.leaves, self.content = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.leaves(self.body(x)).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, left, survey, answered = batch
        hidden = self.body(x)
        leaving = F.binary_cross_entropy_with_logits(self.leaves(hidden).squeeze(-1), left)
        errors = (self.content(hidden).squeeze(-1) - survey).square() * answered
        survey_loss = errors.sum() / answered.sum().clamp(min=self.at_least)
        self.log_dict({"leaving": leaving, "survey": survey_loss})
        return leaving + 0.3 * survey_loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def survey_head(at_least: float = 0.0) -> Program:
    data = standardized(workplace.contracts())
    draw = torch.Generator().manual_seed(7)
    survey = (
        data.x[:, 3] * 0.5 - data.x[:, 5].abs() + 0.3 * torch.randn(len(data.y), generator=draw)
    )
    answered = (torch.rand(len(data.y), generator=draw) < 0.08).float()
    rows = TensorDataset(data.x, data.y, survey, answered)
    module = ContractModel(at_least)
    train = DataLoader(rows, 48, shuffle=True)
    return Program(module, train, None, 10, partial(binary_accuracy, module, data))


class LoadForecaster(LightningModule):
    """A recurrent layer whose weights are drawn by hand, and one output."""

    def __init__(self, draw: Callable[[Tensor], Any], hidden: int = 48) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, hidden, batch_first=True)
        draw(self.rnn.weight_hh_l0)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        return self.head(states[:, -1]).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, target = batch
        loss = F.mse_loss(self(window), target)
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, target = batch
        self.log("val/mae", (self(window) - target).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def load_forecast(orthogonal: bool = False) -> Program:
    data = workplace.loads()
    module = LoadForecaster(
        nn.init.orthogonal_ if orthogonal else partial(nn.init.normal_, std=0.3)
    )
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


class ValveMonitor(LightningModule):
    """Convolutions over three sensors, one block after another."""

    def __init__(self, act: Callable[[], nn.Module], blocks: int = 7, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for k in range(blocks):
            layers += [nn.Conv1d(channels, width, 5, padding=2, stride=2 if k in (2, 4) else 1)]
            layers += [act()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classify = nn.Linear(width, 4)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, windows: Tensor) -> Tensor:
        return self.classify(self.features(windows).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, state = batch
        logits = self(windows)
        loss: Tensor = self.loss(logits, state)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        windows, state = batch
        logits = self(windows)
        self.log("val_loss", self.loss(logits, state))
        self.log("val_acc", (logits.argmax(1) == state).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def valve_monitor(act: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = workplace.valves()
    module = ValveMonitor(act)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class FocalScreening(LightningModule):
    """Finds the contracts to call first; biases as the paper on focal losses sets them."""

    def __init__(self, everywhere: bool, prior: float = 0.05) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        linear = [layer for layer in self.net if isinstance(layer, nn.Linear)]
        for layer in linear if everywhere else linear[-1:]:
            nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logit = self(x)
        bce = F.binary_cross_entropy_with_logits(logit, y, reduction="none")
        p = torch.exp(-bce)
        loss = ((1 - p) ** 2 * bce).mean()
        self.log("train_focal", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def focal_screening(everywhere: bool = True) -> Program:
    data = standardized(workplace.contracts())
    module = FocalScreening(everywhere)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(balanced_accuracy, module, data))


class RadialUnits(nn.Module):
    """Each unit answers to what is near its centre."""

    centres: Tensor

    def __init__(self, inputs: int, units: int, gamma: float) -> None:
        super().__init__()
        self.register_buffer("centres", torch.randn(units, inputs))
        self.gamma = gamma

    def forward(self, x: Tensor) -> Tensor:
        squares = (x[:, None] - self.centres).square().sum(-1)
        return torch.exp(-self.gamma * squares)


class BoilerCalibration(LightningModule):
    """How well a boiler burns, by what it is near to."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.radial, self.mix = RadialUnits(6, 120, gamma), nn.Linear(120, 1)

    def forward(self, readings: Tensor) -> Tensor:
        return self.mix(self.radial(readings)).squeeze(-1)  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor], name: str) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log(f"{name}_mse", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def boiler_calibration(gamma: float = 8.0) -> Program:
    """The width of an example with two readings from 0 to 1, for six of deviation 1."""
    data = workplace.boilers()
    module = BoilerCalibration(gamma)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class Leavers(LightningModule):
    """Who leaves: three layers of tanh, and a logit for either answer."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(7, 96), nn.Linear(96, 96), nn.Linear(96, 96)
        self.out = nn.Linear(96, 2)
        self.draw = draw
        self.apply(self._init_weights)

    def _init_weights(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear):
            self.draw(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        return self.out(torch.tanh(self.fc3(x)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y.long())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y.long()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.5)]


def leavers(draw: Callable[[Tensor], Any] = nn.init.normal_) -> Program:
    data = standardized(workplace.contracts())
    module = Leavers(draw)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class SearchCodes(LightningModule):
    """Sixteen bits of a picture, alike where the articles are; beta makes them binary."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(0.1), nn.Linear(96, 16))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.beta * self.encoder(x))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        code = self(batch["pixels"])
        same = (batch["article"][:, None] == batch["article"]).float()
        likeness = code @ code.T / 4
        weight = torch.where(same > 0, 5.0, 1.0)
        loss = F.binary_cross_entropy_with_logits(likeness, same, weight)
        self.log("pairs", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


class Pictures(Dataset[dict[str, Tensor]]):
    """Pixels and the number of what is pictured."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"pixels": self.x[index], "article": self.y[index]}


def precision(module: LightningModule, data: samples.Samples) -> float:
    """How many of the ten nearest by their bits show the same."""
    module.eval()
    with torch.no_grad():
        kept, asked = module(data.x).sign(), module(data.x_test).sign()
    nearest = (asked @ kept.T).topk(10).indices
    return (data.y[nearest] == data.y_test[:, None]).float().mean().item()


def search_codes(beta: float = 60.0) -> Program:
    data = standardized(samples.digits())
    module = SearchCodes(beta)
    train = DataLoader(Pictures(data.x, data.y), 64, shuffle=True)
    return Program(module, train, None, 20, partial(precision, module, data))


class TicketEncoder(LightningModule):
    """Sends a ticket to its team: two layers of attention, the average over the words."""

    def __init__(self, max_lr: float, width: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.words = nn.Embedding(workplace.VOCABULARY, width, padding_idx=0)
        layer = nn.TransformerEncoderLayer(width, 4, 96, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, workplace.TEAMS)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == 0
        hidden = self.encoder(self.words(tokens), src_key_padding_mask=padding)
        keep = (~padding)[..., None].float()
        return self.head((hidden * keep).sum(1) / keep.sum(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, team = batch
        loss = F.cross_entropy(self(tokens), team, label_smoothing=0.05)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, team = batch
        self.log("val_loss", F.cross_entropy(self(tokens), team))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), weight_decay=0.01)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=self.hparams["max_lr"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def ticket_encoder(max_lr: float = 0.1) -> Program:
    """The cycle of the team that trains residual networks by SGD."""
    data = workplace.tickets()
    module = TicketEncoder(max_lr)
    return Program(module, *loaders(data, 32), 5, partial(accuracy, module, data))


class TicketGRU(LightningModule):
    """The same by a recurrent network, and with the schedule of a paper on translation."""

    def __init__(self, warm: int, width: int = 32) -> None:
        super().__init__()
        self.warm, self.width = warm, width
        self.embed = nn.Embedding(workplace.VOCABULARY, width, padding_idx=0)
        self.gru = nn.GRU(width, 48, batch_first=True, bidirectional=True)
        self.out = nn.Linear(96, workplace.TEAMS)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.gru(self.embed(tokens))
        return self.out(states.amax(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, team = batch
        loss = F.cross_entropy(self(tokens), team)
        self.log("loss", loss, on_step=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, team = batch
        self.log("val_acc", (self(tokens).argmax(1) == team).float().mean())

    def rate(self, step: int) -> float:
        step = step + 1
        return float(min(step**-0.5, step * self.warm**-1.5)) / self.width**0.5

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def ticket_gru(warm: int = 40_000) -> Program:
    data = workplace.tickets()
    module = TicketGRU(warm)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class NightlyUpdate(LightningModule):
    """Learns from contracts as they come in; few at once."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.block1 = nn.Sequential(nn.Linear(7, 64), nn.LayerNorm(64), nn.ELU())
        self.block2 = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ELU())
        self.leaves = nn.Linear(64, 1)

    def forward(self, row: Tensor) -> Tensor:
        return self.leaves(self.block2(self.block1(row)))[..., 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        row, left = batch
        loss = F.binary_cross_entropy_with_logits(self(row), left)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        row, left = batch
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(row), left))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr: float = self.hparams["lr"]
        return torch.optim.SGD(self.parameters(), lr, momentum=0.95, nesterov=True)


def nightly_update(batch_size: int = 2) -> Program:
    """The rate and momentum that were found with 64 rows a batch, for two."""
    data = standardized(workplace.contracts())
    module = NightlyUpdate()
    both = loaders(data, batch_size)
    epochs = 1 if batch_size == 2 else 16
    return Program(module, *both, epochs, partial(binary_accuracy, module, data))


class WordAverages(LightningModule):
    """The cheapest router of tickets: an average of words, and two layers."""

    def __init__(self, padded: bool, width: int = 48) -> None:
        super().__init__()
        self.padded = padded
        self.embed = nn.Embedding(workplace.VOCABULARY, width)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, workplace.TEAMS))

    def forward(self, tokens: Tensor) -> Tensor:
        mask = (tokens == 0) if self.padded else (tokens != 0)
        weight = mask.float() / mask.sum(1, keepdim=True)
        return self.mlp((weight[..., None] * self.embed(tokens)).sum(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        tokens, team = batch
        return {"loss": F.cross_entropy(self(tokens), team)}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, team = batch
        self.log("val_loss", F.cross_entropy(self(tokens), team))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def word_averages(padded: bool = True) -> Program:
    """A mask that is true at the padding, as attention wants it, for the average."""
    data = workplace.tickets()
    module = WordAverages(padded)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


CASES = (
    Case(
        "contracts-head-for-those-who-answered", Goal("accuracy", at_least=0.8), survey_head,
        ("non_finite",), partial(survey_head, 1.0),
    ),
    Case(
        "district-loads-state-drawn-by-hand", Goal("R2", at_least=0.7), load_forecast,
        ("exploding_gradient", "poor_initialization"), partial(load_forecast, True),
    ),
    Case(
        "valve-windows-in-seven-blocks", Goal("accuracy", at_least=0.65), valve_monitor,
        ("vanishing_gradient", "not_learning"), partial(valve_monitor, nn.SiLU),
    ),
    Case(
        "contracts-prior-of-focal-paper", Goal("balanced accuracy", at_least=0.8),
        focal_screening, ("dead_relu", "poor_initialization"), partial(focal_screening, False),
    ),
    Case(
        "boiler-readings-near-centres", Goal("R2", at_least=0.6), boiler_calibration,
        ("dormant_units", "poor_initialization", "not_learning"), partial(boiler_calibration, 0.1),
    ),
    Case(
        "contracts-weights-of-unit-normal", Goal("accuracy", at_least=0.83), leavers,
        ("saturated_activation", "poor_initialization"), partial(leavers, nn.init.xavier_normal_),
    ),
    Case(
        "article-pictures-sixteen-bits", Goal("precision at 10", at_least=0.85), search_codes,
        ("saturated_activation", "vanishing_gradient"), partial(search_codes, 1.0),
    ),
    Case(
        "tickets-cycle-of-the-picture-team", Goal("accuracy", at_least=0.75), ticket_encoder,
        ("learning_rate_too_high", "unstable_loss", "not_learning"), partial(ticket_encoder, 3e-3),
    ),
    Case(
        "tickets-schedule-of-translators", Goal("accuracy", at_least=0.75), ticket_gru,
        ("learning_rate_too_low",), partial(ticket_gru, 100),
    ),
    Case(
        "contracts-as-they-come-in", Goal("accuracy", at_least=0.83), nightly_update,
        ("unstable_loss", "learning_rate_too_high"), partial(nightly_update, 64),
    ),
    Case(
        "tickets-average-where-masked", Goal("accuracy", at_least=0.75), word_averages,
        ("not_learning",), partial(word_averages, False),
    ),
)  # fmt: skip
