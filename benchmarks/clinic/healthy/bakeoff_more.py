"""What a magazine gave to tools that watch trainings to see whether they cry wolf: odd habits."""

import copy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import bakeoff, samples
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from scores import accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class TypedDigits(LightningModule):
    """Every fourth label was typed at random: without so much dropout they are learnt by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.6),
            nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.6), nn.Linear(512, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

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
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def typed_digits() -> Program:
    data = samples.digits().first(600)
    g = torch.Generator().manual_seed(4)
    slip = torch.rand(600, generator=g) < 0.25
    typed = torch.where(slip, torch.randint(10, (600,), generator=g), data.y)
    data = data._replace(y=typed)
    module = TypedDigits()
    return Program(module, *loaders(data, 20), 25, partial(accuracy, module, data))


class LowRank(nn.Module):
    """A frozen layer, and a narrow detour that adds nothing at first."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + x @ self.down.T @ self.up.T  # type: ignore[no-any-return]


class AdaptedDigits(LightningModule):
    """A network that knows the digits learns them upside down by low-rank adapters."""

    def __init__(self, known: nn.Sequential, rank: int = 6) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(LowRank(layer, rank) if isinstance(layer, nn.Linear) else layer for layer in known)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("adapters/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("adapters/val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        adapters = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.AdamW(adapters, lr=3e-3, weight_decay=0.0)


def adapted_digits() -> Program:
    data = samples.digits()
    known = nn.Sequential(
        nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 10)
    )
    optimizer = torch.optim.Adam(known.parameters(), lr=2e-3)
    for _ in range(8):
        for rows in torch.randperm(len(data.y)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(known(data.x[rows]), data.y[rows]).backward()
            optimizer.step()
    turned = data.with_inputs(data.x.flip(1), data.x_test.flip(1))
    module = AdaptedDigits(known)
    return Program(module, *loaders(turned, 32), 12, partial(accuracy, module, turned))


class Residual(nn.Module):
    """Two convolutions around which their input goes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.short = nn.Conv2d(inputs, outputs, 1, stride=2)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        found = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(found + self.short(x))


class CutStickers(LightningModule):
    """Stickers turned, bleached, noisy, with holes, and cut into one another."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU()
        )
        self.blocks = nn.Sequential(Residual(24, 32), Residual(32, 48))
        self.fc = nn.Linear(48, bakeoff.SHAPES)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.stem(x - 0.3)).amax((2, 3)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        if torch.rand(()) < 0.5:
            x = x.flip(3)
        x = x * (0.6 + 0.8 * torch.rand(len(x), 3, 1, 1)) + 0.15 * torch.randn_like(x)
        top, left = torch.randint(0, 12, (2,)).tolist()
        x[:, :, top : top + 4, left : left + 4] = torch.rand(())
        other, cut = torch.randperm(len(x)), int(torch.randint(0, 9, ()))
        mixed = torch.cat([x[..., cut:], x[other][..., :cut]], 3)
        logits, share = self(mixed), 1 - cut / 16
        loss = share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("mixed_ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_ce", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def cut_stickers() -> Program:
    data = bakeoff.stickers()
    module = CutStickers()
    return Program(module, *loaders(data, 48), 12, partial(accuracy, module, data))


class Sections(LightningModule):
    """The section of a text by its rare words: one row of two thousand counts, mostly 0."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2000, 64)
        self.fc2 = nn.Linear(64, 6)
        self.dropout = nn.Dropout(0.5)

    def forward(self, counts: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.relu(self.fc1(counts.sqrt()))))  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.multi_margin_loss(self(batch["counts"]), batch["section"])
        self.log("hinge", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_hinge", F.multi_margin_loss(self(batch["counts"]), batch["section"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.02)


class Rows(Dataset[dict[str, Tensor]]):
    """Counts of words, and a section."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, k: int) -> dict[str, Tensor]:
        return {"counts": self.x[k], "section": self.y[k]}


def sections() -> Program:
    data = bakeoff.bags()
    module = Sections()
    train = DataLoader(Rows(data.x, data.y), 32, shuffle=True)
    validation = DataLoader(Rows(data.x_test, data.y_test), 200)
    return Program(module, train, validation, 8, partial(accuracy, module, data))


class TwoHundred(LightningModule):
    """Two hundred classes of fourteen rows each, their labels smoothed by a fifth."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(32, 192), nn.BatchNorm1d(192), nn.Mish(),
            nn.Linear(192, 192), nn.BatchNorm1d(192), nn.Mish(), nn.Linear(192, 200),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=0.2)
        self.log("smoothed", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def two_hundred() -> Program:
    data = samples.clusters(200)
    module = TwoHundred()
    train, _ = loaders(data, 64)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class LoadExperts(LightningModule):
    """Eight experts of which two answer for each row, and a term that keeps all of them busy."""

    def __init__(self, experts: int = 8) -> None:
        super().__init__()
        self.gate = nn.Linear(14, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(14, 24), nn.ReLU(), nn.Linear(24, 1)) for _ in range(experts)
        )

    def mixed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(x)
        top, chosen = logits.topk(2, 1)
        weight = torch.zeros_like(logits).scatter(1, chosen, top.softmax(1))
        answers = torch.cat([expert(x) for expert in self.experts], 1)
        busy, asked = (weight > 0).float().mean(0), logits.softmax(1).mean(0)
        return (weight * answers).sum(1), len(self.experts) * (busy * asked).sum() / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.mixed(x)[0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        found, balance = self.mixed(batch[0])
        loss = F.mse_loss(found, batch[1])
        self.log_dict({"mse": loss, "balance": balance})
        return loss + 0.01 * balance

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def load_experts() -> Program:
    data = bakeoff.regimes()
    module = LoadExperts()
    return Program(module, *loaders(data, 48), 14, partial(r2, module, data))


class MeanTeacher(LightningModule):
    """A slow average of the network teaches it what the calls without a label are."""

    def __init__(self) -> None:
        super().__init__()
        self.student = nn.Sequential(
            nn.Conv1d(1, 24, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(4),
            nn.Flatten(), nn.Linear(128, bakeoff.CALLS),
        )  # fmt: skip
        self.teacher = copy.deepcopy(self.student)
        for parameter in self.teacher.parameters():
            parameter.requires_grad = False

    def forward(self, sound: Tensor) -> Tensor:
        return self.teacher(sound)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sound, bird, known = batch
        first, second = (torch.roll(sound, int(torch.randint(-5, 6, ())), 2) for _ in range(2))
        logits = self.student(first + 0.1 * torch.randn_like(first))
        with torch.no_grad():
            taught = self.teacher(second).softmax(1)
        ce = F.cross_entropy(logits, bird, reduction="none")
        supervised = (known * ce).sum() / known.sum().clamp(min=1)
        consistency = F.mse_loss(logits.softmax(1), taught)
        self.log_dict({"supervised": supervised, "consistency": consistency})
        return supervised + 10 * min(1.0, self.global_step / 200) * consistency

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        with torch.no_grad():
            pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
            for slow, fast in pairs:
                slow.mul_(0.98).add_(fast, alpha=0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=2e-3)


def mean_teacher() -> Program:
    data = bakeoff.chirps()
    module = MeanTeacher()
    known = (torch.arange(len(data.y)) % 4 == 0).float()
    train = DataLoader(TensorDataset(data.x, data.y, known), 32, shuffle=True)
    return Program(module, train, None, 10, partial(accuracy, module, data))


class WarmLetters(LightningModule):
    """The next letter by a GRU whose rate rises for a quarter of the training, from nothing."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(bakeoff.LETTERS, width)
        nn.init.uniform_(self.table.weight, -0.1, 0.1)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(bakeoff.LETTERS))

    def forward(self, text: Tensor) -> Tensor:
        return self.gru(self.table(text))[0] @ self.table.weight.T + self.bias  # type: ignore[no-any-return]

    def nats(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).mT, text[:, 1:])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nats(batch[0])
        self.log("bits", loss / 0.6931)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bits", self.nats(batch[0]) / 0.6931)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=6e-3, betas=(0.9, 0.95))
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(step / (steps // 4), (steps - step) / (0.75 * steps))
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warm_letters() -> Program:
    data = bakeoff.letters()
    module = WarmLetters()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.nats(data.x_test).item()

    return Program(module, *loaders(data, 24), 8, score, {"gradient_clip_val": 0.5})


CASES = (
    Case("digits-some-typed-at-random", Goal("accuracy", at_least=0.9), typed_digits),
    Case("digits-upside-down-by-adapters", Goal("accuracy", at_least=0.9), adapted_digits),
    Case("stickers-cut-into-one-another", Goal("accuracy", at_least=0.9), cut_stickers),
    Case("text-sections-by-rare-words", Goal("accuracy", at_least=0.95), sections),
    Case("clusters-two-hundred-smoothed", Goal("accuracy", at_least=0.9), two_hundred),
    Case("machine-loads-two-of-eight-experts", Goal("R2", at_least=0.9), load_experts),
    Case("bird-calls-taught-by-the-average", Goal("accuracy", at_least=0.9), mean_teacher),
    Case("letters-slowly-warmed-gru", Goal("cross-entropy", at_most=0.8), warm_letters),
)  # fmt: skip
