"""Data made up for an exchange: bars, payments, holdings, complaints, turnover and options."""

import math
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from data_sets.samples import Samples

INVESTORS, FUNDS, QUARTERS = 240, 100, 4
PRODUCTS = (
    "card credit limit plastic chip contactless",
    "loan mortgage interest instalment lender borrower",
    "transfer iban wire recipient payee remittance",
    "app login password website device fingerprint",
)
SETTLED = ("solved", "refunded", "settled", "helpful", "satisfied")


class Texts(NamedTuple):
    """Texts and their classes, to train and to measure on."""

    texts: list[str]
    y: Tensor
    texts_test: list[str]
    y_test: Tensor


def bars(stocks: int = 40, days: int = 160) -> tuple[Tensor, Tensor, Tensor]:
    """Daily returns, ranges and volumes; some of the smaller stocks are not traded every day."""
    g = torch.Generator().manual_seed(711)
    wild = torch.zeros(stocks, days)
    for day in range(1, days):
        wild[:, day] = 0.95 * wild[:, day - 1] + 0.3 * torch.randn(stocks, generator=g)
    sigma = 0.01 * (0.7 * wild).exp()
    returns = sigma * torch.randn(stocks, days, generator=g)
    ranges = sigma * (1.5 + 0.4 * torch.randn(stocks, days, generator=g).abs())
    size = 3 + 5 * torch.rand(stocks, 1, generator=g)
    volume = (size + 0.6 * wild + 0.5 * torch.randn(stocks, days, generator=g)).exp().floor()
    closed = (torch.rand(stocks, days, generator=g) < 0.02) & (size < 5)
    return returns, ranges, volume.masked_fill(closed, 0.0)


@cache
def regimes(tickers: int = 16, each: int = 150, length: int = 40) -> Samples:
    """Windows of returns, ticker after ticker, that trend, wander or turn back.

    A wild ticker moves thirty times as much as a calm one; all are scaled by one number.
    """
    g = torch.Generator().manual_seed(712)
    scale = torch.logspace(-1.5, 0, tickers)[torch.randperm(tickers, generator=g)]
    y = torch.randint(3, (tickers, each), generator=g)
    pull = 0.65 * (1.0 - y)
    x = torch.randn(tickers, each, length, generator=g)
    for i in range(1, length):
        x[..., i] = pull * x[..., i - 1] + (1 - pull**2).sqrt() * x[..., i]
    x = x * scale[:, None, None]
    x = (x / x.std())[..., None, :]
    cut = 2 * each // 3
    parts = (x[:, :cut], y[:, :cut], x[:, cut:], y[:, cut:])
    return Samples(*(part.flatten(0, 1) for part in parts))


@cache
def payments(count: int = 6000, rate: float = 0.12) -> Samples:
    """Fourteen principal components, the seconds since the first payment, and the amount."""
    g = torch.Generator().manual_seed(713)
    y = (torch.rand(count, generator=g) < rate).long()
    parts = torch.randn(count, 14, generator=g)
    way = torch.randint(0, 2, (count, 1), generator=g) * 2.0 - 1.0
    parts[:, :5] += 1.3 * way * y[:, None]
    parts[:, 5:8] -= 0.5 * y[:, None]
    seconds = 172_800 * torch.rand(count, generator=g)
    amount = (3.2 + 1.4 * torch.randn(count, generator=g) + 0.8 * y).exp()
    x = torch.cat([parts * torch.linspace(1.9, 0.4, 14), seconds[:, None], amount[:, None]], 1)
    cut = 2 * count // 3
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


@cache
def honest_payments(count: int = 3000) -> Samples:
    """Twelve features that hang together; in the payments of class 1 some of them do not.

    Those to train on are all honest.
    """
    g = torch.Generator().manual_seed(714)
    habit = torch.randn(count, 3, generator=g)
    mixing = torch.randn(3, 12, generator=g)
    x = torch.tanh(habit @ mixing) + 0.25 * torch.randn(count, 12, generator=g)
    y = torch.zeros(count, dtype=torch.long)
    cut = 2 * count // 3
    y[cut:] = (torch.rand(count - cut, generator=g) < 0.2).long()
    other = torch.tanh(torch.randn(count, 3, generator=g) @ mixing)
    swapped = torch.rand(count, 12, generator=g) < 0.5
    x = torch.where(swapped & (y[:, None] > 0), other, x)
    mean, deviation = x[:cut].mean(0), x[:cut].std(0)
    x = (x - mean) / deviation
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


@cache
def holdings(count: int = 15_000, tastes: int = 3) -> Samples:
    """Numbers of an investor, a fund and a quarter, and how much of it he wanted, standardised."""
    g = torch.Generator().manual_seed(715)
    investor, fund = (
        torch.randn(INVESTORS, tastes, generator=g),
        torch.randn(FUNDS, tastes, generator=g),
    )
    sizes = (INVESTORS, FUNDS, QUARTERS)
    x = torch.stack([torch.randint(n, (count,), generator=g) for n in sizes], 1)
    level = [0.4 * torch.randn(n, generator=g) for n in sizes]
    y = (investor[x[:, 0]] * fund[x[:, 1]]).sum(1) / math.sqrt(tastes)
    y = y + sum(level[i][x[:, i]] for i in range(3)) + 0.3 * torch.randn(count, generator=g)
    y = (y - y.mean()) / y.std()
    cut = 4 * count // 5
    return Samples(x[:cut], y[:cut], x[cut:], y[cut:])


@cache
def held(each: int = 16, kept: int = 3) -> tuple[Tensor, Tensor]:
    """Which funds each investor holds, a row for each; and those that he bought later."""
    g = torch.Generator().manual_seed(716)
    investor, fund = torch.randn(INVESTORS, 4, generator=g), torch.randn(FUNDS, 4, generator=g)
    wish = 1.5 * investor @ fund.T + 0.5 * torch.randn(FUNDS, generator=g)
    noise = -torch.log(-torch.log(torch.rand(INVESTORS, FUNDS, generator=g)))
    best = (wish + noise).topk(each + kept, 1).indices
    order = torch.rand(INVESTORS, each + kept, generator=g).argsort(1)
    best = best.gather(1, order)
    return best[:, :each], best[:, each:]


@cache
def complaints(pairs: bool, count: int = 3000) -> Texts:
    """What customers write about four products, settled or not: eight classes.

    Either only pairs of neighbouring words say which, or the word "not" does.
    """
    random = np.random.default_rng(717)
    fillers = [f"{a}{b}{c}" for a in "bdfgklmn" for b in "aeiou" for c in ("ra", "to", "sin", "ve")]
    texts, labels = [], []
    for _ in range(count):
        product, settled = int(random.integers(4)), int(random.integers(2))
        words = list(random.choice(fillers, int(random.integers(6, 11))))
        for word in random.choice(PRODUCTS[product].split(), 2, replace=False):
            words.insert(int(random.integers(len(words) + 1)), word)
        end = str(random.choice(SETTLED))
        words.insert(int(random.integers(len(words) + 1)), end if settled else f"not {end}")
        if pairs:
            other = "not ever" if settled else "ever"
            words.insert(int(random.integers(len(words) + 1)), other)
        texts.append(" ".join(words))
        labels.append(2 * product + settled)
    y, cut = torch.tensor(labels), 2 * count // 3
    return Texts(texts[:cut], y[:cut], texts[cut:], y[cut:])


def vocabulary(texts: list[str], least: int = 2) -> dict[str, int]:
    """Numbers of words from 2 on; 0 is for nothing, 1 for what is not known."""
    counts = Counter(word for text in texts for word in text.split())
    known = [word for word, count in counts.most_common() if count >= least]
    return {word: number for number, word in enumerate(known, 2)}


def encoded(texts: list[str], words: dict[str, int], width: int = 16) -> Tensor:
    rows = torch.zeros(len(texts), width, dtype=torch.long)
    for row, text in zip(rows, texts, strict=True):
        numbers = [words.get(word, 1) for word in text.split()[:width]]
        row[: len(numbers)] = torch.tensor(numbers)
    return rows


@cache
def turnover(past: int = 48, ahead: int = 24, count: int = 1500) -> Samples:
    """Hours of a market's turnover, standardised: a day's two humps, weekly level, and chance."""
    g = torch.Generator().manual_seed(718)
    hours = 24 * 7 * 40
    t = torch.arange(hours)
    day = torch.exp(-(((t % 24) - 9.5) ** 2) / 6) + 0.8 * torch.exp(-(((t % 24) - 15.5) ** 2) / 4)
    level = torch.zeros(hours)
    for i in range(1, hours):
        level[i] = 0.98 * level[i - 1] + 0.05 * torch.randn((), generator=g)
    week = torch.where(t // 24 % 7 < 5, 1.0, 0.4)
    series = day * week * level.exp() + 0.08 * torch.randn(hours, generator=g)
    series = (series - series.mean()) / series.std()
    cut = int(0.8 * hours)
    first = torch.randint(0, cut - past - ahead, (count,), generator=g)
    later = torch.randint(cut, hours - past - ahead, (count // 3,), generator=g)
    rows = torch.arange(past + ahead)
    train, test = series[first[:, None] + rows], series[later[:, None] + rows]
    return Samples(train[:, :past], train[:, past:], test[:, :past], test[:, past:])


def normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def call_prices(spot: Tensor, strike: Tensor, sigma: Tensor, years: Tensor) -> Tensor:
    """By Black and Scholes, without interest."""
    spread = sigma * years.sqrt()
    d1 = (spot / strike).log() / spread + spread / 2
    return spot * normal_cdf(d1) - strike * normal_cdf(d1 - spread)


@cache
def calls(count: int = 6000) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spot, strike, volatility, years; what one path of each call pays, its slope; its price."""
    g = torch.Generator().manual_seed(719)
    low, high = torch.tensor([60.0, 80.0, 0.1, 0.2]), torch.tensor([140.0, 120.0, 0.4, 1.5])
    x = low + (high - low) * torch.rand(count, 4, generator=g)
    spot, strike, sigma, years = x.unbind(1)
    shock = sigma * years.sqrt() * torch.randn(count, generator=g)
    growth = (shock - sigma**2 * years / 2).exp()
    payoff = (spot * growth - strike).relu()
    slope = growth * (payoff > 0)
    return x, payoff, slope, call_prices(spot, strike, sigma, years)


@cache
def paths(count: int = 4000, steps: int = 20, sigma: float = 0.2) -> Tensor:
    """A price from 1 on, at moments of one quarter of a year."""
    g = torch.Generator().manual_seed(720)
    spread = sigma * math.sqrt(0.25 / steps)
    moves = spread * torch.randn(count, steps, generator=g) - spread**2 / 2
    return torch.cat([torch.zeros(count, 1), moves.cumsum(1)], 1).exp()


@cache
def signals(days: int = 3000, assets: int = 8) -> Samples:
    """Three signals of each asset, and its return of the next day, mostly chance."""
    g = torch.Generator().manual_seed(721)
    x = torch.randn(days, assets, 3, generator=g)
    alpha = 0.3 * torch.tanh(x[..., 0]) - 0.2 * x[..., 1] * (x[..., 2] > 0)
    market = 0.3 * torch.randn(days, 1, generator=g)
    y = alpha + market + torch.randn(days, assets, generator=g)
    return Samples(x[:2000], y[:2000], x[2000:], y[2000:])
