"""Tiny files in torchvision's layout; the real ones where AUGBENCH_DATA names them."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from augbench.datasets import vision
from augbench.errors import DatasetError, ParameterError

rng = np.random.default_rng(0)
needs_data = pytest.mark.skipif(
    not os.environ.get("AUGBENCH_DATA"), reason="AUGBENCH_DATA names no folder with real data"
)


def idx(array):
    kind = {"uint8": 0x08, "int32": 0x0C}[array.dtype.name]
    header = bytes([0, 0, kind, array.ndim])
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + sides + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(folder, stem, images, labels, suffix="labels-idx1-ubyte"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{stem}-{suffix}").write_bytes(idx(labels))


def pixels(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def grey(tmp_path):
    """MNIST's layout with 20 training and 10 test images: (root, training, test images)."""
    train, test = pixels(20, 28, 28), pixels(10, 28, 28)
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        write_idx(tmp_path / name / "raw", "train", train, np.arange(20, dtype=np.uint8) % 10)
        write_idx(tmp_path / name / "raw", "t10k", test, np.arange(10, dtype=np.uint8))
    return tmp_path, train, test


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_mnist_and_its_kin_are_read_as_the_files_have_them(grey, name):
    root, train, test = grey
    dataset = getattr(vision, name)(root)
    assert np.array_equal(dataset.train_images, train[:, None])
    assert np.array_equal(dataset.test_images, test[:, None])
    assert dataset.train_labels.tolist() == [*range(10), *range(10)]
    assert len(dataset.classes) == 10


def test_emnist_is_turned_upright_and_counted_from_0(tmp_path):
    stored = pixels(26, 28, 28)
    labels = np.arange(1, 27, dtype=np.uint8)
    for part in ("train", "test"):
        write_idx(tmp_path / "EMNIST" / "raw", f"emnist-letters-{part}", stored, labels)
    dataset = vision.emnist(tmp_path)
    assert np.array_equal(dataset.train_images[3, 0], stored[3].T)
    assert dataset.test_labels.tolist() == list(range(26))
    assert dataset.classes[0] == "A"
    assert dataset.classes[-1] == "Z"


@pytest.mark.parametrize("test", ["test10k", "test"])
def test_qmnist_takes_the_class_from_the_first_of_its_label_columns(tmp_path, test):
    extended = rng.integers(100, 4000, (20, 8), dtype=np.int32)
    extended[:, 0] = np.arange(20) % 10
    for part in ("train", "test"):
        write_idx(
            tmp_path / "QMNIST" / "raw",
            f"qmnist-{part}",
            pixels(20, 28, 28),
            extended,
            suffix="labels-idx2-int",
        )
    dataset = vision.qmnist(tmp_path, test=test)
    assert dataset.train_labels.tolist() == [*range(10), *range(10)]
    assert len(dataset.test_labels) == 20


def test_qmnist_refuses_an_unknown_test_part(tmp_path):
    with pytest.raises(ParameterError, match=r"expected test as one of .*got 'nist'"):
        vision.qmnist(tmp_path, test="nist")


def write_pickle(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return [path.name, hashlib.md5(path.read_bytes()).hexdigest()]


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """CIFAR-10's layout with 10 images a file, whose MD5 torchvision is told to expect."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    images = pixels(6, 10, 3 * 32 * 32)
    sums = [
        write_pickle(folder / name, {"data": images[k], "labels": list(range(10))})
        for k, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"])
    ]
    names = [f"class {k}" for k in range(10)]
    meta = write_pickle(folder / "batches.meta", {"label_names": names})
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": meta[0], "md5": meta[1], "key": "label_names"}
    )
    return tmp_path, images.reshape(6, 10, 3, 32, 32)


def test_cifar10_is_channels_first_with_its_own_class_names(cifar10):
    root, images = cifar10
    dataset = vision.cifar10(root)
    assert np.array_equal(dataset.train_images, images[:5].reshape(50, 3, 32, 32))
    assert np.array_equal(dataset.test_images, images[5])
    assert dataset.classes[9] == "class 9"
    assert dataset.train_images.flags.c_contiguous


def test_cifar100_reads_the_fine_labels(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR100

    folder = tmp_path / "cifar-100-python"
    part = {
        "data": pixels(100, 3 * 32 * 32),
        "fine_labels": list(range(100)),
        "coarse_labels": [0] * 100,
    }
    monkeypatch.setattr(CIFAR100, "train_list", [write_pickle(folder / "train", part)])
    monkeypatch.setattr(CIFAR100, "test_list", [write_pickle(folder / "test", part)])
    names = [str(k) for k in range(100)]
    meta = write_pickle(folder / "meta", {"fine_label_names": names})
    monkeypatch.setattr(
        CIFAR100, "meta", {"filename": meta[0], "md5": meta[1], "key": "fine_label_names"}
    )
    assert vision.cifar100(tmp_path).train_labels.tolist() == list(range(100))


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    import scipy.io
    from torchvision.datasets import SVHN

    images = pixels(32, 32, 3, 20)
    split = {}
    for part in ("train", "test"):
        file = tmp_path / f"{part}_32x32.mat"
        scipy.io.savemat(file, {"X": images, "y": np.arange(20)[:, None] % 10 + 1})
        split[part] = ["", file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    monkeypatch.setattr(SVHN, "split_list", split)
    return tmp_path, images


def test_svhn_is_channels_first_and_its_label_10_is_the_digit_0(svhn):
    root, images = svhn
    dataset = vision.svhn(root)
    assert np.array_equal(dataset.train_images[7, 2], images[:, :, 2, 7])
    assert dataset.train_labels[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


# What goes wrong


@pytest.mark.parametrize("name", vision.__all__)
def test_a_missing_data_set_is_one_line_on_what_to_do(tmp_path, name):
    with pytest.raises(DatasetError) as caught:
        getattr(vision, name)(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(tmp_path), "data_root", "AUGBENCH_DATA", "download=True"):
        assert part in message
    assert caught.value.exit_code == 2


def test_without_a_root_the_environment_names_the_folder_and_else_the_cache(
    grey, monkeypatch, tmp_path_factory
):
    root, train, _ = grey
    monkeypatch.setenv("AUGBENCH_DATA", str(root))
    assert np.array_equal(vision.mnist(None).train_images, train[:, None])
    monkeypatch.delenv("AUGBENCH_DATA")
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("AUGBENCH_CACHE", str(cache))
    with pytest.raises(DatasetError, match=str(cache / "data" / "MNIST")):
        vision.mnist(None)
    (cache / "data").symlink_to(root)
    assert np.array_equal(vision.mnist(None).train_images, train[:, None])


@pytest.mark.parametrize(
    ("file", "damage", "reason"),
    [
        ("train-images-idx3-ubyte", lambda data: data[:-1], "20 × 28 × 28 take 15696 bytes"),
        ("t10k-images-idx3-ubyte", lambda data: data[:10], "the file holds 10"),
        ("t10k-labels-idx1-ubyte", lambda data: b"", "does not start as an IDX file"),
        ("train-labels-idx1-ubyte", lambda data: b"<html>404</html>", "does not start as an IDX"),
        ("train-labels-idx1-ubyte", lambda data: data + b"x", "20 take 28 bytes, the file holds"),
        ("train-labels-idx1-ubyte", lambda data: idx(np.zeros(19, np.uint8)), "19 labels"),
        ("train-labels-idx1-ubyte", lambda data: idx(np.full(20, 77, np.uint8)), "77"),
        ("train-labels-idx1-ubyte", lambda data: idx(np.zeros(20, np.int32)), "MNIST/raw"),
    ],
)
def test_a_corrupted_idx_file_is_named(grey, file, damage, reason):
    root, _, _ = grey
    path = root / "MNIST" / "raw" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=reason) as caught:
        vision.mnist(root)
    assert "\n" not in str(caught.value)
    if "idx" in reason.lower() or "bytes" in reason:
        assert str(path) in str(caught.value)
        assert "delete it" in str(caught.value)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_corrupted_cifar_file_is_named(cifar10, name):
    root, _ = cifar10
    path = root / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DatasetError, match=f"{path} is corrupted"):
        vision.cifar10(root)


def test_a_corrupted_svhn_file_is_named(svhn):
    root, _ = svhn
    (root / "test_32x32.mat").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match=r"test_32x32\.mat is corrupted"):
        vision.svhn(root)


def test_download_is_asked_of_torchvision_only_for_missing_files(grey, monkeypatch):
    from torchvision.datasets import MNIST

    root, train, test = grey
    asked = []

    def download(self):
        asked.append(Path(self.raw_folder))
        print("Downloading")
        labels = np.arange(20, dtype=np.uint8) % 10
        write_idx(Path(self.raw_folder), "train", train, labels)
        write_idx(Path(self.raw_folder), "t10k", test, labels[:10])

    monkeypatch.setattr(MNIST, "download", download)
    vision.mnist(root, download=True)
    assert asked == []
    empty = root / "elsewhere"
    assert np.array_equal(vision.mnist(empty, download=True).train_images, train[:, None])
    assert asked[0] == empty / "MNIST" / "raw"


def test_what_torchvision_prints_while_it_downloads_goes_to_stderr(grey, monkeypatch, capsys):
    from torchvision.datasets import MNIST

    root, train, test = grey

    def download(self):
        print("Downloading")
        labels = np.arange(20, dtype=np.uint8) % 10
        write_idx(Path(self.raw_folder), "train", train, labels)
        write_idx(Path(self.raw_folder), "t10k", test, labels[:10])

    monkeypatch.setattr(MNIST, "download", download)
    vision.mnist(root / "elsewhere", download=True)
    assert capsys.readouterr().out == ""


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    def download(self):
        raise RuntimeError("Error downloading\nTried a mirror, got:\n<no network>")

    monkeypatch.setattr(MNIST, "download", download)
    with pytest.raises(DatasetError) as caught:
        vision.mnist(tmp_path, download=True)
    assert "could not be downloaded to" in str(caught.value)
    assert "<no network>" in str(caught.value)
    assert "\n" not in str(caught.value)


# The real data


@needs_data
def test_real_mnist_is_read():
    dataset = vision.mnist(None)
    assert len(dataset.test_labels) == 10_000
    assert dataset.info.image_shape == (1, 28, 28)


@needs_data
def test_real_letters_are_upright_and_labelled_from_0():
    dataset = vision.emnist(None)
    assert len(dataset.info.train_counts) == 26

    def mean_image(letter):
        rows = dataset.train_labels == dataset.classes.index(letter)
        return dataset.train_images[rows, 0].astype(float).mean(axis=0)

    # T has its bar on top, L its bar at the bottom; transposed, T's would be at the left, and
    # L's stem on top. A and V hold their ink at the bottom and at the top.
    bar_of_t, bar_of_l = mean_image("T")[4:11], mean_image("L")[17:24]
    assert bar_of_t.sum() > 1.2 * mean_image("T")[17:24].sum()
    assert bar_of_l.sum() > 1.2 * mean_image("L")[4:11].sum()
    assert mean_image("T")[:, 11:17].sum() > 0.4 * mean_image("T").sum()
    assert mean_image("L")[:, :14].sum() > 1.2 * mean_image("L")[:, 14:].sum()
