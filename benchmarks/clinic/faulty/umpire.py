"""What an umpire would try a tool with: the faults that people meet, in short modules."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, umpire
from data_sets.samples import loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class SiameseDigits(LightningModule):
    """Two digits of a kind are near each other, two of different kinds a margin apart."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 16),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.encoder(x)
        return code

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        other = torch.randint(len(x), (len(x),))
        a, b = self(x), self(x[other])
        distance = ((a - b).square().sum(1) + self.epsilon).sqrt()
        same = (y == y[other]).float()
        loss = same * distance.square() + (1 - same) * F.relu(2 - distance).square()
        self.log("contrastive", loss.mean())
        return loss.mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def by_neighbours(module: LightningModule, data: samples.Samples) -> float:
    """How many are of the kind of most of the five nearest codes."""
    module.eval()
    with torch.no_grad():
        known, asked = module(data.x), module(data.x_test)
    if not (known.isfinite().all() and asked.isfinite().all()):
        return 0.0
    votes = data.y[torch.cdist(asked, known).topk(5, largest=False).indices]
    return (votes.mode(1).values == data.y_test).float().mean().item()


def siamese_digits(epsilon: float = 0.0) -> Program:
    """Now and then a digit is paired with itself, and the root's slope at 0 is infinite."""
    data = samples.digit_images()
    module = SiameseDigits(epsilon)
    train, _ = loaders(data, 48)
    return Program(module, train, None, 10, partial(by_neighbours, module, data))


class Residual(nn.Module):
    """Adds what two layers find."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        for layer in (self.up, self.down):
            nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.relu(self.up(self.norm(x))))  # type: ignore[no-any-return]


class TripTower(LightningModule):
    """Minutes of a trip by a tower of blocks."""

    def __init__(self, norm: bool, depth: int = 6, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Linear(6, width)
        self.blocks = nn.Sequential(*(Residual(width, norm) for _ in range(depth)))
        self.final = nn.LayerNorm(width) if norm else nn.Identity()
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.final(self.blocks(self.stem(x)))).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def trip_tower(norm: bool = False) -> Program:
    data = scaled_targets(umpire.trips())
    module = TripTower(norm)
    return Program(module, *loaders(data, 64), 10, partial(r2, module, data))


class DeepAutoencoder(LightningModule):
    """Digits through a narrow code and back."""

    def __init__(self, act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 64), act(), nn.Linear(64, 48), act(), nn.Linear(48, 32), act(),
            nn.Linear(32, 12),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            act(), nn.Linear(12, 32), act(), nn.Linear(32, 48), act(), nn.Linear(48, 64), act(),
            nn.Linear(64, 64),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def deep_autoencoder(act: Callable[[], nn.Module] = nn.Sigmoid) -> Program:
    data = standardized(samples.digits())
    data = data._replace(y=data.x, y_test=data.x_test)
    module = DeepAutoencoder(act)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class LeNet(LightningModule):
    """The old network with ReLUs, for six shapes."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 120), nn.Linear(120, 84), nn.Linear(84, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def lenet(lr: float = 0.05) -> Program:
    data = umpire.shapes()
    module = LeNet(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class SparseCoder(LightningModule):
    """A code found by unrolled shrinking, and the pictures rebuilt from it."""

    def __init__(self, threshold: float, code: int = 96, rounds: int = 3) -> None:
        super().__init__()
        self.rounds, self.shrink = rounds, nn.Softshrink(threshold)
        self.encode = nn.Linear(64, code)
        self.again = nn.Linear(code, code, bias=False)
        self.decode = nn.Linear(code, 64)

    def forward(self, x: Tensor) -> Tensor:
        drive = self.encode(x)
        code = self.shrink(drive)
        for _ in range(self.rounds):
            code = self.shrink(drive + self.again(code))
        return self.decode(code)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, _ = batch
        loss = F.mse_loss(self(x), x)
        self.log("mse", loss)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sparse_coder(threshold: float = 1.0) -> Program:
    """The threshold of a paper whose inputs have deviation 1; these go from 0 to 1."""
    data = samples.digits()
    data = data._replace(y=data.x, y_test=data.x_test)
    module = SparseCoder(threshold)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 10, partial(r2, module, data))


class MachineTCN(LightningModule):
    """Dilated convolutions with tanh over two sensors."""

    def __init__(self, draw: Callable[[Tensor], Any], width: int = 24) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(2 if k == 0 else width, width, 3, padding=2**k, dilation=2**k)
            for k in range(4)
        )
        self.head = nn.Linear(width, 4)
        for conv in self.convs:
            draw(conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = torch.tanh(conv(x))
        return self.head(x.mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, state = batch
        loss = F.cross_entropy(self(windows), state)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        windows, state = batch
        self.log("val_acc", (self(windows).argmax(1) == state).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def machine_tcn(draw: Callable[[Tensor], Any] = nn.init.normal_) -> Program:
    data = umpire.machines()
    module = MachineTCN(draw)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class GasSorter(LightningModule):
    """Which gas is it? Ten sensors, two hidden layers with BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def gas_sorter(shuffle: bool = False) -> Program:
    """The records come as they were made, month after month, and the sensors drift."""
    data = umpire.sensors()
    module = GasSorter()
    both = loaders(data, 32, shuffle=shuffle)
    return Program(module, *both, 8, partial(accuracy, module, data))


class ShapeViT(LightningModule):
    """Sixteen patches, two layers of attention, a token for the class."""

    def __init__(self, lr: float, width: int = 48) -> None:
        super().__init__()
        self.lr = lr
        self.patches = nn.Conv2d(1, width, 4, 4)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(width, 4, 96, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 6)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.patches(x).flatten(2).mT
        hidden = torch.cat([self.token.expand(len(x), -1, -1), parts], 1) + self.places
        return self.head(self.encoder(hidden)[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train/ce", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.log("val/ce", F.cross_entropy(self(images), labels))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.05)


def shape_vit(lr: float = 0.01) -> Program:
    data = umpire.shapes()
    module = ShapeViT(lr)
    return Program(module, *loaders(data, 32), 9, partial(accuracy, module, data))


class Tagger(LightningModule):
    """A tag for each word, by a GRU that reads in both directions."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.embed = nn.Embedding(umpire.WORDS, 32)
        self.gru = nn.GRU(32, 48, batch_first=True, bidirectional=True)
        self.drop, self.out = nn.Dropout(0.1), nn.Linear(96, umpire.TAGS)

    def forward(self, words: Tensor) -> Tensor:
        return self.out(self.drop(self.gru(self.embed(words))[0]))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, tags = batch
        loss = F.cross_entropy(self(words).flatten(0, 1), tags.flatten())
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, tags = batch
        self.log("val_nll", F.cross_entropy(self(words).flatten(0, 1), tags.flatten()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def tagger(lr: float = 2e-5) -> Program:
    """The rate with which one tunes a language model, for a network from scratch."""
    data = umpire.sentences()
    module = Tagger(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class OrdinalLoans(LightningModule):
    """A grade by four thresholds of one worth, a few loans at a time."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.worth = nn.Sequential(
            nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
        )
        self.thresholds = nn.Parameter(torch.linspace(1, -1, 4))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of being better than each grade but the best."""
        return self.worth(x) + self.thresholds  # type: ignore[no-any-return]

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, grade = batch
        better = (grade[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(x), better)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def within(module: LightningModule, data: samples.Samples) -> float:
    """How many grades are met."""
    module.eval()
    with torch.no_grad():
        logits = module(data.x_test)
    if not logits.isfinite().all():
        return 0.0
    return ((logits > 0).sum(1) == data.y_test).float().mean().item()


def ordinal_loans(lr: float = 0.2) -> Program:
    """A rate and momentum for batches of 256, with four loans in each."""
    data = standardized(umpire.loans())
    module = OrdinalLoans(lr)
    return Program(module, *loaders(data, 4), 2, partial(within, module, data))


@dataclass
class GraphBatch:
    """Features of nodes, which are neighbours, and their communities."""

    x: Tensor
    edges: Tensor
    y: Tensor


def joined(rows: list[tuple[Tensor, ...]]) -> GraphBatch:
    return GraphBatch(*(torch.stack(part) for part in zip(*rows, strict=True)))


class GraphNet(LightningModule):
    """Averages over neighbours between linear layers; a community for each node."""

    def __init__(self, depth: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(12 if k == 0 else width, width) for k in range(depth))
        self.out = nn.Linear(width, 4)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        near = edges + torch.eye(edges.shape[-1])
        near = near / near.sum(-1, keepdim=True)
        for layer in self.layers:
            x = F.relu(near @ layer(x))
        return self.out(x)  # type: ignore[no-any-return]

    def training_step(self, batch: GraphBatch, batch_idx: int) -> Tensor:
        logits = self(batch.x, batch.edges)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.y.flatten())
        self.log("node_loss", loss, batch_size=len(batch.x))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def graph_net(depth: int = 12) -> Program:
    """Twelve times the average over neighbours: all nodes look alike."""
    data = umpire.graphs()
    module = GraphNet(depth)
    rows = TensorDataset(data.x[:60], data.edges[:60], data.y[:60])
    train = DataLoader(rows, 4, shuffle=True, collate_fn=joined)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(data.x[60:], data.edges[60:]).argmax(-1)
        return (found == data.y[60:]).float().mean().item()

    return Program(module, train, None, 20, score)


class TiedLanguageModel(LightningModule):
    """The next letter by causal attention; the table of letters is read at either end."""

    def __init__(self, std: float, width: int = 64) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(umpire.LETTERS, width), nn.Embedding(24, width)
        for table in (self.letters, self.places):
            nn.init.normal_(table.weight, std=std)
        layer = nn.TransformerEncoderLayer(
            width, 4, 128, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.letters(tokens) + self.places(torch.arange(length))
        return self.norm(self.blocks(hidden, mask=mask)) @ self.letters.weight.T  # type: ignore[no-any-return]

    def loss(self, tokens: Tensor) -> Tensor:
        return F.cross_entropy(self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("lm_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_lm_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def tied_language_model(std: float = 1.0) -> Program:
    """The tables keep the deviation that they have by default."""
    tokens = umpire.letters()
    module = TiedLanguageModel(std)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(tokens[1200:]).item()

    train = DataLoader(TensorDataset(tokens[:1200]), 32, shuffle=True)
    validation = DataLoader(TensorDataset(tokens[1200:]), 100)
    return Program(module, train, validation, 8, score)


CASES = (
    Case(
        "digit-pairs-now-and-then-with-themselves", Goal("accuracy", at_least=0.9),
        siamese_digits, ("non_finite",), partial(siamese_digits, 1e-6),
    ),
    Case(
        "trip-minutes-by-a-tower-of-sums", Goal("R2", at_least=0.8), trip_tower,
        ("exploding_gradient", "poor_initialization", "non_finite"), partial(trip_tower, True),
    ),
    Case(
        "digits-rebuilt-by-eight-sigmoid-layers", Goal("R2", at_least=0.4), deep_autoencoder,
        ("vanishing_gradient", "not_learning"), partial(deep_autoencoder, nn.ELU),
    ),
    Case(
        "drawn-shapes-by-an-eager-lenet", Goal("accuracy", at_least=0.8), lenet,
        ("dead_relu", "learning_rate_too_high"), partial(lenet, 1e-3),
    ),
    Case(
        "digits-shrunk-to-hardly-a-code", Goal("R2", at_least=0.91), sparse_coder,
        ("dormant_units", "dead_relu"), partial(sparse_coder, 0.05),
    ),
    Case(
        "machine-windows-by-a-stiff-tcn", Goal("accuracy", at_least=0.82), machine_tcn,
        ("saturated_activation", "poor_initialization"),
        partial(machine_tcn, partial(nn.init.xavier_uniform_, gain=5 / 3)),
    ),
    Case(
        "gas-sensors-month-after-month", Goal("accuracy", at_least=0.93), gas_sorter,
        ("covariate_shift", "train_eval_mismatch"), partial(gas_sorter, True),
    ),
    Case(
        "drawn-shapes-by-an-eager-vit", Goal("accuracy", at_least=0.6), shape_vit,
        ("learning_rate_too_high", "not_learning"), partial(shape_vit, 1e-3),
    ),
    Case(
        "word-tags-at-the-rate-of-tuning", Goal("accuracy", at_least=0.9), tagger,
        ("learning_rate_too_low",), partial(tagger, 5e-3),
    ),
    Case(
        "loan-grades-four-at-a-time", Goal("accuracy", at_least=0.65), ordinal_loans,
        ("unstable_loss", "learning_rate_too_high"), partial(ordinal_loans, 0.01),
    ),
    Case(
        "communities-averaged-twelve-times", Goal("accuracy", at_least=0.75), graph_net,
        ("not_learning", "vanishing_gradient"), partial(graph_net, 2),
    ),
    Case(
        "letter-chains-with-loud-tables", Goal("cross-entropy", at_most=2.1),
        tied_language_model, ("poor_initialization",), partial(tied_language_model, 0.02),
    ),
)  # fmt: skip
