"""Draws the Chrome trace of InferenceSession.end_profiling as an SVG: one row a worker, one box a phase of a frame."""

from __future__ import annotations

from html import escape

PHASES = {"set inputs": "#9ecae1", "run": "#3182bd", "get outputs": "#a1d99b", "callback": "#fd8d3c"}
LEFT, TOP, ROW, WIDTH = 150, 40, 34, 1400


def draw(trace: dict, start_ms: float = 0.0, length_ms: float = 100.0) -> str:
    """The part of the trace from `start_ms` after its first event, `length_ms` long."""
    events = trace["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    boxes = [e for e in events if e["ph"] == "X" and e["name"] in PHASES]
    rows = sorted({e["tid"] for e in boxes})
    begin = min((e["ts"] for e in boxes), default=0.0) + start_ms * 1000
    scale = WIDTH / (length_ms * 1000)
    height = TOP + ROW * len(rows) + 30

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 20}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for i, (phase, colour) in enumerate(PHASES.items()):
        x = LEFT + i * 130
        parts.append(
            f'<rect x="{x}" y="10" width="14" height="14" fill="{colour}"/><text x="{x + 20}" y="22">{phase}</text>'
        )
    for i, row in enumerate(rows):
        y = TOP + i * ROW
        parts.append(f'<text x="8" y="{y + 20}">{escape(names.get(row, str(row)))}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y + ROW - 3}" y2="{y + ROW - 3}" stroke="#ddd"/>')
    for event in boxes:
        x0, x1 = (event["ts"] - begin) * scale, (event["ts"] + event["dur"] - begin) * scale
        if x1 < 0 or x0 > WIDTH:
            continue
        x0, x1 = max(x0, 0.0), min(x1, float(WIDTH))
        y = TOP + rows.index(event["tid"]) * ROW
        title = f"frame {event['args']['task']}: {event['name']} {event['dur'] / 1000:.2f} ms"
        parts.append(
            f'<rect x="{LEFT + x0:.1f}" y="{y + 4}" width="{max(x1 - x0, 0.6):.1f}" height="{ROW - 10}" '
            f'fill="{PHASES[event["name"]]}"><title>{escape(title)}</title></rect>'
        )
        if event["name"] == "run" and x1 - x0 > 24:
            parts.append(f'<text x="{LEFT + x0 + 3:.1f}" y="{y + 20}" fill="white">{event["args"]["task"]}</text>')
    for tick in range(11):
        x = LEFT + tick * WIDTH / 10
        parts.append(
            f'<text x="{x}" y="{height - 10}" text-anchor="middle">{start_ms + tick * length_ms / 10:g} ms</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
