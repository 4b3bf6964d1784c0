"""Solutions of a course's exercises that were handed in with one mistake each."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import lecture
from data_sets.samples import digits, loaders, standardized, wine
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


@dataclass
class Bottles:
    """A batch of the exercise's own collate function."""

    features: Tensor
    cultivar: Tensor


def bottled(rows: list[tuple[Tensor, Tensor]]) -> Bottles:
    return Bottles(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class WineNet(LightningModule):
    """Gated hidden layers; the rate is the one that a tutorial on fine-tuning gives."""

    def __init__(self, lr: float, hidden: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2 = nn.Linear(13, 2 * hidden), nn.Linear(hidden, 2 * hidden)
        self.drop, self.out = nn.Dropout(0.1), nn.Linear(hidden, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.fc1(x))
        x = F.glu(self.fc2(self.drop(x)))
        logits: Tensor = self.out(x)
        return logits

    def training_step(self, batch: Bottles, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.features), batch.cultivar)
        self.log("train_loss", loss, batch_size=len(batch.cultivar), on_epoch=True)
        return loss

    def validation_step(self, batch: Bottles, batch_idx: int) -> None:
        logits, count = self(batch.features), len(batch.cultivar)
        self.log("val_loss", F.cross_entropy(logits, batch.cultivar), batch_size=count)
        right = (logits.argmax(1) == batch.cultivar).float().mean()
        self.log("val_acc", right, batch_size=count, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr = self.hparams["lr"]
        return torch.optim.AdamW(self.parameters(), lr=lr, weight_decay=0.01)


def wines(lr: float) -> Program:
    data, module = standardized(wine()), WineNet(lr)
    both = loaders(data, 16, collate_fn=bottled)
    test = DataLoader(both[1].dataset, 64, collate_fn=bottled)
    return Program(module, both[0], test, 40, partial(accuracy, module, data))


class CurveFit(LightningModule):
    """A curve through points, by Adam for a fixed number of steps."""

    def __init__(self, lr: float = 0.02) -> None:
        super().__init__()
        self.lr, self.model = lr, mlp([1, 48, 48, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x).squeeze(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def curve(**batches: int) -> Program:
    """Who leaves the size of the batches out gets one point in each."""
    data, module = lecture.noisy_sine(), CurveFit()
    train: Dataset[Any] = TensorDataset(data.x, data.y)
    test: Dataset[Any] = TensorDataset(data.x_test, data.y_test)
    both = DataLoader(train, shuffle=True, **batches), DataLoader(test, 210)
    return Program(module, *both, 150, partial(r2, module, data), {"max_steps": 1900})


class CharCNN(LightningModule):
    """Tells languages by what three letters in a row say."""

    def __init__(self, constant: float | None, channels: int = 48) -> None:
        super().__init__()
        self.constant = constant
        self.embed = nn.Embedding(lecture.LETTERS, 16)
        self.conv1 = nn.Conv1d(16, channels, 3, padding=1)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1)
        self.classifier = nn.Linear(channels, 4)
        self.apply(self.init_weights)

    def init_weights(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv1d | nn.Linear) and layer.bias is not None:
            if self.constant is None:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.constant_(layer.weight, self.constant)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens).transpose(1, 2)
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        logits: Tensor = self.classifier(x.amax(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, label = batch
        logits = self(text)
        loss = F.cross_entropy(logits, label)
        self.log("Loss/train", loss)
        self.log("Accuracy/train", (logits.argmax(1) == label).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, label = batch
        logits = self(text)
        self.log("Loss/val", F.cross_entropy(logits, label))
        self.log("Accuracy/val", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def char_cnn(constant: float | None) -> Program:
    data, module = lecture.languages(), CharCNN(constant)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Playground(LightningModule):
    """The setting of a well-known page: tanh, batches of ten, a penalty, and its rate."""

    def __init__(self, regularization_rate: float) -> None:
        super().__init__()
        self.rate = regularization_rate
        self.hidden1, self.hidden2 = nn.Linear(2, 32), nn.Linear(32, 32)
        self.output = nn.Linear(32, 3)

    def forward(self, points: Tensor) -> Tensor:
        x = torch.tanh(self.hidden2(torch.tanh(self.hidden1(points))))
        logits: Tensor = self.output(x)
        return logits

    def penalty(self) -> Tensor:
        """Half the sum of all squared weights."""
        layers = (self.hidden1, self.hidden2, self.output)
        return 0.5 * torch.stack([layer.weight.square().sum() for layer in layers]).sum()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, arm = batch
        data_loss = F.cross_entropy(self(points), arm)
        loss = data_loss + self.rate * self.penalty()
        self.log_dict({"train/total": loss, "train/data": data_loss})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, arm = batch
        logits = self(points)
        self.log("test/data", F.cross_entropy(logits, arm))
        self.log("test/accuracy", (logits.argmax(1) == arm).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def playground(rate: float) -> Program:
    data, module = lecture.spirals(), Playground(rate)
    return Program(module, *loaders(data, 10), 20, partial(accuracy, module, data))


class OwnBatchNorm(nn.Module):
    """Batch normalization written from the paper, with averages for the evaluation."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, features: int, kept: bool, momentum: float = 0.1) -> None:
        super().__init__()
        self.kept, self.momentum = kept, momentum
        self.gamma = nn.Parameter(torch.ones(features))
        self.beta = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            self.update(mean.detach(), var.detach())
        else:
            mean, var = self.running_mean, self.running_var
        return self.gamma * (x - mean) / (var + 1e-5).sqrt() + self.beta

    def update(self, mean: Tensor, var: Tensor) -> None:
        if self.kept:
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var, self.momentum)
        else:
            self.running_mean.lerp(mean, self.momentum)
            self.running_var.lerp(var, self.momentum)


class DigitNet(LightningModule):
    """Three hidden layers with the norms of the exercise, on pixels from 0 to 16."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 100), OwnBatchNorm(100, kept), nn.ReLU(),
            nn.Linear(100, 100), OwnBatchNorm(100, kept), nn.ReLU(),
            nn.Linear(100, 50), OwnBatchNorm(50, kept), nn.ReLU(), nn.Linear(50, 10),
        )  # fmt: skip
        self.loss_fn = nn.CrossEntropyLoss()

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.layers(image)
        return scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        images, labels = batch
        loss: Tensor = self.loss_fn(self(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        scores = self(images)
        self.log("valid_loss", self.loss_fn(scores, labels))
        self.log("valid_acc", (scores.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def own_norms(kept: bool) -> Program:
    """Without its underscore, ``lerp`` returns the new average and leaves the old one."""
    data, module = digits(), DigitNet(kept)
    data = data.with_inputs(16 * data.x, 16 * data.x_test)
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class Bracket(LightningModule):
    """Whether a string ends as it begins, from the vectors of all of its letters."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(8, 12)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(6 * 12, 96), activation(), nn.Dropout(0.1),
            nn.Linear(96, 64), activation(), nn.Dropout(0.1), nn.Linear(64, 2),
        )  # fmt: skip

    def forward(self, string: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embedding(string))
        return logits

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        accuracy = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({f"{stage}_loss": loss, f"{stage}_accuracy": accuracy})
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.3)]


def bracket(activation: type[nn.Module]) -> Program:
    data, module = lecture.bracketed(), Bracket(activation)
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


class Listener(LightningModule):
    """A GRU reads a wave, and a linear layer what the GRU says at one of its steps."""

    def __init__(self, step: int, hidden: int = 32) -> None:
        super().__init__()
        self.at = step
        self.gru, self.fc = nn.GRU(1, hidden, batch_first=True), nn.Linear(hidden, 3)

    def forward(self, wave: Tensor) -> Tensor:
        states, _ = self.gru(wave)
        logits: Tensor = self.fc(states[:, self.at])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        wave, kind = batch
        logits = self(wave)
        loss = F.cross_entropy(logits, kind)
        self.log("loss", loss, prog_bar=True)
        self.log("acc", (logits.argmax(1) == kind).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        wave, kind = batch
        logits = self(wave)
        self.log("val_loss", F.cross_entropy(logits, kind))
        self.log("val_acc", (logits.argmax(1) == kind).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def listener(step: int) -> Program:
    """The states come as batch, time, unit, and the first one is taken for the last."""
    data, module = lecture.sweeps(), Listener(step)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data), trainer)


CASES = (
    Case(
        "wine-gated-layers-hardly-moved", Goal("accuracy", at_least=0.92), partial(wines, 2e-5),
        ("learning_rate_too_low",), partial(wines, 5e-3),
    ),
    Case(
        "sine-curve-batch-size-left-out", Goal("R2", at_least=0.82), curve,
        ("unstable_loss", "learning_rate_too_high"), partial(curve, batch_size=32),
    ),
    Case(
        "strings-languages-by-one-filter", Goal("accuracy", at_least=0.85),
        partial(char_cnn, 0.02), ("symmetric_weights",), partial(char_cnn, None),
    ),
    Case(
        "spirals-penalty-of-a-playground", Goal("accuracy", at_least=0.9),
        partial(playground, 0.03), ("over_regularized",), partial(playground, 1e-5),
    ),
    Case(
        "digits-own-norms-forget-averages", Goal("accuracy", at_least=0.92),
        partial(own_norms, False), ("train_eval_mismatch",), partial(own_norms, True),
    ),
    Case(
        "strings-ends-compared-by-lines", Goal("accuracy", at_least=0.9),
        partial(bracket, nn.Identity), ("linear_network",), partial(bracket, nn.ReLU),
    ),
    Case(
        "sine-sweeps-heard-for-one-step", Goal("accuracy", at_least=0.85), partial(listener, 0),
        ("not_learning", "frozen_parameter"), partial(listener, -1),
    ),
)  # fmt: skip
