"""Headlines read by small networks of every habit."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import headlines
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

HELD_OUT = 600


class FastText(LightningModule):
    """Joulin et al.: the mean of words and hashed pairs of words; SGD whose rate falls from 0.5."""

    def __init__(self, buckets: int = 5000, steps: int = 2500) -> None:
        super().__init__()
        self.buckets, self.steps = buckets, steps
        self.bag = nn.EmbeddingBag(buckets, 20, mode="mean", padding_idx=0)
        self.fc = nn.Linear(20, 5)

    def forward(self, text: Tensor) -> Tensor:
        pairs = 251 + (text[:, :-1] * 7919 + text[:, 1:]) % (self.buckets - 251)
        pairs = pairs * (text[:, 1:] > 0)
        logits: Tensor = self.fc(self.bag(torch.cat([text, pairs], 1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[-1])
        self.log("loss/supervised", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("P@1", (logits.argmax(1) == batch[-1]).float().mean())
        self.log("loss/held_out", F.cross_entropy(logits, batch[-1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, self.steps)
        return [optimizer], [{"scheduler": falling, "interval": "step"}]


class ByHandInFours(FastText):
    """Sparse vectors have their own optimizer; four batches to a step, all by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.bag, self.fc = nn.Identity(), nn.Identity()
        self.words = nn.Embedding(250, 24, sparse=True)
        self.net = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Dropout(0.3), nn.Linear(48, 5))

    def forward(self, text: Tensor) -> Tensor:
        real = (text > 0).float()[..., None]
        logits: Tensor = self.net((self.words(text) * real).sum(1) / real.sum(1).sqrt())
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:  # type: ignore[override]
        loss = F.cross_entropy(self(batch[0]), batch[-1], label_smoothing=0.05)
        self.manual_backward(loss / 4)
        self.log("ce", loss)
        if (batch_idx + 1) % 4 == 0:
            for optimizer in self.optimizers():  # type: ignore[union-attr]
                optimizer.step()
                optimizer.zero_grad()

    def on_train_epoch_end(self) -> None:
        for scheduler in self.lr_schedulers():  # type: ignore[union-attr]
            scheduler.step()  # type: ignore[call-arg]

    def configure_optimizers(self) -> Any:
        both = [
            torch.optim.SparseAdam([self.words.weight], lr=2e-3),
            torch.optim.AdamW(self.net.parameters(), lr=2e-3),
        ]
        return both, [torch.optim.lr_scheduler.StepLR(one, 4, 0.5) for one in both]


class FixedVectors(FastText):
    """Vectors learnt elsewhere stay as they are; an LSTM both ways and attention read them."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.bag = nn.Identity()
        self.vectors = nn.Embedding.from_pretrained(vectors, padding_idx=0)
        self.lstm = nn.LSTM(vectors.shape[1], 24, batch_first=True, bidirectional=True)
        self.ask, self.fc = nn.Linear(48, 1), nn.Linear(48, 5)

    def forward(self, text: Tensor) -> Tensor:
        states, _ = self.lstm(F.dropout(self.vectors(text), 0.2, self.training))
        worth = self.ask(states.tanh())[..., 0].masked_fill(text == 0, -1e9)
        logits: Tensor = self.fc((worth.softmax(1)[..., None] * states).sum(1))
        return logits

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(filter(lambda p: p.requires_grad, self.parameters()), lr=1e-3)


class AveragedEncoder(FastText):
    """A transformer of two layers in bfloat16, validated by its exponential average."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.Identity()
        self.student = nn.ModuleDict({
            "token": nn.Embedding(250, 48), "place": nn.Embedding(15, 48),
            "layers": nn.TransformerEncoder(
                nn.TransformerEncoderLayer(48, 4, 96, 0.1, "gelu", batch_first=True), 2,
                enable_nested_tensor=False,
            ),
            "fc": nn.Linear(48, 5),
        })  # fmt: skip
        self.fc = nn.Identity()
        self.average = copy.deepcopy(self.student).requires_grad_(False).eval()

    def forward(self, text: Tensor) -> Tensor:
        net = self.student if self.training else self.average
        text = F.pad(text, (1, 0), value=1)
        x = net["token"](text) + net["place"].weight
        logits: Tensor = net["fc"](net["layers"](x, src_key_padding_mask=text == 0)[:, 0])
        return logits

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.student.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 0.02)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.student.parameters(), lr=1e-3, weight_decay=0.05)
        warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 50))
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def sections(module: LightningModule, epochs: int, batch_size: int, **trainer: Any) -> Program:
    text, _, section = headlines()
    train = TensorDataset(text[HELD_OUT:], section[HELD_OUT:])
    test = TensorDataset(text[:HELD_OUT], section[:HELD_OUT])

    @torch.no_grad()
    def score() -> float:
        right = module.eval()(text[:HELD_OUT]).argmax(1) == section[:HELD_OUT]
        return right.float().mean().item()

    both = DataLoader(train, batch_size, shuffle=True), DataLoader(test, 300)
    return Program(module, *both, epochs, score, trainer)


def vectors_from_elsewhere() -> Tensor:
    """Words of one section lie close together, as they do after reading much."""
    section = ((torch.arange(250) - 2).clamp(min=0) // 30).clamp(max=6)
    vectors = torch.randn(7, 32)[section] + torch.randn(250, 32)
    vectors[0] = 0
    return vectors


ACCURATE = Goal("accuracy", at_least=0.75)
CASES = (
    Case("headlines-pairs-of-words-in-buckets", ACCURATE, lambda: sections(FastText(), 5, 8)),
    Case("headlines-by-hand-in-fours", ACCURATE, lambda: sections(ByHandInFours(), 8, 16)),
    Case(
        "headlines-read-by-fixed-vectors", ACCURATE,
        lambda: sections(FixedVectors(vectors_from_elsewhere()), 4, 32, gradient_clip_val=5.0),
    ),
    Case(
        "headlines-validated-by-the-average", ACCURATE,
        lambda: sections(
            AveragedEncoder(), 6, 32, precision="bf16-mixed", accumulate_grad_batches=2
        ),
    ),
)  # fmt: skip
