"""Synonyms of English words, from WordNet (its licence: ``WORDNET_LICENSE``)."""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_POSSESSIVE = ("'s", "\u2019s")


@cache
def synonym_table() -> Mapping[str, tuple[str, ...]]:
    """Synonyms, sorted, of each single word in lower case that has some; read once.

    Two words are synonyms if they share one of WordNet's meanings. Stop words are not among them.

    Example:
        >>> synonym_table()["movie"]
        ('film', 'flick', 'pic', 'picture')
    """
    packed = files(__package__).joinpath("synonyms.txt.gz").read_bytes()
    found: dict[str, set[str]] = {}
    for line in gzip.decompress(packed).decode().splitlines():
        group = line.split()
        for word in group:
            found.setdefault(word, set()).update(group)
    return MappingProxyType({word: tuple(sorted(found[word] - {word})) for word in sorted(found)})


def synonyms_of(word: str) -> tuple[str, ...]:
    """Synonyms of ``word`` in any case, also with ``'s``, as the table has them.

    Example:
        >>> synonyms_of("Movie's")
        ('film', 'flick', 'pic', 'picture')
        >>> synonyms_of("not")
        ()
    """
    table = synonym_table()
    if word in table:
        return table[word]
    if word.islower() and word.isalpha():
        return ()
    return table.get(word.removesuffix(_ending(word)).lower(), ())


def in_the_form_of(word: str, synonym: str) -> str:
    """``synonym`` in the case of ``word``, with ``'s`` if ``word`` has it.

    Example:
        >>> in_the_form_of("Movie's", "film"), in_the_form_of("MOVIE", "film")
        ("Film's", 'FILM')
    """
    if word.islower() and word.isalpha():
        return synonym
    ending = _ending(word)
    stem = word.removesuffix(ending)
    if stem.isupper():
        synonym = synonym.upper()
    elif stem.istitle():
        synonym = synonym.capitalize()
    return synonym + ending


def _ending(word: str) -> str:
    return word[-2:] if word.endswith(_POSSESSIVE) else ""
