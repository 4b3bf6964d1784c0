"""Models of rivers, rain, soils and reservoirs that learn what they should."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import hydrology
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


@dataclass
class Days:
    """Weather until a day, what the basin is like, and the flow on that day and its spread."""

    weather: Tensor
    attributes: Tensor
    flow: Tensor
    spread: Tensor


class RegionalDays(Dataset[Days]):
    """Days of all basins; the spread is that of the basin's flow in the years to train on."""

    def __init__(self, x: Tensor, y: Tensor, owner: Tensor, spread: Tensor) -> None:
        self.x, self.y, self.owner, self.spread = x, y, owner, spread
        self.attributes = 2 * hydrology.records().attributes - 1

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Days:
        owner = self.owner[index]
        return Days(self.x[index], self.attributes[owner], self.y[index], self.spread[owner])


def collated(days: list[Days]) -> Days:
    return Days(
        *(
            torch.stack([getattr(day, name) for day in days])
            for name in ("weather", "attributes", "flow", "spread")
        )
    )


class EntityAwareLSTM(LightningModule):
    """An LSTM whose input gate hangs on the basin alone; errors in units of each basin's spread."""

    def __init__(self, hidden: int = 24) -> None:
        super().__init__()
        self.hidden = hidden
        self.gate = nn.Linear(3, hidden)
        self.inputs = nn.Linear(2, 3 * hidden)
        self.states = nn.Linear(hidden, 3 * hidden, bias=False)
        nn.init.orthogonal_(self.states.weight)
        self.inputs.bias.data[:hidden] = 3.0
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(hidden, 1)

    def forward(self, weather: Tensor, attributes: Tensor) -> Tensor:
        gate = self.gate(attributes).sigmoid()
        state = cell = torch.zeros_like(gate)
        for inputs in self.inputs(weather).unbind(1):
            forget, output, new = (inputs + self.states(state)).chunk(3, 1)
            cell = forget.sigmoid() * cell + gate * new.tanh()
            state = output.sigmoid() * cell.tanh()
        flow: Tensor = self.head(self.dropout(state))
        return flow.squeeze(-1)

    def nse_loss(self, batch: Days) -> Tensor:
        error = self(batch.weather, batch.attributes) - batch.flow
        loss: Tensor = (error / (batch.spread + 0.1)).square().mean()
        return loss

    def training_step(self, batch: Days, batch_idx: int) -> Tensor:
        loss = self.nse_loss(batch)
        self.log("train_nse_loss", loss, batch_size=len(batch.flow))
        return loss

    def validation_step(self, batch: Days, batch_idx: int) -> None:
        self.log("val_nse_loss", self.nse_loss(batch), batch_size=len(batch.flow))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, 0.3)]


def regional() -> Program:
    data, owner, owner_test = hydrology.windows()
    spread = torch.stack([data.y[owner == i].std() for i in range(hydrology.BASINS)])
    train, test = (
        RegionalDays(data.x, data.y, owner, spread),
        RegionalDays(data.x_test, data.y_test, owner_test, spread),
    )
    module = EntityAwareLSTM()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        found = module(data.x_test, test.attributes[owner_test])
        return 1 - (F.mse_loss(found, data.y_test) / data.y_test.var()).item()

    return Program(
        module, DataLoader(train, 64, shuffle=True, collate_fn=collated),
        DataLoader(test, 256, collate_fn=collated), 10, score, {"gradient_clip_val": 1.0},
    )  # fmt: skip


def log_density(amount: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Of amounts whose logarithm is normal."""
    error = (amount.log() - mean) / log_scale.exp()
    return -0.5 * error.square() - log_scale - 0.5 * math.log(2 * math.pi) - amount.log()


class HurdleRain(LightningModule):
    """Whether it rains, and the logarithm's normal density of how much if it does."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp([10, 48, 32], nn.ELU, dropout=0.1)
        self.chance, self.amount = nn.Linear(32, 1), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = F.elu(self.body(x))
        mean, log_scale = self.amount(features).unbind(1)
        return self.chance(features).squeeze(1), mean, log_scale

    def likelihood(self, batch: list[Tensor]) -> Tensor:
        x, rain = batch
        logit, mean, log_scale = self(x)
        wet = rain > 0
        amounts = log_density(rain[wet], mean[wet], log_scale[wet])
        dry = F.binary_cross_entropy_with_logits(logit, wet.float())
        return dry - amounts.sum() / len(rain)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.likelihood(batch)
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nll", self.likelihood(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def rain() -> Program:
    """Scored by what it gains on a hurdle of constants."""
    data, module = hydrology.wet_days(), HurdleRain()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        wet, wet_test = data.y > 0, data.y_test > 0
        log_rain = data.y[wet].log()
        share = wet.float().mean().expand(len(wet_test))
        amounts = log_density(data.y_test[wet_test], log_rain.mean(), log_rain.std().log())
        constant = F.binary_cross_entropy(share, wet_test.float())
        constant -= amounts.sum() / len(wet_test)
        return (constant - module.likelihood([data.x_test, data.y_test])).item()

    return Program(module, *loaders(data, 64), 14, score)


class FloodUNet(LightningModule):
    """Down once and up again, with the sum of cross-entropy and Dice; water is rare."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.down = self.block(3, width)
        self.middle = self.block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.last = self.block(2 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    @staticmethod
    def block(inputs: int, width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.GroupNorm(4, width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(4, width), nn.ReLU(),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        first = self.down(maps)
        up = self.up(self.middle(F.max_pool2d(first, 2)))
        logits: Tensor = self.out(self.last(torch.cat([first, up], 1)))
        return logits.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits, water = self(batch[0]), batch[1]
        bce = F.binary_cross_entropy_with_logits(logits, water)
        chance = logits.sigmoid()
        dice = 1 - (2 * (chance * water).sum() + 1) / (chance.sum() + water.sum() + 1)
        self.log_dict({"bce": bce, "dice": dice})
        loss: Tensor = bce + dice
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=168)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def flood_maps() -> Program:
    data, module = hydrology.floods(), FloodUNet()
    train, _ = loaders(data, 16)

    def score() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return ((found & true).sum() / (found | true).sum()).item()

    return Program(module, train, None, 8, score)


class RiverGraph(LightningModule):
    """The same step along the river twelve times, from each gauge to that below it."""

    def __init__(self, links: Tensor, width: int = 24, rounds: int = 12) -> None:
        super().__init__()
        self.register_buffer("links", links)
        self.rounds = rounds
        self.encode = mlp([3, width, width])
        self.cell = nn.GRUCell(width, width)
        self.norm, self.decode = nn.LayerNorm(width), mlp([width, width, 1])

    def forward(self, x: Tensor) -> Tensor:
        state = self.encode(x)
        for _ in range(self.rounds):
            above = self.get_buffer("links") @ state
            state = self.cell(above.flatten(0, 1), state.flatten(0, 1)).view_as(above)
        flow: Tensor = self.decode(self.norm(state))
        return flow.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 40)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def river() -> Program:
    data, links = hydrology.network()
    module = RiverGraph(links)
    return Program(
        module, *loaders(data, 32), 12, partial(r2, module, data), {"gradient_clip_val": 1.0}
    )


class GapFiller(LightningModule):
    """Half of the gauges are hidden, others each time, and only those count."""

    def __init__(self, gauges: int) -> None:
        super().__init__()
        self.net = mlp([2 * gauges, 96, 48, 96, gauges], nn.SiLU)

    def forward(self, levels: Tensor, seen: Tensor) -> Tensor:
        found: Tensor = self.net(torch.cat([levels * seen, seen], 1))
        return found

    def step(self, levels: Tensor) -> Tensor:
        seen = (torch.rand_like(levels) < 0.5).float()
        error: Tensor = (self(levels, seen) - levels)[seen == 0].square().mean()
        return error

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.step(batch[0])
        self.log("masked_mse", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_masked_mse", self.step(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, betas=(0.9, 0.95))


def gaps() -> Program:
    """Scored with one mask. A third of the variance is noise that nothing can fill in."""
    levels, levels_test = hydrology.stations()
    module = GapFiller(levels.shape[1])
    seen = (torch.rand(levels_test.shape, generator=torch.Generator().manual_seed(1)) < 0.5).float()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        hidden = seen == 0
        error = (module(levels_test, seen) - levels_test)[hidden].square().mean()
        return float(1 - error / levels_test[hidden].var())

    train = DataLoader(TensorDataset(levels), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(levels_test), 256), 20, score)


class RetentionCurves(LightningModule):
    """Water at five suctions from few soils: self-normalising layers and much dropout."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((5, 64), (64, 64), (64, 64)):
            layers += [nn.Linear(before, after), nn.SELU(), nn.AlphaDropout(0.1)]
        self.net = nn.Sequential(*layers, nn.Linear(64, 5))
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                nn.init.zeros_(layer.bias)

    def forward(self, soil: Tensor) -> Tensor:
        held: Tensor = self.net(soil)
        return held

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(self(batch[0]), batch[1])}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def retention() -> Program:
    data, module = hydrology.soils(), RetentionCurves()
    return Program(module, *loaders(data, 20), 40, partial(r2, module, data))


class Operator(LightningModule):
    """How far to open a reservoir's gate, learnt from the cost of days too dry and too wet.

    What is left of the cost are floods and droughts that no gate prevents.
    """

    def __init__(self, demand: float = 0.03) -> None:
        super().__init__()
        self.demand = demand
        self.policy = mlp([3, 32, 32, 1], nn.Tanh)

    def cost(self, inflow: Tensor, fixed: float | None = None) -> Tensor:
        """Mean over the days, in hundredths; of always the same gate if one is given."""
        storage = torch.full_like(inflow[:, 0], 0.5)
        last, total = torch.zeros_like(storage), torch.zeros_like(storage)
        for today in inflow.unbind(1):
            known = torch.stack([2 * storage - 1, 10 * last - 0.4, 20 * today - 0.8], 1)
            if fixed is None:
                gate = self.policy(known).squeeze(1).sigmoid()
            else:
                gate = torch.full_like(storage, fixed)
            release = 0.15 * gate * storage.clamp(min=0.02)
            storage = storage - release + today
            spill, last = (storage - 1).relu(), today
            storage = storage - spill
            total = total + 20 * spill + 300 * (release - self.demand).square()
        return 100 * total.mean() / inflow.shape[1]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        cost = self.cost(batch[0])
        self.log("cost", cost)
        return cost

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_cost", self.cost(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def reservoir() -> Program:
    """Scored by the cost in parts of that of the best gate that is never moved."""
    train, test = hydrology.inflows()
    module = Operator()

    @torch.no_grad()
    def score() -> float:
        fixed = min(module.cost(test, i / 20).item() for i in range(1, 20))
        return module.cost(test).item() / fixed

    return Program(
        module, DataLoader(TensorDataset(train), 50, shuffle=True),
        DataLoader(TensorDataset(test), 300), 20, score, {"gradient_clip_val": 1.0},
    )  # fmt: skip


class Buckets(LightningModule):
    """A model of reservoirs, as in textbooks, with six constants for each basin and no network."""

    def __init__(self) -> None:
        super().__init__()
        self.constants = nn.Embedding(hydrology.BASINS, 6)
        nn.init.normal_(self.constants.weight, std=0.1)

    def forward(self, basin: Tensor, rain: Tensor, temperature: Tensor) -> Tensor:
        share, quick, slow, melting, loss, start = self.constants(basin).sigmoid().unbind(1)
        snow, upper, lower = torch.zeros_like(share), torch.zeros_like(share), 60 * start
        flows = []
        for fallen, warmth in zip(rain.unbind(1), temperature.unbind(1), strict=True):
            cold = (warmth < 0).float()
            snow = snow + fallen * cold
            melt = torch.minimum(snow, 6 * melting * warmth.relu())
            snow, water = snow - melt, fallen * (1 - cold) + melt
            upper, lower = upper + share * water, lower + (1 - share) * water
            flows.append(quick * upper + 0.1 * slow * lower)
            upper = upper * (1 - quick)
            lower = (lower * (1 - 0.1 * slow) - 0.3 * loss * warmth.relu()).clamp(min=0)
        return torch.stack(flows, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        basin, rain, temperature, flow = batch
        loss = F.mse_loss(self(basin, rain, temperature)[:, 20:], flow[:, 20:])
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.05)


def buckets(days: int = 120) -> Program:
    """Calibrated on 120 days, scored on those after them."""
    record, module = hydrology.records(), Buckets()
    basin = torch.arange(hydrology.BASINS)
    first = TensorDataset(
        basin, record.rain[:, :days], record.temperature[:, :days], record.flow[:, :days]
    )

    @torch.no_grad()
    def score() -> float:
        found = module(basin, record.rain[:, :300], record.temperature[:, :300])[:, days:]
        true = record.flow[:, days:300]
        return 1 - (F.mse_loss(found, true) / true.var()).item()

    return Program(module, DataLoader(first, 6, shuffle=True), None, 40, score)


CASES = (
    Case("basins-gated-by-what-they-are-like", Goal("R2", at_least=0.7), regional),
    Case("rain-whether-and-how-much", Goal("nats gained", at_least=0.15), rain),
    Case("floods-mapped-by-a-small-unet", Goal("IoU", at_least=0.6), flood_maps),
    Case("gauges-each-below-another", Goal("R2", at_least=0.8), river),
    Case("levels-half-of-them-hidden", Goal("R2", at_least=0.45), gaps),
    Case("soils-two-hundred-and-their-water", Goal("R2", at_least=0.65), retention),
    Case("dams-opened-by-their-own-costs", Goal("relative cost", at_most=0.8), reservoir),
    Case("catchments-six-constants-each", Goal("R2", at_least=0.85), buckets),
)  # fmt: skip
