// Messages to the server: kept on this device until they are acknowledged, and sent again until then.

import { counting, left } from "./away.js";

const hex = () => [...crypto.getRandomValues(new Uint8Array(16))].map((x) => x.toString(16).padStart(2, "0")).join("");
const line = document.getElementById("line");
let tab = null;
let began = 0;
let offline = "";
let safe = false; // whether this device kept the last answer
let living = false; // whether this window shows a session

export const now = () => (performance.timeOrigin + performance.now() - began) / 1000;
counting(now);

// One message waits at a time: the next step is not known before it is acknowledged. -----------------------------------

function kept(mode, work) {
  return new Promise((resolve) => {
    const none = () => resolve(undefined); // a browser that keeps nothing: the page itself keeps the message
    try {
      const opening = indexedDB.open("tastelab", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("waiting");
      opening.onerror = none;
      opening.onsuccess = () => {
        try {
          const changed = opening.result.transaction("waiting", mode);
          const request = work(changed.objectStore("waiting"));
          changed.oncomplete = () => { opening.result.close(); resolve(request.result); };
          changed.onabort = () => { opening.result.close(); none(); };
        } catch {
          opening.result.close();
          none();
        }
      };
    } catch {
      none();
    }
  });
}

const waiting = () => kept("readonly", (store) => store.get("message"));
const keep = async (message) => { safe = (await kept("readwrite", (store) => store.put(message, "message"))) !== undefined; };
const forget = () => kept("readwrite", (store) => store.delete("message"));

// ----------------------------------------------------------------------------------------------------------------------

async function holds(name) {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    navigator.locks.request(`tastelab-${name}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {}); // held as long as the page is there
    });
  });
}

async function settle() {
  const last = await waiting();
  for (const name of [sessionStorage.getItem("tab"), last?.tab]) {
    if (name && (await holds(name))) { tab = name; break; } // a copy of a window is another window
  }
  if (tab === null) {
    tab = hex();
    await holds(tab);
    sessionStorage.removeItem("began");
  }
  began = Number(sessionStorage.getItem("began")) || performance.timeOrigin + performance.now();
  sessionStorage.setItem("tab", tab);
  sessionStorage.setItem("began", String(began));
  return last?.tab === tab ? last : null;
}

async function post(what, message) {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(), 20000);
  try {
    const answer = await fetch(`/api/${what}`, {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
      body: JSON.stringify(message), signal: stop.signal,
    });
    return { status: answer.status, told: await answer.json() };
  } catch {
    return { status: 0, told: null };
  } finally {
    clearTimeout(late);
  }
}

const again = (status) => status === 0 || status === 429 || status >= 500;

async function until(what, message) {
  for (let wait = 500; ; wait = Math.min(8000, 2 * wait)) {
    const { status, told } = await post(what, message);
    if (!again(status)) {
      line.hidden = true;
      return { status, told };
    }
    line.textContent = (safe && offline) || "…"; // what was not kept is not said to be safe
    line.hidden = false;
    await new Promise((resolve) => {
      const go = () => { clearTimeout(timer); removeEventListener("online", go); resolve(); };
      const timer = setTimeout(go, wait);
      addEventListener("online", go);
    });
  }
}

function seen(told) {
  if (told.offline) offline = told.offline;
  living = "step" in told;
  return told;
}

export async function open(more = {}) {
  const { told } = await until("open", { tab, language: more.language || navigator.language.slice(0, 10), ...more });
  return seen(told);
}

export async function start() {
  const last = await settle();
  return last === null ? open() : send(last);
}

async function send(message) {
  const { status, told } = await until("did", message);
  await forget();
  return status === 200 ? seen(told) : open(); // what was refused is asked again as it stands there
}

export async function did(screen, done) {
  const message = { tab, step: screen.step, turn: screen.turn, at: now(), did: done, left: left() };
  await keep(message);
  return send(message);
}

export const begin = (language) => {
  const number = sessionStorage.getItem("begin") || hex(); // the same number begins the same session
  sessionStorage.setItem("begin", number);
  return open({ begin: number, language });
};

export async function withdraw() {
  const { told } = await until("withdraw", { sure: true });
  return seen(told);
}

setInterval(() => { if (living && !document.hidden) post("alive", { tab }); }, 25000);
