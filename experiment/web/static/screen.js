// What every screen has: when it can be answered, what is pressed and typed, the way to stop, how it was looked at.

import { wholeScreen } from "./away.js";

export class Stopped extends Error {}

const stage = document.getElementById("stage");
let current = null; // the screen that is shown
let down = 0; // when the last press began
let watching = null; // told when somebody wants to stop while something sounds

export function el(tag, more = {}, ...inner) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(more)) {
    if (name === "class") node.className = value;
    else if (name in node && typeof value !== "string") node[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...inner.filter((x) => x !== null && x !== undefined));
  return node;
}

export const paragraphs = (words) => el("div", { class: "text", dir: "auto" }, ...words.split(/\n\s*\n/).map((x) => el("p", {}, x)));

export class Screen {
  constructor(told, { corner = "", back = null } = {}) {
    current?.close();
    current = this;
    this.told = told;
    this.opens = Infinity;
    this.seen = { moves: 0, focus_losses: 0, hidden: 0, frames: 0, late_frames: 0, dropped: 0 };
    this.keys = () => false;
    this.middle = el("div", { class: "middle" });
    this.foot = el("div", { class: "foot" });
    if (told.stop && "step" in told) this.foot.append(this.button(told.stop.label, () => ask(this), { class: "stop" }));
    if (back) this.foot.append(this.button(back.label, back.go, { class: "back" }));
    this.back = back;
    document.documentElement.lang = told.language;
    document.documentElement.dir = told.rtl ? "rtl" : "ltr";
    stage.tabIndex = -1;
    const place = stage.querySelector(".jspsych-content") ?? stage;
    place.replaceChildren(el("section", { class: "screen" }, el("div", { class: "corner" }, corner), this.middle, this.foot));
    scrollTo(0, 0);
    stage.focus({ preventScroll: true });
    this.hiddenSince = document.hidden ? performance.now() : null;
    requestAnimationFrame(() => requestAnimationFrame((at) => this.first(at)));
  }

  first(at) {
    this.shown = at;
    this.opens = at + 1000 * this.told.dead_time;
    this.timer = setTimeout(() => stage.setAttribute("data-open", this.told.kind), Math.max(0, this.opens - performance.now()));
    let last = at;
    const usual = [];
    const frame = (time) => {
      if (current !== this) return;
      const took = time - last;
      last = time;
      this.seen.frames += 1;
      if (usual.length < 20) usual.push(took);
      else if (!document.hidden && took > 2.5 * [...usual].sort((a, b) => a - b)[10]) this.seen.late_frames += 1;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  counts(at) {
    const good = current === this && at >= this.opens && !document.querySelector("dialog[open]");
    if (!good) this.seen.dropped += 1;
    return good;
  }

  took() {
    return Math.max(0, (performance.now() - this.shown) / 1000);
  }

  interaction() {
    if (this.hiddenSince !== null) this.visible(false);
    return { ...this.seen, hidden: Math.round(this.seen.hidden) / 1000 };
  }

  visible(hidden) {
    const at = performance.now();
    if (this.hiddenSince !== null) this.seen.hidden += at - this.hiddenSince;
    this.hiddenSince = hidden ? at : null;
  }

  button(label, pressed, more = {}) {
    const node = el("button", { type: "button", dir: "auto", ...more }, label);
    node.addEventListener("click", (event) => {
      const byPointer = event.detail > 0;
      if (byPointer) node.blur();
      if (!this.counts(byPointer ? down : event.timeStamp)) return;
      wholeScreen(this.told);
      pressed(node);
    });
    return node;
  }

  close() {
    clearTimeout(this.timer);
    stage.removeAttribute("data-open");
    if (current === this) current = null;
  }
}

export const leave = () => current?.close(); // what was answered answers nothing more while it is on its way

// Presses and keys ------------------------------------------------------------------------------------------------------

addEventListener("pointerdown", (event) => { down = event.timeStamp; }, true);
addEventListener("blur", () => { if (current) current.seen.focus_losses += 1; });
document.addEventListener("visibilitychange", () => current?.visible(document.hidden));
addEventListener("keydown", (event) => {
  const screen = current;
  if (!screen || event.isComposing || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && "step" in screen.told) { ask(screen); return; }
  const at = document.activeElement;
  const onButton = at?.tagName === "BUTTON" || at?.tagName === "A";
  if (event.key === "Tab" || (onButton && (event.key === " " || event.key === "Enter"))) return;
  if (at?.tagName === "TEXTAREA" && event.key !== "PageUp" && event.key !== "Enter") return;
  if (event.repeat && !event.key.startsWith("Arrow") && event.key !== "Backspace") return;
  if (!screen.counts(event.timeStamp)) { event.preventDefault(); return; }
  if (event.key === "PageUp" && screen.back) { event.preventDefault(); screen.back.go(); return; }
  if (!screen.keys(event.key)) return;
  wholeScreen(screen.told);
  event.preventDefault();
}, true);

// Whether to stop ---------------------------------------------------------------------------------------------------------

let stopping = () => {};
export const untilStopped = () => new Promise((_, reject) => { stopping = reject; });

export function whileSounding(interrupt) {
  watching = interrupt;
}

export function dialog(told, text, buttons, title = "") {
  return new Promise((resolve) => {
    const box = el("dialog", { "aria-label": title || text }, title ? el("h1", { dir: "auto" }, title) : null, el("p", { dir: "auto" }, text));
    const row = el("div", { class: "row" });
    const opens = performance.now() + 1000 * told.dead_time;
    let from = opens;
    const end = (name) => { box.close(); box.remove(); resolve(name); };
    box.addEventListener("pointerdown", (event) => { from = event.timeStamp; });
    for (const b of buttons) {
      const node = el("button", { type: "button", class: b.primary ? "primary" : "" }, b.label);
      node.addEventListener("click", (event) => { if ((event.detail > 0 ? from : event.timeStamp) >= opens) end(b.name); });
      row.append(node);
    }
    box.addEventListener("keydown", (event) => {
      const found = buttons.find((b) => b.key === event.key);
      if (found && event.timeStamp >= opens) end(found.name);
    });
    box.addEventListener("cancel", (event) => { event.preventDefault(); if (performance.now() >= opens) end("no"); });
    box.append(row);
    document.body.append(box);
    box.showModal();
    (row.querySelector(".primary") ?? box).focus(); // what return answers keeps things as they are
  });
}

async function ask(screen) {
  const anew = watching?.();
  if ((await dialog(screen.told, screen.told.stop.text, screen.told.stop.buttons)) === "yes") stopping(new Stopped());
  else {
    anew?.();
    if (current === screen) screen.opens = performance.now() + 1000 * screen.told.dead_time; // it is a new one to the hand
  }
}

// A text and buttons ------------------------------------------------------------------------------------------------------

const KEYS = { space: [" ", "Enter"], return: ["Enter"] };

export function choose(told, { title = "", text = "", buttons, corner = "", more = [], head = [], after = [], sided = false }) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner });
    let read = !text;
    const end = el("span", { "aria-hidden": "true" });
    const nodes = buttons.map((b) => screen.button(b.label, () => resolve([b.name, screen]), { class: b.primary ? "primary" : "", "data-name": b.name, disabled: !read }));
    if (text) {
      // Nothing is agreed to whose end was not on the screen.
      const look = new IntersectionObserver((found) => {
        if (!found.some((x) => x.isIntersecting)) return;
        look.disconnect();
        read = true;
        for (const node of nodes) node.disabled = false;
      });
      look.observe(end);
    }
    screen.keys = (key) => {
      const only = buttons.length === 1 && (key === " " || key === "Enter");
      const found = only ? buttons[0] : buttons.find((b) => b.key === key || KEYS[b.key]?.includes(key));
      if (found && read) resolve([found.name, screen]);
      return Boolean(found);
    };
    const said = text ? paragraphs(text) : null;
    screen.middle.append(...head, title ? el("h1", { dir: "auto" }, title) : "", ...(said ? [said, end] : []), ...more, el("div", { class: "row", dir: sided ? "ltr" : null }, ...nodes), ...after);
  });
}
