// The store browser: a key, or page after page, from whichever instance has it.

import { ask, askOf, path } from "./server.js";
import { fill, find, instant, number, say } from "./text.js";

const LIMIT = 50;

/** How the stores of a kind are paged through: by which path, and what bounds it. */
const KINDS = {
  "key-value": { all: "keys", bounds: ["From key", "To key"], names: ["from", "to"] },
  window: { all: "windows", ofKey: "windows", bounds: ["From time", "To time"], names: ["from", "to"] },
  session: { all: "sessions", ofKey: "sessions", bounds: ["From time", "To time"], names: ["from", "to"] },
  versioned: { ofKey: "versions", bounds: ["From time", "To time"], names: ["from", "to"] },
};

const kinds = new Map();
/** Pages that are to come: what gives the next. */
let next;

export async function openStores() {
  const { stores } = await ask("/v1/stores");
  for (const { name, kind } of stores) kinds.set(name, kind);
  find("store").replaceChildren(...stores.map(({ name, kind }) => new Option(`${name} (${kind})`, name)));
  find("store").addEventListener("change", label);
  find("store-form").addEventListener("submit", submit);
  find("store-next").addEventListener("click", () => take(next));
  label();
  if (!stores.length) say(find("store-says"), "The service answers from no store: tell QueryServer of those that may be seen.");
}

const chosen = () => ({ name: find("store").value, kind: KINDS[kinds.get(find("store").value)] });

function label() {
  const { kind } = chosen();
  if (!kind) return;
  say(find("store-from-label"), kind.bounds[0]);
  say(find("store-to-label"), kind.bounds[1]);
}

function submit(event) {
  event.preventDefault();
  const { name, kind } = chosen();
  if (!kind) return;
  const key = find("store-key").value;
  const wantsKey = event.submitter?.value === "key";
  if ((wantsKey || !kind.all) && !key) return say(find("store-says"), "Type a key.");
  if (!wantsKey && kind.all) return take(pagesOf(name, kind, key));
  take(kind.ofKey ? ofKey(name, kind, key) : point(name, key));
}

/** A time may be typed in milliseconds or as it is shown. */
function time(text) {
  const typed = text.trim();
  if (/^-?\d+$/.test(typed)) return typed;
  const read = Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(typed) ? typed : `${typed.replace(" ", "T")}Z`);
  if (Number.isNaN(read)) throw new Error(`${typed} is no time: type milliseconds, or 2026-01-31 12:00`);
  return String(read);
}

function bounds(kind) {
  const query = new URLSearchParams({ limit: LIMIT });
  const isTime = kind.bounds[0] !== "From key";
  for (const [at, id] of ["store-from", "store-to"].entries()) {
    const text = find(id).value;
    if (text) query.set(kind.names[at], isTime ? time(text) : text);
  }
  return query;
}

/** Whoever has it, or this instance where all have it. */
const of = (host, path) => (host ? askOf(host, path) : ask(path));

async function* point(name, key) {
  const owner = await ask(path`/v1/stores/${name}/keys/${key}/owner`);
  const found = await of(owner.active, path`/v1/stores/${name}/keys/${key}`);
  yield { entries: [found.entry], source: found.source, host: owner.active };
}

async function* ofKey(name, kind, key) {
  const owner = await ask(path`/v1/stores/${name}/keys/${key}/owner`);
  yield* pages(owner.active, path`/v1/stores/${name}/keys/${key}/` + kind.ofKey, bounds(kind));
}

async function* pagesOf(name, kind, key) {
  const query = bounds(kind);
  if (key && kind.all === "keys") query.set("prefix", key);
  if (key && kind.all !== "keys") ["from_key", "to_key"].forEach((bound) => query.set(bound, key));
  const { partitions } = await ask(path`/v1/stores/${name}`);
  const owners = partitions.length ? partitions : [{}];
  for (const { partition, active } of owners) {
    const part = new URLSearchParams(query);
    if (partition !== undefined) part.set("partition", partition);
    yield* pages(active, path`/v1/stores/${name}/` + kind.all, part);
  }
}

async function* pages(host, at, query) {
  for (let after; ;) {
    if (after) query.set("after", after);
    const page = await of(host, `${at}?${query}`);
    after = page.next;
    if (page.entries.length || !after) yield { ...page, host };
    if (!after) return;
  }
}

/** Shows the next page that has something. */
async function take(from) {
  next = from;
  const rows = [];
  say(find("store-says"), "Asking…");
  try {
    let page;
    do page = await next.next(); while (!page.done && !page.value.entries.length);
    const entries = page.value?.entries ?? [];
    rows.push(...entries.map((entry) => [entry.key, instant(entry.start ?? undefined), instant(entry.end ?? entry.valid_to), instant(entry.timestamp), JSON.stringify(entry.value, null, 1)]));
    find("store-next").hidden = page.done || (entries.length === 1 && !page.value.next && page.value.source.partition === undefined);
    say(find("store-says"), page.done ? "That was all." : from_whom(page.value, entries.length));
  } catch (error) {
    find("store-next").hidden = true;
    say(find("store-says"), error.message);
  }
  fill(find("store-rows"), rows, "nothing");
}

function from_whom({ host, source }, count) {
  const part = source.partition === undefined ? "" : `, partition ${source.partition}`;
  return `${number(count)} of ${host ?? "this instance"}${part}, ${source.role}, as of its last commit.`;
}
