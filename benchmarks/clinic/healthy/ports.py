"""What was ported to Lightning from other frameworks, its habits translated as they should be."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import ports
from data_sets.samples import Samples, cancer, digit_images, digits, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def as_in_keras(network: nn.Module) -> None:
    """Glorot's uniform kernels, zero biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Conv1d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class KerasMoths(LightningModule):
    """keras.Sequential([Conv2D, BatchNormalization, ...]); pictures come as NHWC bytes."""

    def __init__(self, num_classes: int = 6) -> None:
        super().__init__()
        self.num_classes = num_classes
        bn = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)  # Keras: momentum=0.99
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding="same"), bn(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding="same"), bn(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding="same"), bn(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(0.25),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Linear(512, 48), nn.ReLU(), nn.Dropout(0.4))
        self.logits = nn.Linear(48, num_classes)
        as_in_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        x = images.permute(0, 3, 1, 2).float() / 255.0
        x = self.features(x)
        x = x.permute(0, 2, 3, 1).flatten(1)  # the order of Keras' Flatten
        logits: Tensor = self.logits(self.dense(x))
        return logits

    def loss(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        y_true = F.one_hot(labels, self.num_classes).float()
        y_pred = self(images)
        return F.cross_entropy(y_pred, y_true), (y_pred.argmax(1) == labels).float().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, acc = self.loss(*batch)
        self.log_dict({"loss": loss, "accuracy": acc}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, acc = self.loss(*batch)
        self.log_dict({"val_loss": loss, "val_accuracy": acc})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7)


def keras_moths() -> Program:
    data, module = ports.moths(), KerasMoths()
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


class CourseMomentum(torch.optim.Optimizer):
    """v = mu * v - lr * dx; x += v, as the course's notebook has it."""

    def __init__(self, params: Iterable[Tensor], lr: float, mu: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "mu": mu})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for x in group["params"]:
                v = self.state[x].setdefault("v", torch.zeros_like(x))
                v.mul_(group["mu"]).sub_(group["lr"] * x.grad)
                x.add_(v)
        return loss


class FourLineNet(LightningModule):
    """A net of matrices, W1 to W3, as in numpy; half the mean of squares is the loss."""

    def __init__(self, d: int = 12, h: int = 64) -> None:
        super().__init__()

        def he(rows: int, columns: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(rows, columns) * math.sqrt(2.0 / rows))

        self.W1, self.b1 = he(d, h), nn.Parameter(torch.zeros(h))
        self.W2, self.b2 = he(h, h), nn.Parameter(torch.zeros(h))
        self.W3, self.b3 = he(h, 1), nn.Parameter(torch.zeros(1))

    def forward(self, X: Tensor) -> Tensor:
        h1 = torch.clamp(X @ self.W1 + self.b1, min=0)
        h2 = torch.clamp(h1 @ self.W2 + self.b2, min=0)
        return (h2 @ self.W3 + self.b3)[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        X, y = batch
        data_loss = 0.5 * torch.sum((self(X) - y) ** 2) / X.shape[0]
        reg_loss = 0.5 * 1e-4 * sum((W * W).sum() for W in (self.W1, self.W2, self.W3))
        self.log("data_loss", data_loss)
        return data_loss + reg_loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return CourseMomentum(self.parameters(), lr=1e-2)


def four_lines() -> Program:
    data, module = ports.alloys(4000), FourLineNet()
    train, _ = loaders(data, 50)
    return Program(module, train, None, 18, partial(r2, module, data))


def linear_init(sizes: list[int]) -> nn.ParameterDict:
    """What hk.transform(...).init gives: truncated normal weights of 1 / sqrt(fan in)."""
    params = nn.ParameterDict()
    for i, (before, after) in enumerate(pairwise(sizes)):
        w = nn.init.trunc_normal_(torch.empty(before, after), std=before**-0.5,
                                  a=-2 * before**-0.5, b=2 * before**-0.5)  # fmt: skip
        params[f"linear_{i}/w"] = nn.Parameter(w)
        params[f"linear_{i}/b"] = nn.Parameter(torch.zeros(after))
    return params


def linear_apply(params: nn.ParameterDict, x: Tensor, layers: int) -> Tensor:
    for i in range(layers):
        x = x @ params[f"linear_{i}/w"] + params[f"linear_{i}/b"]
        x = F.silu(x) if i + 1 < layers else x
    return x


class HaikuOrchids(LightningModule):
    """optax.chain(clip_by_global_norm(1), adamw(warmup_cosine_decay_schedule(...)))."""

    def __init__(self, peak_value: float = 3e-3, warmup_steps: int = 60) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.params = linear_init([14, 80, 80, 5])

    def forward(self, x: Tensor) -> Tensor:
        return linear_apply(self.params, x, 3)

    def loss_fn(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        logits = self(batch["x"])
        log_probs = F.log_softmax(logits, -1)
        loss = -(F.one_hot(batch["label"], 5) * log_probs).sum(-1).mean()
        return loss, {"acc": (logits.argmax(-1) == batch["label"]).float().mean()}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss, aux = self.loss_fn(batch)
        self.log("train/loss", loss)
        return {"loss": loss, **aux}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss, aux = self.loss_fn(batch)
        self.log("eval/loss", loss)
        self.log("eval/acc", aux["acc"])

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.hparams["peak_value"], weight_decay=1e-2
        )
        total, warm = int(self.trainer.estimated_stepping_batches), self.hparams["warmup_steps"]

        def schedule(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            done = (step - warm) / max(1, total - warm)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def named_batches(
    data: Samples, batch_size: int, x: str = "x", y: str = "label"
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Loaders of dictionaries, as tensorflow_datasets gives them."""
    train: Any = [{x: a, y: b} for a, b in zip(data.x, data.y, strict=True)]
    test: Any = [{x: a, y: b} for a, b in zip(data.x_test, data.y_test, strict=True)]
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, 256)


def haiku_orchids() -> Program:
    data, module = ports.orchids(), HaikuOrchids()
    return Program(
        module, *named_batches(data, 64), 14, partial(accuracy, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class KerasStrokes(LightningModule):
    """keras.layers.LSTM(48): Glorot's and orthogonal kernels, forget gates open at first."""

    def __init__(self, units: int = 48) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, units, batch_first=True)
        self.dense = nn.Linear(units, 5)
        for name, parameter in self.lstm.named_parameters():
            if "weight_ih" in name:
                for gate in parameter.chunk(4):
                    nn.init.xavier_uniform_(gate)
            elif "weight_hh" in name:
                for gate in parameter.chunk(4):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(parameter)
        with torch.no_grad():  # unit_forget_bias; PyTorch's gates are i, f, g, o, too
            self.lstm.bias_ih_l0[units : 2 * units] = 1.0
        as_in_keras(self.dense)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.lstm(x)
        logits: Tensor = self.dense(outputs[:, -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_pred = self(x)
        self.log("val_loss", F.cross_entropy(y_pred, y))
        self.log("val_sparse_categorical_accuracy", (y_pred.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3, alpha=0.9, eps=1e-7)


def keras_strokes() -> Program:
    data, module = ports.strokes(), KerasStrokes()
    return Program(
        module, *loaders(data, 32), 20, partial(accuracy, module, data),
        {"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"},
    )  # fmt: skip


class PatternNet(LightningModule):
    """MATLAB's patternnet([20 10]) trained by trainrp: all rows at once, resilient steps."""

    def __init__(self, inputs: int = 30, regularization: float = 0.2) -> None:
        super().__init__()
        self.regularization = regularization  # performParam.regularization
        self.IW, self.LW1, self.LW2 = nn.Linear(inputs, 20), nn.Linear(20, 10), nn.Linear(10, 1)
        for layer in (self.IW, self.LW1):
            self.initnw(layer)

    @staticmethod
    @torch.no_grad()
    def initnw(layer: nn.Linear) -> None:
        """Nguyen and Widrow's: active regions spread over what the layer is given."""
        norm = 0.7 * layer.out_features ** (1 / layer.in_features)
        layer.weight.uniform_(-1, 1)
        layer.weight.mul_(norm / layer.weight.norm(dim=1, keepdim=True))
        layer.bias.copy_(norm * torch.linspace(-1, 1, layer.out_features))

    def forward(self, X: Tensor) -> Tensor:
        a1 = torch.tanh(self.IW(X))  # tansig
        a2 = torch.tanh(self.LW1(a1))
        out: Tensor = self.LW2(a2)
        return out.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        perf = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1].float())
        wb = nn.utils.parameters_to_vector(self.parameters())
        perf = (1 - self.regularization) * perf + self.regularization * wb.square().mean()
        self.log("perf", perf)
        return perf

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("vperf", F.binary_cross_entropy_with_logits(out, batch[1].float()))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # delta0, delt_inc, delt_dec, deltamax of trainParam
        return torch.optim.Rprop(
            self.parameters(), lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-6, 1.0)
        )


def mapminmax(data: Samples) -> Samples:
    """Each input to -1..1, by the rows to train on."""
    low, high = data.x.amin(0), data.x.amax(0)
    return data.with_inputs(
        2 * (data.x - low) / (high - low) - 1, 2 * (data.x_test - low) / (high - low) - 1
    )


def pattern_net() -> Program:
    data, module = mapminmax(cancer()), PatternNet()
    both = loaders(data, len(data.x), shuffle=False)
    return Program(
        module, *both, 160, partial(binary_accuracy, module, data), {"check_val_every_n_epoch": 5}
    )


class CaffeLeNet(LightningModule):
    """lenet_train_test.prototxt for small pictures; lr_mult and decay_mult as parameter groups."""

    def __init__(self, base_lr: float = 0.02) -> None:
        super().__init__()
        self.base_lr = base_lr
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 3, padding=1), nn.Conv2d(20, 50, 3)
        self.ip1, self.ip2 = nn.Linear(50, 100), nn.Linear(100, 10)
        for layer in (self.conv1, self.conv2, self.ip1, self.ip2):
            bound = math.sqrt(3 / layer.weight[0].numel())  # Caffe's "xavier" looks at fan-in only
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)

    def forward(self, data: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(data), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        x = F.relu(self.ip1(x.flatten(1)))
        score: Tensor = self.ip2(x)
        return score

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("SoftmaxWithLoss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        score = self(batch[0])
        self.log("test/loss", F.cross_entropy(score, batch[1]))
        self.log("test/accuracy", (score.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        weights = [p for name, p in self.named_parameters() if name.endswith("weight")]
        biases = [p for name, p in self.named_parameters() if name.endswith("bias")]
        groups: Any = [
            {"params": weights, "weight_decay": 5e-4},
            {"params": biases, "lr": 2 * self.base_lr, "weight_decay": 0.0},
        ]
        solver = torch.optim.SGD(groups, lr=self.base_lr, momentum=0.9)
        inv = torch.optim.lr_scheduler.LambdaLR(solver, lambda it: (1 + 1e-3 * it) ** -0.75)
        return {"optimizer": solver, "lr_scheduler": {"scheduler": inv, "interval": "step"}}


def caffe_numerals() -> Program:
    data, module = digit_images(), CaffeLeNet()
    return Program(module, *loaders(data, 64), 16, partial(accuracy, module, data))


class CellByCell(LightningModule):
    """Code of PyTorch 0.3 without its Variables: a GRUCell in a loop over time."""

    def __init__(self, nhid: int = 40) -> None:
        super().__init__()
        self.nhid = nhid
        self.encoder = nn.Linear(2, nhid)
        self.cell = nn.GRUCell(nhid, nhid)
        self.decoder = nn.Linear(nhid, 1)
        self.criterion = nn.SmoothL1Loss()  # was size_average=True
        initrange = 0.15
        self.encoder.weight.data.uniform_(-initrange, initrange)
        self.decoder.weight.data.uniform_(-initrange, initrange)
        self.decoder.bias.data.fill_(0)

    def init_hidden(self, bsz: int) -> Tensor:
        return next(self.parameters()).data.new_zeros(bsz, self.nhid)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.init_hidden(inputs.size(0))
        for t in range(inputs.size(1)):
            hidden = self.cell(torch.tanh(self.encoder(inputs[:, t])), hidden)
        output: Tensor = self.decoder(hidden)
        return output.view(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        inputs, targets = batch
        loss: Tensor = self.criterion(self(inputs), targets)
        if batch_idx % 10 == 0:
            self.log("cur_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("valid_loss", self.criterion(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.5)]


def cell_by_cell() -> Program:
    data, module = ports.tides(), CellByCell()
    return Program(
        module, *loaders(data, 40), 12, partial(r2, module, data),
        {"gradient_clip_val": 0.25, "gradient_clip_algorithm": "value"},
    )  # fmt: skip


class EncoderBlock(nn.Module):
    """What flax.linen.MultiHeadDotProductAttention and MlpBlock do, in einsums."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        head = dim // heads
        lecun = dim**-0.5
        self.qkv = nn.Parameter(torch.randn(3, dim, heads, head) * lecun)
        self.out = nn.Parameter(torch.randn(heads, head, dim) * lecun)
        self.wi, self.wo = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        for layer in (self.wi, self.wo):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = torch.einsum("bld,tdhk->tblhk", self.norm1(x), self.qkv)
        weights = torch.einsum("bqhk,bshk->bhqs", q / q.shape[-1] ** 0.5, k).softmax(-1)
        x = x + torch.einsum("bhqs,bshk,hkd->bqd", weights, v, self.out)
        found: Tensor = x + self.wo(F.gelu(self.wi(self.norm2(x)), approximate="tanh"))
        return found


class FlaxPhrases(LightningModule):
    """Two blocks, norms first, a mean over places; smoothed labels and rsqrt decay."""

    def __init__(self, dim: int = 48) -> None:
        super().__init__()
        self.embed = nn.Embedding(ports.VOCABULARY, dim)
        nn.init.normal_(self.embed.weight, std=dim**-0.5)
        self.position = nn.Parameter(0.02 * torch.randn(1, 14, dim))
        self.blocks = nn.Sequential(EncoderBlock(dim, 4), EncoderBlock(dim, 4))
        self.norm, self.dropout = nn.LayerNorm(dim, eps=1e-6), nn.Dropout(0.1)
        self.logits = nn.Linear(dim, 4)
        nn.init.zeros_(self.logits.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.dropout(self.embed(inputs) + self.position)
        found: Tensor = self.logits(self.norm(self.blocks(x)).mean(1))
        return found

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["inputs"])
        on, off = 0.9, 0.1 / 3
        soft = F.one_hot(batch["targets"], 4) * (on - off) + off
        loss = -(soft * logits.log_softmax(-1)).sum(-1).mean()
        # less the entropy of the soft targets, as in the examples' compute_weighted_cross_entropy
        loss = loss + (on * math.log(on) + 3 * off * math.log(off))
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["inputs"])
        self.log("eval_loss", F.cross_entropy(logits, batch["targets"]))
        self.log("eval_accuracy", (logits.argmax(-1) == batch["targets"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=2e-3, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.05
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / 80, math.sqrt(80 / (step + 1)))
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def flax_phrases() -> Program:
    data, module = ports.phrases(), FlaxPhrases()
    both = named_batches(data, 32, "inputs", "targets")
    return Program(module, *both, 8, partial(accuracy, module, data))


class DeepMoths(LightningModule):
    """TensorFlow 1's "deep" tutorial: weight_variable, bias_variable, keep_prob, shadows."""

    def __init__(self, keep_prob: float = 0.5, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 32, 5, padding=2)
        self.fc1, self.fc2 = nn.Linear(32 * 16, 64), nn.Linear(64, 6)
        self.dropout = nn.Dropout(1 - keep_prob)
        for layer in (self.conv1, self.conv2, self.fc1, self.fc2):
            nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
            nn.init.constant_(layer.bias, 0.1)
        self.shadow = [p.detach().clone() for p in self.parameters()]
        self.updates = 0

    def forward(self, x_image: Tensor) -> Tensor:
        x = x_image.permute(0, 3, 1, 2) / 255.0 - 0.5
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        y_conv: Tensor = self.fc2(self.dropout(F.relu(self.fc1(x.flatten(1)))))
        return y_conv

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        y_conv = self(batch[0])
        cross_entropy = F.cross_entropy(y_conv, batch[1])
        self.log("cross_entropy", cross_entropy, on_epoch=True)
        return cross_entropy

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for shadow, p in zip(self.shadow, self.parameters(), strict=True):
            shadow.lerp_(p, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        for i, p in enumerate(self.parameters()):
            kept = p.detach().clone()
            p.copy_(self.shadow[i])
            self.shadow[i] = kept

    def on_validation_start(self) -> None:
        self.swap()

    def on_validation_end(self) -> None:
        self.swap()

    def on_train_end(self) -> None:
        self.swap()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        y_conv = self(batch[0])
        self.log("test_accuracy", (y_conv.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)
        stairs = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9 ** (step // 50))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": stairs, "interval": "step"}}


def deep_moths() -> Program:
    data, module = ports.moths(1400, seed=1331), DeepMoths()
    return Program(module, *loaders(data, 50), 18, partial(accuracy, module, data))


class SentenceCnn(LightningModule):
    """Of the paper: windows of 3, 4 and 5, Adadelta, rows of the last layer kept short."""

    def __init__(self, k: int = 48, maps: int = 32, s: float = 3.0) -> None:
        super().__init__()
        self.s = s
        self.lookup = nn.Embedding(ports.VOCABULARY, k)
        nn.init.uniform_(self.lookup.weight, -0.25, 0.25)
        self.filters = nn.ModuleList(nn.Conv1d(k, maps, h) for h in (3, 4, 5))
        self.softmax_layer = nn.Linear(3 * maps, 4)

    def forward(self, words: Tensor) -> Tensor:
        x = self.lookup(words).transpose(1, 2)
        c_hat = torch.cat([F.relu(conv(x)).amax(2) for conv in self.filters], 1)
        y: Tensor = self.softmax_layer(F.dropout(c_hat, 0.5, self.training))
        return y

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_nll", loss)
        return {"loss": loss}

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        self.softmax_layer.weight.renorm_(2, 0, self.s)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        y = self(batch[0])
        self.log("dev_nll", F.cross_entropy(y, batch[1]))
        self.log("dev_perf", 100 * (y.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adadelta(self.parameters(), lr=1.0, rho=0.95, eps=1e-6)


def sentence_cnn() -> Program:
    data, module = ports.phrases(2400, 18, 4, 1332), SentenceCnn()
    return Program(module, *loaders(data, 50), 14, partial(accuracy, module, data))


class TiedCodec(LightningModule):
    """Theano's dA: sigmoids, one matrix for both ways, pixels left out, a sum over pixels."""

    def __init__(self, n_visible: int = 64, n_hidden: int = 50, corruption: float = 0.3) -> None:
        super().__init__()
        self.corruption = corruption
        bound = 4 * math.sqrt(6 / (n_visible + n_hidden))
        self.W = nn.Parameter(torch.empty(n_visible, n_hidden).uniform_(-bound, bound))
        self.b, self.b_prime = nn.Parameter(torch.zeros(n_hidden)), nn.Parameter(torch.zeros(64))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.sigmoid(x @ self.W + self.b)
        return torch.sigmoid(y @ self.W.T + self.b_prime)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        z = self(x * torch.bernoulli(torch.full_like(x, 1 - self.corruption)))
        L = -(x * torch.log(z) + (1 - x) * torch.log(1 - z)).sum(1)
        cost = L.mean()
        self.log("cost", cost)
        return cost

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def tied_codec() -> Program:
    data, module = digits(), TiedCodec()
    same = data._replace(y=data.x, y_test=data.x_test)

    def score() -> float:
        with torch.no_grad():
            error = F.mse_loss(module(same.x_test), same.x_test)
        return (1 - error / (same.x_test - same.x.mean(0)).square().mean()).item()

    train = DataLoader(TensorDataset(same.x), 20, shuffle=True)
    return Program(module, train, None, 20, score)


class WeightedValves(LightningModule):
    """model.fit(class_weight={...}): losses weighed and divided by the number of rows."""

    class_weight: Tensor

    def __init__(self, labels: Tensor) -> None:
        super().__init__()
        counts = labels.bincount()
        self.register_buffer("class_weight", len(labels) / (len(counts) * counts.float()))
        self.model = nn.Sequential(
            nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(),
            nn.Dropout(0.3), nn.Linear(16, 4),
        )  # fmt: skip
        as_in_keras(self.model)

    def forward(self, x: Tensor) -> Tensor:
        y_pred: Tensor = self.model(x)
        return y_pred

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        sample_weight = self.class_weight[y]
        loss = (sample_weight * F.cross_entropy(self(x), y, reduction="none")).mean()
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-7, weight_decay=1e-4)


def weighted_valves() -> Program:
    data = ports.valves()
    module = WeightedValves(data.y)
    return Program(module, *loaders(data, 32), 14, partial(balanced_accuracy, module, data))


class SpringResidual(LightningModule):
    """A net that is to obey u'' + 2 d u' + w^2 u = 0, as in graphs of TensorFlow 1."""

    def __init__(self, d: float = 1.0, w: float = 7.0) -> None:
        super().__init__()
        self.d, self.w = d, w
        layers = [1, 32, 32, 32, 1]
        self.weights = nn.ParameterList(
            nn.init.xavier_normal_(torch.empty(a, b)) for a, b in pairwise(layers)
        )
        self.biases = nn.ParameterList(torch.zeros(1, b) for b in layers[1:])

    def forward(self, t: Tensor) -> Tensor:
        H = 2.0 * t - 1.0  # to -1..1 by the bounds lb and ub
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            H = torch.tanh(H @ W + b)
        return H @ self.weights[-1] + self.biases[-1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        t = batch[0].requires_grad_()
        u = self(t)
        (u_t,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (u_tt,) = torch.autograd.grad(u_t.sum(), t, create_graph=True)
        f = (u_tt + 2 * self.d * u_t + self.w**2 * u) / self.w**2
        zero = torch.zeros(1, 1, requires_grad=True)
        u0 = self(zero)
        (u0_t,) = torch.autograd.grad(u0.sum(), zero, create_graph=True)
        loss_u = (u0 - 1).square().mean() + (u0_t / self.w).square().mean()
        self.log_dict({"loss_u": loss_u, "loss_f": f.square().mean()})
        return loss_u + f.square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def spring_residual() -> Program:
    module = SpringResidual()

    def score() -> float:
        t = torch.linspace(0, 1, 101)[:, None]
        beat = math.sqrt(module.w**2 - module.d**2)
        true = (-module.d * t).exp() * ((beat * t).cos() + module.d / beat * (beat * t).sin())
        with torch.no_grad():
            error = F.mse_loss(module(t), true)
        return (1 - error / true.var()).item()

    train = DataLoader(TensorDataset(torch.rand(2000, 1)), 100, shuffle=True)
    return Program(module, train, None, 50, score)


class NormedConv(nn.Module):
    """w = g * v / |v|; g and b are set by the first batch, so that what comes out is standard."""

    def __init__(self, before: int, after: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, width // 2
        self.v = nn.Parameter(0.05 * torch.randn(after, before, width))
        self.g, self.b = nn.Parameter(torch.ones(after)), nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor, init: bool = False) -> Tensor:
        w = self.v * (self.g / self.v.flatten(1).norm(dim=1))[:, None, None]
        found = F.conv1d(x, w, self.b, self.stride, self.pad)
        if init:
            mean, std = found.mean((0, 2)), found.std((0, 2))
            self.g.data, self.b.data = self.g / std, -mean / std
            return (found - mean[:, None]) / std[:, None]
        return found


class JaxPulses(LightningModule):
    """Weight norm with an init pass over data, ELUs, Adamax."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [NormedConv(1, 20, 7, 2), NormedConv(20, 32, 5, 2), NormedConv(32, 32, 3, 1)]
        )
        self.fc = nn.Linear(32, 4)
        self.initialized = False

    def forward(self, x: Tensor, init: bool = False) -> Tensor:
        x = (x - 2000.0) / 200.0
        for conv in self.convs:
            x = F.elu(conv(x, init))
        logits: Tensor = self.fc(x.mean(2))
        return logits

    @torch.no_grad()
    def on_train_batch_start(self, batch: list[Tensor], batch_idx: int) -> None:
        if not self.initialized:
            self(batch[0], init=True)
            self.initialized = True

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("test_loss", F.cross_entropy(logits, batch[1]))
        self.log("test_error", (logits.argmax(1) != batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=8e-3)


def jax_pulses() -> Program:
    data, module = ports.pulses(1600), JaxPulses()
    return Program(module, *loaders(data, 50), 20, partial(accuracy, module, data))


class DensityNet(LightningModule):
    """Bishop's mixture density network, as a blog had it in TensorFlow."""

    def __init__(self, KMIX: int = 6, NHIDDEN: int = 32) -> None:
        super().__init__()
        self.Wh = nn.Parameter(0.5 * torch.randn(1, NHIDDEN))
        self.bh = nn.Parameter(0.5 * torch.randn(1, NHIDDEN))
        self.Wo = nn.Parameter(0.5 * torch.randn(NHIDDEN, 3 * KMIX))
        self.bo = nn.Parameter(0.5 * torch.randn(1, 3 * KMIX))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = torch.tanh(x @ self.Wh + self.bh) @ self.Wo + self.bo
        pi, sigma, mu = out.chunk(3, 1)
        return pi.softmax(1), sigma.exp(), mu

    def get_lossfunc(self, x: Tensor, y: Tensor) -> Tensor:
        out_pi, out_sigma, out_mu = self(x)
        kernel = torch.exp(-((y - out_mu) / out_sigma).square() / 2)
        density = (out_pi * kernel / out_sigma).sum(1) / math.sqrt(2 * math.pi)
        return -(density + 1e-20).log().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        lossfunc = self.get_lossfunc(*batch)
        self.log("lossfunc", lossfunc)
        return lossfunc

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("lossfunc_test", self.get_lossfunc(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=3e-3, alpha=0.8, eps=1e-8)


def density_net() -> Program:
    data, module = ports.arcs(), DensityNet()

    def score() -> float:
        with torch.no_grad():
            return module.get_lossfunc(data.x_test, data.y_test).item()

    return Program(module, *loaders(data, 60), 40, score)


class NnetOrchids(LightningModule):
    """R's nnet(size = 16, decay = 0.5, rang = 0.5, skip = TRUE): BFGS over all rows."""

    def __init__(self, size: int = 16, decay: float = 0.5, rang: float = 0.5) -> None:
        super().__init__()
        self.decay = decay
        self.ih, self.ho = nn.Linear(14, size), nn.Linear(size, 5)
        self.skip = nn.Linear(14, 5, bias=False)
        for wts in self.parameters():
            nn.init.uniform_(wts, -rang, rang)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.ho(torch.sigmoid(self.ih(x))) + self.skip(x)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        # nnet adds decay times the sum of squares to the sum over rows
        fit = F.cross_entropy(self(batch[0]), batch[1], reduction="sum")
        value = fit + self.decay * sum(wts.square().sum() for wts in self.parameters())
        value = value / len(batch[1])
        self.log("value", value)
        return value

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("deviance", 2 * F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(
            self.parameters(), lr=1, max_iter=4, history_size=20, line_search_fn="strong_wolfe"
        )


def nnet_orchids() -> Program:
    data, module = ports.orchids(3000, seed=1333), NnetOrchids()
    both = loaders(data, len(data.x), shuffle=False)
    return Program(module, *both, 110, partial(accuracy, module, data))


class CausalTides(LightningModule):
    """Conv1D(padding="causal", dilation_rate=...) and a loss of tilted errors."""

    taus: Tensor

    def __init__(self, filters: int = 28) -> None:
        super().__init__()
        self.register_buffer("taus", torch.tensor([0.1, 0.5, 0.9]))
        self.convs = nn.ModuleList(
            nn.Conv1d(2 if i == 0 else filters, filters, 3, dilation=2**i) for i in range(3)
        )
        self.dense = nn.Linear(filters, 3)
        as_in_keras(self)

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs.permute(0, 2, 1)  # Keras: time, then channels
        for conv in self.convs:
            before = 2 * conv.dilation[0]
            x = F.relu(conv(F.pad(x, (before, 0))))
        y_pred: Tensor = self.dense(x[:, :, -1])
        return y_pred

    def tilted_loss(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        e = y_true[:, None] - y_pred
        return torch.maximum(self.taus * e, (self.taus - 1) * e).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.tilted_loss(batch["level"], self(batch["history"]))
        self.log("tilted_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        y_pred = self(batch["history"])
        self.log("val_tilted_loss", self.tilted_loss(batch["level"], y_pred))
        inside = (batch["level"] > y_pred[:, 0]) & (batch["level"] < y_pred[:, 2])
        self.log("val_coverage", inside.float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3, eps=1e-7, momentum_decay=4e-3)


def causal_tides() -> Program:
    data, module = ports.tides(2600, seed=1334), CausalTides()

    def score() -> float:
        with torch.no_grad():
            error = F.mse_loss(module(data.x_test)[:, 1], data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *named_batches(data, 32, "history", "level"), 11, score)


class LasagneStrokes(LightningModule):
    """GRULayer(mask_input=..., only_return_final=True, grad_clipping=5), Adagrad."""

    def __init__(self, num_units: int = 40) -> None:
        super().__init__()
        self.num_units = num_units
        self.W_in = nn.Parameter(0.1 * torch.randn(2, 3 * num_units))
        hid = [nn.init.orthogonal_(torch.empty(num_units, num_units)) for _ in range(3)]
        self.W_hid = nn.Parameter(torch.cat(hid, 1))
        self.b = nn.Parameter(torch.zeros(3 * num_units))
        self.l_out = nn.Linear(num_units, 5)
        nn.init.xavier_uniform_(self.l_out.weight)
        nn.init.zeros_(self.l_out.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        hid = x.new_zeros(len(x), self.num_units)
        inputs = x @ self.W_in + self.b
        for t in range(x.shape[1]):
            r_in, u_in, c_in = inputs[:, t].chunk(3, 1)
            r_hid, u_hid, c_hid = (hid @ self.W_hid).chunk(3, 1)
            reset, update = torch.sigmoid(r_in + r_hid), torch.sigmoid(u_in + u_hid)
            new = (1 - update) * hid + update * torch.tanh(c_in + reset * c_hid)
            hid = torch.where(mask[:, t, None], new, hid)
        found: Tensor = self.l_out(hid)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, mask, y = batch
        loss = F.cross_entropy(self(x, mask), y)
        self.log("train_err", loss, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, mask, y = batch
        found = self(x, mask)
        self.log("val_err", F.cross_entropy(found, y))
        self.log("val_acc", (found.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.04, eps=1e-6)


def lasagne_strokes() -> Program:
    data, module = ports.strokes(1300, 24, 1335), LasagneStrokes()
    generator = torch.Generator().manual_seed(1336)

    def masked(x: Tensor, y: Tensor) -> TensorDataset:
        length = torch.randint(16, 25, (len(x), 1), generator=generator)
        mask = torch.arange(24) < length
        return TensorDataset(x * mask[..., None], mask, y)

    train, test = masked(data.x, data.y), masked(data.x_test, data.y_test)

    def score() -> float:
        x, mask, y = test.tensors
        with torch.no_grad():
            return (module(x, mask).argmax(1) == y).float().mean().item()

    return Program(
        module, DataLoader(train, 40, shuffle=True), DataLoader(test, 200), 18, score,
        {"gradient_clip_val": 5.0, "gradient_clip_algorithm": "value"},
    )  # fmt: skip


class LuaTunes(LightningModule):
    """Word-level language model of an LSTM: descent at a rate of 4, divided when epochs pass."""

    def __init__(self, rnn_size: int = 64, init_weight: float = 0.1) -> None:
        super().__init__()
        self.lookup, self.drop = nn.Embedding(20, rnn_size), nn.Dropout(0.1)
        self.lstm = nn.LSTM(rnn_size, rnn_size, num_layers=2, dropout=0.1, batch_first=True)
        self.h2y = nn.Linear(rnn_size, 20)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -init_weight, init_weight)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(self.drop(self.lookup(x)))
        pred: Tensor = self.h2y(self.drop(output))
        return pred.log_softmax(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        err = F.nll_loss(self(x).view(-1, 20), y.reshape(-1))
        self.log("perp", err.detach().exp(), prog_bar=True)
        return err

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        err = F.nll_loss(self(batch[0]).view(-1, 20), batch[1].reshape(-1))
        self.log("valid_err", err)

    def configure_optimizers(self) -> Any:
        sgd = torch.optim.SGD(self.parameters(), lr=4.0)
        decay = torch.optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 1.2 ** -max(0, epoch - 9))
        return [sgd], [decay]


def per_note(module: LightningModule, data: Samples) -> float:
    """Nats for each note of what is unseen."""
    module.eval()
    with torch.no_grad():
        found = module(data.x_test)
    return F.cross_entropy(found.flatten(0, 1), data.y_test.flatten()).item()


def lua_tunes() -> Program:
    data, module = ports.tunes(), LuaTunes()
    return Program(
        module, *loaders(data, 20), 16, partial(per_note, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class CausalBlock(nn.Module):
    """Masked attention written out, then an MLP, norms first."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.c_attn, self.c_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc, self.proj = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        qkv = self.c_attn(self.ln_1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv
        w = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        mask = torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
        w = torch.where(mask, w, torch.tensor(-1e10)).softmax(-1)
        x = x + self.c_proj((w @ v).transpose(1, 2).reshape(b, t, d))
        found: Tensor = x + self.proj(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))
        return found


class TiedTunes(LightningModule):
    """GPT-2's model.py in small: wte is its own output, no decay of norms and biases."""

    def __init__(self, d: int = 48, n_ctx: int = 24) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(20, d), nn.Embedding(n_ctx, d)
        self.h = nn.ModuleList(CausalBlock(d, 4) for _ in range(2))
        self.ln_f = nn.LayerNorm(d)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                std = 0.01 if "wpe" in name else 0.02
                nn.init.normal_(parameter, std=std / 2 if "proj" in name else std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.h:
            h = block(h)
        found: Tensor = self.ln_f(h) @ self.wte.weight.T
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("train/loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        self.log("val/loss", loss)

    def configure_optimizers(self) -> Any:
        groups: Any = [
            {"params": [p for p in self.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in self.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min((step + 1) / 50, 1 - 0.9 * step / total)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def tied_tunes() -> Program:
    data, module = ports.tunes(seed=1337), TiedTunes()
    return Program(
        module, *loaders(data, 32), 14, partial(per_note, module, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


CASES = (
    Case("moths-from-keras-channels-last", Goal("accuracy", at_least=0.9), keras_moths),
    Case("alloys-from-numpy-in-three-matrices", Goal("R2", at_least=0.75), four_lines),
    Case("orchids-from-haiku-pure-functions", Goal("accuracy", at_least=0.75), haiku_orchids),
    Case("strokes-from-keras-forget-gates-open", Goal("accuracy", at_least=0.9), keras_strokes),
    Case("tumours-from-matlab-resilient-steps", Goal("accuracy", at_least=0.93), pattern_net),
    Case("numerals-from-caffe-inverse-policy", Goal("accuracy", at_least=0.95), caffe_numerals),
    Case("tides-from-old-torch-cell-by-cell", Goal("R2", at_least=0.85), cell_by_cell),
    Case("phrases-from-flax-in-einsums", Goal("accuracy", at_least=0.8), flax_phrases),
    Case("moths-from-tf-tutorial-with-shadows", Goal("accuracy", at_least=0.92), deep_moths),
    Case("phrases-from-a-paper-rows-of-three", Goal("accuracy", at_least=0.85), sentence_cnn),
    Case("digits-from-theano-one-matrix-both-ways", Goal("R2", at_least=0.75), tied_codec),
    Case(
        "valves-from-keras-class-weights", Goal("balanced accuracy", at_least=0.75),
        weighted_valves,
    ),
    Case("springs-from-tf-residual-of-a-law", Goal("R2", at_least=0.9), spring_residual),
    Case("pulses-from-jax-lengths-set-by-data", Goal("accuracy", at_least=0.9), jax_pulses),
    Case("arcs-from-a-blog-mixture-of-six", Goal("-log likelihood", at_most=-0.1), density_net),
    Case("orchids-from-r-nnet-with-decay", Goal("accuracy", at_least=0.73), nnet_orchids),
    Case("tides-from-keras-causal-and-tilted", Goal("R2", at_least=0.85), causal_tides),
    Case("strokes-from-lasagne-under-a-mask", Goal("accuracy", at_least=0.9), lasagne_strokes),
    Case("tunes-from-lua-rate-of-four-clipped", Goal("cross-entropy", at_most=1.9), lua_tunes),
    Case("tunes-from-tf-words-are-their-output", Goal("cross-entropy", at_most=1.9), tied_tunes),
)  # fmt: skip
