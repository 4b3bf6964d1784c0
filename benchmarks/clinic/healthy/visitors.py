"""Small versions of what researchers of eight fields train, as it runs at their institutes."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import visitors
from data_sets.samples import Samples, loaders, standardized
from data_sets.visitors import Followed, Triplets
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class KeywordNet(LightningModule):
    """A residual net of convolutions over mel spectrograms, for keyword spotting."""

    def __init__(self, width: int = 20, max_lr: float = 6e-3, total_steps: int = 200) -> None:
        super().__init__()
        self.max_lr, self.total_steps = max_lr, total_steps
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
            )
            for _ in range(2)
        )  # fmt: skip
        self.head = nn.Linear(width * 4, 8)

    def forward(self, mel: Tensor) -> Tensor:
        h = self.stem(mel)
        for block in self.blocks:
            h = F.max_pool2d(F.relu(h + block(h)), 2)
        logits: Tensor = self.head(h.mean(-1).flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        mel, word = batch
        loss = F.cross_entropy(self(mel), word, label_smoothing=0.05)
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        mel, word = batch
        logits = self(mel)
        self.log("dev/ce", F.cross_entropy(logits, word))
        self.log("dev/top1", (logits.argmax(1) == word).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-4, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.max_lr, total_steps=self.total_steps
        )
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def decibels(data: Samples, middle: float = -60.0, spread: float = 10.0) -> Samples:
    return data.with_inputs((data.x - middle) / spread, (data.x_test - middle) / spread)


def keywords() -> Program:
    data, batch, epochs = decibels(visitors.commands()), 50, 7
    module = KeywordNet(total_steps=epochs * math.ceil(len(data.y) / batch))
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


class SpeechDetector(LightningModule):
    """Speech or none in each frame: a GRU in both directions after one dense layer."""

    def __init__(self, bands: int = 20, hidden: int = 24, lr: float = 3e-3) -> None:
        super().__init__()
        self.lr = lr
        self.proj = nn.Sequential(nn.Linear(bands, 32), nn.LayerNorm(32), nn.GELU())
        self.rnn = nn.GRU(32, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, 1)

    def forward(self, frames: Tensor) -> Tensor:
        out: Tensor = self.out(self.rnn(self.proj(frames))[0])
        return out.squeeze(-1)

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        frames, speech = batch
        logit = self(frames)
        loss = F.binary_cross_entropy_with_logits(logit, speech)
        self.log(f"{stage}_bce", loss, on_step=False, on_epoch=True)
        self.log(f"{stage}_frame_acc", ((logit > 0) == speech.bool()).float().mean(),
                 on_step=False, on_epoch=True)  # fmt: skip
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "valid")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def frame_accuracy(module: LightningModule, data: Samples) -> float:
    right = (outputs(module, data.x_test) > 0) == data.y_test.bool()
    return right.float().mean().item()


def speech_frames() -> Program:
    data, module = decibels(visitors.utterances()), SpeechDetector()
    return Program(
        module, *loaders(data, 24), 12, partial(frame_accuracy, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class VoiceEmbedding(LightningModule):
    """A siamese net that brings recordings of one speaker together on a sphere."""

    def __init__(self, dim: int = 16, margin: float = 0.4) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(40, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, dim)
        )
        self.margin = margin

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x), dim=1)

    def triplet_loss(self, batch: list[Tensor]) -> Tensor:
        a, p, n = self(torch.cat(batch)).chunk(3)
        far, near = (a * n).sum(1), (a * p).sum(1)
        return F.relu(far - near + self.margin).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.triplet_loss(batch)
        self.log("triplet", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_triplet", self.triplet_loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.05)


def nearer(module: LightningModule, triplets: Triplets) -> float:
    """How often the recording of the same speaker is the nearer one."""
    a, p, n = (outputs(module, x) for x in triplets)
    return ((a * p).sum(1) > (a * n).sum(1)).float().mean().item()


def voice_embeddings() -> Program:
    train, test = visitors.voices()
    module = VoiceEmbedding()
    both = (
        DataLoader(TensorDataset(*train), batch_size=100, shuffle=True),
        DataLoader(TensorDataset(*test), batch_size=500),
    )
    return Program(module, *both, 8, partial(nearer, module, test))


def double_conv(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.InstanceNorm2d(after, affine=True),
        nn.LeakyReLU(0.01), nn.Conv2d(after, after, 3, padding=1),
        nn.InstanceNorm2d(after, affine=True), nn.LeakyReLU(0.01),
    )  # fmt: skip


class LesionUNet(LightningModule):
    """A U-Net of three levels, soft Dice and cross-entropy added up."""

    def __init__(self, base: int = 8, lr: float = 4e-3, epochs: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.down1, self.down2 = double_conv(1, base), double_conv(base, 2 * base)
        self.bottom = double_conv(2 * base, 4 * base)
        self.up2 = nn.ConvTranspose2d(4 * base, 2 * base, 2, stride=2)
        self.dec2 = double_conv(4 * base, 2 * base)
        self.up1 = nn.ConvTranspose2d(2 * base, base, 2, stride=2)
        self.dec1, self.seg = double_conv(2 * base, base), nn.Conv2d(base, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        one = self.down1(image)
        two = self.down2(F.max_pool2d(one, 2))
        h = self.up2(self.bottom(F.max_pool2d(two, 2)))
        h = self.up1(self.dec2(torch.cat([h, two], 1)))
        logits: Tensor = self.seg(self.dec1(torch.cat([h, one], 1)))
        return logits

    def criterion(self, logits: Tensor, mask: Tensor) -> Tensor:
        p = logits.sigmoid()
        dice = (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        return F.binary_cross_entropy_with_logits(logits, mask) + 1 - dice

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        loss = self.criterion(self(image), mask)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, mask = batch
        logits = self(image)
        self.log("val_loss", self.criterion(logits, mask), prog_bar=True)
        self.log("val_dice", hard_dice(logits, mask), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        epochs = self.hparams["epochs"]
        return [optimizer], [torch.optim.lr_scheduler.PolynomialLR(optimizer, epochs, 0.9)]


def hard_dice(logits: Tensor, mask: Tensor, threshold: float = 0.0) -> Tensor:
    found = (logits > threshold).float()
    return 2 * (found * mask).sum() / (found.sum() + mask.sum()).clamp(min=1)


def dice_of(module: LightningModule, data: Samples) -> float:
    return hard_dice(outputs(module, data.x_test), data.y_test).item()


def lesions() -> Program:
    data, module = visitors.slices(), LesionUNet()
    return Program(module, *loaders(data, 12), 8, partial(dice_of, module, data))


def cox_loss(risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    """Negative partial log-likelihood, ties left alone."""
    order = time.argsort(descending=True)
    risk, event = risk[order], event[order].float()
    return -((risk - risk.logcumsumexp(0)) * event).sum() / event.sum().clamp(min=1)


class DeepSurv(LightningModule):
    """A log hazard of covariates."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = nn.Sequential(
            nn.Linear(18, 32), nn.SELU(), nn.AlphaDropout(0.15), nn.Linear(32, 16), nn.SELU(),
            nn.Linear(16, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.risk(x)
        return out[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, time, event = batch
        loss = cox_loss(self(x), time, event)
        self.log("neg_partial_ll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, time, event = batch
        risk = self(x)
        self.log("val_neg_partial_ll", cox_loss(risk, time, event))
        self.log("val_c_index", concordance(risk, time, event))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.1)


def concordance(risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
    pairs = (time[:, None] < time) & event[:, None]
    return (risk[:, None] > risk)[pairs].float().mean()


def survival() -> Program:
    train, test = visitors.patients()
    module = DeepSurv()
    both = (
        DataLoader(TensorDataset(*train), batch_size=170, shuffle=True),
        DataLoader(TensorDataset(*test), batch_size=700),
    )

    def score(test: Followed = test) -> float:
        return concordance(outputs(module, test.x), test.time, test.event).item()

    return Program(module, *both, 15, score)


class NoduleNet(LightningModule):
    """Three convolutions through cubes of a scan, which training turns over at random."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(12, 24, 3, padding=1), nn.GroupNorm(4, 24), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(24, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(),
            nn.AdaptiveAvgPool3d(1), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(32, classes))

    def forward(self, cube: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(cube))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cube, label = batch
        flips = [dim for dim in (2, 3, 4) if torch.rand(()) < 0.5]
        loss = F.cross_entropy(self(cube.flip(flips)), label)
        self.log("loss/train", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        cube, label = batch
        logits = self(cube)
        self.log("loss/val", F.cross_entropy(logits, label))
        self.log("acc/val", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1.5e-3)


def nodule_kinds() -> Program:
    data, module = visitors.nodules(), NoduleNet()
    return Program(module, *loaders(data, 20), 9, partial(accuracy, module, data))


class CloningActor(LightningModule):
    """Behaviour cloning: orthogonal weights, tanh within and at the end, Huber loss."""

    def __init__(self, gain: float = 2**0.5, hidden: int = 128) -> None:
        super().__init__()
        self.actor = nn.Sequential(
            nn.Linear(13, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
            nn.Linear(hidden, 4), nn.Tanh(),
        )  # fmt: skip
        linears = [layer for layer in self.actor if isinstance(layer, nn.Linear)]
        for layer in linears:
            last = layer is linears[-1]
            nn.init.orthogonal_(layer.weight, 0.01 if last else gain)
            nn.init.zeros_(layer.bias)

    def forward(self, observation: Tensor) -> Tensor:
        action: Tensor = self.actor(observation)
        return action

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        observation, action = batch
        loss = F.smooth_l1_loss(self(observation), action, beta=0.1)
        self.log("bc_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        observation, action = batch
        found = self(observation)
        self.log("val_bc_loss", F.smooth_l1_loss(found, action, beta=0.1))
        self.log("val_action_mse", F.mse_loss(found, action))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-5)


def cloning() -> Program:
    data, module = visitors.demonstrations(), CloningActor()
    return Program(module, *loaders(data, 50), 30, partial(r2, module, data))


class ProbabilisticDynamics(LightningModule):
    """Mean and bounded log-variance of the change of state, for model-based control."""

    def __init__(self, hidden: int = 96) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(5, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 8),
        )  # fmt: skip

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.body(x).chunk(2, 1)
        return mean, -6 + F.softplus(6 + 1 - F.softplus(1 - raw))

    def forward(self, x: Tensor) -> Tensor:
        return self.heads(x)[0]

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, change = batch
        mean, log_var = self.heads(x)
        return 0.5 * ((mean - change).square() * (-log_var).exp() + log_var).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("model/nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("model/holdout_nll", self.nll(batch))
        self.log("model/holdout_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-4)


def dynamics() -> Program:
    data, module = visitors.transitions(), ProbabilisticDynamics()
    return Program(module, *loaders(data, 64), 35, partial(r2, module, data))


class PointNet(LightningModule):
    """The same layers for each point, the maximum over all points, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.local = nn.Sequential(
            nn.Conv1d(3, 32, 1), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 64, 1), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Conv1d(64, 128, 1), nn.BatchNorm1d(128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 5)
        )

    def forward(self, points: Tensor) -> Tensor:
        logits: Tensor = self.head(self.local(points.transpose(1, 2)).amax(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, shape = batch
        points = points + 0.02 * torch.randn_like(points)
        loss = F.cross_entropy(self(points), shape)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, shape = batch
        logits = self(points)
        self.log("val_loss", F.cross_entropy(logits, shape))
        self.log("instance_accuracy", (logits.argmax(1) == shape).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def depth_camera() -> Program:
    data, module = visitors.clouds(), PointNet()
    return Program(module, *loaders(data, 32, drop_last=True), 10, partial(accuracy, module, data))


class Visits(Dataset[dict[str, Tensor]]):
    """Covariates, years of exposure, and counts by name."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.covariates, self.exposure, self.count = x[:, :-1], x[:, -1], y

    def __len__(self) -> int:
        return len(self.count)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {
            "covariates": self.covariates[index], "exposure": self.exposure[index],
            "count": self.count[index],
        }  # fmt: skip


class CountRegression(LightningModule):
    """Poisson regression with an offset for exposure, its index from a small net."""

    def __init__(self) -> None:
        super().__init__()
        self.index = nn.Sequential(
            nn.Linear(11, 40), nn.Softplus(), nn.Linear(40, 20), nn.Softplus(), nn.Linear(20, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The logarithm of the expected count, from covariates and exposure in a row."""
        index: Tensor = self.index(x[:, :-1])[:, 0]
        return index + x[:, -1].log()

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        log_mu = self(torch.cat([batch["covariates"], batch["exposure"][:, None]], 1))
        return F.poisson_nll_loss(log_mu, batch["count"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("poisson_nll", loss, on_step=False, on_epoch=True, batch_size=len(batch["count"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("oos_poisson_nll", self.loss(batch), batch_size=len(batch["count"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def deviance_share(log_mu: Tensor, count: Tensor, years: Tensor) -> float:
    """Share of the Poisson deviance about one rate for all that is explained."""

    def deviance(mu: Tensor) -> Tensor:
        return (torch.xlogy(count, count / mu) - (count - mu)).sum()

    return (1 - deviance(log_mu.exp()) / deviance(years * count.sum() / years.sum())).item()


def doctor_visits() -> Program:
    data, module = visitors.visits(), CountRegression()
    both = (
        DataLoader(Visits(data.x, data.y), batch_size=60, shuffle=True),
        DataLoader(Visits(data.x_test, data.y_test), batch_size=300),
    )

    def score() -> float:
        return deviance_share(outputs(module, data.x_test), data.y_test, data.x_test[:, -1])

    return Program(module, *both, 20, score)


class QuantileNet(LightningModule):
    """Three quantiles that cannot cross: the lowest, and steps upwards."""

    def __init__(self, lr: float = 2e-3) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Linear(14, 48), nn.ReLU(), nn.Dropout(0.05), nn.Linear(48, 48), nn.ReLU(),
            nn.Linear(48, 3),
        )  # fmt: skip
        self.register_buffer("tau", torch.tensor(visitors.QUANTILES))

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        return torch.cat([out[:, :1], out[:, :1] + F.softplus(out[:, 1:]).cumsum(1)], 1)

    def pinball(self, batch: list[Tensor]) -> Tensor:
        x, wage = batch
        error = wage[:, None] - self(x)
        return torch.maximum(self.tau * error, (self.tau - 1) * error).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))
        covered = self(batch[0])[:, 2] > batch[1]
        self.log("val_coverage_90", covered.float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=self.lr)


def pinball_share(module: LightningModule, data: Samples) -> float:
    """How much of the loss of the same quantiles for all is saved."""
    tau = torch.tensor(visitors.QUANTILES)

    def loss(quantiles: Tensor) -> Tensor:
        error = data.y_test[:, None] - quantiles
        return torch.maximum(tau * error, (tau - 1) * error).mean()

    return (1 - loss(outputs(module, data.x_test)) / loss(data.y.quantile(tau))).item()


def wage_quantiles() -> Program:
    data, module = standardized(visitors.wages()), QuantileNet()
    return Program(module, *loaders(data, 64), 16, partial(pinball_share, module, data))


class BindingNet(LightningModule):
    """Wide convolutions over one-hot DNA and the best place of each, four factors at once."""

    def __init__(self, filters: int = 48) -> None:
        super().__init__()
        self.motif = nn.Conv1d(4, filters, 11, padding=5)
        self.norm = nn.BatchNorm1d(filters)
        self.fc = nn.Sequential(nn.Dropout(0.2), nn.Linear(filters, 4))

    def forward(self, dna: Tensor) -> Tensor:
        h = F.relu(self.norm(self.motif(dna))).amax(2)
        logits: Tensor = self.fc(h)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        dna, bound = batch
        loss = F.binary_cross_entropy_with_logits(self(dna), bound)
        self.log("train_bce", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        dna, bound = batch
        logits = self(dna)
        self.log("val_bce", F.binary_cross_entropy_with_logits(logits, bound))
        self.log("val_acc", ((logits > 0) == bound.bool()).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3, weight_decay=1e-4)


def label_accuracy(module: LightningModule, data: Samples) -> float:
    """Over all labels of all samples."""
    right = (outputs(module, data.x_test) > 0) == data.y_test.bool()
    return right.float().mean().item()


def binding() -> Program:
    data, module = visitors.sequences(), BindingNet()
    return Program(module, *loaders(data, 40), 20, partial(label_accuracy, module, data))


class CellAutoencoder(LightningModule):
    """Means of negative binomials from log counts through a bottleneck; depth is given."""

    def __init__(self, genes: int = 100, latent: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(genes, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, latent)
        )
        self.decoder = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, genes))
        self.log_theta = nn.Parameter(torch.zeros(genes))

    def forward(self, counts: Tensor) -> Tensor:
        depth = counts.sum(1, keepdim=True)
        h = (1e3 * counts / depth).log1p() - 2
        log_share: Tensor = self.decoder(self.encoder(h)).log_softmax(1)
        return log_share + depth.log()

    def nll(self, counts: Tensor) -> Tensor:
        log_mu, log_theta = self(counts), self.log_theta
        theta, total = log_theta.exp(), torch.logaddexp(log_theta, log_mu)
        found = torch.lgamma(counts + theta) - torch.lgamma(theta) - torch.lgamma(counts + 1)
        found = found + theta * (log_theta - total) + counts * (log_mu - total)
        return -found.sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch[0])
        self.log("reconstruction_loss_train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("reconstruction_loss_validation", self.nll(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def gene_r2(module: LightningModule, data: Samples) -> float:
    """Share of each gene's variance of true log means that is found."""
    error = (outputs(module, data.x_test) - data.y_test).square().sum()
    return (1 - error / (data.y_test - data.y.mean(0)).square().sum()).item()


def cell_counts() -> Program:
    data, module = visitors.cells(), CellAutoencoder()
    return Program(module, *loaders(data, 64), 25, partial(gene_r2, module, data))


class Factorization(LightningModule):
    """Factors and biases of users and films."""

    def __init__(self, mean: float, rank: int = 8, lr: float = 0.01, decay: float = 4e-2) -> None:
        super().__init__()
        self.lr, self.decay, self.mean = lr, decay, mean
        self.user, self.film = (
            nn.Embedding(visitors.USERS, rank),
            nn.Embedding(visitors.FILMS, rank),
        )
        self.user_bias = nn.Embedding(visitors.USERS, 1)
        self.film_bias = nn.Embedding(visitors.FILMS, 1)
        for factors in (self.user, self.film):
            nn.init.normal_(factors.weight, std=0.1)
        for bias in (self.user_bias, self.film_bias):
            nn.init.zeros_(bias.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        user, film = pairs.unbind(1)
        found: Tensor = (self.user(user) * self.film(film)).sum(1) + self.mean
        return found + (self.user_bias(user) + self.film_bias(film))[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pairs, rating = batch
        loss = F.mse_loss(self(pairs), rating)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pairs, rating = batch
        mse = F.mse_loss(self(pairs), rating)
        self.log("val_mse", mse)
        self.log("val_rmse", mse.sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay)


def film_ratings() -> Program:
    data = visitors.ratings()
    module = Factorization(data.y.mean().item(), decay=1.0)
    return Program(module, *loaders(data, 250), 14, partial(r2, module, data))


class NextSong(LightningModule):
    """A GRU over a session with the songs' own embeddings as its output."""

    def __init__(self, dim: int = 48) -> None:
        super().__init__()
        self.song = nn.Embedding(visitors.SONGS, dim)
        nn.init.normal_(self.song.weight, std=0.1)
        self.drop, self.gru = nn.Dropout(0.2), nn.GRU(dim, dim, batch_first=True)

    def forward(self, heard: Tensor) -> Tensor:
        states = self.drop(self.gru(self.drop(self.song(heard)))[0])
        return F.linear(states, self.song.weight)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        heard, following = batch
        loss = F.cross_entropy(self(heard).flatten(0, 1), following.flatten())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        heard, following = batch
        scores = self(heard)
        self.log("val_loss", F.cross_entropy(scores.flatten(0, 1), following.flatten()))
        self.log("HR@5", hit_rate(scores, following))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def hit_rate(scores: Tensor, following: Tensor, k: int = 5) -> Tensor:
    return (scores.topk(k, -1).indices == following[..., None]).any(-1).float().mean()


def next_song() -> Program:
    data, module = visitors.sessions(), NextSong()
    return Program(
        module, *loaders(data, 40), 10,
        lambda: hit_rate(outputs(module, data.x_test), data.y_test).item(),
    )  # fmt: skip


class LetterTransformer(LightningModule):
    """Two blocks of causal attention over letters, norms first, warm-up and cosine."""

    def __init__(self, dim: int = 48, steps: int = 300) -> None:
        super().__init__()
        self.steps = steps
        self.token, self.place = nn.Embedding(28, dim), nn.Embedding(40, dim)
        layer = nn.TransformerEncoderLayer(
            dim, 4, 2 * dim, 0.1, F.gelu, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(dim), False)
        self.lm_head = nn.Linear(dim, 28)

    def forward(self, letters: Tensor) -> Tensor:
        length = letters.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        h = self.token(letters) + self.place.weight[:length]
        logits: Tensor = self.lm_head(self.blocks(h, mask=mask, is_causal=True))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        letters, following = batch
        loss = F.cross_entropy(self(letters).transpose(1, 2), following)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        letters, following = batch
        loss = F.cross_entropy(self(letters).transpose(1, 2), following)
        self.log("val/loss", loss)
        self.log("val/perplexity", loss.exp())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, betas=(0.9, 0.98))

        def rate(step: int) -> float:
            warm = min(1.0, (step + 1) / 25)
            return warm * (0.55 + 0.45 * math.cos(math.pi * min(1.0, step / self.steps)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def letter_loss(module: LightningModule, data: Samples) -> float:
    return F.cross_entropy(outputs(module, data.x_test).transpose(1, 2), data.y_test).item()


def letters() -> Program:
    data, batch, epochs = visitors.prose(), 24, 11
    module = LetterTransformer(steps=epochs * math.ceil(len(data.y) / batch))
    return Program(
        module, *loaders(data, batch), epochs, partial(letter_loss, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class Tagger(LightningModule):
    """An LSTM in both directions; padded words have no tag."""

    def __init__(self, dropout: float = 0.3, lr: float = 4e-3) -> None:
        super().__init__()
        self.lr = lr
        self.words = nn.Embedding(visitors.VOCABULARY, 32, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(32, 32, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(64, visitors.TAGS)
        self.criterion = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, words: Tensor) -> Tensor:
        states = self.lstm(self.dropout(self.words(words)))[0]
        logits: Tensor = self.tags(self.dropout(states))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, tags = batch
        loss: Tensor = self.criterion(self(words).transpose(1, 2), tags)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, tags = batch
        logits = self(words)
        self.log("dev_loss", self.criterion(logits.transpose(1, 2), tags))
        known = tags >= 0
        self.log("dev_acc", (logits.argmax(2) == tags)[known].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def tag_accuracy(module: LightningModule, data: Samples) -> float:
    known = data.y_test >= 0
    return (outputs(module, data.x_test).argmax(2) == data.y_test)[known].float().mean().item()


def tagging() -> Program:
    data, module = visitors.sentences(), Tagger()
    return Program(module, *loaders(data, 25), 10, partial(tag_accuracy, module, data))


@dataclass
class Scene:
    """Bands of some scenes and their covers."""

    bands: Tensor
    cover: Tensor


def stack_scenes(batch: list[tuple[Tensor, Tensor]]) -> Scene:
    return Scene(torch.stack([x for x, _ in batch]), torch.stack([y for _, y in batch]))


class CoverNet(LightningModule):
    """A class for each pixel from its bands and its neighbours'; clouds are ignored."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(6, width, 1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, visitors.COVERS, 1),
        )  # fmt: skip

    def forward(self, bands: Tensor) -> Tensor:
        logits: Tensor = self.layers(bands)
        return logits

    def training_step(self, batch: Scene, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.bands), batch.cover, ignore_index=visitors.CLOUD)
        self.log("train_loss", loss, batch_size=len(batch.bands))
        return loss

    def validation_step(self, batch: Scene, batch_idx: int) -> None:
        logits = self(batch.bands)
        loss = F.cross_entropy(logits, batch.cover, ignore_index=visitors.CLOUD)
        self.log("val_loss", loss, batch_size=len(batch.bands))
        right = (logits.argmax(1) == batch.cover)[batch.cover != visitors.CLOUD]
        self.log("val_oa", right.float().mean(), batch_size=len(batch.bands))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
        )
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)]


def land_cover() -> Program:
    data, module = visitors.scenes(), CoverNet()
    data = data.with_inputs((data.x - 0.3) / 0.2, (data.x_test - 0.3) / 0.2)
    train = TensorDataset(data.x, data.y)
    val = TensorDataset(data.x_test, data.y_test)

    def score() -> float:
        seen = data.y_test != visitors.CLOUD
        right = outputs(module, data.x_test).argmax(1) == data.y_test
        return right[seen].float().mean().item()

    return Program(
        module, DataLoader(train, batch_size=8, shuffle=True, collate_fn=stack_scenes),
        DataLoader(val, batch_size=32, collate_fn=stack_scenes), 10, score,
    )  # fmt: skip


CASES = (
    Case("spoken-commands-residual-mel-net", Goal("accuracy", at_least=0.9), keywords),
    Case("telephone-frames-speech-or-door", Goal("frame accuracy", at_least=0.88), speech_frames),
    Case("unheard-voices-on-a-sphere", Goal("same nearer", at_least=0.85), voice_embeddings),
    Case("organ-slices-unet-instance-norm", Goal("Dice", at_least=0.75), lesions),
    Case("followed-patients-partial-likelihood", Goal("C index", at_least=0.7), survival),
    Case("scan-cubes-three-kinds-turned-over", Goal("accuracy", at_least=0.85), nodule_kinds),
    Case("five-joints-operator-cloned", Goal("R2", at_least=0.85), cloning),
    Case("cart-and-pendulum-bounded-variance", Goal("R2", at_least=0.9), dynamics),
    Case("depth-camera-points-and-their-maximum", Goal("accuracy", at_least=0.9), depth_camera),
    Case("doctor-visits-years-as-offset", Goal("deviance", at_least=0.3), doctor_visits),
    Case("wages-quantiles-that-never-cross", Goal("pinball saved", at_least=0.4), wage_quantiles),
    Case("factors-on-dna-best-place", Goal("label accuracy", at_least=0.85), binding),
    Case("single-cells-counts-through-eight", Goal("R2", at_least=0.7), cell_counts),
    Case("evening-films-factors-and-biases", Goal("R2", at_least=0.6), film_ratings),
    Case("songs-of-a-session-tied-gru", Goal("HR@5", at_least=0.5), next_song),
    Case("made-up-prose-causal-letters", Goal("cross-entropy", at_most=1.35), letters),
    Case("tagged-sentences-padding-untold", Goal("accuracy", at_least=0.8), tagging),
    Case("covers-from-above-clouds-ignored", Goal("accuracy", at_least=0.85), land_cover),
)
