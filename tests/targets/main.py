"""Real SCIM servers as targets: set-up, scenarios, and what must hold after each step."""

import functools
import os
import shutil
import subprocess
import sys
import time
import traceback

from machinery import Failure, WORK, die_on_sigterm, say
import assigned_scenario
import field_scenarios
import field_servers
import scim2_scenarios
import scimmy_scenarios

SCENARIOS = {
    "scim2-server": [
        ("half-filled target, no change, every kind of change, reset", scim2_scenarios.life_of_a_job),
        ("killed in the first sync, and run again", scim2_scenarios.killed_and_run_again),
        ("assigned scope with nested groups, app roles, and people who move", assigned_scenario.assigned),
        ("a schema without the group attribute `description`", scim2_scenarios.without_description),
    ],
    "scimmy": [
        ("a listing that ignores paging proves no absence", scimmy_scenarios.unproven_absence),
    ],
}
SETUPS = {"scim2-server": scim2_scenarios.install, "scimmy": scimmy_scenarios.install}
for _name, _server in field_servers.SERVERS.items():
    SCENARIOS[_name] = [("a life in it as it comes: what it can is right, the rest is told",
                         functools.partial(field_scenarios.life_of_a_job, _server))]
    SETUPS[_name] = _server.install


def main():
    die_on_sigterm()
    asked = sys.argv[1] if len(sys.argv) > 1 else "all"
    if asked != "all" and asked not in SCENARIOS:
        sys.exit(f"usage: tests/targets/run [all|{'|'.join(SCENARIOS)}]")
    for leftover in os.listdir(WORK) if os.path.isdir(WORK) else []:
        if not leftover.startswith(("venv", "npm")):
            path = os.path.join(WORK, leftover)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    os.makedirs(WORK, exist_ok=True)
    failed = []
    for server, scenarios in SCENARIOS.items():
        if asked in ("all", server):
            try:
                SETUPS[server]()
            except subprocess.CalledProcessError as error:
                sys.exit(f"tests/targets: cannot install {server}: {' '.join(error.cmd)} exited with {error.returncode}")
            failed += [f"{server}: {name}" for name, scenario in scenarios if not passes(server, name, scenario)]
    if failed:
        sys.exit("tests/targets: failed:\n  " + "\n  ".join(failed) + f"\nlogs are in {WORK}")
    say("tests/targets: all passed")


def passes(server, name, scenario):
    say(f"{server}: {name}")
    began = time.monotonic()
    try:
        scenario()
    except Failure as failure:
        say(f"  FAILED: {failure}")
        return False
    except Exception:  # pylint: disable=broad-except
        # The other scenarios still tell something; the mistake is shown whole.
        say(f"  FAILED: {traceback.format_exc()}")
        return False
    say(f"  ok, {time.monotonic() - began:.0f} s")
    return True


if __name__ == "__main__":
    main()
