// A browser, and what it must never say: no report of a policy, no error in its console, no finding of axe-core.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.TOOLS, "package.json"));
const puppeteer = require("puppeteer-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 360, height: 800 } };

export class Browser {
  static async begin() {
    const browser = new Browser();
    browser.folder = mkdtempSync(join(tmpdir(), "melonsync-chromium-"));
    browser.faults = [];
    browser.contexts = [];
    browser.chromium = await puppeteer.launch({
      executablePath: process.env.CHROMIUM,
      userDataDir: browser.folder,
      args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
    });
    return browser;
  }

  // A tab of its own, without cookies of another.
  async tab({ theme = "light", size = "wide", script = true } = {}) {
    const context = await this.chromium.createBrowserContext();
    this.contexts.push(context);
    const page = await context.newPage();
    await page.setViewport(SIZES[size]);
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value: theme },
      { name: "prefers-reduced-motion", value: "reduce" },
    ]);
    await page.setJavaScriptEnabled(script);
    // What a page itself was refused with is an answer; anything else in the console is a fault.
    page.on("console", (message) => {
      const isAnswer = /status of 4\d\d/.test(message.text()) && message.location().url === page.url();
      if (message.type() === "error" && !isAnswer) this.faults.push(`console at ${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.faults.push(`script at ${page.url()}: ${error.message}`));
    page.on("dialog", async (dialog) => {
      this.faults.push(`a dialog at ${page.url()}: ${dialog.message()}`);
      await dialog.dismiss();
    });
    if (script) {
      await page.exposeFunction("reportViolation", (text) => this.faults.push(`policy at ${page.url()}: ${text}`));
      await page.evaluateOnNewDocument(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
          reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
        });
      });
    }
    return page;
  }

  // Looks at a page as somebody with a screen reader, a keyboard or a narrow screen would, and keeps a picture of it.
  async look(page, name) {
    await page.waitForFunction(() => !document.querySelector("[data-charts]:not([data-drawn])"), { timeout: 10_000 })
      .catch(() => this.faults.push(`${name}: its charts were not drawn`));
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth).catch(() => 0);
    if (overflow > 0) this.faults.push(`${name}: ${overflow} pixels wider than the screen`);
    // As tall as the page: what sticks to the end of the screen stands at the end of the picture.
    const { width, height } = page.viewport();
    const whole = await page.evaluate(() => document.documentElement.scrollHeight).catch(() => height);
    await page.setViewport({ width, height: Math.min(Math.max(whole, height), 8000) });
    await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
    await page.setViewport({ width, height });
    const client = await page.createCDPSession();
    // In a world of its own: the policy of the page is for the page.
    const { frameTree } = await client.send("Page.getFrameTree");
    const { executionContextId } = await client.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
    const run = `${AXE}; axe.run(document, { resultTypes: ["violations"] }).then((found) => JSON.stringify(found.violations.map(
      ({ id, impact, nodes }) => ({ id, impact, where: nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) }))))`;
    const answer = await client.send("Runtime.evaluate", {
      expression: run, contextId: executionContextId, awaitPromise: true, returnByValue: true,
    });
    await client.detach();
    if (answer.exceptionDetails) throw new Error(`axe at ${name}: ${JSON.stringify(answer.exceptionDetails).slice(0, 500)}`);
    for (const found of JSON.parse(answer.result.value)) {
      if (found.impact === "serious" || found.impact === "critical") this.faults.push(`axe at ${name}: ${JSON.stringify(found)}`);
    }
  }

  // Closes the tabs of a journey.
  async clear() {
    for (const context of this.contexts.splice(0)) await context.close();
  }

  async end() {
    await this.chromium.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
