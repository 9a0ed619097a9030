"""Made-up images, in Parquet files like those of CIFAR-10 on the Hugging Face hub."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from convstudy.data import dataset
from PIL import Image

SETTINGS = {
    "source": "auto",
    "train_images": None,
    "validation_images": 0,
    "test_images": None,
    "seed": 0,
}


def pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), np.uint8)


def encoded(image, kind="PNG", mode="RGB"):
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, kind)
    return file.getvalue()


IMAGE = pixels(1)[0]
PNG, JPEG = encoded(IMAGE), encoded(IMAGE, "JPEG")
DIGITS = np.arange(50, dtype=np.uint8) % 10


def write_parquet(path, images, labels):
    rows = [{"bytes": image, "path": None} for image in images]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"img": pa.array(rows, kind), "label": labels}), path)


def prepare(folder, directory, **settings):
    """Prepare the images of a folder, or of none, and return summary and arrays."""
    given = None if directory is None else str(directory)
    memory = folder.parent / "images.json"
    summary = dataset.prepare(SETTINGS | settings, given, folder, memory)
    return summary, dataset.load_arrays(folder)
