#!/usr/bin/env python3
"""Makes tables and pictures of the results of commy_compare.

  report.py RESULTS.json...                   prints the tables (Markdown)
  report.py RESULTS.json... --docs DOCS_DIR   puts them into DOCS_DIR/performance.md between its
                                              markers, and the pictures into DOCS_DIR/performance/
  report.py --smoke COMMY_COMPARE             runs it briefly and checks its results

A cell is the median over the rounds; in the table of spreads, the difference of the highest and the
lowest, in percent of the median. A ratio is Commy's median over that of the best peer, inverted
where less is better, so that more than 1 always means: Commy is ahead. Bounds, in the memory of one
process, are no peers, and neither is another build of Commy. If there are several files, the first
names the machine.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import plot

BEGIN = "<!-- compare: begin -->"
END = "<!-- compare: end -->"
OURS = "Commy"
OURS_ORDERED = "Commy (ordered)"
BEFORE = " (before)"

# Row and its heading.
POINTS = [
    ("get_hit", "get, there"), ("get_miss", "get, absent"), ("insert", "insert"),
    ("overwrite", "overwrite"), ("delete", "delete"), ("ycsb_a", "YCSB A"), ("ycsb_b", "YCSB B"),
    ("ycsb_c", "YCSB C"), ("counter_one", "counter"),
]
PAIRS = [
    ("rw_reader", "reader beside a writer"), ("rw_writer", "writer beside a reader"),
    ("two_readers", "two readers"), ("two_writers", "two writers"),
    ("counter_two", "counter, two workers"),
]
# Engines that keep their keys in order.
ORDERED = [
    ("get_hit", "get, there"), ("insert", "insert"), ("overwrite", "overwrite"),
    ("delete", "delete"),
    ("scan_100", "scan of 100 from a key on"), ("rw_reader", "reader beside a writer"),
    ("rw_writer", "writer beside a reader"), ("two_readers", "two readers"),
    ("two_writers", "two writers"),
]
MANY = [
    ("txn_2", "transactions of 2 keys"), ("batch_1000", "keys in batches of 1000"),
    ("held_overwrite", "overwrite while a snapshot is held"),
]
STEADY = [
    ("steady_one", "one writer"), ("steady_two", "two writers"),
]
STEADY_SPACE = [
    ("steady_one_resident", "one writer: resident, MiB"), ("steady_one_disk", "on disk, MiB"),
    ("steady_two_resident", "two writers: resident, the larger one, MiB"),
    ("steady_two_disk", "on disk, MiB"),
]
BLOCKS = [("alloc_one", "allocate and free, one process"),
          ("alloc_two", "allocate and free, two processes")]
SIZES = [
    ("bytes_loaded", "bytes a key, loaded"),
    ("bytes_thinned", "bytes a key left, nine of ten deleted"),
    ("bytes_compacted", "bytes a key left, compacted"), ("open_get", "open and first get, ms"),
]
SPACE = [
    ("space_loaded", "bytes a key, loaded"),
    ("space_thinned", "bytes a key left, nine of ten deleted"),
    ("space_shrunk", "given back while in use"), ("space_compacted", "compacted"),
    ("space_shrink_s", "giving back while in use, s"), ("space_compact_s", "compaction, s"),
]
LESS_IS_BETTER = {row for row, _ in SIZES + STEADY_SPACE + SPACE}


class Report:
    def __init__(self, data):
        self.data = data
        self.samples = {}
        for sample in data["samples"]:
            self.samples.setdefault((sample["engine"], sample["row"]), []).append(sample["value"])
        self.faults = {(f["engine"], f["row"]): f["what"] for f in data["faults"]}

    def ran(self, kind):
        return [info for info in self.everyone(kind) if not info["name"].endswith(BEFORE)]

    def everyone(self, kind):
        rows = {engine for engine, _ in self.samples} | {engine for engine, _ in self.faults}
        return [info for info in self.data[kind] if info["name"] in rows]

    def ordered(self):
        return [info for info in self.ran("engines")
                if self.median(info["name"], "scan_100") or info["name"] == OURS_ORDERED]

    def with_any(self, rows):
        return [info for info in self.ran("engines")
                if any(self.median(info["name"], row) for row, _ in rows)]

    def median(self, engine, row):
        values = self.samples.get((engine, row))
        return statistics.median(values) if values else None

    def spread(self, engine, row):
        """Highest less lowest, in percent of the median; None without repetition."""
        values = self.samples.get((engine, row), [])
        middle = statistics.median(values) if values else 0
        return (max(values) - min(values)) / middle * 100 if len(values) > 1 and middle else None

    def best_peer(self, row, infos, shared_only=False):
        """(name, median) of the best engine that is neither ours nor a bound."""
        peers = [(info["name"], self.median(info["name"], row)) for info in infos
                 if info["name"] != OURS and not info["bound"]
                 and not (shared_only and info["threads"])]
        peers = [peer for peer in peers if peer[1] is not None]
        if not peers:
            return None
        return (min if row in LESS_IS_BETTER else max)(peers, key=lambda peer: peer[1])

    def ratio(self, row, infos, shared_only=False):
        """How far we are ahead of the best peer (behind, below 1), and its name."""
        ours, best = self.median(OURS, row), self.best_peer(row, infos, shared_only)
        if not ours or best is None or not best[1]:
            return None
        return (best[1] / ours if row in LESS_IS_BETTER else ours / best[1]), best[0]

    def cell(self, engine, row):
        value = self.median(engine, row)
        if value is None:
            return self.faults.get((engine, row), "–")
        return figure(value) if row in LESS_IS_BETTER else thousands(value)


def thousands(per_second):
    value = per_second / 1000
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def figure(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def markdown(header, lines):
    out = ["| " + " | ".join(header) + " |", "|---" + "|--:" * (len(header) - 1) + "|"]
    return "\n".join(out + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def rate_table(report, rows, infos):
    header = ["work"] + [label(info) for info in infos]
    return markdown(header, [[text] + [report.cell(info["name"], row) for info in infos]
                             for row, text in rows])


def label(info):
    name = info["name"].replace("Boost.Interprocess", "Boost")
    return name + (" (bound)" if info["bound"] else "")


def ratio_table(report, infos, heaps):
    lines = []
    for row, text in POINTS + PAIRS + BLOCKS + SIZES:
        chosen = heaps if row.startswith("alloc") else infos
        cells = []
        for shared_only in (True, False):
            found = report.ratio(row, chosen, shared_only)
            cells += [f"{found[0]:.2f}", found[1]] if found else ["–", "–"]
        bounds = [info for info in chosen if info["bound"]]
        ours = report.median(OURS, row)
        best = max((report.median(info["name"], row) or 0 for info in bounds), default=0)
        cells.append(f"{ours / best:.2f}" if ours and best and row not in LESS_IS_BETTER else "–")
        lines.append([text] + cells)
    return markdown(["work", "ratio to the best peer of many processes", "which",
                     "to the best peer", "which", "to the best bound"], lines)


def spread_table(report, infos):
    def cell(engine, row):
        spread = report.spread(engine, row)
        return "–" if spread is None else f"{spread:.0f}"
    return markdown(["work"] + [label(info) for info in infos],
                    [[text] + [cell(info["name"], row) for info in infos]
                     for row, text in POINTS + PAIRS])


def steady_table(report):
    infos = [info for info in report.everyone("engines")
             if report.median(info["name"], "steady_one")]
    if not infos:
        return ""
    return rate_table(report, STEADY + STEADY_SPACE, infos)


def space_table(report):
    infos = [info for info in report.everyone("engines")
             if report.median(info["name"], "space_loaded")]
    return rate_table(report, SPACE, infos) if infos else ""


def before_tables(report):
    """Ours beside another build of it."""
    parts = []
    for ours in (OURS, OURS_ORDERED):
        before = ours + BEFORE
        lines = []
        for row, text in POINTS + PAIRS + [("scan_100", "scan of 100")] + MANY + SIZES + STEADY:
            old, new = report.median(before, row), report.median(ours, row)
            if old and new:
                ratio = old / new if row in LESS_IS_BETTER else new / old
                spreads = ["–" if spread is None else f"{spread:.0f}" for spread in
                           (report.spread(before, row), report.spread(ours, row))]
                lines.append([text, report.cell(before, row), report.cell(ours, row),
                              f"{ratio:.2f}", *spreads])
        if lines:
            parts.append(f"### {ours}: before and now\n\nThousands a second, or as said; a ratio "
                         "of more than 1: better than before. Spreads in percent.\n")
            parts.append(markdown(["work", "before", "now", "ratio", "spread before", "spread now"],
                                  lines))
    return parts


def kill_outcome(report, engine):
    def total(row):
        return int(sum(report.samples.get((engine, row), [])))
    kills = total("kills")
    if not kills:
        return None
    bad = [f"{word} {count} times" for word, count in
           (("hangs", total("kill_hangs")), ("refuses or fails", total("kill_fails"))) if count]
    bad += [f"{word} {count} keys" for word, count in
            (("loses", total("kill_lost")), ("tears", total("kill_torn"))) if count]
    return [engine, str(kills), "; ".join(bad) if bad else "goes on, nothing lost or torn"]


def kill_table(report, infos):
    lines = [kill_outcome(report, info["name"]) for info in infos]
    return markdown(["store", "kills", "the next process"], [line for line in lines if line])


def setting_list(infos):
    return "".join(f"- {info['name']} {info['version']}".rstrip() + f": {info['setting']}.\n"
                   for info in infos)


def tables(report, pictures):
    data, everyone, heaps = report.data, report.ran("engines"), report.ran("heaps")
    infos = [info for info in everyone if info["name"] != OURS_ORDERED]
    keys = f"{data['keys']:,}"
    picture = (lambda name, text: f"![{text}](performance/{name}.svg)\n") if pictures else (
        lambda name, text: "")
    parts = [
        f"{data['processor']}, {data['processors']} processors, {data['kernel']}, g++ "
        f"{data['compiler']}; {keys} keys of 16 bytes, values of 100 bytes; medians of "
        f"{data['rounds']} rounds of {data['row_ms']} ms a row"
        + (", before each of which everything is written to disk.\n" if data.get("sync")
           else ".\n"),
        *before_tables(report),
        "### Ratios\n\nMore than 1: Commy is ahead.\n", ratio_table(report, infos, heaps),
        "### One worker\n\nThousands of operations a second.\n", rate_table(report, POINTS, infos),
        picture("points", "Operations a second of one worker"),
        "### Two workers\n\nThousands of operations a second, of both where they do the same.\n",
        rate_table(report, PAIRS, infos), picture("pairs", "Operations a second of two workers"),
        "### In the order of the keys\n\nThousands of operations a second; Commy with an ordered "
        "namespace, beside those that keep their keys in order.\n",
        rate_table(report, ORDERED, report.ordered()),
        "### Many keys at one moment\n\nA transaction reads two keys and writes both; a batch "
        "overwrites; the last row is single overwrites. Thousands of transactions, keys and "
        "overwrites a second.\n", rate_table(report, MANY, report.with_any(MANY)),
        *(["### Steady overwriting\n\nRandom keys, for 60 seconds, while the kernel writes back "
           "what it will. Thousands a second of all writers; then what the process has in memory "
           "at the end, and the files on disk.\n",
           steady_table(report)] if steady_table(report) else []),
        "### Space and opening\n", rate_table(report, SIZES, infos),
        *([f"### Giving space back\n\n{data['space_keys']:,} keys of 10 bytes, values of 100 "
           "bytes, put in random order; then nine of ten are deleted at random. Bytes on disk of "
           "all files (Redis: resident in memory) a key that is there. Where compaction works "
           "while others use the store, it stands in both places.\n", space_table(report)]
          if space_table(report) else []),
        "### Allocators\n\nThousands of pairs of allocation and free a second, 16 to 1024 bytes, "
        "1024 blocks in use by each process.\n",
        rate_table(report, BLOCKS, heaps), picture("blocks", "Allocations a second"),
        "### A writer is killed\n\nSIGKILL at a random moment; then a new process reads and writes "
        "every key.\n", kill_table(report, everyone),
        "### Spread\n\nHighest less lowest of the rounds, in percent of the median.\n",
        spread_table(report, infos),
        "### Settings\n", setting_list(everyone), "\nAllocators:\n", setting_list(heaps),
    ]
    return "\n".join(part for part in parts if part)


def draw(report, folder):
    folder.mkdir(exist_ok=True)
    for name, rows, kind in (("points", POINTS, "engines"), ("pairs", PAIRS, "engines"),
                             ("blocks", BLOCKS, "heaps")):
        panels = [(text, [plot.Bar(label(info), value, info["name"] == OURS, info["bound"])
                          for info in report.ran(kind) if info["name"] != OURS_ORDERED
                          if (value := report.median(info["name"], row)) is not None])
                  for row, text in rows]
        (folder / f"{name}.svg").write_text(plot.panels(panels, "thousand a second"))


def put_into(document, text):
    old = document.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        sys.exit(f"{document}: needs one line {BEGIN} and after it one line {END}")
    head, rest = old.split(BEGIN)
    document.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def smoke(program):
    """Runs the program on few keys. All its measurements must exist, and our results be sound."""
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "smoke.json"
        subprocess.run([program, "--smoke", f"--json={file}"], check=True)
        data = json.loads(file.read_text())
        subprocess.run([program, "--smoke", "--space", f"--json={file}"], check=True)
        space = json.loads(file.read_text())
        for part in ("samples", "faults"):
            data[part] += space[part]
        report = Report(data)
        wrong = [f"{engine}, {row}: {what}" for (engine, row), what in report.faults.items()]
        wrong += [f"{OURS} has no row {row}"
                  for row, _ in POINTS + PAIRS + MANY + BLOCKS + SIZES[:2]
                  if not report.median(OURS, row)]
        wrong += [f"{OURS_ORDERED} has no row {row}" for row, _ in ORDERED + MANY
                  if not report.median(OURS_ORDERED, row)]
        wrong += [f"{ours} has no row {row}" for ours in (OURS, OURS_ORDERED) for row, _ in SPACE
                  if not report.median(ours, row)]
        for ours in (OURS, OURS_ORDERED):
            if kill_outcome(report, ours)[2] != "goes on, nothing lost or torn":
                wrong.append(f"{ours}: {kill_outcome(report, ours)}")
        document = pathlib.Path(scratch) / "performance.md"
        document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
        put_into(document, tables(report, True))
        draw(report, pathlib.Path(scratch) / "performance")
        text = document.read_text()
        if not text.startswith("before\n") or not text.endswith("\nafter\n") or "\nold\n" in text:
            wrong.append("text outside the markers was changed, or text inside was kept")
        for fault in wrong:
            print(fault, file=sys.stderr)
        return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results", nargs="*", type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path)
    parser.add_argument("--smoke", metavar="COMMY_COMPARE")
    arguments = parser.parse_args()
    if arguments.smoke:
        return smoke(arguments.smoke)
    if not arguments.results:
        parser.error("which results?")
    data, *others = [json.loads(file.read_text()) for file in arguments.results]
    for other in others:
        for part in ("samples", "faults"):
            data[part] += other[part]
    report = Report(data)
    if arguments.docs:
        put_into(arguments.docs / "performance.md", tables(report, True))
        draw(report, arguments.docs / "performance")
    else:
        print(tables(report, False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
