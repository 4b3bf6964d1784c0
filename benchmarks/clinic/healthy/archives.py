"""What libraries and archives train, as it should be."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import archives
from data_sets.samples import loaders, patches
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Circles(LightningModule):
    """GraphSAGE with means and half of the units out; one step is the whole graph."""

    def __init__(self, links: Tensor, width: int = 32) -> None:
        super().__init__()
        self.register_buffer("mean", links / links.sum(1, keepdim=True).clamp(min=1))
        self.first, self.second = nn.Linear(48, width), nn.Linear(2 * width, 5)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.get_buffer("mean")
        x = self.drop(torch.cat([x, mean @ x], 1))
        x = self.drop(F.relu(self.first(x)))
        logits: Tensor = self.second(torch.cat([x, mean @ x], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, circle, known = (t[0] for t in batch)
        loss = F.cross_entropy(self(x)[known], circle[known])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, circle, known = (t[0] for t in batch)
        found = self(x)[~known].argmax(1)
        self.log("acc_unlabelled", (found == circle[~known]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=5e-4)


def circles() -> Program:
    """A ninth of the persons has a label."""
    found = archives.correspondence()
    known = torch.arange(len(found.x)) % 9 == 0
    graph = DataLoader(TensorDataset(found.x[None], found.circle[None], known[None]))
    module = Circles(found.links)

    def score() -> float:
        right = outputs(module, found.x).argmax(1) == found.circle
        return right[~known].float().mean().item()

    return Program(module, graph, graph, 150, score)


class DialectTagger(LightningModule):
    """A bag of words; four of ten labels are by chance, so that the loss stays high."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(archives.WORDS, 48, mode="mean")
        self.fc = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 8))

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.bag(words))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=1e-2)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
        return [optimizer], [cosine]


def noisy_dialects() -> Program:
    data, module = archives.dialects(noise=0.4), DialectTagger()
    return Program(module, *loaders(data, 64), 8, partial(accuracy, module, data))


class TitleTransformer(LightningModule):
    """One layer that looks back; tied weights of deviation 0.02, warmed up, gradients clipped."""

    def __init__(self, width: int = 64, warm_up: int = 60) -> None:
        super().__init__()
        self.warm_up = warm_up
        self.tok = nn.Embedding(archives.SUBJECTS, width)
        self.pos = nn.Embedding(16, width)
        self.block = nn.TransformerEncoderLayer(
            width, 4, 128, dropout=0.1, batch_first=True, norm_first=True, activation="gelu"
        )
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, archives.SUBJECTS, bias=False)
        self.head.weight = self.tok.weight
        for table in (self.tok, self.pos):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, words: Tensor) -> Tensor:
        length = words.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.tok(words) + self.pos(torch.arange(length))
        logits: Tensor = self.head(self.ln(self.block(x, src_mask=mask, is_causal=True)))
        return logits

    def nll(self, words: Tensor) -> Tensor:
        return F.cross_entropy(self(words[:, :-1]).flatten(0, 1), words[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch[0])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = self.nll(batch[0])
        self.log_dict({"val/loss": loss, "val/ppl": loss.exp()})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, betas=(0.9, 0.95))
        total = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            if step < self.warm_up:
                return (step + 1) / self.warm_up
            done = (step - self.warm_up) / max(1, total - self.warm_up)
            return 0.05 + 0.475 * (1 + math.cos(math.pi * done))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def titles() -> Program:
    train, test = archives.titles()
    module = TitleTransformer()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.nll(test).item()

    both = (
        DataLoader(TensorDataset(train), 32, shuffle=True),
        DataLoader(TensorDataset(test), 200),
    )
    return Program(module, *both, 16, score, {"gradient_clip_val": 1.0})


class StainRemover(LightningModule):
    """A residual net on squares of photographs with stains and grain, by absolute errors."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(0.1))
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.out = nn.Conv2d(2 * width, 3, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, stained: Tensor) -> Tensor:
        x = self.down(stained - 0.5)
        cleaned: Tensor = stained + self.out(torch.cat([x, self.body(x)], 1))
        return cleaned

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch["stained"]), batch["clean"])
        self.log("l1", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        error = F.mse_loss(self(batch["stained"]), batch["clean"])
        self.log("psnr", -10 * error.log10())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def stained(clean: Tensor, seed: int) -> Tensor:
    """Grain, and a pale round stain on each."""
    generator = torch.Generator().manual_seed(seed)
    count, _, height, width = clean.shape
    center = 16 * torch.rand(count, 2, 1, 1, generator=generator)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    away = (rows - center[:, 0]) ** 2 + (columns - center[:, 1]) ** 2
    stain = 0.5 * torch.exp(-away / 12)[:, None]
    grain = 0.08 * torch.randn(clean.shape, generator=generator)
    return clean * (1 - stain) + 0.9 * stain + grain


def photographs() -> Program:
    """Scored by the share of the squared error that is left."""
    clean, clean_test = (found[:1400] for found in patches())
    both = stained(clean, 1), stained(clean_test, 2)
    module = StainRemover()

    def pairs(x: Tensor, y: Tensor) -> Any:
        return [{"stained": a, "clean": b} for a, b in zip(x, y, strict=True)]

    def score() -> float:
        found = outputs(module, both[1])
        return (F.mse_loss(found, clean_test) / F.mse_loss(both[1], clean_test)).item()

    train = DataLoader(pairs(both[0], clean), 32, shuffle=True)
    return Program(module, train, DataLoader(pairs(both[1], clean_test), 100), 8, score)


class Cuts(LightningModule):
    """Frame by frame whether a shot ends; few do, and they weigh more."""

    def __init__(self, weight: float = 6.0) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self.net = nn.Sequential(
            nn.Conv1d(20, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 1, 1),
        )  # fmt: skip

    def forward(self, frames: Tensor) -> Tensor:
        """From each frame and how far it is from the one before."""
        before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
        x = torch.cat([frames, (frames - before).abs()], 2).transpose(1, 2)
        logits: Tensor = self.net(x).squeeze(1)
        return logits

    def bce(self, batch: list[Tensor]) -> Tensor:
        weight = self.get_buffer("weight")
        return F.binary_cross_entropy_with_logits(
            self(batch[0]), batch[1].float(), pos_weight=weight
        )

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.bce(batch)
        self.log("bce/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("bce/val", self.bce(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def cuts() -> Program:
    """Scored by F1 at a half."""
    data, module = archives.cuts(), Cuts()

    def score() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0
        hits = (found & true).sum().item()
        return 2 * hits / max(1, (found.sum() + true.sum()).item())

    return Program(module, *loaders(data, 16), 20, score)


class YearOfLetter(LightningModule):
    """Years, which the net sees as deviations from a mean year that it keeps; Huber's loss."""

    def __init__(self, years: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", years.mean())
        self.register_buffer("deviation", years.std())
        self.net = mlp([40, 64, 64, 1], nn.GELU, norm=nn.LayerNorm)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)[:, 0] * self.get_buffer("deviation") + self.get_buffer("mean")
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, year = batch
        loss = F.huber_loss(self(x), year, delta=30.0)
        self.log("huber_in_years", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, year = batch
        self.log("mae_in_years", (self(x) - year).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.3)
        return [optimizer], [schedule]


def years() -> Program:
    data = archives.dated()
    module = YearOfLetter(data.y)

    def score() -> float:
        return (outputs(module, data.x_test) - data.y_test).abs().mean().item()

    return Program(module, *loaders(data, 64), 20, score)


class SameBook(LightningModule):
    """One tower for each catalogue; a book is to find itself among those of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.ours, self.theirs = mlp([40, 96, 32]), mlp([30, 96, 32])
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, ours: Tensor, theirs: Tensor) -> Tensor:
        left = F.normalize(self.ours(ours), dim=1)
        right = F.normalize(self.theirs(theirs), dim=1)
        similarity: Tensor = self.log_scale.exp().clamp(max=100) * left @ right.T
        return similarity

    def info_nce(self, batch: list[Tensor]) -> Tensor:
        similarity = self(*batch)
        own = torch.arange(len(similarity))
        return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.info_nce(batch)
        self.log("contrastive", loss)
        self.log("temperature", (-self.log_scale).exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_contrastive", self.info_nce(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def same_book() -> Program:
    """Scored by how often the right one of 500 books is among the first five."""
    ours, theirs = archives.twice_catalogued()
    train = TensorDataset(ours[:2000], theirs[:2000])
    test = TensorDataset(ours[2000:], theirs[2000:])
    module = SameBook()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        best = module(*test.tensors).topk(5, 1).indices
        return (best == torch.arange(len(best))[:, None]).any(1).float().mean().item()

    both = DataLoader(train, 125, shuffle=True, drop_last=True), DataLoader(test, 125)
    return Program(module, *both, 20, score)


CASES = (
    Case("correspondents-a-ninth-labelled", Goal("accuracy", at_least=0.8), circles),
    Case("dialects-four-labels-in-ten-by-chance", Goal("accuracy", at_least=0.8), noisy_dialects),
    Case("titles-transformer-near-their-entropy", Goal("nll", at_most=2.2), titles),
    Case("photographs-cleaned-of-stains", Goal("error left", at_most=0.5), photographs),
    Case("reels-few-frames-are-cuts", Goal("F1", at_least=0.75), cuts),
    Case("letters-years-by-huber", Goal("error in years", at_most=20), years),
    Case("books-found-in-the-other-catalogue", Goal("recall at 5", at_least=0.9), same_book),
)
