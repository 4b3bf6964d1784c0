"""Programs that play, add, count, colour and unmix: rules to be found, and codes mostly 0."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders, split
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp
from scores import accuracy, outputs
from torch import Tensor, nn


class Player(LightningModule):
    """Noughts and crosses: how a position ends, and whose it is; turned and mirrored at random."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(18, 192)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 192), nn.GELU(), nn.Linear(192, 192))
            for _ in range(3)
        )
        self.ends, self.value = nn.Linear(192, 3), nn.Linear(192, 1)

    def trunk(self, board: Tensor) -> Tensor:
        h = self.embed(board.flatten(1))
        for block in self.blocks:
            h = h + block(h)
        return h

    def forward(self, board: Tensor) -> Tensor:
        logits: Tensor = self.ends(self.trunk(board))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        board, end = batch
        planes = board.reshape(-1, 2, 3, 3).rot90(int(torch.randint(4, ())), (2, 3))
        if torch.rand(()) < 0.5:
            planes = planes.flip(3)
        h = self.trunk(planes)
        value = torch.tanh(self.value(h)).squeeze(1)
        policy_loss = F.cross_entropy(self.ends(h), end)
        value_loss = F.mse_loss(value, end.float() - 1)
        self.log_dict({"loss/ends": policy_loss, "loss/value": value_loss})
        return policy_loss + value_loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/ends", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def player() -> Program:
    data = surveys.boards()
    module = Player()
    return Program(module, *loaders(data, 64), 14, partial(accuracy, module, data))


class Adder(LightningModule):
    """Adds binary numbers digit by digit; they are of 3 digits first, then longer and longer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, digits: Tensor) -> Tensor:
        return self.out(self.rnn(digits)[0]).transpose(1, 2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        length = min(3 + 2 * (self.current_epoch // 2), 12)
        loss = F.cross_entropy(self(batch[0][:, :length]), batch[1][:, :length])
        self.log_dict({"loss": loss, "length": float(length)})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def adder() -> Program:
    data = surveys.sums(16)
    module = Adder()

    def score() -> float:
        right = outputs(module, data.x_test).argmax(1) == data.y_test
        return right.all(1).float().mean().item()

    return Program(module, *loaders(data, 32), 14, score)


def parity() -> Program:
    """Is the number of ones among three of twenty bits odd? Nothing less than all three helps."""
    generator = torch.Generator().manual_seed(71)
    bits = torch.randint(2, (6000, 20), generator=generator).float()
    odd = bits[:, [2, 9, 17]].sum(1).long() % 2
    data = split(2 * bits - 1, odd)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    module = LitClassifier(mlp([20, 128, 2]), optimizer)
    return Program(module, *loaders(data, 32), 25, partial(accuracy, module, data))


class Unrolled(LightningModule):
    """Ten steps of a shrinkage with matrices and thresholds of their own (LISTA)."""

    def __init__(self, measure: Tensor, steps: int = 10) -> None:
        super().__init__()
        length = torch.linalg.matrix_norm(measure, 2).item() ** 2
        self.steps = steps
        self.into = nn.Parameter(measure.T / length)
        self.inside = nn.Parameter(torch.eye(measure.shape[1]) - measure.T @ measure / length)
        self.threshold = nn.Parameter(torch.full((steps, measure.shape[1]), 0.05))

    def forward(self, y: Tensor) -> Tensor:
        x = torch.zeros(len(y), self.inside.shape[0])
        for k in range(self.steps):
            x = x @ self.inside.T + y @ self.into.T
            x = x.sign() * F.relu(x.abs() - self.threshold[k])
        return x

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def pulses() -> Program:
    """Sixty numbers of which three or so are not 0, from thirty sums of them."""
    generator = torch.Generator().manual_seed(72)
    measure = torch.randn(30, 60, generator=generator) / 30**0.5
    kept = torch.rand(5000, 60, generator=generator) < 0.05
    x = kept * torch.randn(5000, 60, generator=generator)
    y = x @ measure.T + 0.01 * torch.randn(5000, 30, generator=generator)
    data = Samples(y[:4000], x[:4000], y[4000:], x[4000:])
    module = Unrolled(measure)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.square().mean()).item()

    return Program(module, *loaders(data, 64), 10, score)


class Exits(LightningModule):
    """A classifier that may stop after each of three layers; the early exits count a third."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 12, 24, 32)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.Mish())
            for a, b in pairwise(widths)
        )
        self.exits = nn.ModuleList(nn.Linear(b, 4) for b in widths[1:])

    def all_exits(self, x: Tensor) -> list[Tensor]:
        logits = []
        for k, (stage, leave) in enumerate(zip(self.stages, self.exits, strict=True)):
            x = stage(x if k == 0 else F.avg_pool2d(x, 2))
            logits.append(leave(x.amax((2, 3))))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.all_exits(x)[-1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        *early, last = (F.cross_entropy(out, batch[1]) for out in self.all_exits(batch[0]))
        self.log("loss/last", last)
        return last + 0.33 * sum(early)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def exits() -> Program:
    pictures = surveys.pictures()
    data = pictures.labelled(pictures.shape)
    module = Exits()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Coloured(LightningModule):
    """Colours for grey pictures; losses are sums, and four batches make one step by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(24, 24, 3, padding=1),
            nn.LeakyReLU(0.1), nn.Conv2d(24, 24, 3, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(24, 3, 1),
        )  # fmt: skip

    def forward(self, grey: Tensor) -> Tensor:
        found: Tensor = self.net(grey)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        opt: Any = self.optimizers()
        loss = ((self(batch[0]) - batch[1]) ** 2).sum()
        self.manual_backward(loss)
        self.log("sse", loss)
        if (batch_idx + 1) % 4 == 0:
            opt.step()
            opt.zero_grad()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def coloured() -> Program:
    """A film on which red is bright and blue is dark, so that a grey tells the colour."""
    x = surveys.pictures().x
    grey = (x * torch.tensor([0.7, 0.3, 0.0])[:, None, None]).sum(1, keepdim=True)
    data = Samples(grey[:800], x[:800], grey[800:], x[800:])
    module = Coloured()
    train, _ = loaders(data, 8)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, train, None, 16, score)


CASES = (
    Case("boards-ends-and-values", Goal("accuracy", at_least=0.88), player),
    Case("sums-longer-and-longer", Goal("all digits right", at_least=0.95), adder),
    Case("bits-parity-of-three", Goal("accuracy", at_least=0.95), parity),
    Case("pulses-unrolled-shrinkage", Goal("R2", at_least=0.85), pulses),
    Case("shapes-early-exits", Goal("accuracy", at_least=0.8), exits),
    Case("shapes-coloured-by-sums", Goal("R2", at_least=0.75), coloured),
)
