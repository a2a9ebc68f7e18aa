// SCIMMY with scimmy-routers: a SCIM target in memory, with the IDmelon extension and a group `description`.
// usage: node server.mjs PORT TOKEN          GET /dump, without a token, shows everything that it holds.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [port, token] = process.argv.slice(2);
const { Attribute, SchemaDefinition } = SCIMMY.Types;
const held = { User: new Map(), Group: new Map() };
let writes = 0;

SCIMMY.Config.set({
    patch: true, bulk: false, sort: false, etag: false,
    filter: { supported: true, maxResults: 1000 },
});

const text = (name) => new Attribute("string", name, { description: name });
SCIMMY.Schemas.User.definition.extend(SCIMMY.Schemas.EnterpriseUser.definition, false);
SCIMMY.Schemas.User.definition.extend(new SchemaDefinition(
    "IDmelonUser", "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User", "What IDmelon adds to a user",
    ["immutable_id", ...[1, 2, 3, 4, 5].map((n) => `extraAttribute${n}`)].map(text)), false);
SCIMMY.Schemas.Group.definition.extend([text("description")]);

const missing = (id) => new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);

// Only userName is unique, as RFC 7643 asks; groups may share a name, so a second create would go unnoticed.
function assertFree(kind, id, instance) {
    if (kind !== "User") return;
    const wanted = String(instance.userName).toLowerCase();
    for (const other of held.User.values()) {
        if (other.id !== id && other.userName.toLowerCase() === wanted) {
            throw new SCIMMY.Types.Error(409, "uniqueness", "userName is taken");
        }
    }
}

const handlers = (kind) => ({
    egress(resource) {
        if (resource.id) {
            if (!held[kind].has(resource.id)) throw missing(resource.id);
            return held[kind].get(resource.id);
        }
        const all = [...held[kind].values()];
        return resource.filter ? resource.filter.match(all) : all;
    },
    ingress(resource, instance) {
        const id = resource.id ?? randomUUID();
        const former = held[kind].get(id);
        if (resource.id && !former) throw missing(id);
        const fresh = JSON.parse(JSON.stringify(instance));
        assertFree(kind, id, fresh);
        const now = new Date();
        const stored = { ...fresh, id, meta: { created: former?.meta.created ?? now, lastModified: now } };
        held[kind].set(id, stored);
        writes += 1;
        return stored;
    },
    degress(resource) {
        if (!held[kind].delete(resource.id)) throw missing(resource.id);
        writes += 1;
    },
});

SCIMMY.Resources.declare(SCIMMY.Resources.User, handlers("User"));
SCIMMY.Resources.declare(SCIMMY.Resources.Group, handlers("Group"));

const app = express();
app.get("/dump", (_, answer) => answer.json({
    writes, Users: [...held.User.values()], Groups: [...held.Group.values()],
}));
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("bad token");
        return "melonsync";
    },
}));
app.listen(Number(port), "127.0.0.1");
