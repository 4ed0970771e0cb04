// Takes the pictures of the documentation, of whatever serves the page at an address: `node pictures.mjs URL FOLDER`.

import { launch } from "./browser.mjs";

const [url, folder] = process.argv.slice(2);
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: "light" });
await page.goto(url);
await page.waitForTimeout(20_000);
await page.screenshot({ path: `${folder}/page.png` });
await page.click("[data-node='popular-when-closed']");
await page.waitForTimeout(2_000);
await page.locator("#node").screenshot({ path: `${folder}/page-node.png` });
await page.locator("#instances").evaluate((section) => section.scrollIntoView({ behavior: "instant" }));
await page.screenshot({ path: `${folder}/page-instances.png` });
await browser.close();
