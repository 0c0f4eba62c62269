// A small chart: the median and the 99th percentile over time, with a reading under the pointer.
const svgSpace = 'http://www.w3.org/2000/svg';
const height = 150;
const leastSlots = 24;
const margin = { left: 46, right: 8, top: 8, bottom: 20 };

function svg(name, attributes, text) {
  const element = document.createElementNS(svgSpace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function seconds(value) {
  if (value === null || value === undefined) return '–';
  const [number, unit] = value < 1 ? [value * 1000, 'ms'] : [value, 's'];
  return `${number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2)} ${unit}`;
}

export const rounded = (value) => (value < 1 ? `${Number((value * 1000).toPrecision(3))}\u00a0ms` : `${Number(value.toPrecision(3))}\u00a0s`);

function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].find((step) => step * power >= value * 0.999) * power;
}

export class Chart {
  #figure = document.createElement('figure');
  #latest = { p50: document.createElement('span'), p99: document.createElement('span') };
  #tip = document.createElement('div');
  #svg = svg('svg', { role: 'img' });
  #cross = svg('line', { class: 'cross', y1: margin.top, y2: height - margin.bottom });
  #data = { p50: [], p99: [], slotSeconds: 5 };
  #pointer = null;

  constructor(parent, title) {
    const caption = document.createElement('figcaption');
    const values = document.createElement('span');
    caption.append(title, values);
    for (const name of ['p50', 'p99']) {
      this.#latest[name].className = name;
      values.append(this.#latest[name], name === 'p50' ? ' · ' : '');
    }
    this.#tip.className = 'tip';
    this.#tip.hidden = true;
    this.#svg.setAttribute('aria-label', title);
    this.#svg.addEventListener('pointermove', (event) => { this.#pointer = event.offsetX; this.#read(); });
    this.#svg.addEventListener('pointerleave', () => { this.#pointer = null; this.#read(); });
    this.#figure.append(caption, this.#svg, this.#tip);
    parent.append(this.#figure);
    new ResizeObserver(() => this.#draw()).observe(this.#figure);
  }

  show(p50, p99, slotSeconds) {
    // A gateway that has just begun shows its first minutes, not mostly nothing.
    const first = p50.findIndex((value) => value !== null);
    const from = Math.max(0, first < 0 ? 0 : Math.min(first, p50.length - leastSlots));
    this.#data = { p50: p50.slice(from), p99: p99.slice(from), slotSeconds };
    for (const name of ['p50', 'p99']) this.#latest[name].textContent = `${name} ${seconds(this.#data[name].findLast((value) => value !== null))}`;
    this.#draw();
  }

  get #plotWidth() {
    return Math.max(40, this.#figure.clientWidth - 20 - margin.left - margin.right);
  }

  #x(index) {
    return margin.left + (index / Math.max(1, this.#data.p50.length - 1)) * this.#plotWidth;
  }

  #draw() {
    const { p50, p99, slotSeconds } = this.#data;
    const width = this.#plotWidth + margin.left + margin.right;
    const most = niceCeiling(Math.max(0.001, ...p50, ...p99));
    const y = (value) => height - margin.bottom - (value / most) * (height - margin.top - margin.bottom);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(most * share);
      parts.push(svg('line', { class: 'grid', x1: margin.left, x2: width - margin.right, y1: at, y2: at }));
      parts.push(svg('text', { x: margin.left - 6, y: at + 4, 'text-anchor': 'end' }, share === 0 ? '0' : rounded(most * share)));
    }
    const minutes = (p50.length * slotSeconds) / 60;
    for (const [share, anchor] of [[0, 'start'], [0.5, 'middle'], [1, 'end']]) {
      const text = share === 1 ? 'now' : `${Number((-minutes * (1 - share)).toFixed(1))} min`;
      parts.push(svg('text', { x: margin.left + share * this.#plotWidth, y: height - 4, 'text-anchor': anchor }, text));
    }
    for (const [name, values] of [['p99', p99], ['p50', p50]]) parts.push(svg('path', { class: `curve ${name}`, d: this.#path(values, y) }));
    this.#svg.replaceChildren(...parts, this.#cross);
    this.#read();
  }

  // Slots in which nothing happened are bridged while they are few, and a lone one is a dash: a dot as thin as the line is not seen.
  #path(values, y) {
    const slots = [...values.keys()].filter((slot) => values[slot] !== null);
    return slots.map((slot, i) => {
      const [isJoined, isFollowed] = [slot - slots[i - 1] <= 4, slots[i + 1] - slot <= 4];
      const [across, down] = [this.#x(slot), y(values[slot]).toFixed(1)];
      return isJoined ? `L${across.toFixed(1)} ${down}` : isFollowed ? `M${across.toFixed(1)} ${down}` : `M${(across - 2).toFixed(1)} ${down}h4`;
    }).join('');
  }

  #read() {
    const { p50, p99, slotSeconds } = this.#data;
    this.#tip.hidden = this.#pointer === null || p50.length === 0;
    this.#cross.setAttribute('visibility', this.#tip.hidden ? 'hidden' : 'visible');
    if (this.#tip.hidden) return;
    const index = Math.round(Math.min(1, Math.max(0, (this.#pointer - margin.left) / this.#plotWidth)) * (p50.length - 1));
    const ago = (p50.length - 1 - index) * slotSeconds;
    this.#tip.textContent = `${ago === 0 ? 'now' : ago < 60 ? `${ago} s ago` : `${(ago / 60).toFixed(1)} min ago`}\np50 ${seconds(p50[index])}\np99 ${seconds(p99[index])}`;
    const x = this.#x(index);
    for (const key of ['x1', 'x2']) this.#cross.setAttribute(key, x);
    const isRight = x > this.#plotWidth / 2;
    this.#tip.style.left = isRight ? 'auto' : `${x + 18}px`;
    this.#tip.style.right = isRight ? `${this.#figure.clientWidth - x}px` : 'auto';
  }
}
