"""Scope "assigned" with nested groups and app roles against scim2-server: who is there, in which groups, with which roles.

Scope, members and roles are worked out here from the tenant's own truth, by code that shares nothing with melonsync.
"""

import os

from machinery import Failure, Scim, TOKEN, WORK, say
from melonsync import Job, Sandbox, writes
from scim2_scenarios import converged, server, waiting

USERS, GROUPS = 80, 12
ROLES = """
[[user]]
target = 'roles'
source = 'AssertiveAppRoleAssignmentsComplex([appRoleAssignments])'
"""


class Expected:
    """What the target must hold now, by the tenant's truth."""

    def __init__(self, tenant):
        self.users = {user["id"]: user for user in tenant["users"] if user["life"] == "live"}
        self.groups = {group["id"]: group for group in tenant["groups"] if group["life"] == "live"}
        assigned = [(entry["principalId"], entry["value"]) for entry in tenant["assignments"]]
        self.assigned = {id for id, _ in assigned if id in self.groups}
        self.roles = {}
        for id, value in assigned:
            for user in self.below(id) if id in self.groups else {id}:
                self.roles.setdefault(user, set()).update({value} - {None})

    def below(self, group):
        """Users of a group and of all groups in it."""
        users, seen, todo = set(), {group}, [group]
        while todo:
            for member in self.groups[todo.pop()]["members"]:
                if member["kind"] == "user":
                    users.add(member["id"])
                elif member["kind"] == "group" and member["id"] in self.groups and member["id"] not in seen:
                    seen.add(member["id"])
                    todo.append(member["id"])
        return users

    def active(self):
        return {id for id in self.roles if id in self.users and self.users[id].get("accountEnabled") is not False}


def compare(step, sandbox, scim, waiting):
    expected, problems = Expected(sandbox.tenant()), []
    users = {user["externalId"]: user for user in scim.all("Users")}
    source_of = {user["id"]: id for id, user in users.items()}
    active = {id for id, user in users.items() if user["active"]}
    problems += [f"user {id} should be active" for id in expected.active() - active]
    problems += [f"user {id} should not be active" for id in active - expected.active() - waiting]
    for id in expected.active() & active:
        held = {role["value"] for role in users[id].get("roles") or []}
        if held != expected.roles[id]:
            problems.append(f"user {id}: roles should be {sorted(expected.roles[id])}, are {sorted(held)}")
    groups = {group["externalId"]: group for group in scim.all("Groups")}
    for id in expected.assigned:
        members = {source_of.get(member["value"]) for member in (groups.get(id) or {}).get("members") or []}
        wanted = {user for user in expected.below(id) if user in users and user in expected.roles}
        if id not in groups or members != wanted:
            problems.append(f"group {id}: {len(wanted)} members expected, {len(members)} found")
    if problems:
        raise Failure(f"{step}: {len(problems)} differences:\n  " + "\n  ".join(problems[:20]))


def settle(step, job, sandbox, scim):
    """Two syncs, because a loss of scope counts when two agree; the comparison; a third that writes nothing."""
    waits = set()
    for _ in range(2):
        summary, _ = job.run("sync")
        converged(step, summary)
        waits |= waiting(summary)
    compare(step, sandbox, scim, waits)
    summary, _ = job.run("sync")
    converged(step, summary)
    # While somebody waits for a second look at the source, the target may be read; it is never written to.
    if writes(summary) or (summary["target"]["requests"] and not waits):
        raise Failure(f"{step}: nothing changed, but it asked the target: {summary['operations']}")


def assigned():
    with Sandbox("assigned", USERS, GROUPS) as sandbox, server("assigned") as process:
        process.wait_for(f"{process.base}/ServiceProviderConfig", TOKEN)
        sandbox.control("tenant", users=USERS, groups=GROUPS, nested=True, assigned=True)
        sandbox.control("permission", name="Application.Read.All")
        folder = os.path.join(WORK, "assigned")
        os.makedirs(folder, exist_ok=True)
        with open("config/mappings/idmelon.toml", encoding="utf-8") as preset, \
                open(os.path.join(folder, "roles.toml"), "w", encoding="utf-8") as mapping:
            mapping.write(preset.read() + ROLES)
        source = (f'scope = "assigned"\nservice_principal_id = "{sandbox.credentials["service_principal_id"]}"\n'
                  'nested_groups = "flatten"')
        job = Job("assigned", sandbox, process.base, source=source, mapping="roles.toml")
        scim = Scim(process.base)
        say("  initial")
        settle("initial", job, sandbox, scim)
        people = [user["id"] for user in sandbox.tenant()["users"]]
        teams = [group["id"] for group in sandbox.tenant()["groups"]]
        say("  people are assigned, get roles, move and leave")
        sandbox.control("assign", principal=people[11], role="GlobalAdministrator")
        sandbox.control("assign", principal=teams[4], role="BillingAdministrator")
        sandbox.control("unassign", principal=people[10])
        sandbox.control("member", group=teams[1], member=people[12])
        sandbox.control("member", group=teams[0], member=people[1], present=False)
        settle("moves", job, sandbox, scim)
        say("  nested groups come and go, in a circle too")
        sandbox.control("member", group=teams[11], member=teams[7])
        sandbox.control("member", group=teams[7], member=teams[11])
        sandbox.control("assign", principal=teams[11], role="")
        sandbox.control("member", group=teams[0], member=teams[1], present=False)
        settle("nested", job, sandbox, scim)
        say("  roles are revoked; somebody is disabled and comes back with theirs")
        sandbox.control("unassign", principal=teams[4], role="BillingAdministrator")
        sandbox.control("assign", principal=people[11], role="BillingAdministrator")
        sandbox.control("user", id=people[11], set={"accountEnabled": False})
        settle("disabled", job, sandbox, scim)
        sandbox.control("user", id=people[11], set={"accountEnabled": True})
        settle("enabled", job, sandbox, scim)
        say("  every kind of change, and a reset")
        sandbox.mutate(every_kind=True, step=2)
        sandbox.forget_tokens()
        settle("every kind of change", job, sandbox, scim)
