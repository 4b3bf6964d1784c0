"""10,605 snippets of movie reviews with ratings, as a source distribution ships them.

    pip download --no-deps --no-binary :all: vaderSentiment==0.5

Reference: Hutto and Gilbert 2014, "VADER: A parsimonious rule-based model for sentiment analysis
of social media text".
"""

import io
import tarfile
import zipfile
from pathlib import Path

ARCHIVE = "vaderSentiment-0.5.zip"
_INNER = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
_FILE = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def read_reviews(archive: str | Path = ARCHIVE) -> tuple[list[str], list[float]]:
    """Texts, and their mean ratings from -4 to 4, straight from the archive."""
    packed = zipfile.ZipFile(archive).read(_INNER)
    with tarfile.open(fileobj=io.BytesIO(packed)) as inner:
        file = inner.extractfile(_FILE)
        assert file is not None
        lines = file.read().decode("latin-1").splitlines()
    rows = [line.split("\t") for line in lines if line.strip()]
    return [row[2].strip() for row in rows], [float(row[1]) for row in rows]
