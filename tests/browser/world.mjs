// A sandbox, and a daemon over it in which there is something to see of everything. What is started here is ended here.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = process.env.MELONSYNC;
export const ROLES = ["viewer", "operator", "approver"];

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const freePort = () => new Promise((done) => {
  const listener = createServer().listen(0, "127.0.0.1", () => {
    const { port } = listener.address();
    listener.close(() => done(port));
  });
});

const ended = async (process) => {
  if (process.exitCode !== null) return;
  const gone = new Promise((done) => process.once("exit", done));
  process.kill("SIGTERM");
  await Promise.race([gone, sleep(30_000).then(() => process.kill("SIGKILL"))]);
};

const post = async (url, body, headers = {}, method = "POST") => {
  const answer = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json().catch(() => ({}));
};

export class World {
  // attack: what every name and value ends with.
  static async begin(attack = "") {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "melonsync-browser-"));
    world.tokens = Object.fromEntries(ROLES.map((role) => [role, randomBytes(32).toString("hex")]));
    try {
      await world.start(attack);
    } catch (error) {
      await world.end();
      throw error;
    }
    return world;
  }

  async start(attack) {
    await this.sandboxed();
    if (attack) {
      for (const [at, user] of (await this.truth()).users.entries()) {
        await this.set(user.id, { displayName: `Name ${at}${attack}`, jobTitle: attack, department: attack });
      }
    }
    await this.served();
    await this.sync();
    await this.happens(attack);
  }

  // The two sample servers.
  async sandboxed() {
    this.sandbox = spawn(PROGRAM, ["sandbox", "-o", "json", "--users", "60", "--groups", "6"], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    for await (const part of this.sandbox.stdout) {
      text += part;
      try {
        this.servers = JSON.parse(text);
        break;
      } catch { /* more comes */ }
    }
  }

  async served() {
    this.port = await freePort();
    this.base = `http://127.0.0.1:${this.port}`;
    for (const role of ROLES) writeFileSync(join(this.folder, role), this.tokens[role]);
    const s = this.servers;
    writeFileSync(join(this.folder, "melonsync.toml"), `
[admin]
listen = "127.0.0.1:${this.port}"
token = { file = "approver" }
[[admin.tokens]]
name = "lookout"
role = "viewer"
token = { file = "viewer" }
[[admin.tokens]]
name = "helpdesk"
role = "operator"
token = { file = "operator" }
[jobs.idmelon]
mode = "enforce"
schedule = "0 0 0 1 1 *"
full_schedule = ""
[jobs.idmelon.source]
kind = "entra"
tenant_id = "${s.tenant_id}"
client_id = "${s.client_id}"
graph_url = "${s.graph_url}"
login_url = "${s.graph_url}"
user_filter = 'department NOT EQUALS "Sales"'
[jobs.idmelon.source.credential]
client_secret = { env = "ENTRA_CLIENT_SECRET" }
[jobs.idmelon.target]
kind = "idmelon"
url = "${s.scim_url}"
token = { env = "IDMELON_SCIM_TOKEN" }
[jobs.idmelon.provisioning]
deletion_threshold = 5
`);
    this.log = join(this.folder, "daemon.log");
    const log = openSync(this.log, "w");
    this.daemon = spawn(PROGRAM, ["-c", "melonsync.toml", "run"], {
      cwd: this.folder,
      stdio: ["ignore", log, log],
      env: { ...process.env, ENTRA_CLIENT_SECRET: s.client_secret, IDMELON_SCIM_TOKEN: s.scim_token },
    });
    for (let tries = 0; tries < 600; tries += 1) {
      const ready = await fetch(`${this.base}/readyz`).catch(() => null);
      if (ready?.ok) return;
      if (this.daemon.exitCode !== null) break;
      await sleep(100);
    }
    throw new Error(`the daemon did not get ready:\n${readFileSync(this.log, "utf8").slice(-3000)}`);
  }

  // A mass disable that is withheld, somebody changed by hand at the target, and somebody on hold.
  async happens(attack) {
    const { users } = await this.truth();
    this.people = users.filter((user) => user.life === "live" && user.accountEnabled && user.userType !== "Guest");
    const ours = await this.linked();
    const known = this.people.filter((user) => ours.has(user.id));
    this.left = known[20];
    await this.set(this.left.id, { department: "Sales" });
    await this.sync();
    this.disabled = known.slice(0, 9);
    for (const user of this.disabled) await this.set(user.id, { accountEnabled: false });
    await this.sync();
    this.drifted = known.slice(25, 28);
    for (const user of this.drifted) await this.byHand(user.id, `Changed by hand${attack}`);
    await this.order("drift/refresh", {});
    this.held = known[30];
    await this.api("POST", "/api/v1/jobs/idmelon/holds", { objects: [this.held.id], comment: `Waits for HR${attack}` });
  }

  async linked() {
    const page = await this.api("GET", "/api/v1/jobs/idmelon/objects?state=linked&limit=1000");
    return new Map(page.objects.map((object) => [object.object, object.target]));
  }

  async byHand(id, title) {
    const target = (await this.linked()).get(id);
    const body = {
      schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
      Operations: [{ op: "replace", path: "title", value: title }],
    };
    const url = `${this.servers.scim_url}Users/${target}`;
    await post(url, body, { Authorization: `Bearer ${this.servers.scim_token}` }, "PATCH");
  }

  truth() {
    return fetch(`${this.servers.graph_url}/sandbox/tenant`).then((answer) => answer.json());
  }

  set(id, set) {
    return post(`${this.servers.graph_url}/sandbox/user`, { id, set });
  }

  async api(method, path, body) {
    const answer = await fetch(this.base + path, {
      method,
      headers: { Authorization: `Bearer ${this.tokens.approver}`, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async order(what, body) {
    const { cycle } = await this.api("POST", `/api/v1/jobs/idmelon/${what}`, body);
    for (let tries = 0; tries < 600; tries += 1) {
      const { state } = await this.api("GET", `/api/v1/cycles/${cycle}`);
      if (state === "ended") return;
      await sleep(100);
    }
    throw new Error(`${what} did not end`);
  }

  sync() {
    return this.order("sync", { full: false });
  }

  async end() {
    if (this.daemon) await ended(this.daemon);
    if (this.sandbox) await ended(this.sandbox);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
