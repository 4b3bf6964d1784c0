"""Songs, notes and listeners: homework, notebooks and questions, each with one plain mistake."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import music
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, binary_accuracy, cross_entropy, outputs
from torch import Tensor, nn


class MusicLSTM(LightningModule):
    """The next note after sixteen others.

    The tutorial in another framework fed ``notes / n_vocab`` to its LSTM; here is an embedding.
    """

    def __init__(self, n_vocab: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_vocab, 32)
        self.lstm = nn.LSTM(32, 64, num_layers=2, batch_first=True, dropout=0.2)
        self.fc = nn.Linear(64, n_vocab)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(self.embedding(x.long()))
        logits: Tensor = self.fc(out[:, -1])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def next_note(divided: bool) -> Program:
    train, test = music.melodies()
    by = music.PITCHES if divided else 1
    data = Samples(train[:, :-1] / by, train[:, -1], test[:, :-1] / by, test[:, -1])
    module = MusicLSTM(music.PITCHES)
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


class ChordTransformer(LightningModule):
    """A chord for each frame."""

    def __init__(self, lr: float, d_model: int = 64, nhead: int = 4, num_layers: int = 2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.proj = nn.Linear(12, d_model)
        self.pos = nn.Parameter(0.02 * torch.randn(1, 24, d_model))
        layer = nn.TransformerEncoderLayer(d_model, nhead, 128, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.head = nn.Linear(d_model, 24)

    def forward(self, chroma: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(self.proj(chroma) + self.pos))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        chroma, chord = batch
        logits = self(chroma)
        loss = F.cross_entropy(logits.reshape(-1, 24), chord.reshape(-1))
        self.log("train/loss", loss)
        self.log("train/acc", (logits.argmax(-1) == chord).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        chroma, chord = batch
        logits = self(chroma)
        self.log("val/loss", F.cross_entropy(logits.reshape(-1, 24), chord.reshape(-1)))
        self.log("val/acc", (logits.argmax(-1) == chord).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def chord_frames(lr: float) -> Program:
    data, module = music.chords(), ChordTransformer(lr)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class GenreNet(LightningModule):
    """Columns of the CSV file to genres."""

    def __init__(self, n_features: int = 12, n_genres: int = 6) -> None:
        super().__init__()
        self.fc1 = nn.Linear(n_features, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, n_genres)
        self.dropout = nn.Dropout(0.2)
        self.loss_fn = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(F.relu(self.fc1(x)))
        x = F.relu(self.fc2(x))
        logits: Tensor = self.fc3(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        loss: Tensor = self.loss_fn(self(x), y)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", self.loss_fn(logits, y))
        self.log("val_accuracy", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def genres(scaled: bool) -> Program:
    """The file as it was read, or after a StandardScaler."""
    data = standardized(music.songs()) if scaled else music.songs()
    module = GenreNet()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class GRU4Rec(LightningModule):
    """The next song of a session."""

    def __init__(self, softmax: bool, n_items: int = music.SONGS) -> None:
        super().__init__()
        self.item_emb = nn.Embedding(n_items, 32)
        self.gru = nn.GRU(32, 64, batch_first=True)
        self.out = nn.Linear(64, n_items)
        self.activation = nn.Softmax(dim=1) if softmax else nn.Identity()
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, session: Tensor) -> Tensor:
        _, hidden = self.gru(self.item_emb(session))
        scores: Tensor = self.activation(self.out(hidden[-1]))
        return scores

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        session, target = batch
        loss: Tensor = self.criterion(self(session), target)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        session, target = batch
        scores = self(session)
        top = scores.topk(5, dim=1).indices
        self.log("val_loss", self.criterion(scores, target))
        self.log("recall@5", (top == target[:, None]).any(1).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def recall_at_5(module: LightningModule, data: Samples) -> float:
    top = outputs(module, data.x_test).topk(5, dim=1).indices
    return (top == data.y_test[:, None]).any(1).float().mean().item()


def sessions(softmax: bool) -> Program:
    data, module = music.sessions(), GRU4Rec(softmax)
    return Program(module, *loaders(data, 50), 8, partial(recall_at_5, module, data))


class LyricsMood(LightningModule):
    """Mood of a song by its words, read in both directions."""

    def __init__(self, hidden: int, dropout: float, weight_decay: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(400, 64)
        self.lstm = nn.LSTM(64, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(2 * hidden, 4)

    def forward(self, words: Tensor) -> Tensor:
        out, _ = self.lstm(self.drop(self.embed(words)))
        logits: Tensor = self.fc(self.drop(out.mean(1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, mood = batch
        logits = self(words)
        loss = F.cross_entropy(logits, mood)
        accuracy = (logits.argmax(1) == mood).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": accuracy}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, mood = batch
        logits = self(words)
        self.log("val_loss", F.cross_entropy(logits, mood))
        self.log("val_acc", (logits.argmax(1) == mood).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decay = self.hparams["weight_decay"]
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=decay)


def moods(
    epochs: int, hidden: int = 64, dropout: float = 0.0, weight_decay: float = 0.0
) -> Program:
    """Trained until the accuracy on the 400 songs is 100%, or regularised and stopped."""
    data, module = music.lyrics(), LyricsMood(hidden, dropout, weight_decay)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


def tower(activation: type[nn.Module], inputs: int = 8, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(inputs, width), activation()]
    for _ in range(5):
        layers += [nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 16))


class TwoTower(LightningModule):
    """Listener and song, each through a net of its own; the product is the logit of a like."""

    def __init__(self, activation: type[nn.Module]) -> None:
        super().__init__()
        self.user_tower, self.song_tower = tower(activation), tower(activation)

    def forward(self, x: Tensor) -> Tensor:
        user, song = self.user_tower(x[:, :8]), self.song_tower(x[:, 8:])
        logit: Tensor = (user * song).sum(-1)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, liked = batch
        loss = F.binary_cross_entropy_with_logits(self(x), liked.float())
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, liked = batch
        logit = self(x)
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, liked.float()))
        self.log("val_acc", ((logit > 0) == (liked > 0)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def towers(activation: type[nn.Module]) -> Program:
    data, module = music.tastes(), TwoTower(activation)
    return Program(module, *loaders(data, 64), 15, partial(binary_accuracy, module, data))


class GlideNet(LightningModule):
    """Recordings of a studio and of phones go through the net one after the other, or together."""

    def __init__(self, together: bool) -> None:
        super().__init__()
        self.together = together
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.conv(x))
        return logits

    def training_step(self, batch: dict[str, list[Tensor]], batch_idx: int) -> Tensor:
        (x_studio, y_studio), (x_phone, y_phone) = batch["studio"], batch["phone"]
        if self.together:
            x, y = torch.cat([x_studio, x_phone]), torch.cat([y_studio, y_phone])
            loss = F.cross_entropy(self(x), y)
        else:
            loss_studio = F.cross_entropy(self(x_studio), y_studio)
            loss_phone = F.cross_entropy(self(x_phone), y_phone)
            loss = (loss_studio + loss_phone) / 2
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def glides(together: bool) -> Program:
    studio, phone = music.sung()
    data = Samples(*(torch.cat(both) for both in zip(studio, phone, strict=True)))
    module = GlideNet(together)
    (train_studio, _), (train_phone, _) = loaders(studio, 32), loaders(phone, 32)
    train: dict[str, Any] = {"studio": train_studio, "phone": train_phone}
    _, test = loaders(data, 32)
    return Program(module, train, test, 15, partial(accuracy, module, data))


CASES = (
    Case(
        "melodies-divided-before-the-embedding", Goal("accuracy", at_least=0.5),
        partial(next_note, True), ("not_learning",), partial(next_note, False),
    ),
    Case(
        "chords-transformer-at-three-hundredths", Goal("accuracy", at_least=0.7),
        partial(chord_frames, 0.03), ("learning_rate_too_high",), partial(chord_frames, 1e-3),
    ),
    Case(
        "songs-milliseconds-and-followers-raw", Goal("accuracy", at_least=0.7),
        partial(genres, False), ("unnormalized_input",), partial(genres, True),
    ),
    Case(
        "sessions-next-song-of-a-softmax", Goal("recall at 5", at_least=0.78),
        partial(sessions, True), ("output_loss_mismatch",), partial(sessions, False),
    ),
    Case(
        "lyrics-four-hundred-songs-by-heart", Goal("cross-entropy", at_most=0.85),
        partial(moods, 25), ("overfitting",),
        partial(moods, 8, hidden=32, dropout=0.5, weight_decay=0.1),
    ),
    Case(
        "listeners-and-songs-two-towers-of-sigmoids", Goal("accuracy", at_least=0.72),
        partial(towers, nn.Sigmoid), ("vanishing_gradient",), partial(towers, nn.ReLU),
    ),
    Case(
        "glides-studio-and-phones-in-turn", Goal("accuracy", at_least=0.85),
        partial(glides, False), ("train_eval_mismatch",), partial(glides, True),
    ),
)  # fmt: skip
