"""Programs as they were answered, with gaps in their inputs or several inputs."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import digit_images, digits
from lightning.pytorch import LightningModule
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Imputed(LightningModule):
    """Two thirds of each row are told, the rest is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(128, 128), nn.LayerNorm(128), nn.GELU(), nn.Linear(128, 128), nn.GELU(),
            nn.Linear(128, 64), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, both: Tensor) -> Tensor:
        found: Tensor = self.net(both)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        known = (torch.rand_like(x) < 2 / 3).float()
        found = self(torch.cat([x * known, known], 1))
        loss = ((found - x).square() * (1 - known)).sum() / (1 - known).sum()
        self.log("asked_mse", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def imputed() -> Program:
    data = digits()
    module = Imputed()
    train = DataLoader(TensorDataset(data.x), 32, shuffle=True)

    def score() -> float:
        x = data.x_test
        known = (torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 2 / 3).float()
        found = outputs(module, torch.cat([x * known, known], 1))
        error = ((found - x).square() * (1 - known)).sum() / (1 - known).sum()
        return (1 - error / (x - data.x.mean(0)).square().mean()).item()

    return Program(module, train, None, 25, score)


class Both(LightningModule):
    """A picture of a number, and columns about it; two bodies and one head."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.table = nn.Sequential(nn.Linear(3, 16), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(528, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        picture, columns = inputs
        both = torch.cat([self.cnn(picture), self.table(columns)], 1)
        found: Tensor = self.head(both)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        picture, columns, price = batch
        loss = F.l1_loss(self((picture, columns)), price)
        self.log("mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        picture, columns, price = batch
        self.log("val_mae", F.l1_loss(self((picture, columns)), price))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 14, 0.3)]


def both() -> Program:
    data = digit_images()
    generator = torch.Generator().manual_seed(7)
    columns = torch.randn(len(data.y) + len(data.y_test), 3, generator=generator)
    noise = 0.1 * torch.randn(len(columns), generator=generator)
    value = (torch.cat([data.y, data.y_test]) - 4.5) / 2.9
    price = value + 0.7 * columns[:, 0] - 0.4 * columns[:, 1].abs() + noise
    cut = len(data.y)
    train = TensorDataset(data.x, columns[:cut], price[:cut])
    test = TensorDataset(data.x_test, columns[cut:], price[cut:])
    module = Both()

    def score() -> float:
        found = outputs(module, (data.x_test, columns[cut:]))  # type: ignore[arg-type]
        return (1 - F.mse_loss(found, price[cut:]) / price[cut:].var()).item()

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 270), 20, score)


CASES = (
    Case("answer-digits-imputed", Goal("R2", at_least=0.5), imputed),
    Case("answer-picture-beside-columns", Goal("R2", at_least=0.9), both),
)  # fmt: skip
