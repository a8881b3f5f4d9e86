# SPDX-License-Identifier: Apache-2.0
"""The plot of tests/bench/contention: latencies by the number of VMs, and shares, as SVG."""

from svg import LogAxis, box, document, line, text

WIDTH, HEIGHT = 900, 420
TOP, BOTTOM = 50, 360
LEFT, RIGHT = 70, 500  # of the latencies; the shares are to the right of them
SHARES_LEFT, SHARES_RIGHT = 580, 880
COLOURS = {"alone": "#888888", "loaded": "#c02020", "low": "#2050c0", "medium": "#208040",
           "configured": "#bbbbbb", "measured": "#2050c0"}


def worst_p99(run, priority):
    return max((vm["loaded"]["p99_us"] for vm in run["vms"] if vm["priority"] == priority),
               default=None)


def series_of(runs):
    """Name, colour and a value for each run, None where there is none."""
    return [
        ("high, alone", COLOURS["alone"], [run["vms"][0]["alone"]["p99_us"] for run in runs]),
        ("high, loaded", COLOURS["loaded"], [worst_p99(run, "high") for run in runs]),
        ("medium, loaded", COLOURS["medium"], [worst_p99(run, "medium") for run in runs]),
        ("low, loaded", COLOURS["low"], [worst_p99(run, "low") for run in runs]),
    ]


def latencies(runs):
    series = series_of(runs)
    values = [value for _, _, points in series for value in points if value]
    axis = LogAxis(values, TOP, BOTTOM)

    def x(i):
        return LEFT + (RIGHT - LEFT) * (i + 0.5) / len(runs)

    parts = [text((LEFT + RIGHT) / 2, 25, "p99 from submission to end, us", size=14),
             text((LEFT + RIGHT) / 2, BOTTOM + 40, "VMs"), *axis.grid(LEFT, RIGHT)]
    parts += [text(x(i), BOTTOM + 20, str(len(run["vms"]))) for i, run in enumerate(runs)]
    for row, (name, colour, points) in enumerate(series):
        there = [(x(i), axis.y(value)) for i, value in enumerate(points) if value]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in there)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>'
                  for px, py in there]
        parts += [line(LEFT + 10, TOP + 10 + 16 * row, LEFT + 30, TOP + 10 + 16 * row, colour, 2),
                  text(LEFT + 36, TOP + 14 + 16 * row, name, "start")]
    return parts


def shares(pairs):
    if not pairs:
        return []
    highest = max(value or 0 for pair in pairs for value in pair.values()) or 1
    room = (SHARES_RIGHT - SHARES_LEFT) / len(pairs)
    parts = [text((SHARES_LEFT + SHARES_RIGHT) / 2, 25, "shares of GPU time, %", size=14),
             line(SHARES_LEFT, BOTTOM, SHARES_RIGHT, BOTTOM),
             text((SHARES_LEFT + SHARES_RIGHT) / 2, BOTTOM + 40,
                  "configured (grey) and measured (blue)")]
    for i, pair in enumerate(pairs):
        for side, key in enumerate(("configured", "measured")):
            value = pair[key] or 0  # None: nobody completed a job
            height = (BOTTOM - TOP - 20) * value / highest
            left = SHARES_LEFT + room * i + room * (0.1 + 0.4 * side)
            parts += [box(left, BOTTOM - height, room * 0.4, height, COLOURS[key]),
                      text(left + room * 0.2, BOTTOM - height - 5, f"{value:.0f}")]
    return parts


def plot(result):
    parts = latencies(result["runs"]) + shares(result["shares"])
    return document(WIDTH, HEIGHT,
                    [*parts, text(WIDTH / 2, HEIGHT - 5, result["gpu"], size=11)])
