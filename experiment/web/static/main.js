// A session: the server says what is next, a plugin of jsPsych shows it, and what was done goes back to the server.

import { begin, did, open, start, withdraw } from "./net.js";
import { choose, dialog, el, leave, Stopped, untilStopped } from "./screen.js";

async function consent(told) {
  if ((await choose(told, told))[0] === "decline") return { takes_part: false, special: false };
  if (told.special === null) return { takes_part: true, special: false };
  const asked = { text: told.special.text, options: told.special.options, word: "", hint: "" };
  const { chosen } = await parts.pick(told, asked, "", null, told.special.title);
  return { takes_part: true, special: chosen[0] === 0 };
}

async function page(told) {
  await choose(told, told);
  return {};
}

function ask(told) {
  return new Promise((resolve) => {
    const back = told.question.back ? { label: told.question.back, go: () => resolve({ back: true }) } : null;
    parts.question(told, told.corner, back).then((answer) => resolve({ answer }));
  });
}

async function done(told) {
  const { soundCheck, level, headphones, practice, listen, form, quiet, SoundFailed } = parts;
  const shown = { consent, page, soundcheck: soundCheck, level, headphones, practice, listen, ask, form };
  try {
    return await Promise.race([shown[told.kind](told), untilStopped()]);
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    quiet();
    return error instanceof SoundFailed ? { stopped: true, failed: error.attempts.slice(0, 10) } : { stopped: true };
  }
}

// What a session needs ----------------------------------------------------------------------------------------------------

let screen = null;
let parts = null; // what asks and what sounds
let library = null;

const there = (src) => new Promise((resolve) => {
  const script = el("script", { src });
  script.onload = () => resolve(true);
  script.onerror = () => { script.remove(); resolve(false); };
  document.head.append(script);
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function patiently(get) {
  for (let wait = 500; !(await get()); wait = Math.min(8000, 2 * wait)) await pause(wait);
}

async function modules() {
  try {
    parts = { ...(await import("./asking.js")), ...(await import("./hearing.js")) };
  } catch {
    // A module that could not be fetched can't be asked for again by the same page; nothing was answered on it yet. Not at once: where
    // something else than the line keeps it away, pages must not chase each other.
    await pause(1000);
    await patiently(() => Promise.all(["asking", "hearing"].map((name) => fetch(`/static/${name}.js`).then((answer) => answer.ok, () => false))).then((all) => all.every(Boolean)));
    location.reload();
    await new Promise(() => {});
  }
}

function needed() {
  // Fetched once the first screen is there: nothing but a session waits for it, however often the line breaks off.
  library ??= Promise.all([patiently(() => there("/static/vendor/jspsych.js")), modules()]);
  return library;
}

const stepping = () => class {
  static info = { name: "tastelab-step", version: "1.0.0", parameters: {}, data: { kind: { type: jsPsychModule.ParameterType.STRING } } };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  async trial() {
    const told = screen;
    parts.ahead(told);
    const what = await done(told);
    leave();
    screen = await did(told, what);
    this.jsPsych.finishTrial({ kind: told.kind });
  }
};

async function session() {
  await needed();
  const stage = document.getElementById("stage");
  stage.replaceChildren();
  const jsPsych = initJsPsych({ display_element: stage });
  await jsPsych.run([{ timeline: [{ type: stepping() }], loop_function: () => "step" in screen }]);
  stage.replaceChildren();
  stage.removeAttribute("class");
}

// Around a session ---------------------------------------------------------------------------------------------------------

function own(told) {
  if (!told.withdraw) return [];
  const link = el("div", { class: "own" }, told.code ? el("p", { class: "code", dir: "auto" }, told.code) : null, el("p", { class: "small", dir: "auto" }, told.link_text), el("code", { dir: "ltr" }, told.link));
  const leave = el("button", { type: "button", class: "withdraw" }, told.withdraw.label);
  leave.addEventListener("click", async () => {
    const { title, text, buttons } = told.withdraw;
    if ((await dialog(told, text, buttons, title)) === "yes") { screen = await withdraw(); run(); }
  });
  link.append(leave);
  return [link];
}

async function notice(told) {
  const more = [];
  if (told.panel_code) more.push(el("p", { class: "code", dir: "auto" }, told.panel_code));
  if (told.return) more.push(el("a", { class: "go", href: told.return.href, rel: "noreferrer" }, told.return.label));
  const head = told.study ? [el("p", { class: "asked", dir: "auto" }, told.study)] : [];
  if (told.languages?.length > 1) {
    const names = (code) => new Intl.DisplayNames([code], { type: "language" }).of(code);
    const some = told.languages.map((code) => {
      const node = el("button", { type: "button", lang: code, class: code === told.language ? "on" : "", "aria-pressed": String(code === told.language) }, names(code));
      node.addEventListener("click", async () => { screen = await open({ language: code }); run(); });
      return node;
    });
    head.unshift(el("div", { class: "languages", role: "group" }, ...some));
  }
  const [name] = await choose(told, { ...told, head, more, after: own(told) });
  if (name === "begin") return begin(told.language);
  return open({ [name]: true });
}

let runs = 0;

async function run() {
  const mine = (runs += 1);
  while (mine === runs) {
    document.title = screen.study || screen.title || document.title;
    if ("step" in screen) await session();
    else {
      const next = await notice(screen);
      if (mine === runs) screen = next;
    }
  }
}

start().then((told) => { screen = told; run(); needed(); });
