// Each kind of question: choose, then confirm; by mouse, finger or keyboard alone.

import { dialog, el, Screen } from "./screen.js";

const TYPING = 1000; // ms in which the next digit belongs to the number before it
const onward = (key) => key === "Enter" || key === " ";

function asked(screen, question, ...more) {
  if (question.text) screen.middle.append(el("h1", { class: "asked", dir: "auto", id: "asked" }, question.text));
  if (question.word) screen.middle.append(el("p", { class: question.long ? "word long" : "word", dir: "auto" }, question.word));
  if (question.hint) screen.middle.append(el("p", { class: "hint", dir: "auto" }, question.hint));
  screen.middle.append(...more);
}

function settled(screen, resolve, value) {
  resolve({ ...value, response_time: screen.took(), interaction: screen.interaction() });
}

function confirming(screen, told, go) {
  const next = screen.button(told.next, go, { class: "primary", "data-name": "next", disabled: true });
  return next;
}

export function pick(told, question, corner, back, title = "") {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    let chosen = null;
    const go = () => { if (chosen !== null) settled(screen, resolve, { chosen: [chosen] }); };
    const next = confirming(screen, told, go);
    const take = (i) => {
      screen.seen.moves += i !== chosen;
      chosen = i;
      nodes.forEach((node, k) => { node.classList.toggle("on", k === i); node.setAttribute("aria-checked", String(k === i)); });
      next.disabled = false;
    };
    const nodes = question.options.map((o, i) => screen.button(o.label, () => take(i), { role: "radio", "aria-checked": "false" }));
    screen.keys = (key) => {
      const found = question.options.findIndex((o) => o.key === key);
      if (found >= 0) take(found);
      else if (key === "ArrowDown" || key === "ArrowUp") take(chosen === null ? 0 : Math.min(nodes.length - 1, Math.max(0, chosen + (key === "ArrowDown" ? 1 : -1))));
      else if (onward(key)) go();
      else return false;
      return true;
    };
    if (title) screen.middle.append(el("h1", { dir: "auto" }, title));
    asked(screen, question, el("div", { class: nodes.length > 8 ? "list many" : "list", role: "radiogroup", "aria-labelledby": "asked" }, ...nodes), next);
  });
}

function several(told, question, corner, back) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    const chosen = new Set();
    const fine = () => {
      if (question.alone !== null && chosen.has(question.alone)) return chosen.size === 1;
      return chosen.size >= question.low && chosen.size <= question.high;
    };
    const go = () => { if (fine()) settled(screen, resolve, { chosen: [...chosen].sort((a, b) => a - b) }); };
    const next = confirming(screen, told, go);
    const shown = () => {
      nodes.forEach((node, k) => { node.classList.toggle("on", chosen.has(k)); node.setAttribute("aria-checked", String(chosen.has(k))); });
      next.disabled = !fine();
    };
    const take = (i) => {
      if (chosen.has(i)) chosen.delete(i);
      else if (i === question.alone) { chosen.clear(); chosen.add(i); }
      else {
        const beside = [...chosen].filter((x) => x !== question.alone);
        if (beside.length >= question.high) return;
        chosen.delete(question.alone);
        chosen.add(i);
      }
      screen.seen.moves += 1;
      shown();
    };
    const nodes = question.options.map((o, i) => screen.button(o.label, () => take(i), { role: "checkbox", "aria-checked": "false" }));
    screen.keys = (key) => {
      const found = question.options.findIndex((o) => o.key === key);
      if (found >= 0) take(found);
      else if (key === "Enter") go();
      else return false;
      return true;
    };
    asked(screen, question, el("div", { class: nodes.length > 8 ? "list many" : "list", role: "group", "aria-labelledby": "asked" }, ...nodes), next);
    shown();
  });
}

function number(told, question, corner, back) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    let typed = "";
    const fine = () => typed !== "" && Number(typed) >= question.low && Number(typed) <= question.high;
    const box = el("div", { class: "number", role: "status", "aria-label": question.text }, "_");
    const go = async () => {
      if (!fine()) return;
      if (question.doubt !== null && Number(typed) < question.doubt) {
        const buttons = question.sure.options.map((o, i) => ({ name: i === 0 ? "yes" : "no", label: o.label, key: o.key }));
        if ((await dialog(told, question.sure.text.replace("{answer}", typed), buttons)) !== "yes") { typed = ""; shown(); return; }
      }
      settled(screen, resolve, { value: Number(typed) });
    };
    const next = confirming(screen, told, go);
    const shown = () => { box.textContent = typed || "_"; next.disabled = !fine(); };
    const press = (name) => {
      if (name === "erase") typed = typed.slice(0, -1);
      else if (typed.length < String(question.high).length) typed += name;
      screen.seen.moves += 1;
      shown();
    };
    screen.keys = (key) => {
      if (/^[0-9]$/.test(key)) press(key);
      else if (key === "Backspace") press("erase");
      else if (key === "Enter") go();
      else return false;
      return true;
    };
    const pad = question.pad.map((b) => screen.button(b.label, () => press(b.name), { class: b.name === "erase" ? "last" : "" }));
    asked(screen, question, box, el("div", { class: "pad", dir: "ltr" }, ...pad), next);
  });
}

function written(told, question, corner, back) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    const box = el("textarea", { maxlength: question.high, "aria-labelledby": "asked", dir: "auto", autocomplete: "off" });
    const words = () => box.value.split(/\s+/).filter(Boolean).join(" ");
    const go = () => { if (words().length >= question.low) settled(screen, resolve, { said: words() }); };
    const next = confirming(screen, told, go);
    const shown = () => { next.disabled = words().length < question.low; };
    box.addEventListener("input", () => { screen.seen.moves += 1; shown(); });
    screen.keys = (key) => { if (key === "Enter") go(); return key === "Enter"; };
    asked(screen, question, box, next);
    shown();
  });
}

// On a scale that goes under 0 digits answer nothing: whoever typed -3 would have 3.
const digit = (key, question) => question.low >= 0 && /^[0-9]$/.test(key);

export function line(screen, question, changed) {
  // A line with a tick at every whole number, and no marker until it is touched.
  const { low, high } = question;
  let value = question.start;
  const mark = el("div", { class: "mark", hidden: value === null });
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => el("div", { class: high - low > 20 && i % 10 ? "tick short" : "tick" }));
  const node = el("div", {
    class: "line", role: "slider", tabindex: "0", dir: "ltr", "aria-valuemin": low, "aria-valuemax": high, "aria-orientation": "horizontal",
    "aria-label": `${question.text} ${question.labels[0]} – ${question.labels[question.labels.length - 1]}`,
  }, el("div", { class: "bar" }), ...ticks, mark);
  const share = (x) => `${(100 * (x - low)) / (high - low)}%`;
  ticks.forEach((tick, i) => { tick.style.left = share(low + i); });
  const put = (wanted) => {
    const found = Math.min(high, Math.max(low, wanted));
    screen.seen.moves += found !== value;
    value = found;
    shown();
    changed(value);
  };
  const shown = () => {
    mark.hidden = value === null;
    if (value !== null) { mark.style.left = share(value); node.setAttribute("aria-valuenow", value); }
    node.setAttribute("aria-valuetext", value === null ? "–" : String(value));
  };
  const drag = (event) => {
    const box = node.getBoundingClientRect();
    put(Math.round(low + ((event.clientX - box.left) / box.width) * (high - low)));
  };
  node.addEventListener("pointerdown", (event) => {
    if (!screen.counts(event.timeStamp)) return;
    node.setPointerCapture(event.pointerId);
    node.dataset.held = "";
    drag(event);
  });
  node.addEventListener("pointermove", (event) => { if ("held" in node.dataset) drag(event); });
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { delete node.dataset.held; });
  shown();
  return { node, put, nudge: (way) => put((value === null ? Math.floor((low + high) / 2) : value) + way), value: () => value };
}

export const ends = (labels, big = false) => el("div", { class: big ? "ends big" : "ends", dir: "ltr" }, ...[labels[0], labels[labels.length - 1]].map((x) => el("span", { dir: "auto" }, x)));

export function slider(told, question, corner, back) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    const go = () => { if (scale.value() !== null) settled(screen, resolve, { value: scale.value() }); };
    const next = confirming(screen, told, go);
    const scale = line(screen, question, () => { next.disabled = false; });
    next.disabled = scale.value() === null;
    let typed = "";
    let typedAt = 0;
    screen.keys = (key) => {
      if (key === "ArrowLeft" || key === "ArrowRight") { typed = ""; scale.nudge(key === "ArrowLeft" ? -1 : 1); }
      else if (digit(key, question)) {
        // A number is typed digit by digit; where the next one leads over the end, it begins anew.
        const before = performance.now() - typedAt < TYPING ? typed : "";
        const longer = before + key;
        typed = Number(before) > 0 && Number(longer) <= question.high ? longer : Number(key) <= question.high ? key : "";
        typedAt = performance.now();
        if (typed && Number(typed) >= question.low) scale.put(Number(typed));
      } else if (onward(key)) go();
      else return false;
      return true;
    };
    asked(screen, question, el("div", { class: "scale" }, scale.node, ends(question.labels)), next);
  });
}

function steps(told, question, corner, back) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner, back });
    const n = question.high - question.low + 1;
    const named = question.labels.length === n;
    let value = null;
    const go = () => { if (value !== null) settled(screen, resolve, { value }); };
    const next = confirming(screen, told, go);
    const take = (wanted) => {
      screen.seen.moves += wanted !== value;
      value = wanted;
      nodes.forEach((node, i) => { node.classList.toggle("on", question.low + i === value); node.setAttribute("aria-checked", String(question.low + i === value)); });
      next.disabled = false;
    };
    const nodes = Array.from({ length: n }, (_, i) => screen.button(named ? question.labels[i] : String(question.low + i), () => take(question.low + i), { role: "radio", "aria-checked": "false" }));
    screen.keys = (key) => {
      if (digit(key, question) && Number(key) >= question.low && Number(key) <= question.high) take(Number(key));
      else if (key === "ArrowLeft" || key === "ArrowRight") {
        const way = key === "ArrowRight" ? 1 : -1;
        take(value === null ? question.low + Math.floor(n / 2) : Math.min(question.high, Math.max(question.low, value + way)));
      } else if (onward(key)) go();
      else return false;
      return true;
    };
    const row = el("div", { class: named ? "steps named" : "steps", role: "radiogroup", "aria-labelledby": "asked", dir: "ltr" }, ...nodes);
    asked(screen, question, el("div", { class: "scale" }, row, named ? null : ends(question.labels, !question.word)), next);
  });
}

const KINDS = { choice: pick, multiple: several, number, text: written, slider, steps };

export function question(told, corner, back) {
  return KINDS[told.question.kind](told, told.question, corner, back);
}

export function form(told) {
  return new Promise((resolve) => {
    const screen = new Screen(told, { corner: told.corner });
    const first = told.questions[0];
    const n = first.high - first.low + 1;
    const rows = told.questions.map(() => ({ value: null, moves: 0, took: 0 }));
    let at = 0;
    const ready = () => rows.every((row) => row.value !== null);
    const go = () => {
      if (!ready()) return;
      const seen = screen.interaction();
      resolve({ answers: rows.map((row) => ({ value: row.value, response_time: row.took, interaction: { ...seen, moves: row.moves } })) });
    };
    const next = confirming(screen, told, go);
    const take = (k, value) => {
      rows[k].moves += value !== rows[k].value;
      rows[k].value = value;
      rows[k].took = screen.took();
      const open = [...rows.keys()].map((i) => (k + 1 + i) % rows.length).find((i) => rows[i].value === null);
      at = open ?? Math.min(k + 1, rows.length - 1);
      shown();
    };
    const cells = told.questions.map((q, k) => Array.from({ length: n }, (_, i) => screen.button(String(q.low + i), () => take(k, q.low + i), { role: "radio", "aria-checked": "false", "aria-label": `${q.word || q.labels.join(" – ")}: ${q.labels.length === n ? q.labels[i] : q.low + i}` })));
    const lines = told.questions.map((q, k) => {
      const left = q.word || q.labels[0];
      const right = q.word ? null : el("th", { class: "right", dir: "auto" }, q.labels[q.labels.length - 1]);
      return el("tr", { role: "radiogroup", "aria-label": left }, el("th", { scope: "row", dir: "auto" }, left), ...cells[k].map((x) => el("td", {}, x)), right);
    });
    const shown = () => {
      lines.forEach((row, k) => row.classList.toggle("at", k === at));
      cells.forEach((some, k) => some.forEach((node, i) => { node.classList.toggle("on", rows[k].value === told.questions[k].low + i); node.setAttribute("aria-checked", String(rows[k].value === told.questions[k].low + i)); }));
      next.disabled = !ready();
    };
    const over = first.word ? Array.from({ length: n }, (_, i) => (first.labels.length === n ? first.labels[i] : i === 0 ? first.labels[0] : i === n - 1 ? first.labels[1] : "")) : null;
    const head = over ? el("thead", {}, el("tr", {}, el("td", {}), ...over.map((x) => el("td", { dir: "auto" }, x)))) : null;
    screen.keys = (key) => {
      const { low, high } = told.questions[at];
      if (key === "ArrowUp" || key === "ArrowDown") { at = Math.min(rows.length - 1, Math.max(0, at + (key === "ArrowDown" ? 1 : -1))); shown(); }
      else if (digit(key, told.questions[at]) && Number(key) >= low && Number(key) <= high) take(at, Number(key));
      else if (key === "ArrowLeft" || key === "ArrowRight") {
        const way = key === "ArrowRight" ? 1 : -1;
        const k = at;
        take(k, rows[k].value === null ? Math.floor((low + high) / 2) : Math.min(high, Math.max(low, rows[k].value + way)));
        at = k;
        shown();
      } else if (onward(key)) go();
      else return false;
      return true;
    };
    screen.middle.append(el("h1", { class: "asked", dir: "auto" }, first.text), el("table", { class: "form", dir: "ltr" }, head, el("tbody", {}, ...lines)), next);
    shown();
  });
}
