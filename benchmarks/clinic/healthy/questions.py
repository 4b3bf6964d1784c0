"""Code whose authors ask what is wrong with it, and nothing is."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import questions
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler


class WordModel(LightningModule):
    """Why does the loss stay above 2? Plain descent at a rate of 5, clipped to a quarter."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.encoder, self.drop = nn.Embedding(words, 48), nn.Dropout(0.2)
        self.rnn = nn.LSTM(48, 64, batch_first=True)
        self.decoder = nn.Linear(64, words)
        for layer in (self.encoder, self.decoder):
            nn.init.uniform_(layer.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, text: Tensor) -> Tensor:
        states, _ = self.rnn(self.drop(self.encoder(text)))
        logits: Tensor = self.decoder(self.drop(states))
        return logits

    def loss(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).transpose(1, 2), text[:, 1:])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid_loss", self.loss(batch[0]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=5.0)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def words() -> Program:
    text, text_test, entropy = questions.chain()
    module = WordModel(40)

    def above_entropy() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(text_test).item() - entropy

    train = DataLoader(TensorDataset(text), 20, shuffle=True)
    test = DataLoader(TensorDataset(text_test), 100)
    return Program(module, train, test, 16, above_entropy, {"gradient_clip_val": 0.25})


class Jittered(LightningModule):
    """Why is the training loss twice the validation loss? Noise, mirrors and half dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 32, 7, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 64, 7, padding=3), nn.BatchNorm1d(64), nn.ReLU(),
            nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Dropout(0.5),
            nn.Linear(256, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        signs = torch.randint(2, (len(x), 3, 1)).float() * 2 - 1
        x = x * signs * (0.8 + 0.4 * torch.rand(len(x), 1, 1)) + 0.7 * torch.randn_like(x)
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def jittered() -> Program:
    data, module = questions.movements(0.6), Jittered()
    return Program(module, *loaders(data, 48), 15, partial(accuracy, module, data))


class AddingGRU(LightningModule):
    """Why is the loss flat for so long? It falls once both marks are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 48, batch_first=True)
        self.fc = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, hidden = self.gru(x)
        out: Tensor = self.fc(hidden[-1])
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def adding() -> Program:
    data, module = questions.sums_of_two(), AddingGRU()
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 50), 20, score, {"gradient_clip_val": 1.0})


class Doubt(LightningModule):
    """Is a negative loss a mistake? A mean and a variance, and the likelihood of targets."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.mean, self.variance = nn.Linear(64, 1), nn.Linear(64, 1)
        self.criterion = nn.GaussianNLLLoss(eps=1e-4)

    def forward(self, x: Tensor) -> Tensor:
        body = self.body(x)
        return torch.cat([self.mean(body), F.softplus(self.variance(body))], 1)

    def loss(self, batch: list[Tensor]) -> Tensor:
        mean, variance = self(batch[0]).unbind(1)
        loss: Tensor = self.criterion(mean, batch[1], variance)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.loss(batch)
        self.log("nll", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def doubt() -> Program:
    data, module = questions.doubtful_curve(), Doubt()

    def likelihood() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 20, likelihood)


class DiceNet(LightningModule):
    """Why does the dice loss begin so near to 1? Small discs, no other loss beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        )  # fmt: skip
        self.inner = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.ConvTranspose2d(24, 12, 2, 2),
        )  # fmt: skip
        self.up = nn.Sequential(
            nn.Conv2d(24, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 1, 1)
        )

    def forward(self, picture: Tensor) -> Tensor:
        down = self.down(picture)
        logits: Tensor = self.up(torch.cat([down, self.inner(down)], 1))
        return logits

    def dice(self, batch: list[Tensor]) -> Tensor:
        found, mask = self(batch[0]).sigmoid().flatten(1), batch[1].flatten(1)
        both = 2 * (found * mask).sum(1) + 1
        return 1 - (both / (found.sum(1) + mask.sum(1) + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.dice(batch)
        self.log("dice_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_dice_loss", self.dice(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def discs() -> Program:
    pictures, masks = questions.lesions()
    module = DiceNet()

    def dice() -> float:
        found, true = outputs(module, pictures[400:]) > 0, masks[400:] > 0.5
        return (2 * (found & true).sum() / (found.sum() + true.sum())).item()

    train = DataLoader(TensorDataset(pictures[:400], masks[:400]), 16, shuffle=True)
    test = DataLoader(TensorDataset(pictures[400:], masks[400:]), 50)
    return Program(module, train, test, 12, dice)


class Visits(IterableDataset[Tensor]):
    """Visitors as they come, in no end of them but for the epoch's."""

    def __init__(self, x: Tensor, count: int) -> None:
        self.x, self.count = x, count

    def __iter__(self) -> Iterator[Tensor]:
        for index in torch.randint(len(self.x), (self.count,)).tolist():
            yield torch.tensor(index)


class Banners(LightningModule):
    """Why does the loss go up and down about 0? REINFORCE with the mean reward taken away."""

    def __init__(self, x: Tensor, chances: Tensor) -> None:
        super().__init__()
        self.x, self.chances, self.baseline = x, chances, 0.5
        self.policy = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 5))

    def forward(self, visitor: Tensor) -> Tensor:
        logits: Tensor = self.policy(visitor)
        return logits

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        shown = torch.distributions.Categorical(logits=self(self.x[batch]))
        action = shown.sample()
        reward = torch.bernoulli(self.chances[batch, action])
        loss = -(shown.log_prob(action) * (reward - self.baseline)).mean()
        self.baseline = 0.95 * self.baseline + 0.05 * reward.mean().item()
        self.log("policy_loss", loss)
        self.log("reward", reward.mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def banners() -> Program:
    x, chances = questions.arms()
    module = Banners(x[:2000], chances[:2000])

    def share() -> float:
        """Of the clicks between those by chance and those of the best banners."""
        shown = outputs(module, x[2000:]).argmax(1)
        clicks = chances[2000:].gather(1, shown[:, None]).mean()
        best, random = chances[2000:].max(1).values.mean(), chances[2000:].mean()
        return ((clicks - random) / (best - random)).item()

    return Program(module, DataLoader(Visits(x[:2000], 6400), 64), None, 10, share)


class Churn(LightningModule):
    """Why is the validation loss above the training loss? Leavers are drawn as often as others."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 64), nn.LeakyReLU(), nn.Dropout(0.3),
            nn.Linear(64, 32), nn.LeakyReLU(), nn.Dropout(0.3), nn.Linear(32, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def churn() -> Program:
    data, module = questions.leavers(), Churn()
    weights = (1 / data.y.bincount().float())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=sampler)
    test = loaders(data, 64)[1]
    return Program(module, train, test, 12, partial(balanced_accuracy, module, data))


CASES = (
    Case("asked-words-loss-ends-above-two", Goal("nats above entropy", at_most=0.2), words),
    Case("asked-jittered-loss-above-validation", Goal("accuracy", at_least=0.85), jittered),
    Case("asked-sum-of-marked-flat-at-first", Goal("R2", at_least=0.95), adding),
    Case("asked-likelihood-below-zero", Goal("nats", at_most=-1.0), doubt),
    Case("asked-discs-dice-alone", Goal("dice", at_least=0.8), discs),
    Case("asked-banners-loss-about-zero", Goal("share of best", at_least=0.75), banners),
    Case("asked-leavers-drawn-as-often", Goal("balanced accuracy", at_least=0.75), churn),
)  # fmt: skip
