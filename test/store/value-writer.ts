// Opens the store named by the first argument, making it when it is not there, and writes 50 values of its own.
import { putValue } from '../../src/store/memory.ts';
import { openStore } from '../../src/store/store.ts';

const [root, name] = process.argv.slice(2) as [string, string];
using store = openStore(root);
for (let i = 0; i < 50; i++) putValue(store, `${name}-${i}`, 'x');
