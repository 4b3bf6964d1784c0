"""More starter notebooks, each with what the comments below it say."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import starter
from data_sets.samples import diabetes, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn

Batch = list[Tensor]


class CellSegmenter(LightningModule):
    """Where are the cells? An encoder and a decoder, probabilities at the end."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.enc1, self.enc2 = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 24, 3, padding=1)
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.dec, self.last_conv = nn.Conv2d(24, 12, 3, padding=1), nn.Conv2d(12, 1, 1)
        self.last = last

    def forward(self, image: Tensor) -> Tensor:
        a = F.relu(self.enc1(image))
        b = F.relu(self.enc2(F.max_pool2d(a, 2)))
        c = F.relu(self.dec(torch.cat([a, self.up(b)], dim=1)))
        return self.last(self.last_conv(c))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, mask = batch
        loss = F.binary_cross_entropy(self(image), mask)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, mask = batch
        found = self(image)
        self.log("val_loss", F.binary_cross_entropy(found, mask))
        self.log("val_dice", dice(found, mask))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dice(found: Tensor, mask: Tensor) -> Tensor:
    both = (found > 0.5).float()
    return 2 * (both * mask).sum() / (both.sum() + mask.sum()).clamp(min=1)


def segmenter(softmax: bool) -> Program:
    data = starter.cells()
    module = CellSegmenter(nn.Softmax(dim=1) if softmax else nn.Sigmoid())

    def score() -> float:
        return dice(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 16), 8, score)


class ClipNet(LightningModule):
    """Convolutions over the sound, the largest of each channel, a head for the task at hand."""

    def __init__(self, detach: bool = False, kinds: int = 6) -> None:
        super().__init__()
        self.detach = detach
        self.backbone = nn.Sequential(
            nn.Conv1d(1, 16, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(32, kinds)

    def forward(self, sound: Tensor) -> Tensor:
        features = self.backbone(sound)
        return self.head(features.detach() if self.detach else features)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        sound, kind = batch
        logits = self(sound)
        loss = F.cross_entropy(logits, kind)
        self.log_dict({"clip/loss": loss, "clip/acc": (logits.argmax(1) == kind).float().mean()})
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        sound, kind = batch
        self.log("clip/val_loss", F.cross_entropy(self(sound), kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def clip_net(detach: bool) -> Program:
    data = starter.clips()
    module = ClipNet(detach)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


def listed_clips(sorted_alike: bool) -> Program:
    """The sounds come as the folder lists them, the kinds as they stand in the table."""
    data = starter.clips()
    if not sorted_alike:
        listing = torch.randperm(len(data.x), generator=starter.dice(1))
        data = data._replace(x=data.x[listing])
    module = ClipNet()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class FraudDetector(LightningModule):
    """Two classes, few rows of the second."""

    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.ReLU(),
            nn.Linear(16, 2),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weight=weights)

    def forward(self, row: Tensor) -> Tensor:
        return self.mlp(row)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        row, fraud = batch
        logits = self(row)
        loss = self.criterion(logits, fraud)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == fraud).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        row, fraud = batch
        logits = self(row)
        self.log("val_loss", self.criterion(logits, fraud))
        self.log("val_acc", (logits.argmax(1) == fraud).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def fraud_detector(weighted: bool) -> Program:
    data = starter.fraud()
    share = data.y.float().mean()
    weights = torch.stack([0.5 / (1 - share), 0.5 / share]) if weighted else None
    module = FraudDetector(weights)
    return Program(module, *loaders(data, 64), 10, partial(balanced_accuracy, module, data))


class Progression(LightningModule):
    """How diabetes goes on, by ten columns."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.net = nn.Sequential(
            nn.Linear(10, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def progression(width: int, dropout: float, decay: float, epochs: int) -> Program:
    data = scaled_targets(standardized(diabetes()))
    module = Progression(width, dropout, decay)
    return Program(module, *loaders(data, 16), epochs, partial(r2, module, data))


class DemandGRU(LightningModule):
    """The next day's sales after four weeks."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.out = nn.Linear(32, 1)

    def forward(self, sales: Tensor) -> Tensor:
        states, _ = self.gru(sales)
        return self.out(states[:, -1])[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        sales, ahead = batch
        loss = F.smooth_l1_loss(self(sales), ahead)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        sales, ahead = batch
        self.log("val_mae", F.l1_loss(self(sales), ahead))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=self.decay)


def demand_gru(decay: float) -> Program:
    data = starter.demand()
    module = DemandGRU(decay)
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


def block(inputs: int, outputs: int, momentum: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs, momentum=momentum), nn.ReLU(), nn.MaxPool2d(2),
    )  # fmt: skip


class NormedLeaves(LightningModule):
    """Convolutions with batch norm, its momentum from another framework's tutorial."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            block(3, 16, momentum), block(16, 32, momentum), block(32, 48, momentum)
        )
        self.fc = nn.Linear(48 * 4, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.cnn(image).flatten(1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        image, kind = batch
        loss = F.cross_entropy(self(image), kind)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        image, kind = batch
        self.log("vloss", F.cross_entropy(self(image), kind))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6)
        return {"optimizer": optimizer, "lr_scheduler": cosine}


def normed_leaves(momentum: float) -> Program:
    """Grey levels up to 255 or so; the first batch norm is to see to them."""
    data = starter.leaves()
    data = data.with_inputs(128 + 50 * data.x, 128 + 50 * data.x_test)
    module = NormedLeaves(momentum)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class Baseline(LightningModule):
    """The first network for a table: dense layers, norms, dropout."""

    def __init__(self, activation: type[nn.Module], features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in ((features, 64), (64, 64), (64, 32)):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("rmse", loss.sqrt(), prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        self.log("val_rmse", F.mse_loss(self(x), y).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def baseline(activation: type[nn.Module]) -> Program:
    data = scaled_targets(standardized(starter.rentals()))
    module = Baseline(activation, data.x.shape[1])
    return Program(module, *loaders(data, 64), 15, partial(r2, module, data))


CASES = (
    Case(
        "starter-cells-one-channel-softmax", Goal("Dice", at_least=0.8), partial(segmenter, True),
        ("output_loss_mismatch", "not_learning"), partial(segmenter, False),
    ),
    Case(
        "starter-clips-left-detached", Goal("accuracy", at_least=0.85), partial(clip_net, True),
        ("frozen_parameter",), partial(clip_net, False),
    ),
    Case(
        "starter-clips-listed-otherwise", Goal("accuracy", at_least=0.85),
        partial(listed_clips, False),
        ("inconsistent_labels", "not_learning", "overfitting"), partial(listed_clips, True),
    ),
    Case(
        "starter-few-frauds", Goal("balanced accuracy", at_least=0.75),
        partial(fraud_detector, False), ("class_imbalance",), partial(fraud_detector, True),
    ),
    Case(
        "starter-diabetes-wide-network", Goal("R2", at_least=0.5),
        partial(progression, 256, 0.0, 0.0, 25), ("overfitting",),
        partial(progression, 32, 0.2, 0.1, 12),
    ),
    Case(
        "starter-demand-decay", Goal("R2", at_least=0.85), partial(demand_gru, 0.1),
        ("over_regularized", "not_learning"), partial(demand_gru, 0.0),
    ),
    Case(
        "starter-leaves-norm-momentum", Goal("accuracy", at_least=0.85),
        partial(normed_leaves, 0.001), ("train_eval_mismatch",), partial(normed_leaves, 0.1),
    ),
    Case(
        "starter-rentals-baseline-table", Goal("R2", at_least=0.75),
        partial(baseline, nn.Identity), ("linear_network",), partial(baseline, nn.SiLU),
    ),
)  # fmt: skip
