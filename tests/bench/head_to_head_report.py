#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests/bench/head-to-head prints of its figures, a line for each way: PATH P50 P99 HOST GUEST,
the first two and GUEST in microseconds, HOST in nanoseconds."""

import argparse
import json
import os
import sys

sys.path[:0] = [os.path.dirname(os.path.realpath(__file__))]
sys.dont_write_bytecode = True
from svg import LogAxis, box, document, line, text  # noqa: E402

WIDTH, HEIGHT = 900, 420
TOP, BOTTOM, LEFT, RIGHT = 60, 360, 90, 880
NAMES = {
    "file-prototype": "files, polled",
    "file-notify": "files, told",
    "mailbox": "mailbox",
    "ring-sleeping": "ring, sleeping",
    "ring-polling": "ring, polling",
}
BARS = [("p50_us", "p50", "#2050c0"), ("p99_us", "p99", "#c02020"),
        ("cpu_us_host", "processor, host", "#888888"),
        ("cpu_us_guest", "processor, guest", "#cccccc")]


def read(path):
    with open(path) as file:
        for row in map(str.split, file):
            yield {"path": row[0], "p50_us": float(row[1]), "p99_us": float(row[2]),
                   "cpu_us_host": int(row[3]) / 1000, "cpu_us_guest": float(row[4])}


def print_table(figures):
    best = figures[-1]["p50_us"]
    print(f"{'one addition of two int32, us':<31}{'p50':>12}{'p99':>12}{'CPU host':>12}"
          f"{'CPU guest':>12}{'p50, ratio':>13}")
    for way in figures:
        print(f"{way['path']:<31}{way['p50_us']:>12.2f}{way['p99_us']:>12.2f}"
              f"{way['cpu_us_host']:>12.2f}{way['cpu_us_guest']:>12.2f}"
              f"{way['p50_us'] / best:>13,.1f}")


def plot(figures):
    values = [way[key] for way in figures for key, _, _ in BARS if way[key] > 0]
    axis = LogAxis(values, TOP, BOTTOM)
    room = (RIGHT - LEFT) / len(figures)
    parts = [text(WIDTH / 2, 22, "one addition of two int32 from inside a VM, us", size=14),
             *axis.grid(LEFT, RIGHT)]
    for i, way in enumerate(figures):
        left = LEFT + room * i
        parts.append(text(left + room / 2, BOTTOM + 20, NAMES[way["path"]]))
        for side, (key, _, colour) in enumerate(BARS):
            if way[key] > 0:
                y = axis.y(way[key])
                parts += [box(left + room * (0.1 + 0.2 * side), y, room * 0.18, BOTTOM - y,
                              colour),
                          text(left + room * (0.19 + 0.2 * side), y - 4,
                               f"{way[key]:,.{0 if way[key] >= 100 else 1}f}", size=8)]
    for side, (_, name, colour) in enumerate(BARS):
        x = LEFT + 200 * side
        parts += [box(x, HEIGHT - 25, 12, 12, colour), text(x + 18, HEIGHT - 15, name, "start")]
    parts.append(line(LEFT, BOTTOM, RIGHT, BOTTOM))
    return document(WIDTH, HEIGHT, parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("figures", metavar="FIGURES")
    options = parser.parse_args()
    figures = list(read(options.figures))
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(plot(figures))
    if options.json:
        print(json.dumps(figures))
    else:
        print_table(figures)


if __name__ == "__main__":
    main()
