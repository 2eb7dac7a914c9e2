"""Reading images, files or in archives: pixels, sizes, and whether an image is whole."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Image, ImageFile

_TRANSPOSED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 0x0100, 0x0101
_TAIL = 64


def read_image(path: ImageFile, source: str, ignore_orientation: bool = False) -> Image:
    """(H, W, 3) uint8, BGR, turned as its EXIF orientation says; DataError naming ``source`` when unreadable."""
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if ignore_orientation else 0)
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(encoded, flags) if encoded.size else None
    except OSError as error:
        raise DataError(Problem(source, f"cannot read {path} ({error.strerror})")) from error
    except cv2.error as error:
        raise DataError(Problem(source, f"cannot decode {path} ({error.err})")) from error
    if image is None:
        raise DataError(Problem(source, f"{path} is not an image that OpenCV can decode"))
    return np.asarray(image, np.uint8)


def image_size(path: ImageFile, source: str) -> tuple[int, int]:
    """(width, height) in pixels as :func:`read_image` would give them, read from the header; DataError without one."""
    try:
        with path.open("rb") as file, PilImage.open(file) as image:
            tags = getattr(image, "tag_v2", {})  # of TIFF; the size that newer Pillow gives is turned already
            width, height = int(tags.get(_WIDTH, image.width)), int(tags.get(_HEIGHT, image.height))
            turned = _has_orientation(image) and image.getexif().get(_ORIENTATION) in _TRANSPOSED
    except UnidentifiedImageError as error:  # its message names the stream
        raise DataError(Problem(source, f"{path} is not a readable image (of no format that Pillow knows)")) from error
    except (OSError, ValueError) as error:
        raise DataError(Problem(source, f"{path} is not a readable image ({error})")) from error
    return (height, width) if turned else (width, height)


def _has_orientation(image: PilImage.Image) -> bool:
    """Whether there may be EXIF data; asking a PNG for them when its header has none would decode all of it."""
    return image.format in ("JPEG", "TIFF", "WEBP") or (image.format == "PNG" and "exif" in image.info)


def find_damage(path: ImageFile) -> str:
    """Why the pixels of an image file are not all there; empty when they are.

    OpenCV before version 5 decodes a cut-off JPEG without a word, the lost part grey. A JPEG or PNG that ends with
    its end marker is taken as whole; any other file is decoded.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(0, 2)
            file.seek(max(file.tell() - _TAIL, 0))
            tail = file.read()
        if head.startswith(b"\xff\xd8") and b"\xff\xd9" in tail:
            return ""
        if head == b"\x89PNG\r\n\x1a\n" and b"IEND" in tail:
            return ""
        with path.open("rb") as file, PilImage.open(file) as image:
            image.load()
    except (OSError, ValueError, SyntaxError) as error:  # UnidentifiedImageError is an OSError
        return str(error) or type(error).__name__
    return ""
