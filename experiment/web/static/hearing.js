// Sounds: fetched whole, decoded, played after a press by the browser's sound clock, and heard when they were played whole.

import { ends, line, slider } from "./asking.js";
import { now } from "./net.js";
import { choose, el, Screen, Stopped, whileSounding } from "./screen.js";

const LEAD = 0.08; // s ahead that a sound is scheduled, so that the sound card times it
const SLACK = 0.02; // s that may lack at a sound's end
const STALLED = 2000; // ms in which nothing is played after which a sound is broken off
const GAP = 0.12; // s that the sound clock may fall behind between two looks

let context = null;
const files = new Map();

export class SoundFailed extends Stopped {
  constructor(attempts) {
    super();
    this.attempts = attempts;
  }
}

function sounding() {
  context ??= new AudioContext({ latencyHint: "playback" });
  return context;
}

async function fetched(address) {
  for (let wait = 500; ; wait = Math.min(8000, 2 * wait)) {
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (answer.ok) return await answer.arrayBuffer();
      if (answer.status < 500 && answer.status !== 429) throw new Stopped();
    } catch (error) {
      if (error instanceof Stopped) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function file(address) {
  if (!files.has(address)) {
    const found = fetched(address);
    found.catch(() => files.delete(address));
    files.set(address, found);
  }
  return files.get(address);
}

export function ahead(told) {
  const wanted = new Set([...JSON.stringify(told).matchAll(/\/sound\/[\w-]+/g)].map((x) => x[0]));
  for (const address of files.keys()) if (!wanted.has(address)) files.delete(address);
  for (const address of wanted) file(address).catch(() => {});
}

const decoded = async (address) => sounding().decodeAudioData((await file(address)).slice(0));

function delay(start, asked) {
  // From the call to the onset, s: where a sound of the sound clock is on the page's clock. That of the sound clock itself moves in
  // leaps as long as a buffer; the device's stamp does not. Without one: as planned, and what the device says it takes.
  const audio = sounding();
  const stamp = audio.getOutputTimestamp?.();
  const found = stamp?.performanceTime > 0 ? (stamp.performanceTime - asked) / 1000 + start - stamp.contextTime : NaN;
  return found >= 0 && found < 5 ? found : LEAD + (audio.outputLatency || 0);
}

function once(buffer, gain, clip, tick) {
  // Play once; resolves with a record, or with null where it was interrupted and has to begin anew.
  const audio = sounding();
  const source = new AudioBufferSourceNode(audio, { buffer });
  const volume = new GainNode(audio, { gain: Math.min(1, 10 ** ((gain ?? 0) / 20)) });
  source.connect(volume).connect(audio.destination);
  return new Promise((resolve) => {
    const asked = performance.now();
    const start = audio.currentTime + LEAD;
    const began = now() + LEAD;
    let clock = audio.currentTime;
    let wall = asked;
    let moved = asked;
    let underruns = 0;
    let hidden = 0;
    let over = false;
    const end = (value) => {
      if (over) return;
      over = true;
      clearInterval(timer);
      whileSounding(null);
      source.onended = null;
      try { source.stop(); } catch { /* it had not begun */ }
      volume.disconnect();
      resolve(value);
    };
    const record = (whole) => {
      const played = Math.max(0, Math.min(buffer.duration, audio.currentTime - start));
      const round = (x, n) => Math.round(x * 10 ** n) / 10 ** n;
      return {
        clip, at: began, onset_delay: round(delay(start, asked), 5), onset_error: null, driver: false,
        seconds: round((performance.now() - asked) / 1000, 3), played: round(played, 3), underruns, hidden: round(hidden, 3),
        whole: whole && underruns === 0 && played >= buffer.duration - SLACK,
      };
    };
    const look = () => {
      const at = performance.now();
      const passed = audio.currentTime - clock;
      if (document.hidden) hidden += (at - wall) / 1000;
      // The first look may come before the sound card has begun.
      if (clock > start && (at - wall) / 1000 - passed > GAP && audio.currentTime < start + buffer.duration) underruns += 1;
      if (passed > 0) moved = at;
      clock = audio.currentTime;
      wall = at;
      tick(Math.max(0, Math.min(1, (clock - start) / buffer.duration)));
      if (at - moved > STALLED || audio.state === "closed") end(record(false));
    };
    const timer = setInterval(look, 40);
    source.onended = () => { look(); end(record(true)); };
    whileSounding(() => {
      source.onended = null;
      try { source.stop(); } catch { /* it had not begun */ }
      clearInterval(timer);
      return () => end(null);
    });
    source.start(start);
  });
}

async function through(told, address, clip, shown) {
  // To the end: what was interrupted begins anew, and so does, once, what broke off.
  const audio = sounding();
  const attempts = [];
  for (;;) {
    const tick = shown();
    let buffer;
    try {
      await audio.resume();
      buffer = await decoded(address);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      await choose(told, { title: told.broken.title, text: told.no_sound, buttons: told.broken.buttons });
      throw new SoundFailed(attempts);
    }
    const record = await once(buffer, told.gain_db, clip, tick);
    if (record === null) continue;
    if (record.whole) return record;
    attempts.push(record);
    const last = attempts.length > 1;
    await choose(told, { title: told.broken.title, text: last ? told.broken.over : told.broken.again, buttons: told.broken.buttons });
    if (last) throw new SoundFailed(attempts);
  }
}

function playing(told, title, text = "") {
  const screen = new Screen(told);
  const bar = el("div");
  screen.middle.append(el("h1", { dir: "auto" }, title), text ? el("p", { class: "asked", dir: "auto" }, text) : "", el("div", { class: "track", role: "progressbar", "aria-label": title }, bar));
  return (share) => { bar.style.width = `${100 * share}%`; };
}

async function ready(told, addresses, title) {
  // Nothing is offered to be played before all of it is here.
  const left = Promise.all(addresses.map(file));
  let here = false;
  left.then(() => { here = true; }, () => { here = true; });
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (!here) {
    const screen = new Screen(told);
    screen.middle.append(el("h1", { dir: "auto" }, title), el("p", { class: "hint", role: "status" }, told.loading));
  }
  await left;
}

export async function listen(told) {
  const records = [];
  await ready(told, told.clips.map((c) => c.sound), told.clips[0].title);
  for (const [k, clip] of told.clips.entries()) {
    for (let plays = 0; ;) {
      if (plays === 0) await choose(told, { title: clip.title, buttons: told.play });
      records.push(await through(told, clip.sound, k, () => playing(told, clip.title)));
      plays += 1;
      if (plays > told.replays) break;
      if ((await choose(told, { title: clip.title, buttons: told.heard }))[0] === "next") break;
    }
  }
  return { records };
}

export async function soundCheck(told) {
  await ready(told, told.sounds.map((s) => s.sound), told.title);
  await choose(told, { title: told.title, buttons: told.play });
  for (let plays = 1; ; plays += 1) {
    let last;
    for (const s of told.sounds) last = await through(told, s.sound, 0, () => playing(told, told.title, s.text));
    const [name] = await choose(told, { title: told.title, text: told.text, buttons: told.buttons });
    if (name === "yes") return { plays, records: [last] };
    if (name === "no") await choose(told, told.call);
  }
}

export async function level(told) {
  await ready(told, [told.sound], told.title);
  await choose(told, { title: told.title, text: told.text, buttons: told.buttons });
  const audio = sounding();
  await audio.resume();
  const buffer = await decoded(told.sound);
  const gain = new GainNode(audio, { gain: 1 });
  const source = new AudioBufferSourceNode(audio, { buffer, loop: true });
  source.connect(gain).connect(audio.destination);
  const { high } = told.question;
  const db = (value) => 3 * (value - high);
  const set = (value) => { gain.gain.setTargetAtTime(10 ** (db(value) / 20), audio.currentTime, 0.02); };
  try {
    return await new Promise((resolve, reject) => {
      const screen = new Screen(told);
      const scale = line(screen, { ...told.question, text: told.text }, set);
      const go = () => resolve({ gain_db: db(scale.value()) });
      const next = screen.button(told.next, go, { class: "primary", "data-name": "next" });
      screen.keys = (key) => {
        if (key === "ArrowLeft" || key === "ArrowRight") scale.nudge(key === "ArrowLeft" ? -1 : 1);
        else if (key === "Enter" || key === " ") go();
        else return false;
        return true;
      };
      whileSounding(() => {
        audio.suspend();
        return () => audio.resume();
      });
      screen.middle.append(el("h1", { dir: "auto" }, told.title), el("p", { class: "text", dir: "auto" }, told.text), el("div", { class: "scale" }, scale.node, ends(told.question.labels)), next);
      set(scale.value());
      gain.gain.value = 10 ** (db(scale.value()) / 20);
      source.start();
      leaving = reject;
    });
  } finally {
    whileSounding(null);
    source.stop();
    gain.disconnect();
    audio.resume();
  }
}

let leaving = () => {};
export const quiet = () => leaving(new Stopped());

export async function headphones(told) {
  await ready(told, told.trials.map((t) => t.sound), told.title);
  await choose(told, told);
  const given = [];
  for (const [k, trial] of told.trials.entries()) {
    await through(told, trial.sound, 0, () => playing(told, told.trials.length > 1 ? `${told.title} ${k + 1}/${told.trials.length}` : told.title));
    given.push(Number((await choose(told, { title: told.asked, buttons: told.intervals, sided: told.sided }))[0]));
  }
  return { given };
}

export async function practice(told) {
  await ready(told, told.clips.map((c) => c.sound), told.clips[0].title);
  for (const clip of told.clips) {
    await choose(told, { title: clip.title, buttons: told.play });
    await through(told, clip.sound, 0, () => playing(told, clip.title));
  }
  await slider(told, told.question, told.corner, null);
  return {};
}
