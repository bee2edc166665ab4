import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augbench.datasets._info import inspect, load
from augbench.datasets.contract import Dataset, reads
from augbench.errors import ContractError, DatasetError
from augbench.labels import decode


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AUGBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "info"


@pytest.fixture
def counted(tmp_path, cache):
    """A factory that reads one file, counts its calls, and takes a parameter."""
    source = tmp_path / "pixels"
    source.write_bytes(bytes(range(16)))

    def files(root, shift=0):
        return [source]

    @reads(files)
    def factory(root, *, download=False, shift=0):
        factory.calls += 1
        images = (np.frombuffer(source.read_bytes(), np.uint8) + np.uint8(shift)).reshape(
            4, 1, 2, 2
        )
        labels = np.array([0, 1, 0, 1])
        return Dataset("toy", images, labels, images, labels, ("a", "b"))

    factory.calls = 0
    return factory, source


def test_inspect_loads_once_and_then_remembers(counted):
    factory, _ = counted
    first = inspect(factory, "toy", None, False, {})
    assert (
        inspect(factory, "toy", None, False, {})
        == first
        == load(factory, "toy", None, False, {}).info
    )
    assert factory.calls == 2  # once to inspect, once to load


def test_loading_remembers_too(counted):
    factory, _ = counted
    load(factory, "toy", None, False, {})
    inspect(factory, "toy", None, False, {})
    assert factory.calls == 1


def test_a_changed_file_is_seen_by_its_time_alone(counted):
    factory, source = counted
    first = inspect(factory, "toy", None, False, {})
    stat = source.stat()
    source.write_bytes(bytes(range(1, 17)))
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    second = inspect(factory, "toy", None, False, {})
    assert factory.calls == 2
    assert second.content_hash != first.content_hash


def test_other_parameters_names_and_roots_are_remembered_apart(counted, tmp_path):
    factory, _ = counted
    plain = inspect(factory, "toy", None, False, {})
    assert inspect(factory, "toy", None, False, {"shift": 1}).content_hash != plain.content_hash
    assert inspect(factory, "other", None, False, {}).name == "other"
    inspect(factory, "toy", tmp_path, False, {})
    assert factory.calls == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"fingerprint": 1}',
        b"null",
        lambda sound: sound[:-9],
        lambda sound: json.dumps({**json.loads(sound), "info": {"name": "toy"}}).encode(),
        lambda sound: json.dumps({**json.loads(sound), "info": []}).encode(),
    ],
)
def test_a_damaged_entry_is_ignored_and_replaced(counted, cache, content):
    factory, _ = counted
    first = inspect(factory, "toy", None, False, {})
    (entry,) = cache.iterdir()
    sound = entry.read_bytes()
    entry.write_bytes(content(sound) if callable(content) else content)
    assert inspect(factory, "toy", None, False, {}) == first
    assert factory.calls == 2
    assert entry.read_bytes() == sound


def test_a_cache_that_cannot_be_written_prevents_nothing(counted, monkeypatch, tmp_path):
    factory, source = counted
    monkeypatch.setenv("AUGBENCH_CACHE", str(source / "cache"))
    assert inspect(factory, "toy", None, False, {}).train_counts == (2, 2)


def test_a_factory_that_tells_no_files_is_loaded_every_time(counted, cache):
    factory, _ = counted
    del factory.files
    for _ in range(2):
        inspect(factory, "toy", None, False, {})
    assert factory.calls == 2
    assert not cache.exists()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, cache, counted):
    plain, source = counted

    @reads(lambda root: [source])
    def factory(root, *, download=False):
        dataset = plain(root)
        source.write_bytes(source.read_bytes() + b"x")
        return dataset

    load(factory, "toy", None, False, {})
    assert not cache.exists()


def test_the_name_is_the_one_asked_for(counted):
    factory, _ = counted
    assert load(factory, "mine", None, False, {}).name == "mine"


def test_whatever_a_factory_raises_becomes_one_line(cache):
    def factory(root, *, download=False):
        raise RuntimeError("first\nsecond")

    with pytest.raises(DatasetError, match="'toy' could not be loaded: RuntimeError: first second"):
        load(factory, "toy", None, False, {})


def test_our_own_errors_pass_unchanged(cache):
    def factory(root, *, download=False):
        raise DatasetError("no such thing")

    with pytest.raises(DatasetError, match=r"^no such thing$"):
        load(factory, "toy", None, False, {})


def test_what_is_no_dataset_breaks_the_contract(cache):
    with pytest.raises(ContractError, match="expected its factory to return a Dataset, got list"):
        load(lambda root, download: [], "toy", None, False, {})


def test_a_remembered_data_set_is_known_without_torch(cache, tmp_path):
    code = (
        "import sys, pathlib; from augbench.datasets import _info, vision, folder, glyphs\n"
        "known = _info.inspect(vision.mnist, 'mnist', pathlib.Path(sys.argv[1]), False, {})\n"
        "print(known.content_hash, 'torch' in sys.modules, 'PIL' in sys.modules)"
    )
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem in ("train", "t10k"):
        images = bytes([0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(7840)
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(images)
        labels = bytes([0, 0, 8, 1, 0, 0, 0, 10, *range(10)])
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(labels)
    from augbench.datasets import vision

    info = inspect(vision.mnist, "mnist", tmp_path, False, {})
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == [info.content_hash, "False", "False"]


def test_every_built_in_tells_its_files():
    from augbench.datasets import folder, glyphs, vision

    built_in = [getattr(vision, name) for name in vision.__all__]
    for factory in (*built_in, glyphs.glyph_digits, glyphs.glyph_letters):
        assert all(isinstance(path, Path) for path in factory.files(None))
    assert callable(folder.folder.files)


def test_warnings_are_remembered_with_the_rest(counted):
    factory, _ = counted
    first = inspect(factory, "toy", None, False, {})
    again = inspect(factory, "toy", None, False, {})
    assert factory.calls == 1
    assert again.warnings == first.warnings
    assert [line[:50] for line in again.warnings] == [
        "data set 'toy': 4 of 4 test images are training im",
        "data set 'toy': 8 of 8 images are near-black all o",
    ]


def test_test_labels_are_remembered_and_an_entry_without_them_is_not(counted, cache):
    factory, _ = counted
    load(factory, "toy", None, False, {})
    info = inspect(factory, "toy", None, False, {})
    assert factory.calls == 1
    assert decode(info.test_labels, 4, 2).tolist() == [0, 1, 0, 1]
    (entry,) = cache.iterdir()
    known = json.loads(entry.read_text())
    del known["info"]["test_labels"]  # as an earlier version wrote it
    entry.write_text(json.dumps(known))
    assert inspect(factory, "toy", None, False, {}) == info
    assert factory.calls == 2
