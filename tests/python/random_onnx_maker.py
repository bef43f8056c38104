"""The table of makers and what makers share. See random_onnx_operators.py."""

import numpy as np

MAKERS = {}


def maker(*operators):
    def register(function):
        for op in operators:
            MAKERS[op] = function
        return function

    return register


def i64(values):
    return np.asarray(values, np.int64)


def within(low, high):
    return lambda value: value.size == 0 or bool(np.all((value >= low) & (value <= high)))


def away_from_zero(value):
    return bool(np.all(np.abs(value) > 0.1))
