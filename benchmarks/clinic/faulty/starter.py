"""Starter notebooks as they were posted, each with what the comments below it say."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import starter
from data_sets.samples import Samples, digits, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

Batch = list[Tensor]


class AttentivePool(LightningModule):
    """Words weighed by attention; what is behind the end gets none."""

    def __init__(self, masked: float, words: int = 120) -> None:
        super().__init__()
        self.masked = masked
        self.embedding = nn.Embedding(words, 32, padding_idx=0)
        self.query = nn.Linear(32, 1)
        self.classifier = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        scores = self.query(torch.tanh(x)).squeeze(-1)
        scores = scores.masked_fill(tokens == 0, self.masked)
        weights = scores.softmax(-1)
        return self.classifier((weights[..., None] * x).sum(1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tokens, mood = batch
        loss = F.cross_entropy(self(tokens), mood)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        tokens, mood = batch
        self.log("valid_loss", F.cross_entropy(self(tokens), mood))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def attentive(masked: float) -> Program:
    """Of a few reviews nothing was left when they had been cleaned."""
    data = starter.reviews()
    x = data.x.clone()
    x[::150] = 0
    data = data._replace(x=x)
    module = AttentivePool(masked)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class GraphClassifier(LightningModule):
    """Four layers of sums over neighbours, mean over the nodes."""

    def __init__(self, normalize: bool, features: int = 5, width: int = 32) -> None:
        super().__init__()
        self.features, self.normalize = features, normalize
        sizes = [features, width, width, width]
        self.weights = nn.ModuleList(nn.Linear(i, width) for i in sizes)
        self.readout = nn.Linear(width, 3)

    def forward(self, graph: Tensor) -> Tensor:
        h, adjacency = graph[..., : self.features], graph[..., self.features :]
        adjacency = adjacency + torch.eye(adjacency.shape[-1])
        if self.normalize:
            root = adjacency.sum(-1).rsqrt()
            adjacency = root[:, :, None] * adjacency * root[:, None]
        for weight in self.weights:
            h = torch.relu(weight(h) + weight(adjacency @ h))
        return self.readout(h.mean(1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        graph, y = batch
        logits = self(graph)
        loss = F.cross_entropy(logits, y)
        self.log("loss", loss, prog_bar=True)
        self.log("acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def graph_classifier(normalize: bool) -> Program:
    data = starter.graphs()
    module = GraphClassifier(normalize)
    return Program(module, *loaders(data, 32), 18, partial(accuracy, module, data))


class ReviewLSTM(LightningModule):
    """Embedding, LSTM, the last state; reviews are padded behind their end."""

    def __init__(self, packed: bool, words: int = 120) -> None:
        super().__init__()
        self.packed = packed
        self.embed = nn.Embedding(words, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.fc = nn.Linear(32, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        if self.packed:
            x = nn.utils.rnn.pack_padded_sequence(
                x, (tokens > 0).sum(1), batch_first=True, enforce_sorted=False
            )
        _, (hidden, _) = self.lstm(x)
        return self.fc(hidden[-1])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        tokens, mood = batch
        loss = F.cross_entropy(self(tokens), mood)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        tokens, mood = batch
        logits = self(tokens)
        self.log("val_loss", F.cross_entropy(logits, mood), prog_bar=True)
        self.log("val_acc", (logits.argmax(-1) == mood).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def review_lstm(packed: bool) -> Program:
    data = starter.reviews()
    module = ReviewLSTM(packed)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class BikeRentals(LightningModule):
    """Three dense layers tell how many bicycles will be lent."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        self.criterion = nn.MSELoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", self.criterion(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02)


def bike_rentals(scaled: bool) -> Program:
    data = starter.rentals()
    data = scaled_targets(data) if scaled else data
    module = BikeRentals()
    return Program(module, *loaders(data, 16), 12, partial(r2, module, data))


class Dense(nn.Module):
    """A dense layer from scratch."""

    def __init__(self, inputs: int, units: int, start: str) -> None:
        super().__init__()
        drawn = torch.randn(inputs, units)
        weight = {
            "randn": drawn,
            "xavier": drawn * (2 / (inputs + units)) ** 0.5,
            "constant": torch.full((inputs, units), 0.02),
        }
        self.W = nn.Parameter(weight[start])
        self.b = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.W + self.b


class FromScratch(LightningModule):
    """The digits with nothing but matrices and tanh."""

    def __init__(self, start: str, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.h1, self.h2 = Dense(64, 100, start), Dense(100, 100, start)
        self.h3, self.out = Dense(100, 50, start), Dense(50, 10, start)

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.h1, self.h2, self.h3):
            x = torch.tanh(layer(x))
        return self.out(x)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        loss = F.nll_loss(F.log_softmax(self(x), 1), y)
        self.log("nll", loss)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("nll_valid", F.nll_loss(F.log_softmax(self(x), 1), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def from_scratch(start: str, epochs: int, lr: float = 0.02) -> Program:
    data = standardized(digits())
    module = FromScratch(start, lr)
    return Program(module, *loaders(data, 32), epochs, partial(accuracy, module, data))


class LeafNet(LightningModule):
    """Convolutions in the manner of VGG, and a rate that is halved now and then."""

    def __init__(self, lr: float, std: float | None = None) -> None:
        super().__init__()
        self.lr = lr
        sizes = [3, 16, 16, 32, 32, 32, 32]
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise(sizes)):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if i in (0, 2, 4) else []
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.classifier = nn.Sequential(nn.Linear(32 * 4, 64), nn.ReLU(), nn.Linear(64, 5))
        for layer in self.modules() if std else ():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0.0, std)
                nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.features(image))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["image"]), batch["label"])
        self.log("train/ce", loss, batch_size=len(batch["label"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch["image"]), batch["label"])
        self.log("valid/ce", loss, batch_size=len(batch["label"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.5)]


class Leaves(Dataset[dict[str, Tensor]]):
    """Pictures by name."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"image": self.images[i], "label": self.labels[i]}


def leaf_net(lr: float = 1e-3, std: float | None = None) -> Program:
    data = starter.leaves()
    train = DataLoader(Leaves(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Leaves(data.x_test, data.y_test), 128)
    module = LeafNet(lr, std)
    return Program(module, train, test, 10, partial(accuracy, module, data))


class MatrixFactorization(LightningModule):
    """Stars by the product of a user's and a film's factors, and what each adds."""

    def __init__(self, optimizer: str, users: int = 150, items: int = 80, rank: int = 6) -> None:
        super().__init__()
        self.optimizer = optimizer
        self.user, self.item = nn.Embedding(users, rank), nn.Embedding(items, rank)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        for table, std in ((self.user, 0.1), (self.item, 0.1)):
            nn.init.normal_(table.weight, std=std)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)
        self.mean = 3.5

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        both = (self.user(user) * self.item(item)).sum(1)
        return self.mean + both + self.user_bias(user)[:, 0] + self.item_bias(item)[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        user, item, stars = batch
        loss = F.mse_loss(self(user, item), stars)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        user, item, stars = batch
        self.log("val_rmse", F.mse_loss(self(user, item), stars).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.optimizer == "sgd":
            return torch.optim.SGD(self.parameters(), lr=0.01)
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=1e-5)


def factorization(optimizer: str) -> Program:
    data = starter.ratings()
    train, test = data.part(slice(5000)), data.part(slice(5000, None))
    module = MatrixFactorization(optimizer)

    @torch.no_grad()
    def score() -> float:
        error = module.eval()(test.user, test.item) - test.stars
        return error.pow(2).mean().sqrt().item()

    both = (
        DataLoader(TensorDataset(*train), 64, shuffle=True),
        DataLoader(TensorDataset(*test), 500),
    )
    return Program(module, *both, 15, score)


class LoanDefault(LightningModule):
    """Columns of a table as they stand in the file; one logit."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 48), nn.Linear(48, 24)
        self.drop = nn.Dropout(0.1)
        self.fc3 = nn.Linear(24, 1)
        self.loss_fn = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.fc1(x))
        x = self.drop(torch.relu(self.fc2(x)))
        return self.fc3(x)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss_fn(self(x), y.unsqueeze(1))
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("loss/valid", self.loss_fn(self(x), y.unsqueeze(1)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def loan_default(scaled: bool) -> Program:
    data = starter.loans()
    data = standardized(data) if scaled else data
    module = LoanDefault()
    return Program(module, *loaders(data, 32), 15, partial(binary_accuracy, module, data))


class Tagger(LightningModule):
    """Eight tags of a question, by the counts of its words; several may hold."""

    def __init__(self, activation: str, words: int = 150, tags: int = 8) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(words, 64),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(64, tags),
        )
        self.final = nn.Softmax(dim=1) if activation == "softmax" else nn.Sigmoid()

    def forward(self, counts: Tensor) -> Tensor:
        return self.final(self.net(counts))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        counts, tags = batch
        loss = F.binary_cross_entropy(self(counts), tags)
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        counts, tags = batch
        chances = self(counts)
        self.log("val_bce", F.binary_cross_entropy(chances, tags))
        self.log("val_hits", ((chances > 0.5) == (tags > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def f1(module: LightningModule, data: Samples, threshold: float) -> float:
    found, true = outputs(module, data.x_test) > threshold, data.y_test > 0.5
    return (2 * (found & true).sum() / (found.sum() + true.sum()).clamp(min=1)).item()


def tagger(activation: str) -> Program:
    data = starter.tagged()
    module = Tagger(activation)
    return Program(module, *loaders(data, 32), 10, partial(f1, module, data, 0.5))


CASES = (
    Case(
        "starter-reviews-some-empty", Goal("accuracy", at_least=0.85),
        partial(attentive, float("-inf")), ("non_finite",), partial(attentive, -1e4),
    ),
    Case(
        "starter-graphs-sum-of-neighbours", Goal("accuracy", at_least=0.65),
        partial(graph_classifier, False),
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "dead_relu"),
        partial(graph_classifier, True),
    ),
    Case(
        "starter-padded-reviews", Goal("accuracy", at_least=0.85), partial(review_lstm, False),
        ("vanishing_gradient", "not_learning"), partial(review_lstm, True),
    ),
    Case(
        "starter-bike-rentals", Goal("R2", at_least=0.75), partial(bike_rentals, False),
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "dead_relu"),
        partial(bike_rentals, True),
    ),
    Case(
        "starter-scratch-digits-randn", Goal("accuracy", at_least=0.94),
        partial(from_scratch, "randn", 10),
        ("saturated_activation", "poor_initialization"), partial(from_scratch, "xavier", 10),
    ),
    Case(
        "starter-scratch-digits-constant", Goal("accuracy", at_least=0.93),
        partial(from_scratch, "constant", 8),
        ("symmetric_weights", "poor_initialization"), partial(from_scratch, "xavier", 8),
    ),
    Case(
        "starter-leaves-vgg-rate", Goal("accuracy", at_least=0.85), partial(leaf_net, 0.03),
        ("learning_rate_too_high", "dead_relu"), partial(leaf_net, 1e-3),
    ),
    Case(
        "starter-leaves-paper-initialization", Goal("accuracy", at_least=0.85),
        partial(leaf_net, 1e-3, 0.01),
        ("poor_initialization", "vanishing_gradient", "not_learning"), partial(leaf_net, 1e-3),
    ),
    Case(
        "starter-film-factors", Goal("RMSE", at_most=0.6), partial(factorization, "sgd"),
        ("learning_rate_too_low",), partial(factorization, "adam"),
    ),
    Case(
        "starter-loans-raw-columns", Goal("accuracy", at_least=0.83), partial(loan_default, False),
        ("unnormalized_input",), partial(loan_default, True),
    ),
    Case(
        "starter-question-tags", Goal("F1", at_least=0.65), partial(tagger, "softmax"),
        ("output_loss_mismatch",), partial(tagger, "sigmoid"),
    ),
)  # fmt: skip
