"""What laboratories run beside their papers: odd starts, odd rates, odd losses, all meant."""

import copy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR
from torch.utils.data import DataLoader, Dataset, IterableDataset


class FromZero(nn.Module):
    """A residual block that is nothing at first: its branch is multiplied by a learned zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.alpha * self.conv2(F.relu(self.conv1(x))))


def from_zero() -> Program:
    """Six blocks without a norm."""
    found = surveys.pictures()
    network = nn.Sequential(
        nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), *(FromZero(16) for _ in range(6)),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(576, 4),
    )  # fmt: skip
    optimizer = partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.05)
    return classification(found.labelled(found.shape), network, optimizer, epochs=20)


class Straightened(nn.Module):
    """Looks where a digit is and moves it to the middle; at first it moves nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.localize = nn.Sequential(
            nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 6),
        )  # fmt: skip
        nn.init.zeros_(self.localize[-1].weight)
        self.localize[-1].bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        self.classify = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(24 * 16, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        theta = self.localize(x).reshape(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        logits: Tensor = self.classify(F.grid_sample(x, grid, align_corners=False))
        return logits


class Sheets(Dataset[tuple[Tensor, Tensor]]):
    """Digits somewhere on a sheet of 16 by 16, elsewhere each time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        top, left = torch.randint(9, (2,)).tolist()
        return F.pad(self.images[index], (left, 8 - left, top, 8 - top)), self.labels[index]


def straightened() -> Program:
    data = samples.digit_images()
    schedule = partial(CosineAnnealingLR, T_max=20 * 40)
    module = LitClassifier(Straightened(), adam(2e-3), scheduler=schedule)
    train, test = (
        DataLoader(Sheets(x, y), 32, shuffle=x is data.x)
        for x, y in ((data.x, data.y), (data.x_test, data.y_test))
    )

    def score() -> float:
        x, y = next(iter(DataLoader(Sheets(data.x_test, data.y_test), len(data.y_test))))
        return (outputs(module, x).argmax(1) == y).float().mean().item()

    return Program(module, train, test, 20, score)


class Centres(LightningModule):
    """Each class has a centre, which moves by SGD at a rate of a half; the rest is Adam's."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.body, self.head = mlp([64, 128, 32], nn.PReLU), nn.Linear(32, 10)
        self.centres = nn.Parameter(torch.randn(10, 32))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        features = self.body(x)
        centre_loss = (features - self.centres[y]).square().sum(1).mean()
        loss = F.cross_entropy(self.head(features), y) + 0.01 * centre_loss
        first, second = self.optimizers()
        first.zero_grad()
        second.zero_grad()
        self.manual_backward(loss)
        first.step()
        # So that the weight of the loss has no say in how fast a centre moves.
        self.centres.grad.mul_(1 / 0.01)
        second.step()
        self.log_dict({"loss": loss, "centre": centre_loss})

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        rest = [*self.body.parameters(), *self.head.parameters()]
        return torch.optim.Adam(rest, lr=1e-3), torch.optim.SGD([self.centres], lr=0.5)


def centres() -> Program:
    data = samples.digits()
    module = Centres()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Functions(IterableDataset[dict[str, Tensor]]):
    """Waves of any height and phase: some points are shown, others asked for."""

    def __iter__(self) -> Any:
        for _ in range(60):
            x = 4 * torch.rand(32, 30, 1) - 2
            height, phase = 0.5 + torch.rand(32, 1, 1), 3.14 * torch.rand(32, 1, 1)
            y, shown = height * torch.sin(2 * x + phase), int(torch.randint(3, 11, ()))
            yield {"cx": x[:, :shown], "cy": y[:, :shown], "tx": x[:, shown:], "ty": y[:, shown:]}


class NeuralProcess(LightningModule):
    """A function from the mean of what its points say, and how sure that is."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([2, 64, 64, 48]), mlp([49, 64, 64, 2])

    def forward(self, batch: dict[str, Tensor]) -> torch.distributions.Normal:
        code = self.encoder(torch.cat([batch["cx"], batch["cy"]], -1)).mean(1, keepdim=True)
        asked = torch.cat([code.expand(-1, batch["tx"].shape[1], -1), batch["tx"]], -1)
        mean, raw = self.decoder(asked).chunk(2, -1)
        return torch.distributions.Normal(mean, 0.05 + 0.95 * F.softplus(raw))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = -self(batch).log_prob(batch["ty"]).mean()
        self.log("cnp_nll", loss, batch_size=32)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def neural_process() -> Program:
    module = NeuralProcess()

    @torch.no_grad()
    def score() -> float:
        """Explained of functions of which there are ten points or fewer."""
        module.eval()
        fresh = list(Functions())
        error = sum((module(b).mean - b["ty"]).square().mean() for b in fresh)
        return (1 - error / sum(b["ty"].square().mean() for b in fresh)).item()

    return Program(module, DataLoader(Functions(), batch_size=None), None, 20, score)


def super_convergence() -> Program:
    """A rate of 0.8 at its height, with norms, and two batches to a step."""
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    cycle = partial(OneCycleLR, max_lr=0.8, total_steps=200, pct_start=0.4)
    optimizer = partial(torch.optim.SGD, lr=0.08, momentum=0.9, weight_decay=5e-4)
    return classification(
        samples.digit_images(), network, optimizer, epochs=10, scheduler=cycle,
        trainer={"accumulate_grad_batches": 2},
    )  # fmt: skip


class Acts(IterableDataset[int]):
    """A number for each step of learning: what is learned from is in the memory."""

    def __iter__(self) -> Any:
        return iter(range(100))


class TwinCritics(LightningModule):
    """A mass is brought to rest at 0: the lower of two critics, a late actor, slow copies."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.actor = nn.Sequential(mlp([2, 48, 48, 1]), nn.Tanh())
        self.critics = nn.ModuleList(mlp([3, 64, 64, 1]) for _ in range(2))
        self.slow = copy.deepcopy(nn.ModuleList([self.actor, *self.critics])).requires_grad_(False)
        self.masses, self.memory = self.begin(16), []

    @staticmethod
    def begin(count: int) -> Tensor:
        return 2 * torch.rand(count, 2) - 1

    def forward(self, state: Tensor) -> Tensor:
        action: Tensor = self.actor(state)
        return action

    @staticmethod
    def move(state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        place, speed = state.unbind(1)
        speed = 0.95 * speed + 0.2 * action[:, 0]
        after = torch.stack([(place + 0.2 * speed).clamp(-2, 2), speed], 1)
        return after, -(after[:, 0].square() + 0.05 * action[:, 0].square())

    @torch.no_grad()
    def play(self) -> None:
        action = (self(self.masses) + 0.3 * torch.randn(16, 1)).clamp(-1, 1)
        after, reward = self.move(self.masses, action)
        self.memory.append((self.masses, action, reward, after))
        anew = torch.rand(16, 1) < 0.04
        self.masses = torch.where(anew, self.begin(16), after)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.play()
        drawn = [self.memory[int(k)] for k in torch.randint(len(self.memory), (6,))]
        state, action, reward, after = (torch.cat(part) for part in zip(*drawn, strict=True))
        for_actor, for_critics = self.optimizers()
        with torch.no_grad():
            luck = (0.2 * torch.randn_like(action)).clamp(-0.4, 0.4)
            then = torch.cat([after, (self.slow[0](after) + luck).clamp(-1, 1)], 1)
            goal = reward + 0.95 * torch.minimum(self.slow[1](then), self.slow[2](then))[:, 0]
        now = torch.cat([state, action], 1)
        loss = sum(F.mse_loss(critic(now)[:, 0], goal) for critic in self.critics)
        for_critics.zero_grad()
        self.manual_backward(loss)
        for_critics.step()
        self.log_dict({"critic": loss, "reward": reward.mean()}, batch_size=96)
        if batch_idx % 2:
            for_actor.zero_grad()
            self.manual_backward(-self.critics[0](torch.cat([state, self(state)], 1)).mean())
            for_actor.step()
            live = (p for part in (self.actor, *self.critics) for p in part.parameters())
            for slow, fast in zip(self.slow.parameters(), live, strict=True):
                slow.lerp_(fast.detach(), 0.02)

    def configure_optimizers(self) -> Any:
        critics = torch.optim.Adam(self.critics.parameters(), lr=2e-3)
        return torch.optim.Adam(self.actor.parameters(), lr=1e-3), critics


def twin_critics() -> Program:
    module = TwinCritics()

    @torch.no_grad()
    def score() -> float:
        """How far the masses are from 0 after forty steps, from the edges on."""
        state = torch.tensor([[1.0, 1.0], [1.0, 0.0], [-1.0, 0.5], [-1.0, -1.0], [0.5, -0.5]])
        for _ in range(40):
            state, _ = module.move(state, module(state))
        return state[:, 0].abs().mean().item()

    return Program(module, DataLoader(Acts(), batch_size=None), None, 12, score)


CASES = (
    Case("shapes-blocks-from-zero", Goal("accuracy", at_least=0.87), from_zero),
    Case("digit-images-straightened", Goal("accuracy", at_least=0.9), straightened),
    Case("digits-centres-of-classes", Goal("accuracy", at_least=0.93), centres),
    Case("waves-neural-process", Goal("R2", at_least=0.85), neural_process),
    Case("digit-images-super-convergence", Goal("accuracy", at_least=0.95), super_convergence),
    Case("mass-twin-critics", Goal("distance", at_most=0.15), twin_critics),
)  # fmt: skip
