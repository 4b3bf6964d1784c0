"""The four operations of easy data augmentation, on a text that is split once.

Each takes the split text, the fraction of its words to change and a source of random draws, and
returns a new text. Only ``Random.random`` is used, because it is the same in every Python release.
"""

from collections import defaultdict
from functools import cached_property
from itertools import pairwise
from random import Random

from .synonyms import in_the_form_of, synonyms_of
from .words import split_words

_CLOSING = ".,;:!?)]}\u2026"


class SplitText:
    """Words of a text, the gaps before, between and after them, and the words with synonyms.

    Args:
        text: Any text.

    Example:
        >>> SplitText("A good movie!").words
        ['A', 'good', 'movie']
    """

    def __init__(self, text: str) -> None:
        pieces = split_words(text)
        self.words, self.gaps = pieces[1::2], pieces[::2]

    @cached_property
    def replaceable(self) -> list[int]:
        """Positions of the words that have synonyms."""
        return [i for i, word in enumerate(self.words) if synonyms_of(word)]

    def count(self, share: float) -> int:
        """Convert a fraction of the words to their number, at least 1."""
        return max(1, int(share * len(self.words)))

    def joined(self, words: list[str]) -> str:
        """Return the text with its words replaced by others."""
        gaps = self.gaps
        if "" in gaps[1:-1]:
            parted = [
                gap or _space_between(*pair)
                for gap, pair in zip(gaps[1:-1], pairwise(words), strict=True)
            ]
            gaps = [gaps[0], *parted, gaps[-1]]
        pieces = [""] * (2 * len(words) + 1)
        pieces[::2], pieces[1::2] = gaps, words
        return "".join(pieces)


def replace_by_synonyms(text: SplitText, share: float, source: Random) -> str:
    """Replace a fraction of the words by synonyms in the same case.

    Each occurrence of a word is drawn separately, and none twice.
    """
    words, places = text.words.copy(), text.replaceable.copy()
    for done in range(min(text.count(share), len(places))):
        at = done + _below(len(places) - done, source)
        place, places[at] = places[at], places[done]
        words[place] = in_the_form_of(words[place], _synonym(words[place], source))
    return text.joined(words)


def insert_synonyms(text: SplitText, share: float, source: Random) -> str:
    """Insert synonyms of a fraction of the words, each at any position, including the end."""
    added: defaultdict[int, str] = defaultdict(str)
    for _ in range(text.count(share)):
        place = text.replaceable[_below(len(text.replaceable), source)]
        added[_below(len(text.words) + 1, source)] += _synonym(text.words[place], source) + " "
    words = [added[i] + word if i in added else word for i, word in enumerate(text.words)]
    if len(words) in added:
        words[-1] += " " + added[len(words)].rstrip()
    return text.joined(words)


def swap_words(text: SplitText, share: float, source: Random) -> str:
    """Swap two words, as often as the fraction says; the gaps between words are kept."""
    words, size = text.words.copy(), len(text.words)
    for _ in range(text.count(share)):
        first, second = _below(size, source), _below(size - 1, source)
        second += second >= first
        words[first], words[second] = words[second], words[first]
    return text.joined(words)


def delete_words(text: SplitText, share: float, source: Random) -> str:
    """Delete each word with the probability ``share``, but never all of them.

    A space is deleted with the word; punctuation is kept.
    """
    kept = [source.random() >= share for _ in text.words]
    if not any(kept):
        kept[_below(len(kept), source)] = True
    pieces, last = [text.gaps[0]], ""
    for word, stays, gap in zip(text.words, kept, text.gaps[1:], strict=True):
        if stays:
            pieces += (_space_between(last, word) + word if last else word, gap)
            last = "" if gap else word
            continue
        if pieces == [""]:
            gap = gap.lstrip()
        elif gap and (gap[0].isspace() or gap[0] in _CLOSING):
            pieces[-1] = pieces[-1].rstrip()
        if gap:
            pieces.append(gap)
            last = ""
    changed = "".join(pieces)
    return changed if text.gaps[-1] else changed.rstrip()


def _synonym(word: str, source: Random) -> str:
    choices = synonyms_of(word)
    return choices[_below(len(choices), source)]


def _space_between(before: str, after: str) -> str:
    """Return a space if the words would merge, as after deleting a Chinese word between them."""
    apart = len(split_words(before)) + len(split_words(after)) - 1
    return " " if len(split_words(before + after)) < apart else ""


def _below(count: int, source: Random) -> int:
    return int(source.random() * count)
