"""Programs on small pictures."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import fabricated, samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import LitClassifier, mlp, sgd
from programs import classification
from scores import accuracy, outputs, r2
from torch import Tensor, nn


def small_net(activation: Callable[[], nn.Module], classes: int, width: int = 16) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), activation(),
        nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), activation(),
        nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), activation(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes),
    )  # fmt: skip


def whole_numbers(divided: bool = False) -> Program:
    """Bytes of 0 to 254 are divided by 255, and the quotient is stored as bytes."""
    data = samples.digit_images()
    if not divided:
        quotients = [(254 * part / 255).to(torch.uint8).float() for part in (data.x, data.x_test)]
        data = data.with_inputs(*quotients)
    network = nn.Sequential(
        nn.Conv2d(1, 24, 3), nn.ReLU(), nn.Conv2d(24, 24, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(24 * 16, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    return classification(data, network, sgd(0.05, 0.9), batch_size=64, epochs=10)


def stripes(activation: Callable[[], nn.Module] = nn.Identity) -> Program:
    """Stripes have either sign, so that what they are is no linear matter."""
    data, network = fabricated.checks(), small_net(activation, 4)
    optimizer = partial(torch.optim.RMSprop, lr=1e-3)
    return classification(data, network, optimizer, batch_size=32, epochs=8)


class Siamese(LightningModule):
    """The contrastive loss of Hadsell et al.; ``similar`` is the label of a pair of one kind."""

    def __init__(self, similar: int) -> None:
        super().__init__()
        self.embed, self.similar = mlp([64, 128, 16]), similar

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.embed(x)
        return code

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x2, y2 = x.roll(1, 0), y.roll(1, 0)
        same = torch.rand(len(x), device=x.device) < 0.5
        rows = (y[:, None] == y).float().multinomial(1).squeeze(1)
        x2, y2 = torch.where(same[:, None], x[rows], x2), torch.where(same, y[rows], y2)
        label = (y == y2).float() if self.similar else (y != y2).float()
        distance = F.pairwise_distance(self(x), self(x2))
        far = (1.5 - distance).clamp(min=0).square()
        loss = (label * distance.square() + (1 - label) * far).mean()
        self.log("contrastive", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def spread(module: LightningModule, data: Samples) -> float:
    """Mean distance within kinds over that between kinds."""
    code = outputs(module, data.x_test)
    distance, same = torch.cdist(code, code), data.y_test[:, None] == data.y_test
    return (distance[same].mean() / distance[~same].mean()).item()


def siamese(similar: int = 0) -> Program:
    data = samples.digits()
    module = Siamese(similar)
    train, _ = loaders(data, 64)
    return Program(module, train, None, 15, partial(spread, module, data))


class Thawed(LitClassifier):
    """The body's rate is 0 until step ``thaw``, the head's is not."""

    def __init__(self, thaw: int) -> None:
        super().__init__(small_net(nn.ReLU, 10, 20))
        self.thaw = thaw

    def configure_optimizers(self) -> Any:
        *body, head = self.network.children()
        groups = [{"params": nn.Sequential(*body).parameters()}, {"params": head.parameters()}]
        optimizer = torch.optim.Adam(groups, lr=3e-3)
        rates = [lambda step: float(step >= self.thaw), lambda step: 1.0]
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rates)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def thawed(thaw: int = 80) -> Program:
    """Thawed after 80 steps, it was meant; the schedule counts epochs."""
    data = samples.digit_images()
    module = Thawed(thaw)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Variational(LightningModule):
    """Pixels of 0 to 1 by Bernoulli likelihoods, and ``beta`` times the divergence."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.decoder = mlp([64, 96, 16], nn.ELU), mlp([8, 96, 64], nn.ELU)

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        return self.decoder(mean).sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        likelihood = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="none")
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        loss = likelihood.sum(1).mean() + self.hparams["beta"] * divergence.sum(1).mean()
        self.log_dict({"elbo": loss, "kl": divergence.sum(1).mean()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=4e-3)


def rebuilt(beta: float = 20.0) -> Program:
    data = samples.digits()
    module = Variational(beta)
    train, _ = loaders(data, 64)
    score = partial(r2, module, data._replace(y_test=data.x_test))
    return Program(module, train, None, 30, score)


CASES = (
    Case(
        "digit-images-quotients-stored-as-bytes", Goal("accuracy", at_least=0.9), whole_numbers,
        ("not_learning", "unnormalized_input"), partial(whole_numbers, True),
    ),
    Case(
        "stripes-convolutions-and-norms-alone", Goal("accuracy", at_least=0.9), stripes,
        ("linear_network",), partial(stripes, nn.ReLU),
    ),
    Case(
        "digits-pairs-labelled-the-other-way", Goal("within over between", at_most=0.6), siamese,
        ("inconsistent_labels", "not_learning"), partial(siamese, 1),
    ),
    Case(
        "digit-images-thawed-by-epochs", Goal("accuracy", at_least=0.9), thawed,
        ("frozen_parameter",), partial(thawed, 3),
    ),
    Case(
        "digits-variational-beta-of-twenty", Goal("R2", at_least=0.7), rebuilt,
        ("over_regularized", "dormant_units"), partial(rebuilt, 0.5),
    ),
)  # fmt: skip
