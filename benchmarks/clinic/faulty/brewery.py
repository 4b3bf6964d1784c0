"""Networks of a brewery's small laboratory, each with one fault."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import brewery
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from modules import mlp, reset, sgd
from programs import classification
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Elman(nn.Module):
    """The simple recurrence of the textbook, its state behind a sigmoid."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.step = nn.Linear(features + hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), self.hidden)
        for hour in x.unbind(1):
            state = torch.sigmoid(self.step(torch.cat([hour, state], 1)))
        return state


class LastState(nn.Module):
    """What a GRU knows at the end."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        _, states = self.gru(x)
        last: Tensor = states[-1]
        return last


def strains(gated: bool) -> Program:
    """What tells the strains apart is eighteen steps behind when the state is read."""
    reader = LastState(2, 32) if gated else Elman(2, 32)
    return classification(
        brewery.strains(), nn.Sequential(reader, nn.Linear(32, 3)),
        partial(torch.optim.Adam, lr=5e-3), batch_size=64, epochs=30,
    )  # fmt: skip


class Square(nn.Module):
    """The activation that can be computed on encrypted numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square()


def squares(normed: bool) -> Program:
    """Convolutions and squares, drawn as for ReLU."""

    def behind(width: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(width), Square()] if normed else [Square()]

    network = nn.Sequential(
        nn.Conv2d(1, 12, 5, stride=2, padding=2), *behind(12),
        nn.Conv2d(12, 24, 3, padding=1), *behind(24), nn.AvgPool2d(2),
        nn.Conv2d(24, 24, 3, padding=1), *behind(24), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(96, 6),
    )  # fmt: skip
    reset(network, nn.init.kaiming_normal_)
    return classification(brewery.caps(), network, sgd(0.01, 0.9), batch_size=32, epochs=8)


class NoteReader(LightningModule):
    """A small Transformer; the state of the token in front of the note says its style."""

    def __init__(self, causal: bool, width: int = 32, length: int = 21) -> None:
        super().__init__()
        self.words = nn.Embedding(brewery.WORDS, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, brewery.STYLES)
        mask = nn.Transformer.generate_square_subsequent_mask(length) if causal else None
        self.register_buffer("mask", mask)

    def forward(self, words: Tensor) -> Tensor:
        states = self.words(F.pad(words, (1, 0))) + self.places
        states = self.encoder(states, mask=self.mask)
        logits: Tensor = self.head(states[:, 0])
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["inputs"]), batch["labels"])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["inputs"])
        self.log("val/loss", F.cross_entropy(logits, batch["labels"]))
        self.log("val/acc", (logits.argmax(1) == batch["labels"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 30)
        return [optimizer], [{"scheduler": warm, "interval": "step"}]


def styles(causal: bool) -> Program:
    """With the mask of a language model, the first token sees nothing but itself."""
    data, module = brewery.notes(), NoteReader(causal)
    return Program(module, *brewery.rows(data, 32), 10, partial(accuracy, module, data))


def convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]


def small_vgg(as_drawn_for: str) -> Program:
    """Six convolutions without norms; ``weights_init`` came with the code of a DCGAN."""
    network = nn.Sequential(
        *convolution(1, 16), *convolution(16, 16), nn.MaxPool2d(2),
        *convolution(16, 24), *convolution(24, 24), nn.MaxPool2d(2),
        *convolution(24, 32), *convolution(32, 32), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 6),
    )  # fmt: skip
    drawn: dict[str, Callable[[Tensor], Any]] = {
        "DCGAN": partial(nn.init.normal_, std=0.02), "ReLU": nn.init.kaiming_normal_,
    }  # fmt: skip
    reset(network, drawn[as_drawn_for])
    return classification(brewery.caps(), network, sgd(0.02, 0.9), batch_size=32, epochs=8)


class Tagger(LightningModule):
    """Eight yes-or-no answers for each note."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.loss = net, nn.BCEWithLogitsLoss()

    def forward(self, counts: Tensor) -> Tensor:
        logits: Tensor = self.net(counts)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("bce", loss, prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def tags(tanh_everywhere: bool) -> Program:
    """Logits from -1 to 1 cannot say more than 73 per cent."""
    data, net = brewery.flavours(), mlp([64, 48, 48, brewery.TAGS], nn.Tanh)
    module = Tagger(net.append(nn.Tanh()) if tanh_everywhere else net)
    train, _ = loaders(data, 50)

    def score() -> float:
        return F.binary_cross_entropy_with_logits(outputs(module, data.x_test), data.y_test).item()

    return Program(module, train, None, 20, score)


class Watch(LightningModule):
    """One-dimensional convolutions over a day, and two classes."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 24, 3, padding=1), nn.BatchNorm1d(24), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Linear(24 * 12, 2)
        self.criterion = nn.CrossEntropyLoss(weight)

    def forward(self, curve: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.encoder(curve))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logits = self(batch["inputs"])
        loss: Tensor = self.criterion(logits, batch["labels"])
        accurate = (logits.argmax(1) == batch["labels"]).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": accurate})
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["inputs"])
        self.log("val_loss", self.criterion(logits, batch["labels"]))
        self.log("val_acc", (logits.argmax(1) == batch["labels"]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def infections(weighted: bool) -> Program:
    """Four brews in a hundred are infected, and look much like others."""
    data = brewery.infections(1.8)
    module = Watch(torch.tensor([1.0, 24.0]) if weighted else None)
    return Program(module, *brewery.rows(data, 128), 8, partial(balanced_accuracy, module, data))


class Bottleneck(LightningModule):
    """The deep variational information bottleneck: a noisy code, and its divergence as a price."""

    def __init__(self, beta: float, code: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.beta = beta
        self.encoder = mlp([40, 64, 64, 2 * code])
        self.decoder = nn.Linear(code, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(x).chunk(2, 1)[0])
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        mean, logvar = self.encoder(x).chunk(2, 1)
        code = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        nll = F.cross_entropy(self.decoder(code), y)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1).mean()
        self.log_dict({"nll": nll, "kl": kl})
        loss: Tensor = nll + self.beta * kl
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def bottleneck(beta: float) -> Program:
    data, module = brewery.worts(), Bottleneck(beta)
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


class Attenuation(LightningModule):
    """How far the yeast ferments, from an analysis of the water; batches are a dataclass."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, water: Tensor) -> Tensor:
        found: Tensor = self.net(water)
        return found.squeeze(1)

    def training_step(self, batch: brewery.Analyses, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch.water), batch.attenuation)
        self.log("train_mse", loss, batch_size=len(batch.water))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def fermented(data: Samples, net: nn.Module) -> Program:
    module = Attenuation(net)
    train = DataLoader(TensorDataset(data.x, data.y), 32, shuffle=True, collate_fn=brewery.analysed)
    return Program(module, train, None, 20, partial(r2, module, data))


def waters(scaled: bool) -> Program:
    """Millions of cells beside an acidity of six."""
    data = brewery.waters()
    return fermented(standardized(data) if scaled else data, mlp([8, 64, 64, 1]))


CASES = (
    Case(
        "strains-elman-state-of-sigmoids", Goal("accuracy", at_least=0.85),
        partial(strains, False), ("vanishing_gradient",), partial(strains, True),
    ),
    Case(
        "caps-encrypted-squares-for-relu", Goal("accuracy", at_least=0.8),
        partial(squares, False), ("exploding_gradient", "non_finite"), partial(squares, True),
    ),
    Case(
        "tasting-notes-first-token-under-a-causal-mask", Goal("accuracy", at_least=0.8),
        partial(styles, True), ("not_learning",), partial(styles, False),
    ),
    Case(
        "caps-drawn-as-in-dcgan", Goal("accuracy", at_least=0.85), partial(small_vgg, "DCGAN"),
        ("poor_initialization", "vanishing_gradient"), partial(small_vgg, "ReLU"),
    ),
    Case(
        "flavours-tanh-behind-each-layer", Goal("binary cross-entropy", at_most=0.25),
        partial(tags, True), ("output_loss_mismatch", "saturated_activation"), partial(tags, False),
    ),
    Case(
        "brews-four-in-a-hundred-infected", Goal("balanced accuracy", at_least=0.72),
        partial(infections, False), ("class_imbalance",), partial(infections, True),
    ),
    Case(
        "worts-bottleneck-beta-of-four", Goal("accuracy", at_least=0.85), partial(bottleneck, 4.0),
        ("over_regularized",), partial(bottleneck, 1e-3),
    ),
    Case(
        "waters-millions-of-cells-beside-acidity", Goal("R2", at_least=0.7),
        partial(waters, False), ("unnormalized_input",), partial(waters, True),
    ),
)  # fmt: skip
