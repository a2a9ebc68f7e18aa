#!/usr/bin/env python3
"""Measures what a few changes cost in a large directory, over a slow line, and how fast an initial cycle goes over one; each
beside a peer in the same run, in turns. Prints the figures with their limits, and exits with 1 when one is missed.

    benches/changes.py [--users 100000] [--turns 3] [--only large|slow|creates]
                                        MELONSYNC and BARE_CLIENT name ready programs, else built

*Large*: 1 % of the directory changed, 50 of them new; on loopback.
*Slow*: 20 changes at 50 ms a request, beside a plain script that knows the ids: a token, the two deltas, and 20 PATCHes, two
in flight.
*Creates*: 2,000 new users at 50 ms a request, beside a bare client that keeps 64 requests in flight.
"""

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.parse

import cycle
import machinery
from machinery import get, post
from pace import SLOW, Writing, faults

JOINERS = 50
IN_FLIGHT = 64
# The plain script of the first measurement, on an idle machine.
SCRIPT_SECONDS = 0.77


class Sandbox(cycle.Sandbox):
    """With the default number of requests in flight."""

    def __enter__(self):
        super().__enter__()
        with open(self.config, encoding="utf-8") as file:
            config = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config.replace("max_concurrency = 16\n", ""))
        return self


def large(report, users, turns):
    """One initial cycle, then in each turn 1 % changed."""
    changed = users // 100
    with Sandbox("large", users, users // 100) as sandbox:
        first = sandbox.sync()
        report.line(f"{users:,} users, initial, wall", first["wall"], unit=" s")
        runs, quiet = [], []
        for _ in range(turns):
            quiet.append(sandbox.sync())
            post(f"{sandbox.graph}/sandbox/mutate", {"attributes": changed - JOINERS})
            post(f"{sandbox.graph}/sandbox/mutate", {"joiners": JOINERS})
            runs.append(sandbox.sync())
    report.line("no change, wall", cycle.median(quiet, "wall"), unit=" s")
    report.line(f"{changed:,} changed, {JOINERS} of them new: SCIM requests", max(r["scim"]["total"] for r in runs))
    report.line("requests a changed object", max(r["scim"]["total"] for r in runs) / changed, 1.1)
    report.line("wall", cycle.median(runs, "wall"), 0.5, unit=" s")
    report.line("CPU", cycle.median(runs, "cpu"), 0.5, unit=" s")


def read_whole(line):
    answer = line.getresponse()
    answer.read()
    if answer.status >= 300:
        sys.exit(f"the plain script was answered {answer.status}")


def plain_script(sandbox, cursors, ids):
    """What somebody writes in an afternoon: it asks what changed, and sends it over two connections. Returns seconds."""
    graph, scim = (urllib.parse.urlsplit(url) for url in (sandbox.graph, sandbox.scim))
    began = time.monotonic()
    token = sandbox.source_token()
    line = http.client.HTTPConnection(graph.netloc)
    for cursor in cursors:
        line.request("GET", cursor, headers={"Authorization": f"Bearer {token}"})
        read_whole(line)
    lines = [http.client.HTTPConnection(scim.netloc) for _ in range(2)]
    headers = {"Authorization": f"Bearer {cycle.TOKEN}", "Content-Type": "application/scim+json"}
    for at in range(0, len(ids), len(lines)):
        batch = list(zip(lines, ids[at:at + len(lines)]))
        for one, id in batch:
            operation = {"op": "replace", "path": "title", "value": f"by script {at}"}
            body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
            one.request("PATCH", f"/api/scim/v2/Users/{id}", json.dumps(body), headers)
        for one, _ in batch:
            read_whole(one)
    return time.monotonic() - began


def slow(report, turns, changes=20):
    with Sandbox("slow-changes", 1_000, 10, faults("slow-changes", SLOW)) as sandbox:
        sandbox.sync()
        held = get(f"{sandbox.scim}/sandbox/workspace")["users"]
        ids = [user["id"] for user in held[:changes]]
        ours, theirs = [], []
        for turn in range(turns + 1):
            post(f"{sandbox.graph}/sandbox/mutate", {"attributes": changes})
            run = sandbox.sync()
            # The first ever reads its first change back: a form is believed once it was seen.
            if turn:
                ours.append(run)
            cursors = [f"/v1.0/{kind}/delta?$deltatoken=latest" for kind in ("users", "groups")]
            theirs.append(plain_script(sandbox, cursors, ids))
    script = statistics.median(theirs)
    report.line(f"50 ms a request, {changes} changes: SCIM requests", max(r["scim"]["total"] for r in ours))
    report.line("the plain script", script, unit=" s")
    report.line("ours, wall", cycle.median(ours, "wall"), 1.1 * SCRIPT_SECONDS, unit=" s")
    report.line("ours / the plain script", cycle.median(ours, "wall") / script, 1.1)


def creates(report, turns, users=2_000):
    recorded = cycle.record(users, 0)
    file, count = recorded["file"], recorded["creates"]
    setting = faults("slow-creates", SLOW)
    ours, theirs = [], []
    for turn in range(turns):
        with Sandbox(f"creates-bare-{turn}", users, 0, setting) as sandbox:
            watch = Writing(sandbox, count)
            command = [cycle.BARE, sandbox.scim.removeprefix("http://"), cycle.TOKEN, file]
            cycle.run(command, {**os.environ, "IN_FLIGHT": str(IN_FLIGHT)}, os.path.join(cycle.WORK, "bare.txt"))
            theirs.append(watch.seconds())
        shutil.rmtree(os.path.join(cycle.WORK, f"creates-{turn}"), ignore_errors=True)
        with Sandbox(f"creates-{turn}", users, 0, setting) as sandbox:
            watch = Writing(sandbox, count)
            sandbox.sync()
            ours.append(watch.seconds())
    report.line(f"50 ms a request: creates of {users:,} users", count)
    report.line(f"a bare client with {IN_FLIGHT} in flight", statistics.median(theirs), unit=" s")
    report.line("ours", statistics.median(ours), unit=" s")
    report.line("ours / the bare client", statistics.median(ours) / statistics.median(theirs), 1.5)


def main():
    options = argparse.ArgumentParser(description="Measures what a few changes cost, and checks the limits.")
    options.add_argument("--users", type=int, default=100_000, help="the large directory")
    options.add_argument("--turns", type=int, default=3, help="runs of each; the median counts")
    options.add_argument("--only", choices=("large", "slow", "creates"))
    asked = options.parse_args()
    machinery.die_on_sigterm()
    shutil.rmtree(cycle.WORK, ignore_errors=True)
    os.makedirs(cycle.WORK)
    if "MELONSYNC" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "melonsync", "--example", "bare_client"],
                       cwd=cycle.ROOT, check=True)
    report = cycle.Report()
    if asked.only in (None, "slow"):
        slow(report, asked.turns)
    if asked.only in (None, "creates"):
        creates(report, asked.turns)
    if asked.only in (None, "large"):
        large(report, asked.users, asked.turns)
    if report.missed:
        sys.exit("missed: " + "; ".join(report.missed))


if __name__ == "__main__":
    main()
