import { readFileSync } from 'node:fs';
import { busyboxRootfs, debianBusybox, hostBusybox } from './busybox.ts';
import { hostToolsRootfs } from './host-tools.ts';
import { tarOf } from './rootfs.ts';

/** A small root file system with a shell. */
export interface BaseRootfs {
  /** Uncompressed tar; the same bytes whenever the same programs go in. */
  tar: Buffer;
  /** Where its programs come from, for people. */
  origin: string;
}

/**
 * Makes a root file system without installing anything and without a registry: of the host's busybox when that is
 * static, else of Debian's busybox-static, else of the host's own shell and core tools with their libraries.
 */
export async function makeBaseRootfs(): Promise<BaseRootfs> {
  const onHost = hostBusybox();
  if (onHost !== undefined) {
    return {
      tar: await tarOf(busyboxRootfs(readFileSync(onHost))),
      origin: `the host's static busybox (${onHost})`,
    };
  }
  const fetched = debianBusybox();
  if (fetched !== undefined) {
    return {
      tar: await tarOf(busyboxRootfs(fetched)),
      origin: "Debian's busybox-static, fetched with apt-get",
    };
  }
  return {
    tar: await tarOf(hostToolsRootfs()),
    origin: "the host's own shell and core tools, with their libraries",
  };
}
