"""Headlines in which the padding, the rate, a group or the loss went wrong."""

from typing import Any

import torch
from case import Case, Goal
from healthy.mailroom import FastText, sections
from modules import mlp
from torch import Tensor, nn


class UnitVectors(FastText):
    """Every word's vector has length 1, so that frequent words do not outweigh; what of padding?"""

    def __init__(self, careful: bool) -> None:
        super().__init__()
        self.eps = 1e-6 if careful else 0.0
        self.bag = nn.Identity()
        self.words = nn.Embedding(250, 32, padding_idx=0)
        self.fc = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 5))

    def forward(self, text: Tensor) -> Tensor:
        vectors = self.words(text)
        vectors = vectors / (vectors.square().sum(-1, keepdim=True) + self.eps).sqrt()
        logits: Tensor = self.fc(vectors.sum(1) / (text > 0).sum(1, keepdim=True).sqrt())
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


class FromScratch(FastText):
    """The encoder of a tutorial on fine-tuning BERT, but nobody has trained it before."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.bag = nn.Identity()
        self.token, self.place = nn.Embedding(250, 64), nn.Embedding(14, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.fc = nn.Linear(64, 5)

    def forward(self, text: Tensor) -> Tensor:
        hidden = self.encoder(self.token(text) + self.place.weight, src_key_padding_mask=text == 0)
        logits: Tensor = self.fc(hidden[:, 0])
        return logits

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)
        falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 500)
        return [optimizer], [{"scheduler": falling, "interval": "step"}]


class Grouped(FastText):
    """Decay for the weights of linear layers, none for biases and norms; and the vectors?"""

    def __init__(self, complete: bool) -> None:
        super().__init__()
        self.complete = complete
        self.bag = nn.Identity()
        self.words = nn.Embedding(250, 8, padding_idx=0)
        self.norm, self.fc = nn.LayerNorm(8), mlp([8, 32, 5], nn.GELU)

    def forward(self, text: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.words(text).sum(1)))
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decayed = [m.weight for m in self.modules() if isinstance(m, nn.Linear)]
        plain = [p for name, p in self.named_parameters() if "bias" in name or "norm" in name]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain}]
        if self.complete:
            groups.append({"params": [self.words.weight]})
        return torch.optim.AdamW(groups, lr=4e-3, weight_decay=0.0)


class Leaping(FastText):
    """Few headlines to a step, by plain descent, with momentum or without."""

    def __init__(self, lr: float, momentum: float) -> None:
        super().__init__()
        self.lr, self.momentum = lr, momentum
        self.bag = nn.Identity()
        self.words = nn.Embedding(250, 24, padding_idx=0)
        self.fc = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(self, text: Tensor) -> Tensor:
        real = (text > 0).sum(1, keepdim=True)
        logits: Tensor = self.fc(self.words(text).sum(1) / real.sqrt())
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=self.momentum)


ACCURATE = Goal("accuracy", at_least=0.75)
CASES = (
    Case(
        "headlines-vectors-of-length-one", ACCURATE, lambda: sections(UnitVectors(False), 5, 32),
        ("non_finite",), lambda: sections(UnitVectors(True), 5, 32),
    ),
    Case(
        "headlines-fine-tuned-from-nothing", ACCURATE, lambda: sections(FromScratch(2e-5), 4, 32),
        ("learning_rate_too_low",), lambda: sections(FromScratch(1e-3), 4, 32),
    ),
    Case(
        "headlines-groups-without-the-vectors", ACCURATE, lambda: sections(Grouped(False), 5, 32),
        ("frozen_parameter",), lambda: sections(Grouped(True), 5, 32),
    ),
    Case(
        "headlines-four-to-a-leap", Goal("accuracy", at_least=0.7),
        lambda: sections(Leaping(0.05, 0.9), 3, 4), ("learning_rate_too_high", "unstable_loss"),
        lambda: sections(Leaping(0.05, 0.0), 3, 4),
    ),
)  # fmt: skip
