"""What the target must hold: the mapping idmelon@1 and the deprovisioning policy, written a second time.

It is written from Entra's mapping table, not from melonsync's code, so that both can be wrong only in different ways.
The model is fed with the tenant's full truth after each sync; what a sync never saw is not in it.
"""

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
IDMELON = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User"

# Graph property -> SCIM attribute, in the notation that `flatten` produces.
PLAIN = {
    "displayName": "displayName",
    "jobTitle": "title",
    "mail": "emails.work.value",
    "preferredLanguage": "preferredLanguage",
    "givenName": "name.givenName",
    "surname": "name.familyName",
    "officeLocation": "addresses.work.formatted",
    "streetAddress": "addresses.work.streetAddress",
    "city": "addresses.work.locality",
    "state": "addresses.work.region",
    "postalCode": "addresses.work.postalCode",
    "country": "addresses.work.country",
    "mobilePhone": "phoneNumbers.mobile.value",
    "faxNumber": "phoneNumbers.fax.value",
    "employeeId": f"{ENTERPRISE}.employeeNumber",
    "department": f"{ENTERPRISE}.department",
    "onPremisesImmutableId": f"{IDMELON}.immutable_id",
}
MANAGER = f"{ENTERPRISE}.manager"


def sign_in_name(upn):
    """A guest's name as their own organisation writes it: `alias_theirs.example#EXT#@ours` is `alias@theirs.example`."""
    alias, guest, _ = upn.partition("#EXT#@")
    return "@".join(alias.rsplit("_", 1)) if guest and "_" in alias else upn


def user_attributes(user):
    """The 23 rows but for `manager`, which needs the other users."""
    wanted = {scim: user.get(graph) for graph, scim in PLAIN.items()}
    wanted["userName"] = sign_in_name(user["userPrincipalName"])
    wanted["externalId"] = user["id"]
    wanted["active"] = user.get("accountEnabled") is not False
    wanted["name.formatted"] = " ".join(part for part in (user.get("givenName"), user.get("surname")) if part)
    wanted["phoneNumbers.work.value"] = (user.get("businessPhones") or [None])[0]
    return {name: value for name, value in wanted.items() if value not in (None, "")}


def flatten(resource):
    """A SCIM user or group as attribute -> value; elements of multi-valued attributes go by their `type`."""
    flat = {}
    for name, value in resource.items():
        if name in ("schemas", "id", "meta", "members", "groups"):
            continue
        if isinstance(value, list):
            for element in value:
                for sub, held in element.items():
                    if sub not in ("type", "primary", "display"):
                        flat[f"{name}.{element.get('type')}.{sub}"] = held
        elif name == ENTERPRISE:
            for sub, held in value.items():
                flat[f"{name}.{sub}"] = held.get("value") if isinstance(held, dict) else held
        elif isinstance(value, dict):
            flat.update({f"{name}.{sub}": held for sub, held in value.items()})
        else:
            flat[name] = value
    return {name: value for name, value in flat.items() if value not in (None, "")}


class Model:
    """The target's expected users and groups, by source id; carried from sync to sync."""

    def __init__(self, without=()):
        self.users = {}
        self.groups = {}
        self.members = {}
        self.live = set()
        self.without = set(without)

    def adopt(self, kind, source_id, flat):
        """A resource that was at the target before the first sync and belongs to this source object."""
        (self.users if kind == "Users" else self.groups)[source_id] = dict(flat)

    def synced(self, tenant):
        """Takes the tenant's truth (`GET /sandbox/tenant`) as a sync would: what must the target hold now?"""
        known = {user["id"]: user for user in tenant["users"]}
        self.live = {id for id, user in known.items() if user["life"] == "live"}
        for id, user in known.items():
            self._user(id, user)
        for id in list(self.users):
            if id not in known or known[id]["life"] == "hard":
                del self.users[id]
        for id in self.users:
            if id in self.live:
                manager = known[id].get("manager")
                linked = manager in self.users and manager in self.live
                self._set(self.users[id], {MANAGER: manager if linked else None})
        self._groups(tenant["groups"])

    def _user(self, id, user):
        if user["life"] != "live":
            # Soft-deleted: only `active` is ours, the rest freezes. Hard-deleted users are dropped by the caller.
            if id in self.users:
                self.users[id]["active"] = False
                self.users[id].pop(MANAGER, None)
            return
        wanted = user_attributes(user)
        if id not in self.users and not wanted["active"]:
            return  # disabled before it was ever provisioned: not created
        names = set(PLAIN.values()) | set(wanted) | {"phoneNumbers.work.value", "name.formatted"}
        self._set(self.users.setdefault(id, {}), {name: wanted.get(name) for name in names})

    def _set(self, held, wanted):
        for name, value in wanted.items():
            if name in self.without:
                continue
            if value is not None:
                held[name] = value
            elif name not in held.get("_prefilled", ()):
                held.pop(name, None)  # null clears what we sent, and leaves what was there before us
        held["_prefilled"] = {n for n in held.get("_prefilled", ()) if wanted.get(n) is None}

    def _groups(self, groups):
        live = {group["id"]: group for group in groups if group["life"] == "live"}
        self.groups = {id: held for id, held in self.groups.items() if id in live}
        for id, group in live.items():
            wanted = {"displayName": group["displayName"], "externalId": id,
                      "description": group.get("description") or None}
            self._set(self.groups.setdefault(id, {}), wanted)
            self.members[id] = {m["id"] for m in group["members"]
                                if m["kind"] == "user" and m["id"] in self.users and m["id"] in self.live}
