"""What goes wrong between a paper and its code: rivals, codes, rewards and second tasks."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import loaders, split
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, cross_entropy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class DrawsDigits(LightningModule):
    """The first paper on rivals: who tells drawn digits from real ones, and who draws them."""

    def __init__(self, detached: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.g = mlp([16, 128, 128, 64], nn.LeakyReLU)
        self.d = mlp([64, 128, 64, 1], nn.LeakyReLU, dropout=0.3)
        self.detached = detached

    def forward(self, z: Tensor) -> Tensor:
        return self.g(z).sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        real = batch[0]
        for_g, for_d = self.optimizers()
        fake = self(torch.randn(len(real), 16))
        for_d.zero_grad()
        d_loss = F.softplus(-self.d(real)).mean() + F.softplus(self.d(fake.detach())).mean()
        self.manual_backward(d_loss)
        for_d.step()
        for_g.zero_grad()
        g_loss = F.softplus(-self.d(fake.detach() if self.detached else fake)).mean()
        self.manual_backward(g_loss)
        for_g.step()
        self.log_dict({"d_loss": d_loss, "g_loss": g_loss}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return (
            torch.optim.Adam(self.g.parameters(), lr=1e-3, betas=(0.5, 0.999)),
            torch.optim.Adam(self.d.parameters(), lr=1e-3, betas=(0.5, 0.999)),
        )


def drawing(detached: bool = False) -> Program:
    data = samples.digits()
    module = DrawsDigits(detached)
    train, _ = loaders(data, 64)

    def score() -> float:
        """Energy distance of drawn digits from unseen ones."""
        noise = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
        drawn, real = outputs(module, noise), data.x_test
        own = torch.cdist(drawn, drawn).mean() + torch.cdist(real, real).mean()
        return (2 * torch.cdist(drawn, real).mean() - own).item()

    return Program(module, train, None, 30, score)


class DiscreteCodes(LightningModule):
    """Digits as twelve letters of an alphabet of six; ``hard`` is what the letters are for."""

    def __init__(self, hard: bool) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([64, 128, 72]), mlp([72, 128, 64])
        self.hard = hard

    def forward(self, x: Tensor) -> Tensor:
        logits = self.encoder(x).reshape(-1, 12, 6)
        if not self.training:
            letters = F.one_hot(logits.argmax(-1), 6).float()
        elif self.hard:
            letters = F.gumbel_softmax(logits, hard=True)
        else:
            letters = logits.softmax(-1)
        image: Tensor = self.decoder(letters.flatten(1))
        return image

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train/mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def explained(module: LightningModule, x: Tensor) -> float:
    error = F.mse_loss(outputs(module, x), x)
    return (1 - error / (x - x.mean(0)).square().mean()).item()


def discrete(hard: bool = False) -> Program:
    data = samples.digits()
    module = DiscreteCodes(hard)
    return Program(module, *loaders(data, 32), 20, partial(explained, module, data.x_test))


class Tours(LightningModule):
    """Visits cities one after the other; learns from how long its tours are."""

    def __init__(self, closed: float) -> None:
        super().__init__()
        self.score, self.closed = mlp([7, 64, 64, 1], nn.Tanh), closed

    def forward(self, cities: Tensor, greedy: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """How long each tour is, the logarithm of its chance, and the entropy along it."""
        count, number, _ = cities.shape
        rows, here = torch.arange(count), torch.zeros(count, dtype=torch.long)
        seen = F.one_hot(here, number).bool()
        length, chance, entropy = torch.zeros(3, count).unbind()
        for _ in range(number - 1):
            away = cities - cities[rows, here][:, None]
            free = (~seen).float()[..., None]
            middle = (cities * free).sum(1, keepdim=True) / free.sum(1, keepdim=True)
            parts = [away, away.norm(dim=-1, keepdim=True), cities - middle, cities - cities[:, :1]]
            logits = self.score(torch.cat(parts, -1)).squeeze(-1).masked_fill(seen, self.closed)
            p, log_p = logits.softmax(-1), logits.log_softmax(-1)
            luck = 0.0 if greedy else torch.empty_like(p).exponential_().log()
            chosen = (log_p - luck).argmax(-1)
            chance = chance + log_p[rows, chosen]
            entropy = entropy - (p * log_p).sum(-1)
            length = length + away[rows, chosen].norm(dim=-1)
            here, seen = chosen, seen | F.one_hot(chosen, number).bool()
        return length + (cities[rows, here] - cities[:, 0]).norm(dim=-1), chance, entropy

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        length, chance, entropy = self(batch[0].repeat(4, 1, 1), greedy=False)
        four = length.reshape(4, -1)
        advantage = (four - four.mean(0)).flatten().detach()
        self.log("tour", length.mean(), prog_bar=True)
        return (advantage * chance).mean() - 0.01 * entropy.mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tours(closed: float = -torch.inf) -> Program:
    cities = torch.rand(1400, 8, 2, generator=torch.Generator().manual_seed(71))
    module = Tours(closed)
    train = DataLoader(TensorDataset(cities[:1200]), 32, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        """Mean length; by chance it is 4.2."""
        length, chance, _ = module.eval()(cities[1200:])
        return length.mean().item() if chance.isfinite().all() else torch.inf

    return Program(module, train, None, 8, score)


class StartingPoint(LightningModule):
    """A second task, by weights that are drawn back to those of the first."""

    def __init__(self, network: nn.Module, strength: float) -> None:
        super().__init__()
        self.network, self.strength = network, strength
        self.before = [p.detach().clone() for p in network.parameters()]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        task = F.cross_entropy(self(batch[0]), batch[1])
        pairs = zip(self.network.parameters(), self.before, strict=True)
        drift = torch.stack([(p - old).square().sum() for p, old in pairs]).sum()
        self.log_dict({"task": task, "l2_sp": drift})
        return task + 0.5 * self.strength * drift

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def second_task(strength: float) -> Program:
    """Digits as they are first, then turned on their side."""
    data, network = samples.digits(), mlp([64, 128, 128, 10])
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(250):
        part = torch.randint(len(data.y), (64,))
        optimizer.zero_grad()
        F.cross_entropy(network(data.x[part]), data.y[part]).backward()
        optimizer.step()
    turned = (x.reshape(-1, 8, 8).rot90(1, (1, 2)).flatten(1) for x in (data.x, data.x_test))
    second = data.with_inputs(*turned)
    module = StartingPoint(network, strength)
    return Program(module, *loaders(second, 32), 10, partial(accuracy, module, second))


class Preferred(LightningModule):
    """A reward of which people's choices between two answers are logits."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.net, self.decay = net, decay

    def forward(self, pair: Tensor) -> Tensor:
        return self.net(pair).squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("reward_model/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("reward_model/val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def preferred(*hidden: int, decay: float = 0.01, epochs: int = 40) -> Program:
    """Answers are embeddings of 24 numbers; a choice is as noisy as people are."""
    generator = torch.Generator().manual_seed(72)
    pairs = torch.randn(1000, 2, 24, generator=generator)
    value = pairs[..., :4].sum(-1)
    chosen = torch.bernoulli((value[:, 1] - value[:, 0]).sigmoid(), generator=generator)
    data = split(pairs, chosen.long(), train=0.3)
    module = Preferred(mlp([24, *hidden, 1]), decay)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


CASES = (
    Case(
        "drawn-digits-detached-for-both", Goal("energy distance", at_most=1.2),
        partial(drawing, detached=True), ("frozen_parameter",), drawing,
    ),
    Case(
        "letters-soft-in-training-alone", Goal("R2", at_least=0.5), discrete,
        ("train_eval_mismatch",), partial(discrete, True),
    ),
    Case(
        "tours-entropy-of-closed-cities", Goal("length", at_most=3.2), tours,
        ("non_finite",), partial(tours, -1e9),
    ),
    Case(
        "second-task-held-by-the-first", Goal("accuracy", at_least=0.9),
        partial(second_task, 50.0), ("over_regularized",), partial(second_task, 0.005),
    ),
    Case(
        "preferences-by-heart", Goal("cross-entropy", at_most=0.62), partial(preferred, 256, 256),
        ("overfitting",), partial(preferred, decay=0.1, epochs=15),
    ),
)  # fmt: skip
