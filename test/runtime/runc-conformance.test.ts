import { conformance } from './conformance.ts';

conformance({ runtime: 'runc' });
