"""Notebooks on flights, ported to Lightning: each with one plain mistake."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import aviation
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ManoeuvreGRU(LightningModule):
    """The last state of a GRU tells the manoeuvre of a radar track."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, aviation.MANOEUVRES)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.gru(x)
        logits: Tensor = self.fc(last[-1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02)


def manoeuvres(epochs: int, **loading: Any) -> Program:
    """Without a size of its own, a loader gives one track at a time."""
    data, module = aviation.tracks(), ManoeuvreGRU()
    train = DataLoader(TensorDataset(data.x, data.y), shuffle=True, **loading)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=64)
    return Program(module, train, test, epochs, partial(accuracy, module, data))


class TurbofanLSTM(LightningModule):
    """Share of 125 cycles that an engine has left."""

    def __init__(self, learning_rate: float, hidden_size: int = 50) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(8, hidden_size, num_layers=2, dropout=0.1, batch_first=True)
        self.linear = nn.Sequential(nn.Linear(hidden_size, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(x)
        found: Tensor = self.linear(out[:, -1])
        return found.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y / 125)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        found = self(x)
        self.log("val_loss", F.mse_loss(found, y / 125))
        self.log("val_rmse_cycles", 125 * F.mse_loss(found, y / 125).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["learning_rate"])


def cycles_left(learning_rate: float) -> Program:
    data, module = aviation.engines(), TurbofanLSTM(learning_rate)
    scaled = data._replace(y_test=data.y_test / 125)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, scaled))


class CommandNet(LightningModule):
    """Three convolutions over spectrograms of commands."""

    def __init__(self, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.2)
        self.fc1, self.fc2 = nn.Linear(32 * 2 * 3, 64), nn.Linear(64, aviation.COMMANDS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.pool(F.relu(self.conv3(x)))
        x = self.dropout(F.relu(self.fc1(x.flatten(1))))
        logits: Tensor = self.fc2(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        spectrogram, word = batch
        logits = self(spectrogram)
        loss = F.cross_entropy(logits, word)
        self.log("loss/train", loss)
        self.log("acc/train", (logits.argmax(1) == word).float().mean())
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        spectrogram, word = batch
        logits = self(spectrogram)
        self.log("loss/val", F.cross_entropy(logits, word))
        self.log("acc/val", (logits.argmax(1) == word).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=decay)


def cockpit(weight_decay: float) -> Program:
    """The decay went up threefold each time that the loss of the validation rose at the end."""
    data, module = aviation.commands(), CommandNet(weight_decay)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


def init_weights(m: nn.Module) -> None:
    """As an answer says how weights are set, not how large they should be."""
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight)
        m.bias.data.fill_(0.01)


class SensorAutoencoder(LightningModule):
    """Engines whose sensors are not given back well are to be looked at."""

    def __init__(self, init: Callable[[nn.Module], None] | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(24, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 6)
        )
        self.decoder = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 24)
        )
        if init is not None:
            self.apply(init)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_reconstruction_loss", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sensors(init: Callable[[nn.Module], None] | None) -> Program:
    data, module = aviation.readings(), SensorAutoencoder(init)
    return Program(module, *loaders(data, 64), 25, partial(r2, module, data))


class EntityEmbeddings(nn.Module):
    """A vector for each value of each column, and two layers behind them."""

    def __init__(self, sizes: tuple[int, ...], width: int = 8, hidden: int = 64) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.layers = nn.Sequential(
            nn.Linear(width * len(sizes), hidden), nn.ReLU(), nn.Linear(hidden, 32), nn.ReLU(),
            nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        columns = zip(self.embeddings, x.unbind(1), strict=False)
        found: Tensor = self.layers(torch.cat([table(column) for table, column in columns], 1))
        return found.squeeze(1)


class MissedConnections(LightningModule):
    """Passengers who miss their next flight: the loss takes means, not their logarithms."""

    def __init__(self, positive: bool) -> None:
        super().__init__()
        self.net = EntityEmbeddings((aviation.CARRIERS, aviation.AIRPORTS, aviation.AIRPORTS, 24))
        self.positive = positive
        self.loss_fn = nn.PoissonNLLLoss(log_input=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return F.softplus(out) if self.positive else out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss_fn(self(x), y)
        self.log("train_poisson_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        found = self(x)
        self.log("val_poisson_nll", self.loss_fn(found, y), prog_bar=True)
        self.log("val_mae", F.l1_loss(found, y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def missed(positive: bool) -> Program:
    data, module = aviation.connections(), MissedConnections(positive)
    return Program(module, *loaders(data, 64), 12, partial(r2, module, data))


class RBFNetwork(LightningModule):
    """Bells around learnt centres, weighed by one layer."""

    def __init__(self, sigma: float, centers: int = 80, features: int = 5) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(centers, features))
        self.sigma = sigma
        self.bells = nn.Identity()
        self.linear = nn.Linear(centers, 1)

    def forward(self, x: Tensor) -> Tensor:
        squared = (x[:, None] - self.centers).square().sum(-1)
        bells = self.bells(torch.exp(-squared / (2 * self.sigma**2)))
        out: Tensor = self.linear(bells)
        return out.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def fuel_flow(sigma: float) -> Program:
    """A width that suits a line of points leaves bells in five dimensions without any point."""
    data, module = aviation.fuel(), RBFNetwork(sigma)
    return Program(module, *loaders(data, 32), 30, partial(r2, module, data))


class TurnaroundModel(LightningModule):
    """Minutes over the plan on the ground, from columns of the airline."""

    def __init__(self, columns: tuple[int, ...]) -> None:
        super().__init__()
        self.model = EntityEmbeddings(columns, 12)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def ground(epochs: int, *tails: int) -> Program:
    """A vector for each aircraft, of which most come once or twice, learns each by heart."""
    data: Samples = aviation.turnarounds()
    module = TurnaroundModel((aviation.CARRIERS, aviation.AIRPORTS, aviation.HOURS, *tails))
    return Program(module, *loaders(data, 32), epochs, partial(r2, module, data))


CASES = (
    Case(
        "radar-tracks-loader-left-at-its-default", Goal("accuracy", at_least=0.9),
        partial(manoeuvres, 2), ("unstable_loss", "learning_rate_too_high"),
        partial(manoeuvres, 25, batch_size=16),
    ),
    Case(
        "turbofans-lstm-at-a-hundred-thousandth", Goal("R2", at_least=0.75),
        partial(cycles_left, 1e-5), ("learning_rate_too_low",), partial(cycles_left, 2e-3),
    ),
    Case(
        "cockpit-words-decay-raised-again", Goal("accuracy", at_least=0.85),
        partial(cockpit, 0.3), ("over_regularized",), partial(cockpit, 1e-4),
    ),
    Case(
        "turbofans-autoencoder-weights-of-normal", Goal("R2", at_least=0.75),
        partial(sensors, init_weights), ("poor_initialization",), partial(sensors, None),
    ),
    Case(
        "connections-means-of-any-sign", Goal("R2", at_least=0.3), partial(missed, False),
        ("non_finite", "output_loss_mismatch"), partial(missed, True),
    ),
    Case(
        "fuel-flow-bells-of-a-tenth", Goal("R2", at_least=0.75), partial(fuel_flow, 0.1),
        ("dormant_units", "poor_initialization"), partial(fuel_flow, 2.0),
    ),
    Case(
        "turnarounds-tail-numbers-embedded", Goal("R2", at_least=0.3),
        partial(ground, 20, aviation.TAILS), ("overfitting",), partial(ground, 5),
    ),
)  # fmt: skip
