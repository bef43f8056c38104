"""Draws docs/roofline.png: the estimate of YOLOv8n on RK3588, in a headless Chromium.

PYTHONPATH=build/release/python:tests/python:benchmarks python tests/python/scripts/roofline_screenshot.py docs/roofline.png
"""

import pathlib
import sys
import tempfile

import browser
import zoo_networks

import openrknn


def main(target):
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        openrknn.estimate(zoo_networks.write(work, "yolov8n"), target="rk3588", report=work / "speed.html")
        with browser.Browser(work / "profile", size=(1280, 1240)) as page:
            page.open(work / "speed.html")
            page.screenshot(target)


main(pathlib.Path(sys.argv[1]))
