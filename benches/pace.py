#!/usr/bin/env python3
"""Measures how `sync` paces its requests against two kinds of target, both `melonsync sandbox` on loopback, and checks the
limits. Exits with 1 when one is missed.

    benches/pace.py [--writes 600] [--requests 4000]    MELONSYNC and BARE_CLIENT name ready programs, else built

*Counting*: 180 writes a minute in a burst of 20, as Slack's SCIM service. Three minutes; nobody can be faster.
*Slow*: 50 ms for each request, whatever the load. The best fixed setting is then the most that is allowed in flight, 16;
the bare client sends the same requests with that.
"""

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time

import cycle
from machinery import get
import machinery

RATE, BURST = 180, 20
COUNTING = f"[scim]\nwrites_per_minute = {RATE}\nburst = {BURST}\n"
SLOW = "[scim]\nslow = true\nslow_ms = 50\n"


def faults(name, text):
    file = os.path.join(cycle.WORK, f"{name}.toml")
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    return file


class Writing(threading.Thread):
    """From the first write that the target sees to the last: reading the source and ending the program are no pace."""

    def __init__(self, sandbox, writes):
        super().__init__(daemon=True)
        self.url, self.writes, self.first, self.last = f"{sandbox.scim}/sandbox/requests", writes, None, None
        self.start()

    def run(self):
        while self.last is None:
            seen, now = get(self.url)["writes"], time.monotonic()
            if self.first is None and seen > 0:
                self.first = now
            if seen >= self.writes:
                self.last = now
            time.sleep(0.01)

    def seconds(self):
        self.join(10)
        if self.last is None:
            sys.exit(f"the target did not see {self.writes} writes")
        return self.last - self.first


def counting(report, writes):
    with cycle.Sandbox("counting", writes, 0, faults("counting", COUNTING)) as sandbox:
        watch = Writing(sandbox, writes)
        summary = sandbox.sync()["summary"]
        # To the end of the program, as refused writes are seen too: what follows the last write counts against us.
        seconds = time.monotonic() - watch.first
    target = summary["target"]
    best = (writes - BURST) / (RATE / 60)
    report.line(f"{RATE} writes a minute: writes", writes)
    report.line("time / time that the limit asks for", seconds / best, 1.05)
    report.line("refused, of a hundred", 100 * target["throttled"] / target["requests"], 0.999)


def slow(report, requests):
    recorded = cycle.record(requests, 0)
    file, count = recorded["file"], recorded["creates"]
    setting = faults("slow", SLOW)
    with cycle.Sandbox("slow-bare", requests, 0, setting) as sandbox:
        watch = Writing(sandbox, count)
        command = [cycle.BARE, sandbox.scim.removeprefix("http://"), cycle.TOKEN, file]
        cycle.run(command, dict(os.environ), os.path.join(cycle.WORK, "bare.txt"))
        fixed = watch.seconds()
    with cycle.Sandbox("slow", requests, 0, setting) as sandbox:
        watch = Writing(sandbox, count)
        sandbox.sync()
        ours = watch.seconds()
    report.line("50 ms a request: requests", count)
    report.line("the best fixed setting (16, bare client)", fixed, unit=" s")
    report.line("ours", ours, unit=" s")
    report.line("ours / the best fixed setting", ours / fixed, 1.1)


def main():
    options = argparse.ArgumentParser(description="Measures the pace against two kinds of target and checks its limits.")
    options.add_argument("--writes", type=int, default=600, help="writes to the target that counts them, three a second")
    options.add_argument("--requests", type=int, default=4000, help="requests to the target that takes 50 ms for each")
    asked = options.parse_args()
    machinery.die_on_sigterm()
    shutil.rmtree(cycle.WORK, ignore_errors=True)
    os.makedirs(cycle.WORK)
    if "MELONSYNC" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "melonsync", "--example", "bare_client"],
                       cwd=cycle.ROOT, check=True)
    report = cycle.Report()
    # The shorter one first: half a minute, then a little over three.
    slow(report, asked.requests)
    counting(report, asked.writes)
    if report.missed:
        sys.exit("missed: " + "; ".join(report.missed))


if __name__ == "__main__":
    main()
