// Loads the archive on standard input into the store named by the argument and prints what was loaded.
import { endLease, startLease } from '../../src/store/leases.ts';
import { openStore } from '../../src/store/store.ts';
import { load } from './load.ts';

using store = openStore(process.argv[2]!);
const lease = startLease(store);
process.stdout.write(JSON.stringify(await load(store, lease, { input: { kind: 'fd', fd: 0 } })));
endLease(store, lease);
