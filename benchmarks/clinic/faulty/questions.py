"""Code that is asked about: tutorials that were copied, each with one mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import questions
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class QNetwork(LightningModule):
    """Values of four steps on a board; its copy for the targets is renewed every 50 steps."""

    def __init__(self, softmax: bool, gamma: float = 0.95) -> None:
        super().__init__()
        last = [nn.Softmax(dim=-1)] if softmax else []
        self.policy_net = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 4), *last)
        self.target_net = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 4), *last)
        self.target_net.load_state_dict(self.policy_net.state_dict())
        self.target_net.requires_grad_(False)
        self.gamma = gamma

    def forward(self, state: Tensor) -> Tensor:
        values: Tensor = self.policy_net(F.one_hot(state, 36).float())
        return values

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        state, action, reward, following, done = batch
        if self.global_step % 50 == 0:
            self.target_net.load_state_dict(self.policy_net.state_dict())
        value = self(state).gather(1, action[:, None]).squeeze(1)
        with torch.no_grad():
            best = self.target_net(F.one_hot(following, 36).float()).max(1).values
        loss = F.smooth_l1_loss(value, reward + self.gamma * (1 - done) * best)
        self.log("td_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.policy_net.parameters(), lr=3e-3, amsgrad=True)


def arrivals(module: LightningModule) -> float:
    """Share of the cells from which the best steps lead to the goal in time."""
    best = outputs(module, torch.arange(36)).argmax(1)
    state = torch.arange(questions.GOAL)
    for _ in range(10):
        state = torch.where(state == questions.GOAL, state, questions.walked(state, best[state]))
    return (state == questions.GOAL).float().mean().item()


def board(softmax: bool) -> Program:
    """The last layer is still that of the network for REINFORCE."""
    module = QNetwork(softmax)
    memory = DataLoader(TensorDataset(*questions.moves()), 64, shuffle=True)
    return Program(module, memory, None, 20, partial(arrivals, module))


class Factors(LightningModule):
    """Vectors and biases of users and films, whose product is added to the mean."""

    def __init__(self, mean: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.user_factors, self.item_factors = nn.Embedding(300, 8), nn.Embedding(200, 8)
        self.user_bias, self.item_bias = nn.Embedding(300, 1), nn.Embedding(200, 1)
        for table in (self.user_factors, self.item_factors):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, pair: Tensor) -> Tensor:
        user, item = pair.unbind(1)
        product = (self.user_factors(user) * self.item_factors(item)).sum(1)
        biases = self.user_bias(user) + self.item_bias(item)
        found: Tensor = self.hparams["mean"] + biases.squeeze(1) + product
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_rmse", loss.sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=decay)


def films(weight_decay: float) -> Program:
    """The 0.02 is what another library takes for each rating, not for a mean over a batch."""
    data = questions.films()
    module = Factors(data.y.mean().item(), weight_decay)
    return Program(module, *loaders(data, 128), 10, partial(r2, module, data))


class Tagger(LightningModule):
    """Twelve tags of a picture at once."""

    def __init__(self, pos_weight: Tensor | None = None) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(40, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 12)
        )
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss: Tensor = self.criterion(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", ((logits > 0) == (y > 0.5)).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, y))
        self.log("val_acc", ((logits > 0) == (y > 0.5)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def f1(module: LightningModule, data: Samples) -> float:
    """Mean over the tags."""
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    both = (found & true).sum(0)
    return (2 * both / (found.sum(0) + true.sum(0)).clamp(min=1)).mean().item()


def tags(weighted: bool) -> Program:
    data = questions.tagged()
    share = data.y.mean(0)
    module = Tagger(((1 - share) / share).sqrt() if weighted else None)
    return Program(module, *loaders(data, 64), 12, partial(f1, module, data))


class TransformerModel(LightningModule):
    """The language model of a tutorial, which was written for plain descent at a rate of 5."""

    def __init__(self, ntoken: int, optimizer: str, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding, self.position = nn.Embedding(ntoken, 48), nn.Embedding(64, 48)
        layer = nn.TransformerEncoderLayer(48, 2, 96, 0.1, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.linear = nn.Linear(48, ntoken)
        self.embedding.weight.data.uniform_(-0.1, 0.1)
        self.linear.weight.data.uniform_(-0.1, 0.1)
        self.linear.bias.data.zero_()

    def forward(self, src: Tensor) -> Tensor:
        length = src.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.embedding(src) * 48**0.5 + self.position(torch.arange(length))
        logits: Tensor = self.linear(self.transformer_encoder(x, mask, is_causal=True))
        return logits

    def loss(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = self.loss(batch[0])
        self.log("val_loss", loss)
        self.log("val_ppl", loss.exp(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        kind = getattr(torch.optim, self.hparams["optimizer"])
        optimizer = kind(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.95)]


def sentences(optimizer: str, lr: float) -> Program:
    text, text_test, entropy = questions.chain()
    module = TransformerModel(40, optimizer, lr)

    def above_entropy() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(text_test).item() - entropy

    train = DataLoader(TensorDataset(text), 20, shuffle=True)
    test = DataLoader(TensorDataset(text_test), 100)
    return Program(module, train, test, 8, above_entropy, {"gradient_clip_val": 0.5})


class GatedLayer(nn.Module):
    """A dilated convolution behind a gate, and what was there before it if it is residual."""

    def __init__(self, channels: int, dilation: int, residual: bool) -> None:
        super().__init__()
        arguments: dict[str, Any] = {"padding": dilation, "dilation": dilation}
        self.filter = nn.Conv1d(channels, channels, 3, **arguments)
        self.gate = nn.Conv1d(channels, channels, 3, **arguments)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        return x + out if self.residual else out


class WaveNetClassifier(LightningModule):
    """Three stacks of four gated convolutions, and the mean over time."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 16, 1)
        self.layers = nn.Sequential(
            *(GatedLayer(16, 2**i, residual) for _ in range(3) for i in range(4))
        )
        self.fc = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.layers(self.first(x)).mean(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def wave_net(residual: bool) -> Program:
    data, module = questions.chirps(), WaveNetClassifier(residual)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Recordings(Dataset[tuple[Tensor, str]]):
    """Spectrograms and the names of the birds."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.names = x, [questions.BIRDS[i] for i in y.tolist()]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        return self.x[index], self.names[index]


def collated(fixed: bool, batch: list[tuple[Tensor, str]]) -> tuple[Tensor, Tensor]:
    """The number of a name is its place among all names, or among those of the batch."""
    pictures, names = zip(*batch, strict=True)
    known = sorted(questions.BIRDS) if fixed else sorted(set(names))
    return torch.stack(pictures), torch.tensor([known.index(name) for name in names])


class BirdNet(LightningModule):
    """Two convolutions and two layers, of the tutorial on small pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(32 * 3 * 4, 64), nn.Linear(64, len(questions.BIRDS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        logits: Tensor = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        inputs, labels = batch
        loss = F.cross_entropy(self(inputs), labels)
        self.log("running_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        inputs, labels = batch
        found = self(inputs)
        self.log("val_loss", F.cross_entropy(found, labels))
        self.log("val_acc", (found.argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def birds(fixed: bool) -> Program:
    data, module = questions.birds(), BirdNet()
    arguments: dict[str, Any] = {"batch_size": 16, "collate_fn": partial(collated, fixed)}
    train = DataLoader(Recordings(data.x, data.y), shuffle=True, **arguments)
    test = DataLoader(Recordings(data.x_test, data.y_test), **arguments)
    return Program(module, train, test, 10, partial(accuracy, module, data))


class ActivityNet(LightningModule):
    """Two convolutions and a wide layer, as for pictures of a hundred times the rows."""

    def __init__(self, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv1d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(64 * 12, 256), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(256, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log_dict(
            {"train_loss": loss, "train_acc": (logits.argmax(1) == y).float().mean()},
            on_step=False, on_epoch=True,
        )  # fmt: skip
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log_dict(
            {"val_loss": F.cross_entropy(logits, y),
             "val_acc": (logits.argmax(1) == y).float().mean()},
        )  # fmt: skip

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=decay)


def activities(epochs: int, dropout: float, weight_decay: float) -> Program:
    data = questions.movements(1.0)
    module = ActivityNet(dropout, weight_decay)

    def entropy() -> float:
        return F.cross_entropy(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data.first(300), 16), epochs, entropy)


class CutPoints(LightningModule):
    """Columns become 0 or 1 by limits that are to be learnt, and a linear layer follows."""

    def __init__(self, hard: bool, sharpness: float = 8.0) -> None:
        super().__init__()
        self.cuts = nn.Parameter(torch.zeros(8))
        self.linear = nn.Linear(8, 1)
        self.hard, self.sharpness = hard, sharpness

    def forward(self, x: Tensor) -> Tensor:
        if self.hard:
            above = (x > self.cuts).float()
        else:
            above = torch.sigmoid(self.sharpness * (x - self.cuts))
        out: Tensor = self.linear(above)
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train/mse", loss)
        self.log("first_cut", self.cuts[0])
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.05)


def cut_points(hard: bool) -> Program:
    data, module = questions.limits(), CutPoints(hard)
    return Program(module, *loaders(data, 50), 25, partial(r2, module, data))


CASES = (
    Case(
        "asked-action-values-behind-softmax", Goal("cells that lead to goal", at_least=0.95),
        partial(board, True), ("output_loss_mismatch",), partial(board, False),
    ),
    Case(
        "asked-factors-decayed-as-elsewhere", Goal("R2", at_least=0.5), partial(films, 0.02),
        ("over_regularized",), partial(films, 1e-4),
    ),
    Case(
        "asked-tags-accurate-but-never-on", Goal("mean F1", at_least=0.15), partial(tags, False),
        ("class_imbalance",), partial(tags, True),
    ),
    Case(
        "asked-transformer-adam-for-descent", Goal("nats above entropy", at_most=0.3),
        partial(sentences, "Adam", 5.0), ("learning_rate_too_high", "unstable_loss"),
        partial(sentences, "Adam", 3e-3),
    ),
    Case(
        "asked-wave-net-sum-left-out", Goal("accuracy", at_least=0.9), partial(wave_net, False),
        ("vanishing_gradient", "poor_initialization"), partial(wave_net, True),
    ),
    Case(
        "asked-birds-encoded-batch-by-batch", Goal("accuracy", at_least=0.85),
        partial(birds, False), ("inconsistent_labels",), partial(birds, True),
    ),
    Case(
        "asked-watches-loss-rises-again", Goal("cross-entropy", at_most=1.35),
        partial(activities, 45, 0.0, 0.0), ("overfitting",), partial(activities, 20, 0.5, 0.05),
    ),
    Case(
        "asked-limits-stay-at-zero", Goal("R2", at_least=0.7), partial(cut_points, True),
        ("frozen_parameter",), partial(cut_points, False),
    ),
)  # fmt: skip
