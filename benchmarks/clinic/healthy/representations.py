"""Programs that learn codes, ranks, policies or from another network."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def nearest_accuracy(module: LightningModule, data: Samples) -> float:
    """Of the label of the nearest code."""
    known, new = outputs(module, data.x), outputs(module, data.x_test)
    nearest = torch.cdist(new, known).argmin(1)
    return (data.y[nearest] == data.y_test).float().mean().item()


class Embedder(LightningModule):
    """Codes of unit length, by a loss of codes and labels."""

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.loss = mlp([64, 96, 16]), loss

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("metric_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def triplet(code: Tensor, label: Tensor) -> Tensor:
    """Hardest positive and hardest negative of the batch; zero for most in the end."""
    distance = torch.cdist(code, code)
    same = label[:, None] == label
    positive = distance.masked_fill(~same, 0).amax(1)
    negative = distance.masked_fill(same, 10).amin(1)
    return F.relu(positive - negative + 0.3).mean()


def supervised_contrast(code: Tensor, label: Tensor) -> Tensor:
    itself = torch.eye(len(code), dtype=torch.bool)
    log_share = (code @ code.T / 0.2).masked_fill(itself, -1e4).log_softmax(1)
    same = (label[:, None] == label) & ~itself
    return -(log_share * same).sum(1).div(same.sum(1).clamp(min=1)).mean()


def embedder(loss: Callable[[Tensor, Tensor], Tensor]) -> Program:
    data = samples.digits()
    module = Embedder(loss)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 12, partial(nearest_accuracy, module, data))


class SelfSupervised(LightningModule):
    """Two noisy views of an image find each other among the batch; labels are not used."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.projector = mlp([64, 96, 32], nn.GELU), mlp([32, 32, 16], nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.encoder(x)
        return code

    def view(self, x: Tensor) -> Tensor:
        kept = (torch.rand_like(x) > 0.2).float()
        return F.normalize(self.projector(self(kept * x + 0.1 * torch.randn_like(x))), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, _ = batch
        similarity = self.view(x) @ self.view(x).T / 0.2
        loss = F.cross_entropy(similarity, torch.arange(len(x)))
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def self_supervised() -> Program:
    data = samples.digits()
    module = SelfSupervised()
    train, _ = loaders(data, 64)
    return Program(module, train, None, 12, partial(nearest_accuracy, module, data))


class Distilled(LightningModule):
    """A small network learns what a large, frozen one says."""

    def __init__(self, teacher: nn.Module) -> None:
        super().__init__()
        self.teacher, self.student = teacher.eval().requires_grad_(False), mlp([64, 32, 10])

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.student(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        with torch.no_grad():
            soft = (self.teacher(x) / 3).softmax(1)
        distance = F.kl_div((logits / 3).log_softmax(1), soft, reduction="batchmean")
        loss = 9 * distance + 0.3 * F.cross_entropy(logits, y)
        self.log("distillation", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=2e-3)


def distilled() -> Program:
    data, teacher = samples.digits(), mlp([64, 256, 10])
    optimizer = torch.optim.Adam(teacher.parameters(), lr=2e-3)
    for _ in range(120):
        part = torch.randint(len(data.y), (64,))
        optimizer.zero_grad()
        F.cross_entropy(teacher(data.x[part]), data.y[part]).backward()
        optimizer.step()
    module = Distilled(teacher)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(accuracy, module, data))


class Factorization(LightningModule):
    """Ratings by the product of a user's and a film's vector, and their biases."""

    def __init__(self, users: int, films: int) -> None:
        super().__init__()
        self.user, self.film = nn.Embedding(users, 8), nn.Embedding(films, 8)
        self.bias = nn.Embedding(films, 1)
        for table in (self.user, self.film, self.bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, pair: Tensor) -> Tensor:
        user, film = pair.unbind(1)
        return (self.user(user) * self.film(film)).sum(1) + self.bias(film)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pair, rating = batch
        loss = F.mse_loss(self(pair), rating)
        self.log("rmse", loss.sqrt())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02, weight_decay=1e-5)


def factorization() -> Program:
    generator = torch.Generator().manual_seed(0)
    users, films = (torch.randn(n, 2, generator=generator) for n in (80, 60))
    pairs = torch.stack([torch.randint(n, (5000,), generator=generator) for n in (80, 60)], dim=1)
    ratings = (users[pairs[:, 0]] * films[pairs[:, 1]]).sum(1)
    ratings = ratings + 0.1 * torch.randn(5000, generator=generator)
    module = Factorization(80, 60)
    train = DataLoader(TensorDataset(pairs[:4000], ratings[:4000]), 64, shuffle=True)

    def score() -> float:
        error = F.mse_loss(outputs(module, pairs[4000:]), ratings[4000:])
        return (1 - error / ratings[4000:].var()).item()

    return Program(module, train, None, 10, score)


class Policy(LightningModule):
    """A policy gradient on bandits with a context: the loss says nothing, the reward does."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([6, 32, 4], nn.Tanh)
        self.baseline = 0.0

    def forward(self, context: Tensor) -> Tensor:
        logits: Tensor = self.net(context)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        context, rewards = batch
        choice = torch.distributions.Categorical(logits=self(context))
        action = choice.sample()
        reward = rewards.gather(1, action[:, None])[:, 0] + 0.5 * torch.randn(len(action))
        loss = -(choice.log_prob(action) * (reward - self.baseline)).mean()
        loss = loss - 0.01 * choice.entropy().mean()
        self.baseline += 0.1 * (reward.mean().item() - self.baseline)
        self.log_dict({"policy_loss": loss, "reward": reward.mean()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def policy() -> Program:
    generator = torch.Generator().manual_seed(1)
    context = torch.randn(1600, 6, generator=generator)
    rewards = context @ torch.randn(6, 4, generator=generator)
    module = Policy()
    train = DataLoader(TensorDataset(context[:1200], rewards[:1200]), 64, shuffle=True)

    def score() -> float:
        best = outputs(module, context[1200:]).argmax(1)
        return (best == rewards[1200:].argmax(1)).float().mean().item()

    return Program(module, train, None, 16, score)


class ValueLearner(LightningModule):
    """Values of a walk by bootstrapping on a copy of itself that follows slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.value = mlp([10, 32, 1])
        self.target = copy.deepcopy(self.value).requires_grad_(False)

    def forward(self, state: Tensor) -> Tensor:
        return self.value(state)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, after, reward = batch
        goal = reward + 0.8 * self.target(after)[:, 0]
        loss = F.smooth_l1_loss(self(state), goal)
        self.log("td_error", loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        for slow, fast in zip(self.target.parameters(), self.value.parameters(), strict=True):
            slow.lerp_(fast.detach(), 0.05)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def value_learner() -> Program:
    """Ten states in a row, left or right by chance, one reward at the right end."""
    generator = torch.Generator().manual_seed(2)
    state = torch.randint(10, (2000,), generator=generator)
    step = 2 * torch.randint(2, (2000,), generator=generator) - 1
    after = (state + step).clamp(0, 9)
    one_hot = torch.eye(10)
    data = TensorDataset(one_hot[state], one_hot[after], (after == 9).float())
    module = ValueLearner()

    def score() -> float:
        """Against the solution of Bellman's equation."""
        move = 0.5 * (
            one_hot[(torch.arange(10) - 1).clamp(min=0)]
            + one_hot[(torch.arange(10) + 1).clamp(max=9)]
        )
        exact = torch.linalg.solve(one_hot - 0.8 * move, move[:, 9])
        return (outputs(module, one_hot) - exact).abs().max().item()

    return Program(module, DataLoader(data, 64, shuffle=True), None, 14, score)


CODES = Goal("accuracy of the nearest", at_least=0.92)
CASES = (
    Case("digits-triplets", CODES, partial(embedder, triplet)),
    Case("digits-supervised-contrast", CODES, partial(embedder, supervised_contrast), fast=True),
    Case("digits-self-supervised", Goal("accuracy of the nearest", at_least=0.85), self_supervised),
    Case("digits-distilled", Goal("accuracy", at_least=0.89), distilled),
    Case("films-factorized", Goal("R2", at_least=0.8), factorization),
    Case("bandits-policy-gradient", Goal("accuracy", at_least=0.75), policy),
    Case("walk-values", Goal("error", at_most=0.4), value_learner),
)  # fmt: skip
