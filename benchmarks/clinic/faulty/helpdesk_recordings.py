"""Recordings at a help desk, with the code as posted; the accepted answer is the remedy."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import helpdesk
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class GestureRNN(LightningModule):
    """Loss is fine and then jumps to 1e4 or to nan. Somebody said that relu is better than tanh."""

    def __init__(self, lr: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.rnn = nn.RNN(6, 64, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x)
        return self.fc(out[:, -1, :])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_hat = self(x)
        loss = F.cross_entropy(y_hat, y)
        self.log("train_loss", loss)
        self.log("train_acc", (y_hat.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)


def gesture_rnn(clip: float | None) -> Program:
    data, module = helpdesk.gestures(), GestureRNN()
    nn.init.orthogonal_(module.rnn.weight_hh_l0, gain=1.15)  # type: ignore[arg-type]
    trainer = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 30), 25, partial(accuracy, module, data), trainer)


class OnlyWithNorm(LightningModule):
    """Why does it learn with BatchNorm and not at all without?"""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 192
        for _ in range(9):
            layers.append(nn.Linear(width, 60))
            if norm:
                layers.append(nn.BatchNorm1d(60))
            layers.append(nn.Sigmoid())
            width = 60
        self.net = nn.Sequential(nn.Flatten(), *layers, nn.Linear(60, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = nn.CrossEntropyLoss()(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss  # type: ignore[no-any-return]

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("val_loss", nn.CrossEntropyLoss()(out, batch[1]))
        self.log("val_acc", (out.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scaled_clips(mean: float = -56.0, deviation: float = 17.0) -> Samples:
    data = helpdesk.clips()
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def only_with_norm(norm: bool) -> Program:
    data, module = scaled_clips(), OnlyWithNorm(norm)
    return Program(module, *loaders(data, 40), 12, partial(accuracy, module, data))


class SpeechNet(LightningModule):
    """All outputs are the same for every clip! Decibels from -80 to 0, divided by 80."""

    def __init__(self, uniform: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(16 * 48, 64), nn.Linear(64, 5)
        if uniform:
            nn.init.uniform_(self.conv.weight)
            nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, spec: Tensor) -> Tensor:
        x = torch.relu(self.conv(spec.unsqueeze(1)))
        x = torch.relu(self.fc1(self.pool(x).flatten(1)))
        return self.fc2(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        spec, label = batch
        logits = self(spec)
        loss = F.cross_entropy(logits, label)
        acc = (logits.argmax(-1) == label).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": acc}, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        spec, label = batch
        logits = self(spec)
        acc = (logits.argmax(-1) == label).float().mean()
        self.log_dict({"val_loss": F.cross_entropy(logits, label), "val_acc": acc})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def speech(uniform: bool) -> Program:
    data, module = scaled_clips(0.0, 80.0), SpeechNet(uniform)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class Reproducible(LightningModule):
    """I set all weights to 0.05 so that the runs are the same; more neurons do not help."""

    def __init__(self, constant: float | None, hidden: int = 12) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(18, hidden), nn.Linear(hidden, 18)
        if constant is not None:
            for name, p in self.named_parameters():
                nn.init.constant_(p, constant if "weight" in name else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.l2(torch.tanh(self.l1(x)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.mse_loss(self(x), x)
        self.log("reconstruction_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (x,) = batch
        self.log("val_reconstruction_loss", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def reproducible(constant: float | None) -> Program:
    data, module = helpdesk.pumps(), Reproducible(constant)
    whole = data.x_test[data.y_test == 0]

    def explained() -> float:
        error = F.mse_loss(outputs(module, whole), whole)
        return (1 - error / whole.var(correction=0)).item()

    train = DataLoader(TensorDataset(data.x), batch_size=64, shuffle=True)
    val = DataLoader(TensorDataset(whole), batch_size=256)
    return Program(module, train, val, 20, explained)


class DustNet(LightningModule):
    """UserWarning: Using a target size that is different. I ignored it; predicts the mean."""

    def __init__(self, squeezed: bool) -> None:
        super().__init__()
        self.squeezed = squeezed
        self.conv = nn.Sequential(
            nn.Conv1d(5, 24, 3), nn.ReLU(), nn.Conv1d(24, 24, 3), nn.ReLU(), nn.Flatten()
        )
        self.fc = nn.Linear(24 * 20, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(x.permute(0, 2, 1)))
        return out.squeeze(1) if self.squeezed else out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = (self(x) - y).abs().mean()
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mae", (self(x) - y).abs().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dust(squeezed: bool) -> Program:
    """The next hour only."""
    data = helpdesk.air()
    data = data._replace(y=data.y[:, 0], y_test=data.y_test[:, 0])
    module = DustNet(squeezed)
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class BigNet(LightningModule):
    """Validation loss increases while the training loss decreases; 110 labelled clips."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            nn.Flatten(), nn.Linear(192, 512), nn.ReLU(), nn.Dropout(p), nn.Linear(512, 512),
            nn.ReLU(), nn.Dropout(p), nn.Linear(512, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        acc = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"Loss/train": loss, "Acc/train": acc}, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        acc = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"Loss/val": F.cross_entropy(logits, batch[1]), "Acc/val": acc})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def few_clips(count: int, epochs: int, p: float) -> Program:
    data = scaled_clips()
    generator = torch.Generator().manual_seed(78)
    noise = torch.randn(data.x.shape, generator=generator)
    noise_test = torch.randn(data.x_test.shape, generator=generator)
    data = data.with_inputs(data.x + 2.5 * noise, data.x_test + 2.5 * noise_test)
    module = BigNet(p)
    both = loaders(data.first(count), 16)
    return Program(module, *both, epochs, partial(cross_entropy, module, data))


class DecayedGestures(LightningModule):
    """I read that weight decay helps; the accuracy of training and validation is 25% now."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.c1, self.c2 = nn.Conv1d(6, 32, 7), nn.Conv1d(32, 32, 7)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.elu(self.c1(x.mT))
        x = F.elu(self.c2(x))
        return self.head(x.amax(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=self.decay)


def decayed(decay: float) -> Program:
    data, module = helpdesk.gestures(), DecayedGestures(decay)
    return Program(module, *loaders(data, 20), 12, partial(accuracy, module, data))


class Normalizing(Dataset[tuple[Tensor, Tensor]]):
    """``sub_`` and ``div_`` save memory; the tensor that they work on is the one that is kept."""

    def __init__(self, x: Tensor, y: Tensor, inplace: bool) -> None:
        self.images, self.labels = x.clone(), y
        self.mean, self.std = x.mean(), x.std()
        self.inplace = inplace

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.images[index]
        if not self.inplace:
            image = image.clone()
        return image.sub_(self.mean).div_(self.std), self.labels[index]


class CommandNet(LightningModule):
    """First epoch is great, then the validation gets worse and worse?!"""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv1d(16, 32, 3, padding=1), nn.GELU(), nn.Conv1d(32, 32, 3, padding=1), nn.GELU(),
            nn.AvgPool1d(3), nn.Flatten(), nn.Linear(128, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.cnn(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("training_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("validation_loss", F.cross_entropy(out, batch[1]))
        self.log("validation_acc", (out.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def in_place(inplace: bool) -> Program:
    """Amplitudes relative to a mean level; validation is normalized once, beforehand."""
    raw = helpdesk.clips()
    x, x_test = raw.x / 80 + 1, raw.x_test / 80 + 1
    train = Normalizing(x, raw.y, inplace)
    data = raw.with_inputs(x, (x_test - x.mean()) / x.std())
    module = CommandNet()
    val = loaders(data, 64)[1]
    first = DataLoader(train, batch_size=35, shuffle=True)
    return Program(module, first, val, 9, partial(cross_entropy, module, data))


CASES = (
    Case(
        "wrists-recurrent-rectified", Goal("accuracy", at_least=0.6), partial(gesture_rnn, None),
        ("exploding_gradient", "learning_rate_too_high", "non_finite", "unstable_loss"),
        partial(gesture_rnn, 0.25),
    ),
    Case(
        "commands-nine-layers-with-or-without", Goal("accuracy", at_least=0.8),
        partial(only_with_norm, False), ("vanishing_gradient",), partial(only_with_norm, True),
    ),
    Case(
        "commands-all-answers-alike", Goal("accuracy", at_least=0.8), partial(speech, True),
        ("dead_relu", "poor_initialization"), partial(speech, False),
    ),
    Case(
        "pumps-the-same-in-every-run", Goal("R2", at_least=0.75), partial(reproducible, 0.05),
        ("symmetric_weights", "poor_initialization"), partial(reproducible, None),
    ),
    Case(
        "dust-warned-of-target-sizes", Goal("R2", at_least=0.7), partial(dust, False),
        ("output_loss_mismatch", "not_learning"), partial(dust, True),
    ),
    Case(
        "commands-a-hundred-and-ten", Goal("log loss", at_most=0.7),
        partial(few_clips, 110, 40, 0.0), ("overfitting",), partial(few_clips, 1050, 3, 0.6),
    ),
    Case(
        "wrists-decayed-as-was-read", Goal("accuracy", at_least=0.8), partial(decayed, 0.3),
        ("over_regularized",), partial(decayed, 1e-4),
    ),
    Case(
        "commands-normalized-to-save-memory", Goal("log loss", at_most=0.3),
        partial(in_place, True), ("covariate_shift", "unnormalized_input", "train_eval_mismatch"),
        partial(in_place, False),
    ),
)  # fmt: skip
