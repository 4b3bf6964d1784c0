"""An acceptance test, written from the list of problems: rows and pictures."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import audit, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class SiameseNet(LightningModule):
    """Two pictures go through one network; alike is what lies close together."""

    def __init__(self, eps: float, margin: float = 1.0) -> None:
        super().__init__()
        self.eps, self.margin = eps, margin
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 16),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.cnn(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        first, second, same = batch
        distance = torch.sqrt((self(first) - self(second)).square().sum(1) + self.eps)
        apart = F.relu(self.margin - distance)
        loss = (same * distance.square() + (1 - same) * apart.square()).mean()
        self.log("contrastive", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pairs(data: Samples, count: int) -> TensorDataset:
    """Half of them of one class: any two of it."""
    g = torch.Generator().manual_seed(5)
    first = torch.randint(len(data.y), (count,), generator=g)
    other = torch.randint(len(data.y), (count,), generator=g)
    mates = (data.y[first][:, None] == data.y).float().multinomial(1, generator=g)[:, 0]
    second = torch.where(torch.rand(count, generator=g) < 0.5, mates, other)
    return TensorDataset(data.x[first], data.x[second], (data.y[first] == data.y[second]).float())


def nearest(module: LightningModule, data: Samples) -> float:
    """Whether the nearest picture known is of the same class."""
    module.eval()
    with torch.no_grad():
        known, asked = module(data.x), module(data.x_test)
    if not asked.isfinite().all():
        return 0.0
    return (data.y[torch.cdist(asked, known).argmin(1)] == data.y_test).float().mean().item()


def siamese(eps: float = 0.0) -> Program:
    data = samples.digit_images()
    module = SiameseNet(eps)
    train = DataLoader(pairs(data, 3200), 64, shuffle=True)
    return Program(module, train, None, 6, partial(nearest, module, data))


class RentalModel(LightningModule):
    """The logarithm of a count, by the mean squared error."""

    def __init__(self, log: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.log_of = log
        self.layers = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, rented = batch
        loss = F.mse_loss(self(x), self.log_of(rented))
        self.log("train_msle", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def logarithms(module: LightningModule, data: Samples) -> float:
    return r2(module, data._replace(y_test=data.y_test.log1p()))


def rentals(log: Callable[[Tensor], Tensor] = torch.log) -> Program:
    data = audit.rentals()
    module = RentalModel(log)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(logarithms, module, data))


class DigitMLP(LightningModule):
    """Seven layers, and whatever activation."""

    def __init__(self, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        sizes = [64, 96, 96, 96, 64, 64, 32]
        layers: list[nn.Module] = []
        for k in range(6):
            layers += [nn.Linear(sizes[k], sizes[k + 1]), activation()]
        self.model = nn.Sequential(*layers, nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def deep_digits(activation: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = samples.digits()
    module = DigitMLP(activation)
    return Program(module, *loaders(data, 32), 22, partial(accuracy, module, data))


class StrengthModel(LightningModule):
    """The value of a mixture as it is measured, about fourteen."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2, self.out = nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.out(x).squeeze(-1)  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor], name: str) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log(f"{name}_loss", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"], momentum=0.9)


def strength(lr: float = 0.04) -> Program:
    data = standardized(samples.friedman())
    module = StrengthModel(lr)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class SparseAutoencoder(LightningModule):
    """Few of the hidden features are to explain a picture: their sum costs."""

    def __init__(self, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty
        self.encode, self.decode = nn.Linear(64, 160), nn.Linear(160, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(F.relu(self.encode(x)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        code = F.relu(self.encode(x))
        error = F.mse_loss(self.decode(code), x)
        sparsity = code.abs().sum(1).mean()
        self.log_dict({"reconstruction": error, "l1": sparsity})
        return error + self.penalty * sparsity

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dictionary(penalty: float = 0.01) -> Program:
    data = samples.digits()
    data = data._replace(y=data.x, y_test=data.x_test)
    module = SparseAutoencoder(penalty)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 20, partial(r2, module, data))


class Handmade(nn.Module):
    """What a linear layer is in a lecture's slides."""

    def __init__(self, inputs: int, outputs: int, scaled: bool) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(inputs, outputs) / (inputs**0.5 if scaled else 1.0))
        self.b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b


class ArmModel(LightningModule):
    """How far a robot's hand is from its base, by its angles."""

    def __init__(self, scaled: bool, width: int = 128) -> None:
        super().__init__()
        self.first = Handmade(4, width, scaled)
        self.second = Handmade(width, width, scaled)
        self.third = Handmade(width, width, scaled)
        self.last = nn.Linear(width, 1)

    def forward(self, angles: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(angles))
        hidden = torch.tanh(self.third(torch.tanh(self.second(hidden))))
        return self.last(hidden).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def arm(scaled: bool = False) -> Program:
    data = audit.arms()
    module = ArmModel(scaled)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class SmallVGG(LightningModule):
    """Six convolutions and two dense layers, their weights drawn as the paper says."""

    def __init__(self, std: float | None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width in (12, 24, 32):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = width
        layers += [nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, audit.CLASSES)]
        self.net = nn.Sequential(*layers)
        for layer in self.net:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                if std is None:
                    nn.init.kaiming_normal_(layer.weight)
                else:
                    nn.init.normal_(layer.weight, 0, std)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_top1", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.3)]


def vgg(std: float | None = 0.01) -> Program:
    data = audit.shapes()
    module = SmallVGG(std)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class LeNet(LightningModule):
    """Two convolutions with pooling, three dense layers."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 16, 3, padding=1)
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        return self.fc3(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.nll_loss(F.log_softmax(self(images), 1), labels)
        self.log("train/nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.log("val/nll", F.cross_entropy(self(images), labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def lenet(lr: float = 1e-4) -> Program:
    data = samples.digit_images()
    module = LeNet(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class PatchTransformer(LightningModule):
    """Sixteen patches of a digit, a token for its class, two layers."""

    def __init__(self, last: nn.Module, width: int = 32) -> None:
        super().__init__()
        self.last = last
        self.patch = nn.Conv2d(1, width, 2, stride=2)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.last(self.head(self.blocks(tokens)[:, 0]))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def patches(softmax: bool = True) -> Program:
    data = samples.digit_images()
    module = PatchTransformer(nn.Softmax(-1) if softmax else nn.Identity())
    return Program(module, *loaders(data, 64), 18, partial(accuracy, module, data))


class Moves(Dataset[dict[str, Tensor]]):
    """States, a move made in each, and what came of it."""

    def __init__(self, data: Samples) -> None:
        g = torch.Generator().manual_seed(8)
        self.states = data.x
        self.actions = torch.randint(data.y.shape[1], (len(data.x),), generator=g)
        self.returns = data.y.gather(1, self.actions[:, None])[:, 0]

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {
            "state": self.states[index],
            "action": self.actions[index],
            "return": self.returns[index],
        }


class QNetwork(LightningModule):
    """What each of four moves is worth, from games that have been played."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.q = nn.Sequential(
            nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4), last
        )

    def forward(self, state: Tensor) -> Tensor:
        return self.q(state)  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        value = self(batch["state"]).gather(1, batch["action"][:, None])[:, 0]
        loss = F.smooth_l1_loss(value, batch["return"])
        self.log("td", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def moves(last: Callable[[], nn.Module] = nn.ReLU) -> Program:
    data = audit.values()
    module = QNetwork(last())
    train = DataLoader(Moves(data), 64, shuffle=True)
    return Program(module, train, None, 20, partial(r2, module, data))


class Progression(LightningModule):
    """A disease a year later; the network has one output."""

    def __init__(self, network: nn.Module, weight_decay: float = 0.0) -> None:
        super().__init__()
        self.network, self.weight_decay = network, weight_decay

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=self.weight_decay)


def column(squeeze: bool = False) -> Program:
    """The outputs are a column, the targets a row: each is compared with every other."""
    data = scaled_targets(standardized(samples.friedman()))
    layers = [nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)]
    module = Progression(nn.Sequential(*layers, *([nn.Flatten(0)] if squeeze else [])))
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class Stop(Progression):
    """The same, and it stops in time."""

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val_mse", patience=5)]


def progression(cured: bool = False) -> Program:
    data = scaled_targets(standardized(samples.diabetes()))
    width = 32 if cured else 256
    layers: list[nn.Module] = [nn.Linear(10, width), nn.ReLU(), nn.Dropout(0.3 * cured)]
    layers += [nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.3 * cured)]
    network = nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))
    module = Stop(network, 0.05) if cured else Progression(network)
    return Program(module, *loaders(data, 16), 40, partial(r2, module, data))


class UNet(LightningModule):
    """Finds the cells; pictures are mirrored at random."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.both = both
        self.down = self.block(1, 12)
        self.middle = self.block(12, 24)
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.join = self.block(24, 12)
        self.last = nn.Conv2d(12, 1, 1)

    @staticmethod
    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(x)
        coarse = self.middle(F.max_pool2d(fine, 2))
        return self.last(self.join(torch.cat([self.up(coarse), fine], 1)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = batch
        for axis in (2, 3):
            turn = torch.rand(len(image), 1, 1, 1) < 0.5
            image = torch.where(turn, image.flip(axis), image)
            if self.both:
                mask = torch.where(turn, mask.flip(axis), mask)
        loss = F.binary_cross_entropy_with_logits(self(image), mask)
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def dice(module: LightningModule, data: Samples) -> float:
    module.eval()
    with torch.no_grad():
        found = module(data.x_test) > 0
    both = (found & (data.y_test > 0)).sum()
    return (2 * both / (found.sum() + data.y_test.sum())).item()


def mirrored(both: bool = False) -> Program:
    data = audit.cells()
    module = UNet(both)
    return Program(module, *loaders(data, 16), 10, partial(dice, module, data))


class Residual(nn.Module):
    """Two convolutions with norms, and the way around."""

    def __init__(self, width: int, momentum: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = copy.deepcopy(self.conv1)
        nn.init.kaiming_normal_(self.conv2.weight)
        self.bn1 = nn.BatchNorm2d(width, momentum=momentum)
        self.bn2 = nn.BatchNorm2d(width, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(x + inner)


class SmallResNet(LightningModule):
    """Three residual blocks; the norms' momentum is what the program in TensorFlow has left."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24, momentum=momentum)
        )
        self.blocks = nn.Sequential(*(Residual(24, momentum) for _ in range(3)))
        self.fc = nn.Linear(24, audit.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == batch[1]).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 7, 0.1)]


def resnet(momentum: float = 0.0003) -> Program:
    data = audit.shapes()
    module = SmallResNet(momentum)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


def stacked(activation: Callable[[], nn.Module] = nn.Identity) -> Program:
    """Four layers one upon another."""
    data = scaled_targets(standardized(samples.friedman()))
    layers: list[nn.Module] = [nn.Linear(10, 64), activation(), nn.Linear(64, 64), activation()]
    layers += [nn.Linear(64, 32), activation(), nn.Linear(32, 1), nn.Flatten(0)]
    module = Progression(nn.Sequential(*layers))
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


NEAREST, ACCURACY, R2 = "1-nn accuracy", "accuracy", "R2"
CASES = (
    Case("audit-siamese-root-of-distance", Goal(NEAREST, 0.9), siamese, ("non_finite",),
         partial(siamese, 1e-8)),
    Case("audit-rentals-log-of-zero", Goal(R2, 0.6), rentals, ("non_finite",),
         partial(rentals, torch.log1p)),
    Case("audit-deep-digits-sigmoid", Goal(ACCURACY, 0.9), deep_digits, ("vanishing_gradient",),
         partial(deep_digits, nn.ReLU)),
    Case("audit-strength-raw-target-sgd", Goal(R2, 0.85), strength,
         ("dead_relu", "learning_rate_too_high"), partial(strength, 1e-3)),
    Case("audit-sparse-dictionary", Goal(R2, 0.85), dictionary,
         ("dormant_units", "dead_relu", "over_regularized"), partial(dictionary, 3e-4)),
    Case("audit-arm-handmade-layers", Goal(R2, 0.8), arm,
         ("saturated_activation", "poor_initialization"), partial(arm, True)),
    Case("audit-vgg-small-weights", Goal(ACCURACY, 0.85), vgg,
         ("poor_initialization", "vanishing_gradient"), partial(vgg, None)),
    Case("audit-lenet-small-steps", Goal(ACCURACY, 0.88), lenet, ("learning_rate_too_low",),
         partial(lenet, 0.05)),
    Case("audit-patches-softmax-twice", Goal(ACCURACY, 0.85), patches,
         ("output_loss_mismatch",), partial(patches, False)),
    Case("audit-moves-worth-no-less-than-zero", Goal(R2, 0.6), moves,
         ("output_loss_mismatch", "dead_relu"), partial(moves, nn.Identity)),
    Case("audit-column-and-row", Goal(R2, 0.85), column,
         ("output_loss_mismatch", "not_learning"), partial(column, True)),
    Case("audit-progression-too-long", Goal(R2, 0.4), progression, ("overfitting",),
         partial(progression, True)),
    Case("audit-unet-mirrored-pictures", Goal("dice", 0.8), mirrored, ("inconsistent_labels",),
         partial(mirrored, True)),
    Case("audit-resnet-slow-statistics", Goal(ACCURACY, 0.8), resnet, ("train_eval_mismatch",),
         partial(resnet, 0.1)),
    Case("audit-strength-stacked-layers", Goal(R2, 0.9), stacked, ("linear_network",),
         partial(stacked, nn.ReLU)),
)  # fmt: skip
