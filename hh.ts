import { hashHeavy } from './src/execute/step/hash-heavy.ts';
import { startThreads } from './src/execute/worker/thread-pool.ts';
import { mkdirSync, rmSync } from 'node:fs';
const store = '/dev/shm/prof/hs'; rmSync(store,{recursive:true,force:true}); mkdirSync(store+'/listings',{recursive:true});
startThreads(); await new Promise(r => setTimeout(r, 800));
const t=performance.now();
const d = await hashHeavy({ store, directory: '/dev/shm/prof/layer', temporary: store+'/t', options: {} });
console.log((performance.now()-t).toFixed(0), d.diffId);
process.exit(0);
