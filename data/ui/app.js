// SPDX-License-Identifier: Apache-2.0
// The dashboard: asks the REST interface every second, and draws what it says. What comes from
// there, names of VMs above all, is text for people and never markup.

import { Meter, Plot, bytes, count, duration, element, number, percent, say, setState } from "./widgets.js";

const POLL_MS = 1000;
const TOKEN = "vgpu-token"; // in sessionStorage: it ends with the tab

const byId = (id) => document.getElementById(id);

/* The REST interface. */

// What the mediator answered instead of doing it: a problem document, where there was one.
class Refusal extends Error {
  constructor(status, problem) {
    const field = problem.field ? ` (${problem.field})` : "";
    super(problem.detail ? `${problem.detail}${field}` : `The mediator answered with ${status}.`);
    this.status = status;
  }
}

async function call(method, path) {
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(path, {
    method,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: AbortSignal.timeout(10000),
  });
  if (response.ok) return response.json();
  throw new Refusal(response.status, await response.json().catch(() => ({})));
}

async function allVms() {
  const vms = [];
  for (let path = "/v1/vms"; path; ) {
    const page = await call("GET", path);
    vms.push(...page.vms);
    path = page.next;
  }
  return vms;
}

const vmPath = (uuid, rest) => `/v1/vms/${encodeURIComponent(uuid)}/${rest}`;

// The times of the VM that is chosen; null: it was deleted meanwhile.
async function timesOf(uuid) {
  if (!uuid) return null;
  return call("GET", vmPath(uuid, "times")).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
}

const plots = {
  total: new Plot("Latency", ["p50", "p99"], duration, 1e3),
  queue: new Plot("Time in the queue", ["p50", "p99"], duration, 1e3),
  rate: new Plot("Requests/s", ["done", "refused"], number, 10),
  gpu: new Plot("GPU time", ["use"], percent, 100),
};

/* What happened between two looks. */

// Histograms and counters only grow; one that shrank is of another VM or a database put back.
function difference(before, after) {
  const counts = after.map((count, i) => count - before[i]);
  return counts.every((count) => count >= 0) ? counts : null;
}

// The time that this part of the jobs did not exceed: where its bucket ends, as the mediator has it.
function percentile(counts, starts, part) {
  const total = counts ? counts.reduce((sum, count) => sum + count, 0) : 0;
  if (total === 0) return null;
  let seen = 0;
  const bucket = counts.findIndex((count) => (seen += count) >= total * part);
  return starts[Math.min(bucket + 1, starts.length - 1)];
}

const sum = (object) => Object.values(object).reduce((total, value) => total + value, 0);

// What a VM did a second since the last look; null where that cannot be said.
function rates(before, after, seconds) {
  const rate = (now, then) => (before && now >= then ? (now - then) / seconds : null);
  const old = before ?? after;
  const refused = sum(after.counters.refused);
  const done = after.counters.completed;
  const gpu = rate(after.usage.gpu_time_ns, old.usage.gpu_time_ns);
  return {
    requests: rate(done, old.counters.completed),
    refused: rate(refused, sum(old.counters.refused)),
    gpuPercent: gpu === null ? null : gpu / 1e7,
  };
}

/* What an operator does to a VM. */

const ACTIONS = {
  pause: ["Pause", "Its work waits, and gets no GPU until you resume it."],
  resume: ["Resume", "Its work goes on."],
  drain: ["Drain", "It finishes what it has, and may begin nothing new until you resume it."],
  reset: ["Reset", "Its workers end: its programs lose their contexts and what they hold on the GPU."],
  quarantine: ["Quarantine", "All that it has on the GPU ends, and what it asks for is refused until you release it."],
  release: ["Release", "It may use the GPU again, and its faults are forgotten."],
};

function possibleActions(vm) {
  if (vm.quarantined || vm.hold === "quarantined") return ["release"];
  if (vm.hold === "none") return ["pause", "quarantine", "drain", "reset"];
  return ["resume", "quarantine", "reset"];
}

const nameOf = (vm) => vm.name || vm.uuid;
let asked = null; // what the dialog asks about: { vm, action }

function ask(vm, action) {
  asked = { vm, action };
  say(byId("confirm-title"), `${ACTIONS[action][0]} ${nameOf(vm)}?`);
  say(byId("confirm-text"), ACTIONS[action][1]);
  say(byId("confirm-yes"), ACTIONS[action][0]);
  say(byId("confirm-error"), "");
  byId("confirm-yes").disabled = false;
  byId("confirm").showModal();
}

async function confirmed(event) {
  event.preventDefault();
  const { vm, action } = asked;
  byId("confirm-yes").disabled = true;
  say(byId("confirm-error"), "");
  try {
    const after = await call("POST", vmPath(vm.uuid, action));
    rows.get(vm.uuid)?.show(after);
    if (asked.vm === vm) byId("confirm").close();
  } catch (error) {
    if (error.status === 401) {
      byId("confirm").close();
      askToken(error);
    } else {
      say(byId("confirm-error"), `Not done: ${error.message}`);
    }
  } finally {
    byId("confirm-yes").disabled = false;
    wake();
  }
}

// Buttons that stay where they are: the focus stays, too, when what they do changes.
class Buttons {
  constructor(node, count) {
    this.node = node;
    this.all = Array.from({ length: count }, () => {
      const button = element("button", { type: "button" });
      button.addEventListener("click", () => ask(this.vm, button.dataset.action));
      return button;
    });
    node.append(...this.all);
  }

  show(vm, actions) {
    this.vm = vm;
    this.all.forEach((button, i) => {
      button.hidden = !actions[i];
      if (!actions[i]) return;
      button.dataset.action = actions[i];
      say(button, ACTIONS[actions[i]][0]);
      button.ariaLabel = `${ACTIONS[actions[i]][0]} ${nameOf(vm)}`;
    });
  }
}

/* The list of VMs. */

// busy: it has done something since the last look, whatever it does at this moment.
function vmState(vm, busy) {
  if (vm.problem) return ["not in force", "bad"];
  if (vm.quarantined || vm.hold === "quarantined") return ["quarantined", "bad"];
  if (vm.hold !== "none") return [vm.hold, "warn"];
  if (vm.link.state !== "up") return ["no device", ""];
  return vm.idle && !busy ? ["idle", ""] : ["working", "good"];
}

// Where libvirt's domain is not what is registered.
const driftOf = (vm) => vm.domain?.drift ?? [];

const rows = new Map(); // by uuid
let chosen = null; // the uuid of the VM whose details are shown

class Row {
  constructor() {
    this.busy = false;
    this.name = element("button", { type: "button", className: "name" });
    this.name.addEventListener("click", () => choose(this.vm.uuid, true));
    this.state = element("span", { className: "state" });
    this.drift = element("span", { className: "state warn", textContent: "drift", hidden: true });
    this.priority = element("span");
    this.weight = element("div", { className: "quiet" });
    this.memory = new Meter("GPU memory");
    this.window = new Meter("Window memory");
    this.time = new Meter("GPU time");
    this.rate = element("span");
    this.limit = element("div", { className: "quiet" });
    const buttons = element("div", { className: "buttons" });
    this.buttons = new Buttons(buttons, 2);
    this.node = element(
      "tr",
      {},
      element("th", { scope: "row" }, this.name, " ", this.state, " ", this.drift),
      this.cell("Priority", this.priority, this.weight),
      this.cell("GPU memory", this.memory.node),
      this.cell("Window", this.window.node),
      this.cell("GPU time", this.time.node),
      this.cell("Requests", this.rate, this.limit),
      this.cell("Actions", buttons),
    );
  }

  cell(label, ...children) {
    const cell = element("td", {}, ...children);
    cell.dataset.label = label;
    return cell;
  }

  show(vm) {
    // One that is not in force has no values.
    const quotas = vm.quotas ?? {};
    this.vm = vm;
    say(this.name, nameOf(vm));
    setState(this.state, ...vmState(vm, this.busy));
    this.state.title = vm.problem ?? "";
    this.drift.hidden = driftOf(vm).length === 0;
    say(this.priority, vm.priority ?? "–");
    say(this.weight, vm.weight ? `weight ${vm.weight}` : "");
    this.memory.setBytes(vm.usage.gpu_memory_bytes, quotas.gpu_memory_bytes);
    this.window.setBytes(vm.usage.window_bytes, quotas.window_bytes);
    say(this.limit, quotas.requests_per_second ? `of ${number(quotas.requests_per_second)}/s` : "no limit");
    this.buttons.show(vm, possibleActions(vm).slice(0, 2));
  }

  showRates(vm, rate) {
    const { gpu_time_guaranteed_percent: least, gpu_time_max_percent: most } = vm.quotas ?? {};
    const bounds = [least && `at least ${least}`, most && `at most ${most}`].filter(Boolean).join(", ");
    this.time.set(rate.gpuPercent, 100, percent(rate.gpuPercent) + (bounds ? ` (${bounds})` : ""), [least, most]);
    say(this.rate, `${number(rate.requests)}/s`);
    this.busy = rate.requests > 0;
    setState(this.state, ...vmState(vm, this.busy));
  }
}

function matches(vm, text) {
  return !text || nameOf(vm).toLowerCase().includes(text) || vm.uuid.includes(text);
}

function filterRows() {
  const text = byId("filter").value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows.values()) {
    row.node.hidden = !matches(row.vm, text);
    if (!row.node.hidden) shown++;
  }
  byId("none").hidden = shown > 0;
  say(byId("count"), shown === rows.size ? `${shown}` : `${shown} of ${rows.size}`);
}

// seconds: since the last look that rates were made of; null: too little to make any of.
function showVms(vms, seconds) {
  const there = new Set(vms.map((vm) => vm.uuid));
  for (const [uuid, row] of rows) {
    if (there.has(uuid)) continue;
    row.node.remove();
    rows.delete(uuid);
  }
  // They come in the order of their uuids: a row never moves, and keeps the focus that it has.
  let place = byId("rows").firstElementChild;
  for (const vm of vms) {
    let row = rows.get(vm.uuid);
    if (!row) {
      row = new Row();
      rows.set(vm.uuid, row);
      byId("rows").insertBefore(row.node, place);
    } else {
      place = row.node.nextElementSibling;
    }
    row.show(vm);
    if (seconds === null && row.seen) continue;
    const rate = rates(row.seen, vm, seconds);
    row.seen = vm;
    row.showRates(vm, rate);
    if (vm.uuid === chosen) addRates(rate);
  }
  if (!there.has(chosen)) choose(vms[0]?.uuid ?? null, false);
  filterRows();
}

/* The VM that is chosen. */

let lastTimes = null;
const moreButtons = new Buttons(byId("more"), 4);

function choose(uuid, byHand) {
  if (chosen !== uuid) {
    chosen = uuid;
    lastTimes = null;
    Object.values(plots).forEach((plot) => plot.clear());
    wake();
  }
  for (const [other, row] of rows) {
    row.node.classList.toggle("chosen", other === uuid);
    row.name.ariaPressed = String(other === uuid);
  }
  showDetail();
  // Where there is one column only, it is far away.
  if (byHand && matchMedia("(max-width: 1100px)").matches) byId("detail").scrollIntoView();
}

function addRates(rate) {
  plots.rate.add([rate.requests, rate.refused]);
  plots.gpu.add([rate.gpuPercent]);
}

function addTimes(times) {
  for (const kind of times && lastTimes ? ["total", "queue"] : []) {
    const counts = difference(lastTimes[kind], times[kind]);
    plots[kind].add([0.5, 0.99].map((part) => percentile(counts, times.start_ns, part)));
  }
  lastTimes = times;
}

const limited = (value, words) => (value ? words(value) : "no limit");

function quarantineWords({ reason, until }) {
  return `${reason}, ${until ? `until ${new Date(until).toLocaleString()}` : "until it is released"}`;
}

function quotaWords(vm) {
  const quotas = vm.quotas;
  const drift = driftOf(vm).map(({ what, detail }) => [`Drift: ${what}`, detail]);
  if (!quotas) return [["State", vm.problem ?? "–"], ...drift];
  return [
    ...drift,
    ["Pool", `${vm.pool}, profile ${vm.profile}`],
    ["Requests", limited(quotas.requests_per_second, (value) => `${value}/s, burst ${quotas.burst}`)],
    ["Queue depth", limited(quotas.queue_depth, String)],
    ["Channels", `${vm.channels.length}, ${limited(quotas.channels, (value) => `at most ${value}`)}`],
    ["Longest job", limited(quotas.longest_job_ms, (value) => duration(value * 1e6))],
    ["Faults", `${vm.counters.faults}, ${count(vm.counters.workers_lost, "worker")} lost`],
    ["UUID", vm.uuid],
    ...(vm.quarantine ? [["Quarantine", quarantineWords(vm.quarantine)]] : []),
  ];
}

// Fills a list with nodes whose texts may change, and makes or removes only what must be.
function fill(list, tags, texts) {
  while (list.children.length > texts.length) list.lastElementChild.remove();
  texts.forEach((text, i) => {
    if (!list.children[i]) list.append(element(tags[i % tags.length]));
    say(list.children[i], text);
  });
}

function channelWords(channel) {
  const errors = channel.errors ? `, ${count(channel.errors, "error")}` : "";
  return `${channel.channel}: ${channel.state}, ${bytes(channel.memory_used_bytes)} on ${channel.gpu ?? "no GPU"}, ${count(channel.submissions, "submission")}${errors}`;
}

function showDetail() {
  const vm = rows.get(chosen)?.vm;
  byId("more").hidden = !vm;
  say(byId("detail-title"), vm ? nameOf(vm) : "No VM is chosen");
  fill(byId("quotas"), ["dt", "dd"], vm ? quotaWords(vm).flat() : []);
  fill(byId("channels"), ["li"], !vm ? [] : vm.channels.length ? vm.channels.map(channelWords) : ["none is open"]);
  if (vm) moreButtons.show(vm, possibleActions(vm));
}

/* Pools and GPUs. */

class GpuCard {
  constructor() {
    this.name = element("span");
    this.state = element("span", { className: "state" });
    this.memory = new Meter("GPU memory");
    this.use = new Meter("GPU use");
    this.node = element("div", { className: "gpu" }, element("p", {}, this.name, " ", this.state), this.memory.node, this.use.node);
  }

  show(gpu) {
    const kinds = { ok: "good", unknown: "" };
    say(this.name, `${gpu.index}: ${gpu.name ?? "GPU"}`);
    setState(this.state, gpu.state, kinds[gpu.state] ?? "bad");
    this.state.title = gpu.problem ?? "";
    this.memory.set(gpu.memory_used_bytes, gpu.memory_bytes,
      gpu.memory_bytes ? `memory ${bytes(gpu.memory_used_bytes)} of ${bytes(gpu.memory_bytes)}` : "memory not known");
    const heat = gpu.temperature_celsius === null ? "" : `, ${gpu.temperature_celsius} °C`;
    const power = gpu.power_milliwatts === null ? "" : `, ${Math.round(gpu.power_milliwatts / 1000)} W`;
    this.use.set(gpu.utilization_percent, 100,
      gpu.utilization_percent === null ? "use not known" : `use ${gpu.utilization_percent} %${heat}${power}`);
  }
}

class PoolCard {
  constructor() {
    this.name = element("h3");
    this.words = element("p", { className: "quiet" });
    this.committed = new Meter("Memory that is promised");
    this.gpus = new Map(); // by index
    this.node = element("article", { className: "card" }, this.name, this.words, this.committed.node);
  }

  show(pool, gpus) {
    say(this.name, pool ? `Pool ${pool.name}` : "In no pool");
    say(this.words, pool ? `${count(pool.vms, "VM")}, ${count(pool.contexts, "context")}, letter ${pool.letter}` : "");
    this.committed.node.hidden = !pool;
    if (pool) {
      const limit = pool.limit_bytes ?? pool.memory_bytes;
      this.committed.set(pool.committed_bytes, limit,
        `promised ${bytes(pool.committed_bytes)}${limit ? ` of ${bytes(limit)}` : ", no limit"}`);
    }
    keep(this.gpus, gpus.map((gpu) => gpu.index), () => new GpuCard(), this.node);
    gpus.forEach((gpu) => this.gpus.get(gpu.index).show(gpu));
  }
}

// Has a card for each key in the map and the node, and none for any other.
function keep(cards, keys, make, node) {
  for (const [key, card] of cards) {
    if (keys.includes(key)) continue;
    card.node.remove();
    cards.delete(key);
  }
  for (const key of keys) {
    if (cards.has(key)) continue;
    cards.set(key, make());
    node.append(cards.get(key).node);
  }
}

const pools = new Map(); // by name; null: the GPUs in none

function showPools(list, gpus) {
  const loose = gpus.some((gpu) => gpu.pool === null);
  const all = loose ? [...list, null] : list;
  keep(pools, all.map((pool) => pool?.name ?? null), () => new PoolCard(), byId("pools"));
  for (const pool of all) {
    const name = pool?.name ?? null;
    pools.get(name).show(pool, gpus.filter((gpu) => gpu.pool === name));
  }
}

/* Who looks. */

function askToken(refusal) {
  const had = sessionStorage.getItem(TOKEN) !== null;
  sessionStorage.removeItem(TOKEN);
  byId("sign-in").hidden = false;
  byId("sign-out").hidden = true;
  setState(byId("connection"), "signed out", "warn");
  say(byId("login-error"), had ? `The token was not accepted: ${refusal.message}` : "");
  if (!byId("login").open) byId("login").showModal();
}

function signIn(event) {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, byId("token").value.trim());
  byId("token").value = "";
  byId("login").close();
  byId("sign-in").hidden = true;
  wake();
}

function signOut() {
  sessionStorage.removeItem(TOKEN);
  location.reload(); // and nothing that was seen stays
}

/* Looking, again and again. */

let wake = () => {};

// Until so long has passed, or something happened that is worth a look.
function pause(ms) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, ms);
  });
}

let measured = 0; // when rates were made last

async function look() {
  const wanted = chosen;
  const [pools, gpus, vms, times] = await Promise.all([
    call("GET", "/v1/pools"),
    call("GET", "/v1/gpus"),
    allVms(),
    timesOf(wanted),
  ]);
  setState(byId("connection"), "live", "good");
  byId("sign-out").hidden = sessionStorage.getItem(TOKEN) === null;
  showPools(pools.pools, gpus.gpus);
  // A look out of turn, after a click, shows what is so, and no rates: it would see too few events.
  const now = performance.now();
  const enough = now - measured > POLL_MS / 2;
  showVms(vms, enough ? (now - measured) / 1000 : null);
  if (wanted === chosen && (enough || !lastTimes)) addTimes(times);
  if (enough) measured = now;
  showDetail();
}

async function run() {
  for (;;) {
    const began = performance.now();
    if (!document.hidden && byId("sign-in").hidden) {
      try {
        await look();
      } catch (error) {
        if (error.status === 401) askToken(error);
        else setState(byId("connection"), `no answer: ${error.message}`, "bad");
      }
    }
    // With very many VMs less often: most of the time is the operator's.
    const took = performance.now() - began;
    await pause(Math.max(POLL_MS - took, 3 * took));
  }
}

byId("plots").append(...Object.values(plots).map((plot) => plot.node));
byId("filter").addEventListener("input", filterRows);
byId("confirm").querySelector("form").addEventListener("submit", confirmed);
byId("confirm-no").addEventListener("click", () => byId("confirm").close());
byId("login").querySelector("form").addEventListener("submit", signIn);
byId("sign-in").addEventListener("click", () => byId("login").showModal());
byId("sign-out").addEventListener("click", signOut);
document.addEventListener("visibilitychange", () => wake());
run();
