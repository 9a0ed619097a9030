"""Small real data sets to try images of one's own with, in the forms that can be read."""

from pathlib import Path

import numpy as np

from convstudy.core.errors import UserError
from convstudy.core.files import replacing


def write_digits(folder: Path) -> list[Path]:
    """Write scikit-learn's handwritten digits, as PNG files by class and as an ``.npz`` file.

    They are 1,797 grey images of 8 x 8 pixels with 17 levels (E. Alpaydin and C. Kaynak, UCI
    Machine Learning Repository, 1998), which become 0 to 240 here.

    Args:
        folder: Where to write ``png/train/DIGIT/NUMBER.png`` and ``digits.npz``.

    Returns:
        The folder of PNG files, and the ``.npz`` file.

    Raises:
        UserError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError(
            "example-images needs scikit-learn, which make setup installs; with another"
            " environment: pip install scikit-learn"
        ) from None
    from PIL import Image

    digits = load_digits()
    images, labels = (15 * digits.images).astype(np.uint8), digits.target.astype(np.uint8)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / "png/train" / str(label) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            Image.fromarray(image).save(temporary, "PNG")
    with replacing(folder / "digits.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, train_images=images, train_labels=labels)
    return [folder / "png", folder / "digits.npz"]


EXAMPLES = {"digits": write_digits}
