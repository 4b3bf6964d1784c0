"""Numbers of words by a vocabulary of the training split."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .words import tokens

PADDING, UNKNOWN = 0, 1
_SPECIAL = 2


class Vocabulary:
    """Words by number: 0 is padding, 1 any word that is not in it, 2 the most frequent word.

    Args:
        words: From number 2 on.

    Raises:
        ValueError: If a word comes twice.

    Example:
        >>> vocabulary = Vocabulary.of(["a good film", "a bad film", "a film"], min_count=2)
        >>> vocabulary.words
        ['a', 'film']
        >>> vocabulary.encode("A new film")
        [2, 1, 3]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(self.words, _SPECIAL)}
        if len(self._numbers) != len(self.words):
            raise ValueError("Expected each word of a vocabulary once, but some come twice.")

    @classmethod
    def of(
        cls, texts: Iterable[str], *, min_count: int = 1, max_words: int | None = None
    ) -> "Vocabulary":
        """The words of some texts, the most frequent first, equally frequent ones by alphabet.

        Args:
            texts: Texts of the training split.
            min_count: How often a word must come.
            max_words: How many words are kept at most; None keeps all.
        """
        counts = Counter(token for text in texts for token in tokens(text))
        frequent = [word for word in counts if counts[word] >= min_count]
        return cls(sorted(frequent, key=lambda word: (-counts[word], word))[:max_words])

    def __len__(self) -> int:
        """Numbers in all, padding and unknown among them."""
        return len(self.words) + _SPECIAL

    def encode(self, text: str) -> list[int]:
        """Number of each token of ``text``."""
        return [self._numbers.get(token, UNKNOWN) for token in tokens(text)]
