"""Test accuracy of movie reviews learnt from 500 texts, with and without augmentation.

Each seed draws other training texts, and another start of the network; all settings see the same
ones, so the difference to no augmentation is one of pairs. The last weights are tested, none are
chosen. Reviews are positive if their mean rating is.

    pip download --no-deps --no-binary :all: vaderSentiment==0.5
    python benchmarks/text_augmentation_helps.py [--reviews vaderSentiment-0.5.zip] [--seeds 10]
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from movie_reviews import ARCHIVE, read_reviews
from timing import be_quiet, machine

from torchvitals.datamodules import TextDataModule
from torchvitals.lightning_modules import TextClassifier

RESULTS = Path(__file__).with_name("results") / "text_augmentation_helps.txt"
TEST, EPOCHS, BATCH = 4000, 20, 50
OPERATIONS = ["synonym_replacement", "random_insertion", "random_swap", "random_deletion"]
SETTINGS: dict[str, dict[str, Any]] = {
    "no augmentation": {},
    "eda": {"augment": "eda"},
    "eda, shares 0.3": {"augment": dict.fromkeys(OPERATIONS, 0.3)},
    "eda, shares 0.5": {"augment": dict.fromkeys(OPERATIONS, 0.5)},
    "the same without synonyms": {"augment": dict.fromkeys(OPERATIONS[1:], 0.5)},
    **{f"{operation} 0.3": {"augment": {operation: 0.3}} for operation in OPERATIONS},
    "dropout 0.5": {"dropout": 0.5},
    "dropout 0.5, eda, shares 0.3": {"dropout": 0.5, "augment": dict.fromkeys(OPERATIONS, 0.3)},
}


def accuracy(
    texts: list[str], labels: list[int], size: int, seed: int, setting: dict[str, Any]
) -> float:
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    training, test = order[:size], order[-TEST:]
    data = TextDataModule(
        ([texts[i] for i in training], [labels[i] for i in training]),
        test_data=([texts[i] for i in test], [labels[i] for i in test]),
        augment=setting.get("augment"),
        batch_size=BATCH,
        val_fraction=0.0,
        seed=seed,
    )
    torch.manual_seed(seed)
    model = TextClassifier(
        2, buckets=2**14, embedding_dim=32, lr=3e-3, dropout=setting.get("dropout", 0.0)
    )
    trainer = Trainer(
        max_epochs=EPOCHS,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=data)
    (tested,) = trainer.test(model, datamodule=data, verbose=False)
    return tested["test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", default=ARCHIVE)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--size", type=int, default=500)
    arguments = parser.parse_args()
    be_quiet()
    texts, ratings = read_reviews(arguments.reviews)
    labels = [int(rating > 0) for rating in ratings]
    head = (
        f"{machine('cpu')}\n{arguments.size} training and {TEST} test texts, {arguments.seeds} "
        f"seeds, {EPOCHS} epochs: accuracy in %, mean and deviation; difference to no "
        f"augmentation, mean of pairs and its standard error"
    )
    lines = [head]
    print(head, flush=True)
    plain: list[float] = []
    for name, setting in SETTINGS.items():
        found = [
            100 * accuracy(texts, labels, arguments.size, seed, setting)
            for seed in range(arguments.seeds)
        ]
        plain = plain or found
        gains = [ours - theirs for ours, theirs in zip(found, plain, strict=True)]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        lines.append(
            f"{name:30} {statistics.mean(found):6.2f} ± {statistics.stdev(found):.2f}"
            f"   {statistics.mean(gains):+.2f} ± {error:.2f}"
        )
        print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
