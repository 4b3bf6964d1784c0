"""Learners of what to do, in small worlds that the file holds itself."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WALLS = torch.tensor(
    [
        [0, 0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 1],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 0],
    ],
    dtype=torch.bool,
)
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])


def walk(places: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where one gets to, what it costs, and whether it is the corner below."""
    moved = (places + MOVES[actions]).clamp(0, 5)
    moved = torch.where(WALLS[moved[:, 0], moved[:, 1]][:, None], places, moved)
    done = (moved == 5).all(1)
    return moved, torch.where(done, 1.0, -0.02), done


def any_place(count: int) -> Tensor:
    free = (~WALLS).nonzero()[:-1]
    return free[torch.randint(len(free), (count,))]


class DeepQ(LightningModule):
    """Mnih et al. with the double estimate; a slow copy gives the targets."""

    def __init__(self, lr: float = 1e-3, gamma: float = 0.97) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.q = nn.Sequential(
            nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
        )
        self.target = copy.deepcopy(self.q).requires_grad_(False)
        self.places = any_place(16)
        self.memory: list[tuple[Tensor, ...]] = []

    def forward(self, places: Tensor) -> Tensor:
        cells = F.one_hot(6 * places[:, 0] + places[:, 1], 36).float()
        values: Tensor = self.q(cells)
        return values

    @torch.no_grad()
    def play(self) -> None:
        epsilon = max(0.1, 1 - self.global_step / 800)
        greedy, blind = self(self.places).argmax(1), torch.randint(4, (16,))
        actions = torch.where(torch.rand(16) < epsilon, blind, greedy)
        after, reward, done = walk(self.places, actions)
        self.memory = [*self.memory[-400:], (self.places, actions, reward, after, done)]
        again = done | (torch.rand(16) < 0.02)
        self.places = torch.where(again[:, None], any_place(16), after)

    def recalled(self, count: int = 8) -> list[Tensor]:
        rows = torch.randint(len(self.memory), (count,)).tolist()
        return [torch.cat(column) for column in zip(*(self.memory[i] for i in rows), strict=True)]

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.play()
        places, actions, reward, after, done = self.recalled()
        with torch.no_grad():
            best = self(after).argmax(1, keepdim=True)
            cells = F.one_hot(6 * after[:, 0] + after[:, 1], 36).float()
            worth = self.target(cells).gather(1, best)[:, 0]
            aim = reward + self.hparams.gamma * torch.where(done, 0.0, worth)
        said = self(places).gather(1, actions[:, None])[:, 0]
        loss = F.smooth_l1_loss(said, aim)
        self.log_dict({"td_loss": loss, "mean_q": said.mean()})
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        for slow, quick in zip(self.target.parameters(), self.q.parameters(), strict=True):
            slow.data.lerp_(quick.data, 0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def deep_q(lr: float = 1e-3) -> Program:
    module = DeepQ(lr)

    @torch.no_grad()
    def score() -> float:
        """Share of places from which thirty best steps lead to the corner."""
        places = (~WALLS).nonzero()[:-1]
        home = torch.zeros(len(places), dtype=torch.bool)
        for _ in range(30):
            after, _, done = walk(places, module(places).argmax(1))
            places, home = torch.where(home[:, None], places, after), home | done
        return home.float().mean().item()

    return Program(module, DataLoader(range(2200)), None, 1, score)  # type: ignore[arg-type]


class Catcher(LightningModule):
    """A ball falls with some drift; REINFORCE with the mean of the other episodes."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 3))

    def episodes(self, count: int, *, greedy: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        ball, drift = 2 * torch.rand(count) - 1, 0.1 * torch.randn(count)
        hand = torch.zeros(count)
        said, doubt = torch.zeros(count), torch.zeros(count)
        for row in range(10):
            seen = torch.stack([ball, 10 * drift, hand, torch.full((count,), row / 5 - 1)], 1)
            choice = torch.distributions.Categorical(logits=self.policy(seen))
            action = choice.probs.argmax(1) if greedy else choice.sample()
            said, doubt = said + choice.log_prob(action), doubt + choice.entropy() / 10
            hand = (hand + 0.25 * (action - 1)).clamp(-1.5, 1.5)
            ball = ball + drift
            drift = torch.where(ball.abs() > 1, -drift, drift)
        return ((ball - hand).abs() < 0.2).float(), said, doubt

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        caught, said, doubt = self.episodes(128)
        others = (caught.sum() - caught) / 127
        self.log("caught", caught.mean(), prog_bar=True)
        return -((caught - others) * said).mean() - 0.01 * doubt.mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def catcher() -> Program:
    module = Catcher()

    @torch.no_grad()
    def score() -> float:
        torch.manual_seed(0)
        return module.episodes(2000, greedy=True)[0].mean().item()

    return Program(module, DataLoader(range(800)), None, 1, score)  # type: ignore[arg-type]


class Boat(LightningModule):
    """Schulman et al.: a boat is steered to its buoy, by clipped ratios of chances."""

    def __init__(self, boats: int = 64, steps: int = 24) -> None:
        super().__init__()
        self.boats, self.steps = boats, steps
        self.actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
        self.critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
        self.log_std = nn.Parameter(torch.full((2,), -0.7))

    def wish(self, seen: Tensor) -> torch.distributions.Normal:
        return torch.distributions.Normal(self.actor(seen), self.log_std.exp())

    @torch.no_grad()
    def sail(self, *, blind: bool = True) -> tuple[Tensor, ...]:
        place, speed = 2 * torch.rand(self.boats, 2) - 1, torch.zeros(self.boats, 2)
        log: list[tuple[Tensor, ...]] = []
        for _ in range(self.steps):
            seen = torch.cat([place, speed], 1)
            wish = self.wish(seen)
            action = wish.sample() if blind else wish.mean
            speed = 0.8 * speed + 0.15 * action.clamp(-1, 1)
            place = place + speed
            reward = -place.norm(dim=1) - 0.02 * action.square().sum(1)
            chance = wish.log_prob(action).sum(1)
            log.append((seen, action, chance, reward, self.critic(seen)[:, 0]))
        return tuple(torch.stack(column) for column in zip(*log, strict=True))

    def train_dataloader(self) -> DataLoader[Any]:
        seen, action, chance, reward, value = self.sail()
        self.log_return = reward.sum(0).mean()
        advantage, ahead, after = torch.zeros_like(reward), torch.zeros(self.boats), value[-1]
        for t in reversed(range(self.steps)):
            ahead = reward[t] + 0.95 * after - value[t] + 0.95 * 0.9 * ahead
            advantage[t], after = ahead, value[t]
        columns = seen, action, chance, advantage, advantage + value
        rows = TensorDataset(*(column.flatten(0, 1) for column in columns))
        return DataLoader(rows, 128, shuffle=True)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        seen, action, chance, advantage, worth = batch
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        ratio = (self.wish(seen).log_prob(action).sum(1) - chance).exp()
        clipped = ratio.clamp(0.8, 1.2)
        policy = -torch.minimum(ratio * advantage, clipped * advantage).mean()
        value = F.mse_loss(self.critic(seen)[:, 0], worth)
        self.log_dict({"policy": policy, "value": value, "return": self.log_return})
        return policy + 0.5 * value

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def boat() -> Program:
    module = Boat()

    def score() -> float:
        torch.manual_seed(0)
        return module.sail(blind=False)[3].sum(0).mean().item()

    trainer = {"reload_dataloaders_every_n_epochs": 1, "gradient_clip_val": 0.5}
    return Program(module, None, None, 90, score, trainer)


CASES = (
    Case("rooms-doors-and-a-doubled-estimate", Goal("get home", at_least=0.95), deep_q),
    Case("falling-balls-caught-more-often", Goal("caught", at_least=0.9), catcher),
    Case("boats-to-buoys-by-clipped-ratios", Goal("return", at_least=-2), boat),
)
