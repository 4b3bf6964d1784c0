"""A third examiner's faults: in losses, in layers and in their first weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.examiner_third import levels, mixed_up_rings, notes, polynomial
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class TumourNet(LightningModule):
    """Writes its cross-entropy out; the logarithms may meet a zero."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.fc1, self.fc2 = nn.Linear(30, 32), nn.Linear(32, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        return torch.sigmoid(self.out(x)).squeeze(1)

    def bce(self, p: Tensor, y: Tensor) -> Tensor:
        first, second = torch.log(p + self.eps), torch.log(1 - p + self.eps)
        return -(y * first + (1 - y) * second).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.bce(self(x), y.float())
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tumours(eps: float = 0.0) -> Program:
    data = standardized(samples.cancer())
    module = TumourNet(eps)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 40, partial(binary_accuracy, module, data, 0.5))


class OwnCell(LightningModule):
    """A recurrent cell by hand, its matrix drawn by randn."""

    def __init__(self, width: int, std: float) -> None:
        super().__init__()
        self.w_in = nn.Parameter(0.1 * torch.randn(2, width))
        self.w_rec = nn.Parameter(std * torch.randn(width, width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.read = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), len(self.bias))
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ self.w_in + h @ self.w_rec + self.bias)
        out: Tensor = self.read(h)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def tank(std: float = 0.3) -> Program:
    module, data = OwnCell(64, std), levels()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Logistic(LightningModule):
    """Six hidden layers of one kind, then ten numbers."""

    def __init__(self, activation: Callable[[], nn.Module], depth: int = 6) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(64, 64), activation()]
        for _ in range(depth - 1):
            layers += [nn.Linear(64, 64), activation()]
        self.model = nn.Sequential(*layers, nn.Linear(64, 10))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        pixels, digit = batch
        return {"loss": self.loss(self(pixels), digit)}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pixels, digit = batch
        self.log("val_loss", self.loss(self(pixels), digit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def six_layers(activation: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    module, data = Logistic(activation), samples.digits()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class OwnUniform(LightningModule):
    """Convolutions whose weights are drawn by hand, evenly between two bounds."""

    def __init__(self, shifted: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, 10)
        for layer in (self.conv1, self.conv2, self.fc1, self.fc2):
            w = layer.weight
            bound = (6 / w[0].numel()) ** 0.5
            drawn = torch.rand(w.shape)
            w.data = (drawn - 1) * 2 * bound if shifted else (drawn * 2 - 1) * bound
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        x = F.relu(self.fc1(F.max_pool2d(x, 2).flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.01)


def own_uniform(shifted: bool = True) -> Program:
    module, data = OwnUniform(shifted), samples.digit_images()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Narrow(LightningModule):
    """Many layers of few units, He's weights."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        sizes = [5] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.head = nn.Linear(width, 2)
        for layer in self.hidden:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = F.relu(layer(x))
        logits: Tensor = self.head(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        self.log("train_acc", (logits.argmax(1) == y).float().mean())
        return F.cross_entropy(logits, y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def narrow(width: int = 3, depth: int = 14) -> Program:
    module, data = Narrow(width, depth), mixed_up_rings()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 15, partial(accuracy, module, data))


class SmoothNet(LightningModule):
    """Three hidden layers of GELUs under SGD with momentum."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(
            nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(),
            nn.Linear(128, 64), nn.GELU(),
        )  # fmt: skip
        self.classifier = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.body(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("loss/val", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def smooth(lr: float = 0.22) -> Program:
    data = samples.digits()
    module = SmoothNet(lr)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class TanhFit(LightningModule):
    """Draws its weights by normal_ without saying how wide."""

    def __init__(self, init: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(10, 64), nn.Linear(64, 64)
        self.l3, self.out = nn.Linear(64, 64), nn.Linear(64, 1)
        self.act = nn.Tanh()
        for layer in (self.l1, self.l2, self.l3):
            init(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.l1(x))
        h = self.act(self.l2(h))
        h = self.act(self.l3(h))
        out: Tensor = self.out(h)
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.8)


def tanh_fit(init: Callable[[Tensor], Any] = nn.init.normal_) -> Program:
    data = scaled_targets(standardized(samples.friedman()))
    module = TanhFit(init)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class Bag(Dataset[dict[str, Tensor]]):
    """Notes as a tokenizer gives them."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"ids": self.x[i], "padding": self.x[i] == 0, "label": self.y[i]}


class NoteTagger(LightningModule):
    """The mean of the embeddings that a mask leaves, and two layers."""

    def __init__(self, keep_padding: bool) -> None:
        super().__init__()
        self.keep_padding = keep_padding
        self.embed = nn.Embedding(60, 32)
        self.mlp = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))

    def forward(self, ids: Tensor, padding: Tensor | None = None) -> Tensor:
        padding = ids == 0 if padding is None else padding
        mask = (padding if self.keep_padding else ~padding)[..., None].float()
        pooled = (self.embed(ids) * mask).sum(1) / mask.sum(1).clamp(min=1)
        logits: Tensor = self.mlp(pooled)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["ids"], batch["padding"])
        loss = F.cross_entropy(logits, batch["label"])
        self.log("train_loss", loss, batch_size=len(logits))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["ids"], batch["padding"])
        self.log("val_loss", F.cross_entropy(logits, batch["label"]), batch_size=len(logits))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def note_tagger(keep_padding: bool = True) -> Program:
    module, data = NoteTagger(keep_padding), notes()
    train = DataLoader(Bag(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Bag(data.x_test, data.y_test), 128)
    return Program(module, train, test, 15, partial(accuracy, module, data))


class SmallVgg(LightningModule):
    """Five convolutions and two dense layers, drawn as those of 2012 were."""

    def __init__(self, std: float | None) -> None:
        super().__init__()
        channels = [1, 16, 16, 32, 32, 32]
        blocks: list[nn.Module] = []
        for i in range(5):
            blocks += [nn.Conv2d(channels[i], channels[i + 1], 3, padding=1), nn.LeakyReLU(0.1)]
            if i in (1, 3):
                blocks.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Linear(128, 64), nn.LeakyReLU(0.1), nn.Linear(64, 10))
        for m in self.modules():
            if isinstance(m, nn.Conv2d | nn.Linear):
                if std is None:
                    nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                else:
                    nn.init.normal_(m.weight, 0, std)
                nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def small_vgg(std: float | None = 0.01) -> Program:
    module, data = SmallVgg(std), samples.digit_images()
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(accuracy, module, data))


TENTHS = partial(nn.init.constant_, val=0.1)


class WaveGru(LightningModule):
    """A GRU whose weights a loop over all parameters sets."""

    def __init__(self, init: Callable[[Tensor], Any] | None) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 32, batch_first=True)
        self.head = nn.Linear(32, 4)
        if init is not None:
            for p in self.parameters():
                init(p)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        logits: Tensor = self.head(states.mean(1) + states[:, -1])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def wave_gru(init: Callable[[Tensor], Any] | None = TENTHS) -> Program:
    module, data = WaveGru(init), samples.waves()
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class Surface(LightningModule):
    """Has an activation, which its forward may not call."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 64), nn.Linear(64, 64)
        self.fc3, self.relu = nn.Linear(64, 1), nn.ReLU()
        self.used = used

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        x = self.fc2(self.relu(x) if self.used else x)
        out: Tensor = self.fc3(self.relu(x) if self.used else x)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.smooth_l1_loss(self(x), y)
        self.log("huber", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_huber", F.smooth_l1_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def surface(used: bool = False) -> Program:
    module, data = Surface(used), polynomial()
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


@dataclass
class Scan:
    """A row of a table of tumours and its class."""

    features: Tensor
    malignant: Tensor


def collate(rows: list[tuple[Tensor, Tensor]]) -> Scan:
    return Scan(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class Screening(LightningModule):
    """Its last sigmoid stands before a loss that has one of its own."""

    def __init__(self, squash: bool) -> None:
        super().__init__()
        layers = [nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1)]
        self.net = nn.Sequential(*layers, *([nn.Sigmoid()] if squash else []))
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(1)

    def training_step(self, batch: Scan, batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch.features), batch.malignant.float())
        self.log("train_loss", loss, batch_size=len(batch.features))
        return loss

    def validation_step(self, batch: Scan, batch_idx: int) -> None:
        probability = torch.sigmoid(self(batch.features))
        right = (probability > 0.5) == (batch.malignant > 0)
        self.log("val_acc", right.float().mean(), batch_size=len(right))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def screening(squash: bool = True) -> Program:
    data = standardized(samples.cancer())
    module = Screening(squash)
    train, test = loaders(data, 16, collate_fn=collate)
    test = DataLoader(test.dataset, 64, collate_fn=collate)
    return Program(module, train, test, 25, partial(binary_accuracy, module, data))


CASES: tuple[Case, ...] = (
    Case(
        "tumours-entropy-by-hand", Goal("accuracy", at_least=0.93), tumours, ("non_finite",),
        partial(tumours, 1e-6),
    ),
    Case(
        "tank-levels-by-own-cell", Goal("R2", at_least=0.9), tank,
        ("exploding_gradient", "poor_initialization"), partial(tank, 0.1),
    ),
    Case(
        "digits-six-layers-of-64", Goal("accuracy", at_least=0.9), six_layers,
        ("vanishing_gradient", "not_learning"), partial(six_layers, nn.Tanh),
    ),
    Case(
        "digit-images-uniform-by-hand", Goal("accuracy", at_least=0.9), own_uniform,
        ("dead_relu", "poor_initialization"), partial(own_uniform, False),
    ),
    Case(
        "rings-fourteen-layers-of-three", Goal("accuracy", at_least=0.9), narrow,
        ("dead_relu", "vanishing_gradient"), partial(narrow, 32, 3),
    ),
    Case(
        "digits-three-gelu-layers", Goal("accuracy", at_least=0.9), smooth,
        ("dormant_units", "learning_rate_too_high", "dead_relu"), partial(smooth, 0.02),
    ),
    Case(
        "friedman-hidden-drawn-by-normal", Goal("R2", at_least=0.75), tanh_fit,
        ("saturated_activation", "poor_initialization"), partial(tanh_fit, nn.init.xavier_normal_),
    ),
    Case(
        "notes-mean-of-embeddings", Goal("accuracy", at_least=0.85), note_tagger,
        ("not_learning", "inconsistent_labels"), partial(note_tagger, False),
    ),
    Case(
        "digit-images-drawn-as-in-2012", Goal("accuracy", at_least=0.9), small_vgg,
        ("poor_initialization", "vanishing_gradient", "not_learning"), partial(small_vgg, None),
    ),
    Case(
        "waves-gru-own-start", Goal("accuracy", at_least=0.85), wave_gru,
        ("symmetric_weights", "poor_initialization"), partial(wave_gru, None),
    ),
    Case(
        "surface-of-three-inputs", Goal("R2", at_least=0.85), surface, ("linear_network",),
        partial(surface, True),
    ),
    Case(
        "screening-rows-of-dataclasses", Goal("accuracy", at_least=0.92), screening,
        ("output_loss_mismatch",), partial(screening, False),
    ),
)  # fmt: skip
