"""What it costs to prepare a table, and to walk over its batches.

The same table of numbers with missing values and categories as a csv file, a parquet file and a
data frame: read, split, filled, standardised and one-hot by TabularDataModule, and by pandas with
scikit-learn's ColumnTransformer, the usual recipe. Then an epoch of shuffled batches of 256, beside
torch's DataLoader over a TensorDataset. All in one process and one thread, taking turns; the least
of the rounds.

    python benchmarks/table_preparation.py [--rows 100000] [--rounds 5]

It needs pandas and pyarrow.
"""

import argparse
import gc
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler
from timing import be_quiet, machine, now
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.datamodules import TabularDataModule

NUMBERS, CATEGORIES, BATCH = 8, (5, 10, 20, 50), 256


def make_frame(rows: int) -> pandas.DataFrame:
    draws = np.random.default_rng(0)
    frame = pandas.DataFrame({f"number{i}": draws.normal(i, 5, rows) for i in range(NUMBERS)})
    frame = frame.mask(draws.random(frame.shape) < 0.05)
    for i, count in enumerate(CATEGORIES):
        frame[f"category{i}"] = [f"c{code}" for code in draws.integers(0, count, rows)]
    frame["label"] = draws.choice(["no", "perhaps", "yes"], rows)
    return frame


def recipe(frame: pandas.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
    """The usual one: statistics of the training split, all rows transformed."""
    labels = LabelEncoder().fit_transform(frame["label"])
    features = frame.drop(columns="label")
    rest, _ = train_test_split(np.arange(len(frame)), test_size=0.2, stratify=labels)
    train, _ = train_test_split(rest, test_size=0.1875, stratify=labels[rest])
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    both = ColumnTransformer(
        [
            ("numbers", numbers, [name for name in features if name.startswith("number")]),
            ("categories", one_hot, [name for name in features if name.startswith("category")]),
        ]
    ).fit(features.iloc[train])
    return torch.from_numpy(both.transform(features)).float(), torch.from_numpy(labels)


def ours(data: Any) -> TabularDataModule:
    module = TabularDataModule(data, "label", batch_size=BATCH)
    module.setup("fit")
    return module


def seconds(call: Callable[[], object]) -> float:
    gc.collect()
    start = now("cpu")
    call()
    return now("cpu") - start


def compare(name: str, usual: Callable[[], object], own: Callable[[], object], rounds: int) -> str:
    usual(), own()
    times = [(seconds(usual), seconds(own)) for _ in range(rounds)]
    theirs, mine = (min(column) for column in zip(*times, strict=True))
    return f"{name:20}{theirs:12.3f} s{mine:12.3f} s{mine / theirs:9.2f}"


def walk(loader: Any) -> None:
    for _ in loader:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    be_quiet()
    frame = make_frame(options.rows)
    lines = [
        f"{machine('cpu')}, pandas {pandas.__version__}",
        f"{options.rows} rows, {NUMBERS} columns of numbers, {len(CATEGORIES)} of categories",
        f"{'':20}{'usual':>14}{'ours':>14}{'ratio':>9}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        text, binary = Path(folder, "table.csv"), Path(folder, "table.parquet")
        frame.to_csv(text, index=False)
        frame.to_parquet(binary)
        for name, usual, own in (
            ("csv file", lambda: recipe(pandas.read_csv(text)), lambda: ours(text)),
            ("parquet file", lambda: recipe(pandas.read_parquet(binary)), lambda: ours(binary)),
            ("data frame", lambda: recipe(frame), lambda: ours(frame)),
        ):
            lines.append(compare(name, usual, own, options.rounds))
    module, data = ours(frame), TensorDataset(*recipe(frame))
    train = torch.utils.data.Subset(data, module._splits["train"].tolist())
    usual_loader = DataLoader(train, BATCH, shuffle=True)
    loader = module.train_dataloader()
    walks = (lambda: walk(usual_loader)), (lambda: walk(loader))
    lines.append(compare("epoch of batches", *walks, options.rounds))
    text = "\n".join(lines)
    print(text)
    (Path(__file__).with_name("results") / "table_preparation_cpu.txt").write_text(text + "\n")


if __name__ == "__main__":
    main()
