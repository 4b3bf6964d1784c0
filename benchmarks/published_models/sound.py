"""Networks for sounds and signals: to tell them apart, to write them down, to part them."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import (
    Goal,
    Published,
    accuracy,
    adam,
    adamw,
    classify,
    cosine,
    tensor_case,
    warm_up_then_linear,
)
from data_sets import Split, split
from lightning.pytorch import LightningModule
from torch import Tensor, nn


@cache
def mixtures() -> Split:
    """A tone with overtones and a rising whistle each, 0.1 s of both, and either alone."""
    draw, count, time = np.random.default_rng(0), 640, np.arange(800) / 8000
    pitch, phase = draw.uniform(100, 250, (count, 1)), draw.uniform(0, 6.28, (count, 1))
    tone = sum(np.sin(k * (2 * np.pi * pitch * time + phase)) / k for k in range(1, 5))
    start, rise = draw.uniform(900, 1800, (count, 1)), draw.uniform(2000, 8000, (count, 1))
    whistle = np.sin(2 * np.pi * (start * time + rise * time**2) + phase)
    apart = np.stack([tone, draw.uniform(0.7, 1.4, (count, 1)) * whistle], 1)
    return split(apart.sum(1), apart, share=0.8)


def separator() -> LightningModule:
    """The error of the better of the two orders, in decibels, as the package's recipes have it."""
    from asteroid.losses import PITLossWrapper, pairwise_neg_sisdr
    from asteroid.models import ConvTasNet

    network = ConvTasNet(
        n_src=2, n_blocks=3, n_repeats=2, bn_chan=32, hid_chan=64, skip_chan=32, n_filters=64,
        kernel_size=16,
    )  # fmt: skip
    loss = PITLossWrapper(pairwise_neg_sisdr, pit_from="pw_mtx")

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        mixed, apart = batch
        return {"loss": loss(network(mixed), apart)}

    return Published(network, step, adam(1e-3))


@cache
def voices() -> Split:
    """60 frames of 24 bands each, and whose of twelve voices it is."""
    draw = np.random.default_rng(0)
    speakers, sounds = draw.integers(0, 12, 1200), draw.integers(0, 6, (1200, 20)).repeat(3, 1)
    envelopes, spectra = draw.normal(size=(12, 24)), 1.5 * draw.normal(size=(6, 24))
    frames = 0.7 * envelopes[speakers][:, None] + spectra[sounds]
    return split(frames + 3 * draw.normal(size=frames.shape), speakers)


class Speakers(nn.Module):
    """The package's embedding of a voice, and its cosines with those of all speakers."""

    def __init__(self) -> None:
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN, Classifier

        super().__init__()
        self.body = ECAPA_TDNN(
            24, lin_neurons=48, channels=[48, 48, 48, 48, 144], attention_channels=32,
            res2net_scale=4, se_channels=32,
        )  # fmt: skip
        self.head = Classifier(48, out_neurons=12)

    def forward(self, frames: Tensor) -> Tensor:
        cosines: Tensor = self.head(self.body(frames))
        return cosines


def speakers() -> LightningModule:
    from speechbrain.nnet.losses import AdditiveAngularMargin, LogSoftmaxWrapper

    margin = LogSoftmaxWrapper(AdditiveAngularMargin(margin=0.2, scale=30))

    def step(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        frames, speaker = batch
        cosines = network(frames)
        loss = margin(cosines, speaker[:, None])
        return {"loss": loss, "acc": accuracy(cosines.squeeze(1), speaker)}

    return Published(Speakers(), step, adam(1e-3, weight_decay=2e-6))


SOUNDS, SPOKEN = 10, 8


@cache
def utterances() -> Split:
    """Frames of eight sounds, none twice in a row, their count, and which they are (from 1 on)."""
    draw = np.random.default_rng(0)
    said = draw.integers(1, SOUNDS, (1200, SPOKEN)).cumsum(1) % SOUNDS + 1
    lengths = draw.integers(3, 7, said.shape)
    spectra = draw.normal(size=(SOUNDS + 1, 24))
    frames, counts = np.zeros((1200, 6 * SPOKEN, 24)), lengths.sum(1)
    for row, (sounds, length) in enumerate(zip(said, lengths, strict=True)):
        frames[row, : counts[row]] = spectra[sounds.repeat(length)]
    frames = frames + 0.5 * draw.normal(size=frames.shape)
    return split(frames, counts, said)


class Recognizer(nn.Module):
    """The package's encoder between two linear layers."""

    def __init__(self) -> None:
        from torchaudio.models import Conformer

        super().__init__()
        self.start = nn.Linear(24, 48)
        self.body = Conformer(
            input_dim=48, num_heads=4, ffn_dim=96, num_layers=2, depthwise_conv_kernel_size=7,
            dropout=0.1,
        )  # fmt: skip
        self.head = nn.Linear(48, SOUNDS + 1)

    def forward(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        found, lengths = self.body(self.start(frames), counts)
        return self.head(found).log_softmax(-1), lengths


def transcribe(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    """The loss, and how many utterances are right to the last sound."""
    frames, counts, said = batch
    chances, lengths = network(frames[:, : counts.max()], counts)
    loss = F.ctc_loss(
        chances.transpose(0, 1), said, lengths, torch.full_like(lengths, SPOKEN),
        zero_infinity=True,
    )  # fmt: skip
    heard = [
        row[:length].unique_consecutive()
        for row, length in zip(chances.argmax(-1), lengths, strict=True)
    ]
    right = [torch.equal(h[h > 0], s) for h, s in zip(heard, said, strict=True)]
    return {"loss": loss, "acc": torch.tensor(right).float().mean()}


def recognizer() -> LightningModule:
    return Published(Recognizer(), transcribe, adamw(2e-3), warm_up_then_linear)


@cache
def brain_waves() -> Split:
    """Eight electrodes for a second, and which of three places a rhythm of 10 Hz is from."""
    draw, count, time = np.random.default_rng(0), 900, np.arange(128) / 128
    kinds = draw.integers(0, 3, count)
    places = draw.normal(size=(3, 8))
    phase = draw.uniform(0, 2 * np.pi, (count, 1))
    rhythm = np.sin(2 * np.pi * draw.uniform(9, 11, (count, 1)) * time + phase)
    noise = draw.normal(size=(count, 8, 128)).cumsum(-1) / 4
    noise = noise - noise.mean(-1, keepdims=True) + 0.5 * draw.normal(size=noise.shape)
    return split(noise + 0.5 * places[kinds][:, :, None] * rhythm[:, None], kinds)


def brain_network() -> LightningModule:
    """With the package's bounds on the norms of weights."""
    from braindecode.models import EEGNet

    network = EEGNet(n_chans=8, n_outputs=3, n_times=128, kernel_length=32)
    return Published(network, classify, adamw(5e-3, weight_decay=1e-3), cosine)


CASES = (
    tensor_case(
        "asteroid/ConvTasNet", "part two sounds", separator, mixtures, 4,
        Goal("val_loss", at_most=-10), batch_size=8, trainer={"gradient_clip_val": 5.0},
    ),
    tensor_case(
        "speechbrain/ECAPA-TDNN", "whose voice", speakers, voices, 5, Goal("val_acc", at_least=0.9)
    ),
    tensor_case(
        "torchaudio/Conformer", "write sounds down", recognizer, utterances, 12,
        Goal("val_acc", at_least=0.85),
    ),
    tensor_case(
        "braindecode/EEGNet", "where rhythms are from", brain_network, brain_waves, 20,
        Goal("val_acc", at_least=0.9), batch_size=64,
    ),
)  # fmt: skip
