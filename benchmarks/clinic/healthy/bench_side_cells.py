"""More of a bench of scientists: surfaces, neurons, mice, chirps, molecules, cells, residues."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.bench import (
    animals,
    light_curves,
    spikes,
    surface,
)
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp, sgd
from programs import regression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


def second_order_surface() -> Program:
    lbfgs = partial(
        torch.optim.LBFGS, lr=1.0, max_iter=10, history_size=20, line_search_fn="strong_wolfe"
    )
    return regression(
        surface(), mlp([2, 20, 20, 1], nn.Tanh), lbfgs, batch_size=420, epochs=40,
        trainer={"log_every_n_steps": 1},
    )  # fmt: skip


def deviance_explained(module: LightningModule, data: Samples) -> float:
    with torch.no_grad():
        found = module.eval()(data.x_test)
    flat = data.y.mean().log().expand_as(found)
    y = data.y_test
    best = torch.xlogy(y, y) - y
    loss = [(best - y * log + log.exp()).sum() for log in (found, flat)]
    return 1 - (loss[0] / loss[1]).item()


def neuron() -> Program:
    return regression(
        spikes(), nn.Linear(20, 1), sgd(0.02, 0.9), batch_size=64, epochs=6,
        loss=nn.PoissonNLLLoss(), score=deviance_explained,
    )  # fmt: skip


def mice() -> Program:
    optimizer = partial(torch.optim.RMSprop, lr=2e-3, weight_decay=3e-3)
    trainer = {"log_every_n_steps": 5}
    network = mlp([5, 12, 1], nn.Tanh)
    return regression(animals(), network, optimizer, batch_size=12, epochs=60, trainer=trainer)


class Chirps(Dataset[tuple[Tensor, Tensor]]):
    """A chirp in noise, another one every time it is asked for."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.draw = count, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        u, time = torch.rand(3, generator=self.draw), torch.linspace(0, 1, 96)
        clean = torch.sin(2 * math.pi * (u[0] + (2 + 4 * u[1]) * time + 5 * u[2] * time**2))
        return (clean + 0.6 * torch.randn(96, generator=self.draw))[None], clean[None]


class Denoiser(LightningModule):
    """Residual blocks that see wider and wider; trained on fresh noise, hence not validated."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 16, 7, padding=3), nn.Conv1d(16, 1, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(16, 16, 3, padding=d, dilation=d), nn.BatchNorm1d(16), nn.LeakyReLU(0.1)
            )
            for d in (1, 2, 4, 8)
        )

    def forward(self, x: Tensor) -> Tensor:
        z = self.first(x)
        for block in self.blocks:
            z = z + block(z)
        return self.last(z)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("l1", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def chirps() -> Program:
    module = Denoiser()

    @torch.no_grad()
    def score() -> float:
        noisy, clean = next(iter(DataLoader(Chirps(400, 210), 400)))
        error = F.mse_loss(module.eval()(noisy), clean)
        return (10 * torch.log10(F.mse_loss(noisy, clean) / error)).item()

    return Program(module, DataLoader(Chirps(3200, 209), 16), None, 2, score)


class AssayNet(LightningModule):
    """Eight assays of each molecule, of which most were never made (marked by -1)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([64, 48, 8], nn.ReLU, dropout=0.25)

    def masked(self, batch: list[Tensor]) -> Tensor:
        made = batch[1] >= 0
        return F.binary_cross_entropy_with_logits(self.net(batch[0])[made], batch[1][made])

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.masked(batch)
        self.log("train_bce", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bce", self.masked(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=1e-5)


def assays() -> Program:
    draw = torch.Generator().manual_seed(211)
    bits = (torch.rand(5000, 64, generator=draw) < 0.2).float()
    logits = (bits - 0.2) @ (1.3 * torch.randn(64, 8, generator=draw)) - 1
    truth = (torch.rand(5000, 8, generator=draw) < logits.sigmoid()).float()
    seen = torch.where(torch.rand(5000, 8, generator=draw) < 0.6, -1.0, truth)
    module = AssayNet()

    @torch.no_grad()
    def score() -> float:
        return float(roc_auc_score(truth[:1000].numpy(), module.eval().net(bits[:1000]).numpy()))

    train = DataLoader(TensorDataset(bits[1000:], seen[1000:]), 50, shuffle=True)
    return Program(
        module, train, DataLoader(TensorDataset(bits[:1000], seen[:1000]), 500), 8, score
    )


class CountCodec(LightningModule):
    """Counts of genes as negative binomials around a decoded profile (after scVI)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([100, 48, 6], nn.ELU), mlp([6, 48, 100], nn.ELU)
        self.log_theta = nn.Parameter(torch.zeros(100))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        counts = batch[0]
        size = counts.sum(1, keepdim=True)
        mean = size * self.decoder(self.codes(counts)).softmax(1)
        logits = (mean + 1e-8).log() - self.log_theta
        nb = torch.distributions.NegativeBinomial(self.log_theta.exp(), logits=logits)
        loss = -nb.log_prob(counts).sum(1).mean()
        self.log("elbo/reconstruction", loss)
        return loss

    def codes(self, counts: Tensor) -> Tensor:
        return self.encoder(torch.log1p(1000 * counts / counts.sum(1, keepdim=True)) / 2)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def single_cells() -> Program:
    draw = torch.Generator().manual_seed(212)
    kind = torch.randint(4, (2000,), generator=draw)
    profile = torch.softmax(1.2 * torch.randn(4, 100, generator=draw), 1)[kind]
    size = torch.exp(5.5 + 0.4 * torch.randn(2000, 1, generator=draw))
    counts = torch.poisson(size * profile, generator=draw)
    module = CountCodec()

    @torch.no_grad()
    def score() -> float:
        codes = module.eval().codes(counts).numpy()
        known = KNeighborsClassifier(5).fit(codes[:200], kind[:200])
        return float(known.score(codes[200:], kind[200:]))

    return Program(module, DataLoader(TensorDataset(counts), 50, shuffle=True), None, 10, score)


class CurveVAE(LightningModule):
    """Light curves from six codes; the decoder's noise is learnt with it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = mlp([64, 96, 12], nn.SiLU), mlp([6, 96, 64], nn.SiLU)
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def elbo(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        x = batch[0].flatten(1)
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        normal = torch.distributions.Normal(self.decoder(code), self.log_sigma.exp())
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
        return -normal.log_prob(x).sum(1).mean(), kl.mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nll, kl = self.elbo(batch)
        self.log_dict({"nll": nll, "kl": kl, "sigma": self.log_sigma.exp().detach()})
        return nll + kl

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_elbo", -sum(self.elbo(batch)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def variational() -> Program:
    data, module = light_curves(8000), CurveVAE()
    x = data.x_test.flatten(1)

    @torch.no_grad()
    def score() -> float:
        found = module.eval().decoder(module.encoder(x)[:, :6])
        return 1 - (F.mse_loss(found, x) / x.var(0).mean()).item()

    return Program(module, *loaders(data, 64), 10, score, {"gradient_clip_val": 50.0})


class ContactNet(LightningModule):
    """Two rounds of messages between residues that touch, and a value for each residue."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(6, 24), mlp([24, 24, 1], nn.ReLU)
        self.message = nn.ModuleList(nn.Linear(24, 24) for _ in range(2))
        self.update = nn.ModuleList(nn.Linear(48, 24) for _ in range(2))

    def forward(self, kind: Tensor, touch: Tensor) -> Tensor:
        h = self.embed(kind)
        for message, update in zip(self.message, self.update, strict=True):
            heard = touch @ F.relu(message(h)) / 4
            h = h + F.relu(update(torch.cat([h, heard], 2)))
        return self.out(h).squeeze(2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(*batch[:2]), batch[2])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mae", F.l1_loss(self(*batch[:2]), batch[2]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def residues() -> Program:
    draw = torch.Generator().manual_seed(213)
    kind = torch.randint(6, (500, 20), generator=draw)
    places = torch.randn(500, 20, 3, generator=draw)
    touch = (torch.cdist(places, places) < 1.2).float() * (1 - torch.eye(20))
    bulk = torch.tensor([0.3, 0.6, 0.9, 1.2, 1.6, 2.0])[kind]
    buried = (touch @ bulk[..., None]).squeeze(2) * (1.5 - 0.3 * bulk)
    buried = (buried - buried.mean()) / buried.std() + 0.1 * torch.randn(500, 20, generator=draw)
    module, test = ContactNet(), [kind[:120], touch[:120], buried[:120]]

    @torch.no_grad()
    def score() -> float:
        return 1 - (F.mse_loss(module.eval()(*test[:2]), test[2]) / test[2].var()).item()

    rows = TensorDataset(kind[120:], touch[120:], buried[120:])
    return Program(
        module, DataLoader(rows, 10, True), DataLoader(TensorDataset(*test), 40), 10, score
    )


CASES = (
    Case("surface-of-three-wells-by-lbfgs", Goal("R2", at_least=0.97), second_order_surface),
    Case("neuron-poisson-of-its-stimulus", Goal("deviance", at_least=0.3), neuron),
    Case("mice-seventy-learnt-well", Goal("R2", at_least=0.8), mice),
    Case("chirps-out-of-fresh-noise", Goal("dB gained", at_least=6), chirps),
    Case("molecules-assays-mostly-not-made", Goal("AUROC", at_least=0.8), assays),
    Case("single-cells-negative-binomial-codes", Goal("accuracy", at_least=0.95), single_cells),
    Case("light-curves-variational-own-noise", Goal("R2", at_least=0.5), variational),
    Case("residues-buried-by-their-neighbours", Goal("R2", at_least=0.85), residues),
)
