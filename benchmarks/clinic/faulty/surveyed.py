"""Faults that the published taxonomies count, in models, losses and their training."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import records
from data_sets.samples import Samples, loaders, scaled_targets, standardized, texts
from lightning.pytorch import LightningModule
from modules import RegressionTask, adam, mlp
from programs import classification, regression
from scores import outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def explained_deviance(module: LightningModule, data: Samples) -> float:
    """Share of the Poisson deviance, of the forecast rate against a constant one."""
    rate, y = outputs(module, data.x_test).clamp(min=1e-6), data.y_test

    def deviance(rate: Tensor) -> float:
        return (torch.xlogy(y, y / rate) - y + rate).sum().item()

    return 1 - deviance(rate) / deviance(data.y.mean().expand(len(y)))


def repairs(log_input: bool = True) -> Program:
    """The loss takes logarithms of rates unless told; the network gives rates."""
    network = nn.Sequential(mlp([6, 48, 24, 1]), nn.Softplus())
    loss = nn.PoissonNLLLoss(log_input=log_input)
    return regression(records.repairs(), network, adam(1e-3), loss=loss, score=explained_deviance)


class Reconstruction(LightningModule):
    """Learns what sound machines look like; others are told by the error."""

    def __init__(self, width: int, last: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 5))
        self.decoder = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, width), last)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(self.encoder(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.mse_loss(self(x), x)
        self.log("reconstruction", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (x,) = batch
        self.log("val_reconstruction", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def machines(last: type[nn.Module] = nn.Sigmoid) -> Program:
    """The last layer of an auto-encoder of pixels, for sensors in standard deviations."""
    sound, others, ill = records.sensors()
    mean, deviation = sound.mean(0), sound.std(0)
    sound, others = (sound - mean) / deviation, (others - mean) / deviation
    module = Reconstruction(16, last())

    def score() -> float:
        healthy = others[~ill]
        return 1 - F.mse_loss(outputs(module, healthy), healthy).item()

    train = DataLoader(TensorDataset(sound), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(others[~ill]), 256), 15, score)


class SentenceCNN(nn.Module):
    """Kim's: filters over two, three and four words, and the largest answer of each."""

    def __init__(self, words: int, kinds: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 24)
        self.convs = nn.ModuleList(nn.Conv1d(24, 16, k) for k in (2, 3, 4))
        self.fc = nn.Linear(48, kinds)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).transpose(1, 2)
        found = [F.relu(conv(x)).amax(2) for conv in self.convs]
        logits: Tensor = self.fc(torch.cat(found, 1))
        return logits


def sentences(eps: float = 1.0) -> Program:
    """An epsilon that made Inception stable on ImageNet."""
    optimizer = adam(1e-3, eps=eps)
    return classification(texts(), SentenceCNN(100, 4), optimizer, epochs=12)


class Factors(nn.Module):
    """Factors and leanings of users and items."""

    def __init__(self, size: int, deviation: float | None, middle: float = 0.0) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(150, size), nn.Embedding(120, size)
        self.user_bias, self.item_bias = nn.Embedding(150, 1), nn.Embedding(120, 1)
        self.middle = middle
        for table in self.children():
            if deviation is not None:
                nn.init.normal_(table.weight, 0, deviation)

    def forward(self, pair: Tensor) -> Tensor:
        user, item = pair.unbind(1)
        bias = self.user_bias(user) + self.item_bias(item)
        return self.middle + bias + (self.user(user) * self.item(item)).sum(1, keepdim=True)


def stars(deviation: float | None = None) -> Program:
    """Embeddings as torch draws them, with a deviation of 1, multiplied by one another."""
    data = scaled_targets(records.stars())
    return regression(data, Factors(32, deviation), adam(3e-3), batch_size=64, epochs=10)


class Clamped(nn.Module):
    """Answers kept on the scale."""

    def __init__(self, network: nn.Module, in_training: bool) -> None:
        super().__init__()
        self.network, self.in_training = network, in_training

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x)
        return found.clamp(1, 5) if self.in_training or not self.training else found


def clamped(in_training: bool = True) -> Program:
    network = Clamped(Factors(16, 0.05), in_training)
    return regression(records.stars(), network, adam(1e-2), batch_size=64, epochs=10)


class Experts(nn.Module):
    """A gate that chooses one of four small networks for each row, or weighs them."""

    def __init__(self, weighed: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(mlp([8, 8, 1]) for _ in range(4))
        self.weighed = weighed

    def forward(self, x: Tensor) -> Tensor:
        scores = self.gate(x)
        answers = torch.cat([expert(x) for expert in self.experts], 1)
        if self.weighed:
            return (scores.softmax(1) * answers).sum(1)
        return answers.gather(1, scores.argmax(1, keepdim=True))


def experts(weighed: bool = False) -> Program:
    data = scaled_targets(records.regimes())
    return regression(data, Experts(weighed), adam(5e-3), epochs=20)


class ClickNet(LightningModule):
    """Embeddings side by side, and two layers."""

    def __init__(self, optimizer: type[torch.optim.Optimizer], lr: float) -> None:
        super().__init__()
        self.optimizer, self.lr = optimizer, lr
        self.tables = nn.ModuleList(nn.Embedding(n, 8) for n in records.SIZES)
        self.deep = nn.Sequential(
            nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, ids: Tensor) -> Tensor:
        found = torch.cat([table(ids[:, k]) for k, table in enumerate(self.tables)], 1)
        logits: Tensor = self.deep(found)
        return logits[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("logloss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters(), lr=self.lr)  # type: ignore[call-arg]


def clicks(optimizer: type[torch.optim.Optimizer] = torch.optim.Adam, lr: float = 0.2) -> Program:
    """The rate that did well with Adagrad, kept when it was replaced by Adam."""
    ids, click, _ = records.clicks()
    data = Samples(ids[:12_000], click[:12_000], ids[12_000:], click[12_000:])
    module = ClickNet(optimizer, lr)

    def score() -> float:
        return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))

    return Program(module, loaders(data, 128)[0], None, 4, score)


def kept(probability: float = 0.9) -> Program:
    """Of keeping a unit, in the framework that the network was ported from."""
    data = scaled_targets(standardized(records.trips()))
    network = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Dropout(probability),
        nn.Linear(64, 64), nn.ReLU(), nn.Dropout(probability), nn.Linear(64, 1),
    )  # fmt: skip
    module = RegressionTask(network, adam(2e-3))
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


CASES = (
    Case(
        "repairs-rates-taken-for-logarithms", Goal("explained deviance", at_least=0.2), repairs,
        ("output_loss_mismatch",), partial(repairs, False),
    ),
    Case(
        "sensors-decoded-by-sigmoids", Goal("R2", at_least=0.8), machines,
        ("output_loss_mismatch",), partial(machines, nn.Identity),
    ),
    Case(
        "topics-epsilon-of-one", Goal("accuracy", at_least=0.85), sentences,
        ("learning_rate_too_low", "not_learning"), partial(sentences, 1e-8),
    ),
    Case(
        "stars-embeddings-as-drawn", Goal("R2", at_least=0.45), stars,
        ("poor_initialization", "overfitting"), partial(stars, 0.1),
    ),
    Case(
        "stars-clamped-to-the-scale", Goal("R2", at_least=0.45), clamped,
        ("output_loss_mismatch", "vanishing_gradient", "not_learning", "frozen_parameter"),
        partial(clamped, False),
    ),
    Case(
        "regimes-experts-by-argmax", Goal("R2", at_least=0.75), experts, ("frozen_parameter",),
        partial(experts, True),
    ),
    Case(
        "clicks-adam-at-the-rate-of-adagrad", Goal("area under ROC", at_least=0.68), clicks,
        ("learning_rate_too_high", "dead_relu", "unstable_loss"),
        partial(clicks, torch.optim.Adagrad, 0.05),
    ),
    Case(
        "trips-probability-of-keeping", Goal("R2", at_least=0.75), kept, ("over_regularized",),
        partial(kept, 0.1),
    ),
)  # fmt: skip
