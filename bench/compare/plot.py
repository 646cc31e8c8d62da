"""Bars as SVG: one panel for each row of a table, each with a scale of its own."""

import dataclasses
import html

COLUMNS = 3
PANEL_WIDTH = 330
NAME_WIDTH = 130
FIGURE_WIDTH = 60
BAR_HEIGHT = 16
TITLE_HEIGHT = 26
GAP = 14
COLOURS = {"ours": "#1a7f4b", "peer": "#7c93b8", "bound": "#cfd4dc"}
STYLE = ("text{font:12px sans-serif;fill:#1f2328}.t{font-weight:600}"
         "@media(prefers-color-scheme:dark){text{fill:#d1d7e0}}")


@dataclasses.dataclass
class Bar:
    name: str
    value: float
    ours: bool
    bound: bool


def colour(bar):
    return COLOURS["ours" if bar.ours else "bound" if bar.bound else "peer"]


def panel(title, bars, left, top):
    out = [f'<text class="t" x="{left}" y="{top + 16}">{html.escape(title)}</text>']
    longest = max((bar.value for bar in bars), default=1) or 1
    room = PANEL_WIDTH - NAME_WIDTH - FIGURE_WIDTH
    for i, bar in enumerate(sorted(bars, key=lambda bar: -bar.value)):
        y = top + TITLE_HEIGHT + i * BAR_HEIGHT
        width = max(bar.value / longest * room, 1)
        value = bar.value / 1000
        text = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
        out.append(f'<text x="{left + NAME_WIDTH - 6}" y="{y + 12}" text-anchor="end">'
                   f'{html.escape(bar.name.replace(" (bound)", ""))}</text>'
                   f'<rect x="{left + NAME_WIDTH}" y="{y + 2}" width="{width:.1f}" '
                   f'height="{BAR_HEIGHT - 4}" fill="{colour(bar)}"/>'
                   f'<text x="{left + NAME_WIDTH + width + 4:.1f}" y="{y + 12}">{text}</text>')
    return "".join(out)


def panels(rows, unit):
    """`rows` is a list of (title, bars). Returns the picture."""
    most = max((len(bars) for _, bars in rows), default=0)
    height = TITLE_HEIGHT + most * BAR_HEIGHT + GAP
    lines = -(-len(rows) // COLUMNS)
    width = COLUMNS * (PANEL_WIDTH + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {lines * height + 24}">'
           f"<style>{STYLE}</style>"]
    for i, (title, bars) in enumerate(rows):
        out.append(panel(title, bars, i % COLUMNS * (PANEL_WIDTH + GAP), i // COLUMNS * height))
    out.append(f'<text x="0" y="{lines * height + 16}">{html.escape(unit)}; green: Commy; pale: '
               "bounds, in the memory of one process</text></svg>\n")
    return "\n".join(out)
