r"""Build ``synonyms.txt.gz`` from the files of WordNet 3.0.

Each line holds the words of one meaning: the single lower-case words of one of WordNet's synonym
sets. Phrases, names, abbreviations and stop words are left out.

    apt-get install wordnet-base   # or the folder `dict` of WordNet 3.0
    python -m torchvitals.datamodules.texts.build_synonyms /usr/share/wordnet datamodules/texts
"""

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .stop_words import STOP_WORDS

PARTS = ("noun", "verb", "adj", "adv")


def read_groups(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the sorted words of each synonym set in one of WordNet's data files."""
    with path.open(encoding="ascii") as file:
        for line in file:
            # The lines of the licence at the top of each file are indented.
            if not line.startswith(" "):
                fields = line.split()
                count = int(fields[3], 16)
                # An adjective may be followed by its position: "galore(ip)".
                words = {word.partition("(")[0] for word in fields[4 : 4 + 2 * count : 2]}
                usable = {word for word in words if re.fullmatch("[a-z]{2,}", word)} - STOP_WORDS
                yield tuple(sorted(usable))


def read_licence(path: Path) -> str:
    """Read the licence at the top of one of WordNet's data files."""
    with path.open(encoding="ascii") as file:
        head = [line.strip().partition(" ")[2] for line in file if line.startswith("  ")]
    return "\n".join(head).rstrip() + "\n"


def build(source: Path, target: Path) -> None:
    """Write the table and the licence to the folder ``target``."""
    groups = {group for part in PARTS for group in read_groups(source / f"data.{part}")}
    lines = [" ".join(group) for group in sorted(groups) if len(group) > 1]
    # No time stamp, so that the bytes depend only on the words.
    packed = gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=9, mtime=0)
    (target / "synonyms.txt.gz").write_bytes(packed)
    (target / "WORDNET_LICENSE").write_text(read_licence(source / "data.noun"))


if __name__ == "__main__":
    build(*map(Path, sys.argv[1:]))
