// The topology, drawn: a picture for each sub-topology, with rates and lag on its edges, and the same as a table.

import { edge, tasksOf } from "./history.js";
import { curve, place } from "./layers.js";
import { draw, fill, find, make, number, rate, say, sum } from "./text.js";

const LETTER = 7;

export class Topology {
  #graph;
  /** What is said anew with each look: elements, and how. */
  #labels = [];
  #buttons = new Map();

  constructor(graph, choose) {
    this.#graph = graph;
    find("graph").replaceChildren(...graph.parts.map((part) => this.#picture(part, choose)));
  }

  #picture(part, choose) {
    const { nodes, edges } = this.#elements(part);
    const { width, height, paths } = place(nodes, edges.map(({ from, to }) => [from, to]));
    const title = part.global ? `Sub-topology ${part.id}, for a global store` : `Sub-topology ${part.id}`;
    const lines = edges.map(({ keeps }, at) => draw("path", { class: keeps ? "edge keeps" : "edge", d: curve(paths[at]), "marker-end": keeps ? undefined : "url(#arrow)" }));
    const texts = edges.map((one, at) => this.#label(one, paths[at]));
    const boxes = [...nodes].map(([id, node]) => this.#box(id, node, choose));
    const arrow = draw("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      draw("path", { d: "M0 0L8 4L0 8Z", fill: "context-stroke" }));
    const picture = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title },
      draw("defs", {}, arrow), ...lines, ...boxes, ...texts);
    return make("figure", {}, make("figcaption", {}, title), picture);
  }

  /** Nodes with their topics and stores, and what joins them. */
  #elements(part) {
    const nodes = new Map();
    const edges = [];
    const add = (id, kind, name, second) => {
      if (!nodes.has(id)) nodes.set(id, { kind, name, second, width: Math.max(name.length, second ? 12 : 0) * LETTER + 26, height: second ? 42 : 28 });
    };
    for (const node of part.nodes) {
      for (const topic of node.topics) {
        add(`${node.kind} topic ${topic}`, "topic", topic);
        if (node.kind === "source") edges.push({ from: `source topic ${topic}`, to: node.name, lagOf: topic, rateOf: node.topics.length === 1 ? node.name : undefined });
        else edges.push({ from: node.name, to: `sink topic ${topic}`, rateOf: node.name });
      }
      add(node.name, "node", node.name, node.kind);
      for (const child of node.children) edges.push({ from: node.name, to: child, rateOf: edge(node.name, child) });
      for (const store of node.stores) {
        add(`store ${store}`, "store", store);
        edges.push({ from: node.name, to: `store ${store}`, keeps: true });
      }
    }
    return { nodes, edges };
  }

  #box(id, node, choose) {
    const { x, y, width, height, kind, name, second } = node;
    const box = draw("rect", { class: "box", x: x - width / 2, y: y - height / 2, width, height, rx: kind === "node" ? 4 : height / 2 });
    const text = draw("text", { x, y: second ? y - 5 : y + 4, "text-anchor": "middle" }, name);
    if (kind !== "node") return draw("g", { class: kind }, draw("title", {}, `${kind} ${name}`), box, text);
    const taken = draw("text", { x, y: y + 12, "text-anchor": "middle", class: "rate" });
    const button = draw("g", { role: "button", tabindex: 0, "aria-pressed": "false", "data-node": name }, box, text, taken);
    this.#labels.push((seen) => {
      const per = rate(seen.rates.get(name));
      // The space is for those who hear it.
      say(taken, per && ` ${per}`);
      button.setAttribute("aria-label", `${name} ${per}, ${second}`);
    });
    button.addEventListener("click", () => choose(name));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose(name);
    });
    this.#buttons.set(name, button);
    return button;
  }

  #label({ rateOf, lagOf }, points) {
    const [one, other] = points.slice(-2);
    const [top, bottom] = [one.y + one.height / 2, other.y - other.height / 2];
    // Nearer to the end: edges cross in the middle.
    const at = { x: one.x + (other.x - one.x) * 0.7 + 5, y: top + (bottom - top) * 0.6 + 3, class: "label" };
    const per = draw("tspan", { class: "rate" });
    const behind = draw("tspan", { class: "behind" });
    this.#labels.push((seen) => {
      const lag = lagOf === undefined ? 0 : seen.lags.get(lagOf) ?? 0;
      const moved = rateOf === undefined ? 0 : seen.rates.get(rateOf) ?? 0;
      say(per, moved > 0 ? rate(moved) : "");
      say(behind, lag > 0 ? ` lag ${number(lag)}` : "");
    });
    return draw("text", { ...at, "aria-hidden": "true" }, per, behind);
  }

  chosen(name) {
    for (const [node, button] of this.#buttons) button.setAttribute("aria-pressed", String(node === name));
  }

  /** Says rates, lag and counts as they are now. */
  show(group, seen) {
    this.#labels.forEach((label) => label(seen));
    const taken = new Map();
    for (const { task } of tasksOf(group)) {
      for (const node of task.nodes) taken.set(node.name, (taken.get(node.name) ?? 0) + node.taken);
    }
    const rows = this.#graph.parts.flatMap((part) => part.nodes.map((node) => [
      part.id, node.name, node.kind, node.topics.join(", "), node.stores.join(", "), node.children.join(", "),
      number(taken.get(node.name)), rate(seen.rates.get(node.name)),
      node.kind === "source" ? number(sum(node.topics.map((topic) => seen.lags.get(topic) ?? 0))) : "",
    ]));
    fill(find("graph-rows"), rows);
  }
}
