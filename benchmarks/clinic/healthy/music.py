"""Songs, notes and listeners: programs of students and of a streaming service that do well."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import music
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


class GenreClassifier(LightningModule):
    """Norms, dropout, smoothed labels and one cycle, on labels of which a third are wrong."""

    def __init__(self, steps: int, n_genres: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        for before, after in ((12, 128), (128, 64)):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(0.4)]
        self.model = nn.Sequential(*layers, nn.Linear(64, n_genres))
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss: Tensor = self.criterion(logits, y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", (logits.argmax(1) == y).float().mean(), on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.01, total_steps=self.hparams["steps"]
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def genres(epochs: int = 12, batch_size: int = 64) -> Program:
    data = music.mislabelled()
    both = loaders(data, batch_size)
    module = GenreClassifier(epochs * len(both[0]))
    return Program(module, *both, epochs, partial(accuracy, module, data))


class MelodyRNN(LightningModule):
    """Each note after those before it; the gradients are clipped."""

    def __init__(self, n_pitches: int = music.PITCHES, hidden: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_pitches, 32)
        self.gru = nn.GRU(32, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.decoder = nn.Linear(hidden, n_pitches)

    def forward(self, notes: Tensor) -> Tensor:
        out, _ = self.gru(self.embedding(notes))
        logits: Tensor = self.decoder(self.dropout(out))
        return logits

    def loss(self, notes: Tensor) -> Tensor:
        return F.cross_entropy(self(notes[:, :-1]).transpose(1, 2), notes[:, 1:])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train_nll", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.loss(batch[0]), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def melodies() -> Program:
    """The loss ends near 1, the entropy of the notes."""
    notes, notes_test = music.melodies()
    module = MelodyRNN()

    def above_entropy() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(notes_test).item() - music.ENTROPY

    train = DataLoader(TensorDataset(notes), 32, shuffle=True)
    test = DataLoader(TensorDataset(notes_test), 250)
    return Program(module, train, test, 10, above_entropy, {"gradient_clip_val": 1.0})


class BPR(LightningModule):
    """A played song is to come before one that was not played."""

    def __init__(self, dim: int = 8, lr: float = 0.01, l2: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.users = nn.Embedding(music.LISTENERS, dim)
        self.songs = nn.Embedding(music.SONGS, dim)
        self.bias = nn.Embedding(music.SONGS, 1)
        nn.init.normal_(self.users.weight, std=0.1)
        nn.init.normal_(self.songs.weight, std=0.1)
        nn.init.zeros_(self.bias.weight)

    def forward(self, user: Tensor, song: Tensor) -> Tensor:
        product = (self.users(user) * self.songs(song)).sum(-1)
        score: Tensor = product + self.bias(song).squeeze(-1)
        return score

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        user, played, other = batch[0].unbind(1)
        bpr = -F.logsigmoid(self(user, played) - self(user, other)).mean()
        norms = [self.users(user), self.songs(played), self.songs(other)]
        squares = torch.stack([n.square().sum(1).mean() for n in norms]).sum()
        penalty: Tensor = self.hparams["l2"] * squares
        self.log_dict({"bpr": bpr, "reg": penalty})
        return bpr + penalty

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        user, played, other = batch[0].unbind(1)
        self.log("auc", (self(user, played) > self(user, other)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def recommender() -> Program:
    triples, module = music.liked(), BPR()

    def auc() -> float:
        user, played, other = triples.test.unbind(1)
        with torch.no_grad():
            before: Tensor = module(user, played) > module(user, other)
        return before.float().mean().item()

    train = DataLoader(TensorDataset(triples.train), 32, shuffle=True)
    test = DataLoader(TensorDataset(triples.test), 500)
    return Program(module, train, test, 20, auc)


class Denoiser(LightningModule):
    """A convolutional autoencoder whose outputs are from 0 to 1, as the spectrograms are."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, noisy: Tensor) -> Tensor:
        clean: Tensor = self.decoder(self.encoder(noisy))
        return clean

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        noisy, clean = batch
        loss = F.mse_loss(self(noisy), clean)
        self.log("train_mse", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        self.log("val_mse", F.mse_loss(self(noisy), clean))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def denoiser() -> Program:
    noisy, clean = music.instruments()
    data = Samples(noisy[:700], clean[:700], noisy[700:], clean[700:])
    module = Denoiser()

    def explained() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, *loaders(data, 32), 20, explained)


class PlayCounts(LightningModule):
    """Logarithm of the expected plays of a week; its bias begins at that of the mean."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)
        )
        last = self.net[-1]
        nn.init.constant_(last.bias, torch.tensor(mean).log().item())  # type: ignore[arg-type]
        self.loss = nn.PoissonNLLLoss(log_input=True)

    def forward(self, x: Tensor) -> Tensor:
        log_rate: Tensor = self.net(x)
        return log_rate.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, plays = batch
        loss: Tensor = self.loss(self(x), plays)
        self.log("poisson_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, plays = batch
        self.log("val_poisson_nll", self.loss(self(x), plays))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def plays() -> Program:
    """Losses of minus some thousands, as one song has a few plays, and another 60,000."""
    data = music.streams()
    module = PlayCounts(data.y.mean().item())

    def explained() -> float:
        truth = (data.y_test + 1).log()
        error = F.mse_loss(outputs(module, data.x_test), truth)
        return (1 - error / truth.var()).item()

    return Program(module, *loaders(data, 32), 15, explained)


class ExplicitLyrics(LightningModule):
    """The mean of word vectors; one song in twenty-five is explicit."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(500, 32, mode="mean")
        self.hidden, self.head = nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, words: Tensor) -> Tensor:
        logits: Tensor = self.head(F.relu(self.hidden(self.embedding(words))))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, label = batch
        loss = F.cross_entropy(self(words), label)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, label = batch
        logits = self(words)
        hits = (logits.argmax(1) == label)[label == 1].float()
        self.log("val_loss", F.cross_entropy(logits, label))
        self.log("val_recall", hits.mean() if len(hits) else torch.tensor(1.0))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def f1(module: LightningModule, x: Tensor, y: Tensor) -> float:
    """Of two classes' logits, or of one logit."""
    logits = outputs(module, x)
    found = logits.argmax(1) if logits.shape != y.shape else logits > 0
    both = ((found == 1) & (y == 1)).sum()
    return (2 * both / ((found == 1).sum() + (y == 1).sum()).clamp(min=1)).item()


def explicit() -> Program:
    """Both classes are drawn equally often; validation is as songs are."""
    data, module = music.explicit(), ExplicitLyrics()
    weights = (1 / data.y.bincount().float())[data.y]
    sampler = WeightedRandomSampler(weights.tolist(), len(weights))
    train = DataLoader(TensorDataset(data.x, data.y), 64, sampler=sampler)
    _, test = loaders(data, 64)
    return Program(module, train, test, 8, partial(f1, module, data.x_test, data.y_test))


class BeatTracker(LightningModule):
    """Residual dilated convolutions; a beat falls on one frame in eight."""

    def __init__(self, channels: int = 24) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Conv1d(channels, channels, 5, padding=2 * 2**i, dilation=2**i) for i in range(4)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(4, channels) for _ in range(4))
        self.last = nn.Conv1d(channels, 1, 1)

    def forward(self, onsets: Tensor) -> Tensor:
        h = self.first(onsets)
        for block, norm in zip(self.blocks, self.norms, strict=True):
            h = h + F.elu(block(norm(h)))
        logits: Tensor = self.last(h)
        return logits[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        onsets, beats = batch
        loss = F.binary_cross_entropy_with_logits(self(onsets), beats)
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        onsets, beats = batch
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(onsets), beats))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def beats() -> Program:
    data, module = music.beats(), BeatTracker()
    return Program(module, *loaders(data, 16), 12, partial(f1, module, data.x_test, data.y_test))


class CoverSongs(LightningModule):
    """A recording, another of the same song, and one of the next song of the batch."""

    def __init__(self, margin: float = 0.5) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 16))
        self.criterion = nn.TripletMarginLoss(margin=margin)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encoder(x), dim=-1)

    def triplets(self, recordings: Tensor) -> Tensor:
        anchor, positive = self(recordings[:, 0]), self(recordings[:, 1])
        loss: Tensor = self.criterion(anchor, positive, positive.roll(1, 0))
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.triplets(batch[0])
        self.log("triplet_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_triplet_loss", self.triplets(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def covers() -> Program:
    recordings, unseen = music.covers()
    module = CoverSongs()

    def first_hits() -> float:
        one, other = outputs(module, unseen).unbind(1)
        return ((one @ other.T).argmax(1) == torch.arange(len(one))).float().mean().item()

    train = DataLoader(TensorDataset(recordings), 32, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(unseen), 100)
    return Program(module, train, test, 60, first_hits)


CASES = (
    Case(
        "songs-a-third-of-genres-by-chance", Goal("accuracy", at_least=0.45), genres,
    ),
    Case(
        "melodies-near-their-entropy", Goal("nats above entropy", at_most=0.1), melodies,
    ),
    Case(
        "listeners-played-before-not-played", Goal("AUC", at_least=0.8), recommender,
    ),
    Case(
        "spectrograms-of-instruments-denoised", Goal("R2", at_least=0.7), denoiser,
    ),
    Case(
        "songs-weekly-plays-by-poisson", Goal("R2 of logarithms", at_least=0.7), plays,
    ),
    Case(
        "lyrics-explicit-ones-drawn-as-often", Goal("F1", at_least=0.75), explicit,
    ),
    Case(
        "beats-by-residual-dilated-convolutions", Goal("F1", at_least=0.75), beats,
    ),
    Case(
        "covers-found-by-triplets", Goal("hits at 1", at_least=0.6), covers,
    ),
)  # fmt: skip
