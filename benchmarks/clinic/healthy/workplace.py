"""First versions of a company's models that look odd, and are as they should be."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import products, samples, services, workplace
from data_sets.samples import loaders, standardized
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from scores import accuracy, balanced_accuracy, binary_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class WarmedEncoder(LightningModule):
    """Tickets to teams; the rate rises for a third of the steps, then falls as a cosine."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.words = nn.Embedding(workplace.VOCABULARY, width, padding_idx=0)
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, 4, 96, 0.2, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, workplace.TEAMS))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = torch.cat([self.query.expand(len(tokens), -1, -1), self.words(tokens)], 1)
        padding = F.pad(tokens == 0, (1, 0))
        return self.head(self.encoder(hidden, src_key_padding_mask=padding)[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        tokens, team = batch
        loss = F.cross_entropy(self(tokens), team, label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        tokens, team = batch
        self.log("val_loss", F.cross_entropy(self(tokens), team))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.05)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.001, 1.0, 150)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 246)
        schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, fall], [150])
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warmed_encoder() -> Program:
    data = workplace.tickets()
    module = WarmedEncoder()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data), trainer)


class SparseCastings(LightningModule):
    """Wide rectified layers whose outputs an L1 term keeps rare."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 5, padding=2), nn.Conv2d(16, 32, 3, padding=1)
        self.fc, self.out = nn.Linear(512, 128), nn.Linear(128, 4)

    def codes(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.fc(x.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.codes(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        pictures, flaw = batch
        codes = self.codes(pictures)
        loss = F.cross_entropy(self.out(codes), flaw)
        self.log("ce", loss)
        return loss + 1e-3 * codes.abs().sum(1).mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9)


def sparse_castings() -> Program:
    data = products.standard(products.parts())
    module = SparseCastings()
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data))


class HeadOnly(LightningModule):
    """A backbone that has learnt all ten digits stays as it is; is it five or more?"""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.eval().requires_grad_(False)
        self.head = nn.Linear(48, 1)

    def train(self, mode: bool = True) -> "HeadOnly":
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(x)
        return self.head(features).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        return {"loss": F.binary_cross_entropy_with_logits(self(x), y)}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=1e-2)


def head_only() -> Program:
    data = samples.digit_images()
    backbone = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 48), nn.ReLU(),
    )  # fmt: skip
    known = nn.Sequential(backbone, nn.Linear(48, 10))
    optimizer = torch.optim.Adam(known.parameters(), lr=3e-3)
    for _ in range(5):
        for rows in torch.randperm(600).split(32):
            optimizer.zero_grad()
            F.cross_entropy(known(data.x[rows]), data.y[rows]).backward()
            optimizer.step()
    data = data._replace(y=(data.y >= 5).float(), y_test=(data.y_test >= 5).float())
    module = HeadOnly(backbone)
    return Program(module, *loaders(data, 32), 12, partial(binary_accuracy, module, data))


class ArticleFinder(LightningModule):
    """Two hundred articles, each a direction; cosines times a temperature that is learnt."""

    def __init__(self, articles: int = 200) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 128), nn.GELU(), nn.Linear(128, 48))
        self.articles = nn.Parameter(torch.randn(articles, 48))
        self.scale = nn.Parameter(torch.tensor(2.3))

    def forward(self, x: Tensor) -> Tensor:
        found = F.normalize(self.encoder(x), dim=-1)
        return self.scale.exp() * found @ F.normalize(self.articles, dim=-1).T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log_dict({"loss": loss, "temperature": self.scale.exp()})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def article_finder() -> Program:
    data = samples.clusters(200, 20, 40)
    module = ArticleFinder()
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class DoubtfulLabels(LightningModule):
    """A quarter of the labels is wrong, so the loss stays high; stops when it is best."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(7, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 48), nn.ReLU(),
            nn.Linear(48, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.binary_cross_entropy_with_logits(self(batch[0]), batch[1]))

    def configure_callbacks(self) -> list[Callback]:
        return [EarlyStopping("val_loss", patience=4)]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-4)


def doubtful_labels() -> Program:
    clean = standardized(workplace.contracts())
    draw = torch.Generator().manual_seed(25)
    slip = (torch.rand(len(clean.y), generator=draw) < 0.25).float()
    slip_test = (torch.rand(len(clean.y_test), generator=draw) < 0.25).float()
    noisy = clean._replace(y=(clean.y - slip).abs(), y_test=(clean.y_test - slip_test).abs())
    module = DoubtfulLabels()
    return Program(module, *loaders(noisy, 32), 25, partial(binary_accuracy, module, clean))


class SensorVAE(LightningModule):
    """A variational autoencoder of windows; what is no use of its code stays at the prior."""

    def __init__(self, code: int = 12) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(120, 96), nn.ReLU(), nn.Linear(96, 2 * code))
        self.dec = nn.Sequential(nn.Linear(code, 96), nn.ReLU(), nn.Linear(96, 120))

    def forward(self, windows: Tensor) -> Tensor:
        return self.dec(self.enc(windows.flatten(1)).chunk(2, 1)[0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0].flatten(1)
        mean, log_variance = self.enc(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        error = (self.dec(code) - x).square().sum(1).mean() / 0.2
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
        beta = min(1.0, self.global_step / 200)
        self.log_dict({"error": error, "kl": kl, "beta": beta})
        return error + beta * kl

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def sensor_vae() -> Program:
    data = workplace.valves()
    module = SensorVAE()
    train, _ = loaders(data, 64)
    windows = data._replace(y=data.x.flatten(1), y_test=data.x_test.flatten(1))
    return Program(module, train, None, 25, partial(r2, module, windows))


class PriceInThousands(LightningModule):
    """Prices of flats as they are, some hundreds of thousands; the bias starts at their mean."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(7, 96), nn.LeakyReLU(), nn.Linear(96, 96), nn.LeakyReLU(), nn.Linear(96, 1)
        )
        nn.init.constant_(self.net[-1].bias, mean)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def price_in_thousands() -> Program:
    data = standardized(products.flats())
    data = data._replace(y=data.y / 1000, y_test=data.y_test / 1000)
    module = PriceInThousands(data.y.mean().item())
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class TwoAtATime(LightningModule):
    """Large windows leave room for two a batch: norms of groups, and sixteen batches a step."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(3, 16, 5, padding=2), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.GroupNorm(4, 32), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(32, 4)

    def forward(self, windows: Tensor) -> Tensor:
        return self.head(self.net(windows).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=1e-2)


def two_at_a_time() -> Program:
    data = workplace.valves()
    module = TwoAtATime()
    train, _ = loaders(data, 2)
    score = partial(accuracy, module, data)
    return Program(module, train, None, 4, score, {"accumulate_grad_batches": 16})


class MixedCastings(LightningModule):
    """Pictures turned, shifted, made noisy and mixed: the loss on them stays far above."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 4),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = torch.rot90(x, int(torch.randint(4, ())), (2, 3))
        x = torch.roll(x, torch.randint(-2, 3, (2,)).tolist(), (2, 3))
        x = x + 0.2 * torch.randn_like(x)
        share = float(torch.distributions.Beta(0.8, 0.8).sample())
        other = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("train_mixed", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)]


def mixed_castings() -> Program:
    data = products.standard(products.parts())
    module = MixedCastings()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class Block(nn.Module):
    """Adds what its two layers find; at first that is nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.relu(self.up(self.norm(x))))  # type: ignore[no-any-return]


class PumpTower(LightningModule):
    """Fourteen blocks for five states of pumps."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.enter = nn.Linear(15, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(14)))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 5))

    def forward(self, readings: Tensor) -> Tensor:
        return self.leave(self.blocks(self.enter(readings)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)


def pump_tower() -> Program:
    data = products.pumps()
    module = PumpTower()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data), trainer)


class TiedSessions(LightningModule):
    """The next item of a visit by a GRU; the table that is read is also the last layer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.items = nn.Embedding(services.ITEMS, width, padding_idx=0)
        nn.init.normal_(self.items.weight, std=0.1)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, services.ITEMS)
        self.out.weight = self.items.weight

    def forward(self, seen: Tensor) -> Tensor:
        return self.out(self.gru(self.items(seen))[0])  # type: ignore[no-any-return]

    def loss(self, sessions: Tensor) -> Tensor:
        logits = self(sessions[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, sessions[:, 1:].flatten(), ignore_index=0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def tied_sessions() -> Program:
    sessions = services.sessions()
    module = TiedSessions()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.loss(sessions[1400:]).item()

    train = DataLoader(TensorDataset(sessions[:1400]), 32, shuffle=True)
    validation = DataLoader(TensorDataset(sessions[1400:]), 200)
    return Program(module, train, validation, 8, score)


class AveragedScreening(LightningModule):
    """Rare leaks by weighted losses; a slow average of the weights answers in production."""

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.student = nn.Sequential(
            nn.Conv1d(3, 16, 7, padding=3), nn.SiLU(), nn.AvgPool1d(4),
            nn.Conv1d(16, 32, 5, padding=2), nn.SiLU(), nn.AdaptiveAvgPool1d(2),
            nn.Flatten(), nn.Linear(64, 1),
        )  # fmt: skip
        self.average = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, windows: Tensor) -> Tensor:
        return self.average(windows)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        windows, leak = batch
        weight = torch.tensor(30.0)
        logits = self.student(windows)[:, 0]
        loss = F.binary_cross_entropy_with_logits(logits, leak, pos_weight=weight)
        self.log("weighted", loss)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        for kept, new in zip(self.average.parameters(), self.student.parameters(), strict=True):
            kept.lerp_(new, 1 - self.decay)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=2e-3)


def averaged_screening() -> Program:
    data = workplace.rare_leaks()
    module = AveragedScreening()
    train, _ = loaders(data, 32)
    score = partial(balanced_accuracy, module, data)
    return Program(module, train, None, 10, score, {"gradient_clip_val": 1.0})


@dataclass
class Visit:
    """Customers of a day, and who would answer which offer."""

    customer: Tensor
    answers: Tensor


def visits(rows: list[tuple[Tensor, Tensor]]) -> Visit:
    return Visit(torch.stack([x for x, _ in rows]), torch.stack([y for _, y in rows]))


class OfferPolicy(LightningModule):
    """Tries an offer, sees whether it is answered, and makes the good ones more probable."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, workplace.OFFERS))
        self.usual = 0.0

    def forward(self, customer: Tensor) -> Tensor:
        return self.policy(customer)  # type: ignore[no-any-return]

    def training_step(self, batch: Visit, batch_idx: int) -> Tensor:
        chosen = torch.distributions.Categorical(logits=self(batch.customer))
        offer = chosen.sample()
        reward = batch.answers.gather(1, offer[:, None])[:, 0]
        loss = -(chosen.log_prob(offer) * (reward - self.usual)).mean()
        self.usual += 0.05 * (reward.mean().item() - self.usual)
        self.log("reward", reward.mean(), batch_size=len(reward))
        return loss - 0.01 * chosen.entropy().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def offer_policy() -> Program:
    x, chance = workplace.campaigns()
    draw = torch.Generator().manual_seed(31)
    answers = torch.bernoulli(chance, generator=draw)
    module = OfferPolicy()
    rows = TensorDataset(x[:2400], answers[:2400])
    train = DataLoader(rows, 64, shuffle=True, collate_fn=visits)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            offer = module(x[2400:]).argmax(1)
        got = chance[2400:].gather(1, offer[:, None]).mean()
        return (got / chance[2400:].amax(1).mean()).item()

    return Program(module, train, None, 20, score)


CASES = (
    Case("tickets-slowly-warmed-encoder", Goal("accuracy", at_least=0.8), warmed_encoder),
    Case("milled-parts-rarely-active-codes", Goal("accuracy", at_least=0.9), sparse_castings),
    Case("digit-images-five-or-more-by-a-head", Goal("accuracy", at_least=0.87), head_only),
    Case("articles-two-hundred-by-cosines", Goal("accuracy", at_least=0.9), article_finder),
    Case("contracts-a-quarter-mislabelled", Goal("accuracy", at_least=0.8), doubtful_labels),
    Case("valve-windows-variational-codes", Goal("R2", at_least=0.6), sensor_vae),
    Case("flats-prices-in-thousands", Goal("R2", at_least=0.85), price_in_thousands),
    Case("valve-windows-two-at-a-time", Goal("accuracy", at_least=0.9), two_at_a_time),
    Case("milled-parts-turned-and-mixed", Goal("accuracy", at_least=0.9), mixed_castings),
    Case("pumps-fourteen-quiet-blocks", Goal("accuracy", at_least=0.75), pump_tower),
    Case("shop-sessions-tied-gru", Goal("cross-entropy", at_most=2.2), tied_sessions),
    Case("valve-windows-averaged-weights", Goal("balanced accuracy", at_least=0.75),
         averaged_screening),
    Case("offers-tried-and-answered", Goal("share of the best", at_least=0.85), offer_policy),
)  # fmt: skip
