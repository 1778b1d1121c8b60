// The operator's console: reads the hub's own API with the key that was typed, every five seconds.
const zh = document.body.dataset.lang !== "en";
const say = (z, e) => (zh ? z : e);
const byId = (id) => document.getElementById(id);
let key = "";
let timer;

async function get(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { Authorization: "Bearer " + key } });
  const body = await answer.json();
  if (!answer.ok && !body.checks) throw new Error((zh && body.detailZh) || body.detail || answer.statusText);
  return body;
}

function table(id, heads, rows) {
  const row = (cells, tag) => {
    const tr = document.createElement("tr");
    for (const c of cells) {
      const td = document.createElement(tag);
      td.append(c instanceof Node ? c : String(c ?? ""));
      tr.append(td);
    }
    return tr;
  };
  const empty = rows.length === 0 ? [row([say("无", "none")], "td")] : [];
  for (const tr of empty) tr.firstChild.colSpan = heads.length;
  byId(id).replaceChildren(row(heads, "th"), ...rows.map((r) => row(r, "td")), ...empty);
}

function action(text, run) {
  const b = document.createElement("button");
  b.textContent = text;
  b.addEventListener("click", async () => {
    b.disabled = true;
    try { await run(); await refresh(); } catch (e) { byId("problem").textContent = e.message; }
  });
  return b;
}

const when = (t) => (t ? new Date(t).toLocaleString(zh ? "zh-CN" : "en-GB") : "");

async function refresh() {
  const [ready, connectors, dead, anchors] = await Promise.all(
    ["/readyz", "/v1/connectors", "/v1/dead-letters", "/v1/anchors"].map((p) => get(p)));
  table("ready", [say("检查", "check"), "", say("原因", "reason")], ready.checks.map((c) => [c.name, c.ok ? "✓" : "✗", c.reason]));
  table("connectors", ["id", say("提供方", "provider"), say("类型", "kind"), say("状态", "state"), say("记录", "records"), say("最近", "last"), say("错误", "error"), ""],
    connectors.connectors.map((c) => [c.id, c.provider, c.kind, c.state + (c.silent ? " · " + say("静默", "silent") : ""), c.records, when(c.lastTakenAt), c.tripped || c.lastError,
      c.state === "paused" || c.tripped ? action(say("恢复", "Resume"), () => get(`/v1/connectors/${c.id}/resume`, { method: "POST" }))
        : action(say("暂停", "Pause"), () => get(`/v1/connectors/${c.id}/pause`, { method: "POST" }))]));
  table("dead", ["#", say("连接器", "connector"), say("记录", "record"), say("代码", "code"), say("原因", "why"), say("位置", "where"), ""],
    dead.deadLetters.map((d) => [d.id, d.connector, d.record, d.problem.code, (zh && d.problem.detailZh) || d.problem.detail,
      [d.origin, d.problem.where?.line, d.problem.where?.column].filter(Boolean).join(":") + " " + (d.problem.where?.pointer ?? ""),
      action(say("重放", "Replay"), () => get(`/v1/dead-letters/${d.id}/replay`, { method: "POST" }))]));
  table("anchors", [say("大小", "size"), say("根", "root"), say("状态", "state"), say("时间", "committed")],
    anchors.anchors.slice(0, 20).map((a) => [a.size, a.root.slice(0, 16) + "…", a.state, when(a.committedAt)]));
}

byId("login").querySelector("form").addEventListener("submit", async (e) => {
  e.preventDefault();
  key = byId("key").value.trim();
  try {
    await refresh();
    byId("problem").textContent = "";
    byId("panels").hidden = false;
    clearInterval(timer);
    timer = setInterval(() => refresh().catch((err) => { byId("problem").textContent = err.message; }), 5000);
  } catch (err) {
    byId("problem").textContent = err.message;
  }
});
