// The page: what each part shows of the group, once a second, for as long as somebody looks.

import { History, tasksOf } from "./history.js";
import { showInstances } from "./instances.js";
import { NodePanel } from "./node.js";
import { showPlots } from "./plots.js";
import { ask, setToken, watch } from "./server.js";
import { showSettings } from "./settings.js";
import { openStores } from "./stores.js";
import { fill, find, make, number, rate, say, sum } from "./text.js";
import { showTimeline } from "./timeline.js";
import { Topology } from "./topology.js";

const history = new History();
const panel = new NodePanel();
let topology;
let latest;

/** Once, as soon as it may be asked. */
async function open() {
  topology = new Topology(await ask("/v1/graph"), choose);
  await openStores();
}

function choose(name) {
  topology.chosen(name);
  panel.choose(name, latest);
}

let opening;

async function take(group) {
  latest = group;
  history.add(group);
  opening ??= open();
  await opening;
  showOverview(group);
  topology.show(group, history);
  panel.show(group);
  showInstances(group);
  showTimeline(group, history);
  showPlots(history);
  showDrops(group);
  await showSettings(group);
}

function showOverview(group) {
  const snapshots = group.members.flatMap((member) => member.snapshot ?? []);
  const name = snapshots[0]?.application_id ?? "headwater";
  say(find("application"), name);
  document.title = `${name} – headwater`;
  const tasks = tasksOf(group);
  const having = (role) => tasks.filter(({ task }) => task.role === role).length;
  const restoring = tasks.filter(({ task }) => task.role === "active" && task.state !== "RUNNING").length;
  const dropped = sum(tasks.flatMap(({ task }) => Object.values(task.dropped)));
  tiles({
    Instances: number(group.members.length),
    Threads: number(sum(snapshots.map((snapshot) => snapshot.threads.length))),
    "Active tasks": `${number(having("active"))}${restoring ? ` (${restoring} not running)` : ""}`,
    "Standby tasks": number(having("standby")),
    "Records a second": rate(history.rate),
    Lag: number(sum([...history.lags.values()])),
    "Left out": number(dropped),
    "Dead letters": number(sum(tasks.map(({ task }) => task.dead_letters ?? 0))),
  });
  const silent = group.members.filter((member) => !member.snapshot).map((member) => `${member.host} does not answer: ${member.problem}`);
  const unwell = group.members.flatMap((member) => (member.snapshot?.health.reasons ?? []).map((reason) => `${member.host}: ${reason}`));
  const reasons = [...silent, ...unwell];
  const list = find("reasons");
  list.hidden = !reasons.length;
  const items = reasons.map((reason) => make("li", {}, reason));
  if (list.textContent !== reasons.join("")) list.replaceChildren(...items);
}

function tiles(values) {
  const list = find("tiles");
  for (const [title, value] of Object.entries(values)) {
    const id = `tile-${title.toLowerCase().replaceAll(" ", "-")}`;
    if (!find(id)) list.append(make("div", {}, make("dt", {}, title), make("dd", { id })));
    say(find(id), value);
  }
}

function showDrops(group) {
  const drops = new Map();
  for (const { task } of tasksOf(group)) {
    const rest = { ...task.dropped };
    const add = (node, reason, count) => count && drops.set(`${node}\n${reason}`, (drops.get(`${node}\n${reason}`) ?? 0) + count);
    for (const node of task.nodes) {
      for (const [reason, count] of Object.entries(node.dropped)) {
        add(node.name, reason, count);
        rest[reason] = (rest[reason] ?? 0) - count;
      }
    }
    // What could not be written belongs to no node.
    for (const [reason, count] of Object.entries(rest)) add("on the way out", reason, Math.max(0, count));
  }
  fill(find("drop-rows"), [...drops].map(([key, count]) => [...key.split("\n"), number(count)]), "nothing");
}

/** How the connection is. */
function says(state, why) {
  const line = find("connection");
  line.className = state;
  say(line, state === "live" ? `Live, as ${location.host} sees the group.` : state === "token" ? why : `${location.host} does not answer (${why}); trying again.`);
  find("token-form").hidden = state !== "token";
  if (state === "token") find("token").focus();
}

find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(find("token").value);
  find("token").value = "";
  document.dispatchEvent(new Event("token"));
});

watch((group) => take(group).catch((error) => {
  opening = topology ? opening : undefined;
  console.error(error);
}), says);
