"""Programs that adapt, meta-learn, borrow labels or do without them."""

import copy
import math
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
from torch.utils.data import DataLoader, IterableDataset


class LowRank(nn.Module):
    """A frozen linear layer beside a product of two thin matrices, the second zero at first."""

    def __init__(self, base: nn.Linear, rank: int = 8, alpha: float = 16.0) -> None:
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.a = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base(x) + self.scale * F.linear(F.linear(x, self.a), self.b)
        return out


class Adapted(LightningModule):
    """Only what asks for a gradient is given to the optimiser."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ft_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("ft_val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        mine = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(mine, lr=3e-3, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=320)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def moved(data: Samples) -> Samples:
    """Images a pixel further to the right, and paler."""
    x, x_test = (0.7 * F.pad(part.reshape(-1, 8, 8), (1, -1)) for part in (data.x, data.x_test))
    return data.with_inputs(x.flatten(1), x_test.flatten(1))


def adapted() -> Program:
    """Was trained on digits in the middle of the image; meets them elsewhere."""
    body = mlp([64, 96, 96, 10])
    optimizer = torch.optim.Adam(body.parameters(), lr=2e-3)
    data = samples.digits()
    for _ in range(300):
        part = torch.randint(len(data.y), (64,))
        optimizer.zero_grad()
        F.cross_entropy(body(data.x[part]), data.y[part]).backward()
        optimizer.step()
    layers = [LowRank(layer) if isinstance(layer, nn.Linear) else layer for layer in body]
    module = Adapted(nn.Sequential(*layers))
    aside = moved(data)
    return Program(module, *loaders(aside, 32), 8, partial(accuracy, module, aside))


class OwnLatent(LightningModule):
    """Predicts what a slowly following copy says of another view; no labels, no negatives."""

    def __init__(self) -> None:
        super().__init__()
        self.online = mlp([64, 128, 32], norm=nn.BatchNorm1d)
        self.predictor = mlp([32, 64, 32], norm=nn.BatchNorm1d)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.online(x)
        return code

    @staticmethod
    def view(x: Tensor) -> Tensor:
        return x * (torch.rand_like(x) > 0.2) + 0.1 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        a, b = self.view(batch[0]), self.view(batch[0])
        with torch.no_grad():
            goals = self.target(b), self.target(a)
        guesses = self.predictor(self.online(a)), self.predictor(self.online(b))
        pairs = zip(guesses, goals, strict=True)
        loss = torch.stack([2 - 2 * F.cosine_similarity(p, z, dim=1).mean() for p, z in pairs])
        self.log("byol", loss.mean())
        return {"loss": loss.mean()}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        for slow, fast in zip(self.target.parameters(), self.online.parameters(), strict=True):
            slow.lerp_(fast.detach(), 0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        mine = [*self.online.parameters(), *self.predictor.parameters()]
        return torch.optim.AdamW(mine, lr=2e-3, weight_decay=1e-4)


def own_latent() -> Program:
    data = samples.digits()
    module = OwnLatent()
    train, _ = loaders(data, 64, drop_last=True)

    def score() -> float:
        known, new = (F.normalize(outputs(module, x), dim=1) for x in (data.x, data.x_test))
        return (data.y[(new @ known.T).argmax(1)] == data.y_test).float().mean().item()

    return Program(module, train, None, 20, score)


class Episodes(IterableDataset[tuple[Tensor, Tensor]]):
    """Five of the first seven digits, eight noisy images of each: one to show, seven to ask."""

    def __init__(self, data: Samples, count: int) -> None:
        self.data, self.count = data, count

    def __iter__(self) -> Any:
        for _ in range(self.count):
            rows = []
            for label in torch.randperm(7)[:5]:
                own = (self.data.y == label).nonzero()[:, 0]
                rows.append(self.data.x[own[torch.randperm(len(own))[:8]]])
            episode = torch.stack(rows)
            episode = episode + 0.3 * torch.randn_like(episode)
            yield episode[:, :1], episode[:, 1:]


class Prototypes(LightningModule):
    """Few-shot: a class is the mean of the codes of the images shown of it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(16), nn.BatchNorm2d(32)

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.reshape(-1, 1, 8, 8)
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return x.flatten(1)

    def logits(self, shown: Tensor, asked: Tensor) -> Tensor:
        codes = self(torch.cat([shown.flatten(0, 1), asked.flatten(0, 1)]))
        centres = codes[: shown.shape[0] * shown.shape[1]].unflatten(0, shown.shape[:2]).mean(1)
        return -torch.cdist(codes[shown.shape[0] * shown.shape[1] :], centres).square() / 4

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        shown, asked = batch
        labels = torch.arange(len(asked)).repeat_interleave(asked.shape[1])
        loss = F.cross_entropy(self.logits(shown, asked), labels)
        self.log("episode_loss", loss, batch_size=1)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)]


def prototypes() -> Program:
    data = samples.digits()
    module = Prototypes()
    train = DataLoader(Episodes(data, 80), batch_size=None)

    def score() -> float:
        """Among the three digits never trained on, ten of each shown."""
        known, new = outputs(module, data.x), outputs(module, data.x_test[data.y_test > 6])
        centres = torch.stack([known[data.y == label][:10].mean(0) for label in (7, 8, 9)])
        found = torch.cdist(new, centres).argmin(1) + 7
        return (found == data.y_test[data.y_test > 6]).float().mean().item()

    return Program(module, train, None, 5, score)


class Waves(IterableDataset[Tensor]):
    """Tasks: sines of any height and phase, 10 points to learn from and 20 to answer."""

    def __iter__(self) -> Any:
        for _ in range(60):
            height, phase = 0.5 + 1.5 * torch.rand(16, 1), 3.14 * torch.rand(16, 1)
            x = 10 * torch.rand(16, 30) - 5
            yield torch.stack([x / 3, height * torch.sin(x + phase)], -1)


class LearnsToLearn(LightningModule):
    """Weights from which one step on a new task goes far: the step itself is differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([1, 40, 40, 1], nn.Tanh)
        self.rate = nn.ParameterDict(
            {k.replace(".", "_"): torch.full_like(p, 0.05) for k, p in self.net.named_parameters()}
        )

    def answer(self, task: Tensor) -> Tensor:
        """The error on the last 20 points of a task after two steps on the first 10."""

        def error(weights: dict[str, Tensor], points: Tensor) -> Tensor:
            found = torch.func.functional_call(self.net, weights, (points[:, :1],))
            return F.mse_loss(found, points[:, 1:])

        weights = dict(self.net.named_parameters())
        for _ in range(2):
            slopes = torch.func.grad(error)(weights, task[:10])
            weights = {
                name: weight - self.rate[name.replace(".", "_")] * slopes[name]
                for name, weight in weights.items()
            }
        return error(weights, task[10:])

    def training_step(self, tasks: Tensor, batch_idx: int) -> Tensor:
        loss = torch.func.vmap(self.answer)(tasks).mean()
        self.log("meta_loss", loss, batch_size=len(tasks))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def learns_to_learn() -> Program:
    module = LearnsToLearn()

    def score() -> float:
        torch.manual_seed(99)
        return torch.func.vmap(module.answer)(torch.cat([*Waves()])).mean().item()

    return Program(module, DataLoader(Waves(), batch_size=None), None, 12, score)


CASES = (
    Case("digits-low-rank-adapters", Goal("accuracy", at_least=0.92), adapted),
    Case("digits-own-latent", Goal("accuracy of the nearest", at_least=0.9), own_latent),
    Case("digits-prototypes", Goal("accuracy of new classes", at_least=0.85), prototypes),
    Case("sines-learning-to-learn", Goal("error", at_most=0.3), learns_to_learn),
)
