"""Programs that make their own data by acting."""

from collections import deque
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset


class Steps(IterableDataset[Tensor]):
    """Only says how often to learn: what is learned from is made in the step."""

    def __iter__(self) -> Any:
        return iter(range(60))


class DeepQ(LightningModule):
    """Finds the way on a grid of 5 by 5, by a memory of moves and a copy that is renewed."""

    moves = torch.tensor([[0, 1], [1, 0], [0, -1], [-1, 0]])

    def __init__(self) -> None:
        super().__init__()
        self.q, self.frozen = mlp([25, 64, 4]), mlp([25, 64, 4]).requires_grad_(False)
        self.frozen.load_state_dict(self.q.state_dict())
        self.memory: deque[tuple[Tensor, ...]] = deque(maxlen=200)

    def forward(self, place: Tensor) -> Tensor:
        one_hot = F.one_hot(place[..., 0] * 5 + place[..., 1], 25).float()
        value: Tensor = self.q(one_hot)
        return value

    def walk(self, place: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        after = (place + self.moves[action]).clamp(0, 4)
        return after, (after == 4).all(-1)

    @torch.no_grad()
    def play(self) -> None:
        """Sixteen places, each the next of the last or anew; one move in five by chance."""
        place = torch.randint(5, (16, 2))
        place[(place == 4).all(-1)] = 0
        greedy, luck = self(place).argmax(-1), torch.randint(4, (16,))
        action = torch.where(torch.rand(16) < max(0.2, 1 - self.global_step / 200), luck, greedy)
        self.memory.append((place, action, *self.walk(place, action)))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.play()
        drawn = [self.memory[int(i)] for i in torch.randint(len(self.memory), (4,))]
        place, action, after, done = (torch.cat(part) for part in zip(*drawn, strict=True))
        one_hot = F.one_hot(after[:, 0] * 5 + after[:, 1], 25).float()
        value = torch.where(done, 1.0, 0.9 * self.frozen(one_hot).amax(1))
        loss = F.smooth_l1_loss(self(place).gather(1, action[:, None])[:, 0], value)
        self.log_dict({"td": loss, "value": value.mean()}, batch_size=64)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.global_step % 20 == 0:
            self.frozen.load_state_dict(self.q.state_dict())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def deep_q() -> Program:
    module = DeepQ()

    def score() -> float:
        """Places from which the shortest way is taken."""
        start = torch.cartesian_prod(torch.arange(5), torch.arange(5))[:-1]
        place, steps = start.clone(), torch.zeros(24)
        for _ in range(8):
            steps += ~(place == 4).all(-1)
            after, _ = module.walk(place, outputs(module, place).argmax(-1))
            place = torch.where((place == 4).all(-1, keepdim=True), place, after)
        arrived = (place == 4).all(-1) & (steps == (8 - start.sum(-1)))
        return arrived.float().mean().item()

    return Program(module, DataLoader(Steps(), batch_size=None), None, 12, score)


class ActorCritic(LightningModule):
    """Sixteen carts are to stay in the middle; one step of learning from twenty of driving."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor, self.critic = nn.Linear(64, 3), nn.Linear(64, 1)
        nn.init.orthogonal_(self.actor.weight, 0.01)
        self.carts = self.begin(16)

    @staticmethod
    def begin(count: int) -> Tensor:
        return torch.rand(count, 2) * torch.tensor([4.0, 1.0]) - torch.tensor([2.0, 0.5])

    @staticmethod
    def drive(carts: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Pushed left, not at all or right, and by the wind; the middle is worth 1."""
        place, speed = carts.unbind(1)
        speed = (speed + 0.2 * (action - 1) + 0.05 * torch.randn(len(carts))).clamp(-1, 1)
        place = (place + 0.3 * speed).clamp(-3, 3)
        return torch.stack([place, speed], 1), torch.exp(-4 * place.square())

    def forward(self, carts: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(carts)
        return self.actor(hidden), self.critic(hidden)[..., 0]

    @torch.no_grad()
    def rollout(self, steps: int = 20) -> tuple[Tensor, ...]:
        states, actions, rewards = [], [], []
        for _ in range(steps):
            states.append(self.carts)
            actions.append(torch.distributions.Categorical(logits=self(self.carts)[0]).sample())
            self.carts, reward = self.drive(self.carts, actions[-1])
            rewards.append(reward)
        value, gains = self(self.carts)[1], []
        for reward in reversed(rewards):
            value = 0.1 * reward + 0.9 * value
            gains.append(value)
        anew = torch.rand(16, 1) < 0.3
        self.carts = torch.where(anew, self.begin(16), self.carts)
        return torch.cat(states), torch.cat(actions), torch.cat(gains[::-1]), torch.cat(rewards)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        states, actions, gains, rewards = self.rollout()
        logits, value = self(states)
        choice = torch.distributions.Categorical(logits=logits)
        advantage = gains - value.detach()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        policy = -(choice.log_prob(actions) * advantage).mean()
        worth, doubt = F.mse_loss(value, gains), choice.entropy().mean()
        self.log_dict({"policy": policy, "worth": worth, "doubt": doubt}, batch_size=16)
        self.log("reward", rewards.mean(), prog_bar=True, batch_size=16)
        return policy + 0.5 * worth - 0.01 * doubt

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, eps=1e-5)


def carts() -> Program:
    module = ActorCritic()

    @torch.no_grad()
    def score() -> float:
        """Mean reward of driving on for 30 steps, after 30 to get there."""
        torch.manual_seed(0)
        carts, found = module.begin(200), []
        for _ in range(60):
            carts, reward = module.drive(carts, module.eval()(carts)[0].argmax(1))
            found.append(reward.mean())
        return torch.stack(found[30:]).mean().item()

    train = DataLoader(Steps(), batch_size=None)
    return Program(module, train, None, 8, score, {"gradient_clip_val": 0.5})


CASES = (
    Case("grid-deep-q", Goal("shortest ways", at_least=0.95), deep_q),
    Case("carts-actor-critic", Goal("reward", at_least=0.8), carts),
)
