"""Programs by people of several trades: sound, medicine, shops and genes."""

from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Listener(LightningModule):
    """The logarithm of a spectrogram, two convolutions, a GRU; parts of it hidden in training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(128))
        self.conv = nn.Sequential(
            nn.Conv2d(1, 12, 3, stride=(2, 1), padding=1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        )  # fmt: skip
        self.gru = nn.GRU(204, 32, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(64, 6)

    def spectrogram(self, wave: Tensor) -> Tensor:
        bins = torch.stft(wave, 128, 64, window=self.window, return_complex=True)
        level = torch.log(bins.abs().square() + 1e-3)
        level = level - level.mean((1, 2), keepdim=True)
        return level / level.std((1, 2), keepdim=True)

    def forward(self, wave: Tensor) -> Tensor:
        spec = self.spectrogram(wave)
        if self.training:
            low, first = torch.randint(55, ()).item(), torch.randint(25, ()).item()
            spec[:, low : low + 8] = 0
            spec[:, :, first : first + 4] = 0
        found = self.conv(spec[:, None])
        states, _ = self.gru(found.flatten(1, 2).transpose(1, 2))
        logits: Tensor = self.fc(states.mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        audio, word = batch
        loss = F.cross_entropy(self(audio), word)
        self.log("train_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def listener() -> Program:
    data = surveys.spoken()
    module = Listener()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Volumes(LightningModule):
    """Small lesions in scans, four at a time: Dice and weighted cross-entropy at two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv3d(1, 8, 3, padding=1), nn.InstanceNorm3d(8, affine=True), nn.LeakyReLU(0.01)
        )
        self.deep = nn.Sequential(
            nn.Conv3d(8, 16, 3, stride=2, padding=1), nn.InstanceNorm3d(16, affine=True),
            nn.LeakyReLU(0.01), nn.Conv3d(16, 16, 3, padding=1), nn.LeakyReLU(0.01),
        )  # fmt: skip
        self.coarse = nn.Conv3d(16, 1, 1)
        self.up = nn.ConvTranspose3d(16, 8, 2, 2)
        self.fine = nn.Sequential(
            nn.Conv3d(16, 8, 3, padding=1), nn.LeakyReLU(0.01), nn.Conv3d(8, 1, 1)
        )

    def heads(self, scan: Tensor) -> tuple[Tensor, Tensor]:
        top = self.down(scan)
        deep = self.deep(top)
        return self.fine(torch.cat([top, self.up(deep)], 1)), self.coarse(deep)

    def forward(self, scan: Tensor) -> Tensor:
        return self.heads(scan)[0]

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        p = logits.sigmoid()
        dice = 1 - (2 * (p * mask).sum() + 1e-5) / (p.sum() + mask.sum() + 1e-5)
        weight = torch.tensor(10.0)
        return dice + F.binary_cross_entropy_with_logits(logits, mask, pos_weight=weight)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        fine, coarse = self.heads(batch["image"])
        loss = self.loss(fine, batch["label"])
        loss = loss + 0.5 * self.loss(coarse, F.max_pool3d(batch["label"], 2))
        self.log("train_dice_ce", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.02, 0.99, nesterov=True, weight_decay=3e-5)
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, 15, 0.9)
        return [optimizer], [schedule]


def volumes() -> Program:
    scan, mask = surveys.lesions()
    scan = (scan.clamp(-100, 300) - 40) / 80
    rows = [{"image": a, "label": b} for a, b in zip(scan[:112], mask[:112], strict=True)]
    module = Volumes()

    def score() -> float:
        found = (outputs(module, scan[112:]) > 0).float()
        return (2 * (found * mask[112:]).sum() / (found.sum() + mask[112:].sum())).item()

    train = DataLoader(rows, 4, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, None, 15, score)


class Customer(NamedTuple):
    """What is known of customers, and whether they left."""

    categories: Tensor
    numbers: Tensor
    left: Tensor


class Churn(LightningModule):
    """Embeddings, much dropout, mixed rows and smoothed labels: validation looks better."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.embeds = nn.ModuleList(nn.Embedding(n, 6) for n in sizes)
        self.body = nn.Sequential(
            nn.Linear(6 * len(sizes) + 5, 96), nn.BatchNorm1d(96), nn.PReLU(), nn.Dropout(0.5),
            nn.Linear(96, 48), nn.BatchNorm1d(48), nn.PReLU(), nn.Dropout(0.5), nn.Linear(48, 1),
        )  # fmt: skip

    def encode(self, batch: Customer) -> Tensor:
        found = [e(batch.categories[:, k]) for k, e in enumerate(self.embeds)]
        return torch.cat([*found, batch.numbers], 1)

    def training_step(self, batch: Customer, batch_idx: int) -> Tensor:
        share = torch.rand(len(batch.left), 1) * 0.4
        x = self.encode(batch)
        x = (1 - share) * x + share * x.roll(1, 0)
        y = (0.95 * batch.left + 0.025)[:, None]
        y = (1 - share) * y + share * y.roll(1, 0)
        loss = F.binary_cross_entropy_with_logits(self.body(x), y)
        self.log("train_logloss", loss)
        return loss

    def forward(self, batch: Customer) -> Tensor:
        found: Tensor = self.body(self.encode(batch))
        return found[:, 0]

    def validation_step(self, batch: Customer, batch_idx: int) -> None:
        loss = F.binary_cross_entropy_with_logits(self(batch), batch.left)
        self.log("valid_logloss", loss)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        total = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=total)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def customers(count: int = 3000) -> list[Customer]:
    """Each kind of a category has an effect of its own; two numbers count as a product."""
    generator = torch.Generator().manual_seed(61)
    sizes = torch.tensor([12, 7, 30, 4])
    rows = (torch.rand(count, 4, generator=generator) * sizes).long()
    effects = torch.randn(4, 30, generator=generator)
    numbers = torch.randn(count, 5, generator=generator)
    value = effects[torch.arange(4), rows].sum(1) + 1.5 * numbers[:, 0] * numbers[:, 1]
    value = 1.5 * value - numbers[:, 2] + torch.randn(count, generator=generator)
    return [Customer(*row) for row in zip(rows, numbers, (value > 0).float(), strict=True)]


def churn() -> Program:
    rows = customers()
    module = Churn((12, 7, 30, 4))
    test = torch.utils.data.default_collate(rows[2200:])

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return ((module(test) > 0) == (test.left > 0.5)).float().mean().item()

    train = DataLoader(rows[:2200], 64, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, DataLoader(rows[2200:], 200), 14, score)  # type: ignore[arg-type]


class Baskets(LightningModule):
    """Guesses all that a user likes from half of it; the loss is a sum over 150 items."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(items, 32), nn.Linear(32, items)

    def forward(self, liked: Tensor) -> Tensor:
        x = F.dropout(F.normalize(liked), 0.5, self.training)
        scores: Tensor = self.decode(torch.tanh(self.encode(x)))
        return scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (liked,) = batch
        loss = -(self(liked).log_softmax(1) * liked).sum(1).mean()
        self.log("multinomial_nll", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=1e-4)


def baskets() -> Program:
    liked, kept_back, known = surveys.likes()
    table = torch.zeros(len(liked), 150)
    table[known[:, 0], known[:, 1]] = 1
    module = Baskets(150)

    def score() -> float:
        """Share of what was kept back among the twenty first."""
        best = outputs(module, table).masked_fill(table > 0, -1e9).topk(20).indices
        return (kept_back[:, :, None] == best[:, None]).any(2).float().mean().item()

    return Program(module, DataLoader(TensorDataset(table), 20, shuffle=True), None, 30, score)


class Lasso(torch.optim.Optimizer):
    """Steps along the gradient, after which small weights are set to 0."""

    def __init__(self, params: Any, lr: float, penalty: float) -> None:
        super().__init__(params, {"lr": lr, "penalty": penalty})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(p.grad, alpha=group["lr"])
                    if p.ndim > 1:
                        p.copy_(F.softshrink(p, group["lr"] * group["penalty"]))
        return loss


def genes() -> Program:
    """Ten genes of four hundred matter, for a hundred people; most weights are to be 0."""
    data = surveys.genes()
    network = nn.Linear(400, 2)
    module = LitClassifier(network, partial(Lasso, lr=0.02, penalty=0.09))
    return Program(module, *loaders(data, 24), 60, partial(accuracy, module, data))


CASES = (
    Case("words-spectrogram-gru", Goal("accuracy", at_least=0.9), listener),
    Case("lesions-deep-supervision", Goal("Dice", at_least=0.7), volumes),
    Case("customers-mixed-rows", Goal("accuracy", at_least=0.75), churn),
    Case("likes-from-other-likes", Goal("recall at 20", at_least=0.3), baskets),
    Case("genes-mostly-zero-weights", Goal("accuracy", at_least=0.8), genes),
)
