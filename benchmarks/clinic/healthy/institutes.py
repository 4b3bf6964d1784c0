"""What doctoral students outside of machine learning write from scratch, matrix by matrix."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from case import Case, Goal, Program
from data_sets import institutes
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn


def matrix(rows: int, columns: int, gain: float = 1.0) -> nn.Parameter:
    return nn.Parameter(gain * torch.randn(rows, columns) / math.sqrt(rows))


class Tuning(LightningModule):
    """Rates of neurons by what the animal does; the likelihood of counts is written out."""

    def __init__(self, hidden: int, rate: float, speed_unit: float = 100.0) -> None:
        super().__init__()
        self.rate, self.speed_unit = rate, speed_unit
        self.W1, self.b1 = matrix(3, hidden), nn.Parameter(torch.zeros(hidden))
        self.W2, self.b2 = matrix(hidden, 14, 0.3), nn.Parameter(torch.zeros(14))

    def forward(self, x: Tensor) -> Tensor:
        heading, speed = x.unbind(1)
        speed = speed if self.speed_unit == 1 else (speed - 140) / self.speed_unit
        h = torch.stack([heading.cos(), heading.sin(), speed], 1)
        return torch.tanh(h @ self.W1 + self.b1) @ self.W2 + self.b2

    def nll(self, batch: Any) -> Tensor:
        x, counts = batch
        log_rate = self(x)
        return (log_rate.exp() - counts * log_rate).sum(1).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("nll_train", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("nll_heldout", self.nll(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([self.W1, self.b1, self.W2, self.b2], lr=self.rate)


def deviance_explained(module: LightningModule, samples: Samples) -> float:
    log_rate, counts = outputs(module, samples.x_test), samples.y_test
    flat = samples.y.mean(0).log().expand_as(log_rate)

    def likelihood(log: Tensor) -> Tensor:
        return (counts * log - log.exp()).sum()

    full = likelihood(counts.clamp(min=1e-9).log())
    return ((likelihood(log_rate) - likelihood(flat)) / (full - likelihood(flat))).item()


def tuning(hidden: int, rate: float, batch: int, epochs: int, unit: float = 100.0) -> Program:
    data = institutes.spikes()
    module = Tuning(hidden, rate, unit)
    score = partial(deviance_explained, module, data)
    return Program(module, *loaders(data, batch), epochs, score)


class Lifetime(LightningModule):
    """The lifetime of a state with its error bar; no validation, the supervisor has the test."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.A, self.a = matrix(36, hidden), nn.Parameter(torch.zeros(hidden))
        self.B, self.b = matrix(hidden, hidden), nn.Parameter(torch.zeros(hidden))
        self.C, self.c = matrix(hidden, 2, 0.1), nn.Parameter(torch.zeros(2))

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ self.A + self.a)
        h = torch.tanh(h @ self.B + self.b)
        mean, log_sigma = (h @ self.C + self.c).unbind(1)
        return mean, log_sigma

    def forward(self, x: Tensor) -> Tensor:
        return self.both(x)[0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        mean, log_sigma = self.both(x)
        chi = (y - mean) / log_sigma.exp()
        self.log("chi2", (chi**2).mean())
        loss = (0.5 * chi**2 + log_sigma).mean()
        self.log("minus_logL", loss)
        return loss

    def configure_optimizers(self) -> Any:
        adam = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [adam], [torch.optim.lr_scheduler.ExponentialLR(adam, 0.88)]


def lifetime() -> Program:
    data = institutes.decays()
    module = Lifetime(24)
    return Program(module, loaders(data, 64)[0], None, 18, partial(r2, module, data))


class Vowels(LightningModule):
    """Margins between the right vowel and the best of the others; a norm by hand."""

    def __init__(self, hidden: int, rate: float, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.rate, self.gate = rate, gate
        self.U, self.u = matrix(6, hidden), nn.Parameter(torch.zeros(hidden))
        self.scale, self.shift = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        self.V, self.v = matrix(hidden, 7), nn.Parameter(torch.zeros(7))

    def forward(self, formants: Tensor) -> Tensor:
        h = formants @ self.U + self.u
        h = (h - h.mean(1, keepdim=True)) / (h.var(1, keepdim=True) + 1e-5).sqrt()
        return self.gate(h * self.scale + self.shift) @ self.V + self.v

    def margin(self, batch: Any) -> tuple[Tensor, Tensor]:
        formants, vowel = batch
        s = self(formants)
        right = s.gather(1, vowel[:, None])
        other = s.scatter(1, vowel[:, None], -torch.inf).max(1, keepdim=True).values
        return (1 + other - right).clamp(min=0).mean(), (right > other).float().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        hinge, _ = self.margin(batch)
        self.log("hinge", hinge)
        return hinge

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        hinge, correct = self.margin(batch)
        self.log_dict({"hinge_dev": hinge, "correct_dev": correct})

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.rate, momentum=0.9)


def vowels(hidden: int, rate: float, batch: int, epochs: int) -> Program:
    data = institutes.vowels()
    module = Vowels(hidden, rate, torch.relu)
    return Program(module, *loaders(data, batch), epochs, partial(accuracy, module, data))


class Pairs(LightningModule):
    """Bells over the distances of pairs, a small net on each, and the sum over index_add."""

    def __init__(self, bells: int, hidden: int, rate: float, act: Any, start: Any = matrix) -> None:
        super().__init__()
        self.rate, self.act = rate, act
        self.register_buffer("centres", torch.linspace(0, 4, bells))
        self.width = max(0.1, (4 / (bells - 1)) ** 2)
        self.P, self.p = start(bells, hidden), nn.Parameter(torch.zeros(hidden))
        self.Q, self.q = start(hidden, hidden), nn.Parameter(torch.zeros(hidden))
        self.R, self.r = start(hidden, 1), nn.Parameter(torch.zeros(1))

    def forward(self, places: Tensor) -> Tensor:
        size = places.shape[1]
        i, j = torch.triu_indices(size, size, 1, device=places.device)
        far = (places[:, i] - places[:, j]).norm(dim=-1)
        bell = (-((far[..., None] - self.centres) ** 2) / self.width).exp()
        h = self.act(bell @ self.P + self.p)
        h = self.act(h @ self.Q + self.q)
        each = (h @ self.R + self.r).squeeze(-1)
        whole = each.new_zeros(len(places), size).index_add(1, i, each)
        return whole.sum(1) / size

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        places, energy = batch
        loss = ((self(places) - energy) ** 2).mean()
        self.log("mse_E", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        places, energy = batch
        self.log("val_mse_E", ((self(places) - energy) ** 2).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.rate, weight_decay=1e-4)


def silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def pairs(hidden: int, rate: float, batch: int, epochs: int, start: Any = matrix) -> Program:
    data = institutes.atoms()
    module = Pairs(20, hidden, rate, silu, start)
    return Program(module, *loaders(data, batch), epochs, partial(r2, module, data))


class Gravity(LightningModule):
    """Every country has a push, a pull and a place; flows by their sum and inner product."""

    def __init__(self, rank: int, rate: float, decay: float = 0.0, places: bool = True) -> None:
        super().__init__()
        self.rate, self.decay, self.places = rate, decay, places
        self.push, self.pull = nn.Parameter(torch.zeros(60)), nn.Parameter(torch.zeros(60))
        self.origin = nn.Parameter(0.3 * torch.randn(60, rank))
        self.target = nn.Parameter(0.3 * torch.randn(60, rank))

    def forward(self, pair: Tensor) -> Tensor:
        a, b = pair.unbind(1)
        return self.push[a] + self.pull[b] + (self.origin[a] * self.target[b]).sum(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        pair, flow = batch
        loss = (self(pair) - flow).square().mean()
        self.log("ssr", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pair, flow = batch
        self.log("ssr_out_of_sample", (self(pair) - flow).square().mean())

    def configure_optimizers(self) -> Any:
        used = self.parameters() if self.places else [self.push, self.pull]
        return torch.optim.Adam(used, lr=self.rate, weight_decay=self.decay)


def gravity(
    rank: int, rate: float, epochs: int, decay: float = 0.0, places: bool = True
) -> Program:
    data = institutes.trade()
    module = Gravity(rank, rate, decay, places)
    return Program(module, *loaders(data, 50), epochs, partial(r2, module, data))


CASES = (
    Case(
        "neurons-tuned-to-heading", Goal("deviance explained", at_least=0.6),
        partial(tuning, 20, 5e-3, 64, 15),
    ),
    Case("fluorescence-lifetimes-with-bars", Goal("R2", at_least=0.8), lifetime),
    Case(
        "vowels-margins-by-hand", Goal("accuracy", at_least=0.8),
        partial(vowels, 40, 0.01, 40, 10),
    ),
    Case("atoms-pairs-in-bells", Goal("R2", at_least=0.9), partial(pairs, 24, 3e-3, 32, 15)),
    Case("trade-pushes-pulls-and-places", Goal("R2", at_least=0.8), partial(gravity, 2, 0.01, 14)),
)  # fmt: skip
