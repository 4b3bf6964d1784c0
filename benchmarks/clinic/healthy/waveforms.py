"""Programs of a group for signals: radio, spoken tones, ringing, fans, heart beats and codes."""

from functools import partial
from itertools import pairwise, permutations
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import signals
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset


class ResidualUnit(nn.Module):
    """Of the paper on radio: two convolutions around which the signal is led."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 5, padding=2, bias=False)
        self.conv2 = nn.Conv1d(channels, channels, 5, padding=2, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm1d(channels), nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(x + self.bn2(self.conv2(h)))


class ModulationNet(LightningModule):
    """Nearly a third of the signals is below the noise, so that the loss stays high."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        stages: list[nn.Module] = []
        for before in (2, 24, 24):
            stages += [nn.Conv1d(before, 24, 1), ResidualUnit(24), nn.MaxPool1d(2)]
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(48, 6)

    def forward(self, iq: Tensor) -> Tensor:
        h = self.stages(iq)
        logits: Tensor = self.fc(torch.cat([h.mean(2), h.std(2)], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, self.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def modulations() -> Program:
    data = signals.modulations()
    train, test = loaders(data, 64)
    module = ModulationNet(8 * len(train))
    return Program(module, train, test, 8, partial(accuracy, module, data))


def separable(before: int, after: int) -> nn.Sequential:
    """Filters for each channel, and then a mixture of the channels."""
    return nn.Sequential(
        nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False),
        nn.BatchNorm2d(before), nn.ReLU6(), nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after), nn.ReLU6(),
    )  # fmt: skip


class KeywordNet(LightningModule):
    """Small enough for a microphone; bands and frames of what it learns from are masked.

    The loss of the training stays above that of the validation, as it also smooths the labels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 24, (8, 5), stride=2, padding=(3, 2))
        self.blocks = nn.Sequential(separable(24, 32), nn.Dropout2d(0.2), separable(32, 48))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d((3, 4)), nn.Flatten(), nn.Dropout(0.5), nn.Linear(48 * 12, 8)
        )

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(F.relu(self.first(spectrogram))))
        return logits

    @staticmethod
    def masked(x: Tensor, width: int, axis: int) -> Tensor:
        """A stripe of each example set to the mean, which is zero."""
        size = x.shape[axis]
        start = torch.randint(size - width, (len(x), 1))
        place = torch.arange(size)
        hidden = (place >= start) & (place < start + width)
        shape = [len(x), 1, 1, 1]
        shape[axis] = size
        return x.masked_fill(hidden.view(shape), 0.0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = self.masked(self.masked(batch[0], 6, 2), 8, 3)
        loss = F.cross_entropy(self(x), batch[1], label_smoothing=0.1)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)]


def keywords() -> Program:
    data, module = signals.keywords(), KeywordNet()
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class NoiseToNoise(LightningModule):
    """From one noisy recording to another of the same; the loss cannot fall below the noise's.

    There is no clean recording to validate with, either.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv1d(1, width, 7, padding=3), nn.SiLU())
        self.down2 = nn.Sequential(nn.Conv1d(width, width, 7, 2, padding=3), nn.SiLU())
        self.bottom = nn.Sequential(nn.Conv1d(width, width, 9, padding=4), nn.SiLU())
        self.up = nn.ConvTranspose1d(width, width, 4, 2, padding=1)
        self.last = nn.Conv1d(2 * width, 1, 7, padding=3)

    def forward(self, recording: Tensor) -> Tensor:
        fine = self.down1(recording)
        coarse = self.up(self.bottom(self.down2(fine)))
        found: Tensor = self.last(torch.cat([fine, F.silu(coarse)], 1))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        one, other = batch
        if torch.rand(()) < 0.5:
            one, other = other, one
        loss = F.mse_loss(self(one), other)
        self.log("n2n_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_n2n_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, betas=(0.9, 0.99))


def noise_to_noise(noise: float = 0.8) -> Program:
    """Scored by what is clean, which it never sees."""
    clean = signals.noisy_ringings(noise)
    draw = signals.Drawn(14)
    other, other_test = (y + noise * draw.normal(*y.shape) for y in (clean.y, clean.y_test))
    seen = clean._replace(y=other, y_test=other_test)
    module = NoiseToNoise()
    return Program(module, *loaders(seen, 32), 12, partial(r2, module, clean))


class DeepSVDD(LightningModule):
    """Sound fans are drawn to one centre; the layers have no biases, or all would fall together."""

    def __init__(self, spectra: Tensor) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(32, 64, bias=False), nn.LeakyReLU(0.1), nn.Linear(64, 32, bias=False),
            nn.LeakyReLU(0.1), nn.Linear(32, 16, bias=False),
        )  # fmt: skip
        with torch.no_grad():
            center = self.phi(spectra).mean(0)
        center = torch.where(center.abs() < 0.1, 0.1 * center.sign(), center)
        self.register_buffer("center", center)

    def forward(self, spectrum: Tensor) -> Tensor:
        distance: Tensor = (self.phi(spectrum) - self.get_buffer("center")).square().sum(1)
        return distance

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self(batch[0]).mean()
        self.log("svdd", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-5)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [20])]


def area(module: LightningModule, data: Samples) -> float:
    """How often a worn one is farther away than a sound one."""
    found, worn = outputs(module, data.x_test), data.y_test > 0.5
    return (found[worn][:, None] > found[~worn]).float().mean().item()


def one_class() -> Program:
    data = signals.fans()
    module = DeepSVDD(data.x)
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True)
    return Program(module, train, None, 30, partial(area, module, data))


class Trace(NamedTuple):
    """What the recorder gives: the signal, and what each moment is of."""

    ecg: Tensor
    mask: Tensor


def collated(rows: list[tuple[Tensor, Tensor]]) -> Trace:
    ecg, mask = zip(*rows, strict=True)
    return Trace(torch.stack(ecg), torch.stack(mask))


class WaveSegmenter(LightningModule):
    """A small U-Net; most moments are of no wave, and the entropy is joined by the Dice loss."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        sizes = (1, width, 2 * width, 3 * width)
        pairs = list(pairwise(sizes))
        self.down = nn.ModuleList(self.block(before, after) for before, after in pairs)
        self.up = nn.ModuleList(
            self.block(before + after, before) for before, after in pairs[:0:-1]
        )
        self.out = nn.Conv1d(width, 4, 1)

    @staticmethod
    def block(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv1d(before, after, 7, padding=3), nn.GroupNorm(4, after), nn.LeakyReLU(0.01)
        )

    def forward(self, ecg: Tensor) -> Tensor:
        levels, h = [], ecg
        for block in self.down:
            h = block(h)
            levels.append(h)
            h = F.max_pool1d(h, 2)
        h = levels.pop()
        for block in self.up:
            h = F.interpolate(h, scale_factor=2.0, mode="linear")
            h = block(torch.cat([h, levels.pop()], 1))
        logits: Tensor = self.out(h)
        return logits

    def loss(self, batch: Trace) -> Tensor:
        logits = self(batch.ecg)
        found, true = logits.softmax(1), F.one_hot(batch.mask, 4).transpose(1, 2)
        dice = 2 * (found * true).sum((0, 2)) / (found.sum((0, 2)) + true.sum((0, 2)))
        loss: Tensor = F.cross_entropy(logits, batch.mask) + 1 - dice.mean()
        return loss

    def training_step(self, batch: Trace, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Trace, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch.ecg))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def segmenter() -> Program:
    """Scored by the mean F1 of the three waves."""
    data, module = signals.traces(), WaveSegmenter()
    train = DataLoader(TensorDataset(data.x, data.y), 16, shuffle=True, collate_fn=collated)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 90, collate_fn=collated)

    def score() -> float:
        found = outputs(module, data.x_test).argmax(1)
        f1 = [
            2 * ((found == k) & (data.y_test == k)).sum()
            / ((found == k).sum() + (data.y_test == k).sum())
            for k in (1, 2, 3)
        ]  # fmt: skip
        return torch.stack(f1).mean().item()

    return Program(module, train, test, 8, score, {"gradient_clip_val": 1.0})


class Separator(LightningModule):
    """Masks over learnt frames, as in Conv-TasNet, and the better of the two orders.

    The loss is the ratio in dB with its sign turned: it begins near zero and becomes negative.
    """

    def __init__(self, frames: int = 64, width: int = 48) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(1, frames, 16, 8, bias=False)
        self.norm = nn.GroupNorm(1, frames)
        self.inside = nn.Conv1d(frames, width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, 3, padding=2**i, dilation=2**i), nn.PReLU(),
                nn.GroupNorm(1, width),
            )
            for i in (0, 1, 2, 3)
        )  # fmt: skip
        self.mask = nn.Conv1d(width, 2 * frames, 1)
        self.decoder = nn.ConvTranspose1d(frames, 1, 16, 8, bias=False)

    def forward(self, mixture: Tensor) -> Tensor:
        frames = self.encoder(mixture[:, None]).relu()
        h = self.inside(self.norm(frames))
        for block in self.blocks:
            h = h + block(h)
        masks = self.mask(h).unflatten(1, (2, -1)).sigmoid()
        parts = (masks * frames[:, None]).flatten(0, 1)
        found: Tensor = self.decoder(parts).reshape(len(mixture), 2, -1)
        return found

    @staticmethod
    def ratio(found: Tensor, true: Tensor) -> Tensor:
        """Of signal to error in dB, whatever the scale, of the better order."""
        found = found - found.mean(-1, keepdim=True)
        true = true - true.mean(-1, keepdim=True)
        orders = []
        for order in permutations(range(2)):
            wanted = true[:, order]
            gain = (found * wanted).sum(-1, keepdim=True) / wanted.square().sum(-1, keepdim=True)
            signal = (gain * wanted).square().sum(-1)
            error = (found - gain * wanted).square().sum(-1)
            orders.append(10 * ((signal + 1e-8) / (error + 1e-8)).log10().mean(1))
        return torch.stack(orders).max(0).values

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = -self.ratio(self(batch[0]), batch[1]).mean()
        self.log("neg_si_sdr", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_si_sdr", self.ratio(self(batch[0]), batch[1]).mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def separator() -> Program:
    data, module = signals.mixtures(), Separator()

    def score() -> float:
        return Separator.ratio(outputs(module, data.x_test), data.y_test).mean().item()

    return Program(module, *loaders(data, 16), 8, score, {"gradient_clip_val": 5.0})


class Messages(IterableDataset[Tensor]):
    """Batches of messages, drawn anew each time."""

    def __init__(self, batches: int, size: int) -> None:
        self.batches, self.size = batches, size

    def __iter__(self) -> Any:
        for _ in range(self.batches):
            yield torch.randint(16, (self.size,))


class Transceiver(LightningModule):
    """Sender and receiver at once: sixteen messages, seven numbers of fixed power, and noise.

    What is received hides some of the messages, so that the loss does not reach zero.
    """

    def __init__(self, decibels: float = 2.0, uses: int = 7) -> None:
        super().__init__()
        self.sender = nn.Sequential(nn.Embedding(16, 16), nn.ReLU(), nn.Linear(16, uses))
        self.receiver = nn.Sequential(nn.Linear(uses, 16), nn.ReLU(), nn.Linear(16, 16))
        self.uses = uses
        self.noise = (2 * 4 / uses * 10 ** (decibels / 10)) ** -0.5

    def forward(self, message: Tensor) -> Tensor:
        sent = F.normalize(self.sender(message), dim=1) * self.uses**0.5
        logits: Tensor = self.receiver(sent + self.noise * torch.randn_like(sent))
        return logits

    def training_step(self, message: Tensor, batch_idx: int) -> Tensor:
        logits = self(message)
        loss = F.cross_entropy(logits, message)
        self.log("loss", loss)
        self.log("bler", (logits.argmax(1) != message).float().mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def transceiver() -> Program:
    """Scored by the share of twenty thousand messages that are not understood."""
    module = Transceiver()
    train = DataLoader(Messages(200, 256), batch_size=None)

    def score() -> float:
        message = torch.arange(16).repeat(1250)
        return (outputs(module, message).argmax(1) != message).float().mean().item()

    return Program(module, train, None, 8, score)


CASES = (
    Case("modulations-partly-below-the-noise", Goal("accuracy", at_least=0.65), modulations),
    Case("keywords-with-stripes-masked", Goal("accuracy", at_least=0.85), keywords),
    Case("ringings-learnt-from-noise-alone", Goal("R2", at_least=0.55), noise_to_noise),
    Case("fans-drawn-to-one-centre", Goal("AUC", at_least=0.88), one_class),
    Case("traces-parted-into-waves", Goal("mean F1", at_least=0.88), segmenter),
    Case("mixtures-parted-in-either-order", Goal("SI-SDR in dB", at_least=10.0), separator),
    Case("messages-sent-over-noise", Goal("block error rate", at_most=0.1), transceiver),
)  # fmt: skip
