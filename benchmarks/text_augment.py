"""Variants of a text per second: nlpaug's, textaugment's, and ours.

Each candidate makes one variant of each of the same movie reviews by one operation at a time, a
tenth of the words changed; all in one process and one thread, the candidates taking turns. nltk
reads WordNet from its own files, and its tagger, which nlpaug asks for each text, is replaced by
one that calls each word a noun at once: what it would cost is left out, to nlpaug's favour.

    pip install nlpaug textaugment nltk
    apt-get install wordnet-base       # as nltk_data/corpora/wordnet, with NLTK_DATA set
    pip download --no-deps --no-binary :all: vaderSentiment==0.5
    python benchmarks/text_augment.py [--reviews vaderSentiment-0.5.zip] [--rounds 15]
"""

import argparse
import importlib.util
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nltk
from movie_reviews import ARCHIVE, read_reviews
from timing import be_quiet, machine, now

from torchvitals.datamodules import TextAugment
from torchvitals.datamodules.texts.stop_words import STOP_WORDS

RESULTS = Path(__file__).with_name("results") / "text_augment.txt"
OPERATIONS = ["synonym_replacement", "random_insertion", "random_swap", "random_deletion"]
SHARE, TEXTS = 0.1, 300
Augment = Callable[[str], Any]


def nlpaug() -> dict[str, Augment]:
    from nlpaug.augmenter.word import RandomWordAug, SynonymAug

    nltk.pos_tag = lambda tokens, **arguments: [(token, "NN") for token in tokens]
    stop_words = sorted(STOP_WORDS)
    return {
        "synonym_replacement": SynonymAug(aug_p=SHARE, stopwords=stop_words).augment,
        "random_swap": RandomWordAug(action="swap", aug_p=SHARE).augment,
        "random_deletion": RandomWordAug(action="delete", aug_p=SHARE).augment,
    }


def textaugment() -> dict[str, Augment]:
    # Its one file alone: the package imports translators and embeddings beside it.
    nltk.download = lambda *arguments: True
    package = importlib.util.find_spec("textaugment")
    assert package is not None
    assert package.submodule_search_locations is not None
    path = Path(package.submodule_search_locations[0]) / "eda.py"
    spec = importlib.util.spec_from_file_location("eda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    theirs = module.EDA(stop_words=sorted(STOP_WORDS))

    def several(operation: Callable[[str, int], str]) -> Augment:
        return lambda text: operation(text, max(1, int(SHARE * len(text.split()))))

    return {
        "synonym_replacement": several(theirs.synonym_replacement),
        "random_insertion": several(theirs.random_insertion),
        "random_swap": several(theirs.random_swap),
        "random_deletion": lambda text: theirs.random_deletion(text, SHARE),
    }


def ours() -> dict[str, Augment]:
    return {operation: TextAugment({operation: SHARE}) for operation in OPERATIONS}


def measure(rounds: int, texts: list[str]) -> list[str]:
    """A row of variants per second for each operation, then the four in turn."""
    candidates = {"nlpaug": nlpaug(), "textaugment": textaugment(), "torchvitals": ours()}
    for operations in candidates.values():
        operations["each in turn"] = in_turn(list(operations.values()))
    candidates["torchvitals"]["each in turn"] = TextAugment("eda")
    seconds: dict[tuple[str, str], list[float]] = {}
    for round_ in range(rounds + 1):
        for name, operations in candidates.items():
            for operation, augment in operations.items():
                start = now("cpu")
                for text in texts:
                    augment(text)
                if round_:  # The first one reads the tables.
                    seconds.setdefault((operation, name), []).append(now("cpu") - start)
    return table(seconds, list(candidates), len(texts)) + several_at_once(texts, rounds)


def in_turn(augments: list[Augment]) -> Augment:
    turn = iter(lambda: random.choice(augments), None)
    return lambda text: next(turn)(text)


def table(seconds: dict[tuple[str, str], list[float]], names: list[str], count: int) -> list[str]:
    lines = [f"{'':22}" + "".join(f"{name:>14}" for name in names) + f"{'ours / theirs':>24}"]
    for operation in [*OPERATIONS, "each in turn"]:
        times = {n: seconds[operation, n] for n in names if (operation, n) in seconds}
        middle = {name: statistics.median(times[name]) for name in times}
        rates = [f"{count / min(times[n]):,.0f}" if n in times else "-" for n in names]
        ratios = [
            f"{middle[n] / middle[names[-1]]:.1f} x" if n in times else "-" for n in names[:-1]
        ]
        cells = "".join(f"{rate:>14}" for rate in rates)
        lines.append(f"{operation:22}{cells}" + "".join(f"{ratio:>12}" for ratio in ratios))
    return lines


def several_at_once(texts: list[str], rounds: int) -> list[str]:
    lines = []
    augment = TextAugment("eda")
    for n in (4, 16):
        times = []
        for _ in range(rounds):
            start = now("cpu")
            for text in texts:
                augment(text, n)
            times.append(now("cpu") - start)
        lines.append(
            f"torchvitals, {n:2} variants of a text at once: {n * len(texts) / min(times):,.0f}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reviews", default=ARCHIVE)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    be_quiet()
    texts = read_reviews(arguments.reviews)[0][:TEXTS]
    words = statistics.mean(len(text.split()) for text in texts)
    head = (
        f"{machine('cpu')}\nVariants per second, the best of {arguments.rounds} rounds of "
        f"{TEXTS} reviews of {words:.0f} words; ratios of the medians"
    )
    lines = [head, *measure(arguments.rounds, texts)]
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
