/** How much of a step's output is looked at. */
const KEPT = 16 * 1024;

/** What programs print when the kernel refuses another owner, or another user. */
const REFUSAL =
  /(chown|chgrp|fchown|lchown|setgroups|setegid|seteuid|setgid|setuid|setresuid|initgroups|ownership)[^\n]*(Invalid argument|Operation not permitted|failed)|(Invalid argument|Operation not permitted)[^\n]*(chown|ownership)|Cannot change ownership/i;

/** Watches the output of a step that has a single id for signs that it needs more. */
export class OwnerRefusals {
  #tail = '';

  add(data: Uint8Array): void {
    this.#tail = (this.#tail + Buffer.from(data).toString('latin1')).slice(-KEPT);
  }

  get seen(): boolean {
    return REFUSAL.test(this.#tail);
  }
}
