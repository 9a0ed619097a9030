"""Images of one's own, with what other tools get wrong about them."""

import io
import itertools
import json
import unicodedata

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from convstudy.core.errors import UserError
from convstudy.data import dataset, examples, own
from helpers.images import SETTINGS
from PIL import Image

GREY = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
# Three classes of 20 images.
LABELS = np.arange(60) % 3
NAMES = ("a", "b", "c")


def encoded(image, kind="PNG", **how):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **how)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Write a folder with 20 images in each of three classes."""
    return write_folder(tmp_path / "mine")


def write_folder(root, images=GREY, labels=LABELS, names=NAMES, split="train"):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        write(root / split / names[label] / f"{number}.png", encoded(image))
    return root


def write(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def prepare(path, out=None, shape=(8, 8, 1), classes=3, **settings):
    """Prepare them, and return summary and arrays."""
    given = {"source": "images", "name": None, "fit": "exact", "label": None}
    given |= {"shape": list(shape), "classes": classes}
    out = out or path.parent / f"out-{path.name}"
    summary = dataset.prepare(SETTINGS | given | settings, str(path), out)
    return summary, dataset.load_arrays(out)


def refused(path, *words, **how):
    with pytest.raises(UserError) as caught:
        prepare(path, **how)
    [line] = str(caught.value).splitlines()
    for word in words:
        assert word in line, line


def write_rows(path, images, features=None, **columns):
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": encoded(image), "path": None} for image in images], kind)
    table = pa.table({"image": rows, **columns})
    if features is not None:
        about = json.dumps({"info": {"features": {"image": {"_type": "Image"}, **features}}})
        table = table.replace_schema_metadata({"huggingface": about})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def test_the_same_images_in_other_forms_and_orders_are_the_same_data(folder, tmp_path):
    order = np.random.default_rng(1).permutation(len(GREY))
    arrays = {"train_images": GREY[order], "train_labels": LABELS[order]}
    np.savez(tmp_path / "mine.npz", **arrays, classes=NAMES)
    np.savez(tmp_path / "keras.npz", x_train=GREY, y_train=LABELS[:, None], classes=NAMES)
    features = {"label": {"_type": "ClassLabel", "names": NAMES}}
    write_rows(tmp_path / "hub/train-00000-of-00001.parquet", GREY, features, label=LABELS)
    forms = [folder, tmp_path / "mine.npz", tmp_path / "keras.npz", tmp_path / "hub"]
    made = [prepare(form) for form in forms]
    assert len({summary["digest"] for summary, _ in made}) == 1
    for _, one in made:
        one.verify()
        np.testing.assert_array_equal(one.train_images, made[0][1].train_images)
    assert made[0][0]["used"] == {"train": 48, "validation": 0, "test": 12}
    assert np.bincount(made[0][1].test_labels).tolist() == [4, 4, 4]
    assert any("a fifth of each class was held out" in note for note in made[0][0]["notes"])


def test_names_and_number_of_classes_are_in_the_digest(tmp_path):
    found = set()
    for place, names in enumerate([NAMES, ("a", "b", "d")]):
        summary, _ = prepare(write_folder(tmp_path / str(place), names=names))
        assert summary["classes"] == list(names)
        found.add(summary["digest"])
    assert len(found) == 2
    refused(tmp_path / "0", "model.classes: 4, but", "has 3 (a, b, c)", classes=4)


def test_there_is_one_list_of_classes_for_all_splits(folder):
    write_folder(folder, GREY[:2] // 2, [0, 2], split="test")
    summary, made = prepare(folder)
    assert made.test_labels.tolist() == [0, 2]
    assert summary["notes"] == ["the class b has no test images"]
    write(folder / "test/z/1.png", encoded(GREY[0]))
    refused(folder, "test has the class z, which", "lacks")


def test_an_empty_folder_for_the_test_is_none(folder):
    write(folder / "test/a/.keep")
    summary, _ = prepare(folder)
    assert any("a fifth of each class was held out" in note for note in summary["notes"])


def test_a_class_without_training_images_is_refused(folder):
    write(folder / "train/empty/.keep")
    refused(folder, "train/empty: a class without images", classes=4)


def test_classes_are_sorted_as_text(tmp_path):
    names = ("2", "10", "1")
    summary, made = prepare(write_folder(tmp_path / "mine", names=names))
    assert summary["classes"] == ["1", "10", "2"]
    [of_ten] = {int(label) for label in made.train_labels[made.train_labels == 1]}
    assert of_ten == 1
    lines = (tmp_path / "out-mine/classes.csv").read_text().splitlines()
    assert lines[1:4] == ["train,0,1,16", "train,1,10,16", "train,2,2,16"]


@pytest.mark.parametrize("name", ["が", "é", "ü"])
def test_names_are_composed_and_may_not_be_there_in_two_forms(tmp_path, name):
    twice = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    folder = write_folder(tmp_path / "mine", names=("a", "b", twice[1]))
    assert prepare(folder)[0]["classes"][-1] == twice[0]
    write(folder / "train" / twice[0] / "1.png", encoded(GREY[0]))
    refused(folder, f"two folders named {twice[0]}, in two forms of Unicode")


LEFT = (".DS_Store", "train/.ipynb_checkpoints/a.png", "train/a/.ipynb_checkpoints/0.png")
LEFT += ("train/a/Thumbs.db", "__MACOSX/train/a/0.png", "train/b/notes.txt", "README.md")


def test_what_is_no_image_of_a_class_is_skipped_and_counted(folder):
    for name in LEFT:
        write(folder / name, encoded(GREY[0]) if name.endswith(".png") else b"text")
    summary, made = prepare(folder)
    assert summary["classes"] == list(NAMES)
    [note] = [one for one in summary["notes"] if "skipped" in one]
    assert note.startswith("7 files skipped (.DS_Store, README.md, ")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(made.train_labels) + len(made.test_labels) + 7 == len(files)


def test_a_split_is_a_folder_and_no_word_in_a_name(folder):
    write(folder / "train/a/photo of a test.png", encoded(GREY[0] // 2))
    summary, _ = prepare(folder)
    assert sum(summary["available"].values()) == 61
    refused(folder / "train/a", "has no folder train", "arrange it as train/CLASS/IMAGE")
    write(folder / "train/a/deeper/1.png", encoded(GREY[1]))
    refused(folder, "deeper: a folder within a class")


def test_formats_are_told_by_the_first_bytes(folder):
    for number, (name, kind) in enumerate(
        [("x.JPG", "JPEG"), ("x.jpeg", "JPEG"), ("x.webp", "WEBP"), ("x.gif", "GIF"),
         ("x.txt", "PNG"), ("x", "BMP")]
    ):  # fmt: skip
        write(folder / "train/a" / name, encoded(GREY[number] // 2, kind))
    write(folder / "train/a/y.png", b"this is text")
    summary, _ = prepare(folder)
    assert sum(summary["available"].values()) == 66
    assert summary["encoding"] == "bmp, gif, jpeg, png, webp"
    assert summary["lossy"]
    assert any("1 file skipped (train/a/y.png)" in note for note in summary["notes"])


def transparent(mode):
    image = Image.fromarray(GREY[0]).convert(mode)
    image.info["transparency"] = 0
    return encoded(image, transparency=0)


def frames():
    two = [Image.fromarray(one) for one in GREY[:2]]
    return encoded(two[0], "GIF", save_all=True, append_images=two[1:])


DEEP = Image.fromarray(GREY[0].astype(np.uint16) * 257)


def colour_of_16_bits():
    """Write a PNG of 16 bits a channel, which Pillow cannot, but reads as if it had 8."""
    import struct
    import zlib

    def chunk(kind, content):
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = (b"\0" + bytes(8 * 6)) * 8
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)),
         chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(encoded(Image.fromarray(GREY[0]).convert("RGBA")), "as RGBA", id="RGBA"),
        pytest.param(encoded(Image.fromarray(GREY[0]).convert("LA")), "as LA", id="LA"),
        pytest.param(transparent("P"), "transparent pixels", id="P"),
        pytest.param(transparent("L"), "transparent pixels", id="L"),
        pytest.param(encoded(Image.fromarray(GREY[0]).convert("CMYK"), "JPEG"), "CMYK", id="CMYK"),
        pytest.param(frames(), "2 frames", id="frames"),
        pytest.param(encoded(DEEP), "16 bits a channel", id="16-bit grey"),
        pytest.param(encoded(DEEP, "TIFF"), "16 bits a channel", id="16-bit TIFF"),
        pytest.param(colour_of_16_bits(), "16 bits a channel", id="16-bit colour"),
        pytest.param(encoded(GREY[0])[:60], "cannot be decoded", id="damaged"),
        pytest.param(encoded(np.zeros((8, 9), np.uint8)), "8x9 pixels", id="another size"),
    ],
)
def test_an_image_that_would_be_changed_is_refused_with_its_name(folder, content, what):
    write(folder / "train/a/odd.png", content)
    refused(folder, f"{folder}/train/a/odd.png: an image", what)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_grey_and_colour_become_what_the_networks_take(tmp_path, mode):
    images = [Image.fromarray(one).convert(mode) for one in GREY]
    for number, (image, label) in enumerate(zip(images, LABELS, strict=True)):
        write(tmp_path / "mine/train" / NAMES[label] / f"{number}.png", encoded(image))
    for channels in (1, 3):
        shape = (8, 8, channels)
        summary, made = prepare(tmp_path / "mine", tmp_path / f"{channels}", shape)
        expected = {image.convert("L" if channels == 1 else "RGB").tobytes() for image in images}
        found = itertools.chain(made.train_images, made.test_images)
        assert {image.tobytes() for image in found} == expected
        to_grey = any("turned from colour to grey (ITU-R 601)" in one for one in summary["notes"])
        assert to_grey == (channels == 1 and mode == "RGB")


def test_images_are_turned_as_their_camera_says_before_their_size_is_checked(folder):
    lying = np.random.default_rng(2).integers(0, 256, (8, 6), np.uint8)
    exif = Image.Exif()
    exif[own.ROTATION] = 6
    write(folder / "train/a/turned.png", encoded(lying, exif=exif))
    refused(folder, "turned.png: an image of 6x8 pixels")
    square = np.random.default_rng(3).integers(0, 256, (8, 8), np.uint8)
    write(folder / "train/a/turned.png", encoded(square, exif=exif))
    summary, made = prepare(folder)
    assert "1 images turned as their EXIF data say" in summary["notes"]
    every = itertools.chain(made.train_images, made.test_images)
    assert any((one[..., 0] == np.rot90(square, -1)).all() for one in every)


@pytest.mark.parametrize("how", ["resize", "crop"])
def test_resizing_smooths_and_is_said_with_filter_and_version(tmp_path, how):
    """Without a filter, a fine checkerboard becomes black or white."""
    board = np.indices((64, 96)).sum(axis=0) % 2
    images = [(board * (135 + 2 * number)).astype(np.uint8) for number in range(60)]
    folder = write_folder(tmp_path / "mine", images)
    summary, made = prepare(folder, fit=how)
    assert made.train_images.std(axis=(1, 2)).max() < 10
    [note] = [one for one in summary["notes"] if "Lanczos" in one]
    words = "resized and cropped at the centre" if how == "crop" else "resized"
    assert note == f"60 images {words} (Lanczos filter of Pillow {PIL.__version__})"
    refused(folder, "64x96 pixels", "write data.fit: resize or crop")


def test_cropping_keeps_the_centre_undistorted(folder):
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = GREY[0]
    write(folder / "train/a/wide.png", encoded(wide))
    _, made = prepare(folder, fit="crop")
    every = itertools.chain(made.train_images, made.test_images)
    assert sum((one[..., 0] == GREY[0]).all() for one in every) == 2


# Labels


FEATURES = {
    "fine_label": {"_type": "ClassLabel", "names": [f"f{number}" for number in range(6)]},
    "coarse_label": {"_type": "ClassLabel", "names": list(NAMES)},
}


def test_of_two_columns_of_labels_the_config_must_name_one(tmp_path):
    path = tmp_path / "hub/train.parquet"
    labels = {"fine_label": np.arange(60) % 6, "coarse_label": LABELS}
    write_rows(path, GREY, FEATURES, **labels)
    write_rows(path.with_name("other.parquet"), GREY, FEATURES, **labels)
    refused(tmp_path / "hub", "several columns of labels: fine_label, coarse_label", "data.label")
    coarse, _ = prepare(tmp_path / "hub", label="coarse_label")
    fine, _ = prepare(tmp_path / "hub", label="fine_label", classes=6)
    assert coarse["classes"] == list(NAMES)
    assert coarse["notes"][0] == "1 file skipped (other.parquet)"
    assert coarse["digest"] != fine["digest"]
    refused(tmp_path / "hub", "data.label: lable, but", label="lable")


def test_names_that_a_file_lost_are_said_to_be_numbers(tmp_path):
    write_rows(tmp_path / "hub/train.parquet", GREY, label=LABELS)
    summary, _ = prepare(tmp_path / "hub")
    assert summary["classes"] == ["0", "1", "2"]
    assert "the files do not name their classes, so these are numbers" in summary["notes"]


def test_the_files_own_order_of_names_is_kept(tmp_path):
    features = {"label": {"_type": "ClassLabel", "names": ["z", "a", "m"]}}
    write_rows(tmp_path / "hub/train.parquet", GREY, features, label=LABELS)
    assert prepare(tmp_path / "hub")[0]["classes"] == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("labels", "named", "words"),
    [
        (LABELS + 1, True, "the labels go from 1 to 3, but they must count from 0; subtract 1"),
        (LABELS + 1, False, "the labels go from 1 to 3, but they must count from 0; subtract 1"),
        (LABELS - 1, True, "has the label -1, but with 3 classes they go from 0 to 2"),
    ],
)
def test_labels_that_do_not_count_from_zero_are_refused(tmp_path, labels, named, words):
    names = {"classes": NAMES} if named else {}
    np.savez(tmp_path / "x.npz", train_images=GREY, train_labels=labels, **names)
    features = {"label": {"_type": "ClassLabel", "names": NAMES}} if named else None
    write_rows(tmp_path / "hub/train.parquet", GREY, features, label=labels)
    for form in ("x.npz", "hub"):
        refused(tmp_path / form, words)


def test_labels_keep_their_number_up_to_256_classes(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (512, 8, 8), np.uint8)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=np.arange(512) % 256,
             x_test=images[:256] // 2, y_test=np.arange(256))  # fmt: skip
    _, made = prepare(tmp_path / "x.npz", classes=256)
    assert set(made.train_labels.tolist()) == set(range(256))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": GREY}, ["no train_images and train_labels, only images"]),
        ({"train_images": GREY / 255, "train_labels": LABELS}, ["float64", "uint8"]),
        ({"train_images": GREY.astype(np.uint16), "train_labels": LABELS}, ["uint16"]),
        ({"train_images": GREY, "train_labels": LABELS[:9]}, ["a whole number for each of 60"]),
        ({"train_images": GREY, "train_labels": LABELS / 2}, ["float64 of shape"]),
        ({"train_images": GREY[..., None].repeat(4, 3), "train_labels": LABELS}, ["8, 8, 4)"]),
    ],
)
def test_arrays_that_cannot_be_right_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "x.npz", **arrays)
    refused(tmp_path / "x.npz", *words)


def test_a_damaged_file_is_named(tmp_path):
    write(tmp_path / "x.npz", b"PK\x03\x04")
    refused(tmp_path / "x.npz", "not an .npz file that can be read")
    write(tmp_path / "hub/train.parquet", b"PAR1")
    refused(tmp_path / "hub", "damaged or not a Parquet file")
    write_rows(tmp_path / "parts/train-00000-of-00002.parquet", GREY, label=LABELS)
    refused(tmp_path / "parts", "one of 2 files")


def test_test_images_among_the_training_images_are_counted(folder):
    write_folder(folder, GREY[:30] // 2, LABELS[:30], split="test")
    for number in range(3):
        write(folder / f"test/a/again{number}.png", encoded(GREY[number]))
    assert prepare(folder)[0]["duplicates"]["test_in_train"] == 3
    write_folder(folder, split="test")
    for path in folder.glob("test/*/*"):
        path.unlink()
    write_folder(folder, split="test")
    refused(folder, "all 60 test images are also training images")


# What is said of them


def test_the_largest_class_and_the_pixels_are_recorded(folder):
    write_folder(folder, GREY[:10] // 2, [0] * 6 + [1] * 3 + [2], split="test")
    summary, made = prepare(folder, name="letters")
    assert summary["name"] == "letters"
    assert summary["largest_class"] == {"name": "a", "share": 0.6}
    scaled = made.train_images / 255
    assert summary["pixels"]["mean"] == [pytest.approx(scaled.mean(), abs=1e-4)]
    assert summary["pixels"]["std"] == [pytest.approx(scaled.std(), abs=1e-4)]


def test_images_are_counted_before_they_are_read(folder, tmp_path):
    assert own.count(folder) == 48
    write_folder(folder, GREY[:9] // 2, LABELS[:9], split="test")
    assert own.count(folder) == 60
    np.savez(tmp_path / "x.npz", train_images=GREY, train_labels=LABELS)
    assert own.count(tmp_path / "x.npz") == 48
    write_rows(tmp_path / "hub/train.parquet", GREY, label=LABELS)
    assert own.count(tmp_path / "hub") == 48
    assert own.count(tmp_path / "nothing") is None
    write(tmp_path / "damaged.npz", b"PK")
    assert own.count(tmp_path / "damaged.npz") is None


def test_the_digits_of_the_example_are_the_same_in_both_forms(tmp_path):
    pytest.importorskip("sklearn")
    forms = examples.write_digits(tmp_path)
    found = [prepare(form, tmp_path / str(n), classes=10)[0] for n, form in enumerate(forms)]
    assert found[0]["digest"] == found[1]["digest"]
    assert sum(found[0]["used"].values()) == 1797
