"""Why consultants were called: sensors, recordings and pictures whose trainings did not work."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import consultant
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Keywords(LightningModule):
    """Dilated convolutions over spectra; the direction of their mean over time tells the word."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.conv1 = nn.Conv1d(12, 32, 3, padding=1, bias=False)
        self.conv2 = nn.Conv1d(32, 32, 3, padding=2, dilation=2, bias=False)
        self.conv3 = nn.Conv1d(32, 48, 3, padding=4, dilation=4, bias=False)
        self.classify = nn.Linear(48, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.conv1(x))
        h = F.leaky_relu(self.conv2(h))
        code = self.conv3(h).mean(2)
        code = 5 * code / code.norm(dim=1, keepdim=True).clamp(min=self.eps)
        logits: Tensor = self.classify(code)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        spectra, word = batch
        loss = F.cross_entropy(self(spectra), word)
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        spectra, word = batch
        logits = self(spectra)
        self.log("ce_dev", F.cross_entropy(logits, word))
        self.log("errors_dev", (logits.argmax(1) != word).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def keywords(eps: float) -> Program:
    data = consultant.keywords()
    module = Keywords(eps)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Flow(LightningModule):
    """A recurrent net of ReLUs, its recurrence the identity, sums what a valve lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, 48, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        total: Tensor = self.out(states[:, -1])
        return total.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val/mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=2e-3, momentum=0.9)


def flow(clip: float | None) -> Program:
    data = consultant.totals(40)
    module = Flow()
    options: dict[str, Any] = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data), options)


class Inspection(LightningModule):
    """A deep stack of convolutions of one width."""

    def __init__(self, depth: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.stem = nn.Conv2d(1, 12, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(12, 12, 3, padding=1) for _ in range(depth))
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.stem(x))
        for block in self.blocks:
            f = F.relu(block(h))
            h = h + f if self.residual else f
        logits: Tensor = self.head(h.amax((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        image, label = batch
        logits = self(image)
        loss = F.cross_entropy(logits, label)
        hits = (logits.argmax(1) == label).float().mean()
        self.log_dict({"loss": loss, "acc": hits})
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, label = batch
        logits = self(image)
        self.log("v_loss", F.cross_entropy(logits, label))
        self.log("v_acc", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def inspection(residual: bool) -> Program:
    data = consultant.defects()
    module = Inspection(16, residual)
    options = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 18, partial(accuracy, module, data), options)


class Rare(LightningModule):
    """A small net for the few parts that have a defect."""

    def __init__(self, weights: Tensor | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ELU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ELU(), nn.AdaptiveMaxPool2d(1),
            nn.Flatten(), nn.Linear(32, 4),
        )  # fmt: skip
        self.criterion = nn.CrossEntropyLoss(weights)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, label = batch
        loss: Tensor = self.criterion(self(image), label)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, label = batch
        logits = self(image)
        self.log("valid_loss", self.criterion(logits, label))
        self.log("valid_acc", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def rare(weighted: bool) -> Program:
    data = consultant.defects(3000, 16, 0.3, 0.06)
    counts = data.y.bincount(minlength=4).float()
    module = Rare(counts.sum() / (4 * counts) if weighted else None)
    return Program(module, *loaders(data, 64), 7, partial(balanced_accuracy, module, data))


class Pump(LightningModule):
    """Tells a pump's state from a window of vibrations."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Flatten(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU()
        )
        self.state = nn.Linear(96, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.state(self.features(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, state = batch
        loss = F.cross_entropy(self(signal), state)
        self.log("state_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        signal, state = batch
        self.log("state_loss_val", F.cross_entropy(self(signal), state))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pump(level: bool) -> Program:
    """In the order of the dates, while the sensors' offset crept up; or each window's removed."""
    data = consultant.states(48, 2400)
    g = torch.Generator().manual_seed(5)
    dates = torch.linspace(0, 1, len(data.y))[:, None, None]
    x = data.x + 20 * dates
    x_test = data.x_test + 20 * torch.rand(len(data.y_test), 1, 1, generator=g)
    if level:
        x, x_test = x - x.mean(2, keepdim=True), x_test - x_test.mean(2, keepdim=True)
    data = data.with_inputs(x, x_test)
    module = Pump()
    both = loaders(data, 8, shuffle=False)
    return Program(module, *both, 2, partial(accuracy, module, data))


class Depth(LightningModule):
    """A small vision transformer, four by four patches, that tells a distance."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.patches = nn.Conv2d(1, 32, 4, stride=4)
        self.place = nn.Parameter(0.02 * torch.randn(1, 16, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3)
        self.distance = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.place
        found: Tensor = self.distance(self.encoder(tokens).mean(1))
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, depth = batch
        loss = F.smooth_l1_loss(self(image), depth)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, depth = batch
        self.log("huber_val", F.smooth_l1_loss(self(image), depth))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)


def depth(lr: float) -> Program:
    data = consultant.depths()
    module = Depth(lr)
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


class Forecast(LightningModule):
    """Convolutions that look back only; where a sensor will be six steps later."""

    def __init__(self, robust: bool, lr: float = 0.02) -> None:
        super().__init__()
        self.robust, self.lr = robust, lr
        self.layers = nn.ModuleList(
            nn.Conv1d(3 if k == 0 else 24, 24, 3, dilation=2**k) for k in range(4)
        )
        self.out = nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x.transpose(1, 2)
        for k, layer in enumerate(self.layers):
            h = F.silu(layer(F.pad(h, (2 * 2**k, 0))))
        found: Tensor = self.out(h[:, :, -1])
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, later = batch
        found = self(past)
        loss = F.huber_loss(found, later) if self.robust else F.mse_loss(found, later)
        self.log("fit", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        past, later = batch
        self.log("fit_val", F.l1_loss(self(past), later))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def forecast(robust: bool) -> Program:
    """One reading in fifty is a glitch of the logger, and was left where it is forecast."""
    data = consultant.sensors()
    g = torch.Generator().manual_seed(6)
    bad = torch.rand(len(data.y), generator=g) < 0.02
    glitches = 25 * (torch.rand(len(data.y), generator=g) - 0.5).sign()
    noisy = data._replace(y=torch.where(bad, glitches, data.y))
    module = Forecast(robust)
    return Program(module, *loaders(noisy, 16), 10, partial(r2, module, data))


class Barometer(LightningModule):
    """An LSTM over pressure, temperature and load as the loggers write them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        _, (h, _) = self.lstm(x)
        found: Tensor = self.head(h[-1])
        return found.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch["window"]), batch["next"])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("mse_holdout", F.mse_loss(self(batch["window"]), batch["next"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def named(data: Samples, size: int, x: str, y: str) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Batches as dictionaries."""
    train = [{x: a, y: b} for a, b in zip(data.x, data.y, strict=True)]
    test = [{x: a, y: b} for a, b in zip(data.x_test, data.y_test, strict=True)]
    return DataLoader(train, size, shuffle=True), DataLoader(test, 256)  # type: ignore[arg-type]


def barometer(scaled: bool) -> Program:
    data = consultant.sensors()
    scale, shift = torch.tensor([350.0, 4.0, 60.0]), torch.tensor([101_325.0, 21.0, 480.0])
    if not scaled:
        data = data.with_inputs(data.x * scale + shift, data.x_test * scale + shift)
    module = Barometer()
    both = named(data, 32, "window", "next")
    return Program(module, *both, 12, partial(r2, module, data))


class Keypoints(LightningModule):
    """Where a bar is and how it lies, read off a picture."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(32 * 36, 4), last)

    def forward(self, x: Tensor) -> Tensor:
        points: Tensor = self.head(self.trunk(x))
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, points = batch
        loss = F.l1_loss(self(image), points)
        self.log("l1", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, points = batch
        self.log("l1_val", F.l1_loss(self(image), points))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def keypoints(last: type[nn.Module]) -> Program:
    data = consultant.poses()
    module = Keypoints(last())
    return Program(module, *loaders(data, 50), 10, partial(r2, module, data))


class Pose(LightningModule):
    """The same of flat pictures with tanh, its weights drawn as somebody once learnt it."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(144, 96), nn.Tanh(), nn.Linear(96, 96), nn.Tanh(),
            nn.Linear(96, 48), nn.Tanh(),
        )  # fmt: skip
        self.out = nn.Linear(48, 4)
        for layer in self.layers:
            if isinstance(layer, nn.Linear) and deviation is not None:
                nn.init.normal_(layer.weight, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        points: Tensor = self.out(self.layers(x))
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, points = batch
        loss = F.mse_loss(self(image), points)
        self.log("loss/pose", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, points = batch
        self.log("loss/pose_val", F.mse_loss(self(image), points))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pose(deviation: float | None) -> Program:
    data = consultant.poses(4000)
    module = Pose(deviation)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class Segment(LightningModule):
    """A U-Net of two levels; the overlap is the loss."""

    def __init__(self, logits: bool) -> None:
        super().__init__()
        self.logits = logits
        self.down1 = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU())
        self.down2 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.join = nn.Sequential(nn.Conv2d(24, 12, 3, padding=1), nn.ReLU())
        self.mask = nn.Conv2d(12, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down1(x)
        coarse = self.up(self.down2(fine))
        found: Tensor = self.mask(self.join(torch.cat([fine, coarse], 1)))
        return found

    def dice(self, batch: list[Tensor]) -> Tensor:
        image, mask = batch
        found = self(image)
        found = found if self.logits else found.sigmoid()
        both = (found * mask).sum((1, 2, 3))
        return (1 - (2 * both + 1) / (found.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.dice(batch)
        self.log("dice_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("dice_loss_val", self.dice(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    found, mask = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & mask).sum() / (found | mask).sum().clamp(min=1)).item()


def segment(logits: bool) -> Program:
    data = consultant.cells()
    module = Segment(logits)
    return Program(module, *loaders(data, 16), 14, partial(overlap, module, data))


CASES = (
    Case(
        "keywords-directions-of-silence", Goal("accuracy", at_least=0.8), partial(keywords, 0.0),
        ("non_finite",), partial(keywords, 1e-5),
    ),
    Case(
        "flow-summed-by-relus-unclipped", Goal("R2", at_least=0.45), partial(flow, None),
        ("exploding_gradient", "learning_rate_too_high", "unstable_loss"), partial(flow, 1.0),
    ),
    Case(
        "defects-sixteen-plain-convolutions", Goal("accuracy", at_least=0.8),
        partial(inspection, False), ("vanishing_gradient", "poor_initialization"),
        partial(inspection, True),
    ),
    Case(
        "defects-of-six-in-a-hundred", Goal("balanced accuracy", at_least=0.75),
        partial(rare, False), ("class_imbalance",), partial(rare, True),
    ),
    Case(
        "pump-states-offset-creeps-up", Goal("accuracy", at_least=0.8), partial(pump, False),
        ("covariate_shift", "unnormalized_input"), partial(pump, True),
    ),
    Case(
        "depth-by-patches-in-large-steps", Goal("R2", at_least=0.8), partial(depth, 0.03),
        ("learning_rate_too_high",), partial(depth, 1e-3),
    ),
    Case(
        "sensor-forecast-glitches-squared", Goal("R2", at_least=0.6), partial(forecast, False),
        ("unstable_loss", "exploding_gradient"), partial(forecast, True),
    ),
    Case(
        "sensor-forecast-in-pascals", Goal("R2", at_least=0.7), partial(barometer, False),
        ("unnormalized_input",), partial(barometer, True),
    ),
    Case(
        "keypoints-through-a-sigmoid", Goal("R2", at_least=0.8), partial(keypoints, nn.Sigmoid),
        ("output_loss_mismatch",), partial(keypoints, nn.Tanh),
    ),
    Case(
        "pose-by-tanh-of-large-weights", Goal("R2", at_least=0.6), partial(pose, 1.0),
        ("saturated_activation", "poor_initialization"), partial(pose, None),
    ),
    Case(
        "cells-dice-of-logits", Goal("IoU", at_least=0.6), partial(segment, True),
        ("output_loss_mismatch", "unstable_loss", "exploding_gradient"), partial(segment, False),
    ),
)  # fmt: skip
