"""Attention of other kinds, mixtures of experts, tags in a row, and images known by themselves."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import (
    Goal,
    Published,
    adam,
    classified,
    sgd,
    tensor_case,
)
from data_sets import TOKENS, Split, chain_entropy, chains, digits, split
from lightning.pytorch import LightningModule
from torch import Tensor, nn


def perceiver() -> LightningModule:
    """The package's latent array reads the pixels of an image, twice with the same weights."""
    from perceiver_pytorch import Perceiver

    network = Perceiver(
        input_channels=1, input_axis=2, num_freq_bands=6, max_freq=8.0, depth=2, num_latents=16,
        latent_dim=64, cross_heads=1, latent_heads=4, cross_dim_head=32, latent_dim_head=16,
        num_classes=10, attn_dropout=0.0, ff_dropout=0.0, weight_tie_layers=True,
        self_per_cross_attn=1,
    )  # fmt: skip

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, labels = batch
        return classified(network(images.movedim(1, -1)), labels)

    return Published(network, step, adam(1e-3))


def next_token(logits: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def performer() -> LightningModule:
    """Its random features are drawn anew from time to time."""
    from performer_pytorch import PerformerLM

    network = PerformerLM(
        num_tokens=TOKENS, max_seq_len=32, dim=64, depth=1, heads=4, dim_head=16, causal=True,
        nb_features=24, feature_redraw_interval=100, use_scalenorm=True,
    )  # fmt: skip

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        (tokens,) = batch
        return {"loss": next_token(network(tokens[:, :-1]), tokens[:, 1:])}

    return Published(network, step, adam(2e-3))


def reformer() -> LightningModule:
    """Attention within hashed buckets, and layers that can be undone, so that nothing is kept."""
    from reformer_pytorch import ReformerLM

    network = ReformerLM(
        num_tokens=TOKENS, dim=64, depth=1, max_seq_len=32, heads=4, dim_head=16, bucket_size=8,
        n_hashes=2, ff_chunks=2, causal=True, lsh_dropout=0.1,
    )  # fmt: skip

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        (tokens,) = batch
        return {"loss": next_token(network(tokens[:, :-1].contiguous()), tokens[:, 1:])}

    return Published(network, step, adam(2e-3))


class Experts(nn.Module):
    """A block of attention whose second half is the package's mixture."""

    def __init__(self) -> None:
        from mixture_of_experts import MoE

        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, 48), nn.Embedding(32, 48)
        self.attention = nn.MultiheadAttention(48, 4, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(48) for _ in range(3)])
        self.experts = MoE(dim=48, num_experts=8, hidden_dim=96)
        self.head = nn.Linear(48, TOKENS)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        y = self.norms[0](x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        y, balance = self.experts(self.norms[1](x))
        return self.head(self.norms[2](x + y)), balance


def mixture() -> LightningModule:
    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        (tokens,) = batch
        logits, balance = network(tokens[:, :-1])
        error = next_token(logits, tokens[:, 1:])
        return {"loss": error + balance, "nats": error}

    return Published(Experts(), step, adam(2e-3))


@cache
def sentences() -> Split:
    """Words, which of them are there, and tags: a name begins, goes on, or there is none.

    A name is one to three words after a title; the words of names occur elsewhere, too.
    """
    draw, longest = np.random.default_rng(0), 20
    words = draw.integers(20, 120, (1200, longest))
    tags = np.zeros_like(words)
    for row, tag in zip(words, tags, strict=True):
        place = draw.integers(0, 4)
        while place < longest - 4:
            title, length = draw.integers(1, 7), draw.integers(1, 4)
            row[place] = title
            row[place + 1 : place + 1 + length] = draw.integers(60, 100, length)
            row[place + 1 + length] = draw.integers(7, 20)
            tag[place + 1], tag[place + 2 : place + 1 + length] = 1, 2
            place += length + draw.integers(2, 8)
    here = np.arange(longest) < draw.integers(12, longest + 1, (1200, 1))
    return split(words * here, here.astype(int), tags * here)


class Tagger(nn.Module):
    """Words, a recurrent network both ways, and the package's field."""

    def __init__(self) -> None:
        from torchcrf import CRF

        super().__init__()
        self.words = nn.Embedding(120, 32, padding_idx=0)
        self.body = nn.LSTM(32, 32, bidirectional=True, batch_first=True)
        self.head = nn.Linear(64, 3)
        self.field = CRF(3, batch_first=True)

    def forward(self, words: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(self.words(words))[0])
        return scores


def tagger() -> LightningModule:
    """The likelihood of a whole batch of sentences, summed, as the package has it by default."""

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        words, here, tags = batch
        scores, mask = network(words), here.bool()
        found = network.field.decode(scores, mask)
        right = [tag[: len(f)].tolist() == f for tag, f in zip(tags, found, strict=True)]
        return {
            "loss": -network.field(scores, tags, mask=mask),
            "acc": torch.tensor(right).float().mean(),
        }

    return Published(Tagger(), step, sgd(0.01, weight_decay=1e-4))


class Bootstrapped(Published):
    """Two views of an image, of which the one is to foretell the other; no label is seen."""

    def __init__(self) -> None:
        from byol_pytorch import BYOL
        from torchvision.transforms import RandomAffine

        views = RandomAffine(12, translate=(0.1, 0.1), scale=(0.8, 1.2))
        network = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip
        learner = BYOL(
            network, image_size=8, hidden_layer=-2, projection_size=64,
            projection_hidden_size=256, augment_fn=views, moving_average_decay=0.97,
        )  # fmt: skip

        def step(learner: Any, batch: Any) -> dict[str, Tensor]:
            return {"loss": learner(batch[0])}

        super().__init__(learner, step, adam(3e-4))
        self.embeddings: list[tuple[Tensor, Tensor]] = []

    def on_before_zero_grad(self, *_: Any) -> None:
        self.network.update_moving_average()  # type: ignore[operator]

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """How many images have their nearest neighbour, of the same batch, of their own class."""
        images, labels = batch
        found = F.normalize(self.network(images, return_embedding=True)[1], dim=1)
        near = (found @ found.T).fill_diagonal_(-1).argmax(1)
        self.log("val_acc", (labels[near] == labels).float().mean())


# No model can do better than 1.78 nats a token; who knows no token before it has 3.4.
FORESEEN = Goal("val_loss", at_most=chain_entropy() + 0.15)
NEARLY = Goal("val_acc", at_least=0.93)


def tiny_digits() -> Any:
    return digits(8, 1)


def colour_digits() -> Any:
    return digits(8)


CASES = (
    tensor_case(
        "perceiver_pytorch/Perceiver", "digits", perceiver, tiny_digits, 12, NEARLY, batch_size=64
    ),
    tensor_case(
        "performer_pytorch/PerformerLM", "next token", performer, chains, 6, FORESEEN
    ),
    tensor_case("reformer_pytorch/ReformerLM", "next token", reformer, chains, 6, FORESEEN),
    tensor_case(
        "mixture_of_experts/MoE", "next token", mixture, chains, 8,
        Goal("val_nats", at_most=chain_entropy() + 0.15),
    ),
    tensor_case(
        "pytorch_crf/BiLSTM-CRF", "names in sentences", tagger, sentences, 15,
        Goal("val_acc", at_least=0.9),
    ),
    tensor_case(
        "byol_pytorch/BYOL", "neighbours of digits", Bootstrapped, colour_digits, 20,
        Goal("val_acc", at_least=0.85), batch_size=64, drop_last=True,
    ),
)  # fmt: skip
