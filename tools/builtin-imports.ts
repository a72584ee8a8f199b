import { createRequire } from 'node:module';
import { promisify } from 'node:util';

/** An import of one of Node's own modules, as the bundler writes it. */
const IMPORT = /^import (?:(\w[\w$]*)(?:, )?)?(?:\{([^}]*)\})? from "(node:[\w/]+)";$/gm;

/** What `promisify` is given; the bundler numbers names of which there are two. */
const PROMISIFIED = /\bpromisify[\w$]*\(([\w$]+)[,)]/g;

/** What a cached build does without, or calls on rare ways only; together some 10 ms. */
const LATE = new Set([
  'node:child_process',
  'node:fs/promises',
  'node:net',
  'node:stream/promises',
  'node:timers/promises',
  'node:zlib',
]);

/**
 * Takes Node's own modules by `process.getBuiltinModule`. Importing one makes all that it could give, also what is
 * made on first use otherwise (WebCrypto, streams of files), and costs a cached build 10 ms more. Functions of modules
 * that are rarely needed load their module when they are called.
 */
export function takeBuiltins(code: string): string {
  const promisified = new Set([...code.matchAll(PROMISIFIED)].map(([, name]) => name));
  return code.replaceAll(
    IMPORT,
    (_, whole: string | undefined, names: string | undefined, module: string) => {
      const taken = `process.getBuiltinModule("${module}")`;
      const lines: string[] = [];
      if (whole !== undefined) lines.push(`const ${whole} = ${taken};`);
      const now: string[] = [];
      for (const each of (names ?? '')
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean)) {
        const [name, alias = name] = each.split(' as ') as [string, string?];
        if (LATE.has(module) && isFunction(module, name, promisified.has(alias)))
          lines.push(`const ${alias} = (...args) => ${taken}.${name}(...args);`);
        else now.push(name === alias ? name : `${name}: ${alias}`);
      }
      if (now.length > 0) lines.push(`const { ${now.join(', ')} } = ${taken};`);
      return lines.join(' ');
    },
  );
}

/** True for what is only called: no class, no value, nothing that `promisify` is given and knows another form of. */
function isFunction(module: string, name: string, isPromisified: boolean): boolean {
  const value = (createRequire(import.meta.url)(module) as Record<string, unknown>)[name];
  if (typeof value !== 'function' || !/^[a-z]/.test(name)) return false;
  return !isPromisified || !Object.hasOwn(value, promisify.custom);
}
