import csv
import json

import numpy as np
import pytest
import torch

from torchvitals.datamodules.texts.readers import read_texts
from torchvitals.datamodules.texts.text_source import repeated_texts, sorted_names

TEXTS = ['He said: "good, really".', "Zwei\nZeilen, naïve 电影 😀", "", "plain\ttext"]
LABELS = ["pro", "con", "pro", "con"]


def delimited(path, delimiter, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "text", "label"])
        writer.writerows((i, *row) for i, row in enumerate(zip(TEXTS, LABELS, strict=True)))
    return path


def jsonl(path):
    rows = [{"text": a, "label": b, "more": [1]} for a, b in zip(TEXTS, LABELS, strict=True)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    return path


def folder(path):
    for number, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True)):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number}.txt").write_text(text, encoding="utf-8")
    (path / "readme.md").write_text("not a text")
    return path


SOURCES = {
    "csv": lambda path: delimited(path / "a.csv", ","),
    "csv of a spreadsheet": lambda path: delimited(path / "a.csv", ",", "utf-8-sig"),
    "tsv": lambda path: delimited(path / "a.tsv", "\t"),
    "jsonl": lambda path: jsonl(path / "a.jsonl"),
    "a path as text": lambda path: str(jsonl(path / "a.ndjson")),
    "lists": lambda path: (TEXTS, LABELS),
    "lists of a list": lambda path: [TEXTS, LABELS],
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("labelled", [True, False])
def test_texts_and_labels_come_as_they_are(name, labelled, tmp_path):
    source = read_texts(SOURCES[name](tmp_path), labelled=labelled)
    assert source.texts == TEXTS
    assert source.labels == (LABELS if labelled else None)


def test_quotes_within_a_text_stay_as_they_are(tmp_path):
    (tmp_path / "a.tsv").write_text('text\tlabel\nthe "best" film"\tp\n5" disc\t"n"\n')
    source = read_texts(tmp_path / "a.tsv")
    assert (source.texts, source.labels) == (['the "best" film"', '5" disc'], ["p", "n"])


def test_only_the_columns_that_are_read_must_be_there_once(tmp_path):
    (tmp_path / "a.csv").write_text("text,,label,\nx,1,p,2\n")
    assert read_texts(tmp_path / "a.csv").labels == ["p"]


def test_a_folder_is_read_sorted_by_path(tmp_path):
    source = read_texts(folder(tmp_path / "texts"))
    order = [1, 3, 0, 2]
    assert source.texts == [TEXTS[i] for i in order]
    assert source.labels == [LABELS[i] for i in order]
    assert source.place(1).endswith("con/3.txt")
    assert read_texts(str(tmp_path / "texts"), labelled=False).texts == source.texts


def test_a_folder_has_files_of_any_case_and_depth_but_none_that_are_hidden(tmp_path):
    folder(tmp_path / "texts")
    deeper = tmp_path / "texts" / "con" / "late" / "9.TXT"
    deeper.parent.mkdir()
    deeper.write_text("late")
    for name in (".ipynb_checkpoints/0.txt", "con/.late/0.txt", "pro/._0.txt"):
        hidden = tmp_path / "texts" / name
        hidden.parent.mkdir(exist_ok=True)
        hidden.write_bytes(b"\xff")
    (tmp_path / "texts" / "loose.txt").write_text("of no class")
    source = read_texts(tmp_path / "texts")
    assert source.texts == [TEXTS[1], TEXTS[3], "late", TEXTS[0], TEXTS[2]]
    assert source.labels == ["con", "con", "con", "pro", "pro"]
    unlabelled = read_texts(tmp_path / "texts", labelled=False)
    assert sorted(unlabelled.texts) == sorted([*source.texts, "of no class"])


@pytest.mark.parametrize("name", ["csv", "tsv", "jsonl"])
def test_names_of_files_end_in_any_case(name, tmp_path):
    SOURCES[name](tmp_path).rename(tmp_path / f"A.{name.upper()}")
    assert read_texts(tmp_path / f"A.{name.upper()}").texts == TEXTS


def test_blank_lines_before_the_header_are_skipped(tmp_path):
    (tmp_path / "a.csv").write_text("\n\ntext,label\nx,1\n")
    source = read_texts(tmp_path / "a.csv")
    assert (source.texts, source.place(0)) == (["x"], "line 4 of a.csv")


def test_texts_without_labels_can_be_one_list():
    assert read_texts(["a", "b"], labelled=False).texts == ["a", "b"]
    assert read_texts(["a", "b", "c"], labelled=False).labels is None


def test_columns_are_named_by_arguments(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("body,stars\nfine,5\nawful,1\n")
    source = read_texts(path, text_column="body", label_column="stars")
    assert (source.texts, source.labels) == (["fine", "awful"], ["5", "1"])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([2, 10, 1], ["1", "2", "10"]),
        (["2", "10", "-1"], ["-1", "2", "10"]),
        ([0.0, 1.0, 0.0], ["0", "1"]),
        (torch.tensor([1, 0, 3]), ["0", "1", "3"]),
        (["b", "a", "10"], ["10", "a", "b"]),
        ([True, False, True], ["False", "True"]),
        ([" a", "a ", "b"], ["a", "b"]),
    ],
)
def test_class_names_are_in_a_stable_order(labels, names):
    source = read_texts((["x", "y", "z"], labels))
    assert sorted_names(source.labels) == names
    restored = [names[i] for i in source.class_indices(names).tolist()]
    assert restored == source.labels


def test_repeated_texts_are_found_in_later_parts():
    parts = [["A b", "c", "A b"], ["a  B", "d"], ["c", "d", "e"]]
    assert repeated_texts(parts) == [[], [0], [0, 1]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "texts,label\nx,1\n", r"'text' in the header of a.csv.*Did you mean 'texts'"),
        ("a.csv", "text,label\nx,1\ny\n", r"2 cells.*line 3 of a.csv has 1"),
        ("a.csv", "text,label\nx,1\ny,1,2\n", r"line 3 of a.csv has 3"),
        ("a.csv", 'text,label\n"two\nlines",1\ny,\n', r"label, but line 4 of a.csv has none"),
        ("a.csv", "text,label\nx,  \n", r"line 2 of a.csv"),
        ("a.csv", "", r"header of a.csv, but got only nothing"),
        ("a.csv", "text,label\n", r"at least one text, but got none in a.csv"),
        ("a.csv", "text,label\n" + "x" * 140_000 + ",1\n", r"line 2 of a.csv.*jsonl"),
        ("a.tsv", "text,label\nx,1\n", r"of a.tsv to be separated by '\\t', but .*'text,label'"),
        ("a.csv", "text;label\nx;1\n", r"of a.csv to be separated by ',', but .*'text;label'"),
        ("a.csv", "text,label,text\nx,1,y\n", r"one column 'text' in the header of a.csv.* got 2"),
        (
            "a.csv",
            "label,text\n" + "p,good\n" * 200 + 'p,"broken quote\n' + "n,bad\n" * 800,
            r"row on line 202 of a.csv, but reading failed at line 1002.*Close the quote",
        ),
        (
            "a.csv",
            'label,text\np,fine\np,"broken quote\nn,"in quotes, with a comma"\nn,bad\n',
            r"row on line 3 of a.csv, but reading failed at line 4.*double each quote",
        ),
        (
            "a.tsv",
            'text\tlabel\n"Great film\tp\nok\tn\nbad" film\tp\n',
            r"row on line 2 of a.tsv, but reading failed at line 4.*literal.*jsonl.*pass lists",
        ),
        ("a.csv", r"text,label" + "\n" + r'"he said \"hi\" there",1' + "\n", r"line 2 of a.csv"),
        ("a.csv", 'text,"label\nx,1\n', r"row on line 1 of a.csv, but reading failed at line 2"),
        ("a.jsonl", '{"text": "x", "label": 1}\n{"text": \n', r"JSON on line 2 of a.jsonl"),
        ("a.jsonl", '{"text": "x", "lable": 1}\n', r"line 1 of a.jsonl.*Did you mean 'lable'"),
        ("a.jsonl", '["x", 1]\n', r"JSON object on line 1 of a.jsonl"),
        ("a.jsonl", '\n{"text": 5, "label": 1}\n', r"a text, but line 2 of a.jsonl has 5"),
        ("a.jsonl", '{"text": "x", "label": null}\n', r"line 1 of a.jsonl has none"),
        ("a.jsonl", '{"text": "x", "label": 1.5}\n', r"line 1 of a.jsonl has 1.5"),
        ("a.xlsx", "", r".csv, .tsv or .jsonl file or a folder.*'a.xlsx'"),
    ],
)
def test_data_22_errors_name_file_and_line(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_texts(path)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "pro/a.txt"])
def test_data_22_files_in_another_encoding_are_named(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes("text,label\nnaïve,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"{name}' to be text in UTF-8"):
        read_texts(path if path.suffix != ".txt" else tmp_path)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([True, False]), ["True", "False"]),
        (np.array([2, 1], np.int8), ["2", "1"]),
        (np.array([2, 1], np.float32), ["2", "1"]),
        (np.array(["b", "a"]), ["b", "a"]),
        (torch.tensor([True, False]), ["True", "False"]),
        (torch.tensor([2, 1]), ["2", "1"]),
    ],
)
def test_arrays_of_labels_are_read_as_lists_are(labels, names):
    assert read_texts((["x", "y"], labels)).labels == names
    assert read_texts((["x", "y"], labels.tolist())).labels == names


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("nowhere.csv", FileNotFoundError, "none at 'nowhere.csv'"),
        (5, TypeError, "got int"),
        (["a", "b"], TypeError, r"pair `\(texts, labels\)`"),
        ((["a"], [1, 2]), ValueError, "one label for each of 1 texts, but got 2"),
        (([], []), ValueError, "at least one text, but got none in the list"),
        ((["a", 5], [1, 2]), ValueError, "text 1 of the list has 5"),
        ((["a", "b"], ["x", ""]), ValueError, "text 1 of the list has none"),
    ],
)
def test_wrong_data_says_what_to_do(data, error, message):
    with pytest.raises(error, match=message):
        read_texts(data)


def test_an_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"a folder of \.txt files for each class"):
        read_texts(tmp_path)


def test_an_unknown_label_is_named():
    source = read_texts((["a", "b"], ["pro", "contra"]))
    with pytest.raises(
        ValueError, match=r"one of the labels 'con', 'pro', but text 1 .* has 'contra'"
    ):
        source.class_indices(["con", "pro"])


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_beyond_the_limit_of_python_says_so_and_how_to_read_it(quote, tmp_path):
    long = "word " * 30_000
    path = tmp_path / "data.csv"
    path.write_text(f"text,label\nshort,a\n{quote}{long}{quote},b\n")
    with pytest.raises(
        ValueError,
        match=r"on line 3 of data\.csv.*131072.*never closed.* a \.jsonl file.*csv\.field_",
    ):
        read_texts(path).texts[1]
    before = csv.field_size_limit(10**9)
    try:
        found = read_texts(path).texts[1]
    finally:
        csv.field_size_limit(before)
    assert found.strip() == long.strip()


@pytest.mark.parametrize("line", ["[" * 100_000, '{"text": "a", "label": ' + "9" * 5000 + "}"])
def test_json_that_python_gives_up_on_names_the_line(line, tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(f'{{"text": "a", "label": 1}}\n{line}\n')
    with pytest.raises(ValueError, match=r"Expected JSON on line 2 of data\.jsonl, but"):
        read_texts(path)
