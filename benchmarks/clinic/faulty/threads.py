"""More programs as they were posted: layers used twice, rates, penalties, too few examples."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forum
from data_sets.samples import digit_images, digits, loaders
from lightning.pytorch import LightningModule
from modules import mlp, sgd
from programs import regression
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Net(LightningModule):
    """``model.eval() gives much worse results``: one norm behind each of the convolutions."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 24, 3, padding=1)
        self.conv2 = nn.Conv2d(24, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(24, 24, 3, padding=1)
        self.bn = nn.ModuleList(nn.BatchNorm2d(24) for _ in range(3 if own else 1))
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(24 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = list(self.bn) * (3 // len(self.bn))
        x = F.relu(first(self.conv1(x)))
        x = self.pool(F.relu(second(self.conv2(x))))
        x = self.pool(F.relu(third(self.conv3(x))))
        logits: Tensor = self.fc(x.flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        logits = self(images)
        self.log("val_loss", F.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def norms(own: bool) -> Program:
    data = digit_images()
    module = Net(own)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


def growing_wave(lr: float) -> Program:
    """``Why does my network only learn a straight line?``: the rate of a small step."""
    network = mlp([1, 64, 64, 1], nn.Tanh)
    return regression(forum.curve(), network, sgd(lr, 0.9), batch_size=16, epochs=14)


class AutoEncoder(LightningModule):
    """``My autoencoder gives the same image for every input``."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(True), nn.Linear(128, 64), nn.ReLU(True), nn.Linear(64, 12)
        )
        self.decoder = nn.Sequential(
            nn.Linear(12, 64), nn.ReLU(True), nn.Linear(64, 128), nn.ReLU(True), nn.Linear(128, 64)
        )

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.encoder(x))
        return image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        img, _ = batch
        loss = F.mse_loss(self(img), img)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-5)


def auto_encoder(lr: float) -> Program:
    data = digits()
    module = AutoEncoder(lr)
    unseen = data._replace(y_test=data.x_test.flatten())
    return Program(module, *loaders(data, 64), 30, partial(r2, module, unseen))


class Spam(LightningModule):
    """Embeddings, an LSTM both ways, and what it ends with."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.embedding = nn.Embedding(200, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * width, 2)

    def forward(self, text: Tensor) -> Tensor:
        lengths = (text > 0).sum(1).cpu()
        embedded = self.dropout(self.embedding(text))
        packed = nn.utils.rnn.pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(packed)
        logits: Tensor = self.fc(self.dropout(torch.cat([hidden[0], hidden[1]], 1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss, on_epoch=True)
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean(), on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_loss", F.cross_entropy(logits, batch[1]))
        self.log("valid_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=self.decay)


def spam(count: int, epochs: int, dropout: float, width: int = 48) -> Program:
    """``Training accuracy 100 %, validation loss goes up``."""
    data = forum.messages()
    module = Spam(width, dropout, 0.01)

    def score() -> float:
        return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data.first(count), 20), epochs, score)


class Dropped(nn.Module):
    """``I have added dropout behind each layer against overfitting``."""

    def __init__(self, p: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in ((64, 48), (48, 32), (32, 24), (24, 16)):
            layers += [nn.Linear(before, after), nn.LeakyReLU(), nn.Dropout(p)]
        self.layers = nn.Sequential(*layers, nn.Linear(16, 10))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x)
        return found


class Dictionaries(LightningModule):
    """Batches that are dictionaries."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self(batch["image"]), batch["label"])}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch["image"]), batch["label"])
        self.log("eval_loss", loss, batch_size=len(batch["label"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dropped(p: float) -> Program:
    data = digit_images()
    rows: list[Any] = [{"image": x, "label": y} for x, y in zip(data.x, data.y, strict=True)]
    unseen: list[Any] = [
        {"image": x, "label": y} for x, y in zip(data.x_test, data.y_test, strict=True)
    ]
    module = Dictionaries(Dropped(p))
    train = DataLoader(rows, 32, shuffle=True)
    return Program(module, train, DataLoader(unseen, 270), 20, partial(accuracy, module, data))


CASES = (
    Case(
        "question-one-norm-for-three-layers", Goal("accuracy", at_least=0.95),
        partial(norms, False), ("train_eval_mismatch",), partial(norms, True),
    ),
    Case(
        "question-wave-stays-a-line", Goal("R2", at_least=0.9), partial(growing_wave, 1e-4),
        ("learning_rate_too_low",), partial(growing_wave, 0.05),
    ),
    Case(
        "question-same-image-for-all", Goal("R2", at_least=0.8), partial(auto_encoder, 0.1),
        ("learning_rate_too_high", "dead_relu"), partial(auto_encoder, 2e-3),
    ),
    Case(
        "question-spam-by-heart", Goal("log loss", at_most=0.55), partial(spam, 300, 25, 0.0),
        ("overfitting",), partial(spam, 1680, 5, 0.4),
    ),
    Case(
        "question-dropout-behind-each-layer", Goal("accuracy", at_least=0.85),
        partial(dropped, 0.6), ("over_regularized",), partial(dropped, 0.05),
    ),
)  # fmt: skip
