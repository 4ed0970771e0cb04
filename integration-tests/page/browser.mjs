// Chromium as the tests and the pictures have it: it talks to this machine alone.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const folder = process.env.HEADWATER_PAGE_MODULES;
if (!folder) throw new Error("HEADWATER_PAGE_MODULES names no folder with node_modules: run `cargo xtask page`");
const require = createRequire(`${folder}/`);
const { chromium } = require("playwright-core");

export const axe = () => readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--disable-dev-shm-usage",
];

export const launch = () => chromium.launch({ executablePath: process.env.HEADWATER_CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
