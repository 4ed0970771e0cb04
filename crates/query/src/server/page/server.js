// What is asked of the instance that the page came from: paths, and the stream of what the group is like.

const TOKEN = "headwater-token";
const PAUSE_MS = 2000;

/** Somebody must type the token in. */
export class TokenWanted extends Error {}

export const setToken = (token) => sessionStorage.setItem(TOKEN, token);

function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** A path below /v1 of text that may hold anything. */
export const path = (parts, ...values) => parts.reduce((all, part, at) => all + encodeURIComponent(values[at - 1]) + part);

/** A whole number that JavaScript has no place for is kept as it is written, where the browser can. */
const exact = (_, value, context) =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && context && JSON.rawJSON ? JSON.rawJSON(context.source) : value;

/** The JSON that is answered to `path`. */
export async function ask(path) {
  const response = await fetch(path, { headers: headers() });
  if (response.status === 401) throw new TokenWanted("the token is not the one that is wanted");
  const body = JSON.parse(await response.text(), exact);
  if (!response.ok) {
    const error = new Error(body.error?.message ?? `the answer is ${response.status}`);
    error.code = body.error?.code;
    throw error;
  }
  return body;
}

/** The same of another instance, through this one. */
export const askOf = (host, to) => ask(path`/v1/hosts/${host}/answer?to=${to}`);

/** Hands each look at the group to `take`, and tells `says` how the connection is: "live", "lost" or "token". While nobody sees the page
 * nothing is asked. */
export async function watch(take, says) {
  for (;;) {
    if (document.hidden) await happens(document, "visibilitychange");
    if (document.hidden) continue;
    const token = sessionStorage.getItem(TOKEN);
    try {
      await look(take, says);
      says("lost", "the stream ended");
    } catch (error) {
      if (error instanceof TokenWanted) {
        says("token", error.message);
        // Another may have been typed meanwhile.
        if (token === sessionStorage.getItem(TOKEN)) await happens(document, "token");
        continue;
      }
      if (!document.hidden) says("lost", error.message);
    }
    await new Promise((done) => setTimeout(done, document.hidden ? 0 : PAUSE_MS));
  }
}

async function look(take, says) {
  const end = new AbortController();
  const away = () => document.hidden && end.abort();
  document.addEventListener("visibilitychange", away);
  try {
    const response = await fetch("/v1/events", { headers: headers(), signal: end.signal });
    if (response.status === 401) throw new TokenWanted(headers().Authorization ? "That is not the token that is wanted." : "A token is wanted.");
    if (!response.ok) throw new Error((await response.json()).error?.message ?? `the answer is ${response.status}`);
    says("live");
    for await (const data of events(response.body)) take(JSON.parse(data));
  } finally {
    document.removeEventListener("visibilitychange", away);
    end.abort();
  }
}

/** The data of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (data.length) yield data.join("\n");
    }
  }
}

const happens = (target, event) => new Promise((done) => target.addEventListener(event, done, { once: true }));
