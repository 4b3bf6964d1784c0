"""Synonyms of English words, from WordNet (its licence: ``WORDNET_LICENSE``)."""

import gzip
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_POSSESSIVE = ("'s", "\u2019s")


@cache
def synonym_table() -> Mapping[str, tuple[str, ...]]:
    """Return the sorted synonyms of each single lower-case word that has any; read once.

    Two words are synonyms if they share one of WordNet's meanings. Stop words are not included.

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
    """Return the synonyms of ``word``, in any case and also with ``'s``, as they are in the table.

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
    """Return ``synonym`` in the case of ``word``, with ``'s`` if ``word`` has it.

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
