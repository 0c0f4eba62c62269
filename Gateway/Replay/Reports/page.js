'use strict';
const figures = JSON.parse(document.getElementById('figures').textContent);
const hidden = new Set();
const charts = [];
const SVG = 'http://www.w3.org/2000/svg';
const DASHES = ['', '6 3', '2 3'];
const HEIGHT = 250;

function node(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) { made.setAttribute(key, attributes[key]); }
  if (parent) { parent.appendChild(made); }
  return made;
}

function box(tag, className, text, parent) {
  const made = document.createElement(tag);
  if (className) { made.className = className; }
  if (text !== undefined) { made.textContent = text; }
  if (parent) { parent.appendChild(made); }
  return made;
}

function key(series, tag, parent) {
  const made = box(tag, 'key', undefined, parent);
  const mark = node('svg', { width: 22, height: 10, 'aria-hidden': 'true' }, made);
  node('line', { x1: 0, x2: 22, y1: 5, y2: 5, stroke: series.color, 'stroke-width': 2.5, 'stroke-dasharray': series.dash }, mark);
  box('span', '', series.name, made);
  return made;
}

function number(value) {
  const size = Math.abs(value);
  if (size >= 1000) { return value.toLocaleString('en-US', { maximumFractionDigits: 0 }); }
  if (size === 0) { return '0'; }
  return String(Number(value.toPrecision(3)));
}

const names = [...new Set([...figures.runs, ...figures.sweeps].map(run => run.policy))];

function style(name) {
  const index = names.indexOf(name);
  return { color: 'var(--c' + (index % 10) + ')', dash: DASHES[Math.floor(index / 5) % DASHES.length] };
}

function pairs(flat) { const points = []; for (let i = 0; i < flat.length; i += 2) { points.push([flat[i], flat[i + 1] * 100]); } return points; }
function field(run, path) { return path.split('.').reduce((value, name) => value === null || value === undefined ? null : value[name], run); }
function everyPolicy(list, points) { return list.map(run => Object.assign({ name: run.policy, points: points(run) }, style(run.policy))); }

// Counts in narrow windows are mostly noise: a rate is drawn over at most sixty windows.
function timed(run, name, factor) {
  const values = run.timeline[name], width = run.timeline.windowSeconds;
  const each = name === 'completedPerSecond' ? Math.ceil(values.length / 60) : 1;
  const points = [];
  for (let i = 0; i < values.length; i += each) {
    const part = values.slice(i, i + each);
    points.push([(i + part.length / 2) * width, part.reduce((sum, value) => sum + value, 0) / part.length * factor]);
  }
  return points;
}


const LATENCY = { ttft: 'TTFT', e2e: 'E2E', tpot: 'TPOT' };
const TIMES = {
  queueDepth: ['Queue in front of the engines', 'requests', 1],
  running: ['Running per replica', 'requests', 1],
  waiting: ['Waiting in the engine per replica', 'requests', 1],
  kvUsage: ['KV use, mean of replicas', '% of capacity', 100],
  completedPerSecond: ['Completed', 'requests/s', 1],
};

function cdf(title, name, runs) {
  const unit = name === 'tpot' ? 'ms' : 's';
  const factor = name === 'tpot' ? 1000 : 1;
  return {
    title: title, x: LATENCY[name] + ' [' + unit + ', log]', xUnit: unit, y: 'share of requests [%]', yUnit: '%', log: true, byY: true, yMax: 100,
    series: runs(run => pairs(run.cdf[name]).map(point => [point[0] * factor, point[1]])),
  };
}

function timeline(name, runs) {
  const [title, unit, factor] = TIMES[name];
  return { title: title, x: 'time since the first arrival [s]', xUnit: 's', y: unit, yUnit: unit.split(' ')[0], series: runs(run => timed(run, name, factor)) };
}

function sweep(path) {
  const [name, statistic] = path.split('.');
  const latency = LATENCY[name] !== undefined;
  const unit = latency ? 's' : name === 'goodput' ? 'req/s' : 'tok/s';
  const title = latency ? LATENCY[name] + ' ' + statistic : name === 'goodput' ? 'Goodput' : 'Output throughput';
  return {
    title: title, x: 'offered rate [req/s]', xUnit: 'req/s', y: unit, yUnit: unit, dots: true, bound: latency ? figures.slo[name] : null,
    series: everyPolicy(figures.sweeps, run => run.points.map(point => [point.offeredRate, field(point, path)]).filter(point => point[1] !== null)),
  };
}

function pair(index) {
  const pair = figures.comparisons[index];
  return points => [
    { name: 'measured', color: 'var(--c0)', dash: '', points: points(pair.measured), own: true },
    { name: 'simulated', color: 'var(--c1)', dash: '6 3', points: points(pair.simulated), own: true },
  ];
}

function describe(text) {
  const part = text.split(':');
  const all = points => everyPolicy(figures.runs, points);
  switch (part[0]) {
    case 'cdf': return cdf(LATENCY[part[1]] + ', cumulative', part[1], all);
    case 'time': return timeline(part[1], all);
    case 'sweep': return sweep(part[1]);
    case 'pair': return cdf(LATENCY[part[2]] + ', cumulative', part[2], pair(Number(part[1])));
    default: return timeline(part[2], pair(Number(part[1])));
  }
}

function linearTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough * 0.999) || power * 10;
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) { ticks.push(i * step); }
  return ticks;
}

function logTicks(low, high, count) {
  const every = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    for (const m of [1, 2, 5]) { const v = m * Math.pow(10, e); if (v >= low * 0.999 && v <= high * 1.001) { every.push(v); } }
  }
  if (every.length >= 4 && every.length <= count) { return every; }
  if (high / low < 12) { return linearTicks(low, high, count); }
  const decades = every.filter(v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6);
  const step = Math.ceil(decades.length / count);
  return decades.length >= 2 ? decades.filter((v, i) => i % step === 0) : every.filter((v, i) => i % 2 === 0);
}

function scales(chart, shown, width) {
  const left = 46, right = 12, top = 8, bottom = 36;
  const xs = [], ys = [];
  for (const series of shown) { for (const point of series.points) { xs.push(point[0]); ys.push(point[1]); } }
  if (xs.length === 0) { return null; }
  let x0 = Math.min.apply(null, xs), x1 = Math.max.apply(null, xs);
  if (chart.log) {
    // What lies far below the bulk would squeeze the rest: the axis starts where the first hundredth of some curve ends.
    const starts = shown.map(s => (s.points.find(p => p[1] >= 1 && p[0] > 0) || [0])[0]).filter(v => v > 0);
    x0 = Math.max(x0, (starts.length ? Math.min.apply(null, starts) : x1 / 1000) / 1.5, x1 / 1e6, 1e-6);
    x1 = Math.max(x1, x0 * 1.01);
  } else if (!chart.dots) { x0 = 0; }
  if (x1 <= x0) { x1 = x0 + 1; }
  const highest = Math.max.apply(null, ys);
  const y1 = chart.yMax || (highest > 0 ? highest * 1.05 : 1);
  const across = chart.log ? v => Math.log(Math.max(v, x0) / x0) / Math.log(x1 / x0) : v => (v - x0) / (x1 - x0);
  return {
    left: left, right: width - right, top: top, bottom: HEIGHT - bottom, x0: x0, x1: x1, y1: y1,
    x: v => left + across(v) * (width - left - right),
    y: v => HEIGHT - bottom - v / y1 * (HEIGHT - bottom - top),
    xBack: px => { const t = (px - left) / (width - left - right); return chart.log ? x0 * Math.pow(x1 / x0, t) : x0 + t * (x1 - x0); },
  };
}

function axes(plot, chart, s, width) {
  for (const tick of linearTicks(0, s.y1, 5)) {
    node('line', { x1: s.left, x2: s.right, y1: s.y(tick), y2: s.y(tick), class: 'grid' }, plot);
    node('text', { x: s.left - 6, y: s.y(tick) + 4, 'text-anchor': 'end' }, plot).textContent = number(tick);
  }
  const room = Math.max(3, Math.floor((s.right - s.left) / (chart.log ? 44 : 60)));
  for (const tick of chart.log ? logTicks(s.x0, s.x1, room) : linearTicks(s.x0, s.x1, room)) {
    node('line', { x1: s.x(tick), x2: s.x(tick), y1: s.top, y2: s.bottom, class: 'grid' }, plot);
    node('text', { x: s.x(tick), y: s.bottom + 14, 'text-anchor': 'middle' }, plot).textContent = number(tick);
  }
  node('text', { x: (s.left + s.right) / 2, y: HEIGHT - 5, 'text-anchor': 'middle' }, plot).textContent = chart.x;
}

function draw(chart) {
  const width = chart.holder.clientWidth;
  chart.holder.textContent = '';
  const shown = chart.series.filter(series => series.points.length > 0 && (series.own || !hidden.has(series.name)));
  const s = scales(chart, shown, width);
  if (!s) { box('p', 'note', 'Nothing to draw.', chart.holder); return; }
  const plot = node('svg', { class: 'plot', width: width, height: HEIGHT, viewBox: '0 0 ' + width + ' ' + HEIGHT, role: 'img', 'aria-label': chart.title }, chart.holder);
  axes(plot, chart, s, width);
  if (chart.bound && chart.bound <= s.y1) {
    node('line', { x1: s.left, x2: s.right, y1: s.y(chart.bound), y2: s.y(chart.bound), class: 'bound' }, plot);
    node('text', { x: s.left + 4, y: s.y(chart.bound) - 4 }, plot).textContent = 'SLO ' + number(chart.bound) + ' s';
  }
  for (const series of shown) {
    const line = series.points.filter(p => p[0] >= s.x0 || chart.log).map(p => s.x(p[0]).toFixed(1) + ',' + s.y(p[1]).toFixed(1));
    node('polyline', { points: line.join(' '), class: 'curve', style: 'stroke:' + series.color, 'stroke-dasharray': series.dash }, plot);
    if (chart.dots) { for (const p of series.points) { node('circle', { cx: s.x(p[0]), cy: s.y(p[1]), r: 3, style: 'fill:' + series.color }, plot); } }
  }
  const cross = node('line', { class: 'cross', visibility: 'hidden' }, plot);
  const tip = box('div', 'tip', undefined, chart.holder);
  tip.hidden = true;
  plot.addEventListener('pointermove', event => hover(event, chart, shown, s, plot, cross, tip));
  plot.addEventListener('pointerdown', event => hover(event, chart, shown, s, plot, cross, tip));
  plot.addEventListener('pointerleave', () => { tip.hidden = true; cross.setAttribute('visibility', 'hidden'); });
}

function valueAt(points, at, known, asked) {
  let below = null;
  for (const point of points) {
    if (point[known] >= at) {
      if (below === null || point[known] === below[known]) { return point[asked]; }
      return below[asked] + (point[asked] - below[asked]) * (at - below[known]) / (point[known] - below[known]);
    }
    below = point;
  }
  return below === null || at > below[known] * 1.001 ? null : below[asked];
}

// A distribution is asked for the value at a share, the other curves for the value at a moment or rate.
function hover(event, chart, shown, s, plot, cross, tip) {
  const area = plot.getBoundingClientRect();
  const px = Math.min(Math.max(event.clientX - area.left, s.left), s.right);
  const py = Math.min(Math.max(event.clientY - area.top, s.top), s.bottom);
  const share = (s.bottom - py) / (s.bottom - s.top) * s.y1;
  const at = chart.byY ? share : s.xBack(px);
  const place = chart.byY ? { x1: s.left, x2: s.right, y1: py, y2: py } : { x1: px, x2: px, y1: s.top, y2: s.bottom };
  for (const name in place) { cross.setAttribute(name, place[name]); }
  cross.setAttribute('visibility', 'visible');
  tip.textContent = '';
  box('strong', '', chart.byY ? share.toFixed(1) + ' % of requests within' : number(at) + ' ' + chart.xUnit, tip);
  for (const series of shown) {
    const value = chart.byY ? valueAt(series.points, at, 1, 0) : valueAt(series.points, at, 0, 1);
    const row = box('div', '', undefined, tip);
    key(series, 'span', row);
    box('b', '', value === null ? '–' : number(value) + ' ' + (chart.byY ? chart.xUnit : chart.yUnit), row);
  }
  tip.hidden = false;
  const origin = plot.offsetLeft;
  const wide = tip.offsetWidth;
  const beside = origin + px + 14 + wide > chart.holder.parentElement.clientWidth ? origin + px - 14 - wide : origin + px + 14;
  tip.style.left = Math.max(4, beside) + 'px';
  tip.style.top = (plot.offsetTop + 12) + 'px';
}

function legend() {
  const holder = document.getElementById('legend');
  for (const name of names) {
    const button = key(Object.assign({ name: name }, style(name)), 'button', holder);
    button.type = 'button';
    button.setAttribute('aria-pressed', 'true');
    button.addEventListener('click', () => {
      if (!hidden.delete(name)) { hidden.add(name); }
      button.setAttribute('aria-pressed', String(!hidden.has(name)));
      charts.forEach(draw);
    });
  }
}

for (const figure of document.querySelectorAll('figure[data-chart]')) {
  const chart = describe(figure.dataset.chart);
  const values = chart.series.flatMap(series => series.points);
  // A quantity that a run does not have is not worth an empty frame.
  if (values.every(point => point[1] === 0) || values.length === 0) { figure.remove(); continue; }
  box('figcaption', '', chart.title, figure);
  box('div', 'unit', chart.y, figure);
  if (chart.series.some(series => series.own)) {
    const keys = box('div', 'keys', undefined, figure);
    chart.series.forEach(series => key(series, 'span', keys));
  }
  chart.holder = box('div', '', undefined, figure);
  charts.push(chart);
}
legend();
charts.forEach(draw);
let lastWidth = innerWidth;
addEventListener('resize', () => { if (innerWidth !== lastWidth) { lastWidth = innerWidth; charts.forEach(draw); } });
