"""Reads text with a PP-OCR detection and a recognition network. Pre- and post-processing are numpy alone."""

from dataclasses import dataclass

import numpy as np

DETECTION_SIZE = 480
RECOGNITION_HEIGHT, RECOGNITION_WIDTH = 48, 320


@dataclass
class Line:
    text: str
    confidence: float
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels of the page


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, half-pixel centres; uint8 [H, W, 3] in and out."""

    def taps(size_in: int, size_out: int):
        at = np.clip((np.arange(size_out) + 0.5) * size_in / size_out - 0.5, 0, size_in - 1)
        low = np.floor(at).astype(int)
        return low, np.minimum(low + 1, size_in - 1), (at - low).astype(np.float32)

    y0, y1, fy = taps(image.shape[0], height)
    x0, x1, fx = taps(image.shape[1], width)
    rows = image[y0] * (1 - fy)[:, None, None] + image[y1] * fy[:, None, None]
    out = rows[:, x0] * (1 - fx)[None, :, None] + rows[:, x1] * fx[None, :, None]
    return np.rint(out).astype(np.uint8)


def label(mask: np.ndarray) -> np.ndarray:
    """Connected regions of a bool image (8 neighbours): 0 outside, one positive number a region."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:  # every region takes its largest number; sweeps run along rows and columns, so few rounds suffice
        before = labels
        padded = np.pad(labels, 1)
        around = [padded[y : y + mask.shape[0], x : x + mask.shape[1]] for y in range(3) for x in range(3)]
        labels = np.where(mask, np.maximum.reduce(around), 0)
        for axis in (0, 1):
            for flip in (False, True):
                lane = np.flip(labels, axis) if flip else labels
                inside = np.flip(mask, axis) if flip else mask
                lane = _spread(lane, inside, axis)
                labels = np.flip(lane, axis) if flip else lane
        if np.array_equal(before, labels):
            return labels


def _spread(labels: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    lanes = np.moveaxis(labels, axis, 0).copy()
    inside = np.moveaxis(mask, axis, 0)
    for i in range(1, lanes.shape[0]):
        lanes[i] = np.where(inside[i] & inside[i - 1], np.maximum(lanes[i], lanes[i - 1]), lanes[i])
    return np.moveaxis(lanes, 0, axis)


def boxes_of(probability: np.ndarray, threshold=0.3, box_threshold=0.5, unclip=1.6) -> list[tuple[int, int, int, int]]:
    """Upright boxes of the DB detector's map, grown because the network marks shrunken text; top to bottom."""
    labels = label(probability > threshold)
    boxes = []
    for number in np.unique(labels[labels > 0]):
        ys, xs = np.nonzero(labels == number)
        if len(ys) < 12 or probability[ys, xs].mean() < box_threshold:
            continue
        top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
        height, width = bottom - top, right - left
        grow = int(round(height * width * unclip / (2 * (height + width))))
        boxes.append((left - grow, top - grow, right + grow, bottom + grow))
    return sorted(boxes, key=lambda box: (box[1] + box[3], box[0]))


def decode(scores: np.ndarray, characters: list[str]) -> tuple[str, float]:
    """CTC by best path: repeated symbols merge, the blank (index 0) goes."""
    best = scores.argmax(axis=1)
    keep = (best != 0) & np.concatenate([[True], best[1:] != best[:-1]])
    confidence = float(scores.max(axis=1)[keep].mean()) if keep.any() else 0.0
    return "".join(characters[i] for i in best[keep]), confidence


class TextReader:
    """Two sessions: detection takes uint8 [1, 480, 480, 3], recognition uint8 [1, 48, 320, 3] (layout nhwc)."""

    def __init__(self, detection, recognition):
        self.detection, self.recognition = detection, recognition
        metadata = recognition.get_modelmeta().custom_metadata_map
        self.characters = ["", *metadata["character"].splitlines(), " "]  # CTC blank first, space last

    def probability(self, page: np.ndarray) -> np.ndarray:
        image = resize(page, DETECTION_SIZE, DETECTION_SIZE)
        name = self.detection.get_inputs()[0].name
        return self.detection.run(None, {name: image[None]})[0].reshape(DETECTION_SIZE, DETECTION_SIZE)

    def line_image(self, page: np.ndarray, box) -> np.ndarray:
        left, top, right, bottom = box
        crop = page[top:bottom, left:right]
        width = min(RECOGNITION_WIDTH, max(1, round(crop.shape[1] * RECOGNITION_HEIGHT / crop.shape[0])))
        canvas = np.full((RECOGNITION_HEIGHT, RECOGNITION_WIDTH, 3), 127, np.uint8)  # mean grey: zero to the network
        canvas[:, :width] = resize(crop, RECOGNITION_HEIGHT, width)
        return canvas

    def read(self, page: np.ndarray) -> list[Line]:
        """page: uint8 [H, W, 3] RGB."""
        height, width = page.shape[:2]
        name = self.recognition.get_inputs()[0].name
        lines = []
        for box in boxes_of(self.probability(page)):
            left, right = (int(np.clip(round(x * width / DETECTION_SIZE), 0, width)) for x in (box[0], box[2]))
            top, bottom = (int(np.clip(round(y * height / DETECTION_SIZE), 0, height)) for y in (box[1], box[3]))
            if right - left < 4 or bottom - top < 4:
                continue
            scores = self.recognition.run(None, {name: self.line_image(page, (left, top, right, bottom))[None]})[0][0]
            text, confidence = decode(scores, self.characters)
            if text:
                lines.append(Line(text, confidence, (left, top, right, bottom)))
        return lines
