// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import { describe, expect, test } from 'vitest';
import type { Platform } from '../../src/image/types.ts';
import { mergePlatforms } from '../../src/plan/merge-platforms.ts';
import type { PlanInput } from '../../src/plan/options.ts';
import type { Plan } from '../../src/plan/types.ts';
import { AMD64, image, planText } from './plan-fixture.ts';

const ARM64: Platform = { os: 'linux', architecture: 'arm64' };
const ARM: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };

/** A base that there is for every platform. */
const resolveImage: PlanInput['resolveImage'] = async (_, { os, architecture, variant }) => ({
  ...image({ os, architecture, ...(variant !== undefined && { variant }) }),
  imageId: `sha256:${architecture}`,
});

/** One plan of a text for several platforms, built on amd64. */
async function merged(
  text: string,
  platforms: readonly Platform[],
  extra: Partial<PlanInput> = {},
): Promise<Plan> {
  const plans: Plan[] = [];
  for (const platform of platforms)
    plans.push(
      await planText(text, {
        resolveImage,
        ...extra,
        platform,
        buildPlatform: AMD64,
        severalPlatforms: true,
      }),
    );
  return mergePlatforms(plans);
}

/** Nodes with what they stand on, and stages, in a line each. */
function summary(plan: Plan): { nodes: string[]; stages: string[] } {
  return {
    nodes: plan.nodes.map(
      ({ id, stage, label, title, dependencies }) =>
        `${id} of ${stage}: ${label} ${title}${dependencies.length === 0 ? '' : ` <- ${dependencies.join(' ')}`}`,
    ),
    stages: plan.stages.map(
      ({ displayName, platform, result, base }) =>
        `${displayName} ${platform.architecture}: ${result}${base === undefined ? '' : `, FROM ${base}`}`,
    ),
  };
}

describe('plans of several platforms as one', () => {
  test('what is for the building machine is there once, what asks for its target once for each', async () => {
    const text = `FROM --platform=$BUILDPLATFORM debian AS tools
RUN make tools
FROM tools AS cross
ARG TARGETARCH
RUN make $TARGETARCH
FROM debian
COPY --from=cross /out /out
RUN --mount=from=tools,target=/t true
`;
    const plan = await merged(text, [AMD64, ARM64]);
    expect(summary(plan)).toMatchInlineSnapshot(`
      {
        "nodes": [
          "n0 of 0: [linux/amd64 tools 1/2] FROM docker.io/library/debian:latest",
          "n1 of 0: [linux/amd64 tools 2/2] RUN make tools",
          "n2 of 1: [linux/amd64 cross 1/1] RUN make amd64",
          "n3 of 2: [linux/amd64 stage-2 1/3] FROM docker.io/library/debian:latest",
          "n4 of 2: [linux/amd64 stage-2 2/3] COPY --from=cross /out /out <- n2",
          "n5 of 2: [linux/amd64 stage-2 3/3] RUN --mount=from=tools,target=/t true <- n1",
          "n6 of 3: [linux/amd64->arm64 cross 1/1] RUN make arm64",
          "n7 of 4: [linux/arm64 stage-2 1/3] FROM docker.io/library/debian:latest",
          "n8 of 4: [linux/arm64 stage-2 2/3] COPY --from=cross /out /out <- n6",
          "n9 of 4: [linux/arm64 stage-2 3/3] RUN --mount=from=tools,target=/t true <- n1",
        ],
        "stages": [
          "tools amd64: n1",
          "cross amd64: n2, FROM 0",
          "stage-2 amd64: n5",
          "cross amd64: n6, FROM 0",
          "stage-2 arm64: n9",
        ],
      }
    `);
    expect(plan.platforms).toEqual([
      { platform: AMD64, targets: [2] },
      { platform: ARM64, targets: [4] },
    ]);
    expect(plan.target).toBe(2);
    // Every reference leads to a node that stands before it.
    for (const [position, { id, dependencies }] of plan.nodes.entries()) {
      expect(id).toBe(`n${position}`);
      for (const one of dependencies) expect(Number(one.slice(1))).toBeLessThan(position);
    }
    for (const { history } of plan.stages)
      for (const { node } of history)
        if (node !== undefined) expect(plan.nodes.some(({ id }) => id === node)).toBe(true);
  });

  test('operations name the nodes by their new names', async () => {
    const text = `FROM scratch AS files
COPY a /a
FROM debian
RUN --mount=from=files,target=/f true
COPY --from=files /a /b
WORKDIR /w
`;
    const plan = await merged(text, [AMD64, ARM64, ARM]);
    const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
    for (const { platform, targets } of plan.platforms!) {
      let node = nodes.get(plan.stages[targets[0]!]!.result)!;
      const seen: string[] = [];
      // Down the chain of parents: each of this platform's.
      for (;;) {
        seen.push(node.operation.kind);
        expect(plan.stages[node.stage]!.platform).toEqual(platform);
        const { operation } = node;
        if (!('parent' in operation)) break;
        if (operation.kind === 'run')
          for (const mount of operation.mounts)
            expect('from' in mount && mount.from?.kind === 'node' && nodes.has(mount.from.node)).toBe(true);
        node = nodes.get(operation.parent)!;
      }
      expect(seen).toEqual(['workdir', 'copy', 'run', 'image']);
    }
  });

  test('bases say for which platform each was looked up, warnings come once', async () => {
    const plan = await merged('FROM debian\nmaintainer me\n', [AMD64, ARM64]);
    expect(plan.bases.map(({ imageId, platform }) => [imageId, platform])).toEqual([
      ['sha256:amd64', AMD64],
      ['sha256:arm64', ARM64],
    ]);
    expect(plan.warnings.map(({ code }) => code)).toEqual([
      ...new Set(plan.warnings.map(({ code }) => code)),
    ]);
    expect(plan.warnings.length).toBeGreaterThan(0);
  });

  test('several targets, and stages that none of them needs, for each platform', async () => {
    const text = 'FROM debian AS a\nRUN a\nFROM debian AS b\nRUN b\nFROM debian AS c\nRUN c\n';
    const plan = await merged(text, [AMD64, ARM64], { targets: ['c', 'a'], allStages: true });
    const named = (stages: readonly number[] | undefined): string[] =>
      (stages ?? []).map((stage) => {
        const { displayName, platform } = plan.stages[stage]!;
        return `${displayName} ${platform.architecture}`;
      });
    expect(plan.platforms!.map(({ targets }) => named(targets))).toEqual([
      ['c amd64', 'a amd64'],
      ['c arm64', 'a arm64'],
    ]);
    expect(named(plan.targets)).toEqual(['c amd64', 'a amd64', 'c arm64', 'a arm64']);
    expect(named(plan.extraStages)).toEqual(['b amd64', 'b arm64']);
    expect(named([plan.target])).toEqual(['a amd64']);
  });

  test('a base of one platform alone makes one image', async () => {
    const plan = await merged('FROM debian\nRUN x\n', [AMD64, ARM64], { resolveImage: async () => image() });
    expect(plan.stages).toHaveLength(1);
    expect(plan.platforms!.map(({ targets }) => targets)).toEqual([[0], [0]]);
  });

  test('one platform alone is its own plan with its name', async () => {
    const alone = await planText('FROM debian\nRUN x\n', { resolveImage, severalPlatforms: true });
    const plan = await merged('FROM debian\nRUN x\n', [AMD64]);
    expect(plan.nodes).toEqual(alone.nodes);
    expect(plan.stages).toEqual(alone.stages);
    expect(plan.platforms).toEqual([{ platform: AMD64, targets: [0] }]);
  });
});
