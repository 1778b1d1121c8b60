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

// scalar finds a value by the part of its name after the prefix.
function scalar(object, name) {
  for (const key of Object.keys(object || {})) {
    if (key.slice(Math.max(key.lastIndexOf(":"), key.lastIndexOf("/"), key.lastIndexOf("#")) + 1) === name) return String(object[key]);
  }
  return undefined;
}

// expected is what a field that is bound to an event must show.
function expected(event, path) {
  const [name, format] = path.split("|");
  if (name === "eventTime") return local(event);
  if (name === "eventDate") return local(event).slice(0, 10);
  const value = name.startsWith("ilmd/") ? scalar(event.ilmd, name.slice(5)) : scalar(event, name);
  return format === "time" && value ? value.slice(0, 19).replace("T", " ") : value;
}

function report(items) {
  const list = checks.querySelector("ol");
  list.replaceChildren(...items.map(({ ok, text }) => {
    const li = document.createElement("li");
    li.textContent = (ok ? "✓ " : "✗ ") + text;
    if (!ok) li.className = "bad";
    return li;
  }));
  checks.hidden = false;
}

async function run() {
  button.disabled = true;
  result.className = "";
  result.textContent = say("正在验证…", "Verifying…");
  const items = [];
  const events = new Map();
  let good = 0;
  for (const script of document.querySelectorAll("script.receipt")) {
    const seq = script.dataset.seq;
    let outcome;
    try {
      outcome = await verify(script.textContent, document.body.dataset.key);
    } catch (e) {
      outcome = { ok: false, checks: [{ name: "format", ok: false, detail: String(e) }] };
    }
    const step = document.querySelector(`[data-step="${seq}"]`);
    step?.classList.add(outcome.ok ? "proved" : "broken");
    if (outcome.ok) {
      good++;
      events.set(seq, JSON.parse(script.textContent).event);
      items.push({ ok: true, text: say(`第 ${seq} 号记录：`, `record ${seq}: `) + outcome.checks.map((c) => c.name).join(" · ") });
    } else {
      const failed = outcome.checks.find((c) => !c.ok) || { name: "?", detail: "" };
      items.push({ ok: false, text: say(`第 ${seq} 号记录：`, `record ${seq}: `) + `${failed.name} — ${failed.detail}` });
    }
  }
  for (const field of document.querySelectorAll("[data-path]")) {
    const event = events.get(field.dataset.seq);
    if (!event) continue;
    const want = expected(event, field.dataset.path);
    if (want !== field.textContent) {
      items.push({ ok: false, text: say(`页面显示“${field.textContent}”，而登记的是“${want}”`, `the page shows "${field.textContent}", recorded is "${want}"`) });
    }
  }
  const bad = items.filter((i) => !i.ok);
  if (bad.length === 0 && good > 0) {
    result.className = "ok";
    result.textContent = say(`验证通过：${good} 条记录均已登记在账本上，且未被改动`, `Verified: all ${good} records are on the ledger, unchanged`);
  } else {
    result.className = "bad";
    result.textContent = say("验证失败：", "Verification failed: ") + (bad[0]?.text ?? say("没有可验证的记录", "there is nothing to verify"));
  }
  report(items);
  button.disabled = false;
}

button?.addEventListener("click", run);
