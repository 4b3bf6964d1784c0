import gzip
from importlib.resources import files

import pytest

from torchvitals.datamodules.texts.build_synonyms import build
from torchvitals.datamodules.texts.stop_words import STOP_WORDS
from torchvitals.datamodules.texts.synonyms import in_the_form_of, synonym_table, synonyms_of

HEAD = "  1 The licence.  \n  2   \n  3 Its end.  \n"
DATA = {
    "noun": [
        "00000001 03 n 03 film 0 movie 0 motion_picture 0 001 @ 00000009 n 0000 | a form; a film",
        "00000002 03 n 02 Paris 0 lutetia 0 000 | a city",
        "00000003 03 n 0a ten 0 x 0 tenner 0 a1 0 d-ecade 0 the 0 tenfold 0 e 0 f 0 g 0 000 | ten",
    ],
    "verb": ["00000004 03 v 02 film 0 shoot 1 000 | take pictures"],
    "adj": ["00000005 00 s 02 galore(ip) 0 plentiful 0 000 | in numbers"],
    "adv": ["00000006 02 r 01 alone 0 000 | only one word"],
}


def test_the_table_is_built_of_single_words_in_lower_case(tmp_path):
    for part, lines in DATA.items():
        (tmp_path / f"data.{part}").write_text(HEAD + "\n".join(lines) + "\n")
    build(tmp_path, tmp_path)
    lines = gzip.decompress((tmp_path / "synonyms.txt.gz").read_bytes()).decode().splitlines()
    assert lines == ["film movie", "film shoot", "galore plentiful", "ten tenfold tenner"]
    assert (tmp_path / "WORDNET_LICENSE").read_text() == "The licence.\n\nIts end.\n"
    first = (tmp_path / "synonyms.txt.gz").read_bytes()
    build(tmp_path, tmp_path)
    assert (tmp_path / "synonyms.txt.gz").read_bytes() == first


def test_the_shipped_table_is_symmetric_sorted_and_free_of_stop_words():
    table = synonym_table()
    assert len(table) > 40_000
    assert list(table) == sorted(table)
    for word, others in table.items():
        assert list(others) == sorted(set(others) - {word})
        assert others
        assert all(word in table[other] for other in others)
    assert not STOP_WORDS & set(table)
    assert all(word.isalpha() and word.islower() and word.isascii() for word in table)
    with pytest.raises(TypeError):
        table["movie"] = ()


def test_the_licence_lies_next_to_the_table():
    folder = files("torchvitals.datamodules.texts")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in (
        folder.joinpath("WORDNET_LICENSE").read_text()
    )
    assert len(folder.joinpath("synonyms.txt.gz").read_bytes()) < 600_000


@pytest.mark.parametrize(
    ("word", "synonym", "expected"),
    [
        ("movie", "film", "film"),
        ("Movie", "film", "Film"),
        ("MOVIE", "film", "FILM"),
        ("mOviE", "film", "film"),
        ("movie's", "film", "film's"),
        ("Movie\u2019s", "film", "Film\u2019s"),
        ("MOVIE's", "film", "FILM's"),
    ],
)
def test_case_and_possessive_are_carried_over(word, synonym, expected):
    assert synonym in synonyms_of(word)
    assert in_the_form_of(word, synonym) == expected


@pytest.mark.parametrize("word", ["not", "The", "WAS", "123", "", "'s", "电", "movie-like", "café"])
def test_stop_words_and_others_have_no_synonyms(word):
    assert synonyms_of(word) == ()
