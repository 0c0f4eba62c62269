// The status page: reads the feed, keeps the page in step with it, and drains replicas. What comes from the feed is set as text, never as markup.
import { Chart, rounded } from './charts.js';

const silence = 10_000;
const mostDecisions = 100;
const healthWords = { up: 'up', draining: 'draining', down: 'down', wrong_model: 'wrong model', suspended: 'failing, left alone', backing_off: 'asked for a pause', unknown: 'not probed yet' };

const byId = (id) => document.getElementById(id);
const charts = { ttft: new Chart(byId('charts'), 'Time to first token'), itl: new Chart(byId('charts'), 'Between tokens'), e2e: new Chart(byId('charts'), 'Whole answer') };
const cards = new Map();
// The key lives here and nowhere else.
let key = '';
let seen = 0;
let failures = 0;
let shownAt = '';
let isPaused = false;
let connection = null;
let marks = '';

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const count = (value) => (value ?? 0).toLocaleString('en');
const compact = (value) => new Intl.NumberFormat('en', { notation: 'compact' }).format(value);
const percent = (share) => `${Math.round(share * 100)} %`;
const fillTo = (bar, share) => { bar.style.width = `${100 * share}%`; };
const authorization = () => (key ? { Authorization: `Bearer ${key}` } : {});

function notice(text, isBad = false) {
  byId('notice').hidden = text === '';
  byId('notice').dataset.kind = isBad ? 'bad' : 'good';
  setText(byId('notice'), text);
}

function setLink(state, text) {
  byId('link').dataset.state = state;
  document.querySelector('main').classList.toggle('old', state === 'lost');
  setText(byId('link'), text);
}

function showKeyForm(isShown) {
  byId('key-form').hidden = !isShown;
  byId('key-button').setAttribute('aria-expanded', String(isShown));
  if (isShown) byId('key').focus();
}

// ---- the feed

async function connect() {
  connection?.abort();
  const own = connection = new AbortController();
  const query = new URLSearchParams({ model: byId('model').value, find: byId('find').value.trim(), seen: String(seen) });
  try {
    const answer = await fetch(`events?${query}`, { headers: authorization(), signal: own.signal, cache: 'no-store' });
    if (answer.status === 401) {
      setLink('lost', 'key needed');
      notice(key ? 'This is not an ops key of this gateway.' : 'This gateway asks for its ops key.', true);
      showKeyForm(true);
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    await read(answer.body, own);
    throw new Error('the stream ended');
  } catch (error) {
    if (own !== connection || own.signal.reason === 'replaced') return;
    failures++;
    setLink('lost', `connection lost${shownAt ? `, as of ${shownAt}` : ''}, trying again`);
    setTimeout(() => own === connection && !document.hidden && connect(), Math.min(15_000, 500 * 2 ** failures));
  }
}

async function read(body, own) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const watchdog = setTimeout(() => own.abort('silent'), silence);
    const { done, value } = await reader.read();
    clearTimeout(watchdog);
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      if (own === connection && event.startsWith('data: ')) show(JSON.parse(event.slice(6)));
    }
  }
}

function reconnect() {
  connection?.abort('replaced');
  connect();
}

// ---- what it says

function show(state) {
  failures = 0;
  shownAt = new Date().toLocaleTimeString('en-GB');
  setLink('live', 'live');
  document.querySelector('main').hidden = false;
  setText(byId('version'), `${state.version} · up ${uptime(state.uptime_seconds)}`);
  showRejected(state.rejected_reload);
  byId('key-button').hidden = byId('tenants').hidden = state.is_open;
  showModels(state.models);
  showTotals(state);
  showFleet(state.fleet);
  for (const [name, chart] of Object.entries(charts)) chart.show(state.latency[`${name}_p50`], state.latency[`${name}_p99`], state.latency.slot_seconds);
  showQueue(state);
  showEstimates(state.models);
  showDecisions(state.decisions);
}

function uptime(total) {
  const [days, hours, minutes] = [Math.floor(total / 86_400), Math.floor(total / 3_600) % 24, Math.floor(total / 60) % 60];
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(total)} s`;
}

function showRejected(reload) {
  byId('rejected').hidden = reload === null;
  if (reload === null) return;
  const more = reload.count - reload.problems.length;
  setText(byId('rejected-title'), `The edit of the configuration of ${new Date(reload.time_ms).toLocaleTimeString('en-GB')} was refused; the settings before it are in force.`);
  const lines = [...reload.problems, ...(more > 0 ? [`${count(more)} more: see /-/status, or gateway check.`] : [])];
  if ([...byId('problems').children].map(({ textContent }) => textContent).join('\n') === lines.join('\n')) return;
  byId('problems').replaceChildren(...lines.map((line) => element('li', '', line)));
}

function showModels(models) {
  const select = byId('model');
  const names = ['', ...models.map(({ model }) => model)];
  if ([...select.options].map(({ value }) => value).join('\n') === names.join('\n')) return;
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => new Option(name || 'all models', name)));
  select.value = names.includes(chosen) ? chosen : '';
}

function showTotals({ fleet, queue, failed_last_minute: failed }) {
  byId('up').replaceChildren(count(fleet.up), element('small', '', ` of ${count(fleet.replicas)}`));
  setText(byId('running'), count(fleet.running));
  setText(byId('waiting'), count(Object.values(queue).reduce((sum, waiting) => sum + waiting, 0)));
  setText(byId('draining'), count(fleet.draining));
  setText(byId('failed'), count(failed));
  byId('failed').classList.toggle('bad', failed > 0);
}

function showFleet(fleet) {
  marks = fleet.marks;
  drawMap();
  byId('map').setAttribute('aria-label', `${fleet.up} of ${fleet.replicas} replicas are up, ${fleet.draining} are draining`);
  const names = fleet.rows.map(({ model, id }) => `${model}\n${id}`);
  for (const [name, { card }] of cards) {
    if (names.includes(name)) continue;
    card.remove();
    cards.delete(name);
  }
  const several = new Set(fleet.rows.map(({ model }) => model)).size > 1;
  fleet.rows.forEach((row, index) => {
    const parts = cards.get(names[index]) ?? newCard(names[index], row);
    updateCard(parts, row, several);
    if (byId('replicas').children[index] !== parts.card) byId('replicas').insertBefore(parts.card, byId('replicas').children[index] ?? null);
  });
  const hidden = fleet.found - fleet.rows.length;
  byId('more').hidden = hidden <= 0 && fleet.found > 0;
  setText(byId('more'), fleet.found === 0 ? (byId('find').value ? 'No replica has such a name.' : 'No replica yet.') : `${count(hidden)} more are not listed; whoever is in trouble comes first. Find one by a part of its name.`);
}

function newCard(name, { id }) {
  const figure = (label) => {
    const value = element('span', '');
    return { value, box: element('span', '', value, element('i', '', label)) };
  };
  const parts = {
    health: element('span', 'health'), why: element('div', 'of'), of: element('div', 'of'), fill: element('span', ''), kv: element('div', 'of'),
    running: figure('running'), waiting: figure('queued there'), speed: figure('tokens/s a stream'), button: element('button', ''),
  };
  parts.button.type = 'button';
  parts.button.addEventListener('click', () => onDrain(parts, id));
  parts.card = element('article', 'card',
    element('div', 'title', element('b', '', id), parts.health), parts.why, parts.of, element('div', 'bar', parts.fill), parts.kv,
    element('div', 'figures', parts.running.box, parts.waiting.box, parts.speed.box), parts.button);
  cards.set(name, parts);
  return parts;
}

function updateCard(parts, row, several) {
  parts.card.dataset.health = row.health;
  parts.isDraining = row.health === 'draining';
  setText(parts.health, healthWords[row.health] ?? row.health);
  parts.why.hidden = row.reason === null || parts.isDraining;
  setText(parts.why, row.reason ?? '');
  parts.of.hidden = !several;
  setText(parts.of, row.model);
  fillTo(parts.fill, row.kv_ratio ?? 0);
  setText(parts.kv, row.kv_ratio === null ? 'KV room not known' : `${percent(row.kv_ratio)} of ${row.capacity_tokens === null ? 'its KV room' : `${compact(row.capacity_tokens)} KV tokens`}`);
  setText(parts.running.value, count(row.running));
  setText(parts.waiting.value, row.waiting === null ? '?' : count(row.waiting));
  setText(parts.speed.value, row.health === 'down' ? '–' : row.tokens_per_second === null ? '?' : String(Math.round(row.tokens_per_second)));
  if (!parts.button.dataset.armed) setText(parts.button, parts.isDraining ? 'Undrain' : 'Drain');
}

// A canvas, because a large fleet has thousands of squares and each may change every second.
function drawMap() {
  const canvas = byId('map');
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`);
  const total = marks.length / 2;
  const size = total <= 80 ? 22 : total <= 600 ? 14 : 9;
  const gap = size > 10 ? 4 : 2;
  const width = canvas.parentElement.clientWidth;
  const columns = Math.max(1, Math.floor((width + gap) / (size + gap)));
  const height = Math.max(0, (Math.ceil(total / columns) * (size + gap)) - gap);
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  const fills = { u: color('up'), d: color('draining'), p: color('paused'), '?': color('paused'), x: color('down') };
  for (let index = 0; index < total; index++) {
    const [x, y] = [(index % columns) * (size + gap), Math.floor(index / columns) * (size + gap)];
    const fill = fills[marks[index * 2]];
    const part = size * (Number(marks[index * 2 + 1]) / 9);
    context.fillStyle = fill;
    context.globalAlpha = marks[index * 2] === 'u' ? 0.3 : 1;
    context.fillRect(x, y, size, size);
    context.globalAlpha = 1;
    context.fillRect(x, y + size - part, size, part);
  }
}

function showQueue({ queue, tenants }) {
  const most = Math.max(1, ...Object.values(queue));
  byId('classes').replaceChildren(...Object.entries(queue).map(([name, waiting]) => {
    const fill = element('span', '');
    fillTo(fill, waiting / most);
    return element('div', 'line', element('span', '', name), element('div', 'bar', fill), element('span', 'number', count(waiting)));
  }));
  const rows = tenants.map(({ tenant, model, priority, waiting }) => element('tr', '', ...[tenant, model, priority, count(waiting)].map((text) => element('td', '', text))));
  const table = element('table', '', element('thead', '', element('tr', '', ...['tenant', 'model', 'class', 'waiting'].map((text) => element('th', '', text)))), element('tbody', '', ...rows));
  byId('tenants').replaceChildren(rows.length > 0 ? table : element('p', 'soft', 'No tenant waits that may be shown: telemetry.tenants says how tenants appear.'));
}

function showEstimates(models) {
  const chosen = byId('model').value;
  const told = models.filter(({ model, answers }) => answers > 0 && (chosen === '' || model === chosen));
  byId('estimates').replaceChildren(...told.map((model) => {
    const [fill, goal] = [element('span', ''), element('span', 'goal')];
    fillTo(fill, model.coverage_ratio);
    goal.style.left = '90%';
    const order = model.ordered_pairs_ratio === null ? '' : ` · ${percent(model.ordered_pairs_ratio)} of neighbours in the right order`;
    return element('div', 'estimate',
      element('div', 'title', element('b', '', model.model), element('span', 'soft', `last ${count(model.answers)} answers`)),
      element('div', 'bar', fill, goal),
      element('div', 'soft', `${percent(model.coverage_ratio)} were no longer than their upper bound; 90 % is right`),
      element('div', 'soft', `off by ${count(Math.round(model.mean_absolute_error_tokens))} tokens, ${model.mean_error_tokens < 0 ? '−' : '+'}${count(Math.round(Math.abs(model.mean_error_tokens)))} on average${order}`));
  }));
  if (told.length === 0) byId('estimates').append(element('p', 'soft', 'No whole answer yet.'));
}

function showDecisions(decisions) {
  if (decisions.length === 0) return;
  // A gateway that was started anew counts from 1 again.
  seen = decisions.at(-1).number;
  if (isPaused) return;
  const list = byId('decisions');
  list.prepend(...decisions.slice(-mostDecisions).reverse().map(decisionRow));
  while (list.children.length > mostDecisions) list.lastElementChild.remove();
}

// Policies that draw give those not drawn a cost beyond all others.
const costOf = (cost) => (cost > 1e100 ? 'not drawn' : cost.toLocaleString('en', { maximumFractionDigits: 3 }));

function decisionRow({ time_ms: time, id, model, priority, tenant, outcome, replica, why, waited_ms: waited, prompt_tokens: prompt, output_tokens: output, places }) {
  const stamp = element('time', '', new Date(time).toLocaleTimeString('en-GB'));
  const what = element('div', 'what', element('b', '', outcome === 'sent' ? `${model} → ${replica}` : `${model}: ${outcome}`), element('span', 'tag', priority));
  if (tenant) what.append(element('span', 'tag', tenant));
  what.append(element('span', 'id', id));
  const facts = `${count(prompt)} prompt tokens, about ${count(output)} to come${waited > 0 ? `, waited ${rounded(waited / 1000)}` : ''}`;
  const text = element('div', '', what, element('div', '', why), element('div', 'places', facts));
  if (places.length > 0) {
    text.append(element('div', 'places', `Costs: ${places.map((place) => `${place.replica} ${'cost' in place ? costOf(place.cost) : rounded(place.cost_seconds)}${place.has_room ? '' : ' (full)'}`).join(' · ')}`));
  }
  return element('li', outcome, stamp, text);
}

// ---- what people do

// Two presses, so that a slip on a phone drains nothing.
async function onDrain(parts, id) {
  const { button, isDraining } = parts;
  if (!isDraining && !button.dataset.armed) {
    button.dataset.armed = 'yes';
    setText(button, 'Press again to drain');
    setTimeout(() => { delete button.dataset.armed; setText(button, parts.isDraining ? 'Undrain' : 'Drain'); }, 4_000);
    return;
  }
  delete button.dataset.armed;
  button.disabled = true;
  try {
    const answer = await fetch(`../-/replicas/${encodeURIComponent(id)}/${isDraining ? 'undrain' : 'drain'}`, { method: 'POST', headers: authorization() });
    const body = await answer.json();
    if (answer.ok) notice(isDraining ? `${id} takes work again.` : `${id} is draining: ${count(body.running_requests)} requests still run there, nothing new is sent.`);
    else notice(body.error?.message ?? `The gateway answered ${answer.status}.`, true);
    if (answer.status === 401) showKeyForm(true);
  } catch {
    notice('The gateway could not be reached.', true);
  } finally {
    button.disabled = false;
  }
}

byId('key-button').addEventListener('click', () => showKeyForm(byId('key-form').hidden));
byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  key = byId('key').value.trim();
  byId('key').value = '';
  showKeyForm(false);
  notice('');
  reconnect();
});
byId('model').addEventListener('change', () => {
  seen = 0;
  byId('decisions').replaceChildren();
  reconnect();
});
let typing;
byId('find').addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(reconnect, 300);
});
byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  setText(byId('pause'), isPaused ? 'Go on' : 'Pause');
});
// Nobody looks at a hidden page: it should cost nothing.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) connection?.abort('replaced');
  else reconnect();
});
window.addEventListener('resize', drawMap);
connect();
