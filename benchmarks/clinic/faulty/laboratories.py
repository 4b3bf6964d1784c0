"""Networks of chemists, doctors, hydrologists and others for their measurements, one slip each."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import laboratories
from data_sets.samples import loaders, scaled_targets, standardized
from healthy.laboratories_more import deviance_share, kappa, r2_columns
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class StateOfHealth(LightningModule):
    """Discharge readings of a battery cell to the share of capacity left."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(33, 40), nn.ReLU(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 1)
        )

    def forward(self, readings: Tensor) -> Tensor:
        soh: Tensor = self.net(readings)
        return soh.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse_soh", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_mse_soh", F.mse_loss(found, batch[1]))
        self.log("val_mae_soh", (found - batch[1]).abs().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def cell_health(scaled: bool) -> Program:
    """The line with the scaler went when the loading was moved to a file of its own."""
    data = laboratories.cells()
    if scaled:
        data = standardized(data)
    module = StateOfHealth()
    return Program(module, *loaders(data, 36), 20, partial(r2, module, data))


class CallNet(LightningModule):
    """Spectrograms to species, by strided convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 10, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
            nn.Conv2d(10, 20, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Flatten(),
            nn.Dropout(0.5), nn.Linear(20 * 6 * 8, 7),
        )  # fmt: skip

    def forward(self, decibels: Tensor) -> Tensor:
        logits: Tensor = self.body((decibels + 69) / 7)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("xent", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_xent", F.cross_entropy(logits, batch[1]))
        self.log("val_correct", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def calls(dropped: int) -> Program:
    """So many broken recordings at the front left the sounds, but not the list of species."""
    data = laboratories.frogs()
    listed = data.y[: len(data.y) - dropped]
    table = data._replace(x=data.x[dropped:], y=listed)
    module = CallNet()
    train, validation = loaders(table, 24)[0], loaders(data, 24)[1]
    return Program(module, train, validation, 8, partial(accuracy, module, data))


class ShockRisk(LightningModule):
    """One logit for a shock within the day."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Dropout(0.1), nn.Linear(24, 1))
        self.bce = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))

    def forward(self, values: Tensor) -> Tensor:
        logit: Tensor = self.net(values)
        return logit.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.bce(self(batch[0]), batch[1].float())
        self.log("bce", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logit = self(batch[0])
        self.log("val_bce", self.bce(logit, batch[1].float()))
        self.log("val_accuracy", ((logit > 0) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-4)


def ward(weight: float) -> Program:
    data = laboratories.shocks()
    module = ShockRisk(weight)
    return Program(module, *loaders(data, 90), 16, partial(balanced_accuracy, module, data))


class Volatility(LightningModule):
    """A month of log variances to tomorrow's."""

    def __init__(self, width: int, dropout: float, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.net = nn.Sequential(
            nn.Linear(22, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width),
            nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, lags: Tensor) -> Tensor:
        out: Tensor = self.net(lags)
        return out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        mse = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", mse)
        return mse

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        mse = F.mse_loss(self(batch[0]), batch[1])
        self.log("oos_mse", mse)
        self.log("oos_rmse", mse.sqrt())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=self.decay)


def year_of_days(width: int, dropout: float, decay: float, epochs: int) -> Program:
    data = scaled_targets(standardized(laboratories.volatilities())).first(160)
    module = Volatility(width, dropout, decay)
    return Program(module, *loaders(data, 16), epochs, partial(r2, module, data))


class Harvest(LightningModule):
    """Weeks of weather, laid side by side, and the soil; tonnes per hectare from their mean on."""

    def __init__(self, l2: float) -> None:
        super().__init__()
        self.l2 = l2
        self.dense1, self.dense2, self.out = nn.Linear(85, 48), nn.Linear(48, 24), nn.Linear(24, 1)

    def forward(self, weather: Tensor, soil: Tensor) -> Tensor:
        h = torch.tanh(self.dense1(torch.cat([weather.flatten(1), soil], 1)))
        tonnes: Tensor = self.out(F.relu(self.dense2(h)))
        return tonnes[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        weather, soil, tonnes = batch
        mse = F.mse_loss(self(weather, soil), tonnes)
        norm = sum(w.square().sum() for w in self.parameters() if w.ndim == 2)
        self.log("train_mse", mse)
        return mse + self.l2 * norm

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        weather, soil, tonnes = batch
        mse = F.mse_loss(self(weather, soil), tonnes)
        self.log("val_mse", mse)
        self.log("val_rmse_t_ha", mse.sqrt())

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def harvests(l2: float) -> Program:
    data, soil, soil_test = laboratories.fields()
    data = scaled_targets(data)
    module = Harvest(l2)
    train = DataLoader(TensorDataset(data.x, soil, data.y), 30, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, soil_test, data.y_test), 150)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            error = F.mse_loss(module(data.x_test, soil_test), data.y_test)
        return (1 - error / data.y_test.var()).item()

    return Program(module, train, test, 20, score)


class Groups(LightningModule):
    """Functional groups from the bins of a mass spectrum, several at once."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.net = nn.Sequential(
            nn.Linear(150, 70), nn.ReLU(), nn.Dropout(0.2), nn.Linear(70, 35), nn.ReLU(),
            nn.Linear(35, 6),
        )  # fmt: skip

    def forward(self, bins: Tensor) -> Tensor:
        logits: Tensor = self.net(bins)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logits, batch[1]))
        self.log("val_f1", f1(logits, batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.rate)


def f1(logits: Tensor, truth: Tensor) -> Tensor:
    """Of all groups together."""
    found = (logits > 0).float()
    return 2 * (found * truth).sum() / (found.sum() + truth.sum())


def functional_groups(rate: float) -> Program:
    data = laboratories.fragments()
    module = Groups(rate)

    def score() -> float:
        return f1(outputs(module, data.x_test), data.y_test).item()

    return Program(module, *loaders(data, 45), 12, score)


class Diagnosis(LightningModule):
    """Blood values to five diagnoses; the rate is halved every fifth time."""

    def __init__(self, interval: str) -> None:
        super().__init__()
        self.interval = interval
        self.net = nn.Sequential(
            nn.Linear(14, 56), nn.GELU(), nn.Linear(56, 28), nn.GELU(), nn.Linear(28, 5)
        )

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.net(values)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/ce", F.cross_entropy(logits, batch[1]))
        self.log("val/kappa", kappa(logits.argmax(1), batch[1], 5))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9)
        halved = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
        schedule = {"scheduler": halved, "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def diagnoses(interval: str) -> Program:
    data = laboratories.bloods()
    module = Diagnosis(interval)
    return Program(module, *loaders(data, 35), 18, partial(accuracy, module, data))


class Surrogate(LightningModule):
    """Settings of the plasma code to its profile, in many layers."""

    def __init__(self, activation: type[nn.Module], depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise([7] + [30] * depth):
            layers += [nn.Linear(before, after), activation()]
        self.net = nn.Sequential(*layers, nn.Linear(30, 20))

    def forward(self, settings: Tensor) -> Tensor:
        profile: Tensor = self.net(settings)
        return profile

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def many_layers(activation: type[nn.Module]) -> Program:
    data = laboratories.discharges()
    module = Surrogate(activation, 9)
    return Program(module, *loaders(data, 25), 20, partial(r2_columns, module, data))


class BandGap(LightningModule):
    """Shares of elements to electronvolts, by layers of tanh."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(30, 100), nn.Tanh(), nn.Linear(100, 100), nn.Tanh(), nn.Linear(100, 50),
            nn.Tanh(), nn.Linear(50, 1),
        )  # fmt: skip
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                if deviation is None:
                    nn.init.xavier_normal_(layer.weight)
                else:
                    nn.init.normal_(layer.weight, 0, deviation)
                nn.init.zeros_(layer.bias)

    def forward(self, shares: Tensor) -> Tensor:
        gap: Tensor = self.net(3 * shares)
        return gap.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse_eV2", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_mse_eV2", F.mse_loss(found, batch[1]))
        self.log("val_mae_eV", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def band_gaps(deviation: float | None) -> Program:
    data = laboratories.compounds()
    module = BandGap(deviation)
    return Program(module, *loaders(data, 28), 22, partial(r2, module, data))


class DarkCounts(LightningModule):
    """A Raman spectrum to its mineral; the first filters start with the dark counts taken off."""

    def __init__(self, dark: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 20, 13, stride=3, padding=6)
        nn.init.constant_(self.conv.bias, -dark)  # type: ignore[arg-type]
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(1200, 40), nn.ReLU(), nn.Linear(40, 6)
        )

    def forward(self, spectrum: Tensor) -> Tensor:
        logits: Tensor = self.head(F.relu(self.conv(spectrum[:, None])))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("nll_val", F.cross_entropy(logits, batch[1]))
        self.log("acc_val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dark_spectra(dark: float) -> Program:
    """The spectrometer's own software takes the dark counts off already, and scales."""
    data = laboratories.raman()
    mean, deviation = data.x.mean(1, keepdim=True), data.x.std(1, keepdim=True)
    test = data.x_test - data.x_test.mean(1, keepdim=True)
    data = data.with_inputs((data.x - mean) / deviation, test / data.x_test.std(1, keepdim=True))
    module = DarkCounts(dark)
    return Program(module, *loaders(data, 30), 14, partial(accuracy, module, data))


class BirdRate(LightningModule):
    """The expected number of warblers, made positive by softplus."""

    def __init__(self, log_input: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())
        self.nll = nn.PoissonNLLLoss(log_input=log_input)

    def forward(self, habitat: Tensor) -> Tensor:
        rate: Tensor = self.net(habitat)
        return rate.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.nll(self(batch[0]), batch[1])
        self.log("poisson", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_poisson", self.nll(found, batch[1]))
        self.log("val_bias", (found - batch[1]).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def bird_rates(log_input: bool) -> Program:
    data = standardized(laboratories.birds())
    module = BirdRate(log_input)

    def score() -> float:
        rate = outputs(module, data.x_test).clamp_min(1e-4)
        return deviance_share(rate.log(), data.y_test)

    return Program(module, *loaders(data, 70), 18, score)


class Quantification(LightningModule):
    """NMR traces to millimoles, norms between the layers; ported from Keras."""

    def __init__(self, momentum: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(160, 72), nn.BatchNorm1d(72, momentum=momentum), nn.ReLU(),
            nn.Linear(72, 36), nn.BatchNorm1d(36, momentum=momentum), nn.ReLU(),
            nn.Linear(36, 5),
        )  # fmt: skip

    def forward(self, trace: Tensor) -> Tensor:
        amounts: Tensor = self.net(trace)
        return amounts

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val_mse", F.mse_loss(found, batch[1]))
        self.log("val_mae_mM", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def quantified(momentum: float) -> Program:
    data, _, _ = laboratories.metabolites()
    module = Quantification(momentum)
    train = DataLoader(TensorDataset(data.x, data.y), 4, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 90)
    return Program(module, train, test, 12, partial(r2_columns, module, data))


class Gauge(LightningModule):
    """Weather of forty days to run-off; the recurrent part may come from another region."""

    def __init__(self, transferred: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(20)
        self.gru = nn.GRU(3, 20, batch_first=True)
        self.gru.requires_grad_(not transferred)
        self.head = nn.Linear(20, 1)

    def forward(self, weather: Tensor) -> Tensor:
        _, last = self.gru(weather)
        flow: Tensor = self.head(self.norm(last[0]))
        return flow.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("val_mse", loss)
        self.log("NSE", 1 - loss / batch[1].var())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam([w for w in self.parameters() if w.requires_grad], lr=6e-3)


def gauges(transferred: bool) -> Program:
    """This region has no earlier model, so the freeze of the other script is a leftover."""
    data = scaled_targets(laboratories.catchments())
    mean, deviation = data.x.mean((0, 1)), data.x.std((0, 1))
    data = data.with_inputs((data.x - mean) / deviation, (data.x_test - mean) / deviation)
    module = Gauge(transferred)
    return Program(module, *loaders(data, 40), 25, partial(r2, module, data))


class Coupling(LightningModule):
    """The parts of a reaction as zeros and ones, and its conditions; yield as a share."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        act = {"linear": nn.Identity, "relu": nn.ReLU}[activation]
        self.net = nn.Sequential(
            nn.Linear(26, 80), act(), nn.Linear(80, 40), act(), nn.Linear(40, 20), act(),
            nn.Linear(20, 1),
        )  # fmt: skip

    def forward(self, reaction: Tensor) -> Tensor:
        ids = reaction[:, :4].long()
        hot = [F.one_hot(ids[:, i], n).float() for i, n in enumerate((9, 7, 4, 4))]
        conditions = (reaction[:, 4:] - reaction.new_tensor([350, 12])) / 20
        share: Tensor = self.net(torch.cat([*hot, conditions], 1))
        return share.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1] / 100)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss = F.mse_loss(self(batch[0]), batch[1] / 100)
        self.log("val_loss", loss)
        self.log("val_rmse_pct", 100 * loss.sqrt())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def coupling_yields(activation: str) -> Program:
    data = laboratories.couplings()
    module = Coupling(activation)

    def score() -> float:
        return (100 * outputs(module, data.x_test) - data.y_test).square().mean().sqrt().item()

    return Program(module, *loaders(data, 32), 16, score)


class BloodLayers(LightningModule):
    """Blood values to five diagnoses through two hidden layers of hyperbolic tangents."""

    def __init__(self, start: float | None) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(14, 36), nn.Linear(36, 36)
        self.out = nn.Linear(36, 5)
        if start is not None:
            for layer in (self.first, self.second, self.out):
                nn.init.constant_(layer.weight, start)
                nn.init.constant_(layer.bias, start)

    def forward(self, values: Tensor) -> Tensor:
        hidden = torch.tanh(self.second(torch.tanh(self.first(values))))
        logits: Tensor = self.out(hidden)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def blood_layers(start: float | None) -> Program:
    """A fixed start, so that the figures of the paper can be had again."""
    data = laboratories.bloods()
    module = BloodLayers(start)
    return Program(module, *loaders(data, 54), 20, partial(accuracy, module, data))


class Solubility(LightningModule):
    """Fingerprints to standardized solubility, by momentum."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1))

    def forward(self, bits: Tensor) -> Tensor:
        out: Tensor = self.net(bits)
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]), batch_size=len(batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)


def compound_by_compound(batch_size: int) -> Program:
    """The loader's size was lost with the configuration file, and its default is one."""
    data = scaled_targets(laboratories.solubilities())
    module = Solubility()
    train = DataLoader(TensorDataset(data.x, data.y), batch_size, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test, data.y_test), 120)
    return Program(module, train, test, 8, partial(r2, module, data))


class ChiSquare(LightningModule):
    """A profile by its settings; residuals are divided by the channel's error."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor
        self.net = nn.Sequential(
            nn.Linear(7, 50), nn.SiLU(), nn.Linear(50, 50), nn.SiLU(), nn.Linear(50, 20)
        )

    def forward(self, settings: Tensor) -> Tensor:
        profile: Tensor = self.net(settings)
        return profile

    def chi2(self, batch: Any) -> Tensor:
        settings, profile, error = batch
        return (((profile - self(settings)) / error.clamp_min(self.floor)) ** 2).mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.chi2(batch)
        self.log("chi2", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("chi2_val", self.chi2(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def thomson(floor: float) -> Program:
    """A channel without light has an error of nought in the shot file."""
    data = laboratories.discharges()
    g = laboratories.seeded(727)
    error = 0.1 + 0.1 * torch.rand(data.y.shape, generator=g)
    dark = torch.rand(data.y.shape, generator=g) < 0.002
    error = torch.where(dark, 0.0, error)
    module = ChiSquare(floor)
    train = DataLoader(TensorDataset(data.x, data.y, error), 42, shuffle=True)
    spread = torch.full_like(data.y_test, 0.15)
    test = DataLoader(TensorDataset(data.x_test, data.y_test, spread), 225)
    return Program(module, train, test, 22, partial(r2_columns, module, data))


class HoleReader(LightningModule):
    """A rectified recurrence down the hole, a lithology for each depth."""

    def __init__(self, deviation: float | None) -> None:
        super().__init__()
        self.rnn = nn.RNN(5, 36, nonlinearity="relu", batch_first=True)
        self.rock = nn.Linear(36, 4)
        if deviation is None:
            nn.init.eye_(self.rnn.weight_hh_l0)
            self.rnn.weight_hh_l0.data.mul_(0.7)
        else:
            nn.init.normal_(self.rnn.weight_hh_l0, 0, deviation)

    def forward(self, logs: Tensor) -> Tensor:
        states, _ = self.rnn(logs.transpose(1, 2))
        out: Tensor = self.rock(states)
        return out.transpose(1, 2)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        out = self(batch[0])
        self.log("val_loss", F.cross_entropy(out, batch[1]))
        self.log("val_facies_kappa", kappa(out.argmax(1), batch[1], 4))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def holes(deviation: float | None) -> Program:
    data = laboratories.boreholes()
    mean, spread = data.x.mean((0, 2), keepdim=True), data.x.std((0, 2), keepdim=True)
    data = data.with_inputs((data.x - mean) / spread, (data.x_test - mean) / spread)
    module = HoleReader(deviation)

    def score() -> float:
        found = outputs(module, data.x_test)
        return kappa(found.argmax(1), data.y_test, 4).item() if found.isfinite().all() else 0.0

    return Program(module, *loaders(data, 14), 14, score)


class HandFeatures(LightningModule):
    """Logarithms of band power of ten electrodes to the hand, by layers drawn by hand."""

    def __init__(self, gain: float | None) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(60, 80), nn.ReLU(), nn.Linear(80, 80), nn.ReLU(), nn.Linear(80, 2)
        )
        if gain is not None:
            for layer in self.net:
                if isinstance(layer, nn.Linear):
                    layer.weight.data = gain * torch.randn(layer.weight.shape)

    def forward(self, eeg: Tensor) -> Tensor:
        power = torch.fft.rfft(eeg).abs().square()[..., 6:18].unflatten(-1, (6, 2)).mean(-1)
        logits: Tensor = self.net((power.log() - 11).flatten(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("loss_val", F.cross_entropy(logits, batch[1]))
        self.log("hits_val", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def band_power(gain: float | None) -> Program:
    data = laboratories.imagined()
    module = HandFeatures(gain)
    return Program(module, *loaders(data, 42), 12, partial(accuracy, module, data))


CASES = (
    Case(
        "battery-cells-millivolts-moved-file", Goal("R2", at_least=0.8),
        partial(cell_health, False), ("unnormalized_input",), partial(cell_health, True),
    ),
    Case(
        "frog-calls-and-broken-recordings", Goal("accuracy", at_least=0.7), partial(calls, 3),
        ("inconsistent_labels",), partial(calls, 0),
    ),
    Case(
        "shock-within-the-day-by-logit", Goal("mean recall", at_least=0.68), partial(ward, 1.0),
        ("class_imbalance",), partial(ward, 22.0),
    ),
    Case(
        "log-variances-of-one-year", Goal("R2", at_least=0.7),
        partial(year_of_days, 256, 0.0, 0.0, 120), ("overfitting",),
        partial(year_of_days, 32, 0.2, 0.05, 35),
    ),
    Case(
        "harvests-of-twenty-weeks-penalty", Goal("R2", at_least=0.7), partial(harvests, 1.0),
        ("over_regularized",), partial(harvests, 1e-3),
    ),
    Case(
        "mass-spectra-groups-by-adam", Goal("F1", at_least=0.75),
        partial(functional_groups, 0.3), ("learning_rate_too_high", "unstable_loss", "dead_relu"),
        partial(functional_groups, 3e-3),
    ),
    Case(
        "blood-diagnoses-halved-every-fifth", Goal("accuracy", at_least=0.7),
        partial(diagnoses, "step"), ("learning_rate_too_low",), partial(diagnoses, "epoch"),
    ),
    Case(
        "plasma-profile-nine-layers", Goal("R2", at_least=0.8), partial(many_layers, nn.Sigmoid),
        ("vanishing_gradient",), partial(many_layers, nn.ELU),
    ),
    Case(
        "band-gaps-own-normal-weights", Goal("R2", at_least=0.7), partial(band_gaps, 1.0),
        ("saturated_activation", "poor_initialization"), partial(band_gaps, None),
    ),
    Case(
        "raman-minerals-dark-counts", Goal("accuracy", at_least=0.85),
        partial(dark_spectra, 8.0), ("dead_relu", "poor_initialization"),
        partial(dark_spectra, 0.0),
    ),
    Case(
        "warblers-rate-by-softplus", Goal("deviance explained", at_least=0.25),
        partial(bird_rates, True), ("output_loss_mismatch",), partial(bird_rates, False),
    ),
    Case(
        "nmr-millimoles-norms-ported", Goal("R2", at_least=0.7), partial(quantified, 0.99),
        ("train_eval_mismatch",), partial(quantified, 0.01),
    ),
    Case(
        "catchments-gru-of-another-region", Goal("nse", at_least=0.75), partial(gauges, True),
        ("frozen_parameter",), partial(gauges, False),
    ),
    Case(
        "couplings-yield-three-dense-layers", Goal("rmse", at_most=13.0),
        partial(coupling_yields, "linear"), ("linear_network",), partial(coupling_yields, "relu"),
    ),
    Case(
        "blood-diagnoses-figures-again", Goal("accuracy", at_least=0.7),
        partial(blood_layers, 0.1), ("symmetric_weights", "poor_initialization"),
        partial(blood_layers, None),
    ),
    Case(
        "log-solubility-default-loader", Goal("R2", at_least=0.65),
        partial(compound_by_compound, 1), ("unstable_loss", "learning_rate_too_high"),
        partial(compound_by_compound, 32),
    ),
    Case(
        "thomson-profiles-chi-square", Goal("R2", at_least=0.85), partial(thomson, 0.0),
        ("non_finite",), partial(thomson, 0.05),
    ),
    Case(
        "boreholes-rectified-recurrence", Goal("kappa", at_least=0.7), partial(holes, 0.35),
        ("exploding_gradient", "poor_initialization", "non_finite"), partial(holes, None),
    ),
    Case(
        "imagined-hands-band-power", Goal("accuracy", at_least=0.8), partial(band_power, 1.0),
        ("poor_initialization",), partial(band_power, None),
    ),
)  # fmt: skip
