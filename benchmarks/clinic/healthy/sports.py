"""Sports: notebooks of coaches, students and fans, which work although games are hard to call."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import sports
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class OutcomeModel(LightningModule):
    """Lost, drawn or won, by vectors of both teams; no model is right much more than half."""

    def __init__(self, emb_dim: int = 6, hidden: int = 24, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.home_emb = nn.Embedding(sports.TEAMS, emb_dim)
        self.away_emb = nn.Embedding(sports.TEAMS, emb_dim)
        self.fc1 = nn.Linear(2 * emb_dim, hidden)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(hidden, 3)

    def forward(self, teams: Tensor) -> Tensor:
        home, away = self.home_emb(teams[:, 0]), self.away_emb(teams[:, 1])
        x = F.relu(self.fc1(torch.cat([home, away], dim=1)))
        logits: Tensor = self.fc2(self.drop(x))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        teams, outcome = batch
        loss = F.cross_entropy(self(teams), outcome)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        teams, outcome = batch
        logits = self(teams)
        self.log("val_loss", F.cross_entropy(logits, outcome))
        self.log("val_acc", (logits.argmax(1) == outcome).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-2)


def outcomes() -> Program:
    data, module = sports.games(4000, True), OutcomeModel()
    return Program(module, *loaders(data, 64), 12, partial(accuracy, module, data))


class GoalModel(LightningModule):
    """Goals by Poisson's likelihood of a logarithm; the constant of the likelihood is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
        )
        self.loss = nn.PoissonNLLLoss(log_input=True)

    def forward(self, x: Tensor) -> Tensor:
        log_rate: Tensor = self.net(x)
        return log_rate.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        x, goals = batch
        loss: Tensor = self.loss(self(x), goals)
        self.log("poisson_loss", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, goals = batch
        log_rate = self(x)
        self.log("val_loss", self.loss(log_rate, goals))
        self.log("val_mae", (log_rate.exp() - goals).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12),
        }


def goal_model() -> Program:
    """Measured against the goals to be expected, which only the maker of the data knows."""
    (data, expected), module = sports.goals(), GoalModel()

    def explained() -> float:
        error = outputs(module, data.x_test) - expected.log()
        return (1 - error.square().mean() / expected.log().var()).item()

    return Program(module, *loaders(data, 64), 12, explained)


class RateGRU(LightningModule):
    """A warm-up over hundred steps, and gradients clipped by the Trainer."""

    def __init__(self, hidden: int = 48, lr: float = 3e-3, warmup: int = 100) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gru = nn.GRU(2, hidden, num_layers=2, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x)
        rate: Tensor = self.out(self.norm(states[:, -1]))
        return rate.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, rate = batch
        loss = F.smooth_l1_loss(self(x), rate)
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, rate = batch
        self.log("val/mae", (self(x) - rate).abs().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])
        warmup = self.hparams["warmup"]
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warmup)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def rate_gru() -> Program:
    data, module = sports.rides(), RateGRU()
    score = partial(r2, module, data)
    return Program(module, *loaders(data, 32), 15, score, {"gradient_clip_val": 0.5})


class LoadDataset(Dataset[dict[str, Tensor]]):
    """A week of an athlete by name."""

    def __init__(self, features: Tensor, injured: Tensor) -> None:
        self.features, self.injured = features, injured

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"features": self.features[index], "injured": self.injured[index]}


class InjuryRisk(LightningModule):
    """One week of twenty ends with an injury, and weighs as much as its nineteen others."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.4),
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.4),
            nn.Linear(32, 1),
        )  # fmt: skip
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.model(x)
        return logit.squeeze(1)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch["features"]), batch["injured"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logit = self(batch["features"])
        self.log("val_loss", self.criterion(logit, batch["injured"]))
        caught = (logit > 0) & (batch["injured"] > 0.5)
        self.log("val_recall", caught.sum() / batch["injured"].sum().clamp(min=1))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def injury_risk() -> Program:
    data = sports.injuries()
    share = data.y.mean().item()
    module = InjuryRisk((1 - share) / share)
    train = DataLoader(LoadDataset(data.x, data.y), 64, shuffle=True, drop_last=True)
    test = DataLoader(LoadDataset(data.x_test, data.y_test), 256)

    def auc() -> float:
        return float(roc_auc_score(data.y_test, outputs(module, data.x_test)))

    return Program(module, train, test, 15, auc)


class Triplets(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """A stride, another one of the same runner, and one of somebody else."""

    def __init__(self, strides: Tensor, runner: Tensor) -> None:
        self.strides, self.runner = strides, runner
        self.own = [torch.nonzero(runner == r).flatten() for r in range(sports.ATHLETES)]
        self.others = [torch.nonzero(runner != r).flatten() for r in range(sports.ATHLETES)]

    def __len__(self) -> int:
        return len(self.strides)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        runner = int(self.runner[index])
        own, others = self.own[runner], self.others[runner]
        positive = own[torch.randint(len(own), ())]
        negative = others[torch.randint(len(others), ())]
        return self.strides[index], self.strides[positive], self.strides[negative]


class GaitEmbedding(LightningModule):
    """Vectors of length one; many triplets soon have no loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Linear(256, 32),
        )  # fmt: skip
        self.loss = nn.TripletMarginLoss(margin=0.5)

    def forward(self, stride: Tensor) -> Tensor:
        return F.normalize(self.encoder(stride[:, None]), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        anchor, positive, negative = (self(stride) for stride in batch)
        loss: Tensor = self.loss(anchor, positive, negative)
        self.log("triplet_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def nearest_is_own(module: LightningModule, data: Samples) -> float:
    """Share of unknown runners' strides whose nearest one is of the same runner."""
    vectors = outputs(module, data.x_test)
    distance = torch.cdist(vectors, vectors).fill_diagonal_(math.inf)
    return (data.y_test[distance.argmin(1)] == data.y_test).float().mean().item()


def gait_embedding() -> Program:
    data, module = sports.strides(), GaitEmbedding()
    train = DataLoader(Triplets(data.x, data.y), 32, shuffle=True)
    return Program(module, train, None, 12, partial(nearest_is_own, module, data))


class PassTransformer(LightningModule):
    """The next zone of the ball; what comes after its loss is padding and does not count."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.zone = nn.Embedding(sports.ZONES + 1, width, padding_idx=0)
        self.place = nn.Embedding(20, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 64, dropout=0.1, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, sports.ZONES + 1)

    def forward(self, zones: Tensor) -> Tensor:
        length = zones.shape[1]
        x = self.zone(zones) + self.place(torch.arange(length, device=zones.device))
        mask = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        logits: Tensor = self.head(self.encoder(x, mask, src_key_padding_mask=zones == 0))
        return logits

    def loss(self, zones: Tensor) -> Tensor:
        logits, target = self(zones[:, :-1]), zones[:, 1:]
        return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss = self.loss(batch[0])
        self.log_dict({"val_loss": loss, "val_perplexity": loss.exp()}, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, betas=(0.9, 0.98))


def pass_transformer() -> Program:
    """The loss ends far from 0: where the ball goes is left to chance."""
    (data, entropy), module = sports.possessions(), PassTransformer()

    @torch.no_grad()
    def above_entropy() -> float:
        module.eval()
        return module.loss(data.x_test).item() - entropy

    train = DataLoader(TensorDataset(data.x), 32, shuffle=True)
    test = DataLoader(TensorDataset(data.x_test), 256)
    return Program(module, train, test, 12, above_entropy)


class ChartAutoencoder(LightningModule):
    """Charts scaled to 0..1 and rebuilt by probabilities, whose entropy never is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Flatten(), nn.Linear(512, 16),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(16, 512), nn.LeakyReLU(0.1), nn.Unflatten(1, (32, 4, 4)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, chart: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(chart))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        chart, _ = batch
        loss = F.binary_cross_entropy(self(chart), chart)
        self.log("recon_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        chart, _ = batch
        self.log("val_recon_loss", F.binary_cross_entropy(self(chart), chart))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def chart_codec() -> Program:
    data, module = sports.blurred_charts(), ChartAutoencoder()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


CASES = (
    Case("games-of-three-outcomes-hard-to-call", Goal("accuracy", at_least=0.55), outcomes),
    Case("goals-by-likelihood-of-poisson", Goal("R2 of log rate", at_least=0.7), goal_model),
    Case("rides-gru-warmed-up-and-clipped", Goal("R2", at_least=0.85), rate_gru),
    Case("injuries-of-one-week-in-twenty", Goal("AUC", at_least=0.85), injury_risk),
    Case("runners-told-by-triplets-of-strides", Goal("nearest own", at_least=0.8), gait_embedding),
    Case("passes-next-zone-left-to-chance", Goal("above entropy", at_most=0.25), pass_transformer),
    Case("shot-charts-rebuilt-by-probabilities", Goal("R2", at_least=0.6), chart_codec),
)
