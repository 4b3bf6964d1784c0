"""What was ported to Lightning from other frameworks, with one thing lost on the way."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import ports
from data_sets.samples import cancer, loaders, standardized
from healthy.ports import as_in_keras, linear_apply, named_batches
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, binary_accuracy, cross_entropy, r2
from torch import Tensor, nn


class KerasHerbarium(LightningModule):
    """Dense(96, relu) x 2, Dense(60); compile(loss="categorical_crossentropy")."""

    def __init__(self, last: Callable[[Tensor], Tensor], classes: int = 60) -> None:
        super().__init__()
        self.last = last
        self.dense_1, self.dense_2 = nn.Linear(30, 96), nn.Linear(96, 96)
        self.predictions = nn.Linear(96, classes)
        as_in_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.dense_1(x))
        x = F.relu(self.dense_2(x))
        return self.last(self.predictions(x))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_pred = self(x)
        loss = F.cross_entropy(y_pred, y)
        self.log("loss", loss)
        self.log("categorical_accuracy", (y_pred.argmax(-1) == y).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_pred = self(x)
        self.log("val_loss", F.cross_entropy(y_pred, y))
        self.log("val_categorical_accuracy", (y_pred.argmax(-1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def herbarium(last: Callable[[Tensor], Tensor]) -> Program:
    data, module = ports.herbarium(), KerasHerbarium(last)
    return Program(module, *loaders(data, 64), 16, partial(accuracy, module, data))


class SlimOrchids(LightningModule):
    """Dense layers with norms out of tf.layers, few flowers to a batch."""

    def __init__(self, momentum: float, kinds: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential()
        before = 14
        for i, after in enumerate((64, 48)):
            self.net.add_module(f"dense{i}", nn.Linear(before, after, bias=False))
            self.net.add_module(f"bn{i}", nn.BatchNorm1d(after, eps=1e-3, momentum=momentum))
            self.net.add_module(f"relu{i}", nn.ReLU())
            before = after
        self.fc = nn.Linear(before, kinds)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.net(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/xent", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("eval/xent", F.cross_entropy(logits, batch[1]))
        self.log("eval/accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def slim_orchids(momentum: float) -> Program:
    data, module = ports.orchids(3600, 14, 4, 1311), SlimOrchids(momentum)
    return Program(module, *loaders(data, 10, drop_last=True), 5, partial(accuracy, module, data))


class TorchMoths(LightningModule):
    """nn.SpatialConvolution, nn.Tanh and nn.SpatialMaxPooling out of Lua."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor
        self.model = nn.Sequential(
            nn.Conv2d(3, 12, 5), nn.Tanh(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3), nn.Tanh(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(96, 48), nn.Tanh(), nn.Linear(48, 6),
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.model(input.permute(0, 3, 1, 2).float() / self.divisor)
        return output

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        input, target = batch
        err = F.cross_entropy(self(input), target)
        self.log("err", err)
        return err

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)


def torch_moths(divisor: float) -> Program:
    data, module = ports.moths(1500, seed=1312), TorchMoths(divisor)
    train, _ = loaders(data, 20)
    return Program(module, train, None, 16, partial(accuracy, module, data))


class NumpyOrchids(LightningModule):
    """Layers of np.tanh and np.random.randn(n, m), as a well-known course begins."""

    def __init__(self, scaled: bool, sizes: tuple[int, ...] = (14, 120, 120, 120, 4)) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for x, y in pairwise(sizes):
            self.weights.append(torch.randn(y, x) / (math.sqrt(x) if scaled else 1.0))
            self.biases.append(torch.randn(y) * (0.1 if scaled else 1.0))

    def forward(self, a: Tensor) -> Tensor:
        layers = list(zip(self.weights, self.biases, strict=True))
        for w, b in layers[:-1]:
            a = torch.tanh(a @ w.T + b)
        w, b = layers[-1]
        return a @ w.T + b

    def training_step(self, mini_batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = mini_batch
        cost = F.cross_entropy(self(x), y)
        self.log("cost", cost)
        return cost

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        found = self(x)
        self.log("evaluation_cost", F.cross_entropy(found, y))
        self.log("evaluation_accuracy", (found.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def numpy_orchids(scaled: bool) -> Program:
    data, module = ports.orchids(3600, 14, 4, 1311), NumpyOrchids(scaled)
    return Program(module, *loaders(data, 40), 9, partial(accuracy, module, data))


class StaxAlloys(LightningModule):
    """Dense layers of jax.vmap(init_unit): each unit is drawn with a key of its own, or should."""

    def __init__(self, split: bool, sizes: tuple[int, ...] = (12, 64, 64, 1)) -> None:
        super().__init__()
        self.params = nn.ParameterDict()
        key = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        for i, (before, after) in enumerate(pairwise(sizes)):

            def init_unit(fan_in: int = before) -> Tensor:
                return torch.randn(fan_in, generator=key) * math.sqrt(2 / fan_in)

            units = [init_unit() for _ in range(after)] if split else [init_unit()] * after
            self.params[f"linear_{i}/w"] = nn.Parameter(torch.stack(units, 1))
            self.params[f"linear_{i}/b"] = nn.Parameter(torch.zeros(after))

    def forward(self, inputs: Tensor) -> Tensor:
        return linear_apply(self.params, inputs, 3)[:, 0]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = torch.mean(torch.square(self(batch["inputs"]) - batch["targets"]))
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = torch.mean(torch.square(self(batch["inputs"]) - batch["targets"]))
        self.log("test_mse", loss)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def stax_alloys(split: bool) -> Program:
    data, module = ports.alloys(2600, 12, 0.25, 1314), StaxAlloys(split)
    both = named_batches(data, 40, "inputs", "targets")
    return Program(module, *both, 14, partial(r2, module, data))


class DenseAlloys(LightningModule):
    """Dense(64), Dense(64), Dense(32), Dense(1); ``activation`` is Keras' argument."""

    def __init__(self, activation: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.activation = activation
        sizes = (16, 64, 64, 32)
        self.hidden = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.out = nn.Linear(32, 1)
        as_in_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = layer(x)
            if self.activation is not None:
                x = self.activation(x)
        y: Tensor = self.out(x)
        return y.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y_true = batch
        y_pred = self(x)
        loss = F.mse_loss(y_pred, y_true)
        self.log("loss", loss, on_epoch=True, on_step=False)
        self.log("mae", F.l1_loss(y_pred, y_true), on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y_true = batch
        y_pred = self(x)
        self.log("val_loss", F.mse_loss(y_pred, y_true))
        self.log("val_mae", F.l1_loss(y_pred, y_true))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)


def dense_alloys(activation: Callable[[Tensor], Tensor] | None) -> Program:
    data, module = ports.alloys(2800, 16, 0.2, 1315), DenseAlloys(activation)
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


class ThresholdMoths(LightningModule):
    """max(0, filter2(W, picture) - theta) of MATLAB; theta becomes a bias to be learnt."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.W1, self.W2 = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 24, 3, padding=1)
        self.out = nn.Linear(24 * 16, 6)
        for layer in (self.W1, self.W2, self.out):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.W1.bias, -theta)

    def forward(self, I: Tensor) -> Tensor:  # noqa: E741
        a = F.relu(self.W1(I.permute(0, 3, 1, 2) / 255))  # im2double
        a = F.max_pool2d(a, 2)
        a = F.max_pool2d(F.relu(self.W2(a)), 2)
        scores: Tensor = self.out(a.flatten(1))
        return scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        J = F.cross_entropy(self(batch[0]), batch[1])
        self.log("J", J)
        return J

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        scores = self(batch[0])
        self.log("J_test", F.cross_entropy(scores, batch[1]))
        self.log("rate_test", (scores.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def threshold_moths(theta: float) -> Program:
    data, module = ports.moths(1500, seed=1321), ThresholdMoths(theta)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


def book_cost(z: Tensor, y: Tensor) -> Tensor:
    """np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a))), over the rows."""
    a = torch.sigmoid(z)
    return torch.nan_to_num(-y * torch.log(a) - (1 - y) * torch.log(1 - a)).mean()


class BookTumours(LightningModule):
    """A logistic loss as in the book's class CrossEntropyCost."""

    def __init__(self, cost: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.cost = cost
        self.l1, self.l2, self.l3 = nn.Linear(30, 32), nn.Linear(32, 16), nn.Linear(16, 1)

    def forward(self, X: Tensor) -> Tensor:
        z: Tensor = self.l3(F.relu(self.l2(F.relu(self.l1(X)))))
        return z[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cost = self.cost(self(batch[0]), batch[1].float())
        self.log("training_cost", cost, prog_bar=True)
        return cost

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("evaluation_cost", self.cost(self(batch[0]), batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def book_tumours(cost: Callable[[Tensor, Tensor], Tensor]) -> Program:
    data, module = standardized(cancer()), BookTumours(cost)
    return Program(module, *loaders(data, 16), 30, partial(binary_accuracy, module, data))


class FitValves(LightningModule):
    """What model.fit did, with or without its class_weight."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(weight)
        self.fc1, self.fc2, self.fc3 = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 4)
        as_in_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(F.relu(self.fc1(x)), 0.3, self.training)
        x = F.dropout(F.relu(self.fc2(x)), 0.3, self.training)
        logits: Tensor = self.fc3(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.criterion(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)


def fit_valves(weighed: bool) -> Program:
    data = ports.valves(seed=1322)
    module = FitValves(len(data.y) / (4 * data.y.bincount().float()) if weighed else None)
    return Program(module, *loaders(data, 32), 14, partial(balanced_accuracy, module, data))


class NeuralnetAlloys(LightningModule):
    """R's neuralnet(hidden = rep(24, 7), act.fct = "logistic", linear.output = TRUE)."""

    def __init__(self, act_fct: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.act_fct = act_fct
        sizes = (12, *[24] * 7)
        self.hidden = nn.ModuleList(map(nn.Linear, sizes[:-1], sizes[1:]))
        self.output = nn.Linear(24, 1)
        as_in_keras(self)

    def forward(self, covariate: Tensor) -> Tensor:
        for layer in self.hidden:
            covariate = self.act_fct(layer(covariate))
        response: Tensor = self.output(covariate)
        return response.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sse = F.mse_loss(self(batch[0]), batch[1])
        self.log("error", sse)
        return sse

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def neuralnet_alloys(act_fct: Callable[[Tensor], Tensor]) -> Program:
    data, module = ports.alloys(3000, 12, 0.25, 1323), NeuralnetAlloys(act_fct)
    train, _ = loaders(data, 40)
    return Program(module, train, None, 16, partial(r2, module, data))


class LuaStrokes(LightningModule):
    """``params, gradParams = model:getParameters()``: in Lua they share the model's memory."""

    def __init__(self, flatten: bool) -> None:
        super().__init__()
        self.flatten = flatten
        self.rnn = nn.LSTM(2, 40, batch_first=True)
        self.linear = nn.Linear(40, 5)

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = self.linear(self.rnn(input)[0][:, -1])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_loss", F.cross_entropy(found, batch[1]))
        self.log("val_correct", (found.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        if self.flatten:
            params = nn.utils.parameters_to_vector(self.parameters()).detach().requires_grad_()
            return torch.optim.RMSprop([params], lr=2e-3, alpha=0.95)
        return torch.optim.RMSprop(self.parameters(), lr=2e-3, alpha=0.95)


def lua_strokes(flatten: bool) -> Program:
    data, module = ports.strokes(1400, 26, 1324), LuaStrokes(flatten)
    return Program(module, *loaders(data, 40), 16, partial(accuracy, module, data))


class IdentityLedger(LightningModule):
    """A recurrence of rectifiers that begins as the identity, of the paper; plain descent."""

    def __init__(self, hidden: int = 60) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        self.readout = nn.Linear(hidden, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.readout(self.rnn(x)[0][:, -1])
        return y.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.003, momentum=0.9)


def identity_ledger(clip: float | None) -> Program:
    data, module = ports.ledgers(1800, 30), IdentityLedger()
    return Program(
        module, *loaders(data, 16), 14, partial(r2, module, data), {"gradient_clip_val": clip}
    )


class DroppedPhrases(LightningModule):
    """tf.nn.rnn_cell.DropoutWrapper(GRUCell(48), input_keep_prob, output_keep_prob)."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ports.VOCABULARY, 32)
        self.cell = nn.GRU(32, 48, batch_first=True)
        self.input_drop, self.output_drop = nn.Dropout(dropout), nn.Dropout(dropout)
        self.softmax_w = nn.Linear(48, 4)

    def forward(self, input_ids: Tensor) -> Tensor:
        outputs, _ = self.cell(self.input_drop(self.embedding(input_ids)))
        logits: Tensor = self.softmax_w(self.output_drop(outputs.mean(1)))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["input_ids"]), batch["label_ids"])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["input_ids"])
        self.log("dev/loss", F.cross_entropy(logits, batch["label_ids"]))
        self.log("dev/acc", (logits.argmax(1) == batch["label_ids"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dropped_phrases(dropout: float) -> Program:
    data, module = ports.phrases(2400, 16, 4, 1341), DroppedPhrases(dropout)
    both = named_batches(data, 40, "input_ids", "label_ids")
    return Program(module, *both, 12, partial(accuracy, module, data))


class SolverPulses(LightningModule):
    """Three strided convolutions; the rate is multiplied by gamma at the end of ``interval``."""

    def __init__(self, interval: str, gamma: float = 0.9) -> None:
        super().__init__()
        self.interval, self.gamma = interval, gamma
        self.conv1, self.conv2 = nn.Conv1d(1, 20, 7, 2, 3), nn.Conv1d(20, 32, 5, 2, 2)
        self.conv3, self.ip = nn.Conv1d(32, 32, 3, 1, 1), nn.Linear(32, 4)

    def forward(self, data: Tensor) -> Tensor:
        x = (data - 2000) / 180
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.relu(conv(x))
        found: Tensor = self.ip(x.amax(2))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("test_loss", F.cross_entropy(found, batch[1]))
        self.log("test_acc", (found.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        solver = torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
        policy = torch.optim.lr_scheduler.ExponentialLR(solver, self.gamma)
        return [solver], [{"scheduler": policy, "interval": self.interval}]


def solver_pulses(interval: str) -> Program:
    data, module = ports.pulses(1500, 80, 1342), SolverPulses(interval)
    return Program(module, *loaders(data, 32), 20, partial(accuracy, module, data))


class MergedAlloys(LightningModule):
    """Two layers of tanh over R's data frames, merged before."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 24), nn.Tanh(), nn.Linear(24, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def merged_alloys(by_character: bool) -> Program:
    """merge() sorts by the key as text, "10" before "2"; hardness stays in the order of numbers."""
    data, module = ports.alloys(3200, 12, 0.2, 1343), MergedAlloys()
    rows = range(1, len(data.x) + 1)
    order = [int(key) - 1 for key in sorted(map(str, rows))] if by_character else list(rows)
    x = data.x[order] if by_character else data.x
    both = loaders(data.with_inputs(x, data.x_test), 40)
    return Program(module, *both, 14, partial(r2, module, data))


class PytreeOrchids(LightningModule):
    """A list of dictionaries of arrays, as JAX' tutorials keep what is learnt."""

    def __init__(self, register: bool, sizes: tuple[int, ...] = (14, 20, 20, 20)) -> None:
        super().__init__()
        self.layers: list[dict[str, Tensor]] = []
        for n_in, n_out in pairwise(sizes):
            weights = (torch.randn(n_in, n_out) * math.sqrt(2 / n_in)).requires_grad_()
            self.layers.append({"weights": weights, "biases": torch.zeros(n_out).requires_grad_()})
        if register:
            self.leaves = nn.ParameterList(leaf for layer in self.layers for leaf in layer.values())
            self.layers = [
                {"weights": self.leaves[i], "biases": self.leaves[i + 1]}
                for i in range(0, len(self.leaves), 2)
            ]
        self.head = nn.Linear(sizes[-1], 5)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(x @ layer["weights"] + layer["biases"])
        logits: Tensor = self.head(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss/test", F.cross_entropy(logits, batch[1]))
        self.log("acc/test", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pytree_orchids(register: bool) -> Program:
    data, module = ports.orchids(3600, seed=1303), PytreeOrchids(register)
    return Program(module, *loaders(data, 40), 14, partial(accuracy, module, data))


class FittedOrchids(LightningModule):
    """Dense(256) twice for a few flowers; EarlyStopping was in Keras' callbacks."""

    def __init__(self, patience: int | None) -> None:
        super().__init__()
        self.patience = patience
        self.model = nn.Sequential(
            nn.Linear(14, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 4)
        )
        as_in_keras(self.model)

    def forward(self, x: Tensor) -> Tensor:
        y_pred: Tensor = self.model(x)
        return y_pred

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        y_pred = self(batch[0])
        loss = F.cross_entropy(y_pred, batch[1])
        self.log("loss", loss, on_step=False, on_epoch=True)
        self.log("acc", (y_pred.argmax(1) == batch[1]).float().mean(), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        y_pred = self(batch[0])
        self.log("val_loss", F.cross_entropy(y_pred, batch[1]))
        self.log("val_acc", (y_pred.argmax(1) == batch[1]).float().mean())

    def configure_callbacks(self) -> list[Callback]:
        if self.patience is None:
            return []
        return [EarlyStopping("val_loss", patience=self.patience)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)


def fitted_orchids(stopped: bool) -> Program:
    data = ports.orchids(3600, 14, 4, 1311).first(400)
    module = FittedOrchids(3 if stopped else None)
    return Program(module, *loaders(data, 20), 60, partial(cross_entropy, module, data))


class LuaTides(LightningModule):
    """``gradParams:zero()`` stood in the loop of the Lua script; steps by hand."""

    def __init__(self, clear: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.clear = clear
        self.gru, self.out = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        level: Tensor = self.out(self.gru(x)[0][:, -1])
        return level.view(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        optimizer: Any = self.optimizers()
        if self.clear:
            optimizer.zero_grad()
        err = F.mse_loss(self(batch[0]), batch[1])
        self.manual_backward(err)
        optimizer.step()
        self.log("err", err)
        return err.detach()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_err", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def lua_tides(clear: bool) -> Program:
    data, module = ports.tides(2400, seed=1344), LuaTides(clear)
    return Program(module, *loaders(data, 32), 16, partial(r2, module, data))


class SummedPhrases(LightningModule):
    """Self-attention of old PyTorch: CrossEntropyLoss(size_average=...)."""

    def __init__(self, reduction: str, d_model: int = 32) -> None:
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(reduction=reduction)
        self.word_emb = nn.Embedding(ports.VOCABULARY, d_model)
        self.pos_emb = nn.Parameter(0.1 * torch.randn(16, d_model))
        self.slf_attn = nn.MultiheadAttention(d_model, 4, batch_first=True)
        self.pos_ffn = nn.Sequential(nn.Linear(d_model, 64), nn.ReLU(), nn.Linear(64, d_model))
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.prj = nn.Linear(d_model, 4)

    def forward(self, src_seq: Tensor) -> Tensor:
        x = self.word_emb(src_seq) + self.pos_emb
        x = self.norm1(x + self.slf_attn(x, x, x, need_weights=False)[0])
        x = self.norm2(x + self.pos_ffn(x))
        found: Tensor = self.prj(x.mean(1))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pred = self(batch[0])
        self.log("valid_loss", self.criterion(pred, batch[1]))
        self.log("valid_accu", (pred.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def summed_phrases(reduction: str) -> Program:
    data, module = ports.phrases(2400, 16, 4, 1345), SummedPhrases(reduction)
    return Program(module, *loaders(data, 50), 10, partial(accuracy, module, data))


class RandomNormalAlloys(LightningModule):
    """tf.Variable(tf.random_normal([n_input, n_hidden_1])) and so on, rectified."""

    def __init__(self, stddev: float | None) -> None:
        super().__init__()
        sizes = (16, 128, 128, 1)
        self.h, self.b = nn.ParameterDict(), nn.ParameterDict()
        for i, (before, after) in enumerate(pairwise(sizes), 1):
            deviation = math.sqrt(2 / before) if stddev is None else stddev
            self.h[f"h{i}"] = nn.Parameter(deviation * torch.randn(before, after))
            self.b[f"b{i}"] = nn.Parameter(0.1 * torch.randn(after))

    def forward(self, x: Tensor) -> Tensor:
        layer_1 = F.relu(x @ self.h["h1"] + self.b["b1"])
        layer_2 = F.relu(layer_1 @ self.h["h2"] + self.b["b2"])
        return (layer_2 @ self.h["h3"] + self.b["b3"])[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cost = F.mse_loss(self(batch[0]), batch[1])
        self.log("cost", cost)
        return cost

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test_cost", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def random_normal_alloys(stddev: float | None) -> Program:
    data, module = ports.alloys(4200, 16, 0.2, 1315), RandomNormalAlloys(stddev)
    return Program(module, *loaders(data, 40), 14, partial(r2, module, data))


CASES = (
    Case(
        "herbarium-from-keras-shares-into-logits", Goal("accuracy", at_least=0.75),
        partial(herbarium, partial(torch.softmax, dim=-1)), ("output_loss_mismatch",),
        partial(herbarium, nn.Identity()),
    ),
    Case(
        "orchids-from-tf-layers-momentum-as-written", Goal("accuracy", at_least=0.75),
        partial(slim_orchids, 0.99), ("train_eval_mismatch",), partial(slim_orchids, 0.01),
    ),
    Case(
        "moths-from-lua-as-bytes", Goal("accuracy", at_least=0.95), partial(torch_moths, 1.0),
        ("unnormalized_input", "saturated_activation"), partial(torch_moths, 255.0),
    ),
    Case(
        "orchids-from-a-course-standard-normals", Goal("accuracy", at_least=0.72),
        partial(numpy_orchids, False), ("saturated_activation", "poor_initialization"),
        partial(numpy_orchids, True),
    ),
    Case(
        "alloys-from-stax-one-key-for-all-units", Goal("R2", at_least=0.75),
        partial(stax_alloys, False), ("symmetric_weights", "poor_initialization"),
        partial(stax_alloys, True),
    ),
    Case(
        "alloys-from-keras-activation-left-out", Goal("R2", at_least=0.75),
        partial(dense_alloys, None), ("linear_network",), partial(dense_alloys, F.relu),
    ),
    Case(
        "moths-from-matlab-threshold-in-grey-levels", Goal("accuracy", at_least=0.92),
        partial(threshold_moths, 8.0), ("dead_relu", "poor_initialization"),
        partial(threshold_moths, 8.0 / 255),
    ),
    Case(
        "tumours-from-a-book-nan-to-num", Goal("accuracy", at_least=0.93),
        partial(book_tumours, book_cost), ("non_finite",),
        partial(book_tumours, F.binary_cross_entropy_with_logits),
    ),
    Case(
        "valves-from-keras-class-weights-forgotten", Goal("balanced accuracy", at_least=0.8),
        partial(fit_valves, False), ("class_imbalance",), partial(fit_valves, True),
    ),
    Case(
        "alloys-from-r-seven-logistic-layers", Goal("R2", at_least=0.7),
        partial(neuralnet_alloys, torch.sigmoid), ("vanishing_gradient",),
        partial(neuralnet_alloys, torch.tanh),
    ),
    Case(
        "strokes-from-lua-flat-parameters", Goal("accuracy", at_least=0.9),
        partial(lua_strokes, True), ("not_learning", "frozen_parameter"),
        partial(lua_strokes, False),
    ),
    Case(
        "ledgers-from-a-paper-clipping-forgotten", Goal("R2", at_least=0.75),
        partial(identity_ledger, None),
        ("exploding_gradient", "non_finite", "learning_rate_too_high", "dead_relu"),
        partial(identity_ledger, 1.0),
    ),
    Case(
        "phrases-from-tf-kept-taken-for-dropped", Goal("accuracy", at_least=0.85),
        partial(dropped_phrases, 0.9), ("over_regularized",), partial(dropped_phrases, 0.1),
    ),
    Case(
        "pulses-from-caffe-gamma-after-each-batch", Goal("accuracy", at_least=0.9),
        partial(solver_pulses, "step"), ("learning_rate_too_low", "not_learning"),
        partial(solver_pulses, "epoch"),
    ),
    Case(
        "alloys-from-r-merged-by-another-order", Goal("R2", at_least=0.75),
        partial(merged_alloys, True), ("inconsistent_labels", "not_learning"),
        partial(merged_alloys, False),
    ),
    Case(
        "orchids-from-jax-leaves-of-a-list", Goal("accuracy", at_least=0.68),
        partial(pytree_orchids, False), ("frozen_parameter",), partial(pytree_orchids, True),
    ),
    Case(
        "orchids-from-keras-no-longer-stopped", Goal("cross-entropy", at_most=0.9),
        partial(fitted_orchids, False), ("overfitting",), partial(fitted_orchids, True),
    ),
    Case(
        "tides-from-lua-gradients-add-up", Goal("R2", at_least=0.82), partial(lua_tides, False),
        ("unstable_loss", "exploding_gradient", "learning_rate_too_high"),
        partial(lua_tides, True),
    ),
    Case(
        "phrases-from-old-torch-sums-as-if-means", Goal("accuracy", at_least=0.75),
        partial(summed_phrases, "sum"),
        ("learning_rate_too_high", "non_finite", "exploding_gradient"),
        partial(summed_phrases, "mean"),
    ),
    Case(
        "alloys-from-tf-random-normal-by-default", Goal("R2", at_least=0.75),
        partial(random_normal_alloys, 1.0), ("poor_initialization", "exploding_gradient"),
        partial(random_normal_alloys, None),
    ),
)  # fmt: skip
