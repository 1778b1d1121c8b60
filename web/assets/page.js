// Recomputes, on this device, every proof of what the page shows, and compares what is shown with what is proved. The
// page's policy forbids it to connect anywhere meanwhile.
import { verify } from "./verify.js";

const zh = document.body.dataset.lang !== "en";
const say = (z, e) => (zh ? z : e);
const result = document.getElementById("result");
const button = document.getElementById("verify");
const checks = document.getElementById("checks");

// local renders an event's time in the offset that was stated with it, as the server does.
function local(event) {
  const m = /^([+-])(\d\d):(\d\d)$/.exec(event.eventTimeZoneOffset || "");
  const minutes = m ? (m[1] === "-" ? -1 : 1) * (60 * m[2] + 1 * m[3]) : 0;
  const at = new Date(Math.floor(Date.parse(event.eventTime) / 1000) * 1000 + minutes * 60000);
  return at.toISOString().slice(0, 19).replace("T", " ");
}

// scalar finds a text or number by the part of its name after the prefix.
function scalar(object, name) {
  let found;
  for (const [key, value] of Object.entries(object ?? {})) {
    const local = key.slice(Math.max(key.lastIndexOf(":"), key.lastIndexOf("/"), key.lastIndexOf("#")) + 1);
    if (local === name && (typeof value === "string" || typeof value === "number")) found = String(value);
  }
  return found;
}

// extensions are the fields of an event that are not of EPCIS itself.
const extensions = (event) => Object.fromEntries(Object.entries(event).filter(([name]) => name.includes(":")));

// item reads GTIN and serial number of the page's item, if an event is about it.
function item(event) {
  const id = document.body.dataset.id;
  const m = /\/01\/(\d{14})\/21\/([^/?#]+)$/.exec(event.epcList?.includes(id) ? id : "");
  return m ? { gtin: m[1], serial: decodeURIComponent(m[2]) } : {};
}

// expected is what a field that is bound to an event must show.
function expected(event, path, shown) {
  const [name, format] = path.split("|");
  switch (name) {
    case "eventTime": return local(event);
    case "eventDate": return local(event).slice(0, 10);
    case "item/serial": return item(event).serial;
    case "item/gtin": return item(event).gtin?.slice(-Math.max(8, shown.length));
  }
  const value = name.startsWith("ilmd/") ? scalar(event.ilmd, name.slice(5)) : scalar(extensions(event), name);
  return format === "time" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value ?? "") ? value.slice(0, 19).replace("T", " ") : value;
}

// checkName is what a reader calls a check of verify.js.
function checkName(name) {
  const words = { format: "格式", event: "事件摘要", leaf: "叶子记录", checkpoint: "检查点签名", inclusion: "包含证明", ledger: "账本凭证", trust: "日志公钥" };
  return zh ? words[name] ?? name : name;
}

// proveRecords verifies every receipt in the page: an item for the reader each, and the events that are proved.
async function proveRecords() {
  const items = [];
  const events = new Map();
  for (const script of document.querySelectorAll("script.receipt")) {
    const seq = script.dataset.seq;
    let outcome, receipt;
    try {
      receipt = JSON.parse(script.textContent); // a JSON text that holds the receipt's own bytes
      outcome = await verify(receipt, document.body.dataset.key);
    } catch (e) {
      outcome = { ok: false, complete: true, checks: [{ name: "format", ok: false, detail: String(e) }] };
    }
    document.querySelector(`[data-step="${seq}"]`)?.classList.add(outcome.ok ? "proved" : outcome.complete ? "broken" : "open");
    const which = say(`第 ${seq} 号记录`, `record ${seq}`);
    if (outcome.ok) {
      events.set(seq, JSON.parse(receipt).event);
      items.push({ ok: true, seq, receipt, text: which + say("：", ": ") + outcome.checks.map((c) => checkName(c.name)).join(" · ") });
      continue;
    }
    const stopped = outcome.checks.find((c) => c.ok === false) ?? outcome.checks.find((c) => !c.ok);
    items.push({
      ok: stopped.ok, seq, receipt, text: `${which}${say("：", ": ")}${checkName(stopped.name)} — ${stopped.detail}`,
      brief: say(`${which}未通过“${checkName(stopped.name)}”检查`, `${which} does not pass the check "${stopped.name}"`),
    });
  }
  return { items, events };
}

// compareFields holds every field that is bound to an event against that event.
function compareFields(events) {
  const items = [];
  for (const field of document.querySelectorAll("[data-path]")) {
    field.classList.remove("proved", "broken");
    const event = events.get(field.dataset.seq);
    if (!event) continue;
    const shown = field.textContent;
    const want = expected(event, field.dataset.path, shown);
    field.classList.add(want === shown ? "proved" : "broken");
    if (want !== shown) {
      items.push({ ok: false, text: say(`页面显示“${shown}”，而登记的是“${want}”`, `the page shows "${shown}", recorded is "${want}"`) });
    }
  }
  return items;
}

// verdict sums up: bad if anything is wrong, part if something could not be checked, ok only if everything holds.
function verdict(items, good, steps) {
  const wrong = items.find((i) => i.ok === false);
  if (wrong) return ["bad", say("验证失败：", "Verification failed: ") + (wrong.brief ?? wrong.text)];
  const open = items.find((i) => i.ok === null);
  if (open) return ["part", say("无法在此浏览器中完成验证：", "This browser cannot verify: ") + open.text];
  if (good < steps) {
    return ["part", say(`${steps} 条记录中已验证 ${good} 条，其余尚未登记到账本`, `Verified ${good} of ${steps} records; the others are not on the ledger yet`)];
  }
  return ["ok", say(`验证通过：${good} 条记录均已登记在账本上，且未被改动`, `Verified: all ${good} records are on the ledger, unchanged`)];
}

// saved is a link that saves a receipt, byte for byte, for those who verify it elsewhere.
function saved(seq, receipt) {
  const a = document.createElement("a");
  a.href = "data:application/json;charset=utf-8," + encodeURIComponent(receipt);
  a.download = `receipt-${seq}.json`;
  a.textContent = say("保存凭证", "Save the receipt");
  a.setAttribute("aria-label", say(`保存第 ${seq} 号记录的凭证`, `Save the receipt of record ${seq}`));
  return a;
}

// report lists every check, what needs attention first.
function report(items) {
  items.sort((a, b) => [false, null, true].indexOf(a.ok) - [false, null, true].indexOf(b.ok));
  checks.querySelector("ol").replaceChildren(...items.map(({ ok, text, seq, receipt }) => {
    const li = document.createElement("li");
    li.textContent = (ok ? "✓ " : ok === null ? "? " : "✗ ") + text;
    if (ok === false) li.className = "bad";
    if (receipt) li.append(saved(seq, receipt));
    return li;
  }));
  checks.open ||= items.some((i) => i.ok !== true);
}

async function run() {
  button.disabled = true;
  result.style.minHeight = `${result.getBoundingClientRect().height}px`; // a shorter text moves nothing
  result.className = "";
  result.textContent = say("正在验证…", "Verifying…");
  for (const step of document.querySelectorAll("[data-step]")) step.classList.remove("proved", "broken", "open");
  const { items, events } = await proveRecords();
  items.push(...compareFields(events));
  const steps = new Set([...document.querySelectorAll("[data-path]")].map((e) => e.dataset.seq)).size;
  [result.className, result.textContent] = verdict(items, events.size, steps);
  for (const badge of document.querySelectorAll(".badge.ok")) badge.hidden = result.className === "bad"; // one page, one verdict
  report(items);
  button.disabled = false;
}

button?.addEventListener("click", run);
