"""Programs of well-known teaching material, rebuilt by readers on other data."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import workshops
from data_sets.samples import Samples, digits, loaders, scaled_targets, split, standardized
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, cross_entropy, outputs, r2
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, TensorDataset


class Makemore(LightningModule):
    """Embedded letters through a hidden layer of tanh with a norm, and a rate that drops once."""

    def __init__(self, block_size: int = 3, n_embd: int = 10, n_hidden: int = 120) -> None:
        super().__init__()
        self.C = nn.Embedding(workshops.LETTERS, n_embd)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(block_size * n_embd, n_hidden, bias=False),
            nn.BatchNorm1d(n_hidden), nn.Tanh(), nn.Linear(n_hidden, workshops.LETTERS),
        )  # fmt: skip

    def forward(self, idx: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.C(idx))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        Xb, Yb = batch
        loss = F.cross_entropy(self(Xb), Yb)
        self.log("lossi", loss.log10())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val", F.cross_entropy(self(batch[0]), batch[1]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [6])]


def makemore() -> Program:
    data, module = workshops.town_names(3), Makemore()
    return Program(module, *loaders(data, 32), 8, partial(cross_entropy, module, data))


class FlattenConsecutive(nn.Module):
    """Two neighbours side by side."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1] // 2, -1)


class NormOverBoth(nn.BatchNorm1d):
    """Statistics of the samples and the places at once."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(0, 1)).view_as(x)


class LetterTree(LightningModule):
    """Eight letters fused two by two."""

    def __init__(self, n_embd: int = 16, n_hidden: int = 48) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Embedding(workshops.LETTERS, n_embd)]
        before = n_embd
        for _ in range(3):
            layers += [
                FlattenConsecutive(), nn.Linear(2 * before, n_hidden, bias=False),
                NormOverBoth(n_hidden), nn.Tanh(),
            ]  # fmt: skip
            before = n_hidden
        last = nn.Linear(n_hidden, workshops.LETTERS)
        with torch.no_grad():
            last.weight *= 0.1
        self.model = nn.Sequential(*layers, nn.Flatten(), last)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }  # fmt: skip


def letter_tree() -> Program:
    data, module = workshops.town_names(8), LetterTree()
    return Program(module, *loaders(data, 128), 8, partial(cross_entropy, module, data))


class NameClassifier(LightningModule):
    """One-hot letters, packed, through a GRU; its last state says the tongue."""

    def __init__(self, hidden_size: int = 64) -> None:
        super().__init__()
        self.rnn = nn.GRU(workshops.LETTERS, hidden_size, batch_first=True)
        self.h2o, self.dropout = nn.Linear(hidden_size, workshops.TONGUES), nn.Dropout(0.2)

    def forward(self, line: Tensor) -> Tensor:
        lengths = (line > 0).sum(1)
        hot = F.one_hot(line, workshops.LETTERS).float()
        packed = pack_padded_sequence(hot, lengths, batch_first=True, enforce_sorted=False)
        _, hidden = self.rnn(packed)
        return F.log_softmax(self.h2o(self.dropout(hidden[0])), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.nll_loss(self(batch[0]), batch[1])
        self.log("current_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        output = self(batch[0])
        self.log("val_nll", F.nll_loss(output, batch[1]))
        self.log("val_correct", (output.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def names() -> Program:
    data, module = workshops.surnames(), NameClassifier()
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class VAE(LightningModule):
    """Two layers down, two up, sums of a batch as the example has them."""

    def __init__(self, pixels: int = 256, code: int = 8) -> None:
        super().__init__()
        self.fc1, self.fc21 = nn.Linear(pixels, 128), nn.Linear(128, code)
        self.fc22 = nn.Linear(128, code)
        self.fc3, self.fc4 = nn.Linear(code, 128), nn.Linear(128, pixels)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(torch.tanh(self.fc3(z))))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h1 = torch.tanh(self.fc1((x.flatten(1) - 0.22) / 0.3))
        mu, logvar = self.fc21(h1), self.fc22(h1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar) if self.training else mu
        return self.decode(z), mu, logvar

    def loss_function(self, x: Tensor) -> tuple[Tensor, Tensor]:
        recon, mu, logvar = self(x)
        bce = F.binary_cross_entropy(recon, x.flatten(1), reduction="sum")
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return bce, kld

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        bce, kld = self.loss_function(batch[0])
        self.log_dict({"train/BCE": bce / len(batch[0]), "train/KLD": kld / len(batch[0])})
        return bce + kld

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        bce, kld = self.loss_function(batch[0])
        self.log("test_loss", (bce + kld) / len(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def vae() -> Program:
    data, module = workshops.buttons(), VAE()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            rebuilt = module(data.x_test)[0]
        truth = data.x_test.flatten(1)
        return 1 - (F.mse_loss(rebuilt, truth) / (truth - truth.mean(0)).square().mean()).item()

    return Program(module, *loaders(data, 64), 50, score)


class TimeSequence(LightningModule):
    """Two LSTM cells one behind the other, which go on alone after the last value."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.hidden = hidden
        self.lstm1, self.lstm2 = nn.LSTMCell(1, hidden), nn.LSTMCell(hidden, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, wave: Tensor, future: int = 0) -> Tensor:
        h1 = c1 = h2 = c2 = wave.new_zeros(len(wave), self.hidden)
        found: list[Tensor] = []
        for step in range(wave.shape[1] + future):
            value = wave[:, step : step + 1] if step < wave.shape[1] else found[-1]
            h1, c1 = self.lstm1(value, (h1, c1))
            h2, c2 = self.lstm2(h1, (h2, c2))
            found.append(self.linear(h2))
        return torch.cat(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0][:, :-1]), batch[0][:, 1:])
        self.log("train mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test mse", F.mse_loss(self(batch[0][:, :-1]), batch[0][:, 1:]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def sequence() -> Program:
    """Scored by the eight values that follow forty known ones."""
    train, test = workshops.sines()
    module = TimeSequence()
    both = (
        DataLoader(TensorDataset(train), 20, shuffle=True), DataLoader(TensorDataset(test), 60),
    )  # fmt: skip

    def score() -> float:
        module.eval()
        with torch.no_grad():
            found = module(test[:, :40], 8)[:, -8:]
        true = test[:, 41:49]
        return 1 - (F.mse_loss(found, true) / true.var()).item()

    return Program(module, *both, 25, score, {"gradient_clip_val": 1.0})


class Siamese(LightningModule):
    """One small net for both strokes; those of one hand draw near, others part by a margin."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.tower = nn.Sequential(
            nn.Conv1d(2, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Flatten(), nn.Linear(320, 16),
        )  # fmt: skip

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.pairwise_distance(self.tower(a), self.tower(b))

    def contrastive(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        a, b, same = batch
        far = self(a, b)
        apart = (self.margin - far).clamp(min=0).square()
        return (same * far.square() + (1 - same) * apart).mean(), far

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, _ = self.contrastive(batch)
        self.log("contrastive_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, far = self.contrastive(batch)
        self.log("val_contrastive_loss", loss)
        self.log("val_accuracy", ((far < self.margin / 2) == (batch[2] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def siamese() -> Program:
    data, module = workshops.signatures(), Siamese()
    train, test = TensorDataset(*data.train), TensorDataset(*data.test)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            far = module(*data.test[:2])
        return ((far < 0.5) == (data.test[2] > 0.5)).float().mean().item()

    return Program(
        module, DataLoader(train, 64, shuffle=True), DataLoader(test, 400), 10, score,
    )  # fmt: skip


class GCN(LightningModule):
    """Two convolutions over a graph that is one batch."""

    def __init__(self, near: Tensor, hidden: int = 16) -> None:
        super().__init__()
        self.near: Tensor
        self.register_buffer("near", near)
        self.gc1, self.gc2 = nn.Linear(32, hidden), nn.Linear(hidden, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.near @ self.gc1(F.dropout(x, 0.5, self.training)))
        return F.log_softmax(self.near @ self.gc2(F.dropout(x, 0.5, self.training)), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y, idx = (part[0] for part in batch)
        loss = F.nll_loss(self(x)[idx], y[idx])
        self.log("loss_train", loss, batch_size=len(idx))
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y, idx = (part[0] for part in batch)
        output = self(x)[idx]
        self.log("loss_val", F.nll_loss(output, y[idx]), batch_size=len(idx))
        right = (output.argmax(1) == y[idx]).float().mean()
        self.log("acc_val", right, batch_size=len(idx))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.01, weight_decay=5e-4)


def gcn() -> Program:
    graph = workshops.club()
    module = GCN(graph.near)
    train, test = (
        DataLoader(TensorDataset(graph.x[None], graph.y[None], idx[None]), 1)
        for idx in (graph.known, graph.asked)
    )

    def score() -> float:
        found = outputs(module, graph.x).argmax(1)
        return (found == graph.y)[graph.asked].float().mean().item()

    return Program(module, train, test, 150, score, {"log_every_n_steps": 1})


class TextClassificationModel(LightningModule):
    """A bag of vectors, a linear layer, and the tutorial's large rate with a clip."""

    def __init__(self, embed_dim: int = 32) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(workshops.NEWS_WORDS, embed_dim)
        self.fc = nn.Linear(embed_dim, 4)
        for weight in (self.embedding.weight, self.fc.weight):
            nn.init.uniform_(weight, -0.5, 0.5)
        nn.init.zeros_(self.fc.bias)

    def forward(self, text: Tensor) -> Tensor:
        offsets = torch.arange(0, text.numel(), text.shape[1])
        logits: Tensor = self.fc(self.embedding(text.flatten(), offsets))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        predicted = self(batch[0])
        self.log("train_accuracy", (predicted.argmax(1) == batch[1]).float().mean())
        return F.cross_entropy(predicted, batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        predicted = self(batch[0])
        self.log("valid_loss", F.cross_entropy(predicted, batch[1]))
        self.log("valid_accuracy", (predicted.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=2.0)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.3)]


def bag() -> Program:
    data, module = workshops.news(), TextClassificationModel()
    trainer = {"gradient_clip_val": 0.1}
    return Program(module, *loaders(data, 16), 10, partial(accuracy, module, data), trainer)


class Translator(LightningModule):
    """An encoder, and a decoder that looks at the encoder's states by added attention."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(32, 24), nn.Embedding(11, 24)
        self.encoder = nn.GRU(24, hidden, batch_first=True)
        self.decoder = nn.GRUCell(24 + hidden, hidden)
        self.Wa, self.Ua = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.Va, self.out = nn.Linear(hidden, 1), nn.Linear(hidden, 10)
        self.dropout = nn.Dropout(0.1)

    def forward(self, spoken: Tensor, written: Tensor | None = None) -> Tensor:
        """Logits of four digits; with ``written`` the digits before are the true ones."""
        states, hidden = self.encoder(self.dropout(self.source(spoken)))
        state = hidden[0]
        last = torch.full((len(spoken),), 10)
        found = []
        for place in range(4):
            scores = self.Va(torch.tanh(self.Wa(state)[:, None] + self.Ua(states)))
            context = (scores.softmax(1) * states).sum(1)
            state = self.decoder(torch.cat([self.target(last), context], 1), state)
            found.append(self.out(state))
            last = found[-1].argmax(1) if written is None else written[:, place]
        return torch.stack(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(*batch)
        loss = F.cross_entropy(logits.flatten(0, 1), batch[1].flatten())
        self.log("print_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits.flatten(0, 1), batch[1].flatten()))
        self.log("val_exact", (logits.argmax(2) == batch[1]).all(1).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def translator() -> Program:
    data, module = workshops.clocks(), Translator()

    def score() -> float:
        return (outputs(module, data.x_test).argmax(2) == data.y_test).all(1).float().mean().item()

    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 64), 12, score, trainer)


class MF(LightningModule):
    """Factors and biases of users and films."""

    def __init__(self, num_factors: int = 6) -> None:
        super().__init__()
        self.P = nn.Embedding(workshops.USERS, num_factors)
        self.Q = nn.Embedding(workshops.FILMS, num_factors)
        self.user_bias = nn.Embedding(workshops.USERS, 1)
        self.item_bias = nn.Embedding(workshops.FILMS, 1)
        for table in (self.P, self.Q):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)
        self.mean = nn.Parameter(torch.tensor(3.5))

    def forward(self, rows: Tensor) -> Tensor:
        u, i = rows.T
        inner = (self.P(u) * self.Q(i)).sum(1)
        return self.mean + inner + (self.user_bias(u) + self.item_bias(i)).squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("test RMSE", F.mse_loss(self(batch[0]), batch[1]).sqrt(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3, weight_decay=1e-4)


def factors() -> Program:
    data, module = workshops.film_ratings(), MF()

    def score() -> float:
        return F.mse_loss(outputs(module, data.x_test), data.y_test).sqrt().item()

    return Program(module, *loaders(data, 128), 14, score)


class Coupling(nn.Module):
    """Half of a point stays, and says how the other half is stretched and moved."""

    def __init__(self, even: bool, hidden: int = 32) -> None:
        super().__init__()
        self.keep = 0 if even else 1
        self.net = nn.Sequential(
            nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 2),
        )  # fmt: skip
        self.scaling = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = z[:, self.keep], z[:, 1 - self.keep]
        s, t = self.net(kept[:, None]).unbind(1)
        s = torch.tanh(s) * self.scaling.exp()
        moved = (moved + t) * s.exp()
        pair = (kept, moved) if self.keep == 0 else (moved, kept)
        return torch.stack(pair, 1), s


class Flow(LightningModule):
    """Bits of a point under couplings of a normal distribution."""

    def __init__(self, layers: int = 6) -> None:
        super().__init__()
        self.flows = nn.ModuleList(Coupling(i % 2 == 0) for i in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        ldj = x.new_zeros(len(x))
        for flow in self.flows:
            x, more = flow(x)
            ldj = ldj + more
        log_pz = -0.5 * (x.square() + math.log(2 * math.pi)).sum(1)
        return -(log_pz + ldj)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self(batch[0]).mean() / math.log(2)
        self.log("train_bpd", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_bpd", self(batch[0]).mean() / math.log(2))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.95)
        return [optimizer], [scheduler]


def flow() -> Program:
    train, test = workshops.pinwheel()
    module = Flow()
    both = (
        DataLoader(TensorDataset(train), 256, shuffle=True),
        DataLoader(TensorDataset(test), 1500),
    )
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *both, 24, lambda: outputs(module, test).mean().item(), trainer)


class TabularModel(LightningModule):
    """Embeddings beside a normed row of numbers, with one cycle of the rate."""

    def __init__(self, max_lr: float = 1e-2, epochs: int = 8) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embeds = nn.ModuleList([nn.Embedding(40, 14), nn.Embedding(7, 5), nn.Embedding(2, 2)])
        for table in self.embeds:
            assert isinstance(table, nn.Embedding)
            nn.init.trunc_normal_(table.weight, std=0.01)
        self.emb_drop, self.bn_cont = nn.Dropout(0.04), nn.BatchNorm1d(4)
        self.layers = nn.Sequential(
            nn.Linear(25, 100, bias=False), nn.ReLU(), nn.BatchNorm1d(100), nn.Dropout(0.01),
            nn.Linear(100, 50, bias=False), nn.ReLU(), nn.BatchNorm1d(50), nn.Linear(50, 1),
        )  # fmt: skip

    def forward(self, row: Tensor) -> Tensor:
        cats = [table(row[:, i].long()) for i, table in enumerate(self.embeds)]
        cont = self.bn_cont(row[:, 3:])
        found: Tensor = self.layers(torch.cat([self.emb_drop(torch.cat(cats, 1)), cont], 1))
        return 6 + 5 * torch.sigmoid(found.squeeze(1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("valid_loss", F.mse_loss(found, batch[1]))
        self.log("exp_rmspe", (1 - (found - batch[1]).exp()).square().mean().sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, betas=(0.9, 0.99))
        steps = int(self.trainer.estimated_stepping_batches)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.hparams["max_lr"], steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def units_scaled(samples: Samples, first: int) -> Samples:
    """Columns from ``first`` on to mean 0 and deviation 1; numbers of things stay."""
    scaled = standardized(samples)
    return samples.with_inputs(
        torch.cat([samples.x[:, :first], scaled.x[:, first:]], 1),
        torch.cat([samples.x_test[:, :first], scaled.x_test[:, first:]], 1),
    )


def shops() -> Program:
    data, module = units_scaled(workshops.shop_days(), 3), TabularModel()
    return Program(module, *loaders(data, 64), 8, partial(r2, module, data))


class Residual(nn.Module):
    """What goes in is added to what comes out."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.inner(x) + x
        return found


class ConvMixer(LightningModule):
    """Patches, then convolutions of each channel and of each place in turn."""

    def __init__(self, dim: int = 32, depth: int = 3) -> None:
        super().__init__()
        blocks = [
            nn.Sequential(
                Residual(nn.Sequential(
                    nn.Conv2d(dim, dim, 5, groups=dim, padding="same"), nn.GELU(),
                    nn.BatchNorm2d(dim),
                )),
                nn.Conv2d(dim, dim, 1), nn.GELU(), nn.BatchNorm2d(dim),
            )
            for _ in range(depth)
        ]  # fmt: skip
        self.net = nn.Sequential(
            nn.Conv2d(3, dim, 2, stride=2), nn.GELU(), nn.BatchNorm2d(dim), *blocks,
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(dim, 6),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.net((image - 0.5) / 0.25)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        self.log("loss", loss)
        self.log("accuracy", (logits.argmax(1) == batch[1]).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-3)


def conv_mixer() -> Program:
    data, module = workshops.weaves(), ConvMixer()
    return Program(module, *loaders(data, 64), 8, partial(accuracy, module, data))


class WeatherLSTM(LightningModule):
    """A day and a half of six columns, and one number behind the last state."""

    def __init__(self, units: int = 32) -> None:
        super().__init__()
        self.lstm, self.dense = nn.LSTM(6, units, batch_first=True), nn.Linear(units, 1)

    def forward(self, window: Tensor) -> Tensor:
        states, _ = self.lstm(window)
        found: Tensor = self.dense(states[:, -1])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1].unsqueeze(1))
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.mse_loss(self(batch[0]), batch[1].unsqueeze(1)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def scaled_windows(samples: Samples) -> Samples:
    mean, deviation = samples.x.mean((0, 1)), samples.x.std((0, 1))
    return samples.with_inputs((samples.x - mean) / deviation, (samples.x_test - mean) / deviation)


def weather() -> Program:
    data, module = scaled_targets(scaled_windows(workshops.station())), WeatherLSTM()
    return Program(module, *loaders(data, 64), 8, partial(r2, module, data))


class DrivenDecay(LightningModule):
    """The solution of u' = -3 u + 3 cos(6 t), u(0) = 2, from its equation alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([1, 32, 32, 32, 1], nn.Tanh)

    def forward(self, t: Tensor) -> Tensor:
        u: Tensor = 2 + t * self.net(2 * t - 1)
        return u

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        t = batch[0].requires_grad_()
        u = self(t)
        (du,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        residual = du + 3 * u - 3 * torch.cos(6 * t)
        loss = residual.square().mean()
        self.log("physics_loss", loss)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)]


def driven() -> Program:
    times, asked = workshops.smooth_times()
    module = DrivenDecay()

    def score() -> float:
        """The largest distance from the solution that is known."""
        t = asked.double()
        steady = (9 * torch.cos(6 * t) + 18 * torch.sin(6 * t)) / 45
        exact = steady + (2 - 9 / 45) * torch.exp(-3 * t)
        return (outputs(module, asked).double() - exact).abs().max().item()

    train = DataLoader(TensorDataset(times), 100, shuffle=True)
    return Program(module, train, None, 200, score)


class Sine(nn.Module):
    """A layer drawn as the paper says, and the sine of a multiple of it."""

    def __init__(self, before: int, after: int, omega: float, first: bool = False) -> None:
        super().__init__()
        self.omega, self.linear = omega, nn.Linear(before, after)
        limit = 1 / before if first else (6 / before) ** 0.5 / omega
        nn.init.uniform_(self.linear.weight, -limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * self.linear(x))


class Siren(LightningModule):
    """Sines all the way from a place to its grey."""

    def __init__(self, width: int = 64, omega: float = 12.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Sine(2, width, omega, first=True), Sine(width, width, omega),
            Sine(width, width, omega), nn.Linear(width, 1),
        )  # fmt: skip

    def forward(self, coords: Tensor) -> Tensor:
        grey: Tensor = self.net(coords)
        return grey.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        self.log("train_psnr", -10 * torch.log10(loss / 4))
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def siren() -> Program:
    data, module = workshops.stained_glass(), Siren()
    return Program(module, *loaders(data, 112), 60, partial(r2, module, data))


class DeepSets(LightningModule):
    """What each point says, averaged, and what follows from it."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.phi = nn.Sequential(
            nn.Linear(2, width), nn.ELU(), nn.Linear(width, width), nn.ELU(),
            nn.Linear(width, width),
        )  # fmt: skip
        self.rho = nn.Sequential(nn.Linear(width, width), nn.ELU(), nn.Linear(width, 1))

    def forward(self, points: Tensor) -> Tensor:
        centred = points - points.mean(1, keepdim=True)
        area: Tensor = self.rho(self.phi(centred).mean(1))
        return area.flatten()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("val/huber", F.smooth_l1_loss(found, batch[1]))
        self.log("val/mae", F.l1_loss(found, batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


def deep_sets() -> Program:
    data, module = workshops.handfuls(), DeepSets()
    return Program(module, *loaders(data, 32), 20, partial(r2, module, data))


class BeatCoder(LightningModule):
    """Sound beats squeezed to eight numbers; what is rebuilt badly is odd."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 8),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(8, 16), nn.ELU(), nn.Linear(16, 32), nn.ELU(), nn.Linear(32, 64),
        )  # fmt: skip

    def forward(self, beat: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.encoder(4 * (beat - 0.3)))
        return rebuilt

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[0])
        self.log("mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mae", F.l1_loss(self(batch[0]), batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def beats() -> Program:
    """Scored by how often an odd beat is rebuilt worse than a sound one."""
    data, module = workshops.heartbeats(), BeatCoder()
    sound = data.x_test[~data.y_test.bool()]

    def score() -> float:
        error = (outputs(module, data.x_test) - data.x_test).abs().mean(1)
        odd, fine = error[data.y_test.bool()], error[~data.y_test.bool()]
        return (odd[:, None] > fine).float().mean().item()

    train = DataLoader(TensorDataset(data.x), 64, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(sound), 256), 40, score)


class Block(nn.Module):
    """Attention to what came before, and a dense part, norms first."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        parts = self.c_attn(self.ln_1(x)).view(batch, time, 3, self.heads, -1)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).reshape(batch, time, width))
        found: Tensor = x + self.mlp(self.ln_2(x))
        return found


class GPT(LightningModule):
    """Two blocks, tied weights, a warm-up and a cosine."""

    def __init__(self, vocabulary: int = 24, block_size: int = 48, n_embd: int = 48) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, n_embd), nn.Embedding(block_size, n_embd)
        self.h = nn.ModuleList(Block(n_embd, 4) for _ in range(2))
        self.ln_f = nn.LayerNorm(n_embd)
        self.lm_head = nn.Linear(n_embd, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight
        self.apply(self.init_weights)

    def init_weights(self, layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=0.02)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.wte(idx) + self.wpe(torch.arange(idx.shape[1]))
        for block in self.h:
            x = block(x)
        logits: Tensor = self.lm_head(self.ln_f(x))
        return logits

    def loss(self, batch: list[Tensor]) -> Tensor:
        rows = batch[0]
        return F.cross_entropy(self(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss)
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch))

    def configure_optimizers(self) -> Any:
        matrices = [p for p in self.parameters() if p.dim() >= 2]
        others = [p for p in self.parameters() if p.dim() < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}]
        optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))
        steps = int(self.trainer.estimated_stepping_batches)

        def rate(step: int) -> float:
            if step < 20:
                return (step + 1) / 20
            return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - 20) / (steps - 20)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def gpt() -> Program:
    train, test = workshops.tokens_of_recipes()
    module = GPT()

    def score() -> float:
        logits = outputs(module, test[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), test[:, 1:].flatten()).item()

    both = (
        DataLoader(TensorDataset(train), 16, shuffle=True), DataLoader(TensorDataset(test), 60),
    )  # fmt: skip
    return Program(module, *both, 14, score, {"gradient_clip_val": 1.0})


class FactorizationMachine(LightningModule):
    """All pairs of six fields through the half of a difference of squares."""

    def __init__(self, num_factors: int = 6) -> None:
        super().__init__()
        self.embedding, self.fc = nn.Embedding(80, num_factors), nn.Embedding(80, 1)
        nn.init.xavier_uniform_(self.embedding.weight)
        nn.init.zeros_(self.fc.weight)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, fields: Tensor) -> Tensor:
        own = self.embedding(fields)
        pairs = 0.5 * (own.sum(1).square() - own.square().sum(1)).sum(1)
        return self.bias + self.fc(fields).sum((1, 2)) + pairs

    def shared(self, batch: dict[str, Tensor]) -> Tensor:
        return F.binary_cross_entropy_with_logits(self(batch["fields"]), batch["clicked"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.shared(batch)
        self.log("train_logloss", loss, batch_size=len(batch["fields"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("valid_logloss", self.shared(batch), batch_size=len(batch["fields"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.05)


def machine() -> Program:
    """Scored by how often a clicked advert stands above one that was not."""
    data, module = workshops.adverts(), FactorizationMachine()

    def loader(x: Tensor, y: Tensor, shuffle: bool) -> DataLoader[Any]:
        rows: Any = [{"fields": a, "clicked": b} for a, b in zip(x, y.float(), strict=True)]
        return DataLoader(rows, 128, shuffle=shuffle)

    def score() -> float:
        found, clicked = outputs(module, data.x_test), data.y_test > 0
        return (found[clicked][:, None] > found[~clicked]).float().mean().item()

    both = loader(data.x, data.y, True), loader(data.x_test, data.y_test, False)
    return Program(module, *both, 10, score)


class SpatialTransformer(LightningModule):
    """A net that turns and shifts a picture before another one names it."""

    def __init__(self) -> None:
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(8, 10, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),
            nn.Linear(160, 24), nn.ReLU(), nn.Linear(24, 6),
        )  # fmt: skip
        last = self.localization[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        last.bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 3, padding=1), nn.Conv2d(10, 20, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 5)

    def forward(self, x: Tensor) -> Tensor:
        theta = self.localization(x).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
        x = F.dropout(F.relu(self.fc1(x)), 0.25, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.nll_loss(self(batch[0]), batch[1])
        self.log("Train Loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        output = self(batch[0])
        self.log("Average loss", F.nll_loss(output, batch[1]))
        self.log("Accuracy", (output.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [14, 20], gamma=0.3)]


def transformed() -> Program:
    data, module = workshops.buttons(), SpatialTransformer()
    data = data.with_inputs((data.x - 0.25) / 0.3, (data.x_test - 0.25) / 0.3)
    return Program(module, *loaders(data, 64), 25, partial(accuracy, module, data))


class Q(LightningModule):
    """Values of three deeds in a windy corridor, against a copy that follows slowly."""

    def __init__(self, gamma: float = 0.9) -> None:
        super().__init__()
        self.gamma = gamma
        self.policy_net = mlp([1, 48, 48, 3], nn.Tanh)
        self.target_net = mlp([1, 48, 48, 3], nn.Tanh)
        self.target_net.load_state_dict(self.policy_net.state_dict())
        self.target_net.requires_grad_(False)

    def forward(self, place: Tensor) -> Tensor:
        values: Tensor = self.policy_net(2 * place - 1)
        return values

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        place, action, reward, there, end = batch
        value = self(place).gather(1, action[:, None])[:, 0]
        with torch.no_grad():
            ahead = self.target_net(2 * there - 1).amax(1)
        loss = F.smooth_l1_loss(value, reward + self.gamma * (1 - end) * ahead)
        self.log("td_loss", loss)
        self.log("mean_q", value.mean())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        for slow, fast in zip(
            self.target_net.parameters(), self.policy_net.parameters(), strict=True
        ):
            slow.data.lerp_(fast.data, 0.02)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.policy_net.parameters(), lr=1e-3, amsgrad=True)


def corridor() -> Program:
    """Scored by the share of places from which it goes right."""
    module = Q()
    train = DataLoader(TensorDataset(*workshops.corridor()), 128, shuffle=True)

    def score() -> float:
        places = torch.linspace(0.02, 0.93, 60)[:, None]
        return (outputs(module, places).argmax(1) == 2).float().mean().item()

    return Program(module, train, None, 30, score)


class ESPCN(LightningModule):
    """Convolutions on the small picture, and channels shuffled to pixels at the end."""

    def __init__(self, upscale_factor: int = 2) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 24, 5, padding=2), nn.Conv2d(24, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(24, upscale_factor**2, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        for layer in (self.conv1, self.conv2):
            nn.init.orthogonal_(layer.weight, nn.init.calculate_gain("relu"))
        nn.init.orthogonal_(self.conv3.weight)

    def forward(self, small: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(small))))
        large: Tensor = self.pixel_shuffle(self.conv3(x))
        return large

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        mse = F.mse_loss(self(batch[0]), batch[1])
        self.log("Avg. PSNR", 10 * torch.log10(1 / mse))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def enlarged() -> Program:
    data, module = workshops.degraded(), ESPCN()

    def score() -> float:
        error = F.mse_loss(outputs(module, data.x_test), data.y_test)
        return (10 * torch.log10(1 / error)).item()

    return Program(module, *loaders(data, 16), 50, score)


class Polynomial(LightningModule):
    """A sine by four coefficients, with powers of the input made beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1))

    def forward(self, powers: Tensor) -> Tensor:
        found: Tensor = self.model(powers)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1], reduction="sum")
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def polynomial() -> Program:
    x = torch.linspace(-math.pi, math.pi, 2000)
    powers = x[:, None] ** torch.tensor([1, 2, 3])
    data, module = split(powers / torch.tensor([2.0, 4.0, 10.0]), x.sin()), Polynomial()
    train = DataLoader(TensorDataset(data.x, data.y), 200, shuffle=True)
    return Program(module, train, None, 200, partial(r2, module, data))


class TwoSteps(LightningModule):
    """A body that learnt one half of the digits, then a head for the other half on it."""

    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.lr = lr
        self.body = nn.Sequential(
            nn.Linear(64, 96), nn.LayerNorm(96), nn.GELU(), nn.Linear(96, 64), nn.LayerNorm(64),
            nn.GELU(),
        )  # fmt: skip
        self.classifier, self.dropout = nn.Linear(64, 5), nn.Dropout(0.1)

    def pretrain(self, x: Tensor, y: Tensor) -> None:
        head = nn.Linear(64, 5)
        parameters = [*self.body.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=2e-3)
        for _ in range(60):
            loss = F.cross_entropy(head(self.body(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.body(pixels)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("eval/loss", F.cross_entropy(logits, batch[1]))
        self.log("eval/accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)
        steps = int(self.trainer.estimated_stepping_batches)
        linear = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        return [optimizer], [{"scheduler": linear, "interval": "step"}]


def two_steps() -> Program:
    known = digits()
    low, low_test = known.y < 5, known.y_test < 5
    data = Samples(
        known.x[~low], known.y[~low] - 5, known.x_test[~low_test], known.y_test[~low_test] - 5
    )
    module = TwoSteps()
    module.pretrain(known.x[low], known.y[low])
    return Program(module, *loaders(data, 16), 8, partial(accuracy, module, data))


CASES = (
    Case("town-names-three-letters-normed", Goal("cross-entropy", at_most=2.0), makemore),
    Case("town-names-fused-two-by-two", Goal("cross-entropy", at_most=2.0), letter_tree),
    Case("surnames-packed-one-hot", Goal("accuracy", at_least=0.75), names),
    Case("buttons-variational-sums", Goal("R2", at_least=0.55), vae),
    Case("sine-cells-go-on-alone", Goal("R2", at_least=0.85), sequence),
    Case("signatures-within-a-margin", Goal("accuracy", at_least=0.85), siamese),
    Case("club-members-by-their-friends", Goal("accuracy", at_least=0.75), gcn),
    Case("news-bag-rate-of-two-clipped", Goal("accuracy", at_least=0.8), bag),
    Case("clock-times-spoken-to-written", Goal("accuracy", at_least=0.9), translator),
    Case("films-factors-and-biases", Goal("RMSE", at_most=0.75), factors),
    Case("pinwheel-couplings-in-bits", Goal("nats", at_most=2.2), flow),
    Case("shop-days-embedded-one-cycle", Goal("R2", at_least=0.85), shops),
    Case("weaves-mixed-by-convolutions", Goal("accuracy", at_least=0.9), conv_mixer),
    Case("station-six-hours-by-lstm", Goal("R2", at_least=0.55), weather),
    Case("driven-decay-from-its-equation", Goal("largest error", at_most=0.03), driven),
    Case("stained-glass-by-sines", Goal("R2", at_least=0.8), siren),
    Case("handfuls-areas-of-sets", Goal("R2", at_least=0.85), deep_sets),
    Case("heartbeats-odd-ones-rebuilt-badly", Goal("AUC", at_least=0.9), beats),
    Case("recipe-tokens-two-tied-blocks", Goal("cross-entropy", at_most=2.55), gpt),
    Case("adverts-six-fields-in-pairs", Goal("AUC", at_least=0.7), machine),
    Case("buttons-straightened-before-named", Goal("accuracy", at_least=0.9), transformed),
    Case("windy-corridor-slow-copy", Goal("share", at_least=0.9), corridor),
    Case("blobs-enlarged-by-shuffled-channels", Goal("PSNR", at_least=27), enlarged),
    Case("sine-by-three-powers", Goal("R2", at_least=0.95), polynomial),
    Case("digits-upper-half-after-lower", Goal("accuracy", at_least=0.93), two_steps),
)  # fmt: skip
