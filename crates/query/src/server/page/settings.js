// Settings and versions, side by side where instances differ.

import { askOf } from "./server.js";
import { fill, find, say } from "./text.js";

let shownFor = "";

export async function showSettings(group) {
  const members = group.members.filter((member) => member.snapshot);
  const hosts = members.map((member) => member.host).join(" ");
  if (hosts === shownFor) return;
  shownFor = hosts;
  const told = await Promise.all(members.map((member) => askOf(member.host, "/v1/settings").catch(() => ({ settings: [] }))));
  const values = new Map([["headwater", members.map((member) => member.snapshot.version)]]);
  told.forEach(({ settings }, at) => {
    for (const { name, value } of settings) {
      if (!values.has(name)) values.set(name, []);
      values.get(name)[at] = value ?? "(a secret)";
    }
  });
  fill(find("setting-rows"), [...values].map(([name, of]) => [name, same(members, of)]));
  const topic = values.get("errors.dead.letter.queue.topic.name")?.[0];
  if (topic) say(find("dead-letters"), `Records that a node left out or a handler let go, since their tasks began where they are. Dead letters go to ${topic}.`);
}

function same(members, values) {
  const shown = members.map((_, at) => values[at] ?? "(not set)");
  if (new Set(shown).size === 1) return shown[0];
  return members.map((member, at) => `${member.host}: ${shown[at]}`).join(", ");
}
