"""From a flat front to a photo of it: wall, perspective, light, lens and camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from meters.front import Front, Text, draw_front

WIDTH, HEIGHT = 640, 480
_MARGIN = 8  # pixels between the housing and the edge of the photo

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Photo:
    """image: (480, 640, 3) uint8 BGR. texts: with quads in its pixels. jpeg_quality: for saving it."""

    image: NDArray[np.uint8]
    texts: tuple[Text, ...]
    jpeg_quality: int


def draw_photo(seed: int) -> Photo:
    """The photo of number ``seed``, always the same one."""
    rng = np.random.default_rng(seed)
    front = draw_front(rng)
    matrix = _view(rng, front.image.shape[1], front.image.shape[0])
    image = _mount(_wall(rng), front, matrix, rng)
    image = _camera(_light(image, rng), rng)
    texts = tuple(Text(t.text, cv2.perspectiveTransform(t.quad[None], matrix)[0], t.value) for t in front.texts)
    return Photo(image, texts, int(rng.integers(45, 92)))


def _view(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """The homography from the front to the photo: turned, tilted, and scaled to fit."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    turn = np.deg2rad(rng.normal(0, 3.5))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = (corners - (width / 2, height / 2)) @ rotation.T
    tilt = np.clip(rng.normal(0, 0.13, 2), -0.3, 0.3) / max(width, height) * 2
    seen = seen / (1 + seen @ tilt)[:, None]
    room = np.array([WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN])
    seen = seen * (room / np.ptp(seen, axis=0)).min() * rng.uniform(0.72, 1.0)
    spare = room - np.ptp(seen, axis=0)
    seen += _MARGIN - seen.min(axis=0) + spare * rng.uniform(0.15, 0.85, 2)
    return np.asarray(cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32)), np.float64)


def _wall(rng: np.random.Generator) -> Floats:
    """Plaster, painted metal or wood, uneven, with a conduit or a joint now and then."""
    colour = rng.uniform(60, 215) + rng.normal(0, 5, 3)
    rough = rng.normal(0, rng.uniform(2, 9), (12, 16)).astype(np.float32)
    cells = (HEIGHT // 2, WIDTH // 16) if rng.random() < 0.3 else (HEIGHT // 3, WIDTH // 3)
    fine = rng.normal(0, rng.uniform(1, 6), cells).astype(np.float32)
    uneven = cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) + cv2.resize(fine, (WIDTH, HEIGHT))
    wall = np.ascontiguousarray(colour.astype(np.float32) + uneven[:, :, None])
    for _ in range(int(rng.integers(0, 4))):
        shade = tuple(float(channel) for channel in rng.uniform(0, 50, 3) + rng.uniform(30, 180))
        lean, breadth = rng.normal(0, 40), int(rng.integers(2, 22))
        if rng.random() < 0.4:
            y = rng.uniform(0, HEIGHT)
            ends = ((0, int(y)), (WIDTH, int(y + lean)))
        else:
            x = rng.uniform(0, WIDTH)
            ends = ((int(x), 0), (int(x + lean), HEIGHT))
        cv2.line(wall, ends[0], ends[1], shade, breadth, cv2.LINE_AA)
        cv2.line(wall, ends[0], ends[1], tuple(channel * 1.2 for channel in shade), max(1, breadth // 3), cv2.LINE_AA)
    return wall


def _mount(wall: Floats, front: Front, matrix: NDArray[np.float64], rng: np.random.Generator) -> Floats:
    """Put the front before the wall, with the shadow it throws."""
    height, width = front.image.shape[:2]
    outline = np.zeros((height, width), np.uint8)
    radius = int(rng.integers(3, 20))
    inner = (radius, radius), (width - radius - 1, height - radius - 1)
    cv2.rectangle(outline, inner[0], inner[1], 255, 2 * radius)  # a thick line has round corners
    cv2.rectangle(outline, inner[0], inner[1], 255, -1)
    warped = cv2.warpPerspective(front.image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR).astype(np.float32)
    mask = cv2.warpPerspective(outline, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    away = np.array([[1, 0, rng.uniform(-14, 14)], [0, 1, rng.uniform(2, 16)]], np.float32)
    small = cv2.resize(cv2.warpAffine(mask, away, (WIDTH, HEIGHT)), (WIDTH // 4, HEIGHT // 4))
    thrown = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(0.8, 2.5)), (WIDTH, HEIGHT)).astype(np.float32)
    wall *= (1 - rng.uniform(0.3, 0.65) / 255 * thrown)[:, :, None]
    warped -= wall
    warped *= mask.astype(np.float32)[:, :, None] / 255
    wall += warped
    return wall


def _light(image: Floats, rng: np.random.Generator) -> Floats:
    """Uneven light, the photographer's shadow, a lamp's glare, the colour of the light."""
    gain = cv2.resize(rng.uniform(0.78, 1.12, (2, 3)).astype(np.float32), (WIDTH, HEIGHT))
    if rng.random() < 0.45:
        gain *= 1 - rng.uniform(0.25, 0.55) * _half_plane(rng)
    image *= gain[:, :, None] * rng.uniform(0.95, 1.05, 3).astype(np.float32)
    if rng.random() < 0.45:
        spot = np.zeros((HEIGHT // 4, WIDTH // 4), np.float32)
        centre = (int(rng.uniform(20, WIDTH // 4 - 20)), int(rng.uniform(15, HEIGHT // 4 - 15)))
        axes = (int(rng.integers(4, 26)), int(rng.integers(3, 16)))
        cv2.ellipse(spot, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        spot = cv2.resize(cv2.GaussianBlur(spot, (0, 0), rng.uniform(3, 10)), (WIDTH, HEIGHT))
        image += (255 - image) * (spot * rng.uniform(0.3, 0.75))[:, :, None]
    return image


def _half_plane(rng: np.random.Generator) -> Floats:
    """A shadow with a straight, soft edge: (480, 640), 0..1."""
    turn = rng.uniform(0, 2 * np.pi)
    x = (np.arange(WIDTH, dtype=np.float32) - rng.uniform(0.2, 0.8) * WIDTH) * np.cos(turn)
    y = (np.arange(HEIGHT, dtype=np.float32) - rng.uniform(0.2, 0.8) * HEIGHT) * np.sin(turn)
    return np.asarray(np.clip((y[:, None] + x) / rng.uniform(6, 60) + 0.5, 0, 1), np.float32)


def _camera(image: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, focus or a moving hand, noise."""
    low, high = rng.uniform(0, 22), rng.uniform(205, 262)
    seen = np.clip(image * ((high - low) / 255) + low, 0, 255).astype(np.uint8)
    chance = rng.random()
    if chance < 0.6:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 1.35))
    elif chance < 0.85:
        seen = cv2.filter2D(seen, -1, _shake(rng))
    bright = rng.standard_normal((HEIGHT, WIDTH), np.float32) * rng.uniform(1.5, 9)
    coloured = rng.standard_normal((HEIGHT // 2, WIDTH // 2, 3), np.float32) * rng.uniform(1, 5)
    noisy = cv2.resize(coloured, (WIDTH, HEIGHT)) + bright[:, :, None] + seen
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _shake(rng: np.random.Generator) -> Floats:
    """A short line as a blur kernel, sum 1."""
    size = int(rng.integers(1, 3)) * 2 + 1
    kernel = np.zeros((size, size), np.float32)
    turn, reach = rng.uniform(0, np.pi), size // 2
    across = (round(reach * np.cos(turn)), round(reach * np.sin(turn)))
    cv2.line(kernel, (reach - across[0], reach - across[1]), (reach + across[0], reach + across[1]), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
