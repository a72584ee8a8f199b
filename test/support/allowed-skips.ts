/**
 * The only suites that may be skipped when SLIPWAY_TEST_STRICT is set, by name, each with the reason. Suites that need
 * a real peer engine may stand here and no others: everything else the test command has to provide.
 */
export const ALLOWED_SKIPS: Readonly<Record<string, string>> = {
  'run by a Docker engine': 'an engine is a service of the machine; a test command does not bring one up',
  'archives given to a Docker engine and back': 'the same',
  'archives given to podman and back': 'an engine too, with a store of its own on the machine',
  'images that Docker has pushed': 'the same',
  'rules of the Dockerfile language, by a Docker engine': 'an engine, as above; its answers are in the data',
  'pushed images pulled by a Docker engine': 'an engine, as above',
  'pushed images pulled by podman': 'the same',
  'pushed images pulled by buildah': 'the same',
};
