import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from augbench.datasets.folder import folder
from augbench.errors import DatasetError, ParameterError
from augbench.plugins.registry import Registry


def save(path, value, size=(8, 8), mode="L", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path, **options)


@pytest.fixture
def split(tmp_path):
    """train/ and test/ of two classes: cats are dark, dogs are bright."""
    for part, count in (("train", 3), ("test", 2)):
        for name, value in (("cat", 40), ("dog", 200)):
            for k in range(count):
                save(tmp_path / part / name / f"{k}.png", value + k)
    return tmp_path


@pytest.fixture
def whole(tmp_path):
    """Ten images of each of two classes without a split."""
    for name in ("cat", "dog"):
        for k in range(10):
            save(tmp_path / name / f"{k}.png", 10 * k)
    return tmp_path


def test_a_folder_is_a_class_and_images_come_in_the_order_of_their_names(split):
    dataset = folder(None, path=str(split), size=8)
    assert dataset.classes == ("cat", "dog")
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train_images[:, 0, 3, 3].tolist() == [40, 41, 42, 200, 201, 202]
    assert dataset.test_images[:, 0, 3, 3].tolist() == [40, 41, 200, 201]


def test_images_get_the_stated_size_and_number_of_channels(split):
    save(split / "train" / "cat" / "wide.png", (10, 20, 30), size=(50, 9), mode="RGB")
    dataset = folder(None, path=str(split), size=12, channels=3)
    assert dataset.train_images.shape == (7, 3, 12, 12)
    assert dataset.train_images[3, :, 5, 5].tolist() == [10, 20, 30]
    assert folder(None, path=str(split)).info.image_shape == (1, 28, 28)


def noise(width, height, channels=3):
    shape = (height, width, 3) if channels == 3 else (height, width)
    pixels = np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def channels_first(image):
    return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.integers(1, 64),
    channels=st.sampled_from([1, 3]),
)
@example(width=96, height=128, size=224, channels=3)
@example(width=131, height=96, size=224, channels=1)
@example(width=53, height=32, size=32, channels=3)  # an odd margin, cut without a change of size
@example(width=7, height=7, size=9, channels=3)
def test_images_are_squared_to_the_bit_as_torchvision_does_it(split, width, height, size, channels):
    image = noise(width, height, channels)
    image.save(split / "train" / "cat" / "a.png")
    references = {
        "stretch": transforms.Resize((size, size)),
        "crop": transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size)]),
    }
    for resize, reference in references.items():
        dataset = folder(None, path=str(split), size=size, channels=channels, resize=resize)
        assert np.array_equal(dataset.train_images[3], channels_first(reference(image)))


def test_a_crop_keeps_the_middle_in_its_proportions_and_a_stretch_keeps_all(split):
    pixels = np.zeros((8, 16), dtype=np.uint8)
    pixels[:, :4], pixels[:, 4:12] = 200, 100  # bright on the left, grey in the middle, then black
    Image.fromarray(pixels).save(split / "train" / "cat" / "a.png")
    whole, middle = (
        folder(None, path=str(split), size=8, resize=resize).train_images[3, 0]
        for resize in ("stretch", "crop")
    )
    assert middle.tolist() == [[100] * 8] * 8
    assert (whole[:, 0].tolist(), whole[:, 7].tolist()) == ([200] * 8, [0] * 8)


def test_a_stretch_is_the_default_and_has_the_content_hash_that_it_always_had(split):
    image = noise(50, 9)
    image.save(split / "train" / "cat" / "a.png")
    dataset = folder(None, path=str(split), size=12, channels=3)
    pixels = dataset.train_images.copy()
    pixels[3] = channels_first(image.resize((12, 12), Image.Resampling.BILINEAR))
    expected = replace(dataset, train_images=pixels).content_hash
    assert dataset.content_hash == expected
    spelled = folder(None, path=str(split), size=12, channels=3, resize="stretch")
    assert spelled.content_hash == expected
    cropped = folder(None, path=str(split), size=12, channels=3, resize="crop")
    assert cropped.content_hash != expected


def test_the_way_of_resizing_is_part_of_a_spec_and_of_its_label(split):
    registry = Registry.load()
    path = f"folder:{split}"
    crop = registry.resolve("dataset", f"{path},resize=crop,size=9")
    assert crop.label == f"folder:path={split},size=9,resize=crop"
    default = registry.resolve("dataset", f"{path},resize=stretch")
    assert default.label == f"folder:path={split}"
    message = "parameter 'resize' expects stretch | crop, got 'fit'"
    with pytest.raises(ParameterError, match=re.escape(message)) as caught:
        registry.resolve("dataset", f"{path},resize=fit")
    assert "\n" not in str(caught.value)


def test_root_plays_no_part(split, tmp_path):
    first = folder(None, path=str(split))
    assert folder(tmp_path / "absent", path=str(split)).content_hash == first.content_hash


@pytest.mark.parametrize("change", [str, str.upper, str.lower])
def test_what_systems_leave_behind_is_ignored_in_any_case(split, change):
    for name in (".DS_Store", ".hidden", "._0.png", "Thumbs.db", "ehthumbs.db", "desktop.ini"):
        (split / "train" / "cat" / change(name)).write_text("x")
        (split / "train" / change(name)).write_text("x")
    (split / "test" / ".cache").mkdir()
    (split / change("__MACOSX")).mkdir()
    (split / "train" / change("__MACOSX")).mkdir()
    (split / "train" / "dog" / change("@eaDir")).mkdir()
    assert folder(None, path=str(split)).info.train_counts == (3, 3)


NAMES = ["B.png", "IMG_1.PNG", "Img_2.png", "Z.png", "a.png", "caf\u00e9.png", "img_3.png", "z.png"]


def fill(place, form, order=1):
    """Four classes of eight images each, under names in that Unicode form."""
    for name in ("Zebra", "ape", "\u00c5land", "e\u0301clair"):
        for value, file in [*enumerate(NAMES)][::order]:
            path = place / unicodedata.normalize(form, name) / unicodedata.normalize(form, file)
            save(path, 20 * value, format="PNG")
    return folder(None, path=str(place), size=8, test_fraction=0.4)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_folder_reads_the_same_whatever_form_of_unicode_its_file_system_keeps(tmp_path, form):
    here, there = fill(tmp_path / "here", "NFC"), fill(tmp_path / "there", form, -1)
    assert there.classes == here.classes == ("Zebra", "ape", "\u00c5land", "\u00e9clair")
    for one, other in (
        (here.train_images, there.train_images),
        (here.test_images, there.test_images),
    ):
        assert np.array_equal(one, other)
    # The very split that a case-sensitive system without normalisation always had.
    assert here.test_images[:6, 0, 0, 0].tolist() == [40, 120, 140, 20, 120, 140]


def test_names_are_sorted_as_text_where_paths_are_compared_without_their_case(
    tmp_path, monkeypatch
):
    here = fill(tmp_path / "here", "NFC")
    monkeypatch.setattr(Path, "__lt__", lambda one, other: str(one).lower() < str(other).lower())
    assert fill(tmp_path / "there", "NFC").content_hash == here.content_hash


def test_train_and_test_are_found_in_any_case(split):
    expected = folder(None, path=str(split)).content_hash
    (split / "train").rename(split / "Train")
    (split / "test").rename(split / "TEST")
    assert folder(None, path=str(split)).content_hash == expected


def test_two_classes_of_one_name_in_two_forms_are_refused(split):
    for form in ("NFC", "NFD"):
        save(split / "train" / unicodedata.normalize(form, "caf\u00e9") / "0.png", 0)
    if len([*(split / "train").iterdir()]) == 3:
        pytest.skip("this file system knows one Unicode form only")
    with pytest.raises(DatasetError, match=r"two class folders of .* are called 'café'"):
        folder(None, path=str(split))


def test_transparent_becomes_black_and_16_bits_are_scaled_not_clipped(split):
    save(split / "train" / "cat" / "a.png", (255, 255, 255, 0), mode="RGBA")
    deep = np.full((8, 8), 128 * 256, dtype=np.uint16)
    Image.fromarray(deep).save(split / "train" / "cat" / "b.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    palette.save(split / "train" / "cat" / "c.png")
    images = folder(None, path=str(split), size=8).train_images
    assert images[3:6, 0, 4, 4].tolist() == [0, 128, 90]


def test_a_turned_photograph_is_put_upright(split):
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:, :4] = 255  # bright on the left; turned by 90 degrees clockwise: bright on top
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(split / "train" / "cat" / "a.png", exif=exif)
    image = folder(None, path=str(split), size=8).train_images[3, 0]
    assert image[0].tolist() == [255] * 8
    assert image[-1].tolist() == [0] * 8


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.25, 0.99])
def test_a_stated_split_holds_out_that_share_of_every_class(whole, fraction):
    dataset = folder(None, path=str(whole), test_fraction=fraction)
    held_out = min(max(round(10 * fraction), 1), 9)
    assert dataset.info.train_counts == (10 - held_out,) * 2
    assert np.bincount(dataset.test_labels).tolist() == [held_out] * 2


def test_a_stated_split_is_pinned_and_grows_with_the_fraction(whole):
    chosen = {}
    for fraction in (0.2, 0.4):
        dataset = folder(None, path=str(whole), size=8, test_fraction=fraction)
        chosen[fraction] = [int(value) // 10 for value in dataset.test_images[:, 0, 0, 0]]
    small, large = chosen[0.2], chosen[0.4]
    assert set(small[:2]) <= set(large[:4])
    assert set(small[2:]) <= set(large[4:])
    assert small == [0, 8, 5, 7]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"text, not an image",
        lambda data: data[: len(data) // 2],
        lambda data: data[:40] + bytes(len(data) - 40),
    ],
    ids=["empty", "text", "truncated", "zeroed"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_file_that_is_no_image_is_named(split, damage, kind):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    bad = split / "train" / "dog" / "bad.img"
    bad.write_bytes(damage(buffer.getvalue()))
    with pytest.raises(DatasetError, match=f"{bad} cannot be read as an image: .") as caught:
        folder(None, path=str(split))
    assert "\n" not in str(caught.value)


def remove(path):
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    path.rmdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: remove(p / "test"), "holds no test/; expected train/CLASS/IMAGE.*test_fraction"),
        (lambda p: remove(p / "train"), "holds no train/; expected"),
        (lambda p: remove(p), "there is no folder"),
        (lambda p: (p / "train" / "eel").mkdir(), "class folder .*eel holds no images"),
        (lambda p: save(p / "train" / "eel" / "0.png", 0), "'eel' is in train/ and not in test/"),
        (lambda p: save(p / "test" / "eel" / "0.png", 0), "'eel' is in test/ and not in train/"),
        (
            lambda p: save(p / "train" / "0.png", 0),
            "one folder a class in .*found the file .*0.png",
        ),
        (lambda p: save(p / "train" / "cat" / "x" / "0.png", 0), "found the folder .*x"),
        (lambda p: [remove(p / k / "dog") for k in ("train", "test")], "one class only .'cat'."),
        (
            lambda p: [remove(p / k / c) for k in ("train", "test") for c in ("cat", "dog")],
            "train holds no class folders.*\n.*test holds no class folders",
        ),
    ],
)
def test_a_layout_that_does_not_fit_is_one_clear_line_for_each_problem(split, spoil, message):
    spoil(split)
    with pytest.raises(DatasetError, match=message) as caught:
        folder(None, path=str(split))
    assert len(str(caught.value).splitlines()) == 1 + message.count("\n")


def test_a_split_of_what_is_split_already_is_refused(split):
    with pytest.raises(DatasetError, match="already: leave test_fraction out"):
        folder(None, path=str(split), test_fraction=0.2)


def test_a_class_of_one_image_cannot_be_split(whole):
    save(whole / "eel" / "0.png", 0)
    with pytest.raises(DatasetError, match="eel holds 1 image; test_fraction needs at least 2"):
        folder(None, path=str(whole), test_fraction=0.2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"path": ""}, "folder:PATH"),
        ({"size": 0}, "size as 1 pixel or more, got 0"),
        ({"size": 2.5}, "got 2.5"),
        ({"resize": "fit"}, "resize as stretch or crop, got 'fit'"),
        ({"resize": None}, "resize as stretch or crop, got None"),
        ({"channels": 2}, "1 .grey. or 3 .colour., got 2"),
        ({"test_fraction": 1.0}, "0 ≤ test_fraction < 1, got 1.0"),
        ({"test_fraction": -0.1}, "got -0.1"),
    ],
)
def test_parameters_out_of_range_are_refused(split, parameters, message):
    with pytest.raises(ParameterError, match=message):
        folder(None, **{"path": str(split), **parameters})
