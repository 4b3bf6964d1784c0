"""What goes right in competitions, with tables."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import competitions, surveys
from data_sets.samples import Samples, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import classification, regression
from scores import balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Tabular(LightningModule):
    """Embeddings of categories beside normalised numbers."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(n, (n + 1) // 2) for n in competitions.SIZES)
        self.norm = nn.BatchNorm1d(numbers)
        self.layers = mlp([numbers + 5, 32, 16, 1], norm=nn.BatchNorm1d, dropout=0.1)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        numbers, categories = inputs
        columns = categories.unbind(1)
        known = [table(c) for table, c in zip(self.embeddings, columns, strict=True)]
        out: Tensor = self.layers(torch.cat([self.norm(numbers), *known], 1))
        return out[:, 0]

    def step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logit, target = self((batch["num"], batch["cat"])), batch["survived"].float()
        loss = F.binary_cross_entropy_with_logits(logit, target)
        self.log(f"{stage}_loss", loss, batch_size=len(target))
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12),
        }


def tabular() -> Program:
    """Passengers as a library for tables has them: gaps filled, and a column that says so."""
    found = competitions.passengers()
    gaps = found.numbers.isnan()
    median = found.numbers[: competitions.TRAIN].nanmedian(0).values
    numbers = torch.where(gaps, median, found.numbers)
    numbers = torch.cat([numbers[:, :1], numbers[:, 1:].log1p(), gaps[:, :1].float()], 1)
    rows: list[Any] = [
        {"num": n, "cat": c, "survived": y}
        for n, c, y in zip(numbers, found.categories, found.survived, strict=True)
    ]
    module = Tabular(numbers.shape[1])
    cut = competitions.TRAIN
    train = DataLoader(rows[:cut], 32, shuffle=True, drop_last=True)
    unseen: Any = (numbers[cut:], found.categories[cut:])

    def score() -> float:
        return ((outputs(module, unseen) > 0) == found.survived[cut:].bool()).float().mean().item()

    return Program(module, train, DataLoader(rows[cut:], 250), 12, score)


class Rentals(LightningModule):
    """Counts by their logarithms; stepped by hand, once in two batches."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = mlp([8, 64, 64, 1], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        logarithm: Tensor = self.net(x)[:, 0]
        return logarithm

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.mse_loss(self(batch[0]), batch[1].log1p())
        self.manual_backward(loss / 2)
        if batch_idx % 2:
            self.clip_gradients(optimizer, gradient_clip_val=1.0)
            optimizer.step()
            optimizer.zero_grad()
        self.log("rmsle", loss.sqrt())

    def on_train_epoch_end(self) -> None:
        schedule: Any = self.lr_schedulers()
        schedule.step()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1].log1p()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def rentals() -> Program:
    data = standardized(competitions.bikes())
    module = Rentals()
    logarithms = data._replace(y_test=data.y_test.log1p())
    return Program(module, *loaders(data, 16), 20, partial(r2, module, logarithms))


def failures() -> Program:
    """A sampler shows as many machines that failed as others."""
    data = standardized(competitions.machines())
    weight = 1 / torch.bincount(data.y)[data.y].float()
    program = classification(
        data, mlp([5, 32, 16, 2]), adam(2e-3), epochs=8, score=balanced_accuracy
    )
    sampler = WeightedRandomSampler(weight.tolist(), 2400)
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=64, sampler=sampler)
    return Program(program.module, train, program.validation, 8, program.score)


class FeatureTokens(nn.Module):
    """Each column becomes a token, and attention mixes them."""

    def __init__(self, columns: int, width: int = 24) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(columns, width) / width**0.5)
        self.bias = nn.Parameter(torch.randn(columns, width) / width**0.5)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        block = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.05, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[:, :, None] * self.weight + self.bias
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
        found: Tensor = self.head(self.blocks(tokens)[:, 0])
        return found


def feature_tokens() -> Program:
    data = scaled_targets(standardized(surveys.houses()))
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=1e-5)
    return regression(data, FeatureTokens(8), optimizer, batch_size=64, epochs=15)


class Sales(nn.Module):
    """An embedding for each shop and each weekday; the sales are an exponential."""

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.day = nn.Embedding(40, 8), nn.Embedding(7, 3)
        self.net = mlp([13, 64, 32, 1])

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.shop(x[:, 0]), self.day(x[:, 1]), x[:, 2:].float()], 1)
        return torch.exp(self.net(x) + 8.5)


def relative_error(prediction: Tensor, sales: Tensor) -> Tensor:
    """The measure of the competition, which leaves out days without sales."""
    prediction, sales = prediction[sales > 0], sales[sales > 0]
    return ((sales - prediction) / sales).square().mean().sqrt()


def sales() -> Program:
    found = competitions.shops()
    data = split(found.x, found.sales)
    data = data.with_inputs(data.x.long(), data.x_test.long())

    def score(module: LightningModule, data: Samples) -> float:
        return relative_error(outputs(module, data.x_test), data.y_test).item()

    return regression(
        data, Sales(), adam(2e-3), batch_size=64, loss=relative_error, epochs=20, score=score
    )


CASES = (
    Case("passengers-embedded-categories", Goal("accuracy", at_least=0.77), tabular),
    Case("bikes-logarithms-of-counts", Goal("R2", at_least=0.85), rentals),
    Case("machines-failed-shown-as-often", Goal("balanced accuracy", at_least=0.9), failures),
    Case("houses-columns-as-tokens", Goal("R2", at_least=0.82), feature_tokens),
    Case("sales-relative-error-when-open", Goal("RMSPE", at_most=0.13), sales),
)
