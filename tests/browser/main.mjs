// What people do at the dashboard, one journey after another, each in a browser without a past.
import { strict as assert } from "node:assert";
import { Browser, SIZES } from "./browser.mjs";
import { World, sleep } from "./world.mjs";

const ATTACK = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>\u202e\u001b[2J\u200b${"x".repeat(9900)}`;

const browser = await Browser.begin();
let world;
let page;

const go = (path) => page.goto(world.base + path, { waitUntil: "load" });
const text = (selector = "main") => page.$eval(selector, (found) => found.innerText);
const press = async (selector) => Promise.all([page.waitForNavigation({ waitUntil: "load" }), page.click(selector)]);
const log_in = async (role, next = "/") => {
  await go(next);
  await page.type("#token", world.tokens[role]);
  await press("#login button");
};

// The pages, each with a name for its picture.
const pages = () => [
  ["overview", "/"],
  ["timeline", "/jobs/idmelon"],
  ["cycle", "/jobs/idmelon/cycles/last"],
  ["people", "/jobs/idmelon/objects"],
  ["search", "/jobs/idmelon/objects?query=an&state=linked"],
  ["withheld", "/jobs/idmelon/withheld"],
  ["drift", "/jobs/idmelon/drift"],
  ["escrow", "/jobs/idmelon/escrow"],
  ["history", "/jobs/idmelon/history"],
  ["what-if", "/jobs/idmelon/what-if"],
  ["health", "/jobs/idmelon/health"],
  ["health-checked", "/jobs/idmelon/health?check=true"],
  ["why-disabled", `/jobs/idmelon/objects/${world.disabled[0].id}`],
  ["why-drifted", `/jobs/idmelon/objects/${world.drifted[0].id}`],
  ["why-left", `/jobs/idmelon/objects/${world.left.id}`],
  ["nobody", "/jobs/idmelon/objects/nobody%20at%20all"],
];

const journeys = {
  async "log in, and log out"() {
    await go("/jobs/idmelon/drift");
    assert.match(page.url(), /\/login\?next=/);
    await browser.look(page, "login");
    await page.type("#token", "x".repeat(64));
    await press("#login button");
    assert.match(await text(), /Nobody has this token/);
    await page.type("#token", world.tokens.operator);
    await press("#login button");
    assert.match(page.url(), /\/jobs\/idmelon\/drift$/);
    assert.match(await text(), /Logged in as helpdesk/);
    assert.equal(await page.evaluate(() => document.cookie), "");
    await press(".who button");
    assert.match(page.url(), /\/login$/);
    await go("/");
    assert.match(page.url(), /\/login/);
  },

  async "a link from a chat message ends at its page"() {
    await log_in("viewer");
    await page.goto("data:text/html,<a>elsewhere</a>");
    await page.evaluate((url) => { const a = document.querySelector("a"); a.href = url; a.click(); }, `${world.base}/jobs/idmelon/withheld`);
    for (let tries = 0; tries < 50 && !(await page.title()).startsWith("Withheld"); tries += 1) await sleep(100);
    assert.match(await page.title(), /^Withheld/);
  },

  async "every page, in both themes, wide and narrow"() {
    for (const theme of ["light", "dark"]) {
      for (const size of Object.keys(SIZES)) {
        page = await browser.tab({ theme, size });
        await log_in("approver");
        for (const [name, path] of pages()) {
          await go(path);
          await browser.look(page, `${name}-${theme}-${size}`);
        }
      }
    }
  },

  async "find why somebody is missing"() {
    await log_in("viewer");
    await press(".jobcard h2 a");
    await press(".places a[href$=objects]");
    await page.keyboard.press("/");
    await page.keyboard.type(world.left.userPrincipalName.slice(0, 12));
    await page.waitForFunction((id) => [...document.querySelectorAll("#found a")].some((a) => a.href.endsWith(id))
      && document.querySelectorAll("#found tbody tr").length < 20, {}, world.left.id);
    await press(`#found a[href$="${world.left.id}"]`);
    assert.match(await text("#verdict"), /department/);
  },

  async "without JavaScript everything can be looked at"() {
    page = await browser.tab({ script: false });
    await log_in("viewer");
    await go("/jobs/idmelon/objects");
    await page.type("#query", world.left.userPrincipalName);
    await press(".filters button");
    await press(`a[href$="${world.left.id}"]`);
    assert.match(await text("#verdict"), /department/);
    for (const [, path] of pages()) await go(path);
  },

  async "somebody who only looks sees no button"() {
    await log_in("viewer");
    for (const [name, path] of pages()) {
      await go(path);
      const buttons = await page.$$eval("form[method=post] button", (all) => all.map((one) => one.innerText));
      assert.deepEqual(buttons, ["Log out"], name);
    }
  },

  async "see drift, and heal it"() {
    await log_in("approver", "/jobs/idmelon/drift");
    assert.match(await text(), /Changed by hand/);
    const heal = await page.$eval("form[action$=heal] button", (button) => button.innerText);
    assert.match(heal, /Heal all 3/);
    await press("form[action$=heal] button");
    assert.match(await text(), /that number was not typed/);
    await page.type("#typed", "3");
    await world.byHand(world.drifted[0].id, "Changed by hand again");
    await world.order("drift/refresh", {});
    await press("form[action$=heal] button");
    assert.match(await text(), /not what was looked at any more/);
    await page.type("#typed", "3");
    await press("form[action$=heal] button");
    assert.match(page.url(), /\/cycles\//);
    for (let tries = 0; tries < 100 && !/as melonsync left it/.test(await text()); tries += 1) {
      await sleep(200);
      await go("/jobs/idmelon/drift");
    }
    assert.match(await text(), /as melonsync left it/);
  },

  async "force a resync and watch it"() {
    await log_in("operator", `/jobs/idmelon/objects/${world.drifted[1].id}`);
    await press(".actions button");
    assert.match(page.url(), /\/cycles\//);
    await page.waitForFunction(() => /after [\d.]+ (s|min)/.test(document.querySelector("#cycle").innerText), { timeout: 20_000 });
    await browser.look(page, "cycle-watched");
  },

  async "try another filter, and see who would go"() {
    await log_in("operator", "/jobs/idmelon/what-if");
    await page.click("#user_filter", { clickCount: 3 });
    await page.type("#user_filter", 'department EQUALS "Engineering"');
    await press(".trial .actions button");
    assert.match(page.url(), /\/cycles\//);
    await page.waitForFunction(() => /Nothing of it is in force/.test(document.querySelector("#cycle").innerText), { timeout: 20_000 });
    assert.match(await text(), /user_filter = /);
    assert.match(await text(), /only with this: \d+ users to disable/i);
    await browser.look(page, "what-if-tried");
    for (const [theme, size] of [["dark", "wide"], ["light", "narrow"]]) {
      const path = new URL(page.url()).pathname;
      page = await browser.tab({ theme, size });
      await log_in("operator", path);
      await browser.look(page, `what-if-tried-${theme}-${size}`);
    }
    await go("/jobs/idmelon/what-if");
    await page.click("#policy", { clickCount: 3 });
    await page.type("#policy", "\nurl = 'http://evil'");
    await press(".trial .actions button");
    assert.match(await text(".note.bad"), /url/);
    await browser.look(page, "what-if-refused");
  },

  async "take a cycle back, as it was shown"() {
    const titles = world.people.slice(40, 43);
    for (const user of titles) await world.set(user.id, { jobTitle: "By mistake" });
    await world.sync();
    await log_in("approver", "/jobs/idmelon/cycles/last");
    await press("#offer button");
    await page.waitForSelector("#offer .decide", { timeout: 20_000 });
    assert.match(await text(), /Nothing of it was sent/);
    await browser.look(page, "undo-shown");
    await press("#offer .decide button");
    assert.match(await text(), /that number was not typed/);
    await page.type("#comment", "by mistake");
    await page.type("#typed", "3");
    await press("#offer .decide button");
    await page.waitForFunction(() => /after [\d.]+ (s|min)/.test(document.querySelector("#cycle").innerText), { timeout: 20_000 });
    assert.match(await text("#cycle"), /converged/i);
    await browser.look(page, "undo-done");
  },

  async "take a table along"() {
    await log_in("viewer", "/jobs/idmelon/objects?state=linked");
    const href = await page.$eval("a[href*='.csv']", (link) => link.href);
    const table = await page.evaluate((url) => fetch(url).then((answer) => answer.text()), href);
    assert.match(table, /^"kind","object","name"/);
    assert.ok(table.split("\n").length > 30, table.slice(0, 500));
  },

  async "review what is withheld: release, reject, and be refused when the set changed"() {
    await log_in("approver", "/jobs/idmelon/withheld");
    const lines = await page.$$eval("input[name=id]", (all) => all.length);
    assert.ok(lines >= 4, `${lines}`);
    for (const all of await page.$$(".cause th.pick input")) await all.click();
    assert.match(await text("label[for=typed]"), new RegExp(`Type ${lines}`));
    await browser.look(page, "withheld-chosen");
    // Meanwhile one of them comes back.
    await world.set(world.disabled[0].id, { accountEnabled: true });
    await world.sync();
    await page.type("#typed", `${lines}`);
    await press("button.danger");
    assert.match(await text(), /nothing was decided/);
    await browser.look(page, "withheld-refused");
    await page.click("input[name=id]");
    await page.type("#comment", "they left, HR says");
    await press("button.danger");
    assert.match(await text(), /Released: one operation/);
    await page.click("input[name=id]");
    await press("button[formaction$=reject]");
    assert.match(await text(), /Rejected: one operation/);
    await browser.look(page, "withheld-decided");
  },

  async "a tenant whose every name is an attack"() {
    await browser.clear();
    await world.end();
    world = await World.begin(ATTACK);
    for (const size of Object.keys(SIZES)) {
      page = await browser.tab({ size });
      await log_in("approver");
      for (const [name, path] of pages()) {
        await go(path);
        await browser.look(page, `attack-${name}-${size}`);
        assert.ok(await page.$$eval("script", (all) => all.every((one) => new URL(one.src).pathname.startsWith("/assets/"))), name);
        assert.equal(await page.$$eval("a[href^='javascript']", (all) => all.length), 0, name);
        assert.doesNotMatch(await text("body"), /[\u202e\u001b\u200b]/u, name);
      }
    }
  },
};

let failed = 0;
try {
  world = await World.begin();
  for (const [name, journey] of Object.entries(journeys)) {
    await browser.clear();
    page = await browser.tab();
    const before = browser.faults.length;
    try {
      await journey();
      assert.deepEqual(browser.faults.slice(before), []);
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}\nfaults: ${browser.faults.slice(before).join("\n")}`);
      await page.screenshot({ path: `${process.env.SHOTS}/failed-${failed}.png` }).catch(() => {});
    }
  }
} finally {
  await browser.end();
  await world?.end();
}
console.log(failed === 0 ? "tests/browser: all passed" : `tests/browser: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
