"""Networks of chemists, doctors, hydrologists and others for their own measurements, in order."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import laboratories
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def kappa(found: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Cohen's: agreement beyond chance."""
    table = torch.zeros(classes, classes)
    table.index_put_((truth.flatten(), found.flatten()), torch.ones(truth.numel()), True)
    table = table / table.sum()
    chance = (table.sum(0) * table.sum(1)).sum()
    return (table.diagonal().sum() - chance) / (1 - chance)


def normal_variate(x: Tensor) -> Tensor:
    """Each spectrum to mean 0 and deviation 1, as spectroscopists do."""
    return (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True)


class MineralNet(LightningModule):
    """Two convolutions with norms over the Raman shift."""

    def __init__(self, minerals: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.conv1, self.bn1 = nn.Conv1d(1, 16, 9, stride=2, padding=4), nn.BatchNorm1d(16)
        self.conv2, self.bn2 = nn.Conv1d(16, 24, 7, stride=2, padding=3), nn.BatchNorm1d(24)
        self.drop, self.fc = nn.Dropout(0.4), nn.Linear(24 * 11, minerals)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.bn1(self.conv1(x[:, None])))
        h = F.max_pool1d(F.relu(self.bn2(self.conv2(h))), 4)
        logits: Tensor = self.fc(self.drop(h.flatten(1)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        spectrum, mineral = batch
        loss = F.cross_entropy(self(spectrum), mineral)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        spectrum, mineral = batch
        logits = self(spectrum)
        self.log("val_loss", F.cross_entropy(logits, mineral))
        self.log("val_accuracy", (logits.argmax(1) == mineral).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.01, 0.9, weight_decay=1e-3)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}


def minerals() -> Program:
    data = laboratories.raman()
    data = data.with_inputs(normal_variate(data.x), normal_variate(data.x_test))
    module = MineralNet(6, 12 * 33)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class BeatNet(LightningModule):
    """Beats are rare in two of three classes, so these weigh more."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv1d(1, 12, 11, padding=5), nn.ReLU(), nn.MaxPool1d(3),
            nn.Conv1d(12, 24, 7, padding=3), nn.ReLU(), nn.MaxPool1d(4), nn.Flatten(),
            nn.Dropout(0.3), nn.Linear(240, 32), nn.ELU(), nn.Linear(32, 3),
        )  # fmt: skip
        self.loss = nn.CrossEntropyLoss(weight=weights)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.cnn(x[:, None])
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        ecg, kind = batch
        loss: Tensor = self.loss(self(ecg), kind)
        self.log("weighted_ce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        ecg, kind = batch
        out = self(ecg)
        self.log("val_weighted_ce", self.loss(out, kind))
        self.log("val_kappa", kappa(out.argmax(1), kind, 3))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val_weighted_ce"},
        }


def arrhythmias() -> Program:
    data = laboratories.beats()
    share = torch.bincount(data.y) / len(data.y)
    module = BeatNet((1 / share).sqrt() / (1 / share).sqrt().mean())
    train = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True)
    validation = DataLoader(TensorDataset(data.x_test, data.y_test), 720)
    return Program(module, train, validation, 18, partial(balanced_accuracy, module, data))


class PromoterCNN(LightningModule):
    """One-hot letters, motifs as filters, the best place of each; ported from Keras."""

    def __init__(self, filters: int = 32) -> None:
        super().__init__()
        self.motifs = nn.Conv1d(4, filters, 9)
        self.spacing = nn.Conv1d(filters, filters, 12, dilation=2)
        self.dense1, self.dense2 = nn.Linear(filters, 16), nn.Linear(16, 1)
        self.dropout = nn.Dropout(0.3)

    def forward(self, dna: Tensor) -> Tensor:
        h = F.relu(self.motifs(F.one_hot(dna, 4).float().transpose(1, 2)))
        h = F.relu(self.spacing(self.dropout(h))).amax(2)
        out: Tensor = self.dense2(self.dropout(F.elu(self.dense1(h))))
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        dna, is_promoter = batch
        loss = F.binary_cross_entropy_with_logits(self(dna), is_promoter.float())
        self.log("bce", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        dna, is_promoter = batch
        out = self(dna)
        self.log("val_bce", F.binary_cross_entropy_with_logits(out, is_promoter.float()))
        hit = (out > 0) == (is_promoter == 1)
        self.log("val_sensitivity", hit[is_promoter == 1].float().mean())
        self.log("val_specificity", hit[is_promoter == 0].float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3, alpha=0.9, eps=1e-7)


def promoters() -> Program:
    data = laboratories.promoters()
    module = PromoterCNN()

    def score() -> float:
        right = (outputs(module, data.x_test) > 0) == (data.y_test == 1)
        return right.float().mean().item()

    return Program(module, *loaders(data, 48), 16, score)


class SpliceGRU(LightningModule):
    """Letters both ways; the states at the middle decide."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(4, 6)
        self.gru = nn.GRU(6, 20, batch_first=True, bidirectional=True)
        self.site = nn.Linear(40, 3)

    def forward(self, window: Tensor) -> Tensor:
        states, _ = self.gru(self.letters(window))
        logits: Tensor = self.site(states[:, window.shape[1] // 2])
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["window"]), batch["site"])
        self.log("loss/train", loss, batch_size=len(batch["site"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["window"])
        many = len(batch["site"])
        self.log("loss/valid", F.cross_entropy(logits, batch["site"]), batch_size=many)
        found = (logits.argmax(1) == batch["site"]).float().mean()
        self.log("acc/valid", found, batch_size=many)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def rows(**columns: Tensor) -> list[dict[str, Tensor]]:
    names, values = list(columns), zip(*columns.values(), strict=True)
    return [dict(zip(names, row, strict=True)) for row in values]


def splices() -> Program:
    data = laboratories.splices()
    module = SpliceGRU()
    train = DataLoader(rows(window=data.x, site=data.y), 64, shuffle=True)  # type: ignore[arg-type]
    valid = DataLoader(rows(window=data.x_test, site=data.y_test), 256)  # type: ignore[arg-type]
    return Program(module, train, valid, 8, partial(accuracy, module, data))


class LogS(LightningModule):
    """Fingerprints into the logarithm of the solubility, from its mean on."""

    def __init__(self, bits: int, mean: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(bits, 48), nn.ReLU(), nn.Dropout(0.4), nn.Linear(48, 1)
        )
        nn.init.constant_(self.layers[-1].bias, mean)  # type: ignore[arg-type]

    def forward(self, bits: Tensor) -> Tensor:
        out: Tensor = self.layers(bits)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        bits, log_s = batch
        mse = ((self(bits) - log_s) ** 2).mean()
        self.log("train_rmse", mse.sqrt())
        return mse

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        bits, log_s = batch
        mse = ((self(bits) - log_s) ** 2).mean()
        self.log("val_mse", mse)
        self.log("val_rmse", mse.sqrt())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-4, weight_decay=1e-3)


def solubility() -> Program:
    data = laboratories.solubilities()
    module = LogS(256, data.y.mean().item())
    return Program(module, *loaders(data, 32), 22, partial(r2, module, data))


class YieldNet(LightningModule):
    """The parts of a reaction as vectors, beside its conditions; the yield in percent."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Embedding(n, 8) for n in (9, 7, 4, 4))
        self.mix = nn.Sequential(
            nn.Linear(34, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 1)
        )

    def forward(self, reaction: Tensor) -> Tensor:
        ids = reaction[:, :4].long()
        vectors = [table(ids[:, i]) for i, table in enumerate(self.parts)]
        kelvin, hours = (reaction[:, 4:5] - 350) / 30, torch.log(reaction[:, 5:6] / 6)
        share: Tensor = torch.sigmoid(self.mix(torch.cat([*vectors, kelvin, hours], 1)))
        return 100 * share[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        reaction, percent = batch
        loss = F.mse_loss(self(reaction) / 100, percent / 100)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        reaction, percent = batch
        error = self(reaction) - percent
        self.log("val_mse", (error / 100).square().mean())
        self.log("val_rmse_percent", error.square().mean().sqrt(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02)
        steps = torch.optim.lr_scheduler.MultiStepLR(optimizer, [16, 22], 0.3)
        return [optimizer], [steps]


def reaction_yields() -> Program:
    data = laboratories.couplings()
    module = YieldNet()

    def score() -> float:
        return (outputs(module, data.x_test) - data.y_test).square().mean().sqrt().item()

    return Program(module, *loaders(data, 40), 26, score)


class RiverLSTM(LightningModule):
    """Rain to run-off; squared errors in parts of the variance, one minus Nash-Sutcliffe."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, variance: float, level: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        self.variance = variance
        self.lstm, self.head = nn.LSTM(3, 28, batch_first=True), nn.Linear(28, 1)
        nn.init.constant_(self.head.bias, level)

    def forward(self, weather: Tensor) -> Tensor:
        _, (last, _) = self.lstm((weather - self.mean) / self.deviation)
        flow: Tensor = self.head(last[0])
        return flow[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        weather, flow = batch
        loss = (self(weather) - flow).square().mean() / self.variance
        self.log("one_minus_nse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        weather, flow = batch
        loss = (self(weather) - flow).square().mean() / self.variance
        self.log("val_one_minus_nse", loss)
        self.log("val_nse", 1 - loss)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)]


def run_off() -> Program:
    data = laboratories.catchments()
    mean, deviation = data.x.mean((0, 1)), data.x.std((0, 1))
    module = RiverLSTM(mean, deviation, data.y.var().item(), data.y.mean().item())
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 32), 25, score, {"gradient_clip_val": 1.0})


class Lithology(LightningModule):
    """Widening convolutions down the hole, a lithology for each depth."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(5 if d == 1 else width, width, 3, padding=d, dilation=d) for d in (1, 2, 4)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, width) for _ in range(3))
        self.out, self.drop = nn.Conv1d(width, 4, 1), nn.Dropout(0.2)

    def forward(self, logs: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            logs = self.drop(F.leaky_relu(norm(conv(logs)), 0.1))
        out: Tensor = self.out(logs)
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logs, rock = batch
        loss = F.cross_entropy(self(logs), rock)
        self.log("xent", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logs, rock = batch
        out = self(logs)
        self.log("xent_val", F.cross_entropy(out, rock))
        self.log("kappa_val", kappa(out.argmax(1), rock, 4))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def column_scaled(data: Samples) -> Samples:
    """Channels to mean 0 and deviation 1 over all holes and depths."""
    mean, deviation = data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def lithologies() -> Program:
    data = column_scaled(laboratories.boreholes())
    module = Lithology()

    def score() -> float:
        return kappa(outputs(module, data.x_test).argmax(1), data.y_test, 4).item()

    return Program(module, *loaders(data, 8), 20, score)


@dataclass
class JetBatch:
    """Particles, with their presence as the last column, and the truth."""

    particles: Tensor
    two_prong: Tensor


def collate_jets(jets: list[tuple[Tensor, Tensor]]) -> JetBatch:
    particles, truth = zip(*jets, strict=True)
    return JetBatch(torch.stack(particles), torch.stack(truth).float())


class ParticleFlow(LightningModule):
    """A sum over particles, weighed by their momentum and padding left out."""

    def __init__(self) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 16)
        )
        self.rho = nn.Sequential(nn.Linear(16, 40), nn.ReLU(), nn.Linear(40, 1))

    def forward(self, particles: Tensor) -> Tensor:
        share, angles, there = particles[..., :1], particles[..., 1:3], particles[..., 3:]
        latent = (share * there * self.phi(4 * angles)).sum(1)
        out: Tensor = self.rho(latent)
        return out[:, 0]

    def training_step(self, batch: JetBatch, batch_idx: int) -> Tensor:
        logit = self(batch.particles)
        loss = F.binary_cross_entropy_with_logits(logit, batch.two_prong)
        self.log("train/bce", loss, batch_size=len(logit))
        return loss

    def validation_step(self, batch: JetBatch, batch_idx: int) -> None:
        logit = self(batch.particles)
        many = len(logit)
        loss = F.binary_cross_entropy_with_logits(logit, batch.two_prong)
        self.log("val/bce", loss, batch_size=many)
        right = (logit > 0) == (batch.two_prong == 1)
        self.log("val/purity", right.float().mean(), batch_size=many)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def tagged_jets() -> Program:
    data = laboratories.jets()
    module = ParticleFlow()
    train = DataLoader(
        TensorDataset(data.x, data.y), 50, shuffle=True, collate_fn=collate_jets, drop_last=True
    )
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 200, collate_fn=collate_jets)

    def score() -> float:
        right = (outputs(module, data.x_test) > 0) == (data.y_test == 1)
        return right.float().mean().item()

    return Program(module, train, test, 20, score)


def concordance(risk: Tensor, years: Tensor, died: Tensor) -> Tensor:
    """Of pairs whose order is known, the share in which the first to die had the higher risk."""
    known = (years[:, None] < years) & (died[:, None] == 1)
    return (risk[:, None] > risk)[known].float().mean()


class Cox(LightningModule):
    """A logarithm of hazard from lab values, by the partial likelihood of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 16), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(16, 1, bias=False)
        )

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.net(values)
        return out[:, 0]

    def likelihood(self, batch: Any) -> Tensor:
        values, years, died = batch
        order = years.argsort(descending=True)
        risk = self(values)[order]
        return -((risk - risk.logcumsumexp(0)) * died[order]).sum() / died.sum().clamp_min(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.likelihood(batch)
        self.log("neg_partial_ll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_neg_partial_ll", self.likelihood(batch))
        self.log("val_cindex", concordance(self(batch[0]), batch[1], batch[2]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-2)


def hazards() -> Program:
    data, died, died_test = laboratories.cohort()
    module = Cox()
    train = DataLoader(TensorDataset(data.x, data.y, died), 126, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test, died_test), 270)

    def score() -> float:
        return concordance(outputs(module, data.x_test), data.y_test, died_test).item()

    return Program(module, train, test, 50, score)


class Warblers(LightningModule):
    """The logarithm of the expected count."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(10, 24), nn.Linear(24, 1)

    def forward(self, habitat: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.hidden(habitat)))
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        habitat, heard = batch
        loss = F.poisson_nll_loss(self(habitat), heard)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        habitat, heard = batch
        self.log("nll_val", F.poisson_nll_loss(self(habitat), heard))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-3)


def deviance_share(log_rate: Tensor, counts: Tensor) -> float:
    """Of the deviance of the mean count, the share that a model explains."""

    def deviance(rate: Tensor) -> Tensor:
        return (torch.xlogy(counts, counts / rate) - counts + rate).sum()

    mean = counts.mean().expand_as(counts)
    return (1 - deviance(log_rate.exp()) / deviance(mean)).item()


def warblers() -> Program:
    data = standardized(laboratories.birds())
    module = Warblers()

    def score() -> float:
        return deviance_share(outputs(module, data.x_test), data.y_test)

    return Program(module, *loaders(data, 64), 28, score)


class HandNet(LightningModule):
    """Filters in time, then over electrodes; the logarithm of their power decides."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Conv2d(1, 6, (1, 25), padding=(0, 12), bias=False)
        self.space = nn.Conv2d(6, 12, (10, 1), groups=6, bias=False)
        self.norm, self.drop = nn.BatchNorm2d(12), nn.Dropout(0.25)
        self.hand = nn.Linear(12 * 4, 2)

    def forward(self, eeg: Tensor) -> Tensor:
        h = self.norm(self.space(self.time(eeg[:, None] / 10)))
        power = F.avg_pool2d(h**2, (1, 32)).clamp_min(1e-4).log()
        logits: Tensor = self.hand(self.drop(power.flatten(1)))
        return logits

    def step(self, batch: Any, stage: str) -> Tensor:
        eeg, hand = batch
        logits = self(eeg)
        loss = F.cross_entropy(logits, hand)
        self.log(f"{stage}_loss", loss, on_epoch=True, on_step=False)
        hits = (logits.argmax(1) == hand).float().mean()
        self.log(f"{stage}_acc", hits, on_epoch=True, on_step=False)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.step(batch, "test")

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)


def hands() -> Program:
    data = laboratories.imagined()
    module = HandNet()
    return Program(module, *loaders(data, 30), 16, partial(accuracy, module, data))


class Downscaler(LightningModule):
    """What height adds to the coarse temperature, in kelvin."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(2, 16, 5, padding=2), nn.PReLU(), nn.Conv2d(16, 16, 3, padding=1),
            nn.PReLU(), nn.Conv2d(16, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, fields: Tensor) -> Tensor:
        coarse, height = fields[:, :1], fields[:, 1:]
        scaled = torch.cat([(coarse - 284) / 5, (height - 600) / 300], 1)
        fine: Tensor = coarse + 2 * self.net(scaled)
        return fine

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        fields, fine = batch
        mse = F.mse_loss(self(fields), fine)
        self.log("mse_K2", mse)
        return mse

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        fields, fine = batch
        mse = F.mse_loss(self(fields), fine)
        self.log("val_mse_K2", mse)
        self.log("val_skill", 1 - mse / F.mse_loss(fields[:, :1], fine))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def fine_temperatures() -> Program:
    data = laboratories.downscaled()
    module = Downscaler()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / F.mse_loss(data.x_test[:, :1], data.y_test)).item()

    train = DataLoader(TensorDataset(data.x, data.y), 10, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 50)
    return Program(module, train, test, 12, score)


class Metabolites(LightningModule):
    """Millimoles from a trace; residuals in units of the errors that the assay gives."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(channels, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 5)
        )

    def forward(self, trace: Tensor) -> Tensor:
        amounts: Tensor = self.net(trace)
        return amounts

    def chi2(self, batch: Any) -> Tensor:
        trace, amount, error = batch
        return (((self(trace) - amount) / error) ** 2).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.chi2(batch)
        self.log("chi2_ndf", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_chi2_ndf", self.chi2(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.4)]


def amounts() -> Program:
    data, error, error_test = laboratories.metabolites()
    module = Metabolites(160)
    train = DataLoader(TensorDataset(data.x, data.y, error), 25, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test, error_test), 150)
    return Program(module, train, test, 24, partial(r2_columns, module, data))


def r2_columns(module: LightningModule, data: Samples) -> float:
    """The mean over columns of the share of variance that is explained."""
    error = (outputs(module, data.x_test) - data.y_test).square().mean(0)
    return (1 - error / data.y_test.var(0, correction=0)).mean().item()


class SmilesGRU(LightningModule):
    """Characters read to the last one that is there."""

    def __init__(self, letters: int, hidden: int = 40) -> None:
        super().__init__()
        self.embed = nn.Embedding(letters, 12, padding_idx=0)
        self.rnn, self.fc = nn.GRU(12, hidden, batch_first=True), nn.Linear(hidden, 1)

    def forward(self, text: Tensor) -> Tensor:
        lengths = (text > 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(text), lengths, batch_first=True, enforce_sorted=False
        )
        _, last = self.rnn(packed)
        logp: Tensor = self.fc(last[0])
        return logp[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_huber", F.smooth_l1_loss(found, batch[1]))
        self.log("val_mae_logP", (found - batch[1]).abs().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def lipophilicity() -> Program:
    data, letters = laboratories.strings()
    module = SmilesGRU(letters)
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 42), 14, score, {"gradient_clip_val": 5.0})


class ReactionTimes(LightningModule):
    """Seconds above a dead time as a lognormal whose centre and width are said."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 20), nn.Softplus())
        self.centre, self.log_width = nn.Linear(20, 1), nn.Linear(20, 1)

    def forward(self, trial: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(trial)
        return self.centre(h)[:, 0], self.log_width(h)[:, 0]

    def log_likelihood(self, batch: Any) -> Tensor:
        trial, seconds = batch
        centre, log_width = self(trial)
        above = (seconds - 0.15).clamp_min(1e-3).log()
        z = (above - centre) / log_width.exp()
        density: Tensor = -0.5 * z**2 - log_width - above - 0.919
        return density.mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = -self.log_likelihood(batch)
        self.log("nll_per_trial", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("nll_held_out", -self.log_likelihood(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def reaction_times() -> Program:
    """Nats per trial above one lognormal for all."""
    data = laboratories.reactions()
    module = ReactionTimes()

    def score() -> float:
        module.eval()
        above, test = (data.y - 0.15).log(), (data.y_test - 0.15).log()
        plain = torch.distributions.Normal(above.mean(), above.std()).log_prob(test) - test
        with torch.no_grad():
            found = module.log_likelihood((data.x_test, data.y_test))
        return (found - plain.mean()).item()

    return Program(module, *loaders(data, 52), 20, score)


class FrogNet(LightningModule):
    """Pictures of calls; decibels are centred first."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        layers: list[nn.Module] = []
        for before, after in ((1, 12), (12, 24), (24, 32)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after),
                nn.ReLU(), nn.MaxPool2d(2),
            ]  # fmt: skip
        self.features, self.species = nn.Sequential(*layers), nn.Linear(32 * 3, 7)

    def forward(self, decibels: Tensor) -> Tensor:
        h = self.features((decibels + 70) / 6).mean(3)
        logits: Tensor = self.species(F.dropout(h.flatten(1), 0.3, self.training))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce_train", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("ce_dev", F.cross_entropy(logits, batch[1]))
        self.log("species_right_dev", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


def frog_calls() -> Program:
    data = laboratories.frogs()
    module = FrogNet(10 * 29)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Residues(LightningModule):
    """One layer of attention over a chain, and the state of each residue."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.letter = nn.Embedding(20, width)
        self.local = nn.Conv1d(width, width, 7, padding=3)
        self.block = nn.TransformerEncoderLayer(
            width, 4, 64, 0.3, batch_first=True, norm_first=True
        )
        self.state = nn.Linear(width, 3)

    def forward(self, chain: Tensor) -> Tensor:
        h = self.letter(chain)
        h = h + F.gelu(self.local(h.transpose(1, 2))).transpose(1, 2)
        out: Tensor = self.state(self.block(h))
        return out.transpose(1, 2)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        out = self(batch[0])
        self.log("val_loss", F.cross_entropy(out, batch[1]))
        self.log("val_Q3", (out.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.1)
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / 40))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": warm, "interval": "step"}}


def secondary_structure() -> Program:
    data = laboratories.residues()
    module = Residues()

    def score() -> float:
        return (outputs(module, data.x_test).argmax(1) == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 12), 9, score)


class Profile(LightningModule):
    """A stand-in for the plasma code: settings to the whole profile."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(7, 64), nn.Linear(64, 64), nn.Linear(64, 20)

    def forward(self, settings: Tensor) -> Tensor:
        profile: Tensor = self.fc3(F.elu(self.fc2(F.elu(self.fc1(settings)))))
        return profile

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3)


def profiles() -> Program:
    data = laboratories.discharges()
    module = Profile()
    train = DataLoader(TensorDataset(data.x, data.y), 30, shuffle=True)
    return Program(module, train, None, 25, partial(r2_columns, module, data))


class Har(LightningModule):
    """A month of log variances, weighed by one small convolution and a linear part."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(22, 1)
        self.curve = nn.Sequential(nn.Linear(22, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, lags: Tensor) -> Tensor:
        out: Tensor = self.linear(lags) + self.curve(lags)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("in_sample_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("out_of_sample_mse", loss)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=5e-3, momentum=0.8, weight_decay=1e-3)


def variances() -> Program:
    data = scaled_targets(standardized(laboratories.volatilities()))
    module = Har()
    return Program(module, *loaders(data, 60), 25, partial(r2, module, data))


CASES = (
    Case("raman-minerals-as-normal-variates", Goal("accuracy", at_least=0.9), minerals),
    Case("ecg-rare-beats-by-root-weights", Goal("mean recall", at_least=0.85), arrhythmias),
    Case("promoters-two-boxes-by-filters", Goal("accuracy", at_least=0.8), promoters),
    Case("splice-sites-both-ways-to-the-middle", Goal("accuracy", at_least=0.85), splices),
    Case("fingerprints-to-log-solubility", Goal("R2", at_least=0.7), solubility),
    Case("couplings-yield-rmse-in-percent", Goal("rmse", at_most=10.0), reaction_yields),
    Case("catchments-lstm-nash-sutcliffe", Goal("nse", at_least=0.8), run_off),
    Case("boreholes-lithology-by-depth", Goal("kappa", at_least=0.8), lithologies),
    Case("jets-summed-over-particles", Goal("accuracy", at_least=0.8), tagged_jets),
    Case("cohort-cox-of-lab-values", Goal("concordance", at_least=0.68), hazards),
    Case("warblers-poisson-per-plot", Goal("deviance explained", at_least=0.24), warblers),
    Case("imagined-hands-log-power", Goal("accuracy", at_least=0.8), hands),
    Case("temperatures-downscaled-by-height", Goal("skill", at_least=0.8), fine_temperatures),
    Case("nmr-millimoles-by-given-errors", Goal("R2", at_least=0.8), amounts),
    Case("smiles-read-to-their-last-letter", Goal("R2", at_least=0.9), lipophilicity),
    Case("key-presses-lognormal-likelihood", Goal("nats gained", at_least=0.5), reaction_times),
    Case("frog-calls-one-cycle", Goal("accuracy", at_least=0.85), frog_calls),
    Case("residues-states-by-attention", Goal("Q3", at_least=0.7), secondary_structure),
    Case("plasma-profile-in-place-of-a-code", Goal("R2", at_least=0.9), profiles),
    Case("log-variances-of-tomorrow", Goal("R2", at_least=0.7), variances),
)  # fmt: skip
