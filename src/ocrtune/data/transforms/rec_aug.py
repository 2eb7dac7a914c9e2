"""RecAug: PaddleOCR's augmentation of text crops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrtune.core.jit import compiled
from ocrtune.core.records import Image
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms
from ocrtune.data.warp_mls import distort, perspective, stretch

_LEAST_SIDE = 20  # crops smaller than this are neither warped nor cut
_LEAST_SHIFTED = 10
_PARTS = 65536
_LEVELS = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)


@dataclass(frozen=True)
class RecAugOptions:
    """How often each step is done, 0..1. tia: distort, stretch and perspective, all three; crop: 1 to 8 rows off the
    top or the bottom; blur: Gaussian 5 x 5; hsv_aug: brightness; jitter: diagonal shift; noise: Gaussian;
    reverse: negative.

    hsv_strength, noise_std: (extension) PaddleOCR's own numbers are so small that either step changes a pixel by at
    most one level out of 255; raise them for an effect.
    """

    tia_prob: float = 0.4
    crop_prob: float = 0.4
    reverse_prob: float = 0.4
    noise_prob: float = 0.4
    jitter_prob: float = 0.4
    blur_prob: float = 0.4
    hsv_aug_prob: float = 0.4
    hsv_strength: float = 0.001
    noise_std: float = 0.5 * 0.1**0.5


@transforms.register("RecAug", RecAugOptions)
class RecAug:
    """Each step with its own probability, in PaddleOCR's order.

    Source: PaddleOCR ppocr/data/imaug/rec_img_aug.py at 79f652f5. The warps are done with ``cv2.remap``.
    """

    def __init__(self, options: RecAugOptions, context: Context):
        self.options = options
        self._kernel = cv2.getGaussianKernel(ksize=5, sigma=1, ktype=cv2.CV_32F)

    def __call__(self, item: Item, rng: np.random.Generator) -> None:
        image, options = item.image, self.options
        large = min(image.shape[:2]) >= _LEAST_SIDE
        if rng.random() <= options.tia_prob and large:
            image = _warped(image, rng)
        if rng.random() <= options.crop_prob and large:
            image = cut_rows(image, rng)
        if rng.random() <= options.blur_prob:
            image = np.asarray(cv2.sepFilter2D(image, -1, self._kernel, self._kernel), np.uint8)
        if rng.random() <= options.hsv_aug_prob:
            image = change_value(image, options.hsv_strength * rng.uniform(-1, 1))
        if rng.random() <= options.jitter_prob:
            image = shift_diagonally(image, rng)
        if rng.random() <= options.noise_prob:
            image = add_noise(image, options.noise_std, rng)
        if rng.random() <= options.reverse_prob:
            image = 255 - image
        item.image = image


def _warped(image: Image, rng: np.random.Generator) -> Image:
    image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), np.uint8)
    image = distort(image, int(rng.integers(3, 7)), rng)
    image = stretch(image, int(rng.integers(3, 7)), rng)
    image = perspective(image, rng)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), np.uint8)


def cut_rows(image: Image, rng: np.random.Generator) -> Image:
    """Without 1 to 8 rows at the top or at the bottom."""
    rows = min(int(rng.integers(1, 9)), image.shape[0] - 1)
    return image[rows:] if rng.random() < 0.5 else image[: image.shape[0] - rows]


def change_value(image: Image, share: float) -> Image:
    """The value channel of HSV times ``1 + share``."""
    table = _LEVELS.copy()
    table[0, :, 2] = np.clip(_LEVELS[0, :, 2] * (1 + share), 0, 255)
    changed = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_BGR2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2BGR), np.uint8)


def shift_diagonally(image: Image, rng: np.random.Generator) -> Image:
    """Down and right by less than 1 % of the shorter side, repeating what is left behind; nothing below 200 pixels."""
    height, width = image.shape[:2]
    if min(height, width) <= _LEAST_SHIFTED:
        return image
    shifted = image.copy()
    for step in range(1, int(rng.random() * min(height, width) * 0.01)):
        shifted[step:, step:] = image[: height - step, : width - step]
    return shifted


def add_noise(image: Image, std: float, rng: np.random.Generator) -> Image:
    """Independent Gaussian noise in levels, cut (not rounded) to whole levels.

    Of a whole level plus noise that is the level plus the noise rounded down; so whole steps are drawn.
    """
    drawn = np.asarray(rng.bit_generator.random_raw(-(-image.size // 4)), np.uint64).view(np.uint16)  # four from each
    noisy = np.empty_like(image)
    compiled(add_with_loops, add_with_opencv)(noisy, image, _noise_steps(std), drawn)
    return noisy


def add_with_loops(noisy: Image, image: Image, steps: NDArray[np.int16], drawn: NDArray[np.uint16]) -> None:
    """Fill ``noisy`` with ``image + steps[drawn]``, cut to 0..255, in the Python that numba compiles.

    drawn: as many as ``image`` has levels, or a few more.
    """
    at = 0
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            for channel in range(3):
                level = int(image[row, column, channel]) + int(steps[drawn[at]])
                noisy[row, column, channel] = min(max(level, 0), 255)
                at += 1


def add_with_opencv(noisy: Image, image: Image, steps: NDArray[np.int16], drawn: NDArray[np.uint16]) -> None:
    """:func:`add_with_loops` for all levels at once."""
    cv2.add(image, steps[drawn[: image.size]].reshape(image.shape), dst=noisy, dtype=cv2.CV_8U)


@lru_cache(maxsize=8)
def _noise_steps(std: float) -> NDArray[np.int16]:
    """Gaussian noise rounded down, at the middle of each of 65536 equally likely parts."""
    gaussian = NormalDist()
    return np.array([math.floor(std * gaussian.inv_cdf((i + 0.5) / _PARTS)) for i in range(_PARTS)], np.int16)
