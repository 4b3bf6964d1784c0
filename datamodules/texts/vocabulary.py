"""Token ids by a vocabulary of the training split."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .words import tokens

PADDING, UNKNOWN = 0, 1
_SPECIAL = 2


class Vocabulary:
    """Words and their ids: 0 is padding, 1 any unknown word, 2 the most frequent word.

    Args:
        words: Words from id 2 on.

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

    @classmethod
    def of(
        cls, texts: Iterable[str], *, min_count: int = 1, max_words: int | None = None
    ) -> "Vocabulary":
        """Collect the words of texts, most frequent first, equally frequent ones alphabetically.

        Args:
            texts: Texts of the training split.
            min_count: Minimum number of occurrences of a word.
            max_words: Maximum number of words; None keeps all.
        """
        counts = Counter(token for text in texts for token in tokens(text))
        frequent = [word for word in counts if counts[word] >= min_count]
        return cls(sorted(frequent, key=lambda word: (-counts[word], word))[:max_words])

    def __len__(self) -> int:
        """Return the number of ids, including padding and unknown."""
        return len(self.words) + _SPECIAL

    def encode(self, text: str) -> list[int]:
        """Return the id of each token of ``text``."""
        return [self._numbers.get(token, UNKNOWN) for token in tokens(text)]
