// The operator's console: reads the hub's own API with the key that was typed, every five seconds.
const zh = document.body.dataset.lang !== "en";
const say = (z, e) => (zh ? z : e);
const byId = (id) => document.getElementById(id);
let key = "";
let timer;

async function get(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { Authorization: "Bearer " + key } }).catch(() => {
    throw new Error(say("平台没有应答", "The hub does not answer"));
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok && !body.checks) {
    const detail = (zh && body.detailZh) || body.detail || `${answer.status} ${answer.statusText}`;
    let hint = (zh && body.hintZh) || body.hint;
    if (body.code === "key.unknown") { // what a program would change is not what a person does
      hint = say("平台首次启动时打印了管理密钥；其他密钥用 suyuan key new 新建", "the hub printed its admin key at its first start; suyuan key new makes others");
    }
    throw new Error(hint ? `${detail} → ${hint}` : detail);
  }
  return body;
}

// What the API calls things, in Chinese. What is not here stands as it is.
const words = {
  starting: "启动中", reading: "读取中", waiting: "等待数据", retrying: "重试中", failed: "失败", paused: "已暂停", tripped: "已熔断",
  receiving: "接收中", retired: "已停用", stopped: "已停止", sealed: "已封存", submitted: "已提交", committed: "已登记",
  stream: "消息流", store: "存储", anchor: "锚定",
};
const word = (name) => (zh && words[name]) || name;

// element makes an element; where a screen shows tables as lists, data-label stands before a cell's content.
function element(tag, role, content, label) {
  const e = document.createElement(tag);
  e.setAttribute("role", role);
  if (label) e.dataset.label = label;
  e.append(...content.map((c) => (c instanceof Node ? c : String(c ?? ""))));
  return e;
}

const drawn = {};

// table draws rows of cells. A row may have a note, which stands below it over the whole width. What has not changed stays as it
// is, with what is selected in it; and the button that has the focus keeps it.
function table(id, heads, rows) {
  const state = JSON.stringify(rows);
  if (drawn[id] === state) return;
  drawn[id] = state;
  const wide = (e) => { e.colSpan = heads.length; return e; };
  const body = rows.flatMap(({ cells, button, note }) => {
    const tds = cells.map((c, i) => element("td", "cell", [c], heads[i]));
    if (button) tds.push(element("td", "cell", [action(button)]));
    const tr = element("tr", "row", tds);
    if (!note) return [tr];
    tr.className = "noted";
    const below = element("tr", "row", [wide(element("td", "cell", [note]))]);
    below.className = "below";
    return [tr, below];
  });
  if (rows.length === 0) body.push(element("tr", "row", [wide(element("td", "cell", [say("无", "none")]))]));
  const focus = document.activeElement?.closest("#" + id) ? document.activeElement.dataset.about : undefined;
  byId(id).replaceChildren(element("thead", "rowgroup", [element("tr", "row", heads.map((h) => element("th", "columnheader", [h])))]),
    element("tbody", "rowgroup", body));
  if (focus) byId(id).querySelector(`button[data-about="${CSS.escape(focus)}"]`)?.focus();
}

// action is a button that asks the hub for something; about says to those who only hear it what it is about. It is not
// disabled meanwhile: it would lose the focus.
function action({ text, about, path }) {
  const b = document.createElement("button");
  b.textContent = text;
  b.setAttribute("aria-label", `${text} ${about}`);
  b.dataset.about = about;
  b.addEventListener("click", async () => {
    if (b.classList.contains("busy")) return;
    b.classList.add("busy");
    try {
      await get(path, { method: "POST" });
      await refresh();
    } catch (e) {
      byId("problem").textContent = e.message;
    }
    b.classList.remove("busy");
  });
  return b;
}

// when is a time in the reader's time zone, written as on the trace page: as Swedes do.
const when = (t) => (t ? new Date(t).toLocaleString("sv-SE") : "");

// brief is a long id's beginning and end.
const brief = (id) => (id.length > 28 ? id.slice(0, 12) + "…" + id.slice(-8) : id);

function connector(c) {
  const stopped = c.state === "paused" || c.tripped;
  const verb = stopped ? "resume" : "pause";
  return {
    cells: [c.id, c.provider, c.kind, word(c.state) + (c.silent ? " · " + say("静默", "silent") : ""), c.records, when(c.lastTakenAt)],
    button: { text: stopped ? say("恢复", "Resume") : say("暂停", "Pause"), about: c.id, path: `/v1/connectors/${c.id}/${verb}` },
    note: (zh && (c.tripped ? c.trippedZh : c.lastErrorZh)) || c.tripped || c.lastError,
  };
}

function letter(d) {
  const at = d.problem.where;
  const where = [[d.origin, at?.line, at?.column].filter(Boolean).join(":"), at?.pointer].filter(Boolean).join(" ");
  return {
    cells: [d.id, d.connector, brief(d.record), d.problem.code, where],
    button: { text: say("重放", "Replay"), about: "#" + d.id, path: `/v1/dead-letters/${d.id}/replay` },
    note: [(zh && d.problem.detailZh) || d.problem.detail, zh ? d.problem.hintZh : d.problem.hint].filter(Boolean).join(" → "),
  };
}

async function refresh() {
  const [ready, connectors, dead, anchors] = await Promise.all(
    ["/readyz", "/v1/connectors", "/v1/dead-letters", "/v1/anchors"].map((p) => get(p)));
  table("ready", [say("检查", "check"), say("结果", "result"), say("说明", "reason")],
    ready.checks.map((c) => ({ cells: [word(c.name), c.ok ? "✓" : "✗", (zh && c.reasonZh) || c.reason] })));
  table("connectors", [say("编号", "id"), say("提供方", "provider"), say("类型", "kind"), say("状态", "state"), say("记录", "records"), say("最近", "last"), ""],
    connectors.connectors.map(connector));
  table("dead", ["#", say("连接器", "connector"), say("记录", "record"), say("代码", "code"), say("位置", "where"), ""], dead.deadLetters.map(letter));
  table("anchors", [say("大小", "size"), say("根", "root"), say("状态", "state"), say("时间", "committed")],
    anchors.anchors.slice(0, 20).map((a) => ({ cells: [a.size, a.root.slice(0, 16) + "…", word(a.state), when(a.committedAt)] })));
  byId("problem").textContent = "";
}

byId("login").querySelector("form").addEventListener("submit", async (e) => {
  e.preventDefault();
  key = byId("key").value.trim();
  try {
    await refresh();
    byId("panels").hidden = false;
    clearInterval(timer);
    timer = setInterval(() => refresh().catch((err) => { byId("problem").textContent = err.message; }), 5000);
  } catch (err) {
    byId("problem").textContent = err.message;
  }
});
