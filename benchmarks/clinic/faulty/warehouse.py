"""What a hardware store's newcomers asked about, each net with the mistake that was found."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import warehouse
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class PickDuration(LightningModule):
    """Two layers over the columns of the scanner's table."""

    def __init__(self, n_features: int = 8) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_features, 64)
        self.fc2 = nn.Linear(64, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        seconds: Tensor = self.out(x)
        return seconds.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        prediction = self(x)
        self.log("val_loss", F.mse_loss(prediction, y), prog_bar=True)
        self.log("val_mae", F.l1_loss(prediction, y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pick_duration(scaled: bool) -> Program:
    data, module = warehouse.picks(), PickDuration()
    if scaled:
        data = standardized(data)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class QueryTransformer(LightningModule):
    """nn.TransformerEncoder on search queries, with the mean of what is no padding."""

    def __init__(self, lr: float, d_model: int = 64) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(warehouse.WORDS, d_model, padding_idx=0)
        self.position = nn.Embedding(warehouse.LENGTH, d_model)
        layer = nn.TransformerEncoderLayer(d_model, 4, 128, 0.1, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(d_model, warehouse.DEPARTMENTS)

    def forward(self, tokens: Tensor) -> Tensor:
        padding = tokens == 0
        x = self.embedding(tokens) + self.position.weight
        x = self.transformer(x, src_key_padding_mask=padding)
        known = (~padding).float()[..., None]
        logits: Tensor = self.fc((x * known).sum(1) / known.sum(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, department = batch
        logits = self(tokens)
        loss = F.cross_entropy(logits, department)
        self.log("train/loss", loss)
        self.log("train/acc", (logits.argmax(1) == department).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, department = batch
        logits = self(tokens)
        self.log("val/loss", F.cross_entropy(logits, department))
        self.log("val/acc", (logits.argmax(1) == department).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def query_transformer(lr: float) -> Program:
    data, module = warehouse.searches(), QueryTransformer(lr)
    return Program(module, *loaders(data, 64), 6, partial(accuracy, module, data))


class MastNet(LightningModule):
    """Dense layers over a flattened window, as in the first hour of a course."""

    def __init__(self, activations: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in ((192, 256), (256, 128), (128, 64)):
            layers.append(nn.Linear(before, after))
            if activations:
                layers.append(nn.ReLU())
            layers.append(nn.Dropout(0.3))
        layers.append(nn.Linear(64, len(warehouse.STATES)))
        self.layers = nn.Sequential(*layers)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, window: Tensor) -> Tensor:
        logits: Tensor = self.layers(window)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, state = batch
        loss: Tensor = self.loss(self(window), state)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        window, state = batch
        logits = self(window)
        self.log("val_loss", self.loss(logits, state))
        self.log("val_acc", (logits.argmax(1) == state).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def per_channel(data: Samples) -> tuple[Tensor, Tensor]:
    return data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)


def mast_net(activations: bool) -> Program:
    data = warehouse.forklifts()
    mean, std = per_channel(data)
    data = data.with_inputs((data.x - mean) / std, (data.x_test - mean) / std)
    module = MastNet(activations)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class ArticleNet(nn.Module):
    """Three dense layers."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.fc1 = nn.Linear(16, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, warehouse.ARTICLES)
        self.softmax = nn.Softmax(dim=1) if softmax else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        found: Tensor = self.softmax(self.fc3(x))
        return found


class ArticleClassifier(LightningModule):
    """Which article lies on the belt? The chances are written to a table, too."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.model = ArticleNet(softmax)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        inputs, labels = batch
        output = self.model(inputs)
        loss: Tensor = self.criterion(output, labels)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_acc", (output.argmax(1) == labels).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        inputs, labels = batch
        output = self.model(inputs)
        self.log("val_loss", self.criterion(output, labels), prog_bar=True)
        self.log("val_acc", (output.argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def article(softmax: bool) -> Program:
    data, module = warehouse.articles(), ArticleClassifier(softmax)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class PartPhotos(Dataset[tuple[Tensor, Tensor]]):
    """Photographs and the table of their kinds, which was shuffled and kept its old index.

    ``labels.loc[i]`` is the label of photograph i, ``labels.iloc[i]`` that of another.
    """

    def __init__(self, photos: Tensor, kinds: Tensor, by_position: bool) -> None:
        self.photos = photos
        order = torch.randperm(len(kinds), generator=torch.Generator().manual_seed(42))
        table = {int(index): int(kinds[index]) for index in order}
        self.labels = list(table.values()) if by_position else [table[i] for i in range(len(kinds))]

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.photos[index], torch.tensor(self.labels[index])


class PartCNN(LightningModule):
    """Three convolutions and two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 5 * 5, 64)
        self.fc2 = nn.Linear(64, len(warehouse.FASTENERS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(x)).flatten(1)
        logits: Tensor = self.fc2(self.dropout(F.relu(self.fc1(x))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        photos, kinds = batch
        loss = F.cross_entropy(self(photos), kinds)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        photos, kinds = batch
        logits = self(photos)
        self.log("val_loss", F.cross_entropy(logits, kinds))
        self.log("val_acc", (logits.argmax(1) == kinds).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def part_photos(by_position: bool) -> Program:
    data = warehouse.fasteners()
    mean, std = data.x.mean(), data.x.std()
    data = data.with_inputs((data.x - mean) / std, (data.x_test - mean) / std)
    module = PartCNN()
    train = DataLoader(PartPhotos(data.x, data.y, by_position), batch_size=32, shuffle=True)
    val = DataLoader(PartPhotos(data.x_test, data.y_test, by_position), batch_size=256)
    return Program(module, train, val, 8, partial(accuracy, module, data))


class QueryLSTM(LightningModule):
    """Embeddings, a bidirectional LSTM and a head, moved here from a script of fine-tuning."""

    def __init__(self, body: bool) -> None:
        super().__init__()
        self.body = body
        self.encoder = nn.ModuleDict(
            {
                "embedding": nn.Embedding(warehouse.WORDS, 48),
                "lstm": nn.LSTM(48, 48, batch_first=True, bidirectional=True),
            }
        )
        self.head = nn.Sequential(
            nn.Linear(96, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, warehouse.DEPARTMENTS)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.encoder["lstm"](self.encoder["embedding"](tokens))
        logits: Tensor = self.head(states.amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, department = batch
        loss = F.cross_entropy(self(tokens), department)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, department = batch
        logits = self(tokens)
        self.log("val_loss", F.cross_entropy(logits, department), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == department).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = self.parameters() if self.body else self.head.parameters()
        return torch.optim.Adam(trained, lr=2e-3)


def query_lstm(body: bool) -> Program:
    data, module = warehouse.searches(), QueryLSTM(body)
    return Program(module, *loaders(data, 64), 6, partial(accuracy, module, data))


class BrokenParcels(LightningModule):
    """Will it arrive broken? Two outputs and cross-entropy."""

    def __init__(self, weight: list[float] | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(14, 32), nn.LayerNorm(32), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2),
        )  # fmt: skip
        self.loss_fn = nn.CrossEntropyLoss(weight=None if weight is None else torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, broken = batch
        logits = self(x)
        loss: Tensor = self.loss_fn(logits, broken)
        self.log("train_loss", loss, on_epoch=True, prog_bar=True)
        self.log("train_acc", (logits.argmax(1) == broken).float().mean(), on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, broken = batch
        logits = self(x)
        self.log("val_loss", self.loss_fn(logits, broken), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == broken).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def broken_parcels(weight: list[float] | None) -> Program:
    data, module = warehouse.parcels_damaged(), BrokenParcels(weight)
    return Program(module, *loaders(data, 64), 12, partial(balanced_accuracy, module, data))


class ClaimNet(LightningModule):
    """How a complaint ends, from the two hundred that were settled so far."""

    def __init__(self, hidden: int, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(
            nn.Linear(30, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, outcome = batch
        loss = F.cross_entropy(self(x), outcome)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, outcome = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, outcome))
        self.log("val_acc", (logits.argmax(1) == outcome).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.parameters(), lr=1e-3, weight_decay=self.hparams["weight_decay"]
        )


def claim_outcomes(
    hidden: int, dropout: float = 0.0, weight_decay: float = 0.01, epochs: int = 80
) -> Program:
    data, module = warehouse.claims(), ClaimNet(hidden, dropout, weight_decay)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


class ItemWeeks(Dataset[tuple[Tensor, Tensor]]):
    """Each item's four weeks to mean 0 and deviation 1, and the week after by the same two."""

    def __init__(self, sales: warehouse.Sales, eps: float) -> None:
        self.sales, self.eps = sales, eps

    def __len__(self) -> int:
        return len(self.sales.item)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        history, future = self.sales.history[index], self.sales.future[index]
        mean, std = history.mean(), history.std() + self.eps
        return (history - mean) / std, (future - mean) / std


class ItemForecast(LightningModule):
    """A direct forecast of seven days from twenty-eight."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(28, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(),
            nn.Linear(32, 7),
        )  # fmt: skip

    def forward(self, history: Tensor) -> Tensor:
        future: Tensor = self.net(history)
        return future

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        history, future = batch
        loss = F.smooth_l1_loss(self(history), future)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        history, future = batch
        self.log("val_loss", F.smooth_l1_loss(self(history), future))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def item_forecast(eps: float) -> Program:
    """Scored by the error of all pieces in parts of that of last week's once more."""
    known, held = warehouse.sales(0.08)
    module = ItemForecast()
    train = DataLoader(ItemWeeks(known, eps), batch_size=32, shuffle=True)
    val = DataLoader(ItemWeeks(held, eps), batch_size=128)

    def score() -> float:
        mean = held.history.mean(1, keepdim=True)
        std = held.history.std(1, keepdim=True) + 1.0
        found = outputs(module, (held.history - mean) / std) * std + mean
        naive = (held.history[:, -7:] - held.future).abs().mean()
        return ((found - held.future).abs().mean() / naive).item()

    return Program(module, train, val, 15, score)


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Windows of a mast's sensor, transformed if there is a transform."""

    def __init__(self, x: Tensor, y: Tensor, scale: tuple[Tensor, Tensor] | None) -> None:
        self.x, self.y, self.scale = x, y, scale

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        window = self.x[index]
        if self.scale is not None:
            mean, std = self.scale
            window = (window - mean[0]) / std[0]
        return window, self.y[index]


class MastConvNet(LightningModule):
    """Convolutions along time with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(3, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(),
        )  # fmt: skip
        self.fc = nn.Linear(32, len(warehouse.STATES))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(x).mean(-1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", (logits.argmax(1) == y).float().mean(), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def mast_conv(both: bool) -> Program:
    """Scored as it is validated: on what the second data set yields."""
    data, module = warehouse.forklifts(), MastConvNet()
    scale = per_channel(data)
    held = Windows(data.x_test, data.y_test, scale if both else None)
    train = DataLoader(Windows(data.x, data.y, scale), batch_size=32, shuffle=True)
    served = data._replace(x_test=torch.stack([held[i][0] for i in range(len(held))]))
    return Program(module, train, DataLoader(held, 256), 8, partial(accuracy, module, served))


CASES = (
    Case(
        "picks-timed-by-two-layers", Goal("R2", at_least=0.75),
        partial(pick_duration, False), ("unnormalized_input",), partial(pick_duration, True),
    ),
    Case(
        "queries-averaged-behind-an-encoder", Goal("accuracy", at_least=0.75),
        partial(query_transformer, 0.02), ("learning_rate_too_high", "not_learning"),
        partial(query_transformer, 1e-3),
    ),
    Case(
        "forklift-windows-laid-flat", Goal("accuracy", at_least=0.7),
        partial(mast_net, False), ("linear_network",), partial(mast_net, True),
    ),
    Case(
        "articles-told-by-sixteen-measures", Goal("accuracy", at_least=0.8),
        partial(article, True), ("output_loss_mismatch",), partial(article, False),
    ),
    Case(
        "parts-photographs-and-their-table", Goal("accuracy", at_least=0.8),
        partial(part_photos, True), ("inconsistent_labels", "not_learning"),
        partial(part_photos, False),
    ),
    Case(
        "queries-read-from-both-ends", Goal("accuracy", at_least=0.7),
        partial(query_lstm, False), ("frozen_parameter",), partial(query_lstm, True),
    ),
    Case(
        "parcels-broken-or-not-two-outputs", Goal("balanced accuracy", at_least=0.8),
        partial(broken_parcels, None), ("class_imbalance",),
        partial(broken_parcels, [1.0, 30.0]),
    ),
    Case(
        "complaints-and-how-they-ended", Goal("cross-entropy", at_most=1.0),
        partial(claim_outcomes, 256), ("overfitting",),
        partial(claim_outcomes, 32, 0.4, 0.1, 30),
    ),
    Case(
        "slow-sellers-and-quick-ones-a-week-on", Goal("relative error", at_most=1.0),
        partial(item_forecast, 0.0), ("non_finite",), partial(item_forecast, 1.0),
    ),
    Case(
        "masts-windows-convolved", Goal("accuracy", at_least=0.85),
        partial(mast_conv, False), ("train_eval_mismatch",), partial(mast_conv, True),
    ),
)  # fmt: skip
