"""Good solutions of a course's exercises, some of which look worse than they are."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import lecture
from data_sets.samples import cancer, diabetes, digit_images, loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Progression(LightningModule):
    """Points of 25 to 346, not scaled: the bias begins at their mean, and losses are thousands."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.net = mlp([10, 32, 16, 1], nn.ReLU, dropout=0.1)
        last = self.net[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, mean)

    def forward(self, x: Tensor) -> Tensor:
        points: Tensor = self.net(x).squeeze(-1)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_mse", F.mse_loss(found, batch[1]))
        self.log("val_mae", F.l1_loss(found, batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)]


def progression() -> Program:
    """More than half of how a patient fares cannot be foretold."""
    data = standardized(diabetes())
    module = Progression(data.y.mean().item())
    return Program(module, *loaders(data, 32), 30, partial(r2, module, data))


class Winding(LightningModule):
    """Plain descent through tanh: the loss first stays where straight lines leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = mlp([2, 64, 64, 3], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.seq(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train/nll", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/nll", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def winding() -> Program:
    data, module = lecture.spirals(), Winding()
    return Program(module, *loaders(data, 32), 60, partial(accuracy, module, data))


class BayesLinear(nn.Module):
    """Weights drawn anew in each training step; in the evaluation they are their means."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(after, before) / before**0.5)
        self.rho = nn.Parameter(torch.full((after, before), -4.0))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.linear(x, self.mean, self.bias)
        deviation = F.softplus(self.rho)
        return F.linear(x, self.mean + deviation * torch.randn_like(deviation), self.bias)

    def kl(self, prior: float = 0.5) -> Tensor:
        """From normal weights of the deviation ``prior``."""
        deviation = F.softplus(self.rho)
        squares = (deviation.square() + self.mean.square()) / (2 * prior**2)
        return ((prior / deviation).log() + squares - 0.5).sum()


class BayesNet(LightningModule):
    """Bayes by backprop: most of its loss is the divergence, which falls long and slowly."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.first, self.second = BayesLinear(30, 24), BayesLinear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.second(F.relu(self.first(x))).squeeze(-1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, benign = batch
        nll = F.binary_cross_entropy_with_logits(self(x), benign.float())
        kl = (self.first.kl() + self.second.kl()) / self.count
        self.log_dict({"nll": nll, "kl": kl, "elbo_loss": nll + kl})
        return {"loss": nll + kl}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, benign = batch
        self.log("val_nll", F.binary_cross_entropy_with_logits(self(x), benign.float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def bayes() -> Program:
    data = standardized(cancer())
    module = BayesNet(len(data.x))
    return Program(module, *loaders(data, 32), 40, partial(binary_accuracy, module, data))


class Speller(LightningModule):
    """One code for what was meant and what was typed; all other words of a batch are wrong."""

    def __init__(self, width: int = 48, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.letters = nn.Embedding(lecture.ALPHABET, 24)
        self.conv = nn.Conv1d(24, 96, 3, padding=1)
        self.project = nn.Sequential(nn.Linear(96 * 5, 96), nn.ReLU(), nn.Linear(96, width))

    def forward(self, word: Tensor) -> Tensor:
        x = F.relu(self.conv(self.letters(word).transpose(1, 2)))
        x = F.max_pool1d(x, 2).flatten(1)
        return F.normalize(self.project(x), dim=1)

    def shared_step(self, batch: list[Tensor], name: str) -> Tensor:
        typed, meant = batch
        likeness = self(typed) @ self(meant).T / self.temperature
        own = torch.arange(len(typed))
        loss = (F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own)) / 2
        self.log(f"{name}_info_nce", loss)
        self.log(f"{name}_top1", (likeness.argmax(1) == own).float().mean())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def speller() -> Program:
    """Scored by how often the right one of 400 new words is the nearest."""
    data, module = lecture.misspelt(), Speller()

    def score() -> float:
        likeness = outputs(module, data.x_test) @ outputs(module, data.y_test).T
        return (likeness.argmax(1) == torch.arange(len(likeness))).float().mean().item()

    return Program(module, *loaders(data, 100, drop_last=True), 25, score)


class Mender(LightningModule):
    """Twice half as long, and back; only what lies in a gap counts."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.enter = nn.Conv1d(2, channels, 7, padding=3)
        self.down1 = nn.Conv1d(channels, 2 * channels, 4, stride=2, padding=1)
        self.down2 = nn.Conv1d(2 * channels, 2 * channels, 4, stride=2, padding=1)
        self.middle = nn.Conv1d(2 * channels, 2 * channels, 7, padding=3)
        self.up2 = nn.ConvTranspose1d(4 * channels, 2 * channels, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose1d(4 * channels, channels, 4, stride=2, padding=1)
        self.leave = nn.Conv1d(2 * channels, 1, 5, padding=2)

    def forward(self, torn: Tensor) -> Tensor:
        a = F.gelu(self.enter(torn))
        b = F.gelu(self.down1(a))
        c = F.gelu(self.down2(b))
        d = F.gelu(self.middle(c))
        e = F.gelu(self.up2(torch.cat([c, d], 1)))
        f = F.gelu(self.up1(torch.cat([b, e], 1)))
        whole: Tensor = self.leave(torch.cat([a, f], 1))
        return whole.squeeze(1)

    def error(self, batch: list[Tensor]) -> Tensor:
        torn, whole = batch
        gap = torn[:, 1]
        return ((self(torn) - whole).abs() * gap).sum() / gap.sum()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.error(batch)
        self.log("gap_l1", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_gap_l1", self.error(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RAdam(self.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def mender() -> Program:
    data, module = lecture.torn_waves(), Mender()

    def score() -> float:
        gap = data.x_test[:, 1] > 0
        found, true = outputs(module, data.x_test)[gap], data.y_test[gap]
        return 1 - (F.mse_loss(found, true) / true.var()).item()

    return Program(module, *loaders(data, 32), 12, score)


class Doubter(LightningModule):
    """Three labels in ten are wrong, and a loss that does not insist on each of them.

    What it says of the training labels stays poor.
    """

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.mlp = mlp([2, 64, 64, 2], nn.LeakyReLU, norm=nn.BatchNorm1d)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.mlp(x)
        return logits

    def gce(self, logits: Tensor, label: Tensor) -> Tensor:
        q = self.hparams["q"]
        chance = logits.softmax(1).gather(1, label[:, None])
        return ((1 - chance**q) / q).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        self.log("noisy_acc", (logits.argmax(1) == batch[1]).float().mean(), on_epoch=True)
        loss = self.gce(logits, batch[1])
        self.log("gce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("clean_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def doubter() -> Program:
    data, module = lecture.flipped_moons(), Doubter()
    return Program(module, *loaders(data, 64), 30, partial(accuracy, module, data))


class Adder(LightningModule):
    """One network for both digits, of which only the sum is known.

    The chances of sums are those of digits, convolved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(),
            nn.Linear(64, 10),
        )  # fmt: skip
        of = torch.arange(10)[:, None] + torch.arange(10)
        self.register_buffer("sums", F.one_hot(of.flatten(), 19).float())

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.reader(image)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        first, second, total = batch
        a, b = self(first).softmax(1), self(second).softmax(1)
        both = (a[:, :, None] * b[:, None]).flatten(1)
        chances = both @ self.get_buffer("sums")
        loss = F.nll_loss((chances + 1e-7).log(), total)
        self.log("sum_nll", loss)
        self.log("sum_acc", (chances.argmax(1) == total).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, digit = batch
        self.log("digit_acc", (self(image).argmax(1) == digit).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 50))
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def adder() -> Program:
    """Measured on single digits, which it has never been told."""
    data, module = digit_images(), Adder()
    train = DataLoader(TensorDataset(*lecture.sums_of_digits()), 32, shuffle=True)
    return Program(module, train, loaders(data, 32)[1], 12, partial(accuracy, module, data))


CASES = (
    Case("diabetes-points-from-their-mean", Goal("R2", at_least=0.38), progression),
    Case("spirals-momentum-flat-at-first", Goal("accuracy", at_least=0.92), winding),
    Case("cancer-weights-drawn-at-each-step", Goal("accuracy", at_least=0.93), bayes),
    Case("strings-misspelt-words-found", Goal("accuracy", at_least=0.8), speller),
    Case("sines-gaps-mended", Goal("R2", at_least=0.65), mender),
    Case("moons-three-labels-in-ten-wrong", Goal("accuracy", at_least=0.9), doubter),
    Case("digits-known-by-their-sums", Goal("accuracy", at_least=0.9), adder),
)
