"""Sports: notebooks of coaches, students and fans, each with one mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import sports
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class SessionAutoencoder(LightningModule):
    """Five layers to a code of eight numbers, and five back."""

    def __init__(self, act: type[nn.Module]) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(48, 40), act(), nn.Linear(40, 32), act(), nn.Linear(32, 24), act(),
            nn.Linear(24, 16), act(), nn.Linear(16, 8), act(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(8, 16), act(), nn.Linear(16, 24), act(), nn.Linear(24, 32), act(),
            nn.Linear(32, 40), act(), nn.Linear(40, 48),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, _ = batch
        loss = F.mse_loss(self(x), x)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, _ = batch
        self.log("val_loss", F.mse_loss(self(x), x), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def session_codec(act: type[nn.Module]) -> Program:
    data, module = sports.sessions(), SessionAutoencoder(act)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class RoleClassifier(LightningModule):
    """Homework: weights are to be drawn between -1 and 1, as for the perceptron of week one."""

    def __init__(self, init: bool) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(60, 256), nn.Linear(256, 256)
        self.fc3, self.out = nn.Linear(256, 256), nn.Linear(256, 5)
        if init:
            for layer in (self.fc1, self.fc2, self.fc3):
                nn.init.uniform_(layer.weight, -1, 1)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.fc1(x))
        x = torch.tanh(self.fc2(x))
        x = torch.tanh(self.fc3(x))
        logits: Tensor = self.out(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("loss", loss)
        self.log("acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def role_classifier(init: bool) -> Program:
    data, module = sports.roles(), RoleClassifier(init)
    return Program(module, *loaders(data, 32), 16, partial(accuracy, module, data))


class Games(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Two teams and whether the first wins; in training they change sides half of the time."""

    def __init__(self, pairs: Tensor, won: Tensor, augment: bool, turn_result: bool) -> None:
        self.pairs, self.won = pairs, won
        self.augment, self.turn_result = augment, turn_result

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        (a, b), won = self.pairs[index], self.won[index]
        if self.augment and torch.rand(1).item() < 0.5:
            a, b = b, a
            if self.turn_result:
                won = 1 - won
        return a, b, won


class GamePredictor(LightningModule):
    """Vectors of both teams side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.team_emb = nn.Embedding(sports.TEAMS, 8)
        self.mlp = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1)
        )  # fmt: skip
        self.loss_fn = nn.BCEWithLogitsLoss()

    def forward(self, teams: Tensor) -> Tensor:
        logit: Tensor = self.mlp(self.team_emb(teams).flatten(1))
        return logit.squeeze(1)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        team_a, team_b, won = batch
        loss: Tensor = self.loss_fn(self(torch.stack([team_a, team_b], 1)), won)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> None:
        team_a, team_b, won = batch
        logit = self(torch.stack([team_a, team_b], 1))
        self.log("val_loss", self.loss_fn(logit, won))
        self.log("val_acc", ((logit > 0) == (won > 0.5)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def game_predictor(turn_result: bool) -> Program:
    """The sides are swapped to have more data, and the result stays that of the home team."""
    data, module = sports.games(), GamePredictor()
    train = DataLoader(Games(data.x, data.y, True, turn_result), 64, shuffle=True)
    test = DataLoader(Games(data.x_test, data.y_test, False, turn_result), 256)
    return Program(module, train, test, 12, partial(binary_accuracy, module, data))


class EffortNet(LightningModule):
    """Convolutions over time, and the penalty of an answer about L1 in PyTorch."""

    def __init__(self, l1_lambda: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.conv = nn.Sequential(
            nn.Conv1d(3, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        l1_norm = sum(p.abs().sum() for p in self.parameters())
        loss += self.hparams["l1_lambda"] * l1_norm
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def effort_net(l1_lambda: float) -> Program:
    data, module = sports.efforts(), EffortNet(l1_lambda)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class EventSpotter(LightningModule):
    """Says of each second of a match whether there is a shot or a tackle."""

    def __init__(self, weight: list[float] | None) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 3)
        self.criterion = nn.CrossEntropyLoss(None if weight is None else torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.lstm(x.transpose(1, 2))
        logits: Tensor = self.head(hidden)
        return logits

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        x, y = batch
        logits = self(x).reshape(-1, 3)
        loss: Tensor = self.criterion(logits, y.reshape(-1))
        acc = (logits.argmax(1) == y.reshape(-1)).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_acc": acc}, prog_bar=True)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def mean_recall(module: LightningModule, data: Samples) -> float:
    """Over the three labels of the seconds."""
    found = outputs(module, data.x_test).argmax(-1)
    right = (found == data.y_test).float()
    return torch.stack([right[data.y_test == label].mean() for label in range(3)]).mean().item()


def event_spotter(weight: list[float] | None) -> Program:
    """Of a hundred seconds, 97 have no event."""
    data, module = sports.minutes(), EventSpotter(weight)
    return Program(module, *loaders(data, 16), 12, partial(mean_recall, module, data))


def init_weights(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.normal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class ShotChartCNN(LightningModule):
    """Where a player shoots from tells the position."""

    def __init__(self, own_init: bool) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 5),
        )  # fmt: skip
        if own_init:
            self.model.apply(init_weights)

    def forward(self, chart: Tensor) -> Tensor:
        logits: Tensor = self.model(chart)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        chart, position = batch
        loss = F.cross_entropy(self(chart), position)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        chart, position = batch
        logits = self(chart)
        self.log("val_loss", F.cross_entropy(logits, position))
        self.log("val_acc", (logits.argmax(1) == position).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def shot_chart_cnn(own_init: bool) -> Program:
    data, module = sports.shot_charts(), ShotChartCNN(own_init)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class HeartRateLSTM(LightningModule):
    """The heart rate after forty minutes of power and cadence."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(2, 32, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.lstm(x)
        out: Tensor = self.fc(h[-1])
        return out.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        gamma = self.hparams["gamma"]
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=gamma)
        return [optimizer], [scheduler]


def heart_rate_lstm(gamma: float) -> Program:
    """The 0.1 was copied from a schedule of every thirty epochs."""
    data, module = sports.rides(), HeartRateLSTM(gamma)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


CASES = (
    Case(
        "sessions-coded-by-nine-sigmoids", Goal("R2", at_least=0.5),
        partial(session_codec, nn.Sigmoid), ("vanishing_gradient",),
        partial(session_codec, nn.ReLU),
    ),
    Case(
        "roles-tanh-of-weights-up-to-one", Goal("accuracy", at_least=0.79),
        partial(role_classifier, True), ("saturated_activation", "poor_initialization"),
        partial(role_classifier, False),
    ),
    Case(
        "games-sides-swapped-results-kept", Goal("accuracy", at_least=0.68),
        partial(game_predictor, False), ("inconsistent_labels", "not_learning"),
        partial(game_predictor, True),
    ),
    Case(
        "efforts-l1-of-a-hundredth", Goal("accuracy", at_least=0.8),
        partial(effort_net, 0.01), ("over_regularized",),
        partial(effort_net, 1e-5),
    ),
    Case(
        "seconds-of-play-seldom-events", Goal("mean recall", at_least=0.6),
        partial(event_spotter, None), ("class_imbalance",),
        partial(event_spotter, [1.0, 20.0, 20.0]),
    ),
    Case(
        "shot-charts-weights-of-randn", Goal("accuracy", at_least=0.9),
        partial(shot_chart_cnn, True), ("poor_initialization", "exploding_gradient"),
        partial(shot_chart_cnn, False),
    ),
    Case(
        "rides-rate-a-tenth-each-epoch", Goal("R2", at_least=0.8),
        partial(heart_rate_lstm, 0.1), ("learning_rate_too_low",),
        partial(heart_rate_lstm, 0.95),
    ),
)  # fmt: skip
