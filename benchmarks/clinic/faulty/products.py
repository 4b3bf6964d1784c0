"""Software companies' product teams: clicks, orders, fraud and inspection, each with one fault."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import products
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader


@dataclass
class TowerConfig:
    """What is set for the two towers."""

    dim: int = 12
    lr: float = 4e-3
    weight_decay: float = 1e-5
    warmup: int = 60
    batch_size: int = 160
    epochs: int = 8


class TwoTowers(LightningModule):
    """A user's and an article's vectors, their product, and what the place on the page adds."""

    def __init__(self, config: TowerConfig, interval: str) -> None:
        super().__init__()
        self.config, self.interval = config, interval
        self.user = nn.Embedding(products.USERS, config.dim)
        self.article = nn.Embedding(products.ARTICLES, config.dim)
        self.user_tower = nn.Sequential(nn.Linear(config.dim, 24), nn.ReLU(), nn.Linear(24, 12))
        self.article_tower = nn.Sequential(nn.Linear(config.dim, 24), nn.ReLU(), nn.Linear(24, 12))
        self.bias, self.context = nn.Embedding(products.ARTICLES, 1), nn.Linear(3, 1)

    def forward(self, rows: Tensor) -> Tensor:
        user, article = rows[:, 0].long(), rows[:, 1].long()
        u, a = self.user_tower(self.user(user)), self.article_tower(self.article(article))
        logit: Tensor = (u * a).sum(1) + self.bias(article)[:, 0] + self.context(rows[:, 2:])[:, 0]
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train/logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("valid/logloss", loss, prog_bar=True)

    def configure_optimizers(self) -> Any:
        config = self.config
        tables = [p for name, p in self.named_parameters() if "tower" not in name]
        towers = [p for name, p in self.named_parameters() if "tower" in name]
        groups = [{"params": tables, "weight_decay": 0.0}, {"params": towers}]
        optimizer = torch.optim.AdamW(groups, lr=config.lr, weight_decay=config.weight_decay)
        ramp = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda done: min(1.0, (done + 1) / config.warmup)
        )
        return [optimizer], [{"scheduler": ramp, "interval": self.interval}]


def auc(module: LightningModule, data: Samples) -> float:
    return float(roc_auc_score(data.y_test, outputs(module, data.x_test).nan_to_num()))


def feed(interval: str) -> Program:
    """The warm-up is counted in steps, but the schedule steps once an epoch."""
    data, config = products.impressions(), TowerConfig()
    module = TwoTowers(config, interval)
    both = loaders(data, config.batch_size)
    return Program(module, *both, config.epochs, partial(auc, module, data))


def two_logs(mended: bool) -> Program:
    """The older half of the log holds what was skipped, not what was clicked."""
    data, config = products.impressions(), TowerConfig(lr=6e-3, batch_size=120, epochs=6)
    module = TwoTowers(config, "step")
    clicked = data.y.clone()
    half = len(clicked) // 2
    clicked[:half] = clicked[:half] if mended else 1 - clicked[:half]
    both = loaders(data._replace(y=clicked), config.batch_size)
    return Program(module, *both, config.epochs, partial(auc, module, data))


class Tcn(LightningModule):
    """Dilated convolutions over six weeks; the last frame tells the next seven days."""

    def __init__(self, lr: float, positive: bool) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        for before, dilation in ((1, 1), (20, 2), (20, 4), (20, 8)):
            layers += [
                nn.ConstantPad1d((2 * dilation, 0), 0.0),
                nn.Conv1d(before, 20, 3, dilation=dilation), nn.ReLU(),
            ]  # fmt: skip
        self.tcn, self.head = nn.Sequential(*layers), nn.Linear(20, 7)

    def forward(self, past: Tensor) -> Tensor:
        found: Tensor = self.head(self.tcn(past[:, None])[..., -1])
        return F.relu(found) if self.hparams["positive"] else found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, future = batch
        loss = F.smooth_l1_loss(self(past), future)
        self.log("huber", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        past, future = batch
        found = self(past)
        self.log_dict({
            "val_huber": F.smooth_l1_loss(found, future), "val_mae": F.l1_loss(found, future),
        })  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


def next_week(lr: float = 3e-3, positive: bool = False) -> Program:
    """Orders are centred now, but the output that can't be negative was left from before."""
    data, module = products.orders(), Tcn(lr, positive)
    return Program(module, *loaders(data, 48), 10, partial(r2, module, data))


class PartsDemand(LightningModule):
    """Weekly sales, by the error relative to what was sold."""

    def __init__(self, relative: bool) -> None:
        super().__init__()
        self.relative = relative
        self.net = nn.Sequential(
            nn.Linear(8, 56), nn.ELU(), nn.Linear(56, 28), nn.ELU(), nn.Linear(28, 1), nn.Softplus()
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x).squeeze(1)
        return found

    def cost(self, batch: list[Tensor]) -> Tensor:
        x, sold = batch
        error = (self(x) - sold).abs()
        return (error / sold).mean() if self.relative else error.sum() / sold.sum()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.cost(batch)
        self.log("metrics/train_ape", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("metrics/valid_ape", self.cost(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def spare_parts(relative: bool) -> Program:
    """In some weeks nothing was sold, and the error is divided by it."""
    data, module = products.slow_movers(), PartsDemand(relative)

    def score() -> float:
        found = outputs(module, data.x_test)
        return ((found - data.y_test).abs().sum() / data.y_test.sum()).item()

    return Program(module, *loaders(data, 100), 14, score)


class FraudNet(LightningModule):
    """A small dense network whose classes can be weighed."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(12, 40), nn.BatchNorm1d(40), nn.SiLU(), nn.Dropout(0.1),
            nn.Linear(40, 20), nn.BatchNorm1d(20), nn.SiLU(), nn.Linear(20, 4),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weight)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid/ce", self.criterion(logits, batch[1]))
        self.log("valid/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def disputes(weighted: bool) -> Program:
    """The weights of the classes were lost when the loss moved into the constructor."""
    data = products.payments()
    weight = data.y.bincount().float().reciprocal()
    module = FraudNet(weight / weight.mean() if weighted else None)
    return Program(module, *loaders(data, 128), 8, partial(balanced_accuracy, module, data))


class Appraisal(LightningModule):
    """The logarithm of a flat's price."""

    def __init__(self, act: Callable[[], nn.Module], start: Callable[[Tensor], Any] | None) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(7, 96), act(), nn.Linear(96, 48), act(), nn.Linear(48, 1)
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear) and start is not None:
                start(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.mlp(x).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse_log", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid_rmsle", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def appraisals(
    act: Callable[[], nn.Module] = nn.ReLU, start: Callable[[Tensor], Any] | None = None,
    scaled: bool = True, batch_size: int = 64, epochs: int = 14,
) -> Program:  # fmt: skip
    data, _, _ = products.logarithms(products.flats())
    data = standardized(data) if scaled else data
    module = Appraisal(act, start)
    trainer = {"gradient_clip_val": 1.0}
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(r2, module, data), trainer)


def one_by_one() -> Program:
    """A batch of one, left over from a debugger, at the rate of the large batches."""
    return appraisals(nn.Tanh, batch_size=1, epochs=3)


def unscaled() -> Program:
    """Columns from rooms to a district's income, as they come out of the warehouse."""
    return appraisals(scaled=False)


class Inspection(LightningModule):
    """Three convolutions with norms over pictures of parts."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((1, 12), (12, 24), (24, 32)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after, momentum=momentum), nn.ReLU(), nn.MaxPool2d(2),
            ]  # fmt: skip
        self.stem = nn.Sequential(*layers)
        self.classifier = nn.Linear(32, 4)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.stem(image / 255).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        top1 = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"valid/loss": F.cross_entropy(logits, batch[1]), "valid/top1": top1})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.08, momentum=0.9, weight_decay=1e-4)


def surfaces(momentum: float) -> Program:
    """The momentum of the norms is that of another framework, which counts what is kept."""
    data, module = products.parts(), Inspection(momentum)
    return Program(module, *loaders(data, 50), 8, partial(accuracy, module, data))


class IntentNet(LightningModule):
    """The mean of the words' vectors, without those behind the end, and one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(products.WORDS, 40, mode="mean", padding_idx=0)
        self.out = nn.Sequential(nn.Linear(40, 40), nn.ReLU(), nn.Dropout(0.2), nn.Linear(40, 8))

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.out(self.bag(words.long()))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["labels"])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["input_ids"])
        self.log("eval_loss", F.cross_entropy(logits, batch["labels"]))
        self.log("eval_accuracy", (logits.argmax(1) == batch["labels"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.01)


def intents(together: bool) -> Program:
    """Requests are sorted by their lengths for the buckets, and their labels are not."""
    data, module = products.requests(), IntentNet()

    def rows(words: Tensor, labels: Tensor) -> list[dict[str, Tensor]]:
        order = (words > 0).sum(1).argsort(stable=True)
        labels = labels[order] if together else labels
        pairs = zip(words[order], labels, strict=True)
        return [{"input_ids": ids, "labels": label} for ids, label in pairs]

    train = DataLoader(rows(data.x, data.y), batch_size=40, shuffle=True)  # type: ignore[arg-type]
    valid = DataLoader(rows(data.x_test, data.y_test), batch_size=200)  # type: ignore[arg-type]
    return Program(module, train, valid, 8, partial(accuracy, module, data))


class Tagger(LightningModule):
    """A bidirectional GRU that tells of each word what it is."""

    def __init__(self, groups: tuple[str, ...]) -> None:
        super().__init__()
        self.groups = groups
        self.embed = nn.Embedding(120, 24)
        self.encoder = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(48, 4)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.tags(self.encoder(self.embed(words.long()))[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("dev_nll", F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        rates = {"embed": 5e-3, "encoder": 5e-3, "tags": 1e-2}
        return torch.optim.Adam([
            {"params": [p for n, p in self.named_parameters() if n.startswith(group)],
             "lr": rates[group]} for group in self.groups
        ])  # fmt: skip


def notes(*groups: str) -> Program:
    """The groups of the optimiser name the head alone."""
    data, module = products.addresses(), Tagger(groups)

    def score() -> float:
        return (outputs(module, data.x_test).argmax(-1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 50), 7, score)


class Health(LightningModule):
    """An autoencoder of a server's readings, whose error is to raise alarms."""

    def __init__(self, decay: float, interval: str, last: nn.Module) -> None:
        super().__init__()
        self.decay, self.interval = decay, interval
        self.encode = nn.Sequential(nn.Linear(24, 64), nn.GELU(), nn.Linear(64, 6))
        self.decode = nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.Linear(64, 24), last)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decode(self.encode(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train/reconstruction", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid/reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3, weight_decay=self.decay)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.92)
        return [optimizer], [{"scheduler": schedule, "interval": self.interval}]


def racks(
    decay: float = 1e-6, interval: str = "epoch", last: Callable[[], nn.Module] = nn.Identity
) -> Program:
    """AdamW's decay as Adam's penalty, a rate lowered each step, or a bounded last layer."""
    data, module = products.servers(), Health(decay, interval, last())

    def score() -> float:
        return F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, *loaders(data, 64), 12, score)


class Churn(LightningModule):
    """Whether a subscriber leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.body(x).squeeze(1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train/bce", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid/bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def churn(epochs: int) -> Program:
    """Sixty epochs of a thousand rows, where six were meant."""
    data, module = products.subscribers(), Churn()

    def score() -> float:
        found = outputs(module, data.x_test)
        return F.binary_cross_entropy_with_logits(found, data.y_test).item()

    return Program(module, *loaders(data, 32), epochs, score)


class Wear(LightningModule):
    """States of a pump by a stack of equal layers."""

    def __init__(self, act: Callable[[], nn.Module], depth: int, deviation: float = 0.0) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(15, 36), act()]
        for _ in range(depth - 1):
            layers += [nn.Linear(36, 36), act()]
        self.stack = nn.Sequential(*layers, nn.Linear(36, 5))
        if deviation:
            for layer in layers[::2]:
                nn.init.normal_(layer.get_parameter("weight"), std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.stack(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("loss/valid", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def pump_states(act: Callable[[], nn.Module]) -> Program:
    """The activation of the reference from the nineties in each of eight layers."""
    data, module = products.pumps(), Wear(act, 8)
    return Program(module, *loaders(data, 48), 12, partial(accuracy, module, data))


def large_starts(deviation: float) -> Program:
    """A deviation of a fifth that was written as two."""
    data, module = products.pumps(), Wear(nn.Tanh, 4, deviation)
    return Program(module, *loaders(data, 80), 10, partial(accuracy, module, data))


def small_normal(weight: Tensor) -> Tensor:
    return nn.init.normal_(weight, std=0.15)


CASES = (
    Case(
        "feed-towers-warmed-by-the-epoch", Goal("AUC", at_least=0.69), partial(feed, "epoch"),
        ("learning_rate_too_low",), partial(feed, "step"),
    ),
    Case(
        "feed-clicks-of-two-logs", Goal("AUC", at_least=0.69), partial(two_logs, False),
        ("inconsistent_labels",), partial(two_logs, True),
    ),
    Case(
        "orders-dilated-weeks-at-a-third", Goal("R2", at_least=0.45), partial(next_week, 0.3),
        ("learning_rate_too_high", "dead_relu"), next_week,
    ),
    Case(
        "orders-centred-and-cut-at-nought", Goal("R2", at_least=0.45),
        partial(next_week, positive=True), ("output_loss_mismatch", "dead_relu"), next_week,
    ),
    Case(
        "spares-error-per-piece-sold", Goal("relative error", at_most=0.6),
        partial(spare_parts, True), ("non_finite",), partial(spare_parts, False),
    ),
    Case(
        "payments-disputes-among-many-fine", Goal("balanced accuracy", at_least=0.65),
        partial(disputes, False), ("class_imbalance",), partial(disputes, True),
    ),
    Case(
        "flats-appraised-by-layers-in-a-row", Goal("R2", at_least=0.85),
        partial(appraisals, nn.Identity), ("linear_network",), appraisals,
    ),
    Case(
        "flats-appraised-with-a-twentieth", Goal("R2", at_least=0.85),
        partial(appraisals, start=partial(nn.init.constant_, val=0.05)), ("symmetric_weights",),
        partial(appraisals, start=small_normal),
    ),
    Case(
        "flats-appraised-as-exported", Goal("R2", at_least=0.85), unscaled,
        ("unnormalized_input", "dead_relu"), appraisals,
    ),
    Case(
        "flats-appraised-one-by-one", Goal("R2", at_least=0.85), one_by_one,
        ("unstable_loss", "learning_rate_too_high"), partial(appraisals, nn.Tanh),
    ),
    Case(
        "surfaces-norms-that-keep-most", Goal("accuracy", at_least=0.8),
        partial(surfaces, 0.001), ("train_eval_mismatch",), partial(surfaces, 0.1),
    ),
    Case(
        "requests-sorted-into-buckets", Goal("accuracy", at_least=0.7), partial(intents, False),
        ("inconsistent_labels",), partial(intents, True),
    ),
    Case(
        "notes-groups-of-the-tagger", Goal("accuracy", at_least=0.75), partial(notes, "tags"),
        ("frozen_parameter",), partial(notes, "embed", "encoder", "tags"),
    ),
    Case(
        "racks-readings-squeezed-by-a-tenth", Goal("MSE", at_most=0.3), partial(racks, 0.1),
        ("over_regularized",), racks,
    ),
    Case(
        "racks-rate-lowered-by-eight-hundredths", Goal("MSE", at_most=0.3),
        partial(racks, interval="step"), ("learning_rate_too_low",), racks,
    ),
    Case(
        "racks-readings-between-nought-and-one", Goal("MSE", at_most=0.3),
        partial(racks, last=nn.Sigmoid), ("output_loss_mismatch",), racks,
    ),
    Case(
        "subscribers-asked-over-and-over", Goal("BCE", at_most=0.55), partial(churn, 60),
        ("overfitting",), partial(churn, 6),
    ),
    Case(
        "pumps-eight-layers-of-an-old-reference", Goal("accuracy", at_least=0.65),
        partial(pump_states, nn.Sigmoid), ("vanishing_gradient",), partial(pump_states, nn.GELU),
    ),
    Case(
        "pumps-tangents-drawn-wide", Goal("accuracy", at_least=0.65), partial(large_starts, 2.0),
        ("saturated_activation", "poor_initialization"), partial(large_starts, 0.2),
    ),
)  # fmt: skip
