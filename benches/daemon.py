#!/usr/bin/env python3
"""Measures a running daemon over `melonsync sandbox` in a process of its own on loopback, and checks the limits. Exits with 1 when one is
missed.

    benches/daemon.py [--users 100000] [--initial 10000] [--idle 60] [--repeat 5] [--only NAME …]     Linux; MELONSYNC names a ready program

    resync    one changed user beside an idle daemon: from the order to the write at the target
    disable   a named disable beside an initial cycle against a target that takes 180 writes a minute: from the order to the request
    idle      resident memory and CPU of a daemon between cycles, with each engine
    streams   what 50 readers of events add to the CPU time of a cycle
    asks      `status`, `explain` and `list` beside the daemon
    plan      from a plan that is made to the end of what `plan` prints, and the memory of that

The sandbox's own CPU time is in no figure; its answers are part of the waiting times.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time

import cycle
from machinery import Process, get, post
import machinery

SELDOM = 'schedule = "0 0 0 1 1 *"\nfull_schedule = ""\n'
COUNTING = "[scim]\nwrites_per_minute = 180\nburst = 20\n"
JOB = "/api/v1/jobs/bench"
TICKS = os.sysconf("SC_CLK_TCK")


class Daemon(Process):
    """`melonsync run` over a sandbox, asked at its control socket."""

    def __init__(self, sandbox, name):
        self.socket = os.path.join(sandbox.folder, "state", "control.sock")
        super().__init__(name, [cycle.PROGRAM, "--config", sandbox.config, "run"], env=sandbox.environment)

    def __enter__(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                sys.exit(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")
            try:
                if b" 200 " in self.ask("GET", "/readyz").split(b"\r\n", 1)[0]:
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        sys.exit(f"{self.name} is not ready:\n{self.tail()}")

    def connect(self, method, path, body=None, accept="application/json"):
        """A connection with this request on its way."""
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(3600)
        stream.connect(self.socket)
        text = "" if body is None else json.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: melonsync\r\nConnection: close\r\nAccept: {accept}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        stream.sendall(f"{head}\r\n{text}".encode())
        return stream

    def ask(self, method, path, body=None, accept="application/json"):
        with self.connect(method, path, body, accept) as stream:
            return b"".join(iter(lambda: stream.recv(1 << 16), b""))

    def order(self, path, body):
        """An order, followed to its end: whether it ended with a summary."""
        answer = self.ask("POST", f"{JOB}/{path}", body, "text/event-stream")
        if b"event: summary" not in answer:
            sys.exit(f"{path} did not come to its end:\n{answer[-2000:].decode(errors='replace')}")

    def cpu(self):
        """User and system time of the process so far, in seconds."""
        with open(f"/proc/{self.child.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        """Resident memory in MB."""
        with open(f"/proc/{self.child.pid}/status", encoding="utf-8") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


class Reports:
    """Figures with their limits."""

    def __init__(self):
        self.missed = False

    def add(self, what, value, limit, unit):
        good = value <= limit
        self.missed |= not good
        print(f"{'ok  ' if good else 'MISS'}  {what}: {value:.3g} {unit} (at most {limit:g})", flush=True)


def configured(sandbox, more="", engine="sled"):
    """Puts a schedule that never comes, and these keys, into the config."""
    with open(sandbox.config, encoding="utf-8") as file:
        text = file.read()
    text = text.replace('mode = "enforce"\n', f'mode = "enforce"\n{SELDOM}', 1) if SELDOM not in text else text
    text = text.replace("[state]\n", f'[state]\nstore = "{engine}"\n', 1) if "store =" not in text else text
    with open(sandbox.config, "w", encoding="utf-8") as file:
        file.write(text + more)


def truth(sandbox):
    return get(f"{sandbox.graph}/sandbox/tenant")


def person(sandbox, number):
    users = truth(sandbox)["users"]
    return users[number % len(users)]


def change(sandbox, user, properties):
    post(f"{sandbox.graph}/sandbox/user", {"id": user["id"], "set": properties})


def until(what, seconds, holds):
    """The time until it holds, in seconds."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.002)
    return time.monotonic() - began


def writes(sandbox):
    return get(f"{sandbox.scim}/sandbox/requests")["writes"]


def resync(reports, args):
    with cycle.Sandbox("resync", min(args.users, 1000), 10) as sandbox:
        configured(sandbox)
        sandbox.sync()
        with Daemon(sandbox, "resync-daemon") as daemon:
            times = []
            for number in range(args.repeat):
                user = person(sandbox, number)
                change(sandbox, user, {"jobTitle": f"Captain {number}"})
                post(f"{sandbox.scim}/sandbox/requests/clear", {})
                order = threading.Thread(target=daemon.order, args=("resync", {"users": [user["id"]]}))
                order.start()
                times.append(until("the write", 30, lambda: writes(sandbox) > 0))
                order.join()
            reports.add("resync of one changed user, to the target", statistics.median(times) * 1000, 150, "ms")


def disable(reports, args):
    faults = os.path.join(cycle.WORK, "counting.toml")
    with open(faults, "w", encoding="utf-8") as file:
        file.write(COUNTING)
    with cycle.Sandbox("disable", args.initial, max(1, args.initial // 100), faults) as sandbox:
        configured(sandbox)
        with Daemon(sandbox, "disable-daemon") as daemon:
            daemon.ask("POST", f"{JOB}/sync", {"full": False})
            until("the first creates", 600, lambda: writes(sandbox) >= 40)
            there = {one.get("userName") for one in get(f"{sandbox.scim}/sandbox/workspace")["users"]}
            user = next(one for one in truth(sandbox)["users"] if one.get("userPrincipalName") in there)
            change(sandbox, user, {"accountEnabled": False})

            def is_sent():
                listed = get(f"{sandbox.scim}/sandbox/requests?list=true")
                return any(one["method"] in ("PATCH", "PUT", "DELETE") and "/Users/" in one["path"] for one in listed["requests"])

            post(f"{sandbox.scim}/sandbox/requests/clear", {})
            order = daemon.connect("POST", f"{JOB}/resync", {"users": [user["id"]]}, "text/event-stream")
            reports.add("a named disable beside an initial cycle, to its request", until("the disable", 60, is_sent), 1, "s")
            order.close()


def idle(reports, args):
    for engine, limit in (("redb", 60), ("sled", 150)):
        with cycle.Sandbox(f"idle-{engine}", args.users, max(1, args.users // 100)) as sandbox:
            configured(sandbox, engine=engine)
            sandbox.sync()
            with Daemon(sandbox, f"idle-{engine}-daemon") as daemon:
                time.sleep(5)
                began, before = time.monotonic(), daemon.cpu()
                time.sleep(args.idle)
                share = 100 * (daemon.cpu() - before) / (time.monotonic() - began)
                reports.add(f"idle with {args.users} users on {engine}, resident", daemon.resident(), limit, "MB")
                reports.add(f"idle with {args.users} users on {engine}, CPU", share, 0.1, "%")
                if engine == "redb":
                    asks(reports, sandbox, args)


def asks(reports, sandbox, args):
    """What people ask beside the daemon of `idle`."""
    user = person(sandbox, 7)
    for verb in (["status"], ["explain", user["id"]], ["list", "users", "--limit", "50"]):
        times = []
        for _ in range(args.repeat):
            began = time.monotonic()
            asked = subprocess.run([cycle.PROGRAM, "--config", sandbox.config, *verb], env=sandbox.environment,
                                   stdin=subprocess.DEVNULL, capture_output=True, check=False)
            times.append(time.monotonic() - began)
            if asked.returncode != 0:
                sys.exit(f"{verb} exited with {asked.returncode}: {asked.stderr.decode(errors='replace')}")
        reports.add(f"`{verb[0]}` beside a daemon of {args.users} users", statistics.median(times) * 1000, 100, "ms")


def streams(reports, args):
    """The same number of changed users in each cycle, once without readers and once with 50 of them."""
    changed = max(10, args.initial // 2)
    with cycle.Sandbox("streams", args.initial, max(1, args.initial // 100)) as sandbox:
        configured(sandbox)
        sandbox.sync()
        with Daemon(sandbox, "streams-daemon") as daemon:

            def cost():
                post(f"{sandbox.graph}/sandbox/mutate", {"attributes": changed})
                before = daemon.cpu()
                daemon.order("sync", {"full": False})
                return daemon.cpu() - before

            cost()
            alone, read = [], []
            for _ in range(args.repeat):
                alone.append(cost())
                readers = [daemon.connect("GET", "/api/v1/events", accept="text/event-stream") for _ in range(50)]
                threads = [threading.Thread(target=drain, args=(reader,), daemon=True) for reader in readers]
                for thread in threads:
                    thread.start()
                read.append(cost())
                for reader in readers:
                    reader.shutdown(socket.SHUT_RDWR)
                for thread in threads:
                    thread.join()
            added = 100 * (statistics.median(read) / statistics.median(alone) - 1)
            reports.add(f"50 event streams, added to the CPU of a cycle of {changed} changes", added, 10, "%")


def drain(reader):
    """Reads until the other side, or we, end it."""
    try:
        while reader.recv(1 << 16):
            pass
    except OSError:
        pass
    reader.close()


def plan(reports, args):
    with cycle.Sandbox("plan", args.users, max(1, args.users // 100)) as sandbox:
        configured(sandbox, engine="redb")
        sandbox.sync()
        sandbox.remap()
        with Daemon(sandbox, "plan-daemon") as daemon:
            made = []

            def listen():
                reader = daemon.connect("GET", "/api/v1/events", accept="text/event-stream")
                seen = b""
                while not made and (more := reader.recv(1 << 16)):
                    seen += more
                    if b"event: ended" in seen:
                        made.append(time.monotonic())
                reader.close()

            listener = threading.Thread(target=listen, daemon=True)
            listener.start()
            time.sleep(0.2)
            output = os.path.join(sandbox.folder, "plan.txt")
            command = [cycle.PROGRAM, "--config", sandbox.config, "--log-level", "error", "plan"]
            ran = cycle.run(command, sandbox.environment, output)
            ended = time.monotonic()
            listener.join(10)
            if ran["code"] != 0 or not made:
                sys.exit(f"plan exited with {ran['code']}: {ran['text'][-500:]}")
            reports.add(f"a plan of {args.users} changes, from made to printed", max(0.0, ended - made[0]), 1, "s")
            reports.add(f"a plan of {args.users} changes, memory of `plan`", ran["rss_mb"], 300, "MB")


PARTS = {"resync": resync, "disable": disable, "idle": idle, "streams": streams, "plan": plan}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--initial", type=int, default=10_000)
    parser.add_argument("--idle", type=int, default=60, help="seconds that an idle daemon is watched")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="`asks` belongs to `idle`")
    args = parser.parse_args()
    if "MELONSYNC" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=cycle.ROOT, check=True)
    shutil.rmtree(cycle.WORK, ignore_errors=True)
    os.makedirs(cycle.WORK)
    machinery.die_on_sigterm()
    reports = Reports()
    for name in args.only:
        PARTS[name](reports, args)
    sys.exit(1 if reports.missed else 0)


if __name__ == "__main__":
    main()
