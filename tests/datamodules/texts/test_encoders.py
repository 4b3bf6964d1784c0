from collections import Counter
from zlib import crc32

import pytest
import torch

from torchvitals.datamodules.texts.encoded_texts import EncodedTexts, pad_numbers
from torchvitals.datamodules.texts.hashed_words import HashedWords
from torchvitals.datamodules.texts.vocabulary import Vocabulary
from torchvitals.datamodules.texts.words import tokens

TEXTS = ["b a", "A c, b!", "", "d? 😀 A", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Don't STOP!!", ["don't", "stop", "!", "!"]),
        ("5 € (or $6.50) ❤️", ["5", "€", "or", "$", "6.50", "❤"]),
        ("电影?", ["电", "影", "?"]),
    ],
)
def test_tokens_are_words_in_lower_case_and_symbols(text, expected):
    assert tokens(text) == expected


def test_hashes_are_positive_and_the_same_everywhere():
    numbers = HashedWords().encode("a A \ud800 电")
    assert numbers == [crc32(b"a") + 1] * 2 + [crc32("电".encode()) + 1]
    assert all(0 < number < 2**33 for number in numbers)
    # The check value of CRC-32, from its definition.
    assert HashedWords().encode("123456789") == [0xCBF43926 + 1]


def test_a_vocabulary_is_in_order_of_frequency_then_of_the_alphabet():
    counts = Counter(word for text in TEXTS for word in tokens(text))
    vocabulary = Vocabulary.of(TEXTS)
    assert vocabulary.words == ["a", "b", "c", "!", "?", "d", "😀"]
    assert [counts[word] for word in vocabulary.words] == [3, 2, 2, 1, 1, 1, 1]
    assert Vocabulary.of(reversed(TEXTS)).words == vocabulary.words
    assert Vocabulary.of(TEXTS, min_count=2).words == ["a", "b", "c"]
    assert Vocabulary.of(TEXTS, max_words=1).words == ["a"]
    assert len(vocabulary) == 9
    assert vocabulary.encode("new A, d") == [1, 2, 7]


@pytest.mark.parametrize("items", [[0], [2], [4, 2, 1, 1], range(5), torch.tensor([3, 0]), []])
@pytest.mark.parametrize("max_length", [None, 2])
def test_batches_are_padded_to_their_longest_text(items, max_length):
    vocabulary = Vocabulary.of(TEXTS)

    def encode(text):
        return vocabulary.encode(text)[:max_length]

    y = torch.arange(5)
    data = EncodedTexts(TEXTS, encode, y)
    x, labels = data.__getitems__(items)
    chosen = [int(item) for item in items]
    rows = [encode(TEXTS[item]) for item in chosen]
    assert x.shape == (len(rows), max([1, *map(len, rows)]))
    assert x.dtype == torch.int64
    assert [[n for n in row if n] for row in x.tolist()] == rows
    assert all(row[len(numbers) :].sum() == 0 for row, numbers in zip(x, rows, strict=True))
    assert labels.tolist() == chosen
    assert data.lengths.tolist() == [len(encode(text)) for text in TEXTS]


def test_texts_without_any_word_and_without_labels():
    data = EncodedTexts(["", "..."], HashedWords().encode)
    assert data.__getitems__([1, 0]).tolist() == [[0], [0]]
    assert data[0].tolist() == [0]
    assert EncodedTexts([], HashedWords().encode).__getitems__([]).shape == (0, 1)


def test_padding_holds_any_lengths():
    padded = pad_numbers(torch.tensor([5, 6, 7]), torch.tensor([0, 3, 0]))
    assert padded.tolist() == [[0, 0, 0], [5, 6, 7], [0, 0, 0]]
