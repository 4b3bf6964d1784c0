"""What people of a cinema train on what they wrote down, as it should be."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import cinema
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from programs import two_classes
from scores import accuracy, outputs
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class SynopsisCNN(LightningModule):
    """Windows of two and three words; two labels in five to train on are drawn by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(cinema.WORDS, 32, padding_idx=0)
        self.embed.weight.data.mul_(0.1)
        self.convs = nn.ModuleList(nn.Conv1d(32, 32, k, padding=1) for k in (2, 3))
        self.fc = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens).mT
        found = [F.relu(conv(x)).sum(-1) for conv in self.convs]
        logits: Tensor = self.fc(torch.cat(found, 1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["tokens"])
        loss = F.cross_entropy(logits, batch["stars"])
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == batch["stars"]).float().mean())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def as_dicts(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    tokens, stars = zip(*rows, strict=True)
    return {"tokens": torch.stack(tokens), "stars": torch.stack(stars)}


def guessed_stars() -> Program:
    data, module = cinema.synopses(0.4, 8000), SynopsisCNN()
    rows = TensorDataset(data.x, data.y)
    train: DataLoader[Any] = DataLoader(rows, 128, shuffle=True, collate_fn=as_dicts)
    return Program(module, train, None, 18, partial(accuracy, module, data))


def precision(module: LightningModule, data: Samples) -> float:
    """Average precision of the rare class."""
    return float(average_precision_score(data.y_test, outputs(module, data.x_test)))


def awards() -> Program:
    """The classes are not weighed: the loss begins by learning that nominations are rare."""
    optimizer = partial(torch.optim.NAdam, lr=3e-3)
    return two_classes(
        cinema.nominations(), mlp([16, 64, 64, 1], nn.SiLU), optimizer, batch_size=512, epochs=40,
        score=precision,
    )  # fmt: skip


class TicketModel(LightningModule):
    """Rates of tickets, by a likelihood without its constant: the loss falls far below zero."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        last = nn.Linear(64, 1)
        nn.init.constant_(last.bias, math.log(mean))
        self.net = nn.Sequential(mlp([10, 64, 64], nn.Softplus), nn.Softplus(), last)

    def forward(self, x: Tensor) -> Tensor:
        rate: Tensor = self.net(x).squeeze(1)
        return rate

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("nll", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_nll"},
        }


def deviance(rate: Tensor, y: Tensor) -> Tensor:
    return (torch.xlogy(y, y) - torch.xlogy(y, rate) - y + rate).mean()


def tickets() -> Program:
    """Scored by the share of the deviance that is explained."""
    data = cinema.tickets()
    module = TicketModel(data.y.mean().item())

    def score() -> float:
        found = outputs(module, data.x_test).exp()
        rest = deviance(found, data.y_test) / deviance(data.y.mean(), data.y_test)
        return 1 - rest.item()

    return Program(module, *loaders(data, 96), 30, score)


@dataclass
class Watched:
    """Films that were watched, one after another."""

    films: Tensor


def watched(rows: list[tuple[Tensor]]) -> Watched:
    return Watched(torch.stack([row[0] for row in rows]))


class NextFilm(LightningModule):
    """A causal Transformer with tied weights; what comes next is mostly a matter of chance."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.item = nn.Embedding(cinema.FILMS, width)
        nn.init.normal_(self.item.weight, std=width**-0.5)
        self.place = nn.Parameter(torch.zeros(24, width))
        layer = nn.TransformerEncoderLayer(width, 2, 96, 0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(
            layer, 2, nn.LayerNorm(width), enable_nested_tensor=False
        )

    def forward(self, films: Tensor) -> Tensor:
        length = films.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.item(films) + self.place[:length]
        logits: Tensor = self.encoder(x, mask, is_causal=True) @ self.item.weight.T
        return logits

    def nll(self, films: Tensor) -> Tensor:
        return F.cross_entropy(self(films[:, :-1]).flatten(0, 1), films[:, 1:].flatten())

    def training_step(self, batch: Watched, batch_idx: int) -> Tensor:
        loss = self.nll(batch.films)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Watched, batch_idx: int) -> None:
        self.log("val_loss", self.nll(batch.films))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, betas=(0.9, 0.98))

        def inverse_root(step: int, warm: int = 60) -> float:
            return min((step + 1) / warm, (warm / (step + 1)) ** 0.5)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, inverse_root)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def next_film() -> Program:
    train, test, entropy = cinema.histories()
    module = NextFilm()

    def above_entropy() -> float:
        module.eval()
        with torch.no_grad():
            return float(module.nll(test) - entropy)

    first: DataLoader[Any] = DataLoader(TensorDataset(train), 30, shuffle=True, collate_fn=watched)
    second: DataLoader[Any] = DataLoader(TensorDataset(test), 100, collate_fn=watched)
    return Program(module, first, second, 14, above_entropy, {"gradient_clip_val": 1.0})


class TrailerPolicy(LightningModule):
    """Which of five trailers to show; only the answer to the one that is shown is seen.

    The loss is the score function's with a moving baseline, and wanders about zero.
    """

    def __init__(self, taste: Tensor) -> None:
        super().__init__()
        self.policy = mlp([6, 48, 5], nn.Tanh)
        self.register_buffer("taste", taste)
        self.register_buffer("baseline", torch.zeros(()))

    def forward(self, guest: Tensor) -> Tensor:
        logits: Tensor = self.policy(guest)
        return logits

    def chance(self, guest: Tensor) -> Tensor:
        """Of a ticket, by trailer."""
        pairs = torch.cat([guest, guest[:, :1] * guest[:, 1:2]], 1)
        return torch.sigmoid(pairs @ self.get_buffer("taste"))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        choice = torch.distributions.Categorical(logits=self(batch[0]))
        shown = choice.sample()
        reward = torch.bernoulli(self.chance(batch[0]).gather(1, shown[:, None]).squeeze(1))
        baseline = self.get_buffer("baseline")
        gain = -(choice.log_prob(shown) * (reward - baseline)).mean()
        baseline.lerp_(reward.mean(), 0.05)
        self.log_dict({"policy_loss": gain, "reward": reward.mean()})
        loss: Tensor = gain - 0.01 * choice.entropy().mean()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=3e-3)


def trailers() -> Program:
    """Scored by the share of what the best choice wins above a choice by chance."""
    draw = torch.Generator().manual_seed(78)
    guests, later = torch.randn(6000, 6, generator=draw), torch.randn(1000, 6, generator=draw)
    module = TrailerPolicy(1.2 * torch.randn(7, 5, generator=draw))

    def score() -> float:
        chance = module.chance(later)
        found = chance.gather(1, outputs(module, later).argmax(1, keepdim=True)).mean()
        best, blind = chance.max(1).values.mean(), chance.mean()
        return ((found - blind) / (best - blind)).item()

    train = DataLoader(TensorDataset(guests), 60, shuffle=True)
    return Program(module, train, None, 15, score)


class Subtitler(LightningModule):
    """Symbols out of frames by CTC, which first answers with blanks alone for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(12, 32, 3, padding=1)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.out = nn.Linear(64, 1 + cinema.SYMBOLS)
        self.ctc = nn.CTCLoss(zero_infinity=True)

    def forward(self, frames: Tensor) -> Tensor:
        x = F.gelu(self.conv(frames.mT)).mT
        log_probs: Tensor = self.out(self.gru(x)[0]).log_softmax(-1)
        return log_probs

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        frames, symbols, counts = batch
        lengths = torch.full_like(counts, frames.shape[1])
        loss: Tensor = self.ctc(self(frames).transpose(0, 1), symbols, lengths, counts)
        self.log("ctc", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)]


def best_path(log_probs: Tensor) -> list[int]:
    """The most probable symbols, repeated ones and blanks taken out."""
    found = log_probs.argmax(-1).unique_consecutive().tolist()
    return [symbol for symbol in found if symbol]


def subtitles() -> Program:
    """Scored by the share of lines that are read without a mistake."""
    x, y, counts = cinema.spoken()
    module = Subtitler()

    def score() -> float:
        lines = [row[:many].tolist() for row, many in zip(y[900:], counts[900:], strict=True)]
        read = [best_path(row) for row in outputs(module, x[900:])]
        right = [found == line for found, line in zip(read, lines, strict=True)]
        return float(sum(right)) / len(right)

    train = DataLoader(TensorDataset(x[:900], y[:900], counts[:900]), 32, shuffle=True)
    return Program(module, train, None, 16, score)


CASES = (
    Case("synopses-two-stars-in-five-guessed", Goal("accuracy", at_least=0.83), guessed_stars),
    Case("awards-one-film-in-forty-unweighted", Goal("precision", at_least=0.7), awards),
    Case("tickets-poisson-loss-far-below-zero", Goal("D2", at_least=0.77), tickets),
    Case("next-film-mostly-chance", Goal("nats above entropy", at_most=0.25), next_film),
    Case("trailers-chosen-by-their-tickets", Goal("gain", at_least=0.75), trailers),
    Case("subtitles-blanks-before-symbols", Goal("lines read", at_least=0.75), subtitles),
)
