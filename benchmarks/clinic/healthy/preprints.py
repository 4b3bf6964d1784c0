"""Code that is published with papers: each with the layers and losses of its own method."""

import copy
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import preprints
from data_sets.preprints import Records, feeds
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset, TensorDataset


def explained(found: Tensor, wanted: Tensor) -> float:
    """Share of the variance."""
    return (1 - F.mse_loss(found, wanted) / wanted.var(correction=0)).item()


def by_step(optimizer: torch.optim.Optimizer, factor: Callable[[int], float]) -> Any:
    schedule = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
    return {"optimizer": optimizer, "lr_scheduler": schedule}


class Wide(nn.Module):
    """Norm, ReLU, convolution, twice, and the way around."""

    def __init__(self, before: int, after: int, stride: int, momentum: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before, momentum=momentum)
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after, momentum=momentum)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.around = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x).relu()
        more = self.conv2(self.norm2(self.conv1(h)).relu())
        out: Tensor = self.around(h) + more
        return out


class Morphology(LightningModule):
    """A small wide ResNet for cut-outs of galaxies, Nesterov and a cosine."""

    def __init__(self, width: int, lr: float, steps: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.stages = nn.Sequential(
            Wide(width, width, 2, momentum), Wide(width, 2 * width, 2, momentum)
        )
        self.norm = nn.BatchNorm2d(2 * width, momentum=momentum)
        self.fc = nn.Linear(2 * width, 4)

    def forward(self, images: Tensor) -> Tensor:
        h = self.norm(self.stages(self.stem(images))).relu().mean((2, 3))
        logits: Tensor = self.fc(h)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, types = batch
        loss = F.cross_entropy(self(images), types)
        self.log("train/xent", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        images, types = batch
        logits = self(images)
        self.log("val/xent", F.cross_entropy(logits, types))
        self.log("val/top1", (logits.argmax(1) == types).float().mean())

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(
            self.parameters(), self.hparams["lr"], 0.9, weight_decay=5e-4, nesterov=True
        )
        return by_step(sgd, lambda t: 0.5 + 0.5 * math.cos(math.pi * t / self.hparams["steps"]))


def morphology(
    width: int, lr: float, batch: int, epochs: int, momentum: float = 0.1,
    data: Samples | None = None,
) -> Program:  # fmt: skip
    data = data or preprints.galaxies()
    steps = epochs * math.ceil(len(data.y) / batch)
    module = Morphology(width, lr, steps, momentum)
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


class LightCurveFormer(LightningModule):
    """Times as waves, one block of attention, and a learnt query that pools what was seen."""

    def __init__(self, dim: int, heads: int, lr: float, warmup: int) -> None:
        super().__init__()
        self.lr, self.warmup = lr, warmup
        self.embed = nn.Linear(9, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.query = nn.Parameter(torch.randn(dim) / math.sqrt(dim))
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 5))

    def padding(self, mask: Tensor) -> Tensor:
        return ~mask

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        angles = 2 * math.pi * batch["phase"][..., None] * torch.tensor([1.0, 2.0, 3.0, 4.0])
        h = torch.cat([angles.sin(), angles.cos(), batch["mag"][..., None]], -1)
        h, away = self.embed(h), self.padding(batch["mask"])
        z = self.norm1(h)
        h = h + self.attention(z, z, z, key_padding_mask=away, need_weights=False)[0]
        h = h + self.mlp(self.norm2(h))
        share = (h @ self.query).masked_fill(away, -torch.inf).softmax(1)
        logits: Tensor = self.head(torch.einsum("bt,btd->bd", share, h))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        nll = F.cross_entropy(self(batch), batch["label"])
        self.log("nll", nll, prog_bar=True)
        return nll

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch)
        self.log("nll_val", F.cross_entropy(logits, batch["label"]))
        self.log("acc_val", (logits.argmax(1) == batch["label"]).float().mean())

    def configure_optimizers(self) -> Any:
        adam = torch.optim.AdamW(self.parameters(), self.lr, betas=(0.9, 0.98), weight_decay=0.01)
        return by_step(adam, lambda t: min(1.0, (t + 1) / self.warmup))


@torch.no_grad()
def named_rightly(module: LightningModule, data: Records, label: str = "label") -> float:
    module.eval()
    found = module(data.test)
    right = (found.argmax(1) == data.test[label]).float().mean().item()
    return right if found.isfinite().all() else 0.0


def variable_stars(
    dim: int, heads: int, lr: float, warmup: int, batch: int, epochs: int,
    kind: type[LightCurveFormer] = LightCurveFormer,
) -> Program:  # fmt: skip
    data = preprints.light_curves()
    module = kind(dim, heads, lr, warmup)
    return Program(module, *feeds(data, batch), epochs, partial(named_rightly, module, data))


class Denoiser(LightningModule):
    """Noise of points is guessed at sixty strengths; an averaged copy draws new points."""

    def __init__(self, width: int = 96, lr: float = 2e-3) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Linear(2 + 16, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2),
        )  # fmt: skip
        self.ema = copy.deepcopy(self.net).requires_grad_(False)
        time = torch.arange(61) / 60
        kept = ((time + 0.01) / 1.01 * math.pi / 2).cos() ** 2
        self.register_buffer("kept", (kept / kept[0]).clamp(1e-3, 0.9999))

    def guess(self, net: nn.Module, x: Tensor, step: Tensor) -> Tensor:
        waves = step[:, None] / 60 * 2.0 ** torch.arange(8)
        noise: Tensor = net(torch.cat([x, waves.sin(), waves.cos()], 1))
        return noise

    def eps_loss(self, net: nn.Module, x: Tensor) -> Tensor:
        step = torch.randint(1, 61, (len(x),))
        keep, noise = self.kept[step][:, None], torch.randn_like(x)
        return F.mse_loss(self.guess(net, keep.sqrt() * x + (1 - keep).sqrt() * noise, step), noise)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.eps_loss(self.net, batch[0])
        self.log("loss_simple", loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.ema.parameters(), self.net.parameters(), strict=True):
                slow.lerp_(fast, 0.02)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss_ema", self.eps_loss(self.ema, batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    @torch.no_grad()
    def draw(self, count: int, g: torch.Generator) -> Tensor:
        x = torch.randn(count, 2, generator=g)
        for step in range(60, 0, -1):
            keep, before = self.kept[step], self.kept[step - 1]
            noise = self.guess(self.ema, x, torch.full((count,), step))
            clean = (x - (1 - keep).sqrt() * noise) / keep.sqrt()
            x = before.sqrt() * clean.clamp(-3, 3) + (1 - before).sqrt() * noise
        return x


def sliced_distance(module: Denoiser, wanted: Tensor) -> float:
    """Of drawn points from those of the data, over sixty directions."""
    g = torch.Generator().manual_seed(5)
    way = torch.randn(2, 60, generator=g)
    way, found = way / way.norm(dim=0), module.draw(len(wanted), g)
    return ((found @ way).sort(0).values - (wanted @ way).sort(0).values).abs().mean().item()


def diffusion() -> Program:
    points = preprints.arms()
    module = Denoiser()
    train = DataLoader(TensorDataset(points[:2800]), 128, shuffle=True)
    other = DataLoader(TensorDataset(points[2800:]), 256)
    return Program(module, train, other, 40, partial(sliced_distance, module, points[2800:]))


class DeepONet(LightningModule):
    """A branch for the forcing, a trunk for the time, and the product of both."""

    def __init__(self, branch: nn.Module, trunk: nn.Module, lr: float, gamma: float = 0.9) -> None:
        super().__init__()
        self.branch, self.trunk, self.lr, self.gamma = branch, trunk, lr, gamma
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        product = self.branch(x[:, :-1]) * self.trunk(x[:, -1:])
        return product.sum(1) / math.sqrt(product.shape[1]) + self.bias

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        error = (self(x) - y).square().mean()
        self.log("mse", error, on_epoch=True)
        return error

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        error = self(x) - y
        self.log("mse_unseen_forcings", error.square().mean())
        self.log("relative_l2", error.norm() / y.norm())

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [adam], [torch.optim.lr_scheduler.ExponentialLR(adam, self.gamma)]


def dense(sizes: list[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def springs(
    width: int, depth: int, lr: float, batch: int, epochs: int,
    activation: Callable[[], nn.Module] = nn.GELU, gamma: float = 0.9,
) -> Program:  # fmt: skip
    data = preprints.responses()
    branch = dense([24, *[width] * depth, 32], activation)
    trunk = dense([1, *[width] * depth, 32], activation)
    module = DeepONet(branch, trunk, lr, gamma)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class CoverNet(LightningModule):
    """Pixels of ten bands; rare covers weigh as much as common ones."""

    def __init__(self, hidden: int, lr: float, steps: int, weight: Tensor | None) -> None:
        super().__init__()
        self.lr, self.steps = lr, steps
        self.layers = nn.Sequential(
            nn.Linear(10, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 6),
        )  # fmt: skip
        self.ce = nn.CrossEntropyLoss(weight=weight)

    def forward(self, bands: Tensor) -> Tensor:
        scores: Tensor = self.layers(bands)
        return scores

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        bands, cover = batch
        loss: Tensor = self.ce(self(bands), cover)
        self.log("ce/train", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        bands, cover = batch
        scores = self(bands)
        self.log("ce/val", self.ce(scores, cover))
        self.log("oa/val", (scores.argmax(1) == cover).float().mean())

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(self.parameters(), self.lr, 0.9, weight_decay=1e-4)
        once = torch.optim.lr_scheduler.OneCycleLR(sgd, self.lr, total_steps=self.steps)
        return [sgd], [{"scheduler": once, "interval": "step"}]


def reflectance(data: Samples) -> Samples:
    """Delivered numbers to shares of light, and these about 0 with deviation 1."""
    mean, deviation = data.x.mean(0), data.x.std(0)
    return data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)


def covers(
    hidden: int, lr: float, batch: int, epochs: int, weighed: bool = True, scaled: bool = True
) -> Program:
    data = preprints.land_cover()
    data = reflectance(data) if scaled else data
    weight = (1 / data.y.bincount().float()).sqrt()
    weight = weight / weight.mean() if weighed else torch.ones(6)
    module = CoverNet(hidden, lr, epochs * math.ceil(len(data.y) / batch), weight)
    score = partial(balanced_accuracy, module, data)
    return Program(module, *loaders(data, batch), epochs, score)


class MixturePolicy(LightningModule):
    """What was demonstrated, as a mixture of three Gaussians."""

    def __init__(self, width: int = 80, modes: int = 3) -> None:
        super().__init__()
        self.modes = modes
        self.body = nn.Sequential(
            nn.Linear(8, width), nn.LayerNorm(width), nn.ELU(),
            nn.Linear(width, width), nn.LayerNorm(width), nn.ELU(),
        )  # fmt: skip
        self.mode, self.mean = nn.Linear(width, modes), nn.Linear(width, 3 * modes)
        self.log_scale = nn.Linear(width, 3 * modes)

    def mixture(self, state: Tensor) -> torch.distributions.MixtureSameFamily:
        h = self.body(state)
        scale = self.log_scale(h).clamp(-4, 2).exp().unflatten(1, (self.modes, 3))
        normal = torch.distributions.Normal(self.mean(h).unflatten(1, (self.modes, 3)), scale)
        return torch.distributions.MixtureSameFamily(
            torch.distributions.Categorical(logits=self.mode(h)),
            torch.distributions.Independent(normal, 1),
        )

    def forward(self, state: Tensor) -> Tensor:
        mean: Tensor = self.mixture(state).mean
        return mean

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        state, torque = batch
        nll = -self.mixture(state).log_prob(torque).mean()
        self.log("bc/nll", nll)
        return {"loss": nll}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        state, torque = batch
        self.log("bc/nll_holdout", -self.mixture(state).log_prob(torque).mean())
        self.log("bc/action_mse", F.mse_loss(self(state), torque))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-3)


def cloned() -> Program:
    data = preprints.demonstrations()
    module = MixturePolicy()
    program = Program(module, *loaders(data, 64), 16, partial(r2, module, data))
    program.trainer["gradient_clip_val"] = 5.0
    return program


class LatentWorld(LightningModule):
    """A latent state that says the reward, and that what follows must agree with."""

    def __init__(self, latent: int, width: int, lr: float, consistency: float = 1.0) -> None:
        super().__init__()
        self.lr, self.consistency = lr, consistency
        self.encoder = nn.Sequential(
            nn.Linear(5, width), nn.SiLU(), nn.Linear(width, latent), nn.LayerNorm(latent)
        )
        self.target = copy.deepcopy(self.encoder).requires_grad_(False)
        self.dynamics = nn.Sequential(
            nn.Linear(latent + 2, width), nn.SiLU(), nn.Linear(width, latent)
        )
        self.reward = nn.Sequential(nn.Linear(latent + 2, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, state: Tensor, push: Tensor) -> Tensor:
        said: Tensor = self.reward(torch.cat([self.encoder(state), push], 1))
        return said.squeeze(1)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        z = torch.cat([self.encoder(batch["state"]), batch["push"]], 1)
        reward = F.mse_loss(self.reward(z).squeeze(1), batch["reward"])
        with torch.no_grad():
            wanted = self.target(batch["after"])
        return reward, F.mse_loss(self.dynamics(z), wanted)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        reward, consistency = self.losses(batch)
        self.log_dict({"reward_loss": reward, "consistency_loss": consistency})
        return reward + self.consistency * consistency

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.encoder.parameters(), strict=True):
                slow.lerp_(fast, 0.05)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        reward, consistency = self.losses(batch)
        self.log_dict({"eval/reward_loss": reward, "eval/consistency_loss": consistency})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=self.lr)


@torch.no_grad()
def reward_explained(module: LightningModule, data: Records) -> float:
    module.eval()
    return explained(module(data.test["state"], data.test["push"]), data.test["reward"])


def world(latent: int, width: int, lr: float, batch: int, epochs: int) -> Program:
    data = preprints.pushes()
    module = LatentWorld(latent, width, lr)
    return Program(module, *feeds(data, batch), epochs, partial(reward_explained, module, data))


class LinearRecurrence(nn.Module):
    """States that decay, each at its own pace, all steps at once by powers; a gate behind."""

    def __init__(self, dim: int, states: int, slowest: float, fastest: float) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.linspace(slowest, fastest, states))
        self.enter = nn.Parameter(torch.randn(dim, states) / math.sqrt(dim))
        self.leave = nn.Linear(states, 2 * dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1])
        lag = (steps[:, None] - steps).clamp(min=0)
        powers = self.decay ** lag[..., None] * (steps[:, None] >= steps)[..., None]
        gain = (1 - self.decay.detach() ** 2).abs().sqrt()
        state = torch.einsum("tsn,bsn->btn", powers, self.norm(x) @ self.enter * gain)
        out: Tensor = x + F.glu(self.leave(state), -1)
        return out


class PhoneNet(LightningModule):
    """Two linear recurrences over frames; the mean over those frames that were spoken."""

    def __init__(
        self, dim: int, states: int, lr: float, slowest: float = 0.98, fastest: float = 0.4
    ) -> None:
        super().__init__()
        self.lr = lr
        self.front = nn.Linear(12, dim)
        self.blocks = nn.Sequential(
            LinearRecurrence(dim, states, slowest, fastest),
            LinearRecurrence(dim, states, slowest, fastest),
        )
        self.drop, self.out = nn.Dropout(0.1), nn.Linear(dim, 6)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        h = self.blocks(self.front(batch["frames"]))
        spoken = torch.arange(h.shape[1]) < batch["length"][:, None]
        mean = (h * spoken[..., None]).sum(1) / batch["length"][:, None]
        logits: Tensor = self.out(self.drop(mean))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch), batch["phone"])
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch)
        self.log("dev_ce", F.cross_entropy(logits, batch["phone"]))
        self.log("dev_per", (logits.argmax(1) != batch["phone"]).float().mean())

    def configure_optimizers(self) -> Any:
        slow = [p for n, p in self.named_parameters() if n.endswith("decay")]
        other = [p for n, p in self.named_parameters() if not n.endswith("decay")]
        groups = [{"params": slow, "lr": self.lr / 10, "weight_decay": 0.0}, {"params": other}]
        return torch.optim.AdamW(groups, lr=self.lr, weight_decay=0.02)


def spoken(
    dim: int, states: int, lr: float, batch: int, epochs: int, slowest: float = 0.98,
    fastest: float = 0.4,
) -> Program:  # fmt: skip
    data = preprints.phones()
    module = PhoneNet(dim, states, lr, slowest, fastest)
    score = partial(named_rightly, module, data, "phone")
    return Program(module, *feeds(data, batch), epochs, score)


class MonthlyHazard(LightningModule):
    """The chance of the event in each month, given that it did not come before."""

    def __init__(self, width: int, dropout: float, lr: float, decay: float) -> None:
        super().__init__()
        self.lr, self.decay = lr, decay
        self.risk = nn.Sequential(
            nn.Linear(12, width), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 12),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.risk(x)
        return logits

    def nll(self, batch: dict[str, Tensor]) -> Tensor:
        month, event = batch["month"], batch["event"]
        logits = self(batch["x"])
        steps = torch.arange(12)
        happened = (steps == month[:, None]) * event[:, None]
        each = F.binary_cross_entropy_with_logits(logits, happened, reduction="none")
        return (each * (steps <= month[:, None])).sum(1).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        nll = self.nll(batch)
        self.log("surv_nll/train", nll, on_step=False, on_epoch=True)
        return nll

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("surv_nll/val", self.nll(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=self.decay)


@torch.no_grad()
def concordance(module: LightningModule, data: Records) -> float:
    """Share of pairs of which the one at more risk has the event first."""
    module.eval()
    risk = module(data.test["x"]).sigmoid().neg().log1p().sum(1).neg()
    month, event = data.test["month"], data.test["event"] > 0
    pairs = event[:, None] & (month[:, None] < month)
    return (risk[:, None] > risk)[pairs].float().mean().item()


def hazards(
    width: int, dropout: float, lr: float, decay: float, batch: int, epochs: int,
    first: int | None = None,
) -> Program:  # fmt: skip
    data = preprints.survivals()
    few = Records({name: column[:first] for name, column in data.train.items()}, data.test)
    module = MonthlyHazard(width, dropout, lr, decay)
    return Program(module, *feeds(few, batch), epochs, partial(concordance, module, data))


class Isomorphism(nn.Module):
    """An atom and the sum of its neighbours through two layers, beside what it was."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, h: Tensor, bonds: Tensor) -> Tensor:
        out: Tensor = h + self.norm(self.mlp((1 + self.eps) * h + bonds @ h))
        return out


class MoleculeNet(LightningModule):
    """Three rounds over the bonds, the sum over atoms, and an L1 loss."""

    def __init__(self, dim: int, rounds: int, lr: float, epochs: int) -> None:
        super().__init__()
        self.lr, self.epochs = lr, epochs
        self.embed = nn.Linear(4, dim)
        self.rounds = nn.ModuleList(Isomorphism(dim) for _ in range(rounds))
        self.readout = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, 1))

    def forward(self, graph: dict[str, Tensor]) -> Tensor:
        h = self.embed(graph["nodes"])
        for update in self.rounds:
            h = update(h, graph["bonds"])
        out: Tensor = self.readout((h * graph["mask"][..., None]).sum(1) / 3)
        return out.squeeze(1)

    def training_step(self, graph: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(graph), graph["value"])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, graph: dict[str, Tensor], batch_idx: int) -> None:
        found = self(graph)
        self.log("loss/valid", F.smooth_l1_loss(found, graph["value"]))
        self.log("mae/valid", F.l1_loss(found, graph["value"]))

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [adam], [torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)]


@torch.no_grad()
def value_explained(module: LightningModule, data: Records) -> float:
    module.eval()
    return explained(module(data.test), data.test["value"])


def graphs(dim: int, rounds: int, lr: float, batch: int, epochs: int) -> Program:
    data = preprints.molecules()
    module = MoleculeNet(dim, rounds, lr, epochs)
    return Program(module, *feeds(data, batch), epochs, partial(value_explained, module, data))


class JetTagger(LightningModule):
    """Each particle by itself, then the mean and the largest of all that are there."""

    def __init__(self, width: int, lr: float, start: float = 0.0) -> None:
        super().__init__()
        self.lr = lr
        self.phi = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.rho = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 1))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.constant_(layer.bias, start)

    def pool(self, h: Tensor, mask: Tensor) -> Tensor:
        mean = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        most = h.masked_fill(mask[..., None] == 0, 0.0).amax(1)
        return torch.cat([mean, most], 1)

    def forward(self, jet: dict[str, Tensor]) -> Tensor:
        out: Tensor = self.rho(self.pool(self.phi(jet["particles"]), jet["mask"]))
        return out.squeeze(1)

    def training_step(self, jet: dict[str, Tensor], batch_idx: int) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(self(jet), jet["label"].float())
        self.log("bce", bce)
        return bce

    def validation_step(self, jet: dict[str, Tensor], batch_idx: int) -> None:
        logit = self(jet)
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, jet["label"].float()))
        self.log("val_acc", ((logit > 0) == (jet["label"] > 0)).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.RAdam(self.parameters(), lr=self.lr)


@torch.no_grad()
def jets_tagged(module: LightningModule, data: Records) -> float:
    module.eval()
    logit = module(data.test)
    right = ((logit > 0) == (data.test["label"] > 0)).float().mean().item()
    return right if logit.isfinite().all() else 0.0


def jets(
    width: int, lr: float, batch: int, epochs: int, start: float = 0.0,
    kind: type[JetTagger] = JetTagger,
) -> Program:  # fmt: skip
    data = preprints.jets()
    module = kind(width, lr, start)
    return Program(module, *feeds(data, batch), epochs, partial(jets_tagged, module, data))


class Episodes(Dataset[tuple[Tensor, Tensor]]):
    """Five letters, three drawings of each to learn from and six to ask for."""

    def __init__(self, x: Tensor, y: Tensor, count: int, seed: int | None = None) -> None:
        self.by_letter = [x[y == label] for label in y.unique()]
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        g = None if self.seed is None else torch.Generator().manual_seed(self.seed + index)
        chosen = torch.randperm(len(self.by_letter), generator=g)[:5].tolist()
        drawn = [
            self.by_letter[c][torch.randperm(len(self.by_letter[c]), generator=g)[:9]]
            for c in chosen
        ]
        every = torch.stack(drawn)
        return every[:, :3], every[:, 3:]


class Prototypes(LightningModule):
    """A letter is the mean of its three drawings; the nearest mean names a new one."""

    def __init__(self, width: int, code: int, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.encoder = nn.Sequential(
            nn.Linear(28, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, code)
        )

    def forward(self, support: Tensor, query: Tensor) -> Tensor:
        """Negative squared distances of each task's queries from its means."""
        means = self.encoder(support.flatten(0, 2)).unflatten(0, support.shape[:3]).mean(2)
        asked = self.encoder(query.flatten(0, 2)).unflatten(0, (len(query), -1))
        return -(torch.cdist(asked, means) ** 2)

    def both(self, batch: Any) -> tuple[Tensor, Tensor]:
        support, query = batch
        logits = self(support, query).flatten(0, 1)
        label = torch.arange(5).repeat_interleave(query.shape[2]).repeat(len(query))
        return F.cross_entropy(logits, label), (logits.argmax(1) == label).float().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, right = self.both(batch)
        self.log_dict({"episode_loss": loss, "episode_acc": right})
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, right = self.both(batch)
        self.log_dict({"novel_loss": loss, "novel_acc": right})

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [adam], [torch.optim.lr_scheduler.StepLR(adam, 5, 0.5)]


@torch.no_grad()
def novel_letters(module: Prototypes, tasks: DataLoader[Any]) -> float:
    module.eval()
    return torch.stack([module.both(batch)[1] for batch in tasks]).mean().item()


def prototypes(width: int, code: int, lr: float, epochs: int) -> Program:
    data = preprints.letters()
    module = Prototypes(width, code, lr)
    train = DataLoader(Episodes(data.x, data.y, 240), 4)
    novel = DataLoader(Episodes(data.x_test, data.y_test, 60, 900), 10)
    return Program(module, train, novel, epochs, partial(novel_letters, module, novel))


class Sine(nn.Module):
    """A linear layer and a sine, drawn as its paper says."""

    def __init__(self, before: int, after: int, omega: float, first: bool) -> None:
        super().__init__()
        self.linear, self.omega = nn.Linear(before, after), omega
        bound = 1 / before if first else math.sqrt(6 / before) / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return (self.omega * self.linear(x)).sin()


class HeightField(LightningModule):
    """The map as a network of its coordinates."""

    def __init__(self, net: nn.Module, lr: float) -> None:
        super().__init__()
        self.net, self.lr = net, lr

    def forward(self, xy: Tensor) -> Tensor:
        out: Tensor = self.net(xy)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        xy, height = batch
        mse = F.mse_loss(self(xy), height)
        self.log("psnr", -10 * mse.detach().log10())
        self.log("train_mse", mse)
        return mse

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        xy, height = batch
        self.log("test_mse", F.mse_loss(self(xy), height))

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr, betas=(0.9, 0.99), eps=1e-7)
        return [adam], [torch.optim.lr_scheduler.CosineAnnealingLR(adam, 24, 1e-5)]


def field(net: nn.Module, lr: float, batch: int = 100, epochs: int = 24) -> Program:
    data = preprints.terrain()
    module = HeightField(net, lr)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


def sirens() -> Program:
    net = nn.Sequential(
        Sine(2, 64, 6.0, True), Sine(64, 64, 6.0, False), Sine(64, 64, 6.0, False),
        nn.Linear(64, 1),
    )  # fmt: skip
    return field(net, 6e-4)


class SoundsAndWords(LightningModule):
    """Two towers, one space; each of a batch must find its other half."""

    def __init__(self, width: int, code: int, lr: float, warmup: int, batch: int) -> None:
        super().__init__()
        self.lr, self.warmup, self.batch = lr, warmup, batch
        self.audio = nn.Sequential(nn.Linear(32, width), nn.GELU(), nn.Linear(width, code))
        self.text = nn.Sequential(nn.Linear(20, width), nn.GELU(), nn.Linear(width, code))
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def forward(self, sound: Tensor, words: Tensor) -> Tensor:
        a, t = F.normalize(self.audio(sound), dim=1), F.normalize(self.text(words), dim=1)
        return self.log_scale.clamp(max=4.6).exp() * a @ t.T

    def contrast(self, batch: Any) -> Tensor:
        logits = self(*batch)
        label = torch.arange(len(logits))
        return (F.cross_entropy(logits, label) + F.cross_entropy(logits.T, label)) / 2

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.contrast(batch)
        self.log("clap_loss", loss)
        self.log("logit_scale", self.log_scale.exp())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("clap_loss_val", self.contrast(batch))

    def configure_optimizers(self) -> Any:
        adam = torch.optim.AdamW(
            self.parameters(), self.lr, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.1
        )
        return by_step(adam, lambda t: min(1.0, (t + 1) / self.warmup))


@torch.no_grad()
def found_among_forty(module: SoundsAndWords, data: Samples) -> float:
    """Share of sounds whose own caption is the nearest of forty."""
    module.eval()
    right = []
    for start in range(0, 400, 40):
        own = slice(start, start + 40)
        logits = module(data.x_test[own], data.y_test[own])
        right.append((logits.argmax(1) == torch.arange(40)).float())
    return torch.cat(right).mean().item()


def towers(width: int, code: int, lr: float, warmup: int, batch: int, epochs: int) -> Program:
    data = preprints.captions()
    module = SoundsAndWords(width, code, lr, warmup, batch)
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    both = (
        DataLoader(train, batch, shuffle=True, drop_last=True),
        DataLoader(test, batch, drop_last=True),
    )
    return Program(module, *both, epochs, partial(found_among_forty, module, data))


class SpectraVAE(LightningModule):
    """Six hidden numbers of a spectrum; the divergence is let in over the first steps."""

    def __init__(self, width: int, hidden: int, lr: float, beta: float) -> None:
        super().__init__()
        self.lr, self.beta, self.hidden = lr, beta, hidden
        self.encoder = nn.Sequential(
            nn.Linear(40, width), nn.LeakyReLU(0.1), nn.Linear(width, 2 * hidden)
        )
        self.decoder = nn.Sequential(
            nn.Linear(hidden, width), nn.LeakyReLU(0.1), nn.Linear(width, 40)
        )

    def forward(self, flux: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(flux)[:, : self.hidden])
        return rebuilt

    def reconstruction(self, rebuilt: Tensor, flux: Tensor) -> Tensor:
        return 0.5 * ((rebuilt - flux) ** 2).sum(1).mean()

    def elbo(self, flux: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.encoder(flux).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1).mean()
        return self.reconstruction(self.decoder(z), flux), kl

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        rec, kl = self.elbo(batch[0])
        loss = rec + self.beta * min(1.0, self.global_step / 150) * kl
        self.log_dict({"train_rec": rec, "train_kl": kl, "train_neg_elbo": rec + kl})
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        rec, kl = self.elbo(batch[0])
        self.log_dict({"val_rec": rec, "val_kl": kl, "val_neg_elbo": rec + kl})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adamax(self.parameters(), lr=self.lr)


def rebuilt(module: LightningModule, data: Samples) -> float:
    return explained(outputs(module, data.x_test), data.x_test)


def spectra(
    width: int, hidden: int, lr: float, beta: float, batch: int, epochs: int,
    kind: type[SpectraVAE] = SpectraVAE,
) -> Program:  # fmt: skip
    data = preprints.spectra()
    module = kind(width, hidden, lr, beta)
    return Program(module, *loaders(data, batch), epochs, partial(rebuilt, module, data))


class BumpLayer(nn.Module):
    """Each edge is a curve of its own, a sum of bumps, beside a plain weight."""

    def __init__(self, before: int, after: int, bumps: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(-1.5, 1.5, bumps))
        self.width = 3.0 / (bumps - 1)
        self.curves = nn.Parameter(0.3 / math.sqrt(before) * torch.randn(before, bumps, after))
        self.base = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        bumps = (-(((x[..., None] - self.centres) / self.width) ** 2)).exp()
        return torch.einsum("bik,iko->bo", bumps, self.curves) + self.base(F.silu(x))


class BumpNet(LightningModule):
    """Two layers of such curves for a law of five quantities."""

    def __init__(self, hidden: int, bumps: int, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.kan = nn.Sequential(BumpLayer(5, hidden, bumps), BumpLayer(hidden, 1, bumps))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.kan(x)
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        rmse = F.mse_loss(self(x), y).sqrt()
        self.log("rmse", rmse, on_step=True, on_epoch=True)
        return rmse

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_rmse", F.mse_loss(self(x), y).sqrt())

    def configure_optimizers(self) -> Any:
        return torch.optim.NAdam(self.parameters(), lr=self.lr)


def law(hidden: int, bumps: int, lr: float, batch: int, epochs: int) -> Program:
    data = preprints.formula()
    module = BumpNet(hidden, bumps, lr)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class Spike(torch.autograd.Function):
    """A step forwards; backwards, the slope of a soft one."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor) -> Tensor:
        ctx.save_for_backward(potential)
        return (potential > 0).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (potential,) = ctx.saved_tensors
        return grad / (1 + 4 * potential.abs()) ** 2


class SpikingNet(LightningModule):
    """Leaky neurons that fire and reset; the readout's mean potential is the answer."""

    def __init__(self, hidden: int, lr: float, epochs: int) -> None:
        super().__init__()
        self.lr, self.epochs = lr, epochs
        self.enter, self.back = nn.Linear(16, hidden), nn.Linear(hidden, hidden, bias=False)
        self.readout = nn.Linear(hidden, 5)
        nn.init.normal_(self.enter.weight, 0, 0.6)
        nn.init.normal_(self.back.weight, 0, 0.5 / math.sqrt(hidden))
        self.leak = nn.Parameter(torch.full((hidden,), 1.5))

    def fire(self, potential: Tensor) -> Tensor:
        spikes: Tensor = Spike.apply(potential)
        return spikes

    def forward(self, events: Tensor) -> Tensor:
        potential = spikes = torch.zeros(len(events), len(self.leak))
        entering, leak, total = self.enter(events), self.leak.sigmoid(), torch.zeros(1)
        for step in range(events.shape[1]):
            potential = leak * potential * (1 - spikes) + entering[:, step] + self.back(spikes)
            spikes = self.fire(potential - 1)
            total = total + self.readout(spikes)
        return total / events.shape[1] * 4

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        events, motion = batch
        loss = F.cross_entropy(self(events), motion)
        self.log("loss/snn", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        events, motion = batch
        rates = self(events)
        self.log("loss/snn_val", F.cross_entropy(rates, motion))
        self.log("acc/snn_val", (rates.argmax(1) == motion).float().mean())

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [adam], [torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)]


def motions(hidden: int, lr: float, batch: int, epochs: int) -> Program:
    data = preprints.events()
    module = SpikingNet(hidden, lr, epochs)
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


class LoggedActorCritic(LightningModule):
    """A critic of returns and a policy that prefers what did better, each with its optimizer."""

    def __init__(self, width: int = 56, temperature: float = 0.8) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.temperature = temperature
        self.critic = dense([6, width, width, 3], nn.Mish)
        self.policy = dense([6, width, width, 3], nn.Mish)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        action = batch["action"][:, None]
        values = self.critic(batch["state"])
        taken = values.gather(1, action).squeeze(1)
        critic = F.smooth_l1_loss(taken, batch["returns"])
        log_chance = self.policy(batch["state"]).log_softmax(1)
        with torch.no_grad():
            gain = taken - (log_chance.exp() * values).sum(1)
            weight = (gain / self.temperature).exp().clamp(max=10)
        actor = -(weight * log_chance.gather(1, action).squeeze(1)).mean()
        return critic, actor

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        critic, actor = self.losses(batch)
        for optimizer, loss in zip(self.optimizers(), (critic, actor), strict=True):
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        self.log_dict({"loss/critic": critic, "loss/actor": actor})

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        critic, actor = self.losses(batch)
        self.log_dict({"val_loss/critic": critic, "val_loss/actor": actor})

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.Adam(self.critic.parameters(), lr=1e-3),
            torch.optim.Adam(self.policy.parameters(), lr=5e-4),
        ]


@torch.no_grad()
def best_taken(module: LoggedActorCritic, data: Records) -> float:
    """What the policy gains, as a share of what the best action would."""
    module.eval()
    gain = data.test["gain"]
    chosen = module.policy(data.test["state"]).argmax(1, keepdim=True)
    best = gain.amax(1) - gain.mean(1)
    return ((gain.gather(1, chosen).squeeze(1) - gain.mean(1)).sum() / best.sum()).item()


def logged() -> Program:
    data = preprints.logged()
    module = LoggedActorCritic()
    return Program(module, *feeds(data, 50), 12, partial(best_taken, module, data))


class DoubtfulLinear(nn.Module):
    """Weights that are drawn anew for each batch, about means, and their divergence."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(before, after) / math.sqrt(before))
        self.rho = nn.Parameter(torch.full((before, after), -4.0))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.mean
        if self.training:
            weight = weight + F.softplus(self.rho) * torch.randn_like(weight)
        return x @ weight + self.bias

    def divergence(self) -> Tensor:
        scale = F.softplus(self.rho)
        return (0.5 * (self.mean**2 + scale**2 - 1) - scale.log()).sum()


class Redshifts(LightningModule):
    """Likelihood of redshifts under uncertain weights, with the divergence shared by rows."""

    def __init__(self, width: int, lr: float, rows: int) -> None:
        super().__init__()
        self.lr, self.rows = lr, rows
        self.first, self.second = DoubtfulLinear(6, width), DoubtfulLinear(width, width)
        self.last = DoubtfulLinear(width, 1)
        self.log_noise = nn.Parameter(torch.tensor(-0.5))

    def forward(self, mag: Tensor) -> Tensor:
        h = self.second(self.first(mag).relu()).relu()
        out: Tensor = self.last(h)
        return out.squeeze(1)

    def nll(self, batch: Any) -> Tensor:
        mag, z = batch
        return (0.5 * ((self(mag) - z) / self.log_noise.exp()) ** 2 + self.log_noise).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        nll = self.nll(batch)
        kl = self.first.divergence() + self.second.divergence() + self.last.divergence()
        self.log_dict({"nll": nll, "kl": kl})
        return nll + kl / self.rows

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("nll_test", self.nll(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def redshifts(width: int, lr: float, batch: int, epochs: int, rows: int | None = None) -> Program:
    data = preprints.colours()
    module = Redshifts(width, lr, rows or len(data.y))
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class PosteriorFlow(LightningModule):
    """Parameters of a simulator, given what it showed: six affine steps, each half by half."""

    def __init__(self, width: int, steps: int, lr: float, epochs: int) -> None:
        super().__init__()
        self.lr, self.epochs = lr, epochs
        self.couplings = nn.ModuleList(dense([7, width, width, 2], nn.SiLU) for _ in range(steps))
        for net in self.couplings:
            nn.init.zeros_(net[-1].weight)
            nn.init.zeros_(net[-1].bias)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """The logarithm of the posterior's density."""
        a, b, log_det = theta[:, :1], theta[:, 1:], torch.zeros(len(theta))
        for net in self.couplings:
            shift, log_scale = net(torch.cat([a, x], 1)).chunk(2, 1)
            log_scale = 2 * (log_scale / 2).tanh()
            a, b = b * log_scale.exp() + shift, a
            log_det = log_det + log_scale.squeeze(1)
        square = (a**2 + b**2).squeeze(1)
        return log_det - 0.5 * square - math.log(2 * math.pi)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = -self(*batch).mean()
        self.log("npe_loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("npe_val_loss", -self(*batch).mean())

    def configure_optimizers(self) -> Any:
        adam = torch.optim.AdamW(self.parameters(), self.lr, weight_decay=1e-3)
        return [adam], [torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.epochs)]


@torch.no_grad()
def posterior_density(module: PosteriorFlow, data: Samples) -> float:
    return module.eval()(data.x_test, data.y_test).mean().item()


def posterior() -> Program:
    data = preprints.simulations()
    module = PosteriorFlow(40, 4, 1e-3, 14)
    score = partial(posterior_density, module, data)
    return Program(module, *loaders(data, 64), 14, score, {"gradient_clip_val": 5.0})


class Advection(LightningModule):
    """u' - 0.2 u'' = 1 between two walls at zero; the loss is what the equation leaves."""

    def __init__(self, width: int = 24, lr: float = 3e-3) -> None:
        super().__init__()
        self.lr = lr
        self.net = dense([1, width, width, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = 4 * x * (1 - x) * self.net(2 * x - 1)
        return out

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0].clone().requires_grad_()
        u = self(x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
        residual = ((first - 0.2 * second - 1) ** 2).mean()
        self.log("pde_residual", residual)
        return residual

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [adam], [torch.optim.lr_scheduler.ExponentialLR(adam, 0.9)]


def solved(module: Advection) -> float:
    x = torch.linspace(0, 1, 101)[:, None]
    exact = x - (((x - 1) / 0.2).exp() - math.exp(-5)) / (1 - math.exp(-5))
    return explained(outputs(module, x), exact)


def advection() -> Program:
    places = torch.rand(2000, 1, generator=torch.Generator().manual_seed(7322))
    module = Advection()
    train = DataLoader(TensorDataset(places), 64, shuffle=True)
    return Program(module, train, None, 25, partial(solved, module))


CASES = (
    Case(
        "galaxy-cut-outs-by-wide-residuals", Goal("accuracy", at_least=0.85),
        partial(morphology, 16, 0.02, 50, 12),
    ),
    Case(
        "variable-stars-pooled-by-a-query", Goal("accuracy", at_least=0.85),
        partial(variable_stars, 40, 4, 1.5e-3, 60, 48, 9),
    ),
    Case("three-arms-from-noise", Goal("sliced distance", at_most=0.12), diffusion),
    Case(
        "stiff-springs-by-branch-and-trunk", Goal("R2", at_least=0.93),
        partial(springs, 72, 2, 2e-3, 80, 25),
    ),
    Case(
        "satellite-bands-rare-covers-weigh-more", Goal("balanced accuracy", at_least=0.75),
        partial(covers, 64, 0.08, 64, 14),
    ),
    Case("torques-shown-as-mixtures", Goal("R2", at_least=0.9), cloned),
    Case(
        "pucks-reward-from-a-latent-state", Goal("R2", at_least=0.85),
        partial(world, 20, 64, 1.5e-3, 64, 16),
    ),
    Case(
        "resonances-by-decaying-states", Goal("accuracy", at_least=0.85),
        partial(spoken, 32, 40, 4e-3, 50, 12),
    ),
    Case(
        "months-to-the-event-as-hazards", Goal("concordance", at_least=0.68),
        partial(hazards, 48, 0.3, 1.5e-3, 0.05, 64, 16),
    ),
    Case(
        "rings-and-chains-three-rounds", Goal("R2", at_least=0.85),
        partial(graphs, 40, 3, 2e-3, 50, 30),
    ),
    Case(
        "jets-of-few-particles-pooled-twice", Goal("accuracy", at_least=0.85),
        partial(jets, 48, 2e-3, 40, 18),
    ),
    Case(
        "unseen-letters-by-three-drawings", Goal("accuracy", at_least=0.8),
        partial(prototypes, 64, 24, 2e-3, 12),
    ),
    Case("heights-of-a-map-by-slow-sines", Goal("R2", at_least=0.95), sirens),
    Case(
        "sounds-that-find-their-captions", Goal("top 1 of 40", at_least=0.6),
        partial(towers, 64, 24, 2e-3, 40, 100, 20),
    ),
    Case(
        "emission-lines-in-six-numbers", Goal("R2 of the spectrum", at_least=0.7),
        partial(spectra, 96, 6, 4e-3, 0.5, 48, 30),
    ),
    Case(
        "a-law-by-curves-on-edges", Goal("R2", at_least=0.93), partial(law, 10, 8, 4e-3, 50, 20)
    ),
    Case(
        "edges-over-a-retina-that-fires", Goal("accuracy", at_least=0.8),
        partial(motions, 64, 4e-3, 50, 12),
    ),
    Case("logged-actions-preferred-by-gain", Goal("share of gain", at_least=0.75), logged),
    Case(
        "redshifts-of-doubtful-weights", Goal("R2", at_least=0.92),
        partial(redshifts, 32, 3e-3, 46, 20),
    ),
    Case("simulator-read-backwards", Goal("log density", at_least=-1.5), posterior),
    Case("advection-between-two-walls", Goal("R2", at_least=0.97), advection),
)  # fmt: skip
