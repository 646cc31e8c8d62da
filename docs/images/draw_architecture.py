#!/usr/bin/env python3
"""Draws architecture.svg: `python3 docs/images/draw_architecture.py`."""

import pathlib

BOX = {"plain": "#ffffff", "process": "#e3edf7", "file": "#f6efdc", "data": "#e6f2e2",
       "dead": "#eeeeee"}
shapes = []


def box(x, y, w, h, title, note="", kind="plain", dashed=False):
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    shapes.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="5" fill="{BOX[kind]}" '
                  f'stroke="#445" {dash}/>')
    lines = [("bold", title)] + [("normal", line) for line in note.split("\n") if line]
    top = y + h / 2 - (len(lines) - 1) * 8 + 4
    for i, (weight, line) in enumerate(lines):
        text(x + w / 2, top + 16 * i, line, weight)


def text(x, y, line, weight="normal", anchor="middle"):
    shapes.append(f'<text x="{x}" y="{y}" font-weight="{weight}" '
                  f'text-anchor="{anchor}">{line}</text>')


def arrow(x1, y1, x2, y2, label=""):
    shapes.append(f'<path d="M{x1} {y1} L{x2} {y2}" stroke="#445" fill="none" '
                  f'marker-end="url(#to)"/>')
    if label:
        text((x1 + x2) / 2 + 6, (y1 + y2) / 2 + 4, label, anchor="start")


for i, (name, note, kind) in enumerate([("process A", "threads read and write", "process"),
                                        ("process B", "stopped: no process waits", "process"),
                                        ("process C", "killed: recovered by A", "dead")]):
    x = 40 + 290 * i
    box(x, 20, 250, 54, name, note, kind, dashed=kind == "dead")
    arrow(x + 125, 74, x + 125, 112, "maps")

shapes.append('<rect x="20" y="114" width="860" height="436" rx="8" fill="#fffdf7" stroke="#445"/>')
text(36, 136, "one file, mapped shared; no lock in it", "bold", "start")
places = [("header", "clean word,\nepoch, clock"), ("participants", "a slot a\nprocess"),
          ("lanes", "a thread's pins,\nnotes, op word"), ("snapshots", "held\ncommit times"),
          ("span words", "what each span\nis, and whose")]
for i, (name, note) in enumerate(places):
    box(36 + 110 * i, 150, 106, 72, name, note, "file")
box(590, 150, 276, 72, "spans", "of equal blocks with their state bytes,\nor parts of a run",
    "data")
arrow(90, 222, 90, 268, "catalog root")
box(36, 270, 150, 44, "CatalogNode", "path to object", "data")
arrow(186, 292, 246, 292)
box(248, 270, 190, 44, "NamespaceObject", "acme/config", "data")
arrow(438, 292, 498, 292)
box(500, 270, 170, 44, "IndexRoot", "pending reshape, successor", "data")
arrow(670, 292, 710, 292)
box(712, 270, 154, 44, "counter cells", "one a lane", "data")
arrow(585, 314, 585, 352)
box(500, 354, 170, 44, "Directory", "top bits of the hash", "data")
arrow(500, 376, 440, 376)
box(248, 354, 190, 44, "Segment", "buckets of 16 slots", "data")
arrow(343, 398, 343, 436, "slot: one CAS publishes")
box(248, 438, 190, 44, "Record", "key, value, commit time", "data")
arrow(438, 460, 498, 460)
box(500, 438, 170, 44, "Record", "the version before", "data", dashed=True)
text(585, 500, "retired; reused when every pin", anchor="middle")
text(585, 516, "of before is down", anchor="middle")
text(36, 460, "all of these are blocks", "normal", "start")
text(36, 476, "in spans, named by", "normal", "start")
text(36, 492, "their offsets", "normal", "start")

picture = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 570" role="img" \
font-family="sans-serif" font-size="12">
<title>Processes map one file; in it tables, and blocks that lead from the catalog to records\
</title>
<defs><marker id="to" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" \
orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#445"/></marker></defs>
<rect width="900" height="570" fill="#ffffff"/>
{chr(10).join(shapes)}
</svg>
"""
pathlib.Path(__file__).with_name("architecture.svg").write_text(picture)
