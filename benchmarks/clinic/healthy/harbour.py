"""A harbour's models of gestures, bearings, orders and concrete that serve it well."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import harbour
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class GesturePooler(LightningModule):
    """A bidirectional GRU whose states are pooled by attention; batches are dictionaries."""

    def __init__(self, hidden: int = 32, classes: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(2, hidden, batch_first=True, bidirectional=True)
        self.attend = nn.Sequential(nn.Linear(2 * hidden, 16), nn.Tanh(), nn.Linear(16, 1))
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(2 * hidden, classes)

    def forward(self, path: Tensor) -> Tensor:
        states, _ = self.gru(path)
        weights = self.attend(states).softmax(1)
        logits: Tensor = self.classify(self.dropout((weights * states).sum(1)))
        return logits

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> Tensor:
        logits = self(batch["path"])
        loss = F.cross_entropy(logits, batch["gesture"], label_smoothing=0.05)
        right = (logits.argmax(1) == batch["gesture"]).float().mean()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/acc": right}, on_epoch=True)
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def gestures_pooled() -> Program:
    data, module = harbour.gestures(), GesturePooler()
    train = DataLoader(Rows(path=data.x, gesture=data.y), 32, shuffle=True)
    test = DataLoader(Rows(path=data.x_test, gesture=data.y_test), 128)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, test, 15, partial(accuracy, module, data), trainer)


class WearReader(LightningModule):
    """A small encoder with a token of its own that is asked for the hours; warmed up."""

    def __init__(self, width: int = 32, steps: int = 400) -> None:
        super().__init__()
        self.steps = steps
        self.project = nn.Linear(2, width)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(41, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, 0.1, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        tokens = torch.cat([self.token.expand(len(x), -1, -1), self.project(x)], 1)
        out: Tensor = self.head(self.encoder(tokens + self.places)[:, 0])
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, hours = batch
        loss = F.smooth_l1_loss(self(x), hours, beta=0.5)
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, hours = batch
        self.log("val/mae", (self(x) - hours).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, betas=(0.9, 0.98))
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, 50)
        cool = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps - 50)
        schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cool], [50])
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def bearings_asked() -> Program:
    data, module = harbour.bearings(), WearReader()
    both = loaders(data, 32, drop_last=True)
    return Program(module, *both, 15, partial(r2, module, data), {"precision": "bf16-mixed"})


class OrderLSTM(LightningModule):
    """An LSTM by plain descent with momentum: a rate of 0.5, but clipped. No validation."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 24)
        self.lstm = nn.LSTM(24, 48, batch_first=True)
        nn.init.constant_(self.lstm.bias_ih_l0[48:96], 1.0)
        self.out = nn.Linear(48, 2)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.lstm(self.embed(words))
        logits: Tensor = self.out(states.mean(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        words, first = batch
        return F.cross_entropy(self(words), first)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9, nesterov=True)


def orders_descended() -> Program:
    data, module = harbour.orders(), OrderLSTM()
    trainer = {"gradient_clip_val": 0.25}
    return Program(module, loaders(data, 64)[0], None, 12, partial(accuracy, module, data), trainer)


class Block(nn.Module):
    """Norm first, then two layers beside a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class Concrete(LightningModule):
    """Twelve residual blocks; strengths are standardised by the module, from its buffers."""

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 32), *(Block(32) for _ in range(12)), nn.LayerNorm(32), nn.Linear(32, 1)
        )
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("deviation", torch.tensor(deviation))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x).squeeze(-1) * self.deviation + self.mean
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, strength = batch
        out = self.net(x).squeeze(-1)
        loss = F.mse_loss(out, (strength - self.mean) / self.deviation)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, strength = batch
        self.log("val_rmse_in_megapascals", F.mse_loss(self(x), strength).sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def concrete_in_blocks() -> Program:
    data = harbour.concrete()
    module = Concrete(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


CASES = (
    Case("gestures-pooled-by-attention", Goal("accuracy", at_least=0.95), gestures_pooled),
    Case("bearings-hours-asked-of-a-token", Goal("R2", at_least=0.85), bearings_asked),
    Case("orders-lstm-clipped-rate-of-one-half", Goal("accuracy", at_least=0.95), orders_descended),
    Case("concrete-twelve-blocks-beside-skips", Goal("R2", at_least=0.9), concrete_in_blocks),
)
