"""Reading images, files or in archives: pixels, sizes, and whether an image is whole."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image as PilImage
from PIL import UnidentifiedImageError

from ocrtune.core.errors import DataError, Problem
from ocrtune.core.records import Image, ImageFile
from ocrtune.data.kept_images import REDUCTIONS, KeptImages

_TRANSPOSED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = 0x0100, 0x0101
_TAIL = 64
_FLAGS = (
    cv2.IMREAD_COLOR,
    cv2.IMREAD_REDUCED_COLOR_2,
    cv2.IMREAD_REDUCED_COLOR_4,
    cv2.IMREAD_REDUCED_COLOR_8,
)
_REDUCED = dict(zip(REDUCTIONS, _FLAGS, strict=True))


def read_image(path: ImageFile, source: str, ignore_orientation: bool = False) -> Image:
    """(H, W, 3) uint8, BGR, turned as its EXIF orientation says; DataError naming ``source`` when unreadable."""
    return ImageSource(path, source, ignore_orientation).read(1)[0]


class ImageSource:
    """An image file that is read and decoded when it is asked for; every answer may raise DataError.

    source: what the errors name. The image is (H, W, 3) uint8, BGR, turned as its EXIF orientation says unless
    ``ignore_orientation``. kept: where it may be already, and is put if there is room; its pixels are then read-only.
    """

    def __init__(self, path: ImageFile, source: str, ignore_orientation: bool = False, kept: KeptImages | None = None):
        self._path = path
        self._source = source
        self._ignore_orientation = ignore_orientation
        self._kept = kept
        self._size: tuple[int, int] | None = None
        self._jpeg: bool | None = None
        if kept is not None and (about := kept.about(path)) is not None:
            self._size, self._jpeg = about
        self._encoded: bytes | None = None
        self._decoded: tuple[Image, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels. Of a JPEG the header is enough; it is what :meth:`read` is held to."""
        if self._size is None and self._is_jpeg():
            try:
                with PilImage.open(io.BytesIO(self._bytes())) as image:
                    self._size = _turned_size(image, self._ignore_orientation)
            except (OSError, ValueError, SyntaxError):
                pass  # OpenCV may know better
        if self._size is None:
            self.read(1)
        assert self._size is not None
        return self._size

    def read(self, reduction: int) -> tuple[Image, int]:
        """(image, factor): of a JPEG the image averaged down by ``factor``, 1, 2, 4 or 8, at most ``reduction``.

        That takes less than half the time of decoding all of it. Of other files all of it, with factor 1.
        """
        factor = max(f for f in _REDUCED if f <= max(reduction, 1)) if self._is_jpeg() else 1
        if self._decoded is None or self._decoded[1] > factor:
            self._decoded = self._find(factor), factor
        return self._decoded

    def _find(self, factor: int) -> Image:
        if self._kept is None:
            return self._decode(factor)
        image = self._kept.find(self._path, factor)
        if image is None:
            image = self._decode(factor)
            self._kept.keep(self._path, factor, image, self.size, self._is_jpeg())
        elif factor == 1:  # another process may have decoded it since this source was made
            self._size = (image.shape[1], image.shape[0])
        return image

    def _decode(self, factor: int) -> Image:
        flags = _REDUCED[factor] | (cv2.IMREAD_IGNORE_ORIENTATION if self._ignore_orientation else 0)
        encoded = np.frombuffer(self._bytes(), np.uint8)
        try:
            image = cv2.imdecode(encoded, flags) if encoded.size else None
        except cv2.error as error:
            raise DataError(Problem(self._source, f"cannot decode {self._path} ({error.err})")) from error
        if image is None:
            raise DataError(Problem(self._source, f"{self._path} is not an image that OpenCV can decode"))
        found = image.shape[1], image.shape[0]
        if factor == 1 and self._size is None:
            self._size = found
        if found != tuple(-(-side // factor) for side in self.size):
            what = f"{self._path} is {self._size} pixels large by its header, but {found} when reduced by {factor}"
            raise DataError(Problem(self._source, what, "save it anew"))
        return np.asarray(image, np.uint8)

    def _bytes(self) -> bytes:
        if self._encoded is None:
            try:
                self._encoded = self._path.read_bytes()
            except OSError as error:
                raise DataError(Problem(self._source, f"cannot read {self._path} ({error.strerror})")) from error
        return self._encoded

    def _is_jpeg(self) -> bool:
        if self._jpeg is None:
            self._jpeg = self._bytes().startswith(b"\xff\xd8\xff")
        return self._jpeg


def image_size(path: ImageFile, source: str) -> tuple[int, int]:
    """(width, height) in pixels as :func:`read_image` would give them, read from the header; DataError without one."""
    try:
        with path.open("rb") as file, PilImage.open(file) as image:
            return _turned_size(image)
    except UnidentifiedImageError as error:  # its message names the stream
        raise DataError(Problem(source, f"{path} is not a readable image (of no format that Pillow knows)")) from error
    except (OSError, ValueError) as error:
        raise DataError(Problem(source, f"{path} is not a readable image ({error})")) from error


def _turned_size(image: PilImage.Image, ignore_orientation: bool = False) -> tuple[int, int]:
    """(width, height) in pixels, turned as the EXIF orientation says."""
    tags = getattr(image, "tag_v2", {})  # of TIFF; the size that newer Pillow gives is turned already
    width, height = int(tags.get(_WIDTH, image.width)), int(tags.get(_HEIGHT, image.height))
    has_orientation = not ignore_orientation and _has_orientation(image)
    turned = has_orientation and image.getexif().get(_ORIENTATION) in _TRANSPOSED
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
