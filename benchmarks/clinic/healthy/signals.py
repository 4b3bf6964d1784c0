"""Programs over signals and texts: gated, linear, stateful, masked, translated, skipped."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import Samples, loaders, split
from lightning.pytorch import LightningModule
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Gated(nn.Module):
    """A dilated convolution of the past alone, half of which is the other half's gate."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.past = dilation
        self.both = nn.Conv1d(width, 2 * width, 2, dilation=dilation)
        self.out = nn.Conv1d(width, 2 * width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.both(F.pad(x, (self.past, 0))).chunk(2, 1)
        onward, skipped = self.out(a.tanh() * b.sigmoid()).chunk(2, 1)
        return (x + onward) * 0.5**0.5, skipped


class WaveNet(LightningModule):
    """The next of 32 levels of a wave, from all before."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.embed = nn.Embedding(32, width)
        self.blocks = nn.ModuleList(Gated(width, 2**k) for k in range(5))
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 32, 1)
        )  # fmt: skip

    def forward(self, levels: Tensor) -> Tensor:
        x, total = self.embed(levels).mT, 0
        for block in self.blocks:
            x, skipped = block(x)
            total = total + skipped
        found: Tensor = self.head(total)
        return found

    def training_step(self, levels: Tensor, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(levels[:, :-1]), levels[:, 1:])
        self.log("nll", loss, batch_size=len(levels))
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def sounds() -> Program:
    """Two sines and some noise, in 32 levels."""
    generator = torch.Generator().manual_seed(90)
    time = torch.arange(65)
    pitch = 0.1 + 0.3 * torch.rand(500, 2, 1, generator=generator)
    phase = 6.28 * torch.rand(500, 2, 1, generator=generator)
    wave = torch.sin(pitch * time + phase).mean(1)
    wave = wave + 0.03 * torch.randn(500, 65, generator=generator)
    levels = ((wave + 1.1) / 2.2 * 32).long().clamp(0, 31)
    module = WaveNet()
    train = DataLoader(levels[:400], 20, shuffle=True)  # type: ignore[arg-type]

    def score() -> float:
        found = outputs(module, levels[400:, :-1])
        return F.cross_entropy(found, levels[400:, 1:]).item()

    return Program(module, train, None, 15, score)


class LinearRecurrence(nn.Module):
    """Complex, diagonal and linear in time, so that it is a convolution; then a gate."""

    def __init__(self, width: int, states: int = 32) -> None:
        super().__init__()
        radius, angle = 0.95 + 0.049 * torch.rand(states), 0.3 * torch.rand(states)
        self.log_decay = nn.Parameter((-radius.log()).log())
        self.angle = nn.Parameter(angle)
        self.inward = nn.Parameter(torch.randn(states, width, dtype=torch.cfloat) / width**0.5)
        self.outward = nn.Parameter(torch.randn(width, states, dtype=torch.cfloat) / states**0.5)
        self.norm, self.gate = nn.LayerNorm(width), nn.Linear(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        decay = -self.log_decay.exp()
        time = torch.arange(x.shape[1])
        kernel = torch.exp(torch.complex(decay, self.angle)[:, None] * time)
        scale = (1 - (2 * decay).exp()).sqrt()
        driven = scale * torch.einsum("blw,sw->bls", self.norm(x).to(torch.cfloat), self.inward)
        size = 2 * x.shape[1]
        spectrum = torch.fft.fft(driven, n=size, dim=1) * torch.fft.fft(kernel.T, n=size, dim=0)
        state = torch.fft.ifft(spectrum, dim=1)[:, : x.shape[1]]
        found = torch.einsum("bls,ws->blw", state, self.outward).real
        return x + F.glu(self.gate(F.gelu(found)), dim=-1)


class StateSpace(LightningModule):
    """Two such layers; the recurrences learn slower than the rest and do not decay."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Sequential(nn.Linear(2, 48), nn.GELU(), nn.Linear(48, 24))
        self.layers = nn.Sequential(LinearRecurrence(24), LinearRecurrence(24))
        self.head = nn.Linear(24, 1)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.layers(self.lift(series))[:, -1])[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("sum_rmse", loss.detach().sqrt())
        return loss

    def configure_optimizers(self) -> Any:
        slow = [p for n, p in self.named_parameters() if "decay" in n or "angle" in n]
        rest = [p for n, p in self.named_parameters() if "decay" not in n and "angle" not in n]
        groups = [{"params": rest, "weight_decay": 0.01}, {"params": slow, "lr": 1e-3}]
        optimizer = torch.optim.AdamW(groups, lr=4e-3, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def marked_sums() -> Program:
    """Sixty numbers, two of which are marked: what is their sum?"""
    generator = torch.Generator().manual_seed(91)
    x = torch.zeros(2400, 60, 2)
    x[..., 0] = 3**0.5 * (2 * torch.rand(2400, 60, generator=generator) - 1)
    row = torch.arange(2400)
    for start in (0, 30):
        x[row, start + torch.randint(30, (2400,), generator=generator), 1] = 1.0
    data: Samples = split(x, (x[..., 0] * x[..., 1]).sum(1) / 2**0.5)
    module = StateSpace()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(r2, module, data))


class Carried(LightningModule):
    """Reads eight long series in pieces; the state is carried over, the gradient is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)
        self.state: Tensor | None = None

    def forward(self, piece: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.cell(piece[..., None], state)
        return self.head(hidden)[..., 0], state

    def on_train_epoch_start(self) -> None:
        self.state = None

    def training_step(self, piece: Tensor, batch_idx: int) -> Tensor:
        found, state = self(piece[:, :-1], self.state)
        self.state = state.detach()
        loss = F.mse_loss(found, piece[:, 1:])
        self.log("piece_mse", loss, batch_size=len(piece))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3, momentum=0.5)


def carried() -> Program:
    """A swinging that is pushed at random: the best guess still errs by the push."""
    generator = torch.Generator().manual_seed(92)
    push = 0.3 * torch.randn(16, 1300, generator=generator)
    series = [torch.zeros(16), torch.zeros(16)]
    for step in push.unbind(1):
        series.append(1.8 * series[-1] - 0.95 * series[-2] + step)
    swing = torch.stack(series[100:], 1)
    swing = swing / swing.std()
    pieces = [swing[:8, k : k + 41] for k in range(0, 1160, 40)]
    module = Carried()

    def score() -> float:
        with torch.no_grad():
            found, _ = module.eval()(swing[8:, :-1])
        return (1 - (found - swing[8:, 1:]).square().mean() / swing[8:].var()).item()

    train = DataLoader(pieces, batch_size=None)  # type: ignore[arg-type]
    return Program(module, train, None, 25, score, {"gradient_clip_val": 1.0})


class SkipGrams(LightningModule):
    """Which words stand together, against five drawn at random; the gradients are sparse."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = words
        self.middle = nn.Embedding(words, 16, sparse=True)
        self.around = nn.Embedding(words, 16, sparse=True)
        nn.init.uniform_(self.middle.weight, -0.5 / 16, 0.5 / 16)
        nn.init.zeros_(self.around.weight)

    def forward(self, word: Tensor) -> Tensor:
        code: Tensor = self.middle(word)
        return code

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        word, near = batch
        code = self.middle(word)
        far = torch.randint(self.words, (len(word), 5))
        right = F.logsigmoid((code * self.around(near)).sum(-1))
        wrong = F.logsigmoid(-torch.einsum("bd,bnd->bn", code, self.around(far))).sum(1)
        loss = -(right + wrong).mean()
        self.log("sgns", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SparseAdam(list(self.parameters()), lr=0.01)


def skip_grams() -> Program:
    """Sentences of one of five topics each; words of a topic come to lie together."""
    generator = torch.Generator().manual_seed(93)
    topic = torch.randint(5, (700, 1), generator=generator)
    words = 20 * topic + torch.randint(20, (700, 12), generator=generator)
    stray = torch.randint(100, (700, 12), generator=generator)
    words = torch.where(torch.rand(700, 12, generator=generator) < 0.2, stray, words)
    near = [torch.stack([words[:, k:], words[:, : 12 - k]], -1).flatten(0, 1) for k in (1, 2)]
    pairs = torch.cat(near)
    module = SkipGrams(100)
    train = DataLoader(TensorDataset(*pairs.unbind(1)), 128, shuffle=True)

    def score() -> float:
        """Words whose nearest is of their topic."""
        code = F.normalize(outputs(module, torch.arange(100)), dim=1)
        nearest = (code @ code.T - 2 * torch.eye(100)).argmax(1)
        return (nearest // 20 == torch.arange(100) // 20).float().mean().item()

    return Program(module, train, None, 10, score)


CASES = (
    Case("sounds-gated-convolutions", Goal("cross-entropy", at_most=1.5), sounds),
    Case("marked-sums-linear-recurrence", Goal("R2", at_least=0.9), marked_sums),
    Case("swings-state-carried", Goal("R2", at_least=0.9), carried),
    Case("topics-skip-grams", Goal("accuracy of the nearest", at_least=0.95), skip_grams),
)
