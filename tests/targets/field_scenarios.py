"""One life of a job against a server as it comes. What the server can do must be right, and nothing may be silent: what
stays different is excused only where its kind is in the server's `cannot` and melonsync names the object that it is of.
"""

import os
import re

from compare import differences
from expected import Model, flatten, sign_in_name
from machinery import Failure, Scim, WORK, say
from melonsync import Job, Sandbox, writes
from prefill import USER, strangers
from scim2_scenarios import waiting

USERS, GROUPS = 60, 12


class Owners:
    """Whose a resource without externalId is: found by its name when it is first seen, and known by its id from then on."""

    def __init__(self, tenant):
        self.names = {sign_in_name(user["userPrincipalName"]).lower(): user["id"] for user in tenant["users"]}
        self.names |= {group["displayName"].lower(): group["id"] for group in tenant["groups"]}
        self.known = {}

    def see(self, tenant):
        """Names of who is new; those of the first sight stay."""
        self.names |= {name: id for name, id in Owners(tenant).names.items() if name not in self.names}

    def of(self, resource):
        name = resource.get("userName") or resource["displayName"]
        return self.known.setdefault(resource["id"], self.names.get(name.lower()))


class Life:
    """Tenant, server, job and model, and what was told so far."""

    def __init__(self, server, sandbox, process):
        self.server, self.sandbox = server, sandbox
        self.scim, self.model = Scim(process.base, server.counts), Model(without=("description",))
        self.owners = Owners(sandbox.tenant())
        self.job = Job(server.name, sandbox, process.base, mapping=server.mapping(os.path.join(WORK, server.name)),
                       timeout="10s")  # they work on one thread, and CI on two cores
        self.strangers = fill(self) if server.fills else {}
        self.waiting, self.met = set(), set()

    def shown(self, kind):
        return [self.server.shown(resource, self.owners) for resource in self.scim.all(kind)]

    def sync(self, step, *how):
        """One sync, and what differs after it; then one that has nothing to do."""
        exits = (0, 3) if self.server.cannot else (0,)
        summary, _ = self.job.run("sync", *how, exits=exits)
        tenant = self.sandbox.tenant()
        self.model.synced(tenant)
        self.owners.see(tenant)
        self.waiting |= waiting(summary)
        told = self.told(summary)
        if bool(told) != (summary["outcome"] != "converged"):
            raise Failure(f"{step}: outcome {summary['outcome']}, and these are told of: {sorted(told)}")
        self.compare(step, told)
        again, _ = self.job.run("sync", exits=exits)
        if writes(again):
            raise Failure(f"{step}, again: nothing changed, but it wrote {writes(again)}")

    def told(self, summary):
        """Objects that the summary or the list of escrow names."""
        escrow, _ = self.job.run("escrow", "list")
        return {entry["object"] for entry in [*summary["failed"], *escrow["entries"]]}

    def compare(self, step, told):
        model = Model()
        model.live, model.groups, model.members = self.model.live, self.model.groups, self.model.members
        model.users = {id: {name: value for name, value in held.items() if name in self.server.users}
                       for id, held in self.model.users.items()}
        left = []
        for problem in differences(model, self.shown("Users"), self.shown("Groups"), self.strangers):
            object = problem.split(":")[0].split()[1]
            cannot = [pattern for pattern in self.server.cannot if re.match(pattern, problem.replace(":", "", 1))]
            if cannot and object in told:
                self.met |= set(cannot)
            elif not (object in self.waiting and "at the target (" in problem):
                left.append(problem + (" (and melonsync does not tell)" if cannot else ""))
        if left:
            shown = "\n  ".join(left[:20])
            raise Failure(f"{step}: {len(left)} differences between the tenant and the target:\n  {shown}")


def fill(life):
    """Four users of ours in states in which an administrator leaves them, and resources of nobody."""
    known = [user for user in life.sandbox.tenant()["users"] if user.get("accountEnabled") is not False]
    for index, user in enumerate(known[2:10:2]):
        name = sign_in_name(user["userPrincipalName"])
        mail = {"type": "work", "value": f"older.{index}@corp.example"}
        resource = {"schemas": [USER], "userName": name.upper() if index == 1 else name, "active": index != 2,
                    "name": {"givenName": "Older", "familyName": "Older"}, "emails": [mail]}
        if index == 3:
            resource |= {"externalId": user["id"], "userName": "former@corp.example"}
        life.scim.create("Users", resource)
        adopted = flatten(resource)
        adopted["_prefilled"] = set(adopted) - {"userName", "externalId", "active"}
        life.model.adopt("Users", user["id"], adopted)
    return {known: life.server.shown(resource, life.owners) for known, resource in strangers(life.scim).items()}


def rename(sandbox, step):
    """Somebody's name is another from now on, at sign-in too."""
    user = [user for user in sandbox.tenant()["users"] if user["life"] == "live" and user.get("accountEnabled")][20 + step]
    sandbox.control("user", id=user["id"], set={"userPrincipalName": f"renamed.{step}@corp.example"})


def life_of_a_job(server):
    with Sandbox(server.name, USERS, GROUPS) as sandbox, server.start(server.name) as process:
        life = Life(server, sandbox, process)
        say("  initial")
        life.sync("initial")
        for step in range(1, 4):
            say(f"  every kind of change, step {step}")
            sandbox.mutate(every_kind=True, step=step)
            rename(sandbox, step)
            life.sync(f"step {step}")
        say("  reset, and the target read back")
        sandbox.forget_tokens()
        sandbox.mutate(every_kind=True, step=4)
        life.sync("reset", "--full")
        unmet = [pattern for pattern in server.cannot if pattern not in life.met]
        if unmet:
            raise Failure(f"it can do by now what it is expected not to: {unmet}")
