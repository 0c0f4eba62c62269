// The commands of README.md, typed in its order by a new user in an empty folder: each one runs, or its line below says who else runs it, or what it needs that is not here.
//   node readme.mjs GATEWAY_BINARY
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const binary = resolve(process.argv[2]);
const text = readFileSync(join(root, 'README.md'), 'utf8');
const checks = readFileSync(join(root, '.ci/run'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'readme-'));
const patience = 60_000;
const [gatewayPort, enginePort] = [18400, 18401];
// The engines of the README's file are these two.
const environment = {
  ...process.env,
  PATH: `${dirname(binary)}:${process.env.PATH}`,
  GATEWAY__LISTEN: `http://127.0.0.1:${gatewayPort}`,
  GATEWAY__MODELS__0__REPLICAS__0__URL: `http://127.0.0.1:${enginePort}`,
  GATEWAY__MODELS__0__REPLICAS__1__URL: `http://127.0.0.1:${enginePort + 1}`,
  GATEWAY__TELEMETRY__ACCESSLOG: join(folder, 'access.log'),
};
const children = [];
const failures = [];
let passed = 0;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function start(command) {
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd: folder, env: environment, stdio: 'ignore' });
  children.push(child);
  return child;
}

async function answers(port) {
  for (const end = Date.now() + patience; Date.now() < end; await pause(100)) {
    if ((await fetch(`http://127.0.0.1:${port}/${port === gatewayPort ? 'readyz' : 'health'}`).catch(() => undefined))?.ok) return;
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** Runs a command to its end, with what makes it short or lets it find what it needs here. */
const run = (...changes) => async (command) => {
  const words = changes.reduce((line, [from, to]) => {
    if (!line.includes(from)) throw new Error(`does not say ${from} any more`);
    return line.replace(from, to);
  }, command);
  return new Promise((done, failed) => execFile('bash', ['-c', words], { cwd: folder, env: environment, timeout: 3 * patience }, (error, output, complaint) =>
    error ? failed(new Error(`${words}: ${error.message}\n${output.slice(-400)}${complaint.slice(-400)}`)) : done(output)));
};

/** Runs a command until it serves; `thenStop` ends it again as an operator would. */
const serve = (thenStop) => async (command) => {
  const child = start(command);
  await answers(gatewayPort);
  if (!thenStop) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const status = await gone;
  if (status !== 0) throw new Error(`ended with ${status}`);
};

const inChecks = (words) => () => {
  if (!checks.includes(words)) throw new Error(`.ci/run does not say ${words}`);
};

// What it needs is said for whoever reads this.
const needs = (_what) => () => undefined;

async function makesAKey(command) {
  const [key, hash] = (await run()(command)).split('\n');
  if (createHash('sha256').update(key).digest('hex') !== hash.split(' ')[0]) throw new Error(`${hash} is not the hash of the key`);
}

const oneOfTwo = ['/ID/', `/127.0.0.1:${enginePort}/`];
const engine = ['http://127.0.0.1:8000', `http://127.0.0.1:${enginePort}`];
const who = {
  'dotnet run -c Release --project Gateway -- demo': inChecks('dotnet run -c Release --project Gateway -- demo --once'),
  'dotnet test': inChecks('dotnet test'),
  'dotnet publish Gateway -c Release -o out': inChecks('dotnet publish Gateway -c Release -o "$work/gateway"'),
  'out/gateway check --config gateway.yaml': run(),
  'out/gateway serve --config gateway.yaml': serve(false),
  'gateway check --config gateway.yaml --probe': run(),
  'KEY=gw-$(openssl rand -hex 24); echo "$KEY"; printf %s "$KEY" | sha256sum': makesAKey,
  'vllm serve meta-llama/Llama-3.1-8B-Instruct --port 8000 --enable-prefix-caching': needs('vLLM'),
  'python -m sglang.launch_server --model-path meta-llama/Llama-3.1-8B-Instruct --host 0.0.0.0 --port 30000 --enable-metrics': needs('SGLang'),
  'llama-server -m model.gguf --host 0.0.0.0 --port 8081 --parallel 4 --ctx-size 32768 --metrics --slots': needs('llama.cpp'),
  'OLLAMA_HOST=0.0.0.0 OLLAMA_NUM_PARALLEL=4 OLLAMA_CONTEXT_LENGTH=8192 ollama serve': needs('Ollama'),
  'curl -X POST http://127.0.0.1:8080/-/replicas/ID/drain': run(['curl', 'curl -sf'], ['8080', `${gatewayPort}`], oneOfTwo),
  'docker compose up --build': needs('Docker'),
  'gateway engine --port 8000': needs('nothing more: the engines here are started so'),
  'gateway engine --profile rtx4090-llama-8b': needs('nothing more, likewise'),
  'gateway replay --trace azure2023_conv.csv.gz --rate 2.4 --replicas 4 --policies default,plain --slo ttft=1s,tpot=100ms --report report.html': run(),
  'gateway replay --trace w1:rate=4 --limit 120 --profile rtx4090-llama-8b --replicas 1 --policies round_robin --live http://127.0.0.1:8000':
    run(['--limit 120', '--limit 40'], ['http://127.0.0.1:8000', `http://127.0.0.1:${gatewayPort}`]),
  'gateway calibrate --url http://127.0.0.1:8000 --seconds 60 --out fitted.yaml': run(engine, ['--seconds 60', '--seconds 20']),
  'gateway calibrate --log access.log.gz --model llama-3.1-8b --out fitted.yaml': (command) => run([' --model', ' --model'])(`gzip -kf access.log && ${command}`),
  'gateway estimate --train prompts/*.gz --test prompts/*.gz': run(),
};

function commands() {
  const found = [];
  let fence;
  for (const line of text.split('\n')) {
    if (line.startsWith('```')) fence = fence === undefined ? line.slice(3) : undefined;
    else if (fence === 'sh' && line) found.push(line);
    else if (fence === '' && line.startsWith('$ ')) found.push(line.slice(2));
    else if (fence === undefined) for (const [, words] of line.matchAll(/`((?:curl|docker|dotnet|gateway [a-z]+ --)[^`]*)`/g)) if (!words.startsWith('dotnet test -c')) found.push(words);
  }
  return found.map((line) => line.split(/ {2,}#/)[0].trim());
}

function prepare() {
  symlinkSync(dirname(binary), join(folder, 'out'));
  writeFileSync(join(folder, 'gateway.yaml'), /```yaml\n(# gateway\.yaml\n[^]*?)```/.exec(text)[1]);
  const rows = Array.from({ length: 400 }, (_, i) => `${i * 400},${200 + ((i * 37) % 900)},${20 + ((i * 53) % 300)}`);
  writeFileSync(join(folder, 'azure2023_conv.csv.gz'), gzipSync(`timestamp_ms,input_tokens,output_tokens\n${rows.join('\n')}\n`));
  mkdirSync(join(folder, 'prompts'));
  const lines = Array.from({ length: 400 }, (_, i) => JSON.stringify({ source: 's', prompt_id: `p${i}`, model: 'm', prompt: `say ${i}`, prompt_tokens: 2, output_tokens: 50 + ((i * 31) % 90) }));
  writeFileSync(join(folder, 'prompts/one.jsonl.gz'), gzipSync(`${lines.join('\n')}\n`));
}

try {
  prepare();
  for (const port of [enginePort, enginePort + 1]) start(`gateway engine --port ${port} --model llama-3.1-8b --profile rtx4090-llama-8b`);
  await Promise.all([enginePort, enginePort + 1].map(answers));
  const said = commands();
  for (const command of said) {
    try {
      if (!who[command]) throw new Error('nobody runs it: say in readme.mjs who does');
      await who[command](command);
      passed++;
    } catch (error) {
      failures.push(`${command}: ${error.message}`);
    }
  }
  for (const command of Object.keys(who).filter((known) => !said.includes(known))) failures.push(`${command}: README.md does not say it any more`);
} finally {
  for (const child of children) child.kill('SIGTERM');
  await pause(500);
  rmSync(folder, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
