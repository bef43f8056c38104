"""The equations of onnx_edit: what they mean, by numpy, and random ones."""

import math
import re
import string

import numpy as np


def split_equation(equation):
    left, right = equation.replace(" ", "").split("->")
    assigned = dict(re.findall(r"([a-z])=(\d+)", left))
    left = left.partition("[")[0]
    return [side.split(",") if side else [] for side in (left, right)], {k: int(v) for k, v in assigned.items()}


def apply(equation, array):
    """The array on the right side of the equation."""
    (left, right), extents = split_equation(equation)
    for group, extent in zip(left, array.shape, strict=True):
        letters = group.replace("1", "")
        unknown = [letter for letter in letters if letter not in extents]
        for letter in unknown:
            extents[letter] = extent // math.prod(extents.get(other, 1) for other in letters)
    order = "".join(left).replace("1", "")
    wanted = "".join(right).replace("1", "")
    apart = array.reshape([extents[letter] for letter in order])
    moved = apart.transpose([order.index(letter) for letter in wanted])
    return moved.reshape([math.prod(extents[letter] for letter in group.replace("1", "")) for group in right])


def _side(random, letters):
    """Neighbours joined to dimensions now and then, and extents of 1 between them."""
    groups = []
    for letter in letters:
        if groups and groups[-1] != "1" and random.random() < 0.35:
            groups[-1] += letter
        else:
            groups.append(letter)
        if random.random() < 0.15:
            groups.append("1")
    return groups


class RandomEquation:
    """An equation over a shape. `declared` has the dimensions a model may leave open: None."""

    def __init__(self, random, most_letters=5, open_dimensions=False, keep_open_apart=True):
        letters = list(string.ascii_lowercase[: random.integers(1, most_letters + 1)])
        extents = {letter: int(random.integers(1, 5)) for letter in letters}
        self.left = _side(random, letters)
        self.right = _side(random, random.permutation(letters))
        assigned = {}
        for group in self.left:
            free = random.choice(list(group))
            assigned |= {letter: extents[letter] for letter in group if letter != free and letter != "1"}
        for letter in letters:
            if random.random() < 0.15:
                assigned[letter] = extents[letter]
        self.shape = [math.prod(extents[letter] for letter in group if letter != "1") for group in self.left]
        self.declared = list(self.shape)
        if open_dimensions:
            is_open = set()
            for i, group in enumerate(self.left):
                free = [letter for letter in group if letter != "1" and letter not in assigned]
                together = [other for other in self.right if free and free[0] in other]
                if not free or random.random() < 0.3 or (keep_open_apart and set(together[0]) & is_open):
                    continue
                is_open.update(free)
                self.declared[i] = None
        names = ",".join(f"{letter}={extent}" for letter, extent in assigned.items())
        self.text = f"{','.join(self.left)}{f'[{names}]' if names else ''}->{','.join(self.right)}"

    def sample(self, random):
        return random.integers(-8, 9, self.shape).astype(np.float32)
