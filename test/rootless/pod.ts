/**
 * Runs a command as in a locked-down container: Docker's filter of system calls and its default capabilities, without
 * a namespace of its own. No user namespace can be made and nothing mounted. Usage: node pod.ts COMMAND [ARG...]
 */
import type { Capability } from '../../src/runtime/capabilities.ts';
import { buildSeccompFilter } from '../../src/runtime/seccomp/filter.ts';
import { loadSys } from '../../src/sys/linux.ts';

const DEFAULT =
  'chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap';
const SECCOMP = process.arch === 'arm64' ? 277 : 317;
const SECCOMP_SET_MODE_FILTER = 1;

const sys = loadSys();
const kept = (process.env.POD_CAPABILITIES ?? DEFAULT).split(',');
const names = new Set(kept.map((name) => name.toUpperCase() as Capability));
const filter = buildSeccompFilter(process.arch === 'arm64' ? 'arm64' : 'x86_64', names);
const program = Buffer.alloc(16); // struct sock_fprog
program.writeUInt16LE(filter.length / 8, 0);
program.writeBigUInt64LE(sys.address(filter), 8);
sys.syscall(SECCOMP, SECCOMP_SET_MODE_FILTER, 0, program);

const capabilities = ['-all', ...kept.map((name) => `+${name}`)].join(',');
const [command, ...args] = process.argv.slice(2) as [string, ...string[]];
// Nothing is started from here: Node's own machinery needs calls that the filter refuses.
const setpriv = ['setpriv', `--bounding-set=${capabilities}`, '--inh-caps=-all', command, ...args];
process.execve!('/usr/bin/setpriv', setpriv, process.env);
