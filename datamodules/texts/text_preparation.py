"""Class names and numbers of words, fitted or taken over from a checkpoint."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ...functional.choices import choose
from .encoded_texts import EncodedTexts
from .hashed_words import HashedWords
from .text_source import TextSource, sorted_names
from .vocabulary import Vocabulary

Encoding = Literal["hashed", "vocabulary"]


class TextPreparation:
    """What turns texts and labels into numbers.

    Args:
        encoding: ``"hashed"`` or ``"vocabulary"``.
        min_count: How often a word of the vocabulary comes in the training split.
        max_words: How many words a vocabulary has at most.
        max_length: Words of a text that count, from its beginning.

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
        """Take the classes of these labels, unless there are some."""
        self.class_names = self.class_names or sorted_names(labels)

    def fit_words(self, texts: Iterable[str]) -> None:
        """Take the words of these texts, unless there are some or none are needed."""
        if self.encoder is None:
            self.encoder = Vocabulary.of(texts, min_count=self.min_count, max_words=self.max_words)

    def encode(self, text: str) -> list[int]:
        """Numbers of the words of a text that count."""
        if self.encoder is None:
            raise _unfitted("a vocabulary")
        return self.encoder.encode(text)[: self.max_length]

    def encoded(self, source: TextSource) -> EncodedTexts:
        """All texts of a source, and the indices of their labels, if it has some."""
        if source.labels is None:
            return EncodedTexts(source.texts, self.encode)
        if not self.class_names:
            raise _unfitted("class names")
        y = source.class_indices(self.class_names)
        return EncodedTexts(source.texts, self.encode, y)

    def state_dict(self) -> dict[str, Any]:
        """Class names, and the words of a vocabulary."""
        words = self.encoder.words if isinstance(self.encoder, Vocabulary) else None
        return {"class_names": list(self.class_names), "words": words}

    def load_state_dict(self, state: dict[str, Any]) -> bool:
        """Take over the state; whether it differs from what was there.

        Raises:
            ValueError: If it is of the other encoding.
        """
        words = state["words"]
        if (words is None) != (self.encoding == "hashed"):
            raise ValueError(
                f"Expected the checkpoint's `encoding`, but got {self.encoding!r}. Give "
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
        f"Expected {what}, but got neither training texts nor a checkpoint. Give `data` or "
        f"`ckpt_path`."
    )
