// Looks at the page as somebody with a keyboard does. `tests/page.rs` says on standard input what is to be seen, a JSON object a line:
// `{"see": STEP, ...}`. Each line is answered by `ok`, or by what was seen instead.

import { createInterface } from "node:readline";
import { axe, launch } from "./browser.mjs";

/** Only ends a run that hangs. */
const PATIENCE_MS = 60_000;

const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(PATIENCE_MS);
const errors = [];
page.on("pageerror", (error) => errors.push(error.stack));
// The browser itself says that a request was answered 401, or that a connection ended.
page.on("console", (message) => message.type() === "error" && !message.text().startsWith("Failed to load resource") && errors.push(message.text()));
const asked = new Set();
page.on("request", (request) => asked.add(new URL(request.url()).host));

const text = (selector) => page.locator(selector).innerText();
const rows = (id) => page.$$eval(`#${id} tr`, (all) => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim())));

/** Until `look` gives what is expected. */
async function until(expected, look) {
  const began = Date.now();
  const wanted = JSON.stringify(expected);
  for (;;) {
    const seen = JSON.stringify(await look());
    if (seen === wanted) return;
    if (Date.now() - began > PATIENCE_MS) throw new Error(`wanted ${wanted}, saw ${seen}`);
    await page.waitForTimeout(100);
  }
}

async function type(label, text) {
  await page.getByLabel(label, { exact: true }).fill(text);
}

/** The values of a store, page by page. */
async function throughAll() {
  await page.getByRole("button", { name: "Page through" }).click();
  const found = new Map();
  for (;;) {
    await until(false, async () => (await text("#store-says")) === "Asking…");
    for (const row of await rows("store-rows")) if (row.length > 1) found.set(`${row[0]} ${row[1]}`, Number(row[4]));
    if (!(await page.locator("#store-next").isVisible())) return [...found.values()];
    await page.locator("#store-next").click();
  }
}

const steps = {
  /** The page asks for the token, and shows nothing with a wrong one. */
  async open({ url, token }) {
    await page.goto(url);
    for (const one of ["wrong", token]) {
      await until(true, () => page.locator("#token-form").isVisible());
      await type("Token", one);
      await page.keyboard.press("Enter");
      if (one === "wrong") await until("", () => page.locator("#token").inputValue());
    }
    await until(true, async () => (await text("#connection")).startsWith("Live"));
    await until(false, () => page.locator("#token-form").isVisible());
    await until([0, 1], () => page.evaluate(() => [localStorage.length, sessionStorage.length]));
  },

  /** These instances and no other have so many active tasks between them, all of them running. */
  async group({ hosts, tasks }) {
    const host = (cell) => cell.replace(" (this)", "");
    await until(hosts, async () => [...new Set((await rows("instance-rows")).filter((row) => row.length === 8).map((row) => host(row[0])))].sort());
    await until(tasks, async () => (await rows("task-rows")).filter((row) => row[2] === "active" && row[3] === "RUNNING").length);
    await until(hosts, async () => [...new Set((await rows("task-rows")).filter((row) => row[2] === "active").map((row) => row[1]))].sort());
    await until([String(hosts.length), String(tasks)], async () => [await text("#tile-instances"), await text("#tile-active-tasks")]);
  },

  /** So many records came to a node. */
  async taken({ node, count }) {
    await page.locator("summary").evaluate((summary) => (summary.parentElement.open = true));
    await until(count, async () => Number((await rows("graph-rows")).find((row) => row[1] === node)?.[6].replaceAll(",", "")));
  },

  /** Nothing waits to be read. */
  async idle() {
    await until("0", () => text("#tile-lag"));
  },

  /** A node, chosen with the keyboard, tells why it hands nothing on. */
  async explain({ node, says }) {
    await page.locator(`[data-node="${node}"]`).focus();
    await page.keyboard.press("Enter");
    await until(true, async () => (await text("#node")).includes(says));
    await until("true", () => page.locator(`[data-node="${node}"]`).getAttribute("aria-pressed"));
  },

  /** A key has this value, wherever it is. */
  async key({ store, key, value }) {
    await page.getByLabel("Store", { exact: true }).selectOption(store);
    await type("Key", key);
    await page.getByRole("button", { name: "Look the key up" }).click();
    await until([[key, value]], async () => (await rows("store-rows")).map((row) => [row[0], row[4]]));
  },

  /** All pages of a store together come to hold so many entries, whose values add up to `sum`. */
  async pages({ store, entries, sum }) {
    await page.getByLabel("Store", { exact: true }).selectOption(store);
    await type("Key", "");
    await until([entries, sum], async () => {
      const values = await throughAll();
      return [values.length, values.reduce((all, one) => all + one, 0)];
    });
  },

  /** An instance is gone: nothing of it is left but the line that says so, and why there was a rebalance. */
  async gone({ host }) {
    await until(true, async () => (await rows("timeline-rows")).some((row) => row[2] === `${host} is gone`));
    await until(false, async () => JSON.stringify([await rows("task-rows"), await rows("instance-rows"), await text("#reasons")]).includes(host));
  },

  async came({ host }) {
    await until(true, async () => (await rows("timeline-rows")).some((row) => row[2] === `${host} came`));
  },

  /** Rebalances that are over have a reason and a length. */
  async rebalanced() {
    await until(true, async () => (await rows("timeline-rows")).some((row) => /\d m?s$/.test(row[1]) && row[2] && row[3]));
  },

  /** What comes from the application stayed text. */
  async harmless() {
    await until([0, false], () => page.evaluate(() => [document.querySelectorAll("img, iframe, main script").length, "hacked" in window]));
  },

  /** A secret among the settings is none any more, and settings are there. */
  async settings({ name, value }) {
    await until(value, async () => (await rows("setting-rows")).find((row) => row[0] === name)?.[1]);
  },

  /** In light and in dark, axe finds nothing. */
  async accessible() {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await page.evaluate((source) => ((0, eval)(source), globalThis.axe.run()), axe());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" ")}`);
      if (found.length) throw new Error(`${colorScheme}: ${found.join("\n")}`);
    }
    await page.emulateMedia({ colorScheme: "light" });
  },

  /** Nothing failed on the page, and nobody but its server was asked. */
  async end({ host }) {
    if (errors.length) throw new Error(errors.join("\n"));
    if (asked.size !== 1 || !asked.has(host)) throw new Error(`asked were ${[...asked]}`);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { see, ...rest } = JSON.parse(line);
  try {
    await steps[see](rest);
    console.log("ok");
  } catch (error) {
    console.log(`${see}: ${error.message}${errors.length ? ` (on the page: ${errors.join("; ")})` : ""}`.replaceAll("\n", " / "));
  }
}
await browser.close();
