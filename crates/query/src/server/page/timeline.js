// Rebalances: when, why, how long tasks stood still, and who came and went.

import { draw, fill, find, instant, make, span } from "./text.js";

const SHOWN_MS = 10 * 60 * 1000;
const ROWS = 30;

/** What several threads went through at the same time is one rebalance. */
function merge(rebalances, now) {
  const merged = [];
  for (const one of [...rebalances].sort((a, b) => a.began - b.began)) {
    const last = merged.at(-1);
    const until = one.ended ?? now;
    if (last && one.began <= last.until) {
      last.until = Math.max(last.until, until);
      last.open ||= one.ended === undefined;
      last.parts.push(one);
    } else {
      merged.push({ at: one.began, until, open: one.ended === undefined, parts: [one] });
    }
  }
  return merged;
}

export function showTimeline(group, history) {
  const merged = merge(history.rebalances.values(), group.at);
  const rows = merged.map(({ at, until, open, parts }) => {
    const reasons = [...new Set(parts.map((part) => part.reason))].join("; ");
    const threads = parts.map((part) => `${part.host} thread ${part.thread}`);
    return { at, cells: [instant(at), open ? `${span(group.at - at)} so far` : span(until - at), reasons, [...new Set(threads)].join(", ")] };
  });
  const comings = history.comings.map(({ at, what, gone }) => ({ at, cells: [instant(at), "", make("strong", { class: gone ? "bad" : "good" }, what), ""] }));
  const newest = [...rows, ...comings].sort((a, b) => b.at - a.at).slice(0, ROWS);
  fill(find("timeline-rows"), newest.map((row) => row.cells), "none so far");
  strip(group.at, merged, history.comings);
}

function strip(now, merged, comings) {
  const x = (at) => Math.max(0, 1000 - ((now - at) / SHOWN_MS) * 1000);
  const recent = merged.filter(({ until }) => until > now - SHOWN_MS);
  const bars = recent.map(({ at, until }) => draw("rect", { class: "bar", x: x(at), y: 6, width: Math.max(2, x(until) - x(at)), height: 18 }));
  const marks = comings.filter(({ at, gone }) => gone && at > now - SHOWN_MS).map(({ at }) => draw("rect", { class: "gone", x: x(at) - 1, y: 0, width: 3, height: 30 }));
  const label = `${recent.length} rebalances in the last ten minutes, ${marks.length} instances gone; the table below has them`;
  find("timeline-strip").replaceChildren(draw("svg", { viewBox: "0 0 1000 30", height: 30, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...bars, ...marks));
}
