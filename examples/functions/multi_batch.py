"""Several pictures in one run, spread over the cores, and the same numbers as one by one.

python multi_batch.py FOLDER    over the small network of network.py; needs numpy and onnx
python multi_batch.py FOLDER --model net.onnx --images test.npz --dataset dataset.txt [--mean 127.5] [--std 127.5]
The .npz has `images` (uint8, [count, height, width, channels]) and `labels`. Writes batch_1.rknn and batch_4.rknn.
"""

import argparse

import numpy as np

from rknn.api import RKNN

BATCH = 4


def check(status):
    if status != 0:
        raise SystemExit("the step failed; its message is above")


def scores(options, images, batch):
    """What a build for so many pictures a run gives for each picture."""
    channels = images.shape[-1]
    rknn = RKNN()
    mean_std = {"mean_values": [[options.mean] * channels], "std_values": [[options.std] * channels]}
    check(rknn.config(target_platform="rk3588", **mean_std))
    check(rknn.load_onnx(options.model))
    # Samples have one item, whatever the batch.
    check(rknn.build(dataset=options.dataset, rknn_batch_size=batch))
    check(rknn.export_rknn(f"{options.folder}/batch_{batch}.rknn"))
    check(rknn.init_runtime())
    results = []
    for at in range(0, len(images), batch):
        group = images[at : at + batch]
        full = np.concatenate([group, np.repeat(group[-1:], batch - len(group), axis=0)])  # the last group may be short
        results.append(rknn.inference([full], data_format=["nhwc"])[0][: len(group)])
    rknn.release()
    return np.concatenate(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model")
    parser.add_argument("--images")
    parser.add_argument("--dataset")
    parser.add_argument("--mean", type=float, default=127.5)
    parser.add_argument("--std", type=float, default=127.5)
    options = parser.parse_args()
    if options.model:
        held = np.load(options.images)
        images, labels = held["images"], held["labels"]
    else:
        import network

        options.model = network.save(f"{options.folder}/net.onnx", 32, 32)
        options.dataset = network.pictures(options.folder, 32, 32)
        images, labels = np.random.default_rng(2).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), None

    single, batched = scores(options, images, 1), scores(options, images, BATCH)
    print(
        f"{len(images)} pictures, {BATCH} a run: {batched.shape}, equal to one a run: {np.array_equal(single, batched)}"
    )
    if labels is not None:
        for batch, found in ((1, single), (BATCH, batched)):
            print(f"batch {batch}: {np.sum(found.argmax(1) == labels)} of {len(labels)} right")


if __name__ == "__main__":
    main()
