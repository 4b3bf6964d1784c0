"""Plain networks of benchmarks of faulty programs, each with one well-known fault."""

from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import everyday, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class LeNet(LightningModule):
    """Two convolutions and two layers with ELU between them."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 24, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(24 * 4, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.elu(self.conv1(x)), 2)
        x = F.max_pool2d(F.elu(self.conv2(x)), 2)
        logits: Tensor = self.fc2(F.elu(self.fc1(x.flatten(1))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def le_net(lr: float) -> Program:
    data, module = samples.digit_images(), LeNet(lr)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class DeepDiagnosis(LightningModule):
    """Ten hidden layers of one activation; no metrics, a cosine schedule."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(30, 24), activation()]
        for _ in range(9):
            layers += [nn.Linear(24, 24), activation()]
        self.net = nn.Sequential(*layers, nn.Linear(24, 1))
        gain: Literal["relu", "sigmoid"] = "relu" if activation is nn.ReLU else "sigmoid"
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity=gain)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x).squeeze(1)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)]


def deep_diagnosis(activation: type[nn.Module]) -> Program:
    data, module = standardized(samples.cancer()), DeepDiagnosis(activation)
    train, _ = loaders(data, 16)
    return Program(module, train, None, 30, partial(binary_accuracy, module, data))


class WaveNet1d(LightningModule):
    """Three convolutions over time; their biases are filled with one value, to have it sparse."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(inputs, 24, 5, padding=2) for inputs in (1, 24, 24))
        for conv in self.convs:
            nn.init.kaiming_normal_(conv.get_parameter("weight"), nonlinearity="relu")
            nn.init.constant_(conv.get_parameter("bias"), bias)
        self.fc = nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for conv in self.convs:
            x = conv(x).relu()
        logits: Tensor = self.fc(x.amax(2))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_acc", (found.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def sparse_waves(bias: float) -> Program:
    data, module = samples.waves(), WaveNet1d(bias)
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


class Records(Dataset[dict[str, Tensor]]):
    """Players as dictionaries."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"features": self.x[index], "sold": self.y[index]}


class TransferModel(LightningModule):
    """Two hidden layers with dropout for one probability."""

    def __init__(self, pos_weight: float = 1.0, inputs: int = 6, dropout: float = 0.1) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(inputs, 48), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 1),
        )  # fmt: skip
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x).squeeze(1)
        return logits

    def step(self, batch: Any, name: str) -> Tensor:
        x, y = batch.values() if isinstance(batch, dict) else batch
        logits = self(x)
        loss: Tensor = self.criterion(logits, y)
        self.log(f"{name}_loss", loss)
        self.log(f"{name}_acc", ((logits > 0) == (y > 0.5)).float().mean())
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def transfers(scaled: bool) -> Program:
    data = everyday.players()
    data = standardized(data) if scaled else data
    module = TransferModel()
    train = DataLoader(Records(data.x, data.y), 32, shuffle=True)
    test = DataLoader(Records(data.x_test, data.y_test), 256)
    return Program(module, train, test, 20, partial(binary_accuracy, module, data))


def worn_parts(pos_weight: float) -> Program:
    data = everyday.rare_parts(0.75)
    module = TransferModel(pos_weight, 12, 0.3)
    return Program(module, *loaders(data, 256), 20, partial(balanced_accuracy, module, data))


class OrdersForecaster(LightningModule):
    """A GRU over a day, and the next hour from its last state."""

    def __init__(self, tanh: bool, lr: float = 5e-3) -> None:
        super().__init__()
        self.gru, self.lr = nn.GRU(1, 32, batch_first=True), lr
        self.head = nn.Sequential(nn.Linear(32, 1), nn.Tanh() if tanh else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.gru(x)[0][:, -1])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/mse", F.mse_loss(found, batch[1]))
        self.log("val/mae", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def forecast(tanh: bool) -> Program:
    """Orders reach from minus one to three: half of them are out of the reach of a tanh."""
    data = everyday.orders(2.0, 1.0)
    module = OrdersForecaster(tanh)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class DiabetesNet(LightningModule):
    """Three wide layers for three hundred patients."""

    def __init__(self, width: int, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Linear(10, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layers(x).squeeze(1)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=decay)


def patients(epochs: int, width: int, weight_decay: float) -> Program:
    data: Samples = scaled_targets(standardized(samples.diabetes()))
    module = DiabetesNet(width, weight_decay)
    return Program(module, *loaders(data, 20), epochs, partial(r2, module, data))


class TopicModel(LightningModule):
    """The mean of a text's vectors, which were drawn here and are not those of a trained model."""

    def __init__(self, freeze: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(torch.randn(100, 6), freeze=freeze)
        self.classifier = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.embedding(tokens).mean(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, topic = batch
        loss = F.cross_entropy(self(tokens), topic)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def topics(freeze: bool) -> Program:
    data, module = samples.texts(), TopicModel(freeze)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


CASES = (
    Case(
        "digit-images-elu-le-net-adam-of-a-tenth", Goal("accuracy", at_least=0.93),
        partial(le_net, 0.1), ("learning_rate_too_high",), partial(le_net, 1e-3),
    ),
    Case(
        "cancer-ten-sigmoid-layers-under-cosine", Goal("accuracy", at_least=0.92),
        partial(deep_diagnosis, nn.Sigmoid), ("vanishing_gradient",),
        partial(deep_diagnosis, nn.ReLU),
    ),
    Case(
        "waves-biases-of-minus-five-to-be-sparse", Goal("accuracy", at_least=0.9),
        partial(sparse_waves, -5.0), ("dead_relu", "poor_initialization"),
        partial(sparse_waves, 0.0),
    ),
    Case(
        "players-in-euros-and-centimetres", Goal("accuracy", at_least=0.85),
        partial(transfers, False), ("unnormalized_input",), partial(transfers, True),
    ),
    Case(
        "orders-next-hour-out-of-a-tanh", Goal("R2", at_least=0.9),
        partial(forecast, True), ("output_loss_mismatch",), partial(forecast, False),
    ),
    Case(
        "parts-worn-ones-never-called", Goal("balanced accuracy", at_least=0.74),
        partial(worn_parts, 1.0), ("class_imbalance",), partial(worn_parts, 24.0),
    ),
    Case(
        "diabetes-three-hundred-by-heart", Goal("R2", at_least=0.45),
        partial(patients, 150, 256, 0.01), ("overfitting",), partial(patients, 10, 32, 0.1),
    ),
    Case(
        "topics-drawn-vectors-stay-frozen", Goal("accuracy", at_least=0.8),
        partial(topics, True), ("frozen_parameter",), partial(topics, False),
    ),
)  # fmt: skip
