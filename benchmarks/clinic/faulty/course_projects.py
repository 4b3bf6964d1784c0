"""Final projects with pictures that did not work out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import course_projects as projects
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, binary_accuracy, cross_entropy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class StickerVGG(LightningModule):
    """Pairs of 3x3 convolutions, as in the paper."""

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            *self.block(3, 12), *self.block(12, 24), nn.AdaptiveAvgPool2d(2), nn.Flatten()
        )
        self.classifier = nn.Sequential(nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 5))
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @staticmethod
    def block(before: int, after: int) -> list[nn.Module]:
        return [
            nn.Conv2d(before, after, 3, padding=1), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        ]  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log_dict({"train_loss": loss, "train_acc": (logits.argmax(1) == y).float().mean()})
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(
            self.parameters(), self.hparams["lr"], momentum=0.9, weight_decay=5e-4
        )


def bytes_of_stickers(normalize: bool = False) -> Program:
    """PIL's bytes, turned into floats and no more."""
    data = projects.normalized_stickers() if normalize else projects.stickers()
    module = StickerVGG()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class DenseBlock(nn.Module):
    """Each layer reads all before it."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(width + i * growth), nn.ReLU(),
                nn.Conv2d(width + i * growth, growth, 3, padding=1, bias=False),
            )
            for i in range(layers)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


class DenseDigits(LightningModule):
    """Two dense blocks and what lies between."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, bias=False), DenseBlock(12, 8, 3),
            nn.Conv2d(36, 18, 1), nn.AvgPool2d(2), DenseBlock(18, 8, 2),
            nn.BatchNorm2d(34), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(34, 10),
        )  # fmt: skip
        self.criterion = criterion

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)]


def dense_digits(criterion: type[nn.Module] = nn.NLLLoss) -> Program:
    """The loss of an example whose network had ended in a LogSoftmax."""
    data = digit_images()
    module = DenseDigits(criterion())
    train, _ = loaders(data, 32)
    return Program(module, train, None, 5, partial(cross_entropy, module, data))


class PlainSigmoids(LightningModule):
    """Eight convolutions with the activation of LeCun's time."""

    def __init__(self, activation: Callable[[], nn.Module], depth: int = 8) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, stride=2, padding=1), activation()]
        for _ in range(depth - 1):
            layers += [nn.Conv2d(16, 16, 3, padding=1), activation()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).flatten(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=4)
        return {"optimizer": optimizer, "lr_scheduler": plateau, "monitor": "val_loss"}


def plain_sigmoids(activation: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = digit_images()
    module = PlainSigmoids(activation)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class Student(LightningModule):
    """A small network that copies what a large one said."""

    def __init__(self, temperature: float = 3.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10),
        )  # fmt: skip
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, said = batch
        t = self.temperature
        soft = F.softmax(said / t, 1)
        loss = t**2 * F.kl_div(F.log_softmax(self(x) / t, 1), soft, reduction="batchmean")
        self.log("distillation", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def teacher(data: Samples) -> nn.Module:
    """A network trained before."""
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(60):
        rows = torch.randint(len(data.x), (128,))
        optimizer.zero_grad()
        F.cross_entropy(net(data.x[rows]), data.y[rows]).backward()
        optimizer.step()
    return net.eval()


def student(shuffled: bool = True) -> Program:
    """What the teacher said was kept in the order of a loader, which may have shuffled."""
    data = digit_images()
    net = teacher(data)
    with torch.no_grad():
        pictures = DataLoader(TensorDataset(data.x), 128, shuffle=shuffled)
        said = torch.cat([net(x) for (x,) in pictures])
    train = DataLoader(TensorDataset(data.x, said), 32, shuffle=True)
    module = Student()
    return Program(module, train, None, 8, partial(accuracy, module, data))


class Siamese(LightningModule):
    """One tower for two digits; a contrastive loss on how far apart they land."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 16),
        )  # fmt: skip
        self.epsilon = epsilon

    def distance(self, pair: Tensor) -> Tensor:
        a, b = self.tower(pair[:, 0]), self.tower(pair[:, 1])
        far: Tensor = torch.sqrt((a - b).square().sum(1) + self.epsilon)
        return far

    def forward(self, pair: Tensor) -> Tensor:
        return 0.5 - self.distance(pair)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        pair, same = batch
        far = self.distance(pair)
        loss = (same * far.square() + (1 - same) * F.relu(1 - far).square()).mean()
        self.log("contrastive", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def siamese(epsilon: float = 0.0) -> Program:
    """Some digits are paired with themselves."""
    data = projects.digit_pairs()
    module = Siamese(epsilon)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 6, partial(binary_accuracy, module, data))


class CrackFinder(LightningModule):
    """Depthwise and pointwise convolutions, as in MobileNet."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.body = nn.Sequential(self.separable(16, 24, 2), self.separable(24, 32, 2))
        self.head = nn.Linear(32, 2)
        self.criterion = nn.CrossEntropyLoss(weight)

    @staticmethod
    def separable(before: int, after: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False),
            nn.BatchNorm2d(before), nn.ReLU6(),
            nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU6(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(self.stem(x)).mean((2, 3)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss: Tensor = self.criterion(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.criterion(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-3)


def cracks(weighted: bool = False) -> Program:
    data = projects.tiles()
    weight = torch.tensor([0.53, 10.0]) if weighted else None
    module = CrackFinder(weight)
    return Program(module, *loaders(data, 32), 8, partial(balanced_accuracy, module, data))


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class SmallResNet(LightningModule):
    """A stem, some residual blocks, a mean over places."""

    def __init__(self, lr: float, blocks: int = 2) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            Residual(16), nn.MaxPool2d(2), *(Residual(16) for _ in range(blocks - 1)),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
        )  # fmt: skip
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9, weight_decay=1e-4)


def small_resnet(lr: float = 1e-4) -> Program:
    """The rate of an earlier project, which had used Adam."""
    data = digit_images()
    module = SmallResNet(lr)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class Sheets(LightningModule):
    """LeNet-5 on few pages that were labelled by hand."""

    def __init__(self, patience: int | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(768, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        )  # fmt: skip
        self.patience = patience

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_callbacks(self) -> Any:
        return [EarlyStopping("val_loss", patience=self.patience)] if self.patience else []

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sheets(patience: int | None = None) -> Program:
    data = digit_images().first(120)
    noise = torch.Generator().manual_seed(77)
    data = data.with_inputs(
        data.x + 0.35 * torch.randn(data.x.shape, generator=noise),
        data.x_test + 0.35 * torch.randn(data.x_test.shape, generator=noise),
    )
    module = Sheets(patience)
    return Program(module, *loaders(data, 16), 50, partial(cross_entropy, module, data))


class ConstantStart(LightningModule):
    """A LeNet whose weights are set by a function from a forum."""

    def __init__(self, constant: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
        self.constant = constant
        self.apply(self.start)

    def start(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if self.constant:
                nn.init.constant_(layer.weight, 0.05)
            else:
                nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def constant_start(constant: bool = True) -> Program:
    data = digit_images()
    module = ConstantStart(constant)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(accuracy, module, data))


class DigitVAE(LightningModule):
    """Four numbers for each digit."""

    def __init__(self, summed: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 96), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(96, 4), nn.Linear(96, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 96), nn.ReLU(), nn.Linear(96, 64))
        self.summed = summed

    def forward(self, x: Tensor) -> Tensor:
        pixels: Tensor = self.decoder(self.mean(self.encoder(x))).sigmoid()
        return pixels

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x = batch[0]
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        found = F.binary_cross_entropy_with_logits(
            self.decoder(code), x.flatten(1), reduction="none"
        )
        reconstruction = found.sum(1).mean() if self.summed else found.mean()
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        self.log_dict({"reconstruction": reconstruction, "kl": kl})
        return reconstruction + kl

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def explained(module: LightningModule, data: Samples) -> float:
    """Share of the pixels' variance."""
    x = data.x_test.flatten(1)
    error = (outputs(module, data.x_test) - x).square().mean()
    return (1 - error / (x - x.mean(0)).square().mean()).item()


def digit_vae(summed: bool = False) -> Program:
    """A mean over the pixels beside a sum over the code."""
    data = digit_images()
    module = DigitVAE(summed)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(explained, module, data))


class TwoHeads(LightningModule):
    """What a sticker shows, and the colour of its light; each part with a rate of its own."""

    def __init__(self, everything: bool) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.form = nn.Sequential(nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 5))
        self.light = nn.Sequential(nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 3))
        self.everything = everything

    def forward(self, x: Tensor) -> Tensor:
        form: Tensor = self.form(self.backbone(x))
        return form

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, form, light = batch
        seen = self.backbone(x)
        first = F.cross_entropy(self.form(seen), form)
        second = F.mse_loss(self.light(seen), light)
        self.log_dict({"loss/form": first, "loss/light": second})
        return first + 0.5 * second

    def configure_optimizers(self) -> Any:
        groups = [
            {"params": self.form.parameters(), "lr": 2e-3},
            {"params": self.light.parameters(), "lr": 5e-3},
        ]
        if self.everything:
            groups.append({"params": self.backbone.parameters(), "lr": 2e-3})
        return torch.optim.AdamW(groups, weight_decay=1e-4)


def two_heads(everything: bool = False) -> Program:
    """The groups were made for the heads, and the rest was to follow."""
    data = projects.normalized_stickers()
    module = TwoHeads(everything)
    rows = TensorDataset(data.x, data.y, 1.4 * data.x.mean((2, 3)))
    train = DataLoader(rows, 32, shuffle=True)
    return Program(module, train, None, 12, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.9)
CASES = (
    Case(
        "stickers-vgg-from-files", Goal("accuracy", at_least=0.85), bytes_of_stickers,
        ("unnormalized_input", "dead_relu"), partial(bytes_of_stickers, True),
    ),
    Case(
        "digit-images-densely-connected", Goal("cross-entropy", at_most=0.35), dense_digits,
        ("output_loss_mismatch",), partial(dense_digits, nn.CrossEntropyLoss),
    ),
    Case(
        "digit-images-in-the-style-of-1989", Goal("accuracy", at_least=0.75), plain_sigmoids,
        ("vanishing_gradient", "not_learning"), partial(plain_sigmoids, nn.ReLU),
    ),
    Case(
        "digit-images-student-of-a-teacher", DIGITS, student,
        ("inconsistent_labels", "not_learning"), partial(student, False),
    ),
    Case(
        "digit-pairs-two-towers", Goal("accuracy", at_least=0.85), siamese,
        ("non_finite",), partial(siamese, 1e-6),
    ),
    Case(
        "tiles-with-few-cracks", Goal("balanced accuracy", at_least=0.7), cracks,
        ("class_imbalance",), partial(cracks, True),
    ),
    Case(
        "digit-images-small-resnet", DIGITS, small_resnet,
        ("learning_rate_too_low",), partial(small_resnet, 0.03),
    ),
    Case(
        "digit-images-from-few-sheets", Goal("cross-entropy", at_most=1.4), sheets,
        ("overfitting",), partial(sheets, 3),
    ),
    Case(
        "digit-images-weights-by-apply", DIGITS, constant_start,
        ("symmetric_weights", "poor_initialization"), partial(constant_start, False),
    ),
    Case(
        "digit-images-four-latent-numbers", Goal("R2", at_least=0.35), digit_vae,
        ("over_regularized", "not_learning"), partial(digit_vae, True),
    ),
    Case(
        "stickers-form-and-light", Goal("accuracy", at_least=0.85), two_heads,
        ("frozen_parameter",), partial(two_heads, True),
    ),
)  # fmt: skip
