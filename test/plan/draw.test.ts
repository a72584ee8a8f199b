import { expect, test } from 'vitest';
import { drawDot } from '../../src/plan/draw/dot.ts';
import { graphOf, type Measures } from '../../src/plan/draw/graph.ts';
import { drawMermaid } from '../../src/plan/draw/mermaid.ts';
import { drawSvg } from '../../src/plan/draw/svg.ts';
import { drawPlan } from '../../src/plan/draw-text.ts';
import { planText } from './plan-fixture.ts';

const FILE = `FROM debian AS build
COPY src /src
RUN make "a\\b" # <&>
FROM debian
RUN prepare
COPY --from=build /out /bin/
COPY --from=busybox /bin/sh /bin/sh
`;

const plan = await planText(FILE);

/** By title: how it came out, and milliseconds. */
function measured(values: Record<string, [outcome: 'done' | 'cached' | 'failed', ms?: number]>): Measures {
  return new Map(
    plan.nodes.flatMap(({ id, title }) => {
      const [, value] = Object.entries(values).find(([start]) => title.startsWith(start)) ?? [];
      return value === undefined
        ? []
        : [[id, { outcome: value[0], ...(value[1] === undefined ? {} : { ms: value[1] }) }] as const];
    }),
  );
}

const MEASURES = measured({
  'COPY src': ['cached', 400],
  'RUN make': ['done', 9100],
  'RUN prepare': ['done', 9400],
  'COPY --from=build': ['failed', 100],
});

test('text: what was measured, and the longest path', () => {
  expect(drawPlan(plan, MEASURES)).toMatchInlineSnapshot(`
    "build
    ├─ n0 FROM docker.io/library/debian:latest (*)
    ├─ n1 COPY src /src (* cached, 0.4s)
    └─ n2 RUN make "a\\b" # <&> (* 9.1s)

    stage-1 (target)
    ├─ n3 FROM docker.io/library/debian:latest
    ├─ n4 RUN prepare (9.4s)
    ├─ n5 COPY --from=build /out /bin/ (* failed, 0.1s)
    │     ◀─ build: /out → /bin/
    └─ n7 COPY --from=busybox /bin/sh /bin/sh
          ◀─ image docker.io/library/busybox:latest: /bin/sh → /bin/sh
    "
  `);
});

test('Graphviz', () => {
  expect(drawDot(graphOf(plan, MEASURES))).toMatchInlineSnapshot(`
    "digraph build {
      rankdir=TB;
      node [shape=box, style=rounded, fontname="monospace", fontsize=10];
      edge [color="#8c959f"];
      subgraph cluster_0 {
        label="build"; fontname="monospace"; style=rounded;
        n0 [label="FROM docker.io/library/debian:latest", color="#d4700a", penwidth=2];
        n1 [label="COPY src /src\\ncached, 0.4s", style="rounded,filled", fillcolor="#e9f7ee", color="#d4700a", penwidth=2];
        n2 [label="RUN make \\"a\\\\b\\" # <&>\\n9.1s", style="rounded,filled", fillcolor="#eaf2ff", color="#d4700a", penwidth=2];
      }
      subgraph cluster_1 {
        label="stage-1 (target)"; fontname="monospace"; style=rounded;
        n3 [label="FROM docker.io/library/debian:latest"];
        n4 [label="RUN prepare\\n9.4s", style="rounded,filled", fillcolor="#eaf2ff"];
        n5 [label="COPY --from=build /out /bin/\\nfailed, 0.1s", style="rounded,filled", fillcolor="#ffeef0", color="#d4700a", penwidth=2];
        n7 [label="COPY --from=busybox /bin/sh /bin/sh"];
      }
      n6 [label="FROM docker.io/library/busybox:latest"];
      n0 -> n1 [color="#d4700a", penwidth=2];
      n1 -> n2 [color="#d4700a", penwidth=2];
      n3 -> n4;
      n4 -> n5;
      n2 -> n5 [style=dashed, color="#d4700a", penwidth=2];
      n5 -> n7;
      n6 -> n7 [style=dashed];
    }
    "
  `);
});

test('Mermaid', () => {
  expect(drawMermaid(graphOf(plan, MEASURES))).toMatchInlineSnapshot(`
    "flowchart TB
      subgraph s0["build"]
        n0["FROM docker.io/library/debian:latest"]
        n1["COPY src /src<br/>cached, 0.4s"]
        n2["RUN make #34;a#92;b#34; #35; #60;#38;#62;<br/>9.1s"]
      end
      subgraph s1["stage-1 (target)"]
        n3["FROM docker.io/library/debian:latest"]
        n4["RUN prepare<br/>9.4s"]
        n5["COPY --from=build /out /bin/<br/>failed, 0.1s"]
        n7["COPY --from=busybox /bin/sh /bin/sh"]
      end
      n6["FROM docker.io/library/busybox:latest"]
      n0 ==> n1
      n1 ==> n2
      n3 --> n4
      n4 --> n5
      n2 ==> n5
      n5 --> n7
      n6 -.-> n7
      classDef done stroke:#1f6feb
      class n4 done
      classDef critical stroke-width:3px,stroke:#d4700a
      class n0,n1,n2,n5 critical
    "
  `);
});

test('without measures nothing is marked', () => {
  const drawings = [
    drawDot(graphOf(plan)),
    drawMermaid(graphOf(plan)),
    drawSvg(graphOf(plan)),
    drawPlan(plan),
  ];
  for (const text of drawings) expect(text).not.toMatch(/longest|==>|penwidth|classDef|\d\.\ds| \(\*/);
});

test('SVG: every tag is closed, every step is there, and arrows lead down', () => {
  const svg = drawSvg(graphOf(plan, MEASURES));
  const open: string[] = [];
  for (const [, close, name, , alone] of svg.matchAll(/<(\/?)([a-z]+)((?:[^>"]|"[^"]*")*?)(\/?)>/g)) {
    if (close === '/') expect(open.pop()).toBe(name);
    else if (alone !== '/') open.push(name!);
  }
  expect(open).toEqual([]);
  const titles = [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title);
  expect(titles).toHaveLength(plan.nodes.length);
  expect(titles).toContain('RUN make &#34;a\\b&#34; # &#60;&#38;&#62; (9.1s)');
  const paths = [...svg.matchAll(/<path d="M[\d.]+ ([\d.]+) ([^"]*)" fill="none"/g)];
  expect(paths).toHaveLength(
    plan.nodes.reduce((sum, { operation, dependencies }) => {
      return sum + dependencies.length + ('parent' in operation ? 1 : 0);
    }, 0),
  );
  for (const [, start, rest] of paths) {
    const heights = [...rest!.matchAll(/V([\d.]+)/g)].map(([, y]) => Number(y));
    expect(heights.at(-1)).toBeGreaterThan(Number(start));
  }
});

test('what a title holds stays text in every drawing', async () => {
  const hostile = await planText(
    'FROM debian\nRUN echo "</text></svg><script>x</script>" \\\\ "];} \u001b[31m\n',
  );
  const graph = graphOf(hostile);
  expect(drawSvg(graph)).not.toMatch(/<script|\u001b/);
  expect(drawMermaid(graph)).not.toMatch(/<script|\u001b|"\]\S/);
  expect(drawDot(graph)).not.toMatch(/\u001b|[^\\]"\];\}/);
});
