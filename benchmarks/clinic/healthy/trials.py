"""The controls of a comparison of fault detectors: nothing is wrong with any of them."""

import math
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import trials
from data_sets.samples import Samples, loaders
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from modules import mlp
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Subject(LightningModule):
    """A network under test: any classifier with any optimizer."""

    def __init__(self, model: nn.Module, optimizer: Any, smoothing: float = 0.0) -> None:
        super().__init__()
        self.model, self.optimizer_fn = model, optimizer
        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=smoothing)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_hat = self(x)
        loss: Tensor = self.loss_fn(y_hat, y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        self.log("train/acc", (y_hat.argmax(1) == y).float().mean(), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_hat = self(x)
        self.log("val/loss", F.cross_entropy(y_hat, y))
        self.log("val/acc", (y_hat.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return self.optimizer_fn(filter(lambda p: p.requires_grad, self.parameters()))


def subject(
    data: Samples, model: nn.Module, optimizer: Any, batch_size: int, epochs: int,
    smoothing: float = 0.0, score: Any = accuracy, **trainer: Any,
) -> Program:  # fmt: skip
    module = Subject(model, optimizer, smoothing)
    both = loaders(data, batch_size)
    return Program(module, *both, epochs, partial(score, module, data), trainer)


def crescents() -> Program:
    network = mlp([2, 40, 40, 2])
    return subject(trials.crescents(), network, partial(torch.optim.Adam, lr=4e-3), 50, 20)


def squares_of_ten() -> Program:
    """Ten rectified layers as He draws them, descent with momentum."""
    network = mlp([10, *[72] * 10, 2])
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    optimizer = partial(torch.optim.SGD, lr=0.01, momentum=0.9, weight_decay=1e-3)
    return subject(trials.hastie(9000), network, optimizer, 100, 10)


def le_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 28, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(112, 80), nn.ReLU(), nn.Linear(80, 10),
    )  # fmt: skip


def plain_convolutions() -> Program:
    optimizer = partial(torch.optim.SGD, lr=0.02, momentum=0.9)
    return subject(trials.clothes(8000), le_net(), optimizer, 60, 8)


class Residual(nn.Module):
    """Two convolutions beside a way around."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        self.side = nn.Conv2d(width, out, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.main(x) + self.side(x))


class LitResNet(LightningModule):
    """Three stages and a cosine by steps."""

    def __init__(self, max_lr: float, steps: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU()
        )
        self.stages = nn.Sequential(Residual(12, 12, 1), Residual(12, 24, 2), Residual(24, 48, 2))
        self.fc = nn.Linear(48, 10)

    def forward(self, img: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.stages(self.stem(img)).mean((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss_train", loss, prog_bar=True)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("loss_val", F.cross_entropy(out, batch[1]))
        self.log("top1", (out.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        hp: Any = self.hparams
        optimizer = torch.optim.AdamW(self.parameters(), lr=hp.max_lr, weight_decay=0.02)
        schedule = lr_scheduler.CosineAnnealingLR(optimizer, hp.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def residual() -> Program:
    data = trials.clothes(3500)
    train, val = loaders(data, 70)
    module = LitResNet(3e-3, 5 * len(train))
    return Program(module, train, val, 5, partial(accuracy, module, data))


def hundred_islands() -> Program:
    network = mlp([20, 160, 160, 100], nn.GELU, norm=nn.LayerNorm)
    optimizer = partial(torch.optim.AdamW, lr=1.5e-3)
    return subject(trials.islands(100, spread=5.0), network, optimizer, 64, 10)


def smoothed_islands() -> Program:
    network = mlp([20, 128, 60], nn.SiLU)
    optimizer = partial(torch.optim.NAdam, lr=2e-3)
    return subject(trials.islands(60, 50, spread=5.5), network, optimizer, 40, 8, smoothing=0.15)


class SeriesClassifier(LightningModule):
    """The last state of a GRU, clipped, without a validation."""

    def __init__(self, hidden: int = 40) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRU(1, hidden, batch_first=True), nn.Linear(hidden, 5)

    def forward(self, series: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.rnn(series)[1][-1])
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["series"]), batch["process"])
        self.log("ce", loss, batch_size=len(batch["process"]))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=6e-3)


def recurrent() -> Program:
    data, module = trials.processes(), SeriesClassifier()
    rows = [{"series": x, "process": y} for x, y in zip(data.x, data.y, strict=True)]
    train: Any = DataLoader(cast("Dataset[Any]", rows), 48, shuffle=True)
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, None, 12, partial(accuracy, module, data), trainer)


class OpinionTransformer(LightningModule):
    """Two blocks, the mean of their outputs; a warm-up, then the inverse root."""

    def __init__(self, width: int = 40, warm: int = 60) -> None:
        super().__init__()
        self.warm = warm
        self.tokens = nn.Embedding(trials.WORDS, width)
        self.places = nn.Parameter(0.02 * torch.randn(trials.LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 4, 80, 0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(width), False)
        self.out = nn.Linear(width, 1)

    def forward(self, ids: Tensor) -> Tensor:
        logit: Tensor = self.out(self.blocks(self.tokens(ids) + self.places).mean(1))
        return logit.squeeze(1)

    def step(self, batch: list[Tensor], prefix: str) -> Tensor:
        logit, label = self(batch[0]), batch[1].float()
        loss = F.binary_cross_entropy_with_logits(logit, label)
        self.log(f"{prefix}_bce", loss)
        self.log(f"{prefix}_accuracy", ((logit > 0) == (label > 0.5)).float().mean())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)

        def factor(step: int) -> float:
            return min((step + 1) / self.warm, math.sqrt(self.warm / (step + 1)))

        schedule = lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def opinions() -> Program:
    data, module = trials.opinions(), OpinionTransformer()

    def score() -> float:
        return ((outputs(module, data.x_test) > 0) == (data.y_test > 0)).float().mean().item()

    return Program(module, *loaders(data, 64), 5, score)


def three_at_a_time() -> Program:
    """Steps of three rows each, small enough for them."""
    network = mlp([24, 48, 24, 4], nn.Tanh)
    data = trials.columns(apart=2.0, count=2000)
    return subject(data, network, partial(torch.optim.SGD, lr=8e-3), 3, 10)


def trained_body(kinds: tuple[int, ...]) -> nn.Sequential:
    """Convolutions that tell some kinds of clothes apart, trained by a loop."""
    data = trials.clothes(3000, kinds=kinds)
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    )  # fmt: skip
    network = nn.Sequential(body, nn.Linear(128, len(kinds)))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(4):
        for x, y in loaders(data, 64)[0]:
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return body


OLD, NEW = (0, 1, 4, 5, 8), (2, 3, 6, 7, 9)


def new_head() -> Program:
    """Two new layers on a body for other clothes that stays as it is."""
    body = trained_body(OLD).requires_grad_(False)
    network = nn.Sequential(body, nn.Linear(128, 48), nn.ReLU(), nn.Linear(48, 5))
    data = trials.clothes(1500, kinds=NEW)
    return subject(data, network, partial(torch.optim.Adam, lr=1e-3), 50, 10)


class FineTuner(LightningModule):
    """A body at a tenth of its head's rate."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(128, 5)

    def forward(self, pixel_values: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(pixel_values))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("finetune_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("eval_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [
            {"params": self.body.parameters(), "lr": 3e-4},
            {"params": self.head.parameters()},
        ]
        return torch.optim.Adam(groups, lr=3e-3)


def other_clothes() -> Program:
    data, module = trials.clothes(2000, kinds=OLD), FineTuner(trained_body(NEW))
    return Program(module, *loaders(data, 40), 6, partial(accuracy, module, data))


class Augmented(LightningModule):
    """Clothes mirrored, moved by up to two pixels, with a square cut out of each."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(24, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48),
            nn.ReLU(), nn.Conv2d(48, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48),
            nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(432, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def augment(self, x: Tensor) -> Tensor:
        mirrored = torch.rand(len(x), 1, 1, 1) < 0.5
        x = F.pad(torch.where(mirrored, x.flip(3), x), (2, 2, 2, 2), value=-0.9)
        line = torch.arange(14)
        down, right = torch.randint(5, (2, len(x), 1, 1))
        x = x[torch.arange(len(x))[:, None, None], 0, line[:, None] + down, line + right][:, None]
        top, left = torch.randint(11, (2, len(x), 1, 1))
        rows = (line[:, None] >= top) & (line[:, None] < top + 5)
        hole = rows & (line >= left) & (line < left + 5)
        return x.masked_fill(hole[:, None], 0.0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(self.augment(batch[0])), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("valid_loss", F.cross_entropy(logits, batch[1]))
        self.log("valid_error", (logits.argmax(1) != batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
        return [optimizer], [lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def augmented() -> Program:
    data, module = trials.clothes(4000), Augmented()
    return Program(module, *loaders(data, 80), 8, partial(accuracy, module, data))


class MixedRows(LightningModule):
    """Each row of a table mixed with another, and both labels asked for."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.mix = torch.distributions.Beta(alpha, alpha)
        self.net = mlp([24, 128, 128, 4], nn.Mish)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x, y), share = batch, self.mix.sample().item()
        other = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(logits, y)
        loss = loss + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("mixup_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=3e-3)


def mixed_rows() -> Program:
    data, module = trials.columns(), MixedRows(0.4)
    return Program(module, *loaders(data, 100), 20, partial(accuracy, module, data))


class Forger(LightningModule):
    """Draws points of an S; one optimizer for the generator, one for the critic of its points."""

    def __init__(self, latent: int = 8) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.latent = latent
        self.G = mlp([latent, 96, 96, 3], norm=nn.BatchNorm1d)
        self.D = mlp([3, 96, 96, 1], partial(nn.LeakyReLU, 0.2))

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.G(z)
        return points

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        real, optimizers = batch[0], cast("list[Any]", self.optimizers())
        fake = self(torch.randn(len(real), self.latent))
        loss_d = F.softplus(-self.D(real)).mean() + F.softplus(self.D(fake.detach())).mean()
        self.update(optimizers[0], loss_d)
        loss_g = F.softplus(-self.D(fake)).mean()
        self.update(optimizers[1], loss_g)
        self.log("loss_D", loss_d, prog_bar=True)
        self.log("loss_G", loss_g, prog_bar=True)

    def update(self, optimizer: Any, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def configure_optimizers(self) -> Any:
        betas = (0.5, 0.99)
        return [torch.optim.Adam(net.parameters(), 5e-4, betas) for net in (self.D, self.G)]


def forged_scroll() -> Program:
    data, module = trials.scroll(), Forger()
    train = DataLoader(TensorDataset(data.x), 100, shuffle=True, drop_last=True)

    def score() -> float:
        """Energy distance between drawn and real points."""
        noise = torch.randn(900, 8, generator=torch.Generator().manual_seed(55))
        drawn, real = outputs(module, noise), data.x_test
        within = torch.cdist(drawn, drawn).mean() + torch.cdist(real, real).mean()
        return (2 * torch.cdist(drawn, real).mean() - within).item()

    return Program(module, train, None, 60, score)


class SensorAutoencoder(LightningModule):
    """Sixty numbers through a few."""

    def __init__(self, code: int = 8, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encode = nn.Sequential(nn.Linear(60, 48), nn.ELU(), nn.Linear(48, code))
        self.decode = nn.Sequential(nn.Linear(code, 48), nn.ELU(), nn.Linear(48, 60))

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decode(self.encode(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = (self(batch[0]) - batch[0]).square().mean()
        self.log("rec_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rec_loss", (self(batch[0]) - batch[0]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def rebuilt_sensors() -> Program:
    data, module = trials.sensors(), SensorAutoencoder()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / data.x_test.var()).item()

    return Program(module, *loaders(data, 30), 25, score)


class Appraisal(LightningModule):
    """Prices of houses in dollars, from their mean on, by absolute errors."""

    def __init__(self, mean: float, unit: float) -> None:
        super().__init__()
        self.unit = unit
        self.layers = mlp([10, 64, 64, 1])
        nn.init.constant_(cast("nn.Linear", self.layers[-1]).bias, mean / unit)

    def forward(self, x: Tensor) -> Tensor:
        price: Tensor = self.unit * self.layers(x)
        return price.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae_usd", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        error = self(batch[0]) - batch[1]
        self.log("val_mae_usd", error.abs().mean())
        self.log("val_mape", (error / batch[1]).abs().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def dollars() -> Program:
    data = trials.houses()
    module = Appraisal(data.y.mean().item(), 1e5)
    return Program(module, *loaders(data, 45), 15, partial(r2, module, data))


class HousePricer(LightningModule):
    """Trained on standardized prices, asked for dollars."""

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("y_mean", mean)
        self.register_buffer("y_std", std)
        self.net = mlp([10, 80, 40, 1], nn.SiLU, dropout=0.05)

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = self.net(x)
        return scaled.squeeze(1) * self.get_buffer("y_std") + self.get_buffer("y_mean")

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        target = (batch[1] - self.get_buffer("y_mean")) / self.get_buffer("y_std")
        loss = F.mse_loss(self.net(batch[0]).squeeze(1), target)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_rmse_dollars", F.mse_loss(self(batch[0]), batch[1]).sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3)
        return [optimizer], [lr_scheduler.StepLR(optimizer, 5, 0.4)]


def scaled_dollars() -> Program:
    data = trials.houses()
    module = HousePricer(data.y.mean(), data.y.std())
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


def mild_imbalance() -> Program:
    data = trials.columns(3, weights=(0.66, 0.22, 0.12), apart=1.5)
    network = mlp([24, 64, 32, 3], norm=nn.BatchNorm1d)
    optimizer = partial(torch.optim.Adam, lr=2e-3)
    return subject(data, network, optimizer, 64, 8, score=balanced_accuracy)


def tenth_wrong() -> Program:
    """A tenth of the labels drawn anew; dropout and decay keep them from being learnt."""
    data = trials.columns(4, wrong=0.13, apart=1.5)
    network = mlp([24, 96, 96, 4], dropout=0.25)
    return subject(data, network, partial(torch.optim.AdamW, lr=1.5e-3), 64, 12)


class Stopped(Subject):
    """Stops when the loss of validation has not fallen for three epochs."""

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val/loss", patience=3)]


def wide_rings() -> Program:
    """Far more units than two rings need, and an end in time."""
    data = trials.rings()
    module = Stopped(mlp([2, 384, 384, 2]), partial(torch.optim.Adam, lr=5e-4))
    return Program(module, *loaders(data, 40), 30, partial(accuracy, module, data))


class Tagger(LightningModule):
    """Eight yes-or-no questions on a text's words; their F1."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([30, 64, 8], nn.ReLU, dropout=0.2)

    def forward(self, counts: Tensor) -> Tensor:
        logits: Tensor = self.net(counts)
        return logits

    def f1(self, x: Tensor, y: Tensor) -> Tensor:
        guess = (self(x) > 0).float()
        f1: Tensor = 2 * (guess * y).sum() / (guess.sum() + y.sum())
        return f1

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))
        self.log("val_f1", self.f1(*batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def tagged() -> Program:
    data, module = trials.tags(), Tagger()

    @torch.no_grad()
    def score() -> float:
        return module.eval().f1(data.x_test, data.y_test).item()

    return Program(module, *loaders(data, 50), 12, score)


_CASES = (
    Case("crescents-forty-units-twice", Goal("accuracy", at_least=0.93), crescents),
    Case("squares-of-ten-through-ten-layers", Goal("accuracy", at_least=0.85), squares_of_ten),
    Case("clothes-of-fourteen-pixels-le-net", Goal("accuracy", at_least=0.80), plain_convolutions),
    Case("clothes-of-fourteen-pixels-res-net", Goal("accuracy", at_least=0.80), residual),
    Case("islands-a-hundred-layer-normed", Goal("accuracy", at_least=0.80), hundred_islands),
    Case("islands-sixty-smoothed-nadam", Goal("accuracy", at_least=0.80), smoothed_islands),
    Case("autoregressions-told-by-gru", Goal("accuracy", at_least=0.85), recurrent),
    Case("opinions-two-blocks-inverse-root", Goal("accuracy", at_least=0.82), opinions),
    Case("columns-three-to-a-step", Goal("accuracy", at_least=0.85), three_at_a_time),
    Case("clothes-new-head-of-two-layers", Goal("accuracy", at_least=0.75), new_head),
    Case("clothes-body-at-a-tenth-of-the-rate", Goal("accuracy", at_least=0.85), other_clothes),
    Case("clothes-moved-mirrored-and-cut", Goal("accuracy", at_least=0.74), augmented),
    Case("columns-rows-mixed", Goal("accuracy", at_least=0.82), mixed_rows),
    Case("scroll-drawn-against-a-critic", Goal("energy distance", at_most=0.05), forged_scroll),
    Case("sensors-sixty-through-eight", Goal("R2", at_least=0.8), rebuilt_sensors),
    Case("houses-absolute-dollars-from-mean", Goal("R2", at_least=0.85), dollars),
    Case("houses-standardized-asked-in-dollars", Goal("R2", at_least=0.85), scaled_dollars),
    Case("columns-two-thirds-of-one-kind", Goal("recall", at_least=0.82), mild_imbalance),
    Case("columns-a-tenth-drawn-anew", Goal("accuracy", at_least=0.82), tenth_wrong),
    Case("rings-wide-until-no-better", Goal("accuracy", at_least=0.95), wide_rings),
    Case("tags-eight-by-roots-of-counts", Goal("F1", at_least=0.63), tagged),
)  # fmt: skip
CASES = tuple(case for case in _CASES if trials.CLOTHES.exists() or "clothes" not in case.name)
