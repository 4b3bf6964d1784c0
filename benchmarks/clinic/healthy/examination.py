"""An examiner's programs in good order, most of which look odd for a while."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examination
from data_sets.samples import cancer, digits, friedman, loaders, standardized, wine
from lightning.pytorch import LightningModule
from modules import BinaryModel, LitClassifier, mlp, reset, sgd
from scores import accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn


class MDN(LightningModule):
    """A mixture by ``torch.distributions``; the loss passes zero and goes on falling."""

    def __init__(self, parts: int = 6) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 3 * parts)
        )

    def forward(self, x: Tensor) -> torch.distributions.Distribution:
        logits, mean, scale = self.net(x).chunk(3, -1)
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=logits),
            torch.distributions.Normal(mean, F.softplus(scale) + 1e-3),
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = -self(batch[0]).log_prob(batch[1]).mean()
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", -self(batch[0]).log_prob(batch[1]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def mdn() -> Program:
    data, module = examination.turned_curve(), MDN()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            density: Tensor = module(data.x_test).log_prob(data.y_test)
        return -density.mean().item()

    return Program(module, *loaders(data, 100), 30, score)


class IRNN(LightningModule):
    """Rectified states that begin as the identity, the gradients clipped."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(16, 100, nonlinearity="relu", batch_first=True)
        weights = dict(self.rnn.named_parameters())
        nn.init.eye_(weights["weight_hh_l0"])
        nn.init.zeros_(weights["bias_hh_l0"])
        nn.init.normal_(weights["weight_ih_l0"], std=0.1)
        self.head = nn.Linear(100, 10)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.rnn(image.squeeze(1))[0][:, -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def irnn() -> Program:
    data, module = examination.large_digits(), IRNN()
    train, _ = loaders(data, 32)
    trainer = {"gradient_clip_val": 10.0}
    return Program(module, train, None, 32, partial(accuracy, module, data), trainer)


def sixteen_selu() -> Program:
    """Sixteen layers without norms that keep mean and deviation by themselves."""
    data = standardized(digits())
    network = mlp([64, *[64] * 16, 10], nn.SELU)
    reset(network, partial(nn.init.kaiming_normal_, nonlinearity="linear"))
    module = LitClassifier(network, sgd(0.01, 0.9))
    both = loaders(data, 64)
    return Program(module, *both, 20, partial(accuracy, module, data))


def sparse_units() -> Program:
    """More units than the data needs, silent for most inputs through their first biases."""
    data = standardized(digits())
    network = reset(mlp([64, 512, 10]), partial(nn.init.kaiming_normal_), -1.5)
    module = LitClassifier(network, partial(torch.optim.AdamW, lr=2e-3))
    both = loaders(data, 48)
    return Program(module, *both, 12, partial(accuracy, module, data))


class Experts(LightningModule):
    """Six small networks, of which the two best by a gate answer, used alike by a penalty."""

    def __init__(self, count: int = 6) -> None:
        super().__init__()
        self.gate = nn.Linear(10, count)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.Linear(32, 1)) for _ in range(count)
        )

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.gate(x)
        best, index = scores.topk(2, -1)
        sparse = torch.zeros_like(scores).scatter(-1, index, best.softmax(-1))
        return sparse, scores.softmax(-1)

    def forward(self, x: Tensor) -> Tensor:
        answers = torch.cat([expert(x) for expert in self.experts], -1)
        found: Tensor = (self.weights(x)[0] * answers).sum(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        sparse, soft = self.weights(x)
        balance = soft.shape[-1] * ((sparse > 0).float().mean(0) * soft.mean(0)).sum()
        mse = F.mse_loss(self(x), (y - 14) / 5)
        self.log_dict({"mse": mse, "balance": balance})
        return {"loss": mse + 0.01 * balance}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), (batch[1] - 14) / 5))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def experts() -> Program:
    data, module = friedman(), Experts()

    def score() -> float:
        return 1 - F.mse_loss(outputs(module, data.x_test), (data.y_test - 14) / 5).item()

    return Program(module, *loaders(data, 64), 40, score)


class HashNet(LightningModule):
    """Codes of sixteen signs: tanh made steeper with each epoch, and meant to end at its ends."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
        self.classifier = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder(x).sign())
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        code = torch.tanh((1 + self.current_epoch) ** 0.5 * self.encoder(batch[0]))
        quantization = (1 - code.abs()).mean()
        loss = F.cross_entropy(self.classifier(code), batch[1]) + 0.3 * quantization
        self.log("loss", loss)
        self.log("quantization", quantization)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def hashing() -> Program:
    data, module = standardized(digits()), HashNet()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(accuracy, module, data))


class LoadForecaster(LightningModule):
    """Each window is divided by its own mean, so that a rising level does no harm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 24, 5, padding=2)
        self.head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(24 * 32, 1))

    def forward(self, window: Tensor) -> Tensor:
        mean = window.mean(1, keepdim=True)
        change = self.head(self.conv(3 * (window / mean - 1)[:, None]))
        found: Tensor = mean * (1 + change / 3)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, load = batch
        loss: Tensor = ((self(window) - load) / window.mean(1)).square().mean()
        self.log("relative_error", loss.sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", (self(batch[0]) - batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def rising() -> Program:
    """The windows come in order of time, and are from 1 to 1,000."""
    data, module = examination.rising_loads(), LoadForecaster()
    return Program(module, *loaders(data, 32, shuffle=False), 10, partial(r2, module, data))


class GRUReader(LightningModule):
    """Plain descent at a rate of 1, as long as the gradients are clipped."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(300, 32)
        self.gru = nn.GRU(32, 64, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(128, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.gru(self.embedding(tokens))[0].amax(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.3)]


def reader() -> Program:
    """A tenth of the labels is drawn at random."""
    data, module = examination.phrases(0.1), GRUReader()
    trainer = {"gradient_clip_val": 0.5}
    both = loaders(data, 32)
    return Program(module, *both, 9, partial(accuracy, module, data), trainer)


def patient() -> Program:
    """A wide network hardly moves a weight, at a ten-thousandth in Adam, and needs no more."""
    data = standardized(wine())
    network = nn.Sequential(
        nn.Linear(13, 512), nn.LayerNorm(512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU(),
        nn.Linear(512, 3),
    )  # fmt: skip
    module = LitClassifier(network, partial(torch.optim.Adam, lr=5e-5))
    return Program(module, *loaders(data, 12), 25, partial(accuracy, module, data))


def eight_to_a_step() -> Program:
    """Losses of eight samples jump about their mean, which is all that they do."""
    data = standardized(cancer())
    module = BinaryModel(mlp([30, 64, 32, 1], dropout=0.3), sgd(0.01, 0.9))
    train, test = loaders(data, 8)
    return Program(module, train, test, 15, partial(binary_accuracy, module, data))


class MarkedSum(LightningModule):
    """The loss stays at the targets' variance for long, until the marks are found."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(2, 48, batch_first=True)
        self.out = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.gru(x)[0][:, -1])
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def marked() -> Program:
    data, module = examination.marked_sums(), MarkedSum()
    both = loaders(data, 32)
    return Program(module, *both, 18, partial(r2, module, data), {"gradient_clip_val": 1.0})


CASES = (
    Case("turned-curve-mixture-below-zero-nats", Goal("nats", at_most=-0.6), mdn),
    Case("rows-of-digits-identity-states-clipped", Goal("accuracy", at_least=0.88), irnn),
    Case("digits-sixteen-selu-layers-unnormed", Goal("accuracy", at_least=0.93), sixteen_selu),
    Case("digits-wide-layer-silent-for-most", Goal("accuracy", at_least=0.94), sparse_units),
    Case("friedman-two-of-six-experts-answer", Goal("R2", at_least=0.8), experts),
    Case("digits-hashed-by-ever-steeper-tanh", Goal("accuracy", at_least=0.9), hashing),
    Case("rising-loads-in-order-of-time", Goal("R2", at_least=0.9), rising),
    Case("phrases-gru-rate-of-one-clipped", Goal("accuracy", at_least=0.8), reader),
    Case("wine-wide-network-hardly-moved", Goal("accuracy", at_least=0.93), patient),
    Case("tumours-eight-to-a-step-dropout", Goal("accuracy", at_least=0.93), eight_to_a_step),
    Case("marked-sums-long-plateau-of-gru", Goal("R2", at_least=0.9), marked),
)
