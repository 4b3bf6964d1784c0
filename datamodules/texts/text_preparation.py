"""Class names and token ids, fitted or restored from a checkpoint."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ...functional.choices import choose
from .encoded_texts import EncodedTexts
from .hashed_words import HashedWords
from .text_source import TextSource, sorted_names
from .vocabulary import Vocabulary

Encoding = Literal["hashed", "vocabulary"]


class TextPreparation:
    """Convert texts and labels to integers.

    Args:
        encoding: ``"hashed"`` or ``"vocabulary"``.
        min_count: Minimum number of occurrences of a vocabulary word in the training split.
        max_words: Maximum number of words in a vocabulary.
        max_length: Number of words to keep of each text, from its beginning.

    Raises:
        ValueError: If ``encoding`` is unknown.

    Example:
        >>> prepared = TextPreparation("vocabulary")
        >>> prepared.fit_words(["a good film", "a film"])
        >>> prepared.state_dict()
        {'class_names': [], 'words': ['a', 'film', 'good']}
    """

    def __init__(
        self,
        encoding: Encoding,
        *,
        min_count: int = 1,
        max_words: int | None = None,
        max_length: int | None = None,
    ) -> None:
        choose("encoding", encoding, {"hashed": 0, "vocabulary": 0})
        self.encoding, self.max_length = encoding, max_length
        self.min_count, self.max_words = min_count, max_words
        self.class_names: list[str] = []
        self.encoder: HashedWords | Vocabulary | None = None
        if encoding == "hashed":
            self.encoder = HashedWords()

    @property
    def fitted(self) -> bool:
        """Whether there are classes, and words if any are needed."""
        return bool(self.class_names) and self.encoder is not None

    def fit_classes(self, labels: Sequence[str]) -> None:
        """Set the classes from labels, unless there are some already."""
        self.class_names = self.class_names or sorted_names(labels)

    def fit_words(self, texts: Iterable[str]) -> None:
        """Set the words from texts, unless there are some already or none are needed."""
        if self.encoder is None:
            self.encoder = Vocabulary.of(texts, min_count=self.min_count, max_words=self.max_words)

    def encode(self, text: str) -> list[int]:
        """Return the ids of the first ``max_length`` words of a text."""
        if self.encoder is None:
            raise _unfitted("a vocabulary")
        return self.encoder.encode(text)[: self.max_length]

    def encoded(self, source: TextSource) -> EncodedTexts:
        """Encode all texts of a source, and their labels if it has any."""
        if source.labels is None:
            return EncodedTexts(source.texts, self.encode)
        if not self.class_names:
            raise _unfitted("class names")
        y = source.class_indices(self.class_names)
        return EncodedTexts(source.texts, self.encode, y)

    def state_dict(self) -> dict[str, Any]:
        """Return the class names, and the words of a vocabulary."""
        words = self.encoder.words if isinstance(self.encoder, Vocabulary) else None
        return {"class_names": list(self.class_names), "words": words}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Restore a state; return whether it differs from the current one.

        Raises:
            ValueError: If it has the other encoding.
        """
        words = state["words"]
        if (words is None) != (self.encoding == "hashed"):
            raise ValueError(
                f"Expected the checkpoint's `encoding`, but got {self.encoding!r}. Set "
                f"`encoding={'hashed' if words is None else 'vocabulary'!r}`."
            )
        if state == self.state_dict():
            return False
        self.class_names = list(state["class_names"])
        if words is not None:
            self.encoder = Vocabulary(words)
        return True


def _unfitted(what: str) -> ValueError:
    return ValueError(
        f"Expected {what}, but got neither training texts nor a checkpoint. Pass `data` or "
        f"`ckpt_path`."
    )
