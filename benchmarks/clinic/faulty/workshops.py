"""Programs of well-known teaching material in which their readers changed one line too many."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import workshops
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, binary_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class LeNet(LightningModule):
    """The net of a book's chapter: two convolutions and three dense layers of one activation."""

    def __init__(self, activation: type[nn.Module], lr: float = 0.05) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(3, 6, 5, padding=2), activation(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5, padding=2), activation(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(256, 120), activation(), nn.Linear(120, 84), activation(),
            nn.Linear(84, 6),
        )  # fmt: skip

    def forward(self, X: Tensor) -> Tensor:
        y_hat: Tensor = self.net((X - 0.5) / 0.2)
        return y_hat

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        y_hat = self(batch[0])
        self.log("val loss", F.cross_entropy(y_hat, batch[1]))
        self.log("val acc", (y_hat.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def le_net(activation: type[nn.Module]) -> Program:
    data, module = workshops.weaves(), LeNet(activation)
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


class SentenceCNN(LightningModule):
    """Filters of two and three words; the loss wants logarithms of probabilities."""

    def __init__(self, last: nn.Module, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(workshops.NEWS_WORDS, width)
        self.conv2, self.conv3 = nn.Conv1d(width, 32, 2), nn.Conv1d(width, 32, 3)
        self.fc, self.dropout, self.last = nn.Linear(64, 4), nn.Dropout(0.4), last

    def forward(self, text: Tensor) -> Tensor:
        x = self.embedding(text).transpose(1, 2)
        pooled = [F.relu(conv(x)).amax(2) for conv in (self.conv2, self.conv3)]
        found: Tensor = self.last(self.fc(self.dropout(torch.cat(pooled, 1))))
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.nll_loss(self(batch[0]), batch[1])
        self.log("Loss", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("Test loss", F.nll_loss(found, batch[1]))
        self.log("Test accuracy", (found.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def sentence_cnn(last: nn.Module) -> Program:
    """Scored by the negative logarithm of what is said of the right section."""
    data, module = workshops.news(), SentenceCNN(last)
    return Program(module, *loaders(data, 32), 10, partial(cross_entropy, module, data))


class Forecaster(LightningModule):
    """A convolution in time, a dense layer, and a column of one forecast each."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.flat = flat
        self.conv = nn.Conv1d(6, 24, 5, stride=2)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(16 * 24, 1))

    def forward(self, window: Tensor) -> Tensor:
        forecast: Tensor = self.head(F.gelu(self.conv(window.transpose(1, 2))))
        return forecast.squeeze(-1) if self.flat else forecast

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        inputs, labels = batch
        loss = (self(inputs) - labels).abs().mean()
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        inputs, labels = batch
        self.log("val_mae", (self(inputs) - labels).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def forecaster(flat: bool) -> Program:
    data = workshops.station()
    mean, deviation = data.x.mean((0, 1)), data.x.std((0, 1))
    data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    data, module = scaled_targets(data), Forecaster(flat)
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


class OdeBlocks(LightningModule):
    """Twenty-eight steps of an equation in time, each of a layer of its own."""

    def __init__(self, step: float, width: int = 48, steps: int = 28) -> None:
        super().__init__()
        self.step = step
        self.enter, self.leave = nn.Linear(30, width), nn.Linear(width, 8)
        self.f = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(steps)
        )
        for layer in self.f.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(x)
        for f in self.f:
            h = h + self.step * f(h)
        logits: Tensor = self.leave(h)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        self.log("acc/train", (logits.argmax(1) == batch[1]).float().mean())
        loss = F.cross_entropy(logits, batch[1])
        self.log("nll/train", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("nll/val", F.cross_entropy(logits, batch[1]))
        self.log("acc/val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-5)


def ode_blocks(step: float) -> Program:
    data, module = workshops.gadgets(), OdeBlocks(step)
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class PixelField(LightningModule):
    """A net from where a pixel lies to its grey."""

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, where: Tensor) -> Tensor:
        return torch.tanh(self.layers(where)).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("img_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("val_img_loss", loss)
        self.log("val_psnr", -10 * torch.log10(loss / 4))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)]


def pixel_field(scale: float, shift: float) -> Program:
    """Places from -1 to 1, or as pixels of a picture of 640 by 640."""
    data, module = workshops.stained_glass(), PixelField()
    data = data.with_inputs(scale * data.x + shift, scale * data.x_test + shift)
    return Program(module, *loaders(data, 56), 100, partial(r2, module, data))


@dataclass
class Rows:
    """A batch of shops' days."""

    categories: Tensor
    numbers: Tensor
    log_sales: Tensor


def rows_of(rows: list[tuple[Tensor, Tensor]]) -> Rows:
    x = torch.stack([row for row, _ in rows])
    return Rows(x[:, :3].long(), x[:, 3:], torch.stack([y for _, y in rows]))


class Rossmann(LightningModule):
    """Embedded categories and numbers side by side in one dense net."""

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.day = nn.Embedding(40, 10), nn.Embedding(7, 4)
        self.dense = nn.Sequential(
            nn.Linear(19, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, categories: Tensor, numbers: Tensor) -> Tensor:
        shop, day = self.shop(categories[:, 0]), self.day(categories[:, 1])
        x = torch.cat([shop, day, categories[:, 2:].float(), numbers], 1)
        found: Tensor = self.dense(x)
        return found[:, 0]

    def loss(self, batch: Rows) -> Tensor:
        return F.mse_loss(self(batch.categories, batch.numbers), batch.log_sales)

    def training_step(self, batch: Rows, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, batch_size=len(batch.numbers))
        return loss

    def validation_step(self, batch: Rows, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch.numbers))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def rossmann(scaled: bool) -> Program:
    data, module = scaled_targets(workshops.shop_days()), Rossmann()
    if scaled:
        columns = standardized(data)
        data = data.with_inputs(
            torch.cat([data.x[:, :3], columns.x[:, 3:]], 1),
            torch.cat([data.x_test[:, :3], columns.x_test[:, 3:]], 1),
        )
    train = TensorDataset(data.x, data.y)
    test = TensorDataset(data.x_test, data.y_test)
    both = (
        DataLoader(train, 32, shuffle=True, collate_fn=rows_of),
        DataLoader(test, 400, collate_fn=rows_of),
    )

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(data.x_test[:, :3].long(), data.x_test[:, 3:])
        return (1 - F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return Program(module, *both, 15, score)


class LetterMLP(LightningModule):
    """The matrices of a well-known lecture, as they stand before its second half."""

    def __init__(self, gain: float | None, n_embd: int = 12, n_hidden: int = 160) -> None:
        super().__init__()
        fan_in = 4 * n_embd
        small = 1.0 if gain is None else gain / fan_in**0.5
        last = 1.0 if gain is None else 0.01
        self.C = nn.Parameter(torch.randn(workshops.LETTERS, n_embd))
        self.W1 = nn.Parameter(torch.randn(fan_in, n_hidden) * small)
        self.b1 = nn.Parameter(torch.randn(n_hidden) * 0.01)
        self.W2 = nn.Parameter(torch.randn(n_hidden, workshops.LETTERS) * last)
        self.b2 = nn.Parameter(torch.zeros(workshops.LETTERS))

    def forward(self, X: Tensor) -> Tensor:
        h = torch.tanh(self.C[X].flatten(1) @ self.W1 + self.b1)
        return h @ self.W2 + self.b2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("dev_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def letter_mlp(gain: float | None) -> Program:
    data, module = workshops.town_names(4), LetterMLP(gain)
    return Program(module, *loaders(data, 64), 6, partial(cross_entropy, module, data))


class TwoLayerNet(LightningModule):
    """The assignment's net: weights in a dictionary, a hinge of all wrong classes."""

    def __init__(self, draw: Callable[[int, int], Tensor], hidden: int = 80) -> None:
        super().__init__()
        self.params = nn.ParameterDict({
            "W1": draw(30, hidden), "b1": torch.zeros(hidden),
            "W2": draw(hidden, 8), "b2": torch.zeros(8),
        })  # fmt: skip

    def forward(self, X: Tensor) -> Tensor:
        hidden = F.relu(X @ self.params["W1"] + self.params["b1"])
        return hidden @ self.params["W2"] + self.params["b2"]

    def svm_loss(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        scores = self(batch[0])
        right = (scores.argmax(1) == batch[1]).float().mean()
        return F.multi_margin_loss(scores, batch[1]), right

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, _ = self.svm_loss(batch)
        self.log("svm_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, right = self.svm_loss(batch)
        self.log_dict({"val_svm_loss": loss, "val_acc": right})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def two_layers(draw: Callable[[int, int], Tensor]) -> Program:
    data, module = workshops.gadgets(), TwoLayerNet(draw)
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


def one_hundredth(before: int, after: int) -> Tensor:
    return torch.full((before, after), 0.01)


def drawn(before: int, after: int) -> Tensor:
    return torch.randn(before, after) / before**0.5


class EncoderRNN(nn.Module):
    """The last state of what was spoken."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.embedding = nn.Embedding(32, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, spoken: Tensor) -> Tensor:
        hidden: Tensor = self.gru(self.embedding(spoken))[1][0]
        return hidden


class DecoderRNN(nn.Module):
    """Four digits from a state."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, hidden)
        self.cell, self.out = nn.GRUCell(hidden, hidden), nn.Linear(hidden, 10)

    def forward(self, hidden: Tensor, written: Tensor | None) -> Tensor:
        token = torch.full((len(hidden),), 10)
        found = []
        for place in range(4):
            hidden = self.cell(F.relu(self.embedding(token)), hidden)
            found.append(self.out(hidden))
            token = found[-1].argmax(1) if written is None else written[:, place]
        return torch.stack(found, 1)


class TwoOptimizers(LightningModule):
    """One optimizer for the encoder, and a copied line for the decoder."""

    def __init__(self, copied: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.copied = copied
        self.encoder, self.decoder = EncoderRNN(), DecoderRNN()

    def forward(self, spoken: Tensor, written: Tensor | None = None) -> Tensor:
        logits: Tensor = self.decoder(self.encoder(spoken), written)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        encoder_optimizer, decoder_optimizer = self.optimizers()  # type: ignore[misc]
        loss = F.cross_entropy(self(*batch).flatten(0, 1), batch[1].flatten())
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        self.manual_backward(loss)
        encoder_optimizer.step()
        decoder_optimizer.step()
        self.log("train_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()))
        self.log("val_all_right", (logits.argmax(2) == batch[1]).all(1).float().mean())

    def configure_optimizers(self) -> Any:
        other = self.encoder if self.copied else self.decoder
        return [
            torch.optim.Adam(self.encoder.parameters(), lr=3e-3),
            torch.optim.Adam(other.parameters(), lr=3e-3),
        ]


def two_optimizers(copied: bool) -> Program:
    data, module = workshops.clocks(), TwoOptimizers(copied)

    def score() -> float:
        return (outputs(module, data.x_test).argmax(2) == data.y_test).all(1).float().mean().item()

    return Program(module, *loaders(data, 64), 15, score)


class NormedLetters(LightningModule):
    """Letters through two normed layers of matrices that are not scaled."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.emb = nn.Embedding(workshops.LETTERS, 10)
        self.lin1, self.lin2 = nn.Linear(30, 120, bias=False), nn.Linear(120, 80, bias=False)
        for layer in (self.lin1, self.lin2):
            nn.init.normal_(layer.weight)
        self.bn1 = nn.BatchNorm1d(120, momentum=momentum)
        self.bn2 = nn.BatchNorm1d(80, momentum=momentum)
        self.out = nn.Linear(80, workshops.LETTERS)

    def forward(self, idx: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.lin1(self.emb(idx).flatten(1))))
        logits: Tensor = self.out(F.relu(self.bn2(self.lin2(x))))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        xb, yb = batch
        loss = F.cross_entropy(self(xb), yb)
        self.log("train", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def normed_letters(momentum: float) -> Program:
    data, module = workshops.town_names(3), NormedLetters(momentum)
    return Program(module, *loaders(data, 512), 8, partial(cross_entropy, module, data))


class ConvVAE(LightningModule):
    """Codes of six numbers of pictures; how the pixels' errors are reduced is an argument."""

    def __init__(self, reduction: str, code: int = 6) -> None:
        super().__init__()
        self.reduction = reduction
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.1), nn.Conv2d(16, 32, 4, 2, 1),
            nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(512, 2 * code),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(code, 512), nn.LeakyReLU(0.1), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(16, 1, 4, 2, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """Pixels rebuilt from the mean of the code."""
        mu, _ = self.encoder(image).chunk(2, 1)
        return torch.sigmoid(self.decoder(mu))

    def elbo(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.encoder(image).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        recon = F.binary_cross_entropy_with_logits(self.decoder(z), image, reduction=self.reduction)
        kld = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean()
        return recon if self.reduction == "mean" else recon / len(image), kld

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        recon, kld = self.elbo(batch[0])
        self.log_dict({"loss": recon + kld, "Reconstruction_Loss": recon, "KLD": kld})
        return recon + kld

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        recon, kld = self.elbo(batch[0])
        self.log_dict({"val_loss": recon + kld, "val_Reconstruction_Loss": recon, "val_KLD": kld})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def conv_vae(reduction: str) -> Program:
    data, module = workshops.buttons(), ConvVAE(reduction)

    def score() -> float:
        truth = data.x_test
        error = F.mse_loss(outputs(module, truth), truth)
        return (1 - error / (truth - truth.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 32), 15, score)


class Bigrams(LightningModule):
    """A bag of pairs of letters under a linear layer, by plain descent."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.embedding = nn.EmbeddingBag(workshops.LETTERS**2, 24, mode="mean")
        nn.init.uniform_(self.embedding.weight, -0.5, 0.5)
        self.fc = nn.Linear(24, workshops.TONGUES)

    def forward(self, name: Tensor) -> Tensor:
        pairs = name[:, :-1] * workshops.LETTERS + name[:, 1:]
        logits: Tensor = self.fc(self.embedding(pairs))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_loss", F.cross_entropy(logits, batch[1]))
        self.log("valid_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)]


def bigrams(lr: float) -> Program:
    data, module = workshops.surnames(), Bigrams(lr)
    return Program(module, *loaders(data, 8), 15, partial(accuracy, module, data))


class NextValues(LightningModule):
    """An LSTM that says the next value of a sine; its rate once belonged to another optimizer."""

    def __init__(self, lr: float, hidden: int = 40) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lstm = nn.LSTM(1, hidden, 2, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, wave: Tensor) -> Tensor:
        states, _ = self.lstm(wave[..., None])
        ahead: Tensor = self.linear(states)
        return ahead[..., 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0][:, :-1]), batch[0][:, 1:])
        self.log("loss:", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test loss:", F.mse_loss(self(batch[0][:, :-1]), batch[0][:, 1:]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def next_values(lr: float) -> Program:
    train, test = workshops.sines()
    module = NextValues(lr)
    both = (
        DataLoader(TensorDataset(train), 25, shuffle=True), DataLoader(TensorDataset(test), 60),
    )  # fmt: skip

    def score() -> float:
        found = outputs(module, test[:, :-1])[:, 20:]
        return 1 - (F.mse_loss(found, test[:, 21:]) / test[:, 21:].var()).item()

    return Program(module, *both, 25, score)


class StructuredData(LightningModule):
    """The page's dense net for a table of patients, two logits."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1), nn.Flatten(0),
        )  # fmt: skip
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, features: Tensor) -> Tensor:
        logit: Tensor = self.model(features)
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logit, ill = self(batch[0]), batch[1].float()
        loss = F.binary_cross_entropy_with_logits(logit, ill, pos_weight=self.weight)
        self.log("loss", loss)
        self.log("accuracy", ((logit > 0) == (ill > 0.5)).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit, ill = self(batch[0]), batch[1].float()
        loss = F.binary_cross_entropy_with_logits(logit, ill, pos_weight=self.weight)
        self.log("val_loss", loss)
        self.log("val_accuracy", ((logit > 0) == (ill > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def structured(weight: float) -> Program:
    data, module = workshops.heart_clinic(), StructuredData(weight)
    return Program(module, *loaders(data, 32), 20, partial(balanced_accuracy, module, data))


class Sage(LightningModule):
    """What a node is beside the mean of its neighbours, twice."""

    def __init__(self, near: Tensor, hidden: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.dropout, self.decay = dropout, decay
        self.near: Tensor
        self.register_buffer("near", near)
        self.self1, self.near1 = nn.Linear(32, hidden), nn.Linear(32, hidden, bias=False)
        self.self2, self.near2 = nn.Linear(hidden, 5), nn.Linear(hidden, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(x, self.dropout, self.training)
        x = F.relu(self.self1(x) + self.near1(self.near @ x))
        x = F.dropout(x, self.dropout, self.training)
        logits: Tensor = self.self2(x) + self.near2(self.near @ x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y, mask = (part[0] for part in batch)
        loss = F.cross_entropy(self(x)[mask], y[mask])
        self.log("train_loss", loss, batch_size=1)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y, mask = (part[0] for part in batch)
        logits = self(x)[mask]
        self.log("val_loss", F.cross_entropy(logits, y[mask]), batch_size=1)
        self.log("val_acc", (logits.argmax(1) == y[mask]).float().mean(), batch_size=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=self.decay)


def sage(hidden: int, dropout: float, decay: float) -> Program:
    graph = workshops.club()
    module = Sage(graph.near, hidden, dropout, decay)
    train, test = (
        DataLoader(TensorDataset(graph.x[None], graph.y[None], nodes[None]), 1)
        for nodes in (graph.known, graph.asked)
    )

    def score() -> float:
        logits = outputs(module, graph.x)[graph.asked]
        return F.cross_entropy(logits, graph.y[graph.asked]).item()

    return Program(module, train, test, 150, score, {"log_every_n_steps": 1})


def nin_block(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2), nn.ReLU(),
        nn.Conv2d(after, after, 1), nn.ReLU(), nn.Conv2d(after, after, 1), nn.ReLU(),
    )  # fmt: skip


class NiN(LightningModule):
    """Blocks of nets in a net, and the mean of a channel for each weave."""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nin_block(3, 24, 5), nn.MaxPool2d(2), nin_block(24, 32, 3), nn.MaxPool2d(2),
            nn.Dropout(0.1), nn.Conv2d(32, 6, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.apply(self.init_cnn)

    def init_cnn(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")

    def forward(self, X: Tensor) -> Tensor:
        Y_hat: Tensor = self.net(4 * (X - 0.5))
        return Y_hat

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        Y_hat = self(batch[0])
        loss = F.cross_entropy(Y_hat, batch[1])
        self.log("train_loss", loss)
        self.log("train_acc", (Y_hat.argmax(1) == batch[1]).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        Y_hat = self(batch[0])
        self.log("val_loss", F.cross_entropy(Y_hat, batch[1]))
        self.log("val_acc", (Y_hat.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


def nin(lr: float) -> Program:
    data, module = workshops.weaves(), NiN(lr)
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class ButtonNet(LightningModule):
    """A small convolutional net for pictures whose labels come from a list of files."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(512, 5))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features((image - 0.25) / 0.3))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def by_file_names(as_text: bool) -> Program:
    """The pictures' names were sorted as text: 1, 10, 100, ...; the labels' rows were not."""
    data, module = workshops.buttons(), ButtonNet()
    if as_text:
        order = sorted(range(len(data.x)), key=str)
        data = data._replace(x=data.x[order])
    return Program(module, *loaders(data, 64), 10, partial(accuracy, module, data))


class PenTwins(LightningModule):
    """Strokes through a GRU; the distance of two is a root that is written out."""

    def __init__(self, eps: float, hidden: int = 40) -> None:
        super().__init__()
        self.eps = eps
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 12)

    def embed(self, stroke: Tensor) -> Tensor:
        states, _ = self.gru(stroke.transpose(1, 2))
        code: Tensor = self.fc(states.mean(1))
        return code

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.sqrt((self.embed(a) - self.embed(b)).pow(2).sum(1) + self.eps)

    def loss(self, batch: list[Tensor]) -> Tensor:
        a, b, same = batch
        d = self(a, b)
        return (same * d.pow(2) + (1 - same) * F.relu(1.5 - d).pow(2)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("Current loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("Validation loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def pen_twins(eps: float) -> Program:
    data, module = workshops.signatures(), PenTwins(eps)
    train, test = TensorDataset(*data.train), TensorDataset(*data.test)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            d = module(*data.test[:2])
        right = ((d < 0.75) == (data.test[2] > 0.5)).float().mean().item()
        return right if bool(d.isfinite().all()) else 0.0

    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(test, 400), 6, score)


class Micrograd(LightningModule):
    """Sixteen and sixteen neurons, a margin, a small penalty; no neuron is asked for its nonlin."""

    def __init__(self, nonlin: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((2, 16), (16, 16)):
            layers.append(nn.Linear(before, after))
            if nonlin:
                layers.append(nn.ReLU())
        self.model = nn.Sequential(*layers, nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        score: Tensor = self.model(x)
        return score[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        scores, sign = self(batch[0]), 2.0 * batch[1] - 1
        data_loss = F.relu(1 - sign * scores).mean()
        reg_loss = 1e-4 * torch.stack([p.square().sum() for p in self.parameters()]).sum()
        self.log("loss", data_loss + reg_loss)
        self.log("accuracy", ((scores > 0) == (sign > 0)).float().mean())
        return data_loss + reg_loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        scores, sign = self(batch[0]), 2.0 * batch[1] - 1
        self.log("val_loss", F.relu(1 - sign * scores).mean())
        self.log("val_accuracy", ((scores > 0) == (sign > 0)).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.2, momentum=0.5)
        return [optimizer], [torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, 40)]


def micrograd(nonlin: bool) -> Program:
    data, module = workshops.targets_on_a_board(), Micrograd(nonlin)
    return Program(module, *loaders(data, 32), 40, partial(binary_accuracy, module, data))


class SineField(LightningModule):
    """Sines of thirty times a linear layer; whether that is drawn as the paper says."""

    def __init__(self, as_published: bool, width: int = 96, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = omega
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, width)])
        self.layers.append(nn.Linear(width, width))
        self.last = nn.Linear(width, 1)
        if as_published:
            nn.init.uniform_(self.layers[0].weight, -0.2, 0.2)
            for layer in (*self.layers[1:], self.last):
                bound = math.sqrt(6 / width) / omega
                nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, coords: Tensor) -> Tensor:
        for layer in self.layers:
            coords = torch.sin(self.omega * layer(coords))
        value: Tensor = self.last(coords)
        return value[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = (self(batch[0]) - batch[1]).square().mean()
        self.log("Total loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("Held-out loss", (self(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-4)


def sine_field(as_published: bool) -> Program:
    data, module = workshops.stained_glass(), SineField(as_published)
    return Program(module, *loaders(data, 80), 80, partial(r2, module, data))


class ClockGPT(LightningModule):
    """Three layers under a mask go on with what is spoken; the rate is that of another net."""

    def __init__(self, learning_rate: float, width: int = 32) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.tok_emb, self.pos_emb = nn.Embedding(42, width), nn.Parameter(torch.zeros(10, width))
        layer = nn.TransformerEncoderLayer(width, 2, 96, 0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 3)
        self.head = nn.Linear(width, 42)
        self.mask: Tensor
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(10))

    def forward(self, idx: Tensor) -> Tensor:
        """Logits of the token behind each of ten."""
        x = self.tok_emb(idx) + self.pos_emb
        logits: Tensor = self.head(self.blocks(x, self.mask, is_causal=True))
        return logits

    def nll(self, batch: list[Tensor]) -> Tensor:
        """Only the four written digits count."""
        rows = torch.cat([batch[0], batch[1] + 32], 1)
        wanted = rows[:, 1:].masked_fill(torch.arange(10) < 6, -1)
        return F.cross_entropy(self(rows[:, :-1]).transpose(1, 2), wanted, ignore_index=-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test_loss", self.nll(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr = self.hparams["learning_rate"]
        return torch.optim.AdamW(self.parameters(), lr=lr, betas=(0.9, 0.95))


def clock_gpt(learning_rate: float) -> Program:
    """Scored by the share of right digits, those before being given."""
    data, module = workshops.clocks(), ClockGPT(learning_rate)

    def score() -> float:
        rows = torch.cat([data.x_test, data.y_test[:, :3] + 32], 1)
        found = outputs(module, rows)[:, 6:].argmax(2) - 32
        return (found == data.y_test).float().mean().item()

    return Program(module, *loaders(data, 64), 20, score)


class Photographs(Dataset[tuple[Tensor, Tensor]]):
    """Pictures that are scaled when they are asked for."""

    def __init__(self, x: Tensor, y: Tensor, in_place: bool) -> None:
        self.x, self.y, self.in_place = x.clone(), y, in_place

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.x[index]
        if self.in_place:
            return image.sub_(0.5).div_(0.5), self.y[index]
        return (image - 0.5) / 0.5, self.y[index]


class FiveButtons(LightningModule):
    """Strided convolutions and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 20, 5, stride=2), nn.Conv2d(20, 32, 3, stride=2)
        self.fc1, self.fc2 = nn.Linear(128, 48), nn.Linear(48, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(image)))).flatten(1)
        logits: Tensor = self.fc2(F.relu(self.fc1(x)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("running_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_running_loss", F.cross_entropy(logits, batch[1]))
        self.log("valid_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def photographs(in_place: bool) -> Program:
    data, module = workshops.buttons(), FiveButtons()
    train = Photographs(data.x, data.y, in_place)
    scaled = Samples(data.x, data.y, (data.x_test - 0.5) / 0.5, data.y_test)
    test = loaders(scaled, 32)[1]
    return Program(
        module, DataLoader(train, 32, shuffle=True), test, 14, partial(accuracy, module, scaled),
    )  # fmt: skip


CASES = (
    Case(
        "weaves-five-layers-of-a-chapter", Goal("accuracy", at_least=0.8),
        partial(le_net, nn.Sigmoid), ("vanishing_gradient", "saturated_activation"),
        partial(le_net, nn.ReLU),
    ),
    Case(
        "news-filters-of-two-and-three", Goal("cross-entropy", at_most=0.5),
        partial(sentence_cnn, nn.Softmax(1)), ("output_loss_mismatch",),
        partial(sentence_cnn, nn.LogSoftmax(1)),
    ),
    Case(
        "station-a-column-of-forecasts", Goal("R2", at_least=0.5), partial(forecaster, False),
        ("output_loss_mismatch", "not_learning"), partial(forecaster, True),
    ),
    Case(
        "gadgets-twenty-eight-steps-in-time", Goal("accuracy", at_least=0.85),
        partial(ode_blocks, 1.0), ("exploding_gradient", "poor_initialization", "unstable_loss"),
        partial(ode_blocks, 1 / 28),
    ),
    Case(
        "stained-glass-where-pixels-lie", Goal("R2", at_least=0.75),
        partial(pixel_field, 320, 320), ("unnormalized_input", "saturated_activation"),
        partial(pixel_field, 1, 0),
    ),
    Case(
        "shop-days-columns-side-by-side", Goal("R2", at_least=0.85), partial(rossmann, False),
        ("unnormalized_input",), partial(rossmann, True),
    ),
    Case(
        "town-names-matrices-of-a-lecture", Goal("cross-entropy", at_most=2.2),
        partial(letter_mlp, None), ("poor_initialization", "saturated_activation"),
        partial(letter_mlp, 5 / 3),
    ),
    Case(
        "gadgets-weights-in-a-dictionary", Goal("accuracy", at_least=0.93),
        partial(two_layers, one_hundredth), ("symmetric_weights",), partial(two_layers, drawn),
    ),
    Case(
        "clock-times-one-line-twice", Goal("accuracy", at_least=0.85),
        partial(two_optimizers, True), ("frozen_parameter",), partial(two_optimizers, False),
    ),
    Case(
        "town-names-counted-in-thousandths", Goal("cross-entropy", at_most=2.2),
        partial(normed_letters, 0.001), ("train_eval_mismatch",), partial(normed_letters, 0.1),
    ),
    Case(
        "buttons-codes-of-six-numbers", Goal("R2", at_least=0.5), partial(conv_vae, "mean"),
        ("over_regularized",), partial(conv_vae, "sum"),
    ),
    Case(
        "surnames-pairs-of-letters", Goal("accuracy", at_least=0.75), partial(bigrams, 0.005),
        ("learning_rate_too_low",), partial(bigrams, 0.5),
    ),
    Case(
        "sines-next-value-of-two-layers", Goal("R2", at_least=0.95), partial(next_values, 0.8),
        ("learning_rate_too_high", "unstable_loss", "saturated_activation"),
        partial(next_values, 0.008),
    ),
    Case(
        "patients-few-hearts-ill", Goal("balanced accuracy", at_least=0.72),
        partial(structured, 1.0), ("class_imbalance",), partial(structured, 22.0),
    ),
    Case(
        "club-members-beside-their-friends", Goal("cross-entropy", at_most=0.65),
        partial(sage, 256, 0.0, 0.0), ("overfitting",), partial(sage, 16, 0.5, 5e-3),
    ),
    Case(
        "weaves-nets-in-a-net", Goal("accuracy", at_least=0.85), partial(nin, 0.5),
        ("dead_relu", "learning_rate_too_high"), partial(nin, 0.02),
    ),
    Case(
        "buttons-from-a-list-of-files", Goal("accuracy", at_least=0.9),
        partial(by_file_names, True), ("inconsistent_labels", "not_learning"),
        partial(by_file_names, False),
    ),
    Case(
        "signatures-distance-written-out", Goal("accuracy", at_least=0.85),
        partial(pen_twins, 0.0), ("non_finite",), partial(pen_twins, 1e-8),
    ),
    Case(
        "board-sixteen-and-sixteen-neurons", Goal("accuracy", at_least=0.88),
        partial(micrograd, False), ("linear_network",), partial(micrograd, True),
    ),
    Case(
        "stained-glass-thirty-times-a-sine", Goal("R2", at_least=0.7),
        partial(sine_field, False), ("poor_initialization",), partial(sine_field, True),
    ),
    Case(
        "clock-times-gone-on-with", Goal("accuracy", at_least=0.85), partial(clock_gpt, 3e-2),
        ("learning_rate_too_high", "not_learning"), partial(clock_gpt, 2e-3),
    ),
    Case(
        "buttons-scaled-when-asked-for", Goal("accuracy", at_least=0.85),
        partial(photographs, True), ("covariate_shift", "unnormalized_input"),
        partial(photographs, False),
    ),
)  # fmt: skip
