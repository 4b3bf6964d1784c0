"""Pictures of shapes that a network does not learn to tell apart."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import Optimizer, adam
from programs import classification
from scores import cross_entropy, outputs
from torch import Tensor, nn

SHAPES = Goal("accuracy", at_least=0.75)


def shapes(count: int = 800) -> Samples:
    found = surveys.pictures()
    return found.labelled(found.shape, count)


def adamw(lr: float) -> Optimizer:
    return partial(torch.optim.AdamW, lr=lr, weight_decay=0.01)


class SmallNet(nn.Module):
    """Three convolutions, the mean over the picture, one dense layer."""

    def __init__(self, width: int = 12, classes: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.fc = nn.Linear(2 * width, classes)

    def features(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.conv3(x)).amax((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.features(x))
        return logits


def small_net(optimizer: Optimizer, epochs: int = 14) -> Program:
    return classification(shapes(), SmallNet(), optimizer, epochs=epochs)


class Softmaxed(SmallNet):
    """Ends with probabilities, as in a framework whose loss wants them."""

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(super().forward(x), dim=1)


def softmaxed(network: type[nn.Module] = Softmaxed) -> Program:
    return classification(shapes(), network(), adam(3e-3), epochs=14, score=cross_entropy)


def validated_as_bytes(scale: float = 255.0) -> Program:
    """The transform that divides by 255 was given to the training set alone."""
    data = shapes()
    data = data.with_inputs(data.x, scale * data.x_test)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveMaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 4),
    )  # fmt: skip
    return classification(data, network, adam(3e-3))


class Probe(SmallNet):
    """A body under no_grad, from the days when it was a pre-trained one."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            found = self.features(x)
        logits: Tensor = self.fc(found)
        return logits


def probe(network: type[SmallNet] = Probe) -> Program:
    return classification(shapes(), network(), adam(3e-3), epochs=14)


class Listed(nn.Module):
    """Keeps its convolutions in a list of Python, where no optimiser finds them."""

    container: Callable[[list[nn.Module]], Any] = list

    def __init__(self) -> None:
        super().__init__()
        widths = [3, 12, 24, 24]
        self.blocks = type(self).container(
            [nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(widths)]
        )
        self.classifier = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = F.max_pool2d(block(x).relu(), 2)
        logits: Tensor = self.classifier(x.amax((2, 3)))
        return logits


class Registered(Listed):
    """The list that registers them."""

    container = nn.ModuleList


def listed(network: type[nn.Module] = Listed) -> Program:
    return classification(shapes(), network(), adam(3e-3), epochs=14)


def normalized() -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(16), nn.ReLU())


def sigmoid_stack(activation: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    """As deep as VGG, of the units of LeNet's time."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, stride=2, padding=1), activation()]
    for _ in range(7):
        layers += [nn.Conv2d(16, 16, 3, padding=1), activation()]
    network = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(64, 4))
    return classification(shapes(), network, adam(3e-3), epochs=14)


def few_pictures(count: int = 60, epochs: int = 60) -> Program:
    """A wide dense network on far too few pictures."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(432, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
        nn.Linear(256, 4),
    )  # fmt: skip
    return classification(shapes(count), network, epochs=epochs, batch_size=16, score=cross_entropy)


def small_net_for_few(count: int = 800, epochs: int = 10) -> Program:
    """All the pictures, and a network that knows of shifts."""
    return classification(shapes(count), SmallNet(), adam(3e-3), epochs=epochs, score=cross_entropy)


class Segmenter(LightningModule):
    """Says for each pixel whether it belongs to the shape."""

    def __init__(self, output: nn.Module, lr: float = 3e-3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU())
        self.decoder = nn.ConvTranspose2d(16, 1, 2, 2)
        self.output, self.lr = output, lr

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.output(self.decoder(self.middle(self.encoder(image))))
        return found[:, 0]

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        image, mask = batch
        loss = F.binary_cross_entropy_with_logits(self(image), mask)
        self.log(f"{stage}_loss", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union of the pixels that are more likely than not."""
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def masks(output: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    found = surveys.pictures()
    data = found.labelled(found.mask)
    module = Segmenter(output())
    return Program(module, *loaders(data, 32), 8, partial(overlap, module, data))


CASES = (
    Case(
        "shapes-adamw-large-steps", SHAPES, partial(small_net, adamw(0.1)),
        ("learning_rate_too_high", "dead_relu"), partial(small_net, adamw(5e-3)),
    ),
    Case(
        "shapes-softmax-in-the-network", Goal("cross-entropy", at_most=0.5), softmaxed,
        ("output_loss_mismatch",), partial(softmaxed, SmallNet),
    ),
    Case(
        "shapes-validated-as-bytes", SHAPES, validated_as_bytes,
        ("train_eval_mismatch", "unnormalized_input", "covariate_shift"),
        partial(validated_as_bytes, 1.0),
    ),
    Case(
        "shapes-body-without-gradients", SHAPES, probe, ("frozen_parameter",),
        partial(probe, SmallNet),
    ),
    Case(
        "shapes-layers-in-a-list", SHAPES, listed, ("frozen_parameter", "not_learning"),
        partial(listed, Registered),
    ),
    Case(
        "shapes-eight-sigmoid-convolutions", SHAPES, sigmoid_stack,
        ("vanishing_gradient", "not_learning"), partial(sigmoid_stack, normalized),
    ),
    Case(
        "shapes-sixty-by-heart", Goal("cross-entropy", at_most=0.6), few_pictures,
        ("overfitting",), small_net_for_few,
    ),
    Case(
        "masks-sigmoid-before-logits", Goal("intersection over union", at_least=0.6), masks,
        ("output_loss_mismatch",), partial(masks, nn.Identity),
    ),
)  # fmt: skip
