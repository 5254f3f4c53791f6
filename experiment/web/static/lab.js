// The day for the experimenter: asked for every few seconds, with the key that the server printed.

const at = (id) => document.getElementById(id);
const WORDS = { so_far: "So far", to_look_at: "To look at" };
let timer = null;

function table(name, rows) {
  const keys = [...new Set(rows.flatMap(Object.keys))];
  const made = document.createElement("table");
  const line = (cells, tag) => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const node = document.createElement(tag);
      node.textContent = cell ?? "";
      if (typeof cell === "number") node.className = "n";
      row.append(node);
    }
    return row;
  };
  made.append(line(keys.map((k) => k.replaceAll("_", " ")), "th"), ...rows.map((row) => line(keys.map((k) => row[k]), "td")));
  const title = document.createElement("h2");
  title.textContent = WORDS[name];
  const wide = document.createElement("div");
  wide.className = "wide";
  wide.append(made);
  return [title, wide];
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/api/lab", { headers: { Authorization: `Bearer ${at("key").value}` } });
    const told = await answer.json();
    if (!answer.ok) { at("said").textContent = told.error; return; }
    at("ask").hidden = true;
    at("title").textContent = told.title;
    at("said").textContent = new Date().toLocaleTimeString();
    at("tables").replaceChildren(...Object.keys(WORDS).filter((k) => told[k].length).flatMap((k) => table(k, told[k])));
  } catch {
    at("said").textContent = "no connection";
  }
  timer = setTimeout(look, 4000);
}

at("look").addEventListener("click", look);
at("key").addEventListener("keydown", (event) => { if (event.key === "Enter") look(); });
