"""What analysts of an exchange train, as it should be."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import exchange
from data_sets.bureau import auc
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class CallPricer(LightningModule):
    """Learns prices from pay-offs of single paths and from their slopes at the spot.

    Most of what the loss measures is chance, so that it stays high.
    """

    def __init__(self, x: Tensor, payoff: Tensor, lr: float = 5e-3) -> None:
        super().__init__()
        self.lr = lr
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("deviation", x.std(0))
        self.register_buffer("scale", payoff.std())
        self.net = mlp([4, 48, 48, 48, 1], nn.Softplus)

    def forward(self, x: Tensor) -> Tensor:
        z = (x - self.get_buffer("mean")) / self.get_buffer("deviation")
        found: Tensor = self.net(z).squeeze(-1) * self.get_buffer("scale")
        return found

    def losses(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        x, payoff, slope = batch
        x = x.requires_grad_(True)
        found = self(x)
        (gradient,) = torch.autograd.grad(found.sum(), x, create_graph=True)
        scale = self.get_buffer("scale")
        return F.mse_loss(found / scale, payoff / scale), F.mse_loss(gradient[:, 0], slope)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        price, delta = self.losses(batch)
        self.log_dict({"price_loss": price, "delta_loss": delta})
        return price + delta

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def pricer() -> Program:
    x, payoff, slope, price = exchange.calls()
    train = TensorDataset(x[:5000], payoff[:5000], slope[:5000])
    module = CallPricer(x[:5000], payoff[:5000])
    truth = Samples(x[:5000], payoff[:5000], x[5000:], price[5000:])
    both = DataLoader(train, 128, shuffle=True), None
    return Program(module, *both, 16, partial(r2, module, truth))


class HonestCodec(LightningModule):
    """Codes of three numbers for honest payments; what it cannot rebuild is suspicious."""

    def __init__(self, hide: float = 0.2) -> None:
        super().__init__()
        self.hide = nn.Dropout(hide)
        self.encoder, self.decoder = mlp([12, 32, 3], nn.Tanh), mlp([3, 32, 12], nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        rebuilt = self.decoder(self.encoder(self.hide(x)))
        error: Tensor = ((rebuilt - x) ** 2).mean(1)
        return error

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self(batch[0]).mean()
        self.log("recon", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        error = self(x)
        self.log("recon_honest", error[y == 0].mean())
        self.log("recon_fraud", error[y == 1].mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def codec() -> Program:
    data, module = exchange.honest_payments(), HonestCodec()
    return Program(
        module, *loaders(data, 64), 25, lambda: auc(outputs(module, data.x_test), data.y_test > 0)
    )


class LightGraph(LightningModule):
    """Embeddings averaged over who holds what, no activation at all, and BPR with random funds."""

    def __init__(self, held: Tensor, width: int = 16, rounds: int = 2) -> None:
        super().__init__()
        count = exchange.INVESTORS + exchange.FUNDS
        self.rounds = rounds
        self.embedding = nn.Embedding(count, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        links = torch.zeros(count, count)
        owners = torch.arange(exchange.INVESTORS)[:, None].expand_as(held)
        links[owners, exchange.INVESTORS + held] = 1.0
        links = links + links.T
        root = links.sum(1).clamp(min=1).rsqrt()
        self.register_buffer("links", root[:, None] * links * root)

    def forward(self) -> tuple[Tensor, Tensor]:
        layers = [self.embedding.weight]
        for _ in range(self.rounds):
            layers.append(self.get_buffer("links") @ layers[-1])
        final = torch.stack(layers).mean(0)
        return final[: exchange.INVESTORS], final[exchange.INVESTORS :]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        owner, fund = batch
        investors, funds = self()
        other = torch.randint(exchange.FUNDS, fund.shape)
        gain = (investors[owner] * (funds[fund] - funds[other])).sum(1)
        own = self.embedding.weight[owner]
        loss = -F.logsigmoid(gain).mean() + 1e-4 * own.square().sum(1).mean()
        self.log("bpr", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def light_graph() -> Program:
    """Scored by how often a fund bought later is above one never bought."""
    held, later = exchange.held()
    module = LightGraph(held)
    owners = torch.arange(exchange.INVESTORS).repeat_interleave(held.shape[1])
    train = DataLoader(TensorDataset(owners, held.flatten()), 256, shuffle=True)

    @torch.no_grad()
    def score() -> float:
        module.eval()
        investors, funds = module()
        wish = investors @ funds.T
        never = torch.ones_like(wish).scatter(1, torch.cat([held, later], 1), 0.0).bool()
        above = wish.gather(1, later)[..., None] > wish[:, None]
        right = (above & never[:, None]).sum() / (never.sum() * later.shape[1])
        return float(right)

    return Program(module, train, None, 30, score)


class FastText(LightningModule):
    """Words and hashed pairs of words in one sparse bag, with an optimiser for sparse gradients."""

    def __init__(self, rows: int, width: int = 24) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.bag = nn.EmbeddingBag(rows, width, mode="mean", sparse=True, padding_idx=0)
        self.linear = nn.Linear(width, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.bag(tokens))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        optimizers: Any = self.optimizers()
        loss = F.cross_entropy(self(batch[0]), batch[1])
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            optimizer.step()
        self.log("train_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        sparse = torch.optim.SparseAdam(list(self.bag.parameters()), lr=1e-2)
        return sparse, torch.optim.Adam(self.linear.parameters(), lr=1e-2)


def with_pairs(tokens: Tensor, words: int, buckets: int) -> Tensor:
    """Numbers of words, and behind them those of neighbouring words, hashed."""
    left, right = tokens[:, :-1], tokens[:, 1:]
    pairs = words + (left * 7919 + right * 104_729) % buckets
    return torch.cat([tokens, pairs.masked_fill(right == 0, 0)], 1)


def fast_text() -> Program:
    texts = exchange.complaints(True)
    known = exchange.vocabulary(texts.texts)
    words, buckets = len(known) + 2, 4000
    x, x_test = (
        with_pairs(exchange.encoded(part, known), words, buckets)
        for part in (texts.texts, texts.texts_test)
    )
    data = Samples(x, texts.y, x_test, texts.y_test)
    module = FastText(words + buckets)
    return Program(module, *loaders(data, 32), 14, partial(accuracy, module, data))


class TurnoverDecoder(LightningModule):
    """Encoder and decoder; the true last hour is shown to the decoder less and less often."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.encoder = nn.GRU(1, hidden, batch_first=True)
        self.cell, self.out = nn.GRUCell(1, hidden), nn.Linear(hidden, 1)

    def forward(self, past: Tensor, future: Tensor | None = None, shown: float = 0.0) -> Tensor:
        _, states = self.encoder(past[..., None])
        state, hour, found = states[0], past[:, -1:], []
        for i in range(24):
            state = self.cell(hour, state)
            hour = self.out(state)
            found.append(hour)
            if future is not None:
                true = torch.rand(len(past), 1) < shown
                hour = torch.where(true, future[:, i : i + 1], hour)
        return torch.cat(found, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, future = batch
        shown = max(0.0, 1 - self.current_epoch / 8)
        loss = F.smooth_l1_loss(self(past, future, shown), future)
        self.log_dict({"train/huber": loss, "train/shown": shown})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/huber", F.smooth_l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=4e-3)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, 1.0, 60)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def decoder() -> Program:
    data, module = exchange.turnover(), TurnoverDecoder()
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 32), 14, partial(r2, module, data), trainer)


class Portfolio(LightningModule):
    """One net for every asset, weights by softmax, and the negative Sharpe ratio as the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp([3, 32, 16, 1], nn.LeakyReLU, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.net(x).squeeze(-1).softmax(-1)
        return weights

    def sharpe(self, batch: list[Tensor]) -> Tensor:
        x, returns = batch
        gain = (self(x) * returns).sum(1)
        ratio: Tensor = gain.mean() / (gain.std() + 1e-6)
        return ratio

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sharpe = self.sharpe(batch)
        self.log("sharpe/train", math.sqrt(252) * sharpe)
        return -sharpe

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("sharpe/val", math.sqrt(252) * self.sharpe(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3, weight_decay=1e-4)


def portfolio() -> Program:
    data, module = exchange.signals(), Portfolio()

    @torch.no_grad()
    def score() -> float:
        module.eval()
        return module.sharpe([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 128, drop_last=True), 30, score)


class Hedger(LightningModule):
    """How much of a share to hold against a sold call, at each moment of its path.

    What is left of the loss is what trading twenty times cannot hedge.
    """

    def __init__(self, steps: int = 20) -> None:
        super().__init__()
        self.premium = nn.Parameter(torch.zeros(()))
        self.net = mlp([2, 32, 32, 1], nn.SiLU).append(nn.Sigmoid())
        self.register_buffer("left", torch.linspace(1, 1 / steps, steps))

    def forward(self, path: Tensor) -> Tensor:
        """What is lost at the end, in hundredths of the first price."""
        now, moves = path[:, :-1], path.diff(dim=1)
        left = self.get_buffer("left").expand_as(now)
        held = self.net(torch.stack([10 * now.log(), left], -1)).squeeze(-1)
        payoff = (path[:, -1] - 1).relu()
        lost: Tensor = 100 * (payoff - (held * moves).sum(1)) - self.premium
        return lost

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss: Tensor = self(batch[0]).square().mean()
        self.log("hedging_error", loss.sqrt())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_hedging_error", self(batch[0]).square().mean().sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def hedger() -> Program:
    """Scored by the error's deviation, in parts of that of the pay-off."""
    path, module = exchange.paths(), Hedger()
    train = DataLoader(TensorDataset(path[:3000]), 64, shuffle=True)
    test = DataLoader(TensorDataset(path[3000:]), 500)

    def score() -> float:
        error = outputs(module, path[3000:])
        payoff = 100 * (path[3000:, -1] - 1).relu()
        return (error.square().mean().sqrt() / payoff.std()).item()

    return Program(module, train, test, 15, score)


CASES = (
    Case("calls-priced-by-single-paths-and-slopes", Goal("R2", at_least=0.97), pricer),
    Case("payments-honest-ones-rebuilt", Goal("AUC", at_least=0.8), codec),
    Case("holdings-light-graph-pairs", Goal("pairs right", at_least=0.8), light_graph),
    Case("complaints-sparse-bag-of-pairs", Goal("accuracy", at_least=0.85), fast_text),
    Case("turnover-decoder-shown-less-and-less", Goal("R2", at_least=0.6), decoder),
    Case("portfolio-sharpe-of-softmax", Goal("daily sharpe", at_least=0.25), portfolio),
    Case("calls-hedged-twenty-times", Goal("relative error", at_most=0.3), hedger),
)  # fmt: skip
