"""Servers that people use, as they come: how each is started, what it has, and what it cannot do."""

import os
import re

from expected import ENTERPRISE, MANAGER, PLAIN
from installing import node_packages, python_packages
from machinery import HERE, Process, TOKEN, free_port

EVERYTHING = {*PLAIN.values(), "userName", "externalId", "active", "name.formatted", "phoneNumbers.work.value", MANAGER,
              "_prefilled"}
IMMUTABLE_ID = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User.immutable_id"


class Server:
    """One that does all it is asked, but has no extension of IDmelon's and no group attribute `description`."""

    name = path = None
    users = EVERYTHING - {IMMUTABLE_ID}
    # What stays different, and must be told of each object that it is of: a pattern of the difference's text.
    cannot = ()
    # Rows of the preset that its schema leaves no form for.
    rows_out = ()
    # True where resources that were there before are adopted, and those of nobody left alone.
    fills = True
    # False where it fails when a page is asked for.
    counts = True

    def start(self, name):
        port = free_port()
        process = Process(f"{name}-server", self.command(port), cwd=self.folder)
        process.base = f"http://127.0.0.1:{port}{self.path}"
        process.wait_for(f"{process.base}/ServiceProviderConfig", TOKEN, seconds=120)
        return process

    def mapping(self, folder):
        """The preset, or a copy of it without some rows."""
        if not self.rows_out:
            return "idmelon@1"
        with open("config/mappings/idmelon.toml", encoding="utf-8") as preset:
            rows = re.split(r"(?=^\[\[)", preset.read(), flags=re.M)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "rows.toml"), "w", encoding="utf-8") as copy:
            copy.write("".join(row for row in rows if not any(out in row for out in self.rows_out)))
        return "rows.toml"

    def shown(self, resource, owners):
        """The resource as this check compares it; `owners` finds the source object of one without externalId."""
        del owners
        return resource


class BetterAuth(Server):
    """Does all of it, and gives a user without a mail the userName as one."""

    name, path = "better-auth", "/api/auth/scim/v2"

    def install(self):
        self.folder = node_packages("npm-better-auth", self.name)

    def command(self, port):
        return ["node", "server.mjs", str(port), TOKEN]

    def shown(self, resource, owners):
        """The mail that it makes itself has no type."""
        return resource | {"emails": [mail for mail in resource.get("emails", []) if mail.get("type")]}


class DjangoScim2(Server):
    """Takes members by PATCH and not in a create, and out by the value array only; knows no `add` of a user's attributes,
    and renames a group by PUT only; makes displayName of the two names; cannot take a mail away."""

    name, path = "django-scim2", "/scim/v2"
    users = {"userName", "externalId", "active", "name.givenName", "name.familyName", "emails.work.value", "_prefilled"}
    cannot = (r"user \S+ emails.work.value should be",)

    def install(self):
        self.folder = os.path.join(HERE, self.name)
        self.python = python_packages("venv-django-scim2", ["django-scim2==0.23.0", "Django==5.2.19"])

    def command(self, port):
        return [self.python, "-B", "server.py", str(port), TOKEN]

    def shown(self, resource, owners):
        """Its one mail has no type."""
        kept = {name: resource[name] for name in ("id", "externalId", "userName", "active", "members") if name in resource}
        if "userName" not in resource:
            return kept | {"displayName": resource["displayName"]}
        names = {sub: resource["name"][sub] for sub in ("givenName", "familyName")}
        return kept | {"name": names, "emails": [{"type": "work", **mail} for mail in resource["emails"]]}


class Canaille(Server):
    """Has no externalId, no filters, and no types of mails, numbers and addresses. A group is made with members or not at
    all, wants each with its `$ref`, and shows them by their userName: no group can be kept there."""

    name, path = "canaille", "/scim/v2"
    users = {"userName", "externalId", "active", "displayName", "title", "preferredLanguage", "name.givenName",
             "name.familyName", "name.formatted", f"{ENTERPRISE}.employeeNumber", f"{ENTERPRISE}.department", "_prefilled"}
    cannot = (r"group \S+ not at the target",)
    rows_out = ("'emails[", "'phoneNumbers[", "'addresses[")
    fills = counts = False

    def install(self):
        self.folder = os.path.join(HERE, self.name)
        # Its lower bounds let in versions that were made after it, and with which it answers 500 to each listing.
        self.python = python_packages("venv-canaille", ["canaille[oidc,scim]==0.3.6", "scim2-models==0.6.12",
                                                        "scim2-client==0.7.5"])

    def command(self, port):
        return [self.python, "-B", "server.py", str(port), TOKEN]

    def shown(self, resource, owners):
        return {key: value for key, value in resource.items() if key != "emails"} | {"externalId": owners.of(resource)}


SERVERS = {server.name: server for server in (DjangoScim2(), BetterAuth(), Canaille())}
