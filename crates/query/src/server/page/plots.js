// The last minutes as small plots: lag of each topic that is read, and records a second.

import { draw, find, make, number, rate, say } from "./text.js";

const WIDTH = 300;
const HEIGHT = 60;

const plots = new Map();

export function showPlots(history) {
  const topics = [...new Set(history.samples.flatMap((sample) => [...sample.lags.keys()]))].sort();
  show("Records a second", history, (sample) => sample.rate, rate);
  for (const topic of topics) show(`Lag of ${topic}`, history, (sample) => sample.lags.get(topic) ?? 0, number);
}

function show(title, { samples }, value, write) {
  const { caption, picture } = plots.get(title) ?? begin(title);
  const values = samples.map(value);
  const most = Math.max(1, ...values);
  const [first, last] = [samples[0].at, Math.max(samples.at(-1).at, samples[0].at + 60_000)];
  const points = values.map((one, at) => [((samples[at].at - first) / (last - first)) * WIDTH, HEIGHT - (one / most) * (HEIGHT - 4)]);
  const line = points.map((point) => point.map((part) => part.toFixed(1)).join(" ")).join("L");
  const area = `M${points[0][0]} ${HEIGHT}L${line}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}Z`;
  const text = `${title}: ${write(values.at(-1))} now, ${write(Math.max(0, ...values))} at most`;
  say(caption, text);
  picture.setAttribute("aria-label", text);
  picture.replaceChildren(draw("path", { class: "plot-area", d: area }), draw("path", { class: "plot-line", d: `M${line}` }));
}

function begin(title) {
  const caption = make("figcaption");
  const picture = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, height: HEIGHT, preserveAspectRatio: "none", role: "img" });
  const plot = { caption, picture };
  plots.set(title, plot);
  find("plots").append(make("figure", {}, picture, caption));
  return plot;
}
