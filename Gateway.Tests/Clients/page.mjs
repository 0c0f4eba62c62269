// The status page in a real browser: the published gateway in front of simulated engines under load, an ops key to type, replicas to drain.
//   node page.mjs GATEWAY_BINARY [FOLDER_FOR_SCREENSHOTS]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const binary = resolve(process.argv[2]);
const shots = process.argv[3];
const folder = mkdtempSync(join(tmpdir(), 'page-'));
const patience = 20_000;
const [firstPort, gatewayPort, largePort] = [18300, 18310, 18311];
const keys = { OPS_KEY: 'ops-of-the-page-check', CHAT_KEY: 'chat-of-the-page-check', NIGHT_KEY: 'night-of-the-page-check' };
const children = [];
const failures = [];
let passed = 0;

const check = (what, holds) => {
  if (holds) passed++;
  else failures.push(what);
};

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function until(what, condition) {
  for (const end = Date.now() + patience; Date.now() < end; await pause(100)) {
    if (await condition()) return check(what, true);
  }
  check(what, false);
}

function run(...words) {
  const child = spawn(binary, words, { stdio: 'ignore', env: { ...process.env, ...keys } });
  children.push(child);
  return child;
}

async function serve(name, port, text) {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, text);
  const child = run('serve', '--config', file);
  await until(`${name} is ready`, async () => (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.ok);
  return child;
}

const small = (extra) => `
listen: http://127.0.0.1:${gatewayPort}
models:
  - name: demo
    replicas:
      - { url: "http://127.0.0.1:${firstPort}", id: gpu-a }
      - { url: "http://127.0.0.1:${firstPort + 1}", id: gpu-b }
      - { url: "http://127.0.0.1:${firstPort + 2}", id: gpu-c }
      - { url: "http://127.0.0.1:${firstPort + 9}", id: gpu-dead }
queue: { admission: window, windowRequests: 4 }
access:
  opsKeyEnv: OPS_KEY
  tenants:
    - { name: chat, keyEnv: CHAT_KEY }
    - { name: nightly, keyEnv: NIGHT_KEY }
telemetry: { accessLog: off, tenants: name, logLevel: error }
${extra}`;

const longName = 'a-model-with-a-long-name-'.repeat(10);

// Many names for one engine, seldom asked: a fleet's size without its machines.
const large = `
listen: http://127.0.0.1:${largePort}
models:
  - name: ${longName}
    upstreamModel: demo
    replicas:
${Array.from({ length: 1000 }, (_, index) => `      - { url: "http://127.0.0.1:${firstPort}", id: gpu-${String(index).padStart(4, '0')} }`).join('\n')}
resilience: { scrapeInterval: 60s, health: { interval: 60s, timeout: 60s } }
telemetry: { accessLog: off, logLevel: error }
`;

let isLoading = true;
async function load(key, priority, index) {
  const prompt = `You are a patient assistant of team ${index % 3}. `.repeat(30);
  for (let turn = 0; isLoading; turn++) {
    const answer = await fetch(`http://127.0.0.1:${gatewayPort}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${keys[key]}`, 'x-gateway-priority': priority },
      body: JSON.stringify({ model: 'demo', stream: true, max_tokens: 40 + 20 * (turn % 4), messages: [{ role: 'user', content: `${prompt} planted-word ${index} ${turn}` }] }),
    }).catch(() => undefined);
    await answer?.text().catch(() => undefined);
    if (!answer?.ok) await pause(200);
  }
}

async function page(browser, options, address) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const opened = await context.newPage();
  const complaints = [];
  opened.on('console', (message) => message.type() === 'error' && !/401|404/.test(message.text()) && complaints.push(message.text()));
  opened.on('pageerror', (error) => complaints.push(error.message));
  opened.on('request', (request) => !request.url().startsWith(address) && complaints.push(`asked ${request.url()}`));
  await opened.goto(`${address}/ui`);
  return { opened, context, complaints };
}

async function enter(opened) {
  await opened.waitForSelector('#key-form:not([hidden])');
  await opened.fill('#key', keys.OPS_KEY);
  await opened.click('#key-form button');
  await opened.waitForSelector('#link[data-state="live"]');
}

const shot = (opened, name) => shots && opened.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

async function looks(browser, address) {
  const { opened, context, complaints } = await page(browser, { colorScheme: 'light' }, address);
  await opened.waitForSelector('#key-form:not([hidden])');
  check('without the key nothing of the fleet is shown', await opened.locator('.card').count() === 0);
  await opened.fill('#key', 'a-wrong-key');
  await opened.click('#key-form button');
  await until('a wrong key is told', async () => (await opened.textContent('#notice')).includes('not an ops key'));
  await shot(opened, 'key');
  await enter(opened);
  await until('every replica has a card', async () => await opened.locator('.card').count() === 4);
  await until('the dead one is shown as down', async () => await opened.locator('.card[data-health="down"] b').textContent() === 'gpu-dead');
  await until('the totals are right', async () => (await opened.textContent('#up')) === '3 of 4');
  await until('decisions come with their why', async () => /→ gpu-[abc].*(cache|cost|only replica|conversation)/.test(await opened.locator('#decisions li').first().textContent()));
  await until('some come with their costs', async () => /Costs: gpu-[abc] [\d.]+\sm?s/.test(await opened.textContent('#decisions')));
  await until('tenants wait under their names', async () => /nightly.*batch/.test(await opened.textContent('#tenants')));
  await until('every chart has both curves', async () => (await opened.locator('.curve').evaluateAll((curves) => curves.filter((curve) => curve.getAttribute('d')).length)) === 6);
  await until('estimates are compared', async () => /were no longer than their upper bound/.test(await opened.textContent('#estimates')));
  check('no prompt is shown', !(await opened.content()).includes('planted-word'));
  check('the key is not kept in the page', !(await opened.content()).includes(keys.OPS_KEY) && (await opened.evaluate(() => Object.keys({ ...localStorage, ...sessionStorage }).length + document.cookie.length)) === 0);
  await shot(opened, 'desktop-light');

  check('a replica that is down has no speed', await opened.locator('.card[data-health="down"] .figures span span').last().textContent() === '–');
  check('failures of the last minute are counted', /^[\d,]+$/.test(await opened.textContent('#failed')));
  check('nothing was refused yet', await opened.isHidden('#rejected'));
  await refusesAnEdit(opened);
  await drains(opened);

  await opened.fill('#find', 'GPU-B');
  await until('a name is found', async () => (await opened.locator('.card b').allTextContents()).join() === 'gpu-b');
  await opened.fill('#find', 'nobody');
  await until('a name that nobody has is told', async () => (await opened.textContent('#more')).includes('No replica'));
  check(`the browser has nothing to complain about: ${complaints.join('; ')}`, complaints.length === 0);
  await context.close();
}

async function refusesAnEdit(opened) {
  writeFileSync(join(folder, 'small.yaml'), small('mode: plian\n'));
  await until('a refused edit is told', async () => await opened.isVisible('#rejected'));
  check('with its place and its problem', /small\.yaml:\d+:7 +mode: .*plain/.test(await opened.textContent('#problems')));
  check('and without folders', !(await opened.textContent('#problems')).includes(folder));
  await shot(opened, 'rejected');
  writeFileSync(join(folder, 'small.yaml'), small('').replace('name: nightly', 'name: chat'));
  await until('of a problem of tenants only the place is told', async () => /small\.yaml:\d+:\d+ +access\.tenants\[1\]\.name: gateway check/.test(await opened.textContent('#problems')));
  writeFileSync(join(folder, 'small.yaml'), small('# mended\n'));
  await until('a good edit ends that', async () => await opened.isHidden('#rejected'));
}

async function drains(opened) {
  const card = opened.locator('.card', { hasText: 'gpu-a' });
  await card.locator('button').click();
  check('one press drains nothing', await card.getAttribute('data-health') === 'up');
  await card.locator('button').click();
  await until('a drained replica is shown as such', async () => await card.getAttribute('data-health') === 'draining');
  check('what still runs there is told', /gpu-a is draining: \d+ requests still run/.test(await opened.textContent('#notice')));
  check('the fleet knows', (await (await fetch(`http://127.0.0.1:${gatewayPort}/-/replicas`, { headers: { authorization: `Bearer ${keys.OPS_KEY}` } })).json()).replicas[0].health === 'draining');
  await opened.evaluate(() => document.getElementById('decisions').replaceChildren());
  await until('decisions go on', async () => await opened.locator('#decisions li').count() > 20);
  check('none of them goes there', (await opened.locator('#decisions b').allTextContents()).every((text) => !text.includes('gpu-a')));
  await shot(opened, 'draining');
  await card.locator('button').click();
  await until('it takes work again', async () => await card.getAttribute('data-health') === 'up');
}

async function outlives(browser, address, gateway) {
  const { opened, context } = await page(browser, {}, address);
  await enter(opened);
  await until('decisions were shown', async () => await opened.locator('#decisions li').count() > 90);
  gateway.kill('SIGKILL');
  await until('a lost gateway is told, with the time of what is shown', async () => /lost, as of \d\d:\d\d:\d\d/.test(await opened.textContent('#link')));
  check('what is old looks so', Number(await opened.evaluate(() => getComputedStyle(document.querySelector('main')).opacity)) < 0.5);
  await shot(opened, 'lost');
  await opened.evaluate(() => document.getElementById('decisions').replaceChildren());
  await serve('small', gatewayPort, small(''));
  await until('it is found again', async () => await opened.getAttribute('#link', 'data-state') === 'live');
  await until('decisions of the one started anew are shown', async () => await opened.locator('#decisions li').count() > 0);
  check('what is new looks so', await opened.evaluate(() => getComputedStyle(document.querySelector('main')).opacity) === '1');
  await context.close();
}

async function fits(browser, address) {
  for (const [name, options] of [
    ['desktop-dark', { colorScheme: 'dark' }],
    ['phone-light', { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
    ['phone-dark', { colorScheme: 'dark', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }],
  ]) {
    const { opened, context, complaints } = await page(browser, options, address);
    await enter(opened);
    await until(`${name}: the page fills`, async () => await opened.locator('#decisions li').count() > 10);
    check(`${name}: nothing is wider than the screen`, await opened.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    check(`${name}: its background follows the scheme`, await opened.evaluate(() => getComputedStyle(document.body).backgroundColor) === (name.endsWith('dark') ? 'rgb(18, 22, 29)' : 'rgb(255, 255, 255)'));
    check(`${name}: no complaints: ${complaints.join('; ')}`, complaints.length === 0);
    await shot(opened, name);
    await context.close();
  }
}

async function grows(browser) {
  const address = `http://127.0.0.1:${largePort}`;
  const { opened, context, complaints } = await page(browser, {}, address);
  await until('1,000 replicas: all are counted', async () => (await opened.textContent('#up')) === '1,000 of 1,000');
  check('an open gateway has no key to ask for and no tenants', await opened.isHidden('#key-button') && await opened.isHidden('#tenants'));
  check('1,000 replicas: a long name makes nothing wider than the screen', await opened.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  check('1,000 replicas: sixty are listed', await opened.locator('.card').count() === 60);
  check('1,000 replicas: the others are told of', (await opened.textContent('#more')).startsWith('940 more'));
  await opened.fill('#find', 'gpu-0987');
  await until('1,000 replicas: any is found', async () => (await opened.locator('.card b').allTextContents()).join() === 'gpu-0987');
  await opened.fill('#find', '');
  await until('1,000 replicas: and all again', async () => await opened.locator('.card').count() === 60);
  await shot(opened, 'large');
  const reader = (await fetch(`${address}/ui/events`)).body.getReader();
  const event = (await reader.read()).value;
  await reader.cancel();
  check(`1,000 replicas: an event is small (${event.length} bytes)`, event.length < 32_768);
  check(`1,000 replicas: no complaints: ${complaints.join('; ')}`, complaints.length === 0);
  await context.close();
}

let browser;
try {
  if (shots) mkdirSync(shots, { recursive: true });
  for (const index of [0, 1, 2]) run('engine', '--port', String(firstPort + index), '--model', 'demo', '--speed', String([1, 0.7, 0.5][index]));
  await until('the engines answer', async () => (await Promise.all([0, 1, 2].map((index) => fetch(`http://127.0.0.1:${firstPort + index}/health`).catch(() => undefined)))).every((answer) => answer?.ok));
  const gateway = await serve('small', gatewayPort, small(''));
  await serve('large', largePort, large);
  const loads = [...Array(16).keys()].map((index) => load(index % 2 ? 'NIGHT_KEY' : 'CHAT_KEY', index % 2 ? 'batch' : index % 4 ? 'default' : 'interactive', index));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  const address = `http://127.0.0.1:${gatewayPort}`;
  await looks(browser, address);
  await fits(browser, address);
  await grows(browser);
  await outlives(browser, address, gateway);
  isLoading = false;
  await Promise.race([Promise.all(loads), pause(5_000)]);
} catch (error) {
  failures.push(`the run: ${error.message}`);
} finally {
  isLoading = false;
  await browser?.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
