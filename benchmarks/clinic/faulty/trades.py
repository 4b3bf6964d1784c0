"""Programs by people of several trades: sound, medicine, shops, games, genes, prices."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, Optimizer, adam, mlp, reset, sgd
from programs import classification, regression
from scores import accuracy, cross_entropy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Spectrogram(nn.Module):
    """Power of 33 frequencies over time, on a logarithmic scale."""

    def __init__(self, level: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.level = level

    def forward(self, wave: Tensor) -> Tensor:
        bins = torch.stft(wave, 64, 64, window=self.window, return_complex=True)
        return self.level(bins.real**2 + bins.imag**2).transpose(1, 2)


def decibels(power: Tensor) -> Tensor:
    return 10 * torch.log10(power.clamp(min=1e-10))


def scaled_decibels(power: Tensor) -> Tensor:
    return (decibels(power).clamp(min=-30) + 10) / 20


def integers(power: Tensor) -> Tensor:
    """Samples as the file has them, sixteen bits each, and no logarithm."""
    return power * 32767**2


class Keywords(LightningModule):
    """Says which word was spoken, by a GRU over a spectrogram."""

    def __init__(self, level: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.features = Spectrogram(level)
        self.rnn = nn.GRU(33, 48, batch_first=True)
        self.classifier = nn.Linear(48, 6)

    def forward(self, wave: Tensor) -> Tensor:
        states, _ = self.rnn(self.features(wave))
        logits: Tensor = self.classifier(states.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        wave, word = batch
        loss = F.cross_entropy(self(wave), word)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def keywords(level: Callable[[Tensor], Tensor] = scaled_decibels) -> Program:
    data = surveys.spoken()
    module = Keywords(level)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


def files(key: Callable[[int], Any] = str) -> Program:
    """The labels are listed by number, the files 0.wav, 1.wav, 10.wav, 100.wav and so on."""
    data = surveys.spoken()
    listed = data.with_inputs(
        data.x[sorted(range(len(data.y)), key=key)],
        data.x_test[sorted(range(len(data.y_test)), key=key)],
    )
    module = Keywords(scaled_decibels)
    return Program(module, *loaders(listed, 32), 14, partial(accuracy, module, data))


class LesionFinder(LightningModule):
    """Four convolutions of a scan, voxel by voxel."""

    def __init__(self, criterion: Callable[[Tensor, Tensor], Tensor], lr: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv3d(1, 12, 3, padding=1), nn.Conv3d(12, 12, 3, padding=1)
        self.conv3, self.conv4 = nn.Conv3d(12, 12, 3, padding=1), nn.Conv3d(12, 1, 1)
        self.criterion, self.lr = criterion, lr

    def forward(self, scan: Tensor) -> Tensor:
        x = F.relu(self.conv1(scan))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        logits: Tensor = self.conv4(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.criterion(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.criterion(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def weighted(logits: Tensor, mask: Tensor) -> Tensor:
    """Dice and cross-entropy, in which a voxel of a lesion counts as twenty."""
    p = logits.sigmoid()
    dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
    return dice + F.binary_cross_entropy_with_logits(logits, mask, pos_weight=torch.tensor(20.0))


def lesion_finder(
    criterion: Callable[[Tensor, Tensor], Tensor] = weighted,
    *,
    window: bool = True,
    lr: float = 0.005,
) -> Program:
    """``window`` says whether the scan is cut to soft tissue and scaled."""
    scan, mask = surveys.lesions()
    if window:
        scan = (scan.clamp(-100, 200) - 40) / 60
    data = Samples(scan[:112], mask[:112], scan[112:], mask[112:])
    module = LesionFinder(criterion, lr)

    def score() -> float:
        found = (outputs(module, data.x_test) > 0).float()
        return (2 * (found * data.y_test).sum() / (found.sum() + data.y_test.sum())).item()

    return Program(module, *loaders(data, 4), 12, score)


class Likes(LightningModule):
    """What a user liked comes before an item drawn at random."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(200, 8), nn.Embedding(150, 8)
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        self.optimizer = optimizer

    def forward(self, user: Tensor) -> Tensor:
        return self.users(user) @ self.items.weight.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        user, liked = batch[0].T
        drawn = torch.randint(150, liked.shape)
        both = self(user)
        better = both.gather(1, liked[:, None]) - both.gather(1, drawn[:, None])
        loss = -F.logsigmoid(better).mean()
        self.log("bpr", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())


def likes(optimizer: Optimizer) -> Program:
    _, kept_back, known = surveys.likes()
    module = Likes(optimizer)
    train = DataLoader(TensorDataset(known), 64, shuffle=True)

    def score() -> float:
        """How often an item that was kept back comes before another."""
        found = outputs(module, torch.arange(200))
        own = found.gather(1, kept_back)
        return (own[:, :, None] > found[:, None]).float().mean().item()

    return Program(module, train, None, 20, score)


def judged(loss: Callable[[Tensor, Tensor], Tensor]) -> Program:
    """The ends of positions; the loss for logarithms of probabilities, or the one for logits."""
    data = surveys.boards()
    network = nn.Sequential(nn.Flatten(), mlp([18, 128, 128, 3], nn.Hardswish, norm=nn.LayerNorm))
    return classification(data, network, adam(2e-3), batch_size=64, epochs=12, criterion=loss)


def dense_board(activation: Callable[[], nn.Module] | None) -> Program:
    network = nn.Sequential(
        nn.Flatten(), mlp([18, 128, 128, 128, 3], activation, norm=nn.LayerNorm)
    )
    optimizer = partial(torch.optim.AdamW, lr=2e-3)
    return classification(surveys.boards(), network, optimizer, batch_size=64, epochs=8)


def deep_board(activation: Callable[[], nn.Module]) -> Program:
    """Seven hidden layers, momentum, and a rate that falls with a cosine."""
    layers = mlp([18, *7 * [64], 3], activation)
    if activation is nn.ReLU:
        reset(layers, nn.init.kaiming_normal_)
    network = nn.Sequential(nn.Flatten(), layers)
    schedule = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=12 * 57)
    return classification(
        surveys.boards(), network, sgd(0.03, 0.9, nesterov=True), batch_size=64, epochs=12,
        scheduler=schedule,
    )  # fmt: skip


def genes(*hidden: int, lr: float = 3e-3, decay: float = 0.3) -> Program:
    """A hundred people, four hundred genes."""
    data = surveys.genes(0.5, 0.1)
    module = LitClassifier(mlp([400, *hidden, 2]), adam(lr, weight_decay=decay))
    return Program(module, *loaders(data, 16), 50, partial(cross_entropy, module, data))


def priced(scale: Callable[[Samples], Samples] = scaled_targets) -> Program:
    """Prices of some hundred thousands; what fits them at first is the biases."""
    data = scale(standardized(surveys.houses()))
    return regression(
        data,
        mlp([8, 64, 64, 32, 1]),
        sgd(0.01, 0.9),
        epochs=10,
        trainer={"gradient_clip_val": 100.0},
    )


BOARDS, LIKES = Goal("accuracy", at_least=0.82), Goal("area under ROC", at_least=0.7)
WORDS, LESIONS = Goal("accuracy", at_least=0.85), Goal("Dice", at_least=0.6)
CASES = (
    Case(
        "words-power-of-integers", WORDS, partial(keywords, integers),
        ("unnormalized_input", "saturated_activation"), keywords,
    ),
    Case(
        "words-logarithm-of-silence", WORDS, partial(keywords, torch.log), ("non_finite",),
        keywords,
    ),
    Case(
        "words-files-sorted-as-texts", WORDS, files,
        ("inconsistent_labels", "not_learning", "overfitting"), partial(files, int),
    ),
    Case(
        "lesions-in-hounsfield-units", LESIONS, partial(lesion_finder, window=False),
        ("unnormalized_input", "exploding_gradient", "dead_relu"), lesion_finder,
    ),
    Case(
        "lesions-all-background", LESIONS,
        partial(lesion_finder, F.binary_cross_entropy_with_logits),
        ("class_imbalance",), lesion_finder,
    ),
    Case(
        "lesions-large-steps", LESIONS, partial(lesion_finder, lr=0.5),
        ("learning_rate_too_high", "dead_relu", "exploding_gradient", "unstable_loss"),
        lesion_finder,
    ),
    Case(
        "likes-sgd-in-place-of-adam", LIKES, partial(likes, sgd(0.01)),
        ("learning_rate_too_low", "not_learning"), partial(likes, adam(3e-3)),
    ),
    Case(
        "boards-likelihood-of-logits", BOARDS, partial(judged, F.nll_loss),
        ("output_loss_mismatch",), partial(judged, F.cross_entropy),
    ),
    Case(
        "boards-normalized-but-linear", BOARDS, partial(dense_board, None),
        ("linear_network",), partial(dense_board, nn.SiLU),
    ),
    Case(
        "boards-seven-sigmoid-layers", BOARDS, partial(deep_board, nn.Sigmoid),
        ("vanishing_gradient", "not_learning"), partial(deep_board, nn.ReLU),
    ),
    Case(
        "genes-by-heart", Goal("cross-entropy", at_most=0.65),
        partial(genes, 256, 128, lr=2e-3, decay=0.0), ("overfitting",), genes,
    ),
    Case(
        "houses-unscaled-prices", Goal("R2", at_least=0.8), partial(priced, lambda data: data),
        ("learning_rate_too_high", "unstable_loss", "exploding_gradient"), priced,
    ),
)  # fmt: skip
