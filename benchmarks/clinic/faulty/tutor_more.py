"""More exercises of the course: pictures in and out, sequences, sets and rows, each with a slip."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, tutor
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

HUNDREDTH = partial(nn.init.normal_, std=0.01)
CONSTANT = partial(nn.init.constant_, val=0.05)


class Minimal(LightningModule):
    """A column of numbers, learnt row by row."""

    def __init__(self, lr: float = 0.02) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2, self.fc3 = nn.Linear(10, 64), nn.Linear(64, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.fc2(F.relu(self.fc1(x))))
        return self.fc3(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        lr: float = self.hparams["lr"]
        return torch.optim.SGD(self.parameters(), lr=lr, momentum=0.9)


def friedman() -> Samples:
    return samples.scaled_targets(samples.standardized(samples.friedman()))


def two_rows_a_step(batch_size: int = 2) -> Program:
    """The rate and the momentum that do well with 32 rows."""
    data = friedman()
    module = Minimal()
    epochs = 1 if batch_size == 2 else 16
    return Program(module, *loaders(data, batch_size), epochs, partial(r2, module, data))


class ToneLSTM(LightningModule):
    """Which of four tones a wave is, by the last state of an LSTM."""

    def __init__(self, batch_first: bool, hidden: int = 48) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=batch_first)
        self.classifier = nn.Linear(hidden, 4)

    def forward(self, wave: Tensor) -> Tensor:
        out, _ = self.lstm(wave)
        return self.classifier(out[:, -1])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        wave, tone = batch
        loss = F.cross_entropy(self(wave), tone)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        wave, tone = batch
        logits = self(wave)
        self.log("val_loss", F.cross_entropy(logits, tone))
        self.log("val_acc", (logits.argmax(1) == tone).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def tone_lstm(batch_first: bool = False) -> Program:
    """Rows come as batch, time and feature."""
    data = tutor.tones()
    module = ToneLSTM(batch_first)
    score = partial(accuracy, module, data)
    return Program(module, *loaders(data, 32), 18, score, {"gradient_clip_val": 1.0})


class SmallVGG(LightningModule):
    """Six convolutions, no BatchNorm, as in 2014."""

    def __init__(self, draw: Callable[[Tensor], Any]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width in (12, 24, 32):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 5))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                draw(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("loss", loss)
        return {"loss": loss, "logits": logits.detach()}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [9, 11])]


def small_vgg(draw: Callable[[Tensor], Any] = HUNDREDTH) -> Program:
    data = tutor.shapes()
    module = SmallVGG(draw)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 12, partial(accuracy, module, data))


class Autoencoder(LightningModule):
    """Sixty-four pixels through twelve numbers."""

    def __init__(self, draw: Callable[[Tensor], Any] | None) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12))
        self.decoder = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 64))
        if draw is not None:
            for name, parameter in self.named_parameters():
                if name.endswith("weight"):
                    draw(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = F.mse_loss(self(x), x)
        self.log("reconstruction", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (x,) = batch
        self.log("val_reconstruction", F.mse_loss(self(x), x))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=3e-3)


def digits_as_targets() -> Samples:
    data = samples.digits()
    return data._replace(y=data.x, y_test=data.x_test)


def autoencoder(
    draw: Callable[[Tensor], Any] | None = CONSTANT,
) -> Program:
    data = digits_as_targets()
    module = Autoencoder(draw)
    train = DataLoader(TensorDataset(data.x), 32, shuffle=True)
    validation = DataLoader(TensorDataset(data.x_test), 256)
    return Program(module, train, validation, 12, partial(pixel_r2, module, data))


def pixel_r2(module: LightningModule, data: Samples) -> float:
    """Share of the pixels' variance about their means."""
    error = (outputs(module, data.x_test) - data.y_test).square().sum()
    return (1 - error / (data.y_test - data.y.mean(0)).square().sum()).item()


class PatchViT(LightningModule):
    """Sixteen patches of a digit and a token that gathers them."""

    def __init__(self, together: bool, width: int = 32) -> None:
        super().__init__()
        self.together = together
        self.patch = nn.Linear(4, width)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(len(x), 16, 4)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), self.patch(patches)], 1)
        return self.head(self.encoder(tokens + self.position)[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        order = torch.randperm(len(x))
        x = x[order] + 0.05 * torch.randn_like(x)
        if self.together:
            y = y[order]
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def patch_vit(together: bool = False) -> Program:
    """Mixes the pictures of a batch once more, and not their labels."""
    data = samples.digit_images()
    module = PatchViT(together)
    return Program(module, *loaders(data, 32), 9, partial(accuracy, module, data))


class FraudNet(LightningModule):
    """Logit of a fraud; frauds are few."""

    weight: Tensor

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))
        self.mlp = nn.Sequential(
            nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1),
        )  # fmt: skip

    def forward(self, row: Tensor) -> Tensor:
        return self.mlp(row).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        logit = self(batch["row"])
        loss = F.binary_cross_entropy_with_logits(logit, batch["fraud"], pos_weight=self.weight)
        right = ((logit > 0) == (batch["fraud"] > 0)).float().mean()
        self.log_dict({"train_loss": loss, "train_acc": right}, batch_size=len(logit))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logit = self(batch["row"])
        loss = F.binary_cross_entropy_with_logits(logit, batch["fraud"], pos_weight=self.weight)
        self.log("val_loss", loss, batch_size=len(logit))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def named(x: Tensor, y: Tensor, names: tuple[str, str]) -> list[dict[str, Tensor]]:
    return [dict(zip(names, pair, strict=True)) for pair in zip(x, y, strict=True)]


def fraud_net(weight: float = 1.0) -> Program:
    data = tutor.frauds()
    module = FraudNet(weight)
    names = ("row", "fraud")
    train: Any = named(data.x, data.y, names)
    test: Any = named(data.x_test, data.y_test, names)
    score = partial(balanced_accuracy, module, data)
    return Program(module, DataLoader(train, 64, shuffle=True), DataLoader(test, 256), 12, score)


class FewShapes(LightningModule):
    """A wide network for a hundred pictures."""

    def __init__(self, decay: float, dropout: float, stop: bool) -> None:
        super().__init__()
        self.decay, self.stop = decay, stop
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Dropout(dropout), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_callbacks(self) -> list[Any]:
        return [EarlyStopping("val_loss", patience=3)] if self.stop else []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def few_shapes(
    decay: float = 0.0, dropout: float = 0.0, count: int = 100, epochs: int = 45, stop: bool = False
) -> Program:
    data = tutor.shapes().first(count)
    module = FewShapes(decay, dropout, stop)
    return Program(module, *loaders(data, 16), epochs, partial(cross_entropy, module, data))


class VAE(LightningModule):
    """Digits through a code of eight numbers."""

    def __init__(self, mean_of_pixels: bool, code: int = 8) -> None:
        super().__init__()
        self.mean_of_pixels = mean_of_pixels
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU())
        self.mu, self.log_var = nn.Linear(96, code), nn.Linear(96, code)
        self.decoder = nn.Sequential(nn.Linear(code, 96), nn.ReLU(), nn.Linear(96, 64))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.mu(self.encoder(x))).sigmoid()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        hidden = self.encoder(x)
        mu, log_var = self.mu(hidden), self.log_var(hidden)
        code = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        errors = F.binary_cross_entropy_with_logits(self.decoder(code), x, reduction="none")
        error = errors.mean() if self.mean_of_pixels else errors.sum(1).mean()
        kl = -0.5 * (1 + log_var - mu.square() - log_var.exp()).sum(1).mean()
        self.log_dict({"reconstruction": error, "kl": kl})
        return error + kl

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def vae(mean_of_pixels: bool = True) -> Program:
    """The reconstruction is a mean over pixels, the divergence a sum over the code."""
    data = digits_as_targets()
    module = VAE(mean_of_pixels)
    train = DataLoader(TensorDataset(data.x), 32, shuffle=True)
    return Program(module, train, None, 15, partial(pixel_r2, module, data))


class Reverser(LightningModule):
    """Reads digits and writes them backwards: two GRUs, and attention from one to the other."""

    def __init__(self, detach: bool, width: int = 64) -> None:
        super().__init__()
        self.detach = detach
        self.embed_in, self.embed_out = nn.Embedding(10, 16), nn.Embedding(11, 16)
        self.encoder = nn.GRU(16, width, batch_first=True)
        self.decoder = nn.GRU(16, width, batch_first=True)
        self.head = nn.Linear(2 * width, 10)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, state = self.encoder(self.embed_in(source))
        if self.detach:
            memory, state = memory.detach(), state.detach()
        before = torch.cat([torch.full_like(target[:, :1], tutor.START), target[:, :-1]], 1)
        hidden, _ = self.decoder(self.embed_out(before), state)
        weights = (hidden @ memory.transpose(1, 2) / math.sqrt(hidden.shape[2])).softmax(2)
        return self.head(torch.cat([hidden, weights @ memory], 2))  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor], name: str) -> Tensor:
        source, target = batch
        logits = self(source, target)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        self.log(f"{name}_loss", loss)
        self.log(f"{name}_acc", (logits.argmax(2) == target).float().mean())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def reverser(detach: bool = True) -> Program:
    """Detaches the states as for truncated backpropagation, between encoder and decoder."""
    data = tutor.reversals()
    module = Reverser(detach)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(data.x_test, data.y_test).argmax(2)
        return (found == data.y_test).float().mean().item()

    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 12, score, trainer)


class FourLayers(LightningModule):
    """A regression by four layers."""

    def __init__(self, act: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(10, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 64), act(),
            nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).flatten()  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.02)


def four_layers(act: Callable[[], nn.Module] = nn.Identity) -> Program:
    data = friedman()
    module = FourLayers(act)
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class WordTagger(LightningModule):
    """A tag for each word, by GRUs in both directions."""

    def __init__(self, interval: str, width: int = 32) -> None:
        super().__init__()
        self.interval = interval
        self.words = nn.Embedding(tutor.WORDS, width)
        self.gru = nn.GRU(width, 32, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(64, tutor.TAGS)

    def forward(self, words: Tensor) -> Tensor:
        return self.tags(self.gru(self.words(words))[0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, tags = batch
        loss = F.cross_entropy(self(words).flatten(0, 1), tags.flatten())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, tags = batch
        logits = self(words)
        self.log("val_loss", F.cross_entropy(logits.flatten(0, 1), tags.flatten()))
        self.log("val_acc", (logits.argmax(2) == tags).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return [optimizer], [{"scheduler": scheduler, "interval": self.interval}]


def word_tagger(interval: str = "step") -> Program:
    """A tenth less each epoch was meant."""
    data = tutor.sentences()
    module = WordTagger(interval)
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class SpotUNet(LightningModule):
    """Which pixels are of a spot: down twice, and up again beside what was there."""

    def __init__(self, sigmoid: bool, width: int = 8) -> None:
        super().__init__()
        self.down1, self.down2 = self.pair(1, width), self.pair(width, 2 * width)
        self.bottom = self.pair(2 * width, 4 * width)
        self.up2, self.up1 = self.pair(6 * width, 2 * width), self.pair(3 * width, width)
        self.last = nn.Conv2d(width, 1, 1)
        self.answer = nn.Sigmoid() if sigmoid else nn.Identity()
        self.criterion = nn.BCEWithLogitsLoss()

    @staticmethod
    def pair(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        low = self.bottom(F.max_pool2d(two, 2))
        two = self.up2(torch.cat([F.interpolate(low, scale_factor=2), two], 1))
        one = self.up1(torch.cat([F.interpolate(two, scale_factor=2), one], 1))
        return self.answer(self.last(one))  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch["image"]), batch["mask"])
        self.log("train/bce", loss, batch_size=len(batch["image"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = self.criterion(self(batch["image"]), batch["mask"])
        self.log("val/bce", loss, batch_size=len(batch["image"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def spot_unet(sigmoid: bool = True) -> Program:
    data = tutor.spots()
    module = SpotUNet(sigmoid)
    names = ("image", "mask")
    train: Any = named(data.x, data.y, names)
    test: Any = named(data.x_test, data.y_test, names)

    def dice() -> float:
        said = outputs(module, data.x_test).sigmoid() > 0.5
        both = (said * data.y_test).sum()
        return (2 * both / (said.sum() + data.y_test.sum())).item()

    return Program(module, DataLoader(train, 32, shuffle=True), DataLoader(test, 64), 5, dice)


CASES = (
    Case(
        "tutor-friedman-two-rows-a-step", Goal("R2", at_least=0.9), two_rows_a_step,
        ("unstable_loss", "learning_rate_too_high"), partial(two_rows_a_step, 32),
    ),
    Case(
        "tutor-tones-lstm-time-first", Goal("accuracy", at_least=0.9), tone_lstm,
        ("not_learning",), partial(tone_lstm, True),
    ),
    Case(
        "tutor-vgg-shapes-drawn-small", Goal("accuracy", at_least=0.75), small_vgg,
        ("poor_initialization", "vanishing_gradient", "not_learning"),
        partial(small_vgg, nn.init.kaiming_normal_),
    ),
    Case(
        "tutor-digits-autoencoder-constant", Goal("R2", at_least=0.6), autoencoder,
        ("symmetric_weights", "poor_initialization"), partial(autoencoder, None),
    ),
    Case(
        "tutor-vit-digits-mixed-again", Goal("accuracy", at_least=0.85), patch_vit,
        ("inconsistent_labels", "not_learning"), partial(patch_vit, True),
    ),
    Case(
        "tutor-frauds-one-in-thirty", Goal("balanced accuracy", at_least=0.8), fraud_net,
        ("class_imbalance",), partial(fraud_net, 25.0),
    ),
    Case(
        "tutor-shapes-a-hundred-pictures", Goal("cross-entropy", at_most=0.8), few_shapes,
        ("overfitting",), partial(few_shapes, 0.05, 0.4, 1350, 9, True),
    ),
    Case(
        "tutor-digits-vae-mean-of-pixels", Goal("R2", at_least=0.4), vae,
        ("over_regularized", "not_learning"), partial(vae, False),
    ),
    Case(
        "tutor-reversal-detached-encoder", Goal("accuracy", at_least=0.9), reverser,
        ("frozen_parameter",), partial(reverser, False),
    ),
    Case(
        "tutor-friedman-four-straight-layers", Goal("R2", at_least=0.85), four_layers,
        ("linear_network",), partial(four_layers, nn.Tanh),
    ),
    Case(
        "tutor-words-rate-falls-each-step", Goal("accuracy", at_least=0.85), word_tagger,
        ("learning_rate_too_low",), partial(word_tagger, "epoch"),
    ),
    Case(
        "tutor-unet-spots-sigmoid-and-logits", Goal("Dice", at_least=0.75), spot_unet,
        ("output_loss_mismatch",), partial(spot_unet, False),
    ),
)  # fmt: skip
