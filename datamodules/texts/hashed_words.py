"""Token ids by hashing: no vocabulary, and nothing to fit."""

from zlib import crc32

from .words import tokens


class HashedWords:
    """Token ids that are hashes of words, from 1 on; 0 is padding.

    They are CRC-32 plus one, which is the same on every machine and in every process.
    TextClassifier hashes n-grams of such ids to the rows of its embedding.

    Example:
        >>> HashedWords().encode("A film, a Film!")
        [3904355908, 2185543203, 3904355908, 2185543203, 2657877972]
    """

    def encode(self, text: str) -> list[int]:
        """Return the id of each token of ``text``."""
        return [crc32(token.encode("utf-8", "surrogatepass")) + 1 for token in tokens(text)]
