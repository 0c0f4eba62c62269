// Every manifest of deploy/kubernetes against the types of the Kubernetes API, and every dashboard against Grafana's own: unknown keys, wrong types and missing
// ones are errors of the TypeScript compiler, with the file's name.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
// Inside this folder, where the compiler finds node_modules; obj is no part of the source.
const folder = join(here, 'obj/schemas');
const checked = [];

/** A file of TypeScript that says: this document is of that type. */
function claim(name, imports, type, document) {
  writeFileSync(join(folder, `${name}.ts`), `${imports}\nexport const checked: ${type} = ${JSON.stringify(document, null, 1)};\n`);
  checked.push(name);
}

function manifest(file, document) {
  const { apiVersion, kind } = document;
  const library = apiVersion.startsWith('monitoring.coreos.com') ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models';
  claim(`${file}-${kind}-${document.metadata.name}`, `import type { I${kind} } from '${library}/${apiVersion}/${kind}';`, `I${kind}`, document);
}

// JSON has the values of Grafana's enums, not their names.
const plain = `
type Plain<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;`;
const configurations = { timeseries: 'TimeSeries', heatmap: 'Heatmap', stat: 'Stat', 'state-timeline': 'StateTimeline' };

function panelType(kind) {
  const name = configurations[kind];
  const path = `@grafana/schema/dist/esm/raw/composable/${kind.replace('-', '')}/panelcfg/x/${name}PanelCfg_types.gen.d.ts`;
  const custom = kind === 'stat' ? '{}' : 'Plain<Partial<Config.FieldConfig>>';
  return {
    imports: `import type { DataSourceRef, FieldConfig, Panel } from '@grafana/schema';\nimport type * as Config from '${path}';${plain}
interface Target { refId: string; datasource: DataSourceRef; expr: string; legendFormat: string; format?: 'heatmap' | 'table' | 'time_series'; }`,
    type: `Plain<Omit<Panel, 'options' | 'fieldConfig' | 'targets'>> & { options: Plain<Partial<Config.Options>>;
  fieldConfig: { defaults: Plain<Omit<FieldConfig, 'custom'>> & { custom?: ${custom} }; overrides: never[] }; targets: Target[] }`,
  };
}

function dashboard(file, document) {
  const { panels, ...rest } = document;
  claim(file, `import type { Dashboard } from '@grafana/schema';${plain}`, `Plain<Omit<Dashboard, 'panels' | 'links'>> & { links: object[] }`, rest);
  for (const panel of panels.filter(({ type }) => type !== 'row')) {
    const { imports, type } = panelType(panel.type);
    claim(`${file}-panel-${panel.id}`, imports, type, panel);
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const texts = (path, ending) => readdirSync(join(root, path)).filter((file) => file.endsWith(ending)).map((file) => [file, readFileSync(join(root, path, file), 'utf8')]);
for (const [file, text] of texts('deploy/kubernetes', '.yaml')) for (const document of parseAllDocuments(text)) manifest(file, document.toJS());
for (const [file, text] of texts('deploy/grafana/dashboards', '.json')) dashboard(file, JSON.parse(text));
const rules = execFileSync(join(root, 'deploy/kubernetes/prometheus-rules'), { encoding: 'utf8' });
for (const document of parseAllDocuments(rules)) manifest('prometheus-rules', document.toJS());

let wrong = '';
try {
  const files = checked.map((name) => join(folder, `${name}.ts`));
  execFileSync(process.execPath, [join(here, 'node_modules/typescript/lib/tsc.js'), '--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler',
    '--target', 'es2022', ...files], { encoding: 'utf8', cwd: here });
} catch (failure) {
  wrong = failure.stdout;
}
const failed = checked.filter((name) => wrong.includes(`/${name}.ts(`)).length;
if (wrong) console.log(wrong);
console.log(`${checked.length - failed} passed, ${wrong && failed === 0 ? 1 : failed} failed`);
process.exitCode = wrong ? 1 : 0;
