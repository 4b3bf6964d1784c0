"""An examiner's programs, one for each of the codes on steps, activations and gradients."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examination
from data_sets.samples import digits, friedman, loaders, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, RegressionTask, adam, mlp, reset, sgd
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MixtureDensity(LightningModule):
    """Five normal densities for each input; the likelihood is their sum's logarithm."""

    def __init__(self, logarithms: bool) -> None:
        super().__init__()
        self.logarithms = logarithms
        self.body = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.pi, self.mu, self.sigma = (nn.Linear(64, 5) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.body(x)
        return self.pi(h).log_softmax(-1), self.mu(h), self.sigma(h).exp()

    def nll(self, x: Tensor, y: Tensor) -> Tensor:
        log_pi, mu, sigma = self(x)
        z = (y[:, None] - mu) / sigma
        if self.logarithms:
            log_density = -0.5 * z.square() - sigma.log() - 0.5 * math.log(2 * math.pi)
            return -torch.logsumexp(log_pi + log_density, -1).mean()
        density = torch.exp(-0.5 * z**2) / (sigma * math.sqrt(2 * math.pi))
        return -torch.log((log_pi.exp() * density).sum(-1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(*batch)
        self.log("nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def mixture(logarithms: bool) -> Program:
    """Heights up to 24: at first, some lie where float32 has no density left."""
    data, module = examination.turned_curve(48.0), MixtureDensity(logarithms)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.nll(data.x_test, data.y_test).item()

    return Program(module, *loaders(data, 128), 40, score)


class ElmanClassifier(LightningModule):
    """Reads the rows of a picture with a cell of its own."""

    def __init__(self, orthogonal: bool, hidden: int = 128) -> None:
        super().__init__()
        self.w_in = nn.Linear(16, hidden)
        self.w_hh = nn.Parameter(0.3 * torch.randn(hidden, hidden))
        if orthogonal:
            nn.init.orthogonal_(self.w_hh)
        self.head = nn.Linear(hidden, 10)

    def forward(self, image: Tensor) -> Tensor:
        state = image.new_zeros(len(image), self.w_hh.shape[0])
        for row in image.squeeze(1).unbind(1):
            state = F.leaky_relu(self.w_in(row) + state @ self.w_hh, 0.1)
        logits: Tensor = self.head(state)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def rows(orthogonal: bool) -> Program:
    data, module = examination.large_digits(), ElmanClassifier(orthogonal)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 20, partial(accuracy, module, data))


@dataclass
class Sheet:
    """A batch of pixels and digits."""

    pixels: Tensor
    digit: Tensor


def sheet(items: list[tuple[Tensor, Tensor]]) -> Sheet:
    pixels, digit = zip(*items, strict=True)
    return Sheet(torch.stack(pixels), torch.stack(digit))


class DeepTanh(LightningModule):
    """Twenty layers of tanh, drawn as PyTorch does, or with the gain that tanh needs."""

    def __init__(self, gain: float | None) -> None:
        super().__init__()
        self.model = mlp([64, *[64] * 20, 10], nn.Tanh)
        if gain is not None:
            reset(self.model, partial(nn.init.xavier_normal_, gain=gain))

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels)
        return logits

    def training_step(self, batch: Sheet, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch.pixels)
        self.log("train_acc", (logits.argmax(1) == batch.digit).float().mean())
        return {"loss": F.cross_entropy(logits, batch.digit)}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def deep_tanh(gain: float | None) -> Program:
    data, module = standardized(digits()), DeepTanh(gain)
    pairs = TensorDataset(data.x, data.y)
    train = DataLoader(pairs, 32, shuffle=True, collate_fn=sheet)
    return Program(module, train, None, 20, partial(accuracy, module, data))


def killed(lr: float) -> Program:
    """Large first steps towards targets of 14 push the units below zero for good."""
    data = friedman()
    module = RegressionTask(mlp([10, 64, 64, 64, 1]), sgd(lr, 0.9))
    return Program(module, *loaders(data, 128), 60, partial(r2, module, data))


class KSparse(nn.Module):
    """Leaves the k largest of the units."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        best, index = x.topk(self.k, -1)
        return torch.zeros_like(x).scatter(-1, index, best)


class SparseAutoencoder(LightningModule):
    """Eight of 256 units at a time; the same few win for every input, unless it is centred.

    With ``tied``, encoder and decoder begin as each other's transpose, and the mean is taken off.
    """

    def __init__(self, mean: Tensor, tied: bool, k: int = 8) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, 256), nn.Linear(256, 64)
        self.sparse = KSparse(k)
        self.register_buffer("offset", mean if tied else torch.zeros(64))
        if tied:
            with torch.no_grad():
                self.decoder.weight.div_(self.decoder.weight.norm(dim=0))
                self.encoder.weight.copy_(self.decoder.weight.T)

    def forward(self, x: Tensor) -> Tensor:
        offset = self.get_buffer("offset")
        rebuilt: Tensor = self.decoder(self.sparse(self.encoder(x - offset))) + offset
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def explained(module: LightningModule, x: Tensor) -> float:
    """Share of the pixels' variance."""
    return (1 - F.mse_loss(outputs(module, x), x) / x.var(0).mean()).item()


def sparse_codes(tied: bool) -> Program:
    data = digits()
    module = SparseAutoencoder(data.x.mean(0), tied)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 40, partial(explained, module, data.x_test))


class SigmoidAutoencoder(LightningModule):
    """Weights by ``nn.init.uniform_``, whose limits are 0 and 1 unless they are given."""

    def __init__(self, limit: float | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 24), nn.Sigmoid()
        )
        self.decoder = nn.Sequential(nn.Linear(24, 64), nn.Sigmoid(), nn.Linear(64, 64))
        draw = nn.init.uniform_ if limit is None else partial(nn.init.uniform_, a=-limit, b=limit)
        reset(self.encoder, draw)
        reset(self.decoder, draw)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train_mse", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def rebuilt(limit: float | None) -> Program:
    data, module = digits(), SigmoidAutoencoder(limit)
    return Program(module, *loaders(data, 32), 40, partial(explained, module, data.x_test))


def logged(shuffle: bool) -> Program:
    """A loader that reads the log from its beginning to its end in every epoch."""
    data = examination.meter_log()
    module = RegressionTask(mlp([7, 96, 96, 1]), adam(3e-3))
    both = loaders(data, 50, shuffle=shuffle)
    return Program(module, *both, 14, partial(r2, module, data))


class TextCNN(LightningModule):
    """Filters over two and three words, the largest of each, and dropout."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(300, 48)
        self.convs = nn.ModuleList(nn.Conv1d(48, 64, width) for width in (2, 3))
        self.dropout, self.fc = nn.Dropout(0.3), nn.Linear(128, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).transpose(1, 2)
        pooled = torch.cat([F.relu(conv(x)).amax(2) for conv in self.convs], 1)
        logits: Tensor = self.fc(self.dropout(pooled))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch["input_ids"]), batch["labels"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=self.hparams["lr"])


def as_dict(items: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    tokens, labels = zip(*items, strict=True)
    return {"input_ids": torch.stack(tokens), "labels": torch.stack(labels)}


def text_cnn(lr: float) -> Program:
    data, module = examination.phrases(), TextCNN(lr)
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    both = (
        DataLoader(train, 32, shuffle=True, collate_fn=as_dict),
        DataLoader(test, 256, collate_fn=as_dict),
    )
    return Program(module, *both, 10, partial(accuracy, module, data))


class SeparableNet(LightningModule):
    """Depthwise convolutions under a rate that falls by a twentieth, each epoch or each step."""

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.interval = interval
        layers: list[nn.Module] = [nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
        for stride in (2, 1, 2):
            layers += [
                nn.Conv2d(32, 32, 3, stride, padding=1, groups=32), nn.BatchNorm2d(32), nn.ReLU(),
                nn.Conv2d(32, 32, 1), nn.BatchNorm2d(32), nn.ReLU(),
            ]  # fmt: skip
        self.net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, nesterov=True)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
        return [optimizer], [{"scheduler": schedule, "interval": self.interval}]


def separable(interval: str) -> Program:
    data, module = examination.large_digits(), SeparableNet(interval)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


def jumping(momentum: float) -> Program:
    """Each step of eight samples is felt by the hundred that follow it."""
    data = standardized(digits())
    module = LitClassifier(mlp([64, 64, 64, 10], nn.Tanh), sgd(0.03, momentum))
    return Program(module, *loaders(data, 8), 12, partial(accuracy, module, data))


def ripeness(grey: bool) -> Program:
    """All pictures are made grey, as by a loader for scans, and the colour was the label."""
    data = examination.fruits()
    if grey:
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        x, x_test = ((weights * x).sum(1, True).repeat(1, 3, 1, 1) for x in (data.x, data.x_test))
        data = data.with_inputs(x, x_test)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(32, 4),
    )  # fmt: skip
    module = LitClassifier(network, partial(torch.optim.AdamW, lr=2e-3))
    return Program(module, *loaders(data, 64), 8, partial(accuracy, module, data))


CASES = (
    Case(
        "turned-curve-densities-added-before-log", Goal("nats", at_most=3.4),
        partial(mixture, False), ("non_finite",), partial(mixture, True),
    ),
    Case(
        "rows-of-digits-own-cell-of-normal-states", Goal("accuracy", at_least=0.9),
        partial(rows, False), ("exploding_gradient", "poor_initialization"), partial(rows, True),
    ),
    Case(
        "sheets-twenty-layers-of-tanh-as-drawn", Goal("accuracy", at_least=0.88),
        partial(deep_tanh, None), ("vanishing_gradient", "poor_initialization"),
        partial(deep_tanh, 5 / 3),
    ),
    Case(
        "friedman-units-killed-by-first-steps", Goal("R2", at_least=0.8), partial(killed, 0.02),
        ("dead_relu", "learning_rate_too_high"), partial(killed, 3e-3),
    ),
    Case(
        "digits-eight-of-same-few-units", Goal("share explained", at_least=0.78),
        partial(sparse_codes, False), ("dormant_units", "poor_initialization"),
        partial(sparse_codes, True),
    ),
    Case(
        "autoencoder-uniform-without-limits", Goal("share explained", at_least=0.5),
        partial(rebuilt, None), ("saturated_activation", "poor_initialization"),
        partial(rebuilt, 0.2),
    ),
    Case(
        "meter-log-read-from-first-to-last", Goal("R2", at_least=0.88), partial(logged, False),
        ("covariate_shift",), partial(logged, True),
    ),
    Case(
        "phrases-text-cnn-rmsprop-of-a-tenth", Goal("accuracy", at_least=0.8),
        partial(text_cnn, 0.1), ("learning_rate_too_high", "unstable_loss"),
        partial(text_cnn, 1e-3),
    ),
    Case(
        "separable-convolutions-decay-at-each-step", Goal("accuracy", at_least=0.93),
        partial(separable, "step"), ("learning_rate_too_low",), partial(separable, "epoch"),
    ),
    Case(
        "digits-eight-to-a-step-long-momentum", Goal("accuracy", at_least=0.92),
        partial(jumping, 0.99), ("unstable_loss", "learning_rate_too_high"),
        partial(jumping, 0.9),
    ),
    Case(
        "fruits-graded-from-grey-pictures", Goal("accuracy", at_least=0.7),
        partial(ripeness, True), ("not_learning", "inconsistent_labels"),
        partial(ripeness, False),
    ),
)  # fmt: skip
