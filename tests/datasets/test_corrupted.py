"""MNIST-C and CIFAR-10-C from small files in the layout of their archives."""

import hashlib
import pickle

import numpy as np
import pytest

from augbench.datasets.corrupted import CIFAR10_C, MNIST_C, cifar10_c, mnist_c
from augbench.datasets.named import inspect_dataset, load_dataset, remembered_dataset
from augbench.errors import DatasetError, ParameterError
from augbench.plugins import Registry

rng = np.random.default_rng(0)


def pixels(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def digits(tmp_path):
    """MNIST-C with 20 training and 10 test images: root, and the arrays of fog and identity."""
    arrays = {}
    for corruption in ("identity", "fog"):
        folder = tmp_path / "mnist_c" / corruption
        folder.mkdir(parents=True)
        for part, count in (("train", 20), ("test", 10)):
            images = arrays[corruption, part] = pixels(count, 28, 28, 1)
            np.save(folder / f"{part}_images.npy", images)
            np.save(folder / f"{part}_labels.npy", np.arange(count) % 10)
    return tmp_path, arrays


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """CIFAR-10 with ten images a file, and CIFAR-10-C's fog: root, and fog [50, 32, 32, 3]."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    sums = [write(n, {"data": pixels(10, 3072), "labels": list(range(10))}) for n in names]
    classes = [f"class {k}" for k in range(10)]
    meta = write("batches.meta", {"label_names": classes})
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(
        CIFAR10, "meta", {"filename": meta[0], "md5": meta[1], "key": "label_names"}
    )
    (tmp_path / "CIFAR-10-C").mkdir()
    fog = pixels(50, 32, 32, 3)
    np.save(tmp_path / "CIFAR-10-C" / "fog.npy", fog)
    np.save(tmp_path / "CIFAR-10-C" / "labels.npy", np.tile(np.arange(10, dtype=np.uint8), 5))
    return tmp_path, fog


def test_mnist_c_trains_on_clean_digits_and_tests_on_corrupted_ones(digits):
    root, arrays = digits
    dataset = mnist_c(root, corruption="fog")
    assert np.array_equal(dataset.train_images[:, 0], arrays["identity", "train"][..., 0])
    assert np.array_equal(dataset.test_images[:, 0], arrays["fog", "test"][..., 0])
    assert dataset.test_labels.tolist() == list(range(10))
    assert dataset.classes == tuple("0123456789")


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_cifar10_c_tests_on_one_severity_and_trains_on_cifar10(photographs, severity):
    from augbench.datasets.vision import cifar10

    root, fog = photographs
    dataset = cifar10_c(root, corruption="fog", severity=severity)
    asked = fog[10 * (severity - 1) : 10 * severity]
    assert np.array_equal(dataset.test_images, asked.transpose(0, 3, 1, 2))
    assert dataset.test_labels.tolist() == list(range(10))
    clean = cifar10(root)
    assert np.array_equal(dataset.train_images, clean.train_images)
    assert dataset.classes == clean.classes


def test_only_the_severity_asked_for_is_read_into_memory(photographs, monkeypatch):
    root, _ = photographs
    modes = []
    load = np.load

    def watched(file, mmap_mode=None, **options):
        modes.append(mmap_mode)
        return load(file, mmap_mode=mmap_mode, **options)

    monkeypatch.setattr(np, "load", watched)
    dataset = cifar10_c(root, corruption="fog", severity=2)
    assert modes == ["r", "r"]
    assert dataset.test_images.base is None  # a copy of its own, which keeps no file open


def test_a_spec_names_them_and_a_plan_needs_no_image_the_second_time(digits):
    root, _ = digits
    registry = Registry.load()
    component = registry.resolve("dataset", "mnist-c:corruption=fog")
    assert component.label == "mnist-c:corruption=fog"
    assert registry.resolve("dataset", "mnist-c:fog") == component
    loaded = load_dataset(registry, component, root)
    assert remembered_dataset(registry, component, root) == loaded.info
    images = root / "mnist_c" / "fog" / "test_images.npy"
    np.save(images, pixels(10, 28, 28, 1))
    assert inspect_dataset(registry, component, root).content_hash != loaded.content_hash
    with pytest.raises(ParameterError, match="'corruption' is required"):
        registry.resolve("dataset", "mnist-c")
    assert registry.resolve("dataset", "cifar10-c:fog,severity=2").label == (
        "cifar10-c:corruption=fog,severity=2"
    )


def test_an_unknown_corruption_is_one_line_with_a_suggestion(tmp_path):
    with pytest.raises(DatasetError, match="no corruption 'fogg'; did you mean 'fog'") as error:
        mnist_c(tmp_path, corruption="fogg")
    assert "\n" not in str(error.value)
    with pytest.raises(DatasetError, match="no corruption 'snw'; did you mean 'snow'"):
        cifar10_c(tmp_path, corruption="snw")


@pytest.mark.parametrize("severity", [0, 6])
def test_a_severity_that_does_not_exist_is_refused(tmp_path, severity):
    with pytest.raises(DatasetError, match=f"a severity of 1 to 5, got {severity}"):
        cifar10_c(tmp_path, corruption="fog", severity=severity)


def test_missing_files_are_one_line_that_says_what_belongs_where(tmp_path, photographs):
    with pytest.raises(DatasetError, match=r"no .*identity.*train_images\.npy and 3 more") as error:
        mnist_c(tmp_path, corruption="fog")
    assert "data_root or AUGBENCH_DATA" in str(error.value)
    root, _ = photographs
    with pytest.raises(DatasetError, match=r"there is no .*snow\.npy; put"):
        cifar10_c(root, corruption="snow")
    (root / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(DatasetError, match="'cifar10' not found"):
        cifar10_c(root, corruption="fog")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("test_images.npy", np.zeros((10, 28, 28), np.uint8), r"uint8 \[N, 28, 28, 1\], got"),
        ("test_images.npy", np.zeros((10, 28, 28, 1)), "got float64"),
        ("test_labels.npy", np.arange(9), "10 whole numbers, one for each image, got int64"),
        ("test_labels.npy", np.zeros(10), "got float64"),
        ("test_labels.npy", None, "cannot be read"),
    ],
)
def test_files_of_another_shape_or_type_are_named(digits, file, content, message):
    root, _ = digits
    path = root / "mnist_c" / "fog" / file
    if content is None:
        path.write_bytes(path.read_bytes()[:100])
    else:
        np.save(path, content)
    with pytest.raises(DatasetError, match=message) as error:
        mnist_c(root, corruption="fog")
    assert str(path) in str(error.value)


def test_cifar10_c_of_another_number_of_images_is_refused(photographs):
    root, fog = photographs
    np.save(root / "CIFAR-10-C" / "fog.npy", fog[:40])
    np.save(root / "CIFAR-10-C" / "labels.npy", np.arange(40) % 10)
    with pytest.raises(DatasetError, match="holds 40 images, expected five times the 10"):
        cifar10_c(root, corruption="fog")


def test_the_official_names_are_complete():
    assert (len(MNIST_C), len(CIFAR10_C)) == (16, 19)
    assert len(set(MNIST_C)) == 16
    assert len(set(CIFAR10_C)) == 19
