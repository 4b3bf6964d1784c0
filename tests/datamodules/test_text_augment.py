import copy
import pickle
import random
import re
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch

from torchvitals.datamodules import TextAugment
from torchvitals.datamodules.texts.stop_words import STOP_WORDS
from torchvitals.datamodules.texts.synonyms import synonym_table, synonyms_of
from torchvitals.datamodules.texts.words import split_words

OPERATIONS = ["synonym_replacement", "random_insertion", "random_swap", "random_deletion"]
REVIEW = (
    "The GREAT movie's end -- Café \u201cLumière\u201d, 3.50 a ticket -- isn't bad at all: a good, "
    "short, beautiful film and a big day for the little cinema, 电影 😀 (really)!"
)
HARD = {
    "empty": "",
    "spaces": "  \n",
    "no letters": "123 !!!",
    "emoji": "😀 ❤️ 👍🏽",
    "one word": "Good!",
    "one word without synonyms": "xyzzy",
    "stop words": "it was not that, and he is not here",
    "accents": "Señor Núñez née Lumière dîne au café",
    "Chinese": "我喜欢这部电影。",
    "Chinese and English": "good电movie影film",
    "Hindi": "मुझे यह फ़िल्म पसंद है",
    "review": REVIEW,
}


def words(text):
    return split_words(text)[1::2]


def gaps(text):
    return split_words(text)[::2]


def only(operation, share=0.1, **arguments):
    return TextAugment({operation: share}, **arguments)


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
@pytest.mark.parametrize("operations", ["eda", *OPERATIONS])
@pytest.mark.parametrize("n", [0, 1, 3, 13])
def test_data_20_exactly_n_variants_of_any_text(text, operations, n):
    augment = TextAugment(operations if operations == "eda" else {operations: 0.3})
    variants = augment(text, n)
    assert len(variants) == n
    assert all(isinstance(variant, str) for variant in variants)
    assert all(words(variant) for variant in variants) or not words(text)
    if len(words(text)) < 2 and not any(map(synonyms_of, words(text))):
        assert variants == [text] * n


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_swaps_keep_every_word_and_what_stands_between(text):
    for share in (0.1, 0.9):
        for variant in only("random_swap", share)(text, 20):
            assert Counter(words(variant)) == Counter(words(text))
            pairs = list(zip(gaps(text), gaps(variant), strict=True))
            assert all(old == new or (old, new) == ("", " ") for old, new in pairs)


def test_swapped_words_do_not_become_one():
    variants = set(only("random_swap")("see电x", 50))
    assert variants == {"电see x", "see x电", "x电see"}


def test_a_swap_changes_two_places():
    text = " ".join(f"w{i}" for i in range(10))
    for variant in only("random_swap", 0.1)(text, 50):
        changed = [a != b for a, b in zip(words(text), words(variant), strict=True)]
        assert sum(changed) == 2


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_deletion_keeps_a_part_of_the_words_in_their_order(text):
    for share in (0.1, 0.7, 1.0):
        for variant in only("random_deletion", share)(text, 20):
            rest = iter(words(text))
            assert all(word in rest for word in words(variant))
            signs = [re.sub(r"\s", "", "".join(gaps(t))) for t in (text, variant)]
            assert signs[0] == signs[1]
            if words(text):
                assert len(words(variant)) >= 1
            if share == 1 and words(text):
                assert len(words(variant)) == 1


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("good bad film", {"good bad", "good film", "bad film", "good", "bad", "film"}),
        ("Good, bad.", {"Good,.", ", bad."}),
        ("a (b) c", {"a () c", "a (b)", "(b) c", "(b)", "a ()", "() c"}),
        ("看电影", {"看电", "看影", "电影", "看", "电", "影"}),
        ("see 电 x", {"see 电", "see x", "电 x", "see", "电", "x"}),
        ("see电x", {"see电", "see x", "电x", "see", "电", "x"}),
    ],
)
def test_a_space_goes_with_the_deleted_word(text, possible):
    variants = set(only("random_deletion", 0.5)(text, 400)) - {text}
    assert variants == possible


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_replacement_puts_in_synonyms_of_single_occurrences(text):
    able = sum(bool(synonyms_of(word)) for word in words(text))
    for share in (0.1, 0.5, 1.0):
        for variant in only("synonym_replacement", share)(text, 20):
            assert gaps(variant) == gaps(text)
            pairs = zip(words(text), words(variant), strict=True)
            changed = [(old, new) for old, new in pairs if old != new]
            assert len(changed) == min(max(1, int(share * len(words(text)))), able)
            for old, new in changed:
                stem = re.sub("'s$", "", new.lower())
                assert stem in synonyms_of(old)
                assert old.lower() not in STOP_WORDS
                assert (old.isupper(), old.istitle()) == (new.isupper(), new.istitle())


def test_replacement_takes_one_of_two_equal_words():
    variants = only("synonym_replacement", 0.1)("movie movie", 200)
    replaced = Counter(words(variant).index("movie") for variant in variants)
    assert all(words(variant).count("movie") == 1 for variant in variants)
    assert 60 < replaced[0] < 140


@pytest.mark.parametrize("text", HARD.values(), ids=HARD.keys())
def test_insertion_adds_synonyms_of_other_than_stop_words(text):
    sources = [word for word in words(text) if synonyms_of(word)]
    possible = {other for word in sources for other in synonyms_of(word)}
    for share in (0.1, 0.5):
        count = max(1, int(share * len(words(text)))) if sources else 0
        for variant in only("random_insertion", share)(text, 20):
            rest = iter(words(variant))
            assert all(word in rest for word in words(text))
            added = Counter(words(variant)) - Counter(words(text))
            assert added.total() == count
            assert set(added) <= possible
            signs = [re.sub(r"\s", "", "".join(gaps(t))) for t in (text, variant)]
            assert signs[0] == signs[1]


def test_insertion_is_equally_often_at_each_place_the_end_among_them():
    text = "xa movie xb!"
    places = Counter()
    for variant in only("random_insertion")(text, 4000):
        (added,) = Counter(words(variant)) - Counter(words(text))
        places[words(variant).index(added)] += 1
        assert variant.endswith("!")
        assert "  " not in variant
    assert sorted(places) == [0, 1, 2, 3]
    assert all(abs(count - 1000) < 5 * (4000 * 3 / 16) ** 0.5 for count in places.values())


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_rates_are_the_shares(share):
    text = " ".join(["movie", "doctor"] * 20)
    variants = only("random_deletion", share)(text, 2000)
    kept = sum(len(words(variant)) for variant in variants) / (40 * 2000)
    deviation = (share * (1 - share) / (40 * 2000)) ** 0.5
    assert abs(1 - kept - share) < 5 * deviation
    for variant in only("random_insertion", share)(text, 20):
        assert len(words(variant)) == 40 + int(share * 40)


def test_each_position_and_each_synonym_is_drawn_equally_often():
    text, count = "movie xa movie xb movie", 6000
    positions, choices = Counter(), Counter()
    for variant in only("synonym_replacement")(text, count):
        changed = [a != b for a, b in zip(words(text), words(variant), strict=True)]
        place = changed.index(True)
        assert sum(changed) == 1
        positions[place] += 1
        choices[words(variant)[place]] += 1
    assert sorted(positions) == [0, 2, 4]
    assert sorted(choices) == list(synonym_table()["movie"])
    for counts in (positions, choices):
        share = 1 / len(counts)
        tolerance = 5 * (count * share * (1 - share)) ** 0.5
        assert all(abs(value - count * share) < tolerance for value in counts.values())


def kind(text, variant):
    before, after = words(text), words(variant)
    if len(before) != len(after):
        return OPERATIONS[1] if len(after) > len(before) else OPERATIONS[3]
    return OPERATIONS[2] if Counter(before) == Counter(after) else OPERATIONS[0]


def test_the_operations_take_turns():
    text = " ".join(f"movie w{i}" for i in range(50))
    variants = TextAugment()(text, 400)
    assert all(
        Counter(kind(text, variant) for variant in variants[i : i + 4]) == Counter(OPERATIONS)
        for i in range(0, 400, 4)
    )
    first = Counter(kind(text, TextAugment(seed=seed)(text)[0]) for seed in range(400))
    assert all(abs(first[operation] - 100) < 45 for operation in OPERATIONS)
    # What has no words to work on gives its turn to the others.
    mixed = TextAugment({"synonym_replacement": 0.1, "random_deletion": 0.99})("w1 w2 w3 w4", 20)
    assert all(len(words(variant)) < 4 for variant in mixed)


def test_p_is_the_probability_of_any_change():
    text = "movie " * 40
    for p, expected in ((0.0, 2000), (0.25, 1500), (1.0, 0)):
        variants = only("synonym_replacement", p=p)(text, 2000)
        assert abs(variants.count(text) - expected) <= (100 if 0 < p < 1 else 0)


@pytest.mark.parametrize("operations", ["none", {}, {"random_swap": 0}])
def test_no_operation_gives_the_text_back(operations):
    augment = TextAugment(operations)
    state = augment.generator.getstate()
    assert augment(REVIEW, 3) == [REVIEW] * 3
    assert augment.generator.getstate() == state


def test_data_2_and_3_draws_depend_on_seed_epoch_and_index_alone():
    augment, other = TextAugment(seed=4), TextAugment(seed=4, generator=random.Random(9))
    whole = [augment(REVIEW, 3, index=i, epoch=2) for i in range(30)]
    assert [other(REVIEW, 3, index=i, epoch=2) for i in reversed(range(30))] == whole[::-1]
    assert [augment(REVIEW, index=i, epoch=2) for i in range(30)] == [v[:1] for v in whole]
    for changed in (
        [augment(REVIEW, 3, index=i, epoch=3) for i in range(30)],
        [augment(REVIEW, 3, index=i + 30, epoch=2) for i in range(30)],
        [TextAugment(seed=5)(REVIEW, 3, index=i, epoch=2) for i in range(30)],
        [TextAugment(seed=-4)(REVIEW, 3, index=i, epoch=2) for i in range(30)],
    ):
        assert sum(a == b for a, b in zip(whole, changed, strict=True)) < 3
    assert len({tuple(variants) for variants in whole}) > 27


def test_data_4_no_global_generator_is_touched():
    states = random.getstate(), torch.get_rng_state()
    augment = TextAugment()
    augment(REVIEW, 20)
    augment(REVIEW, 20, index=3)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


SCRIPT = """
from torchvitals.datamodules import TextAugment
text = "The doctor saw a great movie, twice, and liked its sad end."
print(TextAugment(seed=3)(text, 40), TextAugment(seed=3)(text, 40, index=7, epoch=1))
"""


def test_variants_do_not_depend_on_the_hash_seed():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 80 * 50


def test_ten_thousand_words_take_a_thousand_times_as_long_as_ten():
    text = "A truly good movie, and a short one, again. "

    def seconds(augment, times):
        start = time.process_time()
        assert len(augment(text * times, 5)) == 5
        return time.process_time() - start

    for operation in OPERATIONS:
        for share in (0.1, 1.0):
            augment = only(operation, share)
            augment(text)
            short = max(seconds(augment, 110) for _ in range(3))
            # Three times what is due; a square would be ten times.
            assert min(seconds(augment, 1100) for _ in range(3)) < 30 * short + 0.01


def test_state_goes_on_and_the_augmentation_pickles(tmp_path):
    augment = TextAugment(seed=1)
    augment(REVIEW, 3)
    torch.save(augment.state_dict(), tmp_path / "state.pt")
    resumed = TextAugment(seed=5)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    packed = pickle.dumps(augment)
    assert len(packed) < 20_000
    copies = [resumed, copy.deepcopy(augment), pickle.loads(packed)]
    expected = augment(REVIEW, 5)
    assert all(other(REVIEW, 5) == expected for other in copies)


@pytest.mark.parametrize(
    ("operations", "arguments", "error", "message"),
    [
        ("ead", {}, ValueError, "Did you mean 'eda'"),
        ({"synonyms": 0.1}, {}, ValueError, "Did you mean 'synonym_replacement'"),
        ({"random_swap": 1.5}, {}, ValueError, "`random_swap` between 0 and 1, but got 1.5"),
        ({"random_swap": float("nan")}, {}, ValueError, "`random_swap`"),
        ({"random_swap": "much"}, {}, TypeError, "`random_swap` to be a number"),
        ({"random_swap": True}, {}, TypeError, "True"),
        (["random_swap"], {}, TypeError, "mapping of names to fractions"),
        ("eda", {"p": -1}, ValueError, "`p` between 0 and 1, but got -1"),
    ],
)
def test_wrong_arguments_say_what_to_do(operations, arguments, error, message):
    with pytest.raises(error, match=message):
        TextAugment(operations, **arguments)


def test_wrong_texts_and_numbers_say_what_to_do():
    with pytest.raises(TypeError, match="`text` to be a string, but got list"):
        TextAugment()(["a", "b"])
    with pytest.raises(ValueError, match="`n` to be at least 0, but got -1"):
        TextAugment()("a", -1)
