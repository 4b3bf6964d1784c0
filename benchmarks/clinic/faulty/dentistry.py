"""A dental school's programs: records, radiographs and jaws, beside sets for practice."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import dentistry
from data_sets.samples import Samples, cancer, digit_images, loaders, standardized
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp
from programs import two_classes
from scores import accuracy, balanced_accuracy, binary_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler


class FocalLoss(nn.Module):
    """By hand, of probabilities; where p is 1 the root of 1 - p has no finite slope."""

    def __init__(self, gamma: float, eps: float) -> None:
        super().__init__()
        self.gamma, self.eps = gamma, eps

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        p = logits.sigmoid().clamp(self.eps, 1 - self.eps)
        pt = torch.where(target > 0.5, p, 1 - p)
        return -((1 - pt) ** self.gamma * pt.log()).mean()


def focal(eps: float) -> Program:
    """Some patients are far out, and told with a certainty of 1 in float32."""
    loss = FocalLoss(0.5, eps)
    return two_classes(
        standardized(cancer()), mlp([30, 64, 32, 1]), adam(3e-3), batch_size=16, epochs=25,
        loss_fn=loss,
    )  # fmt: skip


class Pairs(Dataset[dict[str, Tensor]]):
    """Each pair as a dictionary."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        pair = self.x[index]
        return {"before": pair[0], "after": pair[1], "same": self.y[index].float()}


class Siamese(LightningModule):
    """One encoder for both records, and a line over how far their codes are apart."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.encoder = mlp([32, *[64] * 8, 16], activation)
        self.head = nn.Linear(16, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        before, after = self.encoder(pairs).unbind(1)
        logits: Tensor = self.head((before - after).abs())
        return logits.squeeze(1)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        pairs = torch.stack([batch["before"], batch["after"]], 1)
        return F.binary_cross_entropy_with_logits(self(pairs), batch["same"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/bce", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val/bce", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def identification(activation: type[nn.Module]) -> Program:
    data, module = dentistry.pairs_of_records(), Siamese(activation)
    train = DataLoader(Pairs(data.x, data.y), 64, shuffle=True)
    test = DataLoader(Pairs(data.x_test, data.y_test), 256)
    return Program(module, train, test, 20, partial(binary_accuracy, module, data))


class Dense(nn.Module):
    """A layer by hand, as in a course that begins without ``nn.Linear``."""

    def __init__(self, inputs: int, units: int, scaled: bool) -> None:
        super().__init__()
        scale = inputs**-0.5 if scaled else 1.0
        self.w = nn.Parameter(scale * torch.randn(inputs, units))
        self.b = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w + self.b


class HandMadeRegression(LightningModule):
    """Three hidden layers of tanh."""

    def __init__(self, scaled: bool, width: int = 200) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [Dense(4, width, scaled), Dense(width, width, scaled), Dense(width, width, scaled)]
        )
        self.out = Dense(width, 1, True)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        found: Tensor = self.out(x)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.003, momentum=0.9)


def impedance(scaled: bool) -> Program:
    data, module = dentistry.impedance(), HandMadeRegression(scaled)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 30, partial(r2, module, data))


def double(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
    )  # fmt: skip


class UNet(LightningModule):
    """Two levels, and logits of the tooth's pixels."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.down, self.deep, self.up = double(1, 8), double(8, 16), double(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.down(image)
        coarse = F.interpolate(self.deep(F.max_pool2d(fine, 2)), scale_factor=2)
        logits: Tensor = self.out(self.up(torch.cat([fine, coarse], 1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union of the tooth's pixels, over all pictures."""
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def segmentation(lr: float) -> Program:
    data, module = dentistry.molars(), UNet(lr)
    return Program(module, *loaders(data, 16), 12, partial(overlap, module, data))


class JawRegression(LightningModule):
    """A trunk for three measures; every layer is drawn by ``init``."""

    def __init__(self, init: partial[Any]) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
        self.heads = nn.Linear(48, 3)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                init(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, jaw: Tensor) -> Tensor:
        found: Tensor = self.heads(self.trunk(jaw))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_huber", F.smooth_l1_loss(found, batch[1]))
        self.log("val_mae", (found - batch[1]).abs().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def jaws(init: partial[Any]) -> Program:
    data, module = dentistry.crowding(), JawRegression(init)
    return Program(module, *loaders(data, 50), 30, partial(r2, module, data))


def patches(balanced: bool) -> Program:
    """Six in a hundred patches show something, of three kinds."""
    data = dentistry.findings(1.0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(256, 4),
    )  # fmt: skip
    module = LitClassifier(network, partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.01))
    train, test = loaders(data, 128)
    if balanced:
        share = 1 / data.y.bincount().float()
        sampler = WeightedRandomSampler(share[data.y].tolist(), len(data.y))
        train = DataLoader(TensorDataset(data.x, data.y), 128, sampler=sampler)
    return Program(module, train, test, 10, partial(balanced_accuracy, module, data))


class RowReader(LightningModule):
    """A GRU over the rows of a picture."""

    def __init__(self, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(8, 64, batch_first=True)
        self.fc = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        _, state = self.gru(image.squeeze(1))
        logits: Tensor = self.fc(state[-1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        accurate = (logits.argmax(1) == batch[1]).float().mean()
        self.log_dict({"loss": loss, "acc": accurate}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=decay)


def row_reader(weight_decay: float) -> Program:
    data, module = digit_images(), RowReader(weight_decay)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(accuracy, module, data))


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "linear": nn.Identity}


def shells(activation: str) -> Program:
    """The activation is chosen by its name in a settings file."""
    data = dentistry.quantiles()
    network = mlp([6, 64, 64, 32, 4], ACTIVATIONS[activation], norm=nn.BatchNorm1d)
    module = LitClassifier(network, partial(torch.optim.Adagrad, lr=0.02))
    return Program(module, *loaders(data, 100), 40, partial(accuracy, module, data))


CASES = (
    Case(
        "cancer-root-of-sureness-focal", Goal("accuracy", at_least=0.93),
        partial(focal, 0.0), ("non_finite",), partial(focal, 1e-6),
    ),
    Case(
        "dental-records-met-behind-eight-sigmoids", Goal("accuracy", at_least=0.9),
        partial(identification, nn.Sigmoid), ("vanishing_gradient",),
        partial(identification, nn.SELU),
    ),
    Case(
        "impedance-three-own-layers-of-randn", Goal("R2", at_least=0.93),
        partial(impedance, False), ("saturated_activation", "poor_initialization"),
        partial(impedance, True),
    ),
    Case(
        "molars-outlined-by-small-plain-steps", Goal("IoU", at_least=0.8),
        partial(segmentation, 1e-4), ("learning_rate_too_low",), partial(segmentation, 0.1),
    ),
    Case(
        "jaws-trunk-and-heads-of-one-constant", Goal("R2", at_least=0.8),
        partial(jaws, partial(nn.init.constant_, val=0.05)), ("symmetric_weights",),
        partial(jaws, partial(nn.init.kaiming_uniform_, nonlinearity="relu")),
    ),
    Case(
        "radiograph-patches-nearly-all-sound", Goal("balanced accuracy", at_least=0.6),
        partial(patches, False), ("class_imbalance",), partial(patches, True),
    ),
    Case(
        "digit-rows-gru-decay-of-ten", Goal("accuracy", at_least=0.9),
        partial(row_reader, 10.0), ("over_regularized",), partial(row_reader, 0.01),
    ),
    Case(
        "shells-activation-named-linear", Goal("accuracy", at_least=0.75),
        partial(shells, "linear"), ("linear_network",), partial(shells, "relu"),
    ),
)  # fmt: skip
