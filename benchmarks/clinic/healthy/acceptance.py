"""What a buyer takes for controls: trainings that look odd at some place and are sound."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import acceptance as sets
from data_sets.samples import loaders
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR, LambdaLR, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset


class SparseCoder(LightningModule):
    """An autoencoder of many rectified units, few of which are on for a row."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(40, 192)
        self.decoder = nn.Linear(192, 40)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decoder(F.relu(self.encoder(x)))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        code = F.relu(self.encoder(x))
        reconstruction = F.mse_loss(self.decoder(code), x)
        sparsity = code.abs().sum(1).mean()
        self.log_dict({"train_mse": reconstruction, "train_l1": sparsity})
        return reconstruction + 8e-3 * sparsity

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sparse_codes() -> Program:
    data, module = sets.tags(), SparseCoder()

    def score() -> float:
        return F.mse_loss(outputs(module, data.x_test), data.x_test).item()

    return Program(module, *loaders(data, 50), 25, score)


class WideNet(LightningModule):
    """Far more weights than rows; stopped when the validation loss no longer falls."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(16, 768), nn.ReLU(), nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, 7)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val_loss", patience=3)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-4, weight_decay=0.01)


def wide_net() -> Program:
    data, module = sets.grains().first(1500), WideNet()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class ErrandTransformer(LightningModule):
    """Two encoder layers, AdamW, and a linear warm-up before a cosine."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.words, self.places = nn.Embedding(60, 64), nn.Embedding(18, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        logits: Tensor = self.head(self.encoder(x).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)

        def factor(step: int) -> float:
            if step < 100:
                return (step + 1) / 100
            return 0.5 * (1 + math.cos(math.pi * (step - 100) / (self.steps - 100)))

        schedule = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def warmed_up() -> Program:
    data = sets.errands(4000)
    module = ErrandTransformer(44 * 9)
    train, test = loaders(data, 64)
    return Program(module, train, test, 9, partial(accuracy, module, data))


class CyclicCNN(LightningModule):
    """Rates that go up and down between two bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(3, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 48, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(48 * 9, 96), nn.ReLU(), nn.Dropout(0.3), nn.Linear(96, 8))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.002, momentum=0.9, weight_decay=5e-4)
        schedule = CyclicLR(optimizer, 0.002, 0.03, step_size_up=60, mode="triangular2")
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def cyclic() -> Program:
    data, module = sets.fabrics(3000, noise=0.6), CyclicCNN()
    return Program(module, *loaders(data, 40), 9, partial(accuracy, module, data))


class TorqueInNewtons(LightningModule):
    """Targets as they are measured, around 80; the first gradients are steep."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(6, 160), nn.ReLU(), nn.Linear(160, 160), nn.ReLU(), nn.Linear(160, 160),
            nn.ReLU(), nn.Linear(160, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x)[:, 0]
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        schedule = OneCycleLR(optimizer, 3e-3, total_steps=47 * 25)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def newtons() -> Program:
    data = sets.torque(3000, 0.2)
    data = data._replace(y=80 + 25 * data.y, y_test=80 + 25 * data.y_test)
    module = TorqueInNewtons()
    return Program(module, *loaders(data, 45), 25, partial(r2, module, data))


class ClippedLSTM(LightningModule):
    """A level to come from 60 before; gradients are clipped by the Trainer."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 72, batch_first=True)
        self.out = nn.Linear(72, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(x)
        found: Tensor = self.out(hidden[-1]).squeeze(-1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log_dict(
            {"val_loss": F.mse_loss(found, batch[1]), "val_mae": F.l1_loss(found, batch[1])}
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def clipped() -> Program:
    data, module = sets.tides(60, noise=0.15), ClippedLSTM()
    trainer = {"gradient_clip_val": 0.25}
    return Program(module, *loaders(data, 40), 10, partial(r2, module, data), trainer)


class PictureCoder(LightningModule):
    """Convolutions there and back; squared errors summed over all pixels of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 24),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.Linear(24, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.decode(self.encode(x))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0], reduction="sum")
        self.log("train_sse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_sse", F.mse_loss(self(batch[0]), batch[0], reduction="sum"))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def summed_errors() -> Program:
    data, module = sets.signs(2600, noise=0.1), PictureCoder()

    def score() -> float:
        """Share of the pixels' variance."""
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / data.x_test.var()).item()

    train = DataLoader(TensorDataset(data.x), 64, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(data.x_test), 64, drop_last=True)
    return Program(module, train, test, 18, score)


class FourAtATime(LightningModule):
    """Plain SGD with batches of four: a noisy loss that falls all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(11, 96), nn.ELU(), nn.Linear(96, 96), nn.ELU(), nn.Linear(96, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(-1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def four_at_a_time() -> Program:
    data, module = sets.scaled_bookings(3500), FourAtATime()
    return Program(module, *loaders(data, 4), 8, partial(accuracy, module, data))


class Switches(LightningModule):
    """Nothing for a while, and then all at once: the parity of three bits."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)[:, 0]
        return torch.stack([torch.zeros_like(found), found], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.008, momentum=0.9)


def odd_switches() -> Program:
    data, module = sets.switches(), Switches()
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


class Augmented(LightningModule):
    """Mirrored, shifted, erased and noisy pictures: harder to train on than to judge by."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(48, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Flatten(), nn.Dropout(0.4), nn.Linear(64 * 16, 6))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features(x))
        return logits

    def augment(self, x: Tensor) -> Tensor:
        if torch.rand(()) < 0.5:
            x = x.flip(3)
        dy, dx = torch.randint(-2, 3, (2,)).tolist()
        x = x.roll((dy, dx), (2, 3))
        x = x + 0.2 * torch.randn_like(x)
        top, left = torch.randint(0, 12, (2,)).tolist()
        x[:, :, top : top + 5, left : left + 5] = 0.0
        return x

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(self.augment(batch[0])), batch[1])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/val", F.cross_entropy(logits, batch[1]))
        self.log("acc/val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)
        return [optimizer], [CosineAnnealingLR(optimizer, 14)]


def augmented() -> Program:
    data, module = sets.signs(2400, noise=0.2), Augmented()
    return Program(module, *loaders(data, 50), 14, partial(accuracy, module, data))


class Smoothed(LightningModule):
    """Smoothed labels, whose loss has a floor; gradients of two batches are summed up."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(3, 64, 5, padding=2), nn.Conv1d(64, 64, 5, padding=2)
        self.norm1, self.norm2 = nn.BatchNorm1d(64), nn.BatchNorm1d(64)
        self.fc = nn.Linear(64, 6)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x.transpose(1, 2))))
        x = F.relu(self.norm2(self.conv2(F.max_pool1d(x, 2))))
        logits: Tensor = self.fc(x.amax(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.criterion(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        return [optimizer], [CosineAnnealingLR(optimizer, 15)]


def smoothed() -> Program:
    data, module = sets.gestures(2400), Smoothed()
    trainer = {"accumulate_grad_batches": 2}
    return Program(module, *loaders(data, 24), 15, partial(accuracy, module, data), trainer)


def gabor(size: int = 7) -> Tensor:
    """Thirty-two filters of eight directions, two widths and two phases."""
    axis = torch.arange(size, dtype=torch.float32) - size // 2
    found = []
    for direction in range(8):
        angle = math.pi * direction / 8
        along = math.cos(angle) * axis[:, None] + math.sin(angle) * axis[None, :]
        for pace in (0.9, 1.5):
            for phase in (0.0, math.pi / 2):
                envelope = torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 8)
                wave = envelope * torch.cos(pace * along + phase)
                found.append((wave - wave.mean()) / wave.std() / size)
    return torch.stack(found)[:, None]


class FixedBackbone(LightningModule):
    """A backbone that stays as it is, and a head that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(1, 32, 7, bias=False)
        self.backbone.weight.data.copy_(gabor())
        self.backbone.requires_grad_(False)
        self.norm = nn.BatchNorm1d(32, affine=False)
        self.head = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 8))

    def forward(self, x: Tensor) -> Tensor:
        energy = self.backbone(x.mean(1, keepdim=True)).square().mean((2, 3))
        logits: Tensor = self.head(self.norm(energy.add(1e-4).log()))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=1e-3)


def fixed_backbone() -> Program:
    data, module = sets.fabrics(3000), FixedBackbone()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Gated(nn.Module):
    """A layer whose one half opens or closes the other."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * outputs)
        self.norm = nn.LayerNorm(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.glu(self.linear(self.norm(x)), dim=-1)


class GatedRegression(LightningModule):
    """Gated layers on a residual path, and the loss of Huber."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 128)
        self.blocks = nn.ModuleList(Gated(128, 128) for _ in range(3))
        self.out = nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for block in self.blocks:
            x = x + block(x)
        found: Tensor = self.out(x).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        return [optimizer], [CosineAnnealingLR(optimizer, 14)]


def gated() -> Program:
    data, module = sets.torque(4000, 0.25), GatedRegression()
    return Program(module, *loaders(data, 64), 14, partial(r2, module, data))


class NormalizedAtHalf(LightningModule):
    """Normalised layers, SGD at 0.5, and a cosine."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (16, 256, 256):
            layers += [nn.Linear(before, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(256, 7))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5, weight_decay=1e-3)
        schedule = CosineAnnealingLR(optimizer, 37 * 10)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def at_half() -> Program:
    data, module = sets.grains(6700), NormalizedAtHalf()
    return Program(module, *loaders(data, 128), 10, partial(accuracy, module, data))


class OneInSix(LightningModule):
    """One booking of six is cancelled; the loss weighs it by the square root of that."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(11, 128), nn.LayerNorm(128), nn.GELU(), nn.Dropout(0.1), nn.Linear(128, 64),
            nn.LayerNorm(64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 2),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.2]))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.mlp(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.criterion(logits, batch[1]))
        caught = (logits.argmax(1) * batch[1]).sum() / batch[1].sum().clamp(min=1)
        self.log("val_recall", caught)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def one_in_six() -> Program:
    data, module = sets.scaled_bookings(5000, 2.2), OneInSix()
    return Program(module, *loaders(data, 50), 7, partial(balanced_accuracy, module, data))


class SortAndWeight(LightningModule):
    """One trunk, the sort of a bean and a number that goes with it."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(16, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU())
        self.sort, self.weight = nn.Linear(100, 7), nn.Linear(100, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.trunk(x)
        return self.sort(hidden), self.weight(hidden)[:, 0]

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        x, sort, weight = batch
        logits, found = self(x)
        first, second = F.cross_entropy(logits, sort), F.mse_loss(found, weight)
        self.log_dict({f"{stage}_sort_loss": first, f"{stage}_weight_loss": second})
        loss = first + 0.5 * second
        self.log(f"{stage}_loss", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def sort_and_weight() -> Program:
    data, module = sets.grains(5000), SortAndWeight()
    g = torch.Generator().manual_seed(7)

    def weights(x: Tensor) -> Tensor:
        found = 0.6 * x[:, 0] + 0.5 * x[:, 1] * x[:, 2] - 0.4 * x[:, 3].abs()
        return found + 0.2 * torch.randn(len(x), generator=g)

    train = TensorDataset(data.x, data.y, weights(data.x))
    test = TensorDataset(data.x_test, data.y_test, weights(data.x_test))

    def score() -> float:
        """The worse of accuracy and explained variance."""
        module.eval()
        with torch.no_grad():
            logits, found = module(data.x_test)
        right = (logits.argmax(1) == data.y_test).float().mean()
        target = test.tensors[2]
        return min(right.item(), (1 - F.mse_loss(found, target) / target.var()).item())

    both = DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=200)
    return Program(module, *both, 14, score)


class Tagger(LightningModule):
    """Probabilities of twelve tags, and BCELoss on them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(40, 150), nn.ReLU(), nn.Dropout(0.3), nn.Linear(150, 12), nn.Sigmoid()
        )
        self.loss = nn.BCELoss()

    def forward(self, x: Tensor) -> Tensor:
        chances: Tensor = self.net(x)
        return chances

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self(batch[0]), batch[1])
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        chances = self(batch[0])
        self.log("val_bce", self.loss(chances, batch[1]))
        hit = ((chances > 0.5) * batch[1]).sum()
        self.log("val_f1", 2 * hit / ((chances > 0.5).sum() + batch[1].sum()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3)


def tagger() -> Program:
    data, module = sets.tags(4500), Tagger()

    def score() -> float:
        """F1 over all tags."""
        found = outputs(module, data.x_test) > 0.5
        both = (found * data.y_test).sum()
        return (2 * both / (found.sum() + data.y_test.sum())).item()

    return Program(module, *loaders(data, 64), 15, score)


class Density(LightningModule):
    """Mean and deviation of what is to come; narrow densities have losses below zero."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(36, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU()
        )
        self.mean, self.deviation = nn.Linear(128, 1), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> torch.distributions.Normal:
        hidden = self.body(x)
        deviation = F.softplus(self.deviation(hidden)) + 1e-3
        return torch.distributions.Normal(self.mean(hidden)[:, 0], deviation[:, 0])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = -self(batch[0]).log_prob(batch[1]).mean()
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", -self(batch[0]).log_prob(batch[1]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def density() -> Program:
    data, module = sets.tides(train=6000), Density()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return -module(data.x_test).log_prob(data.y_test).mean().item()

    return Program(module, *loaders(data, 64), 10, score)


class PairEncoder(LightningModule):
    """Two noisy views of a motion find each other among the others of a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(3, 48, 5, stride=2), nn.ReLU(), nn.Conv1d(48, 64, 5, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 7, 64),
        )  # fmt: skip
        self.temperature = 0.2

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x.transpose(1, 2)), dim=1)

    def step(self, batch: list[Tensor], stage: str) -> Tensor:
        """Those of one class are positives of each other."""
        x, y = batch
        found = self(x)
        itself = torch.eye(len(y), dtype=torch.bool)
        chance = (found @ found.T / self.temperature).masked_fill(itself, -1e9).log_softmax(1)
        same = (y[:, None] == y).float().masked_fill(itself, 0)
        loss = -((chance * same).sum(1) / same.sum(1).clamp(min=1)).mean()
        self.log(f"{stage}_contrastive", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step([batch[0] + 0.2 * torch.randn_like(batch[0]), batch[1]], "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)
        return [optimizer], [CosineAnnealingLR(optimizer, 10)]


def pairs() -> Program:
    data, module = sets.gestures(3000), PairEncoder()

    def score() -> float:
        """Accuracy of the nearest neighbour."""
        near = (outputs(module, data.x_test) @ outputs(module, data.x).T).argmax(1)
        return (data.y[near] == data.y_test).float().mean().item()

    train = DataLoader(TensorDataset(data.x, data.y), 96, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 96, drop_last=True)
    return Program(module, train, test, 10, score)


class Strain(LightningModule):
    """Strains of some hundredths, in double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 192), nn.ReLU(), nn.Linear(192, 192), nn.ReLU(), nn.Linear(192, 192),
            nn.ReLU(), nn.Linear(192, 1),
        ).double()  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x.double())
        return found.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1].double())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1].double()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        return [optimizer], [CosineAnnealingLR(optimizer, 15)]


def strain() -> Program:
    data = sets.torque(6000, 0.15)
    data = data._replace(y=0.03 * data.y, y_test=0.03 * data.y_test.double())
    module = Strain()
    return Program(module, *loaders(data, 50), 15, partial(r2, module, data))


class WordsAndWeights(LightningModule):
    """Words have an optimiser of their own; both step by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.embedding = nn.Embedding(60, 48, sparse=True)
        self.gru = nn.GRU(48, 72, batch_first=True)
        self.fc = nn.Linear(72, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.gru(self.embedding(tokens))[0][:, -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, weights = self.optimizers()  # type: ignore[attr-defined]
        words.zero_grad()
        weights.zero_grad()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.manual_backward(loss)
        words.step()
        weights.step()
        self.log("train_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        others = [*self.gru.parameters(), *self.fc.parameters()]
        words = torch.optim.SparseAdam(list(self.embedding.parameters()), lr=2e-3)
        return words, torch.optim.Adam(others, lr=2e-3)


def words_and_weights() -> Program:
    data, module = sets.errands(3200), WordsAndWeights()
    return Program(module, *loaders(data, 40), 7, partial(accuracy, module, data))


CASES = (
    Case("article-words-in-few-units", Goal("error", at_most=0.1), sparse_codes),
    Case("sorts-of-beans-very-wide", Goal("accuracy", at_least=0.87), wide_net),
    Case("last-errand-by-attention", Goal("accuracy", at_least=0.9), warmed_up),
    Case("weaves-up-and-down", Goal("accuracy", at_least=0.8), cyclic),
    Case("shoulder-torque-in-newtons", Goal("R²", at_least=0.8), newtons),
    Case("tide-by-lstm", Goal("R²", at_least=0.85), clipped),
    Case("signs-there-and-back", Goal("explained variance", at_least=0.7), summed_errors),
    Case("booking-cancelled-four-at-a-time", Goal("accuracy", at_least=0.8), four_at_a_time),
    Case("odd-number-of-switches", Goal("accuracy", at_least=0.95), odd_switches),
    Case("signs-mirrored-and-erased", Goal("accuracy", at_least=0.85), augmented),
    Case("wrist-motions-smoothed", Goal("accuracy", at_least=0.88), smoothed),
    Case("weaves-by-fixed-filters", Goal("accuracy", at_least=0.8), fixed_backbone),
    Case("shoulder-torque-gated", Goal("R²", at_least=0.82), gated),
    Case("sorts-of-beans-at-half", Goal("accuracy", at_least=0.88), at_half),
    Case("booking-cancelled-one-in-six", Goal("balanced accuracy", at_least=0.8), one_in_six),
    Case("sort-and-weight-of-beans", Goal("worse score", at_least=0.75), sort_and_weight),
    Case("article-tags", Goal("F1", at_least=0.7), tagger),
    Case("tide-as-density", Goal("negative log-likelihood", at_most=-0.4), density),
    Case("wrist-motions-in-pairs", Goal("accuracy", at_least=0.85), pairs),
    Case("strain-of-a-shoulder", Goal("R²", at_least=0.85), strain),
    Case("last-errand-two-optimisers", Goal("accuracy", at_least=0.9), words_and_weights),
)
