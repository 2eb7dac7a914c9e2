"""RecAug: PaddleOCR's augmentation of text crops."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocrtune.core.records import Image
from ocrtune.data.item import Context, Item
from ocrtune.data.transforms import transforms
from ocrtune.data.warp_mls import distort, perspective, stretch

_LEAST_SIDE = 20  # crops smaller than this are neither warped nor cut
_LEAST_SHIFTED = 10


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
            image = distort(image, int(rng.integers(3, 7)), rng)
            image = stretch(image, int(rng.integers(3, 7)), rng)
            image = perspective(image, rng)
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


def cut_rows(image: Image, rng: np.random.Generator) -> Image:
    """Without 1 to 8 rows at the top or at the bottom."""
    rows = min(int(rng.integers(1, 9)), image.shape[0] - 1)
    return image[rows:] if rng.random() < 0.5 else image[: image.shape[0] - rows]


def change_value(image: Image, share: float) -> Image:
    """The value channel of HSV times ``1 + share``."""
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    table = np.clip(np.arange(256) * (1 + share), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.merge([hue, saturation, cv2.LUT(value, table)]), cv2.COLOR_HSV2BGR), np.uint8)


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
    """Independent Gaussian noise in levels, cut (not rounded) to whole levels."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(std)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
