"""Methods of papers that learn codes, pictures and what rivals make of them."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import outputs
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader


class NoNorm(nn.Module):
    """Two convolutions and a short way round them, of which only a tenth is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.body(x)


class SuperResolution(LightningModule):
    """Twice as many pixels each way; what is shown is a slow mean of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), *(NoNorm(24) for _ in range(3)),
            nn.Conv2d(24, 12, 3, padding=1), nn.PixelShuffle(2),
        )  # fmt: skip
        self.ema = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(0.98))

    def forward(self, small: Tensor) -> Tensor:
        net = self.net if self.training else self.ema
        return F.interpolate(small, scale_factor=2, mode="bicubic") + net(small - 0.5)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        small, large = batch
        loss = ((self(small) - large).square() + 1e-6).sqrt().mean()
        self.log("charbonnier", loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.ema.update_parameters(self.net)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("psnr", -10 * F.mse_loss(self(batch[0]), batch[1]).log10())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3, betas=(0.9, 0.99))
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [9, 12])]


def super_resolution() -> Program:
    large, large_test = samples.patches()
    data = Samples(F.avg_pool2d(large, 2), large, F.avg_pool2d(large_test, 2), large_test)
    module = SuperResolution()

    def score() -> float:
        """Decibels above the bicubic way."""
        plain = F.interpolate(data.x_test, scale_factor=2, mode="bicubic")
        errors = (F.mse_loss(x, data.y_test) for x in (plain, outputs(module, data.x_test)))
        return (10 * torch.log10(next(errors) / next(errors))).item()

    return Program(module, *loaders(data, 32), 14, score)


class RedundancyReduction(LightningModule):
    """Two views agree in each number of a code, and no two numbers say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 48)
        )
        self.projector = nn.Sequential(
            nn.Linear(48, 96, bias=False), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 96)
        )
        self.bn = nn.BatchNorm1d(96, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.backbone(x)
        return code

    @staticmethod
    def distorted(x: Tensor) -> Tensor:
        image = x.reshape(-1, 8, 8)
        moved = torch.stack([image, image.roll(1, 1), image.roll(1, 2)])
        image = moved[torch.randint(3, (len(x),)), torch.arange(len(x))].flatten(1)
        return image * (torch.rand_like(x) > 0.15) + 0.1 * torch.randn_like(x)

    def objective(self, x: Tensor) -> Tensor:
        z1, z2 = (self.bn(self.projector(self(self.distorted(x)))) for _ in range(2))
        c = z1.T @ z2 / len(x)
        on_diagonal = (c.diagonal() - 1).square().sum()
        off_diagonal = c.square().sum() - c.diagonal().square().sum()
        return on_diagonal + 0.01 * off_diagonal

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.objective(batch[0])
        self.log("barlow_twins", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)]


def redundancy() -> Program:
    data = samples.digits()
    module = RedundancyReduction()
    train, _ = loaders(data, 128, drop_last=True)

    @torch.no_grad()
    def score() -> float:
        """The loss of unseen digits."""
        return module.eval().objective(data.x_test).item()

    return Program(module, train, None, 30, score)


class MaskedPatches(LightningModule):
    """Sees half of the squares of a digit and draws the others."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(4, width), nn.Parameter(0.5 * torch.randn(16, width))
        self.mask_token = nn.Parameter(0.02 * torch.randn(width))
        options: dict[str, Any] = {"dropout": 0.0, "batch_first": True, "norm_first": True}
        self.encoder = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 96, activation="gelu", **options) for _ in range(2)
        )
        self.decoder = nn.TransformerEncoderLayer(width, 4, 96, activation="gelu", **options)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 4)

    def forward(self, squares: Tensor, order: Tensor) -> Tensor:
        seen = order[:, :8, None]
        x = (self.embed(squares) + self.place).gather(1, seen.expand(-1, -1, 48))
        for layer in self.encoder:
            x = layer(x)
        every = (self.mask_token + self.place).expand(len(x), -1, -1)
        every = every.scatter(1, seen.expand(-1, -1, 48), x + self.place[order[:, :8]])
        drawn: Tensor = self.head(self.norm(self.decoder(every)))
        return drawn.gather(1, order[:, 8:, None].expand(-1, -1, 4))

    def error(self, squares: Tensor, order: Tensor) -> Tensor:
        hidden = squares.gather(1, order[:, 8:, None].expand(-1, -1, 4))
        return F.mse_loss(self(squares, order), hidden)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        squares = batch["squares"]
        loss = self.error(squares, torch.rand(squares.shape[:2]).argsort(1))
        self.log("mae_loss", loss, batch_size=len(squares))
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=3e-3, betas=(0.9, 0.95))
        warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=40)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 460)
        both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [40])
        return [optimizer], [{"scheduler": both, "interval": "step"}]


def masked_patches() -> Program:
    data = samples.digits()
    x, x_test = (
        F.unfold(part.reshape(-1, 1, 8, 8) * 2 - 1, 2, stride=2).transpose(1, 2)
        for part in (data.x, data.x_test)
    )
    module = MaskedPatches()
    rows: Any = [{"squares": row} for row in x]
    order = torch.rand(len(x_test), 16, generator=torch.Generator().manual_seed(91)).argsort(1)

    @torch.no_grad()
    def score() -> float:
        """Explained of what was hidden."""
        hidden = (x_test - x.mean(0)).gather(1, order[:, 8:, None].expand(-1, -1, 4))
        return (1 - module.eval().error(x_test, order) / hidden.square().mean()).item()

    return Program(module, DataLoader(rows, 64, shuffle=True), None, 25, score)


class DrawsOnDemand(LightningModule):
    """Draws the digit it is told to, against a rival by least squares; two rates, two turns."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(mlp([26, 128, 128, 64], norm=nn.BatchNorm1d), nn.Sigmoid())
        self.discriminator = mlp([74, 128, 64, 1], partial(nn.LeakyReLU, 0.2), dropout=0.3)

    def forward(self, label: Tensor) -> Tensor:
        noise = torch.randn(len(label), 16)
        image: Tensor = self.generator(torch.cat([noise, F.one_hot(label, 10).float()], 1))
        return image

    def verdict(self, image: Tensor, label: Tensor) -> Tensor:
        return self.discriminator(torch.cat([image, F.one_hot(label, 10).float()], 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        real, label = batch
        opt_g, opt_d = self.optimizers()
        self.toggle_optimizer(opt_d)
        true, false = self.verdict(real, label), self.verdict(self(label).detach(), label)
        d_loss = 0.5 * ((true - 1).square().mean() + false.square().mean())
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        self.untoggle_optimizer(opt_d)
        self.toggle_optimizer(opt_g)
        g_loss = 0.5 * (self.verdict(self(label), label) - 1).square().mean()
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()
        self.untoggle_optimizer(opt_g)
        self.log_dict({"d_loss": d_loss, "g_loss": g_loss}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        g = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
        d = torch.optim.Adam(self.discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
        return [g, d], []


def draws_on_demand() -> Program:
    data = samples.digits()
    module = DrawsOnDemand()
    train, _ = loaders(data, 64, drop_last=True)

    def score() -> float:
        """How often the real digit most like a drawn one is of its label."""
        label = torch.arange(10).repeat(30)
        nearest = torch.cdist(outputs(module, label), data.x_test).argmin(1)
        return (data.y_test[nearest] == label).float().mean().item()

    return Program(module, train, None, 50, score)


class FollowingBook(LightningModule):
    """Codes from a book that no gradient reaches: its entries are means of what chose them."""

    def __init__(self, entries: int = 32) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([64, 128, 24], nn.SiLU), mlp([24, 128, 64], nn.SiLU)
        self.register_buffer("book", torch.randn(entries, 4))
        self.register_buffer("count", torch.ones(entries))
        self.register_buffer("total", self.book.clone())

    def forward(self, x: Tensor) -> Tensor:
        image: Tensor = self.decoder(self.quantize(self.encoder(x))[0])
        return image

    def quantize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        parts = z.reshape(-1, 4)
        chosen = torch.cdist(parts, self.book).argmin(1)
        if self.training:
            self.follow(parts.detach(), F.one_hot(chosen, len(self.book)).float())
        code = self.book[chosen].reshape(z.shape)
        return z + (code - z).detach(), F.mse_loss(z, code.detach())

    @torch.no_grad()
    def follow(self, parts: Tensor, chosen: Tensor) -> None:
        self.count.lerp_(chosen.sum(0), 0.03)
        self.total.lerp_(chosen.T @ parts, 0.03)
        share = (self.count + 1e-3) / (self.count.sum() + 1e-3 * len(self.count))
        self.book = self.total / (share * self.count.sum())[:, None]
        unused = self.count < 0.5
        drawn = parts[torch.randint(len(parts), (len(self.book),))]
        self.book = torch.where(unused[:, None], drawn, self.book)
        self.total = torch.where(unused[:, None], drawn, self.total)
        self.count = torch.where(unused, 1.0, self.count)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        z, commitment = self.quantize(self.encoder(batch[0]))
        error = F.mse_loss(self.decoder(z), batch[0])
        self.log_dict({"mse": error, "commitment": commitment})
        return error + 0.1 * commitment

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.0)


def following_book() -> Program:
    data = samples.digits()
    module = FollowingBook()
    train, _ = loaders(data, 32)

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.x_test)
        return (1 - error / (data.x_test - data.x.mean(0)).square().mean()).item()

    return Program(module, train, None, 25, score)


CASES = (
    Case("photographs-super-resolution", Goal("decibels", at_least=0.5), super_resolution),
    Case("digits-redundancy-reduced", Goal("loss", at_most=18), redundancy),
    Case("digits-masked-squares", Goal("R2", at_least=0.4), masked_patches),
    Case("digits-drawn-on-demand", Goal("right", at_least=0.75), draws_on_demand),
    Case("digits-codes-that-follow", Goal("R2", at_least=0.65), following_book),
)  # fmt: skip
