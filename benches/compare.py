#!/usr/bin/env python3
"""Compares Carronade's engines, QEMU's user mode and native programs on the benchmark guests.

All sides run alternately; the measure is the CPU time (user and system) of the whole process, with
its threads and children, and the figure is the median of several runs. A native program does the
same work in fewer and other instructions; its rate is that of the VM's steps it stands for.

Every run is checked: exit code 0, the guest's output equal on all sides, and steps as recorded in
benches/guests/counts.json, which --record writes anew.

    benches/compare.py                              all guests, the translator
    benches/compare.py --engine interpreter --engine translator --guests sortmap,alloc --repeat 5
    benches/compare.py --cold                       without the translator's cache
    benches/compare.py --steps-limit 100000000      only the first steps on the VM: quick, but
                                                    beside whole runs of QEMU, so no fair figure

Guests come from benches/guests/elf, native programs from target/bench-guests/native (build them
with scripts/build-bench-guests.sh --native); what is missing is left out. Standard library only.
"""

import argparse
import gzip
import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
COUNTS = ROOT / "benches/guests/counts.json"
PAGE = 4096

# The Go reference's million steps per CPU second, whole process, recorded on another machine of
# this class with programs of the same kind. Elsewhere it makes 25 to 30 at best.
REFERENCE = {"keccakloop": 15.6, "sha256": 10.7, "alloc": 9.0}


class Failed(Exception):
    """A run that went wrong, in words."""


def high_water_mark(pid):
    """The process's peak resident bytes so far; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def measure(command, folder):
    """Runs `command`; returns its CPU seconds, peak resident bytes and both outputs.

    The kernel's `ru_maxrss` counts what this script held when it started the process. Where that
    hides the peak, it is what was seen last, within the last 20 ms.
    """
    own = high_water_mark(os.getpid())
    with open(folder / "out", "w+b") as out, open(folder / "err", "w+b") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        seen = 0
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, process.pid, ended) is None:
            seen = max(seen, high_water_mark(process.pid))
            time.sleep(0.02)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if process.returncode != 0:
        last = (errors or output).decode(errors="replace").strip().splitlines()[-3:]
        raise Failed(f"exit code {process.returncode} of {' '.join(command)}: {' / '.join(last)}")
    cpu = usage.ru_utime + usage.ru_stime
    peak = usage.ru_maxrss * 1024
    return cpu, peak if peak > own else seen, output, errors


class Guest:
    """A guest, unpacked and loaded, and what its runs showed."""

    def __init__(self, name, packed, options, folder):
        self.name = name
        self.elf = folder / f"{name}.elf"
        self.state = folder / f"{name}.bin.gz"
        self.native = options.native / name
        content = gzip.decompress(packed.read_bytes())
        self.digest = hashlib.sha256(content).hexdigest()
        self.elf.write_bytes(content)
        self.elf.chmod(0o755)
        load = [options.binary, "load-elf", "--type", "multithreaded64-5", "--meta", ""]
        measure([*load, "--path", str(self.elf), "--out", str(self.state)], folder)
        self.steps = None  # of a whole run
        self.pages = None
        self.touched = None  # pages, in the runs measured
        self.output = None
        self.samples = {}  # side to [(CPU seconds, peak bytes, steps)]
        self.warm_ups = {}  # side to the run before those

    def expect(self, counts):
        """Takes over what is recorded about this very ELF file."""
        known = counts.get(self.name)
        if known and known["sha256"] == self.digest:
            self.steps, self.pages, self.output = known["steps"], known["pages"], known["output"]

    def agree(self, what, value):
        """All whole runs say the same."""
        if getattr(self, what) is None:
            setattr(self, what, value)
        elif getattr(self, what) != value:
            raise Failed(f"{what}: {value!r} instead of {getattr(self, what)!r}")

    def rate(self, side):
        """Median million steps per CPU second, if the side ran."""
        samples = self.samples.get(side)
        if not samples or samples[0][2] is None:
            return None
        return statistics.median(steps / cpu / 1e6 for cpu, _, steps in samples)


class Engine:
    """An engine of `carronade run`."""

    def __init__(self, name, options, folder):
        self.name = name
        self.limit = options.steps_limit
        self.folder = folder
        self.command = [options.binary, "run", "--output", "", "--meta", "", "--json"]
        self.command += ["--info-at", "never", "--debug-info", str(folder / "info.json")]
        if self.limit:
            self.command += ["--stop-at", f"={self.limit}"]
        if options.has_engines:
            self.command += ["--engine", name]
        has_cache = options.has_cache and name != "interpreter"
        self.warms_up = has_cache and not options.cold
        if has_cache and options.cold:
            self.command.append("--no-cache")
        self.command += options.extra

    def run(self, guest):
        command = [*self.command, "--input", str(guest.state)]
        cpu, peak, output, errors = measure(command, self.folder)
        info = json.loads((self.folder / "info.json").read_text())
        steps = info["total_steps"]
        text, exit_code = "", None
        for line in (output + errors).decode(errors="replace").splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("module") == "guest" and entry.get("stream") == "stdout":
                    text += entry["text"]
                if entry.get("exited") in (True, "true"):
                    exit_code = int(entry["code"])
        if exit_code is not None:
            if exit_code != 0:
                raise Failed(f"the guest exits with {exit_code}")
            guest.agree("steps", steps)
            guest.agree("output", text)
            guest.agree("pages", info["pages"])
        elif steps != self.limit:
            raise Failed(f"stopped at step {steps} without an exit")
        guest.touched = info["pages"]
        return cpu, peak, steps


class Program:
    """Something that runs a guest's ELF file, or does the same work: QEMU or a native program."""

    warms_up = False

    def __init__(self, name, command, folder):
        self.name = name
        self.command = command
        self.folder = folder

    def run(self, guest):
        cpu, peak, output, _ = measure(self.command(guest), self.folder)
        guest.agree("output", output.decode(errors="replace"))
        return cpu, peak, guest.steps


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="Exit code 1 if a run failed or outputs or steps differ.",
    )
    parser.add_argument("--engine", action="append", metavar="NAME",
                        help="engine of `carronade run`: interpreter, translator; may be given "
                        "several times (default: translator, if there is a choice)")
    parser.add_argument("--cold", action="store_true",
                        help="run translators with --no-cache; else one run of each guest, which "
                        "is not counted, fills the cache")
    parser.add_argument("--guests", metavar="NAME,...", help="only these guests")
    parser.add_argument("--repeat", type=int, default=3, metavar="N",
                        help="runs of each side (default: 3)")
    parser.add_argument("--steps-limit", type=int, metavar="N",
                        help="stop the VM before step N; QEMU and native programs run to their end")
    parser.add_argument("--binary", default=str(TARGET / "release/carronade"), metavar="PATH",
                        help="the carronade to measure (default: the release build)")
    parser.add_argument("--elf", type=Path, default=ROOT / "benches/guests/elf", metavar="FOLDER",
                        help="folder of the packed guests, NAME.elf.gz")
    parser.add_argument("--native", type=Path, default=TARGET / "bench-guests/native",
                        metavar="FOLDER", help="folder of the native programs")
    parser.add_argument("--without", action="append", default=[], choices=["qemu", "native"],
                        help="leave this side out")
    parser.add_argument("--extra", action="append", default=[], metavar="FLAG",
                        help="one more flag for `carronade run`, as --extra=--flag=value")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--record", action="store_true",
                        help="write steps, pages and outputs to benches/guests/counts.json")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error("--repeat needs at least one run")
    if options.record and options.steps_limit:
        parser.error("--record needs whole runs")
    if not os.access(options.binary, os.X_OK):
        parser.error(f"no {options.binary}: build it with cargo build --release")
    usage = subprocess.run([options.binary, "run", "--help"], capture_output=True, text=True,
                           check=True).stdout
    options.has_engines = "--engine" in usage
    default = "translator" if options.has_engines else "interpreter"
    options.engine = list(dict.fromkeys(options.engine or [default]))
    if not options.has_engines and options.engine != ["interpreter"]:
        parser.error("this carronade has no choice of engines: it interprets")
    options.has_cache = "--no-cache" in usage  # without one, every run is cold
    packed = {path.name.removesuffix(".elf.gz"): path for path in options.elf.glob("*.elf.gz")}
    wanted = options.guests.split(",") if options.guests else sorted(packed)
    unknown = [name for name in wanted if name not in packed]
    if unknown or not wanted:
        parser.error(f"no such guest: {', '.join(unknown)}; there are {', '.join(sorted(packed))}")
    options.packed = {name: packed[name] for name in wanted}
    return options


def sides_of(options, folder):
    sides = [Engine(name, options, folder) for name in options.engine]
    qemu = shutil.which("qemu-mips64")
    if qemu and "qemu" not in options.without:
        sides.append(Program("qemu", lambda guest: [qemu, str(guest.elf)], folder))
    if options.native.is_dir() and "native" not in options.without:
        sides.append(Program("native", lambda guest: [str(guest.native)], folder))
    return sides


def attempt(side, guest, failures):
    """One run; None if it failed, which is noted."""
    try:
        return side.run(guest)
    except Failed as failure:
        failures.append(f"{guest.name}, {side.name}: {failure}")
        print(f"FAILED {failures[-1]}", file=sys.stderr)
        return None


def run_all(guests, sides, repeat, failures):
    broken = set()
    for number in range(repeat + 1):
        for guest in guests:
            for side in sides:
                if (guest, side) in broken:
                    continue
                if number == 0 and not side.warms_up:
                    continue
                if side.name == "native" and not guest.native.exists():
                    continue
                run = "warm-up" if number == 0 else f"run {number} of {repeat}"
                print(f"{run}: {guest.name}, {side.name} ".ljust(79), end="\r", file=sys.stderr)
                sample = attempt(side, guest, failures)
                if sample is None:
                    broken.add((guest, side))
                    guest.samples.pop(side.name, None)
                elif number == 0:
                    guest.warm_ups[side.name] = sample
                else:
                    guest.samples.setdefault(side.name, []).append(sample)
    print(" " * 79, end="\r", file=sys.stderr)


def geometric_mean(values):
    values = list(values)
    if not values or None in values:
        return None
    return math.exp(statistics.fmean(math.log(value) for value in values))


def ratio(one, other):
    return one / other if one and other else None


def table(rows):
    """Prints rows as columns, the first to the left."""
    cells = [["-" if cell is None else cell for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        first = row[0].ljust(widths[0])
        print("  ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]).rstrip())
    print()


def number(value, digits=0):
    return None if value is None else f"{value:,.{digits}f}"


def print_rates(guests, sides, engines):
    names = [side.name for side in sides]
    rates = {guest: {name: guest.rate(name) for name in names} for guest in guests}
    pairs = [(e, other) for e in engines for other in names if other not in engines]
    pairs += [(other, engines[0]) for other in engines[1:]]
    heads = ["guest", "M steps", *names, *(f"{a[:6]}/{b[:6]}" for a, b in pairs), "reference"]
    rows = [heads]
    for guest in guests:
        row = [guest.name, number(guest.steps and guest.steps / 1e6)]
        row += [number(rates[guest][name]) for name in names]
        row += [number(ratio(rates[guest][a], rates[guest][b]), 2) for a, b in pairs]
        rows.append([*row, number(REFERENCE.get(guest.name), 1)])
    means = [geometric_mean(rates[guest][name] for guest in guests) for name in names]
    quotients = [geometric_mean(ratio(rates[g][a], rates[g][b]) for g in guests) for a, b in pairs]
    rows.append(["geometric mean", None, *map(number, means),
                 *(number(value, 2) for value in quotients), None])
    print("Million steps per CPU second, whole process (median); reference: recorded elsewhere\n")
    table(rows)


def print_memory(guests, sides):
    names = [side.name for side in sides if side.name != "native"]
    rows = [["guest", "touched MB", *(f"{name} MB" for name in names)]]
    for guest in guests:
        row = [guest.name, number(guest.touched and guest.touched * PAGE / 1e6, 1)]
        for name in names:
            peaks = [peak for _, peak, _ in guest.samples.get(name, [])]
            row.append(number(max(peaks) / 1e6, 1) if peaks else None)
        rows.append(row)
    print("Peak resident memory, beside what the guest's touched pages hold\n")
    table(rows)


def as_json(sample):
    return sample and dict(zip(("cpu_seconds", "peak_bytes", "steps"), sample))


def figures(guests, sides, options, failures):
    """What --json writes."""
    return {
        "binary": options.binary,
        "cold": options.cold or not options.has_cache,
        "steps_limit": options.steps_limit,
        "failures": failures,
        "guests": {
            guest.name: {
                "sha256": guest.digest,
                "steps": guest.steps,
                "pages": guest.pages,
                "pages_touched": guest.touched,
                "output": guest.output,
                "reference_recorded": REFERENCE.get(guest.name),
                "sides": {
                    side.name: {
                        "million_steps_per_cpu_second": guest.rate(side.name),
                        "warm_up": as_json(guest.warm_ups.get(side.name)),
                        "runs": [as_json(sample) for sample in guest.samples[side.name]],
                    }
                    for side in sides
                    if side.name in guest.samples
                },
            }
            for guest in guests
        },
    }


def record(guests, counts):
    for guest in guests:
        counts[guest.name] = {"sha256": guest.digest, "steps": guest.steps,
                              "pages": guest.pages, "output": guest.output}
    COUNTS.write_text(json.dumps(dict(sorted(counts.items())), indent=2) + "\n")


def main(arguments):
    options = parse(arguments)
    counts = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    failures = []
    with tempfile.TemporaryDirectory(prefix="carronade-compare-") as name:
        folder = Path(name)
        sides = sides_of(options, folder)
        try:
            guests = [Guest(name, path, options, folder) for name, path in options.packed.items()]
        except Failed as failure:
            sys.exit(f"compare: {failure}")
        if not options.record:
            for guest in guests:
                guest.expect(counts)
        run_all(guests, sides, options.repeat, failures)
        print_rates(guests, sides, options.engine)
        print_memory(guests, sides)
    if options.json:
        content = figures(guests, sides, options, failures)
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    if failures:
        sys.exit("\n".join(["compare: failed runs:", *failures]))
    if options.record:
        record(guests, counts)
    print("All runs exit with 0; outputs and steps are equal on all sides.")


if __name__ == "__main__":
    main(sys.argv[1:])
