"""Controls of a benchmark of detectors: nothing in them is to be found."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import ablations
from data_sets.samples import Samples, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset


def right(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(-1) == y).float().mean()


class Control(LightningModule):
    """A network that needs no more than its loss and its optimiser."""

    def __init__(
        self,
        net: nn.Module,
        optim: Callable[..., torch.optim.Optimizer],
        objective: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
        metric: Callable[[Tensor, Tensor], Tensor] | None = right,
        decay: float = 1.0,
    ) -> None:
        super().__init__()
        self.net, self.optim, self.objective = net, optim, objective
        self.metric, self.decay = metric, decay

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.objective(self(batch[0]), batch[1])
        self.log("fit_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("held_out_loss", self.objective(out, batch[1]), prog_bar=True)
        if self.metric is not None:
            self.log("held_out_metric", self.metric(out, batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = self.optim([p for p in self.parameters() if p.requires_grad])
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, self.decay)]


def control(
    data: Samples,
    net: nn.Module,
    optim: Callable[..., torch.optim.Optimizer],
    *,
    batch: int,
    epochs: int,
    score: Callable[..., float] = accuracy,
    **options: Any,
) -> Program:
    module = Control(net, optim, **options)
    return Program(module, *loaders(data, batch), epochs, partial(score, module, data))


def adam(lr: float, decay: float = 0.0) -> Callable[..., torch.optim.Optimizer]:
    return partial(torch.optim.AdamW, lr=lr, weight_decay=decay)


def plain_descent() -> Program:
    """No momentum, no decay, one rate."""
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(288, 64), nn.ReLU(), nn.Linear(64, 6),
    )  # fmt: skip
    optim = partial(torch.optim.SGD, lr=0.05)
    return control(ablations.glyphs(), net, optim, batch=16, epochs=10)


def root_mean_square() -> Program:
    net = nn.Sequential(
        nn.Linear(4, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.BatchNorm1d(64),
        nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0),
    )  # fmt: skip
    data = ablations.impedance(units=False)
    optim = partial(torch.optim.RMSprop, lr=2e-3)
    return control(
        data, net, optim, batch=40, epochs=30, score=r2, objective=F.mse_loss, metric=None,
        decay=0.93,
    )  # fmt: skip


def bag_of_words() -> Program:
    """Frequent words take smaller steps, by Adagrad."""
    net = nn.Sequential(nn.EmbeddingBag(ablations.WORDS, 24, mode="sum"), nn.Linear(24, 5))
    nn.init.normal_(net[0].weight, std=0.1)
    optim = partial(torch.optim.Adagrad, lr=0.03)
    return control(ablations.topics(), net, optim, batch=32, epochs=12)


class Block(nn.Module):
    """A norm and two layers beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up = nn.LayerNorm(width), nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return x + added


def forty_blocks() -> Program:
    net = nn.Sequential(
        nn.Linear(2, 24), *[Block(24) for _ in range(40)], nn.LayerNorm(24), nn.Linear(24, 4)
    )
    return control(ablations.rings(), net, adam(1e-3), batch=60, epochs=14, decay=0.85)


def self_normed() -> Program:
    layers: list[nn.Module] = []
    for before, after in pairwise([20, 64, 64, 64, 64, 64]):
        linear = nn.Linear(before, after)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="linear")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.SELU(), nn.AlphaDropout(0.1)]
    optim = partial(torch.optim.SGD, lr=0.01, momentum=0.9, weight_decay=1e-3)
    return control(
        ablations.mixtures(), nn.Sequential(*layers, nn.Linear(64, 6)), optim, batch=48, epochs=20,
        decay=0.9,
    )  # fmt: skip


def groups() -> Program:
    """Eight pictures to a batch, and norms that do not mind."""
    layers: list[nn.Module] = []
    for before, after in pairwise([1, 16, 32, 32]):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(4, after), nn.SiLU(),
            nn.MaxPool2d(2),
        ]  # fmt: skip
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, 6))
    return control(ablations.glyphs(), net, adam(1e-3, 0.01), batch=8, epochs=7, decay=0.75)


def lipschitz() -> Program:
    """Each hidden layer of norm one."""
    layers: list[nn.Module] = []
    for before, after in pairwise([20, 80, 80]):
        layers += [spectral_norm(nn.Linear(before, after)), nn.LeakyReLU(0.2)]
    net = nn.Sequential(*layers, nn.Linear(80, 6))
    return control(ablations.mixtures(), net, adam(3e-3, 0.01), batch=64, epochs=18, decay=0.88)


class Teller(LightningModule):
    """An LSTM that says the next letter; it reads and writes with one matrix."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(ablations.LETTERS), width)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.decode = nn.Linear(width, len(ablations.LETTERS))
        self.decode.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.decode(self.lstm(self.embed(x))[0])
        return logits

    def nats(self, block: Tensor) -> Tensor:
        return F.cross_entropy(self(block[:, :-1]).transpose(1, 2), block[:, 1:])

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = self.nats(batch)
        self.log("nats_per_letter", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("val_nats_per_letter", self.nats(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def teller() -> Program:
    known, other = ablations.tale()
    module = Teller()
    train: DataLoader[Any] = DataLoader(known, 20, shuffle=True)  # type: ignore[arg-type]
    test: DataLoader[Any] = DataLoader(other, 100)  # type: ignore[arg-type]

    @torch.no_grad()
    def score() -> float:
        return module.eval().nats(other).item()

    return Program(module, train, test, 9, score, {"gradient_clip_val": 1.0})


class Strips(LightningModule):
    """A GRU over signals of different lengths, packed."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, 4)

    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, length.cpu(), True, enforce_sorted=False)
        last = self.gru(packed)[1]
        logits: Tensor = self.out(torch.cat([last[0], last[1]], 1))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["signal"], batch["length"]), batch["label"])
        self.log("loss_train", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["signal"], batch["length"])
        self.log("loss_valid", F.cross_entropy(logits, batch["label"]))
        self.log("acc_valid", right(logits, batch["label"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)]


def strips() -> Program:
    data, module = ablations.strips(), Strips()
    rows = [
        {"signal": x, "length": n, "label": y}
        for x, n, y in zip(data.x, data.length, data.y, strict=True)
    ]
    train: DataLoader[Any] = DataLoader(rows[:1500], 32, shuffle=True)  # type: ignore[arg-type]
    test: DataLoader[Any] = DataLoader(rows[1500:], 250)  # type: ignore[arg-type]

    @torch.no_grad()
    def score() -> float:
        return right(module.eval()(data.x[1500:], data.length[1500:]), data.y[1500:]).item()

    return Program(module, train, test, 14, score)


class Patches(LightningModule):
    """Sixteen patches of a digit, two blocks of attention, a warm-up and a cosine."""

    def __init__(self, width: int = 48, steps: int = 1) -> None:
        super().__init__()
        self.steps = steps
        self.patch = nn.Conv2d(1, width, 2, 2)
        self.place = nn.Parameter(0.02 * torch.randn(1, 16, width))
        block = nn.TransformerEncoderLayer(
            width, 4, 96, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(2 * x - 1).flatten(2).transpose(1, 2) + self.place
        logits: Tensor = self.head(self.blocks(tokens).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train/loss_step", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/loss_epoch", F.cross_entropy(logits, batch[1]))
        self.log("val/top1", right(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        def factor(step: int) -> float:
            warm = 0.1 * self.steps
            if step < warm:
                return (step + 1) / warm
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / (self.steps - warm))))

        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def patches() -> Program:
    data = digit_images()
    train, test = loaders(data, 48)
    module = Patches(steps=28 * len(train))
    return Program(module, train, test, 28, partial(accuracy, module, data))


class Transferred(LightningModule):
    """A body that has learnt the digits from 0 to 4, kept as it is, and a head for the others."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body.requires_grad_(False), nn.Linear(128, 5)

    def train(self, mode: bool = True) -> "Transferred":
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("head_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("head_val_loss", F.cross_entropy(logits, batch[1]))
        self.log("head_val_acc", right(logits, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.head.parameters(), lr=1e-2)


def taught(x: Tensor, y: Tensor) -> nn.Module:
    """A convolutional body, trained here for a few hundred steps."""
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    )  # fmt: skip
    head = nn.Linear(128, 5)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(200):
        pick = torch.randint(len(x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(head(body(x[pick])), y[pick]).backward()
        optimizer.step()
    return body


def transferred() -> Program:
    data = digit_images()
    low, high, high_test = data.y < 5, data.y >= 5, data.y_test >= 5
    module = Transferred(taught(data.x[low], data.y[low]))
    new = Samples(
        data.x[high], data.y[high] - 5, data.x_test[high_test], data.y_test[high_test] - 5
    )
    return Program(module, *loaders(new, 32), 20, partial(accuracy, module, new))


class Waves(nn.Module):
    """Cosines of random directions, which stay as they were drawn."""

    def __init__(self, inputs: int, count: int, width: float) -> None:
        super().__init__()
        self.way = nn.Linear(inputs, count).requires_grad_(False)
        nn.init.normal_(self.way.weight, std=1 / width)
        nn.init.uniform_(self.way.bias, 0, 6.2832)
        self.scale = (2 / count) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * torch.cos(self.way(x))


def random_features() -> Program:
    net = nn.Sequential(Waves(2, 300, 0.4), nn.Linear(300, 4))
    return control(ablations.rings(), net, adam(0.02), batch=64, epochs=14)


class TwoTasks(LightningModule):
    """What a glyph is, and where: one body, two heads, two losses."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(288, 64), nn.GELU(),
        )  # fmt: skip
        self.what, self.where = nn.Linear(64, ablations.KINDS), nn.Linear(64, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.trunk(x)
        return self.what(trunk), self.where(trunk)

    def losses(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        what, where = self(batch[0])
        return F.cross_entropy(what, batch[1]), F.smooth_l1_loss(where, batch[2], beta=0.05)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        what, where = self.losses(batch)
        self.log_dict({"what": what, "where": where})
        return what + 10 * where

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        what, where = self.losses(batch)
        self.log_dict({"val_what": what, "val_where": where, "val_both": what + 10 * where})

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16)]


def two_tasks() -> Program:
    """Scored by the share of glyphs that are told and placed within a pixel."""
    data, module, cut = ablations.drawn(), TwoTasks(), 1800
    train = TensorDataset(data.x[:cut], data.kind[:cut], data.place[:cut])
    test = TensorDataset(data.x[cut:], data.kind[cut:], data.place[cut:])

    @torch.no_grad()
    def score() -> float:
        what, where = module.eval()(data.x[cut:])
        near = ((where - data.place[cut:])[:, :2].abs() * 14).amax(1) < 1
        return ((what.argmax(1) == data.kind[cut:]) & near).float().mean().item()

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 200), 16, score)


class Codes(LightningModule):
    """A variational auto-encoder of digits; its loss is a bound in nats."""

    def __init__(self, latent: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.GELU(), nn.Linear(128, 64))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(x).chunk(2, 1)[0])
        return out

    def bound(self, x: Tensor, stage: str) -> Tensor:
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        recon = 12.5 * (self.decoder(z) - x).square().sum(1).mean()
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1).mean()
        self.log_dict({f"{stage}_recon": recon, f"{stage}_kl": kl, f"{stage}_elbo": -recon - kl})
        return recon + kl

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.bound(batch[0], "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.bound(batch[0], "val"))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def codes() -> Program:
    data, module = digits(), Codes()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 40), 40, score)


class Denoiser(LightningModule):
    """A small diffusion of points, optimised by hand."""

    def __init__(self, levels: int = 40) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.levels = levels
        self.net = nn.Sequential(
            nn.Linear(5, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2)
        )
        keep = torch.cos(torch.linspace(0.02, 1.55, levels)).square()
        self.register_buffer("keep", keep)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        part = level[:, None] / self.levels
        noise: Tensor = self.net(torch.cat([x, part, (6.28 * part).sin(), (6.28 * part).cos()], 1))
        return noise

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        level = torch.randint(self.levels, (len(batch),))
        keep, noise = self.get_buffer("keep")[level][:, None], torch.randn_like(batch)
        noisy = keep.sqrt() * batch + (1 - keep).sqrt() * noise
        loss = F.mse_loss(self(noisy, level), noise)
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, gradient_clip_val=1.0, gradient_clip_algorithm="norm")
        optimizer.step()
        self.log("eps_mse", loss, prog_bar=True)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        keep, x = self.get_buffer("keep"), torch.randn(count, 2)
        for k in reversed(range(self.levels)):
            noise = self(x, torch.full((count,), k))
            clean = ((x - (1 - keep[k]).sqrt() * noise) / keep[k].sqrt()).clamp(-3, 3)
            before = keep[k - 1] if k else torch.tensor(1.0)
            x = before.sqrt() * clean + (1 - before).sqrt() * noise
        return x

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def denoiser() -> Program:
    """Scored by the share of drawn points that are near a corner, and by how even those are."""
    points, module = ablations.modes(), Denoiser()
    train: DataLoader[Any] = DataLoader(points, 100, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        drawn = module.eval().sample(1200)
        angle = 1.0472 * torch.arange(6)
        corner = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
        far, which = torch.cdist(drawn, corner).min(1)
        fewest = which.bincount(minlength=6).min().item() / 200
        return min((far < 0.5).float().mean().item(), 2 * fewest)

    return Program(module, train, None, 100, score)


class Pupil(LightningModule):
    """Learns from what a wider network says of the same rows, and a little from labels."""

    def __init__(self, teacher: nn.Module, heat: float = 3.0) -> None:
        super().__init__()
        self.teacher, self.heat = teacher.requires_grad_(False).eval(), heat
        self.student = nn.Sequential(nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 6))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.student(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        soft = F.log_softmax(self.teacher(x) / self.heat, 1)
        said = F.log_softmax(logits / self.heat, 1)
        distilled = self.heat**2 * F.kl_div(said, soft, log_target=True, reduction="batchmean")
        hard = F.cross_entropy(logits, y)
        self.log_dict({"kd/soft": distilled, "kd/hard": hard})
        return {"loss": 0.8 * distilled + 0.2 * hard}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("kd/val_ce", F.cross_entropy(logits, batch[1]))
        self.log("kd/val_acc", right(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.student.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.3)]


def pupil() -> Program:
    data = ablations.mixtures()
    teacher = nn.Sequential(nn.Linear(20, 160), nn.ReLU(), nn.Dropout(0.3), nn.Linear(160, 6))
    optimizer = torch.optim.AdamW(teacher.parameters(), lr=3e-3, weight_decay=0.05)
    for _ in range(400):
        pick = torch.randint(len(data.x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(teacher(data.x[pick]), data.y[pick]).backward()
        optimizer.step()
    module = Pupil(teacher)
    return Program(module, *loaders(data, 48), 22, partial(accuracy, module, data))


CASES = (
    Case("glyphs-descent-and-nothing-else", Goal("accuracy", at_least=0.85), plain_descent),
    Case("impedance-by-root-mean-squares", Goal("R2", at_least=0.93), root_mean_square),
    Case("zipf-topics-sums-of-vectors", Goal("accuracy", at_least=0.8), bag_of_words),
    Case("four-rings-forty-blocks", Goal("accuracy", at_least=0.9), forty_blocks),
    Case("mixtures-five-self-normed-layers", Goal("accuracy", at_least=0.75), self_normed),
    Case("glyphs-groups-of-channels-by-eights", Goal("accuracy", at_least=0.85), groups),
    Case("mixtures-layers-of-spectral-norm-one", Goal("accuracy", at_least=0.75), lipschitz),
    Case("tale-letters-one-matrix-in-and-out", Goal("nats per letter", at_most=0.55), teller),
    Case("strips-packed-and-read-both-ways", Goal("accuracy", at_least=0.9), strips),
    Case("digits-sixteen-patches-warmed-cosine", Goal("accuracy", at_least=0.94), patches),
    Case("upper-digits-head-on-body-of-lower", Goal("accuracy", at_least=0.88), transferred),
    Case("four-rings-cosines-that-stay", Goal("accuracy", at_least=0.93), random_features),
    Case("glyphs-what-and-where-at-once", Goal("told and placed", at_least=0.8), two_tasks),
    Case("digits-eight-numbers-and-their-doubt", Goal("R2", at_least=0.5), codes),
    Case("hexagon-noise-taken-off-by-hand", Goal("near and even", at_least=0.65), denoiser),
    Case("mixtures-taught-by-a-wider-network", Goal("accuracy", at_least=0.75), pupil),
)  # fmt: skip
