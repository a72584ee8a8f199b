import { accessSync, constants, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { bootId } from '../sys/process-identity.ts';
import { EmbeddedRuntime, embeddedObstacle } from './embedded/embedded-runtime.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { OciRuntime } from './oci-runtime.ts';
import { selfTest } from './self-test.ts';
import type { ContainerRuntime } from './types.ts';

/** What a user may ask for. */
export type RuntimeChoice = 'auto' | 'crun' | 'runc' | 'embedded';

/** Where runtimes may write, and where results of self-tests are kept. */
export interface SelectOptions {
  /** A directory of this worker for bundles, state and the self-test; removed by the caller. */
  directory: string;
  /** Remembers which program passed the self-test; without it the test is done each time. */
  cacheFile?: string;
  /** See `OciRuntimeOptions`. */
  cgroupParent?: string;
}

/** The runtime to use and, for `slipway info`, why. */
export interface SelectedRuntime {
  runtime: ContainerRuntime;
  reason: string;
}

/**
 * The runtime for `choice`. `auto` takes the first of crun and runc that is installed and passes a self-test (one
 * container, once per program and boot), else the embedded one. Called in the worker, whose namespaces count.
 * Throws `unavailable` (`RUNTIME_NOT_FOUND`) or `unsupported` (`RUNTIME_UNSUPPORTED`).
 */
export async function selectRuntime(choice: RuntimeChoice, options: SelectOptions): Promise<SelectedRuntime> {
  const facts = readHostFacts();
  const refused: string[] = [];
  if (choice !== 'embedded') {
    const names = choice === 'auto' ? (['crun', 'runc'] as const) : ([choice] as const);
    for (const name of names) {
      const program = findProgram(name);
      if (program === undefined) {
        refused.push(`${name} is not installed`);
        continue;
      }
      const runtime = ociRuntime(name, program, options);
      const failure = await testOnce(runtime, { program, facts, options });
      if (failure === undefined) return { runtime, reason: `${program} passed its self-test` };
      if (choice === name) {
        throw new SlipwayError('unsupported', `${program} failed its self-test: ${failure}`, {
          code: 'RUNTIME_UNSUPPORTED',
          hint: 'Use --runtime=auto, which takes one that works.',
        });
      }
      refused.push(`${name} failed its self-test (${failure})`);
    }
  }
  if (choice === 'crun' || choice === 'runc') {
    throw new SlipwayError('unavailable', `the runtime ${choice} is not installed`, {
      code: 'RUNTIME_NOT_FOUND',
      hint: `Install the package ${choice}, or use --runtime=embedded, which needs nothing.`,
    });
  }
  const obstacle = embeddedObstacle(facts);
  if (obstacle !== undefined) {
    const why = [...refused, `the embedded runtime cannot be used: ${obstacle}`].join('; ');
    throw new SlipwayError('unsupported', `there is no container runtime for this machine: ${why}`, {
      code: 'RUNTIME_UNSUPPORTED',
      hint: 'Install crun or runc.',
    });
  }
  const reason = choice === 'embedded' ? '--runtime=embedded' : refused.join('; ');
  return { runtime: new EmbeddedRuntime(), reason };
}

function ociRuntime(name: 'crun' | 'runc', program: string, options: SelectOptions): OciRuntime {
  const { directory, cgroupParent } = options;
  return new OciRuntime({
    name,
    program,
    stateDirectory: join(directory, `${name}-state`),
    bundleDirectory: join(directory, `${name}-bundles`),
    ...(cgroupParent === undefined ? {} : { cgroupParent }),
  });
}

/** Path of an executable file. The directories of system programs are searched even where PATH lacks them. */
function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const directory of directories) {
    if (!directory.startsWith('/')) continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

interface TestContext {
  program: string;
  facts: HostFacts;
  options: SelectOptions;
}

/** Results by program, version of the file, boot and kind of user: what the test depends on. */
type TestResults = Record<string, { failure?: string }>;

async function testOnce(
  runtime: OciRuntime,
  { program, facts, options }: TestContext,
): Promise<string | undefined> {
  const { mtimeMs, size } = statSync(program);
  const kind = `${facts.userNamespace ? 'user-namespace' : 'root'}${facts.outerProc ? ',outer-proc' : ''}`;
  const key = [program, mtimeMs, size, bootId(), kind, facts.capabilities.toString(16)].join(' ');
  const results = options.cacheFile === undefined ? {} : readResults(options.cacheFile);
  const known = results[key];
  if (known) return known.failure;
  const failure = await selfTest(runtime, options.directory);
  if (options.cacheFile !== undefined) {
    // Results of earlier boots are of no more use.
    const current = Object.entries(results).filter(([each]) => each.includes(bootId()));
    const result = failure === undefined ? {} : { failure };
    writeResults(options.cacheFile, { ...Object.fromEntries(current), [key]: result });
  }
  return failure;
}

function readResults(path: string): TestResults {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as TestResults) : {};
  } catch {
    return {};
  }
}

function writeResults(path: string, results: TestResults): void {
  try {
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(results));
    renameSync(temporary, path);
  } catch {
    // Only a test more next time.
  }
}
