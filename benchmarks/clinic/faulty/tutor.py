"""Exercises of a course in deep learning: the network of a chapter, and one mistake in it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, tutor
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, found_finite, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

QUARTER = partial(nn.init.normal_, std=0.25)


class Siamese(LightningModule):
    """Two digits, the same or not, by the distance of their embeddings."""

    def __init__(self, eps: float, margin: float = 1.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.eps, self.margin = eps, margin
        self.embed = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 16),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.embed(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        left, right, same = batch
        distance = ((self(left) - self(right)).square().sum(1) + self.eps).sqrt()
        near = same * distance.square()
        far = (1 - same) * F.relu(self.margin - distance).square()
        loss = (near + far).mean()
        self.log("contrastive", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def neighbours(module: LightningModule, data: Samples) -> float:
    """Accuracy of the five nearest."""
    module.eval()
    with torch.no_grad():
        kept, asked = module(data.x), module(data.x_test)
    if not found_finite(asked):
        return 0.0
    nearest = torch.cdist(asked, kept).topk(5, largest=False).indices
    return (data.y[nearest].mode(1).values == data.y_test).float().mean().item()


def siamese_digits(eps: float = 0.0) -> Program:
    """Positive partners are drawn from all pictures of a digit: now and then the picture itself."""
    data = samples.digit_images()
    draw = torch.Generator().manual_seed(11)
    partners = []
    for label in data.y:
        alike = (data.y == label).float()
        chance = torch.stack([alike, 1 - alike])
        partners.append(torch.multinomial(chance, 1, generator=draw)[:, 0])
    same, other = torch.stack(partners, 1)
    rows = TensorDataset(
        data.x.repeat(2, 1, 1, 1), data.x[torch.cat([same, other])],
        torch.cat([torch.ones(len(same)), torch.zeros(len(other))]),
    )  # fmt: skip
    module = Siamese(eps)
    train = DataLoader(rows, 64, shuffle=True)
    return Program(module, train, None, 8, partial(neighbours, module, data))


class TideRNN(LightningModule):
    """The tide in three steps by a rectified recurrent layer."""

    def __init__(self, draw: Callable[[Tensor], Any], hidden: int = 64) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        draw(self.rnn.weight_hh_l0)
        self.head = nn.Linear(hidden, 1)

    def forward(self, window: Tensor) -> Tensor:
        return self.head(self.rnn(window)[0][:, -1]).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        window, target = batch
        loss = F.mse_loss(self(window), target)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def tide_rnn(draw: Callable[[Tensor], Any] = QUARTER) -> Program:
    data = tutor.tides()
    module = TideRNN(draw)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


def letter_loss(module: Any, text: Tensor) -> float:
    module.eval()
    with torch.no_grad():
        return float(module.loss(text))


class DeepMLP(LightningModule):
    """Seven layers, as long as it takes."""

    def __init__(self, act: Callable[[], nn.Module], depth: int = 6, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(64, width), act()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), act()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def deep_mlp(act: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = samples.digits()
    module = DeepMLP(act)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class TopicTagger(LightningModule):
    """Which topics a text is about, by the counts of its words."""

    def __init__(self, bias: float, width: int = 96) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(tutor.MARKS, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, tutor.TOPICS),
        )  # fmt: skip
        self.bias = bias
        self.net.apply(self.start_sparse)

    def start_sparse(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, self.bias)

    def forward(self, counts: Tensor) -> Tensor:
        return self.net(counts)  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.binary_cross_entropy_with_logits(self(batch["counts"]), batch["topics"])
        self.log("bce", loss, batch_size=len(batch["counts"]))
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.02)


def named(data: Samples, x: str, y: str) -> list[dict[str, Tensor]]:
    """Rows as dictionaries."""
    return [{x: a, y: b} for a, b in zip(data.x, data.y, strict=True)]


def f1(module: LightningModule, data: Samples) -> float:
    """Of all answers together."""
    module.eval()
    with torch.no_grad():
        said = module(data.x_test).reshape(data.y_test.shape) > 0
    right = (said * data.y_test).sum()
    return (2 * right / (said.sum() + data.y_test.sum())).item()


def topic_tagger(bias: float = -2.0) -> Program:
    data = tutor.topics()
    module = TopicTagger(bias)
    train = DataLoader(named(data, "counts", "topics"), 32, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, None, 10, partial(f1, module, data))


class RadialBasis(LightningModule):
    """A hidden layer of bells, and a linear one."""

    def __init__(self, centres: Tensor, width: float) -> None:
        super().__init__()
        self.bells = Bells(centres, width)
        self.out = nn.Linear(len(centres), 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.bells(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Bells(nn.Module):
    """One unit for what is near each centre."""

    centres: Tensor

    def __init__(self, centres: Tensor, width: float) -> None:
        super().__init__()
        self.register_buffer("centres", centres)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(x, self.centres).square() / (2 * self.width**2))


def radial_basis(from_rows: bool = False) -> Program:
    """Centres anywhere in a cube, as for two inputs; there are thirteen."""
    data = standardized(samples.wine())
    if from_rows:
        module = RadialBasis(data.x[torch.randperm(len(data.x))[:40]].clone(), 2.5)
    else:
        module = RadialBasis(6 * torch.rand(40, 13) - 3, 1.0)
    return Program(module, *loaders(data, 16), 30, partial(accuracy, module, data))


class ActionValues(LightningModule):
    """What each action is worth in a state; two layers of tanh."""

    def __init__(self, draw: Callable[[Tensor], Any], width: int = 128) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, width), nn.Linear(width, width)
        self.q = nn.Linear(width, 3)
        for layer in (self.fc1, self.fc2, self.q):
            draw(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, state: Tensor) -> Tensor:
        hidden = torch.tanh(self.fc2(torch.tanh(self.fc1(state))))
        return self.q(hidden)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, returns = batch
        loss = F.smooth_l1_loss(self(state), returns)
        self.log("td", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def action_values(draw: Callable[[Tensor], Any] = nn.init.normal_) -> Program:
    data = tutor.values()
    module = ActionValues(draw)
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class LeNet(LightningModule):
    """Two convolutions, two poolings and three dense layers; BatchNorm was not yet known."""

    def __init__(
        self, inputs: int, classes: int, lr: float, momentum: float = 0.9, softmax: bool = False
    ) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 16, 3, padding=1)
        self.fc1 = nn.Linear(16 * (inputs // 4) ** 2, 120)
        self.fc2, self.fc3 = nn.Linear(120, 84), nn.Linear(84, classes)
        self.last = nn.Softmax(1) if softmax else nn.Identity()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        return self.last(self.fc3(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        out = self(x)
        loss: Tensor = self.criterion(out, y)
        self.log("train_loss", loss)
        self.log("train_acc", (out.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("val_loss", self.criterion(out, y))
        self.log("val_acc", (out.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=self.momentum)


def folders_in_order(shuffle: bool = False) -> Program:
    """One folder per digit, read one after another."""
    data = samples.digit_images()
    order = data.y.argsort(stable=True)
    data = data._replace(x=data.x[order], y=data.y[order])
    module = LeNet(8, 10, lr=0.02)
    both = loaders(data, 32, shuffle=shuffle)
    return Program(module, *both, 12, partial(accuracy, module, data))


def softmax_twice(softmax: bool = True) -> Program:
    data = tutor.shapes()
    module = LeNet(16, 5, lr=0.05, softmax=softmax)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class TinyGPT(LightningModule):
    """Two blocks of causal attention over letters."""

    def __init__(self, lr: float, width: int = 48, length: int = 39) -> None:
        super().__init__()
        self.lr = lr
        self.letters = nn.Embedding(len(tutor.LETTERS), width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, len(tutor.LETTERS))

    def forward(self, text: Tensor) -> Tensor:
        length = text.shape[1]
        hidden = self.letters(text) + self.places[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        for block in self.blocks:
            hidden = block(hidden, src_mask=mask, is_causal=True)
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]

    def loss(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)


def tiny_gpt(lr: float = 0.1) -> Program:
    text, other = tutor.characters()
    module = TinyGPT(lr)
    train = DataLoader(TensorDataset(text), 32, shuffle=True)
    validation = DataLoader(TensorDataset(other), 200)
    return Program(module, train, validation, 5, partial(letter_loss, module, other))


class Block(nn.Module):
    """Two convolutions beside a way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.around: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.around = nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.around(x))


class ResNet(LightningModule):
    """Three blocks."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        self.blocks = nn.Sequential(Block(12, 12, 1), Block(12, 24, 2), Block(24, 32, 2))
        self.fc = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(F.relu(self.stem(x))).mean((2, 3)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log_dict({
            "val_loss": F.cross_entropy(logits, y),
            "val_acc": (logits.argmax(1) == y).float().mean(),
        })  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr: float = self.hparams["lr"]
        return torch.optim.SGD(self.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)


def resnet_crawls(lr: float = 1e-5) -> Program:
    data = tutor.shapes()
    module = ResNet(lr)
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class ToneConvs(LightningModule):
    """Which of four tones it is; each convolution has its BatchNorm."""

    def __init__(self, momentum: float, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(6):
            layers += [nn.Conv1d(width if k else 1, width, 5, padding=2, bias=False)]
            layers += [nn.BatchNorm1d(width, momentum=momentum), nn.ReLU()]
        self.convs, self.head = nn.Sequential(*layers), nn.Linear(width, 4)

    def forward(self, wave: Tensor) -> Tensor:
        return self.head(self.convs(wave.transpose(1, 2)).mean(2))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        wave, tone = batch
        loss = F.cross_entropy(self(wave), tone)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        wave, tone = batch
        logits = self(wave)
        self.log("val_loss", F.cross_entropy(logits, tone))
        self.log("val_acc", (logits.argmax(1) == tone).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tone_convs(momentum: float = 0.001) -> Program:
    """Keras calls 0.999 what is 0.001 here; the waves are in volts, about three."""
    data = tutor.tones()
    data = data.with_inputs(data.x + 3, data.x_test + 3)
    module = ToneConvs(momentum)
    return Program(module, *loaders(data, 32), 4, partial(accuracy, module, data))


class CancerNet(LightningModule):
    """Benign or not, by thirty measures of a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy_with_logits(self(x), y.float())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logit = self(x)
        self.log("val_loss", F.binary_cross_entropy_with_logits(logit, y.float()))
        self.log("val_acc", ((logit > 0) == (y > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def cancer_net(scale: bool = False) -> Program:
    """Areas of some thousands beside fractions."""
    data = standardized(samples.cancer()) if scale else samples.cancer()
    module = CancerNet()
    return Program(module, *loaders(data, 16), 15, partial(binary_accuracy, module, data))


CASES = (
    Case(
        "tutor-siamese-digits-own-partner", Goal("accuracy", at_least=0.9), siamese_digits,
        ("non_finite",), partial(siamese_digits, 1e-6),
    ),
    Case(
        "tutor-tides-drawn-by-hand", Goal("R2", at_least=0.75), tide_rnn,
        ("exploding_gradient", "poor_initialization"), partial(tide_rnn, nn.init.eye_),
    ),
    Case(
        "tutor-digits-six-sigmoids", Goal("accuracy", at_least=0.9), deep_mlp,
        ("vanishing_gradient", "not_learning"), partial(deep_mlp, nn.ReLU),
    ),
    Case(
        "tutor-topics-sparse-start", Goal("F1", at_least=0.6), topic_tagger,
        ("dead_relu", "poor_initialization"), partial(topic_tagger, 0.0),
    ),
    Case(
        "tutor-wine-radial-basis", Goal("accuracy", at_least=0.9), radial_basis,
        ("dormant_units", "poor_initialization", "not_learning"), partial(radial_basis, True),
    ),
    Case(
        "tutor-action-values-wide-tanh", Goal("R2", at_least=0.75), action_values,
        ("saturated_activation", "poor_initialization"),
        partial(action_values, nn.init.xavier_uniform_),
    ),
    Case(
        "tutor-digits-folder-by-folder", Goal("accuracy", at_least=0.9), folders_in_order,
        ("covariate_shift", "unstable_loss"), partial(folders_in_order, True),
    ),
    Case(
        "tutor-shapes-softmax-in-forward", Goal("accuracy", at_least=0.8), softmax_twice,
        ("output_loss_mismatch",), partial(softmax_twice, False),
    ),
    Case(
        "tutor-gpt-letters-large-steps", Goal("cross-entropy", at_most=2.3), tiny_gpt,
        ("learning_rate_too_high",), partial(tiny_gpt, 3e-3),
    ),
    Case(
        "tutor-resnet-shapes-small-steps", Goal("accuracy", at_least=0.75), resnet_crawls,
        ("learning_rate_too_low",), partial(resnet_crawls, 0.02),
    ),
    Case(
        "tutor-tones-keras-momentum", Goal("accuracy", at_least=0.9), tone_convs,
        ("train_eval_mismatch",), partial(tone_convs, 0.1),
    ),
    Case(
        "tutor-cancer-raw-measures", Goal("accuracy", at_least=0.93), cancer_net,
        ("unnormalized_input",), partial(cancer_net, True),
    ),
)  # fmt: skip
