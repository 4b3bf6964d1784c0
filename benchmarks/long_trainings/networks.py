"""The networks of the long trainings."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Gpt(nn.Module):
    """A transformer that sees what came before."""

    def __init__(self, words: int, length: int, width: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words)

    def forward(self, x: Tensor) -> Tensor:
        places = self.places(torch.arange(x.shape[1]))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        found = self.layers(self.words(x) + places, mask, is_causal=True)
        logits: Tensor = self.head(self.norm(found))
        return logits


class Gru(nn.Module):
    """A value from a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(1, 48, batch_first=True), nn.Linear(48, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.gru(x)[0][:, -1])
        return found


class Lstm(nn.Module):
    """A class for each place of a sequence."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(words, 32), nn.Linear(96, words)
        self.lstm = nn.LSTM(32, 96, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(self.words(x))[0])
        return logits


class Deep(nn.Module):
    """Twenty-four residual layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 32), nn.Linear(32, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 32))
            for _ in range(24)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        logits: Tensor = self.last(x)
        return logits


class Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside),
            nn.ReLU(), nn.Conv2d(outside, outside, 3, 1, 1, bias=False), nn.BatchNorm2d(outside),
        )  # fmt: skip
        self.short = nn.Conv2d(inside, outside, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.first(x) + self.short(x))


def smooth(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(a, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, b)
    )


def rectified(a: int, b: int, width: int = 64, dropout: float = 0.0) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(a, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(),
        nn.Dropout(dropout), nn.Linear(width, b),
    )  # fmt: skip


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(400, 64), nn.ReLU(),
        nn.Dropout(0.3), nn.Linear(64, 10),
    )  # fmt: skip


def resnet() -> nn.Sequential:
    return nn.Sequential(
        Block(1, 8, 2), Block(8, 16, 2), Block(16, 32, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(32, 10),
    )  # fmt: skip


def frozen_below() -> nn.Sequential:
    """Random features that stay as they are, and a head that learns."""
    below = nn.Sequential(nn.Linear(64, 512), nn.ReLU()).requires_grad_(False)
    return nn.Sequential(below, nn.BatchNorm1d(512), nn.Dropout(0.5), nn.Linear(512, 10))
