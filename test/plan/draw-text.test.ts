import { expect, test } from 'vitest';
import { drawPlan } from '../../src/plan/draw-text.ts';
import { planText } from './plan-fixture.ts';

const FILE = `FROM debian:12 AS tools
RUN apt-get update
FROM tools AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache --mount=type=bind,from=golang:1,source=/usr/local/go,target=/go make
FROM build AS test
RUN make test
FROM scratch
COPY --from=build /src/out/ /bin/
COPY --from=busybox /bin/sh /bin/sh
COPY --from=assets logo.svg /
COPY <<EOF /note
hello
EOF
CMD ["/bin/app"]
`;

test('stages, steps, and where they read from', async () => {
  const plan = await planText(FILE, {
    namedContexts: new Map([['assets', { kind: 'files', description: '../files' }]]),
  });
  expect(drawPlan(plan)).toMatchInlineSnapshot(`
    "tools
    ├─ n0 FROM docker.io/library/debian:12
    └─ n1 RUN apt-get update

    build
    ├─ from tools
    ├─ n2 WORKDIR /src
    ├─ n3 COPY . .
    └─ n5 RUN --mount=type=cache,target=/root/.cache --mount=type=bind,from=golang:1,source=/usr/local/go,target=/go make
          ◀─ image docker.io/library/golang:1: /usr/local/go at /go

    stage-3 (target)
    ├─ n6 FROM scratch
    ├─ n7 COPY --from=build /src/out/ /bin/
    │     ◀─ build: /src/out/ → /bin/
    ├─ n9 COPY --from=busybox /bin/sh /bin/sh
    │     ◀─ image docker.io/library/busybox:latest: /bin/sh → /bin/sh
    ├─ n10 COPY --from=assets logo.svg /
    │     ◀─ context assets: logo.svg → /
    └─ n11 COPY <<EOF /note
    "
  `);
});

test('a stage without steps of its own, and text that is no line', async () => {
  const plan = await planText(`FROM a AS base
ENV ESC="\u001b[31m"
RUN ["echo", "$ESC", "x"]
FROM base AS last
LABEL a=1
`);
  expect(drawPlan(plan)).toMatchInlineSnapshot(`
    "base
    ├─ n0 FROM docker.io/library/a:latest
    └─ n1 RUN ["echo", "�[31m", "x"]

    last (target)
    └─ from base
    "
  `);
});
