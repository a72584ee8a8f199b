// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import { expect, test } from 'vitest';
import type { SlipwayError } from '../../src/errors/index.ts';
import type { PlanInput } from '../../src/plan/options.ts';
import { planError, planText } from './plan-fixture.ts';

const NOTHING: Partial<PlanInput> = { resolveImage: async () => undefined };

async function errors(files: readonly (string | [string, Partial<PlanInput>])[]): Promise<string> {
  const texts: string[] = [];
  for (const entry of files) {
    const [file, extra] = typeof entry === 'string' ? [entry, {}] : entry;
    texts.push(`${JSON.stringify(file)}\n${await planError(file, extra)}`);
  }
  return texts.join('\n\n');
}

test('stages, targets and FROM', async () => {
  expect(
    await errors([
      ['FROM scratch AS build\nFROM scratch AS test\n', { target: 'biuld' }],
      ['FROM scratch\n', { target: 'x' }],
      ['FROM scratch AS a\n', { target: '0' }],
      'FROM $X\n',
      'ARG BASE=x\nFROM ${BSAE}\n',
      'FROM --platform=$X scratch\n',
      'FROM --platform=a/b/c/d scratch\n',
      'FROM Foo\n',
      'FROM a:b:c\n',
      'FROM "unfinished\n',
      ['FROM alpin\n', NOTHING],
      ['FROM scratch AS base\nFROM Base\n', NOTHING],
      ['FROM later AS first\nFROM scratch AS later\nFROM first\n', NOTHING],
    ]),
  ).toMatchInlineSnapshot(`
    ""FROM scratch AS build\\nFROM scratch AS test\\n"
    not-found STAGE_NOT_FOUND: target stage "biuld" could not be found (did you mean build?)
      at 0: -
      hint: Stages with a name are build, test.

    "FROM scratch\\n"
    not-found STAGE_NOT_FOUND: target stage "x" could not be found
      at 0: -
      hint: No stage of this Dockerfile has a name: write FROM … AS name.

    "FROM scratch AS a\\n"
    not-found STAGE_NOT_FOUND: target stage "0" could not be found (did you mean a?)
      at 0: -
      hint: Stages with a name are a.

    "FROM $X\\n"
    invalid BASE_NAME_BLANK: base name ($X) should not be blank
      at 1: $X
      hint: FROM sees only ARGs that stand before the first FROM: put ARG X there, with a default.

    "ARG BASE=x\\nFROM \${BSAE}\\n"
    invalid BASE_NAME_BLANK: base name (\${BSAE}) should not be blank
      at 2: \${BSAE}
      hint: Did you mean $BASE?

    "FROM --platform=$X scratch\\n"
    invalid PLATFORM_EMPTY: empty platform value from expression $X
      at 1: --platform=$X
      hint: FROM sees only ARGs that stand before the first FROM: put ARG X there, with a default.

    "FROM --platform=a/b/c/d scratch\\n"
    syntax PLATFORM_INVALID: failed to parse platform a/b/c/d: "a/b/c/d": cannot parse platform specifier: invalid argument
      at 1: --platform=a/b/c/d
      hint: A platform is written os/architecture or os/architecture/variant, like linux/amd64 or linux/arm/v7.

    "FROM Foo\\n"
    syntax REFERENCE_INVALID: failed to parse stage name "Foo": invalid reference format: repository name (library/Foo) must be lowercase
      at 1: Foo
      hint: Write foo.

    "FROM a:b:c\\n"
    syntax REFERENCE_INVALID: failed to parse stage name "a:b:c": invalid reference format
      at 1: a:b:c

    "FROM \\"unfinished\\n"
    syntax EXPANSION_FAILED: failed to process "\\"unfinished": unexpected end of statement while looking for matching double-quote
      at 1: "unfinished
      hint: Close the quote, or put the escape character before it when a plain quote is meant.

    "FROM alpin\\n"
    not-found IMAGE_NOT_FOUND: alpin: failed to resolve source metadata for docker.io/library/alpin:latest: docker.io/library/alpin:latest: not found (did you mean alpine?)
      at 1: alpin
      hint: There is no image docker.io/library/alpin:latest in the store.

    "FROM scratch AS base\\nFROM Base\\n"
    syntax REFERENCE_INVALID: failed to parse stage name "Base": invalid reference format: repository name (library/Base) must be lowercase
      at 2: Base
      hint: Did you mean the stage base? FROM takes names of stages in lower case.

    "FROM later AS first\\nFROM scratch AS later\\nFROM first\\n"
    not-found IMAGE_NOT_FOUND: later: failed to resolve source metadata for docker.io/library/later:latest: docker.io/library/later:latest: not found
      at 1: later
      hint: The stage later stands further below; move it above its use."
  `);
});

test('COPY --from and mounts of stages', async () => {
  expect(
    await errors([
      'FROM scratch AS a\nCOPY --from=3 a b\n',
      'FROM scratch AS a\nCOPY --from=-1 a b\n',
      'FROM scratch AS x\nCOPY --from=x a b\n',
      'FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /\n',
      'FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b\n',
      'FROM scratch AS a\nRUN --mount=from=B,target=/m x\nFROM a AS b\n',
      // Names bind to the last stage of that name, wherever it stands.
      'FROM scratch AS x\nFROM scratch AS middle\nCOPY --from=x / /\nFROM middle AS x\n',
      'FROM scratch\nCOPY --from=$A a b\n',
      'FROM scratch\nCOPY --from=A/B a b\n',
      ['FROM scratch\nCOPY --from=busybx /a /b\n', NOTHING],
    ]),
  ).toMatchInlineSnapshot(`
    ""FROM scratch AS a\\nCOPY --from=3 a b\\n"
    not-found STAGE_INDEX_INVALID: invalid stage index 3
      at 2: --from=3
      hint: Stages are counted from 0; this file has 1: 0 a.

    "FROM scratch AS a\\nCOPY --from=-1 a b\\n"
    not-found STAGE_INDEX_INVALID: invalid stage index -1
      at 2: --from=-1
      hint: Stages are counted from 0; this file has 1: 0 a.

    "FROM scratch AS x\\nCOPY --from=x a b\\n"
    invalid STAGE_CYCLE: circular dependency detected on stage: x
      at 2: --from=x
      hint: A stage can only use stages that stand above it.

    "FROM scratch AS a\\nCOPY --from=b / /\\nFROM scratch AS b\\nCOPY --from=a / /\\n"
    invalid STAGE_CYCLE: circular dependency detected on stage: a
      at 4: --from=a
      hint: A stage can only use stages that stand above it.

    "FROM scratch AS a\\nCOPY --from=b / /\\nFROM a AS b\\n"
    invalid STAGE_BELOW: cannot copy from stage "b", it needs to be defined before current stage "a"
      at 2: --from=b
      hint: Move that stage above this one.

    "FROM scratch AS a\\nRUN --mount=from=B,target=/m x\\nFROM a AS b\\n"
    invalid STAGE_BELOW: cannot mount from stage "B" to "/m", stage needs to be defined before current command
      at 2: --mount=from=B,target=/m
      hint: Move that stage above this one.

    "FROM scratch AS x\\nFROM scratch AS middle\\nCOPY --from=x / /\\nFROM middle AS x\\n"
    invalid STAGE_BELOW: cannot copy from stage "x", it needs to be defined before current stage "middle"
      at 3: --from=x
      hint: Move that stage above this one.

    "FROM scratch\\nCOPY --from=$A a b\\n"
    invalid FROM_NOT_EXPANDED: variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround
      at 2: --from=$A
      hint: Before the first FROM: ARG with the name; then FROM $A AS source, and COPY --from=source.

    "FROM scratch\\nCOPY --from=A/B a b\\n"
    syntax REFERENCE_INVALID: failed to parse stage name "A/B": invalid reference format: repository name (B) must be lowercase
      at 2: --from=A/B
      hint: Write A/b.

    "FROM scratch\\nCOPY --from=busybx /a /b\\n"
    not-found IMAGE_NOT_FOUND: busybx: failed to resolve source metadata for docker.io/library/busybx:latest: docker.io/library/busybx:latest: not found (did you mean busybox?)
      at 2: --from=busybx
      hint: There is no image docker.io/library/busybx:latest in the store."
  `);
});

test('mounts', async () => {
  const mounts = [
    'type=foo',
    'type=cahe,target=/a',
    'foo',
    'tipe=bind',
    'from=$X,target=/a',
    'type=secret',
    'type=secret,id=a,src=b',
    'type=secret,id=a,from=b',
    'type=secret,id=a,sharing=shared',
    'target=/',
    'type=cache,target=/a,sharing=x',
    'type=bind,target=/a,sharing=shared',
    'type=cache,target=/a,size=1',
    'type=tmpfs,target=/a,size=x',
    'type=bind,mode=1,target=/a',
    'type=tmpfs,uid=1,target=/a',
    'type=cache,target=/a,mode=9',
    'type=cache,target=/a,uid=-1',
    'target=/a,ro=maybe',
    'target=/a,required',
    'type=ssh,source=a',
    'type=bind,"target=/a',
    'type=bind,target=${U:?not given}',
  ];
  const texts = [];
  for (const mount of mounts) {
    const text = await planError(
      `FROM scratch\nRUN --mount=${mount.replaceAll('"', '\\"').replaceAll(' ', '\\ ')} true\n`,
    );
    texts.push(`${mount}\n    ${text.replaceAll('\n', '\n    ')}`);
  }
  expect(texts.join('\n')).toMatchInlineSnapshot(`
    "type=foo
        syntax MOUNT_INVALID: unsupported mount type "foo"
          at 2: type=foo
    type=cahe,target=/a
        syntax MOUNT_INVALID: unsupported mount type "cahe" (did you mean cache?)
          at 2: type=cahe
    foo
        syntax MOUNT_INVALID: invalid field 'foo' must be a key=value pair
          at 2: foo
    tipe=bind
        syntax MOUNT_INVALID: unexpected key 'tipe' in 'tipe=bind' (did you mean type?)
          at 2: tipe=bind
    from=$X,target=/a
        syntax MOUNT_INVALID: dockerfile parse error on line 2: 'from' doesn't support variable expansion, define alias stage instead
          at 2: from=$X
          hint: Name the image in a FROM line of its own (a global ARG may be used there), give that stage a name, and mount from it.
    type=secret
        syntax MOUNT_INVALID: invalid secret mount. one of source, target required
          at 2: --mount=type=secret
    type=secret,id=a,src=b
        syntax MOUNT_INVALID: both source and id can't be set
          at 2: --mount=type=secret,id=a,src=b
    type=secret,id=a,from=b
        syntax MOUNT_INVALID: secret mount should not have a from
          at 2: --mount=type=secret,id=a,from=b
    type=secret,id=a,sharing=shared
        syntax MOUNT_INVALID: secret mount should not define sharing
          at 2: --mount=type=secret,id=a,sharing=shared
    target=/
        invalid MOUNT_INVALID: invalid mount target "/"
          at 2: --mount=target=/
          hint: Give the mount a target= below the root directory.
    type=cache,target=/a,sharing=x
        syntax MOUNT_INVALID: unsupported sharing value "x"
          at 2: sharing=x
    type=bind,target=/a,sharing=shared
        syntax MOUNT_INVALID: invalid cache sharing set for bind mount
          at 2: --mount=type=bind,target=/a,sharing=shared
    type=cache,target=/a,size=1
        syntax MOUNT_INVALID: unexpected key 'size' for mount type 'cache'
          at 2: size=1
          hint: Put type= first: options are read from left to right.
    type=tmpfs,target=/a,size=x
        syntax MOUNT_INVALID: invalid value for size: x
          at 2: size=x
    type=bind,mode=1,target=/a
        syntax MOUNT_INVALID: mode not allowed for "bind" type mounts
          at 2: --mount=type=bind,mode=1,target=/a
    type=tmpfs,uid=1,target=/a
        syntax MOUNT_INVALID: uid not allowed for "tmpfs" type mounts
          at 2: --mount=type=tmpfs,uid=1,target=/a
    type=cache,target=/a,mode=9
        syntax MOUNT_INVALID: invalid value 9 for mode
          at 2: mode=9
    type=cache,target=/a,uid=-1
        syntax MOUNT_INVALID: invalid value -1 for uid
          at 2: uid=-1
    target=/a,ro=maybe
        syntax MOUNT_INVALID: invalid value for ro: maybe
          at 2: ro=maybe
    target=/a,required
        syntax MOUNT_INVALID: unexpected key 'required' for mount type 'bind'
          at 2: required
          hint: Put type= first: options are read from left to right.
    type=ssh,source=a
        syntax MOUNT_INVALID: ssh does not support source
          at 2: --mount=type=ssh,source=a
    type=bind,"target=/a
        syntax MOUNT_INVALID: dockerfile parse error on line 2: failed to parse csv mounts: parse error on line 1, column 21: extraneous or missing " in quoted-field
          at 2: --mount=type=bind,\\"target=/a
    type=bind,target=\${U:?not given}
        syntax EXPANSION_FAILED: failed to process "\${U:?not given}": U: not given
          at 2: --mount=type=bind,target=\${U:?not\\ given}"
  `);
});

test('values of instructions', async () => {
  expect(
    await errors([
      'FROM scratch\nRUN --network=hots true\n',
      'FROM scratch\nRUN --network=host true\n',
      'FROM scratch\nRUN --security=secure true\n',
      'FROM scratch\nRUN --security=insecure true\n',
      'FROM scratch\nHEALTHCHECK --interval=1us CMD x\n',
      'FROM scratch\nHEALTHCHECK --timeout=5 CMD x\n',
      'FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n',
      'FROM scratch\nHEALTHCHECK --retries=x CMD x\n',
      'FROM scratch\nEXPOSE 80a\n',
      'FROM scratch\nSTOPSIGNAL FOO\n',
      'FROM scratch\nVOLUME $X\n',
      'FROM scratch\nCOPY --chmod=9 a b\n',
      'FROM scratch\nCOPY http://x/y b\n',
      'FROM scratch\nCOPY https://x/y.git b\n',
      'FROM scratch\nADD https://x/y.git?what=1 b\n',
      'FROM scratch\nADD --keep-git-dir=false https://x/y.git?keep-git-dir=1 b\n',
      'FROM scratch\nADD --checksum=sha256:aa https://x/y b\n',
      'FROM scratch\nADD --checksum=sha256:aa a b\n',
      'FROM scratch\nADD --checksum=sha256:aa a b c\n',
      'FROM scratch\nENV a=${b:?needed}\n',
      'FROM scratch\nLABEL a=b\\\n  c="${x\n',
      'ARG A=${\nFROM scratch\n',
      '# check=foo\nFROM scratch\n',
      '# check=error=true\nFROM scratch\nMAINTAINER x\nCMD x\n',
      ['FROM scratch\n', { buildArgs: new Map([['SOURCE_DATE_EPOCH', 'yesterday']]) }],
    ]),
  ).toMatchInlineSnapshot(`
    ""FROM scratch\\nRUN --network=hots true\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: invalid network mode "hots" (did you mean host?)
      at 2: --network=hots
      hint: Known are default, none, host.

    "FROM scratch\\nRUN --network=host true\\n"
    denied ENTITLEMENT_MISSING: network.host is not allowed
      at 2: --network=host
      hint: Build with --allow network.host if you trust this Dockerfile.

    "FROM scratch\\nRUN --security=secure true\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: security "secure" is not valid (did you mean insecure?)
      at 2: --security=secure
      hint: Known are sandbox, insecure.

    "FROM scratch\\nRUN --security=insecure true\\n"
    denied ENTITLEMENT_MISSING: security.insecure is not allowed
      at 2: --security=insecure
      hint: Build with --allow security.insecure if you trust this Dockerfile.

    "FROM scratch\\nHEALTHCHECK --interval=1us CMD x\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: Interval "interval" cannot be less than 1ms
      at 2: --interval=1us

    "FROM scratch\\nHEALTHCHECK --timeout=5 CMD x\\n"
    syntax DURATION_INVALID: dockerfile parse error on line 2: time: missing unit in duration "5"
      at 2: --timeout=5
      hint: Durations are written like 30s, 1m30s or 500ms.

    "FROM scratch\\nHEALTHCHECK --retries=-1 CMD x\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: --retries cannot be negative (-1)
      at 2: --retries=-1

    "FROM scratch\\nHEALTHCHECK --retries=x CMD x\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: strconv.ParseInt: parsing "x": invalid syntax
      at 2: --retries=x
      hint: --retries takes a whole number.

    "FROM scratch\\nEXPOSE 80a\\n"
    syntax EXPOSE_INVALID: invalid containerPort: 80a
      at 2: 80a
      hint: A port is a number from 0 to 65535 or a range like 8000-8010, optionally with /tcp, /udp or /sctp.

    "FROM scratch\\nSTOPSIGNAL FOO\\n"
    invalid SIGNAL_INVALID: invalid signal: FOO
      at 2: FOO
      hint: Give a name like SIGTERM or a number.

    "FROM scratch\\nVOLUME $X\\n"
    invalid EMPTY_VOLUME: VOLUME specified can not be an empty string
      at 2: $X
      hint: A variable here is empty or not set.

    "FROM scratch\\nCOPY --chmod=9 a b\\n"
    syntax CHMOD_INVALID: invalid chmod parameter: '9'. it should be octal string and between 0 and 07777
      at 2: --chmod=9
      hint: Symbolic modes like u=rwX,go=rX are accepted too.

    "FROM scratch\\nCOPY http://x/y b\\n"
    invalid COPY_SOURCE_INVALID: source can't be a URL for COPY
      at 2: http://x/y
      hint: Use ADD for what has to be fetched.

    "FROM scratch\\nCOPY https://x/y.git b\\n"
    invalid COPY_SOURCE_INVALID: source can't be a git ref for COPY
      at 2: https://x/y.git
      hint: Use ADD for what has to be fetched.

    "FROM scratch\\nADD https://x/y.git?what=1 b\\n"
    invalid GIT_URL_INVALID: invalid git URL: unexpected query "what"
      at 2: ADD https://x/y.git?what=1 b
      hint: Known are ref, tag, branch, subdir, checksum, commit, keep-git-dir, submodules, mtime, fetch-by-commit.

    "FROM scratch\\nADD --keep-git-dir=false https://x/y.git?keep-git-dir=1 b\\n"
    invalid COPY_SOURCE_INVALID: inconsistent keep-git-dir configuration
      at 2: --keep-git-dir=false

    "FROM scratch\\nADD --checksum=sha256:aa https://x/y b\\n"
    invalid COPY_SOURCE_INVALID: invalid checksum digest format: sha256:aa
      at 2: --checksum=sha256:aa
      hint: Write sha256: and 64 hexadecimal digits, as sha256sum prints them.

    "FROM scratch\\nADD --checksum=sha256:aa a b\\n"
    invalid COPY_SOURCE_INVALID: checksum requires HTTP(S) or Git sources
      at 2: --checksum=sha256:aa

    "FROM scratch\\nADD --checksum=sha256:aa a b c\\n"
    invalid COPY_SOURCE_INVALID: checksum can't be specified for multiple sources
      at 2: --checksum=sha256:aa

    "FROM scratch\\nENV a=\${b:?needed}\\n"
    syntax EXPANSION_FAILED: failed to process "\${b:?needed}": b: needed
      at 2: \${b:?needed}

    "FROM scratch\\nLABEL a=b\\\\\\n  c=\\"\${x\\n"
    syntax EXPANSION_FAILED: failed to process "\\"\${x": syntax error: missing '}'
      at 3: "\${x
      hint: Close the substitution: \${name}.

    "ARG A=\${\\nFROM scratch\\n"
    syntax EXPANSION_FAILED: failed to process "\${": syntax error: missing '}'
      at 1: \${
      hint: Close the substitution: \${name}.

    "# check=foo\\nFROM scratch\\n"
    syntax CHECK_DIRECTIVE_INVALID: failed to parse check options: invalid check option "foo"
      at 1: foo
      hint: Write # check=skip=Rule1,Rule2;error=true.

    "# check=error=true\\nFROM scratch\\nMAINTAINER x\\nCMD x\\n"
    invalid CHECKS_FAILED: lint violation found for rules: JSONArgsRecommended, MaintainerDeprecated
      at 3: MAINTAINER x
      hint: line 3: Maintainer instruction is deprecated in favor of using label; line 4: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals

    "FROM scratch\\n"
    invalid SOURCE_DATE_EPOCH_INVALID: invalid SOURCE_DATE_EPOCH: yesterday
      at 1: FROM scratch
      hint: Give seconds since 1970-01-01, as date +%s prints them, or "context", a named context or a stage whose time it is to be."
  `);
});

test('a fault of an unneeded stage counts only where its text alone is wrong', async () => {
  const unneeded = (line: string) => `FROM nowhere AS unneeded\n${line}\nFROM scratch\nCMD ["x"]\n`;
  await planText(unneeded('ENV a=${b:?unseen}'), NOTHING);
  await planText(unneeded('EXPOSE nothing'), NOTHING);
  expect(
    await errors([
      [unneeded('RUN --network=x true'), NOTHING],
      [unneeded('COPY --from=9 a b'), NOTHING],
    ]),
  ).toMatchInlineSnapshot(`
    ""FROM nowhere AS unneeded\\nRUN --network=x true\\nFROM scratch\\nCMD [\\"x\\"]\\n"
    syntax FLAG_INVALID: dockerfile parse error on line 2: invalid network mode "x"
      at 2: --network=x
      hint: Known are default, none, host.

    "FROM nowhere AS unneeded\\nCOPY --from=9 a b\\nFROM scratch\\nCMD [\\"x\\"]\\n"
    not-found STAGE_INDEX_INVALID: invalid stage index 9
      at 2: --from=9
      hint: Stages are counted from 0; this file has 2: 0 unneeded, 1 (FROM scratch)."
  `);
});

test('an error holds the place and nothing of the options', async () => {
  const secret = new Map([['TOKEN', 'very secret']]);
  const failed = planText('FROM $X\n', { buildArgs: secret, file: 'My.Dockerfile' });
  const error: unknown = await failed.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { location } = error as SlipwayError;
  expect(location).toStrictEqual({
    file: 'My.Dockerfile',
    text: 'FROM $X\n',
    range: { start: { offset: 5, line: 1, column: 6 }, end: { offset: 7, line: 1, column: 8 } },
  });
});

test('memory is limited', async () => {
  const doubling = `FROM scratch\nENV A=xxxxxxxxxxxxxxxx\n${'ENV A=$A$A\n'.repeat(40)}`;
  expect(await planError(doubling)).toMatch(/^exhausted EXPANSION_TOO_LARGE/);
  const many = `FROM scratch\nENV A=${'x'.repeat(60_000)}\nENV B=$A$A$A$A$A$A$A$A\n${'LABEL a=$B$B$B$B\n'.repeat(400)}`;
  expect(await planError(many)).toMatch(/^exhausted PLAN_TOO_LARGE/);
});
