"""Arrays that the tests of the RKNN class feed, and what it said."""

import small_models


def image(seed=7):
    return small_models.photo(16, 16, seed)


def nhwc(seed=7):
    return image(seed)[None]


def nchw(seed=7):
    return nhwc(seed).transpose(0, 3, 1, 2)


def said(capfd):
    return capfd.readouterr().err
