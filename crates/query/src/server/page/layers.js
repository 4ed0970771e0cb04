// Places for the nodes of a graph that runs one way: layers from top to bottom, few crossings, edges as curves.

const GAP_X = 22;
const GAP_Y = 44;
const MARGIN = 12;

/** `nodes` is a map of ids to `{ width, height }`, `edges` a list of `[from, to]`. Nodes get `x` and `y` of their middles; what is returned has the
 * size of it all, and for each edge the points that it runs through. */
export function place(nodes, edges) {
  const ranks = rank(nodes, edges);
  const all = new Map(nodes);
  const chains = edges.map(([from, to], at) => chain(all, ranks, from, to, at));
  const layers = [];
  for (const id of all.keys()) (layers[ranks.get(id)] ??= []).push(id);
  const around = neighbours(chains);
  for (let sweep = 0; sweep < 8; sweep++) order(layers, around, sweep % 2 === 0);
  const width = spread(layers, all, around);
  const height = stack(layers, all);
  return { width, height, paths: chains.map((ids) => ids.map((id) => all.get(id))) };
}

/** The longest way from a node that nothing leads to. */
function rank(nodes, edges) {
  const parents = new Map([...nodes.keys()].map((id) => [id, []]));
  for (const [from, to] of edges) parents.get(to).push(from);
  const ranks = new Map();
  const visit = (id, above) => {
    if (ranks.has(id)) return ranks.get(id);
    // What leads back to itself is taken to begin there.
    if (above.has(id)) return 0;
    above.add(id);
    const rank = Math.max(0, ...parents.get(id).map((parent) => visit(parent, above) + 1));
    above.delete(id);
    ranks.set(id, rank);
    return rank;
  };
  for (const id of nodes.keys()) visit(id, new Set());
  return ranks;
}

/** Edges that pass layers have a bend in each. */
function chain(all, ranks, from, to, at) {
  const ids = [from];
  for (let rank = ranks.get(from) + 1; rank < ranks.get(to); rank++) {
    const bend = `bend ${at} ${rank}`;
    all.set(bend, { width: 4, height: 0 });
    ranks.set(bend, rank);
    ids.push(bend);
  }
  return [...ids, to];
}

function neighbours(chains) {
  const around = { up: new Map(), down: new Map() };
  const add = (map, id, other) => map.set(id, [...(map.get(id) ?? []), other]);
  for (const ids of chains) {
    for (let at = 1; at < ids.length; at++) {
      add(around.up, ids[at], ids[at - 1]);
      add(around.down, ids[at - 1], ids[at]);
    }
  }
  return around;
}

/** Each layer by the middle of what its nodes are joined to in the layer before. */
function order(layers, around, downwards) {
  const sequence = downwards ? layers : [...layers].reverse();
  const others = downwards ? around.up : around.down;
  const places = new Map();
  for (const layer of sequence) {
    const middle = (id, at) => {
      const found = (others.get(id) ?? []).map((other) => places.get(other)).filter((place) => place !== undefined);
      return found.length ? found.reduce((all, one) => all + one, 0) / found.length : at / layer.length;
    };
    const sorted = layer.map((id, at) => [middle(id, at), at, id]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    sorted.forEach(([, , id], at) => {
      layer[at] = id;
      places.set(id, (at + 0.5) / layer.length);
    });
  }
}

/** Places from left to right: near what they are joined to, in their order, apart from each other. */
function spread(layers, all, around) {
  for (const layer of layers) pack(layer, all, () => 0);
  for (let round = 0; round < 12; round++) {
    const others = round % 2 ? around.down : around.up;
    for (const layer of round % 2 ? [...layers].reverse() : layers) {
      pack(layer, all, (id) => {
        const xs = (others.get(id) ?? []).map((other) => all.get(other).x);
        return xs.length ? xs.reduce((sum, x) => sum + x, 0) / xs.length : all.get(id).x;
      });
    }
  }
  const nodes = [...all.values()];
  const left = Math.min(...nodes.map((node) => node.x - node.width / 2)) - MARGIN;
  nodes.forEach((node) => (node.x -= left));
  return Math.max(...nodes.map((node) => node.x + node.width / 2)) + MARGIN;
}

function pack(layer, all, wish) {
  const wished = layer.map(wish);
  let end = -Infinity;
  let off = 0;
  layer.forEach((id, at) => {
    const node = all.get(id);
    node.x = Math.max(wished[at], end + node.width / 2);
    end = node.x + node.width / 2 + GAP_X;
    off += wished[at] - node.x;
  });
  for (const id of layer) all.get(id).x += off / layer.length;
}

function stack(layers, all) {
  let y = MARGIN;
  for (const layer of layers) {
    const height = Math.max(...layer.map((id) => all.get(id).height));
    for (const id of layer) all.get(id).y = y + height / 2;
    y += height + GAP_Y;
  }
  return y - GAP_Y + MARGIN;
}

/** The curve through the points of an edge, from below its first to above its last. */
export function curve(points) {
  const first = points[0];
  const last = points.at(-1);
  const through = [[first.x, first.y + first.height / 2], ...points.slice(1, -1).map(({ x, y }) => [x, y]), [last.x, last.y - last.height / 2]];
  const steps = through.slice(1).map(([x, y], at) => {
    const [beforeX, beforeY] = through[at];
    const middle = (beforeY + y) / 2;
    return `C${beforeX} ${middle} ${x} ${middle} ${x} ${y}`;
  });
  return `M${through[0].join(" ")}${steps.join("")}`;
}
