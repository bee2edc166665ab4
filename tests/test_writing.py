import os
import stat
import sys

import pytest

from augbench.caching import write_atomically
from augbench.errors import StoreError
from augbench.writing import beside, save

HINT = "name a writable file"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """The user's umask is 027."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("content", ["text", b"text", lambda place: place.write_text("text")])
def test_a_file_is_written_with_what_it_holds_and_the_mode_of_the_umask(tmp_path, umask, content):
    path = tmp_path / "new" / "file.txt"
    save(path, content, hint=HINT)
    assert path.read_bytes() == b"text"
    assert [*path.parent.iterdir()] == [path]
    if os.name == "posix":
        assert mode(path) == 0o640
        path.chmod(0o604)
        save(path, "other", hint=HINT)
        assert mode(path) == 0o604


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(place):
        place.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(path, fail, hint=HINT)
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with beside(path) as place:
        place.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    ("code", "reason"), [(28, "No space left on device"), (30, "Read-only file system")]
)
def test_a_full_or_read_only_disk_is_one_line(tmp_path, code, reason):
    def fail(place):
        raise OSError(code, os.strerror(code), str(place))

    path = tmp_path / "file"
    with pytest.raises(StoreError) as caught:
        save(path, fail, hint=HINT)
    assert str(caught.value) == f"cannot write {str(path)!r} ({reason}); {HINT}"
    assert not [*tmp_path.iterdir()]


def test_a_folder_or_a_name_that_is_too_long_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(StoreError, match=r"cannot write .*; name a writable file"):
            save(path, "text", hint=HINT)
    assert not [*tmp_path.iterdir()]


def test_a_name_as_long_as_can_be_is_written(tmp_path):
    path = tmp_path / ("x" * 255)
    save(path, "text", hint=HINT)
    assert path.read_text() == "text"


def test_a_link_stays_a_link(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(path)
    save(link, "new", hint=HINT)
    assert link.is_symlink()
    assert path.read_text() == "new"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_device_is_written_to_and_stays(tmp_path):
    save(type(tmp_path)("/dev/null"), "text", hint=HINT)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(StoreError, match="No space left on device"):
        save(type(tmp_path)("/dev/full"), "text", hint=HINT)


def test_lone_surrogates_are_written_as_escapes(tmp_path):
    save(tmp_path / "file", "ä\udc80", hint=HINT)
    assert (tmp_path / "file").read_bytes() == b"\xc3\xa4\\udc80"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert not write_atomically(tmp_path / "file" / "entry", b"data")
    assert write_atomically(tmp_path / "entry", b"data")
    assert (tmp_path / "entry").read_bytes() == b"data"
