// No dead panel: runs what docker-compose.yml runs, asks a real Prometheus every query of every dashboard, and demands an answer with a number in it.
//   node panels.mjs GATEWAY_BINARY [SECONDS]
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stack, pause } from './stack.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const seconds = Number(process.argv[3] ?? 75);
const stack = new Stack(root, resolve(process.argv[2]));
const failures = [];
let passed = 0;

const check = (what, problem) => {
  if (problem) failures.push(`${what}: ${problem}`);
  else passed++;
};

async function ask(path, parameters = {}) {
  const answer = await fetch(`${stack.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  return body.status === 'success' ? body.data : { error: body.error };
}

/** The values a variable offers: those of its query, or the ones it lists. */
async function valuesOf(variable, variables) {
  if (variable.type !== 'query') return variable.options.map((option) => option.value);
  const [, match, label] = /^label_values\((.*), (\w+)\)$/.exec(variable.query.query);
  const end = Date.now() / 1000;
  const values = await ask(`label/${label}/values`, { 'match[]': substitute(match, variables), start: end - 300, end });
  return Array.isArray(values) ? values : [];
}

function substitute(text, variables) {
  const values = { __rate_interval: '20s', ...Object.fromEntries(variables.map((variable) => [variable.name, variable.allValue ?? variable.current.value])) };
  return text.replace(/\$\{?(\w+)\}?/g, (word, name) => values[name] ?? word);
}

async function isAlive(query) {
  const end = Date.now() / 1000;
  const data = await ask('query_range', { query, start: end - 60, end, step: 5 });
  if (data.error) throw new Error(`${data.error} in ${query}`);
  return data.result.some((series) => series.values.some(([, value]) => Number.isFinite(Number(value))));
}

const dashboards = readdirSync(join(root, 'deploy/grafana/dashboards')).map((file) => JSON.parse(readFileSync(join(root, 'deploy/grafana/dashboards', file), 'utf8')));
const variablesOf = (dashboard) => dashboard.templating.list.filter((variable) => variable.type !== 'datasource');
let waiting = dashboards.flatMap((dashboard) => dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => ({
  name: `${dashboard.title}: ${panel.title} (${target.refId})`,
  query: substitute(target.expr, variablesOf(dashboard)),
}))));

try {
  await stack.start();
  const begun = Date.now();
  for (; waiting.length > 0 && Date.now() - begun < seconds * 1000; await pause(4_000)) {
    const asked = await Promise.all(waiting.map(async (panel) => ({ panel, alive: await isAlive(panel.query) })));
    for (const { panel } of asked.filter(({ alive }) => alive)) check(panel.name);
    waiting = asked.filter(({ alive }) => !alive).map(({ panel }) => panel);
  }
  for (const { name, query } of waiting) check(name, `no data in ${seconds} s from ${query}`);

  for (const dashboard of dashboards) {
    for (const variable of variablesOf(dashboard)) {
      check(`${dashboard.title}: $${variable.name}`, (await valuesOf(variable, variablesOf(dashboard))).length === 0 && 'offers nothing to choose');
    }
  }
  for (const target of (await ask('targets')).activeTargets) check(`target ${target.scrapeUrl}`, target.health !== 'up' && target.lastError);
  for (const rule of (await ask('rules')).groups.flatMap((group) => group.rules)) check(`rule ${rule.name}`, rule.health !== 'ok' && (rule.lastError ?? rule.health));
  check('the processes', stack.ended().join('\n'));
  console.log(`${((Date.now() - begun) / 1000).toFixed(0)} s under load`);
} catch (error) {
  check('the run', error.message);
} finally {
  await stack.stop();
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
