"""What a doctoral student and a field institute train on quakes, with one mistake each."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import seismology
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset


class DilatedPicker(LightningModule):
    """Noise, P or S at each sample, by many dilated convolutions one behind the other."""

    def __init__(self, skip: bool, depth: int = 14, width: int = 16) -> None:
        super().__init__()
        self.skip = skip
        self.first = nn.Conv1d(3, width, 7, padding=3)
        self.stack = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2 ** (i % 5), dilation=2 ** (i % 5))
            for i in range(depth)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, width) for _ in range(depth if skip else 0))
        self.last = nn.Conv1d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        for i, conv in enumerate(self.stack):
            x = x + F.relu(self.norms[i](conv(x))) if self.skip else F.relu(conv(x))
        logits: Tensor = self.last(x)
        return logits

    def step(self, batch: list[Tensor], name: str) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log(f"{name}_loss", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def near_picks(module: LightningModule, x: Tensor, arrival: Tensor, within: int = 8) -> float:
    """Share of the P picks that are near an analyst's."""
    pick = outputs(module, x)[:, 1].argmax(1)
    return ((pick - arrival[:, 0]).abs() <= within).float().mean().item()


def dilated(skip: bool) -> Program:
    data, arrival = seismology.events(1500)
    module = DilatedPicker(skip)
    score = partial(near_picks, module, data.x_test, arrival)
    return Program(module, *loaders(data, 32), 12, score)


class TowerResponse(LightningModule):
    """A roof's movement by a plain recurrent network, its matrix orthogonal times a gain."""

    def __init__(self, nonlinearity: str, gain: float, hidden: int = 32) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity=nonlinearity, batch_first=True)
        nn.init.orthogonal_(self.rnn.get_parameter("weight_hh_l0"), gain=gain)
        self.read = nn.Linear(hidden, 1)

    def forward(self, ground: Tensor) -> Tensor:
        states, _ = self.rnn(ground[..., None])
        roof: Tensor = self.read(states)
        return roof.squeeze(2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        ground, roof = batch
        loss = F.mse_loss(self(ground), roof)
        self.log("train_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tower(nonlinearity: str, gain: float, clip: float | None = None) -> Program:
    data, module = seismology.towers(600), TowerResponse(nonlinearity, gain)
    trainer = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 20), 20, partial(r2, module, data), trainer)


def weights_init(module: nn.Module) -> None:
    """Of all convolutions and the head, applied once."""
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def xavier_init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class GatedBlock(nn.Module):
    """Two dilated convolutions, the one to be let through, the other to say how much."""

    def __init__(self, before: int, after: int, dilation: int) -> None:
        super().__init__()
        self.filter = nn.Conv1d(before, after, 5, padding=2 * dilation, dilation=dilation)
        self.gate = nn.Conv1d(before, after, 5, padding=2 * dilation, dilation=dilation)
        self.tanh, self.sigmoid = nn.Tanh(), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        through: Tensor = self.tanh(self.filter(x)) * self.sigmoid(self.gate(x))
        return through


class FaultFinder(LightningModule):
    """Five faults of a seismometer by gated convolutions."""

    def __init__(self, init: Callable[[nn.Module], None], width: int = 20) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(GatedBlock(width if i else 1, width, 2**i) for i in range(4)))
        self.fc = nn.Linear(2 * width, len(seismology.FAULTS))
        self.apply(init)

    def forward(self, hour: Tensor) -> Tensor:
        maps = self.blocks(hour)
        logits: Tensor = self.fc(torch.cat([maps.mean(2), maps.amax(2)], 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.binary_cross_entropy_with_logits(logits, batch[1]))
        self.log("val_acc", ((logits > 0) == (batch[1] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=6e-3)


def macro_f1(module: LightningModule, data: Samples) -> float:
    found, real = outputs(module, data.x_test) > 0, data.y_test > 0.5
    both = (found & real).sum(0)
    return (2 * both / (found.sum(0) + real.sum(0)).clamp(min=1)).mean().item()


def gated(init: Callable[[nn.Module], None]) -> Program:
    data, module = seismology.recorders(), FaultFinder(init)
    return Program(module, *loaders(data, 32), 15, partial(macro_f1, module, data))


class SourceNet(LightningModule):
    """Traffic, blast, quake, wind or sea, from levels in twenty bands."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 5)
        )

    def forward(self, levels: Tensor) -> Tensor:
        logits: Tensor = self.net(levels)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def cabinets(corrected: bool) -> Program:
    """Records are read as they were written; ``corrected`` takes the wandering out of the bands."""
    data = seismology.cabinets(corrected)
    module = SourceNet()
    both = loaders(data, 32, shuffle=False)
    return Program(module, *both, 12, partial(accuracy, module, data))


class DisplacementNet(LightningModule):
    """The displacement that is to come from the first seconds of P."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion
        self.net = nn.Sequential(
            nn.Conv1d(1, 16, 9, stride=2, padding=4), nn.ReLU(),
            nn.Conv1d(16, 24, 7, stride=2, padding=3), nn.ReLU(),
            nn.Conv1d(24, 24, 5, stride=2, padding=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(24 * 12, 32), nn.ReLU(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        displacement: Tensor = self.net(trace)
        return displacement.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_loss", self.criterion(found, batch[1]), prog_bar=True)
        self.log("val_mae", (found - batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def displacement(criterion: nn.Module, broken: float = 0.01) -> Program:
    """Some of the targets to train on came with a bit of their exponent turned over."""
    data = seismology.velocities()
    generator = torch.Generator().manual_seed(5)
    turned = torch.rand(len(data.y), generator=generator) < broken
    power = torch.randint(4, 8, (len(data.y),), generator=generator)
    seen = data._replace(y=torch.where(turned, data.y * 2.0**power, data.y))
    module = DisplacementNet(criterion)
    return Program(module, *loaders(seen, 32), 12, partial(r2, module, data))


class FirstMotionNet(LightningModule):
    """Whether the ground first moved up."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 12, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(12, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(16 * 8, 1),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        logit: Tensor = self.net(trace)
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, batch[1].float()))
        self.log("val_acc", ((logit > 0) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def up_share(module: LightningModule, data: Samples) -> float:
    return ((outputs(module, data.x_test) > 0) == data.y_test).float().mean().item()


def first_motions(sampled: float) -> Program:
    """The catalogue counts samples at one rate, and the records were stored at another."""
    data, module = seismology.first_motions(4000, sampled=sampled), FirstMotionNet()
    return Program(module, *loaders(data, 64), 8, partial(up_share, module, data))


class Signals(Dataset[dict[str, Tensor]]):
    """Spectrograms and kinds, as two observatories list them."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"spectrogram": self.x[index], "kind": self.y[index]}


class TwoObservatories(LightningModule):
    """Signals of two volcanoes by one network."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, seismology.KINDS),
        )  # fmt: skip

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.cnn(spectrogram)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["spectrogram"]), batch["kind"])
        self.log("train_loss", loss, batch_size=len(batch["kind"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits, kind = self(batch["spectrogram"]), batch["kind"]
        self.log("val_loss", F.cross_entropy(logits, kind), batch_size=len(kind))
        self.log("val_acc", (logits.argmax(1) == kind).float().mean(), batch_size=len(kind))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


ALPHABETICAL = torch.tensor([3, 0, 2, 1])


def observatories(agreed: bool) -> Program:
    """One institute numbers the kinds as they were found, and the other by the alphabet."""
    data, module = seismology.volcano(), TwoObservatories()
    there = torch.rand(len(data.y), generator=torch.Generator().manual_seed(1)) < 0.5
    there_too = torch.rand(len(data.y_test), generator=torch.Generator().manual_seed(2)) < 0.5
    y, y_test = data.y, data.y_test
    if not agreed:
        y = torch.where(there, ALPHABETICAL[y], y)
        y_test = torch.where(there_too, ALPHABETICAL[y_test], y_test)
    train = DataLoader(Signals(data.x, y), 32, shuffle=True)
    test = DataLoader(Signals(data.x_test, y_test), 200)
    return Program(module, train, test, 12, partial(accuracy, module, data))


class AveragedAzimuth(LightningModule):
    """Where a wave comes from, by the mean over stations; evaluated by averaged weights."""

    def __init__(self, decay: float, width: int = 48) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 2),
        )  # fmt: skip
        self.ema = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        self.ema.requires_grad_(False)

    def forward(self, stations: Tensor) -> Tensor:
        model = self.model if self.training else self.ema
        place, delay, runs = stations[..., :2], stations[..., 2:3], stations[..., 3:]
        count = runs.sum(1)
        late = delay - (delay * runs).sum(1, keepdim=True) / count[:, None]
        moments = torch.cat([place * late, place * place, place.prod(2, keepdim=True), late], 2)
        pooled = (moments * runs).sum(1) / count
        direction: Tensor = model(torch.cat([pooled, (place * runs).sum(1) / count], 1))
        return direction

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss)
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.ema.update_parameters(self.model)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.model.parameters(), lr=3e-3)


def degrees(module: LightningModule, data: Samples) -> float:
    cosine = F.cosine_similarity(outputs(module, data.x_test), data.y_test).clamp(-1, 1)
    return cosine.acos().rad2deg().mean().item()


def averaged(decay: float) -> Program:
    data, module = seismology.arrays(4800), AveragedAzimuth(decay)
    return Program(module, *loaders(data, 64), 14, partial(degrees, module, data))


class BayesLinear(nn.Module):
    """Weights drawn anew at each pass in training, and how far they are from their prior."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.log_sd = nn.Parameter(torch.full((outputs, inputs), -4.0))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.mean
        if self.training:
            weight = weight + self.log_sd.exp() * torch.randn_like(weight)
        return F.linear(x, weight, self.bias)

    def divergence(self) -> Tensor:
        """Kullback and Leibler's, from a normal distribution of deviation 1."""
        variance = (2 * self.log_sd).exp()
        return 0.5 * (variance + self.mean.square() - 1 - variance.log()).sum()


class BayesianGroundMotion(LightningModule):
    """Weights as distributions, to say how sure the model is of an acceleration."""

    def __init__(self, records: int) -> None:
        super().__init__()
        self.records = records
        self.first, self.second, self.third = (
            BayesLinear(8, 32), BayesLinear(32, 16), BayesLinear(16, 1),
        )  # fmt: skip
        self.log_sigma = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.third(self.second(self.first(x).tanh()).tanh())
        return mean.squeeze(1)

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, y = batch
        return F.gaussian_nll_loss(self(x), y, (2 * self.log_sigma).exp().expand_as(y))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        layers = (self.first, self.second, self.third)
        nll = self.nll(batch)
        kl = torch.stack([layer.divergence() for layer in layers]).sum() / self.records
        self.log_dict({"nll": nll, "kl": kl, "sigma": self.log_sigma.exp()})
        return nll + kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch))
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def bayesian(per_record: bool) -> Program:
    data = seismology.shaking(4000)
    module = BayesianGroundMotion(len(data.y) if per_record else 1)
    return Program(module, *loaders(data, 64), 20, partial(r2, module, data))


class ReportTransformer(LightningModule):
    """Intensity from the words of those who felt it; the rate rises for a while at first."""

    def __init__(self, warmup_steps: int, dim: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(seismology.WORDS, dim, padding_idx=0)
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classify = nn.Linear(dim, 5)

    def forward(self, words: Tensor) -> Tensor:
        padding = words == 0
        states = self.encoder(self.embed(words), src_key_padding_mask=padding)
        real = (~padding).unsqueeze(-1).float()
        logits: Tensor = self.classify((states * real).sum(1) / real.sum(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_mae", (logits.argmax(1) - batch[1]).abs().float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        warmup: int = self.hparams["warmup_steps"]
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warmup)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def report_words(warmup_steps: int) -> Program:
    data, module = seismology.reports(), ReportTransformer(warmup_steps)

    def score() -> float:
        found = outputs(module, data.x_test).argmax(1)
        return (found - data.y_test).abs().float().mean().item()

    return Program(module, *loaders(data, 32), 6, score, {"gradient_clip_val": 1.0})


CASES = (
    Case(
        "arrivals-picked-by-fourteen-dilations", Goal("near picks", at_least=0.65),
        partial(dilated, False),
        ("vanishing_gradient", "poor_initialization", "not_learning"), partial(dilated, True),
    ),
    Case(
        "towers-recurrence-with-the-gain-for-relu", Goal("R2", at_least=0.8),
        partial(tower, "relu", math.sqrt(2)),
        ("exploding_gradient", "poor_initialization", "non_finite"),
        partial(tower, "tanh", 1.0, clip=0.5),
    ),
    Case(
        "seismometers-gated-convolutions", Goal("macro F1", at_least=0.65),
        partial(gated, weights_init), ("saturated_activation", "poor_initialization"),
        partial(gated, xavier_init),
    ),
    Case(
        "sources-read-in-the-order-of-recording", Goal("accuracy", at_least=0.8),
        partial(cabinets, False), ("covariate_shift",), partial(cabinets, True),
    ),
    Case(
        "displacements-as-they-were-telemetered", Goal("R2", at_least=0.85),
        partial(displacement, nn.MSELoss()),
        ("unstable_loss", "exploding_gradient", "inconsistent_labels"),
        partial(displacement, nn.HuberLoss()),
    ),
    Case(
        "first-motions-cut-at-another-rate", Goal("accuracy", at_least=0.8),
        partial(first_motions, 2.0), ("not_learning", "inconsistent_labels"),
        partial(first_motions, 1.0),
    ),
    Case(
        "volcanoes-of-two-observatories", Goal("accuracy", at_least=0.85),
        partial(observatories, False), ("inconsistent_labels",), partial(observatories, True),
    ),
    Case(
        "azimuths-by-averaged-weights", Goal("degrees", at_most=15), partial(averaged, 0.9999),
        ("train_eval_mismatch",), partial(averaged, 0.98),
    ),
    Case(
        "ground-shaking-weights-as-distributions", Goal("R2", at_least=0.8),
        partial(bayesian, False), ("over_regularized", "not_learning"), partial(bayesian, True),
    ),
    Case(
        "felt-reports-warm-up-of-a-paper", Goal("error", at_most=0.6),
        partial(report_words, 40_000), ("learning_rate_too_low",), partial(report_words, 100),
    ),
)  # fmt: skip
