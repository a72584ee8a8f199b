import { type ChildProcess, spawn } from 'node:child_process';

const SERVER = `
const { createReadStream, existsSync } = require('node:fs');
const server = require('node:http').createServer((request, response) => {
  const path = '.' + request.url.replaceAll('..', '');
  if (existsSync(path)) createReadStream(path).pipe(response);
  else response.writeHead(404).end();
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit()).resume();
`;

/** A web server of a folder in a process of its own: whoever waits for commands cannot answer them. */
export async function serveFolder(cwd: string): Promise<{ url: string; server: ChildProcess }> {
  const server = spawn(process.execPath, ['-e', SERVER], { cwd, stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (
    await new Promise<string>((resolve) => {
      server.stdout.once('data', (data: Buffer) => resolve(data.toString()));
    })
  ).split('\n');
  return { url: `http://127.0.0.1:${port}`, server };
}
