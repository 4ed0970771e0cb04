// Instances, threads and tasks: who has what, and how far it is.

import { tasksOf } from "./history.js";
import { fill, find, instant, make, number, rate, span, sum } from "./text.js";

export function showInstances(group) {
  const rows = group.members.flatMap((member) => {
    const name = member.host === group.seen_by ? `${member.host} (this)` : elsewhere(member.host);
    if (!member.snapshot) return [[name, make("span", { class: "bad" }, `does not answer: ${member.problem}`), "", "", "", "", "", ""]];
    const { health, threads } = member.snapshot;
    const state = make("span", { class: health.ready ? "good" : "bad" }, health.state);
    return threads.map((thread) => [
      name, state, String(thread.number), thread.state, ids(thread, "active"), ids(thread, "standby"), number(thread.processed),
      `${number(thread.commits.count)}, ${span(thread.commits.took_ms)} in all`,
    ]);
  });
  fill(find("instance-rows"), rows);

  const tasks = tasksOf(group).sort((a, b) => compare(a.task.id, b.task.id) || a.task.role.localeCompare(b.task.role));
  fill(find("task-rows"), tasks.map(({ host, task }) => [
    task.id, host, task.role, task.state, lag(task), instant(task.stream_time), progress(task),
  ]));
}

/** The page of another instance. */
const elsewhere = (host) => make("a", { href: `http://${encodeURI(host)}/`, rel: "noreferrer" }, host);

const ids = (thread, role) => thread.tasks.filter((task) => task.role === role).map((task) => task.id).join(" ");

const compare = (a, b) => a.localeCompare(b, "en", { numeric: true });

function lag(task) {
  if (task.role !== "active") return "";
  const known = task.inputs.map((input) => input.lag).filter((lag) => lag !== undefined);
  return known.length ? number(sum(known)) : "";
}

function progress(task) {
  if (task.restore) {
    const { applied, remaining, per_second, time_left_ms } = task.restore;
    const whole = applied + (remaining ?? 0);
    const bar = make("progress", { max: Math.max(whole, 1), value: remaining === undefined ? undefined : applied, "aria-label": `Restoring ${task.id}` });
    const left = remaining === undefined ? "" : `${number(remaining)} to go, `;
    return make("span", {}, bar, ` ${left}${rate(per_second)}${time_left_ms === undefined ? "" : `, ${span(time_left_ms)} left`}`);
  }
  const behind = task.stores.filter((store) => store.lag !== 0);
  if (task.stores.length && !behind.length) return `${task.stores.length} of ${task.stores.length} in step`;
  return behind.map((store) => `${store.store}: ${store.lag === undefined ? "?" : number(store.lag)} behind`).join(", ");
}
