"""Meters and papers: networks through time and over a graph, with a mistake in each."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import papers, spread
from data_sets.samples import digits, loaders
from healthy.citations import NBeats, forecast
from healthy.forgers import ConditionalVAE
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader


class SigmoidTCN(NBeats):
    """Nine causal convolutions; the sigmoids of the old book, or residual blocks of ReLU."""

    def __init__(self, modern: bool) -> None:
        super().__init__(blocks=0)
        self.modern = modern
        self.embed = nn.Conv1d(1, 24, 1)
        self.convs = nn.ModuleList(
            nn.Conv1d(24, 24, 3, dilation=2 ** (depth % 5)) for depth in range(9)
        )
        self.readout = nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x[:, None])
        for conv in self.convs:
            more = conv(F.pad(h, (2 * conv.dilation[0], 0)))
            h = h + more.relu() if self.modern else more.sigmoid()
        found: Tensor = self.readout(h[..., -1])
        return found


class StateSpace(NBeats):
    """A linear recurrence of 32 states, its matrix orthogonal times a gain, and a head."""

    def __init__(self, gain: float) -> None:
        super().__init__(blocks=0)
        self.transition = nn.Parameter(gain * torch.linalg.qr(torch.randn(32, 32)).Q)
        self.enter = nn.Linear(1, 32)
        self.head = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 24))

    def forward(self, x: Tensor) -> Tensor:
        entering, state = self.enter(x[..., None]), torch.zeros(len(x), 32)
        for step in range(x.shape[1]):
            state = state @ self.transition + entering[:, step]
        found: Tensor = self.head(state)
        return found

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class LoadGRU(NBeats):
    """Energy is never negative, so a ReLU comes last; but the loads are standardized."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__(blocks=0)
        self.gru = nn.GRU(1, 40, batch_first=True)
        self.fc = nn.Sequential(nn.Linear(40, 24), last)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc(self.gru(x[..., None])[1][0])
        return found

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


class Flattened(NBeats):
    """Five layers of ReLU on the three last days, by momentum."""

    def __init__(self, lr: float) -> None:
        super().__init__(blocks=0)
        self.lr = lr
        layers: list[nn.Module] = []
        for before, after in ((72, 96), (96, 96), (96, 96), (96, 96), (96, 48)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(48, 24))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


class GraphNet(LightningModule):
    """Kipf and Welling by hand: four layers whose weights are drawn as one likes."""

    def __init__(self, near: Tensor, draw: Any, known: Tensor, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("near", near)
        self.register_buffer("known", known)
        sizes = ((40, width), (width, width), (width, width), (width, 5))
        self.weights = nn.ParameterList(nn.Parameter(draw(*size)) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        for index, weight in enumerate(self.weights):
            x = F.dropout(x, 0.3, self.training)
            x = self.near @ x @ weight
            x = x if index == len(self.weights) - 1 else x.relu()
        return x

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits[self.known], batch[1][self.known])
        self.log("gcn_loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])[~self.known]  # type: ignore[operator]
        truth = batch[1][~self.known]  # type: ignore[operator]
        self.log("gcn_val", F.cross_entropy(logits, truth), batch_size=1)
        self.log("gcn_acc", (logits.argmax(1) == truth).float().mean(), batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3, weight_decay=5e-4)


def glorot(rows: int, columns: int) -> Tensor:
    return nn.init.xavier_uniform_(torch.empty(rows, columns))


def classify_papers(draw: Any = glorot, joined: bool = True) -> Program:
    """``joined``: the table of fields is in the order of the graph, not in that of the titles."""
    graph = papers(clear=0.6)
    field = graph.field if joined else graph.field[torch.randperm(600)]
    known = torch.rand(600) < 0.6
    module = GraphNet(spread(graph.links, 600), draw, known)

    @torch.no_grad()
    def score() -> float:
        right = module.eval()(graph.words).argmax(1) == graph.field
        return right[~known].float().mean().item()

    whole = DataLoader([[graph.words, field]], batch_size=None)
    return Program(module, whole, whole, 150, score, {"log_every_n_steps": 1})


class SteeredVAE(ConditionalVAE):
    """With Adam, and the whole divergence from the first step on."""

    def __init__(self, lr: float) -> None:
        super().__init__(warm=1)
        self.lr = lr

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def vae(lr: float) -> Program:
    data, module = digits(), SteeredVAE(lr)

    @torch.no_grad()
    def score() -> float:
        return sum(module.eval().terms([data.x_test, data.y_test])).item()

    return Program(module, *loaders(data, 64), 25, score)


FORESEEN = Goal("relative MAE", at_most=0.95)
CASES = (
    Case(
        "meters-nine-sigmoid-convolutions", FORESEEN, lambda: forecast(SigmoidTCN(False), 6, 64),
        ("vanishing_gradient", "not_learning"), lambda: forecast(SigmoidTCN(True), 6, 64),
    ),
    Case(
        "meters-states-growing-by-a-fifth", FORESEEN, lambda: forecast(StateSpace(1.2), 5, 64),
        ("exploding_gradient", "poor_initialization", "non_finite"),
        lambda: forecast(StateSpace(0.98), 10, 64),
    ),
    Case(
        "meters-never-negative", FORESEEN, lambda: forecast(LoadGRU(nn.ReLU()), 12, 64),
        ("output_loss_mismatch", "dead_relu"), lambda: forecast(LoadGRU(nn.Identity()), 12, 64),
    ),
    Case(
        "meters-killed-by-momentum", FORESEEN, lambda: forecast(Flattened(0.7), 8, 32),
        ("dead_relu", "learning_rate_too_high"), lambda: forecast(Flattened(0.03), 8, 32),
    ),
    Case(
        "papers-fields-in-the-order-of-titles", Goal("accuracy", at_least=0.7),
        lambda: classify_papers(joined=False),
        ("inconsistent_labels", "not_learning", "overfitting"), classify_papers,
    ),
    Case(
        "papers-layers-of-rand", Goal("accuracy", at_least=0.9),
        lambda: classify_papers(torch.rand), ("poor_initialization",), classify_papers,
    ),
    Case(
        "digits-given-their-label-in-leaps", Goal("-ELBO", at_most=32),
        lambda: vae(0.1), ("learning_rate_too_high", "unstable_loss"), lambda: vae(4e-3),
    ),
)  # fmt: skip
