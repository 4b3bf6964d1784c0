"""Nets on recipes, photos of dishes, stars and orders that do as well as they can."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import kitchen
from data_sets.samples import loaders
from lightning.pytorch import LightningModule
from modules import mlp
from programs import regression
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset


class ReviewLSTM(LightningModule):
    """An LSTM in both directions over the words of a review, without those of the padding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(kitchen.REVIEW_WORDS, 48, padding_idx=0)
        self.lstm = nn.LSTM(48, 32, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(64, 3)

    def forward(self, words: Tensor) -> Tensor:
        lengths = (words != 0).sum(1).cpu()
        packed = pack_padded_sequence(
            self.dropout(self.embedding(words)), lengths, batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(packed)
        logits: Tensor = self.fc(self.dropout(torch.cat([hidden[0], hidden[1]], dim=1)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        words, label = batch
        loss = F.cross_entropy(self(words), label)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        words, label = batch
        logits = self(words)
        self.log("val_loss", F.cross_entropy(logits, label), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == label).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def review_lstm() -> Program:
    """A quarter of the labels is drawn, so that a sixth of the answers must be wrong."""
    data, module = kitchen.reviews(), ReviewLSTM()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data), trainer)


class DishNet(LightningModule):
    """A small CNN; flipped photos, smoothed labels and one cycle of the rate."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.features = nn.Sequential(
            self.block(3, 16), self.block(16, 32), self.block(32, 64), nn.AdaptiveAvgPool2d(1)
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 4))
        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)

    def block(self, inputs: int, width: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.MaxPool2d(2),
        )  # fmt: skip

    def forward(self, photo: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(2 * photo - 1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        photo, label = batch
        flipped = torch.rand(len(photo), 1, 1, 1, device=photo.device) < 0.5
        loss: Tensor = self.loss_fn(self(torch.where(flipped, photo.flip(3), photo)), label)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", self.loss_fn(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=self.steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def dish_net(epochs: int = 8) -> Program:
    data = kitchen.photos()
    both = loaders(data, 64)
    module = DishNet(epochs * len(both[0]))
    return Program(module, *both, epochs, partial(accuracy, module, data))


class Liked(Dataset[dict[str, int]]):
    """A dish that a guest liked, and another, drawn anew each time."""

    def __init__(self, known: kitchen.Stars) -> None:
        liked = known.stars >= 4
        self.guest, self.dish = known.guest[liked], known.dish[liked]

    def __len__(self) -> int:
        return len(self.guest)

    def __getitem__(self, index: int) -> dict[str, int]:
        other = int(torch.randint(kitchen.DISHES, ()))
        return {"guest": int(self.guest[index]), "liked": int(self.dish[index]), "other": other}


class BPR(LightningModule):
    """Products of vectors and the fame of each dish; liked dishes are to come before others."""

    def __init__(self, factors: int = 16) -> None:
        super().__init__()
        self.guests = nn.Embedding(kitchen.GUESTS, factors)
        self.dishes = nn.Embedding(kitchen.DISHES, factors)
        self.fame = nn.Embedding(kitchen.DISHES, 1)
        nn.init.normal_(self.guests.weight, std=0.1)
        nn.init.normal_(self.dishes.weight, std=0.1)
        nn.init.zeros_(self.fame.weight)

    def forward(self, guest: Tensor, dish: Tensor) -> Tensor:
        product = (self.guests(guest) * self.dishes(dish)).sum(-1)
        score: Tensor = product + self.fame(dish).squeeze(-1)
        return score

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        liked, other = (self(batch["guest"], batch[key]) for key in ("liked", "other"))
        loss = -F.logsigmoid(liked - other).mean()
        self.log("bpr_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.05)


def ranked_dishes() -> Program:
    """Every other drawn dish is liked as well, and the loss stays near where it began."""
    (known, held), module = kitchen.stars(), BPR()
    train = DataLoader(Liked(known), batch_size=64, shuffle=True)

    def auc() -> float:
        module.eval()
        with torch.no_grad():
            score: Tensor = module(held.guest, held.dish)
        liked, others = score[held.stars >= 4], score[held.stars < 4]
        return (liked[:, None] > others).float().mean().item()

    return Program(module, train, None, 12, auc)


class QuantileGRU(LightningModule):
    """Three quantiles of tomorrow's orders, over what is usual for the series."""

    quantiles: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("quantiles", torch.tensor([0.1, 0.5, 0.9]))
        self.gru = nn.GRU(1, 32, num_layers=2, batch_first=True, dropout=0.1)
        self.out = nn.Linear(32, 3)

    def forward(self, orders: Tensor) -> Tensor:
        usual = orders.mean(1, keepdim=True)
        states, _ = self.gru((orders / usual - 1)[..., None])
        found: Tensor = usual * (1 + self.out(states[:, -1]))
        return found

    def pinball(self, batch: list[Tensor]) -> Tensor:
        orders, tomorrow = batch
        error = tomorrow[:, None] - self(orders)
        return torch.maximum(self.quantiles * error, (self.quantiles - 1) * error).sum(1).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = self.pinball(batch)
        self.log("train/pinball", loss)
        return {"loss": loss}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/pinball", self.pinball(batch), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RAdam(self.parameters(), lr=5e-3)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/pinball"},
        }


def quantile_gru() -> Program:
    """Its score is its loss against that of the same day of the week before."""
    data, module = kitchen.evenings(), QuantileGRU()

    def relative_error() -> float:
        error = (outputs(module, data.x_test)[:, 1] - data.y_test).abs().mean()
        return (error / (data.x_test[:, -7] - data.y_test).abs().mean()).item()

    return Program(module, *loaders(data, 64), 25, relative_error)


class FoodVAE(LightningModule):
    """A variational autoencoder of nutrients; the prior's part grows over the first epochs."""

    def __init__(self, latent: int = 8, warm_up: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = mlp([kitchen.NUTRIENTS, 64, 64, 2 * latent], nn.ELU)
        self.decoder = mlp([latent, 64, 64, kitchen.NUTRIENTS], nn.ELU)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x).chunk(2, 1)[0])
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_var).exp()
        rebuilt = F.mse_loss(self.decoder(z), x, reduction="none").sum(1).mean()
        kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1).mean()
        beta = min(1.0, self.current_epoch / self.hparams["warm_up"])
        self.log_dict({"rebuilt": rebuilt, "kl": kl, "beta": beta})
        loss: Tensor = rebuilt + beta * kl
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def food_vae() -> Program:
    """The whole loss rises as the prior's part grows, and three of eight codes go unused."""
    (known, held), module = kitchen.foods(), FoodVAE()
    train = DataLoader(TensorDataset(known), 64, shuffle=True, drop_last=True)

    def explained() -> float:
        return (1 - F.mse_loss(outputs(module, held), held) / held.var()).item()

    return Program(module, train, DataLoader(TensorDataset(held), 200), 30, explained)


class Cancelled(LightningModule):
    """Whether an order will be cancelled; the few that are weigh as much as all others."""

    def __init__(self, pos_weight: float) -> None:
        super().__init__()
        self.net = mlp([15, 64, 64, 1], norm=nn.BatchNorm1d, dropout=0.2)
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.net(x)
        return logit.squeeze(1)

    def shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss(self(x), y.float())
        self.log(f"{stage}_loss", loss)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-2)


def cancelled() -> Program:
    data = kitchen.cancellations()
    share = data.y.float().mean().item()
    module = Cancelled((1 - share) / share)

    def mean_recall() -> float:
        found = outputs(module, data.x_test) > 0
        right = (found == (data.y_test > 0)).float()
        return (right[data.y_test == 1].mean() + right[data.y_test == 0].mean()).item() / 2

    return Program(module, *loaders(data, 128), 12, mean_recall)


def small_chain() -> Program:
    """137 restaurants, half of the units dropped, and a decay that leaves little of the weights."""
    network = mlp([37, 64, 1], nn.GELU, dropout=0.5)
    optimizer = partial(torch.optim.AdamW, lr=3e-3, weight_decay=0.3)
    return regression(
        kitchen.restaurants(), network, optimizer, batch_size=16, epochs=15,
        loss=partial(F.huber_loss, delta=1.5),
    )  # fmt: skip


def minutes() -> Program:
    """Minutes as they are; the last bias begins at their mean, and losses are squares of them."""
    data = kitchen.deliveries()
    network = mlp([8, 64, 64, 1])
    last = network[-1]
    assert isinstance(last, nn.Linear)
    nn.init.constant_(last.bias, data.y.mean().item())
    return regression(data, network, partial(torch.optim.Adam, lr=3e-3), epochs=15)


CASES = (
    Case("deliveries-minutes-from-their-mean", Goal("R2", at_least=0.85), minutes),
    Case("meals-reviews-a-quarter-drawn-at-random", Goal("accuracy", at_least=0.72), review_lstm),
    Case("dishes-photos-one-cycle-smoothed-labels", Goal("accuracy", at_least=0.9), dish_net),
    Case("dishes-liked-before-drawn-ones", Goal("AUC", at_least=0.68), ranked_dishes),
    Case("evenings-quantiles-of-orders", Goal("relative error", at_most=0.85), quantile_gru),
    Case("foods-variational-codes-warmed-up", Goal("explained variance", at_least=0.6), food_vae),
    Case("kitchen-one-order-of-25-cancelled", Goal("mean recall", at_least=0.8), cancelled),
    Case("restaurants-few-strongly-regularized", Goal("R2", at_least=0.35), small_chain),
)  # fmt: skip
