// docker-compose.yml without containers: its services as plain processes on loopback, with the same commands and the same mounted files.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const firstPort = 18200;
const patience = 20_000;

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

export class Stack {
  #folder = mkdtempSync(join(tmpdir(), 'stack-'));
  #ports = new Map();
  #children = [];

  constructor(root, binary) {
    this.root = root;
    this.binary = binary;
    const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true });
    this.services = Object.entries(services);
  }

  get prometheus() {
    return `http://${this.#address('prometheus', 9090)}`;
  }

  async start() {
    for (const [name, service] of this.#running('engine')) this.#gateway(name, service.command);
    for (const [name, service] of this.#running('serve')) this.#gateway(name, service.command.map((word) => this.#mounted(service, word)));
    this.#spawn('redis', 'redis-server', ['--port', this.#address('redis', 6379).split(':')[1], '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
    const prometheus = this.services.find(([name]) => name === 'prometheus')[1];
    this.#spawn('prometheus', 'prometheus', [
      `--config.file=${this.#mounted(prometheus, '/etc/prometheus/prometheus.yml')}`, `--storage.tsdb.path=${join(this.#folder, 'tsdb')}`,
      `--web.listen-address=${this.#address('prometheus', 9090)}`, '--log.level=error',
    ]);
    await this.#until(`http://${this.#address('gateway', 8080)}/readyz`);
    await this.#until(`${this.prometheus}/-/ready`);
    for (const [name, service] of this.#running('replay')) this.#gateway(name, service.command.map((word) => this.#local(word)));
  }

  /** Says which process has ended by itself, or nothing. */
  ended() {
    return this.#children.filter(({ child }) => child.exitCode !== null).map(({ name, output }) => `${name} ended: ${output.slice(-600)}`);
  }

  async stop() {
    const gone = this.#children.map(({ child }) => child.exitCode !== null || child.signalCode !== null ? undefined : new Promise((done) => child.once('exit', done)));
    for (const { child } of this.#children) child.kill('SIGKILL');
    await Promise.all(gone);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #running(verb) {
    return this.services.filter(([, service]) => service.command?.[0] === verb);
  }

  #gateway(name, command) {
    const port = command.indexOf('--port') + 1;
    const words = command.map((word, index) => port > 0 && index === port ? this.#address(name, word).split(':')[1] : word.replace('0.0.0.0', '127.0.0.1'));
    this.#spawn(name, this.binary, words);
  }

  #spawn(name, file, words) {
    const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const entry = { name, child, output: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { entry.output = (entry.output + data).slice(-2_000); });
    child.on('error', (error) => { entry.output += error.message; });
    this.#children.push(entry);
  }

  /** A path inside a container: a copy of the file that is mounted there, with the services' addresses on this machine. */
  #mounted(service, path) {
    const mounts = (service.volumes ?? []).map((mount) => mount.split(':'));
    const from = mounts.find(([, target]) => target === path)?.[0];
    if (!from) return path;
    let text = this.#local(readFileSync(join(this.root, from), 'utf8'));
    text = text.replace(/rule_files: \[(.*)\]/, (_, files) => `rule_files: [${files.split(', ').map((file) => resolve(this.root, from, '..', file)).join(', ')}]`);
    const copy = join(this.#folder, path.replaceAll('/', '_'));
    writeFileSync(copy, text);
    return copy;
  }

  #local(text) {
    const names = this.services.map(([name]) => name).sort((one, other) => other.length - one.length).join('|');
    return text.replace(new RegExp(`(?<![\\w./-])(${names}):(\\d+)|(?<=//)(${names}):(\\d+)`, 'g'), (_, bare, port, inUrl, urlPort) => this.#address(bare ?? inUrl, port ?? urlPort))
      .replace('http://*:8080', `http://${this.#address('gateway', 8080)}`);
  }

  #address(name, port) {
    const key = `${name}:${port}`;
    if (!this.#ports.has(key)) this.#ports.set(key, firstPort + this.#ports.size);
    return `127.0.0.1:${this.#ports.get(key)}`;
  }

  async #until(url) {
    for (const end = Date.now() + patience; Date.now() < end; await pause(200)) {
      const answer = await fetch(url).catch(() => undefined);
      if (answer?.ok) return;
    }
    throw new Error(`${url} was not ready in time. ${this.#children.map(({ name, output }) => `\n${name}: ${output.slice(-400)}`).join('')}`);
  }
}
