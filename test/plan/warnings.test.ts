// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import { expect, test } from 'vitest';
import { CHECKS, checkUrl } from '../../src/dockerfile/checks.ts';
import { planText } from './plan-fixture.ts';

async function warnings(text: string): Promise<string[]> {
  const plan = await planText(text);
  return plan.warnings.map(({ code, message, range }) => `${range.start.line} ${code}: ${message}`);
}

const NOISY = `# a
ARG BASE=debian FIRST
ARG EMPTY
FROM \${BSAE:-x} as Build
from --platform=linux/arm64 \${EMPTY:-y}
MAINTAINER me
Workdir rel
WORKDIR rel2
ENV old style
LABEL old style
ENV API_KEY=1 PUBLIC_KEY=2 USER_TOKEN_FILE=3
ARG password
CMD one
CMD ["two"]
ENTRYPOINT three
RUN true \\

  && false
EXPOSE 80/TCP 127.0.0.1:81:82
LABEL a=$UNKNOWN b=$old c=$odl d=$password
FROM --platform=$TARGETPLATFORM scratch AS scratch
FROM scratch AS scratch
COPY --from=Build / /
COPY --from=1 / /b
`;

test('findings of every kind, in the order of the file', async () => {
  expect(await warnings(NOISY)).toMatchInlineSnapshot(`
    [
      "4 StageNameCasing: Stage name 'Build' should be lowercase",
      "4 FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
      "4 UndefinedArgInFrom: FROM argument 'BSAE' is not declared (did you mean BASE?)",
      "5 ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase)",
      "5 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/arm64"",
      "5 InvalidBaseImagePlatform: Base image y was pulled with platform "linux/amd64", expected "linux/arm64" for current build",
      "6 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label",
      "7 ConsistentInstructionCasing: Command 'Workdir' should match the case of the command majority (uppercase)",
      "7 WorkdirRelativePath: Relative workdir "rel" can have unexpected results if the base image changes",
      "9 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format",
      "10 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format",
      "11 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "API_KEY")",
      "12 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "password")",
      "13 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
      "13 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
      "15 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
      "17 NoEmptyContinuation: Empty continuation line",
      "19 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:81:82'",
      "19 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      "20 UndefinedVar: Usage of undefined variable '$UNKNOWN'",
      "20 UndefinedVar: Usage of undefined variable '$odl' (did you mean $old?)",
      "21 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"",
      "21 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
      "22 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"",
      "22 DuplicateStageName: Duplicate stage name "scratch", stage names should be unique",
    ]
  `);
});

test('the check directive and comments switch rules off', async () => {
  expect(
    await warnings(
      '# check=skip=JSONArgsRecommended,MaintainerDeprecated\nFROM scratch\nMAINTAINER x\nCMD x\n',
    ),
  ).toEqual([]);
  expect(await warnings('# check=skip=all\nFROM scratch\nMAINTAINER x\nCMD x\n')).toEqual([]);
  expect(await warnings('FROM scratch\n# check=skip=JSONArgsRecommended\nCMD x\nMAINTAINER x\n')).toEqual([
    '4 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label',
  ]);
  expect(await warnings('# check=experimental=all\n# wrong words\nFROM scratch AS name\n')).toEqual([
    '3 InvalidDefinitionDescription: Comment for FROM should follow the format: `# name <description>`',
  ]);
});

test('clean files have none', async () => {
  expect(
    await warnings(`ARG V=1
FROM --platform=$BUILDPLATFORM base:$V AS build
ARG TARGETARCH
SHELL ["/bin/bash", "-c"]
WORKDIR /x
WORKDIR y
ENV A=\${TARGETARCH} B=\${HOME:-}
CMD run it
FROM scratch
COPY --from=build / /
`),
  ).toEqual([`7 UndefinedVar: Usage of undefined variable '$HOME'`]);
});

test('every rule has a page', () => {
  expect(Object.keys(CHECKS).length).toBe(22);
  expect(checkUrl('JSONArgsRecommended')).toBe(
    'https://docs.docker.com/go/dockerfile/rule/json-args-recommended/',
  );
  expect(checkUrl('UndefinedArgInFrom')).toBe(
    'https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/',
  );
});
