"""Networks in good order on finds; some of them look odd."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import excavation as finds
from data_sets.samples import digits, loaders, standardized, wine
from lightning.pytorch import LightningModule
from modules import LitClassifier, adam, mlp, sgd
from programs import classification
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class AddedLayers(nn.Module):
    """Blocks beside skips, each of which adds nothing at first."""

    def __init__(self, inputs: int, width: int = 48, blocks: int = 10) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, 1)
        bodies = [mlp([width] * 3) for _ in range(blocks)]
        for body in bodies:
            for parameter in body[-1].parameters():
                nn.init.zeros_(parameter)
        self.blocks = nn.ModuleList(bodies)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(F.relu(x))
        found: Tensor = self.last(F.relu(x))
        return found.squeeze(1)


class HardnessRegressor(LightningModule):
    """Batches as dictionaries, Huber's loss and one cycle of momentum."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.net, self.steps = AddedLayers(8), steps

    def forward(self, readings: Tensor) -> Tensor:
        found: Tensor = self.net(readings)
        return found

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.huber_loss(self(batch["readings"]), batch["hardness"])
        self.log("train/huber", loss)
        return {"loss": loss}

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        error = self(batch["readings"]) - batch["hardness"]
        self.log("val/mae", error.abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, self.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def named(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    readings, hardness = (torch.stack(column) for column in zip(*rows, strict=True))
    return {"readings": readings, "hardness": hardness}


def hardness(epochs: int = 25) -> Program:
    data = finds.kilns()
    both = loaders(data, 32, collate_fn=named)
    train, test = (DataLoader(one.dataset, 32, one is both[0], collate_fn=named) for one in both)
    module = HardnessRegressor(epochs * len(train))
    return Program(module, train, test, epochs, partial(r2, module, data))


class SubjectGRU(nn.Module):
    """A GRU of orthogonal weights read both ways; its last layer begins with zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(finds.WORDS, 32)
        self.gru = nn.GRU(32, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, finds.SUBJECTS)
        for name, parameter in self.gru.named_parameters():
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(parameter)
        nn.init.zeros_(self.head.weight)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.gru(self.embedding(words))
        logits: Tensor = self.head(states.amax(1))
        return logits


def reader() -> Program:
    """Plain descent at a rate of one, as for language models of old, with clipped gradients."""
    return classification(
        finds.inscriptions(), SubjectGRU(), sgd(1.0), batch_size=32, epochs=25,
        trainer={"gradient_clip_val": 0.5},
    )  # fmt: skip


def sherds() -> Program:
    """Raw counts of elements; a norm before the first layer brings them to one scale."""
    network = nn.Sequential(nn.BatchNorm1d(10), *mlp([10, 48, 24, finds.CLAYS], nn.Tanh).children())
    return classification(finds.clays(), network, adam(3e-3), batch_size=64, epochs=25)


class PeriodShares(LightningModule):
    """Cross-entropy with the experts' shares; their entropy stays in the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([12, 64, 5], nn.SiLU)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("ce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_ce", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)


def periods() -> Program:
    data, module = finds.votes(), PeriodShares()

    def score() -> float:
        own = outputs(module, data.x_test).log_softmax(1)
        return F.kl_div(own, data.y_test, reduction="batchmean").item()

    return Program(module, *loaders(data, 32), 25, score)


def le_net(classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 12, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, classes),
    )  # fmt: skip


def generalised(logits: Tensor, y: Tensor, q: float = 0.7) -> Tensor:
    """Between cross-entropy and the absolute error; wrong labels weigh less."""
    given = logits.softmax(1).gather(1, y[:, None])
    return ((1 - given**q) / q).mean()


def wrong_labels() -> Program:
    """Four labels in ten are drawn by chance; what is measured on has the true ones."""
    data = finds.coins(count=3000, wrong=0.4)
    return classification(
        data, le_net(finds.MARKS), adam(1e-3), batch_size=64, epochs=10, criterion=generalised
    )


class ScarFilters(LightningModule):
    """Convolutions along the rings and one logit; few have a scar, but it is deep."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.Conv1d(16, 16, 5, padding=2), nn.ReLU()
        )
        self.out = nn.Linear(16, 1)

    def forward(self, widths: Tensor) -> Tensor:
        logit: Tensor = self.out(self.filters(widths.mT).amax(2))
        return logit

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logit = self(batch[0]).squeeze(1)
        self.log("train_acc", ((logit > 0) == batch[1]).float().mean())
        return F.binary_cross_entropy_with_logits(logit, batch[1].float())

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0]).squeeze(1) > 0
        hit = (found & (batch[1] == 1)).sum() / batch[1].sum().clamp(min=1)
        self.log_dict({"val_acc": (found == batch[1]).float().mean(), "val_recall": hit})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def deep_scars() -> Program:
    data, module = finds.rings(depth=2.2), ScarFilters()
    return Program(module, *loaders(data, 64), 14, partial(balanced_accuracy, module, data))


def few_wines() -> Program:
    """Forty wines, of which half of each layer is dropped; no validation."""
    data = standardized(wine().first(40))
    network = mlp([13, 64, 64, 3], dropout=0.5)
    module = LitClassifier(network, partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.1))
    return Program(module, loaders(data, 8)[0], None, 50, partial(accuracy, module, data))


def vgg() -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32)):
        for entering in (before, after):
            layers += [nn.Conv2d(entering, after, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Dropout(), nn.Linear(512, 64), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*layers, *head, nn.Linear(64, finds.MARKS))


def dropped_coins() -> Program:
    """Half of the last two layers' inputs are dropped: the training's loss is above the other."""
    optimizer = sgd(0.03, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=500)
    return classification(
        finds.coins(), vgg(), optimizer, batch_size=64, epochs=25, scheduler=schedule
    )


class Block(nn.Module):
    """Two convolutions with norms beside a skip."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.skip = nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.skip(x))


def coins_by_eights() -> Program:
    """A small ResNet with batch norms; eight coins to a batch are enough for them."""
    network = nn.Sequential(
        Block(1, 12, 2), Block(12, 24, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(24, finds.MARKS),
    )  # fmt: skip
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    return classification(
        finds.coins(), network, adam(1e-3), batch_size=8, epochs=8, criterion=criterion
    )


class CatalogueReader(nn.Module):
    """A transformer over entries, whose keys have fixed vectors that are not to be learnt."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.keys = nn.Embedding(finds.KEYS, width).requires_grad_(False)
        self.kinds = nn.Embedding(5, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 64, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        states = self.encoder(self.keys(x[..., 0]) + self.kinds(x[..., 1]))
        logits: Tensor = self.head(states[:, -1])
        return logits


def lookup() -> Program:
    """Little is learnt at first; warmed up and clipped."""
    schedule = partial(torch.optim.lr_scheduler.LinearLR, start_factor=0.02, total_iters=100)
    return classification(
        finds.catalogue(), CatalogueReader(), adam(2e-3), batch_size=32, epochs=20,
        scheduler=schedule, trainer={"gradient_clip_val": 1.0},
    )  # fmt: skip


class LinearCodes(LightningModule):
    """Two linear layers without an activation, which find the space of principal components."""

    def __init__(self, codes: int = 20) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(64, codes), nn.Linear(codes, 64)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(x))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[0])
        self.log("mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def components() -> Program:
    data, module = digits(), LinearCodes()
    shown = data._replace(y_test=data.x_test)
    return Program(module, loaders(data, 128)[0], None, 50, partial(r2, module, shown))


CASES = (
    Case("kilns-ten-added-blocks-from-nothing", Goal("R2", at_least=0.88), hardness),
    Case("inscriptions-rate-of-one-clipped", Goal("accuracy", at_least=0.85), reader),
    Case("sherds-counts-through-a-first-norm", Goal("accuracy", at_least=0.9), sherds),
    Case("vessels-periods-by-shares-of-experts", Goal("divergence", at_most=0.12), periods),
    Case("coins-four-labels-in-ten-by-chance", Goal("accuracy", at_least=0.85), wrong_labels),
    Case("tree-rings-few-scars-but-deep", Goal("balanced accuracy", at_least=0.8), deep_scars),
    Case("wines-forty-half-dropped", Goal("accuracy", at_least=0.9), few_wines),
    Case("coins-small-vgg-half-dropped", Goal("accuracy", at_least=0.85), dropped_coins),
    Case("coins-small-res-net-by-eights", Goal("accuracy", at_least=0.9), coins_by_eights),
    Case("catalogue-keys-of-fixed-vectors", Goal("accuracy", at_least=0.85), lookup),
    Case("digits-linear-codes-as-components", Goal("R2", at_least=0.75), components),
)
