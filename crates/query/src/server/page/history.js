// What was seen since the page looks: rates between two looks, lag over the last minutes, who came and went.

const KEPT_MS = 10 * 60 * 1000;

/** All tasks of a look at the group, with where they are. */
export function tasksOf(group) {
  return group.members.flatMap((member) =>
    (member.snapshot?.threads ?? []).flatMap((thread) => thread.tasks.map((task) => ({ host: member.host, thread, task }))));
}

/** What a thread has counted, by task and what is counted: a node, or an edge `from > to`. */
function counts(thread) {
  const counts = new Map();
  for (const task of thread.tasks) {
    for (const node of task.nodes) {
      counts.set(`${task.id}\n${node.name}`, node.taken);
      for (const [child, count] of Object.entries(node.handed_on)) counts.set(`${task.id}\n${edge(node.name, child)}`, count);
    }
  }
  return counts;
}

export const edge = (from, to) => `${from} > ${to}`;

function addTo(map, key, value) {
  map.set(key, (map.get(key) ?? 0) + value);
}

export class History {
  /** Looks of the last minutes: when, records a second, lag by topic. */
  samples = [];
  /** Who came and went: when, what. */
  comings = [];
  /** Rebalances by who went through them. */
  rebalances = new Map();
  /** Records a second, by nodes and edges. */
  rates = new Map();
  /** Lag by topic. */
  lags = new Map();
  #threads = new Map();
  #hosts;

  add(group) {
    this.#count(group);
    this.#compare(group);
    this.lags = new Map();
    for (const { task } of tasksOf(group)) {
      if (task.role !== "active") continue;
      for (const input of task.inputs) addTo(this.lags, input.topic, input.lag ?? 0);
    }
    this.samples.push({ at: group.at, rate: this.rate, lags: this.lags });
    while (this.samples[0].at < group.at - KEPT_MS) this.samples.shift();
  }

  /** A thread tells about once a second, on its own: what it counts is compared between two times that it told. */
  #count(group) {
    const present = new Map();
    for (const member of group.members) {
      for (const thread of member.snapshot?.threads ?? []) {
        const who = `${member.host}\n${thread.name}`;
        const before = this.#threads.get(who);
        present.set(who, before?.told === thread.told ? before : this.#told(thread, before));
        for (const rebalance of thread.rebalances) {
          this.rebalances.set(`${who}\n${rebalance.began}`, { host: member.host, thread: thread.number, ...rebalance });
        }
      }
    }
    this.#threads = present;
    this.rates = new Map();
    this.rate = 0;
    for (const thread of present.values()) {
      this.rate += thread.rate;
      for (const [what, rate] of thread.rates) addTo(this.rates, what, rate);
    }
  }

  #told(thread, before) {
    const now = { told: thread.told, processed: thread.processed, counts: counts(thread), rates: new Map(), rate: 0 };
    const seconds = before ? (thread.told - before.told) / 1000 : 0;
    if (seconds <= 0) return now;
    now.rate = Math.max(0, thread.processed - before.processed) / seconds;
    for (const [key, count] of now.counts) {
      const more = count - (before.counts.get(key) ?? count);
      // What is less began anew.
      if (more >= 0) addTo(now.rates, key.slice(key.indexOf("\n") + 1), more / seconds);
    }
    return now;
  }

  #compare(group) {
    const hosts = new Set(group.members.map((member) => member.host));
    if (this.#hosts) {
      for (const host of hosts) if (!this.#hosts.has(host)) this.comings.push({ at: group.at, what: `${host} came` });
      for (const host of this.#hosts) if (!hosts.has(host)) this.comings.push({ at: group.at, what: `${host} is gone`, gone: true });
    }
    this.#hosts = hosts;
  }
}
