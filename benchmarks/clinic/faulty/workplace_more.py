"""More tickets about first versions: pictures, sessions, prices, orders of answers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import products, samples, services, workplace
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class NextItem(LightningModule):
    """What is looked at next in a shop; one table for what is read and what is guessed."""

    def __init__(self, std: float, width: int = 64) -> None:
        super().__init__()
        self.items = nn.Embedding(services.ITEMS, width)
        nn.init.normal_(self.items.weight, std=std)
        self.places = nn.Embedding(16, width)
        nn.init.normal_(self.places.weight, std=std)
        layer = nn.TransformerEncoderLayer(
            width, 2, width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Tensor) -> Tensor:
        hidden = self.items(seen) + self.places.weight[: seen.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(seen.shape[1])
        hidden = self.norm(self.encoder(hidden, mask=mask, is_causal=True))
        return hidden @ self.items.weight.T  # type: ignore[no-any-return]

    def shared_step(self, batch: list[Tensor]) -> Tensor:
        (sessions,) = batch
        logits = self(sessions[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), sessions[:, 1:].flatten(), ignore_index=0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.shared_step(batch)
        self.log("train_ce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", self.shared_step(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def next_item(std: float = 1.0) -> Program:
    sessions = services.sessions()
    module = NextItem(std)
    held_out = sessions[1400:]

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.shared_step([held_out]).item()

    train = DataLoader(TensorDataset(sessions[:1400]), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(held_out), 200), 7, score)


class OwnDense(nn.Module):
    """A dense layer whose weights start as an average of what comes in."""

    def __init__(self, inputs: int, outputs: int, drawn: bool) -> None:
        super().__init__()
        start = torch.randn(outputs, inputs) / inputs**0.5
        self.kernel = nn.Parameter(start if drawn else torch.full((outputs, inputs), 1 / inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.kernel.T + self.bias


class PriceOfFlat(LightningModule):
    """Logarithms of prices by three layers."""

    def __init__(self, drawn: bool) -> None:
        super().__init__()
        self.first, self.second = OwnDense(7, 64, drawn), OwnDense(64, 32, drawn)
        self.price = OwnDense(32, 1, drawn)

    def forward(self, x: Tensor) -> Tensor:
        x = F.elu(self.first(x))
        return self.price(F.elu(self.second(x))).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, log_price = batch
        loss = F.smooth_l1_loss(self(x), log_price)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, log_price = batch
        self.log("val_huber", F.smooth_l1_loss(self(x), log_price))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=4e-3)


def price_of_flat(drawn: bool = False) -> Program:
    data, _, _ = products.logarithms(standardized(products.flats()))
    module = PriceOfFlat(drawn)
    return Program(module, *loaders(data, 48), 12, partial(r2, module, data))


class ChurnBaseline(LightningModule):
    """Who leaves, by what is known of the contract."""

    def __init__(self, features: int = 7, hidden: int = 64, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Linear(hidden // 2, 1),
        )  # fmt: skip
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", self.criterion(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def churn_baseline(prepared: Callable[[samples.Samples], samples.Samples] | None = None) -> Program:
    """Columns as the warehouse gives them, in months, dollars, megabytes and years."""
    data = workplace.contracts()
    data = prepared(data) if prepared else data
    module = ChurnBaseline()
    return Program(module, *loaders(data, 32), 12, partial(binary_accuracy, module, data))


class LoadModel(LightningModule):
    """Load in six hours; a load is never negative, so the last layer may not be either."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1), last)

    def forward(self, window: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(window)
        return self.head(hidden[-1]).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, load = batch
        loss = F.mse_loss(self(window), load)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, load = batch
        self.log("val_mse", F.mse_loss(self(window), load))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def load_model(last: Callable[[], nn.Module] = nn.Softplus) -> Program:
    """The loads were standardized after the layer had been written."""
    data = workplace.loads()
    module = LoadModel(last())
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


class PackedTickets(LightningModule):
    """Sends tickets to teams by an LSTM that reads no padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(workplace.VOCABULARY, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, 48, batch_first=True)
        self.out = nn.Linear(48, workplace.TEAMS)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        lengths = (tokens > 0).sum(1) if lengths is None else lengths
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(packed)
        return self.out(hidden[-1])  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["tokens"], batch["lengths"])
        loss = F.cross_entropy(logits, batch["team"])
        self.log("train_loss", loss, batch_size=len(logits))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["tokens"], batch["lengths"])
        found = (logits.argmax(1) == batch["team"]).float().mean()
        self.log("val_acc", found, batch_size=len(logits))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def collate(rows: list[tuple[Tensor, Tensor]], team_too: bool = False) -> dict[str, Tensor]:
    """The longest first, as packing once wanted it."""
    tokens, team = torch.stack([row[0] for row in rows]), torch.stack([row[1] for row in rows])
    lengths, order = (tokens > 0).sum(1).sort(descending=True)
    return {
        "tokens": tokens[order], "lengths": lengths, "team": team[order] if team_too else team,
    }  # fmt: skip


def packed_tickets(team_too: bool = False) -> Program:
    data = workplace.tickets()
    module = PackedTickets()
    both = loaders(data, 32, collate_fn=partial(collate, team_too=team_too))
    return Program(module, both[0], None, 8, partial(accuracy, module, data))


class LeakAlarm(LightningModule):
    """Convolutions over a window, and one logit: is there a leak?"""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 16, 7, padding=3), nn.ReLU(), nn.AvgPool1d(4),
            nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(2),
            nn.Flatten(), nn.Linear(64, 1),
        )  # fmt: skip
        self.register_buffer("pos_weight", torch.tensor(weight))

    def forward(self, window: Tensor) -> Tensor:
        return self.net(window)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, leak = batch
        pos_weight: Any = self.pos_weight
        loss = F.binary_cross_entropy_with_logits(self(window), leak, pos_weight=pos_weight)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, leak = batch
        self.log("val_acc", ((self(window) > 0).float() == leak).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-5)


def leak_alarm(weight: float = 1.0) -> Program:
    data = workplace.rare_leaks()
    module = LeakAlarm(weight)
    return Program(module, *loaders(data, 32), 10, partial(balanced_accuracy, module, data))


class ProgressionNet(LightningModule):
    """Progression of diabetes by ten measurements, from a hundred patients."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1),
        )  # fmt: skip
        self.decay = decay

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).flatten()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def progression(
    width: int = 256, dropout: float = 0.0, decay: float = 0.0, epochs: int = 150
) -> Program:
    data = scaled_targets(standardized(samples.diabetes().first(100)))
    module = ProgressionNet(width, dropout, decay)
    return Program(module, *loaders(data, 16), epochs, partial(r2, module, data))


class CastingNet(LightningModule):
    """Flaws in pictures of milled parts."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(512, 48), nn.GELU(), nn.Linear(48, 4))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.classifier(self.features(pictures))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pictures, flaw = batch
        loss = F.cross_entropy(self(pictures), flaw)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pictures, flaw = batch
        logits = self(pictures)
        self.log("val_loss", F.cross_entropy(logits, flaw))
        self.log("val_acc", (logits.argmax(1) == flaw).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay: float = self.hparams["decay"]
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=decay)


def castings(decay: float = 0.15) -> Program:
    """The decay of a paper that used AdamW, in Adam."""
    data = products.standard(products.parts())
    module = CastingNet(decay)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class StateOfMachine(LightningModule):
    """Four states of machines by eight readings, normalized in every layer."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.BatchNorm1d(8), nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 4),
        )  # fmt: skip

    def forward(self, readings: Tensor) -> Tensor:
        return self.net(readings)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        readings, state = batch
        loss = F.cross_entropy(self(readings), state)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        readings, state = batch
        self.log("val_loss", F.cross_entropy(self(readings), state))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def one_machine_a_batch(by_machine: bool = True) -> Program:
    """Reads one file a batch, and every file is of one machine."""
    data = workplace.machines()
    zero = torch.stack([data.x[data.machine == k].mean(0) for k in range(16)])
    x, x_test = data.x, data.x_test
    if not by_machine:
        x, x_test = x - zero[data.machine], x_test - zero[data.machine_test]
    both = samples.Samples(x, data.y, x_test, data.y_test)
    files = [rows for k in range(16) for rows in (data.machine == k).nonzero().flatten().split(48)]
    files = [rows.tolist() for rows in files if len(rows) > 8]
    order = torch.randperm(len(files)).tolist()
    rows = TensorDataset(x, data.y)
    train = DataLoader(rows, batch_sampler=[files[k] for k in order])
    module = StateOfMachine()
    validation = loaders(both, 48)[1]
    return Program(module, train, validation, 10, partial(accuracy, module, both))


class TwoStages(LightningModule):
    """The second stage is to train all; the first one trained the head of a published net."""

    def __init__(self, stage: int) -> None:
        super().__init__()
        self.stage = stage
        self.encoder = nn.GRU(3, 40, batch_first=True)
        self.head = nn.Linear(40, 4)

    def forward(self, windows: Tensor) -> Tensor:
        states, _ = self.encoder(windows.transpose(1, 2))
        return self.head(states[:, -1])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, state = batch
        loss = F.cross_entropy(self(windows), state)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        windows, state = batch
        self.log("val_loss", F.cross_entropy(self(windows), state))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [{"params": self.head.parameters(), "lr": 5e-3}]
        if self.stage == 2:
            groups.append({"params": self.encoder.parameters(), "lr": 5e-3})
        return torch.optim.AdamW(groups)


def two_stages(stage: int = 1) -> Program:
    """Nobody loaded the published net, and the stage is still the first."""
    data = workplace.valves()
    module = TwoStages(stage)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class PairRanker(LightningModule):
    """Which of two answers is the better one? Scores of both, and their difference."""

    def __init__(self, assigned: bool) -> None:
        super().__init__()
        self.assigned = assigned
        self.fc1, self.fc2, self.fc3 = nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        self.dropout = nn.Dropout(0.05)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.fc1, self.fc2):
            x = layer(x)
            if self.assigned:
                x = F.relu(x)
            else:
                F.relu(x)
            x = self.dropout(x)
        return self.fc3(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        answers, relevance = batch
        score = self(answers)
        difference = score[:, :, None] - score[:, None]
        better = (relevance[:, :, None] > relevance[:, None]).float()
        loss = (F.softplus(-difference) * better).sum() / better.sum()
        self.log("ranknet", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def pair_ranker(assigned: bool = False) -> Program:
    x, relevance = services.answers()
    module = PairRanker(assigned)
    train = DataLoader(TensorDataset(x[:500], relevance[:500]), 16, shuffle=True)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(x[500:])
        better = relevance[500:, :, None] > relevance[500:, None]
        return (found[:, :, None] > found[:, None])[better].float().mean().item()

    return Program(module, train, None, 20, score)


CASES = (
    Case(
        "shop-sessions-one-table-in-and-out", Goal("cross-entropy", at_most=2.6), next_item,
        ("poor_initialization",), partial(next_item, 0.05),
    ),
    Case(
        "flats-own-dense-layer", Goal("R2", at_least=0.85), price_of_flat,
        ("symmetric_weights", "poor_initialization"), partial(price_of_flat, True),
    ),
    Case(
        "contracts-columns-of-the-warehouse", Goal("accuracy", at_least=0.83), churn_baseline,
        ("unnormalized_input",), partial(churn_baseline, standardized),
    ),
    Case(
        "district-loads-never-negative", Goal("R2", at_least=0.7), load_model,
        ("output_loss_mismatch",), partial(load_model, nn.Identity),
    ),
    Case(
        "tickets-longest-first", Goal("accuracy", at_least=0.7), packed_tickets,
        ("inconsistent_labels", "not_learning"), partial(packed_tickets, True),
    ),
    Case(
        "valve-windows-one-logit", Goal("balanced accuracy", at_least=0.75), leak_alarm,
        ("class_imbalance",), partial(leak_alarm, 30.0),
    ),
    Case(
        "diabetes-of-few-patients", Goal("R2", at_least=0.4), progression, ("overfitting",),
        partial(progression, 16, 0.2, 0.1, 40),
    ),
    Case(
        "milled-parts-decay-of-another-optimizer", Goal("accuracy", at_least=0.97), castings,
        ("over_regularized",), partial(castings, 1e-4),
    ),
    Case(
        "machines-a-file-at-a-time", Goal("accuracy", at_least=0.75), one_machine_a_batch,
        ("train_eval_mismatch",), partial(one_machine_a_batch, False),
    ),
    Case(
        "valve-windows-second-stage", Goal("accuracy", at_least=0.85), two_stages,
        ("frozen_parameter",), partial(two_stages, 2),
    ),
    Case(
        "answers-told-by-pairs", Goal("pairs in order", at_least=0.87), pair_ranker,
        ("linear_network",), partial(pair_ranker, True),
    ),
)  # fmt: skip
