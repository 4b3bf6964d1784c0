"""Pictures of those who asked how to log, resume or freeze, or for two optimizers: it learns."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import helpdesk, samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset


class Named(Dataset[dict[str, Any]]):
    """Rows as dictionaries, as the other library has them."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return {"img": self.x[idx], "target": self.y[idx], "idx": idx}


class SignNet(LightningModule):
    """How do I log the accuracy of each class? The batch is a dict."""

    def __init__(self, num_classes: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.block1 = self.block(3, 16)
        self.block2 = self.block(16, 32)
        self.drop = nn.Dropout(0.3)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(32 * 25, 48), nn.ReLU(), nn.Linear(48, num_classes)
        )

    @staticmethod
    def block(a: int, b: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )  # fmt: skip

    def forward(self, img: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.drop(self.block2(self.block1(img))))
        return out

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        preds = self(batch["img"])
        loss = F.cross_entropy(preds, batch["target"])
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        preds = self(batch["img"])
        self.log("val_loss", F.cross_entropy(preds, batch["target"]))
        right = (preds.argmax(1) == batch["target"]).float()
        for c in range(6):
            of_class = batch["target"] == c
            if of_class.any():
                self.log(f"val_acc_class_{c}", right[of_class].mean())

    def configure_optimizers(self) -> Any:
        opt = torch.optim.Adam(self.parameters(), lr=1e-3)
        sched = torch.optim.lr_scheduler.MultiStepLR(opt, milestones=[7, 9], gamma=0.2)
        return [opt], [sched]


def sign_images() -> Samples:
    """Channels first, and the mean and deviation of each channel taken out."""
    data = helpdesk.signs()
    mean, std = data.x.mean((0, 1, 2)), data.x.std((0, 1, 2))
    x, x_test = ((t - mean) / std for t in (data.x, data.x_test))
    return data.with_inputs(x.permute(0, 3, 1, 2), x_test.permute(0, 3, 1, 2))


def sign_dicts() -> Program:
    data, module = sign_images(), SignNet()
    train = DataLoader(Named(data.x, data.y), batch_size=32, shuffle=True)
    val = DataLoader(Named(data.x_test, data.y_test), batch_size=64)
    return Program(module, train, val, 10, partial(accuracy, module, data))


@dataclass
class PoseBatch:
    """Pictures, joints, and which of them are to be seen."""

    picture: Tensor
    joints: Tensor
    seen: Tensor

    def __len__(self) -> int:
        return len(self.picture)


def pose_collate(rows: list[Any]) -> PoseBatch:
    return PoseBatch(*(torch.stack(column) for column in zip(*rows, strict=True)))


class PoseNet(LightningModule):
    """Two losses, places and whether they are seen: how should I weigh them?"""

    def __init__(self, alpha: float = 0.2) -> None:
        super().__init__()
        self.alpha = alpha
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 64, 96), nn.ReLU(),
        )  # fmt: skip
        self.where, self.whether = nn.Linear(96, 4), nn.Linear(96, 2)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        z = self.trunk(picture)
        return self.where(z).view(-1, 2, 2), self.whether(z)

    def losses(self, batch: PoseBatch) -> tuple[Tensor, Tensor]:
        where, whether = self(batch.picture)
        far = (where - batch.joints).abs().sum(2) * batch.seen
        bce = F.binary_cross_entropy_with_logits(whether, batch.seen)
        return far.sum() / batch.seen.sum().clamp(min=1), bce

    def training_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:
        place, seen = self.losses(batch)
        self.log_dict({"place": place, "seen": seen}, batch_size=len(batch))
        return place + self.alpha * seen

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> None:
        place, seen = self.losses(batch)
        self.log("val_total", place + self.alpha * seen, batch_size=len(batch))
        self.log("val_place", place, batch_size=len(batch))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        return [opt], [torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=12)]


def poses() -> Program:
    train, test = helpdesk.poses()
    module = PoseNet()

    def score() -> float:
        """Mean distance of the joints that are seen."""
        module.eval()
        with torch.no_grad():
            where, _ = module(test.picture)
        far = (where - test.joints).norm(dim=2)
        return (far[test.seen > 0]).mean().item()

    a, b = TensorDataset(*train), TensorDataset(*test)
    first = DataLoader(a, batch_size=32, shuffle=True, collate_fn=pose_collate)
    second = DataLoader(b, batch_size=100, collate_fn=pose_collate)
    return Program(module, first, second, 12, score)


class Probe(LightningModule):
    """Only the head has requires_grad: is a frozen encoder wrong if the encoder is a good one?"""

    def __init__(self, encoder: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        for p in self.encoder.parameters():
            p.requires_grad = False
        self.linear = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        self.encoder.eval()
        with torch.no_grad():
            z = self.encoder(x)
        return self.linear(z)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("probe_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("probe_val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.linear.parameters(), lr=1e-2)


def probe() -> Program:
    """The encoder was trained to tell seven halves of the digits from the others."""
    data = samples.digits()
    encoder = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 32), nn.ReLU())
    head = nn.Linear(32, 7)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=3e-3)
    halves = ("06893", "13579", "56789", "02356", "14780", "24569", "01259")
    table = torch.tensor([[float(str(d) in half) for half in halves] for d in range(10)])
    train, val = loaders(data, 32)
    for _ in range(8):
        for x, y in train:
            loss = F.binary_cross_entropy_with_logits(head(encoder(x)), table[y])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module = Probe(encoder, 32, 10)
    return Program(module, train, val, 12, partial(accuracy, module, data))


class TinyUNet(LightningModule):
    """BCE and dice together; how do I log both and monitor one?"""

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.e1, self.e2 = self.twice(1, 12), self.twice(12, 24)
        self.up = nn.ConvTranspose2d(24, 12, 2, stride=2)
        self.d1 = self.twice(24, 12)
        self.last = nn.Conv2d(12, 1, 1)

    @staticmethod
    def twice(i: int, o: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1), nn.InstanceNorm2d(o, affine=True), nn.LeakyReLU(0.01),
            nn.Conv2d(o, o, 3, padding=1), nn.InstanceNorm2d(o, affine=True), nn.LeakyReLU(0.01),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        a = self.e1(x)
        b = self.up(self.e2(F.max_pool2d(a, 2)))
        return self.last(self.d1(torch.cat([a, b], 1)))  # type: ignore[no-any-return]

    def parts(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = self(batch[0])
        p, t = logits.sigmoid().flatten(1), batch[1].flatten(1)
        dice = 1 - ((2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()
        return F.binary_cross_entropy_with_logits(logits, batch[1]), dice

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        bce, dice = self.parts(batch)
        self.log("train_bce", bce)
        self.log("train_dice", dice)
        return bce + dice

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        bce, dice = self.parts(batch)
        self.log("val_loss", bce + dice, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def dice_of(module: LightningModule, data: Samples) -> float:
    found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return (2 * (found & true).sum() / (found.sum() + true.sum()).clamp(min=1)).item()


def unet() -> Program:
    data, module = helpdesk.cells(), TinyUNet(2e-3)
    x, x_test = (data.x - 0.42) / 0.155, (data.x_test - 0.42) / 0.155
    data = data.with_inputs(x, x_test)
    return Program(module, *loaders(data, 14), 14, partial(dice_of, module, data))


class Rows(IterableDataset[tuple[Tensor, Tensor]]):
    """Shots of a game, made up as they are asked for; the length is not known."""

    def __init__(self, data: Samples) -> None:
        self.data = data

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            i = int(torch.randint(len(self.data.y), ()))
            yield self.data.x[i] + 0.02 * torch.randn(64), self.data.y[i]


class Streamed(LightningModule):
    """IterableDataset without __len__: limit_train_batches and the progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(64, 100), nn.Linear(100, 10)
        self.act = nn.Hardswish()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = nn.functional.cross_entropy(self(x), y)
        self.log("stream_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def streamed() -> Program:
    data, module = samples.digits(), Streamed()
    train = DataLoader(Rows(data), batch_size=50)
    trainer = {"limit_train_batches": 60}
    return Program(module, train, None, 10, partial(accuracy, module, data), trainer)


CASES = (
    Case("signs-as-dictionaries-class-by-class", Goal("accuracy", at_least=0.9), sign_dicts),
    Case("joints-places-and-whether-seen", Goal("mean distance", at_most=0.3), poses),
    Case("digits-probe-on-a-borrowed-encoder", Goal("accuracy", at_least=0.9), probe),
    Case("cells-two-losses-logged-apart", Goal("dice", at_least=0.8), unet),
    Case("digits-of-a-stream-without-length", Goal("accuracy", at_least=0.93), streamed),
)  # fmt: skip
