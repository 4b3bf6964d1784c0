import pytest

from torchvitals.datamodules.image_sets.folders import read_folder
from torchvitals.datamodules.loading import visible_files
from torchvitals.datamodules.texts.readers import read_texts


@pytest.fixture
def folder(tmp_path):
    files = ("data/a/1.txt", "data/a/in/2.txt", "data/b/3.txt", "store/4.txt", "data/a/.y")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "data"


def link(path, target):
    path.symlink_to(target, target_is_directory=True)


@pytest.mark.parametrize("loops", [["."], ["..", "."], ["../..", "in", "../b", "../../store"]])
def test_links_are_followed_but_end(loops, folder):
    for number, target in enumerate(loops):
        link(folder / "a" / f"loop{number}", target)
    link(folder / "b" / "back", "../a")
    link(folder / "nowhere", "absent")
    followed = {"in": ["2"], "../b": ["3"], "../../store": ["4"]}
    expected = ["1", "2", *(file for loop in loops for file in followed.get(loop, []))]
    assert sorted(path.stem for path in visible_files(folder / "a")) == sorted(expected)


def test_folders_of_classes_with_loops_are_read_once(folder):
    link(folder / "a" / "in" / "up", "..")
    link(folder / "a" / "all", "../..")
    link(folder / "b" / "here", ".")
    link(folder / "b" / "here too", ".")
    assert read_texts(folder).labels == ["a", "a", "b"]
    assert len(read_texts(folder.parent / "store", labelled=False)) == 1
    for path in folder.rglob("*.txt"):
        path.write_bytes(b"P5 2 1 255\n\0\1")
        path.rename(path.with_suffix(".pgm"))
    assert read_folder(folder).labels.tolist() == [0, 0, 1]
