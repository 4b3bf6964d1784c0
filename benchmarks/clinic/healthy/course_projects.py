"""Final projects that worked, some of which look odd while they train."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import course_projects as projects
from data_sets.samples import Samples, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class LeNet(LightningModule):
    """Tanh and means, as in 1998, and a schedule of 2018."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(8, 24, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(96, 48), nn.Tanh(), nn.Linear(48, 10))
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.2, momentum=0.9, nesterov=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, self.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def one_cycle() -> Program:
    data = digit_images()
    train, validation = loaders(data, 32)
    module = LeNet(10 * len(train))
    return Program(module, train, validation, 10, partial(accuracy, module, data))


class Branch(nn.Module):
    """A residual branch that begins at nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        nn.init.zeros_(self.body[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class ZeroBranches(LightningModule):
    """A ResNet whose blocks and last layer start at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), Branch(16), nn.MaxPool2d(2),
            Branch(16), Branch(16), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.out = nn.Linear(64, 10)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.body(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def zero_branches() -> Program:
    data = digit_images()
    module = ZeroBranches()
    return Program(
        module, *loaders(data, 32), 8, partial(accuracy, module, data), {"precision": "bf16-mixed"}
    )


class SmallUNet(LightningModule):
    """One step down and up, for masks that are mostly empty; Dice beside cross-entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = self.pair(1, 12), self.pair(12, 24)
        self.up = nn.Upsample(scale_factor=2)
        self.join, self.out = self.pair(36, 12), nn.Conv2d(12, 1, 1)
        nn.init.constant_(self.out.bias, -2.0)

    @staticmethod
    def pair(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.1),
            nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(0.1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x)
        two = self.up(self.two(F.max_pool2d(one, 2)))
        logits: Tensor = self.out(self.join(torch.cat([one, two], 1)))
        return logits

    def loss(self, batch: Any) -> Tensor:
        image, mask = batch
        logits = self(image)
        chance = logits.sigmoid()
        both = (chance * mask).sum((1, 2, 3))
        dice = 1 - (2 * both + 1) / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)
        return dice.mean() + F.binary_cross_entropy_with_logits(logits, mask)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union."""
    found, mask = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & mask).sum() / (found | mask).sum()).item()


def small_unet() -> Program:
    data = projects.cells()
    module = SmallUNet()
    return Program(module, *loaders(data, 8), 5, partial(overlap, module, data))


class WarmVAE(LightningModule):
    """Its second term comes in slowly, so that the loss rises before it falls."""

    def __init__(self, warm: int = 200) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 96), nn.ELU(), nn.Linear(96, 64))
        self.warm = warm

    def forward(self, x: Tensor) -> Tensor:
        pixels: Tensor = self.decoder(self.encoder(x)[:, :8]).sigmoid()
        return pixels

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x = batch[0]
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        found = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="none")
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        beta = min(1.0, self.global_step / self.warm)
        self.log_dict({"reconstruction": found.sum(1).mean(), "kl": kl, "beta": beta})
        return found.sum(1).mean() + beta * kl

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the pixels' variance."""
    error = (outputs(module, data.x_test) - data.x_test).square().mean()
    return (1 - error / (data.x_test - data.x_test.mean(0)).square().mean()).item()


def warm_vae() -> Program:
    data = digits()
    module = WarmVAE()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(explained, module, data))


class Triplets(LightningModule):
    """Anchor, friend and stranger; most triplets are soon right and teach nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(),
            nn.Linear(48, 16),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.tower(x), dim=1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        anchor, friend, stranger = (self(x) for x in batch)
        loss = F.triplet_margin_loss(anchor, friend, stranger, margin=0.4)
        self.log("triplet", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def triplets(count: int = 2400) -> Program:
    data = digits()
    draw = torch.Generator().manual_seed(4500)
    rows = [(data.y == label).nonzero().flatten() for label in range(10)]
    chosen = []
    for _ in range(count):
        mine, other = torch.randperm(10, generator=draw)[:2].tolist()
        a, b = torch.randint(len(rows[mine]), (2,), generator=draw).tolist()
        c = int(torch.randint(len(rows[other]), (1,), generator=draw))
        chosen.append([rows[mine][a], rows[mine][b], rows[other][c]])
    index = torch.tensor(chosen)
    module = Triplets()
    train = DataLoader(TensorDataset(*(data.x[i] for i in index.T)), 32, shuffle=True)

    def score() -> float:
        """Accuracy of the nearest neighbour."""
        near = torch.cdist(outputs(module, data.x_test), outputs(module, data.x)).argmin(1)
        return (data.y[near] == data.y_test).float().mean().item()

    return Program(module, train, None, 6, score)


class Recommender(LightningModule):
    """Factors whose rate falls by use: what no batch names does not move."""

    def __init__(self) -> None:
        super().__init__()
        self.users = nn.Embedding(120, 5)
        self.films = nn.Embedding(80, 5)
        self.biases = nn.ModuleList([nn.Embedding(120, 1), nn.Embedding(80, 1)])
        for table in (self.users, self.films):
            nn.init.normal_(table.weight, std=0.1)
        for table in self.biases:
            nn.init.zeros_(table.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        user, film = pairs.T
        product = (self.users(user) * self.films(film)).sum(1)
        bias = self.biases[0](user) + self.biases[1](film)
        stars: Tensor = 3.3 + product + bias[:, 0]
        return stars

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def recommender() -> Program:
    data = projects.ratings()
    module = Recommender()
    train = DataLoader(TensorDataset(data.pairs, data.stars), 32, shuffle=True)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.pairs_test), data.stars_test)
        return (1 - error / data.stars_test.var()).item()

    return Program(module, train, None, 10, score)


class Speaker(LightningModule):
    """An LSTM over letters; the loss ends at what cannot be foretold."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(projects.LETTERS), 16)
        self.lstm = nn.LSTM(16, 64, batch_first=True)
        self.out = nn.Linear(64, len(projects.LETTERS))

    def forward(self, letters: Tensor) -> Tensor:
        logits: Tensor = self.out(self.lstm(self.embedding(letters))[0])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (text,) = batch
        logits = self(text[:, :-1]).mT
        loss = F.cross_entropy(logits, text[:, 1:])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def speaker() -> Program:
    train, test = projects.sayings()
    module = Speaker()

    def score() -> float:
        return F.cross_entropy(outputs(module, test[:, :-1]).mT, test[:, 1:]).item()

    return Program(
        module, DataLoader(TensorDataset(train), 32, shuffle=True), None, 8, score,
        {"gradient_clip_val": 0.5},
    )  # fmt: skip


class FewLabels(LightningModule):
    """A graph convolution that knows the topic of 20 papers each and can learn them by heart."""

    def __init__(self, graph: projects.Graph) -> None:
        super().__init__()
        self.graph = graph
        total = graph.features.sum(1, keepdim=True).clamp(min=1)
        self.register_buffer("features", 10 * graph.features / total)
        self.one, self.two = nn.Linear(40, 32, bias=False), nn.Linear(32, 4)

    def forward(self, nodes: Tensor) -> Tensor:
        words = F.dropout(self.features, 0.3, self.training)
        hidden = F.relu(self.graph.adjacency @ self.one(words))
        logits: Tensor = self.graph.adjacency @ self.two(F.dropout(hidden, 0.5, self.training))
        return logits[nodes]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (nodes,) = batch
        loss = F.cross_entropy(self(nodes), self.graph.labels[nodes])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.02, weight_decay=5e-4)


def few_labels() -> Program:
    graph = projects.papers()
    module = FewLabels(graph)

    def score() -> float:
        found = outputs(module, graph.test).argmax(1)
        return (found == graph.labels[graph.test]).float().mean().item()

    train = DataLoader(TensorDataset(graph.train), len(graph.train))
    return Program(module, train, None, 200, score, {"log_every_n_steps": 1})


class Densities(LightningModule):
    """A mixture of four densities; its loss passes zero."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.share, self.mean, self.scale = (nn.Linear(64, 4) for _ in range(3))

    def forward(self, x: Tensor) -> torch.distributions.Distribution:
        hidden = self.net(x)
        share = torch.distributions.Categorical(logits=self.share(hidden))
        scale = F.softplus(self.scale(hidden)) + 1e-3
        parts = torch.distributions.Normal(self.mean(hidden), scale)
        return torch.distributions.MixtureSameFamily(share, parts)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = -self(batch[0]).log_prob(batch[1]).mean()
        self.log("nll", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def densities() -> Program:
    data = projects.inverse(outliers=0.0)
    data = data._replace(y=data.y / 4, y_test=data.y_test / 4)
    module = Densities()
    train, _ = loaders(data, 32)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return -module(data.x_test).log_prob(data.y_test).mean().item()

    return Program(module, train, None, 12, score, {"gradient_clip_val": 2.0})


class Lent(LightningModule):
    """Poisson regression; without the constant term its loss is below zero."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 32), nn.ReLU(),
            nn.Linear(32, 1),
        )  # fmt: skip
        nn.init.constant_(self.net[-1].bias, math.log(mean))

    def forward(self, x: Tensor) -> Tensor:
        logarithm: Tensor = self.net(x)
        return logarithm[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.poisson_nll_loss(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_nll", F.poisson_nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)


def lent() -> Program:
    data = projects.rentals()
    module = Lent(data.y.mean().item())

    def score() -> float:
        rate = outputs(module, data.x_test).exp()
        return (1 - F.mse_loss(rate, data.y_test) / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 10, score)


DIGITS = Goal("accuracy", at_least=0.9)
CASES = (
    Case("digit-images-lenet-one-cycle", DIGITS, one_cycle),
    Case("digit-images-blocks-that-begin-as-nothing", DIGITS, zero_branches),
    Case("cells-dice-and-entropy", Goal("IoU", at_least=0.6), small_unet),
    Case("digits-second-term-comes-later", Goal("R2", at_least=0.45), warm_vae),
    Case("digits-friends-and-strangers", DIGITS, triplets),
    Case("ratings-adaptive-factors", Goal("R2", at_least=0.6), recommender),
    Case("sayings-clipped-memory", Goal("cross-entropy", at_most=0.8), speaker),
    Case("papers-twenty-known-each", Goal("accuracy", at_least=0.68), few_labels),
    Case("angles-below-zero", Goal("NLL", at_most=-0.6), densities),
    Case("rentals-counted-by-poisson", Goal("R2", at_least=0.5), lent),
)
