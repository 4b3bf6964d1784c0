"""What a magazine gave to tools that watch trainings: faults of networks, inputs and steps."""

from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import bakeoff, samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class EnergyGNN(LightningModule):
    """Energies of small molecules: three graph convolutions of a dense adjacency."""

    def __init__(self, least: float, hidden: int = 48) -> None:
        super().__init__()
        self.least = least
        self.embed = nn.Linear(bakeoff.ATOMS, hidden)
        self.near = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(3))
        self.own = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(3))
        self.readout = nn.Sequential(nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1))

    def forward(self, atoms: Tensor, bonds: Tensor) -> Tensor:
        degree = bonds.sum(-1).clamp(min=self.least)
        scale = degree.pow(-0.5)
        adjacency = scale[:, :, None] * bonds * scale[:, None]
        h = self.embed(atoms) + degree[..., None] / 4
        for near, own in zip(self.near, self.own, strict=True):
            h = h + F.silu(near(adjacency @ h) + own(h))
        return self.readout(h.sum(1) / 3).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        atoms, bonds, energy = batch
        loss = F.mse_loss(self(atoms, bonds), energy)
        self.log("train/energy_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        atoms, bonds, energy = batch
        self.log("val/energy_mae", F.l1_loss(self(atoms, bonds), energy))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def energy_of_molecules(least: float = 0.0) -> Program:
    data = bakeoff.graphs()
    module = EnergyGNN(least)
    rows = TensorDataset(data.atoms, data.bonds, data.y)
    others = TensorDataset(data.atoms_test, data.bonds_test, data.y_test)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(data.atoms_test, data.bonds_test)
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var(correction=0)).item()

    train = DataLoader(rows, 32, shuffle=True)
    return Program(module, train, DataLoader(others, 200), 10, score)


class Pair(NamedTuple):
    """Two pictures, and whether they show the same."""

    left: Tensor
    right: Tensor
    same: Tensor


class Pairs(Dataset[Pair]):
    """Half of the pairs are of one class; a picture may meet itself."""

    def __init__(self, x: Tensor, y: Tensor, count: int = 3000) -> None:
        g = torch.Generator().manual_seed(72)
        self.x = x
        self.left = torch.randint(len(x), (count,), generator=g)
        self.right = torch.randint(len(x), (count,), generator=g)
        for k in range(0, count, 2):
            alike = (y == y[self.left[k]]).nonzero()[:, 0]
            self.right[k] = alike[torch.randint(len(alike), (), generator=g)]
        self.same = (y[self.left] == y[self.right]).float()

    def __len__(self) -> int:
        return len(self.same)

    def __getitem__(self, k: int) -> Pair:
        return Pair(self.x[self.left[k]], self.x[self.right[k]], self.same[k])


class SiameseDigits(LightningModule):
    """Two pictures through one network; a margin between those that differ."""

    def __init__(self, eps: float, margin: float = 1.0) -> None:
        super().__init__()
        self.eps, self.margin = eps, margin
        self.tower = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, 32),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.tower(x)  # type: ignore[no-any-return]

    def distance(self, batch: Pair) -> Tensor:
        squares = (self(batch.left) - self(batch.right)).square().sum(1)
        return torch.sqrt(squares + self.eps)

    def training_step(self, batch: Pair, batch_idx: int) -> Tensor:
        d = self.distance(batch)
        apart = (self.margin - d).clamp(min=0).square()
        loss = (batch.same * d.square() + (1 - batch.same) * apart).mean()
        self.log("contrastive", loss, batch_size=len(d))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=5e-4)


def neighbours(module: LightningModule, data: Samples) -> float:
    """How many are of the class of the picture that is nearest to them."""
    module.eval()
    with torch.no_grad():
        kept, asked = module(data.x), module(data.x_test)
    if not asked.isfinite().all():
        return 0.0
    nearest = torch.cdist(asked, kept).argmin(1)
    return (data.y[nearest] == data.y_test).float().mean().item()


def siamese_digits(eps: float = 0.0) -> Program:
    data = samples.digit_images()
    module = SiameseDigits(eps)
    train = DataLoader(Pairs(data.x[:500], data.y[:500]), 48, shuffle=True)
    return Program(module, train, None, 4, partial(neighbours, module, data))


class Sum(nn.Module):
    """A block that adds what its two layers find to its input."""

    def __init__(self, width: int, quiet: bool) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.fc1, self.fc2):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        if quiet:
            nn.init.zeros_(self.fc2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.fc2(F.relu(self.fc1(x)))  # type: ignore[no-any-return]


class TideTower(LightningModule):
    """The level of the sea by ten residual blocks, without any norm."""

    def __init__(self, quiet: bool, width: int = 48) -> None:
        super().__init__()
        self.enter, self.leave = nn.Linear(5, width), nn.Linear(width, 1)
        self.tower = nn.Sequential(*(Sum(width, quiet) for _ in range(10)))

    def forward(self, x: Tensor) -> Tensor:
        return self.leave(self.tower(self.enter(x)))[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, level = batch
        loss = F.mse_loss(self(x), level)
        self.log("mse", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, level = batch
        self.log("val_mse", F.mse_loss(self(x), level))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def tide_tower(quiet: bool = False) -> Program:
    """He's initialization in each block, so that each doubles what goes through it."""
    data = bakeoff.tides()
    module = TideTower(quiet)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class Gates(nn.Module):
    """One gated convolution of a WaveNet."""

    def __init__(self, width: int, dilation: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.filter = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.gate = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        gated = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        return x + gated if self.residual else gated


class BirdNet(LightningModule):
    """Which bird calls: nine gated convolutions, dilated more and more."""

    def __init__(self, residual: bool, width: int = 24) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 3, padding=1)
        self.gates = nn.Sequential(*(Gates(width, 2 ** (k % 4), residual) for k in range(9)))
        self.head = nn.Linear(width, bakeoff.CALLS)

    def forward(self, sound: Tensor) -> Tensor:
        return self.head(self.gates(self.enter(sound)).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sound, bird = batch
        loss = F.cross_entropy(self(sound), bird)
        self.log("train_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        sound, bird = batch
        logits = self(sound)
        self.log("val_ce", F.cross_entropy(logits, bird))
        self.log("val_hits", (logits.argmax(1) == bird).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def bird_calls(residual: bool = False) -> Program:
    """What makes a WaveNet trainable, the sum with its input, was forgotten."""
    data = bakeoff.chirps()
    module = BirdNet(residual)
    return Program(module, *loaders(data, 40), 6, partial(accuracy, module, data))


class StickerCNN(LightningModule):
    """Three convolutions and two dense layers; biases below 0 are to make features rare."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, padding=1)
        self.conv2 = nn.Conv2d(24, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(128, 64), nn.Linear(64, bakeoff.SHAPES)
        for layer in (self.conv1, self.conv2, self.conv3, self.fc1):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(conv(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pictures, shape = batch
        loss = F.cross_entropy(self(pictures), shape)
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pictures, shape = batch
        self.log("loss/val", F.cross_entropy(self(pictures), shape))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.3)]


def rare_features(bias: float = -0.5) -> Program:
    data = bakeoff.stickers()
    module = StickerCNN(bias)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class ShrinkageCoder(LightningModule):
    """An unrolled search for sparse codes: what is small in a code is shrunk to nothing."""

    def __init__(self, threshold: float, codes: int = 128, rounds: int = 3) -> None:
        super().__init__()
        self.encode = nn.Linear(64, codes)
        self.mix = nn.Linear(codes, codes, bias=False)
        self.decode = nn.Linear(codes, 64)
        self.shrink, self.rounds = nn.Softshrink(threshold), rounds

    def forward(self, x: Tensor) -> Tensor:
        drive = self.encode(x)
        code = self.shrink(drive)
        for _ in range(self.rounds):
            code = self.shrink(drive + self.mix(code))
        return self.decode(code)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("reconstruction", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sparse_codes(threshold: float = 1.0) -> Program:
    """The threshold of a paper whose inputs have deviation 1, for pixels from 0 to 1."""
    data = samples.digits()
    data = data._replace(y=data.x, y_test=data.x_test)
    module = ShrinkageCoder(threshold)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class SpikeRates(LightningModule):
    """Rates of spikes as steep sigmoids, so that the trained network can be put on a chip."""

    def __init__(self, slope: float, width: int = 96) -> None:
        super().__init__()
        self.slope = slope
        self.layers = nn.ModuleList(nn.Linear(width if k else 5, width) for k in range(5))
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.sigmoid(self.slope * layer(x))
        return self.out(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, level = batch
        loss = F.mse_loss(self(x), level)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, level = batch
        self.log("valid_loss", F.mse_loss(self(x), level))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def spike_rates(slope: float = 50.0) -> Program:
    data = bakeoff.tides()
    module = SpikeRates(slope)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class Album(Dataset[dict[str, Tensor]]):
    """Pictures of which each is lit anew whenever it is taken."""

    def __init__(self, data: Samples, inplace: bool) -> None:
        self.pictures, self.shapes, self.inplace = data.x.clone(), data.y, inplace

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, k: int) -> dict[str, Tensor]:
        picture = self.pictures[k]
        light, glow = 0.9 + 0.4 * torch.rand(()), 0.15 * torch.rand(())
        if self.inplace:
            picture *= light
            picture += glow
        else:
            picture = picture * light + glow
        return {"picture": picture, "shape": self.shapes[k]}


class LitAlbum(LightningModule):
    """A small residual network."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.second = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(3))
        self.fc = nn.Linear(4 * width, bakeoff.SHAPES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.stem(x)), 2)
        for first, second in zip(self.first, self.second, strict=True):
            x = F.relu(x + second(F.relu(first(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["picture"]), batch["shape"])
        self.log("ce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def lit_album(inplace: bool = True) -> Program:
    """The light is changed in the pictures that are kept, so that it adds up."""
    data = bakeoff.stickers()
    module = LitAlbum()
    train = DataLoader(Album(data, inplace), 32, shuffle=True)
    return Program(module, train, None, 13, partial(accuracy, module, data))


class StickerViT(LightningModule):
    """Sixteen patches, two blocks of attention."""

    def __init__(self, lr: float, width: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, bakeoff.SHAPES)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1) + self.place
        return self.head(self.norm(self.blocks(tokens)[:, 0]))  # type: ignore[no-any-return]

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
        lr: float = self.hparams["lr"]
        return torch.optim.AdamW(self.parameters(), lr=lr, weight_decay=0.05)


def sticker_vit(lr: float = 3e-2) -> Program:
    data = bakeoff.stickers()
    module = StickerViT(lr)
    return Program(module, *loaders(data, 50), 12, partial(accuracy, module, data))


class CloudSets(LightningModule):
    """Points attend to each other, and a query to all of them."""

    def __init__(self, interval: str, width: int = 48) -> None:
        super().__init__()
        self.interval = interval
        self.enter = nn.Linear(2, width)
        self.attend1 = nn.MultiheadAttention(width, 4, batch_first=True)
        self.attend2 = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.ff = nn.Sequential(nn.Linear(width, 96), nn.ReLU(), nn.Linear(96, width))
        self.query = nn.Parameter(torch.randn(1, 1, width))
        self.out = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 5))

    def forward(self, points: Tensor) -> Tensor:
        h = self.enter(points)
        h = self.norms[0](h + self.attend1(h, h, h, need_weights=False)[0])
        h = self.norms[1](h + self.ff(h))
        query = self.query.expand(len(h), -1, -1)
        return self.out(self.attend2(query, h, h, need_weights=False)[0][:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, kind = batch
        loss = F.cross_entropy(self(points), kind)
        self.log("objective", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        points, kind = batch
        self.log("val_objective", F.cross_entropy(self(points), kind))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return [optimizer], [{"scheduler": scheduler, "interval": self.interval}]


def cloud_sets(interval: str = "step") -> Program:
    """The rate is multiplied by 0.9 behind each step; each epoch was meant."""
    data = bakeoff.clouds()
    module = CloudSets(interval)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class KeywordCycles(LightningModule):
    """Eight keywords at once, the rate going up and down."""

    def __init__(self, highest: float) -> None:
        super().__init__()
        self.highest = highest
        self.net = nn.Sequential(
            nn.Linear(20, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 8)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, keywords = batch
        loss = F.binary_cross_entropy_with_logits(self(x), keywords)
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, keywords = batch
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(x), keywords))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.CyclicLR(
            optimizer, 0.05, self.highest, 20, cycle_momentum=False
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def right_keywords(module: LightningModule, data: Samples) -> float:
    """Share of all answers that are right."""
    module.eval()
    with torch.no_grad():
        found = module(data.x_test)
    right = ((found > 0) == (data.y_test > 0.5)) & found.isfinite()
    return right.float().mean().item()


def keyword_cycles(highest: float = 2.5) -> Program:
    """The upper end of the finder's curve, where the loss was lowest for a moment."""
    data = bakeoff.keywords()
    module = KeywordCycles(highest)
    return Program(module, *loaders(data, 39), 10, partial(right_keywords, module, data))


class EarBeforeTheCall(LightningModule):
    """Which bird calls: a recurrent network over frames of a window."""

    def __init__(self, start: int, length: int = 24) -> None:
        super().__init__()
        self.start, self.length = start, length
        self.frames = nn.Conv1d(1, 24, 5, stride=2)
        self.gru = nn.GRU(24, 40, batch_first=True, bidirectional=True)
        self.out = nn.Linear(80, bakeoff.CALLS)

    def forward(self, sound: Tensor) -> Tensor:
        window = sound[..., self.start : self.start + self.length]
        states, _ = self.gru(F.relu(self.frames(window)).mT)
        return self.out(states.mean(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sound, bird = batch
        loss = F.cross_entropy(self(sound), bird)
        self.log("loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def ear_before_the_call(start: int = 0) -> Program:
    """The window ends where the calls begin."""
    data = bakeoff.chirps()
    module = EarBeforeTheCall(start)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 6, partial(accuracy, module, data))


CASES = (
    Case(
        "molecules-one-atom-without-bonds", Goal("R2", at_least=0.7), energy_of_molecules,
        ("non_finite",), partial(energy_of_molecules, 1.0),
    ),
    Case(
        "digit-pairs-root-of-their-distance", Goal("accuracy", at_least=0.85), siamese_digits,
        ("non_finite",), partial(siamese_digits, 1e-8),
    ),
    Case(
        "tides-tower-of-loud-blocks", Goal("R2", at_least=0.8), tide_tower,
        ("exploding_gradient", "poor_initialization"), partial(tide_tower, True),
    ),
    Case(
        "bird-calls-gates-without-a-sum", Goal("accuracy", at_least=0.9), bird_calls,
        ("vanishing_gradient", "not_learning"), partial(bird_calls, True),
    ),
    Case(
        "stickers-biases-below-zero", Goal("accuracy", at_least=0.8), rare_features,
        ("dead_relu", "poor_initialization"), partial(rare_features, 0.0),
    ),
    Case(
        "digit-codes-shrunk-to-nothing", Goal("R2", at_least=0.93), sparse_codes,
        ("dormant_units", "dead_relu"), partial(sparse_codes, 0.03),
    ),
    Case(
        "tides-steep-spike-rates", Goal("R2", at_least=0.75), spike_rates,
        ("saturated_activation", "vanishing_gradient"), partial(spike_rates, 4.0),
    ),
    Case(
        "stickers-light-that-adds-up", Goal("accuracy", at_least=0.8), lit_album,
        ("covariate_shift", "unnormalized_input"), partial(lit_album, False),
    ),
    Case(
        "stickers-hasty-vision-transformer", Goal("accuracy", at_least=0.75), sticker_vit,
        ("learning_rate_too_high", "not_learning"), partial(sticker_vit, 1e-3),
    ),
    Case(
        "point-clouds-rate-falls-each-step", Goal("accuracy", at_least=0.8), cloud_sets,
        ("learning_rate_too_low",), partial(cloud_sets, "epoch"),
    ),
    Case(
        "keywords-rate-in-large-cycles", Goal("accuracy", at_least=0.85), keyword_cycles,
        ("unstable_loss", "learning_rate_too_high"), partial(keyword_cycles, 0.2),
    ),
    Case(
        "bird-calls-window-ends-before", Goal("accuracy", at_least=0.8), ear_before_the_call,
        ("not_learning", "inconsistent_labels"), partial(ear_before_the_call, 24),
    ),
)  # fmt: skip
