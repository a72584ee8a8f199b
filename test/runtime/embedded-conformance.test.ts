import { conformance } from './conformance.ts';

conformance({ runtime: 'embedded' });
conformance({ runtime: 'embedded', userNamespace: true });
