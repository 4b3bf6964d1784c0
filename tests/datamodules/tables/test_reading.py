import csv
import datetime
import gzip
from decimal import Decimal

import numpy as np
import pytest
import torch

from torchvitals.datamodules.tables.reading import read_table
from torchvitals.datamodules.tables.table import holds_numbers
from torchvitals.datamodules.tables.table_source import TableSource

CSV = """age,town,weight
31,Ulm, 70.5
NA,"St. Gallen, west",inf

8,?,-1e3
"""


def write(folder, text, name="data.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def columns(table):
    return {name: values.tolist() for name, values in table.columns.items()}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "txt"])
@pytest.mark.parametrize("signature", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_of_text(suffix, signature, end, tmp_path):
    text = signature + CSV.replace("\n", end)
    if suffix in ("tsv", "txt"):
        text = text.replace('"St. Gallen, west"', "St. Gallen| west")
        text = text.replace(",", "\t").replace("|", ",")
    path = write(tmp_path, text, f"data.{suffix}")
    if suffix == "csv.gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    table = read_table(path if suffix == "csv" else str(path), delimiter={"txt": "\t"}.get(suffix))
    assert columns(table) == {
        "age": ["31", None, "8"],
        "town": ["Ulm", "St. Gallen, west", None],
        "weight": ["70.5", "inf", "-1e3"],
    }
    np.testing.assert_array_equal(table.numbers("age"), [31, np.nan, 8])
    np.testing.assert_array_equal(table.numbers("weight"), [70.5, np.inf, -1000])
    assert table.place(2) == f"line 5 of data.{suffix}"


def test_a_cell_of_several_lines_counts_them(tmp_path):
    table = read_table(write(tmp_path, 'a,b\n"1\n\n2",x\n3,y\n'))
    assert columns(table) == {"a": ["1\n\n2", "3"], "b": ["x", "y"]}
    assert [table.place(row) for row in (0, 1)] == ["line 2 of data.csv", "line 5 of data.csv"]


def test_quotes_of_a_cell_that_are_doubled_or_within_it(tmp_path):
    table = read_table(write(tmp_path, 'a,b\n"say ""hi"", or",5" disc\n'))
    assert columns(table) == {"a": ['say "hi", or'], "b": ['5" disc']}


def test_a_file_without_a_header_and_one_with_an_unnamed_column(tmp_path):
    table = read_table(write(tmp_path, "1,2\n3,4\n"), column_names=["a", "b"])
    assert columns(table) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.place(0) == "line 1 of data.csv"
    assert list(read_table(write(tmp_path, ",a\n0,2\n")).columns) == ["unnamed_0", "a"]
    with pytest.raises(ValueError, match=r"Expected 0 cells.* line 1 of data.csv has 2: '1', '2'"):
        read_table(write(tmp_path, "1,2\n"), column_names=[])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n\n3\n", r"Expected 2 cells.* line 4 of data.csv has 1: '3'. Fix that line"),
        ("a,b\n1,2,3\n", r"line 2 of data.csv has 3: '1', '2', '3'.*must be quoted"),
        ("a;b\n1;2\n", r"separated by ',', but its header is 'a;b'. Use `delimiter=';'`"),
        ("a,b,a\n1,2,3\n", r"unique columns in data.csv, but got 'a' rep"),
        ("a,b\n", "at least one row in data.csv"),
        ("", "at least one row in data.csv"),
        ("a,b\n1,\0\n" + "x" * 200_000 + ",2\n", r"Expected a row on line \d of data.csv"),
        ('a,b\n1,2\n3,"4\n' + "5,6\n" * 9_000, r"row on line 3 of data.csv, but .* line 9003"),
        ('a,b\n1,"2\n3,"4,5"\n', r"row on line 2 of data.csv.* line 3.*double each quote.*pandas"),
        (
            'a,"b\n1,2\n',
            r"row on line 1 of data.csv, but reading failed at line 2.*Close",
        ),
    ],
)
def test_a_wrong_file_says_where_and_what_to_do(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, text))


def test_text_that_is_not_utf_8(tmp_path):
    path = write(tmp_path, "a,b\nMünchen,2\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"Expected data.csv to be text in UTF-8.* Save it as"):
        read_table(path)


@pytest.mark.parametrize("damage", ["not zipped", "cut short", "overwritten", "wrong checksum"])
def test_a_damaged_gzip_file_says_so(damage, tmp_path):
    plain = "a,b\n" + "".join(f"{i * 7919 % 1000},{i}\n" for i in range(1000))
    zipped = gzip.compress(plain.encode())
    path = tmp_path / "data.csv.gz"
    path.write_bytes(
        {
            "not zipped": plain.encode(),
            "cut short": zipped[:-30],
            "overwritten": zipped[:200] + b"\xff" * 200 + zipped[400:],
            "wrong checksum": zipped[:-8] + bytes(4) + zipped[-4:],
        }[damage]
    )
    with pytest.raises(ValueError, match=r"Expected data.csv.gz to be a whole gzip file.* again"):
        read_table(path)


@pytest.mark.parametrize("name", ["DATA.CSV", "Data.Tsv", "data.csv.GZ", "DATA.PARQUET"])
def test_names_of_files_end_in_any_case(name, tmp_path):
    path = write(tmp_path, "a,b\n1,2\n".replace(",", "\t" if "Tsv" in name else ","), name)
    if name.endswith("GZ"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    if name.endswith("PARQUET"):
        pandas = pytest.importorskip("pandas")
        pandas.DataFrame({"a": ["1"], "b": ["2"]}).to_parquet(path)
    assert columns(read_table(path)) == {"a": ["1"], "b": ["2"]}


def test_blank_lines_before_the_header_are_skipped(tmp_path):
    table = read_table(write(tmp_path, "\n\na,b\n1,2\n"))
    assert columns(table) == {"a": ["1"], "b": ["2"]}
    assert table.place(0) == "line 4 of data.csv"


def test_what_is_no_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none at .*absent.csv"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match=r"Expected a .csv, .tsv or .parquet file"):
        read_table(write(tmp_path, "a", "data.xlsx"))
    with pytest.raises(TypeError, match="but got int"):
        read_table(3)
    with pytest.raises(ValueError, match=r"of one length, but got {'a': 1, 'b': 2}"):
        read_table({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match=r"shape \(rows, columns\), but got \(3,\)"):
        read_table(np.zeros(3))
    with pytest.raises(ValueError, match="`column_names` to name 2 columns, but got 1"):
        read_table(np.zeros((3, 2)), column_names=["a"])


CELLS = {
    "whole": [1, None, 3],
    "real": [1.5, None, 2.0],
    "text": ["a", "NA", " b"],
    "digits": ["01", "02", None],
    "truth": [True, False, None],
    "sure": [True, False, True],
    "exact": [Decimal("1.10"), Decimal(2), None],
    "day": [datetime.datetime(2020, 1, day) for day in (1, 2, 3)],
}


def as_frame(kind):
    if kind == "columns":
        return CELLS
    module = pytest.importorskip(kind)
    return module.table(CELLS) if kind == "pyarrow" else module.DataFrame(CELLS)


@pytest.mark.parametrize("kind", ["columns", "pandas", "polars", "pyarrow"])
def test_frames_keep_the_types_of_their_columns(kind):
    table = read_table(as_frame(kind))
    rows = np.arange(3)
    for name in ("whole", "real", "exact"):
        assert holds_numbers(table, name, rows)
        expected = [np.nan if cell is None else float(cell) for cell in CELLS[name]]
        np.testing.assert_array_equal(table.numbers(name), expected)
    assert table.texts("text").tolist() == ["a", None, "b"]
    assert table.texts("digits").tolist() == ["01", "02", None]
    assert table.texts("truth").tolist() == ["True", "False", None]
    assert table.texts("sure").tolist() == ["True", "False", "True"]
    assert table.texts("whole").tolist() == ["1", None, "3"]
    assert not any(holds_numbers(table, name, rows) for name in ("text", "digits", "sure"))
    with pytest.raises(ValueError, match=r"column 'day', but row 0 of the .* has .*2020"):
        table.numbers("day")
    with pytest.raises(ValueError, match=r"column 'day'.* name it in `ignore`"):
        table.texts("day")


def test_a_batch_and_arrays_of_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    cells = {name: pyarrow.array(CELLS[name]) for name in ("whole", "real", "text", "truth")}
    for data in (pyarrow.record_batch(cells), cells):
        table = read_table(data)
        np.testing.assert_array_equal(table.numbers("whole"), [1, np.nan, 3])
        np.testing.assert_array_equal(table.numbers("real"), [1.5, np.nan, 2])
        assert table.texts("text").tolist() == ["a", None, "b"]
        assert table.texts("truth").tolist() == ["True", "False", None]


def test_extended_types_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([1, None, 3], dtype="Int64"),
            "text": pandas.array(["a", None, "b"], dtype="string"),
            "truth": pandas.array([True, None, False], dtype="boolean"),
            "kind": pandas.Categorical([2, 10, None]),
            7: [1.0, 2.0, 3.0],
        },
        index=[5, 5, 9],
    )
    table = read_table(frame)
    np.testing.assert_array_equal(table.numbers("whole"), [1, np.nan, 3])
    assert table.texts("text").tolist() == ["a", None, "b"]
    assert table.texts("truth").tolist() == ["True", None, "False"]
    assert table.texts("kind").tolist() == ["2", "10", None]
    assert not holds_numbers(table, "kind", np.arange(3))
    assert table.numbers("7").tolist() == [1, 2, 3]


def test_a_lazy_frame_is_told_to_be_collected():
    polars = pytest.importorskip("polars")
    lazy = polars.LazyFrame({"a": [1, 2]})
    for data in (lazy, (lazy, [0, 1])):
        with pytest.raises(TypeError, match=r"but got a LazyFrame: pass it after `\.collect\(\)`"):
            TableSource().read(data)


def test_categories_of_polars_and_pyarrow():
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    cells = ["u", "v", None]
    frame = polars.DataFrame({"c": polars.Series(cells, dtype=polars.Categorical)})
    assert read_table(frame).texts("c").tolist() == cells
    frame = pyarrow.table({"c": pyarrow.array(cells).dictionary_encode()})
    assert read_table(frame).texts("c").tolist() == cells


def test_parquet_equals_csv_and_says_what_is_wrong(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.read_csv(write(tmp_path, CSV), skipinitialspace=True, na_values="?")
    frame.to_parquet(tmp_path / "data.parquet")
    table = read_table(tmp_path / "data.parquet")
    for name in ("age", "weight"):
        expected = read_table(tmp_path / "data.csv").numbers(name)
        np.testing.assert_array_equal(table.numbers(name), expected)
    assert table.texts("town").tolist() == ["Ulm", "St. Gallen, west", None]
    assert table.place(1) == "row 1 of data.parquet"
    (tmp_path / "data.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ValueError, match=r"data.parquet to be a parquet file"):
        read_table(tmp_path / "data.parquet")


def test_row_labels_of_pandas_in_parquet_are_no_column(tmp_path):
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1, 2], "b": [3, 4]}, index=[7, 5])
    frame.to_parquet(tmp_path / "data.parquet")
    for data in (tmp_path / "data.parquet", arrow.Table.from_pandas(frame), frame):
        assert columns(read_table(data)) == {"a": [1, 2], "b": [3, 4]}


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'torchvitals\[tables\]'"):
        read_table(write(tmp_path, "", "data.parquet"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_short_floating_point_is_read_exactly(dtype):
    x = torch.tensor([[1.5, -2.0], [0.25, 3.0]], requires_grad=True).to(dtype)
    assert columns(read_table(x)) == {"x0": [1.5, 0.25], "x1": [-2, 3]}
    assert columns(read_table({"a": x[:, 0]})) == {"a": [1.5, 0.25]}


def test_truth_values_have_one_spelling_in_texts(tmp_path):
    expected = ["True", "False", "True", None, "truth"]
    cells = ["true", "FALSE", "True", "", "truth"]
    assert read_table({"a": cells}).texts("a").tolist() == expected
    path = write(tmp_path, "a,b\n" + "".join(f"{cell},1.0\n" for cell in cells))
    assert read_table(path).texts("a").tolist() == expected
    assert read_table({"a": [True, False]}).texts("a").tolist() == expected[:2]


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_arrays(make):
    table = read_table(make([[1.0, 2.0], [3.0, 4.0]]))
    assert columns(table) == {"x0": [1, 3], "x1": [2, 4]}
    named = read_table(make([[True], [False]]), column_names=["on"])
    assert named.numbers("on").tolist() == [1, 0]
    mixed = read_table(np.array([[1, "a"], [None, "b"]], dtype=object))
    np.testing.assert_array_equal(mixed.numbers("x0"), [1, np.nan])
    assert mixed.texts("x1").tolist() == ["a", "b"]


def test_text_among_numbers_names_the_cell(tmp_path):
    path = write(tmp_path, "a,b\n1,x\n2,y\n3o,z\n4,\n")
    table = read_table(path)
    with pytest.raises(ValueError, match=r"in column 'a', but line 4 of data.csv has '3o'. Fix"):
        table.numbers("a")
    with pytest.raises(ValueError, match=r"as in 3 other rows, but line 4 of data.csv has '3o'"):
        holds_numbers(table, "a", np.arange(4))
    assert holds_numbers(table, "a", np.array([0, 1, 3]))
    assert not holds_numbers(table, "b", np.arange(4))
    assert holds_numbers(read_table(path, missing_values=["3o"]), "a", np.arange(4))


def test_codes_with_underscores_are_no_numbers(tmp_path):
    table = read_table(write(tmp_path, "month,size\n2020_01,1\n2020_02,2\n2020_03,1_000\n"))
    assert not holds_numbers(table, "month", np.arange(3))
    with pytest.raises(ValueError, match=r"column 'month', but line 2 of data.csv has '2020_01'"):
        table.numbers("month")
    with pytest.raises(ValueError, match=r"as in 2 other rows, but line 4 of data.csv has '1_000'"):
        holds_numbers(table, "size", np.arange(3))


def test_whole_numbers_are_the_same_categories_in_every_form(tmp_path):
    cells = [1.0, None, 20.0, -3.0]
    path = write(tmp_path, "a\n1.0\nNA\n20.0\n-3.00\n")
    expected = ["1", None, "20", "-3"]
    for data in ({"a": cells}, {"a": [1, None, 20, -3]}, path, np.array([cells], float).T):
        (name,) = read_table(data).columns
        assert read_table(data).texts(name).tolist() == expected
    assert read_table({"a": ["1.10", "01.50", "v1.0"]}).texts("a").tolist() == [
        "1.10",
        "01.50",
        "v1.0",
    ]


def test_a_column_that_is_not_there_shows_the_nearest():
    table = read_table({"Age": [1], "sex": ["f"]})
    assert [table.find("`target`", name) for name in ("sex", -1, 0)] == ["sex", "sex", "Age"]
    with pytest.raises(ValueError, match=r"`target` to be in the columns.*Did you mean 'Age'\?"):
        table.find("`target`", "age")
    with pytest.raises(ValueError, match="no column 2, only 'Age', 'sex'"):
        table.find("`target`", 2)


def test_columns_with_numbers_for_names_are_found_by_name_before_position():
    pandas = pytest.importorskip("pandas")
    numbered = pandas.DataFrame({3: [1], 1: [2], 0: [3]})
    for table in map(read_table, (numbered, {3: [1], 1: [2], 0: [3]})):
        assert [table.find("`target`", name) for name in (0, 1, 3, -1)] == ["0", "1", "3", "0"]
        assert table.find("`target`", 2) == "0"
    named = read_table({"3": [1], "1": [2], "0": [3]})
    assert [named.find("`target`", name) for name in (0, 1, "0", np.int64(2))] == list("3100")
    assert named.find("`target`", 3) == "3"  # no position


@pytest.mark.parametrize("values", [np.ones((2, 3)), torch.ones(2, 3), [[1, 2], [3, 4]]])
def test_columns_of_several_values_are_refused_where_they_are_used(values):
    table = read_table({"a": values, "b": [1, 2]})
    assert table.numbers("b").tolist() == [1, 2]
    for read in (table.numbers, table.texts):
        with pytest.raises(ValueError, match=r"in column 'a', but row 0 of the columns has \["):
            read("a")


@pytest.mark.parametrize(
    "value", ["Ulm", 31, np.float64(1.5), None, np.array(31), torch.tensor(1.5)]
)
def test_a_row_of_single_values_is_told_to_have_columns(value):
    with pytest.raises(ValueError, match=r"sequence of values for column 'a' of .* one value: \["):
        read_table({"a": value, "b": [1]})


def test_masked_values_are_missing():
    masked = np.ma.masked_equal(np.array([[1.5, -9], [-9, 2]]), -9)
    for table in (read_table(masked), read_table({"x0": masked[:, 0], "x1": masked[:, 1]})):
        np.testing.assert_array_equal(table.numbers("x0"), [1.5, np.nan])
        np.testing.assert_array_equal(table.numbers("x1"), [np.nan, 2])
    (targets,) = TableSource().read((np.zeros((2, 1)), masked[:, 0])).texts("target")[1:]
    assert targets is None


@pytest.mark.parametrize("make", [list, np.array, lambda cells: np.array(cells, object)])
def test_neighbouring_whole_numbers_stay_different_categories(make):
    cells = [2**53, 2**53 + 1, -(2**63)]
    assert read_table({"a": make(cells)}).texts("a").tolist() == list(map(str, cells))
    assert read_table({"a": [2**80, 1]}).numbers("a").tolist() == [2.0**80, 1.0]


IDS = [2**53, 2**53 + 1, None, -(2**53) - 1]
FAR_IDS = [2**63 + 1, 2**63 + 2, None, 1]
KINDS_OF_IDS = [
    *("columns", "numbers of NumPy", "masked", "pandas", "pandas Arrow", "pandas objects"),
    *("polars", "pyarrow", "parquet"),
]


def ids_with_gaps(kind, cells):
    dtype = "UInt64" if cells is FAR_IDS else "Int64"
    numpy_type = getattr(np, dtype.lower())
    match kind:
        case "columns":
            return {"id": cells}
        case "numbers of NumPy":
            return {"id": [None if cell is None else numpy_type(cell) for cell in cells]}
        case "masked":
            filled = np.array([cell or 0 for cell in cells], numpy_type)
            return {"id": np.ma.array(filled, mask=[cell is None for cell in cells])}
    module = pytest.importorskip("pandas" if kind == "parquet" else kind.partition(" ")[0])
    match kind:
        case "pandas Arrow":
            pytest.importorskip("pyarrow")
            return module.DataFrame({"id": module.array(cells, f"{dtype.lower()}[pyarrow]")})
        case "pandas objects":
            nan = [np.nan if cell is None else cell for cell in cells]
            return module.DataFrame({"id": module.Series(nan, dtype=object)})
        case "polars":
            return module.DataFrame({"id": cells}, schema={"id": getattr(module, dtype)})
        case "pyarrow":
            return module.table({"id": module.array(cells, dtype.lower())})
    return module.DataFrame({"id": module.array(cells, dtype)})


@pytest.mark.parametrize("cells", [IDS, FAR_IDS])
@pytest.mark.parametrize("kind", KINDS_OF_IDS)
def test_whole_numbers_stay_exact_where_some_are_missing(kind, cells, tmp_path):
    data = ids_with_gaps(kind, cells)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        data.to_parquet(tmp_path / "ids.parquet")
        data = tmp_path / "ids.parquet"
    table = read_table(data)
    expected = [None if cell is None else str(cell) for cell in cells]
    assert table.texts("id").tolist() == expected
    assert holds_numbers(table, "id", np.arange(len(cells)))
    floats = [np.nan if cell is None else float(cell) for cell in cells]
    np.testing.assert_array_equal(table.numbers("id"), floats)
    assert type(table.numbers("id")) is np.ndarray


def test_whole_numbers_of_numpy_among_texts_stay_exact():
    cells = [np.int64(2**53), np.int64(2**53 + 1), "new", np.float32(2.0)]
    assert read_table({"a": cells}).texts("a").tolist() == [str(2**53), str(2**53 + 1), "new", "2"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_beyond_the_limit_of_python_says_so_and_how_to_read_it(quote, tmp_path):
    long = "word " * 30_000
    path = tmp_path / "data.csv"
    path.write_text(f"text,label\nshort,a\n{quote}{long}{quote},b\n")
    advice = r"131072.*never closed.* a \.parquet file or a data frame.*csv\.field_size_limit"
    with pytest.raises(ValueError, match=rf"on line 3 of data\.csv.*{advice}"):
        read_table(path).texts("text")[1]
    before = csv.field_size_limit(10**9)
    try:
        found = read_table(path).texts("text")[1]
    finally:
        csv.field_size_limit(before)
    assert found.strip() == long.strip()
