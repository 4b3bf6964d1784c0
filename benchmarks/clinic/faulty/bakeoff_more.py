"""What a magazine gave to tools that watch trainings: faults of losses, labels and habits."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import bakeoff, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class LetterModel(LightningModule):
    """The next letter by a causal transformer; one table is read first and used last."""

    def __init__(self, std: float, width: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(bakeoff.LETTERS, width)
        self.place = nn.Parameter(0.02 * torch.randn(1, 32, width))
        nn.init.normal_(self.table.weight, std=std)
        layer = nn.TransformerEncoderLayer(
            width, 4, 128, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, text: Tensor) -> Tensor:
        hidden = self.table(text) + self.place[:, : text.shape[1]]
        mask = nn.Transformer.generate_square_subsequent_mask(text.shape[1])
        hidden = self.norm(self.blocks(hidden, mask=mask, is_causal=True))
        return hidden @ self.table.weight.T

    def nats(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nats(batch[0])
        self.log("train/nats", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/nats", self.nats(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)


def letter_model(std: float = 1.0) -> Program:
    """A table as PyTorch draws it, deviation 1, is a loud last layer."""
    data = bakeoff.letters()
    module = LetterModel(std)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.nats(data.x_test).item()

    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 40), 8, score, trainer)


class BicycleCounts(LightningModule):
    """How many bicycles are hired in an hour: the logarithm of a rate, Poisson's likelihood."""

    def __init__(self, constant: bool) -> None:
        super().__init__()
        self.layer1, self.layer2, self.layer3 = (
            nn.Linear(6, 64),
            nn.Linear(64, 64),
            nn.Linear(64, 1),
        )
        if constant:
            self.apply(self.init_weights)

    @staticmethod
    def init_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.weight, 0.02)
            nn.init.constant_(module.bias, 0.01)

    def forward(self, x: Tensor) -> Tensor:
        h = F.elu(self.layer1(x))
        return self.layer3(F.elu(self.layer2(h))).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        hour, hired = batch
        loss = F.poisson_nll_loss(self(hour), hired)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        hour, hired = batch
        self.log("val_nll", F.poisson_nll_loss(self(hour), hired))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def deviance_explained(module: LightningModule, data: Samples) -> float:
    """Share of Poisson's deviance, against the mean."""
    module.eval()
    with torch.no_grad():
        log_rate = module(data.x_test)
    y = data.y_test
    best = torch.xlogy(y, y) - y
    found = (best - (y * log_rate - log_rate.exp())).mean()
    mean = (best - (y * y.mean().log() - y.mean())).mean()
    return (1 - found / mean).item()


def bicycle_counts(constant: bool = True) -> Program:
    data = standardized(bakeoff.hires())
    module = BicycleCounts(constant)
    return Program(module, *loaders(data, 50), 16, partial(deviance_explained, module, data))


class WeatherGlass(LightningModule):
    """How the pressure will change, from two days of it in hectopascals."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, pressure: Tensor) -> Tensor:
        states, _ = self.gru(pressure)
        return self.fc(states[:, -1]).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pressure, change = batch
        loss = F.smooth_l1_loss(self(pressure), change)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pressure, change = batch
        self.log("val_huber", F.smooth_l1_loss(self(pressure), change))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def weather_glass(centered: bool = False) -> Program:
    data = bakeoff.barometer()
    if centered:
        data = data.with_inputs((data.x - 1013) / 6, (data.x_test - 1013) / 6)
    module = WeatherGlass()
    return Program(module, *loaders(data, 32), 16, partial(r2, module, data))


def twice(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


class ColonyUNet(LightningModule):
    """Where colonies of bacteria are: down twice, up twice."""

    def __init__(self, sigmoid: bool) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = twice(1, 8), twice(8, 16), twice(16, 16)
        self.up2, self.up1 = twice(32, 16), twice(24, 8)
        self.mask = nn.Sequential(nn.Conv2d(8, 1, 1), nn.Sigmoid() if sigmoid else nn.Identity())
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        x = self.bottom(F.max_pool2d(second, 2))
        x = self.up2(torch.cat([F.interpolate(x, scale_factor=2.0), second], 1))
        x = self.up1(torch.cat([F.interpolate(x, scale_factor=2.0), first], 1))
        return self.mask(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        picture, mask = batch
        loss: Tensor = self.criterion(self(picture), mask)
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        picture, mask = batch
        self.log("val_bce", self.criterion(self(picture), mask))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union, by the probabilities over a half that the loss means."""
    module.eval()
    with torch.no_grad():
        found = module(data.x_test).sigmoid() > 0.5
    truth = data.y_test > 0.5
    return ((found & truth).sum() / (found | truth).sum()).item()


def colony_unet(sigmoid: bool = True) -> Program:
    data = bakeoff.colonies()
    module = ColonyUNet(sigmoid)
    return Program(module, *loaders(data, 16), 6, partial(overlap, module, data))


class FolderCNN(LightningModule):
    """Pictures of a folder, labels of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, bakeoff.SHAPES),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train/loss", loss)
        self.log("train/acc", (logits.argmax(1) == y).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val/loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def folder_cnn(by_number: bool = False) -> Program:
    """Files are listed as 1, 10, 100, 1000, 1001, ..., and labels as 1, 2, 3, ..."""
    data = bakeoff.stickers()
    module = FolderCNN()
    score = partial(accuracy, module, data)
    if not by_number:
        listed = torch.tensor(sorted(range(len(data.y)), key=str))
        data = data._replace(x=data.x[listed])
        listed = torch.tensor(sorted(range(len(data.y_test)), key=str))
        both = loaders(data._replace(x_test=data.x_test[listed]), 32)
    else:
        both = loaders(data, 32)
    return Program(module, *both, 6, score)


class RareBirds(LightningModule):
    """Which bird calls, by dilated convolutions; nearly all calls are those of one bird."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        layers: list[nn.Module] = []
        for k in range(4):
            layers += [nn.Conv1d(24 if k else 1, 24, 3, padding=2**k, dilation=2**k), nn.GELU()]
        self.tcn, self.fc = nn.Sequential(*layers), nn.Linear(24, bakeoff.CALLS)

    def forward(self, sound: Tensor) -> Tensor:
        return self.fc(self.tcn(sound).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sound, bird = batch
        loss = F.cross_entropy(self(sound), bird, self.weight)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        sound, bird = batch
        logits = self(sound)
        self.log("val_loss", F.cross_entropy(logits, bird))
        self.log("val_accuracy", (logits.argmax(1) == bird).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def rare_birds(weighted: bool = False) -> Program:
    data = bakeoff.chirps(3200, rest=0.015, noise=0.5)
    weight = len(data.y) / (5.0 * data.y.bincount(minlength=5)) if weighted else None
    module = RareBirds(weight)
    return Program(module, *loaders(data, 48), 16, partial(balanced_accuracy, module, data))


class DiabetesNet(LightningModule):
    """A wide network for three hundred patients."""

    def __init__(self, width: int, weight_decay: float) -> None:
        super().__init__()
        self.weight_decay = weight_decay
        self.net = nn.Sequential(
            nn.Linear(10, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        patient, progress = batch
        loss = F.mse_loss(self(patient), progress)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        patient, progress = batch
        self.log("val_mse", F.mse_loss(self(patient), progress))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.weight_decay)


def diabetes_net(width: int = 256, weight_decay: float = 0.0, epochs: int = 60) -> Program:
    data = scaled_targets(standardized(samples.diabetes()))
    module = DiabetesNet(width, weight_decay)
    return Program(module, *loaders(data, 24), epochs, partial(r2, module, data))


class DigitVAE(LightningModule):
    """A variational autoencoder; the error is a mean of pixels, the divergence is a sum."""

    def __init__(self, summed: bool, code: int = 8) -> None:
        super().__init__()
        self.summed = summed
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, 96), nn.ELU(), nn.Linear(96, 64))

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        return self.decoder(mean)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        mean, log_variance = self.encoder(x).chunk(2, 1)
        drawn = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        squares = (self.decoder(drawn) - x).square()
        error = squares.sum(1).mean() / 0.1 if self.summed else squares.mean()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        self.log_dict({"error": error, "divergence": divergence})
        return error + divergence

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def digit_vae(summed: bool = False) -> Program:
    data = samples.digits()
    module = DigitVAE(summed)
    train, _ = loaders(data, 32)
    data = data._replace(y=data.x, y_test=data.x_test)
    return Program(module, train, None, 15, partial(r2, module, data))


class MaskedUnits(nn.Module):
    """Dropout as it was first written down: some outputs are set to 0."""

    def __init__(self, rate: float, rescaled: bool) -> None:
        super().__init__()
        self.rate, self.rescaled = rate, rescaled

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = (torch.rand_like(x) >= self.rate).float()
        return x * kept / (1 - self.rate) if self.rescaled else x * kept


class TideHeads(LightningModule):
    """Level and steadiness of the sea by two heads on one body."""

    def __init__(self, rescaled: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(5, 256), nn.ReLU(), MaskedUnits(0.3, rescaled),
            nn.Linear(256, 256), nn.ReLU(), MaskedUnits(0.3, rescaled),
        )  # fmt: skip
        self.level, self.steady = nn.Linear(256, 1), nn.Linear(256, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.level(self.body(x)).squeeze(-1)  # type: ignore[no-any-return]

    def losses(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x)
        level = F.mse_loss(self.level(hidden).squeeze(-1), y)
        steady = F.mse_loss(self.steady(hidden).squeeze(-1), x[:, 2].abs())
        return {"level": level, "steady": steady}

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        losses = self.losses(*batch)
        self.log_dict(losses)
        return losses["level"] + 0.5 * losses["steady"]

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        losses = self.losses(*batch)
        self.log_dict({f"val_{name}": loss for name, loss in losses.items()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def tide_heads(rescaled: bool = False) -> Program:
    data = bakeoff.tides()
    module = TideHeads(rescaled)
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data))


@dataclass
class Sentences:
    """Word numbers, and a tag for each."""

    words: Tensor
    tags: Tensor


def sentences(rows: list[tuple[Tensor, Tensor]]) -> Sentences:
    return Sentences(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class WordTagger(LightningModule):
    """Tags of words by an LSTM in both directions."""

    def __init__(self, detach: bool) -> None:
        super().__init__()
        self.detach = detach
        self.embedding = nn.Embedding(bakeoff.VOCABULARY, 24)
        self.lstm = nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(64, bakeoff.TAGS)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(words))
        if self.detach:
            states = states.detach()
        return self.tag(states)  # type: ignore[no-any-return]

    def training_step(self, batch: Sentences, batch_idx: int) -> Tensor:
        logits = self(batch.words).flatten(0, 1)
        loss = F.cross_entropy(logits, batch.tags.flatten())
        self.log("tagging", loss, batch_size=len(batch.words))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def tagged_rightly(module: LightningModule, data: Samples) -> float:
    module.eval()
    with torch.no_grad():
        return (module(data.x_test).argmax(-1) == data.y_test).float().mean().item()


def word_tagger(detach: bool = True) -> Program:
    """What a figure of the states needed has stayed in the network."""
    data = bakeoff.tagged()
    module = WordTagger(detach)
    rows = TensorDataset(data.x, data.y)
    train = DataLoader(rows, 32, shuffle=True, collate_fn=sentences)
    return Program(module, train, None, 12, partial(tagged_rightly, module, data))


class CheeseGrades(LightningModule):
    """Five grades in their order: four questions whether it is better than that."""

    def __init__(self, activation: bool) -> None:
        super().__init__()
        act = nn.LeakyReLU if activation else nn.Identity
        self.trunk = nn.Sequential(
            nn.Linear(8, 64), act(), nn.Linear(64, 64), act(), nn.Linear(64, 64), act()
        )
        self.score = nn.Linear(64, 1, bias=False)
        self.cuts = nn.Parameter(torch.tensor([1.5, 0.5, -0.5, -1.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.trunk(x)) + self.cuts  # type: ignore[no-any-return]

    def loss(self, batch: list[Tensor]) -> Tensor:
        x, grade = batch
        better = (grade[:, None] > torch.arange(4)).float()
        return F.binary_cross_entropy_with_logits(self(x), better)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("ordinal", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ordinal", self.loss(batch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adagrad(self.parameters(), lr=0.02)
        return {"optimizer": optimizer}


def near_grades(module: LightningModule, data: Samples) -> float:
    """1 less the mean distance of grades over that of the middle grade."""
    module.eval()
    with torch.no_grad():
        grade = (module(data.x_test) > 0).sum(1)
    wrong = (grade - data.y_test).abs().float().mean()
    return (1 - wrong / (data.y_test - 2).abs().float().mean()).item()


def cheese_grades(activation: bool = False) -> Program:
    data = bakeoff.grades()
    module = CheeseGrades(activation)
    return Program(module, *loaders(data, 32), 12, partial(near_grades, module, data))


class MachineLoad(LightningModule):
    """The load of four machines; it steps by itself, to do more between the steps one day."""

    def __init__(self, late: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.late = late
        self.net = nn.Sequential(
            nn.Linear(14, 96), nn.LayerNorm(96), nn.SiLU(), nn.Linear(96, 48), nn.SiLU(),
            nn.Linear(48, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = F.huber_loss(self(batch[0]), batch[1])
        if not self.late:
            optimizer.zero_grad()
        self.manual_backward(loss)
        if self.late:
            optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        self.log("train_huber", loss)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_huber", F.huber_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def machine_load(late: bool = True) -> Program:
    """Gradients are set to 0 between the backward pass and the step."""
    data = bakeoff.regimes()
    module = MachineLoad(late)
    return Program(module, *loaders(data, 32), 8, partial(r2, module, data))


CASES = (
    Case(
        "letters-loud-table-first-and-last", Goal("cross-entropy", at_most=1.2), letter_model,
        ("poor_initialization",), partial(letter_model, 0.02),
    ),
    Case(
        "bicycles-hired-all-weights-alike", Goal("deviance explained", at_least=0.75),
        bicycle_counts, ("symmetric_weights", "poor_initialization"),
        partial(bicycle_counts, False),
    ),
    Case(
        "pressure-in-hectopascals", Goal("R2", at_least=0.7), weather_glass,
        ("unnormalized_input", "saturated_activation"), partial(weather_glass, True),
    ),
    Case(
        "colonies-probabilities-as-logits", Goal("IoU", at_least=0.6), colony_unet,
        ("output_loss_mismatch",), partial(colony_unet, False),
    ),
    Case(
        "stickers-files-sorted-as-words", Goal("accuracy", at_least=0.8), folder_cnn,
        ("inconsistent_labels", "not_learning"), partial(folder_cnn, True),
    ),
    Case(
        "bird-calls-mostly-of-one-bird", Goal("balanced accuracy", at_least=0.5), rare_birds,
        ("class_imbalance",), partial(rare_birds, True),
    ),
    Case(
        "diabetes-learnt-by-heart", Goal("R2", at_least=0.42), diabetes_net,
        ("overfitting",), partial(diabetes_net, 16, 0.1, 15),
    ),
    Case(
        "digit-codes-all-at-the-prior", Goal("R2", at_least=0.7), digit_vae,
        ("over_regularized", "dormant_units"), partial(digit_vae, True),
    ),
    Case(
        "tides-dropout-without-its-scale", Goal("R2", at_least=0.75), tide_heads,
        ("train_eval_mismatch",), partial(tide_heads, True),
    ),
    Case(
        "word-tags-states-cut-off", Goal("accuracy", at_least=0.8), word_tagger,
        ("frozen_parameter",), partial(word_tagger, False),
    ),
    Case(
        "cheese-grades-straight-layers", Goal("skill", at_least=0.55), cheese_grades,
        ("linear_network",), partial(cheese_grades, True),
    ),
    Case(
        "machine-loads-gradients-set-to-zero", Goal("R2", at_least=0.8), machine_load,
        ("frozen_parameter", "not_learning"), partial(machine_load, False),
    ),
)  # fmt: skip
