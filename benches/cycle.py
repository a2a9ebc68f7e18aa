#!/usr/bin/env python3
"""Measures provisioning cycles against `melonsync sandbox` in a process of its own on loopback, beside a bare HTTP client
that sends the same requests in the same run, and checks the limits. Exits with 1 when one is missed.

    benches/cycle.py [--repeat 3] [--skip-large]        Linux; MELONSYNC, BARE_CLIENT and NAMED_LIBRARIES name ready
                                                        programs, else built

The sandbox's own CPU time is in no figure: only that of the measured client.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "targets"))
from machinery import Process, free_port, get, post  # noqa: E402
import machinery  # noqa: E402

TARGET = os.path.abspath(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")))
PROGRAM = os.environ.get("MELONSYNC", os.path.join(TARGET, "release", "melonsync"))
EXAMPLES = os.path.join(TARGET, "release", "examples")
BARE = os.environ.get("BARE_CLIENT", os.path.join(EXAMPLES, "bare_client"))
LIBRARIES = os.environ.get("NAMED_LIBRARIES", os.path.join(EXAMPLES, "named_libraries"))
WORK = machinery.WORK = os.path.join(TARGET, "cycle-bench")
TOKEN = "sandbox-token"

CONFIG = """\
[state]
path = "{state}"

[jobs.bench]
mode = "enforce"

[jobs.bench.source]
kind      = "entra"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
graph_url = "{graph}"
login_url = "{graph}"

[jobs.bench.source.credential]
client_secret = {{ env = "ENTRA_CLIENT_SECRET" }}

[jobs.bench.target]
kind  = "idmelon"
url   = "{scim}/api/scim/v2/"
token = {{ env = "IDMELON_SCIM_TOKEN" }}
max_concurrency = 16

[jobs.bench.provisioning]
mapping = "idmelon@1"
"""


class Sandbox(Process):
    """Both sample servers, with a tenant of plain users in groups of 100, one manager for ten users."""

    def __init__(self, name, users, groups, faults=None):
        self.graph, self.scim = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.size = {"users": users, "groups": groups, "members_per_group": 100, "plain": True}
        self.folder = os.path.join(WORK, name)
        super().__init__(f"{name}-sandbox", [
            PROGRAM, "sandbox", "--users", "1", "--groups", "1",
            "--graph-listen", self.graph.removeprefix("http://"), "--scim-listen", self.scim.removeprefix("http://"),
            *(["--faults", faults] if faults else [])])

    def __enter__(self):
        self.wait_for(f"{self.graph}/sandbox/credentials")
        self.wait_for(f"{self.scim}/sandbox/requests")
        post(f"{self.graph}/sandbox/tenant", self.size)
        names = get(f"{self.graph}/sandbox/credentials")
        os.makedirs(self.folder, exist_ok=True)
        self.config = os.path.join(self.folder, "melonsync.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(graph=self.graph, scim=self.scim, state=os.path.join(self.folder, "state"),
                                     tenant_id=names["tenant_id"], client_id=names["client_id"]))
        self.names = names
        self.environment = {**os.environ, "ENTRA_CLIENT_SECRET": names["client_secret"], "IDMELON_SCIM_TOKEN": TOKEN}
        return self

    def sync(self):
        """One measured `sync`: its summary, what it cost, and what the servers saw of it."""
        for side in (self.graph, self.scim):
            post(f"{side}/sandbox/requests/clear", {})
        measured = run([PROGRAM, "--config", self.config, "--output", "json", "--quiet", "sync"], self.environment,
                       os.path.join(self.folder, "sync.json"))
        measured["summary"] = json.loads(measured.pop("text"))
        measured["graph"] = get(f"{self.graph}/sandbox/requests")["total"]
        measured["scim"] = get(f"{self.scim}/sandbox/requests")
        if measured["code"] != 0 or measured["summary"]["outcome"] != "converged":
            sys.exit(f"sync exited with {measured['code']}: {measured['summary']}")
        return measured


    def source_token(self):
        """An access token of the tenant, for the bare client."""
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": self.names["client_id"],
                                       "client_secret": self.names["client_secret"],
                                       "scope": f"{self.graph}/.default"}).encode()
        with urllib.request.urlopen(f"{self.graph}/{self.names['tenant_id']}/oauth2/v2.0/token", form, 10) as answer:
            return json.load(answer)["access_token"]

    def remap(self):
        """One row of the mapping changes, and with it every user."""
        with open(os.path.join(ROOT, "config", "mappings", "idmelon.toml"), encoding="utf-8") as preset:
            rows = preset.read()
        changed = rows.replace('"[jobTitle]"', "'ToUpper([jobTitle])'")
        if changed == rows:
            sys.exit("the preset has no row for [jobTitle]")
        with open(os.path.join(self.folder, "changed.toml"), "w", encoding="utf-8") as file:
            file.write(changed)
        with open(self.config, encoding="utf-8") as file:
            config = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config.replace('"idmelon@1"', '"changed.toml"'))

    def plan(self):
        """One measured `plan`, and its document."""
        measured = run([PROGRAM, "--config", self.config, "--output", "json", "--quiet", "plan"], self.environment,
                       os.path.join(self.folder, "plan.json"))
        measured["summary"] = json.loads(measured.pop("text"))
        if measured["code"] != 0 or measured["summary"]["outcome"] != "planned":
            sys.exit(f"plan exited with {measured['code']}")
        return measured


class Peak(threading.Thread):
    """The kernel's high-water mark of a process's resident memory. `ru_maxrss` will not do: it begins with the memory
    of the process that started it, which is this one."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = f"/proc/{pid}/status"
        self.ended = threading.Event()
        self.megabytes = 0.0
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                with open(self.status, encoding="ascii", errors="replace") as status:
                    mark = re.search(r"VmHWM:\s*(\d+) kB", status.read())
            except OSError:
                return
            if mark:
                self.megabytes = int(mark.group(1)) / 1024

    def stop(self):
        self.ended.set()
        self.join()
        return self.megabytes


def run(command, environment, output):
    """Wall time, CPU time (user and system) and peak resident memory of one process."""
    with open(output, "wb") as out:
        began = time.monotonic()
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out)
        peak = Peak(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    with open(output, encoding="utf-8") as text:
        return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": peak.stop(),
                "code": child.returncode, "text": text.read()}


def record(users, groups):
    """The requests of an initial cycle: the first page of each stream, and the SCIM requests with placeholders for the
    target's ids, in waves that respect them."""
    with Sandbox(f"record-{users}", users, groups) as sandbox:
        post(f"{sandbox.scim}/sandbox/record-bodies", {})
        sandbox.sync()
        held = get(f"{sandbox.scim}/sandbox/workspace")
        sent = get(f"{sandbox.scim}/sandbox/requests?list=true")["requests"]
        asked = get(f"{sandbox.graph}/sandbox/requests?list=true")["requests"]
    first_pages = [r["path"] for r in asked if "/delta?" in r["path"] and "token=" not in r["path"].lower()]
    # Those before the first create; a later one reads a resource of that run back.
    first = next(at for at, request in enumerate(sent) if request["method"] == "POST")
    reads = [r["path"] for r in sent[:first] if r["method"] == "GET" and r["status"] == 200]
    source_of = {r["id"]: r["externalId"] for kind in ("users", "groups") for r in held[kind]}
    identifier = re.compile(r'"value":\s*"([^"]+)"')
    bodies = {}
    for request in sent:
        if request["method"] == "POST" and request["status"] == 201:
            body = request["body"]
            uses = []

            def placeholder(match):
                source = source_of.get(match.group(1))
                if source is None:
                    return match.group(0)
                uses.append(source)
                return f'"value":"@@{source}@@"'

            body = identifier.sub(placeholder, body)
            bodies[json.loads(request["body"])["externalId"]] = (request["path"], body, uses)
    waves = {}

    def wave(source):
        if source not in waves:
            waves[source] = 1 + max((wave(used) for used in bodies[source][2]), default=-1)
        return waves[source]

    file = os.path.join(WORK, "requests.tsv")
    with open(file, "w", encoding="utf-8") as out:
        for path in reads:
            out.write(f"0\t{path}\t\t\n")
        for source, (path, body, _) in bodies.items():
            out.write(f"{wave(source)}\t{path}\t{source}\t{body}\n")
    return {"file": file, "first_pages": first_pages, "reads": len(reads), "creates": len(bodies)}


def yardstick(name, program, recorded, users, groups):
    """One run of a program that sends what was recorded; its wall time is that of the requests."""
    with Sandbox(name, users, groups) as sandbox:
        address = sandbox.scim.removeprefix("http://")
        source = [sandbox.graph.removeprefix("http://"), sandbox.source_token()]
        measured = run([*program, address, TOKEN, recorded["file"], *source, *recorded["first_pages"]],
                       dict(os.environ), os.path.join(WORK, f"{name}.txt"))
        if measured["code"] != 0:
            sys.exit(f"{program[0]} failed")
        wall, measured["pages"] = (int(number) for number in measured["text"].split())
        measured["wall"] = wall / 1000
        return measured


def bare(recorded, turn, users, groups):
    return yardstick(f"bare-{turn}", [BARE], recorded, users, groups)


def floor(recorded, turn, users, groups):
    """The same with the libraries that melonsync is made of, sled included, and nothing that it decides."""
    name = f"libraries-{turn}"
    return yardstick(name, [LIBRARIES, os.path.join(WORK, name, "store")], recorded, users, groups)


def initial(name, users, groups, then=None):
    shutil.rmtree(os.path.join(WORK, name), ignore_errors=True)
    with Sandbox(name, users, groups) as sandbox:
        first = sandbox.sync()
        return first, then(sandbox) if then else None


def later_cycles(changed):
    def follow(sandbox):
        quiet = sandbox.sync()
        post(f"{sandbox.graph}/sandbox/mutate", {"attributes": changed})
        return quiet, sandbox.sync()
    return follow


def quiet_and_remapped(sandbox):
    quiet = sandbox.sync()
    sandbox.remap()
    return quiet, sandbox.plan()


class Report:
    """The table, and which limits were missed."""

    def __init__(self):
        self.missed = []
        print(f"{'what':<58} {'measured':>12} {'limit':>12}")

    def line(self, what, measured, limit=None, unit="", exact=False):
        ok = limit is None or (measured == limit if exact else measured <= limit)
        shown = f"{measured:.2f}" if isinstance(measured, float) else str(measured)
        bound = "" if limit is None else ("= " if exact else "≤ ") + str(limit)
        print(f"{what:<58} {shown + unit:>12} {bound:>12}{'' if ok else '   MISSED'}", flush=True)
        if not ok:
            self.missed.append(what)


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def ten_thousand(report, repeat):
    users, groups = 10_000, 100
    recorded = record(users, groups)
    # In turns, because a machine's speed changes from minute to minute.
    bares, floors, firsts, others = [], [], [], []
    for turn in range(repeat):
        bares.append(bare(recorded, turn, users, groups))
        floors.append(floor(recorded, turn, users, groups))
        first, later = initial(f"ours-{turn}", users, groups, later_cycles(users // 100))
        firsts.append(first)
        others.append(later)
    report.line("SCIM requests that the bare client sends", recorded["reads"] + recorded["creates"])
    report.line("pages of the source that it reads", max(r["pages"] for r in bares))
    report.line("bare client, wall", median(bares, "wall"), unit=" s")
    report.line("bare client, CPU", median(bares, "cpu"), unit=" s")
    report.line("the libraries alone, wall / bare client", median(floors, "wall") / median(bares, "wall"))
    report.line("the libraries alone, CPU / bare client", median(floors, "cpu") / median(bares, "cpu"))
    report.line("initial, 10,000 users and 100 groups, wall", median(firsts, "wall"), unit=" s")
    report.line("initial, CPU", median(firsts, "cpu"), unit=" s")
    report.line("initial, wall / bare client", median(firsts, "wall") / median(bares, "wall"), 3.5)
    report.line("initial, CPU / bare client", median(firsts, "cpu") / median(bares, "cpu"), 4.0)
    report.line("initial, CPU / the libraries alone", median(firsts, "cpu") / median(floors, "cpu"))
    report.line("initial, Graph requests", max(r["graph"] for r in firsts), 71, exact=True)
    report.line("initial, SCIM requests", max(r["scim"]["total"] for r in firsts), 10_120)
    report.line("initial, peak resident", median(firsts, "rss_mb"), unit=" MB")
    quiet, changed = zip(*others)
    report.line("no change, Graph requests (token, two deltas)", max(r["graph"] for r in quiet), 3)
    report.line("no change, SCIM requests", max(r["scim"]["total"] for r in quiet), 0)
    report.line("no change, duration_ms", statistics.median(r["summary"]["duration_ms"] for r in quiet), 100)
    report.line("1 % changed, SCIM writes", max(r["scim"]["writes"] for r in changed), users // 100, exact=True)
    report.line("1 % changed, SCIM requests", max(r["scim"]["total"] for r in changed), users // 100 + 10)
    report.line("1 % changed, wall", median(changed, "wall"), unit=" s")
    disagreements = [r for r in [*firsts, *quiet, *changed] if r["summary"]["target"]["requests"] != r["scim"]["total"]]
    report.line("cycles whose summary counts other SCIM requests", len(disagreements), 0)
    return floors


LARGE_TURNS = 3


def hundred_thousand(report, floors):
    users, groups = 100_000, 1_000
    large_floor = floor(record(users, groups), "large", users, groups)
    report.line("the libraries alone, CPU of 100,000 users / of 10,000", large_floor["cpu"] / median(floors, "cpu"))
    report.line("the libraries alone, 100,000 users, peak resident", large_floor["rss_mb"], unit=" MB")
    # Each beside small ones, because a machine's speed changes from minute to minute.
    smalls, larges = [], []
    for turn in range(LARGE_TURNS):
        smalls += [initial(f"small-{turn}-{one}", users // 10, groups // 10)[0] for one in range(3)]
        large, then = initial("large", users, groups, quiet_and_remapped if turn == LARGE_TURNS - 1 else None)
        larges.append(large)
    quiet, remapped = then
    report.line("initial, 100,000 users and 1,000 groups, wall", median(larges, "wall"), unit=" s")
    report.line("100,000 users, CPU", median(larges, "cpu"), unit=" s")
    report.line("10,000 users, CPU, these beside the large ones", median(smalls, "cpu"), unit=" s")
    # Linear, with a quarter for caches that no longer hold everything.
    report.line("CPU of 100,000 users / CPU of 10,000 users", median(larges, "cpu") / median(smalls, "cpu"), 12.5)
    report.line("100,000 users, SCIM requests", max(r["scim"]["total"] for r in larges))
    report.line("100,000 users, peak resident", max(r["rss_mb"] for r in larges), 300, unit=" MB")
    report.line("100,000 users, no change, duration_ms", quiet["summary"]["duration_ms"])
    report.line("100,000 users, no change, peak resident", quiet["rss_mb"], 300, unit=" MB")
    report.line("mapping changed, updates in the plan", remapped["summary"]["operations"]["update_user"])
    report.line("mapping changed, plan, wall", remapped["wall"], 2.0, unit=" s")
    report.line("mapping changed, plan, CPU", remapped["cpu"], unit=" s")
    report.line("mapping changed, plan, peak resident", remapped["rss_mb"], 300, unit=" MB")


def main():
    options = argparse.ArgumentParser(description="Measures provisioning cycles and checks their limits.")
    options.add_argument("--repeat", type=int, default=3, help="runs of each figure at 10,000 users; the median counts")
    options.add_argument("--skip-large", action="store_true", help="leave 100,000 users out")
    asked = options.parse_args()
    machinery.die_on_sigterm()
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    if "MELONSYNC" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "melonsync", "--example", "bare_client",
                        "--example", "named_libraries"],
                       cwd=ROOT, check=True)
    report = Report()
    measured = ten_thousand(report, asked.repeat)
    if not asked.skip_large:
        hundred_thousand(report, measured)
    if report.missed:
        sys.exit("missed: " + "; ".join(report.missed))


if __name__ == "__main__":
    main()
