"""Policies that learn from what they do, by hand."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from lightning.pytorch import LightningModule
from modules import mlp
from torch import Tensor, nn
from torch.utils.data import DataLoader


class ClippedPolicy(LightningModule):
    """PPO, by hand: a rollout of 32 poles for 32 steps, then four passes in four batches."""

    def __init__(self, lr: float = 3e-3) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.lr = lr
        self.policy, self.critic = mlp([2, 64, 64, 2], nn.Tanh), mlp([2, 64, 64, 1], nn.Tanh)
        self.poles = self.begin(32)

    @staticmethod
    def begin(count: int) -> Tensor:
        return 0.2 * torch.randn(count, 2)

    @staticmethod
    def swing(poles: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Angle and speed a tenth of a second later; who falls begins anew."""
        angle, speed = poles.unbind(1)
        speed = speed + 0.1 * (4 * angle.sin() + 3 * (2 * action - 1))
        angle = angle + 0.1 * speed
        fallen = angle.abs() > 0.8
        after = torch.stack([angle, speed], 1)
        return torch.where(fallen[:, None], ClippedPolicy.begin(len(poles)), after), fallen

    @torch.no_grad()
    def rollout(self, steps: int = 32) -> list[Tensor]:
        kept: list[list[Tensor]] = []
        for _ in range(steps):
            choice = torch.distributions.Categorical(logits=self.policy(self.poles))
            action = choice.sample()
            after, fallen = self.swing(self.poles, action)
            kept.append([self.poles, action, choice.log_prob(action), fallen.float()])
            self.poles = after
        states, actions, chances, fallen = (torch.stack(part) for part in zip(*kept, strict=True))
        values = self.critic(torch.cat([states, self.poles[None]]))[..., 0]
        gain, gains = torch.zeros(len(self.poles)), []
        for step in reversed(range(steps)):
            alive = 1 - fallen[step]
            delta = 0.1 * alive + 0.97 * alive * values[step + 1] - values[step]
            gain = delta + 0.97 * 0.95 * alive * gain
            gains.append(gain)
        advantage = torch.stack(gains[::-1])
        self.log("falls", fallen.mean(), prog_bar=True)
        parts = (states, actions, chances, advantage, advantage + values[:-1])
        return [part.flatten(0, 1) for part in parts]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        memory = self.rollout()
        for _ in range(4):
            for rows in torch.randperm(len(memory[0])).chunk(4):
                states, actions, chances, advantage, gains = (part[rows] for part in memory)
                choice = torch.distributions.Categorical(logits=self.policy(states))
                ratio = (choice.log_prob(actions) - chances).exp()
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                worth = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
                error = F.mse_loss(self.critic(states)[:, 0], gains)
                loss = -worth.mean() + 0.5 * error - 0.01 * choice.entropy().mean()
                optimizer.zero_grad()
                self.manual_backward(loss)
                self.clip_gradients(optimizer, 0.5, "norm")
                optimizer.step()
        self.log_dict({"pg_loss": -worth.mean(), "v_loss": error, "H": choice.entropy().mean()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr, eps=1e-5)


def poles(lr: float = 3e-3) -> Program:
    module = ClippedPolicy(lr)

    @torch.no_grad()
    def score() -> float:
        """Falls in a hundred steps of a hundred poles, the likelier push always chosen."""
        state, falls = module.begin(100), 0.0
        for _ in range(100):
            state, fallen = module.swing(state, module.eval().policy(state).argmax(1))
            falls += fallen.float().sum().item() / 100
        return falls

    return Program(module, DataLoader(range(40), batch_size=None), None, 1, score)


CASES = (Case("poles-policy-clipped", Goal("falls", at_most=0.5), poles),)
