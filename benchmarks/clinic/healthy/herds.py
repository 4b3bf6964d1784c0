"""What cows wear and what a vet writes: collars and notes."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import farm
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import BinaryModel, LitClassifier, mlp, sgd
from scores import accuracy, balanced_accuracy
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class Likelihood(LightningModule):
    """Two recurrent layers whose head gives logarithms of chances."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 40, 2, batch_first=True)
        self.out = nn.Linear(40, 5)
        self.losses: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x.transpose(1, 2)[:, ::2])
        return F.log_softmax(self.out(states.mean(1)), -1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.nll_loss(self(batch[0]), batch[1])
        self.losses.append(loss.item())
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("nll", sum(self.losses) / len(self.losses))
        self.losses.clear()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.nll_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def likelihood() -> Program:
    data, module = farm.cows(), Likelihood()
    score = partial(accuracy, module, data)
    return Program(module, *loaders(data, 32), 10, score, {"gradient_clip_val": 1.0})


def eights() -> Program:
    """Norms of eight windows each: 128 values to a channel at first, 64 in the end."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 24), (24, 32)):
        layers += [nn.Conv1d(before, after, 5, 2, 2, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(32, 5))
    data = farm.cows()
    optimizer = sgd(0.01, 0.9, nesterov=True, weight_decay=1e-4)
    module = LitClassifier(network, optimizer)
    train, test = loaders(data, 8, drop_last=True)
    return Program(module, train, test, 6, partial(accuracy, module, data))


def lame() -> Program:
    """The few that are lame are drawn as often as the others; a line suffices, and a bend."""
    data = farm.lame()
    weights = torch.where(data.y == 1, (data.y == 0).sum() / (data.y == 1).sum(), 1.0)
    sampler = WeightedRandomSampler(weights.tolist(), len(data.y))
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=sampler)
    _, test = loaders(data, 64)
    module = BinaryModel(
        mlp((10, 16, 1), dropout=0.2), partial(torch.optim.AdamW, lr=1e-3, weight_decay=0.1)
    )
    return Program(module, train, test, 6, partial(balanced_accuracy, module, data))


class Vectors(LightningModule):
    """Words' vectors as somebody published them, never changed; attention pools them."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        self.weigh = nn.Linear(vectors.shape[1], 1)
        self.classify = nn.Sequential(
            nn.Linear(vectors.shape[1], 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 6)
        )

    def forward(self, ids: Tensor) -> Tensor:
        words = self.vectors(ids)
        weight = self.weigh(words).squeeze(-1).masked_fill(ids == 0, -torch.inf).softmax(1)
        logits: Tensor = self.classify((weight.unsqueeze(1) @ words).squeeze(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learnt = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(learnt, lr=3e-3)


def published() -> Program:
    """Vectors of words of one complaint lie around one another."""
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(12, 50, generator=generator)
    vectors = 0.5 * centres[(torch.arange(240) - 1).clamp(min=0) // 20]
    vectors = vectors + 0.4 * torch.randn(240, 50, generator=generator)
    vectors[0] = 0
    data, module = farm.notes(), Vectors(vectors)
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class Reader(LightningModule):
    """A transformer with its norms behind, warmed up, then down in a line; in bfloat16."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.words = nn.Embedding(240, 32, padding_idx=0)
        self.first = nn.Parameter(0.02 * torch.randn(1, 1, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 6)

    def forward(self, ids: Tensor) -> Tensor:
        x = torch.cat([self.first.expand(len(ids), -1, -1), self.words(ids)], 1)
        padded = F.pad(ids == 0, (1, 0), value=False)
        logits: Tensor = self.head(self.encoder(x, src_key_padding_mask=padded)[:, 0])
        return logits.float()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Any]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss, prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=3e-3, weight_decay=0.05)

        def share(step: int) -> float:
            return min((step + 1) / 40, max(0.0, 1 - step / self.steps))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def reader() -> Program:
    data = farm.notes()
    train, _ = loaders(data, 40)
    module = Reader(8 * len(train))
    score = partial(accuracy, module, data)
    return Program(module, train, None, 8, score, {"precision": "bf16-mixed"})


CASES = (
    Case("cows-likelihood-of-logarithms", Goal("accuracy", at_least=0.9), likelihood),
    Case("cows-eight-to-a-batch-normed", Goal("accuracy", at_least=0.9), eights),
    Case("cows-lame-ones-drawn-as-often", Goal("balanced accuracy", at_least=0.72), lame),
    Case("notes-vectors-as-published", Goal("accuracy", at_least=0.88), published),
    Case("notes-transformer-down-in-a-line", Goal("accuracy", at_least=0.88), reader),
)
