import string
import time
from random import Random

import pytest

from torchvitals.datamodules.texts import words
from torchvitals.datamodules.texts.words import split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("123 !!!", ["123"]),
        ("😀 ❤️ :-)", []),
        ("Don't, well-made e.g. it\u2019s", ["Don't", "well-made", "e", "g", "it\u2019s"]),
        ("'quoted' -dash- snake_case AT&T", ["quoted", "dash", "snake_case", "AT&T"]),
        ("3.50 1,000 12:30 2. 3rd v2.0b", ["3.50", "1,000", "12:30", "2", "3rd", "v2.0b"]),
        ("good.Bad film...end", ["good", "Bad", "film", "end"]),
        ("café cafe\u0301 naïve", ["café", "cafe\u0301", "naïve"]),
        ("我看电影。", ["我", "看", "电", "影"]),
        ("これは映画です", ["これは", "映", "画", "です"]),
        ("हिन्दी में नमस्ते", ["हिन्दी", "में", "नमस्ते"]),
        ("مُحَمَّد כתב", ["مُحَمَّد", "כתב"]),
        ("한국어 영화", ["한국어", "영화"]),
        ("ภาษาไทยดี", ["ภาษาไทยดี"]),
    ],
)
def test_words_of_many_scripts(text, expected):
    pieces = split_words(text)
    assert pieces[1::2] == expected
    assert "".join(pieces) == text


def test_plain_and_other_texts_are_split_alike():
    source = Random(0)
    letters = string.printable
    for _ in range(300):
        text = "".join(source.choices(letters + "'-.,:19ab" * 5, k=40))
        assert words._pattern(False).split(text) == split_words(text)


@pytest.mark.parametrize("unit", ["a", "a-", "1.", "'", "!", "e\u0301", "电", "a b "])
def test_time_grows_with_the_length_alone(unit):
    def seconds(text):
        start = time.process_time()
        split_words(text)
        return time.process_time() - start

    split_words(unit)
    short, long = unit * 5_000, unit * 50_000
    # Twenty-fold where ten-fold is due; a square would be a hundred-fold.
    assert min(seconds(long) for _ in range(3)) < 20 * max(seconds(short) for _ in range(3)) + 0.01
