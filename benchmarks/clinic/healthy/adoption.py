"""A company's trial of a tool: trainings of its own that look odd somewhere and do well."""

from functools import cache, partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import adoption
from data_sets.samples import (
    Samples,
    digit_images,
    digits,
    friedman,
    loaders,
    scaled_targets,
    standardized,
)
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class OneCycle(LightningModule):
    """Convolutions with batch norms, driven over one bold cycle."""

    def __init__(self, peak: float, steps: int) -> None:
        super().__init__()
        self.peak, self.steps = peak, steps
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(48 * 16, 10)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.head(self.features(image).flatten(1))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        self.log("val_loss", F.cross_entropy(self(image), digit))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.peak, self.steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def one_cycle() -> Program:
    data = digit_images()
    train, test = loaders(data, 40)
    module = OneCycle(0.4, 10 * len(train))
    return Program(module, train, test, 10, partial(accuracy, module, data))


class WideRelus(LightningModule):
    """Many more units than are needed; some of them fall asleep and nobody minds."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.wider = nn.Linear(64, 512), nn.Linear(512, 256)
        self.answer = nn.Linear(256, 10)
        nn.init.kaiming_normal_(self.wide.weight)
        nn.init.kaiming_normal_(self.wider.weight)

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.answer(F.relu(self.wider(F.relu(self.wide(pixels)))))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("objective", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("objective_val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75)]


def wide_relus() -> Program:
    data = digits()
    module = WideRelus()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Stopped(LightningModule):
    """Few pictures, all known by heart after a while; stopped where validation is best."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))

    def forward(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.net(pixels)
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        pixels, digit = batch
        loss = F.cross_entropy(self(pixels), digit)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        pixels, digit = batch
        logits = self(pixels)
        self.log("val/loss", F.cross_entropy(logits, digit))
        self.log("val/acc", (logits.argmax(1) == digit).float().mean())

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val/loss", patience=3)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def stopped() -> Program:
    data = digits().first(400)
    module = Stopped()
    return Program(module, *loaders(data, 16), 25, partial(accuracy, module, data))


def backbone() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip


@cache
def trained_elsewhere() -> dict[str, Tensor]:
    """Weights of a backbone that has seen the digits from 5 to 9."""
    data = digit_images()
    keep = data.y > 4
    x, y = data.x[keep], data.y[keep] - 5
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body, head = backbone(), nn.Linear(32 * 16, 5)
        optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
        for _ in range(5):
            for rows in torch.randperm(len(y)).split(32):
                optimizer.zero_grad()
                F.cross_entropy(head(body(x[rows])), y[rows]).backward()
                optimizer.step()
    return {name: value.detach().clone() for name, value in body.state_dict().items()}


class FrozenBackbone(LightningModule):
    """A backbone from elsewhere that is kept as it is, and a new head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = backbone()
        self.backbone.load_state_dict(trained_elsewhere())
        self.backbone.requires_grad_(False)
        self.head = nn.Linear(32 * 16, 5)

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.head(self.backbone(image))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, digit = batch
        loss = F.cross_entropy(self(image), digit)
        self.log("head_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, digit = batch
        self.log("head_val_loss", F.cross_entropy(self(image), digit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=1e-3)


def frozen_backbone() -> Program:
    data = digit_images()
    keep, keep_test = data.y < 5, data.y_test < 5
    data = Samples(data.x[keep], data.y[keep], data.x_test[keep_test], data.y_test[keep_test])
    module = FrozenBackbone()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Leavers(LightningModule):
    """One contract of twenty is given notice: each of these weighs as much as nineteen."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(14, 64), nn.SiLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.SiLU(),
            nn.Linear(32, 1),
        )  # fmt: skip
        self.register_buffer("weight", torch.tensor(19.0))

    def forward(self, contract: Tensor) -> Tensor:
        logit: Tensor = self.mlp(contract)
        return logit.squeeze(-1)

    def loss(self, batch: Batch) -> Tensor:
        contract, left = batch
        logit = self(contract)
        return F.binary_cross_entropy_with_logits(logit, left.float(), pos_weight=self.weight)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("weighted_bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_weighted_bce", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.01)


def leavers() -> Program:
    data = adoption.leavers()
    module = Leavers()
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, 64), 15, score)


class ZeroBlock(nn.Module):
    """A residual branch that begins with nothing: the scale is zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.scale * self.inner(x)
        return out


class DeepTable(LightningModule):
    """Twelve such blocks over a table."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 40), nn.GELU(), *[ZeroBlock(40) for _ in range(12)], nn.Linear(40, 1)
        )

    def forward(self, row: Tensor) -> Tensor:
        found: Tensor = self.net(row)
        return found.squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        row, target = batch
        loss = F.mse_loss(self(row), target)
        self.log("mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("mse/val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def deep_table() -> Program:
    data = scaled_targets(standardized(friedman()))
    module = DeepTable()
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class LongMemory(LightningModule):
    """The gates of this LSTM are opened wide at first, so that it remembers the first reading."""

    def __init__(self, size: int = 24) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, size, batch_first=True)
        with torch.no_grad():
            self.lstm.bias_ih_l0[size : 2 * size] = 5.0
        self.order = nn.Linear(size, 2)

    def forward(self, readings: Tensor) -> Tensor:
        states, _ = self.lstm(readings)
        found: Tensor = self.order(states[:, -1])
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        readings, order = batch
        loss = F.cross_entropy(self(readings), order)
        self.log("order_ce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        readings, order = batch
        self.log("order_ce_val", F.cross_entropy(self(readings), order))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def long_memory() -> Program:
    data = adoption.late()
    module = LongMemory()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Ticket(NamedTuple):
    """Words and their topics."""

    words: Tensor
    topic: Tensor


class MaskedTickets(LightningModule):
    """Attention by hand: what is padding weighs exp of minus infinity."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.embed = nn.Embedding(90, width, padding_idx=0)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.topic = nn.Linear(width, 5)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embed(words)
        fit = self.query(x) @ self.key(x).transpose(1, 2) / x.shape[-1] ** 0.5
        fit = fit.masked_fill((words == 0)[:, None], float("-inf"))
        x = self.norm(x + fit.softmax(-1) @ self.value(x))
        x = x.masked_fill((words == 0)[..., None], float("-inf")).amax(1)
        found: Tensor = self.topic(x)
        return found

    def training_step(self, batch: Ticket, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.words), batch.topic)
        self.log("ticket_loss", loss, batch_size=len(batch.topic))
        return loss

    def validation_step(self, batch: Ticket, batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch.words), batch.topic)
        self.log("ticket_loss_val", loss, batch_size=len(batch.topic))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def collated(rows: list[Batch]) -> Ticket:
    return Ticket(*(torch.stack(column) for column in zip(*rows, strict=True)))


def masked_tickets() -> Program:
    data = adoption.tickets()
    module = MaskedTickets()
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    return Program(
        module,
        DataLoader(train, 32, shuffle=True, collate_fn=collated),
        DataLoader(test, 200, collate_fn=collated),
        10,
        partial(accuracy, module, data),
    )


class NoisySegments(LightningModule):
    """Four customers a step, some of them entered wrongly: the loss jumps, the score does not."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(12, 64), nn.Linear(64, 4)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.two(self.drop(F.elu(self.one(x))))
        return found

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=0.05)
        self.log("smoothed", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("plain_val", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.5)
        restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3)
        return {"optimizer": optimizer, "lr_scheduler": restarts}


def noisy_segments() -> Program:
    data = adoption.segments()
    module = NoisySegments()
    return Program(module, *loaders(data, 4), 9, partial(accuracy, module, data))


CASES = (
    Case("acceptance-digits-one-bold-cycle", Goal("accuracy", at_least=0.96), one_cycle),
    Case("acceptance-digits-wide-and-sleepy", Goal("accuracy", at_least=0.95), wide_relus),
    Case("acceptance-few-digits-stopped", Goal("accuracy", at_least=0.9), stopped),
    Case("acceptance-digits-frozen-backbone", Goal("accuracy", at_least=0.94), frozen_backbone),
    Case("acceptance-leavers-of-five-percent", Goal("balanced", at_least=0.85), leavers),
    Case("acceptance-table-blocks-of-zero", Goal("R2", at_least=0.9), deep_table),
    Case("acceptance-orders-open-gates", Goal("accuracy", at_least=0.95), long_memory),
    Case("acceptance-tickets-minus-infinity", Goal("accuracy", at_least=0.8), masked_tickets),
    Case("acceptance-segments-four-a-step", Goal("accuracy", at_least=0.82), noisy_segments),
)
