/** Version of the store's format: its folders and the tables below. A store with a newer one is refused. */
export const STORE_FORMAT = 5;

const COSTS = `CREATE TABLE costs (
  name TEXT PRIMARY KEY,
  duration_ms REAL NOT NULL,
  peak_memory INTEGER,
  used_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`;

const INDEXES = `CREATE TABLE indexes (id TEXT PRIMARY KEY, document BLOB NOT NULL) STRICT;

CREATE TABLE index_images (
  index_id TEXT NOT NULL REFERENCES indexes(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  image TEXT NOT NULL REFERENCES images(id),
  PRIMARY KEY (index_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_images_image ON index_images(image);

CREATE TABLE index_names (
  name TEXT PRIMARY KEY,
  index_id TEXT NOT NULL REFERENCES indexes(id)
) STRICT, WITHOUT ROWID;
CREATE INDEX index_names_index ON index_names(index_id);`;

/** What makes a store of an older format one of the next: `UPGRADES[1]` leads from format 1 to 2. */
export const UPGRADES: Readonly<Record<number, string>> = {
  1: `DROP TABLE durations; ${COSTS}`,
  2: 'ALTER TABLE layers ADD COLUMN disk_size INTEGER',
  3: `
ALTER TABLE layers ADD COLUMN base INTEGER REFERENCES layers(id);
ALTER TABLE layers ADD COLUMN fits TEXT;
CREATE INDEX layers_base ON layers(base) WHERE base IS NOT NULL;
CREATE INDEX steps_parent ON steps(parent_chain);
`,
  4: INDEXES,
};

/**
 * The tables of the index.
 *
 * - `leases`: processes that are at work. `layers.lease`, `holds`, `blob_holds` and `claims` hang on one and lose
 *   their meaning when it is dead.
 * - `layers`: one row for each directory under layers/. `state`: `pending` (its lease writes it), `ready` (all is
 *   known and on disk), `removing` (nothing may refer to it; the directory is being deleted). Numbers are never
 *   used twice, so that a late writer cannot meet another's layer. `recipe`: JSON of `PackRecipe`. `disk_size`: bytes that it
 *   takes on the disk, once that was measured. `base`: the layer whose directories lie under this one's, which then
 *   holds only what differs; it keeps that layer alive. `fits`: chain id (empty for none) of the layers below which
 *   it may be laid over, where it may not lie over any: a mark in its directory that takes a name of the base away
 *   would take it from other layers too.
 * - `holds`, `blob_holds`: layers and blobs that a live process uses.
 * - `images`: configuration and, where the image came with one, manifest, as bytes. They are small and must appear
 *   together with their names, so they are rows and not files.
 * - `image_layers`: the layers of an image, bottom first. An image whose layers are not all ready cannot be written.
 * - `tags`, `image_digests`: normalised names (`docker.io/library/x:1`, `docker.io/library/x@sha256:…`).
 * - `indexes`, `index_images`, `index_names`: images for several platforms, their images in the order of the document,
 *   and which names stand for them; the image for this machine has those names, too.
 * - `steps`: results of build steps by key. A row keeps its layer alive.
 * - `claims`: which lease runs the step with a key right now.
 * - `contents`: digests of what was selected from a chain of layers.
 * - `plans`, `costs`, `named_values`: things that save time and may be lost.
 * - `blobs`: files under blobs/ that are there or being written.
 */
export const SCHEMA = `
CREATE TABLE leases (
  id TEXT PRIMARY KEY,
  boot_id TEXT NOT NULL,
  pid_namespace TEXT NOT NULL,
  pid INTEGER NOT NULL,
  start_time INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE layers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'removing')),
  lease TEXT,
  diff_id TEXT,
  tar_size INTEGER,
  size INTEGER,
  packer INTEGER,
  boot_id TEXT,
  recipe TEXT,
  origin_digest TEXT,
  origin_size INTEGER,
  origin_type TEXT,
  created_ms INTEGER NOT NULL,
  disk_size INTEGER,
  base INTEGER REFERENCES layers(id),
  fits TEXT
) STRICT;
CREATE UNIQUE INDEX layers_ready ON layers(diff_id) WHERE state = 'ready';
CREATE INDEX layers_unready ON layers(state) WHERE state <> 'ready';
CREATE INDEX layers_origin ON layers(origin_digest) WHERE origin_digest IS NOT NULL;
CREATE INDEX layers_base ON layers(base) WHERE base IS NOT NULL;

CREATE TABLE holds (
  lease TEXT NOT NULL,
  layer INTEGER NOT NULL REFERENCES layers(id) ON DELETE CASCADE,
  PRIMARY KEY (layer, lease)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_lease ON holds(lease);

CREATE TABLE images (
  id TEXT PRIMARY KEY,
  config BLOB NOT NULL,
  manifest BLOB,
  parent TEXT,
  created TEXT NOT NULL,
  size INTEGER NOT NULL,
  added_ms INTEGER NOT NULL,
  tagged_ms INTEGER
) STRICT;
CREATE INDEX images_parent ON images(parent) WHERE parent IS NOT NULL;

CREATE TABLE image_layers (
  image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  layer INTEGER NOT NULL REFERENCES layers(id),
  PRIMARY KEY (image, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_layer ON image_layers(layer);

CREATE TABLE tags (
  name TEXT PRIMARY KEY,
  image TEXT NOT NULL REFERENCES images(id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_image ON tags(image);

CREATE TABLE image_digests (
  name TEXT PRIMARY KEY,
  image TEXT NOT NULL REFERENCES images(id)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_digests_image ON image_digests(image);

${INDEXES}

CREATE TABLE steps (
  key TEXT PRIMARY KEY,
  definition TEXT NOT NULL,
  parent_chain TEXT NOT NULL,
  diff_id TEXT,
  layer INTEGER REFERENCES layers(id) ON DELETE CASCADE,
  created TEXT NOT NULL,
  duration_ms REAL NOT NULL,
  build_id TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  parts TEXT NOT NULL,
  used_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX steps_definition ON steps(definition, parent_chain);
CREATE INDEX steps_parent ON steps(parent_chain);
CREATE INDEX steps_layer ON steps(layer) WHERE layer IS NOT NULL;

CREATE TABLE claims (key TEXT PRIMARY KEY, lease TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX claims_lease ON claims(lease);

CREATE TABLE contents (
  chain TEXT NOT NULL,
  selector TEXT NOT NULL,
  digest TEXT NOT NULL,
  used_ms INTEGER NOT NULL,
  PRIMARY KEY (chain, selector)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (key TEXT PRIMARY KEY, text TEXT NOT NULL, used_ms INTEGER NOT NULL) STRICT;
${COSTS}
CREATE TABLE named_values (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE blob_holds (
  lease TEXT NOT NULL,
  digest TEXT NOT NULL REFERENCES blobs(digest) ON DELETE CASCADE,
  PRIMARY KEY (digest, lease)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_holds_lease ON blob_holds(lease);

PRAGMA user_version = ${STORE_FORMAT};
`;
