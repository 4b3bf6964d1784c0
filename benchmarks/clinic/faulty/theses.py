"""What went wrong in theses and homework: codes, penalties, rates, scalers."""

from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import Rows
from data_sets import theses
from data_sets.samples import Samples, circle, digit_images, digits, loaders, standardized
from lightning.pytorch import LightningModule
from modules import adam, mlp
from programs import two_classes
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class SmallAutoencoder(LightningModule):
    """Two layers down and two up; the code may be rectified like the layers around it."""

    def __init__(self, code: int, rectified: bool) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 48),
            nn.ReLU(),
            nn.Linear(48, code),
            nn.ReLU() if rectified else nn.Identity(),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, 64), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.encoder(x))
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, _ = batch
        loss = F.mse_loss(self(x), x)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, _ = batch
        self.log("val_loss", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def rebuilt(module: LightningModule, data: Samples) -> float:
    """Share of the pixels' variance that a reconstruction has."""
    error = F.mse_loss(outputs(module, data.x_test), data.x_test)
    return 1 - (error / data.x_test.var(0).mean()).item()


def narrow_code(rectified: bool) -> Program:
    data, module = digits(), SmallAutoencoder(6, rectified)
    return Program(module, *loaders(data, 32), 25, partial(rebuilt, module, data))


class RowTransformer(LightningModule):
    """The eight rows of a digit as eight tokens, and a learned one in front that is read."""

    def __init__(self, lr: float, width: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Linear(8, width)
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 9, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.embed(image.squeeze(1))
        tokens = torch.cat([self.cls.expand(len(image), -1, -1), tokens], 1) + self.position
        logits: Tensor = self.head(self.encoder(tokens)[:, 0])
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        image, label = batch
        logits = self(image)
        loss = F.cross_entropy(logits, label)
        self.log_dict({"train/loss": loss, "train/acc": (logits.argmax(1) == label).float().mean()})
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        image, label = batch
        self.log("val/loss", F.cross_entropy(self(image), label))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def row_tokens(lr: float) -> Program:
    data, module = digit_images(), RowTransformer(lr)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Koopman(LightningModule):
    """States are lifted, moved on by one matrix again and again, and read back."""

    def __init__(self, width: int = 16, spread: float | None = None) -> None:
        super().__init__()
        self.lift = mlp([2, 48, width], nn.Tanh)
        self.read = mlp([width, 48, 2], nn.Tanh)
        start = torch.eye(width) if spread is None else spread * torch.randn(width, width)
        self.operator = nn.Parameter(start)

    def forward(self, states: Tensor) -> Tensor:
        """All later states, of the first one alone."""
        code, found = self.lift(states[:, 0]), []
        for _ in range(states.shape[1] - 1):
            code = code @ self.operator
            found.append(code)
        out: Tensor = self.read(torch.stack(found, 1))
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        states = batch[0]
        code, lifted = self.lift(states[:, 0]), self.lift(states)
        ahead = [code]
        for _ in range(states.shape[1] - 1):
            ahead.append(ahead[-1] @ self.operator)
        path = torch.stack(ahead, 1)
        linear = F.mse_loss(path, lifted)
        prediction = F.mse_loss(self.read(path), states)
        self.log_dict({"linear": linear, "prediction": prediction})
        return prediction + 0.1 * linear

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_prediction", F.mse_loss(self(batch[0]), batch[0][:, 1:]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def pendulum(spread: float | None) -> Program:
    data, module = theses.pendulums(), Koopman(spread=spread)

    def score() -> float:
        later = data.x_test[:, 1:]
        return 1 - (F.mse_loss(outputs(module, data.x_test), later) / later.var()).item()

    return Program(module, *loaders(data, 32), 30, score)


class HashNet(LightningModule):
    """Digits to 16 near-binary bits, on which a linear layer tells the classes.

    The larger ``beta``, the closer the hyperbolic tangent is to the sign that is wanted.
    """

    def __init__(self, beta: float, bits: int = 16) -> None:
        super().__init__()
        self.beta = beta
        self.backbone = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.hash_layer, self.tanh = nn.Linear(96, bits), nn.Tanh()
        self.classifier = nn.Linear(bits, 10)

    def forward(self, x: Tensor) -> Tensor:
        bits = self.tanh(self.beta * self.hash_layer(self.backbone(x)))
        logits: Tensor = self.classifier(bits)
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch["image"]), batch["label"])
        self.log("loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch["image"]), batch["label"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def hashed(beta: float) -> Program:
    data, module = digits(), HashNet(beta)
    train = DataLoader(Rows(image=data.x, label=data.y), 32, shuffle=True)
    test = DataLoader(Rows(image=data.x_test, label=data.y_test), 256)
    return Program(module, train, test, 15, partial(accuracy, module, data))


class SparseAutoencoder(LightningModule):
    """As in the homework of many courses: sigmoids that shall be on for a share of all samples."""

    def __init__(self, beta: float, rho: float = 0.05, hidden: int = 40) -> None:
        super().__init__()
        self.beta, self.rho = beta, rho
        self.encode, self.decode = nn.Linear(64, hidden), nn.Linear(hidden, 64)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decode(torch.sigmoid(self.encode(x)))
        return out

    def sparsity(self, hidden: Tensor) -> Tensor:
        """Divergence of the units' mean activity from the share that is wanted, summed."""
        active = hidden.mean(0).clamp(1e-5, 1 - 1e-5)
        on = self.rho * (self.rho / active).log()
        off = (1 - self.rho) * ((1 - self.rho) / (1 - active)).log()
        return (on + off).sum()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x = batch[0]
        hidden = torch.sigmoid(self.encode(x))
        reconstruction = F.mse_loss(self.decode(hidden), x)
        penalty = self.sparsity(hidden)
        self.log("reconstruction", reconstruction)
        self.log("sparsity", penalty)
        return reconstruction + self.beta * penalty

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_reconstruction", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def sparse(beta: float) -> Program:
    data, module = digits(), SparseAutoencoder(beta)
    return Program(module, *loaders(data, 64), 40, partial(rebuilt, module, data))


class Rates(NamedTuple):
    """Bounds of a cyclic schedule, as read off a range test."""

    low: float
    high: float


class Surrogate(LightningModule):
    """Replaces a simulation of beams; its rate goes up and down in triangles."""

    def __init__(self, rates: Rates, ramp: int = 60) -> None:
        super().__init__()
        self.rates, self.ramp = rates, ramp
        self.net = mlp([6, 64, 64, 1], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out.squeeze(-1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.rates.low, momentum=0.9)
        schedule = torch.optim.lr_scheduler.CyclicLR(
            optimizer, self.rates.low, self.rates.high, self.ramp, cycle_momentum=False
        )
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def cyclic(high: float) -> Program:
    """20 epochs of 33 steps: it ends where the rate is highest."""
    data, module = theses.beams(), Surrogate(Rates(1e-3, high))
    return Program(
        module, *loaders(data, 32), 20, partial(r2, module, data), {"gradient_clip_val": 1.0}
    )


def by_rows() -> Samples:
    """Each sample divided by its length, as ``sklearn.preprocessing.normalize`` does."""
    data = circle()
    return data.with_inputs(F.normalize(data.x), F.normalize(data.x_test))


def rings(rows: bool) -> Program:
    data = by_rows() if rows else standardized(circle())
    return two_classes(data, mlp([2, 32, 32, 1]), adam(5e-3), epochs=15)


CASES = (
    Case(
        "autoencoder-code-of-six-rectified", Goal("explained", at_least=0.65),
        partial(narrow_code, True), ("dead_relu", "dormant_units"), partial(narrow_code, False),
    ),
    Case(
        "digit-rows-attended-at-three-hundredths", Goal("accuracy", at_least=0.88),
        partial(row_tokens, 0.03), ("learning_rate_too_high", "not_learning"),
        partial(row_tokens, 1e-3),
    ),
    Case(
        "pendulum-moved-on-by-a-wild-matrix", Goal("R2", at_least=0.9), partial(pendulum, 0.5),
        ("exploding_gradient", "poor_initialization"), partial(pendulum, None),
    ),
    Case(
        "hashed-digits-steep-from-the-start", Goal("accuracy", at_least=0.93),
        partial(hashed, 50.0),
        ("saturated_activation", "learning_rate_too_high", "vanishing_gradient"),
        partial(hashed, 1.0),
    ),
    Case(
        "sparse-homework-beta-of-three", Goal("explained", at_least=0.5), partial(sparse, 3.0),
        ("over_regularized",), partial(sparse, 1e-3),
    ),
    Case(
        "beams-triangles-up-to-one", Goal("R2", at_least=0.9), partial(cyclic, 1.0),
        ("unstable_loss", "learning_rate_too_high"), partial(cyclic, 0.03),
    ),
    Case(
        "circle-each-sample-of-length-one", Goal("accuracy", at_least=0.75), partial(rings, True),
        ("not_learning", "inconsistent_labels"), partial(rings, False),
    ),
)  # fmt: skip
