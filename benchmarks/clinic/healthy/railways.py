"""What is trained for a railway, as it should be."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import railways, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, RegressionTask, adam, sgd
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class LastState(nn.Module):
    """A GRU whose last state is read."""

    def __init__(self, inputs: int, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.gru(x)
        found: Tensor = self.out(state[-1])
        return found


def large_steps() -> Program:
    """Plain descent at a rate of three tenths, which the clipping holds."""
    data, module = railways.stops(), RegressionTask(LastState(3), sgd(0.3))
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 32), 24, partial(r2, module, data), trainer)


def conv_net(classes: int) -> nn.Sequential:
    """In the style of VGG, normed by groups."""
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 16), (16, 32), (32, 32)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.ReLU()]
        if before == after:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, classes))


def trained_before(data: Samples, steps: int = 200) -> nn.Sequential:
    """The network as the pictures of another camera left it."""
    network = conv_net(5)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(steps):
        chosen = torch.randint(len(data.x), (32,))
        loss = F.cross_entropy(network(data.x[chosen]), data.y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def fine_tuned() -> Program:
    """The new camera shows more noise; all layers go on at a rate of three hundred-thousandths."""
    data = railways.sleepers()
    network, generator = trained_before(data), torch.Generator().manual_seed(906)
    x, x_test = (
        0.8 * x + 0.1 + 0.3 * torch.randn(x.shape, generator=generator)
        for x in (data.x, data.x_test)
    )
    new = data.with_inputs(x, x_test)
    module = LitClassifier(network, adam(3e-5))
    return Program(module, *loaders(new, 16), 5, partial(accuracy, module, new))


@dataclass
class Pictures:
    """A batch."""

    image: Tensor
    number: Tensor


def collate(pairs: list[tuple[Tensor, Tensor]]) -> Pictures:
    images, numbers = zip(*pairs, strict=True)
    return Pictures(torch.stack(images), torch.stack(numbers))


class Hats(LightningModule):
    """Units that answer near one picture only, so that most are silent for most inputs."""

    def __init__(self, points: Tensor, reach: float = 3.0) -> None:
        super().__init__()
        self.points = nn.Parameter(points.clone())
        self.reach = nn.Parameter(torch.full((len(points),), reach))
        self.activation = nn.ReLU()
        self.classify = nn.Linear(len(points), 10)

    def forward(self, x: Tensor) -> Tensor:
        near = self.activation(self.reach - torch.cdist(x.flatten(1), self.points))
        logits: Tensor = self.classify(near)
        return logits

    def training_step(self, batch: Pictures, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.image), batch.number)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def hats(count: int = 150) -> Program:
    data = samples.digits()
    module = Hats(data.x[torch.randperm(len(data.x))[:count]])
    pairs = TensorDataset(data.x, data.y)
    train: Any = DataLoader(pairs, 64, shuffle=True, collate_fn=collate)
    return Program(module, train, None, 20, partial(accuracy, module, data))


class Gate(nn.Module):
    """Tanh times sigmoid, and what goes past them."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        left, right = self.conv(x).chunk(2, 1)
        mixed: Tensor = self.mix(torch.tanh(left) * torch.sigmoid(right))
        return x + mixed


class GatedNet(nn.Module):
    """Dilated gates, and the largest of each channel."""

    def __init__(self, width: int = 20) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, width, 3, padding=1)
        self.gates = nn.Sequential(Gate(width, 1), Gate(width, 2), Gate(width, 4))
        self.last = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.gates(self.first(x)).relu().amax(-1))
        return logits


def gates() -> Program:
    """Long enough a training for many gates to be quite open or shut."""
    data, module = railways.axle_windows(False), LitClassifier(GatedNet(), adam(5e-3))
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


def weak_labels() -> Program:
    """Two fifths of the windows of damaged axles are those of good ones."""
    data = railways.weak_windows()
    network = nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 24, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(24, 4),
    )  # fmt: skip
    module = LitClassifier(network, adam(2e-3, weight_decay=1e-4))
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class WordBag(nn.Module):
    """The mean of the words' vectors, and much dropout."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(120, width)
        self.rest = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(width, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.rest(self.bag(tokens))
        return logits


def ceiling() -> Program:
    """A third of the kinds was put down blindly, so that no model gets beyond three quarters."""
    data = railways.announcements(4000, 0.35)
    module = LitClassifier(WordBag(), adam(3e-3))
    return Program(module, *loaders(data, 64), 14, partial(accuracy, module, data))


class DropPath(nn.Module):
    """A branch left out for some samples, and as much larger for the others."""

    def __init__(self, width: int, keep: float) -> None:
        super().__init__()
        self.norm, self.keep = nn.LayerNorm(width), keep
        self.branch = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branch(self.norm(x))
        if self.training:
            y = y * (torch.rand(len(x), 1) < self.keep) / self.keep
        return x + y


def drop_path() -> Program:
    """The loss of the training stays above that of the validation."""
    data = scaled_targets(standardized(samples.friedman()))
    blocks = [DropPath(48, keep) for keep in (0.9, 0.8, 0.7, 0.6)]
    network = nn.Sequential(nn.Linear(10, 48), *blocks, nn.Linear(48, 1))
    module = RegressionTask(network, partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.05))
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data))


class Brighter(LitClassifier):
    """Pictures of each round are brightened more than those of the round before."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        most = 0.1 * self.current_epoch
        gain, shift = most * torch.rand(2, len(x), 1, 1, 1)
        return super().training_step((x * (1 + gain) + shift, y), batch_idx)


def brighter() -> Program:
    """Each picture is standardised first, which takes the brightness out again."""
    data = samples.digit_images()
    network = nn.Sequential(
        nn.InstanceNorm2d(1), nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(384, 10),
    )  # fmt: skip
    module = Brighter(network, sgd(0.02, 0.9))
    return Program(module, *loaders(data, 32), 16, partial(accuracy, module, data))


CASES = (
    Case("stops-gru-large-steps-clipped", Goal("R2", at_least=0.65), large_steps),
    Case("sleepers-net-of-another-camera-goes-on", Goal("accuracy", at_least=0.8), fine_tuned),
    Case("wagon-numbers-hats-mostly-silent", Goal("accuracy", at_least=0.92), hats),
    Case("axle-windows-dilated-gates", Goal("accuracy", at_least=0.85), gates),
    Case("axle-windows-partly-silent", Goal("accuracy", at_least=0.75), weak_labels),
    Case("announcements-put-down-blindly", Goal("accuracy", at_least=0.68), ceiling),
    Case("journeys-branches-left-out-scaled", Goal("R2", at_least=0.8), drop_path),
    Case("wagon-numbers-brighter-each-round", Goal("accuracy", at_least=0.93), brighter),
)
