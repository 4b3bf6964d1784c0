"""Augmentation of a text by small edits of its words."""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from ..functional.arguments import plain_value
from ..functional.choices import choose
from .texts.edits import (
    SplitText,
    delete_words,
    insert_synonyms,
    replace_by_synonyms,
    swap_words,
)

Edit = Callable[[SplitText, float, Random], str]

_EDITS: dict[str, Edit] = {
    "synonym_replacement": replace_by_synonyms,
    "random_insertion": insert_synonyms,
    "random_swap": swap_words,
    "random_deletion": delete_words,
}
_PRESETS: dict[str, dict[str, float]] = {"none": {}, "eda": dict.fromkeys(_EDITS, 0.1)}
_64_BITS = 2**64 - 1


class TextAugment:
    """Create variants of a text, each by one of the four operations of easy data augmentation.

    ``operations`` maps names to the fraction of a text's words that they change:

    - ``synonym_replacement``: words are replaced by synonyms, in the same case;
    - ``random_insertion``: synonyms of words are inserted at random positions;
    - ``random_swap``: two words are swapped;
    - ``random_deletion``: each word is deleted with this probability, but never all of them.

    The first three change this fraction of the words, rounded down, but at least one word. The
    operations take turns in random order, without those that a text has no words for. Punctuation,
    spaces, and case, digits and accents of the other words are kept. A word is a run of letters,
    digits and marks of any script, or one Chinese character. Synonyms are those of WordNet, for
    English words; stop words have none. In languages that are written without spaces, such as
    Thai, whatever stands between spaces counts as a word.

    Args:
        operations: ``"eda"`` (each of them, 0.1), ``"none"``, or a mapping as above.
        generator: Source of the random draws; None creates one from ``seed``.
        seed: Seed of the created generator and of draws by index.
        p: Probability that a variant differs from the text at all.

    Raises:
        ValueError: If a name is unknown or a number is out of range.
        TypeError: If ``operations`` is neither a name nor a mapping to numbers.

    Reference:
        Wei and Zou 2019, "EDA: Easy data augmentation techniques for boosting performance on
        text classification tasks", section 2.

    Example:
        >>> augment = TextAugment(seed=1)
        >>> for variant in augment("A truly good movie, and a short one.", n=3):
        ...     print(variant)
        A truly proficient movie, and a short one.
        A truly, and a short.
        A truly good short, and a movie one.
    """

    def __init__(
        self,
        operations: str | Mapping[str, float] = "eda",
        generator: Random | None = None,
        *,
        seed: int = 0,
        p: float = 1.0,
    ) -> None:
        self.operations = _parse(operations)
        self.seed = seed
        self.p = _share("p", p)
        self.generator = Random(seed) if generator is None else generator

    def __call__(
        self, text: str, n: int = 1, *, index: int | None = None, epoch: int = 0
    ) -> list[str]:
        """Create exactly ``n`` variants of ``text``.

        Args:
            text: Any text; one without words is returned as it is.
            n: Number of variants.
            index: Index of the text in its data set: the draws then depend only on (seed, epoch,
                index), not on the generator.
            epoch: Epoch, for draws by index.

        Returns:
            List of ``n`` texts; the first ones are the same whatever ``n`` is.

        Raises:
            ValueError: If ``n`` is negative.
            TypeError: If ``text`` is not a string.
        """
        if not isinstance(text, str):
            raise TypeError(f"Expected `text` to be a string, but got {type(text).__name__}.")
        if n < 0:
            raise ValueError(f"Expected `n` to be at least 0, but got {n}.")
        source = self.generator if index is None else self._keyed(epoch, index)
        split = SplitText(text)
        turns = self._turns(split, source)
        variants = []
        for _ in range(n):
            changes = self.p == 1 or source.random() < self.p
            name = next(turns, None) if changes else None
            variants.append(
                text if name is None else _EDITS[name](split, self.operations[name], source)
            )
        return variants

    def state_dict(self) -> dict[str, Any]:
        """Return the generator's state, so that a resumed run continues with the same draws."""
        return {"generator": self.generator.getstate()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the draws of ``state_dict``."""
        version, internal, gauss = state["generator"]
        self.generator.setstate((version, tuple(internal), gauss))

    def _turns(self, text: SplitText, source: Random) -> Iterator[str]:
        """Yield names of operations in rounds of random order, without those that do not apply."""
        names = list(self.operations)
        while names:
            for name in sorted(names, key=lambda name: source.random()):
                if _applies(name, text):
                    yield name
                else:
                    names.remove(name)

    def _keyed(self, epoch: int, index: int) -> Random:
        # Python's seeding mixes all bits of a long integer, so the three are concatenated into one.
        key = 0
        for part in (self.seed, epoch, index):
            key = key << 64 | (int(part) & _64_BITS)
        return Random(key)


def _parse(operations: str | Mapping[str, float]) -> dict[str, float]:
    if isinstance(operations, str):
        return choose("operations", operations, _PRESETS).copy()
    if not isinstance(operations, Mapping):
        raise TypeError(
            f"Expected `operations` to be a preset's name or a mapping of names to fractions, but "
            f"got {operations!r}."
        )
    for name in operations:
        choose("operations", name, _EDITS)
    # In a fixed order, so that equal mappings give equal draws.
    shares = {name: _share(name, operations[name]) for name in _EDITS if name in operations}
    return {name: share for name, share in shares.items() if share > 0}


def _share(name: str, value: float) -> float:
    value = plain_value(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"Expected `{name}` to be a number, but got {value!r}.")
    if not 0 <= value <= 1:
        raise ValueError(f"Expected `{name}` between 0 and 1, but got {value}.")
    return value


def _applies(name: str, text: SplitText) -> bool:
    if name in ("synonym_replacement", "random_insertion"):
        return bool(text.replaceable)
    return len(text.words) > 1
