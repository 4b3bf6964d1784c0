"""The rest of the zoo's pull requests with an oversight: tables, engines, tags and sets."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import model_zoo
from data_sets.model_zoo import Patients
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class Scratches(LightningModule):
    """Is the metal scratched? One piece in twenty-five is."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
            nn.Linear(96, 1),
        )  # fmt: skip
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))

    def forward(self, image: Tensor) -> Tensor:
        logit: Tensor = self.net(image)
        return logit.squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        loss = self.loss(self(batch[0]), batch[1].float())
        self.log("scratch_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("scratch_val_loss", self.loss(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scratches(weight: float) -> Program:
    data = model_zoo.surfaces()
    module = Scratches(weight)
    return Program(module, *loaders(data, 40), 12, partial(balanced_accuracy, module, data))


class CoxNet(LightningModule):
    """Cox's partial likelihood of the patients of a batch, earlier events first."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(40, 64), nn.SELU(), nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.net(x)
        return risk.squeeze(-1)

    def partial_likelihood(self, batch: Batch) -> Tensor:
        x, months, seen = batch
        order = months.argsort(descending=True)
        risk, seen = self(x)[order], seen[order]
        return -((risk - risk.logcumsumexp(0)) * seen).sum() / seen.sum().clamp(min=1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.partial_likelihood(batch)
        self.log("cox", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("cox_val", self.partial_likelihood(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def concordance(module: LightningModule, patients: Patients) -> float:
    risk = outputs(module, patients.x)
    earlier = (patients.months[:, None] < patients.months) & (patients.seen[:, None] > 0)
    return (risk[:, None] > risk)[earlier].float().mean().item()


def cox(first: int, epochs: int) -> Program:
    """``first`` patients: few while one looks for mistakes, all of them for the zoo."""
    data = model_zoo.patients(columns=40)
    train, test = data.part(slice(first)), data.part(slice(1200, None))
    module = CoxNet()
    return Program(
        module, DataLoader(TensorDataset(*train), 32, shuffle=True),
        DataLoader(TensorDataset(*test), 200), epochs, partial(concordance, module, test),
    )  # fmt: skip


class EngineVae(LightningModule):
    """Readings of engines that are in order; one that is not is told badly."""

    def __init__(self, summed: bool) -> None:
        super().__init__()
        self.summed = summed
        self.encode = nn.Sequential(nn.Linear(24, 64), nn.SiLU(), nn.Linear(64, 12))
        self.decode = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 24))

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encode(x).chunk(2, 1)
        told: Tensor = self.decode(mean)
        return told

    def losses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encode(x).chunk(2, 1)
        told = self.decode(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        squares = (told - x).square() / 0.1
        error = squares.sum(1).mean() if self.summed else squares.mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
        return error / 2, kl

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        error, kl = self.losses(batch[0])
        self.log_dict({"reconstruction": error, "kl": kl})
        return error + kl

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        error, kl = self.losses(batch[0])
        self.log("elbo_val", error + kl)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def engine_vae(summed: bool) -> Program:
    data = model_zoo.engines()
    module = EngineVae(summed)
    both = [DataLoader(TensorDataset(x), 50, shuffle=x is data.train) for x in data[:2]]

    def score() -> float:
        x = torch.cat([data.test, data.odd])
        errors = (outputs(module, x) - x).square().mean(1)
        return float(roc_auc_score(torch.arange(len(x)) >= len(data.test), errors))

    return Program(module, *both, 20, score)


class DenseResidual(nn.Module):
    """Two layers with norms beside what comes in."""

    def __init__(self, width: int, momentum: float) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)
        self.bn1 = nn.BatchNorm1d(width, momentum=momentum)
        self.bn2 = nn.BatchNorm1d(width, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(F.relu(self.bn2(self.fc1(F.relu(self.bn1(x))))))


class TableResNet(LightningModule):
    """Residual layers on a table, eight rows a step; 0.99 is how the paper averages."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 48)
        self.blocks = nn.Sequential(*[DenseResidual(48, momentum) for _ in range(3)])
        self.norm, self.head = nn.BatchNorm1d(48, momentum=momentum), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        error: Tensor = self.head(F.relu(self.norm(self.blocks(self.stem(x)))))
        return error.squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)]


def table_resnet(momentum: float) -> Program:
    data = model_zoo.gauges()
    module = TableResNet(momentum)
    return Program(module, *loaders(data, 8), 4, partial(r2, module, data))


class Tagger(LightningModule):
    """Words to tags by way of an LSTM; while the head was looked at, nothing else was taught."""

    def __init__(self, taught: bool, words: int = 60, tags: int = 6) -> None:
        super().__init__()
        self.taught = taught
        self.embed = nn.Embedding(words, 24)
        self.lstm = nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.tag = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, tags))

    def forward(self, words: Tensor) -> Tensor:
        with torch.set_grad_enabled(self.taught and torch.is_grad_enabled()):
            states, _ = self.lstm(self.embed(words))
        logits: Tensor = self.tag(states)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        words, tags = batch
        loss = F.cross_entropy(self(words).mT, tags)
        self.log("tag_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        words, tags = batch
        self.log("val_tag_loss", F.cross_entropy(self(words).mT, tags))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tagger(taught: bool) -> Program:
    data = model_zoo.sentences()
    module = Tagger(taught)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Visits(LightningModule):
    """Poisson regression; the activation is looked up by its name."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        act = getattr(nn, activation, nn.Identity)
        self.net = nn.Sequential(
            nn.Linear(8, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        log_rate: Tensor = self.net(x)
        return log_rate[..., 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("poisson_val", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the deviance of a constant rate."""
    found, y = outputs(module, data.x_test).exp(), data.y_test

    def deviance(rate: Tensor) -> Tensor:
        return (torch.xlogy(y, y / rate) - y + rate).mean()

    return (1 - deviance(found) / deviance(data.y.mean())).item()


def visits(activation: str) -> Program:
    data = model_zoo.visits()
    module = Visits(activation)
    return Program(module, *loaders(data, 50), 12, partial(explained, module, data))


class Churn(LightningModule):
    """Embedded codes beside numbers. The paper's share of 0.9 is what is kept."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embed = nn.ModuleList(nn.Embedding(n, 4) for n in (6, 10, 20))
        self.trunk = nn.Sequential(
            nn.Linear(18, 64), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        codes = x[:, :3].long()
        embedded = [table(codes[:, i]) for i, table in enumerate(self.embed)]
        logit: Tensor = self.trunk(torch.cat([*embedded, x[:, 3:]], 1))
        return logit.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("churn", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("churn_val", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def churn(dropout: float) -> Program:
    data = model_zoo.customers()
    module = Churn(dropout)
    return Program(module, *loaders(data, 64), 15, partial(binary_accuracy, module, data))


class SetTransformer(LightningModule):
    """A digit as a set of points: attention among them, then one seed that gathers them."""

    def __init__(self, softmax: bool, width: int = 32) -> None:
        super().__init__()
        self.softmax = softmax
        self.enter = nn.Linear(3, width)
        self.among = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU())
        self.back = nn.Linear(64, width)
        self.seed = nn.Parameter(torch.randn(1, 1, width))
        self.gather = nn.MultiheadAttention(width, 4, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, points: Tensor) -> Tensor:
        x = self.enter(points)
        x = x + self.among(x, x, x, need_weights=False)[0]
        x = x + self.back(self.mix(x))
        seed = self.seed.expand(len(x), -1, -1)
        logits: Tensor = self.head(self.gather(seed, x, x, need_weights=False)[0][:, 0])
        return logits.softmax(-1) if self.softmax else logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("set_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("set_val_loss", F.cross_entropy(found, batch[1]))
        self.log("set_val_acc", (found.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)


def set_transformer(softmax: bool) -> Program:
    data = model_zoo.digit_points()
    module = SetTransformer(softmax)
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


CASES = (
    Case(
        "model-zoo-scratched-metal", Goal("balanced accuracy", at_least=0.85),
        partial(scratches, 1.0), ("class_imbalance",), partial(scratches, 20.0),
    ),
    Case(
        "model-zoo-cox-patients", Goal("concordance", at_least=0.68), partial(cox, 64, 100),
        ("overfitting",), partial(cox, 1200, 8),
    ),
    Case(
        "model-zoo-engine-vae", Goal("AUROC", at_least=0.95), partial(engine_vae, False),
        ("over_regularized",), partial(engine_vae, True),
    ),
    Case(
        "model-zoo-table-resnet", Goal("R2", at_least=0.6), partial(table_resnet, 0.99),
        ("train_eval_mismatch",), partial(table_resnet, 0.01),
    ),
    Case(
        "model-zoo-lstm-tagger", Goal("tags", at_least=0.97), partial(tagger, False),
        ("frozen_parameter",), partial(tagger, True),
    ),
    Case(
        "model-zoo-poisson-visits", Goal("deviance explained", at_least=0.45),
        partial(visits, "Relu"), ("linear_network",), partial(visits, "ReLU"),
    ),
    Case(
        "model-zoo-churn-table", Goal("accuracy", at_least=0.8), partial(churn, 0.9),
        ("over_regularized",), partial(churn, 0.1),
    ),
    Case(
        "model-zoo-set-transformer", Goal("accuracy", at_least=0.85),
        partial(set_transformer, True), ("output_loss_mismatch",),
        partial(set_transformer, False),
    ),
)  # fmt: skip
