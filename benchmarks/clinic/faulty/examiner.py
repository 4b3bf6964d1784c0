"""What an examiner of such tools trains, with one mistake each: signals, pictures and sets."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import examiner
from data_sets.samples import digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class BasketPooler(LightningModule):
    """Is there a gift among the items? Items are weighed by a learned attention."""

    def __init__(self, hidden_value: float) -> None:
        super().__init__()
        self.hidden_value = hidden_value
        self.embed = nn.Sequential(nn.Linear(6, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU())
        self.attend = nn.Linear(48, 1)
        self.head = nn.Linear(48, 1)

    def forward(self, items: Tensor, there: Tensor) -> Tensor:
        h = self.embed(items)
        scores = self.attend(h).squeeze(-1).masked_fill(~there, self.hidden_value)
        pooled = (scores.softmax(1)[..., None] * h).sum(1)
        logit: Tensor = self.head(pooled)
        return logit.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        items, there, gift = batch
        loss = F.binary_cross_entropy_with_logits(self(items, there), gift)
        self.log("train/bce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def basket_accuracy(module: LightningModule, parts: tuple[Tensor, ...]) -> float:
    items, there, gift = parts
    module.eval()
    with torch.no_grad():
        logit = module(items, there)
    seen = there.any(1)
    return ((logit > 0) == (gift > 0.5))[seen].float().mean().item()


def basket_program(hidden_value: float) -> Program:
    parts = examiner.baskets()
    train = TensorDataset(*(part[:1800] for part in parts))
    module = BasketPooler(hidden_value)
    score = partial(basket_accuracy, module, tuple(part[1800:] for part in parts))
    return Program(module, DataLoader(train, 32, shuffle=True), None, 20, score)


class TillSum(LightningModule):
    """What is left in a till after many payments, by a recurrent network of ReLUs."""

    def __init__(self, gain: float, hidden: int = 48) -> None:
        super().__init__()
        self.cell = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        weight = self.cell.get_parameter("weight_hh_l0")
        weight.data = gain * torch.eye(hidden) + 0.01 * torch.randn(hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, last = self.cell(x)
        total: Tensor = self.out(last[0])
        return total.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def till_sum(gain: float, clip: float | None) -> Program:
    data, module = examiner.till(), TillSum(gain)
    trainer = {"gradient_clip_val": clip}
    return Program(module, *loaders(data, 32), 25, partial(r2, module, data), trainer)


class BurstNet(LightningModule):
    """Twelve convolutions in a row over a vibration."""

    def __init__(self, act: type[nn.Module], norm: bool, width: int = 24, depth: int = 12) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for i in range(depth):
            blocks.append(nn.Conv1d(width if i else 1, width, 5, padding=2))
            if norm:
                blocks.append(nn.BatchNorm1d(width))
            blocks.append(act())
            if i % 4 == 3:
                blocks.append(nn.MaxPool1d(2))
        self.features = nn.Sequential(*blocks)
        self.classify = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.features(x).mean(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def bursts(act: type[nn.Module], norm: bool) -> Program:
    data, module = examiner.vibrations(), BurstNet(act, norm)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class RingSegmenter(LightningModule):
    """Which pixels are of a ring? The biases say how rare these are, as RetinaNet has it."""

    def __init__(self, everywhere: bool, prior: float = 0.02) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Conv2d(16, 1, 1)
        for layer in self.modules() if everywhere else [self.head]:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.constant_(layer.bias, -math.log((1 - prior) / prior))

    def forward(self, picture: Tensor) -> Tensor:
        logit: Tensor = self.head(self.body(picture))
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        picture, mask = batch
        logit = self(picture)
        bce = F.binary_cross_entropy_with_logits(logit, mask, reduction="none")
        focal = (bce * (1 - (-bce).exp()) ** 2).mean()
        self.log_dict({"focal": focal, "bce": bce.mean()})
        return {"loss": 10 * focal}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def overlap(module: LightningModule, picture: Tensor, mask: Tensor) -> float:
    """Intersection over union of what is called a ring."""
    found, true = outputs(module, picture) > 0, mask > 0.5
    return ((found & true).sum() / (found | true).sum().clamp(min=1)).item()


def ring_pixels(everywhere: bool) -> Program:
    picture, mask = examiner.rings()
    module = RingSegmenter(everywhere)
    train = DataLoader(TensorDataset(picture[:500], mask[:500]), 16, shuffle=True)
    score = partial(overlap, module, picture[500:], mask[500:])
    return Program(module, train, None, 12, score)


class Winners(nn.Module):
    """Only the k largest units of a layer speak; the boost favours those that seldom won."""

    duty: Tensor

    def __init__(self, units: int, k: int, boost: float) -> None:
        super().__init__()
        self.k, self.boost, self.share = k, boost, k / units
        self.register_buffer("duty", torch.full((units,), self.share))

    def forward(self, h: Tensor) -> Tensor:
        chosen = (h + self.boost * (self.share - self.duty)).topk(self.k, dim=1).indices
        won = torch.zeros_like(h).scatter(1, chosen, 1.0)
        if self.training:
            self.duty.lerp_(won.mean(0), 0.02)
        return h.relu() * won


class WinnersAutoencoder(LightningModule):
    """Digits told by three of 128 units."""

    def __init__(self, boost: float, units: int = 128, k: int = 3) -> None:
        super().__init__()
        self.encode, self.compete = nn.Linear(64, units), Winners(units, k, boost)
        self.decode = nn.Linear(units, 64)

    def forward(self, x: Tensor) -> Tensor:
        shown: Tensor = self.decode(self.compete(self.encode(x)))
        return shown

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("train_error", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_error", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def shown_digits(module: LightningModule) -> float:
    """Share of the pixels' variance that is shown."""
    x = digits().x_test
    error = F.mse_loss(outputs(module, x), x)
    return (1 - error / (x - x.mean(0)).square().mean()).item()


def winners(boost: float) -> Program:
    module = WinnersAutoencoder(boost)
    return Program(module, *loaders(digits(), 32), 30, partial(shown_digits, module))


class PairHasher(LightningModule):
    """Codes of 16 signs for digits, alike for two of a kind; tanh stands in for the sign."""

    def __init__(self, slope: Callable[[int], float], bits: int = 16) -> None:
        super().__init__()
        self.slope = slope
        self.fc1, self.fc2 = nn.Linear(64, 96), nn.Linear(96, bits)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.code(x))

    def code(self, x: Tensor) -> Tensor:
        slope = self.slope(self.current_epoch)
        hidden = torch.tanh(slope * self.fc1(x))
        pre: Tensor = self.fc2(hidden)
        return slope * pre

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        h = self(x)
        alike = (y[:, None] == y).float()
        product = 0.25 * h @ h.T
        weight = torch.where(alike > 0, 5.0, 1.0)
        loss = (weight * (F.softplus(product) - alike * product)).mean()
        self.log("pair_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def mean_precision(module: LightningModule) -> float:
    """Of the 20 digits whose codes are nearest, the share of the same kind."""
    data = digits()
    near, far = outputs(module, data.x_test).sign(), outputs(module, data.x).sign()
    best = (near @ far.T).topk(20, dim=1).indices
    return (data.y[best] == data.y_test[:, None]).float().mean().item()


def hashing(slope: Callable[[int], float]) -> Program:
    data = digits()
    module = PairHasher(slope)
    score = partial(mean_precision, module)
    return Program(module, loaders(data, 32)[0], None, 20, score)


def steep(epoch: int) -> float:
    return 100.0


def steeper(epoch: int) -> float:
    return 1.0 + 0.3 * epoch


class GasNamer(LightningModule):
    """Which gas? A plain network on what the sensors say."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def gases(shuffle: bool) -> Program:
    data, module = examiner.gas_sensors(), GasNamer()
    train, _ = loaders(data, 32, shuffle=shuffle)
    return Program(module, train, None, 10, partial(accuracy, module, data))


class StarGuesser(LightningModule):
    """Stars of a film for a user: vectors of both, multiplied and squashed."""

    def __init__(self, lowest: float, span: float, size: int = 6) -> None:
        super().__init__()
        self.lowest, self.span = lowest, span
        self.user, self.film = nn.Embedding(200, size), nn.Embedding(150, size)
        self.user_bias, self.film_bias = nn.Embedding(200, 1), nn.Embedding(150, 1)
        for table in (self.user, self.film, self.user_bias, self.film_bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, pair: Tensor) -> Tensor:
        user, film = pair.unbind(1)
        match = (self.user(user) * self.film(film)).sum(1)
        score = match + self.user_bias(user)[:, 0] + self.film_bias(film)[:, 0]
        return self.lowest + self.span * score.sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pair, stars = batch
        loss = F.mse_loss(self(pair), stars)
        self.log("train_rmse", loss.sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=2e-5)


def guessed_stars(lowest: float, span: float) -> Program:
    data, module = examiner.stars(), StarGuesser(lowest, span)
    return Program(module, *loaders(data, 64), 12, partial(r2, module, data))


class TraceReader(LightningModule):
    """The kind of a beat, whatever the amplifier of the site."""

    def __init__(self, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.net = nn.Sequential(
            norm(1), nn.Conv1d(1, 16, 7, padding=3), norm(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), norm(32), nn.ReLU(), nn.AdaptiveMaxPool1d(4),
            nn.Flatten(), nn.Linear(128, 3),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        logits: Tensor = self.net(trace)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        trace, kind = batch
        loss = F.cross_entropy(self(trace), kind)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class SiteBatches:
    """Numbers of 24 traces at a time, all of one site, as its file is read."""

    def __init__(self, site: Tensor) -> None:
        self.rows = [(site == one).nonzero()[:, 0] for one in site.unique()]

    def batches(self) -> list[Tensor]:
        return [part for rows in self.rows for part in rows[torch.randperm(len(rows))].split(24)]

    def __iter__(self) -> Iterator[list[int]]:
        found = self.batches()
        return iter([found[i].tolist() for i in torch.randperm(len(found))])

    def __len__(self) -> int:
        return sum(math.ceil(len(rows) / 24) for rows in self.rows)


def site_traces(norm: Callable[[int], nn.Module]) -> Program:
    data, site = examiner.sites()
    module = TraceReader(norm)
    train: DataLoader[Any] = DataLoader(
        TensorDataset(data.x, data.y), batch_sampler=SiteBatches(site)
    )
    _, test = loaders(data, 24)
    return Program(module, train, test, 10, partial(accuracy, module, data))


CASES = (
    Case(
        "gifts-in-baskets-some-empty", Goal("accuracy", at_least=0.85),
        partial(basket_program, -math.inf), ("non_finite",), partial(basket_program, -1e4),
    ),
    Case(
        "tills-summed-by-relu-states", Goal("R2", at_least=0.5),
        partial(till_sum, 1.08, None),
        ("exploding_gradient", "non_finite", "unstable_loss", "poor_initialization"),
        partial(till_sum, 1.0, 1.0),
    ),
    Case(
        "bursts-by-twelve-sigmoid-convolutions", Goal("accuracy", at_least=0.75),
        partial(bursts, nn.Sigmoid, False), ("vanishing_gradient", "not_learning"),
        partial(bursts, nn.ReLU, True),
    ),
    Case(
        "ring-pixels-priors-in-all-biases", Goal("IoU", at_least=0.4), partial(ring_pixels, True),
        ("dead_relu", "poor_initialization", "not_learning", "vanishing_gradient"),
        partial(ring_pixels, False),
    ),
    Case(
        "digits-by-three-winners-of-many", Goal("R2", at_least=0.67), partial(winners, 0.0),
        ("dormant_units", "dead_relu"), partial(winners, 40.0),
    ),
    Case(
        "digit-hashes-steep-from-the-start", Goal("precision at 20", at_least=0.9),
        partial(hashing, steep), ("saturated_activation", "vanishing_gradient"),
        partial(hashing, steeper),
    ),
    Case(
        "gases-read-year-after-year", Goal("accuracy", at_least=0.8), partial(gases, False),
        ("covariate_shift",), partial(gases, True),
    ),
    Case(
        "stars-squashed-between-zero-and-one", Goal("R2", at_least=0.4),
        partial(guessed_stars, 0.0, 1.0),
        ("output_loss_mismatch", "not_learning", "saturated_activation"),
        partial(guessed_stars, 0.5, 5.0),
    ),
    Case(
        "beats-batches-of-one-site", Goal("accuracy", at_least=0.8),
        partial(site_traces, nn.BatchNorm1d), ("train_eval_mismatch",),
        partial(site_traces, partial(nn.InstanceNorm1d, affine=True)),
    ),
)  # fmt: skip
