"""Nets on recipes, photos of dishes, stars and orders, each with one mistake of a beginner."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import kitchen
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import regression, two_classes
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class PhraseTagger(LightningModule):
    """A transformer that tags each word of an ingredient: quantity, unit, name and so on."""

    def __init__(self, d_model: int = 64, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.word_embedding = nn.Embedding(kitchen.PHRASE_WORDS, d_model)
        self.position_embedding = nn.Embedding(12, d_model)
        layer = nn.TransformerEncoderLayer(d_model, 4, 128, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.fc = nn.Linear(d_model, kitchen.TAGS)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, words: Tensor) -> Tensor:
        positions = torch.arange(words.size(1), device=words.device)
        x = self.word_embedding(words) + self.position_embedding(positions)
        logits: Tensor = self.fc(self.encoder(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, tags = batch
        loss: Tensor = self.criterion(self(words).view(-1, kitchen.TAGS), tags.view(-1))
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, tags = batch
        logits = self(words)
        self.log("val_loss", self.criterion(logits.view(-1, kitchen.TAGS), tags.view(-1)))
        self.log("val_acc", (logits.argmax(-1) == tags).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def tagged_words(module: LightningModule, data: Samples) -> float:
    return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()


def phrase_tagger(lr: float) -> Program:
    """A rate as for plain gradient descent, with Adam."""
    data, module = kitchen.phrases(), PhraseTagger(lr=lr)
    return Program(module, *loaders(data, 32), 8, partial(tagged_words, module, data))


class NeuralCF(LightningModule):
    """Vectors of a guest and of a dish, and a perceptron that guesses the stars."""

    def __init__(self, sigmoid: bool) -> None:
        super().__init__()
        self.guest_emb = nn.Embedding(kitchen.GUESTS, 16)
        self.dish_emb = nn.Embedding(kitchen.DISHES, 16)
        layers: list[nn.Module] = [
            nn.Linear(32, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(),
            nn.Linear(32, 1),
        ]  # fmt: skip
        self.mlp = nn.Sequential(*layers, *([nn.Sigmoid()] if sigmoid else []))

    def forward(self, guest: Tensor, dish: Tensor) -> Tensor:
        rating: Tensor = self.mlp(torch.cat([self.guest_emb(guest), self.dish_emb(dish)], dim=-1))
        return rating.squeeze()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        guest, dish, rating = batch
        loss = F.mse_loss(self(guest, dish), rating)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        guest, dish, rating = batch
        self.log("val_rmse", F.mse_loss(self(guest, dish), rating).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def neural_cf(sigmoid: bool) -> Program:
    """The paper's last layer, which is for clicks, on stars from 1 to 5."""
    (known, held), module = kitchen.stars(), NeuralCF(sigmoid)
    train = DataLoader(TensorDataset(*known), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(*held), batch_size=300)

    @torch.no_grad()
    def rmse() -> float:
        module.eval()
        return F.mse_loss(module(held.guest, held.dish), held.stars).sqrt().item()

    return Program(module, train, test, 12, rmse)


class PhotoAndIngredients(LightningModule):
    """A CNN for the photo, averaged vectors for the ingredients, and a head for both."""

    def __init__(self, all_parts: bool) -> None:
        super().__init__()
        self.all_parts = all_parts
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.ingredients = nn.EmbeddingBag(kitchen.INGREDIENTS, 32, mode="mean")
        self.classifier = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))

    def forward(self, photo: Tensor, words: Tensor) -> Tensor:
        both = torch.cat([self.cnn(photo), self.ingredients(words)], dim=1)
        logits: Tensor = self.classifier(both)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        photo, words, label = batch
        loss = F.cross_entropy(self(photo, words), label)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        photo, words, label = batch
        logits = self(photo, words)
        self.log("val_loss", F.cross_entropy(logits, label))
        self.log("val_acc", (logits.argmax(1) == label).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parts = list(self.ingredients.parameters()) + list(self.classifier.parameters())
        if self.all_parts:
            parts += list(self.cnn.parameters())
        return torch.optim.Adam(parts, lr=3e-3)


def photo_and_ingredients(all_parts: bool) -> Program:
    """The CNN came later, and its weights were never given to the optimiser."""
    (known, held), module = kitchen.plates(), PhotoAndIngredients(all_parts)
    train = DataLoader(TensorDataset(*known), batch_size=32, shuffle=True)
    test = DataLoader(TensorDataset(*held), batch_size=256)

    @torch.no_grad()
    def right() -> float:
        module.eval()
        logits: Tensor = module(held[0], held[1])
        return (logits.argmax(1) == held[2]).float().mean().item()

    return Program(module, train, test, 15, right)


def profitable(wide: bool) -> Program:
    """137 restaurants, and a net that knows all of them by heart long before the last epoch."""
    data = kitchen.restaurants()
    data = data._replace(y=(data.y > 0).float(), y_test=(data.y_test > 0).float())
    if wide:
        return two_classes(
            data, mlp([37, 256, 256, 1]), adam(1e-3), batch_size=16, epochs=100, score=log_loss
        )
    optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.3)
    return two_classes(
        data, mlp([37, 32, 1], dropout=0.5), optimizer, batch_size=16, epochs=20, score=log_loss
    )


def log_loss(module: LightningModule, data: Samples) -> float:
    return F.binary_cross_entropy_with_logits(outputs(module, data.x_test), data.y_test).item()


class DishCNN(LightningModule):
    """The CNN of a first tutorial, for four kinds of dishes."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(64 * 3 * 3, 128)
        self.fc2 = nn.Linear(128, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.pool(F.relu(self.conv3(x)))
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        logits = self(images)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


def dish_cnn(learning_rate: float) -> Program:
    """The first steps shut nearly all units of all layers, and each photo gets the same answer."""
    data, module = kitchen.photos(), DishCNN(learning_rate)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class NextDay(LightningModule):
    """An LSTM over two weeks; its last state tells how many guests will come."""

    def __init__(self, hidden_size: int = 48) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, hidden_size, num_layers=1, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        guests: Tensor = self.linear(states[:, -1])
        return guests.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def next_day(scaled: bool) -> Program:
    """Takings of hundred thousands of yen beside degrees and a flag."""
    data = kitchen.days()
    if scaled:
        flat = standardized(data.with_inputs(data.x.flatten(0, 1), data.x_test.flatten(0, 1)))
        data = data.with_inputs(flat.x.view_as(data.x), flat.x_test.view_as(data.x_test))
    module = NextDay()
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def sums_of_orders(loss: Callable[[Tensor, Tensor], Tensor]) -> Program:
    """A few sums a hundred times too large, whose squares throw the net about."""
    network = mlp([12, 64, 64, 1])
    return regression(
        kitchen.baskets(), network, adam(3e-3), batch_size=32, epochs=20, loss=loss
    )  # fmt: skip


CASES = (
    Case(
        "ingredients-tagged-with-a-rate-of-sgd", Goal("accuracy", at_least=0.85),
        partial(phrase_tagger, 0.1), ("learning_rate_too_high",), partial(phrase_tagger, 1e-3),
    ),
    Case(
        "dishes-stars-out-of-a-sigmoid", Goal("RMSE", at_most=0.9),
        partial(neural_cf, True), ("output_loss_mismatch",), partial(neural_cf, False),
    ),
    Case(
        "dishes-photo-branch-not-in-the-optimizer", Goal("accuracy", at_least=0.7),
        partial(photo_and_ingredients, False), ("frozen_parameter",),
        partial(photo_and_ingredients, True),
    ),
    Case(
        "restaurants-few-and-a-wide-net", Goal("log loss", at_most=0.65),
        partial(profitable, True), ("overfitting",), partial(profitable, False),
    ),
    Case(
        "dishes-same-answer-for-each-photo", Goal("accuracy", at_least=0.75),
        partial(dish_cnn, 0.02), ("dead_relu", "learning_rate_too_high"),
        partial(dish_cnn, 1e-3),
    ),
    Case(
        "guests-lstm-on-yen-and-degrees", Goal("R2", at_least=0.8),
        partial(next_day, False), ("unnormalized_input",), partial(next_day, True),
    ),
    Case(
        "baskets-sums-typed-without-a-point", Goal("R2", at_least=0.8),
        partial(sums_of_orders, F.mse_loss), ("unstable_loss", "exploding_gradient"),
        partial(sums_of_orders, F.smooth_l1_loss),
    ),
)  # fmt: skip
