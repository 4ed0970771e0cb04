// One node: what it counted in each task, what it keeps back, and why it hands nothing on.

import { tasksOf } from "./history.js";
import { askOf, path } from "./server.js";
import { bytes, fill, find, instant, make, number, say } from "./text.js";

export class NodePanel {
  #name;
  #group;
  #rows;
  #words;

  /** Shows `name`, and asks all instances about it. */
  choose(name, group) {
    this.#name = name;
    const panel = find("node");
    this.#rows = make("tbody");
    this.#words = make("div", { role: "status" });
    const heads = ["Task", "Instance", "Taken", "Handed on", "Left out", "Waits"].map((head) => make("th", {}, head));
    const again = make("button", { type: "button" }, "Ask again");
    again.addEventListener("click", () => this.#explain());
    panel.replaceChildren(
      make("h3", { id: "node-title" }, name),
      make("div", { class: "scroll", role: "region", "aria-label": `What ${name} counted`, tabindex: 0 },
        make("table", {}, make("thead", {}, make("tr", {}, ...heads)), this.#rows)),
      make("h3", {}, "Why it hands on what it does"), this.#words, again);
    panel.hidden = false;
    this.show(group);
    this.#explain();
    panel.focus({ preventScroll: true });
  }

  show(group) {
    this.#group = group;
    if (this.#name === undefined) return;
    const rows = tasksOf(group).flatMap(({ host, task }) =>
      task.nodes.filter((node) => node.name === this.#name).map((node) => [task.id, host, number(node.taken), by(node.handed_on), by(node.dropped), waits(node.held)]));
    fill(this.#rows, rows.sort((a, b) => a[0].localeCompare(b[0])), "no task processes it just now");
  }

  async #explain() {
    const [name, words] = [this.#name, this.#words];
    const hosts = this.#group.members.filter((member) => member.snapshot).map((member) => member.host);
    say(words, "Asking…");
    const told = await Promise.all(hosts.map(async (host) => {
      try {
        const explanation = await askOf(host, path`/v1/explain/${name}`);
        return explanation.tasks.length ? `${host}\n${explanation.text}` : "";
      } catch (error) {
        return `${host}\n${error.message}`;
      }
    }));
    const texts = told.filter((text) => text).map((text) => make("pre", {}, text));
    words.replaceChildren(...(texts.length ? texts : [make("p", {}, "It is in no task that processes.")]));
  }
}

const by = (counts) => Object.entries(counts).map(([what, count]) => `${number(count)} ${what}`).join(", ");

function waits(held) {
  if (!held) return "";
  const parts = [];
  if (held.records !== undefined) parts.push(`${number(held.records)} records`);
  if (held.bytes !== undefined) parts.push(bytes(held.bytes));
  if (held.stream_time !== undefined) parts.push(`stream time ${instant(held.stream_time)}`);
  if (held.due !== undefined) parts.push(`next at ${instant(held.due)}`);
  if (held.closes !== undefined) parts.push(`without records at ${instant(held.closes)} by the clock`);
  return parts.join(", ");
}
