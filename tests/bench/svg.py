# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks' plots share: SVG text, and a logarithmic axis."""

import math
from xml.sax.saxutils import escape


def text(x, y, words, anchor="middle", size=12):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">' \
           f"{escape(words)}</text>"


def line(x1, y1, x2, y2, colour="#000000", width=1):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" ' \
           f'stroke-width="{width}"/>'


def box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" ' \
           f'fill="{colour}"/>'


class LogAxis:
    """A vertical axis, from top to bottom, of whole decades that hold all values."""

    def __init__(self, values, top, bottom):
        self.low = math.floor(math.log10(min(values, default=1)))
        self.high = max(math.ceil(math.log10(max(values, default=10))), self.low + 1)
        self.top, self.bottom = top, bottom

    def y(self, value):
        return self.bottom - (self.bottom - self.top) * (math.log10(value) - self.low) \
            / (self.high - self.low)

    def grid(self, left, right):
        parts = []
        for power in range(self.low, self.high + 1):
            y = self.y(10 ** power)
            parts += [line(left, y, right, y, "#dddddd"),
                      text(left - 8, y + 4, f"{10 ** power:g}" if power < 0
                           else f"{10 ** power:,}", "end")]
        return parts


def document(width, height, parts):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                      f'height="{height}" font-family="sans-serif">',
                      box(0, 0, width, height, "#ffffff"), *parts, "</svg>", ""])
