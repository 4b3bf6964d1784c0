"""Nets on delays, loads and tickets of buses and trains that do as well as they can."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import transit
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import CombinedLoader
from modules import mlp, sgd
from programs import classification
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class BoardingRate(LightningModule):
    """Logarithm of the people who board each vehicle; the likelihood leaves out its constant."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([9, 48, 48, 1], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        log_rate: Tensor = self.net(x)
        return log_rate.squeeze(1)

    def nll(self, batch: list[Tensor]) -> Tensor:
        x, vehicles, boarded = batch
        return F.poisson_nll_loss(self(x) + vehicles.log(), boarded)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.nll(batch)
        self.log("train_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.nll(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def boarding_rate() -> Program:
    """Mean counts of 60 make losses of minus hundreds, of which few are to be gained."""
    module, (x, vehicles, boarded, rate) = BoardingRate(), transit.boardings()
    train = DataLoader(TensorDataset(x[:5000], vehicles[:5000], boarded[:5000]), 64, shuffle=True)
    test = DataLoader(TensorDataset(x[5000:], vehicles[5000:], boarded[5000:]), 250)

    def explained() -> float:
        error = F.mse_loss(outputs(module, x[5000:]), rate[5000:])
        return (1 - error / rate[5000:].var()).item()

    return Program(module, train, test, 15, explained)


class DeepSurv(LightningModule):
    """The risk of a bus, by the partial likelihood of those in its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.risk = nn.Sequential(
            nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.ReLU(),
            nn.Dropout(0.2), nn.Linear(32, 1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        log_hazard: Tensor = self.risk(x)
        return log_hazard.squeeze(1)

    def partial_likelihood(self, batch: list[Tensor]) -> Tensor:
        x, kilometres, broke = batch
        order = kilometres.argsort(descending=True)
        log_hazard = self(x)[order]
        own = log_hazard - log_hazard.logcumsumexp(0)
        loss: Tensor = -(own * broke[order]).sum() / broke.sum().clamp(min=1)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.partial_likelihood(batch)
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.partial_likelihood(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def deep_surv() -> Program:
    """Losses near the logarithm of the batch, whatever is learnt."""
    known, module = transit.breakdowns(), DeepSurv()
    train = DataLoader(TensorDataset(*(t[:2200] for t in known)), 128, shuffle=True)
    test = DataLoader(TensorDataset(*(t[2200:] for t in known)), 800)

    def concordance() -> float:
        x, kilometres, broke = (t[2200:] for t in known)
        risk = outputs(module, x)
        pair = (kilometres[:, None] < kilometres) & (broke[:, None] > 0)
        return (risk[:, None] > risk)[pair].float().mean().item()

    return Program(module, train, test, 12, concordance)


class MaskedStops(LightningModule):
    """A sixth of the stops of a trip are hidden and guessed; the codes of places are fixed."""

    places: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps, width = steps, 48
        self.stop = nn.Embedding(transit.STOPS + 1, width)
        nn.init.normal_(self.stop.weight, std=0.5)
        angle = torch.arange(14)[:, None] * torch.exp(-torch.arange(0, width, 2) / width * 6)
        self.register_buffer("places", 0.3 * torch.cat([angle.sin(), angle.cos()], 1))
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, 0.1, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.decoder = nn.LayerNorm(width), nn.Linear(width, transit.STOPS + 1)

    def forward(self, trips: Tensor) -> Tensor:
        logits: Tensor = self.decoder(self.norm(self.encoder(self.stop(trips) + self.places)))
        return logits

    def hidden_stops(self, trips: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and names of the stops that were hidden behind the number 0."""
        hidden = torch.rand(trips.shape, device=trips.device) < 1 / 6
        hidden[:, 0] |= ~hidden.any(1)
        return self(trips.masked_fill(hidden, 0))[hidden], trips[hidden]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(*self.hidden_stops(batch[0]))
        self.log("mlm_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mlm_loss", F.cross_entropy(*self.hidden_stops(batch[0])))

    def rate(self, step: int) -> float:
        """A fifth of the steps upwards, and a half wave to nothing."""
        if step < self.steps / 5:
            return (step + 1) / (self.steps / 5)
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step / self.steps - 0.2) / 0.8))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }  # fmt: skip


def masked_stops(epochs: int = 19) -> Program:
    trips, trips_test = transit.lines()
    module = MaskedStops(epochs * math.ceil(len(trips) / 50))
    train = DataLoader(TensorDataset(trips), 50, shuffle=True)
    test = DataLoader(TensorDataset(trips_test), 200)

    def guessed() -> float:
        module.eval()
        with torch.no_grad():
            logits, stops = module.hidden_stops(trips_test)
        return (logits.argmax(1) == stops).float().mean().item()

    return Program(module, train, test, epochs, guessed, {"gradient_clip_val": 1.0})


class Reversed(torch.autograd.Function):
    """What it is given, and the gradient's opposite."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


class DomainAdversarial(LightningModule):
    """Labels of one city, and features by which the cities are not to be told apart."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
        self.crowded = nn.Linear(24, 2)
        self.city = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.crowded(self.features(x))
        return logits

    def training_step(self, batch: dict[str, list[Tensor]], batch_idx: int) -> Tensor:
        x, y = batch["source"]
        (other,) = batch["target"]
        own, others = self.features(x), self.features(other)
        both = Reversed.apply(torch.cat([own, others]), self.hparams["strength"])
        city = torch.cat([torch.zeros(len(own)), torch.ones(len(others))])
        label_loss = F.cross_entropy(self.crowded(own), y)
        domain_loss = F.binary_cross_entropy_with_logits(self.city(both).squeeze(1), city)
        self.log_dict({"label_loss": label_loss, "domain_loss": domain_loss})
        return label_loss + domain_loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def domain_adversarial() -> Program:
    """The sum of the losses stops at what a coin costs."""
    data, other = transit.two_cities()
    module = DomainAdversarial(0.3)
    source = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True, drop_last=True)
    target = DataLoader(TensorDataset(other), 64, shuffle=True, drop_last=True)
    both = CombinedLoader({"source": source, "target": target}, "max_size_cycle")
    return Program(module, both, None, 20, partial(accuracy, module, data))


class ChangeOfDelay(LightningModule):
    """The delay of now, to which a change is added that is 0 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.change = nn.Linear(24, 1)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, walk: Tensor) -> Tensor:
        states, _ = self.rnn(walk[..., None] / 3)
        delay: Tensor = walk[:, -1] + self.change(states[:, -1]).squeeze(1)
        return delay

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train_mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def change_of_delay() -> Program:
    """Little is to be gained over the delay of now, which is known from the start."""
    data, module = transit.headways(), ChangeOfDelay()

    def relative_error() -> float:
        error = (outputs(module, data.x_test) - data.y_test).abs().mean()
        return (error / (data.x_test[:, -1] - data.y_test).abs().mean()).item()

    return Program(module, *loaders(data, 32), 12, relative_error)


class Inspector(LightningModule):
    """Chances of a ticketless passenger, which begin at their share."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.body = mlp([14, 64, 64, 32], nn.LeakyReLU, norm=nn.LayerNorm, dropout=0.1)
        self.logit = nn.Linear(32, 1)
        nn.init.constant_(self.logit.bias, math.log(share / (1 - share)))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.logit(F.leaky_relu(self.body(x)))
        return logit.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("bce", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logit, batch[1]))
        self.log("val_acc", ((logit > 0) == (batch[1] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def average_precision(truth: Tensor, found: Tensor) -> float:
    hits = truth[found.argsort(descending=True)]
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return (precision * hits).sum().div(hits.sum()).item()


def inspector() -> Program:
    """Nothing is weighted, and the passengers are ranked well none the less."""
    data = transit.inspections()
    module = Inspector(data.y.mean().item())

    def score() -> float:
        return average_precision(data.y_test, outputs(module, data.x_test))

    return Program(module, *loaders(data, 64), 12, score)


def purposes() -> Program:
    """Nearly half of the answers are guesses, so that the loss stays above one."""
    network = mlp([16, 48, 5], nn.Tanh, dropout=0.4)
    return classification(
        transit.surveyed_purposes(), network, sgd(0.05, 0.9, weight_decay=1e-4, nesterov=True),
        batch_size=64, epochs=10, trainer={"gradient_clip_val": 0.5},
    )  # fmt: skip


CASES = (
    Case("boardings-counts-by-vehicles", Goal("R2 of log rates", at_least=0.8), boarding_rate),
    Case("buses-partial-likelihood-of-breakdowns", Goal("concordance", at_least=0.7), deep_surv),
    Case("lines-hidden-stops-guessed", Goal("accuracy", at_least=0.5), masked_stops),
    Case(
        "crowding-cities-not-to-be-told-apart", Goal("accuracy", at_least=0.85),
        domain_adversarial,
    ),
    Case("delays-changes-that-begin-at-zero", Goal("relative error", at_most=0.9),
         change_of_delay),
    Case("inspections-one-of-forty-ranked", Goal("average precision", at_least=0.5), inspector),
    Case("surveys-purposes-half-guessed", Goal("accuracy", at_least=0.85), purposes),
)  # fmt: skip
