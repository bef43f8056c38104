"""Draws docs/report.png: the report of a network with one planted fault, in a headless Chromium.

PYTHONPATH=build/release/python:tests/python python tests/python/scripts/report_screenshot.py docs/report.png
"""

import pathlib
import sys
import tempfile

import browser
import faulty_models

import openrknn


def main(target):
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        names = [f"/layer{i}/conv" for i in range(1, 15)]
        model = faulty_models.outlier_channel(work / "net.onnx", names=names, factor=60)
        report = work / "net with a loud channel.html"
        built = openrknn.compile(model, dataset=faulty_models.samples(12))
        built.analyze(faulty_models.samples(6, seed=9), report=report)
        with browser.Browser(work / "profile", size=(1280, 1240)) as page:
            page.open(report)
            page.click("tr.layer", 3)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(target)


main(pathlib.Path(sys.argv[1]))
