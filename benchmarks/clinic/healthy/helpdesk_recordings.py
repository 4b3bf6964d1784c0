"""Recordings of those who asked how to log, resume or freeze, or for two optimizers: it learns."""

import copy
import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import helpdesk
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class TwoOptimizers(LightningModule):
    """Two optimizers in Lightning 2: one for the convolutions and one for the head."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(
            nn.Conv1d(6, 24, 5, stride=2), nn.GroupNorm(4, 24), nn.SiLU(),
            nn.Conv1d(24, 48, 5, stride=2), nn.GroupNorm(4, 48), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(
            F.dropout(self.encoder(x.transpose(1, 2)).mean(-1), 0.2, self.training)
        )
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        opt_enc, opt_head = self.optimizers()  # type: ignore[attr-defined]
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        opt_enc.zero_grad()
        opt_head.zero_grad()
        self.manual_backward(loss)
        opt_enc.step()
        opt_head.step()
        self.log("loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log_dict(
            {"v_loss": F.cross_entropy(out, y), "v_acc": (out.argmax(1) == y).float().mean()}
        )

    def configure_optimizers(self) -> Any:
        enc = torch.optim.AdamW(self.encoder.parameters(), lr=2e-3, weight_decay=1e-2)
        head = torch.optim.SGD(self.head.parameters(), lr=0.05, momentum=0.9)
        return enc, head


def two_optimizers() -> Program:
    data, module = helpdesk.gestures(), TwoOptimizers()
    return Program(module, *loaders(data, 25), 8, partial(accuracy, module, data))


class Accumulated(LightningModule):
    """accumulate_grad_batches=6: is train_loss that of one batch or of six?"""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(192, 80), nn.Linear(80, 40), nn.Linear(40, 5)
        self.ln1, self.ln2 = nn.LayerNorm(80), nn.LayerNorm(40)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.ln1(self.l1(x.flatten(1))))
        x = F.dropout(x, 0.5, self.training)
        x = F.leaky_relu(self.ln2(self.l2(x)))
        return self.l3(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1.5e-3, weight_decay=0.05)


def clip_data() -> Samples:
    """Decibels to about -1.5 and 3."""
    data = helpdesk.clips()
    return data.with_inputs((data.x + 56) / 17, (data.x_test + 56) / 17)


def accumulated() -> Program:
    data, module = clip_data(), Accumulated()
    trainer = {"accumulate_grad_batches": 6}
    both = loaders(data, 8)
    return Program(module, *both, 8, partial(accuracy, module, data), trainer)


class WithEma(LightningModule):
    """EMA without a callback: the copy is moved in on_train_batch_end, and validated."""

    def __init__(self, decay: float = 0.97) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(24 * 6 * 4, 48), nn.ReLU(), nn.Linear(48, 5),
        )  # fmt: skip
        self.ema_net = copy.deepcopy(self.net).requires_grad_(False)
        self.decay = decay

    def forward(self, x: Tensor) -> Tensor:
        net = self.net if self.training else self.ema_net
        return net(x.unsqueeze(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return {"loss": loss}

    def on_train_batch_end(self, *args: Any) -> None:
        with torch.no_grad():
            pairs = zip(self.ema_net.parameters(), self.net.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - self.decay)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("ema/ce", F.cross_entropy(out, batch[1]))
        self.log("ema/acc", (out.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.net.parameters(), lr=1e-3)


def ema() -> Program:
    data, module = clip_data(), WithEma()
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class ManualGru(LightningModule):
    """Manual optimization: where do I clip, and where do I step the scheduler?"""

    def __init__(self, total_steps: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.total_steps = total_steps
        self.rnn = nn.GRU(5, 48, num_layers=2, batch_first=True, dropout=0.1)
        self.proj = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.rnn(x)
        return self.proj(h[-1])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        opt, sch = self.optimizers(), self.lr_schedulers()
        loss = F.mse_loss(self(x), y)
        opt.zero_grad()  # type: ignore[union-attr]
        self.manual_backward(loss)
        self.clip_gradients(opt, gradient_clip_val=1.0, gradient_clip_algorithm="norm")  # type: ignore[arg-type]
        opt.step()  # type: ignore[union-attr]
        sch.step()  # type: ignore
        self.log("train_mse", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("val_mse", F.mse_loss(out, y))
        self.log("val_last_hour", F.l1_loss(out[:, -1], y[:, -1]))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [opt], [torch.optim.lr_scheduler.OneCycleLR(opt, 3e-3, self.total_steps)]


def manual_gru() -> Program:
    data = helpdesk.air()
    train, val = loaders(data, 36)
    module = ManualGru(8 * len(train))
    return Program(module, train, val, 8, partial(r2, module, data))


class VAE(LightningModule):
    """How do I warm up beta with global_step? Broken pumps are those that are coded badly."""

    def __init__(self, latent: int = 6, warmup: int = 150) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(18, 48), nn.ELU(), nn.Linear(48, 2 * latent))
        self.dec = nn.Sequential(nn.Linear(latent, 48), nn.ELU(), nn.Linear(48, 18))
        self.warmup = warmup

    def forward(self, x: Tensor) -> Tensor:
        mu, _ = self.enc(x).chunk(2, 1)
        return self.dec(mu)  # type: ignore[no-any-return]

    def elbo(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.enc(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        rec = 0.5 * (self.dec(z) - x).square().sum(1).mean() / 0.15
        kl = 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1).mean()
        return rec, kl

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        rec, kl = self.elbo(batch[0])
        beta = min(1.0, self.global_step / self.warmup)
        self.log_dict({"rec": rec, "kl": kl, "beta": beta})
        return rec + beta * kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rec, kl = self.elbo(batch[0])
        self.log("val_rec", rec)
        self.log("val_kl", kl)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def auc(values: Tensor, labels: Tensor) -> float:
    """Chance that one of class 1 is above one of class 0."""
    above = values[labels == 1][:, None] > values[labels == 0][None]
    return above.float().mean().item()


def vae() -> Program:
    data, module = helpdesk.pumps(), VAE()
    whole = data.x_test[data.y_test == 0]
    val = DataLoader(TensorDataset(whole), batch_size=250)

    def score() -> float:
        errors = (outputs(module, data.x_test) - data.x_test).square().mean(1)
        return auc(errors, data.y_test)

    train = DataLoader(TensorDataset(data.x), batch_size=45, shuffle=True)
    return Program(module, train, val, 20, score)


class Seq2Seq(LightningModule):
    """Four hours, one after another, the true one fed half of the time. How do I predict?"""

    def __init__(self, hidden: int = 40, teacher: float = 0.5) -> None:
        super().__init__()
        self.teacher = teacher
        self.encoder = nn.LSTM(5, hidden, batch_first=True)
        self.cell = nn.LSTMCell(1, hidden)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        _, (h, c) = self.encoder(x)
        h, c, last = h[0], c[0], x[:, -1, :1]
        found = []
        for t in range(4):
            h, c = self.cell(last, (h, c))
            out = last + self.readout(h)
            found.append(out)
            forced = y is not None and torch.rand(1).item() < self.teacher
            last = y[:, t : t + 1] if forced else out  # type: ignore[index]
        return torch.cat(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.smooth_l1_loss(self(x, y), y)
        self.log("tf_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("free_loss", F.smooth_l1_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def seq2seq() -> Program:
    data, module = helpdesk.air(), Seq2Seq()
    both = loaders(data, 60)
    trainer = {"gradient_clip_val": 0.7}
    return Program(module, *both, 12, partial(r2, module, data), trainer)


class WatchTransformer(LightningModule):
    """interval="step" and a lambda: is the rate of the first step really zero?"""

    def __init__(self, warmup: int, steps: int, dim: int = 32) -> None:
        super().__init__()
        self.warmup, self.steps = warmup, steps
        self.embed = nn.Conv1d(6, dim, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(0.02 * torch.randn(1, 13, dim))
        layer = nn.TransformerEncoderLayer(
            dim, 4, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.tf = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.fc = nn.LayerNorm(dim), nn.Linear(dim, 5)

    def forward(self, x: Tensor) -> Tensor:
        z = self.embed(x.transpose(1, 2)).transpose(1, 2)
        z = torch.cat([self.cls.expand(len(z), -1, -1), z], 1) + self.pos
        return self.fc(self.norm(self.tf(z)[:, 0]))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=0.05)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("val/loss", F.cross_entropy(out, y))
        self.log("val/acc", (out.argmax(-1) == y).float().mean())

    def rate(self, step: int) -> float:
        if step < self.warmup:
            return step / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        sched = torch.optim.lr_scheduler.LambdaLR(opt, self.rate)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": sched, "interval": "step"}}


def watch_transformer() -> Program:
    data = helpdesk.gestures()
    train, val = loaders(data, 30)
    module = WatchTransformer(len(train), 14 * len(train))
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, val, 14, partial(accuracy, module, data), trainer)


class Distilled(LightningModule):
    """The teacher sits in the module: will its weights end up in my checkpoint?"""

    def __init__(self, teacher: nn.Module, temperature: float = 2.0) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)
        self.student = nn.Sequential(nn.Flatten(), nn.Linear(192, 24), nn.ReLU(), nn.Linear(24, 5))
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        return self.student(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        out, t = self(x), self.temperature
        with torch.no_grad():
            soft = F.softmax(self.teacher(x) / t, 1)
        kd = F.kl_div(F.log_softmax(out / t, 1), soft, reduction="batchmean") * t**2
        ce = F.cross_entropy(out, y)
        self.log_dict({"kd": kd, "ce": ce}, prog_bar=True)
        return 0.7 * kd + 0.3 * ce

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("student_val_ce", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.student.parameters(), lr=0.03, momentum=0.9, nesterov=True)


def distilled() -> Program:
    data = clip_data()
    teacher = nn.Sequential(
        nn.Unflatten(1, (1, 16)), nn.Conv2d(1, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(20 * 48, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 5),
    )  # fmt: skip
    train, val = loaders(data, 32)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for _ in range(6):
        for x, y in train:
            optimizer.zero_grad()
            F.cross_entropy(teacher(x), y).backward()
            optimizer.step()
    module = Distilled(teacher)
    return Program(module, train, val, 8, partial(accuracy, module, data))


CASES = (
    Case("wrists-an-optimizer-for-each-half", Goal("accuracy", at_least=0.85), two_optimizers),
    Case("commands-six-batches-to-a-step", Goal("accuracy", at_least=0.85), accumulated),
    Case("commands-validated-by-a-slow-copy", Goal("accuracy", at_least=0.85), ema),
    Case("dust-clipped-and-cycled-by-hand", Goal("R2", at_least=0.7), manual_gru),
    Case("pumps-beta-by-global-step", Goal("AUC", at_least=0.85), vae),
    Case("dust-own-forecasts-fed-half-the-time", Goal("R2", at_least=0.7), seq2seq),
    Case("wrists-cut-in-twelve-and-asked", Goal("accuracy", at_least=0.8), watch_transformer),
    Case("commands-taught-by-a-larger-net", Goal("accuracy", at_least=0.85), distilled),
)  # fmt: skip
