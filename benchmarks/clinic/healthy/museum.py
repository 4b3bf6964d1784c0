"""A museum's models in good order, some of them odd to look at."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import museum
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, RegressionTask, adam, mlp, reset, sgd
from programs import regression
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn


def sigmoids() -> Program:
    """Four layers of sigmoids, drawn with their gain of 4: nothing happens for a while."""
    network = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        mlp((256, 84, 6), nn.Sigmoid),
    )  # fmt: skip
    reset(network, partial(nn.init.xavier_uniform_, gain=4.0))
    data, module = museum.paintings(), LitClassifier(network, adam(2e-3))
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class IdentityRNN(LightningModule):
    """A recurrent layer of ReLUs that begins as the identity; its gradients are clipped."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, 64, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(64, 1)
        nn.init.eye_(self.rnn.get_parameter("weight_hh_l0"))
        nn.init.normal_(self.rnn.get_parameter("weight_ih_l0"), std=0.1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        out: Tensor = self.fc(states[:, -1])
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def identity() -> Program:
    data, module = museum.turnstiles(), IdentityRNN()
    train, _ = loaders(data, 32)
    score = partial(r2, module, data)
    return Program(module, train, None, 25, score, {"gradient_clip_val": 0.5})


def chances() -> Program:
    """Seven eighths of the variance are nobody's to know."""
    network = mlp((8, 32, 1), nn.Tanh)
    return regression(museum.bids(), network, adam(1e-3), batch_size=128, epochs=25)


class GatedLayer(nn.Module):
    """Attention and two dense layers, each behind a factor that begins as zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.dense = mlp((width, 2 * width, width), nn.GELU)
        self.alpha = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        found, _ = self.attention(x, x, x, need_weights=False)
        x = x + self.alpha[0] * found
        result: Tensor = x + self.alpha[1] * self.dense(x)
        return result


class GatedTransformer(LightningModule):
    """Three such layers; the last layer of all begins as zero, too."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(200, 48), nn.Embedding(20, 48)
        self.layers = nn.Sequential(*(GatedLayer(48) for _ in range(3)))
        self.classifier = nn.Linear(48, 5)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        logits: Tensor = self.classifier(self.layers(x).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def gated() -> Program:
    data, module = museum.guestbook(), GatedTransformer()
    return Program(module, *loaders(data, 64), 8, partial(accuracy, module, data))


class TextCNN(LightningModule):
    """Filters over two to four words. The log-softmax before the loss changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(200, 32)
        self.convs = nn.ModuleList(nn.Conv1d(32, 24, k, padding="same") for k in (2, 3, 4))
        self.dropout, self.fc = nn.Dropout(0.5), nn.Linear(72, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).transpose(1, 2)
        pooled = torch.cat([F.relu(conv(x)).amax(2) for conv in self.convs], 1)
        return F.log_softmax(self.fc(self.dropout(pooled)), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def twice() -> Program:
    data, module = museum.guestbook(), TextCNN()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


def rare() -> Program:
    """The few are far enough from the many to be found without weights."""
    data = museum.attributions(5.0)
    module = LitClassifier(mlp((16, 32, 16, 3), norm=nn.BatchNorm1d), sgd(0.05, 0.9))
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, 128), 12, score)


def dropout() -> Program:
    """A wide network for few spectra, held by much dropout and decay."""
    data = museum.pigments()
    network = mlp((40, 512, 512, 4), dropout=0.7)
    module = LitClassifier(network, partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.1))
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


class Waves(nn.Module):
    """Sines and cosines of drawn frequencies, which are not to be trained."""

    def __init__(self, count: int, scale: float) -> None:
        super().__init__()
        frequencies = museum.frequencies(count, scale)
        self.frequencies = nn.Parameter(frequencies, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        angle = x @ self.frequencies
        return torch.cat([angle.sin(), angle.cos()], 1) * math.sqrt(2)


def waves() -> Program:
    data = museum.galleries()
    module = RegressionTask(nn.Sequential(Waves(128, 4.0), nn.Linear(256, 1)), sgd(0.002, 0.9))
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


CASES = (
    Case("paintings-sigmoids-after-a-plateau", Goal("accuracy", at_least=0.8), sigmoids),
    Case("turnstiles-from-the-identity-clipped", Goal("R2", at_least=0.6), identity),
    Case("bids-mostly-chance", Goal("R2", at_least=0.06), chances),
    Case("guestbook-transformer-behind-zeros", Goal("accuracy", at_least=0.75), gated),
    Case("guestbook-log-softmax-twice", Goal("accuracy", at_least=0.75), twice),
    Case("attributions-rare-yet-apart", Goal("balanced accuracy", at_least=0.85), rare),
    Case("pigments-dropout-of-seven-tenths", Goal("accuracy", at_least=0.8), dropout),
    Case("galleries-waves-never-trained", Goal("R2", at_least=0.8), waves),
)  # fmt: skip
