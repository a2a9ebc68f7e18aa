// better-auth with @better-auth/scim, its in-memory adapter, one connection with a fixed token.
// usage: node server.mjs PORT TOKEN
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { scim } from "@better-auth/scim";
import { getAuthTables } from "better-auth/db";

const [port, token] = process.argv.slice(2);
const plugins = [scim({
    connections: [{ id: "melonsync", credentials: [{ id: "only", token }] }],
    compatibility: { microsoftEntra: { acceptLegacyGroupSchema: true } },
})];
const held = Object.fromEntries(Object.values(getAuthTables({ plugins })).map((table) => [table.modelName, []]));
const auth = betterAuth({
    baseURL: `http://127.0.0.1:${port}`,
    secret: "not-secret-but-long-enough-for-the-check",
    database: memoryAdapter(held),
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    plugins,
});

// One request at a time: transactions of the in-memory adapter merge, so that two at once could both take a name.
const handle = toNodeHandler(auth);
let last = Promise.resolve();
createServer((request, answer) => {
    last = last.then(() => new Promise((done) => {
        answer.on("close", done);
        handle(request, answer).catch(() => answer.destroy());
    }));
}).listen(Number(port), "127.0.0.1");
