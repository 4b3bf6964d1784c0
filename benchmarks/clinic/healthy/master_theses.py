"""What students of many departments train for a master's thesis, as their supervisors pass it."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import master_theses as theses
from data_sets.samples import Samples, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, cross_entropy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


class Turned(Dataset[tuple[Tensor, Tensor]]):
    """Pictures and masks, both flipped and turned alike by chance."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        both = torch.cat([self.samples.x[index], self.samples.y[index]])
        both = torch.rot90(both, int(torch.randint(4, ())), (1, 2))
        if torch.rand(()) < 0.5:
            both = both.flip(2)
        return both[:1], both[1:]


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    chance = logits.sigmoid()
    both = (chance * mask).sum((1, 2, 3))
    loss: Tensor = 1 - ((2 * both + 1) / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()
    return loss


class DoubleConv(nn.Sequential):
    """Twice a convolution, its norm and a rectifier."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip


class LeafUNet(LightningModule):
    """Two levels down and up again; Dice and cross-entropy, half and half."""

    def __init__(self, base: int = 8, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.down1, self.down2 = DoubleConv(1, base), DoubleConv(base, 2 * base)
        self.bottom = DoubleConv(2 * base, 4 * base)
        self.up2 = nn.ConvTranspose2d(4 * base, 2 * base, 2, 2)
        self.dec2 = DoubleConv(4 * base, 2 * base)
        self.up1 = nn.ConvTranspose2d(2 * base, base, 2, 2)
        self.dec1, self.out = DoubleConv(2 * base, base), nn.Conv2d(base, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        bottom = self.bottom(F.max_pool2d(two, 2))
        two = self.dec2(torch.cat([self.up2(bottom), two], 1))
        logits: Tensor = self.out(self.dec1(torch.cat([self.up1(two), one], 1)))
        return logits

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        return dice_loss(logits, mask) + F.binary_cross_entropy_with_logits(logits, mask)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("train/dice_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/dice_bce", self.loss(logits, batch[1]), prog_bar=True)
        self.log("val/dice", 1 - dice_loss(logits, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-2)


def overlap(module: LightningModule, samples: Samples) -> float:
    """Intersection over union of the spots."""
    found, true = outputs(module, samples.x_test) > 0, samples.y_test > 0
    return ((found & true).sum() / (found | true).sum().clamp(min=1)).item()


def leaf_spots() -> Program:
    data, module = theses.leaves(), LeafUNet()
    train = DataLoader(Turned(data), 16, shuffle=True)
    return Program(module, train, loaders(data, 16)[1], 8, partial(overlap, module, data))


class CurveNet(LightningModule):
    """A strided convolution net over light curves; momentum and a high rate, warmed up."""

    def __init__(self, lr: float = 0.3, warmup: int = 60) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 32)):
            layers += [nn.Conv1d(before, after, 7, 2, 3, bias=False), nn.BatchNorm1d(after)]
            layers += [nn.ReLU(inplace=True)]
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(32 * 10, 4)

    def forward(self, flux: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(flux).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.1)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1], label_smoothing=0.1))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=self.hparams["lr"], momentum=0.9, weight_decay=5e-4
        )
        warmup, steps = self.hparams["warmup"], int(self.trainer.estimated_stepping_batches)

        def rate(step: int) -> float:
            if step < warmup:
                return float((step + 1) / warmup)
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def variable_stars() -> Program:
    data, module = theses.light_curves(), CurveNet()
    return Program(module, *loaders(data, 50), 20, partial(accuracy, module, data))


class Tagger(LightningModule):
    """A GRU in both directions over words; what is filled up is left out of the loss."""

    def __init__(self, words: int = 120, tags: int = 6, width: int = 40) -> None:
        super().__init__()
        self.embed = nn.Embedding(words + 1, width, padding_idx=0)
        self.drop = nn.Dropout(0.25)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.to_tags = nn.Linear(2 * width, tags)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.gru(self.drop(self.embed(words)))
        logits: Tensor = self.to_tags(self.drop(states))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["words"])
        loss = F.cross_entropy(logits.transpose(1, 2), batch["tags"], ignore_index=-100)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits, tags = self(batch["words"]), batch["tags"]
        self.log("valid_nll", F.cross_entropy(logits.transpose(1, 2), tags))
        self.log("valid_acc", (logits.argmax(2) == tags)[tags >= 0].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def rows(x: Tensor, y: Tensor, names: tuple[str, str]) -> Any:
    """Rows as dictionaries of these two names."""
    return [dict(zip(names, row, strict=True)) for row in zip(x, y, strict=True)]


def named(
    samples: Samples, batch_size: int, *names: str
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of dictionaries of two names."""
    first, second = names
    train = rows(samples.x, samples.y, (first, second))
    test = rows(samples.x_test, samples.y_test, (first, second))
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, 250)


def tag_accuracy(module: LightningModule, samples: Samples) -> float:
    found, tags = outputs(module, samples.x_test).argmax(2), samples.y_test
    return (found == tags)[tags >= 0].float().mean().item()


def dialect() -> Program:
    data, module = theses.tagged(), Tagger()
    return Program(
        module, *named(data, 25, "words", "tags"), 12, partial(tag_accuracy, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


def cox_loss(risk: Tensor, y: Tensor) -> Tensor:
    """Negative partial log-likelihood per event; ``y`` is the time and whether it is an event."""
    order = y[:, 0].argsort(descending=True)
    risk, event = risk[order], y[order, 1]
    loss: Tensor = -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum().clamp(min=1)
    return loss


def concordance(module: LightningModule, samples: Samples) -> float:
    """Share of comparable pairs in which who fell ill first had the higher risk."""
    risk, (time, event) = outputs(module, samples.x_test).flatten(), samples.y_test.unbind(1)
    if not risk.isfinite().all():
        return 0.0
    before = (time[:, None] < time[None, :]) & (event[:, None] > 0)
    higher = (risk[:, None] > risk[None, :]).float()
    higher = higher + 0.5 * (risk[:, None] == risk[None, :]).float()
    return higher[before].mean().item()


class DeepSurv(LightningModule):
    """A risk of each patient; a large decay of weights and strong dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(14, 64), nn.GELU(), nn.Dropout(0.3), nn.Linear(64, 64), nn.GELU(),
            nn.Dropout(0.3), nn.Linear(64, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        risk: Tensor = self.net(x)
        return risk.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = cox_loss(self(batch[0]), batch[1])
        self.log("partial_likelihood", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_partial_likelihood", cox_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=1.0)


def survival() -> Program:
    data, module = theses.cohort(3000), DeepSurv()
    return Program(module, *loaders(data, 150), 40, partial(concordance, module, data))


class ArmMixture(LightningModule):
    """A mixture density network: four Gaussians over both angles; the loss goes below zero."""

    def __init__(self, parts: int = 4) -> None:
        super().__init__()
        self.parts = parts
        self.trunk = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.logits, self.middles = nn.Linear(64, parts), nn.Linear(64, 2 * parts)
        self.log_widths = nn.Linear(64, 2 * parts)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.trunk(x)
        shape = (-1, self.parts, 2)
        middles, widths = self.middles(hidden), self.log_widths(hidden).clamp(-4, 2)
        return self.logits(hidden), middles.view(shape), widths.view(shape)

    def nll(self, batch: list[Tensor]) -> Tensor:
        logits, middles, log_widths = self(batch[0])
        gaussians = torch.distributions.Normal(middles, log_widths.exp())
        inside = gaussians.log_prob(batch[1][:, None]).sum(2)
        loss: Tensor = -(logits.log_softmax(1) + inside).logsumexp(1).mean()
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        nll = self.nll(batch)
        self.log("nll/train", nll)
        return {"loss": nll}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("nll/val", self.nll(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.4)]


def two_elbows() -> Program:
    data, module = theses.reaches(), ArmMixture()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.nll([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 50), 22, score)


LEVELS = (0.1, 0.5, 0.9)


def pinball(found: Tensor, y: Tensor) -> Tensor:
    """The mean loss of all quantiles of ``LEVELS``."""
    levels = torch.tensor(LEVELS)
    apart = y[:, None] - found
    return torch.maximum(levels * apart, (levels - 1) * apart).mean()


def pinball_skill(module: LightningModule, samples: Samples) -> float:
    """How much less it is than that of the quantiles of all days."""
    plain = samples.y.quantile(torch.tensor(LEVELS)).expand(len(samples.y_test), -1)
    found = pinball(outputs(module, samples.x_test), samples.y_test)
    return (1 - found / pinball(plain, samples.y_test)).item()


class Quantiles(LightningModule):
    """The middle and the distances of the outer quantiles from it; batches of eight."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(12, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU())
        self.head = nn.Linear(48, 3)

    def forward(self, signals: Tensor) -> Tensor:
        low, middle, high = self.head(self.body(signals)).unbind(1)
        return torch.stack([middle - F.softplus(low), middle, middle + F.softplus(high)], 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signals, y = batch
        loss = pinball(self(signals), y)
        self.log("pinball", loss, on_step=True, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.6),
        }


def value_at_risk() -> Program:
    data, module = theses.returns(6000), Quantiles()
    train, _ = loaders(data, 8)
    return Program(module, train, None, 4, partial(pinball_skill, module, data))


class TuneFormer(LightningModule):
    """Two causal layers of attention over notes, warmed up and then down to zero."""

    def __init__(
        self, notes: int = 12, width: int = 48, length: int = 24, peak: float = 4e-3,
        warmup: int = 80,
    ) -> None:  # fmt: skip
        super().__init__()
        self.save_hyperparameters()
        self.note, self.place = nn.Embedding(notes, width), nn.Embedding(length, width)
        for table in (self.note, self.place):
            nn.init.normal_(table.weight, std=0.1)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.next = nn.LayerNorm(width), nn.Linear(width, notes)
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, tune: Tensor) -> Tensor:
        x = self.note(tune) + self.place.weight[: tune.shape[1]]
        logits: Tensor = self.next(self.norm(self.layers(x, mask=self.mask)))
        return logits.transpose(1, 2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/next_right", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["peak"])
        schedule = torch.optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(optimizer, 0.02, 1.0, self.hparams["warmup"]),
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600),
            ],
            [self.hparams["warmup"]],
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def folk_tunes() -> Program:
    data, module = theses.melodies(), TuneFormer()
    return Program(module, *loaders(data, 30), 15, partial(cross_entropy, module, data))


class SpeakerTower(LightningModule):
    """Triplets of utterances: two of one speaker and one of another."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin
        self.tower = nn.Sequential(
            nn.Linear(32, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 96),
            nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 24),
        )  # fmt: skip

    def forward(self, spectrum: Tensor) -> Tensor:
        return F.normalize(self.tower(spectrum), dim=1)

    def triplet(self, batch: list[Tensor]) -> Tensor:
        anchor, same, other = self(torch.cat(batch)).chunk(3)
        return F.triplet_margin_loss(anchor, same, other, self.margin)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.triplet(batch)
        self.log("triplet", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("triplet_unheard", self.triplet(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


def triplets(voices: theses.Voices, count: int, seed: int) -> TensorDataset:
    """Rows of an anchor, another utterance of its speaker, and one of anybody else."""
    generator = theses.seeded(seed)
    people = voices.speaker - voices.speaker.min()
    each, total = int(people.bincount()[0]), int(people.max()) + 1
    who = torch.randint(total, (count,), generator=generator)
    else_ = (who + torch.randint(1, total, (count,), generator=generator)) % total
    a = torch.randint(each, (count,), generator=generator)
    b = (a + torch.randint(1, each, (count,), generator=generator)) % each
    c = torch.randint(each, (count,), generator=generator)
    x = voices.x
    return TensorDataset(x[who * each + a], x[who * each + b], x[else_ * each + c])


@torch.no_grad()
def told_apart(module: LightningModule, voices: theses.Voices) -> float:
    """Share of utterances whose nearest other one is of the same speaker."""
    module.eval()
    code = module(voices.x)
    near = torch.cdist(code, code).fill_diagonal_(math.inf).argmin(1)
    return (voices.speaker[near] == voices.speaker).float().mean().item()


def speakers() -> Program:
    (train, test), module = theses.voices(), SpeakerTower()
    both = (
        DataLoader(triplets(train, 3000, 1), 60, shuffle=True, drop_last=True),
        DataLoader(triplets(test, 600, 2), 300),
    )
    return Program(module, *both, 12, partial(told_apart, module, test))


class BirdCounts(LightningModule):
    """Tables of species and sites, and a wide part; a Poisson log-likelihood."""

    def __init__(self, traits: int = 8, decay: float = 0.2) -> None:
        super().__init__()
        self.decay = decay
        self.species = nn.Embedding(theses.SPECIES, traits)
        self.site = nn.Embedding(theses.SITES, traits)
        self.wide = nn.Embedding(theses.SPECIES, 1)
        for table in (self.species, self.site, self.wide):
            nn.init.normal_(table.weight, std=0.2)
        self.deep = nn.Sequential(
            nn.Linear(3 * traits + 4, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        species, site = x[:, 0].long(), x[:, 1].long()
        a, b = self.species(species), self.site(site)
        deep = self.deep(torch.cat([a, b, a * b, x[:, 2:]], 1))
        log_rate: Tensor = (deep + self.wide(species)).squeeze(1)
        return log_rate

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("poisson/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("poisson/val", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=self.decay)


def deviance_explained(module: LightningModule, samples: Samples) -> float:
    """Of Poisson counts, against their mean."""

    def deviance(rate: Tensor) -> Tensor:
        y = samples.y_test
        found: Tensor = (torch.special.xlogy(y, y / rate) - y + rate).sum()
        return found

    found = deviance(outputs(module, samples.x_test).exp().clamp(1e-6, 1e6))
    return (1 - found / deviance(samples.y.mean().expand_as(samples.y_test))).item()


def bird_counts() -> Program:
    data, module = theses.sightings(), BirdCounts()
    return Program(module, *loaders(data, 70), 10, partial(deviance_explained, module, data))


class Stages(LightningModule):
    """Ordered stages: one score and four limits that grow."""

    def __init__(self, stages: int = 5) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(18, 40), nn.LayerNorm(40), nn.GELU(), nn.Linear(40, 40), nn.LayerNorm(40),
            nn.GELU(), nn.Linear(40, 1),
        )  # fmt: skip
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.gaps = nn.Parameter(torch.zeros(stages - 2))

    def forward(self, answers: Tensor) -> Tensor:
        limits = torch.cat([self.first[None], self.first + F.softplus(self.gaps).cumsum(0)])
        logits: Tensor = self.score(answers) - limits
        return logits

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        logits = self(batch["answers"])
        above = batch["stage"][:, None] > torch.arange(logits.shape[1])
        return F.binary_cross_entropy_with_logits(logits, above.float())

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("ordinal_loss", loss, batch_size=len(batch["stage"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_ordinal_loss", self.loss(batch))
        stage = (self(batch["answers"]) > 0).sum(1)
        self.log("val_off_by", (stage - batch["stage"]).abs().float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def off_by(module: LightningModule, samples: Samples) -> float:
    """How many stages an answer is away from the true one, on the average."""
    stage = (outputs(module, samples.x_test) > 0).sum(1)
    return (stage - samples.y_test).abs().float().mean().item()


def burn_out() -> Program:
    data, module = theses.questionnaires(), Stages()
    return Program(
        module, *named(data, 36, "answers", "stage"), 12, partial(off_by, module, data)
    )  # fmt: skip


class VillageGCN(LightningModule):
    """Two graph convolutions by hand; all people at once, the clan of few of them is known."""

    def __init__(self, village: theses.Village, hidden: int = 32, dropout: float = 0.6) -> None:
        super().__init__()
        self.register_buffer("known", village.known, persistent=False)
        self.register_buffer("x", village.x, persistent=False)
        self.w1, self.w2 = nn.Linear(40, hidden, bias=False), nn.Linear(hidden, 4)
        self.dropout = dropout

    def forward(self, people: Tensor) -> Tensor:
        known: Any = self.known
        x: Any = self.x
        hidden = F.relu(known @ self.w1(F.dropout(x, self.dropout, self.training)))
        logits: Tensor = known @ self.w2(F.dropout(hidden, self.dropout, self.training))
        return logits[people]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        people, clan = batch
        loss = F.cross_entropy(self(people), clan)
        self.log("train_loss", loss, batch_size=len(people))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        people, clan = batch
        logits = self(people)
        self.log("val_loss", F.cross_entropy(logits, clan), batch_size=len(people))
        right = (logits.argmax(1) == clan).float().mean()
        self.log("val_acc", right, batch_size=len(people))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=5e-4)


def clans() -> Program:
    village = theses.village()
    module, people = VillageGCN(village), torch.arange(600)
    parts: Any = [[(part, village.clan[part])] for part in people.split([120, 180, 300])]
    train, held = (DataLoader(part, batch_size=None) for part in parts[:2])

    def score() -> float:
        found = outputs(module, people[300:]).argmax(1)
        return (found == village.clan[300:]).float().mean().item()

    return Program(module, train, held, 220, score, {"check_val_every_n_epoch": 5})


class GlyphVAE(LightningModule):
    """Ten numbers for a glyph; the divergence is warmed up over two hundred steps."""

    def __init__(self, latent: int = 10, warmup: int = 200) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, log_var = self.encoder(ink).chunk(2, 1)
        z = mu + (0.5 * log_var).exp() * torch.randn_like(mu)
        return self.decoder(z), mu, log_var

    def terms(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        logits, mu, log_var = self(ink)
        rebuilt = F.binary_cross_entropy_with_logits(logits, ink, reduction="none").sum(1).mean()
        divergence = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean()
        return rebuilt, divergence

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        rebuilt, divergence = self.terms(batch[0])
        beta = min(1.0, self.global_step / self.hparams["warmup"])
        self.log_dict({"recon": rebuilt, "kl": divergence, "beta": beta})
        loss: Tensor = rebuilt + beta * divergence
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rebuilt, divergence = self.terms(batch[0])
        self.log("val_elbo", -(rebuilt + divergence))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scribes() -> Program:
    data, module = digits(), GlyphVAE()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            rebuilt, divergence = module.terms(data.x_test)
        return (rebuilt + divergence).item()

    return Program(module, *loaders(data, 40), 25, score)


class PretrainedGlyphs(LightningModule):
    """A head over features that were learnt before, and are left as they are."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.head = nn.Linear(96, 10)

    def train(self, mode: bool = True) -> "PretrainedGlyphs":
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, ink: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(ink))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("probe/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("probe/val_loss", F.cross_entropy(logits, batch[1]))
        self.log("probe/val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=0.01, weight_decay=1e-4)


def moved(ink: Tensor) -> Tensor:
    """A pixel to any side, at any strength, with noise."""
    shift = torch.randint(-1, 2, (2,)).tolist()
    ink = ink.roll(shift, (2, 3)) * (0.8 + 0.4 * torch.rand(len(ink), 1, 1, 1))
    return ink + 0.15 * torch.randn_like(ink)


def contrasted(ink: Tensor, steps: int = 350) -> nn.Module:
    """An encoder by which two views of a glyph find each other."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
    )  # fmt: skip
    projector = nn.Sequential(nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 32))
    both = nn.Sequential(encoder, projector)
    optimizer = torch.optim.Adam(both.parameters(), lr=2e-3)
    for _ in range(steps):
        batch = ink[torch.randint(len(ink), (96,))]
        codes = F.normalize(both(torch.cat([moved(batch), moved(batch)])), dim=1)
        likeness = (codes @ codes.T / 0.2).fill_diagonal_(-math.inf)
        loss = F.cross_entropy(likeness, (torch.arange(192) + 96) % 192)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def few_letters() -> Program:
    data = digit_images()
    module = PretrainedGlyphs(contrasted(data.x))
    return Program(module, *loaders(data.first(100), 10), 40, partial(accuracy, module, data))


class LandUse(LightningModule):
    """Parcels mixed with each other and with a patch cut out; the rate starts anew twice."""

    def __init__(self, restart: int = 6) -> None:
        super().__init__()
        self.restart = restart
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
            nn.Conv2d(24, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Dropout(0.3), nn.Linear(64, 5))

    def forward(self, bands: Tensor) -> Tensor:
        maps = self.features(bands)
        logits: Tensor = self.fc(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
        row, column = torch.randint(0, 9, (2,)).tolist()
        x = x.clone()
        x[:, :, row : row + 4, column : column + 4] = 0
        share, order = 0.5 + 0.5 * float(torch.rand(())), torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[order])
        one, other = F.cross_entropy(logits, y), F.cross_entropy(logits, y[order])
        loss = share * one + (1 - share) * other
        self.log("loss/mixed", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/plain", F.cross_entropy(logits, batch[1]), prog_bar=True)
        self.log("top1/plain", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, self.restart)
        return [optimizer], [schedule]


def land_use() -> Program:
    data, module = theses.parcels(1500, 12, 2115, 0.6), LandUse()
    return Program(module, *loaders(data, 36), 18, partial(accuracy, module, data))


class MentionReader(LightningModule):
    """Attention to what was said of a name: first it guesses one of all, later it finds it."""

    def __init__(
        self, names: int = 12, values: int = 8, width: int = 32, lr: float = 1e-3,
        deviation: float = 0.3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.lr = lr
        self.name, self.value = nn.Embedding(names + 1, width), nn.Embedding(values + 1, width)
        for table in (self.name, self.value):
            nn.init.normal_(table.weight, std=deviation)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.answer = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, values))

    def left_out(self, x: Tensor) -> Tensor:
        """True for rows that are empty, as the attention wants it."""
        return x[:, :, 0] == 0

    def forward(self, x: Tensor) -> Tensor:
        rows = self.name(x[:, :, 0]) + self.value(x[:, :, 1])
        asked = rows[:, -1:]
        found, _ = self.attention(asked, rows, rows, self.left_out(x), need_weights=False)
        logits: Tensor = self.answer(self.norm(found + asked)[:, 0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/nll", F.cross_entropy(logits, batch[1]))
        self.log("val/exact", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr, betas=(0.9, 0.98))


def who_was_said() -> Program:
    data, module = theses.mentions(6000), MentionReader(deviation=0.05)
    return Program(module, *loaders(data, 60), 14, partial(accuracy, module, data))


class WrongOften(LightningModule):
    """Glyphs of which three in ten are known to be labelled at random; the loss reckons with it."""

    confusion: Tensor

    def __init__(self, wrong: float) -> None:
        super().__init__()
        self.register_buffer("confusion", (1 - wrong) * torch.eye(10) + wrong / 10)
        self.net = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 64), nn.ReLU(),
            nn.Dropout(0.4), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, ink: Tensor) -> Tensor:
        logits: Tensor = self.net(ink)
        return logits

    def forward_loss(self, batch: list[Tensor]) -> Tensor:
        chances = self(batch[0]).softmax(1) @ self.confusion
        return F.nll_loss(chances.log(), batch[1])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.forward_loss(batch)
        self.log("corrected_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("clean_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def crowd() -> Program:
    """The people who typed the glyphs in guessed some of them; the test set was typed twice."""
    data, generator = digits(), theses.seeded(2120)
    guess = torch.rand(len(data.y), generator=generator) < 0.3
    wrong = torch.randint(10, data.y.shape, generator=generator)
    data, module = data._replace(y=torch.where(guess, wrong, data.y)), WrongOften(0.3)
    return Program(module, *loaders(data, 25), 25, partial(accuracy, module, data))


class Screening(LightningModule):
    """Findings of people, drawn so that both kinds are met as often; two logits."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(16)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16, 48), nn.Linear(48, 24), nn.Linear(24, 2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(F.relu(self.fc1(self.bn(x))))
        logits: Tensor = self.fc3(F.relu(self.fc2(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        right = self(x).argmax(1) == y
        self.log("val_sensitivity", right[y == 1].float().mean().nan_to_num(), on_epoch=True)
        self.log("val_specificity", right[y == 0].float().mean(), on_epoch=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.1)


def screening() -> Program:
    data, module = theses.screened(), Screening()
    sampler = WeightedRandomSampler((1 / data.y.bincount())[data.y].tolist(), len(data.y))
    train = DataLoader(TensorDataset(data.x, data.y), 50, sampler=sampler)
    _, test = loaders(data, 50)
    return Program(module, train, test, 10, partial(balanced_accuracy, module, data))


class OutbreakNet(LightningModule):
    """Two tasks over reported cases, each with how sure it is; an LSTM behind a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 24, 6, 3)
        self.lstm = nn.LSTM(24, 40, batch_first=True)
        self.heads = nn.ModuleDict({name: nn.Linear(40, 2) for name in ("number", "duration")})

    def forward(self, cases: Tensor) -> Tensor:
        states, _ = self.lstm(F.gelu(self.conv(cases)).transpose(1, 2))
        return torch.stack([head(states[:, -1]) for head in self.heads.values()], 1)

    def losses(self, batch: list[Tensor]) -> Tensor:
        middle, log_var = self(batch[0]).unbind(2)
        return F.gaussian_nll_loss(middle, batch[1], log_var.exp(), reduction="none").mean(0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        self.log_dict(dict(zip(("train/number", "train/duration"), losses, strict=True)))
        return losses.sum()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        losses = self.losses(batch)
        self.log_dict(dict(zip(("val/number", "val/duration"), losses, strict=True)))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/number"},
        }


def outbreaks() -> Program:
    data, module = theses.epidemics(2400), OutbreakNet()

    def score() -> float:
        number = outputs(module, data.x_test)[:, 0, 0]
        return (1 - F.mse_loss(number, data.y_test[:, 0]) / data.y_test[:, 0].var()).item()

    return Program(
        module, *loaders(data, 45), 20, score, {"gradient_clip_val": 5.0}
    )  # fmt: skip


CASES = (
    Case("leaf-spots-unet-of-two-levels-dice", Goal("IoU", at_least=0.7), leaf_spots),
    Case("variable-stars-warmed-up-to-a-third", Goal("accuracy", at_least=0.93), variable_stars),
    Case("dialect-tags-gru-both-ways", Goal("accuracy", at_least=0.92), dialect),
    Case("cohort-cox-decay-of-one", Goal("concordance", at_least=0.75), survival),
    Case("robot-arm-two-elbows-mixture", Goal("NLL", at_most=-1.7), two_elbows),
    Case("daily-returns-three-quantiles-by-eights", Goal("skill", at_least=0.2), value_at_risk),
    Case("folk-tunes-causal-attention-warmed-up", Goal("cross-entropy", at_most=1.4), folk_tunes),
    Case("unheard-speakers-triplet-tower", Goal("recall at 1", at_least=0.85), speakers),
    Case("bird-counts-wide-and-deep-poisson", Goal("deviance", at_least=0.65), bird_counts),
    Case("burn-out-stages-growing-limits", Goal("stages off", at_most=0.55), burn_out),
    Case("village-clans-graph-by-hand", Goal("accuracy", at_least=0.85), clans),
    Case("scribes-hands-vae-divergence-warmed-up", Goal("-ELBO", at_most=26.5), scribes),
    Case("few-letters-after-contrasts", Goal("accuracy", at_least=0.85), few_letters),
    Case("land-use-mixed-and-started-anew", Goal("accuracy", at_least=0.85), land_use),
    Case("who-was-said-to-be-what", Goal("accuracy", at_least=0.95), who_was_said),
    Case("glyphs-typed-in-by-a-crowd", Goal("accuracy", at_least=0.9), crowd),
    Case("screening-both-kinds-as-often", Goal("balanced accuracy", at_least=0.75), screening),
    Case("outbreaks-two-tasks-and-how-sure", Goal("R2", at_least=0.7), outbreaks),
)  # fmt: skip
