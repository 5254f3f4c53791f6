// When the page was out of sight, or left the whole screen that it was given: told with the next answer, in the way of nothing.

const MOST = 50; // of one message
let times = [];
let since = null; // since when the page is out of sight, ms of the page: the session's clock may begin after that
let asked = false;
let clock = () => 0;

const rounded = (x) => Math.round(1000 * Math.max(0, x)) / 1000;

export function counting(now) {
  clock = now;
}

export function left() {
  const told = times.slice(0, MOST);
  times = times.slice(MOST);
  return told;
}

export function wholeScreen(told) {
  // Asked for once, by the press that begins; a browser that has no such thing, or a person who has not, goes on as it is.
  if (!told.fullscreen || asked) return;
  asked = true;
  document.documentElement.requestFullscreen?.({ navigationUI: "hide" }).catch(() => {});
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { since = performance.now(); return; }
  if (since === null) return;
  const seconds = (performance.now() - since) / 1000;
  times.push({ what: "page", at: rounded(clock() - seconds), seconds: rounded(seconds) });
});
document.addEventListener("fullscreenchange", () => {
  if (document.fullscreenElement === null) times.push({ what: "fullscreen", at: rounded(clock()), seconds: null });
});
