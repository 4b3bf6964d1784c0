"""Code of those who asked how to log, to resume, to freeze or to use two optimizers: it learns."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import helpdesk, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
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


class TwoOptimizers(LightningModule):
    """Two optimizers in Lightning 2: one for the convolutions and one for the head."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(
            nn.Conv1d(6, 24, 5, stride=2), nn.GroupNorm(4, 24), nn.SiLU(),
            nn.Conv1d(24, 48, 5, stride=2), nn.GroupNorm(4, 48), nn.SiLU(),
        )  # fmt: skip
        self.head = nn.Linear(48, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(
            F.dropout(self.encoder(x.transpose(1, 2)).mean(-1), 0.2, self.training)
        )
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        opt_enc, opt_head = self.optimizers()  # type: ignore[attr-defined]
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        opt_enc.zero_grad()
        opt_head.zero_grad()
        self.manual_backward(loss)
        opt_enc.step()
        opt_head.step()
        self.log("loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log_dict(
            {"v_loss": F.cross_entropy(out, y), "v_acc": (out.argmax(1) == y).float().mean()}
        )

    def configure_optimizers(self) -> Any:
        enc = torch.optim.AdamW(self.encoder.parameters(), lr=2e-3, weight_decay=1e-2)
        head = torch.optim.SGD(self.head.parameters(), lr=0.05, momentum=0.9)
        return enc, head


def two_optimizers() -> Program:
    data, module = helpdesk.gestures(), TwoOptimizers()
    return Program(module, *loaders(data, 25), 8, partial(accuracy, module, data))


class RentModel(LightningModule):
    """Two validation loaders: how do I tell their losses apart? Plateau on the first of them."""

    def __init__(self, lr: float = 4e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.mlp = nn.Sequential(
            nn.Linear(5, 96), nn.GELU(), nn.Linear(96, 48), nn.GELU(), nn.Linear(48, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        name = ("near", "far")[dataloader_idx]
        found = self(batch[0])
        loss = F.huber_loss(found, batch[1])
        self.log(f"val/{name}_huber", loss, add_dataloader_idx=False)
        self.log(f"val/{name}_mae", F.l1_loss(found, batch[1]), add_dataloader_idx=False)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/near_huber"},
        }


def flat_data() -> Samples:
    """The skewed columns as logarithms, then all standardized, and so are the prices."""
    data = helpdesk.flats()
    x, x_test = data.x.clone(), data.x_test.clone()
    x[:, [0, 3]], x_test[:, [0, 3]] = x[:, [0, 3]].log(), x_test[:, [0, 3]].log()
    return scaled_targets(standardized(data.with_inputs(x, x_test)))


def two_loaders() -> Program:
    data, module = flat_data(), RentModel()
    near = data.x_test[:, 3] < 0
    val = [
        DataLoader(TensorDataset(data.x_test[part], data.y_test[part]), batch_size=128)
        for part in (near, ~near)
    ]
    train = loaders(data, 48)[0]
    return Program(module, train, val, 25, partial(r2, module, data))


class SimilarLengths:
    """Batches of texts of similar lengths, in any order."""

    def __init__(self, lengths: Tensor, batch_size: int) -> None:
        self.lengths, self.batch_size = lengths, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        noisy = self.lengths + torch.rand(len(self.lengths)) * 3
        chunks = noisy.argsort().split(self.batch_size)
        for i in torch.randperm(len(chunks)).tolist():
            yield chunks[i].tolist()


class ReviewGRU(LightningModule):
    """My own batch_sampler groups texts of similar lengths; it is only asked if that is allowed."""

    def __init__(self, vocab: int, emb: int = 32, hid: int = 40) -> None:
        super().__init__()
        self.emb = nn.Embedding(vocab, emb, padding_idx=helpdesk.PAD)
        self.gru = nn.GRU(emb, hid, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.4)
        self.out = nn.Linear(2 * hid, 1)

    def forward(self, tok: Tensor) -> Tensor:
        states, _ = self.gru(self.drop(self.emb(tok)))
        states = states.masked_fill((tok == helpdesk.PAD)[..., None], -1e4)
        return self.out(self.drop(states.amax(1))).squeeze(-1)  # type: ignore[no-any-return]

    def shared_step(self, batch: list[Tensor], name: str) -> Tensor:
        logit = self(batch[0])
        loss = F.binary_cross_entropy_with_logits(logit, batch[1].float())
        self.log(f"{name}_bce", loss, prog_bar=True, batch_size=len(logit))
        hit = ((logit > 0).long() == batch[1]).float().mean()
        self.log(f"{name}_hit", hit, batch_size=len(logit))
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "tr")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "va")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def bucketed() -> Program:
    data = helpdesk.reviews()
    module = ReviewGRU(helpdesk.WORDS)
    sampler = SimilarLengths((data.x != helpdesk.PAD).sum(1).float(), 40)
    rows = TensorDataset(data.x, data.y)
    train: DataLoader[Any] = DataLoader(rows, batch_sampler=sampler)
    val = loaders(data, 40)[1]

    def score() -> float:
        return ((outputs(module, data.x_test) > 0).long() == data.y_test).float().mean().item()

    return Program(module, train, val, 9, score)


class Accumulated(LightningModule):
    """accumulate_grad_batches=6: is train_loss that of one batch or of six?"""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(192, 80), nn.Linear(80, 40), nn.Linear(40, 5)
        self.ln1, self.ln2 = nn.LayerNorm(80), nn.LayerNorm(40)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.ln1(self.l1(x.flatten(1))))
        x = F.dropout(x, 0.5, self.training)
        x = F.leaky_relu(self.ln2(self.l2(x)))
        return self.l3(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1.5e-3, weight_decay=0.05)


def clip_data() -> Samples:
    """Decibels to about -1.5 and 3."""
    data = helpdesk.clips()
    return data.with_inputs((data.x + 56) / 17, (data.x_test + 56) / 17)


def accumulated() -> Program:
    data, module = clip_data(), Accumulated()
    trainer = {"accumulate_grad_batches": 6}
    both = loaders(data, 8)
    return Program(module, *both, 8, partial(accuracy, module, data), trainer)


class Cooled(LightningModule):
    """A network of a file, trained on; the loss begins where it had been. Should I worry?"""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.body = network_of_hills()
        self.body.load_state_dict(state)
        self.lossfn = nn.MSELoss()

    def forward(self, xy: Tensor) -> Tensor:
        return self.body(xy).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        xy, h = batch
        loss: Tensor = self.lossfn(self(xy), h)
        self.log("mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        xy, h = batch
        self.log("val_mse", self.lossfn(self(xy), h))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def network_of_hills() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, 72), nn.SiLU(), nn.Linear(72, 72), nn.SiLU(), nn.Linear(72, 1)
    )


def resumed() -> Program:
    """The first twelve epochs were made before, in a plain loop."""
    data = helpdesk.hills()
    net = network_of_hills()
    optimizer = torch.optim.Adam(net.parameters(), lr=6e-3)
    train, val = loaders(data, 25)
    for _ in range(14):
        for x, y in train:
            loss = F.mse_loss(net(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module = Cooled(net.state_dict())
    return Program(module, train, val, 10, partial(r2, module, data))


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


class WithEma(LightningModule):
    """EMA without a callback: the copy is moved in on_train_batch_end, and validated."""

    def __init__(self, decay: float = 0.97) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(24 * 6 * 4, 48), nn.ReLU(), nn.Linear(48, 5),
        )  # fmt: skip
        self.ema_net = copy.deepcopy(self.net).requires_grad_(False)
        self.decay = decay

    def forward(self, x: Tensor) -> Tensor:
        net = self.net if self.training else self.ema_net
        return net(x.unsqueeze(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/ce", loss)
        return {"loss": loss}

    def on_train_batch_end(self, *args: Any) -> None:
        with torch.no_grad():
            pairs = zip(self.ema_net.parameters(), self.net.parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1 - self.decay)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        out = self(batch[0])
        self.log("ema/ce", F.cross_entropy(out, batch[1]))
        self.log("ema/acc", (out.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.net.parameters(), lr=1e-3)


def ema() -> Program:
    data, module = clip_data(), WithEma()
    return Program(module, *loaders(data, 32), 6, partial(accuracy, module, data))


class ManualGru(LightningModule):
    """Manual optimization: where do I clip, and where do I step the scheduler?"""

    def __init__(self, total_steps: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.total_steps = total_steps
        self.rnn = nn.GRU(5, 48, num_layers=2, batch_first=True, dropout=0.1)
        self.proj = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        _, h = self.rnn(x)
        return self.proj(h[-1])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        opt, sch = self.optimizers(), self.lr_schedulers()
        loss = F.mse_loss(self(x), y)
        opt.zero_grad()  # type: ignore[union-attr]
        self.manual_backward(loss)
        self.clip_gradients(opt, gradient_clip_val=1.0, gradient_clip_algorithm="norm")  # type: ignore[arg-type]
        opt.step()  # type: ignore[union-attr]
        sch.step()  # type: ignore
        self.log("train_mse", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("val_mse", F.mse_loss(out, y))
        self.log("val_last_hour", F.l1_loss(out[:, -1], y[:, -1]))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [opt], [torch.optim.lr_scheduler.OneCycleLR(opt, 3e-3, self.total_steps)]


def manual_gru() -> Program:
    data = helpdesk.air()
    train, val = loaders(data, 36)
    module = ManualGru(8 * len(train))
    return Program(module, train, val, 8, partial(r2, module, data))


class Suggested(LightningModule):
    """The rate is what lr_find suggested; it looks large to me (0.06), but the loss falls."""

    def __init__(self, learning_rate: float = 0.06) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = nn.Sequential(
            nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2)
        )
        self.register_buffer("class_weights", torch.tensor([0.53, 6.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1], weight=self.class_weights)  # type: ignore[arg-type]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.step(batch)
        self.log("train_loss_weighted", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss_weighted", self.step(batch))
        found = self(batch[0]).argmax(1)
        if (batch[1] == 1).any():
            self.log("val_recall", found[batch[1] == 1].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)


def suggested() -> Program:
    data, module = helpdesk.transfers(), Suggested()
    both = loaders(data, 128)
    return Program(module, *both, 20, partial(balanced_accuracy, module, data))


class VAE(LightningModule):
    """How do I warm up beta with global_step? Broken pumps are those that are coded badly."""

    def __init__(self, latent: int = 6, warmup: int = 150) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(18, 48), nn.ELU(), nn.Linear(48, 2 * latent))
        self.dec = nn.Sequential(nn.Linear(latent, 48), nn.ELU(), nn.Linear(48, 18))
        self.warmup = warmup

    def forward(self, x: Tensor) -> Tensor:
        mu, _ = self.enc(x).chunk(2, 1)
        return self.dec(mu)  # type: ignore[no-any-return]

    def elbo(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.enc(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        rec = 0.5 * (self.dec(z) - x).square().sum(1).mean() / 0.15
        kl = 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1).mean()
        return rec, kl

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        rec, kl = self.elbo(batch[0])
        beta = min(1.0, self.global_step / self.warmup)
        self.log_dict({"rec": rec, "kl": kl, "beta": beta})
        return rec + beta * kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        rec, kl = self.elbo(batch[0])
        self.log("val_rec", rec)
        self.log("val_kl", kl)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def auc(values: Tensor, labels: Tensor) -> float:
    """Chance that one of class 1 is above one of class 0."""
    above = values[labels == 1][:, None] > values[labels == 0][None]
    return above.float().mean().item()


def vae() -> Program:
    data, module = helpdesk.pumps(), VAE()
    whole = data.x_test[data.y_test == 0]
    val = DataLoader(TensorDataset(whole), batch_size=250)

    def score() -> float:
        errors = (outputs(module, data.x_test) - data.x_test).square().mean(1)
        return auc(errors, data.y_test)

    train = DataLoader(TensorDataset(data.x), batch_size=45, shuffle=True)
    return Program(module, train, val, 20, score)


class TwoTowers(LightningModule):
    """In-batch negatives; why does the loss begin at log(batch_size)?"""

    def __init__(self, tau: float = 0.1) -> None:
        super().__init__()
        self.image_tower = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 24))
        self.text_tower = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 24))
        self.tau = tau

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        a = F.normalize(self.image_tower(image), dim=-1)
        b = F.normalize(self.text_tower(text), dim=-1)
        return a @ b.T / self.tau

    def both_ways(self, batch: list[Tensor]) -> Tensor:
        scores = self(*batch)
        labels = torch.arange(len(scores), device=scores.device)
        return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.both_ways(batch)
        self.log("nce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nce", self.both_ways(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.1)


def towers() -> Program:
    data, module = helpdesk.recipes(), TwoTowers()
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=80, shuffle=True, drop_last=True)
    val = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=80, drop_last=True)

    def recall() -> float:
        """Share of the dishes whose text is among the ten nearest of 720."""
        module.eval()
        with torch.no_grad():
            scores = module(data.x_test, data.y_test)
        own = scores.diagonal()[:, None]
        return ((scores > own).sum(1) < 10).float().mean().item()

    return Program(module, train, val, 20, recall)


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


class PosTagger(LightningModule):
    """ignore_index for the padding: do I still have to pack?"""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(81, 40, padding_idx=0)
        self.lstm = nn.LSTM(40, 32, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(64, 4)
        self.loss_function = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, sentence: Tensor) -> Tensor:
        embeds = F.dropout(self.word_embeddings(sentence), 0.2, self.training)
        tag_space: Tensor = self.hidden2tag(self.lstm(embeds)[0])
        return tag_space

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sentence, tags = batch
        loss: Tensor = self.loss_function(self(sentence).permute(0, 2, 1), tags)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        sentence, tags = batch
        scores = self(sentence)
        self.log("loss_val", self.loss_function(scores.permute(0, 2, 1), tags))
        inside = tags >= 0
        self.log("token_acc", (scores.argmax(-1) == tags)[inside].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def token_accuracy(module: LightningModule, data: Samples) -> float:
    found, inside = outputs(module, data.x_test).argmax(-1), data.y_test >= 0
    return (found == data.y_test)[inside].float().mean().item()


def pos_tagger() -> Program:
    data, module = helpdesk.phrases(), PosTagger()
    return Program(module, *loaders(data, 28), 6, partial(token_accuracy, module, data))


class Skills(LightningModule):
    """Six yes-or-no answers: I collect the outputs in a list until on_validation_epoch_end."""

    def __init__(self) -> None:
        super().__init__()
        self.validation_outputs: list[tuple[Tensor, Tensor]] = []
        self.model = nn.Sequential(
            nn.Linear(14, 56), nn.BatchNorm1d(56), nn.PReLU(), nn.Dropout(0.25),
            nn.Linear(56, 28), nn.BatchNorm1d(28), nn.PReLU(), nn.Linear(28, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.multilabel_soft_margin_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.validation_outputs.append((self(x), y))

    def on_validation_epoch_end(self) -> None:
        logits, y = (torch.cat(t) for t in zip(*self.validation_outputs, strict=True))
        self.log("val_loss", F.multilabel_soft_margin_loss(logits, y))
        found = logits > 0
        f1 = 2 * (found * y).sum() / (found.sum() + y.sum()).clamp(min=1)
        self.log("val_micro_f1", f1, prog_bar=True)
        self.validation_outputs.clear()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def skills() -> Program:
    data, module = helpdesk.jobs(), Skills()

    def micro_f1() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return (2 * (found & true).sum() / (found.sum() + true.sum())).item()

    return Program(module, *loaders(data, 22), 14, micro_f1)


class Seq2Seq(LightningModule):
    """Four hours, one after another, the true one fed half of the time. How do I predict?"""

    def __init__(self, hidden: int = 40, teacher: float = 0.5) -> None:
        super().__init__()
        self.teacher = teacher
        self.encoder = nn.LSTM(5, hidden, batch_first=True)
        self.cell = nn.LSTMCell(1, hidden)
        self.readout = nn.Linear(hidden, 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        _, (h, c) = self.encoder(x)
        h, c, last = h[0], c[0], x[:, -1, :1]
        found = []
        for t in range(4):
            h, c = self.cell(last, (h, c))
            out = last + self.readout(h)
            found.append(out)
            forced = y is not None and torch.rand(1).item() < self.teacher
            last = y[:, t : t + 1] if forced else out  # type: ignore[index]
        return torch.cat(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.smooth_l1_loss(self(x, y), y)
        self.log("tf_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("free_loss", F.smooth_l1_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def seq2seq() -> Program:
    data, module = helpdesk.air(), Seq2Seq()
    both = loaders(data, 60)
    trainer = {"gradient_clip_val": 0.7}
    return Program(module, *both, 12, partial(r2, module, data), trainer)


class WatchTransformer(LightningModule):
    """interval="step" and a lambda: is the rate of the first step really zero?"""

    def __init__(self, warmup: int, steps: int, dim: int = 32) -> None:
        super().__init__()
        self.warmup, self.steps = warmup, steps
        self.embed = nn.Conv1d(6, dim, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(0.02 * torch.randn(1, 13, dim))
        layer = nn.TransformerEncoderLayer(
            dim, 4, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.tf = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.fc = nn.LayerNorm(dim), nn.Linear(dim, 5)

    def forward(self, x: Tensor) -> Tensor:
        z = self.embed(x.transpose(1, 2)).transpose(1, 2)
        z = torch.cat([self.cls.expand(len(z), -1, -1), z], 1) + self.pos
        return self.fc(self.norm(self.tf(z)[:, 0]))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=0.05)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        out = self(x)
        self.log("val/loss", F.cross_entropy(out, y))
        self.log("val/acc", (out.argmax(-1) == y).float().mean())

    def rate(self, step: int) -> float:
        if step < self.warmup:
            return step / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        sched = torch.optim.lr_scheduler.LambdaLR(opt, self.rate)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": sched, "interval": "step"}}


def watch_transformer() -> Program:
    data = helpdesk.gestures()
    train, val = loaders(data, 30)
    module = WatchTransformer(len(train), 14 * len(train))
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, train, val, 14, partial(accuracy, module, data), trainer)


class Quantiles(LightningModule):
    """Three quantiles at once; why is the loss not the mean absolute error?"""

    def __init__(self, qs: tuple[float, ...] = (0.1, 0.5, 0.9)) -> None:
        super().__init__()
        self.register_buffer("qs", torch.tensor(qs))
        self.net = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, len(qs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def pinball(self, batch: list[Tensor]) -> Tensor:
        diff = batch[1][:, None] - self(batch[0])
        return torch.maximum(self.qs * diff, (self.qs - 1) * diff).mean()  # type: ignore

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [opt], [torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)]


def quantiles() -> Program:
    data, module = flat_data(), Quantiles()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 20, score)


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


class Distilled(LightningModule):
    """The teacher sits in the module: will its weights end up in my checkpoint?"""

    def __init__(self, teacher: nn.Module, temperature: float = 2.0) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)
        self.student = nn.Sequential(nn.Flatten(), nn.Linear(192, 24), nn.ReLU(), nn.Linear(24, 5))
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        return self.student(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        out, t = self(x), self.temperature
        with torch.no_grad():
            soft = F.softmax(self.teacher(x) / t, 1)
        kd = F.kl_div(F.log_softmax(out / t, 1), soft, reduction="batchmean") * t**2
        ce = F.cross_entropy(out, y)
        self.log_dict({"kd": kd, "ce": ce}, prog_bar=True)
        return 0.7 * kd + 0.3 * ce

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("student_val_ce", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.student.parameters(), lr=0.03, momentum=0.9, nesterov=True)


def distilled() -> Program:
    data = clip_data()
    teacher = nn.Sequential(
        nn.Unflatten(1, (1, 16)), nn.Conv2d(1, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(20 * 48, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 5),
    )  # fmt: skip
    train, val = loaders(data, 32)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-3)
    for _ in range(6):
        for x, y in train:
            optimizer.zero_grad()
            F.cross_entropy(teacher(x), y).backward()
            optimizer.step()
    module = Distilled(teacher)
    return Program(module, train, val, 8, partial(accuracy, module, data))


class Ranker(LightningModule):
    """MarginRankingLoss with targets of one: which of two flats is dearer, of 3000 pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = nn.Sequential(
            nn.Linear(5, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1)
        )
        self.crit = nn.MarginRankingLoss(margin=0.5)

    def forward(self, flat: Tensor) -> Tensor:
        return self.scorer(flat).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        dear, cheap = batch
        loss: Tensor = self.crit(self(dear), self(cheap), torch.ones(len(dear)))
        self.log("hinge", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        dear, cheap = self(batch[0]), self(batch[1])
        self.log("val_hinge", self.crit(dear, cheap, torch.ones(len(dear))))
        self.log("val_in_order", (dear > cheap).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pairs_of(x: Tensor, y: Tensor, count: int, seed: int) -> list[Tensor]:
    """Dearer ones and cheaper ones."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(len(y), (2, count), generator=generator)
    dearer = y[a] > y[b]
    return [x[torch.where(dearer, a, b)], x[torch.where(dearer, b, a)]]


def ranker() -> Program:
    data, module = flat_data(), Ranker()
    train = pairs_of(data.x, data.y, 3000, 11)
    dear, cheap = pairs_of(data.x_test, data.y_test, 1000, 12)

    def in_order() -> float:
        return (outputs(module, dear) > outputs(module, cheap)).float().mean().item()

    first = DataLoader(TensorDataset(*train), batch_size=50, shuffle=True)
    second = DataLoader(TensorDataset(dear, cheap), batch_size=250)
    return Program(module, first, second, 10, in_order)


class Logistic(LightningModule):
    """LBFGS needs a closure; is that right with automatic optimization?"""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__()
        self.linear = nn.Linear(13, 3)
        self.l2 = l2

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nll = F.cross_entropy(self(batch[0]), batch[1])
        loss = nll + self.l2 * self.linear.weight.square().sum()
        self.log("objective", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("heldout_nll", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(self.parameters(), lr=0.5, max_iter=10)


def logistic() -> Program:
    data, module = standardized(samples.wine()), Logistic()
    return Program(module, *loaders(data, 200), 5, partial(accuracy, module, data))


CASES = (
    Case("signs-as-dictionaries-class-by-class", Goal("accuracy", at_least=0.9), sign_dicts),
    Case("wrists-an-optimizer-for-each-half", Goal("accuracy", at_least=0.85), two_optimizers),
    Case("rents-validated-near-and-far", Goal("R2", at_least=0.85), two_loaders),
    Case("opinions-batched-by-similar-lengths", Goal("accuracy", at_least=0.75), bucketed),
    Case("commands-six-batches-to-a-step", Goal("accuracy", at_least=0.85), accumulated),
    Case("hills-gone-on-with-from-a-file", Goal("R2", at_least=0.9), resumed),
    Case("joints-places-and-whether-seen", Goal("mean distance", at_most=0.3), poses),
    Case("digits-probe-on-a-borrowed-encoder", Goal("accuracy", at_least=0.9), probe),
    Case("commands-validated-by-a-slow-copy", Goal("accuracy", at_least=0.85), ema),
    Case("dust-clipped-and-cycled-by-hand", Goal("R2", at_least=0.7), manual_gru),
    Case("transfers-at-the-suggested-rate", Goal("balanced accuracy", at_least=0.75), suggested),
    Case("pumps-beta-by-global-step", Goal("AUC", at_least=0.85), vae),
    Case("dishes-found-among-the-batch", Goal("recall at 10", at_least=0.6), towers),
    Case("cells-two-losses-logged-apart", Goal("dice", at_least=0.8), unet),
    Case("phrases-padding-ignored-by-index", Goal("token accuracy", at_least=0.85), pos_tagger),
    Case("adverts-skills-gathered-until-the-end", Goal("micro F1", at_least=0.75), skills),
    Case("dust-own-forecasts-fed-half-the-time", Goal("R2", at_least=0.7), seq2seq),
    Case("wrists-cut-in-twelve-and-asked", Goal("accuracy", at_least=0.8), watch_transformer),
    Case("rents-low-middle-and-high", Goal("pinball", at_most=0.12), quantiles),
    Case("digits-of-a-stream-without-length", Goal("accuracy", at_least=0.93), streamed),
    Case("commands-taught-by-a-larger-net", Goal("accuracy", at_least=0.85), distilled),
    Case("rents-dearer-one-of-two", Goal("pairs in order", at_least=0.88), ranker),
    Case("wine-closure-of-a-quasi-newton", Goal("accuracy", at_least=0.94), logistic),
)  # fmt: skip
