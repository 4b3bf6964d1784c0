"""Numbers of words by hashing: no vocabulary, and nothing to fit."""

from zlib import crc32

from .words import tokens


class HashedWords:
    """The number of a word is a hash of it, from 1 on; 0 is padding.

    It is CRC-32 and one, which is the same on every machine and in every process. TextClassifier
    hashes n-grams of such numbers to the rows of its embedding.

    Example:
        >>> HashedWords().encode("A film, a Film!")
        [3904355908, 2185543203, 3904355908, 2185543203, 2657877972]
    """

    def encode(self, text: str) -> list[int]:
        """Number of each token of ``text``."""
        return [crc32(token.encode("utf-8", "surrogatepass")) + 1 for token in tokens(text)]
